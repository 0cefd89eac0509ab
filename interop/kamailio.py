"""Kamailio as registrar and proxy: a configuration from a few words, and a process on a port of its own."""

import contextlib
import os
import re
import signal
import socket
import subprocess

from lab import PASSWORD, Failed, digest_response, end, free_port, is_bound, program, wait_until, credentials
from sipp import REALM

# What is seen goes to the log. A nonce serves each count once, and credentials that come with a BYE have to be right.
CONFIGURATION = """\
debug=0
log_stderror=yes
children=1
tcp_children=1
auto_aliases=no
listen=udp:127.0.0.1:{port}
listen=tcp:127.0.0.1:{port}
{modules}
modparam("auth", "algorithm", "{algorithm}")
modparam("auth", "nonce_count", 1)
modparam("auth", "nonce_expire", {nonce_life})
modparam("registrar", "min_expires", 1)

request_route {{
    xlog("L_ALERT", "seen $rm $proto\\n");
    if (!mf_process_maxfwd_header("10")) {{ sl_send_reply("483", "Too Many Hops"); exit; }}
    if (is_method("CANCEL")) {{ if (t_check_trans()) t_relay(); exit; }}
    if (has_totag()) {{
        if (is_method("BYE") && is_present_hf("Proxy-Authorization")) route(AUTH);
        if (loose_route() || (is_method("ACK") && t_check_trans())) {{ t_relay(); exit; }}
        if (!is_method("ACK")) sl_send_reply("404", "Not Here");
        exit;
    }}
    t_check_trans();
    if (is_method("REGISTER")) {{
        if (!pv_www_authenticate("{realm}", "{password}", "0")) {{ www_challenge("{realm}", "1"); exit; }}
        save("location");
        exit;
    }}
    {steps}
    t_relay();
}}

route[AUTH] {{
    if (!pv_proxy_authenticate("{realm}", "{password}", "0")) {{ proxy_challenge("{realm}", "1"); exit; }}
    consume_credentials();
}}
"""
os.environ["PATH"] += ":/usr/sbin"  # Where it is, and where users do not look.
MODULES = "tm sl rr pv maxfwd usrloc registrar textops siputils xlog auth".split()
STEPS = {
    "auth": "route(AUTH);",
    "record": "record_route();",
    "lookup": 'if (!loose_route() && !lookup("location")) { sl_send_reply("404", "Not Found"); exit; }',
}


class Kamailio:
    """A registrar whose callers may be challenged (`auth`), that may stay in the route (`record`), and that sends a call
    to where its Route says, else to where the callee registered; or always to the port `next_hop`."""

    def __init__(self, lab, *words, name="kamailio", algorithm="MD5", nonce_life=60, next_hop=None):
        self.folder, self.port = lab.path(name), free_port()
        os.mkdir(self.folder)
        steps = [STEPS[word] for word in words]
        steps.append(f'$du = "sip:127.0.0.1:{next_hop}";' if next_hop else STEPS["lookup"])
        with open(os.path.join(self.folder, "kamailio.cfg"), "w", encoding="utf-8") as file:
            file.write(CONFIGURATION.format(
                port=self.port, modules="\n".join(f'loadmodule "{module}.so"' for module in MODULES),
                algorithm=algorithm, nonce_life=nonce_life, realm=REALM, password=PASSWORD, steps="\n    ".join(steps)))

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def start(self):
        """Starts it; what it tells goes on in the log of the last time. It ends by itself should we not come to end it."""
        with open(os.path.join(self.folder, "log"), "ab") as log:
            self.process = subprocess.Popen(
                [program("timeout"), "--kill-after=2", "120", program("kamailio"), "-DD", "-E", "-m", "16", "-M", "4",
                 "-f", "kamailio.cfg", "-Y", self.folder, "-P", os.path.join(self.folder, "pid")],
                cwd=self.folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log)
        for transport in ("udp", "tcp"):
            wait_until("Kamailio listens", lambda: is_bound(self.port, transport), self.process)

    def stop(self):
        end(self.process)
        # One that is ended while it starts may leave a child behind, which `timeout` made one of its group.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        wait_until("Kamailio is gone", lambda: not is_bound(self.port, "udp"))

    def seen(self, method):
        """The transports of the requests of that method that reached it, copies too."""
        with open(os.path.join(self.folder, "log"), encoding="utf-8", errors="replace") as log:
            return re.findall(rf"seen {method} (\w+)", log.read())

    def bindings(self, user, contact=None, expires=600):
        """The Contacts of a user, after one more is registered if asked for: a client that shares nothing with ours."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.bind(("127.0.0.1", 0))
            client.connect(("127.0.0.1", self.port))
            client.settimeout(10)
            port, more = client.getsockname()[1], [f"Contact: <{contact}>"] if contact else []
            for number in (1, 2):
                lines = [
                    f"REGISTER sip:127.0.0.1:{self.port} SIP/2.0",
                    f"Via: SIP/2.0/UDP 127.0.0.1:{port};branch=z9hG4bK{port}{number}",
                    f"From: <sip:{user}@127.0.0.1>;tag={port}", f"To: <sip:{user}@127.0.0.1>", f"Call-ID: by-hand-{port}",
                    f"CSeq: {number} REGISTER", "Max-Forwards: 70", f"Expires: {expires}", *more,
                    "Content-Length: 0", "", ""]
                client.send("\r\n".join(lines).encode())
                answer = client.recv(65535).decode()
                if answer.startswith("SIP/2.0 200 "):
                    listed = re.findall(r"^Contact:(.*)$", answer, re.MULTILINE)
                    return re.findall(r"<([^>]*)>", " ".join(listed))
                given = credentials(answer) | {
                    "username": user, "nc": "00000001", "cnonce": "0a4f113b", "uri": f"sip:127.0.0.1:{self.port}"}
                given["response"] = digest_response("REGISTER", given)
                more.append("Authorization: Digest " + ", ".join(
                    f"{name}={given[name]}" if name in ("nc", "qop") else f'{name}="{given[name]}"'
                    for name in ("username", "realm", "nonce", "uri", "response", "cnonce", "nc", "qop")))
        raise Failed(f"Kamailio registers nobody:\n{answer}")
