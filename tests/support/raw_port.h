/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One end of a load that is a kernel interface: the other end of a switch's wire, or the host's
 * adapter on it.
 *
 * Sending through the kernel costs more than most switches do, so it is done the cheapest way there
 * is: a burst is one long datagram that the kernel is asked to cut (UDP segmentation by the
 * socket's virtio-net header), which spares all but the first frame a call, a queue and a soft
 * interrupt.  Frames that leave are ordinary ones, complete with their checksums; for that the
 * interface must not do either itself (`ethtool -K IF tx off tx-udp-segmentation off`; a tap device
 * never does).
 *
 * Receiving costs nothing: it is the interface's own count.  The stack behind it drops the frames,
 * which are for addresses that nobody has.  What is counted are the frames of the load, which one
 * look at what arrives before the start shows.
 */
#ifndef TESTS_SUPPORT_RAW_PORT_H
#define TESTS_SUPPORT_RAW_PORT_H

#include "tests/support/load_port.h"

#include <stdint.h>

#define RAW_PORT_BURST 64u

/* A socket that takes frames in costs each frame that is sent, too: only who receives has one. */
enum raw_port_use { RAW_PORT_SENDS, RAW_PORT_RECEIVES };

struct raw_port {
    int fd;                    /* for sending */
    int look_fd;               /* for the one look; -1 after it */
    int count_fd;              /* /proc/net/dev of the interface's namespace */
    char interface[16];
    struct load_shape shape;
    uint8_t *burst;            /* a virtio-net header and a datagram of burst_frames */
    size_t burst_bytes;
    uint32_t burst_frames;
    uint64_t sent_frames;
};

/**
 * Opens an interface and builds what is sent on it.
 *
 * @param where  IF, or IF@NETNS when it is in a network namespace that `ip netns` names
 * @param use    what it is for; either sends, so that it is learned
 * @param side   as for load_port_open()
 * @return 0, or -1 with a sentence on standard error
 */
int raw_port_open(struct raw_port *port, const char *where, enum raw_port_use use,
                  const struct load_shape *shape, unsigned side);

/** Closes what is open. */
void raw_port_close(struct raw_port *port);

/** Sends @p frames, at most a burst. @return 0, or -1 when the kernel cannot do that, with errno */
int raw_port_send(struct raw_port *port, uint32_t frames);

/** Looks at what has arrived since it was opened. @return whether it is a frame of the load */
bool raw_port_look(struct raw_port *port);

/** How many frames the interface has received since it was made, of any kind. */
uint64_t raw_port_received(const struct raw_port *port);

#endif
