#!/usr/bin/env python3
"""Measures tallyd and its rivals, interleaved in one run. script/bench builds and calls this."""

import argparse
import dataclasses
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import time

import measure
import rivals
import shapes

ROOT = rivals.BENCH.parent
SEED = 1
MEASURES = (("wall_s", "wall s"), ("cpu_s", "CPU s"), ("peak_mib", "peak MiB"))


def options():
    parser = argparse.ArgumentParser(description=__doc__)
    names = [rival.name for rival in rivals.RIVALS]
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build")
    parser.add_argument("--rounds", type=int, default=5, help="runs of each rival (default 5)")
    parser.add_argument("--rows-acled", type=int, default=shapes.ACLED.rows)
    parser.add_argument("--rows-compact", type=int, default=shapes.COMPACT.rows)
    parser.add_argument("--quick", action="store_true", help="a tenth of the rows, one round")
    parser.add_argument("--shape", choices=[shape.name for shape in shapes.SHAPES])
    parser.add_argument("--only", metavar="RIVAL,...", help="of: " + " ".join(names))
    chosen = parser.parse_args()
    if chosen.quick:
        chosen.rounds = 1
        chosen.rows_acled //= 10
        chosen.rows_compact //= 10
    if chosen.rounds < 1 or min(chosen.rows_acled, chosen.rows_compact) < 1:
        parser.error("rounds and rows start at 1")
    unknown = set((chosen.only or names[0]).split(",")) - set(names)
    if unknown:
        parser.error(f"unknown rival: {' '.join(sorted(unknown))}")
    chosen.build = chosen.build.resolve()
    return chosen


def say(text):
    print(text, flush=True)


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


def run_once(rival, shape, data, work):
    """(Cost, figures or None). Leaves no files behind."""
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    try:
        command, text = rival.prepare(shape, data, work)
        os.sync()  # what was written before is not this rival's to wait for
        with open(data, "rb") as file:
            while file.read(1 << 20):
                pass  # into the page cache, should it have been pushed out
        cost, code, said = measure.run(command, text)
        if code != 0:
            raise rivals.Failed(f"exited {code}: {said.strip()[-500:]}")
        return cost, None if rival.is_ceiling else rival.result(work)
    finally:
        shutil.rmtree(work, ignore_errors=True)


@dataclasses.dataclass
class Tally:
    """What one rival did on one shape."""

    rival: rivals.Rival
    costs: list = dataclasses.field(default_factory=list)
    figures: list = dataclasses.field(default_factory=list)
    failure: str = ""

    def median(self, measure_name):
        return statistics.median(getattr(cost, measure_name) for cost in self.costs)


def run_rounds(chosen, shape, data, taking_part):
    tallies = [Tally(rival) for rival in taking_part]
    for round_index in range(chosen.rounds):
        first = round_index % len(tallies)  # nobody always follows the same neighbour
        for tally in tallies[first:] + tallies[:first]:
            if tally.failure:
                continue
            try:
                cost, figures = run_once(tally.rival, shape, data, chosen.build / "bench" / "work")
            except (rivals.Failed, OSError, LookupError, ValueError) as failure:
                tally.failure = str(failure) or repr(failure)
                say(f"  {tally.rival.name} FAILED: {tally.failure}")
                continue
            tally.costs.append(cost)
            tally.figures.append(figures)
            say(
                f"  round {round_index + 1} {tally.rival.name:9}{cost.wall_s:8.2f} s wall"
                f"{cost.cpu_s:8.2f} s CPU{cost.peak_mib:9.1f} MiB"
            )
    return tallies


def disagreements(tallies):
    """Texts, one for each figure that is not the same for all who state it."""
    stated = {}
    for tally in tallies:
        for figures in filter(None, tally.figures):
            for name, value in figures.items():
                stated.setdefault(name, {}).setdefault(value, set()).add(tally.rival.name)
    texts = []
    for name, by_value in stated.items():
        if len(by_value) > 1:
            words = [f"{value} says {','.join(sorted(who))}" for value, who in by_value.items()]
            texts.append(f"{name}: {'; '.join(words)}")
    return texts


def print_table(title, tallies):
    base = next((t for t in tallies if t.rival.name == "tallyd" and t.costs), None)
    say(f"\n{title}")
    heads = "".join(f"{head:>9}{'min-max':>17}{'ratio':>8}" for _, head in MEASURES)
    say(f"{'':10}{heads}")
    for tally in tallies:
        if not tally.costs:
            say(f"{tally.rival.name:10}  failed: {tally.failure}")
            continue
        cells = ""
        for name, _ in MEASURES:
            values = [getattr(cost, name) for cost in tally.costs]
            digits = 0 if name == "peak_mib" else 2
            spread = f"{min(values):.{digits}f}-{max(values):.{digits}f}"
            ratio = f"{tally.median(name) / base.median(name):.2f}x" if base else "-"
            cells += f"{tally.median(name):9.{digits}f}{spread:>17}{ratio:>8}"
        say(f"{tally.rival.name:10}{cells}")
    for tally in tallies:
        say(f"  {tally.rival.name:9} {tally.rival.does}")


def first_line(command):
    try:
        return (rivals.output(command).splitlines() or [""])[0]
    except (rivals.Failed, OSError):
        return "unknown"


def versions(chosen, taking_part):
    """What was measured. Starting node and DuckDB for nothing shows what of its time is start."""
    found = {}
    for rival in taking_part:
        if isinstance(rival, rivals.Tallyd):
            describe = ["git", "-C", str(ROOT), "describe", "--always", "--dirty"]
            found["tallyd"] = first_line(describe)
        if isinstance(rival, rivals.Duckdb) and "duckdb" not in found:
            script = chosen.build / "bench" / "version.sql"
            command = rival.command(":memory:", ["SELECT version() AS version"], script)
            start = time.monotonic()
            found["duckdb"] = json.loads(rivals.output(command))[0]["version"]
            found["duckdb_start_s"] = round(time.monotonic() - start, 2)
            found["node"] = first_line(["node", "--version"])
            script.unlink()
        if isinstance(rival, rivals.Sqlite):
            found["sqlite"] = first_line(["sqlite3", "--version"]).split(" ")[0]
    return found


def build_type(build):
    cache = build / "CMakeCache.txt"
    lines = cache.read_text().splitlines() if cache.exists() else []
    return next((line[24:] for line in lines if line.startswith("CMAKE_BUILD_TYPE:STRING=")), "")


def verdict(results, absent):
    """(held, one line). The bar: all agree, and tallyd is not slower than job L, ACLED shape."""
    said = ["no tallyd to measure"] if "tallyd" in absent else []
    for shape, tallies in results.items():
        said += [f"{tally.rival.name} failed ({shape})" for tally in tallies if tally.failure]
        said += [f"{text} ({shape})" for text in disagreements(tallies)]
    wall = {t.rival.name: t.median("wall_s") for t in results.get("acled", []) if t.costs}
    without = f" (without {', '.join(absent)})" if absent else ""
    if said:
        return False, f"bench: NOT HELD: {'; '.join(said)}{without}"
    if "tallyd" not in wall or "duckdb-l" not in wall:
        return True, f"bench: all that ran agree; tallyd and DuckDB job L did not both run{without}"
    ratio = wall["duckdb-l"] / wall["tallyd"]
    held = ratio >= 1
    return held, (
        f"bench: {'held' if held else 'NOT HELD'}: all agree; tallyd takes the ACLED shape"
        f" {ratio:.2f} times as fast as DuckDB job L{without}"
    )


def write_json(path, about, results):
    rows = {
        shape: [
            {
                "rival": tally.rival.name,
                "does": tally.rival.does,
                "failure": tally.failure,
                "runs": [dataclasses.asdict(cost) for cost in tally.costs],
                "median": {n: tally.median(n) for n, _ in MEASURES} if tally.costs else None,
                "figures": tally.figures[-1] if tally.figures else None,
            }
            for tally in tallies
        ]
        for shape, tallies in results.items()
    }
    path.write_text(json.dumps({**about, "cold_load": rows}, indent=2) + "\n")


def main():
    chosen = options()
    wanted = chosen.only.split(",") if chosen.only else [rival.name for rival in rivals.RIVALS]
    everybody = [rival(chosen.build) for rival in rivals.RIVALS if rival.name in wanted]
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
        "versions": versions(chosen, taking_part),
        "build_type": build_type(chosen.build),
        "rounds": chosen.rounds,
    }
    for title in ("machine", "versions"):
        say(f"{title}: " + ", ".join(f"{name} {value}" for name, value in about[title].items()))
    if about["build_type"] in ("", "Debug"):
        say(f"NOTE: build type '{about['build_type']}': not an optimised build")
    results = {}
    for shape in shapes.SHAPES:
        if chosen.shape in (None, shape.name):
            rows = chosen.rows_acled if shape is shapes.ACLED else chosen.rows_compact
            data = make_data(chosen.build, shape, rows)
            title = f"cold load, {shape.name} shape: {rows:,} rows, {data.stat().st_size:,} bytes"
            say(title)
            tallies = run_rounds(chosen, shape, data, taking_part)
            results[shape.name] = tallies
            print_table(f"{title}, medians of {chosen.rounds}, ratio to tallyd", tallies)
            figures = next((t.figures[0] for t in tallies if any(t.figures)), {})
            say("  figures   " + ", ".join(f"{name} {value}" for name, value in figures.items()))
            say("")
    write_json(chosen.build / "bench" / "results.json", about, results)
    held, line = verdict(results, absent)
    say(line)
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
