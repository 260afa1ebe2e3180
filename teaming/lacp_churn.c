/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Churn detection, 6.4.17: an end that has not come to an agreement for so long that it will not.
 * The machines of both ends are alike.
 */
#include "teaming/lacp_inner.h"

static void enter(struct lacp_churn *churn, enum lacp_churn_state state, uint64_t now_ms)
{
    churn->state = state;
    churn->timer_ms = state == LACP_CHURN_MONITOR ? now_ms + LACP_CHURN_MS : LACP_NEVER;
}

/* The same state: none is next. */
static enum lacp_churn_state next(const struct lacp_churn *churn, bool synchronization,
                                  uint64_t now_ms)
{
    if (synchronization) {
        return LACP_CHURN_NO_CHURN;
    }
    if (churn->state == LACP_CHURN_NO_CHURN) {
        return LACP_CHURN_MONITOR;
    }
    return lacp_expired(churn->timer_ms, now_ms) ? LACP_CHURN_CHURN : churn->state;
}

void lacp_churn_run(struct lacp_churn *churn, bool port_enabled, bool synchronization,
                    uint64_t now_ms)
{
    enum lacp_churn_state state;

    if (!port_enabled) {
        /* MONITOR is entered again and again: its time begins when the port is enabled. */
        churn->state = LACP_CHURN_MONITOR;
        churn->timer_ms = LACP_NEVER;
        return;
    }
    if (churn->state == LACP_CHURN_MONITOR && churn->timer_ms == LACP_NEVER) {
        enter(churn, LACP_CHURN_MONITOR, now_ms);
    }
    while ((state = next(churn, synchronization, now_ms)) != churn->state) {
        enter(churn, state, now_ms);
    }
}
