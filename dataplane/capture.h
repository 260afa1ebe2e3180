/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Captures: what passes the ports of the switch, as a pcapng stream to whoever reads it.
 *
 * A worker never waits for a reader and never meets another thread.  It copies what a capture asked
 * for into a ring of its own; the capture's thread takes from the rings of all workers, in the
 * order of time, and writes to the reader's socket.  What finds a ring full is lost and counted, so
 * a slow reader costs itself only.
 *
 * Which captures look at which ports is a struct capture_watch: immutable, part of the published
 * fabric, and NULL there while nobody looks, so that not capturing costs one branch a batch.
 *
 * The life of a capture, on the control thread:
 *
 *     capture_create()          a filter or limit that makes no sense is refused here
 *     capture_stream()          takes the socket, starts the thread
 *     capture_watch_add()       in the watch of every fabric published from now on
 *       ...                     frames flow, until a limit, the reader, or capture_end()
 *     notify(CAPTURE_ENDED)     publish a fabric without it, wait the grace period, then
 *     capture_drain()           the thread writes what is left in the rings and closes the socket
 *     notify(CAPTURE_DONE)      the result is final
 *     capture_destroy()
 *
 * No step of it blocks.  In a hurry (the daemon stops) capture_destroy() may be called at any time
 * after which no worker can see the capture: then the rest of the stream is abandoned.
 */
#ifndef DATAPLANE_CAPTURE_H
#define DATAPLANE_CAPTURE_H

#include <stdbool.h>
#include <stdint.h>

#include "switch/error.h"
#include "switch/frame.h"

#define CAPTURE_SNAPLEN_MIN      14u       /* an Ethernet header */
#define CAPTURE_SNAPLEN_MAX      262144u   /* as libpcap's own tools; longer than any frame */
#define CAPTURE_RING_BYTES       (4u << 20)
#define CAPTURE_FILTER_SIZE      2048u
#define CAPTURE_NAME_SIZE        264u      /* of an interface, "vnic:NAME", "uplink:WHERE" */

/* Which way a frame passed its port, as the switch sees it. */
enum capture_direction {
    CAPTURE_IN = 1,                /* from the port into the switch */
    CAPTURE_OUT = 2,               /* from the switch to the port */
    CAPTURE_BOTH = CAPTURE_IN | CAPTURE_OUT,
};

/* Why a capture ended, and what an operator reads of it. */
#define CAPTURE_ENDS(X)                                \
    X(NONE,    "still running")                        \
    X(FRAMES,  "the number of frames was reached")     \
    X(SECONDS, "the time was over")                    \
    X(STOPPED, "it was stopped")                       \
    X(READER,  "the reader went away")

enum capture_end_reason {
#define X(name, text) CAPTURE_END_##name,
    CAPTURE_ENDS(X)
#undef X
    CAPTURE_END_COUNT
};

/* What the capture's thread tells control. */
enum capture_event {
    CAPTURE_ENDED,                 /* unpublish it, wait the grace period, then capture_drain() */
    CAPTURE_DONE,                  /* the socket is closed and the result final */
};

/** Called once for each event, in that order.  Thread: the capture's; must not block for long. */
typedef void (*capture_notify)(void *context, enum capture_event event);

struct capture_config {
    const char *filter;            /* a libpcap expression, borrowed; NULL or "": everything */
    enum capture_direction direction;
    uint32_t snaplen_bytes;        /* 0: CAPTURE_SNAPLEN_MAX */
    uint64_t frame_limit;          /* ends after exactly so many are written; 0: none */
    uint32_t seconds_limit;        /* ends so long after capture_stream(); 0: none */
    bool drops_only;               /* only what the switch dropped */
    uint32_t ring_bytes;           /* a worker; a power of two from 256 KiB; 0: the default */
};

/*
 * The numbers of a capture.  When it is done, and no frame limit cut it off,
 * matched == written + dropped_by_reader.
 */
struct capture_result {
    uint64_t seen;                 /* frames that passed the ports in the direction asked for */
    uint64_t matched;              /* of these, what filter and drops_only let through */
    uint64_t written;              /* of these, what the reader's socket has taken, whole */
    uint64_t dropped_by_reader;    /* of these, lost because the reader was slow or gone */
    uint64_t written_bytes;        /* of the stream */
    enum capture_end_reason end;
};

struct capture;
struct capture_watch;

/* ---- control ------------------------------------------------------------------------------- */

/**
 * Makes a capture that nothing feeds yet.  All memory it will need on the workers' side is taken
 * here: the rings, config->ring_bytes for each worker.
 *
 * @param workers  how many may call capture_see(), numbered from 0
 * @return owned, for capture_destroy(); NULL with a sentence in @p error: the filter is refused
 *         with libpcap's reason, the snaplen is out of range, memory is short
 * Thread: control.
 */
struct capture *capture_create(const struct capture_config *config, uint16_t workers,
                               struct error *error);

/**
 * Starts the stream: section header, interfaces, frames, and at the end statistics per interface.
 *
 * A reader that closes the socket ends the capture.  One that shuts down its writing half asks for
 * an orderly end, and is given the rest of the stream.
 *
 * @param fd       a connected stream socket; taken, also on error
 * @param notify   told when the capture has ended and when it is done
 * @param context  borrowed until CAPTURE_DONE was told or capture_destroy() returned
 * @return 0, or a negative errno with a sentence
 * Thread: control, once a capture.
 */
int capture_stream(struct capture *capture, int fd, capture_notify notify, void *context,
                   struct error *error);

/** Asks for the end; notify(CAPTURE_ENDED) follows.  Does not block.  Thread: any. */
void capture_end(struct capture *capture);

/**
 * Says that no worker sees the capture any more: it is in no published watch, and a grace period is
 * over.  The thread then writes what the rings hold and ends.  A reader that takes nothing for a
 * second is given up, one that is only slow after five.  Does not block.  Thread: control.
 */
void capture_drain(struct capture *capture);

/** The numbers so far; final once CAPTURE_DONE was told.  Thread: any. */
void capture_result(const struct capture *capture, struct capture_result *result);

/** The operator's text for @p reason; never NULL.  Thread: any. */
const char *capture_end_text(enum capture_end_reason reason);

/**
 * Ends what is left of it at once, waits for its thread and frees it.  No worker may see it any
 * more.  After return notify is not called.  NULL is fine.  Thread: control, never from notify.
 */
void capture_destroy(struct capture *capture);

/* ---- which captures watch which ports: built by control, read by workers --------------------- */

/**
 * An empty watch, for the `watch` of a fabric that is being built.
 *
 * @param captures_max  how many captures will be added
 * @return owned, for capture_watch_destroy() after the grace period of its fabric; NULL when memory
 *         is short.  An empty one should not be published: NULL is cheaper.
 * Thread: control.
 */
struct capture_watch *capture_watch_create(uint16_t captures_max);

/**
 * Lets @p capture (borrowed) see @p port, which is called @p name from now on.
 *
 * A port that the capture has not seen under this name becomes an interface of the stream, also in
 * the middle of it; so a port number that is used again for another vNIC is another interface.
 *
 * @param port  below FABRIC_MAX_PORTS
 * @param name  "vnic:NAME" and the like; copied, cut at CAPTURE_NAME_SIZE
 * @return 0; -ENOMEM; -ENOSPC when captures_max others are in the watch
 * Thread: control.
 */
int capture_watch_add(struct capture_watch *watch, struct capture *capture, uint16_t port,
                      const char *name);

void capture_watch_destroy(struct capture_watch *watch);      /* NULL is fine */

/* ---- workers --------------------------------------------------------------------------------- */

/**
 * Shows frames that pass a port, as they are, to the captures that watch it.
 *
 * Egress calls it once a destination after delivery was tried, when the frames still are as that
 * destination wants them: tagged or not, segments of what was cut.
 *
 * @param watch      of the fabric loaded this turn; not NULL
 * @param worker     the caller's number
 * @param direction  CAPTURE_IN or CAPTURE_OUT
 * @param index      which frames of @p batch; NULL: the first @p count
 * @param count      frames, at most FRAME_BURST
 * @param verdict    of each: VNIC_DELIVERED or an enum drop_reason; NULL: as the frame says,
 *                   dropped for its drop_reason when its port_out is PORT_NONE
 * Thread: worker @p worker.  Does not block, allocate or log; counts what finds the ring full.
 */
void capture_see(const struct capture_watch *watch, uint16_t worker, uint16_t port,
                 enum capture_direction direction, const struct frame_batch *batch,
                 const uint8_t *index, uint16_t count, const uint8_t *verdict);

/**
 * Shows what came from batch->port_in as it came: with the tags that forward took out.
 *
 * Ingress calls it once a batch after the decision, while nothing else has been done to the frames;
 * @p batch is afterwards as it was.
 * Thread: worker @p worker, as above.
 */
void capture_see_in(const struct capture_watch *watch, uint16_t worker, struct frame_batch *batch);

#endif
