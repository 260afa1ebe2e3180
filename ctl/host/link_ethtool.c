/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What of an interface only ethtool's ioctl says: driver, speed, and the two offloads that an
 * uplink cannot live with.
 */
#include "ctl/host/link.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include <linux/ethtool.h>
#include <linux/sockios.h>

#include "ctl/host/link_inner.h"

static const struct {
    uint32_t flag;
    const char *text;
} offloads[LINK_OFFLOAD_COUNT] = {
    [LINK_LRO]     = { ETH_FLAG_LRO,   "large receive offload" },
    [LINK_RX_VLAN] = { ETH_FLAG_RXVLAN, "taking VLAN tags off" },
};

/* @p command is one of ethtool's structs, which begin with the number of the command */
static int ask(const struct links *links, const char *name, void *command)
{
    struct ifreq request;

    memset(&request, 0, sizeof(request));
    (void)snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
    request.ifr_data = command;
    return ioctl(links->ioctl_fd, SIOCETHTOOL, &request) == 0 ? 0 : -errno;
}

/* The first call says how long the lists of modes are, which the second has to bring room for. */
static uint32_t ask_speed(const struct links *links, const char *name)
{
    union {
        struct ethtool_link_settings settings;
        uint8_t room[sizeof(struct ethtool_link_settings) + 3 * INT8_MAX * sizeof(uint32_t)];
    } command = { .settings.cmd = ETHTOOL_GLINKSETTINGS };

    if (ask(links, name, &command) != 0 || command.settings.link_mode_masks_nwords >= 0) {
        return 0;
    }
    command.settings.cmd = ETHTOOL_GLINKSETTINGS;
    command.settings.link_mode_masks_nwords =
        (int8_t)-command.settings.link_mode_masks_nwords;
    if (ask(links, name, &command) != 0 || command.settings.speed == (uint32_t)SPEED_UNKNOWN) {
        return 0;
    }
    return command.settings.speed;
}

void link_ask_ethtool(const struct links *links, struct link *link)
{
    struct ethtool_drvinfo driver = { .cmd = ETHTOOL_GDRVINFO };

    if (ask(links, link->name, &driver) == 0) {
        (void)snprintf(link->driver, sizeof(link->driver), "%.*s",
                       (int)sizeof(driver.driver) - 1, driver.driver);
    }
    link->speed_mbps = ask_speed(links, link->name);
}

int link_get_offload(struct links *links, const char *name, enum link_offload which, bool *on)
{
    struct ethtool_value flags = { .cmd = ETHTOOL_GFLAGS };

    if (ask(links, name, &flags) != 0) {
        return -EOPNOTSUPP;
    }
    *on = (flags.data & offloads[which].flag) != 0;
    return 0;
}

int link_set_offload(struct links *links, const char *name, enum link_offload which, bool on,
                     struct error *error)
{
    struct ethtool_value flags = { .cmd = ETHTOOL_GFLAGS };
    int rc = ask(links, name, &flags);

    if (rc == 0) {
        flags.cmd = ETHTOOL_SFLAGS;
        flags.data = on ? flags.data | offloads[which].flag
                        : flags.data & ~offloads[which].flag;
        rc = ask(links, name, &flags);
    }
    return rc == 0 ? 0 : link_refuse(error, rc, name, "%s cannot be switched %s",
                                     offloads[which].text, on ? "on" : "off");
}
