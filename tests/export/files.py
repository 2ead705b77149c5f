#!/usr/bin/env python3
"""What tally export and tally report write: whole, where it may be, and refused otherwise."""

import os
import pathlib
import sqlite3
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "fault"))

import fault  # noqa: E402
from fault import must  # noqa: E402

COMMANDS = {"all.db": ("export", "all"), "all.sqlite": ("export", "all"),
            "all.csv": ("export", "all"), "all.html": ("report", "all", "--days", "7")}
USAGE, NOT_FOUND, OVERFLOW, IO = 64, 66, 73, 74


def filled(options, content=fault.GOOD):
    box = fault.Sandbox(options.bin, fault.config())
    box.drop("good.csv", content)
    box.once().ended(0)
    (box.folder / "out").mkdir()
    return box


def write(box, name, *more):
    return box.tally(*COMMANDS[name], "--to", box.folder / "out" / name, *more)


def alone(box, name):
    got = sorted(os.listdir(box.folder / "out"))
    must(got == [name], f"beside {name} there is {got}")


def test_the_same_rollup_gives_the_same_bytes(options, _):
    with filled(options) as box:
        for name in COMMANDS:
            write(box, name).ended(0).says(name)
            first = (box.folder / "out" / name).read_bytes()
            write(box, name).ended(0)  # its own file is replaced
            must((box.folder / "out" / name).read_bytes() == first, f"{name}: other bytes")
            alone(box, name)
            (box.folder / "out" / name).unlink()


def test_a_file_of_somebody_else_stays(options, _):
    with filled(options) as box:
        for name in COMMANDS:
            path = box.folder / "out" / name
            for theirs in (b"id,day,killed\n1,2,3\n", b"SQLite format 3\0" + bytes(100), b"x" * 9000):
                path.write_bytes(theirs)
                write(box, name).ended(USAGE).says("--force")
                must(path.read_bytes() == theirs, f"{name} was changed")
            write(box, name, "--force").ended(0)
            must(path.read_bytes() != theirs, f"{name} was not replaced")
            path.write_bytes(b"")  # nothing to lose
            write(box, name).ended(0)
            alone(box, name)
            path.unlink()


def test_what_is_no_file_is_refused(options, _):
    with filled(options) as box:
        for name in COMMANDS:
            path = box.folder / "out" / name
            path.mkdir()
            write(box, name, "--force").ended(USAGE).says("directory")
            path.rmdir()
            path.symlink_to(box.folder / "elsewhere")
            write(box, name, "--force").ended(USAGE).says("symbolic link")
            path.unlink()
            os.mkfifo(path)
            write(box, name, "--force").ended(USAGE).says("FIFO")
            path.unlink()
        must(not (box.folder / "elsewhere").exists(), "a link was followed")


def test_a_wrong_name_says_what_is_right(options, _):
    with filled(options) as box:
        for name in ("all", "all.xlsx", ".db", "out/.csv"):
            box.tally("export", "all", "--to", box.folder / name).ended(USAGE).says(".db", ".csv")
        box.tally("export", "all", "--to", box.folder / "a.html").ended(USAGE).says("tally report")
        box.tally("report", "all", "--days", "7", "--to", box.folder / "a.db").ended(USAGE).says(
            "tally report writes .html")
        box.tally("export", "all").ended(USAGE).says("--to FILE")
        box.tally("export", "all", "--to", box.folder / "no such" / "a.db").ended(NOT_FOUND)
        box.tally("export", "none", "--to", box.folder / "out" / "a.db").ended(NOT_FOUND)
        must(os.listdir(box.folder / "out") == [], "something was left behind")


def test_a_full_disk_leaves_the_old_file(options, _):
    if not os.path.exists("/usr/bin/prlimit"):
        raise fault.Skip("no prlimit here")
    rows = fault.rows("R", 4000)
    with filled(options) as box:
        for name in COMMANDS:
            write(box, name).ended(0)
            before = (box.folder / "out" / name).read_bytes()
            box.drop(f"more-{name}.csv", rows.replace("Kabul", f"Kabul {name}"))
            box.once().ended(0)
            small = ["/usr/bin/prlimit", "--fsize=512", options.bin / "tally", "--state", box.state]
            done = fault.run(["/bin/sh", "-c", "trap '' XFSZ; exec \"$@\"", "sh", *small,
                              *COMMANDS[name], "--to", box.folder / "out" / name])
            must(done.status == IO, f"{name}: exit status {done.status}\n{done}")
            must((box.folder / "out" / name).read_bytes() == before, f"{name} was changed")
            alone(box, name)
            (box.folder / "out" / name).unlink()


def test_sums_beyond_64_bits_are_refused_with_their_group(options, _):
    most = 2 ** 63 - 1
    content = fault.HEADER + "".join(f"H-{i},1,2020-10-0{i},Herat,{most},\n" for i in (1, 2))
    with filled(options, content) as box:
        # Each cell fits, their window does not.
        write(box, "all.db").ended(OVERFLOW).says("(Herat)", "killed", "64 bits")
        must(os.listdir(box.folder / "out") == [], "something was left behind")
        write(box, "all.csv").ended(0)


def test_columns_that_sqlite_takes_for_one_are_refused(options, _):
    config = fault.config().replace("dim.province", "dim.Killed").replace("by = province",
                                                                         "by = Killed")
    with fault.Sandbox(options.bin, config) as box:
        box.drop("good.csv", fault.GOOD)
        box.once().ended(0)
        box.tally("export", "all", "--to", box.folder / "all.db").ended(USAGE).says("'killed'")
        box.tally("export", "all", "--to", box.folder / "all.csv").ended(0)


def test_an_empty_rollup_is_exported(options, _):
    with fault.Sandbox(options.bin, fault.config()) as box:
        box.once().ended(0)
        path = box.folder / "all.db"
        box.tally("export", "all", "--to", path).ended(0)
        database = sqlite3.connect(path)
        for table in ("groups", "cells", "spans", "windows", "days", "latest", "window_7d",
                      "window_7d_total"):
            count, = database.execute(f"SELECT count(*) FROM {table}").fetchone()
            must(count == 0, f"{table} has {count} rows")
        must(database.execute("PRAGMA integrity_check").fetchone() == ("ok",), "integrity_check")
        must(database.execute("SELECT feed, first_day FROM feeds").fetchall() == [("attacks", None)],
             "the feed is not told")
        database.close()


if __name__ == "__main__":
    fault.run_tests(sys.modules[__name__], fault.arguments(__doc__), "export files")
