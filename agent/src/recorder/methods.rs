//! The methods that a chunk refers to, by the address of the JVM's `Method`.
//!
//! An address stands for a method only until its class is unloaded or redefined. So what is known of an address is compared with
//! what lies there, once in each [`Epoch`] in which a sample names it.

use std::collections::hash_map::Entry;
use std::fs::File;
use std::io::BufWriter;
use std::sync::Arc;

use jfr_writer::{ChunkWriter, ClassRef, Frame, FrameKind, MethodId, MethodRef};
use jprof_signal_safe::walker::{self, FrameType};
use rustc_hash::FxHashMap;

use super::kept::{KeptFrame, MethodText};
use super::naming::{Epoch, Naming};
use crate::hotspot::line_numbers::LineNumbers;
use crate::hotspot::names::{Footprint, MethodDescription};

/// What a chunk is written with.
pub(super) type Writer = ChunkWriter<BufWriter<File>>;

/// In place of a method's address: frames of a virtual thread that are still in the heap.
const FROZEN: usize = 0;
const FROZEN_LABEL: &str = "[frozen frames]";
/// In place of a method that has no name any more.
const UNKNOWN: &str = "[unknown_method]";

/// What labels have where methods have a descriptor and modifiers: they are native (JVM specification, table 4.6-A).
const LABEL_DESCRIPTOR: &str = "()V";
const LABEL_MODIFIERS: u32 = 0x100;

/// Methods and labels that have an id in the chunk.
#[derive(Debug, Default)]
pub(super) struct Methods {
    known: FxHashMap<usize, KnownMethod>,
    labels: Labels,
}

#[derive(Debug)]
struct KnownMethod {
    id: MethodId,
    /// Only where stacks are kept beyond the chunk.
    text: Option<Arc<MethodText>>,
    lines: LineNumbers,
    /// `None` where there was nothing to read.
    footprint: Option<Footprint>,
    /// Since when it is this method.
    since: Epoch,
    /// The last epoch in which it was compared with what lies at its address.
    checked: Epoch,
    /// The last drain in which a sample named it.
    used: u64,
    guess: Guess,
}

/// How a method runs, for walkers that cannot tell.
#[derive(Clone, Copy, Debug)]
struct Guess {
    kind: FrameKind,
    /// The drain in which it was made.
    made: u64,
}

impl Methods {
    /// The frame as the chunk has it.
    pub(super) fn frame(
        &mut self,
        frame: walker::Frame,
        naming: &mut Naming,
        writer: &mut Writer,
    ) -> Frame {
        if frame.method == FROZEN {
            return self.label(FROZEN_LABEL, writer);
        }
        let method = self.known(frame.method, naming, writer);
        let kind = match frame.position.frame_type() {
            FrameType::Interpreted => FrameKind::Interpreted,
            FrameType::C1 => FrameKind::C1,
            FrameType::C2 => FrameKind::Jit,
            FrameType::Inlined => FrameKind::Inlined,
            FrameType::Native => FrameKind::Native,
            FrameType::Unknown => method.guess(frame.method, naming),
        };
        let index = frame.position.bytecode_index().map(i32::from);
        Frame {
            method: method.id,
            line: index
                .and_then(|index| method.lines.line(index))
                .map_or(0, u32::from),
            bytecode_index: index.unwrap_or(0),
            kind,
        }
    }

    /// The frame in words.
    pub(super) fn kept_frame(
        &mut self,
        frame: walker::Frame,
        naming: &mut Naming,
        writer: &mut Writer,
    ) -> KeptFrame {
        let Frame {
            line,
            bytecode_index,
            kind,
            ..
        } = self.frame(frame, naming, writer);
        let text = self
            .known
            .get(&frame.method)
            .and_then(|method| method.text.clone());
        let label = if frame.method == FROZEN {
            FROZEN_LABEL
        } else {
            UNKNOWN
        };
        text.map_or_else(
            || kept_label(label),
            |method| KeptFrame {
                method,
                line,
                bytecode_index,
                kind,
            },
        )
    }

    /// Whether that address has led to the same method since an epoch.
    pub(super) fn same_since(
        &mut self,
        epoch: Epoch,
        address: usize,
        naming: &mut Naming,
        writer: &mut Writer,
    ) -> bool {
        address == FROZEN || self.known(address, naming, writer).since <= epoch
    }

    fn known(
        &mut self,
        address: usize,
        naming: &mut Naming,
        writer: &mut Writer,
    ) -> &mut KnownMethod {
        let labels = &mut self.labels;
        match self.known.entry(address) {
            Entry::Occupied(entry) => {
                let method = entry.into_mut();
                if method.checked != naming.epoch() {
                    method.check(address, naming, labels, writer);
                }
                method.used = naming.drain();
                method
            }
            Entry::Vacant(entry) => {
                entry.insert(KnownMethod::read(address, naming, labels, writer))
            }
        }
    }

    /// A frame that is no Java method: a reason, a VM thread or a library.
    pub(super) fn label(&mut self, label: &str, writer: &mut Writer) -> Frame {
        Frame {
            method: self.labels.id(label, writer),
            line: 0,
            bytecode_index: 0,
            kind: FrameKind::Native,
        }
    }
}

/// The words of a frame that is no Java method.
pub(super) fn kept_label(label: &str) -> KeptFrame {
    KeptFrame {
        method: Arc::new(MethodText {
            class: "".into(),
            name: label.into(),
            descriptor: LABEL_DESCRIPTOR.into(),
            modifiers: LABEL_MODIFIERS,
        }),
        line: 0,
        bytecode_index: 0,
        kind: FrameKind::Native,
    }
}

impl KnownMethod {
    fn read(address: usize, naming: &mut Naming, labels: &mut Labels, writer: &mut Writer) -> Self {
        match naming.describe(address) {
            Some(found) => Self::new(found, naming, writer),
            None => Self::unknown(labels.id(UNKNOWN, writer), naming),
        }
    }

    fn new(found: MethodDescription, naming: &Naming, writer: &mut Writer) -> Self {
        let class = writer.class(&ClassRef {
            name: &found.class_name,
            modifiers: 0,
        });
        let id = writer.method(&MethodRef {
            class,
            name: &found.name,
            descriptor: &found.descriptor,
            modifiers: found.modifiers,
            hidden: false,
        });
        let kind = match (found.is_native, found.has_compiled_code) {
            (true, _) => FrameKind::Native,
            (false, true) => FrameKind::Jit,
            (false, false) => FrameKind::Interpreted,
        };
        let text = naming.keeps_texts().then(|| {
            Arc::new(MethodText {
                class: found.class_name.into(),
                name: found.name.into(),
                descriptor: found.descriptor.into(),
                modifiers: found.modifiers,
            })
        });
        Self {
            id,
            text,
            lines: found.line_numbers,
            footprint: Some(found.footprint),
            since: naming.epoch(),
            checked: naming.epoch(),
            used: naming.drain(),
            guess: Guess {
                kind,
                made: naming.drain(),
            },
        }
    }

    fn unknown(id: MethodId, naming: &Naming) -> Self {
        Self {
            id,
            text: None,
            lines: LineNumbers::default(),
            footprint: None,
            since: naming.epoch(),
            checked: naming.epoch(),
            used: naming.drain(),
            guess: Guess {
                kind: FrameKind::Interpreted,
                made: naming.drain(),
            },
        }
    }

    /// Takes another method for it if that lies at its address now.
    fn check(
        &mut self,
        address: usize,
        naming: &mut Naming,
        labels: &mut Labels,
        writer: &mut Writer,
    ) {
        self.checked = naming.epoch();
        if let Some(footprint) = self.footprint {
            if naming.still_is(address, &footprint) {
                return;
            }
            naming.note_change();
            // What was in use a moment ago, and is gone, was sampled before it went. Of what has not been in use, another may have
            // taken the place in the meantime, and be gone as well.
            let was_in_use = self.used + 1 >= naming.drain();
            if was_in_use && !naming.is_method(address) {
                return;
            }
        }
        let now = Self::read(address, naming, labels, writer);
        let same = now.id == self.id && now.lines == self.lines;
        let since = if same { self.since } else { now.since };
        *self = Self { since, ..now };
    }

    /// What a method has compiled code for is probably run by that.
    fn guess(&mut self, address: usize, naming: &Naming) -> FrameKind {
        let Guess { kind, made } = self.guess;
        if kind == FrameKind::Interpreted && made != naming.drain() {
            self.guess.made = naming.drain();
            if naming.has_compiled_code(address) {
                self.guess.kind = FrameKind::Jit;
            }
        }
        self.guess.kind
    }
}

/// The ids of frames that are no Java methods.
#[derive(Debug, Default)]
struct Labels {
    ids: FxHashMap<Box<str>, MethodId>,
}

impl Labels {
    fn id(&mut self, label: &str, writer: &mut Writer) -> MethodId {
        if let Some(&id) = self.ids.get(label) {
            return id;
        }
        let class = writer.class(&ClassRef {
            name: "",
            modifiers: 0,
        });
        let id = writer.method(&MethodRef {
            class,
            name: label,
            descriptor: LABEL_DESCRIPTOR,
            modifiers: LABEL_MODIFIERS,
            hidden: false,
        });
        self.ids.insert(label.into(), id);
        id
    }
}
