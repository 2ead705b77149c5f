"""What the tests of this folder share: the two readers, side by side.

The second reader (reader.py) knows docs/format.md alone. Where it and `tally` differ, one of the
three is wrong.
"""

import contextlib
import csv
import io
import pathlib
import random
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "crash"))

from sandbox import *  # noqa: F401,F403,E402
from sandbox import Failure, fast_directory, must, run  # noqa: E402

import patch_reader  # noqa: E402
import reader  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent


@contextlib.contextmanager
def folder():
    """An empty one that goes away."""
    with tempfile.TemporaryDirectory(prefix="tally-format-", dir=fast_directory()) as path:
        yield pathlib.Path(path)


def rows_of(text):
    return list(csv.reader(io.StringIO(text, newline="")))


def tally(options, *words):
    """What a command prints, as rows; its warnings are not looked at."""
    done = run([options.bin / "tally", *words, "--format", "csv"]).ended(0)
    return rows_of(done.out)


def read(path):
    """A base, or a base and the patch beside it that names it."""
    base = pathlib.Path(path).read_bytes()
    try:
        patch = pathlib.Path(f"{path}.patch").read_bytes()
    except FileNotFoundError:  # none, or it went with another base just now
        patch = None
    try:
        if patch is not None and patch_reader.names(patch, base):
            return patch_reader.read(base, patch)
        return reader.read(base)
    except reader.Refused as refused:
        raise Failure(f"the second reader refuses {path}: {refused}") from None


def printed(write, *arguments):
    """What a part of the second reader prints, as rows."""
    text = io.StringIO()
    with contextlib.redirect_stdout(text):
        write(*arguments)
    return rows_of(text.getvalue())


def same(want, got, what):
    if want == got:
        return
    for number, (one, other) in enumerate(zip(want, got)):
        must(one == other, f"{what}, row {number}:\n  tally  {one}\n  reader {other}")
    raise Failure(f"{what}: tally prints {len(want)} rows, the second reader {len(got)}")


def compare_entries(options, path, rollup):
    same(tally(options, "dump", path), printed(reader.write_entries, rollup, rollup.cells, ["day"]),
         f"{path}: cells")
    same(tally(options, "dump", path, "--spans"),
         printed(reader.write_entries, rollup, rollup.spans, ["first_day", "last_day"]),
         f"{path}: spans")


def compare_window(options, path, rollup, days, end, basis):
    by = rollup.schema.dimensions
    want = tally(options, "window", path, "--days", str(days), "--end", reader.day_text(end),
                 "--basis", basis, *(["--by", ",".join(by)] if by else []))
    if not by:  # one row, also when nothing counts
        want = [row for row in want if row[want[0].index("incidents")] != "0"]
    same(want, printed(reader.write_window, rollup, days, end, basis),
         f"{path}: {days} days to {reader.day_text(end)} by {basis}")


def ends(rollup, rng):
    """Days at which windows are apt to go wrong, and some others."""
    entries = [e for part in (rollup.cells, rollup.spans) for group in part for e in group]
    days = {day for e in rng.sample(entries, min(len(entries), 4))
            for day in (e.first - 1, e.first, e.last, e.last + 1)}
    days |= {rollup.first_day, rollup.last_day, rollup.last_day + 20}
    return [day for day in rng.sample(sorted(days), min(len(days), 4))
            if reader.DAY_MIN <= day <= reader.DAY_MAX]


def compare_windows(options, path, rollup, rng):
    dated = rollup.first_day <= rollup.last_day
    longest = rollup.last_day - rollup.first_day + 1
    for end in ends(rollup, rng) if dated else [0]:
        for basis in reader.BASES:
            days = rng.choice([1, 2, 7, 50, 365, longest, longest + 1])
            compare_window(options, path, rollup, min(days, end - reader.DAY_MIN + 1), end, basis)


def compare_headline(options, path, rollup):
    """The plain figures are those of `tally window --compare previous`."""
    if rollup.headline is None or not rollup.schema.dimensions:
        return
    end, figures = rollup.headline
    for i, days in enumerate(rollup.schema.windows):
        rows = tally(options, "window", path, "--days", str(days), "--end", reader.day_text(end),
                     "--by", ",".join(rollup.schema.dimensions), "--compare", "previous")
        columns = len(rollup.schema.dimensions)
        got = {tuple(row[:columns]): dict(zip(rows[0], row)) for row in rows[1:]}
        for prefix, window in (("", figures[2 * i]), ("previous_", figures[2 * i + 1])):
            for texts, (incidents, _) in zip(rollup.groups, window):
                row = got.get(texts, {})
                must(int(row.get(prefix + "incidents") or 0) == incidents,
                     f"{path}: headline, {prefix}{days} days, {texts}: {incidents}, not {row}")


def compare_digest(options, path, rollup):
    row = dict(zip(*tally(options, "verify", path)))
    must(row["detail"].endswith(f"generation {rollup.generation}, digest {rollup.digest:032x}"),
         f"{path}: {row['detail']}, the second reader: {rollup.generation}, {rollup.digest:032x}")


def compare(options, path, seed=0):
    """Reads a file with both and compares all that they say. Returns what the second one read."""
    rng = random.Random(seed)
    rollup = read(path)
    compare_digest(options, path, rollup)
    compare_entries(options, path, rollup)
    compare_windows(options, path, rollup, rng)
    compare_headline(options, path, rollup)
    return rollup
