/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/support/board.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <event2/event.h>

#include "tests/support/fake_kvm.h"

struct board *board_open(const struct subject *subject)
{
    struct board *board = calloc(1, sizeof(*board));

    assert_non_null(board);
    fake_kvm_reset();
    board->subject = subject;
    assert_int_equal(ram_create(&board->ram, RAM_MIN_BYTES, NULL), 0);
    board->bus = bus_create();
    board->base = event_base_new();
    board->console = console_create(board->base, NULL, NULL);
    assert_non_null(board->console);
    subject->make(board);
    return board;
}

void board_close(struct board *board)
{
    virtio_mmio_unplug(board->mmio);
    virtio_pci_unplug(board->pci);
    virtio_net_destroy(board->net);
    virtio_blk_destroy(board->blk);
    virtio_console_destroy(board->virtio_console);
    virtio_rng_destroy(board->rng);
    if (board->image[0] != '\0') {
        unlink(board->image);
    }
    pci_root_destroy(board->root);
    power_destroy(board->power);
    serial_destroy(board->serial);
    console_destroy(board->console);
    event_base_free(board->base);
    bus_destroy(board->bus);
    ram_destroy(&board->ram);
    free(board);
}

/* ---- a guest's accesses ---------------------------------------------------------------------- */

uint64_t board_get(struct board *board, enum bus_space space, uint64_t at, unsigned len_bytes)
{
    uint64_t value = 0;

    bus_read(board->bus, space, at, (uint8_t *)&value, len_bytes);
    return value;
}

void board_put(struct board *board, enum bus_space space, uint64_t at, unsigned len_bytes,
               uint64_t value)
{
    bus_write(board->bus, space, at, (const uint8_t *)&value, len_bytes);
}

void board_see(struct board *board, enum bus_space space, uint64_t at, unsigned width,
               unsigned count, struct view *view)
{
    for (unsigned i = 0; i < count; i++) {
        const uint64_t value = board_get(board, space, at + i * width, width);

        assert_true(view->len_bytes + width <= VIEW_BYTES);
        memcpy(view->bytes + view->len_bytes, &value, width);
        view->len_bytes += width;
    }
}
