/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Frontends that break the protocol.  After each of them two other vNICs still pass frames, no file
 * descriptor has stayed behind, and an honest frontend can attach where the hostile one was.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/support/vhost_lab.h"

#define HOSTILE     2u             /* index of the vNIC that is attacked; 0 and 1 are bystanders */
#define FDS_MAX     16u
#define REPEATS     2
#define SETTLE_MS   1500
#define PROMPT_MS   1000           /* a bystander's message is answered within this */
#define FLOOD       5000
#define UFO         (1ull << VIRTIO_NET_F_GUEST_UFO | 1ull << VIRTIO_NET_F_HOST_UFO)

/* Requests that a frontend here has no other use for. */
enum {
    SET_LOG_BASE = 6, SET_LOG_FD = 7, SET_SLAVE_REQ_FD = 21, IOTLB_MSG = 22, GET_CONFIG = 24,
    SET_CONFIG = 25, POSTCOPY_ADVISE = 28, POSTCOPY_LISTEN = 29, POSTCOPY_END = 30,
    GET_INFLIGHT_FD = 31, SET_INFLIGHT_FD = 32, ADD_MEM_REG = 37, SET_STATUS = 39,
};

static struct vhost_lab lab;
static struct frontend a;
static struct frontend b;
static unsigned fds_at_rest;       /* with the bystanders attached and nobody else */

static int setup(void **state)
{
    (void)state;
    if (vhost_lab_open(&lab, 1) != 0 ||
        frontend_open(&a, &(struct frontend_config){ .socket_path = lab.path[0] }) != 0 ||
        frontend_open(&b, &(struct frontend_config){ .socket_path = lab.path[1] }) != 0) {
        return -1;
    }
    fds_at_rest = vhost_lab_open_fds();
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

static void assert_bystanders_are_served(void)
{
    struct timespec start;
    struct timespec end;
    uint64_t features;

    (void)clock_gettime(CLOCK_MONOTONIC, &start);
    assert_int_equal(vhost_user_get_u64(&a.channel, VHOST_USER_GET_FEATURES, &features), 0);
    (void)clock_gettime(CLOCK_MONOTONIC, &end);
    assert_in_range((end.tv_sec - start.tv_sec) * 1000 + (end.tv_nsec - start.tv_nsec) / 1000000,
                    0, PROMPT_MS);
    assert_int_equal(vhost_lab_pass(&a, &b, 5), 5);
}

/* What must hold after every attack. */
static void assert_nobody_else_noticed(void)
{
    struct frontend honest;

    assert_bystanders_are_served();
    assert_int_equal(frontend_open(&honest, &(struct frontend_config){
                                                .socket_path = lab.path[HOSTILE] }), 0);
    assert_int_equal(frontend_close(&honest), 0);
    for (int i = 0; i < SETTLE_MS && vhost_lab_open_fds() != fds_at_rest; i++) {
        usleep(1000);
    }
    assert_int_equal(vhost_lab_open_fds(), fds_at_rest);
}

static void hostile_open(struct frontend *f)
{
    assert_int_equal(frontend_open(f, &(struct frontend_config){
                                          .socket_path = lab.path[HOSTILE],
                                          .timeout_ms = 300 }), 0);
}

/* ---- single messages ------------------------------------------------------------------------- */

struct attack {
    const char *name;
    uint32_t request;
    uint32_t size_bytes;
    unsigned fd_count;
    uint32_t flags;                /* beside the version */
    union vhost_user_payload payload;
};

/* Sends the message on a connection of its own, to a device that runs, again and again. */
static void run_attack(const struct attack *attack)
{
    int fds[FDS_MAX];

    for (int repeat = 0; repeat < REPEATS; repeat++) {
        union vhost_user_payload reply;
        struct frontend f;

        hostile_open(&f);
        for (unsigned i = 0; i < attack->fd_count; i++) {
            fds[i] = open("/dev/null", O_RDONLY | O_CLOEXEC);
        }
        (void)vhost_user_send(&f.channel, attack->request, VHOST_USER_VERSION | attack->flags,
                              &attack->payload, attack->size_bytes,
                              attack->fd_count == 0 ? NULL : fds, attack->fd_count);
        for (unsigned i = 0; i < attack->fd_count; i++) {
            (void)close(fds[i]);
        }
        (void)vhost_user_receive(&f.channel, attack->request, &reply);
        frontend_abandon(&f);
    }
    print_message("# %s\n", attack->name);
    assert_nobody_else_noticed();
}

#define MESSAGE(number, bytes, fds, ...) \
    { .name = #number " " #bytes " " #fds " " #__VA_ARGS__, .request = (number), \
      .size_bytes = (bytes), .fd_count = (fds), .payload = { __VA_ARGS__ } }
#define STATE(i, n) .state = { .index = (i), .num = (n) }

static const struct attack attacks[] = {
    /* sizes */
    MESSAGE(VHOST_USER_SET_FEATURES, 0, 0, .u64 = 0),
    MESSAGE(VHOST_USER_SET_FEATURES, 4, 0, .u64 = OFFLOAD_CSUM),
    MESSAGE(VHOST_USER_SET_VRING_NUM, 4, 0, STATE(0, 256)),
    MESSAGE(VHOST_USER_SET_VRING_ADDR, 8, 0, .addr = { .index = 0 }),
    MESSAGE(VHOST_USER_SET_MEM_TABLE, 0, 0, .u64 = 0),
    MESSAGE(VHOST_USER_SET_MEM_TABLE, 8, 1, .memory = { .region_count = 1 }),
    MESSAGE(VHOST_USER_SET_VRING_KICK, 0, 1, .u64 = 0),
    /* descriptors: missing, too many, where none belong */
    MESSAGE(VHOST_USER_SET_VRING_KICK, 8, 0, .u64 = 0),
    MESSAGE(VHOST_USER_SET_VRING_CALL, 8, 2, .u64 = 0),
    MESSAGE(VHOST_USER_SET_VRING_CALL, 8, 1, .u64 = VHOST_USER_VRING_NO_FD),
    MESSAGE(VHOST_USER_GET_FEATURES, 0, 8, .u64 = 0),
    MESSAGE(VHOST_USER_GET_QUEUE_NUM, 0, 8, .u64 = 0),
    MESSAGE(VHOST_USER_SET_VRING_ENABLE, 8, 3, STATE(0, 1)),
    MESSAGE(VHOST_USER_SET_MEM_TABLE, 72, 1, .memory = { .region_count = 2 }),
    MESSAGE(VHOST_USER_SET_MEM_TABLE, 8, 8, .memory = { .region_count = 0 }),
    /* memory tables */
    MESSAGE(VHOST_USER_SET_MEM_TABLE, 8, 0, .memory = { .region_count = 0 }),
    MESSAGE(VHOST_USER_SET_MEM_TABLE, 296, 8, .memory = { .region_count = 9 }),
    MESSAGE(VHOST_USER_SET_MEM_TABLE, 40, 1, .memory = { .region_count = 0xffffffff }),
    MESSAGE(VHOST_USER_SET_MEM_TABLE, 40, 1, .memory = { .region_count = 1 }),
    MESSAGE(VHOST_USER_SET_MEM_TABLE, 40, 1,
            .memory = { .region_count = 1, .region = { { .size_bytes = ~0ull } } }),
    MESSAGE(VHOST_USER_SET_MEM_TABLE, 40, 1,
            .memory = { .region_count = 1, .region = { { .size_bytes = 4096,
                                                         .mmap_offset_bytes = ~0ull - 4095 } } }),
    /* rings that are not there, sizes that none may have */
    MESSAGE(VHOST_USER_SET_VRING_NUM, 8, 0, STATE(2, 256)),
    MESSAGE(VHOST_USER_SET_VRING_NUM, 8, 0, STATE(255, 256)),
    MESSAGE(VHOST_USER_SET_VRING_NUM, 8, 0, STATE(0x80000000, 256)),
    MESSAGE(VHOST_USER_SET_VRING_NUM, 8, 0, STATE(0, 0)),
    MESSAGE(VHOST_USER_SET_VRING_NUM, 8, 0, STATE(0, 3)),
    MESSAGE(VHOST_USER_SET_VRING_NUM, 8, 0, STATE(0, 65536)),
    MESSAGE(VHOST_USER_SET_VRING_NUM, 8, 0, STATE(0, 32768)),
    MESSAGE(VHOST_USER_SET_VRING_ENABLE, 8, 0, STATE(77, 1)),
    MESSAGE(VHOST_USER_GET_VRING_BASE, 8, 0, STATE(100, 0)),
    MESSAGE(VHOST_USER_SET_VRING_KICK, 8, 1, .u64 = 0xff),
    MESSAGE(VHOST_USER_SET_VRING_BASE, 8, 0, STATE(0, 0xffffffff)),
    MESSAGE(VHOST_USER_SET_VRING_ADDR, 40, 0, .addr = { .index = 0, .desc_user_addr = ~0ull }),
    /* features that were not offered, a reset while it runs, a question asked oddly */
    MESSAGE(VHOST_USER_SET_FEATURES, 8, 0, .u64 = ~0ull),
    MESSAGE(VHOST_USER_SET_FEATURES, 8, 0, .u64 = FRONTEND_FEATURES | UFO),
    MESSAGE(VHOST_USER_SET_FEATURES, 8, 0, .u64 = OFFLOAD_ALL),
    MESSAGE(VHOST_USER_SET_FEATURES, 8, 4, .u64 = FRONTEND_FEATURES | OFFLOAD_ALL),
    MESSAGE(VHOST_USER_SET_PROTOCOL_FEATURES, 8, 0, .u64 = ~0ull),
    MESSAGE(VHOST_USER_RESET_OWNER, 0, 0, .u64 = 0),
    MESSAGE(VHOST_USER_NET_SET_MTU, 8, 0, .u64 = ~0ull),
    /* what nobody offered */
    MESSAGE(SET_LOG_BASE, 16, 1, .u64 = 4096),
    MESSAGE(SET_LOG_FD, 0, 1, .u64 = 0),
    MESSAGE(SET_SLAVE_REQ_FD, 0, 1, .u64 = 0),
    MESSAGE(IOTLB_MSG, 32, 0, .u64 = 0),
    MESSAGE(GET_CONFIG, 268, 0, .u64 = 0),
    MESSAGE(SET_CONFIG, 268, 0, .u64 = 0),
    MESSAGE(POSTCOPY_ADVISE, 0, 0, .u64 = 0),
    MESSAGE(POSTCOPY_LISTEN, 0, 0, .u64 = 0),
    MESSAGE(POSTCOPY_END, 0, 0, .u64 = 0),
    MESSAGE(GET_INFLIGHT_FD, 24, 0, .bytes = { [16] = 0xff, 0xff, 0xff, 0xff }),
    MESSAGE(SET_INFLIGHT_FD, 24, 1, .bytes = { [16] = 1, 0, 0xff, 0xff }),
    MESSAGE(ADD_MEM_REG, 40, 1, .u64 = 0),
    MESSAGE(SET_STATUS, 8, 0, .u64 = 0),
    MESSAGE(0, 0, 0, .u64 = 0),
    MESSAGE(1000, 8, 4, .u64 = 0),
    MESSAGE(0xffffffff, 0, 0, .u64 = 0),
};

static void test_vhost_messages_each_costs_its_sender_only(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(attacks) / sizeof(attacks[0]); i++) {
        struct attack acknowledged = attacks[i];

        run_attack(&attacks[i]);
        /* Asked for an acknowledgement the connection stays, and the device with it. */
        acknowledged.flags = VHOST_USER_FLAG_NEED_REPLY;
        run_attack(&acknowledged);
    }
}

/* More descriptors than there is room for: the kernel cuts them off. */
static void test_vhost_messages_more_descriptors_than_fit_do_not_leak(void **state)
{
    const struct attack attack = MESSAGE(VHOST_USER_GET_FEATURES, 0, 12, .u64 = 0);

    (void)state;
    run_attack(&attack);
}

/* ---- conversations --------------------------------------------------------------------------- */

/* One thread serves every vNIC: it must not wait for the rest. */
static void test_vhost_messages_half_a_message_holds_nobody_up(void **state)
{
    static const uint32_t head[3] = { VHOST_USER_SET_FEATURES, VHOST_USER_VERSION, 8 };
    struct frontend f;

    (void)state;
    hostile_open(&f);
    assert_int_equal(send(f.channel.fd, head, sizeof(head), MSG_NOSIGNAL), sizeof(head));

    assert_int_equal(vhost_lab_pass(&a, &b, 5), 5);
    assert_int_equal(frontend_enable(&b, 0, true), 0);
    frontend_abandon(&f);
    assert_nobody_else_noticed();
}

/* Questions without end, answers never read: the answers do not fit any more. */
static void test_vhost_messages_unread_answers_hold_nobody_up(void **state)
{
    static const uint32_t question[3] = { VHOST_USER_GET_FEATURES, VHOST_USER_VERSION, 0 };
    struct frontend f;

    (void)state;
    hostile_open(&f);
    for (int i = 0; i < FLOOD; i++) {
        if (send(f.channel.fd, question, sizeof(question), MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
            usleep(100);
        }
    }

    frontend_abandon(&f);
    assert_nobody_else_noticed();
}

/* Each of these takes the device from the worker, waits for it and builds it anew. */
static void test_vhost_messages_flood_of_offload_changes_costs_its_sender_only(void **state)
{
    struct frontend f;

    (void)state;
    hostile_open(&f);
    for (int i = 0; i < FLOOD; i++) {
        const struct {
            uint32_t head[3];
            uint64_t features;
        } __attribute__((packed)) message = {
            .head = { VHOST_USER_SET_FEATURES, VHOST_USER_VERSION, 8 },
            .features = f.features | (i % 2 == 0 ? OFFLOAD_ALL : 0),
        };

        if (send(f.channel.fd, &message, sizeof(message), MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
            usleep(100);
        }
        if (i % (FLOOD / 10) == 0) {
            assert_bystanders_are_served();
        }
    }

    frontend_abandon(&f);
    assert_nobody_else_noticed();
}

/* The messages that start a device, one by one, so that a test can stop after any of them. */
#define START_STEPS 17

static int start_step(struct frontend *f, int step)
{
    struct vhost_user_channel *ch = &f->channel;
    const unsigned index = step >= 9;
    const struct guest_ring *ring = &f->ring[index];
    const union vhost_user_payload nth = { .u64 = index };
    const union vhost_user_payload address = {
        .addr = { .index = index,
                  .desc_user_addr = (uint64_t)(uintptr_t)ring->desc,
                  .used_user_addr = (uint64_t)(uintptr_t)ring->used,
                  .avail_user_addr = (uint64_t)(uintptr_t)ring->avail },
    };

    switch (step) {
    case 0:
        return vhost_user_set_u64(ch, VHOST_USER_SET_OWNER, 0);
    case 1:
        return vhost_user_set_u64(ch, VHOST_USER_SET_FEATURES, f->features);
    case 2:
        return frontend_set_memory(f);
    case 3: case 9:
        return vhost_user_set_state(ch, VHOST_USER_SET_VRING_NUM, index, ring->size);
    case 4: case 10:
        return vhost_user_set_state(ch, VHOST_USER_SET_VRING_BASE, index, 0);
    case 5: case 11:
        return vhost_user_set(ch, VHOST_USER_SET_VRING_ADDR, &address, sizeof(address.addr), -1);
    case 6: case 12:
        return vhost_user_set(ch, VHOST_USER_SET_VRING_KICK, &nth, 8, ring->kick_fd);
    case 7: case 13:
        return vhost_user_set(ch, VHOST_USER_SET_VRING_CALL, &nth, 8, ring->call_fd);
    case 8: case 14:
        return vhost_user_set_state(ch, VHOST_USER_SET_VRING_ENABLE, index, 1);
    default:
        return vhost_user_set_u64(ch, VHOST_USER_NET_SET_MTU, 1500);
    }
}

static void open_unstarted(struct frontend *f)
{
    assert_int_equal(frontend_open_unstarted(f, &(struct frontend_config){
                                                    .socket_path = lab.path[HOSTILE] }), 0);
}

static void test_vhost_messages_killed_after_any_message(void **state)
{
    (void)state;
    for (int steps = 0; steps <= START_STEPS; steps++) {
        struct frontend f;

        open_unstarted(&f);
        for (int i = 0; i < steps; i++) {
            assert_int_equal(start_step(&f, i), 0);
        }
        frontend_abandon(&f);
    }

    assert_nobody_else_noticed();
}

/* Every step before every other that should have come first. */
static void test_vhost_messages_in_any_order(void **state)
{
    (void)state;
    for (int first = 0; first < START_STEPS; first++) {
        struct frontend f;

        open_unstarted(&f);
        f.channel.timeout_ms = 200;
        for (int i = 0; i < START_STEPS; i++) {
            (void)start_step(&f, (first + i * 5) % START_STEPS);
        }
        frontend_abandon(&f);
    }

    assert_nobody_else_noticed();
}

/* After a message that failed the device must come back with the next that does not. */
static void test_vhost_messages_device_survives_a_refused_message(void **state)
{
    struct vhost_status status;
    struct frontend f;
    uint64_t features;

    (void)state;
    hostile_open(&f);
    assert_int_equal(vhost_user_set_u64(&f.channel, VHOST_USER_SET_FEATURES, ~0ull), -EREMOTEIO);

    assert_int_equal(vhost_user_get_u64(&f.channel, VHOST_USER_GET_FEATURES, &features), 0);

    assert_true(vhost_lab_await(&lab, HOSTILE, VHOST_ATTACHED, &status));
    frontend_abandon(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vhost_messages_half_a_message_holds_nobody_up),
        cmocka_unit_test(test_vhost_messages_unread_answers_hold_nobody_up),
        cmocka_unit_test(test_vhost_messages_flood_of_offload_changes_costs_its_sender_only),
        cmocka_unit_test(test_vhost_messages_killed_after_any_message),
        cmocka_unit_test(test_vhost_messages_in_any_order),
        cmocka_unit_test(test_vhost_messages_device_survives_a_refused_message),
        cmocka_unit_test(test_vhost_messages_each_costs_its_sender_only),
        cmocka_unit_test(test_vhost_messages_more_descriptors_than_fit_do_not_leak),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
