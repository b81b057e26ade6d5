# What the failover-*.sh examples share; sourced by them. Each starts some nodes (leaderexec processes that would be on
# machines of their own), breaks something, and looks at what their jobs wrote. They run by hand on a directory, and in
# scripts/test on Ceph as well. From outside come LEADEREXEC (the program), TOOLS (the built tests/tools),
# LEADEREXEC_BUCKET and what else leaderexec reads from its environment, FAULT and what it needs (see store_away),
# TTL_MS, SLACK_MS (what a busy machine may be late).
set -euo pipefail

tests=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
: "${LEADEREXEC:=$tests/../build-test/cmd/leaderexec/leaderexec}"
: "${TOOLS:=$tests/../build-test/tests/tools}" "${SLACK_MS:=500}"
if [[ ! -x $LEADEREXEC || ! -x $TOOLS/child ]]; then
    echo "build first: scripts/test -k exit_codes, or set LEADEREXEC and TOOLS" >&2
    exit 2
fi

work=$(mktemp -d)
beats=$work/beats
declare -A pid_of=()
: "${TTL_MS:=4000}"
export LEADEREXEC_BUCKET=${LEADEREXEC_BUCKET:-file:$work/locks} LEADEREXEC_TTL=${TTL_MS}ms LEADEREXEC_POLL=500ms
ttl_ms=$TTL_MS poll_ms=500

# Ends what is left of this example, by process id.
cleanup() {
    local code=$? name
    trap - EXIT
    for name in "${!pid_of[@]}"; do
        kill -KILL "${pid_of[$name]}" 2>/dev/null || true
    done
    wait 2>/dev/null || true
    ((code == 0)) || tail -v -n 20 "$work"/*.err 2>/dev/null || true
    rm -rf "$work"
    exit "$code"
}
trap cleanup EXIT

now_ms() { awk '{ print int($1 * 1000) }' /proc/uptime; }
say() { printf '%6d  %s\n' "$(($(now_ms) - started_ms))" "$*"; }
fail() { say "FAILED: $*"; exit 1; }
started_ms=$(now_ms)

# node NAME ARGUMENTS...: starts leaderexec in a session of its own, as on a machine of its own. Its messages are in
# $work/NAME.err.
node() {
    local name=$1
    shift
    setsid "$LEADEREXEC" --node-id "$name" "$@" </dev/null >"$work/$name.out" 2>"$work/$name.err" &
    pid_of[$name]=$!
}

# ended NAME: waits until the node has exited, and prints nothing; its exit code is in $code.
ended() {
    code=0
    wait "${pid_of[$1]}" || code=$?
    unset "pid_of[$1]"
}

# until_true SECONDS COMMAND...: waits for it; fails after so many seconds.
until_true() {
    local end=$(($(now_ms) + $1 * 1000))
    shift
    until "$@"; do
        (($(now_ms) < end)) || fail "waited in vain for: $*"
        sleep 0.02
    done
}

# What a job wrote (tests/tools/child.c): WHAT TOKEN NAME PID BOOTTIME_NS REALTIME_MS.
wrote() {
    [[ -e $beats ]] || return
    awk -v what="$1" -v name="$2" '$1 == what && $3 == name { found = 1; exit } END { exit !found }' "$beats"
}
runs() { wrote begin "$1"; }
first_ms() { awk -v name="$1" '$3 == name || index($3, name ".") == 1 { print int($5 / 1000000); exit }' "$beats"; }
last_ms() {
    awk -v name="$1" '$3 == name || index($3, name ".") == 1 { t = int($5 / 1000000) } END { print t }' "$beats"
}
token_of() { awk -v name="$1" '$3 == name { t = $2 } END { print t }' "$beats"; }
pid_of_job() { awk -v name="$1" '$1 == "begin" && $3 == name { p = $4 } END { print p }' "$beats"; }
guard_of() { ps -o ppid= -p "$(pid_of_job "$1")" | tr -d ' '; }

# The promise: never two at a time, tokens grow, nothing ran past its lease by the log.
promise_kept() {
    local found
    found=$(/usr/bin/python3 "$tests/tools/stores.py" beats "$beats") || fail "the promise is broken: $found"
    say "$found"
}

# within LIMIT_MS FROM_MS TO_MS WHAT: fails where TO is before FROM or later than LIMIT after it.
within() {
    local took=$(($3 - $2))
    say "$4: after $took ms, $1 ms at most"
    ((took >= 0 && took <= $1 + SLACK_MS)) || fail "$4: after $took ms, not within $1"
}

# isolated_node NAME ARGUMENTS...: a node whose own way to the store store_away breaks and store_back mends. FAULT says
# how:
#   hang       its disk's fsync doesn't return (a directory)
#   blackhole, refuse   what the proxy steered by PROXY_CONTROL does, at PROXY_ENDPOINT
#   stop       the S3 gateway with process id GATEWAY_PID, at GATEWAY_ENDPOINT, is stopped
: "${FAULT:=hang}"
isolated_node() {
    case $FAULT in
    hang) PRELOAD_FSYNC_HANG=$work/hang LD_PRELOAD=$TOOLS/preload_fsync_hang.so node "$@" ;;
    stop) AWS_ENDPOINT_URL=$GATEWAY_ENDPOINT node "$@" ;;
    *) AWS_ENDPOINT_URL=$PROXY_ENDPOINT node "$@" ;;
    esac
}
steer_proxy() {
    echo "$1" >"$PROXY_CONTROL.new"
    mv "$PROXY_CONTROL.new" "$PROXY_CONTROL"
    until_true 10 grep -qx "$1" "$PROXY_CONTROL.now"
}
store_away() {
    case $FAULT in
    hang) touch "$work/hang" ;;
    stop) kill -STOP "$GATEWAY_PID" ;;
    *) steer_proxy "$FAULT" ;;
    esac
    say "the store is out of reach ($FAULT)"
}
store_back() {
    case $FAULT in
    hang) rm -f "$work/hang" ;;
    stop) kill -CONT "$GATEWAY_PID" ;;
    *) steer_proxy pass ;;
    esac
    say "the store is back"
}
