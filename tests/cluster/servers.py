"""ClickHouse servers on loopback: shards, and replicas with ZooKeeper, as ordinary processes.

    with servers.Cluster(shards=2) as cluster:
        cluster.ask("SELECT 1")             the first server
        cluster.ask("SELECT 1", 1)          the second
        cluster.kill(1)                     kill -9
        cluster.start(1)                    the same server again, on its data
        cluster.store("tally")              a [store] section of tallyd.conf

Servers are numbered shard by shard, the replicas of a shard side by side. They live in a temporary
folder and end with the test, whatever it does. Where Debian's clickhouse-server is not installed,
or zookeeper where there are replicas, Cluster() raises Absent.
"""

import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

from background import Absent, Failed, Process, free_ports

NAME = "tally_test"  # of the cluster in remote_servers
START_S = 60
ASK_S = 60
SESSION_S = 3  # after which ZooKeeper holds a server that went silent for dead
ZOOKEEPER_JAR = pathlib.Path("/usr/share/java/zookeeper.jar")

# As little memory and as few threads as two of them need on a small machine.
CONFIG = """<yandex>
<logger><level>warning</level><log>{home}/server.log</log>
<errorlog>{home}/error.log</errorlog></logger>
<listen_host>127.0.0.1</listen_host>
<http_port>{http}</http_port>
<tcp_port>{tcp}</tcp_port>
<interserver_http_port>{interserver}</interserver_http_port>
<interserver_http_host>127.0.0.1</interserver_http_host>
<path>{home}/data/</path>
<tmp_path>{home}/tmp/</tmp_path>
<user_files_path>{home}/user_files/</user_files_path>
<format_schema_path>{home}/format_schemas/</format_schema_path>
<users_config>users.xml</users_config>
<default_profile>default</default_profile>
<default_database>default</default_database>
<timezone>UTC</timezone>
<mark_cache_size>16777216</mark_cache_size>
<uncompressed_cache_size>0</uncompressed_cache_size>
<max_concurrent_queries>100</max_concurrent_queries>
<remote_servers><{name}>{remote}</{name}></remote_servers>
<macros><shard>{shard}</shard><replica>{replica}</replica></macros>
{more}
</yandex>
"""
REMOTE_SHARD = ("<shard><internal_replication>true</internal_replication>{replicas}</shard>")
REMOTE_REPLICA = ("<replica><host>127.0.0.1</host><port>{tcp}</port>"
                  "<user>default</user><password>{password}</password></replica>")
ZOOKEEPER = ("<zookeeper><node><host>127.0.0.1</host><port>{port}</port></node>"
             "<session_timeout_ms>{session_ms}</session_timeout_ms></zookeeper>")
USERS = """<yandex>
<profiles><default>
<max_memory_usage>{memory_bytes}</max_memory_usage><max_threads>2</max_threads>
<background_pool_size>4</background_pool_size>
<background_schedule_pool_size>4</background_schedule_pool_size>
</default></profiles>
<users><default>
<password>{password}</password><networks><ip>127.0.0.1</ip></networks>
<profile>default</profile><quota>default</quota>
</default></users>
<quotas><default></default></quotas>
</yandex>
"""
HTTPS = """<https_port>{https}</https_port>
<openSSL><server><certificateFile>{folder}/server.crt</certificateFile>
<privateKeyFile>{folder}/server.key</privateKeyFile>
<verificationMode>none</verificationMode><loadDefaultCAFile>false</loadDefaultCAFile>
<cacheSessions>true</cacheSessions><disableProtocols>sslv2,sslv3</disableProtocols>
</server></openSSL>"""
ZOOKEEPER_CONFIG = """clientPort={port}
clientPortAddress=127.0.0.1
dataDir={home}/data
tickTime=500
admin.enableServer=false
4lw.commands.whitelist=ruok,srvr
"""


class Refused(Failed):
    """A server that understands a question and refuses it."""


class Unreachable(Failed):
    """No answer."""


def clickhouse():
    found = shutil.which("clickhouse-server",
                         path=os.environ.get("PATH", os.defpath) + ":/usr/sbin")
    if not found:
        raise Absent("there is no clickhouse-server (script/bootstrap --cluster installs it)")
    return found


def java():
    found = shutil.which("java")
    if not found or not ZOOKEEPER_JAR.exists():
        raise Absent("there is no zookeeper or java (script/bootstrap --cluster installs them)")
    return found


def ask(host, sql, data=b"", password="", **settings):
    """What a server answers, as text. With `data`, `sql` is what an INSERT says before it."""
    body = sql.encode() + (b"\n" + data if data else b"")
    query = urllib.parse.urlencode(settings)
    request = urllib.request.Request(f"http://{host}/?{query}", body, {
        "X-ClickHouse-User": "default", "X-ClickHouse-Key": password})
    try:
        with urllib.request.urlopen(request, timeout=ASK_S) as answer:
            return answer.read().decode("utf-8", "surrogateescape")
    except urllib.error.HTTPError as error:
        raise Refused(error.read().decode(errors="replace").strip()) from error
    except OSError as error:
        raise Unreachable(f"{host}: {error}") from error


def section(**keys):
    """A [store] section; those of the tests' servers need hosts and database."""
    keys = {"engine": "clickhouse", "cluster": NAME, **keys}
    return "[store]\n" + "".join(f"{name} = {value}\n" for name, value in keys.items())


def make_certificate(folder):
    """A certificate of 127.0.0.1 that is its own authority, and its key."""
    openssl = shutil.which("openssl")
    if not openssl:
        raise Absent("there is no openssl")
    subprocess.run([openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj",
                    "/CN=tally-test", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout",
                    "server.key", "-out", "server.crt"],
                   cwd=folder, check=True, capture_output=True, stdin=subprocess.DEVNULL)


class ZooKeeper:
    """One, of its own folder. It says `imok` and serves once this returns."""

    def __init__(self, folder):
        program = java()
        home = folder / "zookeeper"
        (home / "data").mkdir(parents=True)
        self.port, = free_ports(1)
        (home / "zoo.cfg").write_text(ZOOKEEPER_CONFIG.format(port=self.port, home=home))
        self.process = Process(
            [program, "-Xmx192m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
             "-cp", ZOOKEEPER_JAR, "org.apache.zookeeper.server.quorum.QuorumPeerMain",
             home / "zoo.cfg"], home, home / "out.log")
        try:
            self.process.wait_until(self._is_ok, START_S, "zookeeper")
        except BaseException:
            self.stop()
            raise

    def _says(self, word):
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as line:
                line.sendall(word)
                return line.recv(1024)
        except OSError:
            return b""

    def _is_ok(self):
        # It is ok some time before it serves.
        return self._says(b"ruok") == b"imok" and b"Mode: standalone" in self._says(b"srvr")

    def stop(self):
        self.process.kill()


class Server:
    """One server process and its folder, below that of its cluster."""

    def __init__(self, home, shard, replica, ports):
        self.home = home
        self.shard = shard  # from 1, as macros have it
        self.replica = replica
        self.http, self.tcp, self.interserver, self.https = ports
        self.host = f"127.0.0.1:{self.http}"
        self.process = None

    def configure(self, remote, more, password, memory_bytes):
        for name in ("data", "tmp", "user_files", "format_schemas"):
            (self.home / name).mkdir(parents=True)
        (self.home / "config.xml").write_text(CONFIG.format(
            home=self.home, http=self.http, tcp=self.tcp,
            interserver=self.interserver, name=NAME, remote=remote, shard=self.shard,
            replica=self.replica, more=more))
        (self.home / "users.xml").write_text(
            USERS.format(password=password, memory_bytes=memory_bytes))

    def launch(self, program):
        self.process = Process([program, f"--config-file={self.home}/config.xml"], self.home,
                               self.home / "out.log")

    def wait(self):
        try:
            self.process.wait_until(self.answers, START_S, f"clickhouse-server {self.host}")
        except Failed as failure:
            log = self.home / "error.log"
            told = log.read_text(errors="replace")[-2000:] if log.exists() else ""
            raise Failed(f"{failure}\n{told}") from failure

    def answers(self):
        try:
            with urllib.request.urlopen(f"http://{self.host}/ping", timeout=2) as answer:
                return answer.read() == b"Ok.\n"
        except OSError:
            return False


class Cluster:
    """Servers that run when this returns, and are gone after `with`, and their folder, too."""

    def __init__(self, shards=2, replicas=1, password="", tls=False, memory_bytes=2 << 30):
        self.program = clickhouse()
        if replicas > 1:
            java()
        self.password = password
        self.tls = tls
        self.temporary = tempfile.TemporaryDirectory(prefix="tally-cluster-")
        self.folder = pathlib.Path(self.temporary.name)
        self.zookeeper = None
        self.server = []
        try:
            self._begin(shards, replicas, memory_bytes)
        except BaseException:
            self.stop()
            raise

    def _begin(self, shards, replicas, memory_bytes):
        more = ""
        if replicas > 1:
            self.zookeeper = ZooKeeper(self.folder)
            more = ZOOKEEPER.format(port=self.zookeeper.port,
                                    session_ms=SESSION_S * 1000)
        if self.tls:
            make_certificate(self.folder)
        ports = iter(free_ports(4 * shards * replicas))
        self.server = [Server(self.folder / f"shard{shard}-{replica}", shard, f"r{replica}",
                              (next(ports), next(ports), next(ports), next(ports)))
                       for shard in range(1, shards + 1) for replica in range(1, replicas + 1)]
        remote = "".join(REMOTE_SHARD.format(replicas="".join(
            REMOTE_REPLICA.format(tcp=one.tcp, password=self.password)
            for one in self.server if one.shard == shard)) for shard in range(1, shards + 1))
        for one in self.server:
            https = HTTPS.format(https=one.https, folder=self.folder) if self.tls else ""
            one.configure(remote, more + https, self.password, memory_bytes)
            one.launch(self.program)
        for one in self.server:
            one.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        """Servers before the ZooKeeper that they ask. All is in a folder that goes: kill -9."""
        for one in self.server:
            if one.process:
                one.process.kill()
        if self.zookeeper:
            self.zookeeper.stop()
        self.temporary.cleanup()

    def hosts(self):
        return [one.host for one in self.server]

    def ask(self, sql, index=0, data=b"", **settings):
        return ask(self.server[index].host, sql, data, self.password, **settings)

    def each(self, sql):
        """The same statement at every server, one after the other."""
        return [self.ask(sql, index) for index in range(len(self.server))]

    def told(self):
        """The ends of the servers' logs of errors."""
        logs = [one.home / "error.log" for one in self.server]
        return "\n".join(f"{log.parent.name}: {log.read_text(errors='replace')[-2000:]}"
                         for log in logs if log.exists())

    def kill(self, index):
        """kill -9."""
        self.server[index].process.kill()
        if self.zookeeper:
            # Back before that it would find itself alive, and try again only after 10 s.
            time.sleep(SESSION_S + 1)

    def freeze(self, index):
        """It keeps its connections and says nothing any more, until thaw."""
        pid = self.server[index].process.popen.pid
        os.kill(pid, signal.SIGSTOP)
        os.waitid(os.P_PID, pid, os.WSTOPPED | os.WNOWAIT)

    def thaw(self, index):
        os.kill(self.server[index].process.popen.pid, signal.SIGCONT)

    def start(self, index):
        """After kill: the same server on the same data and ports."""
        self.server[index].launch(self.program)
        self.server[index].wait()

    def store(self, database, **keys):
        """A [store] section. `keys` are further ones, and go before what else would stand there."""
        there = {"hosts": " ".join(self.hosts()), "database": database}
        if self.password:
            path = self.folder / "password"
            path.write_text(self.password + "\n")
            path.chmod(0o600)
            there["password_file"] = path
        if self.tls:
            there["hosts"] = " ".join(f"127.0.0.1:{one.https}" for one in self.server)
            there.update(tls="yes", ca_file=self.folder / "server.crt")
        return section(**{**there, **keys})
