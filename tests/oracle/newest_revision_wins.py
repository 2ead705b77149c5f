#!/usr/bin/env python3
"""Of any two revisions the greater wins, whichever file came first; of three as well.

Numbers compare as numbers, of any length and with decimals, other texts in byte order, and any
number is older than any other text, so that mixtures have one newest revision, too.
"""

import itertools
import sys

import oracle
from model import Feed, compare, rollup

NUMBERS = ["", "0", "5", "9", "10", "007", "8", "-5", "-10", "9.5", "10.25", "1.10",
           "999999999999999999", "9999999999999999999", "10000000000000000000", "2" + "0" * 30]
TEXTS = ["a", "B", "é", "2020-01-31", "2020-02-01T10:00:00Z"]
MIXED = ["", "9", "10", "10a", "9.", "-5", "-5x", "2020-01-31", "7e3", "10000000000000000000"]


def case_of(revisions):
    """One id for each order of each choice; the killed tell which revision counts."""
    feed = Feed("a", [], ["killed"], revision=True)
    files = [oracle.File(f"a-{i}.csv", "a", feed.columns(), []) for i in range(len(revisions[0]))]
    for number, some in enumerate(revisions):
        for i, revision in enumerate(some):
            files[i].records.append([f"i{number}", revision, "2020-01-01", "", str(i)])
    config = feed.section() + "\n" + rollup("all", ["a"], [], ["killed"])
    return oracle.Case(config, files, [feed])


def winner(revisions):
    best = 0
    for i, revision in enumerate(revisions):
        if compare(revision or None, revisions[best] or None) >= 0:
            best = i
    return revisions[best]


def wrong_ones(folder, revisions):
    """Lines that tell which of the choices ended with another revision than the greatest."""
    case = case_of(revisions)
    with oracle.Tallyd(folder, case.config) as tallyd:
        tallyd.take(case.files)
        rows = tallyd.ask("explain", "all", "--days", "1", "--end", "2020-01-01")
    got = {row["id"]: int(row["killed"]) for row in rows}
    lines = []
    for number, some in enumerate(revisions):
        kept = some[got[f"i{number}"]]
        if compare(kept or None, winner(some) or None) != 0:
            lines.append(f"  of {', '.join(map(repr, some))} in this order {kept!r} is kept, "
                         f"should be {winner(some)!r}")
    return lines


def main():
    folder = oracle.options(__doc__, 1).bin
    lines = []
    for kind in (NUMBERS, TEXTS, MIXED):
        lines += wrong_ones(folder, list(itertools.permutations(kind, 2)))
        lines += wrong_ones(folder, list(itertools.permutations(kind[:8], 3)))
    if lines:
        print("\n".join(lines[:20]))
        return f"newest_revision_wins: {len(lines)} choices end otherwise"
    print("newest_revision_wins: holds for all pairs")
    return 0


if __name__ == "__main__":
    sys.exit(main())
