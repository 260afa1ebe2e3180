/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/support/vm_lab.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <linux/kvm.h>

#define PML4_GPA  0x1000u
#define PDPT_GPA  0x2000u
#define PD_GPA    0x3000u          /* four of them */
#define GDT_GPA   0x8000u
#define TSS_GPA   UINT64_C(0xfffbd000)
#define MAPPED    UINT64_C(0x3)    /* present, writable */
#define MAPPED_2M UINT64_C(0x83)
#define PATIENCE_S 20

bool vm_lab_has_kvm(void)
{
    const int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);

    if (fd < 0) {
        printf("# skip: /dev/kvm cannot be opened: %s\n", strerror(errno));
        return false;
    }
    close(fd);
    return true;
}

/* ---- the device ------------------------------------------------------------------------------ */

static void port_read(void *context, uint64_t offset, uint8_t *data, unsigned len_bytes)
{
    struct vm_lab *lab = context;

    memcpy(data, lab->port + offset, len_bytes);
}

static void port_write(void *context, uint64_t offset, const uint8_t *data, unsigned len_bytes)
{
    struct vm_lab *lab = context;

    pthread_mutex_lock(&lab->lock);
    memcpy(lab->port + offset, data, len_bytes);
    lab->done += offset == VM_LAB_DONE;
    pthread_cond_broadcast(&lab->changed);
    pthread_mutex_unlock(&lab->lock);
    if (offset == VM_LAB_LOWER) {
        irq_set_level(lab->irq, VM_LAB_LEVEL_GSI, 0);
    }
}

static void memory_read(void *context, uint64_t offset, uint8_t *data, unsigned len_bytes)
{
    struct vm_lab *lab = context;

    memcpy(data, lab->memory + offset, len_bytes);
}

static void memory_write(void *context, uint64_t offset, const uint8_t *data, unsigned len_bytes)
{
    struct vm_lab *lab = context;

    memcpy(lab->memory + offset, data, len_bytes);
}

static const struct bus_ops port_ops = { .read = port_read, .write = port_write };
static const struct bus_ops memory_ops = { .read = memory_read, .write = memory_write };

static void lab_ended(void *context, enum vcpu_end end, const char *why)
{
    struct vm_lab *lab = context;

    pthread_mutex_lock(&lab->lock);
    lab->ends++;
    lab->end = end;
    snprintf(lab->why, sizeof(lab->why), "%s", why);
    pthread_cond_broadcast(&lab->changed);
    pthread_mutex_unlock(&lab->lock);
}

/* ---- the VM ---------------------------------------------------------------------------------- */

static void must(bool good, const char *what, const struct error *error)
{
    if (!good) {
        fail_msg("%s: %s", what, error->text[0] != '\0' ? error->text : strerror(errno));
    }
}

void vm_lab_create(struct vm_lab *lab)
{
    const struct kvm_pit_config pit = { .flags = KVM_PIT_SPEAKER_DUMMY };
    struct cpuid_table supported;
    struct error error = { 0 };

    *lab = (struct vm_lab){ .kvm_fd = -1, .vm_fd = -1, .ram.fd = -1 };
    pthread_mutex_init(&lab->lock, NULL);
    pthread_cond_init(&lab->changed, NULL);
    lab->kvm_fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
    lab->vm_fd = ioctl(lab->kvm_fd, KVM_CREATE_VM, 0);
    must(lab->vm_fd >= 0, "a VM", &error);
    must(ioctl(lab->vm_fd, KVM_SET_TSS_ADDR, TSS_GPA) == 0 &&
         ioctl(lab->vm_fd, KVM_CREATE_IRQCHIP) == 0 &&
         ioctl(lab->vm_fd, KVM_CREATE_PIT2, &pit) == 0, "its interrupt controllers", &error);
    must(ram_create(&lab->ram, RAM_MIN_BYTES, &error) == 0 &&
         ram_attach(&lab->ram, lab->vm_fd, &error) == 0, "memory", &error);
    lab->bus = bus_create();
    must(bus_add(lab->bus, BUS_PORTS, VM_LAB_PORT, VM_LAB_REGISTERS, &port_ops, lab,
                 &error) == 0 &&
         bus_add(lab->bus, BUS_MEMORY, VM_LAB_DEVICE_GPA, VM_LAB_REGISTERS, &memory_ops, lab,
                 &error) == 0, "a device", &error);
    lab->irq = irq_create(lab->vm_fd, &error);
    must(lab->irq != NULL, "interrupts", &error);
    must(cpuid_ask(lab->kvm_fd, &supported, &error) == 0 &&
         cpuid_make(&supported, CPU_HOST, 2, &lab->cpuid, &error) == 0, "CPUID", &error);
    lab->vcpu = vm_lab_vcpu(lab, 0);
}

struct vcpu *vm_lab_vcpu(struct vm_lab *lab, unsigned index)
{
    const struct vcpu_config config = {
        .vm_fd = lab->vm_fd,
        .run_bytes = ioctl(lab->kvm_fd, KVM_GET_VCPU_MMAP_SIZE, 0),
        .index = index,
        .bus = lab->bus,
        .ram = &lab->ram,
        .cpuid = &lab->cpuid,
        .ended = lab_ended,
        .context = lab,
    };
    struct error error = { 0 };
    struct vcpu *vcpu = vcpu_create(&config, &error);

    must(vcpu != NULL, "a vCPU", &error);
    return vcpu;
}

void vm_lab_destroy(struct vm_lab *lab)
{
    vcpu_destroy(lab->vcpu);
    irq_destroy(lab->irq);
    bus_destroy(lab->bus);
    close(lab->vm_fd);
    close(lab->kvm_fd);
    ram_destroy(&lab->ram);
    pthread_cond_destroy(&lab->changed);
    pthread_mutex_destroy(&lab->lock);
}

static void write_page_tables(struct vm_lab *lab)
{
    uint64_t *pml4 = ram_at(&lab->ram, PML4_GPA, 4096);
    uint64_t *pdpt = ram_at(&lab->ram, PDPT_GPA, 4096);
    uint64_t *pd = ram_at(&lab->ram, PD_GPA, 4 * 4096);

    pml4[0] = PDPT_GPA | MAPPED;
    for (uint64_t i = 0; i < 4; i++) {
        pdpt[i] = (PD_GPA + i * 4096) | MAPPED;
    }
    for (uint64_t i = 0; i < 4 * 512; i++) {
        pd[i] = i << 21 | MAPPED_2M;
    }
}

void vm_lab_load(struct vm_lab *lab, const void *code, const void *code_end, int mode)
{
    static const uint64_t gdt_long[] = VCPU_GDT_LONG, gdt_protected[] = VCPU_GDT_PROTECTED;
    const bool is_long = mode == VCPU_START_LONG;
    const size_t code_bytes = (size_t)((const char *)code_end - (const char *)code);
    const struct vcpu_start start = {
        .mode = is_long ? VCPU_START_LONG : VCPU_START_PROTECTED,
        .rip = VM_LAB_CODE_GPA,
        .rsp = VM_LAB_STACK_GPA,
        .rbx = VM_LAB_DATA_GPA,
        .page_tables_gpa = PML4_GPA,
        .gdt_gpa = GDT_GPA,
    };
    struct error error = { 0 };

    write_page_tables(lab);
    memcpy(ram_at(&lab->ram, GDT_GPA, sizeof(gdt_long)), is_long ? gdt_long : gdt_protected,
           sizeof(gdt_long));
    memcpy(ram_at(&lab->ram, VM_LAB_CODE_GPA, code_bytes), code, code_bytes);
    must(vcpu_set_start(lab->vcpu, &start, &error) == 0, "start", &error);
}

void vm_lab_run(struct vm_lab *lab)
{
    struct error error = { 0 };

    must(vcpu_run(lab->vcpu, NULL, NULL, &error) == 0, "run", &error);
}

/* ---- waiting --------------------------------------------------------------------------------- */

static struct timespec deadline(void)
{
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += PATIENCE_S;
    return until;
}

/* Waits until @p value is @p wanted; an end that was not wanted ends the wait, too. */
static void await(struct vm_lab *lab, const unsigned *value, unsigned wanted, const char *what)
{
    const struct timespec until = deadline();
    int result = 0;
    bool good;

    pthread_mutex_lock(&lab->lock);
    while (*value < wanted && lab->ends == 0 && result == 0) {
        result = pthread_cond_timedwait(&lab->changed, &lab->lock, &until);
    }
    good = *value >= wanted;
    pthread_mutex_unlock(&lab->lock);
    if (!good) {
        fail_msg("the guest has not %s%s%s", what, lab->ends != 0 ? ", it ended: " : "", lab->why);
    }
}

void vm_lab_await_done(struct vm_lab *lab, unsigned times)
{
    await(lab, &lab->done, times, "said that it is done");
}

void vm_lab_await_end(struct vm_lab *lab)
{
    await(lab, &lab->ends, 1, "ended");
}

void vm_lab_await_word(struct vm_lab *lab, unsigned index, uint64_t at_least)
{
    const struct timespec pause = { .tv_nsec = 1000000 };

    for (unsigned i = 0; i < PATIENCE_S * 1000 && vm_lab_word(lab, index) < at_least; i++) {
        nanosleep(&pause, NULL);
    }
    assert_true(vm_lab_word(lab, index) >= at_least);
}

uint64_t vm_lab_word(const struct vm_lab *lab, unsigned index)
{
    const volatile uint64_t *words = ram_at(&lab->ram, VM_LAB_DATA_GPA, 4096);

    return words[index];
}

uint64_t vm_lab_exits(const struct vm_lab *lab, enum vcpu_exit exit)
{
    uint64_t exits[VCPU_EXIT_COUNT];

    vcpu_exits(lab->vcpu, exits);
    return exits[exit];
}
