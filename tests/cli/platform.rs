//! A platform by hand: it answers each HTTP request as its script says, and tells what came.

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

/// What a scripted sandbox says is its token.
pub(crate) const TOKEN: &str = "hidden-token-of-the-platform";
/// The files of the certificates here: `api.pem` is of api.plivo.com, by `ca.pem`; `other.pem` is of nobody. They were
/// made for these tests and are trusted nowhere else.
pub(crate) const CERTIFICATES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cli/tls");

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(20);

/// Answers from its own thread until the test process ends.
pub(crate) struct Platform {
    /// Address and port.
    pub(crate) at: String,
    requests: Receiver<String>,
}

/// A request as it came.
#[derive(Debug)]
pub(crate) struct Came {
    pub(crate) line: String,
    pub(crate) head: String,
    pub(crate) body: Value,
}

impl Platform {
    /// Says it is a sandbox, and gives these answers to everything else, in order: status line and other headers, then
    /// the body behind an empty line. One that is empty breaks off. When there are no more it says 500.
    pub(crate) fn saying(answers: &'static [&'static str]) -> Self {
        let mut answers = answers.iter();
        Self::serving(move |mut stream, tell| {
            let request = read(&mut stream);
            let described = json!({ "auth_id": "MASCRIPT", "auth_token": TOKEN }).to_string();
            let answer = if request.starts_with("GET /sandbox.json ") {
                format!("200 OK\n\n{described}")
            } else {
                let _ = tell.send(request);
                answers.next().copied().unwrap_or("500 No More Answers").to_owned()
            };
            write(&mut stream, &answer);
        })
    }

    /// A proxy behind which there is api.plivo.com, or somebody who says so.
    pub(crate) fn behind_a_proxy(answer: &'static str) -> Self {
        let tls = Arc::new(tls());
        Self::serving(move |mut stream, tell| {
            let _ = tell.send(read(&mut stream));
            let _ = stream.write_all(b"HTTP/1.1 200 Connected\r\n\r\n");
            let mut stream = StreamOwned::new(ServerConnection::new(Arc::clone(&tls)).unwrap(), stream);
            // Whoever does not trust us says no more.
            let request = read(&mut stream);
            if !request.is_empty() {
                let _ = tell.send(request);
                write(&mut stream, answer);
            }
        })
    }

    /// A proxy behind which there is somebody who knows no TLS.
    pub(crate) fn without_tls() -> Self {
        Self::serving(|mut stream, tell| {
            let _ = tell.send(read(&mut stream));
            let _ = stream.write_all(b"HTTP/1.1 200 Connected\r\n\r\n");
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        })
    }

    /// Never answers.
    pub(crate) fn silent() -> Self {
        let mut open = Vec::new();
        Self::serving(move |stream, _| open.push(stream))
    }

    fn serving(mut serve: impl FnMut(TcpStream, &Sender<String>) + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (at, (tell, requests)) = (listener.local_addr().unwrap().to_string(), channel());
        std::thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                stream.set_read_timeout(Some(PATIENCE)).unwrap();
                serve(stream, &tell);
            }
        });
        Self { at, requests }
    }

    /// What has come, but for the question who we are.
    pub(crate) fn came(&self) -> Vec<Came> {
        self.requests.try_iter().map(|request| Came::of(&request)).collect()
    }

    /// The only request that has come.
    #[track_caller]
    pub(crate) fn one(&self) -> Came {
        let mut came = self.came();
        assert_eq!(came.len(), 1, "{came:?}");
        came.remove(0)
    }
}

impl Came {
    fn of(request: &str) -> Self {
        let (head, body) = request.split_once("\r\n\r\n").unwrap();
        let line = head.lines().next().unwrap().trim_end_matches(" HTTP/1.1").to_owned();
        let body = if body.is_empty() { Value::Null } else { serde_json::from_str(body).unwrap() };
        Self { line, head: head.to_owned(), body }
    }
}

fn tls() -> ServerConfig {
    let chain = CertificateDer::pem_file_iter(format!("{CERTIFICATES}/api.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_file(format!("{CERTIFICATES}/api.key")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    config.with_no_client_auth().with_single_cert(chain.map(Result::unwrap).collect(), key).unwrap()
}

/// One whole request; nothing if it ends before.
fn read(stream: &mut impl Read) -> String {
    let (mut octets, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        let text = String::from_utf8_lossy(&octets).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
            if body.len() >= length.unwrap_or(0) {
                return text;
            }
        }
        match stream.read(&mut buffer) {
            Ok(count) if count > 0 => octets.extend_from_slice(&buffer[..count]),
            _ => return String::new(),
        }
    }
}

fn write(stream: &mut impl Write, answer: &str) {
    if answer.is_empty() {
        return;
    }
    let (head, body) = answer.split_once("\n\n").unwrap_or((answer, ""));
    let head = head.replace('\n', "\r\n");
    let length = body.len();
    let whole = format!("HTTP/1.1 {head}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}");
    let _ = stream.write_all(whole.as_bytes()).and_then(|()| stream.flush());
}
