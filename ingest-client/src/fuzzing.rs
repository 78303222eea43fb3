//! What `fuzz/` calls of what is not public. Each takes any bytes, and asserts what holds of every answer.

use ureq::Body;
use ureq::http::{Response, header::HeaderName};

use crate::client::read_answer;
use crate::{Endpoint, verdict};

/// A server's answer: the first line holds the status, the second and third `Retry-After` and `X-DataKit`, the rest is
/// the text.
pub fn answer(bytes: &[u8]) {
    let mut parts = bytes.splitn(4, |&byte| byte == b'\n');
    let mut part = || parts.next().unwrap_or_default();
    let (status, retry_after, datakit, text) = (part(), part(), part(), part());
    let status = str::from_utf8(status)
        .ok()
        .and_then(|text| text.parse().ok());
    let answer = Response::builder()
        .status(status.unwrap_or(503_u16))
        .header("Retry-After", retry_after)
        .header(HeaderName::from_static("x-datakit"), datakit)
        .header("Location", datakit)
        .body(Body::builder().data(text.to_vec()));
    // No header holds such bytes.
    let Ok(answer) = answer else {
        return;
    };
    let answer = read_answer(answer);
    let shown = [&answer.datakit, &answer.location];
    for text in shown.into_iter().flatten().chain([&answer.text]) {
        assert!(text.chars().count() <= 200 && !text.chars().any(char::is_control));
    }
    verdict::of_status(answer.status);
    assert!(!verdict::advice(&answer).contains('\n'));
}

/// An address that somebody has typed.
pub fn endpoint(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else {
        return;
    };
    let Ok(endpoint) = Endpoint::parse(text) else {
        return;
    };
    let shown = endpoint.to_string();
    let (_, after_scheme) = shown.split_once("://").expect("a scheme");
    let authority = after_scheme.split('/').next().unwrap_or_default();
    assert!(
        !authority.contains('@') && !shown.contains(['?', '#']),
        "{shown}"
    );
    let again = Endpoint::parse(&shown).expect("what is shown can be typed");
    assert_eq!(again.to_string(), shown);
    assert_eq!(again.is_https(), endpoint.is_https());
}
