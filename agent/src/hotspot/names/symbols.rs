//! The JVM's symbols: decoding them, and telling true ones from what stray memory holds.
//!
//! Grammar and encoding: the Java Virtual Machine Specification, sections 4.2 to 4.4.

/// Symbols are in the class file's UTF-8: zero is two bytes, and characters beyond the first plane are surrogate pairs.
pub(crate) fn text(symbol: &[u8]) -> String {
    simd_cesu8::mutf8::decode_lossy(symbol).into_owned()
}

/// Whether bytes can be the class file's UTF-8 at all (Java Virtual Machine Specification, 4.4.7).
fn is_utf8(symbol: &[u8]) -> bool {
    !symbol.is_empty() && symbol.iter().all(|&byte| byte != 0 && byte < 0xF0)
}

/// A class's name in its internal form; a hidden class's has a plus and more in it. No array's.
pub(crate) fn is_class_name(symbol: &[u8]) -> bool {
    is_utf8(symbol) && !symbol.iter().any(|byte| b";[".contains(byte))
}

/// An unqualified name (4.2.2), or one of the two with angle brackets.
pub(crate) fn is_method_name(symbol: &[u8]) -> bool {
    is_utf8(symbol) && !symbol.iter().any(|byte| b".;[/".contains(byte))
}

/// A method descriptor (4.3.3).
pub(crate) fn is_method_descriptor(symbol: &[u8]) -> bool {
    let Some(mut rest) = symbol.strip_prefix(b"(") else {
        return false;
    };
    loop {
        if let Some(result) = rest.strip_prefix(b")") {
            return result == b"V"
                || after_field_descriptor(result).is_some_and(|end| end.is_empty());
        }
        match after_field_descriptor(rest) {
            Some(after) => rest = after,
            None => return false,
        }
    }
}

/// The descriptor of an array (4.3.2), which is the name of its class.
pub(crate) fn is_array_descriptor(symbol: &[u8]) -> bool {
    symbol.starts_with(b"[") && after_field_descriptor(symbol).is_some_and(<[u8]>::is_empty)
}

/// What follows a field descriptor (4.3.2).
fn after_field_descriptor(symbol: &[u8]) -> Option<&[u8]> {
    let dimensions = symbol.iter().take_while(|&&byte| byte == b'[').count();
    match symbol[dimensions..].split_first()? {
        (b'B' | b'C' | b'D' | b'F' | b'I' | b'J' | b'S' | b'Z', rest) => Some(rest),
        (b'L', rest) => {
            let end = rest.iter().position(|&byte| byte == b';')?;
            is_class_name(&rest[..end]).then(|| &rest[end + 1..])
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptors_are_told_from_garbage() {
        for good in [
            "()V",
            "(Ljava/lang/Object;)Z",
            "(I[[JLa/B;D)[Ljava/lang/String;",
            "([[[[I)J",
        ] {
            assert!(is_method_descriptor(good.as_bytes()), "{good}");
        }
        for bad in [
            "", "()", "V", "(V)V", "(L;)V", "(I", "()VV", "()Lx", "(Q)V", "()[", "([)V", "(\0)V",
            "()[V",
        ] {
            assert!(!is_method_descriptor(bad.as_bytes()), "{bad}");
        }
    }

    #[test]
    fn names_are_what_the_class_file_allows() {
        for good in ["a", "<init>", "with blank", "größe", "lambda$main$0"] {
            assert!(is_method_name(good.as_bytes()), "{good}");
        }
        for bad in [
            &b""[..],
            b"a.b",
            b"a/b",
            b"a;",
            b"[a",
            b"a\0",
            b"\xF0\x9F\x98\x80",
        ] {
            assert!(!is_method_name(bad), "{bad:?}");
        }
        assert!(is_class_name(
            b"java/lang/invoke/LambdaForm$MH+0x00007f0001234000"
        ));
        assert!(!is_class_name(b"[I") && !is_class_name(b"La/B;"));
        assert!(is_array_descriptor(b"[[I") && is_array_descriptor(b"[La/B;"));
        for bad in [&b"I"[..], b"[", b"[V", b"[II", b"[La/B", b"La/B;"] {
            assert!(!is_array_descriptor(bad), "{bad:?}");
        }
    }

    #[test]
    fn symbols_come_out_in_the_usual_encoding() {
        assert_eq!(
            text(b"na\xC3\xAFve\xC0\x80\xED\xA0\xBD\xED\xB8\x80"),
            "naïve\0😀"
        );
        // Half of a pair is legal in a class file.
        assert_eq!(text(b"a\xED\xA0\xBDb"), "a\u{FFFD}\u{FFFD}\u{FFFD}b");
    }
}
