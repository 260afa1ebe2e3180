/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The tables are composed in the guest's memory itself, one behind the other, each closed with its
 * length and checksum once it is whole.
 */
#include "vmm/acpi.h"

#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "vmm/aml.h"
#include "vmm/boot.h"
#include "vmm/dsdt.h"
#include "vmm/pci.h"
#include "vmm/virtio_mmio.h"

#define CPUS_MAX          254u             /* 255 is every APIC's id */
#define TABLES_BYTES      (BOOT_KERNEL_GPA - BOOT_ACPI_GPA)
#define TABLE_ALIGN_BYTES 64u              /* what the FACS needs */
#define LAPIC_GPA         0xfee00000u
#define IOAPIC_GPA        0xfec00000u
#define RESET_COMMAND     0x06u            /* full, to ACPI_RESET_PORT */

#define OEM_ID            "VSWTCH"
#define OEM_TABLE_ID      "VSWITCH "
#define CREATOR_ID        "VSWT"

/* 5.2.9: the FADT's flags. */
#define FADT_WBINVD           (1u << 0)
#define FADT_PROC_C1          (1u << 2)
#define FADT_NO_SLEEP_BUTTON  (1u << 5)
#define FADT_NO_RTC_WAKE      (1u << 6)
#define FADT_RESET_REGISTER   (1u << 10)
#define BOOT_LEGACY_DEVICES   (1u << 0)
#define BOOT_NO_VGA           (1u << 2)
#define BOOT_NO_CMOS_RTC      (1u << 5)
#define NO_C2_LATENCY         101u         /* above what the processor states may have */
#define NO_C3_LATENCY         1001u

/* 5.2.12: the MADT's entries. */
#define MADT_PCAT_COMPAT      1u           /* there are two 8259 */
#define MADT_LOCAL_APIC       0u
#define MADT_IO_APIC          1u
#define MADT_OVERRIDE         2u
#define MADT_LOCAL_APIC_NMI   4u
#define MADT_ENABLED          1u
#define MADT_LEVEL_HIGH       0x000du
#define MADT_ALL_PROCESSORS   0xffu

struct acpi_rsdp {
    char signature[8];
    uint8_t checksum;              /* of the first 20 bytes */
    char oem_id[6];
    uint8_t revision;
    uint32_t rsdt_gpa;
    uint32_t length;
    uint64_t xsdt_gpa;
    uint8_t extended_checksum;
    uint8_t reserved[3];
} __attribute__((packed));

struct acpi_header {
    char signature[4];
    uint32_t length;
    uint8_t revision;
    uint8_t checksum;
    char oem_id[6];
    char oem_table_id[8];
    uint32_t oem_revision;
    char creator_id[4];
    uint32_t creator_revision;
} __attribute__((packed));

struct acpi_address {
    uint8_t space, width_bits, offset_bits, access;
    uint64_t address;
} __attribute__((packed));

struct acpi_fadt {
    struct acpi_header header;
    uint32_t facs_gpa, dsdt_gpa;
    uint8_t reserved0, profile;
    uint16_t sci_gsi;
    uint32_t smi_port;
    uint8_t acpi_enable, acpi_disable, s4bios, pstate_control;
    uint32_t pm1a_event, pm1b_event, pm1a_control, pm1b_control, pm2_control, pm_timer, gpe0, gpe1;
    uint8_t pm1_event_bytes, pm1_control_bytes, pm2_control_bytes, pm_timer_bytes;
    uint8_t gpe0_bytes, gpe1_bytes, gpe1_base, cstate_control;
    uint16_t c2_latency_us, c3_latency_us, flush_size, flush_stride;
    uint8_t duty_offset, duty_width, day_alarm, month_alarm, century;
    uint16_t boot_flags;
    uint8_t reserved1;
    uint32_t flags;
    struct acpi_address reset_register;
    uint8_t reset_value;
    uint16_t arm_boot_flags;
    uint8_t minor_revision;
    uint64_t x_facs_gpa, x_dsdt_gpa;
    struct acpi_address x_pm1a_event, x_pm1b_event, x_pm1a_control, x_pm1b_control;
    struct acpi_address x_pm2_control, x_pm_timer, x_gpe0, x_gpe1, sleep_control, sleep_status;
    uint64_t hypervisor_id;
} __attribute__((packed));

struct acpi_facs {
    char signature[4];
    uint32_t length, hardware_signature, waking_vector, global_lock, flags;
    uint64_t x_waking_vector;
    uint8_t version, reserved0[3];
    uint32_t ospm_flags;
    uint8_t reserved1[24];
} __attribute__((packed));

struct madt_head {
    uint32_t local_apic_gpa, flags;
} __attribute__((packed));

struct madt_local_apic {
    uint8_t type, length, uid, apic_id;
    uint32_t flags;
} __attribute__((packed));

struct madt_io_apic {
    uint8_t type, length, id, reserved;
    uint32_t gpa, first_gsi;
} __attribute__((packed));

struct madt_override {
    uint8_t type, length, bus, source;
    uint32_t gsi;
    uint16_t flags;
} __attribute__((packed));

struct madt_nmi {
    uint8_t type, length, uid;
    uint16_t flags;
    uint8_t lint;
} __attribute__((packed));

struct mcfg_entry {
    uint64_t ecam_gpa;
    uint16_t segment;
    uint8_t first_bus, last_bus;
    uint32_t reserved;
} __attribute__((packed));

static_assert(sizeof(struct acpi_rsdp) == 36, "5.2.5.3");
static_assert(sizeof(struct acpi_header) == 36, "5.2.6");
static_assert(sizeof(struct acpi_fadt) == 276, "5.2.9");
static_assert(sizeof(struct acpi_facs) == 64, "5.2.10");

/* The memory that is left, and the table that is being written. */
struct tables {
    uint8_t *bytes;                /* at BOOT_ACPI_GPA */
    uint32_t len_bytes;
    uint32_t begun;
};

static uint8_t checksum_of(const uint8_t *bytes, uint32_t len_bytes)
{
    uint8_t sum = 0;

    for (uint32_t i = 0; i < len_bytes; i++) {
        sum = (uint8_t)(sum + bytes[i]);
    }
    return (uint8_t)-sum;
}

static void put(struct tables *tables, const void *bytes, uint32_t len_bytes)
{
    assert(len_bytes <= TABLES_BYTES - tables->len_bytes);
    memcpy(tables->bytes + tables->len_bytes, bytes, len_bytes);
    tables->len_bytes += len_bytes;
}

static void align(struct tables *tables)
{
    tables->len_bytes = (tables->len_bytes + TABLE_ALIGN_BYTES - 1) & ~(TABLE_ALIGN_BYTES - 1);
}

static struct acpi_header header_of(const char *signature, uint8_t revision)
{
    struct acpi_header header = {
        .revision = revision,
        .oem_revision = 1,
        .creator_revision = 1,
    };

    memcpy(header.signature, signature, sizeof(header.signature));
    memcpy(header.oem_id, OEM_ID, sizeof(header.oem_id));
    memcpy(header.oem_table_id, OEM_TABLE_ID, sizeof(header.oem_table_id));
    memcpy(header.creator_id, CREATOR_ID, sizeof(header.creator_id));
    return header;
}

static void table_begin(struct tables *tables, const char *signature, uint8_t revision)
{
    const struct acpi_header header = header_of(signature, revision);

    align(tables);
    tables->begun = tables->len_bytes;
    put(tables, &header, sizeof(header));
}

/* Returns where the table is. */
static uint32_t table_end(struct tables *tables)
{
    uint8_t *table = tables->bytes + tables->begun;
    const uint32_t length = tables->len_bytes - tables->begun;

    memcpy(table + offsetof(struct acpi_header, length), &length, sizeof(length));
    table[offsetof(struct acpi_header, checksum)] = checksum_of(table, length);
    return BOOT_ACPI_GPA + tables->begun;
}

static uint32_t write_dsdt(struct tables *tables, const struct acpi_config *config)
{
    struct aml aml;

    table_begin(tables, "DSDT", 2);        /* from 2 on integers have 64 bits */
    aml = (struct aml){
        .bytes = tables->bytes + tables->len_bytes,
        .size_bytes = TABLES_BYTES - tables->len_bytes,
    };
    dsdt_write(&aml, config->pci, config->mmio_devices);
    tables->len_bytes += aml.len_bytes;
    return table_end(tables);
}

static uint32_t write_facs(struct tables *tables)
{
    const struct acpi_facs facs = { .signature = "FACS", .length = sizeof(facs), .version = 2 };
    uint32_t at;

    align(tables);
    at = tables->len_bytes;
    put(tables, &facs, sizeof(facs));
    return BOOT_ACPI_GPA + at;
}

static struct acpi_address port_of(uint16_t port, uint8_t width_bits)
{
    return (struct acpi_address){
        .space = 1,                        /* I/O ports */
        .width_bits = width_bits,
        .access = width_bits == 8 ? 1 : 2, /* a byte, or a word, at a time */
        .address = port,
    };
}

static uint32_t write_fadt(struct tables *tables, uint32_t facs_gpa, uint32_t dsdt_gpa)
{
    const struct acpi_fadt fadt = {
        .facs_gpa = facs_gpa,
        .dsdt_gpa = dsdt_gpa,
        .sci_gsi = ACPI_SCI_GSI,
        .pm1a_event = ACPI_PM1_PORT,
        .pm1a_control = ACPI_PM1_PORT + 4,
        .pm1_event_bytes = 4,
        .pm1_control_bytes = 2,
        .c2_latency_us = NO_C2_LATENCY,
        .c3_latency_us = NO_C3_LATENCY,
        .boot_flags = BOOT_LEGACY_DEVICES | BOOT_NO_VGA | BOOT_NO_CMOS_RTC,
        .flags = FADT_WBINVD | FADT_PROC_C1 | FADT_NO_SLEEP_BUTTON | FADT_NO_RTC_WAKE |
                 FADT_RESET_REGISTER,
        .reset_register = port_of(ACPI_RESET_PORT, 8),
        .reset_value = RESET_COMMAND,
        .minor_revision = 4,
        .x_dsdt_gpa = dsdt_gpa,
        .x_pm1a_event = port_of(ACPI_PM1_PORT, 32),
        .x_pm1a_control = port_of(ACPI_PM1_PORT + 4, 16),
    };

    table_begin(tables, "FACP", 6);
    put(tables, &fadt.facs_gpa, sizeof(fadt) - offsetof(struct acpi_fadt, facs_gpa));
    return table_end(tables);
}

/* Lines and pins have the same numbers, the timer's too; of the ISA's, only the SCI is by level. */
static uint32_t write_madt(struct tables *tables, unsigned cpus)
{
    const struct madt_head head = { .local_apic_gpa = LAPIC_GPA, .flags = MADT_PCAT_COMPAT };
    const struct madt_io_apic io_apic = {
        .type = MADT_IO_APIC, .length = sizeof(io_apic), .gpa = IOAPIC_GPA,
    };
    const struct madt_override sci = {
        .type = MADT_OVERRIDE, .length = sizeof(sci),
        .source = ACPI_SCI_GSI, .gsi = ACPI_SCI_GSI, .flags = MADT_LEVEL_HIGH,
    };
    const struct madt_nmi nmi = {
        .type = MADT_LOCAL_APIC_NMI, .length = sizeof(nmi), .uid = MADT_ALL_PROCESSORS, .lint = 1,
    };

    table_begin(tables, "APIC", 5);
    put(tables, &head, sizeof(head));
    for (unsigned i = 0; i < cpus; i++) {
        const struct madt_local_apic local_apic = {
            .type = MADT_LOCAL_APIC, .length = sizeof(local_apic),
            .uid = (uint8_t)i, .apic_id = (uint8_t)i, .flags = MADT_ENABLED,
        };

        put(tables, &local_apic, sizeof(local_apic));
    }
    put(tables, &io_apic, sizeof(io_apic));
    put(tables, &sci, sizeof(sci));
    put(tables, &nmi, sizeof(nmi));
    return table_end(tables);
}

static uint32_t write_mcfg(struct tables *tables)
{
    const struct mcfg_entry entry = { .ecam_gpa = PCI_ECAM_GPA, .last_bus = DSDT_BUSES - 1 };
    const uint64_t reserved = 0;

    table_begin(tables, "MCFG", 1);
    put(tables, &reserved, sizeof(reserved));
    put(tables, &entry, sizeof(entry));
    return table_end(tables);
}

static uint32_t write_xsdt(struct tables *tables, const uint32_t *table_gpa, unsigned count)
{
    table_begin(tables, "XSDT", 1);
    for (unsigned i = 0; i < count; i++) {
        const uint64_t gpa = table_gpa[i];

        put(tables, &gpa, sizeof(gpa));
    }
    return table_end(tables);
}

/* At the very beginning, where kernels look that were not told of it. */
static void write_rsdp(struct tables *tables, uint32_t xsdt_gpa)
{
    struct acpi_rsdp rsdp = { .revision = 2, .length = sizeof(rsdp), .xsdt_gpa = xsdt_gpa };

    memcpy(rsdp.signature, "RSD PTR ", sizeof(rsdp.signature));
    memcpy(rsdp.oem_id, OEM_ID, sizeof(rsdp.oem_id));
    rsdp.checksum = checksum_of((const uint8_t *)&rsdp, offsetof(struct acpi_rsdp, length));
    rsdp.extended_checksum = checksum_of((const uint8_t *)&rsdp, sizeof(rsdp));
    memcpy(tables->bytes, &rsdp, sizeof(rsdp));
}

int acpi_write(struct ram *ram, const struct acpi_config *config, uint64_t *rsdp_gpa,
               struct error *error)
{
    struct tables tables = { .bytes = ram_at(ram, BOOT_ACPI_GPA, TABLES_BYTES) };
    uint32_t facs_gpa, dsdt_gpa, xsdt_gpa;
    uint32_t table_gpa[3];
    unsigned count = 0;

    assert(tables.bytes != NULL);
    if (config->cpus == 0 || config->cpus > CPUS_MAX ||
        config->mmio_devices > VIRTIO_MMIO_SLOTS_MAX) {
        return error_set(error, EINVAL,
                         "there are no ACPI tables for %u processors and %u virtio-mmio devices: "
                         "1 to %u and up to %u are possible", config->cpus, config->mmio_devices,
                         CPUS_MAX, VIRTIO_MMIO_SLOTS_MAX);
    }
    tables.len_bytes = sizeof(struct acpi_rsdp);
    facs_gpa = write_facs(&tables);
    dsdt_gpa = write_dsdt(&tables, config);
    table_gpa[count++] = write_fadt(&tables, facs_gpa, dsdt_gpa);
    table_gpa[count++] = write_madt(&tables, config->cpus);
    if (config->pci) {
        table_gpa[count++] = write_mcfg(&tables);
    }
    xsdt_gpa = write_xsdt(&tables, table_gpa, count);
    write_rsdp(&tables, xsdt_gpa);
    *rsdp_gpa = BOOT_ACPI_GPA;
    return 0;
}
