/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/nic_attach.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <rte_bus.h>
#include <rte_dev.h>
#include <rte_devargs.h>
#include <rte_ethdev.h>
#include <rte_pci.h>

#define PCI_NAME_SIZE (PCI_PRI_STR_SIZE + 1u)

/* ---- PCI ------------------------------------------------------------------------------------- */

/* Copies the name of the kernel's driver for a device; "" when none has it. */
static void pci_driver(const char *address, char *driver, size_t size)
{
    char path[128];
    char target[PATH_MAX];
    const char *name;
    ssize_t len;

    (void)snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/driver", address);
    len = readlink(path, target, sizeof(target) - 1);
    target[len > 0 ? len : 0] = '\0';
    name = strrchr(target, '/');
    (void)snprintf(driver, size, "%s", name == NULL ? "" : name + 1);
}

/* Drivers by which DPDK reaches a device: three that hand it over, two that work beside it. */
static bool is_for_dpdk(const char *driver)
{
    static const char *const drivers[] = {
        "vfio-pci", "uio_pci_generic", "igb_uio", "mlx5_core", "mlx4_core"
    };

    for (size_t i = 0; i < sizeof(drivers) / sizeof(drivers[0]); i++) {
        if (strcmp(driver, drivers[i]) == 0) {
            return true;
        }
    }
    return false;
}

static int check_bound(const char *name, struct error *error)
{
    char path[128];
    char driver[64];

    (void)snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s", name);
    if (access(path, F_OK) != 0) {
        return error_set(error, ENODEV, "PCI device %s is not on this host; `lspci -D` lists "
                         "those there are", name);
    }
    pci_driver(name, driver, sizeof(driver));
    if (!is_for_dpdk(driver)) {
        return error_set(error, EBUSY, "PCI device %s is bound to %s%s, where DPDK cannot reach "
                         "it; `dpdk-devbind.py -b vfio-pci %s` hands it over", name,
                         driver[0] == '\0' ? "no driver" : "the kernel's driver ", driver, name);
    }
    return 0;
}

int nic_check_pci(const char *address, struct error *error)
{
    struct rte_pci_addr parsed;
    char name[PCI_NAME_SIZE];

    if (rte_pci_addr_parse(address, &parsed) != 0) {
        return error_set(error, ENODEV, "\"%.64s\" is no PCI address; one is written as "
                         "0000:01:00.0, and `lspci -D` lists those there are", address);
    }
    rte_pci_device_name(&parsed, name, sizeof(name));
    return check_bound(name, error);
}

/* Whether the daemon was started with this address, which DPDK keeps in its list. */
static bool is_given(const struct rte_pci_addr *address)
{
    struct rte_devargs *given;

    RTE_EAL_DEVARGS_FOREACH("pci", given) {
        struct rte_pci_addr other;

        if (rte_pci_addr_parse(given->name, &other) == 0 &&
            rte_pci_addr_cmp(&other, address) == 0) {
            return true;
        }
    }
    return false;
}

static int attach_pci(const struct rte_pci_addr *address, uint16_t *port_id, struct error *error)
{
    struct rte_eth_dev_owner owner = { .id = RTE_ETH_DEV_NO_OWNER };
    char name[PCI_NAME_SIZE];
    int rc;

    rte_pci_device_name(address, name, sizeof(name));
    rc = check_bound(name, error);
    if (rc != 0) {
        return rc;
    }
    if (!is_given(address)) {
        return error_set(error, EPERM, "PCI device %s is not one that vswitchd was given; start it "
                         "with --pci %s", name, name);
    }
    if (rte_eth_dev_get_port_by_name(name, port_id) != 0) {
        rc = rte_dev_probe(name);
        if (rc != 0 || rte_eth_dev_get_port_by_name(name, port_id) != 0) {
            return error_set(error, ENODEV, "PCI device %s is one that no network driver of DPDK's "
                             "takes; its messages in the daemon's log may say more, and drivers "
                             "are in the packages librte-net-*", name);
        }
    }
    if (rte_eth_dev_owner_get(*port_id, &owner) == 0 && owner.id != RTE_ETH_DEV_NO_OWNER) {
        return error_set(error, EBUSY, "PCI device %s is the uplink of another switch already; one "
                         "device can have one switch", name);
    }
    return 0;
}

/* ---- vdevs ----------------------------------------------------------------------------------- */

static int attach_vdev(const char *where, uint16_t *port_id, struct error *error)
{
    struct rte_devargs parsed = { 0 };
    char name[RTE_DEV_NAME_MAX_LEN];
    int rc;

    if (snprintf(name, sizeof(name), "%.*s", (int)strcspn(where, ","), where) >=
        (int)sizeof(name)) {
        return error_set(error, EINVAL, "device \"%s\" has a name, before its first comma, of more "
                         "than the %zu characters that DPDK has for one; shorten it", name,
                         sizeof(name) - 1);
    }
    if (rte_eth_dev_get_port_by_name(name, port_id) == 0) {
        return error_set(error, EBUSY, "device \"%s\" is in use already; another one by its driver "
                         "has another number at the end of its name", name);
    }
    rc = rte_devargs_parse(&parsed, where);
    rte_devargs_reset(&parsed);
    if (rc != 0 || name[0] == '\0') {
        return error_set(error, ENODEV, "device \"%s\" is one that DPDK has no driver for; a name "
                         "is a driver's and a number, as net_tap0 or net_af_packet1, and drivers "
                         "are in the packages librte-net-*", name);
    }
    rc = rte_dev_probe(where);
    if (rc != 0 || rte_eth_dev_get_port_by_name(name, port_id) != 0) {
        /* Most drivers say -1 of whatever it was. */
        return error_set(error, rc < -1 ? -rc : EIO, "device \"%s\" could not be made%s%s%s; "
                         "DPDK's messages in the daemon's log say why", where, rc < -1 ? " (" : "",
                         rc < -1 ? strerror(-rc) : "", rc < -1 ? ")" : "");
    }
    return 0;
}

/* ---- both ------------------------------------------------------------------------------------ */

int nic_attach(const char *where, uint16_t *port_id, struct error *error)
{
    struct rte_eth_dev_owner owner = { .name = "switch" };
    struct rte_pci_addr address;
    int rc = rte_pci_addr_parse(where, &address) == 0 ? attach_pci(&address, port_id, error)
                                                      : attach_vdev(where, port_id, error);

    if (rc == 0) {
        (void)rte_eth_dev_owner_new(&owner.id);
        (void)rte_eth_dev_owner_set(*port_id, &owner);
    }
    return rc;
}

void nic_detach(uint16_t port_id)
{
    char name[RTE_ETH_NAME_MAX_LEN];
    struct rte_eth_dev_info info;
    struct rte_pci_addr address;

    if (rte_eth_dev_get_name_by_port(port_id, name) != 0 ||
        rte_eth_dev_info_get(port_id, &info) != 0) {
        return;
    }
    (void)rte_eth_dev_close(port_id);
    (void)rte_dev_remove(info.device);
    /* With the device its place among those given to the daemon is gone. */
    if (rte_pci_addr_parse(name, &address) == 0) {
        (void)rte_devargs_add(RTE_DEVTYPE_ALLOWED, name);
    }
}
