//! Workspaces that nobody would wish for: each has a clear outcome, and the
//! index is right by its own checker.

use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::sync::atomic::{AtomicBool, Ordering};

use super::*;
use crate::language::Language;
use crate::walk;

/// The index of one file, and what became of it.
fn of_file(path: &str, bytes: &[u8]) -> (Corpus, Result<usize, SkipReason>) {
    let dir = workspace(&[]);
    let root = walk::canonical_root(dir.path()).unwrap();
    fs::write(root.join(path), bytes).unwrap();
    let corpus = fresh(&root);
    assert_eq!(corpus.check(&root), []);
    let outcome = match corpus.skipped().into_keys().next() {
        Some(reason) => Err(reason),
        None => Ok(corpus.parts()),
    };
    (corpus, outcome)
}

#[test]
fn files_of_strange_shape() {
    let check = |path: &str, text: &str, expect: Result<usize, SkipReason>| {
        assert_eq!(of_file(path, text.as_bytes()).1, expect, "{path}");
    };
    let large = usize::try_from(walk::PARSED_BYTES_MAX).unwrap();
    // A million lines: found by their words as long as they are no more than two megabytes.
    check("a.py", &"x\n".repeat(1_000_000), Ok(12_500));
    check("a.py", &"x = 1\n".repeat(1_000_000), Err(SkipReason::TooLarge));
    check("a.csv", &"x\n".repeat(1_000_000), Err(SkipReason::TooLarge));
    // One line of five megabytes, and one of as much as may be.
    check("a.md", &"x ".repeat(2_500_000), Err(SkipReason::TooLarge));
    check(
        "a.md",
        &"x ".repeat(large / 2),
        Ok((large / 2 * 2).div_ceil(crate::chunk::CHUNK_BYTES_MAX)),
    );
    check("a.js", &"x ".repeat(large / 2), Err(SkipReason::Minified));
}

#[test]
fn syntax_nested_without_end() {
    for (path, open, close) in [
        ("a.rs", "mod a {", "}"),
        ("a.rs", "fn a() {", "}"),
        ("a.cpp", "namespace a {", "}"),
        ("a.java", "class A {", "}"),
        ("a.ts", "namespace a {", "}"),
        ("a.ts", "`${", "}`"),
        ("a.go", "func a() {", "}"),
        ("a.c", "(", ")"),
        ("a.py", "(", ")"),
        ("a.js", "[", "]"),
    ] {
        for text in [
            format!("{}{}", open.repeat(10_000), close.repeat(10_000)),
            open.repeat(10_000),
        ] {
            let (_, outcome) = of_file(path, format!("{text}\nzebra\n").as_bytes());
            assert!(
                outcome.is_ok_and(|parts| parts > 0) || outcome == Err(SkipReason::Minified),
                "{path} {open} {outcome:?}"
            );
            // Minified or not, the chunker takes it.
            let chunks = crate::chunk::chunk(Language::of(path), &text);
            assert!(chunks.chunks.len() < text.len());
        }
    }
}

#[test]
fn encodings_are_read_and_shown() {
    let check = |bytes: &[u8], word: &str, expect: &str| {
        let dir = workspace(&[]);
        let root = walk::canonical_root(dir.path()).unwrap();
        fs::write(root.join("a.py"), bytes).unwrap();
        let corpus = fresh(&root);
        let ranking = ask(&corpus, word);
        let shown = corpus.items(&root, &ranking.parts);
        let shown: Vec<&str> = shown.iter().map(|item| item.text.as_str()).collect();
        assert_eq!(shown, [expect], "{word}");
        assert_eq!(corpus.check(&root), []);
    };
    check(b"caf\xe9 = 1\n", "café", "café = 1");
    let utf16: Vec<u8> = "\u{feff}größe = 1\n"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    check(&utf16, "Größe", "größe = 1");
    check("поиск_файла = 1\n".as_bytes(), "Поиск", "поиск_файла = 1");
    check("# 検索する\nx = 1\n".as_bytes(), "検索", "# 検索する\nx = 1");
}

#[test]
fn what_is_no_file_or_cannot_be_read() {
    let dir = workspace(&[("src/a.py", "a = 1\n"), ("locked.py", "b = 1\n")]);
    let root = walk::canonical_root(dir.path()).unwrap();
    symlink(&root, root.join("src/up")).unwrap();
    symlink("loop.py", root.join("loop.py")).unwrap();
    symlink("nowhere.py", root.join("dangling.py")).unwrap();
    nix_fifo(&root.join("pipe.py"));
    fs::set_permissions(root.join("locked.py"), fs::Permissions::from_mode(0o000)).unwrap();
    let corpus = fresh(&root);
    // Nothing is locked to the superuser.
    let locked = usize::from(fs::File::open(root.join("locked.py")).is_err());
    let expect = [(SkipReason::NotAFile, 4), (SkipReason::Unreadable, locked)];
    let expect: BTreeMap<SkipReason, usize> = expect.into_iter().filter(|(_, count)| *count > 0).collect();
    assert_eq!((corpus.files(), corpus.skipped()), (2 - locked, expect));
    assert_eq!(corpus.check(&root), []);
}

fn nix_fifo(path: &Path) {
    let status = std::process::Command::new("mkfifo").arg(path).status().unwrap();
    assert!(status.success());
}

#[test]
fn files_that_change_and_vanish_under_the_index() {
    let dir = workspace(&[]);
    let root = walk::canonical_root(dir.path()).unwrap();
    for file in 0..64 {
        write(
            &root,
            &format!("dir{}/file{file}.py", file % 4),
            &format!("v{file} = 1\n"),
        );
    }
    let mut corpus = Corpus::default();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for round in 0..300_usize {
                let path = format!("dir{}/file{}.py", round % 4, round % 64);
                match round % 5 {
                    0 => drop(fs::remove_file(root.join(&path))),
                    1 => drop(fs::remove_dir_all(root.join(format!("dir{}", round % 4)))),
                    _ => write_late(&root.join(&path), &format!("w{round} = 1\n").repeat(round)),
                }
            }
            done.store(true, Ordering::Release);
        });
        while !done.load(Ordering::Acquire) {
            corpus.refresh(&root);
        }
    });
    corpus.refresh(&root);
    assert_eq!(corpus.check(&root), []);
}

fn write_late(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

#[test]
fn questions_of_strange_shape() {
    let dir = workspace(&[("a.py", "def deliver(parcel):\n    return parcel\n")]);
    let corpus = fresh(dir.path());
    let check = |query: &str, expect: &[&str]| assert_eq!(paths(&ask(&corpus, query)), expect, "{query:.20}");
    check("", &[]);
    check(" \n\t ", &[]);
    check("?!", &[]);
    check("\0\u{feff}\u{202e}", &[]);
    check("検索", &[]);
    check("поиск файла", &[]);
    check(&"deliver ".repeat(12_500), &["a.py"]);
    check(&"ä".repeat(50_000), &[]);
    check(&format!("{} deliver", "x".repeat(100_000)), &[]);
}
