/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Offload features between frontends and us: what is offered, what may be had, and what a frontend
 * changes while its device runs.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/support/partial_frame.h"
#include "tests/support/vhost_lab.h"

#define PAIRS       1
#define WAIT_MS     1000
#define CHANGES     200
#define BURST       16             /* frames that are on their way while a device changes */
#define PLAIN_BYTES 100
#define TAKES       (OFFLOAD_GUEST_CSUM | OFFLOAD_GUEST_TSO4 | OFFLOAD_GUEST_TSO6)
#define NOT_OFFLOADS (FRONTEND_FEATURES & ~OFFLOAD_ALL)

static struct vhost_lab lab;
static struct frontend a = { .channel.fd = -1 };
static struct frontend b = { .channel.fd = -1 };
static struct long_frame tcp;      /* one segment, its checksum left to others */
static uint8_t got[FRAME_MAX_BYTES];

static int setup(void **state)
{
    (void)state;
    tcp = (struct long_frame){ .gso_type = FRAME_GSO_TCP4, .ip_version = 4,
                               .payload_bytes = 500 };
    partial_frame_write(&tcp);
    return vhost_lab_open(&lab, PAIRS);
}

static int teardown(void **state)
{
    (void)state;
    vhost_lab_close(&lab);
    return 0;
}

static int offer_all(void **state)
{
    (void)state;
    vhost_control_set_offload(lab.vnic[0], OFFLOAD_ALL, 0);
    vhost_control_set_offload(lab.vnic[1], OFFLOAD_ALL, 0);
    return 0;
}

static int leave(void **state)
{
    struct vhost_status status;

    (void)state;
    frontend_abandon(&a);
    frontend_abandon(&b);
    return vhost_lab_await(&lab, 0, VHOST_WAITING, &status) &&
                   vhost_lab_await(&lab, 1, VHOST_WAITING, &status)
               ? 0 : -1;
}

static void attach(struct frontend *f, unsigned index, uint64_t offloads)
{
    const struct frontend_config config = { .socket_path = lab.path[index],
                                            .features = FRONTEND_FEATURES | offloads };

    if (frontend_open(f, &config) != 0) {
        fail_msg("%s", frontend_error(f));
    }
}

/* What VIRTIO_NET_CTRL_GUEST_OFFLOADS becomes: the same features, but for these. */
static int change(struct frontend *f, uint64_t offloads)
{
    return vhost_user_set_u64(&f->channel, VHOST_USER_SET_FEATURES,
                              (f->features & ~OFFLOAD_ALL) | offloads);
}

static uint64_t offered_to(struct frontend *f)
{
    uint64_t features = 0;

    assert_int_equal(vhost_user_get_u64(&f->channel, VHOST_USER_GET_FEATURES, &features), 0);
    return features & OFFLOAD_ALL;
}

static uint64_t has(unsigned index)
{
    struct vhost_status status;

    vhost_control_status(lab.vnic[index], &status);
    return status.features & OFFLOAD_ALL;
}

static uint8_t told(unsigned index)
{
    struct vnic_live *live = atomic_load(&lab.vnic[index]->live);

    assert_non_null(live);
    return vnic_told(lab.vnic[index], live);
}

/* ---- what is offered, and what may be had ---------------------------------------------------- */

static void test_vhost_offload_each_feature_may_be_had_alone(void **state)
{
    (void)state;
    for (unsigned bit = 0; bit < 64; bit++) {
        const uint64_t feature = UINT64_C(1) << bit & OFFLOAD_ALL;

        if (feature != 0) {
            attach(&a, 0, feature);
            assert_true(a.features == (FRONTEND_FEATURES | feature));
            assert_true(has(0) == feature);
            assert_int_equal(frontend_close(&a), 0);
        }
    }
}

static void test_vhost_offload_all_features_are_had_and_shown(void **state)
{
    (void)state;
    attach(&a, 0, OFFLOAD_ALL);

    assert_true(has(0) == OFFLOAD_ALL);
    assert_int_equal(told(0), OFFLOAD_TAKES_ALL);
    for (unsigned bit = 0; bit < 64; bit++) {
        if ((UINT64_C(1) << bit & OFFLOAD_ALL) != 0) {
            assert_non_null(vhost_feature_name(bit));
        }
    }
}

/* The standard forbids drivers to ask for these; the bits are had, and nothing follows of them. */
static void test_vhost_offload_without_what_it_needs_is_not_taken(void **state)
{
    (void)state;
    attach(&a, 0, OFFLOAD_GUEST_TSO4 | OFFLOAD_GUEST_TSO6 | OFFLOAD_GUEST_ECN |
                      OFFLOAD_GUEST_USO4 | OFFLOAD_GUEST_USO6);
    assert_int_equal(told(0), 0);

    assert_int_equal(change(&a, OFFLOAD_GUEST_CSUM | OFFLOAD_GUEST_ECN), 0);
    assert_int_equal(told(0), OFFLOAD_TAKES_CSUM);
}

static void test_vhost_offload_not_offered_is_refused_and_costs_nothing(void **state)
{
    struct vhost_status status;

    (void)state;
    vhost_control_set_offload(lab.vnic[0], OFFLOAD_CSUM | OFFLOAD_HOST_TSO4, 0);
    attach(&a, 0, OFFLOAD_ALL);
    attach(&b, 1, 0);
    assert_true(offered_to(&a) == (OFFLOAD_CSUM | OFFLOAD_HOST_TSO4));
    assert_true(has(0) == (OFFLOAD_CSUM | OFFLOAD_HOST_TSO4));

    for (unsigned bit = 0; bit < 64; bit++) {
        const uint64_t feature = UINT64_C(1) << bit;

        if ((feature & a.offered_features) == 0) {
            assert_int_equal(change(&a, OFFLOAD_CSUM | feature), -EREMOTEIO);
        }
    }

    vhost_control_status(lab.vnic[0], &status);
    assert_int_equal(status.refusal, VHOST_REFUSED_FEATURES);
    assert_true(has(0) == (OFFLOAD_CSUM | OFFLOAD_HOST_TSO4));
    assert_int_equal(vhost_lab_pass(&a, &b, 10), 10);
}

/* Who waits for no answer is sent away. */
static void test_vhost_offload_not_offered_ends_a_connection_that_asks_for_no_answer(void **state)
{
    struct vhost_status status;

    (void)state;
    vhost_control_set_offload(lab.vnic[0], 0, 0);
    attach(&a, 0, 0);
    a.channel.protocol_features = 0;

    assert_int_equal(change(&a, OFFLOAD_CSUM), 0);

    assert_true(vhost_lab_await(&lab, 0, VHOST_WAITING, &status));
    assert_int_equal(status.refusal, VHOST_REFUSED_FEATURES);
    assert_true(status.granted == 0);
}

/* ---- the offer changes while a frontend is attached ------------------------------------------ */

static void test_vhost_offload_once_offered_may_be_had_as_long_as_it_is_attached(void **state)
{
    (void)state;
    attach(&a, 0, OFFLOAD_ALL);
    vhost_control_set_offload(lab.vnic[0], OFFLOAD_GUEST_CSUM, 0);

    assert_int_equal(told(0), OFFLOAD_TAKES_CSUM);
    assert_true(offered_to(&a) == OFFLOAD_GUEST_CSUM);
    assert_int_equal(change(&a, 0), 0);
    assert_int_equal(change(&a, OFFLOAD_ALL), 0);
    assert_true(has(0) == OFFLOAD_ALL);
    assert_int_equal(told(0), OFFLOAD_TAKES_CSUM);
    assert_int_equal(frontend_reset(&a), 0);
    assert_true(has(0) == OFFLOAD_ALL);

    assert_int_equal(frontend_close(&a), 0);
    attach(&a, 0, OFFLOAD_ALL);
    assert_true(has(0) == OFFLOAD_GUEST_CSUM);
    assert_int_equal(change(&a, OFFLOAD_ALL), -EREMOTEIO);
}

static void test_vhost_offload_offered_later_may_be_had_by_who_asks_anew(void **state)
{
    struct vhost_status status;

    (void)state;
    vhost_control_set_offload(lab.vnic[0], 0, 0);
    attach(&a, 0, OFFLOAD_ALL);
    vhost_control_set_offload(lab.vnic[0], OFFLOAD_ALL, 0);
    assert_int_equal(change(&a, OFFLOAD_ALL), -EREMOTEIO);

    assert_true(offered_to(&a) == OFFLOAD_ALL);
    vhost_control_status(lab.vnic[0], &status);
    assert_true(status.granted == OFFLOAD_ALL);
    assert_int_equal(change(&a, OFFLOAD_ALL), 0);
    assert_int_equal(told(0), OFFLOAD_TAKES_ALL);
}

/* What a frontend that may come back has it may have again, and it is left none of it. */
static void test_vhost_offload_granted_is_offered_and_not_left(void **state)
{
    (void)state;
    vhost_control_set_offload(lab.vnic[0], 0, OFFLOAD_GUEST_CSUM | OFFLOAD_GUEST_TSO4);

    attach(&a, 0, OFFLOAD_ALL);

    assert_true(has(0) == (OFFLOAD_GUEST_CSUM | OFFLOAD_GUEST_TSO4));
    assert_int_equal(told(0), 0);
}

/* Control keeps what is granted until it hears that there is nobody any more who may come back. */
static void test_vhost_offload_granted_ends_with_a_connection_that_never_ran(void **state)
{
    const struct frontend_config config = { .socket_path = lab.path[0] };
    struct vhost_status status;
    unsigned changes;

    (void)state;
    assert_int_equal(frontend_open_unstarted(&a, &config), 0);
    vhost_control_status(lab.vnic[0], &status);
    assert_true(status.granted == OFFLOAD_ALL);
    changes = atomic_load(&lab.changes);

    frontend_abandon(&a);

    for (int i = 0; i < WAIT_MS && atomic_load(&lab.changes) == changes; i++) {
        usleep(1000);
    }
    assert_int_equal(atomic_load(&lab.changes), changes + 1);
    vhost_control_status(lab.vnic[0], &status);
    assert_true(status.granted == 0);
}

/* The switch came back: a frontend may state what it has without having asked what there is. */
static void test_vhost_offload_is_stated_first_by_a_frontend_that_comes_back(void **state)
{
    struct vhost_user_channel channel;

    (void)state;
    attach(&a, 0, OFFLOAD_ALL);
    vhost_lab_remove(&lab, 0);
    assert_int_equal(vhost_lab_add(&lab, 0, PAIRS), 0);

    assert_int_equal(vhost_user_connect(&channel, lab.path[0], WAIT_MS), 0);
    channel.protocol_features = 0;
    assert_int_equal(vhost_user_set_u64(&channel, VHOST_USER_SET_PROTOCOL_FEATURES,
                                        FRONTEND_PROTOCOL_FEATURES), 0);
    channel.protocol_features = FRONTEND_PROTOCOL_FEATURES;
    assert_int_equal(vhost_user_set_u64(&channel, VHOST_USER_SET_FEATURES,
                                        NOT_OFFLOADS | OFFLOAD_ALL), 0);
    vhost_user_disconnect(&channel);
}

static void test_vhost_offload_is_not_left_to_the_next_frontend(void **state)
{
    (void)state;
    attach(&a, 0, OFFLOAD_ALL);
    frontend_abandon(&a);

    attach(&a, 0, 0);

    assert_true(has(0) == 0);
    assert_int_equal(told(0), 0);
}

/* ---- at run time ----------------------------------------------------------------------------- */

static void send_partial(struct frontend *f)
{
    f->sent_header.hdr = (struct virtio_net_hdr){ .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
                                                  .csum_start = tcp.l4_off_bytes,
                                                  .csum_offset = 16 };
    assert_int_equal(frontend_send(f, 0, tcp.wire.data, tcp.wire.len_bytes), 0);
    memset(&f->sent_header, 0, sizeof(f->sent_header));
}

/* Whether the frame in got, with the header that came with it, is what was sent. */
static bool is_partial(const struct frontend *f)
{
    return f->received_header.hdr.flags == VIRTIO_NET_HDR_F_NEEDS_CSUM &&
           f->received_header.hdr.csum_start == tcp.l4_off_bytes &&
           memcmp(got, tcp.wire.data, tcp.wire.len_bytes) == 0;
}

static bool is_complete(const struct frontend *f)
{
    return f->received_header.hdr.flags == 0 && partial_frame_complete(&tcp, got);
}

static void assert_partial_arrives(bool (*as)(const struct frontend *f))
{
    send_partial(&a);
    assert_int_equal(frontend_receive(&b, 0, got, sizeof(got), WAIT_MS), tcp.wire.len_bytes);
    assert_true(as(&b));
}

static void test_vhost_offload_is_given_up_and_had_again_while_it_runs(void **state)
{
    (void)state;
    attach(&a, 0, OFFLOAD_ALL);
    attach(&b, 1, TAKES);
    assert_partial_arrives(is_partial);

    assert_int_equal(change(&b, 0), 0);
    assert_true(has(1) == 0);
    assert_partial_arrives(is_complete);

    assert_int_equal(change(&b, TAKES), 0);
    assert_true(has(1) == TAKES);
    assert_partial_arrives(is_partial);
}

static void test_vhost_offload_is_narrowed_by_its_operator_while_it_runs(void **state)
{
    (void)state;
    attach(&a, 0, OFFLOAD_ALL);
    attach(&b, 1, TAKES);
    assert_partial_arrives(is_partial);

    vhost_control_set_offload(lab.vnic[1], 0, 0);
    assert_partial_arrives(is_complete);

    vhost_control_set_offload(lab.vnic[1], OFFLOAD_ALL, 0);
    assert_partial_arrives(is_partial);
}

static void test_vhost_offload_that_was_given_up_is_a_lie_to_send(void **state)
{
    unsigned long refused;

    (void)state;
    attach(&a, 0, OFFLOAD_ALL);
    attach(&b, 1, TAKES);
    refused = atomic_load(&lab.bad_chains);
    assert_int_equal(change(&a, OFFLOAD_ALL & ~OFFLOAD_CSUM), 0);

    send_partial(&a);

    assert_int_equal(frontend_wait_sent(&a, 0), 0);
    assert_int_equal(frontend_receive(&b, 0, got, sizeof(got), 0), -ETIMEDOUT);
    assert_int_equal(atomic_load(&lab.bad_chains), refused + 1);
}

/* A guest cannot renegotiate what its driver was built on. */
static void test_vhost_offload_other_features_do_not_change_while_it_runs(void **state)
{
    (void)state;
    attach(&a, 0, OFFLOAD_ALL);
    attach(&b, 1, 0);

    assert_int_equal(vhost_user_set_u64(&a.channel, VHOST_USER_SET_FEATURES,
                                        a.features & ~(1ull << VIRTIO_NET_F_MRG_RXBUF) &
                                            ~OFFLOAD_CSUM), -EREMOTEIO);

    assert_int_equal(change(&a, OFFLOAD_ALL), 0);
    assert_true(has(0) == OFFLOAD_ALL);
    assert_int_equal(vhost_lab_pass(&a, &b, 10), 10);
}

/* ---- with frames on their way ---------------------------------------------------------------- */

/* What b has got of a burst; the worker has returned all of it to a. @return frames */
static unsigned receive_all(unsigned *partial)
{
    unsigned count = 0;
    int len_bytes;

    assert_int_equal(frontend_wait_sent(&a, 0), 0);
    while ((len_bytes = frontend_receive(&b, 0, got, sizeof(got), 0)) >= 0) {
        if (len_bytes == PLAIN_BYTES) {
            assert_int_equal(b.received_header.hdr.flags, 0);
        } else {
            assert_int_equal(len_bytes, tcp.wire.len_bytes);
            assert_true(is_partial(&b) || is_complete(&b));
            (*partial)++;
        }
        count++;
    }
    assert_int_equal(len_bytes, -ETIMEDOUT);
    return count;
}

/* Every second frame has its checksum left out.  @return how many were sent */
static unsigned send_burst(void)
{
    uint8_t plain[PLAIN_BYTES] = { 1 };

    for (unsigned i = 0; i < BURST; i++) {
        if (i % 2 == 0) {
            send_partial(&a);
        } else {
            assert_int_equal(frontend_send(&a, 0, plain, sizeof(plain)), 0);
        }
    }
    return BURST;
}

/* A sender keeps its ring meanwhile: nothing is lost but what it had given up the right to send. */
static void test_vhost_offload_sender_changes_200_times_under_load(void **state)
{
    const unsigned long refused_before = atomic_load(&lab.bad_chains);
    const unsigned long lost_before = atomic_load(&lab.lost_frames);
    unsigned sent = 0;
    unsigned received = 0;
    unsigned partial = 0;

    (void)state;
    attach(&a, 0, OFFLOAD_ALL);
    attach(&b, 1, TAKES);
    for (unsigned i = 0; i < CHANGES; i++) {
        sent += send_burst();
        assert_int_equal(change(&a, i % 2 == 0 ? 0 : OFFLOAD_ALL), 0);
        received += receive_all(&partial);
    }

    assert_int_equal(atomic_load(&lab.lost_frames), lost_before);
    assert_int_equal(received - partial, sent / 2);
    assert_int_equal(received + (atomic_load(&lab.bad_chains) - refused_before), sent);
}

/* A receiver has no ring while it is built: that is a loss with a name, and there is no other. */
static void test_vhost_offload_receiver_changes_200_times_under_load(void **state)
{
    const unsigned long lost_before = atomic_load(&lab.lost_frames);
    unsigned sent = 0;
    unsigned received = 0;
    unsigned partial = 0;

    (void)state;
    attach(&a, 0, OFFLOAD_ALL);
    attach(&b, 1, TAKES);
    for (unsigned i = 0; i < CHANGES; i++) {
        sent += send_burst();
        assert_int_equal(change(&b, i % 2 == 0 ? 0 : TAKES), 0);
        vhost_control_set_offload(lab.vnic[1], i % 3 == 0 ? 0 : OFFLOAD_ALL, 0);
        received += receive_all(&partial);
    }

    assert_int_equal(received + (atomic_load(&lab.lost_frames) - lost_before), sent);
    assert_int_equal(vhost_lab_pass(&a, &b, 10), 10);
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_vhost_offload_##name, offer_all, leave)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_feature_may_be_had_alone),
        TEST(all_features_are_had_and_shown),
        TEST(without_what_it_needs_is_not_taken),
        TEST(not_offered_is_refused_and_costs_nothing),
        TEST(not_offered_ends_a_connection_that_asks_for_no_answer),
        TEST(once_offered_may_be_had_as_long_as_it_is_attached),
        TEST(offered_later_may_be_had_by_who_asks_anew),
        TEST(granted_is_offered_and_not_left),
        TEST(granted_ends_with_a_connection_that_never_ran),
        TEST(is_stated_first_by_a_frontend_that_comes_back),
        TEST(is_not_left_to_the_next_frontend),
        TEST(is_given_up_and_had_again_while_it_runs),
        TEST(is_narrowed_by_its_operator_while_it_runs),
        TEST(that_was_given_up_is_a_lie_to_send),
        TEST(other_features_do_not_change_while_it_runs),
        TEST(sender_changes_200_times_under_load),
        TEST(receiver_changes_200_times_under_load),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
