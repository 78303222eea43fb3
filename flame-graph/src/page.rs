//! The HTML around the profile.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

/// The page's whole script, one closed scope.
pub const SCRIPT: &str = concat!(
    "(() => {\n'use strict';\n",
    include_str!("../assets/text.js"),
    include_str!("../assets/profile.js"),
    include_str!("../assets/search.js"),
    include_str!("../assets/methods.js"),
    include_str!("../assets/colours.js"),
    include_str!("../assets/chart.js"),
    include_str!("../assets/list.js"),
    include_str!("../assets/methods-view.js"),
    include_str!("../assets/app.js"),
    "})();\n",
);

/// The page's style.
pub const STYLE: &str = include_str!("../assets/flame-graph.css");

const PAGE: &str = include_str!("../assets/page.html");

/// Where a server keeps what [`crate::FlameGraph::render_linked`] does not write into the page.
#[derive(Clone, Copy, Debug)]
pub struct Linked<'a> {
    /// Address that answers with [`SCRIPT`].
    pub script: &'a str,
    /// Address that answers with [`STYLE`].
    pub style: &'a str,
    /// Links beside the title: address and text.
    pub links: &'a [(String, String)],
}

/// One file: script and style stand in the page, and the policy names their hashes.
pub(crate) fn inline(title: &str, data: &str) -> String {
    let policy = format!(
        "default-src 'none'; script-src '{}'; style-src '{}'; base-uri 'none'; form-action 'none'",
        source_hash(SCRIPT),
        source_hash(STYLE),
    );
    fill(&[
        (
            "policy",
            &format!("<meta http-equiv=\"Content-Security-Policy\" content=\"{policy}\">"),
        ),
        ("title", &escape(title)),
        ("style", &format!("<style>{STYLE}</style>")),
        ("links", ""),
        ("data", data),
        ("script", &format!("<script>{SCRIPT}</script>")),
    ])
}

pub(crate) fn linked(title: &str, data: &str, to: &Linked<'_>) -> String {
    let links: String = to
        .links
        .iter()
        .map(|(address, text)| format!("<a href=\"{}\">{}</a>", escape(address), escape(text)))
        .collect();
    fill(&[
        ("policy", ""),
        ("title", &escape(title)),
        (
            "style",
            &format!("<link rel=\"stylesheet\" href=\"{}\">", escape(to.style)),
        ),
        ("links", &links),
        ("data", data),
        (
            "script",
            &format!("<script src=\"{}\"></script>", escape(to.script)),
        ),
    ])
}

/// Puts each text in its place in one pass, so that nothing inside a text is taken for a place.
fn fill(texts: &[(&str, &str)]) -> String {
    let length: usize = texts.iter().map(|(_, text)| text.len()).sum();
    let mut page = String::with_capacity(PAGE.len() + length);
    let mut rest = PAGE;
    while let Some((before, after)) = rest.split_once("{{") {
        let (place, after) = after.split_once("}}").expect("page.html closes its places");
        page.push_str(before);
        let (_, text) = texts
            .iter()
            .find(|(name, _)| *name == place)
            .expect("page.html names known places");
        page.push_str(text);
        rest = after;
    }
    page.push_str(rest);
    page
}

/// A source expression of a content security policy.
fn source_hash(source: &str) -> String {
    format!("sha256-{}", STANDARD.encode(Sha256::digest(source)))
}

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            _ => out.push(character),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FlameGraph, FrameKind};

    const HOSTILE: &str = "</script><script>alert(1)</script>\"'{{script}}<!--";

    fn hostile_graph() -> FlameGraph {
        let mut graph = FlameGraph::new(HOSTILE, HOSTILE);
        let frame = graph.frame(HOSTILE, FrameKind::Jit);
        graph.add(&[frame], 1);
        graph.note(HOSTILE);
        graph
    }

    #[test]
    fn the_file_asks_nothing_of_the_network() {
        let page = hostile_graph().render();
        for word in ["http://", "https://", " src=", " href=", "@import", "url("] {
            assert!(!page.contains(word), "{word} in the page");
        }
    }

    #[test]
    fn hostile_names_add_no_script() {
        let page = hostile_graph().render();
        assert_eq!(page.matches("<script").count(), 2);
        assert_eq!(page.matches("</script>").count(), 2);
        assert!(!page.contains("<script>alert"));
        assert!(page.contains("<title>&lt;/script&gt;&lt;script&gt;alert(1)"));
    }

    #[test]
    fn the_script_can_stand_between_its_tags() {
        for word in ["</script", "<script", "<!--"] {
            assert!(!SCRIPT.contains(word), "{word} in the script");
        }
        assert!(!STYLE.contains("</style"));
    }

    #[test]
    fn the_policy_allows_this_script_and_this_style_only() {
        let page = hostile_graph().render();
        let between = |start: &str, end: &str| {
            let from = page.find(start).expect(start) + start.len();
            &page[from..from + page[from..].find(end).expect(end)]
        };
        let script = between("<script>", "</script>");
        let style = between("<style>", "</style>");
        let policy = between("Content-Security-Policy\" content=\"", "\"");
        assert_eq!(
            policy,
            format!(
                "default-src 'none'; script-src '{}'; style-src '{}'; base-uri 'none'; form-action 'none'",
                source_hash(script),
                source_hash(style)
            )
        );
    }

    #[test]
    fn the_linked_page_escapes_its_links() {
        let links = [("/?a=\"b".to_owned(), "<b>".to_owned())];
        let page = hostile_graph().render_linked(&Linked {
            script: "/s.js",
            style: "/s.css",
            links: &links,
        });
        assert!(page.contains("<a href=\"/?a=&quot;b\">&lt;b&gt;</a>"));
        assert!(page.contains("<script src=\"/s.js\"></script>"));
        assert!(page.contains("<link rel=\"stylesheet\" href=\"/s.css\">"));
    }
}
