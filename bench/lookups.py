"""The look-up table: windows of one group and of all groups, warm and in process.

Each round starts every rival's program once, one after another. A program opens its data, warms
up, answers queries.tsv some times and states medians (bench/queries.h); the table has the median of
the rounds, and the least of all times. Everybody adds up all answers, and the sums are compared.

In the rivals' favour: the rows of DuckDB's "all groups" stay within DuckDB; SQLite's cache holds
the whole file, and the quicker of its two ways for all groups counts; Parquet and tables are sorted
by group and day, so that most of them can be skipped. Against them: DuckDB is called from
JavaScript, where already a constant takes 0.2 to 0.4 ms.
"""

import json
import statistics

import rivals
from packed import ROLLUP
from shapes import WINDOW_DAYS
from show import disagreements, held, number, say, spread

# (key in a program's answer, heading, unit)
COLUMNS = (
    ("one_us", "one group", "us"),
    ("all_ms", "all groups", "ms"),
    ("open_ms", "opening", "ms"),
)
# tallyd, at most.
TARGETS = {
    "acled": {"one_us": 0.7, "all_ms": 1.5},
    "compact": {"one_us": 0.7, "all_ms": 3.0},
}
DOES = {
    "tallyd": "libtally, the group found by its texts",
    "one-core": "the same on one core",
    "portable": "the same with the code for any machine",
    "sqlite-key": "SQLite, prepared statement, the number of the group known",
    "sqlite-texts": "SQLite, prepared statement, the group found by its texts",
    "duckdb-table": "DuckDB, 2 threads, prepared statement, cells in its memory",
    "duckdb-parquet": "DuckDB, 2 threads, prepared statement on the Parquet file",
}


def programs(packed):
    queries, days = packed.path("queries.tsv"), str(WINDOW_DAYS)
    yield [packed.tool("bench/bench_lookup"), "look-ups", packed.path(ROLLUP), queries, days]
    if "sqlite" in packed.counts:
        yield [packed.tool("bench/bench_lookup_sqlite"), packed.path("texts.db"), queries, days]
    if "duckdb" in packed.counts:
        script = str(rivals.BENCH / "lookup.mjs")
        threads = rivals.THREADS
        yield ["node", script, packed.path("cells.parquet"), queries, days, threads]


def measure(packed, rounds):
    """{rival: its answers, one a round}."""
    answers = {}
    for _ in range(rounds):
        for command in programs(packed):
            for rival, found in json.loads(rivals.output(command)).items():
                answers.setdefault(rival, []).append(found)
    return answers


def sums(found):
    return {n: value for n, value in found.items() if n.endswith(("_incidents", "_killed"))}


def wrong(answers):
    return disagreements((rival, sums(f)) for rival, found in answers.items() for f in found)


def median(answers, rival, key):
    return statistics.median(found[key] for found in answers[rival])


def targets(packed, answers):
    """(heading, unit, at most, median of tallyd)."""
    for key, head, unit in COLUMNS:
        if key in TARGETS[packed.shape.name]:
            yield head, unit, TARGETS[packed.shape.name][key], median(answers, "tallyd", key)


def missed(packed, answers):
    return [
        f"{head} takes {number(took)} {unit}, not {most}"
        for head, unit, most, took in targets(packed, answers)
        if took > most
    ]


def kept(_, answers):
    return {rival: {"does": DOES[rival], "rounds": found} for rival, found in answers.items()}


def show(packed, answers):
    rounds = len(answers["tallyd"])
    title = f"look-ups, {packed.shape.name} shape: windows of {WINDOW_DAYS} days"
    say(f"\n{title}, medians of {rounds} rounds")
    for key, head, unit in COLUMNS:
        say(f"{head + ', ' + unit:18}{'median':>10}{'min-max':>18}{'least':>10}{'ratio':>10}")
        for rival, found in answers.items():
            if key in found[0]:
                middle, between = spread([one[key] for one in found])
                least = number(min(one[key + "_least"] for one in found))
                ratio = number(median(answers, rival, key) / median(answers, "tallyd", key))
                say(f"  {rival:16}{middle:>10}{between:>18}{least:>10}{ratio + 'x':>10}")
    for rival in answers:
        code = f" ({packed.sections['code']})" if rival == "tallyd" else ""
        say(f"  {rival:15} {DOES[rival]}{code}")
    for head, unit, most, took in targets(packed, answers):
        say(f"  {head}: at most {most} {unit}: {held(packed, took <= most)}")
