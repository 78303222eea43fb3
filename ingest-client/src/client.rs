//! One upload: the request, and what became of it.
use std::fmt;
use std::fs;
use std::io::{self, Cursor, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;
use ureq::http::header::{HeaderMap, LOCATION, RETRY_AFTER};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig};
use ureq::unversioned::transport::{Connector, RustlsConnector};
use ureq::{Agent, SendBody};

use crate::connection::ObedientConnector;
use crate::orders::Orders;
use crate::resolver::{BoundedResolver, Shared};
use crate::{Endpoint, UploaderConfig};

/// ureq keeps two buffers of a connection in memory: what comes in is an answer of a few lines, what goes out is read
/// from a file.
const INPUT_BUFFER_BYTES: usize = 16 * 1024;
const OUTPUT_BUFFER_BYTES: usize = 64 * 1024;

/// What is read of the text of an answer that is no success.
const MAX_ANSWER_BYTES: u64 = 4096;

/// What is shown of it.
const MAX_SHOWN_CHARS: usize = 200;

/// What the server said.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// `X-DataKit`: version and host.
    pub(crate) datakit: Option<String>,
    pub(crate) retry_after: Option<Duration>,
    /// Where a redirect leads.
    pub(crate) location: Option<String>,
    /// The first line of the text, without a page's markup; empty for a success.
    pub(crate) text: String,
}

/// Why there was no answer.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Nobody is there: refused, unreachable, name unknown.
    Connect(String),
    /// It took too long.
    Timeout(String),
    /// The connection broke off, or the answer was no HTTP.
    Reset(String),
    /// No trust, or another failure of TLS.
    Tls(String),
    /// It failed on this side: no descriptors, no threads, no rights.
    Local(String),
    /// The profile's file cannot be read to its end.
    Source(io::Error),
    /// An order ended it.
    GivenUp,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Connect(text) | Failure::Timeout(text) | Failure::Reset(text) => {
                f.write_str(text)
            }
            Failure::Tls(text) => write!(f, "TLS: {text}"),
            Failure::Local(text) => f.write_str(text),
            Failure::Source(error) => write!(f, "the profile cannot be read: {error}"),
            Failure::GivenUp => f.write_str("there was no more time"),
        }
    }
}

/// Sends profiles to one endpoint, each over a connection of its own.
pub(crate) struct Client {
    agent: Agent,
    endpoint: Endpoint,
    orders: Arc<Orders>,
    resolver: Arc<BoundedResolver>,
    was_cut_short: Arc<AtomicBool>,
    random: fastrand::Rng,
}

impl Client {
    pub(crate) fn new(
        endpoint: Endpoint,
        config: &UploaderConfig,
        orders: Arc<Orders>,
        seed: u64,
    ) -> Client {
        let resolver = Arc::new(BoundedResolver::new(Arc::clone(&orders)));
        let was_cut_short = Arc::new(AtomicBool::new(false));
        let connector = ObedientConnector {
            orders: Arc::clone(&orders),
            was_cut_short: Arc::clone(&was_cut_short),
        };
        let settings = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(None)
            .max_idle_connections(0)
            .input_buffer_size(INPUT_BUFFER_BYTES)
            .output_buffer_size(OUTPUT_BUFFER_BYTES)
            .user_agent(concat!("jprof/", env!("CARGO_PKG_VERSION")))
            .timeout_resolve(Some(config.resolve_timeout))
            .timeout_connect(Some(config.connect_timeout))
            .timeout_recv_response(Some(config.response_timeout))
            .timeout_recv_body(Some(config.response_timeout))
            .timeout_global(Some(config.try_timeout));
        let shared = Shared(Arc::clone(&resolver));
        // Without https neither TLS nor its root certificates are ever touched.
        let agent = if endpoint.is_https() {
            let settings = settings.tls_config(tls(config)).build();
            Agent::with_parts(
                settings,
                connector.chain(RustlsConnector::default()),
                shared,
            )
        } else {
            Agent::with_parts(settings.build(), connector, shared)
        };
        Client {
            agent,
            endpoint,
            orders,
            resolver,
            was_cut_short,
            random: fastrand::Rng::with_seed(seed),
        }
    }

    pub(crate) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Sends one profile of exactly `bytes` bytes.
    pub(crate) fn post(
        &mut self,
        event_json: &str,
        profile: &mut dyn Read,
        bytes: u64,
    ) -> Result<Answer, Failure> {
        let boundary = format!("jprof-{:032x}", self.random.u128(..));
        let mut body = Body::new(&boundary, event_json, profile, bytes);
        let request = self
            .agent
            .post(self.endpoint.uri().clone())
            .header(
                "Content-Type",
                format!("multipart/form-data; boundary={boundary}"),
            )
            .header("Content-Length", body.length.to_string())
            .header("Connection", "close");
        let result = request.send(SendBody::from_reader(&mut body));
        if let Some(error) = body.error {
            return Err(Failure::Source(error));
        }
        match result {
            Ok(response) => {
                let answer = read_answer(response);
                if self.was_cut_short.load(Ordering::Relaxed) && answer.status < 400 {
                    return Err(Failure::Reset(
                        "the server closed before it had read the profile".to_owned(),
                    ));
                }
                Ok(answer)
            }
            Err(_) if self.orders.must_give_up() => Err(Failure::GivenUp),
            Err(error) => {
                let failure = failure(error);
                if matches!(failure, Failure::Connect(_) | Failure::Timeout(_)) {
                    self.resolver.forget();
                }
                Err(failure)
            }
        }
    }
}

fn tls(config: &UploaderConfig) -> TlsConfig {
    let mut builder = TlsConfig::builder();
    if let Some(path) = &config.trusted_certificates {
        match fs::read(path) {
            Ok(pem) => {
                let certificates: Vec<Certificate<'static>> = ureq::tls::parse_pem(&pem)
                    .filter_map(|item| match item {
                        Ok(PemItem::Certificate(certificate)) => Some(certificate),
                        _ => None,
                    })
                    .collect();
                builder = builder.root_certs(RootCerts::Specific(Arc::new(certificates)));
            }
            Err(error) => log::warn!(
                "cannot read the certificates in {}: {error}; the built-in ones serve",
                path.display()
            ),
        }
    }
    builder.build()
}

fn failure(error: ureq::Error) -> Failure {
    let text = error.to_string();
    match error {
        ureq::Error::Io(error) => {
            let inner = error.get_ref();
            if inner.is_some_and(|inner| inner.is::<ureq::Error>()) {
                // A connector that is wrapped by TLS.
                let inner = error
                    .into_inner()
                    .and_then(|inner| inner.downcast::<ureq::Error>().ok());
                return inner.map_or(Failure::Reset(text), |inner| failure(*inner));
            }
            let text = error.to_string();
            match error.kind() {
                io::ErrorKind::ConnectionRefused
                | io::ErrorKind::HostUnreachable
                | io::ErrorKind::NetworkUnreachable
                | io::ErrorKind::NetworkDown
                | io::ErrorKind::AddrNotAvailable => Failure::Connect(text),
                io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => Failure::Timeout(text),
                io::ErrorKind::ConnectionReset
                | io::ErrorKind::ConnectionAborted
                | io::ErrorKind::BrokenPipe
                | io::ErrorKind::NotConnected
                | io::ErrorKind::UnexpectedEof => Failure::Reset(text),
                io::ErrorKind::InvalidData => Failure::Tls(text),
                _ => Failure::Local(text),
            }
        }
        ureq::Error::Timeout(_) => Failure::Timeout(text),
        ureq::Error::HostNotFound | ureq::Error::ConnectionFailed => Failure::Connect(text),
        ureq::Error::Tls(_) | ureq::Error::Rustls(_) | ureq::Error::Pem(_) => Failure::Tls(text),
        _ => Failure::Reset(text),
    }
}

pub(crate) fn read_answer(mut response: ureq::http::Response<ureq::Body>) -> Answer {
    let status = response.status();
    let mut text = String::new();
    if !status.is_success() {
        let mut bytes = Vec::new();
        // The status counts; what cannot be read of the text is left out.
        let _ = response
            .body_mut()
            .as_reader()
            .take(MAX_ANSWER_BYTES)
            .read_to_end(&mut bytes);
        text = shown(&String::from_utf8_lossy(&bytes));
    }
    let headers = response.headers();
    let header = |name: &str| {
        headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .map(shown)
    };
    Answer {
        status: status.as_u16(),
        datakit: header("X-DataKit"),
        retry_after: retry_after(headers, SystemTime::now()),
        location: header(LOCATION.as_str()),
        text,
    }
}

/// The first line of a server's text that says something, fit for a log.
fn shown(text: &str) -> String {
    let line = text
        .lines()
        .map(str::trim)
        .find(|line| !line.is_empty())
        .unwrap_or_default();
    if line.starts_with('<') {
        return String::new();
    }
    line.chars()
        .filter(|c| !c.is_control())
        .take(MAX_SHOWN_CHARS)
        .collect()
}

/// `Retry-After`: seconds or a date.
fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at = OffsetDateTime::parse(text, &Rfc2822).ok()?;
    let at = u64::try_from(at.unix_timestamp()).ok()?;
    let now = now.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    Some(Duration::from_secs(at).saturating_sub(now))
}

/// The multipart body: metadata, profile, end. The profile is read when it is sent.
struct Body<'a> {
    head: Cursor<String>,
    profile: io::Take<&'a mut dyn Read>,
    tail: Cursor<String>,
    length: u64,
    error: Option<io::Error>,
}

impl<'a> Body<'a> {
    fn new(boundary: &str, event_json: &str, profile: &'a mut dyn Read, bytes: u64) -> Body<'a> {
        // Both parts need a file name: DataKit takes a part without one for a form's value.
        let head = format!(
            "--{boundary}\r\n\
             Content-Disposition: form-data; name=\"event\"; filename=\"event.json\"\r\n\
             Content-Type: application/json\r\n\
             \r\n\
             {event_json}\r\n\
             --{boundary}\r\n\
             Content-Disposition: form-data; name=\"main\"; filename=\"main.jfr\"\r\n\
             Content-Type: application/octet-stream\r\n\
             \r\n"
        );
        let tail = format!("\r\n--{boundary}--\r\n");
        Body {
            length: head.len() as u64 + bytes + tail.len() as u64,
            head: Cursor::new(head),
            profile: profile.take(bytes),
            tail: Cursor::new(tail),
            error: None,
        }
    }

    fn read_profile(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.profile.read(buffer)?;
        if read == 0 && self.profile.limit() > 0 && !buffer.is_empty() {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the file became shorter",
            ));
        }
        Ok(read)
    }
}

impl Read for Body<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.head.read(buffer)?;
        if read > 0 {
            return Ok(read);
        }
        match self.read_profile(buffer) {
            Ok(0) => self.tail.read(buffer),
            Ok(read) => Ok(read),
            Err(error) => {
                let told = io::Error::new(error.kind(), error.to_string());
                self.error = Some(error);
                Err(told)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use ureq::http::HeaderValue;

    use super::*;

    #[test]
    fn the_body_is_the_recommended_one_and_as_long_as_said() {
        let mut profile: &[u8] = b"PROFILE and more";
        let mut body = Body::new("B", "{}", &mut profile, 7);
        let mut text = String::new();
        body.read_to_string(&mut text).unwrap();
        assert_eq!(
            text,
            "--B\r\nContent-Disposition: form-data; name=\"event\"; filename=\"event.json\"\r\n\
             Content-Type: application/json\r\n\r\n{}\r\n\
             --B\r\nContent-Disposition: form-data; name=\"main\"; filename=\"main.jfr\"\r\n\
             Content-Type: application/octet-stream\r\n\r\nPROFILE\r\n--B--\r\n"
        );
        assert_eq!(body.length, text.len() as u64);
    }

    #[test]
    fn a_file_that_became_shorter_is_an_error_of_the_source() {
        let mut profile: &[u8] = b"PRO";
        let mut body = Body::new("B", "{}", &mut profile, 7);
        assert!(body.read_to_string(&mut String::new()).is_err());
        assert_eq!(body.error.unwrap().kind(), io::ErrorKind::UnexpectedEof);
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_445_412_400);
        let read = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, HeaderValue::from_str(text).unwrap());
            retry_after(&headers, now)
        };
        assert_eq!(read("120"), Some(Duration::from_secs(120)));
        assert_eq!(
            read("Wed, 21 Oct 2015 07:28:00 GMT"),
            Some(Duration::from_secs(80))
        );
        assert_eq!(read("Wed, 21 Oct 2015 07:00:00 GMT"), Some(Duration::ZERO));
        assert_eq!(read("-5"), None);
        assert_eq!(read("soon"), None);
        assert_eq!(retry_after(&HeaderMap::new(), now), None);
    }

    #[test]
    fn a_servers_text_is_shown_as_one_clean_line() {
        assert_eq!(
            shown("\n  body\ttoo \x1b[31mlarge \nmore"),
            "bodytoo [31mlarge"
        );
        assert_eq!(shown("<!DOCTYPE html><html>"), "");
        assert_eq!(shown(&"x".repeat(1000)).len(), MAX_SHOWN_CHARS);
    }
}
