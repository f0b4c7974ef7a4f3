/* SPDX-License-Identifier: Apache-2.0 */
/* See verify_thread.h. */
#include "verify/verify_thread.h"

#include "base/assert.h"
#include "base/thread.h"
#include "verify/verify_password.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define NICE 10 /* of two on one core, housekeeping gets nine tenths if it wants them */

struct verify_thread {
    pthread_t thread;
    bool is_stopping;
    struct verify_password_scratch *scratch;
    unsigned n;
    struct verify_lane *const *lanes;
};

static struct verify_answer answer_to(struct verify_thread *t, const struct verify_job *job)
{
    struct verify_answer answer = {.to_s = VERIFY_FOR_EVER};
    if (job->is_token)
        answer.is_good = verify_jwt(&job->jwt, &answer.from_s, &answer.to_s) == JWT_FAULT_OK;
    else
        answer.is_good = verify_password(t->scratch, job->password, job->hash);
    return answer;
}

/* One job of each lane. Returns how many there were. */
static unsigned look(struct verify_thread *t)
{
    unsigned n = 0;
    for (unsigned i = 0; i < t->n && !__atomic_load_n(&t->is_stopping, __ATOMIC_ACQUIRE); i++) {
        const struct verify_job *job = verify_lane_oldest(t->lanes[i]);
        if (job == NULL)
            continue;
        verify_lane_answer(t->lanes[i], answer_to(t, job));
        n++;
    }
    return n;
}

static void *run(void *arg)
{
    struct verify_thread *t = arg;
    const struct timespec wait = {.tv_nsec = VERIFY_SLEEP_MS_MAX * 1000000};
    setpriority(PRIO_PROCESS, (id_t)gettid(), NICE);
    while (!__atomic_load_n(&t->is_stopping, __ATOMIC_ACQUIRE)) {
        if (look(t) == 0)
            nanosleep(&wait, NULL);
    }
    return NULL;
}

struct verify_thread *verify_thread_start(struct verify_lane *const *lanes, unsigned n)
{
    struct verify_thread *t = calloc(1, sizeof(*t));
    ASSERT(n > 0);
    if (t == NULL)
        return NULL;
    t->scratch = verify_password_scratch_new();
    t->lanes = lanes;
    t->n = n;
    if (t->scratch == NULL || !thread_start(&t->thread, run, t)) {
        verify_password_scratch_free(t->scratch);
        free(t);
        return NULL;
    }
    return t;
}

void verify_thread_stop(struct verify_thread *t)
{
    if (t == NULL)
        return;
    __atomic_store_n(&t->is_stopping, true, __ATOMIC_RELEASE);
    pthread_join(t->thread, NULL);
    verify_password_scratch_free(t->scratch);
    free(t);
}
