use std::os::unix::fs::symlink;

use super::*;

/// A directory with these files: a name, `x` for a program, and a text.
fn place(files: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let (name, mode) = match name.strip_prefix("x:") {
            Some(name) => (name, 0o755),
            None => (*name, 0o644),
        };
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
    }
    dir
}

/// Where a server is found, relative to the place: PATH has `bin` and a
/// relative `project`, the project is `project`, the home `home`.
#[track_caller]
fn check(server: Server, trust: Trust, files: &[(&str, &str)], expect: Option<&str>) {
    let dir = place(files);
    found(dir.path(), server, trust, expect);
}

#[track_caller]
fn found(dir: &Path, server: Server, trust: Trust, expect: Option<&str>) {
    let places = Places {
        path: env::join_paths([dir.join("bin"), "project".into(), dir.join("project/tools")]).unwrap(),
        home: Some(dir.join("home")),
    };
    let found = find(server, &dir.join("project"), trust, &places);
    let program = found.map(|found| found.program.strip_prefix(dir).unwrap().to_owned());
    assert_eq!(program.as_deref(), expect.map(Path::new));
}

#[test]
fn programs_on_path_are_found() {
    let trust = Trust::Untrusted;
    check(Server::Pylsp, trust, &[], None);
    check(Server::Pylsp, trust, &[("x:bin/pylsp", "")], Some("bin/pylsp"));
    check(Server::Pylsp, trust, &[("bin/pylsp", "")], None);
    check(
        Server::Basedpyright,
        trust,
        &[("x:bin/pyright-langserver", "")],
        None,
    );
}

#[test]
fn programs_of_the_repository_need_trust() {
    let own = &[
        ("x:project/.venv/bin/pylsp", ""),
        ("x:project/pylsp", ""),
        ("x:project/tools/pylsp", ""),
    ];
    check(Server::Pylsp, Trust::Untrusted, own, None);
    check(
        Server::Pylsp,
        Trust::Trusted,
        own,
        Some("project/.venv/bin/pylsp"),
    );
    let both = &[("x:bin/pylsp", ""), ("x:project/venv/bin/pylsp", "")];
    check(Server::Pylsp, Trust::Untrusted, both, Some("bin/pylsp"));
    check(
        Server::Pylsp,
        Trust::Trusted,
        both,
        Some("project/venv/bin/pylsp"),
    );
    let server = Server::TypeScriptLanguageServer;
    let compiler = &[
        ("x:bin/typescript-language-server", ""),
        ("project/node_modules/typescript/package.json", ""),
    ];
    check(server, Trust::Untrusted, compiler, None);
    check(
        server,
        Trust::Trusted,
        compiler,
        Some("bin/typescript-language-server"),
    );
}

#[test]
fn only_a_typescript_that_has_a_server_will_do() {
    let with = |manifest: &str, expect: Option<&str>| {
        let dir = place(&[
            ("x:lib/typescript/bin/tsc", ""),
            ("lib/typescript/package.json", manifest),
        ]);
        fs::create_dir(dir.path().join("bin")).unwrap();
        symlink("../lib/typescript/bin/tsc", dir.path().join("bin/tsc")).unwrap();
        found(dir.path(), Server::TypeScript, Trust::Untrusted, expect);
    };
    with(r#"{"name":"typescript","version":"7.0.2"}"#, Some("bin/tsc"));
    with(r#"{"name":"typescript","version":"10.1.0"}"#, Some("bin/tsc"));
    with(r#"{"name":"typescript","version":"6.0.3"}"#, None);
    with(r#"{"name":"tsc","version":"7.0.0"}"#, None);
    with("", None);
    check(Server::TypeScript, Trust::Untrusted, &[("x:bin/tsc", "")], None);
}

#[test]
fn rust_analyzer_comes_with_rustup() {
    let server = Server::RustAnalyzer;
    check(
        server,
        Trust::Untrusted,
        &[("x:home/.cargo/bin/rust-analyzer", "")],
        Some("home/.cargo/bin/rust-analyzer"),
    );
    // Rustup's own file, under the name of a component that no toolchain has.
    let dir = place(&[
        ("x:home/.cargo/bin/rustup", ""),
        ("home/.rustup/toolchains/a/bin/rustc", ""),
    ]);
    let bin = dir.path().join("home/.cargo/bin");
    symlink("rustup", bin.join("rust-analyzer")).unwrap();
    found(dir.path(), server, Trust::Untrusted, None);
    fs::write(dir.path().join("home/.rustup/toolchains/a/bin/rust-analyzer"), "").unwrap();
    found(
        dir.path(),
        server,
        Trust::Untrusted,
        Some("home/.cargo/bin/rust-analyzer"),
    );
    fs::remove_file(bin.join("rust-analyzer")).unwrap();
    fs::hard_link(bin.join("rustup"), bin.join("rust-analyzer")).unwrap();
    found(
        dir.path(),
        server,
        Trust::Untrusted,
        Some("home/.cargo/bin/rust-analyzer"),
    );
    fs::remove_file(dir.path().join("home/.rustup/toolchains/a/bin/rust-analyzer")).unwrap();
    found(dir.path(), server, Trust::Untrusted, None);
}

#[test]
fn the_command_finds_what_the_server_starts() {
    let dir = place(&[("x:bin/pyright-langserver", "")]);
    let places = Places {
        path: env::join_paths(["x".into(), dir.path().join("bin")]).unwrap(),
        home: None,
    };
    let root = Path::new("/w");
    let path = |trust| {
        let found = find(Server::Pyright, root, trust, &places).unwrap();
        found
            .path
            .to_str()
            .unwrap()
            .replace(dir.path().to_str().unwrap(), "")
    };
    assert_eq!(path(Trust::Untrusted), "/bin");
    assert_eq!(
        path(Trust::Trusted),
        "/w/node_modules/.bin:/w/.venv/bin:/w/venv/bin:/bin"
    );
}
