/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Words in, lines out: the command line, and what the guest says on its console.
 *
 * A line is put together first and written by one call, because a call is slow.
 */
#ifndef VMM_GUEST_TEXT_H
#define VMM_GUEST_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TEXT_LINE_MAX 400u             /* longer ones are cut */

/**
 * Writes a line, "guest: " before it and a newline after it.
 * @param format  %s, %c, %u (unsigned), %lu and %lx (uint64_t), %%
 */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/** As say(), into @p text; always ended by a zero.  @return characters before that */
size_t text_make(char *text, size_t size, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#define TEXT_MAC_SIZE 18u
const char *text_mac(const uint8_t mac[6], char text[TEXT_MAC_SIZE]);

/* Whoever reads takes from the front of *at, and leaves it where it did not fit. */

/** Takes @p word if it is next.  Only what it says: "ip=" is not "ip6=". */
bool text_take(const char **at, const char *word);
/** A number, decimal or with 0x.  @return whether there was one */
bool text_take_number(const char **at, uint64_t *number);
/** A MAC address as 52:54:00:00:00:01; an IPv4 address; an IPv6 address with at most one "::". */
bool text_take_mac(const char **at, uint8_t mac[6]);
bool text_take_ip(const char **at, uint8_t ip[4]);
bool text_take_ip6(const char **at, uint8_t ip6[16]);
/** Whether a word ends here: at a blank or at the end. */
bool text_is_end(const char *at);
/** Goes to the first character of the next word, or to the end. */
void text_skip_word(const char **at);

#endif
