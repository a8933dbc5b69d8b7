//! With the real formatters, where `cargo xtask test` has installed them.

use std::path::PathBuf;

use engine::artifact::CheckStatus;

use super::*;

const LONG: Duration = Duration::from_secs(120);

/// Where the programs of PyPI and npm are.
const PYTHON: &str = "AGENTIC_IDE_PYTHON_TOOLS";
const NODE: &str = "AGENTIC_IDE_NODE_TOOLS";

/// A text that is in order, one that is not, and one that is no program.
struct Texts {
    path: &'static str,
    tidy: &'static str,
    untidy: &'static str,
    broken: &'static str,
}

const TEXTS_PYTHON: Texts = Texts {
    path: "a.py",
    tidy: "def f(x):\n    return [1, 2]\n",
    untidy: "def f(x):\n    return [1,2]\n",
    broken: "def f(x:\n    return [1, 2]\n",
};

/// Each text as the new one of a file that was in order, and the second one as
/// that of a file that never was. `config` is what makes a project use it.
#[track_caller]
fn check(formatter: Formatter, variable: &str, config: (&str, &str), texts: &Texts) {
    let Some(tools) = env::var_os(variable) else {
        assert!(
            env::var_os("CI").is_none(),
            "{variable} is not set; `cargo xtask test` does it"
        );
        eprintln!("left out: {variable} is not set; `cargo xtask test` does it");
        return;
    };
    let mut path = vec![PathBuf::from(tools)];
    path.extend(env::split_paths(&env::var_os("PATH").unwrap_or_default()));
    let path = env::join_paths(path).unwrap();
    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join(config.0), config.1).unwrap();
    let judge = |old: &str, new: &str| {
        let changed = [Changed {
            path: texts.path.to_owned(),
            old: old.to_owned(),
            new: new.to_owned(),
        }];
        assert_eq!(used(root.path(), &changed), [formatter]);
        let finding = formatter.check_on(&path, root.path(), &changed, LONG);
        (finding.status, finding.output)
    };
    let passed = (CheckStatus::Passed, String::new());
    let differs = format!("{}: would be formatted differently", texts.path);
    let format = |text: &str, formatter: Option<Formatter>| {
        format_on(&path, root.path(), texts.path, text, formatter, LONG)
    };
    let tidy = Ok(Formatted {
        formatter,
        text: texts.tidy.to_owned(),
    });
    assert!(format(texts.untidy, None).is_ok_and(|formatted| formatted.text != texts.untidy));
    assert_eq!(format(texts.tidy, Some(formatter)), tidy);
    assert!(format(texts.broken, None).is_err());
    assert_eq!(judge("", texts.tidy), passed);
    assert_eq!(judge(texts.tidy, texts.tidy), passed);
    assert_eq!(judge(texts.tidy, texts.untidy), (CheckStatus::Failed, differs));
    assert_eq!(judge(texts.untidy, texts.untidy), passed);
    let (status, output) = judge(texts.tidy, texts.broken);
    assert_eq!(status, CheckStatus::Failed, "{output}");
    assert!(output.starts_with(&format!("{}: ", texts.path)), "{output}");
    assert!(!output.contains("differently"), "{output}");
    assert_eq!(judge(texts.broken, texts.broken), passed);
}

#[test]
fn black() {
    let config = ("pyproject.toml", "[tool.black]\n");
    check(Formatter::Black, PYTHON, config, &TEXTS_PYTHON);
}

#[test]
fn ruff() {
    let config = ("ruff.toml", "[format]\n");
    check(Formatter::Ruff, PYTHON, config, &TEXTS_PYTHON);
}

#[test]
fn autopep8() {
    let config = ("pyproject.toml", "[tool.autopep8]\n");
    check(Formatter::Autopep8, PYTHON, config, &TEXTS_PYTHON);
}

#[test]
fn the_projects_own_configuration_of_autopep8_counts() {
    let texts = Texts {
        untidy: "def f(x):\n    y = 1\n    return  [1,2]\n",
        tidy: "def f(x):\n    return [1,2]\n",
        ..TEXTS_PYTHON
    };
    let config = ("pyproject.toml", "[tool.autopep8]\nignore = [\"E231\"]\n");
    check(Formatter::Autopep8, PYTHON, config, &texts);
}

#[test]
fn prettier() {
    let texts = Texts {
        path: "a.ts",
        tidy: "export const a: number = 1\n",
        untidy: "export const a: number = 1;\n",
        broken: "export const = 1;\n",
    };
    // Its own default would have semicolons.
    let config = (".prettierrc", "{ \"semi\": false }\n");
    check(Formatter::Prettier, NODE, config, &texts);
}

#[test]
fn a_formatter_is_that_of_the_file() {
    #[track_caller]
    fn check(path: &str, formatter: Option<Formatter>, expect: &str) {
        let root = tempfile::tempdir().unwrap();
        let told = format_on(OsStr::new(""), root.path(), path, "", formatter, LONG);
        assert_eq!(told, Err(expect.to_owned()));
    }
    check("a.zig", None, "no formatter is known for a.zig");
    check(
        "a.rs",
        Some(Formatter::Black),
        "black formats no such file as a.rs",
    );
    check("a.rs", Some(Formatter::Rustfmt), "rustfmt is not on PATH");
    let which = "the project does not say which formatter it uses; name one of: black, ruff, autopep8";
    check("a.py", None, which);
}
