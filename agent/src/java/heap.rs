//! Objects that are held weakly, and what the heap holds.
//!
//! # Safety
//! As in the module above: every call is made with the calling thread's own environment.
#![allow(unsafe_code)]

use jni_sys::{JNIEnv, jclass, jmethodID, jobject, jweak};
use std::ffi::CStr;
use std::ptr;

use super::clear_exception;

/// A weak reference to an object. It is given back by [`WeakObject::delete`], and by nothing else: a drop has no environment.
#[derive(Debug, PartialEq, Eq)]
pub struct WeakObject(jweak);

// SAFETY: weak global references may be used on every attached thread (JNI specification).
unsafe impl Send for WeakObject {}

impl WeakObject {
    /// Holds an object weakly. `None` when the JVM has no memory for that.
    ///
    /// # Safety
    /// `env` is the calling thread's own, `object` a valid reference on it.
    #[must_use]
    pub unsafe fn new(env: *mut JNIEnv, object: jobject) -> Option<Self> {
        // SAFETY: the caller vouches for both.
        unsafe {
            let reference = ((**env).v1_2.NewWeakGlobalRef)(env, object);
            if reference.is_null() {
                clear_exception(env);
                return None;
            }
            Some(Self(reference))
        }
    }

    /// Whether a garbage collection has found the object dead.
    ///
    /// # Safety
    /// `env` is the calling thread's own.
    #[must_use]
    pub unsafe fn is_dead(&self, env: *mut JNIEnv) -> bool {
        // SAFETY: the reference is ours and was not given back.
        unsafe { ((**env).v1_2.IsSameObject)(env, self.0, ptr::null_mut()) }
    }

    /// Gives the reference back.
    ///
    /// # Safety
    /// `env` is the calling thread's own.
    pub unsafe fn delete(self, env: *mut JNIEnv) {
        // SAFETY: the reference is ours, and nobody uses it after this.
        unsafe { ((**env).v1_2.DeleteWeakGlobalRef)(env, self.0) };
    }
}

/// Makes objects that nobody holds, and asks how much of the heap is used.
#[derive(Clone, Copy, Debug)]
pub struct JavaHeap {
    object_class: jclass,
    runtime: jobject,
    total_memory: jmethodID,
    free_memory: jmethodID,
}

// SAFETY: global references and method ids may be used on every attached thread.
unsafe impl Send for JavaHeap {}
// SAFETY: as above.
unsafe impl Sync for JavaHeap {}

impl JavaHeap {
    /// Finds what it takes. Two global references stay for ever: once in a process.
    ///
    /// # Safety
    /// `env` is the calling thread's own, in the live phase.
    #[must_use]
    pub unsafe fn learn(env: *mut JNIEnv) -> Option<Self> {
        // SAFETY: see the module; classes of java.base that every JDK has, and what fails leaves a null and an exception.
        let found = unsafe {
            let functions = &(**env).v1_2;
            (functions.PushLocalFrame)(env, 8);
            let found = Self::find(env);
            (functions.PopLocalFrame)(env, ptr::null_mut());
            found
        };
        if found.is_none() {
            // SAFETY: see the module.
            unsafe { clear_exception(env) };
        }
        found
    }

    unsafe fn find(env: *mut JNIEnv) -> Option<Self> {
        // SAFETY: the caller vouches for the environment; each result is looked at before it is used.
        unsafe {
            let functions = &(**env).v1_2;
            let class = |name: &CStr| some((functions.FindClass)(env, name.as_ptr()));
            let global = |reference| some((functions.NewGlobalRef)(env, reference));
            let object_class = class(c"java/lang/Object")?;
            let runtime_class = class(c"java/lang/Runtime")?;
            let get_runtime = some((functions.GetStaticMethodID)(
                env,
                runtime_class,
                c"getRuntime".as_ptr(),
                c"()Ljava/lang/Runtime;".as_ptr(),
            ))?;
            let method = |name: &CStr| {
                some((functions.GetMethodID)(
                    env,
                    runtime_class,
                    name.as_ptr(),
                    c"()J".as_ptr(),
                ))
            };
            let (total_memory, free_memory) = (method(c"totalMemory")?, method(c"freeMemory")?);
            let runtime =
                (functions.CallStaticObjectMethodA)(env, runtime_class, get_runtime, ptr::null());
            let runtime = some(runtime).filter(|_| !(functions.ExceptionCheck)(env))?;
            Some(Self {
                object_class: global(object_class)?,
                runtime: global(runtime)?,
                total_memory,
                free_memory,
            })
        }
    }

    /// A new object that is held by nobody but weakly: the next collection finds it dead.
    ///
    /// # Safety
    /// `env` is the calling thread's own.
    #[must_use]
    pub unsafe fn new_garbage(&self, env: *mut JNIEnv) -> Option<WeakObject> {
        // SAFETY: the class is a global reference; the local one is given back.
        unsafe {
            let functions = &(**env).v1_2;
            let object = (functions.AllocObject)(env, self.object_class);
            if object.is_null() {
                clear_exception(env);
                return None;
            }
            let weak = WeakObject::new(env, object);
            (functions.DeleteLocalRef)(env, object);
            weak
        }
    }

    /// The used part of the heap in bytes, dead objects included (`Runtime::totalMemory` less `freeMemory`).
    ///
    /// # Safety
    /// `env` is the calling thread's own.
    #[must_use]
    pub unsafe fn used(&self, env: *mut JNIEnv) -> Option<u64> {
        // SAFETY: the object is a global reference to a java.lang.Runtime, the methods are its own, and take nothing.
        unsafe {
            let functions = &(**env).v1_2;
            let ask = |method| {
                let bytes = (functions.CallLongMethodA)(env, self.runtime, method, ptr::null());
                if (functions.ExceptionCheck)(env) {
                    clear_exception(env);
                    return None;
                }
                Some(bytes)
            };
            u64::try_from(ask(self.total_memory)? - ask(self.free_memory)?).ok()
        }
    }
}

fn some<T>(pointer: *mut T) -> Option<*mut T> {
    (!pointer.is_null()).then_some(pointer)
}
