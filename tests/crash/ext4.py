#!/usr/bin/env python3
"""A real ext4, cut off mid-way: on a loop device, shut down without flushing its journal.

Each round: the files of the scenario lie safely in the inbox, tallyd runs and is stopped at a random
moment, the file system is shut down (EXT4_IOC_SHUTDOWN, as fsck's own tests do) and mounted again.
What tallyd had said until then must be true, and the next start must come to the figures of a run
that nothing disturbed. Where the machine has no loop devices, or we are not root, this is skipped
and says so. --seed draws the moments.
"""

import contextlib
import fcntl
import os
import pathlib
import random
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time

import sandbox
import scenario
import sweep
from sandbox import must

SKIPPED = 77
EXT4_IOC_SHUTDOWN = 0x8004587D
NO_LOG_FLUSH = 2
IMAGE_BYTES = 48 << 20
ROUNDS = 12
# The second has no rescue for programs that rename without a sync.
OPTIONS = ("loop", "loop,noauto_da_alloc")
CONFIG = scenario.CONFIG.replace("publish_interval = 1h", "publish_interval = 0ms")


class CannotMount(Exception):
    """This machine does not let us."""


def must_run(*command):
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode != 0:
        raise CannotMount(f"{' '.join(map(str, command))}: {done.stderr.decode().strip()}")


class Disk:
    """An ext4 in a file, mounted at a folder."""

    def __init__(self, folder):
        self.image = folder / "image"
        self.path = folder / "disk"
        self.path.mkdir()
        with open(self.image, "wb") as out:
            out.truncate(IMAGE_BYTES)
        must_run("mkfs.ext4", "-q", "-F", "-b", "4096", self.image)

    def mount(self, options):
        must_run("mount", "-o", options, self.image, self.path)

    def unmount(self):
        must_run("umount", self.path)

    def cut(self):
        fd = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.ioctl(fd, EXT4_IOC_SHUTDOWN, struct.pack("I", NO_LOG_FLUSH))
        except OSError as error:
            raise CannotMount(f"EXT4_IOC_SHUTDOWN: {error}") from error
        finally:
            os.close(fd)


@contextlib.contextmanager
def disk():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="tally-ext4-", dir=sandbox.fast_directory()))
    try:
        made = Disk(folder)
        yield made
    finally:
        subprocess.run(["umount", "-l", folder / "disk"], capture_output=True, check=False)
        shutil.rmtree(folder, ignore_errors=True)


def check_that_a_cut_loses_something():
    """Or the rounds below would prove nothing."""
    with disk() as made:
        made.mount(OPTIONS[0])
        synced, loose = made.path / "synced", made.path / "loose"
        synced.write_bytes(b"here")
        subprocess.run(["sync", "-f", made.path], check=True)
        loose.write_bytes(b"gone")
        made.cut()
        made.unmount()
        made.mount(OPTIONS[0])
        must(synced.read_bytes() == b"here", "the cut took what was synced")
        must(not loose.exists() or loose.read_bytes() != b"gone", "the cut took nothing")


def quiet_seconds(options):
    """How long a run takes that nothing cuts off."""
    with disk() as made:
        made.mount(OPTIONS[0])
        with sandbox.Sandbox(options.bin, CONFIG, made.path) as box:
            sweep.drop_all(box)
            started = time.monotonic()
            box.once().ended(1)
            return time.monotonic() - started


def run_until(box, seconds):
    """tallyd --once, stopped after a while; what it has said until then."""
    log = box.folder.parent.parent / "log"
    with open(log, "wb") as out:
        daemon = subprocess.Popen([box.programs / "tallyd", "-c", box.config, "--once"],
                                  stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                  env=sandbox.ENVIRONMENT)
    time.sleep(seconds)
    os.kill(daemon.pid, signal.SIGSTOP)  # send_signal would reap it
    os.waitid(os.P_PID, daemon.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
    return daemon, sandbox.Run([], 0, log.read_text(), "")


def one_round(options, want, mount_options, seconds):
    """Whether the cut came before the end of the work."""
    with disk() as made:
        made.mount(mount_options)
        with sandbox.Sandbox(options.bin, CONFIG, made.path) as box:
            sweep.drop_all(box)
            subprocess.run(["sync", "-f", made.path], check=True)
            daemon, said = run_until(box, seconds)
            made.cut()
            daemon.kill()
            daemon.wait()
            made.unmount()
            made.mount(mount_options)
            sweep.check_published(box)
            if (box.state / "ledger").is_dir():
                sweep.check_accepted(box, said)
            sweep.recover(box)
            sweep.check(box, want)
            sweep.check_again(box, want)
        made.unmount()
        return "event=file_accepted" in said.out and "file=11-" not in said.out


def add_arguments(parser):
    parser.add_argument("--shim", required=True, help="the shared object built of shim.c")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"of cuts ({ROUNDS})")
    parser.add_argument("--seed", type=int, default=1, help="of the moments (1)")


def main():
    options = sandbox.arguments(__doc__, add_arguments)
    if os.geteuid() != 0 or not shutil.which("mkfs.ext4"):
        print("crash ext4: SKIPPED: needs root and mkfs.ext4")
        sys.exit(SKIPPED)
    chance = random.Random(options.seed)
    within = 0
    try:
        check_that_a_cut_loses_something()
        want = sweep.Wanted(options)
        seconds = quiet_seconds(options)
        for i in range(options.rounds):
            within += one_round(options, want, OPTIONS[i % 2], chance.uniform(0, seconds))
    except CannotMount as reason:
        print(f"crash ext4: SKIPPED: {reason}")
        sys.exit(SKIPPED)
    except sandbox.Failure as failure:
        sys.exit(f"crash ext4: {failure}")
    print(f"crash ext4: {options.rounds} cuts survived, {within} of them in the middle of the work "
          f"(seed {options.seed})")


if __name__ == "__main__":
    main()
