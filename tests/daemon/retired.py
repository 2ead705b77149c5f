#!/usr/bin/env python3
"""A file that is in the ledger and still in claimed/ is only moved, and told as what it is."""

import os
import sys

import operated
from operated import must

TEXT = operated.GOOD + "G-3,1,soon,Herat,1,1\n"  # the last row is set aside
REJECTS = "a.csv.batch-1.rejects.csv"


def begin(options, stack, kind, change, path):
    """--once under the shim, disturbed at the last such change to a path; what it said."""
    with operated.Sandbox(options.bin, operated.config()) as quiet:
        log = quiet.folder / "changes"
        quiet.drop("a.csv", TEXT)
        quiet.once({"LD_PRELOAD": str(options.shim), "TALLY_FAULT_LOG": str(log)}).ended(0)
        changes = [line.split(" ", 2) for line in log.read_text().splitlines()]
    number = [number for number, *what in changes
              if what[0] == change and what[1].endswith(path)][-1]
    box = stack.enter_context(operated.Sandbox(options.bin, ""))
    box.config.write_text(f"[tallyd]\nstate = {box.state}\nmetrics = {box.folder}/m.prom\n"
                          + operated.config())
    box.drop("a.csv", TEXT)
    return box, box.once({"LD_PRELOAD": str(options.shim), "TALLY_FAULT": f"{number}:{kind}"})


def is_moved(box):
    """By the next start, which says so and counts nothing."""
    box.holds("claimed", "a.csv")
    run = box.once().ended(0)
    run.says("event=file_retired", "file=a.csv", "batch=1", f"rejects={REJECTS}")
    must("file_accepted" not in run.err and "rows=" not in run.err, f"told again: {run}")
    must('outcome="accepted"} 0' in (box.folder / "m.prom").read_text(), "counted again")
    box.holds("done", "a.csv")
    box.holds("rejected", REJECTS)
    must(operated.killed(box) == 4 and len(box.accepted()) == 1, "it counts once")


def test_after_a_kill(options, stack):
    """Between commit and retirement."""
    box, run = begin(options, stack, "kill-before", "renameat", "a.csv")
    must(run.status < 0 and "file_accepted" not in run.err, f"killed before it was told: {run}")
    is_moved(box)


def test_after_a_kill_around_the_rejected_rows(options, stack):
    """Once, whether they had their name or not; what was corrected meanwhile stays beside it."""
    for kind in ("kill-before", "kill-after"):
        box, run = begin(options, stack, kind, "renameat", ".rejects.tmp")
        must(run.status < 0, f"killed: {run}")
        is_moved(box)
    box, run = begin(options, stack, "kill-after", "renameat", ".rejects.tmp")
    rejects = box.state / "rejected" / REJECTS
    corrected = rejects.read_text().replace("soon", "2020-10-03")
    rejects.write_text(corrected)
    box.once().ended(0).says("event=file_retired", f"rejects={REJECTS}.2")
    must(rejects.read_text() == corrected, f"the correction is gone: {rejects.read_text()}")
    must("soon" in (box.state / "rejected" / (REJECTS + ".2")).read_text(), "not written")
    box.holds("rejected", REJECTS, REJECTS + ".2")


def test_after_a_disk_without_room(options, stack):
    """What was committed is told and counted at once, with all that it did."""
    box, run = begin(options, stack, "ENOSPC", "openat", ".rejects.tmp")
    run.ended(74).says("event=file_accepted", "batch=1", "added=2", "rejected=1")
    must("rejects=" not in run.err, f"names a file that is not there: {run}")
    run.says("event=intake_paused", "No space left")
    must('tallyd_files_total{feed="attacks",outcome="accepted"} 1'
         in (box.folder / "m.prom").read_text(), "it is not counted")
    is_moved(box)


def test_after_an_error_of_the_disk(options, stack):
    box, run = begin(options, stack, "EIO", "renameat", "a.csv")
    run.ended(74).says("event=file_accepted", "batch=1", f"rejects={REJECTS}")
    run.says("event=store_failed")
    is_moved(box)


REFUSED = {"bad-1.csv": "nothing,known\n1,1\n", "bad-2.csv": "other,columns\n1,1\n"}


def box_with_refused(options, stack):
    """Two files to refuse and one that came before, at the start of a daemon."""
    box = stack.enter_context(operated.Sandbox(options.bin, ""))
    box.config.write_text(f"[tallyd]\nstate = {box.state}\nmetrics = {box.folder}/m.prom\n"
                          f"metrics_interval = 1s\n{operated.config()}")
    box.drop("a.csv", operated.GOOD)
    box.once().ended(0)
    for name, text in (REFUSED | {"again.csv": operated.GOOD}).items():
        box.drop(name, text)
        os.utime(box.inbox / name, (1, 1))  # settled
    return box


def start_without_room(options, stack):
    """A daemon that finds no room for the reason of the first one, in time of its pause."""
    quiet = box_with_refused(options, stack)
    log = quiet.folder / "changes"
    quiet.start({"LD_PRELOAD": str(options.shim), "TALLY_FAULT_LOG": str(log)})
    quiet.settled()
    quiet.stop()
    number = next(line.split()[0] for line in log.read_text().splitlines()
                  if line.endswith("bad-1.csv.reason.txt.tmp"))
    box = box_with_refused(options, stack)
    box.start({"LD_PRELOAD": str(options.shim), "TALLY_FAULT": f"{number}:ENOSPC"})
    box.says("event=intake_paused", "file=bad-1.csv", "No space left")
    box.holds("claimed", "again.csv", *REFUSED)
    return box


def test_what_is_refused_and_cannot_be_moved_is_noted_once(options, stack):
    """Told when it is noted, as what it is, and then only moved; so is what waits behind it."""
    box = start_without_room(options, stack)
    box.settled()
    box.stop()
    for name in REFUSED:
        must(box.log().count(f"event=file_rejected file={name}") == 1, f"told: {box.log()}")
        box.says("event=file_retired", f"file={name}", "outcome=rejected")
    must(box.log().count("event=file_duplicate") == 1, f"told: {box.log()}")
    noted = [(row["file"], row["outcome"]) for row in box.table("files")]
    must(sorted(noted) == [("a.csv", "accepted"), ("again.csv", "duplicate"),
                           *((name, "rejected") for name in REFUSED)], f"noted: {noted}")
    must('outcome="rejected"} 2' in (box.folder / "m.prom").read_text(), "not counted once each")
    box.holds("rejected", *REFUSED, *(f"{name}.reason.txt" for name in REFUSED))
    box.holds("done", "a.csv", "again.csv")


def test_another_file_of_a_noted_name_is_read(options, stack):
    """Put into claimed/ by hand, or delivered after what stood there was taken away."""
    box = start_without_room(options, stack)
    (box.state / "claimed" / "bad-1.csv").unlink()
    (box.state / "claimed" / "bad-2.csv").write_text(operated.rows("B", 3))
    box.settled()
    box.says("event=file_accepted", "file=bad-2.csv", "rows=3")
    box.drop("bad-1.csv", REFUSED["bad-1.csv"])
    box.settled()
    box.stop()
    must(box.log().count("event=file_rejected file=bad-1.csv") == 2, f"told: {box.log()}")
    box.holds("done", "a.csv", "again.csv", "bad-2.csv")
    box.holds("rejected", "bad-1.csv", "bad-1.csv.reason.txt")


def add_arguments(parser):
    parser.add_argument("--shim", required=True, help="the shared object built of tests/crash/shim.c")


if __name__ == "__main__":
    operated.run_tests(sys.modules[__name__], operated.arguments(__doc__, add_arguments),
                       "daemon retired")
