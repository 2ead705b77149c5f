#!/usr/bin/env python3
"""Sums beyond 2^53 and beyond int64 are exact, or refused; never wrapped or rounded.

Victim rows that share an id add up to one incident; one that does not fit in 64 bits is set aside.
"""

import sys

import histories
import oracle
from model import Feed, Model, cells, rollup

DIMS = ["place"]
MEASURES = ["killed"]
INT64_MAX = (1 << 63) - 1
EDGES = [0, 1, 3, (1 << 31) - 1, 1 << 32, (1 << 53) - 1, (1 << 53) + 1, 1 << 62, INT64_MAX - 1,
         INT64_MAX]
TOO_LARGE = [INT64_MAX + 1, 1 << 64, (1 << 64) + 5, 10 ** 40]


def amount(rng, victims):
    if rng.random() < 0.1:
        return rng.choice(["", "NA"])
    if rng.random() < 0.05:
        return str(rng.choice(TOO_LARGE))
    edge = rng.choice(EDGES)
    return str(edge // 8 if victims else edge)  # so that the victims of one id fit


def make(rng):
    feed = Feed("a", DIMS, MEASURES, revision=True, victims=rng.random() < 0.4)
    ids = [f"i{i}" for i in range(rng.choice([3, 10, 40]))]
    files = []
    for i in range(3):
        records = []
        for id_ in rng.sample(ids, rng.randrange(1, len(ids) + 1)):
            for _ in range(rng.randrange(1, 8) if feed.victims else 1):
                day = f"2020-01-0{rng.randrange(1, 6)}"
                records.append([id_, str(rng.randrange(3)), day, "", rng.choice("PQ"),
                                amount(rng, feed.victims)])
        if feed.victims:
            as_the_first(records)
        rng.shuffle(records)
        files.append(histories.file(rng, feed, i, records))
    return oracle.Case(feed.section() + "\n" + rollup("all", ["a"], DIMS, MEASURES), files, [feed])


def as_the_first(records):
    """Victims of one incident differ in their measures only."""
    first = {}
    for record in records:
        record[:5] = first.setdefault(record[0], record)[:5]


def numbers(row):
    return {name: row[name] for name in ("incidents", "killed", "killed_reported")}


def check(case, folder):
    model = Model(case.feeds)
    for file in case.files:
        model.take(file)
    want = cells(model.incidents(), MEASURES)
    with oracle.Tallyd(folder, case.config) as tallyd:
        tallyd.take(case.files)
        got = {(row["place"], row["day"]): numbers(row) for row in tallyd.ask("dump", "all")}
        oracle.same(want, got, "tally dump")
        for days in (1, 2, 50):
            rows = tallyd.ask("series", "all", "--days", str(days), "--from", "2020-01-01",
                              "--to", "2020-01-06")
            for row in rows:
                inside = [figures for (_, day), figures in want.items()
                          if row["window_start"] <= day <= row["window_end"]]
                oracle.same(added(inside), numbers(row), f"{days} days to {row['window_end']}")


def added(figures):
    given = [int(one["killed"]) for one in figures if one["killed"]]
    return {"incidents": str(sum(int(one["incidents"]) for one in figures)),
            "killed": str(sum(given)) if given else "",
            "killed_reported": str(sum(int(one["killed_reported"]) for one in figures))}


if __name__ == "__main__":
    sys.exit(oracle.main(__doc__, 40, make, check))
