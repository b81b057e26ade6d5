/* check's findings as they come: a line each at once, or one JSON object in the end; and what is going on, on a
 * terminal.
 *
 * Knows how a finding looks, not how one is come by. */
#ifndef REPORT_H
#define REPORT_H

#include <stdbool.h>
#include <stddef.h>

#include "finding.h"

#define REPORT_MOST 24

struct report {
    struct finding findings[REPORT_MOST];
    size_t count;
    bool json;
    bool live;    /* stderr is a terminal, and nobody asked for quiet */
    bool showing; /* something that the next line must wipe away */
};

/* json: print all in the end, as one object. quiet: no progress, on a terminal either. Needs no undoing. */
void report_init(struct report *report, bool json, bool quiet);

/* A finding for the caller to fill, then to print with report_print(). One too many takes the last one's place. */
struct finding *report_add(struct report *report);

/* Prints the finding added last, unless all is printed in the end. */
void report_print(struct report *report);

/* The level of item's finding; FINDING_OK where there is none. */
enum finding_level report_level(const struct report *report, const char *item);

/* "race 12 of 50..." on the terminal, in place of what stood there. total 0: without numbers. */
void report_progress(struct report *report, const char *what, int done, int total);

/* Wipes that away. */
void report_quiet(struct report *report);

/* Prints the rest: the summary or the JSON. Returns 0, or -ENOMEM. */
int report_end(struct report *report, const char *lock);

#endif
