/* Reading the head of a log out of a listing's pages: newest first, foreign keys skipped. Pure; the S3 store feeds it
 * pages. */
#ifndef STORE_LOOK_H
#define STORE_LOOK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "record/answer.h"
#include "s3/listing.h"
#include "store/key.h"

#define LOOK_FIRST_KEYS 10  /* a lock's folder usually begins with its two newest slots */
#define LOOK_MORE_KEYS  200 /* where foreign keys stand in front; so many of the longest fit in S3_LISTING_MAX */
#define LOOK_PAGES_MAX  20

enum look_step {
    LOOK_DONE,     /* listing is filled in */
    LOOK_MORE,     /* ask for the page behind start_after */
    LOOK_GARBLED,  /* the page wasn't a listing */
    LOOK_TOO_LONG, /* more foreign keys than anybody should put there */
    LOOK_UNSORTED, /* the store doesn't list keys in order; it can't keep a log */
};

struct look {
    const char *folder; /* the caller's; outlives the look */
    struct listing listing;
    int slots; /* found so far */
    int pages;
    int64_t last_seq; /* the last slot seen, for checking the order */
    bool unsorted;
    char start_after[S3_KEY_SIZE]; /* "" for the first page */
};

/* Begins a look at the log in folder ("locks/leader/"), which must outlive it. */
void look_init(struct look *look, const char *folder);

/* Takes a page's length bytes; date_ms is its Date header, 0 where there was none. Returns what to do next. */
enum look_step look_page(struct look *look, const char *bytes, size_t length, int64_t date_ms);

/* Looks key up in a page of the listing below the prefix key. Returns LOOK_DONE and sets *size, to -1 where the page
 * doesn't show it; or LOOK_GARBLED. */
enum look_step look_for_size(int64_t *size, const char *bytes, size_t length, const char *key);

/* Returns the part of key behind folder, or NULL where key isn't in folder. Some stores write a '+' in an encoded key
 * as it is, so that it was decoded as a space: either passes for the folder's. */
const char *look_tail(const char *folder, const char *key);

#endif
