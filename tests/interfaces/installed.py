#!/usr/bin/env python3
"""What `cmake --install` puts in place is where it is looked for."""

import argparse
import os
import pathlib
import re
import subprocess
import sys

PREFIX = pathlib.Path("/usr/local")

failures = []


def must(holds, text):
    if not holds:
        failures.append(text)


def check_python(prefix):
    """Installed below /usr/local, the module is where this Python looks without being told."""
    folders = [pathlib.Path(path).relative_to(PREFIX) for path in sys.path
               if pathlib.Path(path).is_relative_to(PREFIX)]
    if not folders:
        print(f"SKIP  {sys.executable} does not look below {PREFIX}")
        return
    found = [folder for folder in folders if (prefix / folder / "tally/__init__.py").exists()]
    must(found, f"no module in any of {folders}")
    for folder in found:
        done = subprocess.run([sys.executable, "-c", "import tally"], check=False, text=True,
                              capture_output=True, env=os.environ | {
                                  "PYTHONPATH": str(prefix / folder),
                                  "LD_LIBRARY_PATH": str(prefix / "lib")})
        must(done.returncode == 0, done.stderr)


def check_documents(prefix):
    """Whoever reads them there can follow every link, and what a manual page names is there."""
    folder = prefix / "share/doc/tallyd"
    documents = sorted(folder.glob("*.md"))
    must(len(documents) > 10, f"documents: {documents}")
    for document in documents:
        text = document.read_text(encoding="utf-8")
        for link in re.findall(r"\]\((?!https?:|#)([^)#]+)", text):
            must((document.parent / link).exists(), f"{document.name} leads to {link}")
    for page in sorted((prefix / "share/man").glob("man*/*")):
        for name in re.findall(r"[\w-]+\.md\b", page.read_text(encoding="utf-8")):
            must((folder / name).exists(), f"{page.name} names {name}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--prefix", required=True, type=pathlib.Path)
    prefix = parser.parse_args().prefix
    check_python(prefix)
    check_documents(prefix)
    for failure in failures:
        print(failure)
    print(f"installed: {len(failures)} failures")
    sys.exit(len(failures) > 0)


main()
