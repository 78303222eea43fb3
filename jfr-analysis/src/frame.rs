//! How a frame is shown: its name and its kind.

use flame_graph::FrameKind;
use jfr_reader::FrameView;

/// A frame as it is shown.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FrameName {
    /// `java/lang/String.equals`, or what a native function, a library or a stand-in is called.
    pub name: String,
    /// Compiled, interpreted, native …
    pub kind: FrameKind,
}

/// The frame in place of a stack that the event does not have.
pub(crate) const NO_STACK: &str = "[no_stack]";
/// The root frame in place of those that were cut off.
pub(crate) const TRUNCATED: &str = "[truncated]";
const UNKNOWN: &str = "[unknown]";

/// async-profiler writes a native function as a method of a class that is called after its library,
/// and marks it by a descriptor that no Java method has; kernel functions by the second.
const NATIVE_DESCRIPTORS: [&str; 2] = ["()L;", "(Lk;)L;"];

impl FrameName {
    pub(crate) fn of(frame: &FrameView<'_>) -> Self {
        let text = |path| {
            let method = frame.method()?;
            method.text(path).filter(|text| !text.is_empty())
        };
        let class = text("type.name");
        let method = text("name");
        let is_native = class.is_none()
            || text("descriptor")
                .is_some_and(|descriptor| NATIVE_DESCRIPTORS.contains(&descriptor.as_ref()));
        let name = match (class, method) {
            (Some(class), Some(method)) if !is_native => format!("{class}.{method}"),
            (_, Some(method)) => method.into_owned(),
            (Some(class), None) => class.into_owned(),
            (None, None) => UNKNOWN.to_owned(),
        };
        let kind = match frame.kind().as_deref() {
            _ if is_stand_in(&name) => FrameKind::Vm,
            Some("Interpreted") => FrameKind::Interpreted,
            Some("C1 compiled") => FrameKind::C1,
            Some("JIT compiled") => FrameKind::Jit,
            Some("Inlined") => FrameKind::Inlined,
            Some("Native") => FrameKind::Native,
            Some("C++") => FrameKind::Cpp,
            Some("Kernel") => FrameKind::Kernel,
            _ if is_native => FrameKind::Native,
            _ => FrameKind::Jit,
        };
        Self { name, kind }
    }

    /// The class of an object, as Java's own `Class.getTypeName` has it: `byte[]`.
    pub(crate) fn of_class(name: &str) -> Self {
        Self {
            name: type_name(name),
            kind: FrameKind::Class,
        }
    }

    pub(crate) fn stand_in(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            kind: FrameKind::Vm,
        }
    }
}

/// The name of a class in Java, from that in a class file: `[[I` is `int[][]`.
fn type_name(class: &str) -> String {
    let element = class.trim_start_matches('[');
    let dimensions = class.len() - element.len();
    if dimensions == 0 {
        return dotted(class);
    }
    let element = match element {
        "Z" => "boolean".to_owned(),
        "B" => "byte".to_owned(),
        "C" => "char".to_owned(),
        "S" => "short".to_owned(),
        "I" => "int".to_owned(),
        "J" => "long".to_owned(),
        "F" => "float".to_owned(),
        "D" => "double".to_owned(),
        _ => dotted(
            element
                .strip_prefix('L')
                .and_then(|element| element.strip_suffix(';'))
                .unwrap_or(element),
        ),
    };
    element + &"[]".repeat(dimensions)
}

/// Dots in place of slashes, but for the one before a hidden class's number.
fn dotted(class: &str) -> String {
    match class.rsplit_once('/') {
        Some((name, number)) if number.starts_with(|first: char| first.is_ascii_digit()) => {
            format!("{}/{number}", name.replace('/', "."))
        }
        _ => class.replace('/', "."),
    }
}

/// A frame that stands for what was not walked, or for the JVM's own work: `[GC]`.
fn is_stand_in(name: &str) -> bool {
    name.starts_with('[') && name.ends_with(']')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_named_as_in_java() {
        for (class, name) in [
            ("java/lang/String", "java.lang.String"),
            ("Main", "Main"),
            ("[B", "byte[]"),
            ("[[J", "long[][]"),
            ("[Ljava/util/Map$Entry;", "java.util.Map$Entry[]"),
            ("[LMain;", "Main[]"),
            (
                "shop/Cart$$Lambda$14/0x0000000800c03000",
                "shop.Cart$$Lambda$14/0x0000000800c03000",
            ),
            (
                "shop/Cart$$Lambda+0x00007f1c",
                "shop.Cart$$Lambda+0x00007f1c",
            ),
            ("[Lshop/Cart$$Lambda$1/83;", "shop.Cart$$Lambda$1/83[]"),
            ("[", "[]"),
            ("", ""),
        ] {
            assert_eq!(type_name(class), name);
        }
    }
}
