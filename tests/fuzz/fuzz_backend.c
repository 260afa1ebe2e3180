/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A peer on a vNIC's socket that answers a NIC with the fuzzer's bytes, and then hangs up.
 *
 * fuzz-sources: vmm/backend.c vmm/channel.c vmm/ram.c switch/error.c
 *
 * The properties: every call ends, at once; it is either done, or refused with a sentence and a
 * code; and nobody waits for a peer that has gone.
 */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "vmm/backend.h"

#define DEADLINE_MS 5000u          /* never reached: the peer has hung up */
#define ANSWER_MAX  4096u          /* what a socket takes without a reader */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct ram ram;
static char path[64];
static int listener = -1, event = -1;

static void check(int truth)
{
    if (!truth) {
        abort();
    }
}

static void set_up(void)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };

    (void)snprintf(path, sizeof(path), "/tmp/vswitch-fuzz-%d.sock", (int)getpid());
    memcpy(address.sun_path, path, strlen(path) + 1);
    listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    check(listener >= 0 && bind(listener, (const struct sockaddr *)&address,
                                sizeof(address)) == 0 && listen(listener, 1) == 0);
    event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    check(event >= 0 && ram_create(&ram, RAM_MIN_BYTES, NULL) == 0);
}

static void tear_down(void)
{
    if (path[0] != '\0') {
        unlink(path);
    }
}

/* What a NIC says of a driver that starts and stops; the first refusal ends it. */
static int talk(struct backend *backend, struct error *error)
{
    const struct backend_ring ring = {
        .size = 256, .base = 7, .desc = ram.host, .avail = ram.host + 4096,
        .used = ram.host + 8192, .kick_fd = event, .call_fd = -1,
    };
    int result = backend_negotiate(backend, error);

    if (result == 0) {
        result = backend_set_features(backend, backend_features(backend), error);
    }
    if (result == 0) {
        result = backend_set_mtu(backend, 1500, error);
    }
    if (result == 0) {
        result = backend_set_memory(backend, &ram, error);
    }
    if (result == 0) {
        result = backend_start_ring(backend, 1, &ring, error);
    }
    if (result == 0) {
        result = backend_enable_ring(backend, 1, true, error);
    }
    if (result == 0) {
        result = backend_announce(backend, 0x00155d010203, error);
    }
    return result == 0 ? backend_stop_ring(backend, 1, error) : result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error error = { 0 };
    struct backend *backend;
    int peer, result;

    if (listener < 0) {
        atexit(tear_down);
        set_up();
    }
    backend = backend_open(path, DEADLINE_MS, &error);
    check(backend != NULL);
    peer = accept(listener, NULL, NULL);
    check(peer >= 0);
    size = size < ANSWER_MAX ? size : ANSWER_MAX;
    check(send(peer, data, size, MSG_NOSIGNAL) == (ssize_t)size);
    check(shutdown(peer, SHUT_WR) == 0);
    result = talk(backend, &error);
    check(result <= 0 && (result == 0 || (error.code == -result && error.text[0] != '\0')));
    check(result != 0 || error.text[0] == '\0');
    backend_close(backend);
    close(peer);
    return 0;
}
