//! Live objects: what is kept is shown where it was allocated, and what is gone is not.

mod bounds;
mod sessions;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::accuracy::{Measured, measure};
use crate::matrix::COLLECTORS;
use crate::support::{Jdk, Live, Profile, Program, command, every_jdk, folder, on_jdks};

/// The JVMs that track live objects.
const TRACKING: &[u32] = &[11, 17, 21, 25];
/// The first and the last of them.
const OLDEST_AND_NEWEST: &[u32] = &[11, 25];
/// One that has every collector of today.
const OF_COLLECTORS: &[u32] = &[25];
/// Where what is tested hardly differs between versions.
const USUAL: &[u32] = &[17];
/// One site's bytes, unless chance allows for more.
const SITE_TOLERANCE: f64 = 0.10;
/// Four, since it is estimated by the same few samples: too low where they are too few.
const STANDARD_ERRORS: f64 = 4.0;
/// Sums that chance is not in.
const SUM_TOLERANCE: f64 = 0.03;

/// Methods of the program `Retainer` that keep some objects, and the classes of these.
const KEEPING: [(&str, &str); 2] = [
    ("tenth", "[C"),
    ("kept", "io/jprof/harness/Retainer$Parcel"),
];

fn oldest_and_newest() -> &'static [u32] {
    if every_jdk() {
        TRACKING
    } else {
        OLDEST_AND_NEWEST
    }
}

fn usual() -> &'static [u32] {
    if every_jdk() { TRACKING } else { USUAL }
}

/// Bytes, and what chance has in them.
#[derive(Debug, Default)]
struct Sum {
    objects: usize,
    bytes: f64,
    squares: f64,
}

impl Sum {
    fn of<'a>(objects: impl Iterator<Item = &'a Live>) -> Sum {
        objects.fold(Sum::default(), |sum, object| Sum {
            objects: sum.objects + 1,
            bytes: sum.bytes + object.bytes(),
            squares: sum.squares + object.bytes() * object.bytes(),
        })
    }

    /// It is as many bytes as it should be.
    fn check(&self, what: &str, truth: u64) {
        let off = self.bytes / truth as f64 - 1.0;
        eprintln!(
            "  {what}: {:.0} of {truth} bytes ({:+.2} %), {} samples",
            self.bytes,
            off * 100.0,
            self.objects
        );
        assert!(self.objects > 0, "{what}: no sample");
        let chance = STANDARD_ERRORS * self.squares.sqrt() / self.bytes;
        assert!(
            off.abs() <= chance.max(SITE_TOLERANCE),
            "{what}: {off:+.3}, chance {chance:.3}"
        );
    }
}

impl Profile {
    /// What was alive at the end of the last chunk.
    fn live_at_end(&self) -> impl Iterator<Item = &Live> {
        let last = self.chunks.len() - 1;
        self.live.iter().filter(move |object| object.chunk == last)
    }
}

/// The method of the harness that allocated it.
fn site(object: &Live) -> &str {
    let top = object.stack.frames.first().expect("a frame");
    let method = top.strip_prefix("io/jprof/harness/").unwrap_or(top);
    method.split_once('.').map_or(method, |(_, name)| name)
}

fn bytes_by_site<'a>(objects: impl Iterator<Item = &'a Live>) -> BTreeMap<&'a str, f64> {
    let mut bytes = BTreeMap::new();
    for object in objects {
        *bytes.entry(site(object)).or_default() += object.bytes();
    }
    bytes
}

fn retainer(jdk: &Jdk, arguments: &[&str], collector: &[&str]) -> Program {
    let program = Program::new(jdk, "Retainer", arguments).jvm("-Xmx512m");
    collector
        .iter()
        .fold(program, |program, flag| program.jvm(flag))
}

fn check_retained(measured: &Measured) {
    let Measured { run, profile } = measured;
    for (keeping, class) in KEEPING {
        let truth = run.truth(&format!("site.{keeping}.live_bytes"));
        let of_site = || {
            profile
                .live_at_end()
                .filter(|object| site(object) == keeping)
        };
        Sum::of(of_site()).check(keeping, truth);
        for object in of_site() {
            assert_eq!(object.class, class, "{keeping}");
        }
    }
    for object in profile.live_at_end() {
        assert_ne!(site(object), "dropped", "it was collected: {object:?}");
        assert!(object.age > 0, "no collection has seen it: {object:?}");
    }
}

#[test]
fn live_bytes_by_site_are_those_that_are_kept() {
    on_jdks("live bytes", TRACKING, |jdk| {
        let program = retainer(jdk, &[], &["-XX:+UseG1GC"]);
        check_retained(&measure(program, "event=none,alloc=32k,live=on"));
    });
}

#[test]
fn live_bytes_by_site_with_every_collector_and_many_threads() {
    let versions = if every_jdk() { TRACKING } else { OF_COLLECTORS };
    on_jdks("live bytes by collector", versions, |jdk| {
        // From 24 on ZGC is always so, and the JVM has something to say to the flag; as 9 to 13 have to CMS.
        let is_asked = |flags: &[&str]| {
            let is_said = flags.contains(&"-XX:+ZGenerational") && jdk.version >= 24
                || flags.contains(&"-XX:+UseConcMarkSweepGC") && jdk.version >= 9;
            !is_said
        };
        let collectors = COLLECTORS.iter().filter(|collector| is_asked(collector));
        for collector in collectors.filter(|collector| jdk.takes(collector)) {
            eprintln!("  {collector:?}");
            let program = retainer(jdk, &["2", "24", "20"], collector);
            check_retained(&measure(program, "event=none,alloc=16k,live=on"));
        }
    });
}

/// Then objects are sampled half a MiB apart, and no allocation is written.
#[test]
fn live_objects_without_allocations() {
    on_jdks("live objects alone", usual(), |jdk| {
        let program = retainer(jdk, &["4", "128"], &[]);
        let measured = measure(program, "event=none,alloc=off,live=on");
        assert_eq!(measured.profile.allocations.len(), 0);
        check_retained(&measured);
    });
}

/// The sums that DataKit shows.
#[test]
fn metrics_of_the_heap_are_those_that_the_jvm_tells() {
    on_jdks("metrics of the heap", oldest_and_newest(), |jdk| {
        let folder = folder();
        let file = folder.path().join("all.jfr");
        let options = format!(
            "url=none,dialect=datakit,event=none,alloc=64k,live=on,file={}",
            file.display()
        );
        let program = retainer(jdk, &[], &[]).agent(&options);
        let run = program.run().expect_success();
        let metrics = metrics(&file);
        let check = |name: &str, truth: f64, tolerance: f64| {
            let value = metrics[name].as_f64();
            let value = value.unwrap_or_else(|| panic!("no {name}: {metrics}"));
            let off = value / truth - 1.0;
            eprintln!("  {name}: {value} of {truth} ({:+.2} %)", off * 100.0);
            assert!(off.abs() <= tolerance, "{name}: {value} of {truth}");
        };
        let profile = Profile::of_file(&file);
        let (start, end) = profile.span();
        let seconds = (end - start) as f64 / 1e9;
        let truth = |name| run.truth(name) as f64;
        let allocated = truth("allocated_bytes");
        check("prof_jvm_alloc_bytes_total", allocated, SUM_TOLERANCE);
        check(
            "prof_jvm_alloc_bytes_per_sec",
            allocated / seconds,
            SUM_TOLERANCE,
        );
        // Bytes are made true by the JVM's count of them; of objects there is none.
        check(
            "prof_jvm_allocs_per_sec",
            truth("objects") / seconds,
            SITE_TOLERANCE,
        );
        check(
            "prof_jvm_lifetime_heap_objects",
            profile.live.len() as f64,
            0.0,
        );
        check(
            "prof_jvm_lifetime_heap_bytes",
            truth("heap.used_bytes"),
            SUM_TOLERANCE,
        );
        let pools = run.truth("heap.collection_bytes") as f64;
        let (left, is_live) = *profile.heap_usages.first().expect("an event");
        assert!(is_live, "what a collection has left");
        let off = left as f64 / pools - 1.0;
        assert!(
            off.abs() <= SUM_TOLERANCE,
            "{left} of {pools}, by the pools"
        );
    });
}

fn metrics(file: &Path) -> Value {
    let output = Command::new(command())
        .args(["metrics", "--json"])
        .arg(file)
        .output()
        .expect("jprof runs");
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).expect("JSON")
}
