/* SPDX-License-Identifier: BSD-3-Clause */
#include "vmm/guest/misbehave.h"

#include <linux/virtio_config.h>
#include <linux/virtio_net.h>

#include "vmm/guest/clock.h"
#include "vmm/guest/text.h"

#define WILD_GPA        UINT64_C(0x00007ffffffff000)
#define DEVICE_GPA      UINT64_C(0x00000000fec00000)   /* registers, no memory */
#define LOOK_NS         UINT64_C(50000000)             /* for a device to notice */
#define SERVICE_NS      UINT64_C(5000000000)           /* for one to begin */
#define REWRITE_NS      UINT64_C(500000000)
#define KICKS           20000u
#define WILD_REGISTERS  2000u
#define RESTARTS        20u
#define REGISTER_BYTES  0x200u
#define FRAME_BYTES     60u

#define KINDS(X)                                                                              \
    X(ADDRESS, "address", "buffers outside of memory")                                        \
    X(REGISTERS_AS_MEMORY, "mmio", "buffers that are a device's registers")                   \
    X(LENGTH, "length", "a buffer of 4 GiB")                                                  \
    X(LOOP, "loop", "chains without an end")                                                  \
    X(NEXT, "next", "chains that go on outside of the table")                                 \
    X(HEAD, "head", "heads outside of the table")                                             \
    X(JUMP, "jump", "an available index far ahead")                                           \
    X(SHORT, "short", "less than a header")                                                   \
    X(DIRECTION, "direction", "buffers to write where to read, and the other way around")     \
    X(INDIRECT, "indirect", "an indirect table that was not negotiated")                      \
    X(HEADER, "header", "offload claims that are not true")                                   \
    X(REWRITE, "rewrite", "rings rewritten while the device reads them")                      \
    X(KICKS, "kicks", "a storm of notifications, of queues that are not there too")           \
    X(REGISTERS, "registers", "garbage in all registers")                                     \
    X(RINGS, "rings", "rings outside of memory")                                              \
    X(RESTART, "restart", "resets in the midst of frames")

enum kind {
#define X(name, word, text) KIND_##name,
    KINDS(X)
#undef X
    KIND_COUNT
};

static const struct {
    const char *word, *text;
} kinds[] = {
#define X(name, word, text) { word, text },
    KINDS(X)
#undef X
};

static uint64_t random_state = 1;      /* the same in each run: what broke once breaks again */

static uint32_t random_number(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (uint32_t)(random_state >> 32);
}

static void give_time(uint64_t ns)
{
    const uint64_t until_ns = clock_ns() + ns;

    while (clock_ns() < until_ns) {
        __asm__ volatile("pause");
    }
}

/* Whether somebody takes what is sent: misbehaviour that nobody sees would prove nothing. */
static bool is_served(struct nic *nic)
{
    const uint64_t until_ns = clock_ns() + SERVICE_NS;
    uint8_t *const frame = nic_frame(nic);

    if (frame == NULL) {
        return false;
    }
    packet_put_ether(frame, nic->station.mac, nic->station.mac, ETHER_LOAD);
    nic_send(nic, FRAME_BYTES);
    nic_tell(nic);
    while (!ring_has_used(&nic->send) && clock_ns() < until_ns) {
        __asm__ volatile("pause");
    }
    return ring_has_used(&nic->send);
}

/* ---- rings ----------------------------------------------------------------------------------- */

/* Changes a sound descriptor into one of @p kind. */
static void spoil(volatile struct vring_desc *desc, uint16_t number, enum kind kind)
{
    switch ((unsigned)kind) {
    case KIND_ADDRESS:
        desc->addr = WILD_GPA;
        break;
    case KIND_REGISTERS_AS_MEMORY:
        desc->addr = DEVICE_GPA;
        break;
    case KIND_LENGTH:
        desc->len = UINT32_MAX;
        break;
    case KIND_LOOP:
        desc->flags |= VRING_DESC_F_NEXT;
        desc->next = number;
        break;
    case KIND_NEXT:
        desc->flags |= VRING_DESC_F_NEXT;
        desc->next = UINT16_MAX;
        break;
    case KIND_SHORT:
        desc->len = 5;
        break;
    case KIND_DIRECTION:
        desc->flags ^= VRING_DESC_F_WRITE;
        break;
    case KIND_INDIRECT:
        desc->flags = VRING_DESC_F_INDIRECT;
        break;
    }
}

/* The descriptors of all that either queue has, spoilt; some given to the device. */
static void spoil_rings(struct nic *nic, enum kind kind)
{
    struct ring *const rings[2] = { &nic->receive, &nic->send };

    for (unsigned r = 0; r < 2; r++) {
        struct ring *ring = rings[r];

        for (uint16_t i = 0; i < ring->size; i++) {
            ring->memory->desc[i].len = FRAME_BYTES;
            spoil(&ring->memory->desc[i], i, kind);
        }
        for (uint16_t i = 0; i < 4; i++) {
            ring_give(ring, kind == KIND_HEAD ? (uint16_t)(ring->size + i * 1000) : i);
        }
        if (kind == KIND_JUMP) {
            ring->avail_next = (uint16_t)(ring->avail_next + 40000);
        }
        ring_tell(ring);
        ring_kick(ring);
    }
    give_time(LOOK_NS);
}

static void claim(struct nic *nic)
{
    for (unsigned i = 0; i < 64; i++) {
        uint8_t *frame = nic_frame(nic);
        struct virtio_net_hdr_v1 *header;

        if (frame == NULL) {
            break;
        }
        nic_send(nic, FRAME_BYTES);
        header = (struct virtio_net_hdr_v1 *)frame - 1;
        *header = (struct virtio_net_hdr_v1){
            .flags = (uint8_t)random_number(),
            .gso_type = (uint8_t)random_number(),
            .hdr_len = (uint16_t)random_number(),
            .gso_size = (uint16_t)(random_number() & 3),
            .csum_start = (uint16_t)random_number(),
            .csum_offset = (uint16_t)random_number(),
            .num_buffers = (uint16_t)random_number(),
        };
        nic_tell(nic);
    }
    give_time(LOOK_NS);
}

/* Half of what is written is sound, so that the device does not stop reading at once. */
static void rewrite(struct nic *nic)
{
    const uint64_t until_ns = clock_ns() + REWRITE_NS;
    struct ring *const ring = &nic->send;

    for (uint64_t n = 0; clock_ns() < until_ns; n++) {
        volatile struct vring_desc *desc = &ring->memory->desc[random_number() % ring->size];
        const uint64_t sound_gpa = desc->addr;

        desc->len = random_number() % 2 == 0 ? FRAME_BYTES : random_number();
        desc->flags = random_number() % 2 == 0 ? 0 : (uint16_t)random_number();
        desc->next = (uint16_t)random_number();
        desc->addr = random_number();
        desc->addr = sound_gpa;
        ring_give(ring, (uint16_t)(random_number() % ring->size));
        ring_tell(ring);
    }
}

/* ---- registers ------------------------------------------------------------------------------- */

static void kick_storm(const struct nic *nic)
{
    struct ring ring = nic->send;

    for (unsigned i = 0; i < KICKS; i++) {
        ring.number = i % 4 == 0 ? (uint16_t)random_number() : (uint16_t)(i % 4);
        ring_kick(&ring);
    }
}

static void write_garbage(const struct nic *nic)
{
    const uint32_t span_bytes = nic->device.is_pci ? VIRTIO_WINDOW_BYTES : REGISTER_BYTES;

    for (unsigned i = 0; i < WILD_REGISTERS; i++) {
        volatile uint8_t *const at = nic->device.registers + random_number() % span_bytes;

        switch (random_number() % 3) {
        case 0:
            *at = (uint8_t)random_number();
            break;
        case 1:
            *(volatile uint16_t *)((uintptr_t)at & ~UINT64_C(1)) = (uint16_t)random_number();
            break;
        case 2:
            *(volatile uint32_t *)((uintptr_t)at & ~UINT64_C(3)) = random_number();
            break;
        }
    }
}

static void place_rings(struct nic *nic)
{
    static const uint64_t wild_gpa[] = { WILD_GPA, DEVICE_GPA, UINT64_MAX & ~UINT64_C(4095) };

    for (unsigned i = 0; i < sizeof(wild_gpa) / sizeof(wild_gpa[0]); i++) {
        if (virtio_start(&nic->device, nic->device.features)) {
            (void)ring_place(&nic->receive, &nic->device, 0, 64, wild_gpa[i]);
            (void)ring_place(&nic->send, &nic->device, 1, 64, wild_gpa[i]);
            virtio_start_end(&nic->device);
            ring_kick(&nic->send);
            give_time(LOOK_NS);
        }
    }
}

static void restart(struct nic *nic)
{
    for (unsigned i = 0; i < RESTARTS; i++) {
        while (nic_frame(nic) != NULL) {
            nic_send(nic, FRAME_BYTES);
        }
        nic_tell(nic);
        nic_start_quietly(nic);
    }
}

/* ---- all of it ------------------------------------------------------------------------------- */

static void do_kind(struct nic *nic, enum kind kind)
{
    bool wants_reset;

    if (!is_served(nic)) {
        say("nic %u does not misbehave: nobody takes its frames", nic->number);
        return;
    }
    switch ((unsigned)kind) {
    case KIND_HEADER:
        claim(nic);
        break;
    case KIND_REWRITE:
        rewrite(nic);
        break;
    case KIND_KICKS:
        kick_storm(nic);
        break;
    case KIND_REGISTERS:
        write_garbage(nic);
        break;
    case KIND_RINGS:
        place_rings(nic);
        break;
    case KIND_RESTART:
        restart(nic);
        break;
    default:
        spoil_rings(nic, kind);
        break;
    }
    wants_reset = (virtio_status(&nic->device) & VIRTIO_CONFIG_S_NEEDS_RESET) != 0;
    say("nic %u misbehaved: %s; the device %s", nic->number, kinds[kind].text,
        wants_reset ? "wants a reset" : "bears it");
    nic_start(nic);
}

bool misbehave(struct nic *nic, const char **at)
{
    const bool all = text_take(at, "all") && text_is_end(*at);

    for (unsigned kind = 0; kind < KIND_COUNT; kind++) {
        const char *here = *at;

        if (all) {
            do_kind(nic, (enum kind)kind);
        } else if (text_take(&here, kinds[kind].word) && text_is_end(here)) {
            *at = here;
            do_kind(nic, (enum kind)kind);
            return true;
        }
    }
    return all;
}
