/* SPDX-License-Identifier: BSD-3-Clause */
#include "switch/vlan.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "switch/vswitch_inner.h"

#define ITEM_SIZE  16u             /* "prune:1000-1999" and its terminator */

/* How a policy of each mode is written: its word, so many single VIDs, then perhaps a list. */
static const struct mode {
    const char *word;
    const char *example;
    uint16_t singles;
    bool list;
} modes[] = {
    [VLAN_NONE]        = { "none",        "none",                        0, false },
    [VLAN_ACCESS]      = { "access",      "access:10",                   1, false },
    [VLAN_TRUNK]       = { "trunk",       "trunk:10,20-29,native:10",    0, true },
    [VLAN_ISOLATED]    = { "isolated",    "isolated:100,201",            2, false },
    [VLAN_COMMUNITY]   = { "community",   "community:100,202",           2, false },
    [VLAN_PROMISCUOUS] = { "promiscuous", "promiscuous:100,201-203",     1, true },
};
#define MODE_COUNT (sizeof(modes) / sizeof(modes[0]))

/* ---- what a policy comes down to ------------------------------------------------------------- */

void vlan_facts(const struct vlan_policy *policy, struct vlan_facts *facts)
{
    *facts = (struct vlan_facts){ .in = policy->vid, .out = policy->vid, .others = policy->others };
    switch (policy->mode) {
    case VLAN_NONE:
    case VLAN_ACCESS:
        return;
    case VLAN_TRUNK:
        facts->tags = true;
        facts->others.bits[policy->vid / 64] &= ~(UINT64_C(1) << policy->vid % 64);
        break;
    case VLAN_ISOLATED:
        facts->in = policy->secondary;
        return;
    case VLAN_COMMUNITY:
        facts->in = policy->secondary;
        vlan_set_add(&facts->others, policy->secondary);
        break;
    case VLAN_PROMISCUOUS:
        break;
    }
    facts->has_others = true;
}

const struct vlan_policy *vlan_policy_of_uplink(void)
{
    static const struct vlan_policy uplink = {
        .mode = VLAN_TRUNK,
        .others = { { [0] = ~UINT64_C(1), [1 ... VLAN_COUNT / 64 - 2] = UINT64_MAX,
                      [VLAN_COUNT / 64 - 1] = UINT64_MAX >> 1 } },
    };

    return &uplink;
}

bool vlan_policy_equal(const struct vlan_policy *a, const struct vlan_policy *b)
{
    return a->mode == b->mode && a->vid == b->vid && a->secondary == b->secondary &&
           memcmp(&a->others, &b->others, sizeof(a->others)) == 0;
}

/* ---- rules ----------------------------------------------------------------------------------- */

static int refuse(struct error *error, enum vlan_mode mode, const char *why)
{
    return error_set(error, EINVAL, "%s; write it as \"%s\"", why, modes[mode].example);
}

static bool set_is_empty(const struct vlan_set *set)
{
    static const struct vlan_set empty;

    return memcmp(set, &empty, sizeof(empty)) == 0;
}

static bool is_vid(uint16_t vid)
{
    return vid >= 1 && vid <= VLAN_MAX;
}

/* Whether what @p policy has is what its mode has, and within range. */
static bool has_its_parts(const struct vlan_policy *policy)
{
    const struct mode *mode = &modes[policy->mode];
    const bool has_native = policy->mode == VLAN_TRUNK && policy->vid <= VLAN_MAX;

    return (has_native || (mode->singles > 0 ? is_vid(policy->vid) : policy->vid == 0)) &&
           (mode->singles > 1 ? is_vid(policy->secondary) : policy->secondary == 0) &&
           (mode->list || set_is_empty(&policy->others)) &&
           !vlan_set_has(&policy->others, 0) && !vlan_set_has(&policy->others, VLAN_COUNT - 1);
}

int vlan_policy_check(const struct vlan_policy *policy, struct error *error)
{
    if ((unsigned)policy->mode >= MODE_COUNT) {
        return refuse(error, VLAN_ACCESS, "there is no such VLAN mode");
    }
    if (!has_its_parts(policy)) {
        return refuse(error, policy->mode, "a VLAN is a number from 1 to 4094");
    }
    if (modes[policy->mode].list && set_is_empty(&policy->others)) {
        return refuse(error, policy->mode, policy->mode == VLAN_TRUNK
                                               ? "a trunk allows at least one VLAN"
                                               : "a promiscuous port has at least one secondary "
                                                 "VLAN");
    }
    if (policy->mode != VLAN_TRUNK && policy->mode != VLAN_NONE &&
        (policy->secondary == policy->vid || vlan_set_has(&policy->others, policy->vid))) {
        return refuse(error, policy->mode, "a primary VLAN cannot be its own secondary");
    }
    return 0;
}

/* ---- from text ------------------------------------------------------------------------------- */

static const char two_vlans[] =
    "an isolated or community port has two VLANs, the primary and the secondary";

/* What has been read of a policy. */
struct reader {
    struct vlan_policy *policy;
    struct vlan_set pruned;
    uint16_t items;
    bool has_native;
};

/* Reads one to four digits; *@p text is left behind them. */
static bool read_number(const char **text, uint16_t *number)
{
    unsigned value = 0, digits = 0;

    for (; **text >= '0' && **text <= '9' && digits < 5; digits++) {
        value = value * 10 + (unsigned)(*(*text)++ - '0');
    }
    *number = (uint16_t)value;
    return digits >= 1 && digits <= 4;
}

/* Reads "10", or "20-29" where @p range is wanted. */
static bool read_vids(const char *text, bool range, uint16_t *first, uint16_t *last)
{
    if (!read_number(&text, first)) {
        return false;
    }
    *last = *first;
    if (range && *text == '-') {
        text++;
        if (!read_number(&text, last)) {
            return false;
        }
    }
    return *text == '\0' && *first <= *last && *last <= VLAN_MAX;
}

static int refuse_item(const struct reader *reader, const char *item, const char *what,
                       struct error *error)
{
    char why[ERROR_TEXT_SIZE / 2];

    (void)snprintf(why, sizeof(why), "\"%s\" is %s", text_show(item).text, what);
    return refuse(error, reader->policy->mode, why);
}

static int read_native(struct reader *reader, const char *item, struct error *error)
{
    uint16_t last;

    if (reader->has_native) {
        return refuse(error, reader->policy->mode, "a trunk has one native VLAN");
    }
    reader->has_native = true;
    return read_vids(item, false, &reader->policy->vid, &last)
               ? 0 : refuse_item(reader, item, "no native VLAN, a number from 0 to 4094", error);
}

static int read_list_item(struct reader *reader, struct vlan_set *set, const char *item,
                          struct error *error)
{
    uint16_t first, last;

    if (!read_vids(item, true, &first, &last) || first == 0) {
        return refuse_item(reader, item, "neither a VLAN from 1 to 4094 nor a range of them",
                           error);
    }
    for (uint16_t vid = first; vid <= last; vid++) {
        vlan_set_add(set, vid);
    }
    return 0;
}

static int read_item(struct reader *reader, const char *item, struct error *error)
{
    struct vlan_policy *policy = reader->policy;
    const struct mode *mode = &modes[policy->mode];
    const uint16_t at = reader->items++;
    uint16_t last;

    if (at < mode->singles) {
        uint16_t *single = at == 0 ? &policy->vid : &policy->secondary;

        return read_vids(item, false, single, &last) && *single != 0
                   ? 0 : refuse_item(reader, item, "no VLAN, a number from 1 to 4094", error);
    }
    if (!mode->list) {
        return refuse(error, policy->mode, mode->singles == 1 ? "an access port has one VLAN"
                                                              : two_vlans);
    }
    if (policy->mode == VLAN_TRUNK && strncmp(item, "native:", 7) == 0) {
        return read_native(reader, item + 7, error);
    }
    if (policy->mode == VLAN_TRUNK && strncmp(item, "prune:", 6) == 0) {
        return read_list_item(reader, &reader->pruned, item + 6, error);
    }
    return read_list_item(reader, &policy->others, item, error);
}

/* Reads "100,201-203", all of it. */
static int read_items(struct reader *reader, const char *text, struct error *error)
{
    for (;;) {
        const size_t len = strcspn(text, ",");
        char item[ITEM_SIZE];
        int rc;

        (void)snprintf(item, sizeof(item), "%.*s", (int)len, text);
        rc = len < sizeof(item) ? read_item(reader, item, error)
                                : refuse_item(reader, text, "too long for a VLAN", error);
        if (rc != 0 || text[len] == '\0') {
            return rc;
        }
        text += len + 1;
    }
}

/* What can only be said once all of it has been read. */
static int finish(struct reader *reader, struct error *error)
{
    struct vlan_policy *policy = reader->policy;

    if (reader->items < modes[policy->mode].singles) {
        return refuse(error, policy->mode, two_vlans);
    }
    if (policy->mode == VLAN_TRUNK) {
        if (!reader->has_native) {
            return refuse(error, policy->mode, "a trunk needs a native VLAN, that of untagged "
                          "frames (0: none)");
        }
        if (vlan_set_has(&reader->pruned, policy->vid)) {
            return refuse(error, policy->mode, "the native VLAN cannot be pruned");
        }
        for (size_t i = 0; i < VLAN_COUNT / 64; i++) {
            policy->others.bits[i] &= ~reader->pruned.bits[i];
        }
    }
    return vlan_policy_check(policy, error);
}

int vlan_parse(const char *text, struct vlan_policy *policy, struct error *error)
{
    struct reader reader = { .policy = policy };
    const size_t word_len = strcspn(text, ":");
    size_t mode = 0;

    memset(policy, 0, sizeof(*policy));
    if (strnlen(text, VLAN_TEXT_SIZE) == VLAN_TEXT_SIZE) {
        return error_set(error, EINVAL, "a VLAN policy is at most %u characters long; join VLANs "
                         "to ranges, as in \"%s\"", VLAN_TEXT_SIZE - 1, modes[VLAN_TRUNK].example);
    }
    while (mode < MODE_COUNT && (strlen(modes[mode].word) != word_len ||
                                 memcmp(modes[mode].word, text, word_len) != 0)) {
        mode++;
    }
    if (mode == MODE_COUNT || (mode == VLAN_NONE && text[word_len] != '\0')) {
        return error_set(error, EINVAL, "\"%s\" is no VLAN policy; choose none, %s, %s, %s, %s or "
                         "%s", text_show(text).text, modes[VLAN_ACCESS].example,
                         modes[VLAN_TRUNK].example, modes[VLAN_ISOLATED].example,
                         modes[VLAN_COMMUNITY].example, modes[VLAN_PROMISCUOUS].example);
    }
    policy->mode = (enum vlan_mode)mode;
    if (mode == VLAN_NONE) {
        return 0;
    }
    if (text[word_len] == '\0') {
        return refuse(error, policy->mode, "it says no VLAN");
    }
    const int rc = read_items(&reader, text + word_len + 1, error);

    return rc != 0 ? rc : finish(&reader, error);
}

/* ---- to text --------------------------------------------------------------------------------- */

/* Text of a fixed size, cut where it ends. */
struct writer {
    char *text;
    size_t used;
};

__attribute__((format(printf, 2, 3)))
static void write_text(struct writer *to, const char *format, ...)
{
    va_list args;
    int len;

    va_start(args, format);
    len = vsnprintf(to->text + to->used, VLAN_TEXT_SIZE - to->used, format, args);
    va_end(args);
    to->used += (size_t)len < VLAN_TEXT_SIZE - to->used ? (size_t)len
                                                        : VLAN_TEXT_SIZE - 1 - to->used;
}

static void write_set(struct writer *to, const struct vlan_set *set, const char *before)
{
    for (uint16_t first = 0; first < VLAN_COUNT; first++) {
        uint16_t last = first;

        if (!vlan_set_has(set, first)) {
            continue;
        }
        while (last + 1u < VLAN_COUNT && vlan_set_has(set, (uint16_t)(last + 1))) {
            last++;
        }
        if (last == first) {
            write_text(to, "%s%u", before, first);
        } else {
            write_text(to, "%s%u-%u", before, first, last);
        }
        before = ",";
        first = last;
    }
}

const char *vlan_format(const struct vlan_policy *policy, char text[VLAN_TEXT_SIZE])
{
    struct writer to = { .text = text };

    write_text(&to, "%s", modes[policy->mode].word);
    switch (policy->mode) {
    case VLAN_NONE:
        break;
    case VLAN_ACCESS:
        write_text(&to, ":%u", policy->vid);
        break;
    case VLAN_TRUNK:
        write_set(&to, &policy->others, ":");
        write_text(&to, ",native:%u", policy->vid);
        break;
    case VLAN_ISOLATED:
    case VLAN_COMMUNITY:
        write_text(&to, ":%u,%u", policy->vid, policy->secondary);
        break;
    case VLAN_PROMISCUOUS:
        write_text(&to, ":%u", policy->vid);
        write_set(&to, &policy->others, ",");
        break;
    }
    return text;
}
