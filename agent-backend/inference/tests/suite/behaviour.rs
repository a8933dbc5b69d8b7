//! What happens with models that are not as they should be.

use std::{fs, path::Path};

use inference::{Embedder, Error, Model, Options, Reranker, Runtime};
use serde_json::json;
use shared::error::{Class, Code};
use tempfile::{TempDir, tempdir};

use crate::environment::{environment, minilm, nowhere, options, run};

fn tiny(kind: &str) -> Option<TempDir> {
    environment()?;
    let dir = tempdir().unwrap();
    run(
        "reference.py",
        &["tiny", dir.path().to_str().unwrap(), kind],
        &json!(null),
    );
    Some(dir)
}

fn refusal(folder: &Path, runtime: Runtime) -> Error {
    let error = Embedder::load(&options(folder, runtime), &nowhere()).unwrap_err();
    assert_eq!(
        (error.class(), error.code()),
        (Class::User, Code::LocalModelUnusable),
        "{error}"
    );
    error
}

#[test]
fn a_folder_that_is_not_there_is_named() {
    let error =
        Embedder::load(&Options::new(Model::Folder("/no/such/model".into())), &nowhere()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "there is no model at /no/such/model: it is no folder"
    );
    let error = Embedder::load(&Options::new(Model::Hub("o/m".into())), &nowhere()).unwrap_err();
    assert_eq!(error.code(), Code::LocalModelUnusable);
}

#[test]
fn broken_files_are_named() {
    let check = |kind: &str, break_it: &dyn Fn(&Path), expect: &str| {
        let Some(dir) = tiny(kind) else { return };
        break_it(dir.path());
        let error = refusal(dir.path(), Runtime::Native).to_string();
        assert!(error.contains(expect), "{error}");
    };
    let write = |name: &'static str, text: &'static str| {
        move |folder: &Path| fs::write(folder.join(name), text).unwrap()
    };
    let remove = |name: &'static str| move |folder: &Path| fs::remove_file(folder.join(name)).unwrap();
    let edit = |from: &'static str, to: &'static str| {
        move |folder: &Path| {
            let path = folder.join("config.json");
            let text = fs::read_to_string(&path).unwrap();
            assert!(text.contains(from), "{text}");
            fs::write(path, text.replace(from, to)).unwrap();
        }
    };
    let halve = |folder: &Path| {
        let path = folder.join("model.safetensors");
        let bytes = fs::read(&path).unwrap();
        fs::write(path, &bytes[..bytes.len() / 2]).unwrap();
    };
    check("bert", &remove("config.json"), "it has no config.json");
    check("bert", &remove("tokenizer.json"), "it has no tokenizer.json");
    check(
        "bert",
        &remove("model.safetensors"),
        "it has no model.safetensors",
    );
    check("bert", &write("tokenizer.json", "{}"), "tokenizer.json");
    check("bert", &write("config.json", "{"), "config.json: EOF");
    check("bert", &write("model.safetensors", "x"), "model.safetensors");
    check(
        "bert",
        &write("model.safetensors", "xxxxxxxxx"),
        "it is no safetensors file",
    );
    check("bert", &halve, "cannot be read");
    check(
        "bert",
        &edit("\"bert\"", "\"deberta\""),
        "its model_type is deberta",
    );
    check("bert", &edit("\"gelu\"", "\"mish\""), "the activation mish");
    check(
        "bert",
        &edit("\"hidden_size\": 24", "\"hidden_size\": 21"),
        "has the shape",
    );
    check(
        "bert",
        &edit("\"hidden_size\": 24", "\"hidden_size\": 25"),
        "cannot be shared by 3 heads",
    );
    check(
        "bert",
        &edit("\"hidden_size\": 24", "\"hidden_size\": 0"),
        "no hidden size",
    );
    check(
        "bert",
        &edit("\"num_hidden_layers\": 3", "\"num_hidden_layers\": 4"),
        "encoder.layer.3",
    );
    check(
        "nomic",
        &edit("\"prenorm\": false", "\"prenorm\": true"),
        "this kind of NomicBERT",
    );
}

#[test]
fn without_onnx_our_own_runtime_does_it_and_says_why() {
    let Some(dir) = tiny("nomic") else { return };
    let embedder = Embedder::load(&options(dir.path(), Runtime::Auto), &nowhere()).unwrap();
    assert_eq!(embedder.info().runtime, Runtime::Native);
    let reason = embedder.info().without_onnx.clone().unwrap();
    assert!(reason.contains("it has no onnx/model.onnx"), "{reason}");
}

#[test]
fn onnx_is_taken_where_it_is_and_never_replaced_if_it_was_named() {
    if environment().is_none() {
        return;
    }
    let folder = minilm();
    let embedder = Embedder::load(&options(&folder, Runtime::Auto), &nowhere()).unwrap();
    assert_eq!(embedder.info().runtime, Runtime::Onnx);
    for runtime in [Runtime::Auto, Runtime::Onnx] {
        let wrong = Options {
            library: Some("/no/such/library".into()),
            ..options(&folder, runtime)
        };
        let error = Embedder::load(&wrong, &nowhere()).unwrap_err();
        assert!(matches!(error, Error::Library { .. }), "{error}");
    }
}

#[test]
fn a_window_beyond_the_positions_is_refused() {
    let Some(dir) = tiny("nomic") else { return };
    let check = |tokens: usize, expect: Option<usize>| {
        let wanted = Options {
            tokens_max: Some(tokens),
            ..options(dir.path(), Runtime::Native)
        };
        let found = Embedder::load(&wanted, &nowhere());
        assert_eq!(found.map(|embedder| embedder.info().tokens_max).ok(), expect);
    };
    check(48, Some(48));
    check(49, None);
}

#[test]
fn a_model_without_a_classifier_is_no_reranker() {
    let Some(dir) = tiny("nomic") else { return };
    let error = Reranker::load(&options(dir.path(), Runtime::Native), &nowhere()).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("the tensor pooler.dense.weight is missing"),
        "{error}"
    );
}
