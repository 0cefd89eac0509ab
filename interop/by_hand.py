"""sipcall against a peer of a few lines, for what SIPp hides: silence, a closed port, and copies."""

import socket

from lab import equal, free_port, require

SDP = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 9 RTP/AVP 0\r\n"


class Peer:
    """A UDP socket that hears one caller."""

    def __init__(self):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.settimeout(10)
        self.port = self.socket.getsockname()[1]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def receive(self, method):
        text, self.caller = self.socket.recvfrom(65535)
        message = text.decode()
        equal("request", message.split()[0], method)
        return message

    def drain(self):
        """What has arrived and nobody has read."""
        self.socket.setblocking(False)
        found = []
        try:
            while True:
                found.append(self.socket.recv(65535).decode())
        except BlockingIOError:
            return found

    def reply(self, request, status, *lines, body=""):
        copied = [line for line in request.split("\r\n") if line.split(":")[0] in ("Via", "From", "To", "Call-ID", "CSeq")]
        copied = [f"{line};tag=callee" if line.startswith("To:") and ";tag=" not in line else line for line in copied]
        lines = [f"SIP/2.0 {status}", *copied, *lines, f"Content-Length: {len(body)}", "", body]
        self.socket.sendto("\r\n".join(lines).encode(), self.caller)


def silence_ends_at_max_time(lab):
    with Peer() as peer:
        finished = lab.invite(peer.port, "--max-time", "2s").expect(28)
        copies = [message for message in peer.drain() if message.startswith("INVITE ")]
    # The limit, and two seconds in which a late provisional could still be cancelled.
    require(1.9 < finished.seconds < 4.5, f"took {finished.seconds:.1f} s")
    # At 0, 0.5 and 1.5 s: RFC 3261 §17.1.1.2.
    require(len(copies) >= 3, f"{len(copies)} copies")
    equal("different copies", len(set(copies)), 1)


def closed_port(lab, transport):
    finished = lab.invite(free_port(), transport=transport).expect(7)
    require(finished.seconds < 1, f"took {finished.seconds:.1f} s")


def closed_udp_port_is_told_at_once(lab):
    closed_port(lab, "udp")


def closed_tcp_port_is_told_at_once(lab):
    closed_port(lab, "tcp")


def each_copy_of_a_200_gets_its_ack(lab):
    from concurrent.futures import ThreadPoolExecutor

    with Peer() as peer, ThreadPoolExecutor() as aside:
        caller = aside.submit(lab.invite, peer.port, "--talk", "1s")
        invite = peer.receive("INVITE")
        answer = lambda: peer.reply(
            invite, "200 OK", f"Contact: <sip:uas@127.0.0.1:{peer.port}>", "Content-Type: application/sdp", body=SDP)
        answer()
        acks = [peer.receive("ACK")]
        for _ in range(2):
            answer()
            acks.append(peer.receive("ACK"))
        equal("different ACKs", len(set(acks)), 1)
        peer.reply(peer.receive("BYE"), "200 OK")
        finished = caller.result().expect(0)
    equal("copies received", finished.json()["retransmissions"]["received"], 2)


CHECKS = [
    silence_ends_at_max_time, closed_udp_port_is_told_at_once, closed_tcp_port_is_told_at_once,
    each_copy_of_a_200_gets_its_ack,
]
