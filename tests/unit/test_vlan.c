/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * VLAN policies: what may be written, how it is written back, and what each mode comes down to.
 */
#include "switch/vlan.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/random.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static struct vlan_policy parsed(const char *text)
{
    struct error error = { 0 };
    struct vlan_policy policy;

    if (vlan_parse(text, &policy, &error) != 0) {
        fail_msg("\"%s\" is refused: %s", text, error.text);
    }
    return policy;
}

static void assert_refused(const char *text, const char *sentence)
{
    struct error error = { 0 };
    struct vlan_policy policy;

    assert_int_equal(vlan_parse(text, &policy, &error), -EINVAL);
    if (strstr(error.text, sentence) == NULL) {
        fail_msg("\"%s\" is not in: %s", sentence, error.text);
    }
}

/* ---- text ------------------------------------------------------------------------------------ */

static void test_vlan_parse_then_format_gives_the_short_spelling(void **state)
{
    static const struct { const char *text, *formatted; } good[] = {
        { "none", "none" },
        { "access:1", "access:1" },
        { "access:4094", "access:4094" },
        { "access:0010", "access:10" },
        { "trunk:10,20-29,native:10", "trunk:10,20-29,native:10" },
        { "trunk:native:0,10", "trunk:10,native:0" },
        { "trunk:30,10,20,11,12,native:5", "trunk:10-12,20,30,native:5" },
        { "trunk:10-20,15-30,native:4094", "trunk:10-30,native:4094" },
        { "trunk:20-29,prune:25,native:1", "trunk:20-24,26-29,native:1" },
        { "trunk:prune:20-28,20-29,native:1", "trunk:29,native:1" },
        { "trunk:7-7,native:7", "trunk:7,native:7" },
        { "trunk:1-4094,native:0", "trunk:1-4094,native:0" },
        { "isolated:100,201", "isolated:100,201" },
        { "community:100,202", "community:100,202" },
        { "promiscuous:100,201-203", "promiscuous:100,201-203" },
        { "promiscuous:100,203,201", "promiscuous:100,201,203" },
    };
    char text[VLAN_TEXT_SIZE];
    (void)state;

    for (size_t i = 0; i < COUNT_OF(good); i++) {
        const struct vlan_policy policy = parsed(good[i].text);
        const struct vlan_policy again = parsed(vlan_format(&policy, text));

        assert_string_equal(text, good[i].formatted);
        assert_true(vlan_policy_equal(&policy, &again));
        assert_int_equal(vlan_policy_check(&policy, NULL), 0);
    }
}

static void test_vlan_parse_refuses_with_the_reason_and_an_example(void **state)
{
    static const struct { const char *text, *sentence; } bad[] = {
        { "", "\"\" is no VLAN policy; choose none, access:10, trunk:" },
        { "None", "\"None\" is no VLAN policy" },
        { "none:", "\"none:\" is no VLAN policy" },
        { "acess:10", "\"acess:10\" is no VLAN policy" },
        { "access", "it says no VLAN; write it as \"access:10\"" },
        { "access:", "\"\" is no VLAN, a number from 1 to 4094; write it as \"access:10\"" },
        { "access:0", "\"0\" is no VLAN" },
        { "access:4095", "\"4095\" is no VLAN" },
        { "access:65546", "\"65546\" is no VLAN" },
        { "access:4294967306", "\"4294967306\" is no VLAN" },
        { "access:-1", "\"-1\" is no VLAN" },
        { "access:+1", "\"+1\" is no VLAN" },
        { "access: 1", "\" 1\" is no VLAN" },
        { "access:1 ", "\"1 \" is no VLAN" },
        { "access:0x10", "\"0x10\" is no VLAN" },
        { "access:1-2", "\"1-2\" is no VLAN" },
        { "access:10,11", "an access port has one VLAN" },
        { "trunk:10", "a trunk needs a native VLAN" },
        { "trunk:native:10", "a trunk allows at least one VLAN" },
        { "trunk:10,prune:10,native:1", "a trunk allows at least one VLAN" },
        { "trunk:10,native:1,native:1", "a trunk has one native VLAN" },
        { "trunk:10,native:10-11", "\"10-11\" is no native VLAN" },
        { "trunk:10,native:4095", "\"4095\" is no native VLAN" },
        { "trunk:10,native:", "\"\" is no native VLAN" },
        { "trunk:10,native:7,prune:7", "the native VLAN cannot be pruned" },
        { "trunk:0,native:1", "\"0\" is neither a VLAN" },
        { "trunk:29-20,native:1", "\"29-20\" is neither a VLAN" },
        { "trunk:20-,native:1", "\"20-\" is neither a VLAN" },
        { "trunk:-20,native:1", "\"-20\" is neither a VLAN" },
        { "trunk:20-29-30,native:1", "\"20-29-30\" is neither a VLAN" },
        { "trunk:20-4095,native:1", "\"20-4095\" is neither a VLAN" },
        { "trunk:10,,native:1", "\"\" is neither a VLAN" },
        { "trunk:10,native:1,", "\"\" is neither a VLAN" },
        { "trunk:prune:native:1", "is neither a VLAN" },
        { "isolated:100", "two VLANs, the primary and the secondary" },
        { "isolated:100,201,202", "two VLANs, the primary and the secondary" },
        { "isolated:100,201-202", "\"201-202\" is no VLAN" },
        { "isolated:100,100", "a primary VLAN cannot be its own secondary" },
        { "community:0,100", "\"0\" is no VLAN" },
        { "community:7,native:7", "\"native:7\" is no VLAN" },
        { "promiscuous:100", "at least one secondary VLAN" },
        { "promiscuous:100,90-110", "a primary VLAN cannot be its own secondary" },
        { "promiscuous:100-101,201", "\"100-101\" is no VLAN" },
        { "promiscuous:100,native:5", "\"native:5\" is neither a VLAN" },
        { "access:\033[2J", "\"?[2J\" is no VLAN" },
    };
    (void)state;

    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        assert_refused(bad[i].text, bad[i].sentence);
    }
}

static void test_vlan_parse_refuses_a_text_that_is_too_long(void **state)
{
    char text[2 * VLAN_TEXT_SIZE];
    (void)state;

    memset(text, '1', sizeof(text));
    memcpy(text, "trunk:", 6);
    text[VLAN_TEXT_SIZE] = '\0';
    assert_refused(text, "at most 511 characters");
    text[VLAN_TEXT_SIZE - 1] = '\0';
    assert_refused(text, "too long for a VLAN");
}

/* Lists of all lengths, written without order and sense, until they do not fit. */
static void test_vlan_format_always_fits_what_was_parsed(void **state)
{
    uint64_t random = 7;
    char text[VLAN_TEXT_SIZE], again[VLAN_TEXT_SIZE];
    (void)state;

    for (unsigned round = 0; round < 2000; round++) {
        int used = snprintf(text, sizeof(text), "trunk:native:%u,1-4094",
                            (unsigned)(random_below(&random, 4095)));
        struct vlan_policy policy, same;

        while (used < (int)sizeof(text) - 16) {
            used += snprintf(text + used, sizeof(text) - (size_t)used, ",prune:%u",
                             (unsigned)(random_below(&random, VLAN_MAX) + 1));
        }
        if (vlan_parse(text, &policy, NULL) != 0) {
            continue;              /* the native one was pruned */
        }
        same = parsed(vlan_format(&policy, again));
        assert_true(vlan_policy_equal(&policy, &same));
    }
}

/* ---- what it comes down to ------------------------------------------------------------------- */

static void test_vlan_facts_are_those_of_the_table(void **state)
{
    static const struct {
        const char *text;
        uint16_t in, out;
        bool tags, has_others;
        uint16_t receives[3], not[3];
    } rows[] = {
        { "none", 0, 0, false, false, { 0 }, { 1, 10, 4094 } },
        { "access:10", 10, 10, false, false, { 0 }, { 1, 11, 4094 } },
        { "trunk:10,20-29,native:10", 10, 10, true, true, { 20, 25, 29 }, { 10, 19, 30 } },
        { "trunk:10,native:0", 0, 0, true, true, { 10 }, { 9, 11, 4094 } },
        { "isolated:100,201", 201, 100, false, false, { 0 }, { 100, 201, 202 } },
        { "community:100,202", 202, 100, false, true, { 202 }, { 100, 201, 203 } },
        { "promiscuous:100,201-203", 100, 100, false, true, { 201, 202, 203 }, { 100, 200, 204 } },
    };
    (void)state;

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct vlan_policy policy = parsed(rows[i].text);
        struct vlan_facts facts;

        vlan_facts(&policy, &facts);
        assert_int_equal(facts.in, rows[i].in);
        assert_int_equal(facts.out, rows[i].out);
        assert_int_equal(facts.tags, rows[i].tags);
        assert_int_equal(facts.has_others, rows[i].has_others);
        for (size_t v = 0; v < 3; v++) {
            assert_true(rows[i].receives[v] == 0 ||
                        vlan_set_has(&facts.others, rows[i].receives[v]));
            assert_false(vlan_set_has(&facts.others, rows[i].not[v]));
        }
    }
}

static void test_vlan_uplink_has_every_vlan_tagged_and_0_untagged(void **state)
{
    const struct vlan_policy *uplink = vlan_policy_of_uplink();
    struct vlan_facts facts;
    char text[VLAN_TEXT_SIZE];
    (void)state;

    vlan_facts(uplink, &facts);

    assert_int_equal(vlan_policy_check(uplink, NULL), 0);
    assert_string_equal(vlan_format(uplink, text), "trunk:1-4094,native:0");
    assert_int_equal(facts.in | facts.out, 0);
    assert_true(facts.tags);
    for (uint16_t vid = 0; vid < VLAN_COUNT; vid++) {
        assert_int_equal(vlan_set_has(&facts.others, vid), vid != 0 && vid != 4095);
    }
}

static void test_vlan_policy_check_refuses_what_no_text_makes(void **state)
{
    struct vlan_policy policy = { .mode = (enum vlan_mode)99 };
    struct error error = { 0 };
    (void)state;

    assert_int_equal(vlan_policy_check(&policy, &error), -EINVAL);
    assert_non_null(strstr(error.text, "no such VLAN mode"));
    policy = (struct vlan_policy){ .mode = VLAN_NONE, .vid = 7 };
    assert_int_equal(vlan_policy_check(&policy, NULL), -EINVAL);
    policy = (struct vlan_policy){ .mode = VLAN_ACCESS, .vid = 10, .secondary = 11 };
    assert_int_equal(vlan_policy_check(&policy, NULL), -EINVAL);
    policy = (struct vlan_policy){ .mode = VLAN_ACCESS, .vid = 10 };
    vlan_set_add(&policy.others, 11);
    assert_int_equal(vlan_policy_check(&policy, NULL), -EINVAL);
    policy = (struct vlan_policy){ .mode = VLAN_TRUNK, .vid = 4095 };
    vlan_set_add(&policy.others, 11);
    assert_int_equal(vlan_policy_check(&policy, NULL), -EINVAL);
    policy.vid = 0;
    assert_int_equal(vlan_policy_check(&policy, NULL), 0);
    vlan_set_add(&policy.others, 4095);
    assert_int_equal(vlan_policy_check(&policy, NULL), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vlan_parse_then_format_gives_the_short_spelling),
        cmocka_unit_test(test_vlan_parse_refuses_with_the_reason_and_an_example),
        cmocka_unit_test(test_vlan_parse_refuses_a_text_that_is_too_long),
        cmocka_unit_test(test_vlan_format_always_fits_what_was_parsed),
        cmocka_unit_test(test_vlan_facts_are_those_of_the_table),
        cmocka_unit_test(test_vlan_uplink_has_every_vlan_tagged_and_0_untagged),
        cmocka_unit_test(test_vlan_policy_check_refuses_what_no_text_makes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
