#!/usr/bin/env python3
"""Every key of the configuration is told in the documents, every preset and every default is."""

import re

import source

FEEDS = "docs/feeds.md"
CONFIGURATION = "docs/configuration.md"
KEYS = "daemon/config_keys.c"


def feed_keys():
    return re.findall(r'^    \{\{"([a-z_]+\.?)"', source.text("ingest/feed_keys.c"), re.MULTILINE)


def tallyd_keys():
    """Pairs of name and default, which is None where the program finds it out."""
    row = re.compile(r'^    \{"([a-z_]+)", UNIT_\w+, AT\([\w.]+\),[^"]*?(?:"([^"]*)"|NULL),',
                     re.MULTILINE)
    return [(key, default or None) for key, default in row.findall(source.text(KEYS))]


def rollup_keys():
    return re.findall(r'^    \{"rollup", "([a-z_]+\.?)"', source.text(KEYS),
                      re.MULTILINE)


def section(path, heading):
    text = source.text(path)
    return text[text.index(f"\n## {heading}"):].split("\n## ")[1]


def row_of(text, name):
    """The table row that tells a key; `dim.` stands there as `dim.NAME`."""
    pattern = re.escape(name) + ("[A-Z]+" if name.endswith(".") else "")
    return re.search(rf"^\| `{pattern}` \|.*$", text, re.MULTILINE)


failures = []
for key in feed_keys():
    row = row_of(source.text(FEEDS), key)
    if not row:
        failures.append(f"{FEEDS}: [feed] {key} has no row")
    elif f"`{key}" not in row.group(0).rsplit("|", 2)[1]:
        failures.append(f"{FEEDS}: [feed] {key} has no example in the last column")
for key, default in tallyd_keys():
    row = row_of(section(CONFIGURATION, "[tallyd]"), key)
    if not row:
        failures.append(f"{CONFIGURATION}: [tallyd] {key} has no row")
    elif default and f"`{default}`" not in row.group(0):
        failures.append(f"{CONFIGURATION}: [tallyd] {key} has another default, {default}")
for key in rollup_keys():
    if not row_of(section(CONFIGURATION, "[rollup NAME]"), key):
        failures.append(f"{CONFIGURATION}: [rollup] {key} has no row")

presets = sorted(path.stem for path in (source.ROOT / "ingest/feeds").glob("*.conf"))
for preset in presets:
    if not row_of(section(FEEDS, "The shipped presets"), preset):
        failures.append(f"{FEEDS}: preset {preset} has no row")

if not (len(feed_keys()) > 20 and len(tallyd_keys()) > 10 and len(rollup_keys()) > 4):
    failures.append("the tables of keys in feed_keys.c and config_keys.c are not found")
source.finish("feed_docs", failures, 2)
