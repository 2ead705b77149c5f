"""The table of starts: a ledger is read until the daemon has everything in memory again.

Each round starts the daemon twice. Cold: after a pause in which a virtual machine may have given its
free memory away. Warm: right after as much memory was touched as the daemon takes, as the ledger is
in the page cache already. bench_touch says what the machine alone takes in either case.
"""

import dataclasses
import pathlib
import re
import shutil
import statistics
import subprocess
import time

import measure
import rivals
from show import number, say

AIM_S = 1.0
AIM_INCIDENTS = 10_000_000
PAUSE_S = 5  # free memory is given away some 2 s after it was last used
TOUCHED_BYTES = 400 << 20  # some more than 10 million incidents take
FILES = 2  # of the shape's rows each, with ids of their own


@dataclasses.dataclass
class Found:
    incidents: int
    ledger_bytes: int
    start_s: list  # wall time until event=started, memory warm
    cpu_s: list
    cold_s: list
    cold_cpu_s: list
    touch_ms: list  # of bench_touch alone
    cold_touch_ms: list
    reload_s: list  # of bench_reload, as many records of 64 bytes; memory as it comes
    resident_mib: float
    peak_mib: float


def processor_s(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / 100


def mib(pid, name):
    status = pathlib.Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(re.search(rf"^{name}:\s+(\d+)", status, re.M)[1]) / 1024


def start_once(tallyd, config, found, start_s, cpu_s):
    """The daemon from its start until it says that it has read the ledger."""
    begin = time.monotonic()
    with subprocess.Popen([tallyd, "-c", config], stderr=subprocess.PIPE, text=True) as daemon:
        for line in daemon.stderr:
            if "event=started" in line:
                break
        start_s.append(time.monotonic() - begin)
        cpu_s.append(processor_s(daemon.pid))
        found.incidents = int(re.search(r"incidents=(\d+)", line)[1])
        found.resident_mib = mib(daemon.pid, "VmRSS")
        found.peak_mib = mib(daemon.pid, "VmHWM")
        daemon.terminate()
        daemon.stderr.read()


def make_state(build, shape, data, work):
    """All rows of the shape, and once more under other ids."""
    tallyd = rivals.Tallyd(build)
    command, text = tallyd.prepare(shape, data, work)
    inbox = work / "state" / "inbox"
    for copy in range(1, FILES):
        with open(data, encoding="ascii") as rows, \
                open(inbox / f"{copy}.csv", "w", encoding="ascii") as out:
            out.write(next(rows))
            out.writelines(f"9{copy}{row}" for row in rows)
    _, code, said = measure.run(command, text)
    if code != 0:
        raise rivals.Failed(f"tallyd --once exited {code}: {said.strip()[-500:]}")
    return command[:-1]


def run(build, shape, rounds, data):
    work = build / "bench" / "work-recovery"
    reload = str(build / "bench" / "bench_reload")
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    try:
        tallyd, _, config = make_state(build, shape, data, work)
        found = Found(0, 0, [], [], [], [], [], [], [], 0, 0)
        start_once(tallyd, config, found, [], [])  # the ledger into the page cache
        records = str(work / "records")
        rivals.output([reload, "write", records, str(found.incidents)])
        touch = [str(build / "bench" / "bench_touch"), str(TOUCHED_BYTES)]
        for _ in range(rounds):
            time.sleep(PAUSE_S)
            found.cold_touch_ms.append(float(rivals.output(touch)))
            found.touch_ms.append(float(rivals.output(touch)))
            start_once(tallyd, config, found, found.start_s, found.cpu_s)
            time.sleep(PAUSE_S)
            start_once(tallyd, config, found, found.cold_s, found.cold_cpu_s)
            cost, _, _ = measure.run([reload, "read", records], "")
            found.reload_s.append(cost.wall_s)
        ledger = work / "state" / "ledger"
        found.ledger_bytes = sum(path.stat().st_size for path in ledger.iterdir())
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return found


def show(found):
    say(f"start with {found.incidents:,} incidents kept, a ledger of {found.ledger_bytes:,} bytes, "
        f"medians of {len(found.start_s)}")
    for name, values in (("until event=started, memory warm, s", found.start_s),
                         ("the same, processor time", found.cpu_s),
                         ("until event=started, memory cold, s", found.cold_s),
                         ("the same, processor time", found.cold_cpu_s),
                         (f"touching {TOUCHED_BYTES >> 20} MiB, warm, ms", found.touch_ms),
                         (f"touching {TOUCHED_BYTES >> 20} MiB, cold, ms", found.cold_touch_ms),
                         ("bare reload of as many records of 64 bytes, s", found.reload_s)):
        say(f"  {name:48}{number(statistics.median(values)):>8}  least {number(min(values)):>8}")
    for name, value in (("bytes an incident in the ledger", found.ledger_bytes / found.incidents),
                        ("bytes an incident in memory", found.resident_mib * 2**20 / found.incidents),
                        ("the same at its peak", found.peak_mib * 2**20 / found.incidents)):
        say(f"  {name:48}{number(value):>8}")
    say("")


def missed(found):
    start_s = statistics.median(found.start_s)
    late = found.incidents > AIM_INCIDENTS * 0.9 and start_s > AIM_S
    return [f"start in {start_s:.2f} s, aim {AIM_S} s"] if late else []


def kept(found):
    return dataclasses.asdict(found)
