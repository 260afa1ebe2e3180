/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The method table: every command of the control channel, once, as data.
 *
 * The same rows make the command line's words, its help and its completion, the client's encoding
 * of text to JSON, and the daemon's check of what arrives: so these cannot drift apart, and a new
 * command is one row and one handler.  The table knows nothing of the switch: it says what a value
 * looks like, never what it means to the present state.  That is for the handler to refuse, with
 * its own sentence.
 *
 * On the wire a method is "noun.verb" and its params are an object.  Keys are named as on the
 * command line with `_` for `-` (--mac-capacity is "mac_capacity"), and the positional word is a
 * key as well, mostly "name".  Sizes are numbers of bytes, times are numbers of whole seconds,
 * on/off and flags are booleans, counts are numbers, all else is a string.
 */
#ifndef CTL_METHOD_H
#define CTL_METHOD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "switch/error.h"

/* Every method: its name in C, its noun, its verb.  The order is the order of the help. */
#define METHODS(X)                                  \
    X(SWITCH_ADD,      "switch",  "add")            \
    X(SWITCH_SET,      "switch",  "set")            \
    X(SWITCH_LIST,     "switch",  "list")           \
    X(SWITCH_SHOW,     "switch",  "show")           \
    X(SWITCH_REMOVE,   "switch",  "remove")         \
    X(VNIC_ADD,        "vnic",    "add")            \
    X(VNIC_SET,        "vnic",    "set")            \
    X(VNIC_LIST,       "vnic",    "list")           \
    X(VNIC_SHOW,       "vnic",    "show")           \
    X(VNIC_REMOVE,     "vnic",    "remove")         \
    X(TEAM_ADD,        "team",    "add")            \
    X(TEAM_SET,        "team",    "set")            \
    X(TEAM_LIST,       "team",    "list")           \
    X(TEAM_SHOW,       "team",    "show")           \
    X(TEAM_REMOVE,     "team",    "remove")         \
    X(MAC_SHOW,        "mac",     "show")           \
    X(MAC_ADD,         "mac",     "add")            \
    X(MAC_REMOVE,      "mac",     "remove")         \
    X(MAC_FLUSH,       "mac",     "flush")          \
    X(STATS_SHOW,      "stats",   "show")           \
    X(CAPTURE_START,   "capture", "start")          \
    X(CAPTURE_LIST,    "capture", "list")           \
    X(CAPTURE_STOP,    "capture", "stop")           \
    X(CAPTURE_RESULT,  "capture", "result")         \
    X(VM_RUN,          "vm",      "run")            \
    X(VM_LIST,         "vm",      "list")           \
    X(VM_SHOW,         "vm",      "show")           \
    X(VM_CONSOLE,      "vm",      "console")        \
    X(VM_PAUSE,        "vm",      "pause")          \
    X(VM_RESUME,       "vm",      "resume")         \
    X(VM_STOP,         "vm",      "stop")           \
    X(VM_SET,          "vm",      "set")            \
    X(CONFIG_SHOW,     "config",  "show")           \
    X(CONFIG_CHECK,    "config",  "check")          \
    X(DAEMON_SHOW,     "daemon",  "show")           \
    X(DAEMON_SET,      "daemon",  "set")            \
    X(DAEMON_STOP,     "daemon",  "stop")

enum method_id {
#define X(id, noun, verb) METHOD_##id,
    METHODS(X)
#undef X
    METHOD_COUNT
};

/* What a value looks like, in JSON and on the command line. */
enum method_kind {
    METHOD_KIND_NAME,      /* string, the NAME rule of value.h                                   */
    METHOD_KIND_TEXT,      /* string of printable characters; min and max are its length          */
    METHOD_KIND_UINT,      /* number from min to max                                              */
    METHOD_KIND_BYTES,     /* number from min to max; text takes K, M, G, T (powers of 1024)      */
    METHOD_KIND_SECONDS,   /* number from min to max; text takes ms, s, m, h, if whole seconds    */
    METHOD_KIND_MS,        /* number of ms from min to max; text takes ms, s, m, h                */
    METHOD_KIND_ONOFF,     /* boolean; text is on or off                                          */
    METHOD_KIND_FLAG,      /* boolean; on the command line the key alone means true               */
    METHOD_KIND_MAC,       /* string aa:bb:cc:dd:ee:ff; decoded to lower case                     */
    METHOD_KIND_ENUM,      /* string, one of `words`                                              */
    METHOD_KIND_TARGET,    /* string WORD:NAME, where WORD is one of `words`; after "uplink" stands
                              what the uplink was given as                                        */
    METHOD_KIND_COUNT
};

/* Who knows a key. */
enum method_side {
    METHOD_SIDE_BOTH,      /* a word on the command line, sent to the daemon                      */
    METHOD_SIDE_CLIENT,    /* the client's own business: never sent, and refused by the decoder   */
};

#define METHOD_WORDS_MAX 6

struct method_key {
    const char *name;                       /* as on the wire, with `_`                           */
    enum method_kind kind;
    enum method_side side;
    bool required;
    bool positional;                        /* the word after the verb; at most one, first        */
    bool repeated;                          /* may come more than once: a list, of the client's   */
    uint64_t min, max;                      /* of the value, or of a string's length              */
    const char *words[METHOD_WORDS_MAX];    /* all of an ENUM or TARGET; of a TEXT some, to offer;
                                               NULL-terminated when not full                      */
    const char *placeholder;                /* what the help writes for the value: "BYTES"        */
    const char *preset;                     /* what holds when the key is not given, for the help;
                                               the decoder does not put it in                     */
    const char *form;                       /* how a TEXT or BYTES look, where min and max are not
                                               the way to say it: "none or MAC,MAC,..."           */
    const char *help;                       /* one line, no full stop                             */
};

#define METHOD_KEYS_MAX 16

struct method_spec {
    enum method_id id;
    const char *noun, *verb;
    const char *name;                              /* "noun.verb"                                 */
    const char *help;                              /* one line, no full stop                      */
    const char *example;                           /* a whole command line                        */
    bool hidden;                                   /* spoken by the client, not by people         */
    bool needs_key;                                /* says nothing without one, any of them; the
                                                      positional is not enough                    */
    struct method_key keys[METHOD_KEYS_MAX];       /* ends at the first without a name            */
};

/* What `noun` is about, for the help; NULL for a word that is no noun. */
const char *method_noun_help(const char *noun);

/** The row of @p id.  Thread: any. */
const struct method_spec *method_get(enum method_id id);

/** The row named "noun.verb", or NULL.  Thread: any. */
const struct method_spec *method_find(const char *name);

/** How many keys @p spec has.  Thread: any. */
size_t method_key_count(const struct method_spec *spec);

/** The key called @p name (as on the wire), or NULL.  Thread: any. */
const struct method_key *method_key_find(const struct method_spec *spec, const char *name);

/** The positional key, or NULL.  Thread: any. */
const struct method_key *method_positional(const struct method_spec *spec);

/** Whether @p given, an object, has the key that a method which needs one needs.  Thread: any. */
bool method_has_needed_key(const struct method_spec *spec, const json_t *given);

/**
 * Says what @p key accepts: "a number from 576 to 9600", "private, internal or external".
 *
 * @return @p text, always terminated, cut when it does not fit
 * Thread: any.
 */
const char *method_key_expects(const struct method_key *key, char *text, size_t text_size);

/**
 * Checks the params of a request: no unknown key, every value of its kind and in range, none
 * missing that is required.  Applies nothing else: no default, no rule of the switch.
 *
 * @param params  borrowed; NULL (no params were sent) stands for {}
 * @param out     returned owned: an object with the keys that were given, MAC addresses in lower
 *                case.  A handler may take from it without checking types again: strings for NAME,
 *                TEXT, MAC, ENUM and TARGET, integers for UINT, BYTES, SECONDS and MS,
 *                booleans for ONOFF and FLAG.  A key that was not given is not there.
 * @return 0; -EINVAL with a sentence that names the method, the key and what is accepted; -ENOMEM
 * Thread: any.
 */
int method_decode(const struct method_spec *spec, const json_t *params, json_t **out,
                  struct error *error);

/**
 * Turns the text of a command line into the JSON value of @p key, checked as the decoder will check
 * it.
 *
 * @param text  borrowed; NULL for a key that was written without a value (right for FLAG only)
 * @param out   returned owned
 * @return 0; -EINVAL with a sentence that names the key as the command line writes it; -ENOMEM
 * Thread: any.
 */
int method_encode_text(const struct method_key *key, const char *text, json_t **out,
                       struct error *error);

#endif
