"""The size table: bytes a day cell by section, beside Parquet and SQLite with the same cells."""

from packed import ROLLUP
from show import held, say

# At most so many bytes a day cell of two columns, keys and dictionaries included.
TARGETS = {"acled": 1.12, "compact": 0.91}

INCLUDED = ("frame", "schema", "dictionary", "groups", "cells")
APART = ("spans", "headline", "provenance")

# (file, what it is, which rival wrote it)
OTHERS = (
    ("cells-19.parquet", "Parquet, zstd 19, one row group", "duckdb"),
    ("cells.parquet", "Parquet, zstd", "duckdb"),
    ("windows-19.parquet", "Parquet, zstd 19, with windows", "duckdb"),
    ("windows.parquet", "Parquet, zstd, with windows", "duckdb"),
    ("keyed.db", "SQLite, keyed by group and day", "sqlite"),
    ("texts.db", "SQLite, and an index by texts", "sqlite"),
)


def measure(packed, _):
    """One shape's table."""
    sections = packed.sections["sections"]
    included = sum(sections[name] for name in INCLUDED)
    lines = [(name, sections[name]) for name in INCLUDED]
    lines.append(("keys, dictionaries and cells", included))
    lines.append(("reported-counts", packed.reported_bytes()))
    lines += [(name, sections[name]) for name in APART]
    lines.append(("the whole rollup", packed.bytes_of(ROLLUP)))
    lines += [(what, packed.bytes_of(name)) for name, what, who in OTHERS if who in packed.counts]
    cells = packed.sections["cells"]
    target = TARGETS[packed.shape.name]
    return {
        **packed.counts["tallyd"],
        "lines": [{"what": what, "bytes": count} for what, count in lines],
        "bytes_a_cell": included / cells,
        "target": target,
        "held": included / cells <= target,
    }


def wrong(_):
    return []


def missed(_, table):
    took, most = table["bytes_a_cell"], table["target"]
    return [] if table["held"] else [f"a cell takes {took:.3f} bytes, not {most}"]


def kept(_, table):
    return table


def show(packed, table):
    cells = table["cells"]
    title = f"size, {packed.shape.name} shape: {cells:,} day cells of {table['groups']:,} groups"
    say(f"\n{title}, 2 columns")
    say(f"{'':34}{'bytes':>13}{'a cell':>9}")
    for line in table["lines"]:
        count = line["bytes"]
        if count is None:
            say(f"  {line['what']:32}{'in the cells':>13}")
            continue
        note = ""
        if line["what"].startswith("keys"):
            note = f"   at most {table['target']}: {held(packed, table['held'])}"
        say(f"  {line['what']:32}{count:>13,}{count / cells:>9.3f}{note}")
