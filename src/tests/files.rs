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

/// RFC 9110, section 13.1.2.
#[tokio::test]
async fn a_file_that_is_to_be_new_takes_the_place_of_none() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let new = |path: &str, tag: &'static str| {
        let path = format!("/api/files/{path}?tenant_id=acme");
        server.request(Method::PUT, &path, Some(&server.key)).header(header::IF_NONE_MATCH, tag)
    };
    let send = async |path: &str, tag: &'static str, body: &'static str| {
        Answer::of(new(path, tag).body(body).send().await.unwrap()).await
    };
    let there = "It is there already, and If-None-Match asks that it is not";
    send("a.csv", "*", "a\n1\n").await.is(StatusCode::CREATED);
    send("a.csv", "*", "a\n2\n").await.problem(StatusCode::PRECONDITION_FAILED, there);
    assert_eq!(server.get("/api/files/a.csv?tenant_id=acme").await.text, "a\n1\n");
    // No other tag says anything here; to pass it by would be to replace what was not to be.
    for tag in ["\"x\"", "W/\"x\"", "*, *", ""] {
        let refused = send("a.csv", tag, "a\n3\n").await.is(StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(refused.fields(), ["If-None-Match"], "{tag}");
    }
    put(&server, "acme", "a.csv", "a\n4\n").await.is(StatusCode::OK);

    let (one, other) = (Coming::of(new("b.csv", "*")), Coming::of(new("b.csv", "*")));
    coming(&server, 2).await;
    let (one, other) = tokio::join!(one.end(3), other.end(5));
    let (made, refused) = if one.status == StatusCode::CREATED { (one, other) } else { (other, one) };
    refused.problem(StatusCode::PRECONDITION_FAILED, there);
    let found = server.get("/api/files/b.csv?tenant_id=acme").await.is(StatusCode::OK);
    assert_eq!(json!(found.text.len()), made.is(StatusCode::CREATED).body["size"]);
    coming(&server, 0).await;
    server.delete("/api/files/b.csv?tenant_id=acme").await.is(StatusCode::NO_CONTENT);
    send("b.csv", "*", "a\n5\n").await.is(StatusCode::CREATED);
}

#[tokio::test]
async fn a_name_that_no_disk_takes_is_told_as_that() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let (longest, folder) = ("x".repeat(251), "x".repeat(256));
    put(&server, "acme", &format!("{longest}.csv"), "a\n").await.is(StatusCode::CREATED);
    for (path, bytes) in [(format!("{}.csv", "x".repeat(300)), 304), (format!("in/{folder}/a.csv"), 256)] {
        let detail = format!(
            "path: has a name of {bytes} bytes, which is too long: each between two slashes may have 255"
        );
        put(&server, "acme", &path, "a\n").await.problem(StatusCode::UNPROCESSABLE_ENTITY, &detail);
    }
    // What stands there already is told as before.
    put(&server, "acme", "in.csv", "a\n").await.is(StatusCode::CREATED);
    let refused = put(&server, "acme", "in.csv/a.csv", "a\n").await;
    let detail = "path: cannot be written: a file may stand where a folder would have to be";
    refused.problem(StatusCode::UNPROCESSABLE_ENTITY, detail);
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

/// The second of two would be left out, and nobody told.
#[tokio::test]
async fn a_form_holds_one_file_that_has_a_name_and_nothing_beside_it() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let send = async |parts: &[&str], end: &str| {
        let part = |said: &&str| format!("--x\r\nContent-Disposition: form-data; {said}\r\n\r\na\n1\n\r\n");
        let form: String = parts.iter().map(part).collect();
        let request = server.request(Method::POST, "/api/files?tenant_id=acme", Some(&server.key));
        let request = request.header(header::CONTENT_TYPE, "multipart/form-data; boundary=x");
        Answer::of(request.body(form + end).send().await.unwrap()).await
    };
    let (one, other) = ("name=\"file\"; filename=\"one.csv\"", "name=\"file\"; filename=\"other.csv\"");
    let alone = "file: must be the form's one field";
    for parts in
        [[one, other], [one, "name=\"note\""], ["name=\"note\"", one], [one, "name=\"x\"; filename=\"x\""]]
    {
        send(&parts, "--x--\r\n").await.problem(StatusCode::UNPROCESSABLE_ENTITY, alone);
    }
    let nameless = "file: needs a filename: the path to store it at, as customers.csv";
    for part in ["name=\"file\"", "name=\"file\"; filename=\"\""] {
        send(&[part], "--x--\r\n").await.problem(StatusCode::UNPROCESSABLE_ENTITY, nameless);
    }
    // What would stand behind the file did not come.
    send(&[one], "--x").await.is(StatusCode::BAD_REQUEST);
    assert_eq!(server.get("/api/files?tenant_id=acme").await.body, json!([]));
    coming(&server, 0).await;
    send(&[one], "--x--\r\n").await.is(StatusCode::CREATED);
    send(&[one], "--x--").await.is(StatusCode::OK);
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

/// A workbook of these sheets, each with its columns and no rows. `Lists` is hidden.
fn book(sheets: &[(&str, &[&str])]) -> Vec<u8> {
    let mut book = rust_xlsxwriter::Workbook::new();
    for (name, columns) in sheets {
        let sheet = book.add_worksheet().set_name(*name).unwrap();
        sheet.set_hidden(*name == "Lists").set_active(*name == "Orders");
        for (place, column) in (0..).zip(*columns).filter(|(_, column)| !column.is_empty()) {
            sheet.write(0, place, *column).unwrap();
        }
    }
    book.save_to_buffer().unwrap()
}

#[tokio::test]
async fn a_look_at_a_workbook_says_which_sheet_it_shows_and_which_there_are() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let look = async |path: &str| {
        let request = server.request(Method::POST, "/ui/files/look", Some(&server.key));
        let request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        let answer = request.body(format!("tenant_id=acme&path={path}")).send().await.unwrap();
        Answer::of(answer).await.is(StatusCode::OK).body
    };
    let several = book(&[("Lists", &["a"]), ("Orders", &["id"]), ("Notes", &["b"])]);
    put(&server, "acme", "several.xlsx", several).await.is(StatusCode::CREATED);
    let found = look("several.xlsx").await;
    let note = "This is the sheet Orders. There are also: Lists, Notes. A config that names one of them reads that instead.";
    assert_eq!((&found["note"], &found["tables"][0]["columns"]), (&json!(note), &json!(["id"])), "{found:#}");
    put(&server, "acme", "one.xlsx", book(&[("Orders", &["id"])])).await.is(StatusCode::CREATED);
    assert_eq!(look("one.xlsx").await["note"], "Its one sheet is Orders.");
    let cover = book(&[("Cover", &["Report", "", "2026"]), ("Orders", &["id"])]);
    let told = put(&server, "acme", "cover.xlsx", cover).await.is(StatusCode::CREATED).body;
    let why = "the file's first line must name every column; its sheet Cover was read, and it has Orders";
    assert_eq!((&told["unreadable"], &look("cover.xlsx").await["message"]), (&json!(why), &json!(why)));
    put(&server, "acme", "a.csv", "a\n1\n").await.is(StatusCode::CREATED);
    assert_eq!(look("a.csv").await["note"], json!(null));

    let config = json!({"name": "x", "protocol": "file", "connection_json": {"path": "several.xlsx", "sheet": "Order"}});
    server.post("/api/datasource-configs?tenant_id=acme", &config).await.is(StatusCode::CREATED);
    let source = json!({"name": "X", "datasource_type": "file", "connection_key": "x"});
    let id = server.post("/api/datasources?tenant_id=acme", &source).await.id("datasource_id");
    let tested = server.post(&format!("/api/datasources/{id}/test?tenant_id=acme"), &json!({})).await.body;
    let fault = "the workbook has no sheet Order; it has Lists, Orders, Notes";
    assert_eq!((&tested["step"], &tested["message"]), (&json!("sheet"), &json!(fault)), "{tested:#}");
}

/// A config may read several sheets of one workbook.
#[tokio::test]
async fn as_each_of_the_first_configs_reads_a_workbook_it_is_tried_once_it_is_stored() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let bytes = book(&[("Orders", &["id"]), ("Notes", &["b"]), ("Lists", &["a"])]);
    put(&server, "acme", "crm.xlsx", bytes.clone()).await.is(StatusCode::CREATED);
    let sheet = |name: &str| json!({"path": "crm.xlsx", "sheet": name});
    let mut all = sheet("Orders");
    all["tables"] = json!({"notes": sheet("Notes"), "lists": sheet("Lists")});
    for (name, settings) in [("all", all), ("gone", sheet("Gone"))] {
        let config = json!({"name": name, "protocol": "file", "connection_json": settings});
        server.post("/api/datasource-configs?tenant_id=acme", &config).await.is(StatusCode::CREATED);
    }
    let told = put(&server, "acme", "crm.xlsx", bytes).await.is(StatusCode::OK).body;
    let why = "as the config 'gone' reads it, the workbook has no sheet Gone; it has Orders, Notes, Lists";
    assert_eq!(told["unreadable"], why, "{told:#}");
}

/// Who puts another file in the place of one that rules use learns at once that they cannot read it.
#[tokio::test]
async fn a_file_that_no_look_up_can_read_is_stored_and_told_as_that() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let made = put(&server, "acme", "a.csv", "a,b\n1,2\n").await.is(StatusCode::CREATED).body;
    assert_eq!(made.get("unreadable"), None);
    let why = "the file's first line must name every column";
    let replaced = put(&server, "acme", "a.csv", ",a\n1,2\n").await.is(StatusCode::OK).body;
    assert_eq!(replaced["unreadable"], why);
    let text = put(&server, "acme", "b.json", "a\n").await.is(StatusCode::CREATED).body;
    assert!(text["unreadable"].as_str().unwrap().starts_with("the file is no JSON"), "{text:#}");
    let listed = server.get("/api/files?tenant_id=acme").await.body;
    assert_eq!((&listed[0]["path"], listed[0].get("unreadable")), (&json!("a.csv"), None), "none is read");

    let form = async |accept: &str, content: &str| {
        let file = "Content-Disposition: form-data; name=\"file\"; filename=\"a.csv\"";
        let form = format!("--x\r\n{file}\r\n\r\n{content}\r\n--x--\r\n");
        let request = server.request(Method::POST, "/api/files?tenant_id=acme", Some(&server.key));
        let request = request.header(header::ACCEPT, accept);
        let request = request.header(header::CONTENT_TYPE, "multipart/form-data; boundary=x");
        Answer::of(request.body(form).send().await.unwrap()).await
    };
    assert_eq!(form("application/json", ",a\n1,2\n").await.is(StatusCode::OK).body["unreadable"], why);
    for (content, page) in [(",a\n1,2\n", "files/look?path=a.csv"), ("a\n1\n", "files?stored=a.csv")] {
        let led = form("text/html", content).await.is(StatusCode::SEE_OTHER);
        assert_eq!(led.headers[header::LOCATION], format!("/t/acme/{page}"));
    }
}
