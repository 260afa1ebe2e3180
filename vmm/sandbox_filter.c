/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The lists of system calls: one table, a column for each kind of thread.
 *
 * Where a call is as wide as the kernel (ioctl, socket, mmap, prctl), its argument is looked at as
 * well.  What libraries try in passing and can do without, such as reading the time zone for a log
 * line, is refused with an errno rather than death.
 */
#include "vmm/sandbox.h"

#include <errno.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include <linux/kvm.h>

#define ONLY_MAIN 0u
#define CPU       (1u << SANDBOX_VCPU)
#define DISK      (1u << SANDBOX_DISK)
#define ALL       (CPU | DISK)

/* Beside the main thread, who may do it. */
struct call {
    int number;
    unsigned who;
};

static const struct call calls[] = {
    /* being a thread of a C program */
    { SCMP_SYS(read), ALL }, { SCMP_SYS(write), ALL }, { SCMP_SYS(close), ALL },
    { SCMP_SYS(futex), ALL }, { SCMP_SYS(brk), ALL }, { SCMP_SYS(munmap), ALL },
    { SCMP_SYS(mremap), ALL }, { SCMP_SYS(madvise), ALL }, { SCMP_SYS(exit), ALL },
    { SCMP_SYS(exit_group), ALL }, { SCMP_SYS(rt_sigreturn), ALL },
    { SCMP_SYS(rt_sigprocmask), ALL }, { SCMP_SYS(restart_syscall), ALL },
    { SCMP_SYS(getpid), ALL }, { SCMP_SYS(gettid), ALL }, { SCMP_SYS(tgkill), ALL },
    { SCMP_SYS(sched_yield), ALL }, { SCMP_SYS(clock_gettime), ALL },
    { SCMP_SYS(clock_nanosleep), ALL }, { SCMP_SYS(poll), ALL }, { SCMP_SYS(ppoll), ALL },
    { SCMP_SYS(getrandom), ALL },
    /* what a driver does to its NIC is told to the switch from the vCPU's thread */
    { SCMP_SYS(sendmsg), CPU }, { SCMP_SYS(recvmsg), CPU }, { SCMP_SYS(recvfrom), CPU },
    { SCMP_SYS(sendto), CPU }, { SCMP_SYS(fcntl), CPU }, { SCMP_SYS(epoll_ctl), CPU },
    { SCMP_SYS(shutdown), CPU }, { SCMP_SYS(eventfd2), CPU },
    /* a disk's requests */
    { SCMP_SYS(preadv), DISK }, { SCMP_SYS(pwritev), DISK }, { SCMP_SYS(fdatasync), DISK },
    { SCMP_SYS(fallocate), DISK },
    /* a kernel that is loaded again */
    { SCMP_SYS(pread64), ONLY_MAIN },
    /* the event loop, the console, operators, the way back to the switch */
    { SCMP_SYS(epoll_wait), ONLY_MAIN }, { SCMP_SYS(epoll_pwait), ONLY_MAIN },
    { SCMP_SYS(epoll_pwait2), ONLY_MAIN },
    { SCMP_SYS(epoll_create1), ONLY_MAIN }, { SCMP_SYS(accept4), ONLY_MAIN },
    { SCMP_SYS(connect), ONLY_MAIN }, { SCMP_SYS(getsockopt), ONLY_MAIN },
    { SCMP_SYS(setsockopt), ONLY_MAIN }, { SCMP_SYS(readv), ONLY_MAIN },
    { SCMP_SYS(writev), ONLY_MAIN }, { SCMP_SYS(sendfile), ONLY_MAIN },
    { SCMP_SYS(unlink), ONLY_MAIN }, { SCMP_SYS(dup), ONLY_MAIN },
    { SCMP_SYS(geteuid), ONLY_MAIN }, { SCMP_SYS(rt_sigaction), ONLY_MAIN },
    /* a reset: the vCPUs' threads again, with their filters */
    { SCMP_SYS(clone), ONLY_MAIN }, { SCMP_SYS(clone3), ONLY_MAIN },
    { SCMP_SYS(set_robust_list), ONLY_MAIN }, { SCMP_SYS(rseq), ONLY_MAIN },
    { SCMP_SYS(seccomp), ONLY_MAIN },
};

static const struct { unsigned long request; unsigned who; } requests[] = {
    { KVM_RUN, CPU }, { KVM_KVMCLOCK_CTRL, CPU },
    /* interrupts and doorbells: a driver moves them, the main thread makes and removes them */
    { KVM_IRQFD, CPU }, { KVM_IOEVENTFD, CPU }, { KVM_SET_GSI_ROUTING, CPU },
    { KVM_IRQ_LINE, CPU }, { KVM_SIGNAL_MSI, CPU },
    /* what a crash says, and what is lent to a guest: see lend.h */
    { KVM_GET_REGS, CPU }, { KVM_SET_REGS, CPU }, { KVM_GET_SREGS, CPU }, { KVM_SET_SREGS, CPU },
    { KVM_GET_XSAVE, CPU }, { KVM_SET_XSAVE, CPU }, { KVM_GET_VCPU_EVENTS, CPU },
    { KVM_SET_VCPU_EVENTS, CPU }, { KVM_TRANSLATE, CPU }, { KVM_GET_MSRS, CPU },
    { KVM_SET_MSRS, CPU },
    /* a reset */
    { KVM_SET_IRQCHIP, ONLY_MAIN }, { KVM_SET_PIT2, ONLY_MAIN }, { KVM_SET_XCRS, ONLY_MAIN },
    { KVM_SET_DEBUGREGS, ONLY_MAIN }, { KVM_SET_LAPIC, ONLY_MAIN },
    { KVM_SET_MP_STATE, ONLY_MAIN }, { KVM_GET_MP_STATE, ONLY_MAIN },
    { KVM_GET_LAPIC, ONLY_MAIN }, { KVM_GET_XCRS, ONLY_MAIN }, { KVM_GET_DEBUGREGS, ONLY_MAIN },
    /* libevent asks a socket how much there is */
    { FIONREAD, ONLY_MAIN },
};

/* Refused with an errno: libraries look for files in passing. */
static const int refused[] = {
    SCMP_SYS(openat), SCMP_SYS(newfstatat), SCMP_SYS(access), SCMP_SYS(readlink), SCMP_SYS(lseek),
};

static const int prctls[] = { PR_SET_NAME, PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, PR_GET_SECCOMP };

static bool may(enum sandbox_thread kind, unsigned who)
{
    return kind == SANDBOX_MAIN || (who >> kind & 1u) != 0;
}

static int allow(scmp_filter_ctx filter, int number)
{
    return seccomp_rule_add(filter, SCMP_ACT_ALLOW, number, 0);
}

/* Allows @p number where the low 32 bits of its argument @p index are @p value. */
static int allow_with(scmp_filter_ctx filter, int number, unsigned index, uint64_t value)
{
    const struct scmp_arg_cmp argument = SCMP_CMP(index, SCMP_CMP_MASKED_EQ, UINT32_MAX, value);

    return seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, number, 1, &argument);
}

/* Memory that is not to be executed. */
static int allow_memory(scmp_filter_ctx filter)
{
    const struct scmp_arg_cmp no_code = SCMP_CMP(2, SCMP_CMP_MASKED_EQ, PROT_EXEC, 0);
    const int result = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1, &no_code);

    return result != 0 ? result : seccomp_rule_add_array(filter, SCMP_ACT_ALLOW,
                                                         SCMP_SYS(mprotect), 1, &no_code);
}

static int fill_main(scmp_filter_ctx filter)
{
    int result = allow_with(filter, SCMP_SYS(socket), 0, AF_UNIX);

    for (size_t i = 0; i < sizeof(prctls) / sizeof(prctls[0]) && result == 0; i++) {
        result = allow_with(filter, SCMP_SYS(prctl), 0, (uint64_t)prctls[i]);
    }
    return result;
}

static int fill(scmp_filter_ctx filter, enum sandbox_thread kind)
{
    int result = allow_memory(filter);

    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]) && result == 0; i++) {
        result = may(kind, calls[i].who) ? allow(filter, calls[i].number) : 0;
    }
    for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]) && result == 0; i++) {
        result = may(kind, requests[i].who)
                     ? allow_with(filter, SCMP_SYS(ioctl), 1, requests[i].request)
                     : 0;
    }
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]) && result == 0; i++) {
        result = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EACCES), refused[i], 0);
    }
    return result == 0 && kind == SANDBOX_MAIN ? fill_main(filter) : result;
}

/* A sanitizer makes system calls of its own, at any time: beside one, the lists cannot hold. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define HAS_SANITIZER true
#else
#define HAS_SANITIZER false
#endif

int sandbox_enter(enum sandbox_thread kind)
{
    scmp_filter_ctx filter;
    int result;

    if (HAS_SANITIZER) {
        return 0;
    }
    filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
    if (filter == NULL) {
        return -ENOMEM;
    }
    result = fill(filter, kind);
    if (result == 0) {
        result = seccomp_load(filter);
    }
    seccomp_release(filter);
    return result;
}
