//! Whatever interval and depth are asked for, the application gets on; whatever the JVM is, it is sampled.

use crate::accuracy::{Enough, engines, measure, measure_enough};
use crate::support::{Jdk, OLD_AND_USUAL, Profile, Program, Sample, folder, on_jdks};

/// Intervals, and the most CPU time that a piece of work may take with them, as a multiple of what it takes without the agent.
/// However short the interval, the agent leaves a thread at least half of its time; the rest is for what a full cache costs.
const MOST_TIME: [(&str, f64); 2] = [("100us", 2.2), ("10us", 2.5)];
/// How often a measurement is repeated that the machine may have disturbed; the best one counts.
const ATTEMPTS: u32 = 3;

/// The least part of a deep thread's CPU time that stands under its whole stack: it goes down to its work first, and
/// some of its stacks cannot be walked.
const SHOWN: f64 = 0.8;

fn work_per_cpu_second(jdk: &Jdk, agent: Option<&str>) -> f64 {
    let program = Program::new(jdk, "DeepStacks", &["2", "2000"]);
    let program = match agent {
        Some(options) => program.agent(options),
        None => program,
    };
    let run = program.run().expect_success();
    run.truth("pieces") as f64 * 1e9 / run.truth("thread.deep.cpu_nanos") as f64
}

#[test]
fn the_application_gets_on_at_any_interval_with_stacks_2000_deep() {
    let test = "short intervals, deep stacks";
    on_jdks(test, OLD_AND_USUAL, |jdk| {
        for engine in engines(test) {
            for (interval, most) in MOST_TIME {
                let folder = folder();
                let file = folder.path().join("all.jfr");
                let options = format!(
                    "url=none,walker=vm,interval={interval},event={engine},file={}",
                    file.display()
                );
                let gets_on = (1..=ATTEMPTS).any(|attempt| {
                    // Right before each measurement, since other work changes what the machine gives.
                    let without = work_per_cpu_second(jdk, None);
                    let times = without / work_per_cpu_second(jdk, Some(&options));
                    eprintln!("{engine}, {interval}, attempt {attempt}: {times:.2} times the time");
                    assert!(!Profile::of_file(&file).samples.is_empty());
                    times <= most
                });
                assert!(gets_on, "{engine}, {interval}: not within {most} times");
            }
        }
    });
}

#[test]
fn an_interval_that_cannot_be_had_is_said_and_the_default_counts() {
    on_jdks("interval=1us", &[17], |jdk| {
        let measured = measure(
            Program::new(jdk, "DeepStacks", &["1", "2000"]),
            "interval=1us",
        );
        let lines = measured.run.agent_lines();
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(lines[0].contains("interval"), "{lines:?}");
        assert_eq!(measured.profile.interval_nanos, 10_000_000);
    });
}

#[test]
fn a_deep_stack_is_whole_and_a_deeper_one_is_cut_at_its_root() {
    let test = "deep stacks";
    let enough = Enough {
        truth: "thread.deep.cpu_nanos",
        nanos: 500_000_000,
    };
    on_jdks(test, OLD_AND_USUAL, |jdk| {
        for (depth, is_cut) in [("1000", false), ("3000", true)] {
            let program = |seconds: &str| Program::new(jdk, "DeepStacks", &[seconds, depth]);
            let Some(measured) = measure_enough(test, program, 2, "interval=1ms", enough) else {
                return;
            };
            let frames = measured.run.truth("descend_frames");
            let at_the_bottom = |sample: &Sample| {
                sample.stack.is_resolved() && sample.stack.has("DeepStacks.workAtTheBottom")
            };
            for sample in &measured.profile.samples {
                if !at_the_bottom(sample) {
                    continue;
                }
                let stack = &sample.stack;
                assert_eq!(stack.truncated, is_cut);
                if is_cut {
                    assert_eq!(stack.frames.len(), 2048);
                } else {
                    let descend = "io/jprof/harness/DeepStacks.descend";
                    let descends = stack.frames.iter().filter(|frame| *frame == descend);
                    assert_eq!(descends.count() as u64, frames);
                    assert_eq!(
                        stack.frames.last().map(String::as_str),
                        Some("java/lang/Thread.run")
                    );
                }
            }
            let shown = measured.profile.cpu_nanos(at_the_bottom);
            let used = measured.run.truth(enough.truth);
            eprintln!(
                "JDK {}, {depth} frames: {shown} ns of {used} ns",
                jdk.version
            );
            assert!(
                shown as f64 >= used as f64 * SHOWN,
                "{shown} ns of {used} ns"
            );
        }
    });
}

#[test]
fn interpreted_code_and_every_collector_are_sampled() {
    let collectors: [(u32, &[&[&str]]); 3] = [
        (
            8,
            &[
                &["-XX:+UseSerialGC"],
                &["-XX:+UseConcMarkSweepGC"],
                &["-Xint"],
            ],
        ),
        (
            17,
            &[
                &["-XX:+UseSerialGC"],
                &["-XX:+UseParallelGC"],
                &["-XX:+UseZGC"],
                &["-Xint"],
                &["-XX:TieredStopAtLevel=1"],
            ],
        ),
        (
            25,
            &[&["-XX:+UseZGC"], &["-XX:+UseShenandoahGC"], &["-Xint"]],
        ),
    ];
    for (version, settings) in collectors {
        on_jdks("collectors and interpreter", &[version], |jdk| {
            for arguments in settings {
                let mut program = Program::new(jdk, "Mix", &["1.5"]);
                for argument in *arguments {
                    program = program.jvm(argument);
                }
                let measured = measure(program, "interval=1ms");
                let profile = &measured.profile;
                let all = profile.weight(|sample| sample.stack.is_sampled());
                let mix =
                    |sample: &Sample| sample.stack.is_resolved() && sample.stack.has("Mix.round");
                eprintln!(
                    "JDK {version} {arguments:?}: {all} intervals, {} below Mix.round",
                    profile.weight(mix)
                );
                assert!(profile.weight(mix) >= 20, "no stacks of the program");
            }
        });
    }
}
