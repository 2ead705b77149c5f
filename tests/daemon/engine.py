#!/usr/bin/env python3
"""Another `engine` in [store] moves nothing: tallyd refuses it, and says what does.

No server is needed: what is refused is refused before one is asked.
"""

import sys

import operated
from operated import must

ON_CLUSTER = """
[store]
engine = clickhouse
hosts = 127.0.0.1:1
cluster = nobody
retry = 0s
timeout = 1s
"""


def filled(options, stack):
    box = stack.enter_context(operated.Sandbox(options.bin, operated.config()))
    box.drop("a.csv", operated.GOOD)
    box.once().ended(0)
    return box


def put_on_cluster(box):
    box.config.write_text(box.config.read_text() + ON_CLUSTER)


def test_a_ledger_that_was_not_moved_is_not_left_out(options, stack):
    box = filled(options, stack)
    plain = box.config.read_text()
    put_on_cluster(box)
    box.once().ended(78).says("event=start_failed", "`tallyd --migrate`", "`ledger` away")
    passes_without_a_start(box).says("[store]: engine = clickhouse", "`tallyd --migrate`")
    must(not (box.state / "on-cluster").exists(), "it counts as moved")
    box.config.write_text(plain)
    box.once().ended(0)
    must(operated.killed(box) == 4, "the ledger is not what it was")


def asked(box, *arguments):
    return operated.run([box.programs / "tallyd", "-c", box.config, *arguments])


def passes_without_a_start(box):
    """--check of a configuration that is right and that no start goes on with."""
    told = asked(box, "--check").ended(0)
    must("nothing wrong in it; but tallyd would not start (78)" in told.out, told.out)
    return told


def test_without_a_ledger_or_behind_a_move_the_servers_are_asked(options, stack):
    box = stack.enter_context(operated.Sandbox(options.bin, operated.config() + ON_CLUSTER))
    box.once().ended(75)
    box = filled(options, stack)
    put_on_cluster(box)
    (box.state / "on-cluster").touch()
    box.once().ended(75)
    (box.state / "on-cluster").unlink()
    (box.state / "ledger").rename(box.state / "ledger.old")
    box.once().ended(75)


def test_a_cluster_is_not_left_out(options, stack):
    box = filled(options, stack)
    (box.state / "on-cluster").touch()
    for run in (box.once(), asked(box, "--replay", "attacks")):
        run.ended(78).says("event=start_failed", "`tallyd --migrate`", "`on-cluster` there")
    corrected = box.folder / "corrected.csv"
    corrected.write_text(operated.GOOD)
    asked(box, "--dry-run", corrected).ended(78).says("--dry-run: engine = ledger", "`on-cluster` there")
    passes_without_a_start(box).says("[store]: engine = ledger", "`tallyd --migrate`")
    (box.state / "on-cluster").unlink()
    asked(box, "--dry-run", corrected).ended(0)
    told = asked(box, "--check").ended(0)
    must("[store]" not in told.err, "--check sees a move that is none")
    must(told.out.endswith("nothing wrong\n"), told.out)
    box.once().ended(0)
    must(operated.killed(box) == 4, "the ledger is not what it was")


if __name__ == "__main__":
    operated.run_tests(sys.modules[__name__], operated.arguments(__doc__), "daemon engine")
