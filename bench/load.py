"""The cold-load table: rivals.py says what is done, and why the comparison is fair."""

import dataclasses
import os
import shutil
import statistics

import measure
import rivals
from show import disagreements, say

MEASURES = (("wall_s", "wall s"), ("cpu_s", "CPU s"), ("peak_mib", "peak MiB"))


def run_once(rival, shape, data, work):
    """(Cost, figures or None). Leaves no files behind."""
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    try:
        command, text = rival.prepare(shape, data, work)
        os.sync()  # what was written before is not this rival's to wait for
        with open(data, "rb") as file:
            while file.read(1 << 20):
                pass  # into the page cache, should it have been pushed out
        cost, code, said = measure.run(command, text)
        if code != 0:
            raise rivals.Failed(f"exited {code}: {said.strip()[-500:]}")
        return cost, None if rival.is_ceiling else rival.result(work)
    finally:
        shutil.rmtree(work, ignore_errors=True)


@dataclasses.dataclass
class Tally:
    """What one rival did on one shape."""

    rival: rivals.Rival
    costs: list = dataclasses.field(default_factory=list)
    figures: list = dataclasses.field(default_factory=list)
    failure: str = ""

    def median(self, measure_name):
        return statistics.median(getattr(cost, measure_name) for cost in self.costs)


def run_rounds(rounds, shape, data, taking_part, work):
    tallies = [Tally(rival) for rival in taking_part]
    for round_index in range(rounds):
        first = round_index % len(tallies)  # nobody always follows the same neighbour
        for tally in tallies[first:] + tallies[:first]:
            if tally.failure:
                continue
            try:
                cost, figures = run_once(tally.rival, shape, data, work)
            except (rivals.Failed, OSError, LookupError, ValueError) as failure:
                tally.failure = str(failure) or repr(failure)
                say(f"  {tally.rival.name} FAILED: {tally.failure}")
                continue
            tally.costs.append(cost)
            tally.figures.append(figures)
            say(
                f"  round {round_index + 1} {tally.rival.name:13}{cost.wall_s:8.2f} s wall"
                f"{cost.cpu_s:8.2f} s CPU{cost.peak_mib:9.1f} MiB"
            )
    return tallies


def show(title, tallies):
    base = next((t for t in tallies if t.rival.name == "tallyd" and t.costs), None)
    say(f"\n{title}")
    heads = "".join(f"{head:>9}{'min-max':>17}{'ratio':>8}" for _, head in MEASURES)
    say(f"{'':13}{heads}")
    for tally in tallies:
        if not tally.costs:
            say(f"{tally.rival.name:13}  failed: {tally.failure}")
            continue
        cells = ""
        for name, _ in MEASURES:
            values = [getattr(cost, name) for cost in tally.costs]
            digits = 0 if name == "peak_mib" else 2
            spread = f"{min(values):.{digits}f}-{max(values):.{digits}f}"
            ratio = f"{tally.median(name) / base.median(name):.2f}x" if base else "-"
            cells += f"{tally.median(name):9.{digits}f}{spread:>17}{ratio:>8}"
        say(f"{tally.rival.name:13}{cells}")
    for tally in tallies:
        say(f"  {tally.rival.name:13} {tally.rival.does}")
    figures = next((t.figures[0] for t in tallies if any(t.figures)), {})
    say("  figures   " + ", ".join(f"{name} {value}" for name, value in figures.items()))


def wrong(tallies):
    """Texts: who failed, and which figures are not the same for all who state them."""
    failed = [f"{tally.rival.name} failed" for tally in tallies if tally.failure]
    stated = [(t.rival.name, figures) for t in tallies for figures in filter(None, t.figures)]
    return failed + disagreements(stated)


def missed(shape, tallies):
    """What is aimed at and not reached."""
    ran = {tally.rival.name: tally for tally in tallies if tally.costs}
    ours = ran.get("tallyd")
    aims = shape.targets
    said = []
    for rival, name, what, least in (
        ("duckdb-a", "wall_s", "as fast as DuckDB job A", aims.times_a),
        ("duckdb-l", "wall_s", "as fast as DuckDB job L", aims.times_l),
        ("duckdb-a", "cpu_s", "less processor time than DuckDB job A", aims.times_cpu),
    ):
        if ours and rival in ran:
            times = ran[rival].median(name) / ours.median(name)
            said += [f"tallyd is {times:.2f} times {what}, not {least}"] if times < least else []
    if ours and ours.median("peak_mib") > aims.peak_mib:
        said.append(f"tallyd's memory peaks at {ours.median('peak_mib'):.0f} MiB, "
                    f"not {aims.peak_mib}")
    return said


def kept(tallies):
    return [
        {
            "rival": tally.rival.name,
            "does": tally.rival.does,
            "failure": tally.failure,
            "runs": [dataclasses.asdict(cost) for cost in tally.costs],
            "median": {n: tally.median(n) for n, _ in MEASURES} if tally.costs else None,
            "figures": tally.figures[-1] if tally.figures else None,
        }
        for tally in tallies
    ]
