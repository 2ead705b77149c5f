#!/usr/bin/env python3
"""No function over 70 lines, no file over 700, no line over 100 columns."""

import re

import source

FUNCTION_LINES_MAX = 70
FILE_LINES_MAX = 700
COLUMNS_MAX = 100

# A line in the first column that names the function; its body lies between "{" and "}" there.
HEAD = re.compile(r"^[A-Za-z_][^;={}#]*?\b(\w+)\(", re.DOTALL)


def functions(path):
    """Yields the name, first line and number of lines of each function."""
    lines = source.code(path).split("\n")
    for number, line in enumerate(lines):
        if line != "{":
            continue
        first = number
        while first > 0 and re.match(r"\s*\S.*[^;}]$", lines[first - 1]):
            first -= 1
        last = next((i for i in range(number, len(lines)) if lines[i].startswith("}")), number)
        head = HEAD.match("\n".join(lines[first:number]))
        if head:
            yield head.group(1), first + 1, last - first + 1


failures = []
paths = source.files(source.FOLDERS + ("tests", "bench"))
for path in paths:
    lines = source.text(path).split("\n")
    if len(lines) - 1 > FILE_LINES_MAX:
        failures.append(f"{path}: {len(lines) - 1} lines, at most {FILE_LINES_MAX}")
    for number, line in enumerate(lines, 1):
        if len(line) > COLUMNS_MAX:
            failures.append(f"{path}:{number}: {len(line)} columns, at most {COLUMNS_MAX}")
    for name, first, count in functions(path):
        if count > FUNCTION_LINES_MAX:
            failures.append(f"{path}:{first}: {name}: {count} lines, at most {FUNCTION_LINES_MAX}")
source.finish("sizes", failures, len(paths))
