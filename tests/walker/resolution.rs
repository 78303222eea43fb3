//! Which samples of Java threads have no stack that is whole.

use std::collections::{BTreeMap, HashMap};

use crate::support::{Profile, Sample, Stack};

/// What the VM calls first in a thread, when it begins and when it ends.
const ROOTS: &[&str] = &[
    "java/lang/Thread.run",
    "java/lang/Thread.exit",
    "java/lang/Shutdown.shutdown",
    "java/lang/ref/Finalizer$FinalizerThread.run",
    "java/lang/ref/Reference$ReferenceHandler.run",
    "java/util/concurrent/DelayScheduler.run",
    "java/util/concurrent/ForkJoinWorkerThread.run",
    "jdk/internal/misc/InnocuousThread.run",
];
/// The beginnings of what it calls in the thread `main` besides, before the program's main: the launcher in Java, a look at the
/// properties, threads that it makes. Classes are initialised there, too.
const BEFORE_MAIN: &[&str] = &[
    "sun/launcher/LauncherHelper.",
    "java/lang/System.getProp",
    "java/lang/Thread.<init>",
];
/// As much of the harness programs, but for their mains.
const OWN_ROOTS: &[&str] = &["Mix$Worker.run"];

/// The samples of the Java threads.
pub(super) struct Resolution<'a> {
    /// Σ weight of all.
    pub(super) all: u64,
    unresolved: Vec<&'a Sample>,
}

impl<'a> Resolution<'a> {
    /// Of a recording.
    pub(super) fn of(profile: &'a Profile) -> Resolution<'a> {
        let mut threads: HashMap<i64, Vec<&Sample>> = HashMap::new();
        for sample in &profile.samples {
            if let Some(id) = sample.java_id.filter(|_| sample.stack.is_sampled()) {
                threads.entry(id).or_default().push(sample);
            }
        }
        let mut resolution = Resolution {
            all: 0,
            unresolved: Vec::new(),
        };
        for samples in threads.values_mut() {
            samples.sort_by_key(|sample| sample.unix_nanos);
            resolution.all += samples.iter().map(|sample| sample.weight).sum::<u64>();
            resolution.unresolved.extend(unresolved(samples));
        }
        resolution
    }

    /// Σ weight of those without a whole stack, as a part of all.
    pub(super) fn unresolved(&self) -> f64 {
        let unresolved: u64 = self.unresolved.iter().map(|sample| sample.weight).sum();
        unresolved as f64 / self.all as f64
    }

    /// Prints the share of those without a whole stack, why that is, and what they look like.
    pub(super) fn print(&self, what: &str, profile: &Profile) {
        eprintln!(
            "{what}: {:.3} % of {} are unresolved",
            self.unresolved() * 100.0,
            self.all
        );
        for (name, count) in profile.counters_like("walk_") {
            if count > 0 {
                eprintln!("  {count:9}  {name}");
            }
        }
        let mut looks: BTreeMap<String, u64> = BTreeMap::new();
        for sample in &self.unresolved {
            let frames = &sample.stack.frames;
            let top = frames.iter().take(3).map(String::as_str);
            let last = frames.iter().skip(3).last().map_or("", String::as_str);
            let look = top.chain(["…", last]).collect::<Vec<_>>().join("  ");
            *looks
                .entry(format!("{}: {look}", sample.thread))
                .or_default() += sample.weight;
        }
        for (look, weight) in looks {
            eprintln!("  {weight:9}  {look}");
        }
    }
}

/// Of one thread's samples in the order of time.
///
/// A thread that starts or ends has no Java frame, and one that names the library is its whole stack. Between two samples with
/// the same root it cannot be that.
fn unresolved<'a>(samples: &[&'a Sample]) -> Vec<&'a Sample> {
    let root = |sample: &&Sample| root(sample).map(str::to_owned);
    let mut last_of = HashMap::new();
    for (index, root) in samples.iter().filter_map(root).enumerate() {
        last_of.insert(root, index);
    }
    let mut roots_so_far = 0;
    let mut current = None;
    let mut found = Vec::new();
    for sample in samples {
        if let Some(root) = root(sample) {
            current = Some(root);
            roots_so_far += 1;
            continue;
        }
        let comes_again = current
            .as_ref()
            .is_some_and(|root| last_of[root] >= roots_so_far);
        if !is_library(&sample.stack) || comes_again {
            found.push(*sample);
        }
    }
    found
}

/// The thread's first frame, where the stack is whole.
fn root(sample: &Sample) -> Option<&str> {
    let stack = &sample.stack;
    let last = stack.frames.last().filter(|_| stack.is_resolved())?;
    let is_root = match last.strip_prefix("io/jprof/harness/") {
        Some(own) => own.ends_with(".main") || OWN_ROOTS.contains(&own),
        None => ROOTS.contains(&last.as_str()),
    };
    let before_main =
        || last.ends_with(".<clinit>") || BEFORE_MAIN.iter().any(|name| last.starts_with(name));
    let is_root = is_root || (&*sample.thread == "main" && before_main());
    is_root.then_some(last.as_str())
}

/// Whether it is one frame that names a library.
fn is_library(stack: &Stack) -> bool {
    matches!(stack.frames.as_slice(), [one] if one.contains(".so") || one == "[vdso]" || one == "java")
}
