/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Decoding the few instructions that are lent, byte by byte as an assembler writes them.
 */
#include "vmm/lend.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define RIP UINT64_C(0xffffffff81000000)

static const struct kvm_regs regs = {
    .rax = 0x1000, .rbx = 0x2000, .rcx = 0x3000, .rdx = 0x4000, .rsp = 0x5000, .rbp = 0x6000,
    .rsi = 0x7000, .rdi = 0x8000, .r12 = 0xc000, .r13 = 0xd000, .r14 = 0xe000, .rip = RIP,
};

#define BYTES(...) (const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ })

static struct lend_decoded decode(const uint8_t *bytes, size_t len_bytes)
{
    struct lend_decoded decoded;

    assert_true(lend_decode(bytes, (unsigned)len_bytes, &regs, &decoded));
    assert_int_equal(decoded.len_bytes, len_bytes);
    /* No prefix of it is an instruction, and what follows it does not matter. */
    for (size_t less = 0; less < len_bytes; less++) {
        struct lend_decoded cut;

        assert_false(lend_decode(bytes, (unsigned)less, &regs, &cut));
    }
    return decoded;
}

static void test_lend_short_instructions_are_known(void **state)
{
    (void)state;

    assert_int_equal(decode(BYTES(0xcc)).kind, LEND_INT3);
    assert_int_equal(decode(BYTES(0x9b)).kind, LEND_FWAIT);
    assert_int_equal(decode(BYTES(0x0f, 0x01, 0xca)).kind, LEND_CLAC);
    assert_int_equal(decode(BYTES(0x0f, 0x01, 0xcb)).kind, LEND_STAC);
}

static void test_lend_popcnt_of_registers(void **state)
{
    /* popcnt %edi,%eax; popcnt %rdi,%rax; popcnt %r9,%r12 */
    const struct lend_decoded narrow = decode(BYTES(0xf3, 0x0f, 0xb8, 0xc7));
    const struct lend_decoded wide = decode(BYTES(0xf3, 0x48, 0x0f, 0xb8, 0xc7));
    const struct lend_decoded high = decode(BYTES(0xf3, 0x4d, 0x0f, 0xb8, 0xe1));
    (void)state;

    assert_int_equal(narrow.kind, LEND_POPCNT);
    assert_int_equal(narrow.operand_bytes, 4);
    assert_false(narrow.is_memory);
    assert_int_equal(narrow.source, 7);
    assert_int_equal(narrow.target, 0);
    assert_int_equal(wide.operand_bytes, 8);
    assert_int_equal(high.source, 9);
    assert_int_equal(high.target, 12);
}

static uint64_t address(const uint8_t *bytes, size_t len_bytes)
{
    const struct lend_decoded decoded = decode(bytes, len_bytes);

    assert_int_equal(decoded.kind, LEND_LDMXCSR);
    assert_true(decoded.is_memory);
    return decoded.address;
}

static void test_lend_ldmxcsr_finds_its_operand_by_every_form_of_address(void **state)
{
    (void)state;

    /* (%rax) -4(%rbp) 0x100(%rbx) */
    assert_true(address(BYTES(0x0f, 0xae, 0x10)) == 0x1000);
    assert_true(address(BYTES(0x0f, 0xae, 0x55, 0xfc)) == 0x6000 - 4);
    assert_true(address(BYTES(0x0f, 0xae, 0x93, 0x00, 0x01, 0x00, 0x00)) == 0x2100);
    /* -1(%rip): counts from the end */
    assert_true(address(BYTES(0x0f, 0xae, 0x15, 0xff, 0xff, 0xff, 0xff)) == RIP + 6);
    /* (%rsp) 8(%rsp) (%r12) 0(%r13) */
    assert_true(address(BYTES(0x0f, 0xae, 0x14, 0x24)) == 0x5000);
    assert_true(address(BYTES(0x0f, 0xae, 0x54, 0x24, 0x08)) == 0x5008);
    assert_true(address(BYTES(0x41, 0x0f, 0xae, 0x14, 0x24)) == 0xc000);
    assert_true(address(BYTES(0x41, 0x0f, 0xae, 0x55, 0x00)) == 0xd000);
    /* 4(%rax,%rcx,8) (%r14,%r12,2) 0x10(,%rdx,4) -16 */
    assert_true(address(BYTES(0x0f, 0xae, 0x54, 0xc8, 0x04)) == 0x1000 + 0x3000 * 8 + 4);
    assert_true(address(BYTES(0x43, 0x0f, 0xae, 0x14, 0x66)) == 0xe000 + 0xc000 * 2);
    assert_true(address(BYTES(0x0f, 0xae, 0x14, 0x95, 0x10, 0, 0, 0)) == 0x10000 + 0x10);
    assert_true(address(BYTES(0x0f, 0xae, 0x14, 0x25, 0xf0, 0xff, 0xff, 0xff)) == UINT64_MAX - 15);
}

static void test_lend_leaves_all_else_alone(void **state)
{
    static const uint8_t others[][4] = {
        { 0x90 }, { 0x0f, 0x0b }, { 0x0f, 0x01, 0xc9 }, { 0x0f, 0x01, 0xcc },
        { 0x0f, 0xae, 0xd0 },      /* /2 with a register: not ldmxcsr */
        { 0x0f, 0xae, 0x18 },      /* stmxcsr */
        { 0x0f, 0xb8, 0xc7 },      /* without F3 */
        { 0xf3, 0x0f, 0xae, 0x10 }, { 0xf3, 0x0f, 0x01, 0xca }, { 0xf3, 0xf3, 0x0f, 0xb8 },
        { 0x48, 0xcc }, { 0x66, 0x0f, 0xae, 0x10 },
    };
    struct lend_decoded decoded;
    (void)state;

    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        assert_false(lend_decode(others[i], sizeof(others[i]), &regs, &decoded));
    }
}

static void test_lend_any_bytes_are_decoded_within_bounds(void **state)
{
    static const uint8_t starts[][3] = {
        { 0x0f, 0xae }, { 0xf3, 0x0f, 0xb8 }, { 0x43, 0x0f, 0xae },
    };
    (void)state;

    for (unsigned i = 0; i < 3 * 65536; i++) {
        const uint8_t *start = starts[i >> 16];
        const uint8_t bytes[] = { start[0], start[1], start[2], (uint8_t)i, (uint8_t)(i >> 8) };
        struct lend_decoded decoded;

        for (unsigned len_bytes = 0; len_bytes <= sizeof(bytes); len_bytes++) {
            uint8_t exact[sizeof(bytes)];

            for (unsigned j = 0; j < len_bytes; j++) {
                exact[sizeof(bytes) - len_bytes + j] = bytes[j];
            }
            if (lend_decode(exact + sizeof(bytes) - len_bytes, len_bytes, &regs, &decoded)) {
                assert_true(decoded.len_bytes <= len_bytes);
                assert_true(decoded.target < 16 && decoded.source < 16);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lend_short_instructions_are_known),
        cmocka_unit_test(test_lend_popcnt_of_registers),
        cmocka_unit_test(test_lend_ldmxcsr_finds_its_operand_by_every_form_of_address),
        cmocka_unit_test(test_lend_leaves_all_else_alone),
        cmocka_unit_test(test_lend_any_bytes_are_decoded_within_bounds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
