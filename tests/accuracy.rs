//! CPU time is shown where it was spent, and all of it.

use crate::support::{
    ALL, Jdk, OLD_AND_USUAL, Profile, Program, Run, at_once, folder, is_root, on_jdks,
    perf_ticks_in_kernel, skip,
};

/// The sum of all samples, and the process's CPU time.
const SUM_TOLERANCE: f64 = 0.01;
/// One thread's samples, and its CPU time; for threads of at least so many intervals.
const THREAD_TOLERANCE: f64 = 0.03;
const THREAD_INTERVALS: u64 = 50;
/// A method's share of the samples, and of the CPU time. Ticks come at even distances of CPU time, so a share of one in
/// three is some 0.2 points off by chance at 10,000 ticks, and 0.4 at 2,500.
const SHARE_TOLERANCE: f64 = 0.015;
const SHARE_SAMPLES: u64 = 10_000;

/// Perf events and CPU timers, as far as they can be had here.
pub(crate) fn engines(test: &str) -> Vec<&'static str> {
    if perf_ticks_in_kernel() {
        return vec!["cpu-clock", "ctimer"];
    }
    skip(&format!("{test} by perf events: they are refused here"));
    vec!["ctimer"]
}

/// A program that has run under the agent, and its recording.
pub(crate) struct Measured {
    pub(crate) run: Run,
    pub(crate) profile: Profile,
}

/// Runs a program with a recording of all its events.
pub(crate) fn measure(program: Program, options: &str) -> Measured {
    record(Program::agent, program, options)
}

/// Runs a program, attaches to it, and takes a recording from then on.
pub(crate) fn measure_attached(program: Program, options: &str) -> Measured {
    record(Program::attached, program, options)
}

fn record(under: fn(Program, &str) -> Program, program: Program, options: &str) -> Measured {
    let folder = folder();
    let file = folder.path().join("all.jfr");
    let options = format!("url=none,dialect=datakit,{options},file={}", file.display());
    let run = under(program, &options).run().expect_success();
    let mut said = run.other_lines();
    // The JVM's own notice of a load, from 21 on.
    said.retain(|line| !line.starts_with("WARNING: "));
    assert_eq!(said, Vec::<&str>::new(), "standard error");
    assert!(file.is_file(), "no recording: {}", run.stderr);
    let profile = Profile::of_file(&file);
    Measured { run, profile }
}

/// What a run must have used, by its own word, for its recording to be judged.
#[derive(Clone, Copy)]
pub(crate) struct Enough {
    pub(crate) truth: &'static str,
    pub(crate) nanos: u64,
}

/// Runs a program for ever more seconds until it used enough CPU time and the test knows how much: on a machine that is
/// busy elsewhere both take longer. Where that never is, nothing can be measured, which is a counted skip.
pub(crate) fn measure_enough(
    test: &str,
    program: impl Fn(&str) -> Program,
    seconds: u32,
    options: &str,
    enough: Enough,
) -> Option<Measured> {
    measure_enough_by(measure, test, program, seconds, options, enough)
}

fn measure_enough_by(
    measure: fn(Program, &str) -> Measured,
    test: &str,
    program: impl Fn(&str) -> Program,
    seconds: u32,
    options: &str,
    enough: Enough,
) -> Option<Measured> {
    for seconds in [seconds, seconds * 2, seconds * 4] {
        let measured = measure(program(&seconds.to_string()), options);
        if measured.run.truth(enough.truth) >= enough.nanos && measured.knows_cpu_time() {
            return Some(measured);
        }
        eprintln!("{options}: not enough in {seconds} s");
    }
    skip(&format!(
        "{test}, {options}: the machine is too busy with other work"
    ));
    None
}

impl Measured {
    /// Σ weight × interval is the process's CPU time between the recording's start and its end, to an interval.
    pub(crate) fn check_sum(&self) {
        let (start, end) = self.profile.span();
        let (least, most) = self.run.cpu_between(start, end);
        let claimed = self.profile.cpu_nanos(|_| true);
        let text = format!(
            "samples stand for {:.3} s of {:.3} to {:.3} s",
            seconds(claimed),
            seconds(least),
            seconds(most)
        );
        eprintln!(
            "{text} ({:+.2} %)",
            (claimed as f64 / most as f64 - 1.0) * 100.0
        );
        let interval = self.profile.interval_nanos as f64;
        let low = least as f64 * (1.0 - SUM_TOLERANCE) - interval;
        let high = most as f64 * (1.0 + SUM_TOLERANCE) + interval;
        assert!((low..=high).contains(&(claimed as f64)), "{text}");
    }

    /// Whether the process's CPU time in that span is known well enough to hold the sum against it: the clock is read
    /// by a test that the system may keep waiting.
    pub(crate) fn knows_cpu_time(&self) -> bool {
        let (start, end) = self.profile.span();
        let (least, most) = self.run.cpu_between(start, end);
        (most - least) as f64 <= most as f64 * SUM_TOLERANCE / 2.0
    }

    /// Each thread's Σ weight × interval is its CPU time. Returns the threads that used enough to be checked.
    pub(crate) fn check_threads(&self) -> Vec<String> {
        let mut checked = Vec::new();
        let mut worst = (0.0, String::new());
        for (name, truth) in self.run.truths_like("thread.", ".cpu_nanos") {
            if truth < THREAD_INTERVALS * self.profile.interval_nanos {
                continue;
            }
            let claimed = self.profile.cpu_nanos(|sample| *sample.thread == *name);
            let off = claimed as f64 / truth as f64 - 1.0;
            let text = format!(
                "{name}: samples stand for {:.4} s of {:.4} s ({:+.2} %)",
                seconds(claimed),
                seconds(truth),
                off * 100.0
            );
            assert!(off.abs() <= THREAD_TOLERANCE, "{text}");
            if off.abs() >= worst.0 {
                worst = (off.abs(), text);
            }
            checked.push(name);
        }
        eprintln!("{} threads, the worst is {}", checked.len(), worst.1);
        checked
    }

    /// The shares of the methods of `class` in the samples below its main are those of the CPU time.
    fn check_shares(&self, class: &str) {
        let truths = self.run.truths_like("method.", ".cpu_nanos");
        let total: u64 = truths.iter().map(|(_, nanos)| nanos).sum();
        let main = format!("{class}.main");
        let below = |method: &str| {
            self.profile.weight(|sample| {
                sample.stack.is_resolved() && sample.stack.has(&main) && sample.stack.has(method)
            })
        };
        let all = below(&main);
        for (name, nanos) in truths {
            let truth = nanos as f64 / total as f64;
            let share = below(&format!("{class}.{name}")) as f64 / all as f64;
            let text = format!(
                "{name}: {:.2} % of the samples, {:.2} % of the CPU time",
                share * 100.0,
                truth * 100.0
            );
            eprintln!("{text}");
            assert!((share - truth).abs() <= SHARE_TOLERANCE, "{text}");
        }
    }

    /// Samples below the class's main that show a stack, by weight.
    fn resolved_below(&self, main: &str) -> u64 {
        self.profile
            .weight(|sample| sample.stack.is_resolved() && sample.stack.has(main))
    }
}

fn seconds(nanos: u64) -> f64 {
    nanos as f64 / 1e9
}

/// Runs `body` for each engine at once: they share the machine, which their CPU clocks do not mind.
fn on_engines(test: &str, body: impl Fn(&str) + Sync) {
    at_once(&engines(test), |engine| body(engine));
}

#[test]
fn methods_have_their_shares_and_the_sum_is_the_cpu_time_at_1_ms() {
    let test = "shares and sum at 1 ms";
    on_jdks(test, ALL, |jdk| {
        on_engines(test, |engine| {
            let program = |seconds: &str| Program::new(jdk, "CpuShares", &[seconds]);
            let options = format!("interval=1ms,event={engine}");
            let enough = Enough {
                truth: "thread.main.cpu_nanos",
                nanos: 10_500_000_000,
            };
            let Some(measured) = measure_enough(test, program, 12, &options, enough) else {
                return;
            };
            eprintln!("JDK {}, {engine}", jdk.version);
            let resolved = measured.resolved_below("CpuShares.main");
            assert!(resolved >= SHARE_SAMPLES, "only {resolved} have a stack");
            measured.check_sum();
            measured.check_threads();
            measured.check_shares("CpuShares");
        });
    });
}

#[test]
fn an_attached_agent_shows_shares_and_the_sum_as_well() {
    let test = "shares and sum, attached";
    on_jdks(test, OLD_AND_USUAL, |jdk| {
        on_engines(test, |engine| {
            let program = |seconds: &str| Program::new(jdk, "CpuShares", &[seconds]);
            let options = format!("interval=1ms,event={engine}");
            let enough = Enough {
                truth: "thread.main.cpu_nanos",
                nanos: 5_000_000_000,
            };
            let measured = measure_enough_by(measure_attached, test, program, 6, &options, enough);
            let Some(measured) = measured else {
                return;
            };
            eprintln!("JDK {}, {engine}, attached", jdk.version);
            measured.check_sum();
            // Timers on a kernel's tick of 4 ms give too few samples for shares in so short a time.
            if engine != "ctimer" {
                measured.check_shares("CpuShares");
            }
        });
    });
}

#[test]
fn the_sum_is_the_cpu_time_of_a_program_that_does_everything_at_10_ms() {
    let test = "sum of the mix at 10 ms";
    on_jdks(test, ALL, |jdk| {
        on_engines(test, |engine| {
            let program = |seconds: &str| Program::new(jdk, "Mix", &[seconds]);
            let options = format!("interval=10ms,event={engine}");
            let enough = Enough {
                truth: "run.cpu_nanos",
                nanos: 3_000_000_000,
            };
            let Some(measured) = measure_enough(test, program, 5, &options, enough) else {
                return;
            };
            eprintln!("JDK {}, {engine}", jdk.version);
            measured.check_sum();
        });
    });
}

#[test]
fn each_thread_has_its_cpu_time_also_one_that_sleeps_98_percent() {
    let test = "threads that sleep";
    on_jdks(test, ALL, |jdk| {
        on_engines(test, |engine| {
            let program = |seconds: &str| Program::new(jdk, "Sleepers", &[seconds]);
            let options = format!("interval=1ms,event={engine}");
            let enough = Enough {
                truth: "thread.sleeper-2.cpu_nanos",
                nanos: THREAD_INTERVALS * 1_000_000,
            };
            let Some(measured) = measure_enough(test, program, 5, &options, enough) else {
                return;
            };
            eprintln!("JDK {}, {engine}", jdk.version);
            measured.check_sum();
            let checked = measured.check_threads();
            assert_eq!(checked.len(), 4, "{checked:?}");
        });
    });
}

#[test]
fn time_in_the_kernel_is_shown_where_it_was_spent_without_any_rights() {
    let test = "kernel time as uid 65534";
    if !is_root() {
        skip(&format!("{test}: only root becomes somebody else"));
        return;
    }
    let paranoid = std::fs::read_to_string("/proc/sys/kernel/perf_event_paranoid");
    if !paranoid.is_ok_and(|level| level.trim().parse::<i32>().is_ok_and(|level| level >= 2)) {
        skip(&format!("{test}: perf_event_paranoid is below 2 here"));
        return;
    }
    on_jdks(test, OLD_AND_USUAL, |jdk: &Jdk| {
        let program = |seconds: &str| Program::new(jdk, "KernelHalf", &[seconds]).user(65_534);
        let enough = Enough {
            truth: "run.cpu_nanos",
            nanos: 4_500_000_000,
        };
        let Some(measured) = measure_enough(test, program, 6, "interval=1ms", enough) else {
            return;
        };
        let resolved = measured.resolved_below("KernelHalf.main");
        assert!(resolved >= 4_000, "only {resolved} have a stack");
        assert_eq!(measured.profile.engine, "ctimer");
        let system = measured.run.truth("thread.main.system_nanos");
        let both = system + measured.run.truth("thread.main.user_nanos");
        eprintln!("{:.1} % in the kernel", system as f64 / both as f64 * 100.0);
        measured.check_sum();
        measured.check_shares("KernelHalf");
    });
}
