/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What guards object to, by a table of frames; and what was tried elsewhere to get round such
 * guards.
 */
#include "switch/guard.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "switch/frame_tag.h"
#include "tests/support/frame_builder.h"

#define A UINT64_C(0x00155d000001)
#define B UINT64_C(0x00155d000002)

#define D     FABRIC_PORT_DHCP_GUARD
#define R     FABRIC_PORT_ROUTER_GUARD
#define BOTH  (FABRIC_PORT_DHCP_GUARD | FABRIC_PORT_ROUTER_GUARD)

#define UDP     IP_PROTOCOL_UDP
#define HOP     0                  /* IPv6 extension headers */
#define ROUTING 43
#define AH      51
#define DEST    60
#define HIP     139
#define MORE    0x0001             /* in the fragment field of IPv6 */
#define MORE4   0x2000             /* and of IPv4 */

#define TRUSTED_BYTES (FRAME_HDR_BYTES - FRAME_TAG_BYTES)   /* at least, of a long frame */

/* One thing after the other, as it lies in the frame. */
struct layer {
    enum {
        END, ETHERTYPE, IPV4, OPTIONS, IPV6, EXTENSION, FRAGMENT, PORTS, BYTE, FILL, PADDING
    } is;
    uint16_t a, b;
};

#define LAYERS 14

struct row {
    const char *what;
    uint8_t objections;
    struct layer layer[LAYERS];
};

#define TYPE(type)              { ETHERTYPE, type, 0 }
#define V4(protocol, fragment)  { IPV4, protocol, fragment }
#define OPT(words)              { OPTIONS, words, 0 }      /* after V4 */
#define V6(next)                { IPV6, next, 0 }
#define EXT(next, units)        { EXTENSION, next, units }
#define FRAG(next, field)       { FRAGMENT, next, field }
#define TO(from, to)            { PORTS, from, to }
#define ICMP(type)              { BYTE, type, 0 }, { FILL, 7, 0 }
#define BYTES(count)            { FILL, count, 0 }
#define PAD                     { PADDING, 0, 0 }          /* the packet ends here, not the frame */
#define SNAP(type)              TYPE(100), TO(0xaaaa, 0x0300), TO(0, type)

static const struct row rows[] = {
    /* ---- DHCP ---- */
    { "a DHCP offer", D, { V4(UDP, 0), TO(67, 68), BYTES(300) } },
    { "a DHCP offer from another port", D, { V4(UDP, 0), TO(1000, 68), BYTES(300) } },
    { "a DHCP offer behind IPv4 options", D, { V4(UDP, 0), OPT(10), TO(67, 68), BYTES(300) } },
    { "a DHCP offer in fragments", D, { V4(UDP, MORE4), TO(67, 68), BYTES(12) } },
    { "a DHCP offer whose ports are in the next fragment", D, { V4(UDP, MORE4), PAD, TO(9, 9) } },
    { "a DHCP discover", 0, { V4(UDP, 0), TO(68, 67), BYTES(300) } },
    { "DHCP between relays and servers", 0, { V4(UDP, 0), TO(67, 67), BYTES(300) } },
    { "a later fragment that looks like an offer", 0, { V4(UDP, 0x0002), TO(67, 68) } },
    { "UDP to 68 of IPv6", 0, { V6(UDP), TO(67, 68), BYTES(4) } },
    { "TCP to 68", 0, { V4(IP_PROTOCOL_TCP, 0), TO(67, 68), BYTES(16) } },
    { "TCP in fragments", 0, { V4(IP_PROTOCOL_TCP, MORE4), TO(67, 68), BYTES(16) } },
    { "UDP-Lite to 68", 0, { V4(IP_PROTOCOL_UDP_LITE, 0), TO(67, 68), BYTES(4) } },
    /* ---- DHCPv6 ---- */
    { "a DHCPv6 reply", D, { V6(UDP), TO(547, 546), BYTES(60) } },
    { "a DHCPv6 reply from another port", D, { V6(UDP), TO(1000, 546), BYTES(60) } },
    { "a DHCPv6 reply behind extension headers", D,
      { V6(HOP), EXT(DEST, 0), EXT(ROUTING, 1), EXT(AH, 0), EXT(HIP, 0), EXT(UDP, 0),
        TO(547, 546), BYTES(4) } },
    { "a DHCPv6 reply in fragments", D, { V6(44), FRAG(UDP, MORE), TO(547, 546), BYTES(4) } },
    { "a DHCPv6 reply in one fragment", D, { V6(44), FRAG(UDP, 0), TO(547, 546), BYTES(4) } },
    { "a DHCPv6 solicit", 0, { V6(UDP), TO(546, 547), BYTES(60) } },
    { "a DHCPv6 solicit in fragments", 0, { V6(44), FRAG(UDP, MORE), TO(546, 547), BYTES(4) } },
    { "DHCPv6 between relays and servers", 0, { V6(UDP), TO(547, 547), BYTES(60) } },
    { "UDP to 546 of IPv4", 0, { V4(UDP, 0), TO(547, 546), BYTES(4) } },
    /* ---- routers ---- */
    { "a router advertisement", R, { V6(58), ICMP(134) } },
    { "a redirect", R, { V6(58), ICMP(137) } },
    { "an IPv4 router advertisement", R, { V4(1, 0), ICMP(9) } },
    { "an IPv4 redirect", R, { V4(1, 0), ICMP(5) } },
    { "an IPv4 redirect in fragments", R, { V4(1, MORE4), ICMP(5) } },
    { "an advertisement behind a hop-by-hop header", R, { V6(HOP), EXT(58, 0), ICMP(134) } },
    { "an advertisement behind many headers", R,
      { V6(DEST), EXT(DEST, 0), EXT(DEST, 0), EXT(DEST, 0), EXT(DEST, 0), EXT(DEST, 0),
        EXT(58, 0), ICMP(134) } },
    { "an advertisement in fragments", R, { V6(44), FRAG(58, MORE), ICMP(134) } },
    { "an advertisement in fragments of a fragment", R,
      { V6(44), FRAG(44, MORE), FRAG(58, MORE), ICMP(134) } },
    { "a router solicitation", 0, { V6(58), ICMP(133) } },
    { "a neighbour solicitation", 0, { V6(58), ICMP(135) } },
    { "a neighbour advertisement", 0, { V6(58), ICMP(136) } },
    { "an echo request", 0, { V6(58), ICMP(128) } },
    { "an echo request in fragments", 0, { V6(44), FRAG(58, MORE), ICMP(128) } },
    { "a multicast report", 0, { V6(HOP), EXT(58, 0), ICMP(143) } },
    { "an IPv4 echo request", 0, { V4(1, 0), ICMP(8) } },
    { "an IPv4 router solicitation", 0, { V4(1, 0), ICMP(10) } },
    { "ICMPv6 of IPv4", 0, { V4(58, 0), ICMP(134) } },
    { "ICMP of IPv6", 0, { V6(1), ICMP(5) } },
    /* ---- what cannot be seen ---- */
    { "a first fragment without ICMPv6 header", R, { V6(44), FRAG(DEST, MORE), EXT(58, 0) } },
    { "a first fragment without UDP header", D, { V6(44), FRAG(DEST, MORE), EXT(UDP, 0) } },
    { "a first fragment that ends in its headers", BOTH,
      { V6(44), FRAG(DEST, MORE), EXT(DEST, 0) } },
    { "a first fragment with nothing in it", R, { V6(44), FRAG(58, MORE) } },
    { "a first fragment without IPv4 ICMP header", R, { V4(1, MORE4) } },
    { "ports behind the trusted bytes", D, { V6(DEST), EXT(UDP, 10), TO(5, 6), BYTES(100) } },
    { "headers behind the trusted bytes", BOTH,
      { V6(DEST), EXT(DEST, 10), EXT(6, 0), BYTES(100) } },
    { "more headers than are walked", BOTH,
      { V6(DEST), EXT(DEST, 0), EXT(DEST, 0), EXT(DEST, 0), EXT(DEST, 0), EXT(DEST, 0),
        EXT(DEST, 0), EXT(DEST, 0), EXT(DEST, 0), EXT(DEST, 0), EXT(6, 0) } },
    { "an echo request in the padding of a first fragment", R,
      { V6(44), FRAG(DEST, MORE), EXT(58, 0), PAD, ICMP(128) } },
    { "other ports in the padding of a first fragment", D,
      { V6(44), FRAG(DEST, MORE), EXT(UDP, 0), PAD, TO(5, 6), BYTES(4) } },
    { "TCP behind a header in the padding of a first fragment", BOTH,
      { V6(44), FRAG(DEST, MORE), EXT(DEST, 0), PAD, EXT(6, 0), BYTES(20) } },
    { "TCP behind a header that the first fragment cuts", 0,
      { V6(44), FRAG(DEST, MORE), EXT(6, 10), PAD, BYTES(20) } },
    { "a later fragment", 0, { V6(44), FRAG(58, 0x0008 | MORE), ICMP(134) } },
    { "a later fragment of headers", 0, { V6(HOP), EXT(44, 0), FRAG(DEST, 0x0010), EXT(58, 0) } },
    { "a later fragment in the first of another", 0,
      { V6(44), FRAG(44, MORE), FRAG(58, 0x0008), ICMP(134) } },
    /* ---- IP behind LLC/SNAP ---- */
    { "IPv4 behind SNAP", BOTH, { SNAP(0x0800), BYTES(30) } },
    { "IPv6 behind SNAP", BOTH, { SNAP(0x86dd), BYTES(50) } },
    { "a tag behind SNAP", BOTH, { SNAP(0x8100), BYTES(50) } },
    { "AppleTalk behind SNAP", 0, { SNAP(0x80f3), BYTES(30) } },
    { "a SNAP header that is cut", 0, { TYPE(100), TO(0xaaaa, 0x0300) } },
    { "a bridge's protocol data unit", 0, { TYPE(38), TO(0x4242, 0x0300), BYTES(34) } },
    /* ---- nobody's business ---- */
    { "ARP", 0, { TYPE(ETHERTYPE_ARP), BYTES(46) } },
    { "nothing behind the type", 0, { TYPE(ETHERTYPE_IPV6) } },
    { "IPv6 without a next header", 0, { V6(59) } },
    { "ESP", 0, { V6(50), BYTES(40) } },
    { "IPv4 of IPv6's type", 0, { TYPE(ETHERTYPE_IPV6), { BYTE, 0x45, 0 }, BYTES(60) } },
    { "an IPv4 packet that says to be shorter than its header", 0,
      { V4(UDP, 0), { PADDING, 1, 0 }, TO(67, 68) } },
};

#define ROWS (sizeof(rows) / sizeof(rows[0]))

/* ---- writing frames -------------------------------------------------------------------------- */

static struct wire wire;

/* Makes the IP header tell the length of all that there is of the packet, less @p less_bytes. */
static void measure(uint32_t ip_off_bytes, uint32_t less_bytes)
{
    uint8_t *ip = &wire.data[ip_off_bytes];
    const bool v4 = ip[0] >> 4 == 4;
    const uint32_t len_bytes = wire.len_bytes - ip_off_bytes - (v4 ? 0 : 40) - less_bytes;

    ip[v4 ? 2 : 4] = (uint8_t)(len_bytes >> 8);
    ip[v4 ? 3 : 5] = (uint8_t)len_bytes;
}

static void add_layer(const struct layer *layer, uint32_t ip_off_bytes)
{
    switch (layer->is) {
    case ETHERTYPE:
        wire_type(&wire, layer->a);
        break;
    case IPV4:
        wire_ipv4(&wire, 1, 2, (uint8_t)layer->a, layer->b);
        break;
    case OPTIONS:
        wire.data[ip_off_bytes] = (uint8_t)(0x45 + layer->a);
        wire_fill(&wire, wire.len_bytes + layer->a * 4u);
        break;
    case IPV6:
        wire_ipv6(&wire, 1, 2, (uint8_t)layer->a);
        break;
    case EXTENSION:
        wire_extension(&wire, (uint8_t)layer->a, (uint8_t)layer->b);
        break;
    case FRAGMENT:
        wire_fragment(&wire, (uint8_t)layer->a, layer->b);
        break;
    case PORTS:
        wire_ports(&wire, layer->a, layer->b);
        break;
    case BYTE:
        wire.data[wire.len_bytes++] = (uint8_t)layer->a;
        break;
    case FILL:
        wire_fill(&wire, wire.len_bytes + layer->a);
        break;
    case PADDING:
    case END:
        break;
    }
}

static void write_row(const struct row *row, unsigned tags)
{
    const uint32_t ip_off_bytes = 14 + tags * FRAME_TAG_BYTES;
    bool measured = row->layer[0].is == ETHERTYPE;

    wire_start(&wire, B, A);
    for (unsigned i = 0; i < tags; i++) {
        wire_tag(&wire, i + 1 < tags ? ETHERTYPE_STAG : ETHERTYPE_CTAG, 10);
    }
    for (unsigned i = 0; i < LAYERS && row->layer[i].is != END; i++) {
        add_layer(&row->layer[i], ip_off_bytes);
        if (row->layer[i].is == PADDING) {
            measure(ip_off_bytes, row->layer[i].a);
            measured = true;
        }
    }
    if (!measured) {
        measure(ip_off_bytes, 0);
    }
}

struct answer {
    uint8_t objections;
    bool passes;                   /* at a glance */
};

/* Asks of a copy that ends where the trusted bytes do, so that a read past them is seen. */
static struct answer ask(void)
{
    const uint32_t len_bytes = wire.len_bytes < TRUSTED_BYTES ? wire.len_bytes : TRUSTED_BYTES;
    uint8_t *hdr = malloc(len_bytes);
    struct answer answer;

    assert_non_null(hdr);
    memcpy(hdr, wire.data, len_bytes);
    answer.objections = guard_objections(hdr, (uint16_t)len_bytes);
    answer.passes = guard_passes(hdr, (uint16_t)len_bytes);
    free(hdr);
    return answer;
}

/* ---- tests ----------------------------------------------------------------------------------- */

static void check_rows(unsigned tags)
{
    for (size_t i = 0; i < ROWS; i++) {
        struct answer answer;

        write_row(&rows[i], tags);
        answer = ask();
        if (answer.objections != rows[i].objections) {
            fail_msg("%s: %#x, not %#x", rows[i].what, answer.objections, rows[i].objections);
        }
    }
}

static void test_guard_objects_to_what_a_receiver_might_take(void **state)
{
    (void)state;
    check_rows(0);
}

static void test_guard_looks_behind_tags(void **state)
{
    (void)state;
    check_rows(1);
    check_rows(2);
}

static void test_guard_passes_at_a_glance_only_what_nobody_objects_to(void **state)
{
    unsigned passed = 0;
    (void)state;

    for (size_t i = 0; i < ROWS; i++) {
        write_row(&rows[i], 0);
        if (ask().passes) {
            passed++;
            if (rows[i].objections != 0) {
                fail_msg("%s passes at a glance", rows[i].what);
            }
        }
    }

    assert_in_range(passed, 8, ROWS);
}

/* Behind the IP header, what is cut off is what cannot be seen. */
static void test_guard_cut_anywhere_objects_as_to_the_whole(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROWS; i++) {
        const bool is_ip = rows[i].layer[0].is != ETHERTYPE;

        write_row(&rows[i], 0);
        for (; wire.len_bytes > 14; wire.len_bytes--) {
            const uint8_t objections = ask().objections;

            if (is_ip && wire.len_bytes >= 14 + 40 && (rows[i].objections & ~objections) != 0) {
                fail_msg("%s, cut after %u: %#x", rows[i].what, wire.len_bytes, objections);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_guard_objects_to_what_a_receiver_might_take),
        cmocka_unit_test(test_guard_looks_behind_tags),
        cmocka_unit_test(test_guard_passes_at_a_glance_only_what_nobody_objects_to),
        cmocka_unit_test(test_guard_cut_anywhere_objects_as_to_the_whole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
