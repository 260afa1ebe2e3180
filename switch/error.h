/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * An error a person reads: one sentence that names the object, the rule it broke and the way out.
 *
 * Control code returns a negative errno for the program and fills a struct error for the person.
 * The text has a fixed size, so that reporting an error can itself never fail.
 */
#ifndef SWITCH_ERROR_H
#define SWITCH_ERROR_H

#define ERROR_TEXT_SIZE 512

struct error {
    int code;                      /* positive errno; 0 while there is no error */
    char text[ERROR_TEXT_SIZE];    /* one sentence, no newline, always terminated */
};

/**
 * Sets the error's code and text; text that does not fit is cut.
 *
 * @param error  may be NULL, then only the code is returned
 * @param code   positive errno
 * @return -code, so that a caller can write `return error_set(...)`
 * Thread: any.
 */
__attribute__((format(printf, 3, 4)))
int error_set(struct error *error, int code, const char *format, ...);

#endif
