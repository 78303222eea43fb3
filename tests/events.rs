//! Events by name: samples stand for what the kernel itself counted; what cannot be had is said, and never replaced by
//! something else; the application runs on.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::support::{
    Jdk, OLD_AND_USUAL, Profile, Program, Run, Sample, command, folder, has_cycles, is_root,
    on_jdks, perf_ticks_in_kernel, skip,
};

/// The samples of a thread, in events, and the kernel's count of them. Both ends of a thread are the JVM's, and the program
/// does not see them.
const TOLERANCE: f64 = 0.02;
const AT_THE_ENDS: u64 = 150;

/// As [`TOLERANCE`], of all threads and the process.
const PROCESS_TOLERANCE: f64 = 0.05;

/// Somebody without rights.
pub(crate) const NOBODY: u32 = 65_534;

/// Runs a program with a recording in the agent's own choice of names.
fn sample(program: Program, options: &str, file: &Path) -> (Run, Profile) {
    let options = format!("url=none,{options},file={}", file.display());
    let run = program.agent(&options).run().expect_success();
    assert_eq!(run.other_lines(), Vec::<&str>::new(), "standard error");
    (run, Profile::of_file(file))
}

/// A thread's samples stand for as many events as the kernel counted in it, and they stand where these happened.
fn check_count(profile: &Profile, interval: u64, thread: &str, truth: u64, method: &str) {
    let of_thread = profile.weight(|sample| *sample.thread == *thread) * interval;
    let below = interval
        * profile.weight(|sample| {
            *sample.thread == *thread && sample.stack.is_resolved() && sample.stack.has(method)
        });
    let text = format!(
        "{thread}: {of_thread} sampled, {below} of them below {method}, {truth} by the kernel"
    );
    eprintln!("{text}");
    let margin = AT_THE_ENDS + interval + (truth as f64 * TOLERANCE) as u64;
    assert!(of_thread.abs_diff(truth) <= margin, "{text}");
    assert!(below.abs_diff(truth) <= margin, "{text}");
    // Nothing of it is called CPU time.
    for name in ["datadog.ExecutionSample", "datadog.DatadogProfilerConfig"] {
        assert!(!profile.events.contains_key(name), "{name}");
    }
    // When they end, threads have had some more events than their samples stand for.
    let reckoned =
        |sample: &Sample| !sample.stack.is_sampled() && !sample.stack.is_only("[thread_end]");
    assert_eq!(profile.weight(reckoned), 0, "CPU time is claimed");
}

#[test]
fn page_faults_are_those_that_the_kernel_counted() {
    let test = "page faults";
    on_jdks(test, OLD_AND_USUAL, |jdk| {
        let users: &[Option<u32>] = if is_root() {
            &[None, Some(NOBODY)]
        } else {
            &[None]
        };
        for &user in users {
            for (options, interval) in [
                ("event=page-faults", 1),
                ("event=minor-faults,interval=1", 1),
                ("event=page-faults,interval=50", 50),
            ] {
                let (folder, mut program) =
                    (folder(), Program::new(jdk, "Counted", &["20000", "1", "1"]));
                if let Some(uid) = user {
                    program = program.user(uid);
                }
                let file = folder.path().join("faults.jfr");
                let (run, profile) = sample(program, options, &file);
                let lines = run.agent_lines();
                // Who has no rights is told that those of the kernel are not counted.
                let in_user_mode = user.is_some() || !perf_ticks_in_kernel();
                assert_eq!(lines.len(), usize::from(in_user_mode), "{lines:?}");
                assert!(
                    lines.iter().all(|line| line.contains("in user mode only")),
                    "{lines:?}"
                );
                let truth = run.truth("thread.toucher.faults");
                assert!(truth >= 20_000, "{truth} faults");
                eprintln!(
                    "JDK {}, {user:?}, {options}, {} times longer periods",
                    jdk.version,
                    profile.counter("period_lengthened")
                );
                check_count(&profile, interval, "toucher", truth, "Counted.touch");
                // All threads together: the agent's own are not sampled, and the JVM begins before main and ends after it.
                let (all, truth) = (profile.weight(|_| true) * interval, run.truth("run.faults"));
                let text = format!("{all} in all, {truth} while main ran");
                eprintln!("{text}");
                assert!(
                    all.abs_diff(truth) as f64 <= truth as f64 * PROCESS_TOLERANCE,
                    "{text}"
                );
            }
        }
    });
}

#[test]
fn the_flame_graph_says_what_was_counted() {
    on_jdks("flame graph of page faults", &[17], |jdk| {
        let folder = folder();
        let (file, page) = (
            folder.path().join("faults.jfr"),
            folder.path().join("faults.html"),
        );
        sample(
            Program::new(jdk, "Counted", &["2000", "1", "1"]),
            "event=page-faults",
            &file,
        );
        let status = Command::new(command())
            .arg("flame")
            .arg(&file)
            .arg("-o")
            .arg(&page)
            .status();
        assert!(status.expect("the command starts").success());
        let page = fs::read_to_string(page).expect("a page");
        assert!(page.contains("<title>page-faults: "), "{}", &page[..500]);
    });
}

#[test]
fn context_switches_are_those_that_the_kernel_counted_and_waiting_stays_waiting() {
    let test = "context switches";
    if !perf_ticks_in_kernel() {
        skip(&format!(
            "{test}: they happen in the kernel, whose events are refused here"
        ));
        return;
    }
    const WAITS: u64 = 3_000;
    on_jdks(test, OLD_AND_USUAL, |jdk| {
        let program = || Program::new(jdk, "Counted", &["1", &WAITS.to_string(), "1"]);
        let without = program().run().expect_success();
        for (options, interval) in [
            ("event=context-switches", 2),
            ("event=context-switches,interval=1", 1),
            ("event=context-switches,interval=20", 20),
        ] {
            let folder = folder();
            let (run, profile) = sample(program(), options, &folder.path().join("switches.jfr"));
            assert_eq!(run.agent_lines(), Vec::<&str>::new());
            let truth = run.truth("thread.waiter.switches");
            let cpu = |run: &Run| run.truth("thread.waiter.cpu_nanos") as f64 / 1e6;
            eprintln!(
                "JDK {}, {options}: {truth} switches ({} without), {:.1} ms of CPU time ({:.1} without), {} times longer periods",
                jdk.version,
                without.truth("thread.waiter.switches"),
                cpu(&run),
                cpu(&without),
                profile.counter("period_lengthened"),
            );
            check_count(&profile, interval, "waiter", truth, "Counted.await");
            // A signal for each switch wakes who has just begun to wait. Without a guard it would never stop to.
            assert!(truth <= 4 * WAITS, "{truth} switches for {WAITS} waits");
        }
    });
}

/// A command that mounts tracefs, for itself alone, before it runs another; `None` where that may not be, which is a skip.
fn with_tracefs(test: &str) -> Option<[&'static str; 6]> {
    let script = "mount -t tracefs tracefs /sys/kernel/tracing && exec \"$@\"";
    let mount = ["unshare", "-m", "sh", "-c", script, "sh"];
    let can = Command::new(mount[0])
        .args(&mount[1..])
        .arg("true")
        .output();
    if is_root() && can.is_ok_and(|output| output.status.success()) {
        return Some(mount);
    }
    skip(&format!("{test}: tracefs cannot be mounted here"));
    None
}

#[test]
fn tracepoints_are_counted_one_by_one() {
    let test = "tracepoints";
    let Some(mount) = with_tracefs(test) else {
        return;
    };
    on_jdks(test, OLD_AND_USUAL, |jdk| {
        let folder = folder();
        let file = folder.path().join("reads.jfr");
        let program = || Program::new(jdk, "Counted", &["1", "1", "20000"]);
        let (run, profile) = sample(
            program().by(&mount),
            "event=syscalls:sys_enter_pread64",
            &file,
        );
        assert_eq!(run.agent_lines(), Vec::<&str>::new());
        check_count(&profile, 1, "reader", run.truth("reads"), "Counted.read");
        // Without tracefs, and for a name that is none.
        for (starter, event, words) in [
            (&[][..], "syscalls:sys_enter_pread64", "tracefs"),
            (
                &mount[..],
                "syscalls:sys_enter_nothing",
                "no such tracepoint",
            ),
        ] {
            if starter.is_empty() && Path::new("/sys/kernel/tracing/events").exists() {
                continue;
            }
            check_refusal(jdk, |program| program.by(starter), event, words);
        }
    });
}

#[test]
fn tracepoints_that_ticks_pass_themselves_leave_the_application_its_time() {
    let test = "tracepoints that ticks pass";
    let Some(mount) = with_tracefs(test) else {
        return;
    };
    // A call that waits is begun anew after each handler, and a switch that wakes its thread is followed by another.
    const EVENTS: [&str; 3] = [
        "syscalls:sys_enter_futex",
        "raw_syscalls:sys_enter",
        "sched:sched_switch",
    ];
    const MOST_TIMES: f64 = 3.0;
    on_jdks(test, OLD_AND_USUAL, |jdk| {
        let program = || Program::new(jdk, "Counted", &["1", "3000", "20000"]);
        let cpu = |run: &Run, thread: &str| run.truth(&format!("thread.{thread}.cpu_nanos")) as f64;
        let without = program().run().expect_success();
        for event in EVENTS {
            let folder = folder();
            let file = folder.path().join("calls.jfr");
            let options = format!("event={event},interval=1");
            let (run, profile) = sample(program().by(&mount), &options, &file);
            let lengthened = profile.counter("period_lengthened");
            assert!(!profile.samples.is_empty(), "{event}: no samples");
            for thread in ["waiter", "reader"] {
                let times = cpu(&run, thread) / cpu(&without, thread);
                let text = format!(
                    "JDK {}, {event}: {thread} takes {times:.2} times the CPU time",
                    jdk.version
                );
                eprintln!("{text}, {lengthened} times longer periods");
                assert!(times <= MOST_TIMES, "{text}");
            }
        }
    });
}

/// The event is refused in one line with these words, nothing is sampled in its place, and the application runs on.
pub(crate) fn check_refusal(
    jdk: &Jdk,
    start: impl Fn(Program) -> Program,
    event: &str,
    words: &str,
) {
    let folder = folder();
    let file = folder.path().join("none.jfr");
    let plain = Program::new(jdk, "ExitKinds", &["0.2"])
        .run()
        .expect_success();
    let options = format!("url=none,event={event},file={}", file.display());
    let run = start(Program::new(jdk, "ExitKinds", &["0.2"]))
        .agent(&options)
        .run()
        .expect_success();
    let lines = run.agent_lines();
    assert_eq!(lines.len(), 1, "{event}: {lines:?}");
    for word in [&format!("event={event}"), words] {
        assert!(lines[0].contains(word), "{word}: {lines:?}");
    }
    assert_eq!(run.other_lines(), Vec::<&str>::new());
    let kinds = |run: &Run| {
        let keys = run.stdout.lines().filter_map(|line| line.split('=').next());
        keys.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(kinds(&run), kinds(&plain), "what the program prints");
    let profile = Profile::of_file(&file);
    let sampled = profile
        .samples
        .iter()
        .filter(|sample| sample.stack.is_sampled());
    assert_eq!(sampled.count(), 0, "{event} is replaced");
    assert_eq!(profile.counter("ticks"), 0);
}

#[test]
fn what_the_processor_does_not_count_is_said_and_not_replaced() {
    const EVENTS: [&str; 11] = [
        "cycles",
        "instructions",
        "cache-references",
        "cache-misses",
        "branch-instructions",
        "branch-misses",
        "ref-cycles",
        "L1-dcache-load-misses",
        "LLC-load-misses",
        "dTLB-load-misses",
        "r01c2",
    ];
    on_jdks("the processor's events", &[17], |jdk| {
        if has_cycles() {
            let folder = folder();
            let program = Program::new(jdk, "CpuShares", &["2"]);
            let (_, profile) = sample(program, "event=cycles", &folder.path().join("cycles.jfr"));
            let below = profile.weight(|sample| sample.stack.has("CpuShares.main"));
            assert!(below >= 500, "{below} million cycles");
            return;
        }
        for event in EVENTS {
            check_refusal(jdk, |program| program, event, "no such counter");
        }
    });
}

#[test]
fn an_event_that_nobody_knows_is_said_and_not_replaced() {
    on_jdks("unknown events", &[17], |jdk| {
        check_refusal(jdk, |program| program, "page-fault", "is not known");
        check_refusal(jdk, |program| program, "trace:999999", "cannot be opened");
    });
    if !is_root() {
        skip("events of the kernel as uid 65534: only root becomes somebody else");
        return;
    }
    on_jdks("events of the kernel", &[17], |jdk| {
        let paranoid = fs::read_to_string("/proc/sys/kernel/perf_event_paranoid");
        if paranoid.is_ok_and(|level| level.trim().parse::<i32>().is_ok_and(|level| level < 2)) {
            skip("events of the kernel as uid 65534: perf_event_paranoid is below 2 here");
            return;
        }
        for event in ["context-switches", "cpu-migrations"] {
            check_refusal(
                jdk,
                |program| program.user(NOBODY),
                event,
                "perf_event_paranoid",
            );
        }
    });
}
