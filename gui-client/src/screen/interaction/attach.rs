//! Files that are dropped on the window, as words of the request: what is in the
//! workspace is named, and anything else is told in full, because the backend
//! may be on another machine.

use std::{io, path::Path};

use crate::Error;

/// Bytes of a file that is told in full.
pub const FILE_BYTES_MAX: u64 = 16 * 1024;

/// The words for a file. Reads it where it is not in the workspace; blocks.
pub fn words(file: &Path, workspace: &str) -> Result<String, Error> {
    if let Some(named) = named(file, workspace) {
        return Ok(named);
    }
    let refused = |reason: String| Error::File {
        path: file.display().to_string(),
        reason,
    };
    let told = |error: io::Error| refused(error.to_string());
    let size = std::fs::metadata(file).map_err(told)?;
    if size.is_dir() {
        return Err(refused(
            "it is a folder; drop files, or write its name".to_owned(),
        ));
    }
    if size.len() > FILE_BYTES_MAX {
        let most = FILE_BYTES_MAX / 1_024;
        return Err(refused(format!(
            "it is larger than {most} KiB; put it into the workspace and name it"
        )));
    }
    let text = String::from_utf8(std::fs::read(file).map_err(told)?);
    let text = text.map_err(|_| refused("it is not text".to_owned()))?;
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    Ok(format!("\n`{name}`:\n{}", fenced(&text)))
}

/// The name of a file within the workspace.
fn named(file: &Path, workspace: &str) -> Option<String> {
    let within = file.strip_prefix(workspace).ok()?.to_str()?;
    let is_named = !workspace.is_empty() && !within.is_empty() && !within.contains('`');
    is_named.then(|| format!("`{within}` "))
}

/// A text between fences that are longer than any in it.
fn fenced(text: &str) -> String {
    let runs = text.split(|c: char| c != '`').map(str::len);
    let fence = "`".repeat(runs.max().unwrap_or(0).max(2) + 1);
    let end = if text.ends_with('\n') { "" } else { "\n" };
    format!("{fence}\n{text}{end}{fence}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_the_workspace_is_named() {
        let check = |file: &str, workspace: &str, expect: Option<&str>| {
            assert_eq!(named(Path::new(file), workspace).as_deref(), expect, "{file}");
        };
        check("/shop/src/app.py", "/shop", Some("`src/app.py` "));
        check("/shop/src", "/shop/", Some("`src` "));
        check("/shop", "/shop", None);
        check("/shopping/app.py", "/shop", None);
        check("/shop/app.py", "", None);
    }

    #[test]
    fn what_is_elsewhere_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let check = |name: &str, content: &[u8], expect: Result<&str, &str>| {
            let file = folder.path().join(name);
            std::fs::write(&file, content).unwrap();
            let told = words(&file, "/shop").map_err(|error| error.to_string());
            match expect {
                Ok(text) => assert_eq!(told.as_deref(), Ok(text)),
                Err(reason) => assert!(told.unwrap_err().contains(reason), "{name}"),
            }
        };
        check("a.txt", b"one\ntwo", Ok("\n`a.txt`:\n```\none\ntwo\n```\n"));
        check(
            "b.md",
            b"````\nx\n````\n",
            Ok("\n`b.md`:\n`````\n````\nx\n````\n`````\n"),
        );
        check("c.png", &[0x89, 0xff], Err("it is not text"));
        check("d.log", &[b'a'; 16 * 1024 + 1], Err("larger than 16 KiB"));
        let folder = words(folder.path(), "/shop").unwrap_err().to_string();
        assert!(folder.contains("it is a folder"), "{folder}");
    }
}
