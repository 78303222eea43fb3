//! The `prof_jvm_*` metrics, derived as DataKit derives them from an upload (its code has been the
//! same from 1.39.0 on).

use std::fmt::Write;

use jfr_reader::{Event, Recording};
use serde_json::Value;

use crate::Period;
use crate::quantity::{self, Number};

const LIVE_OBJECT: &str = "datadog.HeapLiveObject";
const LIVE_OBJECTS: &str = "prof_jvm_lifetime_heap_objects";
/// What DataKit takes for the interval of CPU samples when the recording says none: 10 ms.
const DEFAULT_CPU_INTERVAL_NANOS: i64 = 10_000_000;
/// A JVM that says it started before 2020 is not believed: 2020-01-01T00:00:00Z.
const EARLIEST_START_UNIX_NANOS: i64 = 1_577_836_800_000_000_000;

/// A metric's value, in the number type that DataKit gives it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum MetricValue {
    /// A whole number.
    Int(i64),
    /// A fraction; infinite or no number at all when the period has no length.
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
    live: Option<LiveEstimate>,
}

/// What the samples of live objects stand for; DataKit only counts the samples.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LiveEstimate {
    /// Objects that are alive.
    pub objects: f64,
    /// Their bytes.
    pub bytes: f64,
}

impl Metrics {
    /// Derives all 38 from a recording of `period`, as DataKit does: rates are by the period, sums
    /// over all chunks, and what has no event is zero. Only the uptime is left out where the
    /// recording does not say when the JVM started, or says a time before 2020.
    pub fn derive(recording: &Recording<'_>, period: Period) -> Metrics {
        let mut sums = Sums::default();
        let mut live = None;
        for chunk in recording.chunks() {
            let mut live_in_chunk = None;
            for event in chunk.events().flatten() {
                if event.ty().is_event() {
                    sums.add(&event);
                    if event.type_name() == LIVE_OBJECT {
                        LiveEstimate::add(live_in_chunk.get_or_insert_default(), &event);
                    }
                }
            }
            // Each chunk tells of one moment.
            live = live_in_chunk.or(live);
        }
        Metrics {
            metrics: sums.metrics(period),
            live,
        }
    }

    /// How much was alive in the recording's last moment, by the samples' weights; `None` without
    /// samples of live objects.
    pub fn live_estimate(&self) -> Option<LiveEstimate> {
        self.live
    }

    /// All of them, in the order in which DataKit makes them.
    pub fn iter(&self) -> impl Iterator<Item = &Metric> {
        self.metrics.iter()
    }

    /// The value of the metric of that name.
    pub fn get(&self, name: &str) -> Option<MetricValue> {
        let metric = self.metrics.iter().find(|metric| metric.name == name);
        metric.map(|metric| metric.value)
    }

    /// One object keyed by the metrics' names; what is no finite number is `null`.
    pub fn to_json(&self) -> Value {
        let value = |value| match value {
            MetricValue::Int(value) => Value::from(value),
            MetricValue::Float(value) => Value::from(value),
        };
        self.metrics
            .iter()
            .map(|metric| (metric.name.to_owned(), value(metric.value)))
            .collect()
    }

    /// One line each: name, value and unit, aligned.
    pub fn to_table(&self) -> String {
        let rows: Vec<(&Metric, String)> = self
            .metrics
            .iter()
            .map(|metric| {
                let value = match metric.value {
                    MetricValue::Int(value) => value.to_string(),
                    MetricValue::Float(value) => format!("{value:.3}"),
                };
                (metric, value)
            })
            .collect();
        let width = |of: fn(&(&Metric, String)) -> usize| rows.iter().map(of).max().unwrap_or(0);
        let names = width(|(metric, _)| metric.name.len());
        let values = width(|(_, value)| value.len());
        let mut table = String::new();
        for (metric, value) in &rows {
            let note = match self.live {
                Some(live) if metric.name == LIVE_OBJECTS => format!(
                    " (samples; they stand for {:.0} objects of {:.0} bytes)",
                    live.objects, live.bytes
                ),
                _ => String::new(),
            };
            // Writing to a string does not fail.
            let _ = writeln!(
                table,
                "{:<names$}  {value:>values$}  {}{note}",
                metric.name, metric.unit
            );
        }
        table
    }
}

impl LiveEstimate {
    fn add(&mut self, event: &Event<'_>) {
        let size = quantity::bytes(event, "size");
        if let (Some(size), Some(weight)) = (size, Number::of(event, "weight")) {
            self.objects += weight.to_f64();
            self.bytes += size.to_f64() * weight.to_f64();
        }
    }
}

/// Maximum and sum over reads or writes.
#[derive(Debug, Default)]
struct Transfers {
    max_nanos: i64,
    nanos: i64,
    max_bytes: i64,
    bytes: i64,
}

impl Transfers {
    /// Without a duration the event does not count, without bytes its duration still does.
    fn add(&mut self, event: &Event<'_>, bytes_field: &str) {
        let Some(nanos) = duration(event) else { return };
        self.max_nanos = self.max_nanos.max(nanos.to_i64());
        self.nanos = self.nanos.wrapping_add(nanos.to_i64());
        let Some(bytes) = quantity::bytes(event, bytes_field) else {
            return;
        };
        self.max_bytes = self.max_bytes.max(bytes.to_i64());
        self.bytes = self.bytes.wrapping_add(bytes.to_i64());
    }
}

fn duration(event: &Event<'_>) -> Option<Number> {
    quantity::nanos(event, "duration")
}

/// What the events add up to, before it is put in relation to the period.
#[derive(Debug, Default)]
struct Sums {
    jvm_start_unix_nanos: Option<i64>,
    cpu_interval_nanos: Option<i64>,
    cpu_weight: i64,
    alloc_bytes: f64,
    allocs: f64,
    direct_alloc_bytes: i64,
    class_loader_statistics: i64,
    compilation_nanos: i64,
    switch_rates: f64,
    switch_rate_count: i64,
    throws: i64,
    file_reads: Transfers,
    file_writes: Transfers,
    socket_reads: Transfers,
    socket_writes: Transfers,
    gc_nanos: i64,
    gcs: i64,
    max_pause_nanos: i64,
    pause_nanos: i64,
    pauses: i64,
    live_objects: i64,
    heap_bytes: Option<i64>,
    max_lock_nanos: f64,
    locks: i64,
    thread_starts: i64,
    deadlocked_threads: i64,
}

impl Sums {
    fn add(&mut self, event: &Event<'_>) {
        match event.type_name() {
            "jdk.JVMInformation" => {
                let start = quantity::unix_nanos(event, "jvmStartTime")
                    .filter(|&start| start > EARLIEST_START_UNIX_NANOS);
                self.jvm_start_unix_nanos = self.jvm_start_unix_nanos.or(start);
            }
            "datadog.DatadogProfilerConfig" => {
                let interval = quantity::nanos(event, "cpuInterval")
                    .map(Number::to_i64)
                    .filter(|&interval| interval > 0);
                self.cpu_interval_nanos = self.cpu_interval_nanos.or(interval);
            }
            "datadog.ExecutionSample" => {
                if let Some(weight) = Number::of(event, "weight") {
                    self.cpu_weight = self.cpu_weight.wrapping_add(weight.to_i64());
                }
            }
            "datadog.ObjectSample" => {
                let size = quantity::bytes(event, "size");
                if let (Some(size), Some(weight)) = (size, Number::of(event, "weight")) {
                    self.alloc_bytes += size.to_f64() * weight.to_f64();
                    self.allocs += weight.to_f64();
                }
            }
            "datadog.DirectAllocationTotal" => {
                if let Some(bytes) = quantity::bytes(event, "allocated") {
                    self.direct_alloc_bytes = self.direct_alloc_bytes.wrapping_add(bytes.to_i64());
                }
            }
            "jdk.ClassLoaderStatistics" => self.class_loader_statistics += 1,
            "jdk.Compilation" => {
                if let Some(nanos) = duration(event) {
                    self.compilation_nanos = self.compilation_nanos.wrapping_add(nanos.to_i64());
                }
            }
            "jdk.ThreadContextSwitchRate" => {
                if let Some(rate) = Number::of(event, "switchRate") {
                    self.switch_rates += rate.to_f64();
                    self.switch_rate_count += 1;
                }
            }
            "datadog.ExceptionSample" => self.throws += 1,
            "jdk.FileRead" => self.file_reads.add(event, "bytesRead"),
            "jdk.FileWrite" => self.file_writes.add(event, "bytesWritten"),
            "jdk.SocketRead" => self.socket_reads.add(event, "bytesRead"),
            "jdk.SocketWrite" => self.socket_writes.add(event, "bytesWritten"),
            "jdk.GarbageCollection" => {
                if let Some(nanos) = duration(event) {
                    self.gc_nanos = self.gc_nanos.wrapping_add(nanos.to_i64());
                    self.gcs += 1;
                }
            }
            "jdk.GCPhasePause" => {
                if let Some(nanos) = duration(event) {
                    self.max_pause_nanos = self.max_pause_nanos.max(nanos.to_i64());
                    self.pause_nanos = self.pause_nanos.wrapping_add(nanos.to_i64());
                    self.pauses += 1;
                }
            }
            LIVE_OBJECT => self.live_objects += 1,
            "datadog.HeapUsage" => {
                let bytes = quantity::bytes(event, "size").map(Number::to_i64);
                self.heap_bytes = self.heap_bytes.or(bytes);
            }
            "jdk.JavaMonitorEnter" => {
                if let Some(nanos) = duration(event) {
                    self.max_lock_nanos = self.max_lock_nanos.max(nanos.to_f64());
                    self.locks += 1;
                }
            }
            "jdk.ThreadStart" => self.thread_starts += 1,
            "datadog.DeadlockedThread" => self.deadlocked_threads += 1,
            _ => {}
        }
    }

    fn metrics(&self, period: Period) -> Vec<Metric> {
        let period_nanos = period
            .end_unix_nanos
            .saturating_sub(period.start_unix_nanos);
        // In two parts, as Go's Duration.Seconds does it, so that the last bit is the same.
        let seconds =
            (period_nanos / 1_000_000_000) as f64 + (period_nanos % 1_000_000_000) as f64 / 1e9;
        let interval = self
            .cpu_interval_nanos
            .unwrap_or(DEFAULT_CPU_INTERVAL_NANOS);
        let cpu_nanos = self.cpu_weight.wrapping_mul(interval);
        let uptime = self
            .jvm_start_unix_nanos
            .map(|start| period.end_unix_nanos.saturating_sub(start));
        let average_gc = match self.gcs {
            0 => MetricValue::Int(0),
            count => MetricValue::Float(self.gc_nanos as f64 / count as f64),
        };
        let switch_rate = match self.switch_rate_count {
            0 => 0.0,
            count => self.switch_rates / count as f64,
        };
        let file_nanos = self.file_reads.nanos.wrapping_add(self.file_writes.nanos);

        let mut metrics = Vec::with_capacity(38);
        let mut push = |name, unit, value| metrics.push(Metric { name, unit, value });
        let int = MetricValue::Int;
        let float = MetricValue::Float;
        let rate = |count: f64| MetricValue::Float(count / seconds);
        if let Some(uptime) = uptime {
            push("prof_jvm_uptime_nanoseconds", "ns", int(uptime));
        }
        push(
            "prof_jvm_cpu_cores",
            "cores",
            float(cpu_nanos as f64 / period_nanos as f64),
        );
        push(
            "prof_jvm_alloc_bytes_total",
            "bytes",
            float(self.alloc_bytes),
        );
        push(
            "prof_jvm_alloc_bytes_per_sec",
            "bytes/s",
            rate(self.alloc_bytes),
        );
        push("prof_jvm_allocs_per_sec", "objects/s", rate(self.allocs));
        push(
            "prof_jvm_direct_alloc_bytes_per_sec",
            "bytes/s",
            rate(self.direct_alloc_bytes as f64),
        );
        push(
            "prof_jvm_class_loads_per_sec",
            "classes/s",
            rate(self.class_loader_statistics as f64),
        );
        push(
            "prof_jvm_compilation_time",
            "ns",
            int(self.compilation_nanos),
        );
        push(
            "prof_jvm_context_switches_per_sec",
            "switches/s",
            float(switch_rate),
        );
        push("prof_jvm_throws_total", "exceptions", int(self.throws));
        push(
            "prof_jvm_throws_per_sec",
            "exceptions/s",
            rate(self.throws as f64),
        );
        push(
            "prof_jvm_file_io_max_read_time",
            "ns",
            int(self.file_reads.max_nanos),
        );
        push(
            "prof_jvm_file_io_max_read_bytes",
            "bytes",
            int(self.file_reads.max_bytes),
        );
        push(
            "prof_jvm_file_io_read_time",
            "ns",
            int(self.file_reads.nanos),
        );
        push(
            "prof_jvm_file_io_read_bytes",
            "bytes",
            int(self.file_reads.bytes),
        );
        push(
            "prof_jvm_file_io_max_write_time",
            "ns",
            int(self.file_writes.max_nanos),
        );
        push(
            "prof_jvm_file_io_max_write_bytes",
            "bytes",
            int(self.file_writes.max_bytes),
        );
        push(
            "prof_jvm_file_io_write_time",
            "ns",
            int(self.file_writes.nanos),
        );
        push(
            "prof_jvm_file_io_write_bytes",
            "bytes",
            int(self.file_writes.bytes),
        );
        push("prof_jvm_file_io_time", "ns", int(file_nanos));
        push("prof_jvm_avg_gc_pause_time", "ns", average_gc);
        push(
            "prof_jvm_max_gc_pause_time",
            "ns",
            int(self.max_pause_nanos),
        );
        push("prof_jvm_gc_pause_time", "ns", int(self.pause_nanos));
        push(
            "prof_jvm_gc_pauses_per_sec",
            "pauses/s",
            rate(self.pauses as f64),
        );
        push(LIVE_OBJECTS, "objects", int(self.live_objects));
        push(
            "prof_jvm_lifetime_heap_bytes",
            "bytes",
            int(self.heap_bytes.unwrap_or(0)),
        );
        push(
            "prof_jvm_locks_max_wait_time",
            "ns",
            float(self.max_lock_nanos),
        );
        push("prof_jvm_locks_per_sec", "locks/s", rate(self.locks as f64));
        push(
            "prof_jvm_threads_created_per_sec",
            "threads/s",
            rate(self.thread_starts as f64),
        );
        push(
            "prof_jvm_threads_deadlocked",
            "threads",
            int(self.deadlocked_threads),
        );
        push(
            "prof_jvm_socket_io_max_read_time",
            "ns",
            int(self.socket_reads.max_nanos),
        );
        push(
            "prof_jvm_socket_io_max_read_bytes",
            "bytes",
            int(self.socket_reads.max_bytes),
        );
        push(
            "prof_jvm_socket_io_read_time",
            "ns",
            int(self.socket_reads.nanos),
        );
        push(
            "prof_jvm_socket_io_read_bytes",
            "bytes",
            int(self.socket_reads.bytes),
        );
        push(
            "prof_jvm_socket_io_max_write_time",
            "ns",
            int(self.socket_writes.max_nanos),
        );
        push(
            "prof_jvm_socket_io_max_write_bytes",
            "bytes",
            int(self.socket_writes.max_bytes),
        );
        push(
            "prof_jvm_socket_io_write_time",
            "ns",
            int(self.socket_writes.nanos),
        );
        push(
            "prof_jvm_socket_io_write_bytes",
            "bytes",
            int(self.socket_writes.bytes),
        );
        metrics
    }
}
