//! Programs that know what their stacks are.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use crate::accuracy::{Enough, Measured, measure, measure_enough};
use crate::support::{ALL, Jdk, Profile, Program, Sample, at_once, on_jdks};

use super::resolution::Resolution;

/// Samples at the bottom of a recursion.
const AT_THE_BOTTOM: usize = 100;

/// A method's share of the samples, and of the CPU time.
const SHARE_TOLERANCE: f64 = 0.015;

/// The most samples of Java threads whose stacks are not whole.
const UNRESOLVED: f64 = 0.002;
/// Intervals of virtual threads that have not slept yet: their frames are all on the stack.
const OF_VIRTUAL_THREADS: u64 = 500;

#[test]
fn every_frame_of_a_recursion_is_there() {
    on_jdks("recursion by the own walker", ALL, |jdk| {
        at_once(&["10", "1000", "2000"], |depth| check_recursion(jdk, depth));
    });
}

fn check_recursion(jdk: &Jdk, depth: &str) {
    let program = Program::new(jdk, "DeepStacks", &["1", depth]);
    let measured = measure(program, "interval=1ms,walker=vm");
    let frames = measured.run.truth("descend_frames");
    let is_work = |sample: &&Sample| {
        let leaf = sample.stack.frames.first().map(String::as_str);
        leaf == Some("io/jprof/harness/Work.piece")
    };
    let mut checked = 0;
    for sample in measured.profile.samples.iter().filter(is_work) {
        let stack = &sample.stack;
        assert_eq!(&*sample.thread, "deep");
        let descends = stack
            .frames
            .iter()
            .filter(|frame| *frame == "io/jprof/harness/DeepStacks.descend");
        assert_eq!(descends.count() as u64, frames, "{:?}", stack.frames);
        let root = stack.frames.last().map(String::as_str);
        assert_eq!(root, Some("java/lang/Thread.run"));
        assert!(!stack.truncated);
        checked += 1;
    }
    eprintln!(
        "JDK {}, {depth} frames: {checked} samples, all of them whole",
        jdk.version
    );
    assert!(checked >= AT_THE_BOTTOM, "only {checked} at the bottom");
}

#[test]
fn what_the_jvm_does_in_its_own_code_stands_under_its_callers() {
    let test = "intrinsics by the own walker";
    on_jdks(test, ALL, |jdk| {
        let program = |seconds: &str| Program::new(jdk, "Intrinsics", &[seconds]);
        let enough = Enough {
            truth: "thread.intrinsics.cpu_nanos",
            nanos: 1_500_000_000,
        };
        let options = "interval=1ms,walker=vm";
        let Some(measured) = measure_enough(test, program, 2, options, enough) else {
            return;
        };
        eprintln!("JDK {}", jdk.version);
        check_intrinsics(&measured);
    });
}

/// The shares of the three kinds of work in all samples of their thread, whatever their stacks, are those of the CPU time.
fn check_intrinsics(measured: &Measured) {
    let total = measured.run.truth("thread.intrinsics.cpu_nanos");
    let of_thread = |sample: &Sample| &*sample.thread == "intrinsics";
    let all = measured.profile.weight(of_thread);
    let methods = measured.run.truths_like("method.", ".cpu_nanos");
    assert_eq!(methods.len(), 3, "{methods:?}");
    let mut worst: f64 = 0.0;
    for (name, nanos) in &methods {
        let method = format!("Intrinsics.{name}");
        let under = |sample: &Sample| of_thread(sample) && sample.stack.has(&method);
        let share = measured.profile.weight(under) as f64 / all as f64;
        let truth = *nanos as f64 / total as f64;
        eprintln!(
            "  {name}: {:.2} % of the samples, {:.2} % of the CPU time",
            share * 100.0,
            truth * 100.0
        );
        worst = worst.max((share - truth).abs());
    }
    print_rest(&measured.profile, |sample| {
        let under = |(name, _): &(String, u64)| sample.stack.has(&format!("Intrinsics.{name}"));
        of_thread(sample) && !methods.iter().any(under)
    });
    assert!(worst <= SHARE_TOLERANCE, "{worst} off");
}

/// Prints the leaves of the samples that stand under none of the methods, those with the largest weight first.
fn print_rest(profile: &Profile, is_rest: impl Fn(&Sample) -> bool) {
    let mut leaves: BTreeMap<&str, u64> = BTreeMap::new();
    for sample in profile.samples.iter().filter(|&sample| is_rest(sample)) {
        let leaf = sample.stack.frames.first().map_or("", String::as_str);
        *leaves.entry(leaf).or_default() += sample.weight;
    }
    let mut leaves: Vec<_> = leaves.into_iter().collect();
    leaves.sort_by_key(|&(_, weight)| Reverse(weight));
    let rest: u64 = leaves.iter().map(|(_, weight)| weight).sum();
    eprintln!(
        "  {rest} elsewhere, most of them in {:?}",
        leaves.iter().take(3).collect::<Vec<_>>()
    );
}

#[test]
fn virtual_threads_stand_on_their_carriers() {
    on_jdks("virtual threads by the own walker", &[21, 25], |jdk| {
        let program = Program::new(jdk, "VirtualThreads", &["3"]);
        let measured = measure(program, "interval=1ms,walker=vm");
        assert!(measured.run.truth("virtual_threads") > 0);
        let profile = &measured.profile;
        let resolution = Resolution::of(profile);
        resolution.print(&format!("JDK {}", jdk.version), profile);
        assert!(
            resolution.unresolved() <= UNRESOLVED,
            "{} unresolved",
            resolution.unresolved()
        );

        let frozen = "[frozen frames]";
        let (mut whole, mut thawing) = (0, 0);
        for sample in &profile.samples {
            let frames = &sample.stack.frames;
            let leaf = frames.first().map(String::as_str);
            if leaf != Some("io/jprof/harness/Work.piece") || !sample.stack.is_resolved() {
                continue;
            }
            let place = |wanted: &str| frames.iter().position(|frame| frame.starts_with(wanted));
            let root = frames.last().map(String::as_str);
            let carrier = "java/util/concurrent/ForkJoinWorkerThread.run";
            assert_eq!(root, Some(carrier), "{frames:?}");
            let continuation = place("jdk/internal/vm/Continuation.");
            assert!(continuation.is_some(), "{frames:?}");
            if place(frozen).is_some() {
                assert!(place(frozen) < continuation, "{frames:?}");
                thawing += sample.weight;
                continue;
            }
            let run = place("java/lang/VirtualThread.run");
            assert!(run.is_some() && run < continuation, "{frames:?}");
            whole += sample.weight;
        }
        eprintln!("  {whole} whole, {thawing} with frames in the heap");
        assert!(whole >= OF_VIRTUAL_THREADS, "only {whole} are whole");
    });
}
