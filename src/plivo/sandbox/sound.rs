//! What calls hear in the sandbox: texts by espeak-ng where that is installed, files of the application, their own echo.
//! And what is heard of them, where it is recorded.

use std::collections::BTreeMap;
use std::process::Stdio;

use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use super::event::{SandboxEvent, Tell};
use super::gate::Core;
use super::magic::Says;
use super::record::{Beep, Order, Tape};
use crate::call::Codec;
use crate::call::digit::Step;
use crate::id::{CallId, StreamId};
use crate::media::FRAME;
use crate::media::source::{Playlist, Sound, Tone};
use crate::media::voice::{Filled, Source, Voice};
use crate::plivo::webhook::{Webhooks, shown};
use crate::time::Duration;
use crate::transport::{Handle, Media};

/// A text takes a fraction of a second to be spoken to a pipe; a program that hangs is ended after so long.
const PATIENCE: Duration = Duration::from_secs(20);

/// Something that a call shall hear, or that shall be heard of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sounding {
    /// Whose ears, or mouth.
    pub call: CallId,
    /// The call's `CallUUID`.
    pub call_uuid: String,
    /// What.
    pub what: What,
}

/// What is heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// A text in a language (`en-US`).
    Speech {
        /// The text.
        text: String,
        /// The language.
        language: String,
    },
    /// The file at a URL.
    File(String),
    /// The call itself.
    Echo,
    /// A tone that does not end.
    Tone,
    /// A beep if that is wanted; then the call is recorded.
    Recording(Order),
    /// Nothing, and the recording of the call is over.
    RecordingOver,
    /// A beep.
    Beep,
    /// Keys.
    Keys {
        /// The keys and pauses.
        keys: Vec<Step>,
        /// Whether they go as RTP events, where it takes those; else they are tones.
        events: bool,
    },
    /// That other call, which hears it in turn.
    Other(CallId),
    /// That other call no more.
    Alone,
    /// Nothing any more.
    Hush,
    /// Something that is no step of the call's XML. Nobody is told how long it is.
    Aside(Aside),
    /// What it hears, and it is recorded beside that.
    Tape(Order),
    /// What it hears, and that recording is over.
    TapeOver,
}

/// Texts and files, one after the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Aside {
    /// What is heard.
    pub parts: Vec<Text>,
    /// For so long, where it is longer.
    pub length: Option<Duration>,
    /// Whether it begins again when it is over.
    pub repeats: bool,
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Text {
    /// A text in a language (`en-US`).
    Speech {
        /// The text.
        text: String,
        /// The language.
        language: String,
    },
    /// The file at a URL.
    File(String),
}

/// The sounds of an [`Aside`].
#[derive(Debug)]
struct Round {
    sounds: Vec<Sound>,
    /// The rest of this round.
    playlist: Playlist,
    repeats: bool,
    /// Time that is left.
    left: Option<Duration>,
}

impl Source for Round {
    fn fill(&mut self, rate: u32, frame: &mut [i16]) -> Filled {
        if let Some(left) = &mut self.left {
            if left.is_zero() {
                return Filled::Over;
            }
            *left = left.saturating_sub(FRAME);
        }
        match self.playlist.fill(rate, frame) {
            Filled::Over if self.repeats => {
                self.playlist = Playlist::new(self.sounds.iter().cloned());
                self.playlist.fill(rate, frame)
            }
            filled => filled,
        }
    }
}

impl What {
    /// What is heard of a magic destination, if it says anything.
    pub(super) const fn said(says: Says) -> Option<Self> {
        match says {
            Says::Echo => Some(Self::Echo),
            Says::Tone => Some(Self::Tone),
            Says::Silence | Says::Nothing => None,
        }
    }
}

/// Lets calls hear what the switch wants them to hear, and tells it how long each sound is, or that there is none.
/// Recordings it is told when they are over. What is still being made for a call is given up when something else comes.
pub(super) async fn make_sounds(
    mut wanted: mpsc::UnboundedReceiver<Sounding>,
    media: Media,
    webhooks: Webhooks,
    core: Handle<Core>,
    tell: Tell,
) {
    let mut making: BTreeMap<CallId, AbortHandle> = BTreeMap::new();
    while let Some(Sounding { call, call_uuid, what }) = wanted.recv().await {
        making.retain(|_, made| !made.is_finished());
        // Keys go beside what is heard, and so does a tape.
        if !matches!(what, What::Keys { .. } | What::Tape(_) | What::TapeOver)
            && let Some(old) = making.remove(&call)
        {
            old.abort();
        }
        if at_once(&media, call, &what, &core) {
            continue;
        }
        let (media, webhooks, core, tell) = (media.clone(), webhooks.clone(), core.clone(), tell.clone());
        let made = tokio::spawn(async move {
            let sound = match &what {
                What::Aside(aside) => {
                    let why = match round(&webhooks, aside).await {
                        Ok(round) => return play(&media, call, Voice::Source(Box::new(round))),
                        Err(why) => why,
                    };
                    tell.event(SandboxEvent::Silent { call_uuid: call_uuid.clone(), why });
                    core.send(move |core, now| core.command(now, |_, switch| switch.unheard(&call_uuid)));
                    return;
                }
                What::Speech { text, language } => speech(text, language).await,
                What::File(url) => file(&webhooks, url).await,
                _ => return,
            };
            let length = match sound {
                Ok(sound) => {
                    let length = sound.duration();
                    play(&media, call, Voice::Source(Box::new(Playlist::new([sound]))));
                    Some(length)
                }
                Err(why) => {
                    tell.event(SandboxEvent::Silent { call_uuid: call_uuid.clone(), why });
                    None
                }
            };
            core.send(move |core, now| {
                core.command(now, |agent, switch| switch.sounded(agent, now, &call_uuid, length));
            });
        });
        making.insert(call, made.abort_handle());
    }
}

/// Does what nothing has to be made for; returns whether it was that.
fn at_once(media: &Media, call: CallId, what: &What, core: &Handle<Core>) -> bool {
    let stream = StreamId::of(call);
    match what {
        What::Speech { .. } | What::File(_) | What::Aside(_) => return false,
        What::Echo => play(media, call, Voice::Echo),
        What::Tone => play(media, call, Voice::Source(Box::new(Tone::new(440)))),
        What::Recording(order) | What::Tape(order) => record(media, call, order, core.clone()),
        What::TapeOver => media.command(move |desk, _| desk.record(stream, None)),
        What::RecordingOver => end_recording(media, call),
        What::Beep => play(media, call, Voice::Source(Box::new(Beep::new()))),
        What::Hush => play(media, call, Voice::Silent),
        What::Keys { keys, events } => {
            let (keys, events) = (keys.clone(), *events);
            media.command(move |desk, _| desk.dial(stream, &keys, events));
        }
        What::Other(other) => {
            let other = StreamId::of(*other);
            media.command(move |desk, now| {
                // What our ends were saying is not said again when they part.
                desk.play(stream, Voice::Silent);
                desk.play(other, Voice::Silent);
                desk.join(now, &[stream, other]);
            });
        }
        What::Alone => media.command(move |desk, now| desk.leave(now, stream)),
    }
    true
}

fn play(media: &Media, call: CallId, voice: Voice) {
    media.command(move |desk, _| desk.play(StreamId::of(call), voice));
}

fn record(media: &Media, call: CallId, order: &Order, core: Handle<Core>) {
    let id = order.id;
    // Whatever ends it, the end of this program among it, the tape ends.
    let tape = Tape::new(order, move |take| {
        core.send(move |core, now| core.command(now, |agent, switch| switch.recorded(agent, now, id, take)));
    });
    let (stream, beep) = (StreamId::of(call), order.beep);
    media.command(move |desk, _| {
        desk.record(stream, Some(Box::new(tape)));
        if beep {
            desk.play(stream, Voice::Source(Box::new(Beep::new())));
        }
    });
}

fn end_recording(media: &Media, call: CallId) {
    media.command(move |desk, _| {
        let stream = StreamId::of(call);
        desk.record(stream, None);
        // A key may come before the beep is over.
        desk.play(stream, Voice::Silent);
    });
}

async fn round(webhooks: &Webhooks, aside: &Aside) -> Result<Round, String> {
    let mut sounds = Vec::with_capacity(aside.parts.len());
    for part in &aside.parts {
        sounds.push(match part {
            Text::Speech { text, language } => speech(text, language).await?,
            Text::File(url) => file(webhooks, url).await?,
        });
    }
    let playlist = Playlist::new(sounds.iter().cloned());
    Ok(Round { sounds, playlist, repeats: aside.repeats, left: aside.length })
}

/// A text as espeak-ng says it, or why nothing is heard.
async fn speech(text: &str, language: &str) -> Result<Sound, String> {
    let mut espeak = Command::new("espeak-ng");
    // The text comes by a pipe: what stands in it is no argument. Letters and hyphens make up the name of a voice.
    let voice: String = language.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
    espeak.args(["-v", &voice.to_ascii_lowercase(), "--stdin", "--stdout"]).kill_on_drop(true);
    let espeak = espeak.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
    let mut espeak = espeak.map_err(|_| "espeak-ng is not installed: texts are not heard".to_owned())?;
    let mut pipe = espeak.stdin.take();
    let said = async {
        if let Some(pipe) = &mut pipe {
            // One that ends before it has read all has said why by its code.
            let _ = pipe.write_all(text.as_bytes()).await;
        }
        drop(pipe);
        espeak.wait_with_output().await
    };
    let said = tokio::time::timeout(PATIENCE, said).await.map_err(|_| "espeak-ng takes too long".to_owned())?;
    let said = said.map_err(|error| format!("espeak-ng: {error}"))?;
    if !said.status.success() {
        return Err(format!("espeak-ng has no voice {voice}, or failed: {}", said.status));
    }
    parse(&said.stdout).map_err(|error| format!("espeak-ng: {error}"))
}

async fn file(webhooks: &Webhooks, url: &str) -> Result<Sound, String> {
    let unheard = |error: &dyn std::fmt::Display| format!("{} is not heard: {error}", shown(url));
    let file = webhooks.fetch(url).await.map_err(|error| unheard(&error))?;
    parse(&file).map_err(|error| unheard(&error))
}

fn parse(file: &[u8]) -> Result<Sound, crate::media::clip::ClipError> {
    Sound::parse(file, &Codec::rates(Codec::ALL))
}
