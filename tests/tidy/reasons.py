#!/usr/bin/env python3
"""Every reason for which a row is set aside is told in docs/operations.md, and no other; the words by
which it knows why a file is refused are those of the messages."""

import pathlib
import re
import sys

import source

GIVEN = re.compile(r'"((?:claim|date|days|field|id|number|nul|open|quote|raw|record|revision|text)'
                   r'-[a-z-]+)"')

given = set()
for path in [*source.files(("ingest",), (".c",)), pathlib.Path("store/claim.c")]:
    given.update(GIVEN.findall(source.text(path)))


def first_cells(heading):
    """What stands in backquotes in the first column of the table below a heading."""
    table = re.split(r"\n##", source.text("docs/operations.md").split(heading)[1])[0]
    return {words for row in re.findall(r"^\| (`[^|]*) \|", table, re.MULTILINE)
            for words in re.findall(r"`([^`]+)`", row)}


told = first_cells("### Why a row is set aside")
words = first_cells("### Why a file is refused as a whole")
messages = "".join(re.sub(r'"\s*"', "", source.text(path))
                   for path in source.files(("ingest", "daemon", "store"), (".c",)))
unsaid = sorted(text for text in words if text not in messages)

for reason in sorted(given - told):
    print(f"docs/operations.md does not tell the reason {reason}")
for reason in sorted(told - given):
    print(f"docs/operations.md tells the reason {reason}, which nothing gives")
for text in unsaid:
    print(f"docs/operations.md explains '{text}', which no message says")
print(f"reasons: {len(given)} in ingest/ and store/claim.c, {len(told)} in docs/operations.md; "
      f"{len(words)} messages of refused files")
sys.exit(given != told or len(given) < 25 or bool(unsaid) or len(words) < 20)
