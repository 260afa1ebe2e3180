/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A capture from inside: what control (capture.c), workers (capture_see.c) and its thread
 * (capture_stream.c) share.
 *
 * Each worker has a lane: its ring, its counters by port, its memory to gather a frame in for the
 * filter.  An interface of the stream is a port under one name: it begins when control names the
 * port, and when the port number is given to another vNIC the next one begins there.  Which of them
 * a record belongs to is told by its time, because control waits a grace period in between.
 */
#ifndef DATAPLANE_CAPTURE_STATE_H
#define DATAPLANE_CAPTURE_STATE_H

#include <pthread.h>
#include <stdatomic.h>

#include <pcap/pcap.h>

#include "dataplane/capture.h"
#include "dataplane/capture_clock.h"
#include "dataplane/capture_match.h"
#include "dataplane/capture_ring.h"
#include "switch/fabric.h"

#define CAPTURE_PORT_WORDS ((FABRIC_MAX_PORTS + 63) / 64)

/* Written by one worker, read by any thread. */
struct capture_counter {
    _Atomic uint64_t seen, matched, lost;
};

struct capture_lane {
    struct capture_ring ring;
    uint8_t *scratch;              /* a whole frame, when there is a filter */
    struct capture_refused refused;
    bool refused_batch;            /* all of the batch that came in last */
    struct capture_counter counter[FABRIC_MAX_PORTS];
} __attribute__((aligned(64)));

struct capture_sum {
    uint64_t seen, matched, lost;
};

#define INTERFACE_NONE UINT32_MAX

struct capture_interface {
    uint32_t previous;             /* of the same port, or INTERFACE_NONE */
    uint16_t port;
    bool over;                     /* another has taken its port: end is what it had */
    uint64_t since_tsc;
    struct capture_sum begin, end; /* the port's counters */
    char name[CAPTURE_NAME_SIZE];
};

/* What control asks of the thread. */
enum { REQUEST_END = 1, REQUEST_DRAIN = 2, REQUEST_ABANDON = 4 };

/* Blocks on their way to the socket. */
struct capture_output {
    uint8_t *data;
    uint32_t size_bytes;
    uint32_t used, sent;           /* bytes */
    uint32_t block;                /* the first block that is not all sent */
};

struct capture {
    /* ---- written at create, read by all ---- */
    struct bpf_program program;    /* when filtered, as the next */
    struct capture_match match;
    bool filtered, drops_only;
    enum capture_direction direction;
    uint32_t snaplen_bytes;
    uint32_t seconds_limit;
    uint64_t frame_limit;          /* UINT64_MAX: none */
    uint16_t workers;
    struct capture_lane *lane;     /* one a worker */
    /* ---- written once by the thread, read by workers ---- */
    atomic_bool closed;            /* nothing more is wanted; a hint, so relaxed */
    /* ---- for the thread ---- */
    char filter[CAPTURE_FILTER_SIZE];
    /* ---- under the lock: control adds, the thread reads ---- */
    pthread_mutex_t lock;
    struct capture_interface *interface;
    uint32_t interface_count, interface_room;
    uint32_t latest[FABRIC_MAX_PORTS];   /* interface of each port, or INTERFACE_NONE */
    /* ---- between control and the thread ---- */
    atomic_uint requests;
    int request_fd;                /* an eventfd, readable after a request */
    /* ---- the thread's ---- */
    pthread_t thread;
    bool started;                  /* control's: there is a thread to join */
    int fd;
    capture_notify notify;
    void *context;
    struct capture_clock clock;
    uint64_t begin_ns;
    uint64_t deadline_ms;          /* of seconds_limit, monotonic; UINT64_MAX: none */
    uint32_t described;            /* interfaces that the stream has */
    uint64_t encoded;              /* frames put into the output */
    struct capture_output output;
    /* ---- written by the thread, read by any ---- */
    _Atomic uint64_t written, written_bytes, undelivered;
    atomic_uint end;               /* enum capture_end_reason */
};

/* Which ports a capture watches. */
struct watch_entry {
    struct capture *capture;
    uint64_t port[CAPTURE_PORT_WORDS];     /* a bit each */
};

struct capture_watch {
    uint16_t count, room;
    struct watch_entry entry[];
};

/** The counters of a port, of all workers.  Thread: any. */
struct capture_sum capture_sum_port(const struct capture *capture, uint16_t port);

/** The reader takes no more: closes the socket, ends the capture.  Thread: the capture's. */
void capture_reader_gone(struct capture *capture);

/** Adds to a counter that only the calling thread writes. */
static inline void capture_count(_Atomic uint64_t *counter, uint64_t more)
{
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + more,
                          memory_order_relaxed);
}

/** Abandons the stream if there is one, and waits for its thread.  Thread: control. */
void capture_stream_join(struct capture *capture);

#endif
