"""Where the ledger of a test is: in its state directory, or in a fresh database on servers.

tests/golden/run and tests/oracle ask here. on.py starts the servers for a whole run of them and
names them in TALLY_TEST_HOSTS; without that everything is as it ever was.

    with stores.fresh() as database:        None: the embedded ledger
        config.write_text(... + database.section())
        database.make([tallyd, "-c", config])
"""

import contextlib
import itertools
import os
import subprocess

NUMBERS = itertools.count(1)


def on_cluster():
    return "TALLY_TEST_HOSTS" in os.environ


class Database:
    """One of its own for each case; the servers are shared."""

    def __init__(self, hosts):
        self.hosts = hosts
        self.name = f"case_{os.getpid()}_{next(NUMBERS)}"

    def section(self, **keys):
        import servers
        return "\n" + servers.section(hosts=" ".join(self.hosts), database=self.name,
                                      **keys)

    def make(self, command):
        """`command` is tallyd with its configuration."""
        done = subprocess.run([*command, "--init-store"], capture_output=True, check=False,
                              stdin=subprocess.DEVNULL, timeout=120)
        if done.returncode != 0:
            raise OSError(f"tallyd --init-store: exit status {done.returncode}\n"
                          + done.stderr.decode(errors="replace"))

    def drop(self):
        import servers
        for host in self.hosts:
            servers.ask(host, f"DROP DATABASE IF EXISTS {self.name}")


@contextlib.contextmanager
def fresh():
    """A database that nobody has used, dropped at the end; None for the embedded ledger."""
    if not on_cluster():
        yield None
        return
    database = Database(os.environ["TALLY_TEST_HOSTS"].split())
    try:
        yield database
    finally:
        database.drop()
