//! The rules by which a file stays out of the index. Pure, except for
//! [`is_foreign_directory`], which looks for marker files.

use std::path::Path;

/// Larger files are not read, bytes.
pub const FILE_BYTES_MAX: u64 = 500 * 1024;

/// A line of code that is longer was written by a program, bytes.
const LINE_BYTES_MAX: usize = 10_000;
/// A file of code whose lines are longer on average is minified, bytes.
const MEAN_LINE_BYTES_MAX: usize = 300;
/// The average says nothing about files smaller than this, bytes.
const MINIFIED_BYTES_MIN: usize = 4096;

/// Why a file is not in the index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SkipReason {
    /// Its name says that it holds keys or passwords.
    Secret,
    /// A hidden file.
    Hidden,
    /// Larger than [`FILE_BYTES_MAX`].
    TooLarge,
    /// It holds a NUL byte.
    Binary,
    /// Its bytes or its name are not UTF-8.
    NotUtf8,
    /// Minified: nobody reads or edits it.
    Minified,
    /// Written by a tool: lock files and source maps.
    Generated,
    /// Nothing but white space.
    Empty,
    /// A link, pipe, socket or device.
    NotAFile,
    /// The operating system refused to read it.
    Unreadable,
    /// The workspace holds more than one index takes.
    OverLimit,
}

impl SkipReason {
    /// The word used in events and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Secret => "secret",
            Self::Hidden => "hidden",
            Self::TooLarge => "too_large",
            Self::Binary => "binary",
            Self::NotUtf8 => "not_utf8",
            Self::Minified => "minified",
            Self::Generated => "generated",
            Self::Empty => "empty",
            Self::NotAFile => "not_a_file",
            Self::Unreadable => "unreadable",
            Self::OverLimit => "over_limit",
        }
    }
}

const SECRET_NAMES: &[&str] = &[
    ".netrc",
    "_netrc",
    ".npmrc",
    ".pypirc",
    ".htpasswd",
    ".pgpass",
    ".my.cnf",
    ".dockercfg",
    ".git-credentials",
    ".vault-token",
    "credentials",
    "credentials.json",
    "credentials.yaml",
    "credentials.yml",
    "credentials.toml",
    "secrets",
    "secrets.json",
    "secrets.yaml",
    "secrets.yml",
    "secrets.toml",
    "secret.json",
    "secret.yaml",
    "secret.yml",
    "client_secret.json",
    "kubeconfig",
    "htpasswd",
    "master.key",
];
const SECRET_PREFIXES: &[&str] = &[
    ".env",
    "id_rsa",
    "id_dsa",
    "id_ecdsa",
    "id_ed25519",
    "service-account",
    "service_account",
];
const SECRET_EXTENSIONS: &[&str] = &[
    "pem", "key", "p12", "pfx", "p8", "pk8", "jks", "keystore", "kdbx", "ppk", "asc", "gpg", "der",
    "tfstate", "tfvars", "ovpn", "env",
];
const GENERATED_NAMES: &[&str] = &[
    "cargo.lock",
    "package-lock.json",
    "npm-shrinkwrap.json",
    "yarn.lock",
    "pnpm-lock.yaml",
    "poetry.lock",
    "uv.lock",
    "pipfile.lock",
    "composer.lock",
    "gemfile.lock",
    "go.sum",
    "flake.lock",
    "bun.lock",
    "mix.lock",
    "pubspec.lock",
    "deno.lock",
];
const GENERATED_SUFFIXES: &[&str] = &[".map", ".min.js", ".min.css", ".min.mjs", ".snap"];
/// Extensions of files whose lines are written by people and therefore short.
const CODE_EXTENSIONS: &[&str] = &[
    "py", "rs", "js", "jsx", "mjs", "cjs", "ts", "tsx", "mts", "cts", "go", "java", "c", "h", "cc", "cpp",
    "cxx", "hpp", "css", "scss", "less", "json", "html", "htm", "svg", "xml", "vue", "php", "rb", "kt", "cs",
    "swift",
];

/// Whether the name of the file at `path` (relative, `/` between parts) lets it in.
pub fn name(path: &str) -> Result<(), SkipReason> {
    let name = path.rsplit('/').next().unwrap_or(path).to_lowercase();
    let extension = extension(&name);
    if SECRET_NAMES.contains(&name.as_str())
        || SECRET_PREFIXES
            .iter()
            .any(|prefix| is_secret_prefix(&name, prefix))
        || SECRET_EXTENSIONS.contains(&extension)
    {
        return Err(SkipReason::Secret);
    }
    if name.starts_with('.') {
        return Err(SkipReason::Hidden);
    }
    if GENERATED_NAMES.contains(&name.as_str())
        || GENERATED_SUFFIXES.iter().any(|suffix| name.ends_with(suffix))
    {
        return Err(SkipReason::Generated);
    }
    Ok(())
}

/// `.env`, `.env.local`, `id_rsa.bak`, `service-account-prod.json`, but not the
/// source file `service_account.py`.
fn is_secret_prefix(name: &str, prefix: &str) -> bool {
    let Some(rest) = name.strip_prefix(prefix) else {
        return false;
    };
    let is_source = matches!(
        extension(name),
        "py" | "rs" | "js" | "ts" | "tsx" | "go" | "java" | "md" | "c" | "cpp"
    );
    (rest.is_empty() || !rest.starts_with(|c: char| c.is_alphanumeric()))
        && (!is_source || name.starts_with('.'))
}

fn extension(name: &str) -> &str {
    name.rsplit_once('.').map_or("", |(_, extension)| extension)
}

/// The text of a file, without byte-order mark, if its content lets it in.
pub fn text<'a>(path: &str, bytes: &'a [u8]) -> Result<&'a str, SkipReason> {
    if bytes.contains(&0) {
        return Err(SkipReason::Binary);
    }
    let text = std::str::from_utf8(bytes).map_err(|_| SkipReason::NotUtf8)?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.trim().is_empty() {
        return Err(SkipReason::Empty);
    }
    // A key by any other name; in source code it is a test's fixture.
    if text.trim_start().starts_with("-----BEGIN ") && text.contains("PRIVATE KEY") {
        return Err(SkipReason::Secret);
    }
    if is_minified(path, text) {
        return Err(SkipReason::Minified);
    }
    Ok(text)
}

fn is_minified(path: &str, text: &str) -> bool {
    if !CODE_EXTENSIONS.contains(&extension(&path.to_lowercase())) {
        return false;
    }
    let lines = text.lines().count().max(1);
    (text.len() >= MINIFIED_BYTES_MIN && text.len() / lines > MEAN_LINE_BYTES_MAX)
        || text.lines().any(|line| line.len() > LINE_BYTES_MAX)
}

/// Whether a directory holds nothing of the project's own: hidden, installed
/// packages, caches (marked by `CACHEDIR.TAG`) and virtual environments.
pub fn is_foreign_directory(path: &Path) -> bool {
    let Some(name) = path.file_name() else {
        return false;
    };
    if name.as_encoded_bytes().starts_with(b".") || name == "node_modules" || name == "__pycache__" {
        return true;
    }
    path.join("CACHEDIR.TAG").is_file() || path.join("pyvenv.cfg").is_file()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        use SkipReason::{Generated, Hidden, Secret};
        let check = |path: &str, expect: Result<(), SkipReason>| assert_eq!(name(path), expect, "{path}");
        check("src/main.py", Ok(()));
        check(".env", Err(Secret));
        check("deploy/.env.production", Err(Secret));
        check("prod.env", Err(Secret));
        check(".envrc", Err(Hidden));
        check("tls/server.PEM", Err(Secret));
        check("id_rsa", Err(Secret));
        check("id_rsa.pub", Err(Secret));
        check("id_rsa_loader.py", Ok(()));
        check("service-account-prod.json", Err(Secret));
        check("service_account.py", Ok(()));
        check("credentials.json", Err(Secret));
        check("credentials.py", Ok(()));
        check("src/keys.rs", Ok(()));
        check("environment.yml", Ok(()));
        check(".eslintrc.js", Err(Hidden));
        check("Cargo.lock", Err(Generated));
        check("app.min.js", Err(Generated));
        check("admin.js", Ok(()));
    }

    #[test]
    fn contents() {
        let check = |path: &str, bytes: &[u8], expect: Result<&str, SkipReason>| {
            assert_eq!(text(path, bytes), expect, "{path}");
        };
        check("a.py", b"x = 1\n", Ok("x = 1\n"));
        check("a.py", b"\xef\xbb\xbfx = 1\n", Ok("x = 1\n"));
        check("a.py", b"x\0y", Err(SkipReason::Binary));
        check("a.py", b"caf\xe9", Err(SkipReason::NotUtf8));
        check("a.py", b" \n\t\n", Err(SkipReason::Empty));
        check("a.py", b"", Err(SkipReason::Empty));
        check(
            "note",
            b"-----BEGIN RSA PRIVATE KEY-----\nabc",
            Err(SkipReason::Secret),
        );
        let long = "x".repeat(LINE_BYTES_MAX + 1);
        check("a.js", long.as_bytes(), Err(SkipReason::Minified));
        check("a.md", long.as_bytes(), Ok(&long));
        let wide = format!("{}\n", "y".repeat(MEAN_LINE_BYTES_MAX + 1)).repeat(20);
        check("a.css", wide.as_bytes(), Err(SkipReason::Minified));
    }
}
