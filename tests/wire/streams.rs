//! Messages and keep-alives out of streams.

use super::*;

fn frames(framer: &mut Framer) -> Vec<Frame> {
    std::iter::from_fn(|| framer.next()).map(Result::unwrap).collect()
}

/// Proves 3261-18.3-c.
#[test]
fn messages_and_keep_alives_come_out_however_the_segments_fall() {
    let (first, second) = (request("Content-Length: 3\r\n", "a\r\n"), request("l: 0\r\n", ""));
    let stream = [b"\r\n\r\n", &first[..], &second[..], b"\r\n\r\n\r\n", &first[..]].concat();
    let expected = [
        Frame::Ping,
        Frame::Message(first.clone().into()),
        Frame::Message(second.into()),
        Frame::Ping,
        Frame::Message(first.into()),
    ];
    for size in 1..=stream.len() {
        let mut framer = Framer::new(Opener::Peer, bound::MESSAGE);
        let mut found = Vec::new();
        for chunk in stream.chunks(size) {
            framer.push(chunk);
            found.extend(frames(&mut framer));
        }
        assert_eq!(found, expected, "segments of {size}");
        assert_eq!(framer.buffered(), 0);
    }
}

#[test]
fn a_pong_is_told_at_once_on_a_connection_of_ours() {
    let mut framer = Framer::new(Opener::Us, bound::MESSAGE);
    framer.push(b"\r");
    assert_eq!(frames(&mut framer), []);
    framer.push(b"\n");
    assert_eq!(frames(&mut framer), [Frame::Pong]);
    framer.push(b"\r\n");
    assert_eq!(frames(&mut framer), [Frame::Pong]);
    framer.push(b"\r\n\r");
    assert_eq!((frames(&mut framer), framer.buffered()), (vec![], 3), "half of the second line end may make it a ping");
    framer.push(b"\n");
    assert_eq!((frames(&mut framer), framer.buffered()), (vec![Frame::Ping], 0));
}

#[test]
fn lines_of_a_stream_may_end_with_a_bare_line_feed() {
    let message = text(&request("l: 3\r\n", "a\nb")).replace("\r\n", "\n").into_bytes();
    for opener in [Opener::Us, Opener::Peer] {
        let mut framer = Framer::new(opener, bound::MESSAGE);
        framer.push(&[b"\n", &message[..], b"\n\n", &message[..]].concat());
        let whole = Frame::Message(message.clone().into());
        assert_eq!(frames(&mut framer), [whole.clone(), whole]);
    }
}

/// Proves 3261-18.3-c.
#[test]
fn a_stream_without_a_usable_content_length_is_lost() {
    let error = |extra: &str, limit: usize| {
        let mut framer = Framer::new(Opener::Peer, limit);
        framer.push(&request(extra, "body"));
        let error = framer.next().unwrap().unwrap_err();
        framer.push(b"\r\n\r\n");
        assert!(framer.next().is_none());
        assert_eq!(Message::parse(&error.head).unwrap().call_id(), Some("c1@192.0.2.1"));
        assert!(error.kind.rule().contains(", RFC 3261 §"));
        (error.kind, error.status())
    };
    let bad = Status::BAD_REQUEST;
    assert_eq!(error("", 9000), (FramingErrorKind::NoContentLength, bad));
    assert_eq!(error("Content-Length: -4\r\n", 9000), (FramingErrorKind::ContentLength, bad));
    assert_eq!(error("l: 4\r\nl: 5\r\n", 9000), (FramingErrorKind::ConflictingContentLength, bad));
    assert_eq!(error("l: 9000\r\n", 9000), (FramingErrorKind::TooLong, Status::MESSAGE_TOO_LARGE));
    assert_eq!(error("l: 4294967295\r\n", 9000), (FramingErrorKind::TooLong, Status::MESSAGE_TOO_LARGE));
}

#[test]
fn what_is_no_message_in_a_stream_is_answered_as_it_would_be_in_a_datagram() {
    for (from, to) in [("sip:bob", &*"b".repeat(bound::START_LINE)), ("MESSAGE s", "s")] {
        let bytes = text(&request("l: 0\r\n", "")).replacen(from, to, 1).into_bytes();
        let mut framer = Framer::new(Opener::Peer, bound::MESSAGE);
        framer.push(&bytes);
        let error = framer.next().unwrap().unwrap_err();
        let alone = Message::parse(&bytes).unwrap_err();
        assert_eq!((error.kind, error.status()), (FramingErrorKind::Parse(alone.kind), alone.status()));
        assert_eq!((&error.head[..], error.kind.rule().contains(", RFC 3261 §")), (&bytes[..], true));
    }
}

#[test]
fn a_stream_may_hold_a_message_of_the_limit_and_no_longer() {
    let message = request("l: 4\r\n", "body");
    let framed = |limit: usize| {
        let mut framer = Framer::new(Opener::Peer, limit);
        framer.push(&message);
        framer.next().unwrap().map_err(|error| error.kind)
    };
    assert!(framed(message.len()).is_ok());
    assert_eq!(framed(message.len() - 1), Err(FramingErrorKind::TooLong));
    let bare = request("l: 0\r\n", "");
    let mut framer = Framer::new(Opener::Peer, bare.len());
    framer.push(&bare);
    assert_eq!(frames(&mut framer), [Frame::Message(bare.into())]);
    let mut framer = Framer::new(Opener::Peer, 100);
    framer.push(&[b'x'; 100]);
    assert!(framer.next().is_none());
    framer.push(b"x");
    assert_eq!(framer.next().unwrap().unwrap_err().kind, FramingErrorKind::TooLong);
}
