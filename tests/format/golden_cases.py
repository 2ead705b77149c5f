#!/usr/bin/env python3
"""The rollups of every golden case, read by `tally` and by the second reader."""

import importlib.machinery
import importlib.util
import sys
import tempfile

import readers
from readers import must

GOLDEN = readers.HERE.parent / "golden"


def golden_run():
    """tests/golden/run as a module."""
    loader = importlib.machinery.SourceFileLoader("golden_run", str(GOLDEN / "run"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("golden_run", loader))
    loader.exec_module(module)
    return module


def test_every_case(options, stack):
    golden = golden_run()
    read = 0
    for config in sorted(GOLDEN.glob("*/tallyd.conf")):
        temporary = stack.enter_context(tempfile.TemporaryDirectory(prefix="tally-format-"))
        state = golden.settled(config.parent, options.bin, temporary)
        for path in sorted((state / "rollup").glob("*.rollup")):
            readers.compare(options, path)
            read += 1
    must(read > 30, f"{read} rollups")
    print(f"      {read} rollups")


if __name__ == "__main__":
    sys.dont_write_bytecode = True  # tests/golden/run has no suffix to hide its own by
    readers.run_tests(sys.modules[__name__], readers.arguments(__doc__), "golden cases")
