/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Ethernet addresses to text, from text and to bytes.
 *
 * Parsing is strict (two digits a byte, one kind of separator, nothing after), because what it lets
 * through is kept for years in a state file.
 */
#include "switch/mac.h"

#include <errno.h>

void mac_write(uint64_t mac, uint8_t bytes[6])
{
    for (unsigned i = 0; i < 6; i++) {
        bytes[i] = (uint8_t)(mac >> (40 - 8 * i));
    }
}

const char *mac_format(uint64_t mac, char text[MAC_TEXT_SIZE])
{
    static const char digits[] = "0123456789abcdef";
    char *to = text;

    for (int shift = 44; shift >= 0; shift -= 4) {
        *to++ = digits[(mac >> shift) & 0xf];
        if (shift % 8 == 0 && shift != 0) {
            *to++ = ':';
        }
    }
    *to = '\0';
    return text;
}

static int digit_value(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int mac_parse(const char *text, uint64_t *mac)
{
    uint64_t value = 0;
    char separator = '\0';

    for (int i = 0; i < 6; i++) {
        int high, low;

        if (i == 1 && (*text == ':' || *text == '-')) {
            separator = *text;
        }
        if (i > 0 && (*text != separator || *text++ == '\0')) {
            return -EINVAL;
        }
        high = digit_value(text[0]);
        low = high < 0 ? -1 : digit_value(text[1]);
        if (low < 0) {
            return -EINVAL;
        }
        value = value << 8 | (uint64_t)(high << 4 | low);
        text += 2;
    }
    if (*text != '\0') {
        return -EINVAL;
    }
    *mac = value;
    return 0;
}
