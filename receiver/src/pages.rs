//! The receiver's own pages: the list of uploads, and one page per upload. No script, one style.

use std::fmt::Write;
use std::time::SystemTime;

use time::OffsetDateTime;
use time::macros::format_description;

use crate::analysis::{Findings, Metadata};
use crate::html::{Human, Long, Size, Text};
use crate::store::Upload;

pub(crate) const STYLE: &str = include_str!("../assets/receiver.css");
pub(crate) const STYLE_PATH: &str = "/assets/receiver.css";

/// What the list shows of one upload.
pub(crate) struct Entry {
    pub(crate) upload: Upload,
    pub(crate) metadata: Metadata,
    /// `None`: not read yet.
    pub(crate) findings: Option<Findings>,
}

impl Entry {
    fn problems(&self) -> impl Iterator<Item = &str> {
        let found = self.findings.iter().flat_map(|findings| &findings.problems);
        let metadata = self
            .metadata
            .problem
            .iter()
            .filter(|_| self.findings.is_none());
        self.upload
            .problems
            .iter()
            .chain(metadata)
            .chain(found)
            .map(String::as_str)
    }

    fn service(&self) -> &str {
        self.metadata.get("service").unwrap_or("unnamed-service")
    }

    fn start(&self) -> &str {
        self.metadata
            .first(&["recording-start", "start"])
            .unwrap_or("–")
    }

    fn end(&self) -> &str {
        self.metadata
            .first(&["recording-end", "end"])
            .unwrap_or("–")
    }

    /// The title of its page and of its flame graphs.
    pub(crate) fn title(&self) -> String {
        let host = self.metadata.get("host").unwrap_or("an unnamed host");
        let (start, end) = span(self.start(), self.end());
        format!("{} on {host}, {start} to {end}", self.service())
    }
}

/// The newest uploads. `older` is the id to go on from, when there are more.
pub(crate) fn list(entries: &[Entry], total: usize, older: Option<&str>, address: &str) -> String {
    let mut body = String::from("<h1>jprof: received profiles</h1>");
    if entries.is_empty() {
        let _ = write!(
            body,
            "<p class=\"hint\">No profile has come yet. Start a program with</p>\
             <pre>java -agentpath:/path/to/libjprof.so=service=demo,period=10s,url=http://{} -jar app.jar</pre>\
             <p class=\"hint\">The first profile comes within one period; this page shows it after a reload.</p>",
            Text(address)
        );
        return page("jprof: received profiles", &body);
    }
    let _ = write!(
        body,
        "<p class=\"hint\">{total} kept, newest first. Times are UTC.</p>"
    );
    body.push_str(
        "<div class=\"wide\"><table><thead><tr><th>Received</th><th>Service</th><th>Env</th><th>Version</th><th>Host</th><th>Start</th><th>End</th>\
         <th class=\"number\">Size</th><th class=\"number\">CPU cores</th><th></th></tr></thead><tbody>",
    );
    for entry in entries {
        row(&mut body, entry);
    }
    body.push_str("</tbody></table></div>");
    if let Some(id) = older {
        let _ = write!(body, "<p><a href=\"/?before={}\">Older</a></p>", Text(id));
    }
    page("jprof: received profiles", &body)
}

fn row(body: &mut String, entry: &Entry) {
    let id = Text(&entry.upload.id);
    let tag = |key: &str| Text(entry.metadata.get(key).unwrap_or("–")).to_string();
    let (start, end) = span(entry.start(), entry.end());
    let cores = match &entry.findings {
        None => "…".to_owned(),
        Some(findings) => findings
            .metric("prof_jvm_cpu_cores")
            .and_then(|metric| metric.value.as_f64())
            .map_or("–".to_owned(), |cores| format!("{cores:.3}")),
    };
    let _ = write!(
        body,
        "<tr><td><a href=\"/uploads/{id}\">{}</a></td><td><strong>{}</strong></td><td>{}</td><td>{}</td><td>{}</td><td class=\"time\">{}</td><td class=\"time\">{}</td>\
         <td class=\"number\">{}</td><td class=\"number\">{cores}</td><td class=\"links\">",
        clock(entry.upload.received_at),
        Text(entry.service()),
        tag("env"),
        tag("version"),
        tag("host"),
        Text(&start),
        Text(&end),
        Size(entry.upload.jfr_bytes),
    );
    if entry.upload.jfr.is_some() {
        let _ = write!(
            body,
            "<a href=\"/uploads/{id}/flame\">flame graph</a> <a href=\"/uploads/{id}/main.jfr\">download</a>"
        );
    }
    body.push_str("</td></tr>");
    for problem in entry.problems() {
        let _ = write!(
            body,
            "<tr class=\"problem\"><td></td><td colspan=\"9\">{}</td></tr>",
            Text(problem)
        );
    }
}

/// Everything about one upload.
pub(crate) fn upload(entry: &Entry) -> String {
    let upload = &entry.upload;
    let mut body = format!(
        "<p><a href=\"/\">All profiles</a></p><h1>{}</h1><p class=\"hint\">received {} UTC, {}</p>",
        Text(&entry.title()),
        clock(upload.received_at),
        Size(upload.jfr_bytes),
    );
    for problem in entry.problems() {
        let _ = write!(body, "<p class=\"problem\">{}</p>", Text(problem));
    }
    links(&mut body, entry);
    if let Some(findings) = &entry.findings {
        let metrics = findings.metrics.iter().map(|metric| {
            let value = metric.value.to_string();
            let human = Human(&metric.value, &metric.unit).to_string();
            [metric.name.clone(), value, metric.unit.clone(), human]
        });
        table(&mut body, "Metrics, as DataKit derives them", metrics);
        let counters = findings.counters.iter().map(|(name, count)| {
            [
                name.clone(),
                count.to_string(),
                String::new(),
                String::new(),
            ]
        });
        table(
            &mut body,
            "Counters of the profiler: losses and costs",
            counters,
        );
    }
    if let Some(json) = &upload.event_json {
        let text = String::from_utf8_lossy(json);
        body.push_str("<h2>event.json</h2><pre>");
        for line in indented(&text).lines() {
            let _ = writeln!(body, "{}", Long(line));
        }
        body.push_str("</pre>");
    }
    page(&entry.title(), &body)
}

/// A line of links per kind of events, and the files.
fn links(body: &mut String, entry: &Entry) {
    let upload = &entry.upload;
    let id = Text(&upload.id);
    body.push_str("<ul class=\"links\">");
    for (kind, events) in entry.findings.iter().flat_map(|findings| &findings.kinds) {
        let kind = Text(kind);
        let _ = write!(
            body,
            "<li><strong>{kind}</strong> <a href=\"/uploads/{id}/flame?kind={kind}\">flame graph</a> \
             <a href=\"/uploads/{id}/flame?kind={kind}&amp;threads=1\">by thread</a> \
             <span class=\"hint\">{events} events</span></li>"
        );
    }
    body.push_str("<li><strong>files</strong> ");
    if upload.jfr.is_some() {
        let _ = write!(body, "<a href=\"/uploads/{id}/main.jfr\">main.jfr</a> ");
    }
    if upload.event_json.is_some() {
        let _ = write!(body, "<a href=\"/uploads/{id}/event.json\">event.json</a>");
    }
    body.push_str("</li></ul>");
}

/// Rows of name, value, unit, and the value for people.
fn table(body: &mut String, title: &str, rows: impl Iterator<Item = [String; 4]>) {
    let mut rows = rows.peekable();
    if rows.peek().is_none() {
        return;
    }
    let _ = write!(body, "<h2>{title}</h2><table><tbody>");
    for [name, value, unit, human] in rows {
        let _ = write!(
            body,
            "<tr><td>{}</td><td class=\"number\">{}</td><td>{}</td><td class=\"hint\">{}</td></tr>",
            Text(&name),
            Text(&value),
            Text(&unit),
            Text(&human)
        );
    }
    body.push_str("</tbody></table>");
}

/// One sentence instead of what was asked for.
pub(crate) fn message(title: &str, text: &str) -> String {
    page(
        title,
        &format!(
            "<p><a href=\"/\">All profiles</a></p><h1>{}</h1><p class=\"problem\">{}</p>",
            Text(title),
            Text(text)
        ),
    )
}

fn page(title: &str, body: &str) -> String {
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <meta name=\"color-scheme\" content=\"light dark\"><title>{}</title>\
         <link rel=\"stylesheet\" href=\"{STYLE_PATH}\"></head><body><main>{body}</main></body></html>\n",
        Text(title)
    )
}

fn clock(time: SystemTime) -> String {
    OffsetDateTime::from(time)
        .format(format_description!(
            "[year]-[month]-[day] [hour]:[minute]:[second]"
        ))
        .unwrap_or_default()
}

/// `2025-10-09T08:53:20.123456789Z` -> `2025-10-09 08:53:20`: a list needs no more. Another
/// zone's time, or what is no time, stays as it is.
fn seconds(time: &str) -> Option<String> {
    let plain =
        time.len() >= 20 && time.ends_with('Z') && time.is_ascii() && time.as_bytes()[10] == b'T';
    plain.then(|| format!("{} {}", &time[..10], &time[11..19]))
}

/// Start and end, the end without its day when it is the start's.
fn span(start: &str, end: &str) -> (String, String) {
    match (seconds(start), seconds(end)) {
        (Some(start), Some(end)) if start[..10] == end[..10] => {
            let end = end[11..].to_owned();
            (start, end)
        }
        (short_start, short_end) => (
            short_start.unwrap_or_else(|| start.to_owned()),
            short_end.unwrap_or_else(|| end.to_owned()),
        ),
    }
}

/// JSON with one member per line; other text as it is.
fn indented(text: &str) -> String {
    serde_json::from_str::<serde_json::Value>(text)
        .and_then(|value| serde_json::to_string_pretty(&value))
        .unwrap_or_else(|_| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_names_its_day_once() {
        let (a, b) = span("2025-10-09T08:53:20.123456789Z", "2025-10-09T08:54:20Z");
        assert_eq!(
            (a.as_str(), b.as_str()),
            ("2025-10-09 08:53:20", "08:54:20")
        );
        let (a, b) = span("2025-10-09T23:59:30Z", "2025-10-10T00:00:30Z");
        assert_eq!(
            (a.as_str(), b.as_str()),
            ("2025-10-09 23:59:30", "2025-10-10 00:00:30")
        );
        let (a, b) = span("–", "2025-10-09T08:53:20+08:00");
        assert_eq!((a.as_str(), b.as_str()), ("–", "2025-10-09T08:53:20+08:00"));
    }

    #[test]
    fn an_empty_list_says_how_to_send_a_profile() {
        let page = list(&[], 0, None, "127.0.0.1:9529");
        assert!(page.contains("url=http://127.0.0.1:9529 -jar app.jar"));
    }
}
