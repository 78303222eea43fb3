//! A method's table of line numbers, as HotSpot keeps it behind the bytecodes.
//!
//! The table is a stream of differences to the entry before (source: `compressedStream.hpp` and `method.hpp` of OpenJDK).
//! A byte 0 ends it. A byte 0xFF is followed by two signed numbers, the bytecode index's difference and the line's. Any other byte
//! holds both: five bits of bytecode index, three bits of line. Signed numbers are folded (0, -1, 1, -2 …) and written in
//! UNSIGNED5: groups of six bits, the lowest first, where a byte below 192 is the last one. Since JDK 20 (JDK-8292758) each
//! byte of a number is one higher, so that no zero occurs.

/// How UNSIGNED5 numbers are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unsigned5 {
    /// Up to JDK 19.
    WithZeros,
    /// From JDK 20 on.
    WithoutZeros,
}

impl Unsigned5 {
    /// That of a release.
    pub fn of_release(feature: u32) -> Unsigned5 {
        if feature >= 20 {
            Unsigned5::WithoutZeros
        } else {
            Unsigned5::WithZeros
        }
    }

    fn excluded(self) -> u32 {
        match self {
            Unsigned5::WithZeros => 0,
            Unsigned5::WithoutZeros => 1,
        }
    }

    fn read(self, bytes: &mut impl Iterator<Item = u8>) -> Option<u32> {
        const MAX_LENGTH: u32 = 5;
        const LAST_BELOW: u32 = 192;
        let mut sum = 0u32;
        for group in 0..MAX_LENGTH {
            let byte = u32::from(bytes.next()?);
            let digit = byte.checked_sub(self.excluded())?;
            sum = sum.wrapping_add(digit << (6 * group));
            if byte < LAST_BELOW {
                break;
            }
        }
        Some(sum)
    }

    fn read_signed(self, bytes: &mut impl Iterator<Item = u8>) -> Option<i32> {
        let folded = self.read(bytes)?;
        Some((folded >> 1) as i32 ^ -((folded & 1) as i32))
    }
}

/// Which line each bytecode of a method belongs to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LineNumbers {
    /// Bytecode index and line, in the order of the class file, which need not be a rising one.
    entries: Box<[(u16, u16)]>,
}

impl LineNumbers {
    /// Decodes a table. `None` when it ends before its end mark or leaves what a class file can hold: it is then no such table.
    pub fn decode(table: &[u8], numbers: Unsigned5) -> Option<LineNumbers> {
        const END: u8 = 0;
        const ESCAPE: u8 = 0xFF;
        let mut entries = Vec::new();
        let (mut bci, mut line) = (0i32, 0i32);
        let mut bytes = table.iter().copied();
        loop {
            match bytes.next()? {
                END => break,
                ESCAPE => {
                    bci = bci.wrapping_add(numbers.read_signed(&mut bytes)?);
                    line = line.wrapping_add(numbers.read_signed(&mut bytes)?);
                }
                both => {
                    bci = bci.wrapping_add(i32::from(both >> 3));
                    line = line.wrapping_add(i32::from(both & 7));
                }
            }
            entries.push((u16::try_from(bci).ok()?, u16::try_from(line).ok()?));
        }
        Some(LineNumbers {
            entries: entries.into(),
        })
    }

    /// The table: bytecode index and line.
    pub fn entries(&self) -> &[(u16, u16)] {
        &self.entries
    }

    /// The line of a bytecode: of the entry that begins at it, else of the closest one before it, as the JVM does it.
    /// `None` without a table, before its first entry, and for a negative index.
    pub fn line(&self, bci: i32) -> Option<u16> {
        let bci = u16::try_from(bci).ok()?;
        let mut best: Option<(u16, u16)> = None;
        for &(start, line) in &self.entries {
            if start == bci {
                return Some(line);
            }
            if start < bci && best.is_none_or(|(best, _)| start >= best) {
                best = Some((start, line));
            }
        }
        best.map(|(_, line)| line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes a table as the JVM does.
    fn encode(entries: &[(u16, u16)], numbers: Unsigned5) -> Vec<u8> {
        let mut bytes = Vec::new();
        let (mut last_bci, mut last_line) = (0i32, 0i32);
        for &(bci, line) in entries {
            let (bci, line) = (i32::from(bci), i32::from(line));
            let (bci_step, line_step) = (bci - last_bci, line - last_line);
            let short = bci_step << 3 | line_step;
            if (0..32).contains(&bci_step)
                && (0..8).contains(&line_step)
                && short != 0
                && short != 0xFF
            {
                bytes.push(short as u8);
            } else {
                bytes.push(0xFF);
                write_signed(&mut bytes, bci_step, numbers);
                write_signed(&mut bytes, line_step, numbers);
            }
            (last_bci, last_line) = (bci, line);
        }
        bytes.push(0);
        bytes
    }

    fn write_signed(bytes: &mut Vec<u8>, value: i32, numbers: Unsigned5) {
        let mut rest = (value << 1 ^ value >> 31) as u32;
        let excluded = numbers.excluded();
        let last_below = 192 - excluded;
        while rest >= last_below {
            // The byte says "more" by its two high bits; what these add is taken off again.
            rest -= last_below;
            bytes.push((last_below + excluded + rest % 64) as u8);
            rest /= 64;
        }
        bytes.push((rest + excluded) as u8);
    }

    const BOTH: [Unsigned5; 2] = [Unsigned5::WithZeros, Unsigned5::WithoutZeros];

    #[test]
    fn what_is_written_is_read() {
        let tables: [&[(u16, u16)]; 6] = [
            &[],
            &[(0, 1)],
            &[(0, 42), (3, 43), (7, 50), (8, 44), (40, 45)],
            &[(0, 65535), (65535, 0), (1, 65535)],
            // A step that would be an end mark, and one that would be an escape.
            &[(0, 5), (0, 5), (31, 12)],
            &[(0, 300), (200, 191), (200, 95), (264, 96), (392, 4200)],
        ];
        for numbers in BOTH {
            for table in tables {
                let decoded = LineNumbers::decode(&encode(table, numbers), numbers).unwrap();
                assert_eq!(decoded.entries(), table);
            }
        }
    }

    #[test]
    fn every_difference_survives() {
        for numbers in BOTH {
            for line in (0..=65535u16).step_by(7) {
                let table = [(0, 30_000), (10, line)];
                assert_eq!(
                    LineNumbers::decode(&encode(&table, numbers), numbers)
                        .unwrap()
                        .entries(),
                    table
                );
            }
        }
    }

    #[test]
    fn bytes_are_read_as_each_release_writes_them() {
        // The first entry of most methods: index 0, line 100 (folded 200).
        let old = [0xFF, 0, 192 + 8, 0, 0x1A, 0];
        let new = [0xFF, 1, 192 + 9, 1, 0x1A, 0];
        for (bytes, numbers) in [(old, Unsigned5::WithZeros), (new, Unsigned5::WithoutZeros)] {
            assert_eq!(
                LineNumbers::decode(&bytes, numbers).unwrap().entries(),
                [(0, 100), (3, 102)]
            );
        }
        assert_eq!(Unsigned5::of_release(19), Unsigned5::WithZeros);
        assert_eq!(Unsigned5::of_release(20), Unsigned5::WithoutZeros);
    }

    #[test]
    fn a_table_without_an_end_or_out_of_bounds_is_none() {
        for numbers in BOTH {
            assert_eq!(LineNumbers::decode(&[], numbers), None);
            assert_eq!(LineNumbers::decode(&[0x1A], numbers), None);
            assert_eq!(LineNumbers::decode(&[0xFF, 200], numbers), None);
            // Line -1.
            assert_eq!(
                LineNumbers::decode(&[0xFF, 2, 1 + numbers.excluded() as u8, 0], numbers),
                None
            );
            assert_eq!(LineNumbers::decode(&[0xFF; 64], numbers), None);
        }
        assert_eq!(
            LineNumbers::decode(&[0xFF, 0, 0, 0], Unsigned5::WithoutZeros),
            None
        );
    }

    #[test]
    fn a_line_is_that_of_the_closest_entry_before() {
        let table = [(2, 10), (5, 11), (9, 20), (9, 21), (7, 15)];
        let lines =
            LineNumbers::decode(&encode(&table, Unsigned5::WithZeros), Unsigned5::WithZeros)
                .unwrap();
        for (bci, line) in [
            (-1, None),
            (0, None),
            (2, Some(10)),
            (4, Some(10)),
            (5, Some(11)),
            (6, Some(11)),
            (7, Some(15)),
            (8, Some(15)),
            (9, Some(20)),
            (10, Some(21)),
            (65535, Some(21)),
            (65536, None),
        ] {
            assert_eq!(lines.line(bci), line, "{bci}");
        }
        assert_eq!(LineNumbers::default().line(0), None);
    }
}
