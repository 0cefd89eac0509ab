"""sipcall against a UDP peer of a few lines: silence, closed ports, copies, and datagrams not as they should be."""

import re

from lab import equal, fields, free_port, methods, require
from peer import SDP, Peer, reply


def silence(lab, *arguments, least, most):
    with Peer() as peer:
        finished = lab.invite(peer.port, *arguments, within=most + 5).expect(28)
        copies = [message for message in peer.drain() if message.startswith("INVITE ")]
    require(least < finished.seconds < most, f"took {finished.seconds:.1f} s")
    equal("outcome", finished.json()["outcome"]["kind"], "no_answer")
    equal("different copies", len(set(copies)), 1)
    return copies


def silence_ends_after_64_t1(lab):
    # At 0, 0.5, 1.5, ... 31.5 s: RFC 3261 §17.1.1.2.
    equal("copies", len(silence(lab, least=31.9, most=34)), 7)


silence_ends_after_64_t1.seconds = 32


def silence_ends_at_max_time(lab):
    # The limit, and two seconds in which a late provisional could still be cancelled.
    copies = silence(lab, "--max-time", "2s", least=1.9, most=4.5)
    require(len(copies) >= 3, f"{len(copies)} copies")


silence_ends_at_max_time.seconds = 4


def closed_port(lab, transport):
    finished = lab.invite(free_port(), transport=transport).expect(7)
    require(finished.seconds < 1, f"took {finished.seconds:.1f} s")
    equal("outcome", finished.json()["outcome"]["kind"], "unreachable")


def closed_udp_port_is_told_at_once(lab):
    closed_port(lab, "udp")


def closed_tcp_port_is_told_at_once(lab):
    closed_port(lab, "tcp")


def each_copy_of_a_200_gets_its_ack(lab):
    with Peer() as peer, lab.calling(peer.port, "--talk", "1s") as running:
        invite = peer.receive("INVITE")
        acks = []
        for _ in range(3):
            peer.answer(invite)
            acks.append(peer.receive("ACK"))
        equal("different ACKs", len(set(acks)), 1)
        peer.hang_up()
        call = running.expect(0).json()
    equal("copies received", call["retransmissions"]["received"], 2)


def callee_hangs_up_before_the_ack(lab):
    with Peer() as peer, lab.calling(peer.port, "--talk", "15s") as running:
        invite = peer.receive("INVITE")
        peer.answer(invite)
        (uri,) = re.findall("<(.*)>", fields(invite, "Contact")[0])
        peer.send("\r\n".join([
            f"BYE {uri} SIP/2.0", f"Via: SIP/2.0/UDP 127.0.0.1:{peer.port};branch=z9hG4bKbye", "Max-Forwards: 70",
            f"From: {fields(invite, 'To')[0]};tag=callee", f"To: {fields(invite, 'From')[0]}",
            f"Call-ID: {fields(invite, 'Call-ID')[0]}", "CSeq: 1 BYE", "Content-Length: 0", "", ""]))
        peer.receive("ACK")
        require(peer.receive("SIP/2.0").startswith("SIP/2.0 200"), "the BYE was refused")
        call = running.expect(0).json()
    equal("outcome", (call["outcome"]["kind"], call["outcome"]["ended_by"]), ("answered", "remote"))


def a_lost_200_to_our_bye_is_asked_for_again(lab):
    with Peer() as peer, lab.calling(peer.port, "--talk", "0") as running:
        peer.answer(peer.receive("INVITE"))
        peer.receive("ACK")
        first = peer.receive("BYE")
        again = peer.receive("BYE")
        equal("the same BYE", first, again)
        peer.reply(again, "200 OK")
        running.expect(0)


def an_answered_call(lab, send):
    """One call whose INVITE is answered by `send`, and which then goes as calls go."""
    with Peer() as peer, lab.calling(peer.port, "--talk", "0") as running:
        send(peer, peer.receive("INVITE"))
        ack = peer.receive("ACK")
        peer.hang_up()
        call = running.expect(0).json()
        equal("outcome", (call["outcome"]["kind"], call["outcome"]["status"]), ("answered", 200))
        return call, ack


def an_answer_from_another_port_is_taken(lab):
    def send(peer, invite):
        with Peer() as other:
            other.caller = peer.caller
            other.reply(invite, "200 OK", peer.contact, body=SDP)

    an_answered_call(lab, send)


def a_target_at_another_port_is_followed(lab):
    with Peer() as first, Peer() as second, lab.calling(first.port, "--talk", "0") as running:
        first.reply(first.receive("INVITE"), "200 OK", second.contact, body=SDP)
        second.receive("ACK")
        second.hang_up()
        running.expect(0)


def our_address_is_what_the_challenge_shows(lab):
    """RFC 3581: behind a NAT the first INVITE cannot know its Contact, the one with credentials can."""
    asked = 'WWW-Authenticate: Digest realm="example.com", nonce="4e4f", qop="auth"'
    seen = lambda line: line.replace(";rport;", ";received=203.0.113.7;rport=4711;")
    with Peer() as peer, lab.calling(peer.port, "--talk", "0") as running:
        first = peer.receive("INVITE")
        peer.reply(first, "401 Unauthorized", asked, change=seen)
        peer.receive("ACK")
        second = peer.receive("INVITE")
        (before,), (after,) = fields(first, "Contact"), fields(second, "Contact")
        require("203.0.113.7" not in before and "@203.0.113.7:4711" in after, f"Contact: {before}, then {after}")
        peer.reply(second, "200 OK", peer.contact, body=SDP, change=seen)
        peer.receive("ACK")
        peer.hang_up()
        call = running.expect(0).json()
    equal("nat", call["nat"], {"received": "203.0.113.7", "rport": 4711})


def what_answers_nothing_of_ours_is_ignored(lab):
    changes = [
        lambda line: line.replace("branch=z9hG4bK", "branch=z9hG4bKnot"),
        lambda line: line.replace(" INVITE", " OPTIONS") if line.startswith("CSeq") else line,
    ]

    def send(peer, invite):
        for change in changes:
            peer.reply(invite, "486 Busy Here", change=change)
        peer.send("\r\n\r\n")
        peer.send("SIP/2.0 486 Busy Here\r\n\r\n")
        peer.send("what is this?")
        peer.send("SIP/3.0 486 Busy Here\r\n" + reply(invite, "486 Busy Here").split("\r\n", 1)[1])
        peer.answer(invite)

    an_answered_call(lab, send)


def the_branch_alone_tells_what_a_response_answers(lab):
    """RFC 3261 §17.1.3 asks for no Call-ID: a gateway that spoils it has answered all the same."""
    with Peer() as peer, lab.calling(peer.port) as running:
        spoilt = lambda line: line + "x" if line.startswith("Call-ID") else line
        peer.reply(peer.receive("INVITE"), "486 Busy Here", change=spoilt)
        peer.receive("ACK")
        running.expect(42)


def a_body_that_is_cut_short_is_no_answer(lab):
    """RFC 3261 §18.3: such a response is discarded; its copy that is whole is the answer."""
    def send(peer, invite):
        peer.answer(invite, length=len(SDP) + 1)
        equal("ACK to what was cut short", methods(peer.drain(0.2)), [])
        peer.answer(invite)

    an_answered_call(lab, send)


def what_is_cut_short_for_ever_is_told_as_unreadable(lab):
    with Peer() as peer, lab.calling(peer.port, "--max-time", "1s") as running:
        peer.answer(peer.receive("INVITE"), length=len(SDP) + 1)
        finished = running.expect(28)
    require("Content-Length" in finished.err, f"nothing about Content-Length in:\n{finished.err}")


def what_follows_the_body_is_ignored(lab):
    body = SDP + "m=video 9 RTP/AVP 31\r\nx"
    call, _ = an_answered_call(lab, lambda peer, invite: peer.answer(invite, body=body, length=len(SDP)))
    equal("codec", call["media"]["codec"], "PCMU")


def a_body_without_a_length_ends_with_its_datagram(lab):
    def send(peer, invite):
        whole = reply(invite, "200 OK", peer.contact, body=SDP)
        peer.send(whole.replace(f"Content-Length: {len(SDP)}\r\n", ""))

    an_answered_call(lab, send)


# What makes an answer nearly as large as a UDP datagram can be: 65,507 octets.
LARGE = [f"X-Filler: {number} {'x' * 7900}" for number in range(8)]


def require_large(call):
    kept = [header["value"] for header in call["headers_received"]]
    equal("large header fields", kept, [line.split(": ")[1] for line in LARGE])


def a_60_kb_answer_fits_a_datagram(lab):
    require_large(an_answered_call(lab, lambda peer, invite: peer.answer(invite, *LARGE))[0])


ODD_NAMES = {
    "Via": "v", "From": "f", "To": "t", "Call-ID": "i", "Contact": "m", "Content-Type": "c", "Content-Length": "l"}


def oddly_spelt(message):
    """The same message as RFC 3261 §7.3.1 and RFC 4475 §3.1.1.1 allow it, too."""
    head, _, body = message.partition("\r\n\r\n")
    first, *lines = head.split("\r\n")
    odd = []
    for number, line in enumerate(lines):
        name, value = line.split(": ", 1)
        name = ODD_NAMES.get(name, name.upper()) if number % 2 else name.swapcase()
        odd.append(f"{name} \t:\t {value}" if number % 3 else f"{name}:\r\n {value}\r\n\t ")
    return "\r\n".join([first.split(" ", 2)[0] + " 200 ", *odd, "X-Empty:", "", body])


def odd_spelling_is_read(lab):
    def send(peer, invite):
        peer.send(oddly_spelt(reply(invite, "200 OK", peer.contact, body=SDP)))

    _, ack = an_answered_call(lab, send)
    require(";tag=callee" in fields(ack, "To")[0], f"To of the ACK: {fields(ack, 'To')}")


CHECKS = [
    silence_ends_after_64_t1, silence_ends_at_max_time, closed_udp_port_is_told_at_once, closed_tcp_port_is_told_at_once,
    each_copy_of_a_200_gets_its_ack, callee_hangs_up_before_the_ack, a_lost_200_to_our_bye_is_asked_for_again, an_answer_from_another_port_is_taken,
    a_target_at_another_port_is_followed, our_address_is_what_the_challenge_shows,
    what_answers_nothing_of_ours_is_ignored, the_branch_alone_tells_what_a_response_answers, a_body_that_is_cut_short_is_no_answer,
    what_is_cut_short_for_ever_is_told_as_unreadable, what_follows_the_body_is_ignored,
    a_body_without_a_length_ends_with_its_datagram, a_60_kb_answer_fits_a_datagram, odd_spelling_is_read,
]
