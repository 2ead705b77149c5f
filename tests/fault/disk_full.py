#!/usr/bin/env python3
"""A full disk: told clearly, nothing accepted is lost, and it goes on when there is room.

On a small file system of its own where the machine lets us mount one, and under a limit on the
size of files, which any machine allows.
"""

import pathlib
import resource
import subprocess
import sys
import tempfile

import fault
from fault import GOOD, Skip, must

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

    def free(self):
        (self.path / "ballast").unlink()


def test_watching_pauses_and_goes_on(options, stack):
    disk = stack.enter_context(Mounted("8m"))
    box = stack.enter_context(fault.Sandbox(options.bin, fault.config(), disk.path))
    box.start()
    box.drop("good.csv", GOOD)
    box.wait(lambda: b"good.csv" in box.names("done"), "the first file")
    box.wait(lambda: fault.killed(box) == 4, "its rollup")
    box.drop("large.csv", fault.rows("L", LARGE_ROWS))
    disk.fill()
    box.drop("after.csv", b"")
    box.says("intake_paused", "No space left on device")
    must(box.daemon.poll() is None, "the daemon ended")
    must(fault.killed(box) == 4, "what was accepted before has changed")
    box.tally("verify").ended(0)
    disk.free()
    box.wait(lambda: b"large.csv" in box.names("done"), "it goes on by itself", 20)
    box.settled()
    box.stop()
    must(fault.killed(box) == 4 + LARGE_ROWS, f"{fault.killed(box)} count")
    must(len(box.accepted()) == 2, "not accepted once each")
    box.tally("verify").ended(0)


def test_once_ends_and_a_later_start_goes_on(options, stack):
    disk = stack.enter_context(Mounted("8m"))
    box = stack.enter_context(fault.Sandbox(options.bin, fault.config(), disk.path))
    box.drop("good.csv", GOOD)
    box.once().ended(0)
    box.drop("large.csv", fault.rows("L", LARGE_ROWS))
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
    box.drop("large.csv", fault.rows("L", LARGE_ROWS))
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
