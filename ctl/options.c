/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctl/options.h"

#include <errno.h>
#include <getopt.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/value.h"

#define MEMORY_MIN_MIB 16u
#define MEMORY_MAX_MIB (1u << 20)

enum option_id { OPTION_RUN_DIR = 1, OPTION_STATE_DIR, OPTION_CORES, OPTION_NO_HUGE, OPTION_MEMORY,
                 OPTION_PCI, OPTION_GROUP, OPTION_LOG_LEVEL, OPTION_VERSION, OPTION_HELP };

static const struct option long_options[] = {
    { "run-dir",   required_argument, NULL, OPTION_RUN_DIR },
    { "state-dir", required_argument, NULL, OPTION_STATE_DIR },
    { "cores",     required_argument, NULL, OPTION_CORES },
    { "no-huge",   no_argument,       NULL, OPTION_NO_HUGE },
    { "memory",    required_argument, NULL, OPTION_MEMORY },
    { "pci",       required_argument, NULL, OPTION_PCI },
    { "group",     required_argument, NULL, OPTION_GROUP },
    { "log-level", required_argument, NULL, OPTION_LOG_LEVEL },
    { "version",   no_argument,       NULL, OPTION_VERSION },
    { "help",      no_argument,       NULL, OPTION_HELP },
    { NULL, 0, NULL, 0 }
};

static const char help[] =
    "Usage: vswitchd [OPTION]...\n"
    "The virtual switch of this host.  Stays in the foreground; vswitchctl(8) drives it.\n"
    "\n"
    "  --run-dir DIR     sockets and lock (default " OPTIONS_DEFAULT_RUN_DIR ")\n"
    "  --state-dir DIR   what was configured (default " OPTIONS_DEFAULT_STATE_DIR ")\n"
    "  --cores LIST      one worker on each, such as 1-3,5 (default: all allowed but the first)\n"
    "  --no-huge         do without hugepages\n"
    "  --memory MiB      memory for DPDK (default: as little as it needs)\n"
    "  --pci ADDR        a PCI device DPDK may take; repeatable (default: none)\n"
    "  --group NAME      group that may use the control socket and the vNICs' sockets\n"
    "  --log-level L     error, warning, info (default) or debug\n"
    "  --version         print the version\n"
    "  --help            print this\n";

static enum options_outcome refuse(const char *option, const char *value, const char *expected)
{
    char quoted[VALUE_QUOTE_SIZE];

    (void)fprintf(stderr, "vswitchd: --%s must be %s, not %s\n", option, expected,
                  value_quote(value, quoted));
    return OPTIONS_WRONG;
}

/* ---- cores ----------------------------------------------------------------------------------- */

/* The cores asked for, each of which this process must be allowed to run on. */
static enum options_outcome take_cores(const char *list, const cpu_set_t *allowed,
                                       struct options *options)
{
    static bool wanted[CPU_SETSIZE];

    if (value_parse_cores(list, wanted, CPU_SETSIZE) != 0) {
        return refuse("cores", list, "a list of cores such as 1-3,5");
    }
    options->core_count = 0;
    for (unsigned core = 0; core < CPU_SETSIZE; core++) {
        if (!wanted[core]) {
            continue;
        }
        if (!CPU_ISSET(core, allowed)) {
            return refuse("cores", list, "cores this process may run on (taskset -p shows them)");
        }
        if (options->core_count == DATAPLANE_MAX_WORKERS) {
            return refuse("cores", list, "64 cores at most");
        }
        options->cores[options->core_count++] = (uint16_t)core;
    }
    return OPTIONS_RUN;
}

/* All cores but the first, which is left to everything else; the only one if there is one. */
static void choose_cores(const cpu_set_t *allowed, struct options *options)
{
    int first = -1;

    for (unsigned core = 0; core < CPU_SETSIZE; core++) {
        if (!CPU_ISSET(core, allowed)) {
            continue;
        }
        if (first < 0) {
            first = (int)core;
        } else if (options->core_count < DATAPLANE_MAX_WORKERS) {
            options->cores[options->core_count++] = (uint16_t)core;
        }
    }
    if (options->core_count == 0) {
        options->cores[options->core_count++] = (uint16_t)(first < 0 ? 0 : first);
    }
}

/* ---- options --------------------------------------------------------------------------------- */

static enum options_outcome take_memory(const char *text, struct options *options)
{
    uint64_t mib;

    if (value_parse_count(text, &mib) != 0 || mib < MEMORY_MIN_MIB || mib > MEMORY_MAX_MIB) {
        return refuse("memory", text, "a number of MiB from 16 to 1048576");
    }
    options->memory_mib = (uint32_t)mib;
    return OPTIONS_RUN;
}

/* As the kernel writes them: "0000:03:00.0", or without the domain. */
static enum options_outcome take_pci(const char *text, struct options *options)
{
    static const char hex[] = "0123456789abcdefABCDEF";
    const size_t len = strlen(text);
    const char *bus = len == 12 && strspn(text, hex) == 4 && text[4] == ':' ? text + 5 : text;

    if (strlen(bus) != 7 || strspn(bus, hex) != 2 || bus[2] != ':' || strspn(bus + 3, hex) != 2 ||
        bus[5] != '.' || bus[6] < '0' || bus[6] > '7') {
        return refuse("pci", text, "a PCI address such as 0000:03:00.0");
    }
    if (options->pci_count == OPTIONS_PCI_MAX) {
        return refuse("pci", text, "given 32 times at most");
    }
    options->pci[options->pci_count++] = text;
    return OPTIONS_RUN;
}

static enum options_outcome take_dir(const char *option, const char *text, const char **dir)
{
    if (text[0] == '\0') {
        return refuse(option, text, "a directory");
    }
    *dir = text;
    return OPTIONS_RUN;
}

static enum options_outcome take_option(int id, const char *text, const cpu_set_t *allowed,
                                        struct options *options)
{
    switch (id) {
    case OPTION_RUN_DIR:
        return take_dir("run-dir", text, &options->run_dir);
    case OPTION_STATE_DIR:
        return take_dir("state-dir", text, &options->state_dir);
    case OPTION_CORES:
        return take_cores(text, allowed, options);
    case OPTION_NO_HUGE:
        options->no_huge = true;
        return OPTIONS_RUN;
    case OPTION_MEMORY:
        return take_memory(text, options);
    case OPTION_PCI:
        return take_pci(text, options);
    case OPTION_GROUP:
        options->group = text;
        return OPTIONS_RUN;
    case OPTION_LOG_LEVEL:
        return log_level_parse(text, &options->log_level) == 0
                   ? OPTIONS_RUN
                   : refuse("log-level", text, "error, warning, info or debug");
    case OPTION_VERSION:
        (void)printf("vswitchd %s\n", VSWITCH_VERSION);
        return OPTIONS_DONE;
    case OPTION_HELP:
        (void)fputs(help, stdout);
        return OPTIONS_DONE;
    default:
        return OPTIONS_WRONG;          /* getopt_long() has said what */
    }
}

enum options_outcome options_parse(int argc, char **argv, struct options *options)
{
    const char *run_dir = getenv("VSWITCH_RUN_DIR");
    enum options_outcome outcome = OPTIONS_RUN;
    cpu_set_t allowed;
    int id;

    *options = (struct options){
        .run_dir = run_dir != NULL && run_dir[0] != '\0' ? run_dir : OPTIONS_DEFAULT_RUN_DIR,
        .state_dir = OPTIONS_DEFAULT_STATE_DIR,
        .log_level = LOG_LEVEL_INFO,
    };
    CPU_ZERO(&allowed);
    if (sched_getaffinity(0, sizeof(allowed), &allowed) != 0) {
        CPU_SET(0, &allowed);
    }
    while (outcome == OPTIONS_RUN && (id = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
        outcome = take_option(id, optarg, &allowed, options);
    }
    if (outcome == OPTIONS_RUN && optind < argc) {
        (void)fprintf(stderr, "vswitchd: it takes options only, not \"%.40s\"; see vswitchd "
                      "--help\n", argv[optind]);
        outcome = OPTIONS_WRONG;
    }
    if (options->core_count == 0) {
        choose_cores(&allowed, options);
    }
    return outcome;
}
