use super::*;
use std::boxed::Box;
use std::vec::Vec;

fn table() -> ThreadTable {
    let slots: Vec<ThreadSlot> = (0..4).map(|_| ThreadSlot::default()).collect();
    let fds: Vec<AtomicU32> = (0..16).map(|_| AtomicU32::new(0)).collect();
    let tids: Vec<AtomicU64> = (0..16).map(|_| AtomicU64::new(0)).collect();
    ThreadTable::new(
        Box::leak(slots.into_boxed_slice()),
        Box::leak(fds.into_boxed_slice()),
        Box::leak(tids.into_boxed_slice()),
    )
}

#[test]
fn a_key_dies_with_its_use_of_the_slot() {
    let table = table();
    let first = table.occupy(1, 100, 0).expect("free");
    assert!(table.occupy(1, 101, 0).is_none());
    assert_eq!(table.get(first).map(ThreadSlot::tid), Some(100));
    table.release(first);
    let second = table.occupy(1, 101, 0).expect("free again");
    assert!(table.get(first).is_none());
    assert_eq!(table.get(second).map(ThreadSlot::tid), Some(101));
    assert_ne!(first, second);
}

#[test]
fn a_descriptor_finds_its_thread_until_the_event_is_closed() {
    let table = table();
    let key = table.occupy(0, 100, 0).expect("free");
    assert!(table.set_source(key, TickSource::Perf(7)));
    assert!(matches!(table.by_fd(7), Found::Thread(found, _) if found == key));
    assert!(matches!(table.by_fd(8), Found::Foreign));
    assert!(matches!(table.by_fd(99), Found::Foreign));
    assert!(!table.set_source(key, TickSource::Perf(16)));
    assert_eq!(table.take_source(key), TickSource::Perf(7));
    assert!(matches!(table.by_fd(7), Found::Foreign));
}

#[test]
fn a_source_is_given_back_once() {
    let table = table();
    let key = table.occupy(0, 100, 0).expect("free");
    assert!(table.set_source(key, TickSource::Timer(3)));
    assert_eq!(table.take_source(key), TickSource::Timer(3));
    assert_eq!(table.take_source(key), TickSource::None);
    table.release(key);
    assert!(!table.set_source(key, TickSource::Timer(4)));
}

#[test]
fn a_descriptor_that_another_event_has_got_is_not_given_back() {
    let table = table();
    let first = table.occupy(0, 100, 0).expect("free");
    let second = table.occupy(1, 101, 0).expect("free");
    assert!(table.set_source(first, TickSource::Perf(7)));
    // Somebody closed 7, and the kernel gave the number to the second thread's event.
    assert!(table.set_source(second, TickSource::Perf(7)));
    assert_eq!(table.take_source(first), TickSource::None);
    assert!(matches!(table.by_fd(7), Found::Thread(found, _) if found == second));
    assert_eq!(table.take_source(second), TickSource::Perf(7));
}

#[test]
fn a_timer_value_finds_its_thread_and_nobody_elses() {
    let table = table();
    let key = table.occupy(3, 100, 0).expect("free");
    let value = ThreadTable::timer_value(key);
    assert!(matches!(table.by_timer_value(value), Found::Thread(found, _) if found == key));
    assert!(matches!(table.by_timer_value(3), Found::Foreign));
    table.release(key);
    assert!(matches!(table.by_timer_value(value), Found::Stale));
}

#[test]
fn the_processs_timer_finds_the_thread_that_runs() {
    let table = table();
    let tid = gettid();
    assert!(matches!(table.by_current_tid(), Found::Stale));
    assert!(table.current().is_none());
    let key = table.occupy(0, tid, 0).expect("free");
    assert!(matches!(table.by_current_tid(), Found::Stale));
    assert!(table.current().is_some_and(|(found, _)| found == key));
    assert!(table.set_source(key, TickSource::Process));
    assert!(matches!(table.by_current_tid(), Found::Thread(found, _) if found == key));
    std::thread::scope(|scope| {
        let other = scope.spawn(|| matches!(table.by_current_tid(), Found::Stale));
        assert!(other.join().expect("no panic"));
    });
    assert_eq!(table.take_source(key), TickSource::Process);
    assert!(matches!(table.by_current_tid(), Found::Stale));
    table.release(key);
    assert!(table.current().is_none());
}

#[test]
fn ids_with_the_same_remainder_find_their_own_threads_until_there_are_too_many() {
    let slots: Vec<ThreadSlot> = (0..10).map(|_| ThreadSlot::default()).collect();
    let tids: Vec<AtomicU64> = (0..16).map(|_| AtomicU64::new(0)).collect();
    let table = ThreadTable::new(
        Box::leak(slots.into_boxed_slice()),
        &[],
        Box::leak(tids.into_boxed_slice()),
    );
    // Two buckets, so that every other id falls into the one of the calling thread.
    let own = gettid();
    let keys: Vec<ThreadKey> = (0..8)
        .map(|index| table.occupy(index, own + 2 * index, 0).expect("free"))
        .collect();
    for &key in keys.iter().rev() {
        assert!(table.set_source(key, TickSource::Process));
    }
    assert!(matches!(table.by_current_tid(), Found::Thread(found, _) if found == keys[0]));
    let surplus = table.occupy(8, own + 16, 0).expect("free");
    assert!(!table.set_source(surplus, TickSource::Process));
    assert_eq!(
        table.get(surplus).map(ThreadSlot::source),
        Some(TickSource::None)
    );
    assert_eq!(table.take_source(keys[3]), TickSource::Process);
    assert!(!table.set_source(surplus, TickSource::Process));
    table.release(keys[3]);
    assert!(table.set_source(surplus, TickSource::Process));
    assert!(matches!(table.by_current_tid(), Found::Thread(found, _) if found == keys[0]));
}

#[test]
fn ticks_of_any_phase_stand_for_the_cpu_time_to_less_than_an_interval() {
    for phase in (1..=100).step_by(9) {
        let table = table();
        let key = table.occupy(0, 1, 1_000).expect("free");
        let slot = table.get(key).expect("in use");
        // Ticks every 100, with a jitter of up to 20, and one that came 130 late.
        let mut cpu = 1_000 + phase;
        for distance in [100, 115, 80, 120, 85, 230, 100, 100] {
            let _ = slot.claim_tick(cpu, 100);
            cpu += distance;
        }
        let _ = slot.claim_tick(cpu, 100);
        let unclaimed = slot.unclaimed_nanos(cpu);
        assert!(
            (-100..100).contains(&unclaimed),
            "phase {phase}: {unclaimed}"
        );
        assert_eq!(slot.claim_whole_intervals(cpu, 100), 0);
    }
}

#[test]
fn a_tick_that_is_far_ahead_of_the_threads_clock_counts_nothing() {
    let table = table();
    let key = table.occupy(0, 1, 0).expect("free");
    let slot = table.get(key).expect("in use");
    assert_eq!(slot.claim_tick(1, 100), 1);
    assert_eq!(slot.claim_tick(49, 100), 0);
    assert_eq!(slot.claim_tick(50, 100), 1);
    assert_eq!(slot.claim_tick(450, 100), 3);
    slot.give_back(3, 100);
    assert_eq!(slot.claim_whole_intervals(499, 100), 2);
    assert_eq!(slot.claimed(), 400);
}

#[test]
fn ticks_that_come_when_due_need_no_clock_but_for_one_in_sixteen() {
    let table = table();
    let key = table.occupy(0, 1, 0).expect("free");
    let slot = table.get(key).expect("in use");
    slot.set_period(100);
    let without = (0..32)
        .filter(|_| slot.claim_regular_tick(110, 100))
        .count();
    assert_eq!(without, 30);
    assert_eq!(slot.claimed(), 3_000);
    // Late, early, and with another period: the clock is asked.
    assert!(!slot.claim_regular_tick(126, 100));
    assert!(!slot.claim_regular_tick(74, 100));
    slot.set_period(200);
    assert!(!slot.claim_regular_tick(100, 100));
    assert_eq!(slot.claimed(), 3_000);
    // What the ticks stood for too much or too little shows at the next look.
    assert_eq!(slot.claim_tick(3_310, 100), 3);
}

/// Fewer where Miri interprets it.
const INTERVALS: u64 = if cfg!(miri) { 50 } else { 10_000 };

#[test]
fn the_weights_of_events_add_up_to_their_count() {
    // By their own: each stands for one.
    let table = table();
    let key = table.occupy(0, 1, 0).expect("free");
    let slot = table.get(key).expect("in use");
    assert_eq!(slot.claim_events(1, 1), 1);
    assert_eq!(slot.claim_events(2, 1), 1);
    // Signals of two became one.
    assert_eq!(slot.claim_events(4, 1), 2);
    // The kernel's surplus tick.
    assert_eq!(slot.claim_events(4, 1), 0);
    assert_eq!(slot.claimed(), 4);
    // Any phase of the first: see `ThreadSlot::claim_events`.
    for phase in (1..=100).step_by(9) {
        let table = self::table();
        let key = table.occupy(0, 1, 0).expect("free");
        let slot = table.get(key).expect("in use");
        assert_eq!(slot.claim_events(phase, 100), 1);
        // The first one after the period was set, the one by the old period, and regular ones.
        let mut count = phase + 1;
        let mut weight = 1 + slot.claim_events(count, 100);
        count = 2 * phase;
        weight += slot.claim_events(count, 100);
        for _ in 0..10 {
            count += 100;
            weight += slot.claim_events(count, 100);
        }
        assert!(
            (weight * 100).abs_diff(count) <= 100,
            "phase {phase}: {weight}"
        );
    }
}

#[test]
fn time_is_claimed_once_however_many_claim_it() {
    let table = table();
    let key = table.occupy(0, 1, 0).expect("free");
    let slot = table.get(key).expect("in use");
    let claimed: u64 = std::thread::scope(|scope| {
        let claimers: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    (1..=INTERVALS)
                        .map(|interval| slot.claim_whole_intervals(interval * 100, 100))
                        .sum::<u64>()
                })
            })
            .collect();
        claimers
            .into_iter()
            .map(|claimer| claimer.join().expect("no panic"))
            .sum()
    });
    assert_eq!(claimed, INTERVALS);
}
