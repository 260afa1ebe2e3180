/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The two published pointers under everything at once: fabrics come and go, a vNIC is removed and
 * made anew, queues go from worker to worker, and devices are retired and built, while real workers
 * poll, deliver, and fall asleep.
 *
 * There are two writers, as in the daemon: this thread has the part of control, another that of the
 * vhost thread.  What is retired is freed at once after its grace period, memory of the guest
 * included, so a worker that holds on to anything for an instruction too long is a race that the
 * sanitizer sees.  Every device is born with its frames already in its rings, because a driver that
 * writes shared memory beside the device is a race by design; so the frames can also be counted:
 * what the rings say was taken and delivered is what the counters must say.
 */
#include "dataplane/dataplane.h"

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "dataplane/counters.h"
#include "switch/mac.h"
#include "switch/mac_table.h"
#include "switch/vswitch.h"
#include "tests/support/random.h"
#include "vnic/vnic.h"

#define STATIONS      4u
#define COMES_AND_GOES 3u          /* the station that control removes; the others stay */
#define PAIRS         4u
#define WORKERS       2u
#define RING          64u
#define FRAMES        24u          /* that a transmit ring is born with */
#define FRAME_BYTES   60u
#define SLOT_BYTES    128u
#define GPA           UINT64_C(0x1000)
#define RUN_MS        3000
#define PAUSE_MAX_US  400u

/* Guest memory: rings first, then one slot for each descriptor of each ring. */
struct guest_rings {
    struct {
        struct vring_desc desc[RING] __attribute__((aligned(16)));
        struct { uint16_t flags, idx, ring[RING + 1]; } avail;
        struct {
            uint16_t flags, idx;
            struct vring_used_elem ring[RING];
            uint16_t event;
        } used __attribute__((aligned(4)));
        uint8_t slot[RING][SLOT_BYTES];
    } ring[2 * PAIRS];
};

struct station {
    struct vnic *vnic;
    uint16_t port;
    uint64_t taken;                /* frames, as the rings of all its devices said at their end */
    uint64_t delivered;
};

struct lab {
    struct dataplane *dataplane;
    struct mac_table *table;
    struct vswitch_model *all;
    struct vswitch_model *without; /* the station that comes and goes */
    struct station station[STATIONS];
    uint32_t generation;
    atomic_bool stop;
    uint32_t lives;
    uint32_t publishes;
    struct fabric_owners owners;   /* of the queues, as they are published */
};

/*
 * When a worker has returned from its loop, DPDK tells the thread that waits for it by an atomic of
 * its own, inside a library that is not instrumented.
 */
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

/* ---- devices --------------------------------------------------------------------------------- */

/* Every third frame is a broadcast, the others go round the stations. */
static void write_frame(uint8_t *slot, unsigned from, unsigned n)
{
    memset(slot, 0, SLOT_BYTES);
    slot += 12;                                                /* the virtio-net header */
    mac_write(n % 3 == 0 ? MAC_BROADCAST : station_mac((from + n) % STATIONS), slot);
    mac_write(station_mac(from), slot + 6);
    slot[12] = 0x88;                                           /* an experimental ethertype */
    slot[13] = 0xb5;
}

static void fill_ring(struct guest_rings *guest, unsigned index, unsigned from, int kick_fd,
                      struct virtqueue *queue)
{
    const bool transmits = index % 2 == 1;
    const uint64_t slots = GPA + (uint64_t)((uint8_t *)guest->ring[index].slot - (uint8_t *)guest);

    for (uint16_t i = 0; i < RING; i++) {
        if (transmits) {
            write_frame(guest->ring[index].slot[i], from, i);
        }
        guest->ring[index].desc[i] = (struct vring_desc){
            .addr = slots + i * (uint64_t)SLOT_BYTES,
            .len = transmits ? 12 + FRAME_BYTES : SLOT_BYTES,
            .flags = transmits ? 0 : VRING_DESC_F_WRITE,
        };
        guest->ring[index].avail.ring[i] = i;
    }
    guest->ring[index].avail.idx = transmits ? FRAMES : RING;
    *queue = (struct virtqueue){
        .desc = guest->ring[index].desc,
        .avail = (volatile struct vring_avail *)(void *)&guest->ring[index].avail,
        .used = (volatile struct vring_used *)(void *)&guest->ring[index].used,
        .size = RING, .mask = RING - 1, .enabled = true, .event_idx = index % 4 < 2,
        .call_fd = -1, .kick_fd = kick_fd,
    };
}

static struct virtqueue *ring_of(struct vnic_live *live, unsigned index)
{
    return index % 2 == 0 ? &live->to_guest[index / 2] : &live->from_guest[index / 2];
}

static void build(struct lab *lab, unsigned number)
{
    struct vnic_live *live = aligned_alloc(_Alignof(struct vnic_live), sizeof(*live));
    struct guest_rings *guest = aligned_alloc(_Alignof(struct guest_rings), sizeof(*guest));

    assert_non_null(live);
    assert_non_null(guest);
    memset(live, 0, sizeof(*live));
    memset(guest, 0, sizeof(*guest));
    live->memory = (struct guest_memory){
        .region_count = 1,
        .region = { { .gpa = GPA, .size_bytes = sizeof(*guest), .hva = (uint8_t *)guest } },
    };
    live->net_hdr_bytes = 12;
    live->mergeable = true;
    live->pair_count = PAIRS;
    live->to_pair_count = PAIRS;
    for (unsigned i = 0; i < 2 * PAIRS; i++) {
        fill_ring(guest, i, number, eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), ring_of(live, i));
    }
    atomic_store_explicit(&lab->station[number].vnic->live, live, memory_order_release);
    dataplane_wake(lab->dataplane);
}

/* As vhost_device_retire() does it. */
static void retire(struct lab *lab, unsigned number)
{
    struct station *station = &lab->station[number];
    struct vnic_live *live = atomic_exchange_explicit(&station->vnic->live, NULL,
                                                      memory_order_acq_rel);

    dataplane_wait(lab->dataplane);
    for (unsigned i = 0; i < 2 * PAIRS; i++) {
        const struct virtqueue *queue = ring_of(live, i);

        assert_int_equal(queue->fault, VIRTQUEUE_NONE);
        assert_int_equal(queue->next_used, queue->shown_used);
        *(i % 2 == 0 ? &station->delivered : &station->taken) += queue->next_used;
        (void)close(queue->kick_fd);
    }
    free(live->memory.region[0].hva);
    free(live);
}

static void pause_a_while(uint64_t *random)
{
    (void)usleep(random_below(random, PAUSE_MAX_US));
}

static void *play_vhost_thread(void *context)
{
    struct lab *lab = context;
    uint64_t random = 7;

    while (!atomic_load(&lab->stop)) {
        const unsigned number = random_below(&random, COMES_AND_GOES);

        retire(lab, number);
        build(lab, number);
        lab->lives++;
        pause_a_while(&random);
    }
    return NULL;
}

/* ---- fabrics --------------------------------------------------------------------------------- */

static void publish(struct lab *lab, const struct vswitch_model *model)
{
    struct mac_table *table[FABRIC_MAX_SWITCHES] = { NULL };
    struct fabric_endpoint endpoint[FABRIC_MAX_PORTS] = { { 0 } };
    const struct fabric_binding binding = {
        .table = table, .endpoint = endpoint, .owners = &lab->owners, .worker_count = WORKERS,
    };
    struct fabric *fabric;

    for (size_t i = 0; i < model->switch_count; i++) {
        table[model->switches[i].id] = lab->table;
    }
    for (unsigned i = 0; i < STATIONS; i++) {
        endpoint[lab->station[i].port] = (struct fabric_endpoint){
            .at = lab->station[i].vnic, .kind = FABRIC_PORT_VNIC, .queues = 1,
        };
    }
    fabric = fabric_compile(model, &binding, ++lab->generation);
    assert_non_null(fabric);
    fabric_destroy(dataplane_publish(lab->dataplane, fabric));
    lab->publishes++;
}

/* A queue goes to a worker, the same or another: nobody polls it in between. */
static void move_queue(struct lab *lab, const struct vswitch_model *model, uint64_t *random)
{
    uint8_t *owner = &lab->owners.owner[lab->station[random_below(random, STATIONS)].port][0];

    *owner = FABRIC_OWNED_BY_NONE;
    publish(lab, model);
    *owner = (uint8_t)(1 + random_below(random, WORKERS));
    publish(lab, model);
}

static void make_vnic(struct lab *lab, unsigned number)
{
    struct vnic *vnic = aligned_alloc(_Alignof(struct vnic), sizeof(*vnic));

    assert_non_null(vnic);
    memset(vnic, 0, sizeof(*vnic));
    vnic->port = lab->station[number].port;
    vnic->shared = true;
    lab->station[number].vnic = vnic;
}

static void free_vnic(struct lab *lab, unsigned number)
{
    free(lab->station[number].vnic);
    lab->station[number].vnic = NULL;
}

static void make_models(struct lab *lab)
{
    struct vswitch_switch on = { .name = "s", .mtu_bytes = 1500, .mac_capacity_entries = 64 };
    struct vswitch_vnic vnic = { .queues = PAIRS };

    lab->all = vswitch_model_create(1);
    assert_int_equal(vswitch_add(lab->all, &on, NULL), 0);
    for (unsigned i = 0; i < STATIONS; i++) {
        (void)snprintf(vnic.name, sizeof(vnic.name), "v%u", i);
        assert_int_equal(vswitch_add_vnic(lab->all, "s", &vnic, NULL), 0);
        lab->station[i].port = vswitch_find_vnic(lab->all, vnic.name)->port;
        /* Pinned, so that no note is made: their ring is DPDK's, whose fences are not seen. */
        assert_int_equal(mac_table_add_static(lab->table, station_mac(i), 0,
                                              lab->station[i].port), 0);
    }
    lab->without = vswitch_model_copy(lab->all);
    assert_int_equal(vswitch_remove_vnic(lab->without, vnic.name, NULL), 0);
}

/* ---- the test -------------------------------------------------------------------------------- */

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
    if (lab.dataplane == NULL || lab.table == NULL) {
        return -1;
    }
    make_models(&lab);
    return 0;
}

static int teardown(void **state)
{
    struct lab *lab = *state;

    dataplane_stop(lab->dataplane);
    mac_table_destroy(lab->table);
    vswitch_model_destroy(lab->all);
    vswitch_model_destroy(lab->without);
    return 0;
}

static uint64_t all_drops(const struct port_counters *counters)
{
    uint64_t sum = 0;

    for (unsigned reason = 0; reason < DROP_REASON_COUNT; reason++) {
        sum += counters->drops[reason];
    }
    return sum;
}

/* With all devices retired and nothing published: counters against rings. */
static void assert_counters_agree(const struct lab *lab)
{
    uint64_t in = 0, out = 0;

    for (unsigned i = 0; i < STATIONS; i++) {
        struct port_counters sum;

        dataplane_counters(lab->dataplane, lab->station[i].port, &sum);
        assert_int_equal(sum.from_frames, lab->station[i].taken);
        assert_int_equal(sum.to_frames, lab->station[i].delivered);
        in += sum.from_frames + sum.flood_copies + sum.segment_copies;
        out += sum.to_frames + sum.coalesced + all_drops(&sum);
    }
    assert_int_equal(in, out);
    assert_true(in > 0);
    printf("# measured: %u fabrics and %u devices published and retired over %lu frames\n",
           lab->publishes, lab->lives, (unsigned long)in);
}

static void test_publish_and_retire_leave_workers_nothing_that_is_freed(void **state)
{
    struct lab *lab = *state;
    const long end_ms = now_ms() + RUN_MS;
    uint64_t random = 3;
    pthread_t vhost_thread;

    for (unsigned i = 0; i < STATIONS; i++) {
        make_vnic(lab, i);
        build(lab, i);
    }
    publish(lab, lab->all);
    assert_int_equal(pthread_create(&vhost_thread, NULL, play_vhost_thread, lab), 0);

    while (now_ms() < end_ms) {
        publish(lab, lab->without);
        retire(lab, COMES_AND_GOES);
        free_vnic(lab, COMES_AND_GOES);
        pause_a_while(&random);
        make_vnic(lab, COMES_AND_GOES);
        build(lab, COMES_AND_GOES);
        publish(lab, lab->all);
        pause_a_while(&random);
        move_queue(lab, lab->all, &random);
    }

    atomic_store(&lab->stop, true);
    pthread_join(vhost_thread, NULL);
    for (unsigned i = 0; i < STATIONS; i++) {
        retire(lab, i);
    }
    const struct vswitch_model nothing = { .switch_count = 0 };

    publish(lab, &nothing);
    assert_counters_agree(lab);
    for (unsigned i = 0; i < STATIONS; i++) {
        free_vnic(lab, i);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_publish_and_retire_leave_workers_nothing_that_is_freed),
    };

    return cmocka_run_group_tests_name("publish race", tests, setup, teardown);
}
