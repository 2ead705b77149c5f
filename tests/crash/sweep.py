#!/usr/bin/env python3
"""The real binary, disturbed at the N-th change to the disk, for each N and each kind of fault.

Each time: a fresh state directory, all files of the scenario in the inbox, `tallyd --once` under
the shim, then `tallyd --once` without it until it ends well. What must hold then is in `check`.

Without --full, the first three kinds run at every N and the others at a sample of them, drawn by
the seed that the last line prints. A failure names the change, so that `sweep.py --only 118:kill-after`
repeats it.
"""

import concurrent.futures
import random
import re
import subprocess
import sys
import time

import sandbox
import scenario
from sandbox import must

KINDS = ("kill-before", "kill-after", "sync-drops", "kill-torn", "EIO", "ENOSPC", "EDQUOT", "full",
         "short")
ALWAYS = 3  # so many of them at every change, also without --full
SYNC_FAILED = 72
KILLED = -9
# What a disturbed run may say: well, a file rejected, the inbox lost, a failed sync, an I/O error.
STATUSES = (0, 1, 71, 72, 74)
RECOVERIES_MAX = 3
AGAIN_EVERY = 3  # without --full


def drop_all(box):
    for name, content in scenario.files():
        box.drop(name, content)


def shim_env(options, fault=None, log=None):
    env = {"LD_PRELOAD": str(options.shim)}
    if fault:
        env["TALLY_FAULT"] = fault
    if log:
        env["TALLY_FAULT_LOG"] = str(log)
    return env


class Wanted:
    """The run that nothing disturbs."""

    def __init__(self, options):
        with sandbox.Sandbox(options.bin, scenario.CONFIG) as box:
            drop_all(box)
            log = box.folder / "changes"
            box.once(shim_env(options, log=log)).ended(1)
            self.changes = [line.split(" ", 2)[1:] for line in log.read_text().splitlines()]
            self.figures = scenario.figures(box)
            self.accepted = set(box.accepted())
            self.done = box.content("done")
            self.rejected = box.content("rejected")
            must(len(self.changes) > 50, f"the shim sees only {len(self.changes)} changes")
            must(len(self.accepted) == 8, "the scenario itself: 8 files should be accepted")


def check_published(box):
    """Right after a crash: what readers see is whole, and no rollup knows more than the ledger."""
    if (box.state / "ledger").is_dir() and (box.state / "rollup").is_dir():
        box.tally("verify").ended(0)


def check_accepted(box, run):
    """Right after the run: what it said was accepted is in the ledger."""
    said = re.findall(r"event=file_accepted file=(\S+)", run.out + run.err)
    if said:
        kept = {row["file"] for row in box.accepted().values()}
        must(set(said) <= kept, f"accepted, and not in the ledger: {set(said) - kept}\n{run}")


def recover(box):
    for _ in range(RECOVERIES_MAX):
        run = box.once().ended(0, 1)
        if not box.names("claimed") and not box.names("inbox"):
            return
    raise sandbox.Failure(f"after {RECOVERIES_MAX} starts: claimed {box.names('claimed')}, "
                          f"inbox {box.names('inbox')}\n{run}")


def check(box, want):
    box.tally("verify").ended(0)
    must(set(box.accepted()) == want.accepted, "other files are accepted than without the fault")
    must(scenario.figures(box) == want.figures, "the figures are not those of the undisturbed run")
    must(box.content("done") == want.done, f"done/ holds {box.names('done')}")
    must(box.names("rejected") == sorted(want.rejected),
         f"rejected/ holds {box.names('rejected')}, not {sorted(want.rejected)}")
    must(box.content("rejected") == want.rejected, "files in rejected/ have other content")


def check_again(box, want):
    """Recovering twice changes nothing."""
    before = {path: stat for path, stat in box.tree().items() if "/rollup/" not in path}
    box.once().ended(0)
    after = {path: stat for path, stat in box.tree().items() if "/rollup/" not in path}
    changed = sorted(path for path in before | after if before.get(path) != after.get(path))
    must(not changed, f"the second start changed {changed}")
    must(scenario.digests(box) == want.figures[1], "the second start changed a content digest")


def check_restart(options):
    """A start with nothing new to do writes nothing at all, rollups included."""
    often = scenario.CONFIG.replace("publish_interval = 1h", "publish_interval = 0ms")
    with sandbox.Sandbox(options.bin, often) as box:
        drop_all(box)
        box.once().ended(1)
        before = box.tree()
        box.once().ended(0)
        after = box.tree()
        changed = sorted(path for path in before | after if before.get(path) != after.get(path))
        must(not changed, f"a start with nothing to do wrote {changed}")


def check_shared_syncs(options):
    """Small files that wait together wait for the disk together."""
    files = 100
    with sandbox.Sandbox(options.bin, scenario.CONFIG) as box:
        for i in range(files):
            box.drop(f"{i:03d}-attacks.csv", scenario.attacks(i, 5, first=5 * i).encode())
        log = box.folder / "changes"
        box.once(shim_env(options, log=log)).ended(0)
        syncs = [line for line in log.read_text().splitlines()
                 if line.split()[1] == "fdatasync" and line.endswith(".seg")]
        must(len(box.accepted()) == files, "each is a batch of its own")
        must(len(syncs) < 5, f"{len(syncs)} syncs of the ledger for {files} files")


def disturb(options, want, faults):
    """Faults one after the other, each in a run of its own, then recovery."""
    with sandbox.Sandbox(options.bin, scenario.CONFIG) as box:
        drop_all(box)
        for fault in faults:
            kind = fault.split(":")[1]
            allowed = (KILLED, *STATUSES) if kind.startswith("kill") else STATUSES
            run = box.once(shim_env(options, fault)).ended(*allowed)
            # Such a sync is final: a run that goes on has retried it.
            must(kind != "sync-drops" or run.status == SYNC_FAILED, f"it went on:\n{run}")
            check_published(box)
            check_accepted(box, run)
        recover(box)
        check(box, want)
        if options.full or options.only or int(faults[-1].split(":")[0]) % AGAIN_EVERY == 0:
            check_again(box, want)


def is_final_sync(change):
    """The mark of what was committed may fail: an older one says less, and nothing rests on it."""
    call, target = change
    return call in ("fsync", "fdatasync") and not target.endswith("/committed")


def plan(options, changes):
    """Which faults to try: lists of one or, where recovery is disturbed too, two."""
    count = len(changes)
    if options.only:
        return [options.only.split(",")]
    every = [[f"{n}:{kind}"] for kind in KINDS for n in range(1, count + 1)
             if kind != "sync-drops" or is_final_sync(changes[n - 1])]
    if options.full:
        return every + [[f"{n}:kill-before", f"{m}:kill-after"]
                        for n in range(1, count + 1, 3) for m in range(8, 40, 3)]
    chance = random.Random(options.seed)
    always = [[fault] for [fault] in every if fault.split(":")[1] in KINDS[:ALWAYS]]
    first = list(always)
    # A snapshot that cannot be claimed for a moment must not be overtaken by the one behind it.
    first.append([f"{changes.index(['renameat', '09-reports.csv']) + 1}:ENOSPC"])
    sample = chance.sample(every[len(always):], options.sample)
    others = [kind for kind in KINDS if kind != "sync-drops"]
    twice = [[f"{chance.randrange(1, count + 1)}:{chance.choice(others)}",
              f"{chance.randrange(8, 60)}:{chance.choice(others)}"]
             for _ in range(options.sample // 4)]
    return first + sample + twice


def add_arguments(parser):
    parser.add_argument("--shim", required=True, help="the shared object built of shim.c")
    parser.add_argument("--full", action="store_true", help="every change x every kind")
    parser.add_argument("--sample", type=int, default=32, help="how many without --full (32)")
    parser.add_argument("--seed", type=int, default=1, help="of the sample (1)")
    parser.add_argument("--only", metavar="N:KIND[,N:KIND]", help="this one")


def described(want, faults):
    """The changes by name, as far as the first run made them."""
    first = int(faults[0].split(":")[0])
    return f"{','.join(faults)} ({' '.join(want.changes[first - 1])})"


def survives(options, want, faults):
    try:
        disturb(options, want, faults)
    except (sandbox.Failure, subprocess.TimeoutExpired) as failure:
        print(f"FAIL  {described(want, faults)}: {failure}", flush=True)
        return False
    return True


def main():
    options = sandbox.arguments(__doc__, add_arguments)
    started = time.monotonic()
    try:
        want = Wanted(options)
    except sandbox.Failure as failure:
        sys.exit(f"crash sweep: without any fault: {failure}")
    faults = plan(options, want.changes)
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        failed = sum(pool.map(lambda fault: not survives(options, want, fault), faults))
    try:
        check_restart(options)
        check_shared_syncs(options)
    except sandbox.Failure as failure:
        sys.exit(f"crash sweep: {failure}; {failed} of {len(faults)} faults are not survived")
    what = (f"{len(want.changes)} changes to the disk, seed {options.seed}, "
            f"{time.monotonic() - started:.0f} s")
    if failed:
        sys.exit(f"crash sweep: {failed} of {len(faults)} faults are not survived ({what})")
    print(f"crash sweep: {len(faults)} faults survived ({what})")


if __name__ == "__main__":
    main()
