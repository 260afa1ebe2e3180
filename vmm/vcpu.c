/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A request (pause, stop) is served only when KVM_RUN was interrupted: KVM then has completed the
 * access it last asked about, so nothing is left that a later KVM_RUN would write into registers.
 * immediate_exit is up as long as a request is, which makes every KVM_RUN end that way; the signal
 * is only there to get the thread out of one it is in.
 */
#include "vmm/vcpu.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/kvm.h>

#include "vmm/lend.h"
#include "vmm/vcpu_state.h"

#define KICK_SIGNAL    SIGRTMIN
#define SENTENCE_SIZE  ERROR_TEXT_SIZE
#define BYTES_SHOWN    15u         /* of an instruction: no x86 instruction is longer */

enum vcpu_request { REQUEST_RUN, REQUEST_PAUSE, REQUEST_STOP };
enum vcpu_at { AT_REST, AT_START, AT_WORK, AT_PAUSE };

struct vcpu {
    struct vcpu_config config;
    int fd;
    struct kvm_run *run;
    size_t run_bytes;
    struct vcpu_state *power_on;
    bool lends;                    /* instructions, to a guest whose ring 0 is emulated */
    _Atomic uint64_t exits[VCPU_EXIT_COUNT];

    /* ---- the thread, and what main and it agree upon ---- */
    pthread_t thread;
    bool has_thread;
    int (*enter)(void *context);
    void *enter_context;
    pthread_mutex_t lock;          /* of the three below */
    pthread_cond_t changed;
    enum vcpu_request request;     /* main's */
    enum vcpu_at at;               /* the thread's */
    int entered;                   /* what enter() said, when it is no longer AT_START */
};

static const char *const exit_text[VCPU_EXIT_COUNT] = {
#define X(name, text) text,
    VCPU_EXITS(X)
#undef X
};

const char *vcpu_exit_text(enum vcpu_exit exit)
{
    return exit_text[exit];
}

void vcpu_exits(const struct vcpu *vcpu, uint64_t exits[VCPU_EXIT_COUNT])
{
    for (unsigned i = 0; i < VCPU_EXIT_COUNT; i++) {
        exits[i] = atomic_load_explicit(&vcpu->exits[i], memory_order_relaxed);
    }
}

/* One writer: the thread. */
static void count(struct vcpu *vcpu, enum vcpu_exit exit)
{
    atomic_store_explicit(&vcpu->exits[exit],
                          atomic_load_explicit(&vcpu->exits[exit], memory_order_relaxed) + 1,
                          memory_order_relaxed);
}

/* ---- from cradle to grave -------------------------------------------------------------------- */

static int set_cpuid(struct vcpu *vcpu)
{
    struct cpuid_table own;
    struct kvm_cpuid2 *cpuid;
    size_t entries_bytes;
    int result;

    cpuid_for(vcpu->config.cpuid, vcpu->config.index, &own);
    entries_bytes = own.count * sizeof(own.entry[0]);
    cpuid = calloc(1, sizeof(*cpuid) + entries_bytes);
    if (cpuid == NULL) {
        return -ENOMEM;
    }
    cpuid->nent = own.count;
    memcpy(cpuid->entries, own.entry, entries_bytes);
    result = ioctl(vcpu->fd, KVM_SET_CPUID2, cpuid) == 0 ? 0 : -errno;
    free(cpuid);
    return result;
}

/* Makes what vcpu_destroy() undoes.  Returns 0 or -errno, and in @p what the step. */
static int vcpu_make(struct vcpu *vcpu, int run_bytes, const char **what)
{
    void *run;
    int result;

    *what = "make it";
    vcpu->fd = ioctl(vcpu->config.vm_fd, KVM_CREATE_VCPU, (unsigned long)vcpu->config.index);
    if (vcpu->fd < 0) {
        return -errno;
    }
    vcpu->run_bytes = (size_t)run_bytes;
    run = mmap(NULL, vcpu->run_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu->fd, 0);
    if (run == MAP_FAILED) {
        return -errno;
    }
    vcpu->run = run;
    *what = "give it the processor's features";
    result = set_cpuid(vcpu);
    if (result != 0) {
        return result;
    }
    *what = "set its registers";
    vcpu->power_on = malloc(sizeof(*vcpu->power_on));
    if (vcpu->power_on == NULL) {
        return -ENOMEM;
    }
    result = vcpu_state_init(vcpu->fd);
    return result != 0 ? result : vcpu_state_get(vcpu->fd, vcpu->power_on);
}

struct vcpu *vcpu_create(const struct vcpu_config *config, struct error *error)
{
    struct vcpu *vcpu = calloc(1, sizeof(*vcpu));
    const char *what;
    int result;

    if (vcpu == NULL) {
        error_set(error, ENOMEM, "no memory for vCPU %u: give the host more", config->index);
        return NULL;
    }
    vcpu->config = *config;
    vcpu->fd = -1;
    vcpu->lends = lend_is_needed();
    pthread_mutex_init(&vcpu->lock, NULL);
    pthread_cond_init(&vcpu->changed, NULL);
    result = vcpu_make(vcpu, config->run_bytes, &what);
    if (result != 0) {
        error_set(error, -result, "KVM has no vCPU %u for this VM, it does not %s: %s",
                  config->index, what, strerror(-result));
        vcpu_destroy(vcpu);
        return NULL;
    }
    return vcpu;
}

void vcpu_destroy(struct vcpu *vcpu)
{
    if (vcpu == NULL) {
        return;
    }
    vcpu_stop(vcpu);
    if (vcpu->run != NULL) {
        munmap(vcpu->run, vcpu->run_bytes);
    }
    if (vcpu->fd >= 0) {
        close(vcpu->fd);
    }
    pthread_cond_destroy(&vcpu->changed);
    pthread_mutex_destroy(&vcpu->lock);
    free(vcpu->power_on);
    free(vcpu);
}

int vcpu_reset(struct vcpu *vcpu, struct error *error)
{
    const int result = vcpu_state_set(vcpu->fd, vcpu->power_on);

    if (result != 0) {
        return error_set(error, -result, "KVM does not reset vCPU %u: %s", vcpu->config.index,
                         strerror(-result));
    }
    return 0;
}

int vcpu_set_start(struct vcpu *vcpu, const struct vcpu_start *start, struct error *error)
{
    const int result = vcpu_state_set_start(vcpu->fd, start);

    if (result != 0) {
        return error_set(error, -result, "KVM does not set vCPU %u to start at 0x%" PRIx64 ": %s",
                         vcpu->config.index, start->rip, strerror(-result));
    }
    return 0;
}

/* ---- why it came out of the guest ------------------------------------------------------------ */

static void answer_port(struct vcpu *vcpu)
{
    const struct kvm_run *run = vcpu->run;
    uint8_t *data = (uint8_t *)vcpu->run + run->io.data_offset;

    count(vcpu, VCPU_EXIT_PORT);
    for (uint32_t i = 0; i < run->io.count; i++, data += run->io.size) {
        if (run->io.direction == KVM_EXIT_IO_IN) {
            bus_read(vcpu->config.bus, BUS_PORTS, run->io.port, data, run->io.size);
        } else {
            bus_write(vcpu->config.bus, BUS_PORTS, run->io.port, data, run->io.size);
        }
    }
}

static void answer_memory(struct vcpu *vcpu)
{
    struct kvm_run *run = vcpu->run;

    count(vcpu, VCPU_EXIT_MEMORY);
    if (run->mmio.is_write) {
        bus_write(vcpu->config.bus, BUS_MEMORY, run->mmio.phys_addr, run->mmio.data,
                  run->mmio.len);
    } else {
        bus_read(vcpu->config.bus, BUS_MEMORY, run->mmio.phys_addr, run->mmio.data,
                 run->mmio.len);
    }
}

/* Ends the VM.  Returns false, so that the thread ends. */
static bool end(struct vcpu *vcpu, enum vcpu_end end, const char *why)
{
    vcpu->config.ended(vcpu->config.context, end, why);
    return false;
}

__attribute__((format(printf, 2, 3)))
static bool crash(struct vcpu *vcpu, const char *format, ...)
{
    char what[SENTENCE_SIZE / 2], why[SENTENCE_SIZE];
    struct kvm_regs regs = { 0 };
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(what, sizeof(what), format, arguments);
    va_end(arguments);
    (void)ioctl(vcpu->fd, KVM_GET_REGS, &regs);
    snprintf(why, sizeof(why), "the guest crashed: vCPU %u at rip 0x%llx %s", vcpu->config.index,
             regs.rip, what);
    return end(vcpu, VCPU_END_CRASH, why);
}

static bool crash_by_instruction(struct vcpu *vcpu)
{
    const struct kvm_run *run = vcpu->run;
    char text[BYTES_SHOWN * 3 + 1] = "";
    uint32_t bytes = 0;

    if ((run->emulation_failure.flags & KVM_INTERNAL_ERROR_EMULATION_FLAG_INSTRUCTION_BYTES) != 0) {
        bytes = run->emulation_failure.insn_size;
    }
    for (uint32_t i = 0; i < bytes && i < BYTES_SHOWN; i++) {
        snprintf(text + 3 * i, sizeof(text) - 3 * i, " %02x",
                 run->emulation_failure.insn_bytes[i]);
    }
    return crash(vcpu, "ran an instruction that KVM cannot emulate%s%s", *text ? ":" : "", text);
}

static bool answer_internal_error(struct vcpu *vcpu)
{
    if (vcpu->run->internal.suberror != KVM_INTERNAL_ERROR_EMULATION) {
        count(vcpu, VCPU_EXIT_OTHER);
        return crash(vcpu, "met an error inside of KVM, number %u", vcpu->run->internal.suberror);
    }
    count(vcpu, VCPU_EXIT_LENT);
    if (vcpu->lends && lend_instruction(vcpu->fd, vcpu->config.ram)) {
        return true;
    }
    return crash_by_instruction(vcpu);
}

static bool answer_system_event(struct vcpu *vcpu)
{
    const uint32_t type = vcpu->run->system_event.type;

    count(vcpu, VCPU_EXIT_SYSTEM);
    switch (type) {
    case KVM_SYSTEM_EVENT_SHUTDOWN:
        return end(vcpu, VCPU_END_POWER_OFF, "");
    case KVM_SYSTEM_EVENT_RESET:
        return end(vcpu, VCPU_END_RESET, "");
    default:
        return crash(vcpu, "reported its own end (KVM's system event %u)", type);
    }
}

/* Returns whether to go on. */
static bool vcpu_answer(struct vcpu *vcpu)
{
    switch (vcpu->run->exit_reason) {
    case KVM_EXIT_IO:
        answer_port(vcpu);
        return true;
    case KVM_EXIT_MMIO:
        answer_memory(vcpu);
        return true;
    case KVM_EXIT_HLT:             /* with KVM's own local APIC, it waits in there */
        count(vcpu, VCPU_EXIT_HALT);
        return true;
    case KVM_EXIT_SHUTDOWN:        /* a triple fault: a PC starts anew */
        count(vcpu, VCPU_EXIT_SHUTDOWN);
        return end(vcpu, VCPU_END_RESET, "");
    case KVM_EXIT_SYSTEM_EVENT:
        return answer_system_event(vcpu);
    case KVM_EXIT_INTERNAL_ERROR:
        return answer_internal_error(vcpu);
    case KVM_EXIT_FAIL_ENTRY:
        count(vcpu, VCPU_EXIT_OTHER);
        return crash(vcpu, "is in a state that the processor does not enter (reason 0x%llx)",
                     vcpu->run->fail_entry.hardware_entry_failure_reason);
    default:
        count(vcpu, VCPU_EXIT_OTHER);
        return crash(vcpu, "wants what this monitor has not got (KVM's exit %u)",
                     vcpu->run->exit_reason);
    }
}

/* ---- the thread ------------------------------------------------------------------------------ */

static void report(struct vcpu *vcpu, enum vcpu_at at)
{
    vcpu->at = at;
    pthread_cond_broadcast(&vcpu->changed);
}

/* Serves a request of main's, if there is one.  Returns whether to go on. */
static bool vcpu_obey(struct vcpu *vcpu)
{
    bool paused = false;
    bool go_on;

    pthread_mutex_lock(&vcpu->lock);
    while (vcpu->request == REQUEST_PAUSE) {
        paused = true;
        report(vcpu, AT_PAUSE);
        pthread_cond_wait(&vcpu->changed, &vcpu->lock);
    }
    go_on = vcpu->request == REQUEST_RUN;
    report(vcpu, AT_WORK);
    pthread_mutex_unlock(&vcpu->lock);
    if (paused && go_on) {
        (void)ioctl(vcpu->fd, KVM_KVMCLOCK_CTRL);     /* the guest's watchdogs: it was not stuck */
    }
    return go_on;
}

static void vcpu_loop(struct vcpu *vcpu)
{
    for (bool go_on = true; go_on;) {
        if (ioctl(vcpu->fd, KVM_RUN, 0) == 0) {
            go_on = vcpu_answer(vcpu);
        } else if (errno == EINTR) {
            count(vcpu, VCPU_EXIT_SIGNAL);
            go_on = vcpu_obey(vcpu);
        } else if (errno != EAGAIN) {                 /* that: it has just been woken by a SIPI */
            count(vcpu, VCPU_EXIT_OTHER);
            go_on = crash(vcpu, "cannot go on, says KVM: %s", strerror(errno));
        }
    }
}

static void *vcpu_main(void *context)
{
    struct vcpu *vcpu = context;
    char name[16];
    int entered;

    snprintf(name, sizeof(name), "vcpu%u", vcpu->config.index);
    (void)pthread_setname_np(pthread_self(), name);
    entered = vcpu->enter == NULL ? 0 : vcpu->enter(vcpu->enter_context);
    pthread_mutex_lock(&vcpu->lock);
    vcpu->entered = entered;
    report(vcpu, AT_WORK);
    pthread_mutex_unlock(&vcpu->lock);
    if (entered == 0) {
        vcpu_loop(vcpu);
    }
    pthread_mutex_lock(&vcpu->lock);
    report(vcpu, AT_REST);
    pthread_mutex_unlock(&vcpu->lock);
    return NULL;
}

static void ignore_kick(int number)
{
    (void)number;
}

/* Of all signals the thread takes the kick only: main has the others. */
static int start_thread(struct vcpu *vcpu)
{
    struct sigaction kick = { .sa_handler = ignore_kick, .sa_flags = SA_RESTART };
    sigset_t wanted, before;
    int result;

    if (sigaction(KICK_SIGNAL, &kick, NULL) != 0) {
        return -errno;
    }
    sigfillset(&wanted);
    sigdelset(&wanted, KICK_SIGNAL);
    pthread_sigmask(SIG_SETMASK, &wanted, &before);
    result = -pthread_create(&vcpu->thread, NULL, vcpu_main, vcpu);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return result;
}

/* The lock is held. */
static void vcpu_request(struct vcpu *vcpu, enum vcpu_request request)
{
    vcpu->request = request;
    __atomic_store_n(&vcpu->run->immediate_exit, request != REQUEST_RUN, __ATOMIC_SEQ_CST);
    pthread_cond_broadcast(&vcpu->changed);
    if (request != REQUEST_RUN && vcpu->at == AT_WORK) {
        pthread_kill(vcpu->thread, KICK_SIGNAL);
    }
}

int vcpu_run(struct vcpu *vcpu, int (*enter)(void *context), void *context, struct error *error)
{
    int result;

    vcpu->enter = enter;
    vcpu->enter_context = context;
    pthread_mutex_lock(&vcpu->lock);
    vcpu_request(vcpu, REQUEST_RUN);
    vcpu->at = AT_START;
    result = start_thread(vcpu);
    vcpu->has_thread = result == 0;
    while (vcpu->has_thread && vcpu->at == AT_START) {
        pthread_cond_wait(&vcpu->changed, &vcpu->lock);
    }
    if (result == 0) {
        result = vcpu->entered;
    } else {
        vcpu->at = AT_REST;
    }
    pthread_mutex_unlock(&vcpu->lock);
    if (result != 0) {
        vcpu_stop(vcpu);
        return error_set(error, -result, "the thread of vCPU %u does not start: %s",
                         vcpu->config.index, strerror(-result));
    }
    return 0;
}

void vcpu_pause(struct vcpu *vcpu)
{
    pthread_mutex_lock(&vcpu->lock);
    vcpu_request(vcpu, REQUEST_PAUSE);
    while (vcpu->at == AT_WORK) {
        pthread_cond_wait(&vcpu->changed, &vcpu->lock);
    }
    pthread_mutex_unlock(&vcpu->lock);
}

void vcpu_resume(struct vcpu *vcpu)
{
    pthread_mutex_lock(&vcpu->lock);
    vcpu_request(vcpu, REQUEST_RUN);
    pthread_mutex_unlock(&vcpu->lock);
}

void vcpu_stop(struct vcpu *vcpu)
{
    if (!vcpu->has_thread) {
        return;
    }
    pthread_mutex_lock(&vcpu->lock);
    vcpu_request(vcpu, REQUEST_STOP);
    pthread_mutex_unlock(&vcpu->lock);
    pthread_join(vcpu->thread, NULL);
    vcpu->has_thread = false;
}
