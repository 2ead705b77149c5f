#!/usr/bin/env python3
"""The example of docs/format.md is a real file, and says what the page says it does.

The page's hex dump, bytes and bits, is that file; its tables are what both readers print of it; its
feed, dropped today, comes to the same content.
"""

import re
import sys

import readers
from readers import must, reader

PAGE = readers.HERE.parents[1] / "docs" / "format.md"
FILE = readers.HERE / "example.rollup"

BYTES = re.compile(r"    ([0-9a-f]{3})  ((?:[0-9a-f]{2}(?: |$))+)(?: +(\S.*))?$")
BITS = re.compile(r"           ([01]+|0 × (\d+))(?:  +\S.*)?$")

CONFIG = """\
[feed attacks]
id = id
date = first
end_date = last
dim.province = province
dim.target = target
measure.killed = killed

[rollup harm]
feeds = attacks
by = province target
measures = killed
windows = 7d
"""


def example():
    text = PAGE.read_text()
    begin = text.index("\n## An example, byte by byte\n")
    return text[begin:text.index("\n## ", begin + 1)].splitlines()


def table(first):
    """Lines of the page's table that begins so."""
    lines = example()
    at = lines.index("    " + first)
    return [line[4:] for line in lines[at:lines.index("", at)]]


def dumped():
    """(offset, bytes, bits that the page shows of them) of each line of the dump."""
    pieces = []
    for line in example():
        if match := BYTES.match(line):
            pieces.append([int(match[1], 16), bytes.fromhex(match[2]), ""])
        elif match := BITS.match(line):
            pieces[-1][2] += "0" * int(match[2]) if match[2] else match[1]
    return pieces


def bits_of(data):
    return "".join(f"{byte:08b}"[::-1] for byte in data)


def test_the_dump_is_the_file(options, stack):
    data, at, packed = FILE.read_bytes(), 0, 0
    for offset, piece, bits in dumped():
        must(offset == at and data[at:at + len(piece)] == piece, f"at {offset:03x} of the dump")
        must(bits in ("", bits_of(piece)), f"{offset:03x}: {bits}, bytes are {bits_of(piece)}")
        packed += len(bits)
        at += len(piece)
    must(at == len(data), f"the dump ends at {at:03x}")
    must(packed > 500, f"{packed} bits shown")


def test_the_tables_are_what_both_readers_print(options, stack):
    rollup = readers.compare(options, FILE)
    for write, arguments, first in (
            (reader.write_entries, (rollup.cells, ["day"]), "province,target,day,"),
            (reader.write_entries, (rollup.spans, ["first_day", "last_day"]),
             "province,target,first_day,")):
        header = next(line[4:] for line in example() if line.startswith("    " + first))
        must(readers.rows_of("\n".join(table(header)))
             == readers.printed(write, rollup, *arguments), f"the table {header}")


def test_the_windows_are_what_both_readers_print(options, stack):
    rollup = readers.read(FILE)
    header, *rows = readers.rows_of("\n".join(table(
        "province,target,window_start,window_end,days,basis,incidents,killed,killed_reported")))
    must([row[5] for row in rows] == list(reader.BASES), f"{rows}")
    for row in rows:
        days, end, basis = int(row[4]), reader.day_number(row[3]), row[5]
        readers.compare_window(options, FILE, rollup, days, end, basis)
        got = readers.printed(reader.write_window, rollup, days, end, basis)
        must(got[0] == header and row in got, f"{row} is not among {got}")


def test_the_feed_comes_to_the_same_content(options, stack):
    box = stack.enter_context(readers.Sandbox(options.bin, CONFIG))
    box.drop("october.csv", "\n".join(table("id,first,last,province,target,killed")) + "\n")
    box.once().ended(0)
    made = readers.read(box.state / "rollup" / "harm.rollup")
    kept = readers.read(FILE)
    must(made.digest == kept.digest, f"{made.digest:032x}, in the example {kept.digest:032x}")
    must(made.provenance[1][0][2:] == kept.provenance[1][0][2:], "another file")


if __name__ == "__main__":
    readers.run_tests(sys.modules[__name__], readers.arguments(__doc__), "example")
