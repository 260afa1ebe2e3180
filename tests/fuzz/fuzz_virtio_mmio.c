/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A driver of the memory-mapped transport that writes what an input wants, wherever it wants, and a
 * snapshot at any moment: what is restored is what was saved.
 *
 * Every 8 bytes are a step.
 *
 * fuzz-sources: vmm/bus.c vmm/ram.c vmm/virtio_device.c vmm/vmm_queue.c vmm/virtio_mmio.c
 * fuzz-sources: switch/error.c tests/support/fake_kvm.c tests/support/fake_virtio.c
 */
#include <event2/event.h>

#include "tests/support/fake_kvm.h"
#include "tests/support/virtio_fuzz.h"
#include "vmm/virtio_mmio.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct fake_virtio fake;
static struct bus *bus;
static struct event_base *base;
static struct virtio_mmio *mmio;

static void set_up(void)
{
    if (fake_virtio_open(&fake) < 0) {
        abort();
    }
    bus = bus_create();
    base = event_base_new();
    mmio = virtio_mmio_plug(-1, bus, fake_kvm_irq(), base, 0, &fake.device, NULL);
    if (mmio == NULL) {
        abort();
    }
}

static void save_and_restore(void)
{
    static struct virtio_mmio_state before, after;

    virtio_mmio_save(mmio, &before);
    virtio_mmio_reset(mmio);
    if (virtio_mmio_restore(mmio, &before, NULL) < 0) {
        abort();
    }
    virtio_mmio_save(mmio, &after);
    /* The device may have found rings that it had believed in. */
    if (((before.device.status ^ after.device.status) & VIRTIO_NEEDS_RESET) == 0 &&
        memcmp(&before, &after, sizeof(before)) != 0) {
        abort();
    }
}

static void take_step(const struct fuzz_step *step)
{
    const uint64_t gpa = VIRTIO_MMIO_BASE_GPA + step->offset % VIRTIO_MMIO_SIZE_BYTES;
    uint64_t wide = step->value;

    switch (step->what % 6) {
    case 0:
        bus_write(bus, BUS_MEMORY, gpa, (const uint8_t *)&step->value, sizeof(step->value));
        break;
    case 1:
        bus_write(bus, BUS_MEMORY, gpa, (const uint8_t *)&wide, fuzz_step_len(step));
        break;
    case 2:
        bus_read(bus, BUS_MEMORY, gpa, (uint8_t *)&wide, fuzz_step_len(step));
        break;
    case 3:
        fuzz_write_memory(&fake, step);
        break;
    case 4:
        fuzz_serve(&fake);
        event_base_loop(base, EVLOOP_NONBLOCK);
        break;
    case 5:
        save_and_restore();
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_step step;

    if (mmio == NULL) {
        set_up();
    }
    virtio_mmio_reset(mmio);
    for (; size >= FUZZ_STEP_BYTES; data += FUZZ_STEP_BYTES, size -= FUZZ_STEP_BYTES) {
        memcpy(&step, data, sizeof(step));
        take_step(&step);
    }
    fuzz_serve(&fake);
    return 0;
}
