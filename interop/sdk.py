"""Plivo's own SDK for Python, unchanged, against the sandbox: the script of the guide, and its signature check."""

import os
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from lab import Failed, equal, require

HERE = os.path.dirname(os.path.abspath(__file__))
AUTH_ID, AUTH_TOKEN = "MAINTEROPINTEROP1234", "interop-token-of-forty-characters-00000"


class Application:
    """The customer's web application: one URL that answers with XML and remembers what it was asked."""

    def __init__(self):
        asked = self.asked = []

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                asked.append((self.path, self.headers))
                body = b"<Response><Speak>Hello</Speak></Response>"
                self.send_response(200)
                self.send_header("Content-Type", "application/xml")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.base = f"http://127.0.0.1:{self.server.server_port}"

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def of_event(self, event):
        """URL, parameters and headers of the request that told that event; none if it was not told."""
        for path, headers in self.asked:
            params = {name: values[0] for name, values in parse_qs(urlsplit(path).query).items()}
            if params.get("Event") == event:
                return self.base + path, params, headers
        return None


def make_call(lab, application, *sandbox):
    """Runs the guide's script inside a sandbox."""
    try:
        import plivo  # noqa: F401
    except ImportError as missing:
        raise Failed("cannot run: pip install plivo") from missing
    lab.environment |= {"CALL_FROM": "14155550100", "ANSWER_URL": f"{application.base}/answer/"}
    finished = lab.run("sandbox", "--auth-id", AUTH_ID, "--auth-token", AUTH_TOKEN, *sandbox, within=60).expect(0)
    require("call fired" in finished.out and "request_uuid" in finished.out, f"not the reply to a call: {finished.out}")
    return finished


def signed(url, headers):
    from plivo.utils import validate_v3_signature

    signature, nonce = headers["X-Plivo-Signature-V3"], headers["X-Plivo-Signature-V3-Nonce"]
    require(validate_v3_signature("GET", url, nonce, AUTH_TOKEN, signature), f"the SDK refuses the signature of {url}")
    require(
        not validate_v3_signature("GET", f"{url}x", nonce, AUTH_TOKEN, signature), "the SDK takes a changed URL as signed")


def the_guides_script_reaches_the_application(lab):
    with Application() as application:
        make_call(lab, application, "--callee", "bob", "--", sys.executable, os.path.join(HERE, "make_call.py"))
        asked = application.of_event("StartApp")
    require(asked, f"the answer URL was not asked: {application.asked}")
    url, params, headers = asked
    equal("X-PH-Test", params.get("X-PH-Test"), "Sample")
    require("bob" in params.get("SIP-H-To", ""), f"SIP-H-To: {params.get('SIP-H-To')}")
    equal("CallStatus", params.get("CallStatus"), "in-progress")
    signed(url, headers)


def the_guides_script_rings_a_registered_endpoint(lab):
    with Application() as application:
        script = [os.path.join(HERE, name) for name in ("endpoint_and_call.py", "make_call.py")]
        make_call(lab, application, "--endpoint", "bob:wonderland", "--", sys.executable, script[0], lab.binary, script[1])
    with open(lab.path("bob.err"), encoding="utf-8") as file:
        seen = file.read()
    invites = seen.split("< INVITE ")[1:]
    equal("INVITEs at the endpoint", len(invites), 1)
    require("< X-PH-Test: Sample" in invites[0].split("\n<\n")[0], f"the INVITE has no X-PH-Test:\n{seen}")


FLOW = """name = "{name}"
[start]
params = ["from", "to"]
api_request = "Initiate_Call_1"
[nodes.Initiate_Call_1]
type = "initiate_call"
from = "{caller}"
to = "{callee}"
custom_headers = {{ Test = "Sample" }}
answered = "Play_Audio_1"
[nodes.Play_Audio_1]
type = "play_audio"
speak = "Congratulations"
"""


def the_guides_phlos_are_run_static_and_with_a_payload(lab):
    flows = {
        "static": ("14155550100", "sip:bob@phone.plivo.com"),
        "dynamic": ("{{Start.http.params.from}}", "{{Start.http.params.to}}"),
    }
    ids, flags = [], []
    for name, (caller, callee) in flows.items():
        path = lab.path(f"{name}.toml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(FLOW.format(name=name, caller=caller, callee=callee))
        ids.append(lab.run("phlo", "check", path).expect(0).out.split()[-1])
        flags += ["--phlo", path]
    lab.environment["PHLO_IDS"] = " ".join(ids)
    script = [sys.executable, os.path.join(HERE, "trigger_phlo.py")]
    finished = lab.run("sandbox", "--callee", "bob", *flags, "--", *script, within=60).expect(0)
    told = finished.out + finished.err
    equal("runs", told.count("b'Initiate Call' - b'Initiate_Call_1' with phlo_run_uuid: "), 2)
    equal("ends", told.count("sip:bob@phone.plivo.com 4010"), 2)
    equal("callees that get the header", told.count("sip:bob@phone.plivo.com gets X-PH-Test: Sample"), 2)
    equal("texts", told.count('"Congratulations"'), 2)


CHECKS = [
    the_guides_script_reaches_the_application,
    the_guides_script_rings_a_registered_endpoint,
    the_guides_phlos_are_run_static_and_with_a_payload,
]
