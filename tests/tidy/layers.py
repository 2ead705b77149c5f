#!/usr/bin/env python3
"""Every #include against the layers: base <- store <- ingest <- daemon; report reads the store."""

import re

import source

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(["<])([^">]+)[">]', re.MULTILINE)

# Whose headers a folder may include.
MAY_INCLUDE = {
    "base": {"base"},
    "store": {"base", "store"},
    "ingest": {"base", "store", "ingest"},
    "daemon": {"base", "store", "ingest", "daemon"},
    "report": {"base", "store", "report"},
}

# The writing half of the store is not for reporting jobs.
NOT_FOR_REPORT = {"store/store.h", "store/engine.h", "store/embedded.h", "store/ledger_write.h"}

# Libraries of others, and the folders that may know them.
ONLY_IN = {
    "uv.h": "daemon",
    "systemd/sd-daemon.h": "daemon",
    "jansson.h": "daemon report",
    "csv.h": "ingest",
    "iconv.h": "ingest",
    "zlib.h": "ingest",
    "zstd.h": "ingest",
    "ini.h": "base",
    "xxhash.h": "base",
    "sqlite3.h": "report",
    "sqlite3ext.h": "report",
}


def wrong_with(path, quote, header):
    folder = path.parts[0]
    if quote == "<":
        home = ONLY_IN.get(header, folder).split()
        return None if folder in home else f"<{header}> belongs in {' and '.join(home)} alone"
    if (str(path), header) == ("report/tally.h", "tally_err.h"):
        return None  # as the two are installed: side by side
    if not (source.ROOT / header).is_file():
        return f'"{header}" is no path from the root of the project'
    if header.split("/")[0] not in MAY_INCLUDE[folder]:
        return f"{folder}/ must not know {header}"
    if folder == "report" and header in NOT_FOR_REPORT:
        return f"report/ must not write the store: {header}"
    return None


failures = []
paths = source.files()
for path in paths:
    text = source.text(path)
    for match in INCLUDE.finditer(text):
        wrong = wrong_with(path, match.group(1), match.group(2))
        if wrong:
            line = text.count("\n", 0, match.start()) + 1
            failures.append(f"{path}:{line}: {wrong}")
source.finish("layers", failures, len(paths))
