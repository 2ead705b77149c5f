#!/usr/bin/env python3
"""libtally as it is installed: what it exports, and programs that are compiled against it."""

import os
import re
import shutil
import sys

import desk
from desk import ROOT, must, run, same

HEADER = ROOT / "report" / "tally.h"
MAP = ROOT / "report" / "libtally.map"
PAGE = ROOT / "docs" / "libtally.3"
PROGRAM = ROOT / "docs" / "window.c"
README = ROOT / "README.md"


def installed(options):
    """The prefix that the test before this one installed into."""
    prefix = options.bin.parent / "tests" / "prefix"
    must(prefix.is_dir(), f"nothing is installed in {prefix}; run the test interfaces/install")
    return prefix


def in_header():
    code = re.sub(r"/\*.*?\*/", "", HEADER.read_text(), flags=re.DOTALL)
    return set(re.findall(r"\b(tally_\w+)\(", code))


def library(prefix):
    found = list(prefix.glob("lib/**/libtally.so.1"))
    must(len(found) == 1, f"libtally.so.1 is there {len(found)} times below {prefix}")
    return found[0]


def test_header_map_page_and_library_name_the_same_functions(options, stack):
    del stack
    want = in_header()
    must(len(want) > 30, f"only {sorted(want)} in {HEADER}")
    code = MAP.read_text().partition("local:")[0]
    same(want, set(re.findall(r"^\s+(tally_\w+);$", code, re.MULTILINE)), "libtally.map")
    same(want, set(re.findall(r"^\.Fn (tally_\w+) \"", PAGE.read_text(), re.MULTILINE)),
         "the synopsis of libtally.3")
    listed = run(["nm", "--dynamic", "--defined-only", library(installed(options))]).ended(0).out
    exported = {line.split()[2] for line in listed.splitlines()}
    same({f"{name}@@TALLY_1" for name in want} | {"TALLY_1"}, exported, "libtally.so")


def test_the_library_says_its_name(options, stack):
    del stack
    run(["readelf", "-d", library(installed(options))]).ended(0).says("SONAME", "libtally.so.1")


def flags(prefix):
    found = list(prefix.glob("**/pkgconfig/libtally.pc"))
    must(len(found) == 1, f"libtally.pc is there {len(found)} times below {prefix}")
    got = run(["pkg-config", f"--define-variable=prefix={prefix}", "--cflags", "--libs",
               "libtally"], {"PKG_CONFIG_PATH": str(found[0].parent)}).ended(0)
    return got.out.split()


def compile_and_run(options, home, source, *words):
    prefix = installed(options)
    program = home.folder / source.stem
    run(["cc", "-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror", source, "-o", program,
         *flags(prefix)]).ended(0)
    folder = str(library(prefix).parent)
    return run([program, *words], {"LD_LIBRARY_PATH": folder}, cwd=home.folder)


def test_the_example_prints_what_the_command_prints(options, stack):
    home = stack.enter_context(desk.Desk(options))
    for name, dim, days in (("everything", "target", 50), ("everything", "feed", 7)):
        got = compile_and_run(options, home, PROGRAM, home.rollup(name), str(days), dim).ended(0)
        want = home.tally("window", name, "--days", str(days), "--by", dim, "--format", "csv")
        same(want.ended(0).out.replace('"', ""), got.out, f"docs/window.c by {dim}")
    refused = compile_and_run(options, home, PROGRAM, home.rollup("everything"), "50", "planet")
    refused.ended(1).says("no dimension 'planet'", "province, target, feed")


def test_the_page_holds_the_example(options, stack):
    del options, stack
    block = re.search(r"^\.Bd -literal\n(.*?)\n\.Ed$", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    text = re.sub(r"^\\&", "", block.group(1), flags=re.MULTILINE).replace("\\e", "\\")
    same(PROGRAM.read_text().rstrip("\n"), text, "the example of libtally.3")


def test_the_page_is_laid_out_as_manuals_are(options, stack):
    del options, stack
    if not shutil.which("mandoc"):
        raise desk.Skip("no mandoc")
    said = run(["mandoc", "-Tlint", PAGE]).out
    # Whether the others are installed is not this page's fault.
    wrong = [line for line in said.splitlines() if "referenced manual not found" not in line]
    same([], wrong, "mandoc -Tlint")


def test_the_c_of_the_readme_runs(options, stack):
    home = stack.enter_context(desk.Desk(options))
    part = README.read_text().partition("**C**")[2].partition("**Python**")[0]
    code = "\n".join(line[4:] for line in part.splitlines() if line.startswith("    "))
    source = home.folder / "killed.c"
    source.write_text(code + "\n")
    os.symlink(home.rollup("civilian-harm"), home.folder / "civilian-harm.rollup")
    got = compile_and_run(options, home, source).ended(0)
    row = home.json("window", "civilian-harm", "--days", "50")[0]
    same(f"{row['killed']} killed, reported by {row['killed_reported']} of {row['incidents']} "
         f"incidents\n", got.out, "the C of README.md")


if __name__ == "__main__":
    asked = desk.arguments(__doc__)
    desk.built_plainly(asked)
    desk.run_tests(sys.modules["__main__"], asked, "interfaces library")
