/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the files of resources.h share, and nobody else needs.
 */
#ifndef CTL_RESOURCES_INNER_H
#define CTL_RESOURCES_INNER_H

#include "ctl/resources.h"

/** Keeps a vNIC that stands, with the owner that is wanted, or makes one that is new. */
int resources_make_vnic(struct control *control, const struct vswitch_vnic *wanted,
                        struct control_resources *made, struct error *error);
/** Changes back what that changed of @p is, which stays. */
void resources_restore_vnic(struct control *control, const struct vswitch_vnic *is,
                            const struct vswitch_vnic *wanted);
/** Offers of vNICs that stay are what is offered now. */
void resources_settle_offloads(const struct control *control, const struct vswitch_model *wanted,
                               const struct control_resources *made);

#endif
