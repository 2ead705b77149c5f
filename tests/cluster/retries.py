#!/usr/bin/env python3
"""Any request of a run fails once, in any way: it is asked again, and the figures are the same.

Skipped where clickhouse-server is not installed (script/bootstrap --cluster installs it).
"""

import contextlib
import itertools
import sys

from clustered import LONG, Way, drop_all, embedded, history, main, must, same

FAULTS = ("down", "lost", "cut")
MOMENTS = 40 if LONG else 12  # at which a request fails


def test_any_request_may_fail(options, stack):
    """The k-th request of a run fails once, for many k and in every way: it is asked again."""
    way = Way(stack, shards=2)
    files = history(2, files=4, rows=60)
    want = embedded(options, files)

    def run_once(moment=None, kind=None):
        count = itertools.count()
        with contextlib.ExitStack() as own:
            box = way.box(options, own)
            way.fault(lambda index, asked: kind if next(count) == moment else None)
            drop_all(box, files)
            box.once().ended(0)
            asked = next(count)
            way.fault(lambda index, asked: None)
            same(box, want)
            return asked

    asked = run_once()
    must(asked > 10, f"only {asked} requests")
    step = max(1, asked // MOMENTS)
    for number, moment in enumerate(range(0, asked, step)):
        run_once(moment, FAULTS[number % len(FAULTS)])
    print(f"      {asked} requests; {len(range(0, asked, step))} of them failed once")


if __name__ == "__main__":
    main(sys.modules[__name__])
