#!/usr/bin/env python3
"""The version is the same in CMakeLists.txt, debian/changelog and the newest part of CHANGELOG.md."""

import re

import source

WHERE = {
    "CMakeLists.txt": r"project\(tallyd VERSION ([\d.]+)",
    "debian/changelog": r"\Atallyd \(([\d.]+)\)",
    "CHANGELOG.md": r"^## ([\d.]+)",
}

found = {path: re.search(pattern, source.text(path), re.MULTILINE) for path, pattern in WHERE.items()}
versions = {path: match[1] if match else None for path, match in found.items()}
source.finish("versions", [] if len(set(versions.values())) == 1 and None not in versions.values()
              else [str(versions)], len(WHERE))
