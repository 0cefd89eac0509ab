"""sipcall against a TCP peer of a few lines: where messages begin and end in a stream, and connections that close."""

import time

from by_hand import LARGE, oddly_spelt, require_large
from lab import equal, require
from peer import SDP, StreamPeer, reply


def an_answered_call(lab, send):
    """One call whose INVITE is answered by `send` over the connection that it came by."""
    with StreamPeer() as peer, lab.calling(peer.port, "--talk", "0", transport="tcp") as running:
        send(peer, peer.receive("INVITE"))
        peer.receive("ACK")
        peer.hang_up()
        call = running.expect(0).json()
        equal("outcome", (call["outcome"]["kind"], call["outcome"]["status"]), ("answered", 200))
        return call


def answer(peer, invite, *lines):
    return reply(invite, "200 OK", peer.contact, *lines, body=SDP)


def two_messages_in_one_segment(lab):
    call = an_answered_call(
        lab, lambda peer, invite: peer.send(reply(invite, "180 Ringing", peer.contact) + answer(peer, invite)))
    require(call["times"]["ringing"], f"times: {call['times']}")


def an_octet_a_segment(lab):
    def send(peer, invite):
        for octet in answer(peer, invite):
            peer.send(octet)
            time.sleep(0.0005)

    an_answered_call(lab, send)


def a_message_and_a_half_then_the_rest(lab):
    def send(peer, invite):
        both = reply(invite, "180 Ringing", peer.contact) + answer(peer, invite)
        peer.send(both[:-len(SDP) - 10])
        time.sleep(0.1)
        peer.send(both[-len(SDP) - 10:])

    an_answered_call(lab, send)


def line_ends_between_messages(lab):
    def send(peer, invite):
        peer.send("\r\n" + reply(invite, "100 Trying") + "\r\n" + answer(peer, invite))

    an_answered_call(lab, send)


def a_60_kb_answer_by_stream(lab):
    require_large(an_answered_call(lab, lambda peer, invite: peer.send(answer(peer, invite, *LARGE))))


def odd_spelling_by_stream(lab):
    an_answered_call(lab, lambda peer, invite: peer.send(oddly_spelt(answer(peer, invite))))


def broken(lab, change):
    """A stream that cannot be cut into messages any more is given up, and so is the call; nothing hangs."""
    with StreamPeer() as peer, lab.calling(peer.port, transport="tcp") as running:
        invite = peer.receive("INVITE")
        peer.send(change(reply(invite, "180 Ringing", peer.contact)))
        equal("what follows", peer.socket.recv(100), b"")
        call = running.expect(8, within=5).json()
    equal("outcome", call["outcome"]["kind"], "violated")


def what_follows_the_body_ends_the_stream(lab):
    """What is longer than its length begins a message that is none. ACK and BYE get a connection of their own."""
    with StreamPeer() as peer, lab.calling(peer.port, "--talk", "300ms", transport="tcp") as running:
        peer.send(answer(peer, peer.receive("INVITE")) + "m=video 9 RTP/AVP 31\r\na=x\r\n\r\n")
        while peer.socket.recv(65535):
            pass
        peer.close()
        peer.receive("ACK")
        peer.hang_up()
        running.expect(0)


def no_length_ends_the_stream(lab):
    broken(lab, lambda message: message.replace("Content-Length: 0\r\n", ""))


def a_length_that_is_no_number_ends_the_stream(lab):
    broken(lab, lambda message: message.replace("Content-Length: 0", "Content-Length: none"))


def garbage_ends_the_stream(lab):
    broken(lab, lambda message: "HTTP/1.1 200 OK\r\nServer: none\r\n\r\n")


def closed_before_any_answer(lab):
    with StreamPeer() as peer, lab.calling(peer.port, transport="tcp") as running:
        peer.receive("INVITE")
        peer.close()
        outcome = running.expect(7, within=5).json()["outcome"]
    equal("outcome", outcome["kind"], "unreachable")
    require("closed it without an answer" in outcome["cause"], f"cause: {outcome['cause']}")


def closed_after_the_200_is_opened_again(lab):
    with StreamPeer() as peer, lab.calling(peer.port, "--talk", "500ms", transport="tcp") as running:
        peer.send(answer(peer, peer.receive("INVITE")))
        peer.close()
        # The ACK may have left into the closing connection; the BYE cannot.
        peer.hang_up(passing="ACK")
        call = running.expect(0).json()
    equal("outcome", (call["outcome"]["kind"], call["outcome"]["ended_by"]), ("answered", "local"))


def gone_after_the_200_is_told(lab):
    with StreamPeer() as peer, lab.calling(peer.port, "--talk", "500ms", transport="tcp") as running:
        invite = peer.receive("INVITE")
        peer.listener.close()
        peer.send(answer(peer, invite))
        peer.receive("ACK")
        peer.close()
        finished = running.expect(0, within=5)
    equal("outcome", finished.json()["outcome"]["kind"], "answered")


CHECKS = [
    two_messages_in_one_segment, an_octet_a_segment, a_message_and_a_half_then_the_rest, line_ends_between_messages,
    a_60_kb_answer_by_stream, odd_spelling_by_stream, what_follows_the_body_ends_the_stream, no_length_ends_the_stream,
    a_length_that_is_no_number_ends_the_stream, garbage_ends_the_stream, closed_before_any_answer,
    closed_after_the_200_is_opened_again, gone_after_the_200_is_told,
]
