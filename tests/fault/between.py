#!/usr/bin/env python3
"""What others do between two calls of tallyd: the file is another one, grows, is cut, is written
into, or the clock steps back. meddle.c does it in the very moment.
"""

import datetime
import os
import sys

import fault
from fault import GOOD, meddled, must

ROWS = 20_000  # more than one read


def in_one_place(box, names):
    """Each of these files, and no other, in exactly one folder."""
    there = [name for folder in fault.FOLDERS for name in box.names(folder)
             if not name.endswith(b".reason.txt")]
    must(sorted(there) == sorted(os.fsencode(name) for name in names), f"the folders hold {there}")


def test_swapped_between_look_and_rename(options, _):
    """The file that was looked at is gone with its name; the other one is taken as itself."""
    with fault.Sandbox(options.bin, fault.config()) as box:
        other = box.folder / "other"
        other.write_text(fault.rows("S", 7))
        box.drop("a.csv", GOOD)
        box.once(meddled(options, TALLY_SWAP=other)).ended(0).says("file_accepted", "a.csv")
        must(fault.killed(box) == 7, f"{fault.killed(box)} count, not the 7 of the file there")
        in_one_place(box, ["a.csv"])
        box.tally("verify").ended(0)


def test_swapped_for_what_is_no_file(options, _):
    for make in (os.mkfifo, lambda path: os.symlink("/etc/passwd", path)):
        with fault.Sandbox(options.bin, fault.config()) as box:
            other = box.folder / "other"
            make(other)
            box.drop("a.csv", GOOD)
            box.once(meddled(options, TALLY_SWAP=other)).ended(0).says("file_unfit", "a.csv")
            in_one_place(box, ["a.csv"])
            box.holds("inbox", "a.csv")


def test_swapped_and_its_name_given_away_again(options, _):
    """Three files of one name within one rename: none may be lost but the one that was replaced."""
    with fault.Sandbox(options.bin, fault.config()) as box:
        for name, prefix in (("second", "S"), ("third", "T")):
            (box.folder / name).write_text(fault.rows(prefix, 7))
        box.drop("a.csv", GOOD)
        box.once(meddled(options, TALLY_SWAP=box.folder / "second",
                         TALLY_SWAP_AGAIN=box.folder / "third")).ended(0)
        must(fault.killed(box) == 14, f"{fault.killed(box)} count, not both files")
        in_one_place(box, ["a.csv", "a.csv.2"])
        box.tally("verify").ended(0)


def changes(options, what):
    """A file that changes while it is read is refused whole; dropped again, it counts."""
    with fault.Sandbox(options.bin, fault.config("chunk_rows = 256")) as box:
        whole = fault.rows("C", ROWS)
        box.drop("c.csv", whole)
        box.drop("good.csv", GOOD)
        run = box.once(meddled(options, TALLY_MEDDLE=what)).ended(1)
        run.says("file_rejected", "c.csv", "deliver")
        must(fault.killed(box) == 4, f"{fault.killed(box)} count: something of a file that changed")
        box.holds("done", "good.csv")
        box.holds("rejected", "c.csv", "c.csv.reason.txt")
        box.tally("verify").ended(0)
        box.drop("c.csv", whole)
        box.once().ended(0)
        must(fault.killed(box) == 4 + ROWS, "delivered again, it should count")


def test_grows_while_it_is_read(options, _):
    changes(options, "grow")


def test_is_cut_while_it_is_read(options, _):
    changes(options, "truncate")


def test_is_written_into_while_it_is_read(options, _):
    """Its size stays; only its time of change tells."""
    changes(options, "overwrite")


def test_the_clock_steps_back(options, _):
    """By an hour at each look: batches keep their order, and any earlier time finds its state."""
    with fault.Sandbox(options.bin, fault.config()) as box:
        for i in range(6):
            box.drop(f"{i}.csv", fault.rows(f"K{i}", 3))
            box.once(meddled(options, TALLY_CLOCK_BACK=3_600_000)).ended(0)
        rows = box.table("files")
        times = [datetime.datetime.fromisoformat(row["time"].replace("Z", "+00:00"))
                 for row in rows]
        must(times == sorted(times), f"times step back: {times}")
        must([int(row["batch"]) for row in rows] == list(range(1, 7)), f"batches: {rows}")
        for batch in range(1, 7):
            row = box.table("window", "all", "--days", "366", "--end", "2020-12-31",
                            "--as-of", str(batch))[0]
            must(row["killed"] == str(3 * batch), f"as of batch {batch}: {row['killed']}")
        box.tally("verify").ended(0)


def test_watching_while_the_clock_steps_back(options, stack):
    """Whatever the clock says, a file that was found without a hint is taken in the end."""
    box = stack.enter_context(fault.Sandbox(options.bin, fault.config()))
    box.drop("before.csv", GOOD)
    box.start(meddled(options, TALLY_CLOCK_BACK=500))
    for i in range(5):
        box.drop(f"{i}.csv", fault.rows(f"W{i}", 3))
    box.wait(lambda: len(box.names("done")) == 6, "all files are taken")
    box.stop()
    must(fault.killed(box) == 4 + 15, f"{fault.killed(box)} count")
    box.tally("verify").ended(0)


if __name__ == "__main__":
    fault.run_tests(sys.modules[__name__], fault.arguments(__doc__, fault.add_meddle),
                    "fault between")
