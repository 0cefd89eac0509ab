"""What every check needs: a folder of its own, the sipcall binary, free ports, and what was seen put into words."""

import hashlib
import itertools
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time

USER, PASSWORD = "john1234", "secret"
COUNTED = itertools.count(random.randrange(6000))  # So that two runs beside one another seldom meet.


class Failed(Exception):
    """A check that did not hold, or could not run: the text says which."""


def require(holds, text):
    if not holds:
        raise Failed(text)


def equal(what, found, wanted):
    require(found == wanted, f"{what}: {found!r} instead of {wanted!r}")


def field(message, name):
    """The value of a header field that a message has once."""
    values = fields(message, name)
    equal(f"{name} fields", len(values), 1)
    return values[0]


def fields(message, name):
    """The values of a header field, in order."""
    return [line.split(":", 1)[1].strip() for line in message.splitlines() if line.startswith(f"{name}:")]


def numbers(messages):
    """The CSeq numbers, counted from the first."""
    found = [int(field(message, "CSeq").split()[0]) for message in messages]
    return [number - found[0] for number in found]


def methods(messages):
    return [message.split()[0] for message in messages]


def of_method(method, messages):
    return [message for message in messages if message.startswith(f"{method} ")]


def program(name):
    require(shutil.which(name), f"cannot run: {name} is not installed")
    return name


class Finished:
    """A process that has ended."""

    def __init__(self, code, seconds, out, err):
        self.code, self.seconds, self.out, self.err = code, seconds, out, err

    def json(self):
        return json.loads(self.out)

    def expect(self, code):
        require(self.code == code, f"sipcall: exit code {self.code} instead of {code}\n{self.out}{self.err}")
        return self


class Running:
    """sipcall while it runs; ended with the block that it was started for."""

    def __init__(self, lab, arguments):
        self.arguments, self.began = arguments, time.monotonic()
        self.out, self.err = tempfile.TemporaryFile("w+", dir=lab.folder), tempfile.TemporaryFile("w+", dir=lab.folder)
        self.process = subprocess.Popen(
            [lab.binary, *arguments], stdin=subprocess.DEVNULL, stdout=self.out, stderr=self.err, env=lab.environment,
            cwd=lab.folder)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        end(self.process)
        self.out.close()
        self.err.close()

    def events(self, name):
        """The events of that name so far, of `--output jsonl`."""
        # A file of its own: the process writes where the other one stands.
        with open(f"/proc/self/fd/{self.out.fileno()}", encoding="utf-8") as file:
            events = [json.loads(line) for line in file if line.endswith("\n")]
        return [found for found in events if found["event"] == name]

    def interrupt(self):
        self.process.send_signal(signal.SIGINT)

    def finished(self, within=20):
        """Waits for its end."""
        try:
            self.process.wait(within)
        except subprocess.TimeoutExpired as late:
            told = f"sipcall {' '.join(self.arguments)}: still running after {within} s\n{text(self.err)}"
            raise Failed(told) from late
        return Finished(self.process.returncode, time.monotonic() - self.began, text(self.out), text(self.err))

    def expect(self, code, within=20):
        return self.finished(within).expect(code)


def text(file):
    file.seek(0)
    return file.read()


class Lab:
    """The binary under test and a folder that is home to it; gone at the end."""

    def __init__(self, binary):
        self.binary = os.path.abspath(binary)
        require(os.access(self.binary, os.X_OK), f"cannot run: no program at {self.binary}")
        self.folder = tempfile.mkdtemp(prefix="sipcall-interop-")
        self.environment = {key: value for key, value in os.environ.items() if not key.startswith("SIPCALL_")}
        self.environment |= {"HOME": self.folder, "SIPCALL_PASSWORD": PASSWORD, "PYTHONDONTWRITEBYTECODE": "1"}
        for name in ("CONFIG", "DATA", "STATE", "CACHE"):
            self.environment[f"XDG_{name}_HOME"] = os.path.join(self.folder, name.lower())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.folder, ignore_errors=True)

    def path(self, name):
        return os.path.join(self.folder, name)

    def start(self, *arguments):
        return Running(self, arguments)

    def run(self, *arguments, within=20):
        """Runs sipcall to its end."""
        with self.start(*arguments) as running:
            return running.finished(within)

    def calling(self, port, *arguments, transport="udp"):
        """Calls the peer at that port as an endpoint of a provider that wants its headers as Plivo does."""
        return self.start(
            "invite", f"sip:uas@127.0.0.1:{port};transport={transport}", "--user", f"{USER}@127.0.0.1:{port}",
            "--profile", "plivo", "--no-register", "-H", "Test=Sample", "--no-store", "--output", "json", "-v",
            *arguments)

    def invite(self, port, *arguments, transport="udp", within=20):
        """The same, to its end."""
        with self.calling(port, *arguments, transport=transport) as running:
            return running.finished(within)


def free_port():
    """A port that is free for UDP and TCP, and the next one belongs to it. The kernel hands out higher ones by itself, and
    the phones take lower ones for RTP: nothing takes it before it is used."""
    while True:
        port = 20000 + 2 * (next(COUNTED) % 6000)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams, socket.socket() as stream:
            try:
                datagrams.bind(("127.0.0.1", port))
                stream.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


def wait_until(what, holds, process=None, within=10):
    """Waits until something holds, for as long as the process that shall bring it about lives."""
    until = time.monotonic() + within
    while not holds():
        require(process is None or process.poll() is None, f"{what}: the process ended before, with {process and process.returncode}")
        require(time.monotonic() < until, f"{what}: not within {within} s")
        time.sleep(0.01)


def is_bound(port, transport):
    """Whether a socket of this machine is bound to that port."""
    with open(f"/proc/net/{transport}", encoding="ascii") as table:
        return any(line.split()[1].endswith(f":{port:04X}") for line in table)


def end(process):
    """Ends a process of ours, by force if it does not listen."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(5)


def credentials(value):
    """The parameters of an Authorization header field, unquoted."""
    pairs = re.findall(r'(\w+)=(?:"([^"]*)"|([^\s,]+))', value)
    return {name: quoted or plain for name, quoted, plain in pairs}


def digest_response(method, given, password=PASSWORD):
    """What RFC 7616 §3.4.1 makes of credentials with qop=auth, and RFC 2069 of those without qop."""
    algorithm = {"MD5": hashlib.md5, "SHA-256": hashlib.sha256}[given.get("algorithm", "MD5")]
    hashed = lambda *parts: algorithm(":".join(parts).encode()).hexdigest()
    counted = [given[name] for name in ("nc", "cnonce", "qop")] if "qop" in given else []
    return hashed(
        hashed(given["username"], given["realm"], password), given["nonce"], *counted, hashed(method, given["uri"]))
