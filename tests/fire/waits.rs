//! Waits that a signal interrupts last as long, and come to the same, as without the agent.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use super::check_alike;
use crate::support::{
    Jdk, OLD_AND_USUAL, Program, Run, folder, lock_file, on_jdks, signal_all_threads, unlock_file,
};

/// How long the program waits for a lock.
const LOCKED: Duration = Duration::from_millis(300);
/// Between two storms of signals.
const STORM: Duration = Duration::from_millis(1);
/// How long each of the program's waits is, but for that for a lock.
const LENGTH_NANOS: u64 = 150_000_000;
/// How much longer than without the agent the shortest of a wait's rounds may be, and in a storm of signals. From JDK 11 on,
/// a `select` counts whole milliseconds of what has passed when a signal interrupts it.
const LONGER: f64 = 1.25;
const LONGER_IN_A_STORM: f64 = 2.0;

/// A run of `Waits` and the shortest round of each of its waits, in nanoseconds.
struct Waited {
    run: Run,
    shortest: BTreeMap<String, u64>,
}

fn wait(jdk: &Jdk, agent: Option<&str>, storm: bool) -> Waited {
    let folder = folder();
    let (times, lock) = (folder.path().join("times"), folder.path().join("lock"));
    let file = File::create(&lock).expect("a file");
    lock_file(&file);
    let words = [&times, &lock].map(|path| path.to_str().expect("letters"));
    let program = Program::new(jdk, "Waits", &words);
    let program = match agent {
        Some(options) => program.agent(options),
        None => program,
    };
    let mut running = program.start();
    running.wait_for("waits");
    let (pid, over) = (running.pid(), AtomicBool::new(false));
    let run = thread::scope(|scope| {
        scope.spawn(|| {
            thread::sleep(LOCKED);
            unlock_file(&file);
        });
        if storm {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    signal_all_threads(pid);
                    thread::sleep(STORM);
                }
            });
        }
        let run = running.finish();
        over.store(true, Ordering::Relaxed);
        run
    });
    let run = run.expect_code(3);
    Waited {
        shortest: shortest(&times),
        run,
    }
}

fn shortest(times: &Path) -> BTreeMap<String, u64> {
    let text = fs::read_to_string(times).expect("the program wrote it");
    let lines = text.lines().map(|line| {
        let mut words = line.split(' ');
        let name = words.next().expect("a name").to_owned();
        let nanos = words.next().and_then(|word| word.parse().ok());
        (name, nanos.expect("a number"))
    });
    lines.collect()
}

/// Prints and checks that the waits last as long as they should, and as without the agent.
fn check_lengths(what: &str, plain: &Waited, with: &Waited, longer: f64) {
    // The test ends this one, which the program begins sooner or later.
    let names = plain.shortest.keys().filter(|name| *name != "lock");
    let times = names.map(|name| {
        let (without, with) = (plain.shortest[name], with.shortest[name]);
        (name, with, with as f64 / without as f64)
    });
    let times: Vec<(&String, u64, f64)> = times.collect();
    let text = times
        .iter()
        .map(|(name, _, ratio)| format!("{name} {ratio:.3}"));
    eprintln!("{what}: {}", text.collect::<Vec<_>>().join(", "));
    for (name, nanos, ratio) in times {
        assert!(
            nanos >= LENGTH_NANOS - 1_000_000,
            "{what}: {name}: {nanos} ns"
        );
        assert!(ratio <= longer, "{what}: {name} {ratio}");
    }
}

#[test]
fn waits_are_what_they_are_without_the_agent() {
    on_jdks("waits", OLD_AND_USUAL, |jdk| {
        let options = |name: &str, folder: &Path| {
            let file = folder.join(name);
            format!("url=none,interval=1ms,file={}", file.display())
        };
        let folder = folder();
        let (ticks, storm) = (options("a", folder.path()), options("b", folder.path()));
        let (plain, ticked, stormed) = thread::scope(|scope| {
            let plain = scope.spawn(|| wait(jdk, None, false));
            let ticked = scope.spawn(|| wait(jdk, Some(&ticks), false));
            let stormed = scope.spawn(|| wait(jdk, Some(&storm), true));
            let join = |thread: thread::ScopedJoinHandle<'_, Waited>| thread.join();
            (
                join(plain).expect("it ran"),
                join(ticked).expect("it ran"),
                join(stormed).expect("it ran"),
            )
        });
        for line in plain.run.stdout.lines() {
            // What did not come to what it should.
            assert!(!line.contains("Exception"), "without the agent: {line}");
        }
        eprintln!("JDK {}", jdk.version);
        for (what, waited, longer) in [
            ("ticks", &ticked, LONGER),
            ("a storm of signals", &stormed, LONGER_IN_A_STORM),
        ] {
            check_alike(&plain.run, &waited.run);
            check_lengths(what, &plain, waited, longer);
        }
    });
}
