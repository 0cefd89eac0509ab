//! A stream: however its segments fall, the same messages come out of it.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sipcall::wire::{Frame, Framer, FramingErrorKind, Message, Opener, bound};
use sipcall_fuzz::{bounded, choice};

fuzz_target!(|data: &[u8]| {
    let (kind, rest) = choice(data);
    let (limit, rest) = choice(rest);
    let (seed, stream) = choice(rest);
    let opener = if kind & 1 == 0 { Opener::Peer } else { Opener::Us };
    // Most streams have room for any message, some for a short one alone.
    let limit = if kind & 2 == 0 { bound::MESSAGE } else { 16 + 16 * usize::from(limit) };
    let pieces: &[usize] = match seed {
        0 => &[1],
        _ => &[usize::from(seed), 1, usize::from(seed % 7) + 1, 997],
    };
    let whole = bounded(stream, 64 * 1024, 128, |stream| frames(opener, limit, stream, &[stream.len().max(1)]));
    let cut = bounded(stream, 64 * 1024, 128, |stream| frames(opener, limit, stream, pieces));
    assert_eq!(whole.lost, cut.lost);
    assert_eq!(messages(&whole.frames), messages(&cut.frames));
    if opener == Opener::Peer {
        // A pong is told at once; so there what is a ping depends on how the segments fall, and here it does not.
        assert_eq!(whole.frames, cut.frames);
    }
    let mut at = 0;
    for message in messages(&whole.frames) {
        assert!(message.len() <= limit);
        let length = Message::parse(message).expect("it was framed").bytes().len();
        assert_eq!(length, message.len());
        // In order, one behind the other, and nothing but line ends between.
        let gap = stream[at..].iter().take_while(|b| matches!(b, b'\r' | b'\n')).count();
        assert!(stream[at + gap..].starts_with(message));
        at += gap + message.len();
    }
});

struct Found {
    frames: Vec<Frame>,
    lost: Option<FramingErrorKind>,
}

fn frames(opener: Opener, limit: usize, stream: &[u8], pieces: &[usize]) -> Found {
    let mut framer = Framer::new(opener, limit);
    let mut found = Found { frames: Vec::new(), lost: None };
    let (mut rest, mut sizes) = (stream, pieces.iter().cycle());
    while let Some((piece, after)) = sizes.next().and_then(|size| rest.split_at_checked((*size).min(rest.len()))) {
        if piece.is_empty() {
            break;
        }
        rest = after;
        framer.push(piece);
        while let Some(frame) = framer.next() {
            assert!(found.lost.is_none(), "a lost stream goes on");
            match frame {
                Ok(frame) => found.frames.push(frame),
                Err(error) => found.lost = Some(error.kind),
            }
        }
        assert!(framer.buffered() <= limit, "{} octets wait, more than {limit}", framer.buffered());
    }
    found
}

fn messages(frames: &[Frame]) -> Vec<&[u8]> {
    let message = |frame| match frame {
        &Frame::Message(ref message) => Some(&message[..]),
        _ => None,
    };
    frames.iter().filter_map(message).collect()
}
