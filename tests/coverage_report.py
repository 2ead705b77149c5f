#!/usr/bin/env python3
"""What gcovr counted, file by file: python3 tests/coverage_report.py COVERAGE.json BRANCHES.txt"""

import json
import pathlib
import sys


def counted(file):
    """Lines, lines reached, branches, branches reached, and the lines with branches left."""
    lines = [line for line in file["lines"] if not line.get("gcovr/noncode")]
    branches = [branch for line in lines for branch in line["branches"]]
    left = [(line["line_number"], sum(branch["count"] == 0 for branch in line["branches"]),
             len(line["branches"])) for line in lines]
    return (len(lines), sum(line["count"] > 0 for line in lines), len(branches),
            sum(branch["count"] > 0 for branch in branches), [one for one in left if one[1]])


def share(reached, all_of_them):
    return f"{100 * reached / all_of_them:5.1f} %" if all_of_them else "    -  "


FOLDERS = ("base/", "ingest/", "store/cluster/", "store/")  # of a file, the first that fits


def total(files, names, what):
    sums = [sum(files[name][i] for name in names) for i in range(4)]
    print(f"{what:32} {share(sums[1], sums[0]):>8} {share(sums[3], sums[2]):>8} "
          f"{sums[2] - sums[3]:5} of {sums[2]}")


def main(coverage, details):
    files = {file["file"]: counted(file)
             for file in json.loads(pathlib.Path(coverage).read_text())["files"]}
    order = sorted(files, key=lambda name: (files[name][2] - files[name][3], name))
    with open(details, "w", encoding="utf-8") as out:
        for name in order:
            source = pathlib.Path(name).read_text().split("\n")
            for number, left, branches in files[name][4]:
                out.write(f"{name}:{number}: {left} of {branches}: {source[number - 1].strip()}\n")
    print(f"{'file':32} {'lines':>8} {'branches':>8} {'left':>5}")
    for name in order:
        lines, reached, branches, taken, _ = files[name]
        print(f"{name:32} {share(reached, lines):>8} {share(taken, branches):>8} {branches - taken:5}")
    print()
    left = set(files)
    for folder in FOLDERS:
        names = {name for name in left if name.startswith(folder)}
        left -= names
        total(files, names, folder)
    total(files, {name for name in files if not name.startswith("store/cluster/")},
          "all but store/cluster/")
    total(files, set(files), "all")
    print(f"coverage: what is left: {details}")


if __name__ == "__main__":
    main(*sys.argv[1:])
