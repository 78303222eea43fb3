//! Everything that a program does at once.

use std::collections::BTreeSet;
use std::process::{Command, Stdio};

use crate::accuracy::{Measured, measure};
use crate::support::{ALL, Jdk, OLD_AND_USUAL, Profile, Program, on_jdks, skip};

use super::resolution::Resolution;

/// The most samples of Java threads whose stacks are not whole.
const UNRESOLVED: f64 = 0.002;
/// The fewest intervals that such a share is taken of.
const ENOUGH: u64 = 1_000;

/// The most stacks that differ from AsyncGetCallTrace's, of those that it finds.
const DIFFERENT: f64 = 0.001;
const JUDGED: u64 = 2_000;

const INTERPRETED: &str = "Interpreted";
const C1: &str = "C1 compiled";
const C2: &str = "JIT compiled";
const INLINED: &str = "Inlined";
const NATIVE: &str = "Native";

fn mix(jdk: &Jdk, seconds: &str, arguments: &[&str], options: &str) -> Measured {
    let mut program = Program::new(jdk, "Mix", &[seconds]);
    for argument in arguments {
        program = program.jvm(argument);
    }
    measure(program, &format!("interval=1ms,{options}"))
}

fn check_resolution(profile: &Profile, jdk: &Jdk, arguments: &[&str]) {
    let resolution = Resolution::of(profile);
    resolution.print(&format!("JDK {} {arguments:?}", jdk.version), profile);
    assert!(resolution.all >= ENOUGH, "only {} samples", resolution.all);
    let unresolved = resolution.unresolved();
    assert!(
        unresolved <= UNRESOLVED,
        "{arguments:?}: {unresolved} unresolved"
    );
}

fn frame_types(profile: &Profile) -> BTreeSet<&str> {
    let types = profile.samples.iter();
    types
        .flat_map(|sample| &sample.stack.frame_types)
        .map(String::as_str)
        .collect()
}

#[test]
fn stacks_are_whole_and_frames_have_types_however_java_runs() {
    let test = "the mix by the own walker";
    on_jdks(test, ALL, |jdk| {
        let modes: [(&str, &[&str], &[&str]); 3] = [
            ("6", &[], &[C1, INLINED, INTERPRETED, C2, NATIVE]),
            (
                "3",
                &["-XX:TieredStopAtLevel=1"],
                &[C1, INLINED, INTERPRETED, NATIVE],
            ),
            ("3", &["-Xint"], &[INTERPRETED, NATIVE]),
        ];
        for (seconds, arguments, types) in modes {
            let measured = mix(jdk, seconds, arguments, "walker=vm");
            assert_eq!(
                frame_types(&measured.profile),
                types.iter().copied().collect(),
                "{arguments:?}"
            );
            check_resolution(&measured.profile, jdk, arguments);
        }
    });
}

#[test]
fn stacks_are_whole_under_every_collector() {
    let collectors = [
        "-XX:+UseSerialGC",
        "-XX:+UseParallelGC",
        "-XX:+UseZGC",
        "-XX:+UseShenandoahGC",
    ];
    let test = "collectors by the own walker";
    on_jdks(test, &[17, 25], |jdk| {
        for collector in collectors {
            if !has(jdk, collector) {
                skip(&format!("{test}: JDK {} has no {collector}", jdk.version));
                continue;
            }
            let measured = mix(jdk, "3", &[collector], "walker=vm");
            check_resolution(&measured.profile, jdk, &[collector]);
        }
    });
}

/// Whether a JVM starts with that argument.
fn has(jdk: &Jdk, argument: &str) -> bool {
    let mut java = Command::new(jdk.tool("java"));
    java.args([argument, "-version"])
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    java.status().expect("java starts").success()
}

#[test]
fn frames_have_types_in_the_jdk_dialect_too() {
    on_jdks("frame types of dialect=jdk", OLD_AND_USUAL, |jdk| {
        let measured = mix(jdk, "2", &[], "walker=vm,dialect=jdk");
        assert!(measured.profile.events.contains_key("jdk.ExecutionSample"));
        let all = [INTERPRETED, C1, C2, INLINED, NATIVE];
        assert_eq!(frame_types(&measured.profile), BTreeSet::from(all));
    });
}

#[test]
fn where_async_get_call_trace_finds_a_stack_it_is_the_same() {
    on_jdks("the own walker, judged", ALL, |jdk| {
        let measured = mix(jdk, "5", &[], "walker=both");
        let profile = &measured.profile;
        let judged = profile.counter("judged");
        let different = profile.counter("judged_different");
        eprintln!("JDK {}", jdk.version);
        for (name, count) in profile.counters_like("judged") {
            eprintln!("  {count:9}  {name}");
        }
        assert!(judged > JUDGED, "only {judged} were judged");
        assert!(
            different as f64 <= judged as f64 * DIFFERENT,
            "{different} of {judged} differ"
        );
    });
}
