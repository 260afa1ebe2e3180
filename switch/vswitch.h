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
#include "switch/team_mode.h"
#include "switch/vlan.h"

#define VSWITCH_NAME_SIZE         64u      /* 63 characters and the terminator */
#define VSWITCH_MTU_MIN_BYTES     576u
#define VSWITCH_MTU_MAX_BYTES     9600u
#define VSWITCH_MTU_DEFAULT_BYTES 1500u
#define VSWITCH_QUEUES_MAX        16u      /* queue pairs of a vNIC */
#define VSWITCH_OWNER_SIZE        33u
#define VSWITCH_UPLINK_SIZE       256u     /* a WHERE and its terminator */
#define VSWITCH_HOST_NAME_SIZE    16u      /* IFNAMSIZ */
#define VSWITCH_ALLOWED_MACS_MAX  32u
#define VSWITCH_HOST_ADDRESSES_MAX 16u
#define VSWITCH_ADDRESS_SIZE      50u      /* an IPv6 address, "/128" and the terminator */
#define VSWITCH_NO_PORT           0xffffu
#define VSWITCH_MAX_TEAMS         24u
#define VSWITCH_TEAM_PREFIX       "team:"  /* of the WHERE of an uplink that is a team */
#define VSWITCH_MAX_VNICS         1000u

enum vswitch_type { VSWITCH_PRIVATE, VSWITCH_INTERNAL, VSWITCH_EXTERNAL };

struct vswitch_switch {
    char name[VSWITCH_NAME_SIZE];
    uint16_t id;                   /* below FABRIC_MAX_SWITCHES */
    enum vswitch_type type;
    uint32_t mtu_bytes;            /* of the payload of a frame, as `ip link` says it */
    uint32_t mac_capacity_entries;
    uint32_t mac_ageing_s;
    bool coalesce;                 /* what comes by the uplink: see coalesce.h; on by default */
    /* ---- the uplink, of an external switch ---- */
    char uplink[VSWITCH_UPLINK_SIZE];   /* WHERE as given; "": none */
    uint16_t uplink_port;               /* VSWITCH_NO_PORT: none */
    bool force;                         /* even when it carries the host's default route */
    /* ---- the host's adapter, of an internal switch and of an external one on request ---- */
    bool host_vnic;
    bool move_addresses;                /* the uplink's addresses and routes are carried over */
    uint16_t host_port;                 /* VSWITCH_NO_PORT: none */
    char host_name[VSWITCH_HOST_NAME_SIZE];   /* of the tap device, made of the switch's name */
    uint64_t host_mac;                  /* from the pool, or as wanted */
    struct vlan_policy host_vlan;       /* none or access */
    char host_address[VSWITCH_HOST_ADDRESSES_MAX][VSWITCH_ADDRESS_SIZE];   /* "192.0.2.1/24" */
    uint16_t host_address_count;
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
    struct vlan_policy vlan;
    bool priority_trust;           /* 802.1p bits of its frames are kept, not reset */
    bool spoof_guard;              /* it sends from mac and allowed_mac only; on by default */
    bool dhcp_guard;               /* what a DHCP server sends is not taken from it */
    bool router_guard;             /* nor what a router advertises, nor redirects */
    uint64_t offload;              /* features offered to it: offload.h; OFFLOAD_ALL by default */
    uint64_t offload_granted;      /* what its VM negotiated when it was offered more, and is
                                      offered as long as it runs; 0: nothing beyond that */
    uint64_t allowed_mac[VSWITCH_ALLOWED_MACS_MAX];
    uint16_t allowed_mac_count;
};

struct vswitch_static_mac {
    uint16_t switch_id;
    uint16_t port;
    uint16_t vlan;
    uint64_t mac;
};

/* A member keeps its place, which is its number in the team, and its port while it is one. */
struct vswitch_member {
    char where[VSWITCH_UPLINK_SIZE];    /* as that of an uplink, but for "team:"; "": none */
    uint16_t port;
    bool standby;
};

/* Several interfaces as one; the uplink "team:NAME" of at most one switch. */
struct vswitch_team {
    char name[VSWITCH_NAME_SIZE];
    uint16_t id;                   /* below VSWITCH_MAX_TEAMS */
    bool force;                    /* even when a member carries the host's default route */
    struct team_setting setting;
    struct vswitch_member member[TEAM_MEMBERS_MAX];
};

struct vswitch_model {
    struct vswitch_switch *switches;
    size_t switch_count;
    struct vswitch_vnic *vnics;
    size_t vnic_count;
    struct vswitch_static_mac *macs;
    size_t mac_count;
    struct vswitch_team *teams;
    size_t team_count;
    uint16_t next_switch_id;       /* where the search for a free number starts */
    uint16_t next_team_id;
    uint16_t next_port;
    uint64_t pool_first, pool_last;   /* addresses to choose from, for vNICs and host's adapters */
    uint64_t pool_next;               /* where the search for a free one starts, wrapping */
};

/* ---- ports of all kinds, seen alike ---------------------------------------------------------- */

enum vswitch_port_kind {
    VSWITCH_PORT_VNIC,
    VSWITCH_PORT_HOST,
    VSWITCH_PORT_UPLINK,
    VSWITCH_PORT_MEMBER            /* of a team: no port of a switch, but with one's counters */
};

/* A view of a port; its pointers are into the model, valid until that changes. */
struct vswitch_port {
    enum vswitch_port_kind kind;
    uint16_t number;
    uint16_t switch_id;
    const char *name;              /* the vNIC's; the host's interface; the uplink's WHERE */
    const struct vlan_policy *vlan;
    uint32_t mtu_bytes;            /* in force */
    uint64_t mac;                  /* 0 for an uplink */
    bool locked;                   /* sends from mac and allowed_mac only */
    bool priority_trust;
    bool dhcp_guard;
    bool router_guard;
    const uint64_t *allowed_mac;
    uint16_t allowed_mac_count;
    uint16_t queues;               /* of a vNIC; else 1 */
    const struct vswitch_vnic *vnic;   /* NULL when it is none */
    const struct vswitch_team *team;   /* of a member, and of an uplink that is one; or NULL */
};

/** "vnic", "host", "uplink", "member". */
const char *vswitch_port_kind_word(enum vswitch_port_kind kind);
/** Port @p number, of a switch or a member's.  @return whether there is one */
bool vswitch_port_at(const struct vswitch_model *model, uint16_t number,
                     struct vswitch_port *port);
/**
 * The ports of switch @p id, or of all with @p id FABRIC_MAX_SWITCHES: its uplink, the host's
 * adapter, then vNICs as they were added.  No members.
 * @param cursor  starts as 0
 * @return whether there was another
 */
bool vswitch_port_next(const struct vswitch_model *model, uint16_t id, size_t *cursor,
                       struct vswitch_port *port);
/** The members of team @p id, or of all with @p id VSWITCH_MAX_TEAMS, likewise. */
bool vswitch_member_next(const struct vswitch_model *model, uint16_t id, size_t *cursor,
                         struct vswitch_port *port);
/** The port of switch @p id that people call @p name: a vNIC's name first. */
bool vswitch_port_named(const struct vswitch_model *model, uint16_t id, const char *name,
                        struct vswitch_port *port);

/* An address that the table of a switch has a static entry for. */
struct vswitch_pin {
    uint64_t mac;
    uint16_t switch_id;
    uint16_t fid;                  /* or MAC_TABLE_ANY_VLAN */
    uint16_t port;
};

/**
 * Every address that is pinned: those of static_mac, and the own ones of locked ports and of the
 * host's adapters: in the filtering id of what they send untagged, and for a trunk in
 * MAC_TABLE_ANY_VLAN as well.
 * @param pins   @p size of them are filled; NULL with 0 to count
 * @return how many there are
 */
size_t vswitch_pins(const struct vswitch_model *model, struct vswitch_pin *pins, size_t size);

/** The filtering id of @p vid on switch @p id: the primary of a private VLAN, else itself. */
uint16_t vswitch_fid(const struct vswitch_model *model, uint16_t id, uint16_t vid);

/** An empty model; its pool is 00:15:5D, @p pool_octets (two), 00 to FF.  @return owned or NULL. */
struct vswitch_model *vswitch_model_create(uint16_t pool_octets);
struct vswitch_model *vswitch_model_copy(const struct vswitch_model *model);
void vswitch_model_destroy(struct vswitch_model *model);       /* NULL is fine */

/* ---- looking up; borrowed, valid until the model changes ------------------------------------- */
const struct vswitch_switch *vswitch_find(const struct vswitch_model *model, const char *name);
const struct vswitch_switch *vswitch_by_id(const struct vswitch_model *model, uint16_t id);
const struct vswitch_vnic *vswitch_find_vnic(const struct vswitch_model *model, const char *name);
const struct vswitch_vnic *vswitch_vnic_by_port(const struct vswitch_model *model, uint16_t port);
const struct vswitch_team *vswitch_find_team(const struct vswitch_model *model, const char *name);
const struct vswitch_team *vswitch_team_by_id(const struct vswitch_model *model, uint16_t id);
/** The team that is the uplink of @p of, or NULL. */
const struct vswitch_team *vswitch_team_of(const struct vswitch_model *model,
                                           const struct vswitch_switch *of);
/** The switch whose uplink @p team is, or NULL. */
const struct vswitch_switch *vswitch_of_team(const struct vswitch_model *model,
                                             const struct vswitch_team *team);
/** Of its members: that of its switch, or 1500 while it has none. */
uint32_t vswitch_team_mtu(const struct vswitch_model *model, const struct vswitch_team *team);
/** The MTU in force: the vNIC's own or its switch's. */
uint32_t vswitch_vnic_mtu(const struct vswitch_model *model, const struct vswitch_vnic *vnic);

/**
 * Checks a name: 1 to 63 of A-Z a-z 0-9 . _ -, the first a letter or a digit.
 * @return 0, or -EINVAL with a sentence that names @p what ("switch", "vNIC")
 */
int vswitch_check_name(const char *what, const char *name, struct error *error);

/* What the WHERE of an uplink names. */
enum vswitch_where {
    VSWITCH_WHERE_INTERFACE,       /* a kernel's network interface */
    VSWITCH_WHERE_PCI,             /* a PCI address */
    VSWITCH_WHERE_VDEV,            /* a device of DPDK's, with its arguments */
    VSWITCH_WHERE_TEAM             /* a team, by its name */
};

/**
 * Reads a WHERE: "eth1", "0000:01:00.0" or "01:00.0", "vdev:net_tap0,iface=x", "team:t0".
 *
 * @param kind    what it names
 * @param device  its one spelling: the interface; the PCI address with its domain, in lower case;
 *                what follows "vdev:" or "team:"
 * @return 0, or a negative errno with a sentence, begun in lower case and not ended
 * Thread: any.
 */
int vswitch_read_where(const char *where, enum vswitch_where *kind,
                       char device[VSWITCH_UPLINK_SIZE], struct error *error);

/** Whether two WHEREs name the same device, however they spell it, or nothing. */
bool vswitch_same_uplink(const char *a, const char *b);

/*
 * ---- editing: 0, or a negative errno and a sentence, with the model unchanged -------------------
 *
 * What is passed in is a filled struct whose id, port and switch_id are ignored; names of switches
 * and vNICs are separate (a vNIC may be named as a switch is).  The values that a number or a text
 * may have are checked here, again, although a client's request was checked by the method table: a
 * state file was not.
 */
/** Adds a switch; with a host_vnic, host_name is made and a host_mac of 0 is from the pool. */
int vswitch_add(struct vswitch_model *model, const struct vswitch_switch *wanted,
                struct error *error);
/**
 * Changes everything but the name to what @p wanted has, found by its name; a host_mac of 0 stays
 * as it is.  Ports that come get new numbers, those that stay keep theirs, and the addresses that
 * were pinned to one that goes are no longer pinned.  Another uplink is another port.
 */
int vswitch_set(struct vswitch_model *model, const struct vswitch_switch *wanted,
                struct error *error);
/** Removes a switch; one that has vNICs only with @p force, and them with it. */
int vswitch_remove(struct vswitch_model *model, const char *name, bool force,
                   struct error *error);

/** Chooses addresses from @p first to @p last from now on; those that were given stay. */
int vswitch_set_pool(struct vswitch_model *model, uint64_t first, uint64_t last,
                     struct error *error);

/** Adds a vNIC; a mac of 0 is replaced by the next free one of the pool. */
int vswitch_add_vnic(struct vswitch_model *model, const char *switch_name,
                     const struct vswitch_vnic *wanted, struct error *error);
/** Changes everything but name, switch and queues; a mac of 0 stays as it is. */
int vswitch_set_vnic(struct vswitch_model *model, const struct vswitch_vnic *wanted,
                     struct error *error);
int vswitch_remove_vnic(struct vswitch_model *model, const char *name, struct error *error);

/** Puts a member at the first free place of @p team, which is not a model's yet; -ERANGE: none. */
int vswitch_team_put(struct vswitch_team *team, const char *where, bool standby,
                     struct error *error);
/** Adds a team; members are where they are in @p wanted, each with a WHERE of its own. */
int vswitch_add_team(struct vswitch_model *model, const struct vswitch_team *wanted,
                     struct error *error);
/**
 * Changes everything but the name.  A member that stays (the same device) keeps place and port,
 * wherever it is in @p wanted; one that comes gets a place that is free.
 */
int vswitch_set_team(struct vswitch_model *model, const struct vswitch_team *wanted,
                     struct error *error);
/** Removes a team; -EBUSY when it is the uplink of a switch. */
int vswitch_remove_team(struct vswitch_model *model, const char *name, struct error *error);

/** Pins @p mac of @p vlan to port @p port_name of that switch: a vNIC, its uplink, its host's. */
int vswitch_add_mac(struct vswitch_model *model, const char *switch_name, uint64_t mac,
                    uint16_t vlan, const char *port_name, struct error *error);
/** Unpins it; the own address of a port is refused (-EBUSY), an unknown one is -ENOENT. */
int vswitch_remove_mac(struct vswitch_model *model, const char *switch_name, uint64_t mac,
                       uint16_t vlan, struct error *error);

#endif
