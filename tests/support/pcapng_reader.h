/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A pcapng stream taken apart, as far as the switch writes it: strict, so that a test sees what is
 * wrong with a stream, and not a reader's goodwill.
 */
#ifndef TESTS_SUPPORT_PCAPNG_READER_H
#define TESTS_SUPPORT_PCAPNG_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PCAPNG_READER_TEXT 256

struct pcapng_read_interface {
    char name[PCAPNG_READER_TEXT];
    char filter[PCAPNG_READER_TEXT];
    uint32_t snaplen_bytes;
    uint8_t resolution;            /* 9: nanoseconds */
    bool has_statistics;
    uint64_t received, dropped, accepted;
};

struct pcapng_read_packet {
    uint32_t interface;
    uint64_t time_ns;
    uint32_t captured_bytes, original_bytes;
    const uint8_t *data;           /* in the stream */
    uint32_t flags;
    char comment[PCAPNG_READER_TEXT];
};

struct pcapng_read {
    char application[PCAPNG_READER_TEXT];
    struct pcapng_read_interface *interface;   /* owned */
    size_t interface_count;
    struct pcapng_read_packet *packet;         /* owned */
    size_t packet_count;
    size_t cut_bytes;              /* of a block that the stream ends in the middle of */
};

/**
 * @param stream  borrowed while @p read is used
 * @return NULL, or what is wrong with the stream
 */
const char *pcapng_read(const uint8_t *stream, size_t len_bytes, struct pcapng_read *read);
void pcapng_read_free(struct pcapng_read *read);

#endif
