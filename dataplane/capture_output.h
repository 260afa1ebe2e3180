/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The output of a capture's thread: from the workers' rings into blocks, and into the socket.
 *
 * Thread, of all of it: the capture's.  Nothing blocks.
 */
#ifndef DATAPLANE_CAPTURE_OUTPUT_H
#define DATAPLANE_CAPTURE_OUTPUT_H

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/capture_state.h"

/** Encodes the section header, which is first of all. */
void capture_output_section(struct capture *capture);

/**
 * Encodes new interfaces, and the records that are not after @p horizon_tsc, oldest first, up to
 * the frame limit.  Does nothing while the output is not empty.
 *
 * @return whether there may be more of that
 */
bool capture_output_fill(struct capture *capture, uint64_t horizon_tsc);

/**
 * Encodes the statistics of the interfaces from number @p first on.
 *
 * @return the first that found no room, or the count of interfaces
 */
uint32_t capture_output_statistics(struct capture *capture, uint32_t first);

/**
 * Gives the socket what it takes now, and counts the packets of it.
 *
 * @return whether it took something, or there was nothing to take
 */
bool capture_output_flush(struct capture *capture);

/** Has the socket taken all that was encoded? */
bool capture_output_empty(const struct capture *capture);

#endif
