/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/nic_link.h"

#include <errno.h>
#include <stdatomic.h>
#include <sys/eventfd.h>

#include <rte_ethdev.h>
#include <rte_pause.h>

static atomic_int changed_fd = -1;             /* an eventfd, once it is needed */

int nic_link_fd(void)
{
    if (changed_fd < 0) {
        changed_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    }
    return changed_fd;
}

static int on_change(uint16_t port_id, enum rte_eth_event_type event, void *context, void *result)
{
    const int fd = changed_fd;

    (void)port_id;
    (void)event;
    (void)context;
    (void)result;
    if (fd >= 0) {
        (void)eventfd_write(fd, 1);
    }
    return 0;
}

bool nic_link_is_told(uint16_t port_id)
{
    struct rte_eth_dev_info info;

    return rte_eth_dev_info_get(port_id, &info) == 0 && info.dev_flags != NULL &&
           (*info.dev_flags & RTE_ETH_DEV_INTR_LSC) != 0;
}

void nic_link_listen(uint16_t port_id)
{
    (void)nic_link_fd();                       /* is there before the first word */
    (void)rte_eth_dev_callback_register(port_id, RTE_ETH_EVENT_INTR_LSC, on_change, NULL);
}

void nic_link_ignore(uint16_t port_id)
{
    /* It is being called: that takes no longer than a write to an eventfd. */
    while (rte_eth_dev_callback_unregister(port_id, RTE_ETH_EVENT_INTR_LSC, on_change, NULL) ==
           -EAGAIN) {
        rte_pause();
    }
}
