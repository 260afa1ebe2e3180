/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Rings that lie where they must not, descriptors that are no eventfds, and memory that goes away
 * while it is used.  Two other vNICs pass frames throughout.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/support/vhost_lab.h"
#include "vnic/guest_fault.h"

#define HOSTILE 2u                 /* index of the vNIC under test; its peer is 3 */
#define PEER    3u

static struct vhost_lab lab;
static struct frontend bystander[2];
static struct frontend hostile;
static struct frontend peer;

static int setup(void **state)
{
    (void)state;
    if (vhost_lab_open(&lab, 1) != 0) {
        return -1;
    }
    for (unsigned i = 0; i < 2; i++) {
        if (frontend_open(&bystander[i],
                          &(struct frontend_config){ .socket_path = lab.path[i] }) != 0) {
            return -1;
        }
    }
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    frontend_abandon(&bystander[0]);
    frontend_abandon(&bystander[1]);
    vhost_lab_close(&lab);
    return 0;
}

static int attach(void **state)
{
    (void)state;
    return frontend_open(&peer, &(struct frontend_config){ .socket_path = lab.path[PEER] }) == 0 &&
                   frontend_open(&hostile, &(struct frontend_config){
                                               .socket_path = lab.path[HOSTILE] }) == 0
               ? 0
               : -1;
}

static int leave(void **state)
{
    (void)state;
    frontend_abandon(&hostile);
    frontend_abandon(&peer);
    return 0;
}

static void assert_bystanders_pass(void)
{
    assert_int_equal(vhost_lab_pass(&bystander[0], &bystander[1], 20), 20);
    assert_int_equal(vhost_lab_pass(&bystander[1], &bystander[0], 20), 20);
}

static void assert_broken(enum virtqueue_fault fault, uint16_t ring)
{
    struct vhost_status status;

    assert_true(vhost_lab_await(&lab, HOSTILE, VHOST_BROKEN, &status));
    assert_int_equal(status.fault, fault);
    assert_int_equal(status.fault_ring, ring);
    assert_bystanders_pass();
}

/* The driver resets, and the vNIC is as good as new. */
static void assert_recovers(void)
{
    struct vhost_status status;

    assert_int_equal(frontend_reset(&hostile), 0);
    assert_true(vhost_lab_await(&lab, HOSTILE, VHOST_ATTACHED, &status));
    assert_int_equal(status.fault, VIRTQUEUE_NONE);
    assert_int_equal(vhost_lab_pass(&hostile, &peer, 10), 10);
    assert_int_equal(vhost_lab_pass(&peer, &hostile, 10), 10);
}

/* ---- rings that lie elsewhere ---------------------------------------------------------------- */

/* Moves one part of the transmit ring to @p address of the frontend's. */
static void move_ring(uint64_t desc, uint64_t avail, uint64_t used)
{
    const struct guest_ring *ring = &hostile.ring[FRONTEND_TX(0)];
    const union vhost_user_payload address = {
        .addr = { .index = FRONTEND_TX(0),
                  .desc_user_addr = desc != 0 ? desc : (uint64_t)(uintptr_t)ring->desc,
                  .avail_user_addr = avail != 0 ? avail : (uint64_t)(uintptr_t)ring->avail,
                  .used_user_addr = used != 0 ? used : (uint64_t)(uintptr_t)ring->used },
    };

    (void)vhost_user_set(&hostile.channel, VHOST_USER_SET_VRING_ADDR, &address,
                         sizeof(address.addr), -1);
}

static uint64_t memory_end(void)
{
    const struct guest_ram_region *region = &hostile.ram.region[0];

    return (uint64_t)(uintptr_t)region->hva + region->size_bytes;
}

static void test_vhost_memory_ring_beyond_the_end(void **state)
{
    const uint16_t size = hostile.ring[FRONTEND_TX(0)].size;

    (void)state;
    /* The descriptors and the available ring begin inside, the used ring ends outside. */
    move_ring(0, 0, memory_end() - 4 - 8ull * size);
    assert_broken(VIRTQUEUE_RING_PLACE, FRONTEND_TX(0));
    assert_recovers();
}

static void test_vhost_memory_ring_misaligned(void **state)
{
    (void)state;
    move_ring((uint64_t)(uintptr_t)hostile.ring[FRONTEND_TX(0)].desc + 8, 0, 0);
    assert_broken(VIRTQUEUE_RING_PLACE, FRONTEND_TX(0));
    assert_recovers();
}

/* What was whole for the size before is not for the next. */
static void test_vhost_memory_ring_grows_after_its_addresses(void **state)
{
    const uint16_t size = hostile.ring[FRONTEND_TX(0)].size;

    (void)state;
    move_ring(0, memory_end() - 6 - 2ull * size, 0);
    assert_int_equal(vhost_user_set_state(&hostile.channel, VHOST_USER_SET_VRING_NUM,
                                          FRONTEND_TX(0), 2u * size), 0);
    assert_broken(VIRTQUEUE_RING_PLACE, FRONTEND_TX(0));
    assert_recovers();
}

static void test_vhost_memory_ring_outside(void **state)
{
    (void)state;
    move_ring(memory_end() + 4096, 0, 0);
    assert_broken(VIRTQUEUE_RING_PLACE, FRONTEND_TX(0));
    assert_recovers();
}

/* ---- descriptors ----------------------------------------------------------------------------- */

static void set_fd(enum vhost_user_request request, unsigned ring, int fd)
{
    const union vhost_user_payload nth = { .u64 = ring };

    assert_true(fd >= 0);
    assert_int_equal(vhost_user_set(&hostile.channel, request, &nth, sizeof(nth.u64), fd), 0);
}

static void test_vhost_memory_call_fd_is_a_full_pipe(void **state)
{
    int ends[2];

    (void)state;
    assert_int_equal(pipe2(ends, O_NONBLOCK | O_CLOEXEC), 0);
    while (write(ends[1], &ends, sizeof(ends)) > 0) {
    }
    (void)fcntl(ends[1], F_SETFL, 0);

    set_fd(VHOST_USER_SET_VRING_CALL, FRONTEND_RX(0), ends[1]);

    assert_broken(VIRTQUEUE_NOTIFY_FD, FRONTEND_RX(0));
    assert_recovers();
    (void)close(ends[0]);
    (void)close(ends[1]);
}

static void test_vhost_memory_kick_fd_is_a_directory(void **state)
{
    const int fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    (void)state;
    set_fd(VHOST_USER_SET_VRING_KICK, FRONTEND_TX(0), fd);
    (void)close(fd);

    assert_broken(VIRTQUEUE_NOTIFY_FD, FRONTEND_TX(0));
    assert_recovers();
}

/* ---- memory that goes away ------------------------------------------------------------------- */

/* The backend alone may touch the memory from here on. */
static void truncate_memory(void)
{
    assert_int_equal(guest_fault_start(), 0);  /* cmocka puts its own handler before each test */
    for (unsigned i = 0; i < hostile.ram.region_count; i++) {
        assert_int_equal(ftruncate(hostile.ram.region[i].fd, 0), 0);
    }
}

static void assert_back_after_reconnect(void)
{
    struct vhost_status status;

    frontend_abandon(&hostile);
    assert_true(vhost_lab_await(&lab, HOSTILE, VHOST_WAITING, &status));
    assert_int_equal(frontend_open(&hostile, &(struct frontend_config){
                                                 .socket_path = lab.path[HOSTILE] }), 0);
    assert_true(vhost_lab_await(&lab, HOSTILE, VHOST_ATTACHED, &status));
    assert_int_equal(vhost_lab_pass(&hostile, &peer, 10), 10);
}

static void test_vhost_memory_truncated_under_the_worker(void **state)
{
    (void)state;
    assert_int_equal(vhost_lab_pass(&hostile, &peer, 10), 10);

    truncate_memory();

    assert_broken(VIRTQUEUE_MEMORY_GONE, 0);
    assert_back_after_reconnect();
}

/* Huge pages can be replaced in whole ones only. */
static void test_vhost_memory_of_huge_pages_truncated(void **state)
{
    (void)state;
    frontend_abandon(&hostile);
    assert_int_equal(frontend_open(&hostile, &(struct frontend_config){
                                                 .socket_path = lab.path[HOSTILE],
                                                 .hugepages = true }), 0);
    if (!hostile.ram.hugepages) {
        print_message("# skip: no huge pages are free\n");
        skip();
    }
    assert_int_equal(vhost_lab_pass(&hostile, &peer, 10), 10);

    truncate_memory();

    assert_broken(VIRTQUEUE_MEMORY_GONE, 0);
    assert_back_after_reconnect();
}

/* As QEMU splits a PC's first megabyte, whatever pages are behind it. */
static void test_vhost_memory_region_ends_within_a_huge_page(void **state)
{
    (void)state;
    frontend_abandon(&hostile);
    assert_int_equal(frontend_open_unstarted(&hostile, &(struct frontend_config){
                                                           .socket_path = lab.path[HOSTILE],
                                                           .hugepages = true }), 0);
    hostile.ram.region[0].size_bytes -= 4096;

    assert_int_equal(frontend_start(&hostile), 0);

    assert_int_equal(frontend_post_receive_buffers(&hostile, 0, 200), 200);
    assert_int_equal(vhost_lab_pass(&hostile, &peer, 10), 10);
    assert_int_equal(vhost_lab_pass(&peer, &hostile, 10), 10);
    hostile.ram.region[0].size_bytes += 4096;
}

/* A reset does not bring memory back; only another frontend does. */
static void test_vhost_memory_truncated_stays_broken_through_a_reset(void **state)
{
    static const union vhost_user_payload ring = { .state = { .index = 0 } };
    union vhost_user_payload reply;

    (void)state;
    truncate_memory();
    assert_broken(VIRTQUEUE_MEMORY_GONE, 0);

    assert_int_equal(vhost_user_send(&hostile.channel, VHOST_USER_GET_VRING_BASE,
                                     VHOST_USER_VERSION, &ring, sizeof(ring.state), NULL, 0), 0);
    assert_in_range(vhost_user_receive(&hostile.channel, VHOST_USER_GET_VRING_BASE, &reply), 1,
                    sizeof(reply));

    assert_bystanders_pass();
    assert_back_after_reconnect();
}

/* The first look into a ring is the vhost thread's, when the last word of the start is said. */
static void start_rings(struct frontend *f)
{
    for (unsigned i = 0; i < 2; i++) {
        const struct guest_ring *ring = &f->ring[i];
        const union vhost_user_payload nth = { .u64 = i };
        const union vhost_user_payload address = {
            .addr = { .index = i, .desc_user_addr = (uint64_t)(uintptr_t)ring->desc,
                      .avail_user_addr = (uint64_t)(uintptr_t)ring->avail,
                      .used_user_addr = (uint64_t)(uintptr_t)ring->used },
        };

        assert_int_equal(vhost_user_set_state(&f->channel, VHOST_USER_SET_VRING_NUM, i,
                                              ring->size), 0);
        assert_int_equal(vhost_user_set(&f->channel, VHOST_USER_SET_VRING_ADDR, &address,
                                        sizeof(address.addr), -1), 0);
        assert_int_equal(vhost_user_set(&f->channel, VHOST_USER_SET_VRING_CALL, &nth, 8,
                                        ring->call_fd), 0);
        assert_int_equal(vhost_user_set(&f->channel, VHOST_USER_SET_VRING_KICK, &nth, 8,
                                        ring->kick_fd), 0);
        assert_int_equal(vhost_user_set_state(&f->channel, VHOST_USER_SET_VRING_ENABLE, i, 1), 0);
    }
}

static void test_vhost_memory_truncated_before_the_start(void **state)
{
    struct frontend f;

    (void)state;
    assert_int_equal(guest_fault_start(), 0);
    frontend_abandon(&hostile);
    for (int round = 0; round < 20; round++) {
        struct vhost_status status;

        assert_int_equal(frontend_open_unstarted(&f, &(struct frontend_config){
                                                         .socket_path = lab.path[HOSTILE] }), 0);
        f.channel.timeout_ms = 500;
        assert_int_equal(vhost_user_set_u64(&f.channel, VHOST_USER_SET_FEATURES, f.features), 0);
        assert_int_equal(frontend_set_memory(&f), 0);
        assert_int_equal(ftruncate(f.ram.region[0].fd, 0), 0);
        start_rings(&f);
        vhost_control_status(lab.vnic[HOSTILE], &status);
        assert_int_equal(status.state, VHOST_BROKEN);
        assert_int_equal(status.fault, VIRTQUEUE_MEMORY_GONE);
        frontend_abandon(&f);
        assert_bystanders_pass();
    }
    assert_int_equal(frontend_open(&hostile, &(struct frontend_config){
                                                 .socket_path = lab.path[HOSTILE] }), 0);
}

static void test_vhost_memory_shorter_than_its_table_is_refused(void **state)
{
    (void)state;
    hostile.channel.timeout_ms = 500;
    hostile.ram.region[0].gpa += 4096;             /* or it would be the table it has */
    hostile.ram.region[0].size_bytes += 4096;

    assert_int_not_equal(frontend_set_memory(&hostile), 0);

    hostile.ram.region[0].size_bytes -= 4096;
    assert_bystanders_pass();
    assert_back_after_reconnect();
}

/* Any other SIGBUS ends the process as it would have: the handler claims only what is a guest's. */
static void die_of_memory_of_our_own(void)
{
    const int fd = memfd_create("ours", MFD_CLOEXEC);
    volatile char *at = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);

    (void)signal(SIGBUS, SIG_DFL);
    (void)guest_fault_start();
    _exit(at[0]);                                  /* an empty file has no first byte */
}

static void test_vhost_memory_sigbus_of_our_own_still_kills(void **state)
{
    int status;
    pid_t child;

    (void)state;
    (void)fflush(NULL);
    child = fork();
    if (child == 0) {
        die_of_memory_of_our_own();
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGBUS);
}

/* ---- the socket ------------------------------------------------------------------------------ */

static struct error refused_at(const char *path)
{
    const struct vhost_control_config config = { .path = path, .pairs = 1, .port = 9,
                                                 .owner = (uid_t)-1, .group = (gid_t)-1 };
    struct error error = { .code = 0 };

    assert_null(vhost_control_add(&config, &error));
    assert_true(error.code != 0 && error.text[0] != '\0');
    return error;
}

static void test_vhost_socket_has_its_mode(void **state)
{
    struct stat found;

    (void)state;
    assert_int_equal(stat(lab.path[0], &found), 0);
    assert_int_equal(found.st_mode & 07777, 0660);
    assert_true(S_ISSOCK(found.st_mode));
}

static void test_vhost_socket_of_a_dead_process_is_replaced(void **state)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd;

    (void)state;
    frontend_abandon(&hostile);
    vhost_lab_remove(&lab, HOSTILE);
    fd = socket(AF_UNIX, SOCK_STREAM, 0);
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", lab.path[HOSTILE]);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    (void)close(fd);

    assert_int_equal(vhost_lab_add(&lab, HOSTILE, 1), 0);

    assert_int_equal(frontend_open(&hostile, &(struct frontend_config){
                                                 .socket_path = lab.path[HOSTILE] }), 0);
    assert_int_equal(vhost_lab_pass(&hostile, &peer, 5), 5);
}

static void test_vhost_socket_places_that_are_refused(void **state)
{
    char path[300];
    int fd;

    (void)state;
    assert_int_equal(refused_at(lab.path[0]).code, EADDRINUSE);

    (void)snprintf(path, sizeof(path), "%s/file", lab.dir);
    fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    (void)close(fd);
    assert_int_equal(refused_at(path).code, EEXIST);
    assert_int_equal(unlink(path), 0);

    (void)snprintf(path, sizeof(path), "%s/none/x.sock", lab.dir);
    assert_int_equal(refused_at(path).code, ENOENT);

    memset(path, 'x', sizeof(path) - 1);
    path[sizeof(path) - 1] = '\0';
    assert_int_equal(refused_at(path).code, ENAMETOOLONG);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, attach, leave)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_vhost_memory_ring_beyond_the_end),
        TEST(test_vhost_memory_ring_misaligned),
        TEST(test_vhost_memory_ring_grows_after_its_addresses),
        TEST(test_vhost_memory_ring_outside),
        TEST(test_vhost_memory_call_fd_is_a_full_pipe),
        TEST(test_vhost_memory_kick_fd_is_a_directory),
        TEST(test_vhost_memory_truncated_under_the_worker),
        TEST(test_vhost_memory_of_huge_pages_truncated),
        TEST(test_vhost_memory_region_ends_within_a_huge_page),
        TEST(test_vhost_memory_truncated_stays_broken_through_a_reset),
        TEST(test_vhost_memory_truncated_before_the_start),
        TEST(test_vhost_memory_shorter_than_its_table_is_refused),
        TEST(test_vhost_memory_sigbus_of_our_own_still_kills),
        TEST(test_vhost_socket_has_its_mode),
        TEST(test_vhost_socket_of_a_dead_process_is_replaced),
        TEST(test_vhost_socket_places_that_are_refused),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
