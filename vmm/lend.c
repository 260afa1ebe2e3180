/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Only the encodings that Linux uses are known: no prefix but REX and popcnt's own F3.  Everything
 * read from the guest's memory is its own business: the worst that it can bring about is a wrong
 * register of its own.
 *
 * Standard: Intel SDM 2A, 2.1 (instruction format), 2.2.1 (REX); SDM 2, the instructions.
 */
#include "vmm/lend.h"

#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "vmm/vcpu_state.h"

#define PAGE_BYTES       UINT64_C(4096)
#define VECTOR_BP        3u
#define MXCSR_AT         6u        /* in the XSAVE area, in words.  Intel SDM 1, table 10-2 */
#define XSTATE_BV_AT     128u
#define XSTATE_SSE       2u

#define RFLAGS_RESULTS   UINT64_C(0x8d5)      /* CF PF AF ZF SF OF */
#define RFLAGS_ZF        UINT64_C(0x40)
#define RFLAGS_AC        UINT64_C(0x40000)

#define MSR_LSTAR        0xc0000082u
#define MSR_SYSCALL_MASK 0xc0000084u

bool lend_is_needed(void)
{
    return access("/sys/module/kvm_pvm", F_OK) == 0;
}

/* ---- decoding -------------------------------------------------------------------------------- */

struct rex {
    bool w;
    unsigned r, x, b;              /* 0 or 8: added to a register's number */
};

static uint64_t register_get(const struct kvm_regs *regs, unsigned number)
{
    const uint64_t values[16] = {
        regs->rax, regs->rcx, regs->rdx, regs->rbx, regs->rsp, regs->rbp, regs->rsi, regs->rdi,
        regs->r8, regs->r9, regs->r10, regs->r11, regs->r12, regs->r13, regs->r14, regs->r15,
    };

    return values[number];
}

static void register_set(struct kvm_regs *regs, unsigned number, uint64_t value)
{
    __u64 *const at[16] = {
        &regs->rax, &regs->rcx, &regs->rdx, &regs->rbx, &regs->rsp, &regs->rbp, &regs->rsi,
        &regs->rdi, &regs->r8, &regs->r9, &regs->r10, &regs->r11, &regs->r12, &regs->r13,
        &regs->r14, &regs->r15,
    };

    *at[number] = value;
}

/*
 * Decodes ModRM, SIB and displacement from @p bytes + @p at on.  An address that is relative to rip
 * counts from the instruction's end, which is the operand's end here.
 */
static bool decode_operand(const uint8_t *bytes, unsigned len_bytes, unsigned at, struct rex rex,
                           const struct kvm_regs *regs, struct lend_decoded *decoded)
{
    const uint8_t modrm = bytes[at++];
    const unsigned mod = modrm >> 6, rm = modrm & 7;
    unsigned base = rm | rex.b, disp_bytes = mod == 1 ? 1 : mod == 2 ? 4 : 0;
    bool has_base = true, is_rip = false;
    uint64_t address = 0;
    int32_t disp = 0;

    decoded->target = (modrm >> 3 & 7) | rex.r;
    decoded->source = base;
    decoded->is_memory = mod != 3;
    decoded->len_bytes = at;
    if (mod == 3) {
        return true;
    }
    if (rm == 4) {                                    /* SIB */
        unsigned index;

        if (at >= len_bytes) {
            return false;
        }
        index = (bytes[at] >> 3 & 7) | rex.x;
        base = (bytes[at] & 7) | rex.b;
        address = index == 4 ? 0 : register_get(regs, index) << (bytes[at] >> 6);
        at++;
    }
    if (mod == 0 && (rm == 5 || (rm == 4 && (base & 7) == 5))) {
        has_base = false;
        is_rip = rm == 5;
        disp_bytes = 4;
    }
    if (disp_bytes > len_bytes - at) {
        return false;
    }
    if (disp_bytes == 1) {
        disp = (int8_t)bytes[at];
    } else if (disp_bytes == 4) {
        memcpy(&disp, bytes + at, 4);
    }
    decoded->len_bytes = at + disp_bytes;
    address += (uint64_t)(int64_t)disp;
    address += has_base ? register_get(regs, base) : 0;
    decoded->address = address + (is_rip ? regs->rip + decoded->len_bytes : 0);
    return true;
}

static bool decode_short(uint8_t opcode, struct lend_decoded *decoded)
{
    decoded->len_bytes = 1;
    decoded->kind = opcode == 0xcc ? LEND_INT3 : LEND_FWAIT;
    return opcode == 0xcc || opcode == 0x9b;
}

bool lend_decode(const uint8_t *bytes, unsigned len_bytes, const struct kvm_regs *regs,
                 struct lend_decoded *decoded)
{
    struct rex rex = { 0 };
    bool is_repeat = false;
    unsigned at = 0;

    *decoded = (struct lend_decoded){ 0 };
    if (len_bytes >= 1 && decode_short(bytes[0], decoded)) {
        return true;
    }
    if (at < len_bytes && bytes[at] == 0xf3) {
        is_repeat = true;
        at++;
    }
    if (at < len_bytes && (bytes[at] & 0xf0) == 0x40) {
        rex = (struct rex){
            .w = (bytes[at] & 8) != 0,
            .r = (bytes[at] & 4) != 0 ? 8 : 0,
            .x = (bytes[at] & 2) != 0 ? 8 : 0,
            .b = (bytes[at] & 1) != 0 ? 8 : 0,
        };
        at++;
    }
    if (len_bytes - at < 3 || bytes[at] != 0x0f) {
        return false;
    }
    if (!is_repeat && bytes[at + 1] == 0x01 && (bytes[at + 2] & 0xfe) == 0xca) {
        decoded->kind = bytes[at + 2] == 0xca ? LEND_CLAC : LEND_STAC;
        decoded->len_bytes = at + 3;
        return true;
    }
    if (is_repeat && bytes[at + 1] == 0xb8) {
        decoded->kind = LEND_POPCNT;
        decoded->operand_bytes = rex.w ? 8 : 4;
        return decode_operand(bytes, len_bytes, at + 2, rex, regs, decoded);
    }
    if (!is_repeat && bytes[at + 1] == 0xae && (bytes[at + 2] >> 3 & 7) == 2) {
        decoded->kind = LEND_LDMXCSR;
        decoded->operand_bytes = 4;
        return decode_operand(bytes, len_bytes, at + 2, rex, regs, decoded) && decoded->is_memory;
    }
    return false;
}

/* ---- doing ----------------------------------------------------------------------------------- */

/* Copies what the guest has at a linear address.  Returns how much: less where none is mapped. */
static unsigned read_linear(int vcpu_fd, const struct ram *ram, uint64_t linear, void *data,
                            unsigned len_bytes)
{
    unsigned done_bytes = 0;

    while (done_bytes < len_bytes) {
        struct kvm_translation page = { .linear_address = linear + done_bytes };
        const uint64_t left_bytes = PAGE_BYTES - (linear + done_bytes) % PAGE_BYTES;
        unsigned part_bytes = len_bytes - done_bytes;
        const void *from;

        part_bytes = part_bytes < left_bytes ? part_bytes : (unsigned)left_bytes;
        if (ioctl(vcpu_fd, KVM_TRANSLATE, &page) != 0 || !page.valid) {
            break;
        }
        from = ram_at(ram, page.physical_address, part_bytes);
        if (from == NULL) {
            break;
        }
        memcpy((uint8_t *)data + done_bytes, from, part_bytes);
        done_bytes += part_bytes;
    }
    return done_bytes;
}

/* What a page fault leaves on the stack.  Intel SDM 3, 6.14. */
struct fault_frame {
    uint64_t error, rip, cs, rflags, rsp, ss;
};

/*
 * A native SYSCALL went to LSTAR still at CPL 3, and faulted there.  The handler's first
 * instruction is clac, so it comes here, with the registers as SYSCALL set them: back to LSTAR, now
 * at CPL 0.  (A program that jumps to LSTAR looks the same, and gets a system call for it.)
 */
static bool mend_syscall(int vcpu_fd, const struct ram *ram, const struct kvm_sregs *sregs,
                         struct kvm_regs *regs)
{
    struct fault_frame frame;
    uint64_t lstar, mask;

    if (vcpu_state_get_msr(vcpu_fd, MSR_LSTAR, &lstar) != 0 || sregs->cr2 != lstar ||
        vcpu_state_get_msr(vcpu_fd, MSR_SYSCALL_MASK, &mask) != 0 ||
        read_linear(vcpu_fd, ram, regs->rsp, &frame, sizeof(frame)) != sizeof(frame) ||
        frame.rip != lstar || (frame.cs & 3) != 3) {
        return false;
    }
    regs->rip = lstar;
    regs->rsp = frame.rsp;
    regs->rflags = frame.rflags & ~mask;
    return true;
}

static bool do_popcnt(int vcpu_fd, const struct ram *ram, const struct lend_decoded *decoded,
                      struct kvm_regs *regs)
{
    uint64_t value = 0;

    if (!decoded->is_memory) {
        value = register_get(regs, decoded->source);
    } else if (read_linear(vcpu_fd, ram, decoded->address, &value, decoded->operand_bytes) !=
               decoded->operand_bytes) {
        return false;
    }
    if (decoded->operand_bytes == 4) {
        value = (uint32_t)value;
    }
    regs->rflags = (regs->rflags & ~RFLAGS_RESULTS) | (value == 0 ? RFLAGS_ZF : 0);
    register_set(regs, decoded->target, (uint64_t)__builtin_popcountll(value));
    return true;
}

static bool do_ldmxcsr(int vcpu_fd, const struct ram *ram, const struct lend_decoded *decoded)
{
    struct kvm_xsave xsave;
    uint32_t mxcsr;

    if (read_linear(vcpu_fd, ram, decoded->address, &mxcsr, sizeof(mxcsr)) != sizeof(mxcsr) ||
        ioctl(vcpu_fd, KVM_GET_XSAVE, &xsave) != 0) {
        return false;
    }
    xsave.region[MXCSR_AT] = mxcsr;
    xsave.region[XSTATE_BV_AT] |= XSTATE_SSE;
    return ioctl(vcpu_fd, KVM_SET_XSAVE, &xsave) == 0;
}

static bool raise_breakpoint(int vcpu_fd)
{
    struct kvm_vcpu_events events;

    if (ioctl(vcpu_fd, KVM_GET_VCPU_EVENTS, &events) != 0) {
        return false;
    }
    events.exception.injected = 1;
    events.exception.nr = VECTOR_BP;
    events.exception.has_error_code = 0;
    return ioctl(vcpu_fd, KVM_SET_VCPU_EVENTS, &events) == 0;
}

bool lend_instruction(int vcpu_fd, const struct ram *ram)
{
    struct lend_decoded decoded;
    uint8_t bytes[LEND_BYTES_MAX];
    struct kvm_sregs sregs;
    struct kvm_regs regs;
    unsigned len_bytes;
    bool done = true;

    if (ioctl(vcpu_fd, KVM_GET_REGS, &regs) != 0 || ioctl(vcpu_fd, KVM_GET_SREGS, &sregs) != 0 ||
        !sregs.cs.l) {
        return false;
    }
    len_bytes = read_linear(vcpu_fd, ram, regs.rip, bytes, sizeof(bytes));
    if (!lend_decode(bytes, len_bytes, &regs, &decoded)) {
        return false;
    }
    if (decoded.kind == LEND_CLAC && mend_syscall(vcpu_fd, ram, &sregs, &regs)) {
        return ioctl(vcpu_fd, KVM_SET_REGS, &regs) == 0;
    }
    regs.rip += decoded.len_bytes;
    switch (decoded.kind) {
    case LEND_INT3:
        break;                     /* a trap: it is raised behind the instruction, below */
    case LEND_FWAIT:
        break;
    case LEND_CLAC:
        regs.rflags &= ~RFLAGS_AC;
        break;
    case LEND_STAC:
        regs.rflags |= RFLAGS_AC;
        break;
    case LEND_POPCNT:
        done = do_popcnt(vcpu_fd, ram, &decoded, &regs);
        break;
    case LEND_LDMXCSR:
        done = do_ldmxcsr(vcpu_fd, ram, &decoded);
        break;
    }
    /* KVM_SET_REGS drops a pending exception: so it comes first. */
    return done && ioctl(vcpu_fd, KVM_SET_REGS, &regs) == 0 &&
           (decoded.kind != LEND_INT3 || raise_breakpoint(vcpu_fd));
}
