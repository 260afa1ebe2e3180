/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What ends a worker's sleep, and what only makes it a nap, for interfaces of every kind.
 *
 * A test that is to sleep has written to what wakes it before, so that none can hang.
 */
#include "dataplane/idle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/support/fake_interface.h"

#define PORTS_MAX 4u

struct rig {
    struct worker worker;
    struct worker_shared shared;
    struct fabric fabric;
    struct fabric_queue queue[PORTS_MAX];
    struct fake_interface *fake[PORTS_MAX];
};

static int setup(void **state)
{
    const size_t qsbr_bytes = (rte_rcu_qsbr_get_memsize(1) + 63) / 64 * 64;
    struct rig *rig = aligned_alloc(64, (sizeof(*rig) + 63) / 64 * 64);

    if (rig == NULL) {
        return -1;
    }
    memset(rig, 0, sizeof(*rig));
    rig->shared.qsbr = aligned_alloc(64, qsbr_bytes);
    if (rig->shared.qsbr == NULL || rte_rcu_qsbr_init(rig->shared.qsbr, 1) != 0) {
        return -1;
    }
    (void)rte_rcu_qsbr_thread_register(rig->shared.qsbr, 0);
    rte_rcu_qsbr_thread_online(rig->shared.qsbr, 0);
    rig->worker.shared = &rig->shared;
    rig->worker.wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    rig->fabric.generation = 1;
    rig->fabric.queues = rig->queue;
    atomic_store(&rig->shared.fabric, &rig->fabric);
    *state = rig;
    return 0;
}

static int teardown(void **state)
{
    struct rig *rig = *state;

    for (uint32_t i = 0; i < rig->fabric.queue_count; i++) {
        if (rig->fake[i]->fd >= 0) {
            (void)close(rig->fake[i]->fd);
        }
        free(rig->fake[i]);
    }
    (void)close(rig->worker.wake_fd);
    free(rig->worker.sleeping);
    free(rig->shared.qsbr);
    free(rig);
    return 0;
}

/* Adds a port of one queue, to be slept on by @p fd (taken). */
static struct fake_interface *add(struct rig *rig, enum fabric_port_kind kind, int fd)
{
    const uint16_t port = (uint16_t)rig->fabric.queue_count;

    rig->fake[port] = fake_interface_create(port);
    rig->fake[port]->fd = fd;
    rig->fabric.port[port] = (struct fabric_port){ .endpoint = rig->fake[port],
                                                   .kind = (uint8_t)kind };
    rig->queue[port] = (struct fabric_queue){ .port = port };
    rig->fabric.queue_count++;
    return rig->fake[port];
}

static int readable(bool is)
{
    return eventfd(is, EFD_NONBLOCK | EFD_CLOEXEC);
}

/* A descriptor that has nothing to read and never will, and an error all the time. */
static int broken(void)
{
    int ends[2];

    assert_int_equal(pipe(ends), 0);
    (void)close(ends[0]);
    return ends[1];
}

/* As after a turn in which nothing moved. */
static bool sleep_once(struct rig *rig)
{
    if (rig->worker.fabric == NULL) {
        assert_true(worker_load_fabric(&rig->worker));
    }
    return idle_sleep(&rig->worker);
}

/* ---- sleeping -------------------------------------------------------------------------------- */

static void test_idle_wakes_for_whatever_can_be_read(void **state)
{
    static const enum fabric_port_kind kinds[] = { FABRIC_PORT_HOST, FABRIC_PORT_PACKET,
                                                   FABRIC_PORT_NIC };
    struct rig *rig = *state;

    for (unsigned i = 0; i < 3; i++) {
        (void)add(rig, kinds[i], readable(false));
    }
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(eventfd_write(rig->fake[i]->fd, 1), 0);
        assert_true(sleep_once(rig));
        assert_int_not_equal(rig->worker.sleeping[i + 1].revents, 0);
        assert_int_equal(rig->worker.sleeping[(i + 1) % 3 + 1].revents, 0);
        assert_int_equal(eventfd_read(rig->fake[i]->fd, &(eventfd_t){ 0 }), 0);
    }
    assert_int_equal(rig->worker.status.sleeps, 3);
    assert_int_equal(rig->worker.nap_us, 0);
}

static void test_idle_is_woken_and_forgets_it(void **state)
{
    struct rig *rig = *state;

    (void)add(rig, FABRIC_PORT_HOST, readable(false));
    assert_int_equal(eventfd_write(rig->worker.wake_fd, 1), 0);

    assert_true(sleep_once(rig));

    assert_int_not_equal(eventfd_read(rig->worker.wake_fd, &(eventfd_t){ 0 }), 0);
}

static void test_idle_new_fabric_is_not_slept_on(void **state)
{
    struct rig *rig = *state;

    (void)add(rig, FABRIC_PORT_HOST, readable(false));
    assert_true(worker_load_fabric(&rig->worker));
    rig->fabric.generation++;

    assert_true(idle_sleep(&rig->worker));

    assert_int_equal(rig->worker.status.sleeps, 0);
}

static void test_idle_absent_port_is_not_waited_for(void **state)
{
    struct rig *rig = *state;

    (void)add(rig, FABRIC_PORT_ABSENT, readable(true));
    assert_int_equal(eventfd_write(rig->worker.wake_fd, 1), 0);

    assert_true(sleep_once(rig));

    assert_int_equal(rig->worker.sleeping[1].fd, -1);
}

/* ---- NICs ------------------------------------------------------------------------------------ */

static void test_idle_nic_is_armed_for_the_sleep_only(void **state)
{
    struct rig *rig = *state;
    const struct fake_interface *nic = add(rig, FABRIC_PORT_NIC, readable(true));

    assert_true(sleep_once(rig));

    assert_int_equal(nic->times_armed, 1);
    assert_false(nic->armed);
}

static void test_idle_nic_that_has_something_is_not_slept_on(void **state)
{
    struct rig *rig = *state;
    struct fake_interface *nic = add(rig, FABRIC_PORT_NIC, readable(false));

    nic->has_more = true;
    assert_true(sleep_once(rig));

    assert_int_equal(rig->worker.status.sleeps, 0);
    assert_false(nic->armed);
}

static void test_idle_nic_that_cannot_wake_is_looked_at_ever_less(void **state)
{
    static const uint32_t naps_us[] = { 50, 100, 200, 400, 800, 1000, 1000 };
    struct rig *rig = *state;
    const struct fake_interface *nic = add(rig, FABRIC_PORT_NIC, -1);

    for (size_t i = 0; i < sizeof(naps_us) / sizeof(naps_us[0]); i++) {
        assert_false(sleep_once(rig));
        assert_int_equal(rig->worker.nap_us, naps_us[i]);
    }
    assert_int_equal(nic->times_armed, 0);
}

static void test_idle_nap_ends_for_what_another_port_has(void **state)
{
    struct rig *rig = *state;

    (void)add(rig, FABRIC_PORT_NIC, -1);
    (void)add(rig, FABRIC_PORT_HOST, readable(true));

    assert_true(sleep_once(rig));
}

/* ---- interfaces that are gone ---------------------------------------------------------------- */

static void test_idle_interface_in_error_makes_naps(void **state)
{
    struct rig *rig = *state;

    (void)add(rig, FABRIC_PORT_PACKET, broken());
    (void)add(rig, FABRIC_PORT_HOST, broken());
    for (unsigned i = 0; i < 6; i++) {
        assert_false(sleep_once(rig));
    }

    assert_int_equal(rig->worker.nap_us, 1000);
}

static void test_idle_interface_in_error_hides_no_other(void **state)
{
    struct rig *rig = *state;

    (void)add(rig, FABRIC_PORT_PACKET, broken());
    (void)add(rig, FABRIC_PORT_HOST, readable(true));
    (void)add(rig, FABRIC_PORT_NIC, -1);

    assert_true(sleep_once(rig));
}

int main(void)
{
#define RIG(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        RIG(test_idle_wakes_for_whatever_can_be_read),
        RIG(test_idle_is_woken_and_forgets_it),
        RIG(test_idle_new_fabric_is_not_slept_on),
        RIG(test_idle_absent_port_is_not_waited_for),
        RIG(test_idle_nic_is_armed_for_the_sleep_only),
        RIG(test_idle_nic_that_has_something_is_not_slept_on),
        RIG(test_idle_nic_that_cannot_wake_is_looked_at_ever_less),
        RIG(test_idle_nap_ends_for_what_another_port_has),
        RIG(test_idle_interface_in_error_makes_naps),
        RIG(test_idle_interface_in_error_hides_no_other),
    };

    return cmocka_run_group_tests_name("idle", tests, NULL, NULL);
}
