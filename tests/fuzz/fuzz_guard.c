/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The guards, fed anything, against a receiver who sees the whole frame and may get what follows.
 * What that one takes for a DHCP server's or a router's message, or might when the next fragment
 * comes, must be objected to.
 *
 * The receiver is written the other way about than what is tested: it knows no trusted bytes, walks
 * as many headers as there are, and asks for each what a packet cut there may become.
 *
 * fuzz-sources: switch/guard.c switch/ether.c switch/mac.c
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "switch/frame_tag.h"
#include "switch/guard.h"

#define FRAME_SEEN_BYTES (FRAME_HDR_BYTES - FRAME_TAG_BYTES)   /* trusted, at least */

#define DHCP   FABRIC_PORT_DHCP_GUARD
#define ROUTER FABRIC_PORT_ROUTER_GUARD

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int truth)
{
    if (!truth) {
        abort();
    }
}

/* ---- the receiver ---------------------------------------------------------------------------- */

/* What is left to look at of a packet, and whether more of it may come. */
struct rest {
    const uint8_t *at;
    size_t len_bytes;
    bool more;
};

static void skip(struct rest *rest, size_t len_bytes)
{
    const size_t len = len_bytes < rest->len_bytes ? len_bytes : rest->len_bytes;

    rest->at += len;
    rest->len_bytes -= len;
}

static void shorten(struct rest *rest, size_t len_bytes)
{
    if (len_bytes < rest->len_bytes) {
        rest->len_bytes = len_bytes;
    }
}

/* A transport's message of @p version of IP. */
static uint8_t take_message(const struct rest *rest, int version, uint8_t protocol)
{
    if (protocol == 17) {
        const int client = version == 4 ? 68 : 546;

        if (rest->len_bytes < 4) {
            return rest->more ? DHCP : 0;
        }
        return (rest->at[2] << 8 | rest->at[3]) == client ? DHCP : 0;
    }
    if (protocol == (version == 4 ? 1 : 58)) {
        static const uint8_t types[2][2] = { { 5, 9 }, { 134, 137 } };

        if (rest->len_bytes < 1) {
            return rest->more ? ROUTER : 0;
        }
        return rest->at[0] == types[version == 6][0] || rest->at[0] == types[version == 6][1]
                   ? ROUTER : 0;
    }
    return 0;
}

static uint8_t take_ipv4(struct rest rest)
{
    uint8_t protocol;

    if (rest.len_bytes < 20 || rest.at[0] >> 4 != 4 || (rest.at[0] & 15) < 5) {
        return 0;
    }
    if (((rest.at[6] & 0x1f) | rest.at[7]) != 0) {
        return 0;                  /* without the first it comes to nothing */
    }
    protocol = rest.at[9];
    rest.more = (rest.at[6] & 0x20) != 0;
    shorten(&rest, (size_t)(rest.at[2] << 8 | rest.at[3]));
    if (rest.len_bytes < (size_t)(rest.at[0] & 15) * 4) {
        return 0;
    }
    skip(&rest, (size_t)(rest.at[0] & 15) * 4);
    return take_message(&rest, 4, protocol);
}

static bool is_extension(uint8_t next)
{
    static const uint8_t all[] = { 0, 43, 44, 51, 60, 135, 139, 140 };

    return memchr(all, next, sizeof(all)) != NULL;
}

static uint8_t take_ipv6(struct rest rest)
{
    uint8_t next;

    if (rest.len_bytes < 40 || rest.at[0] >> 4 != 6) {
        return 0;
    }
    next = rest.at[6];
    shorten(&rest, 40 + (size_t)(rest.at[4] << 8 | rest.at[5]));
    skip(&rest, 40);
    while (is_extension(next)) {
        if (rest.len_bytes < 8) {
            return rest.more ? DHCP | ROUTER : 0;
        }
        if (next == 44 && (rest.at[2] | (rest.at[3] & 0xf8)) != 0) {
            return 0;
        }
        rest.more |= next == 44 && (rest.at[3] & 1) != 0;
        const size_t len = next == 44 ? 8 : next == 51 ? (rest.at[1] + 2u) * 4
                                                       : (rest.at[1] + 1u) * 8;
        next = rest.at[0];
        skip(&rest, len);
    }
    return take_message(&rest, 6, next);
}

/* What a receiver may take a frame for. */
static uint8_t take(const uint8_t *frame, size_t len_bytes)
{
    struct rest rest = { frame, len_bytes, false };
    unsigned type, tags = 0;

    skip(&rest, 12);
    do {
        if (rest.len_bytes < 2) {
            return 0;
        }
        type = (unsigned)rest.at[0] << 8 | rest.at[1];
        skip(&rest, type == 0x8100 || type == 0x88a8 ? 4 : 2);
    } while ((type == 0x8100 || type == 0x88a8) && tags++ < ETHER_MAX_TAGS);
    return type == 0x0800 ? take_ipv4(rest) : type == 0x86dd ? take_ipv6(rest) : 0;
}

/* ---- the property ---------------------------------------------------------------------------- */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint16_t len_bytes = (uint16_t)(size < FRAME_SEEN_BYTES ? size : FRAME_SEEN_BYTES);
    uint8_t *hdr;
    uint8_t objections, taken;

    if (size < FRAME_MIN_BYTES) {
        return 0;                  /* forward drops it before anybody asks */
    }
    hdr = malloc(len_bytes);
    if (hdr == NULL) {
        return 0;
    }
    memcpy(hdr, data, len_bytes);
    objections = guard_objections(hdr, len_bytes);
    taken = take(data, size);

    check((objections & ~(DHCP | ROUTER)) == 0);
    check((taken & ~objections) == 0);
    check(taken == 0 || !guard_passes(hdr, len_bytes));
    free(hdr);
    return 0;
}
