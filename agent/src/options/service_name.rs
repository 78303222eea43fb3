//! The service's name when nobody gives one: what `jps` shows for the process.

/// Name of a JVM that has no command of its own: one that another program has created.
const NAMELESS: &str = "java";

/// The default service name, from the JVM's `sun.java.command`: main class and arguments.
///
/// As `jps` does it: what stands before the first blank, without the folders or the module before the last slash; of a
/// class only what follows the last dot, of a jar the file's name with its `.jar`. An empty command gives `java`.
///
/// | command | name |
/// | --- | --- |
/// | `com.example.Shop --port 80` | `Shop` |
/// | `/opt/shop/app.jar` | `app.jar` |
/// | `shop/com.example.Shop` | `Shop` |
pub fn default_service_name(java_command: &str) -> &str {
    let command = java_command.trim_start();
    let first = command.split(' ').next().unwrap_or_default();
    let file = match first.rfind(['/', '\\']) {
        Some(at) if at > 0 => &first[at + 1..],
        _ => first,
    };
    let name = match file.rfind('.') {
        Some(at) if at > 0 && &file[at + 1..] != "jar" => &file[at + 1..],
        _ => file,
    };
    let name = name.trim();
    if name.is_empty() { NAMELESS } else { name }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn as_jps_shows_it() {
        for (command, expected) in [
            ("com.example.Shop --port 80", "Shop"),
            ("Shop", "Shop"),
            ("com.example.Shop$Main", "Shop$Main"),
            ("app.jar", "app.jar"),
            ("/opt/shop/app.jar --port 80", "app.jar"),
            ("./app-1.2.3.jar", "app-1.2.3.jar"),
            (r"C:\shop\app.jar", "app.jar"),
            ("shop/com.example.Shop x", "Shop"),
            ("shop.main/com.example.Shop", "Shop"),
            (
                "jdk.compiler/com.sun.tools.javac.launcher.Main Hello.java",
                "Main",
            ),
            ("com.example.jar.Shop", "Shop"),
            ("/app", "/app"),
            (".hidden", ".hidden"),
            ("", "java"),
            ("  ", "java"),
            ("a/", "java"),
            ("a.", "java"),
        ] {
            assert_eq!(default_service_name(command), expected, "{command:?}");
        }
    }

    proptest! {
        #[test]
        fn any_command_has_a_name(command in ".{0,40}") {
            prop_assert!(!default_service_name(&command).is_empty());
        }
    }
}
