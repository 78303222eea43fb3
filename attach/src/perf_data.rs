//! The JVM's performance counters in `/tmp/hsperfdata_USER/PID`, format 2.0 (HotSpot's `perfMemory.hpp`), which it keeps
//! unless it was started with `-XX:-UsePerfData` or `-XX:+PerfDisableSharedMem`.

/// The first bytes of the file, whatever the machine's byte order.
const MAGIC: [u8; 4] = [0xca, 0xfe, 0xc0, 0xc0];
const HEADER_BYTES: usize = 32;
const MAJOR_VERSION: u8 = 2;
/// The type of a byte, as in Java's signatures; a text is a vector of them.
const BYTE: u8 = b'B';
/// No name that is asked for is as long. In a hostile file any number of names may share one end.
const LONGEST_NAME: usize = 64;

/// What the JVM tells of itself there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct PerfData {
    /// The main class or jar, and arguments.
    pub(crate) java_command: Option<String>,
    /// The version of Java.
    pub(crate) java_version: Option<String>,
    /// Whether it can be attached to.
    pub(crate) attachable: Option<bool>,
    /// Whether it has started: HotSpot opens its counters to the world right after it entered JVMTI's live phase.
    pub(crate) started: Option<bool>,
}

impl PerfData {
    /// Reads what there is: a JVM that starts fills the file bit by bit.
    pub(crate) fn parse(bytes: &[u8]) -> PerfData {
        let mut found = PerfData::default();
        let mut read = || -> Option<()> {
            let file = File::open(bytes)?;
            found.started = Some(bytes[7] != 0);
            let mut entry = file.u32(24)?;
            for _ in 0..file.u32(28)? {
                let length = file.u32(entry)?;
                if let Some((name, value)) = file.text_entry(entry) {
                    // A name stands there once: what a hostile file repeats is not read again.
                    let read = |found: &mut Option<String>| {
                        found.get_or_insert_with(|| {
                            String::from_utf8_lossy(until_zero(value)).into_owned()
                        });
                    };
                    match name {
                        b"sun.rt.javaCommand" => read(&mut found.java_command),
                        b"java.property.java.version" => read(&mut found.java_version),
                        // A digit per capability; the first is "attach on demand".
                        b"sun.rt.jvmCapabilities" => {
                            found.attachable = value
                                .first()
                                .filter(|&&digit| digit != 0)
                                .map(|&digit| digit == b'1');
                        }
                        _ => {}
                    }
                }
                entry = entry.checked_add(length.max(1))?;
            }
            Some(())
        };
        // An end in the middle is the end of what there is.
        let _ = read();
        found
    }
}

struct File<'b> {
    bytes: &'b [u8],
    little_endian: bool,
}

impl<'b> File<'b> {
    fn open(bytes: &'b [u8]) -> Option<File<'b>> {
        let known =
            bytes.len() >= HEADER_BYTES && bytes.starts_with(&MAGIC) && bytes[5] == MAJOR_VERSION;
        known.then(|| File {
            bytes,
            little_endian: bytes[4] == 1,
        })
    }

    fn u32(&self, offset: usize) -> Option<usize> {
        let bytes = self.bytes.get(offset..)?.first_chunk()?;
        let number = if self.little_endian {
            u32::from_le_bytes(*bytes)
        } else {
            u32::from_be_bytes(*bytes)
        };
        usize::try_from(number).ok()
    }

    /// The name and the value of the entry at `offset`, if it is a text.
    fn text_entry(&self, offset: usize) -> Option<(&'b [u8], &'b [u8])> {
        let entry = self.bytes.get(offset..)?;
        let length = self.u32(offset.checked_add(8)?)?;
        if *entry.get(12)? != BYTE || length == 0 {
            return None;
        }
        let name = entry.get(self.u32(offset.checked_add(4)?)?..)?;
        let name = &name[..name.len().min(LONGEST_NAME)];
        let value = entry.get(self.u32(offset.checked_add(16)?)?..)?;
        Some((until_zero(name), value.get(..length)?))
    }
}

fn until_zero(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().position(|&byte| byte == 0);
    &bytes[..end.unwrap_or(bytes.len())]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn file(entries: &[(&str, &str)]) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend([1, 2, 0, 1]);
        bytes.extend([0; 16]);
        bytes.extend(32_u32.to_le_bytes());
        bytes.extend(u32::try_from(entries.len()).expect("few").to_le_bytes());
        for (name, text) in entries {
            let number = |number: usize| u32::try_from(number).expect("small").to_le_bytes();
            let data = 20 + name.len() + 1;
            bytes.extend(number(data + text.len() + 8));
            bytes.extend(number(20));
            bytes.extend(number(text.len() + 8));
            bytes.extend([BYTE, 0, 5, 3]);
            bytes.extend(number(data));
            bytes.extend(name.as_bytes());
            bytes.push(0);
            bytes.extend(text.as_bytes());
            bytes.extend([0; 8]);
        }
        bytes
    }

    const ENTRIES: &[(&str, &str)] = &[
        ("java.property.java.version", "17.0.15"),
        ("sun.rt.javaCommand", "com.example.Shop 1"),
        ("sun.rt.jvmCapabilities", "1000"),
    ];

    #[test]
    fn what_a_jvm_tells() {
        let expected = PerfData {
            java_command: Some("com.example.Shop 1".to_owned()),
            java_version: Some("17.0.15".to_owned()),
            attachable: Some(true),
            started: Some(true),
        };
        assert_eq!(PerfData::parse(&file(ENTRIES)), expected);
        let disabled = file(&[("sun.rt.jvmCapabilities", "0000")]);
        assert_eq!(PerfData::parse(&disabled).attachable, Some(false));
    }

    #[test]
    fn a_jvm_that_starts_has_not_opened_its_counters() {
        let mut bytes = file(&[]);
        bytes[7] = 0;
        assert_eq!(PerfData::parse(&bytes).started, Some(false));
    }

    #[test]
    fn a_part_of_a_file_tells_a_part() {
        let bytes = file(ENTRIES);
        let part = PerfData::parse(&bytes[..bytes.len() - 20]);
        assert_eq!(part.java_command.as_deref(), Some("com.example.Shop 1"));
        assert_eq!(part.attachable, None);
    }

    /// Half of the largest file is entries, each of which names all of the other half.
    #[test]
    fn names_and_texts_without_an_end_cost_little() {
        for name in ["", "sun.rt.javaCommand\0"] {
            let number = |number: usize| u32::try_from(number).expect("small").to_le_bytes();
            let (entry_bytes, entries, tail) = (20, 25_000, 500_000);
            let mut bytes = file(&[]);
            bytes[28..32].copy_from_slice(&number(entries));
            for place in 0..entries {
                let to_tail = (entries - place) * entry_bytes;
                bytes.extend([number(entry_bytes), number(to_tail), number(tail)].concat());
                bytes.extend([BYTE, 0, 5, 3]);
                bytes.extend(number(to_tail));
            }
            bytes.extend(name.as_bytes());
            bytes.resize(bytes.len() + tail, b'x');
            let began = std::time::Instant::now();
            PerfData::parse(&bytes);
            assert!(began.elapsed().as_secs() < 2, "{:?}", began.elapsed());
        }
    }

    #[test]
    fn other_files_tell_nothing() {
        let mut newer = file(ENTRIES);
        newer[5] = 3;
        for bytes in [&b""[..], &MAGIC, b"other text", &newer] {
            assert_eq!(PerfData::parse(bytes), PerfData::default());
        }
    }

    proptest! {
        #[test]
        fn hostile_files_are_read_to_an_end(
            position in 0_usize..200,
            bytes in proptest::collection::vec(any::<u8>(), 0..8),
        ) {
            let mut file = file(ENTRIES);
            for (offset, byte) in bytes.into_iter().enumerate() {
                if let Some(place) = file.get_mut(position + offset) {
                    *place = byte;
                }
            }
            PerfData::parse(&file);
        }
    }
}
