/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/support/fake_virtio.h"

#include <string.h>

static struct fake_virtio *fake_of(struct virtio_device *device)
{
    return (struct fake_virtio *)device;     /* its first member */
}

static uint64_t features(struct virtio_device *device)
{
    (void)device;
    return FAKE_VIRTIO_FEATURES;
}

static void config_read(struct virtio_device *device, uint32_t offset, uint8_t *data,
                        unsigned len_bytes)
{
    memset(data, 0, len_bytes);
    if (offset < FAKE_VIRTIO_CONFIG_BYTES && len_bytes <= FAKE_VIRTIO_CONFIG_BYTES - offset) {
        memcpy(data, fake_of(device)->config + offset, len_bytes);
    }
}

static void config_write(struct virtio_device *device, uint32_t offset, const uint8_t *data,
                         unsigned len_bytes)
{
    if (offset < FAKE_VIRTIO_CONFIG_BYTES && len_bytes <= FAKE_VIRTIO_CONFIG_BYTES - offset) {
        memcpy(fake_of(device)->config + offset, data, len_bytes);
    }
}

static void start(struct virtio_device *device)
{
    struct fake_virtio *fake = fake_of(device);

    fake->confused = fake->confused || fake->runs;
    fake->runs = true;
    fake->starts++;
}

static void stop(struct virtio_device *device)
{
    struct fake_virtio *fake = fake_of(device);

    fake->confused = fake->confused || !fake->runs;
    fake->runs = false;
    fake->stops++;
}

static void call_changed(struct virtio_device *device, uint16_t queue)
{
    struct fake_virtio *fake = fake_of(device);

    fake->confused = fake->confused || !fake->runs || queue >= FAKE_VIRTIO_QUEUES;
    fake->calls_changed++;
}

static const struct virtio_ops ops = {
    .name = "fake",
    .device_id = 4,
    .queue_count = FAKE_VIRTIO_QUEUES,
    .features = features,
    .config_read = config_read,
    .config_write = config_write,
    .start = start,
    .stop = stop,
    .call_changed = call_changed,
};

int fake_virtio_open(struct fake_virtio *fake)
{
    memset(fake, 0, sizeof(*fake));
    fake->device.ops = &ops;
    fake->device.ram = &fake->ram;
    for (unsigned i = 0; i + 1 < FAKE_VIRTIO_QUEUES; i++) {
        fake->device.queue[i].size_max = FAKE_VIRTIO_SIZE_MAX;
    }
    for (unsigned i = 0; i < FAKE_VIRTIO_CONFIG_BYTES; i++) {
        fake->config[i] = (uint8_t)(i + 1);
    }
    return ram_create(&fake->ram, RAM_MIN_BYTES, NULL);
}

void fake_virtio_close(struct fake_virtio *fake)
{
    ram_destroy(&fake->ram);
}
