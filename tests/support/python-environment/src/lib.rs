//! Python environments with pinned packages, made on the first use and kept
//! between runs. For the tests and `cargo xtask`; part of no program.

use std::{
    env, fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// Names what is installed in the folder it lies in. Written last, so that half
/// an installation is made again.
const MARK: &str = "installed-requirements.txt";

/// Whether the packages bring along what they say they need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dependencies {
    /// As pip does it.
    Installed,
    /// The requirements name all that is needed. For packages that ask for
    /// gigabytes that nothing here uses.
    Listed,
}

/// Where an environment is kept: what `variable` names, else `name` in
/// `agentic-ide` of the person's cache.
pub fn folder(variable: &str, name: &str) -> PathBuf {
    let named = |variable: &str| {
        env::var_os(variable)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    named(variable).unwrap_or_else(|| {
        named("XDG_CACHE_HOME")
            .or_else(|| Some(named("HOME")?.join(".cache")))
            .unwrap_or_else(env::temp_dir)
            .join("agentic-ide")
            .join(name)
    })
}

/// The interpreter of the environment in `folder`, which has `requirements`
/// (lines as in a `requirements.txt`) from then on. What failed otherwise.
pub fn interpreter(folder: &Path, requirements: &str, dependencies: Dependencies) -> Result<PathBuf, String> {
    let python = folder.join("bin/python");
    let mark = folder.join(MARK);
    if fs::read_to_string(&mark).is_ok_and(|installed| installed == requirements) {
        return Ok(python);
    }
    output(Command::new("python3").args(["-m", "venv"]).arg(folder), b"")?;
    let wanted = folder.join("requirements.txt");
    let failed = |error: std::io::Error| format!("{}: {error}", folder.display());
    fs::write(&wanted, requirements).map_err(failed)?;
    let mut install = Command::new(&python);
    install.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
    match dependencies {
        Dependencies::Installed => {}
        Dependencies::Listed => {
            install.arg("--no-deps");
        }
    }
    output(install.arg("-r").arg(&wanted), b"")?;
    fs::rename(wanted, mark).map_err(failed)?;
    Ok(python)
}

/// What a command that is given `input` writes to its standard output. Without
/// success, the command and what it complained of.
pub fn output(command: &mut Command, input: &[u8]) -> Result<String, String> {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("{command:?}: {error}"))?;
    if let Some(mut stdin) = child.stdin.take() {
        // What it does not read is its own affair; how it ends says whether it had to.
        let _unread = stdin.write_all(input);
    }
    let output = child
        .wait_with_output()
        .map_err(|error| format!("{command:?}: {error}"))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        let complaint = String::from_utf8_lossy(&output.stderr);
        Err(format!("{command:?}: {}", complaint.trim()))
    }
}

#[cfg(test)]
mod tests {
    use tempfile::tempdir;

    use super::*;

    #[test]
    fn a_command_is_given_its_input_and_its_complaint_is_told() {
        let shell = |script: &str| output(Command::new("sh").args(["-c", script]), b"words");
        assert_eq!(shell("cat"), Ok("words".to_owned()));
        assert_eq!(
            shell("echo why >&2; exit 3"),
            Err(r#""sh" "-c" "echo why >&2; exit 3": why"#.to_owned())
        );
    }

    #[test]
    fn what_is_installed_is_not_installed_again_and_half_is_no_installation() {
        let folder = tempdir().unwrap();
        let python = folder.path().join("bin/python");
        // Nothing to fetch, so that the network takes no part.
        let ensure = || interpreter(folder.path(), "# nothing\n", Dependencies::Installed);
        assert_eq!(ensure(), Ok(python.clone()));
        let made = fs::metadata(folder.path().join("pyvenv.cfg"))
            .unwrap()
            .modified()
            .unwrap();
        assert_eq!(ensure(), Ok(python.clone()));
        let config = folder.path().join("pyvenv.cfg");
        assert_eq!(fs::metadata(&config).unwrap().modified().unwrap(), made);

        fs::remove_file(folder.path().join(MARK)).unwrap();
        fs::remove_file(&config).unwrap();
        assert_eq!(ensure(), Ok(python));
        assert!(config.exists());
    }

    #[test]
    fn a_package_that_does_not_exist_leaves_no_mark() {
        let folder = tempdir().unwrap();
        let none = format!("{}/no-such-package", folder.path().display());
        assert!(interpreter(folder.path(), &none, Dependencies::Listed).is_err());
        assert!(!folder.path().join(MARK).exists());
    }
}
