"""What the oracle tests share: cases, running the two programs, and making failures small.

A case is a configuration and the files that are dropped one behind the other. A test makes cases
from a seed and checks each; the first one that fails is cut down, as long as it still fails, and
printed with everything that repeats it.
"""

import argparse
import contextlib
import csv
import dataclasses
import io
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "cluster"))

import stores  # noqa: E402

TIMEOUT_S = 120
SHRINK_S = 20
SKIPPED = 77  # ctest's SKIP_RETURN_CODE
PARSER = "split"  # how tallyd reads CSV


class Failure(Exception):
    """The programs and the oracle disagree."""


@dataclasses.dataclass
class File:
    """A CSV file as it is dropped. `style`: seed of how its fields are quoted."""
    name: str
    feed: str
    header: list
    records: list
    style: int = 0

    def lines(self):
        """The header and each record as written."""
        rng = random.Random(self.style)
        end = rng.choice(["\n", "\n", "\r\n"])
        return [",".join(spelled(field, rng) for field in record) + end
                for record in [self.header] + self.records]

    def content(self):
        return "".join(self.lines()).encode("utf-8", "surrogateescape")


def spelled(field, rng):
    if any(c in field for c in ',"\r\n') or field != field.strip() or rng.random() < 0.1:
        return '"' + field.replace('"', '""') + '"'
    return field


@dataclasses.dataclass
class Case:
    """`feeds` is what the model knows of the configuration; `seed` settles what is asked."""
    config: str
    files: list
    feeds: list = dataclasses.field(default_factory=list)
    seed: str = ""


class Tallyd:
    """A fresh state directory and the programs that work on it.

    Where tests/cluster/on.py has started servers, its ledger is there, unless `embedded`.
    """

    def __init__(self, folder, config, embedded=False):
        self.folder = folder
        self.temporary = tempfile.TemporaryDirectory(prefix="tally-oracle-")
        self.home = pathlib.Path(self.temporary.name)
        self.state = self.home / "state"
        self.inbox = self.state / "inbox"
        self.inbox.mkdir(parents=True)
        self.config = self.home / "tallyd.conf"
        self.stack = contextlib.ExitStack()
        database = None if embedded else self.stack.enter_context(stores.fresh())
        self.config.write_text(f"[tallyd]\nstate = {self.state}\nparser = {PARSER}\n\n{config}"
                               + (database.section() if database else ""))
        if database:
            database.make(self.command("tallyd"))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stack.close()
        self.temporary.cleanup()

    def command(self, program, *words):
        return [str(self.folder / program), "-c", str(self.config), *words]

    def drop(self, name, content):
        part = self.state / (name + ".part")
        part.write_bytes(content)
        part.rename(self.inbox / name)

    def settle(self):
        """tallyd --once; True when it rejected no file."""
        done = run(self.command("tallyd", "--once"))
        if done.returncode not in (0, 1):
            raise Failure(f"tallyd --once: exit status {done.returncode}\n"
                          + done.stderr.decode(errors="replace"))
        left = sorted(path.name for path in self.inbox.iterdir())
        left += sorted(path.name for path in (self.state / "claimed").iterdir())
        if left:
            raise Failure(f"tallyd --once left in inbox or claimed: {left}")
        return done.returncode == 0

    def take(self, files):
        for file in files:
            self.drop(file.name, file.content())
        return self.settle()

    def refusal(self, *words):
        """Exit status and message of a tally command that has to fail."""
        done = run(self.command("tally", *words))
        if done.returncode == 0:
            raise Failure(f"tally {' '.join(words)}: should be refused, prints\n"
                          + done.stdout.decode())
        return done.returncode, done.stderr.decode()

    def ask(self, *words):
        """The rows of a tally command, each a dict by column."""
        done = run(self.command("tally", *words, "--format", "csv"))
        if done.returncode != 0:
            raise Failure(f"tally {' '.join(words)}: exit status {done.returncode}\n"
                          + done.stderr.decode(errors="replace"))
        try:
            text = io.StringIO(done.stdout.decode(), newline="")
        except UnicodeDecodeError as error:
            raise Failure(f"tally {' '.join(words)}: {error}:\n{done.stdout}") from error
        return list(csv.DictReader(text, strict=True))

    def digests(self):
        return {row["rollup"]: row["digest"] for row in self.ask("rollups")}


def run(command):
    environment = {**os.environ, "TZ": "UTC", "LC_ALL": "C.UTF-8", "NO_COLOR": "1"}
    return subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL,
                          env=environment, timeout=TIMEOUT_S, check=False)


def same(want, got, what):
    """Compares two dicts, and names the first entries that differ."""
    if want == got:
        return
    keys = sorted(key for key in want.keys() | got.keys() if want.get(key) != got.get(key))
    lines = [f"  {key}: should be {want.get(key)}, is {got.get(key)}" for key in keys[:8]]
    raise Failure(f"{what}: {len(keys)} differ\n" + "\n".join(lines))


def fails(check, case):
    """Why a case fails, or None."""
    try:
        check(case)
    except (Failure, subprocess.TimeoutExpired) as failure:
        return str(failure)
    return None


def without(items, first, count):
    return items[:first] + items[first + count:]


def smaller(case):
    """Yields cases with fewer files, then with fewer records in one file."""
    for i in reversed(range(len(case.files))):
        yield dataclasses.replace(case, files=without(case.files, i, 1))
    for i, file in enumerate(case.files):
        count = len(file.records)
        while count > 0:
            for first in range(0, len(file.records), count):
                records = without(file.records, first, count)
                if records:
                    cut = dataclasses.replace(file, records=records)
                    yield dataclasses.replace(case, files=case.files[:i] + [cut]
                                              + case.files[i + 1:])
            count //= 2


def kind(reason):
    """The command that a reason begins with: cutting down may not lead to another failure."""
    return reason.split(":")[0].split(" --")[0]


def shrink(check, case, reason):
    end = time.monotonic() + SHRINK_S
    again = True
    while again and time.monotonic() < end:
        again = False
        for candidate in smaller(case):
            found = fails(check, candidate)
            if found and kind(found) == kind(reason):
                case, reason, again = candidate, found, True
                break
            if time.monotonic() > end:
                break
    return case, reason


def show(case, reason, seed):
    print(f"--- tallyd.conf\n{case.config}")
    for file in case.files:
        print(f"--- {file.name}\n{file.content().decode(errors='backslashreplace')}", end="")
    print(f"---\n{reason}\nfailing seed: --seed {seed} --rounds 1")


def options(doc, rounds):
    global PARSER
    parser = argparse.ArgumentParser(description=doc.split("\n", 1)[0])
    parser.add_argument("--bin", type=pathlib.Path, default=ROOT / "build" / "bin",
                        help="where tallyd and tally are (build/bin)")
    parser.add_argument("--seed", type=int, default=1, help="of the first round")
    parser.add_argument("--rounds", type=int, default=rounds, help=f"random cases ({rounds})")
    parser.add_argument("--parser", choices=["split", "libcsv"], default="split",
                        help="how tallyd reads CSV (split)")
    asked = parser.parse_args()
    asked.bin = asked.bin.resolve()
    PARSER = asked.parser
    return asked


def main(doc, rounds, make, check):
    """`make(rng)` gives a case, `check(case, folder)` raises Failure when it does not hold."""
    asked = options(doc, rounds)
    for seed in range(asked.seed, asked.seed + asked.rounds):
        case = make(random.Random(seed))
        case.seed = str(seed)
        reason = fails(lambda one: check(one, asked.bin), case)
        if reason:
            case, reason = shrink(lambda one: check(one, asked.bin), case, reason)
            show(case, reason, seed)
            sys.exit(f"{pathlib.Path(sys.argv[0]).stem}: fails")
    name = pathlib.Path(sys.argv[0]).stem
    print(f"{name}: holds for {asked.rounds} random cases")
