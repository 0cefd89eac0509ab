"""SIPp as the other side: scenarios from a few words each, and a process that plays one."""

import os
import re
import subprocess

from lab import PASSWORD, USER, end, free_port, is_bound, program, require, wait_until

REALM, NONCE = "sip.example.com", "47ebe028cda119c35d4877b383027d28da013815"
CONTACT = "Contact: <sip:uas@[local_ip]:[local_port];transport=[transport]>"
RECORD_ROUTE = "Record-Route: <sip:[local_ip]:[local_port];transport=[transport];lr=on>"
CALL_UUID = "X-CallUUID: 5260e820-958c-11e4-b6bf-498d468c930b"
DIALOG = [CONTACT, RECORD_ROUTE, CALL_UUID]
SDP = """\
v=0
o=user1 53655765 2353687637 IN IP[local_ip_type] [local_ip]
s=-
c=IN IP[media_ip_type] [media_ip]
t=0 0
m=audio [media_port] RTP/AVP 0 101
a=rtpmap:0 PCMU/8000
a=rtpmap:101 telephone-event/8000
"""


def message(first_line, lines, body):
    """A message to send; a body comes with its type."""
    lines = [first_line, *lines, *(["Content-Type: application/sdp"] if body else []), "Content-Length: [len]", "", body]
    return "<![CDATA[\n" + "\n".join(lines) + "\n]]>"


def reply(status, *lines, tag="callee", body="", attributes=""):
    """Answers the last request; `tag` tells the dialog, none keeps the To that came."""
    to = "[last_To:]" + (f";tag=[pid]{tag}[call_number]" if tag else "")
    copied = ["[last_Via:]", "[last_From:]", to, "[last_Call-ID:]", "[last_CSeq:]"]
    return f"<send {attributes}>{message(f'SIP/2.0 {status}', copied + list(lines), body)}</send>"


def receive(request, *actions, attributes=""):
    """Waits for a request and looks into it."""
    inside = f"<action>{''.join(actions)}</action>" if actions else ""
    return f'<recv request="{request}" {attributes}>{inside}</recv>'


def header(name, pattern, variable, check=True):
    """A header field has to match, and is kept."""
    return (f'<ereg regexp="{pattern}" search_in="hdr" header="{name}:" check_it="{str(check).lower()}" '
            f'assign_to="{variable}"/>')


# Of an INVITE that is answered after something else came, or that requests of the callee follow.
REMEMBER = [header(name, ".*", name.lower()) for name in ("Via", "From", "To", "CSeq")]
INVITED = receive("INVITE", *REMEMBER, attributes='rrs="true"')


def late_reply(status, *lines, tag="callee", body=""):
    """Answers the INVITE that was remembered."""
    copied = ["Via:[$via]", "From:[$from]", f"To:[$to];tag=[pid]{tag}[call_number]", "Call-ID: [call_id]", "CSeq:[$cseq]"]
    return f"<send>{message(f'SIP/2.0 {status}', copied + list(lines), body)}</send>"


def request(method, number, *lines, body=""):
    """A request of the callee, in the dialog of the INVITE that was remembered."""
    again = "" if method == "ACK" else 'retrans="500"'
    return f"<send {again}>" + message(f"{method} [next_url] SIP/2.0", [
        "Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]", "Max-Forwards: 70",
        "From:[$to];tag=[pid]callee[call_number]", "To:[$from]", "Call-ID: [call_id]", f"CSeq: {number} {method}", *lines,
    ], body) + "</send>"


def answered(status):
    """Waits for the response to a request of the callee."""
    return f'<recv response="{status}"/>'


def pause(milliseconds):
    return f'<pause milliseconds="{milliseconds}"/>'


def challenge(status="401 Unauthorized", name="WWW-Authenticate", value=None, nonce=NONCE, more=""):
    value = value or f'Digest realm="{REALM}", nonce="{nonce}", qop="auth", algorithm=MD5{more}'
    return reply(status, f"{name}: {value}", tag="challenge")


VERIFIED = f'<verifyauth assign_to="right" username="{USER}" password="{PASSWORD}"/>'
# What is not verified gets 403, which no call of these scenarios is expected to end with.
UNLESS_VERIFIED = '<nop next="verified" test="right"/>' + reply("403 Wrong digest", attributes='next="end"') \
    + '<label id="verified"/>'
HELD = header("X-PH-Test", "Sample", "held")
BYE = receive("BYE", header("Route", "lr=on", "byeroute")) + reply("200 OK", tag=None)
ANSWERED = [
    reply("180 Ringing", *DIALOG),
    reply("200 OK", *DIALOG, body=SDP, attributes='retrans="500"'),
    receive("ACK", header("Route", "lr=on", "ackroute")),
]
# The same of a callee that records no route: an answer at once, and the end by the caller.
ACCEPTED = [reply("200 OK", CONTACT, body=SDP, attributes='retrans="500"'), receive("ACK")]
HUNG_UP = receive("BYE") + reply("200 OK", tag=None)

DIGEST = [
    receive("INVITE"), challenge(), receive("ACK"),
    receive("INVITE", VERIFIED, HELD, attributes='rrs="true"'), UNLESS_VERIFIED, *ANSWERED, BYE,
]


def document(name, steps):
    """The scenario as SIPp reads it."""
    body = "\n".join(steps) + '\n<label id="end"/>'
    variables = ",".join(sorted(set(re.findall(r'assign_to="(\w+)"', body))))
    reference = f'<Reference variables="{variables}"/>' if variables else ""
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<scenario name="{name}">\n{body}\n{reference}\n</scenario>\n'


class Sipp:
    """SIPp playing a scenario once, on a port of its own."""

    def __init__(self, lab, name, steps, transport="udp"):
        self.folder = lab.path(f"{name}-{transport}")
        os.mkdir(self.folder)
        with open(os.path.join(self.folder, "scenario.xml"), "w", encoding="utf-8") as file:
            file.write(document(name, steps))
        self.transport, self.port = transport, free_port()

    def __enter__(self):
        self.process = subprocess.Popen(
            [program("sipp"), "-sf", "scenario.xml", "-i", "127.0.0.1", "-p", str(self.port),
             "-t", {"udp": "u1", "tcp": "t1"}[self.transport], "-m", "1", "-nostdin", "-timeout", "20s",
             "-trace_msg", "-message_file", "messages", "-trace_err", "-error_file", "errors"],
            cwd=self.folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until("SIPp listens", lambda: is_bound(self.port, self.transport), self.process)
        return self

    def __exit__(self, *_):
        end(self.process)

    def code(self):
        """How it went for SIPp: 0 if the scenario was played to its end."""
        return self.process.wait(25)

    def content_with(self, finished):
        """The scenario was played to its end."""
        require(self.code() == 0, f"SIPp: exit code {self.process.returncode}\n{self.text('errors')}\n{finished.err}")

    def text(self, name):
        path = os.path.join(self.folder, name)
        if not os.path.exists(path):
            return ""
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def received(self):
        """The messages that reached it, each once: what a slow machine sends again is no news."""
        return list(dict.fromkeys(self.copies()))

    def copies(self):
        """The messages that reached it, as often as they did."""
        blocks = re.split(r"^-{20,}.*$", self.text("messages"), flags=re.MULTILINE)
        heads = (re.match(r"\s*\w+ message received \[\d+\] bytes ?:\s+(.*)", block, re.DOTALL) for block in blocks)
        return [head.group(1) for head in heads if head]


def play(lab, steps, *arguments, code, transport="udp"):
    """One call into a scenario: both sides must be content. Returns the call as JSON and what reached SIPp."""
    with Sipp(lab, "callee", steps, transport) as peer:
        finished = lab.invite(peer.port, *arguments, transport=transport).expect(code)
        peer.content_with(finished)
        return finished.json(), peer.received()
