#!/usr/bin/env python3
"""Rollups of a base and a patch: `tally` and the second reader (patch_reader.py) agree on all.

A daemon with `patch_from = 0` writes the base at the first file and patches at all others. Folded
by a restart, the sum says the same in one file. Damaged patches pass in both or in none.
"""

import random
import shutil
import struct
import sys

import patch_reader
import readers
import verdicts
from random_files import DAYS_2020, Feed, amount
from readers import must, reader

DAMAGED = 400
GOLDEN = readers.HERE / "v2-base.rollup"
KINDS = ("army", "mob", "")


def add_some(feed, rng, rows, places):
    for _ in range(rows):
        first = DAYS_2020 + rng.randrange(300)
        feed.add(first, [f"p{rng.choice(places)}", rng.choice(KINDS)], [amount(rng), amount(rng)],
                 first + rng.choice([0, 0, 0, 2, 40]))


def change_some(feed, rng, rows):
    """Some rows again, as a correction of them: days, texts and numbers may be others."""
    for row in rng.sample(feed.rows, rows):
        row[1:3] = [reader.day_text(DAYS_2020 + rng.randrange(1, 299))] * 2
        row[3] = f"p{rng.randrange(12)}"
        row[5] = amount(rng)


def edges(feed):
    """Incidents that never change hold the first and the last day."""
    for day in (0, 400):
        feed.add(DAYS_2020 + day, ["edge", "army"], [1, 1])


class Desk:
    """A daemon that writes patches, and its rollup."""

    def __init__(self, options, stack, feed):
        config = ("control = off\npatch_from = 0\n" + feed.section()
                  + f"[rollup all]\nfeeds = {feed.name}\nby = {' '.join(feed.dims)}\n"
                    f"measures = {' '.join(feed.measures)}\nwindows = 7d 50d\n")
        self.box = stack.enter_context(readers.Sandbox(options.bin, config))
        self.feed = feed
        self.files = 0
        self.path = self.box.state / "rollup" / "all.rollup"
        self.patch = self.box.state / "rollup" / "all.rollup.patch"
        self.box.start()

    def drop(self):
        self.files += 1
        self.box.drop(f"{self.feed.name}{self.files}.csv", self.feed.content())

    def reads(self, generation):
        self.box.wait(lambda: self.path.exists() and readers.read(self.path).generation
                      == generation, f"generation {generation}")


def desk_with_patch(options, stack, seed):
    rng = random.Random(f"{options.seed} {seed}")
    feed = Feed("f", ["place", "kind"], ["killed", "wounded"])
    edges(feed)
    add_some(feed, rng, 600, range(9))
    desk = Desk(options, stack, feed)
    desk.drop()
    desk.reads(1)
    change_some(feed, rng, 20)
    add_some(feed, rng, 10, range(8, 14))
    desk.drop()
    desk.reads(2)
    must(desk.patch.exists(), "no patch was written")
    return desk


def test_patches_of_a_daemon(options, stack):
    for seed in range(3):
        desk = desk_with_patch(options, stack, seed)
        desk.box.stop()
        rollup = readers.compare(options, desk.path, options.seed)
        must(rollup.generation == 2 and rollup.headline is None, "not the sum")
        cells = readers.tally(options, "dump", desk.path)
        desk.box.once().ended(0)
        must(not desk.patch.exists(), "the patch was not folded")
        whole = readers.compare(options, desk.path, options.seed)
        must((whole.digest, whole.generation, whole.groups, whole.first_day, whole.last_day)
             == (rollup.digest, rollup.generation, rollup.groups, rollup.first_day,
                 rollup.last_day), "folded, it says something else")
        must(cells == readers.tally(options, "dump", desk.path), "folded, its cells are others")


def test_figures_of_the_sum_equal_the_ledger(options, stack):
    box = desk_with_patch(options, stack, "ledger").box
    said = {row["thing"]: row for row in box.table("verify")}
    must(said["replay all.rollup"]["detail"] == "equals the ledger at batch 2", f"{said}")
    must("patch" in said["rollup all.rollup"]["detail"], f"{said}")
    must(box.tally("wait", "all", "--after", "1").ended(0).out == "2\n", "wait sees no patch")


def test_base_alone_is_of_an_older_generation(options, stack):
    desk = desk_with_patch(options, stack, "alone")
    copy = desk.box.folder / "copy.rollup"
    shutil.copy(desk.path, copy)
    must(readers.compare(options, copy).generation == 1, "the base is not what it was")
    shutil.copy(desk.patch, f"{copy}.patch")
    must(readers.compare(options, copy).generation == 2, "both are not the sum")
    link = desk.box.folder / "link.rollup"
    link.symlink_to(desk.path)
    detail = readers.tally(options, "verify", link)[1][2]
    must("generation 2," in detail, f"through a link: {detail}")


def test_golden_base_and_patch(options, stack):
    rollup = readers.compare(options, GOLDEN)
    must(rollup.generation == 2, "not the sum")
    for part, leading in (("cells", ["day"]), ("spans", ["first_day", "last_day"])):
        want = readers.rows_of((readers.HERE / f"patched.{part}.csv").read_text())
        readers.same(want, readers.printed(reader.write_entries, rollup, getattr(rollup, part),
                                           leading), part)


# ---------------------------------------------------------------- damage

def mend(base, data):
    verdicts.mend_checksums(data)
    try:
        rollup = patch_reader.decode(base, bytes(data))
    except reader.Refused:
        return
    digest = reader.content_digest(rollup)
    verdicts.put(data, 32, "QQ", digest & (1 << 64) - 1, digest >> 64)
    verdicts.put(data, 48, "ii", *reader.days_of(rollup))
    verdicts.mend_checksums(data)


def damaged(base, whole, rng):
    data = bytearray(whole)
    for _ in range(rng.choice([1, 1, 2])):
        at = rng.randrange(len(data))
        data[at] = rng.choice([data[at] ^ 1 << rng.randrange(8), rng.randrange(256)])
    mend(base, data)
    if struct.unpack_from("<Q", data, 56)[0] != patch_reader.frame_of(base):
        return damaged(base, whole, rng)  # says nothing of this base: that is another test
    return bytes(data)


def verdict(base, data):
    try:
        patch_reader.read(base, data)
    except reader.Refused as refused:
        return str(refused)
    return ""


def test_damaged_patches(options, stack):
    rng = random.Random(f"{options.seed} damage")
    folder = stack.enter_context(readers.folder())
    base = GOLDEN.read_bytes()
    whole = readers.pathlib.Path(f"{GOLDEN}.patch").read_bytes()
    want = {}
    for i in range(DAMAGED):
        path = folder / f"{i}.rollup"
        path.write_bytes(base)
        data = damaged(base, whole, rng)
        readers.pathlib.Path(f"{path}.patch").write_bytes(data)
        want[str(path)] = verdict(base, data)
    done = readers.run([options.bin / "tally", "verify", *want, "--format", "csv"]).ended(65)
    for path, state, detail in readers.rows_of(done.out)[1:]:
        must((state == "ok") == (not want[path]),
             f"{path}:\n  tally: {state}, {detail}\n  reader: {want[path] or 'valid'}")
    valid = sum(not why for why in want.values())
    print(f"      {valid} of {DAMAGED} are valid and say something else")
    must(0 < valid < DAMAGED, "nothing was tried")


def test_patch_of_another_base_is_left_aside(options, stack):
    folder = stack.enter_context(readers.folder())
    path = folder / "other.rollup"
    shutil.copy(readers.HERE / "v2.rollup", path)
    alone = readers.tally(options, "dump", path)
    shutil.copy(f"{GOLDEN}.patch", f"{path}.patch")
    must(readers.tally(options, "dump", path) == alone, "the patch was added")
    readers.compare(options, path)


def arguments():
    def add(parser):
        parser.add_argument("--seed", type=int, default=1, help="of all that is random (1)")
    return readers.arguments(__doc__, add)


if __name__ == "__main__":
    readers.run_tests(sys.modules[__name__], arguments(), "patches")
