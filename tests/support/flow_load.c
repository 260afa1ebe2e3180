/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/support/flow_load.h"

#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tests/support/udp_frame.h"

#define FRAME_BYTES     64u
#define MAGIC           0xf10af10au
#define PORT_TO         4789u
#define QUIET_MS        300
#define BURST           32u
#define SOCKET_BYTES    (64 << 20)

/* Behind the headers of a frame. */
struct mark {
    uint32_t magic;
    uint32_t flow;
    uint32_t number;
};

struct flow {
    uint32_t next;                 /* to be sent */
    uint32_t newest;               /* that has arrived, plus 1 */
    uint64_t seen[4];              /* of the 256 before newest, those that have arrived */
};

struct flow_load {
    struct flow_load_config config;
    int socket;
    int ifindex[FLOW_LOAD_INTERFACES_MAX];
    pthread_t sender, receiver;
    atomic_bool stop_sending, stop_receiving;
    _Atomic uint64_t sent_frames, received_frames, twice_frames, late_frames;
    _Atomic uint64_t longest_silence_us, last_us;
    _Atomic uint64_t by_interface[FLOW_LOAD_INTERFACES_MAX];
    struct flow flow[FLOW_LOAD_FLOWS_MAX];
};

static uint64_t now_us(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* ---- sending --------------------------------------------------------------------------------- */

static void make_frame(const struct flow_load *load, uint32_t flow, uint32_t number,
                       uint8_t frame[FRAME_BYTES])
{
    const struct mark mark = { MAGIC, flow, number };
    struct udp_frame fields = {
        .to_ip = 0x0a000002, .from_ip = 0x0a010000 + flow, .to_port = PORT_TO,
        .from_port = (uint16_t)(20000 + flow),
    };

    memcpy(fields.to, load->config.to_mac, sizeof(fields.to));
    memcpy(fields.from, load->config.from_mac, sizeof(fields.from));
    udp_frame_write(frame, FRAME_BYTES, &fields);
    memcpy(frame + UDP_FRAME_HEADERS_BYTES, &mark, sizeof(mark));
}

static void *send_all(void *arg)
{
    struct flow_load *load = arg;
    const uint64_t start_us = now_us();
    uint8_t frame[FRAME_BYTES];
    uint64_t sent = 0;

    while (!atomic_load(&load->stop_sending)) {
        const uint64_t due = (now_us() - start_us) * load->config.frames_per_second / 1000000;

        for (unsigned i = 0; i < BURST && sent < due; i++) {
            const uint32_t number = (uint32_t)(sent % load->config.flows);

            make_frame(load, number, load->flow[number].next, frame);
            if (frontend_send(load->config.from, 0, frame, sizeof(frame)) != 0) {
                return NULL;
            }
            load->flow[number].next++;
            atomic_store(&load->sent_frames, ++sent);
        }
        if (sent >= due) {
            (void)usleep(50);
        }
    }
    return NULL;
}

/* ---- receiving ------------------------------------------------------------------------------- */

/* Moves the window so that @p number is its newest. */
static void advance(struct flow *flow, uint32_t number)
{
    for (; flow->newest <= number; flow->newest++) {
        flow->seen[flow->newest / 64 % 4] &= ~(UINT64_C(1) << flow->newest % 64);
    }
}

static void note(struct flow_load *load, const struct mark *mark, int ifindex)
{
    struct flow *flow = &load->flow[mark->flow % FLOW_LOAD_FLOWS_MAX];
    const uint64_t bit = UINT64_C(1) << mark->number % 64;
    const uint64_t us = now_us(), silent_us = us - atomic_load(&load->last_us);
    uint64_t *seen = &flow->seen[mark->number / 64 % 4];
    bool late = mark->number < flow->newest;

    if (silent_us > atomic_load(&load->longest_silence_us)) {
        atomic_store(&load->longest_silence_us, silent_us);
    }
    atomic_store(&load->last_us, us);
    if (!late) {
        advance(flow, mark->number);
    } else if (flow->newest - mark->number <= 256 && (*seen & bit) != 0) {
        atomic_fetch_add(&load->twice_frames, 1);
        return;
    }
    *seen |= bit;
    atomic_fetch_add(&load->late_frames, late);
    atomic_fetch_add(&load->received_frames, 1);
    for (unsigned i = 0; i < FLOW_LOAD_INTERFACES_MAX && load->ifindex[i] != 0; i++) {
        atomic_fetch_add(&load->by_interface[i], load->ifindex[i] == ifindex);
    }
}

static void receive(struct flow_load *load)
{
    struct sockaddr_ll from = { 0 };
    socklen_t from_bytes = sizeof(from);
    uint8_t frame[FRAME_BYTES];
    struct mark mark;
    const ssize_t len = recvfrom(load->socket, frame, sizeof(frame), MSG_DONTWAIT,
                                 (struct sockaddr *)&from, &from_bytes);
    bool is_ours = false;

    for (unsigned i = 0; i < FLOW_LOAD_INTERFACES_MAX && load->ifindex[i] != 0; i++) {
        is_ours |= load->ifindex[i] == from.sll_ifindex;
    }
    if (len < (ssize_t)(UDP_FRAME_HEADERS_BYTES + sizeof(mark)) || !is_ours ||
        from.sll_pkttype == PACKET_OUTGOING) {
        return;
    }
    memcpy(&mark, frame + UDP_FRAME_HEADERS_BYTES, sizeof(mark));
    if (mark.magic == MAGIC) {
        note(load, &mark, from.sll_ifindex);
    }
}

static void *receive_all(void *arg)
{
    struct flow_load *load = arg;
    struct pollfd readable = { .fd = load->socket, .events = POLLIN };

    while (!atomic_load(&load->stop_receiving)) {
        if (poll(&readable, 1, QUIET_MS) == 1) {
            receive(load);
        }
    }
    return NULL;
}

/* ---- the whole ------------------------------------------------------------------------------- */

static bool open_socket(struct flow_load *load)
{
    const int bytes = SOCKET_BYTES;

    load->socket = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_IP));
    if (load->socket < 0) {
        return false;
    }
    (void)setsockopt(load->socket, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes));
    for (unsigned i = 0; i < FLOW_LOAD_INTERFACES_MAX && load->config.interface[i] != NULL; i++) {
        load->ifindex[i] = (int)if_nametoindex(load->config.interface[i]);
        if (load->ifindex[i] == 0) {
            return false;
        }
    }
    return true;
}

struct flow_load *flow_load_start(const struct flow_load_config *config)
{
    struct flow_load *load = calloc(1, sizeof(*load));

    if (load == NULL) {
        return NULL;
    }
    load->config = *config;
    atomic_store(&load->last_us, now_us());
    if (!open_socket(load) || pthread_create(&load->receiver, NULL, receive_all, load) != 0) {
        free(load);
        return NULL;
    }
    if (pthread_create(&load->sender, NULL, send_all, load) != 0) {
        atomic_store(&load->stop_receiving, true);
        (void)pthread_join(load->receiver, NULL);
        free(load);
        return NULL;
    }
    return load;
}

void flow_load_look(struct flow_load *load, struct flow_load_result *result)
{
    *result = (struct flow_load_result){
        .sent_frames = atomic_load(&load->sent_frames),
        .received_frames = atomic_load(&load->received_frames),
        .twice_frames = atomic_load(&load->twice_frames),
        .late_frames = atomic_load(&load->late_frames),
        .longest_silence_us = atomic_load(&load->longest_silence_us),
    };
    result->lost_frames = result->sent_frames - result->received_frames;
    for (unsigned i = 0; i < FLOW_LOAD_INTERFACES_MAX; i++) {
        result->by_interface[i] = atomic_load(&load->by_interface[i]);
    }
}

uint64_t flow_load_silence_us(struct flow_load *load)
{
    return atomic_exchange(&load->longest_silence_us, 0);
}

void flow_load_end(struct flow_load *load, struct flow_load_result *result)
{
    uint64_t before, now;

    atomic_store(&load->stop_sending, true);
    (void)pthread_join(load->sender, NULL);
    do {
        before = atomic_load(&load->received_frames);
        (void)usleep(QUIET_MS * 1000);
        now = atomic_load(&load->received_frames);
    } while (now != before);
    atomic_store(&load->stop_receiving, true);
    (void)pthread_join(load->receiver, NULL);
    flow_load_look(load, result);
    (void)close(load->socket);
    free(load);
}
