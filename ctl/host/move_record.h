/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What an interface had before it was carried over, on the disk: STATE/moved-N.json, N being the
 * interface's number.
 *
 *     { "version": 1, "host": "BOOT/NAMESPACE", "ifindex": 3, "name": "eth1", "noted_s": 4711,
 *       "items": [ { "what": "192.0.2.1/24", "message": "5000000014..." } ] }
 *
 * The kernel's messages are written as hexadecimal digits, beside a text of what they are for
 * whoever has to read the file by night.
 *
 * Thread: control.  Blocks for the disk.  For move_addresses.c only.
 */
#ifndef CTL_MOVE_RECORD_H
#define CTL_MOVE_RECORD_H

#include "ctl/host/link.h"
#include "ctl/host/link_layer3.h"

/** @return 0 or a negative errno */
int move_record_write(const char *state_dir, const char *name, const struct layer3 *layer3);

void move_record_remove(const char *state_dir, int ifindex);

/** Called for each record: @p layer3 is to be freed by nobody else. */
typedef void move_record_fn(void *arg, const char *name, const struct layer3 *layer3);

/**
 * Calls @p each with every record of this boot and namespace.  One that cannot be read is said in
 * the log and set aside as moved-N.json.damaged; one of another boot is removed.
 */
void move_record_each(const char *state_dir, move_record_fn *each, void *arg);

#endif
