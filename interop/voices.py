"""Who says what in a call, and whether it was heard: at the other side, and by us."""

import sound
from lab import equal, require

SECONDS = 4  # Of what is said: a dozen pieces that are loud.
NAMES = {"ulaw": "PCMU", "alaw": "PCMA", "g722": "G722"}
ALIKE = {"ulaw": 0.99, "alaw": 0.99, "g722": 0.98}  # Asterisk and baresip have 1.000, 1.000 and 0.998 between them.


class Voices:
    """What we say and what the other side says, in the band of a codec."""

    def __init__(self, lab, codec):
        self.rate = 16000 if codec == "g722" else 8000
        self.codec, self.ours, self.recording = codec, lab.path("ours.wav"), lab.path("call.wav")
        self.write(self.ours, 0)

    def write(self, path, speaker):
        sound.write(path, sound.speech(SECONDS, self.rate, sound.BAND[self.rate], speaker), self.rate)

    def heard(self, what, path, speaker, channel=0):
        """That file has to hold what was said."""
        rate, channels = sound.read(path)
        require(channel < len(channels), f"{what}: {len(channels)} channels in {path}")
        said = sound.speech(SECONDS, rate, sound.BAND[self.rate], speaker)
        sound.alike(what, said, channels[channel], rate, ALIKE[self.codec])

    def heard_by_us(self, what, speaker):
        """The left of our recording is what we said, the right what came."""
        self.heard("what we sent, as we recorded it", self.recording, 0)
        self.heard(what, self.recording, speaker, channel=1)

    def arguments(self):
        return ["--play", self.ours, "--record", self.recording]


def media_of(call, codec):
    """The account that a call gives of its audio, which has to be of both ways."""
    media = call["media"]
    equal("codec", media["codec"], NAMES[codec])
    equal("verdict", media["verdict"], "two_way")
    return media
