#!/usr/bin/env python3
"""Claimed files keep the order of their arrival through a kill: without revisions the later one wins."""

import sys
import time

import operated
from operated import must

CONFIG = """\
[feed plain]
preset = generic
id = id
date = date
measure.killed = killed

[rollup all]
feeds = plain
measures = killed
windows = 50d
"""
# Of each name the killed; the names run against the arrival.
ARRIVALS = (("d.csv", 1), ("b.csv", 2), ("c.csv", 3), ("a.csv", 4))


def drop_all(box):
    for name, killed in ARRIVALS:
        box.drop(name, f"id,date,killed\nE1,2020-01-01,{killed}\n")
        time.sleep(0.02)  # another moment of the file system's clock


def first_change(options, change, path):
    """The number of the first such change to the disk of a run that nothing disturbs."""
    with operated.Sandbox(options.bin, CONFIG) as quiet:
        log = quiet.folder / "changes"
        drop_all(quiet)
        quiet.once({"LD_PRELOAD": str(options.shim), "TALLY_FAULT_LOG": str(log)}).ended(0)
        must(operated.killed(quiet) == 4, "the file that came last wins")
        for line in log.read_text().splitlines():
            number, name, what = line.split(" ", 2)
            if (name, what) == (change, path):
                return int(number)
    raise operated.Failure(f"no {change} of {path}")


def killed_at(options, stack, number):
    box = stack.enter_context(operated.Sandbox(options.bin, CONFIG))
    drop_all(box)
    run = box.once({"LD_PRELOAD": str(options.shim), "TALLY_FAULT": f"{number}:kill-before"})
    must(run.status < 0, f"killed: {run}")
    return box


def test_a_kill_before_anything_is_written(options, stack):
    """All four are claimed, and the ledger has none of them."""
    number = first_change(options, "renameat", "a.csv")
    box = killed_at(options, stack, number + 1)
    box.holds("claimed", *sorted(name for name, _ in ARRIVALS))
    box.once().ended(0)
    must(operated.killed(box) == 4, f"{operated.killed(box)}: not the file that came last")


def test_kills_between_claims(options, stack):
    """Some are claimed, the others wait in the inbox still."""
    number = first_change(options, "renameat", "a.csv")
    for before in range(3):
        box = killed_at(options, stack, number - before)
        must(len(box.names("claimed")) == 3 - before, f"claimed {box.names('claimed')}")
        box.once().ended(0)
        must(operated.killed(box) == 4, f"{operated.killed(box)}: not the file that came last")


def test_a_full_disk_in_the_middle(options, stack):
    """The second file finds no room once: those behind it wait with it and do not overtake it."""
    number = first_change(options, "renameat", "a.csv") + 2  # the first file's frames, the second's
    box = stack.enter_context(operated.Sandbox(options.bin, CONFIG))
    drop_all(box)
    box.start({"LD_PRELOAD": str(options.shim), "TALLY_FAULT": f"{number}:ENOSPC"})
    box.says("event=intake_paused", "file=b.csv")
    box.says("event=resumed", within_s=30)
    box.settled()
    box.stop()
    log = box.log()
    at = [log.index(f"event=file_accepted file={name}") for name, _ in ARRIVALS]
    must(at == sorted(at), f"accepted in another order: {log}")
    must(log.count("event=intake_paused") == 1, "told once")
    must(operated.killed(box) == 4, f"{operated.killed(box)}: not the file that came last")


def add_arguments(parser):
    parser.add_argument("--shim", required=True, help="the shared object built of tests/crash/shim.c")


if __name__ == "__main__":
    operated.run_tests(sys.modules[__name__], operated.arguments(__doc__, add_arguments),
                       "daemon order")
