use super::*;
use crate::plivo::xml;

/// Runs a document to its end; each action as `milliseconds:action`.
fn run(document: &str, pace: Pace) -> Vec<String> {
    let mut script = Script::new(xml::parse(document.as_bytes()).unwrap().steps, pace);
    let mut now = Instant::from_origin(Duration::from_secs(5));
    let mut told = Vec::new();
    script.start(now);
    loop {
        while let Some(action) = script.poll() {
            let ms = now.since_origin().as_millis() - 5_000;
            told.push(match action {
                Action::Speak { text, .. } => format!("{ms}:speak {text}"),
                Action::Play { url, .. } => format!("{ms}:play {url}"),
                Action::Record(record) => format!("{ms}:record {}", record.finish_on),
                Action::Dtmf(keys) => format!("{ms}:dtmf {}", keys.len()),
                Action::Listen { element, .. } => format!("{ms}:listen {element}"),
                Action::Message(message) => format!("{ms}:message {}", message.text),
                Action::Hush | Action::Heard { .. } | Action::Dial(_) | Action::Redirect(_) => {
                    format!("{ms}:{action:?}")
                }
                Action::Wait { .. } => format!("{ms}:wait"),
                Action::NotBuilt { element } => format!("{ms}:not built {element}"),
                Action::Hangup { cause } => format!("{ms}:hangup {}", cause.code),
            });
        }
        let Some(at) = script.poll_timeout() else { return told };
        now = at;
        script.handle_timeout(now);
    }
}

#[test]
fn the_guides_document_speaks_and_ends() {
    let told = run("<Response><Speak>Hello</Speak></Response>", Pace::default());
    assert_eq!(told, ["0:speak Hello", "300:hangup 4010"]);
}

#[test]
fn an_empty_document_ends_at_once() {
    assert_eq!(run("<Response/>", Pace::default()), ["0:hangup 4010"]);
}

#[test]
fn steps_run_in_order_and_repeat() {
    let document = "<Response><Wait length=\"2\"/><Play loop=\"2\">u</Play><Record recordSession=\"true\"/><Hangup/>\
                    <Wait/></Response>";
    let told = run(document, Pace::default());
    assert_eq!(
        told,
        ["0:wait", "2000:play u", "3000:play u", "4000:not built Record recordSession=\"true\"", "4000:hangup 4000"]
    );
}

#[test]
fn hangup_reasons_become_causes() {
    assert_eq!(run("<Response><Hangup reason=\"busy\"/></Response>", Pace::NONE), ["0:hangup 3010"]);
    assert_eq!(run("<Response><Hangup reason=\"rejected\"/></Response>", Pace::NONE), ["0:hangup 3020"]);
}

#[test]
fn a_scheduled_hangup_cuts_the_running_step() {
    let told =
        run("<Response><Hangup schedule=\"3\" reason=\"busy\"/><Wait length=\"60\"/></Response>", Pace::default());
    assert_eq!(told, ["0:wait", "3000:hangup 6000"]);
    let told = run("<Response><Hangup schedule=\"3\"/><Wait length=\"1\"/></Response>", Pace::default());
    assert_eq!(told, ["0:wait", "1000:hangup 4010"]);
}

#[test]
fn a_step_that_is_held_goes_on_when_it_is_said_to_be_over() {
    let steps = xml::parse(b"<Response><Speak>Hello</Speak><Play>u</Play></Response>").unwrap().steps;
    let mut script = Script::new(steps, Pace::default());
    script.start(at(0));
    assert!(matches!(script.poll(), Some(Action::Speak { language, .. }) if language == "en-US"));
    script.hold(at(9_000));
    script.handle_timeout(at(300));
    assert_eq!(script.poll(), None);
    script.over(at(750));
    assert!(matches!(script.poll(), Some(Action::Play { .. })));
    script.hold(at(9_000));
    script.pace(at(800));
    assert_eq!(script.poll_timeout(), Some(at(1_800)));
}

#[test]
fn a_recording_answers_and_lasts_as_long_as_it_may() {
    let told = run("<Response><Record maxLength='7'/><Hangup/></Response>", Pace::default());
    assert_eq!(told, ["0:record #", "7000:hangup 4000"]);
    let steps = xml::parse(b"<Response><Record/></Response>").unwrap().steps;
    let mut script = Script::new(steps, Pace::default());
    script.start(Instant::ZERO);
    assert!(script.poll().is_some_and(|action| action.answers()));
}

#[test]
fn a_parked_step_lasts_until_it_is_resumed_or_taken_over() {
    let text = b"<Response><Hangup schedule='9'/><Record/><Record finishOnKey='1'/></Response>";
    let mut script = Script::new(xml::parse(text).unwrap().steps, Pace::default());
    script.start(at(0));
    assert!(matches!(script.poll(), Some(Action::Record(_))));
    script.park();
    script.over(at(100));
    script.pace(at(100));
    script.handle_timeout(at(200));
    assert_eq!((script.poll(), script.poll_timeout()), (None, Some(at(9_000))));
    script.resume(at(300));
    assert!(matches!(script.poll(), Some(Action::Record(record)) if record.finish_on == "1"));
    script.resume(at(300));
    assert_eq!(script.poll(), None);
    script.park();
    script.take_over(at(400), xml::parse(b"<Response><Wait/><Hangup/></Response>").unwrap().steps);
    assert!(matches!(script.poll(), Some(Action::Wait { .. })));
    assert_eq!(script.poll_timeout(), Some(at(1_400)));
    script.handle_timeout(at(9_000));
    assert!(matches!(script.poll(), Some(Action::Hangup { cause }) if cause.code == 6000));
}

#[test]
fn without_pace_even_for_ever_ends() {
    let told = run("<Response><Speak loop=\"0\">a</Speak></Response>", Pace::NONE);
    assert_eq!(told.len(), usize::try_from(xml::FOREVER).unwrap() + 1);
    assert_eq!(told.last().unwrap(), "0:hangup 4010");
}

#[test]
fn an_early_timeout_changes_nothing() {
    let mut script = Script::new(vec![Step::Wait { length: Duration::from_secs(2) }], Pace::default());
    script.start(Instant::ZERO);
    assert!(script.poll().is_some_and(|action| !action.answers()));
    script.handle_timeout(Instant::from_origin(Duration::from_millis(1_999)));
    assert_eq!(script.poll(), None);
    assert_eq!(script.poll_timeout(), Some(Instant::from_origin(Duration::from_secs(2))));
}

fn at(ms: u64) -> Instant {
    Instant::from_origin(Duration::from_millis(ms))
}

fn started(document: &str) -> Script {
    let steps = xml::parse(document.as_bytes()).unwrap().steps;
    let mut script = Script::new(steps, Pace::default());
    script.start(at(0));
    script
}

#[test]
fn keys_are_sent_beside_the_next_element_unless_they_are_waited_for() {
    let told = run("<Response><DTMF>12</DTMF><DTMF async='false'>1wW</DTMF><Hangup/></Response>", Pace::NONE);
    assert_eq!(told, ["0:dtmf 2", "0:dtmf 3", "1760:hangup 4000"]);
}

#[test]
fn what_comes_before_the_answer_does_not_answer() {
    let mut script = started(
        "<Response><PreAnswer><Speak>a</Speak><Wait/></PreAnswer><Message>m</Message><Play>u</Play></Response>",
    );
    let early = script.poll().unwrap();
    assert!(matches!(early, Action::Speak { early: true, .. }) && !early.answers());
    script.handle_timeout(at(60));
    assert_eq!(script.poll(), Some(Action::Wait { lasts: Duration::from_secs(1) }));
    script.handle_timeout(at(1_060));
    assert!(matches!(script.poll(), Some(Action::Message(message)) if message.text == "m"));
    assert!(script.poll().is_some_and(|action| action.answers()));
}

#[test]
fn a_redirect_waits_for_the_document_that_takes_over() {
    let mut script = started("<Response><Redirect method='GET'>http://h/a</Redirect><Hangup/></Response>");
    assert!(matches!(script.poll(), Some(Action::Redirect(hook)) if hook.url == "http://h/a"));
    assert_eq!((script.poll(), script.poll_timeout()), (None, None));
    script.take_over(at(5), Vec::new());
    assert!(matches!(script.poll(), Some(Action::Hangup { cause }) if cause.code == 4010));
}

#[test]
fn conferences_and_streams_end_the_call_for_they_are_not_built() {
    for (element, code) in [("Conference", 4010), ("Stream", 4010), ("MultiPartyCall", 4020)] {
        let told = run(&format!("<Response><{element}>x</{element}><Speak>a</Speak></Response>"), Pace::NONE);
        assert_eq!(told, [format!("0:not built {element}"), format!("0:hangup {code}")]);
    }
}

/// What a `<GetDigits>` of these attributes makes of keys, each pressed so many milliseconds after the start.
fn listened(attributes: &str, keys: &[(u64, char)]) -> Vec<String> {
    let mut script = started(&format!(
        "<Response><GetDigits {attributes}><Speak>ask</Speak></GetDigits><Speak>next</Speak></Response>"
    ));
    let mut told = Vec::new();
    let mut keys = keys.iter().copied().peekable();
    let mut now = at(0);
    loop {
        let ms = now.since_origin().as_millis();
        while let Some(action) = script.poll() {
            told.push(match action {
                Action::Speak { text, .. } => format!("{ms}:{text}"),
                Action::Play { url, .. } => format!("{ms}:play {url}"),
                Action::Heard { heard: Heard::Keys(keys), .. } => format!("{ms}:heard {keys}"),
                Action::Listen { beep, .. } => format!("{ms}:listen{}", if beep { " beep" } else { "" }),
                other => format!("{ms}:{other:?}"),
            });
        }
        let Some(due) = script.poll_timeout().filter(|_| !told.last().is_some_and(|last| last.ends_with("next")))
        else {
            return told;
        };
        if let Some((pressed, key)) = keys.next_if(|(pressed, _)| at(*pressed) <= due) {
            now = at(pressed);
            script.key(now, key);
        } else {
            now = due;
            script.handle_timeout(now);
        }
    }
}

#[test]
fn a_finishing_key_ends_the_keys_and_is_not_among_them() {
    let told = listened("", &[(1_000, '4'), (1_500, '2'), (2_000, '#')]);
    assert_eq!(told, ["0:ask", "180:listen", "2000:heard 42"]);
    let told = listened("finishOnKey='' numDigits='3'", &[(1_000, '4'), (1_500, '#'), (2_000, '*')]);
    assert_eq!(told, ["0:ask", "180:listen", "2000:heard 4#*"]);
}

#[test]
fn a_key_that_does_not_come_ends_the_keys_or_the_waiting() {
    assert_eq!(listened("digitTimeout='1'", &[(1_000, '4')]), ["0:ask", "180:listen", "2000:heard 4"]);
    assert_eq!(listened("timeout='3'", &[]), ["0:ask", "180:listen", "3180:next"]);
    let twice = ["0:ask", "180:listen beep", "1180:ask", "1360:listen beep", "2360:next"];
    assert_eq!(listened("timeout='1' retries='2' playBeep='true'", &[]), twice);
    // A finishing key alone is no input.
    assert_eq!(listened("", &[(500, '#')]), ["0:ask", "180:listen", "500:next"]);
}

#[test]
fn the_first_key_interrupts_the_prompt() {
    let told = listened("digitTimeout='1'", &[(100, '7')]);
    assert_eq!(told, ["0:ask", "100:Hush", "1100:heard 7"]);
}

#[test]
fn a_key_that_is_not_valid_is_another_try() {
    let attributes = "validDigits='12' invalidDigitsSound='http://h/no' retries='2' numDigits='2' timeout='1'";
    let told = listened(attributes, &[(200, '1'), (300, '9'), (2_000, '1'), (2_100, '2')]);
    assert_eq!(told, ["0:ask", "180:listen", "300:play http://h/no", "1300:ask", "1480:listen", "2100:heard 12"]);
    let told = listened(&attributes.replace("retries='2' ", ""), &[(200, '1'), (300, '9')]);
    assert_eq!(told, ["0:ask", "180:listen", "300:play http://h/no", "1300:next"]);
}

#[test]
fn words_are_heard_where_they_are_listened_for_and_all_ends_in_time() {
    let document = |kind: &str| {
        format!(
            "<Response><GetInput action='http://h/a' inputType='{kind}' executionTimeout='5'>\
             <Speak>ask</Speak></GetInput><Hangup/></Response>"
        )
    };
    let mut script = started(&document("dtmf speech"));
    script.poll();
    assert!(script.words(at(50), "hello there"));
    assert_eq!(script.poll(), Some(Action::Hush));
    let Some(Action::Heard { heard, .. }) = script.poll() else { panic!("nothing heard") };
    assert_eq!(heard, Heard::Words("hello there".into()));
    let mut script = started(&document("dtmf"));
    assert!(!script.words(at(50), "hello"));
    script.handle_timeout(at(180));
    for ms in [1_000, 2_500, 4_000] {
        script.key(at(ms), '1');
    }
    // Two seconds after a key, but for the five seconds in all.
    assert_eq!(script.poll_timeout(), Some(at(5_180)));
    script.handle_timeout(at(5_180));
    let heard = std::iter::from_fn(|| script.poll()).last();
    assert!(matches!(heard, Some(Action::Heard { heard: Heard::Keys(keys), .. }) if keys == "111"));
}
