/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A team that is kept by its own thread while control changes it and workers send and take by it.
 *
 * Three kinds of threads share it: control tells the keeper of members that come, go and flap, of
 * other knobs and of vNICs, and frees what is gone as soon as it may; the keeper, which is the real
 * one, gives workers new plans by its own clock and sends LACP and announcements by the members;
 * workers, real ones too, go by the plan and hand it PDUs.  Members are interfaces that look at
 * what they are given: whatever happens, a frame carries the host's address or that of the member
 * it leaves by.
 */
#include "ctl/host/team_keeper.h"

#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <event2/thread.h>

#include "dataplane/dataplane.h"
#include "switch/bytes.h"
#include "switch/mac.h"
#include "switch/mac_table.h"
#include "switch/vswitch.h"
#include "tests/support/fake_interface.h"
#include "tests/support/random.h"

#define WORKERS      2u
#define MEMBERS      3u
#define RUN_MS       3000
#define LACP_RUN_MS  5000          /* links of LACP wait for 2 s to join */
#define PAUSE_MAX_US 1500u
#define MOST_FRAMES  100u
#define FRAME_BYTES  64u
#define HOST         UINT64_C(0x0200000000b1)
#define PEER         UINT64_C(0x0200000000b2)
#define PARTNER      UINT64_C(0x0200000000b3)
#define SOURCE_OFF   6u
#define TYPE_OFF     12u
#define PORTS_OFF    34u           /* of UDP over IPv4 */

struct lab;

/* A member, or the host's adapter, and what it has seen. */
struct place {
    struct lab *lab;
    struct fake_interface *fake;   /* NULL: it is gone */
    unsigned number;
    bool up;
    atomic_uint frames;            /* that it has had for workers */
    atomic_uint sent;              /* of the host's, by it */
    atomic_uint pdus;              /* of LACP, by it */
    atomic_uint wrong;             /* with an address that is neither the host's nor its own */
    atomic_ullong system;          /* who speaks LACP there */
};

struct lab {
    struct dataplane *dataplane;
    struct team_keeper *keeper;
    struct mac_table *table;
    struct vswitch_model *with;    /* the team; and without it */
    struct vswitch_model *without;
    struct team_port *port;        /* NULL: there is no team */
    struct team_setting setting;
    struct place member[MEMBERS];
    struct place host;
    struct vnic *vnic;             /* behind the team; NULL: none */
    uint32_t generation;
    uint32_t lives;
    uint32_t failovers;
};

/* DPDK waits for threads, and keeps order in its rings, by what the sanitizer does not see. */
const char *__tsan_default_suppressions(void);
const char *__tsan_default_suppressions(void)
{
    return "race:dataplane_stop\nrace:rte_ring_\n";
}

static long now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000L + t.tv_nsec / 1000000L;
}

static uint64_t member_mac(unsigned number)
{
    return UINT64_C(0x020000000a01) + number;
}

/* ---- interfaces ------------------------------------------------------------------------------ */

static void write_udp(struct frame *frame, uint64_t to, uint64_t from, uint32_t flow)
{
    static const uint8_t packet[] = {
        0x08, 0x00, 0x45, 0x00, 0x00, 0x32, 0x00, 0x00, 0x40, 0x00, 0x40, 0x11, 0xb6, 0xb7,
        0xc0, 0x00, 0x02, 0x01, 0xc0, 0x00, 0x02, 0x02,
    };

    mac_write(to, frame->hdr);
    mac_write(from, frame->hdr + SOURCE_OFF);
    memcpy(frame->hdr + TYPE_OFF, packet, sizeof(packet));
    bytes_put_2(frame->hdr + PORTS_OFF, (uint16_t)(flow % 100));
    bytes_put_2(frame->hdr + PORTS_OFF + 2, 9);
}

/* Flows, and now and then ARP. */
static void fill_from_host(void *test, struct frame_batch *batch, struct frame *frame)
{
    struct place *host = test;
    const unsigned number = atomic_fetch_add_explicit(&host->frames, 1, memory_order_relaxed);

    (void)batch;
    write_udp(frame, PEER, HOST, number);
    if (number % 8 == 0) {
        mac_write(MAC_BROADCAST, frame->hdr);
        bytes_put_2(frame->hdr + TYPE_OFF, 0x0806);
    }
}

/* What a partner says who has heard us, and agrees with all. */
static void write_pdu(const struct place *place, struct frame *frame)
{
    const uint8_t agreed = LACP_STATE_ACTIVITY | LACP_STATE_SHORT_TIMEOUT |
                           LACP_STATE_AGGREGATION | LACP_STATE_SYNCHRONIZATION |
                           LACP_STATE_COLLECTING | LACP_STATE_DISTRIBUTING;
    const uint16_t port = (uint16_t)(place->number + 1);
    const struct lacp_pdu pdu = {
        .actor = { .system_mac = PARTNER, .key = 7, .port = port, .state = agreed },
        .partner = { .system_mac = atomic_load_explicit(&place->system, memory_order_relaxed),
                     .system_priority = 32768, .key = 1, .port_priority = 0x8000, .port = port,
                     .state = agreed },
    };

    lacp_pdu_write(&pdu, PARTNER + port, frame->hdr);
    frame->len_bytes = LACP_PDU_FRAME_BYTES;
    frame->hdr_len_bytes = LACP_PDU_FRAME_BYTES;
}

static void fill_from_member(void *test, struct frame_batch *batch, struct frame *frame)
{
    struct place *place = test;
    const unsigned number = atomic_fetch_add_explicit(&place->frames, 1, memory_order_relaxed);

    (void)batch;
    if (number % 16 == 0) {
        write_pdu(place, frame);
    } else {
        write_udp(frame, number % 5 == 0 ? MAC_BROADCAST : HOST, PEER, number);
    }
}

static void look_at_members_frame(void *test, const struct frame_batch *batch,
                                  const struct frame *frame)
{
    struct place *place = test;
    const uint64_t source = mac_read(frame->hdr + SOURCE_OFF);

    (void)batch;
    if (lacp_pdu_is_slow(frame->hdr)) {
        (void)atomic_fetch_add_explicit(&place->pdus, 1, memory_order_relaxed);
        atomic_store_explicit(&place->system, mac_read(frame->hdr + 20), memory_order_relaxed);
    } else if (source == HOST || source == member_mac(place->number)) {
        (void)atomic_fetch_add_explicit(&place->sent, 1, memory_order_relaxed);
    } else {
        (void)atomic_fetch_add_explicit(&place->wrong, 1, memory_order_relaxed);
    }
}

static void make(struct place *place, uint16_t port, bool is_host)
{
    struct fake_interface *fake = fake_interface_create(port);

    fake->takes_notes = false;
    fake->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    fake->test = place;
    fake->fill = is_host ? fill_from_host : fill_from_member;
    fake->look = is_host ? NULL : look_at_members_frame;
    place->fake = fake;
    place->up = true;
    place->lab->lives++;
}

static void send_some(struct place *place, uint64_t *random)
{
    if (place->fake != NULL) {
        atomic_fetch_add(&place->fake->waiting_frames, random_below(random, MOST_FRAMES));
        assert_int_equal(eventfd_write(place->fake->fd, 1), 0);
    }
}

static void end(struct fake_interface *fake)
{
    (void)close(fake->fd);
    free(fake);
}

/* ---- control --------------------------------------------------------------------------------- */

static const struct vswitch_team *team_of(const struct lab *lab)
{
    return &lab->with->teams[0];
}

static struct fabric_endpoint endpoint_of(const struct place *place, enum fabric_port_kind kind)
{
    if (place->fake == NULL) {
        return (struct fabric_endpoint){ .kind = FABRIC_PORT_ABSENT };
    }
    return (struct fabric_endpoint){ .at = place->fake, .kind = kind, .queues = 1 };
}

static void publish(struct lab *lab)
{
    const struct vswitch_model *model = lab->port != NULL ? lab->with : lab->without;
    struct mac_table *table[FABRIC_MAX_SWITCHES] = { NULL };
    struct fabric_endpoint endpoint[FABRIC_MAX_PORTS] = { { 0 } };
    void *team[VSWITCH_MAX_TEAMS] = { lab->port };
    const struct fabric_binding binding = {
        .table = table, .team = team, .endpoint = endpoint, .worker_count = WORKERS,
    };
    struct fabric *fabric;

    table[model->switches[0].id] = lab->table;
    endpoint[model->switches[0].host_port] = endpoint_of(&lab->host, FABRIC_PORT_HOST);
    if (lab->port != NULL) {
        endpoint[model->switches[0].uplink_port] =
            (struct fabric_endpoint){ .at = lab->port, .kind = FABRIC_PORT_TEAM };
        for (unsigned i = 0; i < MEMBERS; i++) {
            endpoint[team_of(lab)->member[i].port] = endpoint_of(&lab->member[i],
                                                                 FABRIC_PORT_PACKET);
        }
    }
    fabric = fabric_compile(model, &binding, ++lab->generation);
    assert_non_null(fabric);
    fabric_destroy(dataplane_publish(lab->dataplane, fabric));
}

static void tell(struct lab *lab)
{
    const uint16_t port = lab->with->switches[0].host_port;
    const struct team_address address[] = {
        { .mac = HOST, .port = port }, { .mac = HOST + 16, .port = port, .vnic = lab->vnic },
    };
    struct team_keeper_team told = {
        .name = "t0", .setting = lab->setting, .port = lab->port,
        .address = address, .address_count = lab->vnic != NULL ? 2 : 1,
    };

    for (unsigned i = 0; i < MEMBERS; i++) {
        const struct place *place = &lab->member[i];

        told.member[i] = (struct team_keeper_member){
            .present = true, .up = place->up && place->fake != NULL, .mac = member_mac(i),
            .port = team_of(lab)->member[i].port, .speed_mbps = 1000,
            .endpoint = endpoint_of(place, FABRIC_PORT_PACKET),
        };
    }
    assert_int_equal(team_keeper_tell(lab->keeper, &told), 0);
}

static void turn_interface(struct lab *lab, unsigned number)
{
    struct place *place = &lab->member[number];
    struct fake_interface *gone = place->fake;

    if (gone == NULL) {
        make(place, team_of(lab)->member[number].port, false);
    } else {
        place->fake = NULL;
    }
    publish(lab);
    tell(lab);
    if (gone != NULL) {
        end(gone);
    }
}

/* A vNIC that is behind the team, and is freed as soon as the keeper knows that it is not. */
static void turn_vnic(struct lab *lab)
{
    struct vnic *gone = lab->vnic;

    lab->vnic = gone == NULL ? calloc(1, sizeof(*gone)) : NULL;
    tell(lab);
    free(gone);
}

static void note_status(struct lab *lab)
{
    struct team_keeper_status status;

    assert_true(team_keeper_status(lab->keeper, 0, &status));
    lab->failovers = status.failovers > lab->failovers ? status.failovers : lab->failovers;
    (void)team_keeper_take_moved(lab->keeper);
}

static void make_team(struct lab *lab)
{
    struct error error;

    lab->port = team_port_create(WORKERS, &error);
    assert_non_null(lab->port);
    publish(lab);
    tell(lab);
}

static void remove_team(struct lab *lab)
{
    struct team_port *port = lab->port;

    lab->port = NULL;
    publish(lab);
    team_keeper_forget(lab->keeper, 0);
    team_port_destroy(port);
}

/* ---- the fixture ----------------------------------------------------------------------------- */

/* The first cores that this process may use, one again when there is no other. */
static void choose_cores(uint16_t cores[WORKERS])
{
    cpu_set_t allowed;
    unsigned found = 0;

    assert_int_equal(sched_getaffinity(0, sizeof(allowed), &allowed), 0);
    for (uint16_t cpu = 0; cpu < CPU_SETSIZE && found < WORKERS; cpu++) {
        if (CPU_ISSET(cpu, &allowed)) {
            cores[found++] = cpu;
        }
    }
    for (; found < WORKERS; found++) {
        cores[found] = cores[0];
    }
}

static struct vswitch_model *make_model(bool with_team)
{
    struct vswitch_switch on = {
        .name = "ext", .type = VSWITCH_EXTERNAL, .mtu_bytes = 1500, .mac_capacity_entries = 64,
        .host_vnic = true,
    };
    struct vswitch_team team = { .name = "t0" };
    struct vswitch_model *model = vswitch_model_create(1);

    assert_non_null(model);
    team_setting_default(&team.setting);
    (void)snprintf(on.uplink, sizeof(on.uplink), "%s", with_team ? "team:t0" : "eth9");
    for (unsigned i = 0; i < MEMBERS; i++) {
        (void)snprintf(team.member[i].where, sizeof(team.member[i].where), "eth%u", i);
    }
    if (with_team) {
        assert_int_equal(vswitch_add_team(model, &team, NULL), 0);
    }
    assert_int_equal(vswitch_add(model, &on, NULL), 0);
    return model;
}

static void make_places(struct lab *lab)
{
    lab->host = (struct place){ .lab = lab };
    make(&lab->host, lab->with->switches[0].host_port, true);
    for (unsigned i = 0; i < MEMBERS; i++) {
        lab->member[i] = (struct place){ .lab = lab, .number = i };
        make(&lab->member[i], team_of(lab)->member[i].port, false);
    }
}

static int setup_group(void **state)
{
    static struct lab lab;
    uint16_t cores[WORKERS];
    const struct dataplane_config config = { .cores = cores, .core_count = WORKERS,
                                             .no_huge = true };
    const struct mac_table_config table = { .capacity_entries = 64, .seed = 1 };
    struct error note, error = { 0 };

    *state = &lab;
    choose_cores(cores);
    (void)evthread_use_pthreads();
    lab.dataplane = dataplane_start(&config, &note, &error);
    lab.table = mac_table_create(&table);
    lab.keeper = team_keeper_start(&error);
    if (lab.dataplane == NULL || lab.table == NULL || lab.keeper == NULL) {
        printf("# %s\n", error.text);
        return -1;
    }
    lab.with = make_model(true);
    lab.without = make_model(false);
    /* Pinned, so that no note is made. */
    (void)mac_table_add_static(lab.table, HOST, 0, lab.with->switches[0].host_port);
    (void)mac_table_add_static(lab.table, PEER, 0, lab.with->switches[0].uplink_port);
    return 0;
}

static int teardown_group(void **state)
{
    struct lab *lab = *state;

    team_keeper_stop(lab->keeper);
    dataplane_stop(lab->dataplane);
    mac_table_destroy(lab->table);
    vswitch_model_destroy(lab->with);
    vswitch_model_destroy(lab->without);
    return 0;
}

static int setup(void **state)
{
    struct lab *lab = *state;

    lab->setting = (struct team_setting){ .mode = TEAM_INDEPENDENT, .balance = TEAM_DYNAMIC,
                                          .hash = TEAM_HASH_L4, .gap_ms = 1, .rebalance_ms = 100,
                                          .imbalance_percent = 1, .up_delay_ms = 2 };
    lab->lives = lab->failovers = 0;
    make_places(lab);
    make_team(lab);
    return 0;
}

static int teardown(void **state)
{
    struct lab *lab = *state;
    struct fake_interface *host = lab->host.fake;

    remove_team(lab);
    lab->host.fake = NULL;
    publish(lab);
    end(host);
    for (unsigned i = 0; i < MEMBERS; i++) {
        if (lab->member[i].fake != NULL) {
            end(lab->member[i].fake);
        }
    }
    free(lab->vnic);
    lab->vnic = NULL;
    return 0;
}

/* ---- the tests ------------------------------------------------------------------------------- */

static void let_traffic_pass(struct lab *lab, uint64_t *random)
{
    for (unsigned turns = random_below(random, 4); turns > 0; turns--) {
        send_some(&lab->host, random);
        send_some(&lab->member[random_below(random, MEMBERS)], random);
        (void)usleep(random_below(random, PAUSE_MAX_US));
    }
}

static void assert_members_were_right(const struct lab *lab)
{
    unsigned sent = 0, pdus = 0;

    for (unsigned i = 0; i < MEMBERS; i++) {
        assert_int_equal(atomic_load(&lab->member[i].wrong), 0);
        sent += atomic_load(&lab->member[i].sent);
        pdus += atomic_load(&lab->member[i].pdus);
    }
    assert_true(sent > 0);
    printf("# measured: %u interfaces came and %u times one was lost over %u frames and %u PDUs "
           "that left\n", lab->lives, lab->failovers, sent, pdus);
}

static void change_setting(struct lab *lab, uint64_t *random)
{
    lab->setting.mode = random_below(random, TEAM_MODE_COUNT);
    lab->setting.balance = random_below(random, TEAM_BALANCE_COUNT);
    lab->setting.hash = random_below(random, TEAM_HASH_BY_COUNT);
    lab->setting.gap_ms = random_below(random, 3);
    tell(lab);
}

static void test_team_changes_leave_nobody_what_is_freed(void **state)
{
    struct lab *lab = *state;
    const long end_ms = now_ms() + RUN_MS;
    uint64_t random = 11;

    while (now_ms() < end_ms) {
        const unsigned number = random_below(&random, MEMBERS);

        switch (random_below(&random, 8)) {
        case 0:
            remove_team(lab);
            make_team(lab);
            break;
        case 1:
            change_setting(lab, &random);
            break;
        case 2:
            turn_vnic(lab);
            break;
        case 3:
        case 4:
            turn_interface(lab, number);
            break;
        default:
            lab->member[number].up = !lab->member[number].up;
            tell(lab);
            break;
        }
        note_status(lab);
        let_traffic_pass(lab, &random);
    }
    assert_members_were_right(lab);
    assert_true(lab->failovers > 0);
}

/* Two links agree and stay; the third comes and goes. */
static void test_team_lacp_goes_on_beside_changes(void **state)
{
    struct lab *lab = *state;
    const long end_ms = now_ms() + LACP_RUN_MS;
    uint64_t random = 12;

    lab->setting.mode = TEAM_LACP;
    tell(lab);
    while (now_ms() < end_ms) {
        turn_interface(lab, MEMBERS - 1);
        turn_vnic(lab);
        note_status(lab);
        let_traffic_pass(lab, &random);
    }
    assert_members_were_right(lab);
    assert_true(atomic_load(&lab->member[0].pdus) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_team_changes_leave_nobody_what_is_freed, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_team_lacp_goes_on_beside_changes, setup, teardown),
    };

    return cmocka_run_group_tests_name("team race", tests, setup_group, teardown_group);
}
