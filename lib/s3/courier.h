/* Carries out one errand at a time, beside the requests to the bucket and in the same event loop: HTTP on a connection
 * that nobody else uses, or a command. Follows no redirect. Knows nothing of what errands are for. */
#ifndef S3_COURIER_H
#define S3_COURIER_H

#include "s3/command.h"
#include "s3/config.h"
#include "s3/errand.h"

/* Must not move between init and deinit. */
struct s3_courier {
    CURLM *multi; /* the caller's */
    CURL *easy;
    bool busy;
    bool done;           /* reply is there */
    int64_t deadline_ns; /* wait clock */
    struct s3_command command;
    struct s3_reply reply;
    char error[CURL_ERROR_SIZE];
};

/* Returns 0, -ENOMEM or -ENOTSUP; on error it is as after s3_courier_deinit(). */
int s3_courier_init(struct s3_courier *courier, CURLM *multi, const struct s3_config *config);

/* Gives up what is under way, wipes and frees. May be called again. */
void s3_courier_deinit(struct s3_courier *courier);

/* Begins errand, which must outlive it; a command gets environment and priority from sources. A failure to begin is a
 * reply. */
void s3_courier_start(struct s3_courier *courier, const struct s3_errand *errand, const struct s3_sources *sources);

/* Gives up what is under way. */
void s3_courier_cancel(struct s3_courier *courier);

/* libcurl says that easy's transfer is over. */
void s3_courier_finish(struct s3_courier *courier, CURLcode code);

/* Looks at the clock and the command. Returns whether the reply is there; once. */
bool s3_courier_step(struct s3_courier *courier);

/* A descriptor to poll for reading, or -1; and until when at most, on the wait clock (INT64_MAX: no matter). */
int s3_courier_fd(const struct s3_courier *courier);
int64_t s3_courier_wake_ns(const struct s3_courier *courier);

#endif
