//! One counter per thing that can happen to a tick. Nothing is lost without a name.

use core::sync::atomic::{AtomicU64, Ordering};

use crossbeam_utils::CachePadded;

macro_rules! counters {
    ($($(#[doc = $doc:literal])+ $variant:ident => $name:literal,)+) => {
        /// What is counted. `name()` is the name in `jprof.Counter` events.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(usize)]
        pub enum Counter {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl Counter {
            /// All counters, in the order of their declaration.
            pub const ALL: &'static [Counter] = &[$(Counter::$variant,)+];

            /// The name in the recording.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Counter::$variant => $name,)+
                }
            }
        }
    };
}

counters! {
    /// Signals of ours that reached a thread while sampling was on. Equals `SampleTaken` plus
    /// all `Drop…`.
    Tick => "ticks",
    /// Ticks that became a record for the recorder.
    SampleTaken => "samples_taken",
    /// Nanoseconds that the samples taken spent in the handler, by the wall clock: the walk and the storing. What the kernel
    /// takes to deliver the signal comes on top.
    HandlerNanos => "handler_nanos",
    /// Walks that gave Java frames.
    WalkOk => "walk_ok",
    /// The three stripes tried were all in use.
    DropStripesBusy => "drop_stripes_busy",
    /// The stripe's ring had no room: the recorder lags.
    DropRingFull => "drop_ring_full",
    /// The thread's samples already stand for more CPU time than it has used: an event's clock
    /// ran ahead of the thread's.
    DropTooEarly => "drop_too_early",
    /// A late signal that belongs to a thread which has ended or to a closed event.
    StaleSignal => "stale_signals",
    /// A signal of the same number that is not jprof's.
    ForeignSignal => "foreign_signals",
    /// Times the guard lengthened a thread's period because a tick cost too much of it.
    PeriodLengthened => "period_lengthened",
    /// Walks cut at `stackdepth`.
    WalkTruncated => "walk_truncated",
    /// Ticks on threads that have no Java frame at all: VM and native threads, threads that
    /// start or end.
    WalkNoJavaFrame => "walk_no_java_frame",
    /// AsyncGetCallTrace -1.
    WalkNoClassLoad => "walk_no_class_load",
    /// AsyncGetCallTrace -2.
    WalkGcActive => "walk_GC_active",
    /// AsyncGetCallTrace -3 on a thread that has Java frames.
    WalkUnknownNotJava => "walk_unknown_not_Java",
    /// AsyncGetCallTrace -4.
    WalkNotWalkableNotJava => "walk_not_walkable_not_Java",
    /// AsyncGetCallTrace -5.
    WalkUnknownJava => "walk_unknown_Java",
    /// AsyncGetCallTrace -6.
    WalkNotWalkableJava => "walk_not_walkable_Java",
    /// AsyncGetCallTrace -7.
    WalkUnknownState => "walk_unknown_state",
    /// AsyncGetCallTrace -8.
    WalkThreadExit => "walk_thread_exit",
    /// AsyncGetCallTrace -9.
    WalkDeoptimization => "walk_deoptimization",
    /// AsyncGetCallTrace -10 and whatever later JVMs add.
    WalkOther => "walk_other",
    /// An address in the code cache that belongs to no code.
    WalkUnknownCode => "walk_unknown_code",
    /// The caller of a stub, or of a method that builds or leaves its frame, not found.
    WalkNoReturnAddress => "walk_no_return_address",
    /// A frame outside of the thread's stack.
    WalkOutOfStack => "walk_out_of_stack",
    /// An interpreted frame that holds no method.
    WalkBrokenInterpreted => "walk_broken_interpreted",
    /// A compiled frame whose return address leads nowhere.
    WalkBrokenCompiled => "walk_broken_compiled",
    /// A frame by which the VM called Java, without what lies below it.
    WalkBrokenEntry => "walk_broken_entry",
    /// Java code in a function outside that has not said where it was called from.
    WalkNoAnchor => "walk_no_Java_anchor",
    /// A load that failed.
    WalkFault => "walk_fault",
    /// Too many frames, or too much time.
    WalkTooLong => "walk_too_long",
    /// A failing load could not have been caught.
    WalkNoGuard => "walk_no_guard",
    /// This JVM's stacks cannot be walked.
    WalkNoWalker => "walk_no_walker",
    /// Walks, also good ones, in which a frame was found by a search of the stack.
    WalkSearched => "walk_searched",
    /// `walker=both`: stacks that AsyncGetCallTrace found, too.
    Judged => "judged",
    /// Of those, the ones that differ in the bytecode index of an interpreted leaf alone.
    JudgedLeafIndex => "judged_leaf_index",
    /// Of those, the ones in which AsyncGetCallTrace's stack ends earlier.
    JudgedCut => "judged_cut",
    /// Of those, the ones with a method more that is being entered.
    JudgedEntered => "judged_entered",
    /// Of those, the ones in which AsyncGetCallTrace names a method that has called the VM by the instruction behind the call.
    JudgedBehindCall => "judged_behind_call",
    /// Of those, the ones that differ because a compiled method was building or leaving its frame.
    JudgedLeafInMotion => "judged_leaf_in_motion",
    /// Of those, the ones that differ otherwise.
    JudgedDifferent => "judged_different",
}

/// The counters of a session.
#[derive(Debug)]
pub struct Counters {
    cells: [CachePadded<AtomicU64>; Counter::ALL.len()],
}

impl Counters {
    /// All zero.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            cells: [const { CachePadded::new(AtomicU64::new(0)) }; Counter::ALL.len()],
        }
    }

    /// Adds one.
    #[inline]
    pub fn count(&self, counter: Counter) {
        if let Some(cell) = self.cells.get(counter as usize) {
            cell.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The present value.
    #[must_use]
    pub fn get(&self, counter: Counter) -> u64 {
        self.cells
            .get(counter as usize)
            .map_or(0, |cell| cell.load(Ordering::Relaxed))
    }
}

/// The counters of a stripe, written by its holder alone: what happens at each tick is counted without a locked instruction
/// and without a cache line that all processors share.
#[derive(Debug)]
pub struct Tally {
    cells: [AtomicU64; Counter::ALL.len()],
}

impl Tally {
    /// All zero.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            cells: [const { AtomicU64::new(0) }; Counter::ALL.len()],
        }
    }

    /// Adds a number. Of two writers at once one would be lost.
    #[inline]
    pub fn add(&self, counter: Counter, number: u64) {
        if let Some(cell) = self.cells.get(counter as usize) {
            let sum = cell.load(Ordering::Relaxed).wrapping_add(number);
            cell.store(sum, Ordering::Relaxed);
        }
    }

    /// The present value.
    #[must_use]
    pub fn get(&self, counter: Counter) -> u64 {
        self.cells
            .get(counter as usize)
            .map_or(0, |cell| cell.load(Ordering::Relaxed))
    }
}

impl Default for Tally {
    fn default() -> Self {
        Self::new()
    }
}

impl Default for Counters {
    fn default() -> Self {
        Self::new()
    }
}
