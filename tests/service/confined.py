#!/usr/bin/env python3
"""What the process of the unit can do at most: a probe stands in for tallyd and tries it."""

import shutil

import service

ALLOWED = {"allowed"}
DENIED = {"EACCES", "EPERM"}
# Where more than one wall stands in the way, either may answer first.
WANT = {
    "write-state": ALLOWED,
    "write-run": ALLOWED,
    "write-private-tmp": ALLOWED,  # its own, and gone with the unit: looked at below
    "read-configuration": ALLOWED,
    "socket-unix": ALLOWED,
    "inotify": ALLOWED,
    "write-etc": {"EROFS"},
    "write-usr": {"EROFS"},
    "write-other-state": {"EROFS"},
    "write-log": {"EROFS"},
    "write-other-run": {"EROFS"},
    "write-lock": {"EROFS"},
    "write-home": DENIED,
    "write-shared-memory": DENIED,
    "read-home": DENIED,
    "read-other-process": {"ENOENT"},
    "read-shadow": DENIED,
    "read-memory-device": {"ENOENT"},
    "setuid-bit": {"EPERM"},
    "change-owner": {"EPERM"},
    "socket-inet": {"EAFNOSUPPORT"},
    "socket-inet6": {"EAFNOSUPPORT"},
    "socket-netlink": {"EAFNOSUPPORT"},
    "socket-packet": {"EAFNOSUPPORT"},
    "execute-shell": DENIED,
    "execute-tally": DENIED,
    "execute-own-file": DENIED,
    "memory-file": {"EPERM"},
    "writable-code": {"EPERM"},
    "become-root": {"EPERM"},
    "mount": {"EPERM"},
    "new-namespace": {"EPERM"},
    "trace": {"EPERM"},
    "real-time": {"EPERM"},
    "priority": {"EPERM"},
    "keyring": {"EPERM"},
    "program-the-kernel": {"EPERM"},
    "kill-init": {"EPERM"},
}
# The unit as it is, but for a program that ends and says nothing to systemd.
RUN_ONCE = """\
[Service]
Type=oneshot
Restart=no
WatchdogSec=0
"""


def stand_in(options, stage):
    shutil.copy(options.probe, f"{stage}/usr/local/bin/tallyd")
    service.write(stage, "/etc/systemd/system/tallyd.service.d/test.conf", RUN_ONCE)


def each_attempt_ends_as_it_should(box, checks):
    box.call("systemctl", "start", "tallyd")
    said = dict(line.split("=", 1) for line in
                box.journal("tallyd", "-t", "tallyd").splitlines() if "=" in line)
    for name, want in WANT.items():
        checks.must(name, said.get(name) in want, f"{said.get(name)}, not {sorted(want)}")
    checks.must("nothing else was tried", set(said) == set(WANT), set(said) ^ set(WANT))


def nothing_is_left_outside(box, checks):
    found = box.ask("find", "/etc", "/usr/local", "/var", "/run", "/home", "/dev", "/tmp", "-name", "probe")
    checks.must("only its state is written", 
                found.split() == ["/var/lib/tallyd/probe", "/run/tallyd/probe"], found)


service.main([each_attempt_ends_as_it_should, nothing_is_left_outside], prepare=stand_in)
