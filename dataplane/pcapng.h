/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pcapng blocks, encoded into the caller's memory: no file, no clock, no allocation.
 *
 * Written here because libpcap writes only the classic format, which has no interfaces, directions
 * or comments, and because four kinds of blocks are all that a capture needs.  Numbers are in the
 * byte order of this machine, as the format wants it: the section header tells the reader which.
 *
 * Every encoder returns the bytes it wrote, a multiple of 4, or 0 when the block does not fit in
 * @p size, and then what is at @p to has no meaning.  Texts are cut at PCAPNG_TEXT_MAX bytes, NULL
 * or empty ones are left out.  Thread: any.
 *
 * Standard: draft-ietf-opsawg-pcapng, sections named at each.
 */
#ifndef DATAPLANE_PCAPNG_H
#define DATAPLANE_PCAPNG_H

#include <stddef.h>
#include <stdint.h>

#define PCAPNG_TEXT_MAX         2048u
#define PCAPNG_PACKET_OVERHEAD  (64u + PCAPNG_TEXT_MAX)   /* of a packet block, over its data */

#define PCAPNG_BLOCK_SECTION    0x0a0d0d0au
#define PCAPNG_BLOCK_INTERFACE  1u
#define PCAPNG_BLOCK_STATISTICS 5u
#define PCAPNG_BLOCK_PACKET     6u

/* How the packet met the interface: bits 0 and 1 of epb_flags. */
enum pcapng_direction { PCAPNG_UNKNOWN = 0, PCAPNG_INBOUND = 1, PCAPNG_OUTBOUND = 2 };

/** Section Header Block (4.1): the first block; its length is left open, as for any live stream. */
size_t pcapng_section(uint8_t *to, size_t size, const char *hardware, const char *os,
                      const char *application);

/**
 * Interface Description Block (4.2), for Ethernet frames and nanoseconds.  Interfaces are numbered
 * from 0 in the order of their blocks.
 *
 * @param filter  the libpcap expression its packets passed
 */
size_t pcapng_interface(uint8_t *to, size_t size, const char *name, uint32_t snaplen_bytes,
                        const char *filter);

struct pcapng_packet {
    uint32_t interface;
    uint64_t time_ns;              /* since 1970, UTC */
    const uint8_t *data;
    uint32_t captured_bytes;       /* at data */
    uint32_t original_bytes;       /* what the frame had */
    enum pcapng_direction direction;
    const char *comment;
};

/** Enhanced Packet Block (4.3). */
size_t pcapng_packet(uint8_t *to, size_t size, const struct pcapng_packet *packet);

struct pcapng_statistics {
    uint32_t interface;
    uint64_t start_ns, end_ns;     /* of the capture; end is also the block's time */
    uint64_t received;             /* isb_ifrecv: frames that passed the interface */
    uint64_t accepted;             /* isb_filteraccept: of these, what the filter let through */
    uint64_t dropped;              /* isb_ifdrop: of these, what was lost for lack of room */
};

/** Interface Statistics Block (4.6). */
size_t pcapng_statistics(uint8_t *to, size_t size, const struct pcapng_statistics *statistics);

/**
 * Type and length of the encoded block at @p block; at least 8 bytes must be there.
 *
 * @return its whole length in bytes
 */
uint32_t pcapng_block(const uint8_t *block, uint32_t *type);

#endif
