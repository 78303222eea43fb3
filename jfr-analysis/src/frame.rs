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

    pub(crate) fn stand_in(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            kind: FrameKind::Vm,
        }
    }
}

/// A frame that stands for what was not walked, or for the JVM's own work: `[GC]`.
fn is_stand_in(name: &str) -> bool {
    name.starts_with('[') && name.ends_with(']')
}
