/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A team through anything: members come, go and flap, knobs turn, loads and slow frames are what
 * they like, and between all that frames leave and come in, of any bytes.
 *
 * After every event buckets are with members that carry, and those have carrier; no frame leaves by
 * another; a flow changes its member only after the gap or when that is lost; an address is
 * changed in switch-independent mode only; and what is taken comes from members that are taken
 * from.
 *
 * fuzz-sources: teaming/[lt]*.c switch/ether.c switch/mac.c
 */
#include <stdlib.h>
#include <string.h>

#include "switch/mac.h"
#include "teaming/team.h"
#include "teaming/team_admit.h"
#include "teaming/team_choose.h"
#include "teaming/team_hash.h"

#define GAP 50u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int truth)
{
    if (!truth) {
        abort();
    }
}

struct input {
    const uint8_t *at;
    size_t left_bytes;
};

static uint8_t take(struct input *input)
{
    if (input->left_bytes == 0) {
        return 0;
    }
    input->left_bytes--;
    return *input->at++;
}

static struct {
    struct team *team;
    struct team_config config;
    struct team_link link[TEAM_MEMBERS_MAX];
    struct team_plan shared;
    struct team_flowlets flowlets;
    struct team_flowlet last[TEAM_BUCKETS];    /* what was seen of each flow's bucket */
    struct frame_batch batch;
    uint64_t mac[TEAM_MEMBERS_MAX];
    uint64_t now_ms;
} rig;

/* ---- the team -------------------------------------------------------------------------------- */

static void configure(struct input *input)
{
    rig.config.setting.mode = take(input) % TEAM_MODE_COUNT;
    rig.config.setting.balance = take(input) % TEAM_BALANCE_COUNT;
    rig.config.setting.hash = take(input) % TEAM_HASH_BY_COUNT;
    rig.config.setting.lacp_slow = take(input) & 1;
    rig.config.setting.lacp_passive = take(input) & 1;
    rig.config.setting.imbalance_percent = take(input);
    rig.config.setting.up_delay_ms = take(input) * 16u;
    team_configure(rig.team, &rig.config, rig.now_ms);
    memset(&rig.flowlets, 0, sizeof(rig.flowlets));
    memset(rig.last, 0, sizeof(rig.last));
}

static void set_link(struct input *input)
{
    const unsigned number = take(input) % TEAM_MEMBERS_MAX;
    const uint8_t facts = take(input);

    rig.link[number] = (struct team_link){
        .present = facts & 1, .standby = facts & 2, .up = facts & 4, .half_duplex = facts & 8,
        .speed_mbps = (uint32_t)(facts >> 4) * (facts >> 4) * 1000u,
        .mac = UINT64_C(0x020000000000) + number,
    };
    rig.mac[number] = rig.link[number].present ? rig.link[number].mac : 0;
    team_set_link(rig.team, number, &rig.link[number], rig.now_ms);
}

static void receive(struct input *input)
{
    const unsigned number = take(input) % TEAM_MEMBERS_MAX;
    const uint32_t len_bytes = take(input);
    uint8_t *frame = calloc(1, len_bytes + 1);

    check(frame != NULL);
    for (uint32_t i = 0; i < len_bytes; i++) {
        frame[i] = take(input);
    }
    team_receive(rig.team, number, frame, len_bytes, rig.now_ms);
    free(frame);
}

static void rebalance(struct input *input)
{
    uint64_t sent[TEAM_BUCKETS];

    for (unsigned i = 0; i < TEAM_BUCKETS; i++) {
        sent[i] = (uint64_t)take(input) << take(input) % 64;
    }
    team_rebalance(rig.team, sent);
}

static void pass_time(struct input *input)
{
    uint8_t frame[LACP_PDU_FRAME_BYTES];
    unsigned number;

    rig.now_ms += (uint64_t)take(input) << take(input) % 8;
    check(team_tick(rig.team, rig.now_ms) > rig.now_ms);
    for (unsigned i = 0; i < 64 && team_fetch(rig.team, rig.now_ms, &number, frame); i++) {
        check(number < TEAM_MEMBERS_MAX && rig.link[number].present);
    }
}

static void check_plan(void)
{
    const struct team_plan *plan = team_plan(rig.team);
    uint8_t up = 0;

    for (unsigned i = 0; i < TEAM_MEMBERS_MAX; i++) {
        struct team_member_status status;

        up |= (uint8_t)((rig.link[i].present && rig.link[i].up) << i);
        team_member_status(rig.team, i, rig.now_ms, &status);
        check(status.carries == ((plan->carries >> i & 1) != 0));
    }
    check(((plan->carries | plan->takes) & ~up) == 0);
    check(rig.config.setting.mode == TEAM_LACP || (plan->carries != 0) == (up != 0));
    check(plan->carries == 0 ? plan->primary == TEAM_NO_MEMBER
                             : (plan->carries >> plan->primary & 1) != 0);
    for (unsigned i = 0; i < TEAM_BUCKETS; i++) {
        check(plan->carries == 0 ? plan->flow[i] == TEAM_NO_MEMBER && plan->own[i] == plan->flow[i]
                                 : (plan->carries >> plan->flow[i] & 1) != 0 &&
                                   (plan->carries >> plan->own[i] & 1) != 0);
    }
    team_choose_publish(&rig.shared, plan);
    check(memcmp(&rig.shared, plan, sizeof(*plan)) == 0);
}

/* ---- frames ---------------------------------------------------------------------------------- */

/* A frame in memory of just its size, so that a read past it is seen. */
static uint8_t *fill_frame(struct input *input)
{
    struct frame *frame = &rig.batch.frame[0];
    const uint16_t len_bytes = take(input) % (FRAME_HDR_BYTES + 1);
    uint8_t *hdr = malloc(len_bytes + 1u);

    check(hdr != NULL);
    for (uint16_t i = 0; i < len_bytes; i++) {
        hdr[i] = take(input);
    }
    *frame = (struct frame){ .hdr = hdr, .len_bytes = len_bytes, .hdr_len_bytes = len_bytes,
                             .port_in = take(input) };
    rig.batch.count = 1;
    frame->tagged = len_bytes >= 18 && hdr[12] == 0x81 && hdr[13] == 0;
    return hdr;
}

static void check_order(uint8_t bucket, uint8_t member)
{
    struct team_flowlet *last = &rig.last[bucket];

    check(last->last_tsc == 0 || last->member == member ||
          rig.now_ms - last->last_tsc >= GAP || (rig.shared.carries >> last->member & 1) == 0);
    *last = (struct team_flowlet){ .last_tsc = rig.now_ms, .member = member };
}

static void send_frame(struct input *input)
{
    const struct team_choice_config config = {
        .mode = rig.config.setting.mode, .balance = rig.config.setting.balance,
        .hash = rig.config.setting.hash, .gap_tsc = GAP };
    uint8_t *hdr = fill_frame(input);
    const uint8_t index = 0;
    uint8_t member = 0x55;
    uint32_t hash, rewrite;

    rewrite = team_choose(&rig.shared, &config, &rig.flowlets, &rig.batch, &index, 1, rig.now_ms,
                          &member);
    check(rig.shared.carries == 0 ? member == TEAM_NO_MEMBER
                                  : (rig.shared.carries >> member & 1) != 0);
    check(rewrite <= (config.mode == TEAM_INDEPENDENT && rig.shared.carries != 0));
    team_hash(&rig.batch, &index, 1, config.hash, &hash);
    if (config.mode != TEAM_INDEPENDENT && rig.shared.carries != 0) {
        check_order(config.balance == TEAM_PORT ? rig.batch.frame[0].port_in % TEAM_BUCKETS
                                                : team_hash_bucket(hash), member);
    }
    free(hdr);
}

static void come_in(struct input *input)
{
    const unsigned member = take(input) % TEAM_MEMBERS_MAX;
    uint8_t *hdr = fill_frame(input);
    uint8_t verdict[FRAME_BURST];
    uint32_t slow;
    const uint16_t taken = team_admit(&rig.shared, rig.config.setting.mode, member, rig.mac,
                                      &rig.batch, verdict, &slow);

    check(taken == (verdict[0] == DROP_REASON_COUNT));
    check(!taken || (rig.shared.takes >> member & 1) != 0);
    check(!taken || rig.config.setting.mode != TEAM_INDEPENDENT ||
          rig.batch.frame[0].hdr_len_bytes < FRAME_MIN_BYTES || (hdr[0] & 1) == 0 ||
          member == rig.shared.primary);
    check(slow == (verdict[0] == DROP_RESERVED_GROUP));
    free(hdr);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = { data, size };

    memset(&rig, 0, sizeof(rig));
    rig.now_ms = 1;
    team_setting_default(&rig.config.setting);
    rig.config.lacp = (struct lacp_config){ .system_mac = 0x020000000100, .system_priority = 1,
                                            .key = 1 };
    rig.team = team_create(&rig.config, rig.now_ms);
    check(rig.team != NULL);
    check_plan();
    while (input.left_bytes != 0) {
        static void (*const events[])(struct input *) = { set_link, pass_time, configure, receive,
                                                          rebalance, send_frame, come_in,
                                                          send_frame };

        events[take(&input) % 8](&input);
        check_plan();
    }
    team_destroy(rig.team);
    return 0;
}
