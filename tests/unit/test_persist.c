/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The state file: what is written can be read, and nothing else can.
 */
#include "ctl/persist.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "switch/offload.h"

#define TEXT_SIZE 65536u

/* A folder of its own for each test, and a model with one of everything. */
struct room {
    char dir[32];
    char path[64];
    struct vswitch_model *model;
    struct vswitch_model *read;    /* what a test read back; given back at the end */
    struct error error;
};

static void add_switch(struct vswitch_model *model, const char *name)
{
    struct vswitch_switch added = {
        .type = VSWITCH_PRIVATE, .mtu_bytes = 9000, .mac_capacity_entries = 4096,
        .mac_ageing_s = 60, .coalesce = true,
    };

    (void)snprintf(added.name, sizeof(added.name), "%s", name);
    assert_int_equal(vswitch_add(model, &added, NULL), 0);
}

static void add_vnic(struct vswitch_model *model, const char *on, const char *name, uint32_t mtu,
                     const char *group)
{
    struct vswitch_vnic added = { .queues = 4, .mtu_bytes = mtu, .offload = OFFLOAD_ALL };

    (void)snprintf(added.name, sizeof(added.name), "%s", name);
    (void)snprintf(added.socket_group, sizeof(added.socket_group), "%s", group);
    assert_int_equal(vswitch_add_vnic(model, on, &added, NULL), 0);
}

/* A switch and a vNIC with everything that can be left out. */
static void add_external(struct vswitch_model *model)
{
    struct vswitch_switch added = {
        .name = "ext", .type = VSWITCH_EXTERNAL, .mtu_bytes = 1500, .mac_capacity_entries = 100,
        .uplink = "eth1", .force = true, .host_vnic = true, .move_addresses = true,
        .host_address = { "192.0.2.1/24", "2001:db8::1/64" }, .host_address_count = 2,
    };
    struct vswitch_vnic vnic = {
        .name = "db", .queues = 1, .mac = 0x020000000011, .priority_trust = true,
        .spoof_guard = true, .allowed_mac = { 0x020000000012, 0x020000000013 },
        .allowed_mac_count = 2, .dhcp_guard = true,
        .offload = OFFLOAD_CSUM | OFFLOAD_HOST_TSO4,
    };

    assert_int_equal(vlan_parse("access:5", &added.host_vlan, NULL), 0);
    assert_int_equal(vlan_parse("trunk:10,20-29,native:10", &vnic.vlan, NULL), 0);
    assert_int_equal(vswitch_add(model, &added, NULL), 0);
    assert_int_equal(vswitch_add_vnic(model, "ext", &vnic, NULL), 0);
    assert_int_equal(vswitch_add_mac(model, "ext", 0x020000000014, 7, "eth1", NULL), 0);
    assert_int_equal(vswitch_add_mac(model, "ext", 0x020000000015, 0, "ext", NULL), 0);
}

static int room_setup(void **state)
{
    struct room *room = calloc(1, sizeof(*room));

    (void)strcpy(room->dir, "/tmp/persist-XXXXXX");
    assert_non_null(mkdtemp(room->dir));
    (void)snprintf(room->path, sizeof(room->path), "%s/%s", room->dir, PERSIST_FILE_NAME);
    room->model = vswitch_model_create(0x0a01);
    add_switch(room->model, "lan");
    add_switch(room->model, "dmz");
    add_vnic(room->model, "lan", "web0", 0, "");
    add_vnic(room->model, "lan", "web1", 1500, "kvm");
    add_vnic(room->model, "dmz", "mail", 9000, "");
    assert_int_equal(vswitch_add_mac(room->model, "lan", 0x020000000001, 0, "web1", NULL), 0);
    add_external(room->model);
    *state = room;
    return 0;
}

static int room_teardown(void **state)
{
    struct room *room = *state;

    (void)unlink(room->path);
    (void)rmdir(room->dir);
    vswitch_model_destroy(room->model);
    vswitch_model_destroy(room->read);
    free(room);
    return 0;
}

static char *document(const struct vswitch_model *model)
{
    json_t *root = persist_to_json(model);
    char *text = json_dumps(root, JSON_INDENT(2));

    json_decref(root);
    assert_non_null(text);
    return text;
}

static void write_file(const struct room *room, const char *text)
{
    FILE *file = fopen(room->path, "we");

    assert_non_null(file);
    assert_int_equal(fputs(text, file) >= 0, 1);
    assert_int_equal(fclose(file), 0);
}

static void assert_file_holds(const struct room *room, const char *text)
{
    char *held = calloc(1, TEXT_SIZE);
    FILE *file = fopen(room->path, "re");

    assert_non_null(file);
    (void)fread(held, 1, TEXT_SIZE - 1, file);
    (void)fclose(file);
    assert_string_equal(held, text);
    free(held);
}

/* Reads a document; on success the model is the room's. */
static int read_text(struct room *room, const char *text)
{
    vswitch_model_destroy(room->read);
    room->read = NULL;
    return persist_from_text(text, strlen(text), &room->read, &room->error);
}

/* The document with the first @p what in it replaced by @p with. */
static char *document_with(const struct room *room, const char *what, const char *with)
{
    char *text = document(room->model);
    char *at = strstr(text, what);
    char *changed = malloc(strlen(text) + strlen(with) + 1);

    assert_non_null(at);
    (void)sprintf(changed, "%.*s%s%s", (int)(at - text), text, with, at + strlen(what));
    free(text);
    return changed;
}

static void assert_refused(struct room *room, const char *what, const char *with,
                           const char *sentence)
{
    char *text = document_with(room, what, with);

    assert_int_not_equal(read_text(room, text), 0);
    assert_null(room->read);
    if (strstr(room->error.text, sentence) == NULL) {
        fail_msg("\"%s\" does not say \"%s\"", room->error.text, sentence);
    }
    free(text);
}

/* ---- what is right --------------------------------------------------------------------------- */

static void test_persist_save_then_load_gives_the_same_document(void **state)
{
    struct room *room = *state;
    char *before = document(room->model), *after;

    assert_int_equal(persist_save(room->dir, room->model, &room->error), 0);
    assert_int_equal(persist_load(room->dir, &room->read, &room->error), 0);

    after = document(room->read);
    assert_string_equal(after, before);
    assert_int_equal(room->read->switch_count, 3);
    assert_int_equal(room->read->vnic_count, 4);
    assert_int_equal(room->read->mac_count, 3);
    free(before);
    free(after);
}

static void test_persist_load_brings_back_what_may_be_left_out(void **state)
{
    struct room *room = *state;
    const struct vswitch_switch *ext, *was = vswitch_find(room->model, "ext");
    const struct vswitch_vnic *db, *db_was = vswitch_find_vnic(room->model, "db");
    struct vswitch_port port;

    assert_int_equal(persist_save(room->dir, room->model, &room->error), 0);
    assert_int_equal(persist_load(room->dir, &room->read, &room->error), 0);

    ext = vswitch_find(room->read, "ext");
    assert_string_equal(ext->uplink, "eth1");
    assert_true(ext->force && ext->move_addresses && ext->host_vnic);
    assert_true(ext->host_mac == was->host_mac && ext->host_mac != 0);
    assert_true(vlan_policy_equal(&ext->host_vlan, &was->host_vlan));
    assert_int_equal(ext->host_address_count, 2);
    assert_string_equal(ext->host_address[1], "2001:db8::1/64");
    db = vswitch_find_vnic(room->read, "db");
    assert_true(vlan_policy_equal(&db->vlan, &db_was->vlan));
    assert_true(db->priority_trust && db->spoof_guard);
    assert_true(db->dhcp_guard && !db->router_guard);
    assert_true(db->offload == (OFFLOAD_CSUM | OFFLOAD_HOST_TSO4));
    assert_true(vswitch_find_vnic(room->read, "web0")->offload == OFFLOAD_ALL);
    assert_true(vswitch_find(room->read, "lan")->coalesce && !ext->coalesce);
    assert_false(vswitch_find_vnic(room->read, "web0")->spoof_guard);
    assert_int_equal(db->allowed_mac_count, 2);
    assert_true(db->allowed_mac[1] == 0x020000000013);
    assert_true(vswitch_port_at(room->read, room->read->macs[1].port, &port));
    assert_int_equal(port.kind, VSWITCH_PORT_UPLINK);
    assert_true(vswitch_port_at(room->read, room->read->macs[2].port, &port));
    assert_int_equal(port.kind, VSWITCH_PORT_HOST);
}

static void test_persist_file_of_version_1_is_read_with_the_defaults_of_now(void **state)
{
    static const char text[] =
        "{ \"version\": 1, \"mac_pool\": { \"next\": \"00:15:5d:0a:01:03\" },"
        "  \"switches\": [ { \"name\": \"lan\", \"type\": \"private\", \"mtu\": 1500,"
        "                  \"mac_capacity\": 8192, \"mac_ageing\": 300 } ],"
        "  \"vnics\": [ { \"name\": \"web0\", \"switch\": \"lan\","
        "               \"mac\": \"00:15:5d:0a:01:02\", \"queues\": 1 } ],"
        "  \"macs\": [ { \"switch\": \"lan\", \"mac\": \"02:00:00:00:00:01\", \"vlan\": 0,"
        "              \"port\": \"web0\" } ] }";
    struct room *room = *state;
    const struct vswitch_vnic *web;

    assert_int_equal(read_text(room, text), 0);

    web = vswitch_find_vnic(room->read, "web0");
    assert_true(web->spoof_guard);
    assert_false(web->priority_trust || web->dhcp_guard || web->router_guard);
    assert_true(web->offload == OFFLOAD_ALL && vswitch_find(room->read, "lan")->coalesce);
    assert_int_equal(web->vlan.mode, VLAN_NONE);
    assert_int_equal(web->allowed_mac_count, 0);
    assert_false(vswitch_find(room->read, "lan")->host_vnic);
    assert_true(room->read->pool_first == 0x00155d0a0100);
    assert_true(room->read->pool_last == 0x00155d0a01ff);
    assert_true(room->read->pool_next == 0x00155d0a0103);
}

/* So a file of a switch that is as by default is read by a version that knows no offloads, too. */
static void test_persist_leaves_out_what_is_on_by_default(void **state)
{
    struct room *room = *state;
    char *text;

    assert_int_equal(vswitch_remove(room->model, "ext", true, NULL), 0);
    text = document(room->model);

    assert_null(strstr(text, "offload"));
    assert_null(strstr(text, "coalesce"));
    free(text);
}

static void test_persist_load_keeps_a_pool_that_was_chosen(void **state)
{
    struct room *room = *state;

    assert_int_equal(vswitch_set_pool(room->model, 0x020000aa0000, 0x020000bbffff, NULL), 0);
    assert_int_equal(persist_save(room->dir, room->model, &room->error), 0);
    assert_int_equal(persist_load(room->dir, &room->read, &room->error), 0);

    assert_true(room->read->pool_first == 0x020000aa0000);
    assert_true(room->read->pool_last == 0x020000bbffff);
    assert_true(room->read->pool_next == 0x020000aa0000);
}

static void test_persist_load_goes_on_where_the_address_pool_was(void **state)
{
    struct room *room = *state;

    assert_int_equal(persist_save(room->dir, room->model, &room->error), 0);
    assert_int_equal(persist_load(room->dir, &room->read, &room->error), 0);
    add_vnic(room->model, "lan", "next", 0, "");
    add_vnic(room->read, "lan", "next", 0, "");

    assert_int_equal(vswitch_find_vnic(room->read, "next")->mac,
                     vswitch_find_vnic(room->model, "next")->mac);
    assert_int_equal(vswitch_find_vnic(room->read, "next")->mac, 0x00155d0a0104);
}

static void test_persist_load_without_a_file_says_so(void **state)
{
    struct room *room = *state;

    assert_int_equal(persist_load(room->dir, &room->read, &room->error), -ENOENT);
    assert_null(room->read);
}

static void test_persist_save_makes_a_private_file_and_leaves_no_other(void **state)
{
    struct room *room = *state;
    char other[80];
    struct stat st;

    assert_int_equal(persist_save(room->dir, room->model, &room->error), 0);

    assert_int_equal(stat(room->path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    (void)snprintf(other, sizeof(other), "%s.new", room->path);
    assert_int_not_equal(access(other, F_OK), 0);
}

/* ---- what is damaged ------------------------------------------------------------------------- */

static void test_persist_every_truncation_is_refused(void **state)
{
    struct room *room = *state;
    char *text = document(room->model);

    for (size_t len = 0; len < strlen(text); len++) {
        room->error = (struct error){ 0 };
        if (persist_from_text(text, len, &room->read, &room->error) == 0) {
            fail_msg("the first %zu bytes were taken for the whole", len);
        }
        assert_int_not_equal(room->error.text[0], '\0');
    }
    free(text);
}

/* A byte that changed is refused, or it changed a value into another that follows all rules. */
static void test_persist_every_changed_byte_is_refused_or_reads_back_the_same(void **state)
{
    struct room *room = *state;
    char *text = document(room->model), *again;

    for (size_t i = 0; text[i] != '\0'; i++) {
        const char was = text[i];

        text[i] = (char)(was ^ 0x05);
        if (read_text(room, text) == 0) {
            again = document(room->read);
            assert_int_equal(read_text(room, again), 0);
            free(again);
        }
        text[i] = was;
    }
    free(text);
}

static void test_persist_file_that_is_refused_is_left_untouched(void **state)
{
    static const char damaged[] = "{ \"version\": 1, \"switches\": [";
    struct room *room = *state;

    write_file(room, damaged);

    assert_int_equal(persist_load(room->dir, &room->read, &room->error), -EINVAL);
    assert_file_holds(room, damaged);
    assert_non_null(strstr(room->error.text, room->path));
    assert_non_null(strstr(room->error.text, "line 1"));
    assert_non_null(strstr(room->error.text, "move it away"));
}

static void test_persist_newer_version_is_refused_by_its_number(void **state)
{
    struct room *room = *state;

    assert_refused(room, "\"version\": 2", "\"version\": 3", "newer");
    assert_refused(room, "\"version\": 2", "\"version\": 3, \"vlans\": []", "newer");
    assert_refused(room, "\"version\": 2", "\"version\": 0", "never was");
    assert_refused(room, "\"version\": 2", "\"version\": \"1\"", "no number");
}

static void test_persist_unknown_keys_are_refused_with_their_place(void **state)
{
    struct room *room = *state;

    assert_refused(room, "\"version\": 2", "\"version\": 2, \"vlans\": []", "\"vlans\"");
    assert_refused(room, "\"name\": \"dmz\"", "\"name\": \"dmz\", \"stp\": true", "switches[1]");
    assert_refused(room, "\"name\": \"mail\"", "\"name\": \"mail\", \"pvid\": 7", "vnics[2]");
    assert_refused(room, "\"vlan\": 0", "\"vlan\": 0, \"age\": 1", "macs[0]");
    assert_refused(room, "\"next\"", "\"now\"", "mac_pool");
}

static void test_persist_missing_and_double_keys_are_refused(void **state)
{
    struct room *room = *state;

    assert_refused(room, "\"mac_ageing\": 60", "\"mac_ageing\": 60, \"mac_ageing\": 60", "line");
    assert_refused(room, "\"queues\": 4,", "", "\"queues\" is missing");
    assert_refused(room, "\"macs\"", "\"smac\"", "\"macs\" must be there");
}

static void test_persist_wrong_types_are_refused_by_what_they_should_be(void **state)
{
    struct room *room = *state;

    assert_refused(room, "\"queues\": 4", "\"queues\": \"4\"", "whole number");
    assert_refused(room, "\"queues\": 4", "\"queues\": 4.0", "whole number");
    assert_refused(room, "\"queues\": 4", "\"queues\": -1", "whole number");
    assert_refused(room, "\"queues\": 4", "\"queues\": 65540", "whole number");
    assert_refused(room, "\"mtu\": 9000", "\"mtu\": 18446744073709551616", "line");
    assert_refused(room, "\"name\": \"lan\"", "\"name\": null", "text");
    assert_refused(room, "\"name\": \"lan\"", "\"name\": \"l\\u0000n\"", "line");
    assert_refused(room, "\"private\"", "\"bridged\"", "\"private\"");
    assert_refused(room, "\"00:15:5d:0a:01:00\"", "\"00:15:5d\"", "address");
    assert_refused(room, "\"00:15:5d:0a:01:00\"", "\"00:00:00:00:00:00\"", "address");
    assert_refused(room, "\"00:15:5d:0a:01:04\"", "\"02:00:00:0a:01:03\"", "\"next\" must be");
    assert_refused(room, "\"force\": true", "\"force\": 1", "true or false");
    assert_refused(room, "\"access:5\"", "5", "a text such as");
    assert_refused(room, "\"access:5\"", "\"access:5000\"", "\"host_vlan\": \"5000\" is no VLAN");
    assert_refused(room, "\"192.0.2.1/24\"", "7", "text of 1 to");
    assert_refused(room, "\"coalesce\": false", "\"coalesce\": \"off\"", "true or false");
    assert_refused(room, "\"csum,host_tso4\"", "true", "a text such as");
    assert_refused(room, "\"csum,host_tso4\"", "\"csum,tso5\"", "\"tso5\" is no offload");
    assert_refused(room, "\"csum,host_tso4\"", "\"host_tso4\"", "host_tso4 needs csum");
    assert_refused(room, "\"02:00:00:00:00:12\"", "\"02:00:00:00:00\"", "\"allow_mac\" must be");
}

static void test_persist_broken_rules_are_refused_by_the_model(void **state)
{
    struct room *room = *state;

    assert_refused(room, "\"name\": \"dmz\"", "\"name\": \"lan\"", "switches[1]");
    assert_refused(room, "\"name\": \"dmz\"", "\"name\": \"../dmz\"", "switches[1]");
    assert_refused(room, "\"name\": \"mail\"", "\"name\": \"web0\"", "vnics[2]");
    assert_refused(room, "\"mtu\": 9000", "\"mtu\": 90000", "switches[0]");
    assert_refused(room, "\"queues\": 4", "\"queues\": 17", "vnics[0]");
    assert_refused(room, "\"switch\": \"dmz\"", "\"switch\": \"no\"", "vnics[2]");
    assert_refused(room, "\"port\": \"web1\"", "\"port\": \"mail\"", "macs[0]");
    assert_refused(room, "\"00:15:5d:0a:01:01\"", "\"00:15:5d:0a:01:00\"", "vnics[1]");
    assert_refused(room, "\"eth1\"", "\"team:a\"", "there is no team named \"a\"");
    assert_refused(room, "\"access:5\"", "\"isolated:5,6\"", "switches[2]");
    assert_refused(room, "\"192.0.2.1/24\"", "\"192.0.2.1/33\"", "switches[2]");
    assert_refused(room, "\"02:00:00:00:00:12\"", "\"00:15:5d:0a:01:00\"", "vnics[3]");
    assert_refused(room, "\"external\"", "\"internal\"", "which has no uplink");
    assert_refused(room, "\"host_mac\"", "\"mac\"", "switches[2]");
}

static void test_persist_what_is_no_document_is_refused(void **state)
{
    static const char *const texts[] = { "", "\n", "[]", "7", "{}", "\xff\xfe", "null" };
    struct room *room = *state;

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        assert_int_equal(read_text(room, texts[i]), -EINVAL);
    }
}

static void test_persist_file_of_more_than_the_limit_is_refused_unread(void **state)
{
    struct room *room = *state;

    write_file(room, "{");
    assert_int_equal(truncate(room->path, (off_t)PERSIST_FILE_MAX_BYTES + 1), 0);

    assert_int_equal(persist_load(room->dir, &room->read, &room->error), -EFBIG);
}

/* ---- a disk that does not take it ------------------------------------------------------------ */

static void test_persist_save_on_a_full_disk_leaves_the_old_file(void **state)
{
    struct room *room = *state;
    const struct rlimit little = { 100, RLIM_INFINITY };
    char *before = document(room->model);
    struct rlimit all;
    int rc;

    assert_int_equal(persist_save(room->dir, room->model, &room->error), 0);
    add_switch(room->model, "more");
    (void)signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &all), 0);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &little), 0);
    rc = persist_save(room->dir, room->model, &room->error);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &all), 0);

    assert_int_equal(rc, -EFBIG);
    assert_non_null(strstr(room->error.text, "nothing was changed"));
    assert_file_holds(room, before);
    free(before);
}

static void test_persist_save_without_a_directory_is_refused(void **state)
{
    struct room *room = *state;

    assert_int_equal(persist_save("/nonexistent", room->model, &room->error), -ENOENT);
}

int main(void)
{
#define ROOM(test) cmocka_unit_test_setup_teardown(test, room_setup, room_teardown)
    const struct CMUnitTest tests[] = {
        ROOM(test_persist_save_then_load_gives_the_same_document),
        ROOM(test_persist_load_brings_back_what_may_be_left_out),
        ROOM(test_persist_file_of_version_1_is_read_with_the_defaults_of_now),
        ROOM(test_persist_leaves_out_what_is_on_by_default),
        ROOM(test_persist_load_keeps_a_pool_that_was_chosen),
        ROOM(test_persist_load_goes_on_where_the_address_pool_was),
        ROOM(test_persist_load_without_a_file_says_so),
        ROOM(test_persist_save_makes_a_private_file_and_leaves_no_other),
        ROOM(test_persist_every_truncation_is_refused),
        ROOM(test_persist_every_changed_byte_is_refused_or_reads_back_the_same),
        ROOM(test_persist_file_that_is_refused_is_left_untouched),
        ROOM(test_persist_newer_version_is_refused_by_its_number),
        ROOM(test_persist_unknown_keys_are_refused_with_their_place),
        ROOM(test_persist_missing_and_double_keys_are_refused),
        ROOM(test_persist_wrong_types_are_refused_by_what_they_should_be),
        ROOM(test_persist_broken_rules_are_refused_by_the_model),
        ROOM(test_persist_what_is_no_document_is_refused),
        ROOM(test_persist_file_of_more_than_the_limit_is_refused_unread),
        ROOM(test_persist_save_on_a_full_disk_leaves_the_old_file),
        ROOM(test_persist_save_without_a_directory_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
