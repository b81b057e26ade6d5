#!/usr/bin/env bash
# Twelve nodes want to run a job under one lock at the same time. Each gets its turn, one after the other.
source "$(dirname "$0")/failover.sh"

for i in {1..12}; do
    node "n$i" -- "$TOOLS/child" -n "n$i" -d 200 "$beats"
done
say "twelve nodes have started"

for i in {1..12}; do
    ended "n$i"
    ((code == 0)) || fail "node n$i exited with $code"
    runs "n$i" || fail "node n$i never got its turn"
done
say "all have run"
promise_kept
