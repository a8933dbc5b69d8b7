//! An index kept up to date against a fresh one, by its own checker.

use std::path::PathBuf;

use proptest::prelude::*;

use super::*;
use crate::walk;

/// Something that happens to a workspace. Files are numbered.
#[derive(Debug, Clone)]
enum Step {
    Write(usize, String),
    Remove(usize),
    Move(usize, usize),
    Copy(usize, usize),
    RemoveDirectory(usize),
    MoveDirectory(usize, usize),
    /// An ignore file that names these.
    Ignore(Vec<usize>),
}

const FILES: usize = 12;
const DIRECTORIES: usize = 3;

fn path(file: usize) -> String {
    let extension = ["py", "rs", "txt", "bin"][file % 4];
    format!("dir{}/sub/file{file}.{extension}", file % DIRECTORIES)
}

fn step() -> impl Strategy<Value = Step> {
    let text = prop_oneof![
        8 => "[a-d]{1,2}( [a-d]{1,2}){0,6}".prop_map(|words| format!("def {}():\n    {words}\n", words.replace(' ', "_"))),
        1 => Just(String::new()),
        1 => Just("a\0b".to_owned()),
        1 => Just("-----BEGIN PRIVATE KEY-----\n".to_owned()),
    ];
    prop_oneof![
        8 => (0..FILES, text).prop_map(|(file, text)| Step::Write(file, text)),
        3 => (0..FILES).prop_map(Step::Remove),
        3 => (0..FILES, 0..FILES).prop_map(|(from, to)| Step::Move(from, to)),
        2 => (0..FILES, 0..FILES).prop_map(|(from, to)| Step::Copy(from, to)),
        1 => (0..DIRECTORIES).prop_map(Step::RemoveDirectory),
        1 => (0..DIRECTORIES, 0..DIRECTORIES).prop_map(|(from, to)| Step::MoveDirectory(from, to)),
        1 => prop::collection::vec(0..FILES, 0..4).prop_map(Step::Ignore),
    ]
}

/// Does it, as far as it can be done, and says which paths a watcher would name.
fn happen(root: &Path, step: Step) -> Vec<PathBuf> {
    match step {
        Step::Write(file, text) => {
            write(root, &path(file), &text);
            vec![path(file).into()]
        }
        Step::Remove(file) => {
            let _ = fs::remove_file(root.join(path(file)));
            vec![root.join(path(file))]
        }
        Step::Move(from, to) => {
            fs::create_dir_all(root.join(path(to)).parent().unwrap()).unwrap();
            let _ = fs::rename(root.join(path(from)), root.join(path(to)));
            vec![path(from).into(), path(to).into()]
        }
        Step::Copy(from, to) => {
            fs::create_dir_all(root.join(path(to)).parent().unwrap()).unwrap();
            let _ = fs::copy(root.join(path(from)), root.join(path(to)));
            vec![path(to).into()]
        }
        Step::RemoveDirectory(directory) => {
            let directory = root.join(format!("dir{directory}"));
            let _ = fs::remove_dir_all(&directory);
            vec![directory]
        }
        Step::MoveDirectory(from, to) => {
            let (from, to) = (format!("dir{from}"), format!("dir{to}"));
            let _ = fs::remove_dir_all(root.join(&to));
            let _ = fs::rename(root.join(&from), root.join(&to));
            vec![from.into(), to.into()]
        }
        Step::Ignore(files) => {
            let names: String = files.iter().map(|file| format!("file{file}.*\n")).collect();
            write(root, "dir1/.gitignore", &names);
            vec![root.join("dir1/.gitignore")]
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Told of each change or looking for itself, dropping what is gone or not.
    #[test]
    fn an_index_kept_up_to_date_is_a_fresh_one(
        steps in prop::collection::vec((prop::collection::vec(step(), 1..5), 0..3_u8), 1..8),
    ) {
        let dir = workspace(&[("main.py", "import a\n")]);
        let root = walk::canonical_root(dir.path()).unwrap();
        let mut corpus = Corpus::default();
        corpus.refresh(&root);
        for (steps, how) in steps {
            let changed: Vec<PathBuf> = steps.into_iter().flat_map(|step| happen(&root, step)).collect();
            if how == 0 {
                corpus.refresh(&root);
            } else {
                corpus.refresh_paths(&root, &changed);
            }
            if how == 2 {
                corpus.rebuild();
            }
            corpus.join(&History::default(), false);
            prop_assert_eq!(corpus.check(&root), []);
            let fresh = fresh(&root);
            prop_assert_eq!((corpus.files(), corpus.parts()), (fresh.files(), fresh.parts()));
            prop_assert_eq!(corpus.scan(), walk::scan(&root));
            for query in ["a", "b c", "dir1 file3 aa", "a_b", "d\nc"] {
                prop_assert_eq!(ask(&corpus, query), ask(&fresh, query));
            }
        }
    }
}

#[test]
fn the_checker_sees_what_is_wrong() {
    let dir = workspace(&[("a.py", "a = 1\n"), ("b.py", "b = 1\n"), ("c.py", "c = 1\n")]);
    let root = walk::canonical_root(dir.path()).unwrap();
    let corpus = fresh(&root);
    assert_eq!(corpus.check(&root), []);
    write(&root, "a.py", "a = 2\n");
    fs::remove_file(root.join("b.py")).unwrap();
    write(&root, "c.py", "");
    write(&root, "d.py", "d = 1\n");
    let found = corpus.check(&root);
    let paths: Vec<&str> = found.iter().map(|difference| difference.path.as_str()).collect();
    assert_eq!(paths, ["a.py", "b.py", "c.py", "d.py"]);
    assert_eq!(found[1].there, check::Told::Nothing);
    assert_eq!(found[2].there, check::Told::LeftOut(SkipReason::Empty));
    assert_eq!(found[3].here, check::Told::Nothing);
    // Damage inside: a term too many.
    let mut damaged = fresh(&root);
    let part = number(damaged.contents.parts.len()) - 1;
    damaged.contents.body.add(part, &[(7, 1)]);
    assert_eq!(damaged.check(&root).len(), 1);
}

#[test]
fn what_is_known_is_not_parsed_again() {
    let dir = workspace(&[
        ("src/a.py", "def alpha():\n    pass\n"),
        ("src/b.py", "def beta():\n    pass\n"),
    ]);
    let root = walk::canonical_root(dir.path()).unwrap();
    let mut corpus = Corpus::default();
    let counts = |update: Update| (update.indexed, update.read, update.parsed);
    assert_eq!(counts(corpus.refresh(&root)), (2, 2, 2));
    // Moved: read, because only its bytes say that it is the same.
    fs::rename(root.join("src"), root.join("lib")).unwrap();
    let changed = ["src".into(), "lib".into()];
    assert_eq!(counts(corpus.refresh_paths(&root, &changed)), (2, 2, 0));
    assert_eq!(paths(&ask(&corpus, "alpha")), ["lib/a.py"]);
    // Another branch and back.
    write(&root, "lib/a.py", "def gamma():\n    pass\n");
    let changed = ["lib/a.py".into()];
    assert_eq!(counts(corpus.refresh_paths(&root, &changed)), (1, 1, 1));
    write(&root, "lib/a.py", "def alpha():\n    pass\n");
    assert_eq!(counts(corpus.refresh_paths(&root, &changed)), (1, 1, 0));
    // Written with the same bytes, named for nothing, or not below the root.
    assert_eq!(counts(corpus.refresh_paths(&root, &changed)), (0, 1, 0));
    assert_eq!(
        counts(corpus.refresh_paths(&root, &["none.py".into(), "/etc/hosts".into()])),
        (0, 0, 0)
    );
    // The same text under a name that makes it another language.
    fs::copy(root.join("lib/a.py"), root.join("lib/a.txt")).unwrap();
    assert_eq!(
        counts(corpus.refresh_paths(&root, &["lib/a.txt".into()])),
        (1, 1, 1)
    );
    assert_eq!(corpus.check(&root), []);
}

#[test]
fn a_settled_file_is_not_read_again() {
    let dir = workspace(&[("old.py", "a = 1\n"), ("new.py", "b = 1\n")]);
    let root = walk::canonical_root(dir.path()).unwrap();
    let mut corpus = Corpus::default();
    corpus.refresh(&root);
    // Both were changed a moment ago, and the clock of the file system is coarse.
    assert_eq!(corpus.refresh(&root).read, 2);
    for seen in corpus.seen.values_mut() {
        seen.age(refresh::SETTLED_AFTER * 2);
    }
    assert_eq!(corpus.refresh(&root).read, 0);
    // Another inode is another file, whatever its time says.
    fs::rename(root.join("new.py"), root.join("old.py")).unwrap();
    let update = corpus.refresh(&root);
    assert_eq!((update.read, update.indexed, update.removed), (1, 1, 1));
    assert_eq!(corpus.check(&root), []);
}

#[test]
fn a_workspace_without_room_is_the_same_in_steps() {
    let dir = workspace(&[("a.py", "a = 1\n"), ("c.py", "c = 1\n")]);
    let root = walk::canonical_root(dir.path()).unwrap();
    let room = walk::Limits::for_files(2);
    let mut corpus = Corpus::with_room(room);
    corpus.refresh(&root);
    write(&root, "b.py", "b = 1\n");
    corpus.refresh_paths(&root, &["b.py".into()]);
    let files = |corpus: &Corpus| {
        corpus
            .scan()
            .files
            .into_iter()
            .map(|file| file.path)
            .collect::<Vec<_>>()
    };
    assert_eq!(files(&corpus), ["a.py", "b.py"]);
    assert_eq!(corpus.skipped(), BTreeMap::from([(SkipReason::OverLimit, 1)]));
    fs::remove_file(root.join("a.py")).unwrap();
    corpus.refresh_paths(&root, &["a.py".into()]);
    assert_eq!(files(&corpus), ["b.py", "c.py"]);
    assert_eq!(corpus.skipped(), BTreeMap::new());
}
