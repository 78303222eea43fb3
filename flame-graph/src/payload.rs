//! The profile as bytes: what `assets/profile.js` reads.
//!
//! All numbers are little-endian base-128 varints, a text is its length in bytes and its UTF-8.
//!
//! ```text
//! version (2)  title  unit
//! notes:  count, texts
//! names:  count, texts
//! frames: count, then per frame: number of its name, kind
//! kinds:  count, then per kind: own value of all frames of that kind
//! nodes:  count, own value of the root, then three columns of one number per node in preorder:
//!         frame; depth before + 1 - depth; own value
//! shares: count, then three columns of one number per share, by node:
//!         number of the node in preorder, the root being 0, less that of the share before;
//!         kind; weight
//! ```
//!
//! A node's frame is the heaviest of those that share it. Each of the others is a share, of
//! another kind and the same name; what the shares leave of the node's total is the frame's.
//!
//! Columns, because numbers of one meaning next to each other compress best.

use std::io::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::FlameGraph;
use crate::tree::Preorder;

const VERSION: u64 = 2;

pub(crate) fn encode(graph: &FlameGraph) -> String {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::new(6));
    gzip.write_all(&stream(graph))
        .expect("a vector takes all bytes");
    STANDARD.encode(gzip.finish().expect("a vector takes all bytes"))
}

fn stream(graph: &FlameGraph) -> Vec<u8> {
    let frames = &graph.frames;
    let Preorder { steps, shares } = graph.tree.preorder(|frame| frames.name(frame));
    let mut out = Vec::with_capacity(steps.len() * 5 + shares.len() * 4);
    put(&mut out, VERSION);
    put_text(&mut out, &graph.title);
    put_text(&mut out, &graph.unit);
    put(&mut out, graph.notes.len() as u64);
    for note in &graph.notes {
        put_text(&mut out, note);
    }
    put(&mut out, frames.names.len() as u64);
    for name in &frames.names {
        put_text(&mut out, name);
    }
    put(&mut out, frames.frames.len() as u64);
    for &(name, kind) in &frames.frames {
        put(&mut out, u64::from(name));
        put(&mut out, kind as u64);
    }
    put(&mut out, graph.own_of_kind.len() as u64);
    for &own in &graph.own_of_kind {
        put(&mut out, own);
    }
    put(&mut out, steps.len() as u64);
    put(&mut out, graph.tree.root_own());
    for step in &steps {
        put(&mut out, u64::from(step.frame));
    }
    let mut before = 0;
    for step in &steps {
        put(&mut out, u64::from(before + 1 - step.depth));
        before = step.depth;
    }
    for step in &steps {
        put(&mut out, step.own);
    }
    put(&mut out, shares.len() as u64);
    let mut before = 0;
    for share in &shares {
        let node = share.step + 1;
        put(&mut out, u64::from(node - before));
        before = node;
    }
    for share in &shares {
        put(&mut out, frames.kind(share.frame) as u64);
    }
    for share in &shares {
        put(&mut out, share.weight);
    }
    out
}

fn put(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    put(out, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FrameKind;
    use std::io::Read;

    #[test]
    fn the_stream_is_what_its_description_says() {
        let mut graph = FlameGraph::new("T", "ns");
        let a = graph.frame("aé", FrameKind::C1);
        let b = graph.frame("b", FrameKind::Kernel);
        graph.add(&[a, b], 300);
        graph.add(&[b], 1);
        graph.add(&[], 2);
        let compiled = graph.frame("aé", FrameKind::Jit);
        graph.add(&[compiled], 3);
        graph.note("n");
        let head: &[u8] = b"\x02\x01T\x02ns\x01\x01n";
        let names: &[u8] = b"\x02\x03a\xc3\xa9\x01b";
        let frames: &[u8] = &[3, 0, 1, 1, 6, 0, 2];
        let kinds: &[u8] = &[9, 0, 0, 3, 0, 0, 0, 0xad, 2, 0, 0];
        let nodes: &[u8] = &[3, 2, 0, 1, 1, 0, 0, 2, 3, 0xac, 2, 1];
        let shares: &[u8] = &[1, 1, 2, 3];
        let parts = [head, names, frames, kinds, nodes, shares];
        assert_eq!(stream(&graph), parts.concat());
    }

    #[test]
    fn the_payload_is_base64_of_gzip() {
        let graph = FlameGraph::new("T", "samples");
        let gzip = STANDARD.decode(encode(&graph)).expect("base64");
        let mut plain = Vec::new();
        flate2::read::GzDecoder::new(&gzip[..])
            .read_to_end(&mut plain)
            .expect("gzip");
        assert_eq!(plain, stream(&graph));
    }

    #[test]
    fn the_largest_number_takes_ten_bytes() {
        let mut out = Vec::new();
        put(&mut out, u64::MAX);
        assert_eq!(
            out,
            [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]
        );
    }
}
