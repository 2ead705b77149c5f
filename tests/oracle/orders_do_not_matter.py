#!/usr/bin/env python3
"""With a revision column, however the rows arrive, the rollup's content digest is the same.

Any order of the files, any splitting of the rows into files (snapshots stay whole), any delivery
again under other names, plain, gzip or zstd, in one run or several, with a kill -9 between.
On servers (tests/cluster/on.py) the digest is that of the embedded ledger.
Without a revision column the later file wins, and within a file the later row: the sums are those
of a plain model.
"""

import gzip
import random
import shutil
import subprocess
import sys
import time

import histories
import oracle
import stores
from model import Feed, Model, cells, rollup

DIMS = ["place", "kind"]
MEASURES = ["killed", "hurt"]
VARIANTS = 6


def random_deletions(rng, ids, style):
    feed = Feed("d", [], [], "deletions", True, deletes="a")
    return feed, [[id_, revision_text(rng, style)]
                  for id_ in rng.sample(ids, rng.randrange(1, len(ids)))]


def revision_text(rng, style):
    revision = rng.randrange(8, 13)
    spelling = rng.choice(["number", "time", "word"]) if style == "mixed" else style
    return {"number": str(revision), "time": f"2020-01-{revision:02}",
            "word": f"{revision}a"}[spelling]


def make_snapshots(rng):
    """Each file says it all, or all of some places; an incident stays in its place."""
    feed = Feed("a", DIMS, MEASURES, "snapshot", True, rng.choice(["", "place"]))
    style = rng.choice(["number", "time"])
    home = {f"i{i}": rng.choice(histories.PLACES[1:4]) for i in range(rng.choice([3, 12]))}
    files = []
    for i in range(rng.choice([2, 4, 6])):
        places = rng.sample(histories.PLACES[1:4], rng.choice([1, 2, 3]))
        newest = str(i + 8) if style == "number" else f"2020-01-{i + 8:02}"
        records = [histories.row(rng, feed, id_, newest, [place])
                   for id_, place in home.items() if place in places and rng.random() < 0.7]
        if records:
            files.append(histories.file(rng, feed, i, records))
    return oracle.Case(feed.section() + "\n" + rollup("all", ["a"], DIMS, MEASURES), files, [feed])


def make(rng):
    return make_snapshots(rng) if rng.random() < 0.25 else make_rows(rng)


def make_rows(rng):
    feed = Feed("a", DIMS, MEASURES, revision=rng.random() < 0.8)
    ids = [f"{rng.choice(['A-', 'b,', 'ç '])}{i}" for i in range(rng.choice([4, 12, 30]))]
    style = rng.choice(["number", "time", "mixed"])
    versions = {}  # what an (id, revision) says never changes
    for id_ in ids * 3:
        revision = revision_text(rng, style) if feed.revision else len(versions)
        versions.setdefault((id_, revision), histories.row(rng, feed, id_, revision))
    records = list(versions.values())
    feeds, kinds = [feed], [(feed, records)]
    if feed.revision and rng.random() < 0.5:
        deletions, rows = random_deletions(rng, ids, style)
        feeds.append(deletions)
        kinds.append((deletions, rows))
    files = split(rng, kinds)
    config = "\n".join(one.section() for one in feeds) + "\n" + rollup("all", ["a"], DIMS, MEASURES)
    return oracle.Case(config, files, feeds)


def split(rng, kinds, size=None):
    """The records of each feed, shuffled into files; the files shuffled."""
    files = []
    for feed, records in kinds:
        records = rng.sample(records, len(records))
        while records:
            count = size or rng.choice([1, 2, 5, 20, 1000])
            files.append(histories.file(rng, feed, len(files), records[:count]))
            records = records[count:]
    rng.shuffle(files)
    return files


def kinds_of(case):
    return [(feed, [record for file in case.files if file.feed == feed.name
                    for record in file.records]) for feed in case.feeds]


def packed(rng, name, content):
    packing = rng.choice(["", "", "gz", "zst"])
    if packing == "gz":
        return name + ".gz", gzip.compress(content, mtime=0)
    if packing == "zst" and shutil.which("zstd"):
        done = subprocess.run(["zstd", "-qc"], input=content, capture_output=True, check=True)
        return name + ".zst", done.stdout
    return name, content


def deliver(rng, tallyd, files):
    """Drops the files under random names, some twice, and settles now and then."""
    for number, file in enumerate(files + rng.sample(files, len(files) // 3)):
        name = f"{file.feed}-{rng.randrange(1 << 30):x}-{number}.csv"
        tallyd.drop(*packed(rng, name, file.content()))
        chance = rng.random()
        if chance < 0.1:
            tallyd.settle()
        elif chance < 0.2:
            kill_during(rng, tallyd)
    if not tallyd.settle():
        told = "\n".join(f"  {row}" for row in tallyd.ask("files"))
        raise oracle.Failure(f"tallyd --once: exit status 1, so that a file was rejected\n{told}")


def kill_during(rng, tallyd):
    with subprocess.Popen(tallyd.command("tallyd", "--once"), stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL) as running:
        longer = 20 if stores.on_cluster() else 1
        time.sleep(rng.choice([0, 0.002, 0.005, 0.01]) * longer)
        running.kill()


def digest(rng, folder, case, files):
    with oracle.Tallyd(folder, case.config) as tallyd:
        deliver(rng, tallyd, files)
        for row in tallyd.ask("verify"):
            if row["state"] != "ok":
                raise oracle.Failure(f"tally verify: {row}")
        return tallyd.digests()["all"]


def same_cells(tallyd, case):
    model = Model(case.feeds)
    for file in case.files:
        model.take(file)
    got = {tuple(row.pop(name) for name in DIMS + ["day"]): row
           for row in tallyd.ask("dump", "all")}
    oracle.same(cells(model.incidents("a"), MEASURES), got, "tally dump")


def check(case, folder):
    # Where the others have their ledgers on servers, this one has its own: the digests are the same.
    with oracle.Tallyd(folder, case.config, embedded=True) as tallyd:
        tallyd.take(case.files)
        same_cells(tallyd, case)
        want = tallyd.digests()["all"]
    if not case.feeds[0].revision:
        return
    rng = random.Random(case.seed)
    for variant in range(VARIANTS):
        files = rng.sample(case.files, len(case.files))
        if case.feeds[0].mode == "upsert":
            files = split(rng, kinds_of(case), 1 if variant == 0 else None)
        got = digest(rng, folder, case, files)
        if got != want:
            raise oracle.Failure(f"digest {want}, in another order {got}:\n" + "\n".join(
                f"  {file.feed}: {file.records}" for file in files))


if __name__ == "__main__":
    sys.exit(oracle.main(__doc__, 15, make, check))
