/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the guest does with frames: each is a word of the command line, and runs until it is over.
 *
 * While anything runs, all NICs answer (answer.h); but a load's sender, counter and forwarder take
 * every frame of their own NICs.
 */
#ifndef VMM_GUEST_WORK_H
#define VMM_GUEST_WORK_H

#include <stdint.h>

#include "vmm/guest/nic.h"
#include "vmm/guest/ping.h"

#define LOAD_BYTES_MIN 60u

struct work_load {
    uint8_t to[6];
    uint64_t count;                    /* frames */
    uint32_t size_bytes;               /* of each */
    bool is_same;                      /* all the same, so that none has to be written twice */
    uint64_t gap_ns;                   /* between them; 0: as fast as they go */
};

/** Answers until @p until_ns. */
void work_answer(uint64_t until_ns);
/** Pings from @p nic, and says what came back. */
void work_ping(struct nic *nic, struct ping *ping);
/** Sends a load, and says so when the device has all of it, or has taken nothing for 10 s. */
void work_send(struct nic *nic, const struct work_load *load);
/**
 * Sends a load from @p from to @p to, both of this guest, and counts there, for @p ns from the
 * first frame that came: so a guest of one processor is both ends of a switch.
 */
void work_loop(struct nic *from, struct nic *to, const struct work_load *load, uint64_t ns);
/** Counts a load's frames until there are @p count, or none more for @p quiet_ns; says it. */
void work_count(struct nic *nic, uint64_t count, uint64_t quiet_ns);
/** Forwards between two NICs until @p until_ns, then says how many. */
void work_forward(struct nic *a, struct nic *b, uint64_t until_ns);

#endif
