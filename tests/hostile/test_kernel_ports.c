/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Everybody at an external switch is hostile at once: guests, the host and the wire send frames of
 * any length, address and tag, with lies about checksums and segments, while the wire is cut and
 * does no offloads for a while, the host's adapter is deleted and guests' memory is taken away.
 *
 * Of each frame it is known, by rules written here anew, in which VLAN it is or why it may go
 * nowhere, and it carries that.  So whoever gets a frame can tell whether it was his to get; and in
 * the end every frame is accounted for.
 */
#include "switch/offload.h"
#include "tests/support/control_lab.h"
#include "tests/support/kernel_side.h"
#include "tests/support/random.h"
#include "tests/support/shell.h"
#include "tests/support/station.h"

#include <errno.h>
#include <net/if.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cmocka.h>

#define FRAMES        6000u
#define FRAMES_EVENT  100u         /* from one event to the next */
#define EVENTS        10u
#define QUIET_MS      300
#define PATIENCE      200u         /* looks, PAUSE_US apart */
#define PAUSE_US      20000u
#define MAX_TAGS      3u
#define MAX_FRAME     1514u        /* of the MTU, untagged */
#define LONGEST       2000u
#define SUPER_BYTES   60000u
#define SLOT_BYTES    4096u
#define MAGIC         0x600dcafeu
#define GOES_NOWHERE  0xffffu

enum { GUEST, ACCESS, TRUNK, UNLOCKED, GUESTS, HOST = GUESTS, WIRE, STATIONS };

static const struct {
    const char *name;              /* vNIC or interface */
    const char *options;
    uint16_t vlan;                 /* of what it sends untagged */
} place[STATIONS] = {
    [GUEST] = { "guest", "", 0 },
    [ACCESS] = { "access", "--vlan access:10", 10 },
    [TRUNK] = { "trunk", "--vlan trunk:10,20,native:30", 30 },
    [UNLOCKED] = { "unlocked", "--spoof-guard off", 0 },
    [HOST] = { "ext", NULL, 0 },
    [WIRE] = { "far", NULL, 0 },
};

/* The last bytes of a frame; what is behind the trusted header may be 0 when memory was taken. */
struct mark {
    uint16_t vlan;                 /* or GOES_NOWHERE */
    uint16_t sender;
    uint32_t magic;
};

struct station_here {
    struct frontend frontend;      /* a guest's */
    bool attached;
    int raw;                       /* the others'; -1: not there */
};

struct fixture {
    struct lab lab;
    struct station_here station[STATIONS];
    uint64_t random;
    uint64_t got;
    struct wire wire;
};

static struct fixture fixture;

static uint32_t below(struct fixture *f, uint32_t limit)
{
    return random_below(&f->random, limit);
}

static uint64_t mac_of(unsigned station)
{
    return UINT64_C(0x020000000200) + station;
}

/* ---- what may be sent ------------------------------------------------------------------------ */

/* A frame as it is chosen, before it is bytes. */
struct choice {
    unsigned sender;
    uint64_t source, destination;
    unsigned tags;
    uint16_t tpid[MAX_TAGS], tci[MAX_TAGS];
    uint32_t len_bytes;
};

static uint64_t choose_source(struct fixture *f, unsigned sender)
{
    const uint64_t sources[] = {
        0, UINT64_C(0x010000000001), UINT64_C(0xffffffffffff), mac_of(GUEST), mac_of(ACCESS),
        mac_of(TRUNK), UINT64_C(0x020000000300) + below(f, 64),
    };
    const uint32_t choices = sizeof(sources) / sizeof(sources[0]);
    const uint32_t n = below(f, 2 * choices);

    return n < choices ? sources[n] : mac_of(sender);
}

static uint64_t choose_destination(struct fixture *f)
{
    const uint64_t destinations[] = {
        UINT64_C(0xffffffffffff), UINT64_C(0x01005e000001), UINT64_C(0x0180c2000000),
        UINT64_C(0x0180c200000e), 0, UINT64_C(0x020000000300) + below(f, 64),
    };
    const uint32_t choices = sizeof(destinations) / sizeof(destinations[0]);
    const uint32_t n = below(f, 2 * choices);

    return n < choices ? destinations[n] : mac_of(below(f, STATIONS));
}

static void choose(struct fixture *f, unsigned sender, struct choice *choice)
{
    static const uint16_t tpids[] = { 0x8100, 0x8100, 0x8100, 0x88a8, 0x9100 };
    static const uint16_t vids[] = { 0, 10, 20, 30, 40, 0xfff };
    static const uint32_t lens[] = { 14, 15, 17, 18, 21, 22, 60, 123, 124, 125, 128, 129,
                                     MAX_FRAME, MAX_FRAME + 1, MAX_FRAME + 4, MAX_FRAME + 5 };

    *choice = (struct choice){ .sender = sender, .source = choose_source(f, sender),
                               .destination = choose_destination(f) };
    choice->tags = below(f, 2) == 0 ? 0 : below(f, MAX_TAGS + 1);
    for (unsigned i = 0; i < choice->tags; i++) {
        choice->tpid[i] = tpids[below(f, sizeof(tpids) / sizeof(tpids[0]))];
        choice->tci[i] = (uint16_t)(vids[below(f, sizeof(vids) / sizeof(vids[0]))] |
                                    below(f, 16) << 12);
    }
    choice->len_bytes = below(f, 2) == 0 ? 40 + below(f, LONGEST - 40)
                                         : lens[below(f, sizeof(lens) / sizeof(lens[0]))];
}

/* By its tags: IEEE 802.1Q's rules and those of the port.  @return a VID or GOES_NOWHERE */
static uint16_t vlan_by_tags(const struct choice *c)
{
    const uint16_t vid = c->tci[0] & 0xfff;

    if (c->tags == 0 || (c->sender == WIRE && c->tpid[0] != 0x8100)) {
        return place[c->sender].vlan;
    }
    if (c->sender == WIRE) {
        return vid == 0xfff ? GOES_NOWHERE : vid;
    }
    if (c->tpid[0] != 0x8100 || c->tags > 1) {
        return GOES_NOWHERE;
    }
    if (vid == 0) {
        return place[c->sender].vlan;
    }
    return c->sender == TRUNK && (vid == 10 || vid == 20 || vid == 30) ? vid : GOES_NOWHERE;
}

/* Whether the source is nobody's address, or another's in @p vlan; a trunk's is in all. */
static bool source_is_wrong(const struct choice *c, uint16_t vlan)
{
    if (c->source == 0 || (c->source >> 40 & 1) != 0) {
        return true;
    }
    if (c->sender <= TRUNK) {
        return c->source != mac_of(c->sender);
    }
    return c->source == mac_of(TRUNK) || (c->source == mac_of(GUEST) && vlan == 0) ||
           (c->source == mac_of(ACCESS) && vlan == 10);
}

static uint16_t judge(const struct choice *c)
{
    const uint16_t vlan = vlan_by_tags(c);
    const bool popped = c->tags > 0 && c->tpid[0] == 0x8100;

    if (vlan == GOES_NOWHERE || source_is_wrong(c, vlan) ||
        c->len_bytes - (popped ? 4 : 0) > MAX_FRAME ||
        (c->destination & ~UINT64_C(15)) == UINT64_C(0x0180c2000000)) {
        return GOES_NOWHERE;
    }
    return vlan;
}

/* ---- sending --------------------------------------------------------------------------------- */

/* A frame that is shorter than its headers is cut; one with room for it is marked. */
static void write_frame(const struct choice *c, struct wire *wire)
{
    const struct mark mark = { judge(c), (uint16_t)c->sender, MAGIC };

    wire_start(wire, c->destination, c->source);
    for (unsigned i = 0; i < c->tags; i++) {
        wire_tag(wire, c->tpid[i], c->tci[i]);
    }
    wire_type(wire, 0x88b5);
    if (c->len_bytes >= wire->len_bytes + sizeof(mark)) {
        wire_fill(wire, c->len_bytes);
        memcpy(wire->data + c->len_bytes - sizeof(mark), &mark, sizeof(mark));
    }
    wire->len_bytes = c->len_bytes;
}

/* What the kernel does not take is not sent. */
static void send_raw(int raw, const uint8_t header[10], const struct wire *wire)
{
    const struct iovec iov[] = { { (void *)(uintptr_t)header, 10 },
                                 { (void *)(uintptr_t)wire->data, wire->len_bytes } };

    (void)!writev(raw, iov, 2);
}

static void send_by(struct fixture *f, unsigned sender, const uint8_t header[10])
{
    struct station_here *station = &f->station[sender];

    if (sender >= GUESTS && station->raw >= 0) {
        send_raw(station->raw, header, &f->wire);
    } else if (sender < GUESTS && station->attached) {
        memcpy(&station->frontend.sent_header, header, 10);
        (void)frontend_send(&station->frontend, 0, f->wire.data, f->wire.len_bytes);
    }
}

/* TCP or UDP with claims that are true, or nearly. */
static void send_claim(struct fixture *f, unsigned sender)
{
    static const uint16_t sizes[] = { 0, 1, 100, 536, 1448, 9000 };
    static const uint8_t kinds[] = { 0, 1, 1, 1, 3, 4, 4, 5, 5, 0x81 };
    const bool v4 = below(f, 2) == 0;
    const bool tcp = below(f, 3) != 0;
    const uint16_t l4_off = v4 ? 34 : 54;
    const uint16_t gso_size = sizes[below(f, sizeof(sizes) / sizeof(sizes[0]))];
    const uint16_t start = below(f, 4) == 0 ? (uint16_t)below(f, 200) : l4_off;
    const uint16_t offset = below(f, 4) == 0 ? (uint16_t)below(f, 200) : (tcp ? 16 : 6);
    const uint16_t field[] = { (uint16_t)(l4_off + (tcp ? 20 : 8)), gso_size, start, offset };
    uint8_t header[10] = { below(f, 8) != 0, kinds[below(f, sizeof(kinds))] };

    memcpy(header + 2, field, sizeof(field));
    wire_start(&f->wire, choose_destination(f), mac_of(sender));
    if (v4) {
        wire_ipv4(&f->wire, 1, 2, tcp ? 6 : 17, 0);
    } else {
        wire_ipv6(&f->wire, 1, 2, tcp ? 6 : 17);
    }
    wire_ports(&f->wire, 80, 81);
    wire_fill(&f->wire, 80 + below(f, SUPER_BYTES));
    f->wire.data[l4_off + 12] = (uint8_t)(below(f, 4) == 0 ? below(f, 256) : 0x50);
    send_by(f, sender, header);
}

static void send_one(struct fixture *f, unsigned sender)
{
    static const uint8_t asks_nothing[10];
    struct choice choice;

    if (below(f, 8) == 0) {
        send_claim(f, sender);
        return;
    }
    choose(f, sender, &choice);
    write_frame(&choice, &f->wire);
    send_by(f, sender, asks_nothing);
}

/* ---- receiving ------------------------------------------------------------------------------- */

static void check(struct fixture *f, unsigned receiver, const struct wire *wire)
{
    const bool tagged = wire->data[12] == 0x81 && wire->data[13] == 0x00;
    const bool takes_tags = receiver == TRUNK || receiver == WIRE;
    const uint16_t vid = (uint16_t)((wire->data[14] & 0xf) << 8 | wire->data[15]);
    struct mark mark;

    if (wire->len_bytes < 14 + sizeof(mark)) {
        return;
    }
    memcpy(&mark, wire->data + wire->len_bytes - sizeof(mark), sizeof(mark));
    if (mark.magic != MAGIC) {
        return;
    }
    f->got++;
    if (mark.sender == receiver ||
        mark.vlan != (tagged && takes_tags ? vid : place[receiver].vlan)) {
        fail_msg("%s got a frame of %s in VLAN %x%s, of %u bytes: %02x%02x %02x%02x %02x%02x",
                 place[receiver].name, place[mark.sender].name, mark.vlan,
                 mark.vlan == GOES_NOWHERE ? ", which goes nowhere" : "", wire->len_bytes,
                 wire->data[12], wire->data[13], wire->data[14], wire->data[15], wire->data[16],
                 wire->data[17]);
    }
}

static bool receive_one(struct fixture *f, unsigned receiver)
{
    struct station_here *station = &f->station[receiver];
    struct kernel_side_offload seen;
    int len_bytes;

    if (receiver < GUESTS) {
        if (!station->attached) {
            return false;
        }
        len_bytes = frontend_receive(&station->frontend, 0, f->wire.data, sizeof(f->wire.data), 0);
        f->wire.len_bytes = len_bytes > 0 ? (uint32_t)len_bytes : 0;
        if (len_bytes <= 0) {
            return false;
        }
        seen.gso = station->frontend.received_header.hdr.gso_type;
        assert_true((station->frontend.features & OFFLOAD_GUEST_CSUM) != 0 ||
                    (seen.gso == 0 && station->frontend.received_header.hdr.flags == 0));
    } else if (station->raw < 0 ||
               kernel_side_receive_undone(station->raw, &f->wire, &seen, 0) == 0) {
        return false;
    }
    assert_true(seen.gso != 0 || f->wire.len_bytes <= MAX_FRAME + 4);
    check(f, receiver, &f->wire);
    return true;
}

static bool receive_all(struct fixture *f)
{
    bool any = false;

    for (unsigned i = 0; i < STATIONS; i++) {
        while (receive_one(f, i)) {
            any = true;
        }
    }
    return any;
}

static void receive_until_quiet(struct fixture *f)
{
    do {
        (void)usleep(1000 * QUIET_MS);
    } while (receive_all(f));
}

/* ---- stations -------------------------------------------------------------------------------- */

static void attach(struct fixture *f, unsigned guest)
{
    const struct frontend_config config = {
        .socket_path = lab_socket(&f->lab, place[guest].name), .slot_bytes = SLOT_BYTES,
        .timeout_ms = 500, .features = FRONTEND_FEATURES | (guest == ACCESS ? 0 : OFFLOAD_ALL),
    };

    f->station[guest].attached = false;
    for (unsigned i = 0; i < PATIENCE && !f->station[guest].attached; i++) {
        f->station[guest].attached = frontend_open(&f->station[guest].frontend, &config) == 0;
    }
    assert_true(f->station[guest].attached);
}

static void detach(struct fixture *f, unsigned guest)
{
    frontend_abandon(&f->station[guest].frontend);
    f->station[guest].attached = false;
}

static void close_raw(struct fixture *f, unsigned station)
{
    if (f->station[station].raw >= 0) {
        (void)close(f->station[station].raw);
        f->station[station].raw = -1;
    }
}

/* Opens an interface, which may be about to come. */
static void open_raw(struct fixture *f, unsigned station)
{
    close_raw(f, station);
    for (unsigned i = 0; i < PATIENCE && if_nametoindex(place[station].name) == 0; i++) {
        (void)usleep(PAUSE_US);
    }
    f->station[station].raw = kernel_side_raw(place[station].name);
}

static void add_vnic(struct fixture *f, unsigned guest)
{
    assert_int_equal(lab_do(&f->lab, "vnic add %s --switch ext --mac 02:00:00:00:02:%02x%s%s",
                            place[guest].name, guest, place[guest].options[0] != '\0' ? " " : "",
                            place[guest].options), 0);
}

static void make_wire(struct fixture *f)
{
    shell_must("ip link add near type veth peer name far");
    shell_must("ip link set far up");
    shell_must("ip link set near up");
    open_raw(f, WIRE);
}

/* ---- what happens meanwhile ------------------------------------------------------------------ */

/* The memory of a guest that has just sent is gone when it is read, or a moment later. */
static void take_memory(struct fixture *f)
{
    const unsigned guest = below(f, GUESTS);
    struct frontend *frontend = &f->station[guest].frontend;

    for (unsigned i = 0; i < 20; i++) {
        send_one(f, guest);
    }
    assert_int_equal(ftruncate(frontend->ram.region[0].fd, 0), 0);
    detach(f, guest);
    attach(f, guest);
}

static void event(struct fixture *f, unsigned number)
{
    struct shell_outcome outcome;

    switch (number) {
    case 0:
        shell_must("ip link set near down");
        send_one(f, UNLOCKED);
        shell_must("ip link set near up");
        break;
    case 1:
        shell_must("ip link set far down");
        send_one(f, UNLOCKED);
        shell_must("ip link set far up");
        break;
    case 2:
        shell_must("ip link del near");
        send_one(f, UNLOCKED);
        make_wire(f);
        break;
    case 3:
        shell_must("ip link set near mtu %u", 600 + below(f, 900));
        break;
    case 4:
        shell_must("ip link set near mtu 1500");
        break;
    case 8:
    case 9:
        (void)shell_run(&outcome, 10, "ethtool -K near tx %s", number == 8 ? "off" : "on");
        break;
    case 5:
        shell_must("ip link del ext");
        open_raw(f, HOST);
        break;
    case 6:
        detach(f, UNLOCKED);
        assert_int_equal(lab_do(&f->lab, "vnic remove unlocked"), 0);
        add_vnic(f, UNLOCKED);
        attach(f, UNLOCKED);
        break;
    default:
        take_memory(f);
        break;
    }
}

/* ---- the fixture ----------------------------------------------------------------------------- */

static int setup(void **state)
{
    static const char *const two_cores[] = { "--cores", "0,1", NULL };
    struct fixture *f = &fixture;

    *state = f;
    f->random = getenv("HOSTILE_SEED") != NULL ? strtoull(getenv("HOSTILE_SEED"), NULL, 0) : 11;
    f->station[HOST].raw = f->station[WIRE].raw = -1;
    (void)kernel_side_enter(state);
    if (station_leave_host() != 0) {
        return 0;                  /* the test says so */
    }
    if (lab_create(&f->lab) != 0 ||
        lab_start(&f->lab, sysconf(_SC_NPROCESSORS_ONLN) > 1 ? two_cores : NULL) != 0) {
        return -1;
    }
    make_wire(f);
    assert_int_equal(lab_do(&f->lab, "switch add ext --type external --uplink near "
                            "--host-vnic on"), 0);
    open_raw(f, HOST);
    for (unsigned i = 0; i < GUESTS; i++) {
        add_vnic(f, i);
        attach(f, i);
    }
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    for (unsigned i = 0; i < GUESTS; i++) {
        if (f->station[i].attached) {
            detach(f, i);
        }
    }
    close_raw(f, HOST);
    close_raw(f, WIRE);
    lab_destroy(&f->lab);
    return 0;
}

/* ---- the test -------------------------------------------------------------------------------- */

static void assert_all_accounted_for(struct fixture *f)
{
    struct lab_answer answer;
    const char *reason;
    int64_t in, out;
    json_t *count;

    assert_int_equal(lab_ask(&f->lab, &answer, "switch show ext"), 0);
    in = lab_number(answer.json, "counters.from_frames") +
         lab_number(answer.json, "counters.flood_copies") +
         lab_number(answer.json, "counters.segment_copies");
    out = lab_number(answer.json, "counters.to_frames") +
          lab_number(answer.json, "counters.coalesced");
    json_object_foreach(lab_value(answer.json, "drops"), reason, count) {
        out += json_integer_value(count);
        if (json_integer_value(count) != 0) {
            printf("# measured: %8ld %s\n", (long)json_integer_value(count), reason);
        }
    }
    lab_answer_release(&answer);
    printf("# measured: %ld frames and copies came in, %ld went out, were merged or dropped\n",
           (long)in, (long)out);
    assert_int_equal(in, out);
    assert_true(in > FRAMES / 2);
}

static void test_nobody_gets_what_is_not_his_and_nothing_is_lost_unnamed(void **state)
{
    struct fixture *f = *state;

    kernel_side_need();
    for (unsigned n = 0; n < FRAMES; n++) {
        if (n % FRAMES_EVENT == FRAMES_EVENT - 1) {
            event(f, below(f, EVENTS));
        }
        send_one(f, below(f, STATIONS));
        if (n % 16 == 0) {
            (void)receive_all(f);
        }
    }
    receive_until_quiet(f);

    assert_true(lab_alive(&f->lab));
    printf("# measured: %lu marked frames arrived where they may\n", (unsigned long)f->got);
    assert_true(f->got > FRAMES / 20);
    assert_all_accounted_for(f);
    assert_int_equal(lab_stop(&f->lab), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            test_nobody_gets_what_is_not_his_and_nothing_is_lost_unnamed, setup, teardown),
    };

    return cmocka_run_group_tests_name("kernel ports", tests, NULL, NULL);
}
