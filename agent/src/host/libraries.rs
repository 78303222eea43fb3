//! The libraries mapped into this process, from `/proc/self/maps` (format: proc(5)).

use std::fs;
use std::ops::Range;

/// A library, or the program itself, as it lies in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NativeLibrary {
    /// Its path, or `[vdso]`.
    pub path: String,
    /// The first address of its first mapping.
    pub base_address: u64,
    /// The address after its last mapping.
    pub top_address: u64,
    /// The file has been removed or replaced since it was mapped.
    pub deleted: bool,
}

impl NativeLibrary {
    /// The path's last part: `libjvm.so`, `java`, `[vdso]`.
    pub fn base_name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }
}

/// One line of the file.
struct Mapping<'a> {
    range: Range<u64>,
    executable: bool,
    offset: u64,
    name: &'a str,
}

impl Mapping<'_> {
    fn parse(line: &str) -> Option<Mapping<'_>> {
        // address-range permissions offset device inode, blanks, name; the name itself may hold blanks.
        let (addresses, rest) = line.split_once(' ')?;
        let (start, end) = addresses.split_once('-')?;
        let (permissions, rest) = rest.split_once(' ')?;
        let (offset, rest) = rest.split_once(' ')?;
        let (_device, rest) = rest.split_once(' ')?;
        let name = rest
            .split_once(' ')
            .map_or("", |(_inode, name)| name.trim_start());
        Some(Mapping {
            range: u64::from_str_radix(start, 16).ok()?..u64::from_str_radix(end, 16).ok()?,
            executable: permissions.as_bytes().get(2) == Some(&b'x'),
            offset: u64::from_str_radix(offset, 16).ok()?,
            name,
        })
    }

    /// Whether the mapping can belong to a library. Executable memory may also lie on huge pages, System V segments or
    /// `/dev/zero`, which the kernel names like files.
    fn is_of_a_library(&self) -> bool {
        const MEMORY: [&str; 4] = ["/anon_hugepage", "/SYSV", "/dev/zero", "/memfd:"];
        self.name == "[vdso]"
            || (self.name.starts_with('/')
                && !MEMORY.iter().any(|memory| self.name.starts_with(memory)))
    }
}

/// Finds the libraries in the text of a maps file, by rising address.
///
/// Mappings of one file that follow each other are one library, from its first to its last; a file with no executable mapping
/// (a jar, a font, the JVM's counters) is none. A file loaded twice is two libraries.
pub(crate) fn parse(maps: &str) -> Vec<NativeLibrary> {
    struct Candidate {
        library: NativeLibrary,
        executable: bool,
    }
    let mut candidates: Vec<Candidate> = Vec::new();
    for mapping in maps.lines().filter_map(Mapping::parse) {
        if !mapping.is_of_a_library() {
            continue;
        }
        let (path, deleted) = match mapping.name.strip_suffix(" (deleted)") {
            Some(path) => (path, true),
            None => (mapping.name, false),
        };
        if let Some(last) = candidates.last_mut() {
            // The file's start again, after its code, is a second copy.
            let second_copy = mapping.offset == 0 && last.executable;
            if last.library.path == path && !second_copy {
                last.library.top_address = mapping.range.end;
                last.executable |= mapping.executable;
                continue;
            }
        }
        candidates.push(Candidate {
            library: NativeLibrary {
                path: path.to_owned(),
                base_address: mapping.range.start,
                top_address: mapping.range.end,
                deleted,
            },
            executable: mapping.executable,
        });
    }
    candidates.retain(|candidate| candidate.executable);
    candidates
        .into_iter()
        .map(|candidate| candidate.library)
        .collect()
}

/// The libraries mapped now, by rising address; empty where `/proc` cannot be read.
pub fn native_libraries() -> Vec<NativeLibrary> {
    // A path need not be UTF-8.
    fs::read("/proc/self/maps").map_or_else(
        |_| Vec::new(),
        |maps| parse(&String::from_utf8_lossy(&maps)),
    )
}

/// Finds the library that an address lies in.
#[derive(Debug, Default)]
pub struct LibraryMap {
    libraries: Vec<NativeLibrary>,
}

impl LibraryMap {
    /// The libraries mapped now.
    pub fn read() -> LibraryMap {
        LibraryMap {
            libraries: native_libraries(),
        }
    }

    /// Reads them anew: a library may have been loaded since. Says whether anything has changed.
    pub fn refresh(&mut self) -> bool {
        let libraries = native_libraries();
        let changed = libraries != self.libraries;
        self.libraries = libraries;
        changed
    }

    /// The library around `pc`.
    pub fn find(&self, pc: u64) -> Option<&NativeLibrary> {
        let after = self
            .libraries
            .partition_point(|library| library.base_address <= pc);
        let library = &self.libraries[after.checked_sub(1)?];
        (pc < library.top_address).then_some(library)
    }

    /// The base name of the library around `pc`: `libjvm.so`, `libc.so.6`, `[vdso]`, `java`.
    pub fn name(&self, pc: u64) -> Option<&str> {
        self.find(pc).map(NativeLibrary::base_name)
    }

    /// All libraries, by rising address.
    pub fn libraries(&self) -> &[NativeLibrary] {
        &self.libraries
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAPS: &str = "\
55d0a0000000-55d0a0001000 r--p 00000000 fe:00 11 /opt/my jdk/bin/java
55d0a0001000-55d0a0002000 r-xp 00001000 fe:00 11 /opt/my jdk/bin/java
55d0a0003000-55d0a0004000 rw-p 00003000 fe:00 11 /opt/my jdk/bin/java
55d0a1000000-55d0a1021000 rw-p 00000000 00:00 0                          [heap]
7f0000000000-7f0000200000 rwxp 00000000 00:00 0
7f0000200000-7f0000400000 rwxp 00000000 00:0f 7 /anon_hugepage (deleted)
7f0010000000-7f0010008000 rw-s 00000000 fe:00 12 /tmp/hsperfdata_root/1
7f0020000000-7f0020400000 r--p 00000000 fe:00 13 /opt/my jdk/lib/server/libjvm.so (deleted)
7f0020400000-7f0021000000 r-xp 00400000 fe:00 13 /opt/my jdk/lib/server/libjvm.so (deleted)
7f0021000000-7f0021100000 ---p 00000000 00:00 0
7f0021100000-7f0021200000 rw-p 01000000 fe:00 13 /opt/my jdk/lib/server/libjvm.so (deleted)
7f0021200000-7f0021300000 rw-p 00000000 00:00 0
7f0030000000-7f0030001000 r--p 00000000 fe:00 14 /lib/libtwice.so
7f0030001000-7f0030002000 r-xp 00001000 fe:00 14 /lib/libtwice.so
7f0030002000-7f0030003000 r--p 00000000 fe:00 14 /lib/libtwice.so
7f0030003000-7f0030004000 r-xp 00001000 fe:00 14 /lib/libtwice.so
7ffff7ff0000-7ffff7ff4000 r--p 00000000 00:00 0                          [vvar]
7ffff7ff4000-7ffff7ff6000 r-xp 00000000 00:00 0                          [vdso]
ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]
a line that is none
";

    fn library(path: &str, base_address: u64, top_address: u64, deleted: bool) -> NativeLibrary {
        NativeLibrary {
            path: path.into(),
            base_address,
            top_address,
            deleted,
        }
    }

    #[test]
    fn a_library_is_its_mappings_from_first_to_last() {
        assert_eq!(
            parse(MAPS),
            [
                library(
                    "/opt/my jdk/bin/java",
                    0x55d0_a000_0000,
                    0x55d0_a000_4000,
                    false
                ),
                library(
                    "/opt/my jdk/lib/server/libjvm.so",
                    0x7f00_2000_0000,
                    0x7f00_2120_0000,
                    true
                ),
                library(
                    "/lib/libtwice.so",
                    0x7f00_3000_0000,
                    0x7f00_3000_2000,
                    false
                ),
                library(
                    "/lib/libtwice.so",
                    0x7f00_3000_2000,
                    0x7f00_3000_4000,
                    false
                ),
                library("[vdso]", 0x7fff_f7ff_4000, 0x7fff_f7ff_6000, false),
            ]
        );
    }

    #[test]
    fn an_address_finds_its_library_by_base_name() {
        let map = LibraryMap {
            libraries: parse(MAPS),
        };
        assert_eq!(map.name(0x55d0_a000_0000), Some("java"));
        assert_eq!(map.name(0x55d0_9fff_ffff), None);
        assert_eq!(map.name(0x7f00_2050_0000), Some("libjvm.so"));
        assert_eq!(map.name(0x7f00_211f_ffff), Some("libjvm.so"));
        assert_eq!(map.name(0x7f00_2120_0000), None);
        assert_eq!(map.name(0x7f00_0000_1000), None);
        assert_eq!(map.name(0x7fff_f7ff_4000), Some("[vdso]"));
        assert_eq!(map.name(u64::MAX), None);
        assert_eq!(map.name(0), None);
        assert_eq!(LibraryMap::default().name(1), None);
    }

    #[test]
    fn the_live_process_has_a_libc_and_finds_its_own_code() {
        let mut map = LibraryMap::read();
        assert_eq!(map.name(libc_function()), Some("libc.so.6"));
        let own = std::env::current_exe().unwrap();
        let found = map.find(parse as *const () as u64).unwrap();
        assert_eq!(found.path, own.to_str().unwrap());
        map.refresh();
        assert_eq!(map.name(libc_function()), Some("libc.so.6"));
    }

    fn libc_function() -> u64 {
        libc::getpid as *const () as u64
    }
}
