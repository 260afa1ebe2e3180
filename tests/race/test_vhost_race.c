/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The control channel's two writers at once: a frontend changes its offloads again and again, which
 * retires and builds its device, while the operator changes what it is left, asks how it is, and
 * removes other vNICs; and a worker delivers all the time.
 *
 * The library has no instrumentation, so what it does is not looked at, nor whether its locks are
 * ours; but the order in which ours and its are taken is, since a mutex is seen wherever it is.
 */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/partial_frame.h"
#include "tests/support/vhost_lab.h"

#define ROUNDS    300
#define BURST     8
#define REMOVALS  50
#define OTHER     2u               /* index of the vNIC that comes and goes; 0 and 1 pass frames */

static struct vhost_lab lab;
static struct frontend a;
static struct frontend b;
static struct long_frame tcp;      /* one segment, its checksum left to others */
static atomic_bool stop;

static void attach(struct frontend *f, unsigned index)
{
    if (frontend_open(f, &(struct frontend_config){ .socket_path = lab.path[index],
                                                    .features = FRONTEND_FEATURES |
                                                                OFFLOAD_ALL }) != 0) {
        fail_msg("%s", frontend_error(f));
    }
}

static int setup(void **state)
{
    (void)state;
    tcp = (struct long_frame){ .gso_type = FRAME_GSO_TCP4, .ip_version = 4,
                               .payload_bytes = 500 };
    partial_frame_write(&tcp);
    if (vhost_lab_open(&lab, 1) != 0) {
        return -1;
    }
    attach(&a, 0);
    attach(&b, 1);
    a.sent_header.hdr = (struct virtio_net_hdr){ .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
                                                 .csum_start = tcp.l4_off_bytes,
                                                 .csum_offset = 16 };
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    frontend_abandon(&a);
    frontend_abandon(&b);
    vhost_lab_close(&lab);
    return 0;
}

static int change(struct frontend *f, uint64_t offloads)
{
    return vhost_user_set_u64(&f->channel, VHOST_USER_SET_FEATURES,
                              (f->features & ~OFFLOAD_ALL) | offloads);
}

static void *operate(void *unused)
{
    (void)unused;
    for (unsigned i = 0; !atomic_load(&stop); i++) {
        struct vhost_status status;

        vhost_control_set_offload(lab.vnic[1], i % 2 == 0 ? 0 : OFFLOAD_ALL, 0);
        vhost_control_status(lab.vnic[1], &status);
    }
    vhost_control_set_offload(lab.vnic[1], OFFLOAD_ALL, 0);
    return NULL;
}

static void test_vhost_race_offloads_change_on_both_sides_while_frames_pass(void **state)
{
    unsigned received = 0;
    pthread_t operator;

    (void)state;
    atomic_store(&stop, false);
    assert_int_equal(pthread_create(&operator, NULL, operate, NULL), 0);
    for (unsigned round = 0; round < ROUNDS; round++) {
        for (unsigned i = 0; i < BURST; i++) {
            assert_int_equal(frontend_send(&a, 0, tcp.wire.data, tcp.wire.len_bytes), 0);
        }
        assert_int_equal(change(round % 3 == 0 ? &a : &b, round % 2 == 0 ? 0 : OFFLOAD_ALL), 0);
        assert_int_equal(frontend_wait_sent(&a, 0), 0);
        received += (unsigned)frontend_drain(&b, 0);
    }
    atomic_store(&stop, true);
    assert_int_equal(pthread_join(operator, NULL), 0);

    assert_int_equal(received + atomic_load(&lab.lost_frames) + atomic_load(&lab.bad_chains),
                     ROUNDS * BURST);
}

static void *come_and_go(void *unused)
{
    for (unsigned i = 0; i < REMOVALS; i++) {
        struct frontend other;

        attach(&other, OTHER);
        vhost_lab_remove(&lab, OTHER);
        frontend_abandon(&other);
        assert_int_equal(vhost_lab_add(&lab, OTHER, 1), 0);
    }
    atomic_store(&stop, true);
    return unused;
}

static void test_vhost_race_vnics_are_removed_while_another_negotiates(void **state)
{
    uint64_t features;
    pthread_t remover;

    (void)state;
    atomic_store(&stop, false);
    assert_int_equal(pthread_create(&remover, NULL, come_and_go, NULL), 0);
    while (!atomic_load(&stop)) {
        assert_int_equal(vhost_user_get_u64(&a.channel, VHOST_USER_GET_FEATURES, &features), 0);
        assert_int_equal(change(&a, OFFLOAD_ALL), 0);
    }

    assert_int_equal(pthread_join(remover, NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vhost_race_offloads_change_on_both_sides_while_frames_pass),
        cmocka_unit_test(test_vhost_race_vnics_are_removed_while_another_negotiates),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
