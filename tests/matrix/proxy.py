"""A proxy between us and a real server that can be told to fail, over real sockets.

    python -m matrix.proxy PORT UPSTREAM_PORT ORDERS

ORDERS is a file with one JSON object, read at every request: `fault` is one of the below, `first`
the number of the first request that gets it, `count` how many do, `verbs` which methods count.
Requests are counted from the moment the file was last written.

    500, 503   answered so, the server never sees it
    lost       the server does its work, the connection is closed without a reply
    late-500   the server does its work, the reply is 500
    hang       nothing is answered for five seconds, the server never sees it
"""

import http.client
import json
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

_HOP = {"connection", "transfer-encoding", "keep-alive", "content-length"}
_HANG_S = 5.0


class Orders:
    """What the file says, and how many requests came since it said so."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._stamp = -1
        self._count = 0
        self._orders: dict[str, Any] = {}

    def fault_for(self, verb: str) -> str:
        with self._lock:
            stamp = self._path.stat().st_mtime_ns
            if stamp != self._stamp:
                self._stamp, self._count = stamp, 0
                self._orders = json.loads(self._path.read_text())
            if verb not in self._orders.get("verbs", [verb]):
                return ""
            self._count += 1
            past = self._count - self._orders.get("first", 1)
            self._path.with_suffix(".count").write_text(str(self._count))
            hit = 0 <= past < self._orders.get("count", 0)
            return self._orders.get("fault", "") if hit else ""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    orders: Orders
    upstream: int

    def answer(self) -> None:
        body = self._body()
        fault = self.orders.fault_for(self.command)
        if fault == "hang":
            time.sleep(_HANG_S)
        if fault in ("500", "503"):
            self._reply(int(fault), {}, _error(fault))
        elif fault == "hang":
            self.close_connection = True
        else:
            status, headers, data = self._forward(body)
            if fault == "lost":
                self.close_connection = True
            elif fault == "late-500":
                self._reply(500, {}, b'{"error_code": "INTERNAL_ERROR", "message": "too late"}')
            else:
                self._reply(status, headers, data)

    def _body(self) -> bytes:
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            parts = []
            while size := int(self.rfile.readline().split(b";")[0], 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def _forward(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.upstream, timeout=120)
        # The host that was asked for is part of S3's signature.
        headers = {k: v for k, v in self.headers.items() if k.lower() not in _HOP}
        headers["Content-Length"] = str(len(body))
        connection.request(self.command, self.path, body, headers)
        reply = connection.getresponse()
        data = reply.read()
        found = {k: v for k, v in reply.getheaders() if k.lower() not in _HOP}
        if self.command == "HEAD":
            found["Content-Length"] = reply.getheader("Content-Length") or "0"
        connection.close()
        return reply.status, found, data

    def _reply(self, status: int, headers: dict[str, str], data: bytes) -> None:
        self.send_response_only(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if "Content-Length" not in headers and status != 204:
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        """Nothing: thousands of requests pass."""


for _verb in ("GET", "PUT", "POST", "DELETE", "HEAD", "PATCH"):
    setattr(Handler, f"do_{_verb}", Handler.answer)


def _error(status: str) -> bytes:
    code = "SlowDown" if status == "503" else "InternalError"
    return f"<Error><Code>{code}</Code><Message>injected</Message></Error>".encode()


def main() -> None:
    port, upstream, orders = sys.argv[1:]
    Handler.orders = Orders(Path(orders))
    Handler.upstream = int(upstream)
    ThreadingHTTPServer(("127.0.0.1", int(port)), Handler).serve_forever()


if __name__ == "__main__":
    main()
