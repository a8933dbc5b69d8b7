//! Files that an editor shows with changes that are not saved: what is proposed
//! on them, what is written through the editor, what is committed, and death at
//! every step of it.

use std::{
    fs,
    path::{Path, PathBuf},
};

use engine::artifact::{ApplyIntent, FileChange};
use shared::error::Code;
use tools::{
    Workspace,
    apply::{self, CRASH_POINTS, Executed, SAVED_CRASH_POINT, Saved},
    proposal::{Before, NewContents, propose_after},
};

use crate::support::{Place, code};

/// Names the place for the child process.
const CHILD_VARIABLE: &str = "TOOLS_UNSAVED_HOME";

const DISK: &str = "1\n2\n3\n4\n5\n";
/// With a line of the person's.
const SHOWN: &str = "mine\n1\n2\n3\n4\n5\n";
/// With a line of the model's.
const PROPOSED: &str = "mine\n1\n2\n3\n4\nfive\n";
const COMMITTED: &str = "1\n2\n3\n4\nfive\n";

/// What an editor does with what it is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manner {
    Saves,
    Formats,
    ShowsOnly,
    Refuses,
    /// It formats and saves, and nobody waits for its answer so long.
    IsLate,
}

/// An editor that has `a` open. Its buffer outlives us in a file.
struct Editor {
    buffer: PathBuf,
    root: PathBuf,
    manner: Manner,
}

impl Editor {
    fn open(place: &Place, manner: Manner) -> Self {
        let buffer = place.home.join("buffer");
        if !buffer.exists() {
            fs::write(&buffer, SHOWN).unwrap();
        }
        let root = place.root.clone();
        Self { buffer, root, manner }
    }

    fn text(&self) -> String {
        fs::read_to_string(&self.buffer).unwrap()
    }

    fn types(&self, text: &str) {
        fs::write(&self.buffer, text).unwrap();
    }

    fn save(&self, path: &str, text: &str) -> Saved {
        let text = match self.manner {
            Manner::Refuses => return Saved::No,
            Manner::Formats | Manner::IsLate => text.replace('2', "two"),
            Manner::Saves | Manner::ShowsOnly => text.to_owned(),
        };
        fs::write(&self.buffer, &text).unwrap();
        if self.manner != Manner::ShowsOnly {
            fs::write(self.root.join(path), text).unwrap();
        }
        match self.manner {
            Manner::IsLate => Saved::No,
            Manner::Saves | Manner::Formats | Manner::ShowsOnly | Manner::Refuses => Saved::Yes,
        }
    }

    fn shows(&self, workspace: Workspace) -> Workspace {
        workspace.as_shown([("a".to_owned(), self.text())])
    }
}

fn place() -> Place {
    let place = Place::repository(&[("a", DISK), ("b", "b\n"), ("mine", "a\n")]);
    place.write("mine", "dirty\n");
    place.write("staged", "s\n");
    place.git(&["add", "staged"]);
    place
}

/// Proposes on what the editor shows.
fn proposal(place: &Place, editor: &Editor) -> Vec<FileChange> {
    let changes = [("a", Some(PROPOSED)), ("b", Some("bb\n")), ("new", Some("n\n"))];
    place.proposal(&editor.shows(place.open()), &changes)
}

fn plan(place: &Place, editor: &Editor) -> ApplyIntent {
    let files = proposal(place, editor);
    place.plan(&editor.shows(place.open()), &files).unwrap().intent
}

fn execute(place: &Place, intent: &ApplyIntent, editor: &Editor) -> Result<Executed, tools::Error> {
    let workspace = editor.shows(place.open());
    let save = |path: &str, text: &str| editor.save(path, text);
    apply::execute_through(&workspace, intent, &|id| place.blob(id), &save)
}

/// What is in the editor, on the disk and in the commit.
fn contents(place: &Place, editor: &Editor) -> [Option<String>; 3] {
    [Some(editor.text()), place.read("a"), place.committed("a")]
}

#[track_caller]
fn check(manner: Manner, expect: [&str; 3], notices: usize) {
    let place = place();
    let editor = Editor::open(&place, manner);
    let intent = plan(&place, &editor);
    let executed = execute(&place, &intent, &editor).unwrap();
    let expect = expect.map(|text| Some(text.to_owned()));
    assert_eq!(contents(&place, &editor), expect, "{manner:?}");
    assert_eq!(executed.notices.len(), notices, "{:?}", executed.notices);
    assert_eq!(place.log(), ["feat: add things", "first"]);
    assert_eq!(place.read("mine").as_deref(), Some("dirty\n"));
    // What the person had staged is staged, and what was not saved is not committed.
    assert_eq!(place.git(&["diff", "--cached", "--name-only"]), "staged\n");
    assert_eq!(place.git(&["diff", "--name-only"]), "a\nmine\n");
    // Whatever the editor does, once is enough.
    let again = execute(&place, &intent, &editor).unwrap();
    assert_eq!(again.applied, executed.applied);
}

#[test]
fn what_was_not_saved_is_saved_and_not_committed() {
    check(Manner::Saves, [PROPOSED, PROPOSED, COMMITTED], 0);
}

#[test]
fn an_editor_that_refuses_or_saves_nothing_leaves_it_to_the_disk() {
    check(Manner::Refuses, [SHOWN, PROPOSED, COMMITTED], 0);
    check(Manner::ShowsOnly, [PROPOSED, PROPOSED, COMMITTED], 0);
}

#[test]
fn what_an_editor_formats_is_not_committed_and_is_said() {
    let formatted = "mine\n1\ntwo\n3\n4\nfive\n";
    check(Manner::Formats, [formatted, formatted, COMMITTED], 1);
}

#[test]
fn what_an_editor_saves_too_late_is_not_overwritten() {
    let place = place();
    let editor = Editor::open(&place, Manner::IsLate);
    let files = proposal(&place, &editor);
    let intent = plan(&place, &editor);
    assert_eq!(code(execute(&place, &intent, &editor)), Code::WorkspaceChanged);
    let intent = place.plan(&editor.shows(place.open()), &files).unwrap().intent;
    execute(&place, &intent, &editor).unwrap();
    let formatted = "mine\n1\ntwo\n3\n4\nfive\n";
    assert_eq!(
        contents(&place, &editor),
        [formatted, formatted, COMMITTED].map(|text| Some(text.to_owned()))
    );
    assert_eq!(place.log(), ["feat: add things", "first"]);
}

#[test]
fn the_person_is_told_what_is_saved_with_it() {
    let place = place();
    let editor = Editor::open(&place, Manner::Saves);
    let files = proposal(&place, &editor);
    let planned = place.plan(&editor.shows(place.open()), &files).unwrap();
    let told: Vec<&str> = planned
        .notices
        .iter()
        .map(|notice| notice.message.as_str())
        .collect();
    assert_eq!(
        told,
        ["a is written through the editor, which saves your changes there as well"]
    );
    let unsaved: Vec<&str> = planned
        .intent
        .unsaved
        .iter()
        .map(|file| file.path.as_str())
        .collect();
    assert_eq!(unsaved, ["a"]);
}

/// The plan is of what was shown then.
#[test]
fn whoever_goes_on_typing_is_planned_for_again() {
    for typed in ["mine too\n1\n2\n3\n4\n5\n", DISK] {
        let place = place();
        let editor = Editor::open(&place, Manner::Saves);
        let intent = plan(&place, &editor);
        editor.types(typed);
        assert_eq!(code(execute(&place, &intent, &editor)), Code::WorkspaceChanged);
        assert_eq!(
            contents(&place, &editor),
            [typed, DISK, DISK].map(|text| Some(text.to_owned()))
        );
        // Planned again, it is right.
        let files = proposal_on_shown(&place);
        let intent = place.plan(&editor.shows(place.open()), &files).unwrap().intent;
        execute(&place, &intent, &editor).unwrap();
        let expect = typed.replace('5', "five");
        // An editor reads again what it shows without changes.
        let [_, disk, committed] = contents(&place, &editor);
        assert_eq!(
            [disk.as_deref(), committed.as_deref()],
            [Some(expect.as_str()), Some(COMMITTED)]
        );
    }
}

/// A proposal that was made while [`SHOWN`] was shown.
fn proposal_on_shown(place: &Place) -> Vec<FileChange> {
    let shown = place.open().as_shown([("a".to_owned(), SHOWN.to_owned())]);
    place.proposal(&shown, &[("a", Some(PROPOSED))])
}

#[test]
fn what_is_saved_or_gone_meanwhile_is_merged() {
    let check = |disk: &str, expect: &str| {
        let place = place();
        let files = proposal_on_shown(&place);
        place.write("a", disk);
        let workspace = place.open();
        place.apply(&workspace, &files);
        assert_eq!(place.read("a").as_deref(), Some(expect));
        assert_eq!(place.committed("a").as_deref(), Some(COMMITTED));
    };
    check(SHOWN, PROPOSED);
    // The editor was closed without saving.
    check(DISK, COMMITTED);
}

#[test]
fn lines_that_both_changed_are_the_persons_to_decide() {
    let place = place();
    let files = proposal_on_shown(&place);
    let shown = place
        .open()
        .as_shown([("a".to_owned(), "1\n2\n3\n4\n5!\n".to_owned())]);
    assert_eq!(code(place.plan(&shown, &files)), Code::WorkspaceChanged);
}

#[test]
fn another_proposal_keeps_what_was_typed_since_the_one_before() {
    let check = |shown: &str, before: [&str; 2], text: &str, expect: &str| {
        let place = place();
        let workspace = place.open().as_shown([("a".to_owned(), shown.to_owned())]);
        let contents = NewContents {
            path: "a".to_owned(),
            text: Some(text.to_owned()),
        };
        let [old, new] = before.map(|text| Some(text.as_bytes().to_vec()));
        let before = [("a".to_owned(), Before { old, new })].into();
        let proposed = propose_after(&workspace, &[contents], &before).unwrap();
        let [change] = proposed.files.as_slice() else {
            panic!("{:?}", proposed.files);
        };
        let new = proposed.blobs.iter().find(|blob| Some(blob.id()) == change.new);
        assert_eq!(
            new.map(|blob| String::from_utf8_lossy(blob.bytes()).into_owned())
                .as_deref(),
            Some(expect)
        );
    };
    let again = "1\n2\n3\nfour\nfive\n";
    // Typed since.
    check(SHOWN, [DISK, COMMITTED], again, "mine\n1\n2\n3\nfour\nfive\n");
    // Nothing was.
    check(DISK, [DISK, COMMITTED], again, again);
    // What was proposed is there.
    check(COMMITTED, [DISK, COMMITTED], again, again);
    // The same lines: the difference shows it.
    check("1\n2\n3\n4\n5!\n", [DISK, COMMITTED], again, again);
}

/// Not a test of its own: what the child process of the others does.
#[test]
fn child() {
    let Some(home) = std::env::var_os(CHILD_VARIABLE) else {
        return;
    };
    let place = Place::existing(Path::new(&home));
    let editor = Editor::open(&place, Manner::Saves);
    let intent = plan(&place, &editor);
    let _ = execute(&place, &intent, &editor);
}

fn crash_at(place: &Place, point: &str) {
    place.crash_at("unsaved::child", CHILD_VARIABLE, point);
}

type Outcome = (String, String, Vec<String>, Vec<Option<String>>);

fn outcome(place: &Place) -> Outcome {
    let contents = ["a", "b", "new", "mine", "staged"].map(|path| place.read(path));
    (
        place.git(&["rev-parse", "HEAD"]),
        place.status(),
        place.log(),
        contents.to_vec(),
    )
}

#[test]
fn the_same_intent_ends_right_after_a_crash_anywhere_with_the_editor_and_without() {
    let expect = {
        let place = place();
        let editor = Editor::open(&place, Manner::Saves);
        let intent = plan(&place, &editor);
        execute(&place, &intent, &editor).unwrap();
        outcome(&place)
    };
    for point in CRASH_POINTS.iter().chain([&SAVED_CRASH_POINT]) {
        for editor_is_there in [true, false] {
            let place = place();
            let editor = Editor::open(&place, Manner::Saves);
            let intent = plan(&place, &editor);
            crash_at(&place, point);
            for _ in 0..2 {
                match editor_is_there {
                    true => drop(execute(&place, &intent, &editor).unwrap()),
                    false => drop(place.execute(&place.open(), &intent).unwrap()),
                }
            }
            assert_eq!(
                outcome(&place),
                expect,
                "{point}, with the editor: {editor_is_there}"
            );
            if editor_is_there {
                assert_eq!(editor.text(), PROPOSED, "{point}");
            }
        }
    }
}
