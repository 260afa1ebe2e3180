/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A VM's control socket, RUN/vm/NAME.sock: it is asked in the daemon's words, by the same client.
 *
 * Who has the socket has the name: a second VM of that name is refused by it, before it has taken a
 * vNIC or a disk from the first.  It is removed with the VM; one that a killed VM left is replaced
 * by the next of its name.
 *
 * Thread: main, all of it.
 */
#ifndef VMM_VM_CONTROL_H
#define VMM_VM_CONTROL_H

#include "switch/error.h"
#include "vmm/machine.h"

struct vm_control;

/**
 * Takes the name @p config->name in @p run_dir.
 * @param config  borrowed
 * @param stop    called when an operator wants the VM to end at once
 * @return owned; NULL with a sentence
 */
struct vm_control *vm_control_create(struct event_base *base, const char *run_dir,
                                     const struct machine_config *config,
                                     void (*stop)(void *context), void *context,
                                     struct error *error);
/** Before the event loop runs.  @param machine  borrowed until vm_control_destroy() */
void vm_control_serve(struct vm_control *control, struct machine *machine);
void vm_control_destroy(struct vm_control *control);

#endif
