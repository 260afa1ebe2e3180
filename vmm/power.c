/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The PM1 registers are kept as bytes, and written byte by byte: so an access of any width does
 * what the registers it covers would do one by one.
 */
#include "vmm/power.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "vmm/acpi.h"

/* PM1, by bytes. */
enum pm1_byte { STATUS_LOW, STATUS_HIGH, ENABLE_LOW, ENABLE_HIGH, CONTROL_LOW, CONTROL_HIGH,
                PM1_BYTES };

/* Bits of a register's low byte. */
#define GLOBAL            0x20u    /* STATUS, ENABLE: the global lock */
#define SCI_EN            0x01u    /* CONTROL: ACPI mode */
#define BM_RLD            0x02u    /* CONTROL: of no effect, but kept */
/* Bits of a register's high byte. */
#define POWER_BUTTON      0x01u    /* STATUS, ENABLE */
#define SLP_TYP_SHIFT     2u       /* CONTROL */
#define SLP_TYP_MASK      0x07u
#define SLP_EN            0x20u    /* CONTROL: written only, and then it sleeps */

/* Port 0xcf9. */
#define CF9_SYSTEM        0x02u
#define CF9_DO_RESET      0x04u
#define CF9_FULL          0x08u

#define KEYBOARD_PORT     0x64u
#define KEYBOARD_RESET    0xfeu
#define KEYBOARD_IDLE     0xfdu    /* nobody's ones, but for "busy", which some wait for to end */

struct power {
    struct bus *bus;
    struct irq *irq;
    void (*ended)(void *context, enum vcpu_end end, const char *why);
    void *context;
    unsigned on_bus;               /* of the ranges below, in order */
    /* ---- under the bus's lock ---- */
    uint8_t pm1[PM1_BYTES];
    uint8_t reset_control;
};

/* The SCI is level-triggered: it is up while something enabled has happened. */
static void sci_update(struct power *power)
{
    const bool up = (power->pm1[STATUS_HIGH] & power->pm1[ENABLE_HIGH] & POWER_BUTTON) != 0;

    (void)irq_set_level(power->irq, ACPI_SCI_GSI, up);
}

/* ---- PM1 ------------------------------------------------------------------------------------- */

static void pm1_read(void *context, uint64_t offset, uint8_t *data, unsigned len_bytes)
{
    const struct power *power = context;

    for (unsigned i = 0; i < len_bytes; i++) {
        data[i] = power->pm1[offset + i];
    }
}

static void pm1_write_byte(struct power *power, enum pm1_byte byte, uint8_t value)
{
    switch (byte) {
    case STATUS_LOW:
    case STATUS_HIGH:
        power->pm1[byte] &= (uint8_t)~value;       /* writing 1 clears */
        break;
    case ENABLE_LOW:
        power->pm1[byte] = value & GLOBAL;
        break;
    case ENABLE_HIGH:
        power->pm1[byte] = value & POWER_BUTTON;
        break;
    case CONTROL_LOW:
        power->pm1[byte] = (value & BM_RLD) | SCI_EN;
        break;
    case CONTROL_HIGH:
        power->pm1[byte] = value & (SLP_TYP_MASK << SLP_TYP_SHIFT);
        if ((value & SLP_EN) != 0 && (value >> SLP_TYP_SHIFT & SLP_TYP_MASK) == ACPI_SLEEP_OFF) {
            power->ended(power->context, VCPU_END_POWER_OFF, "");
        }
        break;
    case PM1_BYTES:
        break;
    }
}

static void pm1_write(void *context, uint64_t offset, const uint8_t *data, unsigned len_bytes)
{
    struct power *power = context;

    for (unsigned i = 0; i < len_bytes; i++) {
        pm1_write_byte(power, (enum pm1_byte)(offset + i), data[i]);
    }
    sci_update(power);
}

/* ---- resets ---------------------------------------------------------------------------------- */

static void cf9_read(void *context, uint64_t offset, uint8_t *data, unsigned len_bytes)
{
    const struct power *power = context;

    (void)offset;
    (void)len_bytes;
    data[0] = power->reset_control;
}

static void cf9_write(void *context, uint64_t offset, const uint8_t *data, unsigned len_bytes)
{
    struct power *power = context;

    (void)offset;
    (void)len_bytes;
    power->reset_control = data[0] & (CF9_SYSTEM | CF9_FULL);
    if ((data[0] & CF9_DO_RESET) != 0) {
        power->ended(power->context, VCPU_END_RESET, "");
    }
}

static void keyboard_read(void *context, uint64_t offset, uint8_t *data, unsigned len_bytes)
{
    (void)context;
    (void)offset;
    (void)len_bytes;
    data[0] = KEYBOARD_IDLE;
}

static void keyboard_write(void *context, uint64_t offset, const uint8_t *data,
                           unsigned len_bytes)
{
    struct power *power = context;

    (void)offset;
    (void)len_bytes;
    if (data[0] == KEYBOARD_RESET) {
        power->ended(power->context, VCPU_END_RESET, "");
    }
}

static const struct {
    uint16_t port, size_bytes;
    struct bus_ops ops;
} ranges[] = {
    { ACPI_PM1_PORT, PM1_BYTES, { .read = pm1_read, .write = pm1_write } },
    { ACPI_RESET_PORT, 1, { .read = cf9_read, .write = cf9_write } },
    { KEYBOARD_PORT, 1, { .read = keyboard_read, .write = keyboard_write } },
};

#define RANGE_COUNT (sizeof(ranges) / sizeof(ranges[0]))

/* ---- the machine's --------------------------------------------------------------------------- */

struct power *power_create(struct bus *bus, struct irq *irq,
                           void (*ended)(void *context, enum vcpu_end end, const char *why),
                           void *context, struct error *error)
{
    struct power *power = calloc(1, sizeof(*power));

    if (power == NULL) {
        (void)error_set(error, ENOMEM, "no memory for the VM's power button: give the host more");
        return NULL;
    }
    *power = (struct power){ .bus = bus, .irq = irq, .ended = ended, .context = context };
    power->pm1[CONTROL_LOW] = SCI_EN;
    while (power->on_bus < RANGE_COUNT) {
        if (bus_add(bus, BUS_PORTS, ranges[power->on_bus].port, ranges[power->on_bus].size_bytes,
                    &ranges[power->on_bus].ops, power, error) != 0) {
            power_destroy(power);
            return NULL;
        }
        power->on_bus++;
    }
    sci_update(power);             /* a guest before a reset may have left it up */
    return power;
}

void power_destroy(struct power *power)
{
    if (power == NULL) {
        return;
    }
    while (power->on_bus > 0) {
        bus_remove(power->bus, BUS_PORTS, ranges[--power->on_bus].port);
    }
    free(power);
}

int power_button(struct power *power)
{
    bool heard;

    bus_lock(power->bus);
    heard = (power->pm1[ENABLE_HIGH] & POWER_BUTTON) != 0;
    if (heard) {
        power->pm1[STATUS_HIGH] |= POWER_BUTTON;
        sci_update(power);
    }
    bus_unlock(power->bus);
    return heard;
}

/* ---- snapshots ------------------------------------------------------------------------------- */

static uint16_t word_of(const uint8_t low_and_high[2])
{
    return (uint16_t)(low_and_high[0] | low_and_high[1] << 8);
}

void power_save(const struct power *power, struct power_state *state)
{
    *state = (struct power_state){
        .status = word_of(&power->pm1[STATUS_LOW]),
        .enable = word_of(&power->pm1[ENABLE_LOW]),
        .control = word_of(&power->pm1[CONTROL_LOW]),
        .reset_control = power->reset_control,
    };
}

void power_restore(struct power *power, const struct power_state *state)
{
    bus_lock(power->bus);
    power->pm1[STATUS_LOW] = 0;
    power->pm1[STATUS_HIGH] = state->status >> 8 & POWER_BUTTON;
    power->pm1[ENABLE_LOW] = state->enable & GLOBAL;
    power->pm1[ENABLE_HIGH] = state->enable >> 8 & POWER_BUTTON;
    power->pm1[CONTROL_LOW] = (state->control & BM_RLD) | SCI_EN;
    power->pm1[CONTROL_HIGH] = state->control >> 8 & (SLP_TYP_MASK << SLP_TYP_SHIFT);
    power->reset_control = state->reset_control & (CF9_SYSTEM | CF9_FULL);
    sci_update(power);
    bus_unlock(power->bus);
}
