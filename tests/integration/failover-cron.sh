#!/usr/bin/env bash
# A job that cron starts on every node with --no-wait. Its leader crashed; later starts find the lock held (exit code
# 124) until it is old by the store's own clock. Then one of them runs.
source "$(dirname "$0")/failover.sh"
export LEADEREXEC_TTL=2s
stale_ms=$((2000 * 102 / 100 + 30000))

node a -- "$TOOLS/child" -n a "$beats"
until_true 30 runs a
kill -KILL "${pid_of[a]}"
ended a
crash_ms=$(now_ms)
say "the leader is dead"

busy=0 code=124
while ((code == 124)); do
    (($(now_ms) - crash_ms < stale_ms + 20000)) || fail "the lock is still held"
    node cron --no-wait -- "$TOOLS/child" -n cron -d 100 "$beats"
    ended cron
    ((code != 124)) || busy=$((busy + 1))
    [[ ! -s $work/cron.err ]] || fail "cron would have mailed: $(<"$work/cron.err")"
    sleep 0.7
done
say "busy $busy times, then exit code $code"
((code == 0 && busy >= 5)) || fail "that isn't right"
# The last renewal was up to TTL/3 before the crash; a store's times may be whole seconds.
within 12000 $((crash_ms + stale_ms - 2000 / 3 - 2000)) "$(first_ms cron)" "after the lock was old enough, one ran"
promise_kept
