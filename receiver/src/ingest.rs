//! Takes one upload off the wire, as DataKit does: whatever the content, the answer is 200 once
//! the body is kept. What DataKit would stumble over afterwards is written down as a problem.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use hyper::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap};
use multer::{Field, Multipart};
use serde_json::{Map, Value};
use tokio::fs::File;
use tokio::io::{AsyncWriteExt, BufWriter};

use crate::limits::{BODY_BYTES, DRAINED_BYTES, EVENT_BYTES, FORM_VALUE_BYTES, PARTS};
use crate::store::{EVENT, Incoming, PROFILE, Store, Upload};

/// How an upload ended.
#[derive(Debug)]
pub(crate) enum Outcome {
    Kept(Upload),
    TooLarge,
    /// The client went away in the middle.
    BrokenOff(String),
    /// The disk did not take it.
    NotKept(io::Error),
}

/// Reads the body to its end and keeps what it holds.
pub(crate) async fn receive<S, E>(store: &Arc<Store>, headers: &HeaderMap, body: S) -> Outcome
where
    S: Stream<Item = Result<Bytes, E>> + Send + Unpin,
    E: std::error::Error + Send + Sync + 'static,
{
    let mut body = Counted::new(body);
    let incoming = match store.begin() {
        Ok(incoming) => incoming,
        Err(error) => return Outcome::NotKept(error),
    };
    let mut parts = Parts::new(incoming);
    match boundary(headers) {
        Ok(boundary) => match parts.take_all(&mut body, boundary).await {
            Ok(()) => {}
            Err(PartFault::Disk(error)) => return Outcome::NotKept(error),
            Err(PartFault::Form(problem)) => parts.problems.push(problem),
        },
        Err(problem) => parts.problems.push(problem),
    }
    body.drain().await;
    if body.too_large {
        return Outcome::TooLarge;
    }
    if let Some(fault) = body.fault {
        return Outcome::BrokenOff(fault);
    }
    let store = Arc::clone(store);
    tokio::task::spawn_blocking(move || parts.keep(&store))
        .await
        .unwrap_or_else(|fault| Err(io::Error::other(fault)))
        .map_or_else(Outcome::NotKept, Outcome::Kept)
}

fn boundary(headers: &HeaderMap) -> Result<String, String> {
    if headers
        .get(CONTENT_ENCODING)
        .is_some_and(|encoding| encoding != "identity")
    {
        return Err("the whole body is compressed (Content-Encoding); DataKit answers 200 and drops such an upload".to_owned());
    }
    headers
        .get(CONTENT_TYPE)
        .and_then(|content_type| content_type.to_str().ok())
        .and_then(|content_type| multer::parse_boundary(content_type).ok())
        .ok_or_else(|| {
            "the body is not multipart/form-data; DataKit answers 200 and drops such an upload"
                .to_owned()
        })
}

/// The body, counted: ends with an error behind the largest size, and remembers why it ended.
struct Counted<S> {
    body: S,
    bytes: u64,
    too_large: bool,
    fault: Option<String>,
    done: bool,
}

impl<S> Counted<S> {
    fn new(body: S) -> Self {
        Self {
            body,
            bytes: 0,
            too_large: false,
            fault: None,
            done: false,
        }
    }
}

impl<S, E> Counted<S>
where
    S: Stream<Item = Result<Bytes, E>> + Unpin,
    E: std::error::Error + Send + Sync + 'static,
{
    async fn drain(&mut self) {
        while !self.done && self.bytes < BODY_BYTES + DRAINED_BYTES {
            match self.body.next().await {
                Some(Ok(data)) => {
                    self.bytes += data.len() as u64;
                    self.too_large |= self.bytes > BODY_BYTES;
                }
                Some(Err(error)) => {
                    self.fault = Some(error.to_string());
                    self.done = true;
                }
                None => self.done = true,
            }
        }
    }
}

impl<S, E> Stream for Counted<S>
where
    S: Stream<Item = Result<Bytes, E>> + Unpin,
    E: std::error::Error + Send + Sync + 'static,
{
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        if this.done {
            return Poll::Ready(None);
        }
        Pin::new(&mut this.body)
            .poll_next(context)
            .map(|next| match next {
                Some(Ok(data)) => {
                    this.bytes += data.len() as u64;
                    this.too_large = this.bytes > BODY_BYTES;
                    Some(if this.too_large {
                        Err(io::ErrorKind::FileTooLarge.into())
                    } else {
                        Ok(data)
                    })
                }
                Some(Err(error)) => {
                    this.done = true;
                    this.fault = Some(error.to_string());
                    Some(Err(io::Error::other(error)))
                }
                None => {
                    this.done = true;
                    None
                }
            })
    }
}

/// Why the parts could not be read to the end.
enum PartFault {
    Disk(io::Error),
    Form(String),
}

impl From<multer::Error> for PartFault {
    fn from(error: multer::Error) -> Self {
        Self::Form(format!(
            "the multipart body is damaged ({error}); DataKit answers 200 and drops such an upload"
        ))
    }
}

/// What a part is for DataKit.
#[derive(Debug, PartialEq, Eq)]
enum Role {
    Event,
    Profile,
    FormValue,
    Attachment,
}

/// A part without a file name is a form value, whatever its name.
fn role(name: Option<&str>, file_name: Option<&str>) -> Role {
    let Some(file_name) = file_name else {
        return Role::FormValue;
    };
    match name {
        Some("event" | "event.json") => Role::Event,
        Some("main" | "main.jfr" | "auto" | "auto.jfr") => Role::Profile,
        _ if file_name.ends_with(".jfr") => Role::Profile,
        _ => Role::Attachment,
    }
}

/// The parts of an upload as they come.
struct Parts {
    incoming: Incoming,
    form: Vec<(String, String)>,
    event: Option<Vec<u8>>,
    profiles: usize,
    problems: Vec<String>,
}

impl Parts {
    fn new(incoming: Incoming) -> Self {
        Self {
            incoming,
            form: Vec::new(),
            event: None,
            profiles: 0,
            problems: Vec::new(),
        }
    }

    async fn take_all<S>(&mut self, body: &mut S, boundary: String) -> Result<(), PartFault>
    where
        S: Stream<Item = io::Result<Bytes>> + Send + Unpin,
    {
        let mut multipart = Multipart::new(body, boundary);
        for _ in 0..PARTS {
            let Some(mut field) = multipart.next_field().await? else {
                return Ok(());
            };
            match role(field.name(), field.file_name()) {
                Role::Event => match bounded(&mut field, EVENT_BYTES).await? {
                    Some(event) => self.event = Some(event),
                    None => self.problems.push(format!(
                        "the metadata part is larger than {EVENT_BYTES} bytes and was not kept"
                    )),
                },
                Role::Profile => {
                    self.profiles += 1;
                    if self.profiles == 1 {
                        self.write_profile(&mut field).await?;
                    }
                }
                Role::FormValue => {
                    let name = field.name().unwrap_or_default().to_owned();
                    if let Some(value) = bounded(&mut field, FORM_VALUE_BYTES).await? {
                        self.form
                            .push((name, String::from_utf8_lossy(&value).into_owned()));
                    }
                }
                Role::Attachment => {}
            }
        }
        self.problems
            .push(format!("more than {PARTS} parts; the rest was not read"));
        Ok(())
    }

    async fn write_profile(&mut self, field: &mut Field<'_>) -> Result<(), PartFault> {
        let file = File::create(self.incoming.path().join(PROFILE))
            .await
            .map_err(PartFault::Disk)?;
        let mut file = BufWriter::with_capacity(256 << 10, file);
        while let Some(data) = field.chunk().await? {
            file.write_all(&data).await.map_err(PartFault::Disk)?;
        }
        file.flush().await.map_err(PartFault::Disk)
    }

    /// Blocking: writes what is still in memory and gives the upload its name.
    fn keep(mut self, store: &Store) -> io::Result<Upload> {
        if self.form.iter().any(|(name, _)| name == "tags[]") {
            // DataKit does not look at the metadata part then.
            self.event = Some(serde_json::to_vec(&old_style_event(&self.form))?);
        }
        match &self.event {
            Some(event) => std::fs::write(self.incoming.path().join(EVENT), event)?,
            None => self
                .problems
                .push("no metadata part (a file part named event)".to_owned()),
        }
        match self.profiles {
            0 => self.problems.push(
                "no profile part (a file part named main, or whose file name ends in .jfr)"
                    .to_owned(),
            ),
            1 => {}
            many => self.problems.push(format!(
                "{many} profile parts: DataKit picks one at random; the first was kept"
            )),
        }
        store.keep(self.incoming, self.problems)
    }
}

/// The part's bytes; `None` when it has more than `limit`.
async fn bounded(field: &mut Field<'_>, limit: usize) -> Result<Option<Vec<u8>>, PartFault> {
    let mut bytes = Vec::new();
    while let Some(data) = field.chunk().await? {
        if bytes.len() + data.len() > limit {
            return Ok(None);
        }
        bytes.extend_from_slice(&data);
    }
    Ok(Some(bytes))
}

/// The old style sends tags and times as form values: the same under the keys of the new style.
fn old_style_event(form: &[(String, String)]) -> Value {
    let tags: Vec<&str> = form
        .iter()
        .filter(|(name, _)| name == "tags[]")
        .map(|(_, value)| value.as_str())
        .collect();
    let mut event: Map<String, Value> = form
        .iter()
        .filter(|(name, _)| name != "tags[]")
        .map(|(name, value)| (name.clone(), Value::from(value.as_str())))
        .collect();
    event.insert("tags_profiler".to_owned(), Value::from(tags.join(",")));
    Value::Object(event)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_told_apart_as_datakit_does() {
        assert_eq!(role(Some("event"), Some("event.json")), Role::Event);
        assert_eq!(role(Some("event.json"), Some("x")), Role::Event);
        assert_eq!(role(Some("main"), Some("x")), Role::Profile);
        assert_eq!(role(Some("auto.jfr"), Some("x")), Role::Profile);
        assert_eq!(role(Some("x"), Some("y.jfr")), Role::Profile);
        assert_eq!(role(None, Some("y.jfr")), Role::Profile);
        assert_eq!(role(Some("main"), None), Role::FormValue);
        assert_eq!(
            role(Some("metrics"), Some("metrics.json")),
            Role::Attachment
        );
    }

    #[test]
    fn form_values_become_metadata() {
        let form = [
            ("tags[]", "service:a"),
            ("recording-start", "t"),
            ("tags[]", "env:b"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(
            old_style_event(&form),
            serde_json::json!({"recording-start": "t", "tags_profiler": "service:a,env:b"})
        );
    }
}
