/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Interfaces that come and go under workers that poll them, deliver to them and sleep on them.
 *
 * An uplink and a host's adapter have frames for each other; control takes one of them away again
 * and again as it does when an interface vanishes: publish the port as absent, wait, close what
 * was slept on, free it, and later publish another, now one that can wake a worker, now one that
 * cannot.  A worker that holds on to anything for an instruction too long is a race that the
 * sanitizer sees; and in the end every frame that was taken is accounted for.
 *
 * And a TCP stream that comes by an uplink while coalescing is switched on and off: nothing of it
 * is lost, and it stays in order.
 */
#include "dataplane/dataplane.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "switch/mac.h"
#include "switch/mac_table.h"
#include "switch/offload.h"
#include "switch/vswitch.h"
#include "tests/support/fake_interface.h"
#include "tests/support/random.h"

#define WORKERS      2u
#define PORTS        2u            /* 0: the uplink, 1: the host's adapter */
#define RUN_MS       3000
#define PAUSE_MAX_US 1500u         /* long enough to fall asleep in */
#define MOST_FRAMES  100u
#define SLEEPS       200u
#define FALL_ASLEEP_US 500u
#define FRAME_BYTES  64u
#define HEADER_BYTES 54u           /* of a TCP segment; the rest of a frame is its payload */
#define SEQUENCE_OFF 38u

struct place {
    struct fake_interface *fake;   /* NULL: absent */
    enum fabric_port_kind kind;
    uint64_t taken, refused;       /* of all that were here */
};

struct lab {
    struct dataplane *dataplane;
    struct mac_table *table;
    struct vswitch_model *model;
    struct place place[PORTS];
    uint16_t port[PORTS];
    uint32_t generation;
    uint32_t lives;
};

/* As in test_publish_race.c: DPDK waits for threads inside a library that is not instrumented. */
const char *__tsan_default_suppressions(void);
const char *__tsan_default_suppressions(void)
{
    return "race:dataplane_stop\n";
}

static long now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000L + t.tv_nsec / 1000000L;
}

static uint64_t station_mac(unsigned number)
{
    return UINT64_C(0x020000000001) + number;
}

/* ---- interfaces ------------------------------------------------------------------------------ */

/* Frames are broadcasts with a priority tag, which comes off on the way. */
static void make(struct lab *lab, unsigned number, enum fabric_port_kind kind, bool wakes)
{
    static const uint8_t tag_and_type[] = { 0x81, 0x00, 0x60, 0x00, 0x88, 0xb5 };
    struct fake_interface *fake = fake_interface_create(lab->port[number]);

    fake->takes_notes = false;
    fake->fd = wakes ? eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC) : -1;
    mac_write(MAC_BROADCAST, fake->frame);
    mac_write(station_mac(number), fake->frame + 6);
    memcpy(fake->frame + 12, tag_and_type, sizeof(tag_and_type));
    lab->place[number].fake = fake;
    lab->place[number].kind = kind;
    lab->lives++;
}

static void send_some(struct lab *lab, unsigned number, uint64_t *random)
{
    struct place *place = &lab->place[number];
    const unsigned frames = random_below(random, MOST_FRAMES);

    if (place->fake != NULL) {
        atomic_fetch_add(&place->fake->waiting_frames, frames);
        atomic_fetch_add(&place->fake->waiting_refused, frames % 2);
        place->taken += frames;
        place->refused += frames % 2;
        if (place->fake->fd >= 0) {
            assert_int_equal(eventfd_write(place->fake->fd, 1), 0);
        }
    }
}

static void publish(struct lab *lab)
{
    struct mac_table *table[FABRIC_MAX_SWITCHES] = { NULL };
    struct fabric_endpoint endpoint[FABRIC_MAX_PORTS] = { { 0 } };
    const struct fabric_binding binding = {
        .table = table, .endpoint = endpoint, .worker_count = WORKERS,
    };
    struct fabric *fabric;

    table[lab->model->switches[0].id] = lab->table;
    for (unsigned i = 0; i < PORTS; i++) {
        if (lab->place[i].fake != NULL) {
            endpoint[lab->port[i]] = (struct fabric_endpoint){
                .at = lab->place[i].fake, .kind = lab->place[i].kind, .queues = 1,
            };
        }
    }
    fabric = fabric_compile(lab->model, &binding, ++lab->generation);
    assert_non_null(fabric);
    fabric_destroy(dataplane_publish(lab->dataplane, fabric));
}

static void take_away(struct lab *lab, unsigned number)
{
    struct place *place = &lab->place[number];
    struct fake_interface *fake = place->fake;

    place->fake = NULL;
    publish(lab);
    place->taken -= atomic_load(&fake->waiting_frames);
    place->refused -= atomic_load(&fake->waiting_refused);
    if (fake->fd >= 0) {
        (void)close(fake->fd);
    }
    free(fake);
}

/* ---- the fixture ----------------------------------------------------------------------------- */

/* The first cores that this process may use, one again when there is no other. */
static void choose_cores(uint16_t cores[WORKERS])
{
    cpu_set_t allowed;
    unsigned found = 0;

    assert_int_equal(sched_getaffinity(0, sizeof(allowed), &allowed), 0);
    for (uint16_t cpu = 0; cpu < CPU_SETSIZE && found < WORKERS; cpu++) {
        if (CPU_ISSET(cpu, &allowed)) {
            cores[found++] = cpu;
        }
    }
    for (; found < WORKERS; found++) {
        cores[found] = cores[0];
    }
}

static int make_model(struct lab *lab)
{
    const struct vswitch_switch on = {
        .name = "ext", .type = VSWITCH_EXTERNAL, .mtu_bytes = 1500, .mac_capacity_entries = 64,
        .uplink = "eth9", .host_vnic = true,
    };
    const struct vswitch_switch *made;
    struct error error;

    lab->model = vswitch_model_create(1);
    if (lab->model == NULL || vswitch_add(lab->model, &on, &error) != 0) {
        printf("# %s\n", lab->model == NULL ? "no memory" : error.text);
        return -1;
    }
    made = vswitch_find(lab->model, on.name);
    lab->port[0] = made->uplink_port;
    lab->port[1] = made->host_port;
    /* Pinned, so that no note is made: their ring is DPDK's, whose fences are not seen. */
    for (unsigned i = 0; i < PORTS; i++) {
        (void)mac_table_add_static(lab->table, station_mac(i), 0, lab->port[i]);
    }
    return 0;
}

static int setup(void **state)
{
    static struct lab lab;
    uint16_t cores[WORKERS];
    const struct dataplane_config config = { .cores = cores, .core_count = WORKERS,
                                             .no_huge = true };
    const struct mac_table_config table = { .capacity_entries = 64, .seed = 1 };
    struct error note, error;

    *state = &lab;
    choose_cores(cores);
    lab.dataplane = dataplane_start(&config, &note, &error);
    lab.table = mac_table_create(&table);
    return lab.dataplane == NULL || lab.table == NULL ? -1 : make_model(&lab);
}

static int teardown(void **state)
{
    struct lab *lab = *state;

    dataplane_stop(lab->dataplane);
    mac_table_destroy(lab->table);
    vswitch_model_destroy(lab->model);
    return 0;
}

/* ---- the test -------------------------------------------------------------------------------- */

static uint64_t all_drops(const struct port_counters *counters)
{
    uint64_t sum = 0;

    for (unsigned reason = 0; reason < DROP_REASON_COUNT; reason++) {
        sum += counters->drops[reason];
    }
    return sum;
}

/* With nothing published any more: counters against what the interfaces know. */
static void assert_counters_agree(const struct lab *lab)
{
    uint64_t in = 0, out = 0, lost = 0;

    for (unsigned i = 0; i < PORTS; i++) {
        const struct place *place = &lab->place[i];
        struct port_counters sum;

        dataplane_counters(lab->dataplane, lab->port[i], &sum);
        assert_int_equal(sum.from_frames, place->taken + place->refused);
        assert_int_equal(sum.from_bytes, place->taken * FRAME_BYTES);
        assert_int_equal(sum.from_broadcast, place->taken);
        assert_int_equal(sum.drops[DROP_BAD_OFFLOAD], place->refused);
        assert_int_equal(sum.to_bytes, sum.to_frames * (FRAME_BYTES - 4));
        in += sum.from_frames + sum.flood_copies + sum.segment_copies;
        out += sum.to_frames + sum.coalesced + all_drops(&sum);
        lost += sum.drops[DROP_LINK_DOWN];
    }
    assert_int_equal(in, out);
    assert_true(in > 0);
    printf("# measured: %u interfaces came and went over %lu frames, %lu of them lost to absent "
           "ones\n", lab->lives, (unsigned long)in, (unsigned long)lost);
}

static void test_interfaces_that_go_leave_workers_nothing_that_is_freed(void **state)
{
    struct lab *lab = *state;
    const long end_ms = now_ms() + RUN_MS;
    uint64_t random = 5;

    while (now_ms() < end_ms) {
        const unsigned number = random_below(&random, PORTS);
        const bool wakes = number == 1 || random_below(&random, 3) != 0;

        if (lab->place[number].fake != NULL) {
            take_away(lab, number);
        } else {
            make(lab, number, number == 1 ? FABRIC_PORT_HOST
                              : wakes     ? FABRIC_PORT_PACKET : FABRIC_PORT_NIC, wakes);
            publish(lab);
        }
        for (unsigned turns = random_below(&random, 4); turns > 0; turns--) {
            send_some(lab, random_below(&random, PORTS), &random);
            (void)usleep(random_below(&random, PAUSE_MAX_US));
        }
    }

    for (unsigned i = 0; i < PORTS; i++) {
        if (lab->place[i].fake != NULL) {
            take_away(lab, i);
        }
    }
    assert_counters_agree(lab);
}

/*
 * What is closed is gone at once: a worker that was asleep on it is awake when it is.  Here it is a
 * pipe, which nobody can write to when nobody has its other end; a tap device would keep its name.
 */
static void test_interfaces_that_go_are_not_slept_on_when_they_are_closed(void **state)
{
    struct lab *lab = *state;

    (void)signal(SIGPIPE, SIG_IGN);
    for (unsigned turn = 0; turn < SLEEPS; turn++) {
        int ends[2];

        assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
        make(lab, 0, FABRIC_PORT_PACKET, false);
        lab->place[0].fake->fd = ends[0];
        publish(lab);
        (void)usleep(FALL_ASLEEP_US);
        take_away(lab, 0);

        assert_int_equal(write(ends[1], "", 1), -1);
        assert_int_equal(errno, EPIPE);
        (void)close(ends[1]);
    }
}

/* ---- coalescing ------------------------------------------------------------------------------ */

/* A stream that goes from the uplink to the host; written by workers. */
struct stream {
    uint32_t sent_bytes;
    uint32_t received_bytes;
    uint32_t misplaced;
    uint32_t long_frames;
};

static uint32_t sequence_of(const struct frame *frame)
{
    uint32_t sequence;

    memcpy(&sequence, frame->hdr + SEQUENCE_OFF, sizeof(sequence));
    return be32toh(sequence);
}

static void fill_segment(void *test, struct frame_batch *batch, struct frame *frame)
{
    struct stream *stream = test;
    const uint32_t sequence = htobe32(stream->sent_bytes);

    memcpy(frame->hdr + SEQUENCE_OFF, &sequence, sizeof(sequence));
    frame->csum_state = FRAME_CSUM_CHECKED;
    batch->offload_count++;
    stream->sent_bytes += FRAME_BYTES - HEADER_BYTES;
}

static void look_at_segment(void *test, const struct frame_batch *batch, const struct frame *frame)
{
    struct stream *stream = test;

    (void)batch;
    stream->misplaced += sequence_of(frame) != stream->received_bytes;
    stream->received_bytes += frame->len_bytes - HEADER_BYTES;
    stream->long_frames += frame->gso_type == FRAME_GSO_TCP4;
}

/* An uplink that has segments for the host, and a host that takes long frames. */
static void make_stream(struct lab *lab, struct stream *stream)
{
    static const uint8_t packet[] = {
        0x08, 0x00, 0x45, 0x00, 0x00, 0x32, 0x00, 0x00, 0x40, 0x00, 0x40, 0x06, 0xb6, 0xc2,
        0xc0, 0x00, 0x02, 0x01, 0xc0, 0x00, 0x02, 0x02, 0x13, 0x88, 0x9c, 0x40, 0x00, 0x00,
        0x00, 0x00, 0x01, 0x02, 0x03, 0x04, 0x50, 0x10, 0x7f, 0xff,
    };
    struct fake_interface *uplink, *host;

    make(lab, 0, FABRIC_PORT_PACKET, true);
    make(lab, 1, FABRIC_PORT_HOST, true);
    uplink = lab->place[0].fake;
    host = lab->place[1].fake;
    memset(uplink->frame, 0, sizeof(uplink->frame));
    mac_write(station_mac(1), uplink->frame);
    mac_write(station_mac(0), uplink->frame + 6);
    memcpy(uplink->frame + 12, packet, sizeof(packet));
    uplink->test = host->test = stream;
    uplink->fill = fill_segment;
    host->look = look_at_segment;
    host->takes = OFFLOAD_TAKES_ALL;
}

static struct port_counters uplink_counters(const struct lab *lab)
{
    struct port_counters sum;

    dataplane_counters(lab->dataplane, lab->port[0], &sum);
    return sum;
}

static void test_interfaces_streams_stay_whole_when_coalescing_is_switched(void **state)
{
    struct lab *lab = *state;
    struct port_counters before = uplink_counters(lab), after;
    const long end_ms = now_ms() + RUN_MS;
    struct stream stream = { 0 };
    uint64_t random = 7;

    make_stream(lab, &stream);
    while (now_ms() < end_ms) {
        lab->model->switches[0].coalesce ^= true;
        publish(lab);
        for (unsigned turns = 1 + random_below(&random, 4); turns > 0; turns--) {
            send_some(lab, 0, &random);
            (void)usleep(random_below(&random, PAUSE_MAX_US));
        }
    }
    take_away(lab, 0);
    take_away(lab, 1);

    after = uplink_counters(lab);
    assert_int_equal(stream.misplaced, 0);
    assert_int_equal(stream.received_bytes, stream.sent_bytes);
    assert_true(stream.long_frames > 0);
    assert_true(after.coalesced > before.coalesced);
    printf("# measured: %lu segments, of which %lu were merged into %u frames\n",
           (unsigned long)(after.from_frames - before.from_frames),
           (unsigned long)(after.coalesced - before.coalesced + stream.long_frames),
           stream.long_frames);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_interfaces_that_go_are_not_slept_on_when_they_are_closed),
        cmocka_unit_test(test_interfaces_that_go_leave_workers_nothing_that_is_freed),
        cmocka_unit_test(test_interfaces_streams_stay_whole_when_coalescing_is_switched),
    };

    return cmocka_run_group_tests_name("interface race", tests, setup, teardown);
}
