//! Where this machine keeps the programs that build and test projects, and what
//! of it a program must see to work. Nothing of the workspace is run here, and
//! nothing is found that the workspace could have put there, except what only
//! a sandbox runs.

use std::{
    env,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use language::Installed;
use sandbox::{Access, Mount};
use shared::programs;

use crate::{
    process,
    project::{Ecosystem, Goal, Step},
};

/// Folders whose programs are there in every sandbox.
const SYSTEM: &[&str] = &["/usr", "/bin", "/lib", "/lib64", "/sbin"];

/// Where a sandbox keeps what builds leave for the next one.
const CACHE: &str = "/var/cache/agentic-ide";

/// Longest wait for an interpreter to say where it is.
const ASK_TIMEOUT: Duration = Duration::from_secs(10);

/// Links that are followed from an environment to its interpreter.
const LINKS_MAX: usize = 8;

/// Output kept of it, in bytes.
const ANSWER_BYTES_MAX: usize = 4096;

/// What a step needs of this machine.
#[derive(Debug)]
pub(crate) struct Tooling {
    pub(crate) program: PathBuf,
    pub(crate) mounts: Vec<Mount>,
    pub(crate) environment: Vec<(OsString, OsString)>,
}

/// The folders that matter, as the environment has them.
#[derive(Debug)]
pub(crate) struct Machine {
    /// As in `PATH`.
    path: OsString,
    home: PathBuf,
    cargo_home: PathBuf,
    rustup_home: PathBuf,
    go_path: PathBuf,
}

impl Machine {
    pub(crate) fn here() -> Self {
        let home = env::var_os("HOME").map_or_else(|| PathBuf::from("/"), PathBuf::from);
        let or =
            |name: &str, folder: &str| env::var_os(name).map_or_else(|| home.join(folder), PathBuf::from);
        Self {
            path: env::var_os("PATH").unwrap_or_default(),
            cargo_home: or("CARGO_HOME", ".cargo"),
            rustup_home: or("RUSTUP_HOME", ".rustup"),
            go_path: or("GOPATH", "go"),
            home,
        }
    }

    /// What `step` needs, in a workspace at `root`; `cache` outlives it.
    ///
    /// # Errors
    /// What is missing, and what to do.
    pub(crate) fn tooling(&self, step: &Step, root: &Path, cache: &Path) -> Result<Tooling, String> {
        let mut tooling = Tooling {
            program: PathBuf::new(),
            mounts: Vec::new(),
            environment: Vec::new(),
        };
        for (name, value) in [("CI", "true"), ("NO_COLOR", "1"), ("TERM", "dumb")] {
            tooling.set(name, value);
        }
        match step.ecosystem {
            Ecosystem::Cargo => self.cargo(&mut tooling, root, cache)?,
            Ecosystem::Python => self.python(&mut tooling, root, step)?,
            Ecosystem::Node => self.node(&mut tooling, root, step)?,
            Ecosystem::Go => self.go(&mut tooling, root, cache)?,
        }
        Ok(tooling)
    }

    /// What a language server needs: what its language's programs do, its own
    /// installation, and Node, which most of them are written for.
    ///
    /// # Errors
    /// What is missing, and what to do.
    pub(crate) fn serving(
        &self,
        ecosystem: Ecosystem,
        server: &Installed,
        root: &Path,
        cache: &Path,
    ) -> Result<Tooling, String> {
        let step = Step {
            name: String::new(),
            goal: Goal::Build,
            ecosystem,
            folder: String::new(),
            program: "node".to_owned(),
            arguments: Vec::new(),
        };
        let mut tooling = self.tooling(&step, root, cache)?;
        let mut folders = Vec::new();
        if !server.program.starts_with(root) {
            self.show_program(&mut tooling, &server.program);
            self.show_interpreter(&mut tooling, &server.program);
        }
        folders.extend(server.program.parent());
        let node = self.find("node", root).ok();
        if let Some(node) = &node {
            self.show_program(&mut tooling, node);
            folders.extend(node.parent());
        }
        let of_language = tooling.environment.iter().rposition(|(name, _)| name == "PATH");
        let of_language = of_language
            .map(|at| tooling.environment.remove(at).1)
            .unwrap_or_default();
        let rest: Vec<PathBuf> = env::split_paths(&of_language).collect();
        // The language's first: its interpreter is the one to ask about packages.
        let all: Vec<&Path> = rest.iter().map(PathBuf::as_path).chain(folders).collect();
        tooling.path(&all);
        tooling.program = server.program.clone();
        Ok(tooling)
    }

    /// Shows the Python behind the environment that a program is installed in.
    fn show_interpreter(&self, tooling: &mut Tooling, program: &Path) {
        let real = program.canonicalize().unwrap_or_else(|_| program.to_owned());
        let Some(environment) = real.parent().and_then(Path::parent) else {
            return;
        };
        for link in ["bin/python", "bin/python3"] {
            // The name by which it is called, and every link on the way.
            let mut link = environment.join(link);
            for _ in 0..LINKS_MAX {
                self.show_program(tooling, &link);
                let Ok(target) = fs::read_link(&link) else { break };
                link = link.parent().unwrap_or(Path::new("/")).join(target);
            }
        }
    }

    fn cargo(&self, tooling: &mut Tooling, root: &Path, cache: &Path) -> Result<(), String> {
        let cargo = self.find("cargo", root)?;
        let own = self.cargo_home.join("bin");
        let is_own = cargo.starts_with(&own);
        if is_own {
            // The programs there choose the toolchain that the project names.
            tooling.show(&own);
            tooling.show(&self.rustup_home);
            tooling.set("RUSTUP_HOME", &self.rustup_home);
        } else {
            self.show_program(tooling, &cargo);
        }
        for name in ["registry", "git"] {
            tooling.show(&self.cargo_home.join(name));
        }
        for name in ["config.toml", "config"] {
            let file = self.cargo_home.join(name);
            // It may hold keys of registries, which tests must not read.
            if fs::read_to_string(&file).is_ok_and(|text| !text.contains("token")) {
                tooling.show(&file);
            }
        }
        tooling.set("CARGO_HOME", &self.cargo_home);
        let target = tooling.cache(cache, "cargo");
        tooling.set("CARGO_TARGET_DIR", target);
        tooling.path(&[cargo.parent().unwrap_or(Path::new("/"))]);
        tooling.program = cargo;
        Ok(())
    }

    fn python(&self, tooling: &mut Tooling, root: &Path, step: &Step) -> Result<(), String> {
        let folder = root.join(&step.folder);
        tooling.set("PYTHONDONTWRITEBYTECODE", "1");
        if folder.join("src").is_dir() {
            tooling.set("PYTHONPATH", folder.join("src"));
        }
        for name in [".venv", "venv"] {
            let environments = [folder.join(name), root.join(name)];
            for environment in environments {
                if self.python_environment(tooling, root, &environment) {
                    return Ok(());
                }
            }
        }
        // A shim that finds no interpreter is no Python.
        let mut candidates = self.candidates("python3", root);
        let (executable, prefixes) = candidates
            .find_map(|python| interpreter(&python))
            .ok_or_else(|| missing("python3"))?;
        for prefix in &prefixes {
            if self.may_show(prefix) {
                tooling.show(prefix);
            }
        }
        tooling.path(&[executable.parent().unwrap_or(Path::new("/"))]);
        tooling.program = executable;
        Ok(())
    }

    /// Takes the project's own environment, if it is one. What it says of
    /// itself is the workspace's word: the interpreter behind it must be one of
    /// the machine's.
    fn python_environment(&self, tooling: &mut Tooling, root: &Path, environment: &Path) -> bool {
        let Ok(text) = fs::read_to_string(environment.join("pyvenv.cfg")) else {
            return false;
        };
        let home = text.lines().find_map(|line| {
            let (key, value) = line.split_once('=')?;
            (key.trim() == "home").then(|| PathBuf::from(value.trim()))
        });
        let Some(base) = home.as_deref().and_then(|bin| bin.canonicalize().ok()) else {
            return false;
        };
        let Some(prefix) = base.parent().filter(|_| !base.starts_with(root)) else {
            return false;
        };
        if !is_system(prefix) {
            let is_python = prefix.join("bin/python3").exists() && prefix.join("lib").is_dir();
            if !is_python || !self.may_show(prefix) {
                return false;
            }
            tooling.show(prefix);
        }
        // The name under which the environment's own links lead to it.
        if let Some(named) = home
            .as_deref()
            .and_then(Path::parent)
            .filter(|named| *named != prefix && self.may_show(named))
        {
            tooling.mounts.push(Mount {
                host: prefix.to_owned(),
                inside: named.to_owned(),
                access: Access::ReadOnly,
            });
        }
        // It is shown with all else that is installed in the workspace.
        tooling.set("VIRTUAL_ENV", environment);
        tooling.path(&[&environment.join("bin")]);
        tooling.program = environment.join("bin/python3");
        true
    }

    fn node(&self, tooling: &mut Tooling, root: &Path, step: &Step) -> Result<(), String> {
        let node = self.find("node", root)?;
        self.show_program(tooling, &node);
        let mut path = vec![node.parent().unwrap_or(Path::new("/")).to_owned()];
        tooling.program = if step.program.contains('/') {
            // A package's program; only the sandbox runs it.
            root.join(&step.folder).join(&step.program)
        } else {
            let program = self.find(&step.program, root)?;
            self.show_program(tooling, &program);
            path.extend(program.parent().map(Path::to_owned));
            program
        };
        tooling.set("npm_config_update_notifier", "false");
        tooling.set("npm_config_cache", "/tmp/npm");
        let path: Vec<&Path> = path.iter().map(PathBuf::as_path).collect();
        tooling.path(&path);
        Ok(())
    }

    fn go(&self, tooling: &mut Tooling, root: &Path, cache: &Path) -> Result<(), String> {
        let go = self.find("go", root)?;
        self.show_program(tooling, &go);
        let modules = self.go_path.join("pkg/mod");
        tooling.show(&modules);
        tooling.set("GOMODCACHE", &modules);
        let built = tooling.cache(cache, "go");
        tooling.set("GOCACHE", built);
        for (name, value) in [
            ("GOPROXY", "off"),
            ("GOTOOLCHAIN", "local"),
            ("GOFLAGS", "-buildvcs=false"),
        ] {
            tooling.set(name, value);
        }
        tooling.path(&[go.parent().unwrap_or(Path::new("/"))]);
        tooling.program = go;
        Ok(())
    }

    /// A program on PATH, outside the workspace.
    fn find(&self, name: &str, root: &Path) -> Result<PathBuf, String> {
        self.candidates(name, root).next().ok_or_else(|| missing(name))
    }

    fn candidates<'a>(&'a self, name: &'a str, root: &'a Path) -> impl Iterator<Item = PathBuf> + 'a {
        programs::on_path(&self.path, name.as_ref()).filter(move |program| {
            let real = program.canonicalize();
            real.is_ok_and(|real| !real.starts_with(root) && !program.starts_with(root))
        })
    }

    /// Shows a program with the installation that it belongs to.
    fn show_program(&self, tooling: &mut Tooling, program: &Path) {
        let real = program.canonicalize().unwrap_or_else(|_| program.to_owned());
        for path in [program, &real] {
            if is_system(path) {
                continue;
            }
            let installation = path.parent().and_then(Path::parent);
            match installation.filter(|folder| self.may_show(folder)) {
                Some(folder) => tooling.show(folder),
                None => tooling.show(path),
            }
        }
    }

    /// Whether a folder may be shown whole: not the home or a folder above it,
    /// and not the one in a home where everything is kept.
    fn may_show(&self, folder: &Path) -> bool {
        !is_system(folder) && !self.home.starts_with(folder) && folder != self.home.join(".local")
    }
}

impl Tooling {
    fn set(&mut self, name: &str, value: impl Into<OsString>) {
        self.environment.push((name.into(), value.into()));
    }

    /// Shows a file or folder where it is; one that is missing is left out.
    fn show(&mut self, path: &Path) {
        let known = self.mounts.iter().any(|mount| mount.inside == path);
        if !known && !is_system(path) && path.exists() {
            self.mounts.push(Mount {
                host: path.to_owned(),
                inside: path.to_owned(),
                access: Access::ReadOnly,
            });
        }
    }

    /// A folder that is written and outlives the sandbox.
    fn cache(&mut self, cache: &Path, name: &str) -> PathBuf {
        let inside = Path::new(CACHE).join(name);
        self.mounts.push(Mount {
            host: cache.join(name),
            inside: inside.clone(),
            access: Access::ReadWrite,
        });
        inside
    }

    fn path(&mut self, folders: &[&Path]) {
        let system = ["/usr/local/bin", "/usr/bin", "/bin"].map(Path::new);
        let all = folders.iter().copied().chain(system);
        if let Ok(path) = env::join_paths(all) {
            self.set("PATH", path);
        }
    }
}

fn missing(name: &str) -> String {
    format!("{name} is not installed, or not on PATH")
}

/// What a Python says of itself: its program, its prefix and the one behind it.
fn interpreter(python: &Path) -> Option<(PathBuf, [PathBuf; 2])> {
    let script = "import sys; print(sys.executable, sys.prefix, sys.base_prefix, sep='\\n')";
    let mut command = Command::new(python);
    command.args(["-I", "-c", script]).current_dir("/");
    let output = process::run(&mut command, None, ASK_TIMEOUT, ANSWER_BYTES_MAX).ok()?;
    let text = String::from_utf8(output.stdout)
        .ok()
        .filter(|_| output.code == Some(0))?;
    let mut lines = text.lines().map(PathBuf::from);
    Some((lines.next()?, [lines.next()?, lines.next()?]))
}

fn is_system(path: &Path) -> bool {
    SYSTEM.iter().any(|system| path.starts_with(system))
}
