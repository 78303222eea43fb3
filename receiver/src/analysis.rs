//! What an upload says, read once and kept beside it. All of it blocks, and all of it reads bytes
//! that anyone may have sent.

use std::io;
use std::path::Path;

use flame_graph::FlameGraph;
use jfr_analysis::{EventJson, FlameOptions, Kind, Loaded, MetricValue, Metrics, Period, StackSet};
use serde::{Deserialize, Serialize};

use crate::limits::RECORDING_BYTES;
use crate::store::{Store, Upload};

/// Raised with each change of what is derived: older findings are made anew.
const VERSION: u32 = 2;
const FINDINGS: &str = "metrics.json";

/// What the profile of an upload says.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Findings {
    version: u32,
    /// What keeps DataKit, or us, from reading it.
    pub(crate) problems: Vec<String>,
    pub(crate) metrics: Vec<Finding>,
    /// Events with stacks, by kind.
    pub(crate) kinds: Vec<(String, u64)>,
    /// The profiler's own counters: losses and costs.
    pub(crate) counters: Vec<(String, i64)>,
}

/// One metric.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Finding {
    pub(crate) name: String,
    pub(crate) value: serde_json::Number,
    pub(crate) unit: String,
}

impl Findings {
    pub(crate) fn metric(&self, name: &str) -> Option<&Finding> {
        self.metrics.iter().find(|metric| metric.name == name)
    }
}

/// The metadata of an upload as far as it can be read.
pub(crate) struct Metadata {
    event: Option<EventJson>,
    pub(crate) problem: Option<String>,
}

impl Metadata {
    pub(crate) fn of(upload: &Upload) -> Self {
        match upload.event_json.as_deref().map(EventJson::parse) {
            None => Self {
                event: None,
                problem: None,
            },
            Some(Ok(event)) => Self {
                event: Some(event),
                problem: None,
            },
            Some(Err(error)) => Self {
                event: None,
                problem: Some(in_full(&error)),
            },
        }
    }

    pub(crate) fn get(&self, key: &str) -> Option<&str> {
        self.event
            .as_ref()?
            .get(key)
            .filter(|value| !value.is_empty())
    }

    /// The first of the keys that has a value.
    pub(crate) fn first(&self, keys: &[&str]) -> Option<&str> {
        keys.iter().find_map(|key| self.get(key))
    }

    fn period(&self) -> Option<Result<Period, String>> {
        Some(
            self.event
                .as_ref()?
                .period()
                .map_err(|error| in_full(&error)),
        )
    }
}

/// The findings that lie beside the upload, if it has been read.
pub(crate) fn known(store: &Store, id: &str) -> Option<Findings> {
    let json = std::fs::read(store.path(id).ok()?.join(FINDINGS)).ok()?;
    serde_json::from_slice::<Findings>(&json)
        .ok()
        .filter(|findings| findings.version == VERSION)
}

/// The findings; reads the profile when that has not been done.
pub(crate) fn findings(store: &Store, upload: &Upload) -> io::Result<Findings> {
    if let Some(findings) = known(store, &upload.id) {
        return Ok(findings);
    }
    let mut findings = examine(upload);
    findings.version = VERSION;
    let folder = store.path(&upload.id)?;
    let temporary = folder.join(format!(".{FINDINGS}"));
    std::fs::write(&temporary, serde_json::to_vec_pretty(&findings)?)?;
    std::fs::rename(temporary, folder.join(FINDINGS))?;
    Ok(findings)
}

fn examine(upload: &Upload) -> Findings {
    let mut findings = Findings::default();
    let metadata = Metadata::of(upload);
    findings.problems.extend(metadata.problem.clone());
    let Some(jfr) = &upload.jfr else {
        return findings;
    };
    let loaded = match load(jfr) {
        Ok(loaded) => loaded,
        Err(problem) => {
            findings.problems.push(problem);
            return findings;
        }
    };
    let recording = match loaded.recording() {
        Ok(recording) => recording,
        Err(error) => {
            findings.problems.push(format!(
                "the profile is not readable as JFR: {}",
                in_full(&error)
            ));
            return findings;
        }
    };
    let period = match metadata.period() {
        Some(Ok(period)) => Some(period),
        Some(Err(problem)) => {
            findings.problems.push(problem);
            None
        }
        None => Period::of_chunks(&recording),
    };
    if let Some(period) = period {
        findings.metrics = Metrics::derive(&recording, period)
            .iter()
            .filter_map(|metric| {
                let value = match metric.value {
                    MetricValue::Int(value) => value.into(),
                    MetricValue::Float(value) => serde_json::Number::from_f64(value)?,
                };
                Some(Finding {
                    name: metric.name.to_owned(),
                    value,
                    unit: metric.unit.to_owned(),
                })
            })
            .collect();
    }
    let kinds = jfr_analysis::kinds(&recording);
    findings.kinds = Kind::ALL
        .iter()
        .filter_map(|kind| Some((kind.name().to_owned(), *kinds.get(kind.name())?)))
        .collect();
    findings.counters = jfr_analysis::counters(&recording).into_iter().collect();
    findings
}

/// The flame graph of one kind of events; what keeps it from being made is a text for the user.
pub(crate) fn flame(
    upload: &Upload,
    kind: &str,
    title: String,
    threads: bool,
) -> Result<FlameGraph, String> {
    let kind: Kind = kind.parse().map_err(|error| in_full(&error))?;
    let jfr = upload
        .jfr
        .as_deref()
        .ok_or("the upload has no profile part")?;
    let loaded = load(jfr)?;
    let recording = loaded.recording().map_err(|error| in_full(&error))?;
    let options = FlameOptions {
        title,
        threads,
        notes: jfr_analysis::losses(&jfr_analysis::counters(&recording))
            .into_iter()
            .collect(),
    };
    Ok(jfr_analysis::flame_graph(
        &StackSet::collect(&recording, kind),
        &options,
    ))
}

fn load(jfr: &Path) -> Result<Loaded, String> {
    jfr_analysis::load(jfr, RECORDING_BYTES).map_err(|error| in_full(&error))
}

/// An error with its causes on one line.
fn in_full(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
