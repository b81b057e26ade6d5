#!/usr/bin/python3
"""Notices when the machine stands still: wakes up every 10 ms, and tells when that was much too late.

    metronome.py SECONDS JOURNAL      a line "BEGIN_NS END_NS" (CLOCK_BOOTTIME) for each time that it was so late

It has the priority of a guard that may have no real-time one, and does less: where it wasn't let run for longer than a
lease's margin, such a guard wasn't either.
"""

import os
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "tools"))

import control  # noqa: E402

BEAT_S = 0.01


def main(patience_s, journal):
    control.die_with_parent()
    os.setpriority(os.PRIO_PROCESS, 0, -20)
    with open(journal, "a", buffering=1) as out:
        print("ready", flush=True)
        before = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        while True:
            time.sleep(BEAT_S)
            now = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
            if now - before > (BEAT_S + patience_s) * 1e9:
                out.write(f"{before} {now}\n")
            before = now


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(float(sys.argv[1]), sys.argv[2])
