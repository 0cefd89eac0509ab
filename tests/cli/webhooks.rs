//! `answer-url`, `webhook send` and `webhook replay`: an application and a platform on the loopback.

use crate::home::{Home, Run, finish, rest, signal, start, told};
use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, ChildStdout, Command};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// Longer than anything is waited for.
const PATIENCE: Duration = Duration::from_secs(20);
const TOKEN: &str = "a-token-of-this-test";

/// `sipcall answer-url` that runs beside, on a port of the system's choice.
struct Server {
    child: Option<Child>,
    out: Option<BufReader<ChildStdout>>,
    url: String,
}

impl Server {
    #[track_caller]
    fn start(home: &Home, flags: &str) -> Self {
        Self::of(with_token(&mut home.command(&format!("answer-url --http 127.0.0.1:0 {flags}"))))
    }

    /// Its first line names its URL, as text or as JSON.
    #[track_caller]
    fn of(command: &mut Command) -> Self {
        let mut child = start(command);
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        let url = line.split(['"', ' ', '\n']).find(|word| word.starts_with("http://"));
        let Some(url) = url.map(str::to_owned) else { panic!("{line}{:?}", finish(child)) };
        Self { child: Some(child), out: Some(out), url }
    }

    /// The next request, of `--output jsonl`.
    #[track_caller]
    fn next(&mut self) -> Value {
        let mut line = String::new();
        self.out.as_mut().unwrap().read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"))
    }

    #[track_caller]
    fn stop(mut self, name: &str) -> Run {
        let (child, out) = (self.child.take().unwrap(), self.out.take().unwrap());
        signal(child.id(), name);
        let reading = thread::spawn(move || rest(out));
        let run = finish(child);
        Run { out: reading.join().unwrap(), ..run }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn with_token(command: &mut Command) -> &mut Command {
    command.env("PLIVO_AUTH_ID", "MATEST").env("PLIVO_AUTH_TOKEN", TOKEN)
}

/// `sipcall` with the credentials of the environment.
#[track_caller]
fn plivo(home: &Home, line: &str) -> Run {
    finish(start(with_token(&mut home.command(line))))
}

/// An application of one answer a connection, in this order.
struct Application {
    url: String,
    requests: mpsc::Receiver<String>,
}

impl Application {
    fn start(answers: &[String]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (tell, requests) = mpsc::channel();
        let answers = answers.to_vec();
        thread::spawn(move || {
            for answer in answers {
                let Ok((mut stream, _)) = listener.accept() else { return };
                let _ = tell.send(request(&mut stream));
                let _ = stream.write_all(answer.as_bytes());
            }
        });
        Self { url, requests }
    }

    #[track_caller]
    fn next(&self) -> String {
        self.requests.recv_timeout(PATIENCE).expect("no request came")
    }
}

/// One request, whole.
fn request(stream: &mut TcpStream) -> String {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let (mut text, mut chunk) = (Vec::new(), [0; 4096]);
    loop {
        let read = stream.read(&mut chunk).unwrap_or_default();
        text.extend_from_slice(&chunk[..read]);
        let so_far = String::from_utf8_lossy(&text).to_ascii_lowercase();
        let whole = so_far.split_once("\r\n\r\n").is_some_and(|(head, body)| {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            body.len() >= length.map_or(0, |length| length.trim().parse().unwrap())
        });
        if whole || read == 0 {
            return String::from_utf8(text).unwrap();
        }
    }
}

fn page(status: &str, content_type: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )
}

fn xml(body: &str) -> String {
    page("200 OK", "application/xml", body)
}

/// A request as it stands, and its answer.
#[track_caller]
fn say(url: &str, text: &str) -> String {
    let mut stream = TcpStream::connect(url.trim_start_matches("http://")).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(text.as_bytes()).unwrap();
    let mut answer = Vec::new();
    // Whoever refuses a body may close before it was read.
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8(answer).unwrap()
}

#[test]
fn a_callback_without_a_call_reaches_the_answer_url_signed_and_is_answered_with_xml() {
    let home = Home::new();
    let server = Server::start(&home, "");
    let line = format!("webhook send answer --to {}/answer?v=1 -H Test=Sample,b=2 From=14155550111", server.url);
    let run = plivo(&home, &line).expect(0);
    assert!(run.out.contains("200        application/xml, "), "{}", run.out);
    assert!(run.out.contains("<Response><Speak>Hello. Test is Sample. b is 2.</Speak></Response>"), "{}", run.out);
    assert!(run.out.contains("xml        valid, 1 element"), "{}", run.out);
    plivo(&home, &format!("webhook send hangup --to {}/hangup --method GET", server.url)).expect(0);

    let run = server.stop("INT").expect(0);
    let (answer, hangup) = run.out.split_once("GET        /hangup?").unwrap_or_else(|| panic!("{}", run.out));
    assert!(answer.contains("POST       /answer?v=1\n  parameters\n    v                1\n"), "{answer}");
    let (own, apart) = answer.split_once("\n  custom headers\n").unwrap();
    assert!(own.contains("    From             14155550111\n") && !own.contains("X-PH-Test"), "{own}");
    assert!(
        apart.starts_with("    X-PH-Test  Sample\n    X-PH-b     2\n  SIP headers\n    SIP-H-To  <sip:"),
        "{apart}"
    );
    assert!(answer.contains("signed     signature holds (V3)\nanswer     200, "), "{answer}");
    assert!(hangup.contains("HangupCauseName  Normal Hangup\n") && hangup.contains("holds (V3)"), "{hangup}");
    assert!(!run.out.contains(TOKEN) && run.err.is_empty(), "{run:?}");
}

#[test]
fn a_signature_that_does_not_hold_is_told_with_the_url_that_was_checked() {
    let home = Home::new();
    for (flags, url, hint) in [
        ("", None, "behind a tunnel, --public-url must be"),
        ("--public-url https://x.example", Some("https://x.example/answer"), "--public-url must be the URL"),
    ] {
        let server = Server::start(&home, flags);
        let checked = url.map_or_else(|| format!("{}/answer", server.url), str::to_owned);
        let mut command = home.command(&format!("webhook send answer --to {}/answer", server.url));
        finish(start(command.env("PLIVO_AUTH_TOKEN", "another"))).expect(0);
        let out = server.stop("INT").expect(0).out;
        assert!(out.contains(&format!("signed     signature does not hold for {checked}\nhint       {hint}")), "{out}");
    }
    let server = Server::of(&mut home.command("answer-url --http 127.0.0.1:0"));
    plivo(&home, &format!("webhook send answer --to {}/", server.url)).expect(0);
    say(&server.url, "GET / HTTP/1.0\r\n\r\n");
    let out = server.stop("INT").expect(0).out;
    assert!(out.contains("signed     not checked: PLIVO_AUTH_TOKEN is not set\n"), "{out}");
    assert!(out.contains("signed     no signature\n"), "{out}");
}

#[test]
fn what_is_saved_is_sent_again_with_the_same_parameters_and_a_new_signature() {
    let home = Home::new();
    let mut server = Server::start(&home, "--save requests --output jsonl");
    for line in ["answer", "action --method GET Digits=7"] {
        plivo(&home, &format!("webhook send {line} --to {}/own?v=1 -H Test=Sample", server.url)).expect(0);
    }
    let first = [server.next(), server.next()];
    let mut files: Vec<_> = fs::read_dir(home.path("requests")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort_by_key(|path| path.to_str().unwrap().split('-').nth(1).map(str::to_owned));
    assert!(files[0].to_str().unwrap().ends_with("-1-StartApp.json"), "{files:?}");
    assert_eq!(files.len(), 2);
    let saved: Value = serde_json::from_slice(&fs::read(&files[0]).unwrap()).unwrap();
    assert_eq!(saved, first[0]);

    let files = format!("{} {}", files[0].display(), files[1].display());
    plivo(&home, &format!("webhook replay {files}")).expect(0);
    plivo(&home, &format!("webhook replay {files} --to {}/elsewhere", server.url)).expect(0);
    let again = [server.next(), server.next()];
    for (first, again) in first.iter().zip(&again) {
        for key in ["schema", "method", "url", "params", "body", "event", "signature"] {
            assert_eq!(first[key], again[key], "{key}");
        }
        assert_eq!(first["signature"]["state"], "holds");
    }
    let moved = server.next();
    assert_eq!(moved["url"], format!("{}/elsewhere", server.url));
    assert_eq!((&moved["params"]["X-PH-Test"], &moved["params"]["v"]), (&"Sample".into(), &Value::Null));
    assert_eq!(moved["signature"]["state"], "holds");
    let moved = server.next();
    assert_eq!((&moved["params"]["Digits"], &moved["reply"]["status"]), (&"7".into(), &200.into()));
    server.stop("TERM").expect(143);

    home.write("other.json", "{}");
    for (line, word) in [("other.json", "no sipcall.webhook/1"), ("nowhere.json", "nowhere.json")] {
        told(&plivo(&home, &format!("webhook replay {line}")), 2, &[word]);
    }
}

#[test]
fn the_xml_of_the_flags_is_held_to_plivos_rules_at_the_start() {
    let home = Home::new();
    home.write("wrong.xml", "<Response>\n  <Speak>Fish & chips</Speak>\n</Response>");
    for (flags, words) in [
        ("--xml wrong.xml", vec!["--xml: wrong.xml: line 2, column"]),
        ("--xml nowhere.xml", vec!["nowhere.xml"]),
        ("--dial bob", vec!["--dial: write sip:USER@HOST"]),
        ("--dial sip:bob@h --sip-headers Test=a-b", vec!["Test", "value-characters"]),
    ] {
        told(&home.run(&format!("answer-url --http 127.0.0.1:0 {flags}")), 2, &words);
    }
    for (flags, expected) in [
        ("--xml answer.xml", crate::home::XML),
        ("--speak 'a & b'", "<Response><Speak>a &amp; b</Speak></Response>"),
        ("--dial sip:bob@h --sip-headers Test=1", "<Dial sipHeaders=\"Test=1\"><User>sip:bob@h</User></Dial>"),
    ] {
        let server = Server::start(&home, flags);
        let answer = say(&server.url, "GET /any/path HTTP/1.0\r\n\r\n");
        assert!(answer.starts_with("HTTP/1.0 200 OK\r\ncontent-type: application/xml\r\n"), "{answer}");
        assert!(answer.contains(expected), "{answer}");
    }
    told(&home.run("answer-url --http 127.0.0.1:0 --save answer.xml"), 23, &["--save: answer.xml"]);
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    told(&home.run(&format!("answer-url --http {}", taken.local_addr().unwrap())), 7, &["--http"]);
}

#[test]
fn a_command_answers_by_what_it_is_told() {
    let home = Home::new();
    let script = "read -r line; case \"$line\" in *'\"X-PH-Test\":\"Sample\"'*) \
                  echo '<Response><Speak>Sample</Speak></Response>';; *broken*) echo '<Response>'; echo '<a></b></Response>';; *many*) yes;; \
                  *left*) sleep 600 & echo $! > left; echo '<Response/>';; *) exit 3;; esac";
    home.write("decide.sh", script);
    let server = Server::start(&home, "--exec 'sh ./decide.sh'");
    let send =
        |line: &str, code| plivo(&home, &format!("webhook send answer --to {}/ {line}", server.url)).expect(code);
    assert!(send("-H Test=Sample", 0).out.contains("<Speak>Sample</Speak>"));
    assert!(send("Own=broken", 70).err.contains("line 2, column "));
    for line in ["Own=many", "Own=other"] {
        assert!(send(line, 70).err.contains("answers 500"), "{line}");
    }
    assert!(send("Own=left", 0).out.contains("<Response/>"));
    let pid = fs::read_to_string(home.path("left")).unwrap();
    let state = Command::new("ps").args(["-o", "stat=", "-p", pid.trim()]).output().unwrap().stdout;
    assert!(state.is_empty() || state.starts_with(b"Z"), "what the command started is alive");

    let run = server.stop("INT").expect(0);
    for word in
        ["the XML of --exec: line 2", "--exec: it has printed more than 100 KB", "--exec: it failed: exit status: 3"]
    {
        assert!(run.err.contains(word), "{}", run.err);
    }
}

#[test]
fn what_strangers_send_is_bounded_and_steers_no_terminal() {
    let home = Home::new();
    let server = Server::start(&home, "");
    let put = say(&server.url, "PUT / HTTP/1.0\r\nContent-Length: 0\r\n\r\n");
    assert!(put.starts_with("HTTP/1.0 405") && put.contains("allow: GET, POST"), "{put}");
    let post = |body: &str| {
        let length = body.len();
        say(
            &server.url,
            &format!(
                "POST /a HTTP/1.0\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {length}\r\n\r\n{body}"
            ),
        )
    };
    let full = format!("X-PH-A={}", "x".repeat(256 * 1024 - 7));
    assert!(post(&full).starts_with("HTTP/1.0 200"));
    assert!(post(&format!("{full}x")).starts_with("HTTP/1.0 413"));
    post("X-PH-%1b%5b2J=%e2%80%ae&From=%1b%5b2J");
    let run = server.stop("INT").expect(0);
    assert!(
        run.out.contains("    X-PH-\\u{1b}[2J  \\u{202e}\n") && run.out.contains("From  \\u{1b}[2J\n"),
        "{}",
        run.out
    );
    assert!(!run.out.contains('\u{1b}') && run.out.len() < 8192, "{}", run.out);
    assert!(run.err.contains("413: the body of /a") && run.err.contains("405: PUT /"), "{}", run.err);
}

#[test]
fn an_application_is_judged_as_plivo_judges_it() {
    let home = Home::new();
    let send = |what: &str, answer: String| {
        let application = Application::start(&[answer]);
        plivo(&home, &format!("webhook send {what} --to {}/answer", application.url))
    };
    send("answer", xml("<Response/>")).expect(0);
    send("ring", page("204 No Content", "text/html", "")).expect(0);
    told(&send("answer", xml("<Response>\n<Speak>a</Speek></Response>")), 70, &["line 2, column", "8011"]);
    told(&send("action", xml("hello")), 70, &["8012"]);
    told(&send("answer", page("200 OK", "text/html", "<Response/>")), 70, &["application/xml", "not text/html"]);
    told(&send("answer", page("500 Oops", "text/plain", "")), 70, &["answers 500", "7011"]);
    told(&send("hangup", page("404 No", "text/plain", "")), 70, &["answers 404"]);
    let long = xml(&" ".repeat(100 * 1024 + 1));
    told(&send("answer", long), 70, &["longer than 100 KB"]);

    let application = Application::start(&[xml("<Response/>")]);
    let line = format!("webhook send answer --to {}/a -H Test=Sample --output json", application.url);
    let json = plivo(&home, &line).expect(0).json();
    assert_eq!((&json["schema"], &json["direction"]), (&"sipcall.webhook/1".into(), &"sent".into()));
    assert_eq!((&json["reply"]["status"], &json["xml"]["valid"]), (&200.into(), &true.into()));
    assert_eq!(json["params"]["ParentAuthID"], "MATEST");
    let body = application.next().split_once("\r\n\r\n").unwrap().1.to_owned();
    assert_eq!(json["body"], body);
}

#[test]
fn nobody_there_and_silence_have_codes_of_their_own() {
    let home = Home::new();
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let send = |url: &str| plivo(&home, &format!("webhook send answer --to {url}"));
    told(&send(&format!("http://{closed}/")), 7, &["could not connect", "(tried 3 times)"]);
    told(&send("http://nowhere..example/#rc=0"), 6, &["nowhere..example does not resolve"]);
    told(&send("http://169.254.169.254/"), 2, &["never called"]);
    told(&send("http://user:pw@127.0.0.1/"), 2, &["take user and password out"]);
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let run = send(&format!("http://{}/#rt=100&rc=1", silent.local_addr().unwrap()));
    told(&run, 28, &["no whole answer in time", "(tried 2 times)"]);
    told(&plivo(&home, "webhook send answer --to http://127.0.0.1:1/ -H Test=a-b"), 2, &["value-characters"]);
    told(&plivo(&home, "webhook send answer --to http://127.0.0.1:1/ -H Test"), 2, &["NAME=VALUE"]);
}

#[test]
fn the_fragment_of_a_url_says_when_to_try_again_and_is_not_sent() {
    let home = Home::new();
    let no = || page("503 Later", "text/plain", "");
    let application = Application::start(&[no(), no(), xml("<Response/>")]);
    let line = format!("webhook send answer --to {}/a?x=1#rc=2&rp=5xx&er=mars", application.url);
    let run = plivo(&home, &line).expect(0);
    assert!(run.out.contains(" at try 3\n"), "{}", run.out);
    assert!(run.err.contains("#er=mars is left out of account"), "{}", run.err);
    for _ in 0..3 {
        let request = application.next();
        assert!(request.starts_with("POST /a?x=1 HTTP/1.1\r\n"), "{request}");
    }
}

#[test]
fn a_token_is_told_only_when_it_is_made_up() {
    let home = Home::new();
    let server = Server::start(&home, "--output jsonl");
    let line = format!("webhook send ring --to {}/", server.url);
    let run = home.run(&line).expect(0);
    let made = run.err.split("signed with ").nth(1).unwrap().split(',').next().unwrap();
    assert_eq!(made.len(), 40, "{}", run.err);
    let known = plivo(&home, &line).expect(0);
    assert!(!known.out.contains(TOKEN) && known.err.is_empty(), "{known:?}");
}

/// Plivo's own validators, as an application uses them: says for each request what they say.
const VALIDATORS: &str = r#"
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qs
from plivo.utils import validate_signature
from plivo.utils.signature_v3 import validate_v3_signature

class Handler(BaseHTTPRequestHandler):
    def answer(self):
        body = self.rfile.read(int(self.headers.get('content-length') or 0)).decode()
        url = 'http://' + self.headers['Host'] + self.path
        params = {name: values[0] if len(values) == 1 else values for name, values in parse_qs(body).items()}
        def header(name):
            return self.headers['X-Plivo-Signature-' + name]
        valid = [validate_v3_signature(self.command, url, header('V3-Nonce'), sys.argv[1], header(name), dict(params))
                 for name in ('V3', 'Ma-V3')]
        valid += [validate_signature(url, header('V2-Nonce'), header(name), sys.argv[1]) for name in ('V2', 'Ma-V2')]
        self.send_response(200 if all(valid) else 403)
        self.end_headers()
    do_GET = do_POST = answer

server = HTTPServer(('127.0.0.1', 0), Handler)
print('http://127.0.0.1:%d' % server.server_port, flush=True)
server.serve_forever()
"#;

#[test]
#[expect(clippy::print_stderr, reason = "a skipped test says so")]
fn plivos_own_validators_accept_what_is_sent() {
    let python = |program: &str| {
        let mut python = Command::new("python3");
        python.args(["-c", program, TOKEN]).env("PYTHONDONTWRITEBYTECODE", "1");
        python
    };
    if !python("import plivo").output().is_ok_and(|output| output.status.success()) {
        return eprintln!("SKIPPED: python3 with the package plivo is not installed");
    }
    let server = Server::of(&mut python(VALIDATORS));
    let home = Home::new();
    for method in ["GET", "POST"] {
        for path in ["/a", "/a?v=1&x=%20y", "/", "", "/a/?b=2&b=1#rc=0"] {
            let line = format!("webhook send hangup --method {method} --to {}{path} -H Test=Sample", server.url);
            plivo(&home, &line).expect(0);
        }
    }
}
