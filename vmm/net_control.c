/* SPDX-License-Identifier: BSD-3-Clause */
#include "vmm/net_control.h"

#include <stddef.h>
#include <string.h>

#define BIT(n) (UINT64_C(1) << (n))

/* The longest command that is looked at whole; of lists of addresses only the head is. */
struct command {
    uint8_t class;
    uint8_t number;
    uint8_t data[8];
};

/* Copies what the driver wrote, once.  Returns how much of @p command that is. */
static uint32_t read_command(const struct vmm_chain *chain, struct command *command)
{
    uint8_t *to = (uint8_t *)command;
    uint32_t got_bytes = 0;

    for (uint16_t i = 0; i < chain->readable && got_bytes < sizeof(*command); i++) {
        const struct iovec *piece = &chain->piece[i];
        const size_t room_bytes = sizeof(*command) - got_bytes;
        const size_t len_bytes = piece->iov_len < room_bytes ? piece->iov_len : room_bytes;

        memcpy(to + got_bytes, piece->iov_base, len_bytes);
        got_bytes += (uint32_t)len_bytes;
    }
    return got_bytes;
}

static bool set_pairs(struct net_control *control, const struct command *command)
{
    uint16_t pairs;

    memcpy(&pairs, command->data, sizeof(pairs));
    if (pairs == 0 || pairs > control->pairs_max) {
        return false;
    }
    control->pairs = pairs;
    return true;
}

static bool set_guest_offloads(struct net_control *control, const struct command *command)
{
    uint64_t offloads;

    memcpy(&offloads, command->data, sizeof(offloads));
    if ((offloads & ~(control->acked & NET_GUEST_OFFLOADS)) != 0) {
        return false;
    }
    control->guest_offloads = offloads;
    return true;
}

static bool set_announced(struct net_control *control, const struct command *command)
{
    (void)command;
    control->announced = true;
    return true;
}

static bool accept(struct net_control *control, const struct command *command)
{
    (void)control;
    (void)command;
    return true;
}

static const struct rule {
    uint8_t class, number;
    uint8_t feature;               /* that must be negotiated */
    uint8_t data_bytes;            /* at least */
    bool (*obey)(struct net_control *control, const struct command *command);
} rules[] = {
    { VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_PROMISC, VIRTIO_NET_F_CTRL_RX, 1, accept },
    { VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_ALLMULTI, VIRTIO_NET_F_CTRL_RX, 1, accept },
    { VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_TABLE_SET, VIRTIO_NET_F_CTRL_RX, 8, accept },
    { VIRTIO_NET_CTRL_ANNOUNCE, VIRTIO_NET_CTRL_ANNOUNCE_ACK, VIRTIO_NET_F_GUEST_ANNOUNCE, 0,
      set_announced },
    { VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET, VIRTIO_NET_F_MQ, 2, set_pairs },
    { VIRTIO_NET_CTRL_GUEST_OFFLOADS, VIRTIO_NET_CTRL_GUEST_OFFLOADS_SET,
      VIRTIO_NET_F_CTRL_GUEST_OFFLOADS, 8, set_guest_offloads },
};

void net_control_reset(struct net_control *control, uint64_t acked, uint16_t pairs_max)
{
    *control = (struct net_control){
        .acked = acked,
        .pairs_max = pairs_max,
        .pairs = 1,
        .guest_offloads = acked & NET_GUEST_OFFLOADS,
    };
}

bool net_control_restore(struct net_control *control, uint64_t acked, uint16_t pairs_max,
                         uint64_t pairs, uint64_t guest_offloads)
{
    const uint64_t all = acked & NET_GUEST_OFFLOADS;
    const uint64_t pairs_allowed = (acked & BIT(VIRTIO_NET_F_MQ)) != 0 ? pairs_max : 1;
    const uint64_t must = (acked & BIT(VIRTIO_NET_F_CTRL_GUEST_OFFLOADS)) != 0 ? 0 : all;

    if (pairs == 0 || pairs > pairs_allowed || (guest_offloads & ~all) != 0 ||
        (must & ~guest_offloads) != 0) {
        return false;
    }
    net_control_reset(control, acked, pairs_max);
    control->pairs = (uint16_t)pairs;
    control->guest_offloads = guest_offloads;
    return true;
}

uint8_t net_control_run(struct net_control *control, const struct vmm_chain *chain)
{
    struct command command = { 0 };
    const uint32_t len_bytes = read_command(chain, &command);

    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        const struct rule *rule = &rules[i];

        if (rule->class == command.class && rule->number == command.number &&
            (control->acked & BIT(rule->feature)) != 0 &&
            len_bytes >= offsetof(struct command, data) + rule->data_bytes) {
            return rule->obey(control, &command) ? VIRTIO_NET_OK : VIRTIO_NET_ERR;
        }
    }
    return VIRTIO_NET_ERR;
}
