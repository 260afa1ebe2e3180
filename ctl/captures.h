/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The captures that run and the results of the last that ended.
 *
 * A capture names what it watches, not which ports: the ports follow from the model each time a
 * fabric is published, so a vNIC added to a watched switch is watched at once, and one that
 * is removed ends nothing but itself.  A capture whose own object is removed ends; an interface
 * that is gone from the host and may come back is no such thing, its port stays.
 *
 * What the thread of a capture has to say is a bit and an eventfd; everything is done here on the
 * control thread, in the order that dataplane/capture.h asks for.
 */
#ifndef CTL_CAPTURES_H
#define CTL_CAPTURES_H

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/capture.h"
#include "switch/error.h"
#include "switch/vswitch.h"

#define CAPTURES_MAX         16u   /* running at once: each takes 4 MiB a worker */
#define CAPTURES_KEPT_MAX    16u   /* results of ended ones that are remembered */
#define CAPTURES_TARGET_SIZE (VSWITCH_UPLINK_SIZE + 8)

struct control;
struct captures;

/* For people and for --json. */
struct captures_item {
    uint32_t id;
    char target[CAPTURES_TARGET_SIZE];     /* "switch:lan" */
    bool running;
    bool removed;                          /* it ended because what it watched was removed */
    uint32_t age_s;                        /* since it began */
    struct capture_result result;          /* final when it does not run */
};

/** @return owned, for captures_destroy(); NULL with a sentence */
struct captures *captures_create(struct control *control, struct error *error);
/** Abandons what still runs; no fabric that watches is published.  NULL is fine. */
void captures_destroy(struct captures *captures);

/**
 * Makes a capture that waits for its reader's socket.
 *
 * @param target  "vnic:NAME", "switch:NAME", "uplink:NAME" or "host:NAME": an uplink is called by
 *                what it was given as, the host's adapter by its interface, both also by the name
 *                of their switch
 * @return its number, or a negative errno and a sentence
 */
int64_t captures_add(struct captures *captures, const char *target,
                     const struct capture_config *config, struct error *error);
/** Gives capture @p id its socket (taken) and starts it; -1: there is none, so forget it. */
void captures_connect(struct captures *captures, uint32_t id, int fd);
/** Asks capture @p id to end.  @return 0, or -ENOENT and a sentence */
int captures_stop(struct captures *captures, uint32_t id, struct error *error);

/** Why it ended, for people: "it was stopped". */
const char *captures_end_text(const struct captures_item *item);

/** @return 0, or -ENOENT and a sentence */
int captures_find(const struct captures *captures, uint32_t id, struct captures_item *item,
                  struct error *error);
/** Lists those that run, in order of their numbers.  @return how many, at most CAPTURES_MAX */
unsigned captures_list(const struct captures *captures, struct captures_item *items);

/* ---- for control.c -------------------------------------------------------------------------- */

/** The watch for a fabric of @p model, NULL when nobody looks.  @return 0 or -ENOMEM */
int captures_watch(struct captures *captures, const struct vswitch_model *model,
                   struct capture_watch **watch, struct error *error);
/** A fabric of @p model with the watch just built is published, and the grace period is over. */
void captures_published(struct captures *captures, const struct vswitch_model *model);
/** Once a second: what could not be published for want of memory is tried again. */
void captures_tick(struct captures *captures);

#endif
