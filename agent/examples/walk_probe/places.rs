//! Where addresses lie in the JVM's process.
//!
//! # Safety
//!
//! One page is mapped from a file that ends before it.

use std::fs::{self, File};
use std::os::fd::AsRawFd;
use std::ptr;
use std::sync::OnceLock;

use jprof_signal_safe::walker::hotspot::Layout;
use jprof_signal_safe::walker::hotspot::layout::Range;

use crate::mutation::Random;

/// Bytes around an address that belong to the same kind of memory.
const NEIGHBOURHOOD: usize = 1 << 19;
const PAGE: usize = 4096;

/// Kinds of places, each with its ranges.
pub(crate) struct Places(Vec<Vec<Range>>);

/// What the calling thread knows of.
pub(crate) struct Known<'a> {
    pub(crate) layout: &'a Layout,
    /// The calling thread's stack pointer.
    pub(crate) sp: usize,
    /// Addresses of methods: metaspace.
    pub(crate) methods: &'a [usize],
    /// An address in the heap.
    pub(crate) object: usize,
}

impl Places {
    /// Looks at the process as it is now.
    pub(crate) fn find(known: &Known<'_>) -> Self {
        let mappings = mappings();
        let of = |address: usize| -> Vec<Range> {
            let found = mappings.iter().map(|(range, _)| *range);
            found.filter(|range| range.contains(address)).collect()
        };
        let heaps = &known.layout.code.heaps;
        // The end of the committed part is read once; code beyond it comes in later looks.
        let code = heaps.iter().flat_map(|heap| of(heap.low));
        let around = |&address: &usize| Range {
            start: address - NEIGHBOURHOOD,
            end: address + NEIGHBOURHOOD,
        };
        let named = |part: &str| {
            let found = mappings.iter().filter(|(_, name)| name.contains(part));
            found.map(|(range, _)| *range).collect::<Vec<_>>()
        };
        let kinds = vec![
            code.collect(),
            vec![known.layout.interpreter.code],
            of(known.sp),
            known.methods.iter().map(around).collect(),
            of(known.object),
            named("libjvm.so"),
            mappings.iter().map(|(range, _)| *range).collect(),
            vec![Range {
                start: beyond_the_file(),
                end: beyond_the_file() + PAGE,
            }],
        ];
        assert!(kinds.iter().all(|kind| !kind.is_empty()), "{kinds:x?}");
        Self(kinds)
    }

    /// An address in a range of a kind, each as likely as the others; mostly aligned.
    pub(crate) fn any(&self, random: &mut Random) -> usize {
        let kind = &self.0[random.below(self.0.len())];
        let range = random.one_of(kind);
        let address = range.start + random.below(range.end - range.start);
        if random.one_in(8) {
            address
        } else {
            address & !7
        }
    }
}

fn mappings() -> Vec<(Range, String)> {
    let text = fs::read_to_string("/proc/self/maps").expect("/proc");
    let line = |line: &str| {
        let (range, rest) = line.split_once(' ')?;
        let (start, end) = range.split_once('-')?;
        let number = |digits| usize::from_str_radix(digits, 16).ok();
        let range = Range {
            start: number(start)?,
            end: number(end)?,
        };
        Some((range, rest.to_owned()))
    };
    text.lines().filter_map(line).collect()
}

/// A page of a mapping behind the end of its file: a load raises SIGBUS.
pub(crate) fn beyond_the_file() -> usize {
    static PAGE_BEYOND: OnceLock<usize> = OnceLock::new();
    *PAGE_BEYOND.get_or_init(|| {
        let file = File::open("/proc/self/exe").expect("the java launcher");
        let length = file.metadata().expect("its size").len() as usize;
        let whole = length.next_multiple_of(PAGE);
        // SAFETY: a mapping at an address that the kernel chooses.
        let start = unsafe {
            libc::mmap(
                ptr::null_mut(),
                whole + PAGE,
                libc::PROT_READ,
                libc::MAP_PRIVATE,
                file.as_raw_fd(),
                0,
            )
        };
        assert_ne!(start, libc::MAP_FAILED, "mmap");
        start as usize + whole
    })
}
