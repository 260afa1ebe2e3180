/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a station on a network owes its neighbours: its address, a ping's echo, UDP's echo service.
 *
 * Pure: a frame in, a frame or nothing out; so that it is tested on the host.  What is damaged is
 * not answered, and a test sees it missing.
 *
 * Standard: RFC 826, 1122 3.2.2.6 (echo), 4861 7.2.4 (advertisements), 862 (echo service).
 */
#ifndef VMM_GUEST_ANSWER_H
#define VMM_GUEST_ANSWER_H

#include <stddef.h>
#include <stdint.h>

#include "vmm/guest/packet.h"

/**
 * @param reply  the answer, at most @p size_bytes; apart from @p frame
 * @return its length, 0 when there is none
 */
size_t answer_frame(const struct station *self, const uint8_t *frame, size_t len_bytes,
                    uint8_t *reply, size_t size_bytes);

#endif
