/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Segments of up to four streams, as an input wants them: what is merged, cut again, is what came,
 * each stream in order and byte for byte; and nothing behind a frame's trusted bytes is read.
 *
 * Every 12 bytes are a segment.  All zeroes continue a stream by a plain one, so that an input says
 * only what is unusual.
 *
 * fuzz-sources: switch/coalesce.c switch/segment.c switch/checksum.c switch/ether.c
 * fuzz-sources: tests/support/coalesce_lab.c tests/support/frame_builder.c
 */
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/coalesce_lab.h"

#define FACTS_BYTES 12u
#define FLOWS       4u
#define TCP_ACK     0x10
#define FAR         4096u          /* how far a sequence number goes at a step */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct coalesce_lab *lab;

/* A byte that is inverted in part; then no checksum can be promised. */
static void read_patch(const uint8_t *facts, struct lab_segment *segment)
{
    const uint32_t sizes[] = { 1, 14, segment->ip_version == 4 ? 20 : 40,
                               20 + 4u * segment->tcp_option_words };
    const uint8_t layer = facts[0] % 4;

    segment->patch[0] = (struct lab_patch){
        .layer = layer, .off = (uint8_t)(facts[1] % sizes[layer]), .bits = facts[2],
        .late = (facts[0] & 4) != 0,
    };
    if (layer != LAB_NOTHING) {
        segment->csum_state = FRAME_CSUM_AS_IT_IS;
    }
}

/* Makes the next segment of a stream that is at @p at, and moves that on. */
static struct lab_segment read_segment(const uint8_t *facts, struct lab_segment *at)
{
    struct lab_segment segment = *at;

    segment.may_fragment = (facts[0] & 8) != 0;
    segment.ip_option_words = (facts[0] & 16) != 0;
    segment.trailer_bytes = facts[0] >> 6;
    segment.tcp_flags = (uint8_t)(TCP_ACK ^ facts[1]);
    segment.payload_bytes = facts[2] == 0 ? 24 : facts[2] * 24u;
    segment.tcp_option_words = (uint8_t)((3 + facts[3]) % 11);
    segment.sequence += (uint32_t)(int8_t)facts[4] * (facts[4] % 2 == 0 ? FAR : 1);
    segment.id = (uint16_t)(segment.id + (int8_t)facts[5]);
    segment.csum_state = facts[6] % 3;
    segment.takes_not = facts[6] >> 4 & 0x6;
    segment.vlan_tci = (uint16_t)((facts[6] >> 2 & 3) << 12);
    segment.port_out = (uint16_t)(facts[7] >= 0xfe ? 0xff00 + facts[7] : facts[7] % 2 * 3);
    segment.trusted_bytes = facts[8] == 0 ? 0 : 14 + facts[8] % 111;
    read_patch(&facts[9], &segment);
    segment.run_bytes = facts[3] / 11 * 40u;
    if ((facts[0] & 32) == 0) {                    /* else it comes again */
        at->sequence = segment.sequence + segment.payload_bytes;
        at->id = (uint16_t)(segment.id + 1);
    }
    return segment;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct lab_segment at[FLOWS];
    const char *wrong;

    if (lab == NULL) {
        lab = coalesce_lab_create();
    }
    for (uint8_t i = 0; i < FLOWS; i++) {
        at[i] = (struct lab_segment){ .flow = i, .ip_version = i < 2 ? 4 : 6,
                                      .sequence = 0xfffffc00, .id = 0xfffe };
    }
    for (; size >= FACTS_BYTES && lab->batch.count < FRAME_BURST; size -= FACTS_BYTES) {
        const struct lab_segment segment = read_segment(data, &at[data[0] & 3]);

        /* The runs of a source leave room: a frame is of 160 pieces at most. */
        if (FRAME_RUNS - lab->batch.run_count > 160) {
            (void)coalesce_lab_add(lab, &segment);
        }
        data += FACTS_BYTES;
    }
    (void)coalesce_lab_run(lab);
    wrong = coalesce_lab_check(lab);
    if (wrong != NULL) {
        fprintf(stderr, "ERROR: %s: %s\n", wrong, coalesce_lab_shape(lab));
        abort();
    }
    coalesce_lab_start(lab);
    return 0;
}
