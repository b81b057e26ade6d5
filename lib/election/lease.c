/* The arithmetic of leases; see lease.h. */
#include "election/lease.h"

#include "base/clock.h"

static int64_t percent_up(int64_t ns, int64_t percent) { return (ns * percent + 99) / 100; }

int64_t lease_with_drift_ns(int64_t ttl_ns) { return ttl_ns + percent_up(ttl_ns, 2); }

int64_t lease_margin_ns(int64_t ttl_ns) {
    int64_t slack_ns = percent_up(ttl_ns, 5);
    if (slack_ns < 250 * NS_PER_MS) slack_ns = 250 * NS_PER_MS;
    return percent_up(ttl_ns, 2) + slack_ns;
}

int64_t lease_most_kill_after_ns(int64_t ttl_ns) { return ttl_ns / 3 - 100 * NS_PER_MS - lease_margin_ns(ttl_ns); }

int64_t lease_default_kill_after_ns(int64_t ttl_ns) {
    int64_t ns = ttl_ns / 8;
    return ns < 10 * NS_PER_S ? ns : 10 * NS_PER_S;
}

int64_t lease_default_request_timeout_ns(int64_t ttl_ns) {
    int64_t ns = ttl_ns / 6;
    return ns < 10 * NS_PER_S ? ns : 10 * NS_PER_S;
}
