/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the files of the model (vswitch*.c) share, and nobody else needs.
 *
 * A name in a sentence may be any text that somebody sent, so it is cut and made printable before
 * it is shown: an error must not be a way to write to an operator's terminal.
 */
#ifndef SWITCH_VSWITCH_INNER_H
#define SWITCH_VSWITCH_INNER_H

#include <stddef.h>
#include <stdint.h>

#include "switch/error.h"
#include "switch/vswitch.h"

/* A name as it may be shown; lives as long as the expression it is made in. */
struct text_name {
    char text[VSWITCH_NAME_SIZE + 3];
};

struct text_name text_show(const char *name);

/* The names of objects that lie one after the other in an array. */
struct text_names {
    const char *first;             /* NULL when there are none */
    size_t count;
    size_t stride_bytes;
};

/** Refuses @p name, which no @p what ("switch", "vNIC") has; says which there are, if few. */
int text_refuse_unknown(struct error *error, const char *what, const char *name,
                        struct text_names names);

/** @return 0, or -ERANGE and a sentence when @p value is not within @p low and @p high */
int text_check_range(struct error *error, const char *what, const char *name, const char *key,
                     uint32_t value, uint32_t low, uint32_t high);

/** Refuses for want of memory. */
int text_refuse_memory(struct error *error);

/* ---- of vswitch.c, for the others ---- */

/** Finds a switch, or refuses the name and returns NULL. */
const struct vswitch_switch *vswitch_need(const struct vswitch_model *model, const char *name,
                                          struct error *error);
/** Whether @p text, at most @p size bytes with its end, is made of what names are made of. */
bool vswitch_is_word(const char *text, size_t size);

/* ---- of vswitch_vnic.c, for the others ---- */

/** Removes vnics[@p at] and the static addresses of its port. */
void vswitch_drop_vnic(struct vswitch_model *model, size_t at);
size_t vswitch_count_macs(const struct vswitch_model *model, uint16_t switch_id);

/* ---- of vswitch_port.c, for the others ---- */

/** Whether @p vid is a secondary VLAN of @p policy. */
bool vswitch_has_secondary(const struct vlan_policy *policy, uint16_t vid);

#endif
