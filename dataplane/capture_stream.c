/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A capture's thread: runs, ends, waits until no worker sees the capture, writes the rest.
 *
 * It has one place to wait, for control, for the reader and for the time, and looks at the rings
 * whenever that returns: so a worker has nobody to wake.
 *
 * A worker stamps a batch a moment before its records can be seen.  So that frames of two workers
 * do not change places, a record is taken only when it is SETTLE_NS old.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <rte_cycles.h>

#include "dataplane/capture.h"
#include "dataplane/capture_output.h"
#include "dataplane/capture_state.h"

#define SETTLE_NS         1e6
#define IDLE_MS           20       /* how long a frame may wait when there was none before it */
#define BUSY_MS           1
#define FIRST_RATE_MS     10       /* between the first two readings of the clocks */
#define STALL_MS          1000     /* at the end: a reader that takes nothing, */
#define DRAIN_MS          5000     /* and one that only takes slowly */

static uint64_t monotonic_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static unsigned requests(const struct capture *capture)
{
    return atomic_load_explicit(&capture->requests, memory_order_acquire);
}

static enum capture_end_reason ended(const struct capture *capture)
{
    return atomic_load_explicit(&capture->end, memory_order_relaxed);
}

/* The first reason stands. */
static void end_because(struct capture *capture, enum capture_end_reason reason)
{
    if (ended(capture) == CAPTURE_END_NONE) {
        atomic_store_explicit(&capture->end, reason, memory_order_relaxed);
        atomic_store_explicit(&capture->closed, true, memory_order_relaxed);
    }
}

void capture_reader_gone(struct capture *capture)
{
    close(capture->fd);
    capture->fd = -1;
    end_because(capture, CAPTURE_END_READER);
}

/* ---- the thread ----------------------------------------------------------------------------- */

/*
 * Waits for a request, for the reader to take more or to go, or for the time.
 * @return whether the reader has shut down its half
 */
static bool stream_wait(struct capture *capture, int timeout_ms)
{
    const short wanted = capture_output_empty(capture) ? 0 : POLLOUT;
    const short half = ended(capture) == CAPTURE_END_NONE ? POLLRDHUP : 0;
    struct pollfd waits[] = {
        { .fd = capture->request_fd, .events = POLLIN },
        { .fd = capture->fd, .events = (short)(wanted | half) },
    };
    uint64_t count;

    if (poll(waits, 2, timeout_ms) <= 0) {
        return false;
    }
    if ((waits[0].revents & POLLIN) != 0 &&
        read(capture->request_fd, &count, sizeof(count)) < 0 && errno != EAGAIN) {
        return false;
    }
    if ((waits[1].revents & (POLLHUP | POLLERR)) != 0) {
        capture_reader_gone(capture);
        return false;
    }
    return (waits[1].revents & POLLRDHUP) != 0;
}

static void stream_run(struct capture *capture)
{
    while (ended(capture) == CAPTURE_END_NONE) {
        const uint64_t encoded = capture->encoded;
        const uint64_t settle_tsc = (uint64_t)(SETTLE_NS / capture->clock.ns_per_tsc);
        const bool more = capture_output_fill(capture, rte_rdtsc() - settle_tsc);
        int timeout_ms = capture->encoded > encoded ? BUSY_MS : IDLE_MS;

        capture_output_flush(capture);
        if (capture_output_empty(capture) && more) {
            timeout_ms = 0;
        }
        if (stream_wait(capture, timeout_ms) || requests(capture) != 0) {
            end_because(capture, CAPTURE_END_STOPPED);
        }
        if (capture->encoded == capture->frame_limit) {
            end_because(capture, CAPTURE_END_FRAMES);
        }
        if (monotonic_ms() >= capture->deadline_ms) {
            end_because(capture, CAPTURE_END_SECONDS);
        }
    }
}

/* Until control says that no worker sees it any more, the reader is given what was encoded. */
static void stream_wait_unwatched(struct capture *capture)
{
    while ((requests(capture) & (REQUEST_DRAIN | REQUEST_ABANDON)) == 0) {
        capture_output_flush(capture);
        stream_wait(capture, capture->fd < 0 ? -1 : STALL_MS);
    }
}

static void stream_drain(struct capture *capture)
{
    const uint64_t begin_ms = monotonic_ms();
    uint64_t moved_ms = begin_ms;
    uint32_t told = 0;                         /* interfaces with statistics */
    bool more = true;

    while (capture->fd >= 0 && (requests(capture) & REQUEST_ABANDON) == 0) {
        more = more && capture_output_fill(capture, rte_rdtsc());
        if (!more && told < capture->described) {
            told = capture_output_statistics(capture, told);
        }
        if (capture_output_flush(capture)) {
            moved_ms = monotonic_ms();
        }
        if (capture_output_empty(capture) && !more && told == capture->described) {
            return;
        }
        if (monotonic_ms() - moved_ms >= STALL_MS || monotonic_ms() - begin_ms >= DRAIN_MS) {
            return;
        }
        if (!capture_output_empty(capture)) {
            stream_wait(capture, IDLE_MS);
        }
    }
}

/* What matched and was not written: all of it is the reader's doing, but behind a frame limit. */
static void count_undelivered(struct capture *capture)
{
    uint64_t left = capture->encoded -
                    atomic_load_explicit(&capture->written, memory_order_relaxed);

    for (uint16_t i = 0; i < capture->workers && capture->encoded < capture->frame_limit; i++) {
        while (capture_ring_peek(&capture->lane[i].ring) != NULL) {
            capture_ring_next(&capture->lane[i].ring);
            left++;
        }
    }
    capture_count(&capture->undelivered, left);
}

static void tell(struct capture *capture, enum capture_event event)
{
    if ((requests(capture) & REQUEST_ABANDON) == 0) {
        capture->notify(capture->context, event);
    }
}

static void *stream(void *arg)
{
    struct capture *capture = arg;

    pthread_setname_np(pthread_self(), "capture");
    capture_output_section(capture);
    capture_output_flush(capture);
    usleep(FIRST_RATE_MS * 1000);
    capture_clock_sync(&capture->clock, capture_clock_now());
    stream_run(capture);
    tell(capture, CAPTURE_ENDED);
    stream_wait_unwatched(capture);
    stream_drain(capture);
    count_undelivered(capture);
    if (capture->fd >= 0) {
        close(capture->fd);
    }
    tell(capture, CAPTURE_DONE);
    return NULL;
}

/* ---- control -------------------------------------------------------------------------------- */

/* The thread takes no signals: they are control's. */
static int thread_start(struct capture *capture)
{
    sigset_t all, before;
    int status;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    status = pthread_create(&capture->thread, NULL, stream, capture);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return status;
}

int capture_stream(struct capture *capture, int fd, capture_notify notify, void *context,
                   struct error *error)
{
    const struct capture_moment now = capture_clock_now();
    int status;

    capture->fd = fd;
    capture->notify = notify;
    capture->context = context;
    capture->begin_ns = now.utc_ns;
    capture->deadline_ms = capture->seconds_limit != 0
                               ? monotonic_ms() + 1000ull * capture->seconds_limit
                               : UINT64_MAX;
    capture_clock_start(&capture->clock, now);
    status = thread_start(capture);
    if (status != 0) {
        close(fd);
        return error_set(error, status, "the capture's thread could not be started: %s",
                         strerror(status));
    }
    capture->started = true;
    return 0;
}

static void request(struct capture *capture, unsigned what)
{
    atomic_fetch_or_explicit(&capture->requests, what, memory_order_release);
    eventfd_write(capture->request_fd, 1);
}

void capture_end(struct capture *capture)
{
    request(capture, REQUEST_END);
}

void capture_drain(struct capture *capture)
{
    request(capture, REQUEST_DRAIN);
}

void capture_stream_join(struct capture *capture)
{
    if (capture->started) {
        request(capture, REQUEST_ABANDON);
        pthread_join(capture->thread, NULL);
    }
}
