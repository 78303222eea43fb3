//! What is sampled by, and what is left to the application, where the system grants little.

use std::fs;

use crate::accuracy::{Enough, Measured, measure_enough};
use crate::events::{NOBODY, check_refusal};
use crate::support::{
    OLD_AND_USUAL, Program, Sample, SystemCall, folder, is_root, on_jdks, perf_ticks_in_kernel,
    skip,
};

const BUSY: Enough = Enough {
    truth: "run.cpu_nanos",
    nanos: 3_000_000_000,
};

/// Sampled by the process's timer, and the sum is the CPU time.
fn check_process_timer(measured: &Measured) {
    assert_eq!(measured.profile.engine, "itimer");
    measured.check_sum();
    // As many as a timer of 10 ms gives, whose signals a busy machine may merge.
    let ticks = measured.profile.counter("ticks");
    let due = measured.run.truth(BUSY.truth) / 10_000_000;
    eprintln!("{ticks} ticks of {due}");
    assert!(
        ticks >= due / 2 && ticks <= due * 2,
        "{ticks} ticks of {due}"
    );
    let below = measured
        .profile
        .weight(|sample| sample.stack.is_resolved() && sample.stack.has("Mix.round"));
    let of = measured.profile.weight(|_| true);
    assert!(below >= of / 10, "{below} of {of} below Mix.round");
}

#[test]
fn the_processs_timer_gives_samples_whose_sum_is_the_cpu_time() {
    let test = "itimer";
    on_jdks(test, OLD_AND_USUAL, |jdk| {
        let program = |seconds: &str| Program::new(jdk, "Mix", &[seconds]);
        let Some(measured) = measure_enough(test, program, 4, "interval=10ms,event=itimer", BUSY)
        else {
            return;
        };
        assert_eq!(measured.run.agent_lines(), Vec::<&str>::new());
        check_process_timer(&measured);
    });
}

#[test]
fn where_perf_events_and_timers_are_refused_the_processs_timer_is_the_last_resort() {
    let test = "itimer as the last resort";
    on_jdks(test, OLD_AND_USUAL, |jdk| {
        let program = |seconds: &str| {
            Program::new(jdk, "Mix", &[seconds])
                .refused(&[SystemCall::PerfEventOpen, SystemCall::TimerCreate])
        };
        let Some(measured) = measure_enough(test, program, 4, "interval=10ms", BUSY) else {
            return;
        };
        let lines = measured.run.agent_lines();
        assert_eq!(lines.len(), 1, "{lines:?}");
        for word in [
            "the process's timer",
            "perf events are refused",
            "CPU timers",
        ] {
            assert!(lines[0].contains(word), "{word}: {lines:?}");
        }
        check_process_timer(&measured);
    });
}

#[test]
fn a_profiling_timer_of_somebody_else_is_left_alone() {
    on_jdks("ITIMER_PROF in use", &[17], |jdk| {
        // It is handed on through exec, and set to an hour of CPU time.
        check_refusal(jdk, Program::with_profiling_timer, "itimer", "ITIMER_PROF");
    });
}

#[test]
fn pending_signals_are_left_to_the_application_and_what_is_not_sampled_is_shown() {
    let test = "RLIMIT_SIGPENDING";
    if !is_root() {
        skip(&format!(
            "{test}: the limit is shared by all of a user's processes, and only root becomes another"
        ));
        return;
    }
    on_jdks(test, &[17], |jdk| {
        let program = |seconds: &str| {
            Program::new(jdk, "BusyThreads", &[seconds, "64"])
                .by(&["prlimit", "--sigpending=60"])
                .user(NOBODY)
        };
        let Some(measured) = measure_enough(test, program, 3, "interval=1ms,event=ctimer", BUSY)
        else {
            return;
        };
        let lines = measured.run.agent_lines();
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(lines[0].contains("ulimit -i"), "{lines:?}");
        let without = measured.profile.counter("threads_without_ticks");
        // 30 timers at most for 64 threads and those of the JVM.
        assert!(without >= 34, "{without} threads without ticks");
        let unsampled = measured
            .profile
            .weight(|sample| sample.stack.is_only("[unsampled]"));
        assert!(unsampled > 0, "nothing is shown as unsampled");
        measured.check_sum();
    });
}

#[test]
fn low_descriptors_are_left_to_the_application() {
    let test = "descriptors of perf events";
    if !perf_ticks_in_kernel() {
        skip(&format!("{test}: they are refused here"));
        return;
    }
    on_jdks(test, &[17], |jdk| {
        for (limit, floor) in [("--nofile=4096:4096", 1_024), ("--nofile=600:600", 300)] {
            let folder = folder();
            let options = format!("url=none,file={}", folder.path().join("all.jfr").display());
            let mut running = Program::new(jdk, "BusyThreads", &["1", "4"])
                .by(&["prlimit", limit])
                .agent(&options)
                .start();
            running.wait_for("truth begin.cpu_nanos");
            let pid = running.pid();
            let mut events = 0;
            for entry in fs::read_dir(format!("/proc/{pid}/fd")).expect("a process") {
                let path = entry.expect("an entry").path();
                // One may be closed by now.
                let Ok(target) = fs::read_link(&path) else {
                    continue;
                };
                if !target.to_string_lossy().contains("[perf_event]") {
                    continue;
                }
                let number = path
                    .file_name()
                    .expect("a number")
                    .to_string_lossy()
                    .into_owned();
                assert!(
                    number.parse::<u32>().expect("a number") >= floor,
                    "{number} is below {floor}"
                );
                let info = fs::read_to_string(format!("/proc/{pid}/fdinfo/{number}"));
                if let Ok(info) = info {
                    let flags = info
                        .lines()
                        .find_map(|line| line.strip_prefix("flags:"))
                        .expect("flags");
                    let flags = u32::from_str_radix(flags.trim(), 8).expect("octal digits");
                    assert_ne!(flags & 0o2_000_000, 0, "{number} is not closed at exec");
                }
                events += 1;
            }
            assert!(events >= 10, "{events} events");
            running.finish().expect_success();
        }
    });
}

#[test]
fn where_descriptors_run_out_threads_have_timers_and_all_is_sampled() {
    let test = "RLIMIT_NOFILE";
    if !perf_ticks_in_kernel() {
        skip(&format!("{test}: perf events are refused here"));
        return;
    }
    on_jdks(test, &[17], |jdk| {
        let program = |seconds: &str| {
            // 50 events at most for 64 threads and those of the JVM.
            Program::new(jdk, "BusyThreads", &[seconds, "64"]).by(&["prlimit", "--nofile=100:100"])
        };
        let Some(measured) = measure_enough(test, program, 3, "interval=1ms", BUSY) else {
            return;
        };
        assert_eq!(measured.run.agent_lines(), Vec::<&str>::new());
        assert_eq!(measured.profile.engine, "perf_events");
        let unsampled = |sample: &Sample| sample.stack.is_only("[unsampled]");
        assert_eq!(measured.profile.weight(unsampled), 0);
        assert_eq!(measured.profile.counter("threads_without_ticks"), 0);
        measured.check_sum();
    });
}
