//! What a call sounds like to a user of the command: files said and recorded, keys, probes, SRTP, and how it is judged.

use crate::home::{Home, Run, finish, signal, start, told};
use crate::listening::Listener;
use crate::peer::Peer;
use serde_json::Value;
use sipcall::media::clip::Clip;
use sipcall::media::probe::{self, align};
use sipcall::media::wav::{self, Wav};
use std::net::SocketAddr;
use std::path::Path;

/// Samples a second of what is played here, where nothing else is said.
const RATE: u32 = 8000;

/// So many milliseconds of sound of which no part is like another, from a place of the signal of the probe on.
fn part(from_ms: usize, ms: usize) -> Vec<i16> {
    probe::signal(RATE)[from_ms * 8..(from_ms + ms) * 8].to_vec()
}

fn wav(samples: &[i16]) -> Vec<u8> {
    let mut file = wav::header(RATE, 1).to_vec();
    wav::write_mono(samples, &mut file);
    for (at, octets) in wav::sizes(samples.len() as u64 * 2) {
        file[at as usize..][..4].copy_from_slice(&octets);
    }
    file
}

/// Two channels of a recording.
struct Recorded {
    rate: u32,
    said: Vec<i16>,
    heard: Vec<i16>,
}

impl Recorded {
    #[track_caller]
    fn read(path: &Path) -> Self {
        let file = std::fs::read(path).unwrap();
        let wav = Wav::parse(&file).unwrap();
        assert_eq!(wav.channels, 2);
        let channel = |at: usize| {
            let samples = file[wav::HEADER..].chunks_exact(4);
            samples.map(|both| i16::from_le_bytes([both[at], both[at + 1]])).collect::<Vec<_>>()
        };
        let recorded = Self { rate: wav.rate, said: channel(0), heard: channel(2) };
        assert_eq!(recorded.said.len(), wav.len());
        recorded
    }

    fn ms(&self) -> usize {
        self.said.len() * 1000 / self.rate as usize
    }
}

/// A recording has that sound, and no other.
fn sounds(recording: &[i16], reference: &[i16]) -> bool {
    let found = align(reference, recording, RATE);
    found.similarity > 0.99 && found.lag_samples >= 0
}

/// What is between silence.
fn spoken(samples: &[i16]) -> &[i16] {
    let is_sound = |sample: &i16| *sample != 0;
    let end = samples.iter().rposition(is_sound).map_or(0, |last| last + 1);
    &samples[samples.iter().position(is_sound).unwrap_or(end)..end]
}

/// Makes a call whose ends both heard each other well, as it says beside what both ends tell of it.
///
/// What was heard may be otherwise only where that tells why: a machine that is busy with something else for longer than
/// a jitter buffer waits sends late, and what is late is made up. Such a call is made again, a few times at most.
#[track_caller]
fn unhurried(mut call: impl FnMut() -> ([Value; 2], bool)) {
    for _ in 0..4 {
        let (ends, sounds) = call();
        if sounds {
            return;
        }
        let ms = |end: &Value, side: &str, name: &str| end["media"][side][name].as_f64().unwrap_or_default();
        let is_late = |end| ms(end, "sent", "late_p99_ms") > 10.0 || ms(end, "received", "jitter_max_ms") > 2.0;
        assert!(ends.iter().any(is_late), "nothing was late, and it was not heard as it was said: {ends:?}");
    }
    panic!("this machine is too busy to hear anything");
}

/// The last call that a listener told the end of.
fn ended(run: &Run) -> Value {
    run.lines().iter().rfind(|event| event["event"] == "ended").unwrap()["call"].clone()
}

impl Home {
    fn sound(&self, name: &str, samples: &[i16]) {
        std::fs::write(self.path(name), wav(samples)).unwrap();
    }

    #[track_caller]
    fn recorded(&self, name: &str) -> Recorded {
        Recorded::read(&self.path(name))
    }
}

/// One who answers and sends nothing, and the calls to it.
fn silent() -> (Peer, SocketAddr) {
    let peer = Peer::answering(&["200 OK"]);
    let at = peer.addr;
    (peer, at)
}

fn mos(run: &Run) -> f64 {
    run.json()["media"]["received"]["mos"].as_f64().unwrap()
}

#[test]
fn files_are_said_in_turn_for_as_long_as_they_last_and_both_ends_are_recorded() {
    let home = Home::new();
    let (one, two, bob) = (part(250, 400), part(1000, 400), part(1500, 800));
    home.sound("one.wav", &one);
    home.sound("two.wav", &two);
    home.sound("bob.wav", &bob);
    let said = [one, two].concat();
    unhurried(|| {
        let listener = Listener::start(&home, "--play bob.wav --record bob-call.wav --no-store --once");
        let call = home.invite(listener.at(), "--play one.wav --play two.wav --record call.wav").expect(0).json();
        let theirs = ended(&listener.end().expect(0));
        assert_eq!(call["media"]["verdict"], "two_way");
        let (here, there) = (home.recorded("call.wav"), home.recorded("bob-call.wav"));
        // To the sample, one file after the other; then the call is over, whatever the other side still has to say.
        assert!(spoken(&here.said) == spoken(&said) && here.ms() >= 800);
        assert!(spoken(&bob).starts_with(spoken(&there.said)));
        ([call, theirs], sounds(&there.heard, &said) && sounds(&here.heard, &bob) && here.ms() < 1600)
    });
}

#[test]
fn an_mp3_is_said_and_each_call_of_a_listener_has_a_recording_of_its_own() {
    let home = Home::new();
    let tones = include_bytes!("../media/tones.mp3");
    std::fs::write(home.path("tones.mp3"), tones).unwrap();
    let clip = Clip::parse(tones, RATE).unwrap();
    let voice = part(250, 400);
    home.sound("voice.wav", &voice);
    unhurried(|| {
        let listener = Listener::start(&home, "--record calls.wav --no-store");
        home.invite(listener.at(), "--play tones.mp3 --record call.wav").expect(0);
        assert!(spoken(&home.recorded("call.wav").said) == spoken(&clip.samples));
        let call = home.invite(listener.at(), "--play voice.wav").expect(0).json();
        let theirs = ended(&listener.stop("INT").expect(130));
        assert!(home.recorded("calls.wav").ms() >= 700 && !home.path("calls-3.wav").exists());
        ([call, theirs], sounds(&home.recorded("calls-2.wav").heard, &voice))
    });
}

#[test]
fn a_probe_finds_itself_in_an_echo_and_an_echo_is_worth_its_score() {
    let home = Home::new();
    let listener = Listener::start(&home, "--echo --no-store");
    let at = listener.at();
    let target = format!("invite sip:bob@{at} -u alice@example.org --no-register --profile none --output json");
    let run = home.run(&format!("{target} --probe --talk 3500ms --min-mos 1.5")).expect(0);
    assert_eq!(home.run("calls show last --output json").expect(0).json(), run.json());
    let shown = home.run("calls show last").expect(0).out;
    assert!(shown.contains("  probe     came back after ") && shown.contains("  quality   loss "), "{shown}");
    let probe = &run.json()["media"]["probe"];
    assert_eq!(probe["found"], true, "{probe}");
    assert!(probe["similarity"].as_f64().unwrap() > 0.8, "{probe}");
    assert!(probe["round_trip_ms"].as_f64().unwrap() < 2000.0 && probe["gain_db"].as_f64().unwrap().abs() < 1.0);
    let run = home.invite(at, "--tone 440 --talk 400ms --min-mos 4.5").expect(70);
    assert!(mos(&run) < 4.5);
}

#[test]
fn what_is_not_heard_is_told_by_the_exit_code_where_it_is_asked_for() {
    let home = Home::new();
    let (_peer, at) = silent();
    let call = home.invite(at, "--talk 300ms").expect(0).json();
    assert_eq!(
        (&call["media"]["verdict"], &call["media"]["received"]["mos"]),
        (&"nothing_received".into(), &Value::Null)
    );
    home.invite(at, "--talk 0 --require-rtp").expect(46);
    home.invite(at, "--talk 0 --min-mos 1").expect(70);
    let call = home.invite(at, "--talk 300ms --probe").expect(46).json();
    assert_eq!(call["media"]["probe"]["found"], false);
}

#[test]
fn keys_arrive_by_whichever_way_they_are_sent() {
    let home = Home::new();
    let mut listener = Listener::start(&home, "--no-store");
    for way in ["rtp", "info", "inband"] {
        let call = home.invite(listener.at(), &format!("--dtmf 1#d --dtmf-mode {way}")).expect(0).json();
        listener.next("incoming");
        listener.next("answered");
        for key in ["1", "#", "D"] {
            let event = listener.next("dtmf");
            assert_eq!((&event["digit"], &event["how"]), (&key.into(), &way.into()), "{event}");
            assert_eq!(event["call_id"], call["call_id"]);
        }
        assert_eq!(listener.next("ended")["call"]["media"]["received"]["digits"], 3, "{way}");
        assert_eq!(call["media"]["sent"]["digits"], 3, "{way}");
    }
}

#[test]
fn a_codec_is_chosen_and_one_that_is_none_is_wrong_usage() {
    let home = Home::new();
    let voice = part(250, 600);
    home.sound("voice.wav", &voice);
    unhurried(|| {
        let listener = Listener::start(&home, "--record call.wav --no-store --once");
        let call = home.invite(listener.at(), "--codec g722 --play voice.wav").expect(0).json();
        let theirs = ended(&listener.end().expect(0));
        assert_eq!(call["media"]["codec"], "G722");
        let recorded = home.recorded("call.wav");
        assert_eq!(recorded.rate, 16_000);
        // Half of the samples are enough for what has no more than 3400 Hz.
        let heard: Vec<i16> = recorded.heard.iter().step_by(2).copied().collect();
        ([call, theirs], align(&voice, &heard, RATE).similarity > 0.98)
    });
    for command in ["invite sip:bob@127.0.0.1", "listen --no-register"] {
        let run = home.run(&format!("{command} --codec pcmu,g729")).expect(2);
        assert!(run.err.contains("write a list of pcmu, pcma, g722"), "{}", run.err);
    }
    let mut command = home.command("invite sip:bob@127.0.0.1");
    told(&finish(start(command.env("SIPCALL_CODEC", "g729"))), 3, &["SIPCALL_CODEC", "write a list of pcmu"]);
    // One that the other side does not take is a matter of the call.
    let listener = Listener::start(&home, "--codec pcma --no-store --once");
    let call = home.invite(listener.at(), "--codec pcmu").expect(45).json();
    assert_eq!(call["outcome"]["status"], 488);
    listener.end().expect(45);
}

#[test]
fn what_comes_from_a_pipe_is_said_until_it_ends() {
    let home = Home::new();
    let voice = part(250, 700);
    home.sound("voice.wav", &voice);
    let mut raw = Vec::new();
    wav::write_mono(&voice, &mut raw);
    std::fs::write(home.path("voice.raw"), raw).unwrap();
    for file in ["voice.wav", "voice.raw"] {
        unhurried(|| {
            let listener = Listener::start(&home, "--record call.wav --no-store --once");
            let caller = home.caller(listener.at(), "--play -");
            let words: Vec<_> = caller.get_args().map(|word| word.to_str().unwrap()).collect();
            let run = finish(start(&mut home.shell(&format!("cat {file} | \"$0\" \"$@\""), &words.join(" "))));
            let call = run.expect(0).json();
            assert_eq!(call["outcome"]["ended_by"], "local");
            let theirs = ended(&listener.end().expect(0));
            let recorded = home.recorded("call.wav");
            ([call, theirs], sounds(&recorded.heard, &voice) && recorded.ms() < 1500)
        });
    }
}

#[test]
fn a_pipe_that_says_nothing_does_not_keep_the_call_from_ending() {
    let home = Home::new();
    let mut listener = Listener::start(&home, "--talk 300ms --no-store --once");
    let mut caller = home.caller(listener.at(), "--play -");
    let child = start(caller.stdin(std::process::Stdio::piped()));
    // Its stdin stays open, and nothing comes.
    for event in ["incoming", "answered", "ended"] {
        listener.next(event);
    }
    assert_eq!(child.stdin.as_ref().map(|_| ()), Some(()));
    let mut child = child;
    let held = child.stdin.take();
    assert_eq!(finish(child).expect(0).json()["outcome"]["ended_by"], "remote");
    drop(held);
}

#[test]
fn what_cannot_be_said_or_recorded_is_told_before_anybody_is_called() {
    let home = Home::new();
    let peer = Peer::silent();
    home.write("text.wav", "no sound at all");
    std::fs::write(home.path("empty.wav"), wav(&[])).unwrap();
    std::fs::write(home.path("cut.wav"), &wav(&[1; 100])[..40]).unwrap();
    let run = |flags: &str| home.invite(peer.addr, flags);
    told(&run("--play text.wav"), 2, &["--play text.wav", "WAV", "MP3", "ffmpeg"]);
    told(&run("--play empty.wav"), 2, &["without a single sample"]);
    told(&run("--play cut.wav"), 2, &["cut off"]);
    told(&run("--play nobody.wav"), 2, &["--play nobody.wav", "No such file"]);
    told(&run("--play ."), 2, &["--play .", "directory"]);
    told(&run("--play - --play text.wav"), 2, &["--play -", "nothing beside"]);
    told(&run("--record nowhere/call.wav"), 23, &["--record nowhere/call.wav", "No such file"]);
    told(&run("--srtp required"), 2, &["--srtp-in-clear"]);
    for flags in [
        "--dtmf 12x",
        "--codec pcmu,g722,pcmu",
        "--tone 5",
        "--tone 440 --echo",
        "--probe --tone 440",
        "--min-mos 5",
        "--min-mos nan",
        "--no-media --record a.wav",
    ] {
        run(flags).expect(2);
    }
    assert_eq!(peer.came(), Vec::<String>::new());
}

#[cfg(feature = "audio-device")]
#[test]
fn without_a_sound_card_nobody_is_called() {
    let home = Home::new();
    let peer = Peer::silent();
    let mut caller = home.caller(peer.addr, "--device");
    // For the sound system this machine has no card, whatever it has.
    let run = finish(start(caller.env("ALSA_CONFIG_PATH", "/dev/null")));
    told(&run, 3, &["--device", "microphone"]);
    assert_eq!(peer.came(), Vec::<String>::new());
}

#[test]
fn a_listener_tells_before_it_listens_what_it_cannot_say() {
    let home = Home::new();
    home.write("text.wav", "no sound at all");
    let run = |flags: &str| home.run(&format!("listen --no-register --bind 127.0.0.1:0 --no-store {flags}"));
    told(&run("--play text.wav"), 2, &["--play text.wav", "WAV"]);
    told(&run("--play -"), 2, &["--play -", "--once"]);
    told(&run("--srtp sdes"), 2, &["--srtp-in-clear"]);
    // Where nothing can be recorded it is told at each call, and at the end.
    let listener = Listener::start(&home, "--record nowhere/call.wav --no-store --once");
    home.invite(listener.at(), "--talk 0").expect(0);
    let ended = listener.end().expect(23);
    assert!(ended.err.contains("--record nowhere/call.wav"), "{}", ended.err);
}

#[test]
fn sound_is_encrypted_where_it_is_asked_for_and_its_keys_may_be_seen() {
    let home = Home::new();
    let voice = part(250, 600);
    home.sound("voice.wav", &voice);
    unhurried(|| {
        let mut listener = Listener::start(&home, "--srtp sdes --srtp-in-clear --record call.wav --no-store");
        let call = home.invite(listener.at(), "--srtp required --srtp-in-clear --play voice.wav").expect(0).json();
        let suite = &call["media"]["srtp"];
        assert!(suite.as_str().unwrap().starts_with("AE"), "{call}");
        for event in ["incoming", "answered"] {
            listener.next(event);
        }
        let theirs = listener.next("ended")["call"].clone();
        assert_eq!(&theirs["media"]["srtp"], suite);
        // Who can do without is called in the clear.
        let clear = home.invite(listener.at(), "--talk 300ms").expect(0).json();
        assert_eq!((&clear["media"]["srtp"], &clear["media"]["verdict"]), (&Value::Null, &"two_way".into()));
        ([call, theirs], sounds(&home.recorded("call.wav").heard, &voice))
    });
    // Who insists is refused by who cannot.
    let plain = Listener::start(&home, "--no-store --once");
    home.invite(plain.at(), "--srtp required --srtp-in-clear").expect(45);
}

#[test]
fn without_media_nothing_is_sent_or_expected() {
    let home = Home::new();
    let listener = Listener::start(&home, "--tone 440 --no-store --once");
    let call = home.invite(listener.at(), "--no-media --talk 300ms").expect(0).json();
    listener.end().expect(0);
    let media = &call["media"];
    assert_eq!((&media["direction"], &media["verdict"]), (&"inactive".into(), &"none".into()));
    assert_eq!((&media["sent"]["packets"], &media["received"]["packets"]), (&0.into(), &0.into()));
}

#[test]
fn a_script_plays_files_presses_keys_and_hears_what_becomes_of_them() {
    let home = Home::new();
    let hello = part(250, 400);
    home.sound("good morning.wav", &hello);
    let script = "read -r incoming; echo play early.wav; echo dial 1; echo answer; echo play nobody.wav; echo play .; \
                  echo play good morning.wav; while read -r event; do echo \"$event\" >> told; case \"$event\" in \
                  *'\"played\"'*) echo dial 7#;; *'\"dtmf\"'*) echo wait 300ms; echo hangup;; esac; done";
    home.write("decide", &format!("#!/bin/sh\n{script}\n"));
    unhurried(|| {
        std::fs::write(home.path("told"), "").unwrap();
        let listener = Listener::start(&home, "--exec 'sh ./decide' --tone 440 --no-store --once");
        let call = home.invite(listener.at(), "--dtmf WW5 --record call.wav --talk 20s").expect(0).json();
        let run = listener.end().expect(0);
        assert_eq!((&call["outcome"]["ended_by"], &call["media"]["received"]["digits"]), (&"remote".into(), &2.into()));
        let told = std::fs::read_to_string(home.path("told")).unwrap();
        let events: Vec<Value> = told.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let names: Vec<_> = events.iter().map(|event| event["event"].as_str().unwrap()).collect();
        assert_eq!(names, ["answered", "played", "dtmf", "ended"]);
        assert_eq!(events[2]["digit"], "5");
        // What is wrong is noted, and ends nothing.
        let notes = ["too early", "too early", "nobody.wav: No such file", ".: it is not a file"];
        assert_eq!(run.err.lines().count(), notes.len(), "{}", run.err);
        for (line, note) in run.err.lines().zip(notes) {
            assert!(line.contains(note), "no `{note}` in {line}");
        }
        ([call, ended(&run)], sounds(&home.recorded("call.wav").heard, &hello))
    });
}

#[test]
fn a_recording_outlives_kill_9() {
    let home = Home::new();
    let mut listener = Listener::start(&home, "--echo --no-store");
    let child = start(&mut home.caller(listener.at(), "--tone 440 --record call.wav --dtmf W1 --talk 20s"));
    listener.next("incoming");
    listener.next("answered");
    // Whoever hears the key knows that a second has gone by since the answer.
    listener.next("dtmf");
    signal(child.id(), "KILL");
    finish(child).expect(-1);
    let recorded = home.recorded("call.wav");
    assert!(recorded.ms() >= 700, "{} ms", recorded.ms());
    let loud = |channel: &[i16]| channel.iter().filter(|sample| sample.unsigned_abs() > 1000).count() * 1000 / 8000;
    assert!(
        loud(&recorded.said) > 500 && loud(&recorded.heard) > 400,
        "{} {}",
        loud(&recorded.said),
        loud(&recorded.heard)
    );
}
