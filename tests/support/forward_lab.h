/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Switches compiled from a real model, and the decision taken on them, for tests of forward.
 *
 * Tables are filled as a daemon would: with what the model pins when it is compiled, and with what
 * forward notes when the test says so.  A failure of any step ends the test.
 */
#ifndef TESTS_SUPPORT_FORWARD_LAB_H
#define TESTS_SUPPORT_FORWARD_LAB_H

#include <stdint.h>

#include "switch/drop.h"
#include "switch/forward.h"
#include "switch/vswitch.h"

#define FORWARD_LAB_NOW_S      77u
#define FORWARD_LAB_GENERATION 9u
#define FORWARD_LAB_QUOTA      40u       /* addresses a port may have learned */
#define MAC(n)                 (UINT64_C(0x020000000000) + (n))

struct forward_lab {
    struct frame_batch batch;      /* first, for its alignment */
    struct vswitch_model *model;
    struct fabric *fabric;
    struct mac_table *table[FABRIC_MAX_SWITCHES];
    struct forward_notes notes;
    struct forward_classes classes;
};

/** As cmocka calls them: *@p state becomes a lab without switches. */
int forward_lab_setup(void **state);
int forward_lab_teardown(void **state);

/** Adds a private switch, or one of what @p like says, by @p name; NULL: nothing. */
void forward_lab_switch(struct forward_lab *lab, const char *name,
                        const struct vswitch_switch *like);
/** Adds a vNIC with a policy as people write it, and what @p like says more.  @return its port */
uint16_t forward_lab_vnic(struct forward_lab *lab, const char *on, const char *name,
                          const char *vlan, const struct vswitch_vnic *like);
/** Compiles the model as it is now, and pins in the tables what it names. */
void forward_lab_compile(struct forward_lab *lab);

struct mac_table *forward_lab_table(const struct forward_lab *lab, const char *name);
uint64_t forward_lab_mac(const struct forward_lab *lab, const char *vnic);

/** Decides on lab->batch; what was in the results before is not 0. */
void forward_lab_run(struct forward_lab *lab);
/** Learns what was noted, as control does. */
void forward_lab_learn(struct forward_lab *lab);

/** Decides on one frame of 60 bytes, with a tag unless @p tci is NO_TAG.  @return it */
#define NO_TAG UINT32_MAX
const struct frame *forward_lab_frame(struct forward_lab *lab, uint16_t port_in,
                                      uint64_t destination, uint64_t source, uint32_t tci);

/** Checks that @p frame was dropped for @p reason. */
void forward_lab_dropped(const struct frame *frame, enum drop_reason reason);

/**
 * How @p frame, on which was decided, is delivered to @p port: '-' not, 'u' untagged, 't' tagged.
 * This is what egress makes of it.
 */
char forward_lab_delivery(const struct forward_lab *lab, const struct frame *frame, uint16_t port);

#endif
