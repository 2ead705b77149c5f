#!/usr/bin/env python3
"""The manual pages and the completions say what the programs' tables say: every command, option,
key and default, and no other. What the programs have is read from their --help."""

import argparse
import pathlib
import re
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGES = sorted(path for path in (ROOT / "docs").glob("*.[1-8]"))
# mandoc looks for the pages of others on this machine, and says so.
NOT_OURS = re.compile(r"STYLE: referenced manual not found|outdated mandoc\.db")
OF_ALL = {"config", "state", "format", "help", "version"}
OPTION = re.compile(r"^ +(?:-(\w), | +)?--([a-z-]+)", re.MULTILINE)

failures = []
checked = 0


def must(holds, text):
    global checked
    checked += 1
    if not holds:
        failures.append(text)


def same(where, told, known):
    must(told == known, f"{where}: not told: {sorted(known - told)}, "
                        f"not known: {sorted(told - known)}")


class Help:
    """What the programs print."""

    def __init__(self, folder):
        self.folder = folder
        self.tally = self.ask("tally", "--help")
        self.tallyd = self.ask("tallyd", "--help")

    def ask(self, program, *arguments):
        return subprocess.run([self.folder / program, *arguments], check=True, text=True,
                              stdout=subprocess.PIPE).stdout

    def commands(self):
        part = self.tally.split("\nCommands:\n")[1].split("\n\n")[0]
        return re.findall(r"^  ([a-z]+) ", part, re.MULTILINE)

    def options(self, command):
        """Pairs of letter (or "") and name."""
        part = self.ask("tally", command, "--help").split("\nOptions:\n")[1].split("\n\n")[0]
        return set(OPTION.findall(part))

    def tallyd_options(self):
        return set(OPTION.findall(self.tallyd.split("Keys of the configuration:")[0]))

    def keys(self):
        """Section, name and default of each key; the default is "" where there is none."""
        return re.findall(r"^  \[(\w+)\] ([a-z_]+\.?) = .*?(?:  \(([^()]*|.*)\))?$",
                          self.tallyd.split("Keys of the configuration:")[1], re.MULTILINE)


def page(name):
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


def section(text, name):
    return text.split(f"\n.Sh {name}\n")[1].split("\n.Sh ")[0]


def items(text):
    """The header of each .It and what stands below it."""
    return re.findall(r"^\.It (.*)\n((?:(?!\.It |\.El).*\n)*)", text, re.MULTILINE)


def told_options(text):
    """Pairs of letter and name that the items of a list explain."""
    told = set()
    for head, _ in items(text):
        found = re.match(r"(?:Fl (\w) , )?Fl -([a-z-]+)", head)
        if found:
            told.add((found[1] or "", found[2]))
    return told


def check_tally(known):
    text = page("tally.1")
    told = {head.split()[1]: head for head, _ in items(section(text, "COMMANDS"))}
    same("tally.1 COMMANDS", set(told), set(known.commands()))
    everything = set()
    for command in known.commands():
        options = known.options(command)
        everything |= options
        head = set(re.findall(r"Fl -([a-z-]+)", told.get(command, "")))
        same(f"tally.1 {command}", head, {name for _, name in options} - OF_ALL)
    same("tally.1 OPTIONS", told_options(section(text, "OPTIONS")), everything)


def check_tallyd(known):
    same("tallyd.8", told_options(section(page("tallyd.8"), "DESCRIPTION")),
         known.tallyd_options())


def told_keys(text):
    """Each key of a list, with its item."""
    told = {}
    for head, body in items(text):
        if head.startswith("Ic "):
            names = re.sub(r" No = .*| \. Ns .*", "", head[3:])
            for name in names.split(" , "):
                told[name + ("." if f"Ic {name} . Ns" in head else "")] = body
    return told


def check_keys(known):
    text = page("tallyd.conf.5")
    keys = known.keys()
    must(len(keys) > 50, f"tallyd --help tells {len(keys)} keys only")
    for kind in ("tallyd", "store", "feed", "rollup"):
        told = told_keys(section(text, kind.upper()))
        names = {name for of, name, _ in keys if of == kind}
        same(f"tallyd.conf.5 {kind.upper()}", set(told), names)
        for of, name, default in keys:
            # A default of one word is a value; others are explained in words.
            if of == kind and default and " " not in default and default not in ("none", "required"):
                must(f".Ql {default} .\n" in told.get(name, ""),
                     f"tallyd.conf.5: {name} has the default {default}")


def check_layout():
    if not shutil.which("mandoc"):
        print("SKIP: no mandoc on the PATH")
        sys.exit(77)
    for path in PAGES:
        done = subprocess.run(["mandoc", "-Tlint", path], check=False, capture_output=True, text=True)
        said = [line for line in (done.stdout + done.stderr).splitlines()
                if not NOT_OURS.search(line)]
        must(not said, "\n".join(said))


def check_references():
    """Pages name each other only if they are there, and none that is there is forgotten."""
    names = {tuple(path.name.rsplit(".", 1)) for path in PAGES}
    must(len(names) >= 4, f"pages: {names}")
    for path in PAGES:
        told = set(re.findall(r"^\.Xr (tally[\w.-]*|libtally) (\d)", page(path.name), re.MULTILINE))
        must(told <= names | {("libtally", "3")}, f"{path.name} names {told - names}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", required=True, type=pathlib.Path)
    known = Help(parser.parse_args().bin)
    check_tally(known)
    check_tallyd(known)
    check_keys(known)
    check_references()
    check_layout()
    for failure in failures:
        print(failure)
    print(f"pages: {checked} checks, {len(failures)} failures")
    sys.exit(len(failures) > 0)


main()
