"""The tables of small files: how many a second, and how long one takes until its figures are out.

small: 10,000 files of 20 rows, of which two correct incidents of the file before. They wait for tallyd
--once, or are renamed into the inbox of a daemon that runs. SQLite takes each file in a transaction of
its own, as safe from a power cut (WAL, synchronous = FULL), rows by key, and no day cells.

latency: files of 200 corrections and new incidents, one by one, into a daemon that keeps all rows of the
shape; from the rename until it says that the rollup is published. The parts are what its log says.
"""

import contextlib
import csv
import dataclasses
import itertools
import queue
import re
import shutil
import sqlite3
import statistics
import subprocess
import threading
import time

import measure
import rivals
from show import disagreements, number, say, spread

FILES = 10_000
ROWS = 20
CORRECTED = 2
AIM_FILES_A_S = 2_000
DROPS = 31  # the first one after a start publishes the whole rollup, and is left out
DROP_ROWS = 200
AIM_MS = 10
SEED = 1
PARTS = ("wait_ms", "read_ms", "store_ms", "sync_ms", "retire_ms", "publish_ms")


# ---- the daemon ---------------------------------------------------------------------------


class Daemon:
    """tallyd, and what it says, line by line. It is read all the time: a full pipe would stop it."""

    def __init__(self, command):
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        self.lines = queue.SimpleQueue()
        self.reader = threading.Thread(target=self.read)
        self.reader.start()
        # It watches its inbox before it publishes what it has, if only that there is nothing.
        self.wait_for("event=rollups_published")

    def read(self):
        for line in self.process.stderr:
            self.lines.put(line)
        self.lines.put(None)

    def wait_for(self, text):
        """All lines up to the one that has this text."""
        lines = []
        for line in iter(self.lines.get, None):
            lines.append(line)
            if text in line:
                return lines
        raise rivals.Failed(f"tallyd ended: {''.join(lines)[-500:]}")

    def stop(self):
        self.process.terminate()
        self.reader.join()
        self.process.wait()


@contextlib.contextmanager
def running(command):
    daemon = Daemon(command)
    try:
        yield daemon
    finally:
        daemon.stop()


@contextlib.contextmanager
def emptied(folder):
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


# ---- many files ---------------------------------------------------------------------------


@dataclasses.dataclass
class Many:
    files: int
    seconds: dict  # by who
    said: list


def make_many(shape, data, folder, files):
    """Files of rows of the shape, the first rows of each being those of the file before, corrected."""
    killed = shape.columns.index("killed")
    folder.mkdir()
    with open(data, newline="", encoding="utf-8") as source:
        rows = csv.reader(source)
        header = next(rows)
        before = []
        for i in range(files):
            own = list(itertools.islice(rows, ROWS - len(before)))
            corrected = [[*row[:killed], str(int(row[killed] or 0) + 1), *row[killed + 1:]]
                         for row in before]
            with open(folder / f"{i:05d}.csv", "w", newline="", encoding="utf-8") as out:
                csv.writer(out).writerows([header, *corrected, *own])
            before = own[:CORRECTED]


def prepare(build, shape, data, work):
    """A state directory with an empty inbox, and the command for it."""
    tallyd = rivals.Tallyd(build)
    command, _ = tallyd.prepare(shape, data, work)
    (work / "state" / "inbox" / data.name).unlink()
    return tallyd, command


def figures_of(tallyd, work):
    found = tallyd.result(work)
    return {name: found[name] for name in ("incidents", "killed")}


def waiting(build, shape, data, files, work):
    tallyd, command = prepare(build, shape, data, work)
    for path in sorted(files.iterdir()):  # the later row wins, by order of arrival
        shutil.copyfile(path, work / "state" / "inbox" / path.name)
    rivals.output(["sync"])
    cost, code, said = measure.run(command, "")
    if code != 0:
        raise rivals.Failed(f"tallyd --once exited {code}: {said.strip()[-500:]}")
    return cost.wall_s, figures_of(tallyd, work)


def dropped(build, shape, data, files, work):
    tallyd, command = prepare(build, shape, data, work)
    beside = work / "beside"
    rivals.output(["cp", "-r", str(files), str(beside)])
    rivals.output(["sync"])
    names = sorted(path.name for path in beside.iterdir())
    with running(command[:-1]) as daemon:
        begin = time.monotonic()
        for name in names:
            (beside / name).rename(work / "state" / "inbox" / name)
        daemon.wait_for(f"event=rollups_published batches={len(names)} ")
        wall_s = time.monotonic() - begin
    return wall_s, figures_of(tallyd, work)


def in_sqlite(shape, files, work):
    kept = [column for _, column in shape.kept]
    database = sqlite3.connect(work / "small.db", isolation_level=None)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = FULL")
    columns = ", ".join(f"{name} {'INTEGER' if name in shape.integers else 'TEXT'}"
                        for name in kept)
    database.execute(f"CREATE TABLE incident ({columns}, PRIMARY KEY ({kept[0]})) WITHOUT ROWID")
    put = f"INSERT OR REPLACE INTO incident VALUES ({', '.join('?' * len(kept))})"
    begin = time.monotonic()
    for path in sorted(files.iterdir()):
        with open(path, newline="", encoding="utf-8") as rows:
            taken = [[row[name] or None for name in kept] for row in csv.DictReader(rows)]
        database.execute("BEGIN")
        database.executemany(put, taken)
        database.execute("COMMIT")
    wall_s = time.monotonic() - begin
    found = database.execute("SELECT count(*), sum(killed) FROM incident").fetchone()
    database.close()
    return wall_s, dict(zip(("incidents", "killed"), found))


def measure_many(build, shape, data, rounds, files_count):
    work = build / "bench" / "work-small"
    found = Many(files_count, {}, [])
    stated = []
    with emptied(build / "bench" / "small-files") as folder:
        files = folder / "files"
        make_many(shape, data, files, files_count)
        ways = (("tallyd, waiting", lambda: waiting(build, shape, data, files, work)),
                ("tallyd, dropped", lambda: dropped(build, shape, data, files, work)),
                ("sqlite", lambda: in_sqlite(shape, files, work)))
        for _, (name, way) in itertools.product(range(rounds), ways):
            with emptied(work):
                wall_s, figures = way()
            found.seconds.setdefault(name, []).append(wall_s)
            stated.append((name, figures))
    found.said = disagreements(stated)
    return found


def show_many(found):
    say(f"{found.files:,} files of {ROWS} rows, each a batch of its own, files a second")
    for name, seconds in found.seconds.items():
        median, least_most = spread([found.files / value for value in seconds])
        say(f"  {name:20}{median:>8}  {least_most}")
    say("")


def missed_many(found):
    rates = {name: found.files / statistics.median(seconds)
             for name, seconds in found.seconds.items() if name.startswith("tallyd")}
    return [f"{name}: {rate:,.0f} small files a second, aim {AIM_FILES_A_S:,}"
            for name, rate in rates.items() if rate < AIM_FILES_A_S]


# ---- one file -----------------------------------------------------------------------------


@dataclasses.dataclass
class One:
    rows: int
    total_ms: list
    parts_ms: dict  # by part


def make_drop(build, shape, rows, index, path):
    generator = str(build / "bench" / "bench_generate")
    with open(path, "wb") as out:
        subprocess.run([generator, "--shape", shape.name, "--seed", str(SEED), "--rows",
                        str(DROP_ROWS), "--over", str(rows), "--revision", str(index + 1)],
                       stdout=out, check=True)


def drop_one(daemon, path, inbox, batch, found):
    begin = time.monotonic()
    path.rename(inbox / path.name)
    lines = "".join(daemon.wait_for(f"event=rollups_published batches={batch} "))
    found.total_ms.append((time.monotonic() - begin) * 1000)
    for part in PARTS:
        found.parts_ms.setdefault(part, []).append(float(re.search(rf"{part}=(\S+)", lines)[1]))


def measure_one(build, shape, rows, data):
    found = One(rows, [], {})
    with emptied(build / "bench" / "work-latency") as work:
        command, text = rivals.Tallyd(build).prepare(shape, data, work)
        _, code, said = measure.run(command, text)
        if code != 0:
            raise rivals.Failed(f"tallyd --once exited {code}: {said.strip()[-500:]}")
        beside = work / "beside"
        beside.mkdir()
        paths = [beside / f"drop-{i:02d}.csv" for i in range(DROPS)]
        for i, path in enumerate(paths):
            make_drop(build, shape, rows, i, path)
        rivals.output(["sync"])
        with running(command[:-1]) as daemon:
            inbox = work / "state" / "inbox"
            drop_one(daemon, paths[0], inbox, 2, One(rows, [], {}))
            for batch, path in enumerate(paths[1:], start=3):
                drop_one(daemon, path, inbox, batch, found)
    return found


def show_one(found):
    say(f"{DROP_ROWS} rows dropped over {found.rows:,} kept, ms from the rename until published, "
        f"medians and worst of {len(found.total_ms)}")
    named = sum(map(statistics.median, found.parts_ms.values()))
    for name, values in found.parts_ms.items():
        say(f"  {name:20}{number(statistics.median(values)):>8}  worst {number(max(values)):>8}")
    total = statistics.median(found.total_ms)
    say(f"  {'event, claim, tell':20}{number(max(total - named, 0)):>8}")
    say(f"  {'in all':20}{number(total):>8}  worst {number(max(found.total_ms)):>8}")
    say("")


def missed_one(found):
    total_ms = statistics.median(found.total_ms)
    return [f"{DROP_ROWS} rows visible after {total_ms:.1f} ms, aim {AIM_MS} ms"
            ] if total_ms > AIM_MS else []


def kept(found):
    return dataclasses.asdict(found)
