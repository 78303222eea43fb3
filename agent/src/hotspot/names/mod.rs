//! From a `jmethodID` to the method's class, name, signature and lines.
//!
//! Up to JDK 25 a `jmethodID` is a pointer to a pointer to HotSpot's `Method`. What the profiler holds is often stale: the class may
//! have been unloaded since the sample, and JVMTI calls on such an id end the JVM (JDK-8313816). So nothing is called here; the
//! structures are read through [`SafeReader`], each link is checked against what it must be, and at the end the way from the id is
//! read once more, so that a method that was freed meanwhile is not taken for another.

mod layout;
mod symbols;

use super::line_numbers::LineNumbers;
use super::memory::{Load, SafeReader};
use super::vm_structs::VmStructs;
use super::{Declined, JavaVersion};
use layout::{Layout, MAX_STRUCTURE_BYTES};
use symbols::{is_class_name, is_method_descriptor, is_method_name, text};

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
}

impl MethodDescription {
    /// The line of a bytecode index; `None` when the class does not say, and for native methods.
    pub fn line(&self, bci: i32) -> Option<u16> {
        self.line_numbers.line(bci)
    }
}

/// Why a method id leads to no method.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum ResolveError {
    /// The id is null.
    #[error("null_id")]
    NullId,
    /// The id cannot be a pointer to a pointer.
    #[error("malformed_id")]
    MalformedId,
    /// The id points to memory that is not mapped.
    #[error("unreadable_id")]
    UnreadableId,
    /// The id's class has been unloaded: the JVM has cleared it.
    #[error("unloaded")]
    Unloaded,
    /// What the id points to cannot be the address of a method.
    #[error("malformed_method")]
    MalformedMethod,
    /// The method is not mapped: its class has been unloaded, or the id never was one.
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
    pub const ALL: [ResolveError; 12] = [
        ResolveError::NullId,
        ResolveError::MalformedId,
        ResolveError::UnreadableId,
        ResolveError::Unloaded,
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
    fn read(reader: &SafeReader, address: u64, size: u64) -> Option<Structure> {
        let mut bytes = [0; MAX_STRUCTURE_BYTES as usize];
        reader
            .read_bytes(address, &mut bytes[..size as usize])
            .ok()?;
        Some(Structure { bytes })
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
}

impl MethodResolver {
    /// Takes the layout of everything on the way from the tables.
    ///
    /// # Errors
    ///
    /// [`Declined`] with the missing piece. From JDK 26 on (JDK-8268406) a method id is no pointer any more.
    pub fn new(vm: &VmStructs, version: JavaVersion) -> Result<MethodResolver, Declined> {
        if version.feature > 25 {
            return Err(Declined::Version(
                version.feature,
                "a jmethodID is no pointer there",
            ));
        }
        if !version.is_known() {
            return Err(Declined::Version(
                version.feature,
                "its methods are laid out in another way",
            ));
        }
        Ok(MethodResolver {
            reader: SafeReader::new()?,
            layout: Layout::new(vm, version)?,
        })
    }

    /// Describes the method behind a `jmethodID`, whatever the id is: valid, stale, null or garbage.
    ///
    /// # Errors
    ///
    /// [`ResolveError`]; no id makes it fail in another way. Memory that was freed and used anew for another method in the same
    /// place cannot be told from that method.
    pub fn describe(&self, id: u64) -> Result<MethodDescription, ResolveError> {
        if id == 0 {
            return Err(ResolveError::NullId);
        }
        if !is_pointer(id) {
            return Err(ResolveError::MalformedId);
        }
        let method = self
            .reader
            .read_u64(id)
            .map_err(|_| ResolveError::UnreadableId)?;
        // The JVM clears the ids of an unloaded class with null, 8 with the number 55.
        if method < LOWEST_ADDRESS {
            return Err(ResolveError::Unloaded);
        }
        self.describe_through(Some(id), method)
    }

    /// Whether the JIT has compiled code for the method at this moment; `None` when the id leads nowhere.
    pub fn has_compiled_code(&self, id: u64) -> Option<bool> {
        let method = is_pointer(id).then(|| self.reader.read_u64(id).ok())??;
        let code = is_pointer(method)
            .then(|| self.reader.read_u64(method + self.layout.method_code).ok())??;
        Some(code != 0)
    }

    /// Describes the method at a `Method*`.
    ///
    /// # Errors
    ///
    /// As [`MethodResolver::describe`].
    pub fn describe_method(&self, address: u64) -> Result<MethodDescription, ResolveError> {
        self.describe_through(None, address)
    }

    fn describe_through(
        &self,
        id: Option<u64>,
        address: u64,
    ) -> Result<MethodDescription, ResolveError> {
        let layout = &self.layout;
        if !is_pointer(address) {
            return Err(ResolveError::MalformedMethod);
        }
        let method = Structure::read(&self.reader, address, layout.method_size)
            .ok_or(ResolveError::UnreadableMethod)?;
        let const_method = self.const_method(method.number(layout.method_const_method, 8))?;
        let names = self.names(&const_method)?;
        let line_numbers = self.line_numbers(&const_method)?;

        let access_flags =
            method.number(layout.method_access_flags, layout.access_flags_size) as u32;
        let description = MethodDescription {
            class_name: names.class_name,
            name: names.name,
            descriptor: names.descriptor,
            modifiers: access_flags & MODIFIERS,
            is_native: access_flags & ACC_NATIVE != 0,
            has_compiled_code: method.number(layout.method_code, 8) != 0,
            line_numbers,
        };
        // A redefinition gives the id another method; this method keeps its unchanging part while it lives.
        let (mut method_now, mut const_method_now) = ([0; 8], [0; 8]);
        let mut loads = [
            load(address + layout.method_const_method, &mut const_method_now),
            load(id.unwrap_or_default(), &mut method_now),
        ];
        let count = if id.is_some() { 2 } else { 1 };
        let readable = self.reader.read_batch(&mut loads[..count]).is_ok();
        let same_method = id.is_none() || u64::from_le_bytes(method_now) == address;
        if readable && same_method && u64::from_le_bytes(const_method_now) == const_method.address {
            Ok(description)
        } else {
            Err(ResolveError::Changed)
        }
    }

    fn const_method(&self, address: u64) -> Result<ConstMethod, ResolveError> {
        let layout = &self.layout;
        if !is_pointer(address) {
            return Err(ResolveError::BadConstMethod);
        }
        let header = Structure::read(&self.reader, address, layout.const_method_size)
            .ok_or(ResolveError::BadConstMethod)?;
        let const_method = ConstMethod {
            address,
            pool: header.number(layout.const_method_constants, 8),
            bytes: header.number(layout.const_method_words, 4) * 8,
            code_bytes: header.number(layout.const_method_code_size, 2),
            has_line_numbers: header
                .number(layout.const_method_flags, layout.const_method_flags_size)
                as u32
                & layout.has_line_numbers
                != 0,
            name_index: header.number(layout.const_method_name_index, 2),
            signature_index: header.number(layout.const_method_signature_index, 2),
        };
        let least = layout.const_method_size + const_method.code_bytes;
        if (least..=MAX_CONST_METHOD_BYTES).contains(&const_method.bytes) {
            Ok(const_method)
        } else {
            Err(ResolveError::BadConstMethod)
        }
    }

    fn names(&self, const_method: &ConstMethod) -> Result<Names, ResolveError> {
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
        if indices.iter().any(|&index| index == 0 || index >= length) || !is_pointer(tags) {
            return Err(bad_pool);
        }
        if !is_pointer(holder) {
            return Err(ResolveError::BadClass);
        }

        let slot = |index: u64| const_method.pool + layout.pool_size + index * 8;
        let tag = |index: u64| tags + layout.tags_data + index;
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
            class_name: text(&class_name),
            name: text(&name),
            descriptor: text(&descriptor),
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
        let mut bodies = lengths.map(|length| {
            vec![0; (u32::from_le_bytes(length) >> layout.symbol_length_shift) as usize]
        });
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

    fn line_numbers(&self, const_method: &ConstMethod) -> Result<LineNumbers, ResolveError> {
        if !const_method.has_line_numbers {
            return Ok(LineNumbers::default());
        }
        // The table follows the bytecodes, which follow the structure.
        let before = self.layout.const_method_size + const_method.code_bytes;
        let mut table = vec![0; (const_method.bytes - before) as usize];
        self.reader
            .read_bytes(const_method.address + before, &mut table)
            .map_err(|_| ResolveError::BadConstMethod)?;
        LineNumbers::decode(&table, self.layout.numbers).ok_or(ResolveError::BadLineNumbers)
    }
}

struct ConstMethod {
    address: u64,
    pool: u64,
    /// All of it: the structure, the bytecodes, and the tables behind them.
    bytes: u64,
    code_bytes: u64,
    has_line_numbers: bool,
    name_index: u64,
    signature_index: u64,
}

struct Names {
    class_name: String,
    name: String,
    descriptor: String,
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
