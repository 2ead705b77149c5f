#!/usr/bin/env python3
"""What an incident costs: bytes in the ledger, in memory and in the rollup, time to take in and to
start again. docs/operations.md plans with these figures.

    script/build && cmake --build --preset release --target bench_tools && python3 bench/capacity.py
"""

import argparse
import pathlib
import re
import shutil
import subprocess
import sys
import time

import measure
import rivals
import run
import shapes

ROWS = (200_000, 1_000_000)


def folder_bytes(folder):
    return sum(path.stat().st_size for path in folder.iterdir())


def restart(command):
    """Seconds until it has read its ledger, and MiB that it then holds."""
    begin = time.monotonic()
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as daemon:
        for line in daemon.stderr:
            if "event=started" in line:
                break
        seconds = time.monotonic() - begin
        status = pathlib.Path(f"/proc/{daemon.pid}/status").read_text(encoding="ascii")
        daemon.terminate()
        daemon.stderr.read()
    return seconds, int(re.search(r"^VmRSS:\s+(\d+)", status, re.M)[1]) / 1024


def capacity(build, shape, rows):
    tallyd = rivals.TallydPreset(build)
    data = run.make_data(build, shape, rows)
    work = build / "bench" / "capacity"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    try:
        command, text = tallyd.prepare(shape, data, work)
        cost, code, said = measure.run(command, text)
        if code != 0:
            sys.exit(f"tallyd --once ended with {code}: {said}")
        figures = tallyd.result(work)
        start_s, resident_mib = restart(command[:-1])
        ledger = folder_bytes(work / "state/ledger")
        rollup = folder_bytes(work / "state/rollup")
    finally:
        shutil.rmtree(work, ignore_errors=True)
    incidents, cells = figures["incidents"], figures["cells"]
    print(f"{shape.name:8} {incidents:>10,} {data.stat().st_size / rows:>10.0f} "
          f"{ledger / incidents:>10.1f} {resident_mib * 2**20 / incidents:>10.0f} "
          f"{cost.peak_mib * 2**20 / incidents:>10.0f} {rollup / cells:>10.2f} "
          f"{rows / cost.wall_s / 1000:>10.0f} {incidents / start_s / 1000:>10.0f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--build", type=pathlib.Path, default=rivals.BENCH.parent / "build")
    build = parser.parse_args().build.resolve()
    print("               bytes a row          bytes an incident      bytes a   thousand a second\n"
          "shape     incidents     in CSV     ledger   resident       peak   day cell   taken in"
          "   replayed")
    for shape in shapes.SHAPES:
        for rows in ROWS:
            capacity(build, shape, rows)


main()
