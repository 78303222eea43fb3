//! HotSpot's own description of its structures, which libjvm exports for the serviceability agent.
//!
//! Four arrays, `gHotSpotVMStructs`, `gHotSpotVMTypes`, `gHotSpotVMIntConstants` and `gHotSpotVMLongConstants`, each ended by
//! an entry without a name. How an entry is laid out is exported beside them, as `gHotSpotVMStructEntry…Offset` and
//! `…ArrayStride` (source: `vmStructs.hpp` of OpenJDK).

use std::ffi::CStr;

use rustc_hash::FxHashMap;

use super::Declined;
use super::libjvm::Libjvm;

/// More entries than any table has (8 to 25: at most some 3,000): a table without an end is none.
const MAX_ENTRIES: u64 = 100_000;

#[derive(Clone, Copy, Debug)]
struct Field {
    type_name: &'static str,
    /// The offset in the structure, or the address of a static field.
    place: Place,
}

#[derive(Clone, Copy, Debug)]
enum Place {
    Offset(u64),
    Address(u64),
}

/// The tables of the JVM that runs, ready for look-ups.
#[derive(Debug)]
pub struct VmStructs {
    libjvm: Libjvm,
    fields: FxHashMap<(&'static str, &'static str), Field>,
    type_sizes: FxHashMap<&'static str, u64>,
    int_constants: FxHashMap<&'static str, i32>,
    long_constants: FxHashMap<&'static str, i64>,
}

impl VmStructs {
    /// Reads the tables. They are complete as soon as libjvm is loaded: at `Agent_OnLoad`, too.
    ///
    /// # Errors
    ///
    /// [`Declined`] when there is no libjvm or its tables are not what they were in any known version.
    pub fn load() -> Result<VmStructs, Declined> {
        let libjvm = Libjvm::find()?;
        let mut vm = VmStructs {
            fields: FxHashMap::default(),
            type_sizes: FxHashMap::default(),
            int_constants: FxHashMap::default(),
            long_constants: FxHashMap::default(),
            libjvm,
        };
        vm.load_fields()?;
        vm.load_types()?;
        vm.load_constants()?;
        Ok(vm)
    }

    fn load_fields(&mut self) -> Result<(), Declined> {
        const TABLE: &str = "gHotSpotVMStructs";
        let libjvm = self.libjvm.clone();
        let type_name = exported(&libjvm, c"gHotSpotVMStructEntryTypeNameOffset")?;
        let field_name = exported(&libjvm, c"gHotSpotVMStructEntryFieldNameOffset")?;
        let type_string = exported(&libjvm, c"gHotSpotVMStructEntryTypeStringOffset")?;
        let is_static = exported(&libjvm, c"gHotSpotVMStructEntryIsStaticOffset")?;
        let offset = exported(&libjvm, c"gHotSpotVMStructEntryOffsetOffset")?;
        let address = exported(&libjvm, c"gHotSpotVMStructEntryAddressOffset")?;
        let stride = exported(&libjvm, c"gHotSpotVMStructEntryArrayStride")?;
        let start = exported(&libjvm, c"gHotSpotVMStructs")?;
        entries(
            &libjvm,
            TABLE,
            start,
            stride,
            type_name,
            |entry, type_name| {
                let name = libjvm.text(libjvm.load_u64(entry + field_name)?)?;
                // A field whose type is of no interest has none.
                let type_string = libjvm
                    .text(libjvm.load_u64(entry + type_string)?)
                    .unwrap_or("");
                let place = if libjvm.load_i32(entry + is_static)? != 0 {
                    Place::Address(libjvm.load_u64(entry + address)?)
                } else {
                    Place::Offset(libjvm.load_u64(entry + offset)?)
                };
                let field = Field {
                    type_name: type_string,
                    place,
                };
                self.fields.insert((type_name, name), field);
                Some(())
            },
        )
    }

    fn load_types(&mut self) -> Result<(), Declined> {
        const TABLE: &str = "gHotSpotVMTypes";
        let libjvm = self.libjvm.clone();
        let name = exported(&libjvm, c"gHotSpotVMTypeEntryTypeNameOffset")?;
        let size = exported(&libjvm, c"gHotSpotVMTypeEntrySizeOffset")?;
        let stride = exported(&libjvm, c"gHotSpotVMTypeEntryArrayStride")?;
        let start = exported(&libjvm, c"gHotSpotVMTypes")?;
        entries(&libjvm, TABLE, start, stride, name, |entry, name| {
            self.type_sizes.insert(name, libjvm.load_u64(entry + size)?);
            Some(())
        })
    }

    fn load_constants(&mut self) -> Result<(), Declined> {
        let libjvm = self.libjvm.clone();
        let name = exported(&libjvm, c"gHotSpotVMIntConstantEntryNameOffset")?;
        let value = exported(&libjvm, c"gHotSpotVMIntConstantEntryValueOffset")?;
        let stride = exported(&libjvm, c"gHotSpotVMIntConstantEntryArrayStride")?;
        let start = exported(&libjvm, c"gHotSpotVMIntConstants")?;
        entries(
            &libjvm,
            "gHotSpotVMIntConstants",
            start,
            stride,
            name,
            |entry, name| {
                self.int_constants
                    .insert(name, libjvm.load_i32(entry + value)?);
                Some(())
            },
        )?;
        let name = exported(&libjvm, c"gHotSpotVMLongConstantEntryNameOffset")?;
        let value = exported(&libjvm, c"gHotSpotVMLongConstantEntryValueOffset")?;
        let stride = exported(&libjvm, c"gHotSpotVMLongConstantEntryArrayStride")?;
        let start = exported(&libjvm, c"gHotSpotVMLongConstants")?;
        entries(
            &libjvm,
            "gHotSpotVMLongConstants",
            start,
            stride,
            name,
            |entry, name| {
                self.long_constants
                    .insert(name, libjvm.load_u64(entry + value)? as i64);
                Some(())
            },
        )
    }

    /// The libjvm that the tables describe.
    pub fn libjvm(&self) -> &Libjvm {
        &self.libjvm
    }

    /// The offset of a field in its structure, in bytes.
    ///
    /// # Errors
    ///
    /// [`Declined::Field`] when the tables have no such field, or have it as a static one.
    pub fn field_offset(
        &self,
        structure: &'static str,
        field: &'static str,
    ) -> Result<u64, Declined> {
        match self.fields.get(&(structure, field)) {
            Some(Field {
                place: Place::Offset(offset),
                ..
            }) => Ok(*offset),
            _ => Err(Declined::Field(structure, field)),
        }
    }

    /// The address of a static field.
    ///
    /// # Errors
    ///
    /// [`Declined::Field`] when the tables have no such field, or have it as one of instances.
    pub fn static_address(
        &self,
        structure: &'static str,
        field: &'static str,
    ) -> Result<u64, Declined> {
        match self.fields.get(&(structure, field)) {
            Some(Field {
                place: Place::Address(address),
                ..
            }) => Ok(*address),
            _ => Err(Declined::Field(structure, field)),
        }
    }

    /// A field's type as C++ writes it (`u2`, `Symbol*`); empty when the tables do not say.
    ///
    /// # Errors
    ///
    /// [`Declined::Field`] when the tables have no such field.
    pub fn field_type(
        &self,
        structure: &'static str,
        field: &'static str,
    ) -> Result<&'static str, Declined> {
        let field_of = self.fields.get(&(structure, field));
        field_of
            .map(|field| field.type_name)
            .ok_or(Declined::Field(structure, field))
    }

    /// A type's size in bytes.
    ///
    /// # Errors
    ///
    /// [`Declined::Type`] when the tables do not have it.
    pub fn type_size(&self, name: &'static str) -> Result<u64, Declined> {
        self.type_sizes
            .get(name)
            .copied()
            .ok_or(Declined::Type(name))
    }

    /// The value of a constant that is an `int` to C++.
    ///
    /// # Errors
    ///
    /// [`Declined::Constant`] when the tables do not have it.
    pub fn int_constant(&self, name: &'static str) -> Result<i32, Declined> {
        self.int_constants
            .get(name)
            .copied()
            .ok_or(Declined::Constant(name))
    }

    /// The value of a constant that is a `long` to C++.
    ///
    /// # Errors
    ///
    /// [`Declined::Constant`] when the tables do not have it.
    pub fn long_constant(&self, name: &'static str) -> Result<i64, Declined> {
        self.long_constants
            .get(name)
            .copied()
            .ok_or(Declined::Constant(name))
    }
}

/// The value of an exported number or pointer.
fn exported(libjvm: &Libjvm, name: &CStr) -> Result<u64, Declined> {
    let address = libjvm.symbol(name)?;
    libjvm
        .load_u64(address)
        .ok_or_else(|| Declined::Symbol(name.to_string_lossy().into_owned()))
}

/// Visits a table's entries up to the one without a name.
fn entries(
    libjvm: &Libjvm,
    table: &'static str,
    start: u64,
    stride: u64,
    name_offset: u64,
    mut visit: impl FnMut(u64, &'static str) -> Option<()>,
) -> Result<(), Declined> {
    let mut entry = start;
    for index in 0..MAX_ENTRIES {
        let name = libjvm.load_u64(entry.wrapping_add(name_offset));
        match name.ok_or(Declined::Table(table))? {
            0 if index == 0 => return Err(Declined::Table(table)),
            0 => return Ok(()),
            // An entry that cannot be read is missing, which matters only to who looks for it.
            name => libjvm.text(name).and_then(|name| visit(entry, name)),
        };
        entry = entry.wrapping_add(stride);
    }
    Err(Declined::Table(table))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_jvm_the_tables_are_declined_by_name() {
        assert_eq!(VmStructs::load().unwrap_err(), Declined::NoLibjvm);
    }
}
