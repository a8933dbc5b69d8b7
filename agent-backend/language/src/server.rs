//! The servers that are known: what each is called, which files concern it,
//! how it is configured. Knows no process.

use std::fmt;

use serde_json::{Value, json};

/// A language server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Server {
    /// Types of Python, from a package that brings what it needs.
    Basedpyright,
    /// Types of Python; needs Node.
    Pyright,
    /// Undefined and unused names of Python; no types.
    Pylsp,
    /// Rust. Its own diagnostics, not those of `cargo check`.
    RustAnalyzer,
    /// `tsc --lsp` of TypeScript 7 and later.
    TypeScript,
    /// The server around TypeScript up to 6.
    TypeScriptLanguageServer,
}

/// All of them, the better one for a language first.
pub const ALL: &[Server] = &[
    Server::Basedpyright,
    Server::Pyright,
    Server::Pylsp,
    Server::RustAnalyzer,
    Server::TypeScript,
    Server::TypeScriptLanguageServer,
];

/// How a server tells what it has found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Telling {
    /// As the capabilities say: when asked, otherwise by itself.
    Standard,
    /// When asked, though the capabilities do not say so. What it publishes by
    /// itself may be nothing at first, and more later, of the same version.
    Asked,
    /// It publishes without a version, several times, and nothing at all when
    /// nothing changed; but hands requests on to a compiler that answers.
    Tsserver,
}

/// How a server tells that it has read the project.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Loading {
    /// It answers when it can.
    WithTheAnswer,
    /// By `experimental/serverStatus`; before, its answers are empty.
    ServerStatus,
}

impl Server {
    /// What it is called, e.g. in the name of a check.
    pub fn name(self) -> &'static str {
        match self {
            Self::Basedpyright => "basedpyright",
            Self::Pyright => "pyright",
            Self::Pylsp => "pylsp",
            Self::RustAnalyzer => "rust-analyzer",
            Self::TypeScript => "typescript",
            Self::TypeScriptLanguageServer => "typescript-language-server",
        }
    }

    /// The server with this name.
    pub fn parse(name: &str) -> Option<Self> {
        ALL.iter().copied().find(|server| server.name() == name)
    }

    /// The program.
    pub fn program(self) -> &'static str {
        match self {
            Self::Basedpyright => "basedpyright-langserver",
            Self::Pyright => "pyright-langserver",
            Self::Pylsp => "pylsp",
            Self::RustAnalyzer => "rust-analyzer",
            Self::TypeScript => "tsc",
            Self::TypeScriptLanguageServer => "typescript-language-server",
        }
    }

    /// Its arguments.
    pub fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::Basedpyright | Self::Pyright | Self::TypeScriptLanguageServer => &["--stdio"],
            Self::Pylsp | Self::RustAnalyzer => &[],
            Self::TypeScript => &["--lsp", "--stdio"],
        }
    }

    /// Whether a file is of its language.
    pub fn concerns(self, path: &str) -> bool {
        self.language(path).is_some()
    }

    /// The protocol's name of a file's language; none if it is another's.
    pub(crate) fn language(self, path: &str) -> Option<&'static str> {
        let name = path.rsplit('/').next().unwrap_or(path);
        let (_, extension) = name.rsplit_once('.')?;
        match self {
            Self::Basedpyright | Self::Pyright | Self::Pylsp => {
                matches!(extension, "py" | "pyi").then_some("python")
            }
            Self::RustAnalyzer => (extension == "rs").then_some("rust"),
            Self::TypeScript | Self::TypeScriptLanguageServer => match extension {
                "ts" | "mts" | "cts" => Some("typescript"),
                "tsx" => Some("typescriptreact"),
                "js" | "mjs" | "cjs" => Some("javascript"),
                "jsx" => Some("javascriptreact"),
                _ => None,
            },
        }
    }

    /// Whether it may run code that lies in the repository, whatever it is
    /// told: `rust-analyzer` calls cargo, whose configuration in the
    /// repository may name programs. Without a sandbox, such a server is for
    /// repositories that the person trusts.
    pub fn may_run_code_of_the_repository(self) -> bool {
        match self {
            Self::RustAnalyzer => true,
            Self::Basedpyright
            | Self::Pyright
            | Self::Pylsp
            | Self::TypeScript
            | Self::TypeScriptLanguageServer => false,
        }
    }

    pub(crate) fn telling(self) -> Telling {
        match self {
            Self::TypeScriptLanguageServer => Telling::Tsserver,
            Self::Basedpyright | Self::Pyright => Telling::Asked,
            Self::Pylsp | Self::RustAnalyzer | Self::TypeScript => Telling::Standard,
        }
    }

    pub(crate) fn loading(self) -> Loading {
        match self {
            Self::RustAnalyzer => Loading::ServerStatus,
            Self::Basedpyright
            | Self::Pyright
            | Self::Pylsp
            | Self::TypeScript
            | Self::TypeScriptLanguageServer => Loading::WithTheAnswer,
        }
    }

    /// Its settings, by section. Only what a project does not decide for
    /// itself, and what would run code or reach the network unasked.
    pub(crate) fn settings(self) -> Value {
        let analysis = json!({
            // Errors count, not strictness that nobody asked for.
            "typeCheckingMode": "standard",
            "diagnosticMode": "openFilesOnly",
        });
        match self {
            Self::Basedpyright => json!({ "basedpyright": { "analysis": analysis } }),
            Self::Pyright => json!({ "python": { "analysis": analysis } }),
            Self::Pylsp => json!({ "pylsp": { "plugins": {
                // How code looks is the formatters' affair.
                "pycodestyle": { "enabled": false },
                "mccabe": { "enabled": false },
            } } }),
            Self::RustAnalyzer => json!({ "rust-analyzer": {
                // The build is a check of its own, and build scripts and
                // macros are programs of the repository and its dependencies.
                "checkOnSave": false,
                "cargo": {
                    "buildScripts": { "enable": false },
                    "extraEnv": { "CARGO_NET_OFFLINE": "true" },
                },
                "procMacro": { "enable": false },
                "cachePriming": { "enable": false },
            } }),
            Self::TypeScript | Self::TypeScriptLanguageServer => json!({}),
        }
    }

    /// What it is told with the first request.
    pub(crate) fn initialization_options(self) -> Option<Value> {
        match self {
            Self::RustAnalyzer => self.settings().get("rust-analyzer").cloned(),
            Self::TypeScriptLanguageServer => Some(json!({
                // It would fetch type packages from the network.
                "disableAutomaticTypingAcquisition": true,
                // A second compiler that knows no other file would answer while
                // the first one reads the project.
                "tsserver": { "useSyntaxServer": "never" },
            })),
            Self::Basedpyright | Self::Pyright | Self::Pylsp | Self::TypeScript => None,
        }
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(path: &str, expect: &[Server]) {
        let concerned: Vec<Server> = ALL
            .iter()
            .copied()
            .filter(|server| server.concerns(path))
            .collect();
        assert_eq!(concerned, expect, "{path}");
    }

    #[test]
    fn each_file_has_its_servers() {
        let python = &[Server::Basedpyright, Server::Pyright, Server::Pylsp];
        let typescript = &[Server::TypeScript, Server::TypeScriptLanguageServer];
        check("a.py", python);
        check("src/a.b.pyi", python);
        check("src/lib.rs", &[Server::RustAnalyzer]);
        check("a.ts", typescript);
        check("a.d.mts", typescript);
        check("web/App.tsx", typescript);
        check("a.cjs", typescript);
        check("py", &[]);
        check("a.py/README", &[]);
        check("Makefile", &[]);
    }

    #[test]
    fn names_parse_back() {
        for server in ALL {
            assert_eq!(Server::parse(server.name()), Some(*server));
        }
        assert_eq!(Server::parse("emacs"), None);
    }
}
