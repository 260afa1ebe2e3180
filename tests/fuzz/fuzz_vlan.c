/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * VLAN policies as text, fed anything.  What is taken must follow the rules, come down to facts
 * that agree with themselves, and be the same policy when it is written and read again; what is
 * refused must say why, in characters that do a terminal no harm.
 *
 * fuzz-sources: switch/vlan.c switch/vswitch_text.c switch/error.c
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "switch/vlan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int truth)
{
    if (!truth) {
        abort();
    }
}

static void check_refusal(const struct error *error)
{
    check(error->code > 0 && error->text[0] != '\0');
    for (const char *c = error->text; *c != '\0'; c++) {
        check(*c >= ' ' && *c <= '~');
    }
}

static void check_policy(const struct vlan_policy *policy)
{
    char text[VLAN_TEXT_SIZE];
    struct vlan_policy again;
    struct vlan_facts facts;

    check(vlan_policy_check(policy, NULL) == 0);
    vlan_facts(policy, &facts);
    check(facts.in <= VLAN_MAX && facts.out <= VLAN_MAX);
    check(!vlan_set_has(&facts.others, facts.out) && !vlan_set_has(&facts.others, 0));
    check(!vlan_set_has(&facts.others, VLAN_COUNT - 1));
    check(facts.has_others || !facts.tags);
    check(vlan_parse(vlan_format(policy, text), &again, NULL) == 0);
    check(vlan_policy_equal(policy, &again));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    struct error error = { 0 };
    struct vlan_policy policy;

    if (text == NULL) {
        return 0;
    }
    memcpy(text, data, size);
    text[size] = '\0';
    if (vlan_parse(text, &policy, &error) == 0) {
        check_policy(&policy);
    } else {
        check_refusal(&error);
    }
    free(text);
    return 0;
}
