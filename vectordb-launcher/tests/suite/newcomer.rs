//! What somebody meets who starts the launcher for the first time, or on
//! something that does not fit: each message says what and where, and what to do.

use std::{fs, net::TcpListener, process::Command};

use tempfile::tempdir;

use crate::support::{Launcher, PROGRAM, Start};

/// Starts it with `file` as its configuration.
fn with_config(text: &str) -> (i32, String, String) {
    let folder = tempdir().unwrap();
    let file = folder.path().join("vectordb.yaml");
    fs::write(&file, text).unwrap();
    let (status, told) = Start::new(folder.path()).arg("--config").arg(&file).fails();
    (status, told, file.display().to_string())
}

#[test]
fn a_bad_configuration_file_is_shown_by_line_and_column() {
    let check = |text: &str, words: &[&str]| {
        let (status, told, file) = with_config(text);
        assert_eq!(status, 2, "{told}");
        for word in words.iter().copied().chain([&*file, "E1604"]) {
            assert!(told.contains(word), "{word} is not in: {told}");
        }
    };
    check("host: 127.0.0.1\nhttp_port: [\n", &["line 2 column 12"]);
    check("log: info\nhttp_prot: 1\n", &["http_prot", "line 2 column 1"]);
    check("log: info\nhttp_port: many\n", &["line 2 column 12"]);
    check("http_port: 70000\n", &["line 1 column 12"]);
    check("host: localhost\n", &["IP address", "line 1 column 7"]);
}

#[test]
fn a_bad_variable_is_named() {
    let folder = tempdir().unwrap();
    let (status, told) = Start::new(folder.path())
        .env("AGENTIC_IDE_VECTORDB_LOG_FORMAT", "colourful")
        .fails();
    assert_eq!(status, 2);
    assert!(
        told.contains("E1604") && told.to_lowercase().contains("log_format"),
        "{told}"
    );
}

#[test]
fn every_port_in_use_names_its_option() {
    let held = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = held.local_addr().unwrap().port();
    for taken in ["http", "grpc", "control"] {
        let folder = tempdir().unwrap();
        let mut command = Command::new(PROGRAM);
        command.env_clear().env("HOME", folder.path()).arg("--embedded");
        for option in ["http", "grpc", "control"] {
            let port = if option == taken { port } else { 0 };
            command.arg(format!("--{option}-port={port}"));
        }
        let output = command.output().unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{told}");
        let holder = format!("(pid {})", std::process::id());
        for word in ["E1602", &holder, &format!("--{taken}-port")] {
            assert!(told.contains(word), "{word} is not in: {told}");
        }
    }
}

#[test]
fn a_data_directory_that_cannot_be_one() {
    let folder = tempdir().unwrap();
    let file = folder.path().join("data");
    fs::write(&file, "").unwrap();
    for mode in [vec!["--embedded"], vec!["--qdrant", PROGRAM]] {
        let start = mode
            .iter()
            .fold(Start::new(folder.path()), |start, arg| start.arg(arg));
        let (status, told) = start.fails();
        assert_eq!(status, 1, "{told}");
        let path = file.display().to_string();
        assert!(told.contains("E1603") && told.contains(&path), "{told}");
    }
}

#[test]
fn a_directory_of_a_newer_version_is_left_alone() {
    let folder = tempdir().unwrap();
    let data = folder.path().join("data/embedded");
    fs::create_dir_all(data.join("collections")).unwrap();
    let index = r#"{"format": 99, "shelves": {}}"#;
    fs::write(data.join("store.json"), index).unwrap();
    let (status, told) = Start::new(folder.path()).arg("--embedded").fails();
    assert_eq!(status, 1);
    assert!(
        told.contains("E1603") && told.contains("newer") && told.contains("99"),
        "{told}"
    );
    assert_eq!(fs::read_to_string(data.join("store.json")).unwrap(), index);
}

#[test]
fn two_launchers_on_one_directory() {
    let folder = tempdir().unwrap();
    let first = Launcher::embedded(folder.path());
    let (status, told) = Start::new(folder.path()).arg("--embedded").fails();
    assert_eq!(status, 1);
    let holder = format!("(pid {})", first.pid());
    assert!(
        told.contains("E1603") && told.contains(&holder) && told.contains("data/embedded"),
        "{told}"
    );
}

#[test]
fn an_open_address_needs_a_key_in_every_mode() {
    for mode in [
        vec!["--embedded"],
        vec!["--qdrant", PROGRAM],
        vec!["--url", "http://127.0.0.1:9"],
    ] {
        let folder = tempdir().unwrap();
        let start = Start::new(folder.path()).arg("--host").arg("0.0.0.0");
        let (status, told) = mode.iter().fold(start, |start, arg| start.arg(arg)).fails();
        assert_eq!(status, 2, "{told}");
        assert!(told.contains("E1015") && told.contains("--api-key"), "{told}");
    }
}

/// A file that is no program is refused before anything is started.
#[test]
fn a_qdrant_that_is_no_program() {
    let folder = tempdir().unwrap();
    let file = folder.path().join("qdrant");
    fs::write(&file, "").unwrap();
    let (status, told) = Start::new(folder.path()).arg("--qdrant").arg(&file).fails();
    assert_eq!(status, 1);
    let path = file.display().to_string();
    assert!(
        told.contains("E1601") && told.contains(&path) && told.contains("no program"),
        "{told}"
    );
}

/// Somebody mistyped the address: the reason is in the log at once.
#[test]
fn an_address_where_nobody_answers_is_told_at_once() {
    let folder = tempdir().unwrap();
    let closed = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", closed.local_addr().unwrap());
    drop(closed);
    let launcher = Start::new(folder.path()).arg("--url").arg(url).running();
    let line = launcher.wait_for("Qdrant is not ready");
    assert!(line.contains("refused"), "{line}");
}
