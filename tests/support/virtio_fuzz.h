/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What both fuzz targets of virtio's transports do beside register accesses: guest memory that
 * changes, and a device that serves its queues whatever is in them.
 */
#ifndef TESTS_SUPPORT_VIRTIO_FUZZ_H
#define TESTS_SUPPORT_VIRTIO_FUZZ_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/fake_virtio.h"
#include "vmm/vmm_queue.h"

/* One step of an input. */
struct fuzz_step {
    uint8_t what;
    uint8_t len_log2;
    uint16_t offset;
    uint32_t value;
};

#define FUZZ_STEP_BYTES sizeof(struct fuzz_step)

static inline unsigned fuzz_step_len(const struct fuzz_step *step)
{
    return 1u << step->len_log2 % 4;
}

/* A guest that writes its memory: the first MiB, 16 bytes apart. */
static inline void fuzz_write_memory(struct fake_virtio *fake, const struct fuzz_step *step)
{
    memcpy(fake->ram.host + step->offset * 16u + (step->len_log2 & 0xc), &step->value,
           sizeof(step->value));
}

/* A device that looks at every byte of every chain; none may be outside of memory. */
static inline void fuzz_serve(struct fake_virtio *fake)
{
    static struct vmm_chain chain;
    struct vmm_queue queue;

    if (fake->confused || fake->runs != fake->device.running) {
        abort();
    }
    for (uint16_t number = 0; fake->runs && number < FAKE_VIRTIO_QUEUES; number++) {
        vmm_queue_start(&queue, &fake->device, number);
        for (unsigned i = 0; i < 8 && vmm_queue_take(&queue, &chain) == 1; i++) {
            for (unsigned piece = 0; piece < chain.readable + (unsigned)chain.writable; piece++) {
                const uint8_t *at = chain.piece[piece].iov_base;
                const size_t offset = (size_t)(at - fake->ram.host);

                if (offset >= fake->ram.size_bytes ||
                    chain.piece[piece].iov_len > fake->ram.size_bytes - offset) {
                    abort();
                }
            }
            vmm_queue_return(&queue, chain.head, chain.writable_bytes);
        }
        if (queue.broken) {
            virtio_device_needs_reset(&fake->device);
        }
    }
}

#endif
