/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Captures as an operator meets them: vswitchctl in a pipe to tshark and tcpdump, beside guests
 * that talk.  What the tools print is compared with what the guests sent.
 */
#include "tests/support/capture_lab.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- in a pipe ------------------------------------------------------------------------------ */

static void test_capture_to_tshark_has_names_and_directions(void **state)
{
    struct capture_lab *lab = *state;
    struct pipeline pipeline;

    clab_start(lab, &pipeline, 1,
               "$BIN/vswitchctl capture start --on switch:lan --frames 4 --write -"
               " 2>$DIR/summary | tshark -r - -T fields -E separator=, -e"
               " frame.interface_name -e frame.len -e frame.cap_len -e udp.dstport -e"
               " frame.packet_flags_direction >$DIR/out 2>$DIR/errors");
    clab_talk(lab, 9001);
    clab_talk(lab, 9002);

    assert_int_equal(pipeline_wait(&pipeline, CLAB_END_MS), 0);

    assert_string_equal(clab_text(lab, "out"),
                        "vnic:a,200,200,9001,0x00000001\n"
                        "vnic:b,200,200,9001,0x00000002\n"
                        "vnic:a,200,200,9002,0x00000001\n"
                        "vnic:b,200,200,9002,0x00000002\n");
    assert_non_null(strstr(clab_text(lab, "summary"), "4 frames written, 0 dropped by"));
}

static void test_capture_to_tcpdump_decodes(void **state)
{
    struct capture_lab *lab = *state;
    struct pipeline pipeline;

    clab_start(lab, &pipeline, 1,
               "$BIN/vswitchctl capture start --on vnic:a --frames 2 --write -"
               " 2>$DIR/summary | tcpdump -n -t -r - >$DIR/out 2>$DIR/errors");
    clab_talk(lab, 9001);
    clab_talk(lab, 9002);

    assert_int_equal(pipeline_wait(&pipeline, CLAB_END_MS), 0);

    assert_string_equal(clab_text(lab, "out"),
                        "IP 10.0.0.1.1 > 10.0.0.2.9001: UDP, length 158\n"
                        "IP 10.0.0.1.1 > 10.0.0.2.9002: UDP, length 158\n");
}

static void test_capture_is_live(void **state)
{
    struct capture_lab *lab = *state;
    struct pipeline pipeline;
    uint64_t begin_ms;
    int64_t before;

    clab_start(lab, &pipeline, 1,
               "$BIN/vswitchctl capture start --on vnic:b --write - 2>/dev/null | cat >$DIR/out");
    before = clab_size(lab, "out");
    begin_ms = clab_ms();
    clab_talk(lab, CLAB_PORT);

    while (clab_size(lab, "out") < before + CLAB_FRAME_BYTES) {
        assert_true(clab_ms() - begin_ms < 2000);
        usleep(1000);
    }
    print_message("# measured: a frame was in the reader's file after %llu ms\n",
                  (unsigned long long)(clab_ms() - begin_ms));
    assert_true(clab_ms() - begin_ms < 100);
    pipeline_signal(&pipeline, SIGINT);
    pipeline_wait(&pipeline, CLAB_END_MS);
}

static void test_capture_file_satisfies_capinfos(void **state)
{
    struct capture_lab *lab = *state;
    struct pipeline pipeline;

    clab_start(lab, &pipeline, 1,
               "$BIN/vswitchctl capture start --on switch:lan --frames 2 --write $DIR/file"
               " >$DIR/summary && capinfos -M -c -n $DIR/file >$DIR/out 2>&1 && capinfos"
               " $DIR/file >>$DIR/out 2>&1");
    clab_talk(lab, CLAB_PORT);

    assert_int_equal(pipeline_wait(&pipeline, CLAB_END_MS), 0);

    assert_non_null(strstr(clab_text(lab, "out"), "Number of packets:   2"));
    assert_non_null(strstr(lab->text, "Capture application: vswitchd "));
    assert_non_null(strstr(lab->text, "Strict time order:   True"));
    assert_non_null(strstr(lab->text, "Number of stat entries = 1"));
    assert_non_null(strstr(lab->text, "nanoseconds (9)"));
}

/* ---- what is taken -------------------------------------------------------------------------- */

static void test_capture_of_a_vnic_one_way(void **state)
{
    struct capture_lab *lab = *state;
    struct pipeline pipeline;

    clab_start(lab, &pipeline, 1,
               "$BIN/vswitchctl --json capture start --on vnic:b --direction out --frames"
               " 2 --write $DIR/file >$DIR/summary");
    clab_broadcast(&lab->b, 2);
    clab_talk(lab, 9001);
    clab_talk(lab, 9002);

    assert_int_equal(pipeline_wait(&pipeline, CLAB_END_MS), 0);

    clab_read(lab, "file");
    assert_int_equal(lab->stream.interface_count, 1);
    assert_string_equal(lab->stream.interface[0].name, "vnic:b");
    assert_int_equal(lab->stream.packet_count, 2);
    assert_int_equal(lab->stream.packet[0].flags, 2);
    assert_int_equal(clab_number(lab, "summary", "written"), 2);
    assert_int_equal(clab_number(lab, "summary", "dropped_by_reader"), 0);
    frontend_drain(&lab->a, 50);
}

static void test_capture_filter_and_snaplen(void **state)
{
    struct capture_lab *lab = *state;
    struct pipeline pipeline;

    clab_start(lab, &pipeline, 1,
               "$BIN/vswitchctl --json capture start --on vnic:a --snaplen 61 --filter"
               " 'udp dst port 9002 and udp[150] = 142' --frames 1 --write $DIR/file"
               " >$DIR/summary");
    clab_talk(lab, 9001);
    clab_talk(lab, 9002);

    assert_int_equal(pipeline_wait(&pipeline, CLAB_END_MS), 0);

    clab_read(lab, "file");
    assert_int_equal(lab->stream.packet_count, 1);
    assert_int_equal(lab->stream.packet[0].captured_bytes, 61);
    assert_int_equal(lab->stream.packet[0].original_bytes, CLAB_FRAME_BYTES);
    assert_int_equal(clab_number(lab, "summary", "matched"), 1);
    assert_int_equal(clab_number(lab, "summary", "seen"), 2);
}

static void test_capture_drops_carry_their_reason(void **state)
{
    struct capture_lab *lab = *state;
    struct pipeline pipeline;
    uint8_t frame[CLAB_FRAME_BYTES];

    clab_start(lab, &pipeline, 1,
               "$BIN/vswitchctl capture start --on switch:lan --drops --frames 3 --write -"
               " 2>/dev/null | tshark -r - -T fields -E separator=, -e"
               " frame.interface_name -e frame.packet_flags_direction -e frame.comment"
               " >$DIR/out 2>/dev/null");
    clab_talk(lab, CLAB_PORT);
    clab_broadcast(&lab->a, 1);
    clab_frame(frame, 1, 2, CLAB_PORT);
    frame[6] |= 1;
    assert_int_equal(frontend_send(&lab->a, 0, frame, sizeof(frame)), 0);
    clab_frame(frame, 1, 1, CLAB_PORT);
    assert_int_equal(frontend_send(&lab->a, 0, frame, sizeof(frame)), 0);

    assert_int_equal(pipeline_wait(&pipeline, CLAB_END_MS), 0);

    assert_string_equal(clab_text(lab, "out"),
                        "vnic:absent,0x00000002,dropped: receiver is not attached\n"
                        "vnic:a,0x00000001,dropped: source address is multicast\n"
                        "vnic:a,0x00000001,dropped: destination is on the port it came from\n");
    frontend_drain(&lab->b, 50);
}

static void test_capture_follows_vnics_that_come_and_go(void **state)
{
    struct capture_lab *lab = *state;
    struct pipeline pipeline;
    struct frontend late;

    clab_start(lab, &pipeline, 1,
               "$BIN/vswitchctl capture start --on switch:lan --frames 4 --filter 'udp'"
               " --write $DIR/file >$DIR/summary");
    assert_int_equal(lab_do(&lab->lab, "vnic remove absent"), 0);
    assert_int_equal(lab_do(&lab->lab, "vnic add late --switch lan --spoof-guard off"), 0);
    assert_int_equal(frontend_open(&late, &(struct frontend_config){
                                              .socket_path = lab_socket(&lab->lab, "late") }), 0);
    clab_broadcast(&late, 9);
    assert_int_equal(frontend_drain(&lab->a, 50), 1);
    assert_int_equal(frontend_drain(&lab->b, 50), 1);
    clab_talk(lab, CLAB_PORT);

    assert_int_equal(pipeline_wait(&pipeline, CLAB_END_MS), 0);

    clab_read(lab, "file");
    assert_int_equal(lab->stream.packet_count, 4);
    assert_string_equal(lab->stream.interface[lab->stream.packet[0].interface].name, "vnic:late");
    assert_int_equal(lab->stream.packet[0].flags, 1);
    assert_int_equal(frontend_close(&late), 0);
    assert_int_equal(lab_do(&lab->lab, "vnic remove late"), 0);
    assert_int_equal(lab_do(&lab->lab, "vnic add absent --switch lan --spoof-guard off"), 0);
}

static void test_capture_two_at_once_take_each_their_own(void **state)
{
    struct capture_lab *lab = *state;
    struct pipeline first, second;

    clab_start(lab, &first, 1,
               "$BIN/vswitchctl capture start --on switch:lan --filter 'udp port 9001'"
               " --frames 2 --write $DIR/first >$DIR/summary");
    clab_start(lab, &second, 2,
               "$BIN/vswitchctl capture start --on vnic:b --frames 2 --write $DIR/second"
               " >$DIR/summary2");
    clab_talk(lab, 9001);
    clab_talk(lab, 9002);

    assert_int_equal(pipeline_wait(&first, CLAB_END_MS), 0);
    assert_int_equal(pipeline_wait(&second, CLAB_END_MS), 0);

    clab_read(lab, "first");
    assert_int_equal(lab->stream.packet_count, 2);
    assert_int_equal(lab->stream.interface_count, 3);
    clab_read(lab, "second");
    assert_int_equal(lab->stream.packet_count, 2);
    assert_int_equal(lab->stream.interface_count, 1);
}

/* Nobody is attached to the trunk: what is shown of it is what was to leave. */
static void test_capture_shows_the_tag_where_a_frame_has_one(void **state)
{
    struct capture_lab *lab = *state;
    struct frontend access;
    struct pipeline pipeline;
    const char *const names[] = { "vnic:access", "vnic:trunk" };
    const uint8_t tag[] = { 0x81, 0x00, 0x00, 0x0a };

    assert_int_equal(lab_do(&lab->lab, "vnic add access --switch lan --spoof-guard off "
                            "--vlan access:10"), 0);
    assert_int_equal(lab_do(&lab->lab, "vnic add trunk --switch lan --vlan trunk:10,native:1"), 0);
    assert_int_equal(frontend_open(&access, &(struct frontend_config){
                                       .socket_path = lab_socket(&lab->lab, "access") }), 0);
    clab_start(lab, &pipeline, 1,
               "$BIN/vswitchctl capture start --on switch:lan --frames 2 --write $DIR/file"
               " >$DIR/summary");
    clab_broadcast(&access, 9);

    assert_int_equal(pipeline_wait(&pipeline, CLAB_END_MS), 0);

    clab_read(lab, "file");
    assert_int_equal(lab->stream.packet_count, 2);
    for (uint32_t i = 0; i < 2; i++) {
        const struct pcapng_read_packet *packet = &lab->stream.packet[i];

        assert_string_equal(lab->stream.interface[packet->interface].name, names[i]);
        assert_int_equal(packet->original_bytes, CLAB_FRAME_BYTES + i * sizeof(tag));
        assert_int_equal(packet->flags, i + 1);
    }
    assert_memory_equal(lab->stream.packet[1].data + 12, tag, sizeof(tag));
    assert_memory_equal(lab->stream.packet[1].data + 16, lab->stream.packet[0].data + 12,
                        CLAB_FRAME_BYTES - 12);
    assert_int_equal(frontend_close(&access), 0);
    assert_int_equal(lab_do(&lab->lab, "vnic remove access"), 0);
    assert_int_equal(lab_do(&lab->lab, "vnic remove trunk"), 0);
}

static void test_capture_where_no_interface_is_says_so(void **state)
{
    struct capture_lab *lab = *state;
    struct lab_answer answer;

    assert_int_equal(lab_ask(&lab->lab, &answer, "capture start --on uplink:lan --write %s/none",
                             lab->lab.dir), 1);
    assert_non_null(strstr(answer.error, "there is no uplink named \"lan\""));
    lab_answer_release(&answer);
    assert_int_equal(lab_ask(&lab->lab, &answer, "capture start --on host:lan --write %s/none",
                             lab->lab.dir), 1);
    assert_non_null(strstr(answer.error, "there is no adapter of the host named \"lan\""));
    lab_answer_release(&answer);
    assert_int_equal(clab_size(lab, "none"), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_capture_to_tshark_has_names_and_directions),
        cmocka_unit_test(test_capture_to_tcpdump_decodes),
        cmocka_unit_test(test_capture_is_live),
        cmocka_unit_test(test_capture_file_satisfies_capinfos),
        cmocka_unit_test(test_capture_of_a_vnic_one_way),
        cmocka_unit_test(test_capture_filter_and_snaplen),
        cmocka_unit_test(test_capture_drops_carry_their_reason),
        cmocka_unit_test(test_capture_follows_vnics_that_come_and_go),
        cmocka_unit_test(test_capture_two_at_once_take_each_their_own),
        cmocka_unit_test(test_capture_shows_the_tag_where_a_frame_has_one),
        cmocka_unit_test(test_capture_where_no_interface_is_says_so),
    };

    return cmocka_run_group_tests(tests, clab_setup, clab_teardown);
}
