/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the files of the fabric (fabric*.c) share, and nobody else needs.
 *
 * What a fabric points to is many small arrays whose sizes come out as it is compiled, and all of
 * it goes at once.  So its memory is taken in blocks that are chained, and only the chain is freed.
 */
#ifndef SWITCH_FABRIC_INNER_H
#define SWITCH_FABRIC_INNER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "switch/fabric.h"

/** @return @p count zeroed things that live as long as @p fabric, or NULL when memory is short */
void *fabric_alloc(struct fabric *fabric, size_t count, size_t size_bytes);

/**
 * Fills the flood lists of @p on.
 *
 * @param port   the numbers of its ports, compiled already, in the order that floods reach them
 * @return whether there was memory
 */
bool fabric_flood_compile(struct fabric *fabric, struct fabric_switch *on, const uint16_t *port,
                          uint16_t port_count);

#endif
