/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/support/station.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/support/shell.h"

#define FRAME_BYTES  64u
#define MARKED_TYPE  0x88b5u           /* for local experiments: IEEE 802, 9.2.3 */
#define MAGIC        0x5afe5afeu
#define TRIES        1000u             /* frames that are not marked, between two that are */

int station_leave_host(void)
{
    struct shell_outcome up;

    if (unshare(CLONE_NEWNET | CLONE_NEWNS) != 0 ||
        mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("none", "/sys", "sysfs", 0, NULL) != 0) {
        return -errno;
    }
    return shell_run(&up, 5, "ip link set lo up") == 0 ? 0 : -EIO;
}

int station_attach(struct station *station, struct lab *lab, const char *name,
                   const uint8_t mac[6])
{
    *station = (struct station){ .name = name, .guest = true, .socket = -1 };
    memcpy(station->mac, mac, sizeof(station->mac));
    return frontend_open(&station->frontend, &(struct frontend_config){
                             .socket_path = lab_socket(lab, name) });
}

int station_open(struct station *station, const char *name, const uint8_t mac[6])
{
    const int on = 1;
    struct sockaddr_ll address = {
        .sll_family = AF_PACKET,
        .sll_protocol = htons(ETH_P_ALL),
        .sll_ifindex = (int)if_nametoindex(name),
    };
    struct packet_mreq every = { .mr_ifindex = address.sll_ifindex, .mr_type = PACKET_MR_PROMISC };

    *station = (struct station){ .name = name, .socket = -1 };
    memcpy(station->mac, mac, sizeof(station->mac));
    if (address.sll_ifindex == 0) {
        return -ENODEV;
    }
    station->socket = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
    if (station->socket < 0 ||
        setsockopt(station->socket, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof(on)) != 0 ||
        setsockopt(station->socket, SOL_PACKET, PACKET_AUXDATA, &on, sizeof(on)) != 0 ||
        setsockopt(station->socket, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &every,
                   sizeof(every)) != 0 ||
        bind(station->socket, (struct sockaddr *)&address, sizeof(address)) != 0) {
        return -errno;
    }
    return 0;
}

void station_close(struct station *station)
{
    if (station->guest) {
        frontend_abandon(&station->frontend);
    } else if (station->socket >= 0) {
        (void)close(station->socket);
    }
    station->socket = -1;
}

int station_send(struct station *station, const uint8_t to[6], uint16_t tci, uint32_t mark)
{
    uint8_t frame[FRAME_BYTES] = { 0 };
    const uint32_t magic = MAGIC;
    size_t at = 12;

    memcpy(frame, to, 6);
    memcpy(frame + 6, station->mac, 6);
    if (tci != STATION_UNTAGGED) {
        const uint8_t tag[] = { 0x81, 0x00, (uint8_t)(tci >> 8), (uint8_t)tci };

        memcpy(frame + at, tag, sizeof(tag));
        at += sizeof(tag);
    }
    frame[at++] = MARKED_TYPE >> 8;
    frame[at++] = MARKED_TYPE & 0xff;
    memcpy(frame + at, &magic, sizeof(magic));
    memcpy(frame + at + sizeof(magic), &mark, sizeof(mark));
    if (station->guest) {
        return frontend_send(&station->frontend, 0, frame, sizeof(frame));
    }
    return send(station->socket, frame, sizeof(frame), 0) == (ssize_t)sizeof(frame) ? 0 : -errno;
}

/* Looks for the mark in a frame whose tag, if any, is in its bytes. */
static bool read_mark(const uint8_t *frame, size_t len_bytes, struct station_got *got)
{
    size_t at = 12;
    uint32_t magic;

    got->tci = STATION_UNTAGGED;
    if (len_bytes < FRAME_BYTES - 4) {
        return false;
    }
    if (frame[at] == 0x81 && frame[at + 1] == 0x00) {
        got->tci = (uint16_t)(frame[at + 2] << 8 | frame[at + 3]);
        at += 4;
    }
    memcpy(&magic, frame + at + 2, sizeof(magic));
    memcpy(&got->mark, frame + at + 6, sizeof(got->mark));
    return frame[at] == MARKED_TYPE >> 8 && frame[at + 1] == (MARKED_TYPE & 0xff) &&
           magic == MAGIC;
}

/* The kernel takes the tag out of the bytes and tells it beside them.  Standard: packet(7). */
static uint16_t tag_beside(struct msghdr *message)
{
    for (struct cmsghdr *each = CMSG_FIRSTHDR(message); each != NULL;
         each = CMSG_NXTHDR(message, each)) {
        if (each->cmsg_level == SOL_PACKET && each->cmsg_type == PACKET_AUXDATA) {
            struct tpacket_auxdata beside;

            memcpy(&beside, CMSG_DATA(each), sizeof(beside));
            if ((beside.tp_status & TP_STATUS_VLAN_VALID) != 0) {
                return beside.tp_vlan_tci;
            }
        }
    }
    return STATION_UNTAGGED;
}

static int64_t take_from_socket(int fd, uint8_t *frame, size_t size_bytes, uint16_t *tci)
{
    struct pollfd ready = { .fd = fd, .events = POLLIN };
    struct iovec data = { .iov_base = frame, .iov_len = size_bytes };
    uint8_t beside[CMSG_SPACE(sizeof(struct tpacket_auxdata))];
    struct msghdr message = { .msg_iov = &data, .msg_iovlen = 1, .msg_control = beside,
                              .msg_controllen = sizeof(beside) };
    ssize_t len_bytes;

    if (poll(&ready, 1, STATION_QUIET_MS) <= 0) {
        return -ETIMEDOUT;
    }
    len_bytes = recvmsg(fd, &message, MSG_DONTWAIT);
    *tci = len_bytes > 0 ? tag_beside(&message) : STATION_UNTAGGED;
    return len_bytes;
}

bool station_next(struct station *station, struct station_got *got)
{
    uint8_t frame[2048];

    for (unsigned i = 0; i < TRIES; i++) {
        uint16_t beside = STATION_UNTAGGED;
        const int64_t len_bytes = station->guest
            ? frontend_receive(&station->frontend, FRONTEND_ANY_QUEUE, frame, sizeof(frame),
                               STATION_QUIET_MS)
            : take_from_socket(station->socket, frame, sizeof(frame), &beside);

        if (len_bytes <= 0) {
            return false;
        }
        if (read_mark(frame, (size_t)len_bytes, got)) {
            got->tci = beside != STATION_UNTAGGED ? beside : got->tci;
            return true;
        }
    }
    return false;
}
