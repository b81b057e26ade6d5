/* The log in an S3 bucket: what a log is asked for becomes calls to the bucket, and answers become the log's words.
 * Which answer means what is decided in s3/verdict.c, which slot is the head in look.c, what to trim in trim.c;
 * connections are s3/client.c's. Knows no lease and no claim. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "record/record.h"
#include "s3/client.h"
#include "s3/uri.h"
#include "s3/verdict.h"
#include "store/key.h"
#include "store/look.h"
#include "store/store.h"
#include "store/trim.h"

#define QUERY_MAX      (8 * 1024UL)
#define TIMEOUT_MAX_MS (24 * MS_PER_S * 3600)

_Static_assert(S3_CLIENT_LANES >= (int)LOG_LANES, "a connection for each lane");

/* One lane's request and how far it is. */
struct task {
    bool ready; /* answered, and not yet taken */
    int64_t deadline_ns; /* wait clock */
    struct log_request request;
    struct log_answer answer;
    char key[S3_KEY_SIZE]; /* of the call under way, or the folder listed */
    enum s3_action action;
    struct look look;
    bool trimming; /* looked, and now choosing and deleting */
    struct trim trim;
    size_t trimmed;
    int64_t read_size; /* of what is no slot; -1: more than any has */
};

struct s3_store {
    struct store store;
    struct s3_client client;
    char folder[KEY_FOLDER_SIZE];
    int64_t trim_floor; /* see trim.h */
    struct task tasks[LOG_LANES];
};

static struct s3_store *self(struct store *store) { return (struct s3_store *)store; }

static int lane_of(const struct s3_store *store, const struct task *task) { return (int)(task - store->tasks); }

/* Ends task with outcome. */
static void answer(struct task *task, enum outcome outcome) {
    task->answer.outcome = outcome;
    task->ready = true;
}

static int call(struct s3_store *store, struct task *task, const struct s3_call *call) {
    int64_t left_ms = (task->deadline_ns - clock_now().wait_ns) / NS_PER_MS;
    task->action = call->action;
    return s3_client_start(&store->client, lane_of(store, task), call, RECORD_JSON_MAX, left_ms > 0 ? left_ms : 1);
}

/* Asks for a page of what is below task->key, behind start_after ("": from the beginning). */
static int call_list(struct s3_store *store, struct task *task, const char *start_after, int keys) {
    char max_keys[16];
    struct buffer query;
    (void)text_format(max_keys, sizeof max_keys, "%d", keys);
    struct s3_parameter parameters[] = {
        {"encoding-type", "url"}, /* or a control character in a foreign key would make the listing unreadable */
        {"list-type", "2"},       {"max-keys", max_keys}, {"prefix", task->key}, {"start-after", start_after},
    };
    size_t count = sizeof parameters / sizeof *parameters - (start_after[0] == '\0' ? 1 : 0);
    buffer_init(&query, QUERY_MAX);
    int rc = s3_uri_append_query(&query, parameters, count);
    if (rc == 0) rc = call(store, task, &(struct s3_call){.action = S3_LIST, .key = "", .query = query.data});
    buffer_deinit(&query);
    return rc;
}

static int call_list_folder(struct s3_store *store, struct task *task, const char *start_after, int keys) {
    (void)text_copy(task->key, sizeof task->key, store->folder);
    return call_list(store, task, start_after, keys);
}

static int call_slot(struct s3_store *store, struct task *task, enum s3_action action, int64_t seq) {
    char name[KEY_SLOT_SIZE];
    key_format_slot(name, seq);
    int rc = text_format(task->key, sizeof task->key, "%s%s", store->folder, name);
    if (rc != 0) return rc;
    bool creates = action == S3_CREATE;
    return call(store, task,
                &(struct s3_call){.action = action,
                                  .key = task->key,
                                  .query = "",
                                  .body = creates ? task->request.body : NULL,
                                  .body_length = creates ? task->request.body_length : 0});
}

static int next_victim(struct s3_store *store, struct task *task) {
    if (task->trimmed == task->trim.count) {
        answer(task, OUTCOME_DONE);
        return 0;
    }
    return call_slot(store, task, S3_DELETE, task->trim.victims[task->trimmed]);
}

static int go_on_trimming(struct s3_store *store, struct task *task, enum trim_step step) {
    store->trim_floor = task->trim.floor;
    switch (step) {
    case TRIM_LIST:
        return call_list_folder(store, task, task->trim.start_after, TRIM_KEYS);
    case TRIM_DELETE:
        return next_victim(store, task);
    case TRIM_GIVE_UP:
        break;
    }
    (void)text_format(task->answer.reason, sizeof task->answer.reason,
                      "can't trim %.200s: no listing shows its oldest slots", store->folder);
    answer(task, OUTCOME_UNKNOWN);
    return 0;
}

static int begin(struct s3_store *store, struct task *task) {
    const struct log_request *request = &task->request;
    switch (request->op) {
    case LOG_NEWEST:
    case LOG_TRIM: /* what time is it at the store? */
        look_init(&task->look, store->folder);
        return call_list_folder(store, task, "", LOOK_FIRST_KEYS);
    case LOG_READ:
        return call_slot(store, task, S3_READ, request->seq);
    case LOG_APPEND:
        return call_slot(store, task, S3_CREATE, request->seq);
    }
    return -EINVAL;
}

/* A proxy may put its own Date on an answer; the newest slot's Last-Modified is the store's. The earlier is now. */
static int begin_trimming(struct s3_store *store, struct task *task) {
    const struct log_request *request = &task->request;
    const struct listing *listing = &task->look.listing;
    int64_t now_ms = listing->date_ms < listing->head_modified_ms ? listing->date_ms : listing->head_modified_ms;
    task->trimming = true;
    return go_on_trimming(store, task,
                          trim_init(&task->trim, store->folder, store->trim_floor, request->seq,
                                    now_ms - request->retention_ms, request->trim_most));
}

static int submit(struct store *base, const struct log_request *request) {
    struct s3_store *store = self(base);
    struct task *task = &store->tasks[request->lane];
    int64_t timeout_ms = request->timeout_ms < TIMEOUT_MAX_MS ? request->timeout_ms : TIMEOUT_MAX_MS;
    *task = (struct task){.deadline_ns = clock_now().wait_ns + timeout_ms * NS_PER_MS, .request = *request};
    task->answer =
        (struct log_answer){.id = request->id, .lane = request->lane, .op = request->op, .seq = request->seq};
    int rc = begin(store, task); /* what was under way in this lane ends with it */
    task->request.body = NULL;   /* the client has its copy; the caller's may go */
    return rc;
}

/* Its bytes; "" where there are none. */
static const char *body_of(const struct s3_response *response) {
    return response->body.data != NULL ? response->body.data : "";
}

static void answer_garbled(struct task *task, const struct s3_response *response, const struct s3_subject *subject) {
    bool refused = s3_judge_garbled(response, subject, task->answer.reason) == S3_REFUSED;
    answer(task, refused ? OUTCOME_REFUSED : OUTCOME_UNKNOWN);
}

static int take_page(struct s3_store *store, struct task *task, const struct s3_response *response,
                     const struct s3_subject *subject) {
    char *reason = task->answer.reason;
    switch (look_page(&task->look, body_of(response), response->body.length, response->date_ms)) {
    case LOOK_DONE:
        if (task->request.op == LOG_TRIM) return begin_trimming(store, task);
        task->answer.listing = task->look.listing;
        answer(task, OUTCOME_DONE);
        return 0;
    case LOOK_MORE:
        return call_list_folder(store, task, task->look.start_after, LOOK_MORE_KEYS);
    case LOOK_GARBLED:
        answer_garbled(task, response, subject);
        return 0;
    case LOOK_TOO_LONG:
        (void)text_format(reason, TEXT_REASON_SIZE,
                          "%.200s holds thousands of keys that aren't ours in front of the slots: move them away",
                          store->folder);
        answer(task, OUTCOME_UNKNOWN);
        return 0;
    case LOOK_UNSORTED:
        (void)text_format(reason, TEXT_REASON_SIZE,
                          "bucket \"%.64s\" doesn't list its keys in order, so it can't keep a lock: use another",
                          subject->bucket);
        answer(task, OUTCOME_REFUSED);
        return 0;
    }
    return -EINVAL;
}

/* What is no slot may be something else's page: an object that the listing doesn't show like that wasn't read. */
static int take_sighting(struct task *task, const struct s3_response *response, const struct s3_subject *subject) {
    int64_t size;
    if (look_for_size(&size, body_of(response), response->body.length, task->key) != LOOK_DONE) {
        answer_garbled(task, response, subject);
    } else if (task->read_size >= 0 ? size == task->read_size : size > RECORD_JSON_MAX) {
        answer(task, OUTCOME_DONE);
    } else {
        struct s3_subject reading = *subject;
        reading.action = S3_READ;
        s3_judge_strange(response, &reading, task->answer.reason);
        answer(task, OUTCOME_UNKNOWN);
    }
    return 0;
}

static int take_slot(struct s3_store *store, struct task *task, const struct s3_response *response) {
    /* What is longer than any record was given up and isn't there: as unreadable as it would be. */
    task->read_size = response->too_large ? -1 : (int64_t)response->body.length;
    int error = slot_parse(&task->answer.slot, body_of(response), response->body.length, task->request.seq);
    if (error != 0) {
        (void)text_format(task->answer.reason, TEXT_REASON_SIZE, "can't read slot %" PRId64 ": %s", task->request.seq,
                          strerror(-error));
    }
    if (error == 0 && task->answer.slot.kind == SLOT_UNREADABLE) return call_list(store, task, "", 1);
    answer(task, error == 0 ? OUTCOME_DONE : OUTCOME_UNKNOWN);
    return 0;
}

static int take_fine(struct s3_store *store, struct task *task, const struct s3_response *response,
                     const struct s3_subject *subject) {
    switch (task->request.op) {
    case LOG_NEWEST:
        return take_page(store, task, response, subject);
    case LOG_READ:
        if (task->action == S3_LIST) return take_sighting(task, response, subject);
        return take_slot(store, task, response);
    case LOG_APPEND:
        answer(task, OUTCOME_DONE);
        return 0;
    case LOG_TRIM:
        if (!task->trimming) return take_page(store, task, response, subject);
        if (task->action == S3_LIST) {
            return go_on_trimming(store, task, trim_page(&task->trim, body_of(response), response->body.length));
        }
        store->trim_floor = task->trim.victims[task->trimmed] + 1;
        task->trimmed++;
        return next_victim(store, task);
    }
    return -EINVAL;
}

static int take(struct s3_store *store, struct task *task, const struct s3_response *response) {
    struct s3_subject subject = {.action = task->action,
                                 .bucket = store->client.config.bucket,
                                 .key = task->key,
                                 .endpoint = &store->client.endpoint,
                                 .keys_fixed = store->client.keys.current.fixed};
    switch (s3_judge(response, &subject, task->answer.reason)) {
    case S3_FINE:
        return take_fine(store, task, response, &subject);
    case S3_ABSENT:
        if (task->action == S3_DELETE) return take_fine(store, task, response, &subject); /* another node trims too */
        answer(task, OUTCOME_ABSENT);
        return 0;
    case S3_EXISTS:
        answer(task, OUTCOME_EXISTS);
        return 0;
    case S3_UNKNOWN:
        answer(task, OUTCOME_UNKNOWN);
        return 0;
    case S3_REFUSED:
        answer(task, OUTCOME_REFUSED);
        return 0;
    }
    return -EINVAL;
}

static bool has_ready(const struct s3_store *store) {
    for (int i = 0; i < (int)LOG_LANES; i++) {
        if (store->tasks[i].ready) return true;
    }
    return false;
}

static int wait_for(struct store *base, struct pollfd *extra, size_t count, int timeout_ms) {
    struct s3_store *store = self(base);
    int rc = s3_client_wait(&store->client, extra, count, has_ready(store) ? 0 : timeout_ms);
    for (int lane; rc == 0 && (lane = s3_client_next(&store->client)) >= 0;) {
        rc = take(store, &store->tasks[lane], &store->client.lanes[lane].response);
    }
    return rc;
}

static bool next(struct store *base, struct log_answer *out) {
    struct s3_store *store = self(base);
    for (int i = 0; i < (int)LOG_LANES; i++) {
        if (!store->tasks[i].ready) continue;
        store->tasks[i].ready = false;
        *out = store->tasks[i].answer;
        return true;
    }
    return false;
}

static bool take_notice(struct store *base, struct store_notice *notice) {
    struct s3_notice said;
    if (!s3_client_notice(&self(base)->client, &said)) return false;
    notice->warning = said.warning;
    return text_copy(notice->text, sizeof notice->text, said.text) == 0;
}

static void close_store(struct store *base) {
    struct s3_store *store = self(base);
    s3_client_deinit(&store->client);
    free(store);
}

static const struct store_ops ops = {
    .submit = submit, .wait = wait_for, .next = next, .notice = take_notice, .close = close_store};

struct store *store_open_s3(const struct s3_config *config, const char *prefix, const char *lock, char *reason) {
    struct s3_store *store = calloc(1, sizeof *store);
    if (store == NULL) {
        (void)text_copy(reason, TEXT_REASON_SIZE, "out of memory");
        return NULL;
    }
    store->store.ops = &ops;
    int rc = key_format_folder(store->folder, sizeof store->folder, prefix, lock);
    if (rc != 0) {
        (void)text_copy(reason, TEXT_REASON_SIZE,
                        rc == -EINVAL ? "a lock's name can't be empty, '.' or '..', nor have a '/' or a control "
                                        "character: correct --lock or --prefix"
                                      : "prefix and lock are too long together: correct --lock or --prefix");
    } else {
        rc = s3_client_init(&store->client, config, reason);
    }
    if (rc == 0) return &store->store;
    free(store);
    return NULL;
}
