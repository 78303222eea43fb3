//! The system properties, by calls into Java.
//!
//! # Safety
//! The environment handed to the crate `jni` is the calling thread's own.
#![allow(unsafe_code)]

use jni::errors::{Error, LogErrorAndDefault};
use jni::objects::{JObject, JObjectArray, JString};
use jni::{Env, EnvUnowned, jni_sig, jni_str};
use jni_sys::JNIEnv;

/// `System.getProperties()` as pairs, sorted by name; empty when Java refuses.
///
/// # Safety
/// `env` is the calling thread's own, and the JVM is in its live phase.
#[must_use]
pub unsafe fn system_properties(env: *mut JNIEnv) -> Vec<(String, String)> {
    // SAFETY: the caller vouches for the environment.
    let mut unowned = unsafe { EnvUnowned::from_raw(env) };
    let mut pairs = unowned.with_env(read).resolve::<LogErrorAndDefault>();
    pairs.sort();
    pairs
}

fn read(env: &mut Env<'_>) -> Result<Vec<(String, String)>, Error> {
    env.with_local_frame(16, |env| {
        let properties = env
            .call_static_method(
                jni_str!("java/lang/System"),
                jni_str!("getProperties"),
                jni_sig!("()Ljava/util/Properties;"),
                &[],
            )?
            .l()?;
        let names = env
            .call_method(
                &properties,
                jni_str!("stringPropertyNames"),
                jni_sig!("()Ljava/util/Set;"),
                &[],
            )?
            .l()?;
        let names = env
            .call_method(
                &names,
                jni_str!("toArray"),
                jni_sig!("()[Ljava/lang/Object;"),
                &[],
            )?
            .l()?;
        let names = env.cast_local::<JObjectArray<JObject>>(names)?;
        let count = names.len(env)?;
        let mut pairs = Vec::with_capacity(count);
        for place in 0..count {
            pairs.push(env.with_local_frame(8, |env| pair(env, &properties, &names, place))?);
        }
        Ok(pairs)
    })
}

fn pair(
    env: &mut Env<'_>,
    properties: &JObject<'_>,
    names: &JObjectArray<'_, JObject<'_>>,
    place: usize,
) -> Result<(String, String), Error> {
    let name = names.get_element(env, place)?;
    let name = env.cast_local::<JString>(name)?;
    let value = env
        .call_method(
            properties,
            jni_str!("getProperty"),
            jni_sig!("(Ljava/lang/String;)Ljava/lang/String;"),
            &[(&name).into()],
        )?
        .l()?;
    let value = if value.is_null() {
        String::new()
    } else {
        env.cast_local::<JString>(value)?.try_to_string(env)?
    };
    Ok((name.try_to_string(env)?, value))
}
