"""The cold load: one CSV that nobody has seen becomes figures on disk, as one whole process.

Why the comparison is fair:
- Each rival runs as a process of its own, from an empty directory, with the CSV in the page cache
  and nothing else waiting to be written; its time counts from its start to its end.
- Each ends with its results safe from a power cut: tallyd, DuckDB's database file and SQLite sync
  by themselves, ClickHouse syncs what it inserts where it is told to; Parquet files are synced by
  sql.mjs before it ends.
- Each gets the types of the columns told and reads only what it needs. Of the ways to do the whole
  job that were tried for a rival, the quickest stands here. Two ways of DuckDB's job L are quicker
  by doing less: a key added after the load saves 5 to 15 %, and fails on a repeated id; one row an
  id by GROUP BY, with no key, saves a third, and leaves nothing to find an id by.
- Each keeps the same columns of an incident (shapes.py: kept). tallyd-all keeps all that the feed's
  preset names; nobody else does.
- The results are compared: groups, cells, incidents, killed, the last 50 days of every group, and
  the sum over all windows for those that store each of them.

In tallyd's disfavour: it also rejects bad rows one by one, digests the file, keeps every incident
with its history, and looks for the file in a directory. In its favour: it stores day cells from
which any window is two look-ups, where the others store one window a cell, of one length.
DuckDB's and ClickHouse's figures include the start of node; with DuckDB's, the versions line of the
report states what that takes.
"""

import csv
import json
import pathlib
import shutil
import subprocess

import statements
from shapes import GROUP, WINDOW_DAYS

BENCH = pathlib.Path(__file__).resolve().parent
THREADS = "2"


class Failed(Exception):
    """A rival could not do its job."""


def output(command, text=""):
    ran = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    if ran.returncode != 0:
        raise Failed(f"{command[0]} exited {ran.returncode}: {ran.stderr.strip()[-500:]}")
    return ran.stdout


class Rival:
    """One way to do the job. `work` is an empty directory made for one run."""

    name = ""
    does = ""
    is_ceiling = False  # does less than the job: no results to compare

    def __init__(self, build):
        self.build = build

    def missing(self):
        """What this machine lacks, or an empty text."""
        return ""

    def takes(self, shape):
        """Whether it has anything of its own to do with this shape."""
        return True

    def prepare(self, shape, data, work):
        """Untimed. Returns the command line and the text for its standard input."""
        raise NotImplementedError

    def result(self, work):
        """Untimed: the figures to compare, read back from disk."""
        raise NotImplementedError


class Tallyd(Rival):
    name = "tallyd"
    does = "tallyd --once: every incident kept by id in the ledger, day cells of every group"

    def feed(self, shape):
        return shape.same_feed

    def missing(self):
        tools = [self.build / "bin" / tool for tool in ("tallyd", "tally")]
        return ", ".join(f"{tool} is not built" for tool in tools if not tool.exists())

    def prepare(self, shape, data, work):
        inbox = work / "state" / "inbox"
        inbox.mkdir(parents=True)
        # A copy, since tallyd takes files with one link only, and moves what it has taken.
        output(["cp", "--reflink=auto", str(data), str(inbox / data.name)])
        # Else the disk would still write the copy while tallyd is timed.
        output(["sync", str(inbox / data.name)])
        (work / "tallyd.conf").write_text(
            f"[tallyd]\nstate = {work / 'state'}\n\n"
            f"[feed {shape.name}]\n{self.feed(shape)}\n"
            f"[rollup bench]\nfeeds = {shape.name}\nby = {' '.join(GROUP)}\n"
            f"measures = killed\nwindows = {WINDOW_DAYS}d\n"
        )
        return [str(self.build / "bin" / "tallyd"), "-c", str(work / "tallyd.conf"), "--once"], ""

    def tally(self, work, *arguments):
        command = [str(self.build / "bin" / "tally"), "--state", str(work / "state")]
        text = output([*command, *arguments, "--format", "csv"])
        return list(csv.DictReader(text.splitlines()))

    def result(self, work):
        rollup = self.tally(work, "rollups")[0]
        everything = self.tally(work, "window", "bench", "--days", "3660")[0]
        by = ",".join(GROUP)
        groups = self.tally(work, "window", "bench", "--days", str(WINDOW_DAYS), "--by", by)
        return {
            "groups": int(rollup["groups"]),
            "cells": int(rollup["cells"]),
            "incidents": int(everything["incidents"]),
            "killed": int(everything["killed"]),
            "window_incidents": sum(int(row["incidents"]) for row in groups),
            "window_killed": sum(int(row["killed"] or 0) for row in groups),
        }


class TallydPreset(Tallyd):
    name = "tallyd-all"
    does = "the same with the feed as its preset has it: of ACLED ten dimensions, not three"

    def takes(self, shape):
        return shape.feed != shape.same_feed

    def feed(self, shape):
        return shape.feed


class InNode(Rival):
    """An engine in the process of node: a script runs the statements of a file."""

    engine = ""
    folder = BENCH  # with node_modules and sql.mjs
    module = ""
    install = ""

    def missing(self):
        if shutil.which("node") is None:
            return "node is not installed"
        if not (self.folder / "node_modules" / self.module).exists():
            return f"{self.engine} is not installed ({self.install})"
        return ""

    def command(self, database, queries, script, *written):
        """`written`: files that the engine writes without syncing."""
        script.write_text("\n;\n".join(queries))
        files = [str(name) for name in (script, *written)]
        return ["node", str(self.folder / "sql.mjs"), str(database), THREADS, *files]

    def figures(self, database, queries, script):
        row = json.loads(output(self.command(database, queries, script)))[0]
        return {name: int(value) for name, value in row.items()}


class Duckdb(InNode):
    engine = "DuckDB"
    module = "@duckdb/node-api"
    install = "npm ci in bench/"


class DuckdbA(Duckdb):
    name = "duckdb-a"
    does = "DuckDB, 2 threads: cells and windows to Parquet, no incidents kept (job A)"

    def prepare(self, shape, data, work):
        files = (work / "cells.parquet", work / "windows.parquet")
        queries = statements.duckdb_a(shape, data, *files)
        return self.command(":memory:", queries, work / "job.sql", *files), ""

    def result(self, work):
        files = (work / "cells.parquet", work / "windows.parquet")
        return self.figures(":memory:", statements.duckdb_a_check(*files), work / "check.sql")


class DuckdbL(Duckdb):
    name = "duckdb-l"
    does = "DuckDB, 2 threads: incidents by primary key, cells and windows in its file (job L)"

    def prepare(self, shape, data, work):
        queries = statements.duckdb_l(shape, data)
        return self.command(work / "job.duckdb", queries, work / "job.sql"), ""

    def result(self, work):
        return self.figures(work / "job.duckdb", statements.duckdb_l_check(), work / "check.sql")


class Clickhouse(InNode):
    engine = "ClickHouse"
    folder = BENCH / "clickhouse"
    module = "chdb"
    install = "script/bench --clickhouse"


class ClickhouseA(Clickhouse):
    name = "clickhouse-a"
    does = "ClickHouse, 2 threads: cells and windows to Parquet, no incidents kept"

    def prepare(self, shape, data, work):
        files = (work / "cells.parquet", work / "windows.parquet")
        queries = statements.clickhouse_a(shape, data, *files)
        return self.command(work / "clickhouse", queries, work / "job.sql", *files), ""

    def result(self, work):
        files = (work / "cells.parquet", work / "windows.parquet")
        return self.figures(
            work / "clickhouse", statements.clickhouse_a_check(*files), work / "check.sql")


class ClickhouseL(Clickhouse):
    name = "clickhouse-l"
    does = "ClickHouse, 2 threads: incidents in a ReplacingMergeTree, cells and windows of FINAL"

    def prepare(self, shape, data, work):
        queries = statements.clickhouse_l(shape, data)
        return self.command(work / "clickhouse", queries, work / "job.sql"), ""

    def result(self, work):
        return self.figures(
            work / "clickhouse", statements.clickhouse_l_check(), work / "check.sql")


class Sqlite(Rival):
    name = "sqlite"
    does = "SQLite: incidents by primary key, cells and windows in its file, synchronous = FULL"

    def missing(self):
        return "" if shutil.which("sqlite3") else "sqlite3 is not installed"

    def prepare(self, shape, data, work):
        # A new database needs no write-ahead log: with one, every page would be written twice.
        # The trigger keeps only the mapped columns; importing all of them takes longer.
        return ["sqlite3", "-bail", str(work / "job.db")], statements.sqlite_load(shape, data)

    def result(self, work):
        command = ["sqlite3", "-bail", "-json", str(work / "job.db")]
        return json.loads(output(command, statements.sqlite_check()))[0]


class Libcsv(Rival):
    name = "libcsv"
    does = "ceiling: every byte through libcsv on one thread, nothing kept"
    is_ceiling = True

    def missing(self):
        tool = self.build / "bench" / "bench_ceiling"
        return "" if tool.exists() else f"{tool} is not built"

    def prepare(self, shape, data, work):
        return [str(self.build / "bench" / "bench_ceiling"), self.name, str(data)], ""


class Read(Libcsv):
    name = "read"
    does = "ceiling: read(2) of the file through one buffer, nothing looked at"


RIVALS = (Tallyd, TallydPreset, DuckdbA, DuckdbL, ClickhouseA, ClickhouseL, Sqlite, Libcsv, Read)
