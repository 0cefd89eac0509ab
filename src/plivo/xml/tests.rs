use super::*;
use crate::plivo::signature::Method;

fn steps(text: &str) -> Vec<Step> {
    let read = parse(text.as_bytes()).unwrap();
    assert_eq!(read.warnings, [], "{text}");
    read.steps
}

fn fault(text: &str) -> (u32, u32, Fault) {
    let error = parse(text.as_bytes()).unwrap_err();
    assert_eq!(error.cause().code, 8011);
    (error.line, error.column, error.fault)
}

#[test]
fn elements_have_plivos_defaults() {
    let text = "<?xml version=\"1.0\"?>\n<Response><Speak>Hello,\n  world</Speak><Play>https://h/a.mp3</Play><Wait/>\
                <Hangup/><Conference>room</Conference></Response>";
    let speak = Step::Speak { text: "Hello, world".into(), voice: "WOMAN".into(), language: "en-US".into(), times: 1 };
    let expected = [
        speak,
        Step::Play { url: "https://h/a.mp3".into(), times: 1 },
        Step::Wait { length: Duration::from_secs(1) },
        Step::Hangup { reason: HangupReason::Normal, schedule: None },
        Step::NotBuilt { element: "Conference".into(), ends: causes::by_code(4010) },
    ];
    assert_eq!(steps(text), expected);
}

#[test]
fn attributes_are_read() {
    let text = r#"<Response><Speak voice="Polly.Amy" language="en-GB" loop="0">a <break/>b</Speak>
        <Play loop="3">u</Play><Wait length="7"/><Hangup reason="busy" schedule="60"/><Hangup reason="rejected"/>
        <Hangup reason="tired"/></Response>"#;
    let speak = Step::Speak { text: "a b".into(), voice: "Polly.Amy".into(), language: "en-GB".into(), times: FOREVER };
    let expected = [
        speak,
        Step::Play { url: "u".into(), times: 3 },
        Step::Wait { length: Duration::from_secs(7) },
        Step::Hangup { reason: HangupReason::Busy, schedule: Some(Duration::from_secs(60)) },
        Step::Hangup { reason: HangupReason::Rejected, schedule: None },
        Step::Hangup { reason: HangupReason::Normal, schedule: None },
    ];
    assert_eq!(steps(text), expected);
}

#[test]
fn a_recording_has_plivos_defaults_and_its_attributes_are_read() {
    let usual = Record {
        action: None,
        redirect: true,
        timeout: Duration::from_secs(15),
        max_length: Duration::from_secs(60),
        finish_on: "#".into(),
        beep: true,
        callback: None,
    };
    let hook = |url: &str, method| Some(Hook { url: url.into(), method });
    let every = "action='https://h/a?b=c' method='get' redirect='false' timeout='3' maxLength='7' finishOnKey='*9' \
                 playBeep='false' callbackUrl=' http://h/c ' callbackMethod='GET' fileFormat='wav'";
    let table = [
        ("", usual.clone()),
        ("recordSession='false' startOnDialAnswer='false' action=''", usual.clone()),
        ("action='http://h/a'", Record { action: hook("http://h/a", Method::Post), ..usual.clone() }),
        ("finishOnKey=''", Record { finish_on: String::new(), ..usual }),
        (
            every,
            Record {
                action: hook("https://h/a?b=c", Method::Get),
                redirect: false,
                timeout: Duration::from_secs(3),
                max_length: Duration::from_secs(7),
                finish_on: "*9".into(),
                beep: false,
                callback: hook("http://h/c", Method::Get),
            },
        ),
    ];
    for (attributes, expected) in table {
        let text = format!("<Response><Record {attributes}/></Response>");
        assert_eq!(steps(&text), [Step::Record(expected)], "{attributes}");
    }
    for attribute in ["recordSession", "startOnDialAnswer"] {
        let text = format!("<Response><Record {attribute}='true'/></Response>");
        let element = format!("Record {attribute}=\"true\"");
        assert_eq!(steps(&text), [Step::NotBuilt { element, ends: None }]);
    }
}

#[test]
fn a_recording_that_cannot_be_made_is_refused_with_its_place_and_cause() {
    let table = [
        ("action='/a'", 7022, "action=\"/a\" of <Record>: write a whole URL: http://host/path"),
        ("method='PUT'", 7032, "method=\"PUT\" of <Record>: write GET or POST"),
        ("redirect='maybe'", 8011, "redirect=\"maybe\" of <Record>: write true or false"),
        ("timeout='0'", 8011, "timeout=\"0\" of <Record>: write whole seconds, 1 or more"),
        (
            "finishOnKey='A'",
            8011,
            "finishOnKey=\"A\" of <Record>: write some of the keys 1234567890*#, or nothing for none",
        ),
        ("callbackUrl='h'", 8011, "callbackUrl=\"h\" of <Record>: write a whole URL: http://host/path"),
    ];
    for (attribute, code, told) in table {
        let error = parse(format!("<Response>\n <Record {attribute}/></Response>").as_bytes()).unwrap_err();
        assert_eq!((error.line, error.column, error.cause().code), (2, 10, code), "{attribute}");
        assert_eq!(error.fault.to_string(), told);
    }
}

#[test]
fn an_empty_response_is_valid() {
    for text in ["<Response/>", "<Response></Response>", "\u{feff}<Response>\n</Response>\n"] {
        assert_eq!(steps(text), [], "{text:?}");
    }
}

#[test]
fn faults_have_their_line_and_column() {
    assert_eq!(fault("<response/>"), (1, 1, Fault::Root("response".into())));
    assert_eq!(fault(""), (1, 1, Fault::Empty));
    assert_eq!(fault(" \n"), (1, 1, Fault::Empty));
    let (line, column, _) = fault("<Response>\n <Speak>a & b</Speak></Response>");
    assert_eq!((line, column), (2, 11));
    let (line, _, told) = fault("<Response>\n<Speak>a</Play></Response>");
    assert_eq!(line, 2);
    assert_eq!(told, Fault::NotWellFormed("expected 'Speak' tag, not 'Play'".into()));
    let (line, column, told) = fault("<Response>\n <Wait length=\"soon\"/></Response>");
    assert_eq!((line, column), (2, 8));
    assert_eq!(told.to_string(), "length=\"soon\" of <Wait>: write whole seconds, 1 or more");
    assert_eq!(
        fault("<Response>\n<Play/></Response>"),
        (2, 1, Fault::Nothing { element: "Play", wanted: "the URL of an mp3 or wav file" })
    );
    let error = parse(b"<Response>\n\xff</Response>").unwrap_err();
    assert_eq!((error.line, error.column, error.fault), (2, 1, Fault::NotUtf8));
}

#[test]
fn what_is_no_xml_is_refused() {
    for text in ["{\"a\": 1}", "\n<?xml version=\"1.0\"?><Response/>", "<Response>", "ok"] {
        assert!(matches!(fault(text).2, Fault::NotWellFormed(_)), "{text}");
    }
    for value in ["0", "-1", "1.5", ""] {
        assert!(parse(format!("<Response><Wait length='{value}'/></Response>").as_bytes()).is_err(), "{value}");
    }
}

#[test]
fn a_dtd_and_its_entities_are_refused() {
    let text = "<!DOCTYPE r [<!ENTITY a \"aaaa\">]><Response><Speak>&a;</Speak></Response>";
    assert!(matches!(fault(text).2, Fault::NotWellFormed(_)));
}

#[test]
fn each_bound_holds_at_its_limit_and_not_beyond() {
    let padded = |bytes: usize| format!("<Response>{}</Response>", " ".repeat(bytes - 21));
    assert!(parse(padded(MAX_BYTES).as_bytes()).is_ok());
    assert_eq!(fault(&padded(MAX_BYTES + 1)).2, Fault::TooLong(MAX_BYTES + 1));

    let many = |elements: usize| format!("<Response>{}</Response>", "<Wait/>\n".repeat(elements - 1));
    assert_eq!(parse(many(MAX_ELEMENTS).as_bytes()).unwrap().steps.len(), MAX_ELEMENTS - 1);
    assert_eq!(fault(&many(MAX_ELEMENTS + 1)).2, Fault::TooManyElements);
    assert_eq!(fault(&many(10_000)).2, Fault::TooManyElements);

    let deep = |levels: usize| {
        let (open, close) = ("<a>".repeat(levels - 2), "</a>".repeat(levels - 2));
        format!("<Response><Speak>{open}{close}</Speak></Response>")
    };
    assert!(parse(deep(MAX_DEPTH).as_bytes()).is_ok());
    assert_eq!(fault(&deep(MAX_DEPTH + 1)).2, Fault::TooDeep);
    assert_eq!(fault(&deep(900)).2, Fault::TooDeep);
}

/// Where something is wrong in an element of the second line, the cause, and what is told.
fn wrong(element: &str) -> (u32, u16, String) {
    let error = parse(format!("<Response>\n {element}</Response>").as_bytes()).unwrap_err();
    assert_eq!(error.line, 2, "{error}");
    (error.column, error.cause().code, error.fault.to_string())
}

#[test]
fn elements_that_plivo_does_not_have_or_not_there_are_refused() {
    let table = [
        ("<Reject/>", 2, "there is no element <Reject>: write <Hangup reason=\"rejected\"/>"),
        ("<Say>a</Say>", 2, "there is no element <Say>: write <Speak>"),
        ("<speak>a</speak>", 2, "there is no element <speak>: write <Speak>"),
        ("<Dial><Sip>a</Sip></Dial>", 8, "there is no element <Sip>: <Dial> holds Number, User"),
        ("<GetDigits><Dial/></GetDigits>", 13, "<Dial> cannot stand in <GetDigits>: it holds Speak, Play, Wait"),
        ("<User>sip:a@b</User>", 2, "<User> cannot stand in <Response>: it holds"),
        ("<Play><Speak>a</Speak></Play>", 8, "<Speak> cannot stand in <Play>: it holds no elements"),
        ("<PreAnswer><Record/></PreAnswer>", 13, "<Record> cannot stand in <PreAnswer>: it holds Speak, Play, Wait"),
        ("<Dial>14155550100</Dial>", 2, "<Dial> is empty: put <User> or <Number> in it"),
        ("<Message src='1'/>", 2, "<Message> is empty: put a text in it"),
        ("<DTMF>12a</DTMF>", 2, "<DTMF> holds \"12a\": write some of the keys"),
    ];
    for (element, column, told) in table {
        let (at, code, fault) = wrong(element);
        assert_eq!((at, code), (column, 8011), "{element}: {fault}");
        assert!(fault.starts_with(told), "{fault}");
    }
}

#[test]
fn an_attribute_that_nobody_knows_is_a_warning_with_its_place() {
    let text = "<Response>\n <Speak Voice='MAN' colour='red'>a</Speak>\n <Wait silence='true' beep='true'/></Response>";
    let read = parse(text.as_bytes()).unwrap();
    let told: Vec<String> = read.warnings.iter().map(ToString::to_string).collect();
    let expected = [
        "line 2, column 9: <Speak> has no attribute Voice: write voice",
        "line 2, column 21: <Speak> has no attribute colour",
        "line 3, column 8: silence of <Wait> changes nothing here: silence is not listened for: it waits for its whole \
         length",
        "line 3, column 23: beep of <Wait> changes nothing here: beeps are not listened for: it waits for its whole length",
    ];
    assert_eq!(told, expected);
    assert_eq!(read.steps.len(), 2);
}

#[test]
fn numbers_out_of_range_are_refused_with_the_range() {
    let input = |attribute: &str| format!("<GetInput action='http://h/a' {attribute}/>");
    let table = [
        ("<GetDigits numDigits='100'/>".to_owned(), "from 1 to 99"),
        (input("numDigits='33'"), "from 1 to 32"),
        (input("executionTimeout='4'"), "from 5 to 60"),
        (input("executionTimeout='61'"), "from 5 to 60"),
        (input("digitEndTimeout='11'"), "auto, or whole seconds from 2 to 10"),
        (input("speechEndTimeout='1'"), "auto, or whole seconds from 2 to 10"),
        (input("inputType='voice'"), "dtmf, speech or dtmf speech"),
        ("<Dial timeLimit='86401'><User>sip:a@b</User></Dial>".to_owned(), "from 1 to 86400"),
        ("<Dial confirmKey='12'><User>sip:a@b</User></Dial>".to_owned(), "one of the keys"),
        ("<Dial sipHeaders='Test'><User>sip:a@b</User></Dial>".to_owned(), "NAME=VALUE,NAME=VALUE"),
        ("<Wait minSilence='0'/>".to_owned(), "whole milliseconds, 1 or more"),
    ];
    for (element, range) in table {
        let (_, code, fault) = wrong(&element);
        assert!(code == 8011 && fault.contains(range), "{fault}");
    }
}

#[test]
fn urls_and_methods_that_cannot_be_used_have_causes_of_their_own() {
    let table = [
        ("<Redirect>/next</Redirect>", 7024),
        ("<Redirect/>", 7024),
        ("<Redirect method='PUT'>http://h/</Redirect>", 7034),
        ("<GetDigits action='next'/>", 7022),
        ("<GetInput/>", 7022),
        ("<GetDigits action='http://h/' method='PATCH'/>", 7032),
        ("<Dial action='/next'><User>sip:a@b</User></Dial>", 7022),
        ("<Dial callbackUrl='/told'><User>sip:a@b</User></Dial>", 8011),
    ];
    for (element, code) in table {
        assert_eq!(wrong(element).1, code, "{element}");
    }
}

#[test]
fn what_listens_has_plivos_defaults() {
    let [Step::Input(digits), Step::Input(input)] =
        <[Step; 2]>::try_from(steps("<Response><GetDigits/><GetInput action='http://h/a'/></Response>")).unwrap()
    else {
        panic!("two that listen")
    };
    let secs = Duration::from_secs;
    assert_eq!((digits.first, digits.next, digits.whole, digits.most), (secs(5), secs(2), None, 99));
    assert_eq!((digits.finish_on.as_str(), digits.tries, digits.redirect, digits.beep), ("#", 1, true, false));
    assert_eq!((input.first, input.next, input.whole, input.most), (secs(15), secs(2), Some(secs(15)), 32));
    assert_eq!(input.heard, Heard { keys: true, words: false });
}

#[test]
fn a_dial_has_plivos_defaults_and_its_attributes_are_read() {
    let text = "<Response><Dial><User>\n sip:a@b\n</User><Number>14155550100</Number></Dial>\
                <Dial callerId='1' callerName='Al' timeout='7' timeLimit='9' hangupOnStar='true' redirect='false' \
                confirmSound='http://h/s' confirmKey='5' confirmTimeout='3' dialMusic='real' digitsMatch='1,23' \
                digitsMatchBLeg='*' sipHeaders='A=1,B=2' callType='voice'>\
                <User sendDigits='1w2' sipHeaders='A=3'>sip:a@b</User></Dial></Response>";
    let [Step::Dial(usual), Step::Dial(full)] = <[Step; 2]>::try_from(steps(text)).unwrap() else { panic!("two") };
    assert_eq!(usual.targets.iter().map(|target| target.to.as_str()).collect::<Vec<_>>(), ["sip:a@b", "14155550100"]);
    assert_eq!((usual.timeout, usual.time_limit), (None, Duration::from_secs(14_400)));
    assert!(usual.redirect && !usual.hangup_on_star && usual.confirm.is_none() && usual.music == DialMusic::Usual);
    assert_eq!((full.caller_id.as_deref(), full.caller_name.as_deref()), (Some("1"), Some("Al")));
    assert_eq!((full.matches, full.matches_b), (vec!["1".to_owned(), "23".to_owned()], vec!["*".to_owned()]));
    assert_eq!(full.confirm.map(|confirm| (confirm.key, confirm.timeout)), Some((Some('5'), Duration::from_secs(3))));
    assert_eq!(full.headers, [("A".to_owned(), "1".to_owned()), ("B".to_owned(), "2".to_owned())]);
    assert_eq!(full.targets[0].digits.as_ref().map(|digits| (digits.keys.len(), digits.events)), Some((3, false)));
    assert_eq!((full.music, full.redirect), (DialMusic::Real, false));
}
