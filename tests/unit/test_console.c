/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The console's stream to its file and client, and what is typed into its ports.
 */
#include "vmm/console.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <event2/event.h>

#define TURNS_MAX 1000

struct fake_port {
    struct console_port port;
    char got[64];
    size_t len_bytes;
    size_t room_bytes;
};

struct console_lab {
    struct event_base *base;
    struct console *console;
    struct fake_port serial, virtio;
    char file[64];
    int client;                    /* the far end of the console's, -1: none */
};

static size_t fake_type(void *context, const uint8_t *bytes, size_t len_bytes)
{
    struct fake_port *fake = context;
    const size_t taken = len_bytes < fake->room_bytes ? len_bytes : fake->room_bytes;

    memcpy(fake->got + fake->len_bytes, bytes, taken);
    fake->len_bytes += taken;
    fake->room_bytes -= taken;
    return taken;
}

static int lab_setup(void **state)
{
    struct console_lab *lab = calloc(1, sizeof(*lab));
    struct error error;
    int fd;

    snprintf(lab->file, sizeof(lab->file), "/tmp/test_console.XXXXXX");
    fd = mkstemp(lab->file);
    assert_true(fd >= 0);
    close(fd);
    lab->client = -1;
    lab->base = event_base_new();
    lab->console = console_create(lab->base, lab->file, &error);
    assert_non_null(lab->console);
    lab->serial.port = (struct console_port){ .type = fake_type, .context = &lab->serial };
    lab->virtio.port = (struct console_port){ .type = fake_type, .context = &lab->virtio };
    console_add_port(lab->console, &lab->serial.port);
    *state = lab;
    return 0;
}

static int lab_teardown(void **state)
{
    struct console_lab *lab = *state;

    console_remove_port(lab->console, &lab->serial.port);
    console_destroy(lab->console);
    event_base_free(lab->base);
    if (lab->client >= 0) {
        close(lab->client);
    }
    unlink(lab->file);
    free(lab);
    return 0;
}

/* Whatever the main thread has to do now. */
static void turn(struct console_lab *lab)
{
    for (unsigned i = 0; i < 8; i++) {
        event_base_loop(lab->base, EVLOOP_NONBLOCK);
    }
}

static void attach(struct console_lab *lab)
{
    int pair[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    console_attach(lab->console, pair[0]);
    lab->client = pair[1];
    assert_int_equal(fcntl(lab->client, F_SETFL, O_NONBLOCK), 0);
}

static void guest_writes(struct console_lab *lab, const char *text)
{
    console_write(lab->console, &lab->serial.port, (const uint8_t *)text, strlen(text));
}

static void assert_client_reads(struct console_lab *lab, const char *text)
{
    char got[128] = "";
    const ssize_t len_bytes = read(lab->client, got, sizeof(got) - 1);

    assert_int_equal(len_bytes, strlen(text));
    assert_string_equal(got, text);
}

static void assert_file_has(struct console_lab *lab, const char *text)
{
    char got[128] = "";
    const int fd = open(lab->file, O_RDONLY | O_CLOEXEC);

    assert_int_equal(read(fd, got, sizeof(got) - 1), strlen(text));
    assert_string_equal(got, text);
    close(fd);
}

static void test_console_file_gets_all(void **state)
{
    struct console_lab *lab = *state;

    guest_writes(lab, "one ");
    turn(lab);
    guest_writes(lab, "two");
    turn(lab);

    assert_file_has(lab, "one two");
}

static void test_console_file_is_appended_to(void **state)
{
    struct console_lab *lab = *state;

    guest_writes(lab, "first");
    console_destroy(lab->console);
    lab->console = console_create(lab->base, lab->file, NULL);
    guest_writes(lab, " second");
    turn(lab);

    assert_file_has(lab, "first second");
}

static void test_console_file_that_cannot_be_made_is_refused(void **state)
{
    struct console_lab *lab = *state;
    struct error error = { 0 };

    assert_null(console_create(lab->base, "/nowhere/console", &error));
    assert_non_null(strstr(error.text, "/nowhere/console"));
}

static void test_console_full_file_costs_the_guest_nothing(void **state)
{
    struct console_lab *lab = *state;
    struct console *full = console_create(lab->base, "/dev/full", NULL);

    assert_non_null(full);
    for (unsigned i = 0; i < 3; i++) {
        console_write(full, &lab->serial.port, (const uint8_t *)"lost", 4);
        turn(lab);
    }
    console_destroy(full);
}

static void test_console_slow_pipe_gets_the_newest(void **state)
{
    struct console_lab *lab = *state;
    char name[80];
    uint8_t block[4096];
    struct console *slow;
    size_t got = 0;
    int reader;

    snprintf(name, sizeof(name), "%s.pipe", lab->file);
    assert_int_equal(mkfifo(name, 0600), 0);
    reader = open(name, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    assert_true(fcntl(reader, F_SETPIPE_SZ, 4096) >= 0);
    slow = console_create(lab->base, name, NULL);
    assert_non_null(slow);

    for (unsigned i = 0; i < 64; i++) {
        memset(block, 'a' + (int)(i % 26), sizeof(block));
        console_write(slow, &lab->serial.port, block, sizeof(block));
        turn(lab);
    }
    for (unsigned i = 0; i < TURNS_MAX; i++) {
        const ssize_t len_bytes = read(reader, block, sizeof(block));

        got += len_bytes > 0 ? (size_t)len_bytes : 0;
        turn(lab);
    }

    assert_true(got >= CONSOLE_KEPT_BYTES);
    assert_true(got <= CONSOLE_KEPT_BYTES + 3 * sizeof(block));
    console_destroy(slow);
    close(reader);
    unlink(name);
}

static void test_console_client_gets_what_was_kept_and_what_comes(void **state)
{
    struct console_lab *lab = *state;

    guest_writes(lab, "kept,");
    turn(lab);
    attach(lab);
    turn(lab);
    assert_client_reads(lab, "kept,");

    guest_writes(lab, "new");
    turn(lab);

    assert_client_reads(lab, "new");
}

static void test_console_keeps_the_last_bytes_over_the_rings_end(void **state)
{
    struct console_lab *lab = *state;
    static uint8_t written[3 * CONSOLE_KEPT_BYTES], got[CONSOLE_KEPT_BYTES];
    size_t have = 0;

    for (size_t i = 0; i < sizeof(written); i++) {
        written[i] = (uint8_t)(i * 7 + i / 256);
    }
    console_write(lab->console, &lab->serial.port, written, 1000);
    console_write(lab->console, &lab->serial.port, written, sizeof(written));
    attach(lab);
    for (unsigned i = 0; i < TURNS_MAX && have < sizeof(got); i++) {
        const ssize_t len_bytes = read(lab->client, got + have, sizeof(got) - have);

        have += len_bytes > 0 ? (size_t)len_bytes : 0;
        turn(lab);
    }

    assert_int_equal(have, sizeof(got));
    assert_memory_equal(got, written + sizeof(written) - sizeof(got), sizeof(got));
}

static void test_console_newer_client_takes_the_place(void **state)
{
    struct console_lab *lab = *state;
    char byte;
    int older;

    attach(lab);
    older = lab->client;
    attach(lab);
    guest_writes(lab, "x");
    turn(lab);

    assert_int_equal(read(older, &byte, 1), 0);
    assert_client_reads(lab, "x");
    close(older);
}

static void test_console_client_that_goes_is_forgotten(void **state)
{
    struct console_lab *lab = *state;

    attach(lab);
    close(lab->client);
    turn(lab);
    guest_writes(lab, "nobody reads");
    turn(lab);
    attach(lab);
    turn(lab);

    assert_client_reads(lab, "nobody reads");
}

static void test_console_typed_bytes_come_as_there_is_room(void **state)
{
    struct console_lab *lab = *state;

    attach(lab);
    lab->serial.room_bytes = 2;
    assert_int_equal(write(lab->client, "hello", 5), 5);
    turn(lab);
    assert_int_equal(lab->serial.len_bytes, 2);

    lab->serial.room_bytes = 60;
    turn(lab);
    assert_int_equal(lab->serial.len_bytes, 2);
    console_room(lab->console);
    turn(lab);

    assert_string_equal(lab->serial.got, "hello");
}

static void test_console_types_into_the_port_that_wrote_last(void **state)
{
    struct console_lab *lab = *state;

    lab->serial.room_bytes = 60;
    lab->virtio.room_bytes = 60;
    console_add_port(lab->console, &lab->virtio.port);
    attach(lab);
    assert_int_equal(write(lab->client, "a", 1), 1);
    turn(lab);
    guest_writes(lab, "login: ");
    assert_int_equal(write(lab->client, "b", 1), 1);
    turn(lab);
    console_remove_port(lab->console, &lab->virtio.port);

    assert_string_equal(lab->virtio.got, "a");
    assert_string_equal(lab->serial.got, "b");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, lab_setup, lab_teardown)
        TEST(test_console_file_gets_all),
        TEST(test_console_file_is_appended_to),
        TEST(test_console_file_that_cannot_be_made_is_refused),
        TEST(test_console_full_file_costs_the_guest_nothing),
        TEST(test_console_slow_pipe_gets_the_newest),
        TEST(test_console_client_gets_what_was_kept_and_what_comes),
        TEST(test_console_keeps_the_last_bytes_over_the_rings_end),
        TEST(test_console_newer_client_takes_the_place),
        TEST(test_console_client_that_goes_is_forgotten),
        TEST(test_console_typed_bytes_come_as_there_is_room),
        TEST(test_console_types_into_the_port_that_wrote_last),
#undef TEST
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
