/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The command line is what the guest does: words, obeyed from left to right.
 *
 *     virtio_mmio.device=SIZE@BASE:GSI   where a device is, as Linux is told; any number of these
 *     ecam=ADDRESS  features=MASK        PCI's configuration space; more features to take
 *     idle=poll|wait                     whether to leave the processor when there is nothing to do
 *     nic=N                              which NIC the words after this are for; 0 at first
 *     ip=ADDRESS  ip6=ADDRESS            what it is called
 *     echo[=MS]                          answer ARP, ND, ping and UDP port 7, for ever at first
 *     ping=ADDRESS,COUNT[,SIZE]          v4 or v6
 *     send=MAC,COUNT,SIZE,GAP_US         a load, as fast as it goes with a gap of 0
 *     count=COUNT[,MS]                   take a load, until none came for MS (1000)
 *     loop=A,B,SIZE,MS                   a load from one NIC to another, as fast as it goes
 *     forward=A,B[,MS]                   between two NICs
 *     misbehave=KIND[,MS]                see misbehave.h
 *     poweroff  reboot  panic  fault     ends, all of them; panic=S reboots S seconds after one
 *
 * What is no such word is passed over, so that one command line serves Linux too.  When all is done
 * the guest answers.  Each result is a line that begins with "guest: ".
 */
#include <stdbool.h>
#include <stdint.h>

#include "vmm/guest/clock.h"
#include "vmm/guest/memory.h"
#include "vmm/guest/misbehave.h"
#include "vmm/guest/nics.h"
#include "vmm/guest/ping.h"
#include "vmm/guest/ring0.h"
#include "vmm/guest/text.h"
#include "vmm/guest/work.h"

#define POWER_PORT     0x604u          /* ACPI's PM1 control register, as the monitor has it */
#define POWER_OFF      0x3400u         /* S5 as it tells it (5), and the bit that goes there */
#define POWER_OFF_MS   1000u           /* the monitor may take a moment */
#define RESET_PORT     0xcf9u
#define RESET          0x06u
#define QUIET_MS       1000u
#define PING_SIZE      56u

static unsigned chosen;                /* NIC */
static uint64_t panic_s;               /* 0: no reboot */

static void reboot(void)
{
    static const uint8_t reset = RESET;

    ring0_call(CALL_OUT_BYTES, RESET_PORT, (uintptr_t)&reset, 1);
    ring0_call(CALL_TRIPLE_FAULT, 0, 0, 0);
}

/* Other interrupts than the timer's end a wait, too. */
static void sleep_ms(uint64_t ms)
{
    const uint64_t until_ns = clock_ns() + ms * NS_PER_MS;

    for (uint64_t now_ns = clock_ns(); now_ns < until_ns; now_ns = clock_ns()) {
        ring0_call(CALL_WAIT, until_ns - now_ns, 0, 0);
    }
}

static void power_off(void)
{
    ring0_call(CALL_OUT_WORD, POWER_PORT, POWER_OFF, 0);
    sleep_ms(POWER_OFF_MS);
    say("is still on: nobody is at port 0x%x", POWER_PORT);
    ring0_call(CALL_STOP, 0, 0, 0);
}

static void panic(void)
{
    say("panic");
    if (panic_s == 0) {
        ring0_call(CALL_STOP, 0, 0, 0);
    }
    sleep_ms(panic_s * 1000);
    reboot();
}

void guest_fault(uint64_t vector, uint64_t rip, uint64_t address)
{
    say("fault %lu at rip 0x%lx, address 0x%lx", vector, rip, address);
    panic();
}

/* ---- words ----------------------------------------------------------------------------------- */

/* ",NUMBER", if it is there.  Returns false for a comma without one. */
static bool take_more(const char **at, uint64_t *number)
{
    return !text_take(at, ",") || text_take_number(at, number);
}

static uint64_t after_ms(uint64_t ms)
{
    return ms == UINT64_MAX ? NICS_FOREVER : clock_ns() + ms * NS_PER_MS;
}

static bool obey_nic(struct nic *nic, const char **at)
{
    uint64_t number;

    (void)nic;
    if (!text_take_number(at, &number) || number >= NIC_MAX) {
        return false;
    }
    chosen = (unsigned)number;
    return true;
}

static bool obey_idle(struct nic *nic, const char **at)
{
    const bool waits = text_take(at, "wait");

    (void)nic;
    nics_set_waiting(waits);
    return waits || text_take(at, "poll");
}

static bool obey_echo(struct nic *nic, const char **at)
{
    (void)nic;
    (void)at;
    work_answer(NICS_FOREVER);
    return true;
}

static bool obey_echo_for(struct nic *nic, const char **at)
{
    uint64_t ms;

    (void)nic;
    if (!text_take_number(at, &ms)) {
        return false;
    }
    work_answer(after_ms(ms));
    return true;
}

static bool obey_ping(struct nic *nic, const char **at)
{
    struct ping ping = { .count = 0 };
    uint64_t size_bytes = PING_SIZE;

    ping.is_ip6 = !text_take_ip(at, ping.ip);
    if ((ping.is_ip6 && !text_take_ip6(at, ping.ip6)) || !text_take(at, ",") ||
        !text_take_number(at, &ping.count) || !take_more(at, &size_bytes) ||
        size_bytes > PING_SIZE_MAX) {
        return false;
    }
    ping.size_bytes = (uint32_t)size_bytes;
    work_ping(nic, &ping);
    return true;
}

static bool obey_send(struct nic *nic, const char **at)
{
    struct work_load load = { .is_same = false };
    uint64_t size_bytes, gap_us;

    if (!text_take_mac(at, load.to) || !text_take(at, ",") || !text_take_number(at, &load.count) ||
        !text_take(at, ",") || !text_take_number(at, &size_bytes) || !text_take(at, ",") ||
        !text_take_number(at, &gap_us) || size_bytes < LOAD_BYTES_MIN ||
        size_bytes > NIC_FRAME_BYTES_MAX) {
        return false;
    }
    load.size_bytes = (uint32_t)size_bytes;
    load.gap_ns = gap_us * NS_PER_US;
    work_send(nic, &load);
    return true;
}

static bool obey_count(struct nic *nic, const char **at)
{
    uint64_t count, ms = QUIET_MS;

    if (!text_take_number(at, &count) || !take_more(at, &ms)) {
        return false;
    }
    work_count(nic, count, ms * NS_PER_MS);
    return true;
}

static bool obey_loop(struct nic *nic, const char **at)
{
    struct work_load load = { .is_same = true };
    uint64_t a, b, size_bytes, ms;

    (void)nic;
    if (!text_take_number(at, &a) || !text_take(at, ",") || !text_take_number(at, &b) ||
        !text_take(at, ",") || !text_take_number(at, &size_bytes) || !text_take(at, ",") ||
        !text_take_number(at, &ms) || a >= nics_count || b >= nics_count ||
        size_bytes < LOAD_BYTES_MIN || size_bytes > NIC_FRAME_BYTES_MAX) {
        return false;
    }
    memcpy(load.to, nics[b].station.mac, sizeof(load.to));
    load.size_bytes = (uint32_t)size_bytes;
    work_loop(&nics[a], &nics[b], &load, ms * NS_PER_MS);
    return true;
}

static bool obey_forward(struct nic *nic, const char **at)
{
    uint64_t a, b, ms = UINT64_MAX;

    (void)nic;
    if (!text_take_number(at, &a) || !text_take(at, ",") || !text_take_number(at, &b) ||
        !take_more(at, &ms) || a >= nics_count || b >= nics_count) {
        return false;
    }
    work_forward(&nics[a], &nics[b], after_ms(ms));
    return true;
}

static bool obey_ip(struct nic *nic, const char **at)
{
    nic->station.has_ip = text_take_ip(at, nic->station.ip);
    return nic->station.has_ip;
}

static bool obey_ip6(struct nic *nic, const char **at)
{
    nic->station.has_ip6 = text_take_ip6(at, nic->station.ip6);
    return nic->station.has_ip6;
}

static bool obey_poweroff(struct nic *nic, const char **at)
{
    (void)nic;
    (void)at;
    say("power off");
    power_off();
    return true;
}

static bool obey_reboot(struct nic *nic, const char **at)
{
    (void)nic;
    (void)at;
    say("reboot");
    reboot();
    return true;
}

static bool obey_panic(struct nic *nic, const char **at)
{
    (void)nic;
    (void)at;
    panic();
    return true;
}

static bool obey_panic_after(struct nic *nic, const char **at)
{
    (void)nic;
    return text_take_number(at, &panic_s);
}

static bool obey_fault(struct nic *nic, const char **at)
{
    (void)nic;
    (void)at;
    *(volatile uint8_t *)UINT64_C(0x100000000) = 0;    /* the first byte that is not mapped */
    return true;
}

static const struct word {
    const char *text;
    bool needs_nic;
    bool (*obey)(struct nic *nic, const char **at);
} words[] = {
    { "nic=", false, obey_nic },          { "idle=", false, obey_idle },
    { "ip=", false, obey_ip },            { "ip6=", false, obey_ip6 },
    { "echo", false, obey_echo },         { "echo=", false, obey_echo_for },
    { "ping=", true, obey_ping },         { "send=", true, obey_send },
    { "count=", true, obey_count },       { "forward=", false, obey_forward },
    { "loop=", false, obey_loop },
    { "misbehave=", true, misbehave },    { "poweroff", false, obey_poweroff },
    { "reboot", false, obey_reboot },     { "panic=", false, obey_panic_after },
    { "panic", false, obey_panic },       { "fault", false, obey_fault },
};

/* A word that ends in '=' is followed by something, another is not. */
static bool take_word(const char **at, const char *word)
{
    const char *here = *at;

    if (!text_take(&here, word) || (here[-1] != '=' && !text_is_end(here))) {
        return false;
    }
    *at = here;
    return true;
}

static void obey(const char *at)
{
    for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        const char *here = at;

        if (!take_word(&here, words[i].text)) {
            continue;
        }
        if (words[i].needs_nic && chosen >= nics_count) {
            say("%s there is no NIC %u", words[i].text, chosen);
        } else if (!words[i].obey(&nics[chosen], &here) || !text_is_end(here)) {
            say("%s what follows is not understood: %s", words[i].text, here);
        }
        return;
    }
}

void guest_main(const char *command_line)
{
    const char *at = command_line;

    nics_find(command_line);
    say("ready after %lu us with %u NICs", clock_ns() / NS_PER_US, nics_count);
    while (*at == ' ') {
        at++;
    }
    for (; *at != '\0'; text_skip_word(&at)) {
        obey(at);
    }
    work_answer(NICS_FOREVER);
}
