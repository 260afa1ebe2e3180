/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the files of uplink.h share: how it stands, and how an interface is taken.
 */
#ifndef CTL_UPLINK_INNER_H
#define CTL_UPLINK_INNER_H

#include "ctl/host/link.h"
#include "ctl/host/uplink.h"
#include "dataplane/nic.h"
#include "dataplane/packet_port.h"

struct exclusive;
struct move_addresses;

struct uplink {
    struct control *control;
    const char *owner;                  /* "Switch", "Team" */
    const char *what, *role;            /* as in struct uplink_wanted */
    char owner_name[VSWITCH_NAME_SIZE];
    uint16_t port;
    uint16_t senders;                   /* threads */
    enum vswitch_where where;
    char device[VSWITCH_UPLINK_SIZE];   /* its one spelling: see vswitch_read_where() */
    uint32_t mtu_bytes;                 /* wanted */
    /* ---- of a kernel interface ---- */
    int ifindex;                        /* 0: it is not there, or has not been taken */
    char name[LINK_NAME_SIZE];          /* as it is called now */
    struct exclusive *exclusive;        /* NULL: the host's stack sees the frames */
    struct packet_port *packet;         /* while frames can flow, and until that is published */
    uint32_t losses_seen;               /* the kernel's count of this interface */
    struct move_addresses *move;        /* NULL: the host's addresses are not moved */
    /* ---- of an ethdev, AF_XDP's too ---- */
    struct nic *nic;
    bool anew;                          /* the nic is to be opened again, for another MTU */
    /* ---- of both ---- */
    bool carrier;                       /* as it was looked at last */
    bool live;                          /* frames can flow: what is compiled is not ABSENT */
    uint32_t losses;
    uint64_t overruns;                  /* of packet ports that are no more */
    char wrong[ERROR_TEXT_SIZE];        /* why it is not as it should be; "": it is */
    char driver_note[ERROR_TEXT_SIZE];  /* why not a better driver */
    char exclusive_note[ERROR_TEXT_SIZE];
};

/**
 * Takes the interface that is called as `device` says, if it is fit: makes it what an uplink needs,
 * keeps the host off it, and opens it.
 * @return 0, or a negative errno and a sentence with nothing changed
 */
int uplink_take_interface(struct uplink *uplink, const struct uplink_wanted *of,
                          struct error *error);
/** Gives back an interface, or what is left of one that is gone; no worker uses it. */
void uplink_release_interface(struct uplink *uplink);

/**
 * Opens an interface that is taken by the best driver that works; without a carrier perhaps nothing
 * yet.
 * @return 0, or a negative errno and a sentence with nothing opened
 */
int uplink_open_driver(struct uplink *uplink, const struct link *link, bool move,
                       struct error *error);
void uplink_close_packet(struct uplink *uplink);
/**
 * Keeps the host off the interface, under its present name, unless it has its addresses there; a
 * note says when that is not possible.
 */
void uplink_keep_host_off(struct uplink *uplink);
void uplink_let_host_on(struct uplink *uplink);

/** Whether the host has the addresses on the uplink that its adapter is to have. */
bool uplink_has_host_addresses(const struct uplink *uplink);
/** Whether it is to have addresses back that are on the adapter. */
bool uplink_awaits_addresses(const struct uplink *uplink);
/** What became of the move, as a clause; "" without one. */
void uplink_move_note(const struct uplink *uplink, char *note, size_t size);

/** Makes @p mtu_bytes of the interface.  @return 0, or a negative errno, a sentence, no change */
int uplink_set_interface_mtu(struct uplink *uplink, uint32_t mtu_bytes, struct error *error);

#endif
