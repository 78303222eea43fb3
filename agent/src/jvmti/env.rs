//! A safe wrapper around the JVMTI functions that the agent uses.
//!
//! # Safety
//! A `Jvmti` holds an environment that the JVM gave out by `GetEnv` and never takes back while the
//! library is loaded. JVMTI functions may be called from any attached thread; they check their
//! phase themselves. References are local to the calling thread, as JNI has it.
#![allow(unsafe_code)]

use std::ffi::{CStr, CString, c_void};
use std::mem;
use std::ptr;

use jni_sys::{JNIEnv, JavaVM, jclass, jint, jmethodID, jobject};

use super::error::JvmtiError;
use super::sys;

/// A JVMTI environment.
#[derive(Clone, Copy, Debug)]
pub struct Jvmti(*mut sys::jvmtiEnv);

// SAFETY: JVMTI environments may be used from every attached thread (JVMTI specification).
unsafe impl Send for Jvmti {}
// SAFETY: as above.
unsafe impl Sync for Jvmti {}

/// Calls a JVMTI function and turns its code into a `Result`.
macro_rules! call {
    ($jvmti:expr, $function:ident $(, $argument:expr)*) => {{
        let env = $jvmti.0;
        match (**env).$function {
            Some(function) => JvmtiError::check(function(env $(, $argument)*)),
            None => Err(JvmtiError::NOT_AVAILABLE),
        }
    }};
}

impl Jvmti {
    /// Asks the JVM for an environment of its own.
    ///
    /// # Errors
    /// The JVM has no JVMTI 1.2, or refuses.
    ///
    /// # Safety
    /// `vm` is the running JVM.
    pub unsafe fn new(vm: *mut JavaVM) -> Result<Self, JvmtiError> {
        let mut env: *mut c_void = ptr::null_mut();
        // SAFETY: `vm` is a JVM by contract; GetEnv writes one pointer.
        let code =
            unsafe { ((**vm).v1_2.GetEnv)(vm, &raw mut env, sys::JVMTI_VERSION_1_2.cast_signed()) };
        if code != jni_sys::JNI_OK || env.is_null() {
            return Err(JvmtiError::NOT_AVAILABLE);
        }
        Ok(Self(env.cast()))
    }

    /// The environment that a callback was given.
    ///
    /// # Safety
    /// It is one of this JVM's.
    #[must_use]
    pub const unsafe fn from_raw(env: *mut sys::jvmtiEnv) -> Self {
        Self(env)
    }

    /// A system property as the JVM knows it (`-D`, and the JVM's own).
    #[must_use]
    pub fn system_property(&self, name: &str) -> Option<String> {
        let name = CString::new(name).ok()?;
        let mut value = ptr::null_mut();
        // SAFETY: see the module; the value is copied and given back.
        unsafe {
            call!(self, GetSystemProperty, name.as_ptr(), &raw mut value).ok()?;
            self.take_text(value)
        }
    }

    /// Whether the JVM is in its live phase: it has started, and does not end yet.
    #[must_use]
    pub fn is_live(&self) -> bool {
        let mut phase: sys::jvmtiPhase = 0;
        // SAFETY: see the module; the phase is written.
        let result = unsafe { call!(self, GetPhase, &raw mut phase) };
        result.is_ok() && phase == sys::JVMTI_PHASE_LIVE
    }

    /// Sets the callbacks, all at once.
    ///
    /// # Errors
    /// As JVMTI's `SetEventCallbacks`.
    pub fn set_callbacks(&self, callbacks: &sys::jvmtiEventCallbacks) -> Result<(), JvmtiError> {
        // SAFETY: the JVM copies the table; a size larger than it knows is accepted (8 included).
        unsafe {
            call!(
                self,
                SetEventCallbacks,
                callbacks,
                mem::size_of::<sys::jvmtiEventCallbacks>() as jint
            )
        }
    }

    /// Switches an event on or off for all threads.
    ///
    /// # Errors
    /// As JVMTI's `SetEventNotificationMode`.
    pub fn notify(&self, event: sys::jvmtiEvent, on: bool) -> Result<(), JvmtiError> {
        let mode = if on {
            sys::JVMTI_ENABLE
        } else {
            sys::JVMTI_DISABLE
        };
        // SAFETY: see the module. The function is variadic in C only for future use.
        unsafe { call!(self, SetEventNotificationMode, mode, event, ptr::null_mut()) }
    }

    /// Takes the capability to have allocations sampled, or gives it back. It is taken for as long as it is needed only: a JVM
    /// may have one agent with it.
    ///
    /// # Errors
    /// As JVMTI's `AddCapabilities` and `RelinquishCapabilities`: before 11 there is no such capability.
    pub fn sample_allocations(&self, on: bool) -> Result<(), JvmtiError> {
        self.capability(on, |wanted| {
            wanted.set_can_generate_sampled_object_alloc_events(1);
        })
    }

    /// Takes the capability to be told of the collector's pauses, or gives it back.
    ///
    /// # Errors
    /// As JVMTI's `AddCapabilities` and `RelinquishCapabilities`.
    pub fn tell_of_collections(&self, on: bool) -> Result<(), JvmtiError> {
        self.capability(on, |wanted| {
            wanted.set_can_generate_garbage_collection_events(1);
        })
    }

    fn capability(
        &self,
        on: bool,
        choose: impl FnOnce(&mut sys::jvmtiCapabilities),
    ) -> Result<(), JvmtiError> {
        // SAFETY: zero is a valid value: no capability.
        let mut wanted: sys::jvmtiCapabilities = unsafe { mem::zeroed() };
        choose(&mut wanted);
        // SAFETY: see the module; the capabilities are read.
        unsafe {
            if on {
                call!(self, AddCapabilities, &raw const wanted)
            } else {
                call!(self, RelinquishCapabilities, &raw const wanted)
            }
        }
    }

    /// Sets the mean distance of sampled allocations in bytes.
    ///
    /// # Errors
    /// As JVMTI's `SetHeapSamplingInterval`.
    pub fn set_allocation_interval(&self, bytes: u64) -> Result<(), JvmtiError> {
        let bytes = jint::try_from(bytes).unwrap_or(jint::MAX);
        // SAFETY: see the module. JVMs before 11 lack the function, and are not asked: the capability came first.
        unsafe { call!(self, SetHeapSamplingInterval, bytes) }
    }

    /// The field descriptor of a class, such as `Ljava/lang/String;`.
    ///
    /// # Safety
    /// `class` is a valid reference of the calling thread.
    #[must_use]
    pub unsafe fn class_signature(&self, class: jclass) -> Option<String> {
        let mut signature = ptr::null_mut();
        // SAFETY: see the module; the text is copied and given back.
        unsafe {
            call!(
                self,
                GetClassSignature,
                class,
                &raw mut signature,
                ptr::null_mut()
            )
            .ok()?;
            self.take_text(signature)
        }
    }

    /// The bytes of an object, header and padding included.
    ///
    /// # Safety
    /// `object` is a valid reference of the calling thread.
    #[must_use]
    pub unsafe fn object_size(&self, object: jobject) -> Option<u64> {
        let mut size = 0;
        // SAFETY: see the module; the size is written.
        unsafe { call!(self, GetObjectSize, object, &raw mut size) }.ok()?;
        u64::try_from(size).ok()
    }

    /// The calling thread's Java frames, leaf first: as many as `frames` has room for. Gives their number.
    #[must_use]
    pub fn own_stack(&self, frames: &mut [sys::jvmtiFrameInfo]) -> usize {
        let mut count = 0;
        let most = jint::try_from(frames.len()).unwrap_or(jint::MAX);
        // SAFETY: see the module; a null thread is the calling one, and `frames` has room for `most`.
        let result = unsafe {
            call!(
                self,
                GetStackTrace,
                ptr::null_mut(),
                0,
                most,
                frames.as_mut_ptr(),
                &raw mut count
            )
        };
        result.map_or(0, |()| usize::try_from(count).unwrap_or(0))
    }

    /// Makes the `jmethodID`s of a class, so that AsyncGetCallTrace, which must not make them
    /// itself, finds them.
    ///
    /// # Errors
    /// As JVMTI's `GetClassMethods`; a class that is not prepared yet is one.
    ///
    /// # Safety
    /// `class` is a valid reference of the calling thread.
    pub unsafe fn make_method_ids(&self, class: jclass) -> Result<(), JvmtiError> {
        let mut count = 0;
        let mut methods: *mut jmethodID = ptr::null_mut();
        // SAFETY: see the module.
        unsafe {
            call!(
                self,
                GetClassMethods,
                class,
                &raw mut count,
                &raw mut methods
            )?;
            self.deallocate(methods.cast());
        }
        Ok(())
    }

    /// All classes loaded so far, as local references.
    ///
    /// # Errors
    /// As JVMTI's `GetLoadedClasses`.
    pub fn loaded_classes(&self) -> Result<Vec<jclass>, JvmtiError> {
        // SAFETY: see the module.
        unsafe { self.take_array(|count, array| call!(self, GetLoadedClasses, count, array)) }
    }

    /// All live Java threads, as local references.
    ///
    /// # Errors
    /// As JVMTI's `GetAllThreads`.
    pub fn all_threads(&self) -> Result<Vec<jobject>, JvmtiError> {
        // SAFETY: see the module.
        unsafe { self.take_array(|count, array| call!(self, GetAllThreads, count, array)) }
    }

    /// The calling thread, as a local reference.
    #[must_use]
    pub fn current_thread(&self) -> Option<jobject> {
        let mut thread = ptr::null_mut();
        // SAFETY: see the module.
        unsafe { call!(self, GetCurrentThread, &raw mut thread).ok()? };
        (!thread.is_null()).then_some(thread)
    }

    /// The names of a thread and of its group.
    ///
    /// # Safety
    /// `env` is the calling thread's own, `thread` a valid reference of it.
    #[must_use]
    pub unsafe fn thread_names(
        &self,
        env: *mut JNIEnv,
        thread: jobject,
    ) -> Option<(String, Option<Box<str>>)> {
        // SAFETY: zero is a valid value of this plain C structure.
        let mut info: sys::jvmtiThreadInfo = unsafe { mem::zeroed() };
        // SAFETY: see the module; the local references that came with the answer are given back.
        unsafe {
            call!(self, GetThreadInfo, thread, &raw mut info).ok()?;
            let delete = (**env).v1_2.DeleteLocalRef;
            let group = self.group_name(env, info.thread_group);
            delete(env, info.thread_group);
            delete(env, info.context_class_loader);
            Some((self.take_text(info.name)?, group))
        }
    }

    unsafe fn group_name(&self, env: *mut JNIEnv, group: jobject) -> Option<Box<str>> {
        if group.is_null() {
            return None;
        }
        // SAFETY: zero is a valid value of this plain C structure.
        let mut info: sys::jvmtiThreadGroupInfo = unsafe { mem::zeroed() };
        // SAFETY: see the module; the local reference that came with the answer is given back.
        unsafe {
            call!(self, GetThreadGroupInfo, group, &raw mut info).ok()?;
            ((**env).v1_2.DeleteLocalRef)(env, info.parent);
            Some(self.take_text(info.name)?.into_boxed_str())
        }
    }

    unsafe fn take_array<T: Copy>(
        &self,
        fill: impl FnOnce(*mut jint, *mut *mut T) -> Result<(), JvmtiError>,
    ) -> Result<Vec<T>, JvmtiError> {
        let mut count = 0;
        let mut array: *mut T = ptr::null_mut();
        fill(&raw mut count, &raw mut array)?;
        if array.is_null() {
            return Ok(Vec::new());
        }
        // SAFETY: JVMTI filled in `count` elements; they are copied before the memory goes back.
        let copy =
            unsafe { std::slice::from_raw_parts(array, usize::try_from(count).unwrap_or(0)) }
                .to_vec();
        self.deallocate(array.cast());
        Ok(copy)
    }

    /// Copies a string that JVMTI allocated (modified UTF-8) and gives it back.
    unsafe fn take_text(&self, text: *mut std::ffi::c_char) -> Option<String> {
        if text.is_null() {
            return None;
        }
        // SAFETY: JVMTI strings end with a zero byte.
        let copy = modified_utf8_to_string(unsafe { CStr::from_ptr(text) }.to_bytes());
        self.deallocate(text.cast());
        Some(copy)
    }

    fn deallocate(&self, memory: *mut u8) {
        if !memory.is_null() {
            // SAFETY: the memory came from this environment and is not used afterwards. A failure
            // would leave it allocated, and nothing can be done about that.
            let _ = unsafe { call!(self, Deallocate, memory) };
        }
    }
}

/// Modified UTF-8 (JVM specification 4.4.7) differs from UTF-8 in the zero character and in
/// surrogate pairs; what is no text at all becomes U+FFFD.
fn modified_utf8_to_string(bytes: &[u8]) -> String {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return text.to_owned();
    }
    let mut units = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let [first, tail @ ..] = rest {
        let (unit, used) = match (first, tail) {
            (0x00..=0x7f, _) => (u16::from(*first), 1),
            (0xc0..=0xdf, [second, ..]) => {
                ((u16::from(first & 0x1f) << 6) | u16::from(second & 0x3f), 2)
            }
            (0xe0..=0xef, [second, third, ..]) => (
                (u16::from(first & 0x0f) << 12)
                    | (u16::from(second & 0x3f) << 6)
                    | u16::from(third & 0x3f),
                3,
            ),
            _ => (0xfffd, 1),
        };
        units.push(unit);
        rest = rest.get(used..).unwrap_or(&[]);
    }
    String::from_utf16_lossy(&units)
}

#[cfg(test)]
mod tests {
    use super::modified_utf8_to_string;

    #[test]
    fn surrogate_pairs_zero_and_rubbish_become_text() {
        assert_eq!(modified_utf8_to_string("Grüße".as_bytes()), "Grüße");
        assert_eq!(
            modified_utf8_to_string(b"\xed\xa0\xbd\xed\xb8\x80"),
            "\u{1f600}"
        );
        assert_eq!(modified_utf8_to_string(b"a\xc0\x80b"), "a\0b");
        assert_eq!(modified_utf8_to_string(b"\xff\xed"), "\u{fffd}\u{fffd}");
    }
}
