/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctl/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <systemd/sd-daemon.h>

#define LINE_SIZE 1024u

static const struct {
    const char *word;
    const char *journal_prefix;
} levels[] = {
    [LOG_LEVEL_ERROR]   = { "error",   SD_ERR },
    [LOG_LEVEL_WARNING] = { "warning", SD_WARNING },
    [LOG_LEVEL_INFO]    = { "info",    SD_INFO },
    [LOG_LEVEL_DEBUG]   = { "debug",   SD_DEBUG },
};

/* Set once before there is a second thread. */
static enum log_level least_level = LOG_LEVEL_INFO;
static bool to_journal;

int log_level_parse(const char *text, enum log_level *level)
{
    for (unsigned i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
        if (strcmp(text, levels[i].word) == 0) {
            *level = (enum log_level)i;
            return 0;
        }
    }
    return -EINVAL;
}

/* systemd.exec(5): JOURNAL_STREAM names the device and inode of the journal's socket. */
static bool stderr_is_journal(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    unsigned long long device, inode;
    struct stat st;

    return stream != NULL && sscanf(stream, "%llu:%llu", &device, &inode) == 2 &&
           fstat(STDERR_FILENO, &st) == 0 && st.st_dev == device && st.st_ino == inode;
}

void log_start(enum log_level least)
{
    least_level = least;
    to_journal = stderr_is_journal();
}

void log_line(enum log_level level, const char *format, ...)
{
    char line[LINE_SIZE];
    size_t text_at, len;
    va_list args;

    if (level > least_level) {
        return;
    }
    text_at = (size_t)(to_journal
                       ? snprintf(line, sizeof(line), "%s", levels[level].journal_prefix)
                       : snprintf(line, sizeof(line), "%s: ", levels[level].word));
    va_start(args, format);
    (void)vsnprintf(line + text_at, sizeof(line) - text_at - 1, format, args);
    va_end(args);

    len = strlen(line);
    for (size_t i = text_at; i < len; i++) {
        const unsigned char c = (unsigned char)line[i];

        line[i] = c < 0x20 || c == 0x7f ? ' ' : line[i];
    }
    line[len++] = '\n';
    /* There is nobody to tell that the log cannot be written. */
    while (write(STDERR_FILENO, line, len) < 0 && errno == EINTR) {
    }
}
