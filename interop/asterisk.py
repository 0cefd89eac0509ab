"""Asterisk 16 as the other side: an exchange without a daemon's rights, whose dialplan plays, echoes, records and presses
digits. It runs from a folder of Debian 11's packages, unpacked and not installed, by that folder's own dynamic linker."""

import glob
import os
import re
import subprocess
import sys

from lab import USER, Failed, end, free_port, is_bound, require, wait_until

FOLDER = os.environ.get("BULLSEYE", os.path.join(os.path.dirname(sys.prefix), "bullseye"))
LIBRARIES = ("lib/*-gnu", "usr/lib/*-gnu", "usr/lib")
MODULES = """\
    res_pjproject res_sorcery_config res_sorcery_memory res_sorcery_astdb res_timing_timerfd res_rtp_asterisk res_srtp
    res_pjsip res_pjsip_pubsub res_pjsip_session res_pjsip_sdp_rtp res_pjsip_endpoint_identifier_ip res_pjsip_dtmf_info
    res_pjsip_caller_id res_pjsip_rfc3326 chan_pjsip res_clioriginate pbx_config bridge_simple app_echo app_playback
    app_senddtmf app_mixmonitor codec_ulaw codec_alaw codec_g722 codec_resample format_wav format_pcm func_channel""".split()
EMPTY = "acl ccss cdr cel features indications pjproject sorcery stasis udptl".split()  # It wants them to be there.
KEYS = "0123456789*#ABCD"
CONFIGURATION = {
    "asterisk.conf": """\
[directories]
astetcdir => {folder}
astmoddir => {debian}/usr/lib/asterisk/modules
astvarlibdir => {folder}
astdbdir => {folder}
astkeydir => {folder}
astdatadir => {debian}/usr/share/asterisk
astagidir => {folder}
astspooldir => {folder}
astrundir => {folder}
astlogdir => {folder}
[options]
nocolor = yes
verbose = 3
""",
    "modules.conf": "[modules]\nautoload = no\n{modules}\n",
    "logger.conf": "[logfiles]\nconsole => warning,error,notice,verbose,dtmf\n",
    # A port that is taken is passed over.
    "rtp.conf": "[general]\nrtpstart = 10000\nrtpend = 19999\n",
    "pjsip.conf": """\
[udp]
type = transport
protocol = udp
bind = 127.0.0.1:{port}
[tcp]
type = transport
protocol = tcp
bind = 127.0.0.1:{port}
[ours]
type = endpoint
context = ours
disallow = all
allow = {codec}
dtmf_mode = {dtmf}
media_encryption = {encryption}
direct_media = no
[ours]
type = identify
endpoint = ours
match = 127.0.0.1
""",
    # MixMonitor keeps what came (r) and what went (t) apart, each in time with the other.
    "extensions.conf": """\
[ours]
exten => _[a-z].,1,Answer()
 same => n,MixMonitor({folder}/both.{kind},r({folder}/heard.{kind})t({folder}/spoken.{kind}))
 same => n,Goto(do-${{EXTEN}},1)
exten => do-echo,1,Echo()
 same => n,Hangup()
exten => do-play,1,Playback({folder}/source)
 same => n,Hangup()
exten => do-listen,1,Wait(60)
exten => do-press,1,Wait(0.5)
 same => n,SendDTMF({keys},160,160)
 same => n,Wait(0.5)
 same => n,Hangup()
""",
}


class Asterisk:
    """An exchange that takes any call from this machine, speaks that codec, tells and hears digits in that way
    (`rfc4733`, `info` or `inband`) and wants SRTP or has none. Who calls `echo`, `play`, `listen` or `press` is answered
    so; `dial` lets it call us and do the same."""

    def __init__(self, lab, codec="ulaw", dtmf="rfc4733", srtp=False, transport="udp", name="asterisk"):
        self.folder, self.port, self.transport, self.codec = lab.path(name), free_port(), transport, codec
        os.mkdir(self.folder)
        self.kind = "wav16" if codec == "g722" else "wav"
        inside = lambda pattern: glob.glob(os.path.join(FOLDER, pattern))
        require(inside("usr/sbin/asterisk"), f"cannot run: no Asterisk in {FOLDER} (interop/bullseye makes it)")
        paths = [path for pattern in LIBRARIES for path in inside(pattern)]
        self.command = [*inside("lib/*/ld-2.31.so"), "--library-path", ":".join(paths), *inside("usr/sbin/asterisk"),
                        "-C", self.path("asterisk.conf")]
        for name, text in CONFIGURATION.items():
            with open(self.path(name), "w", encoding="utf-8") as file:
                file.write(text.format(
                    folder=self.folder, debian=FOLDER, port=self.port, codec=codec, dtmf=dtmf, kind=self.kind, keys=KEYS,
                    encryption="sdes" if srtp else "no", modules="\n".join(f"load = {name}.so" for name in MODULES)))
        for name in EMPTY:
            open(self.path(f"{name}.conf"), "w", encoding="utf-8").close()

    def __enter__(self):
        """Starts it; it ends by itself should we not come to end it."""
        with open(self.path("log"), "wb") as log:
            self.process = subprocess.Popen(
                ["timeout", "--kill-after=2", "120", *self.command, "-f"], cwd=self.folder, stdin=subprocess.DEVNULL,
                stdout=log, stderr=log)
        try:
            wait_until("Asterisk is ready", lambda: "Asterisk Ready." in self.told(), self.process, within=30)
            for transport in ("udp", "tcp"):
                wait_until("Asterisk listens", lambda: is_bound(self.port, transport), self.process)
        except Failed as failed:
            end(self.process)
            wrong = re.findall(r".*(?:ERROR|WARNING)\[.*|.*EXITING.*", self.told())
            raise Failed("\n".join([str(failed), *wrong])) from failed
        return self

    def __exit__(self, *_):
        end(self.process)

    def path(self, name):
        return os.path.join(self.folder, name)

    def told(self):
        with open(self.path("log"), encoding="utf-8", errors="replace") as log:
            return log.read()

    @property
    def source(self):
        """The file that it plays, to be written before it is called."""
        return self.path(f"source.{self.kind}")

    def recorded(self, name):
        """What it `heard` or has `spoken`, as a WAV file, once the call is over."""
        wait_until("the recording is closed", lambda: "End MixMonitor Recording" in self.told(), self.process)
        return self.path(f"{name}.{self.kind}")

    def dial(self, port, do):
        """Calls us at that port, and does that."""
        uri = f"sip:{USER}@127.0.0.1:{port}" + (";transport=tcp" if self.transport == "tcp" else "")
        self.command_line(f"channel originate PJSIP/ours/{uri} extension {do}@ours")

    def command_line(self, words):
        done = subprocess.run(
            [*self.command, "-rx", words], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20)
        require(done.returncode == 0, f"asterisk -rx {words!r}: {done.stdout}{done.stderr}")
        return done.stdout

    def digits(self):
        """The keys that were pressed at it, and how long each in milliseconds."""
        found = re.findall(r"DTMF\[\d+\].*DTMF end '(.)' received on \S+, duration (\d+) ms", self.told())
        return "".join(key for key, _ in found), [int(duration) for _, duration in found]
