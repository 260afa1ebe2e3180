/* SPDX-License-Identifier: BSD-3-Clause */
#include "vmm/guest/text.h"

#include <stdarg.h>

#include "vmm/guest/memory.h"
#include "vmm/guest/ring0.h"

#define SERIAL_PORT 0x3f8u

struct line {
    char *text;
    size_t size, len;
};

static void put_char(struct line *line, char c)
{
    if (line->len + 1 < line->size) {
        line->text[line->len++] = c;
    }
}

static void put_text(struct line *line, const char *text)
{
    while (*text != '\0') {
        put_char(line, *text++);
    }
}

static void put_number(struct line *line, uint64_t number, unsigned base)
{
    char digit[20];
    unsigned count = 0;

    do {
        digit[count++] = "0123456789abcdef"[number % base];
        number /= base;
    } while (number != 0);
    while (count > 0) {
        put_char(line, digit[--count]);
    }
}

/* Puts what one directive stands for; @p at is behind the %.  Returns what is behind that. */
static const char *put_directive(struct line *line, const char *at, va_list *arguments)
{
    const bool is_long = *at == 'l';
    uint64_t number;

    at += is_long;
    switch (*at) {
    case 's':
        put_text(line, va_arg(*arguments, const char *));
        break;
    case 'c':
        put_char(line, (char)va_arg(*arguments, int));
        break;
    case 'u':
    case 'x':
        number = is_long ? va_arg(*arguments, uint64_t) : va_arg(*arguments, unsigned);
        put_number(line, number, *at == 'x' ? 16 : 10);
        break;
    default:
        put_char(line, *at);
        break;
    }
    return at + 1;
}

static void put_all(struct line *line, const char *format, va_list *arguments)
{
    while (*format != '\0') {
        if (*format != '%') {
            put_char(line, *format++);
        } else {
            format = put_directive(line, format + 1, arguments);
        }
    }
}

size_t text_make(char *text, size_t size, const char *format, ...)
{
    struct line line = { .text = text, .size = size };
    va_list arguments;

    va_start(arguments, format);
    put_all(&line, format, &arguments);
    va_end(arguments);
    text[line.len] = '\0';
    return line.len;
}

void say(const char *format, ...)
{
    char text[TEXT_LINE_MAX];
    struct line line = { .text = text, .size = sizeof(text) - 2 };
    va_list arguments;

    put_text(&line, "guest: ");
    va_start(arguments, format);
    put_all(&line, format, &arguments);
    va_end(arguments);
    text[line.len++] = '\r';               /* as any serial line, for a terminal that is raw */
    text[line.len++] = '\n';
    ring0_call(CALL_OUT_BYTES, SERIAL_PORT, (uintptr_t)text, line.len);
}

const char *text_mac(const uint8_t mac[6], char text[TEXT_MAC_SIZE])
{
    struct line line = { .text = text, .size = TEXT_MAC_SIZE };

    for (unsigned i = 0; i < 6; i++) {
        put_text(&line, i == 0 ? "" : ":");
        put_number(&line, mac[i] >> 4, 16);
        put_number(&line, mac[i] & 15, 16);
    }
    text[line.len] = '\0';
    return text;
}

/* ---- reading --------------------------------------------------------------------------------- */

bool text_is_end(const char *at)
{
    return *at == '\0' || *at == ' ';
}

void text_skip_word(const char **at)
{
    while (!text_is_end(*at)) {
        (*at)++;
    }
    while (**at == ' ') {
        (*at)++;
    }
}

bool text_take(const char **at, const char *word)
{
    const char *here = *at;

    while (*word != '\0') {
        if (*here++ != *word++) {
            return false;
        }
    }
    *at = here;
    return true;
}

/* 16 and more for what is no digit. */
static unsigned digit_value(char c)
{
    if (c >= '0' && c <= '9') {
        return (unsigned)(c - '0');
    }
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10 : 16;
}

static bool take_digits(const char **at, unsigned base, uint64_t max, uint64_t *number)
{
    const char *here = *at;
    uint64_t value = 0;

    for (; digit_value(*here) < base; here++) {
        const unsigned digit = digit_value(*here);

        if (value > (max - digit) / base) {
            return false;
        }
        value = value * base + digit;
    }
    if (here == *at) {
        return false;
    }
    *at = here;
    *number = value;
    return true;
}

bool text_take_number(const char **at, uint64_t *number)
{
    const char *here = *at;
    const unsigned base = text_take(&here, "0x") ? 16 : 10;

    if (!take_digits(&here, base, UINT64_MAX, number)) {
        return false;
    }
    *at = here;
    return true;
}

/* @p count numbers up to 255 with @p between them. */
static bool take_bytes(const char **at, unsigned count, unsigned base, char between, uint8_t *bytes)
{
    const char *here = *at;

    for (unsigned i = 0; i < count; i++) {
        uint64_t value;

        if (i > 0 && *here++ != between) {
            return false;
        }
        if (!take_digits(&here, base, UINT8_MAX, &value)) {
            return false;
        }
        bytes[i] = (uint8_t)value;
    }
    *at = here;
    return true;
}

bool text_take_mac(const char **at, uint8_t mac[6])
{
    return take_bytes(at, 6, 16, ':', mac);
}

bool text_take_ip(const char **at, uint8_t ip[4])
{
    return take_bytes(at, 4, 10, '.', ip);
}

/* Groups before a "::" stand at the front, those behind it at the back, zeros between. */
bool text_take_ip6(const char **at, uint8_t ip6[16])
{
    const char *here = *at;
    uint8_t group[16] = { 0 };
    unsigned count = 0, gap = 16;              /* bytes; 16: no gap yet */

    while (count < 16) {
        uint64_t value;

        if (gap == 16 && text_take(&here, "::")) {
            gap = count;
        } else if (count > 0 && count != gap && !text_take(&here, ":")) {
            break;
        }
        if (!take_digits(&here, 16, UINT16_MAX, &value)) {
            break;
        }
        group[count] = (uint8_t)(value >> 8);
        group[count + 1] = (uint8_t)value;
        count += 2;
    }
    if (gap == 16 ? count != 16 : count > 14) {
        return false;
    }
    gap = gap == 16 ? count : gap;
    memset(ip6, 0, 16);
    memcpy(ip6, group, gap);
    memcpy(ip6 + 16 - (count - gap), group + gap, count - gap);
    *at = here;
    return true;
}
