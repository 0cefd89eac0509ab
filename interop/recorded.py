"""One call as tshark reads it, and the same call as `--output json` tells it."""

import os
import re
import socket
import subprocess
import threading

import sipp
from lab import PASSWORD, digest_response, end, equal, program, require, wait_until

MESSAGES = ["INVITE", "401", "ACK", "INVITE", "180", "200", "ACK", "BYE", "200"]
FIELDS = {
    "method": "sip.Method", "status": "sip.Status-Code", "headers": "sip.msg_hdr", "malformed": "_ws.malformed",
    "username": "sip.auth.username", "realm": "sip.auth.realm", "nonce": "sip.auth.nonce", "uri": "sip.auth.uri",
    "response": "sip.auth.digest.response", "cnonce": "sip.auth.cnonce", "nc": "sip.auth.nc", "qop": "sip.auth.qop",
}
# The contract of `sipcall.call/1`: these keys and no others.
CALL = """schema id call_id direction account from to request_uri transport local remote outcome times pdd_ms ring_ms
    setup_ms talk_ms headers_sent headers_received route_set remote_target nat auth retransmissions media plivo webhooks"""
WITHIN = {
    "outcome": "kind status reason ended_by reason_header cause contacts",
    "times": "created invited first_response ringing early_media answered ended",
    "headers_sent": "name value",
    "headers_received": "name value in",
    "nat": "received rport",
    "auth": "rounds realm algorithm",
    "retransmissions": "sent received",
    "media": "codec ptime_ms direction srtp local remote_sdp remote_seen sent received round_trip_ms verdict explained probe",
    "media.sent": "packets bytes digits late_p99_ms level_dbov lost_there jitter_there_ms",
    "media.received": """packets bytes lost late duplicate reordered bursts longest_burst refused digits jitter_ms
        jitter_max_ms first_ms mos rating loss_percent burst_ratio delay_ms level_dbov clipped silence""",
}


class Capture:
    """What crosses the loopback at some UDP ports, or at all, until as many packets as expected have been seen, or to the
    end."""

    def __init__(self, file, ports=(), packets=None):
        self.file, self.ports, self.told = file, ports, ""
        self.process = subprocess.Popen(
            [program("dumpcap"), "-i", "lo", "-f", " or ".join(f"udp port {port}" for port in ports) or "udp",
             *(["-c", str(packets)] if packets else []), "-w", file],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        threading.Thread(target=self.listen, daemon=True).start()
        wait_until("dumpcap listens", lambda: "File: " in self.told, self.process)

    def listen(self):
        for line in self.process.stderr:
            self.told += line

    def __enter__(self):
        return self

    def __exit__(self, *_):
        end(self.process)

    def packets(self, fields):
        """These fields of each packet, as tshark dissects them."""
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            end(self.process)
        read = subprocess.run(
            [program("tshark"), "-r", self.file, *(word for port in self.ports for word in ("-d", f"udp.port=={port},sip")),
             "-T", "fields", "-E", "separator=\x1f", *(word for field in fields.values() for word in ("-e", field))],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=True)
        return [dict(zip(fields, (value.strip('"') for value in line.split("\x1f")))) for line in read.stdout.splitlines()]

    def streams(self, port):
        """The RTP streams from and to a port of this machine, as tshark counts them."""
        self.close()
        read = subprocess.run(
            [program("tshark"), "-q", "-r", self.file, "-d", f"udp.port=={port},rtp", "-z", "rtp,streams"],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=True)
        row = re.compile(
            r"^ +[\d.]+ +[\d.]+ +\S+ +(?P<from>\d+) +\S+ +(?P<to>\d+) +0x\S+ +\S.*?\S +(?P<packets>\d+) +(?P<lost>-?\d+) "
            r"\(\S+%\) +(?:[\d.]+ +){3}[\d.]+ +(?P<jitter>[\d.]+) ", re.MULTILINE)
        rows = [found.groupdict() for found in row.finditer(read.stdout)]
        kept = [found for found in rows if port in (found["from"], found["to"])]
        return [found | {name: int(found[name]) for name in ("packets", "lost")} for found in kept]

    def close(self):
        """Ends it once all that was sent before is in the file: one more datagram, to nobody, is the last."""
        last = os.urandom(16)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as nobody, open(self.file, "rb") as file:
            nobody.sendto(last, ("127.0.0.1", 9))
            kept = lambda: (file.seek(0), last in file.read())[1]
            wait_until("the last packet is kept", kept, self.process)
        end(self.process)


def call_under_capture(lab):
    with sipp.Sipp(lab, "recorded", sipp.DIGEST) as peer:
        with Capture(lab.path("call.pcapng"), [peer.port], len(MESSAGES)) as capture:
            finished = lab.invite(peer.port, "--talk", "0").expect(0)
            return capture.packets(FIELDS), finished


def tshark_reads_the_call(lab):
    packets, finished = call_under_capture(lab)
    equal("messages", [packet["method"] or packet["status"] for packet in packets], MESSAGES)
    equal("malformed", [packet["malformed"] for packet in packets], [""] * len(MESSAGES))
    challenged, invite = packets[0], packets[3]
    for packet in (challenged, invite):
        require("X-PH-Test: Sample" in packet["headers"], f"no X-PH-Test: {packet['headers']}")
    equal("credentials before the challenge", challenged["response"], "")
    # The ACK to a 2xx carries what the INVITE did: RFC 3261 §13.2.2.4.
    equal("credentials of the ACK", packets[6]["response"], invite["response"])
    # hashlib is an implementation that knows nothing of ours.
    equal("digest response", invite["response"], digest_response("INVITE", invite))
    for secret in (PASSWORD, invite["response"]):
        require(secret not in finished.out + finished.err, "a secret was printed")
    require('response="(redacted)"' in finished.err, "-v shows no redacted credentials")


def json_has_the_keys_of_the_contract(lab):
    _, finished = call_under_capture(lab)
    call = finished.json()
    equal("schema", call["schema"], "sipcall.call/1")
    equal("keys", sorted(call), sorted(CALL.split()))
    for path, keys in WITHIN.items():
        value = call
        for key in path.split("."):
            value = value[key]
        for one in value if isinstance(value, list) else [value]:
            equal(f"keys of {path}", sorted(one), sorted(keys.split()))
    for name in ("created", "invited", "first_response", "ringing", "answered", "ended"):
        time = call["times"][name]
        require(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", time or ""), f"times.{name}: {time}")
    equal("headers_sent", call["headers_sent"], [{"name": "X-PH-Test", "value": "Sample"}])
    equal("told by nobody", (call["plivo"], call["webhooks"]), (None, None))


CHECKS = [tshark_reads_the_call, json_has_the_keys_of_the_contract]
