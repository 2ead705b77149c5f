"""What the tests of this folder share: real files, a tallyd of its own, and a second count.

The second count knows nothing of tallyd: each file is read by Python's csv, and what its columns
mean is written down here once more. Figures that tallyd prints have to equal it, for every basis,
year and group.
"""

import argparse
import collections
import csv
import dataclasses
import datetime
import io
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
FEEDS = pathlib.Path(os.environ.get("TALLYD_FEEDS", ROOT / ".." / "shared" / "feeds")).resolve()
SKIPPED = 77  # ctest's SKIP_RETURN_CODE
TIMEOUT_S = 120
BASES = ("start", "end", "overlap", "inside")
YEARS = 50  # the last ones of a feed are compared one by one


class Wrong(Exception):
    """A figure is not what the second count says."""


def expect(what, got, want):
    if got != want:
        raise Wrong(f"{what}: {got!r}, not {want!r}")


# --- the second count ---

@dataclasses.dataclass(frozen=True)
class Incident:
    """Measures that nobody reported are None."""
    id: str
    first: datetime.date
    last: datetime.date
    group: str
    measures: dict
    revision: object = None


def rows_of(path, delimiter=",", quoting=csv.QUOTE_MINIMAL, header=None):
    """The data rows of a file as dictionaries; the row of HXL tags is left out."""
    with open(path, newline="", encoding="utf-8-sig") as stream:
        records = csv.reader(stream, delimiter=delimiter, quoting=quoting)
        names = header or next(records)
        for record in records:
            tags = [cell for cell in record if cell.strip()]
            if header or not tags or not all(tag.startswith("#") for tag in tags):
                yield dict(zip(names, record, strict=True))


def newest(incidents):
    """By id: the greatest revision, of equal ones the last."""
    kept = {}
    for incident in incidents:
        older = kept.get(incident.id)
        if older is None or older.revision is None or incident.revision >= older.revision:
            kept[incident.id] = incident
    return list(kept.values())


def belongs(incident, first, last, basis):
    return {"start": first <= incident.first <= last,
            "end": first <= incident.last <= last,
            "overlap": incident.first <= last and incident.last >= first,
            "inside": first <= incident.first and incident.last <= last}[basis]


def totals(incidents, names):
    """As `tally window` prints them: incidents, then M and M_reported."""
    out = {"incidents": str(len(incidents))}
    for name in names:
        known = [incident.measures[name] for incident in incidents
                 if incident.measures[name] is not None]
        out[name] = str(sum(known)) if known else ""
        out[f"{name}_reported"] = str(len(known))
    return out


# --- tallyd ---

class Tallyd:
    """A configuration and a fresh state directory."""

    def __init__(self, programs, config):
        self._folder = tempfile.TemporaryDirectory(prefix="tally-feeds-")
        self.programs = programs
        self.state = pathlib.Path(self._folder.name) / "state"
        self.config = pathlib.Path(self._folder.name) / "tallyd.conf"
        (self.state / "inbox").mkdir(parents=True)
        # Little memory means short blocks: all cores map these files, 32 KiB each at a time on two.
        self.config.write_text(f"[tallyd]\nstate = {self.state}\nmemory_max = 2M\n{config}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._folder.cleanup()

    def run(self, program, *arguments):
        done = subprocess.run(
            [self.programs / program, *arguments], capture_output=True, text=True, check=False,
            stdin=subprocess.DEVNULL, timeout=TIMEOUT_S, env={**os.environ, "TZ": "UTC"})
        if done.returncode != 0:
            raise Wrong(f"{program} {' '.join(map(str, arguments))}: exit status "
                        f"{done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    def drop(self, *paths, name=None):
        """Takes files in, one run each, and returns their rows of `tally files`."""
        out = []
        for path in paths:
            shutil.copyfile(path, self.state / "inbox" / (name or path.name))
            self.run("tallyd", "-c", self.config, "--once")
            out.append(self.tally("files")[-1])
        return out

    def tally(self, *words):
        text = self.run("tally", "--state", self.state, *words, "--format", "csv")
        return list(csv.DictReader(io.StringIO(text)))

    def dry_run(self, path):
        return self.run("tallyd", "-c", self.config, "--dry-run", path)

    def window(self, rollup, first, last, *words):
        days = (last - first).days + 1
        return self.tally("window", rollup, "--days", str(days), "--end", last.isoformat(), *words)


def figures(row, names):
    return {key: row[key] for key in totals([], names)}


def compare_window(tallyd, rollup, incidents, names, first, last, basis):
    row, = tallyd.window(rollup, first, last, "--basis", basis)
    inside = [incident for incident in incidents if belongs(incident, first, last, basis)]
    expect(f"{rollup}, {first} to {last} by {basis}", figures(row, names), totals(inside, names))


def compare_groups(tallyd, rollup, dim, incidents, names, first, last):
    groups = collections.defaultdict(list)
    for incident in incidents:
        if first <= incident.first <= last:
            groups[incident.group].append(incident)
    rows = tallyd.window(rollup, first, last, "--by", dim)
    expect(f"{rollup} by {dim}", {row[dim]: figures(row, names) for row in rows},
           {group: totals(members, names) for group, members in groups.items()})


def compare(tallyd, rollup, dim, incidents, names):
    """Everything, each year and each group of a rollup, and that it equals its own ledger."""
    first = min(incident.first for incident in incidents)
    last = max(incident.last for incident in incidents)
    for basis in BASES:
        compare_window(tallyd, rollup, incidents, names, first, last, basis)
        for year in range(max(first.year, last.year - YEARS + 1), last.year + 1):
            compare_window(tallyd, rollup, incidents, names, datetime.date(year, 1, 1),
                           datetime.date(year, 12, 31), basis)
    compare_groups(tallyd, rollup, dim, incidents, names, first, last)
    for row in tallyd.tally("verify"):
        expect(f"verify {row['thing']}", row["state"], "ok")


# --- UCDP GED, which several tests read ---

GED_NAMES = ("killed.low", "killed", "killed.high", "civilians")
GED_CONFIG = """
[feed ged]
preset = ucdp-ged
{mode}
[rollup deaths]
feeds = ged
by = country adm_1
measures = killed.low killed killed.high civilians
windows = 50d
"""


def ged(path):
    columns = ("low", "best", "high", "deaths_civilians")
    return [Incident(id=row["id"],
                     first=datetime.date.fromisoformat(row["date_start"][:10]),
                     last=datetime.date.fromisoformat(row["date_end"][:10]),
                     group=row["country"],
                     measures={name: int(row[column])
                               for name, column in zip(GED_NAMES, columns)})
            for row in rows_of(path)]


# --- running ---

def file(name):
    path = FEEDS / name
    if not path.is_file():
        print(f"SKIP: {path} is not there; TALLYD_FEEDS names the folder of real feeds")
        sys.exit(SKIPPED)
    return path


def main(checks):
    """Runs checks, functions that take the folder of the programs; named as sentences."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", type=pathlib.Path, default=ROOT / "build" / "bin")
    programs = parser.parse_args().bin.resolve()
    failed = 0
    for check in checks:
        name = check.__name__.replace("_", " ")
        try:
            check(programs)
        except (Wrong, subprocess.TimeoutExpired) as wrong:
            print(f"{name}: {wrong}")
            failed += 1
    if failed:
        sys.exit(f"feeds: {failed} of {len(checks)} do not hold")
    print(f"feeds: {len(checks)} hold")
