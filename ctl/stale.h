/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the tables have learned, after a change of VLANs: filtering ids may mean something else now.
 */
#ifndef CTL_STALE_H
#define CTL_STALE_H

#include "switch/fabric.h"

/** Forgets what was learned by @p before and cannot be so by @p now.  Thread: control. */
void stale_flush(const struct fabric *before, const struct fabric *now);

#endif
