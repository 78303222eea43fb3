//! The names of perf events that count something other than time.

use perf_event_open_sys::bindings as sys;

/// What a name stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PerfEvent {
    /// What the kernel is asked to count.
    pub counted: Counted,
    /// Events between two samples where no number is given: async-profiler's, so that some hundred samples a second come
    /// of what is frequent, and all of what is seldom.
    pub default_period: u64,
    /// Whether it happens in the kernel alone, so that it cannot be counted in user mode only.
    pub in_kernel: bool,
}

/// A kind of event as perf_event_open(2) knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Counted {
    /// By `type` and `config`.
    Number {
        /// `PERF_TYPE_…`.
        kind: u32,
        /// What it is of that type.
        config: u64,
    },
    /// A tracepoint, whose number stands in tracefs.
    Tracepoint {
        /// The subsystem, as `sched`.
        group: String,
        /// Its name there, as `sched_switch`.
        name: String,
    },
    /// A place in memory.
    Breakpoint {
        /// Where.
        address: u64,
        /// How many bytes.
        length: u64,
        /// `HW_BREAKPOINT_…`: reads, writes or execution.
        access: u32,
    },
}

/// What the processor counts: name, number, default period.
const HARDWARE: [(&str, u32, u64); 8] = [
    ("cycles", sys::PERF_COUNT_HW_CPU_CYCLES, 1_000_000),
    ("instructions", sys::PERF_COUNT_HW_INSTRUCTIONS, 1_000_000),
    (
        "cache-references",
        sys::PERF_COUNT_HW_CACHE_REFERENCES,
        1_000_000,
    ),
    ("cache-misses", sys::PERF_COUNT_HW_CACHE_MISSES, 1_000),
    (
        "branch-instructions",
        sys::PERF_COUNT_HW_BRANCH_INSTRUCTIONS,
        1_000_000,
    ),
    ("branch-misses", sys::PERF_COUNT_HW_BRANCH_MISSES, 1_000),
    ("bus-cycles", sys::PERF_COUNT_HW_BUS_CYCLES, 1_000_000),
    ("ref-cycles", sys::PERF_COUNT_HW_REF_CPU_CYCLES, 1_000_000),
];

/// Misses of loads in a cache.
const CACHES: [(&str, u32, u64); 3] = [
    (
        "L1-dcache-load-misses",
        sys::PERF_COUNT_HW_CACHE_L1D,
        1_000_000,
    ),
    ("LLC-load-misses", sys::PERF_COUNT_HW_CACHE_LL, 1_000),
    ("dTLB-load-misses", sys::PERF_COUNT_HW_CACHE_DTLB, 1_000),
];

/// What the kernel counts.
const SOFTWARE: [(&str, u32, u64); 8] = [
    ("page-faults", sys::PERF_COUNT_SW_PAGE_FAULTS, 1),
    ("minor-faults", sys::PERF_COUNT_SW_PAGE_FAULTS_MIN, 1),
    ("major-faults", sys::PERF_COUNT_SW_PAGE_FAULTS_MAJ, 1),
    // With 1 the signal of each switch would wake the thread that has just begun to wait.
    ("context-switches", sys::PERF_COUNT_SW_CONTEXT_SWITCHES, 2),
    ("cpu-migrations", sys::PERF_COUNT_SW_CPU_MIGRATIONS, 1),
    ("cgroup-switches", sys::PERF_COUNT_SW_CGROUP_SWITCHES, 1),
    ("alignment-faults", sys::PERF_COUNT_SW_ALIGNMENT_FAULTS, 1),
    ("emulation-faults", sys::PERF_COUNT_SW_EMULATION_FAULTS, 1),
];

/// Those of them that happen in the kernel alone.
const IN_KERNEL: [&str; 3] = ["context-switches", "cpu-migrations", "cgroup-switches"];

/// Default period of the processor's own events, of which nothing is known.
const RAW_PERIOD: u64 = 1_000;

/// The number of a cache event: see perf_event_open(2).
const fn load_misses(cache: u32) -> u64 {
    let operation = (sys::PERF_COUNT_HW_CACHE_OP_READ as u64) << 8;
    let result = (sys::PERF_COUNT_HW_CACHE_RESULT_MISS as u64) << 16;
    cache as u64 | operation | result
}

/// Type, number and default period of the event of that name.
fn numbered(name: &str) -> Option<(u32, u64, u64)> {
    let tables = [
        (sys::PERF_TYPE_HARDWARE, &HARDWARE[..]),
        (sys::PERF_TYPE_HW_CACHE, &CACHES),
        (sys::PERF_TYPE_SOFTWARE, &SOFTWARE),
    ];
    tables.into_iter().find_map(|(kind, table)| {
        let &(_, number, period) = table.iter().find(|(known, ..)| *known == name)?;
        let config = match kind {
            sys::PERF_TYPE_HW_CACHE => load_misses(number),
            _ => u64::from(number),
        };
        Some((kind, config, period))
    })
}

impl PerfEvent {
    /// What the name stands for; `None` for one that is not known. Clocks are not among them.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        if let Some((kind, config, default_period)) = numbered(name) {
            return Some(Self {
                counted: Counted::Number { kind, config },
                default_period,
                in_kernel: IN_KERNEL.contains(&name),
            });
        }
        if let Some(digits) = name.strip_prefix('r')
            && let Some(config) = hexadecimal(digits)
        {
            return Some(Self {
                counted: Counted::Number {
                    kind: sys::PERF_TYPE_RAW,
                    config,
                },
                default_period: RAW_PERIOD,
                in_kernel: false,
            });
        }
        let (group, rest) = name.split_once(':')?;
        let counted = match group {
            "trace" => Counted::Number {
                kind: sys::PERF_TYPE_TRACEPOINT,
                config: rest.parse().ok()?,
            },
            "mem" => breakpoint(rest)?,
            _ if is_word(group) && is_word(rest) => Counted::Tracepoint {
                group: group.to_owned(),
                name: rest.to_owned(),
            },
            _ => return None,
        };
        Some(Self {
            in_kernel: !matches!(counted, Counted::Breakpoint { .. }),
            counted,
            default_period: 1,
        })
    }
}

/// Part of a tracepoint's name: it becomes part of a path.
fn is_word(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    !text.is_empty() && text.bytes().all(fits)
}

fn hexadecimal(digits: &str) -> Option<u64> {
    // A sign is none of them.
    let is_digit = |byte: u8| byte.is_ascii_hexdigit();
    digits.bytes().all(is_digit).then_some(digits)?;
    u64::from_str_radix(digits, 16).ok()
}

/// `0xADDRESS`, `/LENGTH` behind it if wanted, and `:r`, `:w`, `:rw` or `:x`; without these one byte that is written.
fn breakpoint(text: &str) -> Option<Counted> {
    let (place, access) = text.split_once(':').unwrap_or((text, "w"));
    let (address, length) = place.split_once('/').unwrap_or((place, ""));
    let address = hexadecimal(address.strip_prefix("0x")?)?;
    let access = match access {
        "r" => sys::HW_BREAKPOINT_R,
        "w" => sys::HW_BREAKPOINT_W,
        "rw" => sys::HW_BREAKPOINT_RW,
        "x" => sys::HW_BREAKPOINT_X,
        _ => return None,
    };
    let length = match length {
        // The kernel asks for the length of a word where code is executed.
        "" if access == sys::HW_BREAKPOINT_X => size_of::<libc::c_long>() as u64,
        "" => 1,
        _ => length
            .parse()
            .ok()
            .filter(|length| [1, 2, 4, 8].contains(length))?,
    };
    Some(Counted::Breakpoint {
        address,
        length,
        access,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(name: &str) -> Option<(u32, u64, u64)> {
        let event = PerfEvent::named(name)?;
        match event.counted {
            Counted::Number { kind, config } => Some((kind, config, event.default_period)),
            _ => None,
        }
    }

    #[test]
    fn names_and_numbers() {
        // As `perf stat -vv` prints them.
        for (name, expected) in [
            ("cycles", (0, 0, 1_000_000)),
            ("cache-misses", (0, 3, 1_000)),
            ("page-faults", (1, 2, 1)),
            ("context-switches", (1, 3, 2)),
            ("L1-dcache-load-misses", (3, 0x1_0000, 1_000_000)),
            ("LLC-load-misses", (3, 0x1_0002, 1_000)),
            ("dTLB-load-misses", (3, 0x1_0003, 1_000)),
            ("r01c2", (4, 0x1c2, 1_000)),
            ("trace:317", (2, 317, 1)),
        ] {
            assert_eq!(number(name), Some(expected), "{name}");
        }
    }

    #[test]
    fn tracepoints_and_breakpoints() {
        let event = PerfEvent::named("sched:sched_switch").expect("known");
        assert_eq!(
            event.counted,
            Counted::Tracepoint {
                group: "sched".to_owned(),
                name: "sched_switch".to_owned()
            }
        );
        assert!(event.in_kernel);
        for (text, address, length, access) in [
            ("mem:0x7f00", 0x7f00, 1, sys::HW_BREAKPOINT_W),
            ("mem:0x7f00/4:rw", 0x7f00, 4, sys::HW_BREAKPOINT_RW),
            ("mem:0x7f00:x", 0x7f00, 8, sys::HW_BREAKPOINT_X),
        ] {
            let expected = Counted::Breakpoint {
                address,
                length,
                access,
            };
            let event = PerfEvent::named(text).expect(text);
            assert_eq!(
                (event.counted, event.in_kernel),
                (expected, false),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_no_event() {
        for name in [
            "",
            "cpu-clock",
            "pagefaults",
            "r",
            "rxyz",
            "run",
            "trace:x",
            "trace:",
            ":",
            "a:",
            ":a",
            "../x:y",
            "a:b/c",
            "mem:",
            "mem:7f00",
            "mem:0x7f00/3",
            "mem:0x7f00:rx",
            "r123456789abcdef01",
        ] {
            assert_eq!(PerfEvent::named(name), None, "{name}");
        }
    }
}
