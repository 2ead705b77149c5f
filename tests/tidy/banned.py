#!/usr/bin/env python3
"""Calls and types that the product does not use, and words that no file holds."""

import re
import shutil
import subprocess

import source

# Rules: what, why, and the files (or folders, ending in /) where it may stand nevertheless.
CALLS = [
    ("strcpy strcat sprintf vsprintf gets strtok", "no bound", ()),
    ("atoi atol atoll strtod strtof strtold atof", "hides what is no number", ()),
    ("scanf fscanf sscanf vscanf vfscanf vsscanf", "hides what is no number", ()),
    ("alloca", "no bound on the stack", ()),
    ("mmap", "a file cut short by another program is a SIGBUS", ("base/", "store/rollup_open.c")),
    (
        "open openat creat fopen fdopen rename renameat renameat2 fsync fdatasync sync_file_range "
        "unlink unlinkat remove truncate ftruncate mkdir mkdirat link linkat pwrite fallocate "
        "posix_fallocate posix_fadvise pwritev writev rmdir statvfs fstatvfs sync syncfs",
        "the disk is changed through base/disk.c",
        ("base/disk.c",),
    ),
]
# fopen only to read a configuration.
EXCEPT = {("base/ini.c", "fopen")}

FLOATING = re.compile(r"\b(float|double)\b")
EXACT = ("base", "store", "ingest")  # no floating point where sums are made

# Where this project was written is nobody's business. Spelled so that this file passes.
HIDDEN = re.compile("/" + "work/")


def called(names):
    return re.compile(r"(?<![\w.>])(" + "|".join(names.split()) + r")\s*\(")


def place(path, text, at):
    return f"{path}:{text.count(chr(10), 0, at) + 1}"


def calls_in(path, text):
    for names, why, allowed in CALLS:
        if any(str(path) == where or where.endswith("/") and str(path).startswith(where)
               for where in allowed):
            continue
        for match in called(names).finditer(text):
            if (str(path), match.group(1)) not in EXCEPT:
                yield f"{place(path, text, match.start())}: {match.group(1)}: {why}"


def every_file():
    """What git would keep, or everything where there is no git."""
    if shutil.which("git") and (source.ROOT / ".git").exists():
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=source.ROOT, capture_output=True, check=False)
        if listed.returncode == 0:
            names = sorted(set(listed.stdout.decode().split("\0")) - {""})
            return [source.ROOT / name for name in names]
    skipped = {"build", ".git", "node_modules"}
    return sorted(path for path in source.ROOT.rglob("*")
                  if not skipped & set(path.relative_to(source.ROOT).parts))


failures = []
for path in source.files():
    text = source.code(path)
    failures.extend(calls_in(path, text))
    if path.parts[0] in EXACT:
        for match in FLOATING.finditer(text):
            failures.append(f"{place(path, text, match.start())}: {match.group(1)}: sums are exact")

checked = [path for path in every_file() if path.is_file() and not path.is_symlink()]
for path in checked:
    text = path.read_bytes().decode("latin-1")
    for match in HIDDEN.finditer(text):
        failures.append(f"{place(path.relative_to(source.ROOT), text, match.start())}: "
                        f"names a path of the machine it was written on")
source.finish("banned", failures, len(checked))
