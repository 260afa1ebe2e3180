/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The VLAN policy of a port: which VLAN is a frame of it in, and who may receive it how.
 *
 * Every mode comes down to four facts that workers need: the VLAN of what the port sends untagged,
 * the VLAN it receives untagged, the set of other VLANs it receives, and whether frames of that set
 * carry a tag there and back.  So the hot path knows no modes, and a new mode is a row here.
 *
 *     mode         sends untagged in   receives untagged           receives tagged
 *     none         0                   0                           -
 *     access       its VLAN            its VLAN                    -
 *     trunk        native              native                      allowed list; sends these too
 *     isolated     secondary           primary                     -
 *     community    secondary           primary and secondary       -
 *     promiscuous  primary             primary and secondaries     -
 *
 * VLAN 0 is "no VLAN": untagged on the wire.  An uplink is a trunk of everything, native 0.
 * Inside of a frame from outside may be a further tag, which is payload: a trunk gets such a frame
 * tagged also when it is in its native VLAN, because the payload would be taken for the tag.
 *
 * Learning is per filtering id, not per VLAN: the VLANs of one private VLAN share an id (that of
 * the primary), because a station sends in one of them and is sent to in another.
 *
 * Standard: IEEE 802.1Q-2022, 8.6.1 (ingress), 8.6.2 (egress), 8.8.8 (shared VLAN learning);
 * RFC 5517 (private VLANs).
 */
#ifndef SWITCH_VLAN_H
#define SWITCH_VLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "switch/error.h"

#define VLAN_COUNT      4096u
#define VLAN_MAX        4094u      /* 4095 is reserved: IEEE 802.1Q-2022, table 9-2 */
#define VLAN_VID_MASK   0x0fffu    /* of a TCI */
#define VLAN_TEXT_SIZE  512u       /* of a policy as people write it; a longer one is refused */

struct vlan_set {
    uint64_t bits[VLAN_COUNT / 64];
};

static inline bool vlan_set_has(const struct vlan_set *set, uint16_t vid)
{
    return (set->bits[vid / 64] >> vid % 64 & 1) != 0;
}

static inline void vlan_set_add(struct vlan_set *set, uint16_t vid)
{
    set->bits[vid / 64] |= UINT64_C(1) << vid % 64;
}

enum vlan_mode {
    VLAN_NONE, VLAN_ACCESS, VLAN_TRUNK, VLAN_ISOLATED, VLAN_COMMUNITY, VLAN_PROMISCUOUS
};

struct vlan_policy {
    enum vlan_mode mode;
    uint16_t vid;                  /* access: the VLAN; trunk: native; private: the primary */
    uint16_t secondary;            /* isolated and community; else 0 */
    struct vlan_set others;        /* trunk: allowed; promiscuous: secondaries; else empty */
};

/* What a policy comes down to. */
struct vlan_facts {
    uint16_t in;                   /* VLAN of what the port sends untagged */
    uint16_t out;                  /* VLAN it receives untagged */
    bool tags;                     /* frames of `others` carry a tag, both ways */
    bool has_others;
    struct vlan_set others;        /* received besides `out` */
};

void vlan_facts(const struct vlan_policy *policy, struct vlan_facts *facts);

/** The policy of an uplink: every VLAN tagged, VLAN 0 untagged.  Lives for ever. */
const struct vlan_policy *vlan_policy_of_uplink(void);

bool vlan_policy_equal(const struct vlan_policy *a, const struct vlan_policy *b);

/**
 * Reads a policy as people write it: "none", "access:10", "trunk:10,20-29,native:10" (also with
 * "prune:25", which takes VLANs out of the allowed list), "isolated:100,201", "community:100,202",
 * "promiscuous:100,201-203".
 *
 * @param text  anything
 * @return 0, or -EINVAL with a sentence, begun in lower case and not ended, that says what is wrong
 *         and shows a right one
 * Thread: any.
 */
int vlan_parse(const char *text, struct vlan_policy *policy, struct error *error);

/**
 * Writes it so that vlan_parse() reads the same: lists sorted, ranges joined, prune applied.
 * @return @p text, always terminated; a policy that vlan_parse() made always fits
 */
const char *vlan_format(const struct vlan_policy *policy, char text[VLAN_TEXT_SIZE]);

/**
 * Checks a policy that did not come from vlan_parse(): VIDs in range, lists not empty where they
 * are needed, primary not among the secondaries.
 * @return 0, or -EINVAL with a sentence as vlan_parse()'s
 */
int vlan_policy_check(const struct vlan_policy *policy, struct error *error);

#endif
