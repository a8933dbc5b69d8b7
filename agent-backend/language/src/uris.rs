//! Paths of the workspace as the URIs of the protocol, and back.

use std::{path::Path, str::FromStr as _};

use lsp_types::Uri;
use serde_json::Value;
use url::Url;

/// The URI of a file or directory; none for what cannot be named so.
pub(crate) fn of_path(path: &Path) -> Option<Uri> {
    let url = Url::from_file_path(path).ok()?;
    Uri::from_str(&strict(url.as_str())).ok()
}

/// Escapes what the URLs of browsers may hold as it is and the URIs of RFC 3986
/// may not; files like `[id].ts` are common.
fn strict(url: &str) -> String {
    let mut out = String::with_capacity(url.len());
    for c in url.chars() {
        match c {
            '[' => out.push_str("%5B"),
            ']' => out.push_str("%5D"),
            '\\' => out.push_str("%5C"),
            '^' => out.push_str("%5E"),
            '|' => out.push_str("%7C"),
            c => out.push(c),
        }
    }
    out
}

/// Makes the URIs in an answer such that the types of the protocol take them:
/// not all servers escape strictly, and one bad link would spoil the whole.
pub(crate) fn mend(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(mend),
        Value::Object(fields) => {
            for (name, field) in fields {
                if let (Value::String(uri), "uri" | "targetUri" | "href") = (&mut *field, name.as_str()) {
                    if let Ok(url) = Url::parse(uri) {
                        *uri = strict(url.as_str());
                    }
                } else {
                    mend(field);
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// The URI of a path relative to `root`; none if it leads out.
pub(crate) fn of_relative(root: &Path, path: &str) -> Option<Uri> {
    let inside = Path::new(path)
        .components()
        .all(|part| matches!(part, std::path::Component::Normal(_)));
    if !inside || path.is_empty() {
        return None;
    }
    of_path(&root.join(path))
}

/// The path that a URI names: relative to `root` if it lies there, else whole.
/// Servers escape differently, so paths are compared and not URIs.
pub(crate) fn path_of(root: &Path, uri: &Uri) -> Option<String> {
    let path = Url::parse(uri.as_str()).ok()?.to_file_path().ok()?;
    let path = path.strip_prefix(root).unwrap_or(&path);
    path.to_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(path: &str, uri: Option<&str>) {
        let made = of_relative(Path::new("/w x"), path);
        assert_eq!(made.as_ref().map(|uri| uri.as_str()), uri);
        if let Some(made) = made {
            assert_eq!(path_of(Path::new("/w x"), &made).as_deref(), Some(path));
        }
    }

    #[test]
    fn paths_come_back_as_they_were() {
        check("a.py", Some("file:///w%20x/a.py"));
        check("src/ä b#?.py", Some("file:///w%20x/src/%C3%A4%20b%23%3F.py"));
        check("[id]/50%.ts", Some("file:///w%20x/%5Bid%5D/50%25.ts"));
        check("../a.py", None);
        check("/a.py", None);
        check("a/../b.py", None);
        check("", None);
    }

    #[test]
    fn other_ways_to_write_a_uri_are_understood() {
        let read = |text: &str| path_of(Path::new("/w"), &Uri::from_str(text).unwrap());
        assert_eq!(read("file:///w/%5Bid%5D.ts").as_deref(), Some("[id].ts"));
        assert_eq!(read("file:///usr/lib/a.pyi").as_deref(), Some("/usr/lib/a.pyi"));
        assert_eq!(read("untitled:Untitled-1"), None);
    }

    #[test]
    fn loose_uris_are_made_strict() {
        let mut value = serde_json::json!([{ "uri": "file:///w/[id]|.ts", "message": "[a]", "x": { "href": "no uri [" } }]);
        mend(&mut value);
        let expect = serde_json::json!([{ "uri": "file:///w/%5Bid%5D%7C.ts", "message": "[a]", "x": { "href": "no uri [" } }]);
        assert_eq!(value, expect);
    }
}
