//! Random numbers, and registers made of them.

use jprof_signal_safe::arch::Registers;

/// Repeatable random numbers (xorshift64*). No state but its own: signal handlers may use it.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        // Not 0, which has no successor.
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn word(&mut self) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) as usize
    }

    /// Less than `end`, which is not 0.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        // The high bits are the better ones.
        (self.word() >> 16) % end
    }

    pub(crate) fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }

    pub(crate) fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }
}

/// A walk's seven registers by number.
pub(crate) const REGISTERS: usize = 7;

pub(crate) fn to_array(registers: Registers) -> [usize; REGISTERS] {
    let Registers {
        pc,
        sp,
        fp,
        ax,
        cx,
        bx,
        r13,
    } = registers;
    [pc, sp, fp, ax, cx, bx, r13]
}

pub(crate) fn from_array([pc, sp, fp, ax, cx, bx, r13]: [usize; REGISTERS]) -> Registers {
    Registers {
        pc,
        sp,
        fp,
        ax,
        cx,
        bx,
        r13,
    }
}

/// Addresses that no object has, or hardly any.
pub(crate) fn odd(random: &mut Random) -> usize {
    const EDGES: [usize; 8] = [
        0,
        1 << 12,
        1 << 32,
        1 << 47,
        0xffff_8000_0000_0000,
        usize::MAX,
        isize::MAX as usize,
        0xdead_beef_dead_beef,
    ];
    let offset = random.below(64);
    random.one_of(&EDGES).wrapping_add(offset).wrapping_sub(32)
}

/// Changes one to three things.
pub(crate) fn change(registers: Registers, random: &mut Random) -> Registers {
    let mut words = to_array(registers);
    for _ in 0..=random.below(3) {
        // The first three matter most.
        let range = random.one_of(&[3, REGISTERS]);
        let at = random.below(range);
        match random.below(6) {
            0 => words[at] ^= 1 << random.below(64),
            1 => words[at] = words[at].wrapping_add(random.below(128)).wrapping_sub(64),
            2 => {
                let offset = random.below(256) * size_of::<usize>();
                words[at] = words[at].wrapping_add(offset).wrapping_sub(1024);
            }
            3 => words.swap(at, random.below(REGISTERS)),
            4 => {
                // Somewhere on the stack, or in the code around.
                let near = words[random.below(2)];
                words[at] = near.wrapping_add(random.below(1 << 16)) & !7;
            }
            _ => words[at] = odd(random),
        }
    }
    from_array(words)
}
