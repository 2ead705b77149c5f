"""One rollup, and the same day cells as the rivals store them.

bench.rollup         what tallyd publishes of the shape's feed
cells.csv            its day cells, by `tally export`; all that follows is made of them
cells.parquet        by DuckDB, zstd, sorted by group and day, the order that packs best
cells-19.parquet     the same at zstd level 19 in one row group
windows[-19].parquet the same with the sums of the window that ends on each cell's day
keyed.db             SQLite: groups(group_id, texts), cells(group_id, day, ...) WITHOUT ROWID
texts.db             the same with an index that finds a group by its texts
queries.tsv          groups and days drawn at random, as bench/queries.h has them
"""

import csv
import datetime
import itertools
import json
import random
import shutil

import rivals
import statements
from shapes import GROUP, WINDOW_DAYS

ROLLUP = "bench.rollup"
QUERIES = 20_000
SEED = 1
EPOCH = datetime.date(1970, 1, 1)


class Packed:
    """Makes all of it in `folder`, which is emptied first. `counts` has the rivals there are."""

    def __init__(self, build, shape, rows, data, folder):
        self.build = build
        self.shape = shape
        self.is_full_size = rows == shape.rows  # targets are for no other
        self.folder = folder
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        self.make_rollup(data)
        self.sections = json.loads(
            rivals.output([self.tool("bench/bench_lookup"), "sections", self.path(ROLLUP)])
        )
        self.counts = {"tallyd": self.count()}
        self.draw_queries()
        duckdb = rivals.Duckdb(build)
        if not duckdb.missing():
            self.counts["duckdb"] = self.make_parquet(duckdb)
        if not rivals.Sqlite(build).missing():
            self.counts["sqlite"] = self.make_databases()

    def path(self, name):
        return str(self.folder / name)

    def tool(self, name):
        return str(self.build / name)

    def bytes_of(self, name):
        return (self.folder / name).stat().st_size

    def make_rollup(self, data):
        work = self.folder / "work"
        command, _ = rivals.Tallyd(self.build).prepare(self.shape, data, work)
        rivals.output(command)
        (work / "state" / "rollup" / ROLLUP).rename(self.folder / ROLLUP)
        shutil.rmtree(work)
        export = [self.tool("bin/tally"), "export", self.path(ROLLUP)]
        rivals.output([*export, "--to", self.path("cells.csv")])

    def tally(self, *arguments):
        command = [self.tool("bin/tally"), arguments[0], self.path(ROLLUP), *arguments[1:]]
        return csv.DictReader(rivals.output([*command, "--format", "csv"]).splitlines())

    def count(self):
        total = next(self.tally("window", "--days", "366000"))
        return {
            "groups": self.sections["groups"],
            "cells": self.sections["cells"],
            "incidents": int(total["incidents"]),
            "killed": int(total["killed"]),
            "killed_reported": int(total["killed_reported"]),
        }

    def reported_bytes(self):
        """Nothing where every incident reports the measure; else it is not told from the cells."""
        counts = self.counts["tallyd"]
        return 0 if counts["killed_reported"] == counts["incidents"] else None

    def draw_queries(self):
        """Random groups, each at a random day whose window lies within the rollup's days."""
        with open(self.path("cells.csv"), newline="", encoding="utf-8") as cells:
            rows = csv.reader(cells)
            next(rows)
            groups, newest, oldest = [], [], []
            for texts, of_group in itertools.groupby(rows, lambda row: row[: len(GROUP)]):
                days = [row[len(GROUP)] for row in of_group]
                groups.append(texts)
                oldest.append(days[0])
                newest.append(days[-1])
        first, last = (
            (datetime.date.fromisoformat(day) - EPOCH).days for day in (min(oldest), max(newest))
        )
        chosen = random.Random(SEED)
        with open(self.path("queries.tsv"), "w", encoding="utf-8") as out:
            for _ in range(QUERIES):
                group = chosen.randrange(len(groups))
                day = chosen.randint(first + WINDOW_DAYS - 1, last)
                out.write("\t".join([str(group), str(day), *groups[group]]) + "\n")

    def make_parquet(self, duckdb):
        queries = statements.duckdb_packed(self.path)
        return duckdb.figures(":memory:", queries, self.folder / "parquet.sql")

    def make_databases(self):
        said = ""
        for name, index in (("keyed.db", False), ("texts.db", True)):
            script = statements.sqlite_packed(self.path("cells.csv"), index)
            said = rivals.output(["sqlite3", "-bail", self.path(name)], script)
        return json.loads(said)[0]

    def disagreements(self):
        ours = self.counts["tallyd"]
        return [
            f"{name}: tallyd says {ours[name]}, {rival} says {value}"
            for rival, counts in self.counts.items()
            for name, value in counts.items()
            if value != ours[name]
        ]
