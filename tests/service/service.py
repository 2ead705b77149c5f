"""What the tests of this folder share: tallyd as it is installed, on a machine of its own."""

import argparse
import contextlib
import pathlib
import subprocess
import sys
import tempfile
import traceback

from machine import Failed, Machine, Skip

SKIPPED = 77  # ctest's SKIP_RETURN_CODE
STATE = "/var/lib/tallyd"
INBOX = f"{STATE}/inbox"
ROLLUP = f"{STATE}/rollup/attacks.rollup"
CONFIG = """\
[tallyd]
scan_interval = 500ms
settle = 300ms

[feed attacks]
files = attacks*.csv
id = id
revision = revision
date = date
dim.province = province
measure.killed = killed

[rollup attacks]
feeds = attacks
by = province
measures = killed
windows = 50d
"""
HEADER = "id,revision,date,province,killed\n"


def rows(prefix, count):
    """Made-up incidents of October 2020, one killed each."""
    return HEADER + "".join(f"{prefix}-{i},1,2020-10-{i % 28 + 1:02d},Kabul,1\n"
                            for i in range(count))


def install(build, stage, config=CONFIG):
    """What `cmake --install` installs, and a configuration."""
    done = subprocess.run(["cmake", "--install", build], check=False, capture_output=True,
                          env={"PATH": "/usr/bin:/bin", "DESTDIR": str(stage)}, text=True)
    if done.returncode != 0:
        sys.exit(f"cmake --install: {done.stdout}{done.stderr}")
    write(stage, "/etc/tallyd/tallyd.conf", config)


def write(stage, path, text):
    file = pathlib.Path(f"{stage}{path}")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")


class Checks:
    """Says each check, counts those that fail."""

    def __init__(self):
        self.done = 0
        self.failed = 0

    def must(self, name, holds, detail=""):
        self.done += 1
        if holds:
            print(f"ok    {name}", flush=True)
        else:
            self.failed += 1
            print(f"FAIL  {name}{': ' if detail else ''}{detail}", flush=True)
        return bool(holds)

    def took(self, name, ms, detail=""):
        """`ms` is what Machine.until gave: None where it never came."""
        self.must(name if ms is None else f"{name}: {ms} ms", ms is not None, detail)


def add_people(box):
    """Who drops, who reads, and who has no business here."""
    for name, group in (("feeder", "tally-feed"), ("feeder2", "tally-feed"),
                        ("reporter", "tally-read"), ("outsider", "users")):
        box.run("useradd", "--no-create-home", "--groups", group, name)


def pid(box):
    return box.show("tallyd", "MainPID")


def signal(box, name):
    box.run("systemctl", "kill", "--kill-who=main", f"--signal={name}", "tallyd")


def is_new(box, old):
    return box.show("tallyd", "ActiveState") == "active" and pid(box) not in ("0", old)


def killed(box, rollup="attacks", user="reporter"):
    """The dead of October 2020 as a reporter sees them, or None."""
    done = box.call("tally", "window", rollup, "--days", "31", "--end", "2020-10-31",
                    "--format", "csv", user=user)
    lines = done.stdout.splitlines()
    if done.returncode != 0 or len(lines) != 2:
        return None
    row = dict(zip(lines[0].split(","), lines[1].split(",")))
    return int(row["killed"] or 0)


def run_all(box, checks, tests):
    for test in tests:
        try:
            test(box, checks)
        except Failed:
            checks.must(test.__name__, False, traceback.format_exc())
    if checks.failed:
        print(box.journal("tallyd"))


def main(tests, config=CONFIG, prepare=None):
    """Boots a machine and runs each test in it; 77 where that cannot be."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True, help="what to install")
    parser.add_argument("--probe", help="stands in for tallyd")
    options = parser.parse_args()
    checks = Checks()
    with contextlib.ExitStack() as stack:
        stage = stack.enter_context(tempfile.TemporaryDirectory(prefix="tallyd-stage-"))
        install(options.build, stage, config)
        if prepare:
            prepare(options, stage)
        try:
            box = stack.enter_context(Machine(stage))
        except Skip as reason:
            print(f"SKIP: {reason}")
            sys.exit(SKIPPED)
        run_all(box, checks, tests)
    print(f"{pathlib.Path(sys.argv[0]).stem}: {checks.done} checks, {checks.failed} failed")
    sys.exit(checks.failed > 0)
