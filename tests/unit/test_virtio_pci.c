/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The PCI transport, register by register, as a driver and as a liar.
 */
#include "vmm/virtio_pci.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#include <cmocka.h>
#include <linux/pci_regs.h>
#include <linux/virtio_pci.h>

#include "tests/support/fake_kvm.h"
#include "tests/support/pci_lab.h"
#include "tests/support/random.h"

#define DEVFN     (PCI_LAB_FIRST * 8)
#define BAR       (PCI_MEMORY_GPA + PCI_LAB_FIRST * 0x80000)
#define ISR       (BAR + 0x1000)
#define DEVICE    (BAR + 0x2000)
#define NOTIFY    (BAR + 0x3000)
#define TABLE     (BAR + 0x4000)
#define PENDING   (BAR + 0x5000)
#define MESSAGE   0                        /* of vector 0 */
#define BEGUN     (VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER)
#define VERSION_1 (UINT64_C(1) << 32)
#define NONE      VIRTIO_MSI_NO_VECTOR
#define VECTORS   (FAKE_VIRTIO_QUEUES + 1)

static int lab_setup(void **state)
{
    struct pci_lab *lab = calloc(1, sizeof(*lab));

    assert_int_equal(pci_lab_open(lab), 0);
    pci_lab_plug(lab, false);
    assert_int_equal(pci_lab_enable(lab, 0, DEVFN), BAR);
    *state = lab;
    return 0;
}

static int lab_teardown(void **state)
{
    struct pci_lab *lab = *state;

    pci_lab_close(lab);
    assert_false(lab->fake.runs);
    assert_false(lab->fake.confused);
    assert_int_equal(fake_kvm_doorbells(), 0);
    assert_int_equal(fake_kvm_messages_taken(), 0);
    free(lab);
    return 0;
}

/* How wide a driver accesses the common register at @p offset. */
static unsigned width(uint32_t offset)
{
    return offset == VIRTIO_PCI_COMMON_STATUS || offset == VIRTIO_PCI_COMMON_CFGGENERATION ? 1
           : offset == VIRTIO_PCI_COMMON_MSIX || offset == VIRTIO_PCI_COMMON_NUMQ ||
                   (offset >= VIRTIO_PCI_COMMON_Q_SELECT && offset < VIRTIO_PCI_COMMON_Q_DESCLO)
               ? 2
               : 4;
}

static uint32_t get(struct pci_lab *lab, uint32_t offset)
{
    return pci_lab_peek(lab, BAR + offset, width(offset));
}

static void put(struct pci_lab *lab, uint32_t offset, uint32_t value)
{
    pci_lab_poke(lab, BAR + offset, width(offset), value);
}

static void set_msix(struct pci_lab *lab, uint16_t flags)
{
    const unsigned at = pci_lab_capability(lab, 0, DEVFN, PCI_CAP_ID_MSIX, 0);

    pci_lab_put(lab, 0, DEVFN, at + PCI_MSIX_FLAGS, 2, flags);
}

static void set_entry(struct pci_lab *lab, unsigned vector, uint32_t control)
{
    const uint64_t entry = TABLE + 16 * vector;

    pci_lab_poke(lab, entry, 4, 0xfee00000 + (vector << 12));
    pci_lab_poke(lab, entry + 4, 4, 0);
    pci_lab_poke(lab, entry + 8, 4, 0x40 + vector);
    pci_lab_poke(lab, entry + 12, 4, control);
}

static void set_queue(struct pci_lab *lab, uint16_t queue, uint16_t size, uint64_t gpa,
                      uint16_t vector)
{
    put(lab, VIRTIO_PCI_COMMON_Q_SELECT, queue);
    put(lab, VIRTIO_PCI_COMMON_Q_SIZE, size);
    put(lab, VIRTIO_PCI_COMMON_Q_MSIX, vector);
    for (unsigned area = 0; area < 3; area++) {
        const uint64_t at = gpa + area * 0x1000;

        put(lab, VIRTIO_PCI_COMMON_Q_DESCLO + 8 * area, (uint32_t)at);
        put(lab, VIRTIO_PCI_COMMON_Q_DESCHI + 8 * area, (uint32_t)(at >> 32));
    }
    put(lab, VIRTIO_PCI_COMMON_Q_ENABLE, 1);
}

static void ack_features(struct pci_lab *lab, uint64_t features)
{
    put(lab, VIRTIO_PCI_COMMON_GFSELECT, 0);
    put(lab, VIRTIO_PCI_COMMON_GF, (uint32_t)features);
    put(lab, VIRTIO_PCI_COMMON_GFSELECT, 1);
    put(lab, VIRTIO_PCI_COMMON_GF, (uint32_t)(features >> 32));
}

/* As a driver should: 3.1.1, with a vector for each. */
static void start_driver(struct pci_lab *lab, uint64_t features)
{
    set_msix(lab, PCI_MSIX_FLAGS_ENABLE);
    for (unsigned i = 0; i < VECTORS; i++) {
        set_entry(lab, i, 0);
    }
    put(lab, VIRTIO_PCI_COMMON_STATUS, 0);
    put(lab, VIRTIO_PCI_COMMON_STATUS, BEGUN);
    ack_features(lab, features);
    put(lab, VIRTIO_PCI_COMMON_STATUS, BEGUN | VIRTIO_FEATURES_OK);
    put(lab, VIRTIO_PCI_COMMON_MSIX, 0);
    set_queue(lab, 0, 64, 0x10000, 1);
    set_queue(lab, 1, 128, 0x20000, 2);
    put(lab, VIRTIO_PCI_COMMON_STATUS, 0xf);
}

static void test_virtio_pci_capabilities_say_where_registers_are(void **state)
{
    static const struct {
        uint8_t type, len;
        uint32_t offset, length;
    } expected[] = {
        { VIRTIO_PCI_CAP_PCI_CFG, 20, 0, 0 },
        { VIRTIO_PCI_CAP_NOTIFY_CFG, 20, 0x3000, 4 * FAKE_VIRTIO_QUEUES },
        { VIRTIO_PCI_CAP_DEVICE_CFG, 16, 0x2000, 0x1000 },
        { VIRTIO_PCI_CAP_ISR_CFG, 16, 0x1000, 1 },
        { VIRTIO_PCI_CAP_COMMON_CFG, 16, 0, 56 },
    };
    struct pci_lab *lab = *state;
    unsigned at;

    for (unsigned i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
        at = pci_lab_capability(lab, 0, DEVFN, PCI_CAP_ID_VNDR, i);
        assert_int_equal(pci_lab_get(lab, 0, DEVFN, at + 2, 1), expected[i].len);
        assert_int_equal(pci_lab_get(lab, 0, DEVFN, at + 3, 1), expected[i].type);
        assert_int_equal(pci_lab_get(lab, 0, DEVFN, at + 4, 1), 0);
        assert_int_equal(pci_lab_get(lab, 0, DEVFN, at + 8, 4), expected[i].offset);
        assert_int_equal(pci_lab_get(lab, 0, DEVFN, at + 12, 4), expected[i].length);
    }
    at = pci_lab_capability(lab, 0, DEVFN, PCI_CAP_ID_VNDR, 1);
    assert_int_equal(pci_lab_get(lab, 0, DEVFN, at + 16, 4), 4);
    at = pci_lab_capability(lab, 0, DEVFN, PCI_CAP_ID_MSIX, 0);
    assert_int_equal(pci_lab_get(lab, 0, DEVFN, at + PCI_MSIX_FLAGS, 2), VECTORS - 1);
    assert_int_equal(pci_lab_get(lab, 0, DEVFN, at + PCI_MSIX_TABLE, 4), 0x4000);
    assert_int_equal(pci_lab_get(lab, 0, DEVFN, at + PCI_MSIX_PBA, 4), 0x5000);
    assert_int_equal(pci_lab_get(lab, 0, DEVFN, PCI_REVISION_ID, 1), 1);
    assert_int_equal(pci_lab_get(lab, 0, DEVFN, PCI_SUBSYSTEM_ID, 2), 0x44);
}

static void test_virtio_pci_every_common_register_reads_what_the_table_says(void **state)
{
    static const uint8_t expected[64] = {
        [VIRTIO_PCI_COMMON_DF] = 0x20, [VIRTIO_PCI_COMMON_DF + 3] = 0x30,
        [VIRTIO_PCI_COMMON_MSIX] = 0xff, [VIRTIO_PCI_COMMON_MSIX + 1] = 0xff,
        [VIRTIO_PCI_COMMON_NUMQ] = FAKE_VIRTIO_QUEUES,
        [VIRTIO_PCI_COMMON_Q_SIZE + 1] = FAKE_VIRTIO_SIZE_MAX >> 8,
        [VIRTIO_PCI_COMMON_Q_MSIX] = 0xff, [VIRTIO_PCI_COMMON_Q_MSIX + 1] = 0xff,
    };
    struct pci_lab *lab = *state;

    for (uint32_t offset = 0; offset < sizeof(expected); offset += width(offset)) {
        const uint32_t value = get(lab, offset);

        assert_memory_equal(&value, expected + offset, width(offset));
    }
    for (uint32_t offset = 56; offset < 0x1000; offset += 4) {
        assert_int_equal(pci_lab_peek(lab, BAR + offset, 4), 0);
    }
}

static void test_virtio_pci_an_access_of_another_width_is_none(void **state)
{
    struct pci_lab *lab = *state;

    pci_lab_poke(lab, BAR + VIRTIO_PCI_COMMON_STATUS, 2, VIRTIO_ACKNOWLEDGE);
    pci_lab_poke(lab, BAR + VIRTIO_PCI_COMMON_STATUS, 4, VIRTIO_ACKNOWLEDGE);
    assert_int_equal(get(lab, VIRTIO_PCI_COMMON_STATUS), 0);
    assert_int_equal(pci_lab_peek(lab, BAR + VIRTIO_PCI_COMMON_NUMQ, 1), 0);
    assert_int_equal(pci_lab_peek(lab, BAR + VIRTIO_PCI_COMMON_DF, 2), 0);
    assert_int_equal(pci_lab_peek(lab, BAR + VIRTIO_PCI_COMMON_DF, 8), 0);
    assert_int_equal(pci_lab_peek(lab, BAR + 0x6000, 4), 0);
}

static void test_virtio_pci_a_driver_in_order_starts_the_device(void **state)
{
    struct pci_lab *lab = *state;
    const struct virtio_queue *queue = lab->fake.device.queue;

    start_driver(lab, VERSION_1 | (1 << 5));

    assert_int_equal(get(lab, VIRTIO_PCI_COMMON_STATUS), 0xf);
    assert_true(lab->fake.runs);
    assert_int_equal(lab->fake.device.acked, VERSION_1 | (1 << 5));
    assert_int_equal(queue[1].size, 128);
    assert_int_equal(queue[1].desc_gpa, 0x20000);
    assert_int_equal(queue[1].avail_gpa, 0x21000);
    assert_int_equal(queue[1].used_gpa, 0x22000);
    assert_int_equal(get(lab, VIRTIO_PCI_COMMON_Q_USEDLO), 0x22000);
    assert_int_equal(get(lab, VIRTIO_PCI_COMMON_Q_NOFF), 1);
    assert_int_equal(queue[1].call_fd, irq_message_fd(fake_kvm_irq(), MESSAGE + 2));
    put(lab, VIRTIO_PCI_COMMON_Q_ENABLE, 0);
    assert_true(lab->fake.runs);
    put(lab, VIRTIO_PCI_COMMON_STATUS, 0);
    assert_false(lab->fake.runs);
    assert_int_equal(queue[1].call_fd, -1);
    assert_int_equal(get(lab, VIRTIO_PCI_COMMON_MSIX), NONE);
}

static void test_virtio_pci_a_driver_out_of_order_starts_nothing(void **state)
{
    struct pci_lab *lab = *state;

    start_driver(lab, VERSION_1 | 1);
    assert_int_equal(get(lab, VIRTIO_PCI_COMMON_STATUS), BEGUN);
    start_driver(lab, 0);
    assert_int_equal(get(lab, VIRTIO_PCI_COMMON_STATUS), BEGUN);
    put(lab, VIRTIO_PCI_COMMON_STATUS, 0);
    ack_features(lab, VERSION_1);
    put(lab, VIRTIO_PCI_COMMON_STATUS, VIRTIO_FEATURES_OK | VIRTIO_DRIVER_OK);
    assert_int_equal(get(lab, VIRTIO_PCI_COMMON_STATUS), 0);
    assert_int_equal(lab->fake.starts, 0);
}

static void test_virtio_pci_rings_outside_memory_need_a_reset(void **state)
{
    struct pci_lab *lab = *state;

    start_driver(lab, VERSION_1);
    put(lab, VIRTIO_PCI_COMMON_STATUS, 0);
    put(lab, VIRTIO_PCI_COMMON_STATUS, BEGUN);
    ack_features(lab, VERSION_1);
    put(lab, VIRTIO_PCI_COMMON_MSIX, 3);
    set_queue(lab, 0, 64, RAM_MIN_BYTES - 0x800, 1);
    put(lab, VIRTIO_PCI_COMMON_STATUS, 0xf);

    assert_int_equal(get(lab, VIRTIO_PCI_COMMON_STATUS), 0xf | VIRTIO_NEEDS_RESET);
    assert_int_equal(lab->fake.starts, 1);
    assert_int_equal(fake_kvm_message_count(MESSAGE + 3), 1);
    assert_int_equal(pci_lab_peek(lab, ISR, 1), 2);
    assert_int_equal(pci_lab_peek(lab, ISR, 1), 0);
}

static void test_virtio_pci_a_vector_that_is_none_reads_back_as_none(void **state)
{
    struct pci_lab *lab = *state;

    put(lab, VIRTIO_PCI_COMMON_MSIX, VECTORS);
    assert_int_equal(get(lab, VIRTIO_PCI_COMMON_MSIX), NONE);
    put(lab, VIRTIO_PCI_COMMON_Q_MSIX, VECTORS);
    assert_int_equal(get(lab, VIRTIO_PCI_COMMON_Q_MSIX), NONE);
    put(lab, VIRTIO_PCI_COMMON_Q_SELECT, FAKE_VIRTIO_QUEUES);
    put(lab, VIRTIO_PCI_COMMON_Q_MSIX, 0);
    assert_int_equal(get(lab, VIRTIO_PCI_COMMON_Q_MSIX), NONE);
    assert_int_equal(get(lab, VIRTIO_PCI_COMMON_Q_SIZE), 0);
}

static void test_virtio_pci_a_vector_moved_while_running_is_told(void **state)
{
    struct pci_lab *lab = *state;

    start_driver(lab, VERSION_1);
    assert_int_equal(lab->fake.calls_changed, 0);
    put(lab, VIRTIO_PCI_COMMON_Q_SELECT, 0);
    put(lab, VIRTIO_PCI_COMMON_Q_MSIX, 3);
    assert_int_equal(lab->fake.calls_changed, 1);
    assert_int_equal(lab->fake.device.queue[0].call_fd,
                     irq_message_fd(fake_kvm_irq(), MESSAGE + 3));
    put(lab, VIRTIO_PCI_COMMON_Q_MSIX, 3);
    assert_int_equal(lab->fake.calls_changed, 1);
}

static void test_virtio_pci_a_masked_vector_is_pending(void **state)
{
    struct pci_lab *lab = *state;
    const struct fake_message *message = fake_kvm_message(MESSAGE + 1);

    start_driver(lab, VERSION_1);
    assert_false(message->masked);
    assert_int_equal(message->address, 0xfee01000);
    assert_int_equal(message->data, 0x41);
    pci_lab_poke(lab, TABLE + 16 + 12, 4, 1);
    assert_true(message->masked);
    eventfd_write(lab->fake.device.queue[0].call_fd, 1);
    assert_int_equal(pci_lab_peek(lab, PENDING, 4), 1 << 1);
    assert_int_equal(pci_lab_peek(lab, PENDING, 8), 1 << 1);
    pci_lab_poke(lab, TABLE + 16 + 12, 4, 0);
    assert_false(message->masked);
    assert_int_equal(pci_lab_peek(lab, PENDING, 4), 0);

    /* By the function's mask, and without MSI-X at all. */
    set_msix(lab, PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL);
    assert_true(message->masked);
    assert_int_equal(pci_lab_peek(lab, PENDING, 4), 1 << 1);
    set_msix(lab, PCI_MSIX_FLAGS_ENABLE);
    assert_false(message->masked);
    set_msix(lab, 0);
    assert_true(message->masked);
}

static void test_virtio_pci_table_words_are_as_written(void **state)
{
    struct pci_lab *lab = *state;
    const unsigned sets = fake_kvm_message(MESSAGE)->sets;

    for (unsigned vector = 0; vector < 256; vector++) {
        const uint64_t at = TABLE + 16 * vector;
        const bool is = vector < VECTORS;

        for (unsigned word = 0; word < 4; word++) {
            pci_lab_poke(lab, at + 4 * word, 4, 0x12345677);
        }
        assert_int_equal(pci_lab_peek(lab, at, 4), is ? 0x12345674 : 0);
        assert_int_equal(pci_lab_peek(lab, at + 4, 4), is ? 0x12345677 : 0);
        assert_int_equal(pci_lab_peek(lab, at + 8, 4), is ? 0x12345677 : 0);
        assert_int_equal(pci_lab_peek(lab, at + 12, 4), is ? 1 : 0);
        assert_int_equal(pci_lab_peek(lab, at + 1, 2), 0);
    }
    /* While nothing may be sent, KVM is not told. */
    assert_int_equal(fake_kvm_message(MESSAGE)->sets, sets);
}

static void test_virtio_pci_a_kick_comes_by_doorbell_or_by_register(void **state)
{
    struct pci_lab *lab = *state;
    eventfd_t count;

    assert_true(fake_kvm_ring(NOTIFY + 4, 1));
    pci_lab_poke(lab, NOTIFY + 4, 2, 1);
    pci_lab_poke(lab, NOTIFY + 5, 1, 1);
    pci_lab_poke(lab, NOTIFY + 4 * FAKE_VIRTIO_QUEUES, 2, FAKE_VIRTIO_QUEUES);
    pci_lab_poke(lab, NOTIFY + 0xffc, 4, 0);
    assert_int_equal(eventfd_read(lab->fake.device.queue[1].kick_fd, &count), 0);
    assert_int_equal(count, 2);
    assert_int_equal(pci_lab_peek(lab, NOTIFY, 4), 0);
}

static void test_virtio_pci_a_change_of_configuration_interrupts(void **state)
{
    struct pci_lab *lab = *state;

    virtio_device_config_changed(&lab->fake.device);
    assert_int_equal(fake_kvm_message_count(MESSAGE), 0);
    start_driver(lab, VERSION_1);
    virtio_device_config_changed(&lab->fake.device);
    assert_int_equal(fake_kvm_message_count(MESSAGE), 1);
    assert_int_equal(get(lab, VIRTIO_PCI_COMMON_CFGGENERATION), 2);
    assert_int_equal(pci_lab_peek(lab, DEVICE + 3, 1), 4);
    pci_lab_poke(lab, DEVICE + 8, 4, 0x44332211);
    assert_memory_equal(lab->fake.config + 8, "\x11\x22\x33\x44", 4);
}

static void test_virtio_pci_the_window_reaches_the_bar(void **state)
{
    struct pci_lab *lab = *state;
    const unsigned at = pci_lab_capability(lab, 0, DEVFN, PCI_CAP_ID_VNDR, 0);

    pci_lab_put(lab, 0, DEVFN, at + VIRTIO_PCI_CAP_OFFSET, 4, VIRTIO_PCI_COMMON_STATUS);
    pci_lab_put(lab, 0, DEVFN, at + VIRTIO_PCI_CAP_LENGTH, 4, 1);
    pci_lab_put(lab, 0, DEVFN, at + 16, 1, VIRTIO_ACKNOWLEDGE);
    assert_int_equal(get(lab, VIRTIO_PCI_COMMON_STATUS), VIRTIO_ACKNOWLEDGE);
    put(lab, VIRTIO_PCI_COMMON_STATUS, BEGUN);
    assert_int_equal(pci_lab_get(lab, 0, DEVFN, at + 16, 1), BEGUN);

    /* Closed: another BAR, beyond it, across its end, of no proper length. */
    static const struct {
        uint8_t bar;
        uint32_t offset, length;
    } closed[] = {
        { 1, 0, 4 }, { 0, 0x8000, 4 }, { 0, 0x7ffe, 4 }, { 0, 20, 3 }, { 0, 20, 0 }, { 0, 20, 8 },
        { 0, UINT32_MAX, 1 }, { 0, 20, UINT32_MAX }, { 0, 0xfffffffc, 4 },
    };
    for (unsigned i = 0; i < sizeof(closed) / sizeof(closed[0]); i++) {
        pci_lab_put(lab, 0, DEVFN, at + VIRTIO_PCI_CAP_BAR, 1, closed[i].bar);
        pci_lab_put(lab, 0, DEVFN, at + VIRTIO_PCI_CAP_OFFSET, 4, closed[i].offset);
        pci_lab_put(lab, 0, DEVFN, at + VIRTIO_PCI_CAP_LENGTH, 4, closed[i].length);
        pci_lab_put(lab, 0, DEVFN, at + 16, 4, 0);
        assert_int_equal(pci_lab_get(lab, 0, DEVFN, at + 16, 4), 0);
    }
    assert_int_equal(get(lab, VIRTIO_PCI_COMMON_STATUS), BEGUN);
}

static void test_virtio_pci_a_snapshot_goes_into_a_new_device(void **state)
{
    struct pci_lab *lab = *state;
    struct virtio_pci_state before, after;
    struct error error;

    start_driver(lab, VERSION_1 | (1 << 29));
    pci_lab_poke(lab, TABLE + 16 + 12, 4, 1);
    eventfd_write(lab->fake.device.queue[0].call_fd, 1);
    virtio_device_config_changed(&lab->fake.device);
    pci_lab_put(lab, 0, DEVFN, PCI_BASE_ADDRESS_0, 4, 0xc7000000);
    virtio_pci_save(lab->pci, &before);
    pci_lab_close(lab);
    assert_int_equal(pci_lab_open(lab), 0);
    pci_lab_plug(lab, false);

    assert_int_equal(virtio_pci_restore(lab->pci, &before, &error), 0);

    virtio_pci_save(lab->pci, &after);
    assert_memory_equal(&before, &after, sizeof(before));
    assert_true(lab->fake.runs);
    assert_true(fake_kvm_ring(0xc7003000, 0));
    assert_int_equal(fake_kvm_message(MESSAGE + 2)->address, 0xfee02000);
    assert_false(fake_kvm_message(MESSAGE + 2)->masked);
    assert_int_equal(pci_lab_peek(lab, 0xc7005000, 4), 1 << 1);
}

static void test_virtio_pci_a_snapshot_of_another_device_is_refused(void **state)
{
    struct pci_lab *lab = *state;
    struct virtio_pci_state saved;
    struct error error;

    start_driver(lab, VERSION_1);
    virtio_pci_save(lab->pci, &saved);
    saved.device.queue[0].size = 3;
    assert_int_equal(virtio_pci_restore(lab->pci, &saved, &error), -EINVAL);
    assert_int_equal(error.code, EINVAL);
    assert_false(lab->fake.runs);
    saved.device.queue[0].size = 64;
    saved.config_vector = 99;
    assert_int_equal(virtio_pci_restore(lab->pci, &saved, &error), 0);
    assert_int_equal(get(lab, VIRTIO_PCI_COMMON_MSIX), NONE);
}

static void test_virtio_pci_a_reset_of_the_root_is_as_new(void **state)
{
    struct pci_lab *lab = *state;
    struct virtio_pci_state new, after;

    pci_root_reset(lab->root);
    virtio_pci_save(lab->pci, &new);
    pci_lab_enable(lab, 0, DEVFN);
    start_driver(lab, VERSION_1);
    pci_lab_poke(lab, TABLE + 12, 4, 1);
    virtio_device_config_changed(&lab->fake.device);
    pci_root_reset(lab->root);
    virtio_pci_save(lab->pci, &after);
    after.device.config_generation = new.device.config_generation;
    assert_memory_equal(&new, &after, sizeof(new));
    assert_false(lab->fake.runs);
}

static void test_virtio_pci_random_accesses_leave_a_device_that_still_works(void **state)
{
    struct pci_lab *lab = *state;
    uint64_t random = 5;

    for (unsigned i = 0; i < 300000; i++) {
        const uint32_t offset = random_below(&random, 8) * 0x1000 + random_below(&random, 64);
        const unsigned len = 1u << random_below(&random, 4);
        const uint32_t value = random_below(&random, 4) == 0 ? (uint32_t)random_next(&random)
                                                             : random_below(&random, 16);

        pci_lab_poke(lab, BAR + offset, len, value);
        pci_lab_peek(lab, BAR + random_below(&random, 0x8000), len);
        pci_lab_put(lab, 0, DEVFN, PCI_LAB_EXPRESS + random_below(&random, 0xc0), 1, value);
        pci_lab_get(lab, 0, DEVFN, random_below(&random, 256), 1);
        assert_int_equal(lab->fake.runs, lab->fake.device.running);
    }
    start_driver(lab, VERSION_1);
    assert_true(lab->fake.runs);
}

#define LAB_TEST(f) cmocka_unit_test_setup_teardown(f, lab_setup, lab_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LAB_TEST(test_virtio_pci_capabilities_say_where_registers_are),
        LAB_TEST(test_virtio_pci_every_common_register_reads_what_the_table_says),
        LAB_TEST(test_virtio_pci_an_access_of_another_width_is_none),
        LAB_TEST(test_virtio_pci_a_driver_in_order_starts_the_device),
        LAB_TEST(test_virtio_pci_a_driver_out_of_order_starts_nothing),
        LAB_TEST(test_virtio_pci_rings_outside_memory_need_a_reset),
        LAB_TEST(test_virtio_pci_a_vector_that_is_none_reads_back_as_none),
        LAB_TEST(test_virtio_pci_a_vector_moved_while_running_is_told),
        LAB_TEST(test_virtio_pci_a_masked_vector_is_pending),
        LAB_TEST(test_virtio_pci_table_words_are_as_written),
        LAB_TEST(test_virtio_pci_a_kick_comes_by_doorbell_or_by_register),
        LAB_TEST(test_virtio_pci_a_change_of_configuration_interrupts),
        LAB_TEST(test_virtio_pci_the_window_reaches_the_bar),
        LAB_TEST(test_virtio_pci_a_snapshot_goes_into_a_new_device),
        LAB_TEST(test_virtio_pci_a_snapshot_of_another_device_is_refused),
        LAB_TEST(test_virtio_pci_a_reset_of_the_root_is_as_new),
        LAB_TEST(test_virtio_pci_random_accesses_leave_a_device_that_still_works),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
