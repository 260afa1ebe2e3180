/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The state file: the model as one JSON document, read at the start and written at every change.
 *
 * What was said yes to must be there after a power cut, so a change is written whole to a new file,
 * synced, renamed over the old one and the directory synced, before anybody is answered.
 *
 * The file can have been edited, cut off or written by a newer version, and a switch that starts
 * with half of its vNICs is worse than one that does not start.  So reading is strict: each key
 * known, there and of its type, and every rule of the model applied by the very functions that
 * commands use; the first thing wrong refuses the file, with its place, and leaves it as it is.
 *
 *     { "version": 2,
 *       "mac_pool": { "next": "00:15:5d:0a:01:03", "first", "last" },
 *       "teams"?:   [ { "name", "mode", "balance", "hash", "members", "standby"?,
 *                       "flowlet_gap_ms", "rebalance_ms", "imbalance_percent", "up_delay_ms",
 *                       "lacp_slow"?, "lacp_passive"?, "force"? } ],
 *       "switches": [ { "name", "type", "mtu", "mac_capacity", "mac_ageing", "coalesce"?,
 *                       "uplink"?, "force"?, "move_addresses"?,
 *                       "host_vnic"?, "host_mac"?, "host_vlan"?, "host_address"? } ],
 *       "vnics":    [ { "name", "switch", "mac", "queues",
 *                       "mtu"?, "socket_owner"?, "socket_group"?,
 *                       "vlan"?, "priority_trust"?, "spoof_guard"?, "allow_mac"?,
 *                       "dhcp_guard"?, "router_guard"?, "offload"?,
 *                       "offload_granted"? } ],
 *       "macs":     [ { "switch", "mac", "vlan", "port" } ] }
 *
 * Version 1 had none of what is marked but the MTU and the socket's accounts, and of the pool only
 * "next".  It is read as well; what a file does not say is as it is by default.
 *
 * Numbers of ports and switches are not in it: they are only good for one run.
 */
#ifndef CTL_PERSIST_H
#define CTL_PERSIST_H

#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "switch/error.h"
#include "switch/vswitch.h"

#define PERSIST_VERSION        2
#define PERSIST_FILE_NAME      "config.json"
#define PERSIST_FILE_MAX_BYTES (64u << 20)

/** "private", "internal", "external": the words of commands and of the file.  Thread: any. */
const char *persist_type_word(enum vswitch_type type);
/** @return 0, or -EINVAL when @p word is none.  Thread: any. */
int persist_type_parse(const char *word, enum vswitch_type *type);

/** The document.  @return owned, or NULL when memory is short.  Thread: any. */
json_t *persist_to_json(const struct vswitch_model *model);

/**
 * Reads a document, strictly.
 *
 * @param text   @p len_bytes of anything
 * @param model  returned owned
 * @return 0; -EINVAL with a sentence, not ended, that begins with the place; -ENOMEM; or what a
 *         rule answered
 * Thread: any.
 */
int persist_from_text(const char *text, size_t len_bytes, struct vswitch_model **model,
                      struct error *error);

/**
 * Reads a state file, not yet believing any of it.
 *
 * @param text       returned owned, for free(); not terminated
 * @param len_bytes  its length, at most PERSIST_FILE_MAX_BYTES
 * @return 0; -EFBIG when it is longer; -EINVAL when it is no regular file; or what open() and
 *         read() said
 * Thread: any.
 */
int persist_read(const char *path, char **text, size_t *len_bytes);

/**
 * Reads PERSIST_FILE_NAME of @p dir.
 *
 * @param model  returned owned
 * @return 0; -ENOENT when there is no such file, without a sentence; or a negative errno with a
 *         sentence that names file, place and way out
 * Thread: any.
 */
int persist_load(const char *dir, struct vswitch_model **model, struct error *error);

/**
 * Writes it, and returns when it is on the disk.
 *
 * @return 0, or a negative errno and a sentence; the file then is the one before, except when the
 *         directory could not be synced: then it may be either
 * Thread: control.  Blocks for the disk.
 */
int persist_save(const char *dir, const struct vswitch_model *model, struct error *error);

#endif
