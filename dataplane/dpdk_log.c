/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/dpdk_log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <rte_log.h>

#define LINE_SIZE 512u

/* All under the lock that stdio takes for the stream. */
static struct {
    dpdk_log_line line;
    char text[LINE_SIZE];          /* of a line whose end is still to come */
    size_t len;
    time_t second;
    unsigned lines;                /* in that second */
} hand_on;

static void hand_on_line(void)
{
    char text[64];
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    if (now.tv_sec != hand_on.second) {
        if (hand_on.lines > DPDK_LOG_LINES_A_SECOND) {
            (void)snprintf(text, sizeof(text), "%u lines left out",
                           hand_on.lines - DPDK_LOG_LINES_A_SECOND);
            hand_on.line(text);
        }
        hand_on.second = now.tv_sec;
        hand_on.lines = 0;
    }
    if (++hand_on.lines <= DPDK_LOG_LINES_A_SECOND) {
        hand_on.text[hand_on.len] = '\0';
        hand_on.line(hand_on.text);
    }
    hand_on.len = 0;
}

/* A stream's write function, as fopencookie(3) says it. */
static ssize_t on_write(void *cookie, const char *buffer, size_t size)
{
    (void)cookie;
    for (size_t i = 0; i < size; i++) {
        if (buffer[i] == '\n') {
            hand_on_line();
        } else if (hand_on.len < LINE_SIZE - 1) {
            hand_on.text[hand_on.len++] = buffer[i];
        }
    }
    return (ssize_t)size;
}

int dpdk_log_start(dpdk_log_line line)
{
    FILE *stream = fopencookie(NULL, "w", (cookie_io_functions_t){ .write = on_write });

    if (stream == NULL) {
        return -ENOMEM;
    }
    (void)setvbuf(stream, NULL, _IOLBF, BUFSIZ);
    hand_on.line = line;
    return rte_openlog_stream(stream) == 0 ? 0 : -ENOMEM;
}
