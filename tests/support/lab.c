/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A daemon of its own for a test.
 */
#include "tests/support/lab.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define START_TIMEOUT_MS 30000
#define STOP_TIMEOUT_MS 20000
#define COMMAND_TIMEOUT_MS 60000
#define PAUSE_US 5000
#define LOG_TAIL_BYTES 4096
#define MAX_WORDS 64
#define MAX_OUTPUT_BYTES (64u << 20)

static long now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000L + t.tv_nsec / 1000000L;
}

static const char *bin_dir(void)
{
    const char *dir = getenv("VSWITCH_BIN");

    return dir != NULL ? dir : "build";
}

static int exit_status(int wait_status)
{
    return WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : 128 + WTERMSIG(wait_status);
}

/* ---- folders and the janitor ----------------------------------------------------------------- */

/* Waits for the end of the pipe, which is the end of the test, then removes the folder. */
static void __attribute__((noreturn)) janitor_main(int pipe_end, const char *dir)
{
    char byte;

    /* Above all the ends of other labs' pipes, which it would keep from closing. */
    dup2(pipe_end, STDIN_FILENO);
    close_range(STDERR_FILENO + 1, ~0u, 0);

    /* What ends the test's whole process group must not end the one who tidies up. */
    setsid();
    while (read(STDIN_FILENO, &byte, 1) < 0 && errno == EINTR) {
    }
    usleep(PAUSE_US);    /* the daemon, killed at the same time, may still be making files */
    execlp("rm", "rm", "-rf", dir, (char *)NULL);
    _exit(127);
}

int lab_create(struct lab *lab)
{
    int ends[2];

    *lab = (struct lab){.janitor_pipe = -1};
    strcpy(lab->dir, "/tmp/vswitch-lab.XXXXXX");
    if (mkdtemp(lab->dir) == NULL || pipe2(ends, O_CLOEXEC) < 0) {
        printf("# no folder for the test could be made in /tmp: %s\n", strerror(errno));
        return -errno;
    }
    lab->janitor = fork();
    if (lab->janitor == 0) {
        janitor_main(ends[0], lab->dir);
    }
    close(ends[0]);
    lab->janitor_pipe = ends[1];
    snprintf(lab->run_dir, sizeof(lab->run_dir), "%s/run", lab->dir);
    snprintf(lab->state_dir, sizeof(lab->state_dir), "%s/state", lab->dir);
    snprintf(lab->log_path, sizeof(lab->log_path), "%s/log", lab->dir);
    mkdir(lab->run_dir, 0755);
    mkdir(lab->state_dir, 0700);
    return 0;
}

void lab_destroy(struct lab *lab)
{
    lab_kill(lab);
    if (lab->janitor_pipe >= 0) {
        close(lab->janitor_pipe);
        waitpid(lab->janitor, NULL, 0);
        lab->janitor_pipe = -1;
    }
}

/* ---- the daemon ------------------------------------------------------------------------------ */

static void __attribute__((noreturn)) daemon_exec(const struct lab *lab,
                                                  const char *const *extra_args, pid_t parent)
{
    char program[4096];
    const char *words[MAX_WORDS] = {program,       "--run-dir",    lab->run_dir,
                                    "--state-dir", lab->state_dir, "--no-huge"};
    unsigned count = 6;
    int log = open(lab->log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

    snprintf(program, sizeof(program), "%s/vswitchd", bin_dir());
    while (extra_args != NULL && *extra_args != NULL && count < MAX_WORDS - 1) {
        words[count++] = *extra_args++;
    }
    dup2(log, STDOUT_FILENO);
    dup2(log, STDERR_FILENO);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() == parent) {
        execv(program, (char *const *)(uintptr_t)words);
        dprintf(STDERR_FILENO, "%s: %s\n", program, strerror(errno));
    }
    _exit(127);
}

static bool control_answers(const struct lab *lab)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool answers;

    snprintf(address.sun_path, sizeof(address.sun_path), "%s/vswitchd.sock", lab->run_dir);
    answers = connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
    close(fd);
    return answers;
}

int lab_start(struct lab *lab, const char *const *extra_args)
{
    const long deadline_ms = now_ms() + START_TIMEOUT_MS;
    const pid_t parent = getpid();

    lab->pid = fork();
    if (lab->pid == 0) {
        daemon_exec(lab, extra_args, parent);
    }
    while (!control_answers(lab)) {
        if (!lab_alive(lab)) {
            printf("# vswitchd ended while it was starting\n");
            lab_print_log(lab);
            return -ECHILD;
        }
        if (now_ms() >= deadline_ms) {
            printf("# vswitchd does not answer after %d ms\n", START_TIMEOUT_MS);
            lab_print_log(lab);
            lab_kill(lab);
            return -ETIMEDOUT;
        }
        usleep(PAUSE_US);
    }
    return 0;
}

bool lab_alive(struct lab *lab)
{
    int wait_status;

    if (lab->pid <= 0) {
        return false;
    }
    if (waitpid(lab->pid, &wait_status, WNOHANG) == lab->pid) {
        printf("# vswitchd ended by itself with status %d\n", exit_status(wait_status));
        lab->pid = 0;
        return false;
    }
    return true;
}

int lab_stop(struct lab *lab)
{
    const long deadline_ms = now_ms() + STOP_TIMEOUT_MS;
    int wait_status = 0;
    int status;

    if (!lab_alive(lab)) {
        lab_print_log(lab);
        return 127;
    }
    kill(lab->pid, SIGTERM);
    while (waitpid(lab->pid, &wait_status, WNOHANG) == 0) {
        if (now_ms() >= deadline_ms) {
            printf("# vswitchd still runs %d ms after SIGTERM\n", STOP_TIMEOUT_MS);
            kill(lab->pid, SIGKILL);
            waitpid(lab->pid, &wait_status, 0);
            break;
        }
        usleep(PAUSE_US);
    }
    lab->pid = 0;
    status = exit_status(wait_status);
    if (status != 0) {
        printf("# vswitchd ended with status %d\n", status);
        lab_print_log(lab);
    }
    return status;
}

void lab_kill(struct lab *lab)
{
    if (lab->pid > 0) {
        kill(lab->pid, SIGKILL);
        waitpid(lab->pid, NULL, 0);
        lab->pid = 0;
    }
}

void lab_print_log(const struct lab *lab)
{
    FILE *log = fopen(lab->log_path, "re");
    char line[1024];

    if (log != NULL && fseek(log, -LOG_TAIL_BYTES, SEEK_END) == 0) {
        (void)fgets(line, sizeof(line), log);    /* from the next whole line on */
    }
    while (log != NULL && fgets(line, sizeof(line), log) != NULL) {
        printf("# vswitchd: %s%s", line, strchr(line, '\n') != NULL ? "" : "\n");
    }
    if (log != NULL) {
        fclose(log);
    }
    fflush(stdout);
}

const char *lab_socket(struct lab *lab, const char *vnic)
{
    char *path = lab->socket_path[lab->socket_turn++ % 4];

    snprintf(path, sizeof(lab->socket_path[0]), "%s/vnic/%s.sock", lab->run_dir, vnic);
    return path;
}

/* ---- commands -------------------------------------------------------------------------------- */

struct stream {
    int fd;
    char *text;
    size_t len_bytes;
};

/* Reads what is there. @return false at the end */
static bool stream_read(struct stream *s)
{
    char piece[16384];
    ssize_t n = read(s->fd, piece, sizeof(piece));

    if (n <= 0 || s->len_bytes > MAX_OUTPUT_BYTES) {
        return n < 0 && errno == EINTR;
    }
    s->text = realloc(s->text, s->len_bytes + (size_t)n + 1);
    memcpy(s->text + s->len_bytes, piece, (size_t)n);
    s->len_bytes += (size_t)n;
    s->text[s->len_bytes] = '\0';
    return true;
}

/* Reads both to their ends. @return false when time is up first */
static bool streams_read(struct stream *out, struct stream *err)
{
    const long deadline_ms = now_ms() + COMMAND_TIMEOUT_MS;
    struct pollfd event[2] = {{.fd = out->fd, .events = POLLIN}, {.fd = err->fd, .events = POLLIN}};

    while (event[0].fd >= 0 || event[1].fd >= 0) {
        const long left_ms = deadline_ms - now_ms();

        if (left_ms <= 0) {
            return false;
        }
        if (poll(event, 2, (int)left_ms) <= 0) {
            continue;
        }
        if (event[0].revents != 0 && !stream_read(out)) {
            event[0].fd = -1;
        }
        if (event[1].revents != 0 && !stream_read(err)) {
            event[1].fd = -1;
        }
    }
    return true;
}

static void __attribute__((noreturn)) tool_exec(const char *run_dir, const char *const *words,
                                                int out, int err)
{
    char program[4096];
    const char *all[MAX_WORDS + 8] = {program, "--run-dir", run_dir, "--json"};
    unsigned count = 4;

    snprintf(program, sizeof(program), "%s/vswitchctl", bin_dir());
    while (*words != NULL && count < MAX_WORDS + 7) {
        all[count++] = *words++;
    }
    dup2(out, STDOUT_FILENO);
    dup2(err, STDERR_FILENO);
    execv(program, (char *const *)(uintptr_t)all);
    dprintf(STDERR_FILENO, "%s: %s\n", program, strerror(errno));
    _exit(127);
}

int lab_ask_words(struct lab *lab, struct lab_answer *answer, const char *const *words)
{
    struct stream out = {.fd = -1}, err = {.fd = -1};
    int out_ends[2], err_ends[2], wait_status;
    pid_t pid;

    *answer = (struct lab_answer){.status = -1};
    if (pipe2(out_ends, O_CLOEXEC) < 0 || pipe2(err_ends, O_CLOEXEC) < 0) {
        return -1;
    }
    pid = fork();
    if (pid == 0) {
        tool_exec(lab->run_dir, words, out_ends[1], err_ends[1]);
    }
    close(out_ends[1]);
    close(err_ends[1]);
    out.fd = out_ends[0];
    err.fd = err_ends[0];
    if (!streams_read(&out, &err)) {
        printf("# vswitchctl %s %s did not end within %d ms\n", words[0],
               words[1] != NULL ? words[1] : "", COMMAND_TIMEOUT_MS);
        kill(pid, SIGKILL);
    }
    waitpid(pid, &wait_status, 0);
    answer->status = exit_status(wait_status);
    answer->json = out.text != NULL ? json_loads(out.text, JSON_DECODE_ANY, NULL) : NULL;
    snprintf(answer->error, sizeof(answer->error), "%s", err.text != NULL ? err.text : "");
    free(out.text);
    free(err.text);
    close(out.fd);
    close(err.fd);
    return answer->status;
}

static int ask_formatted(struct lab *lab, struct lab_answer *answer, const char *format,
                         va_list args)
{
    const char *words[MAX_WORDS + 1] = {NULL};
    unsigned count = 0;
    char *line, *rest;
    int status;

    if (vasprintf(&line, format, args) < 0) {
        return -1;
    }
    for (char *w = strtok_r(line, " ", &rest); w != NULL && count < MAX_WORDS;
         w = strtok_r(NULL, " ", &rest)) {
        words[count++] = w;
    }
    status = lab_ask_words(lab, answer, words);
    free(line);
    return status;
}

int lab_ask(struct lab *lab, struct lab_answer *answer, const char *format, ...)
{
    va_list args;
    int status;

    va_start(args, format);
    status = ask_formatted(lab, answer, format, args);
    va_end(args);
    return status;
}

int lab_do(struct lab *lab, const char *format, ...)
{
    struct lab_answer answer;
    va_list args;
    int status;

    va_start(args, format);
    status = ask_formatted(lab, &answer, format, args);
    va_end(args);
    if (status != 0) {
        printf("# vswitchctl, asked for \"%s\", ended with status %d: %s\n", format, status,
               answer.error);
        lab_print_log(lab);
    }
    lab_answer_release(&answer);
    return status;
}

void lab_answer_release(struct lab_answer *answer)
{
    json_decref(answer->json);
    answer->json = NULL;
}

json_t *lab_value(const json_t *root, const char *path)
{
    const json_t *at = root;
    char key[96];

    while (at != NULL && *path != '\0') {
        const size_t len = strcspn(path, ".");

        snprintf(key, sizeof(key), "%.*s", (int)len, path);
        at = json_object_get(at, key);
        path += len + (path[len] == '.');
    }
    return (json_t *)(uintptr_t)at;
}

int64_t lab_number(const json_t *root, const char *path)
{
    const json_t *value = lab_value(root, path);

    return json_is_integer(value) ? json_integer_value(value) : -1;
}
