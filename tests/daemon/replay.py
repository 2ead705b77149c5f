#!/usr/bin/env python3
"""tallyd --replay: the figures of a fresh start with the same files under the new mapping.

Histories and mappings are drawn by seed: revisions, snapshots by scope, deletions, bad rows, and
another feed beside. Killed or failing at any change of the disk, the old figures or the new ones stand.
"""

import itertools
import os
import random
import sys

import operated
from operated import must

HEADER = "id,code,version,stamp,day,province,target,killed,wounded\n"
COMMON = """
[feed other]
files = o-*.csv
id = nr
date = when
measure.killed = dead

[rollup all]
feeds = attacks
by = province
measures = killed
windows = 7d

[rollup both]
feeds = attacks other
by = feed
measures = killed
"""
MAPPINGS = {
    "plain": "id = id\nrevision = version\ndate = day\ndim.province = province\n"
             "measure.killed = killed\n",
    "other_measure": "id = id\nrevision = version\ndate = day\ndim.province = province\n"
                     "measure.killed = wounded\n",
    "other_id": "id = code\nrevision = version\ndate = day\ndim.province = province\n"
                "measure.killed = killed\n",
    "other_revision": "id = id\nrevision = stamp\ndate = day\ndim.province = province\n"
                      "measure.killed = killed\n",
    "no_revision": "id = id\ndate = day\ndim.province = province\nmeasure.killed = killed\n",
    "more": "id = id\nrevision = version\ndate = day\ndim.province = target\n"
            "dim.target = province\nmeasure.killed = killed\nmeasure.wounded = wounded\n",
    "other_dates": "id = id\nrevision = version\ndate = day\ndate_format = %Y-%d-%m\n"
                   "dim.province = province\nmeasure.killed = killed\n",
    "snapshot": "id = id\nmode = snapshot\ndate = day\ndim.province = province\n"
                "measure.killed = killed\n",
    "scoped": "id = id\nmode = snapshot\nscope = province\nrevision = version\ndate = day\n"
              "dim.province = province\nmeasure.killed = killed\n",
    "scoped_by_stamp": "id = id\nmode = snapshot\nscope = province\nrevision = stamp\ndate = day\n"
                       "dim.province = province\nmeasure.killed = killed\n",
    "victims": "id = id\nrows = per-victim\nrevision = version\ndate = day\n"
               "dim.province = province\nmeasure.killed = killed\n",
    "strict": "id = id\nrevision = version\ndate = day\ndim.province = province\n"
              "measure.killed = killed\nreject_max = 0\n",
}
DELETIONS = """
[feed gone]
files = g-*.csv
mode = deletions
deletes = attacks
id = id
{revision}
"""


def config(mapping):
    plain = mapping not in ("no_revision", "snapshot", "other_revision", "scoped_by_stamp")
    revision = "revision = version" if plain else ""
    return (f"chunk_rows = 7\n\n[feed attacks]\nfiles = a-*.csv\n{MAPPINGS[mapping]}"
            + DELETIONS.format(revision=revision) + COMMON)


def attacks(chance):
    rows = []
    for _ in range(chance.randrange(3, 25)):
        number = chance.randrange(30)
        rows.append(f"A{number},C{number // 2},{chance.randrange(4)},{chance.randrange(4)},"
                    f"2020-0{chance.randrange(1, 10)}-{chance.randrange(1, 29):02},"
                    f"{chance.choice(('Kabul', 'Herat', 'Balkh'))},"
                    f"{chance.choice(('police', 'convoy'))},{chance.randrange(9)},"
                    f"{chance.choice(('', '1', '5'))}\n")
    if chance.random() < 0.3:
        rows.append("A99,C9,1,1,soon,Kabul,police,1,1\n")
    return HEADER + "".join(rows)


def history(seed):
    """Name and text of each file, in order."""
    chance = random.Random(seed)
    files = []
    for i in range(chance.randrange(4, 9)):
        kind = chance.random()
        if kind < 0.65:
            files.append((f"a-{i}.csv", attacks(chance)))
        elif kind < 0.8:
            ids = "".join(f"A{chance.randrange(30)},{chance.randrange(4)}\n" for _ in range(4))
            files.append((f"g-{i}.csv", "id,version\n" + ids))
        elif kind < 0.9 and files:
            files.append((f"a-{i}-again.csv", files[0][1]))
        else:
            files.append((f"o-{i}.csv", f"nr,when,dead\n{i},2020-05-0{i + 1},{i}\n"))
    return [("a-first.csv", attacks(chance)), *files]


def box_with(options, stack, mapping):
    box = stack.enter_context(operated.Sandbox(options.bin, config(mapping)))
    return box


def load(box, files):
    for name, text in files:
        box.drop(name, text)
        box.once().ended(0, 1)


def switch(box, mapping):
    box.config.write_text(f"[tallyd]\nstate = {box.state}\n{config(mapping)}")


def replay(box, env=None):
    return operated.run([box.programs / "tallyd", "-c", box.config, "--replay", "attacks"], env)


def digests(box):
    return {row["rollup"]: row["digest"] for row in box.table("rollups")}


def accepted_files(box):
    """What a fresh start gets: files that stand in done/ of the feed's own, each once, in order."""
    return [row["file"] for row in box.table("files")
            if row["outcome"] in ("accepted", "superseded")]


def equals_a_fresh_start(options, stack, files, before, after):
    box = box_with(options, stack, before)
    load(box, files)
    kept = set(accepted_files(box))
    then = digests(box)
    batches = int(box.table("files")[-1]["batch"] or 0) or None
    switch(box, after)
    replay(box).ended(0, 1)
    fresh = box_with(options, stack, after)
    load(fresh, [file for file in files if file[0] in kept])
    what = f"from {before} to {after}"
    must(digests(box) == digests(fresh),
         f"{what}: {digests(box)} after the replay, {digests(fresh)} from a fresh start")
    box.tally("verify").ended(0)
    replay(box).ended(0, 1)
    must(digests(box) == digests(fresh), f"{what}: a second replay changes the figures")
    box.once().ended(0)
    must(digests(box) == digests(fresh), f"{what}: a start changes the figures")
    return box, then, batches


def test_figures_are_those_of_a_fresh_start(options, stack):
    """From each mapping to the next, and back."""
    names = list(MAPPINGS)
    pairs = [*itertools.pairwise(names), *itertools.pairwise(reversed(names))]
    for seed, (before, after) in enumerate(pairs):
        with operated.contextlib.ExitStack() as here:
            equals_a_fresh_start(options, here, history(seed), before, after)


def test_any_pair_of_mappings(options, stack):
    chance = random.Random(11)
    for _ in range(15):
        with operated.contextlib.ExitStack() as here:
            equals_a_fresh_start(options, here, history(chance.random()),
                                 *chance.choices(list(MAPPINGS), k=2))


def test_coverage_and_snapshots_in_force_start_afresh(options, stack):
    """The second file is older by one column and newer by the other; the days lie elsewhere."""
    first = (HEADER + "A1,C1,9,1,2020-09-01,Kabul,police,3,1\n"
             "A2,C2,9,1,2020-05-02,Kabul,police,1,1\n")
    second = HEADER + "A1,C1,1,2,2020-05-03,Kabul,police,40,1\n"
    files = [("a-1.csv", first), ("a-2.csv", second)]
    box, old, _ = equals_a_fresh_start(options, stack, files, "scoped", "scoped_by_stamp")
    must(digests(box) != old and ",40," in window(box), f"the second counts now: {window(box)}")
    dated = [("a-1.csv", HEADER + "A1,C1,9,1,2020-09-03,Kabul,police,3,1\n"
                                  "A2,C2,9,1,2020-05-01,Kabul,police,1,1\n")]
    box, _, _ = equals_a_fresh_start(options, stack, dated, "plain", "other_dates")
    metrics = box.folder / "m.prom"
    text = box.config.read_text()
    box.config.write_text(text.replace("chunk_rows", f"metrics = {metrics}\nchunk_rows"))
    box.once().ended(0)
    covered = f'tallyd_feed_coverage_timestamp_seconds{{feed="attacks"}} {18330 * 86400}\n'
    must(covered in metrics.read_text(), "the feed reports up to 2020-03-09, no more to September")


def window(box, *more):
    return box.tally("window", "all", "--days", "366", "--end", "2020-12-31", "--by", "province",
                     "--format", "csv", *more).ended(0).out


def test_what_was_so_before_stays(options, stack):
    """--as-of a batch or a time before the replay gives the old figures, diff what it changed."""
    box = box_with(options, stack, "plain")
    load(box, [("a-1.csv", HEADER + "A1,C1,1,1,2020-05-01,Kabul,police,3,50\n"),
               ("a-2.csv", HEADER + "A2,C2,1,1,2020-05-02,Herat,police,4,60\n")])
    old = window(box)
    switch(box, "other_measure")
    replay(box).ended(0).says("event=replayed", "files=2", "refused=0", "batches=5")
    new = window(box)
    must(",7," not in new and "50" in new and "60" in new, new)
    must(window(box, "--as-of", "2") == old, "as of the batch before")
    must(window(box, "--as-of", "5") == new, "as of now")
    changed = box.tally("diff", "all", "--from", "2", "--to", "5", "--incidents", "--format", "csv")
    must(len(changed.ended(0).out.splitlines()) == 3, f"two incidents changed: {changed}")
    outcomes = [(row["file"], row["outcome"]) for row in box.table("files")]
    must(outcomes == [("a-1.csv", "accepted"), ("a-2.csv", "accepted"), ("", "replay"),
                      ("a-1.csv", "accepted"), ("a-2.csv", "accepted")], f"{outcomes}")


def test_the_same_bytes_are_a_duplicate_again(options, stack):
    box = box_with(options, stack, "plain")
    text = HEADER + "A1,C1,1,1,2020-05-01,Kabul,police,3,50\n"
    load(box, [("a-1.csv", text)])
    switch(box, "other_measure")
    replay(box).ended(0)
    box.drop("a-again.csv", text)
    box.once().ended(0).says("event=file_duplicate")
    must(digests(box) == digests(box), "nothing changed")


def test_a_file_that_the_mapping_refuses(options, stack):
    """It counts no more, may be dropped again, and comes back when a later mapping takes it."""
    box = box_with(options, stack, "plain")
    bad = HEADER + "A1,C1,1,1,2020-05-01,Kabul,police,3,1\nA2,C2,1,1,soon,Kabul,police,1,1\n"
    good = HEADER + "A3,C3,1,1,2020-05-03,Herat,police,4,1\n"
    load(box, [("a-bad.csv", bad), ("a-good.csv", good)])
    old = digests(box)
    switch(box, "strict")
    replay(box).ended(1).says("event=file_rejected", "a-bad.csv")
    must("Kabul" not in window(box) and "Herat" in window(box), window(box))
    box.drop("a-bad.csv", bad)
    box.once().ended(1).says("event=file_rejected")
    switch(box, "plain")
    replay(box).ended(0)
    must(digests(box) == old, "all is as it was")
    must(b"a-bad.csv" in box.names("done"), "it never left done/")


def test_rejected_rows_of_a_replay_replace_nothing(options, stack):
    """A file that was refused as a whole may have the name that they would get."""
    box = box_with(options, stack, "plain")
    name = "a-bad.csv.batch-3.rejects.csv"
    load(box, [("a-bad.csv", HEADER + "A1,C1,1,1,2020-05-01,Kabul,police,3,1\n"
                             "A2,C2,1,1,soon,Kabul,police,1,1\n"), (name, "nothing,known\n1,1\n")])
    replay(box).ended(0).says("event=file_replayed", "batch=3")
    there = box.state / "rejected"
    must((there / name).read_text() == "nothing,known\n1,1\n",
         f"replaced by: {(there / name).read_text()}")
    must("soon" in (there / (name + ".2")).read_text(), "what was set aside is not there")


def test_a_missing_file_changes_nothing(options, stack):
    box = box_with(options, stack, "plain")
    files = [(f"a-{i}.csv", attacks(random.Random(i))) for i in range(4)]
    load(box, files)
    os.rename(box.state / "done" / "a-1.csv", box.folder / "away")
    (box.state / "done" / "a-2.csv").write_text(files[2][1] + "\n")
    before = box.tree()
    run = replay(box).ended(66)
    run.says("event=replay_missing", "file=a-1.csv")
    run.says("event=replay_missing", "file=a-2.csv")
    must(box.tree() == before, "something changed")
    os.rename(box.folder / "away", box.state / "done" / "of another name")
    (box.state / "done" / "a-2.csv").write_text(files[2][1])
    old = digests(box)
    replay(box).ended(0)
    must(digests(box) == old, "found by its bytes; the same mapping gives the same figures")


def test_what_cannot_be(options, stack):
    box = box_with(options, stack, "plain")
    run = operated.run([box.programs / "tallyd", "-c", box.config, "--replay", "nobody"])
    run.ended(64).says("no feed 'nobody'")
    operated.run([box.programs / "tallyd", "-c", box.config, "--replay", "gone"]).ended(64)
    load(box, history(3))
    box.start()
    replay(box).ended(75).says("another tallyd")
    box.stop()
    (box.state / "replay" / "ledger").mkdir(parents=True)
    (box.state / "replay" / "ledger" / "000001.seg").write_bytes(b"half")
    box.once().ended(0)
    must(not (box.state / "replay").exists(), "what a killed replay left is removed")


def disturbed(options, stack, fault, files, old, new):
    """Old figures or new ones, never others; and the next replay makes the new ones."""
    box = box_with(options, stack, "plain")
    load(box, files)
    switch(box, "scoped")
    shim = {"LD_PRELOAD": str(options.shim), "TALLY_FAULT": fault}
    replay(box, shim).ended(-9, 0, 66, 72, 74, 75, 78)
    box.once().ended(0)
    must(digests(box) in (old, new), f"{fault}: neither the old figures nor the new ones")
    box.tally("verify").ended(0)
    replay(box).ended(0, 1)
    must(digests(box) == new, f"{fault}: the next replay gives others")
    must(not (box.state / "replay").exists(), f"{fault}: the folder stays")


def test_killed_or_failing_at_any_change(options, stack):
    files = history(5)
    log = stack.enter_context(operated.Sandbox(options.bin, "")).folder / "changes"
    box, old_box = box_with(options, stack, "plain"), box_with(options, stack, "scoped")
    load(box, files)
    load(old_box, files)
    switch(old_box, "plain")
    switch(box, "scoped")
    replay(box, {"LD_PRELOAD": str(options.shim), "TALLY_FAULT_LOG": str(log)}).ended(0, 1)
    new = digests(box)
    plain = box_with(options, stack, "plain")
    load(plain, files)
    switch(plain, "scoped")
    plain.once().ended(0)
    old = digests(plain)
    changes = len(log.read_text().splitlines())
    must(changes > 30 and old != new, f"{changes} changes")
    chance = random.Random(1)
    faults = [f"{n}:kill-before" for n in range(1, changes + 1, 2)]
    faults += [f"{chance.randrange(1, changes + 1)}:{kind}"
               for kind in ("kill-after", "kill-torn", "EIO", "ENOSPC", "short") for _ in range(5)]
    for fault in faults:
        with operated.contextlib.ExitStack() as here:
            disturbed(options, here, fault, files, old, new)
    print(f"      {len(faults)} of {changes} changes x faults")


def add_arguments(parser):
    parser.add_argument("--shim", required=True, help="the shared object of tests/crash")


if __name__ == "__main__":
    operated.run_tests(sys.modules[__name__], operated.arguments(__doc__, add_arguments),
                       "daemon replay")
