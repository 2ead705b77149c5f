"""What the tests of this folder share: the sandbox of tests/crash and one small feed."""

import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "crash"))

from sandbox import *  # noqa: F401,F403,E402

HEADER = "id,revision,date,province,killed,wounded\n"
GOOD = HEADER + "G-1,1,2020-10-01,Kabul,1,2\nG-2,1,2020-10-02,Herat,3,\n"

PARSER = "split"  # how CSV is read; the tests of content are run with either

CONFIG = """\
scan_interval = 200ms
parser = {parser}
settle = 300ms
{tallyd}
[feed attacks]
id = id
revision = revision
date = date
dim.province = province
measure.killed = killed
measure.wounded = wounded

[rollup all]
feeds = attacks
by = province
measures = killed wounded
windows = 7d
"""


def config(tallyd=""):
    return CONFIG.format(tallyd=tallyd, parser=PARSER)


def rows(prefix, count, first=0):
    """Made-up rows, one killed each."""
    return HEADER + "".join(f"{prefix}-{i},1,2020-10-{i % 28 + 1:02d},Kabul,1,\n"
                            for i in range(first, first + count))


def named_rows(prefix, count):
    """The same with ids that do not end in a number: each takes its place in the ledger."""
    return HEADER + "".join(f"{prefix}-{i}-of-{count}-x,1,2020-10-{i % 28 + 1:02d},Kabul,1,\n"
                            for i in range(count))


def killed(box, name="all"):
    """The dead of all days; 0 before the rollup is published for the first time."""
    if not (box.state / "rollup" / f"{name}.rollup").exists():
        return 0
    row = box.table("window", name, "--days", "366", "--end", "2020-12-31")[0]
    return int(row["killed"] or 0)


def add_meddle(parser):
    parser.add_argument("--meddle", required=True, help="the shared object built of meddle.c")


def meddled(options, **variables):
    """The environment in which meddle.c does what these variables say."""
    return {"LD_PRELOAD": str(options.meddle),
            **{name: str(value) for name, value in variables.items()}}


class Mount:
    """Something mounted for the length of a test; only root may."""

    def __init__(self, *words):
        done = subprocess.run(["mount", *words], capture_output=True, check=False)
        self.path = words[-1]
        if done.returncode != 0:
            raise Skip("cannot mount here: " + done.stderr.decode().strip())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        subprocess.run(["umount", "-l", self.path], check=False)
