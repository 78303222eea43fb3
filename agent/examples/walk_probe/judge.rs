//! The walker beside JVMTI's GetStackTrace, on a thread that stands in a native method.
//!
//! The two are equal frame for frame: methods and bytecode indices; a native method has none, which JVMTI writes as -1.
//!
//! # Safety
//!
//! As in the file `lib.rs`.

use std::collections::BTreeMap;
use std::ptr;

use jni_sys::{JNIEnv, jint, jobject};
use jprof::jvmti::sys;
use jprof_signal_safe::arch::{self, Registers};
use jprof_signal_safe::walker::{CachedFrame, Failure, Frame, FrameType, Outcome, Room};

use crate::{probe, signal};

/// More frames than any of the probe's stacks has.
const MOST_FRAMES: usize = 4096;
/// Entries of the walker's cache, a power of two.
const CACHE: usize = 256;
/// Differences that are printed.
const MOST_PRINTED: usize = 3;

/// A frame as both can say it.
type Common = (usize, i64);

/// The comparisons so far.
pub(crate) struct Judged {
    stacks: usize,
    different: usize,
    frames: BTreeMap<&'static str, usize>,
    cache: Vec<CachedFrame>,
    room: Vec<Frame>,
    told: Vec<sys::jvmtiFrameInfo>,
}

// SAFETY: method ids are numbers here.
unsafe impl Send for Judged {}

impl Judged {
    pub(crate) const fn new() -> Self {
        Self {
            stacks: 0,
            different: 0,
            frames: BTreeMap::new(),
            cache: Vec::new(),
            room: Vec::new(),
            told: Vec::new(),
        }
    }

    /// Takes the calling thread's stack both ways. The number of frames, -1 where they differ.
    pub(crate) fn judge(&mut self, env: *mut JNIEnv) -> jint {
        self.cache.resize(CACHE, CachedFrame::EMPTY);
        self.room.resize(MOST_FRAMES + 1, Frame::default());
        self.told.resize_with(MOST_FRAMES, Default::default);
        let told = told_by_jvmti(ptr::null_mut(), &mut self.told);
        // With the cache as it is, and without: what an entry says must be what the JVM's structures say.
        for cache in [&mut self.cache[..], &mut []] {
            let mut room = Room {
                frames: &mut self.room,
                cache,
            };
            let outcome = walk_own(env, &mut room);
            let found = common(&room.frames[..outcome.frames]);
            if outcome.failure != Failure::None || !are_equal(&told, &found) {
                self.different += 1;
                if self.different <= MOST_PRINTED {
                    print_difference(&told, &found, &outcome);
                }
                return -1;
            }
            if !cache_used(&room) {
                for frame in &room.frames[..outcome.frames] {
                    *self.frames.entry(name(frame)).or_default() += 1;
                }
            }
        }
        self.stacks += 1;
        told.len() as jint
    }

    /// Suspends a thread wherever it is, and compares what JVMTI says of it with what it finds itself in a signal.
    ///
    /// A thread that has been suspended in native code goes on there, but no Java frame of it changes.
    pub(crate) fn judge_suspended(&mut self, thread: jobject, (tid, java_thread): (i32, usize)) {
        self.told.resize_with(MOST_FRAMES, Default::default);
        let jvmti = probe().jvmti;
        // SAFETY: a reference of the calling frame.
        let error = unsafe { ((**jvmti).SuspendThread.unwrap())(jvmti, thread) };
        assert_eq!(error, 0, "SuspendThread");
        let told = told_by_jvmti(thread, &mut self.told);
        let (outcome, frames) = signal::ask(tid, java_thread).expect("an answer");
        // SAFETY: as above.
        let error = unsafe { ((**jvmti).ResumeThread.unwrap())(jvmti, thread) };
        assert_eq!(error, 0, "ResumeThread");
        let found = common(&frames);
        let is_cut = outcome.truncated && told.starts_with(&found);
        if is_cut || (outcome.failure == Failure::None && are_equal(&told, &found)) {
            self.stacks += 1;
            for frame in &frames {
                *self.frames.entry(name(frame)).or_default() += 1;
            }
            return;
        }
        // Between two calls, a thread has no frame at all.
        if outcome.failure == Failure::NoJavaFrame && told.is_empty() {
            return;
        }
        self.different += 1;
        if self.different <= MOST_PRINTED {
            print_difference(&told, &found, &outcome);
        }
    }

    /// Prints the comparisons since the last call under a label, and whether there were any and all were equal.
    pub(crate) fn close(&mut self, label: &str) -> bool {
        let (stacks, different) = (self.stacks, self.different);
        let frames: Vec<String> = std::mem::take(&mut self.frames)
            .iter()
            .map(|(kind, count)| format!("{count} {kind}"))
            .collect();
        println!(
            "judged {label}: {stacks} stacks equal, {different} different; frames: {}",
            frames.join(", ")
        );
        (self.stacks, self.different) = (0, 0);
        stacks > 0 && different == 0
    }
}

fn cache_used(room: &Room<'_>) -> bool {
    !room.cache.is_empty()
}

fn name(frame: &Frame) -> &'static str {
    match frame.position.frame_type() {
        FrameType::Unknown => "of no type",
        FrameType::Interpreted => "interpreted",
        FrameType::C1 => "C1",
        FrameType::C2 => "C2",
        FrameType::Inlined => "inlined",
        FrameType::Native => "native",
    }
}

/// The walker's stack of the calling thread, which is in a native method: the registers say that it is outside of Java.
fn walk_own(env: *mut JNIEnv, room: &mut Room<'_>) -> Outcome {
    let probe = probe();
    let here = 0_usize;
    let registers = Registers {
        pc: walk_own as *const () as usize,
        sp: (&raw const here as usize) & !7,
        ..Registers::default()
    };
    // SAFETY: the thread is the calling one, the handlers of faults are in place.
    unsafe {
        probe
            .walker
            .walk_from(probe.java_thread(env), registers, room)
    }
}

/// Of a suspended thread, or of the calling one, which is null.
fn told_by_jvmti(thread: jobject, room: &mut [sys::jvmtiFrameInfo]) -> Vec<Common> {
    let probe = probe();
    let mut count = 0;
    // SAFETY: the array has that many places; the thread is a reference of the calling frame.
    let error = unsafe {
        ((**probe.jvmti).GetStackTrace.unwrap())(
            probe.jvmti,
            thread,
            0,
            room.len() as jint,
            room.as_mut_ptr(),
            &raw mut count,
        )
    };
    assert_eq!(error, 0, "GetStackTrace");
    // SAFETY: up to 25 a `jmethodID` points to a pointer to the method, and those of frames are alive.
    let method = |id| unsafe { arch::load_usize(id) };
    room[..count as usize]
        .iter()
        .map(|frame| (method(frame.method as usize), frame.location))
        .collect()
}

/// Compiled code may stop before its first bytecode, which has no index; JVMTI says 0.
fn common(frames: &[Frame]) -> Vec<Common> {
    frames
        .iter()
        .map(|frame| {
            let position = frame.position;
            let none = match position.frame_type() {
                FrameType::C1 | FrameType::C2 | FrameType::Inlined => 0,
                _ => -1,
            };
            let index = position.bytecode_index().map_or(none, i64::from);
            (frame.method, index)
        })
        .collect()
}

/// JVMTI shows a virtual thread's own frames; the walker goes on with `enterSpecial` and the carrier's. It has one frame without
/// a method in place of those that lie in the heap still.
fn are_equal(told: &[Common], found: &[Common]) -> bool {
    let enter_special = probe().enter_special;
    let carrier = found
        .iter()
        .position(|&(method, _)| enter_special != 0 && method == enter_special);
    match &found[..carrier.unwrap_or(found.len())] {
        [on_the_stack @ .., (0, -1)] => {
            told.len() > on_the_stack.len() && told.starts_with(on_the_stack)
        }
        all => told == all,
    }
}

fn print_difference(told: &[Common], found: &[Common], outcome: &Outcome) {
    let first = told
        .iter()
        .zip(found)
        .take_while(|(told, found)| told == found)
        .count();
    println!(
        "differs at frame {first}: JVMTI has {} frames, the walker {} ({:?})",
        told.len(),
        found.len(),
        outcome.failure
    );
    let from = first.saturating_sub(2);
    for at in from..(first + 6).min(told.len().max(found.len())) {
        let show = |frames: &[Common]| frames.get(at).map_or_else(String::new, describe);
        println!("  {at:4} {:60} {}", show(told), show(found));
    }
}

fn describe(&(method, index): &Common) -> String {
    match probe().resolver.describe_method(method as u64) {
        Ok(method) => format!("{}.{}@{index}", method.class_name, method.name),
        Err(error) => format!("{method:#x}@{index} ({error})"),
    }
}
