/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctl/value.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define QUOTE_CHARACTERS 40u

/* Reads decimal digits, and leaves *rest behind them. */
static int digits_parse(const char *text, uint64_t *out, const char **rest)
{
    uint64_t number = 0;

    if (*text < '0' || *text > '9') {
        return -EINVAL;
    }
    for (; *text >= '0' && *text <= '9'; text++) {
        if (__builtin_mul_overflow(number, (uint64_t)10, &number) ||
            __builtin_add_overflow(number, (uint64_t)(*text - '0'), &number)) {
            return -ERANGE;
        }
    }
    *out = number;
    *rest = text;
    return 0;
}

/* Digits and an optional letter, each letter of "kmgt" worth one more factor of @p step. */
static int scaled_parse(const char *text, uint64_t step, uint64_t *out)
{
    static const char letters[] = "kmgt";
    const char *unit;
    const char *letter;
    uint64_t number;
    uint64_t factor = 1;
    const int rc = digits_parse(text, &number, &unit);

    if (rc != 0) {
        return rc;
    }
    if (*unit != '\0') {
        letter = strchr(letters, tolower((unsigned char)*unit));
        if (letter == NULL || unit[1] != '\0') {
            return -EINVAL;
        }
        for (const char *l = letters; l <= letter; l++) {
            factor *= step;
        }
    }
    if (__builtin_mul_overflow(number, factor, &number)) {
        return -ERANGE;
    }
    *out = number;
    return 0;
}

int value_parse_count(const char *text, uint64_t *out)
{
    return scaled_parse(text, 1000, out);
}

int value_parse_bytes(const char *text, uint64_t *out_bytes)
{
    return scaled_parse(text, 1024, out_bytes);
}

int value_parse_time(const char *text, uint64_t *out_ms)
{
    static const struct { const char *unit; uint64_t ms; } units[] = {
        { "", 1000 }, { "ms", 1 }, { "s", 1000 }, { "m", 60 * 1000 }, { "h", 60 * 60 * 1000 },
    };
    const char *unit;
    uint64_t number;
    const int rc = digits_parse(text, &number, &unit);

    if (rc != 0) {
        return rc;
    }
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (strcmp(unit, units[i].unit) != 0) {
            continue;
        }
        if (__builtin_mul_overflow(number, units[i].ms, &number)) {
            return -ERANGE;
        }
        *out_ms = number;
        return 0;
    }
    return -EINVAL;
}

int value_parse_onoff(const char *text, bool *out)
{
    if (strcmp(text, "on") != 0 && strcmp(text, "off") != 0) {
        return -EINVAL;
    }
    *out = text[1] == 'n';
    return 0;
}

int value_parse_mac(const char *text, char out[VALUE_MAC_TEXT_SIZE])
{
    char mac[VALUE_MAC_TEXT_SIZE];
    const char separator = strlen(text) == VALUE_MAC_TEXT_SIZE - 1 ? text[2] : '\0';

    if (separator != ':' && separator != '-') {
        return -EINVAL;
    }
    for (size_t i = 0; i < VALUE_MAC_TEXT_SIZE - 1; i++) {
        const bool between = i % 3 == 2;

        if (between ? text[i] != separator : !isxdigit((unsigned char)text[i])) {
            return -EINVAL;
        }
        mac[i] = between ? ':' : (char)tolower((unsigned char)text[i]);
    }
    mac[VALUE_MAC_TEXT_SIZE - 1] = '\0';
    memcpy(out, mac, sizeof(mac));
    return 0;
}

int value_list_next(const char **cursor, char *item, size_t item_size)
{
    const size_t length = strcspn(*cursor, ",");

    if (length == 0) {
        return -EINVAL;
    }
    if (length >= item_size) {
        return -ERANGE;
    }
    memcpy(item, *cursor, length);
    item[length] = '\0';
    *cursor = (*cursor)[length] == ',' ? *cursor + length + 1 : NULL;
    return 0;
}

/* "5" or "0-2". */
static int range_parse(const char *text, uint64_t *first, uint64_t *last)
{
    const char *rest;
    int rc = digits_parse(text, first, &rest);

    *last = *first;
    if (rc == 0 && *rest == '-') {
        rc = digits_parse(rest + 1, last, &rest);
    }
    if (rc == 0 && (*rest != '\0' || *last < *first)) {
        rc = -EINVAL;
    }
    return rc;
}

int value_parse_cores(const char *text, bool *cores, size_t size)
{
    char item[48];

    memset(cores, 0, size * sizeof(*cores));
    for (const char *cursor = text; cursor != NULL;) {
        uint64_t first = 0;
        uint64_t last = 0;
        int rc = value_list_next(&cursor, item, sizeof(item));

        if (rc == 0) {
            rc = range_parse(item, &first, &last);
        }
        if (rc == 0 && last >= size) {
            rc = -ERANGE;
        }
        for (uint64_t core = first; rc == 0 && core <= last; core++) {
            rc = cores[core] ? -EINVAL : 0;
            cores[core] = true;
        }
        if (rc != 0) {
            return rc;
        }
    }
    return 0;
}

bool value_is_name(const char *text)
{
    static const char letters_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                         "0123456789._-";
    const size_t length = strnlen(text, VALUE_NAME_MAX + 1);

    return length >= 1 && length <= VALUE_NAME_MAX && strspn(text, letters_digits) == length &&
           strchr("._-", text[0]) == NULL;
}

const char *value_quote(const char *text, char quoted[VALUE_QUOTE_SIZE])
{
    size_t used = 0;
    size_t i = 0;

    quoted[used++] = '"';
    for (; text[i] != '\0' && i < QUOTE_CHARACTERS; i++) {
        const unsigned char c = (unsigned char)text[i];

        quoted[used++] = c < 0x20 || c > 0x7e ? '?' : (char)c;
    }
    if (text[i] != '\0') {
        memcpy(&quoted[used], "...", 3);
        used += 3;
    }
    quoted[used++] = '"';
    quoted[used] = '\0';
    return quoted;
}

const char *value_format_count(double count, char text[VALUE_TEXT_SIZE])
{
    static const char *const units[] = { "", " k", " M", " G", " T", " P" };
    size_t unit = 0;

    while (count >= 999.5 && unit + 1 < sizeof(units) / sizeof(units[0])) {
        count /= 1000;
        unit++;
    }
    const int decimals = unit == 0 ? 0 : count < 9.995 ? 2 : count < 99.95 ? 1 : 0;
    (void)snprintf(text, VALUE_TEXT_SIZE, "%.*f%s", decimals, count, units[unit]);
    return text;
}

const char *value_format_seconds(uint64_t time_s, char text[VALUE_TEXT_SIZE])
{
    const unsigned long long s = time_s;

    if (s < 60) {
        (void)snprintf(text, VALUE_TEXT_SIZE, "%llu s", s);
    } else if (s < 60 * 60) {
        (void)snprintf(text, VALUE_TEXT_SIZE, "%llu min %llu s", s / 60, s % 60);
    } else if (s < 24 * 60 * 60) {
        (void)snprintf(text, VALUE_TEXT_SIZE, "%llu h %llu min", s / 3600, s / 60 % 60);
    } else {
        (void)snprintf(text, VALUE_TEXT_SIZE, "%llu d %llu h", s / 86400, s / 3600 % 24);
    }
    return text;
}
