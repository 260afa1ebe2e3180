/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Where the rows of the method table are; for method.c, which is how everybody else asks for them,
 * and for the files of the rows, which share what stands here.
 */
#ifndef CTL_METHOD_TABLE_H
#define CTL_METHOD_TABLE_H

#include "ctl/method.h"

struct method_noun {
    const char *noun, *help;
};

extern const struct method_noun method_nouns[];              /* ends with NULL */

/* Each row is an object of its own, so that a method without one does not link. */
#define X(id, noun, verb) extern const struct method_spec method_row_##id;
METHODS(X)
#undef X

/* What a row begins with. */
#define ROW(method, noun_, verb_)                                                               \
    .id = METHOD_##method, .noun = noun_, .verb = verb_, .name = noun_ "." verb_

#define POSITIONAL_NAME(what, text)                                                             \
    { .name = "name", .kind = METHOD_KIND_NAME, .positional = true, .required = true,           \
      .placeholder = (what), .help = (text) }

#define KEY_MTU(otherwise)                                                                      \
    { .name = "mtu", .kind = METHOD_KIND_BYTES, .min = 576, .max = 9600,                        \
      .placeholder = "BYTES", .preset = (otherwise),                                            \
      .help = "largest payload of a frame, as `ip link` says it" }

#define KEY_MAC(is_required, otherwise, text)                                                   \
    { .name = "mac", .kind = METHOD_KIND_MAC, .required = (is_required), .placeholder = "MAC",  \
      .preset = (otherwise), .help = (text) }

#define KEY_QUEUES(otherwise)                                                                   \
    { .name = "queues", .kind = METHOD_KIND_UINT, .min = 1, .max = 16, .placeholder = "N",      \
      .preset = (otherwise),                                                                    \
      .help = "queue pairs the guest may use, at most one for each of its CPUs" }

#endif
