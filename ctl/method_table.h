/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Where the rows of the method table are; for method.c, which is how everybody else asks for them.
 */
#ifndef CTL_METHOD_TABLE_H
#define CTL_METHOD_TABLE_H

#include "ctl/method.h"

struct method_noun {
    const char *noun, *help;
};

extern const struct method_noun method_nouns[];              /* ends with NULL */
extern const struct method_spec method_table[METHOD_COUNT];

#endif
