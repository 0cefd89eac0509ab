//! What goes wrong when it is asked for, and does not otherwise; over real sockets.

use std::collections::BTreeSet;

use super::whole::{PATIENCE, Phone, api, application, guides_request, next, phone, report, sandbox};
use crate::agent::{Accept, AgentConfig, Transport};
use crate::call::Session;
use crate::plivo::sandbox::{Fault, Running, SandboxConfig, SandboxEvent};
use crate::transport::{Client, ClientConfig};
use crate::wire::{HeaderId, Status};

async fn faulty(faults: &[Fault]) -> Running {
    sandbox(SandboxConfig { faults: BTreeSet::from_iter(faults.iter().copied()), ..SandboxConfig::default() }).await
}

/// What the sandbox has told of faults.
fn struck(sandbox: &mut Running) -> Vec<Fault> {
    let mut faults = Vec::new();
    while let Ok(event) = sandbox.events.try_recv() {
        if let SandboxEvent::Faulted { fault, .. } = event {
            faults.push(fault);
        }
    }
    faults
}

/// Both sides: without the fault, and with it.
const SIDES: [&[Fault]; 2] = [&[], &[Fault::StaleBinding]];

#[tokio::test]
async fn a_binding_that_was_left_behind_keeps_the_next_client_out() {
    for faults in SIDES {
        let mut sandbox = faulty(faults).await;
        let _left = phone(&sandbox, Transport::Udp).await;
        let agent = AgentConfig { resolve: sandbox.known(), ..AgentConfig::default() };
        let client = Client::bind(ClientConfig { agent, ..ClientConfig::default() }).unwrap();
        let account = client.add_account(sandbox.account("alice").unwrap()).await.unwrap();
        let registered = tokio::time::timeout(PATIENCE, client.register(account)).await.unwrap();
        match registered {
            Ok(_) => assert_eq!(faults, []),
            Err(error) => assert!(error.to_string().contains("486"), "{error}"),
        }
        assert_eq!(struck(&mut sandbox), faults);
    }
}

#[tokio::test]
async fn calls_come_from_another_address_than_the_one_registered_at() {
    for (faults, is_another) in [(&[][..], false), (&[Fault::SecondProxy][..], true)] {
        let sandbox = faulty(faults).await;
        let (origin, mut asked) = application("<Response/>").await;
        let phone = phone(&sandbox, Transport::Udp).await;
        let mut incoming = phone.client.incoming();
        api(&sandbox, &guides_request(&origin, "alice")).await;
        let call = tokio::time::timeout(PATIENCE, incoming.recv()).await.unwrap().unwrap();
        assert_eq!(call.from != sandbox.sip_udp, is_another);
        let mut call = call.accept(Accept::default()).await.unwrap();
        // The ACK of our answer, and the BYE, find their way.
        let record = tokio::time::timeout(PATIENCE, call.ended()).await.unwrap().unwrap();
        assert_eq!(record.outcome.kind(), "answered");
        let mut end = next(&origin, &sandbox.credentials.auth_token, &mut asked).await;
        while end.value("Event") != Some("Hangup") {
            end = next(&origin, &sandbox.credentials.auth_token, &mut asked).await;
        }
        assert_eq!(end.value("HangupCauseCode"), Some("4010"));
        assert_eq!(sandbox.bypassed(), 0);
    }
}

/// An answer with this body; the agent gives it its Content-Type.
async fn answered_with(phone: &Phone, sandbox: &Running, codecs: &str) -> u16 {
    let (origin, mut asked) = application("<Response/>").await;
    let mut incoming = phone.client.incoming();
    api(sandbox, &guides_request(&origin, "alice")).await;
    let call = tokio::time::timeout(PATIENCE, incoming.recv()).await.unwrap().unwrap();
    let session = format!(
        "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 9 RTP/AVP {codecs}\r\n\
         a=rtpmap:101 telephone-event/8000\r\n"
    );
    let accept = Accept { session: Session::Raw(session.into()), ..Accept::default() };
    call.accept(accept).await.unwrap().detach();
    loop {
        let asked = next(&origin, &sandbox.credentials.auth_token, &mut asked).await;
        if asked.value("Event") == Some("Hangup") {
            return asked.value("HangupCauseCode").unwrap().parse().unwrap();
        }
    }
}

#[tokio::test]
async fn an_answer_that_names_several_codecs_ends_the_call() {
    for (faults, codecs, code) in [
        (&[][..], "0 8 101", 4010),
        (&[Fault::StrictSession][..], "0 101", 4010),
        (&[Fault::StrictSession][..], "0 8 101", 0),
    ] {
        let mut sandbox = faulty(faults).await;
        let phone = phone(&sandbox, Transport::Udp).await;
        assert_eq!(answered_with(&phone, &sandbox, codecs).await, code, "{faults:?} {codecs}");
        assert_eq!(struck(&mut sandbox).len(), usize::from(code == 0));
    }
}

#[tokio::test]
async fn more_than_ten_calls_a_second_are_refused_as_busy() {
    for (faults, refused) in [(&[][..], 0), (&[Fault::InboundRate][..], 2)] {
        let mut sandbox = faulty(faults).await;
        let phone = phone(&sandbox, Transport::Udp).await;
        let mut calls = Vec::new();
        for _ in 0..12 {
            calls.push(phone.call("noanswer", &[]).await);
        }
        let mut busy = 0;
        for mut call in calls {
            let mut events = call.events().unwrap();
            loop {
                match tokio::time::timeout(PATIENCE, events.recv()).await.unwrap().unwrap() {
                    crate::transport::CallEvent::Progress { status, .. } if status == Status::RINGING => break,
                    crate::transport::CallEvent::Ended(record) => {
                        assert_eq!(record.outcome.status(), Some(Status::BUSY_HERE));
                        busy += 1;
                        break;
                    }
                    _ => {}
                }
            }
        }
        assert_eq!((busy, struck(&mut sandbox).len()), (refused, refused));
    }
}

#[tokio::test]
async fn an_invite_keeps_its_content_type_and_is_not_refused_by_the_strict() {
    let sandbox = faulty(&[Fault::StrictSession]).await;
    let phone = phone(&sandbox, Transport::Udp).await;
    let record = phone.call_out("busy", &[]).await;
    assert_eq!(report(&sandbox, &record).await.end.map(|(cause, _)| cause.code), Some(3010));
}

/// A stranger's INVITE, written by hand, and the status of its first final answer.
async fn refused(sandbox: &Running, content_type: &str) -> u16 {
    let invite = format!(
        "INVITE sip:bob@phone.plivo.com SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1:9;branch=z9hG4bK1\r\nMax-Forwards: 70\r\n\
         From: <sip:alice@phone.plivo.com>;tag=1\r\nTo: <sip:bob@phone.plivo.com>\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\n\
         Contact: <sip:alice@127.0.0.1:9>\r\n{content_type}Content-Length: 5\r\n\r\nv=0\r\n"
    );
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut stream = tokio::net::TcpStream::connect(sandbox.sip_tcp).await.unwrap();
    stream.write_all(invite.as_bytes()).await.unwrap();
    let mut read = String::new();
    loop {
        let mut buffer = [0; 4096];
        let length = tokio::time::timeout(PATIENCE, stream.read(&mut buffer)).await.unwrap().unwrap();
        assert!(length > 0, "{read}");
        read.push_str(std::str::from_utf8(&buffer[..length]).unwrap());
        let statuses = read.lines().filter_map(|line| line.strip_prefix("SIP/2.0 ")?.get(..3)?.parse().ok());
        if let Some(status) = statuses.into_iter().find(|status| *status >= 200) {
            return status;
        }
    }
}

#[tokio::test]
async fn an_invite_whose_session_has_no_content_type_is_refused() {
    let typed = format!("{}: application/sdp\r\n", HeaderId::ContentType.as_str());
    for (faults, content_type, status) in
        [(&[][..], "", 401), (&[Fault::StrictSession][..], "", 488), (&[Fault::StrictSession][..], typed.as_str(), 401)]
    {
        let sandbox = faulty(faults).await;
        assert_eq!(refused(&sandbox, content_type).await, status, "{faults:?} {content_type}");
    }
}
