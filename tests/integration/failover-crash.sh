#!/usr/bin/env bash
# The leader dies or freezes without a word. Its job, children and grandchildren included (one in a session of its own;
# all ignore SIGTERM), is dead before the lease ends; another node leads after that, TTL * 1.02 + poll + 2 s later at
# most.
#     failover-crash.sh keeper KILL|STOP    the process that the user started
#     failover-crash.sh guard KILL|STOP     the other one; for STOP the store goes out of reach as well
#     failover-crash.sh group STOP          the keeper's process group
#     failover-crash.sh timeout KILL        timeout -s KILL 1 leaderexec ...
#     failover-crash.sh pkill KILL          pkill -9 -f leaderexec, in a PID namespace of its own
source "$(dirname "$0")/failover.sh"
victim=${1:-keeper} signal=${2:-KILL}

cd "$TOOLS" # so that no path in the job's command line holds the name that pkill looks for
job=(./child -n a -i -c 2 -g -s "$beats")
case $victim-$signal in
guard-STOP) isolated_node a -- "${job[@]}" ;;
timeout-KILL)
    setsid timeout -s KILL 1 "$LEADEREXEC" --node-id a -- "${job[@]}" </dev/null >"$work/a.out" 2>"$work/a.err" &
    pid_of[a]=$!
    ;;
pkill-KILL)
    # shellcheck disable=SC2016
    unshare -pf --mount-proc --kill-child bash -c '
        "$0" --node-id a -- "${@:2}" &
        until [[ -e $1 ]]; do sleep 0.02; done
        pkill -9 -f leaderexec
        touch "$1.done"
        sleep 60' "$LEADEREXEC" "$work/now" "${job[@]}" </dev/null >"$work/a.out" 2>"$work/a.err" &
    pid_of[a]=$!
    ;;
*) node a -- "${job[@]}" ;;
esac
until_true 30 runs a
until_true 10 runs a.setsid
node b -- ./child -n b "$beats"

[[ $victim == timeout ]] || sleep 1.5
case $victim in
keeper) kill "-$signal" "${pid_of[a]}" ;;
group) kill "-$signal" -- "-${pid_of[a]}" ;;
pkill) touch "$work/now"; until_true 10 test -e "$work/now.done" ;;
timeout) ended a ;;
guard)
    guard=$(guard_of a)
    [[ $signal == KILL ]] || store_away
    kill "-$signal" "$guard"
    ;;
esac
crash_ms=$(now_ms)
say "the leader's $victim got SIG$signal"

until_true 30 runs b
within $((ttl_ms * 102 / 100 + poll_ms + 2000)) "$crash_ms" "$(first_ms b)" "the next leader's job ran"

# Whoever wakes up later finds that it leads no more, says so, and leaves the others alone.
if [[ $signal == STOP ]]; then
    [[ $victim != guard ]] || store_back
    [[ $victim == guard ]] || kill -CONT -- "-${pid_of[a]}"
fi
if [[ $signal == STOP || $victim == guard ]]; then
    ended a
    # 125: leaderexec itself was damaged; 123: leadership was lost.
    [[ $victim-$signal == guard-KILL ]] && expected=125 || expected=123
    ((code == expected)) || fail "the first leader exited with $code, not $expected"
    [[ -s $work/a.err ]] || fail "it didn't say why"
    say "the first leader said: $(head -1 "$work/a.err")"
fi
sleep 1
kill -0 "$(pid_of_job b)" || fail "the next leader's job was disturbed"
kill -TERM "${pid_of[b]}"
ended b
promise_kept
