"""What lies between a daemon and a server, and may fail: a proxy for ClickHouse's HTTP interface.

    with proxy.Proxy(server.host) as way:       way.host stands for the server
        way.fault = lambda asked: "lost" if asked.is_insert else None

`fault` sees each request before it is handed on, and says what becomes of it:

    None      it is answered
    "down"    the connection ends before the server hears of it
    "lost"    the server does what it is asked, and the connection ends without an answer
    "cut"     half of the answer comes, then the connection ends

It may do more in between: kill a server, say. Requests that came are kept in `asked`.
"""

import dataclasses
import http.client
import http.server
import threading
import urllib.parse

ANSWER_S = 120
DROPPED = ("connection", "keep-alive", "transfer-encoding", "content-length", "host")


@dataclasses.dataclass
class Asked:
    """A request: its statement, and how many bytes of rows or tables came with it."""
    sql: str
    bytes: int

    @property
    def is_insert(self):
        return self.sql.lstrip()[:6].upper() == "INSERT"

    def is_into(self, table):
        words = self.sql.replace("`", "").split()
        return self.is_insert and words[2].split(".")[-1] == table


def understood(path, body):
    query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(path).query))
    return Asked(query["query"], len(body)) if "query" in query else \
        Asked(body[:1 << 16].decode(errors="replace"), 0)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # or a body waits 40 ms for its headers to be acknowledged

    def log_message(self, *_):
        """Says nothing."""

    def _chunks(self):
        while size := int(self.rfile.readline().split(b";")[0], 16):
            yield self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()

    def _body(self):
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            return b"".join(self._chunks())
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def _handed_on(self, body):
        line = http.client.HTTPConnection(self.server.way.server, timeout=ANSWER_S)
        headers = {name: value for name, value in self.headers.items()
                   if name.lower() not in DROPPED}
        try:
            line.request(self.command, self.path, body, headers)
            answer = line.getresponse()
            return answer.status, answer.getheaders(), answer.read()
        finally:
            line.close()

    def _answer(self, status, headers, body, sent):
        self.send_response(status)
        for name, value in headers:
            if name.lower() not in DROPPED + ("date", "server"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[:sent])

    def do_POST(self):
        body = self._body()
        asked = understood(self.path, body)
        fault = self.server.way.seen(asked)
        self.close_connection = fault is not None
        if fault == "down":
            return
        try:
            status, headers, answer = self._handed_on(body)
        except (OSError, http.client.HTTPException):
            self.close_connection = True
            return
        if fault == "lost":
            return
        # One byte less than it should be, where there is none to spare.
        length = len(answer) if fault is None else len(answer) // 2
        self._answer(status, headers, answer or b" " * (fault == "cut"), length)

    do_GET = do_POST


class Listener(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, *_):
        """A client that went away."""


class Proxy:
    def __init__(self, server):
        self.server = server
        self.fault = lambda asked: None
        self.asked = []
        self.lock = threading.Lock()  # faults are told one after the other
        self.listener = Listener(("127.0.0.1", 0), Handler)
        self.listener.way = self
        self.host = f"127.0.0.1:{self.listener.server_address[1]}"
        threading.Thread(target=self.listener.serve_forever, args=(0.05,), daemon=True).start()

    def seen(self, asked):
        with self.lock:
            self.asked.append(asked)
            return self.fault(asked)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.shutdown()
        self.listener.server_close()
