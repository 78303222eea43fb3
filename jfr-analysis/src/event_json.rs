use std::collections::BTreeMap;

use jfr_reader::Recording;
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::AnalysisError;

/// The time that a profile covers, in nanoseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    /// Its begin.
    pub start_unix_nanos: i64,
    /// Its end.
    pub end_unix_nanos: i64,
}

impl Period {
    /// From the first begin of a chunk to the last end of one; `None` without a chunk.
    pub fn of_chunks(recording: &Recording<'_>) -> Option<Period> {
        let headers = || recording.chunks().iter().map(|chunk| chunk.header());
        Some(Period {
            start_unix_nanos: headers().map(|header| header.start_unix_nanos).min()?,
            end_unix_nanos: headers()
                .map(|header| {
                    header
                        .start_unix_nanos
                        .saturating_add(header.duration_nanos)
                })
                .max()?,
        })
    }
}

/// An upload's metadata, merged into one flat map as DataKit merges it.
///
/// `tags_profiler` is split on commas and each piece on its first colon; then every other top-level
/// key is added for which there is no non-empty tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventJson {
    values: BTreeMap<String, String>,
}

impl EventJson {
    /// Reads the metadata part of an upload, `event.json`.
    ///
    /// # Errors
    /// When it is no JSON object.
    pub fn parse(json: &[u8]) -> Result<EventJson, AnalysisError> {
        let object: serde_json::Map<String, Value> = serde_json::from_slice(json)
            .map_err(|error| AnalysisError::EventJson(error.to_string()))?;
        let mut values = BTreeMap::new();
        let tags = object.get("tags_profiler").map(text_of).unwrap_or_default();
        for tag in tags.split(',').filter(|_| !tags.is_empty()) {
            let (key, value) = match tag.split_once(':') {
                Some((key, value)) if !key.is_empty() => (key, value),
                _ => (tag, ""),
            };
            values.insert(key.to_owned(), value.to_owned());
        }
        for (key, value) in &object {
            let present = values.get(key).is_some_and(|tag| !tag.is_empty());
            if key != "tags_profiler" && !present {
                values.insert(key.clone(), text_of(value));
            }
        }
        Ok(EventJson { values })
    }

    /// The value of a tag or of a top-level key; never empty.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.values
            .get(key)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    /// `recording-start` or `start`, to `recording-end` or `end`.
    ///
    /// # Errors
    /// When one is missing or is no RFC 3339 time; DataKit then makes no metrics.
    pub fn period(&self) -> Result<Period, AnalysisError> {
        Ok(Period {
            start_unix_nanos: self.time("start")?,
            end_unix_nanos: self.time("end")?,
        })
    }

    fn time(&self, key: &str) -> Result<i64, AnalysisError> {
        let long_key = format!("recording-{key}");
        let given = [long_key.as_str(), key]
            .into_iter()
            .filter_map(|key| self.get(key));
        let mut wrong = None;
        for text in given {
            match unix_nanos(text) {
                Some(nanos) => return Ok(nanos),
                None => wrong = Some(text),
            }
        }
        Err(AnalysisError::EventJson(match wrong {
            Some(text) => format!("{key} is no RFC 3339 time: {text:?}"),
            None => format!("it has neither {key} nor {long_key}"),
        }))
    }
}

fn unix_nanos(text: &str) -> Option<i64> {
    let time = OffsetDateTime::parse(text, &Rfc3339).ok()?;
    time.unix_timestamp_nanos().try_into().ok()
}

fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(values) => values.iter().map(text_of).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &str) -> EventJson {
        EventJson::parse(json.as_bytes()).expect("an object")
    }

    #[test]
    fn a_tag_beats_the_top_level_key_unless_it_is_empty() {
        let event = parse(
            r#"{"version":"4","host":"top","env":"prod","tags_profiler":"version:1.2.3,host:,url:http://a:1,flag"}"#,
        );
        assert_eq!(event.get("version"), Some("1.2.3"));
        assert_eq!(event.get("host"), Some("top"));
        assert_eq!(event.get("env"), Some("prod"));
        assert_eq!(event.get("url"), Some("http://a:1"));
        assert_eq!(event.get("flag"), None);
        assert_eq!(event.get("tags_profiler"), None);
    }

    #[test]
    fn times_are_rfc_3339_of_either_name() {
        let event = parse(
            r#"{"start":"2025-10-09T08:53:20.000000001Z","recording-end":"2025-10-09T16:54:20+08:00"}"#,
        );
        let period = event.period().expect("two times");
        assert_eq!(period.start_unix_nanos, 1_760_000_000_000_000_001);
        assert_eq!(period.end_unix_nanos, 1_760_000_060_000_000_000);
    }

    #[test]
    fn the_long_name_counts_first_and_a_wrong_one_falls_back() {
        let event = parse(
            r#"{"recording-start":"yesterday","start":"1970-01-01T00:00:01Z",
                "recording-end":"1970-01-01T00:00:03Z","end":"1970-01-01T00:00:02Z"}"#,
        );
        let period = event.period().expect("two times");
        assert_eq!(period.start_unix_nanos, 1_000_000_000);
        assert_eq!(period.end_unix_nanos, 3_000_000_000);
    }

    #[test]
    fn what_is_wrong_with_a_time_is_said() {
        let error = |json| parse(json).period().expect_err("no period").to_string();
        assert_eq!(
            error(r#"{"end":"1970-01-01T00:00:03Z"}"#),
            "event.json: it has neither start nor recording-start"
        );
        assert_eq!(
            error(r#"{"start":1760000000}"#),
            r#"event.json: start is no RFC 3339 time: "1760000000""#
        );
        assert_eq!(
            error(r#"{"start":"2025-10-09T08:53:20+0800"}"#),
            r#"event.json: start is no RFC 3339 time: "2025-10-09T08:53:20+0800""#
        );
        assert!(EventJson::parse(b"[]").is_err());
    }
}
