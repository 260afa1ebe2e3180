/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which bucket says it:
 *
 *   PORT           own[], by the port the frame came from; so have its flowlets.
 *   HASH, DYNAMIC  flow[], by the hash.  own[] says which member sends the port's own address, and
 *                  what goes by that one: at once, as ARP and its like have no order to keep.
 *
 * Only IP is spread in switch-independent mode.  Its peers have an address for a reply from ARP or
 * ND; those of other protocols take it from the frame, and would reply to the member.
 *
 * One body is called with constants, so that no frame asks for the mode.
 */
#include "teaming/team_choose.h"

#include <string.h>

#include "switch/ether.h"
#include "switch/frame_tag.h"
#include "teaming/team_hash.h"

#define IPV4_HEADER_BYTES       20u
#define IPV4_PROTOCOL_OFF       9u     /* RFC 791, 3.1 */
#define IPV6_HEADER_BYTES       40u
#define IPV6_NEXT_OFF           6u     /* RFC 8200, 3 */

#define IP_PROTOCOL_IGMP        2u     /* RFC 3376, 4 */
#define ICMPV6_MLD_FIRST        130u   /* query, report, done: RFC 2710, 3.1 */
#define ICMPV6_MLD_LAST         132u
#define ICMPV6_MLD_2_REPORT     143u   /* RFC 3810, 5.2 */
#define ICMPV6_ND_FIRST         133u   /* RFC 4861, 4: solicitations to redirect */
#define ICMPV6_ND_LAST          137u

/* Where a frame has to go in switch-independent mode. */
enum route {
    ROUTE_ANY,                     /* wherever its flow goes */
    ROUTE_OWN,                     /* by its port's own member, under its own address */
    ROUTE_PRIMARY                  /* by the member whose group frames are taken */
};

static inline uint8_t byte_of(const uint8_t *published)
{
    return __atomic_load_n(published, __ATOMIC_RELAXED);
}

/* ---- the plan that workers share ------------------------------------------------------------- */

static inline void store(uint8_t *published, uint8_t value)
{
    __atomic_store_n(published, value, __ATOMIC_RELEASE);
}

/* Members that come are there before buckets name them, and go when none does any more. */
void team_choose_publish(struct team_plan *shared, const struct team_plan *plan)
{
    store(&shared->takes, shared->takes | plan->takes);
    store(&shared->carries, shared->carries | plan->carries);
    store(&shared->primary, plan->primary);
    for (unsigned i = 0; i < TEAM_BUCKETS; i++) {
        store(&shared->flow[i], plan->flow[i]);
        store(&shared->own[i], plan->own[i]);
    }
    store(&shared->carries, plan->carries);
    store(&shared->takes, plan->takes);
}

/* ---- what a frame is ------------------------------------------------------------------------- */

/* IPv6 that is not TCP or UDP at a glance. */
static __attribute__((noinline)) enum route route_ipv6(const struct frame *frame)
{
    struct ether_info info;
    uint8_t type;

    (void)ether_parse(frame->hdr, frame->hdr_len_bytes, &info);
    if (info.ip_version == 0 || (info.l4_off_bytes == 0 && !info.is_later_fragment)) {
        return ROUTE_OWN;          /* behind headers that hide what it is there may be ND */
    }
    if (info.l4_protocol != IP_PROTOCOL_ICMPV6 || info.is_later_fragment) {
        return ROUTE_ANY;
    }
    type = frame->hdr[info.l4_off_bytes];
    if (type >= ICMPV6_ND_FIRST && type <= ICMPV6_ND_LAST) {
        return ROUTE_OWN;
    }
    return (type >= ICMPV6_MLD_FIRST && type <= ICMPV6_MLD_LAST) || type == ICMPV6_MLD_2_REPORT
               ? ROUTE_PRIMARY : ROUTE_ANY;
}

static inline enum route route_of(const struct frame *frame)
{
    const uint32_t off = FRAME_MIN_BYTES + frame->tagged * FRAME_TAG_BYTES;
    const uint8_t *ip = frame->hdr + off;
    uint16_t type;

    if (frame->hdr_len_bytes < off + IPV4_HEADER_BYTES) {
        return ROUTE_OWN;
    }
    type = (uint16_t)(ip[-2] << 8 | ip[-1]);
    if (type == ETHERTYPE_IPV4) {
        return ip[IPV4_PROTOCOL_OFF] == IP_PROTOCOL_IGMP ? ROUTE_PRIMARY : ROUTE_ANY;
    }
    if (type == ETHERTYPE_IPV6 && frame->hdr_len_bytes >= off + IPV6_HEADER_BYTES) {
        const uint8_t next = ip[IPV6_NEXT_OFF];

        return next == IP_PROTOCOL_TCP || next == IP_PROTOCOL_UDP ? ROUTE_ANY : route_ipv6(frame);
    }
    return ROUTE_OWN;
}

/* ---- where its flow goes --------------------------------------------------------------------- */

/* Where @p flowlet goes, which the plan wants at @p planned; it has sent now. */
static inline uint8_t follow(struct team_flowlet *flowlet, uint8_t planned, uint8_t carries,
                             uint64_t now_tsc, uint64_t gap_tsc)
{
    const uint64_t silent_tsc = now_tsc - flowlet->last_tsc;
    const bool started = flowlet->last_tsc != 0;

    flowlet->last_tsc = now_tsc;
    if (__builtin_expect(flowlet->member == planned, 1)) {
        return planned;
    }
    if (started && silent_tsc < gap_tsc && (carries >> flowlet->member & 1) != 0) {
        return flowlet->member;
    }
    if (planned < TEAM_MEMBERS_MAX) {
        flowlet->member = planned;     /* so that it names a member always */
    }
    return planned;
}

/* @p by_flow and @p independent are constants wherever this is called. */
static inline __attribute__((always_inline)) uint32_t
choose(const struct team_plan *plan, const struct team_choice_config *config,
       struct team_flowlets *flowlets, const struct frame_batch *batch, const uint8_t *index,
       uint16_t count, uint64_t now_tsc, uint8_t *member, bool by_flow, bool independent)
{
    const uint8_t carries = byte_of(&plan->carries);
    const uint64_t gap_tsc = config->gap_tsc;
    uint32_t hash[FRAME_BURST];
    uint32_t rewrite = 0;

    if (by_flow) {
        team_hash(batch, index, count, config->hash, hash);
    }
    for (uint16_t i = 0; i < count; i++) {
        const struct frame *frame = &batch->frame[index[i]];
        const uint16_t port = frame->port_in % TEAM_BUCKETS;
        const enum route route = independent ? route_of(frame) : ROUTE_ANY;
        uint8_t own = byte_of(&plan->own[port]);
        uint8_t to;

        if (!by_flow) {
            own = follow(&flowlets->own[port], own, carries, now_tsc, gap_tsc);
        }
        to = own;
        if (by_flow && route == ROUTE_ANY) {
            const uint8_t bucket = team_hash_bucket(hash[i]);

            to = follow(&flowlets->flow[bucket], byte_of(&plan->flow[bucket]), carries, now_tsc,
                        gap_tsc);
            __atomic_store_n(&flowlets->sent_bytes[bucket],
                             flowlets->sent_bytes[bucket] + frame->len_bytes, __ATOMIC_RELAXED);
        } else if (route == ROUTE_PRIMARY) {
            to = byte_of(&plan->primary);
        }
        member[i] = to;
        if (independent) {
            rewrite |= (uint32_t)(to != own && to < TEAM_MEMBERS_MAX) << i;
        }
    }
    return rewrite;
}

uint32_t team_choose(const struct team_plan *plan, const struct team_choice_config *config,
                     struct team_flowlets *flowlets, const struct frame_batch *batch,
                     const uint8_t *index, uint16_t count, uint64_t now_tsc, uint8_t *member)
{
    const bool independent = config->mode == TEAM_INDEPENDENT;

    if (byte_of(&plan->carries) == 0) {
        memset(member, TEAM_NO_MEMBER, count);
        return 0;
    }
    if (config->balance == TEAM_PORT) {
        return independent ? choose(plan, config, flowlets, batch, index, count, now_tsc, member,
                                    false, true)
                           : choose(plan, config, flowlets, batch, index, count, now_tsc, member,
                                    false, false);
    }
    return independent ? choose(plan, config, flowlets, batch, index, count, now_tsc, member,
                                true, true)
                       : choose(plan, config, flowlets, batch, index, count, now_tsc, member,
                                true, false);
}
