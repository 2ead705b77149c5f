"""Runs a program under valgrind's callgrind; adds up its instructions by folder of the source.

A profile of callgrind names files with fl= (of a function), fi= and fe= (of code inlined into it)
and says of each line "POSITION INSTRUCTIONS". The line behind calls= is what the callee took, which
stands where the callee does as well. A name is spelled out once, "(7) store/id.c", then "(7)".
"""

import collections
import os
import pathlib
import re
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDERS = ("base", "store", "ingest", "report", "daemon")
ELSEWHERE = "libraries"  # and what stands in the program that asks
TIMEOUT_S = 120

_FILE = re.compile(r"(c?f[lie])=\((\d+)\)(?: (.*))?$")


class Failed(Exception):
    """A program did not do what it should."""


def folder_of(path):
    """`path` is as the compiler was given it: absolute, or from the root."""
    parts = pathlib.PurePath(path).parts
    root = ROOT.parts
    inside = parts[len(root):] if parts[: len(root)] == root else parts
    return inside[0] if inside and inside[0] in FOLDERS else ELSEWHERE


def by_folder(profile):
    """{folder: instructions} of a profile's lines."""
    folders = {}  # by number of the file
    found = collections.Counter()
    folder = ELSEWHERE
    is_call = False
    for line in profile:
        if line[:1].isdigit() or line[:1] in "+-*":
            if not is_call:
                found[folder] += int(line.split()[1])
            is_call = False
        elif line.startswith("calls="):
            is_call = True
        elif named := _FILE.match(line):
            kind, number, path = named.groups()
            if path is not None:
                folders[number] = folder_of(path)
            if not kind.startswith("c"):
                folder = folders[number]
        elif line.startswith("totals:") and sum(found.values()) != int(line.split()[1]):
            raise Failed("the profile of callgrind is not read as it is meant")
    return found


def count(command, work):
    """{folder: instructions} of a program, on one core, so that it has one thread for its work."""
    profile = work / "callgrind.out"
    core = min(os.sched_getaffinity(0))
    done = subprocess.run(
        ["valgrind", "--tool=callgrind", f"--callgrind-out-file={profile}", *map(str, command)],
        capture_output=True, text=True, timeout=TIMEOUT_S, check=False,
        env={"PATH": os.environ["PATH"], "LC_ALL": "C", "TZ": "UTC"},
        preexec_fn=lambda: os.sched_setaffinity(0, [core]))
    if done.returncode != 0:
        raise Failed(f"{command[0]}: exit status {done.returncode}\n{done.stdout}{done.stderr}")
    with open(profile, encoding="utf-8", errors="replace") as lines:
        return by_folder(lines)
