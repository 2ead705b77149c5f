#!/usr/bin/env python3
"""A broken rollup handed to tally: refused with a message, never a crash, never a wrong figure."""

import sys

import damage
import fault
from fault import must

REFUSED = 65
QUESTIONS = (("window", "--days", "7", "--end", "2020-10-07", "--by", "province",
              "--compare", "previous"),
             ("series", "--days", "7", "--from", "2020-10-01", "--to", "2020-10-09"),
             ("dump",))


def small_rollup(options, stack):
    box = stack.enter_context(fault.Sandbox(options.bin, fault.config()))
    box.drop("a.csv", fault.GOOD + "G-3,1,2020-10-07,Kabul,5,\nG-4,1,2020-09-27,Herat,,7\n")
    box.once().ended(0)
    return box, (box.state / "rollup" / "all.rollup").read_bytes()


def ask(box, question, path):
    command = [box.programs / "tally", question[0], path, *question[1:], "--format", "csv"]
    return damage.not_crashed(fault.run(command))


def asks_about(box, question):
    """A function that writes damaged bytes and returns whether tally refuses them."""
    whole = ask(box, question, box.state / "rollup" / "all.rollup").ended(0).out

    def check(name, data):
        path = box.folder / f"{question[0]}-{name}.rollup"
        path.write_bytes(data)
        run = ask(box, question, path)
        path.unlink()
        if run.status == 0:
            must(run.out == whole, f"byte {name} changed: another figure, no error:\n{run}")
            return False
        run.ended(REFUSED)
        must(run.out == "" and path.name in run.err, f"no message with the file's name:\n{run}")
        return True

    return check


def test_each_byte_flipped(options, stack):
    box, data = small_rollup(options, stack)
    refused = damage.each(asks_about(box, QUESTIONS[0]), list(damage.flips(data)))
    unnoticed = [offset for offset, told in enumerate(refused) if not told]
    print(f"      {len(data)} bytes; same figure and no error when one of these is flipped: "
          f"{damage.ranges(unnoticed) or 'none'}")


def test_some_bytes_flipped_for_other_questions(options, stack):
    box, data = small_rollup(options, stack)
    for question in QUESTIONS[1:]:
        damage.each(asks_about(box, question), list(damage.flips(data, seed=2))[::9])


def test_each_length_cut(options, stack):
    box, data = small_rollup(options, stack)
    check = asks_about(box, QUESTIONS[0])
    refused = damage.each(check, [(cut, data[:cut]) for cut in range(0, len(data), 2)])
    must(all(refused), "a cut file was read")


def test_bytes_behind_the_end(options, stack):
    box, data = small_rollup(options, stack)
    check = asks_about(box, QUESTIONS[0])
    must(check("behind", data + b"\0") and check("twice", data + data), "a longer file was read")


def test_verify_names_the_damage(options, stack):
    """Each byte of a rollup stands under some checksum."""
    box, data = small_rollup(options, stack)

    def check(offset, changed):
        path = box.folder / f"verify-{offset}.rollup"
        path.write_bytes(changed)
        run = damage.not_crashed(fault.run([box.programs / "tally", "verify", path]))
        path.unlink()
        return run.status == REFUSED and "DAMAGED" in run.out and path.name in run.out

    told = damage.each(check, list(damage.flips(data, seed=3))[::3])
    missed = [3 * i for i, noticed in enumerate(told) if not noticed]
    must(not missed, f"tally verify passes with one of these bytes flipped: "
                     f"{damage.ranges(missed)}")


def test_what_is_no_rollup(options, stack):
    box, _ = small_rollup(options, stack)
    for content in (b"", b"\0" * 4096, b"id,date\n", bytes(range(256)) * 16):
        path = box.folder / "other.rollup"
        path.write_bytes(content)
        ask(box, QUESTIONS[0], path).ended(REFUSED).says("other.rollup")
    folder = box.folder / "folder.rollup"
    folder.mkdir()
    must(ask(box, QUESTIONS[0], folder).ended(64, 65, 66, 74).err, "no message")


def test_a_damaged_rollup_is_made_anew(options, stack):
    box, data = small_rollup(options, stack)
    path = box.state / "rollup" / "all.rollup"
    for broken in (data[:100], b"", bytes(len(data)), data[:-1] + b"x"):
        path.write_bytes(broken)
        box.once().ended(0)
        must(path.read_bytes() == data, "the rollup is not what it was")
    path.unlink()
    box.once().ended(0)
    must(path.read_bytes() == data, "the rollup is not what it was")


if __name__ == "__main__":
    fault.run_tests(sys.modules[__name__], fault.arguments(__doc__), "fault rollup_damage")
