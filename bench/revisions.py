"""The table of revision files: what 20,000 corrections and new incidents cost, over what is kept.

DuckDB, with the same incidents in a file of its own and all of them in memory, takes each file in
one transaction: newer rows by key, and the day cells anew. The curve is tallyd's alone, over up to
50 million kept: whether a file costs what it changes, or what is kept.
"""

import csv
import dataclasses
import json
import shutil
import statistics
import subprocess

import rivals
import shapes
import statements
from show import disagreements, say

FILES = 6
ROWS = 20_000
AIM_MS = 12
CURVE = (1_000_000, 5_000_000, 20_000_000, 50_000_000)
CURVE_AIM_MAX = 20_000_000  # beyond, nothing is aimed at
PARTS = (("parse_ms", "parse + ledger"), ("commit_ms", "commit + apply"),
         ("publish_ms", "publish the patch"), ("total_ms", "in all"))
SEED = 1
STATED = ("cells", "incidents", "killed")


@dataclasses.dataclass
class Found:
    base: dict  # lines of bench_revisions
    files: list
    fold: dict
    figures: dict
    duckdb_ms: list  # empty: not asked, or not installed
    duckdb_figures: dict

    def median(self, part):
        return statistics.median(float(row[part]) for row in self.files)


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


def run_tallyd(build, shape, data, files, work):
    """(lines of bench_revisions, figures)"""
    (work / "state").mkdir(parents=True)
    config = work / "tallyd.conf"
    config.write_text(
        f"[tallyd]\nstate = {work / 'state'}\npresets = {build / 'share' / 'tallyd' / 'feeds'}\n\n"
        f"[feed {shape.name}]\n{shape.same_feed}\n"
        f"[rollup bench]\nfeeds = {shape.name}\nby = {' '.join(shapes.GROUP)}\n"
        f"measures = killed\nwindows = {shapes.WINDOW_DAYS}d\n")
    text = rivals.output([str(build / "bench" / "bench_revisions"), str(config), str(data),
                          *map(str, files)])
    figures = rivals.Tallyd(build).result(work)
    return list(csv.DictReader(text.splitlines())), {name: figures[name] for name in STATED}


def run_duckdb(build, shape, data, files, work):
    """(milliseconds a file, figures); ([], {}) where it is not installed."""
    duckdb = rivals.Duckdb(build)
    if duckdb.missing():
        return [], {}
    queries = statements.duckdb_revisions(shape, data, files)
    text = rivals.output(duckdb.command(work / "job.duckdb", queries, work / "job.sql"))
    *times, rows = text.splitlines()
    return [float(line) for line in times], {n: int(v) for n, v in json.loads(rows)[0].items()}


def measure(build, shape, kept, data, with_duckdb):
    work = build / "bench" / "work-revisions"
    shutil.rmtree(work, ignore_errors=True)
    files = make_files(build, shape, kept)
    try:
        rows, figures = run_tallyd(build, shape, data, files, work)
        duckdb_ms, duckdb_figures = [], {}
        if with_duckdb:
            duckdb_ms, duckdb_figures = run_duckdb(build, shape, data, files, work)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return Found(rows[0], rows[1:-1], rows[-1], figures, duckdb_ms, duckdb_figures)


def show(shape, kept, found):
    say(f"\nrevision files of {ROWS:,} rows over {kept:,} kept, {shape.name} shape, "
        f"medians of {FILES}, one step after the other")
    for part, name in PARTS:
        say(f"  {name:20}{found.median(part):9.2f} ms")
    whole_ms = float(found.fold["publish_ms"])
    sizes = [int(row["patch_bytes"]) for row in found.files]
    say(f"  the whole rollup    {whole_ms:9.2f} ms, "
        f"{whole_ms / found.median('publish_ms'):.1f} times the patch")
    say(f"  the patch grew from {min(sizes):,} to {max(sizes):,} bytes")
    if found.duckdb_ms:
        took = statistics.median(found.duckdb_ms)
        say(f"  DuckDB, resident    {took:9.2f} ms, {took / found.median('total_ms'):.1f} times")


def show_curve(shape, curve):
    """`curve`: {kept: Found}."""
    say(f"\nwhat is kept, and what a file of {ROWS:,} rows costs over it, {shape.name} shape, "
        f"medians of {FILES}, in ms")
    heads = ("parse", "commit", "publish", "in all", "least-most", "whole", "load s", "bytes each")
    say(f"{'kept':>12}" + "".join(f"{head:>12}" for head in heads))
    for kept, found in curve.items():
        all_ms = [float(row["total_ms"]) for row in found.files]
        cells = [f"{found.median(part):.2f}" for part, _ in PARTS]
        cells += [f"{min(all_ms):.1f}-{max(all_ms):.1f}", f"{float(found.fold['publish_ms']):.0f}",
                  f"{float(found.base['total_ms']) / 1000:.2f}",
                  f"{int(found.base['resident_bytes']) / kept:.0f}"]
        say(f"{kept:12,}" + "".join(f"{cell:>12}" for cell in cells))
    say("  whole: the whole rollup written anew; load: the base file, taken in and published;")
    say("  bytes each: memory behind the load, an incident")


def wrong(found):
    return disagreements([("tallyd", found.figures), ("duckdb", found.duckdb_figures)])


def missed(kept, found):
    took = found.median("total_ms")
    return [f"a file of {ROWS:,} rows over {kept:,} takes {took:.1f} ms, not {AIM_MS}"
            ] if took > AIM_MS and kept <= CURVE_AIM_MAX else []


def kept(found):
    return dataclasses.asdict(found)
