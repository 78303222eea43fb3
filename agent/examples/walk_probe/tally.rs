//! What became of the walks, and the rules that each must keep.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use jprof_signal_safe::arch::Registers;
use jprof_signal_safe::walker::hotspot::HotspotWalker;
use jprof_signal_safe::walker::{Failure, Frame, FrameType, Outcome, Position, Room};

/// Where a set of registers is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub(crate) enum Origin {
    /// Words.
    Words,
    /// Addresses in the code cache, on stacks, in metaspace, in the heap, in libjvm.
    Places,
    /// Null, not aligned, not canonical, at the ends of the address space.
    Odd,
    /// True ones of another thread, changed.
    Changed,
    /// True ones beside the copy of their stack, in which words are overwritten.
    Copied,
    /// A stack of few words that come again and again.
    Filled,
    /// In a signal: the true ones of the interrupted thread.
    Signal,
    /// In a signal, changed.
    SignalChanged,
}

impl Origin {
    const ALL: [(Self, &'static str); 8] = [
        (Self::Words, "words"),
        (Self::Places, "places"),
        (Self::Odd, "odd"),
        (Self::Changed, "changed"),
        (Self::Copied, "copied"),
        (Self::Filled, "filled"),
        (Self::Signal, "signal"),
        (Self::SignalChanged, "signal, changed"),
    ];
}

/// What a room holds where no walk has put a frame.
pub(crate) const NO_FRAME: Frame = Frame {
    position: Position::without_index(FrameType::Unknown),
    method: usize::MAX,
};

struct Line {
    /// By the failure's code.
    outcomes: [AtomicU64; 256],
    frames: AtomicU64,
    longest_nanos: AtomicU64,
}

/// The walks so far. Counting is done with atomic instructions alone, so signal handlers may.
pub(crate) struct Tally {
    lines: [Line; Origin::ALL.len()],
    total: AtomicU64,
    out_of_bounds: AtomicU64,
}

/// All walks of the process.
pub(crate) static TALLY: Tally = Tally {
    lines: [const {
        Line {
            outcomes: [const { AtomicU64::new(0) }; 256],
            frames: AtomicU64::new(0),
            longest_nanos: AtomicU64::new(0),
        }
    }; Origin::ALL.len()],
    total: AtomicU64::new(0),
    out_of_bounds: AtomicU64::new(0),
};

/// Walks once, and holds the outcome against the rules. The room's frames are [`NO_FRAME`] before and after.
///
/// # Safety
/// As `HotspotWalker::walk_from`.
pub(crate) unsafe fn walk(
    walker: &HotspotWalker,
    origin: Origin,
    java_thread: usize,
    registers: Registers,
    room: &mut Room<'_>,
) -> Outcome {
    let before = cpu_nanos();
    // SAFETY: handed on from the caller.
    let outcome = unsafe { walker.walk_from(java_thread, registers, room) };
    let nanos = cpu_nanos() - before;
    TALLY.count(origin, &outcome, nanos, room.frames);
    let used = room.frames.len().min(outcome.frames + 2);
    room.frames[..used].fill(NO_FRAME);
    outcome
}

/// CPU time of the calling thread.
fn cpu_nanos() -> u64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: signal-safety(7) lists clock_gettime, which fills in `time`.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    time.tv_sec.cast_unsigned() * 1_000_000_000 + time.tv_nsec.cast_unsigned()
}

impl Tally {
    fn count(&self, origin: Origin, outcome: &Outcome, nanos: u64, frames: &[Frame]) {
        let line = &self.lines[origin as usize];
        line.outcomes[usize::from(outcome.failure as i8 as u8)].fetch_add(1, Relaxed);
        line.frames.fetch_add(outcome.frames as u64, Relaxed);
        line.longest_nanos.fetch_max(nanos, Relaxed);
        self.total.fetch_add(1, Relaxed);
        let most = frames.len().saturating_sub(1);
        // A cut stack fills its room but for the frame that names what is outside.
        let full = most.saturating_sub(usize::from(outcome.outside));
        let is_sound = outcome.frames <= most
            && (!outcome.truncated || (outcome.frames == full && outcome.failure == Failure::None))
            && !frames[..outcome.frames.min(most)].contains(&NO_FRAME);
        self.out_of_bounds.fetch_add(u64::from(!is_sound), Relaxed);
    }

    pub(crate) fn total(&self) -> usize {
        self.total.load(Relaxed) as usize
    }

    /// Walks that broke a rule.
    pub(crate) fn out_of_bounds(&self) -> u64 {
        self.out_of_bounds.load(Relaxed)
    }

    /// Walks of an origin that ended so.
    pub(crate) fn ended(&self, origin: Origin, failure: Failure) -> u64 {
        self.lines[origin as usize].outcomes[usize::from(failure as i8 as u8)].load(Relaxed)
    }

    /// CPU time of the longest walk.
    pub(crate) fn longest_nanos(&self) -> u64 {
        let nanos = self
            .lines
            .iter()
            .map(|line| line.longest_nanos.load(Relaxed));
        nanos.max().unwrap_or(0)
    }

    /// A line for each origin.
    pub(crate) fn report(&self) -> String {
        let mut text = String::new();
        for (origin, name) in Origin::ALL {
            let line = &self.lines[origin as usize];
            let mut walks = 0;
            let mut ends = String::new();
            for failure in Failure::ALL {
                let count = self.ended(origin, *failure);
                walks += count;
                if count > 0 {
                    // Writing to a string does not fail.
                    let _ = write!(ends, " {failure:?} {count}");
                }
            }
            let _ = writeln!(
                text,
                "hostile {name}: {walks} walks, {} frames, longest {} us:{ends}",
                line.frames.load(Relaxed),
                line.longest_nanos.load(Relaxed) / 1000
            );
        }
        text
    }
}
