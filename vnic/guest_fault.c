/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The table is written by the vhost thread and read by a handler that may run on any thread at
 * any instruction.  Each entry has a sequence number, odd while it is written: a reader that sees
 * it move reads again, so it never joins the start of one region with the size of another.  Writers
 * of different entries do not meet.
 */
#include "vnic/guest_fault.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/mman.h>

#define VNICS_MAX 1024u

struct watched {
    _Atomic(struct vnic *) vnic;   /* NULL: the entry is free */
    atomic_uint sequence;
    atomic_uint count;
    struct {
        atomic_uintptr_t start;
        atomic_size_t size_bytes;
    } region[GUEST_MEMORY_REGIONS_MAX];
};

static struct watched table[VNICS_MAX];
static struct sigaction action_before;

/* ---- writing --------------------------------------------------------------------------------- */

static struct watched *entry_of(struct vnic *vnic)
{
    for (unsigned i = 0; i < VNICS_MAX; i++) {
        if (atomic_load_explicit(&table[i].vnic, memory_order_relaxed) == vnic) {
            return &table[i];
        }
    }
    return NULL;
}

static struct watched *entry_take(struct vnic *vnic)
{
    struct watched *entry = entry_of(vnic);

    for (unsigned i = 0; entry == NULL && i < VNICS_MAX; i++) {
        struct vnic *nobody = NULL;

        if (atomic_compare_exchange_strong(&table[i].vnic, &nobody, vnic)) {
            entry = &table[i];
        }
    }
    return entry;
}

static void entry_write(struct watched *entry, const struct guest_memory *memory)
{
    const unsigned sequence = atomic_load_explicit(&entry->sequence, memory_order_relaxed);

    /* Odd, then the contents, then even; the reader's two loads stand in the opposite order. */
    atomic_store_explicit(&entry->sequence, sequence + 1, memory_order_relaxed);
    atomic_thread_fence(memory_order_release);
    for (uint32_t i = 0; i < memory->region_count; i++) {
        atomic_store_explicit(&entry->region[i].start, (uintptr_t)memory->region[i].hva,
                              memory_order_relaxed);
        atomic_store_explicit(&entry->region[i].size_bytes, (size_t)memory->region[i].size_bytes,
                              memory_order_relaxed);
    }
    atomic_store_explicit(&entry->count, memory->region_count, memory_order_relaxed);
    atomic_store_explicit(&entry->sequence, sequence + 2, memory_order_release);
}

void guest_fault_watch(struct vnic *vnic, const struct guest_memory *memory)
{
    struct watched *entry = entry_take(vnic);

    if (entry != NULL) {
        entry_write(entry, memory);
    }
}

void guest_fault_forget(struct vnic *vnic)
{
    static const struct guest_memory nothing;
    struct watched *entry = entry_of(vnic);

    if (entry != NULL) {
        entry_write(entry, &nothing);
        atomic_store_explicit(&entry->vnic, NULL, memory_order_release);
    }
}

/* ---- the handler: no lock, no allocation, no library ----------------------------------------- */

struct hit {
    struct vnic *vnic;
    uintptr_t start;
    size_t size_bytes;
};

/* Looks for @p at in one entry; false also when the entry was written meanwhile. */
static bool entry_find(struct watched *entry, uintptr_t at, struct hit *hit, bool *moved)
{
    const unsigned before = atomic_load_explicit(&entry->sequence, memory_order_acquire);
    const unsigned count = atomic_load_explicit(&entry->count, memory_order_relaxed);
    bool found = false;

    hit->vnic = atomic_load_explicit(&entry->vnic, memory_order_relaxed);
    for (unsigned i = 0; i < count && i < GUEST_MEMORY_REGIONS_MAX && !found; i++) {
        hit->start = atomic_load_explicit(&entry->region[i].start, memory_order_relaxed);
        hit->size_bytes = atomic_load_explicit(&entry->region[i].size_bytes, memory_order_relaxed);
        found = at - hit->start < hit->size_bytes;
    }
    atomic_thread_fence(memory_order_acquire);
    *moved = before % 2 != 0 ||
             before != atomic_load_explicit(&entry->sequence, memory_order_relaxed);
    return found && !*moved && hit->vnic != NULL;
}

static bool find(uintptr_t at, struct hit *hit)
{
    bool again;

    do {
        again = false;
        for (unsigned i = 0; i < VNICS_MAX; i++) {
            bool moved;

            if (entry_find(&table[i], at, hit, &moved)) {
                return true;
            }
            again = again || moved;
        }
    } while (again);
    return false;
}

/*
 * Lays private zero pages over what is there.  A mapping of huge pages can be replaced in whole
 * huge pages only and says so by EINVAL, before it changes anything; then its own page size is
 * next.
 */
static bool cover(uintptr_t start, size_t size_bytes)
{
    static const size_t page_sizes_bytes[] = { 4096u, 2u << 20, 1u << 30 };

    for (unsigned i = 0; i < sizeof(page_sizes_bytes) / sizeof(page_sizes_bytes[0]); i++) {
        const uintptr_t mask = page_sizes_bytes[i] - 1;
        const uintptr_t from = start & ~mask;
        const uintptr_t to = (start + size_bytes + mask) & ~mask;

        if (mmap((void *)from, to - from, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0) != MAP_FAILED) {
            return true;
        }
        if (errno != EINVAL) {
            return false;
        }
    }
    return false;
}

static void on_sigbus(int number, siginfo_t *info, void *context)
{
    const int errno_before = errno;
    const uintptr_t at = (uintptr_t)info->si_addr;
    struct hit hit = { .vnic = NULL };

    (void)number;
    (void)context;
    /* Above zero: the kernel says that an access failed; else somebody sent the signal. */
    if (info->si_code <= 0 || !find(at, &hit) || !cover(hit.start, hit.size_bytes)) {
        (void)sigaction(SIGBUS, &action_before, NULL);         /* it happens again, and ends us */
        if (info->si_code <= 0) {
            (void)raise(SIGBUS);
        }
        errno = errno_before;
        return;
    }
    atomic_store_explicit(&hit.vnic->memory_gone, true, memory_order_relaxed);
    vnic_note_fault(hit.vnic, VIRTQUEUE_MEMORY_GONE, 0);
    errno = errno_before;
}

int guest_fault_start(void)
{
    struct sigaction action = { .sa_sigaction = on_sigbus, .sa_flags = SA_SIGINFO };
    struct sigaction before;

    (void)sigemptyset(&action.sa_mask);
    if (sigaction(SIGBUS, &action, &before) != 0) {
        return -errno;
    }
    if (before.sa_sigaction != on_sigbus) {
        action_before = before;                    /* never ourselves: that would be a loop */
    }
    return 0;
}
