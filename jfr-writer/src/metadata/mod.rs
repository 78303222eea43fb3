//! The metadata event: what types and events there are, made from the tables that write them.

mod tree;
mod types;

pub(crate) use types::{Member, Structure, Type, TypeIds};

use crate::dialect::Dialect;
use crate::event::{self, Definition, Unit};
use crate::pool;
use tree::{Element, put_tree};
use types::BASIC_TYPES;

/// Type of the metadata event itself.
const METADATA_EVENT: u64 = 0;

/// The metadata event's bytes without the size in front: constant but for its id and the pools' type ids.
pub(crate) fn encode(
    dialect: Dialect,
    ids: TypeIds,
    metadata_id: u64,
    start_ticks: u64,
) -> Vec<u8> {
    let mut out = Vec::new();
    let duration_ticks = 0;
    for field in [METADATA_EVENT, start_ticks, duration_ticks, metadata_id] {
        crate::encode::put_long(&mut out, field);
    }
    put_tree(&mut out, &root(dialect, ids));
    out
}

fn root(dialect: Dialect, ids: TypeIds) -> Element {
    let classes = BASIC_TYPES
        .iter()
        .chain(pool::structures(dialect))
        .map(|structure| structure_element(structure, ids))
        .chain(event::definitions(dialect).map(|event| event_element(&event, ids)));
    Element::new("root")
        .child(Element::new("metadata").children(classes))
        .child(
            Element::new("region")
                .attribute("locale", "en")
                .attribute("gmtOffset", "0"),
        )
}

fn structure_element(structure: &Structure, ids: TypeIds) -> Element {
    let mut class = Element::new("class")
        .attribute("id", ids.id(structure.ty).to_string())
        .attribute("name", structure.name);
    if structure.annotation {
        class = class.attribute("superType", "java.lang.annotation.Annotation");
    }
    if structure.simple {
        class = class.attribute("simpleType", "true");
    }
    class
        .children(
            structure
                .label
                .map(|label| text_annotation(ids, Type::Label, label)),
        )
        .children(
            structure
                .content_type
                .then(|| annotation(ids, Type::Content)),
        )
        .children(structure.members.iter().map(|member| {
            field_element(ids, member.name, member.ty, member.array).children(
                member
                    .label
                    .map(|label| text_annotation(ids, Type::Label, label)),
            )
        }))
}

fn event_element(event: &Definition, ids: TypeIds) -> Element {
    let mut category = annotation(ids, Type::Category);
    for (attribute, name) in ["value-0", "value-1"].into_iter().zip(event.event.category) {
        category = category.attribute(attribute, *name);
    }
    let description = event.event.description;
    Element::new("class")
        .attribute("id", event.event.id.to_string())
        .attribute("name", event.event.name)
        .attribute("superType", "jdk.jfr.Event")
        .child(text_annotation(ids, Type::Label, event.event.label))
        .child(category)
        .children(description.map(|text| text_annotation(ids, Type::Description, text)))
        .children(event.fields.iter().map(|(field, ty)| {
            field_element(ids, field.name, *ty, false)
                .child(text_annotation(ids, Type::Label, field.label))
                .children(
                    field
                        .description
                        .map(|text| text_annotation(ids, Type::Description, text)),
                )
                .children(unit_annotations(ids, field.unit))
        }))
}

fn field_element(ids: TypeIds, name: &'static str, ty: Type, array: bool) -> Element {
    let mut field = Element::new("field")
        .attribute("name", name)
        .attribute("class", ids.id(ty).to_string());
    if ty.has_pool() {
        field = field.attribute("constantPool", "true");
    }
    if array {
        field = field.attribute("dimension", "1");
    }
    field
}

fn annotation(ids: TypeIds, ty: Type) -> Element {
    Element::new("annotation").attribute("class", ids.id(ty).to_string())
}

fn text_annotation(ids: TypeIds, ty: Type, text: &str) -> Element {
    annotation(ids, ty).attribute("value", text)
}

fn unit_annotations(ids: TypeIds, unit: Unit) -> Vec<Element> {
    match unit {
        Unit::None => Vec::new(),
        Unit::TimestampTicks => vec![text_annotation(ids, Type::Timestamp, "TICKS")],
        Unit::TimestampUnixMillis => {
            vec![text_annotation(
                ids,
                Type::Timestamp,
                "MILLISECONDS_SINCE_EPOCH",
            )]
        }
        Unit::Nanos => vec![text_annotation(ids, Type::Timespan, "NANOSECONDS")],
        Unit::Millis => vec![text_annotation(ids, Type::Timespan, "MILLISECONDS")],
        Unit::Bytes => vec![text_annotation(ids, Type::DataAmount, "BYTES")],
        Unit::Fraction => vec![annotation(ids, Type::Percentage)],
        Unit::Unsigned => vec![annotation(ids, Type::Unsigned)],
        Unit::Address => vec![
            annotation(ids, Type::Unsigned),
            annotation(ids, Type::MemoryAddress),
        ],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    fn attribute<'e>(element: &'e Element, name: &str) -> Option<&'e str> {
        element
            .attributes
            .iter()
            .find(|(key, _)| *key == name)
            .map(|(_, value)| value.as_str())
    }

    /// Every element below, with the one above it.
    fn pairs(element: &Element) -> Vec<(&Element, &Element)> {
        let below = element.children.iter();
        below
            .flat_map(|child| std::iter::once((element, child)).chain(pairs(child)))
            .collect()
    }

    fn for_each_dialect(check: impl Fn(&Element)) {
        for dialect in [Dialect::DataKit, Dialect::Jdk] {
            check(&root(dialect, TypeIds::of_chunk(5)));
        }
    }

    /// An annotation or a field of a type that is not there ends DataKit's worker for good.
    #[test]
    fn every_type_that_is_named_is_defined_once() {
        for_each_dialect(|root| {
            let ids: Vec<&str> = pairs(root)
                .iter()
                .filter_map(|(_, element)| attribute(element, "id"))
                .collect();
            let defined: HashSet<&str> = ids.iter().copied().collect();
            assert_eq!(ids.len(), defined.len());
            let named: HashSet<&str> = pairs(root)
                .iter()
                .filter_map(|(_, element)| attribute(element, "class"))
                .collect();
            assert_eq!(
                named.difference(&defined).collect::<Vec<_>>(),
                Vec::<&&str>::new()
            );
        });
    }

    #[test]
    fn elements_stand_where_strict_readers_expect_them() {
        for_each_dialect(|root| {
            assert_eq!(root.name, "root");
            for (parent, child) in pairs(root) {
                let place = (parent.name, child.name);
                let known = [
                    ("root", "metadata"),
                    ("root", "region"),
                    ("metadata", "class"),
                    ("class", "field"),
                    ("class", "annotation"),
                    ("field", "annotation"),
                ];
                assert!(known.contains(&place), "{place:?}");
            }
        });
    }

    #[test]
    fn spans_and_times_say_their_unit() {
        let ids = TypeIds::of_chunk(5);
        let [span, time] = [Type::Timespan, Type::Timestamp].map(|ty| ids.id(ty).to_string());
        let known = [
            "TICKS",
            "NANOSECONDS",
            "MILLISECONDS",
            "MILLISECONDS_SINCE_EPOCH",
        ];
        for_each_dialect(|root| {
            for (_, element) in pairs(root)
                .iter()
                .filter(|(_, element)| element.name == "annotation")
            {
                let class = attribute(element, "class");
                if class == Some(&span) || class == Some(&time) {
                    assert!(
                        attribute(element, "value").is_some_and(|unit| known.contains(&unit)),
                        "{element:?}"
                    );
                }
            }
        });
    }
}
