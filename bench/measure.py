"""Runs a process and says what it took; names the machine."""

import dataclasses
import os
import pathlib
import platform
import re
import subprocess
import tempfile
import time

TIMEOUT_S = 1800


@dataclasses.dataclass(frozen=True)
class Cost:
    wall_s: float
    cpu_s: float  # user and system, of the process and of those that it waited for
    peak_mib: float


def run(command, text):
    """Returns (Cost, exit code, what it printed on stderr).

    Linux counts the memory of the process that starts another into the peak of the started one,
    so that no figure is below the 10 to 20 MiB of this Python.
    """
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as said:
        given.write(text.encode())
        given.seek(0)
        start = time.monotonic()
        child = subprocess.Popen(command, stdin=given, stdout=subprocess.DEVNULL, stderr=said)
        _, status, used = os.wait4(child.pid, 0)
        wall_s = time.monotonic() - start
        child.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        cost = Cost(wall_s, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)
        return cost, child.returncode, said.read().decode(errors="replace")


def machine():
    cpu = re.search(r"^model name\s*: (.*)$", pathlib.Path("/proc/cpuinfo").read_text(), re.M)
    memory = re.search(r"^MemTotal:\s*(\d+)", pathlib.Path("/proc/meminfo").read_text(), re.M)
    return {
        "cpu": cpu.group(1) if cpu else platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(int(memory.group(1)) / 2**20, 1) if memory else None,
        "kernel": f"{platform.system()} {platform.release()}",
        "load_1min": round(os.getloadavg()[0], 2),
    }
