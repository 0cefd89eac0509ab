"""What the sandbox says: texts by espeak-ng, files of the application."""

import functools
import http.server
import io
import subprocess
import threading
import wave

import numpy

import sound
from lab import equal, program, require

TEXT = "Congratulations! You've made your first outbound call!"
RATE = 8000


def rendered(text):
    """The text as espeak-ng says it by itself, at the rate of a telephone."""
    said = subprocess.run(
        [program("espeak-ng"), "-v", "en-us", "--stdin", "--stdout"], input=text.encode(), capture_output=True,
        check=True, timeout=20).stdout
    with wave.open(io.BytesIO(said)) as file:
        rate, samples = file.getframerate(), numpy.frombuffer(said[44:], "<i2") / 32768
    length = len(samples) * RATE // rate
    return numpy.fft.irfft(numpy.fft.rfft(samples)[:length // 2 + 1], length) * length / len(samples)


def called(lab, *arguments):
    """A call through a sandbox: its account of the audio, and what was heard."""
    recording = lab.path("heard.wav")
    call = lab.run(
        "invite", "sip:john1234@phone.plivo.com", "-H", "Test=Sample", "--sandbox", "--no-store", "--output", "json",
        "--talk", "20s", "--require-rtp", "--record", recording, *arguments, within=40).expect(0).json()
    media = call["media"]
    equal("verdict", media["verdict"], "two_way")
    require(media["received"]["mos"] > 4, f"MOS {media['received']['mos']}")
    equal("cause", call["plivo"]["hangup_cause_code"], 4010)
    rate, channels = sound.read(recording)
    equal("rate", rate, RATE)
    return channels[1]


def the_guides_words_are_heard(lab):
    sound.alike("the guide's words", rendered(TEXT), called(lab), RATE, 0.9)


class Files(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        """Nobody asked."""


def a_file_of_the_application_is_heard(lab):
    """By HTTP, from a server of the application, in the middle of a document."""
    source = sound.speech(2, 16000, sound.BAND[8000])
    sound.write(lab.path("prompt.wav"), source, 16000)
    handler = functools.partial(Files, directory=lab.folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/prompt.wav"
        with open(lab.path("answer.xml"), "w", encoding="utf-8") as file:
            file.write(f"<Response><Wait length=\"1\"/><Play>{url}</Play><Speak>Goodbye</Speak></Response>")
        heard = called(lab, "--answer-xml", lab.path("answer.xml"))
        server.shutdown()
    sound.alike("the file", sound.speech(2, RATE, sound.BAND[8000]), heard, RATE, 0.98)
    sound.alike("the word", rendered("Goodbye"), heard[2 * RATE:], RATE, 0.9)


CHECKS = [the_guides_words_are_heard, a_file_of_the_application_is_heard]
