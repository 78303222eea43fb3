//! The native side of `tests/hotspot_names`: compares what `jprof::hotspot` reads with what JVMTI says, in a running JVM.
//!
//! # Safety
//!
//! The unsafe blocks are calls through JNI's and JVMTI's tables, made by the rules of both: on attached threads, with references
//! of the calling frame, and with what JVMTI allocates given back to it.

#![allow(unsafe_code)]
#![allow(missing_docs, reason = "JNI gives the exported functions their names")]

use std::ffi::{CStr, CString, c_char, c_void};
use std::ptr;
use std::sync::{Mutex, OnceLock, PoisonError};

use jni_sys::{
    JNI_OK, JNI_VERSION_1_8, JNIEnv, JavaVM, jboolean, jbyteArray, jclass, jint, jlong, jmethodID,
    jobject, jstring,
};
use jprof::hotspot::names::readable;
use jprof::hotspot::{
    Flags, Footprint, JavaVersion, JvmInfo, MethodDescription, MethodResolver, PerfData,
    ResolveError, SafeReader, ThreadReader, VmStructs, flags, vm_info,
};
use jprof::jvmti::sys;

struct Probe {
    jvmti: *mut sys::jvmtiEnv,
    vm: VmStructs,
    version: JavaVersion,
    reader: SafeReader,
    resolver: MethodResolver,
    flags: Flags,
    threads: ThreadReader,
    /// The methods of classes that have been shown to the probe, as they were then.
    remembered: Mutex<Vec<(u64, MethodDescription)>>,
}

// SAFETY: a JVMTI environment may be used by every attached thread.
unsafe impl Send for Probe {}
// SAFETY: as above.
unsafe impl Sync for Probe {}

static PROBE: OnceLock<Probe> = OnceLock::new();

fn probe() -> &'static Probe {
    PROBE.get().expect("JNI_OnLoad has run")
}

/// Calls a function of JVMTI's table; the result is its error code.
macro_rules! jvmti {
    ($env:expr, $name:ident $(, $argument:expr)*) => {
        // SAFETY: see the file's head.
        unsafe { ((**$env).$name.unwrap())($env $(, $argument)*) }
    };
}

#[unsafe(no_mangle)]
extern "system" fn JNI_OnLoad(vm: *mut JavaVM, _reserved: *mut c_void) -> jint {
    let mut jvmti: *mut c_void = ptr::null_mut();
    // SAFETY: the JVM hands itself; GetEnv writes one pointer.
    let code = unsafe { ((**vm).v1_2.GetEnv)(vm, &raw mut jvmti, sys::JVMTI_VERSION_1_2 as jint) };
    assert_eq!(code, JNI_OK, "JVMTI");
    let jvmti: *mut sys::jvmtiEnv = jvmti.cast();
    let mut capabilities = sys::jvmtiCapabilities::default();
    capabilities.set_can_get_line_numbers(1);
    capabilities.set_can_redefine_classes(1);
    assert_eq!(
        jvmti!(jvmti, AddCapabilities, &capabilities),
        0,
        "capabilities"
    );

    let vm = VmStructs::load().expect("the tables of libjvm");
    let reader = SafeReader::new().expect("a way to read");
    let release = vm_info::release(&vm, &reader).expect("a release");
    let version = JavaVersion::parse(&release).expect("a version");
    let probe = Probe {
        jvmti,
        version,
        resolver: MethodResolver::new(&vm, version)
            .expect("methods")
            .with_raw_names(true),
        flags: Flags::new(&vm).expect("flags"),
        threads: ThreadReader::new(&vm).expect("threads"),
        remembered: Mutex::default(),
        reader,
        vm,
    };
    for (name, flag) in probe.flags.all() {
        println!("flag {name}={}", flag.value);
    }
    assert!(PROBE.set(probe).is_ok());
    JNI_VERSION_1_8
}

/// What JVMTI says of a method.
#[derive(Debug, PartialEq)]
struct Told {
    class_name: String,
    name: String,
    descriptor: String,
    modifiers: u32,
    is_native: bool,
    lines: Vec<(u16, u16)>,
}

impl Told {
    fn by_jvmti(jvmti: *mut sys::jvmtiEnv, class_name: &str, id: jmethodID) -> Told {
        let (mut name, mut descriptor) = (ptr::null_mut(), ptr::null_mut());
        assert_eq!(
            jvmti!(
                jvmti,
                GetMethodName,
                id,
                &mut name,
                &mut descriptor,
                ptr::null_mut()
            ),
            0
        );
        let mut modifiers = 0;
        assert_eq!(jvmti!(jvmti, GetMethodModifiers, id, &mut modifiers), 0);
        let mut is_native = jboolean::default();
        assert_eq!(jvmti!(jvmti, IsMethodNative, id, &mut is_native), 0);
        let mut count = 0;
        let mut table = ptr::null_mut();
        let mut lines = Vec::new();
        match jvmti!(jvmti, GetLineNumberTable, id, &mut count, &mut table) {
            0 => {
                let entries = take_array(jvmti, count, table);
                lines.extend(
                    entries
                        .iter()
                        .map(|entry| (entry.start_location as u16, entry.line_number as u16)),
                );
            }
            // No such table: native, abstract or compiled without; native method.
            sys::JVMTI_ERROR_ABSENT_INFORMATION | sys::JVMTI_ERROR_NATIVE_METHOD => {}
            error => panic!("GetLineNumberTable: {error}"),
        }
        Told {
            class_name: class_name.to_owned(),
            name: take_text(jvmti, name),
            descriptor: take_text(jvmti, descriptor),
            modifiers: modifiers as u32,
            is_native,
            lines,
        }
    }

    fn by_us(method: &MethodDescription) -> Told {
        Told {
            class_name: method.class_name.clone(),
            name: method.name.clone(),
            descriptor: method.descriptor.clone(),
            modifiers: method.modifiers,
            is_native: method.is_native,
            lines: method.line_numbers.entries().to_vec(),
        }
    }
}

fn deallocate<T>(jvmti: *mut sys::jvmtiEnv, memory: *mut T) {
    jvmti!(jvmti, Deallocate, memory.cast());
}

fn take_text(jvmti: *mut sys::jvmtiEnv, text: *mut c_char) -> String {
    // SAFETY: JVMTI gave a C string.
    let bytes = unsafe { CStr::from_ptr(text) }.to_bytes();
    let owned = simd_cesu8::mutf8::decode_lossy(bytes).into_owned();
    deallocate(jvmti, text);
    owned
}

/// A class's name in the JVM from its signature. JVMTI sets a dot where a hidden class's name has its plus (17 and later), and adds a
/// slash and a number to an anonymous class's (8, 11).
fn internal_name(signature: &str) -> String {
    let name = signature.trim_start_matches('L').trim_end_matches(';');
    match name.rsplit_once('/') {
        Some((name, number)) if number.bytes().all(|byte| byte.is_ascii_digit()) => name.to_owned(),
        _ => name.replace('.', "+"),
    }
}

/// Takes an array that JVMTI has allocated; an empty one is null.
fn take_array<T>(jvmti: *mut sys::jvmtiEnv, count: jint, array: *mut T) -> Vec<T> {
    if array.is_null() {
        return Vec::new();
    }
    // SAFETY: JVMTI gave an array of that length, of plain data.
    let copy = (0..count as usize)
        .map(|index| unsafe { array.add(index).read() })
        .collect();
    deallocate(jvmti, array);
    copy
}

fn method_ids(jvmti: *mut sys::jvmtiEnv, class: jclass) -> Vec<jmethodID> {
    let mut count = 0;
    let mut methods = ptr::null_mut();
    if jvmti!(jvmti, GetClassMethods, class, &mut count, &mut methods) != 0 {
        // Not prepared yet: its methods have no ids.
        return Vec::new();
    }
    take_array(jvmti, count, methods)
}

/// The addresses of a class's methods. Up to 25 a `jmethodID` points to a pointer to the method.
fn method_addresses(class: jclass) -> Vec<u64> {
    let probe = probe();
    method_ids(probe.jvmti, class)
        .iter()
        .map(|&id| probe.reader.read_u64(id as u64).expect("a live id"))
        .collect()
}

fn loaded_classes(jvmti: *mut sys::jvmtiEnv) -> Vec<jclass> {
    let mut count = 0;
    let mut classes = ptr::null_mut();
    assert_eq!(jvmti!(jvmti, GetLoadedClasses, &mut count, &mut classes), 0);
    take_array(jvmti, count, classes)
}

#[unsafe(no_mangle)]
extern "system" fn Java_HotspotProbe_verifyMethods(
    env: *mut JNIEnv,
    _class: jclass,
    label: jstring,
) -> jboolean {
    let probe = probe();
    let label = string(env, label);
    let (mut classes, mut methods, mut with_lines, mut native, mut compiled, mut wrong) =
        (0, 0, 0, 0, 0, 0);
    for class in loaded_classes(probe.jvmti) {
        let mut signature = ptr::null_mut();
        assert_eq!(
            jvmti!(
                probe.jvmti,
                GetClassSignature,
                class,
                &mut signature,
                ptr::null_mut()
            ),
            0
        );
        let class_name = internal_name(&take_text(probe.jvmti, signature));
        classes += 1;
        for id in method_ids(probe.jvmti, class) {
            let expected = Told::by_jvmti(probe.jvmti, &class_name, id);
            methods += 1;
            with_lines += u32::from(!expected.lines.is_empty());
            native += u32::from(expected.is_native);
            let address = probe.reader.read_u64(id as u64).expect("a live id");
            let found = probe.resolver.describe_method(address);
            compiled += u32::from(found.as_ref().is_ok_and(|method| method.has_compiled_code));
            let still = found
                .as_ref()
                .is_ok_and(|method| probe.resolver.still_is(address, &method.footprint));
            let found = found.map(|method| Told::by_us(&method));
            if found.as_ref() != Ok(&expected) || !still {
                wrong += 1;
                if wrong <= 5 {
                    println!("differs: JVMTI {expected:?}, read {found:?}");
                }
            }
        }
        // SAFETY: a local reference of this frame.
        unsafe { ((**env).v1_2.DeleteLocalRef)(env, class) };
    }
    println!(
        "methods {label}: {methods} of {classes} classes, {with_lines} with lines, {native} native, {compiled} compiled, {wrong} differ"
    );
    wrong == 0 && methods > 3000 && with_lines > 1000 && native > 100
}

/// Takes down the methods of a class as they are now.
#[unsafe(no_mangle)]
extern "system" fn Java_HotspotProbe_remember(_env: *mut JNIEnv, _class: jclass, of: jclass) {
    let probe = probe();
    let methods = method_addresses(of).into_iter().map(|address| {
        let method = probe.resolver.describe_method(address);
        (address, method.expect("a live method"))
    });
    remembered().extend(methods);
}

fn remembered() -> std::sync::MutexGuard<'static, Vec<(u64, MethodDescription)>> {
    probe()
        .remembered
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
}

/// Looks at all addresses that were taken down. Each leads to the method that it led to, to another one or nowhere, and which
/// of them it is the footprint must tell. Gives how many lead to the same method, or -1 where it told wrongly.
#[unsafe(no_mangle)]
extern "system" fn Java_HotspotProbe_judge(_env: *mut JNIEnv, _class: jclass) -> jlong {
    let probe = probe();
    let (mut same, mut other, mut nowhere, mut wrong) = (0, 0, 0, 0);
    for (address, then) in remembered().iter() {
        let before = probe.resolver.describe_method(*address);
        let still = probe.resolver.still_is(*address, &then.footprint);
        let after = probe.resolver.describe_method(*address);
        let now = before.as_ref().map(Told::by_us);
        // A collector may be at work on it at this very moment.
        if now != after.as_ref().map(Told::by_us) {
            continue;
        }
        let is_same = now == Ok(Told::by_us(then));
        // What cannot be described any more may still be told: nothing else lies there yet.
        wrong += i32::from(still && now.is_ok() && !is_same);
        match now {
            Err(_) => nowhere += 1,
            Ok(_) if is_same => same += i64::from(still),
            Ok(_) => other += 1,
        }
    }
    println!("remembered: {same} the same, {other} another, {nowhere} nowhere, {wrong} wrong");
    if wrong == 0 { same } else { -1 }
}

#[unsafe(no_mangle)]
extern "system" fn Java_HotspotProbe_forget(_env: *mut JNIEnv, _class: jclass) {
    remembered().clear();
}

/// How many classes the JVM has loaded, -1 where it does not count.
#[unsafe(no_mangle)]
extern "system" fn Java_HotspotProbe_classesLoaded(_env: *mut JNIEnv, _class: jclass) -> jlong {
    probe().resolver.classes_loaded().unwrap_or(-1)
}

/// The readable name of a class that has methods.
#[unsafe(no_mangle)]
extern "system" fn Java_HotspotProbe_readableName(
    env: *mut JNIEnv,
    _class: jclass,
    of: jclass,
) -> jstring {
    let method = probe().resolver.describe_method(method_addresses(of)[0]);
    let method = method.expect("a live method");
    let text = CString::new(readable(&method.class_name)).expect("no zero in it");
    // SAFETY: see the file's head; the text is ASCII.
    unsafe { ((**env).v1_2.NewStringUTF)(env, text.as_ptr()) }
}

/// Whether no class of the JVM has a readable name that looks as if it held an address or a counter. Prints what was cut off.
#[unsafe(no_mangle)]
extern "system" fn Java_HotspotProbe_readableNames(env: *mut JNIEnv, _class: jclass) -> jboolean {
    let probe = probe();
    let (mut cut, mut wrong) = (std::collections::BTreeMap::new(), 0);
    for class in loaded_classes(probe.jvmti) {
        let method = method_addresses(class)
            .first()
            .and_then(|&address| probe.resolver.describe_method(address).ok());
        // SAFETY: a local reference of this frame.
        unsafe { ((**env).v1_2.DeleteLocalRef)(env, class) };
        let Some(method) = method else {
            continue;
        };
        let name = readable(&method.class_name);
        let last = name.rsplit('/').next().unwrap_or(name);
        let looks_raw = name.contains("0x")
            || (last.starts_with("Generated") && last.ends_with(|c: char| c.is_ascii_digit()))
            || (last.contains("$$Lambda") && !last.ends_with("$$Lambda"));
        wrong += i32::from(looks_raw);
        if looks_raw || name != method.class_name {
            cut.entry(name.to_owned()).or_insert(method.class_name);
        }
    }
    for (name, raw) in &cut {
        println!("readable {raw}: {name}");
    }
    wrong == 0 && cut.len() > 3
}

/// Addresses that are none: random words, and every word near true ids, methods, the heap, the stack and code.
#[unsafe(no_mangle)]
extern "system" fn Java_HotspotProbe_garbage(
    _env: *mut JNIEnv,
    class: jclass,
    seed: jlong,
) -> jboolean {
    let probe = probe();
    let mut state = seed as u64;
    let mut random = move || {
        // xorshift64: repeatable.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let own = method_ids(probe.jvmti, class)[0] as u64;
    let method = method_addresses(class)[0];
    let footprint = live_footprint(method);
    let const_method = probe.reader.read_u64(method + 8).expect("a live method");
    let on_stack = &raw const method as u64;
    let in_libjvm = probe
        .vm
        .libjvm()
        .symbol(c"JNI_CreateJavaVM")
        .expect("an export");
    let mut counts = [0u64; ResolveError::ALL.len() + 1];
    let mut same = 0;
    let mut try_one = |word: u64| {
        match probe.resolver.describe_method(word) {
            Ok(_) => counts[ResolveError::ALL.len()] += 1,
            Err(reason) => counts[reason.index()] += 1,
        }
        // Copies of the method lie about; it must come back, whatever it says.
        same += i32::from(probe.resolver.still_is(word, &footprint));
    };
    for base in [own, method, const_method, on_stack, in_libjvm, class as u64] {
        for _ in 0..500 {
            try_one((base.wrapping_add(random() % 65_536).wrapping_sub(32_768)) & !7);
        }
    }
    for _ in 0..1000 {
        try_one(random());
        try_one(random() & 0x7FFF_FFFF_FFF8);
        try_one(random() % 4096);
    }
    try_one(0);
    try_one(u64::MAX);
    let named = ResolveError::ALL
        .iter()
        .zip(counts)
        .map(|(reason, count)| format!("{reason} {count}"));
    println!(
        "garbage {seed}: {}, resolved {}, {same} like the probe's own",
        named.collect::<Vec<_>>().join(", "),
        counts[ResolveError::ALL.len()]
    );
    // Among neighbours of a true method there are true methods; most words must be refused.
    counts[ResolveError::ALL.len()] * 2 < counts.iter().sum()
}

#[unsafe(no_mangle)]
extern "system" fn Java_HotspotProbe_redefine(
    env: *mut JNIEnv,
    _class: jclass,
    class: jclass,
    bytes: jbyteArray,
) -> jboolean {
    // SAFETY: see the file's head.
    let bytes = unsafe {
        let length = ((**env).v1_2.GetArrayLength)(env, bytes);
        let mut copy = vec![0i8; length as usize];
        ((**env).v1_2.GetByteArrayRegion)(env, bytes, 0, length, copy.as_mut_ptr());
        copy
    };
    let definition = sys::jvmtiClassDefinition {
        klass: class,
        class_byte_count: bytes.len() as jint,
        class_bytes: bytes.as_ptr().cast(),
    };
    let error = jvmti!(probe().jvmti, RedefineClasses, 1, &definition);
    println!("redefine: {error}");
    error == 0
}

#[unsafe(no_mangle)]
extern "system" fn Java_HotspotProbe_threadId(
    env: *mut JNIEnv,
    _class: jclass,
    thread: jobject,
) -> jint {
    // SAFETY: see the file's head.
    let java_thread = unsafe {
        let class = ((**env).v1_2.GetObjectClass)(env, thread);
        let field = ((**env).v1_2.GetFieldID)(env, class, c"eetop".as_ptr(), c"J".as_ptr());
        ((**env).v1_2.GetLongField)(env, thread, field)
    };
    let probe = probe();
    let id = probe
        .threads
        .os_thread_id(&probe.reader, java_thread as u64)
        .unwrap_or(0);
    assert!(
        id == 0
            || probe
                .threads
                .is_thread(&probe.reader, java_thread as u64, id)
    );
    id
}

#[unsafe(no_mangle)]
extern "system" fn Java_HotspotProbe_currentThreadId(_env: *mut JNIEnv, _class: jclass) -> jint {
    // SAFETY: gettid takes nothing and cannot fail.
    unsafe { libc::gettid() }
}

#[unsafe(no_mangle)]
extern "system" fn Java_HotspotProbe_describe(env: *mut JNIEnv, _class: jclass) -> jstring {
    let probe = probe();
    let info = JvmInfo::read(&probe.vm, &probe.reader);
    let JvmInfo {
        name,
        version,
        jvm_arguments,
        java_arguments,
        start_unix_millis,
        pid,
        ..
    } = &info;
    let feature = probe.version.feature;
    let exact = probe.flags.is_on("UsePerfData");
    let process_start = JvmInfo::from_proc().start_unix_millis;
    println!("info: {info:?}, version {}", probe.version);
    let text = format!(
        "{name}\n{version}\n{jvm_arguments}\n{java_arguments}\n{start_unix_millis}\n{pid}\n{feature}\n{exact}\n{process_start}"
    );
    let text = CString::new(text).expect("no zero in it");
    // SAFETY: see the file's head; the text is ASCII.
    unsafe { ((**env).v1_2.NewStringUTF)(env, text.as_ptr()) }
}

#[unsafe(no_mangle)]
extern "system" fn Java_HotspotProbe_counters(_env: *mut JNIEnv, _class: jclass) -> jboolean {
    let probe = probe();
    match PerfData::read(&probe.vm, &probe.reader) {
        Ok(data) => {
            let value = |name| {
                data.counter(name)
                    .expect(name)
                    .value(&probe.reader)
                    .expect(name)
            };
            value("java.cls.loadedClasses") + value("java.cls.sharedLoadedClasses") > 100
                && value("java.threads.started") > 1
                && value("sun.os.hrt.frequency") >= 1_000_000
        }
        Err(reason) => {
            println!("counters: {reason}");
            false
        }
    }
}

#[unsafe(no_mangle)]
extern "system" fn Java_HotspotProbe_setDebugNonSafepoints(
    env: *mut JNIEnv,
    _class: jclass,
) -> jstring {
    let set = || flags::switch_on_debug_non_safepoints(&probe().vm).expect("flags");
    let text = CString::new(format!("{:?} {:?}", set(), set())).expect("no zero in it");
    // SAFETY: see the file's head; the text is ASCII.
    unsafe { ((**env).v1_2.NewStringUTF)(env, text.as_ptr()) }
}

fn live_footprint(method: u64) -> Footprint {
    let method = probe().resolver.describe_method(method);
    method.expect("a live method").footprint
}

fn string(env: *mut JNIEnv, text: jstring) -> String {
    // SAFETY: see the file's head; the characters are given back.
    unsafe {
        let characters = ((**env).v1_2.GetStringUTFChars)(env, text, ptr::null_mut());
        let owned = CStr::from_ptr(characters).to_string_lossy().into_owned();
        ((**env).v1_2.ReleaseStringUTFChars)(env, text, characters);
        owned
    }
}
