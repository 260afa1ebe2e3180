/* SPDX-License-Identifier: BSD-3-Clause */
#include "vmm/vm_options.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define MEMORY_PRESET_BYTES (UINT64_C(256) << 20)
#define QUEUES_MAX          16u
#define MTU_MIN_BYTES       68u

enum option_id {
    OPTION_NAME = 1, OPTION_KERNEL, OPTION_INITRD, OPTION_CMDLINE, OPTION_CPUS, OPTION_MEMORY,
    OPTION_CPU, OPTION_MINIMAL, OPTION_TRANSPORT, OPTION_VNIC, OPTION_DISK, OPTION_CONSOLE,
    OPTION_CONSOLE_FD, OPTION_RUN_DIR, OPTION_READY_FD, OPTION_JAIL, OPTION_USER, OPTION_HELP,
    OPTION_VERSION,
};

static const struct option table[] = {
    { "name", required_argument, NULL, OPTION_NAME },
    { "kernel", required_argument, NULL, OPTION_KERNEL },
    { "initrd", required_argument, NULL, OPTION_INITRD },
    { "cmdline", required_argument, NULL, OPTION_CMDLINE },
    { "cpus", required_argument, NULL, OPTION_CPUS },
    { "memory", required_argument, NULL, OPTION_MEMORY },
    { "cpu", required_argument, NULL, OPTION_CPU },
    { "minimal", no_argument, NULL, OPTION_MINIMAL },
    { "transport", required_argument, NULL, OPTION_TRANSPORT },
    { "vnic", required_argument, NULL, OPTION_VNIC },
    { "disk", required_argument, NULL, OPTION_DISK },
    { "console", required_argument, NULL, OPTION_CONSOLE },
    { "console-fd", required_argument, NULL, OPTION_CONSOLE_FD },
    { "run-dir", required_argument, NULL, OPTION_RUN_DIR },
    { "ready-fd", required_argument, NULL, OPTION_READY_FD },
    { "jail", required_argument, NULL, OPTION_JAIL },
    { "user", required_argument, NULL, OPTION_USER },
    { "help", no_argument, NULL, OPTION_HELP },
    { "version", no_argument, NULL, OPTION_VERSION },
    { NULL, 0, NULL, 0 },
};

const char *vm_options_help(void)
{
    return "Usage: vswitch-vm --name NAME --kernel FILE [--initrd FILE] [--cmdline TEXT]\n"
           "                  [--cpus N] [--memory SIZE] [--cpu host|v2|v3|v4]\n"
           "                  [--vnic NAME=SOCKET,mac=MAC[,mtu=BYTES][,queues=N]]...\n"
           "                  [--disk FILE[,ro]]... [--console FILE] [--console-fd FD]\n"
           "                  [--transport pci|mmio] [--minimal]\n"
           "                  [--jail DIR] [--user UID:GID] [--run-dir DIR] [--ready-fd FD]\n"
           "\n"
           "Runs one VM, in the foreground, until its guest powers off or it is stopped;\n"
           "`vswitchctl vm run` starts it so that it goes on by itself, and writes the\n"
           "--vnic options from what the switch knows.\n";
}

/* ---- values ---------------------------------------------------------------------------------- */

/* Decimal digits only, up to @p max.  @return whether it is such a number */
static bool read_number(const char *text, uint64_t max, uint64_t *number, const char **end)
{
    char *after;

    errno = 0;
    *number = isdigit((unsigned char)*text) ? strtoull(text, &after, 10) : 0;
    if (!isdigit((unsigned char)*text) || errno != 0 || *number > max) {
        return false;
    }
    *end = after;
    return true;
}

static int read_count(const char *option, const char *text, uint64_t min, uint64_t max,
                      uint64_t *number, struct error *error)
{
    const char *end = "";

    if (!read_number(text, max, number, &end) || *end != '\0' || *number < min) {
        return error_set(error, EINVAL, "%s must be a number from %" PRIu64 " to %" PRIu64
                         ", not \"%.40s\"", option, min, max, text);
    }
    return 0;
}

static int read_memory(const char *text, uint64_t *bytes, struct error *error)
{
    static const char units[] = "KMGT";
    const char *end = "";
    const char *unit;
    uint64_t number;
    unsigned shift = 0;

    if (!read_number(text, RAM_MAX_BYTES, &number, &end)) {
        end = "?";
    }
    unit = *end != '\0' ? strchr(units, toupper((unsigned char)*end)) : NULL;
    if (unit != NULL) {
        shift = 10 * (unsigned)(unit - units + 1);
        end++;
    }
    if (*end != '\0' || number > RAM_MAX_BYTES >> shift || number << shift < RAM_MIN_BYTES) {
        return error_set(error, EINVAL, "--memory must be a size from 16M to 1T, such as 512M, not "
                         "\"%.40s\"", text);
    }
    *bytes = number << shift;
    return 0;
}

static bool is_name(const char *text)
{
    const size_t length = strlen(text);

    return length > 0 && length < MACHINE_NAME_SIZE && isalnum((unsigned char)text[0]) &&
           strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") ==
               length;
}

static int read_name(const char *option, const char *text, struct error *error)
{
    return is_name(text) ? 0 : error_set(error, EINVAL, "%s must be 1 to %u of A-Z a-z 0-9 . _ -, "
                                         "starting with a letter or digit, not \"%.40s\"", option,
                                         MACHINE_NAME_SIZE - 1, text);
}

int vm_options_read_mac(const char *text, uint64_t *mac, struct error *error)
{
    uint64_t value = 0;
    unsigned i;

    for (i = 0; i < 6; i++, text += 3) {
        const char byte[3] = { text[0], text[0] != '\0' ? text[1] : '\0', '\0' };
        const char after = i < 5 ? ':' : '\0';

        if (!isxdigit((unsigned char)byte[0]) || !isxdigit((unsigned char)byte[1]) ||
            text[2] != after) {
            return error_set(error, EINVAL, "a mac must be an address such as 00:15:5d:01:02:03");
        }
        value = value << 8 | strtoul(byte, NULL, 16);
    }
    *mac = value;
    return 0;
}

/* ---- options of several parts ---------------------------------------------------------------- */

static int read_vnic_part(char *part, struct virtio_net_options *nic, struct error *error)
{
    char *value = strchr(part, '=');
    uint64_t number = 0;
    int result;

    if (value != NULL) {
        *value++ = '\0';
        if (strcmp(part, "mac") == 0) {
            return vm_options_read_mac(value, &nic->mac, error);
        }
        if (strcmp(part, "queues") == 0) {
            result = read_count("queues=", value, 1, QUEUES_MAX, &number, error);
            nic->pairs = (uint16_t)number;
            return result;
        }
        if (strcmp(part, "mtu") == 0) {
            result = read_count("mtu=", value, MTU_MIN_BYTES, UINT16_MAX, &number, error);
            nic->mtu_bytes = (uint16_t)number;
            return result;
        }
    }
    return error_set(error, EINVAL, "--vnic has no part \"%.40s\": it takes NAME=SOCKET,mac=MAC,"
                     "mtu=BYTES,queues=N", part);
}

static int read_vnic(char *text, struct machine_config *machine, struct error *error)
{
    struct virtio_net_options *nic = &machine->nic[machine->nic_count];
    char *rest = text;
    const char *name = strsep(&rest, "=");
    int result = read_name("a vNIC's name", name, error);

    if (result != 0) {
        return result;
    }
    if (machine->nic_count == MACHINE_NICS_MAX) {
        return error_set(error, EINVAL, "a VM has at most %u vNICs", MACHINE_NICS_MAX);
    }
    *nic = (struct virtio_net_options){ .name = name, .pairs = 1 };
    nic->socket_path = strsep(&rest, ",");
    while (rest != NULL && result == 0) {
        result = read_vnic_part(strsep(&rest, ","), nic, error);
    }
    if (result == 0 && (nic->socket_path == NULL || *nic->socket_path == '\0' || nic->mac == 0)) {
        return error_set(error, EINVAL, "--vnic %s needs its socket and its mac: "
                         "NAME=SOCKET,mac=MAC", name);
    }
    machine->nic_count++;
    return result;
}

static int read_disk(char *text, struct machine_config *machine, struct error *error)
{
    struct machine_disk *disk = &machine->disk[machine->disk_count];
    char *comma = strrchr(text, ',');

    if (machine->disk_count == MACHINE_DISKS_MAX) {
        return error_set(error, EINVAL, "a VM has at most %u disks: leave some out",
                         MACHINE_DISKS_MAX);
    }
    disk->path = text;
    disk->read_only = comma != NULL && strcmp(comma, ",ro") == 0;
    if (disk->read_only) {
        *comma = '\0';
    }
    machine->disk_count++;
    return 0;
}

static int read_user(const char *text, struct sandbox_config *sandbox, struct error *error)
{
    const char *end = "";
    uint64_t uid, gid;

    if (!read_number(text, INT_MAX, &uid, &end) || *end != ':' ||
        !read_number(end + 1, INT_MAX, &gid, &end) || *end != '\0') {
        return error_set(error, EINVAL, "--user must be two numbers, UID:GID, not \"%.40s\"", text);
    }
    sandbox->uid = (uid_t)uid;
    sandbox->gid = (gid_t)gid;
    return 0;
}

static int read_transport(const char *text, struct machine_config *machine, struct error *error)
{
    machine->mmio = strcmp(text, "mmio") == 0;
    if (!machine->mmio && strcmp(text, "pci") != 0) {
        return error_set(error, EINVAL, "--transport must be pci or mmio, not \"%.40s\"", text);
    }
    return 0;
}

static int read_cpu(const char *text, struct machine_config *machine, struct error *error)
{
    machine->cpu = cpu_model_of(text);
    if (machine->cpu == CPU_MODEL_COUNT) {
        return error_set(error, EINVAL, "--cpu must be host, v2, v3 or v4, not \"%.40s\"", text);
    }
    return 0;
}

/* ---- all of them ----------------------------------------------------------------------------- */

static int take_option(enum option_id id, char *value, struct vm_options *options,
                       struct error *error)
{
    struct machine_config *machine = &options->machine;
    uint64_t number = 0;
    int result = 0;

    switch (id) {
    case OPTION_NAME:
        machine->name = value;
        return read_name("--name", value, error);
    case OPTION_KERNEL:
        machine->kernel = value;
        break;
    case OPTION_INITRD:
        machine->initrd = value;
        break;
    case OPTION_CMDLINE:
        machine->cmdline = value;
        break;
    case OPTION_CPUS:
        result = read_count("--cpus", value, 1, MACHINE_CPUS_MAX, &number, error);
        machine->cpus = (unsigned)number;
        break;
    case OPTION_MEMORY:
        return read_memory(value, &machine->memory_bytes, error);
    case OPTION_CPU:
        return read_cpu(value, machine, error);
    case OPTION_MINIMAL:
        machine->minimal = true;
        break;
    case OPTION_TRANSPORT:
        return read_transport(value, machine, error);
    case OPTION_VNIC:
        return read_vnic(value, machine, error);
    case OPTION_DISK:
        return read_disk(value, machine, error);
    case OPTION_CONSOLE:
        machine->console_file = value;
        break;
    case OPTION_CONSOLE_FD:
        result = read_count("--console-fd", value, 1, INT_MAX, &number, error);
        machine->console_fd = (int)number;
        break;
    case OPTION_RUN_DIR:
        options->run_dir = value;
        break;
    case OPTION_READY_FD:
        result = read_count("--ready-fd", value, 1, INT_MAX, &number, error);
        options->ready_fd = (int)number;
        break;
    case OPTION_JAIL:
        machine->sandbox.jail = value;
        break;
    case OPTION_USER:
        return read_user(value, &machine->sandbox, error);
    case OPTION_HELP:
        options->help = true;
        break;
    case OPTION_VERSION:
        options->version = true;
        break;
    }
    return result;
}

int vm_options_parse(int argc, char **argv, struct vm_options *options, struct error *error)
{
    int id, result = 0;

    *options = (struct vm_options){
        .machine = {
            .cmdline = "console=ttyS0",
            .cpus = 1,
            .memory_bytes = MEMORY_PRESET_BYTES,
            .sandbox = { .uid = (uid_t)-1, .gid = (gid_t)-1 },
        },
        .run_dir = VM_OPTIONS_RUN_DIR,
        .ready_fd = -1,
    };
    opterr = 0;
    while (result == 0 && (id = getopt_long(argc, argv, ":", table, NULL)) != -1) {
        if (id == '?' || id == ':') {
            return error_set(error, EINVAL, "%s %s; vswitch-vm --help shows what there is",
                             argv[optind - 1], id == '?' ? "is no option" : "needs a value");
        }
        result = take_option((enum option_id)id, optarg, options, error);
    }
    if (result != 0 || options->help || options->version) {
        return result;
    }
    if (optind < argc) {
        return error_set(error, EINVAL, "the word \"%.40s\" belongs to no option", argv[optind]);
    }
    if (options->machine.name == NULL || options->machine.kernel == NULL) {
        return error_set(error, EINVAL, "a VM needs a --name and a --kernel; vswitch-vm --help "
                         "shows all options");
    }
    options->machine.mmio = options->machine.mmio || options->machine.minimal;
    return 0;
}
