#!/usr/bin/env python3
"""Who may do what: feeders drop, reporters read rollups, outsiders nothing."""

import service
from service import INBOX, ROLLUP, STATE

METRICS = "/run/tallyd/tallyd.prom"
CONFIG = service.CONFIG.replace("[tallyd]\n", f"[tallyd]\nmetrics = {METRICS}\nmetrics_interval = 1s\n")
# What may hold the state of others, with a file in each.
PRIVATE = (f"{STATE}/ledger/000001.seg", f"{STATE}/done/attacks-1.csv", f"{STATE}/lock")


def drop_takes_any_umask(box, checks):
    """Files of each umask are read, copied in, moved in, or written under a waiting name first."""
    service.add_people(box)
    box.run("systemctl", "start", "tallyd")
    for i, umask in enumerate(("022", "077", "000", "027"), 1):
        box.run("sh", "-c", f"umask {umask}; cat > {INBOX}/attacks-{i}.csv", user="feeder",
                text=service.rows(f"umask{umask}", 10))
    box.run("sh", "-c", f"umask 077; cat > {INBOX}/.5 && mv {INBOX}/.5 {INBOX}/attacks-5.csv",
            user="feeder", text=service.rows("moved", 10))
    checks.took("five drops are seen by a reporter",
                box.until(lambda: service.killed(box) == 50), service.killed(box))


def waiting_file(box):
    """A file of feeder's that stays in the inbox, since its name says that it is not complete."""
    box.run("sh", "-c", f"cat > {INBOX}/attacks-6.csv.part", user="feeder",
            text=service.rows("waiting", 10))
    return f"{INBOX}/attacks-6.csv.part"


def feeders_do_not_see_each_other(box, checks):
    file = waiting_file(box)
    box.run("sh", "-c", "echo mine > /tmp/mine; chmod 644 /tmp/mine", user="feeder2")
    for name, command in (("read", f"cat {file}"), ("remove", f"rm -f {file}"),
                          ("rename", f"mv {file} {INBOX}/mine.part"),
                          ("replace", f"cp /tmp/mine {INBOX}/mine.part; mv {INBOX}/mine.part {file}"),
                          ("write into", f"echo more >> {file}"),
                          ("link", f"ln {file} {INBOX}/linked.csv"),
                          ("open up", f"chmod 666 {file}")):
        checks.must(f"a feeder cannot {name} another's file",
                    not box.can("feeder2", "sh", "-c", command))
    checks.must("it is as it was", box.ask("cat", file, user="feeder").startswith("id,"))
    checks.must("its owner can remove it", box.can("feeder", "rm", file))
    for path in (*PRIVATE, ROLLUP):
        checks.must(f"a feeder cannot read {path}", not box.can("feeder", "cat", path))


def reporters_read_rollups_alone(box, checks):
    checks.must("a reporter reads a rollup", box.can("reporter", "cat", ROLLUP))
    checks.must("a reporter lists rollups", "attacks" in box.ask("tally", "rollups", user="reporter"))
    for command in ("window attacks --days 31", "series attacks --days 7 --from 2020-10-08 --to 2020-10-09",
                    "dump attacks", "export attacks --to /tmp/attacks.csv",
                    "report attacks --days 31 --to /tmp/attacks.html"):
        checks.must(f"a reporter makes a {command.split()[0]}",
                    box.can("reporter", "tally", *command.split()),
                    box.ask("tally", *command.split(), user="reporter"))
    checks.must("a reporter waits for news",
                box.ask("tally", "wait", "attacks", "--after", "0", user="reporter").isdigit())
    checks.must("a reporter does not see incidents",
                not box.can("reporter", "tally", "explain", "attacks", "--days", "31"))
    checks.must("a reporter asks the daemon", box.can("reporter", "tally", "status"))
    checks.took("a reporter reads the metrics",
                box.until(lambda: "tallyd_generation 5" in box.ask("cat", METRICS, user="reporter")))
    checks.must("a feeder cannot ask it", not box.can("feeder", "tally", "status"))
    for path in PRIVATE:
        checks.must(f"a reporter cannot read {path}", not box.can("reporter", "cat", path))
    for name, command in (("drop", f"touch {INBOX}/x.csv"), ("see the inbox", f"ls {INBOX}"),
                          ("write a rollup", f"echo >> {ROLLUP}"),
                          ("add to the rollups", f"touch {STATE}/rollup/x"),
                          ("remove a rollup", f"rm -f {ROLLUP}"),
                          ("list the state", f"ls {STATE}"),
                          ("lock out the daemon", f"flock -n {STATE}/lock true")):
        checks.must(f"a reporter cannot {name}", not box.can("reporter", "sh", "-c", command))


def outsiders_nothing(box, checks):
    for path in (*PRIVATE, ROLLUP, METRICS):
        checks.must(f"an outsider cannot read {path}", not box.can("outsider", "cat", path))
    for name, command in (("drop", f"touch {INBOX}/x.csv"), ("see the inbox", f"ls {INBOX}"),
                          ("see the rollups", f"ls {STATE}/rollup"),
                          ("list the state", f"ls {STATE}"),
                          ("see the control socket", "ls /run/tallyd"),
                          ("ask the daemon", "tally status")):
        checks.must(f"an outsider cannot {name}", not box.can("outsider", "sh", "-c", command))


service.main([drop_takes_any_umask, feeders_do_not_see_each_other, reporters_read_rollups_alone,
              outsiders_nothing], config=CONFIG)
