"""Registers bob at the sandbox around us, makes the call, and waits until it has reached him.

    endpoint_and_call.py SIPCALL MAKE_CALL
"""

import os
import subprocess
import sys

from lab import end, wait_until

with open("bob.out", "w+", encoding="utf-8") as out, open("bob.err", "w+", encoding="utf-8") as err:
    bob = subprocess.Popen(
        [sys.argv[1], "register", "bob", f"--sandbox={os.environ['SIPCALL_SANDBOX']}", "-v"], stdout=out, stderr=err)

    def shows(name, text):
        with open(name, encoding="utf-8") as file:
            return text in file.read()

    try:
        wait_until("bob registers", lambda: shows("bob.out", "registered"), bob)
        made = subprocess.run([sys.executable, sys.argv[2]], timeout=30, check=False)
        wait_until("the call is over for bob", lambda: shows("bob.err", "< ACK "), bob)
    finally:
        end(bob)
        err.seek(0)
        print(err.read(), file=sys.stderr)
sys.exit(made.returncode)
