//! `sipcall api` and `sipcall phlo`: against a sandbox, against a platform by hand, and the way to Plivo itself.

use crate::home::{Home, Run, Sandbox, finish, start, told};
use crate::platform::{CERTIFICATES, Platform, TOKEN};
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;

const OK: &str = "200 OK\n\n{\"api_id\": \"a\"}";

/// A call of which nothing is said but what has to be.
const CALL: &str = "api call --from 1 --to 2 --answer-url http://h/a";

#[track_caller]
fn ask(home: &Home, line: &str, platform: &Platform) -> Run {
    home.run(&format!("{line} --sandbox {}", platform.at))
}

/// A file that holds a password, for nobody else to read.
fn hidden(home: &Home, name: &str, text: &str) {
    home.write(name, text);
    std::fs::set_permissions(home.path(name), std::fs::Permissions::from_mode(0o600)).unwrap();
}

#[test]
fn a_running_sandbox_places_the_calls_that_the_api_asks_for() {
    let home = Home::new();
    let sandbox = Sandbox::start(&home);
    let http = sandbox.http();
    let line = format!("api call --from 14155550100 --answer-url http://{http}/answer.xml -H Test=Sample");
    let one = home.run(&format!("{line} --to sip:alice@phone.plivo.com --sandbox {http}")).expect(0).json();
    assert_eq!(one["message"], "call fired");
    assert_eq!(one["request_uuid"].as_str().unwrap().len(), 36);
    let many =
        home.run(&format!("{line} --to sip:alice@phone.plivo.com --to 12025550123<12025550124 --sandbox={http}"));
    assert_eq!(many.expect(0).json()["request_uuid"].as_array().unwrap().len(), 3);
    let overlap = format!("api POST Call from=1 to=1 answer_url=http://{http}/a --sandbox {http}");
    told(&home.run(&overlap), 22, &["400", "source and destination cannot overlap"]);
}

#[test]
fn a_command_inside_a_sandbox_asks_its_api_and_the_header_arrives() {
    let home = Home::new();
    let program = env!("CARGO_BIN_EXE_sipcall");
    let call = "--from 14155550100 --to sip:bob@phone.plivo.com -H Test=Sample";
    let script = format!("{program} api call {call} --answer-url http://$SIPCALL_SANDBOX/answer.xml");
    let run = home.run(&format!("sandbox --callee bob --answer-xml answer.xml -- sh -c '{script}'")).expect(0);
    assert_eq!(run.json()["message"], "call fired");
    assert!(run.err.contains("X-PH-Test=Sample") && run.err.contains("speaks"), "{}", run.err);
}

#[test]
fn every_flag_of_a_call_is_a_parameter_of_plivos() {
    let home = Home::new();
    let platform = Platform::saying(&["201 Created\n\n{}", "201 Created\n\n{}"]);
    hidden(&home, "sip.txt", "sip-password\n");
    let line = "api call --from 14155550100 --to sip:a@b --to '2 < 3' --answer-url http://h/a --answer-method get \
                --ring-url http://h/r --hangup-url http://h/h --hangup-method GET --fallback-url http://h/f \
                --callback-url http://h/c --caller-name Zumba --send-digits ww1 --send-on-preanswer --time-limit 1m \
                --hangup-on-ring 5 --ring-timeout 30s --parent-call-uuid u --error-if-parent-not-found --call-type voice \
                --sip-auth-username me --sip-auth-password-file sip.txt -H head1=val1,head2=val2 -H X-PH-Test=Sample \
                --machine-detection hangup --machine-detection-time 3s --machine-detection-url http://h/m \
                --machine-detection-method GET --machine-detection-maximum-speech-length 2s \
                --machine-detection-initial-silence 4500ms --machine-detection-maximum-words 4";
    ask(&home, line, &platform).expect(0);
    let came = platform.one();
    assert_eq!(came.line, "POST /v1/Account/MASCRIPT/Call/");
    let expected = json!({
        "from": "14155550100", "to": "sip:a@b<2<3", "answer_url": "http://h/a", "answer_method": "GET",
        "ring_url": "http://h/r", "ring_method": "POST", "hangup_url": "http://h/h", "hangup_method": "GET",
        "fallback_url": "http://h/f", "fallback_method": "POST", "callback_url": "http://h/c", "callback_method": "POST",
        "caller_name": "Zumba", "send_digits": "ww1", "send_on_preanswer": true, "time_limit": 60, "hangup_on_ring": 5,
        "ring_timeout": 30, "parent_call_uuid": "u", "error_if_parent_not_found": true, "call_type": "voice",
        "sip_auth_username": "me", "sip_auth_password": "sip-password",
        "sip_headers": "head1=val1,head2=val2,Test=Sample",
        "machine_detection": "hangup", "machine_detection_time": 3000, "machine_detection_url": "http://h/m",
        "machine_detection_method": "GET", "machine_detection_maximum_speech_length": 2000,
        "machine_detection_initial_silence": 4500, "machine_detection_maximum_words": 4,
    });
    assert_eq!(came.body, expected);
    ask(&home, CALL, &platform).expect(0);
    let least = json!({ "from": "1", "to": "2", "answer_url": "http://h/a", "answer_method": "POST" });
    assert_eq!(platform.one().body, least);
}

#[test]
fn each_command_is_one_request_of_plivos() {
    let home = Home::new();
    hidden(&home, "password.txt", "zumba-secret\n");
    home.write("text.txt", "Hello\n");
    let create = "--username zumba --alias z --password-file password.txt --app-id 7";
    let created = json!({ "username": "zumba", "alias": "z", "password": "zumba-secret", "app_id": "7" });
    let app = "--answer-url http://h/a --answer-method get --hangup-url http://h/h --fallback-answer-url http://h/f \
               --message-url http://h/m --default-endpoint-app true --public-uri false --sip-auth-type credential \
               --credential-uuid c";
    let described = json!({ "answer_url": "http://h/a", "answer_method": "GET", "hangup_url": "http://h/h",
        "fallback_answer_url": "http://h/f", "message_url": "http://h/m", "default_endpoint_app": true,
        "public_uri": false, "sip_auth_type": "credential", "credential_uuid": "c" });
    let mut named = described.clone();
    named["app_name"] = "desk".into();
    let filters = "--call-direction inbound --from-number +1 --to-number 2 --bill-duration '>=60' --bill-duration '<90' \
                   --end-time '>2026-11-23 10:00:00' --hangup-cause-code 3010 --hangup-source Carrier --subaccount SA \
                   --parent-call-uuid p --limit 5 --offset 10";
    let query = "bill_duration__gte=60&bill_duration__lt=90&call_direction=inbound&end_time__gt=2026-11-23+10%3A00%3A00\
                 &from_number=%2B1&hangup_cause_code=3010&hangup_source=Carrier&limit=5&offset=10&parent_call_uuid=p\
                 &subaccount=SA&to_number=2";
    let none = Value::Null;
    let table = [
        ("api GET Call/ status=live limit:=5", "GET ~Call/?limit=5&status=live", none.clone()),
        ("api get 'Call?status=live'", "GET ~Call/?status=live", none.clone()),
        ("api POST /Call/u/Speak text=@text.txt loop:=2", "POST ~Call/u/Speak/", json!({ "text": "Hello", "loop": 2 })),
        ("api POST /v1/Account/SA1/Call", "POST /v1/Account/SA1/Call/", json!({})),
        ("api PUT X/ a=b", "PUT ~X/", json!({ "a": "b" })),
        ("api DELETE Request/r", "DELETE ~Request/r/", none.clone()),
        ("api GET /", "GET ~", none.clone()),
        ("api hangup u-1", "DELETE ~Call/u-1/", none.clone()),
        ("api cdr", "GET ~Call/", none.clone()),
        ("api cdr u-1", "GET ~Call/u-1/", none.clone()),
        (&format!("api cdr {filters}"), &format!("GET ~Call/?{query}"), none.clone()),
        (&format!("api endpoint create {create}"), "POST ~Endpoint/", created),
        ("api endpoint list --limit 20", "GET ~Endpoint/?limit=20", none.clone()),
        ("api endpoint show 1", "GET ~Endpoint/1/", none.clone()),
        ("api endpoint update 1 --alias b", "POST ~Endpoint/1/", json!({ "alias": "b" })),
        ("api endpoint delete 1", "DELETE ~Endpoint/1/", none.clone()),
        (&format!("api application create --app-name desk {app}"), "POST ~Application/", named),
        ("api application list", "GET ~Application/", none.clone()),
        ("api application show 1", "GET ~Application/1/", none.clone()),
        (&format!("api application update 1 {app}"), "POST ~Application/1/", described),
        ("api application delete 1", "DELETE ~Application/1/", none.clone()),
        ("api application delete 1 --cascade false", "DELETE ~Application/1/", json!({ "cascade": false })),
        ("phlo run p-1", "POST /v1/account/MASCRIPT/phlo/p-1/", json!({})),
        ("phlo run p-1 from=1 n:=2", "POST /v1/account/MASCRIPT/phlo/p-1/", json!({ "from": "1", "n": 2 })),
        ("phlo show p-1", "GET /v1/phlo/p-1/", none),
    ];
    for (line, request, body) in table {
        let platform = Platform::saying(&[OK]);
        assert_eq!(ask(&home, line, &platform).expect(0).out, "{\n  \"api_id\": \"a\"\n}\n", "{line}");
        let came = platform.one();
        assert_eq!((came.line, came.body), (request.replace('~', "/v1/Account/MASCRIPT/"), body), "{line}");
    }
}

#[test]
fn the_status_is_the_exit_code_and_plivos_words_are_told() {
    let home = Home::new();
    let table: [(&'static [&'static str], i32, &[&str]); 9] = [
        (&["204 No Content"], 0, &[]),
        (&["202 Accepted\n\n{\"message\": \"changed\"}"], 0, &[]),
        (&["302 Found\nLocation: http://127.0.0.1:1/"], 22, &["302", "no redirect is followed"]),
        (&["400 Bad Request\n\n{\"error\": \"to parameter not present\"}"], 22, &["400 \"to parameter not present\""]),
        (&["401 Unauthorized\n\nCould not verify\u{1b}[2J"], 40, &["Could not verify\\u{1b}", "PLIVO_AUTH_TOKEN"]),
        (&["404 Not Found\n\n{\"error\": \"call not found\"}"], 41, &["\"call not found\"", "check the id"]),
        (&["429 Too Many Requests"], 22, &["300 requests in 5 s"]),
        (&["500 Error\n\n{\"error\": \"oh\"}"], 50, &["500 \"oh\"", "not sent again", "may have been carried out"]),
        (&["200 OK\n\n<html>"], 8, &["no JSON", "<html>"]),
    ];
    for (answers, code, words) in table {
        let platform = Platform::saying(answers);
        let run = ask(&home, "api POST Call/u/ legs=aleg", &platform);
        match answers[0].split_once("\n\n") {
            Some((_, body)) if body.starts_with('{') => {
                assert_eq!(run.json(), serde_json::from_str::<Value>(body).unwrap(), "{run:?}");
            }
            _ => assert_eq!(run.out, "", "{run:?}"),
        }
        if code == 0 {
            assert_eq!((run.code, run.err.as_str()), (0, ""), "{run:?}");
        } else {
            told(&run, code, words);
        }
        // Whatever came back: what changes something is sent once.
        platform.one();
    }
}

#[test]
fn a_call_is_never_placed_twice_and_a_list_is_asked_for_once_more() {
    let home = Home::new();
    for answers in [&["503 Unavailable\nRetry-After: 0", OK], &["", OK]] as [&[&str]; 2] {
        let platform = Platform::saying(answers);
        let run = ask(&home, CALL, &platform);
        let code = if answers[0].is_empty() { 7 } else { 50 };
        told(&run, code, &["It was not sent again", "look before you repeat it"]);
        platform.one();
    }
    for (answers, code, times) in [
        (&["503 Unavailable\nRetry-After: 0", OK], 0, 2),
        (&["429 Too Many\nRetry-After: 0", OK], 0, 2),
        (&["503 Unavailable\nRetry-After: 0", "503 Unavailable\nRetry-After: 0"], 50, 2),
        (&["429 Too Many\nRetry-After: 60", OK], 22, 1),
        (&["404 Not Found", OK], 41, 1),
    ] as [(&[&str], i32, usize); 5]
    {
        let platform = Platform::saying(answers);
        let run = ask(&home, "api cdr -v", &platform).expect(code);
        assert_eq!(platform.came().len(), times, "{run:?}");
        assert_eq!(run.err.contains("asking once more in 0 s"), times == 2, "{run:?}");
        assert!(!run.err.contains("not sent again"), "{run:?}");
    }
}

#[test]
fn what_is_watched_has_every_line_and_no_secret() {
    let home = Home::new();
    hidden(&home, "password.txt", "zumba-secret\n");
    let platform = Platform::saying(&["201 Created\nX-Strange: \u{202e}x\n\n{\"message\": \"created\"}"]);
    let line = "api endpoint create --username zumba --alias z --password-file password.txt -v";
    let run = ask(&home, line, &platform).expect(0);
    for line in [
        "> POST /v1/Account/MASCRIPT/Endpoint/ HTTP/1.1\n",
        "> authorization: Basic (redacted)\n",
        "> {\"alias\":\"z\",\"password\":\"(redacted)\",\"username\":\"zumba\"}\n",
        "< HTTP/1.1 201 Created\n",
        "< x-strange: \\u{202e}x\n",
    ] {
        assert!(run.err.contains(line), "no {line} in {}", run.err);
    }
    let came = platform.one();
    assert_eq!(came.body["password"], "zumba-secret");
    let credentials = came.head.lines().find_map(|line| line.strip_prefix("authorization: Basic ")).unwrap();
    for secret in ["zumba-secret", TOKEN, credentials, "\u{202e}"] {
        assert!(!run.err.contains(secret) && !run.out.contains(secret), "{run:?}");
    }
    let watched = ask(&home, "api cdr -vv", &Platform::saying(&["401 Unauthorized"]));
    told(&watched, 40, &["PLIVO_AUTH_ID"]);
    assert!(!watched.err.contains(TOKEN) && !watched.err.contains(credentials), "{watched:?}");
}

#[test]
fn quiet_prints_nothing_and_jsonl_one_line() {
    let home = Home::new();
    assert_eq!(ask(&home, "api cdr -q", &Platform::saying(&[OK])).expect(0).out, "");
    let line = ask(&home, "api cdr --output jsonl", &Platform::saying(&["200 OK\n\n{\"a\": [1,\n 2]}"])).expect(0).out;
    assert_eq!(line, "{\"a\":[1,2]}\n");
}

#[test]
fn a_sandbox_is_never_given_the_accounts_own_token() {
    let home = Home::new();
    let platform = Platform::saying(&[OK]);
    let mut command = home.command("api cdr");
    command.env("SIPCALL_SANDBOX", &platform.at).env("PLIVO_AUTH_ID", "MAOWN").env("PLIVO_AUTH_TOKEN", "own-token");
    finish(start(&mut command)).expect(0);
    assert_eq!(platform.one().line, "GET /v1/Account/MASCRIPT/Call/");
}

#[test]
fn without_credentials_nothing_is_sent_and_their_names_are_told() {
    let home = Home::new();
    for (set, missing) in [("PLIVO_AUTH_TOKEN", "PLIVO_AUTH_ID"), ("PLIVO_AUTH_ID", "PLIVO_AUTH_TOKEN")] {
        for line in ["api cdr", CALL, "phlo show p"] {
            let run = finish(start(home.command(line).env(set, "MA1").env(missing, "")));
            told(&run, 3, &[missing, "--sandbox"]);
        }
    }
    let mut command = home.command("api cdr");
    let run = finish(start(command.env("PLIVO_AUTH_ID", "../x").env("PLIVO_AUTH_TOKEN", "hidden")));
    told(&run, 3, &["PLIVO_AUTH_ID", "letters and digits"]);
}

#[test]
fn what_cannot_be_asked_is_refused_before_anybody_is() {
    let home = Home::new();
    home.write("open.txt", "secret\n");
    std::fs::set_permissions(home.path("open.txt"), std::fs::Permissions::from_mode(0o644)).unwrap();
    let to = |rest: &str| format!("{CALL} {rest}");
    let table = [
        ("api DELETE Call//".to_owned(), 2, "an id is missing"),
        ("api DELETE Call/../../".to_owned(), 2, "dots"),
        ("api GET https://evil.example/".to_owned(), 2, "without scheme and host"),
        ("api hangup ''".to_owned(), 2, "is no id"),
        ("api hangup ../Call".to_owned(), 2, "is no id"),
        ("phlo run a/b".to_owned(), 2, "is no id"),
        ("api POST Call/ from".to_owned(), 2, "write NAME=TEXT"),
        ("api POST Call/ a=1 a=2".to_owned(), 2, "there twice"),
        ("api POST Call/ a=@nowhere.txt".to_owned(), 2, "nowhere.txt"),
        ("api GET cdr u".to_owned(), 2, "begin with a capital"),
        (to("-H Te-st=1"), 2, "name-characters"),
        (to("-H Test"), 2, "NAME=VALUE"),
        (to("-H Test=a-b --header-rules guide"), 2, "value-characters"),
        (to("--to 1"), 2, "cannot overlap"),
        (to("--ring-timeout 1500ms"), 2, "whole seconds"),
        (to("--machine-detection true --machine-detection-time 1s"), 2, "2 to 10 seconds"),
        (to("--sip-auth-username me --sip-auth-password-file open.txt"), 3, "chmod 600"),
        ("api endpoint create --username a --alias a --password-file open.txt".to_owned(), 3, "chmod 600"),
    ];
    for (line, code, words) in table {
        let platform = Platform::saying(&[OK]);
        let run = ask(&home, &line, &platform);
        told(&run, code, &[words]);
        assert!(platform.came().is_empty() && !run.err.contains("secret"), "{line}: {run:?}");
    }
    // Which header goes is a matter of the rules: those of the SDK know a dash.
    let platform = Platform::saying(&[OK]);
    ask(&home, &to("-H Te-st=a-b --header-rules sdk"), &platform).expect(0);
    assert_eq!(platform.one().body["sip_headers"], "Te-st=a-b");
}

#[test]
fn nobody_there_and_nobody_who_answers_have_their_codes() {
    let home = Home::new();
    let run = home.run("api cdr --sandbox 127.0.0.1:1");
    told(&run, 7, &["no sandbox answers", "sipcall sandbox"]);
    // The proxy takes the connection and says no word.
    let silent = Platform::silent();
    let run = by_proxy(&home, "api POST Call/ from=1 -W 200ms", &silent.at, "ca.pem");
    told(&run, 28, &["api.plivo.com", "within 0.2 s"]);
}

/// Plivo itself, by a proxy on the loopback and with these certificates trusted.
#[track_caller]
fn by_proxy(home: &Home, line: &str, proxy: &str, trusted: &str) -> Run {
    let mut command = home.command(line);
    command.env("HTTPS_PROXY", format!("http://{proxy}")).env("SSL_CERT_FILE", format!("{CERTIFICATES}/{trusted}"));
    command.env("SSL_CERT_DIR", home.path("none"));
    command.env("PLIVO_AUTH_ID", "MAOWN").env("PLIVO_AUTH_TOKEN", TOKEN);
    finish(start(&mut command))
}

#[test]
fn plivo_itself_is_asked_over_tls_with_the_accounts_credentials() {
    let home = Home::new();
    let platform = Platform::behind_a_proxy("201 Created\n\n{\"message\": \"call fired\"}");
    let run = by_proxy(&home, CALL, &platform.at, "ca.pem").expect(0);
    assert_eq!(run.json()["message"], "call fired");
    let came = platform.came();
    assert!(came[0].line.starts_with("CONNECT api.plivo.com:443"), "{came:?}");
    assert_eq!(came[1].line, "POST /v1/Account/MAOWN/Call/");
    assert!(came[1].head.contains("authorization: Basic ") && !came[0].head.contains("Basic"), "{came:?}");
}

#[test]
fn whoever_is_not_trusted_gets_no_credentials() {
    let home = Home::new();
    let platform = Platform::behind_a_proxy(OK);
    let run = by_proxy(&home, CALL, &platform.at, "other.pem");
    told(&run, 60, &["certificate of api.plivo.com is not trusted"]);
    // The certificate is of another host.
    let run = by_proxy(&home, "phlo run p", &platform.at, "ca.pem");
    told(&run, 60, &["phlorunner.plivo.com"]);
    let lines: Vec<String> = platform.came().into_iter().map(|came| came.line).collect();
    assert_eq!(lines, ["CONNECT api.plivo.com:443", "CONNECT phlorunner.plivo.com:443"]);
    let run = by_proxy(&home, CALL, &platform.at, "nothing.pem");
    told(&run, 3, &["https cannot be set up", "SSL_CERT_FILE"]);
    let run = by_proxy(&home, CALL, &Platform::without_tls().at, "ca.pem");
    told(&run, 35, &["no TLS came up with api.plivo.com"]);
}
