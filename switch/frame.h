/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The one packet type: a trusted header, a gather list, and facts about both.
 *
 * A frame never owns its payload.  Its first bytes (at most FRAME_HDR_BYTES) are in memory that no
 * guest can reach, and every decision is made from them; the rest is listed where it lies, in guest
 * memory or in an mbuf, and is only ever copied.  Where the bytes live is a property of the batch,
 * because a batch comes from one queue of one port, so that no code has to ask it per frame.
 *
 * In flight a frame is untagged: the tag it came with, or was given, is in vlan_tci, and is written
 * at delivery, for each destination as its port wants it.
 */
#ifndef SWITCH_FRAME_H
#define SWITCH_FRAME_H

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

#define FRAME_BURST       32u      /* frames in a batch, at most */
#define FRAME_HDR_BYTES   124u     /* trusted bytes of a frame, at most, as it comes in */
#define FRAME_HDR_SLOT_BYTES 128u  /* with the room that a tag needs in front of the next header */
#define FRAME_HEADROOM_BYTES 64u   /* in front of the first header: 4, aligned as slots are */
#define FRAME_RUNS        1088u    /* runs in a batch: a chain as long as a ring may be, and more */
#define FRAME_MAX_BYTES   65562u   /* 65,535 bytes of payload, an Ethernet header, a tag or two */
#define FRAME_MIN_BYTES   14u      /* an Ethernet header; what is shorter has no destination */

/* What frame.port_out may say instead of a port. */
#define PORT_NONE   0xffffu        /* the frame ends here: drop_reason says why */
#define PORT_FLOOD  0xfffeu        /* to every port of the switch but the one it came from */

/* What is left to do about a checksum, as a sender asked for it.  Standard: virtio 1.2, 5.1.6. */
enum frame_csum {
    FRAME_CSUM_AS_IT_IS,           /* nothing: the bytes are to be taken as they stand */
    FRAME_CSUM_PARTIAL,            /* sum from csum_start on, store at csum_start + csum_offset */
    FRAME_CSUM_CHECKED             /* as it is, and somebody who is trusted found it right */
};

/* A frame longer than its receiver's MTU that is to be cut into segments of gso_size bytes. */
enum frame_gso { FRAME_GSO_NONE, FRAME_GSO_TCP4, FRAME_GSO_TCP6, FRAME_GSO_UDP };

/* A piece of payload: range-checked when it was listed, copied from, never believed. */
struct frame_run {
    const uint8_t *data;
    uint32_t len_bytes;
    uint32_t reserved;
};

struct frame {
    /* ---- written where the frame enters, read by all ---- */
    uint8_t *hdr;                  /* trusted bytes, the Ethernet header first */
    uint32_t len_bytes;            /* the whole frame: no FCS, no virtio header */
    uint16_t hdr_len_bytes;        /* bytes at hdr; the other len - hdr_len are in the runs */
    uint16_t seg_first;            /* first run in batch->run[] */
    uint16_t seg_count;
    uint16_t port_in;
    /* ---- written by forward ---- */
    uint16_t port_out;             /* a port, PORT_FLOOD or PORT_NONE */
    uint16_t vlan_tci;             /* in flight: its VLAN and priority; 0: none */
    /* ---- offload facts, verified before they get here ---- */
    uint16_t gso_size_bytes;
    uint16_t csum_start_bytes;
    uint16_t csum_offset_bytes;
    uint8_t  gso_type;             /* enum frame_gso */
    uint8_t  csum_state;           /* enum frame_csum */
    uint16_t l3_off_bytes;
    uint16_t l4_off_bytes;
    uint32_t flow_hash;            /* equal for the frames of one flow; 0 without a flow */
    uint8_t  drop_reason;          /* enum drop_reason, when port_out is PORT_NONE */
    /* ---- the tag: see frame_tag.h; all 0 where a frame enters ---- */
    uint8_t  tagged;               /* hdr has the tag in it now */
    uint8_t  came_tagged;
    uint16_t tci_in;               /* as it came, when it came tagged */
} __attribute__((aligned(64)));
static_assert(sizeof(struct frame) == 64, "a frame is one cache line");

/*
 * What one queue gave in one turn.  About 23 KiB, private to a worker, in its cache.
 *
 * A tag is put in front of a header in place, into the end of the slot before, which no header
 * reaches.  So whoever fills hdr[] leaves the last 4 bytes of a slot alone, and who points hdr
 * elsewhere sees to it that 4 bytes before it are writable.
 */
struct frame_batch {
    uint16_t count;                /* frames */
    uint16_t run_count;            /* runs used */
    uint16_t port_in;              /* all frames of a batch come from one port */
    uint16_t flood_count;          /* frames with PORT_FLOOD, counted by forward */
    uint16_t offload_count;        /* frames whose csum_state is another than AS_IT_IS: the source
                                      counts; only they may have a gso_type */
    bool altered;                  /* headers may be other than they came: by tags, by merging, by
                                      a team's address; the source says no */
    struct frame frame[FRAME_BURST] __attribute__((aligned(64)));
    uint8_t headroom[FRAME_HEADROOM_BYTES] __attribute__((aligned(64)));   /* of hdr[0] */
    uint8_t hdr[FRAME_BURST][FRAME_HDR_SLOT_BYTES];
    struct frame_run run[FRAME_RUNS];
};

#endif
