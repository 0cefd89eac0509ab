"""A peer of a few lines, for what SIPp hides or cannot do: it reads requests and sends whatever octets it is told to."""

import re
import socket
import time

from lab import equal, require

SDP = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 9 RTP/AVP 0\r\n"
COPIED = ("Via", "From", "To", "Call-ID", "CSeq")


def header_lines(message):
    return message.split("\r\n\r\n")[0].split("\r\n")[1:]


def reply(request, status, *lines, body="", length=None, change=lambda line: line):
    """A response; what it copies from the request can be changed line by line."""
    copied = [line for line in header_lines(request) if line.split(":")[0] in COPIED]
    copied = [f"{line};tag=callee" if line.startswith("To:") and ";tag=" not in line else line for line in copied]
    kind = ["Content-Type: application/sdp"] if body else []
    length = len(body) if length is None else length
    return "\r\n".join(
        [f"SIP/2.0 {status}", *map(change, copied), *lines, *kind, f"Content-Length: {length}", "", body])


class Peer:
    """A UDP socket that hears one caller."""

    def __init__(self):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.settimeout(10)
        self.port = self.socket.getsockname()[1]
        self.contact = f"Contact: <sip:uas@127.0.0.1:{self.port}>"
        self.seen = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def receive(self, method):
        """The next message, which has to be that; copies of what was read before are passed over for it."""
        while True:
            octets, self.caller = self.socket.recvfrom(65535)
            message = octets.decode()
            if message.split()[0] == method or message not in self.seen:
                equal("request", message.split()[0], method)
                self.seen.append(message)
                return message

    def drain(self, seconds=0):
        """What arrives for so long and nobody has read."""
        found, until = [], time.monotonic() + seconds
        while True:
            self.socket.settimeout(max(until - time.monotonic(), 0.001))
            try:
                found.append(self.socket.recv(65535).decode())
            except TimeoutError:
                self.socket.settimeout(10)
                return found

    def send(self, text):
        self.socket.sendto(text.encode(), self.caller)

    def reply(self, request, status, *lines, **more):
        self.send(reply(request, status, *lines, **more))

    def answer(self, invite, *lines, **more):
        self.reply(invite, "200 OK", self.contact, *lines, **{"body": SDP} | more)

    def hang_up(self, **passing):
        """Waits for the BYE and answers it."""
        self.reply(self.receive("BYE", **passing), "200 OK")


class StreamPeer(Peer):
    """A TCP socket that takes one connection after the other."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.settimeout(10)
        self.port = self.listener.getsockname()[1]
        self.contact = f"Contact: <sip:uas@127.0.0.1:{self.port};transport=tcp>"
        self.socket, self.buffer = None, b""

    def __exit__(self, *_):
        self.close()
        self.listener.close()

    def accept(self):
        self.socket, self.caller = self.listener.accept()
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.settimeout(10)
        self.buffer = b""

    def close(self):
        if self.socket:
            self.socket.close()
            self.socket = None

    def receive(self, method, passing=None):
        """The next message of the connection, which has to be that; one of a kind to be passed over may come before."""
        if not self.socket:
            self.accept()
        while not (whole := self.whole()):
            octets = self.socket.recv(65535)
            require(octets, f"the connection was closed before {method}")
            self.buffer += octets
        message, self.buffer = self.buffer[:whole].decode(), self.buffer[whole:]
        if message.split()[0] == passing:
            return self.receive(method)
        equal("request", message.split()[0], method)
        return message

    def whole(self):
        """The octets of the message at the start of the buffer, once it is there."""
        head, end, body = self.buffer.partition(b"\r\n\r\n")
        if not end:
            return None
        length = len(head) + 4 + int(re.search(rb"Content-Length: *(\d+)", head)[1])
        return length if len(self.buffer) >= length else None

    def send(self, text):
        self.socket.sendall(text.encode())
