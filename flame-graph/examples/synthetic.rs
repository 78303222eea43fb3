//! Writes the page of a made-up profile with a JVM's shape: 100,000 distinct stacks, about a
//! million nodes, 6,000 methods that are compiled as time goes by, and one stack of 4,100 frames.
//!
//! `cargo run --release -p flame-graph --example synthetic -- OUT.html [STACKS]` prints one line
//! of JSON: what is in the page, and what making it took.

use std::time::Instant;
use std::{env, fs, process};

use flame_graph::{FlameGraph, FrameId, FrameKind};

const METHODS: usize = 6_000;
const DEEPEST: usize = 4_100;

/// A small generator of reproducible numbers (xorshift64*): the same page on each machine.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let mixed = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d);
        ((u128::from(mixed) * limit as u128) >> 64) as usize
    }
}

/// A function with the frames that it has.
enum Method {
    Java {
        interpreted: FrameId,
        c1: FrameId,
        jit: FrameId,
        inlined: FrameId,
        /// How many of a hundred stacks come before it is compiled by C1.
        warm: usize,
    },
    Other(FrameId),
}

impl Method {
    /// Whether it is compiled by C2 after that many of a hundred stacks.
    fn is_hot(&self, percent: usize) -> bool {
        matches!(self, Self::Java { warm, .. } if percent >= 3 * warm)
    }

    /// Its frame after that many of a hundred stacks; `small`: the caller would inline it.
    fn frame(&self, percent: usize, caller: Option<&Self>, small: bool) -> FrameId {
        match *self {
            Self::Other(frame) => frame,
            Self::Java {
                interpreted, warm, ..
            } if percent < warm => interpreted,
            Self::Java { c1, .. } if !self.is_hot(percent) => c1,
            Self::Java { jit, inlined, .. } => {
                if small && caller.is_some_and(|caller| caller.is_hot(percent)) {
                    inlined
                } else {
                    jit
                }
            }
        }
    }
}

/// The frames of a stack of methods after that many of a hundred stacks. Each runs the code that
/// was there when it was entered, at some time before.
fn frames(
    methods: &[Method],
    stack: &[usize],
    percent: usize,
    numbers: &mut Numbers,
    frames: &mut Vec<FrameId>,
) {
    const OLDEST: usize = 25;
    frames.clear();
    let mut caller = None;
    for &number in stack {
        let method = &methods[number];
        let entered = percent.saturating_sub(numbers.below(OLDEST));
        frames.push(method.frame(entered, caller, number % 5 < 2));
        caller = Some(method);
    }
}

fn methods(graph: &mut FlameGraph) -> Vec<Method> {
    const PACKAGES: [&str; 6] = [
        "com/example/shop/order",
        "com/example/shop/stock",
        "java/util/concurrent",
        "java/util/stream",
        "org/framework/web/servlet",
        "org/database/driver/internal",
    ];
    (0..METHODS)
        .map(|number| {
            let package = PACKAGES[number % PACKAGES.len()];
            let name = format!("{package}/Type{}.method{}", number / 8, number % 8);
            match number % 20 {
                17 => Method::Other(graph.frame(&name, FrameKind::Native)),
                18 => Method::Other(graph.frame(&name, FrameKind::Cpp)),
                19 => Method::Other(graph.frame(&name, FrameKind::Kernel)),
                // What is called most has low numbers, see `fill`, and is compiled early.
                _ => Method::Java {
                    interpreted: graph.frame(&name, FrameKind::Interpreted),
                    c1: graph.frame(&name, FrameKind::C1),
                    jit: graph.frame(&name, FrameKind::Jit),
                    inlined: graph.frame(&name, FrameKind::Inlined),
                    warm: 1 + 60 * number / METHODS,
                },
            }
        })
        .collect()
}

/// Each stack keeps a part of the one before it and goes on by itself, as stacks of threads that
/// serve requests do.
fn fill(graph: &mut FlameGraph, stacks: usize) -> u64 {
    let methods = methods(graph);
    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
    let mut times = Numbers(0x2545_f491_4f6c_dd1d);
    let mut stack: Vec<usize> = (0..24).collect();
    let mut ids = Vec::new();
    let mut sum = 0;
    for done in 0..stacks {
        // Mostly a few frames change, at times nearly all of the stack.
        let changed = match numbers.below(50) {
            0 => stack.len().saturating_sub(8),
            1..=5 => 20,
            _ => 2 + numbers.below(12),
        };
        stack.truncate(stack.len().saturating_sub(changed).max(8));
        let grown = 2 + numbers.below(26);
        for _ in 0..grown.min(158 - stack.len().min(157)) {
            let callee = numbers.below(METHODS).min(numbers.below(METHODS));
            stack.push(callee);
        }
        let weight = 1 + numbers.below(4) as u64;
        frames(&methods, &stack, 100 * done / stacks, &mut times, &mut ids);
        graph.add(&ids, weight);
        sum += weight;
    }
    let deep: Vec<usize> = (0..DEEPEST).map(|depth| depth % 7).collect();
    frames(&methods, &deep, 100, &mut times, &mut ids);
    graph.add(&ids, 3);
    sum + 3
}

/// The most memory that the process had, in bytes.
fn peak_bytes() -> u64 {
    fs::read_to_string("/proc/self/status")
        .unwrap_or_default()
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok())
        .map_or(0, |kib| kib * 1024)
}

fn main() {
    let mut args = env::args().skip(1);
    let Some(path) = args.next() else {
        eprintln!("usage: synthetic OUT.html [STACKS]");
        process::exit(2);
    };
    let stacks = args
        .next()
        .map_or(Ok(100_000), |text| text.parse())
        .unwrap_or_else(|_| {
            eprintln!("synthetic: the number of stacks is a whole number");
            process::exit(2);
        });
    let start = Instant::now();
    let mut graph = FlameGraph::new("synthetic", "samples");
    let sum = fill(&mut graph, stacks);
    graph.note("A made-up profile: nothing was lost, since nothing was measured.");
    let page = graph.render();
    if let Err(error) = fs::write(&path, &page) {
        eprintln!("synthetic: cannot write {path}: {error}");
        process::exit(1);
    }
    println!(
        "{{\"sum\":{sum},\"nodes\":{},\"page_bytes\":{},\"seconds\":{:.3},\"peak_bytes\":{}}}",
        graph.nodes(),
        page.len(),
        start.elapsed().as_secs_f64(),
        peak_bytes(),
    );
}
