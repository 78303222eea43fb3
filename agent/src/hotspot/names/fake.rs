//! Methods in memory of our own, laid out as no JVM does it, for tests that want to change them.

use super::layout::Layout;
use super::{MethodResolver, SafeReader, TAG_UTF8};
use crate::hotspot::line_numbers::Unsigned5;

const LAYOUT: Layout = Layout {
    method_size: 32,
    method_const_method: 8,
    method_access_flags: 16,
    access_flags_size: 4,
    method_code: 24,
    const_method_size: 24,
    const_method_constants: 0,
    const_method_words: 8,
    const_method_flags: 12,
    const_method_flags_size: 4,
    has_line_numbers: 1,
    const_method_code_size: 16,
    const_method_name_index: 18,
    const_method_signature_index: 20,
    pool_size: 24,
    pool_tags: 0,
    pool_length: 8,
    pool_holder: 16,
    tags_length: 0,
    tags_data: 4,
    klass_name: 16,
    symbol_length: 0,
    symbol_length_shift: 0,
    symbol_length_size: 2,
    symbol_body: 2,
    numbers: Unsigned5::WithoutZeros,
};

/// Places in the memory, in words.
const METHOD: usize = 0;
const CONST_METHOD: usize = 8;
const POOL: usize = 24;
const TAGS: usize = 32;
const KLASS: usize = 36;
const SYMBOLS: [usize; 3] = [40, 56, 72];
const WORDS: usize = 88;

/// A method that names itself as it is told.
pub(crate) struct FakeMethod {
    memory: Box<[u64; WORDS]>,
}

/// What there is to change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Told<'a> {
    pub(crate) class_name: &'a str,
    pub(crate) name: &'a str,
    /// The line of the first bytecode, 1 to 7.
    pub(crate) line: u8,
}

impl FakeMethod {
    pub(crate) fn resolver() -> MethodResolver {
        MethodResolver {
            reader: SafeReader::new().expect("own memory can be read"),
            layout: LAYOUT,
            classes_loaded: None,
            raw_names: false,
        }
    }

    pub(crate) fn new(told: Told<'_>) -> FakeMethod {
        let mut method = FakeMethod {
            memory: Box::new([0; WORDS]),
        };
        method.tell(told);
        method
    }

    pub(crate) fn address(&self) -> usize {
        // The kernel reads it, of which the compiler does not know.
        std::hint::black_box(self.memory.as_ptr()) as usize
    }

    fn place(&self, word: usize) -> u64 {
        (self.address() + word * 8) as u64
    }

    /// Another method comes to lie in its place, or the same one with another text.
    pub(crate) fn tell(&mut self, told: Told<'_>) {
        self.memory.fill(0);
        self.memory[METHOD + 1] = self.place(CONST_METHOD);
        self.memory[METHOD + 2] = 1;
        self.memory[CONST_METHOD] = self.place(POOL);
        let words_and_flags = 8 | 1 << 32;
        self.memory[CONST_METHOD + 1] = words_and_flags;
        let code_bytes = 8;
        let (name_index, signature_index) = (1, 2);
        self.memory[CONST_METHOD + 2] = code_bytes | name_index << 16 | signature_index << 32;
        // Behind the bytecodes: one entry, then the end of the table.
        self.memory[CONST_METHOD + 4] = u64::from(told.line);
        self.memory[POOL] = self.place(TAGS);
        self.memory[POOL + 1] = 3;
        self.memory[POOL + 2] = self.place(KLASS);
        self.memory[POOL + 4] = self.place(SYMBOLS[1]);
        self.memory[POOL + 5] = self.place(SYMBOLS[2]);
        let tag = u64::from(TAG_UTF8);
        self.memory[TAGS] = 3 | tag << 40 | tag << 48;
        self.memory[KLASS + 2] = self.place(SYMBOLS[0]);
        for (place, text) in SYMBOLS.into_iter().zip([told.class_name, told.name, "()V"]) {
            let mut bytes = (text.len() as u16).to_le_bytes().to_vec();
            bytes.extend(text.as_bytes());
            for (word, piece) in self.memory[place..].iter_mut().zip(bytes.chunks(8)) {
                let mut padded = [0; 8];
                padded[..piece.len()].copy_from_slice(piece);
                *word = u64::from_le_bytes(padded);
            }
        }
    }

    /// The method is freed, and its memory overwritten.
    pub(crate) fn free(&mut self) {
        self.memory.fill(0xdead_beef_dead_beef);
        self.address();
    }

    pub(crate) fn compile(&mut self) {
        self.memory[METHOD + 3] = 1;
        self.address();
    }

    /// Its class becomes another one of the same name.
    pub(crate) fn change_class(&mut self) {
        self.memory[KLASS] = self.memory[KLASS + 2];
        self.memory[KLASS + 1] = self.memory[KLASS + 2];
        self.memory[POOL + 2] = self.place(KLASS) - 8;
        self.address();
    }
}

#[cfg(test)]
mod tests {
    use super::super::ResolveError;
    use super::*;

    const TOLD: Told<'_> = Told {
        class_name: "shop/Cart$$Lambda$7",
        name: "run",
        line: 5,
    };

    #[test]
    fn a_method_is_described() {
        let resolver = FakeMethod::resolver();
        let mut method = FakeMethod::new(TOLD);
        let address = method.address() as u64;
        let found = resolver.describe_method(address).unwrap();
        assert_eq!(
            (&*found.class_name, &*found.name, &*found.descriptor),
            ("shop/Cart$$Lambda", "run", "()V")
        );
        assert_eq!((found.modifiers, found.is_native), (1, false));
        assert_eq!(found.line(0), Some(5));
        assert!(!found.has_compiled_code);
        assert_eq!(resolver.has_compiled_code(address), Some(false));
        method.compile();
        assert_eq!(resolver.has_compiled_code(address), Some(true));
        let raw = resolver.with_raw_names(true).describe_method(address);
        assert_eq!(raw.unwrap().class_name, TOLD.class_name);
    }

    #[test]
    fn a_footprint_tells_whatever_is_another_method() {
        let resolver = FakeMethod::resolver();
        let mut method = FakeMethod::new(TOLD);
        let address = method.address() as u64;
        let footprint = resolver.describe_method(address).unwrap().footprint;
        assert!(resolver.still_is(address, &footprint));
        method.compile();
        assert!(
            resolver.still_is(address, &footprint),
            "it is only compiled"
        );
        for other in [
            Told {
                class_name: "shop/Cart$$Lambda$8",
                ..TOLD
            },
            Told {
                name: "ran",
                ..TOLD
            },
            Told {
                name: "runs",
                ..TOLD
            },
            Told { line: 6, ..TOLD },
        ] {
            method.tell(other);
            assert!(!resolver.still_is(address, &footprint), "{other:?}");
        }
        method.tell(TOLD);
        assert!(resolver.still_is(address, &footprint));
        method.change_class();
        assert!(resolver.describe_method(address).is_ok());
        assert!(!resolver.still_is(address, &footprint), "another class");
        method.free();
        assert!(!resolver.still_is(address, &footprint));
        assert_eq!(
            resolver.describe_method(address),
            Err(ResolveError::BadConstMethod)
        );
    }

    #[test]
    fn no_address_is_more_than_an_error() {
        let resolver = FakeMethod::resolver();
        let footprint = {
            let method = FakeMethod::new(TOLD);
            resolver
                .describe_method(method.address() as u64)
                .unwrap()
                .footprint
        };
        for (address, reason) in [
            (0, ResolveError::MalformedMethod),
            (55, ResolveError::MalformedMethod),
            (u64::MAX, ResolveError::MalformedMethod),
            (0x7777_7777_7778, ResolveError::UnreadableMethod),
        ] {
            assert_eq!(
                resolver.describe_method(address),
                Err(reason),
                "{address:#x}"
            );
            assert_eq!(resolver.has_compiled_code(address), None);
            assert!(!resolver.still_is(address, &footprint));
        }
    }
}
