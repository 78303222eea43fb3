//! From the address of HotSpot's `Method` to the method's class, name, signature and lines.
//!
//! The class may have been unloaded since the sample, and JVMTI calls on the `jmethodID` of such a method end the JVM
//! (JDK-8313816). So nothing is called here; the structures are read through [`SafeReader`], each link is checked against what it
//! must be, and at the end the way from the method is looked at once more, so that one that was freed meanwhile is not taken for
//! another.
//!
//! # What remains uncertain
//!
//! A method's memory is given back when its class is unloaded, or some time after the class was redefined, and the next class may
//! get it. [`MethodResolver::still_is`] tells the two apart, and as no method comes to lie anywhere without a class being loaded,
//! [`MethodResolver::classes_loaded`] tells when to ask. But a sample is older than the look at its methods, by a tenth of a second
//! at most. What was freed in that time and is not known from before has no name any more; what was freed **and** taken by another
//! method in that time gets the other one's name. A method that the JVM makes without a class, as it does for the intrinsics of
//! method handles, is not announced.

#[cfg(test)]
pub(crate) mod fake;
mod footprint;
mod layout;
mod readable;
pub(crate) mod symbols;

use super::line_numbers::LineNumbers;
use super::memory::{Load, SafeReader};
use super::perf_data::{Counter, PerfData};
use super::vm_structs::VmStructs;
use super::{Declined, JavaVersion};
pub use footprint::Footprint;
use footprint::Header;
use layout::{Layout, MAX_STRUCTURE_BYTES};
pub use readable::readable;
use symbols::{is_array_descriptor, is_class_name, is_method_descriptor, is_method_name, text};

/// The modifiers that JVMTI and JFR show; the JVM keeps others of its own in the same word (source: `jvm.h`,
/// JVM_RECOGNIZED_METHOD_MODIFIERS).
const MODIFIERS: u32 = 0x1DFF;
const ACC_NATIVE: u32 = 0x0100;
/// The constant pool's tag of a string (Java Virtual Machine Specification, table 4.4-A).
const TAG_UTF8: u8 = 1;
/// A class file bounds code and tables to 65,535 entries each: some 2 MiB together.
const MAX_CONST_METHOD_BYTES: u64 = 1 << 22;

/// What a method is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MethodDescription {
    /// The class's name as the JVM keeps it: `java/lang/String`, `Outer$Inner`, `Foo$$Lambda+0x…`.
    pub class_name: String,
    /// The method's name: `equals`, `<init>`.
    pub name: String,
    /// Its parameters and result: `(Ljava/lang/Object;)Z`.
    pub descriptor: String,
    /// The access flags of the class file (`ACC_PUBLIC`, `ACC_STATIC` …).
    pub modifiers: u32,
    /// It is implemented in native code.
    pub is_native: bool,
    /// The JIT had compiled code for it when it was read.
    pub has_compiled_code: bool,
    /// Its lines; empty when the class was compiled without.
    pub line_numbers: LineNumbers,
    /// What tells it from another one that comes to lie in its place.
    pub footprint: Footprint,
}

impl MethodDescription {
    /// The line of a bytecode index; `None` when the class does not say, and for native methods.
    pub fn line(&self, bci: i32) -> Option<u16> {
        self.line_numbers.line(bci)
    }
}

/// Why an address leads to no method.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum ResolveError {
    /// It cannot be the address of a method.
    #[error("malformed_method")]
    MalformedMethod,
    /// The method is not mapped: its class has been unloaded, or there never was one.
    #[error("unreadable_method")]
    UnreadableMethod,
    /// The method's unchanging part is not what it must be.
    #[error("bad_const_method")]
    BadConstMethod,
    /// The constant pool is not what it must be.
    #[error("bad_constant_pool")]
    BadConstantPool,
    /// The class has no readable name.
    #[error("bad_class")]
    BadClass,
    /// A name or a signature is none.
    #[error("bad_symbol")]
    BadSymbol,
    /// The table of line numbers is none.
    #[error("bad_line_numbers")]
    BadLineNumbers,
    /// The method changed while it was read: its class is being unloaded.
    #[error("changed")]
    Changed,
}

impl ResolveError {
    /// Every reason, in the order of [`ResolveError::index`]: a counter each.
    pub const ALL: [ResolveError; 8] = [
        ResolveError::MalformedMethod,
        ResolveError::UnreadableMethod,
        ResolveError::BadConstMethod,
        ResolveError::BadConstantPool,
        ResolveError::BadClass,
        ResolveError::BadSymbol,
        ResolveError::BadLineNumbers,
        ResolveError::Changed,
    ];

    /// Its place in [`ResolveError::ALL`].
    pub fn index(self) -> usize {
        self as usize
    }
}

/// A structure's bytes, read whole.
struct Structure {
    bytes: [u8; MAX_STRUCTURE_BYTES as usize],
}

impl Structure {
    fn empty() -> Structure {
        Structure {
            bytes: [0; MAX_STRUCTURE_BYTES as usize],
        }
    }

    fn read(reader: &SafeReader, address: u64, size: u64) -> Option<Structure> {
        let mut structure = Structure::empty();
        reader
            .read_bytes(address, &mut structure.bytes[..size as usize])
            .ok()?;
        Some(structure)
    }

    fn number(&self, offset: u64, size: u64) -> u64 {
        let mut word = [0; 8];
        let offset = offset as usize;
        word[..size as usize].copy_from_slice(&self.bytes[offset..offset + size as usize]);
        u64::from_le_bytes(word)
    }
}

/// Describes methods. Made once for a JVM; a description takes eight system calls, some ten microseconds, and no lock.
#[derive(Debug)]
pub struct MethodResolver {
    reader: SafeReader,
    layout: Layout,
    /// How many classes the JVM has loaded, archived ones apart, which bring no new methods.
    classes_loaded: Option<Counter>,
    raw_names: bool,
}

impl MethodResolver {
    /// Takes the layout of everything on the way from the tables. From `VMInit` on it also finds the JVM's count of classes, unless
    /// that is off (`-XX:-UsePerfData`).
    ///
    /// # Errors
    ///
    /// [`Declined`] with the piece that the tables lack. Of a version that is not known yet nothing else is asked.
    pub fn new(vm: &VmStructs, version: JavaVersion) -> Result<MethodResolver, Declined> {
        let reader = SafeReader::new()?;
        Ok(MethodResolver {
            layout: Layout::new(vm, version)?,
            classes_loaded: PerfData::read(vm, &reader)
                .ok()
                .and_then(|counters| counters.counter("java.cls.loadedClasses")),
            raw_names: false,
            reader,
        })
    }

    /// Whether descriptions give the names of classes as the JVM has them, and not their [`readable`] part.
    pub fn with_raw_names(self, raw_names: bool) -> MethodResolver {
        MethodResolver { raw_names, ..self }
    }

    /// How many classes have been loaded so far, those that were redefined among them. As long as the number stays, no address has
    /// got another method. `None` when this JVM does not count.
    pub fn classes_loaded(&self) -> Option<i64> {
        self.classes_loaded?.value(&self.reader).ok()
    }

    /// Whether the JIT has compiled code for the method at this moment; `None` when there is nothing to read.
    pub fn has_compiled_code(&self, address: u64) -> Option<bool> {
        let code = is_pointer(address)
            .then(|| self.reader.read_u64(address + self.layout.method_code).ok())??;
        Some(code != 0)
    }

    /// Describes the method at that address, whatever the address is: of a method, of one that is gone, null or garbage.
    ///
    /// # Errors
    ///
    /// [`ResolveError`]; no address makes it fail in another way. Memory that was freed and used anew for another method in the same
    /// place cannot be told from that method: see [`MethodResolver::still_is`].
    pub fn describe_method(&self, address: u64) -> Result<MethodDescription, ResolveError> {
        let layout = &self.layout;
        if !is_pointer(address) {
            return Err(ResolveError::MalformedMethod);
        }
        let method = Structure::read(&self.reader, address, layout.method_size)
            .ok_or(ResolveError::UnreadableMethod)?;
        let const_method = method.number(layout.method_const_method, 8);
        let header = self.const_method(const_method)?;
        let names = self.names(&header)?;
        let tables = self.tables(const_method, &header)?;
        let line_numbers = if header.has_line_numbers {
            LineNumbers::decode(&tables, layout.numbers).ok_or(ResolveError::BadLineNumbers)?
        } else {
            LineNumbers::default()
        };
        let footprint = names.footprint(const_method, header, &tables);

        let access_flags =
            method.number(layout.method_access_flags, layout.access_flags_size) as u32;
        let class_name = text(&names.class_name);
        let description = MethodDescription {
            class_name: if self.raw_names {
                class_name
            } else {
                readable(&class_name).to_owned()
            },
            name: text(&names.name),
            descriptor: text(&names.descriptor),
            modifiers: access_flags & MODIFIERS,
            is_native: access_flags & ACC_NATIVE != 0,
            has_compiled_code: method.number(layout.method_code, 8) != 0,
            line_numbers,
            footprint,
        };
        // A method keeps its unchanging part while it lives.
        match self.reader.read_u64(address + layout.method_const_method) {
            Ok(const_method_now) if const_method_now == const_method => Ok(description),
            _ => Err(ResolveError::Changed),
        }
    }

    /// The name of the class at that address, an array's as its descriptor (`[I`), whatever the address is. `None` where there
    /// is no class.
    pub fn class_name(&self, klass: u64) -> Option<String> {
        if !is_pointer(klass) {
            return None;
        }
        let symbol = self.reader.read_u64(klass + self.layout.klass_name).ok()?;
        let [name, ..] = self.symbols([symbol; 3]).ok()?;
        if !is_class_name(&name) && !is_array_descriptor(&name) {
            return None;
        }
        let name = text(&name);
        Some(if self.raw_names {
            name
        } else {
            readable(&name).to_owned()
        })
    }

    fn const_method(&self, address: u64) -> Result<Header, ResolveError> {
        let layout = &self.layout;
        if !is_pointer(address) {
            return Err(ResolveError::BadConstMethod);
        }
        let structure = Structure::read(&self.reader, address, layout.const_method_size)
            .ok_or(ResolveError::BadConstMethod)?;
        let header = Header::of(layout, &structure);
        if (header.tables(layout)..=MAX_CONST_METHOD_BYTES).contains(&header.bytes) {
            Ok(header)
        } else {
            Err(ResolveError::BadConstMethod)
        }
    }

    fn names(&self, const_method: &Header) -> Result<Names, ResolveError> {
        let layout = &self.layout;
        let bad_pool = ResolveError::BadConstantPool;
        if !is_pointer(const_method.pool) {
            return Err(bad_pool);
        }
        let pool =
            Structure::read(&self.reader, const_method.pool, layout.pool_size).ok_or(bad_pool)?;
        let length = pool.number(layout.pool_length, 4);
        let tags = pool.number(layout.pool_tags, 8);
        let holder = pool.number(layout.pool_holder, 8);
        let indices = [const_method.name_index, const_method.signature_index];
        let is_index = |&index: &u16| index != 0 && u64::from(index) < length;
        if !indices.iter().all(is_index) || !is_pointer(tags) {
            return Err(bad_pool);
        }
        if !is_pointer(holder) {
            return Err(ResolveError::BadClass);
        }

        let slot = |index: u16| layout.pool_slot(const_method.pool, index);
        let tag = |index: u16| tags + layout.tags_data + u64::from(index);
        let mut tags_length = [0; 4];
        let (mut name_tag, mut signature_tag) = ([0], [0]);
        let (mut name, mut signature, mut class_name) = ([0; 8], [0; 8], [0; 8]);
        let mut loads = [
            load(tags + layout.tags_length, &mut tags_length),
            load(tag(const_method.name_index), &mut name_tag),
            load(tag(const_method.signature_index), &mut signature_tag),
            load(slot(const_method.name_index), &mut name),
            load(slot(const_method.signature_index), &mut signature),
            load(holder + layout.klass_name, &mut class_name),
        ];
        self.reader.read_batch(&mut loads).map_err(|failed| {
            if failed.address == holder + layout.klass_name {
                ResolveError::BadClass
            } else {
                bad_pool
            }
        })?;
        // The tags' array goes with the pool: as long, and both entries are strings.
        if u64::from(u32::from_le_bytes(tags_length)) != length
            || [name_tag[0], signature_tag[0]] != [TAG_UTF8; 2]
        {
            return Err(bad_pool);
        }
        let symbols = [class_name, name, signature].map(u64::from_le_bytes);
        let [class_name, name, descriptor] = self.symbols(symbols)?;
        if !is_class_name(&class_name) {
            return Err(ResolveError::BadClass);
        }
        if !is_method_name(&name) || !is_method_descriptor(&descriptor) {
            return Err(ResolveError::BadSymbol);
        }
        Ok(Names {
            holder,
            symbols,
            class_name,
            name,
            descriptor,
        })
    }

    /// The bytes of three symbols.
    fn symbols(&self, addresses: [u64; 3]) -> Result<[Vec<u8>; 3], ResolveError> {
        let layout = &self.layout;
        let bad = ResolveError::BadSymbol;
        if !addresses.iter().all(|&address| is_pointer(address)) {
            return Err(bad);
        }
        let mut lengths = [[0; 4]; 3];
        let mut loads = lengths.each_mut().map(|length| Load {
            address: 0,
            into: &mut length[..layout.symbol_length_size as usize],
        });
        for (load, address) in loads.iter_mut().zip(addresses) {
            load.address = address + layout.symbol_length;
        }
        self.reader.read_batch(&mut loads).map_err(|_| bad)?;
        let mut bodies = lengths.map(|length| vec![0; layout.symbol_bytes(length) as usize]);
        let mut loads = bodies.each_mut().map(|body| Load {
            address: 0,
            into: body.as_mut_slice(),
        });
        for (load, address) in loads.iter_mut().zip(addresses) {
            load.address = address + layout.symbol_body;
        }
        self.reader.read_batch(&mut loads).map_err(|_| bad)?;
        Ok(bodies)
    }

    /// All that follows the bytecodes, the table of line numbers first; empty when there is no such table.
    fn tables(&self, address: u64, const_method: &Header) -> Result<Vec<u8>, ResolveError> {
        if !const_method.has_line_numbers {
            return Ok(Vec::new());
        }
        let before = const_method.tables(&self.layout);
        let mut tables = vec![0; (const_method.bytes - before) as usize];
        self.reader
            .read_bytes(address + before, &mut tables)
            .map_err(|_| ResolveError::BadConstMethod)?;
        Ok(tables)
    }
}

/// The bytes of a method's three symbols, and where they were found.
struct Names {
    holder: u64,
    symbols: [u64; 3],
    class_name: Vec<u8>,
    name: Vec<u8>,
    descriptor: Vec<u8>,
}

impl Names {
    fn footprint(&self, const_method: u64, header: Header, tables: &[u8]) -> Footprint {
        let texts = [&self.class_name, &self.name, &self.descriptor].map(Vec::as_slice);
        Footprint {
            const_method,
            header,
            holder: self.holder,
            symbols: self.symbols,
            // A symbol has 65,535 bytes at most.
            symbol_bytes: texts.map(|text| text.len() as u16),
            table_bytes: tables.len() as u32,
            hash: footprint::hash(texts.into_iter().chain([tables])),
        }
    }
}

fn load(address: u64, into: &mut [u8]) -> Load<'_> {
    Load { address, into }
}

/// The first page is never mapped (`vm.mmap_min_addr`).
const LOWEST_ADDRESS: u64 = 4096;

/// Whether a word can be the address of one of these structures: aligned, and in the lower half, which is a process's own.
fn is_pointer(word: u64) -> bool {
    (LOWEST_ADDRESS..1 << 63).contains(&word) && word.is_multiple_of(8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_its_place_and_its_name() {
        let mut names = std::collections::BTreeSet::new();
        for (index, reason) in ResolveError::ALL.into_iter().enumerate() {
            assert_eq!(reason.index(), index);
            assert!(names.insert(reason.to_string()));
        }
    }
}
