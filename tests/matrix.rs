//! Every JDK with every collector it has, by each way to run code, under programs that do everything and that load classes
//! all the time: at 100 us no JVM crashes, and none takes much more memory than without the agent.
//!
//! Here every other JDK and collector runs by one of the ways, in turn; `make soak` sets `$JPROF_MATRIX_SECONDS`, and then all do,
//! for so long each.

use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::support::{ALL, Jdk, Program, Run, at_once, folder, on_jdks, peak_mib};

/// Of which a JDK takes those that it has.
pub(crate) const COLLECTORS: [&[&str]; 7] = [
    &["-XX:+UseSerialGC"],
    &["-XX:+UseParallelGC"],
    &["-XX:+UseG1GC"],
    &["-XX:+UseConcMarkSweepGC"],
    &["-XX:+UnlockExperimentalVMOptions", "-XX:+UseZGC"],
    &["-XX:+UseZGC", "-XX:+ZGenerational"],
    &["-XX:+UnlockExperimentalVMOptions", "-XX:+UseShenandoahGC"],
];

const WAYS: [&[&str]; 4] = [
    &[],
    &["-XX:TieredStopAtLevel=1"],
    &["-Xint"],
    // No room for all that is worth compiling.
    &["-XX:ReservedCodeCacheSize=6m"],
];

const PROGRAMS: [&str; 2] = ["Mix", "LoaderChurn"];

/// Seconds of each run when none are asked for.
const SECONDS: &str = "1";
/// How much longer a run may take on a busy machine before it counts as hung.
const PATIENCE: Duration = Duration::from_secs(240);
/// Resident memory at its peak beyond that of the run without the agent.
const MOST_MIB: f64 = 40.0;
/// JVMs at one time.
const AT_ONCE: usize = 2;

#[test]
fn soak_every_collector_by_every_way_to_run_code() {
    let asked = std::env::var("JPROF_MATRIX_SECONDS").ok();
    let seconds = asked.as_deref().unwrap_or(SECONDS);
    let next = AtomicUsize::new(0);
    on_jdks("matrix", ALL, |jdk| {
        let collectors = COLLECTORS.iter().filter(|collector| jdk.takes(collector));
        let mut cases = Vec::new();
        for collector in collectors {
            let all = WAYS
                .iter()
                .flat_map(|way| PROGRAMS.map(|program| (*way, program)));
            let all: Vec<_> = all.collect();
            let turn = next.fetch_add(1, Ordering::Relaxed) % (2 * all.len());
            let chosen = match (&asked, turn % 2) {
                (Some(_), _) => &all[..],
                (None, 0) => &all[turn / 2..=turn / 2],
                (None, _) => &[],
            };
            cases.extend(
                chosen
                    .iter()
                    .map(|(way, program)| (*collector, *way, *program)),
            );
        }
        for cases in cases.chunks(AT_ONCE) {
            at_once(cases, |(collector, way, program)| {
                check(jdk, &[*collector, *way].concat(), program, seconds);
            });
        }
    });
}

fn check(jdk: &Jdk, arguments: &[&str], program: &str, seconds: &str) {
    let folder = folder();
    let run = |agent: Option<&str>| {
        let mut program = Program::new(jdk, program, &[seconds])
            .longest(PATIENCE)
            .jvm(format!("-XX:ErrorFile={}/hs_err", folder.path().display()))
            // All of the heap is resident from the start on, so that it is no part of what differs.
            .jvm("-Xms160m")
            .jvm("-Xmx160m")
            .jvm("-XX:+AlwaysPreTouch");
        for argument in arguments {
            program = program.jvm(argument);
        }
        if let Some(options) = agent {
            program = program.agent(options);
        }
        let mut peak = 0.0;
        let run = program.start().finish_watched(|pid| {
            peak = peak_mib(pid).map_or(peak, |now| now.max(peak));
        });
        assert!(
            !folder.path().join("hs_err").exists(),
            "the JVM has written an error file: {}",
            run.stdout
        );
        (run.expect_success(), peak)
    };
    let (_, bare) = run(None);
    let file = folder.path().join("all.jfr");
    let options = format!("url=none,interval=100us,file={}", file.display());
    let (with, peak): (Run, f64) = run(Some(&options));
    assert_eq!(with.agent_lines(), Vec::<&str>::new());
    let bytes = fs::metadata(&file).expect("a recording").len();
    eprintln!(
        "JDK {} {arguments:?} {program}: {peak:.1} MiB at most, {bare:.1} without the agent; {bytes} bytes",
        jdk.version
    );
    assert!(bytes > 0, "an empty recording");
    assert!(
        peak <= bare + MOST_MIB,
        "{arguments:?} {program}: {peak:.1} MiB, {bare:.1} without the agent"
    );
}
