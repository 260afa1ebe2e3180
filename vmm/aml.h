/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Writing AML, the byte code of ACPI's objects: one call for each term that the DSDT needs.
 *
 * A term with a length is opened and closed; its length is written in two bytes always, which
 * suffice for 4 KiB, so that nothing has to be moved when it is closed.
 *
 * What is written is ours: a buffer too small for it is our mistake, and asserted.
 *
 * Standard: ACPI 6.4, 20.2 (AML grammar), 6.4 (resource descriptors), 19.3.4 (EISA ids).
 */
#ifndef VMM_AML_H
#define VMM_AML_H

#include <stdint.h>

struct aml {
    uint8_t *bytes;
    uint32_t len_bytes, size_bytes;
};

typedef uint32_t aml_mark;         /* where an open term has its length */

/* ---- objects: @p name has four characters, or is "\_SB_" or alike --------------------------- */

aml_mark aml_scope(struct aml *aml, const char *name);
aml_mark aml_device(struct aml *aml, const char *name);
aml_mark aml_method(struct aml *aml, const char *name, unsigned arguments);
/** The name of what is written next. */
void aml_name(struct aml *aml, const char *name);
aml_mark aml_package(struct aml *aml, uint8_t elements);
aml_mark aml_if(struct aml *aml);
void aml_close(struct aml *aml, aml_mark mark);

/* ---- values ---------------------------------------------------------------------------------- */

void aml_integer(struct aml *aml, uint32_t value);
void aml_string(struct aml *aml, const char *text);
/** As "PNP0A08": three letters and four hexadecimal digits. */
void aml_eisa_id(struct aml *aml, const char *id);
void aml_buffer(struct aml *aml, const uint8_t *bytes, uint8_t len_bytes);
/** Bytes of AML as they are: operators, arguments, locals. */
void aml_code(struct aml *aml, const uint8_t *code, uint32_t len_bytes);

/* ---- resources, between _CRS and aml_resources_close() --------------------------------------- */

struct aml_resources {
    aml_mark mark;
    uint32_t size_at, from;
};

struct aml_resources aml_resources(struct aml *aml);
void aml_resources_close(struct aml *aml, struct aml_resources resources);
void aml_ports(struct aml *aml, uint16_t port, uint8_t count);
/** An edge-triggered interrupt, active high; of the first 16, or of any number. */
void aml_isa_interrupt(struct aml *aml, unsigned line);
void aml_interrupt(struct aml *aml, uint32_t gsi);
void aml_memory(struct aml *aml, uint32_t gpa, uint32_t size_bytes);
/** What a bridge passes on. */
void aml_buses(struct aml *aml, uint16_t first, uint16_t last);
void aml_window(struct aml *aml, uint32_t gpa, uint32_t size_bytes);

#endif
