#!/usr/bin/env python3
"""Rollups in SQL, through the shell sqlite3: the same rows as the command, and a recount's."""

import datetime
import json
import os
import pathlib
import random
import shutil
import sys

import desk
from desk import END, must, run, same

sys.path.insert(0, str(pathlib.Path(desk.ROOT) / "tests" / "fault"))
import damage  # noqa: E402

DIMS = {"civilian-harm": ["province"], "everything": ["province", "target", "feed"],
        "total": [], "nothing": ["province"]}
MEASURES = {"civilian-harm": ["killed", "wounded"], "everything": ["killed", "wounded"],
            "total": ["killed"], "nothing": ["killed"]}
ISSUE = ("SELECT province, killed FROM tally_window('civilian-harm.rollup', 50, '2020-10-24') "
         "ORDER BY killed DESC")


def shell(home, *lines, folder=None, database=":memory:"):
    """What the shell prints for these lines: commands and statements."""
    return run(["sqlite3", "-bail", "-json", "-cmd", f".load {home.sqlite_extension}", database,
                *lines], cwd=folder or home.rollups)


def ask(home, statement, **where):
    """Rows of one statement."""
    out = shell(home, statement, **where).ended(0).out
    return json.loads(out) if out.strip() else []


def refused(home, statement, *words, **where):
    done = shell(home, statement, **where)
    must(done.status != 0, f"should be refused:\n{done}")
    return done.says(*words)


def alone(home, *names):
    """A folder with these rollups only."""
    folder = home.folder / ("only " + " ".join(names))
    folder.mkdir()
    for name in names:
        shutil.copy(home.rollup(name), folder)
    return folder


def columns(name, *before_figures):
    figures = [word for one in MEASURES[name] for word in (one, one + "_reported")]
    return [*DIMS[name], *before_figures, "incidents", *figures]


def test_the_statement_works_as_written(options, stack):
    home = stack.enter_context(desk.Desk(options))
    rows = home.json("window", "civilian-harm", "--days", "50", "--end", "2020-10-24", "--by",
                     "province")
    want = sorted((row["killed"] for row in rows), key=lambda sum_: -1 if sum_ is None else sum_,
                  reverse=True)
    for folder in (home.rollups, alone(home, "civilian-harm")):
        got = ask(home, ISSUE, folder=folder)
        same(want, [row["killed"] for row in got], "ORDER BY killed DESC")
        same({row["province"]: row["killed"] for row in rows},
             {row["province"]: row["killed"] for row in got}, ISSUE)


def test_windows_are_those_of_the_command(options, stack):
    home = stack.enter_context(desk.Desk(options))
    rng = random.Random(2)
    for name, dims in DIMS.items():
        folder = alone(home, name)
        for _ in range(6):
            days, basis = rng.choice([1, 7, 50, 365]), rng.choice(["start", "end", "overlap",
                                                                  "inside"])
            end = (END - datetime.timedelta(days=rng.randrange(90))).isoformat()
            words = ["window", name, "--days", str(days), "--end", end, "--basis", basis]
            want = home.json(*words, *(["--by", ",".join(dims)] if dims else []))
            got = ask(home, f"SELECT * FROM tally_window('{name}', {days}, '{end}', '{basis}')",
                      folder=folder)
            same(want, got, " ".join(words))
            if got:
                same(columns(name, "window_start", "window_end", "days", "basis"),
                     list(got[0]), "columns")


def test_windows_are_those_of_a_recount(options, stack):
    home = stack.enter_context(desk.Desk(options))
    for basis in ("start", "end", "overlap", "inside"):
        want = desk.recount(home.incidents, 50, END, ("province", "target", "feed"), basis)
        got = {}
        for row in ask(home, f"SELECT * FROM tally_window('everything', 50, NULL, '{basis}')"):
            key = tuple(row[dim] for dim in DIMS["everything"])
            got[key] = {name: row[name] for name in columns("everything")[3:]}
        same(want, got, f"by {basis}")
        want = desk.recount(home.incidents, 50, END, ("province",), basis)
        got = ask(home, "SELECT province, sum(killed) AS killed, sum(wounded_reported) AS wr "
                        f"FROM tally_window('everything', 50, '{END}', '{basis}') "
                        "GROUP BY province")
        same({key[0]: (one["killed"], one["wounded_reported"]) for key, one in want.items()},
             {row["province"]: (row["killed"], row["wr"]) for row in got}, "GROUP BY")


def test_series_cells_and_spans_are_those_of_the_command(options, stack):
    home = stack.enter_context(desk.Desk(options))
    for name, dims in DIMS.items():
        folder = alone(home, name)
        by = ["--by", ",".join(dims)] if dims else []
        for basis in ("start", "overlap"):
            want = home.json("series", name, "--days", "30", "--from", "2020-09-20", "--to",
                             "2020-10-24", "--basis", basis, *by)
            same(want, ask(home, f"SELECT * FROM tally_series('{name}', 30, '2020-09-20', "
                                 f"'2020-10-24', '{basis}')", folder=folder), f"series of {name}")
        for more, table in ((), "tally_cells"), (("--spans",), "tally_spans"):
            same(home.json("dump", name, *more),
                 ask(home, f"SELECT * FROM {table}('{name}')", folder=folder), table)


def read(home, condition, source="tally_window('everything', 366)"):
    """The rows, and how many groups the scan read for the last of them."""
    rows = ask(home, f"SELECT *, groups_read FROM {source} WHERE {condition}")
    return rows, max((row.pop("groups_read") for row in rows), default=0)


def test_conditions_on_dimensions_reach_the_scan(options, stack):
    home = stack.enter_context(desk.Desk(options))
    every, groups = read(home, "1")
    same(len(every), groups, "groups read for all rows")
    for province in desk.PROVINCES:
        quoted = province.replace("'", "''")
        want = [row for row in every if row["province"] == province]
        for condition in (f"province = '{quoted}'", f"'{quoted}' = province",
                          f"province IN ('{quoted}', 'no such')"):
            got, groups = read(home, condition)
            same(want, got, condition)
            same(len(want), groups, f"groups read for {condition}")
    some, groups = read(home, "province = 'Kabul' AND target = 'police' AND feed = 'attacks'")
    same((1, 1), (len(some), groups), "all dimensions given")
    got, groups = read(home, "province IN ('Kabul', 'Herat') AND target IN ('police', '')")
    same(sum(row["province"] in ("Kabul", "Herat") and row["target"] in ("police", "")
             for row in every), len(got), "IN twice")
    must(groups <= len(got), f"{groups} groups read for {len(got)} rows")
    plan = shell(home, "EXPLAIN QUERY PLAN SELECT killed FROM tally_window('everything', 366) "
                       "WHERE target = 'police' AND province = 'Kabul' AND killed > 0").ended(0)
    plan.says("province=", "target=", "arg_rollup", "arg_days")
    must("killed=" not in plan.out, "a condition on a figure is taken")


def test_conditions_that_mean_something_else_stay_with_sqlite(options, stack):
    home = stack.enter_context(desk.Desk(options))
    every, _ = read(home, "1")
    for condition, keep in (
            ("province = 'kabul' COLLATE NOCASE", lambda row: row["province"] == "Kabul"),
            ("province = NULL", lambda row: False),
            ("province IS 'Kabul'", lambda row: row["province"] == "Kabul"),
            ("province = 'Kabul' AND province = 'Herat'", lambda row: False),
            ("province = 'Kabul' OR province = 'Herat'",
             lambda row: row["province"] in ("Kabul", "Herat")),
            ("province <> 'Kabul'", lambda row: row["province"] != "Kabul"),
            ("province LIKE 'k%'", lambda row: row["province"].lower().startswith("k")),
            ("province = x'4b6162756c'", lambda row: False),
            ("province = 5", lambda row: False),
            ("province = char(75, 0, 98)", lambda row: False),
            ("killed = 9", lambda row: row["killed"] == 9),
            ("wounded IS NULL", lambda row: row["wounded"] is None)):
        same([row for row in every if keep(row)], read(home, condition)[0], condition)


def test_cells_and_series_take_conditions_too(options, stack):
    home = stack.enter_context(desk.Desk(options))
    for source in ("tally_cells('everything')",
                   "tally_series('everything', 9, '2020-10-01', '2020-10-09')"):
        every, _ = read(home, "1", source)
        got, groups = read(home, "target = 'police' AND feed = 'attacks'", source)
        same([row for row in every if row["target"] == "police"], got, source)
        must(0 < groups <= len(desk.PROVINCES), f"{groups} groups read of {source}")


def test_a_rollup_may_come_from_another_table(options, stack):
    home = stack.enter_context(desk.Desk(options))
    got = ask(home, "WITH asked(name, days) AS (VALUES ('total', 7), ('civilian-harm', 50)) "
                    "SELECT name, sum(incidents) AS incidents "
                    "FROM asked, tally_window(name, asked.days) GROUP BY name ORDER BY name DESC")
    want = [{"name": name, "incidents": home.json("window", name, "--days", days)[0]["incidents"]}
            for name, days in (("total", "7"), ("civilian-harm", "50"))]
    same(want, got, "a join")
    now = home.json("window", "civilian-harm", "--days", "50", "--by", "province", "--compare",
                    "previous")
    got = ask(home, "SELECT a.province, a.killed, b.killed AS previous_killed "
                    "FROM tally_window('civilian-harm', 50, '2020-10-24') a LEFT JOIN "
                    "tally_window('civilian-harm', 50, '2020-09-04') b USING (province)")
    same([{name: row[name] for name in ("province", "killed", "previous_killed")} for row in now
          if row["incidents"] > 0], got, "two windows side by side")


def test_a_created_table_has_exactly_its_columns(options, stack):
    home = stack.enter_context(desk.Desk(options))
    database = home.folder / "harm.db"
    path = str(home.rollup("civilian-harm"))
    shell(home, f"CREATE VIRTUAL TABLE harm USING tally_window('{path}'); "
                f"CREATE VIRTUAL TABLE harm_cells USING tally_cells(\"{path}\");"
                "CREATE VIEW worst AS SELECT province, killed FROM harm(50, '2020-10-24')"
                "ORDER BY killed DESC LIMIT 1", database=database).ended(0)
    elsewhere = home.folder / "elsewhere"
    elsewhere.mkdir()
    want = home.json("window", "civilian-harm", "--days", "50", "--by", "province")
    same(want, ask(home, "SELECT * FROM harm(50)", database=database, folder=elsewhere), "harm(50)")
    same(home.json("dump", "civilian-harm"),
         ask(home, "SELECT * FROM harm_cells", database=database, folder=elsewhere), "harm_cells")
    same([max(row["killed"] or 0 for row in want)],
         [row["killed"] for row in ask(home, "SELECT * FROM worst", database=database)], "a view")
    refused(home, "SELECT wounds FROM harm(50)", "no such column: wounds", database=database)
    refused(home, "SELECT * FROM harm", "write tally_window(DAYS [, END [, BASIS]])",
            database=database)
    # Another rollup takes its place: its columns are not those of the open table.
    shutil.copy(home.rollup("everything"), path)
    got = ask(home, "SELECT * FROM harm(50)", database=database)
    same(columns("everything", "window_start", "window_end", "days", "basis"), list(got[0]),
         "columns after a change")


def test_attaching_makes_columns_and_names_known(options, stack):
    home = stack.enter_context(desk.Desk(options))
    empty = home.folder / "empty"
    empty.mkdir()
    path = home.rollup("civilian-harm")
    if not pathlib.Path("/var/lib/tallyd/rollup").exists():
        refused(home, ISSUE, "no rollup in the current folder", "tally_attach", folder=empty)
    want = home.json("window", "civilian-harm", "--days", "50", "--by", "province")
    for attached in (path, home.rollups):
        lines = shell(home, f"SELECT tally_attach('{attached}') AS found",
                      "SELECT province, killed FROM tally_window('civilian-harm', 50)",
                      folder=empty).ended(0).out
        same([{name: row[name] for name in ("province", "killed")} for row in want],
             json.loads(lines.partition("]\n")[2]), f"after attaching {attached}")
    # What is known already stays, what is new is added.
    other = alone(home, "total")
    done = shell(home, "SELECT count(*) FROM tally_window('total', 50)",
                 f"SELECT tally_attach('{path}')",
                 f"SELECT province FROM tally_window('{path}', 50)", folder=other).ended(0)
    done.says("Kabul")
    refused(home, f"SELECT * FROM tally_window('{path}', 50)", "column 'province'", "not known",
            "tally_attach", folder=other)
    refused(home, "SELECT tally_attach('/no/such/file')", "No such file", folder=other)
    refused(home, f"SELECT tally_attach('{empty}')", "no rollup in", folder=other)


def test_what_a_rollup_does_not_have_is_refused_by_name(options, stack):
    home = stack.enter_context(desk.Desk(options))
    refused(home, "SELECT province FROM tally_window('total', 50)",
            "rollup total has no column 'province'")
    refused(home, "SELECT killed FROM tally_window('total', 50) WHERE province = 'Kabul'",
            "rollup total has no column 'province'")
    refused(home, "SELECT planet FROM tally_window('total', 50)", "no such column: planet")
    row = ask(home, "SELECT * FROM tally_window('total', 50)")[0]
    same((None, None), (row["province"], row["wounded_reported"]), "absent columns of *")


def test_wrong_arguments_are_refused(options, stack):
    home = stack.enter_context(desk.Desk(options))
    for arguments, word in (
            ("'total', 0", "DAYS is '0'"), ("'total', 'many'", "DAYS is 'many'"),
            ("'total', NULL", "DAYS is 'NULL'"), ("'total', 50.5", "DAYS is '50.5'"),
            ("'total', 99999999999", "DAYS is"), ("'total', 5000000", "back before the calendar"),
            ("'total', 50, '2020-2-3'", "END is '2020-2-3'"), ("'total', 50, 7", "END is '7'"),
            ("'total', 50, NULL, 'outside'", "BASIS is 'outside'"), ("NULL, 50", "NULL"),
            ("'no such', 50", "no such"), ("'total'", "write tally_window(ROLLUP, DAYS"),
            ("'total', 50, NULL, NULL, 5", "write tally_window("),
            ("'total', 50, NULL, NULL, 5, 6", "too many arguments")):
        refused(home, f"SELECT killed FROM tally_window({arguments})", word)
    refused(home, "SELECT killed FROM tally_series('total', 50)", "write tally_series(", "FROM, TO")
    refused(home, "SELECT killed FROM tally_series('total', 5, '2020-02-01', '2020-01-01')",
            "ends before it starts")
    refused(home, "SELECT killed FROM tally_cells", "write tally_cells(ROLLUP)")
    refused(home, "SELECT killed FROM tally_window('nothing', 50)", "has no data yet")
    same([], ask(home, "SELECT killed FROM tally_window('nothing', 50, '2020-10-24')"), "nothing")


def test_a_sum_past_64_bits_is_an_error(options, stack):
    huge = [desk.Incident("attacks", "Kabul", "police", END, END, (1 << 63) - 1, 1)
            for _ in range(2)]
    quake = desk.Incident("quakes", "Herat", "", END, END, (1 << 63) - 1, None)
    home = stack.enter_context(desk.Desk(options, [*huge, quake]))
    for source in ("tally_window('civilian-harm', 50)", "tally_cells('civilian-harm')",
                   "tally_series('civilian-harm', 5, '2020-10-20', '2020-10-24')"):
        refused(home, f"SELECT province, killed FROM {source}", "sum of killed does not fit")
    got = ask(home, "SELECT killed FROM tally_window('everything', 50) WHERE feed = 'quakes'")
    same([{"killed": (1 << 63) - 1}], got, "the greatest sum")


def test_a_replaced_file_shows_from_the_next_statement_on(options, stack):
    home = stack.enter_context(desk.Desk(options))
    folder = alone(home, "civilian-harm")
    statement = "SELECT count(*) AS n FROM tally_cells('civilian-harm')"
    shutil.copy(home.rollup("everything"), folder / "new.part")
    done = shell(home, statement, ".shell mv new.part civilian-harm.rollup", statement,
                 folder=folder).ended(0)
    counts = [json.loads(line)[0]["n"] for line in done.out.splitlines()]
    same([len(home.json("dump", "civilian-harm")), len(home.json("dump", "everything"))], counts,
         "cells before and after")


def place_of(message):
    return message.partition("section ")[2].partition(":")[0]


def test_a_damaged_rollup_is_an_error_that_names_the_section(options, stack):
    home = stack.enter_context(desk.Desk(options))
    folder = alone(home, "civilian-harm")
    path = folder / "civilian-harm.rollup"
    whole = path.read_bytes()
    before = shell(home, ISSUE, folder=folder).ended(0).out
    sections = set()
    flips = list(damage.flips(whole))
    for offset, data in flips[:200] + random.Random(3).sample(flips[200:], 200):
        path.write_bytes(data)
        said = damage.not_crashed(run([home.bin / "tally", "window", path, "--days", "50", "--end",
                                       "2020-10-24", "--by", "province", "--format", "json"]))
        done = damage.not_crashed(shell(home, ISSUE, folder=folder))
        must((said.status == 0) == (done.status == 0), f"byte {offset}:\n{said}\n{done}")
        if done.status == 0:
            same(before, done.out, f"byte {offset} changed")
            continue
        place = place_of(said.err)
        same(place, place_of(done.err), f"section of byte {offset}")
        sections.add(place)
    for length in range(0, len(whole), len(whole) // 40):
        path.write_bytes(whole[:length])
        must(damage.not_crashed(shell(home, ISSUE, folder=folder)).status != 0,
             f"cut to {length} bytes")
    must({"header", "cells"} <= sections, f"only {sorted(sections)} were found damaged")


def test_a_damaged_rollup_does_not_hide_the_others(options, stack):
    home = stack.enter_context(desk.Desk(options))
    path = home.rollup("nothing")
    path.write_bytes(path.read_bytes()[:-20])
    must(ask(home, ISSUE), "the others")
    refused(home, "SELECT killed FROM tally_window('nothing', 50)", "header", "as long as")
    refused(home, f"SELECT tally_attach('{path}')", "header", "as long as")
    refused(home, f"CREATE VIRTUAL TABLE x USING tally_cells('{path}')", "header", "as long as")


def test_the_sql_of_the_readme_runs(options, stack):
    home = stack.enter_context(desk.Desk(options))
    prefix = options.bin.parent / "tests" / "prefix"
    folder = next(prefix.glob("lib/**/tally_sqlite.so")).parent
    text = (desk.ROOT / "README.md").read_text().partition("**SQL**")[2].partition("\n\n**")[0]
    lines = "\n".join(line[4:] for line in text.splitlines() if line.startswith("    "))
    got = run(["sh", "-ec", lines], {"LD_LIBRARY_PATH": str(folder)}, cwd=home.rollups).ended(0)
    want = ask(home, ISSUE)
    same("\n".join(f"{row['province']}|{row['killed']}" for row in want) + "\n", got.out, "README")


if __name__ == "__main__":
    asked = desk.arguments(__doc__)
    desk.built_plainly(asked)
    if not shutil.which("sqlite3"):
        print("SKIP  no sqlite3")
        sys.exit(desk.SKIPPED)
    os.environ["HOME"] = "/nonexistent"  # no .sqliterc
    desk.run_tests(sys.modules["__main__"], asked, "interfaces sql")
