/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Captures, as control makes and ends them, and says which ports they watch.  What workers do is
 * capture_see.c, the stream capture_stream.c.
 */
#include "dataplane/capture.h"

#include <assert.h>
#include <errno.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <rte_cycles.h>

#include "dataplane/capture_filter.h"
#include "dataplane/capture_state.h"
#include "switch/frame_tag.h"

#define RING_BYTES_MIN   (256u << 10)
#define OUTPUT_BYTES     (256u << 10)
#define INTERFACES_MIN   16u
#define SCRATCH_BYTES    (FRAME_MAX_BYTES + FRAME_TAG_BYTES)   /* a tag that egress adds */

/* ---- create and destroy --------------------------------------------------------------------- */

static int lanes_create(struct capture *capture, uint32_t ring_bytes)
{
    const size_t size = capture->workers * sizeof(*capture->lane);

    capture->lane = aligned_alloc(alignof(struct capture_lane), size);
    if (capture->lane == NULL) {
        return -ENOMEM;
    }
    memset(capture->lane, 0, size);
    for (uint16_t i = 0; i < capture->workers; i++) {
        struct capture_lane *lane = &capture->lane[i];

        if (capture_ring_init(&lane->ring, ring_bytes) != 0) {
            return -ENOMEM;
        }
        if (capture->filtered && (lane->scratch = malloc(SCRATCH_BYTES)) == NULL) {
            return -ENOMEM;
        }
    }
    return 0;
}

static void lanes_destroy(struct capture *capture)
{
    for (uint16_t i = 0; capture->lane != NULL && i < capture->workers; i++) {
        capture_ring_free(&capture->lane[i].ring);
        free(capture->lane[i].scratch);
    }
    free(capture->lane);
}

static int filter_set(struct capture *capture, const char *filter, struct error *error)
{
    int status;

    if (filter == NULL || filter[0] == '\0') {
        return 0;
    }
    if (strlen(filter) >= sizeof(capture->filter)) {
        return error_set(error, EINVAL,
                         "the filter is longer than the %zu characters that a capture takes; "
                         "write it shorter", sizeof(capture->filter) - 1);
    }
    status = capture_filter_compile(filter, &capture->program, error);
    if (status == 0) {
        capture->filtered = true;
        capture_match_learn(&capture->match, &capture->program);
        memcpy(capture->filter, filter, strlen(filter) + 1);
    }
    return status;
}

static int config_check(const struct capture_config *config, struct error *error)
{
    const uint32_t snaplen = config->snaplen_bytes;

    if (snaplen != 0 && (snaplen < CAPTURE_SNAPLEN_MIN || snaplen > CAPTURE_SNAPLEN_MAX)) {
        return error_set(error, EINVAL,
                         "a capture cannot keep %u bytes of each frame; choose a snaplen from %u "
                         "to %u", snaplen, CAPTURE_SNAPLEN_MIN, CAPTURE_SNAPLEN_MAX);
    }
    return 0;
}

static int capture_fill(struct capture *capture, const struct capture_config *config,
                        struct error *error)
{
    const uint32_t ring_bytes = config->ring_bytes != 0 ? config->ring_bytes : CAPTURE_RING_BYTES;
    int status = config_check(config, error);

    assert(ring_bytes >= RING_BYTES_MIN && (ring_bytes & (ring_bytes - 1)) == 0);
    if (status == 0) {
        status = filter_set(capture, config->filter, error);
    }
    if (status != 0) {
        return status;
    }
    capture->request_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    capture->output.data = malloc(OUTPUT_BYTES);
    capture->output.size_bytes = OUTPUT_BYTES;
    if (capture->request_fd < 0 || capture->output.data == NULL ||
        lanes_create(capture, ring_bytes) != 0) {
        return error_set(error, ENOMEM,
                         "there is no memory left for a capture, which takes %u KiB for each "
                         "worker; stop another first", ring_bytes >> 10);
    }
    return 0;
}

struct capture *capture_create(const struct capture_config *config, uint16_t workers,
                               struct error *error)
{
    struct capture *capture = calloc(1, sizeof(*capture));

    if (capture == NULL) {
        error_set(error, ENOMEM, "there is no memory left for a capture");
        return NULL;
    }
    capture->direction = config->direction;
    capture->drops_only = config->drops_only;
    capture->snaplen_bytes =
        config->snaplen_bytes != 0 ? config->snaplen_bytes : CAPTURE_SNAPLEN_MAX;
    capture->frame_limit = config->frame_limit != 0 ? config->frame_limit : UINT64_MAX;
    capture->seconds_limit = config->seconds_limit;
    capture->workers = workers;
    capture->request_fd = -1;
    capture->fd = -1;
    memset(capture->latest, 0xff, sizeof(capture->latest));
    pthread_mutex_init(&capture->lock, NULL);
    if (capture_fill(capture, config, error) != 0) {
        capture_destroy(capture);
        return NULL;
    }
    return capture;
}

void capture_destroy(struct capture *capture)
{
    if (capture == NULL) {
        return;
    }
    capture_stream_join(capture);
    if (capture->filtered) {
        pcap_freecode(&capture->program);
    }
    if (capture->request_fd >= 0) {
        close(capture->request_fd);
    }
    lanes_destroy(capture);
    free(capture->output.data);
    free(capture->interface);
    pthread_mutex_destroy(&capture->lock);
    free(capture);
}

/* ---- numbers -------------------------------------------------------------------------------- */

static uint64_t counter_get(const _Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

struct capture_sum capture_sum_port(const struct capture *capture, uint16_t port)
{
    struct capture_sum sum = { 0 };

    for (uint16_t i = 0; i < capture->workers; i++) {
        const struct capture_counter *counter = &capture->lane[i].counter[port];

        sum.seen += counter_get(&counter->seen);
        sum.matched += counter_get(&counter->matched);
        sum.lost += counter_get(&counter->lost);
    }
    return sum;
}

void capture_result(const struct capture *capture, struct capture_result *result)
{
    *result = (struct capture_result){
        .end = atomic_load_explicit(&capture->end, memory_order_relaxed),
        .written = counter_get(&capture->written),
        .written_bytes = counter_get(&capture->written_bytes),
        .dropped_by_reader = counter_get(&capture->undelivered),
    };
    for (uint16_t port = 0; port < FABRIC_MAX_PORTS; port++) {
        const struct capture_sum sum = capture_sum_port(capture, port);

        result->seen += sum.seen;
        result->matched += sum.matched;
        result->dropped_by_reader += sum.lost;
    }
}

const char *capture_end_text(enum capture_end_reason reason)
{
    static const char *const texts[CAPTURE_END_COUNT] = {
#define X(name, text) [CAPTURE_END_##name] = text,
        CAPTURE_ENDS(X)
#undef X
    };

    return (unsigned)reason < CAPTURE_END_COUNT ? texts[reason] : "unknown";
}

/* ---- the watch ------------------------------------------------------------------------------ */

struct capture_watch *capture_watch_create(uint16_t captures_max)
{
    struct capture_watch *watch =
        calloc(1, sizeof(*watch) + captures_max * sizeof(struct watch_entry));

    if (watch != NULL) {
        watch->room = captures_max;
    }
    return watch;
}

void capture_watch_destroy(struct capture_watch *watch)
{
    free(watch);
}

/* Under the lock. */
static int interface_add(struct capture *capture, uint16_t port, const char *name)
{
    const uint32_t previous = capture->latest[port];
    struct capture_interface *interface;
    const struct capture_sum sum = capture_sum_port(capture, port);

    if (capture->interface_count == capture->interface_room) {
        const uint32_t room = capture->interface_room * 2 + INTERFACES_MIN;
        struct capture_interface *grown =
            realloc(capture->interface, room * sizeof(*capture->interface));

        if (grown == NULL) {
            return -ENOMEM;
        }
        capture->interface = grown;
        capture->interface_room = room;
    }
    if (previous != INTERFACE_NONE) {
        capture->interface[previous].over = true;
        capture->interface[previous].end = sum;
    }
    interface = &capture->interface[capture->interface_count];
    *interface = (struct capture_interface){
        .previous = previous, .port = port, .since_tsc = rte_rdtsc(), .begin = sum,
    };
    strncpy(interface->name, name, sizeof(interface->name) - 1);
    capture->latest[port] = capture->interface_count++;
    return 0;
}

static int port_name(struct capture *capture, uint16_t port, const char *name)
{
    int status = 0;

    pthread_mutex_lock(&capture->lock);
    if (capture->latest[port] == INTERFACE_NONE ||
        strncmp(capture->interface[capture->latest[port]].name, name,
                CAPTURE_NAME_SIZE - 1) != 0) {
        status = interface_add(capture, port, name);
    }
    pthread_mutex_unlock(&capture->lock);
    return status;
}

int capture_watch_add(struct capture_watch *watch, struct capture *capture, uint16_t port,
                      const char *name)
{
    uint16_t i = 0;

    assert(port < FABRIC_MAX_PORTS);
    while (i < watch->count && watch->entry[i].capture != capture) {
        i++;
    }
    if (i == watch->room) {
        return -ENOSPC;
    }
    if (port_name(capture, port, name) != 0) {
        return -ENOMEM;
    }
    if (i == watch->count) {
        watch->entry[i].capture = capture;
        watch->count++;
    }
    watch->entry[i].port[port / 64] |= 1ull << (port % 64);
    return 0;
}
