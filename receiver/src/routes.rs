//! Which request gets which answer.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::TryStreamExt;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, BodyStream, Full, StreamBody};
use hyper::body::{Body, Frame, Incoming};
use hyper::header::{
    CACHE_CONTROL, CONNECTION, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_SECURITY_POLICY,
    CONTENT_TYPE, EXPECT, HeaderName, HeaderValue, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use hyper::{Method, Request, Response, StatusCode};
use tokio::io::AsyncReadExt;
use tokio::sync::Semaphore;

use crate::analysis::{self, Metadata};
use crate::guard::Guard;
use crate::ingest::{self, Outcome};
use crate::limits::{ANALYSES, BODY_BYTES, BODY_TIME, LISTED};
use crate::pages::{self, Entry};
use crate::server::Event;
use crate::store::{EVENT, PROFILE, Store};

const INPUT: &str = "/profiling/v1/input";
const PING: &str = "/v1/ping";
const GRAPH_SCRIPT: &str = "/assets/flame-graph.js";
const GRAPH_STYLE: &str = "/assets/flame-graph.css";
const HTML: &str = "text/html; charset=utf-8";
const TEXT: &str = "text/plain; charset=utf-8";
const JSON: &str = "application/json";
/// Nothing but the receiver's own script and style; no page may frame it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

pub(crate) type Answer = Response<BoxBody<Bytes, io::Error>>;

/// What all requests share.
pub(crate) struct Shared {
    pub(crate) store: Arc<Store>,
    pub(crate) guard: Guard,
    pub(crate) address: String,
    pub(crate) host_name: String,
    pub(crate) analyses: Arc<Semaphore>,
    pub(crate) on_event: Box<dyn Fn(Event<'_>) + Send + Sync>,
}

impl Shared {
    pub(crate) fn new(
        store: Arc<Store>,
        guard: Guard,
        address: String,
        host_name: String,
        on_event: Box<dyn Fn(Event<'_>) + Send + Sync>,
    ) -> Self {
        Self {
            store,
            guard,
            address,
            host_name,
            analyses: Arc::new(Semaphore::new(ANALYSES)),
            on_event,
        }
    }

    /// Runs what blocks and what needs memory, a few at a time. A panic in it is an error of that
    /// one request.
    async fn analyse<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Store) -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let _permit = self.analyses.acquire().await.map_err(io::Error::other)?;
        let store = Arc::clone(&self.store);
        tokio::task::spawn_blocking(move || work(&store))
            .await
            .unwrap_or_else(|_| Err(io::Error::other("the profile cannot be read: this is a bug in jprof; keep main.jfr and report it")))
    }
}

/// Answers one request.
pub(crate) async fn answer(shared: Arc<Shared>, request: Request<Incoming>) -> Answer {
    let path = request.uri().path().to_owned();
    let upload = path == INPUT || path == PING;
    let mut answer = match shared
        .guard
        .check(request.headers(), request.uri().authority(), upload)
    {
        Err(refusal) => {
            (shared.on_event)(Event::Refused {
                reason: refusal.text().trim_end(),
            });
            text(StatusCode::FORBIDDEN, TEXT, refusal.text())
        }
        Ok(()) => match (request.method(), path.as_str()) {
            (&Method::POST, INPUT) => take(&shared, request).await,
            (&Method::GET | &Method::HEAD, _) => {
                show(&shared, &path, request.uri().query().unwrap_or("")).await
            }
            _ => not_found(),
        },
    };
    let headers = answer.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(
        HeaderName::from_static("cross-origin-resource-policy"),
        HeaderValue::from_static("same-origin"),
    );
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let name = format!("{}/{}", env!("CARGO_PKG_VERSION"), shared.host_name);
    if let Ok(name) = HeaderValue::from_str(&name) {
        headers.insert(HeaderName::from_static("x-datakit"), name);
    }
    answer
}

/// An upload.
async fn take(shared: &Arc<Shared>, request: Request<Incoming>) -> Answer {
    let (head, body) = request.into_parts();
    let announced = head
        .headers
        .get(CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|length| length > BODY_BYTES) && head.headers.contains_key(EXPECT) {
        // The client waits for a word before it sends: it need not send at all.
        return too_large(shared);
    }
    let data = BodyStream::new(body).try_filter_map(|frame| async { Ok(frame.into_data().ok()) });
    let received = tokio::time::timeout(
        BODY_TIME,
        ingest::receive(&shared.store, &head.headers, Box::pin(data)),
    )
    .await;
    match received {
        Err(_) => {
            (shared.on_event)(Event::Refused {
                reason: "an upload took longer than 30 s",
            });
            closing(text(
                StatusCode::REQUEST_TIMEOUT,
                TEXT,
                "the body did not come within 30 s\n",
            ))
        }
        Ok(Outcome::Kept(upload)) => {
            (shared.on_event)(Event::Kept(&upload));
            let shared = Arc::clone(shared);
            // The list shows metrics: read them now, beside the answer.
            tokio::spawn(async move {
                shared
                    .analyse(move |store| analysis::findings(store, &upload))
                    .await
            });
            text(StatusCode::OK, TEXT, "")
        }
        Ok(Outcome::TooLarge) => too_large(shared),
        Ok(Outcome::BrokenOff(fault)) => {
            let reason = format!("an upload broke off: {fault}");
            (shared.on_event)(Event::Refused { reason: &reason });
            closing(text(StatusCode::BAD_REQUEST, TEXT, format!("{reason}\n")))
        }
        Ok(Outcome::NotKept(error)) => {
            let reason = format!("an upload could not be kept: {error}");
            (shared.on_event)(Event::Refused { reason: &reason });
            text(
                StatusCode::INTERNAL_SERVER_ERROR,
                TEXT,
                format!("{reason}\n"),
            )
        }
    }
}

fn too_large(shared: &Shared) -> Answer {
    (shared.on_event)(Event::Refused {
        reason: "an upload is larger than 32 MiB",
    });
    closing(text(
        StatusCode::BAD_REQUEST,
        TEXT,
        format!(
            "http: request body too large: the limit is {BODY_BYTES} bytes; send a shorter period\n"
        ),
    ))
}

/// A page or a file.
async fn show(shared: &Arc<Shared>, path: &str, query: &str) -> Answer {
    let result = match path {
        "/" => list(shared, query).await,
        PING => Ok(ping(shared)),
        pages::STYLE_PATH => Ok(text(
            StatusCode::OK,
            "text/css; charset=utf-8",
            pages::STYLE,
        )),
        GRAPH_STYLE => Ok(text(
            StatusCode::OK,
            "text/css; charset=utf-8",
            flame_graph::STYLE,
        )),
        GRAPH_SCRIPT => Ok(text(
            StatusCode::OK,
            "text/javascript; charset=utf-8",
            flame_graph::SCRIPT,
        )),
        _ => match path
            .strip_prefix("/uploads/")
            .map(|rest| rest.split_once('/').unwrap_or((rest, "")))
        {
            Some((id, "")) => upload(shared, id.to_owned()).await,
            Some((id, "flame")) => flame(shared, id.to_owned(), query).await,
            Some((id, PROFILE)) => file(shared, id, PROFILE, "application/octet-stream").await,
            Some((id, EVENT)) => file(shared, id, EVENT, JSON).await,
            _ => Ok(not_found()),
        },
    };
    result.unwrap_or_else(|error| match error.kind() {
        io::ErrorKind::NotFound => not_found(),
        _ => text(
            StatusCode::INTERNAL_SERVER_ERROR,
            HTML,
            pages::message("This cannot be shown", &error.to_string()),
        ),
    })
}

fn ping(shared: &Shared) -> Answer {
    let content = serde_json::json!({
        "content": {"version": env!("CARGO_PKG_VERSION"), "host": shared.host_name}
    });
    text(StatusCode::OK, JSON, content.to_string())
}

async fn list(shared: &Arc<Shared>, query: &str) -> io::Result<Answer> {
    let before = parameter(query, "before").map(str::to_owned);
    let address = shared.address.clone();
    let store = Arc::clone(&shared.store);
    let page = tokio::task::spawn_blocking(move || {
        let ids = store.ids()?;
        let total = ids.len();
        let end = before.map_or(total, |before| ids.partition_point(|id| *id < before));
        let begin = end.saturating_sub(LISTED);
        let entries: Vec<Entry> = ids[begin..end]
            .iter()
            .rev()
            // One that was just dropped to make room is no reason to show nothing.
            .filter_map(|id| entry(&store, id).ok())
            .collect();
        let older = (begin > 0).then(|| ids[begin].as_str());
        Ok::<_, io::Error>(pages::list(&entries, total, older, &address))
    })
    .await
    .map_err(io::Error::other)??;
    Ok(text(StatusCode::OK, HTML, page))
}

fn entry(store: &Store, id: &str) -> io::Result<Entry> {
    let upload = store.upload(id)?;
    Ok(Entry {
        metadata: Metadata::of(&upload),
        findings: analysis::known(store, id),
        upload,
    })
}

async fn upload(shared: &Arc<Shared>, id: String) -> io::Result<Answer> {
    let page = shared
        .analyse(move |store| {
            let mut entry = entry(store, &id)?;
            entry.findings = Some(analysis::findings(store, &entry.upload)?);
            Ok(pages::upload(&entry))
        })
        .await?;
    Ok(text(StatusCode::OK, HTML, page))
}

async fn flame(shared: &Arc<Shared>, id: String, query: &str) -> io::Result<Answer> {
    let kind = parameter(query, "kind").unwrap_or("cpu").to_owned();
    let threads = parameter(query, "threads") == Some("1");
    let page = shared
        .analyse(move |store| {
            let entry = entry(store, &id)?;
            let links = [
                (format!("/uploads/{id}"), "Metrics".to_owned()),
                ("/".to_owned(), "All profiles".to_owned()),
            ];
            let linked = flame_graph::Linked {
                script: GRAPH_SCRIPT,
                style: GRAPH_STYLE,
                links: &links,
            };
            Ok(
                analysis::flame(&entry.upload, &kind, entry.title(), threads)
                    .map(|graph| graph.render_linked(&linked)),
            )
        })
        .await?;
    Ok(match page {
        Ok(page) => text(StatusCode::OK, HTML, page),
        Err(problem) => text(
            StatusCode::UNPROCESSABLE_ENTITY,
            HTML,
            pages::message("No flame graph", &problem),
        ),
    })
}

/// A part of an upload, as received.
async fn file(
    shared: &Shared,
    id: &str,
    name: &str,
    content_type: &'static str,
) -> io::Result<Answer> {
    let file = tokio::fs::File::open(shared.store.path(id)?.join(name)).await?;
    let length = file.metadata().await?.len();
    let pieces = futures_util::stream::try_unfold(file, |mut file| async move {
        let mut piece = Vec::with_capacity(64 << 10);
        let read = (&mut file).take(64 << 10).read_to_end(&mut piece).await?;
        Ok::<_, io::Error>((read > 0).then(|| (Frame::data(Bytes::from(piece)), file)))
    });
    let mut answer = Response::new(StreamBody::new(pieces).boxed());
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CONTENT_LENGTH, length.into());
    let disposition = format!("attachment; filename=\"{id}-{name}\"");
    headers.insert(
        CONTENT_DISPOSITION,
        HeaderValue::from_str(&disposition).map_err(io::Error::other)?,
    );
    Ok(answer)
}

/// The value of a query parameter that needs no decoding, as all of ours.
fn parameter<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .find_map(|(key, value)| (key == name).then_some(value))
}

fn not_found() -> Answer {
    text(
        StatusCode::NOT_FOUND,
        HTML,
        pages::message(
            "404: nothing here",
            "Profiles are posted to /profiling/v1/input; the list of what came is on the first page.",
        ),
    )
}

/// After an answer in the middle of a body the connection is of no more use.
fn closing(mut answer: Answer) -> Answer {
    answer
        .headers_mut()
        .insert(CONNECTION, HeaderValue::from_static("close"));
    answer
}

fn text(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Answer {
    let body = Full::new(body.into());
    let length = body.size_hint().exact().unwrap_or(0);
    let mut answer = Response::new(body.map_err(|never| match never {}).boxed());
    *answer.status_mut() = status;
    if length > 0 {
        answer
            .headers_mut()
            .insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    }
    answer
}
