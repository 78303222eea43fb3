//! Functions of libjvm that it does not export, by their names in its symbol table, or in that of a debug file which was split
//! off.
//!
//! A debug file belongs to the libjvm that runs, by its build id or else by its checksum, or is not used. And what is found is
//! compared with what is mapped: the file may have been replaced since the JVM began.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use object::read::elf::ElfFile64;
use object::{Endianness, Object, ObjectSection, ObjectSymbol, ReadCache, SymbolKind};

use super::libjvm::Libjvm;

/// Where systems keep debug files.
const OF_THE_SYSTEM: &str = "/usr/lib/debug";
/// The same, below a folder into which packages were unpacked.
const OF_A_TREE: &str = "usr/lib/debug";
/// No function of interest is longer.
const MOST_BYTES: u64 = 1 << 16;

/// A function in the running libjvm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Symbol {
    /// Where it begins.
    pub address: u64,
}

/// Why a function is not found.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotFound {
    /// libjvm was stripped, and no debug file of it was found.
    #[error("libjvm has no symbols, and there is no debug file of it")]
    Stripped,
    /// There are symbols, but not this one.
    #[error("libjvm has no function {0}")]
    NoFunction(String),
    /// The file is not the one that was loaded.
    #[error("libjvm's file was replaced since the JVM has started")]
    Replaced,
    /// The file cannot be read, or is no library.
    #[error("libjvm's file cannot be read: {0}")]
    Unreadable(String),
}

type Elf<'a> = ElfFile64<'a, Endianness, &'a ReadCache<File>>;

/// Finds one of these functions, the first name first, in a table of symbols: libjvm's own or, where that was stripped, a debug
/// file's, which may lie in `folders`, too.
///
/// # Errors
/// [`NotFound`].
pub fn find(
    libjvm: &Libjvm,
    folders: &[PathBuf],
    names: &[&str],
) -> Result<(usize, Symbol), NotFound> {
    let path = Path::new(OsStr::from_bytes(libjvm.path().to_bytes()));
    let unreadable = |error: &dyn std::fmt::Display| NotFound::Unreadable(error.to_string());
    let cache = ReadCache::new(File::open(path).map_err(|error| unreadable(&error))?);
    let own = Elf::parse(&cache).map_err(|error| unreadable(&error))?;
    let build_id = own.build_id().ok().flatten().map(<[u8]>::to_vec);
    if build_id != libjvm.build_id() {
        return Err(NotFound::Replaced);
    }
    let found = if own.symbol_table().is_some() {
        look_up(&own, names)
    } else {
        let (file, _) = debug_file(path, &own, folders).ok_or(NotFound::Stripped)?;
        let cache = ReadCache::new(file);
        let debug = Elf::parse(&cache).map_err(|error| unreadable(&error))?;
        look_up(&debug, names)
    };
    let (name, address, size) =
        found.ok_or_else(|| NotFound::NoFunction(names.first().unwrap_or(&"").to_string()))?;
    let mapped = libjvm.bytes(libjvm.base() + address, size.min(MOST_BYTES));
    if mapped.is_none() || mapped != code_at(&own, address, size.min(MOST_BYTES)) {
        return Err(NotFound::Replaced);
    }
    Ok((
        name,
        Symbol {
            address: libjvm.base() + address,
        },
    ))
}

/// Place in `names`, address in the file, and length.
fn look_up(elf: &Elf<'_>, names: &[&str]) -> Option<(usize, u64, u64)> {
    let functions = elf
        .symbols()
        .filter(|symbol| symbol.kind() == SymbolKind::Text && symbol.address() != 0);
    functions
        .filter_map(|symbol| {
            let name = symbol.name().ok()?;
            let place = names.iter().position(|&wanted| wanted == name)?;
            Some((place, symbol.address(), symbol.size()))
        })
        .min_by_key(|&(place, ..)| place)
}

fn code_at(elf: &Elf<'_>, address: u64, size: u64) -> Option<Vec<u8>> {
    let section = elf.sections().find(|section| {
        section.address() <= address && address - section.address() < section.size()
    })?;
    let code = section.data_range(address, size).ok()??;
    Some(code.to_vec())
}

/// The debug file of a library.
fn debug_file(path: &Path, own: &Elf<'_>, folders: &[PathBuf]) -> Option<(File, PathBuf)> {
    let build_id = own.build_id().ok().flatten();
    let link = own.gnu_debuglink().ok().flatten();
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    candidates(&path, build_id, link.map(|(name, _)| name), folders)
        .into_iter()
        .find_map(|candidate| {
            let file = File::open(&candidate).ok()?;
            belongs(&file, build_id, link.map(|(_, checksum)| checksum))
                .then_some((file, candidate))
        })
}

/// Where a debug file may lie, the likeliest first. `path` is the library's own.
fn candidates(
    path: &Path,
    build_id: Option<&[u8]>,
    link: Option<&[u8]>,
    folders: &[PathBuf],
) -> Vec<PathBuf> {
    let beside = path.parent().unwrap_or(Path::new("/"));
    let of_trees = beside.ancestors().map(|above| above.join(OF_A_TREE));
    let roots: Vec<PathBuf> = folders
        .iter()
        .cloned()
        .chain([PathBuf::from(OF_THE_SYSTEM)])
        .chain(of_trees)
        .collect();
    let mut found = Vec::new();
    if let Some((first, rest)) = build_id.and_then(<[u8]>::split_first) {
        let rest: String = rest.iter().map(|byte| format!("{byte:02x}")).collect();
        let name = format!(".build-id/{first:02x}/{rest}.debug");
        found.extend(roots.iter().map(|root| root.join(&name)));
    }
    // A name only: what leads elsewhere is none.
    let link = link.map(|name| Path::new(OsStr::from_bytes(name)));
    if let Some(name) = link.filter(|name| name.components().count() == 1) {
        found.push(beside.join(name));
        found.push(beside.join(".debug").join(name));
        let inside = beside.strip_prefix("/").unwrap_or(beside);
        for root in &roots {
            found.push(root.join(inside).join(name));
            found.push(root.join(name));
        }
    }
    found
}

/// Whether a debug file is that of the library with this build id or, where either has none, with this checksum of the file.
fn belongs(file: &File, build_id: Option<&[u8]>, checksum: Option<u32>) -> bool {
    let Ok(file) = file.try_clone() else {
        return false;
    };
    let cache = ReadCache::new(file);
    let Ok(elf) = Elf::parse(&cache) else {
        return false;
    };
    if elf.symbol_table().is_none() {
        return false;
    }
    match (build_id, elf.build_id().ok().flatten()) {
        (Some(wanted), Some(found)) => wanted == found,
        _ => checksum.is_some() && checksum_of(cache.into_inner()).ok() == checksum,
    }
}

/// The checksum that `.gnu_debuglink` holds: CRC-32 as of Ethernet.
fn checksum_of(mut file: File) -> io::Result<u32> {
    use std::io::Seek;
    const TABLE: [u32; 256] = {
        let mut table = [0; 256];
        let mut byte = 0;
        while byte < 256 {
            let mut value = byte as u32;
            let mut bit = 0;
            while bit < 8 {
                value = if value & 1 == 1 {
                    (value >> 1) ^ 0xedb8_8320
                } else {
                    value >> 1
                };
                bit += 1;
            }
            table[byte] = value;
            byte += 1;
        }
        table
    };
    file.rewind()?;
    let mut checksum = u32::MAX;
    let mut buffer = vec![0; 1 << 16];
    loop {
        let count = file.read(&mut buffer)?;
        if count == 0 {
            return Ok(!checksum);
        }
        for &byte in &buffer[..count] {
            checksum = (checksum >> 8) ^ TABLE[(checksum as u8 ^ byte) as usize];
        }
    }
}

#[cfg(test)]
mod tests;
