#!/usr/bin/env python3
"""Every group's cell, and its 50-day window on every day, equal what SQLite makes of the files.

SQLite reads the same files with its own CSV import, keeps the newest revision of each id, and adds
up with SUM() OVER (... RANGE BETWEEN 49 PRECEDING AND CURRENT ROW).
"""

import datetime
import random
import shutil
import sqlite3
import subprocess
import sys

import histories
import oracle
from model import Feed, rollup

DAYS = 50
ALL_DIMS = ["place", "kind", "actor"]
MEASURES = ["killed", "hurt"]


def make(rng):
    feed = Feed("a", ALL_DIMS[:rng.choice([2, 3])], MEASURES, revision=True)
    ids = [f"{rng.choice(['A-', 'b,', 'ç '])}{i}" for i in range(rng.choice([5, 40, 150]))]
    versions = []  # what an (id, revision) says never changes
    for id_ in ids:
        for revision in rng.sample(range(8, 14), rng.choice([1, 1, 2, 4])):
            versions.append(histories.row(rng, feed, id_, str(revision)))
    versions += rng.sample(versions, len(versions) // 4)  # delivered twice
    rng.shuffle(versions)
    files = []
    while versions:
        count = rng.choice([1, 5, 20, 100])
        files.append(histories.file(rng, feed, len(files), versions[:count]))
        versions = versions[count:]
    return oracle.Case(feed.section() + "\n" + rollup("all", ["a"], feed.dims, MEASURES),
                       files, [feed])


def given(name):
    """The SQL of a measure: NULL where the feed says unknown."""
    text = f"trim({name}, ' ')"
    return f"CASE WHEN {text} IN ('', 'NA', '-99') THEN NULL ELSE CAST({text} AS INTEGER) END"


def views(dims, last_day):
    by = ", ".join(dims)
    return f"""
    CREATE VIEW incident AS SELECT {", ".join(f"trim({dim}, ' ') AS {dim}" for dim in dims)},
        CAST(julianday(trim(first, ' ')) AS INTEGER) AS day,
        {", ".join(f"{given(m)} AS {m}" for m in MEASURES)}
        FROM (SELECT *, row_number() OVER (PARTITION BY trim(id, ' ')
              ORDER BY CAST(trim(rev, ' ') AS INTEGER) DESC) AS age FROM feed) WHERE age = 1;
    CREATE TABLE cell AS SELECT {by}, day, count(*) AS incidents,
        {", ".join(f"sum({m}) AS {m}, count({m}) AS {m}_reported" for m in MEASURES)}
        FROM incident GROUP BY {by}, day;
    CREATE TABLE calendar AS WITH RECURSIVE c(day) AS (SELECT min(day) FROM cell
        UNION ALL SELECT day + 1 FROM c WHERE day < julianday('{last_day}') - 0.5)
        SELECT day FROM c;
    CREATE TABLE every AS SELECT * FROM (SELECT DISTINCT {by} FROM cell), calendar;
    CREATE TABLE window AS SELECT {by}, day,
        {", ".join(f"sum({name}) OVER fifty AS {name}" for name in columns())}
        FROM every LEFT JOIN cell USING ({by}, day)
        WINDOW fifty AS (PARTITION BY {by} ORDER BY day
                         RANGE BETWEEN {DAYS - 1} PRECEDING AND CURRENT ROW);
    """


def columns():
    return ["incidents"] + [name for m in MEASURES for name in (m, m + "_reported")]


def import_files(tallyd, files):
    path = tallyd.home / "oracle.db"
    lines = []
    for number, file in enumerate(files):
        copy = tallyd.home / f"import-{number}.csv"
        copy.write_bytes(file.content())
        skip = "--skip 1 " if number else ""
        lines.append(f'.import --csv {skip}"{copy}" feed\n')
    done = subprocess.run(["sqlite3", "-bail", str(path)], input="".join(lines).encode(),
                          capture_output=True, check=False)
    if done.returncode != 0 or done.stderr:
        raise oracle.Failure(f"sqlite3 .import: {done.stderr.decode()}")
    return sqlite3.connect(path)


def texts(row, names):
    figures = dict(zip(names, ("" if value is None else str(value) for value in row)))
    for name in names:  # no cell at all: nothing counted
        if name == "incidents" or name.endswith("_reported"):
            figures[name] = figures[name] or "0"
    return figures


def wanted(database, table, dims):
    """(dimension values, day) -> figures."""
    names = dims + ["date(day + 0.5)"] + columns()
    want = {}
    for row in database.execute(f"SELECT {', '.join(names)} FROM {table}"):
        want[row[:len(dims) + 1]] = texts(row[len(dims) + 1:], columns())
    return want


def printed(rows, dims, day):
    return {tuple(row[name] for name in dims + [day]): {name: row[name] for name in columns()}
            for row in rows}


def check_each_day(tallyd, case, want, days):
    """`tally window`, one day after the other; groups without incidents may be left out."""
    dims = case.feeds[0].dims
    zero = texts([None] * len(columns()), columns())
    for day in days:
        rows = tallyd.ask("window", "all", "--days", str(DAYS), "--end", day,
                          "--by", ",".join(dims))
        some = {key: figures for key, figures in want.items() if key[-1] == day}
        got = printed(rows, dims, "window_end")
        oracle.same(some, {**dict.fromkeys(some, zero), **got}, f"tally window --end {day}")


def check(case, folder):
    dims = case.feeds[0].dims
    with oracle.Tallyd(folder, case.config) as tallyd:
        tallyd.take(case.files)
        if not any(file.records for file in case.files):
            return
        database = import_files(tallyd, case.files)
        last_day = histories.DAY0 + datetime.timedelta(days=260)
        database.executescript(views(dims, last_day))
        oracle.same(wanted(database, "cell", dims),
                    printed(tallyd.ask("dump", "all"), dims, "day"), "tally dump")
        want = wanted(database, "window", dims)
        days = sorted({key[-1] for key in want})
        rows = tallyd.ask("series", "all", "--days", str(DAYS), "--from", days[0], "--to",
                          days[-1], "--by", ",".join(dims))
        oracle.same(want, printed(rows, dims, "window_end"), "tally series")
        sample = random.Random(case.seed).sample(days, min(len(days), 40))
        check_each_day(tallyd, case, want, sample)
        database.close()


if __name__ == "__main__":
    if not shutil.which("sqlite3"):
        print("windows_equal_sqlite: skipped: there is no sqlite3 command")
        sys.exit(oracle.SKIPPED)
    sys.exit(oracle.main(__doc__, 14, make, check))
