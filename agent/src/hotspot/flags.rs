//! The JVM's flags (`-XX:…`), read and, where that is safe, set in the running JVM.

use std::fmt;

use super::Declined;
use super::libjvm::Libjvm;
use super::memory::SafeReader;
use super::vm_structs::VmStructs;

/// More than any JVM has (8 to 25: at most some 1,500).
const MAX_FLAGS: u64 = 10_000;
/// The longest text that a flag is read to.
const MAX_TEXT_BYTES: usize = 1 << 16;

/// A flag's value.
#[derive(Clone, Debug, PartialEq)]
pub enum FlagValue {
    /// `bool`.
    Bool(bool),
    /// `int`, `intx`.
    Signed(i64),
    /// `uint`, `uintx`, `uint64_t`, `size_t`.
    Unsigned(u64),
    /// `double`.
    Double(f64),
    /// `ccstr`, `ccstrlist`; `None` where it is not set.
    Text(Option<String>),
}

impl fmt::Display for FlagValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FlagValue::Bool(value) => write!(f, "{value}"),
            FlagValue::Signed(value) => write!(f, "{value}"),
            FlagValue::Unsigned(value) => write!(f, "{value}"),
            FlagValue::Double(value) => write!(f, "{value:.6}"),
            FlagValue::Text(value) => f.write_str(value.as_deref().unwrap_or_default()),
        }
    }
}

/// A flag as it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Flag {
    /// Its value.
    pub value: FlagValue,
    /// Nobody has set it: not the command line, not the environment, not the JVM's ergonomics.
    pub is_default: bool,
}

/// What became of a flag that was to be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetOutcome {
    /// It has the value now.
    Set,
    /// It had the value already.
    Unchanged,
    /// Somebody has set it to the other value, which stays.
    LeftAsChosen,
    /// This JVM has no such flag, or has it as another type.
    NoSuchFlag,
    /// Its memory cannot be written.
    NotWritable,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Type {
    Bool,
    Signed32,
    Signed64,
    Unsigned32,
    Unsigned64,
    Double,
    Text,
}

impl Type {
    fn by_name(name: &str) -> Option<Type> {
        Some(match name {
            "bool" => Type::Bool,
            "int" => Type::Signed32,
            "intx" => Type::Signed64,
            "uint" => Type::Unsigned32,
            "uintx" | "uint64_t" | "size_t" => Type::Unsigned64,
            "double" => Type::Double,
            "ccstr" | "ccstrlist" => Type::Text,
            _ => return None,
        })
    }

    /// By the number that stands for it from 15 on (source: `JVM_FLAG_ALL_TYPES_DO` in `jvmFlag.hpp`).
    fn by_number(number: i32) -> Option<Type> {
        const NAMES: [&str; 10] = [
            "bool",
            "int",
            "uint",
            "intx",
            "uintx",
            "uint64_t",
            "size_t",
            "double",
            "ccstr",
            "ccstrlist",
        ];
        Type::by_name(NAMES.get(usize::try_from(number).ok()?)?)
    }
}

/// Lets the compilers keep the debug information of all places, not only of those where the JVM can stop, so that inlined methods and
/// lines are told where a sample is taken. It holds for what is compiled from then on, so the earlier the better: at `Agent_OnLoad`
/// the tables are there. A choice of the user's stays.
///
/// Compilers do the same for an agent that asks for CompiledMethodLoad events, but those can end the JVM (JDK-8173361).
///
/// # Errors
///
/// [`Declined`] when the flags cannot be found in this JVM.
pub fn switch_on_debug_non_safepoints(vm: &VmStructs) -> Result<SetOutcome, Declined> {
    Ok(Flags::new(vm)?.set_bool_if_default("DebugNonSafepoints", true))
}

/// The table of flags of the JVM that runs.
#[derive(Debug)]
pub struct Flags {
    libjvm: Libjvm,
    reader: SafeReader,
    table: u64,
    count: u64,
    entry_size: u64,
    name_offset: u64,
    address_offset: u64,
    type_offset: u64,
    type_is_text: bool,
    flags_offset: u64,
    origin_mask: i32,
}

impl Flags {
    /// Finds the table.
    ///
    /// # Errors
    ///
    /// [`Declined`] with what is missing, or when a flag that every JVM has is not what it must be.
    pub fn new(vm: &VmStructs) -> Result<Flags, Declined> {
        // 11 renamed the structure.
        let structure = if vm.type_size("JVMFlag").is_ok() {
            "JVMFlag"
        } else {
            "Flag"
        };
        let load = |address| {
            vm.libjvm()
                .load_u64(address)
                .ok_or(Declined::Table("JVMFlag::flags"))
        };
        let type_is_text = match vm.field_type(structure, "_type")? {
            "const char*" => true,
            "int" => false,
            other => return Err(Declined::FieldType(structure, "_type", other.into())),
        };
        let flags = Flags {
            table: load(vm.static_address(structure, "flags")?)?,
            count: load(vm.static_address(structure, "numFlags")?)?.min(MAX_FLAGS),
            entry_size: vm.type_size(structure)?,
            name_offset: vm.field_offset(structure, "_name")?,
            address_offset: vm.field_offset(structure, "_addr")?,
            type_offset: vm.field_offset(structure, "_type")?,
            type_is_text,
            flags_offset: vm.field_offset(structure, "_flags")?,
            // Four bits in every release; the tables say so from 17 on.
            origin_mask: vm.int_constant("JVMFlag::VALUE_ORIGIN_MASK").unwrap_or(15),
            libjvm: vm.libjvm().clone(),
            reader: SafeReader::new()?,
        };
        // The numbers of the types are not in the tables. This flag is in every JVM and has always been a bool.
        match flags.get("UsePerfData") {
            Some(Flag {
                value: FlagValue::Bool(_),
                ..
            }) => Ok(flags),
            _ => Err(Declined::Table("JVMFlag::flags")),
        }
    }

    fn entries(&self) -> impl Iterator<Item = (&'static str, u64)> {
        (0..self.count).filter_map(|index| {
            let entry = self.table.wrapping_add(index * self.entry_size);
            let name = self.libjvm.load_u64(entry.wrapping_add(self.name_offset))?;
            // The last entry has no name.
            Some((self.libjvm.text(name)?, entry))
        })
    }

    fn find(&self, name: &str) -> Option<u64> {
        self.entries()
            .find(|(other, _)| *other == name)
            .map(|(_, entry)| entry)
    }

    fn type_of(&self, entry: u64) -> Option<Type> {
        let place = entry.wrapping_add(self.type_offset);
        if self.type_is_text {
            Type::by_name(self.libjvm.text(self.libjvm.load_u64(place)?)?)
        } else {
            Type::by_number(self.libjvm.load_i32(place)?)
        }
    }

    fn is_default(&self, entry: u64) -> Option<bool> {
        let flags = self
            .libjvm
            .load_i32(entry.wrapping_add(self.flags_offset))?;
        Some(flags & self.origin_mask == 0)
    }

    fn value_address(&self, entry: u64) -> Option<u64> {
        self.libjvm
            .load_u64(entry.wrapping_add(self.address_offset))
    }

    fn read(&self, entry: u64) -> Option<Flag> {
        let address = self.value_address(entry)?;
        let read_u32 = || self.reader.read_u32(address).ok();
        let read_u64 = || self.reader.read_u64(address).ok();
        let value = match self.type_of(entry)? {
            Type::Bool => FlagValue::Bool(self.reader.read_u8(address).ok()? != 0),
            Type::Signed32 => FlagValue::Signed(i64::from(read_u32()? as i32)),
            Type::Signed64 => FlagValue::Signed(read_u64()? as i64),
            Type::Unsigned32 => FlagValue::Unsigned(u64::from(read_u32()?)),
            Type::Unsigned64 => FlagValue::Unsigned(read_u64()?),
            Type::Double => FlagValue::Double(f64::from_bits(read_u64()?)),
            Type::Text => FlagValue::Text(match read_u64()? {
                0 => None,
                text => {
                    let bytes = self.reader.read_c_string(text, MAX_TEXT_BYTES).ok()?;
                    Some(String::from_utf8_lossy(&bytes).into_owned())
                }
            }),
        };
        Some(Flag {
            value,
            is_default: self.is_default(entry)?,
        })
    }

    /// A flag by its name, such as `UseG1GC`; `None` when this JVM has none of that name.
    pub fn get(&self, name: &str) -> Option<Flag> {
        self.read(self.find(name)?)
    }

    /// Whether a flag is on; `false` when this JVM has none of that name.
    pub fn is_on(&self, name: &str) -> bool {
        matches!(
            self.get(name),
            Some(Flag {
                value: FlagValue::Bool(true),
                ..
            })
        )
    }

    /// All flags by name, in the JVM's order.
    pub fn all(&self) -> impl Iterator<Item = (&'static str, Flag)> {
        self.entries()
            .filter_map(|(name, entry)| Some((name, self.read(entry)?)))
    }

    /// Sets a flag that is a `bool`, unless somebody has chosen its value.
    ///
    /// Only for flags that the JVM looks at anew each time, as it does with `DebugNonSafepoints` at each compilation.
    pub fn set_bool_if_default(&self, name: &str, value: bool) -> SetOutcome {
        let Some(entry) = self.find(name) else {
            return SetOutcome::NoSuchFlag;
        };
        let (Some(flag), Some(address)) = (self.read(entry), self.value_address(entry)) else {
            return SetOutcome::NoSuchFlag;
        };
        match flag {
            Flag {
                value: FlagValue::Bool(now),
                ..
            } if now == value => SetOutcome::Unchanged,
            Flag {
                value: FlagValue::Bool(_),
                is_default: true,
            } => match self.reader.write_bytes(address, &[u8::from(value)]) {
                Ok(()) => SetOutcome::Set,
                Err(_) => SetOutcome::NotWritable,
            },
            Flag {
                value: FlagValue::Bool(_),
                is_default: false,
            } => SetOutcome::LeftAsChosen,
            _ => SetOutcome::NoSuchFlag,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_show_as_the_jvm_prints_them() {
        for (value, shown) in [
            (FlagValue::Bool(true), "true"),
            (FlagValue::Signed(-1), "-1"),
            (FlagValue::Unsigned(u64::MAX), "18446744073709551615"),
            (FlagValue::Double(50.0), "50.000000"),
            (FlagValue::Text(None), ""),
            (FlagValue::Text(Some("a b".into())), "a b"),
        ] {
            assert_eq!(value.to_string(), shown);
        }
    }

    #[test]
    fn types_are_known_by_name_and_by_number() {
        assert_eq!(Type::by_number(0), Type::by_name("bool"));
        assert_eq!(Type::by_number(3), Type::by_name("intx"));
        assert_eq!(Type::by_number(6), Type::by_name("size_t"));
        assert_eq!(Type::by_number(9), Some(Type::Text));
        assert_eq!(
            (
                Type::by_number(10),
                Type::by_number(-1),
                Type::by_name("long")
            ),
            (None, None, None)
        );
    }
}
