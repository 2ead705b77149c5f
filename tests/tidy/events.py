#!/usr/bin/env python3
"""Every event that the daemon logs is told in docs/operations.md, and no other."""

import re
import sys

import source

SPOKEN = re.compile(r'(?:log_begin|log_failure|log_feed|loop_log_failure|loop_fail|loop_pause)\('
                    r'[^";]*"([a-z_]+)"')
OUTCOMES = {"file_accepted", "file_duplicate", "file_superseded"}  # file_%s of store/

spoken = set(OUTCOMES)
for path in source.files(("daemon",), (".c",)):
    spoken.update(SPOKEN.findall(source.text(path)))
# What the loop says is summed up when it is a flood: no way around that.
unlimited = [path for path in source.files(("daemon",), (".c",)) if path.stem.startswith("loop_")
             and re.search(r"\b(log_end|log_failure)\(", source.code(path))]
told = set(re.findall(r"^\| `([a-z_]+)` \| [3-6]", source.text("docs/operations.md"), re.MULTILINE))

for event in sorted(spoken - told):
    print(f"docs/operations.md does not tell event={event}")
for event in sorted(told - spoken):
    print(f"docs/operations.md tells event={event}, which nothing logs")
for path in unlimited:
    print(f"{path}: says something without loop_log or loop_log_failure")
print(f"events: {len(spoken)} in the daemon, {len(told)} in docs/operations.md")
sys.exit(spoken != told or bool(unlimited))
