//! A source text without what is inside of functions.
//!
//! Only the outlines of definitions matter, and most of a text is
//! inside of functions, fields, comments and strings: without it, parsing costs
//! a fraction. What is left out leaves its line ends, so that every row stays
//! where it was.
//!
//! Pure. It reads tokens, not syntax, and may be wrong about a text: `None`
//! says that it does not understand it, and a mistake shows as a syntax error
//! of what is left; in both cases the whole text is parsed.

use crate::language::Language;

mod bytes;
mod gaps;
mod python;
mod tokens;

use self::gaps::Gaps;
use self::tokens::{Kind, Strings, Token, Tokens};

/// The language family, as far as braces are concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Family {
    Rust,
    Script,
    Go,
    Java,
    C,
    Cpp,
}

/// The text without the inside of what holds no definitions that count; `None`
/// if that cannot be told.
pub(crate) fn of(language: Language, text: &str) -> Option<String> {
    let family = match language {
        Language::Rust => Family::Rust,
        Language::JavaScript | Language::TypeScript | Language::Tsx => Family::Script,
        Language::Go => Family::Go,
        Language::Java => Family::Java,
        Language::C => Family::C,
        Language::Cpp => Family::Cpp,
        Language::Python => return python::of(text),
        Language::Markdown
        | Language::Data
        | Language::Web
        | Language::Shell
        | Language::Sql
        | Language::Proto
        | Language::Other => return None,
    };
    Some(Scanner::new(family, text).scan()?.cut(text))
}

/// What the tokens since the last statement say about the brace that follows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Header {
    /// Where its first word is.
    start: Option<usize>,
    about: About,
    /// Parentheses, as a function has.
    call: bool,
    /// Of a function in Rust: where its name ends.
    name_end: Option<usize>,
    /// Where its first parentheses begin and end.
    parameters: Option<(usize, usize)>,
}

/// What a header's words are about.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum About {
    /// No word says anything.
    #[default]
    Unknown,
    Function,
    /// A type, an implementation or a module.
    Container,
    /// `extern`: a block of declarations, unless a function follows.
    Extern,
    /// A type without definitions in it, or a macro.
    Leaf,
    /// A declaration that defines nothing.
    Other,
}

/// What is done with the inside of a brace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Inside {
    /// It is looked into.
    Scanned,
    Hidden,
    /// It stays as it is, unseen.
    Kept,
}

struct Scanner<'t> {
    family: Family,
    tokens: Tokens<'t>,
    /// Braces that are open and looked into.
    containers: usize,
    /// Open parentheses and brackets.
    nesting: usize,
    header: Header,
}

impl<'t> Scanner<'t> {
    fn new(family: Family, text: &'t str) -> Self {
        Self {
            family,
            tokens: Tokens::new(family, text),
            containers: 0,
            nesting: 0,
            header: Header::default(),
        }
    }

    /// What to leave out.
    fn scan(mut self) -> Option<Gaps> {
        loop {
            self.tokens.strings = self.strings();
            let Some(token) = self.tokens.next()? else { break };
            match token.kind {
                Kind::Word(word) if self.nesting == 0 => {
                    self.header.start.get_or_insert(token.at);
                    let is_name = self.family == Family::Rust && token.word_before == "fn";
                    if is_name && self.header.about == About::Function {
                        self.header.name_end.get_or_insert(token.at + word.len());
                    }
                    self.header.about = self.about(word, &token);
                }
                Kind::Open if self.is_attribute(&token) => self.leave_out_arguments(&token)?,
                Kind::Open if self.holds_nothing(&token) => {
                    self.header.call = true;
                    let end = self.leave_out_parentheses(&token)?;
                    self.header.parameters.get_or_insert((token.at, end));
                }
                Kind::Open => {
                    self.header.call |= self.nesting == 0;
                    self.nesting += 1;
                }
                Kind::Close => self.nesting = self.nesting.checked_sub(1)?,
                Kind::End if self.nesting == 0 => {
                    self.leave_out_signature(token.at);
                    self.leave_out_statement(token.at);
                    self.header = Header::default();
                }
                Kind::BraceOpen => self.brace(&token)?,
                Kind::BraceClose => {
                    self.containers = self.containers.checked_sub(1)?;
                    if self.nesting > 0 {
                        return None;
                    }
                    self.header = Header::default();
                }
                Kind::Word(_) | Kind::End | Kind::Other => {}
            }
        }
        (self.containers == 0 && self.nesting == 0).then_some(self.tokens.gaps)
    }

    /// Leaves out a statement that defines nothing, up to its semicolon.
    fn leave_out_statement(&mut self, end: usize) {
        let Header {
            start, about, call, ..
        } = self.header;
        let defines_nothing = match (self.family, about) {
            (Family::Rust, About::Unknown | About::Extern | About::Other) => true,
            // With parentheses it may be a method.
            (Family::Java, About::Unknown) => !call,
            (Family::C, About::Unknown | About::Extern) => true,
            (Family::Rust | Family::Java | Family::C | Family::Script | Family::Go | Family::Cpp, _) => false,
        };
        let Some(start) = start.filter(|_| defines_nothing) else {
            return;
        };
        // A condition of the preprocessor that begins or ends in it stays.
        if self.tokens.directive_at.is_none_or(|at| at < start) {
            // Beside something else, its semicolon says where that ends; in C,
            // where the macros before it end.
            let end = if self.family != Family::C && bytes::are_lines(self.tokens.bytes, start, end + 1) {
                end + 1
            } else {
                end
            };
            self.tokens.gaps.replace(start, end);
        }
    }

    /// Leaves out what a function's header, which ends here, says beside its
    /// name: generics, parameters, results and conditions.
    fn leave_out_signature(&mut self, end: usize) {
        if let Some(name_end) = self.header.name_end
            && let Some((open, close)) = self.header.parameters
            && matches!(self.tokens.bytes.get(name_end), Some(b'(' | b'<'))
        {
            self.tokens.gaps.replace(name_end, open);
            self.tokens.gaps.replace(open + 1, close);
            self.tokens.gaps.replace(close + 1, end);
        }
    }

    /// Whether this opens an attribute in Rust.
    fn is_attribute(&self, token: &Token<'_>) -> bool {
        self.family == Family::Rust
            && self.nesting == 0
            && token.before == b'#'
            && !self.tokens.is_parenthesis(token)
    }

    /// Leaves out what an attribute says beside its name.
    fn leave_out_arguments(&mut self, token: &Token<'_>) -> Option<()> {
        let end = self.tokens.closing_parenthesis()?;
        let (name, name_end) = (token.at + 1, bytes::word_end(self.tokens.bytes, token.at + 1));
        // This one needs what follows.
        let is_unsafe = &self.tokens.bytes[name..name_end] == b"unsafe";
        if name < name_end && !is_unsafe {
            self.tokens.gaps.replace(name_end, end);
        }
        Some(())
    }

    /// Whether what is in the parentheses is neither a name nor a definition.
    fn holds_nothing(&self, token: &Token<'_>) -> bool {
        let opens = self.tokens.is_parenthesis(token);
        let is_call = opens && self.nesting == 0 && !token.word_before.is_empty();
        match self.family {
            Family::Rust => opens && self.nesting == 0 && self.header.about == About::Function,
            Family::Script => {
                is_call
                    && !matches!(
                        token.word_before,
                        "if" | "for"
                            | "while"
                            | "switch"
                            | "catch"
                            | "with"
                            | "return"
                            | "await"
                            | "of"
                            | "in"
                            | "typeof"
                            | "void"
                            | "delete"
                            | "new"
                            | "default"
                            | "yield"
                            | "else"
                            | "do"
                            | "case"
                            | "throw"
                            | "import"
                            | "extends"
                            | "as"
                            | "satisfies"
                    )
            }
            Family::Java => {
                is_call
                    && !matches!(
                        token.word_before,
                        "if" | "for" | "while" | "switch" | "catch" | "record"
                    )
            }
            Family::Go | Family::C | Family::Cpp => false,
        }
    }

    /// Leaves out what is in the parentheses that were just opened. Returns
    /// where they end.
    fn leave_out_parentheses(&mut self, token: &Token<'_>) -> Option<usize> {
        let end = self.tokens.closing_parenthesis()?;
        self.tokens.gaps.replace(token.at + 1, end);
        Some(end)
    }

    /// In scripts a string may name a module, a method or a member.
    fn strings(&self) -> Strings {
        let is_name = self.containers > 0 || self.nesting > 0 || self.tokens.follows("module");
        match self.family {
            Family::Script if is_name => Strings::Kept,
            Family::Script | Family::Rust | Family::Go | Family::Java | Family::C | Family::Cpp => {
                Strings::Hidden
            }
        }
    }

    /// What the header is about with one more word.
    fn about(&mut self, word: &str, token: &Token<'_>) -> About {
        let about = self.header.about;
        match (self.family, word) {
            (Family::Rust, "fn") if matches!(about, About::Unknown | About::Extern) => About::Function,
            (Family::Rust, "impl" | "trait" | "mod") if about == About::Unknown => About::Container,
            (Family::Rust, "struct" | "enum" | "union" | "macro_rules") if about == About::Unknown => {
                About::Leaf
            }
            (Family::Rust, "static" | "use" | "type") if about == About::Unknown => About::Other,
            // A declaration begins in the first column; nothing need end the one before.
            (Family::Go, "func" | "type" | "var" | "const" | "import") if token.begins_line => {
                self.header.call = false;
                if word == "func" {
                    About::Function
                } else {
                    About::Other
                }
            }
            (Family::Script, "class" | "namespace" | "module" | "global")
            | (Family::Java, "class" | "interface" | "enum" | "record")
            | (Family::Cpp, "class" | "struct" | "union" | "namespace" | "enum") => About::Container,
            (Family::C, "struct" | "union" | "enum") => About::Leaf,
            (Family::Rust | Family::C | Family::Cpp, "extern") if about == About::Unknown => About::Extern,
            _ => about,
        }
    }

    fn inside(&self, token: &Token<'_>) -> Inside {
        let Header { about, call, .. } = self.header;
        let before = token.before;
        let is_top = self.nesting == 0;
        match self.family {
            Family::Rust if is_top && matches!(about, About::Container | About::Extern) => Inside::Scanned,
            // Fields, values and macros.
            Family::Rust | Family::Go => Inside::Hidden,
            // Not the braces of a type that is an argument of the base class.
            Family::Script if is_top && about == About::Container && !b"<,:|&".contains(&before) => {
                Inside::Scanned
            }
            Family::Java if is_top && about == About::Container => Inside::Scanned,
            Family::Script | Family::Java => Inside::Hidden,
            Family::C | Family::Cpp
                if is_top && !call && matches!(about, About::Container | About::Extern) =>
            {
                Inside::Scanned
            }
            // A type with parentheses (`alignas`) is none that a function returns.
            Family::C if about == About::Leaf => Inside::Hidden,
            Family::C | Family::Cpp
                if before == b'=' || call && (about != About::Container || before == b')') =>
            {
                Inside::Hidden
            }
            Family::C | Family::Cpp => Inside::Kept,
        }
    }

    /// Takes the brace that was just opened.
    fn brace(&mut self, token: &Token<'_>) -> Option<()> {
        let inside = self.inside(token);
        if inside == Inside::Scanned {
            self.containers += 1;
            self.header = Header::default();
            return Some(());
        }
        // `interface{}` and the like are part of what follows.
        let goes_on = match self.family {
            Family::Go => {
                self.header.about == About::Function && matches!(token.word_before, "interface" | "struct")
            }
            Family::Script => b"<,:|&".contains(&token.before),
            Family::Rust | Family::Java | Family::C | Family::Cpp => false,
        };
        if inside == Inside::Hidden && self.nesting == 0 {
            self.leave_out_signature(token.at);
        }
        let is_top = self.containers == 0 && self.nesting == 0;
        let end = self.tokens.closing(is_top)?;
        if inside == Inside::Hidden && !goes_on {
            self.tokens.gaps.replace(token.at + 1, end);
        }
        // A value or a list of names ends with a semicolon, and a type in C with its name.
        let Header { about, call, .. } = self.header;
        let ends = match self.family {
            Family::Rust => about != About::Other,
            Family::C => about != About::Leaf || call,
            Family::Script | Family::Go | Family::Java | Family::Cpp => true,
        };
        if self.nesting == 0 && !goes_on && ends {
            self.header = Header::default();
        }
        Some(())
    }
}

#[cfg(test)]
mod tests;
