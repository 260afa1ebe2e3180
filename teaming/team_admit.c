/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Slow protocols are looked for first: a link that takes no part yet is one that LACP talks on.
 * The members' addresses are asked for by a set of 64 bits, made once a batch, which most sources
 * are not in.
 */
#include "teaming/team_admit.h"

#include <stdbool.h>

#include "switch/mac.h"
#include "teaming/lacp_pdu.h"

#define TAKEN DROP_REASON_COUNT

static inline uint64_t set_bit_of(uint64_t mac)
{
    return UINT64_C(1) << ((mac ^ mac >> 6) & 63);
}

/* The keeper may be changing it. */
static inline uint64_t mac_of(const uint64_t mac[TEAM_MEMBERS_MAX], unsigned number)
{
    return __atomic_load_n(&mac[number], __ATOMIC_RELAXED);
}

static uint64_t set_of(const uint64_t mac[TEAM_MEMBERS_MAX])
{
    uint64_t set = 0;

    for (unsigned i = 0; i < TEAM_MEMBERS_MAX; i++) {
        const uint64_t its = mac_of(mac, i);

        set |= its != 0 ? set_bit_of(its) : 0;
    }
    return set;
}

static bool is_among(const uint64_t mac[TEAM_MEMBERS_MAX], uint64_t source)
{
    for (unsigned i = 0; i < TEAM_MEMBERS_MAX; i++) {
        if (source != 0 && mac_of(mac, i) == source) {
            return true;
        }
    }
    return false;
}

static inline bool is_slow(const struct frame *frame)
{
    return frame->hdr[12] == LACP_PDU_ETHERTYPE >> 8 &&
           frame->hdr[13] == (LACP_PDU_ETHERTYPE & 0xff) && lacp_pdu_is_slow(frame->hdr);
}

/* @p independent is a constant wherever this is called. */
static inline __attribute__((always_inline)) uint16_t
admit(bool member_takes, bool member_is_primary, const uint64_t mac[TEAM_MEMBERS_MAX],
      const struct frame_batch *batch, uint8_t verdict[FRAME_BURST], uint32_t *slow,
      bool independent)
{
    const uint64_t set = independent ? set_of(mac) : 0;
    uint16_t taken = 0;

    for (uint16_t i = 0; i < batch->count; i++) {
        const struct frame *frame = &batch->frame[i];
        const bool whole = frame->hdr_len_bytes >= FRAME_MIN_BYTES;
        uint8_t reason = TAKEN;

        if (whole && is_slow(frame)) {
            reason = DROP_RESERVED_GROUP;
            *slow |= UINT32_C(1) << i;
        } else if (!member_takes) {
            reason = DROP_TEAM_MEMBER_RESTS;
        } else if (independent && whole) {
            const uint64_t source = mac_read(frame->hdr + 6);

            if ((set & set_bit_of(source)) != 0 && is_among(mac, source)) {
                reason = DROP_TEAM_REFLECTED;
            } else if (!member_is_primary && (frame->hdr[0] & 1) != 0) {
                reason = DROP_TEAM_DUPLICATE;
            }
        }
        verdict[i] = reason;
        taken = (uint16_t)(taken + (reason == TAKEN));
    }
    return taken;
}

uint16_t team_admit(const struct team_plan *plan, enum team_mode mode, unsigned member,
                    const uint64_t mac[TEAM_MEMBERS_MAX], const struct frame_batch *batch,
                    uint8_t verdict[FRAME_BURST], uint32_t *slow)
{
    const bool takes = (__atomic_load_n(&plan->takes, __ATOMIC_RELAXED) >> member & 1) != 0;
    const bool primary = __atomic_load_n(&plan->primary, __ATOMIC_RELAXED) == member;

    *slow = 0;
    if (mode == TEAM_INDEPENDENT) {
        return admit(takes, primary, mac, batch, verdict, slow, true);
    }
    return admit(takes, primary, mac, batch, verdict, slow, false);
}
