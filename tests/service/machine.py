"""A private machine: systemd as process 1 of namespaces of its own, on an overlay of a root folder.

    with machine.Machine(stage) as box:
        box.run("systemctl", "start", "tallyd")
        box.user("feeder", "cp", "/tmp/a.csv", "/var/lib/tallyd/inbox")

Nothing of the machine underneath is changed, and everything ends with the `with`. Needs root, the
overlay file system and cgroups of version 2; `Machine` raises Skip with the reason where one is
missing.
"""

import os
import pathlib
import shutil
import subprocess
import tempfile
import time

BOOT = pathlib.Path(__file__).resolve().parent / "boot"
TOOLS = ("unshare", "nsenter", "setpriv", "mount", "pivot_root", "hostname")
TARGET = """\
[Unit]
Description=What the tests need
Requires=sysinit.target dbus.socket
After=sysinit.target
AllowIsolate=yes
"""
ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
               "LANG": "C.UTF-8"}
BOOT_SECONDS = 60


class Skip(Exception):
    """This machine cannot."""


class Failed(Exception):
    """A command inside ended with an error."""


def own_cgroup():
    """A new cgroup beside ours in the hierarchy of version 2."""
    found = subprocess.run(["findmnt", "-nt", "cgroup2", "-o", "TARGET"], check=False,
                           stdout=subprocess.PIPE, text=True).stdout.split()
    if not found:
        raise Skip("no cgroup2 is mounted")
    path = pathlib.Path(found[0]) / f"tallyd-test-{os.getpid()}"
    try:
        path.mkdir()
    except OSError as error:
        raise Skip(f"cannot make a cgroup: {error}") from error
    return path


def check_able(lower):
    if os.geteuid() != 0:
        raise Skip("only root makes namespaces and overlays")
    for tool in TOOLS:
        if not shutil.which(tool):
            raise Skip(f"no {tool} on the PATH")
    if not (pathlib.Path(lower) / "lib/systemd/systemd").exists():
        raise Skip(f"no systemd in {lower}")
    if "overlay" not in pathlib.Path("/proc/filesystems").read_text(encoding="ascii"):
        subprocess.run(["modprobe", "-q", "overlay"], check=False)
        if "overlay" not in pathlib.Path("/proc/filesystems").read_text(encoding="ascii"):
            raise Skip("the kernel has no overlay file system")


class Machine:
    """`stage`: a folder of files that lie over `lower`."""

    def __init__(self, stage, lower="/"):
        check_able(lower)
        self.work = pathlib.Path(tempfile.mkdtemp(prefix="tallyd-machine-"))
        self.cgroup = own_cgroup()
        target = pathlib.Path(stage) / "etc/systemd/system/tallyd-test.target"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(TARGET, encoding="ascii")
        self.log = tempfile.TemporaryFile()  # pylint: disable=consider-using-with
        # The shell enters its cgroup before it leaves for namespaces of its own, and ends with us.
        self.shell = subprocess.Popen(  # pylint: disable=consider-using-with
            ["sh", "-c", 'echo $$ > "$1/cgroup.procs"; shift; exec "$@"', "sh", self.cgroup,
             "setpriv", "--pdeathsig", "KILL", "unshare", "--pid", "--fork", "--kill-child", "--mount", "--uts", "--ipc", "--net",
             "--cgroup", "--propagation", "private", BOOT, lower, stage, self.work],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        self.init = 0
        self.ended = False

    def __enter__(self):
        try:
            self.boot()
        except BaseException:
            self.end()
            raise
        return self

    def __exit__(self, *_):
        self.end()

    def boot(self):
        """Until systemd has come up, or Skip with what was said."""
        begin = time.monotonic()
        while time.monotonic() - begin < BOOT_SECONDS:
            if self.shell.poll() is not None:
                self.log.seek(0)
                raise Skip("cannot boot: " + self.log.read().decode().strip())
            children = pathlib.Path(f"/proc/{self.shell.pid}/task/{self.shell.pid}/children")
            self.init = int((children.read_text(encoding="ascii").split() or ["0"])[0])
            if self.init and self.ask("systemctl", "is-active", "tallyd-test.target") == "active":
                return
            time.sleep(0.05)
        raise Skip(f"systemd did not come up within {BOOT_SECONDS} s")

    def end(self):
        if self.ended:
            return
        self.ended = True
        self.shell.kill()  # and with it process 1, and with that all others and all mounts
        self.shell.wait()
        self.log.close()
        for _ in range(100):  # cgroups are empty once the last process is gone
            folders = sorted(self.cgroup.rglob("*/"), key=lambda path: -len(path.parts))
            try:
                for folder in [*folders, self.cgroup]:
                    folder.rmdir()
                break
            except OSError:
                time.sleep(0.05)
        self.work.rmdir()

    def call(self, *command, user=None, text=None):
        """Runs a command inside, as root or with all groups of `user`."""
        as_user = ["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups"] if user else []
        return subprocess.run(["nsenter", "-t", str(self.init), "-a", "--", *as_user, *command],
                              env=ENVIRONMENT, input=text, capture_output=True,
                              text=True, errors="replace", check=False)

    def ask(self, *command, **options):
        """What a command says, whatever its exit status."""
        done = self.call(*command, **options)
        return (done.stdout + done.stderr).strip()

    def run(self, *command, **options):
        done = self.call(*command, **options)
        if done.returncode != 0:
            raise Failed(f"{' '.join(map(str, command))}: {done.stderr.strip()}")
        return done.stdout.strip()

    def can(self, user, *command, **options):
        return self.call(*command, user=user, **options).returncode == 0

    def show(self, unit, name):
        return self.ask("systemctl", "show", "-P", name, unit)

    def journal(self, unit, *options):
        return self.ask("journalctl", "--no-pager", "-o", "cat", "-u", unit, *options)

    @staticmethod
    def until(holds, seconds=30):
        """Whether it came to hold, and after how many milliseconds."""
        begin = time.monotonic()
        while not holds():
            if time.monotonic() - begin > seconds:
                return None
            time.sleep(0.02)
        return round((time.monotonic() - begin) * 1000)
