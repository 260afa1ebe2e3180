/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctl/host/team_keeper.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <event2/event.h>
#include <rte_common.h>

#include "ctl/host/link_watch.h"
#include "ctl/host/team_announcer.h"
#include "ctl/log.h"
#include "vnic/vnic.h"

#define LACP_SYSTEM_PRIORITY 32768u        /* the middle: IEEE 802.1AX-2020, 7.3.1.1.3 */
#define LONGEST_SLEEP_MS     1000u
#define TAKEN_A_TURN         64u           /* slow frames: a flood of them delays nobody else */

struct keeper_team {
    bool used;
    char name[VSWITCH_NAME_SIZE];
    struct team_keeper *keeper;
    struct team *team;
    struct team_port *port;
    struct event *boxed;           /* there are slow frames */
    struct team_setting setting;
    struct team_keeper_member member[TEAM_MEMBERS_MAX];
    uint64_t lacp_mac;             /* stays for as long as the team does */
    struct team_plan plan;         /* as the workers have it */
    uint32_t failovers;
    /* ---- loads ---- */
    uint64_t sent_bytes[TEAM_BUCKETS];
    uint64_t rebalance_at_ms;
    struct team_announcer announcer;
};

struct team_keeper {
    pthread_t thread;
    bool running;
    struct event_base *base;
    struct link_watch *watch;
    struct event *timer;
    int moved_fd;                  /* an eventfd: moved is not 0 */
    atomic_uint moved;             /* teams whose host adapter has another member, a bit each */
    pthread_mutex_t lock;
    struct keeper_team team[VSWITCH_MAX_TEAMS];
};
static_assert(VSWITCH_MAX_TEAMS <= 32, "a team has a bit");

static uint64_t now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* ---- what leaves ----------------------------------------------------------------------------- */

static void send_pdus(struct keeper_team *team, uint64_t now)
{
    uint8_t frame[LACP_PDU_FRAME_BYTES];
    unsigned number;

    while (team_fetch(team->team, now, &number, frame)) {
        const struct fabric_endpoint *by = &team->member[number].endpoint;

        (void)team_port_send(team->port, by->kind, by->at, frame, sizeof(frame));
    }
}

/* @return when the next round is due; LACP_NEVER */
static uint64_t announce(struct keeper_team *team, uint64_t now)
{
    struct team_announcer_way way = { .port = team->port, .plan = &team->plan };
    struct team_keeper *keeper = team->keeper;
    bool host_moved = false;
    uint64_t next;

    for (unsigned i = 0; i < TEAM_MEMBERS_MAX; i++) {
        way.member[i] = &team->member[i].endpoint;
    }
    next = team_announcer_turn(&team->announcer, &way, now, &host_moved);
    if (host_moved) {
        atomic_fetch_or(&keeper->moved, 1u << (team - keeper->team));
        (void)eventfd_write(keeper->moved_fd, 1);
    }
    return next;
}

/* ---- the plan -------------------------------------------------------------------------------- */

static void log_change(const struct keeper_team *team, const struct team_plan *plan)
{
    const int lost = __builtin_popcount(team->plan.carries & (uint8_t)~plan->carries);

    if (lost != 0) {
        log_warning("Team %s: lost %d of the members that carried its frames; %s", team->name, lost,
                    plan->carries != 0 ? "the others do now" : "nobody does now");
    } else if (plan->carries != team->plan.carries) {
        log_info("Team %s: members that carry its frames now: %d", team->name,
                 __builtin_popcount(plan->carries));
    }
}

/* Gives the plan to the workers when it is another, and begins to announce what has moved. */
static void publish(struct keeper_team *team, uint64_t now)
{
    const struct team_plan *plan = team_plan(team->team);
    uint64_t moved[TEAM_BUCKETS / 64];
    uint64_t mac[TEAM_MEMBERS_MAX];
    struct team_plan before = team->plan;

    if (memcmp(plan, &team->plan, sizeof(*plan)) == 0) {
        return;
    }
    for (unsigned i = 0; i < TEAM_MEMBERS_MAX; i++) {
        mac[i] = team->member[i].present ? team->member[i].mac : 0;
    }
    team_port_set_plan(team->port, plan, mac);
    log_change(team, plan);
    team->failovers += (team->plan.carries & (uint8_t)~plan->carries) != 0;
    team->plan = *plan;
    if (team->setting.mode == TEAM_INDEPENDENT && team_plan_moved(&before, plan, moved)) {
        team_announcer_begin(&team->announcer, moved, now);
    }
}

/* @return when loads are to be compared again; LACP_NEVER: they are not */
static uint64_t rebalance(struct keeper_team *team, uint64_t now)
{
    uint64_t sent_bytes[TEAM_BUCKETS], more_bytes[TEAM_BUCKETS];

    if (team->setting.balance != TEAM_DYNAMIC) {
        return LACP_NEVER;
    }
    if (now >= team->rebalance_at_ms) {
        team_port_sent(team->port, sent_bytes);
        for (unsigned i = 0; i < TEAM_BUCKETS; i++) {
            more_bytes[i] = sent_bytes[i] - team->sent_bytes[i];
        }
        memcpy(team->sent_bytes, sent_bytes, sizeof(sent_bytes));
        team_rebalance(team->team, more_bytes);
        team->rebalance_at_ms = now + team->setting.rebalance_ms;
    }
    return team->rebalance_at_ms;
}

/* Does what is due.  @return when to come again; LACP_NEVER */
static uint64_t turn(struct keeper_team *team)
{
    const uint64_t now = now_ms();
    uint64_t next = rebalance(team, now);

    next = RTE_MIN(next, team_tick(team->team, now));
    publish(team, now);
    send_pdus(team, now);
    return RTE_MIN(next, announce(team, now));
}

/* ---- the thread ------------------------------------------------------------------------------ */

/* Locked.  Does what is due for all teams, and sets the timer for the next. */
static void turn_all(struct team_keeper *keeper)
{
    uint64_t next = LACP_NEVER, now;
    struct timeval wait;

    for (unsigned i = 0; i < VSWITCH_MAX_TEAMS; i++) {
        if (keeper->team[i].used) {
            next = RTE_MIN(next, turn(&keeper->team[i]));
        }
    }
    now = now_ms();
    next = next <= now ? 1 : RTE_MIN(next - now, LONGEST_SLEEP_MS);
    wait = (struct timeval){ (time_t)(next / 1000), (suseconds_t)(next % 1000 * 1000) };
    (void)event_add(keeper->timer, &wait);
}

static void on_time(evutil_socket_t fd, short what, void *arg)
{
    struct team_keeper *keeper = arg;

    (void)fd;
    (void)what;
    pthread_mutex_lock(&keeper->lock);
    turn_all(keeper);
    pthread_mutex_unlock(&keeper->lock);
}

static void on_boxed(evutil_socket_t fd, short what, void *arg)
{
    struct keeper_team *team = arg;
    struct team_keeper *keeper = team->keeper;
    struct team_port_slow slow;

    (void)fd;
    (void)what;
    pthread_mutex_lock(&keeper->lock);
    for (unsigned i = 0; team->used && i < TAKEN_A_TURN && team_port_take(team->port, &slow); i++) {
        team_receive(team->team, slow.member, slow.bytes, slow.len_bytes, now_ms());
    }
    turn_all(keeper);
    pthread_mutex_unlock(&keeper->lock);
}

static void set_link(struct keeper_team *team, unsigned number)
{
    const struct team_keeper_member *member = &team->member[number];
    const struct team_link link = {
        .present = member->present,
        .standby = member->standby,
        .up = member->up,
        .half_duplex = member->half_duplex,
        .speed_mbps = member->speed_mbps,
        .mac = member->mac,
    };

    team_set_link(team->team, number, &link, now_ms());
}

/* A carrier that is lost is acted on at once; one that is back when control has looked at it. */
static void on_link(void *context, const struct link_change *change)
{
    struct team_keeper *keeper = context;

    if (change->name == NULL || change->flows) {
        return;
    }
    pthread_mutex_lock(&keeper->lock);
    for (unsigned i = 0; i < VSWITCH_MAX_TEAMS; i++) {
        struct keeper_team *team = &keeper->team[i];

        for (unsigned j = 0; team->used && j < TEAM_MEMBERS_MAX; j++) {
            if (team->member[j].ifindex == change->ifindex && team->member[j].up) {
                team->member[j].up = false;
                set_link(team, j);
            }
        }
    }
    turn_all(keeper);
    pthread_mutex_unlock(&keeper->lock);
}

static void *run(void *arg)
{
    struct team_keeper *keeper = arg;

    (void)event_base_loop(keeper->base, EVLOOP_NO_EXIT_ON_EMPTY);
    return NULL;
}

/* ---- being told ------------------------------------------------------------------------------ */

static struct team_config config_of(const struct keeper_team *team, uint16_t id)
{
    return (struct team_config){
        .setting = team->setting,
        .lacp = {
            .system_mac = team->lacp_mac,
            .system_priority = LACP_SYSTEM_PRIORITY,
            .key = (uint16_t)(id + 1),
            .passive = team->setting.lacp_passive,
            .slow = team->setting.lacp_slow,
        },
    };
}

/* The system's address is that of a member, so that it is unique; it stays when that goes. */
static void choose_system(struct keeper_team *team)
{
    for (unsigned i = 0; i < TEAM_MEMBERS_MAX && team->lacp_mac == 0; i++) {
        team->lacp_mac = team->member[i].present ? team->member[i].mac : 0;
    }
}

/* Locked.  @return whether there was memory; if not, nothing has changed */
static bool begin(struct team_keeper *keeper, const struct team_keeper_team *told)
{
    struct keeper_team *team = &keeper->team[told->id];
    struct team_config config;

    memset(team, 0, sizeof(*team));
    team->keeper = keeper;
    team->port = told->port;
    team->setting = told->setting;
    memcpy(team->member, told->member, sizeof(team->member));
    choose_system(team);
    config = config_of(team, told->id);
    team->plan.primary = TEAM_NO_MEMBER;
    team->team = team_create(&config, now_ms());
    if (team->team == NULL) {
        return false;
    }
    team->boxed = event_new(keeper->base, team_port_fd(told->port), EV_READ | EV_PERSIST, on_boxed,
                            team);
    if (team->boxed == NULL || event_add(team->boxed, NULL) != 0) {
        team_destroy(team->team);
        return false;
    }
    (void)snprintf(team->name, sizeof(team->name), "%s", told->name);
    team->rebalance_at_ms = now_ms() + team->setting.rebalance_ms;
    team->used = true;
    return true;
}

/* What is known of a member is of no use to one that has its place now. */
static void forget_replaced(struct keeper_team *team, const struct team_keeper_member *member)
{
    static const struct team_link none = { .present = false };

    for (unsigned i = 0; i < TEAM_MEMBERS_MAX; i++) {
        if (team->member[i].present && team->member[i].port != member[i].port) {
            team_set_link(team->team, i, &none, now_ms());
        }
    }
}

int team_keeper_tell(struct team_keeper *keeper, const struct team_keeper_team *told)
{
    struct keeper_team *team = &keeper->team[told->id];
    struct team_config config;
    bool done = true;

    pthread_mutex_lock(&keeper->lock);
    if (!team->used) {
        done = begin(keeper, told);
    }
    if (done) {
        done = team_announcer_know(&team->announcer, told->address, told->address_count);
        forget_replaced(team, told->member);
        memcpy(team->member, told->member, sizeof(team->member));
        team->setting = told->setting;
        choose_system(team);
        config = config_of(team, told->id);
        team_configure(team->team, &config, now_ms());
        team_port_set(team->port, &team->setting);
        for (unsigned i = 0; i < TEAM_MEMBERS_MAX; i++) {
            set_link(team, i);
        }
        turn_all(keeper);
    }
    pthread_mutex_unlock(&keeper->lock);
    return done ? 0 : -ENOMEM;
}

void team_keeper_forget(struct team_keeper *keeper, uint16_t id)
{
    struct keeper_team *team = &keeper->team[id];
    struct event *boxed = NULL;

    pthread_mutex_lock(&keeper->lock);
    if (team->used) {
        team->used = false;
        boxed = team->boxed;
        team_destroy(team->team);
        team_announcer_free(&team->announcer);
    }
    pthread_mutex_unlock(&keeper->lock);
    if (boxed != NULL) {
        event_free(boxed);         /* waits for its callback, which takes the lock */
    }
}

int team_keeper_moved_fd(const struct team_keeper *keeper)
{
    return keeper->moved_fd;
}

uint32_t team_keeper_take_moved(struct team_keeper *keeper)
{
    eventfd_t ignored;

    (void)eventfd_read(keeper->moved_fd, &ignored);
    return atomic_exchange(&keeper->moved, 0);
}

bool team_keeper_status(struct team_keeper *keeper, uint16_t id, struct team_keeper_status *status)
{
    const struct keeper_team *team = &keeper->team[id];
    bool found;

    memset(status, 0, sizeof(*status));
    status->primary = TEAM_NO_MEMBER;
    pthread_mutex_lock(&keeper->lock);
    found = team->used;
    if (found) {
        status->carries = team->plan.carries;
        status->primary = team->plan.primary;
        status->failovers = team->failovers;
        status->lost_pdus = team_port_slow_lost(team->port);
        for (unsigned i = 0; i < TEAM_MEMBERS_MAX; i++) {
            if (team->member[i].present) {
                team_member_status(team->team, i, now_ms(), &status->member[i]);
            }
        }
    }
    pthread_mutex_unlock(&keeper->lock);
    return found;
}

/* ---- start and stop -------------------------------------------------------------------------- */

/* Signals are for the main thread. */
static bool start_thread(struct team_keeper *keeper)
{
    sigset_t all, before;

    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    keeper->running = pthread_create(&keeper->thread, NULL, run, keeper) == 0;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (keeper->running) {
        (void)pthread_setname_np(keeper->thread, "teams");
    }
    return keeper->running;
}

struct team_keeper *team_keeper_start(struct error *error)
{
    struct team_keeper *keeper = calloc(1, sizeof(*keeper));

    if (keeper == NULL) {
        (void)error_set(error, ENOMEM, "There is no memory left to keep teams.");
        return NULL;
    }
    pthread_mutex_init(&keeper->lock, NULL);
    keeper->moved_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    keeper->base = event_base_new();
    if (keeper->base != NULL && keeper->moved_fd >= 0) {
        keeper->timer = event_new(keeper->base, -1, 0, on_time, keeper);
        keeper->watch = link_watch_create(keeper->base, on_link, keeper, error);
    }
    if (keeper->timer == NULL || keeper->watch == NULL || !start_thread(keeper)) {
        if (error->code == 0) {
            (void)error_set(error, EAGAIN, "No thread could be started to keep teams.");
        }
        team_keeper_stop(keeper);
        return NULL;
    }
    return keeper;
}

void team_keeper_stop(struct team_keeper *keeper)
{
    if (keeper == NULL) {
        return;
    }
    for (uint16_t i = 0; i < VSWITCH_MAX_TEAMS; i++) {
        team_keeper_forget(keeper, i);
    }
    if (keeper->running) {
        (void)event_base_loopexit(keeper->base, NULL);
        (void)pthread_join(keeper->thread, NULL);
    }
    link_watch_destroy(keeper->watch);
    if (keeper->timer != NULL) {
        event_free(keeper->timer);
    }
    if (keeper->base != NULL) {
        event_base_free(keeper->base);
    }
    if (keeper->moved_fd >= 0) {
        (void)close(keeper->moved_fd);
    }
    pthread_mutex_destroy(&keeper->lock);
    free(keeper);
}
