#!/usr/bin/env python3
"""Rollups in SQL from Python's sqlite3, where it may load extensions."""

import os
import shutil
import sqlite3
import sys

import desk
from desk import END, must, run, same

STATEMENT = ("SELECT province, killed FROM tally_window('civilian-harm.rollup', 50, '2020-10-24') "
             "ORDER BY killed DESC")


def connect(home):
    os.chdir(home.rollups)
    connection = sqlite3.connect(":memory:")
    connection.enable_load_extension(True)
    connection.load_extension(str(home.sqlite_extension))
    connection.row_factory = sqlite3.Row
    return connection


def refused(connection, word, statement, *values):
    try:
        connection.execute(statement, values).fetchall()
    except sqlite3.OperationalError as error:
        must(word in str(error), f"{statement}: '{error}' does not say '{word}'")
    else:
        raise desk.Failure(f"should be refused: {statement}")


def test_the_statement_works_as_written(options, stack):
    home = stack.enter_context(desk.Desk(options))
    connection = connect(home)
    want = {row["province"]: row["killed"] for row in home.json(
        "window", "civilian-harm", "--days", "50", "--end", "2020-10-24", "--by", "province")}
    got = [tuple(row) for row in connection.execute(STATEMENT)]
    same(want, dict(got), STATEMENT)
    known = [killed for _, killed in got if killed is not None]
    same(sorted(known, reverse=True), known, "ORDER BY")


def test_values_are_bound(options, stack):
    home = stack.enter_context(desk.Desk(options))
    connection = connect(home)
    for province in desk.PROVINCES:
        want = desk.recount(home.incidents, 50, END, basis="overlap",
                            keep=lambda one, province=province: one.province == province
                            and one.feed == "attacks")
        rows = connection.execute(
            "SELECT incidents, killed, killed_reported, wounded, wounded_reported "
            "FROM tally_window(?, ?, ?, ?) WHERE province = ?",
            ("civilian-harm", 50, END.isoformat(), "overlap", province)).fetchall()
        same([want[()]], [dict(row) for row in rows], province)


def test_two_scans_at_once_do_not_disturb_each_other(options, stack):
    home = stack.enter_context(desk.Desk(options))
    connection = connect(home)
    statement = "SELECT * FROM tally_cells('everything')"
    whole = [tuple(row) for row in connection.execute(statement)]
    a, b = connection.execute(statement), connection.execute(statement)
    same(whole, [tuple(row) for pair in zip(a, b) for row in pair][::2], "side by side")
    # tally_attach while a scan goes on, and a connection that is closed before its scan ends.
    c = connection.execute(statement)
    first = tuple(next(c))
    connection.execute("SELECT tally_attach(?)", (str(home.rollup("total")),)).fetchall()
    same(whole, [first, *(tuple(row) for row in c)], "attached meanwhile")
    next(connection.execute(statement))
    connection.close()


def test_a_damaged_rollup_is_an_error_that_names_the_section(options, stack):
    home = stack.enter_context(desk.Desk(options))
    connection = connect(home)
    path = home.rollup("everything")
    whole = bytearray(path.read_bytes())
    whole[20] ^= 1
    shutil.copy(path, home.folder / "whole.rollup")
    path.write_bytes(whole)
    statement = "SELECT * FROM tally_cells('everything')"
    refused(connection, "section header", statement)
    # Its columns could not be read when they were asked for; they can be asked for again.
    shutil.copy(home.folder / "whole.rollup", path)
    refused(connection, "tally_attach", statement)
    connection.execute("SELECT tally_attach('everything.rollup')").fetchall()
    must(connection.execute(statement + " ").fetchall(), "mended")
    refused(connection, "DAYS is", "SELECT * FROM tally_window('everything', ?)", None)


def test_the_python_of_the_manual_runs(options, stack):
    home = stack.enter_context(desk.Desk(options))
    prefix = options.bin.parent / "tests" / "prefix"
    folder = next(prefix.glob("lib/**/tally_sqlite.so")).parent
    page = (desk.ROOT / "docs" / "sql.md").read_text()
    text = page.partition("## From programs")[2].partition("\n## ")[0]
    code = "\n".join(line[4:] for line in text.splitlines() if line.startswith("    "))
    must("tally_attach('/var/lib/tallyd/rollup')" in code, f"docs/sql.md has no such code:\n{code}")
    code = code.replace("/var/lib/tallyd/rollup", str(home.rollups))
    got = run([sys.executable, "-c", code + "\nprint(sorted(rows))"],
              {"LD_LIBRARY_PATH": str(folder)}, cwd="/").ended(0)
    want = [(row["province"], row["killed"]) for row in
            home.json("window", "civilian-harm", "--days", "50", "--by", "province")]
    same(f"{sorted(want)}\n", got.out, "docs/sql.md")


if __name__ == "__main__":
    asked = desk.arguments(__doc__)
    desk.built_plainly(asked)
    if not hasattr(sqlite3.Connection, "enable_load_extension"):
        print(f"SKIP  the sqlite3 of {sys.executable} loads no extensions")
        sys.exit(desk.SKIPPED)
    desk.run_tests(sys.modules["__main__"], asked, "interfaces sql_python")
