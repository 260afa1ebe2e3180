/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/support/raw_client.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#define LINE_SIZE (4 * 1024 * 1024)

int raw_connect(const char *path)
{
    const struct timeval wait = { .tv_sec = RAW_WAIT_MS / 1000 };
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
    if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) != 0) {
        (void)close(fd);
        return -errno;
    }
    return fd;
}

void raw_send(int fd, const char *bytes, size_t len_bytes)
{
    while (len_bytes > 0) {
        const ssize_t n = send(fd, bytes, len_bytes, MSG_NOSIGNAL);

        if (n <= 0) {
            return;                                 /* turned away while sending: that is tested */
        }
        bytes += n;
        len_bytes -= (size_t)n;
    }
}

void raw_send_text(int fd, const char *text)
{
    raw_send(fd, text, strlen(text));
}

char *raw_line(int fd)
{
    char *line = malloc(LINE_SIZE);
    size_t used = 0;

    while (used + 1 < LINE_SIZE) {
        const ssize_t peeked = recv(fd, line + used, LINE_SIZE - 1 - used, MSG_PEEK);
        const char *end = peeked > 0 ? memchr(line + used, '\n', (size_t)peeked) : NULL;
        const size_t take = end != NULL ? (size_t)(end - line) + 1 - used : (size_t)peeked;

        if (peeked <= 0) {
            free(line);
            if (peeked < 0 && errno == EAGAIN) {
                fail_msg("nothing came in time");
            }
            return NULL;
        }
        (void)recv(fd, line + used, take, 0);
        used += take;
        if (end != NULL) {
            line[used] = '\0';
            return line;
        }
    }
    fail_msg("a line without an end");
    return NULL;
}

void raw_expect(int fd, const char *part)
{
    char *line = raw_line(fd);

    assert_non_null(line);
    if (strstr(line, part) == NULL) {
        fail_msg("\"%s\" is not in: %.300s", part, line);
    }
    free(line);
}

void raw_expect_end(int fd)
{
    char *line = raw_line(fd);

    if (line != NULL) {
        fail_msg("not closed, but: %.300s", line);
    }
    (void)close(fd);
}
