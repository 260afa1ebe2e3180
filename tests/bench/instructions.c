/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A worker's turns between guests of plain arrays, as many as are asked for, and nothing else: what
 * instructions.sh counts the instructions of.
 *
 * The guests, their rings and the model are real for the worker; there is no other thread, no
 * socket and no wait, so that two runs of the same program count the same.  Rings are refilled
 * between turns, outside of what is counted.
 *
 * usage: instructions CASE TURNS        (each turn takes one batch, of FRAME_BURST frames at most)
 *        instructions --list            the cases, a line each
 */
#include <linux/virtio_net.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/capture.h"
#include "dataplane/worker.h"
#include "switch/ether.h"
#include "switch/mac.h"
#include "switch/vswitch.h"
#include "tests/support/bench.h"
#include "tests/support/fake_guest.h"
#include "tests/support/long_frame.h"

#define GUESTS         4u
#define BUFFER_BYTES   2048u           /* of a receiver, as a driver with mergeable buffers has */
#define BUFFERS        (FAKE_REGION_BYTES / BUFFER_BYTES)
#define HEADER_BYTES   sizeof(struct virtio_net_hdr_mrg_rxbuf)
#define MTU_BYTES      9600u
#define NOW_S          1u
#define OWN_MAC(n)     (UINT64_C(0x020000000000) + (n))
#define ANY_MAC(g, n)  (UINT64_C(0x020000010000) * ((g) + 1u) + (n))

struct bench_case {
    const char *name;
    uint32_t len_bytes;            /* of a frame */
    uint32_t macs;                 /* behind each guest besides its own; 0: none */
    uint32_t ports;                /* of the switch */
    const char *vlan;
    bool broadcast;
    bool segment;                  /* a TCP segment that its receiver takes as it is */
    const char *capture;           /* a filter that matches none of it, on all ports; or NULL */
};

static const struct bench_case cases[] = {
    { "64 bytes, 1 flow",               60,    0,    2,   "none",     false, false, NULL },
    { "64 bytes, 1,000 MACs a side",    60,    1000, 2,   "none",     false, false, NULL },
    { "64 bytes, 500 ports",            60,    0,    500, "none",     false, false, NULL },
    { "64 bytes, an access VLAN",       60,    0,    2,   "access:7", false, false, NULL },
    { "64 bytes, broadcast to 3",       60,    0,    4,   "none",     true,  false, NULL },
    { "64 bytes, a capture of others",  60,    0,    2,   "none",     false, false,
      "tcp port 9 and host 192.0.2.9" },
    { "1500 bytes",                     1514,  0,    2,   "none",     false, false, NULL },
    { "9000 bytes",                     9014,  0,    2,   "none",     false, false, NULL },
    { "60,000 bytes of TCP, not cut",   60014, 0,    2,   "none",     false, true, NULL },
};

struct rig {
    const struct bench_case *of;
    struct vswitch_model *model;
    struct mac_table *table[FABRIC_MAX_SWITCHES];
    struct fabric *fabric;
    struct worker_shared shared;
    struct worker *worker;
    struct fake_guest *guest[GUESTS];
    uint32_t frames;               /* that lie in the sender's memory */
    uint32_t slot_bytes;           /* from one to the next */
    uint32_t at;                   /* the next */
    struct long_frame segment;
};

/* A step that cannot fail here, unless the program is wrong. */
static void must(bool holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "instructions: %s\n", what);
        exit(1);
    }
}

static void *zeroed(size_t bytes)
{
    void *at = aligned_alloc(64, (bytes + 63) / 64 * 64);

    must(at != NULL, "there is no memory");
    return memset(at, 0, bytes);
}

/* ---- the switch ------------------------------------------------------------------------------ */

static void add_ports(struct rig *rig)
{
    for (uint32_t i = 0; i < rig->of->ports; i++) {
        struct vswitch_vnic vnic = { .queues = 1, .mac = OWN_MAC(i), .offload = OFFLOAD_ALL };
        struct error error = { 0 };

        vnic.spoof_guard = rig->of->macs == 0;
        snprintf(vnic.name, sizeof(vnic.name), "v%u", i);
        must(vlan_parse(rig->of->vlan, &vnic.vlan, &error) == 0 &&
             vswitch_add_vnic(rig->model, "lan", &vnic, &error) == 0, error.text);
    }
}

/* The ports' own addresses as control pins them, and those that it would have learned. */
static void fill_table(struct rig *rig)
{
    struct vswitch_pin pins[VSWITCH_MAX_VNICS];
    const size_t count = vswitch_pins(rig->model, pins, VSWITCH_MAX_VNICS);

    for (size_t i = 0; i < count; i++) {
        must(mac_table_add_static(rig->table[pins[i].switch_id], pins[i].mac, pins[i].fid,
                                  pins[i].port) == 0, "an address was not pinned");
    }
    for (uint32_t i = 0; i < 2 * rig->of->macs; i++) {
        const uint16_t port = vswitch_find_vnic(rig->model, i % 2 == 0 ? "v0" : "v1")->port;

        (void)mac_table_learn(rig->fabric->switches[0].table, ANY_MAC(i % 2, i / 2),
                              rig->fabric->port[port].fid_in, port, NOW_S);
    }
}

static void make_switch(struct rig *rig)
{
    const struct mac_table_config table = { .capacity_entries = 8192, .seed = 1 };
    const struct fabric_binding binding = { .table = rig->table, .worker_count = 1 };
    struct vswitch_switch lan = { .name = "lan", .mtu_bytes = MTU_BYTES,
                                  .mac_capacity_entries = table.capacity_entries };
    struct error error = { 0 };

    rig->model = vswitch_model_create(0);
    must(rig->model != NULL && vswitch_add(rig->model, &lan, &error) == 0, error.text);
    rig->table[vswitch_find(rig->model, "lan")->id] = mac_table_create(&table);
    add_ports(rig);
    rig->fabric = fabric_compile(rig->model, &binding, 1);
    must(rig->fabric != NULL, "the model was not compiled");
    fill_table(rig);
}

static void make_capture(struct rig *rig)
{
    const struct capture_config config = { .filter = rig->of->capture,
                                           .direction = CAPTURE_BOTH };
    struct capture_watch *watch = capture_watch_create(1);
    struct error error = { 0 };
    struct capture *capture = capture_create(&config, 1, &error);

    must(watch != NULL && capture != NULL, error.text);
    for (uint32_t i = 0; i < rig->of->ports; i++) {
        char name[VSWITCH_NAME_SIZE];

        snprintf(name, sizeof(name), "v%u", i);
        must(capture_watch_add(watch, capture, vswitch_find_vnic(rig->model, name)->port,
                               name) == 0, "a port is not watched");
    }
    rig->fabric->watch = watch;
}

/* ---- the guests and the worker --------------------------------------------------------------- */

/* Behind other ports there is nobody: a port without a device is passed over when it is polled. */
static void make_guests(struct rig *rig)
{
    const struct fake_guest_config config = { .features = OFFLOAD_ALL,
                                              .takes = OFFLOAD_TAKES_ALL };
    struct vnic *nobody = zeroed(rig->of->ports * sizeof(*nobody));

    for (uint32_t i = 0; i < rig->of->ports; i++) {
        char name[VSWITCH_NAME_SIZE];
        uint16_t port;

        snprintf(name, sizeof(name), "v%u", i);
        port = vswitch_find_vnic(rig->model, name)->port;
        rig->fabric->port[port].endpoint = &nobody[i];
        if (i < GUESTS) {
            rig->guest[i] = fake_guest_create(&config);
            rig->guest[i]->vnic.port = port;
            rig->fabric->port[port].endpoint = &rig->guest[i]->vnic;
        }
    }
}

static void make_worker(struct rig *rig)
{
    rig->worker = zeroed(sizeof(*rig->worker));
    rig->worker->shared = &rig->shared;
    rig->shared.qsbr = zeroed(rte_rcu_qsbr_get_memsize(1));
    must(rte_rcu_qsbr_init(rig->shared.qsbr, 1) == 0 &&
         rte_rcu_qsbr_thread_register(rig->shared.qsbr, 0) == 0, "there is no grace period");
    rte_rcu_qsbr_thread_online(rig->shared.qsbr, 0);
    atomic_store(&rig->shared.now_s, NOW_S);
    atomic_store(&rig->shared.fabric, rig->fabric);
}

/* ---- the load -------------------------------------------------------------------------------- */

static void write_frame(struct rig *rig, uint32_t number, uint8_t *to)
{
    const struct bench_case *of = rig->of;
    const uint64_t destination = of->broadcast ? MAC_BROADCAST
                                 : of->macs > 0 ? ANY_MAC(1, number) : OWN_MAC(1);
    struct virtio_net_hdr_mrg_rxbuf header = { 0 };
    struct wire *wire = &rig->segment.wire;

    if (of->segment) {
        rig->segment = (struct long_frame){
            .gso_type = FRAME_GSO_TCP4, .ip_version = 4, .payload_bytes = of->len_bytes - 54,
            .gso_size_bytes = 1448, .trusted_bytes = FRAME_HDR_BYTES,
        };
        long_frame_write(&rig->segment);
        header.hdr = (struct virtio_net_hdr){
            .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
            .hdr_len = rig->segment.header_bytes, .gso_size = rig->segment.gso_size_bytes,
            .csum_start = rig->segment.l4_off_bytes, .csum_offset = 16,
        };
        for (unsigned i = 0; i < 6; i++) {
            wire->data[i] = (uint8_t)(destination >> (40 - 8 * i));
            wire->data[6 + i] = (uint8_t)(OWN_MAC(0) >> (40 - 8 * i));
        }
    } else {
        wire_start(wire, destination, of->macs > 0 ? ANY_MAC(0, number) : OWN_MAC(0));
        wire_ipv4(wire, 0x0a000001, 0x0a000002, IP_PROTOCOL_UDP, 0);
        wire_ports(wire, 1000, 2000);
        wire_fill(wire, of->len_bytes);
    }
    must(wire->len_bytes == of->len_bytes, "a frame is not as long as wanted");
    memcpy(to, &header, HEADER_BYTES);
    memcpy(to + HEADER_BYTES, wire->data, wire->len_bytes);
}

static void write_frames(struct rig *rig)
{
    rig->slot_bytes = (uint32_t)(HEADER_BYTES + rig->of->len_bytes + 63) / 64 * 64;
    rig->frames = (uint32_t)(FAKE_REGION_BYTES / rig->slot_bytes);
    if (rig->of->macs > 0 && rig->frames > rig->of->macs) {
        rig->frames = rig->of->macs;
    }
    for (uint32_t i = 0; i < rig->frames; i++) {
        write_frame(rig, i, fake_guest_at(rig->guest[0], FAKE_GPA + i * rig->slot_bytes));
    }
}

static void take_used(struct fake_ring *ring)
{
    uint32_t head, len_bytes;

    while (fake_ring_used(ring, &head, &len_bytes)) {
    }
}

/* What drivers do between two turns: take what came, give buffers, send a batch. */
static void drive(struct rig *rig)
{
    struct fake_ring *from = &rig->guest[0]->from;

    for (unsigned i = 1; i < GUESTS && i < rig->of->ports; i++) {
        struct fake_ring *to = &rig->guest[i]->to;

        take_used(to);
        while ((uint16_t)(to->offered - to->seen) < to->size) {
            fake_ring_offer_buffer(to, to->offered % to->size,
                                   FAKE_GPA + to->offered % BUFFERS * BUFFER_BYTES, BUFFER_BYTES,
                                   VRING_DESC_F_WRITE);
        }
    }
    take_used(from);
    while ((uint16_t)(from->offered - from->seen) < FRAME_BURST) {
        fake_ring_offer_buffer(from, from->offered % from->size,
                               FAKE_GPA + rig->at++ % rig->frames * rig->slot_bytes,
                               (uint32_t)HEADER_BYTES + rig->of->len_bytes, 0);
    }
}

static void run(const struct bench_case *of, uint32_t turns)
{
    struct rig *rig = zeroed(sizeof(*rig));
    const uint32_t receivers = of->broadcast ? of->ports - 1 : 1;
    uint64_t delivered = 0;
    uint64_t taken = 0;

    rig->of = of;
    make_switch(rig);
    make_guests(rig);
    make_worker(rig);
    write_frames(rig);
    if (of->capture != NULL) {
        make_capture(rig);
    }
    for (uint32_t i = 0; i < turns; i++) {
        drive(rig);
        must(worker_turn(rig->worker), "a turn moved nothing");
    }
    for (uint32_t i = 0; i < FABRIC_MAX_PORTS; i++) {
        delivered += rig->worker->counters[i].to_frames;
        taken += rig->worker->counters[i].from_frames;
    }
    must(delivered == receivers * taken, "not all frames were delivered");
    printf("%llu\n", (unsigned long long)taken);
}

int main(int argc, char **argv)
{
    const size_t count = sizeof(cases) / sizeof(cases[0]);

    if (argc == 2 && strcmp(argv[1], "--list") == 0) {
        for (size_t i = 0; i < count; i++) {
            printf("%s\n", cases[i].name);
        }
        return 0;
    }
    for (size_t i = 0; argc == 3 && i < count; i++) {
        if (strcmp(argv[1], cases[i].name) == 0) {
            run(&cases[i], (uint32_t)bench_number(argv[2], 1, 1e6));
            return 0;
        }
    }
    fprintf(stderr, "usage: instructions CASE TURNS, or --list\n");
    return 2;
}
