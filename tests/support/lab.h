/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A daemon of its own for a test: starts vswitchd in a private folder, runs vswitchctl against it,
 * ends it, and leaves nothing behind.
 *
 * A second process, the janitor, holds the other end of a pipe and removes the folder when the pipe
 * closes, so that this also happens when the test crashes or is killed; the daemon is then killed
 * by the kernel.  The programs are those of the folder in the environment variable VSWITCH_BIN.
 *
 * How a test uses it (every call that fails has already printed why, as a TAP comment):
 *
 *     struct lab lab;
 *     struct lab_answer answer;
 *
 *     assert_int_equal(lab_create(&lab), 0);
 *     assert_int_equal(lab_start(&lab, NULL), 0);
 *     assert_int_equal(lab_do(&lab, "switch add s1 --type private"), 0);
 *     assert_int_equal(lab_do(&lab, "vnic add a --switch s1"), 0);
 *     frontend_open(&f, &(struct frontend_config){.socket_path = lab_socket(&lab, "a")});
 *     lab_ask(&lab, &answer, "vnic show %s", "a");
 *     assert_int_equal(answer.status, 0);
 *     n = lab_number(answer.json, "counters.from_frames");
 *     lab_answer_release(&answer);
 *     assert_int_equal(lab_stop(&lab), 0);
 *     lab_destroy(&lab);
 *
 * Thread: the one that called lab_create(); the daemon dies with it.
 */
#ifndef TESTS_SUPPORT_LAB_H
#define TESTS_SUPPORT_LAB_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Short, because a socket's path must fit into struct sockaddr_un. */
#define LAB_DIR_SIZE 32
#define LAB_PATH_SIZE 48

struct lab {
    char dir[LAB_DIR_SIZE];          /* holds run/, state/ and log */
    char run_dir[LAB_PATH_SIZE];
    char state_dir[LAB_PATH_SIZE];
    char log_path[LAB_PATH_SIZE];    /* what the daemon printed */
    char socket_path[4][128];        /* what lab_socket() returns, in turns */
    unsigned socket_turn;
    pid_t pid;                       /* the daemon, 0 when none runs */
    pid_t janitor;
    int janitor_pipe;
};

struct lab_answer {
    int status;            /* exit status of vswitchctl, 128 + signal when it was killed */
    json_t *json;          /* what it printed, NULL when that was not one JSON value */
    char error[4096];      /* what it printed on standard error, cut */
};

/** Makes the folders and the janitor. @return 0 or -errno */
int lab_create(struct lab *lab);

/** Kills the daemon if one runs and removes the folders. */
void lab_destroy(struct lab *lab);

/**
 * Starts the daemon with --no-huge and @p extra_args, and waits until it answers.
 *
 * May be called again after lab_stop() or lab_kill(): run and state folders stay.
 *
 * @param extra_args  ends with NULL; NULL for none
 * @return 0, -ETIMEDOUT, or -ECHILD when the daemon ended by itself
 */
int lab_start(struct lab *lab, const char *const *extra_args);

/** Whether the daemon still runs. */
bool lab_alive(struct lab *lab);

/** Sends SIGTERM. @return the daemon's exit status, or 128 + signal when it did not end well */
int lab_stop(struct lab *lab);

/** Kills the daemon without warning. */
void lab_kill(struct lab *lab);

/** Prints the end of the daemon's output as TAP comments. */
void lab_print_log(const struct lab *lab);

/** Where the vNIC's socket is; valid until the fourth next call. */
const char *lab_socket(struct lab *lab, const char *vnic);

/**
 * Runs vswitchctl --json with words that are separated by single spaces.
 *
 * @return answer->status; the answer is to be released in any case
 */
__attribute__((format(printf, 3, 4)))
int lab_ask(struct lab *lab, struct lab_answer *answer, const char *format, ...);

/** As lab_ask(), with the words as they are, ending with NULL. */
int lab_ask_words(struct lab *lab, struct lab_answer *answer, const char *const *words);

void lab_answer_release(struct lab_answer *answer);

/** Runs a command that must succeed; prints its error when it does not. @return exit status */
__attribute__((format(printf, 2, 3)))
int lab_do(struct lab *lab, const char *format, ...);

/** Finds a value by keys separated by dots ("counters.from_frames"). @return borrowed, or NULL */
json_t *lab_value(const json_t *root, const char *path);

/** The integer at @p path, or -1 when there is none. */
int64_t lab_number(const json_t *root, const char *path);

#endif
