/* SPDX-License-Identifier: BSD-3-Clause */
#include "vmm/dsdt.h"

#include <stdio.h>

#include "vmm/acpi.h"
#include "vmm/pci.h"
#include "vmm/serial.h"
#include "vmm/virtio_mmio.h"

/*
 * Grants all that a kernel asks for (hot plug, errors, power events, MSI): there is no firmware
 * that would do it itself.
 *
 *     Method (_OSC, 4) {
 *         CreateDWordField (Arg3, 0, CDW1)
 *         If (Arg0 != ToUUID ("33db4d5b-1ff7-401c-9657-7441c03dd766")) { CDW1 |= 4 }
 *         Return (Arg3)
 *     }
 */
static void write_osc(struct aml *aml)
{
    static const uint8_t create_field[] = { 0x8a, 0x6b, 0x00, 'C', 'D', 'W', '1' };
    static const uint8_t not_equal_arg0[] = { 0x92, 0x93, 0x68 };
    static const uint8_t uuid[] = { 0x5b, 0x4d, 0xdb, 0x33, 0xf7, 0x1f, 0x1c, 0x40,
                                    0x96, 0x57, 0x74, 0x41, 0xc0, 0x3d, 0xd7, 0x66 };
    static const uint8_t or_4[] = { 0x7d, 'C', 'D', 'W', '1', 0x0a, 0x04, 'C', 'D', 'W', '1' };
    static const uint8_t return_arg3[] = { 0xa4, 0x6b };
    const aml_mark method = aml_method(aml, "_OSC", 4);
    aml_mark condition;

    aml_code(aml, create_field, sizeof(create_field));
    condition = aml_if(aml);
    aml_code(aml, not_equal_arg0, sizeof(not_equal_arg0));
    aml_buffer(aml, uuid, sizeof(uuid));
    aml_code(aml, or_4, sizeof(or_4));
    aml_close(aml, condition);
    aml_code(aml, return_arg3, sizeof(return_arg3));
    aml_close(aml, method);
}

static void write_pci(struct aml *aml)
{
    aml_mark device = aml_device(aml, "PCI0");
    struct aml_resources resources;

    aml_name(aml, "_HID");
    aml_eisa_id(aml, "PNP0A08");           /* PCI Express, */
    aml_name(aml, "_CID");
    aml_eisa_id(aml, "PNP0A03");           /* or else PCI */
    aml_name(aml, "_UID");
    aml_integer(aml, 0);
    aml_name(aml, "_SEG");
    aml_integer(aml, 0);
    aml_name(aml, "_BBN");                 /* its first bus */
    aml_integer(aml, 0);
    aml_name(aml, "_CRS");
    resources = aml_resources(aml);
    aml_buses(aml, 0, DSDT_BUSES - 1);
    aml_window(aml, PCI_MEMORY_GPA, PCI_MEMORY_BYTES);
    aml_resources_close(aml, resources);
    aml_name(aml, "_PRT");                 /* no interrupt pins: all is by MSI */
    aml_close(aml, aml_package(aml, 0));
    write_osc(aml);
    aml_close(aml, device);

    device = aml_device(aml, "ECAM");      /* the board's: nobody else may have this memory */
    aml_name(aml, "_HID");
    aml_eisa_id(aml, "PNP0C02");
    aml_name(aml, "_CRS");
    resources = aml_resources(aml);
    aml_memory(aml, PCI_ECAM_GPA, PCI_ECAM_BYTES);
    aml_resources_close(aml, resources);
    aml_close(aml, device);
}

static void write_serial(struct aml *aml)
{
    const aml_mark device = aml_device(aml, "COM1");
    struct aml_resources resources;

    aml_name(aml, "_HID");
    aml_eisa_id(aml, "PNP0501");           /* a 16550A */
    aml_name(aml, "_UID");
    aml_integer(aml, 1);
    aml_name(aml, "_CRS");
    resources = aml_resources(aml);
    aml_ports(aml, SERIAL_PORT, SERIAL_REGISTERS);
    aml_isa_interrupt(aml, SERIAL_GSI);
    aml_resources_close(aml, resources);
    aml_close(aml, device);
}

static void write_virtio(struct aml *aml, unsigned slot)
{
    struct aml_resources resources;
    aml_mark device;
    char name[5];

    (void)snprintf(name, sizeof(name), "VM%02X", slot & 0xffu);
    device = aml_device(aml, name);
    aml_name(aml, "_HID");
    aml_string(aml, "LNRO0005");           /* what Linux' virtio_mmio looks for */
    aml_name(aml, "_UID");
    aml_integer(aml, slot);
    aml_name(aml, "_CRS");
    resources = aml_resources(aml);
    aml_memory(aml, (uint32_t)VIRTIO_MMIO_BASE_GPA + slot * VIRTIO_MMIO_SIZE_BYTES,
               VIRTIO_MMIO_SIZE_BYTES);
    aml_interrupt(aml, virtio_mmio_gsi(slot));
    aml_resources_close(aml, resources);
    aml_close(aml, device);
}

void dsdt_write(struct aml *aml, bool pci, unsigned mmio_devices)
{
    aml_mark mark;

    aml_name(aml, "_S5_");
    mark = aml_package(aml, 4);
    aml_integer(aml, ACPI_SLEEP_OFF);      /* SLP_TYP of PM1a, then of PM1b, which is not there */
    aml_integer(aml, 0);
    aml_integer(aml, 0);
    aml_integer(aml, 0);
    aml_close(aml, mark);
    mark = aml_scope(aml, "\\_SB_");
    if (pci) {
        write_pci(aml);
    }
    write_serial(aml);
    for (unsigned slot = 0; slot < mmio_devices; slot++) {
        write_virtio(aml, slot);
    }
    aml_close(aml, mark);
}
