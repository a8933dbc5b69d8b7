//! Which parts of a text are words and not code: comments, and what is inside
//! of strings. Code that a string takes values from is code.

use std::ops::Range;

use tree_sitter::{Node, TreeCursor};

use crate::{Language, tree};

/// What stands for itself. Strings that consist of others are not here.
const STRINGS: &[&str] = &[
    "string",
    "string_literal",
    "raw_string_literal",
    "interpreted_string_literal",
    "template_string",
    "char_literal",
    "character_literal",
    "rune_literal",
    "regex",
];

/// Code inside of a string.
const INTERPOLATIONS: &[&str] = &["interpolation", "template_substitution"];

/// The comments and strings of a text, in bytes and in order, without the code
/// in strings. None without a grammar, or if parsing takes too many steps.
pub fn quoted(language: Language, text: &str, go_on: &mut dyn FnMut() -> bool) -> Option<Vec<Range<usize>>> {
    let (_, tree) = tree(language, text, go_on)?;
    let mut found = Vec::new();
    let mut cursor = tree.walk();
    loop {
        let node = cursor.node();
        if is_comment(node) {
            found.push(node.byte_range());
        } else if node.is_named() && STRINGS.contains(&node.kind()) {
            found.extend(around_code(node));
        }
        if !is_comment(node) && cursor.goto_first_child() {
            continue;
        }
        if !next(&mut cursor) {
            found.sort_unstable_by_key(|range| range.start);
            return Some(found);
        }
    }
}

/// The parts of a string around the code in it.
fn around_code(string: Node<'_>) -> Vec<Range<usize>> {
    let mut parts = Vec::new();
    let mut from = string.start_byte();
    for inner in string.children(&mut string.walk()) {
        if INTERPOLATIONS.contains(&inner.kind()) {
            parts.push(from..inner.start_byte());
            from = inner.end_byte();
        }
    }
    parts.push(from..string.end_byte());
    parts
}

fn is_comment(node: Node<'_>) -> bool {
    node.kind().ends_with("comment")
}

/// The node behind the cursor's, or behind one that it is in.
fn next(cursor: &mut TreeCursor<'_>) -> bool {
    while !cursor.goto_next_sibling() {
        if !cursor.goto_parent() {
            return false;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_strings_are_no_code() {
        let check = |language: Language, text: &str, expect: &[&str]| {
            let found = quoted(language, text, &mut || true).unwrap();
            let found: Vec<&str> = found.into_iter().map(|range| &text[range]).collect();
            assert_eq!(found, expect, "{text}");
        };
        check(
            Language::Python,
            "# a\nx = 'b' + y\nf\"c {g('d')} e {h} f\"\n\"\"\"g\nh\"\"\"\n",
            &["# a", "'b'", "f\"c ", "'d'", " e ", " f\"", "\"\"\"g\nh\"\"\""],
        );
        check(
            Language::TypeScript,
            "// a\nconst x = `b ${f(\"c\")} d` /* e */\nconst y = /f/\n",
            &["// a", "`b ", "\"c\"", " d`", "/* e */", "/f/"],
        );
        check(
            Language::Rust,
            "/// a\nfn f() { g(\"b\", r#\"c\"#, 'd'); h!(\"e\") } // f\n",
            &["/// a\n", "\"b\"", "r#\"c\"#", "'d'", "\"e\"", "// f"],
        );
        check(Language::Go, "x := \"a\" + `b` // c\n", &["\"a\"", "`b`", "// c"]);
        assert_eq!(quoted(Language::Markdown, "# a\n", &mut || true), None);
    }
}
