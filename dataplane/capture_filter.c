/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The compiler's thread and the caller share a job; whoever of the two is last frees it.
 */
#include "dataplane/capture_filter.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "switch/frame.h"

#define QUOTED_MAX 100             /* of the expression, in a sentence about it */

struct job {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool done, left;               /* by the thread, by the caller */
    bool compiled;                 /* program is there; else reason says why not */
    struct bpf_program program;
    char reason[PCAP_ERRBUF_SIZE];
    char text[];
};

static struct job *job_create(const char *text)
{
    const size_t text_size = strlen(text) + 1;
    struct job *job = calloc(1, sizeof(*job) + text_size);
    pthread_condattr_t monotonic;

    if (job == NULL) {
        return NULL;
    }
    memcpy(job->text, text, text_size);
    pthread_mutex_init(&job->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&job->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    return job;
}

static void job_destroy(struct job *job)
{
    if (job->compiled) {
        pcap_freecode(&job->program);
    }
    pthread_cond_destroy(&job->changed);
    pthread_mutex_destroy(&job->lock);
    free(job);
}

static void *compile(void *arg)
{
    struct job *job = arg;
    pcap_t *ethernet = pcap_open_dead(DLT_EN10MB, FRAME_MAX_BYTES);
    bool compiled = false, left;

    if (ethernet == NULL) {
        snprintf(job->reason, sizeof(job->reason), "no memory for the compiler");
    } else {
        compiled = pcap_compile(ethernet, &job->program, job->text, 1, PCAP_NETMASK_UNKNOWN) == 0;
        snprintf(job->reason, sizeof(job->reason), "%s", pcap_geterr(ethernet));
        pcap_close(ethernet);
    }
    pthread_mutex_lock(&job->lock);
    job->compiled = compiled;
    job->done = true;
    left = job->left;
    pthread_cond_signal(&job->changed);
    pthread_mutex_unlock(&job->lock);
    if (left) {
        job_destroy(job);
    }
    return NULL;
}

/* Starts a thread that signals do not interrupt; nobody joins it. */
static int compile_start(struct job *job)
{
    sigset_t all, before;
    pthread_t thread;
    int status;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    status = pthread_create(&thread, NULL, compile, job);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (status == 0) {
        pthread_detach(thread);
    }
    return status;
}

/* @return whether the job is done; when not it is the thread's */
static bool compile_wait(struct job *job)
{
    struct timespec deadline;
    bool done;

    clock_gettime(CLOCK_MONOTONIC, &deadline);
    deadline.tv_sec += CAPTURE_FILTER_DEADLINE_S;
    pthread_mutex_lock(&job->lock);
    while (!job->done &&
           pthread_cond_timedwait(&job->changed, &job->lock, &deadline) != ETIMEDOUT) {
    }
    done = job->done;
    job->left = !done;
    pthread_mutex_unlock(&job->lock);
    return done;
}

int capture_filter_compile(const char *text, struct bpf_program *program, struct error *error)
{
    struct job *job = job_create(text);
    int status = 0;

    if (job == NULL) {
        return error_set(error, ENOMEM, "there is no memory left to compile a capture filter");
    }
    if (compile_start(job) != 0) {
        job_destroy(job);
        return error_set(error, ENOMEM, "no thread could be started to compile a capture filter");
    }
    if (!compile_wait(job)) {
        return error_set(error, ETIMEDOUT,
                         "the filter \"%.*s\" was not compiled within %d s; if it names a host "
                         "write its address, else write it shorter",
                         QUOTED_MAX, text, CAPTURE_FILTER_DEADLINE_S);
    }
    if (job->compiled) {
        *program = job->program;
        job->compiled = false;
    } else {
        status = error_set(error, EINVAL,
                           "the filter \"%.*s\" is none that libpcap understands: %s; "
                           "pcap-filter(7) says how to write one", QUOTED_MAX, text, job->reason);
    }
    job_destroy(job);
    return status;
}
