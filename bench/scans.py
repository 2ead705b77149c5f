"""The table of stages: one thread takes a CSV in, beside what bounds it (bench/stages.c).

Processor time of the process, which on an idle machine is wall time: what bounds the stages is
measured in the same way. All of a file is in the page cache.
"""

import json
import statistics

import rivals
import wide
from show import number, say, spread

ROWS = {"ucdp": 60_000, "gdelt": 200_000}
DOES = {
    "read": "read(2) through one reused buffer",
    "ceiling": "the same, and records counted 64 bytes at a time",
    "libcsv": "read(2) and libcsv, fields of the mapped columns",
    "fields": "fields of the mapped columns, each record with its place",
    "fields-libcsv": "the same with parser = libcsv",
    "rows": "ingest as the daemon runs it: digest, fields, mapped rows",
    "rows-libcsv": "the same with parser = libcsv",
}
# fields, at least: as fast as libcsv so many times, and such a part of the ceiling.
TARGETS = {"libcsv": 10.0, "ceiling": 0.4}
JUDGED = ("acled", "compact")


def expand(lines):
    """The lines of a feed, those of its preset first."""
    presets = [line.split("=")[1].strip() for line in lines.splitlines() if "preset =" in line]
    rest = [line + "\n" for line in lines.splitlines() if "preset =" not in line]
    return "".join([wide.preset_lines(name) for name in presets] + rest)


def measure(build, name, data, lines, rounds):
    """{stage: {"seconds": [...], ...}} of a file."""
    feed = build / "bench" / f"{name}.feed"
    feed.write_text(expand(lines))
    command = [str(build / "bench" / "bench_stages"), str(data), str(feed), str(rounds)]
    return json.loads(rivals.output(command))


def measure_wide(build, quick, rounds):
    """(name, file, what was found) of the feeds that bench_generate does not make."""
    for kind, rows in ROWS.items():
        rows = rows // 10 if quick else rows
        data = build / "bench" / f"{kind}-{rows}.csv"
        wide.write(data, kind, rows)
        yield kind, data, measure(build, kind, data, wide.feed_lines(kind), rounds)


def median(found, stage):
    return statistics.median(found[stage]["seconds"])


def reached(found):
    """{what: how many times as fast} of the fields."""
    return {name: median(found, name) / median(found, "fields") for name in TARGETS}


def missed(name, found):
    return [
        f"fields come {number(times)} times as fast as {what}, not {TARGETS[what]}"
        for what, times in reached(found).items()
        if name in JUDGED and times < TARGETS[what]
    ]


def wrong(found):
    """Stages of one kind have to see the same."""
    return [
        f"{stage} and {stage}-libcsv see different {what}"
        for stage in ("fields", "rows")
        for what in ("records", "fields", "bytes")
        if found[stage][what] != found[f"{stage}-libcsv"][what]
    ]


def show(name, data, found):
    size = data.stat().st_size
    records = found["rows"]["records"]
    rounds = len(found["read"]["seconds"])
    say(f"\nstages, {name} shape: {size:,} bytes, {records:,} records, medians of {rounds}")
    say(f"{'':16}{'ms':>8}{'min-max':>16}{'GB/s':>8}{'ns/record':>11}{'of ceiling':>12}")
    for stage, one in found.items():
        middle, between = spread([1000 * seconds for seconds in one["seconds"]])
        took = median(found, stage)
        say(
            f"  {stage:14}{middle:>8}{between:>16}{size / took / 1e9:8.2f}"
            f"{1e9 * took / records:11.0f}{median(found, 'ceiling') / took:12.2f}"
        )
    times = reached(found)
    say(f"  fields: {number(times['libcsv'])} times libcsv, {times['ceiling']:.2f} of the ceiling")


def explain():
    for stage, does in DOES.items():
        say(f"  {stage:14} {does}")
