/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A device that tells of its link: net_vhost, whose link is up while a guest is attached to it.
 * Only the device's driver writes to the descriptor, so that it is readable is no poll's doing.
 */
#include "dataplane/nic_link.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/support/frontend.h"
#include "tests/support/nic_lab.h"

#define MTU     1500u
#define LINK_MS 5000               /* its library looks at new sockets once a second */
#define CHANGES 5

static char dir[] = "/tmp/nic-link-XXXXXX";
static char path[64];

static bool is_told(int wait_ms)
{
    struct pollfd told = { .fd = nic_link_fd(), .events = POLLIN };
    eventfd_t ignored;
    int ready;

    do {
        ready = poll(&told, 1, wait_ms);
    } while (ready < 0 && errno == EINTR);
    return ready == 1 && eventfd_read(told.fd, &ignored) == 0;
}

/* A change may be told of more than once. */
static bool is_told_of(struct nic *nic, bool carrier)
{
    struct nic_status status = { .carrier = !carrier };

    while (status.carrier != carrier && is_told(LINK_MS)) {
        nic_status(nic, &status);
    }
    return status.carrier == carrier;
}

static struct nic *make(void)
{
    char where[128];

    (void)snprintf(where, sizeof(where), "net_vhost0,iface=%s", path);
    return nic_lab_nic(where, MTU);
}

static void test_nic_link_changes_are_told(void **state)
{
    struct frontend guest;
    struct nic *nic;

    (void)nic_lab_of(state);
    nic = make();
    for (int i = 0; i < CHANGES; i++) {
        assert_int_equal(frontend_open(&guest, &(struct frontend_config){
                                                   .socket_path = path }), 0);
        assert_true(is_told_of(nic, true));
        assert_int_equal(frontend_close(&guest), 0);
        assert_true(is_told_of(nic, false));
    }
    nic_destroy(nic);
}

/* Its driver has something to tell while it goes. */
static void test_nic_link_device_goes_while_it_tells(void **state)
{
    struct frontend guest;

    (void)nic_lab_of(state);
    for (int i = 0; i < CHANGES; i++) {
        struct nic *nic = make();

        assert_int_equal(frontend_open(&guest, &(struct frontend_config){
                                                   .socket_path = path }), 0);
        assert_true(is_told_of(nic, true));
        nic_destroy(nic);
        frontend_abandon(&guest);
    }
    while (is_told(10)) {
    }
}

static int setup(void **state)
{
    if (mkdtemp(dir) == NULL) {
        return -1;
    }
    (void)snprintf(path, sizeof(path), "%s/vhost.sock", dir);
    return nic_lab_setup(state);
}

static int teardown(void **state)
{
    (void)rmdir(dir);
    return nic_lab_teardown(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nic_link_changes_are_told),
        cmocka_unit_test(test_nic_link_device_goes_while_it_tells),
    };

    return cmocka_run_group_tests_name("nic_link", tests, setup, teardown);
}
