/* SPDX-License-Identifier: BSD-3-Clause */
/* What a capture keeps of what it is shown, and what its stream then says. */
#include "dataplane/capture.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "switch/drop.h"
#include "switch/frame_tag.h"
#include "tests/support/capture_rig.h"
#include "tests/support/checksum_naive.h"
#include "vnic/vnic.h"

static struct capture_rig rig;
static struct pcapng_read stream;
static struct capture_result result;

static const struct capture_config ALL = { .direction = CAPTURE_BOTH };

static int teardown(void **state)
{
    (void)state;
    rig_free(&rig);
    pcapng_read_free(&stream);
    return 0;
}

/* Asks for the end and takes the stream apart into `stream` and `result`. */
static void finish(void)
{
    capture_end(rig.capture);
    rig_finish(&rig, &stream, &result);
}

static uint64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void test_capture_stream_names_program_and_interfaces(void **state)
{
    const struct capture_config config = { .direction = CAPTURE_BOTH, .filter = "arp or ip6",
                                           .snaplen_bytes = 200 };
    (void)state;
    rig_start(&rig, &config);

    finish();

    assert_string_equal(stream.application, "vswitchd " VSWITCH_VERSION);
    assert_int_equal(stream.interface_count, 2);
    assert_string_equal(stream.interface[0].name, "vnic:a");
    assert_string_equal(stream.interface[1].name, "vnic:b");
    assert_string_equal(stream.interface[1].filter, "arp or ip6");
    assert_int_equal(stream.interface[1].snaplen_bytes, 200);
    assert_int_equal(stream.interface[1].resolution, 9);
    assert_int_equal(stream.packet_count, 0);
    assert_int_equal(stream.cut_bytes, 0);
}

static void test_capture_frame_has_port_direction_time_and_bytes(void **state)
{
    const uint64_t before_ns = now_ns();
    uint64_t after_ns;
    (void)state;
    rig_start(&rig, &ALL);
    usleep(30000);
    rig_frame(&rig, 60, 0);
    rig_see(&rig, RIG_PORT_A, CAPTURE_IN);
    rig_see(&rig, RIG_PORT_B, CAPTURE_OUT);
    after_ns = now_ns();

    finish();

    assert_int_equal(stream.packet_count, 2);
    assert_int_equal(stream.packet[0].interface, 0);
    assert_int_equal(stream.packet[0].flags, 1);
    assert_int_equal(stream.packet[1].interface, 1);
    assert_int_equal(stream.packet[1].flags, 2);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(stream.packet[i].captured_bytes, 60);
        assert_memory_equal(stream.packet[i].data, rig.wire[0].data, 60);
        assert_string_equal(stream.packet[i].comment, "");
        assert_in_range(stream.packet[i].time_ns, before_ns, after_ns + 1000000);
    }
    assert_true(stream.packet[1].time_ns >= stream.packet[0].time_ns);
}

static void test_capture_payload_in_runs_is_whole(void **state)
{
    (void)state;
    rig_start(&rig, &ALL);
    rig_frame(&rig, 1999, 77);
    rig_see(&rig, RIG_PORT_A, CAPTURE_IN);

    finish();

    assert_int_equal(stream.packet_count, 1);
    assert_int_equal(stream.packet[0].captured_bytes, 1999);
    assert_memory_equal(stream.packet[0].data, rig.wire[0].data, 1999);
}

/* Shows a frame of 1,999 bytes with a partial checksum; what was kept is in `stream`. */
static void capture_partial_checksum(uint32_t snaplen_bytes)
{
    const struct capture_config config = { .direction = CAPTURE_BOTH,
                                           .snaplen_bytes = snaplen_bytes };

    rig_start(&rig, &config);
    rig_frame(&rig, 1999, 77);
    rig.batch.frame[0].csum_state = FRAME_CSUM_PARTIAL;
    rig.batch.frame[0].csum_start_bytes = 34;
    rig.batch.frame[0].csum_offset_bytes = 16;
    rig_see(&rig, RIG_PORT_A, CAPTURE_OUT);
    finish();
    assert_int_equal(stream.packet[0].captured_bytes, snaplen_bytes);
}

static void test_capture_partial_checksum_is_shown_complete(void **state)
{
    uint16_t sum;
    (void)state;

    capture_partial_checksum(1999);

    sum = (uint16_t)~checksum_naive(0, rig.wire[0].data + 34, 1999 - 34);
    assert_int_equal(stream.packet[0].data[50] << 8 | stream.packet[0].data[51], sum);
    assert_memory_equal(stream.packet[0].data, rig.wire[0].data, 50);
    assert_memory_equal(stream.packet[0].data + 52, rig.wire[0].data + 52, 1999 - 52);
}

static void test_capture_partial_checksum_of_a_cut_frame_is_left(void **state)
{
    (void)state;

    capture_partial_checksum(1998);

    assert_memory_equal(stream.packet[0].data, rig.wire[0].data, 1998);
}

static void test_capture_longest_frame_is_whole_with_and_without_filter(void **state)
{
    const char *const filters[] = { NULL, "greater 65562" };
    (void)state;

    for (int i = 0; i < 2; i++) {
        const struct capture_config config = { .direction = CAPTURE_BOTH, .filter = filters[i] };

        rig_start(&rig, &config);
        rig_frame(&rig, FRAME_MAX_BYTES, 4096);
        rig_see(&rig, RIG_PORT_A, CAPTURE_IN);
        finish();

        assert_int_equal(stream.packet_count, 1);
        assert_int_equal(stream.packet[0].captured_bytes, FRAME_MAX_BYTES);
        assert_memory_equal(stream.packet[0].data, rig.wire[0].data, FRAME_MAX_BYTES);
        if (i == 0) {
            rig_free(&rig);
            pcapng_read_free(&stream);
        }
    }
}

static void test_capture_snaplen_cuts_at_any_byte(void **state)
{
    static const uint32_t snaplens[] = { 14, 61, 124, 125, 300, 301 };
    (void)state;

    for (size_t i = 0; i < sizeof(snaplens) / sizeof(snaplens[0]); i++) {
        const struct capture_config config = { .direction = CAPTURE_BOTH,
                                               .snaplen_bytes = snaplens[i] };
        const uint32_t expected = snaplens[i] < 300 ? snaplens[i] : 300;

        if (i > 0) {
            rig_free(&rig);
            pcapng_read_free(&stream);
        }
        rig_start(&rig, &config);
        rig_frame(&rig, 300, 50);
        rig_see(&rig, RIG_PORT_A, CAPTURE_IN);
        finish();

        assert_int_equal(stream.packet_count, 1);
        assert_int_equal(stream.packet[0].captured_bytes, expected);
        assert_int_equal(stream.packet[0].original_bytes, 300);
        assert_memory_equal(stream.packet[0].data, rig.wire[0].data, expected);
    }
}

/* What a filter says of a frame of 300 bytes, of which 124 are header and the rest runs of 50. */
static bool filter_lets_through(const char *filter, uint32_t snaplen_bytes)
{
    const struct capture_config config = { .direction = CAPTURE_BOTH, .filter = filter,
                                           .snaplen_bytes = snaplen_bytes };
    bool passed;

    rig_start(&rig, &config);
    rig_frame(&rig, 300, 50);
    rig_see(&rig, RIG_PORT_A, CAPTURE_IN);
    finish();
    passed = stream.packet_count == 1;
    assert_int_equal(result.seen, 1);
    assert_int_equal(result.matched, passed);
    assert_int_equal(stream.interface[0].accepted, passed);
    rig_free(&rig);
    pcapng_read_free(&stream);
    return passed;
}

static void test_capture_filter_decides_by_all_bytes_of_a_frame(void **state)
{
    (void)state;

    assert_true(filter_lets_through("ether proto 0x88b5", 0));
    assert_false(filter_lets_through("ip", 0));
    assert_true(filter_lets_through("ether src 02:00:00:00:00:a0", 0));
    /* wire_fill() writes 7 * offset + 1 */
    assert_true(filter_lets_through("ether[123] = 94 and ether[124] = 101", 0));
    assert_true(filter_lets_through("ether[172:4] = 0xb5bcc3ca", 0));        /* across two runs */
    assert_true(filter_lets_through("ether[299] = 46", 0));
    assert_false(filter_lets_through("ether[299] = 45", 0));
    assert_false(filter_lets_through("ether[300] >= 0", 0));                 /* there is no such */
    assert_true(filter_lets_through("len = 300", 0));
    assert_true(filter_lets_through("ether[299] = 46", 14));                 /* but kept are 14 */
    memset(&rig, 0, sizeof(rig));
    rig.reader_fd = -1;
}

static void test_capture_direction_takes_one_way_only(void **state)
{
    const struct capture_config config = { .direction = CAPTURE_OUT };
    (void)state;
    rig_start(&rig, &config);
    rig_frame(&rig, 60, 0);
    rig_see(&rig, RIG_PORT_A, CAPTURE_IN);
    rig_see(&rig, RIG_PORT_A, CAPTURE_OUT);

    finish();

    assert_int_equal(stream.packet_count, 1);
    assert_int_equal(stream.packet[0].flags, 2);
    assert_int_equal(result.seen, 1);
}

static void test_capture_port_that_is_not_watched_is_not_seen(void **state)
{
    (void)state;
    rig_start(&rig, &ALL);
    rig_frame(&rig, 60, 0);
    rig_see(&rig, RIG_PORT_A + 1, CAPTURE_IN);
    rig_see(&rig, RIG_PORT_A + 64, CAPTURE_IN);

    finish();

    assert_int_equal(result.seen, 0);
    assert_int_equal(stream.packet_count, 0);
}

static void test_capture_dropped_frame_says_why(void **state)
{
    const uint8_t verdict[] = { VNIC_DELIVERED, DROP_GUEST_RING_FULL, DROP_OVER_MTU };
    const uint8_t index[] = { 4, 9, 2 };
    (void)state;
    rig_start(&rig, &ALL);
    rig_burst(&rig, 60);
    capture_see(rig.watch, 0, RIG_PORT_B, CAPTURE_OUT, &rig.batch, index, 3, verdict);

    finish();

    assert_int_equal(stream.packet_count, 3);
    assert_string_equal(stream.packet[0].comment, "");
    assert_string_equal(stream.packet[1].comment, "dropped: receiver had no free buffers");
    assert_string_equal(stream.packet[2].comment,
                        "dropped: longer than the MTU of the receiving port");
    for (int i = 0; i < 3; i++) {
        assert_int_equal(stream.packet[i].data[59], index[i]);
    }
}

static void test_capture_without_verdicts_believes_the_frames(void **state)
{
    (void)state;
    rig_start(&rig, &ALL);
    rig_burst(&rig, 60);
    rig.batch.frame[0].port_out = PORT_FLOOD;
    rig.batch.frame[1].port_out = PORT_NONE;
    rig.batch.frame[1].drop_reason = DROP_SOURCE_ZERO;
    capture_see(rig.watch, 0, RIG_PORT_A, CAPTURE_IN, &rig.batch, NULL, 2, NULL);

    finish();

    assert_int_equal(stream.packet_count, 2);
    assert_string_equal(stream.packet[0].comment, "");
    assert_string_equal(stream.packet[1].comment, "dropped: source address is zero");
}

static void test_capture_frame_that_came_tagged_is_shown_with_that_tag(void **state)
{
    struct frame *frame = &rig.batch.frame[0];
    struct frame before;
    (void)state;
    rig_start(&rig, &ALL);
    wire_start(&rig.wire[0], 0x0200000000b0, 0x0200000000a0);
    wire_tag(&rig.wire[0], 0x8100, 0x600a);
    wire_type(&rig.wire[0], 0x88b5);
    wire_fill(&rig.wire[0], 300);
    batch_start(&rig.batch, RIG_PORT_A);
    batch_add_wire(&rig.batch, &rig.wire[0], 50);
    frame->came_tagged = 1;
    frame->tci_in = frame_tag_pop(frame);
    frame->vlan_tci = 10;                                      /* its priority was reset */
    rig.batch.altered = true;
    before = *frame;
    capture_see_in(rig.watch, 0, &rig.batch);

    finish();

    assert_int_equal(stream.packet_count, 1);
    assert_int_equal(stream.packet[0].flags, 1);
    assert_int_equal(stream.packet[0].original_bytes, 300);
    assert_memory_equal(stream.packet[0].data, rig.wire[0].data, 300);
    assert_memory_equal(frame, &before, sizeof(before));
}

static void test_capture_dropped_frame_that_kept_its_tag_is_shown_as_it_is(void **state)
{
    struct frame *frame = &rig.batch.frame[0];
    (void)state;
    rig_start(&rig, &ALL);
    wire_start(&rig.wire[0], 0x0200000000b0, 0x0200000000a0);
    wire_tag(&rig.wire[0], 0x8100, 10);
    wire_type(&rig.wire[0], 0x88b5);
    wire_fill(&rig.wire[0], 60);
    batch_start(&rig.batch, RIG_PORT_A);
    batch_add_wire(&rig.batch, &rig.wire[0], 0);
    frame->came_tagged = 1;
    frame->tagged = 1;
    frame->tci_in = 10;
    frame->port_out = PORT_NONE;
    frame->drop_reason = DROP_TAGGED;
    capture_see_in(rig.watch, 0, &rig.batch);

    finish();

    assert_int_equal(stream.packet[0].original_bytes, 60);
    assert_memory_equal(stream.packet[0].data, rig.wire[0].data, 60);
    assert_string_equal(stream.packet[0].comment,
                        "dropped: tagged, on a port that sends untagged frames only");
}

static void test_capture_filter_sees_the_longest_frame_and_its_tag(void **state)
{
    const struct capture_config config = { .direction = CAPTURE_BOTH, .filter = "vlan 10" };
    (void)state;
    rig_start(&rig, &config);
    rig_frame(&rig, FRAME_MAX_BYTES, 0);
    frame_tag_push(&rig.batch.frame[0], 10);
    rig_see(&rig, RIG_PORT_A, CAPTURE_OUT);

    finish();

    assert_int_equal(stream.packet_count, 1);
    assert_int_equal(stream.packet[0].original_bytes, FRAME_MAX_BYTES + FRAME_TAG_BYTES);
}

/* What was refused as it came is not asked about again as it goes, unless it goes as another. */
static void test_capture_refused_batch_is_judged_anew_when_altered(void **state)
{
    const struct capture_config config = { .direction = CAPTURE_BOTH, .filter = "vlan 10" };
    struct frame *frame = &rig.batch.frame[0];
    (void)state;
    rig_start(&rig, &config);
    for (unsigned i = 0; i < 2; i++) {             /* the second is known by the first */
        rig_frame(&rig, 300, 0);
        capture_see_in(rig.watch, 0, &rig.batch);
    }
    rig_see(&rig, RIG_PORT_B, CAPTURE_OUT);
    frame_tag_push(frame, 10);
    rig.batch.altered = true;
    rig_see(&rig, RIG_PORT_B, CAPTURE_OUT);
    (void)frame_tag_pop(frame);
    rig_see(&rig, RIG_PORT_B, CAPTURE_OUT);

    rig_frame(&rig, 300, 0);                       /* another batch, which comes as it is wanted */
    frame_tag_push(frame, 10);
    capture_see_in(rig.watch, 0, &rig.batch);
    rig_see(&rig, RIG_PORT_B, CAPTURE_OUT);

    finish();

    assert_int_equal(stream.packet_count, 3);
    assert_int_equal(result.seen, 7);
    assert_int_equal(result.matched, 3);
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(stream.packet[i].original_bytes, 304);
        assert_int_equal(stream.packet[i].flags, i == 1 ? 1 : 2);
    }
}

static void test_capture_drops_only_takes_what_was_dropped(void **state)
{
    const struct capture_config config = { .direction = CAPTURE_BOTH, .drops_only = true };
    uint8_t verdict[FRAME_BURST];
    (void)state;
    rig_start(&rig, &config);
    rig_burst(&rig, 60);
    memset(verdict, VNIC_DELIVERED, sizeof(verdict));
    verdict[5] = DROP_NOT_ATTACHED;
    capture_see(rig.watch, 0, RIG_PORT_B, CAPTURE_OUT, &rig.batch, NULL, FRAME_BURST, verdict);

    finish();

    assert_int_equal(stream.packet_count, 1);
    assert_int_equal(stream.packet[0].data[59], 5);
    assert_int_equal(result.seen, FRAME_BURST);
    assert_int_equal(result.matched, 1);
    assert_int_equal(result.written, 1);
}

static void test_capture_workers_are_merged_by_time(void **state)
{
    (void)state;
    rig_start(&rig, &ALL);
    for (uint32_t i = 0; i < 200; i++) {
        rig_frame(&rig, 60, 0);
        rig.batch.frame[0].hdr[59] = (uint8_t)i;
        capture_see(rig.watch, i * 7 % 3 % RIG_WORKERS, RIG_PORT_A, CAPTURE_IN, &rig.batch, NULL,
                    1, NULL);
    }

    finish();

    assert_int_equal(stream.packet_count, 200);
    for (uint32_t i = 0; i < 200; i++) {
        assert_int_equal(stream.packet[i].data[59], i);
    }
}

static void test_capture_statistics_of_interfaces_add_up(void **state)
{
    const struct capture_config config = { .direction = CAPTURE_BOTH, .filter = "len >= 100" };
    (void)state;
    rig_start(&rig, &config);
    rig_frame(&rig, 60, 0);
    rig_see(&rig, RIG_PORT_A, CAPTURE_IN);
    rig_frame(&rig, 100, 0);
    rig_see(&rig, RIG_PORT_A, CAPTURE_IN);
    rig_see(&rig, RIG_PORT_B, CAPTURE_OUT);

    finish();

    assert_true(stream.interface[0].has_statistics && stream.interface[1].has_statistics);
    assert_int_equal(stream.interface[0].received, 2);
    assert_int_equal(stream.interface[0].accepted, 1);
    assert_int_equal(stream.interface[0].dropped, 0);
    assert_int_equal(stream.interface[1].received, 1);
    assert_int_equal(stream.interface[1].accepted, 1);
    assert_int_equal(result.seen, 3);
    assert_int_equal(result.matched, 2);
    assert_int_equal(result.written, 2);
    assert_int_equal(result.written_bytes, atomic_load(&rig.stream_bytes));
    assert_int_equal(result.end, CAPTURE_END_STOPPED);
}

static void test_capture_port_that_appears_later_is_an_interface(void **state)
{
    (void)state;
    rig_start(&rig, &ALL);
    rig_read(&rig);
    rig_frame(&rig, 60, 0);
    rig_see(&rig, RIG_PORT_A, CAPTURE_IN);
    usleep(50000);
    assert_int_equal(capture_watch_add(rig.watch, rig.capture, 9, "vnic:late"), 0);
    rig_see(&rig, 9, CAPTURE_IN);

    finish();

    assert_int_equal(stream.interface_count, 3);
    assert_string_equal(stream.interface[2].name, "vnic:late");
    assert_int_equal(stream.packet_count, 2);
    assert_int_equal(stream.packet[1].interface, 2);
}

/* The port's number is given to another vNIC while its old frames are still in the ring. */
static void test_capture_port_under_a_new_name_is_another_interface(void **state)
{
    (void)state;
    rig_start(&rig, &ALL);
    rig_frame(&rig, 60, 0);
    rig_see(&rig, RIG_PORT_A, CAPTURE_IN);
    rig_see(&rig, RIG_PORT_A, CAPTURE_IN);
    assert_int_equal(capture_watch_add(rig.watch, rig.capture, RIG_PORT_A, "vnic:a"), 0);
    assert_int_equal(capture_watch_add(rig.watch, rig.capture, RIG_PORT_A, "vnic:c"), 0);
    rig_see(&rig, RIG_PORT_A, CAPTURE_IN);

    finish();

    assert_int_equal(stream.interface_count, 3);
    assert_int_equal(stream.packet_count, 3);
    assert_int_equal(stream.packet[0].interface, 0);
    assert_int_equal(stream.packet[1].interface, 0);
    assert_int_equal(stream.packet[2].interface, 2);
    assert_int_equal(stream.interface[0].received, 2);
    assert_int_equal(stream.interface[2].received, 1);
    assert_string_equal(stream.interface[2].name, "vnic:c");
}

static void test_capture_several_take_each_their_own(void **state)
{
    static struct capture_rig other;
    const struct capture_config shorts = { .direction = CAPTURE_BOTH, .filter = "less 99" };
    struct capture_watch *both = capture_watch_create(2);
    struct pcapng_read second;
    (void)state;
    rig_start(&rig, &ALL);
    rig_start(&other, &shorts);
    assert_int_equal(capture_watch_add(both, rig.capture, RIG_PORT_A, "vnic:a"), 0);
    assert_int_equal(capture_watch_add(both, other.capture, RIG_PORT_A, "vnic:a"), 0);
    assert_int_equal(capture_watch_add(both, other.capture, RIG_PORT_B, "vnic:b"), 0);
    for (uint32_t len = 60; len <= 260; len += 100) {
        rig_frame(&rig, len, 0);
        capture_see(both, 1, RIG_PORT_A, CAPTURE_IN, &rig.batch, NULL, 1, NULL);
        capture_see(both, 1, RIG_PORT_B, CAPTURE_OUT, &rig.batch, NULL, 1, NULL);
    }

    finish();
    capture_end(other.capture);
    rig_finish(&other, &second, &result);

    assert_int_equal(stream.packet_count, 3);
    assert_int_equal(second.packet_count, 2);
    assert_int_equal(second.packet[1].interface, 1);
    pcapng_read_free(&second);
    rig_free(&other);
    capture_watch_destroy(both);
}

static void test_capture_watch_refuses_one_capture_too_many(void **state)
{
    struct capture_watch *none = capture_watch_create(0);
    (void)state;
    rig_start(&rig, &ALL);

    assert_int_equal(capture_watch_add(none, rig.capture, RIG_PORT_A, "vnic:a"), -ENOSPC);

    capture_watch_destroy(none);
}

static void test_capture_bad_filter_is_refused_with_libpcaps_reason(void **state)
{
    const struct capture_config config = { .direction = CAPTURE_BOTH, .filter = "tcp porrt 80" };
    struct error error = { 0 };
    (void)state;

    assert_null(capture_create(&config, 1, &error));

    assert_int_equal(error.code, EINVAL);
    assert_non_null(strstr(error.text, "\"tcp porrt 80\""));
    assert_non_null(strstr(error.text, "syntax error"));
}

static void test_capture_filter_too_long_is_refused(void **state)
{
    char filter[CAPTURE_FILTER_SIZE + 1];
    const struct capture_config config = { .direction = CAPTURE_BOTH, .filter = filter };
    struct error error = { 0 };
    (void)state;
    memset(filter, ' ', sizeof(filter));
    filter[CAPTURE_FILTER_SIZE] = '\0';

    assert_null(capture_create(&config, 1, &error));

    assert_int_equal(error.code, EINVAL);
}

static void test_capture_snaplen_out_of_range_is_refused(void **state)
{
    static const uint32_t bad[] = { 1, 13, 262145 };
    (void)state;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        const struct capture_config config = { .direction = CAPTURE_BOTH,
                                               .snaplen_bytes = bad[i] };
        struct error error = { 0 };

        assert_null(capture_create(&config, 1, &error));
        assert_int_equal(error.code, EINVAL);
    }
}

static void test_capture_never_streamed_is_destroyed(void **state)
{
    struct error error;
    struct capture *capture = capture_create(&ALL, 1, &error);
    (void)state;

    assert_non_null(capture);
    capture_destroy(capture);
}

int main(void)
{
#define STREAM_TEST(name) cmocka_unit_test_teardown(name, teardown)
    const struct CMUnitTest tests[] = {
        STREAM_TEST(test_capture_stream_names_program_and_interfaces),
        STREAM_TEST(test_capture_frame_has_port_direction_time_and_bytes),
        STREAM_TEST(test_capture_payload_in_runs_is_whole),
        STREAM_TEST(test_capture_partial_checksum_is_shown_complete),
        STREAM_TEST(test_capture_partial_checksum_of_a_cut_frame_is_left),
        STREAM_TEST(test_capture_longest_frame_is_whole_with_and_without_filter),
        STREAM_TEST(test_capture_snaplen_cuts_at_any_byte),
        STREAM_TEST(test_capture_filter_decides_by_all_bytes_of_a_frame),
        STREAM_TEST(test_capture_direction_takes_one_way_only),
        STREAM_TEST(test_capture_port_that_is_not_watched_is_not_seen),
        STREAM_TEST(test_capture_dropped_frame_says_why),
        STREAM_TEST(test_capture_without_verdicts_believes_the_frames),
        STREAM_TEST(test_capture_frame_that_came_tagged_is_shown_with_that_tag),
        STREAM_TEST(test_capture_dropped_frame_that_kept_its_tag_is_shown_as_it_is),
        STREAM_TEST(test_capture_filter_sees_the_longest_frame_and_its_tag),
        STREAM_TEST(test_capture_refused_batch_is_judged_anew_when_altered),
        STREAM_TEST(test_capture_drops_only_takes_what_was_dropped),
        STREAM_TEST(test_capture_workers_are_merged_by_time),
        STREAM_TEST(test_capture_statistics_of_interfaces_add_up),
        STREAM_TEST(test_capture_port_that_appears_later_is_an_interface),
        STREAM_TEST(test_capture_port_under_a_new_name_is_another_interface),
        STREAM_TEST(test_capture_several_take_each_their_own),
        STREAM_TEST(test_capture_watch_refuses_one_capture_too_many),
        cmocka_unit_test(test_capture_bad_filter_is_refused_with_libpcaps_reason),
        cmocka_unit_test(test_capture_filter_too_long_is_refused),
        cmocka_unit_test(test_capture_snaplen_out_of_range_is_refused),
        cmocka_unit_test(test_capture_never_streamed_is_destroyed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
