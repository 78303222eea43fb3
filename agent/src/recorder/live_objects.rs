//! Live objects: where each watched one was allocated, and what of them is alive at a chunk's end.
//!
//! # Safety
//! The live heap is asked with the recorder's own environment.
#![allow(unsafe_code)]

use std::sync::Arc;

use jfr_writer::{HeapUsage, LiveObject};
use jni_sys::JNIEnv;
use jprof_signal_safe::record::RecordView;
use jprof_signal_safe::threads::ThreadKey;
use rustc_hash::FxHashMap;

use super::Run;
use super::allocations::NO_FRAME;
use super::kept::{KeptFrame, KeptStack, MethodText, Shared};
use super::methods::kept_label;
use super::roster::ThreadFacts;
use crate::live_heap::{CAPACITY, LiveHeap};

/// Where, by whom and for how many like it an object was allocated.
#[derive(Debug)]
struct Origin {
    nanos: u64,
    key: ThreadKey,
    thread: Arc<ThreadFacts>,
    stack: Arc<KeptStack>,
    class: Arc<str>,
    size: u64,
    /// Objects that its sample stands for; `None` until that is known.
    objects: Option<f64>,
}

/// The live heap as a recording uses it.
#[derive(Debug)]
pub struct LiveObjects {
    heap: &'static LiveHeap,
    /// Whether those are written as well that no collection has seen yet.
    with_young: bool,
    origins: FxHashMap<u32, Origin>,
    methods: Shared<MethodText>,
    stacks: Shared<KeptStack>,
    threads: FxHashMap<(ThreadKey, u64), Arc<ThreadFacts>>,
}

impl LiveObjects {
    /// A recording of a live heap that has been started.
    pub(crate) fn begin(heap: &'static LiveHeap, with_young: bool) -> Self {
        Self {
            heap,
            with_young,
            origins: FxHashMap::default(),
            methods: Shared::default(),
            stacks: Shared::default(),
            threads: FxHashMap::default(),
        }
    }

    /// What a sample of these many objects is of.
    pub(super) fn weigh(&mut self, number: u32, objects: f64) {
        if let Some(origin) = self.origins.get_mut(&number) {
            origin.objects = Some(objects);
        }
    }

    /// Looks which collections have ended.
    pub(super) fn look(&self, env: *mut JNIEnv) {
        // SAFETY: the recorder's own environment.
        unsafe { self.heap.keep_witness(env) };
    }

    /// Watches nothing any more.
    pub(super) fn end(&self, env: *mut JNIEnv) {
        // SAFETY: the recorder's own environment.
        unsafe { self.heap.clear(env) };
    }

    fn keep_stack(&mut self, frames: Vec<KeptFrame>, truncated: bool) -> Arc<KeptStack> {
        let frames = frames
            .into_iter()
            .map(|frame| KeptFrame {
                method: self.methods.share(frame.method),
                ..frame
            })
            .collect();
        self.stacks.share(Arc::new(KeptStack { frames, truncated }))
    }

    /// Forgets what is watched no more: `is_watched` are the numbers that are.
    fn forget(&mut self, is_watched: impl Fn(u32) -> bool) {
        self.origins.retain(|&number, _| is_watched(number));
        self.stacks.forget_unused();
        self.methods.forget_unused();
        self.threads
            .retain(|_, thread| Arc::strong_count(thread) > 1);
    }
}

impl Run {
    /// Keeps where a watched object was allocated, beyond the chunk.
    pub(super) fn meet_live_object(
        &mut self,
        record: &RecordView<'_>,
        facts: &ThreadFacts,
        class: &Arc<str>,
    ) {
        let head = record.head;
        let (Some(live), Some(chunk)) = (self.recorder.live.as_mut(), self.chunk.as_mut()) else {
            return;
        };
        let mut frames = chunk.kept_frames(record, &mut self.naming);
        if frames.is_empty() {
            frames.push(kept_label(NO_FRAME));
        }
        let stack = live.keep_stack(frames, head.truncated);
        let thread = live
            .threads
            .entry((head.thread, facts.java_id()))
            .or_insert_with(|| Arc::new(facts.clone()));
        let origin = Origin {
            nanos: head.nanos,
            key: head.thread,
            thread: Arc::clone(thread),
            stack,
            class: Arc::clone(class),
            size: head.program_counter,
            objects: None,
        };
        live.origins.insert(head.live_number(), origin);
        if live.origins.len() > 2 * CAPACITY {
            let watched = live.heap.watched();
            live.forget(|number| watched.contains(&number));
        }
    }

    /// Writes what is alive, and how much of the heap is used.
    pub(super) fn write_live_objects(&mut self, boundary: u64) {
        let (Some(live), Some(chunk), Some(env)) =
            (self.recorder.live.as_mut(), self.chunk.as_mut(), self.env)
        else {
            return;
        };
        let ticks = self.clock.ticks(boundary.saturating_sub(1));
        // SAFETY: the recorder's own environment.
        let (alive, used) = unsafe { (live.heap.alive(env), live.heap.used(env)) };
        let numbers: FxHashMap<u32, _> = alive.iter().map(|one| (one.id, one)).collect();
        live.forget(|number| numbers.contains_key(&number));
        let mut result = used.map_or(Ok(()), |(size_bytes, is_live)| {
            chunk.write(&HeapUsage {
                ticks,
                size_bytes,
                is_live,
            })
        });
        for one in &alive {
            if one.age == 0 && !live.with_young {
                continue;
            }
            let Some(origin) = live.origins.get(&one.id) else {
                continue;
            };
            let Some(objects) = origin.objects else {
                continue;
            };
            let event = LiveObject {
                ticks,
                thread: chunk.thread(origin.key, &origin.thread),
                stack: chunk.kept_stack(&origin.stack),
                class: chunk.class_named(&origin.class),
                size_bytes: origin.size,
                weight: (objects * 2_f64.powi(one.halvings.cast_signed())) as f32,
                age: one.age,
                allocation_ticks: self.clock.ticks(origin.nanos),
            };
            result = result.and_then(|()| chunk.write_counted(&event));
        }
        self.check(result);
    }
}
