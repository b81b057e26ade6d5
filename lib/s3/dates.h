/* The ways in which S3 and those who give keys write a time, to and from wall-clock ms since 1970. No locale, no time
 * zone, no clock. */
#ifndef S3_DATES_H
#define S3_DATES_H

#include <stdint.h>

/* Reads "2026-11-23T22:01:41.123Z" (the fraction may be missing or of any length; what is finer than ms is cut).
 * Returns 0 and sets *ms, or -EINVAL for anything else, a time before 1970 or an offset other than Z included. */
int s3_date_parse_iso8601(const char *text, int64_t *ms);

/* Reads when keys or tokens expire: as above, and with an offset ("+02:00") or "UTC" in place of "Z", as some tools
 * write it. Returns 0 and sets *ms, or -EINVAL for anything else. */
int s3_date_parse_expiry(const char *text, int64_t *ms);

/* Reads HTTP's "Mon, 23 Nov 2026 22:01:41 GMT". Returns 0 and sets *ms, or -EINVAL for anything else. */
int s3_date_parse_http(const char *text, int64_t *ms);

/* Writes "20261123T220141Z". Returns 0, or -EINVAL for a time before 1970 or after 9999. */
int s3_date_format_signing(char out[17], int64_t ms);

#endif
