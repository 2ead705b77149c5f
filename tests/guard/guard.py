#!/usr/bin/env python3
"""Guards what rows and look-ups cost, by instructions and not by time.

    tests/guard/guard.py [--build DIR]... [--update]

Each job runs twice under callgrind, over a small input and over a larger one; what the larger one
takes more, divided by what it has more, is the cost of one row or look-up. What a start costs is in
both, and so in neither. Counts are the same on every machine that budgets.txt is for, whatever else
runs on it and how many cores it has; what the compiler, the C library or valgrind change, it names.

A job may cost 10 % more than its budget, the part of a folder by 1 % of the job more. What costs
less than three quarters has a stale budget, under which the next mistake would hide. --update
writes the budgets of each build anew. Without --build: build/ and build/dev, as far as they are
there.
"""

import argparse
import os
import pathlib
import platform
import re
import shutil
import subprocess
import sys
import tempfile

import callgrind

GUARD = pathlib.Path(__file__).resolve().parent
ROOT = GUARD.parents[1]
BUDGETS = GUARD / "budgets.txt"
sys.path.insert(0, str(ROOT / "bench"))
import shapes  # noqa: E402

ABOVE, BELOW, OF_THE_JOB = 1.10, 0.75, 0.01
SKIPPED = 77
ALL = "all"

ROWS = (8_000, 24_000)
REVISIONS = (1_000, 3_000)  # a file
REVISION_FILES = 3
ONE_GROUP = (1_000, 5_000)
ALL_GROUPS = (2, 12)
# Of acled groups of up to several blocks, of compact many small ones.
BY = {"acled": ("country", "event_type"), "compact": ("country", "admin1", "event_type")}
WINDOW = f"{shapes.WINDOW_DAYS}d"


class Skipped(Exception):
    """The counts of this machine or build are not those of the budgets."""


# ---- which counts these are ---------------------------------------------------------------------


def first_line(*command):
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout.split("\n", 1)[0].strip()


def cache_of(build):
    text = (build / "CMakeCache.txt").read_text()
    return dict(re.findall(r"^([A-Z_]+):[A-Z]+=(.*)$", text, re.MULTILINE))


def kind_of(build):
    """lto or plain."""
    cache = cache_of(build)
    for key in ("TALLY_SANITIZE", "TALLY_COVERAGE", "TALLY_FUZZ"):
        if cache.get(key, "OFF") not in ("", "OFF"):
            raise Skipped(f"no budgets for a build with {key}")
    if cache["CMAKE_BUILD_TYPE"] != "RelWithDebInfo" or cache.get("CMAKE_C_FLAGS"):
        raise Skipped("no budgets for a build with other flags")
    return "lto" if cache.get("TALLY_LTO", "OFF") == "ON" else "plain"


def machine_of(build):
    """What makes counts differ. Under valgrind every processor with AVX2 looks alike."""
    if not shutil.which("valgrind"):
        raise Skipped("valgrind is not installed (script/bootstrap installs it)")
    flags = pathlib.Path("/proc/cpuinfo").read_text().split()
    if platform.machine() != "x86_64" or not {"avx2", "bmi2"} <= set(flags):
        raise Skipped("no budgets for a processor that is not x86-64 with AVX2 and BMI2")
    compiler = cache_of(build)["CMAKE_C_COMPILER"]
    name = "clang" if "clang" in first_line(compiler, "--version") else "gcc"
    version = first_line(compiler, "-dumpfullversion" if name == "gcc" else "-dumpversion")
    valgrind = first_line("valgrind", "--version").removeprefix("valgrind-")
    glibc = os.confstr("CS_GNU_LIBC_VERSION").removeprefix("glibc ")
    return f"{name} {version}, glibc {glibc}, valgrind {valgrind}"


# ---- the jobs -----------------------------------------------------------------------------------


class Job:
    """A folder for one run, and the programs of a build."""

    def __init__(self, build, shape, folder):
        self.build = build
        self.shape = shape
        self.folder = folder
        self.state = folder / "state"
        self.config = folder / "tallyd.conf"
        shutil.rmtree(folder, ignore_errors=True)
        (self.state / "inbox").mkdir(parents=True)
        self.config.write_text(
            f"[tallyd]\nstate = {self.state}\npresets = {ROOT / 'ingest' / 'feeds'}\n"
            "patch_from = 1\n\n"
            f"[feed {shape.name}]\n{shape.feed}\n"
            f"[rollup guard]\nfeeds = {shape.name}\nby = {' '.join(BY[shape.name])}\n"
            f"measures = killed\nwindows = {WINDOW}\n")

    def generate(self, path, rows, *more):
        with open(path, "wb") as out:
            subprocess.run(
                [self.build / "bench" / "bench_generate", "--shape", self.shape.name, "--seed", "1",
                 "--rows", str(rows), *map(str, more)], stdout=out, check=True)
        return path

    def once(self):
        command = [self.build / "bin" / "tallyd", "-c", self.config, "--once"]
        return callgrind.count(command, self.folder)

    def load_and_start(self, rows):
        """A file of so many rows is taken in; then a start over what is kept."""
        self.generate(self.state / "inbox" / "base.csv", rows)
        loaded = self.once()
        if not (self.state / "done" / "base.csv").exists():
            raise callgrind.Failed(f"{self.shape.name}: the file was not accepted")
        return loaded, self.once()

    def revise(self, rows):
        """Files of so many corrections over what is kept, each published."""
        base = self.generate(self.folder / "base.csv", ROWS[0])
        files = [self.generate(self.folder / f"revision-{number}.csv", rows, "--over", ROWS[0],
                               "--revision", number)
                 for number in range(1, REVISION_FILES + 1)]
        program = self.build / "bench" / "bench_revisions"
        return callgrind.count([program, self.config, base, *files], self.folder)

    def look(self, rollup, kind, count):
        program = self.build / "tests" / "guard_look"
        return callgrind.count([program, rollup, kind, str(count)], self.folder)


def each(few, many, units):
    """{part: instructions a unit} of a job: all of it, and folders with a share to speak of."""
    costs = {part: (many[part] - few[part]) / units for part in sorted(many)}
    whole = sum(costs.values())
    return {ALL: whole} | {part: cost for part, cost in costs.items() if cost > OF_THE_JOB * whole}


def measure(build, shape, work):
    """(name of a job, {part: instructions}) of one shape."""
    runs = []
    for rows in ROWS:
        job = Job(build, shape, work / "job")
        runs.append(job.load_and_start(rows))
    rollup = shutil.copy(job.state / "rollup" / "guard.rollup", work / "guard.rollup")
    for name, few, many in zip(("load", "start"), *runs, strict=True):
        yield f"{shape.name}-{name}", each(few, many, ROWS[1] - ROWS[0])

    runs = [Job(build, shape, work / "job").revise(rows) for rows in REVISIONS]
    yield f"{shape.name}-revisions", each(*runs, (REVISIONS[1] - REVISIONS[0]) * REVISION_FILES)

    job = Job(build, shape, work / "job")
    for name, counts in (("one", ONE_GROUP), ("all", ALL_GROUPS)):
        runs = [job.look(rollup, name, count) for count in counts]
        yield f"{shape.name}-{name}", each(*runs, counts[1] - counts[0])


def measure_all(build):
    with tempfile.TemporaryDirectory(prefix="tally-guard-") as work:
        return {(job, part): cost
                for shape in shapes.SHAPES
                for job, costs in measure(build, shape, pathlib.Path(work))
                for part, cost in costs.items()}


# ---- the budgets --------------------------------------------------------------------------------


def read_budgets():
    """The machine that they are of, and {kind of build: {(job, part): instructions}}."""
    machine, budgets = "", {}
    for line in BUDGETS.read_text().splitlines():
        if line.startswith("machine "):
            machine = line.removeprefix("machine ")
        elif line and not line.startswith("#"):
            kind, job, part, instructions = line.split()
            budgets.setdefault(kind, {})[job, part] = float(instructions)
    return machine, budgets


def write_budgets(machine, budgets):
    head = [line for line in BUDGETS.read_text().splitlines() if line.startswith("#")]
    lines = [*head, f"machine {machine}"]
    for kind, costs in sorted(budgets.items()):
        lines.append("")
        lines += [f"{kind:5} {job:17} {part:9} {cost:9.0f}" for (job, part), cost in costs.items()]
    BUDGETS.write_text("\n".join(lines) + "\n")


def judge(budgets, found):
    """What is above its budget or far below it, a text each."""
    for job, part in sorted(budgets.keys() | found.keys()):
        budget, cost = budgets.get((job, part), 0), found.get((job, part), 0)
        spare = 0 if part == ALL else budgets.get((job, ALL), 0) * OF_THE_JOB
        if not BELOW * budget - spare <= cost <= ABOVE * budget + spare:
            ratio = f", {cost / budget:.2f} times as many" if budget else ""
            verdict = "above the budget" if cost > budget else "far below it, which is stale"
            yield f"{job} {part}: {cost:,.0f} instructions, not {budget:,.0f}{ratio}: {verdict}"


def guard(build, update):
    """What is wrong with a build."""
    kind = kind_of(build)
    machine = machine_of(build)
    of_machine, budgets = read_budgets()
    if not update and (machine != of_machine or kind not in budgets):
        raise Skipped(f"budgets are of {of_machine} ({' '.join(budgets)}), "
                      f"this is {machine} ({kind})")
    found = measure_all(build)
    if update:
        kept = budgets if machine == of_machine else {}
        write_budgets(machine, {**kept, kind: found})
        return []
    return [f"{kind}: {text}" for text in judge(budgets[kind], found)]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--build", type=pathlib.Path, action="append", help="a build folder")
    parser.add_argument("--update", action="store_true", help="write the budgets anew")
    options = parser.parse_args()

    builds = options.build or [path for path in (ROOT / "build", ROOT / "build" / "dev")
                               if (path / "bin" / "tallyd").exists()]
    if not builds:
        sys.exit("guard: no build was found: script/build makes one")
    failures = []
    skipped = 0
    for build in builds:
        try:
            failures += guard(build.resolve(), options.update)
        except Skipped as why:
            print(f"guard: skipped: {why}")
            skipped += 1
        except (callgrind.Failed, subprocess.SubprocessError, OSError) as failed:
            sys.exit(f"guard: {failed}")
    if skipped == len(builds):
        sys.exit(SKIPPED)
    for failure in failures:
        print(failure)
    if failures:
        sys.exit(f"guard: {len(failures)} costs are not within their budgets; if that is meant, "
                 "build and run tests/guard/guard.py --update, and say why in the commit")
    print("guard: " + ("budgets are written" if options.update else "all costs hold"))


if __name__ == "__main__":
    main()
