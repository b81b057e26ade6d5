/* The store under test; see target.h. */
#include "target.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"

#ifdef CONTRACT_HAS_S3
#include "s3/config.h"
#endif

static void give_up(const char *what, const char *why) {
    (void)fprintf(stderr, "contract: %s: %s\n", what, why);
    exit(EXIT_FAILURE);
}

static bool use_directory(struct target *target, const char *name) {
    return text_copy(target->directory, sizeof target->directory, name) == 0 &&
           text_copy(target->prefix, sizeof target->prefix, "locks/") == 0;
}

static bool make_directory(struct target *target) {
    char template[] = "/tmp/leaderexec-contract-XXXXXX";
    if (mkdtemp(template) == NULL) return false;
    target->own_directory = true;
    return use_directory(target, template);
}

static bool use_s3(struct target *target, const char *bucket_and_prefix) {
#ifdef CONTRACT_HAS_S3
    char bucket[TARGET_TEXT_SIZE], reason[TEXT_REASON_SIZE];
    const char *slash = strchrnul(bucket_and_prefix, '/');
    (void)text_format(bucket, sizeof bucket, "%.*s", (int)(slash - bucket_and_prefix), bucket_and_prefix);
    (void)text_format(target->prefix, sizeof target->prefix, "%s%slocks/", *slash != '\0' ? slash + 1 : "",
                      slash[0] != '\0' && slash[1] != '\0' ? "/" : "");
    const struct s3_options options = {.bucket = bucket};
    target->s3 = calloc(1, sizeof *target->s3);
    if (target->s3 == NULL) return false;
    if (s3_config_load(target->s3, &options, environ, reason) == 0) return true;
    (void)fprintf(stderr, "contract: %s\n", reason);
    return false;
#else
    (void)target;
    (void)fprintf(stderr, "contract: built without S3: s3://%s\n", bucket_and_prefix);
    return false;
#endif
}

bool target_init(struct target *target, const char *name) {
    *target = (struct target){.run = (unsigned long)getpid()};
    if (getrandom(&target->run, sizeof target->run, 0) != (ssize_t)sizeof target->run) return false;
    (void)text_copy(target->name, sizeof target->name, name != NULL ? name : "a folder of its own");
    if (name == NULL) return make_directory(target);
    if (strncmp(name, "file:", 5) == 0) return use_directory(target, name + 5);
    if (strncmp(name, "s3://", 5) == 0) return use_s3(target, name + 5);
    (void)fprintf(stderr, "contract: neither file:DIR nor s3://BUCKET: %s\n", name);
    return false;
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *where) {
    (void)status, (void)type, (void)where;
    return remove(path);
}

void target_deinit(struct target *target) {
    if (target->own_directory) (void)nftw(target->directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
#ifdef CONTRACT_HAS_S3
    if (target->s3 != NULL) s3_config_deinit(target->s3);
#endif
    free(target->s3);
    target->s3 = NULL;
}

void target_name_lock(struct target *target, char out[64]) {
    (void)text_format(out, 64, "contract-%016lx-%u", target->run, ++target->locks);
}

struct store *target_open(const struct target *target, const char *below, const char *lock) {
    char prefix[2 * TARGET_TEXT_SIZE], reason[TEXT_REASON_SIZE] = "";
    struct store *store = NULL;
    (void)text_format(prefix, sizeof prefix, "%s%s", target->prefix, below);
    if (target->s3 == NULL) store = store_open_directory(target->directory, prefix, lock, reason);
#ifdef CONTRACT_HAS_S3
    if (target->s3 != NULL) store = store_open_s3(target->s3, prefix, lock, reason);
#endif
    if (store == NULL) give_up("can't open the store", reason);
    return store;
}

bool wait_for_answer(struct store *store, struct log_answer *answer, int timeout_ms) {
    int64_t end_ns = clock_now().wait_ns + timeout_ms * NS_PER_MS;
    for (;;) {
        if (store_next(store, answer)) return true;
        int64_t left_ns = end_ns - clock_now().wait_ns;
        if (left_ns <= 0) return false;
        int error = store_wait(store, NULL, 0, (int)(left_ns / NS_PER_MS) + 1);
        if (error != 0) give_up("store_wait", strerror(-error));
    }
}

struct log_answer ask(struct store *store, struct log_request request) {
    static const char *const names[] = {"newest", "read", "append", "trim"};
    struct log_answer answer;
    request.id = 1;
    if (request.timeout_ms == 0) request.timeout_ms = ASK_TIMEOUT_MS;
    int error = store_submit(store, &request);
    if (error != 0) give_up("store_submit", strerror(-error));
    if (!wait_for_answer(store, &answer, ASK_TIMEOUT_MS + 10000)) give_up(names[request.op], "no answer");
    if (answer.id != request.id || answer.lane != request.lane || answer.op != request.op)
        give_up(names[request.op], "not its answer");
    bool has_reason = answer.reason[0] != '\0';
    bool needs_reason = answer.outcome == OUTCOME_UNKNOWN || answer.outcome == OUTCOME_REFUSED;
    if (has_reason != needs_reason) give_up(names[request.op], has_reason ? answer.reason : "no reason given");
    if (has_reason) (void)fprintf(stderr, "contract: %s\n", answer.reason);
    return answer;
}

struct log_answer ask_newest(struct store *store) {
    return ask(store, (struct log_request){.op = LOG_NEWEST});
}

struct log_answer ask_read(struct store *store, int64_t seq) {
    return ask(store, (struct log_request){.op = LOG_READ, .seq = seq});
}

struct log_answer ask_append(struct store *store, int64_t seq, const char *body, size_t length) {
    return ask(store, (struct log_request){.op = LOG_APPEND, .seq = seq, .body = body, .body_length = length});
}

struct log_answer ask_trim(struct store *store, int64_t head, int64_t retention_ms, int most) {
    return ask(store,
               (struct log_request){.op = LOG_TRIM, .seq = head, .retention_ms = retention_ms, .trim_most = most});
}
