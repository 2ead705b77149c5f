"""The code for 64-bit ARM, built by a cross compiler and run by an emulator.

Skipped where Debian's gcc-aarch64-linux-gnu and qemu-user are not installed (script/bootstrap
--cross installs them).
"""

import pathlib
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
COMPILER = "aarch64-linux-gnu-gcc"
EMULATOR = "qemu-aarch64"
SOURCES = ("tests/cross/split.c", "ingest/split.c", "ingest/split_portable.c",
           "ingest/split_neon.c")
OPTIONS = ("-std=gnu17", "-O2", "-static", "-Wall", "-Wextra", "-Wconversion", "-Wpedantic",
           "-Werror", "-D_GNU_SOURCE", "-DSPLIT_FOR_ARM", f"-I{ROOT}")


def main():
    for tool in (COMPILER, EMULATOR):
        if not shutil.which(tool):
            print(f"SKIPPED: {tool} is not installed")
            return 77
    with tempfile.TemporaryDirectory() as folder:
        program = pathlib.Path(folder) / "split"
        subprocess.run([COMPILER, *OPTIONS, "-o", program, *(ROOT / name for name in SOURCES)],
                       check=True)
        ran = subprocess.run([EMULATOR, program], capture_output=True, text=True, check=False)
    print(ran.stdout + ran.stderr, end="")
    if ran.returncode == 0 and "neon divides" not in ran.stdout:
        print("neon was not run")
        return 1
    return ran.returncode


if __name__ == "__main__":
    sys.exit(main())
