//! Events as text, once from what was written and once from what was read.

use jfr_reader::{Event, StackTraceView, Value};
use jfr_writer::{FrameKind, MAX_TEXT_BYTES, ThreadState};

use crate::story::{Method, Thread};

pub(crate) const NULL: &str = "null";

pub(crate) fn quote(text: &str) -> String {
    format!("{:?}", &text[..text.floor_char_boundary(MAX_TEXT_BYTES)])
}

pub(crate) fn thread(thread: &Thread) -> String {
    format!(
        "{{osName={} osThreadId={} javaName={} javaThreadId={} group={}}}",
        quote(&thread.os_name),
        thread.os_id as i64,
        thread.java_name.as_deref().map_or(NULL.into(), quote),
        thread.java_id as i64,
        thread.group.as_deref().map_or(NULL.into(), quote),
    )
}

pub(crate) fn state(state: ThreadState, prefix: &str) -> String {
    let name = match state {
        ThreadState::Runnable => "RUNNABLE",
        ThreadState::Contended => "CONTENDED",
        ThreadState::Parked => "PARKED",
        ThreadState::Waiting => "WAITING",
        ThreadState::Sleeping => "SLEEPING",
        ThreadState::Syscall => "SYSCALL",
    };
    format!("\"{prefix}{name}\"")
}

pub(crate) fn frame(method: &Method, line: i32, bytecode_index: i32, kind: FrameKind) -> String {
    let kind = match kind {
        FrameKind::Interpreted => "Interpreted",
        FrameKind::Jit => "JIT compiled",
        FrameKind::Inlined => "Inlined",
        FrameKind::Native => "Native",
        FrameKind::Cpp => "C++",
        FrameKind::Kernel => "Kernel",
        FrameKind::C1 => "C1 compiled",
    };
    format!(
        "{}.{}{}:{line}:{bytecode_index}:{kind}",
        quote(&method.class),
        quote(&method.name),
        quote(&method.descriptor),
    )
}

pub(crate) fn stack(truncated: bool, frames: impl Iterator<Item = String>) -> String {
    format!("{truncated}[{}]", frames.collect::<Vec<_>>().join(", "))
}

/// An event with its fields in the order of the file.
pub(crate) fn event(event: &Event<'_>) -> String {
    line(event.type_name(), &fields(event))
}

/// An event with its fields in the order of their names.
pub(crate) fn sorted_event(event: &Event<'_>) -> String {
    sorted_line(event.type_name(), fields(event))
}

pub(crate) fn sorted_line(ty: &str, mut fields: Vec<(String, String)>) -> String {
    fields.sort();
    line(ty, &fields)
}

fn line(ty: &str, fields: &[(String, String)]) -> String {
    let mut line = ty.to_owned();
    for (name, value) in fields {
        line += &format!(" {name}={value}");
    }
    line
}

fn fields(event: &Event<'_>) -> Vec<(String, String)> {
    let shown = |(field, value): (jfr_reader::Field<'_>, Option<Value<'_>>)| {
        let value = match field.type_name() {
            "jdk.types.StackTrace" => event.stack_trace().map(stack_trace),
            _ => value.map(self::value),
        };
        (
            field.name().to_owned(),
            value.unwrap_or_else(|| NULL.into()),
        )
    };
    event.fields().fields().map(shown).collect()
}

fn stack_trace(trace: StackTraceView<'_>) -> String {
    let frames = trace.frames().map(|frame| {
        let [class, name, descriptor] =
            [frame.class_name(), frame.method_name(), frame.descriptor()]
                .map(|name| name.map_or(NULL.into(), |name| quote(&name)));
        let kind = frame.kind().unwrap_or_default();
        let [line, bytecode_index] = [frame.line(), frame.bytecode_index()]
            .map(|number| number.map_or(NULL.into(), |number| number.to_string()));
        format!("{class}.{name}{descriptor}:{line}:{bytecode_index}:{kind}")
    });
    stack(trace.truncated(), frames)
}

fn value(value: Value<'_>) -> String {
    match value {
        Value::Int(number) => number.to_string(),
        Value::Long(number) => number.to_string(),
        Value::Float(number) => format!("{number:?}"),
        Value::Boolean(is) => is.to_string(),
        Value::Struct(class) if class.ty().name() == "java.lang.Class" => {
            class.text("name").map_or(NULL.into(), |name| quote(&name))
        }
        Value::String(text) => quote(&text),
        Value::Struct(fields) if fields.ty().name() == "java.lang.Thread" => {
            let fields: Vec<String> = fields
                .fields()
                .map(|(field, value)| {
                    format!(
                        "{}={}",
                        field.name(),
                        value.map_or(NULL.into(), self::value)
                    )
                })
                .collect();
            format!("{{{}}}", fields.join(" "))
        }
        Value::Struct(group) if group.ty().name() == "jdk.types.ThreadGroup" => {
            group.text("name").map_or(NULL.into(), |name| quote(&name))
        }
        other => match other.into_text() {
            Some(text) => quote(&text),
            None => "a type that no event should have".into(),
        },
    }
}
