"""SIPp against `sipcall listen`: what each of the two says of the same call."""

import json
import os
import queue
import subprocess
import threading

import callers
from lab import PASSWORD, USER, end, equal, require


class Listening:
    """`sipcall listen`, and what it tells."""

    def __init__(self, lab, *arguments):
        self.errors = open(lab.path("listen-errors"), "w+", encoding="utf-8")
        self.process = subprocess.Popen(
            [lab.binary, "listen", "--no-register", "--no-store", "--bind", "127.0.0.1:0", "--output", "jsonl",
             *arguments],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self.errors, text=True, env=lab.environment,
            cwd=lab.folder)
        # Read as it comes: a pipe that is full would make it wait.
        self.lines = queue.SimpleQueue()
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()
        self.port = int(self.next("listening")["addresses"][0]["address"].rsplit(":", 1)[1])

    def read(self):
        for line in self.process.stdout:
            self.lines.put(json.loads(line))
        self.lines.put(None)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        end(self.process)
        self.reader.join(5)
        self.process.stdout.close()
        self.errors.close()

    def next(self, name):
        """The next event, which has that name."""
        event = self.lines.get(timeout=20)
        require(event, f"sipcall ended before {name}")
        equal("event", event["event"], name)
        return event

    def stop(self):
        """Ends it by a signal and returns the events that were left."""
        self.process.terminate()
        self.process.wait(15)
        self.errors.seek(0)
        require(self.process.returncode == 143, f"sipcall: exit code {self.process.returncode}\n{self.errors.read()}")
        return list(iter(lambda: self.lines.get(timeout=20), None))


def play(lab, name, steps, *arguments, transport="udp", **how):
    """Calls into a listener: both sides must be content. Returns its events and the messages that reached SIPp."""
    with Listening(lab, *arguments) as listening:
        with callers.Callers(lab, name, steps, listening.port, transport, **how) as peer:
            received = peer.finish()
        return listening.stop(), received


def names(events):
    return [event["event"] for event in events]


def over_both(check):
    """The same over UDP and TCP, each a check."""
    checks = []
    for transport in ("udp", "tcp"):
        def one(lab, transport=transport):
            check(lab, transport)
        one.__name__ = f"called_{check.__name__}_over_{transport}"
        checks.append(one)
    return checks


def plain(lab, transport):
    events, _ = play(lab, "plain", callers.PLAIN, transport=transport)
    equal("events", names(events), ["incoming", "answered", "ended"])
    header = {"name": "X-PH-Test", "value": "Sample"}
    require(header in events[0]["headers"], f"headers: {events[0]['headers']}")
    call = events[2]["call"]
    equal("call", (call["outcome"]["kind"], call["outcome"]["ended_by"], call["transport"]),
          ("answered", "remote", transport))


def callers_file(lab):
    path = lab.path("callers")
    with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="utf-8") as file:
        file.write(f"{USER}:{PASSWORD}\n")
    return path


def digest(lab, transport):
    events, _ = play(lab, "digest", callers.CHALLENGED, "--callers", callers_file(lab), transport=transport)
    equal("events", names(events), ["incoming", "answered", "ended"])
    equal("user", events[0]["user"], USER)


def wrong_password(lab, transport):
    events, _ = play(lab, "wrong", callers.WRONG, "--callers", callers_file(lab), transport=transport)
    equal("events", [(event["event"], event["status"]) for event in events], [("refused", 403)])


def cancel(lab, transport):
    events, _ = play(lab, "cancel", callers.CANCELLED, "--answer-after", "60s", transport=transport)
    equal("events", names(events), ["incoming", "ringing", "cancelled"])


def called_lost_ack(lab):
    """Over both transports at the same time: each takes 32 seconds."""
    with Listening(lab) as listening:
        udp, tcp = (callers.Callers(lab, "lost", callers.UNACKNOWLEDGED[transport], listening.port, transport)
                    for transport in ("udp", "tcp"))
        with udp, tcp:
            received = [udp.finish(), tcp.finish()]
        events = listening.stop()
    outcomes = [event["call"]["outcome"]["kind"] for event in events if event["event"] == "ended"]
    equal("outcomes", outcomes, ["violated"] * 2)
    for messages in received:
        copies = [message for message in messages if message.startswith("SIP/2.0 200")]
        # At 0, 0.5, 1.5, 3.5, 7.5 s and then each 4 s up to 32 s, whatever the transport: RFC 3261 §13.3.1.4.
        equal("copies of the 200", len(copies), 11)
        equal("different copies", len(set(copies)), 1)


called_lost_ack.seconds = 32


def new_offers(lab, transport):
    events, _ = play(lab, "hold", callers.ON_HOLD, transport=transport)
    equal("outcome", events[-1]["call"]["outcome"]["kind"], "answered")


def unknown_methods(lab, transport):
    events, _ = play(lab, "unknown", callers.UNKNOWN, transport=transport)
    equal("events", names(events), ["incoming", "answered", "ended"])


def merged_request(lab, transport):
    events, _ = play(lab, "merged", callers.MERGED, "--answer-after", "60s", transport=transport)
    equal("events", names(events), ["incoming", "ringing", "cancelled"])


def many_at_once(lab, transport):
    events, _ = play(lab, "many", callers.PLAIN, transport=transport, calls=60, at_once=10, pause=500)
    up, most = set(), 0
    for event in events:
        (up.discard if event["event"] == "ended" else up.add)(event["call_id"])
        most = max(most, len(up))
    ended = [event["call"]["outcome"] for event in events if event["event"] == "ended"]
    equal("calls that were answered", sum(outcome["kind"] == "answered" for outcome in ended), 60)
    require(8 <= most <= 10, f"{most} at once")


def busy(lab, transport):
    with Listening(lab, "--max-calls", "1") as listening:
        with callers.Callers(lab, "first", callers.PLAIN, listening.port, transport, pause=3000) as first:
            listening.next("incoming")
            listening.next("answered")
            with callers.Callers(lab, "second", callers.refusal(486), listening.port, transport) as second:
                second.finish()
            equal("status", listening.next("refused")["status"], 486)
            first.finish()
        listening.next("ended")
        equal("left", listening.stop(), [])


def wrong_user(lab, transport):
    events, _ = play(lab, "wrong-user", callers.refusal(404), "--user", "alice@127.0.0.1", transport=transport)
    equal("events", events, [])


CHECKS = [check for each in (plain, digest, wrong_password, cancel, new_offers, unknown_methods, merged_request,
                             many_at_once, busy, wrong_user) for check in over_both(each)]
CHECKS.append(called_lost_ack)
