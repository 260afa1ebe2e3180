/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * KVM takes the routing table only as a whole: it is composed anew from what is kept here each time
 * a message gets another address.  GSIs below IRQ_LINES are the lines, message n is IRQ_LINES + n.
 * The lines' part is what KVM begins with.  It takes KVM up to milliseconds, so that it is not done
 * for a message that goes: nobody sends it any more.
 *
 * An eventfd that KVM has (an irqfd) is emptied by KVM as it is written.  Only what was written
 * while KVM did not have it stays: KVM then interrupts when it gets the eventfd, but leaves the
 * count in it, so it is emptied here, after that, when no write can be lost any more.
 */
#include "vmm/irq.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/kvm.h>

#define PIC_PINS        8u         /* of each of the two */
#define CHIPS           3u         /* two PICs, one I/O APIC */
#define ROUTES_MAX      (IRQ_LINES + 2 * PIC_PINS + IRQ_MESSAGES)
#define MSI_ADDRESS     UINT64_C(0xfee00000)     /* of the local APICs, 1 MiB */
#define MSI_ADDRESS_MASK (~UINT64_C(0xfffff))

struct irq_message {
    int fd;                        /* -1: not taken */
    bool masked;                   /* KVM does not have the fd */
    uint64_t address;              /* 0: none, not in the routing table */
    uint32_t data;
};

struct irq {
    int vm_fd;
    int line_fd[IRQ_LINES];        /* -1: not asked for yet */
    pthread_mutex_t lock;          /* of the messages, and the routing table */
    struct irq_message message[IRQ_MESSAGES];
    /* ---- what irq_reset() goes back to ---- */
    struct kvm_irqchip chip[CHIPS];
    struct kvm_pit_state2 pit;
    bool has_pit;
    /* ---- varies in size: last ---- */
    union {
        struct kvm_irq_routing table;
        uint8_t room[sizeof(struct kvm_irq_routing) +
                     ROUTES_MAX * sizeof(struct kvm_irq_routing_entry)];
    } routing;                     /* composed here, too large for a stack; under the lock */
};

/* ---- the routing table ----------------------------------------------------------------------- */

static void route_pin(struct irq *irq, uint32_t gsi, uint32_t chip, uint32_t pin)
{
    irq->routing.table.entries[irq->routing.table.nr++] = (struct kvm_irq_routing_entry){
        .gsi = gsi,
        .type = KVM_IRQ_ROUTING_IRQCHIP,
        .u.irqchip = { .irqchip = chip, .pin = pin },
    };
}

static void route_message(struct irq *irq, uint32_t gsi, const struct irq_message *message)
{
    irq->routing.table.entries[irq->routing.table.nr++] = (struct kvm_irq_routing_entry){
        .gsi = gsi,
        .type = KVM_IRQ_ROUTING_MSI,
        .u.msi = { .address_lo = (uint32_t)message->address, .data = message->data },
    };
}

/* Gives KVM the table.  The first 16 lines are wired to a PIC as well, as on a PC. */
static int irq_route(struct irq *irq)
{
    irq->routing.table.nr = 0;
    for (uint32_t gsi = 0; gsi < IRQ_LINES; gsi++) {
        if (gsi < 2 * PIC_PINS) {
            route_pin(irq, gsi, gsi < PIC_PINS ? KVM_IRQCHIP_PIC_MASTER : KVM_IRQCHIP_PIC_SLAVE,
                      gsi % PIC_PINS);
        }
        route_pin(irq, gsi, KVM_IRQCHIP_IOAPIC, gsi);
    }
    for (uint32_t i = 0; i < IRQ_MESSAGES; i++) {
        if (irq->message[i].address != 0) {
            route_message(irq, IRQ_LINES + i, &irq->message[i]);
        }
    }
    return ioctl(irq->vm_fd, KVM_SET_GSI_ROUTING, &irq->routing) == 0 ? 0 : -errno;
}

static int irqfd_set(const struct irq *irq, int fd, uint32_t gsi, uint32_t flags)
{
    const struct kvm_irqfd irqfd = { .fd = (uint32_t)fd, .gsi = gsi, .flags = flags };

    return ioctl(irq->vm_fd, KVM_IRQFD, &irqfd) == 0 ? 0 : -errno;
}

/* ---- controllers ----------------------------------------------------------------------------- */

static int irq_save(struct irq *irq)
{
    for (uint32_t i = 0; i < CHIPS; i++) {
        irq->chip[i].chip_id = i;
        if (ioctl(irq->vm_fd, KVM_GET_IRQCHIP, &irq->chip[i]) != 0) {
            return -errno;
        }
    }
    irq->has_pit = ioctl(irq->vm_fd, KVM_GET_PIT2, &irq->pit) == 0;
    return 0;
}

int irq_reset(struct irq *irq)
{
    for (uint32_t i = 0; i < CHIPS; i++) {
        if (ioctl(irq->vm_fd, KVM_SET_IRQCHIP, &irq->chip[i]) != 0) {
            return -errno;
        }
    }
    if (irq->has_pit && ioctl(irq->vm_fd, KVM_SET_PIT2, &irq->pit) != 0) {
        return -errno;
    }
    return 0;
}

struct irq *irq_create(int vm_fd, struct error *error)
{
    struct irq *irq = calloc(1, sizeof(*irq));
    int result;

    if (irq == NULL) {
        error_set(error, ENOMEM, "no memory for the VM's interrupts: give the host more");
        return NULL;
    }
    irq->vm_fd = vm_fd;
    pthread_mutex_init(&irq->lock, NULL);
    for (unsigned i = 0; i < IRQ_LINES; i++) {
        irq->line_fd[i] = -1;
    }
    for (unsigned i = 0; i < IRQ_MESSAGES; i++) {
        irq->message[i] = (struct irq_message){ .fd = -1, .masked = true };
    }
    result = irq_save(irq);
    if (result != 0) {
        error_set(error, -result, "KVM does not set up the VM's interrupt controllers: %s",
                  strerror(-result));
        irq_destroy(irq);
        return NULL;
    }
    return irq;
}

void irq_destroy(struct irq *irq)
{
    if (irq == NULL) {
        return;
    }
    for (unsigned i = 0; i < IRQ_LINES; i++) {
        if (irq->line_fd[i] >= 0) {
            irqfd_set(irq, irq->line_fd[i], i, KVM_IRQFD_FLAG_DEASSIGN);
            close(irq->line_fd[i]);
        }
    }
    for (int i = 0; i < (int)IRQ_MESSAGES; i++) {
        irq_message_give_back(irq, i);
    }
    pthread_mutex_destroy(&irq->lock);
    free(irq);
}

/* ---- lines ----------------------------------------------------------------------------------- */

int irq_line(struct irq *irq, uint32_t gsi, struct error *error)
{
    int result;
    int fd;

    if (gsi >= IRQ_LINES) {
        error_set(error, EINVAL, "there is no interrupt line %u: they are 0 to %u", gsi,
                  IRQ_LINES - 1);
        return -1;
    }
    if (irq->line_fd[gsi] >= 0) {
        return irq->line_fd[gsi];
    }
    fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    result = fd < 0 ? -errno : irqfd_set(irq, fd, gsi, 0);
    if (result != 0) {
        error_set(error, -result, "interrupt line %u cannot be made: %s", gsi,
                  strerror(-result));
        if (fd >= 0) {
            close(fd);
        }
        return -1;
    }
    irq->line_fd[gsi] = fd;
    return fd;
}

int irq_set_level(struct irq *irq, uint32_t gsi, int level)
{
    const struct kvm_irq_level line = { .irq = gsi, .level = level != 0 };

    if (gsi >= IRQ_LINES) {
        return -EINVAL;
    }
    return ioctl(irq->vm_fd, KVM_IRQ_LINE, &line) == 0 ? 0 : -errno;
}

/* ---- messages -------------------------------------------------------------------------------- */

static bool is_local_apic(uint64_t address)
{
    return (address & MSI_ADDRESS_MASK) == MSI_ADDRESS;
}

void irq_send(const struct irq *irq, uint64_t address, uint32_t data)
{
    const struct kvm_msi msi = { .address_lo = (uint32_t)address, .data = data };

    if (is_local_apic(address)) {
        (void)ioctl(irq->vm_fd, KVM_SIGNAL_MSI, &msi);     /* else a guest asked for nonsense */
    }
}

static struct irq_message *message_of(struct irq *irq, int message)
{
    if (message < 0 || message >= (int)IRQ_MESSAGES || irq->message[message].fd < 0) {
        return NULL;
    }
    return &irq->message[message];
}

int irq_message_take(struct irq *irq)
{
    int result = -ENOSPC;

    pthread_mutex_lock(&irq->lock);
    for (int i = 0; i < (int)IRQ_MESSAGES; i++) {
        if (irq->message[i].fd < 0) {
            irq->message[i].fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
            result = irq->message[i].fd < 0 ? -errno : i;
            break;
        }
    }
    pthread_mutex_unlock(&irq->lock);
    return result;
}

/* Takes the eventfd off KVM, or gives it back. */
static int message_mask(struct irq *irq, int number, bool masked)
{
    struct irq_message *message = &irq->message[number];
    const uint32_t flags = masked ? KVM_IRQFD_FLAG_DEASSIGN : 0;
    eventfd_t sent;
    int result;

    if (message->masked == masked) {
        return 0;
    }
    result = irqfd_set(irq, message->fd, IRQ_LINES + (uint32_t)number, flags);
    if (result != 0) {
        return result;
    }
    message->masked = masked;
    if (!masked) {
        (void)eventfd_read(message->fd, &sent);    /* KVM has sent it on: see the file's head */
    }
    return 0;
}

void irq_message_give_back(struct irq *irq, int message)
{
    struct irq_message *own;

    pthread_mutex_lock(&irq->lock);
    own = message_of(irq, message);
    if (own != NULL) {
        (void)message_mask(irq, message, true);
        close(own->fd);
        *own = (struct irq_message){ .fd = -1, .masked = true };
    }
    pthread_mutex_unlock(&irq->lock);
}

/* Gives a message another address.  A refused one leaves it as it was. */
static int message_address(struct irq *irq, struct irq_message *message, uint64_t address,
                           uint32_t data)
{
    const struct irq_message before = *message;
    int result;

    if (message->address == address && message->data == data) {
        return 0;
    }
    message->address = address;
    message->data = data;
    result = irq_route(irq);
    if (result != 0) {
        *message = before;
    }
    return result;
}

int irq_message_set(struct irq *irq, int message, uint64_t address, uint32_t data, int masked)
{
    const bool is_apic = is_local_apic(address);
    struct irq_message *own;
    int result = -EINVAL;

    pthread_mutex_lock(&irq->lock);
    own = message_of(irq, message);
    if (own != NULL && (masked || !is_apic)) {
        result = message_mask(irq, message, true);
    } else if (own != NULL) {
        result = message_address(irq, own, address, data);
        if (result == 0) {
            result = message_mask(irq, message, false);
        }
    }
    pthread_mutex_unlock(&irq->lock);
    return result == 0 && !masked && !is_apic ? -EINVAL : result;
}

int irq_message_is_pending(const struct irq *irq, int message)
{
    struct pollfd fd = { .fd = irq_message_fd(irq, message), .events = POLLIN };

    return fd.fd >= 0 && poll(&fd, 1, 0) == 1 && (fd.revents & POLLIN) != 0;
}

int irq_message_fd(const struct irq *irq, int message)
{
    return message < 0 || message >= (int)IRQ_MESSAGES ? -1 : irq->message[message].fd;
}
