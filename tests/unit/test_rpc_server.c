/* SPDX-License-Identifier: BSD-3-Clause */
/* Tests of ctl/rpc_server: that no client, broken or hostile, costs more than its own connection. */
#include "ctl/rpc_server.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <event2/event.h>

#include "ctl/client.h"
#include "ctl/rpc.h"
#include "tests/support/fake_daemon.h"

#define WAIT_MS       5000
#define LINE_SIZE     (4 * 1024 * 1024)
#define LIST_REQUEST  "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"switch.list\"}\n"
#define MACS_REQUEST  "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"mac.show\"," \
                      "\"params\":{\"name\":\"lan\"}}\n"
#define NOBODY        65534

/* ---- a client that does as it likes ----------------------------------------------------------------- */

static int raw_connect(const char *path)
{
    const struct timeval wait = { .tv_sec = WAIT_MS / 1000 };
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
    if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) != 0) {
        (void)close(fd);
        return -errno;
    }
    return fd;
}

static void raw_send(int fd, const char *bytes, size_t len_bytes)
{
    while (len_bytes > 0) {
        const ssize_t n = send(fd, bytes, len_bytes, MSG_NOSIGNAL);

        if (n <= 0) {
            return;                                 /* turned away while sending: that is tested */
        }
        bytes += n;
        len_bytes -= (size_t)n;
    }
}

static void raw_send_text(int fd, const char *text)
{
    raw_send(fd, text, strlen(text));
}

/* Reads one line; @return owned, or NULL at the end of the stream.  Waiting in vain fails the test. */
static char *raw_line(int fd)
{
    char *line = malloc(LINE_SIZE);
    size_t used = 0;

    while (used + 1 < LINE_SIZE) {
        const ssize_t peeked = recv(fd, line + used, LINE_SIZE - 1 - used, MSG_PEEK);
        const char *end = peeked > 0 ? memchr(line + used, '\n', (size_t)peeked) : NULL;
        const size_t take = end != NULL ? (size_t)(end - line) + 1 - used : (size_t)peeked;

        if (peeked <= 0) {
            free(line);
            if (peeked < 0 && errno == EAGAIN) {
                fail_msg("nothing came in time");
            }
            return NULL;
        }
        (void)recv(fd, line + used, take, 0);
        used += take;
        if (end != NULL) {
            line[used] = '\0';
            return line;
        }
    }
    fail_msg("a line without an end");
    return NULL;
}

/* Reads one reply and checks that @p part is in it. */
static void assert_line(int fd, const char *part)
{
    char *line = raw_line(fd);

    assert_non_null(line);
    if (strstr(line, part) == NULL) {
        fail_msg("\"%s\" is not in: %.300s", part, line);
    }
    free(line);
}

static void assert_closed(int fd)
{
    char *line = raw_line(fd);

    if (line != NULL) {
        fail_msg("not closed, but: %.300s", line);
    }
    (void)close(fd);
}

/* The daemon still answers others, and at once. */
static void assert_serves(const struct fake_daemon *fake)
{
    const int fd = raw_connect(fake_daemon_path(fake));

    assert_true(fd >= 0);
    raw_send_text(fd, LIST_REQUEST);
    assert_line(fd, "\"result\":[");
    (void)close(fd);
}

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
        .clients_max = 4,
        .request_deadline_ms = 300,
        .idle_deadline_ms = 1000,
        .write_deadline_ms = 300,
    };

    *state = fake_daemon_start(&limits);
    return 0;
}

static int stop(void **state)
{
    fake_daemon_stop(*state);
    return 0;
}

/* ---- requests ---------------------------------------------------------------------------------------- */

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
        assert_line(fd, request);
    }
    (void)close(fd);
}

static void test_request_in_pieces_is_answered(void **state)
{
    const int fd = raw_connect(fake_daemon_path(*state));

    for (const char *c = LIST_REQUEST; *c != '\0'; c++) {
        raw_send(fd, c, 1);
    }

    assert_line(fd, "\"result\":[");
    (void)close(fd);
}

static void test_handler_that_refuses_is_told_with_its_errno(void **state)
{
    const int fd = raw_connect(fake_daemon_path(*state));

    raw_send_text(fd, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"switch.show\","
                      "\"params\":{\"name\":\"nope\"}}\n");

    assert_line(fd, "\"code\":-32000,\"message\":\"There is no switch nope; `switch list` lists "
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
        assert_line(fd, wrong[i].answer);
    }

    assert_int_equal(fake_daemon_calls(*state), calls);
    raw_send_text(fd, LIST_REQUEST);
    assert_line(fd, "\"result\":[");
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

    assert_line(fd, "-32602");
    raw_send_text(fd, LIST_REQUEST);
    assert_line(fd, "\"result\":[");
    (void)close(fd);
}

static void test_request_that_is_too_long_ends_the_connection(void **state)
{
    static const size_t lengths[] = { RPC_REQUEST_MAX_BYTES + 1, 100000, 4000000 };

    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        const int fd = raw_connect(fake_daemon_path(*state));

        send_long_request(fd, lengths[i]);

        assert_line(fd, "A request has at most 65536 bytes.");
        assert_closed(fd);
    }
    assert_serves(*state);
}

static void test_client_that_sends_no_more_still_gets_its_reply(void **state)
{
    const int fd = raw_connect(fake_daemon_path(*state));

    raw_send_text(fd, MACS_REQUEST);
    (void)shutdown(fd, SHUT_WR);

    assert_line(fd, "\"result\":[");
    assert_closed(fd);
}

/* ---- time -------------------------------------------------------------------------------------------- */

static void test_half_a_request_ends_after_its_deadline(void **state)
{
    const int fd = raw_connect(fake_daemon_path(*state));

    raw_send_text(fd, "{\"jsonrpc\":");

    assert_line(fd, "did not come in time");
    assert_closed(fd);
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
    assert_line(fd, "did not come in time");
    (void)close(fd);
}

static void test_idle_connection_ends(void **state)
{
    const int fd = raw_connect(fake_daemon_path(*state));

    raw_send_text(fd, LIST_REQUEST);

    assert_line(fd, "\"result\":[");
    assert_closed(fd);
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
        assert_line(fd, "\"result\":[");
    }
    (void)close(fd);
}

/* ---- many -------------------------------------------------------------------------------------------- */

static void test_client_over_the_limit_is_told_and_the_next_one_served(void **state)
{
    int fds[4];
    int extra;

    for (size_t i = 0; i < 4; i++) {
        fds[i] = raw_connect(fake_daemon_path(*state));
        raw_send_text(fds[i], LIST_REQUEST);
        assert_line(fds[i], "\"result\":[");
    }
    extra = raw_connect(fake_daemon_path(*state));

    assert_line(extra, "4 clients are connected, which is the most");
    assert_closed(extra);
    (void)close(fds[0]);
    sleep_ms(100);
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
            raw_send_text(fd, i % 2 == 0 ? MACS_REQUEST : "{\"json");
            (void)close(fd);
        }
    }

    sleep_ms(200);
    assert_serves(*state);
}

/* ---- what follows a reply ----------------------------------------------------------------------------- */

#define CAPTURE_REQUEST "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"capture.start\"," \
                        "\"params\":{\"on\":\"switch:lan\",\"frames\":1}}\n"

static void test_socket_is_handed_over_after_the_reply(void **state)
{
    const unsigned taken = fake_daemon_sockets_taken(*state);
    const int fd = raw_connect(fake_daemon_path(*state));
    char stream[sizeof(FAKE_HEAD)] = "";

    raw_send_text(fd, CAPTURE_REQUEST LIST_REQUEST);

    assert_line(fd, "\"result\":{\"id\":1}");
    assert_int_equal(recv(fd, stream, sizeof(stream) - 1, MSG_WAITALL), sizeof(stream) - 1);
    assert_string_equal(stream, FAKE_HEAD);
    assert_closed(fd);
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

    raw_send_text(fd, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"daemon.stop\"}\n");

    assert_line(fd, "\"result\":{}");
    assert_closed(fd);
    sleep_ms(200);
    assert_int_equal(raw_connect(fake_daemon_path(*state)), -ENOENT);
}

/* ---- the socket --------------------------------------------------------------------------------------- */

/* Tries to open a server at @p path. */
static int try_create(const char *path, struct error *error)
{
    static const rpc_handler none[METHOD_COUNT];
    struct event_base *base = event_base_new();
    const struct rpc_server_config config = {
        .base = base, .path = path, .group = RPC_NO_GROUP, .handlers = none,
    };
    struct rpc_server *server = NULL;
    const int rc = rpc_server_create(&config, &server, error);

    rpc_server_destroy(server);
    event_base_free(base);
    return rc;
}

static void test_socket_has_its_mode(void **state)
{
    struct stat st;

    assert_int_equal(stat(fake_daemon_path(*state), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0660);
}

static void test_second_daemon_is_refused_and_the_first_goes_on(void **state)
{
    struct error error = { 0 };

    assert_int_equal(try_create(fake_daemon_path(*state), &error), -EADDRINUSE);
    assert_non_null(strstr(error.text, "already running"));
    assert_serves(*state);
}

static void test_socket_of_a_dead_daemon_is_replaced(void **state)
{
    char dir[] = "/tmp/vswitch-test-XXXXXX";
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct error error = { 0 };

    (void)state;
    assert_non_null(mkdtemp(dir));
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s/s", dir);
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    (void)close(fd);

    assert_int_equal(try_create(address.sun_path, &error), 0);
    assert_int_not_equal(access(address.sun_path, F_OK), 0);
    assert_int_equal(rmdir(dir), 0);
}

static void test_file_in_the_way_is_left_alone(void **state)
{
    char path[] = "/tmp/vswitch-test-XXXXXX";
    struct error error = { 0 };
    const int fd = mkstemp(path);

    (void)state;
    (void)close(fd);

    assert_int_equal(try_create(path, &error), -EEXIST);
    assert_non_null(strstr(error.text, "in the way"));
    assert_int_equal(unlink(path), 0);
}

static void test_path_that_is_too_long_is_refused(void **state)
{
    char path[200];
    struct error error = { 0 };

    (void)state;
    memset(path, 'x', sizeof(path));
    memcpy(path, "/tmp/", 5);
    path[sizeof(path) - 1] = '\0';

    assert_int_equal(try_create(path, &error), -ENAMETOOLONG);
}

/* ---- who may --------------------------------------------------------------------------------------- */

/* As another user, in @p group besides its own: what is the answer's first line?  @return owned */
static char *ask_as_nobody(const char *path, gid_t group)
{
    int pipe_fds[2];
    char *line = calloc(1, 4096);
    pid_t child;

    assert_int_equal(pipe(pipe_fds), 0);
    child = fork();
    if (child == 0) {
        if (setgroups(group != RPC_NO_GROUP ? 1 : 0, &group) == 0 && setgid(NOBODY) == 0 &&
            setuid(NOBODY) == 0) {
            const int fd = raw_connect(path);
            char *answer;

            raw_send_text(fd, LIST_REQUEST);
            answer = raw_line(fd);
            if (answer != NULL) {
                (void)!write(pipe_fds[1], answer, strnlen(answer, 4095));
            }
        }
        _exit(0);
    }
    (void)close(pipe_fds[1]);
    (void)!read(pipe_fds[0], line, 4095);
    (void)close(pipe_fds[0]);
    (void)waitpid(child, NULL, 0);
    return line;
}

static void test_peer_is_let_in_by_its_credentials(void **state)
{
    const gid_t group = 54321;
    const struct rpc_server_config limits = { .group = group };
    struct fake_daemon *fake;
    char *line;

    (void)state;
    if (geteuid() != 0) {
        (void)printf("# skip: only root can become another user\n");
        skip();
    }
    fake = fake_daemon_start(&limits);
    /* The file's permissions are out of the way, so that it is the server that decides. */
    assert_int_equal(chmod(fake_daemon_dir(fake), 0755), 0);
    assert_int_equal(chmod(fake_daemon_path(fake), 0666), 0);

    line = ask_as_nobody(fake_daemon_path(fake), RPC_NO_GROUP);
    assert_non_null(strstr(line, "Only root and members"));
    free(line);
    assert_int_equal(fake_daemon_calls(fake), 0);
    line = ask_as_nobody(fake_daemon_path(fake), group);
    assert_non_null(strstr(line, "\"result\":["));
    free(line);
    fake_daemon_stop(fake);
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
        IMPATIENT(test_client_over_the_limit_is_told_and_the_next_one_served),
        PATIENT(test_clients_that_come_and_go_leave_nothing),
        PATIENT(test_socket_is_handed_over_after_the_reply),
        PATIENT(test_socket_of_a_client_that_left_is_accounted_for),
        PATIENT(test_daemon_replies_before_it_stops),
        PATIENT(test_socket_has_its_mode),
        PATIENT(test_second_daemon_is_refused_and_the_first_goes_on),
        cmocka_unit_test(test_socket_of_a_dead_daemon_is_replaced),
        cmocka_unit_test(test_file_in_the_way_is_left_alone),
        cmocka_unit_test(test_path_that_is_too_long_is_refused),
        cmocka_unit_test(test_peer_is_let_in_by_its_credentials),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
