/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * `vm ...`: VMs of the bundled monitor, each a process with a control socket of its own.
 *
 * The daemon knows nothing of VMs, so that neither needs the other to live; where a vNIC is named,
 * the daemon is asked for its socket and address.  The VMs there are: the sockets that lie in
 * RUN/vm and answer.
 */
#ifndef CTL_CLI_CLI_VM_H
#define CTL_CLI_CLI_VM_H

#include <stdbool.h>

#include "ctl/cli/cli_words.h"

/**
 * Runs a command of the noun vm, but for `vm run` and `vm console`.
 *
 * @param result  returned owned, with CLI_DONE only
 */
enum cli_status cli_vm(const struct cli_command *command, json_t **result, struct error *error);

/** Starts a VM, and waits until its guest runs.  As cli_vm(). */
enum cli_status cli_vm_run(const struct cli_command *command, json_t **result,
                           struct error *error);

/** Is at a VM's console until the operator leaves it, or the VM ends. */
enum cli_status cli_vm_console(const struct cli_command *command, struct error *error);

/**
 * The same, at the console of a VM that this command has started.
 * @param socket  taken; the monitor has its other end
 */
enum cli_status cli_vm_stay(const struct cli_command *command, const char *name, int socket,
                            struct error *error);

/** Whether the VM @p name answers. */
bool cli_vm_answers(const struct cli_command *command, const char *name);

/** What `vm list` prints: an array, owned, by name.  VMs that do not answer are not in it. */
json_t *cli_vm_list(const char *run_dir, uint32_t timeout_ms);

/**
 * What the daemon says of the vNIC @p name, which no VM has yet: one that has is a refusal.
 * @param vnic  returned owned, with CLI_DONE only: as `vnic show` has it
 */
enum cli_status cli_vm_ask_vnic(const struct cli_command *command, const char *name, json_t **vnic,
                                struct error *error);

#endif
