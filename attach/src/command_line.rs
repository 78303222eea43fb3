//! What a JVM's command line and environment say: its main class or jar, and flags that rule attaching out.

use std::path::Path;

/// Options of the JDK's launcher whose value is the next word (`java --help`).
const WITH_VALUE: &[&str] = &[
    "-cp",
    "-classpath",
    "--class-path",
    "-p",
    "--module-path",
    "--upgrade-module-path",
    "--add-modules",
    "--limit-modules",
    "--add-exports",
    "--add-opens",
    "--add-reads",
    "--patch-module",
    "--enable-native-access",
    "--source",
];

/// The words of `/proc/PID/cmdline` or the variables of `/proc/PID/environ`.
pub(crate) fn words(bytes: &[u8]) -> Vec<String> {
    let bytes = bytes.strip_suffix(&[0]).unwrap_or(bytes);
    let words = bytes.split(|&byte| byte == 0);
    words
        .map(|word| String::from_utf8_lossy(word).into_owned())
        .collect()
}

/// How `java` was called.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct CommandLine<'w> {
    /// The arguments before the main class.
    options: &'w [String],
    /// The main class or the jar as it was given; none if a file holds it.
    main: Option<&'w str>,
}

impl<'w> CommandLine<'w> {
    /// Reads the words of a call of the JDK's launcher.
    pub(crate) fn parse(words: &'w [String]) -> CommandLine<'w> {
        let words = words.get(1..).unwrap_or_default();
        let mut next = 0;
        while let Some(word) = words.get(next) {
            let options = &words[..next];
            match word.as_str() {
                "-jar" | "-m" | "--module" => {
                    let main = words.get(next + 1).map(String::as_str);
                    return CommandLine { options, main };
                }
                word if WITH_VALUE.contains(&word) => next += 2,
                // A file of arguments: what follows may be the application's already.
                word if word.starts_with('@') => {
                    return CommandLine {
                        options,
                        main: None,
                    };
                }
                word if word.starts_with('-') => {
                    if let Some(module) = word.strip_prefix("--module=") {
                        let main = Some(module);
                        return CommandLine { options, main };
                    }
                    next += 1;
                }
                word => {
                    let main = Some(word);
                    return CommandLine { options, main };
                }
            }
        }
        CommandLine {
            options: words,
            main: None,
        }
    }

    /// The main class or jar as `jps` shows it.
    pub(crate) fn name(&self) -> Option<String> {
        self.main.map(short_name)
    }
}

/// A main class without its package and module, a jar without its folders.
pub(crate) fn short_name(main: &str) -> String {
    let file = Path::new(main).file_name().and_then(|name| name.to_str());
    let file = file.unwrap_or(main);
    match file.rsplit_once('.') {
        Some((_, "jar")) | None => file.to_owned(),
        Some((_, class)) => class.to_owned(),
    }
}

/// What the JVM's performance counters hold in `sun.rt.javaCommand`: the main class or jar, and arguments.
pub(crate) fn name_of_command(command: &str) -> Option<String> {
    let main = command.split_whitespace().next()?;
    Some(short_name(main))
}

/// Flags that matter to one who attaches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Flags {
    /// `-Xrs`: no handler for SIGQUIT, and the attach socket from the start.
    pub(crate) reduced_signals: bool,
    /// `-XX:+DisableAttachMechanism`.
    pub(crate) attach_disabled: bool,
}

impl Flags {
    /// The flags on the command line and in the variables that the JVM reads. Files of arguments are not looked into.
    pub(crate) fn of(command_line: &CommandLine<'_>, environment: &[String]) -> Flags {
        let variable = |name: &str| {
            let value = |entry: &String| {
                let (key, value) = entry.split_once('=')?;
                (key == name).then(|| value.to_owned())
            };
            environment.iter().find_map(value).unwrap_or_default()
        };
        // In the order in which the JVM lets the later win.
        let (tool, launcher) = (variable("JAVA_TOOL_OPTIONS"), variable("JDK_JAVA_OPTIONS"));
        let last = variable("_JAVA_OPTIONS");
        let options = tool
            .split_whitespace()
            .chain(launcher.split_whitespace())
            .chain(command_line.options.iter().map(String::as_str))
            .chain(last.split_whitespace());
        let mut flags = Flags::default();
        for option in options {
            match option {
                "-Xrs" | "-XX:+ReduceSignalUsage" => flags.reduced_signals = true,
                "-XX:-ReduceSignalUsage" => flags.reduced_signals = false,
                "-XX:+DisableAttachMechanism" => flags.attach_disabled = true,
                "-XX:-DisableAttachMechanism" => flags.attach_disabled = false,
                _ => {}
            }
        }
        flags
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(line: &str) -> Vec<String> {
        words(line.replace(' ', "\0").as_bytes())
    }

    #[test]
    fn the_main_class_or_jar_as_jps_shows_it() {
        for (line, name) in [
            ("java Shop", Some("Shop")),
            ("java com.example.Shop -jar x.jar", Some("Shop")),
            ("java -cp a:b.jar com.example.Shop", Some("Shop")),
            (
                "java -Xmx1g --class-path a -Da=b com.example.Shop",
                Some("Shop"),
            ),
            (
                "java -jar /opt/shop/shop-1.2.jar --port 1",
                Some("shop-1.2.jar"),
            ),
            ("java -Xrs -jar app.jar", Some("app.jar")),
            ("java -jar app", Some("app")),
            ("java -p mods -m shop/com.example.Shop x", Some("Shop")),
            ("java --module=shop/com.example.Shop", Some("Shop")),
            (
                "java --add-opens java.base/java.lang=ALL-UNNAMED a.B",
                Some("B"),
            ),
            (
                "java --add-opens=java.base/java.lang=ALL-UNNAMED a.B",
                Some("B"),
            ),
            ("java --source 17 /tmp/Hello.java", Some("java")),
            ("java @arguments a.B", None),
            ("java -cp", None),
            ("java -jar", None),
            ("java", None),
            ("", None),
        ] {
            let words = split(line);
            let found = CommandLine::parse(&words).name();
            assert_eq!(found.as_deref(), name, "{line}");
        }
    }

    #[test]
    fn the_main_class_of_the_jvms_own_record() {
        for (command, name) in [
            ("com.example.Shop 8080", Some("Shop")),
            ("/opt/shop/app.jar", Some("app.jar")),
            ("shop/com.example.Shop", Some("Shop")),
            ("", None),
        ] {
            assert_eq!(name_of_command(command).as_deref(), name, "{command}");
        }
    }

    #[test]
    fn flags_count_before_the_main_class_only() {
        for (line, reduced_signals, attach_disabled) in [
            ("java -Xrs a.B", true, false),
            ("java a.B -Xrs", false, false),
            ("java -XX:+DisableAttachMechanism -jar b.jar", false, true),
            (
                "java -XX:+DisableAttachMechanism -XX:-DisableAttachMechanism B",
                false,
                false,
            ),
            ("java -Xrs @more -XX:+DisableAttachMechanism", true, false),
        ] {
            let words = split(line);
            let found = Flags::of(&CommandLine::parse(&words), &[]);
            let expected = Flags {
                reduced_signals,
                attach_disabled,
            };
            assert_eq!(found, expected, "{line}");
        }
    }

    #[test]
    fn flags_in_the_environment() {
        let words = split("java -XX:-DisableAttachMechanism a.B");
        let line = CommandLine::parse(&words);
        let flags = |variable: &str| Flags::of(&line, &[String::from("A=b"), variable.to_owned()]);
        assert!(!flags("JAVA_TOOL_OPTIONS=-XX:+DisableAttachMechanism").attach_disabled);
        assert!(flags("_JAVA_OPTIONS=-Da=b -XX:+DisableAttachMechanism").attach_disabled);
        assert!(flags("JDK_JAVA_OPTIONS=-Xrs").reduced_signals);
        assert_eq!(flags("JAVA_TOOL_OPTIONS_OLD=-Xrs"), Flags::default());
    }

    #[test]
    fn words_keep_empty_ones() {
        assert_eq!(words(b"a\0\0b\0"), ["a", "", "b"]);
        assert_eq!(words(b"a b"), ["a b"]);
    }
}
