//! What strangers and programs that run wild may take: requests, places, time, room.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use axum::{Router, body::Body, routing::get};
use reqwest::{Method, StatusCode, header};
use secrecy::ExposeSecret;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::{
    edges::session,
    support::{Answer, TestServer, eventually, message},
};
use crate::{
    auth::{dto::Role, server::service as auth},
    server::{edge::serve, http, telemetry::REQUESTS},
};

/// As many as `n` requests, until one is refused: how many were not.
async fn until_refused(n: usize, mut send: impl AsyncFnMut() -> Answer) -> usize {
    for passed in 0..n {
        let answer = send().await;
        if answer.status == StatusCode::TOO_MANY_REQUESTS {
            let wait: u64 = answer.headers[header::RETRY_AFTER].to_str().unwrap().parse().unwrap();
            assert!((1..=60).contains(&wait), "{wait}");
            let detail = format!("These are too many requests. Try again in {wait} s");
            answer.problem(StatusCode::TOO_MANY_REQUESTS, &detail);
            return passed;
        }
    }
    n
}

#[tokio::test]
async fn a_key_has_its_limit_and_no_stranger_uses_it_up() {
    // Ten at once, then one in three seconds.
    let vars = [("RATE_LIMIT_PER_MINUTE", "20"), ("RATE_LIMIT_ANONYMOUS_PER_MINUTE", "10")];
    let server = TestServer::start_idle(&vars).await;
    server.tenant("acme").await;
    let (one, other) = (server.key_of("acme", Role::Viewer).await, server.key_of("acme", Role::Viewer).await);
    let with = async |key: Option<&str>| {
        let request = server.request(Method::GET, "/api/intents?tenant_id=acme", key);
        Answer::of(request.send().await.unwrap()).await
    };
    // What looks like the key counts for the address that it came from, which is soon used up.
    for made_up in [&format!("{one}x"), &one.to_lowercase(), "fe_made_up"] {
        with(Some(made_up)).await.is(StatusCode::UNAUTHORIZED);
    }
    assert_eq!(until_refused(5, async || with(Some(&uuid::Uuid::new_v4().to_string())).await).await, 2);
    assert_eq!(until_refused(3, async || with(None).await).await, 0);
    assert_eq!(until_refused(3, async || with(Some("fe_made_up")).await).await, 0);
    // The holder of a valid key behind that address is served, for as much as is theirs.
    let passed = until_refused(20, async || with(Some(&one)).await).await;
    assert!((10..=11).contains(&passed), "{passed}");
    with(Some(&other)).await.is(StatusCode::OK);
    // Neither probes nor files are counted.
    for _ in 0..30 {
        let answer = server.request(Method::GET, "/healthz", None).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        let answer = server.request(Method::GET, "/favicon.svg", None).send().await.unwrap();
        assert_ne!(answer.status(), StatusCode::TOO_MANY_REQUESTS);
    }
    // Pages and the sign-in are.
    for path in ["/sign-in", "/", "/sign-in/nonsense", "/nothing"] {
        let answer = server.request(Method::GET, path, None).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::TOO_MANY_REQUESTS, "{path}");
    }
}

#[tokio::test]
async fn a_person_has_one_limit_however_many_sessions() {
    let server = TestServer::start_idle(&[("RATE_LIMIT_PER_MINUTE", "20")]).await;
    let (one, other) = (session(&server).await, session(&server).await);
    assert_ne!(one, other);
    let with = async |cookie: &str| {
        let request = server.request(Method::GET, "/api/tenants", None).header(header::COOKIE, cookie);
        Answer::of(request.send().await.unwrap()).await
    };
    with(&other).await.is(StatusCode::OK);
    let passed = until_refused(20, async || with(&one).await).await;
    assert!((9..=10).contains(&passed), "{passed}");
    with(&other).await.is(StatusCode::TOO_MANY_REQUESTS);
}

#[tokio::test]
async fn a_forwarded_address_is_believed_of_a_trusted_proxy_alone() {
    let from = async |server: &TestServer, address: &str| {
        let request = server.request(Method::GET, "/api/tenants", None).header("x-forwarded-for", address);
        Answer::of(request.send().await.unwrap()).await
    };
    let server = TestServer::start_idle(&[("RATE_LIMIT_ANONYMOUS_PER_MINUTE", "10")]).await;
    let mut n = 0;
    let spoofed = until_refused(10, async || {
        n += 1;
        from(&server, &format!("203.0.113.{n}")).await
    });
    assert!((5..=6).contains(&spoofed.await), "each request claims another address");
    let vars = [("RATE_LIMIT_ANONYMOUS_PER_MINUTE", "10"), ("TRUSTED_PROXIES", "127.0.0.0/8")];
    let server = TestServer::start_idle(&vars).await;
    let passed = until_refused(10, async || from(&server, "203.0.113.1").await).await;
    assert!((5..=6).contains(&passed), "{passed}");
    from(&server, "203.0.113.2").await.is(StatusCode::UNAUTHORIZED);
    // What a client writes before the address that the proxy saw changes nothing.
    from(&server, "203.0.113.77, 203.0.113.1").await.is(StatusCode::TOO_MANY_REQUESTS);
}

#[tokio::test]
async fn without_limits_nobody_is_refused() {
    let vars = [("RATE_LIMIT_PER_MINUTE", "0"), ("RATE_LIMIT_ANONYMOUS_PER_MINUTE", "0")];
    let server = TestServer::start_idle(&vars).await;
    for _ in 0..50 {
        server.get("/api/tenants").await.is(StatusCode::OK);
        let answer = server.request(Method::GET, "/api/tenants", None).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    }
}

/// A request, but for the last bytes of its body.
pub struct HalfSent(TcpStream);

impl HalfSent {
    /// A message that is handed in.
    pub async fn begin(server: &str, key: &str, tenant: &str) -> Self {
        let (bearer, path) = (format!("Bearer {key}"), format!("/api/emails?tenant_id={tenant}"));
        let fields = [("Authorization", bearer.as_str()), ("Content-Type", "message/rfc822")];
        Self::of(server, &path, &fields, 41, "From: a@x.example\r\n").await
    }

    /// Something of so many bytes, of which these are sent.
    async fn of(server: &str, path: &str, fields: &[(&str, &str)], length: usize, sent: &str) -> Self {
        let host = server.strip_prefix("http://").unwrap();
        let mut stream = TcpStream::connect(host).await.unwrap();
        let fields: String = fields.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: {host}\r\n{fields}Content-Length: {length}\r\nConnection: close\r\n\r\n{sent}"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        Self(stream)
    }

    /// The rest, and the whole answer.
    pub async fn end(mut self) -> String {
        self.0.write_all(b"Subject: late\r\n\r\nhello").await.unwrap();
        self.answer().await
    }

    /// What is answered without the rest.
    pub async fn answer(mut self) -> String {
        let mut answer = String::new();
        self.0.read_to_string(&mut answer).await.unwrap();
        answer
    }
}

#[tokio::test]
async fn more_than_fit_are_refused_before_anything_is_taken() {
    let server = TestServer::start_idle(&[("MAX_REQUESTS_IN_FLIGHT", "1")]).await;
    server.tenant("acme").await;
    let half = HalfSent::begin(&server.base, &server.key, "acme").await;
    let refused = eventually("the place is taken", async || {
        let answer = server.get("/api/tenants").await;
        (answer.status == StatusCode::SERVICE_UNAVAILABLE).then_some(answer)
    });
    let refused =
        refused.await.problem(StatusCode::SERVICE_UNAVAILABLE, "The server is busy. Try again in a moment");
    assert_eq!(refused.headers[header::RETRY_AFTER], "1");
    for probe in ["/healthz", "/readyz", "/metrics"] {
        server.get(probe).await.is(StatusCode::OK);
    }
    let answer = half.end().await;
    assert!(answer.starts_with("HTTP/1.1 202 "), "{answer}");
    server.get("/api/tenants").await.is(StatusCode::OK);
}

/// Sign-ins from there whose bodies do not come.
async fn sign_in_for_ever(server: &TestServer, from: &str, count: usize, under_way: &mut JoinSet<String>) {
    let form = "application/x-www-form-urlencoded";
    for _ in 0..count {
        let fields = [("X-Forwarded-For", from), ("Content-Type", form)];
        under_way.spawn(HalfSent::of(&server.base, "/sign-in", &fields, 10, "").await.answer());
    }
}

/// What the next of them is answered that is refused.
async fn refused(under_way: &mut JoinSet<String>) -> String {
    under_way.join_next().await.unwrap().unwrap()
}

const YOUR_SHARE: &str = "As many requests as you may have at once are under way. Try again in a moment";
const TENANTS_SHARE: &str =
    "As many requests as the tenant may have at once are under way. Try again in a moment";

#[tokio::test]
async fn strangers_whose_requests_do_not_end_keep_out_nobody_who_is_known() {
    let vars = [("MAX_REQUESTS_IN_FLIGHT", "24"), ("TRUSTED_PROXIES", "127.0.0.0/8")];
    let server = TestServer::start_idle(&vars).await;
    let mut under_way = JoinSet::new();
    sign_in_for_ever(&server, "203.0.113.1", 8, &mut under_way).await;
    for _ in 0..2 {
        let answer = refused(&mut under_way).await;
        assert!(answer.starts_with("HTTP/1.1 429 ") && answer.contains("retry-after: 1\r\n"), "{answer}");
        assert!(answer.contains(YOUR_SHARE), "{answer}");
    }
    // Nor do many of them.
    sign_in_for_ever(&server, "203.0.113.2", 6, &mut under_way).await;
    sign_in_for_ever(&server, "2001:db8::1", 3, &mut under_way).await;
    for _ in 0..3 {
        let answer = refused(&mut under_way).await;
        assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("retry-after: 1\r\n"), "{answer}");
    }
    server.get("/api/tenants").await.is(StatusCode::OK);
    let sign_in = async || {
        let request = server.request(Method::GET, "/sign-in", None).header("x-forwarded-for", "203.0.113.9");
        Answer::of(request.send().await.unwrap()).await
    };
    sign_in().await.problem(StatusCode::SERVICE_UNAVAILABLE, "The server is busy. Try again in a moment");
    under_way.shutdown().await;
    eventually("what they held is another's", async || {
        (sign_in().await.status == StatusCode::OK).then_some(())
    })
    .await;
}

#[tokio::test]
async fn neither_a_key_nor_a_tenant_has_every_place() {
    let server = TestServer::start_idle(&[("MAX_REQUESTS_IN_FLIGHT", "24")]).await;
    server.tenant("acme").await;
    server.tenant("globex").await;
    let mut keys = Vec::new();
    for _ in 0..3 {
        keys.push(server.key_of("acme", Role::Operator).await);
    }
    let mut under_way = JoinSet::new();
    for _ in 0..8 {
        under_way.spawn(HalfSent::begin(&server.base, &keys[0], "acme").await.answer());
    }
    for _ in 0..2 {
        let answer = refused(&mut under_way).await;
        assert!(answer.starts_with("HTTP/1.1 429 ") && answer.contains(YOUR_SHARE), "{answer}");
    }
    // A tenant makes itself as many keys as it likes.
    for (key, count) in [(&keys[1], 6), (&keys[2], 3)] {
        for _ in 0..count {
            under_way.spawn(HalfSent::begin(&server.base, key, "acme").await.answer());
        }
    }
    for _ in 0..3 {
        let answer = refused(&mut under_way).await;
        assert!(answer.starts_with("HTTP/1.1 429 ") && answer.contains(TENANTS_SHARE), "{answer}");
    }
    let list = async |tenant: &str, key: &str| {
        let path = format!("/api/intents?tenant_id={tenant}");
        Answer::of(server.request(Method::GET, &path, Some(key)).send().await.unwrap()).await
    };
    let viewer = server.key_of("acme", Role::Viewer).await;
    list("acme", &viewer).await.problem(StatusCode::TOO_MANY_REQUESTS, TENANTS_SHARE);
    let other = server.key_of("globex", Role::Viewer).await;
    list("globex", &other).await.is(StatusCode::OK);
    under_way.shutdown().await;
    eventually("what they held is another's", async || {
        (list("acme", &viewer).await.status == StatusCode::OK).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_large_body_is_not_read_for_somebody_who_may_not_send_it() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let viewer = server.key_of("acme", Role::Viewer).await;
    let bearer = format!("Bearer {viewer}");
    let fields = [("Authorization", bearer.as_str()), ("Content-Type", "application/json")];
    for path in ["/api/emails", "/api/emails/dry-run", "/api/validation-rules/dry-run"] {
        let path = format!("{path}?tenant_id=acme");
        for more in [None, Some(("Idempotency-Key", "k"))] {
            let fields: Vec<(&str, &str)> = fields.into_iter().chain(more).collect();
            let answer = HalfSent::of(&server.base, &path, &fields, 9_000_000, "{").await.answer().await;
            assert!(answer.starts_with("HTTP/1.1 403 "), "{path} {more:?}: {answer}");
        }
    }
}

#[tokio::test]
async fn a_tenant_has_so_many_large_messages_on_their_way_at_once() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let small = server.receive("acme", message("a@x.example", "small", "x")).await;
    let large = server.receive("acme", message("a@x.example", "large", "x")).await;
    // More than the connection takes that nobody reads from.
    let sql = "UPDATE emails SET raw = convert_to(repeat('x', 10000000), 'UTF8') WHERE email_id = $1::uuid";
    let mut conn = server.database().superuser().await;
    sqlx::query(sql).bind(&large).execute(&mut conn).await.unwrap();
    let path = |id: &str| format!("/api/emails/{id}/raw?tenant_id=acme");
    let host = server.base.strip_prefix("http://").unwrap();
    let request = format!(
        "GET {} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {}\r\n\r\n",
        path(&large),
        server.key
    );
    let mut held = Vec::new();
    for _ in 0..16 {
        let mut stream = TcpStream::connect(host).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut begun = [0; 12];
        stream.read_exact(&mut begun).await.unwrap();
        assert_eq!(&begun, b"HTTP/1.1 200");
        held.push(stream);
    }
    let refused = server.get(&path(&large)).await.is(StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(refused.headers[header::RETRY_AFTER], "1");
    server.get(&path(&small)).await.is(StatusCode::OK);
    held.pop();
    let again = eventually("one that was given up makes room", async || {
        Some(server.get(&path(&large)).await).filter(|answer| answer.status == StatusCode::OK)
    });
    assert_eq!(again.await.text.len(), 10_000_000);
}

#[tokio::test]
async fn a_body_or_a_head_that_does_not_come_is_not_waited_for() {
    let server = TestServer::start_idle(&[("REQUEST_TIMEOUT_S", "1"), ("HEADER_TIMEOUT_S", "1")]).await;
    server.tenant("acme").await;
    let half = HalfSent::begin(&server.base, &server.key, "acme").await;
    let answer = half.answer().await;
    assert!(
        answer.starts_with("HTTP/1.1 408 ") && answer.contains("The body came in too slowly"),
        "{answer}"
    );
    let emails = server.get("/api/emails?tenant_id=acme").await.body;
    assert_eq!(emails, json!([]), "nothing was stored of it");

    let mut stream = TcpStream::connect(server.base.strip_prefix("http://").unwrap()).await.unwrap();
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: ").await.unwrap();
    let mut answer = Vec::new();
    // It ends: were the connection kept, this would not.
    let _ = stream.read_to_end(&mut answer).await;
    assert!(!String::from_utf8_lossy(&answer).contains(" 200 "), "{answer:?}");
}

/// The head of the next answer on a connection, whose body is read too.
async fn next_answer(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    let head = String::from_utf8(head).unwrap();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).expect(&head);
    let mut body = vec![0; length.parse().unwrap()];
    stream.read_exact(&mut body).await.unwrap();
    head
}

#[tokio::test]
async fn a_refusal_leaves_the_connection_as_it_was_or_says_that_it_ends() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let host = server.base.strip_prefix("http://").unwrap();
    let key = format!("Authorization: Bearer {}\r\n", server.key);
    let refused = [
        ("/api/intents?tenant_id=acme", "Content-Type: application/json\r\n".to_owned(), "401"),
        ("/api/nothing", key.clone(), "404"),
        ("/healthz", String::new(), "405"),
        ("/api/intents?tenant_id=acme", format!("{key}Content-Type: text/plain\r\n"), "415"),
    ];
    for (path, fields, status) in refused {
        for (version, framing, sent, goes_on) in [
            ("1.1", "Content-Length: 9\r\n", "123456789", true),
            ("1.1", "Transfer-Encoding: chunked\r\n", "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", true),
            ("1.0", "Content-Length: 9\r\nConnection: keep-alive\r\n", "123456789", true),
            // The rest comes later, is too much to be read for nothing, or is held back until it is asked for.
            ("1.1", "Content-Length: 9\r\n", "", false),
            ("1.1", "Content-Length: 9\r\n", "1234", false),
            ("1.1", "Transfer-Encoding: chunked\r\n", "3\r\nabc\r\n", false),
            ("1.1", "Transfer-Encoding: chunked\r\n", "none\r\n", false),
            ("1.1", "Content-Length: 9000000\r\n", "1234", false),
            ("1.1", "Content-Length: 9\r\nExpect: 100-continue\r\n", "", false),
            ("1.0", "Content-Length: 9\r\nConnection: keep-alive\r\n", "1234", false),
        ] {
            let case = format!("{status} HTTP/{version} {framing:?} {sent:?}");
            let mut stream = TcpStream::connect(host).await.unwrap();
            let request =
                format!("POST {path} HTTP/{version}\r\nHost: {host}\r\n{fields}{framing}\r\n{sent}");
            stream.write_all(request.as_bytes()).await.unwrap();
            let answer = next_answer(&mut stream).await;
            assert!(answer.starts_with(&format!("HTTP/{version} {status} ")), "{case}: {answer}");
            assert_eq!(answer.contains("connection: close\r\n"), !goes_on, "{case}: {answer}");
            if goes_on {
                stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
                let answer = next_answer(&mut stream).await;
                assert!(answer.starts_with("HTTP/1.1 200 "), "{case}: {answer}");
            }
        }
    }
}

#[tokio::test]
async fn more_connections_than_fit_wait_until_an_idle_one_is_closed() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let router = Router::new().route("/", get(async || "here"));
    let bounds = serve::Bounds {
        header_timeout: Duration::from_secs(1),
        write_timeout: Duration::from_secs(1),
        connections: 1,
        per_address: 1,
        trusted: Vec::new(),
    };
    tokio::spawn(serve::serve(listener, router, bounds, CancellationToken::new()));
    let mut idle = TcpStream::connect(addr).await.unwrap();
    let begun = Instant::now();
    let answer = reqwest::get(format!("http://{addr}/")).await.unwrap();
    assert_eq!(answer.text().await.unwrap(), "here");
    assert!(begun.elapsed() > Duration::from_millis(500), "it waited for its place");
    assert_eq!(idle.read(&mut [0; 8]).await.unwrap(), 0, "the idle one was closed");
}

#[tokio::test]
async fn a_connection_that_takes_no_answer_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let sending = Arc::new(());
    let held = Arc::clone(&sending);
    let endless = move || {
        let held = Arc::clone(&held);
        let part = move || {
            let _held = &held;
            Ok::<_, std::io::Error>(axum::body::Bytes::from_static(&[0; 1 << 16]))
        };
        async { Body::from_stream(futures::stream::repeat_with(part)) }
    };
    let bounds = serve::Bounds {
        header_timeout: Duration::from_secs(60),
        write_timeout: Duration::from_millis(300),
        connections: 9,
        per_address: 9,
        trusted: Vec::new(),
    };
    let router = Router::new().route("/", get(endless));
    tokio::spawn(serve::serve(listener, router, bounds, CancellationToken::new()));
    let before = Arc::strong_count(&sending);
    let mut silent = TcpStream::connect(addr).await.unwrap();
    silent.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    silent.read_u8().await.unwrap();
    assert!(Arc::strong_count(&sending) > before, "it is being answered");
    eventually("it is given up", async || (Arc::strong_count(&sending) == before).then_some(())).await;
}

#[tokio::test]
async fn a_head_has_its_limit() {
    let server = TestServer::start_idle(&[]).await;
    let request = server.request(Method::GET, "/healthz", None).header("x-large", "x".repeat(33_000));
    assert_eq!(request.send().await.unwrap().status(), StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
}

/// What was logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn every_line_of_a_request_bears_its_id_and_none_a_secret() {
    let server = TestServer::start_idle(&[]).await;
    let log = Log::default();
    let lines = tracing_subscriber::fmt().json().with_max_level(tracing::Level::DEBUG).with_writer({
        let log = log.clone();
        move || log.clone()
    });
    let _guard = tracing::subscriber::set_default(lines.finish());
    let handler = async || {
        tracing::info!("from the handler");
        StatusCode::INTERNAL_SERVER_ERROR
    };
    let routes =
        Router::new().route("/reset/{token}", get(handler)).route("/api/emails/{email_id}", get(handler));
    let router = http::around(routes, &server.app).with_state(server.app.clone());
    for path in ["/reset/s3cret?q=private", "/api/emails/7?q=private", "/reset/s3cret/"] {
        let request = axum::http::Request::get(path)
            .header("x-request-id", "followed-by-7")
            .header(header::AUTHORIZATION, "Bearer fe_s3cret")
            .body(Body::empty())
            .unwrap();
        router.clone().oneshot(request).await.unwrap();
    }
    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(!text.contains("s3cret") && !text.contains("private"), "{text}");
    let lines: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |message: &str| -> Vec<_> {
        lines.iter().filter(|line| line["fields"]["message"] == message).map(|line| &line["span"]).collect()
    };
    let spans = of("from the handler");
    assert_eq!(spans.len(), 2, "{text}");
    for (span, path) in spans.iter().zip(["/reset/{token}", "/api/emails/7"]) {
        assert_eq!((&span["request_id"], &span["path"]), (&json!("followed-by-7"), &json!(path)), "{text}");
        assert_eq!(span["method"], "GET");
    }
    let requests: Vec<_> =
        lines.iter().filter(|line| line["target"] == REQUESTS).map(|line| &line["fields"]).collect();
    let told: Vec<_> = requests.iter().map(|told| (told["path"].as_str(), told["status"].as_u64())).collect();
    let expected = [("/reset/{token}", 500_u64), ("/api/emails/7", 500), ("-", 404)];
    assert_eq!(told, expected.map(|(path, status)| (Some(path), Some(status))), "{text}");
    assert!(requests.iter().all(|told| told["latency_ms"].is_f64()), "{text}");
    assert!(requests.iter().all(|told| told["request_id"] == "followed-by-7"), "{text}");
}

#[tokio::test]
async fn what_takes_too_long_or_panics_ends_as_a_problem() {
    let server = TestServer::start_idle(&[("REQUEST_TIMEOUT_S", "1")]).await;
    let routes = Router::new()
        .route("/slow", get(async || std::future::pending::<()>().await))
        .route("/panic", get(async || panic!("a secret of ours") as ()));
    let router = http::around(routes, &server.app).with_state(server.app.clone());
    let get = async |path: &str| {
        let request = axum::http::Request::get(path).body(Body::empty()).unwrap();
        let response = router.clone().oneshot(request).await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let body = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
        Answer {
            status,
            headers,
            text: String::from_utf8_lossy(&body).into_owned(),
            body: serde_json::from_slice(&body).unwrap_or_default(),
        }
    };
    let detail = "This took longer than 1 seconds and was called off. See whether it was done before you send it again";
    get("/slow").await.problem(StatusCode::GATEWAY_TIMEOUT, detail);
    let answer = get("/panic").await.is(StatusCode::INTERNAL_SERVER_ERROR);
    assert!(
        answer.body["detail"]
            .as_str()
            .unwrap()
            .starts_with("Something went wrong here. The log has it under ")
    );
    assert!(!answer.text.contains("secret"));
    assert_eq!(answer.headers["x-content-type-options"], "nosniff");
    assert!(answer.headers.contains_key("x-request-id"));
}

#[tokio::test]
async fn an_id_from_outside_is_kept_if_it_is_one() {
    let server = TestServer::start_idle(&[]).await;
    let id_of = async |given: Option<&str>| {
        let mut request = server.request(Method::GET, "/healthz", None);
        if let Some(given) = given {
            request = request.header("x-request-id", given);
        }
        let answer = request.send().await.unwrap();
        assert_eq!(answer.headers().get_all("x-request-id").iter().count(), 1);
        answer.headers()["x-request-id"].to_str().unwrap().to_owned()
    };
    assert_eq!(id_of(Some("4bf92f3577b34da6a3ce929d0e0e4736")).await, "4bf92f3577b34da6a3ce929d0e0e4736");
    for made_up in [None, Some("a b"), Some("{\"a\":1}"), Some("x".repeat(65).as_str())] {
        let id = id_of(made_up).await;
        assert!(uuid::Uuid::parse_str(&id).is_ok(), "{made_up:?}: {id}");
    }
}

#[tokio::test]
async fn a_body_has_its_limit_everywhere() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let large = "x".repeat(3 << 20);
    for path in ["/api/tenants", "/api/intents?tenant_id=acme", "/api/datasource-configs?tenant_id=acme"] {
        server.post(path, &json!({"name": large})).await.is(StatusCode::PAYLOAD_TOO_LARGE);
    }
    let cookie = session(&server).await;
    for (path, _) in leptos::server_fn::axum::server_fn_paths() {
        let request = server
            .request(Method::POST, path, None)
            .header(header::COOKIE, &cookie)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        let answer = Answer::of(request.body(format!("tenant_id={large}")).send().await.unwrap()).await;
        assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE, "{path}: {}", answer.text);
    }
    // An anonymous body is not read.
    let link = auth::new_admin_link(&server.app.database).await.unwrap();
    let path = format!("/sign-in/{}", link.expose_secret());
    let answer = server.request(Method::GET, &path, None).body(large).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn a_caller_hears_of_changes_by_few_streams_and_others_by_their_own() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let (one, other) = (server.key_of("acme", Role::Viewer).await, server.key_of("acme", Role::Viewer).await);
    let begin = async |key: &str| {
        server.request(Method::GET, "/ui/changes?tenant_id=acme", Some(key)).send().await.unwrap()
    };
    let mut held = Vec::new();
    for _ in 0..8 {
        let stream = begin(&one).await;
        assert_eq!(stream.status(), StatusCode::OK);
        held.push(stream);
    }
    let refused = Answer::of(begin(&one).await).await;
    assert_eq!(refused.headers[header::RETRY_AFTER], "10");
    let detail = "As many of your pages as may hear of changes already";
    refused.problem(StatusCode::TOO_MANY_REQUESTS, detail);
    // What a page asks that was refused: whether it would be again.
    let asked = async |key: Option<&str>| {
        server.request(Method::HEAD, "/ui/changes?tenant_id=acme", key).send().await.unwrap().status()
    };
    assert_eq!(asked(Some(&one)).await, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(asked(None).await, StatusCode::UNAUTHORIZED);
    for _ in 0..9 {
        assert_eq!(asked(Some(&other)).await, StatusCode::OK, "asking takes no place");
    }
    assert_eq!(begin(&other).await.status(), StatusCode::OK);
    held.pop();
    eventually("a page that was left makes room", async || {
        (begin(&one).await.status() == StatusCode::OK).then_some(())
    })
    .await;
}
