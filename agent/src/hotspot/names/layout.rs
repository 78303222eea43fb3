//! Where the parts of a method lie in the JVM that runs, from its own tables.

use super::super::line_numbers::Unsigned5;
use super::super::vm_structs::VmStructs;
use super::super::{Declined, JavaVersion};

/// No structure that is read whole is larger (8 to 25: at most 96 bytes).
pub(super) const MAX_STRUCTURE_BYTES: u64 = 1 << 10;

/// Offsets and sizes, in bytes.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    pub(super) method_size: u64,
    pub(super) method_const_method: u64,
    pub(super) method_access_flags: u64,
    pub(super) access_flags_size: u64,
    pub(super) method_code: u64,
    pub(super) const_method_size: u64,
    pub(super) const_method_constants: u64,
    pub(super) const_method_words: u64,
    pub(super) const_method_flags: u64,
    pub(super) const_method_flags_size: u64,
    pub(super) has_line_numbers: u32,
    pub(super) const_method_code_size: u64,
    pub(super) const_method_name_index: u64,
    pub(super) const_method_signature_index: u64,
    pub(super) pool_size: u64,
    pub(super) pool_tags: u64,
    pub(super) pool_length: u64,
    pub(super) pool_holder: u64,
    pub(super) tags_length: u64,
    pub(super) tags_data: u64,
    pub(super) klass_name: u64,
    pub(super) symbol_length: u64,
    pub(super) symbol_length_shift: u32,
    pub(super) symbol_length_size: u64,
    pub(super) symbol_body: u64,
    pub(super) numbers: Unsigned5,
}

impl Layout {
    /// Takes them from the tables.
    pub(super) fn new(vm: &VmStructs, version: JavaVersion) -> Result<Layout, Declined> {
        // 21 made a class of the flags and renamed the constant with it.
        let flags_field = vm
            .field_offset("ConstMethod", "_flags._flags")
            .map(|_| "_flags._flags")
            .unwrap_or("_flags");
        let has_line_numbers = vm
            .int_constant("ConstMethodFlags::_misc_has_linenumber_table")
            .or_else(|_| vm.int_constant("ConstMethod::_has_linenumber_table"))?;
        // Between 12 and 15 length and reference count shared a word, the length in its upper half.
        let (symbol_length, symbol_length_shift) =
            match vm.field_offset("Symbol", "_length_and_refcount") {
                Ok(_) => ("_length_and_refcount", 16),
                Err(_) => ("_length", 0),
            };
        let layout = Layout {
            method_size: structure_size(vm, "Method")?,
            method_const_method: vm.field_offset("Method", "_constMethod")?,
            method_access_flags: vm.field_offset("Method", "_access_flags")?,
            access_flags_size: vm.type_size("AccessFlags")?,
            method_code: vm.field_offset("Method", "_code")?,
            const_method_size: structure_size(vm, "ConstMethod")?,
            const_method_constants: vm.field_offset("ConstMethod", "_constants")?,
            const_method_words: vm.field_offset("ConstMethod", "_constMethod_size")?,
            const_method_flags: vm.field_offset("ConstMethod", flags_field)?,
            const_method_flags_size: integer_size(vm, "ConstMethod", flags_field)?,
            has_line_numbers: has_line_numbers as u32,
            const_method_code_size: vm.field_offset("ConstMethod", "_code_size")?,
            const_method_name_index: vm.field_offset("ConstMethod", "_name_index")?,
            const_method_signature_index: vm.field_offset("ConstMethod", "_signature_index")?,
            pool_size: structure_size(vm, "ConstantPool")?,
            pool_tags: vm.field_offset("ConstantPool", "_tags")?,
            pool_length: vm.field_offset("ConstantPool", "_length")?,
            pool_holder: vm.field_offset("ConstantPool", "_pool_holder")?,
            // The length lies alike in the arrays of all types; the tables name it once.
            tags_length: vm.field_offset("Array<int>", "_length")?,
            tags_data: vm.field_offset("Array<u1>", "_data")?,
            klass_name: vm.field_offset("Klass", "_name")?,
            symbol_length: vm.field_offset("Symbol", symbol_length)?,
            symbol_length_shift,
            symbol_length_size: integer_size(vm, "Symbol", symbol_length)?,
            symbol_body: vm.field_offset("Symbol", "_body")?,
            numbers: Unsigned5::of_release(version.feature),
        };
        layout.check()
    }

    /// Where a constant pool keeps the entry of that index.
    pub(super) fn pool_slot(&self, pool: u64, index: u16) -> u64 {
        pool + self.pool_size + u64::from(index) * 8
    }

    /// A symbol's length in bytes, of what was loaded as its length.
    pub(super) fn symbol_bytes(&self, length: [u8; 4]) -> u32 {
        u32::from_le_bytes(length) >> self.symbol_length_shift
    }

    /// Every field lies inside of its structure, so that what follows can index without a check of its own.
    fn check(self) -> Result<Layout, Declined> {
        let inside = |offset: u64, width: u64, size: u64| {
            offset.checked_add(width).is_some_and(|end| end <= size)
        };
        let method = self.method_size;
        let const_method = self.const_method_size;
        let pool = self.pool_size;
        let sound = [
            ("Method", inside(self.method_const_method, 8, method)),
            ("Method", inside(self.method_code, 8, method)),
            (
                "Method",
                inside(self.method_access_flags, self.access_flags_size, method),
            ),
            ("AccessFlags", matches!(self.access_flags_size, 2 | 4)),
            (
                "ConstMethod",
                inside(self.const_method_constants, 8, const_method),
            ),
            (
                "ConstMethod",
                inside(self.const_method_words, 4, const_method),
            ),
            (
                "ConstMethod",
                inside(
                    self.const_method_flags,
                    self.const_method_flags_size,
                    const_method,
                ),
            ),
            (
                "ConstMethod",
                inside(self.const_method_code_size, 2, const_method),
            ),
            (
                "ConstMethod",
                inside(self.const_method_name_index, 2, const_method),
            ),
            (
                "ConstMethod",
                inside(self.const_method_signature_index, 2, const_method),
            ),
            ("ConstantPool", inside(self.pool_tags, 8, pool)),
            ("ConstantPool", inside(self.pool_length, 4, pool)),
            ("ConstantPool", inside(self.pool_holder, 8, pool)),
        ];
        match sound.iter().find(|(_, sound)| !sound) {
            None => Ok(self),
            Some((structure, _)) => Err(Declined::Type(structure)),
        }
    }
}

fn structure_size(vm: &VmStructs, name: &'static str) -> Result<u64, Declined> {
    let size = vm.type_size(name)?;
    if size <= MAX_STRUCTURE_BYTES {
        Ok(size)
    } else {
        Err(Declined::Type(name))
    }
}

fn integer_size(
    vm: &VmStructs,
    structure: &'static str,
    field: &'static str,
) -> Result<u64, Declined> {
    match vm.field_type(structure, field)? {
        "u2" | "unsigned short" => Ok(2),
        "u4" | "unsigned int" | "uint32_t" => Ok(4),
        other => Err(Declined::FieldType(structure, field, other.to_owned())),
    }
}
