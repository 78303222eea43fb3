//! The signal rules of `docs/signals.md`, read off the machine code.
//!
//! What the handler can reach is followed through the relocations of the crate `jprof-signal-safe`, compiled as one object in
//! release mode: it may end only at the functions listed here. The library itself is `$JPROF_LIB`, else that of the release
//! build; where there is none, its tests count as ignored.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use libtest_mimic::{Arguments, Failed, Trial};
use object::elf::{FileHeader64, PT_TLS};
use object::read::elf::{ElfFile64, FileHeader, ProgramHeader};
use object::{
    Endianness, Object, ObjectSection, ObjectSymbol, RelocationTarget, SectionIndex, SectionKind,
    SymbolIndex,
};

/// What the handler's code may call: see `docs/signals.md`.
const SYSTEM_CALLS: &[&str] = &[
    "__errno_location",
    "clock_gettime",
    "ioctl",
    "sigaction",
    "syscall",
];

/// What the compiler itself calls to copy and clear memory: async-signal-safe, without state.
const COMPILERS_OWN: &[&str] = &["memcpy", "memmove", "memset"];

/// Where the handlers' code begins: the handlers, and the walkers, which the tick's calls through a table.
const ENTRIES: &[&str] = &[
    "jprof_signal_safe::tick::on_signal",
    "jprof_signal_safe::guard::on_fault",
    "jprof_signal_safe::trap::on_trap",
    "<jprof_signal_safe::walker::agct::AgctWalker as jprof_signal_safe::walker::Walker>::walk",
    "<jprof_signal_safe::walker::hotspot::HotspotWalker as jprof_signal_safe::walker::Walker>::walk",
    "<jprof_signal_safe::walker::judge::JudgedWalker as jprof_signal_safe::walker::Walker>::walk",
];

/// Parts of the names of what allocates, unwinds or touches thread-local variables.
const FORBIDDEN_ANYWHERE: &[&str] = &[
    "__rust_alloc",
    "__rust_dealloc",
    "__rust_realloc",
    "__rust_no_alloc_shim",
    "__tls_get_addr",
    "_Unwind_Resume",
    "alloc::",
    "malloc",
    "calloc",
    "pthread_",
    "std::",
];

/// A shared library that is loaded late gets the rest of the static TLS that glibc keeps in reserve, of which there is little.
const MOST_TLS_BYTES: u64 = 256;

fn main() {
    let arguments = Arguments::from_args();
    let library = library_path();
    let missing = !library.exists();
    if missing {
        eprintln!(
            "no {}: `cargo build --release`, or JPROF_LIB",
            library.display()
        );
    }
    let of_library = |name: &str, test: fn(&[u8]) -> Result<(), Failed>| {
        let library = library.clone();
        Trial::test(name, move || test(&fs::read(library)?)).with_ignored_flag(missing)
    };
    let trials = vec![
        Trial::test("the_handler_reaches_only_what_is_listed", handler_reach),
        of_library("the_library_exports_the_three_entries_only", exports),
        of_library("the_library_needs_little_thread_local_storage", tls_bytes),
    ];
    libtest_mimic::run(&arguments, trials).exit();
}

fn library_path() -> PathBuf {
    std::env::var_os("JPROF_LIB").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/release/libjprof.so"),
        PathBuf::from,
    )
}

type Elf<'data> = ElfFile64<'data, Endianness>;

fn handler_reach() -> Result<(), Failed> {
    let data = compile()?;
    let elf = Elf::parse(&*data)?;
    for section in elf.sections() {
        if matches!(
            section.kind(),
            SectionKind::Tls | SectionKind::UninitializedTls
        ) {
            return Err(format!("thread-local variables: {}", section.name()?).into());
        }
    }
    for symbol in elf.symbols().filter(ObjectSymbol::is_undefined) {
        let name = demangled(symbol.name()?);
        if FORBIDDEN_ANYWHERE.iter().any(|part| name.contains(part)) {
            return Err(format!("the crate links to {name}").into());
        }
    }
    let allowed: BTreeSet<&str> = SYSTEM_CALLS.iter().chain(COMPILERS_OWN).copied().collect();
    let mut called = BTreeSet::new();
    for entry in ENTRIES {
        for (name, path) in reach(&elf, entry)? {
            // Atomic operations on AArch64, out of line.
            let atomic = name.starts_with("__aarch64_");
            if !atomic && !allowed.contains(name.as_str()) {
                return Err(format!("{entry} reaches {name} by {}", path.join(" -> ")).into());
            }
            called.insert(name);
        }
    }
    // The walk is worth something only if it finds what is there for sure.
    for name in SYSTEM_CALLS {
        if !called.contains(*name) {
            return Err(format!("{name} is listed, but nothing calls it: {called:?}").into());
        }
    }
    Ok(())
}

/// The crate, compiled as one object, without the link-time optimisation of the real build, which can only take calls away.
fn compile() -> Result<Vec<u8>, Failed> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("signal-rules");
    let object = folder.join("signal_safe.o");
    fs::create_dir_all(&folder)?;
    let output = Command::new(env!("CARGO"))
        .args(["rustc", "--offline", "--release", "--lib"])
        .args(["--package", "jprof-signal-safe", "--manifest-path"])
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml"))
        .arg("--target-dir")
        .arg(&folder)
        .args(["--", "-C", "debuginfo=0"])
        .arg(format!("--emit=obj={}", object.display()))
        .env("CARGO_PROFILE_RELEASE_LTO", "off")
        .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "1")
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
    }
    Ok(fs::read(object)?)
}

/// The undefined symbols that a function reaches, each with one way to it.
fn reach(elf: &Elf<'_>, entry: &str) -> Result<BTreeMap<String, Vec<String>>, Failed> {
    let root = elf
        .symbols()
        .find(|symbol| demangled(symbol.name().unwrap_or_default()) == entry)
        .and_then(|symbol| symbol.section_index())
        .ok_or_else(|| format!("{entry} is not in the object"))?;
    let mut found = BTreeMap::new();
    let mut seen = BTreeSet::from([root.0]);
    let mut waiting: Vec<(SectionIndex, Vec<String>)> = vec![(root, Vec::new())];
    while let Some((section, mut path)) = waiting.pop() {
        let section = elf.section_by_index(section)?;
        path.push(demangled(section.name()?.trim_start_matches(".text.")));
        for (_, relocation) in section.relocations() {
            let next = match relocation.target() {
                RelocationTarget::Symbol(symbol) => match defined_in(elf, symbol)? {
                    Ok(section) => section,
                    Err(name) => {
                        found.entry(name).or_insert_with(|| path.clone());
                        continue;
                    }
                },
                RelocationTarget::Section(section) => section,
                _ => continue,
            };
            if seen.insert(next.0) {
                waiting.push((next, path.clone()));
            }
        }
    }
    Ok(found)
}

/// The section of a symbol, or the name of one that is not defined here.
fn defined_in(elf: &Elf<'_>, symbol: SymbolIndex) -> Result<Result<SectionIndex, String>, Failed> {
    let symbol = elf.symbol_by_index(symbol)?;
    Ok(symbol
        .section_index()
        .ok_or_else(|| demangled(symbol.name().unwrap_or_default())))
}

fn demangled(name: &str) -> String {
    format!("{:#}", rustc_demangle::demangle(name))
}

fn exports(library: &[u8]) -> Result<(), Failed> {
    let elf = Elf::parse(library)?;
    let names: BTreeSet<&str> = elf
        .dynamic_symbols()
        .filter(|symbol| symbol.is_definition() && symbol.is_global())
        .map(|symbol| symbol.name())
        .collect::<Result<_, _>>()?;
    let expected = BTreeSet::from(["Agent_OnAttach", "Agent_OnLoad", "Agent_OnUnload"]);
    if names != expected {
        return Err(format!("exported: {names:?}").into());
    }
    Ok(())
}

fn tls_bytes(library: &[u8]) -> Result<(), Failed> {
    let header = FileHeader64::<Endianness>::parse(library)?;
    let endian = header.endian()?;
    let bytes: u64 = header
        .program_headers(endian, library)?
        .iter()
        .filter(|segment| segment.p_type(endian) == PT_TLS)
        .map(|segment| segment.p_memsz(endian))
        .sum();
    println!("{bytes} bytes of thread-local storage");
    if bytes >= MOST_TLS_BYTES {
        return Err(format!("{bytes} bytes of thread-local storage").into());
    }
    Ok(())
}
