/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A guest that does what an input wants to all devices that this process serves on its main thread:
 * NIC (without a switch), console and entropy over MMIO, the serial console, and the power ports.
 *
 * fuzz-sources: vmm/bus.c vmm/ram.c vmm/virtio_device.c vmm/vmm_queue.c vmm/virtio_mmio.c
 * fuzz-sources: vmm/virtio_net.c vmm/net_control.c vmm/net_link.c vmm/attachment.c vmm/backend.c
 * fuzz-sources: vmm/channel.c vmm/virtio_console.c vmm/virtio_rng.c vmm/kicks.c vmm/console.c
 * fuzz-sources: vmm/serial.c vmm/power.c switch/error.c tests/support/fake_kvm.c
 *
 * Every 8 bytes are a step.  One of them starts a device as a driver would, since an input would
 * hardly find that by itself; another writes a descriptor and makes it available.
 *
 * The properties: nothing is touched that is not the guest's, every turn of the event loop ends,
 * and what was saved of a device can be restored.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event.h>
#include <linux/falloc.h>
#include <linux/virtio_mmio.h>
#include <linux/virtio_ring.h>

#include "tests/support/fake_kvm.h"
#include "vmm/acpi.h"
#include "vmm/power.h"
#include "vmm/serial.h"
#include "vmm/virtio_console.h"
#include "vmm/virtio_mmio.h"
#include "vmm/virtio_net.h"
#include "vmm/virtio_rng.h"

#define DEVICES    3u
#define ENTRIES    16u
#define RINGS_GPA  UINT64_C(0x10000)
#define RING_BYTES UINT64_C(0x1000)        /* table, available, used: a quarter each */
#define BEGUN      (VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER)
#define TURNS      4u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct step {
    uint8_t what;
    uint8_t which;                 /* device, queue, width */
    uint16_t offset;
    uint32_t value;
};

static struct ram ram;
static struct bus *bus;
static struct event_base *base;
static struct console *console;
static struct serial *serial;
static struct power *power;
static struct virtio_device *device[DEVICES];
static struct virtio_mmio *mmio[DEVICES];
static struct serial_state serial_on;
static struct power_state power_on;
static int terminal = -1;

static void check(int truth)
{
    if (!truth) {
        abort();
    }
}

static void ignore_end(void *context, enum vcpu_end end, const char *why)
{
    (void)context;
    (void)end;
    (void)why;
}

static void set_up(void)
{
    static const struct virtio_net_options nic = {
        .name = "a", .socket_path = "/nonexistent", .mac = 0x00155d010203, .mtu_bytes = 1500,
        .pairs = 2,
    };
    int pair[2];

    check(ram_create(&ram, RAM_MIN_BYTES, NULL) == 0);
    bus = bus_create();
    base = event_base_new();
    console = console_create(base, NULL, NULL);
    check(console != NULL && socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) == 0);
    console_attach(console, pair[0]);
    terminal = pair[1];
    serial = serial_create(bus, fake_kvm_irq(), console, NULL);
    power = power_create(bus, fake_kvm_irq(), ignore_end, NULL, NULL);
    check(serial != NULL && power != NULL);
    serial_save(serial, &serial_on);
    power_save(power, &power_on);
    device[0] = virtio_net_device(virtio_net_create(&ram, base, &nic, NULL));
    device[1] = virtio_console_device(virtio_console_create(&ram, base, console, NULL));
    device[2] = virtio_rng_device(virtio_rng_create(&ram, base, NULL));
    for (unsigned i = 0; i < DEVICES; i++) {
        mmio[i] = virtio_mmio_plug(-1, bus, fake_kvm_irq(), base, i, device[i], NULL);
        check(mmio[i] != NULL);
    }
}

static void turn(void)
{
    char shown[4096];

    for (unsigned i = 0; i < TURNS; i++) {
        (void)event_base_loop(base, EVLOOP_NONBLOCK);
        (void)!read(terminal, shown, sizeof(shown));
    }
}

/* As a machine is reset, and with memory that is all zero. */
static void reset(void)
{
    for (unsigned i = 0; i < DEVICES; i++) {
        virtio_mmio_reset(mmio[i]);
    }
    check(serial_restore(serial, &serial_on, NULL) == 0);
    power_restore(power, &power_on);
    check(fallocate(ram.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
                    (off_t)ram.size_bytes) == 0);
    turn();
}

/* ---- steps ----------------------------------------------------------------------------------- */

static uint64_t ring_gpa(unsigned number, unsigned queue)
{
    return RINGS_GPA + (number * VIRTIO_QUEUES_MAX + queue) * RING_BYTES;
}

static void write_register(unsigned number, uint32_t offset, uint32_t value)
{
    bus_write(bus, BUS_MEMORY, VIRTIO_MMIO_BASE_GPA + number * VIRTIO_MMIO_SIZE_BYTES + offset,
              (const uint8_t *)&value, sizeof(value));
}

/* Takes all features but those in @p without. */
static void start(unsigned number, uint32_t without)
{
    const uint64_t features = virtio_device_features(device[number]) & ~(uint64_t)without;

    write_register(number, VIRTIO_MMIO_STATUS, 0);
    write_register(number, VIRTIO_MMIO_STATUS, BEGUN);
    for (uint32_t half = 0; half < 2; half++) {
        write_register(number, VIRTIO_MMIO_DRIVER_FEATURES_SEL, half);
        write_register(number, VIRTIO_MMIO_DRIVER_FEATURES, (uint32_t)(features >> (32 * half)));
    }
    write_register(number, VIRTIO_MMIO_STATUS, BEGUN | VIRTIO_FEATURES_OK);
    for (unsigned queue = 0; queue < device[number]->ops->queue_count; queue++) {
        const uint32_t gpa = (uint32_t)ring_gpa(number, queue);

        write_register(number, VIRTIO_MMIO_QUEUE_SEL, queue);
        write_register(number, VIRTIO_MMIO_QUEUE_NUM, ENTRIES);
        write_register(number, VIRTIO_MMIO_QUEUE_DESC_LOW, gpa);
        write_register(number, VIRTIO_MMIO_QUEUE_AVAIL_LOW, gpa + 0x400);
        write_register(number, VIRTIO_MMIO_QUEUE_USED_LOW, gpa + 0x800);
        write_register(number, VIRTIO_MMIO_QUEUE_READY, 1);
    }
    write_register(number, VIRTIO_MMIO_STATUS, BEGUN | VIRTIO_FEATURES_OK | VIRTIO_DRIVER_OK);
}

/* A descriptor from the step's bits; it is made available, unless another shall lead to it. */
static void offer(unsigned number, const struct step *step)
{
    const unsigned queue = (step->which >> 4) % device[number]->ops->queue_count;
    const uint64_t gpa = ring_gpa(number, queue);
    const unsigned at = step->offset % ENTRIES;
    struct vring_desc *desc = ram_at(&ram, gpa, ENTRIES * sizeof(*desc));
    struct vring_avail *avail = ram_at(&ram, gpa + 0x400, sizeof(*avail) + 2 * ENTRIES);

    desc[at] = (struct vring_desc){
        .addr = step->value & 0x3ffffff,   /* up to four times what there is */
        .len = 1u << (step->value >> 27),
        .flags = step->offset >> 4 & 7,
        .next = step->offset >> 7 & 31,
    };
    if ((step->offset & 0x8000) == 0) {
        avail->ring[avail->idx % ENTRIES] = (uint16_t)at;
        avail->idx++;
        virtio_device_kick(device[number], queue);
    }
}

static void use_port(const struct step *step)
{
    static const struct { uint16_t first, count; } ports[] = {
        { SERIAL_PORT, SERIAL_REGISTERS }, { ACPI_PM1_PORT, 6 }, { ACPI_RESET_PORT, 1 },
        { 0x64, 1 },
    };
    const unsigned row = (step->which >> 2) % (sizeof(ports) / sizeof(ports[0]));
    const uint64_t port = ports[row].first + step->offset % ports[row].count;
    uint64_t wide = step->value;

    if ((step->offset & 0x8000) != 0) {
        bus_read(bus, BUS_PORTS, port, (uint8_t *)&wide, 1u << step->which % 4);
    } else {
        bus_write(bus, BUS_PORTS, port, (const uint8_t *)&wide, 1u << step->which % 4);
    }
}

static void save_and_restore(unsigned number)
{
    struct virtio_mmio_state state;
    struct serial_state serial_now;
    struct power_state power_now;

    virtio_mmio_save(mmio[number], &state);
    virtio_mmio_reset(mmio[number]);
    check(virtio_mmio_restore(mmio[number], &state, NULL) == 0);
    serial_save(serial, &serial_now);
    check(serial_restore(serial, &serial_now, NULL) == 0);
    power_save(power, &power_now);
    power_restore(power, &power_now);
}

static void take_step(const struct step *step)
{
    const unsigned number = step->which % 16 % DEVICES;
    const uint64_t gpa = VIRTIO_MMIO_BASE_GPA + number * VIRTIO_MMIO_SIZE_BYTES;
    uint64_t wide = step->value;

    switch (step->what % 10) {
    case 0:
        start(number, step->value);
        break;
    case 1:
    case 2:
        offer(number, step);
        break;
    case 3:
        write_register(number, step->offset % 0x200 & ~3u, step->value);
        break;
    case 4:
        bus_write(bus, BUS_MEMORY, gpa + step->offset % 0x200, (const uint8_t *)&wide,
                  1u << (step->which >> 4) % 4);
        break;
    case 5:
        bus_read(bus, BUS_MEMORY, gpa + step->offset % 0x200, (uint8_t *)&wide,
                 1u << (step->which >> 4) % 4);
        break;
    case 6:
        use_port(step);
        break;
    case 7:
        memcpy(ram.host + step->offset * 16u + (step->which & 0xc), &step->value,
               sizeof(step->value));
        break;
    case 8:
        (void)!write(terminal, &step->value, sizeof(step->value));
        turn();
        break;
    case 9:
        save_and_restore(number);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct step step;

    if (serial == NULL) {
        set_up();
    }
    reset();
    for (; size >= sizeof(step); data += sizeof(step), size -= sizeof(step)) {
        memcpy(&step, data, sizeof(step));
        take_step(&step);
    }
    turn();
    return 0;
}
