/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The kernel's interfaces as the daemon reads and changes them, in a network namespace of the
 * test's own: what `ip` makes is read right, and what is changed is what `ip` then shows.
 */
#include "ctl/host/link.h"

#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/bpf.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>

#include <cmocka.h>

#include "ctl/host/link_inner.h"
#include "tests/support/shell.h"

static struct links *links;
static struct error error;

static void assert_ip_shows(const char *words, const char *text)
{
    struct shell_outcome outcome;

    assert_int_equal(shell_run(&outcome, 10, "ip %s", words), 0);
    if (strstr(outcome.output, text) == NULL) {
        fail_msg("ip %s: \"%s\" does not show \"%s\"", words, outcome.output, text);
    }
}

static void assert_says(const char *text)
{
    if (strstr(error.text, text) == NULL) {
        fail_msg("\"%s\" does not say \"%s\"", error.text, text);
    }
}

static struct link found(const char *name)
{
    struct link link;

    assert_int_equal(link_find(links, name, &link, &error), 0);
    return link;
}

/* A namespace for each test: eth1 with its other end far, both up. */
static int setup(void **state)
{
    (void)state;
    if (unshare(CLONE_NEWNET) != 0) {
        print_message("# skip: a network namespace needs root\n");
        skip();
    }
    shell_must("ip link add eth1 address 02:00:00:00:00:01 type veth peer name far");
    shell_must("ip link set eth1 up");
    shell_must("ip link set far up");
    memset(&error, 0, sizeof(error));
    links = links_open(&error);
    assert_non_null(links);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    links_close(links);
    links = NULL;
    return 0;
}

/* ---- finding --------------------------------------------------------------------------------- */

static void test_link_find_says_what_an_interface_is(void **state)
{
    const struct link link = found("eth1");
    struct link same;

    (void)state;

    assert_string_equal(link.name, "eth1");
    assert_string_equal(link.kind, "veth");
    assert_string_equal(link.driver, "veth");
    assert_string_equal(link.master, "");
    assert_false(link.hardware);
    assert_true(link.up);
    assert_true(link.carrier);
    assert_false(link.loopback);
    assert_false(link.promiscuous);
    assert_int_equal(link.mtu_bytes, 1500);
    assert_int_equal(link.min_mtu_bytes, 68);
    assert_int_equal(link.max_mtu_bytes, 65535);
    assert_int_equal(link.speed_mbps, 10000);
    assert_int_equal(link.mac, 0x020000000001);
    assert_in_range(link.queues, 1, 64);
    assert_int_equal(link_find_index(links, link.ifindex, &same, &error), 0);
    assert_string_equal(same.name, "eth1");
    assert_true(found("lo").loopback);
}

static void test_link_find_of_a_missing_one_names_it(void **state)
{
    struct link link;

    (void)state;

    assert_int_equal(link_find(links, "eth9", &link, &error), -ENODEV);
    assert_says("\"eth9\"");
    assert_int_equal(link_find(links, "a-name-of-17-char", &link, &error), -ENODEV);
    assert_int_equal(link_find(links, "", &link, &error), -ENODEV);
    assert_int_equal(link_find_index(links, 4711, &link, &error), -ENODEV);
    assert_says("4711");
}

static void test_link_find_names_the_bridge_it_is_a_port_of(void **state)
{
    (void)state;

    shell_must("ip link add br0 type bridge");
    shell_must("ip link set eth1 master br0");

    assert_string_equal(found("eth1").master, "br0");
    assert_string_equal(found("br0").kind, "bridge");
}

static void test_link_find_follows_carrier_and_counts_its_losses(void **state)
{
    const uint32_t before = found("eth1").carrier_losses;

    (void)state;

    shell_must("ip link set far down");
    assert_true(found("eth1").up);
    assert_false(found("eth1").carrier);
    shell_must("ip link set far up");
    assert_true(found("eth1").carrier);
    assert_int_equal(found("eth1").carrier_losses, before + 1);
}

/* ---- changing -------------------------------------------------------------------------------- */

static void test_link_set_changes_what_it_says(void **state)
{
    (void)state;

    assert_int_equal(link_set_mtu(links, "eth1", 9000, &error), 0);
    assert_int_equal(link_set_mac(links, "eth1", 0x00155d0a0b0c, &error), 0);
    assert_int_equal(link_set_promiscuous(links, "eth1", true, &error), 0);
    assert_ip_shows("link show eth1", "mtu 9000");
    assert_ip_shows("link show eth1", "00:15:5d:0a:0b:0c");
    assert_ip_shows("link show eth1", "PROMISC");
    assert_true(found("eth1").promiscuous);

    assert_int_equal(link_set_promiscuous(links, "eth1", false, &error), 0);
    assert_int_equal(link_set_up(links, "eth1", false, &error), 0);
    assert_false(found("eth1").promiscuous);
    assert_false(found("eth1").up);
    assert_int_equal(link_set_up(links, "eth1", true, &error), 0);
    assert_true(found("eth1").up);
}

static void test_link_set_refused_by_the_kernel_is_a_sentence(void **state)
{
    (void)state;

    assert_int_equal(link_set_mtu(links, "eth1", 60, &error), -EINVAL);
    assert_says("interface \"eth1\": its MTU cannot be set to 60");
    assert_int_equal(link_set_up(links, "eth9", true, &error), -ENODEV);
    assert_says("\"eth9\"");
    assert_says("ip link");
    assert_int_equal(link_set_mac(links, "eth1", 0x010000000000, &error), -EADDRNOTAVAIL);
    assert_says("01:00:00:00:00:00");
}

static void test_link_offload_that_cannot_be_had_is_off(void **state)
{
    bool on = true;

    (void)state;

    assert_int_equal(link_get_offload(links, "eth1", LINK_LRO, &on), 0);
    assert_false(on);
    assert_int_equal(link_get_offload(links, "eth1", LINK_RX_VLAN, &on), 0);
    assert_true(on);
    assert_int_equal(link_set_offload(links, "eth1", LINK_RX_VLAN, false, &error), 0);
    assert_int_equal(link_get_offload(links, "eth1", LINK_RX_VLAN, &on), 0);
    assert_false(on);
    assert_int_not_equal(link_set_offload(links, "eth1", LINK_LRO, true, &error), 0);
    assert_says("large receive offload cannot be switched on");
    assert_int_equal(link_get_offload(links, "eth9", LINK_LRO, &on), -EOPNOTSUPP);
}

/* Puts a program on eth1 that lets everything pass. */
static void put_xdp(uint32_t flags)
{
    const struct bpf_insn pass[] = {
        { .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = XDP_PASS },
        { .code = BPF_JMP | BPF_EXIT },
    };
    union bpf_attr load = { .prog_type = BPF_PROG_TYPE_XDP, .insns = (uintptr_t)pass,
                            .insn_cnt = 2, .license = (uintptr_t)"BSD" };
    const int fd = (int)syscall(SYS_bpf, BPF_PROG_LOAD, &load, sizeof(load));
    const struct ifinfomsg info = { .ifi_index = found("eth1").ifindex };
    struct nl_msg *message = link_message(RTM_SETLINK, 0, &info, sizeof(info));
    struct nlattr *xdp = nla_nest_start(message, IFLA_XDP);

    assert_true(fd >= 0);
    nla_put_s32(message, IFLA_XDP_FD, fd);
    nla_put_u32(message, IFLA_XDP_FLAGS, flags);
    nla_nest_end(message, xdp);
    assert_int_equal(link_ask(links, message, NULL, NULL), 0);
    (void)close(fd);
}

static void test_link_xdp_program_is_seen_and_taken_off(void **state)
{
    static const uint32_t places[] = { 0, XDP_FLAGS_DRV_MODE, XDP_FLAGS_SKB_MODE };

    (void)state;

    assert_false(found("eth1").xdp);
    assert_int_equal(link_drop_xdp(links, "eth1", &error), 0);
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        put_xdp(places[i]);
        assert_true(found("eth1").xdp);
        assert_int_equal(link_drop_xdp(links, "eth1", &error), 0);
        assert_false(found("eth1").xdp);
    }
    assert_int_equal(link_drop_xdp(links, "eth9", &error), -ENODEV);
}

/* ---- addresses ------------------------------------------------------------------------------- */

static const struct link_address *address_of(const struct link_address *list, size_t count,
                                             const char *text)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(list[i].text, text) == 0) {
            return &list[i];
        }
    }
    fail_msg("%s is not listed", text);
    return NULL;
}

static void test_link_addresses_are_read_as_ip_gave_them(void **state)
{
    const struct link_address *of;
    struct link_address *list;
    size_t count;

    (void)state;
    shell_must("ip address add 192.0.2.1/24 broadcast 192.0.2.255 metric 77 dev eth1");
    shell_must("ip address add 198.51.100.1/32 scope link dev eth1 valid_lft 500 "
               "preferred_lft 400");
    shell_must("ip address add 2001:db8::1/64 dev eth1 nodad noprefixroute");
    shell_must("ip address add 203.0.113.1/24 dev far");

    assert_int_equal(link_addresses(links, "eth1", &list, &count, &error), 0);

    assert_int_equal(count, 3);
    of = address_of(list, count, "192.0.2.1/24");
    assert_string_equal(of->broadcast, "192.0.2.255");
    assert_int_equal(of->metric, 77);
    assert_int_equal(of->scope, RT_SCOPE_UNIVERSE);
    assert_int_equal(of->valid_s, UINT32_MAX);
    of = address_of(list, count, "198.51.100.1/32");
    assert_string_equal(of->broadcast, "");
    assert_int_equal(of->scope, RT_SCOPE_LINK);
    assert_in_range(of->valid_s, 490, 500);
    assert_in_range(of->preferred_s, 390, 400);
    of = address_of(list, count, "2001:db8::1/64");
    assert_int_equal(of->flags & IFA_F_NOPREFIXROUTE, IFA_F_NOPREFIXROUTE);
    free(list);
}

static void test_link_address_moves_to_another_interface_as_it_was(void **state)
{
    struct link_address *list;
    struct shell_outcome before, after;
    size_t count;

    (void)state;
    shell_must("ip address add 192.0.2.1/24 broadcast 192.0.2.255 metric 77 dev eth1");
    shell_must("ip address add 2001:db8::1/64 dev eth1 nodad noprefixroute");
    shell_run(&before, 5, "ip -o address show dev eth1 scope global | cut -d' ' -f3-");
    assert_int_equal(link_addresses(links, "eth1", &list, &count, &error), 0);

    for (size_t i = 0; i < count; i++) {
        assert_int_equal(link_remove_address(links, "eth1", &list[i], &error), 0);
        assert_int_equal(link_remove_address(links, "eth1", &list[i], &error), 0);
        assert_int_equal(link_add_address(links, "eth1", &list[i], &error), 0);
        assert_int_equal(link_add_address(links, "eth1", &list[i], &error), 0);
    }
    free(list);

    shell_run(&after, 5, "ip -o address show dev eth1 scope global | cut -d' ' -f3-");
    assert_string_equal(after.output, before.output);
    assert_non_null(strstr(after.output, "192.0.2.255"));
}

static void test_link_parse_address_takes_what_people_write(void **state)
{
    static const char *const wrong[] = { "192.0.2.1", "192.0.2.1/33", "192.0.2.1/", "/24", "",
                                         "192.0.2.1/24x", "192.0.2/24", "2001:db8::1/129",
                                         "2001:db8::1/-1", "host/24",
                                         "2001:db8:2001:db8:2001:db8:2001:db8:2001:db8::1/64" };
    struct link_address address;

    (void)state;

    assert_int_equal(link_parse_address("2001:DB8:0::1/64", &address, &error), 0);
    assert_string_equal(address.text, "2001:db8::1/64");
    assert_int_equal(address.valid_s, UINT32_MAX);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_int_equal(link_parse_address(wrong[i], &address, &error), -EINVAL);
        assert_says("192.0.2.1/24");
    }
}

/* ---- the route out --------------------------------------------------------------------------- */

static void assert_default_route_is_by(const char *name)
{
    char by[LINK_NAME_SIZE];

    assert_int_equal(link_default_route(links, by, &error), 0);
    assert_string_equal(by, name);
}

static void test_link_default_route_is_the_one_of_least_metric(void **state)
{
    (void)state;

    assert_default_route_is_by("");
    shell_must("ip address add 2001:db8::1/64 dev far nodad");
    shell_must("ip -6 route add default via 2001:db8::2 dev far");
    assert_default_route_is_by("far");
    shell_must("ip address add 192.0.2.1/24 dev eth1");
    shell_must("ip address add 198.51.100.1/24 dev far");
    shell_must("ip route add 203.0.113.0/24 via 198.51.100.2");
    shell_must("ip route add default via 192.0.2.2 metric 200");
    assert_default_route_is_by("eth1");
    shell_must("ip route add default via 198.51.100.2 metric 100");
    assert_default_route_is_by("far");
    shell_must("ip route add default via 192.0.2.3 metric 50 table 77");
    assert_default_route_is_by("far");
}

static void test_link_default_route_by_several_ways_is_the_first(void **state)
{
    (void)state;
    shell_must("ip address add 192.0.2.1/24 dev eth1");
    shell_must("ip address add 198.51.100.1/24 dev far");

    shell_must("ip route add default nexthop via 192.0.2.2 nexthop via 198.51.100.2");

    assert_default_route_is_by("eth1");
}

int main(void)
{
#define LINK(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        LINK(test_link_find_says_what_an_interface_is),
        LINK(test_link_find_of_a_missing_one_names_it),
        LINK(test_link_find_names_the_bridge_it_is_a_port_of),
        LINK(test_link_find_follows_carrier_and_counts_its_losses),
        LINK(test_link_set_changes_what_it_says),
        LINK(test_link_set_refused_by_the_kernel_is_a_sentence),
        LINK(test_link_offload_that_cannot_be_had_is_off),
        LINK(test_link_xdp_program_is_seen_and_taken_off),
        LINK(test_link_addresses_are_read_as_ip_gave_them),
        LINK(test_link_address_moves_to_another_interface_as_it_was),
        LINK(test_link_parse_address_takes_what_people_write),
        LINK(test_link_default_route_is_the_one_of_least_metric),
        LINK(test_link_default_route_by_several_ways_is_the_first),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
