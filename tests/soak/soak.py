#!/usr/bin/env python3
"""The daemon under random drops, revisions, kills, full disks and restarts, for as long as asked.

Now and then everything comes to rest, and then all promises are checked: each file that was dropped
is in one place; each was told once as what a naive model (tests/oracle) says of it, in the order in
which the ledger has them; every cell of the rollup is the model's; tally verify passes; the daemon
has as many descriptors as at first, and no more memory than its incidents explain.

An era is one state directory with feeds of its own. In stormy eras the daemon is killed and stopped
at random moments, in calm ones it runs through, so that a leak would show. The state lies on a small
tmpfs where the machine lets us mount one (root): that is filled up at random moments. The seed
repeats what is dropped, not the moments.
"""

import argparse
import collections
import os
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / "crash"), str(ROOT / "tests" / "oracle")]

import histories  # noqa: E402
import model  # noqa: E402
import modes_follow_the_model as modes  # noqa: E402
import oracle  # noqa: E402
from sandbox import Failure, Sandbox, must  # noqa: E402

SETTINGS = """\
scan_interval = 200ms
settle = 300ms
publish_interval = 200ms
segment_max = 256K
chunk_rows = 512
chunk_max = 256K

"""
DISK_MIB = 64
LEDGER_MIB_MAX = 16  # then a new era begins
ERA_S = 180
ACTIONS_A_CHECK = 40
REST_S = 60
DESCRIPTORS_MORE = 2  # than at the first rest: the ledger's reader opens its segment when it needs it
GROWTH_MIB_MAX = 8  # of a calm daemon beyond its first rest, with hardly more incidents
LARGE_IDS = 3000


class Disk:
    """A tmpfs that may be filled, or an ordinary folder where nobody lets us mount."""

    def __init__(self):
        self.path = pathlib.Path(tempfile.mkdtemp(prefix="tally-soak-"))
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_MIB}m,mode=755", "tmpfs",
                               self.path], capture_output=True, check=False)
        self.mounted = done.returncode == 0

    def close(self):
        if self.mounted:
            subprocess.run(["umount", "-l", self.path], check=False)
        self.path.rmdir()

    def fill(self, left):
        """Takes all but so many bytes."""
        room = os.statvfs(self.path)
        take = room.f_bavail * room.f_frsize - left
        if self.mounted and take > 0:
            with open(self.path / "ballast", "wb") as out:
                try:
                    os.posix_fallocate(out.fileno(), 0, take)
                except OSError:
                    pass

    def free(self):
        (self.path / "ballast").unlink(missing_ok=True)


def status_of(pid, word):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(word + ":"):
            return int(line.split()[1])
    raise Failure(f"no {word} in the status of the daemon")


class Era:
    def __init__(self, options, rng, disk, calm, counts):
        self.rng, self.disk, self.calm, self.counts = rng, disk, calm, counts
        self.feeds = modes.random_feeds(rng)
        config = "\n".join(feed.section() for feed in self.feeds) + "\n"
        config += model.rollup("all", ["a"], modes.DIMS, modes.MEASURES)
        self.box = Sandbox(options.bin, SETTINGS + config, disk.path)
        self.model = model.Model(self.feeds)
        self.ids = histories.IDS + [f"S-{i}" for i in range(40)]
        self.style = rng.choice(["number", "time"])
        self.dropped = {}   # name -> File, or bytes of what is no feed's
        self.waiting = set()  # dropped since the last rest
        self.told = 0       # rows of `tally files` that were compared
        self.first = None   # descriptors, KiB and incidents at the first rest of this process

    # ---- What happens ----

    def start(self):
        self.box.start()
        self.first = None

    def drop(self):
        rng = self.rng
        number = len(self.dropped)
        chance = rng.random()
        feed = rng.choice(self.feeds + self.feeds[:1])
        files = [file for file in self.dropped.values() if isinstance(file, oracle.File)]
        if chance < 0.06:
            name, file = f"x-{number}.csv", rng.choice(
                [b"", b"colour,size\nred,%d\n" % number, os.urandom(200), b"\xff\xfea",
                 b"id,first\n1,\"2020-01-0" + b"1" * (number % 7)])
        elif chance < 0.12 and files:
            earlier = rng.choice(files)
            name = f"{earlier.feed}-{number:06}.csv"
            file = oracle.File(name, earlier.feed, earlier.header, earlier.records, earlier.style)
        else:
            file = self.new_file(feed, number)
            name = file.name
        self.dropped[name] = file
        self.waiting.add(name.encode())
        content = file if isinstance(file, bytes) else file.content()
        if rng.random() < 0.8:
            self.put(name, content)
        else:
            self.write_slowly(name, content)
        self.counts["files"] += 1

    def new_file(self, feed, number):
        rng = self.rng
        now = number // 8 + 1 if feed.mode == "snapshot" else rng.randrange(1, 20)
        records = modes.random_records(rng, feed, self.style, min(now, 27), self.ids)
        if rng.random() < 0.1 and feed.mode == "upsert":
            for _ in range(rng.choice([500, 3000])):
                revision = modes.revision_of(rng, self.style, 10) if feed.revision else None
                records.append(histories.row(rng, feed, f"L-{rng.randrange(LARGE_IDS)}", revision))
        # No two files are the same bytes unless that is meant.
        return histories.file(rng, feed, number, records + self.marker(feed, number))

    def marker(self, feed, number):
        revision = modes.revision_of(self.rng, self.style, 5) if feed.revision else None
        if feed.mode == "deletions":
            return [[f"none-{number}"] + ([revision] if feed.revision else [])]
        return [histories.row(self.rng, feed, f"M-{number % 50}", revision, modes.SCOPES)[:-1]
                + [str(number)]]

    def put(self, name, content):
        """Renamed in, from the folder beside, which is on no full disk."""
        while True:
            try:
                self.box.drop(name, content)
                return
            except OSError:
                self.disk.free()

    def write_slowly(self, name, content):
        """Closed in the end, and whole then: a sender that meets a full disk tries again."""
        while True:
            try:
                with open(self.box.inbox / name, "wb", buffering=0) as out:
                    for at in range(0, len(content), 1000):
                        out.write(content[at:at + 1000])
                        time.sleep(0.001)
                    if os.fstat(out.fileno()).st_size == len(content):
                        return
            except OSError:
                pass
            self.disk.free()

    def disturb(self):
        rng = self.rng
        chance = rng.random()
        if chance < 0.45 and not self.calm:
            self.box.stop(signal.SIGKILL, want=-9)
            self.counts["kills"] += 1
            self.box.tally("verify").ended(0)
            self.start()
        elif chance < 0.6 and not self.calm:
            self.box.stop()
            self.counts["stops"] += 1
            self.start()
        elif self.disk.mounted and rng.random() < 0.5:
            self.disk.fill(rng.choice([0, 4096, 20_000, 100_000]))
            self.counts["full disks"] += 1
            for _ in range(rng.randrange(1, 4)):
                time.sleep(0.1)
            if not self.calm and rng.random() < 0.3:
                self.box.stop(signal.SIGKILL, want=-9)
                self.disk.free()
                self.start()
            self.disk.free()
        elif rng.random() < 0.5:
            self.box.daemon.send_signal(signal.SIGSTOP)
            time.sleep(0.05)
            self.box.daemon.send_signal(signal.SIGCONT)

    def act(self):
        if self.rng.random() < 0.9:
            self.drop()
        else:
            self.disturb()
        if self.rng.random() < 0.3:
            time.sleep(self.rng.random() * 0.05)

    # ---- What must hold ----

    def rest(self):
        self.disk.free()
        self.box.settled(REST_S)
        self.in_one_place()
        self.as_the_model_says()
        self.box.tally("verify").ended(0)
        if self.box.daemon:
            self.flat()
        self.counts["checks"] += 1

    def in_one_place(self):
        """What was dropped since the last rest; who looks at done/ may take it away then."""
        there = collections.Counter()
        for folder in ("inbox", "claimed", "done", "rejected"):
            for name in self.box.names(folder):
                there[name] += name in self.waiting
                if folder in ("done", "rejected"):
                    os.unlink(os.path.join(os.fsencode(self.box.state / folder), name))
        wrong = {name: there[name] for name in self.waiting if there[name] != 1}
        must(not wrong, f"not in exactly one place: {wrong}")
        self.waiting.clear()

    def as_the_model_says(self):
        rows = self.box.table("files")
        settled = set()
        for number, row in enumerate(rows):
            name, outcome = row["file"], row["outcome"]
            again = name in settled and outcome != "accepted"
            settled.add(name)
            if number < self.told or again:
                continue  # noted once more after a kill: it makes no difference
            self.counts[outcome] += 1
            file = self.dropped[name]
            if isinstance(file, bytes):
                must(outcome == "rejected", f"{name} is no feed's: {row}")
                continue
            oracle.same(self.model.take(file), modes.said_of(row), f"tally files: {name}")
        self.told = len(rows)
        must(settled == set(self.dropped), f"never told: {set(self.dropped) - settled}")
        want = model.cells(self.model.incidents("a"), modes.MEASURES)
        self.box.wait(lambda: self.cells() == want, "the rollup is that of the model", REST_S, 0.2)

    def cells(self):
        if not (self.box.state / "rollup" / "all.rollup").exists():
            return {}
        cells = {}
        for row in self.box.table("dump", "all"):
            key = tuple(row.pop(name) for name in modes.DIMS + ["day"])
            cells[key] = row
        return cells

    def flat(self):
        pid = self.box.daemon.pid
        # It may be writing a rollup just now.
        descriptors = []
        for _ in range(8):
            descriptors.append(len(os.listdir(f"/proc/{pid}/fd")))
            time.sleep(0.02)
        now = (min(descriptors), status_of(pid, "VmRSS"),
               sum(len(ids) for ids in self.model.kept.values()))
        self.counts["rss_kib_max"] = max(self.counts["rss_kib_max"], now[1])
        if not self.first:
            self.first = now
            return
        must(now[0] <= self.first[0] + DESCRIPTORS_MORE,
             f"{now[0]} descriptors, {self.first[0]} at first")
        explained_kib = (now[2] - self.first[2]) // 4  # 256 bytes an incident
        grown = (now[1] - self.first[1] - explained_kib) / 1024
        self.counts["growth_kib_max"] = max(self.counts["growth_kib_max"], int(grown * 1024))
        must(grown <= GROWTH_MIB_MAX, f"{grown:.1f} MiB more than at the first rest")

    def ledger_mib(self):
        return sum(path.stat().st_size for path in (self.box.state / "ledger").iterdir()) / (1 << 20)

    def run(self, until):
        with self.box:
            try:
                self.start()
                end = min(until, time.monotonic() + ERA_S)
                while time.monotonic() < end and self.ledger_mib() < LEDGER_MIB_MAX:
                    for _ in range(self.rng.randrange(ACTIONS_A_CHECK)):
                        self.act()
                    self.rest()
                self.box.stop()
                self.box.once().ended(0, 1)  # recovering once more changes nothing
                self.box.daemon = None
                self.rest()
            except Exception:
                print(self.box.log()[-3000:])
                print(f"--- tallyd.conf\n{self.box.config.read_text()}")
                raise


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--bin", type=pathlib.Path, default=ROOT / "build" / "bin")
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    options.bin = options.bin.resolve()
    rng = random.Random(options.seed)
    counts = collections.Counter()
    started = time.monotonic()
    until = started + 60 * options.minutes
    disk = Disk()
    if not disk.mounted:
        print("soak: no tmpfs can be mounted here: disks are never full", flush=True)
    try:
        while time.monotonic() < until:
            counts["eras"] += 1
            Era(options, rng, disk, counts["eras"] % 2 == 0, counts).run(until)
            print(f"soak: {(time.monotonic() - started) / 60:.1f} min, {counts['eras']} eras, "
                  f"{counts['files']} files, {counts['checks']} checks", flush=True)
    except (Failure, oracle.Failure, subprocess.TimeoutExpired) as failure:
        print(failure)
        sys.exit(f"soak: fails in era {counts['eras']} of seed {options.seed}")
    finally:
        disk.free()
        disk.close()
    told = ", ".join(f"{counts[name]} {name}" for name in (
        "accepted", "duplicate", "superseded", "rejected", "kills", "stops", "full disks"))
    print(f"soak: {(time.monotonic() - started) / 60:.1f} minutes, seed {options.seed}, "
          f"{counts['eras']} eras, {counts['files']} files: {told}; {counts['checks']} times all "
          f"held; at most {counts['rss_kib_max'] / 1024:.1f} MiB resident, "
          f"{counts['growth_kib_max'] / 1024:.1f} MiB more than at the first rest")


if __name__ == "__main__":
    main()
