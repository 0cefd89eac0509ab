"""sipcall and a phone that others wrote, baresip: direct, and registered at Kamailio."""

import contextlib
import re
from concurrent.futures import ThreadPoolExecutor

from baresip import HANG_UP, HOLD, RESUME, Baresip
from kamailio import Kamailio
from lab import USER, Failed, equal, free_port, methods, require, wait_until
from voices import NAMES, SECONDS, Voices, media_of
from with_kamailio import ended, hops, listening, registered


def beside(phone, keys, call):
    """Runs a call while somebody presses the keys of the phone."""
    with ThreadPoolExecutor() as aside:
        pressed = aside.submit(keys, phone)
        finished = call()
        require(not pressed.exception(), f"{pressed.exception()}\n{finished.err}\n{phone.told()}")
        return finished


def baresip_answers(lab, transport):
    with Baresip(lab) as phone:
        call = lab.invite(phone.port, "--talk", "500ms", "--require-rtp", transport=transport).expect(0).json()
        require(call["media"]["received"]["packets"] > 10, f"its tone did not arrive: {call['media']}")
        equal("ended_by", call["outcome"]["ended_by"], "local")
        equal("methods", methods(phone.received()), ["INVITE", "ACK", "BYE"])
        require("X-PH-Test: Sample" in phone.received()[0], phone.received()[0])


def baresip_answers_over_udp(lab):
    baresip_answers(lab, "udp")


def baresip_answers_over_tcp(lab):
    baresip_answers(lab, "tcp")


def baresip_is_busy(lab):
    def refuse(phone):
        phone.wait_for("180 Ringing")
        phone.press(HANG_UP)

    with Baresip(lab, answermode="manual") as phone:
        call = beside(phone, refuse, lambda: lab.invite(phone.port)).expect(42).json()
        equal("status", call["outcome"]["status"], 486)


def directions_answered(phone):
    """What we answered to each re-INVITE of the phone, or to its INVITE."""
    answers = [message for message in phone.received() if message.startswith("SIP/2.0 200 ") and " INVITE" in message]
    return re.findall(r"^a=(send\w+|recvonly|inactive)", "".join(answers), re.MULTILINE)


def holds_resumes_and_hangs_up(phone):
    phone.wait_for("Call established")
    before = directions_answered(phone)
    for key, answer in ((HOLD, "recvonly"), (RESUME, "sendrecv")):
        phone.press(key)
        before.append(answer)
        wait_until(f"{before} is answered", lambda: directions_answered(phone) == before, phone.process)
    phone.press(HANG_UP)


def holds_and_hangs_up(lab, transport):
    """Everything within the call comes from the callee, and through the route that the proxy recorded."""
    with Kamailio(lab, "auth", "record") as proxy, Baresip(lab, registrar=proxy.port, transport=transport) as phone:
        call = lambda: lab.invite(proxy.port, "--talk", "15s", transport=transport)
        call = beside(phone, holds_resumes_and_hangs_up, call).expect(0).json()
        equal("ended_by", call["outcome"]["ended_by"], "remote")
        equal("through the proxy", (proxy.seen("INVITE"), proxy.seen("BYE")), ([transport] * 4, [transport]))


def baresip_at_kamailio_holds_and_hangs_up_over_udp(lab):
    holds_and_hangs_up(lab, "udp")


def baresip_at_kamailio_holds_and_hangs_up_over_tcp(lab):
    holds_and_hangs_up(lab, "tcp")


def out_of_the_route(lab, transport):
    """A proxy that records no route: ACK and BYE go to the phone itself. SIPp would send its answers to the proxy."""
    with Kamailio(lab, "auth") as proxy, Baresip(lab, registrar=proxy.port, transport=transport) as phone:
        call = lab.invite(proxy.port, "--talk", "0", transport=transport).expect(0).json()
        equal("route_set", call["route_set"], [])
        equal("copies", call["retransmissions"], {"sent": 0, "received": 0})
        equal("requests within the call at the proxy", (proxy.seen("ACK"), proxy.seen("BYE")), ([], []))
        equal("hops of ACK and BYE", (hops(phone.received(), "ACK"), hops(phone.received(), "BYE")), ([1], [1]))


def baresip_called_by_a_proxy_out_of_the_route_over_udp(lab):
    out_of_the_route(lab, "udp")


def baresip_called_by_a_proxy_out_of_the_route_over_tcp(lab):
    out_of_the_route(lab, "tcp")


def baresip_at_kamailio_rings_too_long(lab):
    with Kamailio(lab, "auth") as proxy, Baresip(lab, answermode="manual", registrar=proxy.port) as phone:
        call = lab.invite(proxy.port, "--ring-timeout", "500ms").expect(43).json()
        equal("outcome", call["outcome"]["kind"], "no_answer")
        equal("methods", methods(phone.received())[2:], ["INVITE", "CANCEL", "ACK"])


@contextlib.contextmanager
def calling_us(lab, *arguments, transport="udp"):
    """The phone calls us, with nobody between."""
    port = free_port()
    with Baresip(lab, transport=transport) as phone, \
            listening(lab, "--no-register", "--bind", f"127.0.0.1:{port}", *arguments) as ours:
        phone.dial(port)
        yield phone, ours


def called_held_and_hung_up(lab, transport):
    with calling_us(lab, transport=transport) as (phone, ours):
        holds_resumes_and_hangs_up(phone)
        call = ended(ours)
        equal("direction, end", (call["direction"], call["outcome"]["ended_by"]), ("inbound", "remote"))
        equal("transport", call["transport"], transport)


def baresip_calls_us_over_udp(lab):
    called_held_and_hung_up(lab, "udp")


def baresip_calls_us_over_tcp(lab):
    called_held_and_hung_up(lab, "tcp")


def baresip_calls_us_and_we_hang_up(lab):
    with calling_us(lab, "--talk", "300ms") as (phone, ours):
        equal("ended_by", ended(ours)["outcome"]["ended_by"], "local")
        equal("methods", methods(phone.received())[-1], "BYE")


def baresip_calls_us_and_we_are_busy(lab):
    with calling_us(lab, "--reject", "486") as (phone, ours):
        phone.wait_for("session closed: 486 ")
        ours.expect(42)
        equal("refused", [event["status"] for event in ours.events("refused")], [486])


def baresip_calls_us_and_gives_up(lab):
    with calling_us(lab, "--answer-after", "20s") as (phone, ours):
        phone.wait_for("SIP/2.0 180 ")
        phone.press(HANG_UP)
        phone.wait_for("SIP/2.0 487 ")
        ours.expect(43)
        equal("taken back", len(ours.events("cancelled")), 1)


def baresip_at_kamailio_calls_us(lab):
    with Kamailio(lab, "auth", "record") as proxy, Baresip(lab, registrar=proxy.port, transport="tcp") as phone, \
            registered(lab, proxy, user=USER) as ours:
        phone.dial(proxy.port)
        holds_resumes_and_hangs_up(phone)
        call = ended(ours)
        equal("ended_by", call["outcome"]["ended_by"], "remote")
        equal("routes", len(call["route_set"]), 2)


KEYS = "0123456789*#"  # Its keyboard has no letters.


def talking_phone(lab, voices, **more):
    theirs = lab.path("theirs.wav")
    voices.write(theirs, 1)
    return Baresip(lab, plays=theirs, rate=voices.rate, codec=NAMES[voices.codec], **more)


def both_talk(lab, codec, *arguments, srtp=False):
    """Both talk at once, and each hears the other; we hang up."""
    voices = Voices(lab, codec)
    with talking_phone(lab, voices, srtp=srtp) as phone:
        arguments = [*voices.arguments(), "--talk", f"{SECONDS + 1}s", "--require-rtp", *arguments]
        media = media_of(lab.invite(phone.port, "--codec", NAMES[codec].lower(), *arguments).expect(0).json(), codec)
        voices.heard("our voice at baresip", phone.heard(), 0)
        voices.heard_by_us("the phone", 1)
        return media


def baresip_and_we_talk_pcmu(lab):
    both_talk(lab, "ulaw")


def baresip_and_we_talk_g722(lab):
    both_talk(lab, "g722")


def baresip_and_we_talk_srtp(lab):
    require(both_talk(lab, "ulaw", "--srtp-in-clear", "--srtp", "required", srtp=True)["srtp"], "no suite is told")


def calls_us_and_both_talk(lab, codec, *arguments, srtp=False):
    voices, port = Voices(lab, codec), free_port()
    with talking_phone(lab, voices, srtp=srtp) as phone, listening(
            lab, "--no-register", "--bind", f"127.0.0.1:{port}", *voices.arguments(), "--talk", f"{SECONDS + 1}s",
            *arguments) as ours:
        phone.dial(port)
        media = media_of(ended(ours), codec)
        voices.heard("our voice at baresip", phone.heard(), 0)
        voices.heard_by_us("the phone", 1)
        return media


def baresip_calls_us_and_both_talk_pcma(lab):
    calls_us_and_both_talk(lab, "alaw")


def baresip_calls_us_and_both_talk_srtp(lab):
    require(calls_us_and_both_talk(lab, "ulaw", "--srtp-in-clear", "--srtp", "required", srtp=True)["srtp"], "no suite is told")


def baresip_hears_its_own_echo(lab):
    """What it says comes back to it from `listen --echo`."""
    voices, port = Voices(lab, "ulaw"), free_port()
    with talking_phone(lab, voices) as phone, listening(
            lab, "--no-register", "--bind", f"127.0.0.1:{port}", "--echo", "--talk", f"{SECONDS + 1}s") as ours:
        phone.dial(port)
        media_of(ended(ours), "ulaw")
        voices.heard("its echo", phone.heard(), 1)


def pressed_at_baresip(lab, way):
    with Baresip(lab) as phone:
        with lab.calling(phone.port, "--dtmf", f"w{KEYS}", "--dtmf-mode", way, "--talk", "30s") as call:
            told = lambda: phone.keys()[("rtp", "info").index(way)]
            try:
                wait_until("the keys arrive", lambda: len(told()) >= len(KEYS), call.process, within=20)
            except Failed as failed:
                raise Failed(f"{failed}: {phone.keys()}") from failed
            call.interrupt()
            call.expect(130)
        equal("keys", told(), KEYS)


def baresip_hears_our_keys_by_rtp(lab):
    pressed_at_baresip(lab, "rtp")


def baresip_hears_our_keys_by_info(lab):
    pressed_at_baresip(lab, "info")


def baresip_presses_keys(lab):
    with calling_us(lab) as (phone, ours):
        phone.wait_for("Call established")
        phone.press(KEYS)
        wait_until("the keys arrive", lambda: len(ours.events("dtmf")) >= len(KEYS), ours.process, within=20)
        phone.press(HANG_UP)
        ended(ours)
        told = ours.events("dtmf")
        equal("keys", "".join(event["digit"] for event in told), KEYS)
        equal("how", {event["how"] for event in told}, {"rtp"})


CHECKS = [
    baresip_answers_over_udp, baresip_answers_over_tcp, baresip_is_busy, baresip_at_kamailio_holds_and_hangs_up_over_udp,
    baresip_at_kamailio_holds_and_hangs_up_over_tcp, baresip_called_by_a_proxy_out_of_the_route_over_udp,
    baresip_called_by_a_proxy_out_of_the_route_over_tcp, baresip_at_kamailio_rings_too_long,
    baresip_calls_us_over_udp, baresip_calls_us_over_tcp, baresip_calls_us_and_we_hang_up, baresip_calls_us_and_we_are_busy,
    baresip_calls_us_and_gives_up, baresip_at_kamailio_calls_us, baresip_and_we_talk_pcmu, baresip_and_we_talk_g722,
    baresip_and_we_talk_srtp, baresip_calls_us_and_both_talk_pcma, baresip_calls_us_and_both_talk_srtp,
    baresip_hears_its_own_echo, baresip_hears_our_keys_by_rtp, baresip_hears_our_keys_by_info, baresip_presses_keys,
]
