//! What tests compare with and drive: packages of others, pinned, installed into
//! the cache. Each is handed over by a variable; whoever has it elsewhere sets
//! the variable.

use std::{
    env,
    ffi::OsString,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::bail;
use python_environment::Dependencies;

use crate::{needs, paths::Paths};

/// The client that drives a whole workflow over ACP.
const ACPX: &str = "acpx@0.19.1";

/// The protocol's SDK for Python, which is another implementation than ours and that of
/// acpx, and what it needs for the network.
const ACP_PYTHON: &str = "agent-client-protocol[http]==0.12.1";

/// The package that carries the protocol's official JSON Schema.
const ACP_SDK: &str = "@agentclientprotocol/sdk@2.4.0";

/// The last package of the same authors with example clients for every transport,
/// and what those need.
const ACP_EXAMPLES: &[&str] = &["@agentclientprotocol/sdk@1.9.0", "zod@4.6.7", "ws@8.23.0"];

/// Agents of others that the window talks with.
const GEMINI: &str = "@google/gemini-cli@0.61.0";
const CLAUDE_AGENT: &str = "@agentclientprotocol/claude-agent-acp@0.100.0";

/// Language servers and formatters of Python.
const PYTHON_TOOLS: &str = "\
autopep8==2.3.2
basedpyright==1.40.2
black==26.10.1
pyflakes==4.1.0
python-lsp-server==1.15.0
ruff==0.17.6
";

/// Language servers and formatters of JavaScript and TypeScript, and the other
/// one of Python.
const NODE_TOOLS: &[&str] = &["typescript@7.0.2", "prettier@3.10.1", "pyright@1.1.414"];

/// The language server for the TypeScript of before, which needs one.
const TYPESCRIPT_6_TOOLS: &[&str] = &["typescript-language-server@6.0.2", "typescript@6.0.3"];

/// The protocol's official client and server for Python, which drive our server
/// and are driven by our client.
const MCP_CLIENT: &str = "mcp==2.3.0";

/// Something that tests want and can do without, outside of CI.
pub(super) struct Wanted {
    /// The step that installs it.
    pub(super) step: &'static str,
    /// Tells the tests where it is.
    pub(super) variable: &'static str,
    /// What to say where it is missing.
    pub(super) without: &'static str,
    installer: fn(&Paths) -> anyhow::Result<OsString>,
}

pub(super) const WANTED: &[Wanted] = &[
    Wanted {
        step: "acpx",
        variable: "AGENTIC_IDE_ACPX",
        without: "the tests that need acpx will be left out",
        installer: |paths| install_from_npm(paths, &[ACPX], "node_modules/.bin/acpx"),
    },
    Wanted {
        step: "ACP examples",
        variable: "AGENTIC_IDE_ACP_EXAMPLES",
        without: "the tests with the example clients of ACP will be left out",
        installer: |paths| {
            let folder = "node_modules/@agentclientprotocol/sdk/dist/examples";
            install_from_npm(paths, ACP_EXAMPLES, folder)
        },
    },
    Wanted {
        step: "ACP for Python",
        variable: "AGENTIC_IDE_ACP_PYTHON",
        without: "the tests with the Python SDK of ACP will be left out",
        installer: |paths| install_from_pypi(paths, "acp-python-0.12.1", ACP_PYTHON),
    },
    Wanted {
        step: "ACP schema",
        variable: "AGENTIC_IDE_ACP_SCHEMA",
        without: "messages will not be judged by the protocol's own schema; CI fails without",
        installer: |paths| {
            let schema = "node_modules/@agentclientprotocol/sdk/schema/v1/schema.json";
            install_from_npm(paths, &[ACP_SDK], schema)
        },
    },
    Wanted {
        step: "Gemini CLI",
        variable: "AGENTIC_IDE_GEMINI",
        without: "the test of the window with Gemini CLI will be left out",
        installer: |paths| install_from_npm(paths, &[GEMINI], "node_modules/.bin/gemini"),
    },
    Wanted {
        step: "Claude Agent",
        variable: "AGENTIC_IDE_CLAUDE_AGENT",
        without: "the test of the window with Claude Agent will be left out",
        installer: |paths| install_from_npm(paths, &[CLAUDE_AGENT], "node_modules/.bin/claude-agent-acp"),
    },
    Wanted {
        step: "MCP client",
        variable: "AGENTIC_IDE_MCP_PYTHON",
        without: "the tests with the Python client and server of MCP will be left out",
        installer: |paths| install_from_pypi(paths, &MCP_CLIENT.replace("==", "-"), MCP_CLIENT),
    },
    Wanted {
        step: "Python tools",
        variable: "AGENTIC_IDE_PYTHON_TOOLS",
        without: "the tests with language servers and formatters of Python will be left out; CI fails without",
        installer: |paths| {
            Ok(folder_of(&install_from_pypi(
                paths,
                "python-tools",
                PYTHON_TOOLS,
            )?))
        },
    },
    Wanted {
        step: "Node tools",
        variable: "AGENTIC_IDE_NODE_TOOLS",
        without: "the tests with language servers and formatters that need Node will be left out; CI fails without",
        installer: |paths| {
            Ok(folder_of(&install_from_npm(
                paths,
                NODE_TOOLS,
                "node_modules/.bin/tsc",
            )?))
        },
    },
    Wanted {
        step: "TypeScript 6 tools",
        variable: "AGENTIC_IDE_TYPESCRIPT_6_TOOLS",
        without: "the tests with the language server of TypeScript 6 will be left out; CI fails without",
        installer: |paths| {
            let program = "node_modules/.bin/typescript-language-server";
            Ok(folder_of(&install_from_npm(paths, TYPESCRIPT_6_TOOLS, program)?))
        },
    },
    Wanted {
        step: "rust-analyzer",
        variable: "AGENTIC_IDE_RUST_ANALYZER",
        without: "the tests with rust-analyzer will be left out; CI fails without",
        installer: install_rust_analyzer,
    },
];

impl Wanted {
    /// Where it is, installed if it was not.
    pub(super) fn install(&self, paths: &Paths) -> anyhow::Result<OsString> {
        match env::var_os(self.variable) {
            Some(given) => Ok(given),
            None => (self.installer)(paths),
        }
    }
}

/// The directory of a program.
fn folder_of(program: &OsString) -> OsString {
    Path::new(program).parent().map(Into::into).unwrap_or_default()
}

/// The path of the language server of this repository's toolchain, to which it
/// is added.
fn install_rust_analyzer(paths: &Paths) -> anyhow::Result<OsString> {
    let Some(program) = needs::on_path("rust-analyzer") else {
        bail!("rust-analyzer is not installed");
    };
    let works = || {
        let mut version = Command::new(&program);
        version.arg("--version").current_dir(&paths.root);
        version
            .stdin(Stdio::null())
            .output()
            .is_ok_and(|output| output.status.success())
    };
    if !works() && needs::on_path("rustup").is_some() {
        let mut add = Command::new("rustup");
        add.args(["component", "add", "rust-analyzer"])
            .current_dir(&paths.root);
        let output = add.stdin(Stdio::null()).output()?;
        if !output.status.success() {
            bail!(
                "rustup component add rust-analyzer failed:\n{}",
                String::from_utf8_lossy(&output.stderr).trim()
            );
        }
    }
    if !works() {
        bail!("rust-analyzer does not run");
    }
    Ok(program.into())
}

/// The interpreter of an environment in the cache that has these packages.
fn install_from_pypi(paths: &Paths, name: &str, requirements: &str) -> anyhow::Result<OsString> {
    python_environment::interpreter(&paths.cache.join(name), requirements, Dependencies::Installed)
        .map(PathBuf::into)
        .map_err(anyhow::Error::msg)
}

/// The path of `file` of the first of these pinned npm packages, installed into the
/// cache if it is not there yet.
fn install_from_npm(paths: &Paths, packages: &[&str], file: &str) -> anyhow::Result<OsString> {
    let Some(package) = packages.first() else {
        bail!("no package is named");
    };
    let dir = paths
        .cache
        .join(package.trim_start_matches('@').replace(['@', '/'], "-"));
    let path = dir.join(file);
    if path.exists() {
        return Ok(path.into());
    }
    if needs::on_path("node").is_none() || needs::on_path("npm").is_none() {
        bail!("node and npm are not installed");
    }
    let mut npm = Command::new("npm");
    npm.args([
        "install",
        "--no-audit",
        "--no-fund",
        "--no-save",
        "--loglevel=error",
        "--prefix",
    ]);
    let output = npm.arg(&dir).args(packages).stdin(Stdio::null()).output()?;
    if !output.status.success() {
        bail!(
            "npm install {package} failed:\n{}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    if !path.exists() {
        bail!("{package} has no {file}");
    }
    Ok(path.into())
}
