/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a guest sees of a processor, from what KVM said on two kinds of host: a server with AVX-512,
 * with features added that no guest may see, and one that is emulated itself and offers little.
 */
#include "vmm/cpuid.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define BIT(n) (UINT32_C(1) << (n))
#define INDEXED KVM_CPUID_FLAG_SIGNIFCANT_INDEX

static const struct cpuid_table server = {
    .count = 27,
    .entry = {
        { 0x0, 0, 0, 0x1f, 0x756e6547, 0x6c65746e, 0x49656e69, { 0 } },
        { 0x1, 0, 0, 0x606a6, 0x05400800, 0xffffffff, 0xffffffff, { 0 } },
        { 0x2, 0, 0, 0x00feff01, 0xf0, 0, 0, { 0 } },
        { 0x4, 0, INDEXED, 0xfc004121, 0x02c0003f, 0x3f, 0, { 0 } },
        { 0x4, 1, INDEXED, 0xfc004122, 0x01c0003f, 0x3f, 0, { 0 } },
        { 0x4, 2, INDEXED, 0xfc004143, 0x04c0003f, 0x3ff, 0, { 0 } },
        { 0x4, 3, INDEXED, 0xfc1fc163, 0x02c0003f, 0x13fff, 4, { 0 } },
        { 0x4, 4, INDEXED, 0, 0, 0, 0, { 0 } },
        { 0x5, 0, 0, 0x40, 0x40, 3, 0x2020, { 0 } },
        { 0x6, 0, 0, 0xdf8ff7, 2, 9, 0, { 0 } },
        { 0x7, 0, INDEXED, 2, 0xffffffff, 0xffffffff, 0xffffffff, { 0 } },
        { 0x7, 1, INDEXED, 0x1c30, 0, 0, 0x4000, { 0 } },
        { 0xa, 0, 0, 0x07300805, 0, 0, 0x8603, { 0 } },
        { 0xb, 0, INDEXED, 1, 2, 0x100, 7, { 0 } },
        { 0xd, 0, INDEXED, 0x2e7, 0xa88, 0xa88, 0, { 0 } },
        { 0xd, 1, INDEXED, 0xf, 0x9c0, 0x1900, 0, { 0 } },
        { 0xd, 2, INDEXED, 0x100, 0x240, 0, 0, { 0 } },
        { 0xd, 5, INDEXED, 0x40, 0x440, 0, 0, { 0 } },
        { 0xd, 6, INDEXED, 0x200, 0x480, 0, 0, { 0 } },
        { 0xd, 7, INDEXED, 0x400, 0x680, 0, 0, { 0 } },
        { 0xd, 9, INDEXED, 0x8, 0xa80, 0, 0, { 0 } },
        { 0x40000000, 0, 0, 0x40000001, 0x4b4d564b, 0x564b4d56, 0x4d, { 0 } },
        { 0x40000001, 0, 0, 0xffffffff, 0, 0, 0, { 0 } },
        { 0x80000000, 0, 0, 0x80000021, 0, 0, 0, { 0 } },
        { 0x80000001, 0, 0, 0x606a6, 0x40000000, 0xffffffff, 0xffffffff, { 0 } },
        { 0x80000002, 0, 0, 0x65746e49, 0x2952286c, 0x6f655820, 0x2952286e, { 0 } },
        { 0x80000008, 0, 0, 0x3934, 0xffffffff, 0x7001, 0x10007, { 0 } },
    },
};

static struct kvm_cpuid_entry2 *find(struct cpuid_table *table, uint32_t function, uint32_t index)
{
    for (uint32_t i = 0; i < table->count; i++) {
        if (table->entry[i].function == function && table->entry[i].index == index) {
            return &table->entry[i];
        }
    }
    return NULL;
}

/* The leaf that a guest of @p cpus on the server sees. */
static struct kvm_cpuid_entry2 leaf(enum cpu_model model, unsigned cpus, uint32_t function,
                                    uint32_t index)
{
    const struct kvm_cpuid_entry2 *found;
    struct cpuid_table table;

    assert_int_equal(cpuid_make(&server, model, cpus, &table, NULL), 0);
    found = find(&table, function, index);
    assert_non_null(found);
    return *found;
}

static bool has_leaf(enum cpu_model model, uint32_t function, uint32_t index)
{
    struct cpuid_table table;

    assert_int_equal(cpuid_make(&server, model, 1, &table, NULL), 0);
    return find(&table, function, index) != NULL;
}

static void test_cpuid_host_passes_on_what_kvm_supports(void **state)
{
    (void)state;

    assert_true((leaf(CPU_HOST, 1, 0x7, 0).ebx & BIT(19)) != 0);             /* ADX */
    assert_true((leaf(CPU_HOST, 1, 0x1, 0).ecx & BIT(25)) != 0);             /* AES */
    assert_int_equal(leaf(CPU_HOST, 1, 0xd, 0).eax, 0x2e7);
    assert_int_equal(leaf(CPU_HOST, 1, 0x80000002, 0).eax, 0x65746e49);
}

static void test_cpuid_hides_what_the_machine_has_not_at_every_level(void **state)
{
    (void)state;

    for (unsigned model = 0; model < CPU_MODEL_COUNT; model++) {
        const enum cpu_model m = (enum cpu_model)model;

        assert_int_equal(leaf(m, 1, 0x1, 0).ecx & (BIT(3) | BIT(5) | BIT(15) | BIT(27)), 0);
        assert_int_equal(leaf(m, 1, 0x80000001, 0).ecx & (BIT(2) | BIT(10) | BIT(23)), 0);
        assert_int_equal(leaf(m, 1, 0x7, 0).ebx & (BIT(2) | BIT(25)), 0);
        assert_int_equal(leaf(m, 1, 0x6, 0).eax, BIT(2));
        assert_int_equal(leaf(m, 1, 0x6, 0).ecx, 0);
        assert_false(has_leaf(m, 0x5, 0));
        assert_false(has_leaf(m, 0xa, 0));
    }
}

static void test_cpuid_keeps_what_kvm_makes_at_every_level(void **state)
{
    (void)state;

    for (unsigned model = 0; model < CPU_MODEL_COUNT; model++) {
        const enum cpu_model m = (enum cpu_model)model;

        assert_int_equal(leaf(m, 1, 0x1, 0).ecx >> 21 & 0x409, 0x409);
        assert_int_equal(leaf(m, 1, 0x40000001, 0).eax & BIT(3), BIT(3));    /* kvmclock */
        assert_int_equal(leaf(m, 1, 0x40000001, 0).eax & BIT(15), 0);
        assert_int_equal(leaf(m, 1, 0x80000001, 0).edx >> 11 & 1, 1);        /* SYSCALL */
        assert_int_equal(leaf(m, 1, 0x7, 0).ebx & BIT(20), BIT(20));         /* SMAP */
    }
}

static void test_cpuid_levels_have_their_features_and_no_others(void **state)
{
    (void)state;

    assert_int_equal(leaf(CPU_V2, 1, 0x1, 0).ecx, 0x81000000 | 0x200000 | 0x982201);
    assert_int_equal(leaf(CPU_V2, 1, 0x7, 0).ebx, BIT(1) | BIT(7) | BIT(20));
    assert_int_equal(leaf(CPU_V2, 1, 0x80000001, 0).ecx & ~BIT(22), BIT(0) | BIT(4));
    assert_int_equal(leaf(CPU_V3, 1, 0x1, 0).ecx,
                     0x81000000 | 0x200000 | 0x982201 | 0x34401000);
    assert_int_equal(leaf(CPU_V3, 1, 0x7, 0).ebx, BIT(1) | BIT(7) | BIT(20) | 0x128);
    assert_int_equal(leaf(CPU_V3, 1, 0x80000001, 0).ecx & ~BIT(22), BIT(0) | BIT(4) | BIT(5));
    assert_int_equal(leaf(CPU_V4, 1, 0x7, 0).ebx, BIT(1) | BIT(7) | BIT(20) | 0x128 | 0xd0030000);
    assert_int_equal(leaf(CPU_V4, 1, 0x7, 1).eax, 0);
}

static void test_cpuid_levels_save_the_registers_they_have(void **state)
{
    (void)state;

    assert_false(has_leaf(CPU_V2, 0xd, 0));
    assert_int_equal(leaf(CPU_V3, 1, 0xd, 0).eax, 0x7);
    assert_int_equal(leaf(CPU_V3, 1, 0xd, 0).ecx, 0x340);
    assert_int_equal(leaf(CPU_V3, 1, 0xd, 1).eax, 0);
    assert_false(has_leaf(CPU_V3, 0xd, 5));
    assert_int_equal(leaf(CPU_V4, 1, 0xd, 0).eax, 0xe7);
    assert_int_equal(leaf(CPU_V4, 1, 0xd, 0).ebx, 0xa80);
    assert_true(has_leaf(CPU_V4, 0xd, 7));
    assert_false(has_leaf(CPU_V4, 0xd, 9));
}

static void test_cpuid_level_that_host_lacks_is_refused_naming_what_it_has(void **state)
{
    struct cpuid_table host = server, table;
    struct error error = { 0 };
    (void)state;

    find(&host, 0x7, 0)->ebx &= ~BIT(16);                                    /* no AVX-512 */
    assert_int_equal(cpuid_make(&host, CPU_V4, 1, &table, &error), -EINVAL);
    assert_non_null(strstr(error.text, "it is v3"));
    assert_int_equal(cpuid_make(&host, CPU_V3, 1, &table, &error), 0);

    find(&host, 0x1, 0)->ecx &= ~BIT(20);                                    /* no SSE4.2 */
    assert_int_equal(cpuid_make(&host, CPU_V3, 1, &table, &error), -EINVAL);
    assert_non_null(strstr(error.text, "use host"));
    assert_int_equal(cpuid_make(&host, CPU_HOST, 1, &table, &error), 0);
}

static void test_cpuid_topology_is_the_machines(void **state)
{
    struct kvm_cpuid_entry2 core = leaf(CPU_HOST, 6, 0xb, 1);
    (void)state;

    assert_int_equal(core.eax, 3);
    assert_int_equal(core.ebx, 6);
    assert_int_equal(core.ecx, 0x201);
    assert_int_equal(leaf(CPU_HOST, 6, 0xb, 0).ebx, 1);
    assert_int_equal(leaf(CPU_HOST, 6, 0xb, 2).ebx, 0);
    assert_int_equal(leaf(CPU_HOST, 6, 0x1f, 1).ebx, 6);
    assert_int_equal(leaf(CPU_HOST, 6, 0x1, 0).ebx, 0x00080800);
    assert_int_equal(leaf(CPU_HOST, 6, 0x1, 0).edx >> 28 & 1, 1);            /* HTT */
    assert_int_equal(leaf(CPU_HOST, 1, 0x1, 0).edx >> 28 & 1, 0);
    assert_int_equal(leaf(CPU_HOST, 6, 0x80000008, 0).ecx, 0x3005);
}

static void test_cpuid_last_level_cache_is_all_cpus_others_are_each_ones(void **state)
{
    (void)state;

    assert_int_equal(leaf(CPU_HOST, 6, 0x4, 0).eax, 7u << 26 | 0x121);
    assert_int_equal(leaf(CPU_HOST, 6, 0x4, 2).eax, 7u << 26 | 0x143);
    assert_int_equal(leaf(CPU_HOST, 6, 0x4, 3).eax, 7u << 26 | 7u << 14 | 0x163);
    assert_int_equal(leaf(CPU_HOST, 6, 0x4, 3).ecx, 0x13fff);
    assert_int_equal(leaf(CPU_HOST, 6, 0x4, 4).eax, 0);
    assert_int_equal(leaf(CPU_HOST, 64, 0x4, 3).eax >> 14, 63u << 12 | 63);
}

static void test_cpuid_last_leaves_are_the_last_there_are(void **state)
{
    (void)state;

    assert_int_equal(leaf(CPU_V3, 1, 0x0, 0).eax, 0x1f);
    assert_int_equal(leaf(CPU_V3, 1, 0x80000000, 0).eax, 0x80000008);
    assert_int_equal(leaf(CPU_V3, 1, 0x40000000, 0).eax, 0x40000001);
}

static void test_cpuid_each_cpu_has_its_own_id(void **state)
{
    struct cpuid_table table, own;
    (void)state;

    assert_int_equal(cpuid_make(&server, CPU_HOST, 64, &table, NULL), 0);
    cpuid_for(&table, 37, &own);

    assert_int_equal(find(&own, 0x1, 0)->ebx >> 24, 37);
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(find(&own, 0xb, i)->edx, 37);
        assert_int_equal(find(&own, 0x1f, i)->edx, 37);
    }
    assert_int_equal(own.count, table.count);
}

static void test_cpuid_more_entries_than_fit_are_refused(void **state)
{
    struct cpuid_table host = server, table;
    (void)state;

    while (host.count < CPUID_ENTRIES_MAX) {
        host.entry[host.count++] = (struct kvm_cpuid_entry2){ .function = 0x4, .index = 9 };
    }
    host.entry[8].function = host.entry[12].function = host.entry[13].function = 0x4;

    assert_int_equal(cpuid_make(&host, CPU_HOST, 1, &table, NULL), -EINVAL);
}

static void test_cpuid_words_are_the_models(void **state)
{
    (void)state;

    assert_int_equal(cpu_model_of("host"), CPU_HOST);
    assert_int_equal(cpu_model_of("v4"), CPU_V4);
    assert_int_equal(cpu_model_of("v5"), CPU_MODEL_COUNT);
    assert_int_equal(cpu_model_of(""), CPU_MODEL_COUNT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cpuid_host_passes_on_what_kvm_supports),
        cmocka_unit_test(test_cpuid_hides_what_the_machine_has_not_at_every_level),
        cmocka_unit_test(test_cpuid_keeps_what_kvm_makes_at_every_level),
        cmocka_unit_test(test_cpuid_levels_have_their_features_and_no_others),
        cmocka_unit_test(test_cpuid_levels_save_the_registers_they_have),
        cmocka_unit_test(test_cpuid_level_that_host_lacks_is_refused_naming_what_it_has),
        cmocka_unit_test(test_cpuid_topology_is_the_machines),
        cmocka_unit_test(test_cpuid_last_level_cache_is_all_cpus_others_are_each_ones),
        cmocka_unit_test(test_cpuid_last_leaves_are_the_last_there_are),
        cmocka_unit_test(test_cpuid_each_cpu_has_its_own_id),
        cmocka_unit_test(test_cpuid_more_entries_than_fit_are_refused),
        cmocka_unit_test(test_cpuid_words_are_the_models),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
