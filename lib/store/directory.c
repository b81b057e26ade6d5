/* The directory store's lanes: one worker process for each request under way, its deadline, its answer; see store.h.
 *
 * A disk may hang for ever, in a process that can't even be killed. So nothing here touches the disk, and workers that
 * don't die are counted. Knows neither files nor what the operations do (directory_log.c). */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "store/directory_log.h"
#include "store/key.h"
#include "store/store.h"
#include "store/worker.h"

#define DYING_MAX       8 /* workers that were killed and live on; beyond that the disk is taken for gone */
#define OWN_POLLFDS     (LOG_LANES + DYING_MAX)
#define LIFETIME_ADD_MS 50 /* a worker kills itself only where we failed to */
#define CLOSE_WAIT_MS   100
#define BODY_MAX        (INT64_C(16) << 20)

_Static_assert(sizeof(struct log_answer) <= WORKER_ANSWER_MAX, "an answer goes through the pipe in one piece");

enum lane_state { LANE_IDLE, LANE_RUNNING, LANE_ANSWERED };

struct lane {
    enum lane_state state;
    struct worker worker;
    int64_t timeout_ms;
    int64_t deadline_ns; /* wait clock */
    struct log_answer answer;
};

struct directory_store {
    struct store base;
    struct directory_log log;
    struct lane lanes[LOG_LANES];
    struct worker dying[DYING_MAX];
    size_t dying_count;
    struct pollfd *pollfds; /* the caller's and ours */
    size_t pollfds_capacity;
};

static struct directory_store *from_store(struct store *store) { return (struct directory_store *)store; }

/* What a worker is handed. */
struct task {
    const struct directory_log *log;
    const struct log_request *request;
};

static void run_task(const void *input, void *answer) {
    const struct task *task = input;
    directory_log_run(task->log, task->request, answer);
}

/* --- workers that aren't wanted any more --- */

static void reap_dying(struct directory_store *store) {
    size_t kept = 0;
    for (size_t i = 0; i < store->dying_count; i++) {
        if (!worker_reap(&store->dying[i])) store->dying[kept++] = store->dying[i];
    }
    store->dying_count = kept;
}

static size_t count_running(const struct directory_store *store) {
    size_t count = 0;
    for (size_t i = 0; i < LOG_LANES; i++) count += store->lanes[i].state == LANE_RUNNING;
    return count;
}

/* Ends the lane's worker; start_worker() saw to it that there is room among the dying. */
static void dismiss(struct directory_store *store, struct lane *lane) {
    worker_dismiss(&lane->worker);
    store->dying[store->dying_count++] = lane->worker;
    lane->worker = WORKER_NONE;
    lane->state = LANE_IDLE;
    reap_dying(store);
}

/* --- answers --- */

static void describe(const struct directory_store *store, const struct log_answer *answer, char *out, size_t size) {
    const char *directory = store->log.directory;
    switch (answer->op) {
    case LOG_NEWEST:
        (void)text_format(out, size, "listing of file:%s", directory);
        return;
    case LOG_READ:
        (void)text_format(out, size, "read of slot %" PRId64 " in file:%s", answer->seq, directory);
        return;
    case LOG_APPEND:
        (void)text_format(out, size, "append of slot %" PRId64 " to file:%s", answer->seq, directory);
        return;
    case LOG_TRIM:
        (void)text_format(out, size, "trim of file:%s", directory);
        return;
    }
}

static void answer_unknown(struct directory_store *store, struct lane *lane, const char *what_happened) {
    char what[TEXT_REASON_SIZE / 2];
    describe(store, &lane->answer, what, sizeof what);
    (void)text_format(lane->answer.reason, sizeof lane->answer.reason, "%s %s", what, what_happened);
    lane->state = LANE_ANSWERED;
}

static void collect(struct directory_store *store, struct lane *lane, int64_t now_ns) {
    char text[64], duration[32];
    enum worker_state state = worker_collect(&lane->worker, &lane->answer, sizeof lane->answer);
    bool is_late = now_ns >= lane->deadline_ns;
    if (state == WORKER_BUSY && !is_late) return;
    dismiss(store, lane);
    if (state == WORKER_ANSWERED) {
        lane->state = LANE_ANSWERED;
    } else if (is_late) {
        text_format_duration(duration, sizeof duration, lane->timeout_ms);
        (void)text_format(text, sizeof text, "didn't return within %s", duration);
        answer_unknown(store, lane, text);
    } else {
        answer_unknown(store, lane, "ended early: the process that did it was killed");
    }
}

/* --- the store's functions --- */

static void start_worker(struct directory_store *store, struct lane *lane, const struct log_request *request) {
    char text[128];
    const struct task task = {.log = &store->log, .request = request};
    if (store->dying_count + count_running(store) >= DYING_MAX) {
        (void)text_format(text, sizeof text, "wasn't tried: %d earlier operations hang; is the disk gone?",
                          (int)store->dying_count);
        answer_unknown(store, lane, text);
        return;
    }
    int error = worker_start(&lane->worker, request->timeout_ms + LIFETIME_ADD_MS, run_task, &task, &lane->answer,
                             sizeof lane->answer);
    if (error != 0) {
        (void)text_format(text, sizeof text, "can't be tried: no process for it: %s", strerror(-error));
        answer_unknown(store, lane, text);
        return;
    }
    lane->state = LANE_RUNNING;
}

static int submit(struct store *base, const struct log_request *request) {
    struct directory_store *store = from_store(base);
    struct lane *lane = &store->lanes[request->lane];
    if (request->timeout_ms > INT32_MAX || request->body_length > BODY_MAX) return -EINVAL;
    if (lane->state == LANE_RUNNING) dismiss(store, lane);
    reap_dying(store);
    lane->timeout_ms = request->timeout_ms;
    lane->deadline_ns = clock_now().wait_ns + request->timeout_ms * NS_PER_MS;
    lane->answer = (struct log_answer){
        .id = request->id, .lane = request->lane, .op = request->op, .outcome = OUTCOME_UNKNOWN, .seq = request->seq};
    start_worker(store, lane, request);
    return 0;
}

static int reserve_pollfds(struct directory_store *store, size_t count) {
    if (count <= store->pollfds_capacity) return 0;
    struct pollfd *bigger = reallocarray(store->pollfds, count, sizeof *bigger);
    if (bigger == NULL) return -ENOMEM;
    store->pollfds = bigger;
    store->pollfds_capacity = count;
    return 0;
}

/* Shortens timeout_ms (negative: for ever) to the first lane that is due, 0 where an answer waits already. */
static int timeout_until_due(const struct directory_store *store, int timeout_ms) {
    int64_t now_ns = clock_now().wait_ns;
    for (size_t i = 0; i < LOG_LANES; i++) {
        const struct lane *lane = &store->lanes[i];
        if (lane->state == LANE_ANSWERED) return 0;
        if (lane->state != LANE_RUNNING) continue;
        int64_t left_ms = (lane->deadline_ns - now_ns + NS_PER_MS - 1) / NS_PER_MS;
        if (left_ms < 0) left_ms = 0;
        if (timeout_ms < 0 || left_ms < timeout_ms) timeout_ms = (int)left_ms;
    }
    return timeout_ms;
}

static size_t add_own_pollfds(const struct directory_store *store, struct pollfd *out) {
    size_t count = 0;
    for (size_t i = 0; i < LOG_LANES; i++) {
        const struct lane *lane = &store->lanes[i];
        if (lane->state == LANE_RUNNING) out[count++] = (struct pollfd){.fd = lane->worker.answer_fd, .events = POLLIN};
    }
    for (size_t i = 0; i < store->dying_count; i++) {
        /* poll(2) passes over those of -1. */
        out[count++] = (struct pollfd){.fd = store->dying[i].helper.pidfd, .events = POLLIN};
    }
    return count;
}

static int wait_for_answers(struct store *base, struct pollfd *extra, size_t count, int timeout_ms) {
    struct directory_store *store = from_store(base);
    int error = reserve_pollfds(store, count + OWN_POLLFDS);
    if (error != 0) return error;
    if (count > 0) memcpy(store->pollfds, extra, count * sizeof *extra);
    size_t own = add_own_pollfds(store, store->pollfds + count);
    int ready = poll(store->pollfds, (nfds_t)(count + own), timeout_until_due(store, timeout_ms));
    if (ready < 0 && errno != EINTR) return -errno;
    for (size_t i = 0; i < count; i++) {
        extra[i].revents = store->pollfds[i].revents;
        if (ready <= 0) extra[i].revents = 0;
    }
    int64_t now_ns = clock_now().wait_ns;
    for (size_t i = 0; i < LOG_LANES; i++) {
        if (store->lanes[i].state == LANE_RUNNING) collect(store, &store->lanes[i], now_ns);
    }
    reap_dying(store);
    return 0;
}

static bool take_answer(struct store *base, struct log_answer *answer) {
    struct directory_store *store = from_store(base);
    for (size_t i = 0; i < LOG_LANES; i++) {
        struct lane *lane = &store->lanes[i];
        if (lane->state != LANE_ANSWERED) continue;
        *answer = lane->answer;
        lane->state = LANE_IDLE;
        return true;
    }
    return false;
}

/* Gives workers that are about to end the time to do so: a zombie that we left behind would stay with an init that
 * reaps none. */
static void await_dying(struct directory_store *store) {
    int64_t end_ns = clock_now().wait_ns + CLOSE_WAIT_MS * NS_PER_MS;
    for (reap_dying(store); store->dying_count > 0; reap_dying(store)) {
        struct pollfd ended = {.fd = store->dying[0].helper.pidfd, .events = POLLIN};
        int64_t left_ns = end_ns - clock_now().wait_ns;
        if (left_ns <= 0) return;
        (void)poll(&ended, 1, (int)(left_ns / NS_PER_MS) + 1);
    }
}

static void close_store(struct store *base) {
    struct directory_store *store = from_store(base);
    for (size_t i = 0; i < LOG_LANES; i++) {
        if (store->lanes[i].state == LANE_RUNNING) dismiss(store, &store->lanes[i]);
    }
    await_dying(store);
    for (size_t i = 0; i < store->dying_count; i++) worker_forget(&store->dying[i]);
    free(store->pollfds);
    free(store);
}

static const struct store_ops directory_ops = {
    .submit = submit, .wait = wait_for_answers, .next = take_answer, .close = close_store};

/* Fills in where the log is. Returns 0 or -errno. */
static int locate(struct directory_log *log, const char *directory, const char *prefix, const char *lock) {
    char folder[KEY_FOLDER_SIZE];
    if (directory[0] == '\0') return -EINVAL; /* it would mean the root */
    int error = key_format_folder(folder, sizeof folder, prefix, lock);
    if (error != 0) return error;
    folder[strlen(folder) - 1] = '\0';
    if (text_copy(log->directory, sizeof log->directory, directory) != 0) return -ENAMETOOLONG;
    return text_format(log->folder, sizeof log->folder, "%s/%s", directory, folder) == 0 ? 0 : -ENAMETOOLONG;
}

struct store *store_open_directory(const char *directory, const char *prefix, const char *lock, char *reason) {
    struct directory_store *store = calloc(1, sizeof *store);
    int error = store == NULL ? -ENOMEM : locate(&store->log, directory, prefix, lock);
    if (error != 0) {
        (void)text_format(reason, TEXT_REASON_SIZE, "can't use lock \"%s%s\" in \"file:%s\": %s", prefix, lock,
                          directory, strerror(-error));
        free(store);
        return NULL;
    }
    store->base.ops = &directory_ops;
    return &store->base;
}
