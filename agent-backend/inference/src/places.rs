//! Where models and the ONNX Runtime library may be on a machine. Reads folders,
//! but no environment: the variables come from the caller.

use std::{
    cmp::Reverse,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
};

use crate::{Error, Model};

/// Folders that distributions and nixpkgs put libraries into.
const LIBRARY_FOLDERS: [&str; 8] = [
    "/usr/lib",
    "/usr/lib64",
    "/usr/local/lib",
    "/usr/lib/x86_64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu",
    "/opt/onnxruntime/lib",
    "/opt/homebrew/lib",
    "/run/current-system/sw/lib",
];

/// The machine as the environment describes it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Places {
    /// The hub's cache, first match first.
    hub: Vec<PathBuf>,
    /// The library itself, as `ORT_DYLIB_PATH` names it.
    library: Option<PathBuf>,
    /// Folders that may hold the library.
    library_folders: Vec<PathBuf>,
}

impl Places {
    /// The places that variables name and the usual ones. `variable` is asked
    /// as `std::env::var_os` is.
    pub fn new(variable: impl Fn(&str) -> Option<OsString>) -> Self {
        let path = |name: &str| {
            variable(name)
                .filter(|value| !value.is_empty())
                .map(PathBuf::from)
        };
        let home = path("HOME");
        let mut hub = Vec::new();
        hub.extend(path("HF_HUB_CACHE"));
        hub.extend(path("HF_HOME").map(|folder| folder.join("hub")));
        hub.extend(path("XDG_CACHE_HOME").map(|folder| folder.join("huggingface/hub")));
        hub.extend(home.as_ref().map(|home| home.join(".cache/huggingface/hub")));

        let mut folders = Vec::new();
        folders.extend(path("VIRTUAL_ENV"));
        for name in ["LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "NIX_LD_LIBRARY_PATH"] {
            folders.extend(
                variable(name)
                    .iter()
                    .flat_map(std::env::split_paths)
                    .filter(|folder| folder.is_absolute()),
            );
        }
        folders.extend(LIBRARY_FOLDERS.map(PathBuf::from));
        if let Some(home) = home {
            folders.push(home.join(".nix-profile/lib"));
            folders.push(home.join(".local"));
        }
        Self {
            hub,
            library: path("ORT_DYLIB_PATH"),
            library_folders: folders,
        }
    }

    /// The same, with another folder laid out as the hub's cache, the last one
    /// looked into.
    pub fn with_hub(mut self, folder: PathBuf) -> Self {
        self.hub.push(folder);
        self
    }

    /// Whether there is an ONNX Runtime library; `given` goes before
    /// everything else.
    pub fn has_library(&self, given: Option<&Path>) -> bool {
        self.library(given).is_ok()
    }

    /// The folder of a model.
    pub(crate) fn model(&self, model: &Model) -> Result<PathBuf, Error> {
        match model {
            Model::Folder(folder) if folder.is_dir() => Ok(folder.clone()),
            Model::Folder(folder) => Err(Error::missing(folder, "it is no folder")),
            Model::Hub(name) => self.cached(name),
        }
    }

    /// A model's folder in the hub's cache: `models--owner--name/snapshots/COMMIT`.
    fn cached(&self, name: &str) -> Result<PathBuf, Error> {
        let (repository, revision) = name.split_once('@').unwrap_or((name, "main"));
        let folder = format!("models--{}", repository.replace('/', "--"));
        for cache in &self.hub {
            let model = cache.join(&folder);
            let commit = fs::read_to_string(model.join("refs").join(revision)).map_or_else(
                |_no_such_branch| revision.to_owned(),
                |text| text.trim().to_owned(),
            );
            let snapshot = model.join("snapshots").join(commit);
            if snapshot.is_dir() {
                return Ok(snapshot);
            }
        }
        let looked: Vec<String> = self
            .hub
            .iter()
            .map(|cache| cache.join(&folder).display().to_string())
            .collect();
        Err(Error::Missing {
            place: name.to_owned(),
            reason: format!("looked for {}", looked.join(", ")),
        })
    }

    /// The ONNX Runtime library; `given` goes before everything else, and
    /// nothing else is tried if it holds none.
    pub(crate) fn library(&self, given: Option<&Path>) -> Result<PathBuf, Error> {
        if let Some(given) = given {
            return library_at(given).ok_or_else(|| Error::Library {
                reason: format!("{} holds no {}", given.display(), file_name()),
            });
        }
        let named = self.library.as_deref().and_then(library_at);
        named
            .or_else(|| self.library_folders.iter().find_map(|folder| library_at(folder)))
            .ok_or_else(|| Error::Library {
                reason: format!(
                    "no {} was found; name it in the configuration or in ORT_DYLIB_PATH",
                    file_name()
                ),
            })
    }
}

fn file_name() -> String {
    use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
    format!("{DLL_PREFIX}onnxruntime{DLL_SUFFIX}")
}

/// The library at `path`, which is the file itself or a folder: of libraries,
/// of Python packages, or a Python environment.
fn library_at(path: &Path) -> Option<PathBuf> {
    if path.is_file() {
        return Some(path.to_owned());
    }
    let mut folders = vec![
        path.to_owned(),
        path.join("onnxruntime/capi"),
        path.join("lib"),
        path.join("Lib/site-packages/onnxruntime/capi"),
    ];
    for library in ["lib", "lib64"] {
        let pythons = entries(&path.join(library));
        folders.extend(
            pythons
                .into_iter()
                .map(|python| python.join("site-packages/onnxruntime/capi")),
        );
    }
    folders.iter().find_map(|folder| newest(folder))
}

/// The library with the highest version among the files of a folder.
fn newest(folder: &Path) -> Option<PathBuf> {
    let wanted = file_name();
    let mut found: Vec<(Vec<u32>, PathBuf)> = entries(folder)
        .into_iter()
        .filter_map(|file| {
            let name = file.file_name()?.to_str()?;
            let version = name.strip_prefix(&wanted)?;
            let parts = version.split('.').filter(|part| !part.is_empty());
            let version = parts.map(str::parse).collect::<Result<_, _>>().ok()?;
            file.is_file().then_some((version, file))
        })
        .collect();
    found.sort_by_key(|(version, _)| Reverse(version.clone()));
    found.into_iter().next().map(|(_, file)| file)
}

/// The entries of a folder in order of their names; none if it cannot be read.
fn entries(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .collect();
    paths.sort();
    paths
}

#[cfg(test)]
mod tests {
    use tempfile::tempdir;

    use super::*;

    fn touch(path: &Path) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "").unwrap();
    }

    fn machine(variables: &[(&str, &Path)]) -> Places {
        let mut places = Places::new(|name| {
            let value = variables.iter().find(|(variable, _)| *variable == name);
            value.map(|(_, path)| path.as_os_str().to_owned())
        });
        // The tests must not see the machine they run on.
        places
            .library_folders
            .retain(|folder| variables.iter().any(|(_, path)| folder.starts_with(path)));
        places
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn libraries() {
        let dir = tempdir().unwrap();
        let root = dir.path();
        let wheel = root.join("venv/lib/python3.11/site-packages/onnxruntime/capi");
        touch(&wheel.join("libonnxruntime.so.1.9.0"));
        touch(&wheel.join("libonnxruntime.so.1.31.1"));
        touch(&wheel.join("libonnxruntime_providers_shared.so"));
        touch(&root.join("system/libonnxruntime.so"));
        fs::create_dir(root.join("empty")).unwrap();
        let newest = wheel.join("libonnxruntime.so.1.31.1");

        let check = |given: Option<&str>, variables: &[(&str, &Path)], expect: Option<&Path>| {
            let given = given.map(|path| root.join(path));
            let found = machine(variables).library(given.as_deref()).ok();
            assert_eq!(found.as_deref(), expect);
        };
        let system = root.join("system/libonnxruntime.so");
        let (venv, folder) = (root.join("venv"), root.join("system"));
        check(Some("venv"), &[], Some(&newest));
        check(Some("venv/lib/python3.11/site-packages"), &[], Some(&newest));
        check(Some("system/libonnxruntime.so"), &[], Some(&system));
        check(None, &[("ORT_DYLIB_PATH", &system)], Some(&system));
        check(None, &[("VIRTUAL_ENV", &venv)], Some(&newest));
        check(None, &[("LD_LIBRARY_PATH", &folder)], Some(&system));
        // What the person names is not replaced by something else in silence.
        check(Some("empty"), &[("LD_LIBRARY_PATH", &folder)], None);
        check(None, &[], None);
    }

    #[test]
    fn models_in_the_cache_of_the_hub() {
        let dir = tempdir().unwrap();
        let root = dir.path();
        let model = root.join("hub/models--o--m");
        touch(&model.join("snapshots/abc/config.json"));
        touch(&model.join("snapshots/def/config.json"));
        fs::create_dir_all(model.join("refs")).unwrap();
        fs::write(model.join("refs/main"), "abc\n").unwrap();
        let places = machine(&[("HF_HOME", root)]);
        let check = |name: &str, expect: Option<&str>| {
            let found = places.model(&Model::Hub(name.to_owned())).ok();
            assert_eq!(found, expect.map(|commit| model.join("snapshots").join(commit)));
        };
        check("o/m", Some("abc"));
        check("o/m@def", Some("def"));
        check("o/m@nope", None);
        check("o/other", None);
    }
}
