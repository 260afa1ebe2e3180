/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/capture_match.h"

#define IP_BYTES       20u         /* of an IPv4 header without options */
#define IP_MAX_BYTES   60u
#define HEADER_WORDS   0x0fu       /* of its first byte */
#define READ_MAX (CAPTURE_WINDOW_AT + CAPTURE_WINDOW_BYTES)

static uint32_t load_bytes(const struct bpf_insn *insn)
{
    return BPF_SIZE(insn->code) == BPF_W ? 4 : BPF_SIZE(insn->code) == BPF_H ? 2 : 1;
}

/* What a program reads of a frame whose IPv4 header, if it has one, has no options. */
struct reads {
    bool at[READ_MAX];
    uint32_t end;                  /* of the last byte */
};

static void note_read(struct reads *reads, uint32_t at, uint32_t len_bytes)
{
    if (reads->end < at + len_bytes) {
        reads->end = at + len_bytes;
    }
    for (uint32_t i = at; i < at + len_bytes && i < READ_MAX; i++) {
        reads->at[i] = true;
    }
}

/* Notes what is read of any frame. */
static void note_reach(struct capture_match *match, uint32_t end)
{
    if (match->reach_bytes < end) {
        match->reach_bytes = end;
    }
}

/* @return whether it is known what is loaded: offsets from 2 GiB on are none of the frame's */
static bool note_load(struct reads *reads, struct capture_match *match,
                      const struct bpf_insn *insn)
{
    const uint32_t len_bytes = load_bytes(insn);

    switch (BPF_MODE(insn->code)) {
    case BPF_ABS:
        if (insn->k > INT32_MAX) {
            return false;
        }
        note_read(reads, insn->k, len_bytes);
        note_reach(match, insn->k + len_bytes);
        return true;
    case BPF_IND:
        /* X is 0 or the length of an IPv4 header: note() lets it be nothing else. */
        if (insn->k > INT32_MAX) {
            return false;
        }
        note_read(reads, insn->k, len_bytes);
        note_read(reads, insn->k + IP_BYTES, len_bytes);
        note_reach(match, insn->k + IP_MAX_BYTES + len_bytes);
        return true;
    case BPF_LEN:
        match->windowed = false;
        return true;
    default:
        return true;
    }
}

/* @return whether it is known what @p insn makes of a frame */
static bool note(struct reads *reads, struct capture_match *match, const struct bpf_insn *insn)
{
    switch (BPF_CLASS(insn->code)) {
    case BPF_LD:
        return note_load(reads, match, insn);
    case BPF_LDX:
        if (BPF_MODE(insn->code) != BPF_MSH || insn->k > UINT8_MAX ||
            (match->ip_at != 0 && insn->k != match->ip_at)) {
            return false;
        }
        match->ip_at = (uint8_t)insn->k;
        note_read(reads, insn->k, 1);
        note_reach(match, insn->k + 1);
        return true;
    case BPF_MISC:
        return BPF_MISCOP(insn->code) != BPF_TAX;
    default:
        return true;
    }
}

/* Lays the window where what is read lies, if there is such a place. */
static void lay_window(struct capture_match *match, const struct reads *reads)
{
    uint8_t *mask = (uint8_t *)match->mask;
    uint32_t first = 0;

    while (first < CAPTURE_WINDOW_AT && !reads->at[first]) {
        first++;
    }
    match->window_at = first < CAPTURE_WINDOW_AT ? 0 : CAPTURE_WINDOW_AT;
    if (reads->end > match->window_at + CAPTURE_WINDOW_BYTES) {
        match->windowed = false;
        return;
    }
    for (uint32_t i = 0; i < CAPTURE_WINDOW_BYTES; i++) {
        mask[i] = reads->at[match->window_at + i] ? 0xff : 0;
    }
}

void capture_match_learn(struct capture_match *match, const struct bpf_program *program)
{
    struct reads reads = { .end = 0 };

    *match = (struct capture_match){ .program = program->bf_insns, .windowed = true };
    for (unsigned i = 0; i < program->bf_len; i++) {
        if (!note(&reads, match, &program->bf_insns[i])) {
            match->reach_bytes = UINT32_MAX;
            match->windowed = false;
        }
    }
    lay_window(match, &reads);
}

bool capture_match_run(const struct capture_match *match, struct capture_refused *refused,
                       const struct frame *frame, const uint8_t *bytes, uint32_t len_bytes)
{
    capture_vector differs = { 1, 0 };

    if (refused->valid && frame->hdr_len_bytes >= match->window_at + CAPTURE_WINDOW_BYTES) {
        differs = capture_match_difference(match, refused, frame->hdr);
    }
    if ((differs[0] | differs[1]) == 0) {
        return false;
    }
    if (bpf_filter(match->program, bytes, frame->len_bytes, len_bytes) != 0) {
        return true;
    }
    if (match->windowed &&
        frame->hdr_len_bytes >= match->window_at + CAPTURE_WINDOW_BYTES &&
        (match->ip_at == 0 || (frame->hdr[match->ip_at] & HEADER_WORDS) == IP_BYTES / 4)) {
        memcpy(refused->bytes, frame->hdr + match->window_at, sizeof(refused->bytes));
        for (unsigned i = 0; i < CAPTURE_WINDOW_VECTORS; i++) {
            refused->bytes[i] &= match->mask[i];
        }
        refused->valid = true;
    }
    return false;
}
