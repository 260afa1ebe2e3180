/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pcapng encoding: one cursor that remembers overflow, so that no encoder checks it per field.
 *
 * Each block is written front to back and its length, which stands at both ends, is filled in when
 * the block is closed: nothing is measured beforehand, so there is no second place to keep in step.
 */
#include "dataplane/pcapng.h"

#include <stdbool.h>
#include <string.h>

#define BYTE_ORDER_MAGIC   0x1a2b3c4du
#define LINKTYPE_ETHERNET  1u
#define LENGTH_UNKNOWN     UINT64_MAX
#define NANOSECONDS        9u              /* if_tsresol: units of 10^-9 s */
#define FILTER_LIBPCAP     0u              /* if_filter: what follows is a libpcap expression */

/* Option codes: 3.5, 4.1, 4.2, 4.3, 4.6. */
enum {
    OPT_END = 0, OPT_COMMENT = 1,
    SHB_HARDWARE = 2, SHB_OS = 3, SHB_USERAPPL = 4,
    IF_NAME = 2, IF_TSRESOL = 9, IF_FILTER = 11,
    EPB_FLAGS = 2,
    ISB_STARTTIME = 2, ISB_ENDTIME = 3, ISB_IFRECV = 4, ISB_IFDROP = 5, ISB_FILTERACCEPT = 6,
};

struct cursor {
    uint8_t *block;
    size_t used, size;
    bool overflow;
};

static void put(struct cursor *c, const void *data, size_t len_bytes)
{
    if (c->overflow || len_bytes > c->size - c->used) {
        c->overflow = true;
        return;
    }
    if (len_bytes > 0) {
        memcpy(c->block + c->used, data, len_bytes);
        c->used += len_bytes;
    }
}

static void put_u16(struct cursor *c, uint16_t value)
{
    put(c, &value, sizeof(value));
}

static void put_u32(struct cursor *c, uint32_t value)
{
    put(c, &value, sizeof(value));
}

static void put_u64(struct cursor *c, uint64_t value)
{
    put(c, &value, sizeof(value));
}

/* A time is two words, the upper first, whatever the byte order (4.3, 4.6). */
static void put_time(struct cursor *c, uint64_t time_ns)
{
    put_u32(c, (uint32_t)(time_ns >> 32));
    put_u32(c, (uint32_t)time_ns);
}

static void pad(struct cursor *c)
{
    static const uint8_t zero[4];

    put(c, zero, -c->used & 3u);
}

static struct cursor block_open(uint8_t *to, size_t size, uint32_t type)
{
    struct cursor c = { .block = to, .size = size };

    put_u32(&c, type);
    put_u32(&c, 0);
    return c;
}

static size_t block_close(struct cursor *c)
{
    const uint32_t length = (uint32_t)(c->used + sizeof(length));

    put_u32(c, length);
    if (c->overflow) {
        return 0;
    }
    memcpy(c->block + sizeof(uint32_t), &length, sizeof(length));
    return length;
}

static void option(struct cursor *c, uint16_t code, const void *value, size_t len_bytes)
{
    put_u16(c, code);
    put_u16(c, (uint16_t)len_bytes);
    put(c, value, len_bytes);
    pad(c);
}

static void option_text(struct cursor *c, uint16_t code, const char *text)
{
    const size_t len_bytes = text != NULL ? strnlen(text, PCAPNG_TEXT_MAX) : 0;

    if (len_bytes > 0) {
        option(c, code, text, len_bytes);
    }
}

static void option_u64(struct cursor *c, uint16_t code, uint64_t value)
{
    option(c, code, &value, sizeof(value));
}

static void option_time(struct cursor *c, uint16_t code, uint64_t time_ns)
{
    put_u16(c, code);
    put_u16(c, sizeof(time_ns));
    put_time(c, time_ns);
}

static void option_end(struct cursor *c)
{
    option(c, OPT_END, NULL, 0);
}

size_t pcapng_section(uint8_t *to, size_t size, const char *hardware, const char *os,
                      const char *application)
{
    struct cursor c = block_open(to, size, PCAPNG_BLOCK_SECTION);

    put_u32(&c, BYTE_ORDER_MAGIC);
    put_u16(&c, 1);                                       /* version 1.0 */
    put_u16(&c, 0);
    put_u64(&c, LENGTH_UNKNOWN);
    option_text(&c, SHB_HARDWARE, hardware);
    option_text(&c, SHB_OS, os);
    option_text(&c, SHB_USERAPPL, application);
    option_end(&c);
    return block_close(&c);
}

size_t pcapng_interface(uint8_t *to, size_t size, const char *name, uint32_t snaplen_bytes,
                        const char *filter)
{
    struct cursor c = block_open(to, size, PCAPNG_BLOCK_INTERFACE);
    const uint8_t resolution = NANOSECONDS;
    char tagged[1 + PCAPNG_TEXT_MAX] = { FILTER_LIBPCAP };
    size_t filter_bytes = filter != NULL ? strnlen(filter, PCAPNG_TEXT_MAX) : 0;

    put_u16(&c, LINKTYPE_ETHERNET);
    put_u16(&c, 0);
    put_u32(&c, snaplen_bytes);
    option_text(&c, IF_NAME, name);
    option(&c, IF_TSRESOL, &resolution, sizeof(resolution));
    if (filter_bytes > 0) {
        memcpy(tagged + 1, filter, filter_bytes);
        option(&c, IF_FILTER, tagged, 1 + filter_bytes);
    }
    option_end(&c);
    return block_close(&c);
}

size_t pcapng_packet(uint8_t *to, size_t size, const struct pcapng_packet *packet)
{
    struct cursor c = block_open(to, size, PCAPNG_BLOCK_PACKET);
    const uint32_t flags = packet->direction;

    put_u32(&c, packet->interface);
    put_time(&c, packet->time_ns);
    put_u32(&c, packet->captured_bytes);
    put_u32(&c, packet->original_bytes);
    put(&c, packet->data, packet->captured_bytes);
    pad(&c);
    option(&c, EPB_FLAGS, &flags, sizeof(flags));
    option_text(&c, OPT_COMMENT, packet->comment);
    option_end(&c);
    return block_close(&c);
}

size_t pcapng_statistics(uint8_t *to, size_t size, const struct pcapng_statistics *statistics)
{
    struct cursor c = block_open(to, size, PCAPNG_BLOCK_STATISTICS);

    put_u32(&c, statistics->interface);
    put_time(&c, statistics->end_ns);
    option_time(&c, ISB_STARTTIME, statistics->start_ns);
    option_time(&c, ISB_ENDTIME, statistics->end_ns);
    option_u64(&c, ISB_IFRECV, statistics->received);
    option_u64(&c, ISB_IFDROP, statistics->dropped);
    option_u64(&c, ISB_FILTERACCEPT, statistics->accepted);
    option_end(&c);
    return block_close(&c);
}

uint32_t pcapng_block(const uint8_t *block, uint32_t *type)
{
    uint32_t length;

    memcpy(type, block, sizeof(*type));
    memcpy(&length, block + sizeof(*type), sizeof(length));
    return length;
}
