//! With a real server in a real sandbox.

use std::{convert::Infallible, env, fs, path::PathBuf, time::Duration};

use language::{Position, Range, find};
use sandbox::{Options, Sandbox};

use super::*;
use crate::{
    Workspace, overlay,
    project::Step,
    trial::{Runner, Trials},
};

/// Where the programs of PyPI are.
const PYTHON: &str = "AGENTIC_IDE_PYTHON_TOOLS";

/// The sandbox with the helper that was built beside this test; none, and a
/// word, where something is missing.
fn sandbox() -> Option<(Sandbox, PathBuf)> {
    let left_out = |what: &str| {
        assert!(env::var_os("CI").is_none(), "{what}; `cargo xtask test` does it");
        eprintln!("left out: {what}; `cargo xtask test` does it");
        None
    };
    let Some(tools) = env::var_os(PYTHON) else {
        return left_out("AGENTIC_IDE_PYTHON_TOOLS is not set");
    };
    let test = env::current_exe().unwrap();
    let helper = test.ancestors().nth(2).unwrap().join("sandbox-init");
    if !helper.exists() {
        return left_out("sandbox-init is not built");
    }
    match Sandbox::detect(&Options::new(helper)) {
        Ok(sandbox) => Some((sandbox, tools.into())),
        Err(error) => left_out(&error.to_string()),
    }
}

#[test]
fn new_errors_fail_the_check_and_old_ones_do_not() {
    let Some((sandbox, tools)) = sandbox() else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().canonicalize().unwrap().join("shop");
    fs::create_dir(&root).unwrap();
    fs::write(
        root.join("lib.py"),
        "def twice(n: int) -> int:\n    return 2 * n\n",
    )
    .unwrap();
    fs::write(root.join("a.py"), "from lib import twice\n\nprint(missing)\n").unwrap();
    let trials = Trials {
        runner: Ok(Runner::Sandbox(sandbox)),
        cache: dir.path().join("cache"),
        bounds: Bounds::default(),
    };
    let workspace = Workspace::open(&root).unwrap();
    let files = overlay::listed(&workspace).unwrap();
    let stop = sandbox::Stop::default();
    let places = Places {
        path: tools.into(),
        home: None,
    };
    let judge = |server: Server, path: &str, text: &str| {
        let installed = find(server, &root, Trust::Untrusted, &places).unwrap();
        let changes = Changes::from([(path.to_owned(), Some(text.as_bytes().to_vec()))]);
        let mut session = Session::begin(&trials, &workspace, &files, &stop).unwrap();
        let overlay = session.lay("proposal", &changes).unwrap();
        let report = session.diagnostics(Ecosystem::Python, &installed, &overlay, &changes, &mut |_| {});
        (report.name, report.status, report.output)
    };
    let typed = "from lib import twice\n\n\nprint(missing)\nprint(twice(1))\nprint(twice('a'))\n";
    let (name, status, output) = judge(Server::Basedpyright, "a.py", typed);
    assert_eq!(
        (name.as_str(), status),
        ("diagnostics-basedpyright", CheckStatus::Failed),
        "{output}"
    );
    assert!(
        output.starts_with("a.py:6:13: error: Argument of type"),
        "{output}"
    );
    assert_eq!(output.lines().count(), 1, "{output}");
    let sound = "from lib import twice\n\n\nprint(missing)\nprint(twice(1))\n";
    for server in [Server::Basedpyright, Server::Pylsp] {
        let expect = (
            format!("diagnostics-{server}"),
            CheckStatus::Passed,
            String::new(),
        );
        assert_eq!(judge(server, "a.py", sound), expect);
    }
    // A file that the change leaves alone, with an error of before and a new one.
    fs::write(
        root.join("a.py"),
        "from lib import twice\n\nprint(missing)\nprint(twice(1))\n",
    )
    .unwrap();
    let (_, status, output) = judge(
        Server::Basedpyright,
        "lib.py",
        "def twice(n: int, times: int) -> int:\n    return times * n\n",
    );
    assert_eq!(status, CheckStatus::Failed, "{output}");
    assert!(
        output.starts_with("a.py:4:7: error: Argument missing"),
        "{output}"
    );
    assert_eq!(output.lines().count(), 1, "{output}");
}

#[test]
fn what_is_not_installed_is_shown_and_stops_nothing() {
    let at = Position {
        line: 0,
        character: 0,
    };
    let diagnostic = |severity: Severity, code: &str| Diagnostic {
        path: "a.py".to_owned(),
        range: Range { start: at, end: at },
        severity,
        code: Some(code.to_owned()),
        source: None,
        message: "no".to_owned(),
    };
    let check = |found: &[Diagnostic], status: CheckStatus, output: &str| {
        let report = judged(Server::Pyright, found);
        assert_eq!((report.status, report.output.as_str()), (status, output));
    };
    let missing = diagnostic(Severity::Error, "reportMissingImports");
    let wrong = diagnostic(Severity::Error, "reportCallIssue");
    let doubtful = diagnostic(Severity::Warning, "reportCallIssue");
    check(&[], CheckStatus::Passed, "");
    check(
        std::slice::from_ref(&missing),
        CheckStatus::Passed,
        "a.py:1:1: error: no [reportMissingImports]",
    );
    check(
        &[doubtful, wrong],
        CheckStatus::Failed,
        "a.py:1:1: error: no [reportCallIssue]\na.py:1:1: warning: no [reportCallIssue]",
    );
}

#[test]
fn a_server_is_asked_where_nothing_is_built() {
    let planned = |goal: Goal, ecosystem: Ecosystem| {
        Planned::Run(Step {
            name: String::new(),
            goal,
            ecosystem,
            folder: String::new(),
            program: String::new(),
            arguments: Vec::new(),
        })
    };
    let check = |planned: &[Planned], build: Option<Duration>, expect: &[Server]| {
        let installed = |server: Server| Installed {
            server,
            program: PathBuf::new(),
            path: Default::default(),
        };
        let servers = vec![
            (Ecosystem::Cargo, installed(Server::RustAnalyzer)),
            (Ecosystem::Node, installed(Server::TypeScript)),
        ];
        let bounds = Bounds {
            build,
            ..Bounds::default()
        };
        let asked = where_nothing_is_built(servers, planned, bounds);
        let asked: Vec<Server> = asked.iter().map(|(_, installed)| installed.server).collect();
        assert_eq!(asked, expect, "{planned:?} {build:?}");
    };
    let (rust, all) = (Server::RustAnalyzer, [Server::RustAnalyzer, Server::TypeScript]);
    let (built, tested) = (
        [
            planned(Goal::Build, Ecosystem::Node),
            planned(Goal::Test, Ecosystem::Cargo),
        ],
        [planned(Goal::Test, Ecosystem::Node)],
    );
    let time = Some(Duration::from_secs(1));
    check(&built, time, &[rust]);
    check(&built, None, &all);
    check(&tested, time, &all);
    let left_out = Planned::Skip {
        name: "build-tsc".to_owned(),
        reason: "not installed".to_owned(),
    };
    check(&[left_out], time, &all);
}

#[test]
fn a_server_that_is_not_asked_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().canonicalize().unwrap();
    let program = root.join(".venv/bin/pylsp");
    fs::create_dir_all(program.parent().unwrap()).unwrap();
    fs::write(&program, "").unwrap();
    fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let trials = Trials {
        runner: Err("there is no sandbox".to_owned()),
        cache: root.join("cache"),
        bounds: Bounds::default(),
    };
    let changes = Changes::from([("a.py".to_owned(), Some(b"x = 1\n".to_vec()))]);
    let workspace = Workspace::open(&root).unwrap();
    let evidence = crate::trial::run(
        |_| Ok::<_, Infallible>(&trials),
        &workspace,
        &changes,
        &sandbox::Stop::default(),
        &mut |_| {},
    )
    .unwrap();
    let told = evidence
        .reports
        .iter()
        .find(|report| report.name.starts_with("diagnostics-"))
        .unwrap();
    assert_eq!(
        (told.status, told.output.as_str()),
        (CheckStatus::Skipped, "there is no sandbox")
    );
}
