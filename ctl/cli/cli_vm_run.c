/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * `vm run`: starts vswitch-vm as a process of nobody's, with what was typed as its options.
 *
 * It is started as itself, not by the daemon: it runs as who runs this, and outlives both.  It says
 * on a pipe whether the guest runs, or why not; a pipe that ends without a word is one that died.
 * With --console - it has a socket to this process from the start, so that nothing is missed of a
 * guest that ends at once.
 */
#include "ctl/cli/cli_vm.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/sysinfo.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ctl/client.h"

#define MONITOR          "vswitch-vm"
#define GUEST            "vswitch-guest"
#define READY_FD         3
#define READY_FD_TEXT    "3"
#define CONSOLE_FD       4
#define CONSOLE_FD_TEXT  "4"
#define CONSOLE_HERE     "-"       /* this terminal, instead of a file */
#define READY_TEXT       "running"
#define ANSWER_SIZE      1024u

/* Where the monitor and the guest that comes with it lie, seen from this program. */
static const char *const places[] = { "", "../share/vswitch/" };

/* ---- what is started ------------------------------------------------------------------------- */

/* Finds @p file in one of the places.  @return whether it is there */
static bool find(const char *file, char path[PATH_MAX])
{
    char self[PATH_MAX];
    const ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);
    char *slash;

    if (length <= 0) {
        return false;
    }
    self[length] = '\0';
    slash = strrchr(self, '/');
    if (slash == NULL) {
        return false;
    }
    slash[1] = '\0';
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        const int n = snprintf(path, PATH_MAX, "%s%s%s", self, places[i], file);

        if (n > 0 && n < PATH_MAX && access(path, R_OK) == 0) {
            return true;
        }
    }
    return false;
}

/* The words of the monitor's command line: owned texts, NULL at the end. */
struct words {
    char **word;
    size_t count, size;
    bool failed;
};

static void words_add(struct words *words, const char *text)
{
    if (words->count + 2 > words->size) {
        const size_t size = words->size * 2 + 32;
        char **larger = realloc(words->word, size * sizeof(*larger));

        if (larger == NULL) {
            words->failed = true;
            return;
        }
        words->word = larger;
        words->size = size;
    }
    words->word[words->count] = strdup(text);
    words->failed = words->failed || words->word[words->count] == NULL;
    words->word[++words->count] = NULL;
}

static void words_clear(struct words *words)
{
    for (size_t i = 0; i < words->count; i++) {
        free(words->word[i]);
    }
    free(words->word);
}

/* "--key value" for each value that was typed. */
static void words_add_key(struct words *words, const struct method_key *key, const json_t *value)
{
    char option[CLI_OPTION_SIZE];
    char number[24];

    if (json_is_array(value)) {
        for (size_t i = 0; i < json_array_size(value); i++) {
            words_add_key(words, key, json_array_get(value, i));
        }
        return;
    }
    if (value == NULL || json_is_false(value)) {
        return;
    }
    words_add(words, cli_option(key, option));
    if (json_is_string(value)) {
        words_add(words, json_string_value(value));
    } else if (json_is_integer(value)) {
        (void)snprintf(number, sizeof(number), "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        words_add(words, number);
    }
}

/* "--vnic NAME=SOCKET,mac=...": what the daemon has under that name. */
static enum cli_status words_add_vnic(struct words *words, const struct cli_command *command,
                                      const char *name, struct error *error)
{
    json_t *vnic = NULL;
    char text[512];
    enum cli_status status = cli_vm_ask_vnic(command, name, &vnic, error);

    if (status == CLI_DONE) {
        const char *socket = json_string_value(json_object_get(vnic, "socket"));
        const char *mac = json_string_value(json_object_get(vnic, "mac"));

        (void)snprintf(text, sizeof(text), "%s=%s,mac=%s,mtu=%" JSON_INTEGER_FORMAT
                       ",queues=%" JSON_INTEGER_FORMAT, name, socket != NULL ? socket : "",
                       mac != NULL ? mac : "", json_integer_value(json_object_get(vnic, "mtu")),
                       json_integer_value(json_object_get(vnic, "queues")));
        words_add(words, "--vnic");
        words_add(words, text);
    }
    json_decref(vnic);
    return status;
}

static bool is_console_here(const struct cli_command *command)
{
    const char *console = json_string_value(json_object_get(command->own, "console"));

    return console != NULL && strcmp(console, CONSOLE_HERE) == 0;
}

static enum cli_status words_fill(struct words *words, const struct cli_command *command,
                                  struct error *error)
{
    const json_t *vnics = json_object_get(command->own, "vnic");
    char path[PATH_MAX];
    enum cli_status status = CLI_DONE;

    if (!find(MONITOR, path)) {
        (void)error_set(error, ENOENT, "The monitor, " MONITOR ", is not beside this program; "
                        "`make install` installs both.");
        return CLI_REFUSED;
    }
    words_add(words, path);
    words_add(words, "--run-dir");
    words_add(words, command->run_dir);
    words_add(words, "--ready-fd");
    words_add(words, READY_FD_TEXT);
    if (is_console_here(command)) {
        words_add(words, "--console-fd");
        words_add(words, CONSOLE_FD_TEXT);
    }
    for (size_t i = 0; i < method_key_count(command->spec); i++) {
        const struct method_key *key = &command->spec->keys[i];

        if (strcmp(key->name, "vnic") != 0 &&
            (strcmp(key->name, "console") != 0 || !is_console_here(command))) {
            words_add_key(words, key, json_object_get(command->own, key->name));
        }
    }
    if (json_object_get(command->own, "kernel") == NULL) {
        if (!find(GUEST, path)) {
            (void)error_set(error, ENOENT, "The guest that comes with the switch, " GUEST ", is "
                            "not installed; name another with --kernel FILE.");
            return CLI_REFUSED;
        }
        words_add(words, "--kernel");
        words_add(words, path);
    }
    for (size_t i = 0; i < json_array_size(vnics) && status == CLI_DONE; i++) {
        status = words_add_vnic(words, command, json_string_value(json_array_get(vnics, i)), error);
    }
    if (status == CLI_DONE && words->failed) {
        (void)error_set(error, ENOMEM, "No memory left.");
        status = CLI_REFUSED;
    }
    return status;
}

/* Memory costs what the guest has touched, so this is no refusal. */
static void warn_of_memory(const struct cli_command *command)
{
    const uint64_t asked = (uint64_t)json_integer_value(json_object_get(command->own, "memory"));
    struct sysinfo host;
    uint64_t there;

    if (sysinfo(&host) != 0) {
        return;
    }
    there = ((uint64_t)host.totalram + host.totalswap) * host.mem_unit;
    if (asked > there) {
        (void)fprintf(stderr, "vswitchctl: The VM is to have %" PRIu64 " MiB of memory, and this "
                      "host has %" PRIu64 " MiB: if its guest uses more than is there, the host "
                      "ends it; --memory gives it less.\n", asked >> 20, there >> 20);
    }
}

/* ---- starting it ----------------------------------------------------------------------------- */

/* What joins this process and the monitor: [0] is this one's end.  -1: not there. */
struct joints {
    int ready[2];
    int console[2];
};

static void joint_close(int *end)
{
    if (*end >= 0) {
        (void)close(*end);
        *end = -1;
    }
}

static int joints_open(struct joints *joints, bool with_console, struct error *error)
{
    *joints = (struct joints){ .ready = { -1, -1 }, .console = { -1, -1 } };
    if (pipe2(joints->ready, O_CLOEXEC) != 0 ||
        (with_console &&
         socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, joints->console) != 0)) {
        return error_set(error, errno, "No pipe for the VM: %s.", strerror(errno));
    }
    return 0;
}

/* In the child: a session and descriptors of its own, nothing of this terminal.  Never returns. */
static void become_monitor(char *const *words, const struct joints *joints)
{
    const bool with_console = joints->console[1] >= 0;
    const int nowhere = open("/dev/null", O_RDWR);
    /* First out of the way of the numbers that they will have. */
    const int ready = fcntl(joints->ready[1], F_DUPFD_CLOEXEC, CONSOLE_FD + 1);
    const int console = fcntl(joints->console[1], F_DUPFD_CLOEXEC, CONSOLE_FD + 1);

    (void)setsid();
    if (nowhere >= 0 && dup2(nowhere, STDIN_FILENO) >= 0 && dup2(nowhere, STDOUT_FILENO) >= 0 &&
        dup2(nowhere, STDERR_FILENO) >= 0 && dup2(ready, READY_FD) >= 0 &&
        (!with_console || dup2(console, CONSOLE_FD) >= 0)) {
        (void)close_range(with_console ? CONSOLE_FD + 1 : READY_FD + 1, ~0u, 0);
        (void)execv(words[0], words);
    }
    (void)dprintf(READY_FD, "%s cannot be started: %s\n", words[0], strerror(errno));
    _exit(EXIT_FAILURE);
}

/* Reads the one line that the monitor says.  @return 0, or -ETIMEDOUT; an empty one: it died */
static int read_answer(int fd, uint32_t timeout_ms, char answer[ANSWER_SIZE])
{
    struct pollfd readable = { .fd = fd, .events = POLLIN };
    size_t used = 0;
    ssize_t n;

    do {
        if (poll(&readable, 1, (int)timeout_ms) == 0) {
            return -ETIMEDOUT;
        }
        n = read(fd, answer + used, ANSWER_SIZE - 1 - used);
        used += n > 0 ? (size_t)n : 0;
    } while (n > 0 && used < ANSWER_SIZE - 1);
    answer[used] = '\0';
    answer[strcspn(answer, "\n")] = '\0';
    return 0;
}

/* Ends a monitor that was of no use, and takes its remains. */
static void reap(pid_t pid)
{
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, NULL, 0);
}

static enum cli_status await_guest(const struct cli_command *command, pid_t pid, int ready,
                                   struct error *error)
{
    char answer[ANSWER_SIZE];

    if (read_answer(ready, command->timeout_ms, answer) != 0) {
        (void)error_set(error, ETIMEDOUT, "The VM did not start in %g s; give it longer with "
                        "--timeout.", command->timeout_ms / 1000.0);
    } else if (strcmp(answer, READY_TEXT) == 0) {
        return CLI_DONE;
    } else if (answer[0] != '\0') {
        (void)error_set(error, ECHILD, "%s", answer);
    } else {
        (void)error_set(error, ECHILD, "The VM's process ended before the guest ran, and did not "
                        "say why.");
    }
    reap(pid);
    return CLI_REFUSED;
}

static enum cli_status start(const struct cli_command *command, char *const *words,
                             struct joints *joints, pid_t *pid, struct error *error)
{
    *pid = fork();
    if (*pid == 0) {
        become_monitor(words, joints);
    }
    joint_close(&joints->ready[1]);
    joint_close(&joints->console[1]);
    if (*pid < 0) {
        (void)error_set(error, errno, "No process for the VM: %s.", strerror(errno));
        return CLI_REFUSED;
    }
    return await_guest(command, *pid, joints->ready[0], error);
}

/* Starts it, and stays at its console if that is wanted here. */
static enum cli_status start_and_stay(const struct cli_command *command, char *const *words,
                                      json_t **result, struct error *error)
{
    const char *name = json_string_value(json_object_get(command->own, "name"));
    struct joints joints;
    enum cli_status status = CLI_REFUSED;
    pid_t pid;

    if (joints_open(&joints, is_console_here(command), error) == 0) {
        status = start(command, words, &joints, &pid, error);
    }
    if (status == CLI_DONE && joints.console[0] >= 0) {
        status = cli_vm_stay(command, name, joints.console[0], error);
        joints.console[0] = -1;
    }
    if (status == CLI_DONE) {
        *result = json_pack("{s:s, s:I}", "name", name, "pid", (json_int_t)pid);
    }
    for (unsigned i = 0; i < 2; i++) {
        joint_close(&joints.ready[i]);
        joint_close(&joints.console[i]);
    }
    return status;
}

enum cli_status cli_vm_run(const struct cli_command *command, json_t **result,
                           struct error *error)
{
    struct words words = { 0 };
    enum cli_status status;

    if (command->json && is_console_here(command)) {
        (void)error_set(error, EINVAL, "--json and --console - both want standard output: leave "
                        "one of them out.");
        return CLI_USAGE;
    }
    status = words_fill(&words, command, error);
    if (status == CLI_DONE) {
        warn_of_memory(command);
        status = start_and_stay(command, words.word, result, error);
    }
    words_clear(&words);
    return status;
}
