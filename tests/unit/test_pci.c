/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The PCI root: configuration space, addresses, and slots with their hot plug, as guests see them.
 */
#include "vmm/pci.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <event2/event.h>
#include <linux/pci_regs.h>

#include "tests/support/fake_kvm.h"
#include "tests/support/pci_lab.h"
#include "tests/support/random.h"

#define PORT    8u                 /* devfn of the first slot's port; its bus is 1 */
#define SLTCTL  (PCI_LAB_EXPRESS + PCI_EXP_SLTCTL)
#define SLTSTA  (PCI_LAB_EXPRESS + PCI_EXP_SLTSTA)
#define LNKSTA  (PCI_LAB_EXPRESS + PCI_EXP_LNKSTA)
#define LISTENS (PCI_EXP_SLTCTL_ABPE | PCI_EXP_SLTCTL_PDCE | PCI_EXP_SLTCTL_CCIE |               \
                 PCI_EXP_SLTCTL_HPIE | PCI_EXP_SLTCTL_DLLSCE)
#define ID      0x10441af4u        /* of the fake device: virtio, 0x1040 + 4 */

static int lab_setup(void **state)
{
    struct pci_lab *lab = calloc(1, sizeof(*lab));

    assert_int_equal(pci_lab_open(lab), 0);
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

/* The guest's driver of the port: MSI on, listening to everything, the slot as it is. */
static void start_driver(struct pci_lab *lab)
{
    const unsigned msi = pci_lab_capability(lab, 0, PORT, PCI_CAP_ID_MSI, 0);
    const uint32_t control = pci_lab_get(lab, 0, PORT, SLTCTL, 2);

    pci_lab_put(lab, 0, PORT, msi + PCI_MSI_ADDRESS_LO, 4, 0xfee01000);
    pci_lab_put(lab, 0, PORT, msi + PCI_MSI_DATA_64, 2, 0x41);
    pci_lab_put(lab, 0, PORT, msi + PCI_MSI_FLAGS, 2, PCI_MSI_FLAGS_ENABLE);
    pci_lab_put(lab, 0, PORT, SLTCTL, 2, control | LISTENS);
    pci_lab_put(lab, 0, PORT, SLTSTA, 2, 0xffff);
    (void)fake_kvm_sent();
}

/* What happened, by the status, which is then cleared as an interrupt handler does. */
static uint32_t events(struct pci_lab *lab)
{
    const uint32_t status = pci_lab_get(lab, 0, PORT, SLTSTA, 2);

    pci_lab_put(lab, 0, PORT, SLTSTA, 2, status);
    return status;
}

static void test_pci_functions_are_where_they_should_be(void **state)
{
    struct pci_lab *lab = *state;
    unsigned found = 0;

    pci_lab_plug(lab, false);
    for (unsigned devfn = 0; devfn < 256; devfn++) {
        found += pci_lab_get(lab, 0, devfn, PCI_VENDOR_ID, 4) != UINT32_MAX;
    }
    assert_int_equal(found, 1 + PCI_LAB_SLOTS + 1);
    assert_int_equal(pci_lab_get(lab, 0, 0, PCI_CLASS_DEVICE, 2), 0x0600);
    assert_int_equal(pci_lab_get(lab, 0, PORT, PCI_CLASS_DEVICE, 2), 0x0604);
    assert_int_equal(pci_lab_get(lab, 0, PORT, PCI_HEADER_TYPE, 1), 0x81);
    assert_int_equal(pci_lab_get(lab, 0, PORT + 1, PCI_HEADER_TYPE, 1), 0x01);
    assert_int_equal(pci_lab_get(lab, 0, PCI_LAB_FIRST * 8, PCI_VENDOR_ID, 4), ID);
    assert_int_equal(pci_lab_get(lab, 1, 0, PCI_VENDOR_ID, 4), UINT32_MAX);
    assert_int_equal(pci_lab_get(lab, 255, 255, PCI_VENDOR_ID, 4), UINT32_MAX);
}

static void test_pci_configuration_is_read_at_every_proper_width(void **state)
{
    struct pci_lab *lab = *state;
    uint8_t data[8];

    assert_int_equal(pci_lab_get(lab, 0, 0, 0, 1), 0x36);
    assert_int_equal(pci_lab_get(lab, 0, 0, 1, 1), 0x1b);
    assert_int_equal(pci_lab_get(lab, 0, 0, 2, 2), 0x0008);
    assert_int_equal(pci_lab_get(lab, 0, 0, 0, 4), 0x00081b36);
    assert_int_equal(pci_lab_get(lab, 0, 0, 1, 2), 0xffff);
    bus_read(lab->bus, BUS_MEMORY, PCI_ECAM_GPA, data, 8);
    assert_memory_equal(data, "\xff\xff\xff\xff\xff\xff\xff\xff", 8);
    assert_int_equal(pci_lab_get(lab, 0, 0, 0x100, 4), 0);     /* no extended capability */
    assert_int_equal(pci_lab_get(lab, 0, 0, 0xffc, 4), 0);
}

static void test_pci_only_what_is_writable_is_written(void **state)
{
    struct pci_lab *lab = *state;
    uint8_t before[256];

    for (unsigned i = 0; i < sizeof(before); i++) {
        before[i] = (uint8_t)pci_lab_get(lab, 0, 0, i, 1);
    }
    for (unsigned i = 0; i < 4096; i += 4) {
        pci_lab_put(lab, 0, 0, i, 4, UINT32_MAX);
    }
    for (unsigned i = 0; i < sizeof(before); i++) {
        if (i != PCI_COMMAND && i != PCI_COMMAND + 1 && i != PCI_CACHE_LINE_SIZE &&
            i != PCI_INTERRUPT_LINE) {
            assert_int_equal(pci_lab_get(lab, 0, 0, i, 1), before[i]);
        }
    }
    assert_int_equal(pci_lab_get(lab, 0, 0, PCI_COMMAND, 2), 0x0546);
}

static void test_pci_a_bar_is_sized_and_moved(void **state)
{
    struct pci_lab *lab = *state;
    const unsigned devfn = PCI_LAB_FIRST * 8;
    uint64_t gpa;

    pci_lab_plug(lab, false);
    gpa = pci_lab_enable(lab, 0, devfn);
    assert_int_equal(gpa, PCI_MEMORY_GPA + PCI_LAB_FIRST * 0x80000);
    assert_int_equal(pci_lab_peek(lab, gpa + 18, 2), FAKE_VIRTIO_QUEUES);
    assert_true(fake_kvm_ring(gpa + 0x3004, 1));

    /* Sizing, as every system does it. */
    pci_lab_put(lab, 0, devfn, PCI_COMMAND, 2, 0);
    assert_int_equal(pci_lab_peek(lab, gpa + 18, 2), 0xffff);
    assert_int_equal(fake_kvm_doorbells(), 0);
    pci_lab_put(lab, 0, devfn, PCI_BASE_ADDRESS_0, 4, UINT32_MAX);
    assert_int_equal(pci_lab_get(lab, 0, devfn, PCI_BASE_ADDRESS_0, 4), 0xffff8000);
    pci_lab_put(lab, 0, devfn, PCI_BASE_ADDRESS_1, 4, UINT32_MAX);
    assert_int_equal(pci_lab_get(lab, 0, devfn, PCI_BASE_ADDRESS_1, 4), 0);

    pci_lab_put(lab, 0, devfn, PCI_BASE_ADDRESS_0, 4, 0xcfff8000);
    assert_int_equal(pci_lab_enable(lab, 0, devfn), 0xcfff8000);
    assert_int_equal(pci_lab_peek(lab, 0xcfff8000 + 18, 2), FAKE_VIRTIO_QUEUES);
    assert_true(fake_kvm_ring(0xcfff8000 + 0x3000, 0));
    assert_false(fake_kvm_ring(gpa + 0x3000, 0));
}

static void test_pci_a_bar_outside_the_window_is_nowhere(void **state)
{
    static const uint32_t outside[] = { 0, 0x8000, 0xbfff8000, 0xd0000000, 0xe0000000, 0xffff8000 };
    struct pci_lab *lab = *state;
    const unsigned devfn = PCI_LAB_FIRST * 8;

    pci_lab_plug(lab, false);
    for (unsigned i = 0; i < sizeof(outside) / sizeof(outside[0]); i++) {
        pci_lab_put(lab, 0, devfn, PCI_BASE_ADDRESS_0, 4, outside[i]);
        pci_lab_enable(lab, 0, devfn);
        assert_int_equal(fake_kvm_doorbells(), 0);
        if (outside[i] != 0xe0000000) {
            assert_int_equal(pci_lab_peek(lab, outside[i] + 18, 2), 0xffff);
        }
    }
    pci_lab_put(lab, 0, devfn, PCI_BASE_ADDRESS_0, 4, 0xc0000000);
    assert_int_equal(fake_kvm_doorbells(), FAKE_VIRTIO_QUEUES);
}

static void test_pci_two_bars_at_one_place_are_one(void **state)
{
    struct pci_lab *lab = *state;
    struct fake_virtio other;
    struct virtio_pci *second;
    const unsigned devfn = PCI_LAB_FIRST * 8;
    uint64_t gpa;

    assert_int_equal(fake_virtio_open(&other), 0);
    second = virtio_pci_plug(-1, lab->root, fake_kvm_irq(), false, &other.device, NULL);
    pci_lab_plug(lab, false);
    gpa = pci_lab_enable(lab, 0, devfn);
    pci_lab_put(lab, 0, devfn + 8, PCI_BASE_ADDRESS_0, 4, (uint32_t)gpa);
    pci_lab_enable(lab, 0, devfn + 8);
    assert_int_equal(fake_kvm_doorbells(), FAKE_VIRTIO_QUEUES);

    virtio_pci_unplug(second);
    assert_int_equal(fake_kvm_doorbells(), 0);
    pci_lab_enable(lab, 0, devfn + 8);
    assert_int_equal(fake_kvm_doorbells(), FAKE_VIRTIO_QUEUES);
    fake_virtio_close(&other);
}

static void test_pci_a_function_in_a_slot_is_on_its_bus(void **state)
{
    struct pci_lab *lab = *state;
    uint64_t gpa;

    pci_lab_plug(lab, true);
    assert_int_equal(pci_lab_get(lab, 1, 0, PCI_VENDOR_ID, 4), ID);
    assert_int_equal(pci_lab_get(lab, 1, 8, PCI_VENDOR_ID, 4), UINT32_MAX);
    assert_int_equal(pci_lab_get(lab, 0, PORT, SLTSTA, 2), PCI_EXP_SLTSTA_PDS);
    assert_int_equal(pci_lab_get(lab, 0, PORT + 1, SLTSTA, 2), 0);
    assert_int_not_equal(pci_lab_get(lab, 0, PORT, LNKSTA, 2) & PCI_EXP_LNKSTA_DLLLA, 0);
    gpa = pci_lab_enable(lab, 1, 0);
    assert_int_equal(gpa >> 16, pci_lab_get(lab, 0, PORT, PCI_MEMORY_BASE, 2));

    /* The guest numbers buses as it likes. */
    pci_lab_put(lab, 0, PORT, PCI_SECONDARY_BUS, 1, 77);
    assert_int_equal(pci_lab_get(lab, 1, 0, PCI_VENDOR_ID, 4), UINT32_MAX);
    assert_int_equal(pci_lab_get(lab, 77, 0, PCI_VENDOR_ID, 4), ID);
}

static void test_pci_a_device_plugged_in_is_told_and_powered_by_the_guest(void **state)
{
    struct pci_lab *lab = *state;
    struct fake_sent sent;

    start_driver(lab);
    lab->pci = virtio_pci_plug(-1, lab->root, fake_kvm_irq(), true, &lab->fake.device, NULL);

    sent = fake_kvm_sent();
    assert_int_equal(sent.count, 1);
    assert_int_equal(sent.address, 0xfee01000);
    assert_int_equal(sent.data, 0x41);
    assert_int_equal(events(lab), PCI_EXP_SLTSTA_ABP | PCI_EXP_SLTSTA_PDC | PCI_EXP_SLTSTA_PDS);
    assert_int_equal(pci_lab_get(lab, 1, 0, PCI_VENDOR_ID, 4), UINT32_MAX);
    pci_lab_put(lab, 0, PORT, SLTCTL, 2, LISTENS | PCI_EXP_SLTCTL_PWR_IND_BLINK);

    assert_int_equal(fake_kvm_sent().count, 1);
    assert_int_equal(events(lab),
                     PCI_EXP_SLTSTA_CC | PCI_EXP_SLTSTA_DLLSC | PCI_EXP_SLTSTA_PDS);
    assert_int_equal(pci_lab_get(lab, 1, 0, PCI_VENDOR_ID, 4), ID);
    assert_int_equal(pci_lab_enable(lab, 1, 0) >> 20, PCI_MEMORY_GPA / 0x100000 + 16);
    assert_int_equal(fake_kvm_doorbells(), FAKE_VIRTIO_QUEUES);
}

/* As Linux's driver: where a slot has a button, it does not listen to presence. */
static void test_pci_a_driver_that_listens_to_the_button_only_is_told_as_well(void **state)
{
    struct pci_lab *lab = *state;
    uint32_t control;

    start_driver(lab);
    control = pci_lab_get(lab, 0, PORT, SLTCTL, 2);
    pci_lab_put(lab, 0, PORT, SLTCTL, 2, control & ~(uint32_t)PCI_EXP_SLTCTL_PDCE);
    events(lab);
    (void)fake_kvm_sent();

    lab->pci = virtio_pci_plug(-1, lab->root, fake_kvm_irq(), true, &lab->fake.device, NULL);

    assert_int_equal(fake_kvm_sent().count, 1);
}

static void count_gone(void *context)
{
    ++*(unsigned *)context;
}

static void test_pci_a_guest_asked_for_a_device_lets_it_go(void **state)
{
    struct pci_lab *lab = *state;
    struct error error;
    unsigned gone = 0;

    pci_lab_plug(lab, true);
    assert_int_equal(virtio_pci_ask_out(lab->pci, count_gone, &gone, &error), -EOPNOTSUPP);
    start_driver(lab);
    pci_lab_enable(lab, 1, 0);

    assert_int_equal(virtio_pci_ask_out(lab->pci, count_gone, &gone, &error), 0);
    assert_int_equal(virtio_pci_ask_out(lab->pci, count_gone, &gone, &error), -EALREADY);
    assert_int_equal(fake_kvm_sent().count, 1);
    assert_int_equal(events(lab), PCI_EXP_SLTSTA_ABP | PCI_EXP_SLTSTA_PDS);
    pci_lab_put(lab, 0, PORT, SLTCTL, 2, LISTENS | PCI_EXP_SLTCTL_PWR_IND_BLINK);
    assert_int_equal(virtio_pci_ask_out(lab->pci, count_gone, &gone, &error), -EALREADY);
    event_base_loop(lab->base, EVLOOP_NONBLOCK);
    assert_int_equal(gone, 0);

    pci_lab_put(lab, 0, PORT, SLTCTL, 2, LISTENS | PCI_EXP_SLTCTL_PWR_OFF);
    assert_int_equal(pci_lab_get(lab, 1, 0, PCI_VENDOR_ID, 4), UINT32_MAX);
    assert_int_equal(fake_kvm_doorbells(), 0);
    event_base_loop(lab->base, EVLOOP_NONBLOCK);
    assert_int_equal(gone, 1);
    events(lab);
    virtio_pci_unplug(lab->pci);
    lab->pci = NULL;
    assert_int_equal(events(lab), PCI_EXP_SLTSTA_PDC);
}

static void test_pci_power_off_without_being_asked_is_no_letting_go(void **state)
{
    struct pci_lab *lab = *state;

    pci_lab_plug(lab, true);
    start_driver(lab);
    pci_lab_put(lab, 0, PORT, SLTCTL, 2, LISTENS | PCI_EXP_SLTCTL_PWR_OFF);
    event_base_loop(lab->base, EVLOOP_NONBLOCK);
    assert_int_equal(pci_lab_get(lab, 1, 0, PCI_VENDOR_ID, 4), UINT32_MAX);
    pci_lab_put(lab, 0, PORT, SLTCTL, 2, LISTENS);
    assert_int_equal(pci_lab_get(lab, 1, 0, PCI_VENDOR_ID, 4), ID);
    assert_int_equal(pci_lab_get(lab, 1, 0, PCI_COMMAND, 2), 0);
}

static void test_pci_a_device_taken_out_by_surprise_is_gone(void **state)
{
    struct pci_lab *lab = *state;

    pci_lab_plug(lab, true);
    start_driver(lab);
    pci_lab_enable(lab, 1, 0);
    virtio_pci_unplug(lab->pci);
    lab->pci = NULL;

    assert_int_equal(fake_kvm_sent().count, 1);
    assert_int_equal(events(lab), PCI_EXP_SLTSTA_PDC | PCI_EXP_SLTSTA_DLLSC);
    assert_int_equal(pci_lab_get(lab, 1, 0, PCI_VENDOR_ID, 4), UINT32_MAX);
    assert_int_equal(fake_kvm_doorbells(), 0);
    assert_int_equal(pci_lab_get(lab, 0, PORT, LNKSTA, 2) & PCI_EXP_LNKSTA_DLLLA, 0);
}

static void test_pci_a_port_interrupts_once_for_what_is_not_yet_seen(void **state)
{
    struct pci_lab *lab = *state;

    start_driver(lab);
    pci_lab_put(lab, 0, PORT, SLTCTL, 2, LISTENS | PCI_EXP_SLTCTL_PWR_OFF);
    pci_lab_put(lab, 0, PORT, SLTCTL, 2, LISTENS | PCI_EXP_SLTCTL_PWR_OFF);
    assert_int_equal(fake_kvm_sent().count, 1);
    events(lab);
    pci_lab_put(lab, 0, PORT, SLTCTL, 2, LISTENS | PCI_EXP_SLTCTL_PWR_OFF);
    assert_int_equal(fake_kvm_sent().count, 1);
}

static void test_pci_slots_run_out(void **state)
{
    struct pci_lab *lab = *state;
    struct fake_virtio other[PCI_LAB_SLOTS];
    struct virtio_pci *pci[PCI_LAB_SLOTS];
    struct error error;

    for (unsigned i = 0; i < PCI_LAB_SLOTS; i++) {
        assert_int_equal(fake_virtio_open(&other[i]), 0);
        pci[i] = virtio_pci_plug(-1, lab->root, fake_kvm_irq(), true, &other[i].device, &error);
        assert_non_null(pci[i]);
    }
    assert_null(virtio_pci_plug(-1, lab->root, fake_kvm_irq(), true, &lab->fake.device, &error));
    assert_int_equal(error.code, ENOSPC);
    for (unsigned i = 0; i < PCI_LAB_SLOTS; i++) {
        virtio_pci_unplug(pci[i]);
        fake_virtio_close(&other[i]);
    }
}

static void test_pci_a_snapshot_goes_into_a_new_root(void **state)
{
    struct pci_lab *lab = *state;
    struct pci_root_state before, after, wrong;
    struct error error;

    pci_lab_plug(lab, true);
    start_driver(lab);
    pci_lab_put(lab, 0, PORT, PCI_SECONDARY_BUS, 1, 9);
    pci_lab_put(lab, 0, PORT + 2, PCI_COMMAND, 2, PCI_COMMAND_MASTER);
    pci_root_save(lab->root, &before);
    pci_lab_close(lab);
    assert_int_equal(pci_lab_open(lab), 0);
    pci_lab_plug(lab, true);
    wrong = before;
    wrong.hot_slots++;

    assert_int_equal(pci_root_restore(lab->root, &wrong, &error), -EINVAL);
    assert_int_equal(pci_root_restore(lab->root, &before, &error), 0);

    pci_root_save(lab->root, &after);
    assert_memory_equal(&before, &after, sizeof(before));
    assert_int_equal(pci_lab_get(lab, 9, 0, PCI_VENDOR_ID, 4), ID);
    pci_lab_put(lab, 0, PORT, SLTCTL, 2, LISTENS | PCI_EXP_SLTCTL_PWR_OFF);
    assert_int_equal(fake_kvm_sent().address, 0xfee01000);
}

static void test_pci_random_writes_leave_a_root_that_still_works(void **state)
{
    struct pci_lab *lab = *state;
    uint64_t random = 11;
    struct error error;
    unsigned gone = 0;

    for (unsigned i = 0; i < 200000; i++) {
        const unsigned devfn = random_below(&random, 2) == 0 ? PORT : random_below(&random, 256);
        const unsigned len = 1u << random_below(&random, 3);
        const unsigned bus_number = random_below(&random, 3) == 0 ? random_below(&random, 256) : 0;

        pci_lab_put(lab, bus_number, devfn, random_below(&random, 256) & ~(len - 1), len,
                    (uint32_t)random_next(&random));
        if (random_below(&random, 64) == 0 && lab->pci == NULL) {
            lab->pci = virtio_pci_plug(-1, lab->root, fake_kvm_irq(), true, &lab->fake.device,
                                       &error);
        } else if (random_below(&random, 64) == 0) {
            virtio_pci_unplug(lab->pci);
            lab->pci = NULL;
        } else if (random_below(&random, 64) == 0 && lab->pci != NULL) {
            (void)virtio_pci_ask_out(lab->pci, count_gone, &gone, &error);
            event_base_loop(lab->base, EVLOOP_NONBLOCK);
        }
    }
    pci_root_reset(lab->root);
    assert_int_equal(pci_lab_get(lab, 0, 0, 0, 4), 0x00081b36);
    assert_int_equal(pci_lab_get(lab, 1, 0, PCI_VENDOR_ID, 4), lab->pci != NULL ? ID : UINT32_MAX);
}

#define LAB_TEST(f) cmocka_unit_test_setup_teardown(f, lab_setup, lab_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LAB_TEST(test_pci_functions_are_where_they_should_be),
        LAB_TEST(test_pci_configuration_is_read_at_every_proper_width),
        LAB_TEST(test_pci_only_what_is_writable_is_written),
        LAB_TEST(test_pci_a_bar_is_sized_and_moved),
        LAB_TEST(test_pci_a_bar_outside_the_window_is_nowhere),
        LAB_TEST(test_pci_two_bars_at_one_place_are_one),
        LAB_TEST(test_pci_a_function_in_a_slot_is_on_its_bus),
        LAB_TEST(test_pci_a_device_plugged_in_is_told_and_powered_by_the_guest),
        LAB_TEST(test_pci_a_driver_that_listens_to_the_button_only_is_told_as_well),
        LAB_TEST(test_pci_a_guest_asked_for_a_device_lets_it_go),
        LAB_TEST(test_pci_power_off_without_being_asked_is_no_letting_go),
        LAB_TEST(test_pci_a_device_taken_out_by_surprise_is_gone),
        LAB_TEST(test_pci_a_port_interrupts_once_for_what_is_not_yet_seen),
        LAB_TEST(test_pci_slots_run_out),
        LAB_TEST(test_pci_a_snapshot_goes_into_a_new_root),
        LAB_TEST(test_pci_random_writes_leave_a_root_that_still_works),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
