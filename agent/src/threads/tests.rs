//! # Safety
//! Zeroed memory that is never freed is a valid table.
#![allow(unsafe_code)]

use std::alloc::{Layout, alloc_zeroed};
use std::ffi::c_void;
use std::slice;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc;
use std::thread;

use jprof_signal_safe::counters::Counters;
use jprof_signal_safe::threads::{ThreadSlot, ThreadTable};
use jprof_signal_safe::tick::{Tuning, Unit};
use jprof_signal_safe::walker::{Failure, Outcome, Room, Walker};

use super::*;

struct NoWalker;

impl Walker for NoWalker {
    #[allow(improper_ctypes_definitions)]
    unsafe extern "C" fn walk(&self, _: &ThreadSlot, _: *mut c_void, _: &mut Room<'_>) -> Outcome {
        Outcome::failed(Failure::NoJavaFrame)
    }
}

fn zeroed<T>(count: usize) -> &'static [T] {
    let layout = Layout::array::<T>(count).expect("small");
    // SAFETY: see the module.
    unsafe { slice::from_raw_parts(alloc_zeroed(layout).cast::<T>(), count) }
}

/// A registry without ticks.
fn registry() -> &'static Registry {
    let tuning = Box::leak(Box::new(Tuning {
        walker: &NoWalker,
        unit: Unit::CpuNanos,
        interval: 1_000_000,
        base_period: 1_000_000,
        depth: 0,
    }));
    let sampler = Box::leak(Box::new(Sampler::new(
        Box::leak(Box::new(Counters::new())),
        ThreadTable::new(zeroed(4_096), zeroed(16), &[]),
        &[],
        tuning,
    )));
    Box::leak(Box::new(Registry::new(sampler)))
}

fn identity() -> JavaIdentity {
    JavaIdentity {
        name: "worker".to_owned(),
        id: 7,
        group: None,
    }
}

/// A thread that tells its id, and lives until it is told to end.
fn living_thread() -> (u32, impl FnOnce()) {
    let (tell, told) = mpsc::channel();
    let (end, wait) = mpsc::channel::<()>();
    let thread = thread::spawn(move || {
        tell.send(current_tid()).expect("the test waits");
        // An error is the end, too.
        let _ = wait.recv();
    });
    let tid = told.recv().expect("the thread tells");
    (tid, move || {
        drop(end);
        thread.join().expect("no panic");
        // The kernel lists it for a moment longer.
        while clock::cpu_nanos_of(tid).is_some() {
            thread::yield_now();
        }
    })
}

#[test]
fn a_scan_finds_threads_that_live_and_forgets_those_that_are_gone() {
    let registry = registry();
    registry.begin(None).expect("/proc");
    let (tid, end) = living_thread();
    registry.scan();
    let key = registry.key_of(tid).expect("found");
    registry.scan();
    assert_eq!(registry.key_of(tid), Some(key));
    end();
    registry.scan();
    assert_eq!(registry.key_of(tid), None);
    assert!(registry.sampler.threads.get(key).is_none());
    let ends = std::iter::from_fn(|| registry.next_event())
        .filter(|event| matches!(event, ThreadEvent::End { key: ended, .. } if *ended == key));
    assert_eq!(ends.count(), 1);
}

#[test]
fn a_scan_never_takes_a_thread_that_is_being_born_for_one_that_is_gone() {
    let registry = registry();
    registry.begin(None).expect("/proc");
    registry.existing_java_done();
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let births = scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                thread::scope(|scope| {
                    for _ in 0..4 {
                        scope.spawn(|| {
                            let key = registry.register_current(current_tid()).expect("room");
                            for _ in 0..20 {
                                assert!(registry.sampler.threads.get(key).is_some());
                                thread::yield_now();
                            }
                            registry.retire_current(current_tid());
                        });
                    }
                });
            }
        });
        for _ in 0..300 {
            registry.scan();
        }
        stop.store(true, Ordering::Relaxed);
        births.join().expect("no thread was lost");
    });
}

#[test]
fn a_thread_that_took_leave_is_not_taken_for_a_new_one() {
    let registry = registry();
    registry.begin(None).expect("/proc");
    registry.existing_java_done();
    thread::spawn(move || {
        let tid = current_tid();
        registry.register_current(tid).expect("room");
        registry.retire_current(tid);
        registry.scan();
        assert_eq!(registry.key_of(tid), None);
        // Called by a destructor of another library, it is known again, but its past is not.
        let key = registry.register_current(tid).expect("room");
        let slot = registry.sampler.threads.get(key).expect("alive");
        assert!(slot.claimed() > 0);
    })
    .join()
    .expect("no panic");
}

#[test]
fn an_environment_is_kept_only_while_its_java_thread_lives() {
    let registry = registry();
    let (before, ends_before) = living_thread();
    let (ended, ends_ended) = living_thread();
    let (again, ends_again) = living_thread();
    assert_eq!(registry.java_thread_starts(before, 0x10), None);
    registry.begin(None).expect("/proc");
    // Both end, and one becomes a Java thread anew, after the list of Java threads was made.
    registry.java_thread_ends(ended);
    registry.java_thread_ends(again);
    registry.java_thread_starts(again, 0x31);
    for (tid, env) in [(before, 0x10), (ended, 0x20), (again, 0x30)] {
        registry.announce_existing_java(tid, env, identity());
    }
    registry.existing_java_done();
    let env = |tid| {
        let slot = registry.sampler.threads.get(registry.key_of(tid)?)?;
        Some(slot.jni_env())
    };
    assert_eq!(env(before), Some(0x10));
    assert_eq!(env(ended), Some(0));
    assert_eq!(env(again), Some(0x31));
    registry.java_thread_ends(again);
    assert_eq!(env(again), Some(0));
    ends_before();
    ends_ended();
    ends_again();
}

#[test]
fn a_thread_of_the_agent_is_its_own_even_if_a_scan_was_quicker() {
    let registry = registry();
    registry.begin(None).expect("/proc");
    let (tid, end) = living_thread();
    registry.scan();
    let found = registry.key_of(tid).expect("found");
    assert!(!registry.is_own(found));
    let own = registry.register_own(tid).expect("room");
    assert_ne!(found, own);
    assert!(registry.is_own(own));
    registry.scan();
    assert_eq!(registry.key_of(tid), Some(own));
    end();
}

#[test]
fn a_number_that_comes_round_is_another_thread() {
    let registry = registry();
    registry.begin(None).expect("/proc");
    registry.existing_java_done();
    let (tid, end) = living_thread();
    registry.scan();
    let first = registry.key_of(tid).expect("found");
    // The calling thread stands for the new one of that number.
    let second = registry.register_current(tid).expect("room");
    assert_ne!(first, second);
    assert!(registry.sampler.threads.get(first).is_none());
    // What was claimed for the old one is more than the new one has used.
    let own = current_tid();
    let before = registry.register_current(own).expect("room");
    let slot = registry.sampler.threads.get(before).expect("alive");
    let a_minute_ahead = clock::thread_cpu_nanos() + 60_000_000_000;
    assert!(slot.claim_whole_intervals(a_minute_ahead, 1_000_000) >= 59_000);
    assert_ne!(registry.register_current(own), Some(before));
    end();
}
