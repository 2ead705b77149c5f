"""The table of revision files: what 20,000 corrections and new incidents cost, over what is kept."""

import csv
import dataclasses
import shutil
import statistics
import subprocess

import rivals
import shapes
from show import say

FILES = 6
ROWS = 20_000
PARTS = (("parse_ms", "parse + ledger"), ("commit_ms", "commit + apply"),
         ("publish_ms", "publish the patch"), ("total_ms", "in all"))
SEED = 1


@dataclasses.dataclass
class Found:
    rows: list  # of bench_revisions, a file each
    whole_ms: float  # writing the whole rollup anew, in the same run

    def median(self, part):
        return statistics.median(float(row[part]) for row in self.rows)


def make_files(build, shape, kept):
    """Base files are made by run.py; these follow them."""
    generator = build / "bench" / "bench_generate"
    paths = []
    for number in range(1, FILES + 1):
        path = build / "bench" / f"{shape.name}-{kept}-revision-{number}.csv"
        if not path.exists() or path.stat().st_mtime < generator.stat().st_mtime:
            with open(path, "wb") as out:
                subprocess.run([str(generator), "--shape", shape.name, "--seed", str(SEED), "--rows",
                                str(ROWS), "--over", str(kept), "--revision", str(number)],
                               stdout=out, check=True)
        paths.append(path)
    return paths


def measure(build, shape, kept, data):
    work = build / "bench" / "work-revisions"
    shutil.rmtree(work, ignore_errors=True)
    (work / "state").mkdir(parents=True)
    config = work / "tallyd.conf"
    config.write_text(
        f"[tallyd]\nstate = {work / 'state'}\npresets = {build / 'share' / 'tallyd' / 'feeds'}\n\n"
        f"[feed {shape.name}]\n{shape.feed}\n"
        f"[rollup bench]\nfeeds = {shape.name}\nby = {' '.join(shapes.GROUP)}\n"
        f"measures = killed\nwindows = {shapes.WINDOW_DAYS}d\n")
    files = make_files(build, shape, kept)
    text = rivals.output([str(build / "bench" / "bench_revisions"), str(config), str(data),
                          *map(str, files)])
    shutil.rmtree(work, ignore_errors=True)
    rows = list(csv.DictReader(text.splitlines()))
    return Found([row for row in rows if row["rows"] != "fold"], float(rows[-1]["publish_ms"]))


def show(shape, kept, found):
    say(f"\nrevision files of {ROWS:,} rows over {kept:,} kept, {shape.name} shape, "
        f"medians of {FILES}, on one thread")
    for part, name in PARTS:
        say(f"  {name:20}{found.median(part):9.2f} ms")
    sizes = [int(row["patch_bytes"]) for row in found.rows]
    say(f"  the whole rollup    {found.whole_ms:9.2f} ms, "
        f"{found.whole_ms / found.median('publish_ms'):.1f} times the patch")
    say(f"  the patch grew from {min(sizes):,} to {max(sizes):,} bytes")


def kept(found):
    return {"files": found.rows, "whole_ms": found.whole_ms}
