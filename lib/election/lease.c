/* The arithmetic of leases; see lease.h. */
#include "election/lease.h"

#include <errno.h>

#include "base/clock.h"
#include "base/text.h"

static int64_t percent_up(int64_t ns, int64_t percent) { return (ns * percent + 99) / 100; }

int64_t lease_with_drift_ns(int64_t ttl_ns) { return ttl_ns + percent_up(ttl_ns, 2); }

int64_t lease_margin_ns(int64_t ttl_ns) {
    int64_t slack_ns = percent_up(ttl_ns, 5);
    if (slack_ns < 250 * NS_PER_MS) slack_ns = 250 * NS_PER_MS;
    return percent_up(ttl_ns, 2) + slack_ns;
}

/* What kill_after may be at most. */
static int64_t room_ns(int64_t ttl_ns) { return ttl_ns / 3 - 100 * NS_PER_MS - lease_margin_ns(ttl_ns); }

int64_t lease_default_kill_after_ns(int64_t ttl_ns) {
    int64_t ns = ttl_ns / 8;
    if (ns > 10 * NS_PER_S) ns = 10 * NS_PER_S;
    return ns < room_ns(ttl_ns) ? ns : room_ns(ttl_ns);
}

int64_t lease_default_request_timeout_ns(int64_t ttl_ns) {
    int64_t ns = ttl_ns / 6;
    return ns < 10 * NS_PER_S ? ns : 10 * NS_PER_S;
}

int lease_check(int64_t ttl_ns, int64_t kill_after_ns, char *reason, size_t size) {
    if (kill_after_ns <= room_ns(ttl_ns)) return 0;
    char kill_after[32], ttl[32], margin[32], most[32];
    text_format_duration(kill_after, sizeof kill_after, kill_after_ns / NS_PER_MS);
    text_format_duration(ttl, sizeof ttl, ttl_ns / NS_PER_MS);
    text_format_duration(margin, sizeof margin, lease_margin_ns(ttl_ns) / NS_PER_MS);
    text_format_duration(most, sizeof most, room_ns(ttl_ns) / NS_PER_MS);
    (void)text_format(
        reason, size,
        "--kill-after %s leaves no room in --ttl %s: kill-after + margin (%s) must be at most TTL/3 - 100ms; "
        "choose --kill-after of at most %s, or a longer --ttl",
        kill_after, ttl, margin, most);
    return -EINVAL;
}
