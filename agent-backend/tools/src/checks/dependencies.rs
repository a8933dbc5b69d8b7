//! Packages that a change brings, removes or moves to another version. Said, and
//! held against nobody.

use std::collections::BTreeSet;

use serde_json::Value;
use toml_edit::{Document, Item, TableLike};

use super::{Changed, Finding};

/// The tables of Cargo in which packages are named.
const CARGO: &[&str] = &["dependencies", "dev-dependencies", "build-dependencies"];

/// Whether a file names the packages of a project.
pub(super) fn is_manifest(path: &str) -> bool {
    packages(path, "").is_some()
}

/// The packages that the change brings, removes or moves to another version.
pub(super) fn dependencies(changed: &[Changed]) -> Finding {
    let mut lines = Vec::new();
    for file in changed {
        let (Some(old), Some(new)) = (packages(&file.path, &file.old), packages(&file.path, &file.new))
        else {
            continue;
        };
        let (Ok(old), Ok(new)) = (old, new) else {
            lines.push(format!(
                "{} cannot be read, before or after the change",
                file.path
            ));
            continue;
        };
        let say = |mark: &str, package: &String| format!("{mark} {package} ({})", file.path);
        lines.extend(new.difference(&old).map(|package| say("+", package)));
        lines.extend(old.difference(&new).map(|package| say("-", package)));
    }
    let mut finding = Finding::of(&[], None);
    finding.output = if lines.is_empty() {
        "no package comes or goes".to_owned()
    } else {
        lines.join("\n")
    };
    finding
}

/// A manifest that is not what its name says.
#[derive(Debug)]
struct Unreadable;

/// Packages with their versions that a manifest names; none for another file.
fn packages(path: &str, text: &str) -> Option<Result<BTreeSet<String>, Unreadable>> {
    let name = path.rsplit('/').next().unwrap_or(path);
    Some(match name {
        "Cargo.toml" => cargo(text),
        "pyproject.toml" => python(text),
        "package.json" => npm(text),
        "go.mod" => Ok(lines(text, |line| {
            let line = line.strip_prefix("require ").unwrap_or(line);
            line.split_whitespace()
                .nth(1)
                .is_some_and(|version| version.starts_with('v'))
        })),
        _ if name.starts_with("requirements") && name.ends_with(".txt") => {
            Ok(lines(text, |line| !line.starts_with(['#', '-'])))
        }
        _ => return None,
    })
}

fn lines(text: &str, is_package: impl Fn(&str) -> bool) -> BTreeSet<String> {
    let lines = text.lines().map(str::trim);
    lines
        .filter(|line| !line.is_empty() && is_package(line))
        .map(str::to_owned)
        .collect()
}

/// The tables of a manifest, of its workspace and of its targets.
fn cargo(text: &str) -> Result<BTreeSet<String>, Unreadable> {
    let manifest = Document::parse(text).map_err(|_| Unreadable)?;
    let root: &dyn TableLike = manifest.as_table();
    let targets = table(root, "target").into_iter().flat_map(TableLike::iter);
    let targets = targets.filter_map(|(_, target)| target.as_table_like());
    let holders = std::iter::once(root)
        .chain(table(root, "workspace"))
        .chain(targets);
    let mut found = BTreeSet::new();
    for holder in holders {
        for packages in CARGO.iter().filter_map(|name| table(holder, name)) {
            named(text, packages, &mut found);
        }
    }
    Ok(found)
}

/// The lists of a project and of its groups, and Poetry's tables.
fn python(text: &str) -> Result<BTreeSet<String>, Unreadable> {
    let manifest = Document::parse(text).map_err(|_| Unreadable)?;
    let root: &dyn TableLike = manifest.as_table();
    let mut found = BTreeSet::new();
    let project = table(root, "project");
    let groups = [
        project.and_then(|project| table(project, "optional-dependencies")),
        table(root, "dependency-groups"),
    ];
    let groups = groups
        .into_iter()
        .flatten()
        .flat_map(TableLike::iter)
        .map(|(_, group)| group);
    let own = project.and_then(|project| project.get("dependencies"));
    for list in own.into_iter().chain(groups).filter_map(Item::as_array) {
        found.extend(
            list.iter()
                .filter_map(|package| package.as_str())
                .map(str::to_owned),
        );
    }
    let poetry = table(root, "tool").and_then(|tool| table(tool, "poetry"));
    let groups = poetry
        .and_then(|poetry| table(poetry, "group"))
        .into_iter()
        .flat_map(TableLike::iter)
        .filter_map(|(_, group)| group.as_table_like());
    for holder in poetry.into_iter().chain(groups) {
        for packages in ["dependencies", "dev-dependencies"]
            .iter()
            .filter_map(|name| table(holder, name))
        {
            named(text, packages, &mut found);
        }
    }
    Ok(found)
}

fn table<'t>(holder: &'t dyn TableLike, name: &str) -> Option<&'t dyn TableLike> {
    holder.get(name)?.as_table_like()
}

/// The packages of a table, with their versions as they are written; one that
/// has a table with a head of its own by its name.
fn named(text: &str, packages: &dyn TableLike, found: &mut BTreeSet<String>) {
    let written = |item: &Item| item.span().and_then(|span| text.get(span)).unwrap_or_default();
    for (name, item) in packages.iter() {
        match item {
            Item::Table(table) if table.is_dotted() => {
                found.extend(
                    table
                        .iter()
                        .map(|(key, value)| format!("{name}.{key} = {}", written(value))),
                );
            }
            Item::Table(_) | Item::ArrayOfTables(_) | Item::None => {
                found.insert(name.to_owned());
            }
            Item::Value(_) => {
                found.insert(format!("{name} = {}", written(item)));
            }
        }
    }
}

fn npm(text: &str) -> Result<BTreeSet<String>, Unreadable> {
    let text = if text.trim().is_empty() { "{}" } else { text };
    let manifest: Value = serde_json::from_str(text).map_err(|_| Unreadable)?;
    let kinds = [
        "dependencies",
        "devDependencies",
        "peerDependencies",
        "optionalDependencies",
    ];
    let tables = kinds.iter().filter_map(|kind| manifest[kind].as_object());
    Ok(tables
        .flatten()
        .map(|(name, version)| format!("{name} {}", version.as_str().unwrap_or_default()))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(path: &str, old: &str, new: &str) -> Vec<Changed> {
        vec![Changed {
            path: path.to_owned(),
            old: old.to_owned(),
            new: new.to_owned(),
        }]
    }

    #[test]
    fn packages_that_come_and_go_are_named() {
        let check = |path: &str, old: &str, new: &str, expect: &str| {
            assert!(is_manifest(path), "{path}");
            assert_eq!(dependencies(&changed(path, old, new)).output, expect, "{path}");
        };
        check(
            "Cargo.toml",
            "[dependencies]\na = \"1\"\n",
            "[dependencies]\na = \"2\"\n\n[target.'cfg(unix)'.dependencies.b]\nversion = \"1\"\n\n[features]\nc = []\n",
            "+ a = \"2\" (Cargo.toml)\n+ b (Cargo.toml)\n- a = \"1\" (Cargo.toml)",
        );
        check(
            "web/package.json",
            r#"{"dependencies": {"a": "1"}}"#,
            r#"{"dependencies": {"a": "1"}, "devDependencies": {"b": "2"}, "scripts": {"c": "d"}}"#,
            "+ b 2 (web/package.json)",
        );
        check(
            "requirements-dev.txt",
            "a==1\n# c\n",
            "a==1\nb\n-r c.txt\n",
            "+ b (requirements-dev.txt)",
        );
        check(
            "pyproject.toml",
            "[project]\nname = \"x\"\ndependencies = [\n]\n",
            "[project]\nname = \"x\"\ndependencies = [\n  \"a>=1\",\n  \"b\",\n]\n\n[tool.x]\ny = \"z\"\n",
            "+ a>=1 (pyproject.toml)\n+ b (pyproject.toml)",
        );
        check(
            "go.mod",
            "module x\n",
            "module x\n\nrequire a/b v1.2.3\n",
            "+ require a/b v1.2.3 (go.mod)",
        );
        check(
            "Cargo.toml",
            "",
            "[package]\nname = \"x\"\n",
            "no package comes or goes",
        );
        check(
            "a/Cargo.toml",
            "[workspace.dependencies]\na.version = \"1\"\n",
            "# [dependencies]\n[workspace.dependencies]\na.version = \"2\"\nb = { version = \"1\" } # c = \"3\"\n",
            "+ a.version = \"2\" (a/Cargo.toml)\n+ b = { version = \"1\" } (a/Cargo.toml)\n\
             - a.version = \"1\" (a/Cargo.toml)",
        );
        check(
            "pyproject.toml",
            "",
            "[project.optional-dependencies]\nt = [\"a[x]\"]\n\n[dependency-groups]\ndev = ['b', {include-group = \"t\"}]\n\n\
             [tool.poetry.group.dev.dependencies]\nc = \"^1\"\n",
            "+ a[x] (pyproject.toml)\n+ b (pyproject.toml)\n+ c = \"^1\" (pyproject.toml)",
        );
        check(
            "Cargo.toml",
            "[dependencies]\na = \"1\"\n",
            "[dependencies\n",
            "Cargo.toml cannot be read, before or after the change",
        );
        assert!(!is_manifest("src/cargo.toml.rs"));
    }
}
