#!/usr/bin/env python3
"""What stands in the inbox, what it is called, and how it gets there."""

import os
import shutil
import signal
import socket
import sys
import threading
import time

import fault
from fault import GOOD, HEADER, Skip, meddled, must

NOBODY = 65534


def make_socket(path):
    with socket.socket(socket.AF_UNIX) as server:
        here = os.getcwd()
        os.chdir(path.parent)  # a path of a socket is short
        server.bind(path.name)
        os.chdir(here)


def make_hard_link(path):
    beside = path.parents[2] / "beside"
    beside.write_text(GOOD)
    os.link(beside, path)


NO_FEEDS = [
    ("folder.csv", os.mkdir, "directory"),
    ("link.csv", lambda path: os.symlink("/etc/passwd", path), "symbolic link"),
    ("dangling.csv", lambda path: os.symlink("nowhere", path), "symbolic link"),
    ("loop.csv", lambda path: os.symlink("loop.csv", path), "symbolic link"),
    ("pipe.csv", os.mkfifo, "FIFO"),
    ("socket.csv", make_socket, "socket"),
    ("linked.csv", make_hard_link, "2 hard links"),
]


def test_what_is_no_regular_file_stays(options, stack):
    """Told about once, left where it is, and the next file counts."""
    box = stack.enter_context(fault.Sandbox(options.bin, fault.config()))
    things = list(NO_FEEDS)
    if os.geteuid() == 0:
        things.append(("zero.csv", lambda path: os.mknod(path, 0o020600, os.makedev(1, 5)),
                       "character device"))
    else:
        print("SKIP  a device in the inbox: only root makes devices")
    for name, make, _ in things:
        make(box.inbox / name)
    box.drop("good.csv", GOOD)
    run = box.once().ended(0)
    for name, _, word in things:
        run.says("file_unfit", name, word)
    box.holds("done", "good.csv")
    box.start()
    time.sleep(0.7)  # three looks at the inbox
    box.drop("more.csv", fault.rows("M", 5))
    box.wait(lambda: b"more.csv" in box.names("done"), "the next file is done")
    box.stop()
    told = sum("file_unfit" in line for line in box.log().splitlines())
    must(told == len(things), f"told {told} times of {len(things)} things:\n{box.log()}")
    box.holds("inbox", *(name for name, _, _ in things))


def as_nobody(options, box):
    """The command that runs tallyd without root's leave to read everything."""
    if os.geteuid() != 0:
        return [options.bin / "tallyd"]
    if not shutil.which("setpriv"):
        raise Skip("root reads everything, and there is no setpriv to stop being root")
    for path in (box.folder, box.state, box.inbox):
        os.chown(path, NOBODY, NOBODY)
    shutil.copytree(options.bin, box.folder / "bin")  # that nobody may run
    (box.folder / "share").symlink_to(options.bin.parent / "share")
    return ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups",
            box.folder / "bin" / "tallyd"]


def test_an_unreadable_file(options, stack):
    """Told once; taken in when it becomes readable."""
    box = stack.enter_context(fault.Sandbox(options.bin, fault.config()))
    command = [*as_nobody(options, box), "-c", box.config, "--once"]
    box.drop("secret.csv", fault.rows("S", 5))
    (box.inbox / "secret.csv").chmod(0)
    box.drop("good.csv", GOOD)
    fault.run(command).ended(0).says("file_unfit", "secret.csv", "Permission denied")
    box.holds("inbox", "secret.csv")
    box.holds("done", "good.csv")
    (box.inbox / "secret.csv").chmod(0o644)
    fault.run(command).ended(0).says("file_accepted", "secret.csv")


def test_names_that_wait(options, _):
    with fault.Sandbox(options.bin, fault.config()) as box:
        waiting = (".hidden.csv", "upload.csv.tmp", "upload.csv.part", ".part", "..csv")
        for name in waiting:
            box.drop(name, GOOD)
        box.drop("good.csv", GOOD)
        run = box.once().ended(0)
        must("hidden" not in run.err and "upload" not in run.err, str(run))
        box.holds("inbox", *waiting)
        box.holds("done", "good.csv")
        os.rename(box.inbox / "upload.csv.part", box.inbox / "upload.csv")
        box.once().ended(0).says("file_duplicate", "upload.csv")


def test_odd_names(options, _):
    """Newline, escape sequences, quotes, 255 bytes, invalid UTF-8, a leading dash, globs."""
    names = [b"new\nline.csv", b"\x1b[31mred\x1b]0;title\x07.csv", b'quo"te\\.csv',
             b"x" * 251 + b".csv", b"inv\xff\xfealid.csv", b"-rf.csv", b"*.csv", b"a b.csv", b"csv",
             "naïve-日本.csv".encode(), b"%s%n%d.csv", b"=.csv"]
    with fault.Sandbox(options.bin, fault.config()) as box:
        for i, name in enumerate(names):
            box.drop(name, fault.rows(f"N{i}", 3) + "bad row\n")
        run = box.once().ended(0)
        box.holds("done", *names)
        must(len(box.names("rejected")) == len(names), f"rejects: {box.names('rejected')}")
        must("\x1b" not in run.err and "\x07" not in run.err, "a control character in the log")
        lines = [line for line in run.err.splitlines() if "event=" not in line]
        must(not lines, f"a file name breaks a line of the log: {lines}")
        must(fault.killed(box) == 3 * len(names), "not all files count")
        answer = box.tally("files", "--format", "table").ended(0)
        must("\x1b" not in answer.out, "a control character in the table of files")
        box.tally("files", "--format", "json").ended(0)
        box.tally("verify").ended(0)


def test_odd_names_of_refused_files(options, _):
    names = [b"new\nline.csv", b"\x1b[31mred.csv", b"x" * 250 + b"1.csv", b"x" * 250 + b"2.csv",
             b"inv\xff.csv"]
    names = [name[-255:] for name in names]
    with fault.Sandbox(options.bin, fault.config()) as box:
        for i, name in enumerate(names):
            box.drop(name, f"nothing,known\n{i},1\n")
        box.once().ended(1)
        there = box.names("rejected")
        must(all(name in there for name in names), f"rejected/ holds {there}")
        must(len(there) == 2 * len(names), f"each should have a reason of its own: {there}")


def test_two_files_of_one_name(options, _):
    with fault.Sandbox(options.bin, fault.config()) as box:
        for i in range(4):
            box.drop("same.csv", fault.rows(f"S{i}", 2))
            box.once().ended(0).says("file_accepted", "same.csv")
        box.holds("done", "same.csv", "same.csv.2", "same.csv.3", "same.csv.4")
        must(len(box.accepted()) == 4 and fault.killed(box) == 8, "all four count")


def test_reasons_never_replace_a_file(options, _):
    """A refused file that is called as the reason of another would be."""
    with fault.Sandbox(options.bin, fault.config()) as box:
        box.drop("a.csv.reason.txt", "somebody's,notes\n1,2\n")
        box.once().ended(1)
        box.drop("a.csv", "also,refused\n3,4\n")
        box.once().ended(1)
        content = (box.state / "rejected" / "a.csv.reason.txt").read_text()
        must(content == "somebody's,notes\n1,2\n",
             f"the file a.csv.reason.txt was replaced by: {content}")


def test_a_refused_file_stands_beside_its_own_reason(options, _):
    """Though that of an earlier one was left there; and beside the same one when it comes again."""
    with fault.Sandbox(options.bin, fault.config()) as box:
        there = box.state / "rejected"
        box.drop("m.csv", "nothing,known\n1,1\n")
        box.once().ended(1)
        first = (there / "m.csv.reason.txt").read_text()
        must("nothing, known" in first, first)
        (there / "m.csv").unlink()
        box.drop("m.csv", "other,columns\n1,1\n")
        box.once().ended(1)
        must((there / "m.csv.reason.txt").read_text() == first, "the earlier reason was replaced")
        must("other, columns" in (there / "m.csv.2.reason.txt").read_text(), "not its own reason")
        box.holds("rejected", "m.csv.reason.txt", "m.csv.2", "m.csv.2.reason.txt")
        box.drop("m.csv", "nothing,known\n1,1\n")
        box.once().ended(1)
        box.holds("rejected", "m.csv", "m.csv.reason.txt", "m.csv.2", "m.csv.2.reason.txt")


def dry_run(box, *names):
    """tallyd --dry-run of files in the folder of the sandbox."""
    return fault.run([box.programs / "tallyd", "-c", box.config, "--dry-run",
                      *(box.folder / name for name in names)])


def test_names_that_wait_are_not_tried(options, stack):
    """Nothing would come of them: that is no answer to what they would change."""
    box = stack.enter_context(fault.Sandbox(options.bin, fault.config()))
    (box.folder / "good.csv").write_text(GOOD)
    for name in ("upload.csv.part", "upload.csv.tmp", ".hidden.csv"):
        (box.folder / name).write_text(GOOD)
        run = dry_run(box, "good.csv", name).ended(64)
        run.says("--dry-run", name, "would wait", "copy")
        must(not run.out and "event=" not in run.err, f"it began: {run}")
    (box.folder / "seen.csv").symlink_to("upload.csv.part")
    dry_run(box, "seen.csv").ended(0).says("event=file_accepted", "file=seen.csv")
    fault.run([box.programs / "tallyd", "-c", box.config, "--dry-run", f"{box.folder}/"]).ended(64)


def test_a_trial_leaves_the_metrics_alone(options, stack):
    box = stack.enter_context(fault.Sandbox(options.bin, ""))
    metrics = box.folder / "m.prom"
    box.config.write_text(f"[tallyd]\nstate = {box.state}\nmetrics = {metrics}\n{fault.config()}")
    metrics.write_text("those of the daemon\n")
    (box.folder / "good.csv").write_text(GOOD)
    dry_run(box, "good.csv").ended(0)
    must(metrics.read_text() == "those of the daemon\n", f"replaced by: {metrics.read_text()}")


def test_files_are_tried_in_the_order_given(options, stack):
    """The later one of two with the same revision counts; two may have one name."""
    box = stack.enter_context(fault.Sandbox(options.bin, fault.config()))
    for folder, number in (("one", 1), ("two", 2)):
        (box.folder / folder).mkdir()
        for name in ("a.csv", "z.csv", "m.csv"):
            (box.folder / folder / name).write_text(
                f"{HEADER}X-1,1,2020-10-01,Kabul,{number},0\n# {folder}/{name}\n")
    for names in (("one/z.csv", "two/a.csv"), ("one/a.csv", "two/z.csv"), ("one/m.csv", "two/m.csv"),
                  ("one/z.csv", "two/m.csv", "one/a.csv", "two/m.csv", "two/a.csv")):
        run = dry_run(box, *names).ended(0)
        taken = [line.split("file=")[1].split()[0] for line in run.err.splitlines()
                 if "event=file_" in line]
        must(taken == [name.split("/")[1] for name in names], f"taken in this order: {taken}")
        figures = run.out.splitlines()[1].split(",")
        must(figures[4] == "2", f"not what the last one says: {run}")
    dry_run(box, "one/z.csv", "no-such.csv").ended(66).says("event=dry_run_failed", "no-such.csv")
    (box.folder / "bad.csv").write_text("nothing,known\n1,1\n")
    dry_run(box, "bad.csv", "one/a.csv").ended(1).says("event=file_accepted", "file=a.csv")
    box.holds("inbox")
    must(not (box.state / "ledger").exists(), "a trial changed something")


BAD_ROW = GOOD + "G-3,1,soon,Herat,1,1\n"  # the last row is set aside
REJECTS = "m.csv.batch-1.rejects.csv"


def test_a_file_that_comes_again_leaves_what_is_being_corrected(options, _):
    """The rows that were set aside are corrected where they stand; or were taken away."""
    with fault.Sandbox(options.bin, fault.config()) as box:
        rejects = box.state / "rejected" / REJECTS
        box.drop("m.csv", BAD_ROW)
        box.once().ended(0).says("file_accepted", f"rejects={REJECTS}")
        written = rejects.read_text()
        rejects.write_text(written.replace("soon", "2020-10-03"))
        box.drop("m.csv", BAD_ROW)
        box.once().ended(0).says("file_duplicate", "m.csv")
        must("2020-10-03" in rejects.read_text(), f"the correction is gone:\n{rejects.read_text()}")
        box.holds("rejected", REJECTS)
        rejects.unlink()
        box.drop("m.csv", BAD_ROW)
        box.once().ended(0).says("file_duplicate", f"rejects={REJECTS}")
        must(rejects.read_text() == written, f"written anew: {rejects.read_text()}")
        box.holds("rejected", REJECTS)


def test_rejected_rows_never_replace_a_file(options, _):
    """One that was refused as a whole may have the very name; twice, since files come again."""
    refused = "nothing,known\n1,1\n"
    for before in (True, False):
        with fault.Sandbox(options.bin, fault.config()) as box:
            rejects = box.state / "rejected" / REJECTS
            if before:
                box.drop(REJECTS, refused)
            box.drop("m.csv", BAD_ROW)
            run = box.once().ended(1 if before else 0)
            if before:
                run.says("file_accepted", f"rejects={REJECTS}.2")
                must("soon" in (box.state / "rejected" / (REJECTS + ".2")).read_text(), str(run))
            else:
                rejects.rename(box.folder / "taken away")
                box.drop(REJECTS, refused)
                box.once().ended(1)
            box.drop("m.csv", BAD_ROW)
            box.once().ended(0).says("file_duplicate", "m.csv")
            must(rejects.read_text() == refused, f"replaced by: {rejects.read_text()}")
            box.holds("rejected", REJECTS, REJECTS + ".reason.txt", *[REJECTS + ".2"] * before)


def test_a_file_that_is_still_being_written(options, stack):
    """Bit by bit under its own name; with pauses longer than `settle`."""
    box = stack.enter_context(fault.Sandbox(options.bin, fault.config()))
    box.start()
    content = fault.rows("W", 400)
    with open(box.inbox / "slow.csv", "w", encoding="utf-8") as out:
        for at in range(0, len(content), 2000):
            out.write(content[at:at + 2000])
            out.flush()
            time.sleep(0.1)
        time.sleep(0.8)
        must(not box.names("done"), "it was taken while it was open for writing")
        box.drop("good.csv", GOOD)
        box.wait(lambda: b"good.csv" in box.names("done"), "the other file does not wait for it")
    box.settled()
    box.stop()
    box.holds("done", "good.csv", "slow.csv")
    must(fault.killed(box) == 404, "not all of it counts")


def drop_slowly(box, begin, done):
    """Bytes under its own name, with pauses longer than `settle` and than three looks."""
    with open(box.inbox / "slow.csv", "a", encoding="utf-8") as out:
        for part in (begin, *fault.rows("W", 6)[len(begin):].splitlines(True)[:2]):
            out.write(part)
            out.flush()
            time.sleep(0.9)
            must(not done(), f"it was taken while it was open, {len(part)} bytes later")
        out.write("".join(fault.rows("W", 6)[len(begin):].splitlines(True)[2:]))


def test_a_writer_that_pauses_where_no_lease_is_given(options, stack):
    """As another user than its owner, tallyd has only the kernel's hints to know that it is open:
    when it is made and stays empty, and when it is written."""
    for begin in ("", fault.HEADER):
        with fault.Sandbox(options.bin, fault.config()) as box:
            box.start(program=as_nobody(options, box))
            drop_slowly(box, begin, lambda: "slow.csv" in box.log())
            box.drop("good.csv", GOOD)
            box.wait(lambda: len(box.names("done")) == 2, "both are done")
            box.stop()
            must(fault.killed(box) == 4 + 6, "not all of it counts")


def test_what_is_made_and_never_opened_is_not_waited_for(options, stack):
    """A second name of a file, which then loses its first, and one that goes away unclosed."""
    box = stack.enter_context(fault.Sandbox(options.bin, fault.config()))
    (box.folder / "beside").write_text(GOOD)
    box.start(program=as_nobody(options, box))
    os.link(box.folder / "beside", box.inbox / "linked.csv")
    box.says("file_unfit", "linked.csv", "2 hard links")
    (box.folder / "beside").unlink()
    box.wait(lambda: b"linked.csv" in box.names("done"), "it is taken when it has one name")
    with open(box.inbox / "gone.csv", "w", encoding="utf-8") as out:
        out.write("half")
        out.flush()
        time.sleep(0.5)
        (box.inbox / "gone.csv").unlink()
        (box.folder / "whole").write_text(fault.rows("W", 6))
        os.link(box.folder / "whole", box.inbox / "gone.csv")
        (box.folder / "whole").unlink()
        box.wait(lambda: b"gone.csv" in box.names("done"), "another file of its name is taken")
    box.stop()
    must(fault.killed(box) == 4 + 6, f"{fault.killed(box)} count")


def test_what_nobody_has_open_is_taken(options, stack):
    """Though no hint told of a close: made by one who only reads, and cut or filled by its name."""
    box = stack.enter_context(fault.Sandbox(options.bin, fault.config()))
    box.start()
    os.close(os.open(box.inbox / "made.csv", os.O_CREAT | os.O_RDONLY, 0o644))
    box.wait(lambda: b"made.csv" in box.names("rejected"), "an empty file is refused")
    box.daemon.send_signal(signal.SIGSTOP)
    box.drop("cut.csv", GOOD + "half a ro")
    os.truncate(box.inbox / "cut.csv", len(GOOD))
    box.daemon.send_signal(signal.SIGCONT)
    box.wait(lambda: b"cut.csv" in box.names("done"), "the file that was cut is taken")
    box.stop()
    must(fault.killed(box) == 4, f"{fault.killed(box)} count")


def test_once_leaves_what_is_being_written(options, _):
    with fault.Sandbox(options.bin, fault.config()) as box:
        with open(box.inbox / "open.csv", "w", encoding="utf-8") as out:
            out.write(GOOD)
            out.flush()
            box.once().ended(0).says("open.csv", "still being written")
            box.holds("inbox", "open.csv")
        box.once().ended(0).says("file_accepted", "open.csv")


def unfit_while_mounted(options, box, name):
    """Told once and left where it is; the next file is not held up."""
    box.drop("good.csv", GOOD)
    box.start()
    box.wait(lambda: b"good.csv" in box.names("done"), "the file behind it is done")
    time.sleep(0.7)  # three looks at the inbox
    box.drop("more.csv", fault.rows("M", 5))
    box.wait(lambda: b"more.csv" in box.names("done"), "so is the next one")
    told = [line for line in box.log().splitlines() if "file_unfit" in line and name in line]
    must(len(told) == 1, f"told {len(told)} times:\n{box.log()}")
    must("intake_paused" not in box.log(), box.log())
    box.holds("inbox", name)


def test_a_mounted_file(options, stack):
    """It can be opened but not moved; unmounted, what it covered is taken."""
    box = stack.enter_context(fault.Sandbox(options.bin, fault.config()))
    (box.inbox / "mounted.csv").write_text(fault.rows("U", 2))
    (box.folder / "beside").write_text(fault.rows("B", 3))
    with fault.Mount("--bind", box.folder / "beside", box.inbox / "mounted.csv"):
        unfit_while_mounted(options, box, "mounted.csv")
    box.wait(lambda: b"mounted.csv" in box.names("done"), "what it covered is taken")
    box.stop()
    must(fault.killed(box) == 4 + 5 + 2, f"{fault.killed(box)} count")


def test_a_mounted_folder(options, stack):
    box = stack.enter_context(fault.Sandbox(options.bin, fault.config()))
    (box.inbox / "folder.csv").mkdir()
    with fault.Mount("-t", "tmpfs", "tmpfs", box.inbox / "folder.csv"):
        unfit_while_mounted(options, box, "folder.csv")
        box.stop()


def test_a_folder_on_another_file_system(options, stack):
    """Told at the start, before a file is taken that could not be moved there."""
    box = stack.enter_context(fault.Sandbox(options.bin, fault.config()))
    box.drop("good.csv", GOOD)
    (box.state / "done").mkdir()
    with fault.Mount("-t", "tmpfs", "tmpfs", box.state / "done"):
        box.once().ended(78).says("start_failed", "done/ is on another file system")
    box.holds("inbox", "good.csv")
    box.once().ended(0)
    must(fault.killed(box) == 4, f"{fault.killed(box)} count")


def test_a_file_that_may_not_be_moved(options, stack):
    """Immutable: told once, taken when it no longer is."""
    box = stack.enter_context(fault.Sandbox(options.bin, fault.config(), "/var/tmp"))
    box.drop("stuck.csv", fault.rows("S", 2))
    path = box.inbox / "stuck.csv"
    done = fault.run(["chattr", "+i", path]) if shutil.which("chattr") else None
    if not done or done.status != 0:
        raise Skip("cannot make a file immutable here")
    stack.callback(fault.run, ["chattr", "-i", path])
    unfit_while_mounted(options, box, "stuck.csv")
    fault.run(["chattr", "-i", path]).ended(0)
    box.wait(lambda: b"stuck.csv" in box.names("done"), "it is taken when it can be")
    box.stop()


def test_a_file_without_permission_is_told_once_until_it_changes(options, stack):
    box = stack.enter_context(fault.Sandbox(options.bin, fault.config()))
    program = as_nobody(options, box)
    box.drop("secret.csv", fault.rows("S", 5))
    path = box.inbox / "secret.csv"
    path.chmod(0)
    box.start(program=program)
    box.says("file_unfit", "secret.csv", "Permission denied")
    time.sleep(0.7)  # three looks at the inbox
    must(box.log().count("file_unfit") == 1, f"told more than once:\n{box.log()}")
    path.chmod(0o200)
    box.wait(lambda: box.log().count("file_unfit") == 2, "a change that does not help is told")
    time.sleep(0.5)
    must(box.log().count("file_unfit") == 2, f"told more than once a change:\n{box.log()}")
    path.chmod(0o644)
    box.wait(lambda: b"secret.csv" in box.names("done"), "it is taken in when it can be read")
    box.stop()


def test_a_name_comes_again_while_its_file_is_read(options, stack):
    box = stack.enter_context(fault.Sandbox(options.bin, fault.config("chunk_rows = 64")))
    box.start()
    counts = [30_000, 7, 11]
    for i, count in enumerate(counts):
        box.drop("same.csv", fault.rows(f"S{i}", count))
        box.wait(lambda: not box.names("inbox") or box.names("claimed"), "it is taken, or waits")
        if i < 2:
            box.wait(lambda: b"same.csv" not in box.names("inbox"), "the next may be dropped", 30)
    box.settled()
    box.wait(lambda: len(box.names("done")) == 3, "all three are done")
    box.stop()
    must(fault.killed(box) == sum(counts), f"{fault.killed(box)} of {sum(counts)} count")


def test_a_name_comes_again_behind_one_that_was_claimed(options, stack):
    """What an earlier run left in claimed/ comes first, and what stands in the inbox right behind."""
    box = stack.enter_context(fault.Sandbox(options.bin, fault.config()))
    (box.state / "claimed").mkdir()
    (box.state / "claimed" / "same.csv").write_text(fault.rows("C", 3))
    box.drop("same.csv", fault.rows("D", 5))
    box.once().ended(0)
    must(not box.names("inbox") and len(box.names("done")) == 2, f"{box.tree()}")
    must(fault.killed(box) == 8, f"{fault.killed(box)} count")


def test_few_descriptors(options, stack):
    """A service manager may allow few: what waits is then taken in smaller groups."""
    if not shutil.which("prlimit"):
        raise Skip("there is no prlimit to allow few descriptors")
    box = stack.enter_context(fault.Sandbox(options.bin, fault.config()))
    for i in range(300):
        box.drop(f"{i:03}.csv", fault.rows(f"F{i}", 1))
    box.start(program=["prlimit", "--nofile=64:64", options.bin / "tallyd"])
    box.wait(lambda: len(box.names("done")) == 300, "all are taken", 60)
    box.stop()
    must("file_unfit" not in box.log() and "store_failed" not in box.log(), box.log()[-2000:])
    must(fault.killed(box) == 300, f"{fault.killed(box)} count")


def test_no_hints(options, stack):
    """No watch is left: said once, and the timer goes on."""
    box = stack.enter_context(fault.Sandbox(options.bin, fault.config()))
    box.start(meddled(options, TALLY_NO_HINTS="1"))
    box.says("hints_failed", "No space left on device")
    box.drop("good.csv", GOOD)
    box.wait(lambda: b"good.csv" in box.names("done"), "it is found by a look")
    box.stop()
    must(box.log().count("hints_failed") == 1 and fault.killed(box) == 4, box.log())


MANY = 100_000


def drop_many(box, count):
    for i in range(count):
        fd = os.open(box.inbox / f"m{i:06d}.csv", os.O_WRONLY | os.O_CREAT, 0o644)
        os.write(fd, f"{HEADER}M-{i},1,2020-10-01,Kabul,1,\n".encode())
        os.close(fd)


def test_a_hundred_thousand_files_at_once(options, stack):
    """None missed, though the daemon stands still while they come and the kernel's queue of hints
    is far too short; and it does not look at all of them again and again."""
    box = stack.enter_context(fault.Sandbox(options.bin, fault.config()))
    counts = box.folder / "counts"
    box.start(meddled(options, TALLY_COUNTS=counts))
    box.daemon.send_signal(signal.SIGSTOP)
    drop_many(box, MANY)
    box.daemon.send_signal(signal.SIGCONT)
    started = time.monotonic()
    box.says("hints_lost")
    first = time.monotonic() - started
    box.wait(lambda: len(os.listdir(box.state / "done")) == MANY, "all of them are done", 240, 0.5)
    taken = time.monotonic() - started
    box.settled(10)
    box.stop()
    listed, looked = (int(word) for word in counts.read_text().split())
    print(f"      {MANY} files taken in {taken:.1f} s; hints read after {first:.2f} s; "
          f"{listed} looks at a folder, {looked / MANY:.1f} at each name")
    must(looked <= 8 * MANY, f"{looked} looks at names for {MANY} files")
    must(fault.killed(box) == MANY, f"{fault.killed(box)} of {MANY} count")
    must(len(box.accepted()) == MANY, "not all of them are accepted")


def goes_away(options, how, folder="inbox"):
    """The daemon says so and ends with a status that systemd restarts; a start makes it anew."""
    with fault.Sandbox(options.bin, fault.config()) as box:
        box.start()
        how(box)
        box.wait(lambda: box.daemon.poll() is not None or "inbox_lost" in box.log(),
                 "the daemon notices", 3)
        status = box.daemon.wait(15)
        must(status == 71, f"exit status {status}\n{box.log()}")
        must("inbox_lost" in box.log() and str(box.state / folder) in box.log(), box.log())
        box.start()
        box.drop("good.csv", GOOD)
        box.wait(lambda: b"good.csv" in box.names("done"), "it works again")
        box.stop()


def test_the_inbox_is_removed(options, _):
    goes_away(options, lambda box: box.inbox.rmdir())


def test_the_inbox_is_renamed(options, _):
    goes_away(options, lambda box: box.inbox.rename(box.folder / "moved"))


def test_the_folder_of_claimed_files_is_removed(options, _):
    """Files would wait for ever, and nobody would say so."""
    goes_away(options, lambda box: (box.state / "claimed").rmdir(), "claimed")


def test_an_inbox_that_is_a_link(options, stack):
    box = stack.enter_context(fault.Sandbox(options.bin, fault.config()))
    box.inbox.rmdir()
    (box.folder / "elsewhere").mkdir()
    box.inbox.symlink_to(box.folder / "elsewhere")
    box.start()
    time.sleep(2.5)  # some looks at it
    box.drop("good.csv", GOOD)
    box.wait(lambda: b"good.csv" in box.names("done"), "it is taken")
    box.stop()


def test_two_daemons_on_one_state(options, stack):
    box = stack.enter_context(fault.Sandbox(options.bin, fault.config()))
    box.start()
    box.drop("good.csv", GOOD)
    box.once().ended(75).says("start_failed", str(box.state), "another tallyd")
    box.settled()
    box.stop()
    must(fault.killed(box) == 4, "the first one did not go on")


def test_a_second_daemon_leaves_claimed_files_alone(options, stack):
    box = stack.enter_context(fault.Sandbox(options.bin, fault.config()))
    (box.state / "claimed").mkdir()
    (box.state / "claimed" / "mine.csv").write_text(fault.rows("C", 3))
    box.start()
    box.wait(lambda: b"mine.csv" in box.names("done"), "what stood in claimed/ is done")
    box.once().ended(75)
    box.stop()


def test_no_parent_of_the_state_directory(options, _):
    with fault.Sandbox(options.bin, fault.config()) as box:
        config = box.folder / "other.conf"
        config.write_text(box.config.read_text().replace(str(box.state), "/nowhere/at/all"))
        fault.run([box.programs / "tallyd", "-c", config, "--once"]).ended(74).says(
            "start_failed", "/nowhere/at/all", "No such file or directory")


def test_a_state_directory_that_is_a_file(options, _):
    with fault.Sandbox(options.bin, fault.config()) as box:
        config = box.folder / "other.conf"
        config.write_text(box.config.read_text().replace(str(box.state), str(box.config)))
        fault.run([box.programs / "tallyd", "-c", config, "--once"]).ended(74).says(
            "start_failed", str(box.config), "Not a directory")


def test_a_file_that_goes_away_again(options, stack):
    """Dropped and removed, over and over, while the daemon looks."""
    box = stack.enter_context(fault.Sandbox(options.bin, fault.config()))
    box.start()
    stop = threading.Event()

    def flicker():
        while not stop.is_set():
            box.drop("flicker.csv", GOOD)
            (box.inbox / "flicker.csv").unlink(missing_ok=True)

    thread = threading.Thread(target=flicker, daemon=True)
    thread.start()
    time.sleep(1)
    stop.set()
    thread.join()
    box.drop("last.csv", fault.rows("L", 5))
    box.wait(lambda: b"last.csv" in box.names("done"), "it goes on with the next file")
    box.stop()
    box.tally("verify").ended(0)


if __name__ == "__main__":
    fault.run_tests(sys.modules[__name__], fault.arguments(__doc__, fault.add_meddle),
                    "fault inbox")
