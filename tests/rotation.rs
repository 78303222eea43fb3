//! Chunk follows chunk without a hole.

use std::collections::BTreeMap;

use crate::endings::{check_delivery, upload};
use crate::support::{DataKit, Jdk, OLD_AND_USUAL, Profile, Program, folder, on_jdks};

/// A pause of the whole machine falls on a rotation by chance now and then (one of 20 ms with a chance of 1 in 50 at
/// one rotation a second); a hole at rotations is there each time.
const TRIES: usize = 3;

/// Samples are timed by a clock that is not set, chunks by the wall clock, which the system may steer by half a
/// millisecond in a chunk's second.
const CLOCK_NANOS: u64 = 1_000_000;

/// The longest of something elsewhere and at rotations.
#[derive(Debug, Default)]
struct Longest {
    elsewhere: u64,
    at_rotation: u64,
}

impl Longest {
    fn note(&mut self, length: u64, is_at_rotation: bool) {
        let longest = if is_at_rotation {
            &mut self.at_rotation
        } else {
            &mut self.elsewhere
        };
        *longest = length.max(*longest);
    }

    fn is_even(&self) -> bool {
        self.at_rotation <= self.elsewhere
    }
}

/// Distances between consecutive samples of each busy thread, in nanoseconds, and the CPU time that samples stand for,
/// in intervals.
fn longest(profile: &Profile) -> (Longest, Longest) {
    let mut threads = BTreeMap::<&str, Vec<(u64, u64)>>::new();
    for sample in &profile.samples {
        if sample.thread.starts_with("busy-") && sample.stack.is_sampled() {
            let samples = threads.entry(&sample.thread).or_default();
            samples.push((sample.unix_nanos, sample.weight));
        }
    }
    assert!(!threads.is_empty(), "no busy thread was sampled");
    let starts: Vec<u64> = profile.chunks.iter().map(|chunk| chunk.start).collect();
    let (mut distances, mut weights) = (Longest::default(), Longest::default());
    for samples in threads.values_mut() {
        samples.sort_unstable();
        for pair in samples.windows(2) {
            let [(before, _), (after, weight)] = [pair[0], pair[1]];
            let rotates = starts.iter().any(|&start| before < start && start <= after);
            distances.note(after - before, rotates);
            weights.note(weight, rotates);
        }
    }
    (distances, weights)
}

fn rotate(jdk: &Jdk) -> (Longest, Longest) {
    let (datakit, spool) = (DataKit::start(), folder());
    let options = upload(
        &datakit,
        &spool.path().join("spool"),
        "period=1s,interval=1ms",
    );
    let run = Program::new(jdk, "BusyThreads", &["10.6", "2"])
        .agent(&options)
        .run()
        .expect_success();
    let uploads = datakit.uploads();
    assert!(uploads.len() > 10, "only {} chunks", uploads.len());
    let profile = check_delivery(&run, &uploads);
    for (upload, chunk) in uploads.iter().zip(&profile.chunks) {
        assert_eq!(upload.period(), chunk.period());
    }
    for pair in profile.chunks.windows(2) {
        assert_eq!(pair[0].end, pair[1].start, "chunk headers touch");
    }
    let (start, end) = profile.span();
    for sample in &profile.samples {
        let time = sample.unix_nanos;
        assert!(
            time + CLOCK_NANOS >= start && time <= end + CLOCK_NANOS,
            "{sample:?}"
        );
    }
    let (least, most) = run.cpu_between(start, end);
    let claimed = profile.cpu_nanos(|_| true);
    eprintln!(
        "JDK {}: {} chunks, samples for {claimed} ns of {least} to {most} ns",
        jdk.version,
        uploads.len()
    );
    assert!(
        claimed as f64 >= least as f64 * 0.99 && claimed as f64 <= most as f64 * 1.01,
        "samples stand for {claimed} ns of {least} to {most} ns"
    );
    longest(&profile)
}

#[test]
fn over_ten_rotations_chunks_touch_and_no_sample_is_late() {
    on_jdks("ten rotations", OLD_AND_USUAL, |jdk| {
        let mut seen = Vec::new();
        let even = (0..TRIES).any(|_| {
            let (distances, weights) = rotate(jdk);
            eprintln!("distances {distances:?}, weights {weights:?}");
            let even = distances.is_even() && weights.is_even();
            seen.push((distances, weights));
            even
        });
        assert!(even, "each time the longest is at a rotation: {seen:?}");
    });
}

#[test]
fn a_file_holds_the_same_chunks_as_the_uploads() {
    on_jdks("file beside uploads", &[17], |jdk| {
        let (datakit, spool) = (DataKit::start(), folder());
        let file = spool.path().join("all.jfr");
        let more = format!("period=1s,interval=1ms,file={}", file.display());
        let run = Program::new(jdk, "CpuShares", &["3"])
            .agent(&upload(&datakit, &spool.path().join("spool"), &more))
            .run()
            .expect_success();
        let uploads = datakit.uploads();
        let sent = check_delivery(&run, &uploads);
        let kept = Profile::of_file(&file);
        assert_eq!(uploads.len(), kept.chunks.len());
        assert_eq!(sent.chunks, kept.chunks);
        assert_eq!(sent.events, kept.events);
        assert_eq!(sent.weight(|_| true), kept.weight(|_| true));
    });
}

#[test]
fn a_pattern_with_numbers_gives_a_file_per_period() {
    on_jdks("a file per period", &[17], |jdk| {
        let folder = folder();
        let pattern = folder.path().join("part-%p-%n.jfr");
        let options = format!(
            "url=none,dialect=jdk,period=1s,interval=1ms,file={}",
            pattern.display()
        );
        let run = Program::new(jdk, "CpuShares", &["3"])
            .agent(&options)
            .run()
            .expect_success();
        let pid = run.truth("pid");
        let files = std::fs::read_dir(folder.path()).expect("a folder").count();
        assert!(files >= 3, "{files} files");
        let mut used = 0;
        let mut end = None;
        for number in 1..=files {
            let path = folder.path().join(format!("part-{pid}-{number}.jfr"));
            let profile = Profile::of_file(&path);
            assert_eq!(profile.chunks.len(), 1, "{}", path.display());
            let chunk = profile.chunks[0];
            assert!(
                end.is_none_or(|end| end == chunk.start),
                "{}",
                path.display()
            );
            end = Some(chunk.end);
            used += profile.weight(|_| true) * 1_000_000;
        }
        assert!(used + 30_000_000 >= run.truth("run.cpu_nanos"), "{used} ns");
    });
}
