#!/usr/bin/env python3
"""Measures tallyd and its rivals, interleaved in one run. script/bench builds and calls this."""

import argparse
import dataclasses
import json
import pathlib
import shutil
import subprocess
import sys
import time

import cluster
import load
import lookups
import measure
import processes
import recovery
import revisions
import rivals
import scans
import shapes
import sizes
import small
from packed import Packed
from show import say

ROOT = rivals.BENCH.parent
SEED = 1
TABLES = ("scan", "load", "size", "lookup", "process", "revisions", "recovery", "curve",
          "small", "latency", "cluster")
WHEN_NAMED = ("cluster",)
COMPACT_ONLY = ("recovery", "curve", "small", "latency", "cluster")
PACKED_TABLES = ("size", "lookup", "process")


def options():
    parser = argparse.ArgumentParser(description=__doc__)
    names = [rival.name for rival in rivals.RIVALS]
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build")
    parser.add_argument("--table", metavar="TABLE,...", help="of: " + " ".join(TABLES))
    parser.add_argument("--rounds", type=int, default=5,
                        help="runs of each rival (default 5); not of revisions, curve and latency")
    parser.add_argument("--rows-acled", type=int, default=shapes.ACLED.rows)
    parser.add_argument("--rows-compact", type=int, default=shapes.COMPACT.rows)
    parser.add_argument("--quick", action="store_true", help="a tenth of the rows, one round")
    parser.add_argument("--shape", choices=[shape.name for shape in shapes.SHAPES])
    parser.add_argument("--only", metavar="RIVAL,...", help="in load, of: " + " ".join(names))
    chosen = parser.parse_args()
    if chosen.quick:
        chosen.rounds = 1
        chosen.rows_acled //= 10
        chosen.rows_compact //= 10
    if chosen.rounds < 1 or min(chosen.rows_acled, chosen.rows_compact) < 1:
        parser.error("rounds and rows start at 1")
    ordinary = ",".join(name for name in TABLES if name not in WHEN_NAMED)
    chosen.table = names_in(parser, chosen.table or ordinary, TABLES)
    if chosen.shape == shapes.ACLED.name:
        for name in sorted(set(chosen.table) & set(COMPACT_ONLY)):
            say(f"SKIPPED {name}: it is measured with the compact shape")
    chosen.only = names_in(parser, chosen.only, names)
    chosen.build = chosen.build.resolve()
    return chosen


def names_in(parser, given, known):
    names = given.split(",") if given else list(known)
    unknown = set(names) - set(known)
    if unknown:
        parser.error(f"unknown: {' '.join(sorted(unknown))}")
    return names


def make_data(build, shape, rows):
    """The CSV of a shape, made once. Its name says what is in it."""
    data = build / "bench" / f"{shape.name}-{rows}.csv"
    generator = build / "bench" / "bench_generate"
    if not data.exists() or data.stat().st_mtime < generator.stat().st_mtime:
        say(f"making {data.name}")
        part = data.with_suffix(".part")
        with open(part, "wb") as out:
            command = [str(generator), "--shape", shape.name, "--rows", str(rows)]
            subprocess.run([*command, "--seed", str(SEED)], stdout=out, check=True)
        part.rename(data)
    return data


def first_line(command):
    try:
        return (rivals.output(command).splitlines() or [""])[0]
    except (rivals.Failed, OSError):
        return "unknown"


def versions(build, taking_part):
    """What was measured. Starting node and DuckDB for nothing shows what of its time is start."""
    found = {}
    for rival in taking_part:
        if isinstance(rival, rivals.Tallyd):
            describe = ["git", "-C", str(ROOT), "describe", "--always", "--dirty"]
            found["tallyd"] = first_line(describe)
        if isinstance(rival, rivals.Duckdb) and "duckdb" not in found:
            script = build / "bench" / "version.sql"
            command = rival.command(":memory:", ["SELECT version() AS version"], script)
            start = time.monotonic()
            found["duckdb"] = json.loads(rivals.output(command))[0]["version"]
            found["duckdb_start_s"] = round(time.monotonic() - start, 2)
            found["node"] = first_line(["node", "--version"])
            script.unlink()
        if isinstance(rival, rivals.Clickhouse) and "clickhouse" not in found:
            folder = build / "bench" / "version.clickhouse"
            script = build / "bench" / "version.sql"
            command = rival.command(folder, ["SELECT version() AS version"], script)
            found["clickhouse"] = json.loads(rivals.output(command))[0]["version"]
            script.unlink()
            shutil.rmtree(folder, ignore_errors=True)
        if isinstance(rival, rivals.Sqlite):
            found["sqlite"] = first_line(["sqlite3", "--version"]).split(" ")[0]
    return found


def build_type(build):
    cache = build / "CMakeCache.txt"
    lines = cache.read_text().splitlines() if cache.exists() else []
    return next((line[24:] for line in lines if line.startswith("CMAKE_BUILD_TYPE:STRING=")), "")


@dataclasses.dataclass
class Findings:
    """What is printed and kept of all tables. `said`: what is wrong, a text each."""

    tables: dict
    missed: list  # targets
    said: list


def measure_load(chosen, shape, rows, data, taking_part, findings):
    taking_part = [rival for rival in taking_part if rival.takes(shape)]
    if not taking_part:
        say(f"SKIPPED load, {shape.name} shape: none of the rivals named has anything of it to do")
        return
    title = f"cold load, {shape.name} shape: {rows:,} rows, {data.stat().st_size:,} bytes"
    say(title)
    work = chosen.build / "bench" / "work"
    tallies = load.run_rounds(chosen.rounds, shape, data, taking_part, work)
    load.show(f"{title}, medians of {chosen.rounds}, ratio to tallyd", tallies)
    findings.tables.setdefault("cold_load", {})[shape.name] = load.kept(tallies)
    findings.said += [f"{text} ({shape.name})" for text in load.wrong(tallies)]
    if rows == shape.rows:
        findings.missed += [f"{text} ({shape.name})" for text in load.missed(shape, tallies)]


def take_scan(name, data, found, judged, findings):
    scans.show(name, data, found)
    findings.tables.setdefault("scan", {})[name] = found
    findings.said += [f"{text} ({name})" for text in scans.wrong(found)]
    if judged:
        findings.missed += [f"{text} ({name})" for text in scans.missed(name, found)]


def measure_scans(chosen, findings):
    """Every shape, and two more kinds that only this table has."""
    for shape in shapes.SHAPES:
        if chosen.shape in (None, shape.name):
            rows = chosen.rows_acled if shape is shapes.ACLED else chosen.rows_compact
            data = make_data(chosen.build, shape, rows)
            found = scans.measure(chosen.build, shape.name, data, shape.feed, chosen.rounds)
            take_scan(shape.name, data, found, rows == shape.rows, findings)
    if chosen.shape is None:
        for name, data, found in scans.measure_wide(chosen.build, chosen.quick, chosen.rounds):
            take_scan(name, data, found, False, findings)
    scans.explain()
    say("")


def measure_packed(chosen, shape, rows, data, findings):
    say(f"packing the {shape.name} shape")
    folder = chosen.build / "bench" / f"packed-{shape.name}"
    packed = Packed(chosen.build, shape, rows, data, folder)
    findings.said += [f"{text} ({shape.name})" for text in packed.disagreements()]
    for name, table in (("size", sizes), ("lookup", lookups), ("process", processes)):
        if name in chosen.table:
            found = table.measure(packed, chosen.rounds)
            table.show(packed, found)
            findings.tables.setdefault(name, {})[shape.name] = table.kept(packed, found)
            if packed.is_full_size:
                texts = table.missed(packed, found)
                findings.missed += [f"{text} ({shape.name})" for text in texts]
            findings.said += [f"{text} ({shape.name})" for text in table.wrong(found)]
    say("")


def measure_revisions(chosen, shape, rows, data, findings):
    try:
        found = revisions.measure(chosen.build, shape, rows, data, with_duckdb=True)
    except rivals.Failed as failure:
        findings.said.append(f"{failure} ({shape.name})")
        return
    revisions.show(shape, rows, found)
    findings.tables.setdefault("revisions", {})[shape.name] = revisions.kept(found)
    findings.said += [f"{text} ({shape.name})" for text in revisions.wrong(found)]
    if rows == shape.rows:
        texts = revisions.missed(rows, found)
        findings.missed += [f"{text} ({shape.name})" for text in texts]


def measure_curve(chosen, findings):
    shape = shapes.COMPACT
    curve = {}
    try:
        for rows in revisions.CURVE:
            rows = rows // 10 if chosen.quick else rows
            data = make_data(chosen.build, shape, rows)
            curve[rows] = revisions.measure(chosen.build, shape, rows, data, with_duckdb=False)
            findings.missed += [] if chosen.quick else revisions.missed(rows, curve[rows])
            if rows not in (shape.rows, chosen.rows_compact):
                data.unlink()
    except rivals.Failed as failure:
        findings.said.append(f"{failure} (curve)")
        return
    revisions.show_curve(shape, curve)
    findings.tables["curve"] = {rows: revisions.kept(found) for rows, found in curve.items()}


def measure_recovery(chosen, shape, data, findings):
    try:
        found = recovery.run(chosen.build, shape, chosen.rounds, data)
    except rivals.Failed as failure:
        findings.said.append(f"{failure} (recovery)")
        return
    recovery.show(found)
    findings.tables["recovery"] = recovery.kept(found)
    findings.missed += recovery.missed(found)


def measure_small(chosen, shape, rows, data, findings):
    try:
        if "small" in chosen.table:
            files = small.FILES // 10 if chosen.quick else small.FILES
            found = small.measure_many(chosen.build, shape, data, chosen.rounds, files)
            small.show_many(found)
            findings.tables["small"] = small.kept(found)
            findings.said += found.said
            findings.missed += [] if chosen.quick else small.missed_many(found)
        if "latency" in chosen.table:
            found = small.measure_one(chosen.build, shape, rows, data)
            small.show_one(found)
            findings.tables["latency"] = small.kept(found)
            findings.missed += small.missed_one(found) if rows == shape.rows else []
    except rivals.Failed as failure:
        findings.said.append(f"{failure} (small files)")


def measure_cluster(chosen, shape, rows, data, findings):
    if cluster.missing():
        say(f"SKIPPED cluster: {cluster.missing()}")
        return
    try:
        found = cluster.measure_ledgers(chosen.build, shape, rows, data, chosen.rounds)
    except (rivals.Failed, cluster.servers.Failed) as failure:
        findings.said.append(f"{failure} (cluster)")
        return
    cluster.show(shape, found)
    findings.tables["cluster"] = cluster.kept(found)
    findings.said += cluster.wrong(found)


def measure_all(chosen, taking_part):
    findings = Findings({}, [], [])
    if "scan" in chosen.table:
        measure_scans(chosen, findings)
    for shape in shapes.SHAPES:
        if chosen.shape not in (None, shape.name):
            continue
        rows = chosen.rows_acled if shape is shapes.ACLED else chosen.rows_compact
        data = make_data(chosen.build, shape, rows)
        if "load" in chosen.table:
            measure_load(chosen, shape, rows, data, taking_part, findings)
        if "recovery" in chosen.table and shape is shapes.COMPACT:
            measure_recovery(chosen, shape, data, findings)
        if shape is shapes.COMPACT:
            measure_small(chosen, shape, rows, data, findings)
        if "cluster" in chosen.table and shape is shapes.COMPACT:
            measure_cluster(chosen, shape, rows, data, findings)
        if "revisions" in chosen.table:
            measure_revisions(chosen, shape, rows, data, findings)
        if set(chosen.table) & set(PACKED_TABLES):
            try:
                measure_packed(chosen, shape, rows, data, findings)
            except rivals.Failed as failure:
                findings.said.append(f"{failure} ({shape.name})")
    if "curve" in chosen.table and chosen.shape in (None, shapes.COMPACT.name):
        measure_curve(chosen, findings)
    return findings


def verdict(findings, absent):
    """(held, one line). The bar: all agree, and each target is reached that was judged."""
    without = f" (without {', '.join(absent)})" if absent else ""
    if not findings.tables and not findings.said:
        return False, f"bench: NOT HELD: nothing was measured{without}"
    if findings.said or findings.missed:
        texts = "; ".join(findings.said + findings.missed)
        return False, f"bench: NOT HELD: {texts}{without}"
    return True, f"bench: held: all agree, no target is missed{without}"


def main():
    chosen = options()
    everybody = [rival(chosen.build) for rival in rivals.RIVALS if rival.name in chosen.only]
    absent = [rival.name for rival in everybody if rival.missing()]
    for rival in everybody:
        if rival.missing():
            say(f"SKIPPED {rival.name}: {rival.missing()}")
    taking_part = [rival for rival in everybody if not rival.missing()]
    if not (chosen.build / "bench" / "bench_generate").exists() or not taking_part:
        say("bench: NOT HELD: build the target bench_tools first")
        return 1
    about = {
        "machine": measure.machine(),
        "versions": versions(chosen.build, taking_part),
        "build_type": build_type(chosen.build),
        "rounds": chosen.rounds,
    }
    for title in ("machine", "versions"):
        say(f"{title}: " + ", ".join(f"{name} {value}" for name, value in about[title].items()))
    if about["build_type"] in ("", "Debug"):
        say(f"NOTE: build type '{about['build_type']}': not an optimised build")
    findings = measure_all(chosen, taking_part)
    results = chosen.build / "bench" / "results.json"
    results.write_text(json.dumps({**about, **findings.tables}, indent=2) + "\n")
    is_held, line = verdict(findings, absent)
    say(line)
    return 0 if is_held else 1


if __name__ == "__main__":
    sys.exit(main())
