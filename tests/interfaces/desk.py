"""What the tests of C, Python and SQL share: a state with rollups, and a recount of its incidents.

Two feeds: "attacks" lasts up to weeks and gives killed and wounded, "quakes" has no wounded at all.
The incidents are made here, written as CSV, and added up here once more without tallyd.
"""

import csv
import datetime
import io
import json
import os
import pathlib
import random
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "crash"))

from sandbox import (  # noqa: E402,F401
    ENVIRONMENT, Failure, Sandbox, Skip, arguments, is_sanitized, must, run, run_tests)

CONFIG = """
[feed attacks]
files = attacks*.csv
id = id
date = first
end_date = last
dim.province = province
dim.target = target
measure.killed = killed
measure.wounded = wounded

[feed quakes]
files = quakes*.csv
id = id
date = first
dim.province = province
measure.killed = killed

[rollup civilian-harm]
feeds = attacks
by = province
measures = killed wounded
windows = 7d 50d

[rollup everything]
feeds = attacks quakes
by = province target
measures = killed wounded
windows = 50d

[rollup nothing]
feeds = attacks
where.target = no such target
by = province
measures = killed

[rollup total]
feeds = attacks
measures = killed
"""

PROVINCES = ["Kabul", "Herat", 'the "old", town', "*", "!Kabul", "Žemaitija", ""]
TARGETS = ["civilians", "police", "aid, worker"]
END = datetime.date(2020, 10, 24)
FIRST = datetime.date(2020, 1, 1)
SKIPPED = 77  # ctest's SKIP_RETURN_CODE


class Incident:
    def __init__(self, feed, province, target, first, last, killed, wounded):
        self.feed, self.province, self.target = feed, province, target
        self.first, self.last, self.killed, self.wounded = first, last, killed, wounded

    def belongs(self, first, last, basis):
        starts, ends = first <= self.first <= last, first <= self.last <= last
        touches = self.first <= last and self.last >= first
        return {"start": starts, "end": ends, "overlap": touches, "inside": starts and ends}[basis]


def make_incidents(count=600, seed=1):
    rng = random.Random(seed)
    incidents = []
    for i in range(count):
        first = FIRST + datetime.timedelta(days=rng.randrange((END - FIRST).days + 1))
        lasts = min(rng.choice([0, 0, 0, 1, 5, 40]), (END - first).days)
        quake = i % 5 == 0
        incidents.append(Incident(
            "quakes" if quake else "attacks", rng.choice(PROVINCES),
            "" if quake else rng.choice(TARGETS), first,
            first if quake else first + datetime.timedelta(days=lasts),
            rng.choice([None, 0, 1, 2, 9]), None if quake else rng.choice([None, None, 0, 3])))
    # Each feed reports on the last day, so that windows end there.
    incidents.append(Incident("attacks", "Kabul", "police", END, END, 1, None))
    incidents.append(Incident("quakes", "Herat", "", END, END, None, None))
    return incidents


def csv_text(incidents, feed):
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["id", "first", "last", "province", "target", "killed", "wounded"]
                    if feed == "attacks" else ["id", "first", "province", "killed"])
    for i, one in enumerate(incidents):
        if one.feed == feed:
            words = [f"i{i}", one.first, one.last, one.province, one.target, one.killed,
                     one.wounded]
            writer.writerow(words if feed == "attacks" else [words[0], one.first, one.province,
                                                             one.killed])
    return out.getvalue()


def figures(incidents):
    """The columns behind the days, as a recount gives them. None: empty."""
    has_wounded = any(one.feed == "attacks" for one in incidents)
    row = {"incidents": len(incidents)}
    for name, there in (("killed", True), ("wounded", has_wounded)):
        given = [getattr(one, name) for one in incidents if getattr(one, name) is not None]
        row[name] = sum(given) if given else None
        row[name + "_reported"] = len(given) if there else None
    return row


def recount(incidents, days, end, by=(), basis="start", keep=lambda one: True):
    """{key: figures} of the groups that have an incident in the window."""
    first = end - datetime.timedelta(days=days - 1)
    groups = {}
    for one in incidents:
        if keep(one) and one.belongs(first, end, basis):
            groups.setdefault(tuple(getattr(one, dim) for dim in by), []).append(one)
    return {key: figures(some) for key, some in groups.items()}


class Desk(Sandbox):
    """A sandbox in which everything is settled."""

    def __init__(self, options, incidents=None):
        super().__init__(options.bin, CONFIG)
        self.bin = options.bin
        self.library = options.bin.parent / "lib"
        self.incidents = make_incidents() if incidents is None else incidents
        for feed in ("attacks", "quakes"):
            self.drop(f"{feed}.csv", csv_text(self.incidents, feed))
        self.once().ended(0)
        files = self.table("files")
        must(sum(int(row["added"]) for row in files) == len(self.incidents),
             f"tallyd did not take in all {len(self.incidents)} incidents: {files}")

    @property
    def rollups(self):
        return self.state / "rollup"

    def rollup(self, name):
        return self.rollups / f"{name}.rollup"

    def json(self, *words):
        return json.loads(self.tally(*words, "--format", "json").ended(0).out)

    @property
    def sqlite_extension(self):
        return self.library / "tally_sqlite"


def built_plainly(options):
    """A sanitized library cannot be loaded into a program that is not."""
    if is_sanitized(options.bin):
        print("SKIP  sanitized: cannot be loaded into a program that is not")
        sys.exit(SKIPPED)


def load_library(options):
    """Starts this program once more in an environment where the module and libtally are found:
    those that the test before installed."""
    prefix = options.bin.parent / "tests" / "prefix"
    modules = list(prefix.glob("lib/python3*/**/tally/__init__.py"))
    libraries = list(prefix.glob("lib/**/libtally.so.1"))
    must(len(modules) == len(libraries) == 1,
         f"module or library are not in {prefix}; run the test interfaces/install")
    wanted = {"PYTHONPATH": str(modules[0].parents[1]),
              "LD_LIBRARY_PATH": str(libraries[0].parent)}
    ENVIRONMENT.update(wanted)
    if any(os.environ.get(name) != value for name, value in wanted.items()):
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, **wanted})


def same(want, got, what):
    must(want == got, f"{what}: should be\n{want}\nis\n{got}")
