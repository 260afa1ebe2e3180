/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctl/host/link_announce.h"

#include <arpa/inet.h>
#include <assert.h>
#include <endian.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/if_arp.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>

#include "switch/checksum.h"
#include "switch/mac.h"

struct arp_announcement {
    struct arphdr head;
    uint8_t sender_mac[6];
    uint8_t sender_ip[4];
    uint8_t target_mac[6];
    uint8_t target_ip[4];
} __attribute__((packed));
static_assert(sizeof(struct arp_announcement) == 28, "RFC 826");

struct nd_announcement {
    uint8_t version_class_flow[4];
    uint8_t payload_bytes[2];
    uint8_t next;
    uint8_t hop_limit;
    uint8_t from[16];
    uint8_t to[16];
    /* ---- ICMPv6: RFC 4861, 4.4 ---- */
    uint8_t type;
    uint8_t code;
    uint8_t checksum[2];
    uint8_t flags[4];
    uint8_t target[16];
    uint8_t option_type;           /* 4.6.1 */
    uint8_t option_units;          /* of 8 bytes */
    uint8_t mac[6];
};
static_assert(sizeof(struct nd_announcement) == 72, "RFC 8200, 3 and RFC 4861, 4.4");

#define ADDRESSES_OFF       offsetof(struct nd_announcement, from)
#define ND_OFF              offsetof(struct nd_announcement, type)
#define ND_BYTES            (sizeof(struct nd_announcement) - ND_OFF)
#define ND_ADVERTISEMENT    136u
#define ND_OVERRIDE         0x20u
#define ND_TARGET_MAC       2u
#define IP_PROTOCOL_ICMPV6  58u

static void send_frame(int fd, int ifindex, uint16_t type, const uint8_t to[6], const void *bytes,
                       size_t len_bytes)
{
    struct sockaddr_ll address = {
        .sll_family = AF_PACKET, .sll_protocol = htobe16(type), .sll_ifindex = ifindex,
        .sll_halen = 6,
    };

    memcpy(address.sll_addr, to, 6);
    (void)sendto(fd, bytes, len_bytes, MSG_DONTWAIT, (const struct sockaddr *)&address,
                 sizeof(address));
}

static void announce_v4(int fd, const struct link *link, const uint8_t ip[4])
{
    static const uint8_t everybody[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
    struct arp_announcement arp = {
        .head = { .ar_hrd = htobe16(ARPHRD_ETHER), .ar_pro = htobe16(ETH_P_IP), .ar_hln = 6,
                  .ar_pln = 4, .ar_op = htobe16(ARPOP_REQUEST) },
    };

    mac_write(link->mac, arp.sender_mac);
    memcpy(arp.sender_ip, ip, sizeof(arp.sender_ip));
    memcpy(arp.target_ip, ip, sizeof(arp.target_ip));
    send_frame(fd, link->ifindex, ETH_P_ARP, everybody, &arp, sizeof(arp));
}

static void announce_v6(int fd, const struct link *link, const uint8_t ip[16])
{
    static const uint8_t all_nodes_mac[6] = { 0x33, 0x33, 0, 0, 0, 1 };   /* of ff02::1 */
    struct nd_announcement nd = {
        .version_class_flow = { 0x60 }, .payload_bytes = { 0, ND_BYTES },
        .next = IP_PROTOCOL_ICMPV6, .hop_limit = 255, .to = { 0xff, 0x02, [15] = 1 },
        .type = ND_ADVERTISEMENT, .flags = { ND_OVERRIDE }, .option_type = ND_TARGET_MAC,
        .option_units = 1,
    };
    const uint8_t *bytes = (const uint8_t *)&nd;
    uint64_t sum = ND_BYTES + IP_PROTOCOL_ICMPV6;
    uint16_t checksum;

    memcpy(nd.from, ip, sizeof(nd.from));
    memcpy(nd.target, ip, sizeof(nd.target));
    mac_write(link->mac, nd.mac);
    sum = checksum_add(sum, bytes + ADDRESSES_OFF, 2 * sizeof(nd.from), false);
    checksum = checksum_finish(checksum_add(sum, bytes + ND_OFF, ND_BYTES, false));
    nd.checksum[0] = (uint8_t)(checksum >> 8);
    nd.checksum[1] = (uint8_t)checksum;
    send_frame(fd, link->ifindex, ETH_P_IPV6, all_nodes_mac, &nd, sizeof(nd));
}

void link_announce(struct links *links, int ifindex, const struct layer3 *layer3)
{
    const int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct link link;

    if (fd < 0) {
        return;
    }
    if (link_find_index(links, ifindex, &link, NULL) == 0) {
        for (size_t i = 0; i < layer3->count; i++) {
            struct layer3_ip own;

            if (layer3_address(&layer3->item[i], &own)) {
                if (own.family == AF_INET) {
                    announce_v4(fd, &link, own.bytes);
                } else {
                    announce_v6(fd, &link, own.bytes);
                }
            }
        }
    }
    (void)close(fd);
}

static void announce_text(int fd, const struct link *link, const char *text)
{
    char address[sizeof(((struct link_address *)0)->text)];
    uint8_t ip[16];

    (void)snprintf(address, sizeof(address), "%.*s", (int)strcspn(text, "/"), text);
    if (inet_pton(AF_INET, address, ip) == 1) {
        announce_v4(fd, link, ip);
    } else if (inet_pton(AF_INET6, address, ip) == 1) {
        announce_v6(fd, link, ip);
    }
}

void link_announce_own(struct links *links, const char *name)
{
    const int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct link_address *address = NULL;
    size_t count = 0;
    struct link link;

    if (fd >= 0 && link_find(links, name, &link, NULL) == 0 &&
        link_addresses(links, name, &address, &count, NULL) == 0) {
        for (size_t i = 0; i < count; i++) {
            announce_text(fd, &link, address[i].text);
        }
    }
    free(address);
    if (fd >= 0) {
        (void)close(fd);
    }
}
