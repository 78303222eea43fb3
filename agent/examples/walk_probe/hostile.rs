//! Walks from registers that mean nothing, while the JVM runs everything that it can.
//!
//! # Safety
//!
//! As in the file `lib.rs`. The stacks that walks are sent to are this file's own memory, or any address: loads from there
//! succeed or fault.

use std::ptr;

use jni_sys::{JNIEnv, jclass, jint, jmethodID};
use jprof::hotspot::ThreadReader;
use jprof::hotspot::VmStructs;
use jprof_signal_safe::arch::Registers;
use jprof_signal_safe::walker::{CachedFrame, Failure, Frame, Room};

use crate::mutation::{REGISTERS, Random, change, from_array, odd, to_array};
use crate::places::{Known, Places, beyond_the_file};
use crate::tally::{self, NO_FRAME, Origin, TALLY};
use crate::{Probe, probe, signal};

const WORD: usize = size_of::<usize>();
/// How many frames rooms have: that of the default depth, and the smallest there are.
const ROOMS: [usize; 6] = [2049, 2049, 2049, 33, 1, 0];
/// Words of the stack that is made up: a megabyte.
const STACK_WORDS: usize = 128 * 1024;
/// Words of the thread that is made up: more than a `JavaThread` has.
const THREAD_WORDS: usize = 1024;
/// Sets of true registers that are kept.
const KEPT: usize = 1024;

/// The code that a JVM has made lies within so many bytes.
const CODE_BYTES: usize = 1 << 26;

/// Sets between two signals.
const PER_SIGNAL: usize = 64;
/// Sets until the copied stack is another one.
const PER_COPY: usize = 256;
/// Sets until threads and mappings are looked at again.
const PER_LOOK: usize = 32 * 1024;

/// CPU time that no walk may take. The longest ones are those through a megabyte of made-up stubs.
const LONGEST_NANOS: u64 = 100_000_000;

/// Walks until there were so many, those in signals included.
pub(crate) fn run(env: *mut JNIEnv, class: jclass, sets: usize, seed: u64) -> bool {
    signal::install();
    let mut attacker = Attacker::new(env, class, seed);
    let beyond = attacker.walk(
        Origin::Odd,
        Set {
            java_thread: beyond_the_file(),
            registers: Registers::default(),
        },
    );
    let end = TALLY.total() + sets;
    let mut number = 0;
    while TALLY.total() < end {
        if number % PER_LOOK == 0 {
            attacker.look_around(env);
        }
        if number % PER_COPY == 0 {
            attacker.take_copy();
        }
        if number % PER_SIGNAL == 0 {
            attacker.interrupt();
        }
        number += 1;
        let (origin, set) = attacker.next();
        attacker.walk(origin, set);
    }
    signal::forget_targets();
    print!("{}", TALLY.report());
    let longest = TALLY.longest_nanos();
    let bad = TALLY.out_of_bounds();
    let whole = TALLY.ended(Origin::Signal, Failure::None);
    println!(
        "hostile: {} walks, {bad} out of bounds, the longest {} us, {whole} whole stacks in signals, behind a file's end {beyond:?}",
        TALLY.total(),
        longest / 1000
    );
    bad == 0 && longest < LONGEST_NANOS && whole > 0 && beyond == Failure::Fault
}

/// What a walk is given.
#[derive(Clone, Copy)]
struct Set {
    java_thread: usize,
    registers: Registers,
}

struct Attacker {
    probe: &'static Probe,
    random: Random,
    places: Places,
    threads: ThreadReader,
    /// The calling thread's.
    java_thread: usize,
    methods: Vec<usize>,
    object: usize,
    /// Thread ids and `JavaThread`s.
    others: Vec<(i32, usize)>,
    next_other: usize,
    true_ones: Vec<Registers>,
    /// Return addresses, frame pointers and all else that true stacks hold.
    true_words: Vec<usize>,
    /// Those of them that are addresses of code.
    code_words: Vec<usize>,
    /// A thread and its stack, made up.
    made_thread: Vec<usize>,
    made_stack: Vec<usize>,
    copied: Option<Registers>,
    frames: Vec<Frame>,
    cache: Vec<CachedFrame>,
}

impl Attacker {
    fn new(env: *mut JNIEnv, class: jclass, seed: u64) -> Self {
        let probe = probe();
        let methods = methods_of(probe, class);
        // A reference is the address of a word that holds the object's.
        let object = probe.reader.read_u64(class as u64).expect("a reference") as usize;
        let structs = VmStructs::load().expect("the tables of libjvm");
        Self {
            probe,
            random: Random::new(seed),
            places: find_places(probe, &methods, object),
            threads: ThreadReader::new(&structs).expect("threads"),
            java_thread: probe.java_thread(env),
            methods,
            object,
            others: Vec::new(),
            next_other: 0,
            true_ones: vec![Registers::default()],
            true_words: vec![0],
            code_words: vec![0],
            made_thread: vec![0; THREAD_WORDS],
            made_stack: vec![0; STACK_WORDS],
            copied: None,
            frames: vec![NO_FRAME; ROOMS[0]],
            cache: vec![CachedFrame::EMPTY; 256],
        }
    }

    fn look_around(&mut self, env: *mut JNIEnv) {
        // SAFETY: the calling thread's own environment.
        let threads = unsafe { self.probe.java.live_threads(env) };
        let reader = &self.probe.reader;
        self.others = threads
            .iter()
            .filter_map(|thread| {
                let tid = self
                    .threads
                    .os_thread_id(reader, thread.java_thread as u64)
                    .ok()?;
                Some((tid, thread.java_thread))
            })
            .collect();
        signal::set_targets(&self.others);
        self.places = find_places(self.probe, &self.methods, self.object);
    }

    fn interrupt(&mut self) {
        self.next_other += 1;
        if let Some(&(tid, _)) = self.others.get(self.next_other % self.others.len().max(1)) {
            signal::interrupt(tid);
        }
    }

    /// Takes over what a signal has copied: the stack now lies at the beginning of the made-up one, and what pointed to the
    /// old place points there.
    fn take_copy(&mut self) {
        signal::take_copy(|copy| {
            let (from, to) = (copy.registers.sp & !7, self.made_stack.as_ptr() as usize);
            let moved = |word: usize| {
                if (from..from + copy.used * WORD).contains(&word) {
                    word - from + to
                } else {
                    word
                }
            };
            let words = copy.words.iter().take(copy.used);
            for (place, &word) in self.made_stack.iter_mut().zip(words) {
                *place = moved(word);
            }
            let words = copy.words.iter().take(copy.used).copied();
            self.true_words.clear();
            // There is always one to choose.
            self.true_words.push(copy.registers.pc);
            self.true_words.extend(words.clone());
            let heaps = self.probe.walker.layout().code.heaps;
            let is_code = |word: &usize| {
                heaps
                    .iter()
                    .any(|heap| (heap.low..heap.low + CODE_BYTES).contains(word))
            };
            self.code_words.extend(words.filter(is_code));
            let excess = self.code_words.len().saturating_sub(KEPT);
            self.code_words.drain(..excess);
            let registers = from_array(to_array(copy.registers).map(moved));
            self.copied = Some(registers);
            self.set_stack(copy.used);
            if self.true_ones.len() == KEPT {
                let at = self.random.below(KEPT);
                self.true_ones[at] = copy.registers;
            } else {
                self.true_ones.push(copy.registers);
            }
        });
    }

    /// The made-up thread says that its stack has so many words.
    fn set_stack(&mut self, words: usize) {
        let layout = &self.probe.walker.layout().thread;
        let base = self.made_stack.as_ptr() as usize + words * WORD;
        self.set_field(layout.stack_base, base);
    }

    fn set_field(&mut self, offset: u32, value: usize) {
        self.made_thread[offset as usize / WORD] = value;
    }

    /// The anchor and the state of the made-up thread.
    fn set_anchor(&mut self, [sp, pc, fp]: [usize; 3]) {
        let layout = self.probe.walker.layout().thread;
        self.set_field(layout.anchor_sp, sp);
        self.set_field(layout.anchor_pc, pc);
        self.set_field(layout.anchor_fp, fp);
        let state = if self.random.one_in(2) {
            layout.state_in_java as usize
        } else {
            self.random.below(16)
        };
        // Four bytes, in the lower or the upper half of their word.
        let shift = layout.state % WORD as u32 * 8;
        self.set_field(layout.state, state << shift);
    }

    fn next(&mut self) -> (Origin, Set) {
        match self.random.below(8) {
            0 => (Origin::Words, self.words()),
            1 | 2 => (Origin::Places, self.at_places()),
            3 => (Origin::Odd, self.odd()),
            4 | 5 => (Origin::Changed, self.changed()),
            6 => (Origin::Copied, self.in_copy()),
            _ if self.random.one_in(64) => (Origin::Filled, self.in_filled()),
            _ => (Origin::Copied, self.in_copy()),
        }
    }

    /// The calling thread mostly, else anything.
    fn some_thread(&mut self) -> usize {
        match self.random.below(8) {
            0 => self.places.any(&mut self.random),
            1 => odd(&mut self.random),
            2 if !self.others.is_empty() => self.random.one_of(&self.others).1,
            _ => self.java_thread,
        }
    }

    fn words(&mut self) -> Set {
        let registers = from_array([(); REGISTERS].map(|()| self.random.word()));
        Set {
            java_thread: self.some_thread(),
            registers,
        }
    }

    fn at_places(&mut self) -> Set {
        let registers = from_array([(); REGISTERS].map(|()| self.places.any(&mut self.random)));
        Set {
            java_thread: self.some_thread(),
            registers,
        }
    }

    fn odd(&mut self) -> Set {
        let mut registers = to_array(self.random.one_of(&self.true_ones));
        for word in &mut registers {
            if self.random.one_in(2) {
                *word = odd(&mut self.random);
            }
        }
        Set {
            java_thread: self.some_thread(),
            registers: from_array(registers),
        }
    }

    fn changed(&mut self) -> Set {
        let mut registers = to_array(self.random.one_of(&self.true_ones));
        let other = to_array(self.random.one_of(&self.true_ones));
        for (word, other) in registers.iter_mut().zip(other) {
            if self.random.one_in(4) {
                *word = other;
            } else if self.random.one_in(16) {
                *word = self.places.any(&mut self.random);
            }
        }
        Set {
            java_thread: self.some_thread(),
            registers: change(from_array(registers), &mut self.random),
        }
    }

    /// In the copy of a true stack, in which ever more words are overwritten.
    fn in_copy(&mut self) -> Set {
        let Some(registers) = self.copied else {
            return self.words();
        };
        let words = self.true_words.len();
        for _ in 0..self.random.below(4) {
            let at = self.random.below(words);
            self.made_stack[at] = self.some_word(words);
        }
        let anchor = [(); 3].map(|()| self.some_word(words));
        self.set_anchor(anchor);
        let registers = if self.random.one_in(2) {
            change(registers, &mut self.random)
        } else {
            registers
        };
        Set {
            java_thread: self.made_thread.as_ptr() as usize,
            registers,
        }
    }

    /// In a megabyte of few words, which lead from one to the other: return addresses mostly.
    fn in_filled(&mut self) -> Set {
        let mut choices = [(); 4].map(|()| self.some_word(STACK_WORDS));
        for choice in &mut choices[..2] {
            *choice = self.random.one_of(&self.code_words);
        }
        let count = 1 + self.random.below(choices.len());
        for at in 0..STACK_WORDS {
            self.made_stack[at] = choices[self.random.below(count)];
        }
        let stack = self.made_stack.as_ptr() as usize;
        self.set_stack(STACK_WORDS);
        self.set_anchor([stack, choices[0], stack + 64]);
        // What lay there is gone.
        self.copied = None;
        let true_one = self.random.one_of(&self.true_ones);
        Set {
            java_thread: self.made_thread.as_ptr() as usize,
            registers: Registers {
                pc: self.random.one_of(&[true_one.pc, choices[1], 0]),
                sp: stack,
                fp: stack + self.random.below(STACK_WORDS) * WORD,
                ..true_one
            },
        }
    }

    /// A word that a stack can hold: one of a true stack, an address on the made-up one, a method, anything.
    fn some_word(&mut self, words: usize) -> usize {
        match self.random.below(8) {
            0..4 => self.random.one_of(&self.true_words),
            4 | 5 => self.made_stack.as_ptr() as usize + self.random.below(words) * WORD,
            6 => self.random.one_of(&self.methods),
            _ => self.places.any(&mut self.random),
        }
    }

    fn walk(&mut self, origin: Origin, set: Set) -> Failure {
        let length = self.random.one_of(&ROOMS);
        let mut room = Room {
            frames: &mut self.frames[..length],
            cache: &mut self.cache,
        };
        // SAFETY: loads from any address succeed or fault, and the handlers of faults are in place.
        let outcome = unsafe {
            tally::walk(
                &self.probe.walker,
                origin,
                set.java_thread,
                set.registers,
                &mut room,
            )
        };
        outcome.failure
    }
}

fn find_places(probe: &Probe, methods: &[usize], object: usize) -> Places {
    let here = 0_usize;
    Places::find(&Known {
        layout: probe.walker.layout(),
        sp: &raw const here as usize,
        methods,
        object,
    })
}

/// The addresses of a class's methods. Up to 25 a `jmethodID` points to a pointer to the method.
fn methods_of(probe: &Probe, class: jclass) -> Vec<usize> {
    let mut count: jint = 0;
    let mut ids: *mut jmethodID = ptr::null_mut();
    // SAFETY: JVMTI gives an array of that length, which is given back.
    unsafe {
        let functions = &**probe.jvmti;
        let error =
            (functions.GetClassMethods.unwrap())(probe.jvmti, class, &raw mut count, &raw mut ids);
        assert_eq!(error, 0, "GetClassMethods");
        let methods = (0..count as usize)
            .map(|index| {
                let id = ids.add(index).read();
                probe.reader.read_u64(id as u64).expect("a live id") as usize
            })
            .collect();
        (functions.Deallocate.unwrap())(probe.jvmti, ids.cast());
        methods
    }
}
