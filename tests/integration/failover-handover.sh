#!/usr/bin/env bash
# The leader is told to shut down, and another node takes over: soon after the job is gone, never before.
#     failover-handover.sh slow      the job takes three TTLs to end; the lease is renewed meanwhile
#     failover-handover.sh deaf      the job ignores SIGTERM; --stop-timeout ends it
#     failover-handover.sh everyone  SIGTERM to all of the leader's processes at once, as systemd does
source "$(dirname "$0")/failover.sh"

case ${1:-slow} in
slow) options=() job=(-l $((3 * ttl_ms))) expected=0 ;;
deaf) options=(--stop-timeout 1s) job=(-i) expected=137 ;;
everyone) options=() job=(-l $((ttl_ms + 1000))) expected=0 ;;
*) fail "what is $1?" ;;
esac

node a "${options[@]}" -- "$TOOLS/child" -n a "${job[@]}" "$beats"
until_true 30 runs a
node b -- "$TOOLS/child" -n b "$beats"
sleep 1

told_ms=$(now_ms)
if [[ ${1:-slow} == everyone ]]; then
    kill -TERM "${pid_of[a]}" "$(guard_of a)" "$(pid_of_job a)"
else
    kill -TERM "${pid_of[a]}"
fi
say "the leader was told to shut down"
until_true 10 wrote 15 a
say "its job got SIGTERM"

ended a
((code == expected)) || fail "the leader exited with $code, not $expected"
[[ $(<"$work/a.err") == *SIGTERM* && $(wc -l <"$work/a.err") == 1 ]] || fail "it said: $(<"$work/a.err")"
say "the leader said: $(<"$work/a.err")"
until_true 30 runs b
[[ ${1:-slow} == deaf ]] || ((${job[1]} <= $(last_ms a) - told_ms)) || fail "the job was ended early"
within $((poll_ms + 1000)) "$(last_ms a)" "$(first_ms b)" "the next leader's job ran once the first was gone"

kill -TERM "${pid_of[b]}"
ended b
promise_kept
