/* What check found out about one thing, as a line for people or as JSON for scripts. Pure. */
#ifndef FINDING_H
#define FINDING_H

#include <stdbool.h>
#include <stddef.h>

#define FINDING_TEXT_SIZE 1024
#define FINDING_FIGURES   8
#define FINDING_LINE_SIZE (FINDING_TEXT_SIZE + 64)

/* From good to bad. */
enum finding_level {
    FINDING_OK,
    FINDING_WARN, /* works, and somebody should know */
    FINDING_FAIL, /* a lock can't be kept there */
};

/* Plain values. */
struct finding {
    const char *item; /* "race"; a literal */
    enum finding_level level;
    char text[FINDING_TEXT_SIZE];
    int figure_count;
    struct {
        const char *name; /* with its unit, "p99_ms"; a literal */
        double value;
    } figures[FINDING_FIGURES]; /* for JSON; the text says them, too */
};

/* Sets what a finding says. */
void finding_set(struct finding *finding, const char *item, enum finding_level level, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Adds a figure; more than FINDING_FIGURES are dropped. */
void finding_add_figure(struct finding *finding, const char *name, double value);

/* "ok", "warn", "FAIL". */
const char *finding_level_name(enum finding_level level);

/* Writes "FAIL  race         the text", of printable ASCII only, without a line end. */
void finding_format(const struct finding *finding, char out[FINDING_LINE_SIZE]);

/* The worst level of count findings; FINDING_OK where there is none. */
enum finding_level finding_worst(const struct finding *findings, size_t count);

/* Writes the last line: how many of what, and whether lock's place will do. */
void finding_format_summary(const struct finding *findings, size_t count, const char *lock, char *out, size_t size);

/* Returns one JSON object without a line end for free(), NULL where memory ran out. */
char *finding_format_json(const struct finding *findings, size_t count, const char *lock);

#endif
