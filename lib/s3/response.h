/* What came back to one request, as far as anybody asks: read out of HTTP by client.c, judged by verdict.c. */
#ifndef S3_RESPONSE_H
#define S3_RESPONSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "s3/config.h"
#include "s3/error.h"

/* Why nothing was sent. */
enum s3_keyless {
    S3_KEYLESS_NOT,     /* it was */
    S3_KEYLESS_UNKNOWN, /* no keys yet; later, perhaps */
    S3_KEYLESS_REFUSED, /* no keys, and somebody has to mend that */
};

struct s3_response {
    enum s3_keyless keyless;        /* not S3_KEYLESS_NOT: nothing but trouble is set */
    int curl_code;                  /* CURLcode; 0: an answer came whole. Else the rest may be partly filled */
    char trouble[TEXT_REASON_SIZE]; /* the keys' or libcurl's words for it, printable */
    long verify_result;             /* of the server's certificate, as libcurl has it */
    bool timed_out;
    bool too_large; /* the body went past its limit and was given up; body holds nothing */
    int status;     /* HTTP */
    struct buffer body;
    bool has_error;        /* the body is an <Error>, of whatever status */
    struct s3_error error; /* "" where it isn't */
    bool has_etag;
    bool has_amz;                /* a header x-amz-...: S3 and its like send them, web servers don't */
    bool has_version;            /* x-amz-version-id tells of a version: the bucket keeps old ones */
    int64_t date_ms;             /* Date header, wall clock of the store; 0: none */
    char region[S3_REGION_SIZE]; /* x-amz-bucket-region, or the error's Region; only what can be a region's name */
    char location[160];          /* Location, printable */
    char request_id[80];         /* x-amz-request-id, or the error's; printable */
};

/* Makes an empty answer; allocates nothing. */
void s3_response_init(struct s3_response *response);

/* Empties it for another answer with a body of at most body_limit bytes. Keeps memory. */
void s3_response_reset(struct s3_response *response, size_t body_limit);

/* Frees what it holds. May be called again. */
void s3_response_deinit(struct s3_response *response);

/* Takes one header line of length bytes; the status line of an answer that supersedes an interim one starts anew. */
void s3_response_take_header(struct s3_response *response, const char *line, size_t length);

/* Once the body is whole: looks for an <Error> in it. Returns 0 or -ENOMEM. */
int s3_response_finish(struct s3_response *response);

/* Whether text can be the name of a region; it becomes part of a host's name. */
bool s3_region_is_valid(const char *text);

#endif
