//! The classes of sampled objects, by numbers that fit into a record.

use std::sync::{Arc, Mutex, PoisonError};

use rustc_hash::FxHashMap;

/// Names that are kept; a program that makes ever more classes has the rest under one name.
const MOST: usize = 1 << 16;
const OTHERS: &str = "[other_classes]";

/// Names that were met, each once.
#[derive(Debug, Default)]
pub(crate) struct Classes {
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    numbers: FxHashMap<Arc<str>, u32>,
    names: Vec<Arc<str>>,
}

impl Classes {
    /// The number of a class.
    pub(crate) fn number(&self, name: &str) -> u32 {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let name = if known.names.len() < MOST || known.numbers.contains_key(name) {
            name
        } else {
            OTHERS
        };
        if let Some(&number) = known.numbers.get(name) {
            return number;
        }
        let number = u32::try_from(known.names.len()).unwrap_or(u32::MAX);
        let name: Arc<str> = name.into();
        known.names.push(Arc::clone(&name));
        known.numbers.insert(name, number);
        number
    }

    /// The name of a number that was given out.
    pub(crate) fn name(&self, number: u32) -> Arc<str> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let name = known.names.get(number as usize);
        name.map_or_else(|| OTHERS.into(), Arc::clone)
    }
}

/// The name of a class as the JFR has it, from a field descriptor (`Ljava/lang/String;`, `[I`).
pub(crate) fn name_of_signature(signature: &str) -> &str {
    signature
        .strip_prefix('L')
        .and_then(|name| name.strip_suffix(';'))
        .unwrap_or(signature)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_has_one_number_and_there_is_an_end_to_them() {
        let classes = Classes::default();
        let first = classes.number("a/B");
        assert_eq!(classes.number("a/B"), first);
        assert_eq!(&*classes.name(first), "a/B");
        for number in 0..MOST {
            classes.number(&number.to_string());
        }
        let beyond = classes.number("one more");
        assert_eq!(&*classes.name(beyond), OTHERS);
        assert_eq!(classes.number("and one more"), beyond);
        assert_eq!(&*classes.name(u32::MAX), OTHERS);
        assert_eq!(classes.number("a/B"), first);
    }

    #[test]
    fn arrays_keep_their_descriptors() {
        assert_eq!(name_of_signature("Ljava/lang/String;"), "java/lang/String");
        assert_eq!(name_of_signature("[I"), "[I");
        assert_eq!(
            name_of_signature("[Ljava/lang/String;"),
            "[Ljava/lang/String;"
        );
    }
}
