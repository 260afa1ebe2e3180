/* SPDX-License-Identifier: BSD-3-Clause */
#include "vmm/guest/nics.h"

#include <linux/virtio_ids.h>
#include <linux/virtio_mmio.h>

#include "vmm/guest/clock.h"
#include "vmm/guest/pci.h"
#include "vmm/guest/ring0.h"
#include "vmm/guest/text.h"

#define MMIO_MAGIC   0x74726976u       /* "virt" */
#define MMIO_VERSION 2u
#define POLL_NS      UINT64_C(1000000)  /* without a frame, before waiting */

struct nic nics[NIC_MAX];
unsigned nics_count;

static bool waits = true;
static uint64_t idle_since_ns;         /* 0: busy */

/* ---- finding ---------------------------------------------------------------------------------- */

static void add(const struct virtio *device, uint64_t features)
{
    struct nic *nic = &nics[nics_count];

    *nic = (struct nic){ .device = *device, .number = nics_count, .wanted = features };
    nics_count++;
    nic_start(nic);
}

static void find_mmio(uint64_t base_gpa, uint64_t gsi, uint64_t features)
{
    volatile uint8_t *const registers = (volatile uint8_t *)base_gpa;
    const volatile uint32_t *const words = (const volatile uint32_t *)registers;

    if (nics_count == NIC_MAX || words[VIRTIO_MMIO_MAGIC_VALUE / 4] != MMIO_MAGIC ||
        words[VIRTIO_MMIO_VERSION / 4] != MMIO_VERSION ||
        words[VIRTIO_MMIO_DEVICE_ID / 4] != VIRTIO_ID_NET) {
        return;
    }
    add(&(struct virtio){
        .registers = registers,
        .config = registers + VIRTIO_MMIO_CONFIG,
        .gsi = (uint32_t)gsi,
    }, features);
}

static void find_pci(uint64_t ecam_gpa, uint64_t features)
{
    struct pci_place place = { .ecam_gpa = ecam_gpa };
    struct virtio device;

    while (nics_count < NIC_MAX && pci_next_nic(&place, &device)) {
        add(&device, features);
    }
}

void nics_find(const char *command_line)
{
    uint64_t ecam_gpa = PCI_ECAM_DEFAULT_GPA, features = 0;
    uint64_t size_bytes, base_gpa, gsi;
    const char *at;

    /* What holds for all is looked for first, wherever it stands. */
    for (at = command_line; *at != '\0'; text_skip_word(&at)) {
        if (text_take(&at, "ecam=")) {
            (void)text_take_number(&at, &ecam_gpa);
        } else if (text_take(&at, "features=")) {
            (void)text_take_number(&at, &features);
        }
    }
    for (at = command_line; *at != '\0'; text_skip_word(&at)) {
        if (text_take(&at, "virtio_mmio.device=") && text_take_number(&at, &size_bytes) &&
            text_take(&at, "@") && text_take_number(&at, &base_gpa) && text_take(&at, ":") &&
            text_take_number(&at, &gsi)) {
            find_mmio(base_gpa, gsi, features);
        }
    }
    find_pci(ecam_gpa, features);
}

/* ---- waiting ---------------------------------------------------------------------------------- */

void nics_set_waiting(bool to_wait)
{
    waits = to_wait;
}

void nics_are_busy(void)
{
    idle_since_ns = 0;
}

static void want_interrupts(bool wanted)
{
    for (unsigned i = 0; i < nics_count; i++) {
        if (nics[i].works) {
            ring_want_interrupts(&nics[i].receive, wanted);
            ring_want_interrupts(&nics[i].send, wanted);
        }
    }
}

static bool is_something_there(void)
{
    for (unsigned i = 0; i < nics_count; i++) {
        if (nics[i].works && (ring_has_used(&nics[i].receive) || ring_has_used(&nics[i].send))) {
            return true;
        }
    }
    return false;
}

/* An interrupt between the look and the wait is pending then, and ends the wait at once. */
static void wait(uint64_t until_ns, uint64_t now_ns)
{
    want_interrupts(true);
    if (until_ns > now_ns && !is_something_there()) {
        ring0_call(CALL_WAIT, until_ns == NICS_FOREVER ? 0 : until_ns - now_ns, 0, 0);
    }
    want_interrupts(false);
    for (unsigned i = 0; i < nics_count; i++) {
        if (nics[i].works && virtio_take_interrupt(&nics[i].device)) {
            nic_look_at_link(&nics[i]);
        }
    }
}

void nics_idle(uint64_t until_ns)
{
    const uint64_t now_ns = clock_ns();

    for (unsigned i = 0; i < nics_count; i++) {
        nic_tell(&nics[i]);
    }
    idle_since_ns = idle_since_ns == 0 ? now_ns : idle_since_ns;
    if (waits && now_ns - idle_since_ns >= POLL_NS) {
        wait(until_ns, now_ns);
        idle_since_ns = 0;
    } else {
        __asm__ volatile("pause");
    }
}
