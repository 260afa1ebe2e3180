/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Bytes and descriptors of a frontend become messages, whatever pieces they come in.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "vnic/vhost_channel.h"

#define ANSWERS_MAX 100000         /* far more than a socket holds */

static struct vhost_channel channel;
static int far_end;

static int setup(void **state)
{
    int pair[2];

    (void)state;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) != 0) {
        return -1;
    }
    vhost_channel_open(&channel, pair[0]);
    far_end = pair[1];
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    vhost_channel_close(&channel);
    (void)close(far_end);
    return 0;
}

static struct vhost_message message(uint32_t request, uint32_t size_bytes, uint64_t value)
{
    return (struct vhost_message){ .request = request, .flags = VHOST_FLAG_VERSION,
                                   .size_bytes = size_bytes, .payload = { .u64 = value } };
}

static void say(const void *bytes, size_t len_bytes, unsigned fd_count)
{
    const int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    union {
        struct cmsghdr head;
        uint8_t room[CMSG_SPACE(16 * sizeof(int))];
    } control = { .head = { .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS,
                            .cmsg_len = CMSG_LEN(fd_count * sizeof(int)) } };
    struct iovec piece = { .iov_base = (void *)(uintptr_t)bytes, .iov_len = len_bytes };
    struct msghdr head = { .msg_iov = &piece, .msg_iovlen = 1 };

    for (unsigned i = 0; i < fd_count; i++) {
        memcpy(CMSG_DATA(&control.head) + i * sizeof(int), &fd, sizeof(int));
    }
    if (fd_count != 0) {
        head.msg_control = &control;
        head.msg_controllen = CMSG_SPACE(fd_count * sizeof(int));
    }
    assert_int_equal(sendmsg(far_end, &head, 0), len_bytes);
    (void)close(fd);
}

static int lowest_free_fd(void)
{
    const int fd = dup(far_end);

    (void)close(fd);
    return fd;
}

static void test_vhost_channel_message_comes_whole(void **state)
{
    const struct vhost_message m = message(MESSAGE_SET_FEATURES, 8, 0x1234);

    (void)state;
    say(&m, 20, 0);

    assert_int_equal(vhost_channel_hear(&channel), VHOST_HEARD_MESSAGE);
    assert_int_equal(channel.message.request, MESSAGE_SET_FEATURES);
    assert_int_equal(channel.message.size_bytes, 8);
    assert_int_equal(channel.message.payload.u64, 0x1234);
    assert_int_equal(channel.message.fd_count, 0);
}

static void test_vhost_channel_message_comes_by_the_byte(void **state)
{
    const struct vhost_message m = message(MESSAGE_SET_FEATURES, 8, 0x1234);

    (void)state;
    for (size_t i = 0; i < 20; i++) {
        assert_int_equal(vhost_channel_hear(&channel), VHOST_HEARD_NOTHING);
        say((const uint8_t *)&m + i, 1, 0);
    }

    assert_int_equal(vhost_channel_hear(&channel), VHOST_HEARD_MESSAGE);
    assert_int_equal(channel.message.payload.u64, 0x1234);
}

static void test_vhost_channel_two_messages_in_one_piece_are_two(void **state)
{
    const struct vhost_message m[2] = { message(MESSAGE_GET_FEATURES, 0, 0),
                                        message(MESSAGE_SET_VRING_ERR, 8, 3) };
    uint8_t bytes[32];

    (void)state;
    memcpy(bytes, &m[0], 12);
    memcpy(bytes + 12, &m[1], 20);
    say(bytes, sizeof(bytes), 0);

    assert_int_equal(vhost_channel_hear(&channel), VHOST_HEARD_MESSAGE);
    assert_int_equal(channel.message.request, MESSAGE_GET_FEATURES);
    vhost_channel_done(&channel);
    assert_int_equal(vhost_channel_hear(&channel), VHOST_HEARD_MESSAGE);
    assert_int_equal(channel.message.payload.u64, 3);
    vhost_channel_done(&channel);
    assert_int_equal(vhost_channel_hear(&channel), VHOST_HEARD_NOTHING);
}

static void test_vhost_channel_descriptors_come_along_and_are_closed(void **state)
{
    const struct vhost_message m = message(MESSAGE_SET_MEM_TABLE, 8, VHOST_MESSAGE_FDS_MAX);
    int lowest;

    (void)state;
    lowest = lowest_free_fd();
    say(&m, 20, VHOST_MESSAGE_FDS_MAX);

    assert_int_equal(vhost_channel_hear(&channel), VHOST_HEARD_MESSAGE);
    assert_int_equal(channel.message.fd_count, VHOST_MESSAGE_FDS_MAX);
    for (unsigned i = 0; i < VHOST_MESSAGE_FDS_MAX; i++) {
        assert_int_equal(fcntl(channel.message.fd[i], F_GETFD), FD_CLOEXEC);
    }
    vhost_channel_done(&channel);
    assert_int_equal(lowest_free_fd(), lowest);
}

static void test_vhost_channel_descriptor_that_is_taken_stays(void **state)
{
    const struct vhost_message m = message(MESSAGE_SET_VRING_KICK, 8, 0);
    int fd;

    (void)state;
    say(&m, 20, 1);
    assert_int_equal(vhost_channel_hear(&channel), VHOST_HEARD_MESSAGE);

    fd = vhost_message_take_fd(&channel.message);

    vhost_channel_done(&channel);
    assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
    (void)close(fd);
}

static void test_vhost_channel_too_many_descriptors_are_garbage_and_closed(void **state)
{
    const struct vhost_message m = message(MESSAGE_GET_FEATURES, 0, 0);
    int lowest;

    (void)state;
    lowest = lowest_free_fd();
    say(&m, 12, VHOST_MESSAGE_FDS_MAX + 1);

    assert_int_equal(vhost_channel_hear(&channel), VHOST_HEARD_GARBAGE);
    vhost_channel_done(&channel);
    assert_int_equal(lowest_free_fd(), lowest);
}

/* Each piece has few enough; the message as a whole has not. */
static void test_vhost_channel_too_many_descriptors_in_pieces(void **state)
{
    const struct vhost_message m = message(MESSAGE_SET_FEATURES, 8, 0);
    enum vhost_heard heard = VHOST_HEARD_NOTHING;
    int lowest;

    (void)state;
    lowest = lowest_free_fd();
    for (size_t i = 0; i < 20 && heard == VHOST_HEARD_NOTHING; i++) {
        say((const uint8_t *)&m + i, 1, 1);
        heard = vhost_channel_hear(&channel);
    }

    assert_int_equal(heard, VHOST_HEARD_GARBAGE);
    vhost_channel_done(&channel);
    assert_int_equal(lowest_free_fd(), lowest);
}

static void test_vhost_channel_wrong_version_is_garbage(void **state)
{
    struct vhost_message m = message(MESSAGE_GET_FEATURES, 0, 0);

    (void)state;
    m.flags = 2;
    say(&m, 12, 0);

    assert_int_equal(vhost_channel_hear(&channel), VHOST_HEARD_GARBAGE);
}

static void test_vhost_channel_longer_than_any_message_is_garbage(void **state)
{
    const struct vhost_message fits = message(MESSAGE_SET_FEATURES, sizeof(fits.payload), 0);
    const struct vhost_message m = message(MESSAGE_SET_FEATURES, sizeof(m.payload) + 1, 0);

    (void)state;
    say(&fits, VHOST_MESSAGE_HEAD_BYTES + sizeof(fits.payload), 0);
    assert_int_equal(vhost_channel_hear(&channel), VHOST_HEARD_MESSAGE);
    vhost_channel_done(&channel);

    say(&m, 12, 0);

    assert_int_equal(vhost_channel_hear(&channel), VHOST_HEARD_GARBAGE);
}

static void test_vhost_channel_end_comes_after_what_was_said(void **state)
{
    const struct vhost_message m = message(MESSAGE_GET_FEATURES, 0, 0);

    (void)state;
    say(&m, 12, 0);
    assert_true(vhost_channel_has_peer(&channel));
    assert_int_equal(shutdown(far_end, SHUT_RDWR), 0);

    assert_false(vhost_channel_has_peer(&channel));
    assert_int_equal(vhost_channel_hear(&channel), VHOST_HEARD_MESSAGE);
    vhost_channel_done(&channel);
    assert_int_equal(vhost_channel_hear(&channel), VHOST_HEARD_END);
}

static void test_vhost_channel_answer_says_what_it_answers(void **state)
{
    const struct vhost_message m = message(MESSAGE_GET_QUEUE_NUM, 0, 0);
    struct vhost_message got;

    (void)state;
    say(&m, 12, 0);
    assert_int_equal(vhost_channel_hear(&channel), VHOST_HEARD_MESSAGE);
    channel.message.payload.u64 = 7;

    assert_true(vhost_channel_answer(&channel, 8));

    assert_int_equal(recv(far_end, &got, sizeof(got), 0), 20);
    assert_int_equal(got.request, MESSAGE_GET_QUEUE_NUM);
    assert_int_equal(got.flags, VHOST_FLAG_VERSION | VHOST_FLAG_REPLY);
    assert_int_equal(got.size_bytes, 8);
    assert_int_equal(got.payload.u64, 7);
}

static void test_vhost_channel_answers_that_nobody_reads_end(void **state)
{
    int answers = 0;

    (void)state;
    channel.message = message(MESSAGE_GET_FEATURES, 0, 0);

    while (answers < ANSWERS_MAX && vhost_channel_answer(&channel, 8)) {
        answers++;
    }

    assert_in_range(answers, 1, ANSWERS_MAX - 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_vhost_channel_message_comes_whole),
        TEST(test_vhost_channel_message_comes_by_the_byte),
        TEST(test_vhost_channel_two_messages_in_one_piece_are_two),
        TEST(test_vhost_channel_descriptors_come_along_and_are_closed),
        TEST(test_vhost_channel_descriptor_that_is_taken_stays),
        TEST(test_vhost_channel_too_many_descriptors_are_garbage_and_closed),
        TEST(test_vhost_channel_too_many_descriptors_in_pieces),
        TEST(test_vhost_channel_wrong_version_is_garbage),
        TEST(test_vhost_channel_longer_than_any_message_is_garbage),
        TEST(test_vhost_channel_end_comes_after_what_was_said),
        TEST(test_vhost_channel_answer_says_what_it_answers),
        TEST(test_vhost_channel_answers_that_nobody_reads_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
