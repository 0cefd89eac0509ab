"""The dialog after the answer: its target and routes, and what the callee asks within it."""

import re

from lab import equal, field, fields, of_method, require
from sipp import ACCEPTED, CONTACT, HUNG_UP, INVITED, SDP, answered, pause, play, receive, reply, request

AT = "[local_ip]:[local_port];transport=[transport]"


def answered_through(*routes, contact=f"sip:uas@{AT}", early=CONTACT):
    lines = [f"Contact: <{contact}>", *(f"Record-Route: <{route}>" for route in routes)]
    return [
        receive("INVITE"), reply("180 Ringing", early), reply("200 OK", *lines, body=SDP, attributes='retrans="500"'),
        receive("ACK"), HUNG_UP,
    ]


def require_way(received, uri, routes):
    """ACK and BYE have that Request-URI and those routes, with the port of SIPp left out."""
    for method in ("ACK", "BYE"):
        (message,) = of_method(method, received)
        without_port = lambda text: re.sub(r"@?127\.0\.0\.1:\d+", "@us", text).replace("sip:@", "sip:")
        equal(f"Request-URI of {method}", without_port(message.split()[1]), uri)
        values = [value.strip() for line in fields(message, "Route") for value in line.split(",")]
        equal(f"Route of {method}", [without_port(value).strip("<>") for value in values], routes)


def the_contact_of_the_200_counts(lab):
    steps = answered_through(contact=f"sip:late@{AT}", early=f"Contact: <sip:early@{AT}>")
    call, received = play(lab, steps, "--talk", "0", code=0)
    require_way(received, "sip:late@us;transport=UDP", [])
    require(call["remote_target"].startswith("sip:late@"), f"remote_target: {call['remote_target']}")


def loose_routes_are_followed_backwards(lab):
    steps = answered_through("sip:far.example;lr", "sip:[local_ip]:[local_port];transport=[transport];lr=on;ftag=a")
    call, received = play(lab, steps, "--talk", "0", code=0)
    require_way(received, "sip:uas@us;transport=UDP", ["sip:us;transport=UDP;lr=on;ftag=a", "sip:far.example;lr"])
    require(call["route_set"][1] == "sip:far.example;lr", f"route_set: {call['route_set']}")


def routes_on_one_line_are_those_on_two(lab):
    steps = answered_through("sip:far.example;lr>, <sip:[local_ip]:[local_port];transport=[transport];lr")
    _, received = play(lab, steps, "--talk", "0", code=0)
    require_way(received, "sip:uas@us;transport=UDP", ["sip:us;transport=UDP;lr", "sip:far.example;lr"])


def a_strict_router_gets_itself_as_the_request_uri(lab):
    steps = answered_through("sip:far.example;lr", "sip:[local_ip]:[local_port];transport=[transport];method=INVITE")
    _, received = play(lab, steps, "--talk", "0", code=0)
    # RFC 3261 §12.2.1.1: the target goes last, and what may not stand in a Request-URI (§19.1.1) is left out.
    require_way(received, "sip:us;transport=UDP", ["sip:far.example;lr", "sip:uas@us;transport=UDP"])


def within(lab, *steps):
    """One call in which the callee asks something, until we hang up."""
    return play(lab, [INVITED, *ACCEPTED, *steps, HUNG_UP], "--talk", "500ms", code=0)


def responses(received):
    return [message for message in received if message.startswith("SIP/2.0 ")]


def held(direction):
    return SDP.replace("2353687637", "2353687638") + f"a={direction}\n"


def a_hold_is_answered(lab):
    steps = []
    for number, direction in ((1, "sendonly"), (2, "sendrecv"), (3, "inactive")):
        steps += [request("INVITE", number, CONTACT, body=held(direction)), answered(200), request("ACK", number)]
    _, received = within(lab, *steps)
    directions = [re.findall("a=(recvonly|sendrecv|inactive|sendonly)", message) for message in responses(received)]
    equal("answers", directions, [["recvonly"], ["sendrecv"], ["inactive"]])


def a_hold_after_an_offer_by_us(lab):
    """A re-INVITE without a session: our 200 offers, the ACK answers."""
    _, received = within(lab, request("INVITE", 1, CONTACT), answered(200), request("ACK", 1, body=held("sendonly")))
    require("m=audio" in responses(received)[0], "no offer in the 200")


def a_moved_target_is_followed(lab):
    moved = f"Contact: <sip:moved@{AT}>"
    _, received = within(lab, request("INVITE", 1, moved, body=held("sendrecv")), answered(200), request("ACK", 1))
    (bye,) = of_method("BYE", received)
    require(bye.startswith("BYE sip:moved@"), bye.splitlines()[0])


def what_a_callee_asks_is_answered(lab):
    asked = [("OPTIONS", 200), ("INFO", 200), ("MESSAGE", 405), ("FROBNICATE", 501), ("PRACK", 405)]
    steps = [request(method, number) + answered(status) for number, (method, status) in enumerate(asked, 1)]
    _, received = within(lab, *steps)
    require("INVITE" in field(responses(received)[0], "Allow"), "no INVITE in Allow of OPTIONS")
    equal("Allow of 405", len(fields(responses(received)[2], "Allow")), 1)


def what_a_callee_demands_in_vain_is_told(lab):
    _, received = within(lab, request("OPTIONS", 1, "Require: 100rel, frobnication"), answered(420))
    equal("Unsupported", field(responses(received)[0], "Unsupported"), "100rel, frobnication")


def what_comes_out_of_order_is_refused(lab):
    _, received = within(lab, request("OPTIONS", 7), answered(200), request("OPTIONS", 6), answered(500), pause(100))
    equal("responses", len(responses(received)), 2)


CHECKS = [
    the_contact_of_the_200_counts, loose_routes_are_followed_backwards, routes_on_one_line_are_those_on_two,
    a_strict_router_gets_itself_as_the_request_uri, a_hold_is_answered, a_hold_after_an_offer_by_us,
    a_moved_target_is_followed, what_a_callee_asks_is_answered, what_a_callee_demands_in_vain_is_told,
    what_comes_out_of_order_is_refused,
]
