"""A current ClickHouse as one shard: npm's chdb behind current.mjs.

    with current.Current() as cluster:      hosts, ask and store as of servers.Cluster
"""

import pathlib
import shutil
import tempfile

import servers
from background import Absent, Process
from sandbox import ROOT

MODULES = ROOT / "build" / "chdb" / "node_modules"
START_S = 60


class Current:
    def __init__(self):
        node = shutil.which("node")
        if not node or not (MODULES / "chdb").is_dir():
            raise Absent("there is no node or no chdb in build/chdb "
                         "(script/bootstrap --cluster installs it where there is npm)")
        self.temporary = tempfile.TemporaryDirectory(prefix="tally-current-")
        folder = pathlib.Path(self.temporary.name)
        program = pathlib.Path(__file__).with_name("current.mjs")
        self.process = Process([node, program, MODULES, folder, servers.NAME], folder,
                               folder / "out.log")
        try:
            self.process.wait_until(lambda: self.process.told().strip(), START_S, "chdb")
            self.host = f"127.0.0.1:{int(self.process.told().split()[0])}"
        except BaseException:
            self.stop()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        self.process.kill()
        self.temporary.cleanup()

    def told(self):
        return self.process.told()

    def hosts(self):
        return [self.host]

    def ask(self, sql, index=0, data=b"", **settings):
        del index
        return servers.ask(self.host, sql, data, **settings)

    def store(self, database, **keys):
        return servers.section(hosts=self.host, database=database, **keys)
