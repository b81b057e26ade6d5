/* Hands each call to the backend that was opened; see store.h. Knows no backend. */
#include "store/store.h"

#include <errno.h>

#include "record/record.h"

static bool is_sensible(const struct log_request *request) {
    if (request->lane < 0 || request->lane >= LOG_LANES || request->timeout_ms <= 0) return false;
    bool has_seq = request->seq >= 1 && request->seq <= RECORD_SEQ_MAX;
    switch (request->op) {
    case LOG_NEWEST:
        return true;
    case LOG_READ:
        return has_seq;
    case LOG_APPEND:
        return has_seq && (request->body != NULL || request->body_length == 0);
    case LOG_TRIM:
        return has_seq && request->retention_ms >= 0 && request->trim_most >= 0;
    }
    return false;
}

int store_submit(struct store *store, const struct log_request *request) {
    return is_sensible(request) ? store->ops->submit(store, request) : -EINVAL;
}

int store_wait(struct store *store, struct pollfd *extra, size_t count, int timeout_ms) {
    return store->ops->wait(store, extra, count, timeout_ms);
}

bool store_next(struct store *store, struct log_answer *answer) { return store->ops->next(store, answer); }

bool store_take_notice(struct store *store, struct store_notice *notice) {
    return store->ops->notice != NULL && store->ops->notice(store, notice);
}

void store_close(struct store *store) {
    if (store != NULL) store->ops->close(store);
}
