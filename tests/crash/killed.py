#!/usr/bin/env python3
"""kill -9 and SIGTERM at random moments, with a file large enough that many of them fall inside it.

The moments are drawn by --seed; which changes to the disk they hit is up to the machine.
"""

import functools
import random
import signal
import subprocess
import sys
import threading
import time

import sandbox
import scenario
from sandbox import must

ROWS = 200_000
ROUNDS = 2
KILLS_A_ROUND = 3


def small_steps(config):
    """Many chunks, and a new ledger segment every few of them."""
    return config.replace("chunk_rows = 512", "chunk_rows = 4096").replace(
        "segment_max = 64K", "segment_max = 256K")


class Wanted:
    """The files, and what the run that nothing disturbs makes of them."""

    def __init__(self, programs, rows):
        self.files = [*scenario.files(),
                      ("20-attacks-huge.csv", scenario.attacks(20, rows, first=10_000)),
                      ("21-attacks-revised.csv",
                       scenario.attacks(21, rows // 5, revision=2, first=12_000))]
        self.config = small_steps(scenario.CONFIG)
        with sandbox.Sandbox(programs, self.config) as box:
            self.drop(box)
            started = time.monotonic()
            box.once().ended(1)
            self.seconds = time.monotonic() - started
            self.figures = scenario.figures(box)
            self.accepted = set(box.accepted())

    def drop(self, box):
        for name, content in self.files:
            box.drop(name, content)

    def check(self, box):
        box.tally("verify").ended(0)
        must(set(box.accepted()) == self.accepted, "not the same files are accepted")
        must(scenario.figures(box) == self.figures, "the figures are not those of a quiet run")
        box.holds("claimed")
        box.holds("inbox")
        dropped = sorted(name.encode() for name, _ in self.files)
        there = sorted([*box.names("done"),
                        *(name for name in box.names("rejected") if name in dropped)])
        must(there == dropped, f"files are missing or doubled: {there}")


@functools.cache
def wanted(programs, rows):
    return Wanted(programs, rows)


def kill_once(box, after_s):
    """Runs --once and kills it after a while. Whether it was still running then."""
    command = [box.programs / "tallyd", "-c", box.config, "--once"]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL, env=sandbox.ENVIRONMENT) as daemon:
        try:
            status = daemon.wait(after_s)
        except subprocess.TimeoutExpired:
            daemon.kill()
            return True
    must(status in (0, 1), f"--once ended with {status}")
    return False


def test_killed_at_any_time_while_it_settles_the_inbox(options, stack):
    want = wanted(options.bin, options.rows)
    chance = random.Random(options.seed)
    killed = 0
    for _ in range(options.rounds):
        with sandbox.Sandbox(options.bin, want.config) as box:
            want.drop(box)
            for _ in range(KILLS_A_ROUND):
                killed += kill_once(box, chance.uniform(0, want.seconds))
                if (box.state / "rollup").is_dir():
                    box.tally("verify").ended(0)
            box.once().ended(0, 1)
            want.check(box)
    must(killed >= options.rounds, f"only {killed} kills came in time")


def test_stopped_at_any_time_while_it_settles_the_inbox(options, stack):
    """SIGTERM: ends by itself, soon, and the next start goes on."""
    want = wanted(options.bin, options.rows)
    chance = random.Random(options.seed + 1)
    box = stack.enter_context(sandbox.Sandbox(options.bin, want.config))
    want.drop(box)
    for _ in range(KILLS_A_ROUND):
        box.start()
        time.sleep(chance.uniform(0, want.seconds))
        started = time.monotonic()
        box.stop()
        must(time.monotonic() - started < 5, "it took more than 5 s to stop")
        box.tally("verify").ended(0)
    box.once().ended(0, 1)
    want.check(box)


def write_slowly(box, name, content, seconds, pieces=20):
    """As a careless sender does: under its own name, bit by bit."""
    step = len(content) // pieces + 1
    with open(box.inbox / name, "w", encoding="utf-8", buffering=1 << 20) as out:
        for at in range(0, len(content), step):
            out.write(content[at:at + step])
            out.flush()
            time.sleep(seconds / pieces)


def test_watching_while_files_come_and_the_daemon_goes(options, stack):
    """Renamed in, written slowly, killed and stopped in the middle, twice."""
    want = wanted(options.bin, options.rows)
    chance = random.Random(options.seed + 2)
    box = stack.enter_context(sandbox.Sandbox(options.bin, want.config))
    slow = {"01-attacks.csv", "20-attacks-huge.csv"}

    def feed():
        for name, content in want.files:
            if name in slow:
                text = content if isinstance(content, str) else content.decode()
                write_slowly(box, name, text, 0.7)
            else:
                box.drop(name, content)
            # Without a revision column the order counts, so each file is let in before the next.
            while name.encode() in box.names("inbox"):
                time.sleep(0.01)

    box.start()
    feeder = threading.Thread(target=feed, daemon=True)
    feeder.start()
    for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGKILL):
        time.sleep(chance.uniform(0.2, 0.7))
        box.stop(number, want=-9 if number == signal.SIGKILL else 0)
        box.start()
    feeder.join(sandbox.TIMEOUT_S)
    must(not feeder.is_alive(), "not all files could be dropped")
    box.settled()
    box.wait(lambda: len(box.names("done")) + len(box.names("rejected")) >= len(want.files),
             "all files are settled")
    box.stop()
    want.check(box)


def add_arguments(parser):
    parser.add_argument("--rows", type=int, default=ROWS, help=f"of the large file ({ROWS})")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"of kills ({ROUNDS})")
    parser.add_argument("--seed", type=int, default=1, help="of the moments (1)")


if __name__ == "__main__":
    sandbox.run_tests(sys.modules[__name__], sandbox.arguments(__doc__, add_arguments),
                      "crash killed")
