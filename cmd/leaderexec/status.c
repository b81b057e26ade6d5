/* leaderexec status; see status.h. One lane, one request at a time. */
#include "status.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "bucket.h"
#include "notices.h"
#include "options.h"
#include "record/evict.h"
#include "store/store.h"
#include "verdict.h"

#define LOOK_TIMEOUT_MS  INT64_C(10000)
#define LOOK_SLACK_MS    INT64_C(1000) /* for the store to say that it timed out */
#define LISTINGS_MOST    5             /* slots trimmed between a listing and a read: list again, so often */
#define STATUS_LINE_SIZE (BUCKET_IDENTITY_SIZE + 8 * 1024) /* an escaped record and the lock's name */

/* Asks store one thing and waits for the answer. Returns 0, or -errno with a line in reason[TEXT_REASON_SIZE]: -EAGAIN
 * where the slot isn't there. */
static int ask(struct store *store, const struct log_request *request, struct log_answer *answer, char *reason) {
    int64_t end_ns = clock_now().wait_ns + (LOOK_TIMEOUT_MS + LOOK_SLACK_MS) * NS_PER_MS;
    bool answered = false;
    int r = store_submit(store, request);
    while (r == 0 && !answered) {
        int64_t left_ms = (end_ns - clock_now().wait_ns) / NS_PER_MS;
        if (left_ms <= 0) r = -ETIMEDOUT;
        if (r == 0) r = store_wait(store, NULL, 0, (int)left_ms);
        while (r == 0 && !answered && store_next(store, answer)) answered = answer->id == request->id;
    }
    if (r != 0) {
        (void)text_format(reason, TEXT_REASON_SIZE, "the store can't be asked: %s", strerror(-r));
        return r;
    }
    if (answer->outcome == OUTCOME_DONE) return 0;
    if (answer->outcome == OUTCOME_ABSENT) {
        (void)text_copy(reason, TEXT_REASON_SIZE, "the log changes faster than it can be read: try again");
        return -EAGAIN;
    }
    (void)text_copy(reason, TEXT_REASON_SIZE, answer->reason);
    return -EIO;
}

static int read_slot(struct store *store, int64_t seq, struct slot *slot, char *reason) {
    struct log_request request = {
        .id = 2, .lane = LOG_LANE_0, .op = LOG_READ, .seq = seq, .timeout_ms = LOOK_TIMEOUT_MS};
    struct log_answer answer;
    int r = ask(store, &request, &answer, reason);
    if (r == 0) *slot = answer.slot;
    return r;
}

/* Lists, and reads the newest slot that isn't an evict. */
static int look_once(struct store *store, struct verdict *verdict, char *reason) {
    struct log_request request = {.id = 1, .lane = LOG_LANE_0, .op = LOG_NEWEST, .timeout_ms = LOOK_TIMEOUT_MS};
    struct log_answer answer;
    int r = ask(store, &request, &answer, reason);
    if (r < 0) return r;
    const struct listing listing = answer.listing;
    int64_t seq = listing.head_seq;
    struct slot slot = {.kind = SLOT_VACANCY};
    if (!listing.empty && listing.head_size != RECORD_VACANCY_LENGTH) {
        do {
            r = read_slot(store, seq, &slot, reason);
        } while (r == 0 && evict_look_below(&slot, listing.head_seq, &seq));
    }
    if (r == 0) verdict_judge(verdict, &listing, &slot, seq);
    return r;
}

static int look(const struct options *options, char *const *environment, const struct log *log, struct verdict *verdict,
                char *reason) {
    struct priority priority = {.known = false};
    struct store *store = bucket_open(options, environment, &priority, reason);
    if (store == NULL) return -EIO;
    int r = -EAGAIN;
    for (int i = 0; i < LISTINGS_MOST && r == -EAGAIN; i++) r = look_once(store, verdict, reason);
    notices_tell(store, log);
    store_close(store);
    return r;
}

int status_command(const struct options *options, char *const *environment, const struct log *log) {
    char reason[TEXT_REASON_SIZE] = "", line[STATUS_LINE_SIZE];
    struct verdict verdict;
    int r = look(options, environment, log, &verdict, reason);
    if (r == 0 && options->json) {
        r = verdict_format_json(&verdict, options->identity, line, sizeof line);
        if (r < 0) (void)text_format(reason, sizeof reason, "can't write the status as JSON: %s", strerror(-r));
    } else if (r == 0) {
        verdict_format(&verdict, line, sizeof line);
    }
    if (r != 0) {
        log_line(log, LOG_LEVEL_ERROR, "the state of %s is unknown: %s", options->identity, reason);
        return EXIT_OWN_FAILURE;
    }
    (void)puts(line);
    return verdict.state == VERDICT_HELD || verdict.state == VERDICT_HOLD ? 0 : 1;
}
