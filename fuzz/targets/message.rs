//! One message that fills a datagram: read, checked, taken apart, examined, and written again.

#![no_main]

use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use sipcall::report::examine::{Examined, Start};
use sipcall::report::typed;
use sipcall::wire::{Contact, HeaderId, Message, MessageRef, Status, Via, WriteError, Writer, bound, redacted};
use sipcall_fuzz::{bounded, shown, told};

fuzz_target!(|data: &[u8]| {
    // The index beyond its first 32 headers is all that reading allocates, and an extension method's name.
    let message = bounded(data, 4 * 1024, 1, |data| Message::parse(data).ok());
    let verdict = bounded(data, 1024, 1, |_| message.as_ref().map(MessageRef::check));
    // A list of nothing but commas has a flaw at every octet, each with its sentence.
    let examined = bounded(data, 16 * 1024, 768, Examined::of);
    examined_in_place(data, &examined);
    judged_alike(&examined);
    kept_secret(data);
    let Some(message) = message else { return };
    assert!(message.bytes().len() <= bound::MESSAGE);
    read_again(&message);
    bounded(data, 8 * 1024, 64, |_| taken_apart(&message));
    if verdict == Some(Ok(())) {
        essential(&message);
        written_again(&message);
    }
});

/// A message is its own octets: those read once more, and a copy, are the same.
fn read_again(message: &MessageRef<'_>) {
    let again = Message::parse(message.bytes()).expect("it was read before");
    let owned = message.to_owned();
    assert_eq!(again.bytes(), message.bytes());
    assert_eq!(owned.bytes(), message.bytes());
    assert_eq!((again.check(), owned.check()), (message.check(), message.check()));
    assert!(message.headers().map(|header| told(&header)).eq(again.headers().map(|header| told(&header))));
    assert!(message.headers().len() <= bound::HEADERS);
    assert!(message.bytes().ends_with(message.body()));
}

/// Every value through the one table of typed headers; a refusal names a place in the value.
fn taken_apart(message: &MessageRef<'_>) {
    for header in message.headers() {
        assert!(header.folded || !header.value.contains(&b'\n'));
        assert!(header.elements().count() <= header.value.len() + 1);
        for element in header.elements() {
            match typed::value(header.id, element) {
                None => {}
                Some(Ok(tree)) => shown(&tree),
                Some(Err(error)) => assert!(error.offset <= element.len(), "{error} of {} octets", element.len()),
            }
        }
    }
}

/// What `check` accepts has what it promises, each by every way of asking.
fn essential(message: &MessageRef<'_>) {
    let first = message.get::<Via<'_>>().expect("a Via").expect("one that can be read");
    assert!(message.get_all::<Via<'_>>().next().is_some_and(|via| via.is_ok_and(|via| via.host == first.host)));
    assert_eq!(message.branch(), first.branch());
    assert!(message.call_id().is_some_and(|id| !id.is_empty()));
    let sequence = message.cseq().expect("a CSeq");
    assert!(message.method().is_none_or(|method| *method == sequence.method));
    assert_eq!(message.is_request(), message.request_uri().is_ok());
    assert_eq!(message.is_request(), message.status().is_none());
    assert!((1..=bound::VIAS).contains(&message.via_count()));
}

/// Examining tells of an error where, and only where, the message or a value that routes it is refused.
fn judged_alike(examined: &Examined<'_>) {
    let octets = examined.octets();
    let message = Message::parse(octets).ok();
    let is_taken = message.as_ref().is_some_and(|message| message.check().is_ok());
    if examined.is_valid() {
        assert!(is_taken, "refused without a word: {}", octets.escape_ascii());
        return;
    }
    let Some(message) = message.filter(|_| is_taken) else { return };
    let is_broken = message.headers().any(|header| {
        header.elements().any(|element| {
            let is_passed_over = element.is_empty() && typed::skips_empty(header.id);
            !is_passed_over && typed::value(header.id, element).is_some_and(|parts| parts.is_err())
        })
    });
    let star = message.get_all::<Contact<'_>>().any(|contact| matches!(contact, Ok(Contact::Star)));
    let empty = message.headers().any(|header| header.value.is_empty());
    assert!(is_broken || star || empty, "{:?} of {}", examined.flaws, octets.escape_ascii());
}

/// Everything that is told has its place.
fn examined_in_place(data: &[u8], examined: &Examined<'_>) {
    let octets = examined.octets().len();
    assert!(examined.flaws.is_sorted_by_key(|flaw| flaw.at));
    for flaw in &examined.flaws {
        assert!(flaw.at <= octets && flaw.offset <= data.len(), "{flaw:?}");
    }
    assert!(examined.body.start <= examined.body.end && examined.body.end <= octets);
    let mut end = examined.start_line.end;
    for line in &examined.lines {
        assert!(end <= line.all.start && line.all.start <= line.name.start && line.name.end < line.all.end);
        assert!(line.name.end < line.value.start || line.value.is_empty());
        assert!(line.value.end <= line.all.end && line.all.end <= octets);
        end = line.all.end;
        if let Ok(tree) = &line.parts {
            shown(tree);
        }
    }
    if let Start::Response(code, _) = examined.start {
        assert!(Status::new(code).is_some());
    }
}

/// Copied header by header, it is the same message.
fn written_again(message: &MessageRef<'_>) {
    let mut out = BytesMut::new();
    let uri = String::from_utf8_lossy(message.request_uri_raw()).into_owned();
    let reason = String::from_utf8_lossy(message.reason_phrase()).into_owned();
    let mut writer = match (message.method(), message.status()) {
        (Some(method), _) => Writer::request(&mut out, method, uri),
        (None, status) => Writer::response(&mut out, status.expect("of a response"), Some(&reason)),
    };
    let copied = || message.headers().filter(|header| header.id != HeaderId::ContentLength);
    for header in copied() {
        writer.copy(&header);
    }
    let end = writer.body(None, message.body());
    drop(writer);
    match end {
        // A canonical name is longer than its compact form.
        Err(WriteError::TooLong | WriteError::ReasonPhrase) => return assert!(out.is_empty()),
        Err(error) => panic!("{error}"),
        Ok(()) => {}
    }
    let again = match Message::parse(&out) {
        Ok(again) => again,
        // One header more, and lines that grew.
        Err(error) => {
            let grew = message.headers().len() == bound::HEADERS
                || copied().any(|header| header.value.len() + 32 > bound::HEADER_LINE)
                || reason.len() + 16 > bound::START_LINE;
            return assert!(grew, "{error}: {}", out.escape_ascii());
        }
    };
    assert_eq!(again.check(), Ok(()), "{}", out.escape_ascii());
    assert_eq!((again.method(), again.status()), (message.method(), message.status()));
    assert_eq!((again.request_uri_raw(), again.body()), (message.request_uri_raw(), message.body()));
    let kept = again.headers().filter(|header| header.id != HeaderId::ContentLength);
    assert!(kept.map(|header| told(&header)).eq(copied().map(|header| told(&header))), "{}", out.escape_ascii());
}

/// What was taken out once has nothing left to take out, and no more was changed than that.
fn kept_secret(data: &[u8]) {
    let once = redacted(data);
    assert_eq!(redacted(&once), once);
    assert_eq!(once.iter().filter(|b| **b == b'\n').count() > 0, data.contains(&b'\n'));
}
