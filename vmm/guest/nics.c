/* SPDX-License-Identifier: BSD-3-Clause */
#include "vmm/guest/nics.h"

#include <linux/virtio_ids.h>
#include <linux/virtio_mmio.h>

#include "vmm/guest/clock.h"
#include "vmm/guest/mmio.h"
#include "vmm/guest/pci.h"
#include "vmm/guest/ring0.h"
#include "vmm/guest/slots.h"
#include "vmm/guest/text.h"

#define MMIO_MAGIC   0x74726976u       /* "virt" */
#define MMIO_VERSION 2u
#define POLL_NS      UINT64_C(200000)  /* without a frame, before waiting */
#define GLANCE_NS    UINT64_C(100000000)   /* polling, until interrupts are let in for a moment */

struct nic nics[NIC_MAX];
unsigned nics_count;

static uint64_t features;              /* to take, of all */
static bool waits = true;
static uint64_t idle_since_ns;         /* 0: busy */

/* ---- finding --------------------------------------------------------------------------------- */

struct nic *nics_add(const struct virtio *device)
{
    unsigned number = 0;

    while (number < nics_count && nics[number].is_there) {
        number++;
    }
    if (number == NIC_MAX) {
        say("there is no room for more than %u NICs", NIC_MAX);
        return NULL;
    }
    nics_count = number == nics_count ? number + 1 : nics_count;
    nics[number].device = *device;
    nics[number].number = number;
    nics[number].wanted = features;
    nics[number].is_there = true;
    nic_start(&nics[number]);
    return &nics[number];
}

void nics_remove(struct nic *nic, bool is_there)
{
    if (is_there) {
        virtio_reset(&nic->device);
    }
    nic->works = false;
    nic->is_there = false;
    say("nic %u gone", nic->number);
}

/* Returns whether a device is there, a NIC or another. */
static bool find_mmio(uint64_t base_gpa, uint64_t gsi)
{
    volatile uint8_t *const registers = (volatile uint8_t *)base_gpa;
    const volatile uint32_t *const words = (const volatile uint32_t *)registers;

    if (words[VIRTIO_MMIO_MAGIC_VALUE / 4] != MMIO_MAGIC ||
        words[VIRTIO_MMIO_VERSION / 4] != MMIO_VERSION) {
        return false;
    }
    if (words[VIRTIO_MMIO_DEVICE_ID / 4] == VIRTIO_ID_NET) {
        nics_add(&(struct virtio){
            .registers = registers,
            .config = registers + VIRTIO_MMIO_CONFIG,
            .gsi = (uint32_t)gsi,
        });
    }
    return true;
}

/* Those that the command line names.  Returns whether it names any. */
static bool find_named(const char *command_line)
{
    bool has_named = false;

    for (const char *at = command_line; *at != '\0'; text_skip_word(&at)) {
        uint64_t size_bytes, base_gpa, gsi;

        if (text_take(&at, "virtio_mmio.device=") && text_take_number(&at, &size_bytes) &&
            text_take(&at, "@") && text_take_number(&at, &base_gpa) && text_take(&at, ":") &&
            text_take_number(&at, &gsi)) {
            (void)find_mmio(base_gpa, gsi);
            has_named = true;
        }
    }
    return has_named;
}

static void find_unnamed(void)
{
    for (unsigned slot = 0; slot < MMIO_SLOTS; slot++) {
        if (!find_mmio(mmio_gpa(slot), mmio_gsi(slot))) {
            break;
        }
    }
}

/* A device without a first function has no others. */
static void find_pci(uint64_t ecam_gpa)
{
    unsigned step;

    for (unsigned number = 0; number < PCI_FUNCTIONS; number += step) {
        volatile uint8_t *const function = pci_at(ecam_gpa, 0, number);
        const bool is_first = number % PCI_FUNCTIONS_DEVICE == 0;
        struct virtio device;

        step = is_first && (function == NULL || !pci_has_siblings(function)) ? PCI_FUNCTIONS_DEVICE
                                                                            : 1;
        if (function != NULL && pci_is_bridge(function)) {
            slots_add(ecam_gpa, function);
        } else if (function != NULL && pci_take_virtio(function, VIRTIO_ID_NET, &device)) {
            nics_add(&device);
        }
    }
}

void nics_find(const char *command_line)
{
    uint64_t ecam_gpa = PCI_ECAM_DEFAULT_GPA;

    /* What holds for all is looked for first, wherever it stands. */
    for (const char *at = command_line; *at != '\0'; text_skip_word(&at)) {
        if (text_take(&at, "ecam=")) {
            (void)text_take_number(&at, &ecam_gpa);
        } else if (text_take(&at, "features=")) {
            (void)text_take_number(&at, &features);
        }
    }
    if (!find_named(command_line)) {
        find_unnamed();
    }
    find_pci(ecam_gpa);
}

/* ---- waiting --------------------------------------------------------------------------------- */

void nics_set_waiting(bool to_wait)
{
    waits = to_wait;
}

void nics_are_busy(void)
{
    idle_since_ns = 0;
}

/* What was sent comes back unasked; it matters only to who has no room for more. */
static bool needs_room(const struct nic *nic)
{
    return nic->free_count == 0;
}

static void want_interrupts(bool wanted)
{
    for (unsigned i = 0; i < nics_count; i++) {
        if (nics[i].works) {
            ring_want_interrupts(&nics[i].receive, wanted);
            ring_want_interrupts(&nics[i].send, wanted && needs_room(&nics[i]));
        }
    }
}

static bool is_something_there(void)
{
    for (unsigned i = 0; i < nics_count; i++) {
        const struct nic *nic = &nics[i];

        if (nic->works && (ring_has_used(&nic->receive) ||
                           (needs_room(nic) && ring_has_used(&nic->send)))) {
            return true;
        }
    }
    return false;
}

/* Links and slots. */
static void look_for_changes(void)
{
    const bool changed = ring0_changed;

    ring0_changed = false;
    for (unsigned i = 0; i < nics_count; i++) {
        if (nics[i].works && (nics[i].device.is_pci ? changed
                                                    : virtio_take_interrupt(&nics[i].device))) {
            nic_look_at_link(&nics[i]);
        }
    }
    if (changed) {
        slots_look();
    }
}

/* An interrupt between the look and the wait is pending then, and ends the wait at once. */
static void wait(uint64_t until_ns, uint64_t now_ns)
{
    want_interrupts(true);
    if (until_ns > now_ns && !is_something_there()) {
        ring0_call(CALL_WAIT, until_ns == NICS_FOREVER ? 0 : until_ns - now_ns, 0, 0);
    }
    want_interrupts(false);
    look_for_changes();
}

void nics_idle(uint64_t until_ns)
{
    const uint64_t now_ns = clock_ns();

    for (unsigned i = 0; i < nics_count; i++) {
        nic_tell(&nics[i]);
    }
    idle_since_ns = idle_since_ns == 0 ? now_ns : idle_since_ns;
    if (now_ns - idle_since_ns < (waits ? POLL_NS : GLANCE_NS)) {
        __asm__ volatile("pause");
        return;
    }
    wait(waits ? until_ns : now_ns + 1, now_ns);
    idle_since_ns = 0;
}
