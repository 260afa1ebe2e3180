/* SPDX-License-Identifier: BSD-3-Clause */
#include "switch/error.h"

#include <stdarg.h>
#include <stdio.h>

int error_set(struct error *error, int code, const char *format, ...)
{
    if (error != NULL) {
        va_list args;

        error->code = code;
        va_start(args, format);
        (void)vsnprintf(error->text, sizeof(error->text), format, args);
        va_end(args);
    }
    return -code;
}
