/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The states of a move.  Carrying itself is link_layer3's, which does the same thing both ways;
 * here is when, and whether it has worked.
 */
#include "ctl/host/move_addresses.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <event2/event.h>

#include "ctl/host/link_announce.h"
#include "ctl/host/link_layer3.h"
#include "ctl/host/link_neighbour.h"
#include "ctl/log.h"
#include "ctl/host/move_record.h"

#define GATEWAYS_MAX      64u
#define TICK_MS           250u
#define CONFIRM_TICKS     (MOVE_CONFIRM_S * 1000u / TICK_MS)
#define ANNOUNCE_TICKS    3u       /* announcements that follow the first */
#define BEFORE_TRIES      50u      /* a second */
#define BEFORE_PAUSE_MS   20u

struct gateway {
    struct layer3_ip ip;
    bool answered_before;          /* on the uplink */
    bool answers;                  /* on the adapter */
};

struct move_addresses {
    struct move_config config;
    char uplink[LINK_NAME_SIZE];
    char adapter[LINK_NAME_SIZE];  /* "" before the start */
    int uplink_ifindex;
    int adapter_ifindex;
    struct layer3 layer3;          /* what the uplink had */
    struct gateway gateway[GATEWAYS_MAX];
    size_t gateway_count;
    enum move_state state;
    struct event *tick;
    unsigned ticks;                /* since the start */
    struct error trouble;          /* what could not be carried back */
};

static bool is_there(const struct move_addresses *move, int ifindex)
{
    struct link link;

    return ifindex != 0 && link_find_index(move->config.links, ifindex, &link, NULL) == 0;
}

/* The uplink as it is now; one that was put back has another number.  @return 0 when it is gone */
static int find_uplink(struct links *links, int ifindex, const char *name)
{
    struct link link;
    const bool found = link_find_index(links, ifindex, &link, NULL) == 0 ||
                       link_find(links, name, &link, NULL) == 0;

    return found ? link.ifindex : 0;
}

/* The first gateway that answered before and has not yet since, as text; NULL: none. */
static const char *silent_gateway(const struct move_addresses *move, char text[INET6_ADDRSTRLEN])
{
    for (size_t i = 0; i < move->gateway_count; i++) {
        const struct gateway *gateway = &move->gateway[i];

        if (gateway->answered_before && !gateway->answers) {
            return inet_ntop(gateway->ip.family, gateway->ip.bytes, text, INET6_ADDRSTRLEN);
        }
    }
    return NULL;
}

/* ---- before ---------------------------------------------------------------------------------- */

/* @return whether all gateways are known on the uplink; those that are not are asked */
static bool look_before(struct move_addresses *move)
{
    struct links *links = move->config.links;
    bool all = true;

    for (size_t i = 0; i < move->gateway_count; i++) {
        struct gateway *gateway = &move->gateway[i];

        gateway->answered_before =
            link_neighbour(links, move->uplink_ifindex, &gateway->ip) != NEIGHBOUR_SILENT;
        if (!gateway->answered_before) {
            link_neighbour_ask(links, move->uplink_ifindex, &gateway->ip);
            all = false;
        }
    }
    return all;
}

static void find_gateways(struct move_addresses *move)
{
    const struct timespec pause = { .tv_nsec = BEFORE_PAUSE_MS * 1000000L };
    struct layer3_ip ip[GATEWAYS_MAX];

    move->gateway_count = layer3_gateways(&move->layer3, ip, GATEWAYS_MAX);
    for (size_t i = 0; i < move->gateway_count; i++) {
        move->gateway[i].ip = ip[i];
    }
    for (unsigned tries = 0; tries < BEFORE_TRIES && !look_before(move); tries++) {
        (void)nanosleep(&pause, NULL);
    }
}

static void destroy(struct move_addresses *move)
{
    if (move->tick != NULL) {
        event_free(move->tick);
    }
    layer3_free(&move->layer3);
    free(move);
}

static void on_tick(evutil_socket_t fd, short what, void *arg);

struct move_addresses *move_prepare(const struct move_config *config, struct error *error)
{
    struct move_addresses *move = calloc(1, sizeof(*move));
    struct link link;

    if (move != NULL) {
        move->config = *config;
        move->tick = event_new(config->base, -1, EV_PERSIST, on_tick, move);
    }
    if (move == NULL || move->tick == NULL) {
        (void)error_set(error, ENOMEM, "there is no memory left to move the addresses of "
                        "interface \"%s\"", config->uplink);
        free(move);
        return NULL;
    }
    if (link_find(config->links, config->uplink, &link, error) != 0 ||
        layer3_read(config->links, link.ifindex, link.name, &move->layer3, error) != 0) {
        destroy(move);
        return NULL;
    }
    (void)snprintf(move->uplink, sizeof(move->uplink), "%s", link.name);
    move->uplink_ifindex = link.ifindex;
    find_gateways(move);
    return move;
}

/* ---- there and back -------------------------------------------------------------------------- */

/* Carries everything back; what cannot be is in move->trouble, and the record stays for a start. */
static int carry_back(struct move_addresses *move)
{
    const int from = is_there(move, move->adapter_ifindex) ? move->adapter_ifindex : 0;
    const int to = find_uplink(move->config.links, move->uplink_ifindex, move->uplink);
    int rc;

    (void)event_del(move->tick);
    move->trouble = (struct error){ 0 };
    if (to != 0) {
        rc = layer3_carry(move->config.links, &move->layer3, from, to, LAYER3_ALL_THAT_CAN_BE,
                          &move->trouble);
    } else {
        rc = error_set(&move->trouble, ENODEV, "it is gone");
    }
    if (rc == 0) {
        move_record_remove(move->config.state_dir, move->uplink_ifindex);
        link_announce(move->config.links, to, &move->layer3);
    } else {
        log_error("Interface %s: not everything that was moved to %s can be carried back: %s; "
                  "%s/moved-%d.json says what it had, and the next start tries again", move->uplink,
                  move->adapter, move->trouble.text, move->config.state_dir, move->uplink_ifindex);
    }
    return rc;
}

static void enter(struct move_addresses *move, enum move_state state)
{
    struct move_status status;

    move->state = state;
    move_status(move, &status);
    if (state == MOVE_TAKEN_BACK) {
        log_error("Interface %s: %s", move->uplink, status.text);
    } else {
        log_info("Interface %s: %s", move->uplink, status.text);
    }
}

int move_start(struct move_addresses *move, const char *adapter, struct error *error)
{
    static const struct timeval period = { .tv_usec = TICK_MS * 1000 };
    struct links *links = move->config.links;
    struct error why = { 0 };
    char text[INET6_ADDRSTRLEN];
    struct link link;
    int rc = link_find(links, adapter, &link, error);

    if (rc != 0) {
        return rc;
    }
    (void)snprintf(move->adapter, sizeof(move->adapter), "%s", link.name);
    move->adapter_ifindex = link.ifindex;
    rc = move_record_write(move->config.state_dir, move->uplink, &move->layer3);
    if (rc != 0) {
        return error_set(error, -rc, "what interface \"%s\" has cannot be noted in %s (%s), so "
                         "nothing was moved; see to that directory and try again", move->uplink,
                         move->config.state_dir, strerror(-rc));
    }
    rc = event_add(move->tick, &period) == 0 ? 0 : error_set(&why, ENOMEM, "memory is short");
    if (rc == 0) {
        rc = layer3_carry(links, &move->layer3, move->uplink_ifindex, move->adapter_ifindex,
                          LAYER3_ALL_OR_STOP, &why);
    }
    if (rc != 0) {
        return error_set(error, -rc, "the addresses of interface \"%s\" cannot be moved to \"%s\": "
                         "%s, %s", move->uplink, move->adapter, why.text, carry_back(move) == 0
                         ? "so all are where they were"
                         : "and not all could be moved back; the log says more");
    }
    link_announce(links, move->adapter_ifindex, &move->layer3);
    enter(move, silent_gateway(move, text) == NULL ? MOVE_UNCONFIRMED : MOVE_CONFIRMING);
    return 0;
}

void move_back(struct move_addresses *move)
{
    if (move == NULL) {
        return;
    }
    if ((move->state == MOVE_CONFIRMING || move->state == MOVE_CONFIRMED ||
         move->state == MOVE_UNCONFIRMED || move->trouble.code != 0) && carry_back(move) == 0) {
        log_info("Interface %s: has its addresses and routes again, which were on %s",
                 move->uplink, move->adapter);
    }
    destroy(move);
}

/* ---- is it confirmed? ------------------------------------------------------------------------ */

static void look_after(struct move_addresses *move)
{
    for (size_t i = 0; i < move->gateway_count; i++) {
        struct gateway *gateway = &move->gateway[i];

        if (!gateway->answered_before || gateway->answers) {
            continue;
        }
        gateway->answers = link_neighbour(move->config.links, move->adapter_ifindex,
                                          &gateway->ip) == NEIGHBOUR_ANSWERS;
        if (!gateway->answers) {
            link_neighbour_ask(move->config.links, move->adapter_ifindex, &gateway->ip);
        }
    }
}

/* While the uplink is gone nobody can answer, and nothing can be carried back: the time begins anew
   when it is there.  @return whether the state is another one now */
static bool confirm(struct move_addresses *move)
{
    char text[INET6_ADDRSTRLEN];

    if (find_uplink(move->config.links, move->uplink_ifindex, move->uplink) == 0) {
        move->ticks = 0;
        return false;
    }
    look_after(move);
    if (silent_gateway(move, text) == NULL) {
        enter(move, MOVE_CONFIRMED);
        return true;
    }
    if (move->ticks < CONFIRM_TICKS) {
        return false;
    }
    (void)carry_back(move);
    enter(move, MOVE_TAKEN_BACK);
    return true;
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
    struct move_addresses *move = arg;
    bool changed = false;

    (void)fd;
    (void)what;
    move->ticks++;
    if (move->ticks <= ANNOUNCE_TICKS) {
        link_announce(move->config.links, move->adapter_ifindex, &move->layer3);
    }
    if (move->state == MOVE_CONFIRMING) {
        changed = confirm(move);
    }
    if (move->state != MOVE_CONFIRMING && move->ticks >= ANNOUNCE_TICKS) {
        (void)event_del(move->tick);
    }
    if (changed && move->config.changed != NULL) {
        move->config.changed(move->config.context, move->state);   /* which may end the move */
    }
}

/* ---- telling --------------------------------------------------------------------------------- */

static void write_text(const struct move_addresses *move, char text[MOVE_TEXT_SIZE])
{
    char buffer[INET6_ADDRSTRLEN];
    const char *silent = silent_gateway(move, buffer);

    switch (move->state) {
    case MOVE_PREPARED:
        (void)snprintf(text, MOVE_TEXT_SIZE, "the host's addresses are on %s", move->uplink);
        break;
    case MOVE_CONFIRMING:
        (void)snprintf(text, MOVE_TEXT_SIZE, "the host's addresses were moved to %s; %s has %d s "
                       "to answer there, or they are moved back", move->adapter, silent,
                       MOVE_CONFIRM_S);
        break;
    case MOVE_CONFIRMED:
        (void)snprintf(text, MOVE_TEXT_SIZE, "the host's addresses were moved to %s, where every "
                       "gateway answers that did before", move->adapter);
        break;
    case MOVE_UNCONFIRMED:
        (void)snprintf(text, MOVE_TEXT_SIZE, move->layer3.count == 0
                       ? "there were no addresses to be moved to %s"
                       : "the host's addresses were moved to %s; no gateway had answered before, "
                         "so there is none to confirm it", move->adapter);
        break;
    case MOVE_TAKEN_BACK:
        (void)snprintf(text, MOVE_TEXT_SIZE, "the host's addresses were moved back from %s, where "
                       "%s did not answer within %d s%s%.180s", move->adapter, silent,
                       MOVE_CONFIRM_S, move->trouble.code != 0 ? "; but not all: " : "",
                       move->trouble.text);
        break;
    }
}

void move_status(const struct move_addresses *move, struct move_status *status)
{
    *status = (struct move_status){ .state = move->state };
    for (size_t i = 0; i < move->layer3.count; i++) {
        if (move->layer3.item[i].is_route) {
            status->routes++;
        } else {
            status->addresses++;
        }
    }
    write_text(move, status->text);
}

/* ---- after a crash --------------------------------------------------------------------------- */

struct recovery {
    struct links *links;
    const char *state_dir;
};

static void recover(void *arg, const char *name, const struct layer3 *layer3)
{
    const struct recovery *recovery = arg;
    const int to = find_uplink(recovery->links, layer3->ifindex, name);
    struct error error = { 0 };

    if (to == 0) {
        log_warning("Interface %s is not there, so addresses that an earlier vswitchd had moved "
                    "away from it cannot be put back; they are kept in %s/moved-%d.json", name,
                    recovery->state_dir, layer3->ifindex);
        return;
    }
    if (layer3_carry(recovery->links, layer3, 0, to, LAYER3_ALL_THAT_CAN_BE, &error) != 0) {
        log_error("Interface %s: not everything that an earlier vswitchd had moved away can be put "
                  "back: %s; %s/moved-%d.json says what it had", name, error.text,
                  recovery->state_dir, layer3->ifindex);
        return;
    }
    log_info("Interface %s: has the addresses and routes again that an earlier vswitchd had moved "
             "away", name);
    move_record_remove(recovery->state_dir, layer3->ifindex);
    link_announce(recovery->links, to, layer3);
}

void move_recover(struct links *links, const char *state_dir)
{
    struct recovery recovery = { .links = links, .state_dir = state_dir };

    move_record_each(state_dir, recover, &recovery);
}
