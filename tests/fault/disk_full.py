#!/usr/bin/env python3
"""A full disk: told clearly, nothing accepted is lost, and it goes on when there is room.

On a small file system of its own where the machine lets us mount one, and under a limit on the
size of files, which any machine allows.
"""

import gzip
import json
import os
import pathlib
import resource
import subprocess
import sys
import tempfile

import fault
from fault import GOOD, Skip, must, run

LARGE_ROWS = 60_000


class Mounted:
    """A tmpfs of a few MiB."""

    def __init__(self, size):
        self.path = pathlib.Path(tempfile.mkdtemp(prefix="tally-full-"))
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=755", "tmpfs",
                               self.path], capture_output=True, check=False)
        self.mounted = done.returncode == 0
        if not self.mounted:
            self.path.rmdir()
            raise Skip("cannot mount a tmpfs here: " + done.stderr.decode().strip())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        subprocess.run(["umount", "-l", self.path], check=False)
        self.path.rmdir()

    def fill(self):
        """Takes all that is left."""
        with open(self.path / "ballast", "wb", buffering=0) as out:
            for step in (1 << 16, 1 << 12, 1):
                try:
                    while out.write(bytes(step)) == step:
                        pass
                except OSError:
                    pass

    def free(self, count=None):
        """So many bytes, or all that fill took."""
        ballast = self.path / "ballast"
        if count is None:
            ballast.unlink()
        else:
            os.truncate(ballast, max(0, ballast.stat().st_size - count))


def test_watching_pauses_and_goes_on(options, stack):
    disk = stack.enter_context(Mounted("8m"))
    box = stack.enter_context(fault.Sandbox(options.bin, fault.config(), disk.path))
    box.start()
    box.drop("good.csv", GOOD)
    box.wait(lambda: b"good.csv" in box.names("done"), "the first file")
    box.wait(lambda: fault.killed(box) == 4, "its rollup")
    box.drop(".large", fault.named_rows("L", LARGE_ROWS))
    disk.fill()
    os.rename(box.inbox / ".large", box.inbox / "large.csv")
    box.drop("after.csv", b"")
    box.says("intake_paused", "file=large.csv", "are free", "No space left on device")
    box.holds("inbox", "after.csv", "large.csv")
    box.holds("claimed")
    must(box.daemon.poll() is None, "the daemon ended")
    must(fault.killed(box) == 4, "what was accepted before has changed")
    box.tally("verify").ended(0)
    disk.free()
    box.wait(lambda: b"large.csv" in box.names("done"), "it goes on by itself", 20)
    box.says("resumed", "after=intake_paused")
    must(box.log().count("event=intake_paused") == 1, "told more than once")
    box.settled()
    box.stop()
    must(fault.killed(box) == 4 + LARGE_ROWS, f"{fault.killed(box)} count")
    must(len(box.accepted()) == 2, "not accepted once each")
    box.tally("verify").ended(0)


def test_the_room_runs_out_while_a_file_is_read(options, stack):
    """A compressed file looks small: it waits in claimed/, and nothing of it counts."""
    disk = stack.enter_context(Mounted("4m"))
    box = stack.enter_context(fault.Sandbox(options.bin, fault.config(), disk.path))
    box.start()
    box.drop("good.csv", GOOD)
    box.wait(lambda: fault.killed(box) == 4, "the first file")
    packed = gzip.compress(fault.named_rows("L", LARGE_ROWS).encode())
    disk.fill()
    disk.free(len(packed) + 400_000)
    box.drop("large.csv.gz", packed)
    box.says("intake_paused", "file=large.csv.gz", "No space left on device")
    box.holds("claimed", "large.csv.gz")
    must(fault.killed(box) == 4 and len(box.table("files")) == 1, "something half-done is visible")
    box.tally("verify").ended(0)
    disk.free()
    box.settled()
    box.says("resumed", "after=intake_paused")
    box.wait(lambda: fault.killed(box) == 4 + LARGE_ROWS, "all its rows")
    box.stop()
    must(box.log().count("event=intake_paused") == 1, "told more than once")
    box.tally("verify").ended(0)


def test_a_file_that_found_no_room_is_taken_away(options, stack):
    disk = stack.enter_context(Mounted("1m"))
    box = stack.enter_context(fault.Sandbox(options.bin, fault.config(), disk.path))
    text = box.config.read_text()
    box.config.write_text(text.replace("scan_interval", f"control = {box.folder}/control\nscan_interval", 1))
    box.start()
    large = box.inbox / "large.csv"
    with open(large, "wb") as out:
        out.truncate(8 << 20)  # more than there is, and takes none itself
    box.says("intake_paused", "file=large.csv", "it has 8388608 bytes")
    box.holds("inbox", "large.csv")
    status = run([options.bin / "tally", "-c", box.config, "status", "--format", "json"]).ended(0)
    must(json.loads(status.out)["waiting"] == 1, f"it does not count as waiting: {status.out}")
    large.unlink()
    box.says("resumed", "after=intake_paused")
    box.drop("good.csv", GOOD)
    box.settled()
    box.stop()
    must(fault.killed(box) == 4, f"{fault.killed(box)} count")


def test_once_ends_and_a_later_start_goes_on(options, stack):
    disk = stack.enter_context(Mounted("8m"))
    box = stack.enter_context(fault.Sandbox(options.bin, fault.config(), disk.path))
    box.drop("good.csv", GOOD)
    box.once().ended(0)
    box.drop("large.csv", fault.named_rows("L", LARGE_ROWS))
    disk.fill()
    box.once().ended(74).says("No space left on device")
    must(fault.killed(box) == 4, "what was accepted before has changed")
    box.tally("verify").ended(0)
    disk.free()
    box.once().ended(0)
    must(fault.killed(box) == 4 + LARGE_ROWS, f"{fault.killed(box)} count")
    box.holds("done", "good.csv", "large.csv")


def test_a_full_disk_at_the_first_start(options, stack):
    disk = stack.enter_context(Mounted("1m"))
    box = stack.enter_context(fault.Sandbox(options.bin, fault.config(), disk.path))
    box.drop("good.csv", GOOD)
    disk.fill()
    box.once().ended(74).says("No space left on device")
    disk.free()
    box.once().ended(0)
    must(fault.killed(box) == 4, f"{fault.killed(box)} count")


def test_a_refused_file_on_a_full_disk(options, stack):
    """The note of it needs room too."""
    disk = stack.enter_context(Mounted("1m"))
    box = stack.enter_context(fault.Sandbox(options.bin, fault.config(), disk.path))
    box.drop("good.csv", GOOD)
    box.once().ended(0)
    box.drop("bad.csv", "no,such,columns\n1,2,3\n")
    disk.fill()
    box.once()
    disk.free()
    box.once().ended(0, 1)
    box.holds("rejected", "bad.csv", "bad.csv.reason.txt")
    box.holds("claimed")


def test_a_limit_on_the_size_of_files(options, stack):
    """EFBIG and SIGXFSZ: an ordinary error with a message, not a death."""
    box = stack.enter_context(fault.Sandbox(options.bin, fault.config()))
    box.drop("good.csv", GOOD)
    box.once().ended(0)
    box.drop("large.csv", fault.named_rows("L", LARGE_ROWS))
    limit = 200_000

    def limited():
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    box.once(preexec_fn=limited).ended(74).says("large.csv", "File too large")
    must(fault.killed(box) == 4, "what was accepted before has changed")
    box.tally("verify").ended(0)
    box.once().ended(0)
    must(fault.killed(box) == 4 + LARGE_ROWS, f"{fault.killed(box)} count")


if __name__ == "__main__":
    fault.run_tests(sys.modules[__name__], fault.arguments(__doc__), "fault disk_full")
