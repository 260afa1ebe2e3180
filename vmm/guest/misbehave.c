/* SPDX-License-Identifier: BSD-3-Clause */
#include "vmm/guest/misbehave.h"

#include <linux/virtio_config.h>
#include <linux/virtio_net.h>

#include "vmm/guest/clock.h"
#include "vmm/guest/garbage.h"
#include "vmm/guest/memory.h"
#include "vmm/guest/misbehave_bus.h"
#include "vmm/guest/text.h"

#define LOOK_NS         UINT64_C(50000000)             /* for a device to notice */
#define SERVICE_NS      UINT64_C(5000000000)           /* for one to begin */
#define REWRITE_NS      UINT64_C(500000000)
#define KICKS           20000u
#define WILD_REGISTERS  500u                           /* of each window */
#define MMIO_BYTES      0x200u
#define WINDOW_BYTES    0x400u
#define RESTARTS        20u
#define RESETS          300u
#define FLOOD_LINES     400u
#define FRAME_BYTES     60u
#define CONTROL_QUEUE   2u                             /* without VIRTIO_NET_F_MQ: 5.1.2 */
#define COMMANDS        200u
#define COMMAND_NS      UINT64_C(100000000)
#define RING_ENTRIES    64u
#define ALL_STATUS      0xffu

#define CONTROL_FEATURES (VIRTIO_FEATURE(VIRTIO_NET_F_CTRL_VQ) | \
                          VIRTIO_FEATURE(VIRTIO_NET_F_CTRL_RX) | \
                          VIRTIO_FEATURE(VIRTIO_NET_F_GUEST_ANNOUNCE) | \
                          VIRTIO_FEATURE(VIRTIO_NET_F_GUEST_CSUM) | \
                          VIRTIO_FEATURE(VIRTIO_NET_F_CTRL_GUEST_OFFLOADS))

/* Each breaks one rule: what it does, or NULL for descriptors that are spoilt. */
#define KINDS(X)                                                                              \
    X(ADDRESS, "address", NULL, "buffers outside of memory")                                  \
    X(REGISTERS_AS_MEMORY, "mmio", NULL, "buffers that are a device's registers")             \
    X(LENGTH, "length", NULL, "a buffer of 4 GiB")                                            \
    X(LOOP, "loop", NULL, "chains without an end")                                            \
    X(NEXT, "next", NULL, "chains that go on outside of the table")                           \
    X(HEAD, "head", NULL, "heads outside of the table")                                       \
    X(JUMP, "jump", NULL, "an available index far ahead")                                     \
    X(SHORT, "short", NULL, "less than a header")                                             \
    X(DIRECTION, "direction", NULL, "buffers to write where to read, and the other way around") \
    X(INDIRECT, "indirect", NULL, "an indirect table that was not negotiated")                \
    X(NESTED, "nested", nest, "indirect tables in indirect tables")                           \
    X(HEADER, "header", claim, "offload claims that are not true")                            \
    X(REWRITE, "rewrite", rewrite, "rings rewritten while the device reads them")             \
    X(CONTROL, "control", command, "garbage in the control queue")                            \
    X(KICKS, "kicks", kick_storm, "a storm of notifications, of queues that are not there too") \
    X(REGISTERS, "registers", write_garbage, "garbage in all registers")                      \
    X(RINGS, "rings", place_rings, "rings of no size, out of place, outside of memory")       \
    X(ORDER, "order", start_wrong, "a start in the wrong order")                              \
    X(RESTART, "restart", restart, "resets in the midst of frames")                           \
    X(RESETS, "resets", reset_storm, "a storm of resets")                                     \
    X(FLOOD, "flood", flood, "a flood on the console")                                        \
    X(OTHERS, "others", misbehave_others, "garbage to the devices that are no NICs")          \
    X(BARS, "bars", misbehave_bars, "registers moved over memory and other devices")          \
    X(CONFIG, "config", misbehave_config, "garbage in the configuration space")               \
    X(MESSAGES, "messages", misbehave_messages, "garbage in the interrupt table")

enum kind {
#define X(name, word, does, text) KIND_##name,
    KINDS(X)
#undef X
    KIND_COUNT
};

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
static void spoil(struct ring *ring, uint16_t number, enum kind kind)
{
    volatile struct vring_desc *const desc = &ring->memory->desc[number];

    switch ((unsigned)kind) {
    case KIND_ADDRESS:
        desc->addr = GARBAGE_WILD_GPA;
        break;
    case KIND_REGISTERS_AS_MEMORY:
        desc->addr = GARBAGE_DEVICE_GPA;
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
    case KIND_NESTED:
        desc->flags = VRING_DESC_F_INDIRECT;
        desc->addr = (uintptr_t)ring->memory->desc;
        desc->len = number == 0 ? (uint32_t)(ring->size * sizeof(*desc)) : 17;
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
            spoil(ring, i, kind);
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
    garbage_wait(LOOK_NS);
}

static void nest(struct nic *nic)
{
    const uint64_t wanted = nic->wanted;

    nic->wanted |= VIRTIO_FEATURE(VIRTIO_RING_F_INDIRECT_DESC);
    if (nic_start_quietly(nic)) {
        spoil_rings(nic, KIND_NESTED);
    }
    nic->wanted = wanted;
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
            .flags = (uint8_t)garbage_number(),
            .gso_type = (uint8_t)garbage_number(),
            .hdr_len = (uint16_t)garbage_number(),
            .gso_size = (uint16_t)(garbage_number() & 3),
            .csum_start = (uint16_t)garbage_number(),
            .csum_offset = (uint16_t)garbage_number(),
            .num_buffers = (uint16_t)garbage_number(),
        };
        nic_tell(nic);
    }
    garbage_wait(LOOK_NS);
}

/* Half of what is written is sound, so that the device does not stop reading at once. */
static void rewrite(struct nic *nic)
{
    const uint64_t until_ns = clock_ns() + REWRITE_NS;
    struct ring *const ring = &nic->send;

    for (uint64_t n = 0; clock_ns() < until_ns; n++) {
        volatile struct vring_desc *desc = &ring->memory->desc[garbage_number() % ring->size];
        const uint64_t sound_gpa = desc->addr;

        desc->len = garbage_number() % 2 == 0 ? FRAME_BYTES : garbage_number();
        desc->flags = garbage_number() % 2 == 0 ? 0 : (uint16_t)garbage_number();
        desc->next = (uint16_t)garbage_number();
        desc->addr = garbage_number();
        desc->addr = sound_gpa;
        ring_give(ring, (uint16_t)(garbage_number() % ring->size));
        ring_tell(ring);
    }
}

/* ---- the control queue ----------------------------------------------------------------------- */

/* A command as it should be, but for what it says: some of them mean something. */
static void give_command(struct ring *ring, uint8_t *bytes, uint8_t *answer)
{
    volatile struct vring_desc *const desc = ring->memory->desc;

    garbage_fill(bytes, RING_ENTRIES);
    bytes[0] %= 8;                     /* the class, and which of it */
    bytes[1] %= 4;
    desc[0] = (struct vring_desc){
        .addr = (uintptr_t)bytes,
        .len = garbage_number() % RING_ENTRIES,
        .flags = VRING_DESC_F_NEXT,
        .next = 1,
    };
    desc[1] = (struct vring_desc){
        .addr = (uintptr_t)answer,
        .len = garbage_number() % 3,
        .flags = VRING_DESC_F_WRITE,
    };
    ring_give(ring, 0);
    ring_tell(ring);
}

/* Last come chains that are none. */
static void command(struct nic *nic)
{
    static uint8_t bytes[RING_ENTRIES], answer[4];
    volatile struct ring_memory *const memory = nic->send.memory;
    struct ring *const ring = &nic->send;
    uint32_t written_bytes;
    uint16_t head;

    if (!virtio_start(&nic->device, CONTROL_FEATURES) ||
        !ring_start(ring, &nic->device, CONTROL_QUEUE, RING_ENTRIES, memory)) {
        return;
    }
    virtio_start_end(&nic->device);
    for (unsigned i = 0; i < COMMANDS; i++) {
        const uint64_t until_ns = clock_ns() + COMMAND_NS;

        give_command(ring, bytes, answer);
        while (!ring_take(ring, &head, &written_bytes) && clock_ns() < until_ns) {
            __asm__ volatile("pause");
        }
    }
    garbage_chains(ring);
    garbage_wait(LOOK_NS);
}

/* ---- registers ------------------------------------------------------------------------------- */

static void kick_storm(struct nic *nic)
{
    struct ring ring = nic->send;

    for (unsigned i = 0; i < KICKS; i++) {
        ring.number = i % 4 == 0 ? (uint16_t)garbage_number() : (uint16_t)(i % 4);
        ring_kick(&ring);
    }
}

static void write_garbage(struct nic *nic)
{
    const struct virtio *device = &nic->device;

    if (!device->is_pci) {
        garbage_registers(device->registers, MMIO_BYTES, 4 * WILD_REGISTERS);
        return;
    }
    for (unsigned i = 0; i < WILD_REGISTERS; i++) {
        garbage_registers(device->registers, VIRTIO_WINDOW_BYTES + 8, 2);
        garbage_registers(device->config, WINDOW_BYTES, 1);
        garbage_registers(device->notify, WINDOW_BYTES, 1);
    }
}

static void place_rings(struct nic *nic)
{
    const uint64_t own_gpa = (uintptr_t)nic->send.memory;
    const struct {
        uint64_t gpa;
        uint16_t entries;
    } places[] = {
        { GARBAGE_WILD_GPA, RING_ENTRIES },     { GARBAGE_DEVICE_GPA, RING_ENTRIES },
        { UINT64_MAX & ~UINT64_C(4095), RING_ENTRIES }, { own_gpa + 1, RING_ENTRIES },
        { own_gpa, 0 },                         { own_gpa, 3 },
        { UINT64_C(0xbffffff0), RING_ENTRIES }, { own_gpa | UINT64_C(1) << 63, RING_ENTRIES },
    };

    for (unsigned i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        if (virtio_start(&nic->device, nic->device.features)) {
            (void)ring_place(&nic->receive, &nic->device, 0, places[i].entries, places[i].gpa);
            (void)ring_place(&nic->send, &nic->device, 1, places[i].entries, places[i].gpa);
            virtio_start_end(&nic->device);
            ring_kick(&nic->send);
            garbage_wait(LOOK_NS);
        }
    }
}

static void start_wrong(struct nic *nic)
{
    struct virtio *const device = &nic->device;
    const uint64_t gpa = (uintptr_t)nic->send.memory;

    virtio_reset(device);
    virtio_start_end(device);          /* before there is anything */
    virtio_reset(device);
    virtio_set_status(device, ALL_STATUS);
    virtio_take_features(device, UINT64_MAX);
    virtio_set_status(device, ALL_STATUS);
    ring_kick(&nic->send);
    if (virtio_start(device, device->features)) {
        virtio_start_end(device);
        (void)ring_place(&nic->send, device, 1, RING_ENTRIES, gpa);    /* too late */
        ring_kick(&nic->send);
        virtio_take_features(device, 0);
        virtio_set_status(device, VIRTIO_CONFIG_S_ACKNOWLEDGE);
        garbage_wait(LOOK_NS);
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

static void reset_storm(struct nic *nic)
{
    for (unsigned i = 0; i < RESETS; i++) {
        virtio_reset(&nic->device);
        virtio_set_status(&nic->device, (uint8_t)garbage_number());
    }
}

static void flood(struct nic *nic)
{
    char line[TEXT_LINE_MAX / 2];

    memset(line, '~', sizeof(line) - 1);
    line[sizeof(line) - 1] = '\0';
    for (unsigned i = 0; i < FLOOD_LINES; i++) {
        say("nic %u %s", nic->number, line);
    }
}

/* ---- all of it ------------------------------------------------------------------------------- */

static const struct {
    const char *word;
    void (*does)(struct nic *nic);
    const char *text;
} kinds[] = {
#define X(name, word, does, text) { word, does, text },
    KINDS(X)
#undef X
};

static bool needs_pci(enum kind kind)
{
    return kind == KIND_BARS || kind == KIND_CONFIG || kind == KIND_MESSAGES;
}

/* For @p rest_ms the device is left as it is then. */
static void do_kind(struct nic *nic, enum kind kind, uint64_t rest_ms)
{
    bool wants_reset;

    if (needs_pci(kind) && !nic->device.is_pci) {
        say("nic %u does not misbehave: %s are PCI's", nic->number, kinds[kind].word);
        return;
    }
    if (!is_served(nic)) {
        say("nic %u does not misbehave: nobody takes its frames", nic->number);
        return;
    }
    if (kinds[kind].does != NULL) {
        kinds[kind].does(nic);
    } else {
        spoil_rings(nic, kind);
    }
    wants_reset = (virtio_status(&nic->device) & VIRTIO_CONFIG_S_NEEDS_RESET) != 0;
    say("nic %u misbehaved: %s; the device %s", nic->number, kinds[kind].text,
        wants_reset ? "wants a reset" : "bears it");
    garbage_wait(rest_ms * NS_PER_MS);
    nic_start(nic);
}

bool misbehave(struct nic *nic, const char **at)
{
    const bool all = text_take(at, "all") && text_is_end(*at);
    uint64_t rest_ms = 0;

    for (unsigned kind = 0; kind < KIND_COUNT; kind++) {
        const char *here = *at;

        if (all) {
            do_kind(nic, (enum kind)kind, 0);
        } else if (text_take(&here, kinds[kind].word) &&
                   (!text_take(&here, ",") || text_take_number(&here, &rest_ms)) &&
                   text_is_end(here)) {
            *at = here;
            do_kind(nic, (enum kind)kind, rest_ms);
            return true;
        }
    }
    return all;
}
