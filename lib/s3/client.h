/* Requests to one bucket over HTTP, several at a time, each lane on a connection of its own that is used again and
 * again.
 *
 * How to use it: s3_client_init(), s3_client_start() in a lane, s3_client_wait() (which also watches the caller's
 * descriptors), s3_client_next() until it has no lane more, then read the lane's response. Once a request it follows a
 * redirect to the bucket's region, corrects its idea of the store's clock, and gets new keys where the store says that
 * they expired, for which it signs again; all else is told as it came. A request waits where there are no keys yet. It
 * doesn't know what an answer means (verdict.h does).
 *
 * libcurl may by itself send a request a second time when a connection that was used before turns out to be closed.
 * SIGPIPE must be ignored by the process (TLS writes raise it). */
#ifndef S3_CLIENT_H
#define S3_CLIENT_H

#include <curl/curl.h>
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "s3/config.h"
#include "s3/endpoint.h"
#include "s3/keys.h"
#include "s3/names.h"
#include "s3/request.h"
#include "s3/response.h"

#define S3_CLIENT_LANES     3
#define S3_CLIENT_EXTRA_MAX 16              /* descriptors of the caller's */
#define S3_LISTING_MAX      (1024 * 1024UL) /* bytes of one listing page */
#define S3_ERROR_MAX        (64 * 1024UL)   /* bytes of an answer that isn't a listing or an object */
#define S3_HEADERS_MAX      (64 * 1024UL)   /* bytes of one answer's headers */

/* One lane. Only response is for the caller. */
struct s3_lane {
    CURL *easy;
    CURLSH *connections; /* this lane's alone */
    struct curl_slist *addresses;
    bool busy;
    bool waiting; /* for keys */
    bool ready;
    enum s3_action action;
    char key[S3_KEY_SIZE];
    struct buffer query;
    struct buffer payload;
    size_t read_limit;
    int64_t deadline_ns;         /* wait clock */
    char region[S3_REGION_SIZE]; /* that the request was signed for */
    bool followed;
    bool corrected;
    bool renewed;           /* sent again with fresh keys */
    unsigned keys_number;   /* of the keys that it was signed with */
    unsigned keys_failures; /* at the time when it began to wait */
    size_t header_bytes;
    char error[CURL_ERROR_SIZE];
    struct s3_request request;
    struct s3_response response;
};

/* Must not move between init and deinit. */
struct s3_client {
    bool open;
    CURLM *multi;
    struct s3_config config;
    struct s3_keys keys;
    struct s3_names names;
    char region[S3_REGION_SIZE]; /* config's, or what a redirect told */
    struct s3_endpoint endpoint;
    int64_t skew_ms; /* the store's clock minus ours, for signing only */
    struct s3_lane lanes[S3_CLIENT_LANES];
};

/* Copies config; its keys, or those that have to be fetched first, sign the requests. Returns 0, or -errno with a line
 * in reason[TEXT_REASON_SIZE]; on error client is as after s3_client_deinit(). */
int s3_client_init(struct s3_client *client, const struct s3_config *config, char *reason);

/* Aborts what is under way, wipes and frees. Blocks on nothing. May be called again. */
void s3_client_deinit(struct s3_client *client);

/* Begins call in lane, in place of what was under way or ready there. call is copied. read_limit: bytes of a body that
 * S3_READ takes. The response comes after timeout_ms at the latest. Returns 0 or -errno. */
int s3_client_start(struct s3_client *client, int number, const struct s3_call *call, size_t read_limit,
                    int64_t timeout_ms);

/* Aborts what is under way or ready in lane. */
void s3_client_cancel(struct s3_client *client, int number);

/* Takes a line about the keys. Returns whether there was one. */
bool s3_client_notice(struct s3_client *client, struct s3_notice *notice);

/* As store_wait(). */
int s3_client_wait(struct s3_client *client, struct pollfd *extra, size_t count, int timeout_ms);

/* Returns a lane whose response is ready, and forgets that it is; -1 where there is none. The response stays until the
 * lane's next start. */
int s3_client_next(struct s3_client *client);

#endif
