/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The file of loans.h, read strictly and written whole.  For loans.c only.
 */
#ifndef CTL_LOANS_FILE_H
#define CTL_LOANS_FILE_H

#include <stddef.h>

#include "ctl/host/host_id.h"
#include "ctl/host/loans.h"

#define LOANS_FILE_NAME "loans.json"

struct loan {
    int ifindex;
    char name[LINK_NAME_SIZE];     /* when it was lent: for people */
    bool in_use;                   /* since the list was read */
    struct loan_values was;
};

struct loan_list {
    struct loan *loan;             /* owned, for free() */
    size_t count;
};

/** @return the new loan, of nothing yet; NULL when memory is short */
struct loan *loan_list_add(struct loan_list *list, int ifindex, const char *name);

/**
 * @param host  filled with whose interfaces the file speaks of
 * @param list  filled; empty unless 0 is returned
 * @return 0; -ENOENT without a sentence; or a negative errno with a clause that says what is wrong
 */
int loans_file_read(const char *state_dir, char host[HOST_ID_SIZE], struct loan_list *list,
                    struct error *error);

/** A file of no loans is removed.  @return 0 or a negative errno */
int loans_file_write(const char *state_dir, const char *host, const struct loan_list *list);

#endif
