#!/usr/bin/env python3
"""Every query that docs/export.md shows gives what `tally` prints, on the demo's feed."""

import pathlib
import re
import sqlite3
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "fault"))

import fault  # noqa: E402
from fault import must  # noqa: E402

DOCUMENT = ROOT / "docs" / "export.md"
WINDOW = ("window", "attacks", "--days")
FIRST, LAST = "2019-01-01", "2020-10-24"

# What a query starts with -> the command that prints the same, and the columns to compare.
SAME_AS = {
    "the last 50 days by province":
        ((*WINDOW, "50", "--by", "province", "--sort", "-killed"),
         ("province", "incidents", "killed", "wounded")),
    "the 50 days to another day, by province":
        ((*WINDOW, "50", "--end", "2020-02-29", "--by", "province"),
         ("province", "incidents", "killed")),
    "any number of days":
        ((*WINDOW, "30", "--end", LAST), ("incidents", "killed", "killed_reported")),
    "by overlap: with the incidents that began before the window and reach into it":
        ((*WINDOW, "50", "--end", LAST, "--basis", "overlap"), ("killed",)),
    "a panel of the rolling total":
        (("series", "attacks", "--days", "50", "--from", FIRST, "--to", LAST), ("killed",)),
    "a panel of one province":
        (("series", "attacks", "--days", "50", "--from", FIRST, "--to", LAST,
          "--where", "province=Kabul"), ("killed",)),
}
NOT_RUN = {"DuckDB: attach the tables"}


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```$", DOCUMENT.read_text(), re.M | re.S)


def demo(options):
    """A sandbox that holds the demo's feed."""
    config = (ROOT / "demo" / "tallyd.conf").read_text().split("state = @STATE@\n")[1]
    box = fault.Sandbox(options.bin, config)
    fault.run([sys.executable, ROOT / "demo" / "make_feed.py", box.inbox]).ended(0)
    box.once().ended(0)
    return box


def answers(database, query, columns):
    cursor = database.execute(query)
    names = [column[0] for column in cursor.description]
    return [tuple("" if row[names.index(name)] is None else str(row[names.index(name)])
                  for name in columns) for row in cursor]


def printed(box, command, columns):
    return [tuple(row[name] for name in columns) for row in box.table(*command)]


def test_sql_gives_what_tally_prints(options, _):
    shown = {block.split("\n", 1)[0].removeprefix("-- "): block for block in blocks("sql")}
    must(shown.keys() == SAME_AS.keys() | NOT_RUN,
         f"queries without a command to compare, or the other way round: "
         f"{sorted(shown.keys() ^ (SAME_AS.keys() | NOT_RUN))}")
    with demo(options) as box:
        path = box.folder / "harm.db"
        box.tally("export", "attacks", "--to", path).ended(0)
        database = sqlite3.connect(path)
        for title, (command, columns) in SAME_AS.items():
            got, want = answers(database, shown[title], columns), printed(box, command, columns)
            if title == "a panel of one province":  # days without incidents have no row
                want = [row for row in want if row != ("",)]
            # Equal figures may come in any order.
            must(len(want) > 0 and sorted(got) == sorted(want),
                 f"{title}: {len(got)} rows, not the {len(want)} that tally prints")
        database.close()


def test_python_gives_what_tally_prints(options, _):
    python = next((name for name in (sys.executable, "/usr/bin/python3")
                   if subprocess.run([name, "-c", "import pandas"], capture_output=True,
                                     check=False).returncode == 0), None)
    if not python:
        raise fault.Skip("no pandas here (package python3-pandas)")
    block, = blocks("python")
    with demo(options) as box, tempfile.TemporaryDirectory() as folder:
        box.tally("export", "attacks", "--to", pathlib.Path(folder) / "harm.db").ended(0)
        (killed,), = printed(box, (*WINDOW, "50", "--end", LAST), ("killed",))
        said = fault.run([python, "-c", block], cwd=folder).ended(0).out.strip()
        must(said == killed, f"pandas says {said}, tally {killed}")


if __name__ == "__main__":
    fault.run_tests(sys.modules[__name__], fault.arguments(__doc__), "export documents")
