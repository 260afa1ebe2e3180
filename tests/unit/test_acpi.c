/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The ACPI tables as a kernel goes through them, and as Intel's compiler reads them.
 */
#include "vmm/acpi.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "vmm/pci.h"
#include "vmm/virtio_mmio.h"

#define RAM_BYTES    (UINT64_C(16) << 20)
#define TABLES_FROM  0xe0000u
#define TABLES_END   0x100000u
#define HEADER_BYTES 36u

static int ram_setup(void **state)
{
    struct ram *ram = calloc(1, sizeof(*ram));

    *state = ram;
    return ram_create(ram, RAM_BYTES, NULL);
}

static int ram_teardown(void **state)
{
    struct ram *ram = *state;

    ram_destroy(ram);
    free(ram);
    return 0;
}

static const uint8_t *at(const struct ram *ram, uint64_t gpa, uint64_t len_bytes)
{
    const uint8_t *bytes = ram_at(ram, gpa, len_bytes);

    assert_in_range(gpa, TABLES_FROM, TABLES_END);
    assert_true(len_bytes <= TABLES_END - gpa);
    assert_non_null(bytes);
    return bytes;
}

static uint64_t value(const uint8_t *table, unsigned offset, unsigned len_bytes)
{
    uint64_t number = 0;

    memcpy(&number, table + offset, len_bytes);
    return number;
}

static uint8_t sum(const uint8_t *bytes, uint64_t len_bytes)
{
    uint8_t total = 0;

    for (uint64_t i = 0; i < len_bytes; i++) {
        total = (uint8_t)(total + bytes[i]);
    }
    return total;
}

/* A table of which all but the address is believed when its checksum is right. */
static const uint8_t *table_at(const struct ram *ram, uint64_t gpa, uint64_t *len_bytes)
{
    *len_bytes = value(at(ram, gpa, HEADER_BYTES), 4, 4);
    assert_int_equal(sum(at(ram, gpa, *len_bytes), *len_bytes), 0);
    return at(ram, gpa, *len_bytes);
}

/* Goes from the RSDP to the table of that signature; NULL when there is none. */
static const uint8_t *find(const struct ram *ram, const char *signature, uint64_t *len_bytes)
{
    const uint8_t *rsdp = at(ram, TABLES_FROM, HEADER_BYTES);
    const uint8_t *xsdt, *table;
    uint64_t xsdt_bytes;

    assert_memory_equal(rsdp, "RSD PTR ", 8);
    assert_int_equal(sum(rsdp, 20), 0);
    assert_int_equal(sum(rsdp, 36), 0);
    xsdt = table_at(ram, value(rsdp, 24, 8), &xsdt_bytes);
    assert_memory_equal(xsdt, "XSDT", 4);
    for (unsigned i = HEADER_BYTES; i < xsdt_bytes; i += 8) {
        table = table_at(ram, value(xsdt, i, 8), len_bytes);
        if (memcmp(table, signature, 4) == 0) {
            return table;
        }
    }
    return NULL;
}

static const uint8_t *find_dsdt(const struct ram *ram, uint64_t *len_bytes)
{
    const uint8_t *fadt = find(ram, "FACP", len_bytes);

    assert_non_null(fadt);
    assert_int_equal(value(fadt, 40, 4), value(fadt, 140, 8));
    return table_at(ram, value(fadt, 40, 4), len_bytes);
}

static void write_tables(struct ram *ram, unsigned cpus, bool pci, unsigned mmio_devices)
{
    const struct acpi_config config = { .cpus = cpus, .pci = pci, .mmio_devices = mmio_devices };
    uint64_t rsdp_gpa = 0;

    assert_int_equal(acpi_write(ram, &config, &rsdp_gpa, NULL), 0);
    assert_int_equal(rsdp_gpa, TABLES_FROM);           /* where a kernel would look by itself */
}

static void test_acpi_fadt_tells_of_pm1_and_reset_and_of_nothing_else(void **state)
{
    struct ram *ram = *state;
    const uint8_t *fadt, *facs;
    uint64_t len_bytes;

    write_tables(ram, 1, true, 0);
    fadt = find(ram, "FACP", &len_bytes);

    assert_int_equal(len_bytes, 276);
    assert_int_equal(value(fadt, 46, 2), ACPI_SCI_GSI);
    assert_int_equal(value(fadt, 48, 4), 0);           /* no SMI command: always in ACPI mode */
    assert_int_equal(value(fadt, 56, 4), ACPI_PM1_PORT);
    assert_int_equal(value(fadt, 64, 4), ACPI_PM1_PORT + 4);
    assert_int_equal(value(fadt, 76, 4), 0);           /* no PM timer */
    assert_int_equal(value(fadt, 88, 1), 4);
    assert_int_equal(value(fadt, 89, 1), 2);
    assert_int_equal(value(fadt, 109, 2), 0x25);       /* COM1; no 8042, no VGA, no CMOS clock */
    assert_int_equal(value(fadt, 112, 4) >> 10 & 1, 1);
    assert_int_equal(value(fadt, 112, 4) >> 20 & 1, 0);    /* not hardware-reduced */
    assert_int_equal(value(fadt, 112, 4) >> 4 & 1, 0);     /* the power button is a fixed one */
    assert_int_equal(value(fadt, 120, 8), ACPI_RESET_PORT);
    assert_int_equal(value(fadt, 128, 1), 0x06);
    assert_int_equal(value(fadt, 152, 8), ACPI_PM1_PORT);
    assert_int_equal(value(fadt, 176, 8), ACPI_PM1_PORT + 4);
    facs = at(ram, value(fadt, 36, 4), 64);
    assert_memory_equal(facs, "FACS", 4);
    assert_int_equal(value(fadt, 36, 4) % 64, 0);
}

static void test_acpi_madt_has_each_processor_and_the_sci_by_level(void **state)
{
    const unsigned counts[] = { 1, 2, 64, 254 };
    struct ram *ram = *state;

    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        unsigned found[5] = { 0 };
        const uint8_t *madt;
        uint64_t len_bytes;

        write_tables(ram, counts[i], true, 0);
        madt = find(ram, "APIC", &len_bytes);
        assert_int_equal(value(madt, 36, 4), 0xfee00000);
        for (uint64_t entry = 44; entry < len_bytes; entry += madt[entry + 1]) {
            assert_in_range(madt[entry], 0, 4);
            if (madt[entry] == 0) {
                assert_int_equal(madt[entry + 3], found[0]);
                assert_int_equal(value(madt, (unsigned)entry + 4, 4), 1);
            } else if (madt[entry] == 2) {
                assert_int_equal(madt[entry + 3], ACPI_SCI_GSI);
                assert_int_equal(value(madt, (unsigned)entry + 4, 4), ACPI_SCI_GSI);
                assert_int_equal(value(madt, (unsigned)entry + 8, 2), 0x000d);
            }
            found[madt[entry]]++;
        }

        assert_int_equal(found[0], counts[i]);
        assert_int_equal(found[1], 1);
        assert_int_equal(found[2], 1);                 /* no other line has another number */
    }
}

static void test_acpi_mcfg_is_there_with_pci_only(void **state)
{
    struct ram *ram = *state;
    const uint8_t *mcfg;
    uint64_t len_bytes;

    write_tables(ram, 1, true, 0);
    mcfg = find(ram, "MCFG", &len_bytes);
    assert_non_null(mcfg);
    assert_int_equal(len_bytes, 60);
    assert_int_equal(value(mcfg, 44, 8), PCI_ECAM_GPA);
    assert_int_equal(value(mcfg, 54, 1), 0);
    assert_int_equal(value(mcfg, 55, 1), 255);
    write_tables(ram, 1, false, 1);

    assert_null(find(ram, "MCFG", &len_bytes));
}

static void test_acpi_dsdt_has_what_the_machine_has(void **state)
{
    struct ram *ram = *state;
    const uint8_t *dsdt;
    uint64_t len_bytes;

    write_tables(ram, 1, true, 0);
    dsdt = find_dsdt(ram, &len_bytes);
    assert_non_null(memmem(dsdt, len_bytes, "_S5_\x12\x48\x00\x04\x0a\x05", 10));
    assert_non_null(memmem(dsdt, len_bytes, "PCI0", 4));
    assert_non_null(memmem(dsdt, len_bytes, "COM1", 4));
    assert_null(memmem(dsdt, len_bytes, "LNRO0005", 9));
    write_tables(ram, 1, false, 2);
    dsdt = find_dsdt(ram, &len_bytes);

    assert_null(memmem(dsdt, len_bytes, "PCI0", 4));
    assert_non_null(memmem(dsdt, len_bytes, "VM01", 4));
    assert_null(memmem(dsdt, len_bytes, "VM02", 4));
}

static void test_acpi_tables_of_other_machines_are_refused(void **state)
{
    const struct acpi_config configs[] = {
        { .cpus = 0 },
        { .cpus = 255 },
        { .cpus = 1, .mmio_devices = VIRTIO_MMIO_SLOTS_MAX + 1 },
    };

    for (size_t i = 0; i < sizeof(configs) / sizeof(configs[0]); i++) {
        struct error error = { 0 };
        uint64_t rsdp_gpa;

        assert_int_equal(acpi_write(*state, &configs[i], &rsdp_gpa, &error), -EINVAL);
        assert_non_null(strstr(error.text, "1 to 254 and up to 18 are possible"));
    }
}

/* ---- as iasl reads them ---------------------------------------------------------------------- */

/* Runs a command in @p folder; what it printed goes to @p text.  Returns its status. */
static int run(const char *folder, const char *command, char *text, size_t size)
{
    char line[512];
    FILE *pipe;
    size_t length;

    (void)snprintf(line, sizeof(line), "cd '%s' && { %s; } 2>&1", folder, command);
    pipe = popen(line, "r");
    assert_non_null(pipe);
    length = fread(text, 1, size - 1, pipe);
    text[length] = '\0';
    return pclose(pipe);
}

static void write_file(const char *folder, const char *name, const uint8_t *bytes,
                       uint64_t len_bytes)
{
    char path[256];
    FILE *file;

    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, len_bytes, file), len_bytes);
    assert_int_equal(fclose(file), 0);
}

/* All tables are taken apart; the DSDT is put together again without a warning. */
static void check_by_iasl(struct ram *ram, const char *folder, bool pci)
{
    static const char *const names[] = { "FACP", "APIC", "MCFG" };
    const uint8_t *table;
    uint64_t len_bytes;
    char command[256], text[8192];

    for (unsigned i = 0; i < (pci ? 3 : 2); i++) {
        table = find(ram, names[i], &len_bytes);
        write_file(folder, names[i], table, len_bytes);
        (void)snprintf(command, sizeof(command),
                       "iasl -d %s && ! grep -E 'Error|Warning|Invalid|Incorrect|Unknown' %s.dsl",
                       names[i], names[i]);
        assert_int_equal(run(folder, command, text, sizeof(text)), 0);
    }
    table = find_dsdt(ram, &len_bytes);
    write_file(folder, "dsdt.dat", table, len_bytes);
    assert_int_equal(run(folder, "iasl -d dsdt.dat && iasl dsdt.dsl", text, sizeof(text)), 0);
    assert_non_null(strstr(text, "0 Errors, 0 Warnings"));
}

static void test_acpi_tables_are_read_by_intels_compiler(void **state)
{
    struct ram *ram = *state;
    char folder[] = "/tmp/acpi-XXXXXX";
    char text[4096];

    if (run("/", "command -v iasl", text, sizeof(text)) != 0) {
        print_message("# skip: there is no iasl (acpica-tools) to read the tables\n");
        skip();
    }
    assert_non_null(mkdtemp(folder));
    write_tables(ram, 64, true, 0);
    check_by_iasl(ram, folder, true);
    write_tables(ram, 2, false, VIRTIO_MMIO_SLOTS_MAX);
    check_by_iasl(ram, folder, false);

    assert_int_equal(run(folder, "rm -- *", text, sizeof(text)), 0);
    assert_int_equal(rmdir(folder), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, ram_setup, ram_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_acpi_fadt_tells_of_pm1_and_reset_and_of_nothing_else),
        TEST(test_acpi_madt_has_each_processor_and_the_sci_by_level),
        TEST(test_acpi_mcfg_is_there_with_pci_only),
        TEST(test_acpi_dsdt_has_what_the_machine_has),
        TEST(test_acpi_tables_of_other_machines_are_refused),
        TEST(test_acpi_tables_are_read_by_intels_compiler),
    };
#undef TEST

    return cmocka_run_group_tests(tests, NULL, NULL);
}
