#!/usr/bin/env python3
"""Completion offers what the programs have, and nothing that they refuse."""

import argparse
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
SCRIPTS = (ROOT / "report/tally.bash", ROOT / "daemon/tallyd.bash")
# As bash calls a completion: the words so far, of which the last is being typed.
ASK = """
for script in "$1" "$2"; do . "$script"; done
COMP_WORDS=("${@:4}") COMP_CWORD=$(($# - 4)) COMP_LINE="${*:4}"
"$3" "$4" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
printf '%s\\n' "${COMPREPLY[@]}"
"""

failures = []


def offered(program, *words):
    done = subprocess.run(["bash", "-c", ASK, "bash", *SCRIPTS, "_" + program.name, program, *words],
                          check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout.split()


def same(what, got, want):
    if sorted(got) != sorted(want):
        failures.append(f"{what}: {got}, not {want}")


def helped(program, *words):
    return subprocess.run([program, *words, "--help"], check=True, stdout=subprocess.PIPE,
                          text=True).stdout


def options(text):
    """Those that a help text tells, each on a line of its own."""
    return re.findall(r"^ +(?:-\w, | +)(--[a-z-]+)", text, re.MULTILINE)


def check_words(tally):
    commands = offered(tally, "")
    if "window" not in commands or "verify" not in commands:
        failures.append(f"commands: {commands}")
    for command in commands:
        same(f"tally {command}", offered(tally, command, "--"), options(helped(tally, command)))
    same("options before the command", offered(tally, "--"), options(helped(tally)))
    same("an option half typed", offered(tally, "window", "r", "--da"), ["--days"])
    same("an option of another command", offered(tally, "files", "--da"), [])


def check_values(tally):
    """The right values are told apart from wrong ones by the exit status."""
    for option in ("--basis", "--format", "--compare"):
        values = offered(tally, "window", "r", option, "")
        for value in [*values, "wrong"]:
            done = subprocess.run([tally, "--state", "/nonexistent", "window", "r", "--days", "1",
                                   option, value], check=False, capture_output=True)
            if (done.returncode == 64) != (value == "wrong"):
                failures.append(f"{option} {value}: exit status {done.returncode}")
        if len(values) < 3:
            failures.append(f"{option}: {values}")


def check_daemon(tallyd):
    same("tallyd", offered(tallyd, "--"), options(helped(tallyd)))
    same("a file", offered(tallyd, "-c", str(ROOT / "READ")), [str(ROOT / "README.md")])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", required=True, type=pathlib.Path)
    folder = parser.parse_args().bin.resolve()
    check_words(folder / "tally")
    check_values(folder / "tally")
    check_daemon(folder / "tallyd")
    for failure in failures:
        print(failure)
    print(f"completion: {len(failures)} failures")
    sys.exit(len(failures) > 0)


main()
