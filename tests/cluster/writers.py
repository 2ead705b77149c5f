#!/usr/bin/env python3
"""Several daemons with inboxes of their own feed one cluster.

However their files come in between each other, the figures are those of one daemon that was given
all of them. Skipped where clickhouse-server is not installed (script/bootstrap --cluster installs
it).
"""

import contextlib
import random
import subprocess
import sys

import servers
from clustered import CONFIG, LONG, Box, embedded, figures, history, main, must, soon
from sandbox import ENVIRONMENT

ROUNDS = 4 if LONG else 2

# Both daemons have only the feed whose revisions say what is newest.
ATTACKS = CONFIG[:CONFIG.index("[feed census]")] + CONFIG[CONFIG.index("[rollup all]"):
                                                          CONFIG.index("[rollup dead]")]


def feeds_with_revisions(seed, files):
    """Only files of the feed whose revisions say what is newest."""
    some = [(name, content) for name, content in history(seed, 3 * files)
            if name.startswith("attacks")]
    return some[:files]


def box_of(options, stack, cluster, database, number, config=ATTACKS):
    """The first one makes the tables."""
    store = cluster.store(database, writer=f"w{number}", retry="10s")
    return stack.enter_context(Box(options, store, config, make=number == 0))


def begin_once(box):
    return subprocess.Popen([box.programs / "tallyd", "-c", box.config, "--once"], text=True,
                            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                            stderr=subprocess.PIPE, env=ENVIRONMENT)


def at_once(boxes):
    """All of them settle at the same time."""
    running = [begin_once(box) for box in boxes]
    for one in running:
        told = one.communicate(timeout=120)[1]
        must(one.returncode == 0, f"tallyd --once: exit status {one.returncode}\n{told}")


def rollup_of(box):
    return figures(box)["all"]


def test_any_interleaving_gives_the_figures_of_one_daemon(options, stack):
    cluster = stack.enter_context(servers.Cluster(shards=2))
    for seed in range(ROUNDS):
        rng = random.Random(seed)
        files = feeds_with_revisions(seed, 10)
        want = embedded(options, files, ATTACKS)["all"]
        with contextlib.ExitStack() as own:
            boxes = [box_of(options, own, cluster, f"writers_{seed}", i) for i in range(2)]
            rng.shuffle(files)
            while files:
                for box in boxes:
                    for name, content in [files.pop() for _ in range(min(len(files), 2))]:
                        box.drop(name, content)
                at_once(boxes)
            at_once(boxes)  # so that each has seen what the other did last
            for box in boxes:
                must(rollup_of(box) == want, f"seed {seed}: {rollup_of(box)}, should be {want}")
                must(len(box.accepted()) == 10, f"seed {seed}: {box.table('files')}")


def test_daemons_that_run_see_what_the_others_did(options, stack):
    """Each publishes all of it, a while after the last commit of any."""
    cluster = stack.enter_context(servers.Cluster(shards=2))
    files = feeds_with_revisions(20, 8)
    want = embedded(options, files, ATTACKS)["all"]
    boxes = [box_of(options, stack, cluster, "together", i) for i in range(2)]
    for box in boxes:
        box.start()
    for number, (name, content) in enumerate(files):
        boxes[number % 2].drop(name, content)
    for box in boxes:
        box.settled()
    soon(lambda: all(rollup_of(box) == want for box in boxes), "both have published all", 60)
    for box in boxes:
        box.stop()


def test_a_feed_without_revisions_is_served_by_one_daemon(options, stack):
    cluster = stack.enter_context(servers.Cluster(shards=2))
    first = box_of(options, stack, cluster, "one", 0, CONFIG)
    second = box_of(options, stack, cluster, "one", 1, CONFIG)
    census = next(file for file in history(30, 20) if file[0].startswith("census"))
    other = next(file for file in history(31, 20) if file[0].startswith("census"))
    first.drop(*census)
    first.once().ended(0)
    before = figures(first)["dead"]
    second.drop(*other)
    done = second.once()
    must(done.status != 0, f"a second daemon serves the feed:\n{done}")
    done.says("census", "w0")
    must(not second.names("done"), "the second daemon took the file")
    first.once().ended(0)
    must(figures(first)["dead"] == before, "the second daemon's file counts")


def test_a_file_that_came_to_both_counts_once(options, stack):
    cluster = stack.enter_context(servers.Cluster(shards=2))
    boxes = [box_of(options, stack, cluster, "both", i) for i in range(2)]
    (name, content), = feeds_with_revisions(40, 1)
    for box in boxes:
        box.drop(name, content)
        box.once().ended(0)
        box.holds("done", name)
    must([row["outcome"] for row in boxes[1].table("files")] == ["accepted", "duplicate"],
         f"{boxes[1].table('files')}")


if __name__ == "__main__":
    main(sys.modules[__name__])
