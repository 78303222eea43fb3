//! Everything that a program does at once.

use std::collections::BTreeSet;

use crate::accuracy::{Enough, Measured, measure_enough};
use crate::support::{ALL, Jdk, OLD_AND_USUAL, Profile, Program, on_jdks, skip};

use super::resolution::Resolution;

/// The most samples of Java threads whose stacks are not whole.
const UNRESOLVED: f64 = 0.002;
/// Seconds of the mix, and the CPU time without which such a share says nothing: each percent of a percent is some samples.
const LONG: (u32, u64) = (4, 4_000_000_000);
const SHORT: (u32, u64) = (2, 2_000_000_000);

/// The most stacks that differ from AsyncGetCallTrace's, of those that it finds.
const DIFFERENT: f64 = 0.001;
/// Of some 2,700 that this gives.
const JUDGED: u64 = 2_000;
const TO_BE_JUDGED: (u32, u64) = (4, 7_000_000_000);

const INTERPRETED: &str = "Interpreted";
const C1: &str = "C1 compiled";
const C2: &str = "JIT compiled";
const INLINED: &str = "Inlined";
const NATIVE: &str = "Native";

/// The mix, with what it must have used to be judged; a machine that is busy elsewhere needs longer, and where it stays so, this
/// is a counted skip.
fn mix(
    test: &str,
    jdk: &Jdk,
    (seconds, cpu_nanos): (u32, u64),
    arguments: &[&str],
    options: &str,
) -> Option<Measured> {
    let program = |seconds: &str| {
        let program = Program::new(jdk, "Mix", &[seconds]);
        arguments.iter().fold(program, Program::jvm)
    };
    let enough = Enough {
        truth: "run.cpu_nanos",
        nanos: cpu_nanos,
    };
    let options = format!("interval=1ms,{options}");
    measure_enough(test, program, seconds, &options, enough)
}

fn check_resolution(profile: &Profile, jdk: &Jdk, arguments: &[&str]) {
    let resolution = Resolution::of(profile);
    resolution.print(&format!("JDK {} {arguments:?}", jdk.version), profile);
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
fn stacks_are_whole_and_frames_have_their_types() {
    let types = [C1, INLINED, INTERPRETED, C2, NATIVE];
    check_mode("the mix by the own walker", LONG, &[], &types);
}

#[test]
fn stacks_are_whole_and_frames_have_their_types_with_c1_alone() {
    let arguments = ["-XX:TieredStopAtLevel=1"];
    let types = [C1, INLINED, INTERPRETED, NATIVE];
    check_mode("C1 by the own walker", SHORT, &arguments, &types);
}

#[test]
fn stacks_are_whole_and_frames_have_their_types_in_the_interpreter() {
    let types = [INTERPRETED, NATIVE];
    check_mode("-Xint by the own walker", SHORT, &["-Xint"], &types);
}

fn check_mode(test: &str, length: (u32, u64), arguments: &[&str], types: &[&str]) {
    on_jdks(test, ALL, |jdk| {
        let Some(measured) = mix(test, jdk, length, arguments, "walker=vm") else {
            return;
        };
        assert_eq!(
            frame_types(&measured.profile),
            types.iter().copied().collect()
        );
        check_resolution(&measured.profile, jdk, arguments);
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
            if !jdk.takes(&[collector]) {
                skip(&format!("{test}: JDK {} has no {collector}", jdk.version));
                continue;
            }
            let Some(measured) = mix(test, jdk, SHORT, &[collector], "walker=vm") else {
                continue;
            };
            if Resolution::of(&measured.profile).unresolved() <= UNRESOLVED {
                check_resolution(&measured.profile, jdk, &[collector]);
            } else if let Some(longer) = mix(test, jdk, LONG, &[collector], "walker=vm") {
                // A handful of samples is too much in a short run: a long one decides.
                check_resolution(&longer.profile, jdk, &[collector]);
            }
        }
    });
}

#[test]
fn frames_have_types_in_the_jdk_dialect_too() {
    let test = "frame types of dialect=jdk";
    on_jdks(test, OLD_AND_USUAL, |jdk| {
        let Some(measured) = mix(test, jdk, SHORT, &[], "walker=vm,dialect=jdk") else {
            return;
        };
        assert!(measured.profile.events.contains_key("jdk.ExecutionSample"));
        let all = [INTERPRETED, C1, C2, INLINED, NATIVE];
        assert_eq!(frame_types(&measured.profile), BTreeSet::from(all));
    });
}

#[test]
fn where_async_get_call_trace_finds_a_stack_it_is_the_same() {
    let test = "the own walker, judged";
    on_jdks(test, ALL, |jdk| {
        let Some(measured) = mix(test, jdk, TO_BE_JUDGED, &[], "walker=both") else {
            return;
        };
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
