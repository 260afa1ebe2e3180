/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A guest that writes what an input wants to a PCI root, a port and the device behind it, while
 * that is plugged in and out, and a snapshot at any moment.
 *
 * Every 8 bytes are a step.
 *
 * fuzz-sources: vmm/bus.c vmm/ram.c vmm/virtio_device.c vmm/vmm_queue.c vmm/virtio_pci.c
 * fuzz-sources: vmm/virtio_pci_function.c vmm/msix.c vmm/pci.c vmm/pci_config.c vmm/pci_port.c
 * fuzz-sources: switch/error.c tests/support/fake_kvm.c tests/support/fake_virtio.c
 * fuzz-sources: tests/support/pci_lab.c
 */
#include <event2/event.h>

#include "tests/support/fake_kvm.h"
#include "tests/support/pci_lab.h"
#include "tests/support/virtio_fuzz.h"

#define PORT 8u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct pci_lab lab;

static void save_and_restore(void)
{
    static struct virtio_pci_state before, after;
    static struct pci_root_state root;

    if (lab.pci == NULL) {
        return;
    }
    pci_root_save(lab.root, &root);
    virtio_pci_save(lab.pci, &before);
    pci_root_reset(lab.root);
    if (pci_root_restore(lab.root, &root, NULL) < 0 ||
        virtio_pci_restore(lab.pci, &before, NULL) < 0) {
        abort();
    }
    virtio_pci_save(lab.pci, &after);
    if (((before.device.status ^ after.device.status) & VIRTIO_NEEDS_RESET) == 0 &&
        memcmp(&before, &after, sizeof(before)) != 0) {
        abort();
    }
}

static void let_go(void *context)
{
    (void)context;
    virtio_pci_unplug(lab.pci);
    lab.pci = NULL;
}

/* Plugs in, asks out, or takes out by surprise. */
static void change_slot(uint32_t how)
{
    struct error error;

    if (lab.pci == NULL) {
        lab.pci = virtio_pci_plug(-1, lab.root, fake_kvm_irq(), true, &lab.fake.device, &error);
    } else if (how % 2 == 0) {
        (void)virtio_pci_ask_out(lab.pci, let_go, NULL, &error);
    } else {
        let_go(NULL);
    }
}

static void take_step(const struct fuzz_step *step)
{
    const unsigned len = fuzz_step_len(step);
    const uint64_t at = PCI_MEMORY_GPA + 0x1000000 + step->offset % 0x8000u;

    switch (step->what % 9) {
    case 0:
        pci_lab_poke(&lab, at, len, step->value);
        break;
    case 1:
        pci_lab_peek(&lab, at, len);
        break;
    case 2:
        pci_lab_put(&lab, 1, 0, step->offset % 4096u, len, step->value);
        break;
    case 3:
        pci_lab_put(&lab, 0, PORT, step->offset % 4096u, len, step->value);
        break;
    case 4:
        pci_lab_get(&lab, step->value % 3, step->offset >> 12, step->offset % 4096u, len);
        break;
    case 5:
        fuzz_write_memory(&lab.fake, step);
        break;
    case 6:
        fuzz_serve(&lab.fake);
        event_base_loop(lab.base, EVLOOP_NONBLOCK);
        break;
    case 7:
        save_and_restore();
        break;
    case 8:
        change_slot(step->value);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_step step;

    if (lab.root == NULL && pci_lab_open(&lab) < 0) {
        abort();
    }
    if (lab.pci == NULL) {
        pci_lab_plug(&lab, true);
    }
    pci_root_reset(lab.root);
    pci_lab_enable(&lab, 1, 0);
    for (; size >= FUZZ_STEP_BYTES; data += FUZZ_STEP_BYTES, size -= FUZZ_STEP_BYTES) {
        memcpy(&step, data, sizeof(step));
        take_step(&step);
    }
    fuzz_serve(&lab.fake);
    return 0;
}
