/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The vCPUs end themselves (power off, reset, crash) on their own threads; what to do about it is
 * decided on the main one.  Of several that end at once the first one counts: the others end what
 * is ending already.
 */
#include "vmm/machine.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <event2/event.h>

#include "vmm/acpi.h"
#include "vmm/boot.h"
#include "vmm/console.h"
#include "vmm/devices.h"
#include "vmm/kvm.h"
#include "vmm/power.h"
#include "vmm/serial.h"
#include "vmm/virtio_mmio.h"

#define CMDLINE_SIZE 4096u

struct machine {
    const struct machine_config *config;
    struct event_base *base;
    void (*ended)(void *context);
    void *context;

    struct kvm kvm;
    struct ram ram;
    struct cpuid_table cpuid;
    struct bus *bus;
    struct irq *irq;
    struct console *console;
    struct serial *serial;
    struct power *power;
    struct devices *devices;
    struct vcpu *vcpu[MACHINE_CPUS_MAX];
    /* ---- kept for resets ---- */
    struct boot_file kernel, initrd;
    struct serial_state serial_on;
    struct power_state power_on;

    enum machine_state state;
    char why_ended[ERROR_TEXT_SIZE];
    uint32_t resets;

    /* ---- what a vCPU tells the main thread ---- */
    int told_fd;                   /* eventfd; -1: not there */
    struct event *told_event;
    pthread_mutex_t lock;          /* of the three below */
    bool told;
    enum vcpu_end end;
    char why[ERROR_TEXT_SIZE];
};

/* ---- from the vCPUs -------------------------------------------------------------------------- */

/* On a vCPU's thread. */
static void on_vcpu_ended(void *context, enum vcpu_end end, const char *why)
{
    struct machine *machine = context;

    pthread_mutex_lock(&machine->lock);
    if (!machine->told) {
        machine->told = true;
        machine->end = end;
        (void)snprintf(machine->why, sizeof(machine->why), "%s", why);
    }
    pthread_mutex_unlock(&machine->lock);
    (void)eventfd_write(machine->told_fd, 1);
}

/* ---- making ---------------------------------------------------------------------------------- */

static int make_processors(struct machine *machine, struct error *error)
{
    struct cpuid_table *supported = calloc(1, sizeof(*supported));
    struct vcpu_config config = {
        .vm_fd = machine->kvm.vm_fd,
        .run_bytes = machine->kvm.run_bytes,
        .bus = machine->bus,
        .ram = &machine->ram,
        .cpuid = &machine->cpuid,
        .ended = on_vcpu_ended,
        .context = machine,
    };
    int result;

    if (supported == NULL) {
        return error_set(error, ENOMEM, "no memory for the VM's processors: give the host more");
    }
    result = cpuid_ask(machine->kvm.kvm_fd, supported, error);
    if (result == 0) {
        result = cpuid_make(supported, machine->config->cpu, machine->config->cpus,
                            &machine->cpuid, error);
    }
    free(supported);
    for (unsigned i = 0; i < machine->config->cpus && result == 0; i++) {
        config.index = i;
        machine->vcpu[i] = vcpu_create(&config, error);
        result = machine->vcpu[i] != NULL ? 0 : -error->code;
    }
    return result;
}

/* The devices that are no virtio devices. */
static int make_legacy(struct machine *machine, struct error *error)
{
    machine->serial = serial_create(machine->bus, machine->irq, machine->console, error);
    if (machine->serial == NULL) {
        return -error->code;
    }
    machine->power = power_create(machine->bus, machine->irq, on_vcpu_ended, machine, error);
    if (machine->power == NULL) {
        return -error->code;
    }
    serial_save(machine->serial, &machine->serial_on);
    power_save(machine->power, &machine->power_on);
    return 0;
}

static int make_devices(struct machine *machine, struct error *error)
{
    const struct devices_place place = {
        .vm_fd = machine->kvm.vm_fd,
        .ram = &machine->ram,
        .bus = machine->bus,
        .irq = machine->irq,
        .base = machine->base,
        .console = machine->console,
    };

    machine->devices = devices_create(&place, machine->config, error);
    return machine->devices != NULL ? 0 : -error->code;
}

/* Memory, the places where devices are found, and the ways out of the guest. */
static int make_board(struct machine *machine, struct error *error)
{
    int result = kvm_open(&machine->kvm, machine->config->cpus, error);

    if (result == 0) {
        result = ram_create(&machine->ram, machine->config->memory_bytes, error);
    }
    if (result == 0) {
        result = ram_attach(&machine->ram, machine->kvm.vm_fd, error);
    }
    if (result != 0) {
        return result;
    }
    machine->bus = bus_create();
    if (machine->bus == NULL) {
        return error_set(error, ENOMEM, "no memory for the VM's bus: give the host more");
    }
    machine->irq = irq_create(machine->kvm.vm_fd, error);
    if (machine->irq == NULL) {
        return -error->code;
    }
    machine->console = console_create(machine->base, machine->config->console_file, error);
    if (machine->console == NULL) {
        return -error->code;
    }
    if (machine->config->console_fd != 0) {
        console_attach(machine->console, machine->config->console_fd);
    }
    return 0;
}

/* First of all: what is no file takes no memory, no vNIC and no disk. */
static int open_files(struct machine *machine, struct error *error)
{
    const struct machine_config *config = machine->config;
    int result = boot_file_open(&machine->kernel, "kernel", config->kernel, error);

    if (result == 0 && config->initrd != NULL) {
        result = boot_file_open(&machine->initrd, "initrd", config->initrd, error);
    }
    return result;
}

static int load(struct machine *machine, struct error *error)
{
    const struct machine_config *config = machine->config;
    const struct acpi_config acpi = {
        .cpus = config->cpus,
        .pci = !config->mmio,
        .mmio_devices = devices_mmio_count(machine->devices),
    };
    char cmdline[CMDLINE_SIZE];
    struct boot_config boot = {
        .kernel = &machine->kernel,
        .initrd = config->initrd != NULL ? &machine->initrd : NULL,
        .cmdline = cmdline,
    };
    struct vcpu_start start;
    int length = 0, result = 0;

    /* Where the devices are is said first: what is behind a "--" is not the kernel's. */
    if (config->minimal) {
        length = virtio_mmio_cmdline(acpi.mmio_devices, cmdline, sizeof(cmdline));
    }
    if (length < (int)sizeof(cmdline)) {
        length += snprintf(cmdline + length, sizeof(cmdline) - (size_t)length, "%s%s",
                           length > 0 ? " " : "", config->cmdline);
    }
    if (length >= (int)sizeof(cmdline)) {
        return error_set(error, E2BIG, "the kernel's command line is too long: with what the "
                         "monitor adds it may have %zu characters", sizeof(cmdline) - 1);
    }
    if (!config->minimal) {
        result = acpi_write(&machine->ram, &acpi, &boot.acpi_rsdp_gpa, error);
    }
    if (result == 0) {
        result = boot_load(&machine->ram, &boot, &start, error);
    }
    return result != 0 ? result : vcpu_set_start(machine->vcpu[0], &start, error);
}

/* ---- running --------------------------------------------------------------------------------- */

static int enter_vcpu(void *context)
{
    (void)context;
    return sandbox_enter(SANDBOX_VCPU);
}

static void stop_all(struct machine *machine)
{
    for (unsigned i = 0; i < MACHINE_CPUS_MAX && machine->vcpu[i] != NULL; i++) {
        vcpu_stop(machine->vcpu[i]);
    }
}

/* The others first: they wait until the first one calls them. */
static int run_all(struct machine *machine, struct error *error)
{
    int result = 0;

    for (unsigned i = machine->config->cpus; i-- > 0 && result == 0;) {
        result = vcpu_run(machine->vcpu[i], enter_vcpu, NULL, error);
    }
    return result;
}

/* No vCPU runs: nobody is told of what they last said. */
static void forget_told(struct machine *machine)
{
    eventfd_t count;

    machine->told = false;
    (void)eventfd_read(machine->told_fd, &count);
}

static int reset(struct machine *machine, struct error *error)
{
    int result;

    stop_all(machine);
    forget_told(machine);
    machine->resets++;
    devices_reset(machine->devices);
    power_restore(machine->power, &machine->power_on);
    result = serial_restore(machine->serial, &machine->serial_on, error);
    if (result != 0) {
        return result;
    }
    result = irq_reset(machine->irq);
    if (result != 0) {
        return error_set(error, -result, "KVM does not reset the interrupt controllers: %s",
                         strerror(-result));
    }
    for (unsigned i = 0; i < machine->config->cpus && result == 0; i++) {
        result = vcpu_reset(machine->vcpu[i], error);
    }
    if (result == 0) {
        result = load(machine, error);
    }
    return result != 0 ? result : run_all(machine, error);
}

/* Why it ended is also said where its operator may be looking. */
static void end_machine(struct machine *machine, const char *why)
{
    char last[ERROR_TEXT_SIZE + sizeof("\r\nvswitch-vm: \r\n")];
    const int length = snprintf(last, sizeof(last), "\r\nvswitch-vm: %s\r\n", why);

    machine->state = MACHINE_ENDED;
    (void)snprintf(machine->why_ended, sizeof(machine->why_ended), "%s", why);
    stop_all(machine);
    if (why[0] != '\0') {
        console_write(machine->console, NULL, (const uint8_t *)last, (size_t)length);
    }
    machine->ended(machine->context);
}

/* A reset while it is paused is done when it is resumed, which tells again. */
static void on_told(evutil_socket_t fd, short what, void *context)
{
    struct machine *machine = context;
    struct error error = { 0 };
    enum vcpu_end end;
    eventfd_t count;
    bool told;

    (void)what;
    (void)eventfd_read(fd, &count);
    pthread_mutex_lock(&machine->lock);
    told = machine->told;
    end = machine->end;
    pthread_mutex_unlock(&machine->lock);
    if (!told || machine->state == MACHINE_ENDED) {
        return;
    }
    if (end != VCPU_END_RESET) {
        end_machine(machine, machine->why);
    } else if (machine->state != MACHINE_PAUSED && reset(machine, &error) != 0) {
        end_machine(machine, error.text);
    }
}

static int listen_to_vcpus(struct machine *machine, struct error *error)
{
    machine->told_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (machine->told_fd < 0) {
        return error_set(error, errno, "no eventfd for the VM: %s", strerror(errno));
    }
    machine->told_event = event_new(machine->base, machine->told_fd, EV_READ | EV_PERSIST, on_told,
                                    machine);
    if (machine->told_event == NULL || event_add(machine->told_event, NULL) != 0) {
        return error_set(error, ENOMEM, "no memory for the VM's events: give the host more");
    }
    return 0;
}

struct machine *machine_create(struct event_base *base, const struct machine_config *config,
                               void (*ended)(void *context), void *context, struct error *error)
{
    struct machine *machine = calloc(1, sizeof(*machine));

    if (machine == NULL) {
        (void)error_set(error, ENOMEM, "no memory for the VM: give the host more");
        return NULL;
    }
    machine->config = config;
    machine->base = base;
    machine->ended = ended;
    machine->context = context;
    machine->told_fd = -1;
    machine->kvm = (struct kvm){ .kvm_fd = -1, .vm_fd = -1 };
    machine->ram.fd = -1;
    pthread_mutex_init(&machine->lock, NULL);
    machine->kernel.fd = -1;
    machine->initrd.fd = -1;
    if (open_files(machine, error) != 0 || listen_to_vcpus(machine, error) != 0 ||
        make_board(machine, error) != 0 || make_legacy(machine, error) != 0 ||
        make_devices(machine, error) != 0 || make_processors(machine, error) != 0 ||
        load(machine, error) != 0) {
        machine_destroy(machine);
        return NULL;
    }
    return machine;
}

int machine_start(struct machine *machine, struct error *error)
{
    int result = sandbox_close_in(&machine->config->sandbox, error);

    if (result == 0) {
        result = devices_run(machine->devices, error);
    }
    if (result == 0) {
        result = run_all(machine, error);
    }
    if (result != 0) {
        return result;
    }
    machine->state = MACHINE_RUNNING;
    result = sandbox_enter(SANDBOX_MAIN);
    return result == 0 ? 0 : error_set(error, -result, "the main thread cannot give up system "
                                       "calls: %s", strerror(-result));
}

void machine_destroy(struct machine *machine)
{
    if (machine == NULL) {
        return;
    }
    stop_all(machine);
    devices_destroy(machine->devices);
    power_destroy(machine->power);
    serial_destroy(machine->serial);
    console_destroy(machine->console);
    for (unsigned i = 0; i < MACHINE_CPUS_MAX; i++) {
        vcpu_destroy(machine->vcpu[i]);
    }
    irq_destroy(machine->irq);
    bus_destroy(machine->bus);
    kvm_close(&machine->kvm);
    ram_destroy(&machine->ram);
    boot_file_close(&machine->initrd);
    boot_file_close(&machine->kernel);
    if (machine->told_event != NULL) {
        event_free(machine->told_event);
    }
    if (machine->told_fd >= 0) {
        (void)close(machine->told_fd);
    }
    pthread_mutex_destroy(&machine->lock);
    free(machine);
}

/* ---- while it runs --------------------------------------------------------------------------- */

int machine_pause(struct machine *machine, struct error *error)
{
    if (machine->state != MACHINE_RUNNING) {
        return error_set(error, EALREADY, "the VM does not run: there is nothing to pause");
    }
    for (unsigned i = 0; i < machine->config->cpus; i++) {
        vcpu_pause(machine->vcpu[i]);
    }
    machine->state = MACHINE_PAUSED;
    return 0;
}

int machine_resume(struct machine *machine, struct error *error)
{
    if (machine->state != MACHINE_PAUSED) {
        return error_set(error, EALREADY, "the VM is not paused: there is nothing to resume");
    }
    machine->state = MACHINE_RUNNING;
    for (unsigned i = 0; i < machine->config->cpus; i++) {
        vcpu_resume(machine->vcpu[i]);
    }
    (void)eventfd_write(machine->told_fd, 1);
    return 0;
}

int machine_press_power(struct machine *machine, struct error *error)
{
    if (machine->state == MACHINE_PAUSED) {
        return error_set(error, EOPNOTSUPP, "the VM is paused and cannot hear its power button: "
                         "resume it first, or end it with --force");
    }
    if (!power_button(machine->power)) {
        return error_set(error, EOPNOTSUPP, "the guest does not listen to its power button: turn "
                         "it off from within, or end it with --force");
    }
    return 0;
}

int machine_add_nic(struct machine *machine, const struct virtio_net_options *nic,
                    struct error *error)
{
    return devices_add_nic(machine->devices, nic, error);
}

int machine_remove_nic(struct machine *machine, const char *name, bool force,
                       struct error *error)
{
    return devices_remove_nic(machine->devices, name, force, error);
}

void machine_attach_console(struct machine *machine, int fd)
{
    console_attach(machine->console, fd);
}

void machine_status(const struct machine *machine, struct machine_status *status)
{
    *status = (struct machine_status){
        .state = machine->state,
        .why_ended = machine->why_ended,
        .resets = machine->resets,
        .huge_pages = machine->ram.huge_pages,
    };
    for (unsigned i = 0; i < machine->config->cpus; i++) {
        uint64_t exits[VCPU_EXIT_COUNT];

        vcpu_exits(machine->vcpu[i], exits);
        for (unsigned kind = 0; kind < VCPU_EXIT_COUNT; kind++) {
            status->exits[kind] += exits[kind];
        }
    }
    status->nic_count = devices_nics(machine->devices, status->nic);
}
