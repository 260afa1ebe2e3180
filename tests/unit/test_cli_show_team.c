/* SPDX-License-Identifier: BSD-3-Clause */
/* Tests of ctl/cli/cli_show_team: who carries, and of each who does not, why. */
#include "ctl/cli/cli_show.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void assert_shown(enum method_id id, const char *result, const char *text)
{
    json_t *value = json_loads(result, JSON_DECODE_ANY, NULL);
    char *is = NULL;
    size_t size_bytes = 0;
    FILE *out = open_memstream(&is, &size_bytes);

    assert_non_null(value);
    cli_show(method_get(id), value, out);
    (void)fclose(out);
    assert_string_equal(is, text);
    json_decref(value);
    free(is);
}

static int no_terminal(void **state)
{
    (void)state;
    return unsetenv("COLUMNS");
}

#define RATES(from, to)                                                                         \
    "\"rates\": {\"from_frames_per_s\": " from ", \"from_bits_per_s\": 8000, "                  \
    "\"to_frames_per_s\": " to ", \"to_bits_per_s\": 9000}"
#define ETH1                                                                                    \
    "{\"name\": \"eth1\", \"standby\": false, \"state\": \"up\", \"active\": true, "            \
    "\"share_percent\": 100, \"speed_mbps\": 10000, \"why\": null, " RATES("10", "20") ", "     \
    "\"lacp\": null, \"drops\": {\"interface had no room to send\": 7}}"
#define ETH2                                                                                    \
    "{\"name\": \"eth2\", \"standby\": true, \"state\": \"no carrier\", \"active\": false, "    \
    "\"share_percent\": null, \"speed_mbps\": null, \"why\": \"it has no carrier\", "           \
    "\"note\": \"another program set it down\", \"rates\": null, \"lacp\": null, \"drops\": {}}"

static void test_team_says_who_carries_and_why_one_does_not(void **state)
{
    (void)state;
    assert_shown(METHOD_TEAM_SHOW,
                 "{\"name\": \"t0\", \"uplink_of\": \"lan\", \"mtu\": 9000, "
                 "\"mode\": \"switch-independent\", \"balance\": \"dynamic\", \"hash\": \"l4\", "
                 "\"flowlet_gap_ms\": 100, \"rebalance_ms\": 1000, \"imbalance_percent\": 10, "
                 "\"up_delay_ms\": 1000, \"active_count\": 1, \"primary\": \"eth1\", "
                 "\"failovers\": 2, \"members\": [" ETH1 ", " ETH2 "]}",
                 "team t0\n"
                 "  uplink of    switch lan, MTU 9000\n"
                 "  mode         switch-independent\n"
                 "  balance      dynamic, flows by l4, flowlet gap 100 ms, rebalanced each 1000 ms "
                 "when 10 % over\n"
                 "  up-delay     1000 ms\n"
                 "  members      1 of 2 carry, primary eth1, 2 failovers\n"
                 "\n"
                 "MEMBER  ROLE     STATE       CARRIES  SHARE %   SPEED  FROM FR/S  FROM BIT/S  "
                 "TO FR/S  TO BIT/S  DROPS\n"
                 "eth1    active   up          yes          100  10.0 G         10      8.00 k  "
                 "     20    9.00 k      7\n"
                 "eth2    standby  no carrier  no             -       -          -           -  "
                 "      -         -      0\n"
                 "\n"
                 "  eth2 does not carry: it has no carrier\n"
                 "  eth2: another program set it down\n"
                 "\n"
                 "dropped:\n"
                 "             7  interface had no room to send (eth1)\n");
}

static void test_team_with_lacp_says_with_whom(void **state)
{
    (void)state;
    assert_shown(METHOD_TEAM_SHOW,
                 "{\"name\": \"t0\", \"uplink_of\": null, \"mtu\": 1500, \"mode\": \"lacp\", "
                 "\"lacp_activity\": \"active\", \"lacp_rate\": \"fast\", \"balance\": \"port\", "
                 "\"up_delay_ms\": 0, \"active_count\": 1, \"members\": [{\"name\": \"eth1\", "
                 "\"active\": true, \"state\": \"up\", \"lacp\": {\"receive\": \"CURRENT\", "
                 "\"mux\": \"DISTRIBUTING\", \"partner\": {\"system\": \"02:00:00:00:00:01\", "
                 "\"key\": 17, \"port\": 3}, \"pdus_in\": 5, \"pdus_out\": 6, \"pdus_bad\": 0}}]}",
                 "team t0\n"
                 "  uplink of    no switch, MTU 1500\n"
                 "  mode         lacp\n"
                 "  LACP         active, fast\n"
                 "  balance      port\n"
                 "  up-delay     0 ms\n"
                 "  members      1 of 1 carry\n"
                 "\n"
                 "MEMBER  ROLE    STATE  CARRIES  SHARE %  SPEED  FROM FR/S  FROM BIT/S  TO FR/S  "
                 "TO BIT/S  DROPS\n"
                 "eth1    active  up     yes            -      -          -           -        -  "
                 "       -      0\n"
                 "\n"
                 "MEMBER  RECEIVE  MUX           PARTNER            KEY  PORT  PDUS IN  OUT  "
                 "BAD\n"
                 "eth1    CURRENT  DISTRIBUTING  02:00:00:00:00:01   17     3        5    6  "
                 "  0\n");
}

static void test_teams_are_listed(void **state)
{
    (void)state;
    assert_shown(METHOD_TEAM_LIST,
                 "[{\"name\": \"t0\", \"mode\": \"static\", \"balance\": \"hash\", "
                 "\"members\": [\"eth1\", \"eth2\"], \"standby\": [], \"uplink_of\": \"lan\"}]",
                 "NAME  MODE    BALANCE  MEMBERS    STANDBY  UPLINK OF\n"
                 "t0    static  hash     eth1,eth2  -        lan\n");
    assert_shown(METHOD_TEAM_LIST, "[]",
                 "no teams; `vswitchctl team add NAME --members IF,IF` makes one\n");
}

static void test_team_that_is_an_uplink_is_named_with_its_members(void **state)
{
    json_t *value = json_loads("{\"name\": \"lan\", \"uplink\": \"team:t0\", "
                               "\"uplink_status\": {\"present\": true, \"carrier\": true}, "
                               "\"team\": {\"active_count\": 1, \"members\": [" ETH1 ", " ETH2
                               "]}, \"ports\": []}", JSON_DECODE_ANY, NULL);
    char *text = NULL;
    size_t size_bytes = 0;
    FILE *out = open_memstream(&text, &size_bytes);
    (void)state;

    assert_non_null(value);
    cli_show(method_get(METHOD_SWITCH_SHOW), value, out);
    (void)fclose(out);
    assert_non_null(strstr(text, "  uplink       team:t0: up\n"
                                 "  members      1 of 2 carry: eth1 up, eth2 no carrier "
                                 "(standby)\n"));
    json_decref(value);
    free(text);
}

/* Every text of a result, hostile. */
static void test_team_texts_do_not_reach_the_terminal_raw(void **state)
{
#define EVIL "\"\\u001b]0;x\\u0007\\r\\u007f\""
    json_t *value = json_loads("{\"name\": " EVIL ", \"uplink_of\": " EVIL ", \"mode\": " EVIL ", "
                               "\"balance\": " EVIL ", \"hash\": " EVIL ", \"members\": "
                               "[{\"name\": " EVIL ", \"state\": " EVIL ", \"why\": " EVIL ", "
                               "\"note\": " EVIL ", \"drops\": {" EVIL ": 3}, \"lacp\": "
                               "{\"mux\": " EVIL ", \"partner\": {\"system\": " EVIL "}}}]}",
                               JSON_DECODE_ANY, NULL);
    char *text = NULL;
    size_t size_bytes = 0;
    FILE *out = open_memstream(&text, &size_bytes);
    (void)state;

    assert_non_null(value);
    cli_show(method_get(METHOD_TEAM_SHOW), value, out);
    (void)fclose(out);
    assert_null(strpbrk(text, "\x1b\x07\r\x7f"));
    json_decref(value);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_team_says_who_carries_and_why_one_does_not),
        cmocka_unit_test(test_team_with_lacp_says_with_whom),
        cmocka_unit_test(test_teams_are_listed),
        cmocka_unit_test(test_team_that_is_an_uplink_is_named_with_its_members),
        cmocka_unit_test(test_team_texts_do_not_reach_the_terminal_raw),
    };

    return cmocka_run_group_tests(tests, no_terminal, NULL);
}
