use std::fs;
use std::io::Write as _;

use object::write::{Object as Writer, StandardSegment, Symbol as NewSymbol, SymbolSection};
use object::{
    Architecture, BinaryFormat, SectionKind, SymbolFlags, SymbolKind as Kind, SymbolScope,
};

use super::*;

const ID: &[u8] = &[0x99, 0x12, 0x0a, 0xfb];

/// A small ELF file with these functions.
fn elf(build_id: Option<&[u8]>, functions: &[&str]) -> Vec<u8> {
    let mut writer = Writer::new(
        BinaryFormat::Elf,
        Architecture::X86_64,
        object::Endianness::Little,
    );
    if let Some(id) = build_id {
        let mut note = Vec::new();
        for number in [4, id.len() as u32, 3] {
            note.extend(number.to_le_bytes());
        }
        note.extend(b"GNU\0");
        note.extend(id);
        let segment = writer.segment_name(StandardSegment::Data).to_vec();
        let name = b".note.gnu.build-id".to_vec();
        let section = writer.add_section(segment, name, SectionKind::Note);
        writer.append_section_data(section, &note, 4);
    }
    let text = writer.section_id(object::write::StandardSection::Text);
    for (place, function) in functions.iter().enumerate() {
        writer.append_section_data(text, &[0x55; 16], 16);
        writer.add_symbol(NewSymbol {
            name: function.as_bytes().to_vec(),
            value: 16 * (place as u64 + 1),
            size: 16,
            kind: Kind::Text,
            scope: SymbolScope::Compilation,
            weak: false,
            section: SymbolSection::Section(text),
            flags: SymbolFlags::None,
        });
    }
    writer.write().expect("an ELF file")
}

fn file(bytes: &[u8]) -> File {
    let mut file = tempfile::tempfile().expect("a file");
    file.write_all(bytes).expect("written");
    file
}

fn crc(bytes: &[u8]) -> u32 {
    checksum_of(file(bytes)).expect("readable")
}

#[test]
fn the_checksum_is_that_of_ethernet() {
    assert_eq!(crc(b"123456789"), 0xcbf4_3926);
    assert_eq!(crc(b""), 0);
}

#[test]
fn a_debug_file_belongs_by_its_build_id() {
    let own = elf(Some(ID), &["f"]);
    assert!(belongs(&file(&own), Some(ID), None));
    assert!(!belongs(&file(&own), Some(&[1, 2, 3, 4]), Some(crc(&own))));
    assert!(!belongs(&file(b"no ELF file"), Some(ID), None));
}

#[test]
fn without_a_build_id_a_debug_file_belongs_by_its_checksum() {
    let own = elf(None, &["f"]);
    assert!(belongs(&file(&own), None, Some(crc(&own))));
    assert!(belongs(&file(&own), Some(ID), Some(crc(&own))));
    assert!(!belongs(&file(&own), None, Some(crc(&own) ^ 1)));
    assert!(!belongs(&file(&own), None, None));
}

#[test]
fn the_first_name_that_there_is_counts() {
    let cache = ReadCache::new(file(&elf(None, &["new", "old", "other"])));
    let elf = Elf::parse(&cache).expect("an ELF file");
    assert_eq!(look_up(&elf, &["missing", "old", "new"]), Some((1, 32, 16)));
    assert_eq!(look_up(&elf, &["missing"]), None);
}

#[test]
fn debug_files_are_looked_for_in_the_usual_places() {
    let path = Path::new("/opt/tree/usr/lib/jvm/8/jre/lib/amd64/server/libjvm.so");
    let found = candidates(path, Some(ID), Some(b"libjvm.debuginfo"), &["/own".into()]);
    let place = |wanted: &str| found.iter().position(|path| path == Path::new(wanted));
    let places: Vec<Option<usize>> = [
        "/own/.build-id/99/120afb.debug",
        "/usr/lib/debug/.build-id/99/120afb.debug",
        "/opt/tree/usr/lib/debug/.build-id/99/120afb.debug",
        "/opt/tree/usr/lib/jvm/8/jre/lib/amd64/server/libjvm.debuginfo",
        "/opt/tree/usr/lib/jvm/8/jre/lib/amd64/server/.debug/libjvm.debuginfo",
        "/own/libjvm.debuginfo",
        "/usr/lib/debug/opt/tree/usr/lib/jvm/8/jre/lib/amd64/server/libjvm.debuginfo",
    ]
    .map(place)
    .to_vec();
    assert!(
        places.iter().all(Option::is_some),
        "{places:?} of {found:?}"
    );
    assert!(places[..5].is_sorted(), "{places:?}");
    // A link is a name, not a way to elsewhere.
    let lured = candidates(path, None, Some(b"../../etc/passwd"), &[]);
    assert_eq!(lured, Vec::<PathBuf>::new());
}

#[test]
fn the_debug_file_in_a_named_folder_is_found() {
    let folder = tempfile::tempdir().expect("a folder");
    let below = folder.path().join(".build-id/99");
    fs::create_dir_all(&below).expect("made");
    let debug = below.join("120afb.debug");
    fs::write(&debug, elf(Some(ID), &["f"])).expect("written");
    let library = elf(Some(ID), &[]);
    let cache = ReadCache::new(file(&library));
    let own = Elf::parse(&cache).expect("an ELF file");
    let folders = [folder.path().to_owned()];
    let path = Path::new("/nowhere/libjvm.so");
    let (_, found) = debug_file(path, &own, &folders).expect("found");
    assert_eq!(found, debug);
    fs::write(&debug, elf(Some(&[0; 4]), &["f"])).expect("written");
    assert!(debug_file(path, &own, &folders).is_none());
}
