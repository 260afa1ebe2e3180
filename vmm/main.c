/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vswitch-vm: one VM, from the command line to its end.
 *
 * The order is that of what can be refused cheaply: words, then the name (a second VM of that name
 * must not take the first one's vNICs), then KVM and all that the machine needs; last the process
 * is closed in, and the guest runs.  Whoever waits on --ready-fd is told either that, or why not.
 *
 * What there is to say later goes to standard error, and to the system's log as well, because a VM
 * that was started to go on by itself has no other place for its last words.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

#include <event2/event.h>
#include <jansson.h>

#include "vmm/machine.h"
#include "vmm/vm_control.h"
#include "vmm/vm_options.h"

#define PATH_SIZE     sizeof(((struct sockaddr_un *)NULL)->sun_path)
#define LOG_NAME_SIZE (sizeof("vswitch-vm/") + MACHINE_NAME_SIZE)

struct program {
    struct vm_options options;
    struct event_base *base;
    struct event *terminated, *interrupted;
    struct vm_control *control;
    struct machine *machine;
    char log_name[LOG_NAME_SIZE];      /* openlog() keeps the pointer */
    char kept[SANDBOX_KEEP_MAX][PATH_SIZE];
};

static void say(const char *sentence)
{
    (void)fprintf(stderr, "vswitch-vm: %s\n", sentence);
    syslog(LOG_ERR, "%s", sentence);
}

/* Says it where somebody waits for it, once; in one write, as it must be once closed in. */
static void answer(struct program *program, const char *line)
{
    char text[ERROR_TEXT_SIZE + 1];
    const int length = snprintf(text, sizeof(text), "%s\n", line);

    if (program->options.ready_fd >= 0) {
        if (write(program->options.ready_fd, text, (size_t)length) != length) {
            syslog(LOG_WARNING, "whoever started the VM does not wait for it any more");
        }
        (void)close(program->options.ready_fd);
        program->options.ready_fd = -1;
    }
}

static void end_loop(void *context)
{
    struct program *program = context;

    (void)event_base_loopbreak(program->base);
}

static void on_signal(evutil_socket_t number, short what, void *context)
{
    (void)number;
    (void)what;
    end_loop(context);
}

static int catch_signals(struct program *program)
{
    program->terminated = evsignal_new(program->base, SIGTERM, on_signal, program);
    program->interrupted = evsignal_new(program->base, SIGINT, on_signal, program);
    if (program->terminated == NULL || program->interrupted == NULL ||
        event_add(program->terminated, NULL) != 0 || event_add(program->interrupted, NULL) != 0) {
        return -ENOMEM;
    }
    return 0;
}

/* ---- what a jail does not take away ---------------------------------------------------------- */

/* Keeps the directory that has the first @p length characters of @p path. */
static int keep(struct program *program, const char *path, int length, struct error *error)
{
    struct sandbox_config *sandbox = &program->options.machine.sandbox;
    char *kept = program->kept[sandbox->keep_count];

    if (path[0] != '/' || length <= 0 || length >= (int)PATH_SIZE) {
        return error_set(error, EINVAL, "with --jail the paths of sockets, and --run-dir, must "
                         "begin with / and lie in a directory, unlike %s", path);
    }
    (void)snprintf(kept, PATH_SIZE, "%.*s", length, path);
    for (unsigned i = 0; i < sandbox->keep_count; i++) {
        if (strcmp(sandbox->keep[i], kept) == 0) {
            return 0;
        }
    }
    if (sandbox->keep_count + 1 < SANDBOX_KEEP_MAX) {
        sandbox->keep[sandbox->keep_count++] = kept;
    }
    return 0;
}

/* The VM's own socket, the switch's for vNICs that are added later, and those of each vNIC. */
static int keep_sockets(struct program *program, struct error *error)
{
    const struct vm_options *options = &program->options;
    char path[PATH_SIZE];
    int length = snprintf(path, sizeof(path), "%s/vm", options->run_dir);
    int result = keep(program, path, length, error);

    length = snprintf(path, sizeof(path), "%s/vnic", options->run_dir);
    if (result == 0 && access(path, X_OK) == 0) {
        result = keep(program, path, length, error);
    }
    for (unsigned i = 0; i < options->machine.nic_count && result == 0; i++) {
        const char *socket = options->machine.nic[i].socket_path;
        const char *slash = strrchr(socket, '/');

        result = keep(program, socket, slash != NULL ? (int)(slash - socket) : 0, error);
    }
    return result;
}

/* ---- from the command line to the end -------------------------------------------------------- */

/* All that can fail.  @return 0; -errno with a sentence */
static int start(struct program *program, struct error *error)
{
    const struct vm_options *options = &program->options;

    (void)snprintf(program->log_name, sizeof(program->log_name), "vswitch-vm/%s",
                   options->machine.name);
    openlog(program->log_name, LOG_PID | LOG_NDELAY, LOG_DAEMON);
    json_object_seed(0);               /* now: it opens a file */
    program->base = event_base_new();
    if (program->base == NULL || catch_signals(program) != 0) {
        return error_set(error, ENOMEM, "no memory for the VM's events: give the host more");
    }
    program->control = vm_control_create(program->base, options->run_dir, &options->machine,
                                         end_loop, program, error);
    if (program->control == NULL ||
        (options->machine.sandbox.jail != NULL && keep_sockets(program, error) != 0)) {
        return -error->code;
    }
    program->machine = machine_create(program->base, &options->machine, end_loop, program, error);
    if (program->machine == NULL) {
        return -error->code;
    }
    vm_control_serve(program->control, program->machine);
    return machine_start(program->machine, error);
}

/* @return whether the guest ended as it should */
static bool run(struct program *program)
{
    struct machine_status status;

    (void)event_base_dispatch(program->base);
    machine_status(program->machine, &status);
    if (status.why_ended[0] == '\0') {
        return true;
    }
    say(status.why_ended);
    return false;
}

/* The socket goes last: while it is there, the name and what the VM had are taken. */
static void finish(struct program *program)
{
    machine_destroy(program->machine);
    vm_control_destroy(program->control);
    if (program->terminated != NULL) {
        event_free(program->terminated);
    }
    if (program->interrupted != NULL) {
        event_free(program->interrupted);
    }
    if (program->base != NULL) {
        event_base_free(program->base);
    }
}

int main(int argc, char **argv)
{
    struct program program = { .options.ready_fd = -1 };
    struct error error = { 0 };
    bool good = false;

    if (vm_options_parse(argc, argv, &program.options, &error) != 0) {
        answer(&program, error.text);
        say(error.text);
        return EXIT_FAILURE;
    }
    if (program.options.help || program.options.version) {
        (void)fputs(program.options.help ? vm_options_help() : "vswitch-vm " VSWITCH_VERSION "\n",
                    stdout);
        return EXIT_SUCCESS;
    }
    if (start(&program, &error) == 0) {
        answer(&program, "running");
        good = run(&program);
    }
    finish(&program);
    if (error.text[0] != '\0') {           /* once nothing of it is left */
        answer(&program, error.text);
        say(error.text);
    }
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
