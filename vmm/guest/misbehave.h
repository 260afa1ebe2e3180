/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What no driver does: each kind breaks one rule of virtio's in the sight of the device.
 *
 * A monitor and a switch have to survive all of them, and the NIC has to be as good as new when its
 * driver has reset it; so after each kind this one does, and goes on with it.
 */
#ifndef VMM_GUEST_MISBEHAVE_H
#define VMM_GUEST_MISBEHAVE_H

#include <stdbool.h>

#include "vmm/guest/nic.h"

/** "loop", or "all"; "loop,MS" rests before it resets.  @return false for a word that is no kind */
bool misbehave(struct nic *nic, const char **at);

#endif
