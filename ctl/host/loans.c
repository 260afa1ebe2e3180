/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctl/host/loans.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl/host/host_id.h"
#include "ctl/host/loans_file.h"
#include "ctl/log.h"

struct loans {
    const char *state_dir;
    struct links *links;
    struct loan_list list;
    char host[HOST_ID_SIZE];
};

/* ---- the values ------------------------------------------------------------------------------ */

/* What @p which of an interface is now. */
static uint32_t read_value(struct loans *loans, const struct link *link, enum loan_value which)
{
    bool on = false;

    switch (which) {
    case LOAN_MTU:
        return link->mtu_bytes;
    case LOAN_LRO:
        (void)link_get_offload(loans->links, link->name, LINK_LRO, &on);
        return on;
    case LOAN_RX_VLAN:
        (void)link_get_offload(loans->links, link->name, LINK_RX_VLAN, &on);
        return on;
    case LOAN_PROMISCUOUS:
        return link->promiscuous;
    case LOAN_XDP:
        return link->xdp;
    case LOAN_UP:
        return link->up;
    case LOAN_VALUE_COUNT:
        break;
    }
    return 0;
}

static int write_value(struct loans *loans, const char *name, enum loan_value which,
                       uint32_t value, struct error *error)
{
    switch (which) {
    case LOAN_MTU:
        return link_set_mtu(loans->links, name, value, error);
    case LOAN_LRO:
        return link_set_offload(loans->links, name, LINK_LRO, value != 0, error);
    case LOAN_RX_VLAN:
        return link_set_offload(loans->links, name, LINK_RX_VLAN, value != 0, error);
    case LOAN_PROMISCUOUS:
        return link_set_promiscuous(loans->links, name, value != 0, error);
    case LOAN_XDP:
        return value != 0 ? 0 : link_drop_xdp(loans->links, name, error);
    case LOAN_UP:
        return link_set_up(loans->links, name, value != 0, error);
    case LOAN_VALUE_COUNT:
        break;
    }
    return -EINVAL;
}

/* Makes what differs what is wanted; undoes it when one of them is refused. */
static int write_values(struct loans *loans, const char *name, const struct loan_values *now,
                        const struct loan_values *wanted, struct error *error)
{
    int rc = 0;
    int i;

    for (i = 0; i < LOAN_VALUE_COUNT && rc == 0; i++) {
        if (wanted->has[i] && now->value[i] != wanted->value[i]) {
            rc = write_value(loans, name, (enum loan_value)i, wanted->value[i], error);
        }
    }
    for (i -= 2; rc != 0 && i >= 0; i--) {
        if (wanted->has[i] && now->value[i] != wanted->value[i]) {
            (void)write_value(loans, name, (enum loan_value)i, now->value[i], NULL);
        }
    }
    return rc;
}

/* ---- the list -------------------------------------------------------------------------------- */

static struct loan *find(const struct loans *loans, int ifindex)
{
    for (size_t i = 0; i < loans->list.count; i++) {
        if (loans->list.loan[i].ifindex == ifindex) {
            return &loans->list.loan[i];
        }
    }
    return NULL;
}

static int save(const struct loans *loans)
{
    return loans_file_write(loans->state_dir, loans->host, &loans->list);
}

static void drop(struct loans *loans, struct loan *loan)
{
    struct loan_list *list = &loans->list;
    int rc;

    list->count--;
    memmove(loan, loan + 1, (size_t)(&list->loan[list->count] - loan) * sizeof(*loan));
    rc = save(loans);
    if (rc != 0) {
        log_warning("%s/%s cannot be written (%s), so the next start may give back an interface "
                    "that has been given back", loans->state_dir, LOANS_FILE_NAME, strerror(-rc));
    }
}

/* Drops the loan of an interface that has gone and whose name another has. */
static void drop_namesake(struct loans *loans, const char *name)
{
    for (size_t i = loans->list.count; i-- > 0;) {
        struct loan *loan = &loans->list.loan[i];
        struct link link;

        if (strcmp(loan->name, name) == 0 &&
            link_find_index(loans->links, loan->ifindex, &link, NULL) != 0) {
            drop(loans, loan);
        }
    }
}

/* Adds what @p wanted changes to what is noted of @p loan.  @return whether there was any */
static bool note(struct loan *loan, const struct loan_values *now, const struct loan_values *wanted)
{
    bool any = false;

    for (int i = 0; i < LOAN_VALUE_COUNT; i++) {
        if (wanted->has[i] && wanted->value[i] != now->value[i] && !loan->was.has[i]) {
            loan->was.has[i] = true;
            loan->was.value[i] = now->value[i];
            any = true;
        }
    }
    return any;
}

bool loans_has(const struct loans *loans, int ifindex, enum loan_value which)
{
    const struct loan *loan = find(loans, ifindex);

    return loan != NULL && loan->was.has[which];
}

/* ---- lending and giving back ----------------------------------------------------------------- */

int loans_set(struct loans *loans, const struct link *link, const struct loan_values *wanted,
              struct error *error)
{
    struct loan *loan = find(loans, link->ifindex);
    struct loan_values now = { 0 };
    struct loan before;
    int rc = 0;

    if (loan == NULL) {
        drop_namesake(loans, link->name);
        loan = loan_list_add(&loans->list, link->ifindex, link->name);
    }
    if (loan == NULL) {
        return error_set(error, ENOMEM, "interface \"%s\": there is no memory left to note how it "
                         "is", link->name);
    }
    for (int i = 0; i < LOAN_VALUE_COUNT; i++) {
        now.value[i] = wanted->has[i] ? read_value(loans, link, (enum loan_value)i) : 0;
    }
    before = *loan;
    loan->in_use = true;
    if (note(loan, &now, wanted)) {
        rc = save(loans);
        if (rc != 0) {
            (void)error_set(error, -rc, "how interface \"%s\" is cannot be kept in %s/%s (%s), so "
                            "it was not changed; see to that directory and try again", link->name,
                            loans->state_dir, LOANS_FILE_NAME, strerror(-rc));
        }
    }
    if (rc == 0) {
        rc = write_values(loans, link->name, &now, wanted, error);
    }
    if (rc != 0) {
        *loan = before;
        (void)save(loans);
    }
    return rc;
}

static void give_back(struct loans *loans, struct loan *loan, const char *name)
{
    struct error error = { 0 };

    for (int i = LOAN_VALUE_COUNT - 1; i >= 0; i--) {
        if (loan->was.has[i] && write_value(loans, name, (enum loan_value)i, loan->was.value[i],
                                            &error) != 0) {
            log_warning("It is not given back as it was: %s", error.text);
        }
    }
    drop(loans, loan);
}

void loans_give_back(struct loans *loans, int ifindex)
{
    struct loan *loan = find(loans, ifindex);
    struct link link;

    if (loan == NULL) {
        return;
    }
    if (link_find_index(loans->links, ifindex, &link, NULL) == 0) {
        give_back(loans, loan, link.name);
    } else {
        loan->in_use = false;
    }
}

void loans_settle(struct loans *loans)
{
    for (size_t i = loans->list.count; i-- > 0;) {
        struct loan *loan = &loans->list.loan[i];
        struct link link;

        if (!loan->in_use && link_find_index(loans->links, loan->ifindex, &link, NULL) == 0) {
            log_info("Interface %s: no switch has it any more, so it gets back what an earlier "
                     "vswitchd had changed", link.name);
            give_back(loans, loan, link.name);
        }
    }
}

/* ---- life ------------------------------------------------------------------------------------ */

static void set_aside(const char *state_dir, const char *why)
{
    char path[PATH_MAX], aside[PATH_MAX + 16];

    (void)snprintf(path, sizeof(path), "%s/%s", state_dir, LOANS_FILE_NAME);
    (void)snprintf(aside, sizeof(aside), "%s.damaged", path);
    (void)rename(path, aside);
    log_warning("%s: %s, so what an earlier vswitchd may have changed of interfaces is not given "
                "back; it is %s now", path, why, aside);
}

struct loans *loans_open(const char *state_dir, struct links *links, struct error *error)
{
    struct loans *loans = calloc(1, sizeof(*loans));
    char host[HOST_ID_SIZE] = "";
    struct error why = { 0 };
    int rc;

    if (loans == NULL || host_id_read(loans->host) != 0) {
        (void)error_set(error, EIO, "What is borrowed of the host's interfaces cannot be kept: "
                        "there is no memory left, or /proc cannot be read.");
        free(loans);
        return NULL;
    }
    loans->state_dir = state_dir;
    loans->links = links;
    rc = loans_file_read(state_dir, host, &loans->list, &why);
    if (rc != 0 && rc != -ENOENT) {
        set_aside(state_dir, why.text);
    } else if (strcmp(host, loans->host) != 0) {
        loans->list.count = 0;
    }
    return loans;
}

void loans_close(struct loans *loans)
{
    if (loans != NULL) {
        free(loans->list.loan);
        free(loans);
    }
}
