/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Tests of ctl/rpc_socket, through the server: how the control socket comes to be, and who may use
 * it.
 */
#include "ctl/rpc_server.h"

#include <errno.h>
#include <grp.h>
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
#include <unistd.h>

#include <cmocka.h>
#include <event2/event.h>

#include "tests/support/fake_daemon.h"
#include "tests/support/raw_client.h"

#define NOBODY 65534

static int start(void **state)
{
    *state = fake_daemon_start(NULL);
    return 0;
}

static int stop(void **state)
{
    fake_daemon_stop(*state);
    return 0;
}

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
    int fd;

    assert_int_equal(try_create(fake_daemon_path(*state), &error), -EADDRINUSE);
    assert_non_null(strstr(error.text, "already running"));
    fd = raw_connect(fake_daemon_path(*state));
    raw_send_text(fd, RAW_LIST_REQUEST);
    raw_expect(fd, "\"result\":[");
    (void)close(fd);
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

/* ---- who may --------------------------------------------------------------------------------- */

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

            raw_send_text(fd, RAW_LIST_REQUEST);
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
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_socket_has_its_mode, start, stop),
        cmocka_unit_test_setup_teardown(test_second_daemon_is_refused_and_the_first_goes_on, start,
                                        stop),
        cmocka_unit_test(test_socket_of_a_dead_daemon_is_replaced),
        cmocka_unit_test(test_file_in_the_way_is_left_alone),
        cmocka_unit_test(test_path_that_is_too_long_is_refused),
        cmocka_unit_test(test_peer_is_let_in_by_its_credentials),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
