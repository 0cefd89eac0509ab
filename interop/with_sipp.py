"""sipcall against SIPp: what each of the two says of the same call."""

import sipp
from lab import credentials, digest_response, equal, require, USER


def play(lab, name, steps, *arguments, code, transport="udp"):
    """One call into a scenario: both sides must be content. Returns the call as JSON and what reached SIPp."""
    with sipp.Sipp(lab, name, steps, transport) as peer:
        finished = lab.invite(peer.port, *arguments, transport=transport).expect(code)
        require(peer.code() == 0, f"SIPp: exit code {peer.process.returncode}\n{peer.text('errors')}\n{finished.err}")
        return finished.json(), peer.received()


def invites(received):
    return [message for message in received if message.startswith("INVITE ")]


def field(message, name):
    values = [line.split(":", 1)[1].strip() for line in message.splitlines() if line.startswith(f"{name}:")]
    equal(f"{name} fields", len(values), 1)
    return values[0]


def digest_and_record_route(lab, transport):
    call, received = play(lab, "digest", sipp.DIGEST, "--talk", "0", code=0, transport=transport)
    equal("auth", call["auth"], {"rounds": 1, "realm": sipp.REALM, "algorithm": "MD5"})
    equal("transport", call["transport"], transport)
    require(call["route_set"][0].endswith(";lr=on"), f"route_set: {call['route_set']}")
    for message in invites(received):
        equal("X-PH-Test", field(message, "X-PH-Test"), "Sample")


def digest_and_record_route_over_udp(lab):
    digest_and_record_route(lab, "udp")


def digest_and_record_route_over_tcp(lab):
    digest_and_record_route(lab, "tcp")


def challenged_by_a_proxy(lab):
    _, received = play(lab, "proxy", sipp.PROXY_DIGEST, "--talk", "0", code=0)
    first, second = invites(received)
    require("Proxy-Authorization" not in first, "credentials before the challenge")
    given = credentials(field(second, "Proxy-Authorization"))
    equal("username", given["username"], USER)
    equal("response", given["response"], digest_response("INVITE", given))


def stale_nonce_is_answered_again(lab):
    call, received = play(lab, "stale", sipp.STALE, "--talk", "0", code=0)
    equal("INVITEs", len(invites(received)), 3)
    equal("rounds", call["auth"]["rounds"], 2)


def refused_for_ever_is_tried_once_more(lab):
    call, received = play(lab, "refused", sipp.REFUSED, code=40)
    equal("INVITEs", len(invites(received)), 2)
    equal("outcome", call["outcome"]["kind"], "auth_failed")


def busy(lab):
    call, _ = play(lab, "busy", sipp.BUSY, code=42)
    equal("status", call["outcome"]["status"], 486)


def ringing_too_long_is_cancelled(lab):
    call, received = play(lab, "ringing", sipp.RINGING, "--ring-timeout", "500ms", code=43)
    equal("outcome", call["outcome"]["kind"], "no_answer")
    equal("methods", [message.split()[0] for message in received], ["INVITE", "CANCEL", "ACK"])


def callee_hangs_up(lab):
    call, _ = play(lab, "callee-ends", sipp.CALLEE_ENDS, "--talk", "15s", code=0)
    equal("ended_by", call["outcome"]["ended_by"], "remote")


def two_forks_answer(lab):
    call, received = play(lab, "forked", sipp.FORKED, "--talk", "1s", code=0)
    equal("outcome", call["outcome"]["kind"], "answered")
    equal("BYEs", sum(message.startswith("BYE ") for message in received), 2)


def registrar_wants_longer(lab):
    with sipp.Sipp(lab, "registrar", sipp.REGISTRAR) as peer:
        finished = lab.run("register", f"{USER}@127.0.0.1:{peer.port}", "--expires", "60s", "--once", "--output",
                           "json", "-v").expect(0)
        require(peer.code() == 0, f"SIPp: exit code {peer.process.returncode}\n{peer.text('errors')}\n{finished.err}")
    equal("expires", finished.json()["expires"], 1800)


CHECKS = [
    digest_and_record_route_over_udp, digest_and_record_route_over_tcp, challenged_by_a_proxy,
    stale_nonce_is_answered_again, refused_for_ever_is_tried_once_more, busy, ringing_too_long_is_cancelled,
    callee_hangs_up, two_forks_answer, registrar_wants_longer,
]
