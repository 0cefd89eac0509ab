"""baresip as the other side: a phone without a sound card, on a port of its own, whose keys are pressed through a pipe. It
speaks a tone, or a file, and may keep what it hears."""

import glob
import os
import re
import subprocess

from lab import PASSWORD, USER, end, free_port, is_bound, program, wait_until

MODULES = "/usr/lib/baresip/modules"
CONFIGURATION = """\
poll_method epoll
sip_listen 127.0.0.1:{port}
net_interface 127.0.0.1
audio_player aubridge,unheard
audio_alert aubridge,unheard
{sound}
module_path {modules}
module stdio.so
module g711.so
module g722.so
module srtp.so
module aubridge.so
module ausine.so
module aufile.so
module_tmp account.so
module_app menu.so
"""
TONE = """\
audio_source ausine,440
ausrc_srate 48000
ausrc_channels 2
"""
VOICE = """\
audio_source aufile,{file}
ausrc_srate {rate}
ausrc_channels 1
auplay_srate {rate}
auplay_channels 1
snd_path {folder}
module sndfile.so
"""
ACCEPT, HANG_UP, HOLD, RESUME = "\n", "b", "x", "X"


class Baresip:
    """A phone of that user which takes up by itself (`answermode="auto"`) or by a key ("manual"), and is registered
    at a port if one is given. It plays a WAV file of that rate if there is one, and then records; it speaks all its codecs
    or just one, and wants SRTP or has none."""

    def __init__(self, lab, user="uas", answermode="auto", registrar=None, transport="udp", plays=None, rate=8000, codec=None,
                 srtp=False):
        self.folder, self.port = lab.path(f"baresip-{user}"), free_port()
        while is_bound(self.port + 1, "tcp"):  # It will listen there too, for TLS.
            self.port = free_port()
        os.mkdir(self.folder)
        self.log = os.path.join(self.folder, "log")
        self.remote, way = registrar, f";transport={transport}"
        account = f"<sip:{user}@127.0.0.1:{registrar or self.port}{way}>;answermode={answermode}"
        through = f';auth_pass={PASSWORD};outbound="sip:127.0.0.1:{registrar}{way}";regint=60'
        account += through if registrar else ";regint=0"
        account += f";audio_codecs={codec}" if codec else ""
        account += ";mediaenc=srtp-mand" if srtp else ""
        spoken = VOICE.format(file=plays, rate=rate, folder=self.folder) if plays else TONE
        config = CONFIGURATION.format(port=self.port, modules=MODULES, sound=spoken)
        for name, text in (("config", config), ("accounts", f"{account}\n"), ("contacts", "")):
            with open(os.path.join(self.folder, name), "w", encoding="utf-8") as file:
                file.write(text)

    def __enter__(self):
        """Starts it; it ends by itself should we not come to end it."""
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [program("timeout"), "--kill-after=2", "60", program("baresip"), "-f", self.folder, "-s"],
                cwd=self.folder, stdin=subprocess.PIPE, stdout=log, stderr=log)
        self.wait_for("[1 binding]" if self.remote else "baresip is ready")
        for transport in ("udp", "tcp"):
            wait_until("baresip listens", lambda: is_bound(self.port, transport), self.process)
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        end(self.process)

    def press(self, keys):
        self.process.stdin.write(keys.encode())
        self.process.stdin.flush()

    def dial(self, port):
        """Calls us, at that port or through it, over the transport of its account."""
        self.remote = port
        self.press(f"/dial sip:{USER}@127.0.0.1:{port}\n")

    def told(self):
        """What it said, and each message that it sent or received."""
        with open(self.log, encoding="utf-8", errors="replace") as log:
            return log.read()

    def wait_for(self, text, times=1):
        wait_until(f"baresip says {text!r}", lambda: self.told().count(text) >= times, self.process)

    def heard(self):
        """What it heard, as a WAV file, once the call is over."""
        self.wait_for("terminated (duration:")
        return glob.glob(os.path.join(self.folder, "dump-*-dec.wav"))[0]

    def keys(self):
        """The keys that were pressed at it: by RTP, and by INFO."""
        return "".join(re.findall(r"^received event: '(.)' \(end=1\)", self.told(), re.MULTILINE)), \
            "".join(re.findall(r"^call: received DTMF: '(.)'", self.told(), re.MULTILINE))

    def received(self):
        """The messages that reached it: at its own port, or on the connection that it opened itself."""
        parts = [part.split("\x1b[;m")[0] for part in self.told().split("\x1b[36;1m#\n")[1:]]
        mine = re.compile(rf"\w+ \S+:(?:{self.remote} -> .*|\d+ -> \S+:{self.port})\n")
        return [mine.sub("", part) for part in parts if mine.match(part)]
