/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The face of the dataplane: start it, publish a fabric, read what it counted and noticed.
 *
 * Behind it are the poll workers, one a core.  Control never messages or stops a worker: it
 * publishes a new fabric, waits until every worker has let go of the old one (rte_rcu_qsbr; a
 * sleeping worker holds nothing), and then does what is destructive.  Workers never call control:
 * what they notice goes into bounded rings that control reads when the notice descriptor is
 * readable.
 */
#ifndef DATAPLANE_DATAPLANE_H
#define DATAPLANE_DATAPLANE_H

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/counters.h"
#include "switch/error.h"
#include "switch/fabric.h"
#include "switch/forward.h"

#define DATAPLANE_MAX_WORKERS 64u

struct dataplane_config {
    const uint16_t *cores;         /* one worker each; borrowed for the call */
    uint16_t core_count;           /* 1 to DATAPLANE_MAX_WORKERS */
    bool no_huge;                  /* do not even look for hugepages */
    uint32_t memory_mib;           /* for DPDK; 0: as little as it needs */
    const char *const *pci;        /* PCI addresses DPDK may probe; none: no PCI at all */
    uint16_t pci_count;
};

struct dataplane;

/**
 * Starts DPDK and the workers, with an empty fabric.  Once in a process.
 *
 * @param note  filled with a sentence when something is not as good as it could be (no hugepages),
 *              else left empty
 * @return owned, for dataplane_stop(); NULL with a sentence in @p error
 * Thread: main; it becomes DPDK's main lcore and the control thread, bound to no core.
 */
struct dataplane *dataplane_start(const struct dataplane_config *config, struct error *note,
                                  struct error *error);
/** Ends the workers and DPDK.  Everything that workers used may then be freed.  NULL is fine. */
void dataplane_stop(struct dataplane *dataplane);

/**
 * Publishes @p fabric (takes it), waits until no worker uses the one before or sleeps on what it
 * has, and returns that one (owned; NULL the first time).  Cannot fail.  Thread: control.
 */
struct fabric *dataplane_publish(struct dataplane *dataplane, struct fabric *fabric);

/**
 * Returns when every worker has let go of whatever it held before the call.  A worker that has not
 * after 10 ms is sent a signal, which ends the one call that a hostile frontend can hold it by; so
 * control calls this once a second even when it has nothing to wait for.  Any thread.
 */
void dataplane_wait(struct dataplane *dataplane);
/** Makes sleeping workers look at their queues.  Any thread. */
void dataplane_wake(struct dataplane *dataplane);

uint16_t dataplane_worker_count(const struct dataplane *dataplane);

/* ---- what workers notice -------------------------------------------------------------------- */

/** Readable while there are notes; borrowed. */
int dataplane_notes_fd(const struct dataplane *dataplane);
/** Takes learning notes.  @return how many; 0 re-arms the descriptor.  Thread: control. */
uint32_t dataplane_take_notes(struct dataplane *dataplane, struct forward_note *notes,
                              uint32_t size);
/** The second workers refresh table entries with.  Call about once a second.  Thread: control. */
void dataplane_set_second(struct dataplane *dataplane, uint32_t now_s);

/* ---- what workers count ---------------------------------------------------------------------- */

/** Sums a port's counters over the workers. */
void dataplane_counters(const struct dataplane *dataplane, uint16_t port,
                        struct port_counters *sum);
/** Zeroes them: for a port number that no published fabric uses. */
void dataplane_clear_counters(struct dataplane *dataplane, uint16_t port);

struct dataplane_worker_status {
    uint16_t core;
    uint16_t queues;               /* queue pairs it polls */
    uint64_t busy_tsc;             /* cycles spent in turns that moved a frame */
    uint64_t total_tsc;            /* cycles since it started, asleep or not */
    uint64_t frames;               /* taken from queues */
    uint64_t sleeps;
    uint64_t notes_lost;           /* learning notes that found the ring full */
};

void dataplane_worker_status(const struct dataplane *dataplane, uint16_t worker,
                             struct dataplane_worker_status *status);

#endif
