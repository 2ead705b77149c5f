#!/usr/bin/env python3
"""A second reader of rollup files, from docs/format.md and Python's standard library alone.

    tests/format/reader.py FILE cells|spans|window DAYS END BASIS|digest

It decodes everything, takes nothing on trust, and refuses what breaks a rule of "A file is valid
if and only if", naming the section. It is written to be read beside the page, not to be fast.
"""

import csv
import dataclasses
import struct
import sys

from codes import (Bits, Bytes, Refused, bytes_of, day_number, day_text, monotone, need, text_of,
                   to_zigzag, zigzag)
from xxh3 import xxh3_64, xxh3_128

MAGIC = b"\x89TALLY\r\n"
MAJOR = 2
HEADER_BYTES = 64
SECTIONS = ("file", "schema", "dictionary", "groups", "headline", "cells", "spans", "provenance")
SECTIONS_MAX = 64
K_MAX = 40
CLASSES_MAX = 34
OFFSET_BITS_MAX, TOTAL_BITS_MAX = 56, 128  # widths in skip entries
BLOCK = 128
BUCKET = 16
SHORT_BLOCK = 64  # up to so many entries, lists stand without their lengths
DENSE, EMPTY = 8, 9
SUM_MAX = 1 << 96
INCIDENTS_MAX = (1 << 32) - 1
DAY_MIN, DAY_MAX = -4371587, 2932896  # -9999-01-01, 9999-12-31
DIGEST_MASK = (1 << 128) - 1
PROVENANCE_MAX = 100
FEEDS_MAX, DIMENSIONS_MAX, MEASURES_MAX, FILTERS_MAX, WINDOWS_MAX = 64, 16, 32, 16, 16
NAME_BYTES_MAX, WINDOW_DAYS_MAX = 64, 36600
BASES = ("start", "end", "overlap", "inside")


# ---------------------------------------------------------------- the file and its parts

@dataclasses.dataclass(frozen=True)
class Entry:
    """A cell (`first` is `last`) or a span; `measures`: (sum, reported) each."""
    first: int
    last: int
    incidents: int
    measures: tuple


@dataclasses.dataclass
class Schema:
    name: str
    feeds: list      # (name, bits of its measures)
    dimensions: list
    measures: list
    filters: list    # (dimension, negated, patterns)
    windows: list
    coverage: list   # of each feed: (first, last) or None
    plain: bytes     # from name to windows, for the digest


@dataclasses.dataclass
class Rollup:
    """All that a file says. `groups`: the texts of each; `cells`, `spans`: its entries, newest
    first; `headline`: end and per window two lists of entries, a group each, or None."""
    generation: int
    digest: int
    first_day: int
    last_day: int
    schema: Schema
    groups: list
    cells: list
    spans: list
    headline: object
    provenance: object


def open_table(data, magic=MAGIC):
    """The header's fields, what names the base of a patch, and each section's bytes by its id."""
    need(data[:8] == magic and data[-8:] == magic, "file", "no magic at both ends")
    cursor = Bytes(data, "file")
    cursor.take(8)
    major, _, count, length, *header, base = cursor.unpack("HHIQQQQiiQ")
    need(major == MAJOR, "file", f"version {major}")
    cursor.need(DAY_MIN <= header[3] <= DAY_MAX and DAY_MIN <= header[4] <= DAY_MAX,
                "days out of range")
    need(count <= SECTIONS_MAX and length == len(data), "file", "a broken header")
    need(base == 0 or magic != MAGIC, "file", "something where zeros have to be")
    table = [cursor.unpack("IIQQQ") for _ in range(count)]
    need(xxh3_64(data[:cursor.at]) == cursor.number("Q"), "file", "the table's checksum is another")
    sections = {}
    for number, zero, offset, size, checksum in table:
        name = SECTIONS[number] if 0 < number < len(SECTIONS) else f"section {number}"
        need(number not in sections, name, "stands twice")
        need(zero == 0 and offset == cursor.at, name, "does not follow the one before")
        sections[number] = cursor.take(size)
        need(xxh3_64(sections[number], number) == checksum, name, "its checksum is another")
        cursor.fill()
    cursor.take(8)
    cursor.end()
    for number, name in enumerate(SECTIONS):
        need(number in sections or number == 0 or (number == 4 and magic != MAGIC), name,
             "is missing")
    return header, base, sections


def read_schema(data):
    cursor = Bytes(data, "schema")
    name = cursor.text()
    feeds = cursor.several(FEEDS_MAX, lambda: (cursor.text(), cursor.varint()))
    dimensions = cursor.several(DIMENSIONS_MAX, cursor.text)
    measures = cursor.several(MEASURES_MAX, cursor.text)
    filters = cursor.several(FILTERS_MAX, lambda: (
        cursor.text(), cursor.number("B"), cursor.several(len(data), cursor.text)))
    windows = cursor.several(WINDOWS_MAX, cursor.varint)
    plain = data[:cursor.at]
    coverage = []
    for _ in feeds:
        covered, first, last = cursor.unpack("Bii")
        cursor.need(covered in (0, 1) and (covered or first == last == 0)
                    and DAY_MIN <= first <= last <= DAY_MAX, "a wrong coverage")
        coverage.append((first, last) if covered else None)
    cursor.end()
    cursor.need(all(bits >> len(measures) == 0 for _, bits in feeds), "a measure of no name")
    cursor.need(all(negated in (0, 1) for _, negated, _ in filters), "a wrong filter")
    cursor.need(all(1 <= days <= WINDOW_DAYS_MAX for days in windows), "a wrong window")
    cursor.need(name[0:1] != "." and "/" not in name, "a name that is none of a file")
    feed_names = [feed[0] for feed in feeds]
    for one in ([name], feed_names, dimensions, measures, windows):
        cursor.need(len(set(one)) == len(one), "the same twice")
    for one in (name, *feed_names, *dimensions, *measures):
        cursor.need(1 <= len(bytes_of(one)) <= NAME_BYTES_MAX and "\0" not in one, "a wrong name")
    for dimension, _, patterns in filters:
        cursor.need(not any("\0" in one for one in (dimension, *patterns)), "a wrong filter")
    return Schema(name, feeds, dimensions, measures, filters, windows, coverage, plain)


def read_texts(cursor):
    """The texts of one dimension."""
    count, longest, size = cursor.unpack("IIQ")
    starts = cursor.unpack(f"{(count + BUCKET - 1) // BUCKET}I") if count <= len(cursor.data) else ()
    begin = cursor.at
    texts = []
    for i in range(count):
        if i % BUCKET == 0:
            cursor.need(starts[i // BUCKET:] and cursor.at - begin == starts[i // BUCKET],
                        "a bucket begins elsewhere")
            texts.append(cursor.take(cursor.varint()))
            continue
        shared = cursor.varint()
        before = texts[-1]
        rest = cursor.take(cursor.varint())
        cursor.need(shared <= len(before) and before[shared:shared + 1] != rest[:1],
                    "a text that shares another beginning")
        texts.append(before[:shared] + rest)
    cursor.need(cursor.at - begin == size, "buckets of another length")
    cursor.fill()
    cursor.need(all(a < b for a, b in zip(texts, texts[1:])), "texts out of order")
    cursor.need(longest == max(map(len, texts), default=0), "the longest text is another")
    return [text_of(text) for text in texts]


def read_dictionary(data, schema):
    cursor = Bytes(data, "dictionary")
    texts = [read_texts(cursor) for _ in schema.dimensions]
    cursor.end()
    return texts


def read_groups(data, texts):
    """The texts of each group."""
    cursor = Bytes(data, "groups")
    count = cursor.number("Q")
    beginnings = [()]
    for dimension in texts:
        keys = monotone(cursor)
        cursor.need(all(a < b for a, b in zip(keys, keys[1:])), "keys out of order")
        pairs = [divmod(key, len(dimension)) for key in keys] if dimension else []
        cursor.need(len(pairs) == len(keys), "keys without texts")
        cursor.need({before for before, _ in pairs} == set(range(len(beginnings) if keys else 0)),
                    "a beginning that does not go on")
        cursor.need({value for _, value in pairs} == set(range(len(dimension))),
                    "a text of no group")
        beginnings = [beginnings[before] + (dimension[value],) for before, value in pairs]
    if not texts:
        cursor.need(count <= 1, "several groups without dimensions")
        beginnings = [()] * count
    cursor.need(count == len(beginnings), "the number of groups is another")
    cursor.end()
    return beginnings


# ---------------------------------------------------------------- cells and spans

class Entries:
    """Decodes section 5 or 6: `of_group` holds each group's entries."""

    def __init__(self, data, name, measures, groups):
        self.cursor = cursor = Bytes(data, name)
        self.spans = name == "spans"
        self.measures = measures
        self.columns = self.spans + 1 + 2 * measures
        self.of_group = [[] for _ in range(groups)]
        count, self.newest, self.oldest, self.longest, classes, self.signed = cursor.unpack("QiiIIQ")
        self.widths = cursor.unpack(f"{2 if self.spans else 2 + self.columns}B")
        cursor.fill()
        cursor.need(self.signed >> measures == 0, "zigzag of a measure of no name")
        cursor.need(max(self.widths[:2]) <= OFFSET_BITS_MAX
                    and max(self.widths) <= TOTAL_BITS_MAX, "fields that are too wide")
        if count == 0:
            cursor.need((self.newest, self.oldest, self.longest, classes) == (0, 0, 0, 0),
                        "an empty section that says more")
            cursor.end()
            return
        cursor.need(DAY_MIN <= self.oldest <= self.newest <= DAY_MAX, "days out of range")
        cursor.need(classes <= CLASSES_MAX, "too many classes")
        self.parameters = [[cursor.unpack("BB") for _ in range(self.columns)]
                           for _ in range(classes)]
        cursor.need(all(g <= EMPTY and k <= K_MAX for row in self.parameters for g, k in row),
                    "unknown parameters")
        cursor.fill()
        self.read_groups(groups)
        self.agree(count)

    def need(self, condition, why):
        need(condition, self.cursor.section, why)

    def read_groups(self, groups):
        offsets = monotone(self.cursor)
        skips = monotone(self.cursor)
        self.need(len(offsets) == len(skips) == groups + 1 and offsets[0] == skips[0] == 0,
                  "offsets or skips of another number of groups")
        entries = self.cursor.bits(skips[-1] * sum(self.widths))
        blocks = self.cursor.take(offsets[-1])
        self.cursor.end()
        for g in range(groups):
            one = blocks[offsets[g]:offsets[g + 1]]
            skip = [[entries.take(width) for width in self.widths]
                    for _ in range(skips[g + 1] - skips[g])]
            self.need(one or not skip, "skips of a group without entries")
            if one:
                self.of_group[g] = self.read_group(one, skip)

    def read_group(self, data, skips):
        starts = [0, *(skip[0] for skip in skips), len(data)]
        self.need(all(a < b for a, b in zip(starts, starts[1:])), "blocks out of order")
        entries = []
        for i in range(len(skips) + 1):
            if i > 0:
                self.check_totals(entries, skips[i - 1])
            bits = Bits(data[starts[i]:starts[i + 1]], self.cursor.section)
            entries += self.read_block(bits, skips, i)
        keys = [(-entry.first, -entry.last) for entry in entries]
        self.need(all(a < b for a, b in zip(keys, keys[1:])), "entries out of order")
        return entries

    def check_totals(self, newer, skip):
        if self.spans:
            return
        want = [sum(entry.incidents for entry in newer)]
        for m in range(self.measures):
            total = sum(entry.measures[m][0] for entry in newer)
            want.append(to_zigzag(total) if self.signed >> m & 1 else total)
            want.append(want[0] - sum(entry.measures[m][1] for entry in newer))
        self.need(list(skip[2:]) == want, "a skip entry with other totals")

    def read_block(self, bits, skips, i):
        count = bits.take(7) + 1
        self.need(i == len(skips) or count == BLOCK, "a short block before the last one")
        entries = BLOCK * len(skips) + (0 if skips else count)
        number = (BLOCK * len(skips) if skips else entries).bit_length()
        self.need(number < len(self.parameters), "a group of a class without parameters")
        width = bits.take(5)
        age = skips[i - 1][1] if i else bits.take((self.newest - self.oldest).bit_length())
        low = [bits.take(width) for _ in range(count - 1)]
        ages = [age]
        for part in low:
            ages.append(ages[-1] + (bits.unary() << width | part) + (not self.spans))
        columns = self.read_columns(bits, count, self.parameters[number])
        self.need(bits.count - bits.at < 8 and bits.take(bits.count - bits.at) == 0,
                  "a block that ends elsewhere")
        return [self.entry(self.newest - age, row) for age, row in zip(ages, zip(*columns))]

    def read_columns(self, bits, count, parameters):
        columns = []
        for i, (g, k) in enumerate(parameters):
            end = None
            if count > SHORT_BLOCK and g != EMPTY and i + 1 < len(parameters):
                size = bits.golomb(7)
                end = bits.at + size
            columns.append(self.read_list(bits, count, g, k))
            self.need(end in (None, bits.at), "a list of another length")
        return columns

    def read_list(self, bits, count, g, k):
        if g == EMPTY:
            return [0] * count
        if g == DENSE:
            return [bits.golomb(k) for _ in range(count)]
        numbers = []
        while len(numbers) < count:
            zeros = bits.rice(g)
            self.need(zeros <= count - len(numbers), "a list longer than its block")
            numbers += [0] * zeros
            if len(numbers) < count:
                numbers.append(bits.golomb(k) + 1)
        return numbers

    def entry(self, first, row):
        row = list(row)
        last = first + (row.pop(0) + 1 if self.spans else 0)
        incidents = row[0] + 1
        self.need(incidents <= INCIDENTS_MAX, "too many incidents")
        self.need(DAY_MIN <= first and last <= DAY_MAX, "days out of range")
        measures = []
        for m in range(self.measures):
            stored, missing = row[1 + 2 * m:3 + 2 * m]
            total = zigzag(stored) if self.signed >> m & 1 else stored
            self.need(abs(total) <= SUM_MAX, "a sum beyond 2^96")
            self.need(missing <= incidents, "fewer than no incidents reported")
            self.need(missing < incidents or total == 0, "a sum that nobody reported")
            measures.append((total, incidents - missing))
        return Entry(first, last, incidents, tuple(measures))

    def agree(self, count):
        """The head says what the entries say."""
        entries = [entry for group in self.of_group for entry in group]
        self.need(len(entries) == count, "the number of entries is another")
        self.need(self.newest == max(entry.first for entry in entries)
                  and self.oldest == min(entry.first for entry in entries)
                  and self.longest == max(entry.last - entry.first for entry in entries),
                  "newest, oldest or longest is another")


# ---------------------------------------------------------------- what follows from them

def days_of(rollup):
    """First and last day of any incident."""
    entries = [entry for part in (rollup.cells, rollup.spans) for group in part for entry in group]
    if not entries:
        return 1, 0
    return min(entry.first for entry in entries), max(entry.last for entry in entries)


def check_spans(cells, spans):
    """What spans of one first day add up to is part of the cell of that day."""
    left = {cell.first: [cell.incidents, *(reported for _, reported in cell.measures)]
            for cell in cells}
    for span in spans:
        need(span.first in left, "spans", "no cell of its first day")
        of_span = [span.incidents, *(reported for _, reported in span.measures)]
        left[span.first] = [have - one for have, one in zip(left[span.first], of_span)]
        need(min(left[span.first]) >= 0, "spans", "more than the cell of its first day")


def added(entries, measures):
    """(incidents, ((sum, reported) of each measure)) of entries with a sign."""
    incidents = sum(sign * entry.incidents for sign, entry in entries)
    return incidents, tuple(
        (sum(sign * entry.measures[m][0] for sign, entry in entries),
         sum(sign * entry.measures[m][1] for sign, entry in entries)) for m in range(measures))


def window(rollup, group, days, end, basis="start"):
    """What a group adds up to in the window of `days` days that ends on day `end`."""
    begin = end - days + 1
    entries = [(1, cell) for cell in rollup.cells[group] if begin <= cell.first <= end]
    for span in rollup.spans[group]:
        starts, ends = begin <= span.first <= end, begin <= span.last <= end
        if basis == "end" and starts != ends:
            entries.append((-1 if starts else 1, span))
        elif basis == "overlap" and span.first < begin <= span.last:
            entries.append((1, span))
        elif basis == "inside" and starts and span.last > end:
            entries.append((-1, span))
    return added(entries, len(rollup.schema.measures))


def known(rollup, texts):
    """Bit m: a feed behind the group has a column for measure m; others are absent."""
    feeds = rollup.schema.feeds
    if "feed" in rollup.schema.dimensions:
        of_group = texts[rollup.schema.dimensions.index("feed")]
        feeds = [feed for feed in feeds if feed[0] == of_group]
    bits = 0
    for _, measures in feeds:
        bits |= measures
    return bits


def content_digest(rollup):
    sums = []
    for part in (rollup.cells, rollup.spans):
        total = 0
        for texts, entries in zip(rollup.groups, part):
            group = digest_of(b"".join(map(text_bytes, texts)))
            total += sum(int.from_bytes(digest_of(group + entry_bytes(e)), "little")
                         for e in entries)
        sums.append((total & DIGEST_MASK).to_bytes(16, "little"))
    return xxh3_128(rollup.schema.plain + sums[0] + sums[1])


def digest_of(data):
    return xxh3_128(data).to_bytes(16, "little")


def text_bytes(text):
    data = bytes_of(text)
    count, size = len(data), b""
    while count >= 0x80:
        size += bytes([count & 0x7F | 0x80])
        count >>= 7
    return size + bytes([count]) + data


def entry_bytes(entry):
    return struct.pack("<iiQ", entry.first, entry.last, entry.incidents) + b"".join(
        total.to_bytes(16, "little", signed=True) + reported.to_bytes(8, "little")
        for total, reported in entry.measures)


# ---------------------------------------------------------------- headline and provenance

def read_column(cursor, groups, same=None):
    """`same`: what a column of width 0 stands for."""
    width, zero = cursor.unpack("II")
    cursor.need(zero == 0 and (width in (1, 2, 4, 8) or (width == 0 and same is not None)),
                "a column of an unknown width")
    if width == 0:
        return same
    numbers = list(cursor.unpack(f"{groups}{' bh i   q'[width]}"))
    cursor.fill()
    cursor.need(numbers != same and width == narrowest(numbers), "a column that is too wide")
    return numbers


def narrowest(numbers):
    bits = max(((~n if n < 0 else n).bit_length() + 1 for n in numbers), default=0)
    return next(width for width in (1, 2, 4, 8) if bits <= 8 * width)


def read_headline(data, rollup):
    """Checked against the cells; its end, and per window what stands for it and the one before."""
    cursor = Bytes(data, "headline")
    covered, end = cursor.unpack("Ii")
    ends = [coverage[1] for coverage in rollup.schema.coverage if coverage]
    cursor.need(covered == bool(ends) and end == max(ends, default=0), "its end is another")
    if not covered:
        cursor.end()
        return None
    figures = []
    for days in rollup.schema.windows:
        for last in (end, end - days):
            figures.append(read_figures(cursor, rollup, days, last))
    cursor.end()
    return end, figures


def read_figures(cursor, rollup, days, last):
    groups = len(rollup.groups)
    incidents = read_column(cursor, groups)
    measures = []
    for _ in rollup.schema.measures:
        sums = read_column(cursor, groups)
        measures.append(zip(sums, read_column(cursor, groups, incidents)))
    figures = list(zip(incidents, zip(*measures) if measures else [()] * groups))
    for group, figure in enumerate(figures):
        count, sums = window(rollup, group, days, last)
        fit = tuple((total if -1 << 63 < total < 1 << 63 else -1 << 63, reported)
                    for total, reported in sums)
        cursor.need(figure == (count, fit), f"not what the cells give, {days} days, group {group}")
    return figures


def read_provenance(data, generation):
    cursor = Bytes(data, "provenance")
    batches = cursor.varint()
    made_by = cursor.several(min(batches, PROVENANCE_MAX), lambda: (
        cursor.varint(), *cursor.unpack("QQQ"), cursor.text(), cursor.text()))
    cursor.end()
    numbers = [0, *(batch[0] for batch in made_by)]
    cursor.need(all(a < b for a, b in zip(numbers, numbers[1:])), "batches out of order")
    cursor.need(numbers[-1] <= generation, "a batch behind the generation")
    return batches, made_by


def decode(data):
    """All but the headline; that header, headline and digest say the same is left to `prove`."""
    (generation, low, high, first, last), _, sections = open_table(data)
    schema = read_schema(sections[1])
    groups = read_groups(sections[3], read_dictionary(sections[2], schema))
    cells, spans = (Entries(sections[number], SECTIONS[number], len(schema.measures),
                            len(groups)).of_group for number in (5, 6))
    rollup = Rollup(generation, low | high << 64, first, last, schema, groups, cells, spans, None,
                    read_provenance(sections[7], generation))
    need(all(cells), "groups", "a group without cells")
    for of_cells, of_spans in zip(cells, spans):
        check_spans(of_cells, of_spans)
    return rollup


def prove(rollup, data):
    """Checks what follows from cells and spans, and takes the headline."""
    need((rollup.first_day, rollup.last_day) == days_of(rollup), "file",
         "first or last day is another")
    need(rollup.digest == content_digest(rollup), "file", "the content digest is another")
    rollup.headline = read_headline(open_table(data)[2][4], rollup)


def read(data):
    """The whole file, or Refused."""
    rollup = decode(data)
    prove(rollup, data)
    return rollup


# ---------------------------------------------------------------- the command

def figures(known_bits, measures):
    """Unknown is empty, not 0; of what is absent both are empty."""
    return [field for m, (total, reported) in enumerate(measures)
            for field in ((total if reported else "", reported) if known_bits >> m & 1
                          else ("", ""))]


def write_table(rollup, leading, rows):
    """`rows`: the group, the leading fields, incidents, measures."""
    out = csv.writer(sys.stdout, lineterminator="\n")
    names = [field for name in rollup.schema.measures for field in (name, name + "_reported")]
    out.writerow([*rollup.schema.dimensions, *leading, "incidents", *names])
    for group, fields, incidents, measures in rows:
        texts = rollup.groups[group]
        out.writerow([*texts, *fields, incidents, *figures(known(rollup, texts), measures)])


def write_entries(rollup, part, leading):
    write_table(rollup, leading, (
        (group, [day_text(entry.first), day_text(entry.last)][:len(leading)], entry.incidents,
         entry.measures)
        for group, entries in enumerate(part) for entry in reversed(entries)))


def write_window(rollup, days, end, basis):
    """Groups without incidents are left out."""
    fields = [day_text(end - days + 1), day_text(end), days, basis]
    sums = [window(rollup, group, days, end, basis) for group in range(len(rollup.groups))]
    write_table(rollup, ["window_start", "window_end", "days", "basis"], (
        (group, fields, *one) for group, one in enumerate(sums) if one[0] > 0))


def show(rollup, what, *options):
    """Prints one view of a rollup; what is no view says which there are."""
    if what == "cells":
        write_entries(rollup, rollup.cells, ["day"])
    elif what == "spans":
        write_entries(rollup, rollup.spans, ["first_day", "last_day"])
    elif what == "window":
        days, end, basis = options
        write_window(rollup, int(days), day_number(end), basis)
    elif what == "digest":
        print(f"{rollup.digest:032x}")
    else:
        sys.exit(__doc__)


def main(path, what="", *options):
    with open(path, "rb") as file:
        show(read(file.read()), what, *options)


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except Refused as refused:
        sys.exit(f"{sys.argv[1]}: {refused}")
