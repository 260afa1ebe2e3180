/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Bus 0 has the host bridge as device 0, then the ports, eight to a device, then what is not to be
 * plugged while the VM runs.  Behind port N is one function, on bus N + 1 after a reset.
 */
#include "vmm/pci.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <event2/event.h>
#include <linux/pci_regs.h>

#include "vmm/pci_port.h"

#define VENDOR_RED_HAT     0x1b36u
#define DEVICE_HOST_BRIDGE 0x0008u
#define CLASS_HOST_BRIDGE  0x060000u
#define DEVICES            32u
#define FUNCTIONS          8u      /* of a device */
#define DEVFNS             256u

/* Addresses after a reset: half a MiB for each device of bus 0, then a MiB for each port. */
#define DEVICE_MEMORY_BYTES UINT32_C(0x80000)
#define PORTS_MEMORY_GPA    (PCI_MEMORY_GPA + DEVICES * DEVICE_MEMORY_BYTES)
#define PORT_MEMORY_BYTES   UINT32_C(0x100000)

struct pci_root {
    struct bus *bus;
    bool on_bus;
    int let_go_fd;                 /* a guest has let go: from a vCPU's thread to the main one */
    struct event *let_go_event;
    unsigned hot_slots;
    struct pci_function bridge;
    struct pci_port *port;
    struct pci_function *function[DEVFNS];     /* on bus 0 */
};

void pci_lock(struct pci_root *root)
{
    bus_lock(root->bus);
}

void pci_unlock(struct pci_root *root)
{
    bus_unlock(root->bus);
}

/* ---- where functions are --------------------------------------------------------------------- */

static bool is_reachable(const struct pci_function *function)
{
    return function->port == NULL || pci_port_is_open(function->port);
}

/* The function that answers to @p bus and @p devfn; NULL when none does. */
static struct pci_function *function_at(struct pci_root *root, unsigned bus, unsigned devfn)
{
    if (bus == 0) {
        return root->function[devfn];
    }
    for (unsigned i = 0; i < root->hot_slots; i++) {
        if (pci_port_bus(&root->port[i]) == bus) {
            return devfn == 0 && pci_port_is_open(&root->port[i]) ? root->port[i].plugged : NULL;
        }
    }
    return NULL;
}

static void move_bar(struct pci_root *root, struct pci_function *function, unsigned bar,
                     uint64_t gpa)
{
    const uint64_t bytes = function->bar_bytes[bar];
    const uint64_t from_gpa = function->bar_gpa[bar];

    if (gpa < PCI_MEMORY_GPA || gpa - PCI_MEMORY_GPA > PCI_MEMORY_BYTES - bytes) {
        gpa = 0;
    }
    if (gpa == from_gpa) {
        return;
    }
    if (from_gpa != 0) {
        bus_remove(root->bus, BUS_MEMORY, from_gpa);
    }
    /* One that would overlap another is nowhere until it is moved again. */
    if (gpa != 0 && bus_add(root->bus, BUS_MEMORY, gpa, bytes, function->bar_ops[bar],
                            function->context, NULL) < 0) {
        gpa = 0;
    }
    function->bar_gpa[bar] = gpa;
    if (function->bar_moved != NULL) {
        function->bar_moved(function, bar, from_gpa);
    }
}

void pci_root_map(struct pci_root *root, struct pci_function *function)
{
    for (unsigned bar = 0; bar < PCI_BARS; bar++) {
        if (function->bar_bytes[bar] != 0) {
            move_bar(root, function, bar,
                     is_reachable(function) ? pci_config_bar(function, bar) : 0);
        }
    }
}

/* ---- configuration space --------------------------------------------------------------------- */

/* An address in ECAM is bus, device and function, register: 7.2.2. */
static struct pci_function *function_of(struct pci_root *root, uint64_t offset)
{
    return function_at(root, (unsigned)(offset >> 20), (unsigned)(offset >> 12) & 0xff);
}

static void ecam_read(void *context, uint64_t offset, uint8_t *data, unsigned len_bytes)
{
    struct pci_function *function = function_of(context, offset);

    if (function == NULL) {
        memset(data, 0xff, len_bytes);
    } else {
        pci_config_read(function, (uint32_t)offset & 0xfff, data, len_bytes);
    }
}

static void ecam_write(void *context, uint64_t offset, const uint8_t *data, unsigned len_bytes)
{
    struct pci_function *function = function_of(context, offset);
    const uint32_t at = (uint32_t)offset & 0xfff;

    if (function == NULL) {
        return;
    }
    pci_config_write(function, at, data, len_bytes);
    if (pci_config_touches(at, len_bytes, PCI_COMMAND, 2) ||
        pci_config_touches(at, len_bytes, PCI_BASE_ADDRESS_0, 4 * PCI_BARS)) {
        pci_root_map(context, function);
    }
}

static const struct bus_ops ecam_ops = { .read = ecam_read, .write = ecam_write };

/* ---- reset ----------------------------------------------------------------------------------- */

/* Puts the function's BARs one behind the other, from @p gpa on. */
static void assign_bars(struct pci_function *function, uint64_t gpa)
{
    for (unsigned bar = 0; bar < PCI_BARS; bar++) {
        const uint64_t bytes = function->bar_bytes[bar];

        if (bytes != 0 && gpa != 0) {
            gpa = (gpa + bytes - 1) & ~(bytes - 1);
            pci_config_put32(function->config + PCI_BASE_ADDRESS_0 + 4 * bar, (uint32_t)gpa);
            gpa += bytes;
        }
    }
}

static void reset_function(struct pci_root *root, struct pci_function *function)
{
    memcpy(function->config, function->initial, sizeof(function->config));
    if (function->reset != NULL) {
        function->reset(function);
    }
    assign_bars(function, function->port != NULL
                              ? pci_port_window(function->port)
                              : PCI_MEMORY_GPA + function->devfn / FUNCTIONS * DEVICE_MEMORY_BYTES);
    pci_root_map(root, function);
}

static void assign_window(struct pci_port *port, unsigned number)
{
    uint8_t *config = port->function.config;
    const uint32_t first = (uint32_t)PORTS_MEMORY_GPA + number * PORT_MEMORY_BYTES;

    config[PCI_SECONDARY_BUS] = (uint8_t)(number + 1);
    config[PCI_SUBORDINATE_BUS] = (uint8_t)(number + 1);
    pci_config_put16(config + PCI_MEMORY_BASE, (uint16_t)(first >> 16));
    pci_config_put16(config + PCI_MEMORY_LIMIT, (uint16_t)(first >> 16));
}

void pci_root_reset(struct pci_root *root)
{
    pci_lock(root);
    for (unsigned i = 0; i < DEVFNS; i++) {
        if (root->function[i] != NULL) {
            reset_function(root, root->function[i]);
        }
    }
    for (unsigned i = 0; i < root->hot_slots; i++) {
        struct pci_port *port = &root->port[i];

        assign_window(port, i);
        pci_port_reset(port);
        if (port->plugged != NULL) {
            reset_function(root, port->plugged);
        }
    }
    pci_unlock(root);
}

/* ---- hot plug -------------------------------------------------------------------------------- */

static void port_bus_reset(struct pci_port *port)
{
    reset_function(port->function.root, port->plugged);
}

static void port_power_changed(struct pci_port *port)
{
    struct pci_root *root = port->function.root;

    if (port->plugged == NULL) {
        return;
    }
    /* Without power nothing is kept. */
    reset_function(root, port->plugged);
    if (port->asked && !pci_port_is_open(port)) {
        port->asked = false;
        port->let_go = true;
        (void)eventfd_write(root->let_go_fd, 1);
    }
}

/* The main thread's end of the above. */
static void on_let_go(evutil_socket_t fd, short what, void *context)
{
    struct pci_root *root = context;
    eventfd_t count;

    (void)what;
    (void)eventfd_read(fd, &count);
    for (unsigned i = 0; i < root->hot_slots; i++) {
        struct pci_port *port = &root->port[i];
        bool let_go;

        pci_lock(root);
        let_go = port->let_go;
        port->let_go = false;
        pci_unlock(root);
        if (let_go) {
            port->gone(port->gone_context);
        }
    }
}

int pci_root_ask_out(struct pci_root *root, struct pci_function *function,
                     void (*gone)(void *context), void *context, struct error *error)
{
    struct pci_port *port = function->port;
    int result;

    if (port == NULL) {
        return error_set(error, EOPNOTSUPP,
                         "%s: it is not in a slot, and cannot be taken out while the VM runs",
                         function->name);
    }
    pci_lock(root);
    result = pci_port_press(port, error);
    if (result == 0) {
        port->asked = true;
        port->gone = gone;
        port->gone_context = context;
    }
    pci_unlock(root);
    return result;
}

static int add_hot(struct pci_root *root, struct pci_function *function)
{
    for (unsigned i = 0; i < root->hot_slots; i++) {
        struct pci_port *port = &root->port[i];

        if (port->plugged == NULL) {
            function->port = port;
            assign_bars(function, pci_port_window(port));
            pci_port_plug(port, function);
            return 0;
        }
    }
    return -ENOSPC;
}

static int add_to_bus_0(struct pci_root *root, struct pci_function *function)
{
    const unsigned first = (1 + (root->hot_slots + FUNCTIONS - 1) / FUNCTIONS) * FUNCTIONS;

    for (unsigned devfn = first; devfn < DEVFNS; devfn += FUNCTIONS) {
        if (root->function[devfn] == NULL) {
            root->function[devfn] = function;
            function->devfn = (uint8_t)devfn;
            reset_function(root, function);
            return 0;
        }
    }
    return -ENOSPC;
}

int pci_root_add(struct pci_root *root, struct pci_function *function, bool hot,
                 struct error *error)
{
    int result;

    function->root = root;
    function->port = NULL;
    function->devfn = 0;
    memcpy(function->initial, function->config, sizeof(function->initial));
    pci_lock(root);
    result = hot ? add_hot(root, function) : add_to_bus_0(root, function);
    pci_unlock(root);
    if (result < 0) {
        return error_set(error, ENOSPC,
                         hot ? "%s: all %u slots are taken; take a device out first"
                             : "%s: there is no room on the bus beside %u slots; use fewer devices",
                         function->name, root->hot_slots);
    }
    return 0;
}

void pci_root_remove(struct pci_root *root, struct pci_function *function)
{
    struct pci_port *port = function->port;

    pci_lock(root);
    for (unsigned bar = 0; bar < PCI_BARS; bar++) {
        if (function->bar_bytes[bar] != 0) {
            move_bar(root, function, bar, 0);
        }
    }
    if (port == NULL) {
        root->function[function->devfn] = NULL;
    } else {
        port->asked = false;
        port->let_go = false;
        pci_port_plug(port, NULL);
    }
    function->root = NULL;
    function->port = NULL;
    pci_unlock(root);
}

/* ---- making ---------------------------------------------------------------------------------- */

static void place(struct pci_root *root, struct pci_function *function, unsigned devfn)
{
    function->root = root;
    function->devfn = (uint8_t)devfn;
    memcpy(function->initial, function->config, sizeof(function->initial));
    root->function[devfn] = function;
}

static void make_functions(struct pci_root *root, struct irq *irq)
{
    static const struct pci_identity bridge = {
        .vendor = VENDOR_RED_HAT,
        .device = DEVICE_HOST_BRIDGE,
        .class_code = CLASS_HOST_BRIDGE,
    };

    root->bridge.name = "host bridge";
    pci_config_init(&root->bridge, &bridge);
    place(root, &root->bridge, 0);
    for (unsigned i = 0; i < root->hot_slots; i++) {
        struct pci_port *port = &root->port[i];

        pci_port_init(port, irq, i + 1);
        if (i % FUNCTIONS == 0) {
            port->function.config[PCI_HEADER_TYPE] |= 0x80;    /* has more functions */
        }
        port->power_changed = port_power_changed;
        port->bus_reset = port_bus_reset;
        place(root, &port->function, FUNCTIONS + i);
    }
}

static int connect_root(struct pci_root *root, struct irq *irq, struct event_base *base,
                        struct error *error)
{
    int result;

    root->let_go_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (root->let_go_fd >= 0) {
        root->let_go_event = event_new(base, root->let_go_fd, EV_READ | EV_PERSIST, on_let_go,
                                       root);
    }
    if (root->port == NULL || root->let_go_event == NULL ||
        event_add(root->let_go_event, NULL) != 0) {
        return error_set(error, ENOMEM, "PCI: out of memory or of open files");
    }
    make_functions(root, irq);
    result = bus_add(root->bus, BUS_MEMORY, PCI_ECAM_GPA, PCI_ECAM_BYTES, &ecam_ops, root, error);
    root->on_bus = result == 0;
    return result;
}

struct pci_root *pci_root_create(struct bus *bus, struct irq *irq, struct event_base *base,
                                 unsigned hot_slots, struct error *error)
{
    struct pci_root *root;

    if (hot_slots > PCI_HOT_SLOTS_MAX) {
        error_set(error, EINVAL, "PCI: a VM has at most %u slots for hot plug", PCI_HOT_SLOTS_MAX);
        return NULL;
    }
    root = calloc(1, sizeof(*root));
    if (root == NULL) {
        error_set(error, ENOMEM, "PCI: out of memory");
        return NULL;
    }
    root->bus = bus;
    root->let_go_fd = -1;
    root->hot_slots = hot_slots;
    root->port = calloc(hot_slots + 1u, sizeof(*root->port));
    if (connect_root(root, irq, base, error) < 0) {
        pci_root_destroy(root);
        return NULL;
    }
    pci_root_reset(root);
    return root;
}

void pci_root_destroy(struct pci_root *root)
{
    if (root == NULL) {
        return;
    }
    if (root->on_bus) {
        bus_remove(root->bus, BUS_MEMORY, PCI_ECAM_GPA);
    }
    if (root->let_go_event != NULL) {
        event_free(root->let_go_event);
    }
    if (root->let_go_fd >= 0) {
        close(root->let_go_fd);
    }
    free(root->port);
    free(root);
}

/* ---- snapshots ------------------------------------------------------------------------------- */

void pci_root_save(const struct pci_root *root, struct pci_root_state *state)
{
    memset(state, 0, sizeof(*state));
    state->hot_slots = root->hot_slots;
    pci_config_save(&root->bridge, &state->bridge);
    for (unsigned i = 0; i < root->hot_slots; i++) {
        pci_config_save(&root->port[i].function, &state->port[i]);
    }
}

int pci_root_restore(struct pci_root *root, const struct pci_root_state *state,
                     struct error *error)
{
    if (state->hot_slots != root->hot_slots) {
        return error_set(error, EINVAL,
                         "PCI: the snapshot has %u slots, this VM %u; start it with as many",
                         state->hot_slots, root->hot_slots);
    }
    pci_lock(root);
    pci_config_restore(&root->bridge, &state->bridge);
    for (unsigned i = 0; i < root->hot_slots; i++) {
        pci_config_restore(&root->port[i].function, &state->port[i]);
        pci_port_resume(&root->port[i]);
    }
    pci_unlock(root);
    return 0;
}
