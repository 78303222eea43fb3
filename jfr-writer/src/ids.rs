//! Ids of constant-pool entries: one type per pool, so that they cannot be mixed up.

/// Which chunk an id belongs to. Kept only where debug assertions are on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct ChunkTag(
    #[cfg(debug_assertions)] pub(crate) u64,
    #[cfg(not(debug_assertions))] (),
);

impl ChunkTag {
    const ANY: Self = Self::new(0);

    /// `serial` numbers the chunks of this process; 0 fits every chunk.
    #[cfg_attr(not(debug_assertions), expect(unused_variables))]
    pub(crate) const fn new(serial: u64) -> Self {
        #[cfg(debug_assertions)]
        {
            Self(serial)
        }
        #[cfg(not(debug_assertions))]
        {
            Self(())
        }
    }

    pub(crate) fn fits(self, chunk: Self) -> bool {
        self == chunk || self == Self::ANY
    }
}

macro_rules! pool_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        ///
        /// Belongs to the chunk whose writer gave it out; debug builds panic when it is used in
        /// another one.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub struct $name {
            index: u32,
            chunk: ChunkTag,
        }

        impl $name {
            /// Refers to nothing: readers show no value. Fits every chunk.
            pub const NULL: Self = Self { index: 0, chunk: ChunkTag::ANY };

            pub(crate) const fn new(index: u32, chunk: ChunkTag) -> Self {
                Self { index, chunk }
            }

            /// The key in the pool, as it stands in the file.
            pub(crate) fn index(self, chunk: ChunkTag) -> u32 {
                debug_assert!(self.chunk.fits(chunk), "{self:?} was used in another chunk");
                self.index
            }
        }

        impl Default for $name {
            fn default() -> Self {
                Self::NULL
            }
        }
    };
}

pool_id! {
    /// A symbol (a text that is shared) in the constant pool.
    SymbolId
}
pool_id! {
    /// A class in the constant pool.
    ClassId
}
pool_id! {
    /// A method in the constant pool.
    MethodId
}
pool_id! {
    /// A stack trace in the constant pool.
    StackTraceId
}
pool_id! {
    /// A thread in the constant pool.
    ThreadId
}
