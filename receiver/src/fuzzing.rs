//! What `fuzz/` calls of what is not public. Each takes any bytes, and asserts what holds of every answer.

use std::convert::Infallible;
use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use hyper::header::{CONTENT_TYPE, HOST, HeaderMap, HeaderValue, ORIGIN};
use hyper::http::uri::Authority;
use tokio::runtime::Runtime;

use crate::guard::Guard;
use crate::ingest::{Outcome, receive};
use crate::store::{Store, is_id};

/// Lengths of the pieces in which a body comes in, by turns.
const PIECES: &[usize] = &[1, 7, 64, 3, 1000];

/// An upload: the first line is its `Content-Type`, the rest the body. What is kept of it must not depend on the pieces in
/// which it came.
pub fn upload(bytes: &[u8]) {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    let runtime = RUNTIME.get_or_init(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        runtime.expect("a runtime")
    });
    let end = bytes.iter().position(|&byte| byte == b'\n');
    let (content_type, body) = bytes.split_at(end.unwrap_or(bytes.len()));
    let body = Bytes::copy_from_slice(body.get(1..).unwrap_or_default());
    let mut headers = HeaderMap::new();
    if let Ok(value) = HeaderValue::from_bytes(content_type) {
        headers.insert(CONTENT_TYPE, value);
    }
    let mut rest = body.clone();
    let pieces = PIECES
        .iter()
        .cycle()
        .map_while(|&length| (!rest.is_empty()).then(|| rest.split_to(length.min(rest.len()))))
        .collect();
    let whole = runtime.block_on(kept(&headers, vec![body]));
    assert_eq!(whole, runtime.block_on(kept(&headers, pieces)));
}

/// What is left of an upload: metadata, profile, problems.
async fn kept(
    headers: &HeaderMap,
    pieces: Vec<Bytes>,
) -> (Option<Vec<u8>>, Option<Vec<u8>>, Vec<String>) {
    let folder = folder();
    let store = Arc::new(Store::open(&folder).expect("a folder"));
    let body = futures_util::stream::iter(pieces.into_iter().map(Ok::<_, Infallible>));
    let Outcome::Kept(upload) = receive(&store, headers, body).await else {
        panic!("a body that comes in whole is kept");
    };
    let event = upload.event_json;
    let profile = upload.jfr.map(|path| fs::read(path).expect("it is kept"));
    assert_eq!(
        profile.as_ref().map_or(0, Vec::len) as u64,
        upload.jfr_bytes
    );
    fs::remove_dir_all(&folder).expect("nobody else's");
    (event, profile, upload.problems)
}

/// A folder of this process's own, in memory where there is such.
fn folder() -> PathBuf {
    let memory = Path::new("/dev/shm");
    let parent = if memory.is_dir() {
        memory.to_owned()
    } else {
        std::env::temp_dir()
    };
    parent.join(format!("jprof-fuzzing-{}", std::process::id()))
}

/// Who may talk to a receiver on this machine: lines of `Host`, `Origin`, and a name of an upload.
pub fn request(bytes: &[u8]) {
    let guard = Guard::new((Ipv4Addr::LOCALHOST, 9529).into(), "box");
    let mut lines = bytes.splitn(3, |&byte| byte == b'\n');
    let mut headers = HeaderMap::new();
    for name in [HOST, ORIGIN] {
        let line = lines.next().unwrap_or_default();
        if let Ok(value) = HeaderValue::from_bytes(line)
            && !line.is_empty()
        {
            headers.insert(name, value);
        }
    }
    for upload in [false, true] {
        if guard.check(&headers, None, upload).is_ok() {
            let host = headers.get(HOST).and_then(|host| host.to_str().ok());
            let host: Authority = host
                .and_then(|host| host.parse().ok())
                .expect("it has a name");
            assert!(is_this_machine(host.host()), "{host}");
            let origin = headers.get(ORIGIN).map(HeaderValue::as_bytes);
            let own = format!("http://{host}");
            assert!(origin.is_none_or(|origin| origin.eq_ignore_ascii_case(own.as_bytes())));
        }
    }
    let id = String::from_utf8_lossy(lines.next().unwrap_or_default());
    assert!(!is_id(&id) || !id.contains(['/', '\0']) && !id.starts_with('.'));
}

fn is_this_machine(host: &str) -> bool {
    let host = host.trim_matches(['[', ']']).trim_end_matches('.');
    host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
        || ["localhost", "box"].contains(&host.to_ascii_lowercase().as_str())
}
