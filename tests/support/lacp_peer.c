/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/support/lacp_peer.h"

#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "teaming/lacp.h"

#define SYSTEM_MAC  UINT64_C(0x02000000feed)
#define LOOK_MS     20

struct lacp_peer {
    struct lacp *lacp;
    int socket[LACP_PEER_LINKS];
    char name[LACP_PEER_LINKS][IFNAMSIZ];
    atomic_bool muted[LACP_PEER_LINKS];
    atomic_uint distributing;
    atomic_bool stop;
    pthread_t thread;
};

static uint64_t now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static bool has_carrier(const struct lacp_peer *peer, unsigned number)
{
    struct ifreq request = { 0 };

    (void)snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", peer->name[number]);
    return ioctl(peer->socket[number], SIOCGIFFLAGS, &request) == 0 &&
           (request.ifr_flags & IFF_UP) != 0 && (request.ifr_flags & IFF_RUNNING) != 0;
}

static void hear(struct lacp_peer *peer, unsigned number)
{
    uint8_t frame[2048];
    struct sockaddr_ll from = { 0 };
    socklen_t from_bytes = sizeof(from);
    const ssize_t len = recvfrom(peer->socket[number], frame, sizeof(frame), MSG_DONTWAIT,
                                 (struct sockaddr *)&from, &from_bytes);

    if (len > 0 && from.sll_pkttype != PACKET_OUTGOING) {
        lacp_receive(peer->lacp, number, frame, (uint32_t)len, now_ms());
    }
}

static void speak(struct lacp_peer *peer)
{
    uint8_t frame[LACP_PDU_FRAME_BYTES];
    unsigned number;

    while (lacp_fetch(peer->lacp, now_ms(), &number, frame)) {
        if (number < LACP_PEER_LINKS && !atomic_load(&peer->muted[number])) {
            (void)send(peer->socket[number], frame, sizeof(frame), MSG_DONTWAIT);
        }
    }
}

static void *run(void *arg)
{
    struct lacp_peer *peer = arg;
    struct pollfd set[LACP_PEER_LINKS];

    while (!atomic_load(&peer->stop)) {
        for (unsigned i = 0; i < LACP_PEER_LINKS; i++) {
            const struct lacp_link link = {
                .present = true, .up = has_carrier(peer, i), .speed_mbps = 10000,
                .mac = SYSTEM_MAC + 1 + i,
            };

            lacp_set_link(peer->lacp, i, &link, now_ms());
            set[i] = (struct pollfd){ .fd = peer->socket[i], .events = POLLIN };
        }
        (void)poll(set, LACP_PEER_LINKS, LOOK_MS);
        for (unsigned i = 0; i < LACP_PEER_LINKS; i++) {
            if ((set[i].revents & POLLIN) != 0) {
                hear(peer, i);
            }
        }
        (void)lacp_tick(peer->lacp, now_ms());
        speak(peer);
        atomic_store(&peer->distributing, lacp_distributing(peer->lacp));
    }
    return NULL;
}

/* A socket that is told of slow protocols only, and hears its group. */
static int open_link(const char *name)
{
    struct sockaddr_ll address = {
        .sll_family = AF_PACKET, .sll_protocol = htons(LACP_PDU_ETHERTYPE),
        .sll_ifindex = (int)if_nametoindex(name),
    };
    const struct packet_mreq all = { .mr_ifindex = address.sll_ifindex,
                                     .mr_type = PACKET_MR_ALLMULTI };
    const int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(LACP_PDU_ETHERTYPE));

    if (fd >= 0 && (address.sll_ifindex == 0 ||
                    bind(fd, (const struct sockaddr *)&address, sizeof(address)) != 0 ||
                    setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &all, sizeof(all)) != 0)) {
        (void)close(fd);
        return -1;
    }
    return fd;
}

struct lacp_peer *lacp_peer_start(const char *const interface[LACP_PEER_LINKS])
{
    const struct lacp_config config = { .system_mac = SYSTEM_MAC, .system_priority = 100,
                                        .key = 7 };
    struct lacp_peer *peer = calloc(1, sizeof(*peer));
    bool open = peer != NULL;

    for (unsigned i = 0; i < LACP_PEER_LINKS && peer != NULL; i++) {
        (void)snprintf(peer->name[i], sizeof(peer->name[i]), "%s", interface[i]);
        peer->socket[i] = open_link(interface[i]);
        open &= peer->socket[i] >= 0;
    }
    if (open) {
        peer->lacp = lacp_create(&config, now_ms());
        if (peer->lacp != NULL && pthread_create(&peer->thread, NULL, run, peer) == 0) {
            return peer;
        }
    }
    if (peer != NULL) {
        for (unsigned i = 0; i < LACP_PEER_LINKS; i++) {
            (void)close(peer->socket[i]);
        }
        lacp_destroy(peer->lacp);
        free(peer);
    }
    return NULL;
}

void lacp_peer_stop(struct lacp_peer *peer)
{
    if (peer == NULL) {
        return;
    }
    atomic_store(&peer->stop, true);
    (void)pthread_join(peer->thread, NULL);
    for (unsigned i = 0; i < LACP_PEER_LINKS; i++) {
        (void)close(peer->socket[i]);
    }
    lacp_destroy(peer->lacp);
    free(peer);
}

void lacp_peer_mute(struct lacp_peer *peer, unsigned number, bool mute)
{
    atomic_store(&peer->muted[number], mute);
}

bool lacp_peer_distributes(struct lacp_peer *peer, unsigned links)
{
    return atomic_load(&peer->distributing) == links;
}
