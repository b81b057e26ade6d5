/* The arithmetic of leases: drift, margin, and what durations fit together. Nanoseconds; rounded against ourselves. */
#ifndef ELECTION_LEASE_H
#define ELECTION_LEASE_H

#include <stdint.h>

#define LEASE_TTL_MIN_MS  INT64_C(2000)
#define LEASE_TTL_MAX_MS  INT64_C(600000)
#define LEASE_HOLD_MAX_MS INT64_C(86400000)

/* ttl with the drift allowance of 2 %, rounded up: how long a candidate waits. */
int64_t lease_with_drift_ns(int64_t ttl_ns);

/* 2 % of ttl + max(250 ms, 5 % of ttl), rounded up: everything of ours is dead so long before its lease ends. */
int64_t lease_margin_ns(int64_t ttl_ns);

/* ttl / 8, at most 10 s: the default of --kill-after. The margin leaves room for it for every ttl from
 * LEASE_TTL_MIN_MS on. */
int64_t lease_default_kill_after_ns(int64_t ttl_ns);

/* ttl / 6, at most 10 s: the default of --request-timeout. */
int64_t lease_default_request_timeout_ns(int64_t ttl_ns);

/* What kill_after may be at most: kill_after + margin <= ttl / 3 - 100 ms, so that an outage of ttl / 3 goes unnoticed.
 * Positive for every ttl from LEASE_TTL_MIN_MS on. */
int64_t lease_most_kill_after_ns(int64_t ttl_ns);

#endif
