/* SPDX-License-Identifier: BSD-3-Clause */
/* Compiling filters: what is refused, in which words, and how long it may hold the caller. */
#include "dataplane/capture_filter.h"

#include <errno.h>
#include <netdb.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define LOOKUP_MS 1500             /* longer than the deadline */

static atomic_bool looked_up;

/* In place of the C library's, for libpcap too: a name service that takes its time. */
int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
                struct addrinfo **result)
{
    (void)name;
    (void)service;
    (void)hints;
    (void)result;
    usleep(LOOKUP_MS * 1000);
    atomic_store(&looked_up, true);
    return EAI_NONAME;
}

static uint64_t monotonic_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u;
}

static void test_capture_filter_compiles_what_runs(void **state)
{
    static const uint8_t arp[60] = { [12] = 0x08, [13] = 0x06 };
    struct bpf_program program;
    struct error error = { 0 };
    (void)state;

    assert_int_equal(capture_filter_compile("arp", &program, &error), 0);

    assert_true(bpf_filter(program.bf_insns, arp, sizeof(arp), sizeof(arp)) != 0);
    pcap_freecode(&program);
    assert_int_equal(capture_filter_compile("ip", &program, &error), 0);
    assert_int_equal(bpf_filter(program.bf_insns, arp, sizeof(arp), sizeof(arp)), 0);
    pcap_freecode(&program);
}

static void test_capture_filter_that_is_none_is_refused_with_the_reason(void **state)
{
    struct bpf_program program;
    struct error error = { 0 };
    (void)state;

    assert_int_equal(capture_filter_compile("tcp porrt 80", &program, &error), -EINVAL);

    assert_non_null(strstr(error.text, "\"tcp porrt 80\""));
    assert_non_null(strstr(error.text, "syntax error"));
}

static void test_capture_filter_no_ethernet_link_has_is_refused(void **state)
{
    struct bpf_program program;
    struct error error = { 0 };
    (void)state;

    assert_int_equal(capture_filter_compile("wlan type mgt", &program, &error), -EINVAL);
}

static void test_capture_filter_sentence_stays_short_and_has_the_reason(void **state)
{
    char filter[2048];
    struct bpf_program program;
    struct error error = { 0 };
    (void)state;
    memset(filter, '(', sizeof(filter) - 1);
    filter[sizeof(filter) - 1] = '\0';

    assert_int_equal(capture_filter_compile(filter, &program, &error), -EINVAL);

    assert_non_null(strstr(error.text, "pcap-filter(7)"));
}

/* The thread that is left behind ends by itself and leaks nothing: the sanitizer would say so. */
static void test_capture_filter_slow_name_service_does_not_hold_the_caller(void **state)
{
    const uint64_t begin_ms = monotonic_ms();
    struct bpf_program program;
    struct error error = { 0 };
    (void)state;

    assert_int_equal(capture_filter_compile("host slow.example", &program, &error), -ETIMEDOUT);

    assert_in_range(monotonic_ms() - begin_ms, 900, LOOKUP_MS - 100);
    assert_non_null(strstr(error.text, "write its address"));
    for (int i = 0; i < 3000 && !atomic_load(&looked_up); i++) {
        usleep(1000);
    }
    assert_true(atomic_load(&looked_up));
    usleep(100000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_capture_filter_compiles_what_runs),
        cmocka_unit_test(test_capture_filter_that_is_none_is_refused_with_the_reason),
        cmocka_unit_test(test_capture_filter_no_ethernet_link_has_is_refused),
        cmocka_unit_test(test_capture_filter_sentence_stays_short_and_has_the_reason),
        cmocka_unit_test(test_capture_filter_slow_name_service_does_not_hold_the_caller),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
