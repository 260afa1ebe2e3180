/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Moving the host's addresses, in a network namespace of the test's own with a gateway in another.
 *
 *     [ eth1 ]----------------------[ far, the gateway ]
 *        : in br0 after the switch is "opened"
 *     [ br0 ]---[ port ]------[ ext, the host's adapter ]
 *
 * A bridge is the switch: it takes what comes in on eth1 from the host's stack, as vswitchd does.
 */
#include "ctl/host/move_addresses.h"

#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <event2/event.h>

#include "tests/support/shell.h"

#define TRIES        100
#define PAUSE_US     100000
#define LOOP_S       30

struct room {
    pid_t gateway;                 /* a process that holds its namespace */
    char state_dir[64];
    struct event_base *base;
    struct links *links;
    struct move_addresses *move;
    struct error error;
    enum move_state changed_to;
    bool changed;
};

/* ---- the lab --------------------------------------------------------------------------------- */

/* Whether a command ends well, or does so within some tries. */
__attribute__((format(printf, 2, 3)))
static bool comes_true(int tries, const char *format, ...)
{
    struct shell_outcome outcome;
    char command[512];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(command, sizeof(command), format, args);
    va_end(args);
    while (shell_run(&outcome, 20, "sh -c '%s'", command) != 0) {
        if (--tries <= 0) {
            return false;
        }
        (void)usleep(PAUSE_US);
    }
    return true;
}

/* Writes the host's addresses and routes to a file, but those of what stands for a switch. */
static void take_picture(const struct room *room, const char *name)
{
    shell_must("sh -c '{ ip -o addr show dev eth1; ip -4 route show table all; "
               "ip -6 route show table all; } | grep -vE \"dev (ext|port|br0)\" | "
               "sed s/[0-9]*sec// > %s/%s'", room->state_dir, name);
}

/* Everything that a host may have on an interface. */
static void configure_host(void)
{
    shell_must("ip addr add 192.0.2.1/24 brd 192.0.2.255 dev eth1");
    shell_must("ip addr add 192.0.2.3/24 dev eth1 label eth1:web");
    shell_must("ip addr add 198.51.100.1/32 peer 198.51.100.9/32 dev eth1");
    shell_must("ip addr add 203.0.113.1/25 dev eth1 noprefixroute");
    shell_must("ip -6 addr add 2001:db8::1/64 dev eth1 nodad");
    shell_must("ip -6 addr add 2001:db8::2/64 dev eth1");
    shell_must("ip route add default via 192.0.2.254 dev eth1 proto dhcp src 192.0.2.3 metric 100");
    shell_must("ip route add 203.0.113.0/25 dev eth1 proto static scope link src 203.0.113.1 "
               "metric 77");
    shell_must("ip route add 10.1.0.0/16 via 192.0.2.254 dev eth1 table 100 mtu 1400 advmss 1300");
    shell_must("ip route add 10.2.0.0/16 via 10.9.9.9 dev eth1 onlink");
    shell_must("ip route add 10.3.0.0/16 nexthop via 192.0.2.254 dev eth1 weight 2 "
               "nexthop via 172.16.0.2 dev other");
    shell_must("ip -6 route add default via 2001:db8::fe dev eth1 metric 50");
    shell_must("ip -6 route add 2001:db8:2::/48 dev eth1 proto static expires 5000");
}

static void configure_gateway(const struct room *room)
{
    shell_must("nsenter -t %d -n ip addr add 192.0.2.254/24 dev far", room->gateway);
    shell_must("nsenter -t %d -n ip addr add 2001:db8::fe/64 dev far nodad", room->gateway);
    shell_must("nsenter -t %d -n ip addr add fe80::fe/64 dev far nodad", room->gateway);
    shell_must("nsenter -t %d -n ip addr add 10.9.9.9/32 dev far", room->gateway);
}

static void make_lab(const struct room *room)
{
    shell_must("ip link set lo up");
    shell_must("ip link add eth1 address 02:00:00:00:00:01 type veth peer name far netns %d",
               room->gateway);
    shell_must("nsenter -t %d -n ip link set far up", room->gateway);
    shell_must("ip link set eth1 up");
    shell_must("ip link add other type bridge");
    shell_must("ip addr add 172.16.0.1/24 dev other");
    shell_must("ip link set other up");
    shell_must("ip link add br0 type bridge");
    shell_must("ip link set br0 up");
    shell_must("ip link add ext address 02:00:00:00:00:02 type veth peer name port");
    shell_must("ip link set port master br0 up");
    shell_must("ip link set ext up");
    configure_gateway(room);
    configure_host();
    assert_true(comes_true(TRIES, "! ip -6 addr show tentative | grep -q inet6"));
    shell_must("ip -6 route add 2001:db8:1::/48 via fe80::fe dev eth1 table 200 src 2001:db8::2");
}

/* Starts a process in a network namespace of its own, which ends with this one. */
static pid_t hold_namespace(void)
{
    int ready[2];
    char byte;
    pid_t pid;

    assert_int_equal(pipe(ready), 0);
    pid = fork();
    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (unshare(CLONE_NEWNET) == 0 && write(ready[1], "x", 1) == 1) {
            (void)pause();
        }
        _exit(1);
    }
    (void)close(ready[1]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    (void)close(ready[0]);
    return pid;
}

static int setup(void **state)
{
    struct room *room = calloc(1, sizeof(*room));

    *state = room;
    if (unshare(CLONE_NEWNET) != 0) {
        print_message("# skip: a network namespace needs root\n");
        skip();
    }
    room->gateway = hold_namespace();
    make_lab(room);
    (void)snprintf(room->state_dir, sizeof(room->state_dir), "/tmp/move.XXXXXX");
    assert_non_null(mkdtemp(room->state_dir));
    room->base = event_base_new();
    room->links = links_open(&room->error);
    assert_non_null(room->links);
    return 0;
}

static int teardown(void **state)
{
    struct room *room = *state;
    struct shell_outcome outcome;

    move_back(room->move);
    links_close(room->links);
    event_base_free(room->base);
    (void)kill(room->gateway, SIGKILL);
    (void)waitpid(room->gateway, NULL, 0);
    (void)shell_run(&outcome, 10, "rm -r %s", room->state_dir);
    free(room);
    return 0;
}

/* ---- moving ---------------------------------------------------------------------------------- */

static void open_switch(void)
{
    shell_must("ip link set eth1 master br0");
}

static void close_switch(void)
{
    shell_must("ip link set eth1 nomaster");
}

static void on_change(void *context, enum move_state state)
{
    struct room *room = context;

    room->changed = true;
    room->changed_to = state;
    if (state == MOVE_TAKEN_BACK) {
        close_switch();
    }
    (void)event_base_loopbreak(room->base);
}

static void prepare(struct room *room)
{
    const struct move_config config = {
        .base = room->base, .links = room->links, .state_dir = room->state_dir, .uplink = "eth1",
        .changed = on_change, .context = room,
    };

    room->move = move_prepare(&config, &room->error);
    if (room->move == NULL) {
        fail_msg("%s", room->error.text);
    }
}

static void start(struct room *room)
{
    open_switch();
    if (move_start(room->move, "ext", &room->error) != 0) {
        fail_msg("%s", room->error.text);
    }
}

static enum move_state state_of(const struct room *room)
{
    struct move_status status;

    move_status(room->move, &status);
    return status.state;
}

/* Runs the loop until the move says that it is in another state. */
static void wait_for_change(struct room *room)
{
    const struct timeval limit = { .tv_sec = LOOP_S };

    (void)event_base_loopexit(room->base, &limit);
    (void)event_base_dispatch(room->base);
    assert_true(room->changed);
    assert_int_equal(state_of(room), room->changed_to);
}

static void assert_as_before(struct room *room)
{
    take_picture(room, "after");
    shell_must("diff -u %s/before %s/after", room->state_dir, room->state_dir);
    assert_true(comes_true(1, "! ls %s/moved-*", room->state_dir));
}

static void assert_nothing_on_the_uplink(void)
{
    shell_must("sh -c '! ip -o addr show dev eth1 | grep -v \"scope link\" | grep inet'");
    shell_must("sh -c '! ip -4 route show table all | grep eth1'");
    shell_must("sh -c '! ip -6 route show table all | grep eth1 | grep -v fe80 | grep -v ff00'");
}

/* ---- tests ----------------------------------------------------------------------------------- */

static void test_move_carries_everything_there_and_back(void **state)
{
    struct room *room = *state;
    struct move_status status;

    assert_true(comes_true(TRIES, "ping -c 1 -W 1 192.0.2.254 && ping -c 1 -W 1 2001:db8::fe"));
    take_picture(room, "before");
    prepare(room);
    start(room);
    assert_int_equal(state_of(room), MOVE_CONFIRMING);
    assert_nothing_on_the_uplink();
    wait_for_change(room);

    assert_int_equal(room->changed_to, MOVE_CONFIRMED);
    assert_true(comes_true(1, "ip route show table 100 | grep -q \"dev ext mtu 1400\""));
    assert_true(comes_true(1, "ip route show 10.2.0.0/16 | grep -q \"dev ext onlink\""));
    assert_true(comes_true(1, "ip -6 route show table 200 | grep -q \"dev ext src 2001:db8::2\""));
    assert_true(comes_true(1, "ip -o addr show dev ext | grep -q \"peer 198.51.100.9/32\""));
    assert_true(comes_true(TRIES, "ping -c 1 -W 1 192.0.2.254 && ping -c 1 -W 1 2001:db8::fe"));
    move_status(room->move, &status);
    assert_int_equal(status.addresses, 6);
    assert_int_equal(status.routes, 11);

    close_switch();
    move_back(room->move);
    room->move = NULL;
    assert_as_before(room);
    assert_true(comes_true(TRIES, "ping -c 1 -W 1 192.0.2.254 && ping -c 1 -W 1 2001:db8::fe"));
}

static void test_move_tells_neighbours_where_the_addresses_are(void **state)
{
    struct room *room = *state;

    assert_true(comes_true(TRIES, "ping -c 1 -W 1 192.0.2.254 && "
                           "ping -c 1 -W 1 -I 2001:db8::1 2001:db8::fe"));
    assert_true(comes_true(1, "nsenter -t %d -n ip neigh show 2001:db8::1 | grep -q 00:00:00:01",
                           room->gateway));
    prepare(room);
    start(room);
    wait_for_change(room);

    assert_true(comes_true(TRIES, "nsenter -t %d -n ip neigh show 192.0.2.1 | "
                           "grep -q 00:00:00:02", room->gateway));
    assert_true(comes_true(TRIES, "nsenter -t %d -n ip neigh show 2001:db8::1 | "
                           "grep -q 00:00:00:02", room->gateway));
}

static void test_move_is_taken_back_when_a_gateway_is_gone(void **state)
{
    struct room *room = *state;
    struct move_status status;

    take_picture(room, "before");
    prepare(room);
    shell_must("nsenter -t %d -n ip addr del 192.0.2.254/24 dev far", room->gateway);
    start(room);
    assert_int_equal(state_of(room), MOVE_CONFIRMING);
    wait_for_change(room);

    assert_int_equal(room->changed_to, MOVE_TAKEN_BACK);
    move_status(room->move, &status);
    assert_non_null(strstr(status.text, "192.0.2.254 did not answer"));
    assert_as_before(room);
    shell_must("nsenter -t %d -n ip addr add 192.0.2.254/24 dev far", room->gateway);
    assert_true(comes_true(TRIES, "ping -c 1 -W 1 192.0.2.254"));
}

static void test_move_without_a_gateway_that_answered_is_kept(void **state)
{
    struct room *room = *state;
    struct move_status status;

    shell_must("nsenter -t %d -n ip addr flush dev far", room->gateway);
    prepare(room);
    start(room);

    assert_int_equal(state_of(room), MOVE_UNCONFIRMED);
    move_status(room->move, &status);
    assert_non_null(strstr(status.text, "no gateway had answered before"));
    assert_nothing_on_the_uplink();
}

static void test_move_that_the_kernel_refuses_changes_nothing(void **state)
{
    struct room *room = *state;

    shell_must("sh -c 'echo 1 > /proc/sys/net/ipv6/conf/ext/disable_ipv6'");
    take_picture(room, "before");
    prepare(room);

    assert_int_not_equal(move_start(room->move, "ext", &room->error), 0);
    assert_non_null(strstr(room->error.text, "the address 2001:db8::1/64 cannot be added"));
    assert_as_before(room);
    assert_true(comes_true(1, "! ip -o addr show dev ext | grep -q inet"));
}

/* The daemon is killed: its adapter is gone, and the next start finds the record. */
static void test_move_is_undone_by_the_next_start_after_a_crash(void **state)
{
    struct room *room = *state;
    pid_t pid;
    int status = -1;

    take_picture(room, "before");
    pid = fork();
    if (pid == 0) {
        prepare(room);
        open_switch();
        _exit(move_start(room->move, "ext", &room->error) == 0 ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_nothing_on_the_uplink();
    shell_must("ip link del ext");
    close_switch();

    move_recover(room->links, room->state_dir);

    assert_as_before(room);
}

static void test_move_recovers_nothing_from_another_boot_or_a_damaged_file(void **state)
{
    struct room *room = *state;

    take_picture(room, "before");
    shell_must("sh -c 'echo {\\\"version\\\": 1, \\\"host\\\": \\\"x/1\\\", \\\"ifindex\\\": 2, "
               "\\\"name\\\": \\\"eth1\\\", \\\"noted_s\\\": 1, \\\"items\\\": []} "
               "> %s/moved-2.json'",
               room->state_dir);
    shell_must("sh -c 'echo nonsense > %s/moved-3.json'", room->state_dir);

    move_recover(room->links, room->state_dir);

    assert_true(comes_true(1, "ls %s/moved-3.json.damaged", room->state_dir));
    assert_true(comes_true(1, "! ls %s/moved-2.json*", room->state_dir));
    shell_must("rm %s/moved-3.json.damaged", room->state_dir);
    assert_as_before(room);
}

static void test_move_refuses_a_route_that_shares_its_next_hop(void **state)
{
    struct room *room = *state;
    const struct move_config config = {
        .base = room->base, .links = room->links, .state_dir = room->state_dir, .uplink = "eth1",
    };

    shell_must("ip nexthop add id 7 via 192.0.2.254 dev eth1");
    shell_must("ip route add 10.7.0.0/16 nhid 7");

    assert_null(move_prepare(&config, &room->error));
    assert_non_null(strstr(room->error.text, "nexthop object"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_move_carries_everything_there_and_back, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_move_tells_neighbours_where_the_addresses_are, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_move_is_taken_back_when_a_gateway_is_gone, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_move_without_a_gateway_that_answered_is_kept, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_move_that_the_kernel_refuses_changes_nothing, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_move_is_undone_by_the_next_start_after_a_crash, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            test_move_recovers_nothing_from_another_boot_or_a_damaged_file, setup, teardown),
        cmocka_unit_test_setup_teardown(test_move_refuses_a_route_that_shares_its_next_hop, setup,
                                        teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
