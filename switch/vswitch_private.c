/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Private VLANs: which VLANs of a switch belong together.
 *
 * A port says which primary its secondaries belong to, and so says it for the whole switch: they
 * share a filtering id, that of the primary.  That only holds when no two ports say otherwise, and
 * that is the rule here.
 *
 * Standard: RFC 5517, 2 (a secondary VLAN has one primary).
 */
#include "switch/vswitch.h"

#include <errno.h>

#include "switch/mac.h"
#include "switch/vswitch_inner.h"

static bool is_private(const struct vlan_policy *policy)
{
    return policy->mode == VLAN_ISOLATED || policy->mode == VLAN_COMMUNITY ||
           policy->mode == VLAN_PROMISCUOUS;
}

static bool has_secondary(const struct vlan_policy *policy, uint16_t vid)
{
    return is_private(policy) &&
           (policy->mode == VLAN_PROMISCUOUS ? vlan_set_has(&policy->others, vid)
                                             : policy->secondary == vid);
}

/* Only vNICs can be in private VLANs. */
uint16_t vswitch_fid(const struct vswitch_model *model, uint16_t id, uint16_t vid)
{
    for (size_t i = 0; i < model->vnic_count; i++) {
        const struct vswitch_vnic *vnic = &model->vnics[i];

        if (vnic->switch_id == id && has_secondary(&vnic->vlan, vid)) {
            return vnic->vlan.vid;
        }
    }
    return vid;
}

/* ---- rules ----------------------------------------------------------------------------------- */

/* Two vNICs of one switch, both in private VLANs. */
static int check_two(const struct vswitch_vnic *wanted, const struct vswitch_vnic *other,
                     struct error *error)
{
    const struct vlan_policy *a = &wanted->vlan, *b = &other->vlan;

    for (uint16_t vid = 1; vid <= VLAN_MAX && a->vid != b->vid; vid++) {
        if (has_secondary(a, vid) && has_secondary(b, vid)) {
            return error_set(error, EBUSY, "vNIC \"%s\": VLAN %u cannot be a secondary of %u, "
                             "because for vNIC \"%s\" it is one of %u; choose another, or change "
                             "that vNIC first", wanted->name, vid, a->vid, other->name, b->vid);
        }
    }
    if (has_secondary(b, a->vid)) {
        return error_set(error, EBUSY, "vNIC \"%s\": VLAN %u cannot be a primary, because for vNIC "
                         "\"%s\" it is a secondary of %u; choose another, or change that vNIC "
                         "first", wanted->name, a->vid, other->name, b->vid);
    }
    if (has_secondary(a, b->vid)) {
        return error_set(error, EBUSY, "vNIC \"%s\": VLAN %u cannot be a secondary of %u, because "
                         "for vNIC \"%s\" it is a primary; choose another, or change that vNIC "
                         "first", wanted->name, b->vid, a->vid, other->name);
    }
    return 0;
}

static bool is_one_of(const struct vlan_policy *policy, uint16_t vid)
{
    return vid == policy->vid || has_secondary(policy, vid);
}

/* What is pinned in VLANs that come to be one filtering id must not be pinned to two ports. */
static int check_pinned(const struct vswitch_model *model, uint16_t id,
                        const struct vswitch_vnic *wanted, struct error *error)
{
    char text[MAC_TEXT_SIZE];

    for (size_t i = 0; i < model->mac_count; i++) {
        const struct vswitch_static_mac *a = &model->macs[i];

        for (size_t j = 0; j < i && a->switch_id == id && is_one_of(&wanted->vlan, a->vlan); j++) {
            const struct vswitch_static_mac *b = &model->macs[j];

            if (b->switch_id == id && b->mac == a->mac && b->port != a->port &&
                is_one_of(&wanted->vlan, b->vlan)) {
                return error_set(error, EBUSY, "vNIC \"%s\": VLANs %u and %u cannot be one private "
                                 "VLAN, because %s is pinned to different ports in them; remove "
                                 "one of the two first", wanted->name, a->vlan, b->vlan,
                                 mac_format(a->mac, text));
            }
        }
    }
    return 0;
}

int vswitch_check_vlan(const struct vswitch_model *model, uint16_t id,
                       const struct vswitch_vnic *is, const struct vswitch_vnic *wanted,
                       struct error *error)
{
    struct error inner = { 0 };
    int rc = vlan_policy_check(&wanted->vlan, &inner);

    if (rc != 0) {
        return error_set(error, -rc, "vNIC \"%s\": %s", wanted->name, inner.text);
    }
    if (!is_private(&wanted->vlan)) {
        return 0;
    }
    for (size_t i = 0; i < model->vnic_count && rc == 0; i++) {
        const struct vswitch_vnic *other = &model->vnics[i];

        if (other != is && other->switch_id == id && is_private(&other->vlan)) {
            rc = check_two(wanted, other, error);
        }
    }
    return rc != 0 ? rc : check_pinned(model, id, wanted, error);
}
