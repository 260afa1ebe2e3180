/* SPDX-License-Identifier: BSD-3-Clause */
#include "vmm/aml.h"

#include <assert.h>
#include <string.h>

#define LENGTH_BYTES      2u
#define LENGTH_MAX        0xfffu
#define LENGTH_TWO_BYTES  0x40u

/* 20.2: the terms' first bytes. */
#define OP_ZERO           0x00u
#define OP_ONE            0x01u
#define OP_NAME           0x08u
#define OP_BYTE           0x0au
#define OP_WORD           0x0bu
#define OP_DWORD          0x0cu
#define OP_STRING         0x0du
#define OP_SCOPE          0x10u
#define OP_BUFFER         0x11u
#define OP_PACKAGE        0x12u
#define OP_METHOD         0x14u
#define OP_EXTENDED       0x5bu
#define OP_DEVICE         0x82u    /* extended */
#define OP_IF             0xa0u

/* 6.4: the resource descriptors' first bytes, and flags. */
#define RES_IRQ           0x22u
#define RES_IO            0x47u
#define RES_END           0x79u
#define RES_MEMORY_FIXED  0x86u
#define RES_DWORD         0x87u
#define RES_WORD          0x88u
#define RES_INTERRUPT     0x89u
#define IO_DECODE_16      1u
#define MEMORY_WRITABLE   1u
#define INTERRUPT_EDGE    0x3u     /* taken by the device itself; active high, not shared */
#define RANGE_MEMORY      0u
#define RANGE_BUS         2u
#define RANGE_FIXED       0xcu     /* both ends are */

static void put(struct aml *aml, const void *bytes, uint32_t len_bytes)
{
    assert(len_bytes <= aml->size_bytes - aml->len_bytes);
    memcpy(aml->bytes + aml->len_bytes, bytes, len_bytes);
    aml->len_bytes += len_bytes;
}

static void put_8(struct aml *aml, uint8_t value)
{
    put(aml, &value, sizeof(value));
}

static void put_16(struct aml *aml, uint16_t value)
{
    put(aml, &value, sizeof(value));
}

static void put_32(struct aml *aml, uint32_t value)
{
    put(aml, &value, sizeof(value));
}

static aml_mark open_length(struct aml *aml)
{
    const aml_mark mark = aml->len_bytes;

    put_16(aml, 0);
    return mark;
}

static void put_name(struct aml *aml, const char *name)
{
    put(aml, name, (uint32_t)strlen(name));
}

/* ---- objects --------------------------------------------------------------------------------- */

aml_mark aml_scope(struct aml *aml, const char *name)
{
    aml_mark mark;

    put_8(aml, OP_SCOPE);
    mark = open_length(aml);
    put_name(aml, name);
    return mark;
}

aml_mark aml_device(struct aml *aml, const char *name)
{
    aml_mark mark;

    put_8(aml, OP_EXTENDED);
    put_8(aml, OP_DEVICE);
    mark = open_length(aml);
    put_name(aml, name);
    return mark;
}

aml_mark aml_method(struct aml *aml, const char *name, unsigned arguments)
{
    aml_mark mark;

    put_8(aml, OP_METHOD);
    mark = open_length(aml);
    put_name(aml, name);
    put_8(aml, (uint8_t)arguments);
    return mark;
}

void aml_name(struct aml *aml, const char *name)
{
    put_8(aml, OP_NAME);
    put_name(aml, name);
}

aml_mark aml_package(struct aml *aml, uint8_t elements)
{
    aml_mark mark;

    put_8(aml, OP_PACKAGE);
    mark = open_length(aml);
    put_8(aml, elements);
    return mark;
}

aml_mark aml_if(struct aml *aml)
{
    put_8(aml, OP_IF);
    return open_length(aml);
}

/* 20.2.4: a length counts itself; of two bytes the first has its lowest four bits. */
void aml_close(struct aml *aml, aml_mark mark)
{
    const uint32_t length = aml->len_bytes - mark;

    assert(length <= LENGTH_MAX);
    aml->bytes[mark] = (uint8_t)(LENGTH_TWO_BYTES | (length & 0xfu));
    aml->bytes[mark + 1] = (uint8_t)(length >> 4);
}

/* ---- values ---------------------------------------------------------------------------------- */

void aml_integer(struct aml *aml, uint32_t value)
{
    if (value <= 1) {
        put_8(aml, value == 0 ? OP_ZERO : OP_ONE);
    } else if (value <= UINT8_MAX) {
        put_8(aml, OP_BYTE);
        put_8(aml, (uint8_t)value);
    } else if (value <= UINT16_MAX) {
        put_8(aml, OP_WORD);
        put_16(aml, (uint16_t)value);
    } else {
        put_8(aml, OP_DWORD);
        put_32(aml, value);
    }
}

void aml_string(struct aml *aml, const char *text)
{
    put_8(aml, OP_STRING);
    put(aml, text, (uint32_t)strlen(text) + 1);
}

static uint32_t digit_value(char digit)
{
    return (uint32_t)(digit <= '9' ? digit - '0' : digit - 'A' + 10);
}

/* Five bits a letter, four a digit, the first at the top; then the bytes turned round. */
void aml_eisa_id(struct aml *aml, const char *id)
{
    uint32_t value = 0;

    for (unsigned i = 0; i < 3; i++) {
        value = value << 5 | (uint32_t)(id[i] - '@');
    }
    for (unsigned i = 3; i < 7; i++) {
        value = value << 4 | digit_value(id[i]);
    }
    aml_integer(aml, __builtin_bswap32(value));
}

void aml_buffer(struct aml *aml, const uint8_t *bytes, uint8_t len_bytes)
{
    aml_mark mark;

    put_8(aml, OP_BUFFER);
    mark = open_length(aml);
    aml_integer(aml, len_bytes);
    put(aml, bytes, len_bytes);
    aml_close(aml, mark);
}

void aml_code(struct aml *aml, const uint8_t *code, uint32_t len_bytes)
{
    put(aml, code, len_bytes);
}

/* ---- resources ------------------------------------------------------------------------------- */

struct aml_resources aml_resources(struct aml *aml)
{
    struct aml_resources resources;

    put_8(aml, OP_BUFFER);
    resources.mark = open_length(aml);
    put_8(aml, OP_WORD);
    resources.size_at = aml->len_bytes;
    put_16(aml, 0);
    resources.from = aml->len_bytes;
    return resources;
}

void aml_resources_close(struct aml *aml, struct aml_resources resources)
{
    uint16_t size_bytes;

    put_8(aml, RES_END);
    put_8(aml, 0);                 /* no checksum */
    size_bytes = (uint16_t)(aml->len_bytes - resources.from);
    memcpy(aml->bytes + resources.size_at, &size_bytes, sizeof(size_bytes));
    aml_close(aml, resources.mark);
}

void aml_ports(struct aml *aml, uint16_t port, uint8_t count)
{
    put_8(aml, RES_IO);
    put_8(aml, IO_DECODE_16);
    put_16(aml, port);             /* at least */
    put_16(aml, port);             /* at most */
    put_8(aml, 1);                 /* alignment */
    put_8(aml, count);
}

void aml_isa_interrupt(struct aml *aml, unsigned line)
{
    put_8(aml, RES_IRQ);
    put_16(aml, (uint16_t)(1u << line));
}

void aml_interrupt(struct aml *aml, uint32_t gsi)
{
    put_8(aml, RES_INTERRUPT);
    put_16(aml, 6);                /* bytes that follow */
    put_8(aml, INTERRUPT_EDGE);
    put_8(aml, 1);                 /* interrupt */
    put_32(aml, gsi);
}

void aml_memory(struct aml *aml, uint32_t gpa, uint32_t size_bytes)
{
    put_8(aml, RES_MEMORY_FIXED);
    put_16(aml, 9);
    put_8(aml, MEMORY_WRITABLE);
    put_32(aml, gpa);
    put_32(aml, size_bytes);
}

void aml_buses(struct aml *aml, uint16_t first, uint16_t last)
{
    put_8(aml, RES_WORD);
    put_16(aml, 13);
    put_8(aml, RANGE_BUS);
    put_8(aml, RANGE_FIXED);
    put_8(aml, 0);
    put_16(aml, 0);                /* granularity */
    put_16(aml, first);
    put_16(aml, last);
    put_16(aml, 0);                /* translation */
    put_16(aml, (uint16_t)(last - first + 1));
}

void aml_window(struct aml *aml, uint32_t gpa, uint32_t size_bytes)
{
    put_8(aml, RES_DWORD);
    put_16(aml, 23);
    put_8(aml, RANGE_MEMORY);
    put_8(aml, RANGE_FIXED);
    put_8(aml, MEMORY_WRITABLE);
    put_32(aml, 0);                /* granularity */
    put_32(aml, gpa);
    put_32(aml, gpa + size_bytes - 1);
    put_32(aml, 0);                /* translation */
    put_32(aml, size_bytes);
}
