/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/support/raw_port.h"
#include "tests/support/udp_frame.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ETHER_BYTES 14u
#define IP_BYTES 20u
#define UDP_CHECKSUM_OFF 6u
#define DATAGRAM_MAX_BYTES 65000u
#define GSO_UDP_L4 5u              /* VIRTIO_NET_HDR_GSO_UDP_L4; Linux 6.2 */
#define SEND_BUFFER_BYTES (4 << 20)
#define COUNTS_BYTES 16384u
#define LOOKS 256u
#define LOOK_BYTES 128u

/* ---- opening --------------------------------------------------------------------------------- */

/* Enters a namespace by name. @return what brings the thread back, or -1 */
static int enter(const char *netns)
{
    const int back = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
    char path[128];
    int fd;

    snprintf(path, sizeof(path), "/run/netns/%s", netns);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (back < 0 || fd < 0 || setns(fd, CLONE_NEWNET) < 0) {
        fprintf(stderr, "The network namespace %s cannot be entered: %m\n", netns);
        close(fd);
        close(back);
        return -1;
    }
    close(fd);
    return back;
}

/* Makes a packet socket on the interface, which takes in what @p protocol says: 0 is nothing. */
static int open_socket(unsigned ifindex, uint16_t protocol)
{
    const struct sockaddr_ll address = {.sll_family = AF_PACKET, .sll_ifindex = (int)ifindex,
                                        .sll_protocol = htons(protocol)};
    const int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

    if (fd >= 0 && bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0) {
        close(fd);
        return -1;
    }
    return fd;
}

/* In the namespace of the interface. */
static int open_here(struct raw_port *port, enum raw_port_use use)
{
    const int header = 1, bytes = SEND_BUFFER_BYTES;
    const unsigned ifindex = if_nametoindex(port->interface);

    if (ifindex == 0) {
        return -1;
    }
    port->fd = open_socket(ifindex, 0);
    if (port->fd < 0) {
        return -1;
    }
    if (use == RAW_PORT_RECEIVES) {
        port->look_fd = open_socket(ifindex, ETH_P_ALL);
        port->count_fd = open("/proc/thread-self/net/dev", O_RDONLY | O_CLOEXEC);
        if (port->look_fd < 0 || port->count_fd < 0) {
            return -1;
        }
    }
    (void)setsockopt(port->fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof(bytes));
    return setsockopt(port->fd, SOL_PACKET, PACKET_VNET_HDR, &header, sizeof(header));
}

/*
 * Builds the datagram: the headers of the first frame, then the payloads of all, each as long as a
 * frame has it.  The kernel puts lengths, numbers and checksums into the headers of each.
 */
static int build(struct raw_port *port, unsigned side)
{
    const uint32_t payload_bytes = port->shape.size_bytes - UDP_FRAME_HEADERS_BYTES;
    const uint32_t fit_frames = DATAGRAM_MAX_BYTES / payload_bytes;
    struct virtio_net_hdr *header;
    uint8_t *at;

    port->burst_frames = fit_frames < RAW_PORT_BURST ? fit_frames : RAW_PORT_BURST;
    port->burst_bytes = sizeof(*header) + UDP_FRAME_HEADERS_BYTES +
                        (size_t)port->burst_frames * payload_bytes;
    port->burst = malloc(port->burst_bytes);
    if (port->burst == NULL) {
        return -1;
    }
    /* Backwards, so that the headers of each are overwritten by the payload before it. */
    for (uint32_t i = port->burst_frames; i-- > 0;) {
        at = port->burst + sizeof(*header) + (size_t)i * payload_bytes;
        load_frame_write(at, &port->shape, i, side);
    }
    return 0;
}

int raw_port_open(struct raw_port *port, const char *where, enum raw_port_use use,
                  const struct load_shape *shape, unsigned side)
{
    const char *netns = strchr(where, '@');
    int back = -1;
    int status;

    *port = (struct raw_port){.fd = -1, .look_fd = -1, .count_fd = -1, .shape = *shape};
    snprintf(port->interface, sizeof(port->interface), "%.*s",
             (int)(netns != NULL ? netns - where : (ptrdiff_t)strlen(where)), where);
    if (netns != NULL) {
        back = enter(netns + 1);
        if (back < 0) {
            return -1;
        }
    }
    status = open_here(port, use);
    if (status < 0) {
        fprintf(stderr, "The interface %s cannot be opened: %m\n", where);
    }
    if (back >= 0) {
        if (setns(back, CLONE_NEWNET) < 0) {
            fprintf(stderr, "There is no way back from %s: %m\n", where);
            status = -1;
        }
        close(back);
    }
    return status == 0 && build(port, side) == 0 ? 0 : -1;
}

static void close_one(int *fd)
{
    if (*fd >= 0) {
        close(*fd);
    }
    *fd = -1;
}

void raw_port_close(struct raw_port *port)
{
    close_one(&port->fd);
    close_one(&port->look_fd);
    close_one(&port->count_fd);
    free(port->burst);
    port->burst = NULL;
}

/* ---- frames ---------------------------------------------------------------------------------- */

static void put16(uint8_t *to, uint32_t value)
{
    to[0] = (uint8_t)(value >> 8);
    to[1] = (uint8_t)value;
}

int raw_port_send(struct raw_port *port, uint32_t frames)
{
    const uint32_t payload_bytes = port->shape.size_bytes - UDP_FRAME_HEADERS_BYTES;
    const uint32_t datagram_bytes = UDP_FRAME_HEADERS_BYTES + frames * payload_bytes;
    const struct virtio_net_hdr header = {
        .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
        .gso_type = GSO_UDP_L4,
        .hdr_len = UDP_FRAME_HEADERS_BYTES,
        .gso_size = (uint16_t)payload_bytes,
        .csum_start = ETHER_BYTES + IP_BYTES,
        .csum_offset = UDP_CHECKSUM_OFF,
    };
    uint8_t *frame = port->burst + sizeof(header);

    memcpy(port->burst, &header, sizeof(header));
    put16(frame + ETHER_BYTES + 2, datagram_bytes - ETHER_BYTES);
    put16(frame + ETHER_BYTES + IP_BYTES + 4, datagram_bytes - ETHER_BYTES - IP_BYTES);
    if (send(port->fd, port->burst, sizeof(header) + datagram_bytes, 0) < 0) {
        return errno == ENOBUFS ? 0 : -1;
    }
    port->sent_frames += frames;
    return 0;
}

bool raw_port_look(struct raw_port *port)
{
    uint8_t frame[LOOK_BYTES];
    struct sockaddr_ll from;

    for (unsigned looks = 0; looks < LOOKS; looks++) {
        socklen_t size = sizeof(from);
        const ssize_t got = recvfrom(port->look_fd, frame, sizeof(frame), MSG_DONTWAIT | MSG_TRUNC,
                                     (struct sockaddr *)&from, &size);

        if (got < 0) {
            return false;
        }
        if (from.sll_pkttype != PACKET_OUTGOING && got == (ssize_t)port->shape.size_bytes &&
            load_frame_payload(frame).magic == LOAD_PAYLOAD_MAGIC) {
            close_one(&port->look_fd);
            return true;
        }
    }
    return false;
}

uint64_t raw_port_received(const struct raw_port *port)
{
    char counts[COUNTS_BYTES];
    const ssize_t got = pread(port->count_fd, counts, sizeof(counts) - 1, 0);
    const size_t name_bytes = strlen(port->interface);
    uint64_t frames = 0;

    counts[got > 0 ? got : 0] = '\0';
    for (const char *line = counts; line != NULL; line = strchr(line, '\n')) {
        line += strspn(line, " \n");
        if (strncmp(line, port->interface, name_bytes) == 0 && line[name_bytes] == ':') {
            (void)sscanf(line + name_bytes + 1, "%*u %lu", &frames);
            break;
        }
    }
    return frames;
}
