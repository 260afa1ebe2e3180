/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/support/vhost_lab.h"

#include <dirent.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_log.h>
#include <rte_rcu_qsbr.h>

#include "vnic/guest_fault.h"
#include "vnic/vnic.h"

#define AWAIT_MS      2000
#define FRAME_BYTES   200u
#define RECEIVE_MS    1000

/* The one worker; the vhost thread and its hooks are one a process, too. */
static struct {
    struct vhost_lab *lab;
    struct rte_rcu_qsbr *qsbr;
    pthread_mutex_t wait_lock;
    pthread_t thread;
    _Atomic(struct vnic *) vnic[VHOST_LAB_VNICS];
    atomic_bool stop;
} worker = { .wait_lock = PTHREAD_MUTEX_INITIALIZER };

/* ---- the worker ------------------------------------------------------------------------------ */

static uint16_t deliver(struct vnic *to, struct vnic_live *live, const struct frame_batch *batch)
{
    const uint8_t takes = vnic_takes(to, live);
    uint8_t index[FRAME_BURST];
    uint8_t verdict[FRAME_BURST];
    uint16_t count = 0;

    for (uint16_t i = 0; i < batch->count; i++) {
        if ((offload_needs(&batch->frame[i]) & ~takes) == 0) {
            index[count++] = (uint8_t)i;
        }
    }
    return count == 0 ? 0 : vnic_to_guest(to, live, 0, batch, index, count, verdict);
}

static void pass_batch(struct vnic *to, const struct frame_batch *batch)
{
    struct vnic_live *live = to == NULL ? NULL
                                        : atomic_load_explicit(&to->live, memory_order_acquire);
    const uint16_t count = live != NULL && live->to_pair_count > 0 ? deliver(to, live, batch) : 0;

    atomic_fetch_add_explicit(&worker.lab->passed_frames, count, memory_order_relaxed);
    atomic_fetch_add_explicit(&worker.lab->lost_frames, (unsigned long)batch->count - count,
                              memory_order_relaxed);
}

static bool worker_turn(struct frame_batch *batch)
{
    bool busy = false;

    for (unsigned i = 0; i < VHOST_LAB_VNICS; i++) {
        struct vnic *vnic = atomic_load_explicit(&worker.vnic[i], memory_order_acquire);
        struct vnic *peer = atomic_load_explicit(&worker.vnic[i ^ 1u], memory_order_acquire);
        struct vnic_live *live = vnic == NULL ? NULL
                                              : atomic_load_explicit(&vnic->live,
                                                                     memory_order_acquire);

        for (uint16_t pair = 0; live != NULL && pair < live->pair_count; pair++) {
            struct drop_tally refused;

            if (vnic_from_guest(vnic, live, pair, batch, &refused) != 0) {
                pass_batch(peer, batch);
                busy = true;
            }
            atomic_fetch_add_explicit(&worker.lab->bad_chains, refused.count,
                                      memory_order_relaxed);
            vnic_return(live, pair);
        }
    }
    return busy;
}

static void *worker_main(void *unused)
{
    struct frame_batch *batch = aligned_alloc(64, sizeof(*batch));

    (void)unused;
    rte_rcu_qsbr_thread_online(worker.qsbr, 0);
    while (!atomic_load_explicit(&worker.stop, memory_order_acquire)) {
        const bool busy = worker_turn(batch);

        rte_rcu_qsbr_quiescent(worker.qsbr, 0);
        if (!busy) {
            sched_yield();
        }
    }
    rte_rcu_qsbr_thread_offline(worker.qsbr, 0);
    free(batch);
    return NULL;
}

static int worker_start(struct vhost_lab *lab)
{
    const size_t size_bytes = rte_rcu_qsbr_get_memsize(1);

    worker.lab = lab;
    worker.qsbr = aligned_alloc(64, (size_bytes + 63) & ~(size_t)63);
    if (worker.qsbr == NULL || rte_rcu_qsbr_init(worker.qsbr, 1) != 0 ||
        rte_rcu_qsbr_thread_register(worker.qsbr, 0) != 0) {
        return -1;
    }
    atomic_store(&worker.stop, false);
    return pthread_create(&worker.thread, NULL, worker_main, NULL) == 0 ? 0 : -1;
}

static void worker_stop(void)
{
    atomic_store_explicit(&worker.stop, true, memory_order_release);
    (void)pthread_join(worker.thread, NULL);
    (void)rte_rcu_qsbr_thread_unregister(worker.qsbr, 0);
    free(worker.qsbr);
    worker.qsbr = NULL;
}

/* In this file, not in DPDK's: the race detector sees what is inlined here, and no library. */
static void grace_period(void)
{
    uint64_t token;

    pthread_mutex_lock(&worker.wait_lock);
    token = rte_rcu_qsbr_start(worker.qsbr);
    while (rte_rcu_qsbr_check(worker.qsbr, token, false) == 0) {
        sched_yield();
    }
    pthread_mutex_unlock(&worker.wait_lock);
}

/* ---- hooks ----------------------------------------------------------------------------------- */

static void hook_wait(void *context)
{
    (void)context;
    atomic_fetch_add(&worker.lab->waits, 1);
    grace_period();
}

static void hook_wake(void *context)
{
    (void)context;
    atomic_fetch_add(&worker.lab->wakes, 1);
}

static void hook_changed(void *context, uint16_t port)
{
    (void)context;
    (void)port;
    atomic_fetch_add(&worker.lab->changes, 1);
}

static int eal_start(void)
{
    static const struct vhost_control_hooks hooks = {
        .wait_for_workers = hook_wait, .wake_workers = hook_wake, .changed = hook_changed,
    };
    static char *arguments[] = {
        "test", "--no-huge", "--no-pci", "--no-shconf", "-m", "128", "--no-telemetry",
        "--lcores", "0@(0-1)", "--log-level=4", NULL,
    };
    static bool started;
    struct error error;

    if (started) {
        return 0;
    }
    if (rte_eal_init((int)(sizeof(arguments) / sizeof(arguments[0])) - 1, arguments) < 0) {
        return -1;
    }
    started = true;
    if (guest_fault_start() != 0) {
        return -1;
    }
    return vhost_control_start(&hooks, &error);
}

/* ---- the lab --------------------------------------------------------------------------------- */

int vhost_lab_add(struct vhost_lab *lab, unsigned index, uint16_t pairs)
{
    const struct vhost_control_config config = {
        .path = lab->path[index],
        .port = (uint16_t)index,
        .pairs = pairs,
        .offload = OFFLOAD_ALL,
        .owner = (uid_t)-1,
        .group = (gid_t)-1,
    };
    struct error error;

    lab->vnic[index] = vhost_control_add(&config, &error);
    if (lab->vnic[index] == NULL) {
        fprintf(stderr, "%s\n", error.text);
        return -1;
    }
    atomic_store_explicit(&worker.vnic[index], lab->vnic[index], memory_order_release);
    return 0;
}

void vhost_lab_remove(struct vhost_lab *lab, unsigned index)
{
    atomic_store_explicit(&worker.vnic[index], NULL, memory_order_release);
    grace_period();
    vhost_control_remove(lab->vnic[index]);
    lab->vnic[index] = NULL;
}

int vhost_lab_open(struct vhost_lab *lab, uint16_t pairs)
{
    memset(lab, 0, sizeof(*lab));
    (void)snprintf(lab->dir, sizeof(lab->dir), "/tmp/vhost-lab-XXXXXX");
    if (mkdtemp(lab->dir) == NULL || eal_start() != 0 || worker_start(lab) != 0) {
        return -1;
    }
    for (unsigned i = 0; i < VHOST_LAB_VNICS; i++) {
        (void)snprintf(lab->path[i], sizeof(lab->path[i]), "%s/%u.sock", lab->dir, i);
        if (vhost_lab_add(lab, i, pairs) != 0) {
            return -1;
        }
    }
    return 0;
}

void vhost_lab_close(struct vhost_lab *lab)
{
    for (unsigned i = 0; i < VHOST_LAB_VNICS; i++) {
        if (lab->vnic[i] != NULL) {
            vhost_lab_remove(lab, i);
        }
    }
    worker_stop();
    (void)rmdir(lab->dir);
}

bool vhost_lab_await(struct vhost_lab *lab, unsigned index, enum vhost_state state,
                     struct vhost_status *status)
{
    for (int i = 0; i < AWAIT_MS; i++) {
        vhost_control_status(lab->vnic[index], status);
        if (status->state == state) {
            return true;
        }
        usleep(1000);
    }
    return false;
}

unsigned vhost_lab_pass(struct frontend *a, struct frontend *b, unsigned count)
{
    uint8_t sent[FRAME_BYTES];
    uint8_t got[FRAME_BYTES];
    unsigned came = 0;

    for (unsigned i = 0; i < count; i++) {
        memset(sent, (int)(i & 0xff), sizeof(sent));
        if (frontend_send(a, 0, sent, sizeof(sent)) != 0 ||
            frontend_receive(b, FRONTEND_ANY_QUEUE, got, sizeof(got), RECEIVE_MS) !=
                (int)sizeof(sent) ||
            memcmp(sent, got, sizeof(sent)) != 0) {
            break;
        }
        came++;
    }
    return came;
}

unsigned vhost_lab_open_fds(void)
{
    DIR *fds = opendir("/proc/self/fd");
    unsigned count = 0;

    while (fds != NULL && readdir(fds) != NULL) {
        count++;
    }
    if (fds != NULL) {
        (void)closedir(fds);
    }
    return count;
}
