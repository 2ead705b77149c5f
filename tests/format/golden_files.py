#!/usr/bin/env python3
"""Rollups of every format version, kept byte for byte, say what they said when they were written.

golden.cells.csv and golden.spans.csv are what the programs that wrote version 1 printed; both files
were made of the same feeds.
"""

import sys

import readers
from readers import must

VERSIONS = (1, 2)


def path_of(version):
    return readers.HERE / f"v{version}.rollup"


def wanted(part):
    return readers.rows_of((readers.HERE / f"golden.{part}.csv").read_text())


def test_tally_reads_every_version(options, stack):
    for version in VERSIONS:
        readers.same(wanted("cells"), readers.tally(options, "dump", path_of(version)),
                    f"cells of version {version}")
        readers.same(wanted("spans"), readers.tally(options, "dump", path_of(version), "--spans"),
                    f"spans of version {version}")


def test_every_version_passes_and_has_one_digest(options, stack):
    details = [readers.tally(options, "verify", path_of(version))[1] for version in VERSIONS]
    must(all(state == "ok" for _, state, _ in details), f"verify: {details}")
    digests = {detail.split("digest ")[1] for _, _, detail in details}
    must(len(digests) == 1, f"one content, several digests: {details}")


def test_second_reader_reads_the_newest(options, stack):
    rollup = readers.compare(options, path_of(VERSIONS[-1]))
    for part, leading in (("cells", ["day"]), ("spans", ["first_day", "last_day"])):
        readers.same(wanted(part), readers.printed(readers.reader.write_entries, rollup,
                                                 getattr(rollup, part), leading), part)
    batches, made_by = rollup.provenance
    must(batches == 2 and [(one[0], *one[4:]) for one in made_by]
         == [(1, "north", "north-1.csv"), (2, "south", "south-1.csv")], f"{made_by}")


def test_second_reader_refuses_another_version(options, stack):
    try:
        readers.reader.read(path_of(1).read_bytes())
    except readers.reader.Refused as refused:
        must(str(refused) == "file: version 1", str(refused))
    else:
        must(False, "version 1 was read")


if __name__ == "__main__":
    readers.run_tests(sys.modules[__name__], readers.arguments(__doc__), "golden files")
