/* Which slots may be deleted: the oldest ones past the retention, found among however many by a few listings. Pure; the
 * S3 store feeds it pages.
 *
 * A listing shows newest slots first, and the oldest must go first (or a look would show a gap inside what is kept). So
 * pages are asked for behind a key counted up from the oldest slot that may exist: floor. An empty page raises the
 * floor, one that is cut off halves the width. */
#ifndef STORE_TRIM_H
#define STORE_TRIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "s3/listing.h"
#include "store/key.h"

#define TRIM_KEYS      500 /* asked for in a page */
#define TRIM_WIDTH     400 /* slots a page should show; the rest is room for foreign keys */
#define TRIM_MOST_MAX  400
#define TRIM_PAGES_MAX 100

enum trim_step {
    TRIM_LIST,    /* ask for the page behind start_after */
    TRIM_DELETE,  /* delete victims[0 ... count - 1] in this order; none is fine */
    TRIM_GIVE_UP, /* the page wasn't a listing, or foreign keys are in the way */
};

struct trim {
    const char *folder; /* the caller's; outlives the trim */
    int64_t head;       /* stays, and so does the slot behind it */
    int64_t old_ms;     /* store's clock: what was last modified before that may go */
    int most;
    int64_t floor; /* no slot below it is left, as far as we know */
    int64_t width;
    int pages;
    char start_after[S3_KEY_SIZE];
    size_t count;
    int64_t victims[TRIM_MOST_MAX]; /* oldest first */
};

/* Begins; head and most as in struct log_request, floor as the trim before left it (0 at first), old_ms as above.
 * Returns TRIM_LIST, or TRIM_DELETE with none. */
enum trim_step trim_init(struct trim *trim, const char *folder, int64_t floor, int64_t head, int64_t old_ms, int most);

/* Takes a page. Returns what to do next. */
enum trim_step trim_page(struct trim *trim, const char *bytes, size_t length);

#endif
