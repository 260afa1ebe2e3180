/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Frames and streams chosen at random, the same ones in every run: frames that are cut and merged
 * again are what they were, and streams that mix, lose, repeat and reorder come out as they went
 * in.
 */
#include "switch/coalesce.h"

#include <string.h>

#include "switch/gather.h"
#include "tests/support/coalesce_case.h"
#include "tests/support/frame_complete.h"
#include "tests/support/long_frame.h"
#include "tests/support/random.h"

#define CASES 10000

#define PSH 0x08
#define ACK 0x10

/* ---- any frame ------------------------------------------------------------------------------- */

/* Whether segments of @p of may be merged at all, by their headers. */
static bool any_mergeable(const struct long_frame *of)
{
    return of->gso_type != FRAME_GSO_UDP && of->tags == 0 && of->option_words == 0;
}

/* Whether all of them may be, by their flags. */
static bool all_mergeable(const struct long_frame *of)
{
    return any_mergeable(of) && (of->tcp_flags & ~PSH) == ACK;
}

/* The long frame that was merged again is the one that was cut. */
static void check_whole(struct coalesce_lab *lab, const struct long_frame *of)
{
    const struct frame *frame = &lab->batch.frame[0];
    uint8_t *hdr = frame->hdr;
    const uint32_t ip_sum = of->l3_off_bytes + 10u, tcp_sum = of->l4_off_bytes + 16u;
    const uint8_t *was = of->wire.data;
    struct gather from;

    /* The sums, which the lab has checked, as the sender left them. */
    if (of->ip_version == 4) {
        memcpy(hdr + ip_sum, was + ip_sum, 2);
    }
    memcpy(hdr + tcp_sum, was + tcp_sum, 2);
    from = gather_start(&lab->batch, frame);
    assert_int_equal(frame->len_bytes, of->wire.len_bytes);
    assert_int_equal(frame->gso_type, of->gso_type);
    assert_int_equal(frame->gso_size_bytes, of->gso_size_bytes);
    gather_copy(&from, lab->bytes, frame->len_bytes);
    assert_memory_equal(lab->bytes, was, frame->len_bytes);
}

/* Lets the segments in the batch be as a wire brings them, or leaves them partial. */
static void complete(struct frame_batch *batch)
{
    for (uint16_t i = 0; i < batch->count; i++) {
        frame_complete(batch, &batch->frame[i]);
        batch->frame[i].csum_state = FRAME_CSUM_AS_IT_IS;
    }
    batch->offload_count = 0;
}

/* Coalesces the segments in the batch.  @return whether they are the whole long frame again */
static bool merge_segments(struct coalesce_lab *lab, const struct long_frame *of)
{
    const uint16_t count = lab->batch.count;
    const bool enough_runs = count + 2u * lab->batch.run_count <= FRAME_RUNS;

    (void)coalesce_lab_run(lab);
    coalesce_case_is_right(lab);
    if (!any_mergeable(of)) {
        assert_int_equal(lab->batch.count, count);
    }
    if (!all_mergeable(of) || !enough_runs) {
        return false;
    }
    assert_int_equal(lab->batch.count, 1);
    return count > 1 && lab->batch.frame[0].len_bytes == of->wire.len_bytes;
}

static void test_coalesce_merges_any_frame_that_was_cut(void **state)
{
    static struct long_frame long_frame;
    static struct frame_batch from;
    struct coalesce_lab *lab = *state;
    struct segmenter segmenter;
    uint64_t random = 1;
    uint32_t wholes = 0;

    for (unsigned i = 0; i < CASES; i++) {
        long_frame_random(&long_frame, &random);
        if (random_below(&random, 4) != 0) {
            long_frame.tcp_flags = (uint8_t)(ACK | (random_next(&random) & PSH));
            long_frame.tags = 0;
        }
        long_frame_write(&long_frame);
        batch_start(&from, 7);
        long_frame_add(&long_frame, &from)->port_out = LAB_PORT;
        assert_true(segment_start(&segmenter, &from, &from.frame[0]));
        while (segment_next(&segmenter, &lab->batch) > 0) {
            if (random_below(&random, 2) == 0) {
                complete(&lab->batch);
            }
            if (merge_segments(lab, &long_frame)) {
                check_whole(lab, &long_frame);
                wholes++;
            }
        }
    }
    assert_in_range(wholes, CASES / 20, CASES);
}

/* ---- any streams ----------------------------------------------------------------------------- */

/* What may happen to a stream, chosen so that about every second segment continues it. */
static void disturb(struct lab_segment *one, uint64_t *random)
{
    switch (random_below(random, 40)) {
    case 0: one->tcp_flags = (uint8_t)random_next(random); break;
    case 1: one->sequence += 1 + random_below(random, 3000); break;        /* a loss */
    case 2: one->sequence -= 1 + random_below(random, 3000); break;
    case 3: one->payload_bytes = random_below(random, 1200); break;
    case 4: one->id = (uint16_t)(one->id + random_below(random, 3)); break;
    case 5: one->trailer_bytes = random_below(random, 3); break;
    case 6: one->ip_option_words = 1; break;
    case 7: one->tcp_option_words = (uint8_t)random_below(random, 10); break;
    case 8: one->vlan_tci = (uint16_t)(random_below(random, 2) << 13); break;
    case 9: one->port_out = (uint16_t)(LAB_PORT + random_below(random, 2)); break;
    case 10: one->port_out = random_below(random, 2) == 0 ? PORT_NONE : PORT_FLOOD; break;
    case 11: one->takes_not = (uint8_t)random_next(random); break;
    case 12: case 13: one->tcp_flags |= PSH; break;
    case 14: case 15: case 16: case 17:
        one->patch[0] = (struct lab_patch){
            .layer = (uint8_t)(LAB_ETHER + random_below(random, 3)),
            .off = (uint8_t)random_below(random, 14), .bits = (uint8_t)random_next(random),
            .late = one->csum_state == FRAME_CSUM_AS_IT_IS && random_below(random, 2) == 0,
        };
        break;
    default: break;
    }
}

/* A batch of up to four flows, each with its own way of counting. */
static void add_random_batch(struct coalesce_lab *lab, uint64_t *random)
{
    const uint32_t count = 1 + random_below(random, FRAME_BURST);
    const uint32_t flows = 1 + random_below(random, 4);
    struct lab_segment flow[4];

    for (uint8_t i = 0; i < flows; i++) {
        flow[i] = (struct lab_segment){
            .flow = i,
            .ip_version = random_below(random, 2) == 0 ? 4 : 6,
            .tcp_option_words = 3,
            .tcp_flags = ACK,
            .csum_state = (uint8_t)random_below(random, 3),
            .may_fragment = random_below(random, 2) == 0,
            .id = (uint16_t)random_next(random),
            .sequence = (uint32_t)random_next(random),
            .payload_bytes = 1 + random_below(random, 1500),
            .run_bytes = random_below(random, 2) * (60 + random_below(random, 1000)),
        };
    }
    for (uint32_t i = 0; i < count; i++) {
        struct lab_segment *next = &flow[random_below(random, flows)];
        struct lab_segment one = *next;

        if (random_below(random, 2) == 0) {
            disturb(&one, random);
        }
        one.trusted_bytes = random_below(random, 4) == 0 ? 96 : 0;
        (void)coalesce_lab_add(lab, &one);
        if (random_below(random, 20) != 0) {       /* else it comes again */
            next->sequence = one.sequence + one.payload_bytes;
            next->id = (uint16_t)(one.id + 1);
        }
    }
}

static void test_coalesce_changes_no_stream(void **state)
{
    struct coalesce_lab *lab = *state;
    uint64_t random = 2;
    uint32_t gone = 0;

    for (unsigned i = 0; i < CASES; i++) {
        coalesce_lab_start(lab);
        add_random_batch(lab, &random);
        gone += coalesce_lab_run(lab);
        coalesce_case_is_right(lab);
    }
    assert_in_range(gone, CASES, UINT32_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        COALESCE_CASE(test_coalesce_merges_any_frame_that_was_cut),
        COALESCE_CASE(test_coalesce_changes_no_stream),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
