#!/usr/bin/env python3
"""Damaged files: `tally verify` passes exactly those that the second reader takes as valid.

Damage behind a checksum that no longer holds says little, so checksums are mended, and the content
digest where a file can still be decoded: what is left to notice it are the rules of docs/format.md,
"A file is valid if and only if".
"""

import random
import struct
import sys

import readers
from random_files import BIG, DAYS_2020, Feed, amount, made
from readers import must, reader
from xxh3 import xxh3_64

DAMAGED = 400  # files made of each


def blocks(rng):
    feed = Feed("f", ["place"], ["killed"])
    for place, count in (("a", 300), ("b", 40)):
        for day in rng.sample(range(900), count):
            feed.add(DAYS_2020 + day, [place], [amount(rng)])
    for day in rng.sample(range(90), 70):
        feed.add(DAYS_2020 + day, ["c"], [rng.choice([1, "", 0])], DAYS_2020 + day + 9)
    return feed


def wide(rng):
    feed = Feed("f", [], ["killed"])
    for i in range(200):
        first = DAYS_2020 + rng.randrange(9)
        feed.add(first, [], [BIG - rng.randrange(5)], first if i % 3 else DAYS_2020 + 20 + i)
    return feed


def groups(rng):
    feed = Feed("f", ["a", "b", "c"], [])
    for _ in range(150):
        feed.add(DAYS_2020 + rng.randrange(3), [rng.choice("xyz") * rng.randrange(3)
                                                for _ in range(3)])
    return feed


def put(data, at, form, *numbers):
    struct.pack_into("<" + form, data, at, *numbers)


def mend_checksums(data):
    count, = struct.unpack_from("<I", data, 12)
    table = reader.HEADER_BYTES + 32 * count
    if count > reader.SECTIONS_MAX or table + 8 > len(data):
        return
    for at in range(reader.HEADER_BYTES, table, 32):
        number, _, offset, size = struct.unpack_from("<IIQQ", data, at)
        if offset + size <= len(data):
            put(data, at + 24, "Q", xxh3_64(bytes(data[offset:offset + size]), number))
    put(data, table, "Q", xxh3_64(bytes(data[:table])))


def mend(data):
    mend_checksums(data)
    try:
        rollup = reader.decode(bytes(data))
    except reader.Refused:
        return
    digest = reader.content_digest(rollup)
    put(data, 32, "QQ", digest & (1 << 64) - 1, digest >> 64)
    put(data, 48, "ii", *reader.days_of(rollup))
    mend_checksums(data)


def assembled(header, sections, minor=0):
    """A file of these sections, (number, bytes) each, in this order."""
    at = reader.HEADER_BYTES + 32 * len(sections) + 8
    table, body = b"", b""
    for number, content in sections:
        table += struct.pack("<IIQQQ", number, 0, at + len(body), len(content), 0)
        body += content + bytes(-len(content) % 8)
    data = bytearray(header + table + bytes(8) + body + reader.MAGIC)
    put(data, 10, "H", minor)
    put(data, 12, "IQ", len(sections), len(data))
    mend_checksums(data)
    return bytes(data)


def damaged(whole, rng):
    data = bytearray(whole)
    for _ in range(rng.choice([1, 1, 2])):
        at = rng.randrange(len(data))
        data[at] = rng.choice([data[at] ^ 1 << rng.randrange(8), rng.randrange(256)])
    mend(data)
    return bytes(data)


def verdict(data):
    try:
        reader.read(data)
    except reader.Refused as refused:
        return str(refused)
    return ""


def judge(options, stack, name, whole):
    rng = random.Random(f"{options.seed} {name}")
    folder = stack.enter_context(readers.folder())
    verdicts = {}
    for i in range(DAMAGED):
        path = folder / f"{name}-{i}.rollup"
        path.write_bytes(damaged(whole, rng))
        verdicts[str(path)] = verdict(path.read_bytes())
    done = readers.run([options.bin / "tally", "verify", *verdicts, "--format", "csv"]).ended(65)
    lines = readers.rows_of(done.out)[1:]
    must([path for path, *_ in lines] == list(verdicts), "other files were verified")
    for path, state, detail in lines:
        must((state == "ok") == (not verdicts[path]),
             f"{path} differs from {name}:\n  tally: {state}, {detail}\n"
             f"  reader: {verdicts[path] or 'valid'}")
    valid = sum(not why for why in verdicts.values())
    print(f"      {name}: {valid} of {DAMAGED} are valid and say something else")
    must(0 < valid < DAMAGED, "nothing was tried")


def test_golden_file(options, stack):
    judge(options, stack, "golden", (readers.HERE / "v2.rollup").read_bytes())


def test_other_shapes(options, stack):
    for make in (blocks, wide, groups):
        feed = make(random.Random(f"{options.seed} {make.__name__}"))
        rollup = made(options, stack, [feed], windows="1d")
        judge(options, stack, make.__name__, rollup.path.read_bytes())


def told(options, stack, data):
    """Whether a file is valid, which both have to say alike."""
    path = stack.enter_context(readers.folder()) / "assembled.rollup"
    path.write_bytes(data)
    done = readers.run([options.bin / "tally", "verify", path, "--format", "csv"])
    valid = not verdict(data)
    must(valid == (done.status == 0), f"the second reader: {verdict(data) or 'valid'}\n{done}")
    if valid:
        readers.compare(options, path)
    return valid


def test_sections_in_another_order_and_unknown_ones(options, stack):
    whole = (readers.HERE / "v2.rollup").read_bytes()
    header, known = whole[:reader.HEADER_BYTES], list(reader.open_table(whole)[2].items())
    new, other = (99, b"what is this?"), (0, b"")
    must(assembled(header, known) == whole, "not the file that it was")
    for sections in (known[::-1], known + [new], [new] + known, [new, *known, other]):
        must(told(options, stack, assembled(header, sections, minor=7)), f"{sections} refused")


def test_sections_that_lack_or_stand_twice(options, stack):
    whole = (readers.HERE / "v2.rollup").read_bytes()
    header, known = whole[:reader.HEADER_BYTES], list(reader.open_table(whole)[2].items())
    new = (99, b"what is this?")
    for i, section in enumerate(known):
        must(not told(options, stack, assembled(header, known[:i] + known[i + 1:])), "lacks one")
        must(not told(options, stack, assembled(header, known + [section])), "has one twice")
    must(not told(options, stack, assembled(header, [new, *known, new])), "has one twice")


def test_coverage_and_measures_of_a_feed(options, stack):
    whole = (readers.HERE / "v2.rollup").read_bytes()
    header, known = whole[:reader.HEADER_BYTES], list(reader.open_table(whole)[2].items())
    number, schema = known[0]
    feed = reader.decode(whole).schema.feeds[-1][0].encode()
    bits = schema.index(bytes([len(feed)]) + feed) + 1 + len(feed)

    def changed(at, form, *numbers):
        data = bytearray(schema)
        put(data, at, form, *numbers)
        return assembled(header, [(number, bytes(data)), *known[1:]])

    coverage = len(schema) - 9  # of the last feed
    day = struct.unpack_from("<i", schema, coverage + 1)[0]
    must(number == 1 and schema[bits] < 64, "another file than the one that this is made for")
    must(told(options, stack, changed(coverage, "Bii", 1, day, day)), "a day is a coverage")
    must(told(options, stack, changed(coverage, "Bii", 0, 0, 0)), "there may be none")
    for numbers in ((2, day, day), (0, day, day), (1, day + 1, day), (1, day, reader.DAY_MAX + 1),
                    (1, reader.DAY_MIN - 1, day)):
        must(not told(options, stack, changed(coverage, "Bii", *numbers)), f"{numbers} is taken")
    must(not told(options, stack, changed(bits, "B", schema[bits] | 64)), "a measure of no name")


def arguments():
    def add(parser):
        parser.add_argument("--seed", type=int, default=1, help="of the damage (1)")
    return readers.arguments(__doc__, add)


if __name__ == "__main__":
    readers.run_tests(sys.modules[__name__], arguments(), "verdicts")
