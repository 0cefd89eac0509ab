"""Sends this process's requests for Plivo's API to a sipcall sandbox.

Python imports a module of this name at start, before any other code. Without SIPCALL_SANDBOX_HTTP (such as
http://127.0.0.1:8080) in the environment it does nothing; with it, whatever imports `requests`, early or late,
gets an adapter that sends the two hosts below to the sandbox and leaves all others alone.
"""

import os
import sys

HOSTS = ("api.plivo.com", "phlorunner.plivo.com")
PATCHED = "requests.adapters"


def _redirect(module, sandbox):
    from urllib.parse import urlsplit

    send = module.HTTPAdapter.send

    def send_to_sandbox(self, request, *args, **kwargs):
        parts = urlsplit(request.url)
        if parts.hostname in HOSTS:
            request = request.copy()
            request.url = sandbox.rstrip("/") + parts._replace(scheme="", netloc="", fragment="").geturl()
            # A proxy for the internet does not know this machine's loopback.
            if len(args) > 4:
                args = args[:4] + ({},) + args[5:]
            else:
                kwargs["proxies"] = {}
        return send(self, request, *args, **kwargs)

    module.HTTPAdapter.send = send_to_sandbox


class _Finder:
    """Finds one module as everyone else does, and patches it once it is loaded."""

    def __init__(self, sandbox):
        self.sandbox = sandbox

    def find_spec(self, name, path=None, target=None):
        if name != PATCHED:
            return None
        import importlib.util

        # Out of the way while the others look; back in place if they found nothing yet.
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec is None:
            sys.meta_path.insert(0, self)
            return None
        sandbox, execute = self.sandbox, spec.loader.exec_module

        def exec_module(module):
            execute(module)
            _redirect(module, sandbox)

        spec.loader.exec_module = exec_module
        return spec


def _next_sitecustomize():
    """This file stands in front of the machine's own sitecustomize, so it runs that one too."""
    import importlib.machinery
    import importlib.util

    here = os.path.dirname(os.path.abspath(__file__))
    path = [entry for entry in sys.path if os.path.abspath(entry) != here]
    spec = importlib.machinery.PathFinder.find_spec("sitecustomize", path)
    if spec is not None and spec.loader is not None:
        spec.loader.exec_module(importlib.util.module_from_spec(spec))


_sandbox = os.environ.get("SIPCALL_SANDBOX_HTTP")
if _sandbox:
    if PATCHED in sys.modules:
        _redirect(sys.modules[PATCHED], _sandbox)
    else:
        sys.meta_path.insert(0, _Finder(_sandbox))
_next_sitecustomize()
