/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A nic whose device is a vNIC of the switch's own, by net_virtio_user: a device that cuts long
 * frames, and whose other end says what it was asked for.
 */
#include "dataplane/nic.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "switch/gather.h"
#include "switch/offload.h"
#include "tests/support/nic_lab.h"
#include "tests/support/partial_frame.h"
#include "tests/support/random.h"
#include "vnic/guest_fault.h"
#include "vnic/vhost_control.h"
#include "vnic/vnic.h"

#define MTU        1500u
#define ROUNDS     300u
#define FAR_PORT   3u
#define PATIENCE   2000u           /* milliseconds */
#define SETTLE_US  50000u          /* for the messages of a device that has started */
#define CUTS       (OFFLOAD_TAKES_CSUM | OFFLOAD_TAKES_TSO4 | OFFLOAD_TAKES_TSO6)

struct fixture {
    struct nic_lab *lab;
    struct vnic *vnic;             /* the other end */
    struct nic *nic;
    char dir[32];
    char path[64];
};

static struct fixture fixture;
static struct long_frame frames[FRAME_BURST];

/* No worker polls the vNIC but the test, and that not while its device starts or ends. */
static void nothing(void *context)
{
    (void)context;
}

static void nothing_changed(void *context, uint16_t port)
{
    (void)context;
    (void)port;
}

static int group_setup(void **state)
{
    static const struct vhost_control_hooks hooks = {
        .wait_for_workers = nothing, .wake_workers = nothing, .changed = nothing_changed
    };

    struct error error;

    *state = &fixture;
    fixture.lab = nic_lab_create();
    if (fixture.lab == NULL) {
        return 0;
    }
    (void)snprintf(fixture.dir, sizeof(fixture.dir), "/tmp/nic-virtio-XXXXXX");
    if (mkdtemp(fixture.dir) == NULL || guest_fault_start() != 0) {
        return -1;
    }
    (void)snprintf(fixture.path, sizeof(fixture.path), "%s/far.sock", fixture.dir);
    return vhost_control_start(&hooks, &error);
}

static int group_teardown(void **state)
{
    (void)state;
    (void)rmdir(fixture.dir);
    nic_lab_destroy(fixture.lab);
    return 0;
}

static int unlink_both(void **state)
{
    struct fixture *f = *state;

    nic_destroy(f->nic);
    vhost_control_remove(f->vnic);
    f->nic = NULL;
    f->vnic = NULL;
    return 0;
}

/* Makes both ends, of which the far one offers @p offload to the near one. */
static void link_both(struct fixture *f, uint64_t offload)
{
    const struct vhost_control_config config = {
        .path = f->path, .port = FAR_PORT, .pairs = 1, .offload = offload,
        .owner = (uid_t)-1, .group = (gid_t)-1
    };
    struct vhost_status status = { .state = VHOST_WAITING };
    struct error error = { 0 };
    char where[128];

    if (f->lab == NULL) {
        skip();
    }
    f->vnic = vhost_control_add(&config, &error);
    assert_non_null(f->vnic);
    (void)snprintf(where, sizeof(where), "net_virtio_user0,path=%s", f->path);
    f->nic = nic_lab_nic(where, MTU);
    for (unsigned i = 0; i < PATIENCE && status.pairs_enabled == 0; i++) {
        vhost_control_status(f->vnic, &status);
        (void)usleep(1000);
    }
    assert_int_equal(status.pairs_enabled, 1);
    (void)usleep(SETTLE_US);
}

static struct vnic_live *live_of(struct fixture *f)
{
    struct vnic_live *live = atomic_load_explicit(&f->vnic->live, memory_order_acquire);

    assert_non_null(live);
    return live;
}

static void test_nic_takes_what_the_other_end_does(void **state)
{
    static const struct {
        uint64_t offered;
        uint8_t offloads;
    } ends[] = {
        { OFFLOAD_ALL, CUTS },
        { OFFLOAD_CSUM | OFFLOAD_HOST_TSO4 | OFFLOAD_HOST_TSO6, CUTS },
        { OFFLOAD_CSUM, OFFLOAD_TAKES_CSUM },
        { OFFLOAD_GUEST_CSUM | OFFLOAD_GUEST_TSO4 | OFFLOAD_GUEST_TSO6, 0 },
        { 0, 0 },
    };
    struct fixture *f = *state;

    for (unsigned i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        struct nic_status status;
        struct vhost_status far;

        link_both(f, ends[i].offered);
        nic_status(f->nic, &status);
        assert_int_equal(status.offloads, ends[i].offloads);
        assert_int_equal(nic_takes(f->nic), ends[i].offloads | OFFLOAD_TAKES_CSUM);
        /* It leaves nothing to a switch that could not say so further on. */
        vhost_control_status(f->vnic, &far);
        assert_int_equal(offload_takes(far.features), 0);
        (void)unlink_both(state);
    }
}

/* Sends a frame, and compares what arrives with it: every byte and every fact. */
static void check_arrives(struct fixture *f, const struct long_frame *sent)
{
    struct nic_lab *lab = f->lab;
    const struct frame *want = &lab->sent.frame[0];
    const struct frame *got = &lab->got.frame[0];
    struct vnic_live *live = live_of(f);
    struct gather from;

    assert_int_equal(nic_lab_send(lab, f->nic, 0), 1);
    assert_int_equal(vnic_from_guest(f->vnic, live, 0, &lab->got, &lab->refused), 1);
    assert_int_equal(lab->got.offload_count, 1);
    assert_int_equal(got->csum_state, FRAME_CSUM_PARTIAL);
    assert_int_equal(got->csum_start_bytes, want->csum_start_bytes);
    assert_int_equal(got->csum_offset_bytes, want->csum_offset_bytes);
    assert_int_equal(got->gso_type, want->gso_type);
    assert_int_equal(got->gso_size_bytes, want->gso_size_bytes);
    assert_int_equal(got->l3_off_bytes, want->l3_off_bytes);
    assert_int_equal(got->l4_off_bytes, want->l4_off_bytes);
    assert_int_equal(got->len_bytes, sent->wire.len_bytes);
    from = gather_start(&lab->got, got);
    gather_copy(&from, lab->bytes, got->len_bytes);
    assert_memory_equal(lab->bytes, sent->wire.data, got->len_bytes);
    vnic_return(live, 0);
}

static void test_nic_sends_partial_checksums_as_they_are(void **state)
{
    struct fixture *f = *state;
    struct long_frame *sent = &frames[0];
    uint64_t random = 11;

    link_both(f, OFFLOAD_ALL);
    for (unsigned round = 0; round < ROUNDS; round++) {
        long_frame_random(sent, &random);
        sent->payload_bytes = random_below(&random, MTU - 160);
        sent->run_bytes = 0;
        sent->option_words = sent->ip_version == 6 ? 0 : sent->option_words;
        nic_lab_start(f->lab);
        (void)partial_frame_add(sent, &f->lab->sent);
        check_arrives(f, sent);
    }
}

static void test_nic_sends_long_frames_whole(void **state)
{
    struct fixture *f = *state;
    struct long_frame *sent = &frames[0];
    uint64_t random = 12;

    link_both(f, OFFLOAD_ALL);
    for (unsigned round = 0; round < ROUNDS; round++) {
        long_frame_random(sent, &random);
        sent->gso_type = round % 2 == 0 ? FRAME_GSO_TCP4 : FRAME_GSO_TCP6;
        sent->ip_version = round % 2 == 0 ? 4 : 6;
        sent->option_words = sent->ip_version == 6 ? 0 : sent->option_words;
        sent->tcp_option_words = 3;
        sent->tcp_flags = 0x18;
        sent->gso_size_bytes = 1400;
        sent->payload_bytes = 1401 + random_below(&random, round % 3 == 0 ? 63000 : 5000);
        sent->run_bytes = 4096;
        sent->trusted_bytes = FRAME_HDR_BYTES;
        nic_lab_start(f->lab);
        (void)partial_frame_add_long(sent, &f->lab->sent);
        check_arrives(f, sent);
    }
}

static void test_nic_gets_complete_frames(void **state)
{
    struct fixture *f = *state;
    struct nic_lab *lab = f->lab;
    struct long_frame *sent = &frames[0];
    uint64_t random = 13;
    const uint8_t first = 0;

    link_both(f, OFFLOAD_ALL);
    for (unsigned round = 0; round < ROUNDS; round++) {
        long_frame_random(sent, &random);
        sent->payload_bytes = random_below(&random, MTU - 160);
        sent->run_bytes = 0;
        nic_lab_start(lab);
        (void)partial_frame_add(sent, &lab->sent);
        assert_int_equal(vnic_to_guest(f->vnic, live_of(f), 0, &lab->sent, &first, 1,
                                       lab->verdict), 1);
        assert_int_equal(nic_lab_receive(lab, f->nic), 1);
        (void)nic_lab_same(lab, &lab->got, 0, sent->wire.data, sent->wire.len_bytes);
        assert_true(partial_frame_complete(sent, lab->bytes));
        assert_int_equal(lab->got.offload_count, 0);
        nic_return(f->nic, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_nic_takes_what_the_other_end_does, unlink_both),
        cmocka_unit_test_teardown(test_nic_sends_partial_checksums_as_they_are, unlink_both),
        cmocka_unit_test_teardown(test_nic_sends_long_frames_whole, unlink_both),
        cmocka_unit_test_teardown(test_nic_gets_complete_frames, unlink_both),
    };

    return cmocka_run_group_tests_name("nic_virtio", tests, group_setup, group_teardown);
}
