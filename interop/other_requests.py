"""REGISTER and OPTIONS against what servers answer."""

import sipp
from lab import USER, credentials, digest_response, equal, field, methods, numbers
from peer import Peer
from sipp import UNLESS_VERIFIED, VERIFIED, challenge, header, receive, reply

REGISTRAR = [
    receive("REGISTER"), challenge(),
    receive("REGISTER", VERIFIED), UNLESS_VERIFIED, reply("423 Interval Too Brief", "Min-Expires: 1800"),
    receive("REGISTER", header("Expires", "1800", "expires"), header("Contact", ".*", "contact")),
    reply("200 OK", "Contact:[$contact]"),
    receive("REGISTER", header("Contact", "expires=0", "gone")), reply("200 OK"),
]


def registered(lab, steps, *arguments):
    with sipp.Sipp(lab, "registrar", steps) as peer:
        finished = lab.run(
            "register", f"{USER}@127.0.0.1:{peer.port}", "--once", "--output", "json", "-v", *arguments).expect(0)
        peer.content_with(finished)
        return finished, peer.received()


def registrar_wants_longer(lab):
    finished, received = registered(lab, REGISTRAR, "--expires", "60s")
    equal("expires", finished.json()["expires"], 1800)
    equal("Call-IDs", len({field(message, "Call-ID") for message in received}), 1)
    equal("CSeq", numbers(received), [0, 1, 2, 3])


def registrar_grants_less(lab):
    """The contact's own parameter counts before Expires (RFC 3261 §10.2.4), and so does only ours among others."""
    steps = [
        receive("REGISTER", header("Contact", "sip:[^;]*", "contact")),
        reply("200 OK", "Expires: 7200", "Contact: <sip:other@192.0.2.1>;expires=9", "Contact: <[$contact];expires=77"),
        receive("REGISTER"), reply("200 OK"),
    ]
    finished, _ = registered(lab, steps)
    equal("expires", finished.json()["expires"], 77)


# What a registrar says, and the exit code.
REGISTRARS = [
    ("301 Moved Permanently", ["Contact: <sip:192.0.2.1>"], 22),
    ("403 Forbidden", [], 40),
    ("404 Not Found", [], 41),
    ("401 Unauthorized", ['WWW-Authenticate: Basic realm="x"'], 40),
    ("420 Bad Extension", ["Unsupported: path"], 22),
    ("500 Server Internal Error", ["Retry-After: 10"], 50),
    ("503 Service Unavailable", [], 50),
    ("603 Decline", [], 44),
]


def each_refusal_of_a_registrar_has_its_code(lab):
    for status, lines, code in REGISTRARS:
        with Peer() as peer, lab.start("register", f"{USER}@127.0.0.1:{peer.port}", "--once") as running:
            peer.reply(peer.receive("REGISTER"), status, *lines)
            running.expect(code, within=5)
            equal(f"after {status}", methods(peer.drain(0.05)), [])


def asked(lab, *replies, code=0, arguments=()):
    """OPTIONS, answered by those in turn; what came, and what was told."""
    with Peer() as peer, lab.start("options", f"sip:127.0.0.1:{peer.port}", "--output", "json", *arguments) as running:
        request = peer.receive("OPTIONS")
        for status, lines, change in replies:
            peer.reply(request, status, *lines, change=change)
        return request, running.expect(code, within=5)


def same(line):
    return line


# What answers OPTIONS, and what is told of it.
OPTIONS = [
    (["200 OK", "Allow: INVITE, ACK", "ALLOW : BYE", "k: timer,\r\n\t100rel", "Server: a \"b\" (c)"],
     {"status": 200, "reason": "OK", "allow": ["INVITE", "ACK", "BYE"], "supported": ["timer", "100rel"],
      "server": 'a "b" (c)'}),
    (["404 Nicht gefunden"], {"status": 404, "reason": "Nicht gefunden", "allow": [], "server": None}),
    (["483 "], {"status": 483, "reason": ""}),
    (["302 Moved", "Contact: <sip:192.0.2.1>"], {"status": 302}),
    (["401 Unauthorized", 'WWW-Authenticate: Basic realm="x"'], {"status": 401}),
    (["603 Decline"], {"status": 603}),
    (["999 Beyond"], None),
]


def any_answer_to_options_is_told(lab):
    for (status, *lines), told in OPTIONS:
        if told is None:
            asked(lab, (status, lines, same), code=28, arguments=("-W", "300ms"))
            continue
        request, finished = asked(lab, ("100 Trying", [], same), (status, lines, same))
        equal("Accept", field(request, "Accept"), "application/sdp")
        found = finished.json()
        equal(f"told of {status}", {name: found[name] for name in told}, told)


def what_does_not_answer_options_is_ignored(lab):
    wrong = lambda line: line.replace("branch=z9hG4bK", "branch=z9hG4bKnot")
    finished = asked(lab, ("500 Wrong", [], wrong), ("200 OK", [], same))[1]
    equal("status", finished.json()["status"], 200)
    asked(lab, ("200 OK", [], wrong), code=28, arguments=("-W", "300ms"))


def options_with_credentials(lab):
    steps = [
        receive("OPTIONS"), challenge("407 Proxy Authentication Required", "Proxy-Authenticate"),
        receive("OPTIONS"), reply("200 OK"),
    ]
    with sipp.Sipp(lab, "options", steps) as peer:
        finished = lab.run(
            "options", f"sip:127.0.0.1:{peer.port}", "--user", f"{USER}@127.0.0.1:{peer.port}", "--output", "json",
            "-v").expect(0)
        peer.content_with(finished)
        given = credentials(field(peer.received()[1], "Proxy-Authorization"))
    equal("response", given["response"], digest_response("OPTIONS", given))
    equal("status", finished.json()["status"], 200)


CHECKS = [
    registrar_wants_longer, registrar_grants_less, each_refusal_of_a_registrar_has_its_code,
    any_answer_to_options_is_told, what_does_not_answer_options_is_ignored, options_with_credentials,
]
