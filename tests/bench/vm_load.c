/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Drives two vhost-user ports of any switch from VMs of the bundled monitor, as fast as they go,
 * and prints one line of JSON like load.c.
 *
 * The VMs run the monitor's own guest, which polls its rings in ring 3: no exit and no interrupt is
 * part of the figure, on no kind of host.  Unlike load.c's ports, its driver does what a driver has
 * to: it returns and gives every buffer, and reads the header of every frame.
 *
 * Two VMs that poll need a core each, beside the switch's.  With one core for the load, one VM has
 * both ports and plays both ends.
 */
#include "tests/support/bench.h"

#include <getopt.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_CORE        1023
#define MIN_SIZE_BYTES  60u
#define MAX_SIZE_BYTES  9014u
#define MAX_SECONDS     3600
#define PATH_SIZE       96u            /* the monitor's socket has to fit */
#define TEXT_SIZE       256u
#define CONSOLE_SIZE    4096u
#define START_MS        20000          /* for a guest to start, and to say that it gives up */
#define QUIET_MS        300
#define POLL_US         5000u
#define SENDER_MAC      "02:00:00:00:00:01"
#define RECEIVER_MAC    "02:00:00:00:00:02"

struct options {
    const char *port[2];
    unsigned ports;
    int core, second_core;             /* -1: any; -1: there is none */
    uint32_t size_bytes;
    double seconds;
    const char *bin;
};

struct vm {
    const char *name;
    pid_t pid;
    char console[PATH_SIZE];
};

struct outcome {
    uint64_t frames, sent, bytes, passed_us, waited_us;
};

static char folder[] = "/tmp/vm-load.XXXXXX";

static const char usage[] =
    "usage: vm_load --port A.sock --port B.sock [--size BYTES] [--seconds S] [--core N]\n"
    "               [--second-core N] [--bin DIR]\n"
    "Sends frames from A to B through the switch that listens on the sockets, from one VM, or\n"
    "with a second core from one VM to another.  vswitch-vm and vswitch-guest are in DIR.\n";

static void __attribute__((noreturn)) usage_exit(const char *why)
{
    fprintf(stderr, "vm_load: %s\n%s", why, usage);
    exit(2);
}

static struct options options_parse(int argc, char **argv)
{
    static const struct option known[] = {
        {"port", 1, NULL, 'p'}, {"size", 1, NULL, 's'},        {"seconds", 1, NULL, 't'},
        {"core", 1, NULL, 'c'}, {"second-core", 1, NULL, '2'}, {"bin", 1, NULL, 'b'},
        {NULL, 0, NULL, 0},
    };
    struct options o = {.core = -1, .second_core = -1, .size_bytes = 64, .seconds = 1,
                        .bin = "build"};
    int letter;

    while ((letter = getopt_long(argc, argv, "", known, NULL)) != -1) {
        switch (letter) {
        case 'p':
            if (o.ports == 2) {
                usage_exit("a third --port is one too many");
            }
            o.port[o.ports++] = optarg;
            break;
        case 's':
            o.size_bytes = (uint32_t)bench_number(optarg, MIN_SIZE_BYTES, MAX_SIZE_BYTES);
            break;
        case 't': o.seconds = bench_number(optarg, 0.01, MAX_SECONDS); break;
        case 'c': o.core = (int)bench_number(optarg, 0, MAX_CORE); break;
        case '2': o.second_core = (int)bench_number(optarg, 0, MAX_CORE); break;
        case 'b': o.bin = optarg; break;
        default: usage_exit("an option is not known");
        }
    }
    if (o.ports != 2 || optind != argc) {
        usage_exit("two sockets are needed");
    }
    return o;
}

/* ---- a VM ------------------------------------------------------------------------------------ */

/* Starts one that does what @p cmdline says; @p vnic ends with NULL. */
static void vm_start(struct vm *vm, const struct options *o, int core, char *const vnic[],
                     char *cmdline)
{
    char monitor[TEXT_SIZE], kernel[TEXT_SIZE];
    char *words[24] = {
        monitor, "--name", (char *)vm->name, "--run-dir", folder, "--memory", "32M", "--kernel",
        kernel, "--console", vm->console, "--cmdline", cmdline,
    };
    unsigned count = 13;

    (void)snprintf(monitor, sizeof(monitor), "%s/vswitch-vm", o->bin);
    (void)snprintf(kernel, sizeof(kernel), "%s/vswitch-guest", o->bin);
    (void)snprintf(vm->console, sizeof(vm->console), "%s/%s", folder, vm->name);
    for (; *vnic != NULL; vnic++) {
        words[count++] = "--vnic";
        words[count++] = *vnic;
    }
    vm->pid = fork();
    if (vm->pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (core >= 0) {
            bench_pin((unsigned)core);
        }
        execv(monitor, words);
        fprintf(stderr, "vm_load: %s: %m\n", monitor);
        _exit(127);
    }
}

static bool vm_has_ended(struct vm *vm)
{
    if (vm->pid > 0 && waitpid(vm->pid, NULL, WNOHANG) != 0) {
        vm->pid = 0;
    }
    return vm->pid <= 0;
}

static void vm_end(struct vm *vm)
{
    if (vm->pid > 0) {
        (void)kill(vm->pid, SIGTERM);
        (void)waitpid(vm->pid, NULL, 0);
        vm->pid = 0;
    }
}

/* What follows @p word on its console.  @return whether the guest has said that */
static bool vm_has_said(const struct vm *vm, const char *word, char text[CONSOLE_SIZE])
{
    FILE *file = fopen(vm->console, "re");
    const char *at;
    size_t length;

    if (file == NULL) {
        return false;
    }
    length = fread(text, 1, CONSOLE_SIZE - 1, file);
    (void)fclose(file);
    text[length] = '\0';
    at = strstr(text, word);
    if (at == NULL || strchr(at, '\n') == NULL) {
        return false;
    }
    memmove(text, at + strlen(word), strlen(at + strlen(word)) + 1);
    return true;
}

/* Waits for it.  @return false, with a sentence, when the VM ends before, or it takes too long */
static bool vm_await(struct vm *vm, const char *word, double seconds, char text[CONSOLE_SIZE])
{
    const uint64_t until_ns = bench_now_ns() + (uint64_t)(seconds * 1e9) + START_MS * 1000000ull;

    while (bench_now_ns() < until_ns) {
        const bool has_ended = vm_has_ended(vm);

        if (vm_has_said(vm, word, text)) {
            return true;
        }
        if (has_ended) {
            break;
        }
        usleep(POLL_US);
    }
    fprintf(stderr, "vm_load: VM %s did not come to say \"%s\"\n", vm->name, word);
    return false;
}

/* How long its virtual processor was ready to run and had no core, so far. */
static uint64_t vm_waited_us(const struct vm *vm)
{
    char command[TEXT_SIZE];
    unsigned long waited_ns = 0;
    FILE *pipe;

    (void)snprintf(command, sizeof(command),
                   "grep -l vcpu /proc/%d/task/*/comm | sed s/comm/schedstat/ | xargs cut -d ' ' "
                   "-f 2", (int)vm->pid);
    pipe = popen(command, "re");
    if (pipe == NULL || fscanf(pipe, "%lu", &waited_ns) != 1) {
        waited_ns = 0;
    }
    if (pipe != NULL) {
        (void)pclose(pipe);
    }
    return waited_ns / 1000;
}

/* ---- the load -------------------------------------------------------------------------------- */

static void vnic_word(char word[TEXT_SIZE], const char *name, const char *socket, const char *mac)
{
    (void)snprintf(word, TEXT_SIZE, "%s=%s,mac=%s", name, socket, mac);
}

/* One VM, both ends. */
static bool run_one(const struct options *o, char *sender, char *receiver, struct outcome *outcome)
{
    struct vm vm = { .name = "both" };
    char *const vnics[] = { sender, receiver, NULL };
    char cmdline[TEXT_SIZE], text[CONSOLE_SIZE];
    bool good;

    (void)snprintf(cmdline, sizeof(cmdline), "idle=poll loop=0,1,%u,%u poweroff", o->size_bytes,
                   (unsigned)(o->seconds * 1000));
    vm_start(&vm, o, o->core, vnics, cmdline);
    good = vm_await(&vm, "looped ", o->seconds, text) &&
           sscanf(text, "%lu of %lu bytes %lu in %lu us away %lu", &outcome->frames,
                  &outcome->sent, &outcome->bytes, &outcome->passed_us,
                  &outcome->waited_us) == 5;
    vm_end(&vm);
    return good;
}

/* One VM to another.  The sender is ended after a while, and the receiver says what came. */
static bool run_two(const struct options *o, char *sender, char *receiver, struct outcome *outcome)
{
    struct vm from = { .name = "sender" }, to = { .name = "receiver" };
    char *const from_vnics[] = { sender, NULL }, *const to_vnics[] = { receiver, NULL };
    char cmdline[TEXT_SIZE], text[CONSOLE_SIZE];
    uint64_t missing = 0, late = 0;
    bool good;

    (void)snprintf(cmdline, sizeof(cmdline), "idle=poll count=%lu,%u", UINT64_MAX, START_MS);
    vm_start(&to, o, o->second_core, to_vnics, cmdline);
    good = vm_await(&to, "link up", 0, text);
    (void)snprintf(cmdline, sizeof(cmdline), "idle=poll send=" RECEIVER_MAC ",%lu,%u,0",
                   UINT64_MAX, o->size_bytes);
    if (good) {
        vm_start(&from, o, o->core, from_vnics, cmdline);
        good = vm_await(&from, "link up", 0, text);
        usleep((useconds_t)(o->seconds * 1e6));
        outcome->waited_us = vm_waited_us(&from) + vm_waited_us(&to);
        vm_end(&from);
    }
    good = good && vm_await(&to, "received ", QUIET_MS, text) &&
           sscanf(text, "%lu bytes %lu missing %lu late %lu in %lu us", &outcome->frames,
                  &outcome->bytes, &missing, &late, &outcome->passed_us) == 5;
    outcome->sent = outcome->frames + missing;
    vm_end(&to);
    return good;
}

static void report(const struct options *o, const struct outcome *outcome)
{
    const double passed_s = (double)outcome->passed_us / 1e6;
    const double rate = (double)outcome->frames / passed_s;

    printf("{\"vms\": %d, \"size_bytes\": %u, \"seconds\": %.3f, \"frames_per_s\": %.0f, "
           "\"gbit_per_s\": %.3f, \"sent_frames\": %lu, \"received_frames\": %lu, "
           "\"waited_percent\": %.2f}\n",
           o->second_core < 0 ? 1 : 2, o->size_bytes, passed_s, rate,
           rate * o->size_bytes * 8 / 1e9, outcome->sent, outcome->frames,
           100 * (double)outcome->waited_us / 1e6 / passed_s);
}

static void remove_folder(void)
{
    static const char *const names[] = { "both", "sender", "receiver", "vm", "" };
    char path[PATH_SIZE];

    for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        (void)snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
        (void)remove(path);
    }
}

int main(int argc, char **argv)
{
    const struct options o = options_parse(argc, argv);
    char sender[TEXT_SIZE], receiver[TEXT_SIZE];
    struct outcome outcome = { .frames = 0 };
    bool good;

    if (mkdtemp(folder) == NULL) {
        fprintf(stderr, "vm_load: no folder can be made in /tmp: %m\n");
        return 1;
    }
    vnic_word(sender, "a", o.port[0], SENDER_MAC);
    vnic_word(receiver, "b", o.port[1], RECEIVER_MAC);
    good = o.second_core < 0 ? run_one(&o, sender, receiver, &outcome)
                             : run_two(&o, sender, receiver, &outcome);
    remove_folder();
    if (!good || outcome.frames == 0) {
        fprintf(stderr, "vm_load: no frame came through from %s to %s\n", o.port[0], o.port[1]);
        return 1;
    }
    report(&o, &outcome);
    return 0;
}
