/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Values as people write them: sizes, counts, times, names, addresses, lists; and back to text.
 *
 * Parsing is strict, because a switch that guesses is worse than one that asks: the whole text must
 * be the value, without sign, space or fraction, and what does not fit is refused, never wrapped.
 * A size in bytes has units of 1024 (64K is 65536), as memory and files are counted; a count, and
 * with it a rate, has units of 1000 (10G is 10 000 000 000), as links are sold.  The functions say
 * only that a text is wrong: the caller knows what was asked, and makes the sentence.
 */
#ifndef CTL_VALUE_H
#define CTL_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VALUE_NAME_MAX       63u    /* characters of a NAME */
#define VALUE_MAC_TEXT_SIZE  18u    /* "aa:bb:cc:dd:ee:ff" and its terminator */
#define VALUE_QUOTE_SIZE     64u    /* what value_quote() needs at most */
#define VALUE_TEXT_SIZE      32u    /* what the value_format_ functions need at most */

/*
 * All parsers: @return 0, -EINVAL for a text that is no such value, -ERANGE for one that is too
 * big; @p out is untouched unless 0.  Thread: any.
 */

/** Decimal digits with an optional unit k, M, G or T (any case) of 1000. */
int value_parse_count(const char *text, uint64_t *out);

/** Decimal digits with an optional unit K, M, G or T (any case) of 1024. */
int value_parse_bytes(const char *text, uint64_t *out_bytes);

/** Decimal digits with an optional unit ms, s, m or h; without a unit they are seconds. */
int value_parse_time(const char *text, uint64_t *out_ms);

/** "on" or "off". */
int value_parse_onoff(const char *text, bool *out);

/** Six pairs of hexadecimal digits with `:` or `-` between; @p out is in lower case, with `:`. */
int value_parse_mac(const char *text, char out[VALUE_MAC_TEXT_SIZE]);

/**
 * "0-2,5": marks [0] [1] [2] [5] and no other; cores at or past @p size are -ERANGE, and no core
 * comes twice.  On an error @p cores holds nothing of use.
 */
int value_parse_cores(const char *text, bool *cores, size_t size);

/** Whether @p text is 1 to 63 of A-Z a-z 0-9 . _ -, the first a letter or a digit. */
bool value_is_name(const char *text);

/**
 * Takes the next item of a list "a,b,c".
 *
 * @param cursor  starts at the list's text, and is NULL after the last item
 * @return 0 with @p item filled, -EINVAL for an empty item, -ERANGE for one that does not fit
 */
int value_list_next(const char **cursor, char *item, size_t item_size);

/**
 * Quotes a text from outside for a sentence: "text", at most about 40 of its characters, and
 * nothing in it that could move a terminal's cursor or break a log's line.
 * @return @p quoted
 */
const char *value_quote(const char *text, char quoted[VALUE_QUOTE_SIZE]);

/** Writes three or four significant digits with a unit of 1000: "950", "12.3 k", "1.25 M". */
const char *value_format_count(double count, char text[VALUE_TEXT_SIZE]);

/** Writes a time a person reads: "42 s", "3 min 5 s", "2 h 4 min", "12 d 3 h". */
const char *value_format_seconds(uint64_t time_s, char text[VALUE_TEXT_SIZE]);

#endif
