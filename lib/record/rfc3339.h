/* Wall-clock times as people write them: 2026-08-21T09:30:00.250Z. Nothing decides by such times. */
#ifndef RECORD_RFC3339_H
#define RECORD_RFC3339_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RFC3339_SIZE   25                       /* "2026-08-21T09:30:00.250Z" and a terminator */
#define RFC3339_MAX_MS INT64_C(253402300799999) /* the last of the year 9999 */

/* Writes ms since 1970 in UTC, with milliseconds. What lies outside 1970 to 9999 is written as the nearest bound. */
void rfc3339_format(char out[RFC3339_SIZE], int64_t ms);

/* Reads a time from 1970 to 9999, with or without a fraction (of which milliseconds count), in UTC or at an offset.
 * Returns whether text was one and nothing else; sets *ms only then. */
bool rfc3339_parse(const char *text, int64_t *ms);

#endif
