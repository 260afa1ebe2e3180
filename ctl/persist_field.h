/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One key of a record of the state file: where in a C struct its value stands, and what it looks
 * like in JSON.  For persist_record.c only.
 */
#ifndef CTL_PERSIST_FIELD_H
#define CTL_PERSIST_FIELD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "switch/error.h"

enum persist_kind {
    PERSIST_TEXT,                  /* char[], not empty                       */
    PERSIST_WORD,                  /* an enum, as one of its words            */
    PERSIST_MAC,                   /* uint64_t, as aa:bb:cc:dd:ee:ff          */
    PERSIST_UINT,                  /* uint16_t or uint32_t                    */
    PERSIST_FLAG,                  /* bool                                    */
    PERSIST_VLAN,                  /* struct vlan_policy, as people write it  */
    PERSIST_OFFLOAD,               /* uint64_t, as people write it            */
    PERSIST_MACS,                  /* uint64_t[], a list of addresses         */
    PERSIST_TEXTS                  /* char[][], a list of texts               */
};

/*
 * A key that may be left out stands for zero, the empty text or list, no VLAN, or no; one that is
 * PERSIST_OPTIONAL_ON for yes, or for every offload, and is left out when it is so.
 */
enum persist_presence { PERSIST_REQUIRED, PERSIST_OPTIONAL, PERSIST_OPTIONAL_ON };

struct persist_field {
    const char *key;
    enum persist_kind kind;
    enum persist_presence presence;
    const char *const *words;      /* WORD; by value, ends with NULL */
    uint32_t min;                  /* UINT; what is too much is for its size and the rules to say */
    size_t offset, size_bytes;
    size_t count_offset;           /* of a list: of the uint16_t that counts its items */
    size_t item_size_bytes;
};

/** Whether @p record has what holds when the key is not there. */
bool persist_field_is_default(const struct persist_field *field, const void *record);
/** Puts into @p record, which is zeroed, what holds when the key is not there. */
void persist_field_default(const struct persist_field *field, void *record);
/** @return owned, or NULL when memory is short */
json_t *persist_field_to_json(const struct persist_field *field, const void *record);
/** @return 0, or -EINVAL with a sentence that names the key */
int persist_field_from_json(const struct persist_field *field, const json_t *value, void *record,
                            struct error *error);

#endif
