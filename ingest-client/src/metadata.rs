//! What a profile is, beside its bytes: DataKit's `event.json`.
//!
//! DataKit reads the object into one flat map. `tags_profiler` is split at every comma and each piece at its first
//! colon, a later piece of the same name wins; then each other top-level key is added, but only where no tag of that
//! name has a value. So a comma in a value would end it, and a tag called `start` would replace the profile's start.
//! [`ProfileMetadata::to_event_json`] lets neither happen.
use serde::Serialize;
use serde_json::{Map, Value};
use time::OffsetDateTime;
use time::format_description::well_known::iso8601::{Config, EncodedConfig, TimePrecision};
use time::format_description::well_known::{Iso8601, Rfc3339};

/// RFC 3339 in UTC with nine digits, `2025-10-09T08:53:20.000000000Z`: one form for one instant, so that the `end` of
/// a profile and the `start` of the next are the same text when they are the same nanosecond.
const NINE_DIGITS: EncodedConfig = Config::DEFAULT
    .set_time_precision(TimePrecision::Second {
        decimal_digits: std::num::NonZero::new(9),
    })
    .encode();

/// Top-level keys of `event.json`, and the other names under which DataKit looks for the times. A tag of such a name
/// would take the key's place, so it is sent as `tag_NAME`.
const RESERVED: [&str; 11] = [
    "attachments",
    "start",
    "end",
    "recording-start",
    "recording-end",
    "family",
    "format",
    "profiler",
    "tags_profiler",
    "sub_custom_tags",
    "tags[]",
];

/// What a profile is, beside its bytes.
///
/// Tags may hold any text: what DataKit cannot read is replaced when `event.json` is written. A comma in a value
/// becomes `;`, a comma or colon in a name `_`, control characters a blank; a tag without a name or a value is left
/// out; of two tags of one name the later value is sent; `language` is always `java`, since DataKit derives a JVM's
/// metrics only then; and a name that is a key of `event.json` itself (`start`, `format` …) gets the prefix `tag_`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProfileMetadata {
    /// When the profile begins, nanoseconds since 1970-01-01 UTC.
    pub start_unix_nanos: u64,
    /// When the profile ends, nanoseconds since 1970-01-01 UTC. It must lie after the start: DataKit divides by the
    /// difference.
    pub end_unix_nanos: u64,
    /// Tags of the profile, in the order in which they are sent.
    pub tags: Vec<(String, String)>,
    /// Tags for the metrics that DataKit derives from the profile (`sub_custom_tags`).
    pub custom_tags: Vec<(String, String)>,
}

/// Why a text is no `event.json`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MetadataError {
    /// The text is not JSON.
    #[error("event.json is not JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// The text is JSON, but no object.
    #[error("event.json holds no JSON object")]
    NotAnObject,
    /// Neither of the two keys that may hold this time does.
    #[error("event.json says no {0}: it needs \"{0}\" as RFC 3339 text")]
    NoTime(&'static str),
    /// A time is not RFC 3339, or lies before 1970 or after 2554.
    #[error(
        "event.json: {key} {text:?} is no time that DataKit reads, such as 2025-10-09T08:53:20.5Z"
    )]
    BadTime {
        /// `start` or `end`.
        key: &'static str,
        /// What stands there.
        text: String,
    },
}

#[derive(Serialize)]
struct Event<'a> {
    attachments: [&'a str; 1],
    start: String,
    end: String,
    family: &'a str,
    language: &'a str,
    format: &'a str,
    profiler: &'a str,
    tags_profiler: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    sub_custom_tags: String,
}

impl ProfileMetadata {
    /// The text of `event.json`.
    pub fn to_event_json(&self) -> String {
        let mut tags = sendable(&self.tags);
        match tags.iter_mut().find(|(name, _)| name == "language") {
            Some((_, value)) => *value = "java".to_owned(),
            None => tags.push(("language".to_owned(), "java".to_owned())),
        }
        let event = Event {
            attachments: ["main.jfr"],
            start: rfc3339(self.start_unix_nanos),
            end: rfc3339(self.end_unix_nanos),
            family: "java",
            language: "java",
            format: "jfr",
            profiler: "jprof",
            tags_profiler: joined(&tags),
            sub_custom_tags: joined(&sendable(&self.custom_tags)),
        };
        serde_json::to_string(&event).expect("strings always serialize")
    }

    /// Reads an `event.json` as DataKit does, its own or another profiler's.
    ///
    /// Top-level texts, numbers and truth values that are no key of [`Self::to_event_json`] become tags, where no tag
    /// has that name.
    ///
    /// # Errors
    /// When the text is no JSON object, or a time is missing or is not RFC 3339.
    pub fn from_event_json(text: &str) -> Result<ProfileMetadata, MetadataError> {
        let Value::Object(event) = serde_json::from_str(text)? else {
            return Err(MetadataError::NotAnObject);
        };
        let mut tags = split(text_of(&event, "tags_profiler"));
        for (name, value) in &event {
            let value = match value {
                Value::String(value) => value.clone(),
                Value::Number(value) => value.to_string(),
                Value::Bool(value) => value.to_string(),
                Value::Null | Value::Array(_) | Value::Object(_) => continue,
            };
            let known = RESERVED.contains(&name.as_str()) || name == "language";
            if !known && !tags.iter().any(|(tag, had)| tag == name && !had.is_empty()) {
                tags.push((name.clone(), value));
            }
        }
        let start_unix_nanos = time_of(&event, &mut tags, "start", "recording-start")?;
        let end_unix_nanos = time_of(&event, &mut tags, "end", "recording-end")?;
        Ok(ProfileMetadata {
            start_unix_nanos,
            end_unix_nanos,
            tags,
            custom_tags: split(text_of(&event, "sub_custom_tags")),
        })
    }

    /// The value of a tag.
    pub fn tag(&self, name: &str) -> Option<&str> {
        let found = self.tags.iter().rev().find(|(tag, _)| tag == name);
        found.map(|(_, value)| value.as_str())
    }
}

fn rfc3339(unix_nanos: u64) -> String {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(unix_nanos))
        .ok()
        .and_then(|at| at.format(&Iso8601::<NINE_DIGITS>).ok())
        .expect("64 bits of nanoseconds end in the year 2554")
}

/// The tags as DataKit can read them back, one of each name.
fn sendable(tags: &[(String, String)]) -> Vec<(String, String)> {
    let mut out: Vec<(String, String)> = Vec::with_capacity(tags.len());
    for (name, value) in tags {
        let name: String = name.chars().map(plain).collect();
        let mut name = name.trim().replace([',', ':'], "_");
        let value: String = value.chars().map(plain).collect();
        let value = value.trim().replace(',', ";");
        if name.is_empty() || value.is_empty() {
            continue;
        }
        if RESERVED.contains(&name.as_str()) {
            name.insert_str(0, "tag_");
        }
        match out.iter_mut().find(|(had, _)| *had == name) {
            Some(had) => had.1 = value,
            None => out.push((name, value)),
        }
    }
    out
}

fn plain(c: char) -> char {
    if c.is_control() { ' ' } else { c }
}

fn joined(tags: &[(String, String)]) -> String {
    let pairs: Vec<String> = tags.iter().map(|(k, v)| format!("{k}:{v}")).collect();
    pairs.join(",")
}

fn split(text: &str) -> Vec<(String, String)> {
    let mut tags: Vec<(String, String)> = Vec::new();
    for piece in text.split(',').filter(|piece| !piece.is_empty()) {
        let (name, value) = match piece.split_once(':') {
            Some((name, value)) if !name.is_empty() => (name, value),
            _ => (piece, ""),
        };
        match tags.iter_mut().find(|(had, _)| had == name) {
            Some(had) => had.1 = value.to_owned(),
            None => tags.push((name.to_owned(), value.to_owned())),
        }
    }
    tags
}

fn text_of<'a>(event: &'a Map<String, Value>, key: &str) -> &'a str {
    event.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// The time under `key`, or under `alias`, which DataKit looks at first; a tag of the name beats the key, and is taken
/// out of the tags.
fn time_of(
    event: &Map<String, Value>,
    tags: &mut Vec<(String, String)>,
    key: &'static str,
    alias: &'static str,
) -> Result<u64, MetadataError> {
    let mut texts = Vec::new();
    for name in [alias, key] {
        let tag = tags.iter().position(|(tag, _)| tag == name);
        texts.extend(tag.map(|at| tags.remove(at).1));
        texts.push(text_of(event, name).to_owned());
    }
    texts.retain(|text| !text.is_empty());
    let parsed = texts.iter().find_map(|text| {
        let at = OffsetDateTime::parse(text, &Rfc3339).ok()?;
        u64::try_from(at.unix_timestamp_nanos()).ok()
    });
    match (parsed, texts.pop()) {
        (Some(nanos), _) => Ok(nanos),
        (None, Some(text)) => Err(MetadataError::BadTime { key, text }),
        (None, None) => Err(MetadataError::NoTime(key)),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    fn tags(of: &[(&str, &str)]) -> Vec<(String, String)> {
        of.iter()
            .map(|&(k, v)| (k.to_owned(), v.to_owned()))
            .collect()
    }

    #[test]
    fn the_text_is_the_recommended_one() {
        let metadata = ProfileMetadata {
            start_unix_nanos: 1_760_000_000_000_000_000,
            end_unix_nanos: 1_760_000_060_000_000_001,
            tags: tags(&[
                ("library_version", "0.1.0"),
                ("library_type", "jprof"),
                ("process_id", "4242"),
                ("language", "java"),
                ("host", "h"),
                ("service", "demo"),
            ]),
            custom_tags: tags(&[("pod_name", "p"), ("pod_namespace", "n")]),
        };
        assert_eq!(
            metadata.to_event_json(),
            r#"{"attachments":["main.jfr"],"start":"2025-10-09T08:53:20.000000000Z","end":"2025-10-09T08:54:20.000000001Z","family":"java","language":"java","format":"jfr","profiler":"jprof","tags_profiler":"library_version:0.1.0,library_type:jprof,process_id:4242,language:java,host:h,service:demo","sub_custom_tags":"pod_name:p,pod_namespace:n"}"#
        );
        let read = ProfileMetadata::from_event_json(&metadata.to_event_json()).unwrap();
        assert_eq!(read, metadata);
    }

    #[test]
    fn without_custom_tags_the_key_is_absent_and_java_is_always_said() {
        let json = ProfileMetadata::default().to_event_json();
        assert_eq!(
            json,
            r#"{"attachments":["main.jfr"],"start":"1970-01-01T00:00:00.000000000Z","end":"1970-01-01T00:00:00.000000000Z","family":"java","language":"java","format":"jfr","profiler":"jprof","tags_profiler":"language:java"}"#
        );
    }

    #[test]
    fn what_would_break_the_reading_is_replaced() {
        let metadata = ProfileMetadata {
            tags: tags(&[
                ("image", "repo/app:1.2"),
                ("list", "a,b,,c"),
                ("a:b,c", "v"),
                ("start", "never"),
                ("language", "golang"),
                ("text", "two\nlines\t"),
                ("", "nameless"),
                ("empty", ""),
                ("env", "old"),
                ("env", "prod"),
            ]),
            ..ProfileMetadata::default()
        };
        let json: Value = serde_json::from_str(&metadata.to_event_json()).unwrap();
        assert_eq!(
            json["tags_profiler"],
            "image:repo/app:1.2,list:a;b;;c,a_b_c:v,tag_start:never,language:java,text:two lines,env:prod"
        );
    }

    #[test]
    fn other_profilers_metadata_is_read_as_datakit_reads_it() {
        let read = ProfileMetadata::from_event_json(
            r#"{"recording-start":"2025-10-09T16:53:20.25+08:00","end":"2025-10-09T08:53:21Z","version":"4",
                "family":"java","pid":7,"tags_profiler":"service:a,version:1.2.3,flag,service:b:c","info":{"x":1}}"#,
        )
        .unwrap();
        assert_eq!(read.start_unix_nanos, 1_760_000_000_250_000_000);
        assert_eq!(read.end_unix_nanos, 1_760_000_001_000_000_000);
        assert_eq!(
            read.tags,
            tags(&[
                ("service", "b:c"),
                ("version", "1.2.3"),
                ("flag", ""),
                ("pid", "7")
            ])
        );
    }

    #[test]
    fn errors_name_the_key() {
        let text = |json| {
            ProfileMetadata::from_event_json(json)
                .unwrap_err()
                .to_string()
        };
        assert!(text("{").starts_with("event.json is not JSON: "));
        assert_eq!(text("[]"), "event.json holds no JSON object");
        assert_eq!(
            text("{}"),
            "event.json says no start: it needs \"start\" as RFC 3339 text"
        );
        assert_eq!(
            text(r#"{"start":"2025-10-09T08:53:20Z","end":"2025-10-09 08:53:21"}"#),
            "event.json: end \"2025-10-09 08:53:21\" is no time that DataKit reads, such as 2025-10-09T08:53:20.5Z"
        );
        assert!(text(r#"{"start":"1969-12-31T23:59:59Z","end":"x"}"#).contains("start"));
    }

    /// The reading that the module's head describes, written down a second time.
    fn datakit_map(json: &str) -> HashMap<String, String> {
        let Value::Object(event) = serde_json::from_str(json).unwrap() else {
            panic!("no object")
        };
        let mut map = HashMap::new();
        for piece in event["tags_profiler"].as_str().unwrap().split(',') {
            let at = piece.find(':').filter(|&at| at > 0);
            let (name, value) = at.map_or((piece, ""), |at| (&piece[..at], &piece[at + 1..]));
            map.insert(name.to_owned(), value.to_owned());
        }
        for (name, value) in event.iter().filter(|(name, _)| *name != "tags_profiler") {
            let had = map.entry(name.clone()).or_default();
            if had.is_empty() {
                *had = value.as_str().unwrap_or("list").to_owned();
            }
        }
        map
    }

    proptest! {
        #[test]
        fn datakit_reads_every_tag_back(
            start in any::<u64>(),
            given in proptest::collection::vec(("[a-c:,]{0,3}|start|end|language|format|\\PC{0,4}|[\\x00-\\x20,:]{0,3}", "\\PC{0,6}|[a,:\n\" ]{0,5}"), 0..8),
        ) {
            let metadata = ProfileMetadata { start_unix_nanos: start, end_unix_nanos: start, tags: given.clone(), custom_tags: given };
            let json = metadata.to_event_json();
            let map = datakit_map(&json);
            let normal = sendable(&metadata.tags);
            for (name, value) in &normal {
                let expected = if name == "language" { "java" } else { value.as_str() };
                prop_assert_eq!(map.get(name).map(String::as_str), Some(expected));
            }
            prop_assert_eq!(&map["language"], "java");
            prop_assert_eq!(&map["start"], &map["end"]);
            prop_assert_eq!(&map["start"], &rfc3339(start));
            prop_assert_eq!(&map["format"], "jfr");
            // Seven keys, the custom tags when there are any, and the tags; the language is a key too.
            let others = normal.iter().filter(|(name, _)| name != "language").count();
            prop_assert_eq!(map.len(), 7 + usize::from(!normal.is_empty()) + others);
            // What was sent once is sent again unchanged.
            let again = ProfileMetadata::from_event_json(&json).unwrap();
            prop_assert_eq!(again.start_unix_nanos, start);
            prop_assert_eq!(again.to_event_json(), json);
        }
    }
}
