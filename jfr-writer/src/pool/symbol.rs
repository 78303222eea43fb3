//! Symbols: names that classes, methods and packages share.

use crate::encode::put_utf8;
use crate::metadata::{Member, Structure, Type};

pub(crate) const SYMBOL: Structure = Structure::simple(
    Type::Symbol,
    "jdk.types.Symbol",
    "Symbol",
    &[Member::new("string", "String", Type::String)],
);

pub(crate) fn put_symbol(out: &mut Vec<u8>, text: &str) {
    put_utf8(out, text);
}
