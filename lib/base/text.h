/* Bounded text: formatting into fixed arrays, durations, hexadecimal. Knows no domain. */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One line for people: what was tried, what came back, what to do next. */
#define TEXT_REASON_SIZE 512

/* Formats as snprintf(3) does into out[size], always terminated. Returns 0, or -ENOSPC where it was cut. */
int text_format(char *out, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Copies text into out[size], always terminated. Returns 0, or -ENOSPC where it was cut. */
int text_copy(char *out, size_t size, const char *text);

/* Copies text with everything that isn't printable ASCII replaced by '?', for log lines made of foreign bytes. Cut to
 * fit. */
void text_copy_printable(char *out, size_t size, const char *text);

/* Parses "500ms", "30s", "2m", "1h", "1d" or a bare number of seconds; fractions such as "1.5s" to the millisecond.
 * Returns 0 and sets *ms >= 0, or -EINVAL (no number, unknown unit, finer than 1 ms) or -ERANGE (above 366 days). */
int text_parse_duration(const char *text, int64_t *ms);

/* Writes ms as the shortest exact duration that text_parse_duration reads back: "30s", "2m", "1.5s", "500ms". */
void text_format_duration(char *out, size_t size, int64_t ms);

/* Writes 2 * length lower-case hex digits and a terminator; out has room for 2 * length + 1. */
void text_to_hex(char *out, const uint8_t *bytes, size_t length);

/* Reads exactly 2 * length lower-case hex digits. Returns whether text was that and nothing else. */
bool text_from_hex(uint8_t *bytes, size_t length, const char *text);

#endif
