"""The script of Plivo's guide to custom SIP headers; only credentials and places come from the environment."""

import os

import plivo

client = plivo.RestClient(os.environ["PLIVO_AUTH_ID"], os.environ["PLIVO_AUTH_TOKEN"])
response = client.calls.create(
    from_=os.environ["CALL_FROM"],
    to_="sip:bob@phone.plivo.com",
    answer_url=os.environ["ANSWER_URL"],
    answer_method="GET",
    sip_headers="Test=Sample")
print(response)
