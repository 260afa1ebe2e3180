/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Sends long TCP segments from one vhost-user port to another, as a guest that leaves segmentation
 * and checksums to its device does, and prints what arrived as one line of JSON.
 *
 * The receiver takes such frames (--takes on), or does not, and then has to be given segments with
 * checksums; what it is given is looked at now and then.  The frames cost both ends next to
 * nothing: they are written before the start, and buffers are used in the order of their
 * descriptors, which every switch does, so that both ends only move indices.
 *
 * With --copy there is no switch: the frames are copied by memcpy from the same buffers to the same
 * buffers, which is what no switch can be faster than.
 */
#include "switch/bytes.h"
#include "tests/support/bench.h"
#include "tests/support/checksum_naive.h"
#include "tests/support/frontend.h"
#include "tests/support/load_port.h"
#include "tests/support/udp_frame.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LONG_ENTRIES     256u      /* of a ring, as QEMU makes it */
#define LONG_SLOT_BYTES  65600u
#define HEADERS_BYTES    66u       /* Ethernet, IPv4, TCP with the option of times */
#define TCP_OFF          34u
#define TCP_CSUM_OFF     16u
#define CHECK_READS      64u
#define SEND_LEAST       8u
#define TURNS_PER_CLOCK  16u
#define PATIENCE_NS      10000000000ull
#define MAX_CORE         1023

struct options {
    const char *port[2];
    unsigned ports;
    int core;
    bool takes;
    bool copy;
    uint32_t mss_bytes;
    uint32_t buffer_bytes;         /* of a receive buffer; several hold a long frame */
    double seconds;
};

struct end {
    struct frontend f;
    struct guest_ring *ring;       /* the sender's transmit ring, the receiver's receive ring */
    uint16_t published;
    uint16_t seen;
};

struct stream {
    struct options o;
    uint32_t payload_bytes;        /* of a long frame */
    struct end from;
    struct end to;
    uint64_t arrived_bytes;        /* of frames, headers and all */
    uint64_t arrived_frames;
    uint64_t checked_frames;
    uint64_t bad_frames;
    uint32_t reads;
};

static void __attribute__((noreturn)) usage_exit(void)
{
    fprintf(stderr,
            "usage: stream --port A.sock --port B.sock [--takes on|off] [--mss BYTES]\n"
            "              [--buffer BYTES] [--seconds S] [--core N]\n"
            "       stream --copy [--seconds S] [--core N]\n"
            "Sends TCP segments of nearly 64 KiB from A to B and prints how many arrived, whole\n"
            "or cut to --mss; --copy does it by memcpy, without a switch.  listen:A.sock waits\n"
            "for a switch that connects.\n");
    exit(2);
}

static bool on_or_off(const char *text)
{
    if (strcmp(text, "on") != 0 && strcmp(text, "off") != 0) {
        usage_exit();
    }
    return text[1] == 'n';
}

static struct options options_parse(int argc, char **argv)
{
    static const struct option known[] = {
        {"port", 1, NULL, 'p'},    {"takes", 1, NULL, 'o'}, {"mss", 1, NULL, 'm'},
        {"buffer", 1, NULL, 'b'},  {"copy", 0, NULL, 'y'},  {"seconds", 1, NULL, 't'},
        {"core", 1, NULL, 'c'},    {NULL, 0, NULL, 0},
    };
    struct options o = {.core = -1, .takes = true, .mss_bytes = 1448, .seconds = 1,
                        .buffer_bytes = LONG_SLOT_BYTES};
    int letter;

    while ((letter = getopt_long(argc, argv, "", known, NULL)) != -1) {
        switch (letter) {
        case 'p':
            if (o.ports == 2) {
                usage_exit();
            }
            o.port[o.ports++] = optarg;
            break;
        case 'o': o.takes = on_or_off(optarg); break;
        case 'm': o.mss_bytes = (uint32_t)bench_number(optarg, 500, 9000); break;
        case 'b':
            o.buffer_bytes = (uint32_t)bench_number(optarg, 1600, LONG_SLOT_BYTES);
            break;
        case 'y': o.copy = true; break;
        case 't': o.seconds = bench_number(optarg, 0.01, 3600); break;
        case 'c': o.core = (int)bench_number(optarg, 0, MAX_CORE); break;
        default: usage_exit();
        }
    }
    if (optind != argc || (!o.copy && o.ports != 2)) {
        usage_exit();
    }
    return o;
}

/* ---- frames ---------------------------------------------------------------------------------- */

/* The virtio-net header that asks for segments, and the frame with the pseudo-header's sum. */
static void write_long_frame(const struct stream *s, uint8_t *at)
{
    const struct virtio_net_hdr_mrg_rxbuf header = { .hdr = {
        .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
        .hdr_len = HEADERS_BYTES, .gso_size = (uint16_t)s->o.mss_bytes,
        .csum_start = TCP_OFF, .csum_offset = TCP_CSUM_OFF,
    } };
    const uint32_t tcp_bytes = HEADERS_BYTES - TCP_OFF + s->payload_bytes;
    const uint8_t pseudo[] = { 0, 6, (uint8_t)(tcp_bytes >> 8), (uint8_t)tcp_bytes };
    struct udp_frame fields = { .from_ip = 10u << 24 | 1, .to_ip = 10u << 24 | 2,
                                .from_port = 40000, .to_port = 5001 };
    uint8_t *frame = at + sizeof(header);
    uint8_t *tcp = frame + TCP_OFF;

    memcpy(at, &header, sizeof(header));
    udp_frame_mac(fields.from, 0, 0);
    udp_frame_mac(fields.to, 1, 0);
    udp_frame_write(frame, HEADERS_BYTES + s->payload_bytes, &fields);
    frame[14 + 9] = 6;                             /* TCP; the checksum follows the protocol */
    bytes_put_2(frame + 14 + 10, 0);
    bytes_put_2(frame + 14 + 10, (uint16_t)~checksum_naive(0, frame + 14, 20));
    memset(tcp + 4, 0, HEADERS_BYTES - TCP_OFF - 4);
    tcp[12] = (HEADERS_BYTES - TCP_OFF) / 4 << 4;
    tcp[13] = 0x10;                                /* ACK */
    bytes_put_2(tcp + 14, 0xffff);
    bytes_put_2(tcp + 16, checksum_naive(checksum_naive(0, frame + 26, 8), pseudo, sizeof(pseudo)));
    tcp[20] = tcp[21] = 1;                         /* no operation, twice, and times: RFC 7323 */
    tcp[22] = 8;
    tcp[23] = 10;
}

/* Whether the frame in the buffers from entry @p used on is what the receiver takes. */
static bool is_right(const struct stream *s, uint16_t used)
{
    const struct guest_ring *ring = s->to.ring;
    const uint16_t entry = used % ring->size;
    const struct vring_used_elem *elem = &ring->used->ring[entry];
    const struct virtio_net_hdr_mrg_rxbuf *header = (const void *)ring->slot[entry];
    const uint8_t *frame = ring->slot[entry] + s->to.f.header_bytes;
    const uint32_t tcp_bytes = elem->len - (uint32_t)s->to.f.header_bytes - TCP_OFF;
    const uint8_t pseudo[] = { 0, 6, (uint8_t)(tcp_bytes >> 8), (uint8_t)tcp_bytes };
    uint16_t sum;

    if (elem->id != entry) {
        return false;
    }
    if (s->o.takes) {
        return header->hdr.flags == VIRTIO_NET_HDR_F_NEEDS_CSUM &&
               header->hdr.gso_type == VIRTIO_NET_HDR_GSO_TCPV4 &&
               header->hdr.gso_size == s->o.mss_bytes;
    }
    sum = checksum_naive(checksum_naive(0, frame + 26, 8), pseudo, sizeof(pseudo));
    return header->hdr.flags == 0 && header->num_buffers == 1 &&
           tcp_bytes + TCP_OFF <= HEADERS_BYTES + s->o.mss_bytes &&
           checksum_naive(sum, frame + TCP_OFF, tcp_bytes) == 0xffff;
}

/* ---- the two ends ---------------------------------------------------------------------------- */

static bool end_open(const struct stream *s, struct end *end, unsigned which)
{
    const uint64_t offloads =
        which == 0 ? 1ull << VIRTIO_NET_F_CSUM | 1ull << VIRTIO_NET_F_HOST_TSO4
        : s->o.takes ? 1ull << VIRTIO_NET_F_GUEST_CSUM | 1ull << VIRTIO_NET_F_GUEST_TSO4 : 0;
    const uint32_t slot_bytes = which == 0 ? LONG_SLOT_BYTES : s->o.buffer_bytes;
    const struct frontend_config config = {
        .socket_path = s->o.port[which], .slot_bytes = slot_bytes, .manual_receive = true,
        .ring_entries = slot_bytes < LONG_SLOT_BYTES ? 4 * LONG_ENTRIES : LONG_ENTRIES,
        .hugepages = true, .features = FRONTEND_FEATURES | offloads,
        .without_features = 1ull << VIRTIO_RING_F_EVENT_IDX,
    };

    if (frontend_open(&end->f, &config) < 0) {
        fprintf(stderr, "stream: %s: %s\n", s->o.port[which], frontend_error(&end->f));
        return false;
    }
    if ((end->f.features & offloads) != offloads) {
        fprintf(stderr, "stream: %s does not offer these offloads\n", s->o.port[which]);
        return false;
    }
    end->ring = &end->f.ring[which == 0 ? FRONTEND_TX(0) : FRONTEND_RX(0)];
    return true;
}

static void fill_rings(struct stream *s)
{
    struct guest_ring *tx = s->from.ring;
    struct guest_ring *rx = s->to.ring;

    for (uint16_t i = 0; i < tx->size; i++) {
        write_long_frame(s, tx->slot[i]);
        tx->desc[i] = (struct vring_desc){
            .addr = tx->slot_gpa[i],
            .len = (uint32_t)s->from.f.header_bytes + HEADERS_BYTES + s->payload_bytes,
        };
        tx->avail->ring[i] = i;
    }
    for (uint16_t i = 0; i < rx->size; i++) {
        rx->desc[i] = (struct vring_desc){ .addr = rx->slot_gpa[i], .len = rx->slot_size_bytes,
                                           .flags = VRING_DESC_F_WRITE };
        rx->avail->ring[i] = i;
    }
    tx->avail->flags = rx->avail->flags = VRING_AVAIL_F_NO_INTERRUPT;
    s->to.published = rx->size;
    load_release(&rx->avail->idx, rx->size);
    guest_ring_kick(rx);
}

static void publish(struct end *end, uint16_t idx)
{
    end->published = idx;
    load_release(&end->ring->avail->idx, idx);
    if ((load_acquire(&end->ring->used->flags) & VRING_USED_F_NO_NOTIFY) == 0) {
        guest_ring_kick(end->ring);
    }
}

static void send_some(struct end *from)
{
    const uint16_t used = load_acquire(&from->ring->used->idx);
    const uint16_t room = (uint16_t)(from->ring->size - (uint16_t)(from->published - used));

    if (room >= SEND_LEAST) {
        publish(from, (uint16_t)(from->published + room));
    }
}

/* Frames begin in buffers whose header counts the buffers: the rest of them are passed by. */
static void receive_some(struct stream *s)
{
    struct end *to = &s->to;
    const struct guest_ring *ring = to->ring;
    const uint16_t used = load_acquire(&ring->used->idx);

    while (to->seen != used) {
        const uint16_t entry = to->seen % ring->size;
        const struct virtio_net_hdr_mrg_rxbuf *header = (const void *)ring->slot[entry];
        const uint16_t buffers = header->num_buffers;

        if (buffers == 0 || buffers > (uint16_t)(used - to->seen)) {
            s->bad_frames++;
            to->seen = used;
            break;
        }
        for (uint16_t i = 0; i < buffers; i++) {
            s->arrived_bytes += ring->used->ring[(to->seen + i) % ring->size].len;
        }
        s->arrived_bytes -= to->f.header_bytes;
        s->arrived_frames++;
        if (s->reads++ % CHECK_READS == 0) {
            s->checked_frames++;
            s->bad_frames += !is_right(s, to->seen);
        }
        to->seen = (uint16_t)(to->seen + buffers);
    }
    if ((uint16_t)(used + ring->size) != to->published) {
        publish(to, (uint16_t)(used + ring->size));
    }
}

static double run(struct stream *s, double seconds)
{
    const uint64_t start_ns = bench_now_ns();
    double passed_s;

    do {
        for (unsigned turn = 0; turn < TURNS_PER_CLOCK; turn++) {
            send_some(&s->from);
            receive_some(s);
        }
        passed_s = (double)(bench_now_ns() - start_ns) / 1e9;
    } while (passed_s < seconds);
    return passed_s;
}

/* Makes the receiver's address known by a frame of its own, and waits for the first that comes. */
static bool begin(struct stream *s)
{
    const uint64_t start_ns = bench_now_ns();
    struct udp_frame fields = { .from_ip = 10u << 24 | 2, .to_ip = 10u << 24 | 1 };
    uint8_t frame[64];

    udp_frame_mac(fields.from, 1, 0);
    memset(fields.to, 0xff, sizeof(fields.to));
    udp_frame_write(frame, sizeof(frame), &fields);
    (void)frontend_send(&s->to.f, 0, frame, sizeof(frame));
    while (s->arrived_frames == 0 && bench_now_ns() - start_ns < PATIENCE_NS) {
        send_some(&s->from);
        receive_some(s);
        usleep(1000);
    }
    return s->arrived_frames != 0;
}

/* ---- without a switch ------------------------------------------------------------------------ */

static double copy(struct stream *s)
{
    const uint32_t frame_bytes = HEADERS_BYTES + s->payload_bytes;
    const uint64_t side_bytes = (uint64_t)LONG_ENTRIES * LONG_SLOT_BYTES;
    struct guest_ram ram = { .region_count = 0 };
    uint8_t *slots;
    uint64_t start_ns;
    double passed_s;

    if (guest_ram_add(&ram, FRONTEND_DEFAULT_GPA, 2 * side_bytes, true) < 0) {
        fprintf(stderr, "stream: there is no memory\n");
        exit(1);
    }
    slots = guest_ram_alloc(&ram, 0, 2 * side_bytes, 64);
    memset(slots, 1, 2 * side_bytes);
    start_ns = bench_now_ns();
    do {
        for (uint32_t i = 0; i < LONG_ENTRIES; i++) {
            uint8_t *from = slots + (size_t)i * LONG_SLOT_BYTES;

            memcpy(from + side_bytes, from, frame_bytes);
            __asm__ volatile("" ::: "memory");
            s->arrived_bytes += frame_bytes;
        }
        passed_s = (double)(bench_now_ns() - start_ns) / 1e9;
    } while (passed_s < s->o.seconds);
    guest_ram_release(&ram);
    return passed_s;
}

/* ---- all of it ------------------------------------------------------------------------------- */

/* Long frames a second, whether they came whole or in pieces. */
static void report(const struct stream *s, double passed_s, uint64_t waited_ns)
{
    const double bits_per_s = (double)s->arrived_bytes * 8 / passed_s;

    printf("{\"takes\": %s, \"mss_bytes\": %u, \"seconds\": %.3f, \"frames_per_s\": %.0f, "
           "\"gbit_per_s\": %.3f, \"received_frames\": %lu, \"checked_frames\": %lu, "
           "\"waited_percent\": %.2f}\n",
           s->o.takes ? "true" : "false", s->o.mss_bytes, passed_s,
           bits_per_s / 8 / (HEADERS_BYTES + s->payload_bytes), bits_per_s / 1e9,
           s->arrived_frames, s->checked_frames, (double)waited_ns / passed_s / 1e7);
}

int main(int argc, char **argv)
{
    static struct stream s;
    uint64_t waited_ns;
    double passed_s;

    s.o = options_parse(argc, argv);
    s.payload_bytes = (LONG_SLOT_BYTES - HEADERS_BYTES - 100) / s.o.mss_bytes * s.o.mss_bytes;
    if (s.o.core >= 0) {
        bench_pin((unsigned)s.o.core);
    }
    if (s.o.copy) {
        waited_ns = bench_waited_ns();
        passed_s = copy(&s);
        report(&s, passed_s, bench_waited_ns() - waited_ns);
        return 0;
    }
    if (!end_open(&s, &s.from, 0) || !end_open(&s, &s.to, 1)) {
        return 1;
    }
    fill_rings(&s);
    if (!begin(&s)) {
        fprintf(stderr, "stream: no frame came through from %s to %s\n", s.o.port[0], s.o.port[1]);
        return 1;
    }
    (void)run(&s, s.o.seconds / 3);
    s.arrived_bytes = s.arrived_frames = s.checked_frames = s.bad_frames = 0;
    waited_ns = bench_waited_ns();
    passed_s = run(&s, s.o.seconds);
    waited_ns = bench_waited_ns() - waited_ns;
    if (s.bad_frames > 0) {
        fprintf(stderr, "stream: %lu of %lu frames looked at were not as they should be\n",
                s.bad_frames, s.checked_frames);
        return 1;
    }
    report(&s, passed_s, waited_ns);
    frontend_abandon(&s.from.f);
    frontend_abandon(&s.to.f);
    return 0;
}
