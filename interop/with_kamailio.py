"""sipcall with Kamailio: registered there, and calling through it."""

import contextlib
import re
import socket

import recorded
import sipp
from kamailio import Kamailio
from lab import USER, equal, fields, of_method, require, wait_until

ELSEWHERE = "sip:john1234@127.0.0.1:9"  # A binding that some other client left.
ROUTED = [sipp.CONTACT, "[last_Record-Route:]"]
CALLEE = [
    sipp.receive("INVITE", sipp.HELD, attributes='rrs="true"'), sipp.reply("180 Ringing", *ROUTED),
    sipp.reply("200 OK", *ROUTED, body=sipp.SDP, attributes='retrans="500"'), sipp.receive("ACK"),
    sipp.receive("BYE"), sipp.reply("200 OK", tag=None),
]
# Of two phones that ring together, one is slow enough for the other to ring, and the other is never taken up.
SLOW_CALLEE = [*CALLEE[:2], '<pause milliseconds="300"/>', *CALLEE[2:]]
LATE = [
    sipp.receive("INVITE", *sipp.REMEMBER, attributes='rrs="true"'), sipp.reply("180 Ringing", *ROUTED),
    sipp.receive("CANCEL"), sipp.reply("200 OK"), sipp.late_reply("487 Request Terminated"), sipp.receive("ACK"),
]


def register(lab, proxy, *arguments, transport="udp", code=0):
    return lab.run("register", f"{USER}@127.0.0.1:{proxy.port}", "--transport", transport, "--output", "json", "-v",
                   *arguments).expect(code)


def registered_and_gone(lab, transport, algorithm="MD5"):
    with Kamailio(lab, algorithm=algorithm) as proxy:
        finished = register(lab, proxy, "--once", transport=transport)
        equal("ours", [binding["ours"] for binding in finished.json()["bindings"]], [True])
        # Challenged, registered, and with the nonce of the first challenge unregistered.
        equal("REGISTERs", proxy.seen("REGISTER"), [transport] * 3)
        require(f"algorithm={algorithm}" in finished.err, f"no {algorithm}\n{finished.err}")
        equal("left", register(lab, proxy, "--query", transport=transport).json()["bindings"], [])


def kamailio_registers_over_udp(lab):
    registered_and_gone(lab, "udp")


def kamailio_registers_over_tcp(lab):
    registered_and_gone(lab, "tcp")


def kamailio_registers_with_sha_256(lab):
    registered_and_gone(lab, "udp", "SHA-256")


def kamailio_tells_bindings_of_others_and_removes_them(lab):
    with Kamailio(lab) as proxy:
        proxy.bindings(USER, ELSEWHERE)
        found = register(lab, proxy, "--query").json()["bindings"]
        equal("bindings", [(binding["uri"], binding["ours"]) for binding in found], [(ELSEWHERE, False)])
        once = register(lab, proxy, "--once").json()["bindings"]
        equal("while we are there", sorted(binding["ours"] for binding in once), [False, True])
        equal("after we left", proxy.bindings(USER), [ELSEWHERE])
        register(lab, proxy, "--remove-all")
        equal("after all were removed", proxy.bindings(USER), [])


def kamailio_refuses_a_wrong_password(lab):
    with Kamailio(lab, "auth") as proxy:
        lab.environment["SIPCALL_PASSWORD"] = "wrong"
        register(lab, proxy, "--once", code=40)
        equal("REGISTERs", len(proxy.seen("REGISTER")), 2)
        call = lab.invite(proxy.port).expect(40).json()
        equal("INVITEs", len(proxy.seen("INVITE")), 2)
        equal("outcome", (call["outcome"]["kind"], call["outcome"]["status"]), ("auth_failed", 407))


def kamailio_keeps_a_registration_that_is_refreshed(lab):
    with Kamailio(lab) as proxy, lab.start("register", f"{USER}@127.0.0.1:{proxy.port}", "--expires", "2s") as ours:
        wait_until("refreshed twice", lambda: len(proxy.seen("REGISTER")) >= 4, ours.process)
        equal("bindings", len(proxy.bindings(USER)), 1)
        ours.interrupt()
        ours.expect(130)
        equal("bindings after Ctrl-C", proxy.bindings(USER), [])


kamailio_keeps_a_registration_that_is_refreshed.seconds = 4


def comes_back(lab, transport, expires):
    proxy = Kamailio(lab)
    command = "register", f"{USER}@127.0.0.1:{proxy.port}", "--expires", expires, "--transport", transport
    with proxy, lab.start(*command) as ours:
        wait_until("registered", lambda: proxy.bindings(USER), ours.process)
        proxy.stop()  # Its bindings are in memory, and gone with it.
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM if transport == "udp" else socket.SOCK_STREAM) as deaf:
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            deaf.bind(("127.0.0.1", proxy.port))
            deaf.settimeout(10)
            if transport == "tcp":
                deaf.listen()
                deaf, _ = deaf.accept()
            require(deaf.recv(65535).startswith(b"REGISTER "), "no REGISTER while Kamailio is away")
            deaf.close()
        proxy.start()
        wait_until("registered again", lambda: proxy.bindings(USER), ours.process, within=20)


def kamailio_that_starts_again_has_us_again_over_udp(lab):
    comes_back(lab, "udp", "2s")


kamailio_that_starts_again_has_us_again_over_udp.seconds = 3


def kamailio_that_starts_again_has_us_again_over_tcp(lab):
    """Without a wait for the refresh: that the connection has gone tells it."""
    comes_back(lab, "tcp", "10m")


kamailio_that_starts_again_has_us_again_over_tcp.seconds = 3


def through(lab, proxy, steps, transport="udp", to="udp", talk="0"):
    """A call through the proxy to SIPp, which registers there; both sides must be content."""
    with sipp.Sipp(lab, "callee", steps, to) as callee:
        proxy.bindings("uas", f"sip:uas@127.0.0.1:{callee.port};transport={to}")
        finished = lab.invite(proxy.port, "--talk", talk, transport=transport).expect(0)
        callee.content_with(finished)
        return finished.json(), callee.received()


def hops(received, method):
    """Through how many each request of a method went, our own included."""
    return [len(fields(message, "Via")) for message in of_method(method, received)]


def one_hop(lab, transport, to, routes):
    with Kamailio(lab, "auth", "record") as proxy:
        call, received = through(lab, proxy, CALLEE, transport=transport, to=to)
        equal("auth", call["auth"], {"rounds": 1, "realm": sipp.REALM, "algorithm": "MD5"})
        equal("routes", len(call["route_set"]), routes)
        require(all(";lr" in route for route in call["route_set"]), f"route_set: {call['route_set']}")
        # The ACK to the 407 is not told: Kamailio, which answers it without a transaction, takes it away before.
        for method, count in (("INVITE", 2), ("ACK", 1), ("BYE", 1)):
            equal(method, proxy.seen(method), [transport] * count)
        equal("hops of ACK and BYE", hops(received, "ACK") + hops(received, "BYE"), [2, 2])


def kamailio_in_the_route_over_udp(lab):
    one_hop(lab, "udp", "udp", 1)


def kamailio_in_the_route_over_tcp(lab):
    one_hop(lab, "tcp", "tcp", 1)


def kamailio_between_tcp_and_udp(lab):
    one_hop(lab, "tcp", "udp", 2)


def kamailio_between_udp_and_tcp(lab):
    one_hop(lab, "udp", "tcp", 2)


def kamailio_asks_again_for_the_bye(lab):
    with Kamailio(lab, "auth", "record", nonce_life=1) as proxy:
        _, received = through(lab, proxy, CALLEE, talk="2100ms")
        equal("BYEs at the proxy", proxy.seen("BYE"), ["udp", "udp"])
        equal("BYEs at the callee", len(hops(received, "BYE")), 1)


kamailio_asks_again_for_the_bye.seconds = 3


def kamailio_gets_over_tcp_what_no_datagram_holds(lab):
    """RFC 3261 §18.1.1: the credentials take the second INVITE beyond 1300 octets."""
    with Kamailio(lab, "auth", "record") as proxy, sipp.Sipp(lab, "callee", CALLEE) as callee:
        proxy.bindings("uas", f"sip:uas@127.0.0.1:{callee.port}")
        finished = lab.run(
            "invite", f"sip:uas@127.0.0.1:{proxy.port}", "--user", f"{USER}@127.0.0.1:{proxy.port}", "--no-register",
            "-H", "X-PH-Test: Sample", "-H", f"X-Long: {'x' * 450}", "--talk", "0", "--no-store", "-v").expect(0)
        callee.content_with(finished)
        for method, wanted in (("INVITE", ["udp", "tcp"]), ("ACK", ["tcp"]), ("BYE", ["tcp"])):
            equal(method, proxy.seen(method), wanted)


def kamailio_knows_no_such_callee(lab):
    with Kamailio(lab, "auth") as proxy:
        call = lab.invite(proxy.port).expect(41).json()
        equal("status", call["outcome"]["status"], 404)


def kamailio_forks_to_two_phones(lab):
    with Kamailio(lab, "record") as proxy, sipp.Sipp(lab, "late", LATE) as late:
        proxy.bindings("uas", f"sip:uas@127.0.0.1:{late.port}")
        call, _ = through(lab, proxy, SLOW_CALLEE)
        require(late.code() == 0, f"the other phone: exit code {late.process.returncode}\n{late.text('errors')}")
        equal("outcome", call["outcome"]["kind"], "answered")


LADDER = {
    "method": "sip.Method", "status": "sip.Status-Code", "routes": "sip.Route", "from": "udp.srcport", "to": "udp.dstport",
    "at": "frame.time_relative",
}


@contextlib.contextmanager
def listening(lab, *arguments):
    """Another of ours, which waits for one call and tells what happens. It has said that it is there."""
    with lab.start("listen", "--once", "--no-store", "--output", "jsonl", "-v", *arguments) as ours:
        wait_until("we listen", lambda: ours.events("listening"), ours.process)
        yield ours


def registered(lab, proxy, *arguments, user="uas", transport="udp"):
    return listening(lab, "-u", f"{user}@127.0.0.1:{proxy.port}", "--transport", transport, *arguments)


def ended(ours, code=0):
    """The call as JSON when it has ended."""
    ours.expect(code)
    return ours.events("ended")[0]["call"]


def ours_call_each_other(lab, transport, to):
    with Kamailio(lab, "auth", "record") as proxy, registered(lab, proxy, transport=to) as callee:
        equal("bindings", len(proxy.bindings("uas")), 1)
        caller = lab.invite(proxy.port, "--talk", "200ms", transport=transport).expect(0).json()
        called = ended(callee)
        equal("directions", (caller["direction"], called["direction"]), ("outbound", "inbound"))
        equal("ended by", (caller["outcome"]["ended_by"], called["outcome"]["ended_by"]), ("local", "remote"))
        equal("the same call", caller["call_id"], called["call_id"])
        equal("transports", (caller["transport"], called["transport"]), (transport, to))
        # The same proxy from both sides: RFC 3261 §12.1.1 and §12.1.2.
        equal("route sets", caller["route_set"], called["route_set"][::-1])
        headers = callee.events("incoming")[0]["headers"]
        require({"name": "X-PH-Test", "value": "Sample"} in headers, f"headers: {headers}")
        equal("bindings after it left", proxy.bindings("uas"), [])


def two_of_ours_at_kamailio_over_udp(lab):
    ours_call_each_other(lab, "udp", "udp")


def two_of_ours_at_kamailio_over_tcp(lab):
    ours_call_each_other(lab, "tcp", "tcp")


def two_of_ours_at_kamailio_over_tcp_and_udp(lab):
    ours_call_each_other(lab, "tcp", "udp")


def two_of_ours_ring_and_one_answers(lab):
    with Kamailio(lab, "auth", "record") as proxy, registered(lab, proxy, "--answer-after", "500ms") as one, \
            registered(lab, proxy, "--answer-after", "20s") as other:
        equal("bindings", len(proxy.bindings("uas")), 2)
        lab.invite(proxy.port, "--talk", "0").expect(0)
        equal("ended_by", ended(one)["outcome"]["ended_by"], "remote")
        other.expect(43)
        equal("rang and was taken back", (len(other.events("ringing")), len(other.events("cancelled"))), (1, 1))


def two_hops(lab):
    """Its view by tshark is printed: who sends what to whom, and by which Routes."""
    with sipp.Sipp(lab, "callee", CALLEE) as callee, Kamailio(lab, "record", name="core") as core, \
            Kamailio(lab, "auth", "record", name="edge", next_hop=core.port) as edge:
        core.bindings("uas", f"sip:uas@127.0.0.1:{callee.port}")
        names = {str(edge.port): "edge", str(core.port): "core", str(callee.port): "callee"}
        with recorded.Capture(lab.path("hops.pcapng"), list(names), 23) as capture:
            finished = lab.invite(edge.port, "--talk", "0").expect(0)
            callee.content_with(finished)
            packets = capture.packets(LADDER)
    for packet in packets:
        for end_of_it in ("from", "to"):
            packet[end_of_it] = names.get(packet[end_of_it], "sipcall")
        packet["what"] = packet["method"] or packet["status"]
        packet["routes"] = [names[port] for port in re.findall(r":(\d+);lr", packet["routes"])]
    row = "note: {at:.6} s  {from:>7} > {to:7}  {what:6}  {}"
    print("\n".join(row.format(" ".join(packet["routes"]), **packet).rstrip() for packet in packets), flush=True)
    way = ["sipcall", "edge", "core", "callee"]
    there, back = list(zip(way, way[1:])), list(zip(way[::-1], way[-2::-1]))
    twice = there[:1] + there  # Once for the challenge.
    for what, wanted in (
            ("INVITE", twice), ("407", back[2:]), ("ACK", twice), ("180", back), ("BYE", there), ("200", back * 2)):
        passed = [(packet["from"], packet["to"]) for packet in packets if packet["what"] == what]
        equal(what, passed, wanted)
    # RFC 3261 §12.1.2: the Record-Route fields in reverse. Each hop takes its own off.
    for method in ("ACK", "BYE"):
        found = [packet["routes"] for packet in packets if packet["what"] == method][-3:]
        equal(f"Routes of {method}", found, [["edge", "core"], ["core"], []])
    equal("route_set", len(finished.json()["route_set"]), 2)


def two_hops_by_routes_given(lab):
    with sipp.Sipp(lab, "callee", CALLEE) as callee, \
            Kamailio(lab, "record", name="core") as core, Kamailio(lab, "auth", "record", name="edge") as edge:
        core.bindings("uas", f"sip:uas@127.0.0.1:{callee.port}")
        routes = [word for proxy in (edge, core) for word in ("--route", f"sip:127.0.0.1:{proxy.port};lr")]
        finished = lab.invite(core.port, "--talk", "0", *routes).expect(0)
        callee.content_with(finished)
        for method in ("INVITE", "ACK", "BYE"):
            equal(f"hops of {method}", hops(callee.received(), method), [3])


def two_hops_over_tcp(lab):
    with Kamailio(lab, "record", name="core") as core, \
            Kamailio(lab, "auth", "record", name="edge", next_hop=f"{core.port};transport=tcp") as edge:
        with sipp.Sipp(lab, "callee", CALLEE, "tcp") as callee:
            core.bindings("uas", f"sip:uas@127.0.0.1:{callee.port};transport=tcp")
            finished = lab.invite(edge.port, "--talk", "0", transport="tcp").expect(0)
            callee.content_with(finished)
        sent = re.split(r"^> (?=ACK|BYE)", finished.err, flags=re.MULTILINE)
        routes = [re.findall(r"^> Route:.*?:(\d+);", part.replace("sip:", ""), re.MULTILINE) for part in sent]
        ports = [fields for fields in routes if fields]
        equal("Routes of ACK and BYE", ports, [[str(edge.port), str(core.port)]] * 2)
        equal("at the second hop", (core.seen("ACK"), core.seen("BYE")), (["tcp"], ["tcp"]))
        equal("hops", (hops(callee.received(), "ACK"), hops(callee.received(), "BYE")), ([3], [3]))


CHECKS = [
    kamailio_registers_over_udp, kamailio_registers_over_tcp, kamailio_registers_with_sha_256,
    kamailio_tells_bindings_of_others_and_removes_them, kamailio_refuses_a_wrong_password,
    kamailio_keeps_a_registration_that_is_refreshed, kamailio_that_starts_again_has_us_again_over_udp,
    kamailio_that_starts_again_has_us_again_over_tcp, kamailio_in_the_route_over_udp, kamailio_in_the_route_over_tcp,
    kamailio_between_tcp_and_udp, kamailio_between_udp_and_tcp, kamailio_knows_no_such_callee, kamailio_forks_to_two_phones,
    kamailio_asks_again_for_the_bye, kamailio_gets_over_tcp_what_no_datagram_holds, two_hops, two_hops_over_tcp,
    two_hops_by_routes_given, two_of_ours_at_kamailio_over_udp, two_of_ours_at_kamailio_over_tcp,
    two_of_ours_at_kamailio_over_tcp_and_udp, two_of_ours_ring_and_one_answers,
]
