//! Methods, and whatever else a frame can be in.

use crate::encode::{put_boolean, put_int, put_long};
use crate::ids::ClassId;
use crate::metadata::{Member, Structure, Type};

/// A method, or a native function under the name of its library.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MethodRef<'a> {
    /// The class that declares it.
    pub class: ClassId,
    /// Its name.
    pub name: &'a str,
    /// Its descriptor: `(Ljava/lang/String;)V`.
    pub descriptor: &'a str,
    /// Access flags of the class file.
    pub modifiers: u32,
    /// Whether the VM hides it from stack traces.
    pub hidden: bool,
}

pub(crate) const METHOD: Structure = Structure::new(
    Type::Method,
    "jdk.types.Method",
    "Java Method",
    &[
        Member::new("type", "Type", Type::Class),
        Member::new("name", "Name", Type::Symbol),
        Member::new("descriptor", "Descriptor", Type::Symbol),
        Member::new("modifiers", "Access Modifiers", Type::Int),
        Member::new("hidden", "Hidden", Type::Boolean),
    ],
);

/// Keys into the other pools.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MethodKeys {
    pub(crate) class: u32,
    pub(crate) name: u32,
    pub(crate) descriptor: u32,
}

pub(crate) fn put_method(out: &mut Vec<u8>, keys: MethodKeys, modifiers: u32, hidden: bool) {
    put_long(out, keys.class.into());
    put_long(out, keys.name.into());
    put_long(out, keys.descriptor.into());
    put_int(out, modifiers as i32);
    put_boolean(out, hidden);
}
