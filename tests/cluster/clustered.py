"""What the tests of this folder share: the sandbox of tests/crash, servers for it, and what a
ledger on them is compared with: the embedded one, given the same files in the same order."""

import itertools
import os
import pathlib
import random
import sys
import time

import servers
from proxy import Proxy
from sandbox import *  # noqa: F401,F403
from sandbox import Sandbox, arguments, must, run, run_tests

SKIPPED = 77  # ctest's SKIP_RETURN_CODE
LONG = "TALLY_LONG" in os.environ  # the long form of tests that have one (script/test --long)

ATTACKS = "id,revision,date,province,killed,wounded\n"
CENSUS = "id,date,place,dead\n"
PROVINCES = ["Kabul", "Herat", "Kunduz", "Paktika", "", "Nangarhar, Achin"]

# One feed that its revisions put in order, one that has none and says all of some places.
CONFIG = """\
scan_interval = 100ms
settle = 0s

[feed attacks]
files = attacks-*
id = id
revision = revision
date = date
dim.province = province
measure.killed = killed
measure.wounded = wounded

[feed census]
files = census-*
mode = snapshot
scope = place
id = id
date = date
dim.place = place
measure.dead = dead

[rollup all]
feeds = attacks
by = province
measures = killed wounded
windows = 7d 50d

[rollup dead]
feeds = census
by = place
measures = dead
windows = 50d
"""


class Box(Sandbox):
    """A tallyd whose ledger is on servers. `store`: the [store] section, of a database of its own
    unless it was made before."""

    def __init__(self, options, store, config=CONFIG, make=True):
        super().__init__(options.bin, f"{config}\n{store}")
        if make:
            run([self.programs / "tallyd", "-c", self.config, "--init-store"]).ended(0)

    def tally(self, *words):
        return run([self.programs / "tally", "-c", self.config, *words])


DATABASE = (f"ways_{i}" for i in itertools.count(1))


class Way:
    """Servers, and what may fail on the way to each."""

    def __init__(self, stack, **kinds):
        self.cluster = stack.enter_context(servers.Cluster(**kinds))
        self.proxy = [stack.enter_context(Proxy(host)) for host in self.cluster.hosts()]
        self.database = None  # of the newest box

    def fault(self, function):
        """`function(index of the server, request)` from now on."""
        for index, one in enumerate(self.proxy):
            one.fault = lambda asked, index=index: function(index, asked)

    def box(self, options, stack, **keys):
        self.fault(lambda index, asked: None)
        keys = {"retry": "10s", "timeout": "20s", **keys}
        self.database = next(DATABASE)
        store = servers.section(hosts=" ".join(one.host for one in self.proxy),
                                database=self.database, **keys)
        return stack.enter_context(Box(options, store))


def drop_all(box, files):
    for name, content in files:
        box.drop(name, content)


def number(rng, most):
    return str(rng.randrange(most)) if rng.random() < 0.9 else ""


def attacks(rng, count, ids):
    """Rows of which many revise or repeat those of other files; an (id, revision) says one thing."""
    lines = [ATTACKS]
    for _ in range(count):
        id_, revision = rng.randrange(ids), rng.randrange(1, 5)
        own = random.Random(f"{id_} {revision}")
        lines.append(f"A-{id_},{revision},2020-{own.randrange(1, 13):02}-{own.randrange(1, 29):02},"
                     f'"{own.choice(PROVINCES)}",{number(own, 20)},{number(own, 50)}\n')
    return "".join(lines)


def census(rng, count):
    places = rng.sample(PROVINCES[:4], 2)
    ids = rng.sample(range(2 * count), count)
    return CENSUS + "".join(f"C-{id_},2020-10-{rng.randrange(1, 29):02},{rng.choice(places)},"
                            f"{number(rng, 9)}\n" for id_ in ids)


def history(seed, files=6, rows=300):
    """(name, content) in order of arrival."""
    rng = random.Random(seed)
    return [(f"attacks-{i}.csv", attacks(rng, rows, 2 * rows)) if rng.random() < 0.6 else
            (f"census-{i}.csv", census(rng, rows // 4)) for i in range(files)]


SAID = ("file", "outcome", "rows", "rejected", "added", "revised", "withdrawn", "unchanged")


def figures(box):
    """All that has to be the same wherever the ledger is."""
    found = {row["rollup"]: (row["digest"], row["groups"], row["cells"])
             for row in box.table("rollups")}
    found["files"] = sorted(tuple(row[name] for name in SAID) for row in box.table("files"))
    return found


def embedded(options, files, config=CONFIG):
    """The figures of the embedded ledger."""
    with Sandbox(options.bin, config) as box:
        for name, content in files:
            box.drop(name, content)
            box.once().ended(0)
        return figures(box)


def same(box, want):
    """A ledger's figures and its rollups are those; each file is in one place."""
    got = figures(box)
    for name, value in want.items():
        must(got.get(name) == value, f"{name}: should be\n  {value}\nis\n  {got.get(name)}\n"
             + box.log()[-3000:])
    done = sorted(row[0].encode() for row in want["files"])
    must(sorted(box.names("done")) == done, f"done/ holds {box.names('done')}, not {done}")
    for folder in ("inbox", "claimed", "rejected"):
        box.holds(folder)
    for row in box.table("verify"):
        must(row["state"] == "ok", f"tally verify: {row}")


def soon(condition, what, within_s=20):
    end = time.monotonic() + within_s
    while not condition():
        must(time.monotonic() < end, f"waited {within_s} s for: {what}")
        time.sleep(0.02)


def refused(kind, action):
    """The action has to fail so."""
    try:
        action()
    except kind:
        return
    must(False, f"no {kind.__name__}")


def main(module):
    """All tests of a module; skipped as a whole where there is no server."""
    options = arguments(module.__doc__)
    try:
        servers.clickhouse()
    except servers.Absent as reason:
        print(f"SKIPPED: {reason}")
        sys.exit(SKIPPED)
    run_tests(module, options, f"cluster {pathlib.Path(module.__file__).stem}")
