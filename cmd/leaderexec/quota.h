/* How much of a processor the control groups that we are in allow (cgroups(7), versions 1 and 2). */
#ifndef QUOTA_H
#define QUOTA_H

#include <stdint.h>

#include "base/log.h"

#define QUOTA_NONE INT64_MAX

struct options;

/* In millionths of one processor, the smallest of our group's and those above it; QUOTA_NONE where there is none, or it
 * can't be read. root is put before /proc and /sys: "". */
int64_t quota_ppm(const char *root);

/* -v: says so where that is little for the TTL, and holds for us: not where we have a real-time priority. */
void quota_explain(const struct options *options, const struct log *log);

#endif
