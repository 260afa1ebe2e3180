/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Where the guest begins: by PVH in 32 bits, through ring 0, into ring 3.
 *
 * All tables (pages, segments, interrupts) are data that the assembler has made, for a host may
 * emulate ring 0 at a few instructions a microsecond: filling them in would take longer than the
 * rest of the start.  That is possible because the image is linked for one address, and this
 * section, which the linker puts first, starts there.
 *
 * Everything below 4 GiB is mapped to itself, for ring 3 too: it is the guest's own memory, and the
 * registers of its devices.
 *
 * Standard: Xen docs/misc/pvh (entry point, start of day structure); Intel SDM 3, 3.4 (segments),
 * 4.5 (4-level paging), 6.14 (interrupts in 64-bit mode), 9.8.5 (entering IA-32e mode).
 */
#include "vmm/guest/ring0.h"

#define IMAGE 0x100000                 /* as in guest.lds */
#define AT(label) (IMAGE + (label) - image)

#define PAGE_USER  0x7                 /* present, writable, for ring 3 */
#define PAGE_LARGE 0x80
#define CR4_START  0x620               /* PAE, OSFXSR, OSXMMEXCPT */
#define CR0_START  0x80010033          /* PG, WP, NE, ET, MP, PE */
#define MSR_EFER   0xc0000080
#define EFER_LME   0x100
#define MSR_X2APIC_EOI 0x80b

#define CODE_32  0x08
#define CODE_64  0x10
#define DATA_0   0x18
#define DATA_3   0x23
#define CODE_3   0x2b
#define TASK     0x30

    .section .entry, "awx", @progbits
image:

/* ---- pages: 4 GiB in pages of 2 MiB ----------------------------------------------------------- */
    .balign 4096
pages_4:
    .quad AT(pages_3) + PAGE_USER
    .fill 511, 8, 0
pages_3:
    .set number, 0
    .rept 4
    .quad AT(pages_2) + 4096 * number + PAGE_USER
    .set number, number + 1
    .endr
    .fill 508, 8, 0
pages_2:
    .set number, 0
    .rept 2048
    .quad 0x200000 * number + PAGE_USER + PAGE_LARGE
    .set number, number + 1
    .endr

/* ---- segments --------------------------------------------------------------------------------- */
segments:
    .quad 0
    .quad 0x00cf9b000000ffff           /* CODE_32 */
    .quad 0x00af9b000000ffff           /* CODE_64 */
    .quad 0x00cf93000000ffff           /* DATA_0 */
    .quad 0x00cff3000000ffff           /* DATA_3 */
    .quad 0x00affb000000ffff           /* CODE_3 */
    .word task_end - task - 1          /* TASK */
    .word AT(task) & 0xffff
    .byte AT(task) >> 16
    .byte 0x89, 0, 0
    .quad 0
segments_end:

    .balign 8
task:
    .long 0
    .quad ring0_stack_end              /* the stack of a trap from ring 3 */
    .fill 11, 8, 0
    .word 0, task_end - task           /* no port is open to ring 3 */
task_end:

/* ---- interrupts ------------------------------------------------------------------------------- */
    .macro gate target
    .word (\target) & 0xffff, CODE_64
    .byte 0, 0x8e                      /* an interrupt gate, for the processor only */
    .word (\target) >> 16
    .quad 0
    .endm

    .balign 16
gates:
    .set number, 0
    .rept 32
    gate (AT(traps)+16*number)
    .set number, number + 1
    .endr
    gate (AT(interrupt))               /* INTERRUPT_VECTOR */
    gate (AT(change))                  /* CHANGE_VECTOR */
    .rept GATE_COUNT - 34
    gate (AT(interrupt))
    .endr
gates_end:

segments_pointer:
    .word segments_end - segments - 1
    .long AT(segments)
    .balign 8
gates_pointer:
    .word gates_end - gates - 1
    .quad AT(gates)

/* ---- from 32 bits to ring 3 ------------------------------------------------------------------- */
    .code32
    .globl entry
entry:
    cli
    cld
    movl $ring0_stack_end, %esp
    movl %ebx, %ebp                    /* the start information: nothing below touches it */
    lgdt segments_pointer
    movl $CR4_START, %eax
    movl %eax, %cr4
    movl $pages_4, %eax
    movl %eax, %cr3
    movl $MSR_EFER, %ecx
    rdmsr
    orl $EFER_LME, %eax
    wrmsr
    movl $CR0_START, %eax
    movl %eax, %cr0
    ljmp $CODE_64, $entry_64

    .code64
entry_64:
    movl $DATA_0, %eax
    movl %eax, %ss
    movl $DATA_3, %eax
    movl %eax, %ds
    movl %eax, %es
    lidt gates_pointer
    movl $TASK, %eax
    ltr %ax
    movl %ebp, %edi
    call ring0_start
    movq %rax, %rdi                    /* the command line */
    pushq $DATA_3
    pushq $ring3_stack_end - 8         /* as after a call */
    pushq $2                           /* interrupts are off but in CALL_WAIT */
    pushq $CODE_3
    pushq $guest_main
    iretq

/* ---- traps: what a processor does not push, struct trap says, is pushed here ------------------ */
    .balign 16
traps:
    .set number, 0
    .rept 32
    .balign 16
    .if !(number == 8 || (number >= 10 && number <= 14) || number == 17 || number == 21)
    pushq $0                           /* no error code from the processor */
    .endif
    pushq $number
    jmp trap
    .set number, number + 1
    .endr

trap:
    pushq %rax
    pushq %rcx
    pushq %rdx
    pushq %rsi
    pushq %rdi
    pushq %r8
    pushq %r9
    pushq %r10
    pushq %r11
    movq %rsp, %rdi
    call ring0_trap
    popq %r11
    popq %r10
    popq %r9
    popq %r8
    popq %rdi
    popq %rsi
    popq %rdx
    popq %rcx
    popq %rax
    addq $16, %rsp
    iretq

change:
    movb $1, ring0_changed
/* All queues and the timer: it has ended a CALL_WAIT, and whoever waited looks everywhere. */
interrupt:
    pushq %rax
    pushq %rcx
    pushq %rdx
    movl $MSR_X2APIC_EOI, %ecx
    xorl %eax, %eax
    xorl %edx, %edx
    wrmsr
    popq %rdx
    popq %rcx
    popq %rax
    iretq

    .bss
    .balign 16
    .skip 8192
ring0_stack_end:
    .skip 65536
ring3_stack_end:

/* ---- how a loader knows where to begin -------------------------------------------------------- */
    .section .note.pvh, "a", @note
    .balign 4
    .long 4, 4, 18                     /* XEN_ELFNOTE_PHYS32_ENTRY */
    .asciz "Xen"
    .long entry
    .section .note.GNU-stack, "", @progbits
