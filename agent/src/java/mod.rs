//! Calls into Java, and what is read of Java's thread objects.
//!
//! # Safety
//! Raw JNI functions are called with the calling thread's own environment and with references that
//! are valid on it; exceptions are cleared before the call returns. The fields read (`eetop` and
//! `tid` of java.lang.Thread) exist in JDK 8 to 25; a JVM without them makes `learn` fail.
#![allow(unsafe_code)]

#[cfg(target_arch = "x86_64")]
pub mod continuations;
mod heap;
mod properties;

pub use heap::{JavaHeap, WeakObject};
pub use properties::system_properties;

use std::ffi::{CStr, c_void};
use std::ptr;

use jni_sys::{JNIEnv, JavaVM, jfieldID, jobject};

use crate::jvmti::Jvmti;
use crate::threads::JavaIdentity;

/// The JVM's side of threads.
#[derive(Clone, Copy, Debug)]
pub struct JavaThreads {
    vm: *mut JavaVM,
    jvmti: Jvmti,
    eetop: jfieldID,
    id: jfieldID,
    /// From a `JavaThread*` to its `JNIEnv*`.
    env_distance: usize,
}

// SAFETY: the JVM, JVMTI environments and field ids may be used on every attached thread.
unsafe impl Send for JavaThreads {}
// SAFETY: as above.
unsafe impl Sync for JavaThreads {}

/// One live Java thread.
#[derive(Debug)]
pub struct LiveThread {
    /// The VM's `JavaThread*`.
    pub java_thread: usize,
    /// Its `JNIEnv*`.
    pub env: usize,
    /// Who it is.
    pub identity: JavaIdentity,
}

impl JavaThreads {
    /// Learns the layout from the calling thread.
    ///
    /// # Errors
    /// In words: what this JVM does not have.
    ///
    /// # Safety
    /// `vm` is the JVM, `env` the calling thread's own, and the JVM is in its live phase.
    pub unsafe fn learn(
        vm: *mut JavaVM,
        jvmti: Jvmti,
        env: *mut JNIEnv,
    ) -> Result<Self, &'static str> {
        // SAFETY: see the module.
        unsafe {
            let functions = &(**env).v1_2;
            let class = (functions.FindClass)(env, c"java/lang/Thread".as_ptr());
            if class.is_null() {
                clear_exception(env);
                return Err("java.lang.Thread is not found");
            }
            let field = |name: &CStr| {
                let id = (functions.GetFieldID)(env, class, name.as_ptr(), c"J".as_ptr());
                if id.is_null() {
                    clear_exception(env);
                }
                id
            };
            let (eetop, id) = (field(c"eetop"), field(c"tid"));
            (functions.DeleteLocalRef)(env, class);
            if eetop.is_null() || id.is_null() {
                return Err("java.lang.Thread has no field eetop or tid");
            }
            let mut threads = Self {
                vm,
                jvmti,
                eetop,
                id,
                env_distance: 0,
            };
            let current = jvmti
                .current_thread()
                .ok_or("GetCurrentThread is refused")?;
            let java_thread = threads.java_thread(env, current);
            (functions.DeleteLocalRef)(env, current);
            threads.env_distance = (env as usize)
                .checked_sub(java_thread)
                .ok_or("the thread object is not understood")?;
            Ok(threads)
        }
    }

    unsafe fn java_thread(&self, env: *mut JNIEnv, thread: jobject) -> usize {
        // SAFETY: `thread` is a java.lang.Thread, `eetop` one of its long fields.
        unsafe { ((**env).v1_2.GetLongField)(env, thread, self.eetop) as usize }
    }

    /// Who a thread is. None when the JVM does not tell (it ends at this moment).
    ///
    /// # Safety
    /// `env` is the calling thread's own, `thread` a reference valid on it.
    #[must_use]
    pub unsafe fn identity(&self, env: *mut JNIEnv, thread: jobject) -> Option<JavaIdentity> {
        // SAFETY: the caller vouches for both; `tid` is a long field of java.lang.Thread.
        unsafe {
            let (name, group) = self.jvmti.thread_names(env, thread)?;
            let id = ((**env).v1_2.GetLongField)(env, thread, self.id).cast_unsigned();
            Some(JavaIdentity { name, id, group })
        }
    }

    /// All live Java threads that JVMTI shows.
    ///
    /// # Safety
    /// `env` is the calling thread's own.
    #[must_use]
    pub unsafe fn live_threads(&self, env: *mut JNIEnv) -> Vec<LiveThread> {
        let Ok(threads) = self.jvmti.all_threads() else {
            return Vec::new();
        };
        // SAFETY: the references came from JVMTI for this thread and are given back one by one.
        threads
            .into_iter()
            .filter_map(|thread| unsafe {
                let java_thread = self.java_thread(env, thread);
                let identity = self.identity(env, thread);
                ((**env).v1_2.DeleteLocalRef)(env, thread);
                let identity = identity.filter(|_| java_thread != 0)?;
                Some(LiveThread {
                    java_thread,
                    env: java_thread + self.env_distance,
                    identity,
                })
            })
            .collect()
    }

    /// The id of the method that mounts continuations; none before 21.
    ///
    /// # Safety
    /// `env` is the calling thread's own.
    #[must_use]
    pub unsafe fn enter_special(&self, env: *mut JNIEnv) -> Option<usize> {
        // SAFETY: see the module.
        unsafe {
            let functions = &(**env).v1_2;
            let class = (functions.FindClass)(env, c"jdk/internal/vm/Continuation".as_ptr());
            if class.is_null() {
                clear_exception(env);
                return None;
            }
            let id = (functions.GetStaticMethodID)(
                env,
                class,
                c"enterSpecial".as_ptr(),
                c"(Ljdk/internal/vm/Continuation;ZZ)V".as_ptr(),
            );
            if id.is_null() {
                clear_exception(env);
            }
            (functions.DeleteLocalRef)(env, class);
            (!id.is_null()).then_some(id as usize)
        }
    }

    /// From a `JavaThread*` to its `JNIEnv*`, in bytes.
    #[must_use]
    pub const fn env_distance(&self) -> usize {
        self.env_distance
    }

    /// Attaches the calling thread as a daemon under this name.
    #[must_use]
    pub fn attach_current(&self, name: &CStr) -> Option<*mut JNIEnv> {
        let mut arguments = jni_sys::JavaVMAttachArgs {
            version: jni_sys::JNI_VERSION_1_6,
            name: name.as_ptr().cast_mut(),
            group: ptr::null_mut(),
        };
        let mut env: *mut c_void = ptr::null_mut();
        // SAFETY: `vm` is the JVM; it copies the arguments and writes the environment.
        let code = unsafe {
            ((**self.vm).v1_4.AttachCurrentThreadAsDaemon)(
                self.vm,
                &raw mut env,
                (&raw mut arguments).cast(),
            )
        };
        (code == jni_sys::JNI_OK && !env.is_null()).then_some(env.cast())
    }
}

/// Detaches the calling thread from the JVM.
#[allow(clippy::not_unsafe_ptr_arg_deref)]
pub fn detach_current(vm: *mut JavaVM) {
    // SAFETY: `vm` is the JVM; detaching a thread that is not attached is an error code only.
    unsafe { ((**vm).v1_2.DetachCurrentThread)(vm) };
}

pub(super) unsafe fn clear_exception(env: *mut JNIEnv) {
    // SAFETY: the environment is the calling thread's.
    unsafe { ((**env).v1_2.ExceptionClear)(env) };
}
