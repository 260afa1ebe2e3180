/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What is changed of interfaces that are the host's, and how they are found again as they were.
 *
 * Before anything of an interface is changed, what it was is on the disk, in STATE/loans.json; so
 * whoever starts next can give it back, however the daemon ended.  Only what was changed is noted,
 * and noted once: a value that is changed twice is given back as it was at first.
 *
 *     { "version": 1, "host": "BOOT/NAMESPACE",
 *       "interfaces": [ { "ifindex": 3, "name": "eth1", "mtu": 1500, "up": 0 } ] }
 *
 * An interface is known by its number, which the kernel does not use twice: one that is renamed is
 * found, and one that is deleted and made again under its name is another, whose values are its
 * own.  Numbers are good for one boot and one network namespace, so a file of another is void: what
 * the host is like after a boot is not ours to change.  A loan whose interface cannot be found (it
 * may be in another namespace for a while) is kept until the next boot.
 *
 * Thread: control, for everything here.  Blocks for the disk where it says so.
 */
#ifndef CTL_LOANS_H
#define CTL_LOANS_H

#include <stdbool.h>
#include <stdint.h>

#include "ctl/host/link.h"
#include "switch/error.h"

/* What can be changed, in the order that it is; it is given back in the reverse. */
#define LOAN_VALUES(X)               \
    X(MTU,         "mtu")            \
    X(LRO,         "lro")            \
    X(RX_VLAN,     "rx_vlan")        \
    X(PROMISCUOUS, "promiscuous")    \
    X(XDP,         "xdp")            \
    X(UP,          "up")
enum loan_value {
#define X(name, key) LOAN_##name,
    LOAN_VALUES(X)
#undef X
    LOAN_VALUE_COUNT
};

/* Some values of an interface. */
struct loan_values {
    bool has[LOAN_VALUE_COUNT];
    uint32_t value[LOAN_VALUE_COUNT];   /* bytes; or 0 off, 1 on.  An XDP program is not put on an
                                           interface here: 1 says that somebody will */
};

struct loans;

/**
 * Reads what an earlier daemon left lent.  A file that cannot be read is set aside as
 * loans.json.damaged, with a line in the log.
 *
 * @param state_dir, links  borrowed, for the life of the loans
 * @return owned, or NULL with a sentence
 */
struct loans *loans_open(const char *state_dir, struct links *links, struct error *error);
/** Gives nothing back; NULL is fine. */
void loans_close(struct loans *loans);

/**
 * Makes @p wanted of an interface, after what it was is on the disk.  Also with nothing to change
 * the interface is in use from now on, and loans_settle() leaves it alone.
 *
 * @return 0, or a negative errno and a sentence, with the interface as it was
 */
int loans_set(struct loans *loans, const struct link *link, const struct loan_values *wanted,
              struct error *error);

/** Whether @p which of an interface was changed, by this daemon or an earlier one. */
bool loans_has(const struct loans *loans, int ifindex, enum loan_value which);

/**
 * Gives everything of an interface back, and says in the log what would not be taken.  The loan of
 * one that is gone is kept, in case it comes back.
 */
void loans_give_back(struct loans *loans, int ifindex);

/** Gives back what an earlier daemon left lent and nobody has taken since loans_open(). */
void loans_settle(struct loans *loans);

#endif
