#!/usr/bin/env python3
"""However hostile a file is, reading it takes what the configuration allows and 2 MiB more.

The peak of the watching daemon (VmHWM) before and after; the next file counts as ever. And what one
file took serves the next one: the daemon does not grow with each.
"""

import csv
import functools
import gzip
import os
import pathlib
import shutil
import subprocess
import sys

import fault
from fault import GOOD, Skip, must

MIB = 1 << 20
LIMITS = {"memory_max": 8 * MIB, "record_max": MIB, "field_max": MIB // 2, "chunk_max": MIB}
ALLOWED_MIB = (LIMITS["memory_max"] + 4 * LIMITS["record_max"] + 2 * LIMITS["chunk_max"]) // MIB
BEYOND_MIB = 2

HEADER = fault.HEADER.encode()
ROW = b"B-1,1,2020-10-05,Kabul,5,6\n"
START = b"B-2,1,2020-10-05,"
END = b",5,6\nB-3,1,2020-10-05,Kabul,5,6\n"

VICTIMS = """\
[feed victims]
id = victim_of
date = day
rows = per-victim
dim.place = place
measure.killed = killed

[rollup victims]
feeds = victims
by =
measures = killed
windows = 7d
"""


def sparse_field(out):
    """10 GB of NUL in one field."""
    out.write(HEADER + ROW + START)
    out.seek(10_000_000_000, os.SEEK_CUR)
    out.write(END)


def long_field(quote, out):
    out.write(HEADER + ROW + START + quote)
    for _ in range(100):
        out.write(b"x" * 1_000_000)
    out.write(END)


def columns_of_a_header(out):
    out.write(b"," * 33_000_000 + b"\n" + ROW)


def columns_of_a_row(out):
    out.write(HEADER + ROW + b"," * 33_000_000 + b"\n" + ROW.replace(b"B-1", b"B-3"))


def columns_within_a_record(out):
    """As many as the longest record has room for."""
    out.write((HEADER + ROW + b"," * 1_040_000 + b"\n") * 3)


def open_quotes(out):
    """Each line opens a quote that swallows the next ones."""
    out.write(HEADER + ROW + b'B-2,1,2020-10-05,"\n' * 100_000)


def open_quotes_of_long_lines(out):
    out.write(HEADER + ROW + (b'B-2,"' + b"x" * 1000 + b"\n") * 20_000)


def longest_records(out):
    out.write(HEADER + ROW)
    for i in range(40):
        out.write(b"L-%d,1,2020-10-05," % i + b"y" * 1_030_000 + b",5,6\n")


def longest_records_of_quotes(out):
    out.write(HEADER + ROW)
    for i in range(40):
        out.write(b'L-%d,1,2020-10-05,"' % i + b'""' * 510_000 + b'",5,6\n')


def long_texts(out):
    """Dimensions of half a MiB, each another one: they do not fit."""
    out.write(HEADER + ROW)
    for i in range(40):
        out.write(b"T-%d,1,2020-10-05," % i + b"%02d" % i * 250_000 + b",5,6\n")


def many_texts(out):
    out.write(HEADER + ROW)
    for i in range(200_000):
        out.write(b"T-%d,1,2020-10-05,place %d %s,5,6\n" % (i, i, b"z" * 40))


def long_rejects(out):
    out.write(HEADER + ROW)
    for i in range(1000):
        out.write(b"R-%d,1,2020-13-05," % i + b"y" * 33_000 + b",5,6\n")


def many_rejects(out):
    out.write(HEADER + ROW)
    for i in range(300_000):
        out.write(b"R-%d,1,2020-13-05,y,5,6\n" % i)


def many_victims(out):
    out.write(b"victim_of,day,place,killed\n")
    for i in range(300_000):
        out.write(b"V-%d,2020-10-05,x,1\n" % i)


def gzip_bomb(out):
    with gzip.GzipFile(fileobj=out, mode="wb", compresslevel=1) as packed:
        packed.write(HEADER + ROW + START)
        for _ in range(1000):
            packed.write(bytes(MIB))


def gzip_of_gzip(out):
    """Ten times over: what is within is no text, and is not unpacked again."""
    content = HEADER + ROW
    for _ in range(10):
        content = gzip.compress(content)
    out.write(content)


def many_gzip_members(out):
    out.write(gzip.compress(HEADER + ROW) + gzip.compress(b"") * 300_000)


def zstd(pieces, *words):
    if not shutil.which("zstd"):
        raise Skip("there is no zstd to pack a bomb")
    with subprocess.Popen(["zstd", "-q", "-c", *words], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE) as packer:
        out, _ = packer.communicate(b"".join(pieces))
    return out


def zstd_bomb(out):
    out.write(zstd([HEADER, ROW, START, bytes(200 * MIB)]))


def zstd_window(log, out):
    """A frame that asks for a window of 2 ** log bytes."""
    out.write(zstd([HEADER, ROW * 4_000_000], "-1", f"--long={log}"))


def zstd_window_of_a_later_frame(out):
    out.write(zstd([HEADER, ROW]))
    zstd_window(22, out)


FILES = {
    "a field of 10 GB": (sparse_field, "accepted"),
    "a field of 100 MB": (functools.partial(long_field, b""), "accepted"),
    "a quote and 100 MB": (functools.partial(long_field, b'"'), "accepted"),
    "33 million columns in the header": (columns_of_a_header, "rejected"),
    "33 million columns in a row": (columns_of_a_row, "accepted"),
    "columns up to the longest record": (columns_within_a_record, "accepted"),
    "100,000 open quotes": (open_quotes, "accepted"),
    "open quotes of long lines": (open_quotes_of_long_lines, "accepted"),
    "longest records": (longest_records, "accepted"),
    "longest records of quotes": (longest_records_of_quotes, "accepted"),
    "long texts": (long_texts, "rejected"),
    "many texts": (many_texts, "rejected"),
    "long rejected rows": (long_rejects, "accepted"),
    "300,000 rejected rows": (many_rejects, "accepted"),
    "300,000 victims": (many_victims, "rejected"),
    "gzip, 1 GiB": (gzip_bomb, "rejected"),
    "gzip of gzip": (gzip_of_gzip, "rejected"),
    "300,000 gzip members": (many_gzip_members, "accepted"),
    "zstd, 200 MiB": (zstd_bomb, "rejected"),
    "zstd, window of 128 MiB": (functools.partial(zstd_window, 27), "rejected"),
    "zstd, window of 2 GiB": (functools.partial(zstd_window, 31), "rejected"),
    "zstd, second window larger": (zstd_window_of_a_later_frame, "rejected"),
}


def kib(box, what):
    status = pathlib.Path(f"/proc/{box.daemon.pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith(what))


def grown_mib(options, write, outcome):
    """By how much one file lifts the peak of a daemon that has taken ordinary files before."""
    limits = "\n".join(f"{name} = {value}" for name, value in LIMITS.items())
    with fault.Sandbox(options.bin, fault.config(limits) + "\n" + VICTIMS) as box:
        box.start()
        box.drop("first.csv", fault.rows("F", 1000))
        box.wait(lambda: b"first.csv" in box.names("done"), "an ordinary file")
        box.wait(lambda: fault.killed(box) == 1000, "its rollup")
        before = kib(box, "VmHWM")
        with open(box.folder / "beside", "wb") as out:
            write(out)
        os.rename(box.folder / "beside", box.inbox / "hostile.csv")
        box.drop("good.csv", GOOD)
        box.wait(lambda: b"good.csv" in box.names("done"), "the next file", 120)
        box.says("hostile.csv", "file_" + outcome)
        after = kib(box, "VmHWM")
        box.wait(lambda: fault.killed(box) > 1000, "its rollup")
        figures = {row["province"]: int(row["killed"] or 0) for row in box.table(
            "window", "all", "--days", "366", "--end", "2020-12-31", "--by", "province")}
        must(figures["Herat"] == 3, f"the next file does not count: {figures}")
        must(figures["Kabul"] >= 1001 + 5 * (outcome == "accepted"), "neighbours do not count")
        box.stop()
        box.tally("verify").ended(0)
        return (after - before) / 1024


def test_peak_memory(options, _):
    if fault.is_sanitized(options.bin):
        raise Skip("a sanitizer takes memory of its own")
    beyond = []
    for name, (write, outcome) in FILES.items():
        try:
            grown = grown_mib(options, write, outcome)
        except Skip as reason:
            print(f"SKIP  {name}: {reason}")
            continue
        print(f"      {grown:5.1f} MiB  {name}")
        if grown > ALLOWED_MIB + BEYOND_MIB:
            beyond.append(name)
    must(not beyond, f"more than {ALLOWED_MIB} + {BEYOND_MIB} MiB: {', '.join(beyond)}")


WAVES = 12
WAVE_ROWS = 200_000
WAVE_GROWS_MIB = 32


def wave(revision):
    """The same incidents, each revised: 20 MB, of which the rows kept are the lesser part."""
    rest = "z" * 60
    return fault.HEADER.rstrip("\n") + ",notes\n" + "".join(
        f"W-{i},{revision},2020-10-{1 + i % 28:02},p {i % 3000},{(i + revision) % 9},{i % 5},{rest}\n"
        for i in range(WAVE_ROWS))


def test_what_a_file_took_serves_the_next(options, _):
    """Whichever threads they come on, and wherever in memory they come to lie."""
    if fault.is_sanitized(options.bin):
        raise Skip("a sanitizer takes memory of its own")
    resident = []
    with fault.Sandbox(options.bin, fault.config()) as box:
        box.start()
        for revision in range(1, WAVES + 1):
            name = f"wave-{revision}.csv"
            box.drop(name, wave(revision))
            box.wait(lambda: name.encode() in box.names("done"), "the wave", 60)
            want = sum((i + revision) % 9 for i in range(WAVE_ROWS))
            box.wait(lambda: fault.killed(box) == want, "its rollup", 60)
            resident.append(kib(box, "VmRSS") / 1024)
        box.stop()
    print(f"      {resident[0]:.0f} MiB behind the first of {WAVES} files, {resident[-1]:.0f} behind "
          f"the last, {max(resident):.0f} at most")
    must(max(resident) - resident[0] <= WAVE_GROWS_MIB, f"each file takes more: {resident}")


if __name__ == "__main__":
    csv.field_size_limit(MIB)
    fault.run_tests(sys.modules[__name__], fault.arguments(__doc__), "fault memory")
