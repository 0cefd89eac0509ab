"""What a callee may answer: SIPp refuses, redirects, rings, answers and hangs up, and both sides tell it alike."""

import sipp
from lab import equal, methods, of_method, require
from sipp import (
    ACCEPTED, ANSWERED, BYE, CONTACT, DIALOG, HELD, HUNG_UP, INVITED, SDP, header, late_reply, pause, play, receive, reply,
    request)

RINGING = reply("180 Ringing", *DIALOG)
# The status line, further lines, what rang before, and what it has to come to: kind and exit code.
REFUSALS = [
    ("302 Moved Temporarily", ["Contact: <sip:a@192.0.2.1>;q=0.7, <sip:b@192.0.2.2;transport=tcp>"], "", "redirected",
     22),
    ("400 Bad Request", [], "", "rejected", 22),
    ("403 Forbidden", [], "", "rejected", 22),
    ("404 Not Found", [], "", "rejected", 41),
    ("408 Request Timeout", [], "", "rejected", 22),
    ("420 Bad Extension", ["Unsupported: timer, 100rel"], "", "rejected", 22),
    ("423 Interval Too Brief", ["Min-Expires: 60"], "", "rejected", 22),
    ("480 Temporarily Unavailable", [], "", "rejected", 22),
    ("480 Temporarily Unavailable", [], RINGING, "no_answer", 43),
    ("486 Busy Here", [], "", "rejected", 42),
    ("486 Busy Here", [], RINGING, "rejected", 42),
    ("488 Not Acceptable Here", ['Warning: 305 example.com "no such codec"'], "", "rejected", 45),
    ("500 Server Internal Error", [], "", "rejected", 50),
    ("503 Service Unavailable", ["Retry-After: 120 (maintenance)"], "", "rejected", 50),
    ("603 Decline", ['Reason: Q.850;cause=21;text="call rejected"'], RINGING, "rejected", 44),
    ("699 Never Heard Of", [], "", "rejected", 50),
]


def refusal(status, lines, before, kind, code):
    number, reason = status.split(" ", 1)

    def check(lab):
        steps = [receive("INVITE", HELD), before, reply(status, *lines), receive("ACK")]
        call, received = play(lab, steps, code=code)
        equal("messages", methods(received), ["INVITE", "ACK"])
        told = {name: call["outcome"][name] for name in ("kind", "status", "reason")}
        equal("outcome", told, {"kind": kind, "status": int(number), "reason": reason})
        for name, value in (line.split(": ", 1) for line in lines):
            if name == "Contact":
                equal("contacts", call["outcome"]["contacts"], ["sip:a@192.0.2.1", "sip:b@192.0.2.2;transport=tcp"])
            elif name != "Min-Expires":
                kept = {"name": name, "value": value, "in": number}
                require(kept in call["headers_received"], f"no {name} in {call['headers_received']}")

    check.__name__ = f"refused_by_{number}" + ("_after_a_ring" if before else "")
    return check


def an_answer_at_once(lab):
    call, received = play(lab, [receive("INVITE", HELD), *ACCEPTED, HUNG_UP], "--talk", "0", code=0)
    equal("messages", methods(received), ["INVITE", "ACK", "BYE"])
    equal("outcome", (call["outcome"]["kind"], call["outcome"]["ended_by"]), ("answered", "local"))
    equal("never rang", (call["times"]["ringing"], call["ring_ms"]), (None, None))


def what_rings_in_many_ways_is_answered(lab):
    early = [reply(status, *DIALOG) for status in ("182 Queued, 3 before you", "181 Call Is Being Forwarded")]
    gone = reply("199 Early Dialog Terminated", *DIALOG, tag="other")
    steps = [receive("INVITE"), reply("100 Trying", tag=None), *early, gone, *ANSWERED, BYE]
    call, received = play(lab, steps, "--talk", "0", code=0)
    equal("messages", methods(received), ["INVITE", "ACK", "BYE"])
    times = call["times"]
    require(times["first_response"] <= times["ringing"] <= times["answered"], f"times: {times}")
    equal("X-CallUUID is told", [kept["in"] for kept in call["headers_received"]], ["182", "181", "199", "180", "200"])


def early_media_is_told(lab):
    steps = [receive("INVITE"), reply("183 Session Progress", *DIALOG, body=SDP), *ANSWERED, BYE]
    call, _ = play(lab, steps, "--talk", "0", code=0)
    times = call["times"]
    require(times["early_media"] and times["early_media"] <= times["answered"], f"times: {times}")
    equal("codec", call["media"]["codec"], "PCMU")


CANCELLED = receive("CANCEL") + reply("200 OK") + late_reply("487 Request Terminated") + receive("ACK")


def given_up(lab, steps, *arguments, code, kind):
    call, received = play(lab, steps, *arguments, code=code)
    equal("outcome", call["outcome"]["kind"], kind)
    equal("messages", methods(received), ["INVITE", "CANCEL", "ACK"])
    invite, cancel, ack = received
    branches = {message.split("branch=")[1].split(";")[0].split()[0] for message in (invite, cancel, ack)}
    equal("branches", len(branches), 1)
    equal("Request-URIs", len({message.split()[1] for message in received}), 1)
    return call


def ringing_too_long_is_cancelled(lab):
    call = given_up(lab, [INVITED, RINGING, CANCELLED], "--ring-timeout", "500ms", code=43, kind="no_answer")
    require(450 < call["ring_ms"] < 1500, f"ring_ms: {call['ring_ms']}")


def ringing_past_max_time_is_cancelled(lab):
    given_up(lab, [INVITED, RINGING, CANCELLED], "--max-time", "500ms", code=28, kind="no_answer")


def a_cancel_waits_for_a_provisional(lab):
    steps = [INVITED, pause(900), RINGING, CANCELLED]
    given_up(lab, steps, "--ring-timeout", "300ms", code=43, kind="no_answer")


def silence_after_trying_is_cancelled(lab):
    steps = [INVITED, reply("100 Trying", tag=None), CANCELLED]
    given_up(lab, steps, "--ring-timeout", "300ms", code=43, kind="no_answer")


def a_cancel_that_nobody_hears_holds_nobody(lab):
    steps = [INVITED, RINGING, receive("CANCEL"), pause(3000)]
    with sipp.Sipp(lab, "callee", steps) as peer:
        finished = lab.invite(peer.port, "--ring-timeout", "300ms").expect(43)
        peer.content_with(finished)
    # The limit, and two seconds for the callee to agree.
    require(2.2 < finished.seconds < 4, f"took {finished.seconds:.1f} s")


a_cancel_that_nobody_hears_holds_nobody.seconds = 3


CROSSED = [
    INVITED, RINGING, receive("CANCEL"), late_reply("200 OK", CONTACT, body=SDP), receive("ACK"), HUNG_UP,
]


def a_200_that_crosses_the_cancel_is_ended(lab):
    call, received = play(lab, CROSSED, "--ring-timeout", "300ms", code=43)
    equal("messages", methods(received), ["INVITE", "CANCEL", "ACK", "BYE"])
    equal("outcome", call["outcome"]["kind"], "no_answer")


def ctrl_c_while_it_rings(lab, steps, messages):
    with sipp.Sipp(lab, "callee", steps) as peer, lab.calling(peer.port) as running:
        sipp.wait_until("it rings", lambda: "SIP/2.0 180" in peer.text("messages"), peer.process)
        running.interrupt()
        finished = running.expect(130)
        peer.content_with(finished)
        equal("messages", methods(peer.received()), messages)
        outcome = finished.json()["outcome"]
        equal("outcome", (outcome["kind"], outcome["ended_by"]), ("cancelled", "local"))


def ctrl_c_cancels_what_rings(lab):
    ctrl_c_while_it_rings(lab, [INVITED, RINGING, CANCELLED], ["INVITE", "CANCEL", "ACK"])


def ctrl_c_that_crosses_a_200_ends_it(lab):
    ctrl_c_while_it_rings(lab, CROSSED, ["INVITE", "CANCEL", "ACK", "BYE"])


def callee_hangs_up(lab):
    steps = [INVITED, *ANSWERED, request("BYE", 1), sipp.answered(200)]
    call, received = play(lab, steps, "--talk", "15s", code=0)
    equal("messages", methods(received), ["INVITE", "ACK", "SIP/2.0"])
    equal("outcome", (call["outcome"]["kind"], call["outcome"]["ended_by"]), ("answered", "remote"))


def ended_for_its_session(lab, body):
    answer = reply("200 OK", CONTACT, body=body, attributes='retrans="500"')
    steps = [receive("INVITE"), answer, receive("ACK"), HUNG_UP]
    call, received = play(lab, steps, code=45)
    equal("messages", methods(received), ["INVITE", "ACK", "BYE"])
    equal("outcome", (call["outcome"]["kind"], call["outcome"]["status"]), ("violated", 200))


def an_answer_without_session_is_ended(lab):
    ended_for_its_session(lab, "")


def an_answer_without_a_codec_of_ours_is_ended(lab):
    strange = SDP.replace("RTP/AVP 0 101", "RTP/AVP 18").replace("rtpmap:0 PCMU", "rtpmap:18 G729")
    ended_for_its_session(lab, strange)


FORKED = [
    INVITED,
    *[reply("180 Ringing", *DIALOG, tag=tag) for tag in ("first", "second")],
    reply("200 OK", *DIALOG, tag="first", body=SDP), receive("ACK", header("To", "first", "acked")),
    late_reply("200 OK", *DIALOG, tag="second", body=SDP), receive("ACK", header("To", "second", "ackedtoo")),
    receive("BYE", header("To", "second", "ended")), reply("200 OK", tag=None),
    receive("BYE", header("To", "first", "endedtoo")), reply("200 OK", tag=None),
]


def two_forks_answer(lab):
    call, received = play(lab, FORKED, "--talk", "1s", code=0)
    equal("outcome", call["outcome"]["kind"], "answered")
    equal("BYEs", len(of_method("BYE", received)), 2)


CHECKS = [
    *(refusal(*row) for row in REFUSALS),
    an_answer_at_once, what_rings_in_many_ways_is_answered, early_media_is_told, ringing_too_long_is_cancelled, ringing_past_max_time_is_cancelled, a_cancel_waits_for_a_provisional,
    silence_after_trying_is_cancelled, a_cancel_that_nobody_hears_holds_nobody, a_200_that_crosses_the_cancel_is_ended,
    ctrl_c_cancels_what_rings, ctrl_c_that_crosses_a_200_ends_it,
    callee_hangs_up, an_answer_without_session_is_ended, an_answer_without_a_codec_of_ours_is_ended, two_forks_answer,
]
