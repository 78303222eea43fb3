//! What live objects cost has a bound, and what has an end is gone.

use super::{Sum, TRACKING, oldest_and_newest, site, usual};
use crate::accuracy::measure;
use crate::support::{Profile, Program, available_mib, folder, on_jdks, peak_mib, skip};

const STORM_SECONDS: &str = "3";
/// The resident memory at its peak beyond that of a run without live objects.
const MOST_MIB: f64 = 24.0;
/// Longs in an array of 2.25 GiB take more bytes than a number of 32 bits can tell.
const HUGE_MIB: &str = "2304";
const HUGE_HEAP: &str = "-Xmx4g";
/// Memory that must be free for it.
const HUGE_NEEDS_MIB: u64 = 6 << 10;

/// The program `AllocationStorm` with all of its heap resident from the start on, so that it is no part of what differs.
fn storm(program: Program) -> Program {
    program
        .jvm("-Xms192m")
        .jvm("-Xmx192m")
        .jvm("-XX:+AlwaysPreTouch")
}

#[test]
fn a_storm_of_objects_fills_a_table_of_fixed_size() {
    on_jdks("live objects in a storm", usual(), |jdk| {
        let folder = folder();
        let peak = |live: &str| {
            let file = folder.path().join(format!("{live}.jfr"));
            let options = format!(
                "url=none,dialect=datakit,event=none,period=1s,alloc=1k,live={live},file={}",
                file.display()
            );
            let program = Program::new(jdk, "AllocationStorm", &[STORM_SECONDS]);
            let mut peak = 0.0;
            let running = storm(program).agent(&options).start();
            let run = running.finish_watched(|pid| {
                peak = peak_mib(pid).map_or(peak, |now| now.max(peak));
            });
            let objects = run.expect_success().truth("objects");
            (peak, objects, Profile::of_file(&file))
        };
        let (without, _, _) = peak("off");
        let (with, objects, profile) = peak("all");
        let most = (0..profile.chunks.len())
            .map(|chunk| {
                profile
                    .live
                    .iter()
                    .filter(|object| object.chunk == chunk)
                    .count()
            })
            .max()
            .expect("a chunk");
        let sampled = profile.allocations.len();
        eprintln!(
            "JDK {}: {objects} objects, {sampled} samples, {most} of {} live ones at most; {with:.1} MiB, {without:.1} without them",
            jdk.version, profile.live_capacity
        );
        assert!(
            sampled > 4 * most,
            "the storm is too weak to fill the table"
        );
        assert!(most > 0);
        assert!(most as u64 <= profile.live_capacity);
        assert!(with - without <= MOST_MIB);
    });
}

/// Loaders come and go, and take their classes and all instances with them.
#[test]
fn objects_of_classes_that_are_unloaded_are_gone() {
    on_jdks(
        "live objects of unloaded classes",
        oldest_and_newest(),
        |jdk| {
            let program = Program::new(jdk, "AllocationStorm", &[STORM_SECONDS, "1"]);
            let measured = measure(storm(program), "event=none,alloc=16k,live=on");
            let loaders = measured.run.truth("loaders");
            eprintln!("JDK {}: {loaders} loaders", jdk.version);
            assert!(loaders > 16, "none went away");
            let truth = measured.run.truth("freight.live_bytes");
            let freight = measured.profile.live_at_end().filter(|object| {
                assert_ne!(object.class, "", "a class has a name");
                site(object) == "load"
            });
            Sum::of(freight).check("what the last loaders' objects take", truth);
        },
    );
}

#[test]
fn huge_arrays_are_what_they_are() {
    let test = "live huge arrays";
    on_jdks(test, TRACKING, |jdk| {
        arrays(
            Program::new(jdk, "HugeArrays", &["16", "8"]).jvm("-Xmx256m"),
            4,
        );
    });
    let free = available_mib();
    if free < HUGE_NEEDS_MIB {
        skip(&format!("{test} of 2.25 GiB: {free} MiB are free"));
        return;
    }
    on_jdks(test, usual(), |jdk| {
        let program = Program::new(jdk, "HugeArrays", &[HUGE_MIB, "1"]).jvm(HUGE_HEAP);
        arrays(program, 1);
    });
}

/// Each is met, and stands for itself.
fn arrays(program: Program, kept: usize) {
    let measured = measure(program, "event=none,alloc=512k,live=on");
    let bytes = measured.run.truth("array.bytes");
    let live = measured.profile.live_at_end();
    let arrays: Vec<_> = live.filter(|object| site(object) == "array").collect();
    assert_eq!(arrays.len(), kept, "{arrays:?}");
    for array in arrays {
        assert_eq!((array.size, &*array.class), (bytes, "[J"));
        assert!((array.weight - 1.0).abs() < 0.01, "{array:?}");
    }
}
