//! The types that a chunk defines, beside its events.

use crate::limits::FIRST_TYPE_ID;

/// A type of a field, or an annotation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Type {
    Boolean,
    Short,
    Int,
    Long,
    Float,
    String,
    Thread,
    ThreadGroup,
    Class,
    ClassLoader,
    Package,
    Symbol,
    Method,
    StackTrace,
    StackFrame,
    FrameKind,
    ThreadState,
    ExecutionMode,
    Label,
    Description,
    Category,
    Content,
    Timestamp,
    Timespan,
    DataAmount,
    Percentage,
    MemoryAddress,
    Unsigned,
}

/// Ids of plain types and annotations begin here; events have the ids before.
const FIRST_PLAIN_ID: u64 = FIRST_TYPE_ID + 1_000;
/// Ids of types that have a constant pool begin here.
const FIRST_POOLED_ID: u64 = 2 * FIRST_TYPE_ID;
/// Room for the pooled types of one chunk.
const POOLED_IDS_PER_CHUNK: u64 = 64;
/// Chunks whose pooled types can be told apart: the largest power of two that keeps every id
/// below 2^31, since some readers hold type ids in an `int`.
const POOLED_ID_RANGES: u64 = 1 << 24;

/// The type ids of one chunk.
///
/// Those of events, plain types and annotations are the same in every chunk. Those of types with a
/// constant pool differ from one chunk to the next: the JDK's reader (17 and later) keeps the pool
/// of the chunk before and answers from there when the same type id and key come again, and our
/// keys begin at 1 in each chunk, which keeps them, and so the events, short.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TypeIds {
    first_pooled: u64,
}

impl TypeIds {
    /// Ids for the chunk with this number.
    pub(crate) const fn of_chunk(serial: u64) -> Self {
        Self {
            first_pooled: FIRST_POOLED_ID + serial % POOLED_ID_RANGES * POOLED_IDS_PER_CHUNK,
        }
    }

    pub(crate) const fn id(self, ty: Type) -> u64 {
        let base = if ty.has_pool() {
            self.first_pooled
        } else {
            FIRST_PLAIN_ID
        };
        base + ty as u64
    }
}

impl Type {
    /// Whether fields of the type hold a key into the type's constant pool.
    pub(crate) const fn has_pool(self) -> bool {
        matches!(
            self,
            Self::Thread
                | Self::ThreadGroup
                | Self::Class
                | Self::ClassLoader
                | Self::Package
                | Self::Symbol
                | Self::Method
                | Self::StackTrace
                | Self::FrameKind
                | Self::ThreadState
                | Self::ExecutionMode
        )
    }
}

/// A field of a [`Structure`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Member {
    pub(crate) name: &'static str,
    pub(crate) label: Option<&'static str>,
    pub(crate) ty: Type,
    pub(crate) array: bool,
}

impl Member {
    pub(crate) const fn new(name: &'static str, label: &'static str, ty: Type) -> Self {
        Self {
            name,
            label: Some(label),
            ty,
            array: false,
        }
    }

    pub(crate) const fn array(self) -> Self {
        Self {
            array: true,
            ..self
        }
    }
}

/// The definition of a type that is no event.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Structure {
    pub(crate) ty: Type,
    pub(crate) name: &'static str,
    pub(crate) label: Option<&'static str>,
    /// A struct of one field that readers show as that field.
    pub(crate) simple: bool,
    pub(crate) annotation: bool,
    /// An annotation that says what kind of quantity a field holds.
    pub(crate) content_type: bool,
    pub(crate) members: &'static [Member],
}

impl Structure {
    pub(crate) const fn plain(ty: Type, name: &'static str) -> Self {
        Self {
            ty,
            name,
            label: None,
            simple: false,
            annotation: false,
            content_type: false,
            members: &[],
        }
    }

    pub(crate) const fn new(
        ty: Type,
        name: &'static str,
        label: &'static str,
        members: &'static [Member],
    ) -> Self {
        Self {
            label: Some(label),
            members,
            ..Self::plain(ty, name)
        }
    }

    pub(crate) const fn simple(
        ty: Type,
        name: &'static str,
        label: &'static str,
        members: &'static [Member],
    ) -> Self {
        Self {
            simple: true,
            ..Self::new(ty, name, label, members)
        }
    }

    const fn annotation(ty: Type, name: &'static str, members: &'static [Member]) -> Self {
        Self {
            annotation: true,
            members,
            ..Self::plain(ty, name)
        }
    }

    const fn content(
        ty: Type,
        name: &'static str,
        label: &'static str,
        members: &'static [Member],
    ) -> Self {
        Self {
            label: Some(label),
            content_type: true,
            ..Self::annotation(ty, name, members)
        }
    }
}

const TEXT_VALUE: Member = Member {
    name: "value",
    label: None,
    ty: Type::String,
    array: false,
};

/// The types that every chunk defines beside the structures of its pools. `short` is in no field:
/// strict readers refuse a chunk that does not define it.
pub(crate) const BASIC_TYPES: &[Structure] = &[
    Structure::plain(Type::Boolean, "boolean"),
    Structure::plain(Type::Short, "short"),
    Structure::plain(Type::Int, "int"),
    Structure::plain(Type::Long, "long"),
    Structure::plain(Type::Float, "float"),
    Structure::plain(Type::String, "java.lang.String"),
    Structure::annotation(Type::Label, "jdk.jfr.Label", &[TEXT_VALUE]),
    Structure::annotation(Type::Description, "jdk.jfr.Description", &[TEXT_VALUE]),
    Structure::annotation(Type::Category, "jdk.jfr.Category", &[TEXT_VALUE.array()]),
    Structure::annotation(Type::Content, "jdk.jfr.ContentType", &[]),
    Structure::content(
        Type::Timestamp,
        "jdk.jfr.Timestamp",
        "Timestamp",
        &[TEXT_VALUE],
    ),
    Structure::content(
        Type::Timespan,
        "jdk.jfr.Timespan",
        "Timespan",
        &[TEXT_VALUE],
    ),
    Structure::content(
        Type::DataAmount,
        "jdk.jfr.DataAmount",
        "Data Amount",
        &[TEXT_VALUE],
    ),
    Structure::content(Type::Percentage, "jdk.jfr.Percentage", "Percentage", &[]),
    Structure::content(
        Type::MemoryAddress,
        "jdk.jfr.MemoryAddress",
        "Memory Address",
        &[],
    ),
    Structure::content(Type::Unsigned, "jdk.jfr.Unsigned", "Unsigned Value", &[]),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbouring_chunks_share_no_pooled_id() {
        let (one, next) = (TypeIds::of_chunk(7), TypeIds::of_chunk(8));
        assert!(one.id(Type::Unsigned) - FIRST_PLAIN_ID < POOLED_IDS_PER_CHUNK);
        assert_eq!(
            next.id(Type::Symbol) - one.id(Type::Symbol),
            POOLED_IDS_PER_CHUNK
        );
        assert_eq!(one.id(Type::Long), next.id(Type::Long));
    }

    #[test]
    fn ids_fit_into_an_int_for_any_chunk() {
        let largest = TypeIds::of_chunk(POOLED_ID_RANGES - 1).id(Type::ExecutionMode);
        assert!(largest < i32::MAX as u64, "{largest}");
        assert_eq!(
            TypeIds::of_chunk(POOLED_ID_RANGES).id(Type::Thread),
            TypeIds::of_chunk(0).id(Type::Thread),
        );
    }
}
