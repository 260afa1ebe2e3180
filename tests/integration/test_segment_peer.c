/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Segments as somebody else reads them: a capture file of long frames and their segments, with
 * checksums completed in place and within a copy by turns, which segment_peer.py dissects by scapy,
 * making every length and checksum anew.  Then sums of bytes alone, against scapy's own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>
#include <pcap/pcap.h>

#include "switch/checksum.h"
#include "switch/gather.h"
#include "switch/segment.h"
#include "tests/support/frame_complete.h"
#include "tests/support/long_frame.h"
#include "tests/support/random.h"
#include "tests/support/shell.h"

#define PYTHON "/usr/bin/python3"  /* Debian's, whose scapy it is */
#define FRAMES 300
#define SUMS   500

struct room {
    struct frame_batch from;
    struct frame_batch into;
    struct long_frame long_frame;
    uint8_t bytes[FRAME_MAX_BYTES];
    char path[32];
};

static int room_setup(void **state)
{
    struct room *room = aligned_alloc(64, (sizeof(*room) + 63) / 64 * 64);
    int fd;

    *state = room;
    if (room == NULL) {
        return -1;
    }
    (void)snprintf(room->path, sizeof(room->path), "/tmp/segment_peer.XXXXXX");
    fd = mkstemp(room->path);
    return fd < 0 ? -1 : close(fd);
}

static int room_teardown(void **state)
{
    struct room *room = *state;

    (void)unlink(room->path);
    free(room);
    return 0;
}

/* A record's seconds say which frame it belongs to; the first of them is the long frame itself. */
static void write_record(pcap_dumper_t *file, unsigned number, const uint8_t *bytes,
                         uint32_t len_bytes)
{
    const struct pcap_pkthdr header = { .ts = { .tv_sec = number }, .caplen = len_bytes,
                                        .len = len_bytes };

    pcap_dump((u_char *)file, &header, bytes);
}

/* Completes the checksum of @p segment; returns its bytes in room->bytes. */
static void complete(struct room *room, struct frame *segment, bool within_copy)
{
    struct gather bytes = gather_start(&room->into, segment);
    struct gather_sum sum = { 0 };

    if (!within_copy) {
        frame_complete(&room->into, segment);
        gather_copy(&bytes, room->bytes, segment->len_bytes);
        return;
    }
    gather_copy(&bytes, room->bytes, segment->csum_start_bytes);
    gather_copy_sum(&bytes, room->bytes + segment->csum_start_bytes,
                    segment->len_bytes - segment->csum_start_bytes, &sum);
    checksum_store(room->bytes + segment->csum_start_bytes + segment->csum_offset_bytes, segment,
                   sum.sum);
}

static void write_frame(struct room *room, pcap_dumper_t *file, unsigned number)
{
    struct segmenter segmenter;
    const struct frame *frame;
    uint16_t count;

    long_frame_write(&room->long_frame);
    batch_start(&room->from, 1);
    frame = long_frame_add(&room->long_frame, &room->from);
    write_record(file, number, room->long_frame.wire.data, room->long_frame.wire.len_bytes);
    assert_true(segment_start(&segmenter, &room->from, frame));
    while ((count = segment_next(&segmenter, &room->into)) > 0) {
        for (uint16_t i = 0; i < count; i++) {
            struct frame *segment = &room->into.frame[i];

            complete(room, segment, i % 2 == 0);
            write_record(file, number, room->bytes, segment->len_bytes);
        }
    }
}

/* Has segment_peer.py judge the file; skips without scapy. */
static void ask_scapy(const struct room *room, const char *what, unsigned records)
{
    struct shell_outcome outcome;

    if (shell_run(&outcome, 30, PYTHON " -c 'import scapy.all'") != 0) {
        print_message("# skip: python3-scapy is not installed\n");
        skip();
    }
    (void)shell_run(&outcome, 300, PYTHON " tests/integration/segment_peer.py %s %s %u", what,
                    room->path, records);
    print_message("# measured: %s", outcome.output);
    assert_int_equal(outcome.status, 0);
}

static void test_segment_is_what_a_foreign_stack_would_have_made(void **state)
{
    struct room *room = *state;
    pcap_t *kind = pcap_open_dead(DLT_EN10MB, FRAME_MAX_BYTES);
    pcap_dumper_t *file = pcap_dump_open(kind, room->path);
    uint64_t random = 7;

    assert_non_null(file);
    for (unsigned i = 0; i < FRAMES; i++) {
        long_frame_random(&room->long_frame, &random);
        write_frame(room, file, i);
    }
    pcap_dump_close(file);
    pcap_close(kind);

    ask_scapy(room, "segments", FRAMES);
}

/* A record is bytes of any number at any place, behind the checksum that the copy of them had. */
static void test_checksum_copy_is_what_a_foreign_stack_would_sum(void **state)
{
    struct room *room = *state;
    pcap_t *kind = pcap_open_dead(DLT_EN10MB, FRAME_MAX_BYTES);
    pcap_dumper_t *file = pcap_dump_open(kind, room->path);
    uint64_t random = 8;

    assert_non_null(file);
    for (unsigned i = 0; i < SUMS; i++) {
        const uint32_t len_bytes = random_below(&random, i % 4 == 0 ? 60000 : 300);
        const uint32_t first_bytes = random_below(&random, len_bytes + 1);
        const uint8_t *from = room->long_frame.wire.data + random_below(&random, 64);
        uint64_t sum;
        uint16_t result;

        for (uint32_t at = 0; at < sizeof(room->long_frame.wire.data); at++) {
            room->long_frame.wire.data[at] = (uint8_t)(random_next(&random) >> 40);
        }
        sum = checksum_copy(0, room->bytes + 2, from, first_bytes, false);
        sum = checksum_copy(sum, room->bytes + 2 + first_bytes, from + first_bytes,
                            len_bytes - first_bytes, first_bytes % 2 != 0);
        result = checksum_finish(sum);
        room->bytes[0] = (uint8_t)(result >> 8);
        room->bytes[1] = (uint8_t)result;
        assert_memory_equal(room->bytes + 2, from, len_bytes);
        write_record(file, i, room->bytes, 2 + len_bytes);
    }
    pcap_dump_close(file);
    pcap_close(kind);

    ask_scapy(room, "sums", SUMS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_segment_is_what_a_foreign_stack_would_have_made,
                                        room_setup, room_teardown),
        cmocka_unit_test_setup_teardown(test_checksum_copy_is_what_a_foreign_stack_would_sum,
                                        room_setup, room_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
