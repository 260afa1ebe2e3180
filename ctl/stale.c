/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctl/stale.h"

#include <stdbool.h>
#include <string.h>

static const struct fabric_switch *find_switch(const struct fabric *fabric, uint32_t id)
{
    for (uint32_t i = 0; i < fabric->switch_count; i++) {
        if (fabric->switches[i].id == id) {
            return &fabric->switches[i];
        }
    }
    return NULL;
}

static bool same_others(const struct vlan_set *a, const struct vlan_set *b)
{
    return a == b || (a != NULL && b != NULL && memcmp(a, b, sizeof(*a)) == 0);
}

/* Whether what was learned behind a port can be so still; coalescing has no part in that. */
static bool learns_alike(const struct fabric_port *a, const struct fabric_port *b)
{
    return a->vlan_in == b->vlan_in && a->fid_in == b->fid_in &&
           ((a->flags ^ b->flags) & ~FABRIC_PORT_COALESCE) == 0 &&
           same_others(a->others, b->others);
}

static bool same_fids(const struct fabric_switch *a, const struct fabric_switch *b)
{
    return a->fid == b->fid || (a->fid != NULL && b->fid != NULL &&
                                memcmp(a->fid, b->fid, VLAN_COUNT * sizeof(a->fid[0])) == 0);
}

void stale_flush(const struct fabric *before, const struct fabric *now)
{
    for (uint32_t i = 0; i < now->switch_count; i++) {
        const struct fabric_switch *on = &now->switches[i];
        const struct fabric_switch *was = find_switch(before, on->id);

        if (was != NULL && !same_fids(was, on)) {
            (void)mac_table_flush(on->table, MAC_TABLE_MISS);
        }
    }
    for (uint16_t port = 0; port < FABRIC_MAX_PORTS; port++) {
        const struct fabric_port *was = &before->port[port], *is = &now->port[port];

        if (was->kind != FABRIC_PORT_UNUSED && is->kind != FABRIC_PORT_UNUSED &&
            (is->flags & FABRIC_PORT_MEMBER) == 0 && !learns_alike(was, is)) {
            (void)mac_table_flush(now->switches[is->switch_index].table, port);
        }
    }
}
