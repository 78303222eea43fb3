//! The metadata event's form: a table of texts, and a tree of elements that point into it.

use rustc_hash::FxHashMap;

use crate::encode::{put_long, put_text};

/// An element with its attributes and children.
#[derive(Debug)]
pub(crate) struct Element {
    pub(super) name: &'static str,
    pub(super) attributes: Vec<(&'static str, String)>,
    pub(super) children: Vec<Element>,
}

impl Element {
    pub(crate) fn new(name: &'static str) -> Self {
        Self {
            name,
            attributes: Vec::new(),
            children: Vec::new(),
        }
    }

    pub(crate) fn attribute(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.attributes.push((name, value.into()));
        self
    }

    pub(crate) fn child(mut self, child: Element) -> Self {
        self.children.push(child);
        self
    }

    pub(crate) fn children(mut self, children: impl IntoIterator<Item = Element>) -> Self {
        self.children.extend(children);
        self
    }
}

/// Writes the table of texts and the tree below `root`.
pub(crate) fn put_tree(out: &mut Vec<u8>, root: &Element) {
    let mut texts = Texts::default();
    let mut tree = Vec::new();
    put_element(&mut tree, &mut texts, root);
    put_long(out, texts.in_order.len() as u64);
    for text in texts.in_order {
        put_text(out, Some(text));
    }
    out.append(&mut tree);
}

#[derive(Default)]
struct Texts<'t> {
    numbers: FxHashMap<&'t str, u64>,
    in_order: Vec<&'t str>,
}

impl<'t> Texts<'t> {
    fn number(&mut self, text: &'t str) -> u64 {
        *self.numbers.entry(text).or_insert_with(|| {
            self.in_order.push(text);
            self.in_order.len() as u64 - 1
        })
    }
}

fn put_element<'t>(out: &mut Vec<u8>, texts: &mut Texts<'t>, element: &'t Element) {
    put_long(out, texts.number(element.name));
    put_long(out, element.attributes.len() as u64);
    for (name, value) in &element.attributes {
        put_long(out, texts.number(name));
        put_long(out, texts.number(value));
    }
    put_long(out, element.children.len() as u64);
    for child in &element.children {
        put_element(out, texts, child);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_shared_and_come_before_the_tree() {
        let root = Element::new("root")
            .child(Element::new("a").attribute("id", "root"))
            .children([Element::new("a")]);
        let mut out = Vec::new();
        put_tree(&mut out, &root);
        let mut expected = vec![3];
        for text in ["root", "a", "id"] {
            put_text(&mut expected, Some(text));
        }
        expected.extend_from_slice(&[0, 0, 2]);
        expected.extend_from_slice(&[1, 1, 2, 0, 0]);
        expected.extend_from_slice(&[1, 0, 0]);
        assert_eq!(out, expected);
    }
}
