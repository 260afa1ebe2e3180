/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * DPDK's main lcore is the control thread and floats over all allowed cores; each worker is an
 * lcore bound to its core.  DPDK runs in-memory: no files, no mounts, no names that two daemons
 * could share.
 *
 * Between guests no frame is in DPDK's memory (payload stays where its guest put it), so that
 * hugepages are of little use to the daemon itself; the guests' memory is where they pay.  Only
 * uplinks on DPDK's devices have buffers there.
 */
#include "dataplane/dataplane.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_launch.h>
#include <rte_lcore.h>

#include "dataplane/nic_attach.h"
#include "dataplane/worker.h"

#define INTERRUPT_SIGNAL   SIGURG    /* to a worker that is held by a call; else ignored */
#define PATIENCE_MS        10        /* longer than a turn that is not held */
#define PAUSE_NS           5000
#define DEFAULT_MEMORY_MIB 64u     /* hugepages are taken at once; more are, as they are needed */
#define ORDINARY_MEMORY_MIB 256u   /* a limit: ordinary pages are taken as they are needed */
#define MAX_ARGS           (16u + 2u * 32u)
#define MAX_PCI            32u
#define LCORES_SIZE        4096u

struct dataplane {
    struct worker_shared shared;
    pthread_mutex_t wait_lock;     /* who waits for a grace period, one at a time */
    struct worker **worker;
    uint16_t worker_count;
    bool launched;
};

/* ---- DPDK's own start ------------------------------------------------------------------------ */

/* Free 2 MiB hugepages in MiB, as the kernel says; 0 when it does not. */
static uint32_t free_hugepages_mib(void)
{
    FILE *file = fopen("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "re");
    unsigned long pages = 0;

    if (file == NULL) {
        return 0;
    }
    if (fscanf(file, "%lu", &pages) != 1 || pages > UINT32_MAX / 2) {
        pages = 0;
    }
    (void)fclose(file);
    return (uint32_t)pages * 2;
}

/* "0@(0,1),1@1": the main lcore over all allowed cores, then one lcore a worker. */
static int format_lcores(const struct dataplane_config *config, char *text, size_t size)
{
    cpu_set_t allowed;
    size_t len;

    if (sched_getaffinity(0, sizeof(allowed), &allowed) != 0) {
        return -errno;
    }
    len = (size_t)snprintf(text, size, "0@(");
    for (int cpu = 0; cpu < CPU_SETSIZE && len < size; cpu++) {
        if (CPU_ISSET(cpu, &allowed)) {
            len += (size_t)snprintf(text + len, size - len, "%s%d",
                                    text[len - 1] == '(' ? "" : ",", cpu);
        }
    }
    for (uint16_t i = 0; i <= config->core_count && len < size; i++) {
        len += i == 0 ? (size_t)snprintf(text + len, size - len, ")")
                      : (size_t)snprintf(text + len, size - len, ",%u@%u", i,
                                         config->cores[i - 1]);
    }
    return len < size ? 0 : -E2BIG;
}

/* DPDK says nothing of an address that names no device, or one that the kernel's driver has. */
static int check_pci(const struct dataplane_config *config, struct error *error)
{
    int rc = 0;

    for (uint16_t i = 0; i < config->pci_count && rc == 0; i++) {
        rc = nic_check_pci(config->pci[i], error);
    }
    return rc;
}

static uint32_t memory_mib(const struct dataplane_config *config, bool no_huge)
{
    if (config->memory_mib != 0) {
        return config->memory_mib;
    }
    return no_huge ? ORDINARY_MEMORY_MIB : DEFAULT_MEMORY_MIB;
}

static int start_eal(const struct dataplane_config *config, bool no_huge, struct error *error)
{
    static char lcores[LCORES_SIZE];
    static char memory[16];
    char *argv[MAX_ARGS];
    int argc = 0;

    if (format_lcores(config, lcores, sizeof(lcores)) != 0) {
        return error_set(error, E2BIG, "The list of cores is too long for DPDK; give fewer "
                         "cores with --cores.");
    }
    (void)snprintf(memory, sizeof(memory), "%u", memory_mib(config, no_huge));
    /* An AF_XDP uplink's program is attached as it is, not chained by files in a bpffs. */
    (void)setenv("LIBXDP_SKIP_DISPATCHER", "1", 1);
    argv[argc++] = (char *)"vswitchd";
    argv[argc++] = (char *)"--no-telemetry";
    argv[argc++] = (char *)"--log-level=*:warning";
    argv[argc++] = (char *)"--log-level=lib.eal:error";      /* it warns of absent 1 GiB pages */
    argv[argc++] = (char *)"--lcores";
    argv[argc++] = lcores;
    argv[argc++] = (char *)"-m";
    argv[argc++] = memory;
    /* Without hugepages DPDK takes its older way to memory, which --in-memory excludes. */
    if (no_huge) {
        argv[argc++] = (char *)"--no-huge";
        argv[argc++] = (char *)"--no-shconf";
    } else {
        argv[argc++] = (char *)"--in-memory";
    }
    if (config->pci_count == 0) {
        argv[argc++] = (char *)"--no-pci";
    }
    for (uint16_t i = 0; i < config->pci_count && i < MAX_PCI; i++) {
        argv[argc++] = (char *)"-a";
        argv[argc++] = (char *)(uintptr_t)config->pci[i];
    }
    argv[argc] = NULL;
    if (rte_eal_init(argc, argv) < 0) {
        return error_set(error, rte_errno != 0 ? rte_errno : EIO,
                         "DPDK did not start (%s); its own messages above say more.",
                         rte_strerror(rte_errno));
    }
    return 0;
}

/* ---- workers --------------------------------------------------------------------------------- */

static struct worker *worker_create(struct dataplane *dataplane, uint16_t id, uint16_t core)
{
    struct worker *worker = aligned_alloc(64, (sizeof(*worker) + 63) / 64 * 64);

    if (worker == NULL) {
        return NULL;
    }
    memset(worker, 0, sizeof(*worker));
    worker->shared = &dataplane->shared;
    worker->id = id;
    worker->core = core;
    worker->spin_tsc = rte_get_tsc_hz() / 1000000 * WORKER_SPIN_US;
    worker->status.start_tsc = rte_rdtsc();
    worker->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (worker->wake_fd < 0) {
        free(worker);
        return NULL;
    }
    return worker;
}

static void worker_free(struct worker *worker)
{
    if (worker != NULL) {
        (void)close(worker->wake_fd);
        free(worker);
    }
}

static int create_workers(struct dataplane *dataplane, const struct dataplane_config *config)
{
    const size_t qsbr_bytes = rte_rcu_qsbr_get_memsize(config->core_count);
    struct worker_shared *shared = &dataplane->shared;

    shared->qsbr = aligned_alloc(64, (qsbr_bytes + 63) / 64 * 64);
    dataplane->worker = calloc(config->core_count, sizeof(dataplane->worker[0]));
    atomic_init(&shared->fabric, calloc(1, sizeof(struct fabric)));
    if (shared->qsbr == NULL || dataplane->worker == NULL ||
        atomic_load(&shared->fabric) == NULL ||
        rte_rcu_qsbr_init(shared->qsbr, config->core_count) != 0) {
        return -ENOMEM;
    }
    for (uint16_t i = 0; i < config->core_count; i++) {
        dataplane->worker[i] = worker_create(dataplane, i, config->cores[i]);
        if (dataplane->worker[i] == NULL) {
            return -ENOMEM;
        }
        dataplane->worker_count = (uint16_t)(i + 1);
    }
    return punt_init(&shared->punt, config->core_count);
}

static void on_interrupt(int number)
{
    (void)number;                  /* that it is handled is what ends a call */
}

static int launch_workers(struct dataplane *dataplane)
{
    struct sigaction interrupt = { .sa_handler = on_interrupt };   /* calls are not restarted */

    (void)sigemptyset(&interrupt.sa_mask);
    (void)sigaction(INTERRUPT_SIGNAL, &interrupt, NULL);
    for (uint16_t i = 0; i < dataplane->worker_count; i++) {
        const int result = rte_eal_remote_launch(worker_run, dataplane->worker[i], i + 1u);

        if (result != 0) {
            return result;
        }
        dataplane->launched = true;
    }
    return 0;
}

/* ---- the face -------------------------------------------------------------------------------- */

struct dataplane *dataplane_start(const struct dataplane_config *config, struct error *note,
                                  struct error *error)
{
    const uint32_t want_mib = memory_mib(config, false);
    const uint32_t free_mib = config->no_huge ? 0 : free_hugepages_mib();
    struct dataplane *dataplane;

    note->code = 0;
    note->text[0] = '\0';
    if (!config->no_huge && free_mib < want_mib) {
        (void)error_set(note, ENOMEM, "There are %u MiB of free 2 MiB hugepages and DPDK was to "
                        "have %u: running on ordinary pages, which costs some speed with a "
                        "physical NIC and none between guests; `sysctl vm.nr_hugepages=%u` "
                        "before the start gives them.", free_mib, want_mib, (want_mib + 1) / 2);
    }
    if (check_pci(config, error) != 0 || start_eal(config, free_mib < want_mib, error) != 0) {
        return NULL;
    }
    dataplane = aligned_alloc(64, (sizeof(*dataplane) + 63) / 64 * 64);
    if (dataplane == NULL) {
        (void)error_set(error, ENOMEM, "There is no memory for the dataplane.");
        return NULL;
    }
    memset(dataplane, 0, sizeof(*dataplane));
    (void)pthread_mutex_init(&dataplane->wait_lock, NULL);
    dataplane->shared.punt.fd = -1;
    if (create_workers(dataplane, config) != 0 || launch_workers(dataplane) != 0) {
        dataplane_stop(dataplane);
        (void)error_set(error, ENOMEM, "The %u workers could not be started: there is no memory "
                        "or no thread for them.", config->core_count);
        return NULL;
    }
    return dataplane;
}

void dataplane_stop(struct dataplane *dataplane)
{
    if (dataplane == NULL) {
        return;
    }
    atomic_store(&dataplane->shared.stop, true);
    dataplane_wake(dataplane);
    if (dataplane->launched) {
        rte_eal_mp_wait_lcore();
    }
    punt_fini(&dataplane->shared.punt);
    for (uint16_t i = 0; i < dataplane->worker_count; i++) {
        worker_free(dataplane->worker[i]);
    }
    fabric_destroy(atomic_load(&dataplane->shared.fabric));
    (void)pthread_mutex_destroy(&dataplane->wait_lock);
    free(dataplane->worker);
    free(dataplane->shared.qsbr);
    free(dataplane);
    (void)rte_eal_cleanup();
}

/*
 * Waits until every worker has loaded generation @p generation.  A grace period is over when the
 * workers that are awake have let go; one that sleeps still holds, by poll(), the files of what it
 * sleeps on, and a device is there as long as its file: a tap device with its name, a packet socket
 * with its promiscuous mode.
 */
static void wait_awake(const struct dataplane *dataplane, uint32_t generation)
{
    const struct timespec pause = { .tv_nsec = PAUSE_NS };

    for (uint16_t i = 0; i < dataplane->worker_count; i++) {
        /* Pairs with the release in worker_load_fabric(). */
        while (atomic_load_explicit(&dataplane->worker[i]->generation, memory_order_acquire) !=
               generation) {
            (void)nanosleep(&pause, NULL);
        }
    }
}

struct fabric *dataplane_publish(struct dataplane *dataplane, struct fabric *fabric)
{
    const uint32_t generation = fabric->generation;
    /* Pairs with the acquire in worker_load_fabric(). */
    struct fabric *before = atomic_exchange_explicit(&dataplane->shared.fabric, fabric,
                                                     memory_order_acq_rel);

    dataplane_wake(dataplane);
    dataplane_wait(dataplane);
    wait_awake(dataplane, generation);
    return before;
}

/*
 * Ends a call that a worker may be held by.  There is one: to notify a guest is to write to an
 * eventfd, which its frontend shares and can fill and make blocking at any moment.
 */
static void interrupt_workers(const struct dataplane *dataplane)
{
    for (uint16_t i = 0; i < dataplane->worker_count; i++) {
        const pthread_t thread = atomic_load(&dataplane->worker[i]->thread);

        if (thread != 0) {
            (void)pthread_kill(thread, INTERRUPT_SIGNAL);
        }
    }
}

/*
 * One at a time, because a waiter whose token another has seen acknowledged is let go by a plain
 * load of the library's, which orders nothing between the workers and what the waiter then frees.
 */
void dataplane_wait(struct dataplane *dataplane)
{
    struct rte_rcu_qsbr *qsbr = dataplane->shared.qsbr;
    const uint64_t patience_tsc = rte_get_tsc_hz() / 1000 * PATIENCE_MS;
    const struct timespec pause = { .tv_nsec = PAUSE_NS };
    uint64_t since_tsc;
    uint64_t token;

    pthread_mutex_lock(&dataplane->wait_lock);
    /*
     * What was published comes before the look at who is online.  Pairs with the fence in
     * rte_rcu_qsbr_thread_online(): a worker that this does not see loads the new pointer.
     */
    atomic_thread_fence(memory_order_seq_cst);
    token = rte_rcu_qsbr_start(qsbr);
    since_tsc = rte_rdtsc();
    /* Sleeping between looks: the worker waited for may need the very core this runs on. */
    while (rte_rcu_qsbr_check(qsbr, token, false) == 0) {
        (void)nanosleep(&pause, NULL);
        if (rte_rdtsc() - since_tsc > patience_tsc) {
            interrupt_workers(dataplane);
            since_tsc = rte_rdtsc();
        }
    }
    pthread_mutex_unlock(&dataplane->wait_lock);
}

void dataplane_wake(struct dataplane *dataplane)
{
    for (uint16_t i = 0; i < dataplane->worker_count; i++) {
        (void)eventfd_write(dataplane->worker[i]->wake_fd, 1);
    }
}

uint16_t dataplane_worker_count(const struct dataplane *dataplane)
{
    return dataplane->worker_count;
}

int dataplane_notes_fd(const struct dataplane *dataplane)
{
    return dataplane->shared.punt.fd;
}

uint32_t dataplane_take_notes(struct dataplane *dataplane, struct forward_note *notes,
                              uint32_t size)
{
    return punt_take(&dataplane->shared.punt, notes, size);
}

void dataplane_set_second(struct dataplane *dataplane, uint32_t now_s)
{
    atomic_store_explicit(&dataplane->shared.now_s, now_s, memory_order_relaxed);
}

void dataplane_counters(const struct dataplane *dataplane, uint16_t port,
                        struct port_counters *sum)
{
    memset(sum, 0, sizeof(*sum));
    for (uint16_t i = 0; i < dataplane->worker_count; i++) {
        port_counters_add(sum, &dataplane->worker[i]->counters[port]);
    }
}

void dataplane_clear_counters(struct dataplane *dataplane, uint16_t port)
{
    for (uint16_t i = 0; i < dataplane->worker_count; i++) {
        memset(&dataplane->worker[i]->counters[port], 0, sizeof(struct port_counters));
    }
}

void dataplane_worker_status(const struct dataplane *dataplane, uint16_t worker,
                             struct dataplane_worker_status *status)
{
    const struct worker *w = dataplane->worker[worker];
    const struct fabric *fabric = atomic_load(&dataplane->shared.fabric);

    *status = (struct dataplane_worker_status){
        .core = w->core,
        .busy_tsc = counter_read(&w->status.busy_tsc),
        .total_tsc = rte_rdtsc() - w->status.start_tsc,
        .frames = counter_read(&w->status.frames),
        .sleeps = counter_read(&w->status.sleeps),
        .notes_lost = counter_read(&w->status.notes_lost),
    };
    for (uint32_t i = 0; i < fabric->queue_count; i++) {
        status->queues = (uint16_t)(status->queues + (fabric->queues[i].worker == worker));
    }
}
