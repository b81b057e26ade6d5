/* What a provider of credentials wants done for it, and what came of it: one HTTP request, or one command run. Plain
 * descriptions; courier.h carries them out. */
#ifndef S3_ERRAND_H
#define S3_ERRAND_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"

#define S3_ERRAND_URL_MAX   (4 * 1024UL)
#define S3_ERRAND_BODY_MAX  (128 * 1024UL)
#define S3_ERRAND_REPLY_MAX (64 * 1024UL) /* bytes of an answer, or of what a command prints */

enum s3_errand_kind { S3_ERRAND_NONE, S3_ERRAND_HTTP, S3_ERRAND_COMMAND };

/* Owned by the fetch that it belongs to; may hold secrets. */
struct s3_errand {
    enum s3_errand_kind kind;
    const char *method; /* "GET", "PUT", "POST" */
    struct buffer url;  /* or the command line for /bin/sh */
    struct curl_slist *headers;
    struct buffer body;
    bool direct; /* no proxy: a metadata address */
    int64_t timeout_ms;
};

struct s3_reply {
    bool failed;       /* no answer came, or the command couldn't be run; why in trouble */
    bool timed_out;    /* so it was */
    bool certificate;  /* because the server's can't be verified */
    char trouble[200]; /* printable; for a command that failed by itself, its last line on stderr */
    bool too_large;    /* more than S3_ERRAND_REPLY_MAX; body holds nothing */
    int status;        /* HTTP's, or the command's exit status (128 + N: signal N) */
    struct buffer body;
};

/* Makes an errand of no kind; allocates nothing. */
void s3_errand_init(struct s3_errand *errand);

/* Wipes and frees; of no kind again. May be called again. */
void s3_errand_deinit(struct s3_errand *errand);

/* Begins an HTTP errand: method and URL. Returns 0 or buffer_append's error. */
int s3_errand_http(struct s3_errand *errand, const char *method, const char *url, int64_t timeout_ms);

/* Makes an empty reply; allocates nothing. */
void s3_reply_init(struct s3_reply *reply);

/* Wipes and frees; empty again. */
void s3_reply_deinit(struct s3_reply *reply);

#endif
