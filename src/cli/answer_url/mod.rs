//! `sipcall answer-url`: an application's side of Plivo's callbacks, which shows what comes and answers with XML.

mod exec;
mod reply;

use super::args::{AnswerUrlArgs, OutputFormat};
use super::config::Config;
use super::exit::Exit;
use super::output::{Happened, Printer};
use super::phone::{Unready, hang_ups, hung_up, now_unix_ms};
use super::webhook::json::{ReplyJson, WebhookJson, is_form};
use super::webhook::{show, token};
use crate::plivo::received::Received;
use crate::plivo::rules::RuleSet;
use crate::plivo::seal::Verdict;
use crate::plivo::signature::Method;
use crate::time::Duration;
use axum::Router;
use axum::body::to_bytes;
use axum::extract::{Request, State};
use axum::http::header::{ALLOW, CONTENT_TYPE, HOST};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use reply::{Answer, Answers};
use serde_json::json;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::time::Instant;

/// The longest body of a request, in bytes.
const MAX_BODY: usize = 256 * 1024;
/// How long a body may take to come.
const PATIENCE: Duration = Duration::from_secs(15);
/// Requests at once; more get 503.
const ROOM: usize = 64;
/// Requests that are saved in one run.
const SAVED: u64 = 100_000;
const XML: &str = "application/xml";

/// Runs it.
///
/// # Errors
/// [`Unready`] for what kept it from listening.
pub(super) async fn run(args: &AnswerUrlArgs, config: &Config, printer: &mut Printer) -> Result<Exit, Unready> {
    let rules = config.text("header_rules").and_then(|rules| rules.parse().ok()).unwrap_or(RuleSet::Guide);
    let answers = Answers::of(args, rules)?;
    let mut shelf = args.save.clone().map(Shelf::new).transpose()?;
    let listener = TcpListener::bind(args.http).await.map_err(|error| unbound(args.http, &error))?;
    let at = listener.local_addr().map_err(|error| unbound(args.http, &error))?;
    let on = |kind| signal(kind).map_err(|error| Unready::new(Exit::Internal, error));
    let (mut interrupt, mut terminate) = (on(SignalKind::interrupt())?, on(SignalKind::terminate())?);
    let mut hang_up = hang_ups()?;

    let (tell, mut told) = mpsc::channel(ROOM);
    let token = token();
    introduce(at, args, token.is_some(), printer);
    let room = Arc::new(Semaphore::new(ROOM));
    let desk = Arc::new(Desk { at, public: args.public_url.clone(), token, answers, tell, room });
    let server = axum::serve(listener, Router::new().fallback(answer).with_state(desk)).into_future();
    tokio::pin!(server);
    let exit = loop {
        tokio::select! {
            Some(told) = told.recv() => show(told, shelf.as_mut(), args.public_url.is_some(), printer),
            ended = &mut server => {
                let error = ended.err().map_or_else(String::new, |error| format!(": {error}"));
                return Err(Unready::new(Exit::Unreached, format!("answer-url: it does not listen any more{error}")));
            }
            _ = interrupt.recv() => break Exit::Done,
            _ = terminate.recv() => break Exit::Terminated,
            () = hung_up(&mut hang_up) => break Exit::HungUp,
        }
    };
    let unwritten = shelf.is_some_and(|shelf| shelf.failed);
    Ok(if unwritten && exit == Exit::Done { Exit::Unwritten } else { exit })
}

fn unbound(at: SocketAddr, error: &io::Error) -> Unready {
    let advice = match error.kind() {
        io::ErrorKind::AddrInUse => ": end what listens there, or name another by --http (port 0 is free)",
        io::ErrorKind::AddrNotAvailable => ": --http names an address of this machine",
        _ => "",
    };
    Unready::new(Exit::Unreached, format!("answer-url: cannot listen on {at}: {error}{advice}"))
}

fn introduce(at: SocketAddr, args: &AnswerUrlArgs, checks: bool, printer: &mut Printer) {
    let url = format!("http://{at}");
    printer.happened(&Happened::now("listening", url.clone(), vec![("url", json!(url))]));
    if let Some(public) = &args.public_url {
        printer.step("public", public);
    }
    let checked = if checks { "checked" } else { "not checked: PLIVO_AUTH_TOKEN is not set" };
    printer.step("signatures", checked);
    printer.step("try", &format!("sipcall webhook send answer --to {url}/ -H Test=Sample"));
}

/// What requests are answered by.
struct Desk {
    at: SocketAddr,
    public: Option<String>,
    token: Option<String>,
    answers: Answers,
    tell: mpsc::Sender<Told>,
    room: Arc<Semaphore>,
}

/// What is shown.
enum Told {
    /// A callback and its answer; whoever answers it waits until it is shown and saved.
    Callback(Box<Shown>, oneshot::Sender<()>),
    /// A request that is none.
    Refused(String),
}

struct Shown {
    received: Received,
    verdict: Option<Verdict>,
    answer: Answer,
    ms: u64,
    json: WebhookJson,
}

async fn answer(State(desk): State<Arc<Desk>>, request: Request) -> Response {
    match desk.callback(request).await {
        Ok(response) => response,
        Err((status, why)) => {
            let _ = desk.tell.send(Told::Refused(format!("{}: {why}", status.as_u16()))).await;
            (status, [(ALLOW, "GET, POST")]).into_response()
        }
    }
}

impl Desk {
    async fn callback(&self, request: Request) -> Result<Response, (StatusCode, String)> {
        let begun = Instant::now();
        let busy = |_| (StatusCode::SERVICE_UNAVAILABLE, format!("more than {ROOM} requests at once"));
        let _place = self.room.try_acquire().map_err(busy)?;
        let (parts, body) = request.into_parts();
        let target = parts.uri.path_and_query().map_or("/", |target| target.as_str());
        let method = Method::parse(parts.method.as_str());
        let other = || (StatusCode::METHOD_NOT_ALLOWED, format!("{} {target}: Plivo sends GET and POST", parts.method));
        let method = method.ok_or_else(other)?;
        let body = tokio::time::timeout(PATIENCE, to_bytes(body, MAX_BODY)).await;
        let late = |_| (StatusCode::REQUEST_TIMEOUT, format!("the body of {target} did not come in time"));
        let long =
            |_| (StatusCode::PAYLOAD_TOO_LARGE, format!("the body of {target} did not come, or not within 256 KB"));
        let body = String::from_utf8_lossy(&body.map_err(late)?.map_err(long)?).into_owned();

        let content_type = text(&parts.headers, CONTENT_TYPE.as_str());
        let form = if is_form(content_type) { body.as_str() } else { "" };
        let host = text(&parts.headers, HOST.as_str()).unwrap_or_default();
        let received = Received::new(method, target, host, form);
        let verdict = self.verdict(&received, &parts.headers);
        let url = format!("http://{}{target}", self.at);
        let json = WebhookJson::received(&received, url, content_type, body, verdict.as_ref(), now_unix_ms());
        let line = || format!("{}\n", serde_json::to_string(&json).unwrap_or_default());
        let answer = self.answers.to(&received, line).await;

        let ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let response = (status, [(CONTENT_TYPE, XML)], answer.body.clone()).into_response();
        let (shown, is_shown) = oneshot::channel();
        let told = Told::Callback(Box::new(Shown { received, verdict, answer, ms, json }), shown);
        if self.tell.send(told).await.is_ok() {
            let _ = is_shown.await;
        }
        Ok(response)
    }

    /// What is to be said of the signature; none if there is one and no token to check it with.
    fn verdict(&self, received: &Received, headers: &HeaderMap) -> Option<Verdict> {
        let token = self.token.as_deref();
        let verdict = received.judge(self.public.as_deref(), token.unwrap_or_default(), |name| text(headers, name));
        if token.is_none() && verdict != Verdict::Missing { None } else { Some(verdict) }
    }
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn show(told: Told, shelf: Option<&mut Shelf>, is_public: bool, printer: &mut Printer) {
    let (shown, done) = match told {
        Told::Callback(shown, done) => (*shown, done),
        Told::Refused(why) => return printer.note(&why),
    };
    let Shown { received, verdict, answer, ms, json } = shown;
    let reply = ReplyJson {
        status: answer.status,
        content_type: Some(XML.to_owned()),
        body: String::from_utf8_lossy(&answer.body).into_owned(),
        ms,
    };
    let hint = verdict.as_ref().and_then(|verdict| hint(verdict, is_public));
    let json = json.answered(reply, answer.fault.clone(), hint.into_iter().map(str::to_owned).collect());
    if printer.format() == OutputFormat::Text {
        printer.step(received.method.as_str(), &received.target);
        show::params(printer, received.params());
        printer.step("signed", &said(verdict.as_ref()));
        hint.into_iter().for_each(|hint| printer.step("hint", hint));
        printer.step("answer", &format!("{}, {} bytes in {ms} ms", answer.status, answer.body.len()));
    } else {
        printer.json(&json);
    }
    if let Some(fault) = &answer.fault {
        printer.note(fault);
    }
    if let Some(shelf) = shelf {
        shelf.save(&json, printer);
    }
    let _ = done.send(());
}

fn said(verdict: Option<&Verdict>) -> String {
    match verdict {
        None => "not checked: PLIVO_AUTH_TOKEN is not set".to_owned(),
        Some(Verdict::Missing) => "no signature".to_owned(),
        Some(Verdict::Holds(version)) => format!("signature holds ({})", version.as_str()),
        Some(Verdict::Wrong { url, .. }) => format!("signature does not hold for {url}"),
    }
}

const fn hint(verdict: &Verdict, is_public: bool) -> Option<&'static str> {
    match verdict {
        Verdict::Wrong { by_params: true, .. } => {
            Some("V2 holds, so URL and token are right: the parameters are not those that were signed")
        }
        Verdict::Wrong { .. } if is_public => {
            Some("--public-url must be the URL that Plivo was given, and PLIVO_AUTH_TOKEN that of its account")
        }
        Verdict::Wrong { .. } => Some(
            "behind a tunnel, --public-url must be the URL that Plivo was given; else PLIVO_AUTH_TOKEN is not that of \
             its account",
        ),
        Verdict::Missing | Verdict::Holds(_) => None,
    }
}

/// A folder where requests are saved, one file each.
struct Shelf {
    folder: PathBuf,
    count: u64,
    failed: bool,
}

impl Shelf {
    fn new(folder: PathBuf) -> Result<Self, Unready> {
        fs::create_dir_all(&folder).map_err(|error| {
            Unready::new(Exit::Unwritten, format!("--save: {} cannot be made: {error}", folder.display()))
        })?;
        Ok(Self { folder, count: 0, failed: false })
    }

    fn save(&mut self, json: &WebhookJson, printer: &mut Printer) {
        self.count += 1;
        if self.count > SAVED {
            if self.count == SAVED + 1 {
                printer.note(&format!("--save: {SAVED} requests are saved, the rest is not"));
            }
            return;
        }
        let event: String =
            json.event().unwrap_or_default().chars().filter(char::is_ascii_alphanumeric).take(40).collect();
        let event = if event.is_empty() { "request" } else { &event };
        let path = self.folder.join(format!("{}-{}-{event}.json", json.stamp(), self.count));
        match write(&path, json) {
            Ok(()) => printer.step("saved", &path.display().to_string()),
            Err(error) => {
                self.failed = true;
                printer.note(&format!("--save: {} cannot be written: {error}", path.display()));
            }
        }
    }
}

/// What callers say is for nobody else.
fn write(path: &Path, json: &WebhookJson) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    let mut text = serde_json::to_vec_pretty(json)?;
    text.push(b'\n');
    file.write_all(&text)
}
