/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which numbers of interfaces are meant: those of one boot and one network namespace.
 *
 * A file that speaks of interfaces by their numbers carries this, and is void for any other.
 *
 * Thread: any.
 */
#ifndef CTL_HOST_ID_H
#define CTL_HOST_ID_H

#define HOST_ID_SIZE 64u           /* a boot's id, a namespace's number */

/** @return 0, or -EIO when /proc cannot be read */
int host_id_read(char id[HOST_ID_SIZE]);

#endif
