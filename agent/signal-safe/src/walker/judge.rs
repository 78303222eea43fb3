//! Both walkers at once, each the other's judge: `walker=both`.
//!
//! # Safety
//! As the two walkers that it calls.
#![allow(unsafe_code)]

use core::ffi::c_void;

use super::agct::UNKNOWN_METHOD;
use super::hotspot::HotspotWalker;
use super::{AgctWalker, Failure, Frame, FrameType, Outcome, Room, Walker};
use crate::counters::{Counter, Counters};
use crate::threads::ThreadSlot;

/// Frames that are compared, from the leaf on: small enough for the stack of any thread.
const COMPARED: usize = 255;

/// Walks by the JVM's structures and by AsyncGetCallTrace in the same signal, counts how far they agree, and gives what the
/// former has found.
#[derive(Debug)]
pub struct JudgedWalker {
    own: &'static HotspotWalker,
    agct: AgctWalker,
    counters: &'static Counters,
}

/// How two stacks differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Equal,
    /// Only in the bytecode index of an interpreted leaf: AsyncGetCallTrace has that of the method's last call, since the
    /// interpreter writes its bytecode pointer into the frame only there; the own walker has the pointer itself.
    LeafIndex,
    /// AsyncGetCallTrace's stack ends earlier, though it says nothing of it.
    Cut,
    /// Only in a leaf more: a method that the interpreter is entering.
    Entered,
    Different,
}

impl JudgedWalker {
    /// Both walkers of the same JVM.
    #[must_use]
    pub const fn new(
        own: &'static HotspotWalker,
        agct: AgctWalker,
        counters: &'static Counters,
    ) -> Self {
        Self {
            own,
            agct,
            counters,
        }
    }
}

/// Room without a cache.
fn uncached(frames: &mut [Frame]) -> Room<'_> {
    Room {
        frames,
        cache: &mut [],
    }
}

fn compare(own: &[Frame], theirs: &[Frame]) -> Verdict {
    // AsyncGetCallTrace passes over the frames that are in the heap.
    if let Some(frozen) = own.iter().position(|frame| frame.method == 0)
        && let (Some((above, below)), Some((their_above, their_below))) = (
            own.split_at_checked(frozen),
            theirs.split_at_checked(frozen),
        )
        && compare(below.get(1..).unwrap_or(&[]), their_below) == Verdict::Equal
    {
        return compare(above, their_above);
    }
    let same = |(own, theirs): (&Frame, &Frame)| {
        // AsyncGetCallTrace has no id for methods of classes that nobody has asked about.
        (own.method == theirs.method || theirs.method == UNKNOWN_METHOD)
            // AsyncGetCallTrace says 0 where it knows the method only.
            && own.position.bytecode_index().unwrap_or(0)
                == theirs.position.bytecode_index().unwrap_or(0)
    };
    let all_same = |own: &[Frame], theirs: &[Frame]| {
        own.len() == theirs.len() && own.iter().zip(theirs).all(same)
    };
    if all_same(own, theirs) {
        return Verdict::Equal;
    }
    if own
        .get(..theirs.len())
        .is_some_and(|own| all_same(own, theirs))
    {
        return Verdict::Cut;
    }
    let Some((leaf, rest)) = own.split_first() else {
        return Verdict::Different;
    };
    if leaf.position.frame_type() == FrameType::Interpreted
        && let Some((their_leaf, their_rest)) = theirs.split_first()
        && leaf.method == their_leaf.method
        && all_same(rest, their_rest)
    {
        return Verdict::LeafIndex;
    }
    if leaf.position.bytecode_index().unwrap_or(0) == 0 && all_same(rest, theirs) {
        return Verdict::Entered;
    }
    Verdict::Different
}

/// The frames of both that can be compared: all, or as far as a stack goes that one of them cut.
fn comparable<'a>(
    (own, own_outcome): (&'a [Frame], &Outcome),
    (theirs, their_outcome): (&'a [Frame], &Outcome),
) -> (&'a [Frame], &'a [Frame]) {
    let mut lengths = [own_outcome, their_outcome].map(|outcome| outcome.frames.min(COMPARED));
    if own_outcome.truncated || their_outcome.truncated {
        let [own, theirs] = lengths;
        lengths = [own.min(theirs); 2];
    }
    let [own_length, their_length] = lengths;
    (
        own.get(..own_length).unwrap_or(&[]),
        theirs.get(..their_length).unwrap_or(&[]),
    )
}

impl Walker for JudgedWalker {
    #[allow(improper_ctypes_definitions)]
    unsafe extern "C" fn walk(
        &self,
        thread: &ThreadSlot,
        ucontext: *mut c_void,
        room: &mut Room<'_>,
    ) -> Outcome {
        let mut theirs = [Frame::default(); COMPARED + 1];
        // SAFETY: handed on from the caller.
        let (judge, own) = unsafe {
            (
                self.agct.walk(thread, ucontext, &mut uncached(&mut theirs)),
                self.own.walk(thread, ucontext, room),
            )
        };
        if judge.failure != Failure::None {
            return own;
        }
        self.counters.count(Counter::Judged);
        let (ours, judges) = comparable((room.frames, &own), (&theirs, &judge));
        match compare(ours, judges) {
            Verdict::Equal => {}
            Verdict::LeafIndex => self.counters.count(Counter::JudgedLeafIndex),
            Verdict::Cut => self.counters.count(Counter::JudgedCut),
            Verdict::Entered => self.counters.count(Counter::JudgedEntered),
            Verdict::Different => {
                // AsyncGetCallTrace names a method that has called the VM by the instruction behind the call.
                let mut again = [Frame::default(); COMPARED + 1];
                // SAFETY: handed on from the caller.
                let (as_agct, leaf_in_motion) = unsafe {
                    self.own
                        .walk_as_agct(thread, ucontext, &mut uncached(&mut again))
                };
                let (ours, judges) = comparable((&again, &as_agct), (&theirs, &judge));
                self.counters.count(match compare(ours, judges) {
                    // It takes a frame for whole that is not, and looks for the caller in the wrong place.
                    Verdict::Different if leaf_in_motion => Counter::JudgedLeafInMotion,
                    Verdict::Different => Counter::JudgedDifferent,
                    _ => Counter::JudgedBehindCall,
                });
            }
        }
        own
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::walker::Position;

    fn frame(method: usize, frame_type: FrameType, index: i32) -> Frame {
        Frame {
            position: Position::new(frame_type, index),
            method,
        }
    }

    #[test]
    fn methods_and_indices_count_frame_types_do_not() {
        let own = [frame(1, FrameType::Inlined, 3), frame(2, FrameType::C2, 9)];
        let theirs = [
            frame(1, FrameType::Unknown, 3),
            frame(2, FrameType::Unknown, 9),
        ];
        assert_eq!(compare(&own, &theirs), Verdict::Equal);
        assert_eq!(compare(&own, &theirs[..1]), Verdict::Cut);
        assert_eq!(compare(&own[..0], &theirs), Verdict::Different);
        let other_index = [theirs[0], frame(2, FrameType::Unknown, 8)];
        assert_eq!(compare(&own, &other_index), Verdict::Different);
    }

    #[test]
    fn a_method_that_is_being_entered_may_be_missing() {
        let theirs = [frame(2, FrameType::Unknown, 8)];
        let entering = [
            frame(1, FrameType::Interpreted, 0),
            frame(2, FrameType::C1, 8),
        ];
        assert_eq!(compare(&entering, &theirs), Verdict::Entered);
        let further = [
            frame(1, FrameType::Interpreted, 4),
            frame(2, FrameType::C1, 8),
        ];
        assert_eq!(compare(&further, &theirs), Verdict::Different);
    }

    #[test]
    fn an_interpreted_leaf_may_be_further_than_its_last_call() {
        let own = [frame(1, FrameType::Interpreted, 7)];
        assert_eq!(
            compare(&own, &[frame(1, FrameType::Unknown, 3)]),
            Verdict::LeafIndex
        );
        assert_eq!(
            compare(&own, &[frame(2, FrameType::Unknown, 7)]),
            Verdict::Different
        );
        let compiled = [frame(1, FrameType::C2, 7)];
        assert_eq!(
            compare(&compiled, &[frame(1, FrameType::Unknown, 3)]),
            Verdict::Different
        );
    }
}
