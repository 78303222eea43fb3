//! The metrics of lists of events with known answers.

use jfr_analysis::{MetricValue, Metrics, Period, counters};
use jfr_reader::Recording;

use crate::chunk_builder::{ChunkBuilder, FieldSpec, field};

const SECOND: i64 = 1_000_000_000;
const START: i64 = 1_700_000_000 * SECOND;

fn span(name: &str, unit: &str) -> FieldSpec {
    field(name, "long").annotated("jdk.jfr.Timespan", unit)
}

fn amount(name: &str) -> FieldSpec {
    field(name, "long").annotated("jdk.jfr.DataAmount", "")
}

/// The metrics over ten seconds.
fn derive(builder: &ChunkBuilder) -> Metrics {
    derive_over(&[builder], 10 * SECOND)
}

fn derive_over(builders: &[&ChunkBuilder], nanos: i64) -> Metrics {
    let bytes: Vec<u8> = builders
        .iter()
        .flat_map(|builder| builder.build())
        .collect();
    let recording = Recording::parse(&bytes).expect("a recording");
    let period = Period {
        start_unix_nanos: START,
        end_unix_nanos: START + nanos,
    };
    Metrics::derive(&recording, period)
}

#[track_caller]
fn assert_int(metrics: &Metrics, name: &str, expected: i64) {
    let value = metrics.get(&format!("prof_jvm_{name}"));
    assert_eq!(value, Some(MetricValue::Int(expected)), "{name}");
}

#[track_caller]
fn assert_float(metrics: &Metrics, name: &str, expected: f64) {
    let value = metrics.get(&format!("prof_jvm_{name}"));
    assert_eq!(value, Some(MetricValue::Float(expected)), "{name}");
}

fn cpu(interval: Option<(i64, &str)>, weights: &[i64]) -> ChunkBuilder {
    let mut builder = ChunkBuilder::new(true);
    builder.add_event_type("datadog.ExecutionSample", vec![field("weight", "long")]);
    if let Some((interval, unit)) = interval {
        let name = "datadog.DatadogProfilerConfig";
        builder.add_event_type(name, vec![span("cpuInterval", unit)]);
        builder.add_event(name, |values| {
            values.long(interval);
        });
    }
    for weight in weights {
        builder.add_event("datadog.ExecutionSample", |values| {
            values.long(*weight);
        });
    }
    builder
}

#[test]
fn without_events_all_but_the_uptime_are_zero() {
    let metrics = derive(&ChunkBuilder::new(true));
    assert_eq!(metrics.iter().count(), 37);
    assert_eq!(metrics.get("prof_jvm_uptime_nanoseconds"), None);
    for metric in metrics.iter() {
        match metric.value {
            MetricValue::Int(value) => assert_eq!(value, 0, "{}", metric.name),
            MetricValue::Float(value) => assert_eq!(value, 0.0, "{}", metric.name),
        }
    }
    assert_int(&metrics, "avg_gc_pause_time", 0);
    assert_float(&metrics, "locks_max_wait_time", 0.0);
}

#[test]
fn cpu_is_weights_times_the_interval() {
    let metrics = derive(&cpu(Some((9_900_000, "NANOSECONDS")), &[1, 2, 97]));
    assert_float(&metrics, "cpu_cores", 100.0 * 9_900_000.0 / 1e10);
    let metrics = derive(&cpu(Some((20, "MILLISECONDS")), &[50]));
    assert_float(&metrics, "cpu_cores", 0.1);
}

#[test]
fn the_interval_is_10_ms_where_none_is_positive() {
    assert_float(&derive(&cpu(None, &[500])), "cpu_cores", 0.5);
    for useless in [
        (0, "NANOSECONDS"),
        (-5, "NANOSECONDS"),
        (7, ""),
        (7, "MICROSECONDS"),
    ] {
        assert_float(&derive(&cpu(Some(useless), &[500])), "cpu_cores", 0.5);
    }
}

#[test]
fn the_first_positive_interval_serves_all_chunks() {
    let first = cpu(Some((0, "NANOSECONDS")), &[100]);
    let second = cpu(Some((20_000_000, "NANOSECONDS")), &[100]);
    let third = cpu(Some((30_000_000, "NANOSECONDS")), &[100]);
    let metrics = derive_over(&[&first, &second, &third], 10 * SECOND);
    assert_float(&metrics, "cpu_cores", 0.6);
}

#[test]
fn the_jdk_s_own_samples_are_not_counted() {
    let mut builder = ChunkBuilder::new(true);
    builder.add_event_type("jdk.ExecutionSample", vec![field("weight", "long")]);
    builder.add_event("jdk.ExecutionSample", |values| {
        values.long(1_000);
    });
    assert_float(&derive(&builder), "cpu_cores", 0.0);
}

#[test]
fn the_uptime_needs_a_start_after_2020() {
    let uptime = |start: i64, unit: &str| {
        let mut builder = ChunkBuilder::new(true);
        let at = field("jvmStartTime", "long").annotated("jdk.jfr.Timestamp", unit);
        builder.add_event_type("jdk.JVMInformation", vec![at]);
        builder.add_event("jdk.JVMInformation", |values| {
            values.long(start);
        });
        derive(&builder).get("prof_jvm_uptime_nanoseconds")
    };
    let millis = "MILLISECONDS_SINCE_EPOCH";
    assert_eq!(
        uptime(1_699_999_999_000, millis),
        Some(MetricValue::Int(11 * SECOND))
    );
    assert_eq!(uptime(1_577_836_800_000, millis), None);
    assert!(uptime(1_577_836_800_001, millis).is_some());
    assert_eq!(uptime(1_699_999_999_000, ""), None);
    // Ticks two seconds after the chunk's start, by a clock of nanoseconds: 10 - 2 s.
    assert_eq!(
        uptime(1_000 + 2 * SECOND, "TICKS"),
        Some(MetricValue::Int(8 * SECOND))
    );
    // Seventy seconds before it, DataKit's 64 bits overflow: 3.787 s after it, not 70 s before.
    assert_eq!(
        uptime(1_000 - 70 * SECOND, "TICKS"),
        Some(MetricValue::Int(10 * SECOND - 3_786_976_294))
    );
}

#[test]
fn allocations_are_weighted() {
    let mut builder = ChunkBuilder::new(true);
    let name = "datadog.ObjectSample";
    builder.add_event_type(name, vec![amount("size"), field("weight", "float")]);
    for (size, weight) in [(16, 2.5_f32), (1 << 20, 1.0)] {
        builder.add_event(name, |values| {
            values.long(size).float(weight);
        });
    }
    let metrics = derive(&builder);
    let bytes = 40.0 + 1_048_576.0;
    assert_float(&metrics, "alloc_bytes_total", bytes);
    assert_float(&metrics, "alloc_bytes_per_sec", bytes / 10.0);
    assert_float(&metrics, "allocs_per_sec", 0.35);
}

#[test]
fn a_size_without_a_unit_counts_nothing() {
    let mut builder = ChunkBuilder::new(true);
    let name = "datadog.ObjectSample";
    builder.add_event_type(name, vec![field("size", "long"), field("weight", "float")]);
    builder.add_event(name, |values| {
        values.long(16).float(1.0);
    });
    let metrics = derive(&builder);
    assert_float(&metrics, "alloc_bytes_total", 0.0);
    assert_float(&metrics, "allocs_per_sec", 0.0);
}

#[test]
fn what_is_only_counted_needs_no_fields() {
    let mut builder = ChunkBuilder::new(true);
    for (name, count) in [
        ("jdk.ClassLoaderStatistics", 20),
        ("datadog.ExceptionSample", 30),
        ("datadog.HeapLiveObject", 40),
        ("jdk.ThreadStart", 50),
        ("datadog.DeadlockedThread", 2),
    ] {
        builder.add_event_type(name, vec![]);
        for _ in 0..count {
            builder.add_event(name, |_| {});
        }
    }
    let metrics = derive(&builder);
    assert_float(&metrics, "class_loads_per_sec", 2.0);
    assert_int(&metrics, "throws_total", 30);
    assert_float(&metrics, "throws_per_sec", 3.0);
    assert_int(&metrics, "lifetime_heap_objects", 40);
    assert_float(&metrics, "threads_created_per_sec", 5.0);
    assert_int(&metrics, "threads_deadlocked", 2);
}

#[test]
fn a_type_that_is_no_event_is_not_counted() {
    let mut builder = ChunkBuilder::new(true);
    let start = field("startTime", "long").annotated("jdk.jfr.Timestamp", "TICKS");
    builder.add_type("jdk.ThreadStart", "other.Event", vec![start]);
    builder.add_event("jdk.ThreadStart", |_| {});
    assert_float(&derive(&builder), "threads_created_per_sec", 0.0);
}

#[test]
fn transfers_are_summed_and_the_largest_is_kept() {
    let mut builder = ChunkBuilder::new(true);
    builder.ticks_per_second = 2_000_000_000;
    for (name, bytes) in [
        ("jdk.FileRead", "bytesRead"),
        ("jdk.FileWrite", "bytesWritten"),
        ("jdk.SocketRead", "bytesRead"),
        ("jdk.SocketWrite", "bytesWritten"),
    ] {
        builder.add_event_type(name, vec![span("duration", "TICKS"), amount(bytes)]);
    }
    let mut add = |name: &str, ticks: i64, bytes: i64| {
        builder.add_event(name, |values| {
            values.long(ticks).long(bytes);
        });
    };
    add("jdk.FileRead", 200, 10);
    add("jdk.FileRead", 401, 5);
    add("jdk.FileRead", 2, -1);
    add("jdk.FileWrite", 1_000, 7);
    add("jdk.SocketRead", 4_000, 8);
    add("jdk.SocketWrite", 6_000, 9);
    let metrics = derive(&builder);
    // 401 ticks are 200.5 ns, cut off. The -1 of an end of file is added as it is.
    assert_int(&metrics, "file_io_max_read_time", 200);
    assert_int(&metrics, "file_io_read_time", 301);
    assert_int(&metrics, "file_io_max_read_bytes", 10);
    assert_int(&metrics, "file_io_read_bytes", 14);
    assert_int(&metrics, "file_io_max_write_time", 500);
    assert_int(&metrics, "file_io_write_time", 500);
    assert_int(&metrics, "file_io_max_write_bytes", 7);
    assert_int(&metrics, "file_io_write_bytes", 7);
    assert_int(&metrics, "file_io_time", 801);
    assert_int(&metrics, "socket_io_max_read_time", 2_000);
    assert_int(&metrics, "socket_io_max_read_bytes", 8);
    assert_int(&metrics, "socket_io_read_time", 2_000);
    assert_int(&metrics, "socket_io_read_bytes", 8);
    assert_int(&metrics, "socket_io_max_write_time", 3_000);
    assert_int(&metrics, "socket_io_max_write_bytes", 9);
    assert_int(&metrics, "socket_io_write_time", 3_000);
    assert_int(&metrics, "socket_io_write_bytes", 9);
}

#[test]
fn a_transfer_counts_its_time_without_bytes_but_not_its_bytes_without_time() {
    let mut builder = ChunkBuilder::new(true);
    let no_bytes = vec![span("duration", "NANOSECONDS"), field("bytesRead", "long")];
    builder.add_event_type("jdk.FileRead", no_bytes);
    let no_time = vec![field("duration", "long"), amount("bytesRead")];
    builder.add_event_type("jdk.SocketRead", no_time);
    for name in ["jdk.FileRead", "jdk.SocketRead"] {
        builder.add_event(name, |values| {
            values.long(5).long(6);
        });
    }
    let metrics = derive(&builder);
    assert_int(&metrics, "file_io_read_time", 5);
    assert_int(&metrics, "file_io_read_bytes", 0);
    assert_int(&metrics, "socket_io_read_time", 0);
    assert_int(&metrics, "socket_io_read_bytes", 0);
}

#[test]
fn durations_of_the_jvm_s_work() {
    let mut builder = ChunkBuilder::new(true);
    for (name, durations) in [
        ("jdk.GarbageCollection", [10, 25]),
        ("jdk.GCPhasePause", [3, 4]),
        ("jdk.Compilation", [100, 200]),
        ("jdk.JavaMonitorEnter", [7, 6]),
    ] {
        builder.add_event_type(name, vec![span("duration", "NANOSECONDS")]);
        for duration in durations {
            builder.add_event(name, |values| {
                values.long(duration);
            });
        }
    }
    let metrics = derive(&builder);
    assert_float(&metrics, "avg_gc_pause_time", 17.5);
    assert_int(&metrics, "max_gc_pause_time", 4);
    assert_int(&metrics, "gc_pause_time", 7);
    assert_float(&metrics, "gc_pauses_per_sec", 0.2);
    assert_int(&metrics, "compilation_time", 300);
    assert_float(&metrics, "locks_max_wait_time", 7.0);
    assert_float(&metrics, "locks_per_sec", 0.2);
}

#[test]
fn a_wait_in_ticks_keeps_its_fraction() {
    let mut builder = ChunkBuilder::new(true);
    builder.ticks_per_second = 3_000_000_000;
    builder.add_event_type("jdk.JavaMonitorEnter", vec![span("duration", "TICKS")]);
    builder.add_event("jdk.JavaMonitorEnter", |values| {
        values.long(100);
    });
    let expected = 100.0 * (1e9 / 3e9);
    assert_float(&derive(&builder), "locks_max_wait_time", expected);
}

#[test]
fn a_mean_a_first_value_and_a_sum() {
    let mut builder = ChunkBuilder::new(true);
    builder.add_event_type(
        "jdk.ThreadContextSwitchRate",
        vec![field("switchRate", "float")],
    );
    builder.add_event_type("datadog.HeapUsage", vec![amount("size")]);
    builder.add_event_type("datadog.DirectAllocationTotal", vec![amount("allocated")]);
    for (rate, size, allocated) in [(10.0, 500, 70), (20.0, 900, 30)] {
        builder.add_event("jdk.ThreadContextSwitchRate", |values| {
            values.float(rate);
        });
        builder.add_event("datadog.HeapUsage", |values| {
            values.long(size);
        });
        builder.add_event("datadog.DirectAllocationTotal", |values| {
            values.long(allocated);
        });
    }
    let metrics = derive(&builder);
    assert_float(&metrics, "context_switches_per_sec", 15.0);
    assert_int(&metrics, "lifetime_heap_bytes", 500);
    assert_float(&metrics, "direct_alloc_bytes_per_sec", 10.0);
}

#[test]
fn a_period_of_no_length_makes_rates_infinite() {
    let metrics = derive_over(&[&cpu(None, &[1])], 0);
    assert_float(&metrics, "cpu_cores", f64::INFINITY);
    let Some(MetricValue::Float(rate)) = metrics.get("prof_jvm_locks_per_sec") else {
        panic!("a float");
    };
    assert!(rate.is_nan());
    assert!(metrics.to_json()["prof_jvm_cpu_cores"].is_null());
}

#[test]
fn json_and_table_have_every_metric() {
    let metrics = derive(&cpu(None, &[500]));
    let json = metrics.to_json();
    assert_eq!(json.as_object().map(|object| object.len()), Some(37));
    assert_eq!(json["prof_jvm_cpu_cores"], 0.5);
    assert_eq!(json["prof_jvm_throws_total"], 0);
    let table = metrics.to_table();
    assert_eq!(table.lines().count(), 37);
    let first = table.lines().next().expect("a line");
    assert_eq!(
        first.split_whitespace().collect::<Vec<_>>(),
        ["prof_jvm_cpu_cores", "0.500", "cores"]
    );
    let ends = |line: &str| line.len() - line.rsplit(' ').next().map_or(0, str::len);
    let aligned = ends(first);
    assert!(table.lines().all(|line| ends(line) == aligned), "{table}");
}

#[test]
fn the_chunks_own_times_make_a_period() {
    let mut first = ChunkBuilder::new(true);
    first.start_unix_nanos = START + SECOND;
    let mut second = ChunkBuilder::new(true);
    second.start_unix_nanos = START + 11 * SECOND;
    second.duration_nanos = 3 * SECOND;
    let bytes = [second.build(), first.build()].concat();
    let recording = Recording::parse(&bytes).expect("a recording");
    assert_eq!(
        Period::of_chunks(&recording),
        Some(Period {
            start_unix_nanos: START + SECOND,
            end_unix_nanos: START + 14 * SECOND,
        })
    );
}

#[test]
fn counters_are_summed_by_name() {
    let mut builder = ChunkBuilder::new(true);
    let fields = vec![field("name", "java.lang.String"), field("count", "long")];
    builder.add_event_type("jprof.Counter", fields);
    for (name, count) in [("b", 1), ("a", 2), ("b", 3)] {
        builder.add_event("jprof.Counter", |values| {
            values.string(name).long(count);
        });
    }
    let bytes = builder.build();
    let totals = counters(&Recording::parse(&bytes).expect("a recording"));
    let totals: Vec<_> = totals.into_iter().collect();
    assert_eq!(totals, [("a".to_owned(), 2), ("b".to_owned(), 4)]);
}
