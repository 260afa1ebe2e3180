/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Files of the state directory, replaced so that a power cut leaves the old one or the new one.
 *
 * Thread: control.  Blocks for the disk.
 */
#ifndef CTL_STATE_FILE_H
#define CTL_STATE_FILE_H

/**
 * Writes @p text to a new file, syncs it, renames it over DIR/NAME and syncs the directory.
 *
 * @return 0, or a negative errno: DIR/NAME then is as it was, except when it was the directory that
 *         could not be synced; then it may be either
 */
int state_file_write(const char *dir, const char *name, const char *text);

#endif
