#!/usr/bin/env python3
"""The packages on a bare Debian 12: installed, used, upgraded, removed, purged, installed again.

The bare system is made once by debootstrap, in the folder that --cache names; the packages by
script/package, whenever a source is newer than they are.
"""

import argparse
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import service
from machine import Machine, Skip
from service import STATE

ROOT = pathlib.Path(__file__).resolve().parents[2]
PACKAGES = ROOT / "build/package"
SUITE = "bookworm"
BASE = {"systemd", "systemd-sysv", "dbus"}
NEWER = "0.1.0+newer"
CONFIG = """\
[feed generic]
preset = generic

[rollup attacks]
feeds = generic
measures = killed
windows = 50d
"""
PYTHON = f"""
import tally
with tally.open({service.ROLLUP!r}) as rollup:
    print(rollup.window(days=31, end="2020-10-31")[0]["killed"])
"""
SQL = f"""
import sqlite3
database = sqlite3.connect(":memory:")
database.enable_load_extension(True)
database.load_extension("tally_sqlite")
print(database.execute(
    "SELECT killed FROM tally_window({service.ROLLUP!r}, 31, '2020-10-31')").fetchone()[0])
"""


def sources():
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=ROOT, check=True,
                            stdout=subprocess.PIPE, text=True).stdout
    for name in listed.split("\0"):
        # Tests and the notes of others are in no package.
        if name and not name.startswith(("tests/", "bench/", ".")) and (ROOT / name).exists():
            yield ROOT / name


def packages():
    """The .deb files to install, made if they are not there or old."""
    found = [path for path in PACKAGES.glob("*.deb") if "dbgsym" not in path.name]
    newest = max(path.stat().st_mtime for path in sources())
    if not found or min(path.stat().st_mtime for path in found) < newest:
        done = subprocess.run([ROOT / "script/package"], check=False, capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(f"script/package: {done.stdout}{done.stderr}")
        found = [path for path in PACKAGES.glob("*.deb") if "dbgsym" not in path.name]
    return sorted(found)


def depends(deb):
    said = subprocess.run(["dpkg-deb", "-f", deb, "Depends", "Pre-Depends"], check=True,
                          stdout=subprocess.PIPE, text=True).stdout
    for part in re.sub(r"^\S+:", "", said, flags=re.MULTILINE).replace("\n", ",").split(","):
        name = re.sub(r"[\s(|:].*", "", part.strip())
        if name and "tally" not in name:
            yield name


def bare_system(cache, debs):
    """A minimal Debian with what the packages depend on, and nothing of theirs."""
    names = sorted(BASE | {name for deb in debs for name in depends(deb)})
    root = cache / SUITE
    made_of = cache / f"{SUITE}.list"
    if made_of.exists() and made_of.read_text(encoding="ascii").split() == names:
        return root
    if not shutil.which("debootstrap"):
        raise Skip("no debootstrap on the PATH")
    shutil.rmtree(root, ignore_errors=True)
    made_of.unlink(missing_ok=True)
    cache.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(["debootstrap", "--variant=minbase", "--include=" + ",".join(names), SUITE,
                           root], check=False, capture_output=True, text=True)
    if done.returncode != 0:
        raise Skip("debootstrap cannot make a Debian here: " + done.stdout.strip()[-300:])
    made_of.write_text("\n".join(names), encoding="ascii")
    return root


def newer(deb, folder):
    """The same package, as if it were of a later version."""
    tree = folder / "tree"
    subprocess.run(["dpkg-deb", "-R", deb, tree], check=True)
    control = tree / "DEBIAN/control"
    control.write_text(re.sub(r"^Version: .*$", f"Version: {NEWER}",
                              control.read_text(encoding="utf-8"), flags=re.MULTILINE), encoding="utf-8")
    subprocess.run(["dpkg-deb", "-b", "--root-owner-group", "-Znone", tree, folder / "newer.deb"],
                   check=True, stdout=subprocess.DEVNULL)
    shutil.rmtree(tree)


def dpkg(box, checks, name, *arguments):
    """Nobody is there to answer: standard input is closed."""
    done = box.call("sh", "-c", 'exec dpkg "$@" < /dev/null', "sh", *arguments)
    checks.must(name, done.returncode == 0, done.stdout + done.stderr)


def installs(box, checks):
    dpkg(box, checks, "dpkg installs", "-i", *box.ask("sh", "-c", "ls /debs/*_*.deb").split())
    checks.must("the service runs", box.show("tallyd", "SubState") == "running",
                box.journal("tallyd"))
    checks.must("and will after a boot", box.ask("systemctl", "is-enabled", "tallyd") == "enabled")
    checks.must("its configuration has nothing wrong",
                box.run("tallyd", "--check") == "/etc/tallyd/tallyd.conf: 0 feeds, 0 rollups, nothing wrong")
    checks.must("systemd has nothing to say", box.ask("systemd-analyze", "verify", "--man=no",
                                                      "tallyd.service") == "")
    checks.must("it is exposed as little as on any other", box.call("systemd-analyze", "security", "--threshold=2",
                                              "tallyd.service").returncode == 0)


def is_used(box, checks):
    """As in docs/operations.md: a preset, a reload, a drop."""
    service.add_people(box)
    service.write(f"/proc/{box.init}/root", "/etc/tallyd/tallyd.conf", CONFIG)
    box.run("systemctl", "reload", "tallyd")
    box.run("sh", "-c", f"cat > {STATE}/inbox/attacks-1.csv", user="feeder",
            text=service.rows("A", 10))
    checks.took("a drop counts", box.until(lambda: service.killed(box) == 10), box.journal("tallyd"))


def other_packages_are_used(box, checks):
    """The module and the extension, by a reporter, each from its own package."""
    checks.must("Python reads the rollup", box.ask("python3", "-c", PYTHON, user="reporter") == "10")
    checks.must("SQLite reads it", box.ask("python3", "-c", SQL, user="reporter") == "10")


def is_upgraded(box, checks):
    old = service.pid(box)
    dpkg(box, checks, "dpkg upgrades", "-i", "/debs/newer.deb")
    checks.must("the version is new", box.ask("dpkg-query", "-W", "-f", "${Version}", "tallyd") == NEWER)
    checks.must("the service was started anew", service.is_new(box, old))
    checks.must("configuration and state are as they were", service.killed(box) == 10)


def is_restored(box, checks):
    """As docs/operations.md says: a copy of the running daemon's ledger, into an empty state."""
    box.run("cp", "-r", f"{STATE}/ledger", "/root/ledger")
    box.run("sh", "-c", f"""
        systemctl stop tallyd && mv {STATE} {STATE}.old && systemd-tmpfiles --create tallyd.conf &&
        cp -r /root/ledger {STATE}/ && chown -R tallyd:tallyd {STATE}/ledger && systemctl start tallyd""")
    # Rollups are made again behind READY.
    checks.took("a backup is restored", box.until(lambda: service.killed(box) == 10))
    checks.must("and whole", box.can("tallyd", "tally", "verify"))
    box.run("sh", "-c", f"cp {STATE}.old/done/attacks-1.csv {STATE}/inbox/", user="root")
    checks.took("what it has is a duplicate", box.until(
        lambda: "event=file_duplicate" in box.journal("tallyd")))
    checks.must("and changes nothing", service.killed(box) == 10)
    box.run("rm", "-r", f"{STATE}.old", "/root/ledger")


def is_removed(box, checks):
    """State and configuration stay."""
    box.run("systemctl", "enable", "--now", "tally-report@attacks.timer")
    dpkg(box, checks, "dpkg removes", "-r", "tallyd")
    units = box.ask("systemctl", "list-units", "--no-legend", "tallyd.*", "tally-report@*")
    checks.must("no unit is left", units == "", units)
    checks.must("the ledger stays", box.can("root", "test", "-s", f"{STATE}/ledger/000001.seg"))
    dpkg(box, checks, "dpkg installs again", "-i", "/debs/newer.deb")
    checks.took("everything is back", box.until(lambda: service.killed(box) == 10))


def is_purged(box, checks):
    """Without a question. What people dropped and the ledger stay; all else goes."""
    dpkg(box, checks, "dpkg purges", "-P", "tallyd")
    left = box.ask("find", "/etc", "/run", "/lib/systemd", "/usr/lib/sysusers.d", "/usr/lib/tmpfiles.d",
                   "/var/lib/systemd", "/usr/bin", "/usr/share", "-name", "tally*",
                   "-not", "-name", "tallyd-test*")
    checks.must("no file is left of it", left == "", left)
    units = box.ask("systemctl", "list-unit-files", "--no-legend", "tallyd.*", "tally-report@*")
    checks.must("no unit either", units == "", units)
    kept = set(box.ask("find", STATE, "-type", "f").split())
    checks.must("the ledger and what was dropped stay",
                kept == {f"{STATE}/done/attacks-1.csv", f"{STATE}/ledger/000001.seg",
                         f"{STATE}/committed"}, kept)


def nothing_stays_of_a_trial(box, checks):
    """Of an installation that was never used, a purge leaves nothing at all."""
    box.run("rm", "-r", STATE)
    dpkg(box, checks, "dpkg installs once more", "-i", "/debs/newer.deb")
    box.run("rm", "-r", f"{STATE}/ledger")
    dpkg(box, checks, "dpkg purges at once", "-P", "tallyd")
    checks.must("no state is left", not box.can("root", "test", "-e", STATE),
                box.ask("find", STATE))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--cache", required=True, type=pathlib.Path)
    cache = parser.parse_args().cache
    checks = service.Checks()
    try:
        for tool in ("dpkg-buildpackage", "dh", "lintian", "debootstrap"):
            if not shutil.which(tool):
                raise Skip(f"no {tool} on the PATH; script/bootstrap --package installs it")
        debs = packages()
        root = bare_system(cache, debs)
        with tempfile.TemporaryDirectory(prefix="tallyd-stage-") as folder:
            stage = pathlib.Path(folder)
            (stage / "debs").mkdir()
            for deb in debs:
                shutil.copy(deb, stage / "debs")
            newer(next(deb for deb in debs if deb.name.startswith("tallyd_")), stage / "debs")
            with Machine(stage, lower=root) as box:
                service.run_all(box, checks, (installs, is_used, other_packages_are_used,
                                              is_upgraded, is_restored,
                                              is_removed, is_purged, nothing_stays_of_a_trial))
    except Skip as reason:
        print(f"SKIP: {reason}")
        sys.exit(service.SKIPPED)
    print(f"package: {checks.done} checks, {checks.failed} failed")
    sys.exit(checks.failed > 0)


main()
