/* The arithmetic of leases: every duration is rounded against ourselves, and what follows from one TTL fits into it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "election/lease.h"

static void a_candidate_waits_two_percent_longer_rounded_up(void **state) {
    (void)state;
    assert_int_equal(lease_with_drift_ns(30 * NS_PER_S), 30600 * NS_PER_MS);
    assert_int_equal(lease_with_drift_ns(100), 102);
    assert_int_equal(lease_with_drift_ns(101), 104); /* 103.02 */
    assert_int_equal(lease_with_drift_ns(1), 2);
}

static void the_margin_is_two_percent_and_a_slack_rounded_up(void **state) {
    (void)state;
    assert_int_equal(lease_margin_ns(2 * NS_PER_S), 40 * NS_PER_MS + 250 * NS_PER_MS);
    assert_int_equal(lease_margin_ns(5 * NS_PER_S), 100 * NS_PER_MS + 250 * NS_PER_MS);
    assert_int_equal(lease_margin_ns(30 * NS_PER_S), 600 * NS_PER_MS + 1500 * NS_PER_MS);
    assert_int_equal(lease_margin_ns(30 * NS_PER_S + 1), 600 * NS_PER_MS + 1500 * NS_PER_MS + 2);
}

static void defaults_are_shares_of_the_ttl_within_their_bounds(void **state) {
    (void)state;
    assert_int_equal(lease_default_kill_after_ns(24 * NS_PER_S), 3 * NS_PER_S);
    assert_int_equal(lease_default_kill_after_ns(80 * NS_PER_S), 10 * NS_PER_S);
    assert_int_equal(lease_default_kill_after_ns(600 * NS_PER_S), 10 * NS_PER_S);
    assert_int_equal(lease_default_request_timeout_ns(24 * NS_PER_S), 4 * NS_PER_S);
    assert_int_equal(lease_default_request_timeout_ns(60 * NS_PER_S), 10 * NS_PER_S);
    assert_int_equal(lease_default_request_timeout_ns(600 * NS_PER_S), 10 * NS_PER_S);
}

static void an_outage_of_a_third_always_fits_into_the_lease(void **state) {
    (void)state;
    for (int64_t ttl_ms = LEASE_TTL_MIN_MS; ttl_ms <= LEASE_TTL_MAX_MS; ttl_ms++) {
        int64_t ttl_ns = ttl_ms * NS_PER_MS, most_ns = lease_most_kill_after_ns(ttl_ns);
        int64_t kill_after_ns = lease_default_kill_after_ns(ttl_ns);
        assert_true(most_ns > 0 && kill_after_ns > 0 && kill_after_ns <= most_ns);
        /* Renewed at a third, away for a third: then stop and margin fit, and 100 ms for the request. */
        assert_true(ttl_ns / 3 * 2 + 100 * NS_PER_MS + most_ns + lease_margin_ns(ttl_ns) <= ttl_ns);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_candidate_waits_two_percent_longer_rounded_up),
        cmocka_unit_test(the_margin_is_two_percent_and_a_slack_rounded_up),
        cmocka_unit_test(defaults_are_shares_of_the_ttl_within_their_bounds),
        cmocka_unit_test(an_outage_of_a_third_always_fits_into_the_lease),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
