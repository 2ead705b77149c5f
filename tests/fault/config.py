#!/usr/bin/env python3
"""Mistakes in the configuration: each is told with its file and line, exit status 78."""

import sys

import fault
from fault import must

CONFIG_ERROR = 78

# The 14 lines that are right; a mistake is put in their place or behind them.
RIGHT = """\
[tallyd]
state = @STATE@

[feed attacks]
id = id
date = date
dim.province = province
measure.killed = killed

[rollup all]
feeds = attacks
by = province
measures = killed
windows = 7d
"""

# What replaces line N (or stands behind it, where it begins with +), and words of the message. A
# fourth item names another line: the header of a section is told by the section's first key.
MISTAKES = [
    (2, "stat = /tmp", ("[tallyd] has no key 'stat'", "tallyd.conf(5)")),
    (2, "+settle = soon", ("settle = soon", "a time such as")),
    (2, "+segment_max = 64X", ("segment_max = 64X", "a size such as")),
    (2, "+chunk_rows = -1", ("chunk_rows = -1", "a whole number")),
    (2, "+chunk_rows = 0", ("chunk_rows = 0", "allowed are")),
    (2, "+memory_max = 99999999999999999999", ("memory_max",)),
    (2, "state =", ("state needs a path",)),
    (2, "what is this", ("key = value",)),
    (1, "[tallyd", ("[section]",)),
    (4, f"[feed {'n' * 45}]", ("more than 49 bytes",)),
    (1, "[tally]", ("[tally] is no section",)),
    (5, "id = ", ("id",), 4),
    (5, "+id = other", ("'id' stands twice",)),
    (5, "+ids = id", ("ids",)),
    (5, "+mode = sometimes", ("mode = sometimes",)),
    (5, "+encoding = klingon", ("encoding = klingon",)),
    (5, "+date_format = %Q", ("date_format", "%Q")),
    (5, "+preset = no-such-preset", ("no preset 'no-such-preset'",)),
    (5, "+preset = ../../../etc/passwd", ("no slash",)),
    (5, "+reject_max = many", ("reject_max = many",)),
    (5, "+delimiter = ab", ("delimiter = ab",)),
    (5, "+map.province = no-such-file.csv", ("no-such-file.csv",)),
    (8, "measure. = killed", ("measure.",)),
    (11, "feeds = other", ("no feed 'other'",)),
    (12, "by = provinz", ("dimension 'provinz'", "province")),
    (13, "measures = kiled", ("measure 'kiled'", "killed")),
    (14, "windows = 7w", ("'7w' is no window",)),
    (14, "windows = 0d", ("window",)),
    (14, "+where.nothing = x", ("nothing",)),
    (14, "+colour = red", ("[rollup ...] has no key 'colour'", "tallyd.conf(5)")),
    (10, "[rollup a/b]", ("a/b",)),
    (10, "[rollup]", ("[rollup]",)),
]


def written(box, text):
    box.config.write_text(text.replace("@STATE@", str(box.state)))
    return box


def with_mistake(line, text):
    lines = RIGHT.splitlines()
    if text.startswith("+"):
        lines.insert(line, text[1:])
        return "\n".join(lines) + "\n", line + 1
    lines[line - 1] = text
    return "\n".join(lines) + "\n", line


def test_each_mistake_is_told_with_file_and_line(options, stack):
    box = stack.enter_context(fault.Sandbox(options.bin, ""))
    written(box, RIGHT).check().ended(0)
    box.drop("a.csv", "id,date,province,killed\n1,2020-10-01,Kabul,1\n")
    wrong = []
    for at, text, words, *told_at in MISTAKES:
        content, line = with_mistake(at, text)
        line = told_at[0] if told_at else line
        run = written(box, content).check()
        place = f"{box.config}:{line}: "
        if run.status != CONFIG_ERROR or not any(
                row.startswith(place) and all(word in row for word in words)
                for row in run.err.splitlines()):
            wrong.append(f"line {line} {text!r}: wanted {place}... {words}:\n{run}")
        once = box.once()
        if once.status != CONFIG_ERROR or f"{box.config}:{line}" not in once.err:
            wrong.append(f"--once with line {line} {text!r}:\n{once}")
    box.holds("inbox", "a.csv")
    must(not wrong, f"{len(wrong)} of {len(MISTAKES)} are not told:\n" + "\n".join(wrong))


def test_check_tells_all_mistakes(options, stack):
    """One of each kind, all at once."""
    box = stack.enter_context(fault.Sandbox(options.bin, ""))
    content = (RIGHT.replace("state = @STATE@", "state = @STATE@\nsettle = soon\nstat = x")
               .replace("id = id", "id = id\nmode = sometimes\nids = x") + "\n[colours]\nred = 1\n")
    run = written(box, content).check().ended(CONFIG_ERROR)
    for words in (("settle = soon",), ("'stat'",), ("mode = sometimes",), ("ids",),
                  ("[colours]",)):
        run.says(str(box.config) + ":", *words)


def test_check_tells_all_mistakes_behind_a_line_that_is_none(options, stack):
    for wrong in ("what is this", "id = again"):
        box = stack.enter_context(fault.Sandbox(options.bin, ""))
        content = (RIGHT.replace("id = id", f"id = id\n{wrong}")
                   .replace("measures = killed\n", "measures = kiled\n"))
        run = written(box, content).check().ended(CONFIG_ERROR)
        run.says(f"{box.config}:6: ")
        run.says("'kiled'")


def test_sections_without_keys(options, stack):
    """A feed or rollup that somebody began to write: not passed over in silence."""
    box = stack.enter_context(fault.Sandbox(options.bin, ""))
    for section in ("[feed begun]", "[rollup begun]", "[colours]"):
        run = written(box, RIGHT + f"\n{section}\n").check()
        must(run.status == CONFIG_ERROR and section.split()[-1].strip("[]") in run.err,
             f"{section} without a key is not told:\n{run}")


def test_days_before_months_and_months_before_days(options, stack):
    """Right, and yet most of the dates may be read other than they were meant: said, no more."""
    box = stack.enter_context(fault.Sandbox(options.bin, ""))
    for formats, both in (("%d/%m/%Y | %m/%d/%Y", True), ("%d/%m/%Y | %Y-%m-%d", False)):
        text = RIGHT.replace("date = date", f"date = date\ndate_format = {formats}")
        run = written(box, text).check().ended(0)
        must(("[feed attacks]: date_format takes day and month in both orders" in run.err) == both,
             f"{formats}:\n{run}")


def test_drop_ins_are_named(options, stack):
    box = stack.enter_context(fault.Sandbox(options.bin, ""))
    written(box, RIGHT)
    folder = box.folder / "tallyd.conf.d"
    folder.mkdir()
    (folder / "10-more.conf").write_text("[tallyd]\n\nsettle = soon\n")
    (folder / "20-other.conf").write_text("[rollup all]\nby = provinz\n")
    (folder / "ignored.conf~").write_text("nonsense\n")
    box.check().ended(CONFIG_ERROR).says(f"{folder}/10-more.conf:3:", "settle").says(
        f"{folder}/20-other.conf:2:", "provinz")


def test_tally_reads_sections_and_long_values_as_tallyd_does(options, stack):
    box = stack.enter_context(fault.Sandbox(options.bin, fault.config()))
    spread = box.folder / "a b"
    box.state.rename(spread)
    box.config.write_text(box.config.read_text().replace(
        f"[tallyd]\nstate = {box.state}", f"[ tallyd ]\nstate = {box.folder}/a\n    b"))
    (spread / "inbox" / "a.csv").write_text(fault.GOOD)
    fault.run([options.bin / "tallyd", "-c", box.config, "--once"]).ended(0)
    must((spread / "done" / "a.csv").exists(), "tallyd reads another state directory")
    fault.run([options.bin / "tally", "-c", box.config, "files"]).ended(0).says("a.csv")


def test_drop_ins_that_cannot_be_listed_are_a_mistake(options, stack):
    box = stack.enter_context(fault.Sandbox(options.bin, fault.config()))
    (box.folder / "tallyd.conf.d").write_text("no folder\n")
    fault.run([options.bin / "tallyd", "-c", box.config, "--check"]).ended(CONFIG_ERROR).says(
        "tallyd.conf.d")
    fault.run([options.bin / "tally", "-c", box.config, "files"]).says("tallyd.conf.d")


def test_names_in_messages_do_not_steer_a_terminal(options, stack):
    box = stack.enter_context(fault.Sandbox(options.bin, fault.config()))
    run = box.tally("window", "a\x1b[31mb", "--days", "7")
    must("\x1b" not in run.err and "x1b[31m" in run.err, run.err)


def test_no_configuration(options, stack):
    box = stack.enter_context(fault.Sandbox(options.bin, ""))
    box.config.unlink()
    box.check().ended(CONFIG_ERROR).says(str(box.config), "No such file")
    box.config.mkdir()
    box.check().ended(CONFIG_ERROR).says(str(box.config))


def test_garbage_never_crashes(options, stack):
    box = stack.enter_context(fault.Sandbox(options.bin, ""))
    for content in (bytes(range(256)), b"[" * 5000, b"a" * 100_000, b"=" * 300,
                    b"[tallyd]\nstate = " + b"x" * 9000 + b"\n", b"[feed \xff\xfe]\nid = x\n"):
        box.config.write_bytes(content)
        run = box.check().ended(CONFIG_ERROR)
        must(run.err.strip(), "no message")


def test_words_that_tallyd_does_not_know(options, _):
    for words in (["--onec"], ["stray"], ["-c"], ["--once=yes"]):
        run = fault.run([options.bin / "tallyd", *words])
        run.ended(64)
        must(run.err.strip(), f"no message: {run}")


def test_a_file_to_try_that_is_not_there(options, stack):
    box = stack.enter_context(fault.Sandbox(options.bin, ""))
    written(box, RIGHT)
    run = fault.run([options.bin / "tallyd", "-c", box.config, "--dry-run", "no-such.csv"])
    run.ended(66).says("event=dry_run_failed", "no-such.csv")


if __name__ == "__main__":
    fault.run_tests(sys.modules[__name__], fault.arguments(__doc__), "fault config")
