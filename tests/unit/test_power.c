/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Off, reset and the power button, as a guest's ACPI code and its fallbacks use them.
 */
#include "vmm/power.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/fake_kvm.h"
#include "vmm/acpi.h"

#define STATUS  ACPI_PM1_PORT
#define ENABLE  (ACPI_PM1_PORT + 2u)
#define CONTROL (ACPI_PM1_PORT + 4u)

#define BUTTON  0x0100u
#define SLP_EN  0x2000u
#define SCI_EN  0x0001u
#define SLEEP_TYPE(type) ((uint16_t)((type) << 10))

struct power_lab {
    struct bus *bus;
    struct power *power;
    unsigned ends;
    enum vcpu_end end;
};

static void on_ended(void *context, enum vcpu_end end, const char *why)
{
    struct power_lab *lab = context;

    assert_string_equal(why, "");
    lab->ends++;
    lab->end = end;
}

static int lab_setup(void **state)
{
    struct power_lab *lab = calloc(1, sizeof(*lab));
    struct error error;

    fake_kvm_reset();
    lab->bus = bus_create();
    lab->power = power_create(lab->bus, fake_kvm_irq(), on_ended, lab, &error);
    assert_non_null(lab->power);
    *state = lab;
    return 0;
}

static int lab_teardown(void **state)
{
    struct power_lab *lab = *state;

    power_destroy(lab->power);
    bus_destroy(lab->bus);
    free(lab);
    return 0;
}

static uint16_t get(struct power_lab *lab, uint16_t port)
{
    uint16_t value;

    bus_read(lab->bus, BUS_PORTS, port, (uint8_t *)&value, sizeof(value));
    return value;
}

static void put(struct power_lab *lab, uint16_t port, uint16_t value)
{
    bus_write(lab->bus, BUS_PORTS, port, (const uint8_t *)&value, sizeof(value));
}

static uint8_t get_byte(struct power_lab *lab, uint16_t port)
{
    uint8_t value;

    bus_read(lab->bus, BUS_PORTS, port, &value, sizeof(value));
    return value;
}

static void put_byte(struct power_lab *lab, uint16_t port, uint8_t value)
{
    bus_write(lab->bus, BUS_PORTS, port, &value, sizeof(value));
}

static void test_power_sleep_type_of_s5_with_enable_turns_off(void **state)
{
    struct power_lab *lab = *state;

    put(lab, CONTROL, SLEEP_TYPE(ACPI_SLEEP_OFF));     /* ACPICA writes the type first */
    assert_int_equal(lab->ends, 0);
    put(lab, CONTROL, SLEEP_TYPE(ACPI_SLEEP_OFF) | SLP_EN);

    assert_int_equal(lab->ends, 1);
    assert_int_equal(lab->end, VCPU_END_POWER_OFF);
    assert_int_equal(get(lab, CONTROL), SLEEP_TYPE(ACPI_SLEEP_OFF) | SCI_EN);
}

static void test_power_sleep_by_the_high_byte_alone_turns_off(void **state)
{
    struct power_lab *lab = *state;

    put_byte(lab, CONTROL + 1, (SLEEP_TYPE(ACPI_SLEEP_OFF) | SLP_EN) >> 8);

    assert_int_equal(lab->ends, 1);
}

static void test_power_other_sleep_types_do_nothing(void **state)
{
    struct power_lab *lab = *state;

    for (unsigned type = 0; type < 8; type++) {
        if (type != ACPI_SLEEP_OFF) {
            put(lab, CONTROL, SLEEP_TYPE(type) | SLP_EN);
        }
    }

    assert_int_equal(lab->ends, 0);
}

static void test_power_acpi_mode_cannot_be_left(void **state)
{
    struct power_lab *lab = *state;

    assert_int_equal(get(lab, CONTROL), SCI_EN);
    put(lab, CONTROL, 0);

    assert_int_equal(get(lab, CONTROL), SCI_EN);
}

static void test_power_reset_register_resets_by_its_bit_only(void **state)
{
    struct power_lab *lab = *state;

    put_byte(lab, ACPI_RESET_PORT, 0x02);
    assert_int_equal(lab->ends, 0);
    assert_int_equal(get_byte(lab, ACPI_RESET_PORT), 0x02);
    put_byte(lab, ACPI_RESET_PORT, 0x06);

    assert_int_equal(lab->ends, 1);
    assert_int_equal(lab->end, VCPU_END_RESET);
}

static void test_power_keyboard_controller_resets_by_one_command_only(void **state)
{
    struct power_lab *lab = *state;

    assert_int_equal(get_byte(lab, 0x64) & 0x02, 0);   /* it is never busy: kernels wait for that */
    for (unsigned command = 0; command < 0xfe; command++) {
        put_byte(lab, 0x64, (uint8_t)command);
    }
    put_byte(lab, 0x64, 0xff);
    assert_int_equal(lab->ends, 0);
    put_byte(lab, 0x64, 0xfe);

    assert_int_equal(lab->ends, 1);
    assert_int_equal(lab->end, VCPU_END_RESET);
}

static void test_power_button_nobody_listens_to_does_nothing(void **state)
{
    struct power_lab *lab = *state;

    assert_false(power_button(lab->power));
    put(lab, ENABLE, BUTTON);

    assert_int_equal(get(lab, STATUS), 0);
    assert_int_equal(fake_kvm_level(ACPI_SCI_GSI), 0);
}

static void test_power_button_raises_the_sci_until_its_status_is_cleared(void **state)
{
    struct power_lab *lab = *state;

    put(lab, ENABLE, BUTTON);
    assert_true(power_button(lab->power));

    assert_int_equal(get(lab, STATUS), BUTTON);
    assert_int_equal(fake_kvm_level(ACPI_SCI_GSI), 1);
    put(lab, STATUS, 0);                               /* clears nothing */
    assert_int_equal(fake_kvm_level(ACPI_SCI_GSI), 1);
    put(lab, STATUS, BUTTON);
    assert_int_equal(get(lab, STATUS), 0);
    assert_int_equal(fake_kvm_level(ACPI_SCI_GSI), 0);
    assert_int_equal(lab->ends, 0);
}

static void test_power_button_disabled_while_pressed_lowers_the_sci(void **state)
{
    struct power_lab *lab = *state;

    put(lab, ENABLE, BUTTON);
    assert_true(power_button(lab->power));
    put(lab, ENABLE, 0);

    assert_int_equal(fake_kvm_level(ACPI_SCI_GSI), 0);
    assert_int_equal(get(lab, STATUS), BUTTON);
}

static void test_power_keeps_only_bits_that_are_there(void **state)
{
    struct power_lab *lab = *state;

    put(lab, STATUS, 0xffff);
    put(lab, ENABLE, 0xffff);
    put(lab, CONTROL, 0xc3ff);                         /* all but the sleep fields */

    assert_int_equal(get(lab, STATUS), 0);
    assert_int_equal(get(lab, ENABLE), BUTTON | 0x0020);
    assert_int_equal(get(lab, CONTROL), 0x0003);
    assert_int_equal(lab->ends, 0);
}

static void test_power_made_anew_is_as_at_power_on(void **state)
{
    struct power_lab *lab = *state;

    put(lab, ENABLE, BUTTON);
    assert_true(power_button(lab->power));
    power_destroy(lab->power);
    lab->power = power_create(lab->bus, fake_kvm_irq(), on_ended, lab, NULL);

    assert_non_null(lab->power);
    assert_int_equal(get(lab, ENABLE), 0);
    assert_int_equal(fake_kvm_level(ACPI_SCI_GSI), 0);
}

static void test_power_snapshot_goes_round_with_the_interrupt(void **state)
{
    struct power_lab *lab = *state;
    struct power_state saved, again;

    put(lab, ENABLE, BUTTON | 0x0020);
    put(lab, CONTROL, SLEEP_TYPE(3));
    put_byte(lab, ACPI_RESET_PORT, 0x0a);
    assert_true(power_button(lab->power));
    power_save(lab->power, &saved);
    power_restore(lab->power, &(struct power_state){ 0 });
    assert_int_equal(fake_kvm_level(ACPI_SCI_GSI), 0);
    power_restore(lab->power, &saved);
    power_save(lab->power, &again);

    assert_memory_equal(&again, &saved, sizeof(saved));
    assert_int_equal(saved.enable, BUTTON | 0x0020);
    assert_int_equal(saved.status, BUTTON);
    assert_int_equal(fake_kvm_level(ACPI_SCI_GSI), 1);
}

static void test_power_snapshot_of_a_liar_has_no_other_bits(void **state)
{
    struct power_lab *lab = *state;
    struct power_state liar, state_now;

    memset(&liar, 0xff, sizeof(liar));
    power_restore(lab->power, &liar);
    power_save(lab->power, &state_now);

    assert_int_equal(state_now.status, BUTTON);
    assert_int_equal(state_now.enable, BUTTON | 0x0020);
    assert_int_equal(state_now.control, SLEEP_TYPE(7) | 0x0003);
    assert_int_equal(state_now.reset_control, 0x0a);
    assert_int_equal(lab->ends, 0);
}

static void test_power_where_a_port_is_taken_is_refused_and_leaves_none(void **state)
{
    static const struct bus_ops ops = { 0 };
    struct power_lab *lab = *state;
    struct error error;

    assert_null(power_create(lab->bus, fake_kvm_irq(), on_ended, lab, &error));
    assert_non_null(strstr(error.text, "overlap"));
    power_destroy(lab->power);
    lab->power = NULL;
    assert_int_equal(bus_add(lab->bus, BUS_PORTS, 0x64, 1, &ops, NULL, NULL), 0);
    assert_null(power_create(lab->bus, fake_kvm_irq(), on_ended, lab, &error));

    assert_int_equal(get(lab, CONTROL), 0xffff);
    assert_int_equal(get_byte(lab, ACPI_RESET_PORT), 0xff);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, lab_setup, lab_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_power_sleep_type_of_s5_with_enable_turns_off),
        TEST(test_power_sleep_by_the_high_byte_alone_turns_off),
        TEST(test_power_other_sleep_types_do_nothing),
        TEST(test_power_acpi_mode_cannot_be_left),
        TEST(test_power_reset_register_resets_by_its_bit_only),
        TEST(test_power_keyboard_controller_resets_by_one_command_only),
        TEST(test_power_button_nobody_listens_to_does_nothing),
        TEST(test_power_button_raises_the_sci_until_its_status_is_cleared),
        TEST(test_power_button_disabled_while_pressed_lowers_the_sci),
        TEST(test_power_keeps_only_bits_that_are_there),
        TEST(test_power_made_anew_is_as_at_power_on),
        TEST(test_power_snapshot_goes_round_with_the_interrupt),
        TEST(test_power_snapshot_of_a_liar_has_no_other_bits),
        TEST(test_power_where_a_port_is_taken_is_refused_and_leaves_none),
    };
#undef TEST

    return cmocka_run_group_tests(tests, NULL, NULL);
}
