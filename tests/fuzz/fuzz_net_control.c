/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A NIC's driver whose commands, and the pieces it cuts them into, are the fuzzer's.
 *
 * fuzz-sources: vmm/net_control.c
 *
 * The first 8 bytes are what was negotiated, the next is how many queue pairs there are.  Each
 * command is a byte for the number of its pieces, their lengths, and what is in them.
 *
 * The properties: what is wished for is something that was negotiated; a refused command changes
 * nothing; and a snapshot taken after any command can be restored.
 */
#include <stdlib.h>
#include <string.h>

#include "vmm/net_control.h"

#define PAIRS_MAX   16u
#define PIECES_MAX  6u
#define PIECE_BYTES 32u
#define BIT(n)      (UINT64_C(1) << (n))

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
    const uint8_t *at;
    size_t left;
};

static void take(struct input *in, void *to, size_t len_bytes)
{
    const size_t got = len_bytes < in->left ? len_bytes : in->left;

    memset(to, 0, len_bytes);
    memcpy(to, in->at, got);
    in->at += got;
    in->left -= got;
}

static uint8_t take_byte(struct input *in)
{
    uint8_t byte;

    take(in, &byte, sizeof(byte));
    return byte;
}

static void check(int truth)
{
    if (!truth) {
        abort();
    }
}

/* Every piece is an allocation of its own, so that a look beyond one is seen. */
static void take_chain(struct input *in, struct vmm_chain *chain)
{
    chain->readable = take_byte(in) % (PIECES_MAX + 1);
    chain->writable = 0;
    chain->readable_bytes = 0;
    for (unsigned i = 0; i < chain->readable; i++) {
        struct iovec *piece = &chain->piece[i];

        piece->iov_len = 1u + take_byte(in) % PIECE_BYTES;
        piece->iov_base = malloc(piece->iov_len);
        check(piece->iov_base != NULL);
        take(in, piece->iov_base, piece->iov_len);
        chain->readable_bytes += (uint32_t)piece->iov_len;
    }
}

static void free_chain(struct vmm_chain *chain)
{
    for (unsigned i = 0; i < chain->readable; i++) {
        free(chain->piece[i].iov_base);
    }
}

static void check_wishes(const struct net_control *control)
{
    const uint16_t allowed = (control->acked & BIT(VIRTIO_NET_F_MQ)) != 0 ? control->pairs_max : 1;
    struct net_control again;

    check(control->pairs >= 1 && control->pairs <= allowed);
    check((control->guest_offloads & ~(control->acked & NET_GUEST_OFFLOADS)) == 0);
    memset(&again, 0, sizeof(again));
    check(net_control_restore(&again, control->acked, control->pairs_max, control->pairs,
                              control->guest_offloads));
    check(again.pairs == control->pairs && again.guest_offloads == control->guest_offloads);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct vmm_chain chain;
    struct input in = { data, size };
    struct net_control control, before;
    uint64_t acked;

    take(&in, &acked, sizeof(acked));
    net_control_reset(&control, acked, (uint16_t)(1 + take_byte(&in) % PAIRS_MAX));
    check_wishes(&control);
    while (in.left > 0) {
        uint8_t answer;

        take_chain(&in, &chain);
        before = control;
        answer = net_control_run(&control, &chain);
        free_chain(&chain);
        check(answer == VIRTIO_NET_OK || answer == VIRTIO_NET_ERR);
        check(control.acked == before.acked && control.pairs_max == before.pairs_max);
        check(answer == VIRTIO_NET_OK ||
              (control.pairs == before.pairs && control.announced == before.announced &&
               control.guest_offloads == before.guest_offloads));
        check_wishes(&control);
        control.announced = false;
    }
    return 0;
}
