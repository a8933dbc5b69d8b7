//! The definitions of a file, found with tree-sitter, in bounded steps.

use std::borrow::Cow;
use std::cell::RefCell;
use std::ops::ControlFlow;

use tree_sitter::{Node, ParseOptions, Parser, Tree, TreeCursor};

use crate::rules::{self, Rule};
use crate::source::Known;
use crate::{Kind, Language, SYMBOL_BYTES_MAX, skeleton};

/// Definitions nested deeper stay part of what is around them.
const DEPTH_MAX: usize = 24;
/// The parser reports after every hundred of its operations. Ordinary code
/// takes at most 3 reports per 100 bytes, so that this is enough for any file
/// that is read. A count, unlike a clock, gives the same answer every time.
const REPORTS_MAX: usize = 15_000;
/// Recovering from errors is what can take long; once the file is known to
/// hold one, this is enough for 250 KB of code.
const REPORTS_WITH_ERROR_MAX: usize = 8_000;

/// Whether other definitions are looked for inside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// A function: all of its lines are its own.
    Leaf,
    /// A type or module: its lines are its own unless an inner one takes them.
    Container,
}

/// A definition and the lines it takes up, with the comments right above it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Definition {
    /// What it is.
    pub kind: Kind,
    /// Whether others are looked for in it.
    pub shape: Shape,
    /// Its name, qualified by what is around it.
    pub symbol: Option<String>,
    /// Counted from 0.
    pub start_row: usize,
    /// The first row that is no comment above it.
    pub own_row: usize,
    /// Inclusive.
    pub end_row: usize,
}

/// What came of looking for definitions.
#[derive(Debug)]
pub enum Outcome {
    /// They are in order, outer before inner.
    Parsed(Vec<Definition>),
    /// There is no grammar for the language.
    NoGrammar,
    /// The parser needed too many steps.
    GivenUp,
}

/// The definitions of a text. `go_on` is asked now and then while it is parsed.
pub fn definitions(language: Language, text: &str, go_on: &mut dyn FnMut() -> bool) -> Outcome {
    match read(language, text, None, go_on) {
        Ok(read) => Outcome::Parsed(read.definitions()),
        Err(outcome) => outcome,
    }
}

/// What was parsed of a text, and its syntax.
pub(crate) struct Read<'t> {
    /// The language that it turned out to be in.
    pub(crate) language: Language,
    /// All of it, or its outline.
    pub(crate) text: Cow<'t, str>,
    pub(crate) tree: Tree,
}

impl Read<'_> {
    pub(crate) fn definitions(&self) -> Vec<Definition> {
        collect(self.language, &self.text, &self.tree)
    }
}

/// Parses a text, from where it differs if it is known what was there before;
/// an error is why there are no definitions.
pub(crate) fn read<'t>(
    language: Language,
    text: &'t str,
    known: Option<&Known>,
    go_on: &mut dyn FnMut() -> bool,
) -> Result<Read<'t>, Outcome> {
    let Some(grammar) = rules::grammar(language) else {
        return Err(Outcome::NoGrammar);
    };
    // What is left of it says the same, if it is understood.
    if let Some(outline) = skeleton::of(language, text) {
        if let Some(tree) = known.and_then(|known| known.moved(language, &outline))
            && let Some(tree) = parse(&grammar, &outline, Some(&tree), go_on)
            && !tree.root_node().has_error()
        {
            let text = Cow::Owned(outline);
            return Ok(Read { language, text, tree });
        }
        if let Some(tree) = parse(&grammar, &outline, None, go_on)
            && (!tree.root_node().has_error() || is_macro_heavy(language, &outline))
        {
            let text = Cow::Owned(outline);
            return Ok(Read { language, text, tree });
        }
    }
    let (language, tree) = tree(language, text, go_on).ok_or(Outcome::GivenUp)?;
    let text = Cow::Borrowed(text);
    Ok(Read { language, text, tree })
}

/// What parsing the whole text finds: the same, more slowly.
pub fn definitions_of_whole(language: Language, text: &str) -> Vec<Definition> {
    let Some((language, tree)) = tree(language, text, &mut || true) else {
        return Vec::new();
    };
    collect(language, text, &tree)
}

/// Whether a string of the text goes on in the next row. Strings that stand
/// alone, such as documentation in Python, do not count: their indentation
/// means nothing.
pub fn has_long_string(language: Language, text: &str) -> bool {
    let Some((_, tree)) = tree(language, text, &mut || true) else {
        return false;
    };
    let mut cursor = tree.walk();
    loop {
        let node = cursor.node();
        let kind = node.kind();
        let is_string = kind.contains("string") || kind == "text_block";
        let is_long = node.end_position().row > node.start_position().row;
        if is_string
            && is_long
            && node
                .parent()
                .is_none_or(|parent| parent.kind() != "expression_statement")
        {
            return true;
        }
        // What is inside of a string that stands alone is no other string.
        if !(is_string && is_long) && cursor.goto_first_child() {
            continue;
        }
        while !cursor.goto_next_sibling() {
            if !cursor.goto_parent() {
                return false;
            }
        }
    }
}

/// The syntax of a text and the language it turned out to be in; none without
/// a grammar, or if parsing takes too many steps.
pub fn tree(language: Language, text: &str, go_on: &mut dyn FnMut() -> bool) -> Option<(Language, Tree)> {
    let tree = parse(&rules::grammar(language)?, text, None, go_on)?;
    // A header may be either C or C++; C++ is tried only if C does not fit.
    if language == Language::C && tree.root_node().has_error() && is_like_cpp(text) {
        let other = rules::grammar(Language::Cpp).and_then(|grammar| parse(&grammar, text, None, go_on));
        if let Some(other) = other.filter(|other| !other.root_node().has_error()) {
            return Some((Language::Cpp, other));
        }
    }
    Some((language, tree))
}

/// Whether syntax errors are likely to be the preprocessor's doing and in the
/// whole text as well: in C, where macros stand for half a declaration.
fn is_macro_heavy(language: Language, outline: &str) -> bool {
    // Without comments: their words say nothing.
    language == Language::C && !is_like_cpp(outline)
}

/// Whether there is a word that C does not have.
fn is_like_cpp(text: &str) -> bool {
    ["class ", "namespace ", "template", "::", "operator"]
        .iter()
        .any(|word| memchr::memmem::find(text.as_bytes(), word.as_bytes()).is_some())
}

thread_local! {
    /// A parser keeps the memory that it worked in.
    static PARSER: RefCell<Parser> = RefCell::new(Parser::new());
}

/// `old` is the syntax of a text that differs where it says so.
fn parse(
    grammar: &tree_sitter::Language,
    text: &str,
    old: Option<&Tree>,
    go_on: &mut dyn FnMut() -> bool,
) -> Option<Tree> {
    PARSER.with(|parser| parse_with(&mut *parser.try_borrow_mut().ok()?, grammar, text, old, go_on))
}

fn parse_with(
    parser: &mut Parser,
    grammar: &tree_sitter::Language,
    text: &str,
    old: Option<&Tree>,
    go_on: &mut dyn FnMut() -> bool,
) -> Option<Tree> {
    parser.reset();
    parser.set_language(grammar).ok()?;
    let (mut reports, mut with_error) = (0, 0);
    let mut bounded = |state: &tree_sitter::ParseState| {
        reports += 1;
        with_error += usize::from(state.has_error());
        if reports <= REPORTS_MAX && with_error <= REPORTS_WITH_ERROR_MAX && go_on() {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        }
    };
    let options = ParseOptions::new().progress_callback(&mut bounded);
    let bytes = text.as_bytes();
    parser.parse_with_options(
        &mut |at, _| bytes.get(at..).unwrap_or_default(),
        old,
        Some(options),
    )
}

fn collect(language: Language, text: &str, tree: &Tree) -> Vec<Definition> {
    let mut collector = Collector {
        language,
        text,
        found: Vec::new(),
    };
    let mut cursor = tree.walk();
    collector.children(&mut cursor, &Scope::default(), 0);
    collector.found
}

/// What is around a node.
#[derive(Debug, Clone, Default)]
struct Scope {
    /// Symbol of the type or module.
    symbol: Option<String>,
    /// Whether functions here are methods.
    in_type: Inside,
    /// Where the wrapper (decorators, `export`, `template`) is.
    outer: Option<Rows>,
}

/// Rows of a definition.
#[derive(Debug, Clone, Copy)]
struct Rows {
    start: usize,
    own: usize,
    end: usize,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Inside {
    #[default]
    Module,
    Type,
}

struct Collector<'t> {
    language: Language,
    text: &'t str,
    found: Vec<Definition>,
}

impl Collector<'_> {
    /// Visits the children of the cursor's node. Siblings are reached through
    /// the cursor alone: asking a node for its neighbours starts at the root.
    fn children(&mut self, cursor: &mut TreeCursor<'_>, scope: &Scope, depth: usize) {
        if depth > DEPTH_MAX || !cursor.goto_first_child() {
            return;
        }
        let mut lead: Option<Lead> = None;
        let mut previous_end: Option<usize> = None;
        let mut outer = scope.outer;
        loop {
            let node = cursor.node();
            let (start, end) = rows(node);
            if rules::is_leading(node.kind()) {
                // A comment at the end of a line belongs to that line.
                let alone = previous_end.is_none_or(|row| start > row);
                let own_row = (!node.kind().ends_with("comment")).then_some(start);
                lead = match lead {
                    Some(above) if above.end_row + 1 >= start => Some(Lead {
                        end_row: end,
                        own_row: above.own_row.or(own_row),
                        ..above
                    }),
                    _ if alone => Some(Lead {
                        start_row: start,
                        end_row: end,
                        own_row,
                    }),
                    _ => None,
                };
            } else if node.is_named() {
                let above = lead.take().filter(|lead| lead.end_row + 1 >= start);
                if let Some(rule) = rules::rule(self.language, node) {
                    let outer = outer.take();
                    let first = |row: Option<usize>, outer: Option<usize>| {
                        row.into_iter().chain(outer).min().unwrap_or(start)
                    };
                    let rows = Rows {
                        start: first(above.map(|lead| lead.start_row), outer.map(|outer| outer.start)),
                        own: first(above.and_then(|lead| lead.own_row), outer.map(|outer| outer.own)),
                        end,
                    };
                    self.node(cursor, rule, scope, rows, depth);
                }
            } else if node.kind() == ";" {
                // All that is left of a statement in an outline.
                lead = None;
            }
            previous_end = Some(end);
            if !cursor.goto_next_sibling() {
                break;
            }
        }
        cursor.goto_parent();
    }

    /// Takes in the cursor's node, which is what `rule` says and takes up `rows`.
    fn node(&mut self, cursor: &mut TreeCursor<'_>, rule: Rule, scope: &Scope, rows: Rows, depth: usize) {
        let node = cursor.node();
        let inner = |outer| Scope {
            outer,
            ..scope.clone()
        };
        match rule {
            Rule::Leaf(kind) => {
                let kind = match (kind, scope.in_type) {
                    (Kind::Function, Inside::Type) => Kind::Method,
                    (kind, _) => kind,
                };
                let symbol = self.symbol(scope, node);
                self.found.push(Definition {
                    kind,
                    shape: Shape::Leaf,
                    symbol,
                    start_row: rows.start,
                    own_row: rows.own,
                    end_row: rows.end,
                });
            }
            Rule::Container(kind) => {
                let symbol = self.symbol(scope, node);
                let definition = Definition {
                    kind,
                    shape: Shape::Container,
                    symbol: symbol.clone(),
                    start_row: rows.start,
                    own_row: rows.own,
                    end_row: rows.end,
                };
                self.found.push(definition);
                let in_type = if kind == Kind::Module {
                    Inside::Module
                } else {
                    Inside::Type
                };
                self.children(
                    cursor,
                    &Scope {
                        symbol,
                        in_type,
                        outer: None,
                    },
                    depth + 1,
                );
            }
            Rule::Wrapper => self.children(cursor, &inner(Some(rows)), depth + 1),
            Rule::Transparent => self.children(cursor, &inner(None), depth + 1),
        }
    }

    fn symbol(&self, scope: &Scope, node: Node<'_>) -> Option<String> {
        let name = rules::name(self.language, node, self.text)?;
        let name = name.split_whitespace().collect::<Vec<_>>().join(" ");
        let mut symbol = match &scope.symbol {
            Some(outer) => format!("{outer}{}{name}", self.language.separator()),
            None => name,
        };
        symbol.truncate(symbol.floor_char_boundary(SYMBOL_BYTES_MAX));
        (!symbol.is_empty()).then_some(symbol)
    }
}

/// Comments and attributes with no line between them.
#[derive(Debug, Clone, Copy)]
struct Lead {
    start_row: usize,
    end_row: usize,
    /// The first row that is no comment.
    own_row: Option<usize>,
}

/// First and last row. A node that ends with a line end does not reach into
/// the next line.
fn rows(node: Node<'_>) -> (usize, usize) {
    let (start, end) = (node.start_position(), node.end_position());
    let end_row = if end.column == 0 && end.row > start.row {
        end.row - 1
    } else {
        end.row
    };
    (start.row, end_row)
}
