//! What the JVM says of itself: name, version, arguments, start. JFR's `jdk.JVMInformation` holds the same.

use std::fs;

use super::memory::SafeReader;
use super::perf_data::PerfData;
use super::vm_structs::VmStructs;
use crate::host::procfs;

/// The longest single argument that is read, and the most of them.
const MAX_ARGUMENT_BYTES: usize = 1 << 20;
const MAX_ARGUMENTS: i32 = 1 << 16;

/// A JVM's description of itself. Arguments are whole, secrets included: mask before they leave the process.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct JvmInfo {
    /// `OpenJDK 64-Bit Server VM`; empty when unknown.
    pub name: String,
    /// The name with release, platform and build in one line; empty when unknown.
    pub version: String,
    /// The options that the JVM was given (`-Xmx1g -Dk=v …`), those of the environment included, with blanks between.
    pub jvm_arguments: String,
    /// The flags from a `.hotspotrc` file, which is empty nearly everywhere.
    pub jvm_flags: String,
    /// The main class or jar, and the program's arguments.
    pub java_arguments: String,
    /// When the JVM started, in milliseconds of Unix time.
    pub start_unix_millis: i64,
    /// The process id.
    pub pid: u32,
}

impl JvmInfo {
    /// Asks the JVM. Each part that it does not tell (before `VMInit` the start, with `-XX:-UsePerfData` for ever) comes
    /// from `/proc/self` instead: the start then to 10 ms.
    pub fn read(vm: &VmStructs, reader: &SafeReader) -> JvmInfo {
        let source = Source { vm, reader };
        let perf_data = PerfData::read(vm, reader).ok();
        let property = |name: &str| Some(perf_data.as_ref()?.text(name)?.to_owned());
        let fallback = JvmInfo::from_proc();

        let version = source
            .text("Abstract_VM_Version", "_s_internal_vm_info_string")
            .unwrap_or_default();
        // "OpenJDK 64-Bit Server VM (17.0.15+6) for linux-amd64 JRE (17.0.15+6), built on …"
        let name_in_version = version.find(" (").map(|end| version[..end].to_owned());
        let start = perf_data
            .as_ref()
            .and_then(|data| data.counter("sun.rt.createVmBeginTime")?.value(reader).ok())
            .filter(|&millis| millis > 0);
        JvmInfo {
            name: property("java.property.java.vm.name")
                .or(name_in_version)
                .unwrap_or_default(),
            jvm_arguments: source
                .arguments("_jvm_args_array", "_num_jvm_args")
                .unwrap_or(fallback.jvm_arguments),
            jvm_flags: source
                .arguments("_jvm_flags_array", "_num_jvm_flags")
                .unwrap_or_default(),
            java_arguments: source
                .text("Arguments", "_java_command")
                .unwrap_or(fallback.java_arguments),
            start_unix_millis: start.unwrap_or(fallback.start_unix_millis),
            pid: fallback.pid,
            version,
        }
    }

    /// What `/proc/self` tells without the JVM's help: the command line and the process's start. Options of the environment
    /// (`JAVA_TOOL_OPTIONS`) and of argument files are missing.
    pub fn from_proc() -> JvmInfo {
        let command_line = fs::read("/proc/self/cmdline").unwrap_or_default();
        let (jvm_arguments, java_arguments) = split_command_line(&command_line);
        JvmInfo {
            jvm_arguments,
            java_arguments,
            start_unix_millis: procfs::process_start_unix_millis().unwrap_or_default(),
            pid: std::process::id(),
            ..JvmInfo::default()
        }
    }
}

/// The JVM's release as it names it (`17.0.15+6`; `25.504-b01` on 8), from the tables alone: known from the first moment.
pub fn release(vm: &VmStructs, reader: &SafeReader) -> Option<String> {
    Source { vm, reader }.text("Abstract_VM_Version", "_s_vm_release")
}

struct Source<'a> {
    vm: &'a VmStructs,
    reader: &'a SafeReader,
}

impl Source<'_> {
    /// The text that a static `char*` points to.
    fn text(&self, structure: &'static str, field: &'static str) -> Option<String> {
        let pointer = self.vm.static_address(structure, field).ok()?;
        self.string(self.vm.libjvm().load_u64(pointer)?)
    }

    fn string(&self, address: u64) -> Option<String> {
        if address == 0 {
            return None;
        }
        let bytes = self
            .reader
            .read_c_string(address, MAX_ARGUMENT_BYTES)
            .ok()?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// The texts of an array of `char*` in class `Arguments`, with blanks between.
    fn arguments(&self, array: &'static str, count: &'static str) -> Option<String> {
        let libjvm = self.vm.libjvm();
        let count = libjvm.load_i32(self.vm.static_address("Arguments", count).ok()?)?;
        let array = libjvm.load_u64(self.vm.static_address("Arguments", array).ok()?)?;
        if !(0..=MAX_ARGUMENTS).contains(&count) {
            return None;
        }
        let element = |index: i32| {
            let address = self
                .reader
                .read_u64(array.wrapping_add(index as u64 * 8))
                .ok()?;
            self.string(address)
        };
        let texts: Option<Vec<String>> = (0..count).map(element).collect();
        Some(texts?.join(" "))
    }
}

/// Splits `/proc/self/cmdline` into the JVM's options and the program with its arguments, as the launcher `java` does.
pub(crate) fn split_command_line(command_line: &[u8]) -> (String, String) {
    /// Options whose value is the next word.
    const WITH_VALUE: [&str; 14] = [
        "-cp",
        "-classpath",
        "--class-path",
        "-p",
        "--module-path",
        "--upgrade-module-path",
        "--add-modules",
        "--add-reads",
        "--add-exports",
        "--add-opens",
        "--limit-modules",
        "--patch-module",
        "--enable-native-access",
        "--source",
    ];
    let text = String::from_utf8_lossy(command_line);
    let text = text.strip_suffix('\0').unwrap_or(&text);
    let mut words = text.split('\0').skip(1);
    let mut options = Vec::new();
    let mut program = Vec::new();
    while let Some(word) = words.next() {
        if matches!(word, "-jar" | "-m" | "--module") {
            break;
        }
        if !word.starts_with(['-', '@']) {
            program.push(word);
            break;
        }
        options.push(word);
        if WITH_VALUE.contains(&word) {
            options.extend(words.next());
        }
    }
    program.extend(words);
    (options.join(" "), program.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_line_is_split_where_the_program_begins() {
        for (command_line, options, program) in [
            (
                "java\0-Xmx1g\0-cp\0a:b\0Main\0-x\0y\0",
                "-Xmx1g -cp a:b",
                "Main -x y",
            ),
            ("java\0-jar\0app.jar\0arg\0", "", "app.jar arg"),
            ("java\0-Dk=v w\0-m\0mod/Main\0", "-Dk=v w", "mod/Main"),
            (
                "java\0@args\0--add-opens\0a/b=c\0Main\0",
                "@args --add-opens a/b=c",
                "Main",
            ),
            ("java\0-version\0", "-version", ""),
            ("java\0Main\0\0last\0", "", "Main  last"),
            ("java\0", "", ""),
            ("", "", ""),
        ] {
            let split = split_command_line(command_line.as_bytes());
            assert_eq!(
                split,
                (options.to_owned(), program.to_owned()),
                "{command_line:?}"
            );
        }
    }

    #[test]
    fn without_a_jvm_the_process_itself_is_described() {
        let info = JvmInfo::from_proc();
        assert_eq!(info.pid, std::process::id());
        assert!(info.start_unix_millis > 1_600_000_000_000);
        assert_eq!(info.name, "");
    }
}
