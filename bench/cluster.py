"""The table of ledgers: the same feed kept by tallyd itself, and by one and two ClickHouse shards.

Servers of Debian's ClickHouse are started on this machine (tests/cluster/servers.py), so that two
shards share its cores: what they show is what dividing costs, not what a second machine gains.
Each ledger is loaded once; then all of them are asked the same questions in turn, each question a
`tally` of its own, and the answers are compared byte for byte.

    rollup    the file that the daemon has written: the same whoever keeps the ledger
    ledger    the ledger itself, added up for the question: `--engine ledger` or `clickhouse`
"""

import contextlib
import dataclasses
import pathlib
import re
import shutil
import subprocess
import sys
import time

import measure
import rivals
from shapes import GROUP, WINDOW_DAYS
from show import number, say, spread

sys.path.insert(0, str(rivals.BENCH.parent / "tests" / "cluster"))

import servers  # noqa: E402

DATABASE = "bench"
CORRECTIONS = 20_000
MEMORY_BYTES = 6 << 30  # of one question in a server


@dataclasses.dataclass
class Found:
    """Of one ledger."""

    rows: int = 0
    load_s: float = 0
    cpu_s: float = 0  # of tallyd alone
    peak_mib: float = 0  # of tallyd
    correct_s: float = 0  # a file of corrections until its batch stands
    publish_s: float = 0  # and then the rollup anew
    kept_bytes: int = 0  # after the load, as the servers have it
    merged_bytes: int = 0  # when they have merged all
    server_mib: float = 0  # the largest server's
    asked_s: dict = dataclasses.field(default_factory=dict)  # question -> times
    said: dict = dataclasses.field(default_factory=dict)  # question -> answer


def missing():
    """What this machine lacks, or an empty text."""
    try:
        servers.clickhouse()
    except servers.Absent as reason:
        return str(reason)
    return ""


class Embedded:
    """tallyd's own ledger."""

    name = "embedded"

    def __init__(self, build, shape, data, work):
        self.tallyd = rivals.Tallyd(build)
        self.shape, self.data, self.work = shape, data, work

    def close(self):
        """Nothing runs."""

    def section(self):
        return ""

    def begin(self):
        """Untimed. The command that takes in what waits."""
        command, _ = self.tallyd.prepare(self.shape, self.data, self.work)
        with open(self.work / "tallyd.conf", "a", encoding="ascii") as config:
            config.write(self.section())
        return command

    def bytes(self):
        return sum(path.stat().st_size for path in (self.work / "state/ledger").iterdir())

    def merged_bytes(self):
        return self.bytes()

    def server_mib(self):
        return 0

    def questions(self, end):
        window = ["window", "bench", "--days", str(WINDOW_DAYS), "--end", end]
        ledger = [*window, *self.from_ledger()]
        by = ["--by", ",".join(GROUP)]
        return {
            "rollup, total": window,
            "rollup, all groups": [*window, *by],
            "ledger, total": ledger,
            "ledger, by country": [*ledger, "--by", "country"],
            "ledger, all groups": [*ledger, *by],
        }

    def from_ledger(self):
        return ["--engine", "ledger"]

    def ask(self, words):
        command = [str(self.tallyd.build / "bin" / "tally"), "-c", str(self.work / "tallyd.conf")]
        begin = time.monotonic()
        text = rivals.output([*command, *words, "--format", "csv"])
        return time.monotonic() - begin, text


class Sharded(Embedded):
    """The ledger on so many servers."""

    def __init__(self, build, shape, data, work, shards):
        super().__init__(build, shape, data, work)
        self.name = f"{shards} shard{'s' if shards > 1 else ''}"
        self.cluster = servers.Cluster(shards, memory_bytes=MEMORY_BYTES)

    def close(self):
        self.cluster.stop()

    def section(self):
        return "\n" + self.cluster.store(DATABASE)

    def begin(self):
        command = super().begin()
        rivals.output([*command[:-1], "--init-store"])
        return command

    def bytes(self):
        # What is on the disk, replaced parts that wait for their removal left out.
        sizes = self.cluster.each("SELECT sum(bytes_on_disk) FROM system.parts WHERE active AND "
                                  f"database = '{DATABASE}'")
        return sum(int(size) for size in sizes)

    def merged_bytes(self):
        tables = self.cluster.ask("SELECT name FROM system.tables WHERE "
                                  f"database = '{DATABASE}' AND engine LIKE '%MergeTree'")
        for table in tables.split():
            self.cluster.each(f"OPTIMIZE TABLE {DATABASE}.{table} FINAL")
        return self.bytes()

    def server_mib(self):
        pids = [one.process.popen.pid for one in self.cluster.server]
        text = [pathlib.Path(f"/proc/{pid}/status").read_text(encoding="ascii") for pid in pids]
        return max(int(re.search(r"^VmHWM:\s+(\d+)", one, re.M)[1]) for one in text) / 1024

    def from_ledger(self):
        return ["--engine", "clickhouse"]


def corrections(data, path):
    """Some rows of the file once more, each with one more killed."""
    with open(data, encoding="ascii") as rows, open(path, "w", encoding="ascii") as out:
        header = next(rows)
        out.write(header)
        killed = header.rstrip("\n").split(",").index("killed")
        for _, row in zip(range(CORRECTIONS), rows):
            cells = row.rstrip("\n").split(",")
            cells[killed] = str(int(cells[killed] or 0) + 1)
            out.write(",".join(cells) + "\n")


def settle(command, rows):
    subprocess.run(["sync"], check=True)  # what others left is not this one's to write
    cost, code, said = measure.run(command, "")
    if code != 0:
        raise rivals.Failed(f"tallyd --once exited {code}: {said.strip()[-500:]}")
    if f"rows={rows}" not in said:
        raise rivals.Failed(f"not all of {rows} rows: {said.strip()[-500:]}")
    return cost, said


def told_s(said, name):
    """Seconds that the log's last line with this name says."""
    return float(re.findall(rf"\b{name}=([\d.]+)", said)[-1]) / 1000


def load(ledger, rows, data):
    found = Found(rows)
    command = ledger.begin()
    cost, _ = settle(command, rows)
    found.load_s, found.cpu_s, found.peak_mib = cost.wall_s, cost.cpu_s, cost.peak_mib
    corrections(data, ledger.work / "corrections.csv")
    shutil.move(ledger.work / "corrections.csv", ledger.work / "state/inbox/corrections.csv")
    _, said = settle(command, CORRECTIONS)
    found.correct_s = told_s(said, "store_ms") + told_s(said, "sync_ms")
    found.publish_s = told_s(said, "publish_ms")
    found.kept_bytes = ledger.bytes()
    return found


def last_day(ledger):
    rows = ledger.tallyd.tally(ledger.work, "rollups")
    return rows[0]["last_day"]


def measure_ledgers(build, shape, rows, data, rounds):
    """name -> Found."""
    work = build / "bench" / "work-cluster"
    shutil.rmtree(work, ignore_errors=True)
    found = {}
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, work, ignore_errors=True)
        ledgers = []
        for make in (Embedded, lambda *a: Sharded(*a, 1), lambda *a: Sharded(*a, 2)):
            folder = work / str(len(ledgers))
            folder.mkdir(parents=True)
            ledger = make(build, shape, data, folder)
            stack.callback(ledger.close)
            say(f"loading {rows:,} rows: {ledger.name}")
            found[ledger.name] = load(ledger, rows, data)
            ledgers.append(ledger)
        end = last_day(ledgers[0])
        for ledger in ledgers:
            found[ledger.name].merged_bytes = ledger.merged_bytes()
        for _ in range(rounds):
            for ledger in ledgers:
                for question, words in ledger.questions(end).items():
                    seconds, text = ledger.ask(words)
                    found[ledger.name].asked_s.setdefault(question, []).append(seconds)
                    found[ledger.name].said[question] = text
        for ledger in ledgers:
            found[ledger.name].server_mib = ledger.server_mib()
    return found


def in_ms(seconds):
    return spread([second * 1000 for second in seconds])


def show(shape, found):
    names = list(found)
    incidents = next(iter(found.values())).rows
    say(f"\nledgers, {shape.name} shape: {incidents:,} incidents, then {CORRECTIONS:,} corrections")
    say(f"{'':34}" + "".join(f"{name:>18}" for name in names))

    def line(title, value):
        say(f"{title:34}" + "".join(f"{value(one):>18}" for one in found.values()))

    line("load, s", lambda one: number(one.load_s))
    line("load, thousand rows a second", lambda one: number(one.rows / one.load_s / 1000))
    line("tallyd, processor s", lambda one: number(one.cpu_s))
    line("tallyd, most MiB", lambda one: number(one.peak_mib))
    line("largest server, most MiB", lambda one: number(one.server_mib) if one.server_mib else "-")
    line("corrections taken in, s", lambda one: number(one.correct_s))
    line("rollup published then, s", lambda one: number(one.publish_s))
    line("bytes an incident", lambda one: number(one.kept_bytes / one.rows))
    line("bytes an incident, merged", lambda one: number(one.merged_bytes / one.rows))
    for question in next(iter(found.values())).asked_s:
        line(f"{question}, ms", lambda one, question=question: in_ms(one.asked_s[question])[0])
        line("    least-most", lambda one, question=question: in_ms(one.asked_s[question])[1])


def kept(found):
    return {name: {**dataclasses.asdict(one), "said": None} for name, one in found.items()}


def wrong(found):
    """Answers that differ, a text each."""
    first = next(iter(found.values()))
    return [f"{name}: {question}: another answer than the embedded ledger's"
            for name, one in found.items() for question, text in one.said.items()
            if text != first.said[question]]
