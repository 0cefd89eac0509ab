//! Writing beside rsip and rsipstack: an INVITE with three X-PH headers and SDP, and the 200 to a received one. Theirs are
//! put together from values as their documentation shows, and become one buffer; ours is written into a buffer that is
//! used again.

use crate::messages::MESSAGES;
use bytes::BytesMut;
use sipcall::wire::MessageRef;
use std::hint::black_box;
use std::process::ExitCode;
use std::time::Instant;

#[path = "../../wire/writes.rs"]
mod writes;

const NAMES: [&str; 3] = ["sipcall", "rsip", "rsipstack"];

type Write = Box<dyn FnMut() -> usize>;

pub fn table(rounds: usize) {
    println!("writing, one message, least (median) of {rounds} interleaved rounds");
    let titles = ["invite ns", "200 ns", "to ours", "both: instr", "both: allocs", "octets"];
    print!("{:<24}", "");
    titles.iter().for_each(|title| print!(" {title:>15}"));
    println!();
    let mut works: Vec<Write> = NAMES.into_iter().flat_map(|name| [invite(name), response(name)]).collect();
    let mut times = vec![Vec::with_capacity(rounds); works.len()];
    for _ in 0..rounds {
        for (work, times) in works.iter_mut().zip(&mut times) {
            let began = Instant::now();
            (0..100).for_each(|_| _ = black_box(work()));
            times.push(began.elapsed().as_nanos() as f64 / 100.0);
        }
    }
    let times: Vec<_> = times.into_iter().map(crate::least_and_median).collect();
    for (at, name) in NAMES.into_iter().enumerate() {
        let [invite, response] = [times[2 * at], times[2 * at + 1]];
        let shown = |(least, median): (f64, f64)| format!("{least:.0} ({median:.0})");
        let octets = works[2 * at]() + works[2 * at + 1]();
        let count = |tool, before| crate::counted(tool, before, "write", name);
        print!("{name:<24} {:>15} {:>15}", shown(invite), shown(response));
        print!(" {:>15}", format!("{:.1} / {:.1}", invite.0 / times[0].0, response.0 / times[1].0));
        print!(" {:>15}", count("callgrind", "Collected : ").map_or("-".to_owned(), crate::grouped));
        println!(" {:>15} {octets:>15}", count("memcheck", "total heap usage: ").unwrap_or_default());
    }
}

pub fn repeat(name: &str, repeats: usize) -> ExitCode {
    let (mut invite, mut response) = (invite(name), response(name));
    for _ in 0..repeats {
        black_box(invite() + response());
    }
    ExitCode::SUCCESS
}

fn invite(name: &str) -> Write {
    let mut out = BytesMut::with_capacity(2048);
    match name {
        "rsip" => Box::new(|| rsip_invite(black_box("z9hG4bK9a0c7714ff02"), black_box(202)).len()),
        "rsipstack" => Box::new(|| rsipstack_invite(black_box("z9hG4bK9a0c7714ff02"), black_box(202)).len()),
        _ => Box::new(move || {
            out.clear();
            writes::invite(&mut out, black_box("z9hG4bK9a0c7714ff02"), black_box(202));
            black_box(&out).len()
        }),
    }
}

fn response(name: &str) -> Write {
    let (mut out, invite) = (BytesMut::with_capacity(2048), MESSAGES[1].1);
    match name {
        "rsip" => {
            let request = rsip::Request::try_from(invite).expect("rsip reads the INVITE");
            Box::new(move || rsip_response(black_box(&request), black_box("as3f9b0e77")).len())
        }
        "rsipstack" => {
            let request = rsipstack::sip::Request::try_from(invite).expect("rsipstack reads the INVITE");
            Box::new(move || rsipstack_response(black_box(&request), black_box("as3f9b0e77")).len())
        }
        _ => {
            let request = MessageRef::parse(invite).expect("ours reads the INVITE");
            Box::new(move || {
                out.clear();
                writes::response(&mut out, black_box(&request), black_box("as3f9b0e77"));
                black_box(&out).len()
            })
        }
    }
}

/// Both have the same shape.
macro_rules! by {
    ($($stack:ident)::+, $invite:ident, $response:ident) => {
        fn $invite(branch: &str, number: u32) -> Vec<u8> {
            use $($stack)::+ as stack;
            use stack::headers::untyped as plain;
            #[allow(unused_imports, reason = "one of the two needs it")]
            use plain::UntypedHeader as _;
            use stack::{Header, Headers, Method, Request, Version};
            let headers: Vec<Header> = vec![
                plain::Via::new(format!("SIP/2.0/UDP 192.0.2.45:5060;branch={branch};rport")).into(),
                plain::MaxForwards::new("70").into(),
                plain::From::new("\"Agent Seven\" <sip:agent7001@sip.provider.example>;tag=77aa01cd").into(),
                plain::To::new("<sip:+15551230001@sip.provider.example;user=phone>").into(),
                plain::CallId::new("6d2ab0c4-58f1-4f0e-a7d0-0c2b7a9d11e3@192.0.2.45").into(),
                plain::CSeq::new(format!("{number} INVITE")).into(),
                plain::Contact::new("<sip:agent7001@192.0.2.45:5060;transport=udp>").into(),
                Header::Other("X-PH-CampaignId".into(), "spring-2026".into()),
                Header::Other("X-PH-LeadId".into(), "88123901".into()),
                Header::Other("X-PH-Trace".into(), "a1b2c3d4e5f60718".into()),
                plain::Allow::new("INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE, PRACK").into(),
                plain::Supported::new("100rel, timer, replaces").into(),
                plain::UserAgent::new("sipcall/0.1.0").into(),
                plain::ContentType::new("application/sdp").into(),
                plain::ContentLength::new(writes::SDP.len().to_string()).into(),
            ];
            let request = Request {
                method: Method::Invite,
                uri: stack::Uri::try_from("sip:+15551230001@sip.provider.example;user=phone").expect("a URI"),
                version: Version::V2,
                headers: Headers::from(headers),
                body: writes::SDP.to_vec(),
            };
            request.into()
        }

        fn $response(request: &$($stack)::+::Request, tag: &str) -> Vec<u8> {
            use $($stack)::+ as stack;
            use stack::headers::untyped as plain;
            #[allow(unused_imports, reason = "one of the two needs it")]
            use plain::UntypedHeader as _;
            use stack::{Header, Headers, Response, StatusCode, Version};
            let copied = |wanted: fn(&Header) -> bool| request.headers.iter().filter(move |h| wanted(h)).cloned();
            let mut headers: Vec<Header> = Vec::with_capacity(16);
            headers.extend(copied(|header| matches!(header, Header::Via(_))));
            headers.extend(copied(|header| matches!(header, Header::RecordRoute(_))));
            headers.extend(copied(|header| matches!(header, Header::From(_))));
            let to = request.headers.iter().find_map(|header| match header {
                Header::To(to) => Some(format!("{};tag={tag}", to.value())),
                _ => None,
            });
            headers.push(plain::To::new(to.unwrap_or_default()).into());
            headers.extend(copied(|header| matches!(header, Header::CallId(_))));
            headers.extend(copied(|header| matches!(header, Header::CSeq(_))));
            headers.push(plain::Contact::new("<sip:+15551230001@203.0.113.77:5080;transport=udp>").into());
            headers.push(plain::Server::new("MediaSrv 4.2").into());
            headers.push(plain::ContentType::new("application/sdp").into());
            headers.push(plain::ContentLength::new(writes::SDP.len().to_string()).into());
            let response = Response {
                status_code: StatusCode::OK,
                version: Version::V2,
                headers: Headers::from(headers),
                body: writes::SDP.to_vec(),
                ..Default::default()
            };
            response.into()
        }
    };
}

by!(rsip, rsip_invite, rsip_response);
by!(rsipstack::sip, rsipstack_invite, rsipstack_response);
