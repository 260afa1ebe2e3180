/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/support/capture_lab.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define PATH_SIZE  128
#define SETTLE_MS  50              /* from a capture that is listed to one that looks */

uint64_t clab_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u;
}

/* ---- guests --------------------------------------------------------------------------------- */

void clab_frame(uint8_t frame[CLAB_FRAME_BYTES], unsigned from, unsigned to, uint16_t port)
{
    struct udp_frame fields = { .from_ip = 0x0a000001, .to_ip = 0x0a000002, .from_port = 1,
                                .to_port = port };

    udp_frame_mac(fields.from, 1, from);
    udp_frame_mac(fields.to, 1, to);
    udp_frame_write(frame, CLAB_FRAME_BYTES, &fields);
}

void clab_talk(struct capture_lab *lab, uint16_t port)
{
    uint8_t frame[CLAB_FRAME_BYTES];

    clab_frame(frame, 1, 2, port);
    assert_int_equal(frontend_send(&lab->a, 0, frame, sizeof(frame)), 0);
    assert_int_equal(frontend_receive(&lab->b, 0, NULL, 0, 2000), sizeof(frame));
    assert_int_equal(frontend_wait_sent(&lab->a, 0), 0);       /* captures have seen it go, too */
}

void clab_broadcast(struct frontend *from, unsigned number)
{
    uint8_t frame[CLAB_FRAME_BYTES];

    clab_frame(frame, number, 0, CLAB_PORT);
    memset(frame, 0xff, 6);
    assert_int_equal(frontend_send(from, 0, frame, sizeof(frame)), 0);
    assert_int_equal(frontend_wait_sent(from, 0), 0);
}

/* ---- daemon --------------------------------------------------------------------------------- */

int clab_setup(void **state)
{
    struct capture_lab *lab = calloc(1, sizeof(*lab));
    const char *bin = getenv("VSWITCH_BIN");

    *state = lab;
    if (lab == NULL || lab_create(&lab->lab) != 0 || lab_start(&lab->lab, NULL) != 0 ||
        lab_do(&lab->lab, "switch add lan --type private") != 0 ||
        lab_do(&lab->lab, "vnic add a --switch lan --spoof-guard off") != 0 ||
        lab_do(&lab->lab, "vnic add b --switch lan --spoof-guard off") != 0 ||
        lab_do(&lab->lab, "vnic add absent --switch lan --spoof-guard off") != 0) {
        return -1;
    }
    if (frontend_open(&lab->a, &(struct frontend_config){
                                   .socket_path = lab_socket(&lab->lab, "a") }) != 0 ||
        frontend_open(&lab->b, &(struct frontend_config){
                                   .socket_path = lab_socket(&lab->lab, "b") }) != 0) {
        return -1;
    }
    clab_broadcast(&lab->b, 2);                 /* from now on the switch knows where b is */
    frontend_drain(&lab->a, SETTLE_MS);
    setenv("VSWITCH_RUN_DIR", lab->lab.run_dir, 1);
    setenv("DIR", lab->lab.dir, 1);
    setenv("BIN", bin != NULL ? bin : "build", 1);
    return 0;
}

int clab_teardown(void **state)
{
    struct capture_lab *lab = *state;

    pcapng_read_free(&lab->stream);
    frontend_abandon(&lab->a);
    frontend_abandon(&lab->b);
    lab_destroy(&lab->lab);
    free(lab);
    return 0;
}

size_t clab_running(struct capture_lab *lab)
{
    struct lab_answer answer;
    size_t count;

    assert_int_equal(lab_ask(&lab->lab, &answer, "capture list"), 0);
    count = json_array_size(answer.json);
    lab_answer_release(&answer);
    return count;
}

void clab_await_running(struct capture_lab *lab, size_t count)
{
    const uint64_t begin_ms = clab_ms();

    while (clab_running(lab) != count) {
        assert_true(clab_ms() - begin_ms < CLAB_END_MS);
        usleep(10000);
    }
}

void clab_start(struct capture_lab *lab, struct pipeline *pipeline, size_t nth,
                const char *command)
{
    assert_int_equal(pipeline_start(pipeline, command), 0);
    clab_await_running(lab, nth);
    usleep(SETTLE_MS * 1000);
    assert_int_equal(clab_running(lab), nth);
}

void clab_stop(struct capture_lab *lab)
{
    struct lab_answer answer;
    int64_t id;

    assert_int_equal(lab_ask(&lab->lab, &answer, "capture list"), 0);
    id = lab_number(json_array_get(answer.json, 0), "id");
    lab_answer_release(&answer);
    assert_int_equal(lab_do(&lab->lab, "capture stop %d", (int)id), 0);
}

/* ---- files ---------------------------------------------------------------------------------- */

/* @return the bytes now in lab->text, or -1 when there is no such file */
static ssize_t load(struct capture_lab *lab, const char *name)
{
    char path[PATH_SIZE];
    size_t len;
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s", lab->lab.dir, name);
    file = fopen(path, "r");
    if (file == NULL) {
        return -1;
    }
    len = fread(lab->text, 1, CLAB_TEXT_SIZE, file);
    fclose(file);
    return (ssize_t)len;
}

const char *clab_text(struct capture_lab *lab, const char *name)
{
    const ssize_t len = load(lab, name);

    assert_true(len < (ssize_t)CLAB_TEXT_SIZE);
    lab->text[len > 0 ? len : 0] = '\0';
    return lab->text;
}

int64_t clab_size(const struct capture_lab *lab, const char *name)
{
    char path[PATH_SIZE];
    struct stat status;

    snprintf(path, sizeof(path), "%s/%s", lab->lab.dir, name);
    return stat(path, &status) == 0 ? status.st_size : -1;
}

void clab_read(struct capture_lab *lab, const char *name)
{
    const ssize_t len = load(lab, name);
    const char *wrong;

    assert_true(len >= 0);
    pcapng_read_free(&lab->stream);
    wrong = pcapng_read((const uint8_t *)lab->text, (size_t)len, &lab->stream);
    if (wrong != NULL) {
        print_message("%s\n", wrong);
    }
    assert_null(wrong);
}

int64_t clab_number(struct capture_lab *lab, const char *name, const char *key)
{
    json_t *root = json_loads(clab_text(lab, name), 0, NULL);
    const int64_t number = lab_number(root, key);

    json_decref(root);
    return number;
}
