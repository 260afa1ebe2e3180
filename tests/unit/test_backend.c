/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The frontend's half of vhost-user, against a backend that does as it should, or fails at one
 * request in every way there is.
 */
#include "vmm/backend.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/support/fake_switch.h"

#define PART_BYTES  (UINT64_C(8) << 20)
#define PATIENCE_MS 10000          /* of a test with an honest backend */
#define DEADLINE_MS 300            /* with one that never answers */
#define MAC         UINT64_C(0x00155d010203)

struct backend_lab {
    struct fake_switch fake;
    struct ram ram;
    int kick_fd, call_fd;
};

static int lab_setup(void **state)
{
    struct backend_lab *lab = calloc(1, sizeof(*lab));

    assert_non_null(lab);
    assert_int_equal(fake_switch_open(&lab->fake), 0);
    assert_int_equal(ram_create(&lab->ram, RAM_MIN_BYTES, NULL), 0);
    /* As if it were so large that it goes on behind the hole. */
    lab->ram.part_count = 2;
    lab->ram.part[0].size_bytes = PART_BYTES;
    lab->ram.part[1] = (struct ram_part){ RAM_HIGH_GPA, PART_BYTES, PART_BYTES };
    lab->kick_fd = eventfd(0, EFD_CLOEXEC);
    lab->call_fd = eventfd(0, EFD_CLOEXEC);
    *state = lab;
    return 0;
}

static int lab_teardown(void **state)
{
    struct backend_lab *lab = *state;

    fake_switch_close(&lab->fake);
    ram_destroy(&lab->ram);
    close(lab->kick_fd);
    close(lab->call_fd);
    free(lab);
    return 0;
}

static struct backend *open_and_negotiate(struct backend_lab *lab)
{
    struct backend *backend = backend_open(lab->fake.path, PATIENCE_MS, NULL);

    assert_non_null(backend);
    assert_int_equal(backend_negotiate(backend, NULL), 0);
    return backend;
}

/* Everything that is ever said of a NIC, in its order, until something fails. */
static int converse(struct backend_lab *lab, struct backend *backend, struct error *error)
{
    const struct backend_ring set = {
        .size = 256,
        .base = 0xfffe,
        .desc = lab->ram.host,
        .avail = lab->ram.host + 0x1000,
        .used = lab->ram.host + 0x2000,
        .kick_fd = lab->kick_fd,
        .call_fd = lab->call_fd,
    };
    int result = backend_negotiate(backend, error);

    result = result != 0 ? result : backend_set_features(backend, 0x10000, error);
    result = result != 0 ? result : backend_set_mtu(backend, 9000, error);
    result = result != 0 ? result : backend_set_memory(backend, &lab->ram, error);
    result = result != 0 ? result : backend_start_ring(backend, 3, &set, error);
    result = result != 0 ? result : backend_enable_ring(backend, 3, true, error);
    result = result != 0 ? result : backend_announce(backend, MAC, error);
    return result != 0 ? result : backend_stop_ring(backend, 3, error);
}

static void test_backend_negotiate_learns_what_is_offered(void **state)
{
    struct backend_lab *lab = *state;
    struct backend *backend;

    lab->fake.features = UINT64_C(0x140000001);
    lab->fake.pairs_max = 4;
    assert_int_equal(fake_switch_listen(&lab->fake), 0);
    backend = open_and_negotiate(lab);

    assert_true(backend_features(backend) == UINT64_C(0x140000001));
    assert_int_equal(backend_pairs_max(backend), 4);
    backend_close(backend);
}

static void test_backend_without_mq_has_one_pair(void **state)
{
    struct backend_lab *lab = *state;
    struct backend *backend;

    lab->fake.protocol_features &= ~(UINT64_C(1) << VHOST_USER_PROTOCOL_F_MQ);
    assert_int_equal(fake_switch_listen(&lab->fake), 0);
    backend = open_and_negotiate(lab);

    assert_int_equal(backend_pairs_max(backend), 1);
    backend_close(backend);
}

static void test_backend_without_protocol_features_is_refused(void **state)
{
    struct backend_lab *lab = *state;
    struct backend *backend;
    struct error error;

    lab->fake.features = 1;
    assert_int_equal(fake_switch_listen(&lab->fake), 0);
    backend = backend_open(lab->fake.path, PATIENCE_MS, &error);

    assert_non_null(backend);
    assert_int_equal(backend_negotiate(backend, &error), -EPROTO);
    backend_close(backend);
}

static void assert_told(struct backend_lab *lab)
{
    const struct fake_switch *fake = &lab->fake;
    const struct fake_switch_ring *ring = &fake->ring[3];
    const uint64_t host = (uintptr_t)lab->ram.host;
    const uint8_t mac[6] = { 0x00, 0x15, 0x5d, 0x01, 0x02, 0x03 };

    assert_true(fake->features_set == (0x10000 | UINT64_C(1) << VHOST_USER_F_PROTOCOL_FEATURES));
    assert_int_equal(fake->mtu_bytes, 9000);
    assert_int_equal(fake->region_count, 2);
    assert_true(fake->region[0].user_address == host && fake->region[0].gpa == 0);
    assert_true(fake->region[1].gpa == RAM_HIGH_GPA && fake->region[1].size_bytes == PART_BYTES);
    assert_true(fake->region[1].user_address == host + PART_BYTES);
    assert_true(fake->region[1].mmap_offset_bytes == PART_BYTES);
    assert_int_equal(ring->size, 256);
    assert_int_equal(ring->base, 0xfffe);
    assert_true(ring->address.desc_user_addr == host);
    assert_true(ring->address.avail_user_addr == host + 0x1000);
    assert_true(ring->address.used_user_addr == host + 0x2000);
    assert_true(ring->kick_fd >= 0 && ring->call_fd >= 0);
    assert_int_equal(ring->enabled, 1);
    assert_memory_equal(&fake->rarp, mac, sizeof(mac));
    assert_false(ring->started);
    assert_false(fake->confused);
}

static void test_backend_says_all_of_a_nic(void **state)
{
    struct backend_lab *lab = *state;
    struct backend *backend;
    struct error error = { 0 };

    assert_int_equal(fake_switch_listen(&lab->fake), 0);
    backend = backend_open(lab->fake.path, PATIENCE_MS, &error);
    assert_non_null(backend);
    assert_int_equal(converse(lab, backend, &error), 0);

    fake_switch_lock(&lab->fake);
    assert_told(lab);
    fake_switch_unlock(&lab->fake);
    backend_close(backend);
}

static void test_backend_that_acknowledges_nothing_is_told_all_the_same(void **state)
{
    struct backend_lab *lab = *state;
    struct backend *backend;
    struct error error = { 0 };

    lab->fake.protocol_features &= ~(UINT64_C(1) << VHOST_USER_PROTOCOL_F_REPLY_ACK);
    assert_int_equal(fake_switch_listen(&lab->fake), 0);
    backend = backend_open(lab->fake.path, PATIENCE_MS, &error);
    assert_non_null(backend);
    assert_int_equal(converse(lab, backend, &error), 0);

    fake_switch_lock(&lab->fake);
    assert_told(lab);          /* the last request has an answer, so all were read */
    fake_switch_unlock(&lab->fake);
    backend_close(backend);
}

static void test_backend_that_wants_no_mtu_or_rarp_gets_none(void **state)
{
    struct backend_lab *lab = *state;
    struct backend *backend;

    lab->fake.protocol_features = UINT64_C(1) << VHOST_USER_PROTOCOL_F_REPLY_ACK;
    assert_int_equal(fake_switch_listen(&lab->fake), 0);
    backend = open_and_negotiate(lab);

    assert_int_equal(backend_set_mtu(backend, 1500, NULL), 0);
    assert_int_equal(backend_announce(backend, MAC, NULL), 0);
    backend_close(backend);
    fake_switch_lock(&lab->fake);
    assert_int_equal(lab->fake.requests[VHOST_USER_NET_SET_MTU], 0);
    assert_int_equal(lab->fake.requests[VHOST_USER_SEND_RARP], 0);
    fake_switch_unlock(&lab->fake);
}

static void test_backend_call_of_none_is_said_without_a_descriptor(void **state)
{
    struct backend_lab *lab = *state;
    struct backend *backend;

    assert_int_equal(fake_switch_listen(&lab->fake), 0);
    backend = open_and_negotiate(lab);
    assert_int_equal(backend_set_call(backend, 5, lab->call_fd, NULL), 0);
    assert_int_equal(backend_set_call(backend, 5, -1, NULL), 0);

    fake_switch_lock(&lab->fake);
    assert_int_equal(lab->fake.ring[5].calls_set, 2);
    assert_int_equal(lab->fake.ring[5].call_fd, -1);
    assert_false(lab->fake.confused);
    fake_switch_unlock(&lab->fake);
    backend_close(backend);
}

/* ---- failures -------------------------------------------------------------------------------- */

static bool is_question(uint32_t request)
{
    return request == VHOST_USER_GET_FEATURES || request == VHOST_USER_GET_PROTOCOL_FEATURES ||
           request == VHOST_USER_GET_QUEUE_NUM || request == VHOST_USER_GET_VRING_BASE;
}

/* The error that a fault comes to; 0 when there is no such fault at @p request. */
static int error_of(enum fake_switch_fault fault, uint32_t request)
{
    switch (fault) {
    case FAKE_SWITCH_SILENT:
    case FAKE_SWITCH_STALLS:
        return ETIMEDOUT;
    case FAKE_SWITCH_HANGS_UP:
    case FAKE_SWITCH_TRUNCATES:
        return EPIPE;
    case FAKE_SWITCH_OTHER_REQUEST:
    case FAKE_SWITCH_OTHER_SIZE:
    case FAKE_SWITCH_NO_REPLY_FLAG:
        return EPROTO;
    case FAKE_SWITCH_OTHER_RING:
        return request == VHOST_USER_GET_VRING_BASE ? EPROTO : 0;
    case FAKE_SWITCH_REFUSES:
        return is_question(request) ? 0 : EREMOTEIO;
    case FAKE_SWITCH_HONEST:
    case FAKE_SWITCH_LATE:
    case FAKE_SWITCH_FAULTS:
        break;
    }
    return 0;
}

static void fail_once(struct backend_lab *lab, enum fake_switch_fault fault, uint32_t request)
{
    const int expected = error_of(fault, request);
    const unsigned deadline_ms = expected == ETIMEDOUT ? DEADLINE_MS : PATIENCE_MS;
    struct error error = { 0 };
    struct backend *backend;

    if (expected == 0) {
        return;
    }
    lab->fake.fault = fault;
    lab->fake.fault_at = request;
    assert_int_equal(fake_switch_listen(&lab->fake), 0);
    backend = backend_open(lab->fake.path, deadline_ms, &error);
    assert_non_null(backend);
    assert_int_equal(converse(lab, backend, &error), -expected);
    assert_true(error.text[0] != '\0');
    backend_close(backend);
    fake_switch_kill(&lab->fake);
}

static void test_backend_every_wrong_answer_is_an_error(void **state)
{
    static const uint32_t requests[] = {
        VHOST_USER_GET_FEATURES, VHOST_USER_GET_PROTOCOL_FEATURES, VHOST_USER_GET_QUEUE_NUM,
        VHOST_USER_SET_OWNER, VHOST_USER_SET_FEATURES, VHOST_USER_NET_SET_MTU,
        VHOST_USER_SET_MEM_TABLE, VHOST_USER_SET_VRING_NUM, VHOST_USER_SET_VRING_BASE,
        VHOST_USER_SET_VRING_ADDR, VHOST_USER_SET_VRING_CALL, VHOST_USER_SET_VRING_KICK,
        VHOST_USER_SET_VRING_ENABLE, VHOST_USER_SEND_RARP, VHOST_USER_GET_VRING_BASE,
    };
    struct backend_lab *lab = *state;

    for (enum fake_switch_fault fault = FAKE_SWITCH_HANGS_UP; fault < FAKE_SWITCH_FAULTS; fault++) {
        for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
            if (fault != FAKE_SWITCH_STALLS) {
                fail_once(lab, fault, requests[i]);
            }
        }
    }
}

static void test_backend_that_stops_answering_is_given_up(void **state)
{
    struct backend_lab *lab = *state;

    fail_once(lab, FAKE_SWITCH_SILENT, VHOST_USER_SET_OWNER);
    fail_once(lab, FAKE_SWITCH_SILENT, VHOST_USER_GET_VRING_BASE);
    fail_once(lab, FAKE_SWITCH_STALLS, VHOST_USER_GET_FEATURES);
    fail_once(lab, FAKE_SWITCH_STALLS, VHOST_USER_SET_VRING_KICK);
}

static void test_backend_late_answer_is_one(void **state)
{
    struct backend_lab *lab = *state;
    struct error error = { 0 };
    struct backend *backend;

    lab->fake.fault = FAKE_SWITCH_LATE;
    lab->fake.fault_at = VHOST_USER_SET_MEM_TABLE;
    lab->fake.late_ms = 100;
    assert_int_equal(fake_switch_listen(&lab->fake), 0);
    backend = backend_open(lab->fake.path, PATIENCE_MS, &error);

    assert_int_equal(converse(lab, backend, &error), 0);
    backend_close(backend);
}

static bool is_readable(const struct backend *backend, int timeout_ms)
{
    struct pollfd wait = { .fd = backend_fd(backend), .events = POLLIN };

    return poll(&wait, 1, timeout_ms) == 1;
}

static void test_backend_open_does_not_wait_for_an_answer(void **state)
{
    struct backend_lab *lab = *state;
    struct backend *backend;

    lab->fake.fault = FAKE_SWITCH_SILENT;
    lab->fake.fault_at = VHOST_USER_GET_FEATURES;
    assert_int_equal(fake_switch_listen(&lab->fake), 0);
    backend = backend_open(lab->fake.path, PATIENCE_MS, NULL);

    assert_non_null(backend);
    assert_false(is_readable(backend, 50));
    backend_close(backend);
}

static void test_backend_hang_up_of_either_side_is_seen(void **state)
{
    struct backend_lab *lab = *state;
    struct backend *backend;
    struct error error;

    assert_int_equal(fake_switch_listen(&lab->fake), 0);
    backend = open_and_negotiate(lab);
    assert_false(backend_is_gone(backend));
    fake_switch_kill(&lab->fake);
    assert_true(is_readable(backend, PATIENCE_MS));
    assert_true(backend_is_gone(backend));
    assert_int_equal(backend_set_features(backend, 0, &error), -EPIPE);
    backend_close(backend);

    assert_int_equal(fake_switch_listen(&lab->fake), 0);
    backend = open_and_negotiate(lab);
    backend_hang_up(backend);
    assert_true(is_readable(backend, PATIENCE_MS));
    assert_true(backend_is_gone(backend));
    backend_close(backend);
}

static void test_backend_where_nobody_listens_says_so(void **state)
{
    struct backend_lab *lab = *state;
    char long_path[200];
    struct error error;

    assert_null(backend_open(lab->fake.path, PATIENCE_MS, &error));
    assert_int_equal(error.code, ENOENT);
    assert_non_null(strstr(error.text, lab->fake.path));

    memset(long_path, 'x', sizeof(long_path) - 1);
    long_path[sizeof(long_path) - 1] = '\0';
    assert_null(backend_open(long_path, PATIENCE_MS, &error));
    assert_int_equal(error.code, ENAMETOOLONG);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, lab_setup, lab_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_backend_negotiate_learns_what_is_offered),
        TEST(test_backend_without_mq_has_one_pair),
        TEST(test_backend_without_protocol_features_is_refused),
        TEST(test_backend_says_all_of_a_nic),
        TEST(test_backend_that_acknowledges_nothing_is_told_all_the_same),
        TEST(test_backend_that_wants_no_mtu_or_rarp_gets_none),
        TEST(test_backend_call_of_none_is_said_without_a_descriptor),
        TEST(test_backend_every_wrong_answer_is_an_error),
        TEST(test_backend_that_stops_answering_is_given_up),
        TEST(test_backend_late_answer_is_one),
        TEST(test_backend_open_does_not_wait_for_an_answer),
        TEST(test_backend_hang_up_of_either_side_is_seen),
        TEST(test_backend_where_nobody_listens_says_so),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
