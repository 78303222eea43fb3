//! Where the JVM keeps the parts of continuations in Java objects.
//!
//! # Safety
//! Raw JNI functions are called with the calling thread's own environment and with references that are valid on it;
//! exceptions are cleared before the call returns.
#![allow(unsafe_code)]

use std::ffi::CStr;

use jni_sys::{JNIEnv, jclass, jmethodID, jobject, jvalue};

use super::clear_exception;
use crate::hotspot::walk_layout::ContinuationFields;

/// Asks `jdk.internal.misc.Unsafe` for the fields' offsets. None before 21, and where one of them is missing.
///
/// # Safety
/// `env` is the calling thread's own.
#[must_use]
pub unsafe fn fields(env: *mut JNIEnv) -> Option<ContinuationFields> {
    // SAFETY: see the module. The local frame gives all references back.
    unsafe {
        let functions = &(**env).v1_2;
        if (functions.PushLocalFrame)(env, 16) != jni_sys::JNI_OK {
            clear_exception(env);
            return None;
        }
        let found = Asker::new(env).and_then(|asker| asker.fields());
        clear_exception(env);
        (functions.PopLocalFrame)(env, std::ptr::null_mut());
        found
    }
}

struct Asker {
    env: *mut JNIEnv,
    unsafe_object: jobject,
    object_field_offset: jmethodID,
    continuation: jclass,
    chunk: jclass,
}

impl Asker {
    unsafe fn new(env: *mut JNIEnv) -> Option<Self> {
        // SAFETY: see the module.
        unsafe {
            let functions = &(**env).v1_2;
            let class = |name: &CStr| {
                let class = (functions.FindClass)(env, name.as_ptr());
                (!class.is_null()).then_some(class)
            };
            let continuation = class(c"jdk/internal/vm/Continuation")?;
            let chunk = class(c"jdk/internal/vm/StackChunk")?;
            let unsafe_class = class(c"jdk/internal/misc/Unsafe")?;
            let get_unsafe = (functions.GetStaticMethodID)(
                env,
                unsafe_class,
                c"getUnsafe".as_ptr(),
                c"()Ljdk/internal/misc/Unsafe;".as_ptr(),
            );
            let object_field_offset = (functions.GetMethodID)(
                env,
                unsafe_class,
                c"objectFieldOffset".as_ptr(),
                c"(Ljava/lang/Class;Ljava/lang/String;)J".as_ptr(),
            );
            if get_unsafe.is_null() || object_field_offset.is_null() {
                return None;
            }
            let unsafe_object = (functions.CallStaticObjectMethodA)(
                env,
                unsafe_class,
                get_unsafe,
                std::ptr::null(),
            );
            if (functions.ExceptionCheck)(env) {
                return None;
            }
            (!unsafe_object.is_null()).then_some(Self {
                env,
                unsafe_object,
                object_field_offset,
                continuation,
                chunk,
            })
        }
    }

    unsafe fn offset(&self, class: jclass, field: &CStr) -> Option<u32> {
        // SAFETY: see the module; the arguments are those of the method's signature.
        unsafe {
            let functions = &(**self.env).v1_2;
            let name = (functions.NewStringUTF)(self.env, field.as_ptr());
            if name.is_null() {
                return None;
            }
            let arguments = [jvalue { l: class }, jvalue { l: name }];
            let offset = (functions.CallLongMethodA)(
                self.env,
                self.unsafe_object,
                self.object_field_offset,
                arguments.as_ptr(),
            );
            if (functions.ExceptionCheck)(self.env) {
                clear_exception(self.env);
                return None;
            }
            u32::try_from(offset).ok()
        }
    }

    unsafe fn fields(&self) -> Option<ContinuationFields> {
        // SAFETY: see the module. A local reference is the address of a slot that holds the object's address; what is read
        // there is used as a number only, by loads that cannot fault.
        unsafe {
            Some(ContinuationFields {
                tail: self.offset(self.continuation, c"tail")?,
                parent: self.offset(self.chunk, c"parent")?,
                sp: self.offset(self.chunk, c"sp")?,
                bottom: self.offset(self.chunk, c"bottom")?,
                size: self.offset(self.chunk, c"size")?,
                chunk_mirror: self.chunk.cast::<usize>().read_volatile(),
            })
        }
    }
}
