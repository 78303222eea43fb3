use jfr_reader::Recording;

use crate::Period;

/// A metric's value, in the number type that DataKit gives it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum MetricValue {
    /// A whole number.
    Int(i64),
    /// A fraction.
    Float(f64),
}

/// One metric.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Metric {
    /// `prof_jvm_cpu_cores` …
    pub name: &'static str,
    /// What it is counted in, for people.
    pub unit: &'static str,
    /// Its value.
    pub value: MetricValue,
}

/// The `prof_jvm_*` metrics of one profile.
#[derive(Clone, Debug, PartialEq)]
pub struct Metrics {
    metrics: Vec<Metric>,
}

impl Metrics {
    /// Derives them as DataKit does.
    pub fn derive(_recording: &Recording<'_>, _period: Period) -> Metrics {
        todo!()
    }

    /// All of them, in DataKit's order.
    pub fn iter(&self) -> impl Iterator<Item = &Metric> {
        self.metrics.iter()
    }

    /// One object keyed by the metrics' names.
    pub fn to_json(&self) -> serde_json::Value {
        todo!()
    }

    /// An aligned table with units.
    pub fn to_table(&self) -> String {
        todo!()
    }
}
