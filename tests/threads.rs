//! Threads come and go, change their names, sleep, and fork; each is what it is, and gives back what it took.

use std::fs;

use crate::accuracy::measure;
use crate::endings::{check_delivery, upload};
use crate::support::{DataKit, OLD_AND_USUAL, Program, folder, on_jdks};

/// Descriptors that a JVM opens now and then by itself: class files, the agent's chunk and connection.
const OTHER_DESCRIPTORS: usize = 16;

#[test]
fn threads_that_end_give_their_descriptors_back() {
    on_jdks("thread churn", OLD_AND_USUAL, |jdk| {
        let folder = folder();
        let file = folder.path().join("all.jfr");
        let options = format!(
            "url=none,dialect=datakit,interval=1ms,file={}",
            file.display()
        );
        let mut running = Program::new(jdk, "ThreadChurn", &["4"])
            .agent(&options)
            .start();
        running.wait_for("truth begin.cpu_nanos");
        // Descriptors beyond one per thread, each time that they were counted.
        let mut open = Vec::new();
        let run = running.finish_watched(|pid| {
            let count =
                |what: &str| fs::read_dir(format!("/proc/{pid}/{what}")).map(Iterator::count);
            if let (Ok(threads), Ok(descriptors)) = (count("task"), count("fd")) {
                open.push(descriptors.saturating_sub(threads));
            }
        });
        let run = run.expect_success();
        let threads = run.truth("threads");
        let most = open.iter().max().expect("the program ran");
        let first = open.iter().take(20).max().expect("the program ran");
        eprintln!(
            "JDK {}: {threads} threads, at most {most} descriptors, {first} at first",
            jdk.version
        );
        assert!(threads >= 100, "only {threads} threads");
        assert!(
            *most <= first + OTHER_DESCRIPTORS,
            "{threads} threads came and went; {most} descriptors are open, {first} at first"
        );
        let profile = crate::support::Profile::of_file(&file);
        let (start, end) = profile.span();
        let (least, most) = run.cpu_between(start, end);
        let claimed = profile.cpu_nanos(|_| true);
        assert!(
            claimed as f64 >= least as f64 * 0.99 && claimed as f64 <= most as f64 * 1.01,
            "samples stand for {claimed} ns of {least} to {most} ns"
        );
        // Their starts and ends are told, as far as the program itself started them.
        let lost = profile.counter("thread_events_lost");
        assert!(
            profile.events["jdk.ThreadStart"] + lost >= threads,
            "{:?}",
            profile.events
        );
    });
}

#[test]
fn a_thread_is_shown_under_the_name_that_it_has() {
    on_jdks("renamed thread", OLD_AND_USUAL, |jdk| {
        let (datakit, spool) = (DataKit::start(), folder());
        let options = upload(
            &datakit,
            &spool.path().join("spool"),
            "period=1s,interval=1ms",
        );
        let run = Program::new(jdk, "Renamer", &["5"])
            .agent(&options)
            .run()
            .expect_success();
        let profile = check_delivery(&run, &datakit.uploads());
        let chunks = profile.chunks.iter().map(|chunk| {
            profile.cpu_nanos(|sample| (chunk.start..=chunk.end).contains(&sample.unix_nanos))
        });
        let of_a_chunk = chunks.max().expect("a chunk");
        for name in ["before", "after"] {
            let truth = run.truth(&format!("thread.{name}.cpu_nanos"));
            let claimed = profile.cpu_nanos(|sample| &*sample.thread == name);
            eprintln!(
                "{name}: samples for {:.2} s of {:.2} s",
                claimed as f64 / 1e9,
                truth as f64 / 1e9
            );
            // A chunk has one name for a thread, the last: the time in the chunk in which it changed stands under it.
            let off = truth.abs_diff(claimed);
            assert!(off <= of_a_chunk, "{name}: {claimed} ns of {truth} ns");
        }
    });
}

#[test]
fn a_thread_that_was_renamed_and_ended_has_its_last_name() {
    on_jdks("renamed and ended", OLD_AND_USUAL, |jdk| {
        let measured = measure(Program::new(jdk, "Renamer", &["2"]), "interval=1ms");
        let under = |name: &str| measured.profile.weight(|sample| &*sample.thread == name);
        assert_eq!(
            under("before"),
            0,
            "{} intervals are under the old name",
            under("before")
        );
        assert!(under("after") > 0);
    });
}

#[test]
fn children_of_the_program_profile_nothing() {
    on_jdks("forks", OLD_AND_USUAL, |jdk| {
        let (datakit, spool) = (DataKit::start(), folder());
        let options = upload(
            &datakit,
            &spool.path().join("spool"),
            "period=1s,interval=1ms",
        );
        let run = Program::new(jdk, "Forker", &["3"])
            .agent(&options)
            .run()
            .expect_success();
        assert!(run.truth("children") >= 5, "{}", run.stdout);
        let uploads = datakit.uploads();
        check_delivery(&run, &uploads);
        let mut starts: Vec<_> = uploads.iter().map(|upload| upload.tag("start")).collect();
        starts.dedup();
        assert_eq!(starts.len(), uploads.len(), "a period was sent twice");
    });
}

#[test]
fn an_idle_program_stays_idle() {
    on_jdks("idle", OLD_AND_USUAL, |jdk| {
        let measured = measure(Program::new(jdk, "Idle", &["3"]), "interval=1ms");
        measured.check_sum();
        // What the program's threads and the JVM's do is little; what the agent's own do must be less than 1 % of the
        // three seconds. Starting counts, too: reading what the chunk says of the JVM.
        let own = measured
            .profile
            .cpu_nanos(|sample| sample.stack.is_only("[jprof]"));
        eprintln!(
            "JDK {}: {:.1} ms of the agent's own",
            jdk.version,
            own as f64 / 1e6
        );
        assert!(own <= 60_000_000, "the agent's own threads used {own} ns");
    });
}
