//! The shape of the workspace, as `ARCHITECTURE.md` promises it.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    fs,
    sync::LazyLock,
};

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, PackageId};

use crate::support::{files, relative, root};

/// Who may depend on whom, outside of tests. A new crate gets a line here.
const MAY_DEPEND_ON: &[(&str, &[&str])] = &[
    ("shared", &[]),
    ("proto", &[]),
    ("engine", &["shared"]),
    ("agents", &["engine", "shared", "syntax"]),
    ("inference", &["shared"]),
    ("journal", &["engine", "shared"]),
    ("language", &["shared"]),
    ("mcp", &["language", "sandbox", "shared", "tools"]),
    ("models", &["engine", "shared"]),
    ("retrieval", &["engine", "shared", "syntax"]),
    ("sandbox", &["shared"]),
    ("syntax", &[]),
    ("tools", &["engine", "language", "sandbox", "shared", "syntax"]),
    (
        "agent-backend",
        &[
            "agents",
            "engine",
            "inference",
            "journal",
            "mcp",
            "models",
            "proto",
            "retrieval",
            "sandbox",
            "shared",
            "syntax",
            "tools",
        ],
    ),
    ("evaluate", &["inference", "retrieval", "shared"]),
    ("simulation", &["engine", "shared"]),
    ("gui-client", &["proto", "shared"]),
    ("vectordb-launcher", &["proto", "shared"]),
    ("python-environment", &[]),
    ("scratch-certificate", &[]),
    ("scratch-postgres", &[]),
    ("scripted-ollama", &[]),
    ("small-disk", &[]),
    ("tests", &[]),
    ("xtask", &["python-environment"]),
];

/// What the tests of every crate may use.
const TEST_SUPPORT: [&str; 5] = [
    "python-environment",
    "scratch-certificate",
    "scratch-postgres",
    "scripted-ollama",
    "small-disk",
];

/// Crates that compute and nothing else.
const PURE: [&str; 3] = ["engine", "agents", "syntax"];
/// What a pure crate must not reach, however far down.
const IMPURE_CRATES: [&str; 8] = [
    "async-std",
    "axum",
    "hyper",
    "rand",
    "reqwest",
    "rusqlite",
    "tokio",
    "tonic",
];
/// What the sources of a pure crate must not name.
const IMPURE_PATHS: [&str; 12] = [
    "shared::clock",
    "shared::files",
    "shared::programs",
    "std::env",
    "std::fs",
    "std::net",
    "std::process",
    "std::thread",
    "std::time::Instant",
    "std::time::SystemTime",
    "SystemTime::now",
    "Instant::now",
];

/// The crates of the network, and the folders of the backend that may use them.
const NETWORK_CRATES: [&str; 5] = ["agent_client_protocol", "axum", "rmcp", "tonic", "tonic_health"];
/// Besides the edge, the command line is a client of the backend's interfaces.
const NETWORK_FOLDERS: [&str; 2] = ["agent-backend/src/edge", "agent-backend/src/cli"];
/// What else one of them is used in: the servers of others are called there.
const NETWORK_ELSEWHERE: [(&str, &str); 1] = [("agent-backend/mcp", "rmcp")];

/// The library of the Agent Client Protocol, and where the window may name it.
const PROTOCOL_CRATE: &str = "agent_client_protocol";
const PROTOCOL_FOLDER: &str = "gui-client/src/agent/client/";

/// Beyond this a file is split.
const LINES_MAX: usize = 800;

static METADATA: LazyLock<Metadata> = LazyLock::new(|| {
    let mut command = MetadataCommand::new();
    command
        .manifest_path(root().join("Cargo.toml"))
        .other_options(vec!["--locked".into(), "--offline".into()]);
    command.exec().unwrap()
});

/// Dependencies between crates of the workspace.
fn between_members(kinds: &[DependencyKind]) -> BTreeMap<String, BTreeSet<String>> {
    let members = METADATA.workspace_packages();
    let names: HashSet<&str> = members.iter().map(|package| package.name.as_str()).collect();
    let of = |package: &cargo_metadata::Package| {
        let wanted = package
            .dependencies
            .iter()
            .filter(|dependency| kinds.contains(&dependency.kind));
        let inside =
            wanted.filter(|dependency| dependency.path.is_some() && names.contains(&*dependency.name));
        inside.map(|dependency| dependency.name.clone()).collect()
    };
    members
        .iter()
        .map(|package| (package.name.to_string(), of(package)))
        .collect()
}

#[test]
fn dependencies_point_one_way() {
    let allowed: HashMap<&str, &[&str]> = MAY_DEPEND_ON.iter().copied().collect();
    let mut wrong = Vec::new();
    for (package, dependencies) in between_members(&[DependencyKind::Normal, DependencyKind::Build]) {
        match allowed.get(package.as_str()) {
            Some(allowed) => {
                let extra = dependencies
                    .iter()
                    .filter(|name| !allowed.contains(&name.as_str()));
                wrong.extend(extra.map(|name| format!("{package} must not depend on {name}")));
            }
            None => wrong.push(format!("{package} is not in the table of this test")),
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn tests_reach_no_further_than_what_they_test() {
    let allowed: HashMap<&str, &[&str]> = MAY_DEPEND_ON.iter().copied().collect();
    let mut wrong = Vec::new();
    for (package, dependencies) in between_members(&[DependencyKind::Development]) {
        let may = |name: &str| {
            TEST_SUPPORT.contains(&name) || package == "tests" || allowed[package.as_str()].contains(&name)
        };
        let extra = dependencies.iter().filter(|name| !may(name));
        wrong.extend(extra.map(|name| format!("the tests of {package} must not depend on {name}")));
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn only_the_tests_know_the_backend() {
    let all = between_members(&[
        DependencyKind::Normal,
        DependencyKind::Build,
        DependencyKind::Development,
    ]);
    let knows = |(name, dependencies): (String, BTreeSet<String>)| {
        dependencies.contains("agent-backend").then_some(name)
    };
    assert_eq!(all.into_iter().filter_map(knows).collect::<Vec<_>>(), ["tests"]);
}

#[test]
fn pure_crates_reach_no_runtime() {
    let mut wrong = Vec::new();
    for name in PURE {
        for path in reached(name) {
            if IMPURE_CRATES.contains(&path.last().map_or("", String::as_str)) {
                wrong.push(path.join(" -> "));
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

/// Every crate that `name` reaches through normal dependencies, each with one
/// way to it.
fn reached(name: &str) -> Vec<Vec<String>> {
    let resolve = METADATA.resolve.as_ref().unwrap();
    let nodes: HashMap<&PackageId, _> = resolve.nodes.iter().map(|node| (&node.id, node)).collect();
    let start = METADATA
        .workspace_packages()
        .into_iter()
        .find(|package| *package.name == name)
        .unwrap();
    let mut seen = HashSet::from([&start.id]);
    let mut open = vec![(&start.id, vec![name.to_owned()])];
    let mut ways = Vec::new();
    while let Some((id, way)) = open.pop() {
        for dependency in &nodes[id].deps {
            let normal = dependency
                .dep_kinds
                .iter()
                .any(|kind| kind.kind == DependencyKind::Normal);
            if normal && seen.insert(&dependency.pkg) {
                let mut way = way.clone();
                way.push(METADATA[&dependency.pkg].name.to_string());
                ways.push(way.clone());
                open.push((&dependency.pkg, way));
            }
        }
    }
    ways
}

#[test]
fn pure_crates_name_no_clock_and_no_io() {
    let mut wrong = Vec::new();
    for name in PURE {
        for file in files(&root().join("agent-backend").join(name).join("src"), ".rs") {
            let text = fs::read_to_string(&file).unwrap();
            let named = IMPURE_PATHS
                .iter()
                .filter(|path| code(&text).any(|line| line.contains(**path)));
            wrong.extend(named.map(|path| format!("{} names {path}", relative(&file))));
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn the_network_stays_at_the_edge() {
    let mut wrong = Vec::new();
    for file in files(&root().join("agent-backend"), ".rs") {
        let name = relative(&file);
        if NETWORK_FOLDERS.iter().any(|folder| name.starts_with(folder)) {
            continue;
        }
        let text = fs::read_to_string(&file).unwrap();
        let uses = |krate: &&&str| {
            let (path, import) = (format!("{krate}::"), format!("use {krate}"));
            code(&text).any(|line| line.contains(&path) || line.contains(&import))
        };
        wrong.extend(
            NETWORK_CRATES
                .iter()
                .filter(|krate| {
                    !NETWORK_ELSEWHERE
                        .iter()
                        .any(|(folder, used)| name.starts_with(folder) && used == *krate)
                })
                .filter(uses)
                .map(|krate| format!("{name} uses {krate}")),
        );
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn the_protocol_of_agents_stays_in_its_folder() {
    let names_it = |file: &std::path::PathBuf| {
        let text = fs::read_to_string(file).unwrap();
        code(&text).any(|line| line.contains(PROTOCOL_CRATE))
    };
    let all = files(&root().join("gui-client/src"), ".rs").into_iter();
    let wrong: Vec<String> = all.filter(names_it).map(|file| relative(&file)).collect();
    let outside = wrong.iter().filter(|name| !name.starts_with(PROTOCOL_FOLDER));
    assert_eq!(outside.collect::<Vec<_>>(), Vec::<&String>::new());
}

/// The lines that are not comments.
fn code(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter(|line| !line.trim_start().starts_with("//"))
}

#[test]
fn files_stay_small() {
    let long = files(&root(), ".rs").into_iter().filter_map(|file| {
        let lines = fs::read_to_string(&file).unwrap().lines().count();
        (lines >= LINES_MAX).then(|| format!("{} has {lines} lines", relative(&file)))
    });
    assert_eq!(long.collect::<Vec<_>>(), Vec::<String>::new());
}

#[test]
fn every_crate_takes_the_lints_of_the_workspace() {
    let without = METADATA.workspace_packages().into_iter().filter_map(|package| {
        let manifest = fs::read_to_string(&package.manifest_path).unwrap();
        (!manifest.contains("[lints]\nworkspace = true")).then(|| package.name.to_string())
    });
    assert_eq!(without.collect::<Vec<_>>(), Vec::<String>::new());
}

#[test]
fn modules_are_named_after_their_folder() {
    let old = files(&root(), "mod.rs")
        .into_iter()
        .filter(|file| file.ends_with("mod.rs"));
    assert_eq!(
        old.map(|file| relative(&file)).collect::<Vec<_>>(),
        Vec::<String>::new()
    );
}
