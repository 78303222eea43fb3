//! Names of classes that the JVM makes while it runs, without what differs from one run to the next.
//!
//! As the JVM keeps them (8 and 11: `Foo$$Lambda$14`; 17: `Foo$$Lambda$14+0x0000000800c03000`; 21 and 25:
//! `Foo$$Lambda+0x…`) and as it shows them (`Foo$$Lambda$14/122883338`, `Foo$$Lambda/0x…`). What is cut off is a counter
//! or an address, which makes one method of the source many methods of the profile.

/// What follows the name of the class that a lambda stands in.
const LAMBDA: &str = "$$Lambda";

/// Classes that reflection generates, up to the number.
const GENERATED: [&str; 3] = [
    "/GeneratedMethodAccessor",
    "/GeneratedConstructorAccessor",
    "/GeneratedSerializationConstructorAccessor",
];

/// Packages that these are in: that of 8, and that of 9 and later.
const OF_REFLECTION: [&str; 2] = ["sun/reflect", "jdk/internal/reflect"];

/// The stable part of a class's name in its internal form; the whole name where all of it is stable.
pub fn readable(class_name: &str) -> &str {
    let name = without_hidden_suffix(class_name);
    without_lambda_number(name)
        .or_else(|| without_accessor_number(name))
        .unwrap_or(name)
}

/// Without the `+0x…` of a hidden class, and without what the JVM shows in its place.
fn without_hidden_suffix(name: &str) -> &str {
    // No symbol is put into a name by the JVM but at its end, so the last one counts.
    let Some(at) = name.rfind(['+', '/']) else {
        return name;
    };
    let (class, suffix) = (&name[..at], &name[at + 1..]);
    let is_suffix = match suffix.strip_prefix("0x") {
        Some(address) => is_all(address, |byte| byte.is_ascii_hexdigit()),
        // Elsewhere this is the name of a class, though none that a compiler gives.
        None => {
            name.as_bytes()[at] == b'/'
                && is_all(suffix, |byte| byte.is_ascii_digit())
                && (class.contains(LAMBDA) || class.contains("/LambdaForm$"))
        }
    };
    if is_suffix && !class.is_empty() {
        class
    } else {
        name
    }
}

/// `Foo$$Lambda$14` is `Foo$$Lambda`.
fn without_lambda_number(name: &str) -> Option<&str> {
    let (lambda, number) = name.rsplit_once('$')?;
    (lambda.ends_with(LAMBDA) && is_all(number, |byte| byte.is_ascii_digit())).then_some(lambda)
}

/// `…/GeneratedMethodAccessor12` is `…/GeneratedMethodAccessor`.
fn without_accessor_number(name: &str) -> Option<&str> {
    let accessor = name.trim_end_matches(|last: char| last.is_ascii_digit());
    let is_accessor = GENERATED.iter().any(|generated| {
        accessor
            .strip_suffix(generated)
            .is_some_and(|package| OF_REFLECTION.contains(&package))
    });
    is_accessor.then_some(accessor)
}

fn is_all(text: &str, is_one: impl Fn(u8) -> bool) -> bool {
    !text.is_empty() && text.bytes().all(is_one)
}

#[cfg(test)]
mod tests {
    use super::readable;

    #[test]
    fn what_differs_from_run_to_run_is_cut_off() {
        for (name, stable) in [
            // 8 and 11, as the JVM keeps and as it shows them.
            (
                "java/io/ObjectInputStream$$Lambda$9",
                "java/io/ObjectInputStream$$Lambda",
            ),
            (
                "java/io/ObjectInputStream$$Lambda$9/885284298",
                "java/io/ObjectInputStream$$Lambda",
            ),
            (
                "java/lang/reflect/Proxy$$Lambda$13/0x00000001000a3840",
                "java/lang/reflect/Proxy$$Lambda",
            ),
            (
                "java/lang/invoke/LambdaForm$MH/1096979270",
                "java/lang/invoke/LambdaForm$MH",
            ),
            // 17; the second is of an archive of classes.
            (
                "java/lang/Module$$Lambda$22+0x0000000800c03000",
                "java/lang/Module$$Lambda",
            ),
            (
                "java/util/stream/Collectors$$Lambda$31+0x800000042",
                "java/util/stream/Collectors$$Lambda",
            ),
            (
                "java/lang/invoke/LambdaForm$DMH+0x00007f9c3c001400",
                "java/lang/invoke/LambdaForm$DMH",
            ),
            // 21 and 25.
            ("Dump$$Lambda+0x00007f2d88003200", "Dump$$Lambda"),
            ("Dump$$Lambda/0x00007f2d88003200", "Dump$$Lambda"),
            (
                "java/lang/invoke/LambdaForm$MH+0x00007f2d88000400",
                "java/lang/invoke/LambdaForm$MH",
            ),
            // Whoever defines hidden classes.
            ("shop/Template+0x00007f2d88010000", "shop/Template"),
            ("shop/Template/0x0000000800c0ac00", "shop/Template"),
            // Reflection, up to 8 and later.
            (
                "sun/reflect/GeneratedMethodAccessor3",
                "sun/reflect/GeneratedMethodAccessor",
            ),
            (
                "jdk/internal/reflect/GeneratedMethodAccessor120",
                "jdk/internal/reflect/GeneratedMethodAccessor",
            ),
            (
                "jdk/internal/reflect/GeneratedConstructorAccessor1",
                "jdk/internal/reflect/GeneratedConstructorAccessor",
            ),
            (
                "jdk/internal/reflect/GeneratedSerializationConstructorAccessor2",
                "jdk/internal/reflect/GeneratedSerializationConstructorAccessor",
            ),
        ] {
            assert_eq!(readable(name), stable);
            assert_eq!(readable(stable), stable, "a stable name stays");
        }
    }

    #[test]
    fn other_names_stay() {
        for name in [
            "",
            "+0x12",
            "Main",
            "java/lang/String",
            "java/util/Map$Entry",
            "shop/Cart$1",
            "shop/Cart$$Lambda",
            "shop/Cart$$Lambda$x1",
            "shop/Cart$Lambda$1",
            "jdk/proxy2/$Proxy12",
            "com/sun/proxy/$Proxy0",
            "java/lang/invoke/BoundMethodHandle$Species_LL",
            "java/lang/invoke/LambdaForm$Name",
            "shop/GeneratedMethodAccessor3",
            "sun/reflect/GeneratedMethodAccessorFactory",
            "clojure/core$_PLUS_",
            "shop/a+b",
            "shop/Cart+0xyz",
            "shop/Cart+12",
            // What some obfuscators call their classes.
            "a/1",
            "a/b/0",
            "Größe𝒳",
        ] {
            assert_eq!(readable(name), name);
        }
    }
}
