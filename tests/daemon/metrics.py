#!/usr/bin/env python3
"""Metrics: strict OpenMetrics that node_exporter reads too, equal to what the ledger says.

The parsers are those of python3-prometheus-client, for Debian's own Python.
"""

import json
import os
import re
import subprocess
import sys
import time

import operated
from operated import ROOT, Skip, must

DEBIAN_PYTHON = "/usr/bin/python3"
PARSE = """
import json, sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families as strict
from prometheus_client.parser import text_string_to_metric_families as plain
text = sys.stdin.read()
old = {sample.name: None for family in plain(text) for sample in family.samples}
json.dump([{"name": family.name, "type": family.type, "help": family.documentation,
            "samples": [[one.name, one.labels, one.value, one.timestamp, one.name in old]
                        for one in family.samples]} for family in strict(text)], sys.stdout)
"""
NODE_EXPORTER_KNOWS = {"counter", "gauge", "histogram"}


def parse(text):
    """Families as the strict parser sees them; the plain one has to see the same samples."""
    done = subprocess.run([DEBIAN_PYTHON, "-c", PARSE], input=text.encode(), capture_output=True,
                          check=False)
    if b"No module named" in done.stderr or not os.path.exists(DEBIAN_PYTHON):
        raise Skip("no python3-prometheus-client")
    must(done.returncode == 0, f"no OpenMetrics: {done.stderr.decode()}\n{text}")
    families = json.loads(done.stdout)
    for family in families:
        must(family["type"] in NODE_EXPORTER_KNOWS, f"node_exporter knows no {family['type']}")
        must(family["help"], f"{family['name']} has no help")
        for name, _, _, timestamp, in_old in family["samples"]:
            must(timestamp is None, f"node_exporter refuses times behind values: {name}")
            must(in_old, f"the older format does not see {name}")
    return families


def values(families):
    return {(name, *sorted(f"{key}={value}" for key, value in labels.items())): value
            for family in families for name, labels, value, _, _ in family["samples"]}


def begin(options, stack, config="", more=""):
    box = stack.enter_context(operated.Sandbox(options.bin, ""))
    box.config.write_text(f"[tallyd]\nstate = {box.state}\nmetrics = {box.folder}/tallyd.prom\n"
                          f"metrics_interval = 1s\ncontrol = {box.folder}/control\n"
                          + operated.config(config) + more)
    return box


def written(box):
    return (box.folder / "tallyd.prom").read_text()


def make(options, stack):
    """Some of everything."""
    box = begin(options, stack, more="\n[feed empty]\nid = nr\ndate = when\nmeasure.x = y\n")
    box.drop("1.csv", operated.GOOD + "G-3,1,soon,Herat,1,1\n")
    box.drop("2.csv", operated.HEADER + "G-1,2,2020-10-01,Kabul,5,2\nG-2,0,2020-10-02,Herat,3,\n")
    box.once().ended(0)
    first = values(parse(written(box)))
    box.start()
    box.drop("3.csv", operated.GOOD + "G-3,1,soon,Herat,1,1\n")
    box.settled()
    box.drop("4.csv", "no,such,columns\n1,2,3\n")
    box.settled()
    box.drop("5.csv", operated.rows("N", 30))
    box.settled()
    box.wait(lambda: values(parse(written(box)))
             ["tallyd_files_total", "feed=attacks", "outcome=accepted"] == 1, "the file is written again")
    box.stop()
    return box, first, values(parse(written(box)))


def test_what_is_counted_is_what_happened(options, stack):
    box, first, last = make(options, stack)
    files, rows = "tallyd_files_total", "tallyd_rows_total"
    must(first[files, "feed=attacks", "outcome=accepted"] == 2, "two files by --once")
    must(first[rows, "feed=attacks", "outcome=added"] == 2
         and first[rows, "feed=attacks", "outcome=revised"] == 1
         and first[rows, "feed=attacks", "outcome=older"] == 1
         and first[rows, "feed=attacks", "outcome=rejected"] == 1, f"{first}")
    must(last[files, "feed=attacks", "outcome=accepted"] == 1
         and last[files, "feed=attacks", "outcome=duplicate"] == 1
         and last[files, "feed=", "outcome=rejected"] == 1, f"of the second run alone: {last}")
    must(last["tallyd_generation",] == 3 and last["tallyd_incidents",] == 32, f"{last}")
    must(last["tallyd_feed_incidents", "feed=attacks"] == 32
         and last["tallyd_feed_incidents", "feed=empty"] == 0, f"{last}")
    day = 18563 * 86400  # 2020-10-28
    must(last["tallyd_feed_coverage_timestamp_seconds", "feed=attacks"] == day, f"{last}")
    must(("tallyd_feed_coverage_timestamp_seconds", "feed=empty") not in last, "unknown is not 0")
    must(last["tallyd_commit_seconds_count",] == 1 and last["tallyd_publish_seconds_count",] >= 1,
         "one commit in the second run")
    must(last["tallyd_ledger_bytes",]
         == sum(path.stat().st_size for path in (box.state / "ledger").iterdir()), "ledger")
    must(abs(last["tallyd_timestamp_seconds",] - time.time()) < 60, "its own time")


def test_counters_begin_at_zero(options, stack):
    """Before the first file: a counter that begins at 1 has not increased, and alerts nobody."""
    box = begin(options, stack, more="\n[feed empty]\nid = nr\ndate = when\nmeasure.x = y\n")
    box.once().ended(0)
    found = values(parse(written(box)))
    for name in ("attacks", "empty", ""):
        for outcome in ("accepted", "duplicate", "rejected", "superseded"):
            must(found["tallyd_files_total", f"feed={name}", f"outcome={outcome}"] == 0, f"{found}")
        must(found["tallyd_rows_total", f"feed={name}", "outcome=rejected"] == 0, f"{found}")


def test_the_file_is_replaced_as_a_whole(options, stack):
    """Whoever reads meets a whole text, and it goes on by itself."""
    box = begin(options, stack)
    box.start()
    box.wait((box.folder / "tallyd.prom").exists, "the first version")
    seen = set()
    end = time.monotonic() + 20
    while len(seen) < 3 and time.monotonic() < end:
        text = written(box)
        must(text.endswith("# EOF\n") and text.startswith("# HELP"), f"half a text:\n{text}")
        seen.add(text)
    must(len(seen) == 3, "three versions in 20 s")
    must(box.folder.joinpath("tallyd.prom").stat().st_mode & 0o777 == 0o644, "others may read it")
    box.stop()


def test_where_it_cannot_be_written_the_daemon_goes_on(options, stack):
    box = begin(options, stack)
    box.config.write_text(box.config.read_text().replace("/tallyd.prom", "/nowhere/tallyd.prom"))
    box.start()
    box.says("event=metrics_failed", "nowhere")
    box.drop("a.csv", operated.GOOD)
    box.settled()
    box.stop()


def test_hostile_names_stay_labels(options, stack):
    name = 'a"b\\c'
    box = begin(options, stack, more=f"\n[feed {name}]\nid = nr\ndate = when\nmeasure.x = y\n")
    box.drop("a.csv", "nr,when,y\n1,2020-10-01,3\n")
    box.once().ended(0)
    found = [labels["feed"] for family in parse(written(box))
             for _, labels, _, _, _ in family["samples"] if "feed" in labels]
    must(set(found) == {"", "attacks", name.replace("\\", "\\\\")}, f"labels {set(found)}")


OF_A_CLUSTER = {"tallyd_store_reachable"}  # tests/cluster/daemon.py reads it


def named_in(text, families):
    """Metrics that an expression names, and whether each is there."""
    there = {name for family in families for name, *_ in family["samples"]}
    named = set(re.findall(r"\btallyd_[a-z_]+", text))
    return named, named - there - OF_A_CLUSTER


def test_documents_name_metrics_that_exist(options, stack):
    """Every metric of the alert rules and of the dashboard; every metric is in the dashboard."""
    box, _, _ = make(options, stack)
    families = parse(written(box))
    folder = ROOT / "docs" / "monitoring"
    alerts = (folder / "alerts.yml").read_text()
    dashboard = json.loads((folder / "grafana.json").read_text())
    expressions = "\n".join(target["expr"] for panel in dashboard["panels"]
                            for target in panel["targets"])
    for what, text in (("alerts.yml", alerts), ("grafana.json", expressions)):
        named, absent = named_in(text, families)
        must(len(named) > 5 and not absent, f"{what} names {absent or named}")
    shown = named_in(expressions, families)[0]
    hidden = [family["name"] for family in families
              if not any(name.startswith(family["name"]) for name in shown)]
    must(not hidden, f"the dashboard lacks {hidden}")
    told = (ROOT / "docs" / "operations.md").read_text()
    untold = [family["name"] for family in families if f"`{family['name']}" not in told]
    must(not untold, f"docs/operations.md lacks {untold}")


if __name__ == "__main__":
    operated.run_tests(sys.modules[__name__], operated.arguments(__doc__), "daemon metrics")
