//! Classes, and the packages and loaders that they point to.

use crate::encode::{put_int, put_long};
use crate::metadata::{Member, Structure, Type};

/// A class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClassRef<'a> {
    /// Its name as the class file has it: `java/lang/String`, `[I`. The package is derived from it. Only an array's
    /// may begin with a bracket: Mission Control fails on others.
    pub name: &'a str,
    /// Access flags of the class file.
    pub modifiers: u32,
}

pub(crate) const PACKAGE: Structure = Structure::new(
    Type::Package,
    "jdk.types.Package",
    "Package",
    &[Member::new("name", "Name", Type::Symbol)],
);

pub(crate) const CLASS_LOADER: Structure = Structure::new(
    Type::ClassLoader,
    "jdk.types.ClassLoader",
    "Java Class Loader",
    &[
        Member::new("type", "Type", Type::Class),
        Member::new("name", "Name", Type::Symbol),
    ],
);

pub(crate) const CLASS: Structure = Structure::new(
    Type::Class,
    "java.lang.Class",
    "Java Class",
    &[
        Member::new("classLoader", "Class Loader", Type::ClassLoader),
        Member::new("name", "Name", Type::Symbol),
        Member::new("package", "Package", Type::Package),
        Member::new("modifiers", "Access Modifiers", Type::Int),
    ],
);

/// Keys into the other pools; 0: none.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ClassKeys {
    pub(crate) class_loader: u32,
    pub(crate) name: u32,
    pub(crate) package: u32,
}

pub(crate) fn put_class(out: &mut Vec<u8>, keys: ClassKeys, modifiers: u32) {
    put_long(out, keys.class_loader.into());
    put_long(out, keys.name.into());
    put_long(out, keys.package.into());
    put_int(out, modifiers as i32);
}

pub(crate) fn put_package(out: &mut Vec<u8>, name: u32) {
    put_long(out, name.into());
}

pub(crate) fn put_class_loader(out: &mut Vec<u8>, class: u32, name: u32) {
    put_long(out, class.into());
    put_long(out, name.into());
}

/// The package in a class's name: of an array, that of its elements. `None`: no package.
pub(crate) fn package_of(class: &str) -> Option<&str> {
    let element = class.trim_start_matches('[');
    let element = match element.strip_prefix('L') {
        Some(reference) if element.len() < class.len() => reference,
        _ => element,
    };
    let (path, last) = element.rsplit_once('/')?;
    // Hidden classes end in "/0x…" or "/" and digits, which no class or package can begin with.
    let name_is_suffix = last.starts_with(|first: char| first.is_ascii_digit());
    let package = if name_is_suffix {
        path.rsplit_once('/')?.0
    } else {
        path
    };
    (!package.is_empty()).then_some(package)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_are_what_stands_before_the_last_slash() {
        assert_eq!(package_of("java/lang/String"), Some("java/lang"));
        assert_eq!(package_of("java/util/Map$Entry"), Some("java/util"));
        assert_eq!(package_of("Main"), None);
        assert_eq!(package_of(""), None);
        assert_eq!(package_of("/x"), None);
        assert_eq!(package_of("Lib/Book"), Some("Lib"));
    }

    #[test]
    fn arrays_are_in_the_package_of_their_elements() {
        assert_eq!(package_of("[Ljava/lang/String;"), Some("java/lang"));
        assert_eq!(package_of("[[[Ljava/util/Map$Entry;"), Some("java/util"));
        assert_eq!(package_of("[[I"), None);
        assert_eq!(package_of("[LMain;"), None);
    }

    #[test]
    fn suffixes_of_hidden_classes_are_no_part_of_the_package() {
        assert_eq!(
            package_of("com/shop/Cart$$Lambda$14/0x0000000800c03000"),
            Some("com/shop")
        );
        assert_eq!(
            package_of("com/shop/Cart$$Lambda$1/834600351"),
            Some("com/shop")
        );
        assert_eq!(
            package_of("com/shop/Cart$$Lambda+0x00007f1c"),
            Some("com/shop")
        );
        assert_eq!(package_of("Cart$$Lambda$1/834600351"), None);
    }
}
