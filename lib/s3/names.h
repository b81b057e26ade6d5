/* The store's addresses, looked up beside the requests.
 *
 * libcurl looks a name up within a request: what comes later than that request's time is lost and asked for anew, and
 * what came is believed for a minute, though the name may lead elsewhere by then. Here a look-up has a time of its own,
 * whatever comes late is kept, and the last good addresses serve meanwhile. A new look-up begins where a connection
 * failed, and once the addresses are a minute old.
 *
 * How to use it: s3_names_use() before each request, whose CURLOPT_RESOLVE gets what it returns; s3_names_heard() with
 * how it ended; s3_names_finish() when the multi handle says that names.scout is done. Does nothing for addresses, and
 * where a proxy looks names up. */
#ifndef S3_NAMES_H
#define S3_NAMES_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "s3/endpoint.h"

struct s3_names {
    CURLM *multi;
    CURL *scout;              /* looks up and connects to nothing */
    CURLSH *cache;            /* the scout's alone */
    char *const *environment; /* the caller's */
    bool through_proxy;       /* another one looks up */
    bool busy;                /* a look-up is under way */
    bool literal;             /* host is an address */
    char host[S3_HOST_SIZE];  /* of whom; "": not yet known */
    char scheme[8];
    char port[8];
    struct buffer found;      /* what the look-up under way has come to, as CURLOPT_RESOLVE wants it */
    struct buffer known;      /* the last good addresses, likewise; empty: none yet */
    int64_t known_ns;         /* wait clock: since when */
};

/* Prepares names on multi, which must outlive it. environment: for the proxies' variables, as libcurl reads them.
 * Returns 0 or -ENOMEM; names can be given to s3_names_deinit() then, too. */
int s3_names_init(struct s3_names *names, CURLM *multi, char *const *environment);

/* Gives up what is under way, and frees. May be called again. */
void s3_names_deinit(struct s3_names *names);

/* Has *list, the CURLOPT_RESOLVE of easy, name the addresses of endpoint's host for a request that begins at now_ns
 * (wait clock); the caller frees it when easy is done with it. NULL: libcurl is to look the name up. Begins a look-up
 * where it is time for one. Returns 0 or -ENOMEM. */
int s3_names_use(struct s3_names *names, const struct s3_endpoint *endpoint, CURL *easy, struct curl_slist **list,
                 int64_t now_ns);

/* Takes note of how a request on easy ended: one that failed has the name looked up; the first that worked shows an
 * address. */
void s3_names_heard(struct s3_names *names, CURL *easy, CURLcode code, int64_t now_ns);

/* Takes what the scout found, if anything. */
void s3_names_finish(struct s3_names *names, int64_t now_ns);

#endif
