/* SPDX-License-Identifier: BSD-3-Clause */
/* Tests of vmm/vm_options: a monitor's command line. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <getopt.h>

#include "vmm/vm_options.h"

#define WORDS_MAX 90
#define LINE_SIZE 4096

struct parsed {
    char line[LINE_SIZE];          /* what the options point into */
    struct vm_options options;
    struct error error;
    int result;
};

static void parse(struct parsed *parsed, const char *line)
{
    char *words[WORDS_MAX + 1] = { NULL };
    int count = 0;

    *parsed = (struct parsed){ 0 };
    (void)snprintf(parsed->line, sizeof(parsed->line), "vswitch-vm %s", line);
    for (char *word = strtok(parsed->line, " "); word != NULL; word = strtok(NULL, " ")) {
        assert_true(count < WORDS_MAX);
        words[count++] = word;
    }
    optind = 0;                    /* getopt starts anew */
    parsed->result = vm_options_parse(count, words, &parsed->options, &parsed->error);
}

static void assert_refused(const char *words, const char *text)
{
    struct parsed parsed;
    char line[LINE_SIZE];

    (void)snprintf(line, sizeof(line), "--name a --kernel k %s", words);
    parse(&parsed, line);
    assert_int_equal(parsed.result, -EINVAL);
    if (strstr(parsed.error.text, text) == NULL) {
        fail_msg("\"%s\" has no \"%s\"", parsed.error.text, text);
    }
}

static void test_a_name_and_a_kernel_are_enough(void **state)
{
    struct parsed parsed;

    (void)state;
    parse(&parsed, "--name web --kernel vmlinux");

    assert_int_equal(parsed.result, 0);
    assert_string_equal(parsed.options.machine.name, "web");
    assert_string_equal(parsed.options.machine.kernel, "vmlinux");
    assert_int_equal(parsed.options.machine.cpus, 1);
    assert_int_equal(parsed.options.machine.memory_bytes, 256u << 20);
    assert_int_equal(parsed.options.machine.cpu, CPU_HOST);
    assert_false(parsed.options.machine.mmio);
    assert_null(parsed.options.machine.console_file);
    assert_int_equal(parsed.options.machine.console_fd, 0);
    assert_int_equal(parsed.options.machine.sandbox.uid, (uid_t)-1);
    assert_int_equal(parsed.options.ready_fd, -1);
}

static void test_a_vnic_has_parts(void **state)
{
    struct parsed parsed;
    const struct virtio_net_options *nic = parsed.options.machine.nic;

    (void)state;
    parse(&parsed, "--name a --kernel k --vnic web0=/run/x.sock,queues=4,mac=00:15:5D:01:02:ff"
                   " --vnic web1=y.sock,mac=02:00:00:00:00:01,mtu=9000");

    assert_int_equal(parsed.result, 0);
    assert_int_equal(parsed.options.machine.nic_count, 2);
    assert_string_equal(nic[0].name, "web0");
    assert_string_equal(nic[0].socket_path, "/run/x.sock");
    assert_int_equal(nic[0].mac, UINT64_C(0x00155d0102ff));
    assert_int_equal(nic[0].pairs, 4);
    assert_int_equal(nic[0].mtu_bytes, 0);
    assert_int_equal(nic[1].pairs, 1);
    assert_int_equal(nic[1].mtu_bytes, 9000);
}

static void test_a_vnic_of_no_shape_is_refused(void **state)
{
    (void)state;
    assert_refused("--vnic web0", "needs its socket");
    assert_refused("--vnic web0=", "needs its socket");
    assert_refused("--vnic web0=/x", "and its mac");
    assert_refused("--vnic /=/x,mac=02:00:00:00:00:01", "a vNIC's name");
    assert_refused("--vnic a=/x,mac=02:00:00:00:00", "an address such as");
    assert_refused("--vnic a=/x,mac=02:00:00:00:00:01:02", "an address such as");
    assert_refused("--vnic a=/x,mac=02:00:00:00:00:0", "an address such as");
    assert_refused("--vnic a=/x,mac=", "an address such as");
    assert_refused("--vnic a=/x,queues=0", "from 1 to 16");
    assert_refused("--vnic a=/x,mtu=65536", "from 68 to 65535");
    assert_refused("--vnic a=/x,speed=9", "has no part \"speed\"");
    assert_refused("--vnic a=/x,,mac=02:00:00:00:00:01", "has no part \"\"");
}

static void test_more_vnics_or_disks_than_places_are_refused(void **state)
{
    char line[LINE_SIZE] = "";
    size_t used = 0;

    (void)state;
    for (unsigned i = 0; i <= MACHINE_NICS_MAX; i++) {
        used += (size_t)snprintf(line + used, sizeof(line) - used,
                                 " --vnic n%u=/x,mac=02:00:00:00:00:01", i);
    }
    assert_refused(line, "at most 32 vNICs");
    used = 0;
    for (unsigned i = 0; i <= MACHINE_DISKS_MAX; i++) {
        used += (size_t)snprintf(line + used, sizeof(line) - used, " --disk d%u", i);
    }
    assert_refused(line, "at most 8 disks");
}

static void test_a_disk_may_be_for_reading_only(void **state)
{
    struct parsed parsed;

    (void)state;
    parse(&parsed, "--name a --kernel k --disk a,b.img --disk c.img,ro");

    assert_int_equal(parsed.result, 0);
    assert_string_equal(parsed.options.machine.disk[0].path, "a,b.img");
    assert_false(parsed.options.machine.disk[0].read_only);
    assert_string_equal(parsed.options.machine.disk[1].path, "c.img");
    assert_true(parsed.options.machine.disk[1].read_only);
}

static void test_memory_takes_units_and_has_bounds(void **state)
{
    static const struct { const char *text; uint64_t bytes; } good[] = {
        { "16M", UINT64_C(16) << 20 }, { "4g", UINT64_C(4) << 30 }, { "1T", UINT64_C(1) << 40 },
        { "33554432", UINT64_C(32) << 20 }, { "32768K", UINT64_C(32) << 20 },
    };
    static const char *const bad[] = { "15M", "2T", "16777217T", "1025G", "-1", "64", "64X", "64MB",
                                       "M", "99999999999999999999" };

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        struct parsed parsed;
        char line[80];

        (void)snprintf(line, sizeof(line), "--name a --kernel k --memory %s", good[i].text);
        parse(&parsed, line);
        assert_int_equal(parsed.result, 0);
        assert_int_equal(parsed.options.machine.memory_bytes, good[i].bytes);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char line[80];

        (void)snprintf(line, sizeof(line), "--memory %s", bad[i]);
        assert_refused(line, "from 16M to 1T");
    }
}

static void test_minimal_has_no_pci(void **state)
{
    struct parsed parsed;

    (void)state;
    parse(&parsed, "--name a --kernel k --minimal");

    assert_true(parsed.options.machine.minimal);
    assert_true(parsed.options.machine.mmio);
}

static void test_the_user_is_two_numbers(void **state)
{
    struct parsed parsed;

    (void)state;
    parse(&parsed, "--name a --kernel k --user 12:34 --jail /var/empty");

    assert_int_equal(parsed.options.machine.sandbox.uid, 12);
    assert_int_equal(parsed.options.machine.sandbox.gid, 34);
    assert_string_equal(parsed.options.machine.sandbox.jail, "/var/empty");
    assert_refused("--user nobody", "two numbers");
    assert_refused("--user 1:", "two numbers");
    assert_refused("--user 1:2:3", "two numbers");
    assert_refused("--user 4294967295:1", "two numbers");
}

static void test_other_words_are_refused(void **state)
{
    struct parsed parsed;

    (void)state;
    assert_refused("--cpus 65", "from 1 to 64");
    assert_refused("--cpus 1x", "from 1 to 64");
    assert_refused("--cpu v5", "host, v2, v3 or v4");
    assert_refused("--transport usb", "pci or mmio");
    assert_refused("--nonsense", "is no option");
    assert_refused("--kernel", "needs a value");
    assert_refused("word", "belongs to no option");
    parse(&parsed, "--name ../x --kernel k");
    assert_int_equal(parsed.result, -EINVAL);
    parse(&parsed, "--name a");
    assert_non_null(strstr(parsed.error.text, "needs a --name and a --kernel"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_name_and_a_kernel_are_enough),
        cmocka_unit_test(test_a_vnic_has_parts),
        cmocka_unit_test(test_a_vnic_of_no_shape_is_refused),
        cmocka_unit_test(test_more_vnics_or_disks_than_places_are_refused),
        cmocka_unit_test(test_a_disk_may_be_for_reading_only),
        cmocka_unit_test(test_memory_takes_units_and_has_bounds),
        cmocka_unit_test(test_minimal_has_no_pci),
        cmocka_unit_test(test_the_user_is_two_numbers),
        cmocka_unit_test(test_other_words_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
