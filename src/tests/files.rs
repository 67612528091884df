//! A tenant's files: where they may lie, how much of the disk they take, and that none is deleted under a config.

use futures::channel::mpsc::{UnboundedSender, unbounded};
use reqwest::{Body, Method, RequestBuilder, StatusCode, header};
use serde_json::json;
use tokio::task::JoinHandle;

use super::support::{Answer, TestServer, eventually};

async fn put(server: &TestServer, tenant: &str, path: &str, body: impl Into<Body>) -> Answer {
    let path = format!("/api/files/{path}?tenant_id={tenant}");
    Answer::of(server.request(Method::PUT, &path, Some(&server.key)).body(body).send().await.unwrap()).await
}

/// A file that comes in as it is told to.
struct Coming {
    parts: UnboundedSender<Result<Vec<u8>, std::io::Error>>,
    answer: JoinHandle<Answer>,
}

impl Coming {
    fn begin(server: &TestServer, path: &str) -> Self {
        let path = format!("/api/files/{path}?tenant_id=acme");
        Self::of(server.request(Method::PUT, &path, Some(&server.key)))
    }

    fn of(request: RequestBuilder) -> Self {
        let (parts, body) = unbounded();
        let request = request.body(Body::wrap_stream(body));
        let answer = tokio::spawn(async { Answer::of(request.send().await.unwrap()).await });
        Self { parts, answer }
    }

    async fn end(self, bytes: usize) -> Answer {
        self.parts.unbounded_send(Ok(vec![b'x'; bytes])).unwrap();
        drop(self.parts);
        self.answer.await.unwrap()
    }
}

/// Waits until so many files of acme have begun to come in.
async fn coming(server: &TestServer, count: usize) {
    let folder = server.app.config.files_dir(&"acme".parse().unwrap());
    eventually(&format!("{count} files come in"), async || {
        let names = std::fs::read_dir(&folder).ok()?.map(|entry| entry.unwrap().file_name());
        let found = names.filter(|name| name.to_string_lossy().starts_with(".incoming-")).count();
        (found == count).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_file_lies_no_deeper_than_files_are_listed() {
    let server = TestServer::start_idle(&[("FILES_MAX_BYTES", "10")]).await;
    server.tenant("acme").await;
    let deepest = "1/2/3/4/5/6/7/8/a.csv";
    let made = put(&server, "acme", deepest, "a\n").await.is(StatusCode::CREATED).body;
    let listed = server.get("/api/files?tenant_id=acme").await.body;
    assert_eq!(listed, json!([made]), "what is answered is what is listed");
    put(&server, "acme", "1/2/3/4/5/6/7/8/9/a.csv", "a\n").await.is(StatusCode::UNPROCESSABLE_ENTITY);
    put(&server, "acme", "b.csv", "123456789").await.is(StatusCode::PAYLOAD_TOO_LARGE);
    let config =
        json!({"name": "x", "protocol": "file", "connection_json": {"path": "1/2/3/4/5/6/7/8/9/a.csv"}});
    let refused = server.post("/api/datasource-configs?tenant_id=acme", &config).await;
    assert_eq!(refused.is(StatusCode::UNPROCESSABLE_ENTITY).fields(), ["connection_json.path"]);
}

#[tokio::test]
async fn files_that_come_in_together_share_what_is_left() {
    let server = TestServer::start_idle(&[("FILES_MAX_BYTES", "1000")]).await;
    server.tenant("acme").await;
    let (one, other) = (Coming::begin(&server, "one.csv"), Coming::begin(&server, "other.csv"));
    coming(&server, 2).await;
    one.end(600).await.is(StatusCode::CREATED);
    let detail =
        "The file is larger than is left: 400 bytes (a file may have 268435456, all files of a tenant 1000)";
    other.end(600).await.problem(StatusCode::PAYLOAD_TOO_LARGE, detail);
    coming(&server, 0).await;
    assert_eq!(server.get("/api/files?tenant_id=acme").await.body.as_array().unwrap().len(), 1);
    // One in the place of itself has all that it had.
    put(&server, "acme", "one.csv", vec![b'x'; 1_000]).await.is(StatusCode::OK);
}

#[tokio::test]
async fn few_files_of_a_tenant_come_in_at_once() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    server.tenant("globex").await;
    let mut begun: Vec<Coming> = (0..4).map(|i| Coming::begin(&server, &format!("{i}.csv"))).collect();
    coming(&server, 4).await;
    let refused = put(&server, "acme", "5.csv", "a\n").await.is(StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(refused.headers[header::RETRY_AFTER], "5");
    put(&server, "globex", "5.csv", "a\n").await.is(StatusCode::CREATED);
    begun.remove(0).end(1).await.is(StatusCode::CREATED);
    put(&server, "acme", "5.csv", "a\n").await.is(StatusCode::CREATED);
    for coming in begun {
        coming.end(1).await.is(StatusCode::CREATED);
    }
}

/// As everything that can be changed.
#[tokio::test]
async fn a_file_is_replaced_and_deleted_only_as_it_was_read() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let path = "/api/files/a.csv?tenant_id=acme";
    let guarded = |method: Method, etag: &str| {
        server.request(method, path, Some(&server.key)).header(header::IF_MATCH, etag)
    };
    let send = async |method: Method, etag: &str, body: &'static str| {
        Answer::of(guarded(method, etag).body(body).send().await.unwrap()).await
    };
    let etag = |answer: &Answer| answer.headers[header::ETAG].to_str().unwrap().to_owned();
    send(Method::PUT, "*", "a\n").await.is(StatusCode::PRECONDITION_FAILED);
    let made = etag(&put(&server, "acme", "a.csv", "a\n1\n").await.is(StatusCode::CREATED));
    for _ in 0..2 {
        assert_eq!(etag(&server.get(path).await.is(StatusCode::OK)), made, "the same while nothing changes");
    }
    let coming_late = Coming::of(guarded(Method::PUT, &made));
    coming(&server, 1).await;
    let replaced = etag(&send(Method::PUT, &made, "a\n2\n").await.is(StatusCode::OK));
    coming_late.end(4).await.is(StatusCode::PRECONDITION_FAILED);
    send(Method::PUT, &made, "a\n3\n").await.is(StatusCode::PRECONDITION_FAILED);
    let found = server.get(path).await.is(StatusCode::OK);
    assert_eq!((found.text.as_str(), etag(&found)), ("a\n2\n", replaced.clone()));
    send(Method::DELETE, &made, "").await.is(StatusCode::PRECONDITION_FAILED);
    send(Method::DELETE, &replaced, "").await.is(StatusCode::NO_CONTENT);
    send(Method::DELETE, "*", "").await.is(StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_file_in_use_is_deleted_by_no_other_spelling_of_its_path() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    put(&server, "acme", "in/b.csv", "a\n1\n").await.is(StatusCode::CREATED);
    put(&server, "acme", "people.csv", "a\n1\n").await.is(StatusCode::CREATED);
    let config = json!({"name": "people", "protocol": "file", "connection_json": {"path": "people.csv"}});
    server.post("/api/datasource-configs?tenant_id=acme", &config).await.is(StatusCode::CREATED);
    let call = async |function: &str, path: &str| {
        let request = server.request(Method::POST, &format!("/ui/files/{function}"), Some(&server.key));
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        Answer::of(request.body(format!("tenant_id=acme&path={path}")).send().await.unwrap()).await
    };
    call("delete", "people.csv").await.is(StatusCode::BAD_REQUEST);
    for path in ["./people.csv", "in/../people.csv", "in//../people.csv", "./in/b.csv"] {
        call("delete", path).await.is(StatusCode::NOT_FOUND);
        call("look", path).await.is(StatusCode::NOT_FOUND);
    }
    call("look", "people.csv").await.is(StatusCode::OK);
    call("delete", "in/b.csv").await.is(StatusCode::OK);
    let listed = server.get("/api/files?tenant_id=acme").await.body;
    assert_eq!((listed.as_array().unwrap().len(), &listed[0]["path"]), (1, &json!("people.csv")));
}

#[tokio::test]
async fn a_tenant_has_so_many_files_and_folders_and_a_folder_goes_with_its_last_file() {
    let server = TestServer::start_idle(&[]).await;
    let acme = server.tenant("acme").await;
    let folder = server.app.config.files_dir(&acme);
    std::fs::create_dir_all(&folder).unwrap();
    for i in 0..4_997 {
        std::fs::write(folder.join(format!("{i}.csv")), "").unwrap();
    }
    let full = "A tenant can have at most 5000 files and folders. Delete some first";
    put(&server, "acme", "a/b/c/d.csv", "a\n").await.problem(StatusCode::BAD_REQUEST, full);
    assert!(!folder.join("a").exists());
    put(&server, "acme", "a/b/c.csv", "a\n").await.is(StatusCode::CREATED);
    put(&server, "acme", "d.csv", "a\n").await.problem(StatusCode::BAD_REQUEST, full);
    put(&server, "acme", "0.csv", "a\n").await.is(StatusCode::OK);
    let form =
        "--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"d.csv\"\r\n\r\na\n\r\n--x--\r\n";
    let request = server.request(Method::POST, "/api/files?tenant_id=acme", Some(&server.key));
    let request = request.header(header::ACCEPT, "text/html");
    let request = request.header(header::CONTENT_TYPE, "multipart/form-data; boundary=x");
    let answer = Answer::of(request.body(form).send().await.unwrap()).await.is(StatusCode::SEE_OTHER);
    assert_eq!(answer.headers[header::LOCATION], "/t/acme/files?refused=too_many");

    server.delete("/api/files/a/b/c.csv?tenant_id=acme").await.is(StatusCode::NO_CONTENT);
    assert!(!folder.join("a").exists());
    put(&server, "acme", "d.csv", "a\n").await.is(StatusCode::CREATED);
}

#[tokio::test]
async fn a_form_is_a_form() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let send = async |kind: &str| {
        let request = server.request(Method::POST, "/api/files?tenant_id=acme", Some(&server.key));
        Answer::of(request.header(header::CONTENT_TYPE, kind).body("a\n1\n").send().await.unwrap()).await
    };
    for kind in ["text/csv", "application/x-www-form-urlencoded", "multipart/mixed; boundary=x"] {
        let detail = "The body must be multipart/form-data";
        send(kind).await.problem(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail);
    }
    send("multipart/form-data").await.is(StatusCode::BAD_REQUEST);
    assert_eq!(server.get("/api/files?tenant_id=acme").await.body, json!([]));
}

/// What stood there before stays: look-ups would fail in what took its place.
#[tokio::test]
async fn a_file_takes_no_place_whose_name_says_another_kind() {
    let server = TestServer::start_idle(&[]).await;
    let acme = server.tenant("acme").await;
    let folder = server.app.config.files_dir(&acme);
    let mut book = rust_xlsxwriter::Workbook::new();
    book.add_worksheet().write(0, 0, "a").unwrap();
    let workbook = book.save_to_buffer().unwrap();
    let apart = tempfile::tempdir().unwrap();
    let database = apart.path().join("a");
    rusqlite::Connection::open(&database).unwrap().execute_batch("CREATE TABLE t (a)").unwrap();
    let database = std::fs::read(database).unwrap();
    let (text, nothing) = (b"a\n1\n".to_vec(), Vec::new());
    let of_workbook = (&workbook, "give a workbook a name that ends in .xlsx");
    let of_database = (&database, "give it a name that ends in .sqlite");
    let of_text = (&text, "is a workbook or a database by its name, and holds neither");
    let of_nothing = (&nothing, "is empty");
    for (path, good, others) in [
        ("a.csv", &text, [of_workbook, of_database, of_nothing]),
        ("a.json", &text, [of_workbook, of_database, of_nothing]),
        ("a.xlsx", &workbook, [of_text, of_database, of_nothing]),
        ("a.sqlite", &database, [of_text, of_workbook, of_nothing]),
    ] {
        let refuse = async || {
            for (bytes, why) in others {
                let refused = put(&server, "acme", path, bytes.clone()).await;
                let refused = refused.is(StatusCode::UNPROCESSABLE_ENTITY);
                assert_eq!(refused.fields(), ["path"]);
                let told = refused.body["errors"][0]["message"].as_str().unwrap();
                assert!(told.contains(why), "{path}: {told}");
            }
        };
        refuse().await;
        assert!(!folder.join(path).exists(), "{path}");
        let made = put(&server, "acme", path, good.clone()).await.is(StatusCode::CREATED);
        refuse().await;
        assert_eq!(&std::fs::read(folder.join(path)).unwrap(), good, "{path}");
        let found = server.get(&format!("/api/files/{path}?tenant_id=acme")).await.is(StatusCode::OK);
        assert_eq!(found.headers[header::ETAG], made.headers[header::ETAG], "{path}");
        put(&server, "acme", path, good.clone()).await.is(StatusCode::OK);
    }
    coming(&server, 0).await;
    let told = server.get("/api/audit-log?tenant_id=acme&action=file.put").await.is(StatusCode::OK).body;
    assert_eq!(told.as_array().unwrap().len(), 8, "{told:#}");
}
