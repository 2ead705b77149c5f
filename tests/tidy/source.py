"""What the checks of this folder share: the files of the product, and C text without comments."""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDERS = ("base", "store", "ingest", "report", "daemon")

_TOKEN = re.compile(
    r"""//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'""", re.DOTALL
)


def files(folders=FOLDERS, endings=(".c", ".h")):
    """The C files of some folders, as paths from the root, sorted."""
    found = []
    for folder in folders:
        for path in (ROOT / folder).rglob("*"):
            if path.suffix in endings and "node_modules" not in path.parts:
                found.append(path.relative_to(ROOT))
    return sorted(found)


def text(path):
    return (ROOT / path).read_text(encoding="utf-8")


def code(path):
    """The text with comments and the insides of literals blanked: same lines, same columns."""

    def blank(match):
        token = match.group(0)
        kept = token[0] if token[0] in "\"'" else ""
        inner = token[len(kept) : len(token) - len(kept)]
        return kept + re.sub(r"[^\n]", " ", inner) + kept

    return _TOKEN.sub(blank, text(path))


def finish(what, failures, checked):
    """Prints every failure, ends in one line, sets the exit code."""
    for failure in failures:
        print(failure)
    if failures:
        sys.exit(f"{what}: {len(failures)} failures in {checked} files")
    print(f"{what}: {checked} files hold")
