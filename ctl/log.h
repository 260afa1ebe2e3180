/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The daemon's log: one line an event, on standard error.
 *
 * A line says the object, the fact and the consequence; an error also says what to do.  Under the
 * journal a line begins with its priority as sd-daemon(3) writes it, so that journalctl -p works;
 * on a terminal or in a file it begins with the level as a word.  Time stamps are the journal's
 * business.  Each line is one write, so lines of two threads never mix, and control characters
 * are blanked, so that no name or message can forge a line.
 */
#ifndef CTL_LOG_H
#define CTL_LOG_H

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/** Reads "error", "warning", "info" or "debug".  @return 0 or -EINVAL */
int log_level_parse(const char *text, enum log_level *level);

/** Sets the least level that is written, and looks who reads.  Thread: main, first. */
void log_start(enum log_level least);

/** Writes a line; what does not fit is cut.  Thread: any. */
__attribute__((format(printf, 2, 3)))
void log_line(enum log_level level, const char *format, ...);

#define log_error(...)   log_line(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_line(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(...)    log_line(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)   log_line(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
