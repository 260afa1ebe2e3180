/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/support/kernel_side.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cmocka.h>

#include "switch/gather.h"
#include "tests/support/shell.h"

#define NET_HEADER_BYTES 10u
#define NEEDS_CSUM       1u
#define HEADERS_BYTES    200u          /* that the kernel holds in one piece, as it wants to */

static bool entered;

int kernel_side_enter(void **state)
{
    static const char silent[] = "/proc/sys/net/ipv6/conf/default/disable_ipv6";
    int fd;
    (void)state;

    if (unshare(CLONE_NEWNET) != 0) {
        return 0;                      /* each test says so */
    }
    fd = open(silent, O_WRONLY | O_CLOEXEC);
    if (fd >= 0) {                     /* no router solicitations */
        assert_int_equal(write(fd, "1", 1), 1);
        (void)close(fd);
    }
    entered = true;
    return 0;
}

void kernel_side_need(void)
{
    if (!entered) {
        printf("# skip: a network namespace of one's own needs root\n");
        skip();
    }
}

int kernel_side_raw(const char *name)
{
    const int on = 1, room_bytes = 16 << 20;
    const struct sockaddr_ll address = { .sll_family = AF_PACKET,
                                         .sll_protocol = htons(ETH_P_ALL),
                                         .sll_ifindex = (int)if_nametoindex(name) };
    const struct packet_mreq every = { .mr_ifindex = address.sll_ifindex,
                                       .mr_type = PACKET_MR_PROMISC };
    const int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0 && address.sll_ifindex != 0);
    assert_int_equal(setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &on, sizeof(on)), 0);
    assert_int_equal(setsockopt(fd, SOL_PACKET, PACKET_AUXDATA, &on, sizeof(on)), 0);
    assert_int_equal(setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof(on)), 0);
    assert_int_equal(setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &every, sizeof(every)), 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room_bytes, sizeof(int)), 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &room_bytes, sizeof(int)), 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

void kernel_side_send(int raw, const struct kernel_side_offload *offload, const uint8_t *bytes,
                      uint32_t len_bytes)
{
    static const struct kernel_side_offload none;
    const struct kernel_side_offload *o = offload != NULL ? offload : &none;
    const uint16_t field[] = { o->csum_start_bytes == 0 ? 0 : HEADERS_BYTES, o->gso_size_bytes,
                               o->csum_start_bytes, o->csum_offset_bytes };
    uint8_t header[NET_HEADER_BYTES] = { o->csum_start_bytes == 0 ? 0 : NEEDS_CSUM, o->gso };
    const struct iovec iov[] = { { header, sizeof(header) },
                                 { (void *)(uintptr_t)bytes, len_bytes } };

    memcpy(header + 2, field, sizeof(field));
    assert_int_equal(writev(raw, iov, 2), sizeof(header) + len_bytes);
}

/* The kernel has taken the tag out: puts it back in front of the type. */
static void put_tag_back(struct wire *wire, const struct tpacket_auxdata *aux)
{
    const uint16_t tpid = (aux->tp_status & TP_STATUS_VLAN_TPID_VALID) != 0 ? aux->tp_vlan_tpid
                                                                            : ETHERTYPE_VLAN;
    const uint16_t tag[2] = { htons(tpid), htons(aux->tp_vlan_tci) };

    memmove(wire->data + 16, wire->data + 12, wire->len_bytes - 12);
    memcpy(wire->data + 12, tag, sizeof(tag));
    wire->len_bytes += 4;
}

/* What a header asks for. */
static struct kernel_side_offload read_header(const uint8_t header[NET_HEADER_BYTES])
{
    struct kernel_side_offload offload = { .gso = header[1] };

    memcpy(&offload.gso_size_bytes, header + 4, 2);
    if ((header[0] & NEEDS_CSUM) != 0) {
        memcpy(&offload.csum_start_bytes, header + 6, 2);
        memcpy(&offload.csum_offset_bytes, header + 8, 2);
    }
    return offload;
}

int kernel_side_receive(int raw, struct wire *wire, int wait_ms)
{
    struct kernel_side_offload offload;

    return kernel_side_receive_undone(raw, wire, &offload, wait_ms);
}

int kernel_side_receive_undone(int raw, struct wire *wire, struct kernel_side_offload *offload,
                               int wait_ms)
{
    struct pollfd ready = { .fd = raw, .events = POLLIN };
    char control[CMSG_SPACE(sizeof(struct tpacket_auxdata))];
    uint8_t header[NET_HEADER_BYTES];
    struct iovec iov[] = { { header, sizeof(header) }, { wire->data, sizeof(wire->data) - 4 } };
    struct msghdr message = { .msg_iov = iov, .msg_iovlen = 2, .msg_control = control,
                              .msg_controllen = sizeof(control) };
    const struct cmsghdr *c;
    ssize_t got;

    if (poll(&ready, 1, wait_ms) != 1) {
        return 0;
    }
    got = recvmsg(raw, &message, 0);
    if (got < 0 && errno == ENETDOWN) {
        return 0;                      /* it was, for a moment: said once, instead of a frame */
    }
    assert_true(got >= (ssize_t)(sizeof(header) + 14));
    wire->len_bytes = (uint32_t)got - NET_HEADER_BYTES;
    *offload = read_header(header);
    c = CMSG_FIRSTHDR(&message);
    if (c != NULL && c->cmsg_type == PACKET_AUXDATA) {
        struct tpacket_auxdata aux;

        memcpy(&aux, CMSG_DATA(c), sizeof(aux));
        if ((aux.tp_status & TP_STATUS_VLAN_VALID) != 0) {
            put_tag_back(wire, &aux);
            offload->csum_start_bytes =
                (uint16_t)(offload->csum_start_bytes + (offload->csum_start_bytes != 0 ? 4 : 0));
        }
    }
    return 1;
}

int kernel_side_udp(const char *name, const char *to, uint16_t port)
{
    const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in here = { .sin_family = AF_INET, .sin_port = htons(port) };
    struct sockaddr_in there = { .sin_family = AF_INET, .sin_port = htons(port) };

    assert_true(fd >= 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name,
                                (socklen_t)strlen(name)), 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&here, sizeof(here)), 0);
    assert_int_equal(inet_pton(AF_INET, to, &there.sin_addr), 1);
    assert_int_equal(connect(fd, (const struct sockaddr *)&there, sizeof(there)), 0);
    return fd;
}

void kernel_side_bytes(const struct frame_batch *batch, const struct frame *frame,
                       struct wire *wire)
{
    struct gather from = gather_start(batch, frame);

    assert_true(frame->len_bytes <= sizeof(wire->data));
    wire->len_bytes = frame->len_bytes;
    gather_copy(&from, wire->data, frame->len_bytes);
}
