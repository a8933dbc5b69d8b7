//! Files that belong with a given one, each with the reasons: changed in the
//! same commits, imports, names that one defines and the other uses, a test and
//! its subject, similar words.
//!
//! Pure: what is known of the files comes in as [`Evidence`].

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::corpus::class::Class;
use crate::corpus::stem;
use crate::language::{Form, Language};
use crate::tokenize;

/// A name that more files define says little about each of them.
const DEFINERS_MAX: usize = 3;
/// Shorter names are everywhere, bytes.
const NAME_BYTES_MIN: usize = 4;
/// Names listed in one reason.
const NAMES_SHOWN_MAX: usize = 5;
/// Lines of one import that goes over several.
const IMPORT_LINES_MAX: usize = 30;
/// So many commits are few: what they say counts half.
const FEW_COMMITS: f32 = 3.0;
/// So many shared names are few: they count half.
const FEW_NAMES: f32 = 2.0;

/// Why a file is related.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// Changed in the same commits.
    Together {
        /// Commits that changed both.
        commits: u32,
        /// Commits that changed the file that was asked about.
        of: u32,
    },
    /// The file that was asked about imports it.
    Imported,
    /// It imports the file that was asked about.
    Imports,
    /// It defines names that the file uses.
    Defines(Vec<String>),
    /// It uses names that the file defines.
    Uses(Vec<String>),
    /// One is the other's test, by name.
    Test,
    /// It has much the same words.
    Similar,
}

impl Reason {
    /// The kind of reason, one word.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Together { .. } => "history",
            Self::Imported => "imported",
            Self::Imports => "imports",
            Self::Defines(_) => "defines",
            Self::Uses(_) => "uses",
            Self::Test => "test",
            Self::Similar => "similar",
        }
    }

    /// The reason as a clause about the related file.
    pub fn text(&self) -> String {
        match self {
            Self::Together { commits, of } => format!("changed in {commits} of its {of} commits"),
            Self::Imported => "is imported by it".to_owned(),
            Self::Imports => "imports it".to_owned(),
            Self::Defines(names) => format!("defines {}", names.join(", ")),
            Self::Uses(names) => format!("uses {}", names.join(", ")),
            Self::Test => "has the name of its test or subject".to_owned(),
            Self::Similar => "has similar words".to_owned(),
        }
    }

    fn weight(&self, similarity: f32) -> f32 {
        match self {
            Self::Together { commits, of } => {
                let of = float(*of);
                float(*commits) / of.max(1.0) * of / (of + FEW_COMMITS)
            }
            Self::Imported => 0.7,
            Self::Imports => 0.6,
            Self::Defines(names) | Self::Uses(names) => {
                let names = float(u32::try_from(names.len()).unwrap_or(u32::MAX));
                0.7 * names / (names + FEW_NAMES)
            }
            Self::Test => 0.6,
            Self::Similar => 0.5 * similarity,
        }
    }
}

/// A related file.
#[derive(Debug, Clone, PartialEq)]
pub struct Related {
    /// Path relative to the workspace.
    pub path: String,
    /// Higher is closer; comparable within one answer.
    pub score: f32,
    /// Strongest first; never empty.
    pub reasons: Vec<Reason>,
}

/// What is known around one file.
#[derive(Debug, Default)]
pub struct Evidence {
    found: BTreeMap<String, Vec<Reason>>,
    similarity: HashMap<String, f32>,
}

impl Evidence {
    /// Adds a reason for a file.
    pub fn add(&mut self, path: &str, reason: Reason) {
        self.found.entry(path.to_owned()).or_default().push(reason);
    }

    /// Says how similar a file's words are, from 0 to 1.
    pub fn similar(&mut self, path: &str, similarity: f32) {
        self.add(path, Reason::Similar);
        self.similarity.insert(path.to_owned(), similarity);
    }

    /// The files, best first, equal ones in order of path.
    pub fn ranked(self, top: usize) -> Vec<Related> {
        let similarity = self.similarity;
        let mut all: Vec<Related> = self
            .found
            .into_iter()
            .map(|(path, mut reasons)| {
                let near = similarity.get(&path).copied().unwrap_or_default();
                reasons.sort_by(|a, b| b.weight(near).total_cmp(&a.weight(near)));
                let score = reasons.iter().map(|reason| reason.weight(near)).sum();
                Related { path, score, reasons }
            })
            .collect();
        all.sort_by(|a, b| b.score.total_cmp(&a.score).then_with(|| a.path.cmp(&b.path)));
        all.truncate(top);
        all
    }
}

/// What the file that is asked about says.
#[derive(Debug)]
pub struct Subject<'a> {
    path: &'a str,
    words: BTreeSet<&'a str>,
    imports: String,
    defines: BTreeSet<&'a str>,
    definers: &'a HashMap<&'a str, Vec<&'a str>>,
}

impl<'a> Subject<'a> {
    /// The file at `path` with this text; `definers` says which file defines
    /// which name.
    pub fn new(path: &'a str, text: &'a str, definers: &'a HashMap<&'a str, Vec<&'a str>>) -> Self {
        let telling = |name: &&str, files: &Vec<&str>| {
            name.len() >= NAME_BYTES_MIN && files.len() <= DEFINERS_MAX && files.contains(&path)
        };
        let defines = definers.iter().filter(|(name, files)| telling(name, files));
        Self {
            path,
            words: tokenize::words(text).collect(),
            imports: imports(path, text),
            defines: defines.map(|(name, _)| *name).collect(),
            definers,
        }
    }

    /// Files that define names which this one uses, with those names.
    pub fn uses(&self) -> BTreeMap<&'a str, Vec<String>> {
        let mut uses: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for word in &self.words {
            if word.len() < NAME_BYTES_MIN {
                continue;
            }
            let Some(files) = self.definers.get(word) else {
                continue;
            };
            if files.len() <= DEFINERS_MAX && !files.contains(&self.path) {
                for file in files {
                    uses.entry(file).or_default().push((*word).to_owned());
                }
            }
        }
        for names in uses.values_mut() {
            shorten(names);
        }
        uses
    }

    /// The reasons that the text of another file gives.
    pub fn compare(&self, path: &str, text: &str) -> Vec<Reason> {
        let mut reasons = Vec::new();
        if mentions(&self.imports, self.path, path) {
            reasons.push(Reason::Imported);
        }
        if mentions(&imports(path, text), path, self.path) {
            reasons.push(Reason::Imports);
        }
        if !self.defines.is_empty() && is_code(path) {
            let words: BTreeSet<&str> = tokenize::words(text).collect();
            let mut used: Vec<String> = self
                .defines
                .intersection(&words)
                .map(|name| (*name).to_owned())
                .collect();
            if !used.is_empty() {
                shorten(&mut used);
                reasons.push(Reason::Uses(used));
            }
        }
        if is_pair(self.path, path) {
            reasons.push(Reason::Test);
        }
        reasons
    }
}

/// The longest names say most.
fn shorten(names: &mut Vec<String>) {
    names.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
    names.truncate(NAMES_SHOWN_MAX);
}

fn is_code(path: &str) -> bool {
    match Language::of(path).form() {
        Form::Source | Form::Script => true,
        Form::Document | Form::Data => false,
    }
}

/// The lines of a text that name other files or modules.
fn imports(path: &str, text: &str) -> String {
    let mut imports = String::new();
    if !is_code(path) {
        return imports;
    }
    let mut open = 0;
    for line in text.lines() {
        let trimmed = line.trim_start();
        if open == 0 && !starts_import(trimmed) {
            continue;
        }
        imports.push_str(trimmed);
        imports.push('\n');
        let brackets = |set: [char; 2]| line.matches(set).count();
        let goes_on = brackets(['(', '{']) > brackets([')', '}']);
        open = match open {
            0 if goes_on => IMPORT_LINES_MAX,
            0 => 0,
            _ if brackets([')', '}']) > brackets(['(', '{']) => 0,
            left => left - 1,
        };
    }
    imports
}

fn starts_import(line: &str) -> bool {
    let starts = [
        "import ",
        "import(",
        "from ",
        "use ",
        "pub use ",
        "pub(crate) use ",
        "mod ",
        "pub mod ",
        "pub(crate) mod ",
        "#include",
        "require",
        "export * from",
        "export {",
        "source ",
        ". ",
    ];
    starts.iter().any(|start| line.starts_with(start))
        || line.contains("require(")
        || line.contains("import(")
}

/// Whether the imports of the file at `from` name the file at `to`. The name
/// alone is not enough where the files are in different directories: the
/// directory must be named too, unless the name stands where it is looked for.
fn mentions(imports: &str, from: &str, to: &str) -> bool {
    if !is_code(to) || family(from) != family(to) {
        return false;
    }
    let name = stem(to);
    let directory = |path: &str| {
        path.rsplit_once('/')
            .map(|(directory, _)| directory.to_owned())
            .unwrap_or_default()
    };
    let parent = directory(to);
    let parent = parent.rsplit('/').next().unwrap_or_default();
    let near = directory(from) == directory(to);
    // One of the names of a module file is its directory's.
    let own = parent == name;
    imports
        .lines()
        .any(|line| tokenize::words(line).any(|word| word == name))
        && (near
            || own
            || parent.is_empty()
            || matches!(parent, "src" | "lib" | "include")
            || tokenize::words(imports).any(|word| word == parent))
}

/// Languages that can import each other.
fn family(path: &str) -> u8 {
    match Language::of(path) {
        Language::Python => 0,
        Language::Rust => 1,
        Language::JavaScript | Language::TypeScript | Language::Tsx | Language::Web => 2,
        Language::Go => 3,
        Language::Java => 4,
        Language::C | Language::Cpp => 5,
        Language::Shell => 6,
        Language::Proto => 7,
        Language::Markdown | Language::Data | Language::Sql | Language::Other => 8,
    }
}

/// Whether one path is the other's test by its name: `test_x.py` and `x.py`.
pub fn is_pair(a: &str, b: &str) -> bool {
    (Class::of(a) == Class::Test) != (Class::of(b) == Class::Test)
        && family(a) == family(b)
        && subject_name(a).is_some_and(|name| subject_name(b) == Some(name))
}

/// The name of what a file is about, without the marks of a test.
fn subject_name(path: &str) -> Option<&str> {
    let name = path.rsplit('/').next()?.split('.').next()?;
    let bare = name
        .strip_prefix("test_")
        .or_else(|| name.strip_suffix("_test"))
        .or_else(|| name.strip_suffix("_tests"))
        .or_else(|| name.strip_suffix("Tests"))
        .or_else(|| name.strip_suffix("Test"))
        .unwrap_or(name);
    (bare.len() > 1
        && !matches!(
            bare,
            "test" | "tests" | "mod" | "index" | "main" | "lib" | "__init__"
        ))
    .then_some(bare)
}

#[expect(clippy::cast_precision_loss, reason = "counts far below 2^24")]
fn float(count: u32) -> f32 {
    count as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn imports_name_files() {
        let check = |from: &str, text: &str, to: &str, expect: bool| {
            assert_eq!(
                mentions(&imports(from, text), from, to),
                expect,
                "{from} {text:?} {to}"
            );
        };
        check(
            "shop/app.py",
            "from shop.auth import jwt\n",
            "shop/auth/jwt.py",
            true,
        );
        check(
            "shop/app.py",
            "from shop.auth import (\n    jwt,\n)\nkeys = 1\n",
            "shop/auth/jwt.py",
            true,
        );
        check(
            "shop/app.py",
            "from shop.auth import (\n    jwt,\n)\nkeys = 1\n",
            "shop/auth/keys.py",
            false,
        );
        check(
            "shop/app.py",
            "from shop import auth\n",
            "shop/auth/__init__.py",
            true,
        );
        check(
            "shop/app.py",
            "from billing import jwt\n",
            "shop/auth/jwt.py",
            false,
        );
        check("shop/app.py", "jwt = 1\n", "shop/auth/jwt.py", false);
        check("src/main.rs", "mod store;\n", "src/store.rs", true);
        check("src/a.ts", "const x = require('./b')\n", "src/b.js", true);
        check("src/a.c", "#include \"b.h\"\n", "src/b.h", true);
        check("a.md", "import b\n", "b.py", false);
        check("a.py", "import b\n", "b.rs", false);
    }

    #[test]
    fn tests_and_their_subjects() {
        let check = |a: &str, b: &str, expect: bool| assert_eq!(is_pair(a, b), expect, "{a} {b}");
        check("shop/orders.py", "tests/test_orders.py", true);
        check("pkg/server_test.go", "pkg/server.go", true);
        check("src/Till.java", "test/TillTest.java", true);
        check("src/api.spec.ts", "src/api.ts", true);
        check("shop/orders.py", "shop/customers.py", false);
        check("shop/orders.py", "billing/orders.py", false);
        check("shop/orders.py", "tests/orders.rs", false);
        check("src/mod.rs", "tests/mod.rs", false);
    }

    #[test]
    fn reasons_of_a_file() {
        let files = [
            ("shop/jwt.py", "def encode_token():\n    pass\n"),
            (
                "shop/app.py",
                "from shop import jwt\nencode_token()\ndef make_app():\n    pass\n",
            ),
            (
                "tests/test_jwt.py",
                "from shop import jwt\n\njwt.encode_token()\n",
            ),
            ("docs/a.md", "encode_token\n"),
        ];
        let definers = HashMap::from([
            ("encode_token", vec!["shop/jwt.py"]),
            ("make_app", vec!["shop/app.py"]),
        ]);
        let check = |at: usize, other: usize, expect: &[Reason]| {
            let subject = Subject::new(files[at].0, files[at].1, &definers);
            assert_eq!(
                subject.compare(files[other].0, files[other].1),
                expect,
                "{at} {other}"
            );
        };
        let names = || vec!["encode_token".to_owned()];
        check(0, 1, &[Reason::Imports, Reason::Uses(names())]);
        check(0, 2, &[Reason::Imports, Reason::Uses(names()), Reason::Test]);
        check(0, 3, &[]);
        check(1, 0, &[Reason::Imported]);
        let subject = Subject::new(files[1].0, files[1].1, &definers);
        assert_eq!(subject.uses(), BTreeMap::from([("shop/jwt.py", names())]));
    }

    #[test]
    fn the_closest_come_first() {
        let mut evidence = Evidence::default();
        evidence.add("b", Reason::Together { commits: 1, of: 10 });
        evidence.add("a", Reason::Together { commits: 9, of: 10 });
        evidence.similar("b", 1.0);
        evidence.similar("c", 0.1);
        let got: Vec<(String, Vec<&str>)> = evidence
            .ranked(2)
            .into_iter()
            .map(|related| (related.path, related.reasons.iter().map(Reason::as_str).collect()))
            .collect();
        assert_eq!(
            got,
            [
                ("a".to_owned(), vec!["history"]),
                ("b".to_owned(), vec!["similar", "history"])
            ]
        );
    }
}
