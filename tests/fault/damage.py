"""Flipping bytes: what the tests of a damaged rollup and a damaged ledger share."""

import concurrent.futures
import random
import shutil

import fault
from fault import must

CRASHED = (-6, -11, -7, -8, -4)
SEED = 1


def flips(data, seed=SEED):
    """(offset, data with that byte changed), each byte once; seeded."""
    chance = random.Random(seed)
    for offset, byte in enumerate(data):
        changed = bytearray(data)
        changed[offset] = byte ^ chance.randrange(1, 256)
        yield offset, bytes(changed)


def each(function, cases):
    """Two at a time; the results in order."""
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        return list(pool.map(lambda case: function(*case), cases))


def ranges(offsets):
    """[1, 2, 3, 7] -> "1-3 7"."""
    text = []
    for offset in sorted(offsets):
        if text and text[-1][1] == offset - 1:
            text[-1][1] = offset
        else:
            text.append([offset, offset])
    return " ".join(f"{a}-{b}" if a < b else str(a) for a, b in text)


def copy_state(box, folder):
    """The state directory again, with a configuration of its own; returns both paths."""
    state = folder / "state"
    shutil.copytree(box.state, state)
    config = folder / "tallyd.conf"
    config.write_text(box.config.read_text().replace(str(box.state), str(state)))
    return state, config


def not_crashed(run):
    must(run.status not in CRASHED, f"crashed:\n{run}")
    return run
