#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Turns the results of tests/bench/run.sh, one JSON value a line, into one table.

A run is "near" or "far" by the round trip of a cache line just before and just after it; one that
began in one state and ended in the other compares with nothing and is only counted.  Runs in which
other programs took a core from the switch or the load are shown only where there are no others,
marked with "~", and give no ratio.  Ratios are of medians within one state: more than 1 means that
vswitchd is better, for rates and for latencies.
"""
import json
import statistics
import sys

NEAR_BELOW_NS = 180
OURS = "vswitchd"
ANY_STATE = "--any-state" in sys.argv


def state_of(run):
    """near, far, or mixed; all the same where the kernel's part is larger than the cores'."""
    if ANY_STATE:
        return "near or far"
    near = [ns < NEAR_BELOW_NS for ns in run["round_trip_ns"]]
    return "mixed" if near[0] != near[1] else "near" if near[0] else "far"


def middle(measured):
    """Median and spread (highest - lowest) of [(value, disturbed)], the spread in percent."""
    calm = [value for value, disturbed in measured if not disturbed]
    values = calm or [value for value, _ in measured]
    median = statistics.median(values)
    spread = 100 * (max(values) - min(values)) / median if median else 0.0
    return {"median": median, "spread_percent": round(spread, 1), "runs": len(values),
            "disturbed": not calm}


def summarise(runs):
    """{state: {case: {peer: {measure: middle}}}}, the cases in the order in which they ran."""
    values = {}
    order = {run["case"]: place for place, run in reversed(list(enumerate(runs)))}
    for run in runs:
        result = run["result"]
        if result is None:
            continue
        keys = ("frames_per_s", "gbit_per_s") if "frames_per_s" in result else ("p50_us", "p99_us")
        peers = values.setdefault(state_of(run), {}).setdefault(run["case"], {})
        for key in keys:
            peers.setdefault(run["peer"], {}).setdefault(key, []).append(
                (result[key], run["disturbed"]))
    return {state: {case: {peer: {key: middle(v) for key, v in measures.items()}
                           for peer, measures in peers.items()}
                    for case, peers in sorted(cases.items(), key=lambda item: order[item[0]])}
            for state, cases in values.items()}


def ratio(peers, peer, key):
    """How many times better ours is, or None when that cannot be said."""
    if OURS not in peers or peer not in peers or peer == OURS:
        return None
    ours, theirs = peers[OURS][key], peers[peer][key]
    if ours["disturbed"] or theirs["disturbed"] or not ours["median"] or not theirs["median"]:
        return None
    better = ours["median"] / theirs["median"]
    return 1 / better if key.endswith("_us") else better


def mark(measure):
    """What stands before a figure that other programs had a part in."""
    return "~" if measure["disturbed"] else " "


def cell(peers, peer):
    """One peer's figures in one row."""
    if peer not in peers:
        return "-"
    measures = peers[peer]
    if "frames_per_s" in measures:
        rate, gbit = measures["frames_per_s"], measures["gbit_per_s"]
        text = (f"{mark(rate)}{rate['median'] / 1e6:6.2f} M/s {gbit['median']:6.2f} Gbit/s "
                f"±{rate['spread_percent']:.0f}%".ljust(31))
        better = ratio(peers, peer, "frames_per_s")
    else:
        p50, p99 = measures["p50_us"], measures["p99_us"]
        text = (f"{mark(p50)}p50 {p50['median']:.2f} us, p99 {p99['median']:.2f} us "
                f"±{p50['spread_percent']:.0f}%".ljust(31))
        better = ratio(peers, peer, "p50_us")
    return text + (f" x{better:.2f}" if better else "")


def table(runs, summary):
    """The lines for people."""
    peers = list(dict.fromkeys(run["peer"] for run in runs))
    trips = [ns for run in runs for ns in run["round_trip_ns"]]
    states = [state_of(run) for run in runs]
    yield (f"Round trip of a cache line: median {statistics.median(trips):.0f} ns, "
           f"{min(trips)} to {max(trips)} ns; runs: {states.count('near')} near "
           f"(< {NEAR_BELOW_NS} ns), {states.count('far')} far, "
           f"{states.count('mixed')} between (left out); "
           f"{sum(run['disturbed'] for run in runs)} disturbed by other programs (~).")
    yield ("Medians ± spread (highest - lowest, of frames/s or p50); xN: vswitchd is N times "
           "better than this peer; Gbit/s counts frames without FCS.")
    for state in ("near", "far", "near or far"):
        rows = summary.get(state)
        if not rows:
            continue
        lines = [[case] + [cell(found, peer) for peer in peers] for case, found in rows.items()]
        lines.insert(0, [f"cores {state}"] + peers)
        wide = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
        yield ""
        for line in lines:
            yield "  ".join(text.ljust(w) for text, w in zip(line, wide)).rstrip()


def main(arguments):
    as_json = "--json" in arguments
    with open(arguments[-1], encoding="utf-8") as file:
        runs = [json.loads(line) for line in file]
    summary = summarise(runs)
    if as_json:
        for cases in summary.values():
            for peers in cases.values():
                for peer, measures in peers.items():
                    for key, value in measures.items():
                        value["ratio"] = ratio(peers, peer, key)
        print(json.dumps({"near_below_ns": NEAR_BELOW_NS, "summary": summary, "runs": runs}))
        return
    print("\n".join(table(runs, summary)))


main(sys.argv[1:])
