//! Live objects from chunk to chunk, and from one recording to the next.

use std::path::Path;

use super::{TRACKING, bytes_by_site, site, usual};
use crate::accuracy::measure;
use crate::attach::{attach, detach};
use crate::support::{Jdk, Profile, Program, folder, on_jdks, on_jdks_at_once};

/// What leaks in all, but for what no collection has seen yet and for chance.
const LEAK_TOLERANCE: f64 = 0.15;
/// Chunks that are shorter are the last ones.
const SHORTEST_NANOS: u64 = 400_000_000;

/// Collects twenty times a second.
fn leak(jdk: &Jdk, arguments: &[&str]) -> Program {
    let program = Program::new(jdk, "Leak", arguments);
    program.jvm("-Xmx256m").jvm("-Xmn8m")
}

#[test]
fn a_leak_is_first_and_grows_from_chunk_to_chunk() {
    on_jdks("a leak", usual(), |jdk| {
        let options = "event=none,period=1s,alloc=32k,live=on";
        let measured = measure(leak(jdk, &["4", "16"]), options);
        let profile = measured.profile;
        assert!(profile.chunks.len() >= 4);
        let mut before = 0.0;
        for (number, times) in profile.chunks.iter().enumerate() {
            let live = profile.live.iter().filter(|object| object.chunk == number);
            let sites = bytes_by_site(live);
            eprintln!(
                "  {} ms: {sites:.0?}",
                (times.end - times.start) / 1_000_000
            );
            let leaked = sites.get("leak").copied().unwrap_or(0.0);
            // A moment's noise that the last collection has found reachable, and the list that all of it is in.
            for (name, bytes) in &sites {
                assert!(*name == "leak" || *bytes < leaked / 10.0, "{name}");
            }
            let is_whole = times.end - times.start >= SHORTEST_NANOS;
            assert!(leaked > before || !is_whole && leaked >= before);
            before = leaked;
        }
        let truth = measured.run.truth("leak.bytes");
        let off = before / truth as f64 - 1.0;
        eprintln!("  {before:.0} of {truth} bytes ({:+.2} %)", off * 100.0);
        assert!(off.abs() <= LEAK_TOLERANCE, "{before:.0} of {truth} bytes");
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
    on_jdks_at_once("live objects, attached twice", TRACKING, |jdk| {
        let folder = folder();
        let files = ["first", "second"].map(|name| folder.path().join(name));
        // Until the test ends it.
        let mut running = leak(jdk, &["60", "3"]).start();
        running.wait_for("begin.cpu_nanos");
        let pid = running.pid();
        let options = |file: &Path| {
            format!(
                "url=none,dialect=datakit,event=none,alloc=4k,live=on,file={}",
                file.display()
            )
        };
        attach(pid, &options(&files[0])).done();
        running.wait_for("leaked=4\n");
        detach(pid).done();
        attach(pid, &options(&files[1])).done();
        // Some seconds later, however busy the machine is.
        running.wait_for("leaked=12\n");
        detach(pid).done();
        drop(running);
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
                "JDK {}: {} live ones of {allocated}, {} objects in all",
                jdk.version,
                live.len(),
                profile.allocations.len()
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
