//! Where deliveries arrive: a real SMTP receiver, and an HTTP server.

use std::{
    io::{self, BufRead, BufReader, Write},
    net::{IpAddr, SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode, Uri},
    response::{IntoResponse, Response},
};
use mailin::{Action, Handler, SessionBuilder, response};

/// What stands for the null sender within mailin.
const NULL_SENDER: &str = "null@sender.invalid";

/// A mail as the relay took it.
#[derive(Clone, Debug, Default)]
pub struct Mail {
    /// The envelope's sender; empty for the null sender.
    pub from: String,
    pub to: Vec<String>,
    pub raw: Vec<u8>,
}

impl Mail {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.raw).into_owned()
    }
}

/// A mail relay on a port of its own. It goes with the test's process.
pub struct Relay {
    pub addr: SocketAddr,
    mails: Arc<Mutex<Vec<Mail>>>,
    /// The answer to the next recipients, in the place of 250.
    refusal: Arc<Mutex<Option<(u16, &'static str)>>>,
}

#[derive(Clone)]
struct Session {
    mail: Mail,
    mails: Arc<Mutex<Vec<Mail>>>,
    refusal: Arc<Mutex<Option<(u16, &'static str)>>>,
}

impl Handler for Session {
    fn mail(&mut self, _: IpAddr, _: &str, from: &str) -> mailin::Response {
        let from = if from == NULL_SENDER { "" } else { from };
        self.mail = Mail { from: from.to_owned(), ..Mail::default() };
        response::OK
    }

    fn rcpt(&mut self, to: &str) -> mailin::Response {
        if let Some((code, text)) = *self.refusal.lock().unwrap() {
            return mailin::Response::custom(code, text.to_owned());
        }
        self.mail.to.push(to.to_owned());
        response::OK
    }

    fn data(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.mail.raw.extend_from_slice(bytes);
        Ok(())
    }

    fn data_end(&mut self) -> mailin::Response {
        self.mails.lock().unwrap().push(std::mem::take(&mut self.mail));
        response::OK
    }
}

impl Relay {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let (mails, refusal) = (Arc::default(), Arc::default());
        let handler =
            Session { mail: Mail::default(), mails: Arc::clone(&mails), refusal: Arc::clone(&refusal) };
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let handler = handler.clone();
                std::thread::spawn(move || stream.and_then(|stream| converse(stream, handler)));
            }
        });
        Self { addr, mails, refusal }
    }

    pub fn url(&self) -> String {
        format!("smtp://{}", self.addr)
    }

    pub fn mails(&self) -> Vec<Mail> {
        self.mails.lock().unwrap().clone()
    }

    pub fn refuse(&self, answer: Option<(u16, &'static str)>) {
        *self.refusal.lock().unwrap() = answer;
    }
}

fn converse(mut stream: TcpStream, handler: Session) -> io::Result<()> {
    let mut session = SessionBuilder::new("relay.example").build(stream.peer_addr()?.ip(), handler);
    let mut reader = BufReader::new(stream.try_clone()?);
    session.greeting().write_to(&mut stream)?;
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line)? > 0 {
        // mailin does not know the null sender, which every relay must take (RFC 5321, section 4.5.5).
        if line.starts_with(b"MAIL FROM:<>") {
            line.splice(11..11, NULL_SENDER.bytes());
        }
        let answer = session.process(&line);
        line.clear();
        if answer.action != Action::NoReply {
            answer.write_to(&mut stream)?;
            stream.flush()?;
        }
        if answer.action == Action::Close {
            break;
        }
    }
    Ok(())
}

/// A request as the webhook's receiver got it.
#[derive(Clone, Debug)]
pub struct Hook {
    pub path: String,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Hook {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// What the receiver answers by path, in the place of 200.
type Answer = Arc<dyn Fn(&str, usize) -> Response + Send + Sync>;

#[derive(Clone)]
struct Got {
    hooks: Arc<Mutex<Vec<Hook>>>,
    answer: Answer,
}

/// An HTTP server that takes webhooks.
pub struct Receiver {
    pub base: String,
    hooks: Arc<Mutex<Vec<Hook>>>,
}

impl Receiver {
    /// One that takes all.
    pub async fn start() -> Self {
        Self::answering(|_, _| StatusCode::OK.into_response()).await
    }

    /// `answer` gets the path, and how many came before.
    pub async fn answering(answer: impl Fn(&str, usize) -> Response + Send + Sync + 'static) -> Self {
        let hooks = Arc::<Mutex<Vec<Hook>>>::default();
        let got = Got { hooks: Arc::clone(&hooks), answer: Arc::new(answer) };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(axum::serve(listener, Router::new().fallback(take).with_state(got)).into_future());
        Self { base, hooks }
    }

    pub fn hooks(&self) -> Vec<Hook> {
        self.hooks.lock().unwrap().clone()
    }
}

async fn take(State(got): State<Got>, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let path = uri.path().to_owned();
    let before = {
        let mut hooks = got.hooks.lock().unwrap();
        hooks.push(Hook { path: path.clone(), headers, body });
        hooks.len() - 1
    };
    (got.answer)(&path, before)
}
