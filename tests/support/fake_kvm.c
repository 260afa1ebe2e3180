/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/support/fake_kvm.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define DOORBELLS_MAX 256u

struct irq {
    int line_fd[IRQ_LINES];
    struct fake_message message[IRQ_MESSAGES];
    int level[IRQ_LINES];
};

static struct fake_sent sent;

struct fake_doorbell {
    uint64_t gpa, value;
    int fd;
};

static struct irq fake;
static struct fake_doorbell doorbell[DOORBELLS_MAX];
static unsigned doorbell_count;
static int doorbell_refusal;

static void forget(int *fd)
{
    if (*fd > 0) {
        close(*fd);
    }
    *fd = 0;
}

void fake_kvm_reset(void)
{
    for (unsigned i = 0; i < IRQ_LINES; i++) {
        forget(&fake.line_fd[i]);
    }
    for (unsigned i = 0; i < IRQ_MESSAGES; i++) {
        forget(&fake.message[i].fd);
    }
    memset(&fake, 0, sizeof(fake));
    sent = (struct fake_sent){ .count = 0 };
    doorbell_count = 0;
    doorbell_refusal = 0;
}

struct irq *fake_kvm_irq(void)
{
    return &fake;
}

static uint64_t count_of(int fd)
{
    eventfd_t count = 0;

    return fd > 0 && eventfd_read(fd, &count) == 0 ? count : 0;
}

uint64_t fake_kvm_line_count(uint32_t gsi)
{
    return count_of(fake.line_fd[gsi]);
}

uint64_t fake_kvm_message_count(int message)
{
    return count_of(fake.message[message].fd);
}

int fake_kvm_level(uint32_t gsi)
{
    return fake.level[gsi];
}

const struct fake_message *fake_kvm_message(int message)
{
    return &fake.message[message];
}

unsigned fake_kvm_messages_taken(void)
{
    unsigned count = 0;

    for (unsigned i = 0; i < IRQ_MESSAGES; i++) {
        count += fake.message[i].taken;
    }
    return count;
}

unsigned fake_kvm_doorbells(void)
{
    return doorbell_count;
}

bool fake_kvm_ring(uint64_t gpa, uint64_t value)
{
    for (unsigned i = 0; i < doorbell_count; i++) {
        if (doorbell[i].gpa == gpa &&
            (doorbell[i].value == value || doorbell[i].value == DOORBELL_ANY)) {
            return eventfd_write(doorbell[i].fd, 1) == 0;
        }
    }
    return false;
}

void fake_kvm_refuse_doorbells(int code)
{
    doorbell_refusal = code;
}

/* ---- vmm/doorbell ---------------------------------------------------------------------------- */

int doorbell_add(int vm_fd, uint64_t gpa, uint64_t value, int fd)
{
    (void)vm_fd;
    for (unsigned i = 0; i < doorbell_count; i++) {
        if (doorbell[i].gpa == gpa &&
            (doorbell[i].value == value || doorbell[i].value == DOORBELL_ANY ||
             value == DOORBELL_ANY)) {
            return -EEXIST;
        }
    }
    if (doorbell_refusal != 0 || doorbell_count == DOORBELLS_MAX) {
        return doorbell_refusal != 0 ? -doorbell_refusal : -ENOSPC;
    }
    doorbell[doorbell_count++] = (struct fake_doorbell){ gpa, value, fd };
    return 0;
}

void doorbell_remove(int vm_fd, uint64_t gpa, uint64_t value, int fd)
{
    (void)vm_fd;
    for (unsigned i = 0; i < doorbell_count; i++) {
        if (doorbell[i].gpa == gpa && doorbell[i].value == value && doorbell[i].fd == fd) {
            doorbell[i] = doorbell[--doorbell_count];
            return;
        }
    }
}

/* ---- vmm/irq --------------------------------------------------------------------------------- */

struct irq *irq_create(int vm_fd, struct error *error)
{
    (void)vm_fd;
    (void)error;
    return &fake;
}

void irq_destroy(struct irq *irq)
{
    (void)irq;
}

int irq_reset(struct irq *irq)
{
    (void)irq;
    return 0;
}

int irq_line(struct irq *irq, uint32_t gsi, struct error *error)
{
    if (gsi >= IRQ_LINES) {
        return error_set(error, EINVAL, "there is no line %u", gsi);
    }
    if (irq->line_fd[gsi] == 0) {
        irq->line_fd[gsi] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    }
    return irq->line_fd[gsi];
}

int irq_set_level(struct irq *irq, uint32_t gsi, int level)
{
    irq->level[gsi] = level;
    return 0;
}

void irq_send(const struct irq *irq, uint64_t address, uint32_t data)
{
    (void)irq;
    sent = (struct fake_sent){ .address = address, .data = data, .count = sent.count + 1 };
}

struct fake_sent fake_kvm_sent(void)
{
    const struct fake_sent since = sent;

    sent = (struct fake_sent){ .count = 0 };
    return since;
}

int irq_message_take(struct irq *irq)
{
    for (int i = 0; i < (int)IRQ_MESSAGES; i++) {
        struct fake_message *message = &irq->message[i];

        if (!message->taken) {
            *message = (struct fake_message){
                .taken = true,
                .masked = true,
                .fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC),
            };
            return i;
        }
    }
    return -ENOSPC;
}

void irq_message_give_back(struct irq *irq, int message)
{
    forget(&irq->message[message].fd);
    irq->message[message].taken = false;
}

int irq_message_set(struct irq *irq, int message, uint64_t address, uint32_t data, int masked)
{
    irq->message[message].address = address;
    irq->message[message].data = data;
    irq->message[message].masked = masked != 0;
    irq->message[message].sets++;
    return 0;
}

int irq_message_is_pending(const struct irq *irq, int message)
{
    struct pollfd poll_fd = { .fd = irq->message[message].fd, .events = POLLIN };

    return irq->message[message].masked && poll(&poll_fd, 1, 0) == 1;
}

int irq_message_fd(const struct irq *irq, int message)
{
    return irq->message[message].fd;
}
