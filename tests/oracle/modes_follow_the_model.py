#!/usr/bin/env python3
"""Upserts, snapshots, deletions: every figure and every file's counts equal a naive model.

Random histories mix feeds of all modes, with and without a revision column and a scope, with
rejected rows, ids that vanish and come back, superseded snapshots and files dropped twice.
"""

import dataclasses
import sys

import histories
import oracle
from model import COUNTS, Feed, Model, cells, rollup

DIMS = ["place", "kind"]
MEASURES = ["killed", "hurt"]
SCOPES = ["Kabul", "Paktika", "Nangarhar, Achin"]


def random_feeds(rng):
    revision = rng.random() < 0.6
    snapshot = rng.random() < 0.6
    feed = Feed("a", DIMS, MEASURES, "snapshot" if snapshot else "upsert", revision,
                "place" if snapshot and rng.random() < 0.6 else "",
                victims=rng.random() < 0.15)
    feeds = [feed]
    if rng.random() < 0.6:
        feeds.append(Feed("d", [], [], "deletions", revision and rng.random() < 0.7, deletes="a"))
    return feeds


def revision_of(rng, style, now):
    value = max(1, now + rng.choice([-3, -1, 0, 0, 1]))
    if style == "number":
        return rng.choice(["{}", "{}", "{:04}", " {}"]).format(value + 5)
    return f"2020-01-{value:02}T10:00:00"


def random_records(rng, feed, style, now, ids):
    count = rng.choice([0, 1, 1, 2, 3, 5, 8])
    chosen = [rng.choice(ids) for _ in range(count)] if rng.random() < 0.3 else \
        rng.sample(ids, min(count, len(ids)))
    revision = (lambda: revision_of(rng, style, now)) if feed.revision else (lambda: None)
    if feed.mode == "deletions":
        return [[id_] + ([revision()] if feed.revision else []) for id_ in chosen]
    places = rng.sample(SCOPES, rng.choice([1, 1, 2, 3]))
    records = [histories.row(rng, feed, id_, revision(), places) for id_ in chosen]
    if feed.mode == "snapshot" and feed.revision:
        newest = revision()
        for record in records:
            record[1] = newest if rng.random() < 0.7 else record[1]
    # Ids as a spreadsheet may leave them.
    for record in records:
        if record[0].isdigit() and rng.random() < 0.1:
            record[0] = rng.choice([record[0] + ".0", f" {record[0]} "])
    bad = rng.random() < 0.25
    return [histories.spoil(rng, feed, record, rng.random() < 0.1)
            if bad and rng.random() < 0.4 else record for record in records]


def said_twice(rng, feed, style, records):
    """Sometimes the ids of these records stand in their file once more, saying something else."""
    if feed.mode == "deletions" or rng.random() < 0.5:
        return []
    return [histories.row(rng, feed, record[0], revision_of(rng, style, 1), SCOPES)
            for record in records if record[0]]


def make(rng):
    feeds = random_feeds(rng)
    style = rng.choice(["number", "time"])
    ids = rng.sample(histories.IDS, rng.choice([3, 6, 12]))
    files = []
    for i in range(rng.choice([3, 6, 10])):
        feed = rng.choice(feeds + feeds[:1])
        if files and rng.random() < 0.1:
            earlier = rng.choice(files)
            files.append(dataclasses.replace(earlier, name=f"{earlier.feed}-{i:03}.csv"))
            continue
        records = random_records(rng, feed, style, i + 1, ids)
        if files and rng.random() < 0.2:  # some of the rows come again, unchanged
            earlier = rng.choice(files)
            again = [one for one in earlier.records if earlier.feed == feed.name][:3]
            records += again + said_twice(rng, feed, style, again)
        files.append(histories.file(rng, feed, i, records))
    config = "\n".join(feed.section() for feed in feeds) + "\n" + \
        rollup("all", ["a"], DIMS, MEASURES)
    return oracle.Case(config, files, feeds)


def said_of(row):
    """What a row of `tally files` says, in the words of the model."""
    said = {"outcome": row["outcome"]}
    if row["outcome"] == "accepted":
        said.update({name: int(row[name]) for name in ("batch", "rows", "rejected", *COUNTS)})
    return said


def check(case, folder):
    model = Model(case.feeds)
    want = {file.name: model.take(file) for file in case.files}
    with oracle.Tallyd(folder, case.config) as tallyd:
        tallyd.take(case.files)
        got = {row["file"]: said_of(row) for row in tallyd.ask("files")}
        oracle.same(want, got, "tally files")
        printed = {}
        for row in tallyd.ask("dump", "all"):
            key = tuple(row.pop(name) for name in DIMS + ["day"])
            printed[key] = row
        oracle.same(cells(model.incidents("a"), MEASURES), printed, "tally dump")
        for row in tallyd.ask("verify"):
            if row["state"] != "ok":
                raise oracle.Failure(f"tally verify: {row}")


if __name__ == "__main__":
    sys.exit(oracle.main(__doc__, 200, make, check))
