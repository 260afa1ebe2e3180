/* SPDX-License-Identifier: BSD-3-Clause */
#include "vmm/devices.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "vmm/pci.h"
#include "vmm/virtio_blk.h"
#include "vmm/virtio_console.h"
#include "vmm/virtio_mmio.h"
#include "vmm/virtio_pci.h"
#include "vmm/virtio_rng.h"

#define HOT_SLOTS_SPARE 8u         /* ports beyond those of the NICs that are there at the start */

/* Where a device is plugged in: one of the two, or neither. */
struct plug {
    struct virtio_pci *pci;
    struct virtio_mmio *mmio;
};

struct nic {
    struct devices *devices;
    struct virtio_net *net;        /* NULL: this place is free */
    struct plug plug;
    char name[MACHINE_NAME_SIZE];
    char socket_path[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
};

struct devices {
    struct devices_place place;
    struct pci_root *root;         /* NULL on MMIO */
    unsigned mmio_count;
    struct nic nic[MACHINE_NICS_MAX];
    struct virtio_blk *blk[MACHINE_DISKS_MAX];
    struct plug blk_plug[MACHINE_DISKS_MAX];
    struct virtio_rng *rng;
    struct plug rng_plug;
    struct virtio_console *console;
    struct plug console_plug;
};

/* ---- plugging -------------------------------------------------------------------------------- */

static int plug_in(struct devices *devices, struct virtio_device *device, bool hot,
                   struct plug *plug, struct error *error)
{
    const struct devices_place *place = &devices->place;

    if (devices->root != NULL) {
        plug->pci = virtio_pci_plug(place->vm_fd, devices->root, place->irq, hot, device, error);
        return plug->pci != NULL ? 0 : -error->code;
    }
    if (devices->mmio_count >= VIRTIO_MMIO_SLOTS_MAX) {
        return error_set(error, ENOSPC, "a VM with --transport mmio has places for %u devices, and "
                         "this one needs more: leave out vNICs or disks, or use PCI",
                         VIRTIO_MMIO_SLOTS_MAX);
    }
    plug->mmio = virtio_mmio_plug(place->vm_fd, place->bus, place->irq, place->base,
                                  devices->mmio_count, device, error);
    if (plug->mmio == NULL) {
        return -error->code;
    }
    devices->mmio_count++;
    return 0;
}

static void unplug(struct plug *plug)
{
    if (plug->pci != NULL) {
        virtio_pci_unplug(plug->pci);
    }
    virtio_mmio_unplug(plug->mmio);
    *plug = (struct plug){ 0 };
}

/* ---- NICs ------------------------------------------------------------------------------------ */

static struct nic *find_nic(struct devices *devices, const char *name)
{
    for (unsigned i = 0; i < MACHINE_NICS_MAX; i++) {
        if (devices->nic[i].net != NULL && strcmp(devices->nic[i].name, name) == 0) {
            return &devices->nic[i];
        }
    }
    return NULL;
}

static struct nic *free_nic(struct devices *devices)
{
    for (unsigned i = 0; i < MACHINE_NICS_MAX; i++) {
        if (devices->nic[i].net == NULL) {
            return &devices->nic[i];
        }
    }
    return NULL;
}

static void nic_remove(struct nic *nic)
{
    unplug(&nic->plug);
    virtio_net_destroy(nic->net);
    nic->net = NULL;
}

/* Makes a NIC in a place of its own, with its texts. */
static int nic_add(struct devices *devices, const struct virtio_net_options *config,
                   struct error *error)
{
    struct virtio_net_options own = *config;
    struct nic *nic = free_nic(devices);
    int result;

    if (find_nic(devices, config->name) != NULL) {
        return error_set(error, EEXIST, "the VM has the vNIC %s already", config->name);
    }
    if (nic == NULL) {
        return error_set(error, ENOSPC, "a VM has at most %u vNICs", MACHINE_NICS_MAX);
    }
    if (strlen(config->name) >= sizeof(nic->name) ||
        strlen(config->socket_path) >= sizeof(nic->socket_path)) {
        return error_set(error, ENAMETOOLONG, "the name of a vNIC has at most %zu characters, the "
                         "path of its socket %zu", sizeof(nic->name) - 1,
                         sizeof(nic->socket_path) - 1);
    }
    (void)snprintf(nic->name, sizeof(nic->name), "%s", config->name);
    (void)snprintf(nic->socket_path, sizeof(nic->socket_path), "%s", config->socket_path);
    own.name = nic->name;
    own.socket_path = nic->socket_path;
    nic->devices = devices;
    nic->net = virtio_net_create(devices->place.ram, devices->place.base, &own, error);
    if (nic->net == NULL) {
        return -error->code;
    }
    result = plug_in(devices, virtio_net_device(nic->net), true, &nic->plug, error);
    if (result != 0) {
        nic_remove(nic);
    }
    return result;
}

int devices_add_nic(struct devices *devices, const struct virtio_net_options *nic,
                    struct error *error)
{
    if (devices->root == NULL) {
        return error_set(error, EOPNOTSUPP, "this VM was started with --transport mmio, and takes "
                         "vNICs at its start only: name them there, or use PCI");
    }
    return nic_add(devices, nic, error);
}

static void on_gone(void *context)
{
    nic_remove(context);
}

int devices_remove_nic(struct devices *devices, const char *name, bool force,
                       struct error *error)
{
    struct nic *nic = find_nic(devices, name);

    if (nic == NULL) {
        return error_set(error, ENOENT, "the VM has no vNIC %s", name);
    }
    if (nic->plug.pci == NULL) {
        return error_set(error, EOPNOTSUPP, "this VM was started with --transport mmio, and keeps "
                         "its vNICs until its end");
    }
    if (force) {
        nic_remove(nic);
        return 0;
    }
    return virtio_pci_ask_out(nic->plug.pci, on_gone, nic, error);
}

unsigned devices_nics(const struct devices *devices, struct machine_nic nic[MACHINE_NICS_MAX])
{
    unsigned count = 0;

    for (unsigned i = 0; i < MACHINE_NICS_MAX; i++) {
        const struct nic *from = &devices->nic[i];

        if (from->net != NULL) {
            (void)snprintf(nic[count].name, sizeof(nic[count].name), "%s", from->name);
            virtio_net_status(from->net, &nic[count].net);
            count++;
        }
    }
    return count;
}

/* ---- the others ------------------------------------------------------------------------------ */

static int add_disk(struct devices *devices, unsigned number, const struct machine_disk *disk,
                    struct error *error)
{
    devices->blk[number] = virtio_blk_create(devices->place.ram, disk->path, disk->read_only,
                                             error);
    if (devices->blk[number] == NULL) {
        return -error->code;
    }
    return plug_in(devices, virtio_blk_device(devices->blk[number]), false,
                   &devices->blk_plug[number], error);
}

static int enter_disk(void *context)
{
    (void)context;
    return sandbox_enter(SANDBOX_DISK);
}

int devices_run(struct devices *devices, struct error *error)
{
    int result = 0;

    for (unsigned i = 0; i < MACHINE_DISKS_MAX && result == 0; i++) {
        if (devices->blk[i] != NULL) {
            result = virtio_blk_run(devices->blk[i], enter_disk, NULL, error);
        }
    }
    return result;
}

static int add_rng(struct devices *devices, struct error *error)
{
    devices->rng = virtio_rng_create(devices->place.ram, devices->place.base, error);
    if (devices->rng == NULL) {
        return -error->code;
    }
    return plug_in(devices, virtio_rng_device(devices->rng), false, &devices->rng_plug, error);
}

static int add_console(struct devices *devices, struct error *error)
{
    devices->console = virtio_console_create(devices->place.ram, devices->place.base,
                                             devices->place.console, error);
    if (devices->console == NULL) {
        return -error->code;
    }
    return plug_in(devices, virtio_console_device(devices->console), false, &devices->console_plug,
                   error);
}

/* ---- all of them ----------------------------------------------------------------------------- */

static int add_root(struct devices *devices, unsigned nics, struct error *error)
{
    const unsigned slots = nics + HOT_SLOTS_SPARE < PCI_HOT_SLOTS_MAX ? nics + HOT_SLOTS_SPARE
                                                                      : PCI_HOT_SLOTS_MAX;

    devices->root = pci_root_create(devices->place.bus, devices->place.irq, devices->place.base,
                                    slots, error);
    return devices->root != NULL ? 0 : -error->code;
}

/* On MMIO the order is that of the places: NICs first, as the guest is to count them. */
static int add_all(struct devices *devices, const struct machine_config *config,
                   struct error *error)
{
    int result = config->mmio ? 0 : add_root(devices, config->nic_count, error);

    for (unsigned i = 0; i < config->nic_count && result == 0; i++) {
        result = nic_add(devices, &config->nic[i], error);
    }
    for (unsigned i = 0; i < config->disk_count && result == 0; i++) {
        result = add_disk(devices, i, &config->disk[i], error);
    }
    if (result == 0) {
        result = add_rng(devices, error);
    }
    return result != 0 ? result : add_console(devices, error);
}

struct devices *devices_create(const struct devices_place *place,
                               const struct machine_config *config, struct error *error)
{
    struct devices *devices = calloc(1, sizeof(*devices));

    if (devices == NULL) {
        (void)error_set(error, ENOMEM, "no memory for the VM's devices: give the host more");
        return NULL;
    }
    devices->place = *place;
    if (add_all(devices, config, error) != 0) {
        devices_destroy(devices);
        return NULL;
    }
    if (devices->root != NULL) {
        pci_root_reset(devices->root);
    }
    return devices;
}

static void reset_plug(const struct plug *plug)
{
    if (plug->mmio != NULL) {
        virtio_mmio_reset(plug->mmio);
    }
}

void devices_reset(struct devices *devices)
{
    if (devices->root != NULL) {
        pci_root_reset(devices->root);
        return;
    }
    for (unsigned i = 0; i < MACHINE_NICS_MAX; i++) {
        reset_plug(&devices->nic[i].plug);
    }
    for (unsigned i = 0; i < MACHINE_DISKS_MAX; i++) {
        reset_plug(&devices->blk_plug[i]);
    }
    reset_plug(&devices->rng_plug);
    reset_plug(&devices->console_plug);
}

void devices_destroy(struct devices *devices)
{
    if (devices == NULL) {
        return;
    }
    unplug(&devices->console_plug);
    virtio_console_destroy(devices->console);
    unplug(&devices->rng_plug);
    virtio_rng_destroy(devices->rng);
    for (unsigned i = 0; i < MACHINE_DISKS_MAX; i++) {
        unplug(&devices->blk_plug[i]);
        virtio_blk_destroy(devices->blk[i]);
    }
    for (unsigned i = 0; i < MACHINE_NICS_MAX; i++) {
        nic_remove(&devices->nic[i]);
    }
    if (devices->root != NULL) {
        pci_root_destroy(devices->root);
    }
    free(devices);
}

unsigned devices_mmio_count(const struct devices *devices)
{
    return devices->mmio_count;
}
