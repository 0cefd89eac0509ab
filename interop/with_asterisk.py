"""Audio, digits and SRTP between sipcall and an Asterisk that echoes, plays, listens and presses keys."""

import contextlib

from asterisk import KEYS, Asterisk
from lab import Failed, equal, free_port, require, wait_until
from recorded import Capture
from voices import NAMES, SECONDS, Voices, media_of
from with_kamailio import ended, listening

WAYS = {"rtp": "rfc4733", "info": "info", "inband": "inband"}


def calling(lab, exchange, do, *arguments):
    codec = NAMES[exchange.codec].lower()
    return lab.start(
        "invite", f"sip:{do}@127.0.0.1:{exchange.port};transport={exchange.transport}", "--no-register", "--no-store",
        "--output", "json", "-v", "--codec", codec, *arguments)


@contextlib.contextmanager
def called(lab, exchange, do, *arguments):
    """The exchange calls us, and does that."""
    port = free_port()
    with listening(lab, "--no-register", "--bind", f"127.0.0.1:{port}", *arguments) as ours:
        exchange.dial(port, do)
        yield ours


def echoed(lab, codec, transport="udp", srtp=False, arguments=()):
    """What we say is heard there, and comes back."""
    voices = Voices(lab, codec)
    with Asterisk(lab, codec, transport=transport, srtp=srtp) as exchange:
        arguments = [*voices.arguments(), "--talk", f"{SECONDS + 1}s", "--require-rtp", *arguments]
        with calling(lab, exchange, "echo", *arguments) as call:
            media = media_of(call.expect(0).json(), codec)
        voices.heard("our voice at Asterisk", exchange.recorded("heard"), 0)
        voices.heard_by_us("our echo", 0)
        return media


def asterisk_echoes_pcmu(lab):
    echoed(lab, "ulaw")


def asterisk_echoes_pcma_over_tcp(lab):
    echoed(lab, "alaw", "tcp")


def asterisk_echoes_g722(lab):
    echoed(lab, "g722")


def plays_and_hangs_up(lab, codec):
    voices = Voices(lab, codec)
    with Asterisk(lab, codec) as exchange:
        voices.write(exchange.source, 1)
        arguments = ["--record", voices.recording, "--talk", f"{SECONDS + 10}s", "--require-rtp"]
        with calling(lab, exchange, "play", *arguments) as call:
            call = call.expect(0, within=30).json()
        equal("ended_by", call["outcome"]["ended_by"], "remote")
        equal("codec", call["media"]["codec"], NAMES[codec])
        voices.heard("what Asterisk played", voices.recording, 1, channel=1)


def asterisk_plays_pcmu_and_hangs_up(lab):
    plays_and_hangs_up(lab, "ulaw")


def asterisk_plays_g722_and_hangs_up(lab):
    plays_and_hangs_up(lab, "g722")


def calls_us(lab, codec, transport="udp", srtp=False, arguments=()):
    """Both talk at once, and each hears the other."""
    voices = Voices(lab, codec)
    with Asterisk(lab, codec, transport=transport, srtp=srtp) as exchange:
        voices.write(exchange.source, 1)
        with called(lab, exchange, "play", *voices.arguments(), *arguments) as ours:
            media = media_of(ended(ours), codec)
        voices.heard("our voice at Asterisk", exchange.recorded("heard"), 0)
        voices.heard_by_us("what Asterisk played", 1)
        return media


def asterisk_calls_us_and_both_talk_pcmu(lab):
    calls_us(lab, "ulaw")


def asterisk_calls_us_and_both_talk_g722_over_tcp(lab):
    calls_us(lab, "g722", "tcp")


def asterisk_echoes_srtp(lab):
    media = echoed(lab, "ulaw", srtp=True, arguments=["--srtp-in-clear", "--srtp", "required"])
    equal("srtp", media["srtp"], "AES_CM_128_HMAC_SHA1_80")


def asterisk_calls_us_with_srtp(lab):
    media = calls_us(lab, "ulaw", srtp=True, arguments=["--srtp-in-clear", "--srtp", "required"])
    equal("srtp", media["srtp"], "AES_CM_128_HMAC_SHA1_80")


def asterisk_without_srtp_is_called_again_in_the_clear(lab):
    media = echoed(lab, "ulaw", arguments=["--srtp-in-clear", "--srtp", "sdes"])
    equal("srtp", media["srtp"], None)


def asterisk_and_we_agree_on_no_srtp(lab):
    """Where one insists on SRTP and the other has none, no call comes to be."""
    for theirs, ours in ((True, "off"), (False, "required")):
        with Asterisk(lab, srtp=theirs, name=f"asterisk-{ours}") as exchange, calling(lab, exchange, "echo", "--srtp-in-clear", "--srtp", ours) as call:
            equal(f"status with --srtp {ours}", call.expect(45).json()["outcome"]["status"], 488)


def pressed_at_asterisk(lab, way):
    """Each key once, in order; the call goes on until Asterisk has them all."""
    with Asterisk(lab, dtmf=WAYS[way]) as exchange:
        with calling(lab, exchange, "listen", "--dtmf", f"w{KEYS}", "--dtmf-mode", way, "--talk", "30s") as call:
            try:
                wait_until("the keys arrive", lambda: len(exchange.digits()[0]) >= len(KEYS), call.process, within=20)
            except Failed as failed:
                raise Failed(f"{failed}: {exchange.digits()}") from failed
            call.interrupt()
            call.expect(130)
        keys, durations = exchange.digits()
        equal("keys", keys, KEYS)
        require(all(40 <= duration <= 600 for duration in durations), f"durations: {durations}")


def asterisk_hears_our_keys_by_rtp(lab):
    pressed_at_asterisk(lab, "rtp")


def asterisk_hears_our_keys_by_info(lab):
    pressed_at_asterisk(lab, "info")


def asterisk_hears_our_keys_in_band(lab):
    pressed_at_asterisk(lab, "inband")


def pressed_by_asterisk(lab, way):
    with Asterisk(lab, dtmf=WAYS[way]) as exchange, called(lab, exchange, "press") as ours:
        ended(ours)
        told = ours.events("dtmf")
        equal("keys", "".join(event["digit"] for event in told), KEYS)
        equal("how", {event["how"] for event in told}, {way})


def asterisk_presses_keys_by_rtp(lab):
    pressed_by_asterisk(lab, "rtp")


def asterisk_presses_keys_by_info(lab):
    pressed_by_asterisk(lab, "info")


def asterisk_presses_keys_in_band(lab):
    pressed_by_asterisk(lab, "inband")


def tshark_counts_the_packets_that_we_count(lab):
    voices = Voices(lab, "ulaw")
    with Asterisk(lab) as exchange, Capture(lab.path("call.pcapng")) as capture:
        with calling(lab, exchange, "echo", *voices.arguments(), "--talk", f"{SECONDS}s") as call:
            media = media_of(call.expect(0).json(), "ulaw")
        local, remote = (media[name].rpartition(":")[2] for name in ("local", "remote_seen"))
        streams = {(stream["from"], stream["to"]): stream for stream in capture.streams(local)}
    equal("streams", sorted(streams), sorted([(local, remote), (remote, local)]))
    sent, received = streams[local, remote], streams[remote, local]
    equal("packets that we sent", media["sent"]["packets"], sent["packets"])
    # What comes while we hang up is seen there and not counted here.
    surplus = received["packets"] - media["received"]["packets"]
    require(0 <= surplus <= 5, f"packets received: {media['received']}, tshark: {received}")
    equal("packets lost", (media["received"]["lost"], sent["lost"]), (received["lost"], 0))


CHECKS = [
    asterisk_echoes_pcmu, asterisk_echoes_pcma_over_tcp, asterisk_echoes_g722, asterisk_plays_pcmu_and_hangs_up,
    asterisk_plays_g722_and_hangs_up, asterisk_calls_us_and_both_talk_pcmu, asterisk_calls_us_and_both_talk_g722_over_tcp,
    asterisk_echoes_srtp, asterisk_calls_us_with_srtp, asterisk_without_srtp_is_called_again_in_the_clear,
    asterisk_and_we_agree_on_no_srtp, asterisk_hears_our_keys_by_rtp, asterisk_hears_our_keys_by_info,
    asterisk_hears_our_keys_in_band, asterisk_presses_keys_by_rtp, asterisk_presses_keys_by_info,
    asterisk_presses_keys_in_band, tshark_counts_the_packets_that_we_count,
]
