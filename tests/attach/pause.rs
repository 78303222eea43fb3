//! An attach does not make a busy JVM stand still.

use std::ops::RangeInclusive;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::{attach, detach, started, to_file};
use crate::support::{ALL, Program, folder, on_jdks};

/// Libraries in the process: each is looked through.
const LIBRARIES: &str = "300";
const SECONDS: &str = "4";
const BEFORE: Duration = Duration::from_millis(1_500);
/// Of the times that the program notes.
const WINDOW_MILLIS: u64 = 100;
/// What an attach may take from the application's threads at once.
const LONGEST: Duration = Duration::from_millis(50);
/// What it may take on a machine whose threads wait that long without it.
const TIMES_USUAL: u64 = 2;

fn unix_millis() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    u64::try_from(since.expect("after 1970").as_millis()).expect("a time")
}

#[test]
fn attach_and_detach_do_not_hold_a_busy_jvm_up() {
    on_jdks("attach: pauses", ALL, |jdk| {
        let folder = folder();
        let path = folder.path().to_str().expect("a path of letters");
        let program = Program::new(jdk, "Pauses", &[SECONDS, LIBRARIES, path]);
        let running = started(program);
        let pid = running.pid();
        let options = to_file(&folder.path().join("pause.jfr"));
        // The program goes on by itself and prints when it ends.
        let script = thread::spawn(move || {
            thread::sleep(BEFORE);
            let begin = unix_millis();
            attach(pid, &options).done();
            let attached = unix_millis();
            thread::sleep(Duration::from_millis(500));
            let detach_begin = unix_millis();
            detach(pid).done();
            [begin..=attached, detach_begin..=unix_millis()]
        });
        let run = running.finish().expect_success();
        let spans = script.join().expect("each step is as it should be");
        let start = run.truth("start.unix_millis");
        let (mut during, mut other) = (0, 0);
        for (number, nanos) in run.truths_like("pause.", "") {
            let window: u64 = number.parse().expect("a number");
            let first = start + window * WINDOW_MILLIS;
            let window = first..=first + WINDOW_MILLIS;
            let meets = |span: &RangeInclusive<u64>| {
                span.start() <= window.end() && window.start() <= span.end()
            };
            let longest = if spans.iter().any(meets) {
                &mut during
            } else {
                &mut other
            };
            *longest = nanos.max(*longest);
        }
        eprintln!(
            "JDK {}: attached in {} ms, detached in {} ms; a thread stood still for {:.1} ms meanwhile, {:.1} ms else",
            jdk.version,
            spans[0].end() - spans[0].start(),
            spans[1].end() - spans[1].start(),
            during as f64 / 1e6,
            other as f64 / 1e6
        );
        assert!(during > 0, "the attach was in the program's time");
        let allowed = (LONGEST.as_nanos() as u64).max(other * TIMES_USUAL);
        assert!(during <= allowed, "{during} ns at once, {other} ns else");
    });
}
