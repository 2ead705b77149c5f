#!/usr/bin/env python3
"""A copy of the ledger, taken at any moment while files come in, is a backup.

Restored into a state of its own it holds every file that was accepted before the copy began, none
that came after it ended, each of them whole; and the files that it lacks can be dropped again.
"""

import subprocess
import sys
import threading

import fault
from fault import must

COPIES = 12
FILES_FIRST = 200  # some segments
FILES_A_COPY = 50
ROWS = 400
# Small segments, so that copies also fall between the end of one and the beginning of the next.
CONFIG = fault.config("segment_max = 64K\npublish_interval = 50ms")


class Feeder(threading.Thread):
    """Drops one file after the other, so many as each copy may meet, however long it takes."""

    def __init__(self, box):
        super().__init__(daemon=True)
        self.box = box
        self.dropped = {}
        self.allowed = FILES_FIRST
        self.ended = threading.Event()

    def run(self):
        while not self.ended.wait(0.01):
            if len(self.dropped) >= self.allowed:
                continue
            name = f"file-{len(self.dropped)}.csv"
            text = fault.rows(f"F{len(self.dropped)}", ROWS)
            self.dropped[name] = text
            self.box.drop(name, text)


def names(box):
    return {row["file"] for row in box.table("files") if row["outcome"] == "accepted"}


def restore(options, stack, copy):
    box = stack.enter_context(fault.Sandbox(options.bin, CONFIG))
    copy.rename(box.state / "ledger")
    box.once().ended(0)
    return box


def equals_its_files(box, restored):
    must(fault.killed(box) == len(restored) * ROWS,
         f"{fault.killed(box)} killed by {len(restored)} files of {ROWS}")
    box.tally("verify").ended(0)


def test_a_copy_at_any_moment(options, stack):
    box = stack.enter_context(fault.Sandbox(options.bin, CONFIG))
    box.start()
    feeder = Feeder(box)
    feeder.start()
    box.wait(lambda: len(box.names("ledger")) > 2, "some segments")
    sizes = set()
    for i in range(COPIES):
        copy = box.folder / f"copy-{i}"
        feeder.allowed += FILES_A_COPY
        before = names(box)
        copy.mkdir()
        # What is there is listed first, as rsync does, and a shell for cp ledger/*.seg; `cp -r` may
        # meet a segment that began behind one that it has copied half.
        segments = sorted((box.state / "ledger").iterdir())
        subprocess.run(["cp", *segments, copy], check=True)
        after = names(box)
        backup = restore(options, stack, copy)
        restored = names(backup)
        must(before <= restored, f"copy {i} lacks {before - restored}")
        must(restored <= after, f"copy {i} has {restored - after}")
        equals_its_files(backup, restored)
        sizes.add(len(restored))
    feeder.ended.set()
    feeder.join()
    must(len(sizes) > 2, f"the copies were hardly taken while files came in: {sizes}")
    # The last one, with all that was ever dropped, comes to the same figures as the original.
    for name, text in feeder.dropped.items():
        backup.drop(name, text)
    backup.once().ended(0)
    box.settled()
    must(names(backup) == names(box) == set(feeder.dropped), "the files are not the same")
    must(backup.table("rollups")[0]["digest"] == box.table("rollups")[0]["digest"],
         "the backup went another way")
    box.stop()


if __name__ == "__main__":
    fault.run_tests(sys.modules[__name__], fault.arguments(__doc__), "fault backup")
