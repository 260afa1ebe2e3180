/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Hostile clients against the real daemon: whatever they send, they get a clear error or a closed
 * connection, other clients are answered meanwhile, and nothing changes.
 */
#include "tests/support/control_lab.h"
#include "tests/support/random.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define REPLY_SIZE     65536u
#define REPLY_MS       5000
#define LONG_TEXT      100000u
#define HALVES         20u
#define UNREAD         5000u
#define NOISE_ROUNDS   200u
#define NOISE_BYTES    4096u
#define QUICK_MS       2000

struct fixture {
    struct lab lab;
    char *config;                  /* as it was before */
};

static int fixture_setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    assert_int_equal(lab_create(&f->lab), 0);
    assert_int_equal(lab_start(&f->lab, NULL), 0);
    control_lab_fill(&f->lab);
    f->config = control_lab_text(&f->lab, "config show");
    *state = f;
    return 0;
}

/* Whatever a test did, the daemon is well, what it holds is as it was, and it ends well. */
static int fixture_teardown(void **state)
{
    struct fixture *f = *state;
    char *config = control_lab_text(&f->lab, "config show");

    assert_string_equal(config, f->config);
    assert_int_equal(lab_stop(&f->lab), 0);
    lab_destroy(&f->lab);
    free(config);
    free(f->config);
    free(f);
    return 0;
}

static int connect_to(const struct lab *lab)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s/vswitchd.sock", lab->run_dir);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

/* Sends what the daemon takes.  @return how much */
static size_t send_some(int fd, const char *bytes, size_t len_bytes)
{
    size_t sent = 0;

    while (sent < len_bytes) {
        const ssize_t n = send(fd, bytes + sent, len_bytes - sent, MSG_NOSIGNAL);

        if (n <= 0) {
            break;
        }
        sent += (size_t)n;
    }
    return sent;
}

/* Reads a line, and maybe more.  @return the length; 0: the daemon closed; -1: it said nothing */
static ssize_t read_reply(int fd, char reply[REPLY_SIZE])
{
    size_t used = 0;

    while (used < REPLY_SIZE - 1 && memchr(reply, '\n', used) == NULL) {
        struct pollfd ready = { .fd = fd, .events = POLLIN };
        ssize_t n;

        if (poll(&ready, 1, REPLY_MS) <= 0) {
            return -1;
        }
        n = recv(fd, reply + used, REPLY_SIZE - 1 - used, 0);
        if (n <= 0) {
            return 0;
        }
        used += (size_t)n;
    }
    reply[used] = '\0';
    return (ssize_t)used;
}

static void assert_error_or_closed(const struct lab *lab, const char *line, size_t len_bytes)
{
    static char reply[REPLY_SIZE];
    const int fd = connect_to(lab);
    ssize_t n;

    (void)send_some(fd, line, len_bytes);
    (void)send_some(fd, "\n", 1);
    n = read_reply(fd, reply);
    (void)close(fd);
    if (n < 0 || (n > 0 && strstr(reply, "\"error\"") == NULL)) {
        fail_msg("%.100s was answered by: %s", line, n < 0 ? "nothing" : reply);
    }
}

static int64_t now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void assert_others_are_answered(struct lab *lab)
{
    const int64_t start = now_ms();

    assert_int_equal(lab_do(lab, "switch show lan"), 0);
    assert_true(now_ms() - start < QUICK_MS);
}

/* ---- what is no request ---------------------------------------------------------------------- */

static void test_clients_broken_requests_get_an_error(void **state)
{
    static const char *const lines[] = {
        "{", "}", "[]", "[[[[[[[[", "nonsense", "\"text\"", "12", "null", "{\"jsonrpc\":\"2.0\"}",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":7}",
        "{\"jsonrpc\":\"1.0\",\"id\":1,\"method\":\"switch.list\"}",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"switch.eat\"}",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\"}",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"switch.list\",\"params\":[1]}",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"switch.list\",\"params\":{\"x\":1}}",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"switch.list\",\"id\":2}",
        "\xff\xfe\x01", "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\xc0\x80\"}",
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        assert_error_or_closed(&f->lab, lines[i], strlen(lines[i]));
    }
}

static void test_clients_wrong_values_change_nothing(void **state)
{
    static const char *const params[] = {
        "switch.add\",\"params\":{\"name\":\"../../etc\",\"type\":\"private\"}}",
        "switch.add\",\"params\":{\"name\":\"a/b\",\"type\":\"private\"}}",
        "switch.add\",\"params\":{\"name\":\"\",\"type\":\"private\"}}",
        "switch.add\",\"params\":{\"name\":\"x\\u0000y\",\"type\":\"private\"}}",
        "switch.add\",\"params\":{\"name\":{},\"type\":\"private\"}}",
        "switch.add\",\"params\":{\"name\":\"x\",\"type\":\"bridge\"}}",
        "switch.add\",\"params\":{\"name\":\"x\",\"type\":\"private\",\"mtu\":-1}}",
        "switch.add\",\"params\":{\"name\":\"x\",\"type\":\"private\",\"mtu\":1e3}}",
        "switch.add\",\"params\":{\"name\":\"x\",\"type\":\"private\",\"mtu\":999999999999999999}}",
        "switch.add\",\"params\":{\"name\":\"x\",\"type\":\"private\",\"mac_capacity\":1000001}}",
        "vnic.add\",\"params\":{\"name\":\"x\",\"switch\":\"lan\",\"queues\":17}}",
        "vnic.add\",\"params\":{\"name\":\"x\",\"switch\":\"lan\",\"mac\":\"ff:ff:ff:ff:ff:ff\"}}",
        "vnic.add\",\"params\":{\"name\":\"x\",\"switch\":\"lan\",\"socket_group\":\"../x\"}}",
        "mac.add\",\"params\":{\"name\":\"lan\",\"mac\":\"00:00:00:00:00:00\",\"port\":\"b\"}}",
        "mac.add\",\"params\":{\"name\":\"lan\",\"mac\":\"02:00:00:00:00:02\",\"port\":\"b\","
        "\"vlan\":4096}}",
        "capture.start\",\"params\":{\"on\":\"uplink:eth0\"}}",
        "capture.start\",\"params\":{\"on\":\"vnic:\"}}",
        "capture.start\",\"params\":{\"on\":\"vnic:b\",\"filter\":\"((((\"}}",
    };
    struct fixture *f = *state;
    char line[512];

    for (size_t i = 0; i < sizeof(params) / sizeof(params[0]); i++) {
        (void)snprintf(line, sizeof(line), "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"%s",
                       params[i]);
        assert_error_or_closed(&f->lab, line, strlen(line));
    }
}

/* A file is checked by the client, with the client's rights: the daemon reads none for it. */
static void test_clients_daemon_checks_no_file(void **state)
{
    static const char line[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"config.check\","
                               "\"params\":{\"file\":\"/etc/shadow\"}}\n";
    static char reply[REPLY_SIZE];
    struct fixture *f = *state;
    const int fd = connect_to(&f->lab);

    assert_int_equal(send_some(fd, line, sizeof(line) - 1), sizeof(line) - 1);
    assert_true(read_reply(fd, reply) > 0);
    assert_non_null(strstr(reply, "-32601"));
    (void)close(fd);
}

static void test_clients_text_of_100000_characters_is_refused(void **state)
{
    static const char head[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"switch.add\","
                               "\"params\":{\"type\":\"private\",\"name\":\"";
    struct fixture *f = *state;
    char *line = malloc(sizeof(head) + LONG_TEXT + 4);

    memcpy(line, head, sizeof(head) - 1);
    memset(line + sizeof(head) - 1, 'n', LONG_TEXT);
    memcpy(line + sizeof(head) - 1 + LONG_TEXT, "\"}}", 3);
    assert_error_or_closed(&f->lab, line, sizeof(head) - 1 + LONG_TEXT + 3);
    memset(line, '[', LONG_TEXT);
    assert_error_or_closed(&f->lab, line, LONG_TEXT);
    free(line);
    assert_others_are_answered(&f->lab);
}

static void test_clients_noise_is_survived(void **state)
{
    struct fixture *f = *state;
    uint64_t random = 7;
    char noise[NOISE_BYTES];

    for (unsigned round = 0; round < NOISE_ROUNDS; round++) {
        const int fd = connect_to(&f->lab);

        for (size_t i = 0; i < NOISE_BYTES; i++) {
            noise[i] = (char)random_below(&random, 256);
        }
        (void)send_some(fd, noise, 1 + random_below(&random, NOISE_BYTES));
        (void)close(fd);
    }
    assert_others_are_answered(&f->lab);
}

/* ---- who takes his time ---------------------------------------------------------------------- */

static void test_clients_half_a_request_holds_nobody_up(void **state)
{
    static const char half[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"switch.rem";
    struct fixture *f = *state;
    int fd[HALVES];

    for (unsigned i = 0; i < HALVES; i++) {
        fd[i] = connect_to(&f->lab);
        (void)send_some(fd[i], half, sizeof(half) - 1);
    }
    assert_others_are_answered(&f->lab);
    for (unsigned i = 0; i < HALVES; i++) {
        (void)close(fd[i]);
    }
    assert_others_are_answered(&f->lab);
}

static void test_clients_reader_that_stops_reading_holds_nobody_up(void **state)
{
    static const char ask[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"stats.show\"}\n";
    struct fixture *f = *state;
    const int fd = connect_to(&f->lab);
    unsigned sent = 0;

    /* It blocks when the daemon has had enough, which is what is wanted. */
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO,
                                &(struct timeval){ .tv_usec = 300000 }, sizeof(struct timeval)), 0);
    while (sent < UNREAD && send_some(fd, ask, sizeof(ask) - 1) == sizeof(ask) - 1) {
        sent++;
    }

    assert_true(sent < UNREAD);
    assert_others_are_answered(&f->lab);
    (void)close(fd);
    assert_others_are_answered(&f->lab);
}

static void test_clients_gone_before_the_reply_leave_nothing_behind(void **state)
{
    static const char *const asks[] = {
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"stats.show\"}\n",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"capture.start\",\"params\":{\"on\":"
        "\"switch:lan\"}}\n",
    };
    struct fixture *f = *state;

    for (unsigned i = 0; i < 40; i++) {
        const int fd = connect_to(&f->lab);

        (void)send_some(fd, asks[i % 2], strlen(asks[i % 2]));
        (void)close(fd);
    }
    for (unsigned tries = 0; control_lab_count(&f->lab, "capture list") > 0; tries++) {
        assert_true(tries < 100);
        (void)usleep(50000);
    }
}

static void test_clients_captures_that_nobody_reads_are_bounded(void **state)
{
    static const char ask[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"capture.start\","
                              "\"params\":{\"on\":\"switch:lan\"}}\n";
    static char reply[REPLY_SIZE];
    struct fixture *f = *state;
    int fd[24];
    unsigned refused = 0;

    for (unsigned i = 0; i < 24; i++) {
        fd[i] = connect_to(&f->lab);
        (void)send_some(fd[i], ask, sizeof(ask) - 1);
        assert_true(read_reply(fd[i], reply) > 0);
        refused += strstr(reply, "\"error\"") != NULL;
    }

    assert_int_equal(refused, 24 - 16);
    assert_others_are_answered(&f->lab);
    for (unsigned i = 0; i < 24; i++) {
        (void)close(fd[i]);
    }
}

int main(void)
{
#define FIXTURE(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        FIXTURE(test_clients_broken_requests_get_an_error),
        FIXTURE(test_clients_wrong_values_change_nothing),
        FIXTURE(test_clients_daemon_checks_no_file),
        FIXTURE(test_clients_text_of_100000_characters_is_refused),
        FIXTURE(test_clients_noise_is_survived),
        FIXTURE(test_clients_half_a_request_holds_nobody_up),
        FIXTURE(test_clients_reader_that_stops_reading_holds_nobody_up),
        FIXTURE(test_clients_gone_before_the_reply_leave_nothing_behind),
        FIXTURE(test_clients_captures_that_nobody_reads_are_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
