/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Tests of ctl/rpc_server: that no client, broken or hostile, costs more than its own connection.
 */
#include "ctl/rpc_server.h"

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
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "ctl/rpc.h"
#include "tests/support/fake_daemon.h"
#include "tests/support/raw_client.h"

#define WAIT_MS       RAW_WAIT_MS
#define MACS_REQUEST  "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"mac.show\"," \
                      "\"params\":{\"name\":\"lan\"}}\n"

/* ---- helpers --------------------------------------------------------------------------------- */

static int64_t now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void sleep_ms(int ms)
{
    (void)poll(NULL, 0, ms);
}

/* The daemon still answers others; at once, or when it has seen off those who left. */
static void assert_serves(const struct fake_daemon *fake)
{
    const int64_t began_ms = now_ms();
    bool served = false;

    while (!served && now_ms() - began_ms < WAIT_MS) {
        const int fd = raw_connect(fake_daemon_path(fake));
        char *line;

        assert_true(fd >= 0);
        raw_send_text(fd, RAW_LIST_REQUEST);
        line = raw_line(fd);
        (void)close(fd);
        assert_non_null(line);
        served = strstr(line, "\"result\":[") != NULL;
        assert_true(served || strstr(line, "clients are connected") != NULL);
        free(line);
        sleep_ms(served ? 0 : 50);
    }
    assert_true(served);
}

static int start(void **state)
{
    *state = fake_daemon_start(NULL);
    return 0;
}

/* Limits that a test can wait for. */
static int start_impatient(void **state)
{
    const struct rpc_server_config limits = {
        .group = RPC_NO_GROUP,
        .request_deadline_ms = 300,
        .idle_deadline_ms = 1000,
        .write_deadline_ms = 300,
    };

    *state = fake_daemon_start(&limits);
    return 0;
}

/* Room for few. */
static int start_small(void **state)
{
    const struct rpc_server_config limits = { .group = RPC_NO_GROUP, .clients_max = 4 };

    *state = fake_daemon_start(&limits);
    return 0;
}

static int stop(void **state)
{
    fake_daemon_stop(*state);
    return 0;
}

/* ---- requests -------------------------------------------------------------------------------- */

static void test_requests_sent_at_once_are_answered_in_order(void **state)
{
    const int fd = raw_connect(fake_daemon_path(*state));
    char request[128];

    for (int i = 0; i < 100; i++) {
        (void)snprintf(request, sizeof(request),
                       "{\"jsonrpc\":\"2.0\",\"id\":%d,\"method\":\"switch.list\"}\n", i);
        raw_send_text(fd, request);
    }

    for (int i = 0; i < 100; i++) {
        (void)snprintf(request, sizeof(request), "\"id\":%d,", i);
        raw_expect(fd, request);
    }
    (void)close(fd);
}

static void test_request_in_pieces_is_answered(void **state)
{
    const int fd = raw_connect(fake_daemon_path(*state));

    for (const char *c = RAW_LIST_REQUEST; *c != '\0'; c++) {
        raw_send(fd, c, 1);
    }

    raw_expect(fd, "\"result\":[");
    (void)close(fd);
}

static void test_handler_that_refuses_is_told_with_its_errno(void **state)
{
    const int fd = raw_connect(fake_daemon_path(*state));

    raw_send_text(fd, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"switch.show\","
                      "\"params\":{\"name\":\"nope\"}}\n");

    raw_expect(fd, "\"code\":-32000,\"message\":\"There is no switch nope; `switch list` lists "
                    "them.\",\"data\":{\"errno\":2}");
    (void)close(fd);
}

static void test_wrong_request_is_told_and_the_connection_goes_on(void **state)
{
    static const struct { const char *request, *answer; } wrong[] = {
        { "{broken\n", "-32700" },
        { "\n", "-32700" },
        { "[]\n", "-32600" },
        { "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"switch.explode\"}\n", "-32601" },
        { "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"vnic.add\"}\n", "-32601" },
        { "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"switch.list\",\"params\":{\"x\":1}}\n",
          "-32602" },
        { "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"switch.show\",\"params\":{\"name\":5}}\n",
          "-32602" },
        { "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"switch.show\","
          "\"params\":{\"name\":\"../../etc\"}}\n", "-32602" },
    };
    const unsigned calls = fake_daemon_calls(*state);
    const int fd = raw_connect(fake_daemon_path(*state));

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        raw_send_text(fd, wrong[i].request);
        raw_expect(fd, wrong[i].answer);
    }

    assert_int_equal(fake_daemon_calls(*state), calls);
    raw_send_text(fd, RAW_LIST_REQUEST);
    raw_expect(fd, "\"result\":[");
    (void)close(fd);
}

/* Sends a request for switch.show whose line, with its newline, has @p len_bytes. */
static void send_long_request(int fd, size_t len_bytes)
{
    static const char head[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"switch.show\","
                               "\"params\":{\"name\":\"";
    char *line = malloc(len_bytes);

    memset(line, 'a', len_bytes);
    memcpy(line, head, strlen(head));
    memcpy(line + len_bytes - 4, "\"}}\n", 4);
    raw_send(fd, line, len_bytes);
    free(line);
}

static void test_request_of_the_greatest_length_is_read(void **state)
{
    const int fd = raw_connect(fake_daemon_path(*state));

    send_long_request(fd, RPC_REQUEST_MAX_BYTES);

    raw_expect(fd, "-32602");
    raw_send_text(fd, RAW_LIST_REQUEST);
    raw_expect(fd, "\"result\":[");
    (void)close(fd);
}

static void test_request_that_is_too_long_ends_the_connection(void **state)
{
    static const size_t lengths[] = { RPC_REQUEST_MAX_BYTES + 1, 100000, 4000000 };

    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        const int fd = raw_connect(fake_daemon_path(*state));

        send_long_request(fd, lengths[i]);

        raw_expect(fd, "A request has at most 65536 bytes.");
        raw_expect_end(fd);
    }
    assert_serves(*state);
}

static void test_client_that_sends_no_more_still_gets_its_reply(void **state)
{
    const int fd = raw_connect(fake_daemon_path(*state));

    raw_send_text(fd, MACS_REQUEST);
    (void)shutdown(fd, SHUT_WR);

    raw_expect(fd, "\"result\":[");
    raw_expect_end(fd);
}

/* ---- time ------------------------------------------------------------------------------------ */

static void test_half_a_request_ends_after_its_deadline(void **state)
{
    const int fd = raw_connect(fake_daemon_path(*state));

    raw_send_text(fd, "{\"jsonrpc\":");

    raw_expect(fd, "did not come in time");
    raw_expect_end(fd);
}

static void test_request_that_trickles_ends_after_the_same_deadline(void **state)
{
    const int fd = raw_connect(fake_daemon_path(*state));
    const int64_t began_ms = now_ms();
    struct pollfd poll_fd = { .fd = fd, .events = POLLIN };

    while (poll(&poll_fd, 1, 50) == 0 && now_ms() - began_ms < WAIT_MS) {
        raw_send_text(fd, "{");
    }

    assert_true(now_ms() - began_ms < 2000);
    raw_expect(fd, "did not come in time");
    (void)close(fd);
}

static void test_idle_connection_ends(void **state)
{
    const int fd = raw_connect(fake_daemon_path(*state));

    raw_send_text(fd, RAW_LIST_REQUEST);

    raw_expect(fd, "\"result\":[");
    raw_expect_end(fd);
}

static void test_client_that_reads_no_replies_is_closed_and_holds_nobody(void **state)
{
    const int fd = raw_connect(fake_daemon_path(*state));
    const unsigned calls = fake_daemon_calls(*state);
    const int64_t began_ms = now_ms();
    bool closed = false;

    for (int i = 0; i < 1000 && !closed; i++) {
        closed = send(fd, MACS_REQUEST, strlen(MACS_REQUEST), MSG_NOSIGNAL | MSG_DONTWAIT) < 0 &&
                 errno == EPIPE;
    }
    assert_serves(*state);
    while (!closed && now_ms() - began_ms < WAIT_MS) {
        struct pollfd poll_fd = { .fd = fd, .events = 0 };

        closed = poll(&poll_fd, 1, 50) == 1 && (poll_fd.revents & POLLHUP) != 0;
    }

    assert_true(closed);
    /* Paused after the first reply: the daemon did not do the work of a thousand. */
    assert_true(fake_daemon_calls(*state) - calls <= 3);
    (void)close(fd);
}

static void test_client_that_reads_slowly_gets_all_replies(void **state)
{
    const int fd = raw_connect(fake_daemon_path(*state));

    for (int i = 0; i < 10; i++) {
        raw_send_text(fd, MACS_REQUEST);
    }

    for (int i = 0; i < 10; i++) {
        sleep_ms(100);
        raw_expect(fd, "\"result\":[");
    }
    (void)close(fd);
}

/* ---- many ------------------------------------------------------------------------------------ */

static void test_client_over_the_limit_is_told_and_the_next_one_served(void **state)
{
    int fds[4];
    int extra;

    for (size_t i = 0; i < 4; i++) {
        fds[i] = raw_connect(fake_daemon_path(*state));
        raw_send_text(fds[i], RAW_LIST_REQUEST);
        raw_expect(fds[i], "\"result\":[");
    }
    extra = raw_connect(fake_daemon_path(*state));

    raw_expect(extra, "4 clients are connected, which is the most");
    raw_expect_end(extra);
    (void)close(fds[0]);
    assert_serves(*state);
    for (size_t i = 1; i < 4; i++) {
        (void)close(fds[i]);
    }
}

static void test_clients_that_come_and_go_leave_nothing(void **state)
{
    for (int i = 0; i < 1000; i++) {
        const int fd = raw_connect(fake_daemon_path(*state));

        if (fd >= 0) {
            raw_send_text(fd, i % 100 == 0 ? MACS_REQUEST : i % 2 == 0 ? RAW_LIST_REQUEST : "{\"j");
            (void)close(fd);
        }
    }

    assert_serves(*state);
}

/* ---- what follows a reply -------------------------------------------------------------------- */

#define CAPTURE_REQUEST "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"capture.start\"," \
                        "\"params\":{\"on\":\"switch:lan\",\"frames\":1}}\n"

static void test_socket_is_handed_over_after_the_reply(void **state)
{
    const unsigned taken = fake_daemon_sockets_taken(*state);
    const int fd = raw_connect(fake_daemon_path(*state));
    char stream[sizeof(FAKE_HEAD)] = "";

    raw_send_text(fd, CAPTURE_REQUEST RAW_LIST_REQUEST);

    raw_expect(fd, "\"result\":{\"id\":1}");
    assert_int_equal(recv(fd, stream, sizeof(stream) - 1, MSG_WAITALL), sizeof(stream) - 1);
    assert_string_equal(stream, FAKE_HEAD);
    raw_expect_end(fd);
    assert_int_equal(fake_daemon_sockets_taken(*state), taken + 1);
}

static void test_socket_of_a_client_that_left_is_accounted_for(void **state)
{
    const unsigned before = fake_daemon_sockets_taken(*state) + fake_daemon_sockets_lost(*state);
    const int64_t began_ms = now_ms();

    for (int i = 0; i < 50; i++) {
        const int fd = raw_connect(fake_daemon_path(*state));

        raw_send_text(fd, CAPTURE_REQUEST);
        (void)close(fd);
    }
    while (fake_daemon_sockets_taken(*state) + fake_daemon_sockets_lost(*state) < before + 50 &&
           now_ms() - began_ms < WAIT_MS) {
        sleep_ms(10);
    }

    assert_int_equal(fake_daemon_sockets_taken(*state) + fake_daemon_sockets_lost(*state),
                     before + 50);
}

static void test_daemon_replies_before_it_stops(void **state)
{
    const int fd = raw_connect(fake_daemon_path(*state));
    const int64_t began_ms = now_ms();
    int again;

    raw_send_text(fd, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"daemon.stop\"}\n");

    raw_expect(fd, "\"result\":{}");
    raw_expect_end(fd);
    while ((again = raw_connect(fake_daemon_path(*state))) >= 0 && now_ms() - began_ms < WAIT_MS) {
        (void)close(again);
        sleep_ms(10);
    }
    assert_int_equal(again, -ENOENT);
}

int main(void)
{
#define PATIENT(test) cmocka_unit_test_setup_teardown(test, start, stop)
#define IMPATIENT(test) cmocka_unit_test_setup_teardown(test, start_impatient, stop)
    const struct CMUnitTest tests[] = {
        PATIENT(test_requests_sent_at_once_are_answered_in_order),
        PATIENT(test_request_in_pieces_is_answered),
        PATIENT(test_handler_that_refuses_is_told_with_its_errno),
        PATIENT(test_wrong_request_is_told_and_the_connection_goes_on),
        PATIENT(test_request_of_the_greatest_length_is_read),
        PATIENT(test_request_that_is_too_long_ends_the_connection),
        PATIENT(test_client_that_sends_no_more_still_gets_its_reply),
        IMPATIENT(test_half_a_request_ends_after_its_deadline),
        IMPATIENT(test_request_that_trickles_ends_after_the_same_deadline),
        IMPATIENT(test_idle_connection_ends),
        IMPATIENT(test_client_that_reads_no_replies_is_closed_and_holds_nobody),
        PATIENT(test_client_that_reads_slowly_gets_all_replies),
        cmocka_unit_test_setup_teardown(test_client_over_the_limit_is_told_and_the_next_one_served,
                                        start_small, stop),
        PATIENT(test_clients_that_come_and_go_leave_nothing),
        PATIENT(test_socket_is_handed_over_after_the_reply),
        PATIENT(test_socket_of_a_client_that_left_is_accounted_for),
        PATIENT(test_daemon_replies_before_it_stops),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
