/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Members of a team come and go under a steady load of numbered frames: none comes twice, none
 * overtakes another of its flow, and what is lost is lost at the moment a link is.
 *
 * The load is a guest's, its other end whatever comes out of the members' far ends.  A carrier is
 * lost by setting the far end down, as when the other side of a cable loses its power.
 */
#include "tests/support/flow_load.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/support/lab.h"
#include "tests/support/lacp_peer.h"
#include "tests/support/shell.h"
#include "tests/support/station.h"

#define MEMBERS      3u
#define FLOWS        100u
#define RATE_FPS     100000u
#define STEP_US      700000u           /* between two events */
#define PATIENCE_S   10u

static const uint8_t vm_mac[6] = { 0x02, 0, 0, 0, 0, 0x0a };
static const uint8_t peer_mac[6] = { 0x02, 0, 0, 0, 0, 0x0b };

struct fixture {
    struct lab lab;
    struct station vm;
    struct station far;
    struct flow_load *load;
    struct lacp_peer *peer;            /* NULL: nobody speaks LACP */
};

/* ---- the scene ------------------------------------------------------------------------------- */

static void run(const char *command)
{
    struct shell_outcome outcome;

    if (shell_run(&outcome, 10, "%s", command) != 0) {
        print_message("# %s: %s\n", command, outcome.output);
        fail();
    }
}

static int setup(void **state)
{
    static struct fixture fixture;
    char command[160];

    if (geteuid() != 0 || station_leave_host() != 0) {
        *state = NULL;
        return 0;
    }
    memset(&fixture, 0, sizeof(fixture));
    for (unsigned i = 1; i <= MEMBERS; i++) {
        (void)snprintf(command, sizeof(command), "ip link add up%u address 02:00:00:00:01:%02u "
                       "type veth peer name far%u && ip link set up%u up && ip link set far%u up",
                       i, i, i, i, i);
        run(command);
    }
    run("sysctl -qw net.ipv6.conf.all.disable_ipv6=1 2>/dev/null || true");
    *state = &fixture;
    return lab_create(&fixture.lab) == 0 && lab_start(&fixture.lab, NULL) == 0 ? 0 : -1;
}

static int teardown(void **state)
{
    struct fixture *x = *state;

    if (x != NULL) {
        lab_destroy(&x->lab);
    }
    return 0;
}

static void need(const struct fixture *x)
{
    if (x == NULL) {
        print_message("# skip: network namespaces need root\n");
        skip();
    }
}

static bool carries(struct fixture *x, const char *where, bool wanted)
{
    struct lab_answer answer;
    bool is_so = false;
    size_t at;
    json_t *member;

    for (unsigned tries = 0; tries < PATIENCE_S * 10 && !is_so; tries++) {
        (void)lab_ask(&x->lab, &answer, "team show t0");
        json_array_foreach(lab_value(answer.json, "members"), at, member) {
            is_so |= strcmp(json_string_value(json_object_get(member, "name")), where) == 0 &&
                     json_is_true(json_object_get(member, "active")) == wanted;
        }
        lab_answer_release(&answer);
        (void)usleep(is_so ? 0 : 100000);
    }
    return is_so;
}

/* A switch with a team of up1 and up2, a guest that the network knows, and the load. */
static void begin(struct fixture *x, const char *words)
{
    struct flow_load_config config = {
        .from = &x->vm.frontend, .flows = FLOWS, .frames_per_second = RATE_FPS,
        .interface = { "far1", "far2", "far3" },
    };

    assert_int_equal(lab_do(&x->lab, "team add t0 --members up1,up2 --up-delay 100ms %s", words),
                     0);
    assert_int_equal(lab_do(&x->lab, "switch add ext --type external --uplink team:t0"), 0);
    assert_int_equal(lab_do(&x->lab, "vnic add vm --switch ext --mac 02:00:00:00:00:0a"), 0);
    assert_int_equal(station_attach(&x->vm, &x->lab, "vm", vm_mac), 0);
    assert_int_equal(station_open(&x->far, "far1", peer_mac), 0);
    assert_true(carries(x, "up1", true));
    assert_true(carries(x, "up2", true));
    assert_int_equal(station_send(&x->far, vm_mac, STATION_UNTAGGED, 1), 0);
    memcpy(config.from_mac, vm_mac, sizeof(vm_mac));
    memcpy(config.to_mac, peer_mac, sizeof(peer_mac));
    x->load = flow_load_start(&config);
    assert_non_null(x->load);
    (void)usleep(STEP_US);
}

static void end(struct fixture *x, struct flow_load_result *result)
{
    flow_load_end(x->load, result);
    station_close(&x->far);
    station_close(&x->vm);
    assert_int_equal(lab_do(&x->lab, "switch remove ext --force"), 0);
    assert_int_equal(lab_do(&x->lab, "team remove t0"), 0);
}

/* ---- what must hold, whatever happens -------------------------------------------------------- */

/* @p may_lose  that a link was lost */
static void check(const char *name, const struct flow_load_result *result, bool may_lose)
{
    print_message("# measured: %s: %llu frames at %u/s over %u flows, %llu lost\n", name,
                  (unsigned long long)result->sent_frames, RATE_FPS, FLOWS,
                  (unsigned long long)result->lost_frames);
    assert_int_equal(result->twice_frames, 0);
    assert_int_equal(result->late_frames, 0);
    assert_true(result->received_frames > 0);
    if (!may_lose) {
        assert_int_equal(result->lost_frames, 0);
    }
}

/*
 * A link is lost and comes back, then the other one.  What leaves in the moments until the kernel
 * tells of it is lost; that is measured, and bounded here by a second's worth.
 */
static void failover(struct fixture *x, const char *name, const char *words)
{
    struct flow_load_result result;
    uint64_t silence_us[2];

    begin(x, words);
    for (unsigned i = 1; i <= 2; i++) {
        char command[64];

        (void)flow_load_silence_us(x->load);
        (void)snprintf(command, sizeof(command), "ip link set far%u down", i);
        run(command);
        assert_true(carries(x, i == 1 ? "up1" : "up2", false));
        (void)usleep(STEP_US);
        silence_us[i - 1] = flow_load_silence_us(x->load);
        (void)snprintf(command, sizeof(command), "ip link set far%u up", i);
        run(command);
        assert_true(carries(x, i == 1 ? "up1" : "up2", true));
        (void)usleep(STEP_US);
    }
    end(x, &result);
    print_message("# measured: %s: the longest silence was %.1f ms when up1 was lost, %.1f ms when "
                  "up2 was\n", name, (double)silence_us[0] / 1000, (double)silence_us[1] / 1000);
    check(name, &result, true);
    assert_true(result.lost_frames < RATE_FPS);
}

/* A member comes and one goes by command; nothing is lost by that. */
static void members_change(struct fixture *x, const char *name, const char *words)
{
    struct flow_load_result result;

    begin(x, words);
    assert_int_equal(lab_do(&x->lab, "team set t0 --members up1,up2,up3"), 0);
    assert_true(carries(x, "up3", true));
    (void)usleep(STEP_US);
    assert_int_equal(lab_do(&x->lab, "team set t0 --members up2,up3"), 0);
    (void)usleep(STEP_US);
    assert_int_equal(lab_do(&x->lab, "team set t0 --members up1,up2,up3"), 0);
    (void)usleep(STEP_US);
    end(x, &result);
    check(name, &result, false);
}

#define MODE_BALANCE(mode, balance, words)                                                        \
    static void test_team_flows_fail_over_##mode##_##balance(void **state)                        \
    {                                                                                             \
        need(*state);                                                                             \
        failover(*state, #mode ", " #balance, words);                                             \
    }                                                                                             \
    static void test_team_flows_members_change_##mode##_##balance(void **state)                   \
    {                                                                                             \
        need(*state);                                                                             \
        members_change(*state, #mode ", " #balance ", members change", words);                    \
    }

MODE_BALANCE(independent, port, "--mode switch-independent --balance port")
MODE_BALANCE(independent, hash, "--mode switch-independent --balance hash")
MODE_BALANCE(independent, dynamic, "--mode switch-independent --balance dynamic")
MODE_BALANCE(static, hash, "--mode static --balance hash")
MODE_BALANCE(static, dynamic, "--mode static --balance dynamic")

/* ---- LACP ------------------------------------------------------------------------------------ */

static void with_peer(struct fixture *x)
{
    static const char *const far[LACP_PEER_LINKS] = { "far1", "far2", "far3" };

    x->peer = lacp_peer_start(far);
    assert_non_null(x->peer);
}

static void without_peer(struct fixture *x)
{
    lacp_peer_stop(x->peer);
    x->peer = NULL;
}

static void test_team_flows_fail_over_lacp_hash(void **state)
{
    need(*state);
    with_peer(*state);
    failover(*state, "lacp, hash", "--mode lacp --balance hash");
    without_peer(*state);
}

static void test_team_flows_members_change_lacp_dynamic(void **state)
{
    need(*state);
    with_peer(*state);
    members_change(*state, "lacp, dynamic, members change", "--mode lacp --balance dynamic");
    without_peer(*state);
}

/* A link whose other end says nothing any more, with a carrier: three PDUs that did not come. */
static void test_team_flows_silent_link_is_left(void **state)
{
    struct fixture *x = *state;
    struct flow_load_result before, after, result;

    need(x);
    with_peer(x);
    begin(x, "--mode lacp --balance hash");
    lacp_peer_mute(x->peer, 0, true);
    assert_true(carries(x, "up1", false));
    flow_load_look(x->load, &before);
    (void)usleep(STEP_US);
    flow_load_look(x->load, &after);
    assert_int_equal(after.by_interface[0], before.by_interface[0]);
    assert_true(after.by_interface[1] > before.by_interface[1]);
    lacp_peer_mute(x->peer, 0, false);
    assert_true(carries(x, "up1", true));
    end(x, &result);
    check("lacp, a silent link", &result, false);
    without_peer(x);
}

/* ---- how it is divided ----------------------------------------------------------------------- */

static void balanced(struct fixture *x, const char *name, const char *words)
{
    struct flow_load_config config = {
        .from = &x->vm.frontend, .flows = 1000, .frames_per_second = RATE_FPS,
        .interface = { "far1", "far2" },
    };
    struct flow_load_result result;

    begin(x, words);
    flow_load_end(x->load, &result);
    memcpy(config.from_mac, vm_mac, sizeof(vm_mac));
    memcpy(config.to_mac, peer_mac, sizeof(peer_mac));
    (void)usleep(2 * STEP_US);
    x->load = flow_load_start(&config);
    assert_non_null(x->load);
    (void)usleep(3 * STEP_US);
    end(x, &result);
    print_message("# measured: %s: %.1f %% of 1,000 flows' frames by the one, %.1f %% by the "
                  "other\n", name, 100.0 * (double)result.by_interface[0] /
                  (double)result.received_frames, 100.0 * (double)result.by_interface[1] /
                  (double)result.received_frames);
    check(name, &result, false);
    for (unsigned i = 0; i < 2; i++) {
        assert_in_range(result.by_interface[i], result.received_frames * 45 / 100,
                        result.received_frames * 55 / 100);
    }
}

static void test_team_flows_hash_divides_evenly(void **state)
{
    need(*state);
    balanced(*state, "static, hash", "--mode static --balance hash");
}

static void test_team_flows_dynamic_divides_evenly(void **state)
{
    need(*state);
    balanced(*state, "switch-independent, dynamic", "--balance dynamic");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_team_flows_fail_over_independent_port),
        cmocka_unit_test(test_team_flows_fail_over_independent_hash),
        cmocka_unit_test(test_team_flows_fail_over_independent_dynamic),
        cmocka_unit_test(test_team_flows_fail_over_static_hash),
        cmocka_unit_test(test_team_flows_fail_over_static_dynamic),
        cmocka_unit_test(test_team_flows_members_change_independent_port),
        cmocka_unit_test(test_team_flows_members_change_independent_hash),
        cmocka_unit_test(test_team_flows_members_change_independent_dynamic),
        cmocka_unit_test(test_team_flows_members_change_static_hash),
        cmocka_unit_test(test_team_flows_members_change_static_dynamic),
        cmocka_unit_test(test_team_flows_fail_over_lacp_hash),
        cmocka_unit_test(test_team_flows_members_change_lacp_dynamic),
        cmocka_unit_test(test_team_flows_silent_link_is_left),
        cmocka_unit_test(test_team_flows_hash_divides_evenly),
        cmocka_unit_test(test_team_flows_dynamic_divides_evenly),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
