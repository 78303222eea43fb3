//! How many objects each sampled one stands for, so that the sums are what the threads have allocated.

use jprof_signal_safe::levels::BINS;
use jprof_signal_safe::threads::ThreadKey;
use rustc_hash::FxHashMap;

use crate::allocation::{Allocated, Calibration, Chances, Estimate, Levels, Traps};
use crate::threads::Registry;

/// How a sample came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// By the JVM: of all objects or, where the others are trapped, of those in TLABs.
    Sampled,
    /// By the JVM, of those outside of TLABs while the traps sample these: no event stands for it.
    SampledOutside,
    /// By a trap: of those that have begun a new TLAB.
    InNewTlab,
    /// By a trap: of those outside of TLABs.
    Outside,
}

impl Kind {
    /// Whether the JVM has sampled it.
    pub(super) const fn is_of_jvm(self) -> bool {
        matches!(self, Self::Sampled | Self::SampledOutside)
    }
}

/// What is needed to know of a sample.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part {
    pub(super) thread: ThreadKey,
    pub(super) kind: Kind,
    pub(super) size: u64,
    /// For how many of its kind it was chosen.
    pub(super) objects: f64,
    /// A trapped one that is among the counts of what was left of TLABs: it stands for others that have fitted, too.
    pub(super) is_counted: bool,
}

/// The objects that a sample stands for, in TLABs and outside.
#[derive(Clone, Copy, Debug, Default)]
struct Objects {
    inside: f64,
    outside: f64,
}

/// The accounts of a recording.
#[derive(Debug)]
pub(super) struct Calibrated {
    traps: Option<Traps>,
    inside: Calibration,
    outside: Calibration,
    /// Where all samples are of objects that did not fit into their TLABs.
    unfitting: Option<Unfitting>,
}

/// What is known of the TLABs of threads whose objects are seen only when they do not fit.
#[derive(Debug, Default)]
struct Unfitting {
    threads: FxHashMap<ThreadKey, Known>,
    /// What each thread had allocated when the recording began.
    at_first: FxHashMap<ThreadKey, u64>,
}

#[derive(Clone, Debug, Default)]
struct Known {
    levels: Levels,
    /// Bytes allocated while these were counted, of which older ones count less as well.
    allocated: f64,
    tlab: u64,
    last: Reading,
}

/// What was read of a thread at one moment.
#[derive(Clone, Debug)]
struct Reading {
    counts: [[u32; BINS]; 2],
    allocated: u64,
}

impl Default for Reading {
    fn default() -> Self {
        Self {
            counts: [[0; BINS]; 2],
            allocated: 0,
        }
    }
}

/// A thread with so many counted objects has chances of its own; others have those of all together.
const ENOUGH_COUNTED: f64 = 200.0;

impl Calibrated {
    pub(super) fn begin(traps: Option<Traps>, registry: &Registry) -> Self {
        let all = registry.allocated();
        let outside = outside(traps, registry);
        Self {
            traps,
            inside: Calibration::new(all.without(&outside)),
            outside: Calibration::new(outside),
            unfitting: traps.is_some_and(Traps::are_all).then(|| Unfitting {
                at_first: all.threads,
                ..Unfitting::default()
            }),
        }
    }

    /// The weights of these samples, all that were taken since the last time.
    pub(super) fn close(&mut self, samples: &[Part], registry: &Registry) -> Vec<f64> {
        let all = registry.allocated();
        let outside = outside(self.traps, registry);
        let objects: Vec<Objects> = match (&mut self.unfitting, self.traps) {
            (Some(unfitting), Some(traps)) => unfitting.objects(samples, &all, traps),
            _ => samples.iter().map(of_one_kind).collect(),
        };
        let estimates = |of: fn(&Objects) -> f64| {
            estimates(
                samples
                    .iter()
                    .zip(&objects)
                    .map(|(sample, objects)| (sample, of(objects))),
            )
        };
        let (inside_estimates, outside_estimates) = (
            estimates(|objects| objects.inside),
            estimates(|objects| objects.outside),
        );
        let inside = self.inside.close(all.without(&outside), &inside_estimates);
        let outside = self.outside.close(outside, &outside_estimates);
        let weight = |(sample, objects): (&Part, &Objects)| {
            let thread = sample.thread;
            objects.inside * inside.of(thread) + objects.outside * outside.of(thread)
        };
        samples.iter().zip(&objects).map(weight).collect()
    }
}

fn outside(traps: Option<Traps>, registry: &Registry) -> Allocated {
    traps.map_or_else(Allocated::default, |traps| traps.outside(registry))
}

fn of_one_kind(sample: &Part) -> Objects {
    match sample.kind {
        Kind::Sampled | Kind::InNewTlab => Objects {
            inside: sample.objects,
            outside: 0.0,
        },
        Kind::Outside => Objects {
            inside: 0.0,
            outside: sample.objects,
        },
        Kind::SampledOutside => Objects::default(),
    }
}

fn estimates<'a>(samples: impl Iterator<Item = (&'a Part, f64)>) -> FxHashMap<ThreadKey, Estimate> {
    let mut estimates: FxHashMap<ThreadKey, Estimate> = FxHashMap::default();
    for (sample, objects) in samples.filter(|&(_, objects)| objects > 0.0) {
        let estimate = estimates.entry(sample.thread).or_default();
        estimate.samples += 1;
        estimate.bytes += objects * sample.size as f64;
    }
    estimates
}

impl Unfitting {
    /// Objects in TLABs and outside that these samples stand for.
    fn objects(&mut self, samples: &[Part], all: &Allocated, traps: Traps) -> Vec<Objects> {
        self.read(samples, all, traps);
        let mut pooled = Known::default();
        for known in self.threads.values() {
            pooled.levels.merge(&known.levels);
            pooled.allocated += known.allocated;
            pooled.tlab = pooled.tlab.max(known.tlab);
        }
        let pooled = pooled.chances();
        let of_threads: FxHashMap<ThreadKey, Chances> = self
            .threads
            .iter()
            .filter(|(_, known)| known.levels.objects() >= ENOUGH_COUNTED)
            .map(|(&thread, known)| (thread, known.chances()))
            .collect();
        let objects = |sample: &Part| {
            let chances = of_threads.get(&sample.thread).unwrap_or(&pooled);
            // Each that was seen is one; the others have fitted.
            let fitted = if sample.is_counted {
                chances.objects(sample.size) - 1.0
            } else {
                0.0
            };
            match sample.kind {
                Kind::Outside => Objects {
                    inside: sample.objects * fitted,
                    outside: sample.objects,
                },
                Kind::Sampled | Kind::InNewTlab => Objects {
                    inside: sample.objects * (1.0 + fitted),
                    outside: 0.0,
                },
                Kind::SampledOutside => Objects::default(),
            }
        };
        samples.iter().map(objects).collect()
    }

    /// Adds what was counted since the last time.
    fn read(&mut self, samples: &[Part], all: &Allocated, traps: Traps) {
        let is_sampled = |thread| samples.iter().any(|sample| sample.thread == thread);
        self.threads.retain(|&thread, known| {
            let now = all.threads.get(&thread).zip(traps.levels(thread));
            let Some((&allocated, (counts, tlab))) = now else {
                // Ended: what it has left serves its last samples.
                return is_sampled(thread);
            };
            known.add(Reading { counts, allocated }, tlab);
            true
        });
        for thread in samples.iter().map(|sample| sample.thread) {
            if self.threads.contains_key(&thread) {
                continue;
            }
            let now = all.threads.get(&thread).zip(traps.levels(thread));
            if let Some((&allocated, (counts, tlab))) = now {
                let first = self.at_first.get(&thread).copied().unwrap_or(0);
                self.threads.entry(thread).or_insert_with(|| {
                    let mut known = Known::default();
                    known.last.allocated = first;
                    known.add(Reading { counts, allocated }, tlab);
                    known
                });
            }
        }
    }
}

impl Known {
    fn add(&mut self, now: Reading, tlab: u64) {
        let left = self.levels.fade();
        self.levels.add(&self.last.counts, &now.counts);
        let more = now.allocated.saturating_sub(self.last.allocated) as f64;
        self.allocated = left.mul_add(self.allocated, more);
        self.tlab = tlab;
        self.last = now;
    }

    fn chances(&self) -> Chances {
        self.levels.chances(self.allocated, self.tlab)
    }
}
