#!/usr/bin/env python3
"""Every reason for which a row is set aside is told in docs/operations.md, and no other."""

import pathlib
import re
import sys

import source

GIVEN = re.compile(r'"((?:claim|date|days|field|id|number|nul|open|quote|raw|record|revision|text)'
                   r'-[a-z-]+)"')

given = set()
for path in [*source.files(("ingest",), (".c",)), pathlib.Path("store/claim.c")]:
    given.update(GIVEN.findall(source.text(path)))
table = source.text("docs/operations.md").split("### Why a row is set aside")[1].split("\n## ")[0]
told = {reason for row in re.findall(r"^\| (`[^|]*) \|", table, re.MULTILINE)
        for reason in re.findall(r"`([a-z-]+)`", row)}

for reason in sorted(given - told):
    print(f"docs/operations.md does not tell the reason {reason}")
for reason in sorted(told - given):
    print(f"docs/operations.md tells the reason {reason}, which nothing gives")
print(f"reasons: {len(given)} in ingest/ and store/claim.c, {len(told)} in docs/operations.md")
sys.exit(given != told or len(given) < 25)
