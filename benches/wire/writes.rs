//! The messages that are written.

use bytes::BytesMut;
use sipcall::wire::{HeaderId, MessageRef, Method, Status, Writer};

pub(crate) const SDP: &[u8] =
    b"v=0\r\no=- 1782649201 1782649201 IN IP4 192.0.2.45\r\ns=-\r\nc=IN IP4 192.0.2.45\r\nt=0 0\r\n\
m=audio 40012 RTP/AVP 0 8 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\n\
a=fmtp:101 0-16\r\na=ptime:20\r\na=sendrecv\r\n";

/// An INVITE with three X-PH headers and SDP.
pub(crate) fn invite(out: &mut BytesMut, branch: &str, number: u32) {
    let mut writer = Writer::request(out, &Method::Invite, "sip:+15551230001@sip.provider.example;user=phone");
    writer
        .header_fmt(HeaderId::Via, format_args!("SIP/2.0/UDP 192.0.2.45:5060;branch={branch};rport"))
        .header(HeaderId::MaxForwards, "70")
        .header(HeaderId::From, "\"Agent Seven\" <sip:agent7001@sip.provider.example>;tag=77aa01cd")
        .header(HeaderId::To, "<sip:+15551230001@sip.provider.example;user=phone>")
        .header(HeaderId::CallId, "6d2ab0c4-58f1-4f0e-a7d0-0c2b7a9d11e3@192.0.2.45")
        .header_fmt(HeaderId::CSeq, format_args!("{number} INVITE"))
        .header(HeaderId::Contact, "<sip:agent7001@192.0.2.45:5060;transport=udp>")
        .named("X-PH-CampaignId", "spring-2026")
        .named("X-PH-LeadId", "88123901")
        .named("X-PH-Trace", "a1b2c3d4e5f60718")
        .header(HeaderId::Allow, "INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE, PRACK")
        .header(HeaderId::Supported, "100rel, timer, replaces")
        .header(HeaderId::UserAgent, "sipcall/0.1.0");
    writer.body(Some("application/sdp"), SDP).expect("an INVITE can be written");
}

/// The 200 to a received INVITE: its Via, Record-Route, From, To with a tag, Call-ID and CSeq, a Contact, SDP.
pub(crate) fn response(out: &mut BytesMut, request: &MessageRef<'_>, tag: &str) {
    let mut writer = Writer::response(out, Status::OK, None);
    for id in [HeaderId::Via, HeaderId::RecordRoute, HeaderId::From] {
        writer.copy_all(request, id);
    }
    let to = request.header(HeaderId::To).and_then(|to| std::str::from_utf8(to).ok()).unwrap_or_default();
    writer.header_fmt(HeaderId::To, format_args!("{to};tag={tag}"));
    for id in [HeaderId::CallId, HeaderId::CSeq] {
        writer.copy_all(request, id);
    }
    writer
        .header(HeaderId::Contact, "<sip:+15551230001@203.0.113.77:5080;transport=udp>")
        .header(HeaderId::Server, "MediaSrv 4.2");
    writer.body(Some("application/sdp"), SDP).expect("a response can be written");
}
