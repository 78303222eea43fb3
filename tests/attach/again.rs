//! One recording after the other in the same JVM.

use std::fs;
use std::path::Path;

use jfr_reader::Recording;

use super::{LONG_TWICE, attach, detach, end, let_work, started, state, to_file};
use crate::support::{
    ALL, Jdk, Profile, Program, folder, on_jdks_at_once, process_cpu_nanos, resident_mib,
};

/// Attached and detached in `make test`; `make soak` sets `$JPROF_ATTACH_CYCLES`, and then memory is judged, too.
const CYCLES: usize = 12;
/// The cycles after which memory has grown to what it needs.
const WARM_UP: usize = 50;
/// Growth of the resident memory from there to the end, in MiB: thread stacks and heap of the program come and go.
const MOST_GROWTH_MIB: f64 = 24.0;
/// Threads that the program starts and joins at once.
const CHURNING: &str = "64";

/// The sampling interval that each chunk of a file names.
fn intervals(file: &Path) -> Vec<String> {
    let bytes = fs::read(file).expect("a recording");
    let recording = Recording::parse(&bytes).expect("a recording");
    let intervals = recording.chunks().iter().map(|chunk| {
        let event = chunk.events().find_map(|event| {
            let event = event.expect("every event can be read");
            let is_it = event.type_name() == "jdk.ActiveSetting"
                && event.text("name").as_deref() == Some("interval");
            is_it.then(|| event.text("value").unwrap_or_default().into_owned())
        });
        event.expect("an interval")
    });
    intervals.collect()
}

#[test]
fn a_second_attach_changes_options_and_after_detach_another_recording_begins() {
    on_jdks_at_once("attach again", ALL, |jdk| {
        let folder = folder();
        let file = folder.path().join("again.jfr");
        let running = started(Program::new(jdk, "BusyThreads", LONG_TWICE));
        let pid = running.pid();
        attach(pid, &to_file(&file)).done();
        let_work(pid);
        let same = attach(pid, &to_file(&file)).done();
        assert!(same.contains("records on"), "{same}");
        let changed = attach(pid, "interval=2ms").done();
        assert!(changed.contains("records on"), "{changed}");
        assert_eq!(state(pid), "recording");
        let_work(pid);
        detach(pid).done();
        assert_eq!(state(pid), "loaded");
        // Both recordings, in the one file: no option but the interval has changed.
        let profile = Profile::of_file(&file);
        assert_eq!(profile.chunks.len(), 2, "JDK {}", jdk.version);
        assert!(profile.chunks[0].end <= profile.chunks[1].start);
        assert_eq!(intervals(&file), ["10ms", "2ms"]);

        // The third goes on in the same file, with the options of its own only.
        let before = process_cpu_nanos(pid).expect("it lives");
        attach(pid, &to_file(&file)).done();
        assert_eq!(state(pid), "recording");
        let_work(pid);
        detach(pid).done();
        let after = process_cpu_nanos(pid).expect("it lives");
        let all = Profile::of_file(&file);
        assert_eq!(all.chunks.len(), 3, "JDK {}", jdk.version);
        assert_eq!(intervals(&file)[2], "10ms");
        let third: u64 = all.weight(|sample| sample.unix_nanos >= all.chunks[2].start);
        let claimed = third * 10_000_000;
        assert!(
            claimed > 0 && claimed <= after - before + 20_000_000,
            "JDK {}: {claimed} ns of {} ns",
            jdk.version,
            after - before
        );
        let ticks = all.counter("ticks");
        let outcomes = all.counter("samples_taken")
            + all
                .counters_like("drop_")
                .map(|(_, count)| count)
                .sum::<u64>();
        assert_eq!(ticks, outcomes, "counted once");
        end(running);
    });
}

#[test]
fn soak_attach_and_detach_while_threads_churn() {
    let cycles = std::env::var("JPROF_ATTACH_CYCLES").map_or(CYCLES, |number| {
        number.parse().expect("JPROF_ATTACH_CYCLES is a number")
    });
    on_jdks_at_once("attach and detach", ALL, |jdk| cycle(jdk, cycles));
}

fn cycle(jdk: &Jdk, cycles: usize) {
    let folder = folder();
    let program = Program::new(jdk, "ThreadChurn", &["3600", CHURNING])
        // All of the heap is resident from the start on, so that it is no part of what grows.
        .jvm("-Xms64m")
        .jvm("-Xmx64m")
        .jvm("-XX:+AlwaysPreTouch");
    let running = started(program);
    let pid = running.pid();
    let mut warm = 0.0;
    for number in 1..=cycles {
        let file = folder.path().join(format!("{number}.jfr"));
        // A string of its own rules each time: what was chosen before is not asked for.
        let options = format!("{},interval={}ms", to_file(&file), 1 + number % 3);
        attach(pid, &options).done();
        let_work(pid);
        detach(pid).done();
        let profile = Profile::of_file(&file);
        fs::remove_file(&file).expect("it is ours");
        let sampled = profile.weight(|sample| sample.thread.starts_with("churn-"));
        assert!(
            sampled > 0,
            "JDK {}, cycle {number}: no sample",
            jdk.version
        );
        if number == WARM_UP {
            warm = resident_mib(pid).expect("it lives");
        }
    }
    if cycles > 2 * WARM_UP {
        let last = resident_mib(pid).expect("it lives");
        eprintln!(
            "JDK {}: {cycles} cycles, {warm:.1} MiB after {WARM_UP}, {last:.1} MiB at the end",
            jdk.version
        );
        assert!(
            last - warm <= MOST_GROWTH_MIB,
            "JDK {}: memory grows from {warm:.1} to {last:.1} MiB",
            jdk.version
        );
    }
    end(running);
}
