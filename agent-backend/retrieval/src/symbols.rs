//! Names in code: where one is defined and where it is used, told from the
//! syntax tree and not from strings or comments.
//!
//! Pure: one file's text in, its places out. Must never know which files there
//! are or how they were found.

mod roles;

use syntax::rules;
use tree_sitter::{Node, Tree};

use crate::chunk;
use crate::language::Language;
use crate::walk;

/// Places of one name in one file that are looked at; the rest of a file with
/// more says nothing new.
pub const PLACES_PER_FILE_MAX: usize = 500;
/// Bytes of a name that is looked for.
pub const NAME_BYTES_MAX: usize = 200;
/// Comment lines above a definition that are shown with it.
const LEAD_ROWS_MAX: usize = 30;
/// Bytes of a line that is shown.
const LINE_BYTES_MAX: usize = 240;

macro_rules! words {
    ($(#[$doc:meta])* $type:ident { $($name:ident = $text:literal;)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $type { $(#[doc = $text] $name,)* }

        impl $type {
            /// The word shown to people and programs.
            pub fn as_str(self) -> &'static str {
                match self { $($type::$name => $text,)* }
            }
        }
    };
}

words! {
    /// What a definition defines.
    Kind {
        Function = "function";
        Method = "method";
        Class = "class";
        Struct = "struct";
        Enum = "enum";
        Interface = "interface";
        Trait = "trait";
        Module = "module";
        Type = "type";
        Macro = "macro";
        Constant = "constant";
        Variable = "variable";
        Field = "field";
        Variant = "variant";
    }
}

words! {
    /// What a name does at a place.
    Role {
        Definition = "definition";
        Import = "import";
        Call = "call";
        Use = "use";
        Text = "text";
    }
}

/// A place where a name stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// What it does there.
    pub role: Role,
    /// Line, counted from 1.
    pub line: u32,
    /// Column in bytes, counted from 1.
    pub column: u32,
    /// The definition around it, qualified.
    pub within: Option<String>,
    /// The line, without its indentation, cut to a readable length.
    pub text: String,
    /// What is defined, if it is a definition.
    pub definition: Option<Definition>,
}

/// A definition of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Definition {
    /// What it defines.
    pub kind: Kind,
    /// Its name, qualified by the types and modules of the file around it.
    pub symbol: String,
    /// First line with its comments and decorators, counted from 1.
    pub start_line: u32,
    /// Last line, inclusive.
    pub end_line: u32,
}

/// A name to look for, taken apart: `Orders.total` is `total` in `Orders`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The last part.
    pub name: String,
    /// The parts before it, outermost first.
    pub qualifiers: Vec<String>,
}

impl Wanted {
    /// Reads `name`, `Type.name`, `module::Type::name`, `Type#name`, `name()`.
    /// None if there is no identifier in it, or if it is too long to be one.
    pub fn parse(symbol: &str) -> Option<Self> {
        if symbol.len() > NAME_BYTES_MAX {
            return None;
        }
        let symbol = symbol.trim();
        let symbol = symbol.split(['(', '<']).next().unwrap_or(symbol).trim_end();
        let mut parts: Vec<String> = symbol
            .split(['.', ':', '#', '/'])
            .map(|part| {
                part.trim_matches(['&', '*', '!', '?', ';', ',', '`', '"', '\''])
                    .to_owned()
            })
            .filter(|part| !part.is_empty())
            .collect();
        let name = parts.pop()?;
        let is_name = |part: &String| part.chars().all(is_name_char);
        (is_name(&name) && parts.iter().all(is_name)).then_some(Self {
            name,
            qualifiers: parts,
        })
    }

    /// Whether a definition with this symbol in the file at `path` is meant:
    /// what is around it, or else the path, ends with the qualifiers.
    pub fn means(&self, path: &str, symbol: &str) -> bool {
        let mut around: Vec<&str> = path
            .split('/')
            .map(|part| part.split('.').next().unwrap_or(part))
            .collect();
        around.extend(
            symbol
                .split(|c: char| !is_name_char(c))
                .filter(|part| !part.is_empty()),
        );
        around.pop();
        // What is between may be left out: `jwt.decode` is `auth/jwt.py: Codec.decode` too.
        let mut around = around.into_iter().rev();
        self.qualifiers.iter().rev().all(|part| {
            matches!(part.as_str(), "self" | "this" | "crate" | "super") || around.any(|other| other == part)
        })
    }
}

fn is_name_char(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '$')
}

/// Where `name` stands in the syntax of `text`, in order; none if the language
/// has no grammar here, or the text is too large to be parsed or cannot be in
/// time.
pub fn places(language: Language, text: &str, name: &str) -> Option<Vec<Place>> {
    if walk::is_large(text) {
        return None;
    }
    let (language, tree) = syntax::tree(language, text, &mut chunk::in_time())?;
    let file = File {
        language,
        text,
        tree: &tree,
    };
    let found = whole_words(text, name).filter_map(|at| file.place(at, name));
    Some(found.take(PLACES_PER_FILE_MAX).collect())
}

/// Where `name` stands in `text` as a whole word, wherever that is.
pub fn places_in_text(text: &str, name: &str) -> Vec<Place> {
    let mut places = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        if let Some(at) = whole_words(line, name).next() {
            places.push(Place {
                role: Role::Text,
                line: number,
                column: u32::try_from(at + 1).unwrap_or(u32::MAX),
                within: None,
                text: shown(line),
                definition: None,
            });
        }
        if places.len() >= PLACES_PER_FILE_MAX {
            break;
        }
    }
    places
}

/// Byte offsets of `name` in `text` where no letter, digit or underscore is
/// next to it.
fn whole_words<'t>(text: &'t str, name: &'t str) -> impl Iterator<Item = usize> + 't {
    text.match_indices(name)
        .map(|(at, _)| at)
        .filter(move |at| {
            let before = text[..*at].chars().next_back();
            let after = text[at + name.len()..].chars().next();
            !before.is_some_and(is_name_char) && !after.is_some_and(is_name_char)
        })
        .filter(move |_| !name.is_empty())
}

/// A line as it is shown.
fn shown(line: &str) -> String {
    let line = line.trim();
    if line.len() <= LINE_BYTES_MAX {
        return line.to_owned();
    }
    format!("{}…", &line[..line.floor_char_boundary(LINE_BYTES_MAX)])
}

/// A node and the field of its parent that it is.
#[derive(Debug, Clone, Copy)]
struct Step<'t> {
    node: Node<'t>,
    field: Option<&'t str>,
}

struct File<'t> {
    language: Language,
    text: &'t str,
    tree: &'t Tree,
}

impl<'t> File<'t> {
    /// What `name` does at the byte `at`; none if it is in a string or comment.
    fn place(&self, at: usize, name: &str) -> Option<Place> {
        let trail = self.trail(at, at + name.len())?;
        let leaf = trail.last()?.node;
        let role = roles::of(self.language, &trail);
        let position = leaf.start_position();
        let line = self.text[..at].rfind('\n').map_or(0, |end| end + 1);
        let (definition, within) = match role.definition {
            Some((kind, step)) => {
                let first = first_step(&trail, step);
                let around = self.around(&trail[..first]);
                (Some(self.definition(&trail, (first, step), kind, name)), around)
            }
            None => (None, self.around(&trail)),
        };
        Some(Place {
            role: role.role,
            line: number(position.row),
            column: number(position.column),
            within,
            text: shown(self.text[line..].lines().next().unwrap_or_default()),
            definition,
        })
    }

    /// The nodes from the root to the identifier at these bytes.
    fn trail(&self, start: usize, end: usize) -> Option<Vec<Step<'t>>> {
        let mut cursor = self.tree.walk();
        let mut trail = vec![Step {
            node: cursor.node(),
            field: None,
        }];
        while cursor.goto_first_child_for_byte(start).is_some() {
            trail.push(Step {
                node: cursor.node(),
                field: cursor.field_name(),
            });
        }
        let leaf = trail.last()?.node;
        let exact = leaf.start_byte() == start && leaf.end_byte() == end;
        let names = leaf.is_named() && leaf.kind().contains("identifier");
        (exact && names).then_some(trail)
    }

    /// What the step of a trail defines, from the first step that belongs to it.
    fn definition(
        &self,
        trail: &[Step<'t>],
        (first, step): (usize, usize),
        kind: Kind,
        name: &str,
    ) -> Definition {
        let (whole, declared) = (trail[first].node, trail[step].node);
        let mut start = whole.start_position().row;
        let mut above = whole.prev_sibling();
        while let Some(node) = above.filter(|node| rules::is_leading(node.kind())) {
            let near = end_row(node) + 1 >= start
                && whole.start_position().row - node.start_position().row <= LEAD_ROWS_MAX;
            // A comment at the end of a line belongs to that line.
            let alone = node
                .prev_sibling()
                .is_none_or(|before| end_row(before) < node.start_position().row);
            if !near || !alone {
                break;
            }
            start = node.start_position().row;
            above = node.prev_sibling();
        }
        let end = end_row(declared);
        let own = rules::rule(self.language, declared)
            .and_then(|_| rules::name(self.language, declared, self.text))
            .filter(|own| own.ends_with(name))
            .unwrap_or_else(|| name.to_owned());
        let symbol = match self.around(&trail[..first]) {
            Some(around) => format!("{around}{}{own}", self.language.separator()),
            None => own,
        };
        Definition {
            kind,
            symbol,
            start_line: number(start),
            end_line: number(end),
        }
    }

    /// The definitions around the end of a trail, joined.
    fn around(&self, trail: &[Step<'t>]) -> Option<String> {
        let mut names: Vec<String> = Vec::new();
        let mut named: Option<Node<'t>> = None;
        for step in trail {
            match rules::rule(self.language, step.node) {
                Some(rules::Rule::Leaf(_) | rules::Rule::Container(_)) => {
                    // Its own name is not inside of it.
                    named = Some(step.node);
                    let name = rules::name(self.language, step.node, self.text);
                    names.extend(name.map(|name| name.split_whitespace().collect::<Vec<_>>().join(" ")));
                }
                Some(rules::Rule::Wrapper | rules::Rule::Transparent) | None => {}
            }
        }
        let mut joined = names.join(self.language.separator());
        joined.truncate(joined.floor_char_boundary(NAME_BYTES_MAX));
        named.filter(|_| !joined.is_empty()).map(|_| joined)
    }
}

/// The outermost step that holds the definition at `step` and nothing else.
fn first_step(trail: &[Step<'_>], step: usize) -> usize {
    let outer = trail[..step]
        .iter()
        .rposition(|step| !roles::is_wrapper(step.node));
    outer.map_or(0, |outer| outer + 1).min(step)
}

/// The last row. A node that ends with a line end does not reach into the next
/// line.
fn end_row(node: Node<'_>) -> usize {
    let (start, end) = (node.start_position(), node.end_position());
    if end.column == 0 && end.row > start.row {
        end.row - 1
    } else {
        end.row
    }
}

/// A row or column as people count.
fn number(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX - 1) + 1
}

#[cfg(test)]
mod tests;
