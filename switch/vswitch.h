/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The model: which switches, vNICs and static addresses there are, and the rules between them.
 *
 * The model is plain data, edited by the control thread only, and always on a copy: a change that
 * breaks a rule leaves the model in use as it was.  Every rule an operator can break is checked
 * here, so that a command, a state file and a test meet the same rule and the same sentence.
 *
 * Ids: a switch's id and a port's number are small, stable for the object's life, and index the
 * arrays of the fabric.  A number just freed is not given again by the next add, so that a
 * late event about the old object cannot be taken for one about the new.
 */
#ifndef SWITCH_VSWITCH_H
#define SWITCH_VSWITCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "switch/error.h"
#include "switch/fabric.h"

#define VSWITCH_NAME_SIZE         64u      /* 63 characters and the terminator */
#define VSWITCH_MTU_MIN_BYTES     576u
#define VSWITCH_MTU_MAX_BYTES     9600u
#define VSWITCH_MTU_DEFAULT_BYTES 1500u
#define VSWITCH_QUEUES_MAX        16u      /* queue pairs of a vNIC */
#define VSWITCH_OWNER_SIZE        33u
#define VSWITCH_MAX_VNICS         511u     /* librte_vhost polls 1,024 descriptors, two a vNIC */

enum vswitch_type { VSWITCH_PRIVATE, VSWITCH_INTERNAL, VSWITCH_EXTERNAL };

struct vswitch_switch {
    char name[VSWITCH_NAME_SIZE];
    uint16_t id;                   /* below FABRIC_MAX_SWITCHES */
    enum vswitch_type type;
    uint32_t mtu_bytes;            /* of the payload of a frame, as `ip link` says it */
    uint32_t mac_capacity_entries;
    uint32_t mac_ageing_s;
};

struct vswitch_vnic {
    char name[VSWITCH_NAME_SIZE];
    uint16_t port;                 /* below FABRIC_MAX_PORTS */
    uint16_t switch_id;
    uint16_t queues;               /* queue pairs, 1 to VSWITCH_QUEUES_MAX */
    uint64_t mac;                  /* never 0: given, or from the pool */
    uint32_t mtu_bytes;            /* 0: the switch's */
    char socket_owner[VSWITCH_OWNER_SIZE];   /* "": the daemon's user */
    char socket_group[VSWITCH_OWNER_SIZE];   /* "": the daemon's --group */
};

struct vswitch_static_mac {
    uint16_t switch_id;
    uint16_t port;
    uint16_t vlan;
    uint64_t mac;
};

struct vswitch_model {
    struct vswitch_switch *switches;
    size_t switch_count;
    struct vswitch_vnic *vnics;
    size_t vnic_count;
    struct vswitch_static_mac *macs;
    size_t mac_count;
    uint16_t next_switch_id;       /* where the search for a free number starts */
    uint16_t next_port;
    uint16_t pool_octets;          /* the two octets after 00:15:5D, from the host's address */
    uint8_t pool_next;             /* last octet of the pool, wrapping */
};

/** An empty model; @p pool_octets are the two octets after 00:15:5D.  @return owned or NULL. */
struct vswitch_model *vswitch_model_create(uint16_t pool_octets);
struct vswitch_model *vswitch_model_copy(const struct vswitch_model *model);
void vswitch_model_destroy(struct vswitch_model *model);       /* NULL is fine */

/* ---- looking up; borrowed, valid until the model changes ------------------------------------- */
const struct vswitch_switch *vswitch_find(const struct vswitch_model *model, const char *name);
const struct vswitch_switch *vswitch_by_id(const struct vswitch_model *model, uint16_t id);
const struct vswitch_vnic *vswitch_find_vnic(const struct vswitch_model *model, const char *name);
const struct vswitch_vnic *vswitch_vnic_by_port(const struct vswitch_model *model, uint16_t port);
/** The MTU in force: the vNIC's own or its switch's. */
uint32_t vswitch_vnic_mtu(const struct vswitch_model *model, const struct vswitch_vnic *vnic);

/**
 * Checks a name: 1 to 63 of A-Z a-z 0-9 . _ -, the first a letter or a digit.
 * @return 0, or -EINVAL with a sentence that names @p what ("switch", "vNIC")
 */
int vswitch_check_name(const char *what, const char *name, struct error *error);

/*
 * ---- editing: 0, or a negative errno and a sentence, with the model unchanged -------------------
 *
 * What is passed in is a filled struct whose id, port and switch_id are ignored; names of switches
 * and vNICs are separate (a vNIC may be named as a switch is).  The values that a number or a text
 * may have are checked here, again, although a client's request was checked by the method table: a
 * state file was not.
 */
int vswitch_add(struct vswitch_model *model, const struct vswitch_switch *wanted,
                struct error *error);
/** Changes mtu, mac_capacity and mac_ageing to those of @p wanted, found by its name. */
int vswitch_set(struct vswitch_model *model, const struct vswitch_switch *wanted,
                struct error *error);
/** Removes a switch; one that has vNICs only with @p force, and them with it. */
int vswitch_remove(struct vswitch_model *model, const char *name, bool force,
                   struct error *error);

/** Adds a vNIC; a mac of 0 is replaced by the next free one of the pool. */
int vswitch_add_vnic(struct vswitch_model *model, const char *switch_name,
                     const struct vswitch_vnic *wanted, struct error *error);
/** Changes mtu, mac (when not 0), socket_owner and socket_group; the rest must be as it is. */
int vswitch_set_vnic(struct vswitch_model *model, const struct vswitch_vnic *wanted,
                     struct error *error);
int vswitch_remove_vnic(struct vswitch_model *model, const char *name, struct error *error);

/** Pins @p mac of @p vlan to the port of vNIC @p port_name of that switch. */
int vswitch_add_mac(struct vswitch_model *model, const char *switch_name, uint64_t mac,
                    uint16_t vlan, const char *port_name, struct error *error);
int vswitch_remove_mac(struct vswitch_model *model, const char *switch_name, uint64_t mac,
                       uint16_t vlan, struct error *error);

#endif
