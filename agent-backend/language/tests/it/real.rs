//! The servers themselves, each on a small project of its language.

use language::{Client, Diagnostic, Error, Location, Position, Server, Stop, check};

use crate::support::{Place, TIMEOUTS, until_gone};

/// One language: a file that others need, one with an error of before, and what
/// a proposal makes of it.
struct Language {
    /// What makes a project of it.
    project: &'static [(&'static str, &'static str)],
    /// The changed file.
    path: &'static str,
    /// Its text with one old error.
    old: &'static str,
    /// Some lines longer, with the old error and a new one.
    new: &'static str,
    /// The path, line and a part of the message of the new error.
    error: (&'static str, u32, &'static str),
    /// What another proposal makes of the file that others need, and the line
    /// and a part of the message of the error that this brings to the old text;
    /// none for a server that knows no types.
    breaks: Option<(&'static str, u32, &'static str)>,
    /// A name in the old text, and where it is defined.
    named: (u32, u32),
    defined: (&'static str, u32),
    /// A part of what hovering over it shows.
    hover: &'static str,
}

const PYTHON: Language = Language {
    project: &[("lib.py", "def twice(n: int) -> int:\n    return 2 * n\n")],
    path: "a.py",
    old: "from lib import twice\n\nprint(twice(1))\nprint(missing)\n",
    new: "from lib import twice\n\n# more\n\nprint(twice(1))\nprint(missing)\nprint(twice(\"a\"))\n",
    error: ("a.py", 6, "\"Literal['a']\" is not assignable to \"int\""),
    breaks: Some((
        "def twice(n: int, times: int) -> int:\n    return times * n\n",
        2,
        "Argument missing for parameter \"times\"",
    )),
    named: (2, 7),
    defined: ("lib.py", 0),
    hover: "(n: int) -> int",
};

/// The same, for a server that knows no types.
const PYTHON_NAMES: Language = Language {
    new: "from lib import twice\n\n# more\n\nprint(twice(1))\nprint(missing)\nprint(twice(other))\n",
    error: ("a.py", 6, "undefined name 'other'"),
    breaks: None,
    hover: "twice(n: int) -> int",
    ..PYTHON
};

const TYPESCRIPT: Language = Language {
    project: &[
        (
            "tsconfig.json",
            "{ \"compilerOptions\": { \"strict\": true, \"types\": [] } }",
        ),
        (
            "app/[id]/lib.ts",
            "export function twice(n: number): number {\n  return 2 * n\n}\n",
        ),
    ],
    path: "app/a b.ts",
    old: "import { twice } from \"./[id]/lib\"\n\nexport const a = twice(1)\nexport const b: string = 1\n",
    new: "import { twice } from \"./[id]/lib\"\n\n// more\n\nexport const a = twice(1)\nexport const b: string = 1\nexport const c = twice(\"a\")\n",
    error: (
        "app/a b.ts",
        6,
        "Argument of type 'string' is not assignable to parameter of type 'number'",
    ),
    breaks: Some((
        "export function twice(n: number, times: number): number {\n  return times * n\n}\n",
        2,
        "Expected 2 arguments, but got 1",
    )),
    named: (2, 18),
    defined: ("app/[id]/lib.ts", 0),
    hover: "twice(n: number): number",
};

const RUST: Language = Language {
    project: &[
        (
            "Cargo.toml",
            "[package]\nname = \"w\"\nversion = \"0.1.0\"\nedition = \"2024\"\n",
        ),
        (
            "src/lib.rs",
            "pub mod a;\n\npub fn twice(n: i32) -> i32 {\n    2 * n\n}\n",
        ),
    ],
    path: "src/a.rs",
    old: "use crate::twice;\n\npub fn a() -> i32 {\n    twice(1)\n}\n\npub fn b() -> bool {\n    1\n}\n",
    new: "use crate::twice;\n\n// More.\n\npub fn a() -> i32 {\n    twice(1)\n}\n\npub fn b() -> bool {\n    1\n}\n\npub fn c() -> i32 {\n    twice(1, 2)\n}\n",
    error: ("src/a.rs", 13, "expected 1 argument, found 2"),
    breaks: Some((
        "pub mod a;\n\npub fn twice(n: i32, times: i32) -> i32 {\n    times * n\n}\n",
        3,
        "expected 2 arguments, found 1",
    )),
    named: (3, 5),
    defined: ("src/lib.rs", 2),
    hover: "pub fn twice(n: i32) -> i32",
};

/// A change brings the new error alone: the one of before is not held against
/// it, though its lines move. Of a new file everything is new.
fn judge(language: &Language, place: &Place) {
    let changed = |before: &[(&str, &str)], after: &str| -> Vec<Diagnostic> {
        let server = place.installed.server;
        let after = [(language.path, after)];
        let command = place.command();
        check(
            server,
            command,
            &place.root(),
            before,
            &after,
            TIMEOUTS,
            Stop::never(),
        )
        .unwrap()
    };
    let found = changed(&[(language.path, language.old)], language.new);
    let (path, line, message) = language.error;
    let [error] = found.as_slice() else {
        panic!("{found:#?}");
    };
    assert_eq!(
        (error.path.as_str(), error.range.start.line),
        (path, line),
        "{error}"
    );
    assert!(error.message.contains(message), "{error}");
    assert_eq!(changed(&[], language.new).len(), 2);
}

/// What a change breaks in a file that it leaves alone is new, and the error of
/// before there is not.
fn judge_elsewhere(language: &Language, place: &Place) {
    let Some((new, line, message)) = language.breaks else {
        return;
    };
    let needed = language.defined.0;
    let (_, old) = language.project.iter().find(|(path, _)| *path == needed).unwrap();
    let other = (language.path, language.old);
    let found = check(
        place.installed.server,
        place.command(),
        &place.root(),
        &[(needed, *old), other],
        &[(needed, new), other],
        TIMEOUTS,
        Stop::never(),
    )
    .unwrap();
    let [error] = found.as_slice() else {
        panic!("{found:#?}");
    };
    assert_eq!(
        (error.path.as_str(), error.range.start.line),
        (language.path, line),
        "{error}"
    );
    assert!(error.message.contains(message), "{error}");
}

/// Hover, definition and references at the name.
fn look(language: &Language, client: &mut Client) {
    let (line, character) = language.named;
    let at = Position { line, character };
    let hover = client.hover(language.path, at).unwrap().unwrap();
    assert!(hover.contains(language.hover), "{hover}");
    let places = |found: Vec<Location>| -> Vec<(String, u32)> {
        let found = found.into_iter();
        found.map(|at| (at.path, at.range.start.line)).collect()
    };
    let defined = (language.defined.0.to_owned(), language.defined.1);
    let found = places(client.definition(language.path, at).unwrap());
    assert_eq!(found, std::slice::from_ref(&defined));
    let references = places(client.references(language.path, at).unwrap());
    let mut expect = vec![
        (language.path.to_owned(), 0),
        (language.path.to_owned(), line),
        defined,
    ];
    expect.sort();
    assert_eq!(references, expect);
    let nothing = Position {
        line: 1,
        character: 0,
    };
    assert_eq!(client.hover(language.path, nothing).unwrap(), None);
}

/// A server that is killed is an error at once, and leaves nothing behind.
fn kill(language: &Language, mut client: Client) {
    let pid = client.process_id().unwrap();
    let killed = std::process::Command::new("sh")
        .args(["-c", &format!("kill -9 -{pid}")])
        .status()
        .unwrap();
    assert!(killed.success());
    // What was on its way before is still heard.
    let error = loop {
        let said = client.change(language.path, language.new);
        let said = said.and_then(|()| client.diagnostics(&[language.path], TIMEOUTS.diagnostics));
        if let Err(error) = said {
            break error;
        }
    };
    assert!(matches!(error, Error::Died { .. }), "{error}");
    assert!(error.to_string().contains("SIGKILL"), "{error}");
    drop(client);
    until_gone(pid);
}

fn all(language: &Language, server: Server) {
    let own = [(language.path, language.old)];
    let files: Vec<_> = language.project.iter().chain(&own).copied().collect();
    let Some(place) = Place::of(server, &files) else {
        return;
    };
    judge(language, &place);
    judge_elsewhere(language, &place);
    let mut client = place.client();
    client.open(language.path, language.old).unwrap();
    look(language, &mut client);
    kill(language, client);
}

#[test]
fn basedpyright() {
    all(&PYTHON, Server::Basedpyright);
}

#[test]
fn pyright() {
    all(&PYTHON, Server::Pyright);
}

#[test]
fn pylsp() {
    all(&PYTHON_NAMES, Server::Pylsp);
}

#[test]
fn rust_analyzer() {
    all(&RUST, Server::RustAnalyzer);
}

#[test]
fn typescript() {
    all(&TYPESCRIPT, Server::TypeScript);
}

#[test]
fn typescript_language_server() {
    all(&TYPESCRIPT, Server::TypeScriptLanguageServer);
}
