#!/usr/bin/env bash
# The leader's way to the store breaks (FAULT says how; see failover.sh); the other node's doesn't.
#     failover-outage.sh short    for TTL/3: the job doesn't notice
#     failover-outage.sh long     for longer: the job is stopped before the lease ends; exit code 123, and a reason
#     failover-outage.sh rejoin   with --on-loss rejoin it waits for its next turn instead
#     failover-outage.sh mute     as long, with stderr a full pipe that nobody reads
kind=${1:-long}
[[ $kind != short ]] || TTL_MS=12000
source "$(dirname "$0")/failover.sh"
options=()
[[ $kind != rejoin ]] || options=(--on-loss rejoin)

if [[ $kind == mute ]]; then
    mkfifo "$work/full"
    exec 7<>"$work/full"
    head -c 65536 /dev/zero >&7
    rm -f "$work/a.err"
    ln -s /proc/$$/fd/7 "$work/a.err"
    options+=(-v)
fi
isolated_node a "${options[@]}" -- "$TOOLS/child" -n a "$beats"
until_true 30 runs a
[[ $kind != mute ]] || rm "$work/a.err"
node b -- "$TOOLS/child" -n b "$beats"
sleep 1

if [[ $kind == short ]]; then
    for pause in 2.1 4.5; do
        store_away
        sleep "$(awk "BEGIN { print $ttl_ms / 3000 - 0.3 }")" # the commands around it take their time, too
        store_back
        sleep "$pause"
    done
    kill -0 "${pid_of[a]}" || fail "the leader is gone"
    ! wrote 15 a || fail "its job was told to stop"
    ! runs b || fail "the other node leads"
    say "the job didn't notice"
    kill -TERM "${pid_of[a]}"
    ended a
    ((code == 0)) || fail "exit code $code"
    until_true 30 runs b
    kill -TERM "${pid_of[b]}"
    ended b
    promise_kept
    exit
fi

away_ms=$(now_ms)
store_away
until_true 30 runs b
within $((ttl_ms * 102 / 100 + poll_ms + 2000)) "$away_ms" "$(first_ms b)" "the next leader's job ran"
wrote 15 a || fail "the job was killed without being asked to stop"

if [[ $kind == rejoin ]]; then
    store_back
    first_token=$(token_of a)
    kill -0 "${pid_of[a]}" || fail "the first leader didn't stay"
    kill -TERM "${pid_of[b]}"
    ended b
    leads_again() { (($(token_of a) > first_token)); }
    until_true 30 leads_again
    say "the first leader got another turn"
    kill -TERM "${pid_of[a]}"
    ended a
    ((code == 0)) || fail "exit code $code"
else
    ended a
    ((code == 123)) || fail "the first leader exited with $code, not 123"
    store_back
    if [[ $kind == long ]]; then
        say "it said: $(tail -1 "$work/a.err")"
        grep -q 'leaderexec: ' "$work/a.err" || fail "it didn't say why"
    fi
    kill -TERM "${pid_of[b]}"
    ended b
fi
promise_kept
