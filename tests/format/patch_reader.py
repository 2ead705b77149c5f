#!/usr/bin/env python3
"""The second reader of a base and its patch, from docs/format.md, "The patch".

    tests/format/patch_reader.py BASE PATCH cells|spans|window DAYS END BASIS|digest

Like reader.py it decodes everything, takes nothing on trust and refuses what breaks a rule.
"""

import struct
import sys

import reader
from reader import DAY_MAX, DAY_MIN, INCIDENTS_MAX, SECTIONS, SUM_MAX, Bytes, Entry, need

MAGIC = b"\x89TALPT\r\n"
COVERAGE_BYTES = 9  # of each feed, at the end of the schema
WIDTHS = (0, 1, 2, 4, 8, 16)


def frame_of(data):
    """What a patch names its base by: the checksum behind the section table."""
    count, = struct.unpack_from("<I", data, 12)
    return struct.unpack_from("<Q", data, reader.HEADER_BYTES + 32 * count)[0]


def names(patch, base):
    """Whether a patch is that of a base; both are whole files."""
    return reader.open_table(patch, MAGIC)[1] == frame_of(base)


def rises(numbers):
    return all(a < b for a, b in zip(numbers, numbers[1:]))


# ---------------------------------------------------------------- groups

class Groups:
    """Section 3: which groups of the base are gone, and the texts of those that the patch has."""

    def __init__(self, data, base, texts):
        self.cursor = cursor = Bytes(data, "groups")
        self.gone = reader.monotone(cursor)
        self.changed = reader.monotone(cursor)
        new = cursor.number("Q")
        cursor.need(new * len(texts) * 4 <= len(data), "more new groups than bytes")
        numbers = [cursor.unpack(f"{len(texts)}I") for _ in range(new)] if texts else [()] * new
        cursor.fill()
        cursor.end()
        for part in (self.gone, self.changed):
            cursor.need(rises(part) and (not part or part[-1] < len(base.groups)),
                        "not groups of the base, sorted")
        cursor.need(not set(self.gone) & set(self.changed), "gone, and said to change")
        for dimension in range(len(texts)):
            self.check_texts(dimension, texts[dimension], [group[dimension] for group in numbers])
        self.new = [tuple((texts[d][0] + texts[d][1])[n] for d, n in enumerate(group))
                    for group in numbers]
        keys = [sort_key(group) for group in self.new]
        cursor.need(rises(keys) and (texts or new <= 1), "new groups out of order")
        cursor.need(not set(self.new) & set(base.groups), "a new group that the base has")
        self.texts = [base.groups[g] for g in self.changed] + self.new

    def check_texts(self, dimension, texts, used):
        old, new = texts
        self.cursor.need(all(number < len(old) + len(new) for number in used), "an unknown text")
        need(not set(old) & set(new), "dictionary", "a text that the base has as well")
        need({number for number in used if number >= len(old)}
             == set(range(len(old), len(old) + len(new))), "dictionary",
             f"a text that no new group has, dimension {dimension}")


def sort_key(texts):
    return tuple(reader.bytes_of(text) for text in texts)


# ---------------------------------------------------------------- differences

def narrowest(numbers):
    bits = max(((~n if n < 0 else n).bit_length() + 1 for n in numbers if n), default=0)
    return next(width for width in WIDTHS if bits <= 8 * width)


def read_column(cursor, count):
    width, zero = cursor.unpack("II")
    cursor.need(zero == 0 and width in WIDTHS, "a column of an unknown width")
    numbers = [int.from_bytes(cursor.take(width), "little", signed=True) for _ in range(count)]
    cursor.fill()
    cursor.need(width == narrowest(numbers), "a column that is too wide")
    return numbers


class Differences:
    """Section 5 or 6: `of_group` holds rows (first, last, incidents, ((sum, missing), ...))."""

    def __init__(self, data, name, measures, groups):
        cursor = Bytes(data, name)
        spans = name == "spans"
        self.all, count = cursor.unpack("QQ")
        starts = reader.monotone(cursor)
        cursor.need(len(starts) == groups + 1 and starts[0] == 0 and starts[-1] == count,
                    "starts of another number of groups or entries")
        days = read_column(cursor, count)
        lengths = read_column(cursor, count) if spans else [0] * count
        incidents = read_column(cursor, count)
        columns = [(read_column(cursor, count), read_column(cursor, count))
                   for _ in range(measures)]
        cursor.end()
        self.of_group = []
        for begin, end in zip(starts, starts[1:]):
            rows = [(days[i], days[i] + lengths[i], incidents[i],
                     tuple((sums[i], missing[i]) for sums, missing in columns))
                    for i in range(begin, end)]
            cursor.need(rises([row[:2] for row in rows]), "differences out of order")
            self.of_group.append(rows)
        for first, last, more, measured in (row for rows in self.of_group for row in rows):
            cursor.need(DAY_MIN <= first and last <= DAY_MAX and (first < last) == spans,
                        "impossible days")
            cursor.need(more or any(any(pair) for pair in measured), "a difference of nothing")


def add(entries, rows, measures, section):
    """Entries of the sum, newest first."""
    sums = {(e.first, e.last): [e.incidents, *((s, e.incidents - r) for s, r in e.measures)]
            for e in entries}
    for first, last, incidents, measured in rows:
        have = sums.get((first, last), [0, *[(0, 0)] * measures])
        sums[first, last] = [have[0] + incidents, *(
            (total + more, missing + less)
            for (total, missing), (more, less) in zip(have[1:], measured))]
    return [entry_of(days, values, section) for days, values in sorted(sums.items(), reverse=True)
            if values[0] or any(any(pair) for pair in values[1:])]


def entry_of(days, values, section):
    incidents, *measured = values
    need(1 <= incidents <= INCIDENTS_MAX, section, "the sum has an impossible entry")
    for total, missing in measured:
        need(abs(total) <= SUM_MAX and 0 <= missing <= incidents, section,
             "the sum has an impossible measure")
        need(missing < incidents or total == 0, section, "a sum that nobody reported")
    return Entry(*days, incidents, tuple((total, incidents - missing)
                                         for total, missing in measured))


# ---------------------------------------------------------------- the sum

def sum_up(base, groups, parts):
    """Texts of each group of the sum, its cells, its spans."""
    old = dict(zip(base.groups, zip(base.cells, base.spans)))
    for group in groups.gone:
        del old[base.groups[group]]
    cells, spans = parts
    for texts, *rows in zip(groups.texts, cells.of_group, spans.of_group):
        need(any(rows), "groups", "one that does not change")
        old[texts] = tuple(
            add(entries, one, len(base.schema.measures), section)
            for entries, one, section in zip(old.get(texts, ([], [])), rows, ("cells", "spans")))
    ordered = sorted(old, key=sort_key)
    return ordered, [old[texts][0] for texts in ordered], [old[texts][1] for texts in ordered]


def decode(base_data, data):
    """The sum, all but what `prove` checks; `base`: what the base says."""
    base = reader.read(base_data)
    (generation, low, high, first, last), names_base, sections = reader.open_table(data, MAGIC)
    need(names_base == frame_of(base_data), "file", "the patch of another base")
    base_sections = reader.open_table(base_data)[2]
    schema = reader.read_schema(sections[1])
    kept = COVERAGE_BYTES * len(base.schema.feeds)
    need(sections[1][:-kept] == base_sections[1][:-kept], "schema", "not that of the base")
    texts = list(zip(reader.read_dictionary(base_sections[2], base.schema),
                     reader.read_dictionary(sections[2], schema)))
    groups = Groups(sections[3], base, texts)
    parts = [Differences(sections[number], SECTIONS[number], len(schema.measures),
                         len(groups.texts)) for number in (5, 6)]
    names_of_groups, cells, spans = sum_up(base, groups, parts)
    need(all(cells), "groups", "one without cells that is not gone")
    for part, entries in zip(parts, (cells, spans)):
        need(part.all == sum(map(len, entries)), "cells", "another number of entries in the sum")
    for of_cells, of_spans in zip(cells, spans):
        reader.check_spans(of_cells, of_spans)
    return reader.Rollup(generation, low | high << 64, first, last, schema, names_of_groups, cells,
                         spans, None, reader.read_provenance(sections[7], generation))


def prove(rollup):
    need((rollup.first_day, rollup.last_day) == reader.days_of(rollup), "file",
         "first or last day is another")
    need(rollup.digest == reader.content_digest(rollup), "file", "the content digest is another")


def read(base_data, data):
    rollup = decode(base_data, data)
    prove(rollup)
    return rollup


def main(base, patch, what, *options):
    with open(base, "rb") as one, open(patch, "rb") as other:
        reader.show(read(one.read(), other.read()), what, *options)


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except reader.Refused as refused:
        sys.exit(f"{sys.argv[2]}: {refused}")
