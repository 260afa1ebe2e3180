/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * LACP on eight links, to which happens what an input says: frames of any bytes and frames that
 * look right, our own coming back, links that come and go, time that passes.
 *
 * Every four bytes are an event.  After each: links that distribute collect, are up, and have one
 * partner, which is not ourselves; no more than three PDUs in a second are sent by a link, nor more
 * than ten answers; the deadline is in the future, and before it nothing changes.
 *
 * fuzz-sources: teaming/lacp.c teaming/lacp_pdu.c teaming/lacp_receive.c teaming/lacp_periodic.c
 * fuzz-sources: teaming/lacp_select.c teaming/lacp_mux.c teaming/lacp_transmit.c
 * fuzz-sources: teaming/lacp_churn.c switch/mac.c
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "teaming/lacp.h"

#define EVENT_BYTES 4u
#define END_MS      150000u        /* so that an input takes some milliseconds */
#define OUR_SYSTEM  0x00155d0000aau

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct sent {                      /* of a link, the last ones, the newest first */
    uint64_t pdu_ms[3];
    uint64_t answer_ms[10];
    unsigned pdus, answers;
};

static struct lacp *lacp;
static struct lacp_config config;
static struct lacp_link link_of[LACP_LINKS_MAX];
static struct sent sent_by[LACP_LINKS_MAX];
static uint8_t said[LACP_LINKS_MAX][LACP_PDU_FRAME_BYTES];
static uint64_t now_ms;

static void require(bool holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "ERROR: %s\n", what);
        abort();
    }
}

/* ---- what holds ------------------------------------------------------------------------------ */

static void check_links(void)
{
    struct lacp_status first = { .why = NULL };

    require((lacp_distributing(lacp) & ~lacp_collecting(lacp)) == 0, "what distributes collects");
    for (unsigned i = 0; i < LACP_LINKS_MAX; i++) {
        struct lacp_status status;
        const struct lacp_end *partner = &status.partner;

        lacp_status(lacp, i, &status);
        require(!status.collecting || (link_of[i].present && link_of[i].up &&
                                       !link_of[i].half_duplex), "a link that collects is there");
        require(status.distributing == (status.why[0] == '\0'), "it says why it does not");
        if (!status.distributing) {
            continue;
        }
        require(partner->system_mac != config.system_mac, "we are not our own partner");
        if (first.why == NULL) {
            first = status;
            continue;
        }
        require(partner->system_mac == first.partner.system_mac &&
                partner->system_priority == first.partner.system_priority &&
                partner->key == first.partner.key &&
                (partner->state & first.partner.state & LACP_STATE_AGGREGATION) != 0,
                "links that distribute have one partner, which aggregates");
    }
}

static void note(uint64_t *times_ms, unsigned limit, unsigned *count)
{
    require(*count < limit || now_ms - times_ms[limit - 1] >= 1000, "it is not said too often");
    memmove(&times_ms[1], &times_ms[0], (limit - 1) * sizeof(*times_ms));
    times_ms[0] = now_ms;
    (*count)++;
}

static unsigned fetch_all(void)
{
    uint8_t frame[LACP_PDU_FRAME_BYTES];
    struct lacp_pdu pdu;
    struct lacp_marker marker;
    unsigned number, count = 0;

    while (lacp_fetch(lacp, now_ms, &number, frame)) {
        require(link_of[number].present && link_of[number].up, "only a link that is up speaks");
        if (lacp_pdu_read(frame, sizeof(frame), &pdu, &marker) == LACP_PDU_LACP) {
            require(pdu.actor.system_mac == config.system_mac && pdu.actor.port == number + 1 &&
                    pdu.actor.key == config.key, "it says who we are");
            note(sent_by[number].pdu_ms, 3, &sent_by[number].pdus);
            memcpy(said[number], frame, sizeof(frame));
        } else {
            note(sent_by[number].answer_ms, 10, &sent_by[number].answers);
        }
        require(++count < 200, "there is an end of what is said");
    }
    return count;
}

/* Does what is due.  @return the next deadline */
static uint64_t attend(void)
{
    const uint64_t next_ms = lacp_tick(lacp, now_ms);

    require(next_ms > now_ms, "the deadline is not in the past");
    check_links();
    (void)fetch_all();
    require(lacp_tick(lacp, now_ms) >= next_ms, "saying something takes no time");
    return next_ms;
}

/* ---- what happens ---------------------------------------------------------------------------- */

static void pass_ms(uint64_t ms)
{
    const uint64_t end_ms = now_ms + ms;

    for (uint64_t next_ms = attend(); next_ms <= end_ms; next_ms = attend()) {
        const uint8_t before = lacp_collecting(lacp);

        now_ms = next_ms - 1;
        require(lacp_tick(lacp, now_ms) == next_ms && lacp_collecting(lacp) == before &&
                fetch_all() == 0, "nothing changes before its time");
        now_ms = next_ms;
    }
    now_ms = end_ms;
}

static void change_link(unsigned number, uint8_t facts)
{
    struct lacp_link *link = &link_of[number];

    if (!link->present) {
        sent_by[number] = (struct sent){ .pdus = 0 };
    }
    *link = (struct lacp_link){
        .present = (facts & 1) == 0, .up = (facts & 2) == 0, .standby = (facts & 4) != 0,
        .half_duplex = (facts & 8) != 0, .speed_mbps = (facts >> 4 & 3) * 10000u, .mac = number,
    };
    lacp_set_link(lacp, number, link, now_ms);
}

/* A PDU of one of some partners, who know us or do not. */
static void give_pdu(unsigned number, uint8_t who, uint8_t state)
{
    static const uint64_t systems[] = { 0xb, 0xc, OUR_SYSTEM, 0 };
    uint8_t frame[LACP_PDU_FRAME_BYTES];
    struct lacp_marker marker;
    struct lacp_pdu pdu = { .partner.port = 0 };

    (void)lacp_pdu_read(said[number], sizeof(said[number]), &pdu, &marker);
    pdu.partner = pdu.actor;
    pdu.partner.key = (uint16_t)(pdu.partner.key + (who >> 7));
    pdu.actor = (struct lacp_end){
        .system_mac = systems[who & 3], .system_priority = who >> 2 & 1, .key = who >> 3 & 1,
        .port = (uint16_t)((who >> 4 & 1) + number), .state = state ^ 0x3f,
    };
    lacp_pdu_write(&pdu, 1, frame);
    lacp_receive(lacp, number, frame, sizeof(frame), now_ms);
}

static void give_marker(unsigned number, uint8_t patch_at, uint8_t patch)
{
    const struct lacp_marker marker = { .system_mac = 0xb, .transaction = 1, .port = 1 };
    uint8_t frame[LACP_PDU_FRAME_BYTES];

    lacp_pdu_write_response(&marker, 1, frame);
    frame[16] = 1;
    frame[patch_at % sizeof(frame)] ^= patch;
    lacp_receive(lacp, number, frame, sizeof(frame), now_ms);
}

static void configure(uint8_t what)
{
    config.passive = (what & 1) != 0;
    config.slow = (what & 2) != 0;
    config.key = (uint16_t)(1 + (what >> 2 & 1));
    config.system_mac = OUR_SYSTEM + (what >> 3 & 1);
    lacp_configure(lacp, &config, now_ms);
}

/* An event.  @return bytes behind it that belong to it */
static size_t happen(const uint8_t *event, const uint8_t *rest, size_t rest_bytes)
{
    const unsigned number = event[0] >> 5;
    size_t len = 0;

    switch (event[0] & 0xf) {
    case 0:
        give_pdu(number, event[1], event[2]);
        break;
    case 1:
        change_link(number, event[1]);
        break;
    case 2:
        len = event[1] < rest_bytes ? event[1] : rest_bytes;
        lacp_receive(lacp, number, rest, (uint32_t)len, now_ms);
        break;
    case 3:
        lacp_receive(lacp, number, said[event[1] & 7], LACP_PDU_FRAME_BYTES, now_ms);
        break;
    case 4:
        give_marker(number, event[1], event[2]);
        break;
    case 5:
        configure(event[1]);
        break;
    case 6:
        lacp_want(lacp, event[1] % 10, now_ms);
        break;
    case 7:
        for (unsigned i = 0; i < LACP_LINKS_MAX; i++) {        /* all links speak */
            give_pdu(i, event[1], event[2]);
        }
        break;
    default:
        break;
    }
    check_links();
    pass_ms(event[3] < 0xc0 ? event[3] * 8u : (event[3] - 0xbfu) * 1000u);
    return len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    now_ms = 1000;
    config = (struct lacp_config){ .system_mac = OUR_SYSTEM, .system_priority = 1, .key = 1 };
    memset(link_of, 0, sizeof(link_of));
    memset(sent_by, 0, sizeof(sent_by));
    memset(said, 0, sizeof(said));
    lacp = lacp_create(&config, now_ms);
    require(lacp != NULL, "there is memory");
    lacp_want(lacp, 2, now_ms);
    for (unsigned i = 0; i < LACP_LINKS_MAX; i++) {
        change_link(i, i == 7 ? 4 : 0);
    }
    while (size >= EVENT_BYTES && now_ms < END_MS) {
        const size_t used = EVENT_BYTES + happen(data, data + EVENT_BYTES, size - EVENT_BYTES);

        data += used;
        size -= used;
    }
    lacp_destroy(lacp);
    return 0;
}
