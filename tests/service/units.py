#!/usr/bin/env python3
"""The units as installed: nothing that systemd would warn of, and exposed as little as promised."""

import pathlib
import shutil
import subprocess
import sys
import tempfile

import service

# In tenths, as systemd-analyze counts.
EXPOSURE_MAX = {"tallyd.service": 2, "tally-report@.service": 2}


def analyze(*arguments):
    done = subprocess.run(["systemd-analyze", *arguments], check=False, capture_output=True,
                          text=True)
    return done.returncode, (done.stdout + done.stderr).strip()


def verify(stage, folder, checks):
    """Programs are looked for where they will be, below the stage."""
    copies = []
    for unit in folder.iterdir():
        copy = stage / unit.name.replace("@.", "@test.")
        copy.write_text(unit.read_text(encoding="utf-8").replace("/usr/local/", f"{stage}/usr/local/"),
                        encoding="utf-8")
        copies.append(copy)
    checks.must("the units are all here", len(copies) == 4, copies)
    status, said = analyze("verify", "--man=no", *copies)
    checks.must("systemd-analyze verify says nothing", status == 0 and not said, said)


def main():
    if not shutil.which("systemd-analyze"):
        print("SKIP: no systemd-analyze on the PATH")
        sys.exit(service.SKIPPED)
    checks = service.Checks()
    build = sys.argv[sys.argv.index("--build") + 1]
    with tempfile.TemporaryDirectory(prefix="tallyd-stage-") as folder:
        stage = pathlib.Path(folder)
        service.install(build, stage)
        units = next(stage.rglob("system/tallyd.service")).parent
        verify(stage, units, checks)
        for name, tenths in EXPOSURE_MAX.items():
            status, said = analyze("security", "--offline=true", f"--threshold={tenths}",
                                   units / name)
            checks.must(f"{name} is exposed by {tenths / 10} at most", status == 0,
                        said.splitlines()[-1] if said else "")
    print(f"units: {checks.done} checks, {checks.failed} failed")
    sys.exit(checks.failed > 0)


main()
