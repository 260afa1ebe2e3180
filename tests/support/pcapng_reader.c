/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reading pcapng: draft-ietf-opsawg-pcapng, little endian only.
 */
#include "tests/support/pcapng_reader.h"

#include <stdlib.h>
#include <string.h>

/* What is left of a block, its two lengths not included. */
struct rest {
    const uint8_t *at;
    size_t left;
};

static bool take(struct rest *rest, void *to, size_t len_bytes)
{
    if (len_bytes > rest->left) {
        return false;
    }
    memcpy(to, rest->at, len_bytes);
    rest->at += len_bytes;
    rest->left -= len_bytes;
    return true;
}

static bool take_time(struct rest *rest, uint64_t *time_ns)
{
    uint32_t upper, lower;

    if (!take(rest, &upper, 4) || !take(rest, &lower, 4)) {
        return false;
    }
    *time_ns = (uint64_t)upper << 32 | lower;
    return true;
}

static bool skip(struct rest *rest, size_t len_bytes)
{
    if (len_bytes > rest->left) {
        return false;
    }
    rest->at += len_bytes;
    rest->left -= len_bytes;
    return true;
}

struct option {
    uint16_t code, len_bytes;
    const uint8_t *value;
};

/* @return 1 with an option, 0 at the end of the options, -1 when they are malformed */
static int take_option(struct rest *rest, struct option *option)
{
    if (!take(rest, &option->code, 2) || !take(rest, &option->len_bytes, 2)) {
        return -1;
    }
    option->value = rest->at;
    if (option->code == 0) {
        return option->len_bytes == 0 && rest->left == 0 ? 0 : -1;
    }
    return skip(rest, (option->len_bytes + 3u) & ~3u) ? 1 : -1;
}

static void text(const struct option *option, size_t from, char *to)
{
    const size_t len = option->len_bytes - from;
    const size_t most = PCAPNG_READER_TEXT - 1;

    memcpy(to, option->value + from, len < most ? len : most);
    to[len < most ? len : most] = '\0';
}

static const char *read_section(struct rest rest, struct pcapng_read *read)
{
    uint32_t magic;
    uint16_t major, minor;
    uint64_t length;
    struct option option;
    int status;

    if (!take(&rest, &magic, 4) || !take(&rest, &major, 2) || !take(&rest, &minor, 2) ||
        !take(&rest, &length, 8) || magic != 0x1a2b3c4d || major != 1 || minor != 0) {
        return "section header malformed";
    }
    while ((status = take_option(&rest, &option)) > 0) {
        if (option.code == 4) {
            text(&option, 0, read->application);
        }
    }
    return status == 0 ? NULL : "options of the section header malformed";
}

static const char *read_interface(struct rest rest, struct pcapng_read *read)
{
    struct pcapng_read_interface *interface;
    uint16_t linktype, reserved;
    struct option option;
    int status;

    read->interface = realloc(read->interface,
                              (read->interface_count + 1) * sizeof(*read->interface));
    interface = &read->interface[read->interface_count++];
    memset(interface, 0, sizeof(*interface));
    if (!take(&rest, &linktype, 2) || !take(&rest, &reserved, 2) ||
        !take(&rest, &interface->snaplen_bytes, 4) || linktype != 1 || reserved != 0) {
        return "interface malformed";
    }
    while ((status = take_option(&rest, &option)) > 0) {
        if (option.code == 2) {
            text(&option, 0, interface->name);
        } else if (option.code == 9 && option.len_bytes == 1) {
            interface->resolution = option.value[0];
        } else if (option.code == 11 && option.value[0] == 0) {
            text(&option, 1, interface->filter);
        }
    }
    return status == 0 ? NULL : "options of an interface malformed";
}

static const char *read_packet(struct rest rest, struct pcapng_read *read)
{
    struct pcapng_read_packet *packet;
    struct option option;
    int status;

    if ((read->packet_count & (read->packet_count - 1)) == 0) {
        read->packet = realloc(read->packet,
                               (2 * read->packet_count + 1) * sizeof(*read->packet));
    }
    packet = &read->packet[read->packet_count++];
    memset(packet, 0, sizeof(*packet));
    if (!take(&rest, &packet->interface, 4) || !take_time(&rest, &packet->time_ns) ||
        !take(&rest, &packet->captured_bytes, 4) || !take(&rest, &packet->original_bytes, 4)) {
        return "packet malformed";
    }
    packet->data = rest.at;
    if (!skip(&rest, (packet->captured_bytes + 3ull) & ~3ull) ||
        packet->captured_bytes > packet->original_bytes ||
        packet->interface >= read->interface_count) {
        return "packet contradicts itself";
    }
    while ((status = take_option(&rest, &option)) > 0) {
        if (option.code == 2 && option.len_bytes == 4) {
            memcpy(&packet->flags, option.value, 4);
        } else if (option.code == 1) {
            text(&option, 0, packet->comment);
        }
    }
    return status == 0 ? NULL : "options of a packet malformed";
}

static const char *read_statistics(struct rest rest, struct pcapng_read *read)
{
    struct pcapng_read_interface *of;
    uint32_t interface;
    uint64_t time_ns;
    struct option option;
    int status;

    if (!take(&rest, &interface, 4) || !take_time(&rest, &time_ns) ||
        interface >= read->interface_count || read->interface[interface].has_statistics) {
        return "statistics malformed";
    }
    of = &read->interface[interface];
    of->has_statistics = true;
    while ((status = take_option(&rest, &option)) > 0) {
        if (option.len_bytes != 8) {
            return "statistics have a number that is not 64 bits";
        }
        if (option.code >= 4 && option.code <= 6) {
            uint64_t *const to[] = { &of->received, &of->dropped, &of->accepted };

            memcpy(to[option.code - 4], option.value, 8);
        }
    }
    return status == 0 ? NULL : "options of statistics malformed";
}

static const char *read_block(uint32_t type, struct rest rest, struct pcapng_read *read, bool first)
{
    if (first != (type == 0x0a0d0d0a)) {
        return "the section header is not the first block, or not the only one";
    }
    switch (type) {
    case 0x0a0d0d0a:
        return read_section(rest, read);
    case 1:
        return read_interface(rest, read);
    case 5:
        return read_statistics(rest, read);
    case 6:
        return read_packet(rest, read);
    default:
        return "block of an unknown type";
    }
}

const char *pcapng_read(const uint8_t *stream, size_t len_bytes, struct pcapng_read *read)
{
    size_t at = 0;

    memset(read, 0, sizeof(*read));
    while (len_bytes - at >= 12) {
        uint32_t type, length, again;
        const char *wrong;

        memcpy(&type, stream + at, 4);
        memcpy(&length, stream + at + 4, 4);
        if (length < 12 || length % 4 != 0) {
            return "block with an impossible length";
        }
        if (length > len_bytes - at) {
            break;
        }
        memcpy(&again, stream + at + length - 4, 4);
        if (again != length) {
            return "block whose two lengths differ";
        }
        wrong = read_block(type, (struct rest){ stream + at + 8, length - 12 }, read, at == 0);
        if (wrong != NULL) {
            return wrong;
        }
        at += length;
    }
    read->cut_bytes = len_bytes - at;
    return NULL;
}

void pcapng_read_free(struct pcapng_read *read)
{
    free(read->interface);
    free(read->packet);
    memset(read, 0, sizeof(*read));
}
