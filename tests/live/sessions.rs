//! Live objects from chunk to chunk, and from one recording to the next.

use std::path::Path;
use std::thread;
use std::time::Duration;

use super::{TRACKING, bytes_by_site, site, usual};
use crate::accuracy::measure;
use crate::attach::{attach, detach};
use crate::support::{Jdk, Profile, Program, folder, on_jdks};

const MIB_PER_SECOND: f64 = 16.0;
/// What leaks in a chunk: the rate, but for what no collection has seen yet and for chance.
const RATE_TOLERANCE: f64 = 0.25;
/// Chunks that are too short to tell a rate are the last ones.
const SHORTEST_SECONDS: f64 = 0.4;

/// Collects some twenty times a second.
fn leak(jdk: &Jdk, seconds: &str) -> Program {
    let program = Program::new(jdk, "Leak", &[seconds]);
    program.jvm("-Xmx256m").jvm("-Xmn8m")
}

#[test]
fn a_leak_is_first_and_grows_from_chunk_to_chunk() {
    on_jdks("a leak", usual(), |jdk| {
        let options = "event=none,period=1s,alloc=32k,live=on";
        let profile = measure(leak(jdk, "4"), options).profile;
        let mut before: Option<f64> = None;
        for (number, times) in profile.chunks.iter().enumerate() {
            let live = profile.live.iter().filter(|object| object.chunk == number);
            let sites = bytes_by_site(live);
            let seconds = (times.end - times.start) as f64 / 1e9;
            eprintln!("  {seconds:.2} s: {sites:.0?}");
            let leaked = sites.get("leak").copied().unwrap_or(0.0);
            // A moment's noise that the last collection has found reachable.
            for (name, bytes) in &sites {
                assert!(*name == "leak" || *bytes < leaked / 10.0, "{name}");
            }
            if let Some(before) = before
                && seconds >= SHORTEST_SECONDS
            {
                let rate = (leaked - before) / seconds / f64::from(1 << 20);
                let off = rate / MIB_PER_SECOND - 1.0;
                assert!(off.abs() <= RATE_TOLERANCE, "{rate:.1} MiB a second");
            }
            before = Some(leaked);
        }
        assert!(profile.chunks.len() >= 4);
    });
}

/// Without a collection nobody knows what is alive.
#[test]
fn objects_that_no_collection_has_seen_are_left_out_or_marked() {
    on_jdks("live objects before a collection", usual(), |jdk| {
        let run = |live: &str| {
            let program = Program::new(jdk, "Leak", &["1"]);
            let program = program.jvm("-Xmx1g").jvm("-Xmn800m");
            measure(program, &format!("event=none,alloc=32k,live={live}")).profile
        };
        let of_leak = |profile: &Profile| {
            let ages = profile.live.iter().filter(|object| site(object) == "leak");
            ages.map(|object| object.age).collect::<Vec<_>>()
        };
        assert_eq!(of_leak(&run("on")), Vec::<u64>::new());
        let profile = run("all");
        let ages = of_leak(&profile);
        eprintln!("  {} objects, heap {:?}", ages.len(), profile.heap_usages);
        assert!(ages.len() > 100, "{}", ages.len());
        assert!(ages.iter().all(|&age| age == 0));
        // No collection, so it is what is used now.
        let (used, is_live) = *profile.heap_usages.first().expect("an event");
        assert!(!is_live && used > 16 << 20, "{used}");
    });
}

#[test]
fn a_second_recording_has_nothing_of_the_first() {
    on_jdks("live objects, attached twice", TRACKING, |jdk| {
        let folder = folder();
        let files = ["first", "second"].map(|name| folder.path().join(name));
        let mut running = leak(jdk, "5").start();
        running.wait_for("begin.cpu_nanos");
        let pid = running.pid();
        let options = |file: &Path| {
            format!(
                "url=none,dialect=datakit,event=none,alloc=16k,live=on,file={}",
                file.display()
            )
        };
        attach(pid, &options(&files[0])).done();
        thread::sleep(Duration::from_millis(1_500));
        detach(pid).done();
        attach(pid, &options(&files[1])).done();
        thread::sleep(Duration::from_millis(1_000));
        detach(pid).done();
        // It is at work still.
        running.finish().expect_success();
        for file in files {
            let profile = Profile::of_file(&file);
            let live: Vec<_> = profile
                .live_at_end()
                .filter(|object| site(object) == "leak")
                .collect();
            let allocated = profile.allocations.iter();
            let allocated = allocated
                .filter(|sample| sample.stack.has("Leak.leak"))
                .count();
            eprintln!(
                "JDK {}: {} live ones of {allocated}",
                jdk.version,
                live.len()
            );
            assert!(live.len() * 2 > allocated, "most of them");
            assert!(live.len() <= allocated, "all are of this recording");
        }
    });
}

#[test]
fn before_11_one_line_says_that_there_are_no_live_objects() {
    on_jdks("no live objects", &[8], |jdk| {
        let folder = folder();
        let file = folder.path().join("all.jfr");
        let options = format!(
            "url=none,dialect=datakit,interval=1ms,live=on,file={}",
            file.display()
        );
        let program = Program::new(jdk, "Mix", &["1"]).agent(&options);
        let run = program.run().expect_success();
        let lines = run.agent_lines();
        eprintln!("{lines:?}");
        assert_eq!(lines.len(), 1, "{lines:?}");
        for word in ["live", "11"] {
            assert!(lines[0].contains(word), "{word}: {lines:?}");
        }
        let profile = Profile::of_file(&file);
        assert!(profile.weight(|_| true) > 0, "CPU samples go on");
        assert_eq!(profile.live.len(), 0);
    });
}
