#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Counts a worker's instructions for each frame between two guests, stage by stage.

The numbers are the same every time, on a busy machine too.  They say nothing of caches, which
decide much of the rest: a change that pays here is still to be measured by `make bench`.
"""
import argparse
import collections
import os
import re
import subprocess
import sys
import tempfile

ALL = "worker_turn"
STAGES = [("take", "vnic_from_guest"), ("decide", "forward_batch"), ("deliver", "vnic_to_guest"),
          ("back", "vnic_return")]
COLUMNS = [title for title, _ in STAGES] + ["rest", "all"]


def read_costs(path):
    """Of each function, what it costs with all that it calls, wherever its code came from."""
    names, costs = {}, collections.Counter()
    function, in_call = None, False
    with open(path) as lines:
        for line in lines:
            named = re.match(r"fn=\((\d+)\)(?: (.*))?$", line)
            if named:
                if named[2]:
                    names[named[1]] = named[2].split("'")[0]
                function = names[named[1]]
            elif called := re.match(r"cfn=\((\d+)\)(?: (.*))?$", line):
                if called[2]:
                    names[called[1]] = called[2].split("'")[0]
                callee = names[called[1]]
            elif line.startswith("calls="):
                in_call = True
            elif re.match(r"[+\-*\d]", line) and function:
                cost = int(line.split()[1])
                # A cost behind "calls=" is that of the call; recursion would count twice.
                if not in_call or callee != function:
                    costs[function] += cost
                in_call = False
    return costs


def count(bench, case, turns, work):
    out = os.path.join(work, "costs")
    done = subprocess.run(["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}",
                           "--collect-atstart=no", f"--toggle-collect={ALL}", bench, case,
                           str(turns)], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{case}: not counted, because this failed under valgrind:\n{done.stderr}")
    frames = int(done.stdout)
    costs = read_costs(out)
    found = [costs[name] / frames for _, name in STAGES]
    return found + [costs[ALL] / frames - sum(found), costs[ALL] / frames]


def main():
    args = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    args.add_argument("--turns", type=int, default=500, help="batches of each case")
    args.add_argument("--cases", default="", help="a regular expression")
    args = args.parse_args()
    bench = os.environ.get("BENCH_TOOLS", "build/tests/bench") + "/instructions"
    cases = subprocess.run([bench, "--list"], capture_output=True, text=True, check=True)

    print(f"{'instructions for each frame':32}" + "".join(f"{title:>9}" for title in COLUMNS))
    with tempfile.TemporaryDirectory() as work:
        for case in cases.stdout.splitlines():
            if re.search(args.cases, case):
                found = count(bench, case, args.turns, work)
                print(f"{case:32}" + "".join(f"{value:9.1f}" for value in found), flush=True)


if __name__ == "__main__":
    main()
