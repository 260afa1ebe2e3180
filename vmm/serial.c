/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The interrupt is an edge.  The 16550 holds its line up as long as it has a cause, but on a PC the
 * line is an ISA interrupt, which kernels set up as edge-triggered and whose handlers look at IIR
 * until it says that nothing is left.  So each rise of the line is one write of an eventfd, and its
 * falls are kept here only.  Sending a byte lets the transmitter's cause fall and rise again, as it
 * does in the chip: a handler that sends byte by byte is called for each.
 *
 * Received data interrupts from the first byte on, whatever trigger level is set, so that there is
 * no need for the timeout that tells of fewer bytes than that.
 */
#include "vmm/serial.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#include <linux/serial_reg.h>

#define IER_BITS   (UART_IER_RDI | UART_IER_THRI | UART_IER_RLSI | UART_IER_MSI)
#define FCR_BITS   (UART_FCR_ENABLE_FIFO | UART_FCR_TRIGGER_MASK)
#define MCR_BITS   (UART_MCR_DTR | UART_MCR_RTS | UART_MCR_OUT1 | UART_MCR_OUT2 | UART_MCR_LOOP)
#define IIR_FIFO   0xc0            /* a 16550A whose FIFO is on */
#define LCR_8N1    UART_LCR_WLEN8
#define MSR_DELTAS UART_MSR_ANY_DELTA
#define DIVISOR    1               /* 115,200 bits a second, for who asks */

struct serial {
    struct bus *bus;
    struct console *console;
    struct console_port port;
    int line_fd;
    bool line_is_up;
    struct serial_state is;        /* under the bus's lock */
};

/* ---- interrupts ------------------------------------------------------------------------------ */

/* The cause that comes first, as IIR has it. */
static uint8_t cause_of(const struct serial_state *is)
{
    if ((is->ier & UART_IER_RLSI) != 0 && is->lsr != 0) {
        return UART_IIR_RLSI;
    }
    if ((is->ier & UART_IER_RDI) != 0 && is->received_count > 0) {
        return UART_IIR_RDI;
    }
    if ((is->ier & UART_IER_THRI) != 0 && is->sent != 0) {
        return UART_IIR_THRI;
    }
    if ((is->ier & UART_IER_MSI) != 0 && (is->msr & MSR_DELTAS) != 0) {
        return UART_IIR_MSI;
    }
    return UART_IIR_NO_INT;
}

static void set_line(struct serial *serial)
{
    const bool up = cause_of(&serial->is) != UART_IIR_NO_INT;

    if (up && !serial->line_is_up) {
        (void)eventfd_write(serial->line_fd, 1);
    }
    serial->line_is_up = up;
}

/* ---- receiving ------------------------------------------------------------------------------- */

static unsigned depth_of(const struct serial_state *is)
{
    return (is->fcr & UART_FCR_ENABLE_FIFO) != 0 ? SERIAL_FIFO_BYTES : 1;
}

static void receive(struct serial_state *is, uint8_t byte)
{
    if (is->received_count < depth_of(is)) {
        is->received[is->received_count++] = byte;
    } else {
        is->lsr |= UART_LSR_OE;
    }
}

static uint8_t take_received(struct serial_state *is)
{
    const uint8_t byte = is->received[0];

    if (is->received_count > 0) {
        is->received_count--;
        memmove(is->received, is->received + 1, is->received_count);
    }
    return byte;
}

/* console_port.type: a receiver that is looped back hears nothing from outside. */
static size_t type(void *context, const uint8_t *bytes, size_t len_bytes)
{
    struct serial *serial = context;
    size_t taken = 0;

    bus_lock(serial->bus);
    while ((serial->is.mcr & UART_MCR_LOOP) == 0 && taken < len_bytes &&
           serial->is.received_count < depth_of(&serial->is)) {
        receive(&serial->is, bytes[taken++]);
    }
    set_line(serial);
    bus_unlock(serial->bus);
    return taken;
}

/* ---- registers ------------------------------------------------------------------------------- */

static void send(struct serial *serial, uint8_t byte)
{
    struct serial_state *is = &serial->is;

    if ((is->mcr & UART_MCR_LOOP) != 0) {
        receive(is, byte);
    } else {
        console_write(serial->console, &serial->port, &byte, 1);
    }
    is->sent = 0;
    set_line(serial);
    is->sent = 1;
}

/* The modem's lines: one that is always there, or our own ones looped back. */
static uint8_t modem_lines(uint8_t mcr)
{
    if ((mcr & UART_MCR_LOOP) == 0) {
        return UART_MSR_DCD | UART_MSR_DSR | UART_MSR_CTS;
    }
    return (uint8_t)(((mcr & UART_MCR_RTS) != 0 ? UART_MSR_CTS : 0) |
                     ((mcr & UART_MCR_DTR) != 0 ? UART_MSR_DSR : 0) |
                     ((mcr & UART_MCR_OUT1) != 0 ? UART_MSR_RI : 0) |
                     ((mcr & UART_MCR_OUT2) != 0 ? UART_MSR_DCD : 0));
}

static void set_mcr(struct serial_state *is, uint8_t value)
{
    const uint8_t lines = modem_lines(value);
    const uint8_t changed = lines ^ (is->msr & (uint8_t)~MSR_DELTAS);

    is->mcr = value & MCR_BITS;
    is->msr = (uint8_t)(lines | (is->msr & MSR_DELTAS) |
                        ((changed & UART_MSR_CTS) != 0 ? UART_MSR_DCTS : 0) |
                        ((changed & UART_MSR_DSR) != 0 ? UART_MSR_DDSR : 0) |
                        ((changed & ~lines & UART_MSR_RI) != 0 ? UART_MSR_TERI : 0) |
                        ((changed & UART_MSR_DCD) != 0 ? UART_MSR_DDCD : 0));
}

static void set_ier(struct serial_state *is, uint8_t value)
{
    if ((value & ~is->ier & UART_IER_THRI) != 0) {
        is->sent = 1;              /* the transmitter is empty, and that is news again */
    }
    is->ier = value & IER_BITS;
}

static void set_fcr(struct serial_state *is, uint8_t value)
{
    if (((value ^ is->fcr) & UART_FCR_ENABLE_FIFO) != 0 || (value & UART_FCR_CLEAR_RCVR) != 0) {
        is->received_count = 0;
    }
    is->fcr = (value & UART_FCR_ENABLE_FIFO) != 0 ? value & FCR_BITS : 0;
}

static uint8_t register_read(struct serial_state *is, uint64_t offset)
{
    const bool divisor = (is->lcr & UART_LCR_DLAB) != 0;
    uint8_t value;

    switch (offset) {
    case UART_RX:
        return divisor ? is->dll : take_received(is);
    case UART_IER:
        return divisor ? is->dlm : is->ier;
    case UART_IIR:
        value = cause_of(is);
        if (value == UART_IIR_THRI) {
            is->sent = 0;
        }
        return value | ((is->fcr & UART_FCR_ENABLE_FIFO) != 0 ? IIR_FIFO : 0);
    case UART_LCR:
        return is->lcr;
    case UART_MCR:
        return is->mcr;
    case UART_LSR:
        value = is->lsr | UART_LSR_THRE | UART_LSR_TEMT;
        is->lsr = 0;
        return value | (is->received_count > 0 ? UART_LSR_DR : 0);
    case UART_MSR:
        value = is->msr;
        is->msr &= (uint8_t)~MSR_DELTAS;
        return value;
    default:
        return is->scr;
    }
}

static void register_write(struct serial *serial, uint64_t offset, uint8_t value)
{
    struct serial_state *is = &serial->is;
    const bool divisor = (is->lcr & UART_LCR_DLAB) != 0;

    switch (offset) {
    case UART_TX:
        if (divisor) {
            is->dll = value;
        } else {
            send(serial, value);
        }
        break;
    case UART_IER:
        if (divisor) {
            is->dlm = value;
        } else {
            set_ier(is, value);
        }
        break;
    case UART_FCR:
        set_fcr(is, value);
        break;
    case UART_LCR:
        is->lcr = value;
        break;
    case UART_MCR:
        set_mcr(is, value);
        break;
    case UART_SCR:
        is->scr = value;
        break;
    }
}

/* After any access: the line as it is now, and room for what is typed. */
static void settle(struct serial *serial)
{
    set_line(serial);
    if (serial->is.received_count == 0 && (serial->is.mcr & UART_MCR_LOOP) == 0) {
        console_room(serial->console);
    }
}

static void bus_ops_read(void *context, uint64_t offset, uint8_t *data, unsigned len_bytes)
{
    struct serial *serial = context;

    if (len_bytes == 1) {
        *data = register_read(&serial->is, offset);
        settle(serial);
    }
}

static void bus_ops_write(void *context, uint64_t offset, const uint8_t *data, unsigned len_bytes)
{
    struct serial *serial = context;

    if (len_bytes == 1) {
        register_write(serial, offset, *data);
        settle(serial);
    }
}

static const struct bus_ops bus_ops = { .read = bus_ops_read, .write = bus_ops_write };

/* ---- life ------------------------------------------------------------------------------------ */

struct serial *serial_create(struct bus *bus, struct irq *irq, struct console *console,
                             struct error *error)
{
    struct serial *serial = calloc(1, sizeof(*serial));

    if (serial == NULL) {
        error_set(error, ENOMEM, "no memory for the serial console");
        return NULL;
    }
    serial->bus = bus;
    serial->console = console;
    serial->port = (struct console_port){ .type = type, .context = serial };
    serial->is = (struct serial_state){
        .lcr = LCR_8N1,
        .msr = modem_lines(0),
        .dll = DIVISOR,
    };
    serial->line_fd = irq_line(irq, SERIAL_GSI, error);
    if (serial->line_fd < 0 ||
        bus_add(bus, BUS_PORTS, SERIAL_PORT, SERIAL_REGISTERS, &bus_ops, serial, error) != 0) {
        free(serial);
        return NULL;
    }
    if (bus_add(bus, BUS_MEMORY, SERIAL_GPA, SERIAL_REGISTERS, &bus_ops, serial, error) != 0) {
        bus_remove(bus, BUS_PORTS, SERIAL_PORT);
        free(serial);
        return NULL;
    }
    console_add_port(console, &serial->port);
    return serial;
}

void serial_destroy(struct serial *serial)
{
    if (serial == NULL) {
        return;
    }
    bus_remove(serial->bus, BUS_MEMORY, SERIAL_GPA);
    bus_remove(serial->bus, BUS_PORTS, SERIAL_PORT);
    console_remove_port(serial->console, &serial->port);
    free(serial);
}

/* ---- snapshots ------------------------------------------------------------------------------- */

void serial_save(const struct serial *serial, struct serial_state *state)
{
    *state = serial->is;
}

int serial_restore(struct serial *serial, const struct serial_state *state, struct error *error)
{
    struct serial_state is = *state;

    is.ier &= IER_BITS;
    is.fcr &= FCR_BITS;
    is.mcr &= MCR_BITS;
    is.lsr &= UART_LSR_OE;
    is.msr = (uint8_t)((is.msr & MSR_DELTAS) | modem_lines(is.mcr));
    is.sent = is.sent != 0;
    if (is.received_count > depth_of(&is)) {
        return error_set(error, EINVAL,
                         "the snapshot's serial console has %u bytes in a FIFO of %u; take the "
                         "snapshot again", is.received_count, depth_of(&is));
    }
    bus_lock(serial->bus);
    serial->is = is;
    serial->line_is_up = false;
    settle(serial);
    bus_unlock(serial->bus);
    return 0;
}
