#!/usr/bin/env python3
"""Each header compiles alone; the installed ones as C++ too."""

import concurrent.futures
import os
import shutil
import subprocess

import source

C = ["gcc", "-std=gnu17", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Wpedantic", "-x", "c"]
CXX = ["g++", "-std=c++17", "-Wall", "-Wextra", "-Wpedantic", "-x", "c++"]
INSTALLED = {"base/tally_err.h", "report/tally.h"}


def wrong_with(command, header):
    # tally.h stands beside tally_err.h once they are installed.
    done = subprocess.run(
        [*command, "-Werror", "-fsyntax-only", "-I", ".", "-I", "base", "-"],
        input=f'#include "{header}"\n#include "{header}"\n',
        cwd=source.ROOT, capture_output=True, text=True, check=False)
    return f"{header} does not compile alone:\n{done.stderr}" if done.returncode else None


headers = source.files(endings=(".h",))
jobs = [(C, header) for header in headers]
if shutil.which("g++"):
    jobs += [(CXX, header) for header in headers if str(header) in INSTALLED]
with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
    found = list(pool.map(lambda job: wrong_with(*job), jobs))
source.finish("headers", [failure for failure in found if failure], len(headers))
