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

/* ---- of vswitch_port.c, for the others ---- */

/** The next number that no port has; there always is one. */
uint16_t vswitch_new_port(struct vswitch_model *model);
/** How many addresses are pinned because they are @p port's own. */
size_t vswitch_count_own_pins(const struct vswitch_port *port);
/** How many addresses are pinned on switch @p id. */
size_t vswitch_count_pins(const struct vswitch_model *model, uint16_t id);
/** Whether @p mac is an own address of @p port: the configured one or an allowed one. */
bool vswitch_port_owns(const struct vswitch_port *port, uint64_t mac);
/** The port of switch @p id that @p mac is pinned to in @p fid because it is the port's own. */
bool vswitch_own_pin(const struct vswitch_model *model, uint16_t id, uint64_t mac, uint16_t fid,
                     struct vswitch_port *port);

/* ---- of vswitch_private.c: private VLANs ---- */

/** Checks the policy of a vNIC on switch @p id, by itself and against the others there. */
int vswitch_check_vlan(const struct vswitch_model *model, uint16_t id,
                       const struct vswitch_vnic *is, const struct vswitch_vnic *wanted,
                       struct error *error);

/* ---- of vswitch_mac.c: whose an address is ---- */

/** Checks that port @p number, VSWITCH_NO_PORT for a new one, may have @p mac. */
int vswitch_check_mac(const struct vswitch_model *model, uint16_t number, const char *name,
                      uint64_t mac, struct error *error);
/** The next free address of the pool, or 0 and a sentence. */
uint64_t vswitch_choose_mac(const struct vswitch_model *model, const char *what, const char *name,
                            struct error *error);
/** Notes that @p mac was given to a port: the pool goes on behind it. */
void vswitch_take_mac(struct vswitch_model *model, uint64_t mac);
/** Unpins the static addresses of a port that goes. */
void vswitch_drop_macs(struct vswitch_model *model, uint16_t port);

/* ---- of vswitch_uplink.c and vswitch_host.c: what a switch has besides vNICs ---- */

/** @p is is the switch that changes, NULL for a new one. */
int vswitch_check_uplink(const struct vswitch_model *model, const struct vswitch_switch *is,
                         const struct vswitch_switch *wanted, struct error *error);
/** Whether two cannot both be had, because they are one device, whatever its arguments. */
bool vswitch_clash(const char *a, const char *b);
int vswitch_check_host(const struct vswitch_model *model, const struct vswitch_switch *is,
                       const struct vswitch_switch *wanted, struct error *error);
/** The name of the host's adapter on the switch called @p switch_name. */
void vswitch_host_name(const char *switch_name, char name[VSWITCH_HOST_NAME_SIZE]);


/* ---- of vswitch_team.c, for the others ---- */

/** Finds a team, or refuses the name and returns NULL. */
const struct vswitch_team *vswitch_need_team(const struct vswitch_model *model, const char *name,
                                             struct error *error);
/** The team, but for @p is, that has a member which clashes with @p where, or NULL. */
const struct vswitch_team *vswitch_team_with(const struct vswitch_model *model,
                                             const struct vswitch_team *is, const char *where);

#endif
