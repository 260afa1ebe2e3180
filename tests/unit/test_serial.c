/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The 16550A, register by register, and as Linux's 8250 driver probes and uses it.
 */
#include "vmm/serial.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>
#include <event2/event.h>
#include <linux/serial_reg.h>

#include "tests/support/fake_kvm.h"
#include "tests/support/random.h"

#define RANDOM_ACCESSES 200000

struct serial_lab {
    struct event_base *base;
    struct bus *bus;
    struct console *console;
    struct serial *serial;
    int terminal;                  /* the far end of the console's client */
};

static int lab_setup(void **state)
{
    struct serial_lab *lab = calloc(1, sizeof(*lab));
    int pair[2];

    fake_kvm_reset();
    lab->base = event_base_new();
    lab->bus = bus_create();
    lab->console = console_create(lab->base, NULL, NULL);
    lab->serial = serial_create(lab->bus, fake_kvm_irq(), lab->console, NULL);
    assert_non_null(lab->serial);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    console_attach(lab->console, pair[0]);
    lab->terminal = pair[1];
    assert_int_equal(fcntl(lab->terminal, F_SETFL, O_NONBLOCK), 0);
    *state = lab;
    return 0;
}

static int lab_teardown(void **state)
{
    struct serial_lab *lab = *state;

    serial_destroy(lab->serial);
    console_destroy(lab->console);
    bus_destroy(lab->bus);
    event_base_free(lab->base);
    close(lab->terminal);
    free(lab);
    return 0;
}

static void turn(struct serial_lab *lab)
{
    for (unsigned i = 0; i < 8; i++) {
        event_base_loop(lab->base, EVLOOP_NONBLOCK);
    }
}

static uint8_t get(struct serial_lab *lab, unsigned reg)
{
    uint8_t value = 0xff;

    bus_read(lab->bus, BUS_PORTS, SERIAL_PORT + reg, &value, 1);
    return value;
}

static void put(struct serial_lab *lab, unsigned reg, unsigned value)
{
    const uint8_t byte = (uint8_t)value;

    bus_write(lab->bus, BUS_PORTS, SERIAL_PORT + reg, &byte, 1);
}

static void type_text(struct serial_lab *lab, const char *text)
{
    assert_int_equal(write(lab->terminal, text, strlen(text)), strlen(text));
    turn(lab);
}

static void assert_terminal_shows(struct serial_lab *lab, const char *text)
{
    char got[128] = "";

    turn(lab);
    assert_int_equal(read(lab->terminal, got, sizeof(got) - 1), strlen(text));
    assert_string_equal(got, text);
}

static void test_serial_after_reset_reads_as_the_data_sheet_says(void **state)
{
    static const uint8_t expected[SERIAL_REGISTERS] = {
        [UART_RX] = 0,
        [UART_IER] = 0,
        [UART_IIR] = UART_IIR_NO_INT,
        [UART_LCR] = UART_LCR_WLEN8,
        [UART_MCR] = 0,
        [UART_LSR] = UART_LSR_THRE | UART_LSR_TEMT,
        [UART_MSR] = UART_MSR_DCD | UART_MSR_DSR | UART_MSR_CTS,
        [UART_SCR] = 0,
    };

    for (unsigned i = 0; i < SERIAL_REGISTERS; i++) {
        assert_int_equal(get(*state, i), expected[i]);
    }
}

/* What drivers/tty/serial/8250 does to find out that there is a 16550A, and no other chip. */
static void test_serial_is_probed_as_a_16550a(void **state)
{
    struct serial_lab *lab = *state;

    put(lab, UART_IER, 0);
    assert_int_equal(get(lab, UART_IER) & 0x0f, 0);
    put(lab, UART_IER, 0x0f);
    assert_int_equal(get(lab, UART_IER), 0x0f);
    put(lab, UART_IER, 0x40 | 0x0f);               /* no XScale: its bit does not stick */
    assert_int_equal(get(lab, UART_IER), 0x0f);
    put(lab, UART_IER, 0);

    put(lab, UART_MCR, UART_MCR_LOOP | 0x0a);
    assert_int_equal(get(lab, UART_MSR) & 0xf0, 0x90);
    put(lab, UART_MCR, 0);

    put(lab, UART_LCR, UART_LCR_CONF_MODE_B);
    put(lab, UART_EFR, 0);
    put(lab, UART_LCR, 0);
    put(lab, UART_FCR, UART_FCR_ENABLE_FIFO);
    assert_int_equal(get(lab, UART_IIR) >> 6, 3);
    put(lab, UART_LCR, UART_LCR_CONF_MODE_A);
    assert_int_not_equal(get(lab, UART_EFR), 0);   /* no extended features */
    put(lab, UART_LCR, 0);
    put(lab, UART_FCR, UART_FCR_ENABLE_FIFO | UART_FCR7_64BYTE);
    assert_int_equal(get(lab, UART_IIR) >> 5, 6);  /* a FIFO of 16, not of 64 */
}

static void test_serial_divisor_latch_hides_data_and_ier(void **state)
{
    struct serial_lab *lab = *state;

    put(lab, UART_IER, UART_IER_RDI);
    put(lab, UART_LCR, UART_LCR_DLAB | UART_LCR_WLEN8);
    put(lab, UART_DLL, 0x12);
    put(lab, UART_DLM, 0x34);
    assert_int_equal(get(lab, UART_DLL), 0x12);
    assert_int_equal(get(lab, UART_DLM), 0x34);
    put(lab, UART_LCR, UART_LCR_WLEN8);

    assert_int_equal(get(lab, UART_IER), UART_IER_RDI);
    turn(lab);
    assert_int_equal(read(lab->terminal, &(char){ 0 }, 1), -1);
}

static void test_serial_scratch_keeps_any_byte(void **state)
{
    struct serial_lab *lab = *state;

    for (unsigned value = 0; value < 256; value++) {
        put(lab, UART_SCR, value);
        assert_int_equal(get(lab, UART_SCR), value);
    }
}

static void test_serial_shows_what_is_sent_by_ports_and_memory(void **state)
{
    struct serial_lab *lab = *state;

    put(lab, UART_TX, 'p');
    bus_write(lab->bus, BUS_MEMORY, SERIAL_GPA + UART_TX, (const uint8_t *)"m", 1);

    assert_terminal_shows(lab, "pm");
}

static void test_serial_access_of_more_bytes_is_none(void **state)
{
    struct serial_lab *lab = *state;
    uint8_t data[4] = "abcd";

    bus_write(lab->bus, BUS_MEMORY, SERIAL_GPA, data, 4);
    bus_read(lab->bus, BUS_MEMORY, SERIAL_GPA, data, 4);

    assert_memory_equal(data, "\xff\xff\xff\xff", 4);
    turn(lab);
    assert_int_equal(read(lab->terminal, data, 1), -1);
}

/* The test of Linux's driver for chips whose transmitter does not interrupt again. */
static void test_serial_empty_transmitter_interrupts_each_time_it_is_enabled(void **state)
{
    struct serial_lab *lab = *state;

    for (unsigned i = 0; i < 2; i++) {
        put(lab, UART_IER, UART_IER_THRI);
        assert_int_equal(fake_kvm_line_count(SERIAL_GSI), 1);
        assert_int_equal(get(lab, UART_IIR), UART_IIR_THRI);
        assert_int_equal(get(lab, UART_IIR), UART_IIR_NO_INT);
        put(lab, UART_IER, 0);
    }
}

static void test_serial_each_byte_sent_interrupts(void **state)
{
    struct serial_lab *lab = *state;

    put(lab, UART_IER, UART_IER_THRI);
    assert_int_equal(fake_kvm_line_count(SERIAL_GSI), 1);
    put(lab, UART_TX, 'a');
    put(lab, UART_TX, 'b');

    assert_int_equal(fake_kvm_line_count(SERIAL_GSI), 2);
    assert_int_equal(get(lab, UART_IIR), UART_IIR_THRI);
}

static void test_serial_typed_bytes_wait_for_room(void **state)
{
    struct serial_lab *lab = *state;
    const char text[] = "more than sixteen bytes are typed";
    char got[sizeof(text)] = "";

    put(lab, UART_FCR, UART_FCR_ENABLE_FIFO);
    put(lab, UART_IER, UART_IER_RDI);
    type_text(lab, text);
    assert_int_equal(fake_kvm_line_count(SERIAL_GSI), 1);
    for (size_t i = 0; i < strlen(text); i++) {
        assert_int_equal(get(lab, UART_IIR), UART_IIR_RDI | 0xc0);
        assert_int_equal(get(lab, UART_LSR), UART_LSR_DR | UART_LSR_THRE | UART_LSR_TEMT);
        got[i] = (char)get(lab, UART_RX);
        turn(lab);
    }

    assert_string_equal(got, text);
    assert_int_equal(get(lab, UART_LSR) & UART_LSR_DR, 0);
    assert_int_equal(fake_kvm_line_count(SERIAL_GSI), 2);      /* once for each filled FIFO */
}

static void test_serial_without_fifo_holds_one_byte(void **state)
{
    struct serial_lab *lab = *state;

    type_text(lab, "ab");
    assert_int_equal(get(lab, UART_RX), 'a');
    turn(lab);

    assert_int_equal(get(lab, UART_RX), 'b');
}

static void test_serial_loop_receives_what_is_sent_and_nothing_else(void **state)
{
    struct serial_lab *lab = *state;

    put(lab, UART_MCR, UART_MCR_LOOP);
    put(lab, UART_TX, 'l');
    type_text(lab, "t");
    assert_int_equal(get(lab, UART_RX), 'l');
    assert_int_equal(get(lab, UART_LSR) & UART_LSR_DR, 0);
    put(lab, UART_MCR, 0);
    turn(lab);

    assert_int_equal(get(lab, UART_RX), 't');
    assert_int_equal(read(lab->terminal, &(char){ 0 }, 1), -1);
}

static void test_serial_loop_overruns(void **state)
{
    struct serial_lab *lab = *state;

    put(lab, UART_MCR, UART_MCR_LOOP);
    put(lab, UART_IER, UART_IER_RLSI);
    put(lab, UART_TX, '1');
    put(lab, UART_TX, '2');

    assert_int_equal(get(lab, UART_IIR), UART_IIR_RLSI);
    assert_true((get(lab, UART_LSR) & UART_LSR_OE) != 0);
    assert_true((get(lab, UART_LSR) & UART_LSR_OE) == 0);
    assert_int_equal(get(lab, UART_RX), '1');
}

static void test_serial_modem_lines_tell_of_changes(void **state)
{
    struct serial_lab *lab = *state;

    put(lab, UART_IER, UART_IER_MSI);
    put(lab, UART_MCR, UART_MCR_LOOP | UART_MCR_OUT1);
    assert_int_equal(get(lab, UART_IIR), UART_IIR_MSI);
    assert_int_equal(get(lab, UART_MSR),
                     UART_MSR_RI | UART_MSR_DCTS | UART_MSR_DDSR | UART_MSR_DDCD);
    assert_int_equal(get(lab, UART_IIR), UART_IIR_NO_INT);
    put(lab, UART_MCR, UART_MCR_LOOP);

    assert_int_equal(get(lab, UART_MSR), UART_MSR_TERI);
}

static void test_serial_state_goes_round(void **state)
{
    struct serial_lab *lab = *state;
    struct serial_state before, after;

    put(lab, UART_FCR, UART_FCR_ENABLE_FIFO | UART_FCR_TRIGGER_8);
    put(lab, UART_LCR, UART_LCR_DLAB);
    put(lab, UART_DLL, 12);
    put(lab, UART_LCR, UART_LCR_WLEN7);
    put(lab, UART_MCR, UART_MCR_LOOP | UART_MCR_OUT2);
    put(lab, UART_SCR, 0x5a);
    put(lab, UART_TX, 'x');
    put(lab, UART_IER, UART_IER_RDI);
    serial_save(lab->serial, &before);
    serial_destroy(lab->serial);
    (void)fake_kvm_line_count(SERIAL_GSI);
    lab->serial = serial_create(lab->bus, fake_kvm_irq(), lab->console, NULL);

    assert_int_equal(serial_restore(lab->serial, &before, NULL), 0);
    serial_save(lab->serial, &after);

    assert_memory_equal(&before, &after, sizeof(before));
    assert_int_equal(fake_kvm_line_count(SERIAL_GSI), 1);
    assert_int_equal(get(lab, UART_RX), 'x');
}

static void test_serial_state_of_a_liar_is_refused(void **state)
{
    struct serial_lab *lab = *state;
    struct serial_state lie = { .received_count = 17, .fcr = 0xff };
    struct error error = { 0 };

    assert_int_not_equal(serial_restore(lab->serial, &lie, &error), 0);
    lie.fcr = 0;
    lie.received_count = 2;
    assert_int_not_equal(serial_restore(lab->serial, &lie, &error), 0);

    assert_int_not_equal(strlen(error.text), 0);
}

static void test_serial_random_accesses_harm_nothing(void **state)
{
    struct serial_lab *lab = *state;
    uint64_t seed = 16550;
    uint8_t byte;

    for (unsigned i = 0; i < RANDOM_ACCESSES; i++) {
        const unsigned reg = random_below(&seed, SERIAL_REGISTERS);
        struct serial_state is;

        if (random_below(&seed, 2) == 0) {
            put(lab, reg, random_below(&seed, 256));
        } else {
            (void)get(lab, reg);
        }
        serial_save(lab->serial, &is);
        assert_true(is.received_count <= SERIAL_FIFO_BYTES);
        assert_int_equal(serial_restore(lab->serial, &is, NULL), 0);
        if (i % 64 == 0) {
            (void)write(lab->terminal, "typed", 5);
            turn(lab);
            (void)read(lab->terminal, &byte, 1);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, lab_setup, lab_teardown)
        TEST(test_serial_after_reset_reads_as_the_data_sheet_says),
        TEST(test_serial_is_probed_as_a_16550a),
        TEST(test_serial_divisor_latch_hides_data_and_ier),
        TEST(test_serial_scratch_keeps_any_byte),
        TEST(test_serial_shows_what_is_sent_by_ports_and_memory),
        TEST(test_serial_access_of_more_bytes_is_none),
        TEST(test_serial_empty_transmitter_interrupts_each_time_it_is_enabled),
        TEST(test_serial_each_byte_sent_interrupts),
        TEST(test_serial_typed_bytes_wait_for_room),
        TEST(test_serial_without_fifo_holds_one_byte),
        TEST(test_serial_loop_receives_what_is_sent_and_nothing_else),
        TEST(test_serial_loop_overruns),
        TEST(test_serial_modem_lines_tell_of_changes),
        TEST(test_serial_state_goes_round),
        TEST(test_serial_state_of_a_liar_is_refused),
        TEST(test_serial_random_accesses_harm_nothing),
#undef TEST
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
