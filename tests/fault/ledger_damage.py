#!/usr/bin/env python3
"""A broken ledger: `tally verify` says what is damaged, or the daemon refuses it with exit 78.

What was accepted is in the ledger's frames, so a flipped byte there must never pass unnoticed, and
the daemon must never go on as if a batch had not been there. Bytes behind the last commit are
nobody's.
"""

import csv
import io
import pathlib
import shutil
import sys
import tempfile

import damage
import fault
from fault import must

REFUSED = 65
CONFIG_ERROR = 78


def small_ledger(options, stack, with_rollup=True, note_last=False):
    config = fault.config()
    if not with_rollup:
        config = config[:config.index("[rollup")]
    box = stack.enter_context(fault.Sandbox(options.bin, config))
    box.drop("a.csv", fault.GOOD)
    box.once().ended(0)
    box.drop("b.csv", fault.HEADER + "G-1,2,2020-10-07,Kabul,5,\nbad row\n")
    box.once().ended(0)
    if note_last:
        box.drop("c.csv", "no,such,columns\n1,2,3\n")
        box.once().ended(1)
    return box, (box.state / "ledger" / "000001.seg").read_bytes()


def refused_by_daemon(options, state, config, want):
    """Whether a start refuses the ledger; if not, whether it holds all it held."""
    before = {path.name: path.read_bytes() for path in (state / "ledger").iterdir()}
    run = damage.not_crashed(fault.run([options.bin / "tallyd", "-c", config, "--once"]))
    if run.status == CONFIG_ERROR:
        run.says("000001.seg") if "made of" not in run.err else run.says("rollup")
        after = {path.name: path.read_bytes() for path in (state / "ledger").iterdir()}
        must(after == before, "a refused ledger was changed")
        return True
    files = fault.run([options.bin / "tally", "--state", state, "files", "--format", "csv"])
    return False if files.out != want else None


def check_flips(options, box, data):
    """Offsets by what happened: nothing was noticed, or only by one of the two."""
    want = box.tally("files", "--format", "csv").ended(0).out
    lost, unseen_by_verify = [], []

    def check(offset, changed):
        with tempfile.TemporaryDirectory(dir=fault.fast_directory()) as folder:
            state, config = damage.copy_state(box, pathlib.Path(folder))
            (state / "ledger" / "000001.seg").write_bytes(changed)
            verify = damage.not_crashed(
                fault.run([options.bin / "tally", "--state", state, "verify"]))
            if verify.status != REFUSED or "DAMAGED" not in verify.out:
                unseen_by_verify.append(offset)
            if refused_by_daemon(options, state, config, want) is False:
                lost.append(offset)

    damage.each(check, list(damage.flips(data)))
    print(f"      {len(data)} bytes; not noticed by verify: "
          f"{damage.ranges(unseen_by_verify) or 'none'}; "
          f"the daemon goes on without what they held: {damage.ranges(lost) or 'none'}")
    return unseen_by_verify, lost


def test_each_byte_flipped(options, stack):
    box, data = small_ledger(options, stack)
    unseen, lost = check_flips(options, box, data)
    must(not unseen and not lost, "damage to what was committed passes unnoticed")


def all_refused(options, box, data, start):
    """The mark of what was committed tells damage from a batch that never ended."""
    want = box.tally("files", "--format", "csv").ended(0).out

    def check(offset, changed):
        with tempfile.TemporaryDirectory(dir=fault.fast_directory()) as folder:
            state, config = damage.copy_state(box, pathlib.Path(folder))
            (state / "ledger" / "000001.seg").write_bytes(changed)
            verify = damage.not_crashed(
                fault.run([options.bin / "tally", "--state", state, "verify"]))
            must(verify.status == REFUSED and "DAMAGED" in verify.out,
                 f"byte {offset}: tally verify does not see it:\n{verify}")
            must(refused_by_daemon(options, state, config, want),
                 f"byte {offset}: the daemon goes on")

    damage.each(check, list(damage.flips(data))[start::3])


def test_last_note_flipped(options, stack):
    """No rollup counts the entries of refused files; the mark does."""
    before = len(small_ledger(options, stack)[1])
    box, data = small_ledger(options, stack, note_last=True)
    all_refused(options, box, data, before)


def test_last_batch_flipped_without_any_rollup(options, stack):
    box, data = small_ledger(options, stack, with_rollup=False)
    all_refused(options, box, data, 24)


def test_the_message_says_where_and_how_far(options, stack):
    box, data = small_ledger(options, stack, with_rollup=False)
    changed = bytearray(data)
    changed[-1] ^= 1
    (box.state / "ledger" / "000001.seg").write_bytes(changed)
    for run in (box.once().ended(CONFIG_ERROR), box.tally("verify").ended(REFUSED)):
        run.says("ledger/000001.seg@0x", f"000001.seg@0x{len(data):x} (2 batches)",
                 "up to 1 batches")
    (box.state / "committed").unlink()
    box.once().ended(0).says("tail_cut")
    must(len(box.table("files")) == 1, "it does not go on without what is lost")


def test_a_mark_that_is_torn_says_nothing(options, stack):
    box, data = small_ledger(options, stack)
    want = box.tally("files", "--format", "csv").ended(0).out
    mark = (box.state / "committed").read_bytes()
    for broken in (b"", mark[:-1], mark[:9], bytes(len(mark)), mark[:-1] + b"!"):
        (box.state / "committed").write_bytes(broken)
        box.once().ended(0)
        must(box.tally("files", "--format", "csv").ended(0).out == want, "a file is gone")
        must((box.state / "committed").read_bytes() == mark, "the mark is not made anew")


def test_what_is_whole_can_be_salvaged(options, stack):
    """The lost file dropped again, all is as before: the feed has revisions."""
    box, data = small_ledger(options, stack, note_last=True)
    want = box.table("window", "all", "--days", "366", "--end", "2020-12-31", "--by", "province")
    places = (40, 250, len(data) // 2, len(data) - 30)
    for number, place in enumerate(places):
        changed = bytearray(data)
        changed[place] ^= 8
        (box.state / "ledger" / "000001.seg").write_bytes(changed)
        box.tally("verify").ended(REFUSED).says("LOST", "ledger/000001.seg@0x")
        new = box.folder / f"new-{number}"
        box.tally("salvage", new).ended(REFUSED).says("lost")
        must((box.state / "ledger" / "000001.seg").read_bytes() == changed, "salvaged in place")
        box.tally("salvage", new).ended(64).says("is not empty")
        fault.run([options.bin / "tally", "--state", new, "verify"]).ended(0)
        config = box.folder / "new.conf"
        config.write_text(box.config.read_text().replace(str(box.state), str(new)))
        (new / "inbox").mkdir()
        for name in ("a.csv", "b.csv"):
            shutil.copy(box.state / "done" / name, new / "inbox" / name)
        fault.run([options.bin / "tallyd", "-c", config, "--once"]).ended(0)
        got = fault.run([options.bin / "tally", "--state", new, "window", "all", "--days", "366",
                         "--end", "2020-12-31", "--by", "province", "--format", "csv"]).ended(0)
        must(list(csv.DictReader(io.StringIO(got.out))) == want, f"byte {place}:\n{got.out}")


def cuts_only_the_last_unit(options, box, data, start):
    """Flips from `start` on: each is refused, or cut off with a word about it and no other loss."""
    want = box.table("files")
    cut = []

    def check(offset, changed):
        with tempfile.TemporaryDirectory(dir=fault.fast_directory()) as folder:
            state, config = damage.copy_state(box, pathlib.Path(folder))
            (state / "ledger" / "000001.seg").write_bytes(changed)
            run = damage.not_crashed(fault.run([options.bin / "tallyd", "-c", config, "--once"]))
            if run.status == CONFIG_ERROR:
                return
            cut.append(offset)
            run.ended(0).says("tail_cut", "bytes=")
            files = fault.run([options.bin / "tally", "--state", state, "files",
                               "--format", "csv"]).ended(0).out
            must(len(files.splitlines()) == len(want), f"byte {offset}: more than the last unit "
                                                       f"is gone:\n{files}")

    damage.each(check, list(damage.flips(data))[start::5])
    print(f"      {len(data)} bytes; taken for an unfinished tail, and said so: "
          f"{cut[0]}-{cut[-1]}" if cut else "      none passes")


def test_last_batch_flipped_without_mark_and_rollup(options, stack):
    """What remains: a power cut before the mark was written back."""
    box, data = small_ledger(options, stack, with_rollup=False)
    (box.state / "committed").unlink()
    cuts_only_the_last_unit(options, box, data, 24)


def test_cut_at_a_length_that_loses_a_batch(options, stack):
    box, data = small_ledger(options, stack)
    want = box.tally("files", "--format", "csv").ended(0).out
    for cut in range(0, len(data), 29):
        with tempfile.TemporaryDirectory(dir=fault.fast_directory()) as folder:
            state, config = damage.copy_state(box, pathlib.Path(folder))
            (state / "ledger" / "000001.seg").write_bytes(data[:cut])
            must(refused_by_daemon(options, state, config, want),
                 f"cut to {cut} bytes, which loses a batch, and the daemon goes on")


def test_a_tail_that_was_never_committed_is_cut_off(options, stack):
    box, data = small_ledger(options, stack)
    want = box.tally("files", "--format", "csv").ended(0).out
    for tail in (b"\0", b"\0" * 5000, data[24:100], bytes(range(256))):
        (box.state / "ledger" / "000001.seg").write_bytes(data + tail)
        box.once().ended(0).says("tail_cut", f"bytes={len(tail)}")
        must((box.state / "ledger" / "000001.seg").read_bytes() == data, "more was cut off")
        must(box.tally("files", "--format", "csv").ended(0).out == want, "a file is gone")


def test_segments_missing(options, stack):
    """The first, one in the middle, the last of several: refused, each."""
    config = fault.config("segment_max = 64K")
    for lost in ("first", "middle", "last"):
        with fault.Sandbox(options.bin, config) as box:
            for i in range(4):
                box.drop(f"{i}.csv", fault.named_rows(f"R{i}", 6000))
                box.once().ended(0)
            names = sorted((box.state / "ledger").iterdir())
            must(len(names) > 2, f"only {names}")
            gone = {"first": names[0], "middle": names[len(names) // 2], "last": names[-1]}[lost]
            shutil.move(gone, box.folder / "gone")
            run = box.once().ended(CONFIG_ERROR)
            must(run.err.strip(), "no message")
            shutil.move(box.folder / "gone", gone)
            box.once().ended(0)
            must(fault.killed(box) == 24_000, f"{lost} segment back: {fault.killed(box)} count")


def test_a_rollup_of_another_ledger_is_not_asked_of_this_one(options, stack):
    """A path says which file, and not which ledger."""
    own = small_ledger(options, stack)[0]
    other = stack.enter_context(fault.Sandbox(options.bin, fault.config()))
    empty = stack.enter_context(fault.Sandbox(options.bin, fault.config()))
    other.drop("a.csv", fault.HEADER + "G-1,2,2020-10-07,Kabul,999,\n")
    for box in (other, empty):
        box.once().ended(0)
    path = own.state / "rollup" / "all.rollup"
    window = ["--days", "366", "--end", "2020-12-31"]
    own.tally("window", path, *window, "--as-of", "2").ended(0)
    for box in (other, empty):
        for words in (["window", path, *window, "--as-of", "2030-01-01"],
                      ["explain", path, *window, "--as-of", "2030-01-01"],
                      ["diff", path, "--from", "2020-01-01", "--to", "2030-01-01"],
                      ["export", path, "--to", box.folder / "x.csv", "--as-of", "2030-01-01"]):
            box.tally(*words).ended(64).says("all", "not in this ledger", "--state")


if __name__ == "__main__":
    fault.run_tests(sys.modules[__name__], fault.arguments(__doc__), "fault ledger_damage")
