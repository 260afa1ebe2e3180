/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/punt.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <rte_ring.h>
#include <rte_ring_elem.h>

int punt_init(struct punt *punt, uint16_t worker_count)
{
    *punt = (struct punt){ .worker_count = worker_count };
    atomic_init(&punt->armed, true);
    punt->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    punt->ring = calloc(worker_count, sizeof(punt->ring[0]));
    if (punt->fd < 0 || punt->ring == NULL) {
        punt_fini(punt);
        return -ENOMEM;
    }
    for (uint16_t i = 0; i < worker_count; i++) {
        char name[RTE_RING_NAMESIZE];

        (void)snprintf(name, sizeof(name), "punt-%u", i);
        punt->ring[i] = rte_ring_create_elem(name, sizeof(struct forward_note), PUNT_RING_NOTES,
                                             SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
        if (punt->ring[i] == NULL) {
            punt_fini(punt);
            return -ENOMEM;
        }
    }
    return 0;
}

void punt_fini(struct punt *punt)
{
    for (uint16_t i = 0; punt->ring != NULL && i < punt->worker_count; i++) {
        rte_ring_free(punt->ring[i]);
    }
    free(punt->ring);
    punt->ring = NULL;
    if (punt->fd >= 0) {
        (void)close(punt->fd);
        punt->fd = -1;
    }
}

uint32_t punt_notes(struct punt *punt, uint16_t worker, const struct forward_notes *notes)
{
    const uint32_t put = rte_ring_sp_enqueue_burst_elem(punt->ring[worker], notes->note,
                                                        sizeof(notes->note[0]), notes->count,
                                                        NULL);

    atomic_thread_fence(memory_order_seq_cst);
    if (atomic_load_explicit(&punt->armed, memory_order_relaxed) &&
        atomic_exchange_explicit(&punt->armed, false, memory_order_relaxed)) {
        (void)eventfd_write(punt->fd, 1);
    }
    return notes->count - put;
}

static uint32_t take_once(struct punt *punt, struct forward_note *notes, uint32_t size)
{
    uint32_t count = 0;

    for (uint16_t i = 0; i < punt->worker_count && count < size; i++) {
        struct rte_ring *ring = punt->ring[(punt->next + i) % punt->worker_count];

        count += rte_ring_sc_dequeue_burst_elem(ring, &notes[count], sizeof(notes[0]),
                                                size - count, NULL);
    }
    punt->next = (uint16_t)((punt->next + 1) % punt->worker_count);
    return count;
}

uint32_t punt_take(struct punt *punt, struct forward_note *notes, uint32_t size)
{
    uint32_t count = take_once(punt, notes, size);
    eventfd_t ignored;

    if (count == 0) {
        (void)eventfd_read(punt->fd, &ignored);
        atomic_store_explicit(&punt->armed, true, memory_order_relaxed);
        atomic_thread_fence(memory_order_seq_cst);
        count = take_once(punt, notes, size);
        if (count > 0) {
            /* There is more to come back for: let the descriptor say so. */
            atomic_store_explicit(&punt->armed, false, memory_order_relaxed);
            (void)eventfd_write(punt->fd, 1);
        }
    }
    return count;
}
