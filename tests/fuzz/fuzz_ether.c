/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The header parser, fed anything.  The bytes are handed over in an allocation of just their size,
 * so that a read past them is seen; what is told of them is checked against what every answer must
 * hold.
 *
 * fuzz-sources: switch/ether.c switch/mac.c
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "switch/ether.h"

#define HDR_MAX_BYTES 512u
#define FILL          0xa5

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int truth)
{
    if (!truth) {
        abort();
    }
}

static void check_answer(const struct ether_info *info, const uint8_t *hdr, uint16_t len_bytes)
{
    check(info->destination >> 48 == 0 && info->source >> 48 == 0);
    check(info->tag_count <= ETHER_MAX_TAGS);
    check(info->l3_off_bytes == 14u + 4u * info->tag_count);
    check(info->l3_off_bytes <= len_bytes);
    check(info->l4_off_bytes == 0 || info->l4_off_bytes < len_bytes);
    check(info->l4_off_bytes == 0 || info->ip_version != 4 ||
          info->l4_off_bytes >= info->l3_off_bytes + 20u);
    check(info->l4_off_bytes == 0 || info->ip_version != 6 ||
          info->l4_off_bytes >= info->l3_off_bytes + 40u);
    check((info->flow_hash != 0) == (info->ip_version != 0));
    check(info->ip_version == 0 || hdr[info->l3_off_bytes] >> 4 == info->ip_version);
    check(info->ip_version != 4 || info->ethertype == ETHERTYPE_IPV4);
    check(info->ip_version != 6 || info->ethertype == ETHERTYPE_IPV6);
    check(info->ip_version != 0 || (info->l4_off_bytes | info->l4_protocol) == 0);
    if (info->source_port != 0 || info->destination_port != 0) {
        check(info->l4_off_bytes != 0 && info->l4_off_bytes + 4u <= len_bytes);
        check(info->source_port >> 8 == hdr[info->l4_off_bytes]);
        check((info->destination_port & 0xff) == hdr[info->l4_off_bytes + 3]);
    }
}

/* Payload has no say: with another one, or cut off after the ports, the answer is the same. */
static void check_payload_is_ignored(const struct ether_info *info, uint8_t *hdr,
                                     uint16_t len_bytes)
{
    const uint32_t payload = info->l4_off_bytes + 4u;
    struct ether_info again;

    if (info->l4_off_bytes == 0 || payload >= len_bytes) {
        return;
    }
    memset(&again, FILL, sizeof(again));   /* what lies between the members is compared too */
    for (uint32_t i = payload; i < len_bytes; i++) {
        hdr[i] = (uint8_t)~hdr[i];
    }
    check(ether_parse(hdr, len_bytes, &again));
    check(memcmp(&again, info, sizeof(again)) == 0);
    check(ether_parse(hdr, (uint16_t)payload, &again));
    check(memcmp(&again, info, sizeof(again)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint16_t len_bytes = (uint16_t)(size < HDR_MAX_BYTES ? size : HDR_MAX_BYTES);
    uint8_t *hdr = malloc(len_bytes > 0 ? len_bytes : 1);
    struct ether_info info;

    if (hdr == NULL) {
        return 0;
    }
    memcpy(hdr, data, len_bytes);
    memset(&info, FILL, sizeof(info));
    check(ether_parse(hdr, len_bytes, &info) == (len_bytes >= 14));
    if (len_bytes >= 14) {
        check_answer(&info, hdr, len_bytes);
        check_payload_is_ignored(&info, hdr, len_bytes);
    }
    free(hdr);
    return 0;
}
