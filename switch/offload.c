/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The words of offloads.  Groups are read before single features, and so are they written: what is
 * left after a group is named one by one, which is the shortest text there is.
 */
#include "switch/offload.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "switch/vswitch_inner.h"

#define WORD_SIZE 16u              /* of a word that there is, with its terminator */

#define BOTH_CSUM (OFFLOAD_CSUM | OFFLOAD_GUEST_CSUM)
#define BOTH_TSO  (BOTH_CSUM | OFFLOAD_HOST_TSO4 | OFFLOAD_HOST_TSO6 | OFFLOAD_GUEST_TSO4 |      \
                   OFFLOAD_GUEST_TSO6)
#define BOTH_ECN  (BOTH_TSO | OFFLOAD_HOST_ECN | OFFLOAD_GUEST_ECN)
#define BOTH_USO  (BOTH_CSUM | OFFLOAD_HOST_USO | OFFLOAD_GUEST_USO4 | OFFLOAD_GUEST_USO6)
#define GUEST_SENDS (OFFLOAD_CSUM | OFFLOAD_HOST_TSO4 | OFFLOAD_HOST_TSO6 | OFFLOAD_HOST_ECN |   \
                     OFFLOAD_HOST_USO)

/* X(word, what it stands for): groups before those within them */
#define OFFLOAD_GROUPS(X)                                                                        \
    X("tx",  GUEST_SENDS)                                                                        \
    X("rx",  OFFLOAD_ALL & ~GUEST_SENDS)                                                         \
    X("ecn", BOTH_ECN)                                                                           \
    X("tso", BOTH_TSO)                                                                           \
    X("uso", BOTH_USO)

/* Each stands after what it needs. */
static const struct feature {
    const char *word;
    uint64_t bit;
    uint64_t needs_all;
    uint64_t needs_one;            /* of these; 0: none */
} table[] = {
#define X(name, number, text, all, one) { text, OFFLOAD_##name, all, one },
    OFFLOAD_FEATURES(X)
#undef X
};
#define FEATURE_COUNT (sizeof(table) / sizeof(table[0]))

#define X(name, number, text, all, one)                                                          \
    static_assert(OFFLOAD_##name == UINT64_C(1) << (number), "a feature is virtio's bit");       \
    static_assert(sizeof(text) <= WORD_SIZE, "words fit");
OFFLOAD_FEATURES(X)
#undef X

static const struct word {
    const char *text;
    uint64_t features;
} words[] = {
#define X(text, features) { text, features },
    OFFLOAD_GROUPS(X)
#undef X
#define X(name, number, text, all, one) { text, OFFLOAD_##name },
    OFFLOAD_FEATURES(X)
#undef X
};
#define WORD_COUNT  (sizeof(words) / sizeof(words[0]))
#define GROUP_COUNT (WORD_COUNT - FEATURE_COUNT)

static bool has_needs(const struct feature *feature, uint64_t features)
{
    return (feature->needs_all & ~features) == 0 &&
           (feature->needs_one == 0 || (feature->needs_one & features) != 0);
}

/* ---- reading --------------------------------------------------------------------------------- */

static int refuse_word(const char *word, struct error *error)
{
    char list[2 * OFFLOAD_TEXT_SIZE];
    size_t used = 0;

    for (size_t i = 0; i < WORD_COUNT; i++) {
        used += (size_t)snprintf(list + used, sizeof(list) - used, "%s%s", i > 0 ? ", " : "",
                                 words[i].text);
    }
    return error_set(error, EINVAL, "\"%s\" is no offload; write on or off, or words with commas "
                     "between them: %s", text_show(word).text, list);
}

static int read_word(const char *text, size_t len, uint64_t *features, struct error *error)
{
    char word[2 * WORD_SIZE];      /* of a longer one enough to recognise it */

    (void)snprintf(word, sizeof(word), "%.*s", (int)(len < sizeof(word) ? len : sizeof(word)),
                   text);
    for (size_t i = 0; i < WORD_COUNT; i++) {
        if (strcasecmp(words[i].text, word) == 0) {
            *features |= words[i].features;
            return 0;
        }
    }
    return refuse_word(word, error);
}

/* Names what of @p needed is not in @p features: "guest_tso4 or guest_tso6". */
static void name_missing(uint64_t needed, uint64_t features, const char *link,
                         char text[OFFLOAD_TEXT_SIZE])
{
    size_t used = 0;

    text[0] = '\0';
    for (size_t i = 0; i < FEATURE_COUNT; i++) {
        if ((table[i].bit & needed & ~features) != 0) {
            used += (size_t)snprintf(text + used, OFFLOAD_TEXT_SIZE - used, "%s%s",
                                     used > 0 ? link : "", table[i].word);
        }
    }
}

static int refuse_lonely(const struct feature *feature, uint64_t features, struct error *error)
{
    char missing[OFFLOAD_TEXT_SIZE];
    size_t group = GROUP_COUNT - 1;

    while ((words[group].features & feature->bit) == 0) {
        group--;
    }
    if ((feature->needs_all & ~features) != 0) {
        name_missing(feature->needs_all, features, " and ", missing);
    } else {
        name_missing(feature->needs_one, features, " or ", missing);
    }
    return error_set(error, EINVAL, "offload %s needs %s, which is not in the list; add it, or "
                     "write %s, which brings all that it needs", feature->word, missing,
                     words[group].text);
}

int offload_parse(const char *text, uint64_t *features, struct error *error)
{
    uint64_t wanted = 0;

    if (strcasecmp(text, "on") == 0 || strcasecmp(text, "off") == 0) {
        *features = strcasecmp(text, "on") == 0 ? OFFLOAD_ALL : 0;
        return 0;
    }
    do {
        const size_t len = strcspn(text, ",");
        const int rc = read_word(text, len, &wanted, error);

        if (rc != 0) {
            return rc;
        }
        text += len;
    } while (*text++ == ',');
    for (size_t i = 0; i < FEATURE_COUNT; i++) {
        if ((table[i].bit & wanted) != 0 && !has_needs(&table[i], wanted)) {
            return refuse_lonely(&table[i], wanted, error);
        }
    }
    *features = wanted;
    return 0;
}

/* ---- writing --------------------------------------------------------------------------------- */

void offload_format(uint64_t features, char text[OFFLOAD_TEXT_SIZE])
{
    uint64_t done = 0;
    size_t used = 0;

    (void)snprintf(text, OFFLOAD_TEXT_SIZE, "%s", (features & OFFLOAD_ALL) == 0 ? "off" : "on");
    if ((features & OFFLOAD_ALL) == OFFLOAD_ALL) {
        return;
    }
    for (size_t i = 0; i < WORD_COUNT; i++) {
        if ((words[i].features & ~features) == 0 && (words[i].features & ~done) != 0) {
            used += (size_t)snprintf(text + used, OFFLOAD_TEXT_SIZE - used, "%s%s",
                                     used > 0 ? "," : "", words[i].text);
            done |= words[i].features;
        }
    }
}

/* ---- features -------------------------------------------------------------------------------- */

uint64_t offload_sound(uint64_t features)
{
    for (size_t i = 0; i < FEATURE_COUNT; i++) {
        if (!has_needs(&table[i], features)) {
            features &= ~table[i].bit;
        }
    }
    return features;
}

uint8_t offload_takes(uint64_t features)
{
    const uint64_t sound = offload_sound(features);
    uint8_t takes = 0;

#define X(name, value, word)                                                                     \
    if ((sound & OFFLOAD_GUEST_##name) != 0) {                                                   \
        takes |= OFFLOAD_TAKES_##name;                                                           \
    }
    OFFLOAD_TAKES(X)
#undef X
    if ((sound & (OFFLOAD_GUEST_TSO4 | OFFLOAD_GUEST_TSO6)) != 0) {
        takes |= OFFLOAD_TAKES_RARE;
    }
    return takes;
}
