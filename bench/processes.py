"""The table of whole processes: one group's window from a shell, from start to end.

Each query is asked of everybody before the next one is, and the answers are compared. What nobody
can leave out is measured too: `true` is any process at all, `node` is DuckDB started for nothing.
"""

import csv
import datetime
import json
import os
import shutil
import statistics
import tempfile
import time

import rivals
import statements
from packed import EPOCH, ROLLUP
from shapes import GROUP, WINDOW_DAYS
from show import disagreements, held, number, say, spread

TARGET_MS = 2.0  # tally, at most
QUERIES = 30  # of each round
SLOW_QUERIES = 2  # of them asked of who takes a hundred times as long
DOES = {
    "tally": "tally window FILE --days 50 --end DAY --where ..., three times",
    "sqlite3": "sqlite3 FILE 'SELECT ...', the group found by its texts",
    "duckdb": "node, DuckDB on the Parquet file",
    "node": "node, DuckDB started for nothing",
    "true": "/bin/true: any process at all",
}
DOES_NOTHING = ("node", "true")
SLOW = ("node", "duckdb")


def iso(day):
    return (EPOCH + datetime.timedelta(days=day)).isoformat()


def take_queries(packed):
    """(texts, first day, last day), days since 1970."""
    with open(packed.path("queries.tsv"), encoding="utf-8") as lines:
        for _, line in zip(range(QUERIES), lines):
            _, last, *texts = line.rstrip("\n").split("\t")
            yield texts, int(last) - WINDOW_DAYS + 1, int(last)


def commands(packed, texts, first, last):
    """(rival, command line) of everybody for one query."""
    where = [part for name, text in zip(GROUP, texts) for part in ("--where", f"{name}={text}")]
    window = ["--days", str(WINDOW_DAYS), "--end", iso(last), "--format", "csv"]
    yield "tally", [packed.tool("bin/tally"), "window", packed.path(ROLLUP), *window, *where]
    if "sqlite" in packed.counts:
        cells = "groups JOIN cells USING (group_id)"
        query = statements.one_window(cells, texts, first, last)
        shell = [shutil.which("sqlite3"), "-readonly", "-csv", "-header"]
        yield "sqlite3", [*shell, packed.path("texts.db"), query]
    if "duckdb" in packed.counts:
        days = (f"DATE '{iso(first)}'", f"DATE '{iso(last)}'")
        query = statements.one_window(f"'{packed.path('cells.parquet')}'", texts, *days)
        yield "duckdb", node_command(packed, "one.sql", query)
        yield "node", node_command(packed, "none.sql", "SELECT 1")
    yield "true", ["/bin/true"]


def node_command(packed, script, query):
    command = rivals.Duckdb(packed.build).command(":memory:", [query], packed.folder / script)
    return [shutil.which("node"), *command[1:]]


def figures_of(text):
    """(incidents, killed) in CSV with a header or in JSON; nothing at all is 0 here."""
    row = json.loads(text)[0] if text.startswith("[") else next(csv.DictReader(text.splitlines()))
    return int(row["incidents"] or 0), int(row["killed"] or 0)


def run(command):
    """(milliseconds, what it printed). As little of this Python as can be is within the time."""
    with tempfile.TemporaryFile() as out:
        actions = [(os.POSIX_SPAWN_DUP2, out.fileno(), 1)]
        start = time.perf_counter()
        child = os.posix_spawn(command[0], command, os.environ, file_actions=actions)
        _, status = os.waitpid(child, 0)
        ms = (time.perf_counter() - start) * 1e3
        if status != 0:
            raise rivals.Failed(f"{command[0]} ended with status {status}")
        out.seek(0)
        return ms, out.read().decode()


def measure(packed, rounds):
    """(rival, milliseconds, figures or None) of every query and round."""
    runs = []
    for index, (texts, first, last) in enumerate(list(take_queries(packed)) * rounds):
        for rival, command in commands(packed, texts, first, last):
            if rival in SLOW and index % QUERIES >= SLOW_QUERIES:
                continue
            ms, text = run(command)
            stated = None
            if rival not in DOES_NOTHING:
                stated = {f"{' '.join(texts)} {iso(last)}": figures_of(text)}
            runs.append((rival, ms, stated))
    return runs


def times_of(runs, rival):
    return [ms for who, ms, _ in runs if who == rival]


def wrong(runs):
    return disagreements((rival, stated) for rival, _, stated in runs if stated)


def missed(_, runs):
    took = statistics.median(times_of(runs, "tally"))
    return [f"tally takes {number(took)} ms, not {TARGET_MS}"] if took > TARGET_MS else []


def kept(_, runs):
    return {
        rival: {"does": does, "ms": [round(ms, 3) for ms in times_of(runs, rival)]}
        for rival, does in DOES.items()
        if times_of(runs, rival)
    }


def show(packed, runs):
    ours = times_of(runs, "tally")
    say(f"\nwhole processes, {packed.shape.name} shape: one window, medians of {len(ours)} runs")
    say(f"{'':10}{'ms':>10}{'min-max':>18}{'ratio':>8}")
    for rival, does in DOES.items():
        if values := times_of(runs, rival):
            middle, between = spread(values)
            ratio = number(statistics.median(values) / statistics.median(ours))
            say(f"{rival:10}{middle:>10}{between:>18}{ratio + 'x':>8}   {does}")
    say(f"  tally: at most {TARGET_MS} ms: {held(packed, not missed(packed, runs))}")
