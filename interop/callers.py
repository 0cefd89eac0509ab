"""SIPp as the caller: scenarios from a few words each, and a process that plays one."""

import subprocess

from lab import PASSWORD, USER, program, require
from sipp import SDP, Sipp, header, message

WHO = "<sip:sipp@[local_ip]:[local_port];transport=[transport]>"
PEER = "<sip:bob@[remote_ip]:[remote_port]>"
HELD = SDP + "a=sendonly\n"


def request(method, number, *lines, body="", uri="sip:bob@[remote_ip]:[remote_port]", to="[peer_tag_param]",
            via="Via: SIP/2.0/[transport] [local_ip]:[local_port];rport;branch=[branch]", attributes='retrans="500"'):
    """A request of the caller; within the dialog once there is one."""
    own = [via, "Max-Forwards: 70", f"From: {WHO};tag=[pid]caller[call_number]", f"To: {PEER}{to}", "Call-ID: [call_id]",
           f"CSeq: {number} {method}", f"Contact: {WHO}"]
    return f"<send {attributes}>{message(f'{method} {uri} SIP/2.0', own + list(lines), body)}</send>"


def invite(number=1, *lines, **more):
    return request("INVITE", number, "X-PH-Test: Sample", *lines, body=more.pop("body", SDP), **more)


def receive(response, *actions, attributes=""):
    """Waits for a response and looks into it."""
    inside = f"<action>{''.join(actions)}</action>" if actions else ""
    return f'<recv response="{response}" {attributes}>{inside}</recv>'


def refused(response, *actions, number=1):
    """A final response that is no 2xx, and its ACK: by the Via that it came with."""
    ack = request("ACK", number, via="[last_Via:]", attributes="")
    return receive(response, *actions) + ack


def within(method, number, *lines, **more):
    """To where the 200 said that we are."""
    return request(method, number, "[routes]", *lines, uri="[next_url]", **more)


TRYING = receive("100", attributes='optional="true"')
ANSWERED = [TRYING, receive("180", attributes='optional="true"'),
            receive("200", header("Contact", "sip:", "contact"), attributes='rrs="true"')]
ACK = within("ACK", 1, attributes="")


def leave(number):
    return within("BYE", number) + receive("200")


PLAIN = [invite(), *ANSWERED, ACK, "<pause/>", leave(2)]
CREDENTIALS = f"[authentication username={USER} password={PASSWORD}]"
CHALLENGED = [
    invite(), TRYING, receive("401", attributes='auth="true"'),
    request("ACK", 1, via="[last_Via:]", attributes=""),
    invite(2, CREDENTIALS, to=""), *ANSWERED, within("ACK", 2, attributes=""), leave(3),
]
WRONG = [
    invite(), TRYING, receive("401", attributes='auth="true"'), request("ACK", 1, via="[last_Via:]", attributes=""),
    invite(2, CREDENTIALS.replace(PASSWORD, "guessed"), to=""), TRYING, refused("403", number=2),
]
FIRST = "Via: SIP/2.0/[transport] [local_ip]:[local_port];rport;branch=z9hG4bK[pid]-[call_number]-first"
SECOND = FIRST.replace("first", "second")
CANCELLED = [
    invite(via=FIRST), TRYING, receive("180"), request("CANCEL", 1, via=FIRST, to=""), receive("200"), refused("487"),
]
OK = f"<send>{message('SIP/2.0 200 OK', ['[last_Via:]', '[last_From:]', '[last_To:]', '[last_Call-ID:]', '[last_CSeq:]'], '')}</send>"
# SIPp passes over what comes again by datagrams, and takes it for new on a connection.
UNACKNOWLEDGED = {
    transport: [invite(), *ANSWERED, *[receive("200")] * copies, '<recv request="BYE" timeout="40000"/>', OK]
    for transport, copies in (("udp", 0), ("tcp", 10))
}
IN_BODY = '<ereg regexp="{}" search_in="body" check_it="true" assign_to="{}"/>'
ON_HOLD = [
    invite(), *ANSWERED, ACK,
    within("INVITE", 2, body=HELD), TRYING, receive("200", IN_BODY.format("a=recvonly", "held")),
    within("ACK", 2, attributes=""),
    # Without an offer: ours is in the 200, and the answer to it in the ACK.
    within("INVITE", 3), TRYING, receive("200", IN_BODY.format("m=audio [1-9][0-9]* RTP/AVP", "offered")),
    within("ACK", 3, body=SDP, attributes=""), leave(4),
]
UNKNOWN = [
    request("FOO", 1), receive("501"),
    invite(2, to=""), *ANSWERED, within("ACK", 2, attributes=""),
    within("FOO", 3), receive("501"),
    within("MESSAGE", 4), receive("405", header("Allow", "INVITE", "allow")), leave(5),
]
MERGED = [
    invite(via=FIRST), TRYING, receive("180"), invite(via=SECOND, to=""), refused("482"),
    request("CANCEL", 1, via=FIRST, to=""), receive("200"), refused("487"),
]


def refusal(status, *actions):
    """The call that is refused so."""
    return [invite(), TRYING, refused(str(status), *actions)]


class Callers(Sipp):
    """SIPp placing calls, one or many, at a process of ours."""

    def __init__(self, lab, name, steps, to, transport="udp", calls=1, at_once=1, pause=100):
        super().__init__(lab, name, steps, transport)
        self.how = [f"127.0.0.1:{to}", "-m", str(calls), "-l", str(at_once), "-r", "50", "-d", str(pause),
                    "-auth_uri", f"bob@127.0.0.1:{to}"]

    def __enter__(self):
        self.process = subprocess.Popen(
            [program("sipp"), *self.how, "-sf", "scenario.xml", "-i", "127.0.0.1", "-p", str(self.port),
             "-t", {"udp": "u1", "tcp": "t1"}[self.transport], "-nostdin", "-timeout", "45s",
             "-trace_msg", "-message_file", "messages", "-trace_err", "-error_file", "errors"],
            cwd=self.folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return self

    def finish(self):
        """Waits for the end, which has to be that of the scenario, and returns the messages that came, copies too."""
        code = self.process.wait(50)
        require(code == 0, f"SIPp: exit code {code}\n{self.text('errors')}")
        return self.copies()
