"""Challenges: SIPp asks for credentials, and what it got is computed once more with hashlib."""

from lab import credentials, digest_response, equal, field, methods, numbers, of_method, require, USER
from sipp import (
    ANSWERED, BYE, DIGEST, HELD, NONCE, REALM, UNLESS_VERIFIED, VERIFIED, challenge, header, pause, play, receive)

PROXY = ("407 Proxy Authentication Required", "Proxy-Authenticate")
ASKED = [receive("INVITE"), challenge(), receive("ACK")]
TAKEN = [receive("INVITE", HELD), *ANSWERED, BYE]


def require_right(message, name="Authorization", **wanted):
    """The credentials of an INVITE are what hashlib makes of them, and have these parameters."""
    given = credentials(field(message, name))
    response = digest_response("INVITE", given)
    wanted = {"username": USER, "realm": REALM, "uri": message.split()[1], "response": response} | wanted
    equal("credentials", {name: given.get(name) for name in wanted}, wanted)


def verified_by_sipp(lab, transport):
    call, received = play(lab, DIGEST, "--talk", "0", code=0, transport=transport)
    equal("auth", call["auth"], {"rounds": 1, "realm": REALM, "algorithm": "MD5"})
    equal("transport", call["transport"], transport)
    require(call["route_set"][0].endswith(";lr=on"), f"route_set: {call['route_set']}")
    invites = of_method("INVITE", received)
    equal("CSeq", numbers(invites), [0, 1])
    require_right(invites[1])
    for message in invites:
        equal("X-PH-Test", field(message, "X-PH-Test"), "Sample")


def digest_and_record_route_over_udp(lab):
    verified_by_sipp(lab, "udp")


def digest_and_record_route_over_tcp(lab):
    verified_by_sipp(lab, "tcp")


def challenged_by_a_proxy(lab):
    _, received = play(lab, [receive("INVITE"), challenge(*PROXY), receive("ACK"), *TAKEN], "--talk", "0", code=0)
    first, second = of_method("INVITE", received)
    require("Proxy-Authorization" not in first, "credentials before the challenge")
    require_right(second, "Proxy-Authorization")


def twice_challenged(value=None):
    return [
        receive("INVITE"), challenge(*PROXY), receive("ACK"),
        receive("INVITE"), challenge(value=value), receive("ACK"),
    ]


def challenged_by_proxy_and_callee(lab):
    # With one codec both credentials fit into a datagram: no number is used up by a try over TCP.
    call, received = play(lab, [*twice_challenged(), *TAKEN], "--talk", "0", "--codec", "pcmu", code=0)
    both = of_method("INVITE", received)[2]
    # RFC 3261 §22.3: what the proxy wants is still there when the callee gets what it wants.
    require_right(both, "Proxy-Authorization", nc="00000002")
    require_right(both, "Authorization", nc="00000001")
    equal("rounds", call["auth"]["rounds"], 2)


def a_callee_of_another_realm_than_the_account_gets_none(lab):
    other = f'Digest realm="elsewhere.example", nonce="{NONCE}", qop="auth"'
    call, received = play(lab, [*twice_challenged(other), pause(300)], code=40)
    equal("messages", methods(received), ["INVITE", "ACK"] * 2)
    equal("outcome", (call["outcome"]["kind"], call["outcome"]["status"]), ("auth_failed", 401))
    require("realm" in call["outcome"]["cause"], f"cause: {call['outcome']['cause']}")


def a_callee_of_another_realm_gets_what_the_account_allows(lab):
    with open(lab.path("realms.toml"), "w", encoding="utf-8") as file:
        file.write(f'[account.work]\nuri = "sip:{USER}@127.0.0.1"\nrealms = "{REALM}, elsewhere.example"\n')
    other = f'Digest realm="elsewhere.example", nonce="{NONCE}", qop="auth"'
    options = ["--talk", "0", "--codec", "pcmu", "--config", lab.path("realms.toml"), "--account", "work"]
    _, received = play(lab, [*twice_challenged(other), *TAKEN], *options, code=0)
    both = of_method("INVITE", received)[2]
    require_right(both, "Proxy-Authorization", nc="00000002")
    require_right(both, "Authorization", nc="00000001", realm="elsewhere.example")


def answered_challenge(lab, values, **wanted):
    """One call whose callee makes these challenges at once: the credentials are right, and of that kind."""
    steps = [receive("INVITE"), challenge(value="\nWWW-Authenticate: ".join(values)), receive("ACK"), *TAKEN]
    call, received = play(lab, steps, "--talk", "0", code=0)
    require_right(of_method("INVITE", received)[1], **wanted)
    equal("algorithm", call["auth"]["algorithm"], wanted.get("algorithm") or "MD5")


def offered(algorithm, more=', qop="auth,auth-int"'):
    return f'Digest realm="{REALM}", nonce="{NONCE}", algorithm={algorithm}, opaque="5ccc"{more}'


def a_challenge_of_rfc_2069_has_no_qop(lab):
    bare = f'Digest realm="{REALM}", nonce="{NONCE}"'
    answered_challenge(lab, [bare], qop=None, nc=None, cnonce=None, algorithm=None, opaque=None)


def sha_256_alone(lab):
    answered_challenge(lab, [offered("SHA-256")], algorithm="SHA-256", qop="auth", opaque="5ccc")


def sha_256_before_md5(lab):
    answered_challenge(lab, [offered("SHA-256"), offered("MD5")], algorithm="SHA-256")


def sha_256_after_md5(lab):
    answered_challenge(lab, [offered("MD5"), offered("SHA-256")], algorithm="SHA-256")


def basic_beside_digest_is_passed_over(lab):
    answered_challenge(lab, [f'Basic realm="{REALM}"', offered("MD5")], algorithm="MD5", opaque="5ccc")


def stale_nonce_is_answered_again(lab):
    fresh = header("Authorization", "4e4f4e4345", "fresh")
    steps = [
        *ASKED, receive("INVITE", VERIFIED), UNLESS_VERIFIED, challenge(nonce="4e4f4e4345", more=", stale=true"),
        receive("ACK"), receive("INVITE", fresh, HELD), *ANSWERED, BYE,
    ]
    call, received = play(lab, steps, "--talk", "0", code=0)
    equal("INVITEs", len(of_method("INVITE", received)), 3)
    equal("rounds", call["auth"]["rounds"], 2)


def refused_for_ever_is_tried_once_more(lab):
    call, received = play(lab, [*ASKED, *ASKED, pause(500)], code=40)
    equal("messages", methods(received), ["INVITE", "ACK"] * 2)
    equal("outcome", (call["outcome"]["kind"], call["outcome"]["status"]), ("auth_failed", 401))


def stale_for_ever_is_not_asked_for_ever(lab):
    again = [receive("INVITE"), challenge(nonce="[call_number][timestamp]", more=", stale=true"), receive("ACK")]
    call, received = play(lab, [*ASKED, *again, *again, pause(500)], code=40)
    equal("INVITEs", len(of_method("INVITE", received)), 3)
    equal("outcome", call["outcome"]["kind"], "auth_failed")


CHECKS = [
    digest_and_record_route_over_udp, digest_and_record_route_over_tcp, challenged_by_a_proxy,
    challenged_by_proxy_and_callee, a_callee_of_another_realm_than_the_account_gets_none,
    a_callee_of_another_realm_gets_what_the_account_allows,
    a_challenge_of_rfc_2069_has_no_qop, sha_256_alone, sha_256_before_md5, sha_256_after_md5,
    basic_beside_digest_is_passed_over, stale_nonce_is_answered_again, refused_for_ever_is_tried_once_more,
    stale_for_ever_is_not_asked_for_ever,
]
