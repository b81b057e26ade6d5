/* The arithmetic of leases, for every TTL and hold. */
#include "election/lease.h"
#include "any.h"
#include "base/clock.h"

int main(void) {
    int64_t ttl_ns = any_int64(0, LEASE_HOLD_MAX_MS * NS_PER_MS);
    (void)lease_with_drift_ns(ttl_ns);
    (void)lease_margin_ns(ttl_ns);
    (void)lease_most_kill_after_ns(ttl_ns);
    (void)lease_default_kill_after_ns(ttl_ns);
    (void)lease_default_request_timeout_ns(ttl_ns);
    return 0;
}
