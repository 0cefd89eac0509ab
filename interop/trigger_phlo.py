"""The scripts of Plivo's guide that run a PHLO, static and with a payload; only ids and credentials come from the
environment. Then it waits until the records of both calls are there."""

import os

import plivo

from lab import wait_until

auth_id, auth_token = os.environ["PLIVO_AUTH_ID"], os.environ["PLIVO_AUTH_TOKEN"]
static_id, dynamic_id = os.environ["PHLO_IDS"].split()

phlo_client = plivo.phlo.RestClient(auth_id=auth_id, auth_token=auth_token)
phlo = phlo_client.phlo.get(static_id)
response = phlo.run()
print(str(response))

payload = {"from": "14155550100", "to": "sip:bob@phone.plivo.com"}
phlo = phlo_client.phlo.get(dynamic_id)
response = phlo.run(**payload)
print(str(response))

client = plivo.RestClient(auth_id, auth_token)
wait_until("both calls are over", lambda: len(client.calls.list().objects) == 2)
for call in client.calls.list().objects:
    print(call.to_number, call.hangup_cause_code)
