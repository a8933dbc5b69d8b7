use std::fs;
use std::os::unix::fs::symlink;

use super::*;

fn workspace(files: &[(&str, &[u8])]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (path, bytes) in files {
        let path = dir.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    dir
}

fn paths(scan: &Scan) -> Vec<&str> {
    scan.files.iter().map(|file| file.path.as_str()).collect()
}

#[test]
fn only_the_projects_own_text_is_read() {
    let large = vec![b'a'; usize::try_from(PARSED_BYTES_MAX).unwrap() + 1];
    let dir = workspace(&[
        ("src/app.py", b"print(1)\n"),
        ("README.md", b"# App\n"),
        (".gitignore", b"*.log\n/build/\n"),
        (".agentic-ide-ignore", b"drafts/\n"),
        ("debug.log", b"x\n"),
        ("build/out.py", b"x = 1\n"),
        ("drafts/idea.md", b"x\n"),
        (".git/config", b"[core]\n"),
        (".venv/lib/a.py", b"x = 1\n"),
        ("env/pyvenv.cfg", b"home = /usr\n"),
        ("env/lib/b.py", b"x = 1\n"),
        ("target/CACHEDIR.TAG", b"Signature\n"),
        ("target/c.rs", b"fn x() {}\n"),
        ("node_modules/d/index.js", b"x\n"),
        (".env", b"TOKEN=1\n"),
        ("server.pem", b"x\n"),
        ("logo.png", b"\x89PNG\0"),
        ("koi8.txt", b"\xd0\xcf\xc9\xd3\xcb\n"),
        ("large.json", &large),
        ("empty.py", b"\n"),
        ("Cargo.lock", b"x\n"),
    ]);
    symlink("/etc/passwd", dir.path().join("link.txt")).unwrap();
    let scan = scan(dir.path());
    assert_eq!(paths(&scan), ["README.md", "src/app.py"]);
    assert_eq!(
        scan.skipped,
        BTreeMap::from([
            (SkipReason::Secret, 2),
            (SkipReason::Hidden, 2),
            (SkipReason::TooLarge, 1),
            (SkipReason::Binary, 1),
            (SkipReason::NotUtf8, 1),
            (SkipReason::Generated, 1),
            (SkipReason::Empty, 1),
            (SkipReason::NotAFile, 1),
        ])
    );
    assert_eq!(scan.bytes, 15);
}

#[test]
fn a_negated_ignore_rule_does_not_bring_a_secret_in() {
    let dir = workspace(&[
        (".gitignore", b"!.env\n!id_rsa\n"),
        (".env", b"A=1\n"),
        ("id_rsa", b"k\n"),
        ("a.py", b"x\n"),
    ]);
    assert_eq!(paths(&scan(dir.path())), ["a.py"]);
    assert_eq!(read(dir.path(), ".env"), Err(SkipReason::Secret));
}

#[test]
fn a_file_of_two_gigabytes_is_not_read() {
    let dir = workspace(&[("a.py", b"x = 1\n")]);
    // Sparse: it takes no room on the disk, but reading it would take memory.
    File::create(dir.path().join("huge.txt"))
        .unwrap()
        .set_len(2 << 30)
        .unwrap();
    let scan = scan(dir.path());
    assert_eq!(paths(&scan), ["a.py"]);
    assert_eq!(scan.skipped, BTreeMap::from([(SkipReason::TooLarge, 1)]));
}

#[test]
fn a_read_gives_text_and_the_scans_hash() {
    let dir = workspace(&[("a.py", b"\xef\xbb\xbfx = 1\n")]);
    let (text, hash) = read(dir.path(), "a.py").unwrap();
    assert_eq!(text, "x = 1\n");
    assert_eq!(
        scan(dir.path()).files,
        [FileStamp {
            path: "a.py".into(),
            hash
        }]
    );
    assert_eq!(read(dir.path(), "gone.py"), Err(SkipReason::Unreadable));
}

#[test]
fn roots_that_are_none() {
    let dir = workspace(&[("a.py", b"x\n")]);
    let check = |path: &Path| assert!(matches!(canonical_root(path), Err(Error::NotADirectory { .. })));
    check(&dir.path().join("a.py"));
    check(&dir.path().join("missing"));
    assert_eq!(
        canonical_root(dir.path()).unwrap(),
        fs::canonicalize(dir.path()).unwrap()
    );
}
