/* Findings printed; see report.h. */
#include "report.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "bucket.h"

#define WIPE "\r\x1b[K"

void report_init(struct report *report, bool json, bool quiet) {
    *report = (struct report){.json = json, .live = !quiet && isatty(STDERR_FILENO) == 1};
}

struct finding *report_add(struct report *report) {
    if (report->count < REPORT_MOST) report->count++;
    return &report->findings[report->count - 1];
}

void report_print(struct report *report) {
    char line[FINDING_LINE_SIZE];
    if (report->json) return;
    report_quiet(report);
    finding_format(&report->findings[report->count - 1], line);
    (void)puts(line);
    (void)fflush(stdout); /* what is known by now is worth reading while the rest takes its time */
}

enum finding_level report_level(const struct report *report, const char *item) {
    for (size_t i = 0; i < report->count; i++) {
        if (strcmp(report->findings[i].item, item) == 0) return report->findings[i].level;
    }
    return FINDING_OK;
}

/* A line of progress may wait for a terminal that doesn't read, but no lease runs here. */
void report_progress(struct report *report, const char *what, int done, int total) {
    if (!report->live) return;
    report->showing = true;
    if (total > 0) {
        (void)fprintf(stderr, WIPE "%s %d of %d...", what, done, total);
    } else {
        (void)fprintf(stderr, WIPE "%s...", what);
    }
}

void report_quiet(struct report *report) {
    if (report->showing) (void)fputs(WIPE, stderr);
    report->showing = false;
}

int report_end(struct report *report, const char *lock) {
    report_quiet(report);
    if (!report->json) {
        char summary[BUCKET_IDENTITY_SIZE + 128];
        finding_format_summary(report->findings, report->count, lock, summary, sizeof summary);
        (void)puts(summary);
        return 0;
    }
    char *text = finding_format_json(report->findings, report->count, lock);
    if (text == NULL) return -ENOMEM;
    (void)puts(text);
    free(text);
    return 0;
}
