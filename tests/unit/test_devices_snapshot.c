/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Snapshots of every device that has registers: what is read from a new one, once it was given the
 * state of another, is what was read from that; and a state that no driver could have brought about
 * is refused with a sentence, and leaves the device as it was.
 *
 * A device is driven by its registers, as a guest does it, and looked at by them.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>
#include <event2/event.h>
#include <linux/pci_regs.h>
#include <linux/serial_reg.h>
#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>
#include <linux/virtio_net.h>
#include <linux/virtio_pci.h>
#include <linux/virtio_ring.h>

#include "tests/support/fake_kvm.h"
#include "tests/support/board.h"
#include "vmm/acpi.h"
#include "vmm/virtio_pci_function.h"

#define USED_BYTES    (UINT64_C(1) << 20)  /* of the guest's memory */
#define SLOTS         3u
#define DEVFN         16u                  /* the first behind the ports */
#define PORT          8u
#define HOME_GPA      UINT64_C(0xc7000000) /* where the driver moves the registers to */
#define RINGS_GPA     UINT64_C(0x10000)
#define RING_BYTES    UINT64_C(0x4000)
#define COMMAND_GPA   UINT64_C(0xf0000)
#define PAIRS         4u
#define PAIRS_WANTED  3u
#define CONTROL       (2 * PAIRS)
#define BEGUN         (VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER)
#define MSI_GPA       0xfee00000u
#define BIT(n)        (UINT64_C(1) << (n))

/* ---- serial ---------------------------------------------------------------------------------- */

static void make_serial(struct board *board)
{
    board->serial = serial_create(board->bus, fake_kvm_irq(), board->console, NULL);
    assert_non_null(board->serial);
}

static void put_serial(struct board *board, unsigned at, uint8_t value)
{
    board_put(board, BUS_PORTS, SERIAL_PORT + at, 1, value);
}

static void drive_serial(struct board *board)
{
    put_serial(board, UART_LCR, UART_LCR_DLAB);
    put_serial(board, UART_DLL, 0x12);
    put_serial(board, UART_DLM, 0x34);
    put_serial(board, UART_LCR, UART_LCR_WLEN7);
    put_serial(board, UART_IER, UART_IER_THRI | UART_IER_MSI);
    put_serial(board, UART_FCR, UART_FCR_ENABLE_FIFO);
    put_serial(board, UART_SCR, 0x5a);
    put_serial(board, UART_MCR, UART_MCR_LOOP | UART_MCR_RTS);
    put_serial(board, UART_TX, 'x');
    put_serial(board, UART_TX, 'y');
}

static void look_serial(struct board *board, struct view *view)
{
    for (unsigned times = 0; times < 3; times++) {     /* reading takes what was received */
        board_see(board, BUS_PORTS, SERIAL_PORT, 1, SERIAL_REGISTERS, view);
    }
    put_serial(board, UART_LCR, UART_LCR_DLAB);
    board_see(board, BUS_PORTS, SERIAL_PORT, 1, 2, view);
}

static void save_serial(struct board *board, union any_state *state)
{
    serial_save(board->serial, &state->serial);
}

static int restore_serial(struct board *board, const union any_state *state, struct error *error)
{
    return serial_restore(board->serial, &state->serial, error);
}

static void lie_fifo(struct board *board, union any_state *state)
{
    (void)board;
    state->serial.received_count = SERIAL_FIFO_BYTES + 1;
}

static const tell_lie serial_lies[] = { lie_fifo, NULL };

/* ---- power ----------------------------------------------------------------------------------- */

static void ignore_end(void *context, enum vcpu_end end, const char *why)
{
    (void)context;
    (void)end;
    (void)why;
}

static void make_power(struct board *board)
{
    board->power = power_create(board->bus, fake_kvm_irq(), ignore_end, NULL, NULL);
    assert_non_null(board->power);
}

static void drive_power(struct board *board)
{
    board_put(board, BUS_PORTS, ACPI_PM1_PORT + 2, 2, 0x0120);
    board_put(board, BUS_PORTS, ACPI_PM1_PORT + 4, 2, 0x1402);
    board_put(board, BUS_PORTS, ACPI_RESET_PORT, 1, 0x02);
    assert_true(power_button(board->power));
}

static void look_power(struct board *board, struct view *view)
{
    board_see(board, BUS_PORTS, ACPI_PM1_PORT, 1, 6, view);
    board_see(board, BUS_PORTS, ACPI_RESET_PORT, 1, 1, view);
    view->bytes[view->len_bytes++] = (uint8_t)fake_kvm_level(ACPI_SCI_GSI);
}

static void save_power(struct board *board, union any_state *state)
{
    power_save(board->power, &state->power);
}

static int restore_power(struct board *board, const union any_state *state, struct error *error)
{
    (void)error;
    power_restore(board->power, &state->power);
    return 0;
}

/* What is no bit of a register stays clear, so that there is nothing to lie about. */
static const tell_lie no_lies[] = { NULL };

/* ---- PCI's own functions --------------------------------------------------------------------- */

static uint64_t config_at(unsigned devfn, unsigned offset)
{
    return PCI_ECAM_GPA + (devfn << 12) + offset;
}

static void make_root(struct board *board)
{
    board->root = pci_root_create(board->bus, fake_kvm_irq(), board->base, SLOTS, NULL);
    assert_non_null(board->root);
}

static void drive_root(struct board *board)
{
    for (unsigned port = 0; port < SLOTS; port++) {
        board_put(board, BUS_MEMORY, config_at(PORT + port, PCI_COMMAND), 2, PCI_COMMAND_MASTER);
        board_put(board, BUS_MEMORY, config_at(PORT + port, PCI_SECONDARY_BUS), 1, 7 + port);
        board_put(board, BUS_MEMORY, config_at(PORT + port, PCI_MEMORY_BASE), 4, 0xc550c540);
        board_put(board, BUS_MEMORY, config_at(PORT + port, 0x40 + PCI_EXP_SLTCTL), 2,
                  PCI_EXP_SLTCTL_ABPE | PCI_EXP_SLTCTL_HPIE);
    }
}

static void look_root(struct board *board, struct view *view)
{
    board_see(board, BUS_MEMORY, config_at(0, 0), 4, 64, view);
    for (unsigned port = 0; port < SLOTS; port++) {
        board_see(board, BUS_MEMORY, config_at(PORT + port, 0), 4, 64, view);
    }
}

static void save_root(struct board *board, union any_state *state)
{
    pci_root_save(board->root, &state->root);
}

static int restore_root(struct board *board, const union any_state *state, struct error *error)
{
    return pci_root_restore(board->root, &state->root, error);
}

static void lie_slots(struct board *board, union any_state *state)
{
    (void)board;
    state->root.hot_slots++;
}

static const tell_lie root_lies[] = { lie_slots, NULL };

/* ---- virtio devices, over either transport --------------------------------------------------- */

static void plug(struct board *board, struct virtio_device *device)
{
    board->device = device;
    if (board->subject->on_pci) {
        make_root(board);
        board->pci = virtio_pci_plug(-1, board->root, fake_kvm_irq(), false, device, NULL);
        assert_non_null(board->pci);
        pci_root_reset(board->root);
        board_put(board, BUS_MEMORY, config_at(DEVFN, PCI_COMMAND), 2, PCI_COMMAND_MEMORY);
    } else {
        board->mmio = virtio_mmio_plug(-1, board->bus, fake_kvm_irq(), board->base, 0, device,
                                       NULL);
        assert_non_null(board->mmio);
    }
}

static void make_net(struct board *board)
{
    static const struct virtio_net_options options = {
        .name = "a", .socket_path = "/nonexistent", .mac = 0x00155d010203, .mtu_bytes = 1500,
        .pairs = PAIRS,
    };

    board->net = virtio_net_create(&board->ram, board->base, &options, NULL);
    assert_non_null(board->net);
    plug(board, virtio_net_device(board->net));
}

static void make_blk(struct board *board)
{
    int fd;

    (void)snprintf(board->image, sizeof(board->image), "/tmp/vswitch-image.XXXXXX");
    fd = mkstemp(board->image);
    assert_true(fd >= 0 && ftruncate(fd, 65536) == 0);
    close(fd);
    board->blk = virtio_blk_create(&board->ram, board->image, false, NULL);
    assert_non_null(board->blk);
    plug(board, virtio_blk_device(board->blk));
}

static void make_console(struct board *board)
{
    board->virtio_console = virtio_console_create(&board->ram, board->base, board->console, NULL);
    assert_non_null(board->virtio_console);
    plug(board, virtio_console_device(board->virtio_console));
}

static void make_rng(struct board *board)
{
    board->rng = virtio_rng_create(&board->ram, board->base, NULL);
    assert_non_null(board->rng);
    plug(board, virtio_rng_device(board->rng));
}

/* The registers of either transport, as far as a driver needs them here. */
enum reg { STATUS, FEATURE_SELECT, DRIVER_SELECT, DRIVER_FEATURES, QUEUE_SELECT, QUEUE_SIZE,
           QUEUE_DESC, QUEUE_AVAIL, QUEUE_USED, QUEUE_READY };

static void put_register(struct board *board, enum reg reg, uint32_t value)
{
    static const struct {
        uint16_t mmio, pci;
        uint8_t pci_bytes;
    } places[] = {
        [STATUS] = { VIRTIO_MMIO_STATUS, VIRTIO_PCI_COMMON_STATUS, 1 },
        [FEATURE_SELECT] = { VIRTIO_MMIO_DEVICE_FEATURES_SEL, VIRTIO_PCI_COMMON_DFSELECT, 4 },
        [DRIVER_SELECT] = { VIRTIO_MMIO_DRIVER_FEATURES_SEL, VIRTIO_PCI_COMMON_GFSELECT, 4 },
        [DRIVER_FEATURES] = { VIRTIO_MMIO_DRIVER_FEATURES, VIRTIO_PCI_COMMON_GF, 4 },
        [QUEUE_SELECT] = { VIRTIO_MMIO_QUEUE_SEL, VIRTIO_PCI_COMMON_Q_SELECT, 2 },
        [QUEUE_SIZE] = { VIRTIO_MMIO_QUEUE_NUM, VIRTIO_PCI_COMMON_Q_SIZE, 2 },
        [QUEUE_DESC] = { VIRTIO_MMIO_QUEUE_DESC_LOW, VIRTIO_PCI_COMMON_Q_DESCLO, 4 },
        [QUEUE_AVAIL] = { VIRTIO_MMIO_QUEUE_AVAIL_LOW, VIRTIO_PCI_COMMON_Q_AVAILLO, 4 },
        [QUEUE_USED] = { VIRTIO_MMIO_QUEUE_USED_LOW, VIRTIO_PCI_COMMON_Q_USEDLO, 4 },
        [QUEUE_READY] = { VIRTIO_MMIO_QUEUE_READY, VIRTIO_PCI_COMMON_Q_ENABLE, 2 },
    };

    if (board->subject->on_pci) {
        board_put(board, BUS_MEMORY, HOME_GPA + places[reg].pci, places[reg].pci_bytes, value);
    } else {
        board_put(board, BUS_MEMORY, VIRTIO_MMIO_BASE_GPA + places[reg].mmio, 4, value);
    }
}

static uint64_t page(enum virtio_pci_page number)
{
    return HOME_GPA + number * VIRTIO_PCI_PAGE_BYTES;
}

/* Every entry another message; the second is masked, and the function is not. */
static void drive_function(struct board *board)
{
    const uint64_t table_gpa = page(VIRTIO_PCI_PAGE_MSIX);
    const unsigned vectors = board->device->ops->queue_count + 1u;
    unsigned at = (unsigned)board_get(board, BUS_MEMORY, config_at(DEVFN, PCI_CAPABILITY_LIST), 1);

    board_put(board, BUS_MEMORY, config_at(DEVFN, PCI_BASE_ADDRESS_0), 4, HOME_GPA);
    while (board_get(board, BUS_MEMORY, config_at(DEVFN, at), 1) != PCI_CAP_ID_MSIX) {
        at = (unsigned)board_get(board, BUS_MEMORY, config_at(DEVFN, at + 1), 1);
    }
    board_put(board, BUS_MEMORY, config_at(DEVFN, at + PCI_MSIX_FLAGS), 2, PCI_MSIX_FLAGS_ENABLE);
    for (unsigned i = 0; i < vectors; i++) {
        board_put(board, BUS_MEMORY, table_gpa + 16 * i, 4, MSI_GPA + (i << 12));
        board_put(board, BUS_MEMORY, table_gpa + 16 * i + 8, 4, 0x40 + i);
        board_put(board, BUS_MEMORY, table_gpa + 16 * i + 12, 4, i == 1);
    }
    board_put(board, BUS_MEMORY, HOME_GPA + VIRTIO_PCI_COMMON_MSIX, 2, 0);
    for (unsigned i = 0; i < board->device->ops->queue_count; i++) {
        board_put(board, BUS_MEMORY, HOME_GPA + VIRTIO_PCI_COMMON_Q_SELECT, 2, i);
        board_put(board, BUS_MEMORY, HOME_GPA + VIRTIO_PCI_COMMON_Q_MSIX, 2, i + 1);
    }
}

static void drive_queue(struct board *board, unsigned number)
{
    const uint64_t gpa = RINGS_GPA + number * RING_BYTES;

    put_register(board, QUEUE_SELECT, number);
    put_register(board, QUEUE_SIZE, 16u << number % 3);
    put_register(board, QUEUE_DESC, (uint32_t)gpa);
    put_register(board, QUEUE_AVAIL, (uint32_t)gpa + 0x1000);
    put_register(board, QUEUE_USED, (uint32_t)gpa + 0x2000);
    put_register(board, QUEUE_READY, 1);
}

static void drive_virtio(struct board *board)
{
    const uint64_t features = virtio_device_features(board->device);

    if (board->subject->on_pci) {
        drive_function(board);
    }
    put_register(board, STATUS, VIRTIO_ACKNOWLEDGE);
    put_register(board, STATUS, BEGUN);
    for (uint32_t half = 0; half < 2; half++) {
        put_register(board, DRIVER_SELECT, half);
        put_register(board, DRIVER_FEATURES, (uint32_t)(features >> (32 * half)));
    }
    put_register(board, STATUS, BEGUN | VIRTIO_FEATURES_OK);
    for (unsigned i = 0; i < board->device->ops->queue_count; i++) {
        drive_queue(board, i);
    }
    put_register(board, STATUS, BEGUN | VIRTIO_FEATURES_OK | VIRTIO_DRIVER_OK);
    assert_true(board->device->running);
    put_register(board, FEATURE_SELECT, 1);
    put_register(board, QUEUE_SELECT, 0);
    if (board->subject->on_pci) {    /* pending, since it is masked */
        assert_int_equal(eventfd_write(board->device->queue[0].call_fd, 1), 0);
    }
    virtio_device_config_changed(board->device);
}

/* Tells the NIC how many of its queues to use. */
static void drive_net(struct board *board)
{
    const uint64_t gpa = RINGS_GPA + CONTROL * RING_BYTES;
    struct vring_desc *desc = ram_at(&board->ram, gpa, 2 * sizeof(*desc));
    struct vring_avail *avail = ram_at(&board->ram, gpa + 0x1000, sizeof(*avail));
    const volatile struct vring_used *used = ram_at(&board->ram, gpa + 0x2000, sizeof(*used));
    uint8_t *command = ram_at(&board->ram, COMMAND_GPA, 16);

    drive_virtio(board);
    memcpy(command, (const uint8_t[]){ VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET,
                                       PAIRS_WANTED, 0, 0xee }, 5);
    desc[0] = (struct vring_desc){ COMMAND_GPA, 4, VRING_DESC_F_NEXT, 1 };
    desc[1] = (struct vring_desc){ COMMAND_GPA + 4, 1, VRING_DESC_F_WRITE, 0 };
    avail->idx = 1;
    virtio_device_kick(board->device, CONTROL);
    for (unsigned turns = 0; turns < 10 && used->idx == 0; turns++) {
        (void)event_base_loop(board->base, EVLOOP_NONBLOCK);
    }
    assert_int_equal(command[4], VIRTIO_NET_OK);
}

/* The registers as selected, then all queues'. */
static void look_mmio(struct board *board, struct view *view)
{
    board_see(board, BUS_MEMORY, VIRTIO_MMIO_BASE_GPA, 4, 64 + 32, view);
    for (unsigned i = 0; i <= board->device->ops->queue_count; i++) {
        put_register(board, QUEUE_SELECT, i);
        board_see(board, BUS_MEMORY, VIRTIO_MMIO_BASE_GPA, 4, 64, view);
    }
}

static void look_common(struct board *board, struct view *view)
{
    static const struct { uint8_t at, bytes; } registers[] = {
        { 0, 4 }, { 4, 4 }, { 8, 4 }, { 12, 4 }, { 16, 2 }, { 18, 2 }, { 20, 1 }, { 21, 1 },
        { 22, 2 }, { 24, 2 }, { 26, 2 }, { 28, 2 }, { 30, 2 }, { 32, 4 }, { 36, 4 }, { 40, 4 },
        { 44, 4 }, { 48, 4 }, { 52, 4 },
    };

    for (unsigned i = 0; i < sizeof(registers) / sizeof(registers[0]); i++) {
        board_see(board, BUS_MEMORY, HOME_GPA + registers[i].at, registers[i].bytes, 1, view);
    }
}

static void look_pci(struct board *board, struct view *view)
{
    board_see(board, BUS_MEMORY, config_at(DEVFN, 0), 4, 64, view);
    look_common(board, view);
    for (unsigned i = 0; i <= board->device->ops->queue_count; i++) {
        put_register(board, QUEUE_SELECT, i);
        look_common(board, view);
    }
    board_see(board, BUS_MEMORY, page(VIRTIO_PCI_PAGE_DEVICE), 4, 32, view);
    board_see(board, BUS_MEMORY, page(VIRTIO_PCI_PAGE_MSIX), 4, 160, view);
    board_see(board, BUS_MEMORY, page(VIRTIO_PCI_PAGE_PENDING), 8, 1, view);
    board_see(board, BUS_MEMORY, page(VIRTIO_PCI_PAGE_ISR), 1, 1, view);
}

/* Whether a guest's kick reaches queue @p number. */
static bool rings(struct board *board, unsigned number)
{
    const uint64_t gpa = board->subject->on_pci
                             ? page(VIRTIO_PCI_PAGE_NOTIFY) + number * VIRTIO_PCI_DOORBELL_BYTES
                             : VIRTIO_MMIO_BASE_GPA + VIRTIO_MMIO_QUEUE_NOTIFY;
    eventfd_t count;

    (void)eventfd_read(board->device->queue[number].kick_fd, &count);
    return fake_kvm_ring(gpa, number) &&
           eventfd_read(board->device->queue[number].kick_fd, &count) == 0;
}

static void look_virtio(struct board *board, struct view *view)
{
    struct virtio_net_status net = { 0 };

    if (board->subject->on_pci) {
        look_pci(board, view);
    } else {
        look_mmio(board, view);
    }
    for (unsigned i = 0; i < board->device->ops->queue_count; i++) {
        view->bytes[view->len_bytes++] = rings(board, i);
    }
    if (board->net != NULL) {
        virtio_net_status(board->net, &net);
        view->bytes[view->len_bytes++] = (uint8_t)net.pairs_enabled;
    }
}

static void save_virtio(struct board *board, union any_state *state)
{
    if (board->subject->on_pci) {
        virtio_pci_save(board->pci, &state->pci);
    } else {
        virtio_mmio_save(board->mmio, &state->mmio);
    }
}

static int restore_virtio(struct board *board, const union any_state *state, struct error *error)
{
    return board->subject->on_pci ? virtio_pci_restore(board->pci, &state->pci, error)
                                : virtio_mmio_restore(board->mmio, &state->mmio, error);
}

static struct virtio_device_state *device_of(struct board *board, union any_state *state)
{
    return board->subject->on_pci ? &state->pci.device : &state->mmio.device;
}

static void lie_version(struct board *board, union any_state *state)
{
    device_of(board, state)->version++;
}

static void lie_features(struct board *board, union any_state *state)
{
    device_of(board, state)->acked |= BIT(63);
}

/* A driver of before virtio 1: its NIC's headers, say, are shorter. */
static void lie_legacy(struct board *board, union any_state *state)
{
    device_of(board, state)->acked &= ~BIT(VIRTIO_F_VERSION_1);
}

static void lie_size(struct board *board, union any_state *state)
{
    device_of(board, state)->queue[0].size = 48;
}

static void lie_pairs(struct board *board, union any_state *state)
{
    device_of(board, state)->own[0] = PAIRS + 1;
}

static void lie_no_pairs(struct board *board, union any_state *state)
{
    device_of(board, state)->own[0] = UINT64_C(1) << 32;     /* 0, where it is cut */
}

static void lie_offloads(struct board *board, union any_state *state)
{
    device_of(board, state)->own[1] |= BIT(VIRTIO_NET_F_CSUM);
}

static void lie_announce(struct board *board, union any_state *state)
{
    device_of(board, state)->own[2] = 2;
}

static const tell_lie virtio_lies[] = {
    lie_version, lie_features, lie_legacy, lie_size, NULL,
};

static const tell_lie net_lies[] = {
    lie_version, lie_features, lie_legacy, lie_size, lie_pairs, lie_no_pairs, lie_offloads,
    lie_announce, NULL,
};

/* ---- all of them ----------------------------------------------------------------------------- */

#define VIRTIO(text, pci, made, driven, lied)                                                    \
    { .name = text, .on_pci = pci, .make = made, .drive = driven, .look = look_virtio,           \
      .save = save_virtio, .restore = restore_virtio, .lies = lied }

static const struct subject subjects[] = {
    { "serial", false, make_serial, drive_serial, look_serial, save_serial, restore_serial,
      serial_lies },
    { "power", false, make_power, drive_power, look_power, save_power, restore_power, no_lies },
    { "root", false, make_root, drive_root, look_root, save_root, restore_root, root_lies },
    VIRTIO("net_over_mmio", false, make_net, drive_net, net_lies),
    VIRTIO("net_over_pci", true, make_net, drive_net, net_lies),
    VIRTIO("blk_over_mmio", false, make_blk, drive_virtio, virtio_lies),
    VIRTIO("blk_over_pci", true, make_blk, drive_virtio, virtio_lies),
    VIRTIO("console_over_mmio", false, make_console, drive_virtio, virtio_lies),
    VIRTIO("console_over_pci", true, make_console, drive_virtio, virtio_lies),
    VIRTIO("rng_over_mmio", false, make_rng, drive_virtio, virtio_lies),
    VIRTIO("rng_over_pci", true, make_rng, drive_virtio, virtio_lies),
};

#define SUBJECTS (sizeof(subjects) / sizeof(subjects[0]))

static struct view view[2];
static union any_state saved, again;
static uint8_t memory[USED_BYTES];

/* Drives one device, and keeps its state, what is seen of it, and its guest's memory. */
static void take_snapshot(const struct subject *subject)
{
    struct board *board = board_open(subject);

    memset(&saved, 0, sizeof(saved));
    memset(view, 0, sizeof(view));
    subject->drive(board);
    subject->save(board, &saved);
    memcpy(memory, board->ram.host, USED_BYTES);
    subject->look(board, &view[0]);
    board_close(board);
}

static void test_snapshot_goes_into_a_new_device(void **state)
{
    const struct subject *subject = *state;
    struct error error = { 0 };
    struct board *board;

    take_snapshot(subject);
    board = board_open(subject);
    memcpy(board->ram.host, memory, USED_BYTES);

    assert_int_equal(subject->restore(board, &saved, &error), 0);

    memset(&again, 0, sizeof(again));
    subject->save(board, &again);
    assert_memory_equal(&again, &saved, sizeof(saved));
    subject->look(board, &view[1]);
    assert_int_equal(view[1].len_bytes, view[0].len_bytes);
    assert_memory_equal(view[1].bytes, view[0].bytes, view[0].len_bytes);
    board_close(board);
}

static void test_snapshot_that_lies_is_refused(void **state)
{
    const struct subject *subject = *state;

    take_snapshot(subject);
    for (unsigned i = 0; subject->lies[i] != NULL; i++) {
        union any_state lie = saved, before, after;
        struct board *board = board_open(subject);
        struct error error = { 0 };

        memset(&before, 0, sizeof(before));
        memset(&after, 0, sizeof(after));
        memcpy(board->ram.host, memory, USED_BYTES);
        subject->save(board, &before);
        subject->lies[i](board, &lie);
        assert_int_equal(subject->restore(board, &lie, &error), -EINVAL);
        assert_true(strlen(error.text) > 0);
        subject->save(board, &after);
        if (board->device != NULL) { /* it counts on, so that nobody takes what is for what was */
            device_of(board, &after)->config_generation =
                device_of(board, &before)->config_generation;
        }
        assert_memory_equal(&after, &before, sizeof(before));
        assert_int_equal(subject->restore(board, &saved, &error), 0);
        board_close(board);
    }
}

int main(void)
{
    static char name[2 * SUBJECTS][64];
    struct CMUnitTest tests[2 * SUBJECTS];

    for (unsigned i = 0; i < SUBJECTS; i++) {
        void *subject = (void *)(uintptr_t)&subjects[i];

        (void)snprintf(name[2 * i], sizeof(name[0]), "test_snapshot_of_%s_goes_into_a_new_one",
                       subjects[i].name);
        (void)snprintf(name[2 * i + 1], sizeof(name[0]), "test_snapshot_of_%s_that_lies_is_refused",
                       subjects[i].name);
        tests[2 * i] = (struct CMUnitTest){ name[2 * i], test_snapshot_goes_into_a_new_device,
                                            NULL, NULL, subject };
        tests[2 * i + 1] = (struct CMUnitTest){ name[2 * i + 1], test_snapshot_that_lies_is_refused,
                                                NULL, NULL, subject };
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
