"""What every check needs: a folder of its own, the sipcall binary, free ports, and what was seen put into words."""

import hashlib
import json
import os
import re
import shutil
import socket
import subprocess
import tempfile
import time

USER, PASSWORD = "john1234", "secret"


class Failed(Exception):
    """A check that did not hold, or could not run: the text says which."""


def require(holds, text):
    if not holds:
        raise Failed(text)


def equal(what, found, wanted):
    require(found == wanted, f"{what}: {found!r} instead of {wanted!r}")


def program(name):
    require(shutil.which(name), f"cannot run: {name} is not installed")
    return name


class Finished:
    """A process that has ended."""

    def __init__(self, process, seconds):
        self.code, self.seconds = process.returncode, seconds
        self.out, self.err = process.stdout, process.stderr

    def json(self):
        return json.loads(self.out)

    def expect(self, code):
        require(self.code == code, f"sipcall: exit code {self.code} instead of {code}\n{self.out}{self.err}")
        return self


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

    def run(self, *arguments, within=20):
        """Runs sipcall to its end."""
        began = time.monotonic()
        try:
            process = subprocess.run(
                [self.binary, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                env=self.environment, cwd=self.folder, timeout=within)
        except subprocess.TimeoutExpired as late:
            raise Failed(f"sipcall {' '.join(arguments)}: still running after {within} s\n{late.stderr}") from late
        return Finished(process, time.monotonic() - began)

    def invite(self, port, *arguments, transport="udp", within=20):
        """Calls the peer at that port as an endpoint of a provider that wants its headers as Plivo does."""
        return self.run(
            "invite", f"sip:uas@127.0.0.1:{port};transport={transport}", "--user", f"{USER}@127.0.0.1:{port}",
            "--profile", "plivo", "--no-register", "-H", "Test=Sample", "--no-store", "--output", "json", "-v",
            *arguments, within=within)


def free_port():
    """A port that the kernel found free for UDP and TCP."""
    while True:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams, socket.socket() as stream:
            datagrams.bind(("127.0.0.1", 0))
            port = datagrams.getsockname()[1]
            try:
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
    """What RFC 2617 §3.2.2.1 makes of MD5 credentials with qop=auth."""
    md5 = lambda *parts: hashlib.md5(":".join(parts).encode()).hexdigest()
    return md5(
        md5(given["username"], given["realm"], password),
        given["nonce"], given["nc"], given["cnonce"], given["qop"],
        md5(method, given["uri"]))
