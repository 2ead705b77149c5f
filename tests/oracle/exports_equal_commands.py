#!/usr/bin/env python3
"""An exported database and CSV hold what the commands print, and SQL over them counts the same."""

import csv
import io
import random
import sqlite3
import sys

import histories
import oracle
from model import BASES, Feed, rollup

DIMS = ["place", "kind"]
MEASURES = ["killed", "killed.low"]
DAYS = 50

# What an incident of several days counts for, by basis: cells hold it by its first day.
BY_BASIS = {
    "start": "SELECT * FROM cells WHERE day BETWEEN :first AND :last",
    "end": "SELECT * FROM single WHERE day BETWEEN :first AND :last UNION ALL "
           "SELECT * FROM spans_as_cells WHERE last_day BETWEEN :first AND :last",
    "overlap": "SELECT * FROM single WHERE day BETWEEN :first AND :last UNION ALL "
               "SELECT * FROM spans_as_cells WHERE day <= :last AND last_day >= :first",
    "inside": "SELECT * FROM single WHERE day BETWEEN :first AND :last UNION ALL "
              "SELECT * FROM spans_as_cells WHERE day >= :first AND last_day <= :last",
}


def make(rng):
    feeds = [Feed("a", DIMS, MEASURES, revision=rng.random() < 0.5),
             Feed("b", DIMS, MEASURES[:1], revision=False)]
    files = []
    for feed in feeds[: rng.choice([1, 2])]:
        ids = rng.sample(histories.IDS, rng.randrange(1, len(histories.IDS)))
        records = [histories.row(rng, feed, id_, "1" if feed.revision else None) for id_ in ids]
        files.append(histories.file(rng, feed, 0, records))
    by = rng.choice([["place", "kind", "feed"], ["place", "feed"], ["feed"]])
    return oracle.Case("\n".join(feed.section() for feed in feeds) + "\n"
                       + rollup("all", ["a", "b"], by, MEASURES), files, feeds)


def rows(database, sql, **names):
    cursor = database.execute(sql, names)
    columns = [column[0] for column in cursor.description]
    return [dict(zip(columns, row)) for row in cursor]


def printed(row, names):
    """As the commands print it: unknown and absent are empty."""
    return tuple("" if row[name] is None else str(row[name]) for name in names)


def figures():
    return ["incidents", *(name + suffix for name in MEASURES for suffix in ("", "_reported"))]


def compare(what, database, sql, want, names):
    got = [printed(row, names) for row in rows(database, sql)]
    oracle.same({str(i): one for i, one in enumerate(sorted(printed(row, names) for row in want))},
                {str(i): one for i, one in enumerate(sorted(got))}, what)


def some(row):
    return row["incidents"] != "0"


def compare_windows(tallyd, database, dims, rng):
    """The views and the stored windows against `tally window` and `tally series`."""
    days = [row["day"] for row in rows(database, "SELECT day FROM days ORDER BY epoch")]
    if not days:
        return  # nothing is left of a case that is being cut down
    for end in rng.sample(days, min(4, len(days))):
        want = tallyd.ask("window", "all", "--days", str(DAYS), "--end", end,
                          "--by", ",".join(dims))
        compare(f"window_{DAYS}d to {end}", database,
                f"SELECT * FROM window_{DAYS}d WHERE window_end = '{end}'",
                filter(some, want), ["window_start", *dims, *figures()])
    want = tallyd.ask("series", "all", "--days", str(DAYS), "--from", days[0], "--to", days[-1])
    compare(f"window_{DAYS}d_total", database, f"SELECT * FROM window_{DAYS}d_total", want,
            ["window_start", "window_end", *figures()])
    for which, prefix in (("last", ""), ("previous", "previous_")):
        want = tallyd.ask("window", "all", "--days", str(DAYS), "--by", ",".join(dims),
                          "--compare", "previous")
        want = [{**row, **{name: row[prefix + name] for name in figures()}} for row in want]
        compare(f"latest, {which}", database,
                f"SELECT * FROM latest WHERE days = {DAYS} AND which = '{which}'"
                " AND incidents > 0", filter(some, want), [*dims, *figures()])


def compare_epochs(database):
    """SQLite reads the same second from each day."""
    for table, day, epoch in (("cells", "day", "epoch"), ("days", "day", "epoch"),
                              ("spans", "first_day", "first_epoch"),
                              ("spans", "last_day", "last_epoch")):
        wrong = rows(database, f"SELECT * FROM {table} WHERE {epoch} != unixepoch({day})")
        oracle.same({}, wrong[0] if wrong else {}, f"{epoch} of {table}")


def compare_bases(tallyd, database, rng):
    """Any basis can be counted from cells and spans."""
    sums = ", ".join(f'CAST(coalesce(sum("{name}"), 0) AS INTEGER) AS "{name}"'
                     for name in figures())
    columns = ", ".join(f'"{name}"' for name in figures())
    less = ", ".join(f'-"{name}"' for name in figures())
    database.execute(f"CREATE TEMP VIEW single AS SELECT day, day AS last_day, {columns}"
                     f" FROM cells UNION ALL SELECT first_day, first_day, {less} FROM spans")
    database.execute("CREATE TEMP VIEW spans_as_cells AS SELECT first_day AS day, last_day, "
                     f"{columns} FROM spans")
    for basis in BASES:
        last = histories.day(rng)
        row, = tallyd.ask("window", "all", "--days", "20", "--end", last.isoformat(),
                          "--basis", basis)
        got, = rows(database, f"SELECT {sums} FROM ({BY_BASIS[basis]})",
                    first=row["window_start"], last=row["window_end"])
        want = {name: row[name] or "0" for name in figures()}
        oracle.same(want, {name: str(got[name]) for name in figures()}, f"{basis} from the tables")


def check(case, folder):
    rng = random.Random(case.seed)
    with oracle.Tallyd(folder, case.config) as tallyd:
        tallyd.take(case.files)
        path = tallyd.home / "all.db"
        tallyd.ask("export", "all", "--to", str(path))
        database = sqlite3.connect(path)
        dims = [row["name"] for row in rows(database, "PRAGMA table_info(groups)")][1:]
        compare("cells", database, "SELECT * FROM day_cells", tallyd.ask("dump", "all"),
                [*dims, "day", *figures()])
        compare("spans", database, "SELECT * FROM spans JOIN groups USING (group_id)",
                tallyd.ask("dump", "all", "--spans"), [*dims, "first_day", "last_day", *figures()])
        compare_epochs(database)
        compare_windows(tallyd, database, dims, rng)
        compare_bases(tallyd, database, rng)
        meta = dict(database.execute("SELECT key, value FROM meta"))
        oracle.same(tallyd.digests(), {meta["rollup"]: meta["digest"]}, "digest")
        database.close()
        tallyd.ask("export", "all", "--to", str(tallyd.home / "all.csv"))
        text = (tallyd.home / "all.csv").read_bytes().decode()
        oracle.same({"rows": list(csv.DictReader(io.StringIO(text, newline="")))},
                    {"rows": tallyd.ask("dump", "all")}, "CSV")


if __name__ == "__main__":
    sys.exit(oracle.main(__doc__, 15, make, check))
