#!/usr/bin/env python3
"""Every #include against the layers: base <- store <- ingest <- daemon; report reads the store.

store/cluster is a layer of its own on the store's; the store does not know it.
"""

import re

import source

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(["<])([^">]+)[">]', re.MULTILINE)

# Whose headers a folder may include.
MAY_INCLUDE = {
    "base": {"base"},
    "store": {"base", "store"},
    "store/cluster": {"base", "store", "store/cluster"},
    "ingest": {"base", "store", "ingest"},
    "daemon": {"base", "store", "store/cluster", "ingest", "daemon"},
    "report": {"base", "store", "store/cluster", "report"},
}

# The writing half of the store is not for reporting jobs.
NOT_FOR_REPORT = {
    "store/store.h",
    "store/engine.h",
    "store/embedded.h",
    "store/ledger_write.h",
    "store/cluster/cluster_store.h",
    "store/cluster/schema.h",
}

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
    "curl/curl.h": "store/cluster",
    "sqlite3.h": "report",
    "sqlite3ext.h": "report",
}


def layer_of(path):
    return "store/cluster" if path.startswith("store/cluster/") else path.split("/")[0]


def wrong_with(path, quote, header):
    folder = layer_of(str(path))
    if quote == "<":
        home = ONLY_IN.get(header, folder).split()
        return None if folder in home else f"<{header}> belongs in {' and '.join(home)} alone"
    if (str(path), header) == ("report/tally.h", "tally_err.h"):
        return None  # as the two are installed: side by side
    if not (source.ROOT / header).is_file():
        return f'"{header}" is no path from the root of the project'
    if layer_of(header) not in MAY_INCLUDE[folder]:
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
