//! The receiver from outside, over sockets: DataKit's endpoint and answers, and who is refused.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use receiver::{Receiver, Running};
use tempfile::TempDir;

struct Fixture {
    running: Running,
    folder: TempDir,
}

fn start() -> Fixture {
    let folder = tempfile::tempdir().expect("a folder");
    let running = Receiver::bind("127.0.0.1:0".parse().expect("an address"), folder.path())
        .expect("a free port")
        .start()
        .expect("a thread");
    Fixture { running, folder }
}

struct Answer {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

impl Fixture {
    fn host(&self) -> String {
        self.running.local_addr().to_string()
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.running.local_addr()).expect("connected");
        stream
            .set_read_timeout(Some(Duration::from_secs(60)))
            .expect("a timeout");
        stream
    }

    fn send(&self, request: &[u8]) -> Answer {
        let mut stream = self.connect();
        stream.write_all(request).expect("sent");
        read_answer(&mut stream)
    }

    fn get(&self, path: &str) -> Answer {
        self.get_as(path, &format!("Host: {}\r\n", self.host()))
    }

    fn get_as(&self, path: &str, headers: &str) -> Answer {
        self.send(format!("GET {path} HTTP/1.1\r\n{headers}Connection: close\r\n\r\n").as_bytes())
    }

    fn post(&self, headers: &str, body: &[u8]) -> Answer {
        let head = format!(
            "POST /profiling/v1/input HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Length: {}\r\n{headers}\r\n",
            self.host(),
            body.len(),
        );
        self.send(&[head.as_bytes(), body].concat())
    }

    fn post_form(&self, parts: &[(&str, Option<&str>, &[u8])]) -> Answer {
        self.post(FORM, &form(parts))
    }

    fn only_upload(&self) -> receiver::Upload {
        let mut uploads = self.running.uploads().expect("uploads");
        assert_eq!(uploads.len(), 1);
        uploads.remove(0)
    }
}

const FORM: &str = "Content-Type: multipart/form-data; boundary=XXX\r\n";
const EVENT: &[u8] =
    br#"{"start":"2025-10-09T08:53:20Z","end":"2025-10-09T08:54:20Z","tags_profiler":"service:demo,host:h"}"#;

fn form(parts: &[(&str, Option<&str>, &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    for (name, file_name, content) in parts {
        body.extend_from_slice(
            format!("--XXX\r\nContent-Disposition: form-data; name=\"{name}\"").as_bytes(),
        );
        if let Some(file_name) = file_name {
            body.extend_from_slice(format!("; filename=\"{file_name}\"").as_bytes());
        }
        body.extend_from_slice(b"\r\n\r\n");
        body.extend_from_slice(content);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"--XXX--\r\n");
    body
}

fn read_answer(stream: &mut TcpStream) -> Answer {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).expect("an answer");
    parse(&bytes)
}

fn parse(bytes: &[u8]) -> Answer {
    let end = bytes
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .expect("a whole head");
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let status = head[9..12].parse().expect("a status");
    Answer {
        status,
        head,
        body: bytes[end + 4..].to_vec(),
    }
}

#[test]
fn an_upload_is_answered_as_datakit_does_and_kept_as_it_came() {
    let fixture = start();
    let jfr = vec![7u8; 300_000];
    let answer = fixture.post_form(&[
        ("event", Some("event.json"), EVENT),
        ("main", Some("main.jfr"), &jfr),
    ]);
    assert_eq!((answer.status, answer.body.len()), (200, 0));
    assert!(
        answer
            .header("x-datakit")
            .is_some_and(|value| value.contains('/'))
    );
    let upload = fixture.only_upload();
    assert_eq!(upload.event_json.as_deref(), Some(EVENT));
    assert_eq!(
        std::fs::read(upload.jfr.expect("a profile")).expect("readable"),
        jfr
    );
    assert_eq!(upload.problems, [] as [String; 0]);
    let download = fixture.get(&format!("/uploads/{}/main.jfr", upload.id));
    assert_eq!((download.status, download.body), (200, jfr));
    let name = format!("attachment; filename=\"{}-main.jfr\"", upload.id);
    assert_eq!(download_name(&fixture, &upload.id), name);
}

fn download_name(fixture: &Fixture, id: &str) -> String {
    let answer = fixture.get(&format!("/uploads/{id}/main.jfr"));
    answer
        .header("content-disposition")
        .expect("a name")
        .to_owned()
}

#[test]
fn a_chunked_body_is_the_same() {
    let fixture = start();
    let body = form(&[
        ("event", Some("event.json"), EVENT),
        ("main", Some("main.jfr"), b"FLR\0"),
    ]);
    let mut request = format!(
        "POST /profiling/v1/input HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n{FORM}\r\n",
        fixture.host()
    )
    .into_bytes();
    for piece in body.chunks(7) {
        request.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
        request.extend_from_slice(piece);
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(b"0\r\n\r\n");
    assert_eq!(fixture.send(&request).status, 200);
    assert_eq!(fixture.only_upload().jfr_bytes, 4);
}

#[test]
fn a_client_that_expects_100_continue_gets_it() {
    let fixture = start();
    let body = form(&[
        ("event", Some("event.json"), EVENT),
        ("main", Some("main.jfr"), b"FLR\0"),
    ]);
    let mut stream = fixture.connect();
    let head = format!(
        "POST /profiling/v1/input HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nExpect: 100-continue\r\nContent-Length: {}\r\n{FORM}\r\n",
        fixture.host(),
        body.len()
    );
    stream.write_all(head.as_bytes()).expect("sent");
    let mut word = [0; 25];
    stream.read_exact(&mut word).expect("an interim answer");
    assert_eq!(&word, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(&body).expect("sent");
    assert_eq!(read_answer(&mut stream).status, 200);
    assert_eq!(fixture.only_upload().jfr_bytes, 4);
}

#[test]
fn a_body_over_32_mib_is_answered_400_and_not_kept() {
    let fixture = start();
    let answer = fixture.post_form(&[("main", Some("main.jfr"), &vec![0; 32 << 20])]);
    assert_eq!(answer.status, 400);
    assert!(answer.text().contains("request body too large"));
    assert!(fixture.running.uploads().expect("uploads").is_empty());
    assert_eq!(
        std::fs::read_dir(fixture.folder.path())
            .expect("readable")
            .count(),
        0
    );
}

#[test]
fn who_asks_first_is_told_400_without_sending_a_body_that_is_too_large() {
    let fixture = start();
    let head = format!(
        "POST /profiling/v1/input HTTP/1.1\r\nHost: {}\r\nExpect: 100-continue\r\nContent-Length: 40000000\r\n{FORM}\r\n",
        fixture.host()
    );
    assert_eq!(fixture.send(head.as_bytes()).status, 400);
}

#[test]
fn garbage_is_answered_200_and_the_page_says_what_is_wrong() {
    let fixture = start();
    assert_eq!(
        fixture
            .post("Content-Type: text/plain\r\n", b"garbage")
            .status,
        200
    );
    assert_eq!(fixture.post("", b"").status, 200);
    let gzip = format!("{FORM}Content-Encoding: gzip\r\n");
    assert_eq!(fixture.post(&gzip, b"\x1f\x8b").status, 200);
    assert_eq!(fixture.post(FORM, b"--XXX\r\nContent-Dispo").status, 200);
    let problems: Vec<String> = fixture
        .running
        .uploads()
        .expect("uploads")
        .into_iter()
        .map(|upload| upload.problems[0].clone())
        .collect();
    assert_eq!(problems.len(), 4);
    assert!(
        problems[0].starts_with("the body is not multipart/form-data"),
        "{problems:?}"
    );
    assert_eq!(problems[0], problems[1]);
    assert!(problems[2].contains("Content-Encoding"), "{problems:?}");
    assert!(
        problems[3].starts_with("the multipart body is damaged"),
        "{problems:?}"
    );
    let page = fixture.get("/").text();
    for problem in &problems {
        assert!(page.contains(&problem[..40]), "{problem} on the page");
    }
}

#[test]
fn a_profile_that_is_no_jfr_is_kept_and_named_on_its_page() {
    let fixture = start();
    let answer = fixture.post_form(&[
        ("event", Some("event.json"), EVENT),
        ("main", Some("main.jfr"), b"no recording"),
    ]);
    assert_eq!(answer.status, 200);
    let id = fixture.only_upload().id;
    let page = fixture.get(&format!("/uploads/{id}"));
    assert_eq!(page.status, 200);
    assert!(
        page.text().contains("not readable as JFR"),
        "{}",
        page.text()
    );
    assert_eq!(fixture.get(&format!("/uploads/{id}/flame")).status, 422);
}

#[test]
fn what_datakit_would_stumble_over_is_written_down() {
    let fixture = start();
    fixture.post_form(&[
        ("main", None, b"a form value"),
        ("x", Some("a.jfr"), b"1"),
        ("y", Some("b.jfr"), b"2"),
    ]);
    let upload = fixture.only_upload();
    assert_eq!(upload.jfr_bytes, 1);
    assert_eq!(
        upload.problems,
        [
            "no metadata part (a file part named event)",
            "2 profile parts: DataKit picks one at random; the first was kept"
        ]
    );
}

#[test]
fn the_old_style_of_tags_is_read() {
    let fixture = start();
    fixture.post_form(&[
        ("tags[]", None, b"service:old"),
        ("tags[]", None, b"host:h"),
        ("recording-start", None, b"2025-10-09T08:53:20Z"),
        ("main", Some("main.jfr"), b"FLR\0"),
    ]);
    let upload = fixture.only_upload();
    let event: serde_json::Value =
        serde_json::from_slice(&upload.event_json.expect("metadata")).expect("JSON");
    assert_eq!(event["tags_profiler"], "service:old,host:h");
    assert_eq!(event["recording-start"], "2025-10-09T08:53:20Z");
}

#[test]
fn an_upload_that_breaks_off_is_not_kept() {
    let fixture = start();
    let mut stream = fixture.connect();
    let head = format!(
        "POST /profiling/v1/input HTTP/1.1\r\nHost: {}\r\nContent-Length: 1000000\r\n{FORM}\r\n--XXX\r\nContent-Disposition: form-data; name=\"main\"; filename=\"main.jfr\"\r\n\r\nhalf",
        fixture.host()
    );
    stream.write_all(head.as_bytes()).expect("sent");
    stream.shutdown(Shutdown::Write).expect("closed");
    let mut rest = Vec::new();
    // The receiver may answer or only close: both are an end.
    let _ = stream.read_to_end(&mut rest);
    let end = Instant::now() + Duration::from_secs(30);
    while std::fs::read_dir(fixture.folder.path())
        .expect("readable")
        .count()
        > 0
    {
        assert!(Instant::now() < end, "the half upload stays");
        thread::sleep(Duration::from_millis(10));
    }
    assert!(fixture.running.uploads().expect("uploads").is_empty());
}

#[test]
fn ping_tells_version_and_host() {
    let fixture = start();
    let answer = fixture.get("/v1/ping");
    assert_eq!(answer.status, 200);
    let ping: serde_json::Value = serde_json::from_slice(&answer.body).expect("JSON");
    assert_eq!(ping["content"]["version"], env!("CARGO_PKG_VERSION"));
    assert!(ping["content"]["host"].is_string());
}

#[test]
fn other_paths_and_methods_are_404() {
    let fixture = start();
    for path in [
        "/profiling/v1/input",
        "/nothing",
        "/uploads/..%2f..",
        "/uploads/../x",
        "/uploads/20251009T085320.123Z-0001",
    ] {
        let answer = fixture.get(path);
        assert_eq!(answer.status, 404, "{path}");
        assert!(answer.text().starts_with("<!DOCTYPE html>"), "{path}");
    }
    let request = format!(
        "DELETE / HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
        fixture.host()
    );
    assert_eq!(fixture.send(request.as_bytes()).status, 404);
}

#[test]
fn a_foreign_host_or_origin_is_refused_everywhere() {
    let fixture = start();
    let host = fixture.host();
    for headers in [
        "Host: evil.example\r\n".to_owned(),
        format!("Host: {host}\r\nOrigin: http://evil.example\r\n"),
        format!("Host: {host}\r\nOrigin: null\r\n"),
        format!("Host: {host}\r\nHost: evil.example\r\n"),
    ] {
        for path in ["/", "/v1/ping", "/assets/flame-graph.js", "/nothing"] {
            assert_eq!(
                fixture.get_as(path, &headers).status,
                403,
                "{path} {headers}"
            );
        }
        let request = format!(
            "POST /profiling/v1/input HTTP/1.1\r\n{headers}Content-Length: 0\r\nConnection: close\r\n\r\n"
        );
        assert_eq!(fixture.send(request.as_bytes()).status, 403, "{headers}");
    }
    assert!(fixture.running.uploads().expect("uploads").is_empty());
    let own = format!("Host: {host}\r\nOrigin: http://{host}\r\n");
    assert_eq!(fixture.get_as("/", &own).status, 200);
}

#[test]
fn every_answer_has_the_policy_and_allows_no_other_origin() {
    let fixture = start();
    for path in ["/", "/nothing", "/v1/ping", "/assets/flame-graph.js"] {
        let answer = fixture.get(path);
        let policy = answer.header("content-security-policy").expect("a policy");
        assert!(
            policy.starts_with("default-src 'none'; script-src 'self'; "),
            "{policy}"
        );
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(answer.header("access-control-allow-origin"), None);
    }
}

#[test]
fn hostile_names_are_text_on_every_page() {
    let fixture = start();
    let name = "</script><script>alert(1)</script><img src=x onerror=alert(2)>";
    let event = serde_json::json!({
        "tags_profiler": format!("service:{name},host:{name},env:{name},version:{name}"),
        "start": name, "end": name,
    });
    fixture.post_form(&[
        (
            "event",
            Some("event.json"),
            &serde_json::to_vec(&event).expect("JSON"),
        ),
        ("main", Some("main.jfr"), b"FLR\0"),
    ]);
    let id = fixture.only_upload().id;
    for path in [
        "/".to_owned(),
        format!("/uploads/{id}"),
        format!("/uploads/{id}/flame?kind=%3Cscript%3E"),
        format!("/uploads/{id}/flame?kind=<script>"),
    ] {
        let page = fixture.get(&path).text();
        assert!(!page.contains("<script"), "{path}: {page}");
        assert!(!page.contains("<img"), "{path}");
    }
}

#[test]
fn a_head_that_is_too_large_is_refused() {
    let fixture = start();
    let headers = format!(
        "Host: {}\r\nX: {}\r\n",
        fixture.host(),
        "x".repeat(64 << 10)
    );
    assert_eq!(fixture.get_as("/", &headers).status, 431);
}

#[test]
fn many_uploads_at_once_are_all_kept() {
    let fixture = start();
    thread::scope(|scope| {
        for number in 0..16u8 {
            let fixture = &fixture;
            scope.spawn(move || {
                let answer = fixture.post_form(&[
                    ("event", Some("event.json"), EVENT),
                    ("main", Some("main.jfr"), &vec![number; 100_000]),
                ]);
                assert_eq!(answer.status, 200);
            });
        }
    });
    let mut kept: Vec<u8> = fixture
        .running
        .uploads()
        .expect("uploads")
        .iter()
        .map(|upload| {
            std::fs::read(upload.jfr.as_ref().expect("a profile")).expect("readable")[99_999]
        })
        .collect();
    kept.sort_unstable();
    assert_eq!(kept, (0..16).collect::<Vec<u8>>());
}

#[test]
fn the_uploads_outlive_the_receiver() {
    let folder = tempfile::tempdir().expect("a folder");
    let address = "127.0.0.1:0".parse().expect("an address");
    let fixture = Fixture {
        running: Receiver::bind(address, folder.path())
            .expect("bound")
            .start()
            .expect("started"),
        folder: tempfile::tempdir().expect("a folder"),
    };
    fixture.post_form(&[
        ("event", Some("event.json"), EVENT),
        ("main", Some("main.jfr"), b"FLR\0"),
    ]);
    let id = fixture.only_upload().id;
    fixture.running.stop();
    let again = Receiver::bind(address, folder.path()).expect("bound");
    assert_eq!(again.uploads().expect("uploads")[0].id, id);
}
