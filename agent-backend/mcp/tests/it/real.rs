//! The protocol's official server for Python, where `cargo xtask test` has
//! installed it.

use std::{
    collections::BTreeMap,
    env,
    net::{TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use mcp::{Server, Source, Toolbox, Transport};
use serde_json::json;

use crate::support::{Desk, LONG, call, names, object, problems, program, until};

const FIXTURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/server.py");

/// The interpreter that has the package; none where it is not installed.
fn python() -> Option<PathBuf> {
    // Said by `cargo xtask test`, which installs it.
    env::var_os("AGENTIC_IDE_MCP_PYTHON").map(PathBuf::from)
}

/// What each transport must give.
async fn check(toolbox: &Toolbox) {
    assert_eq!(names(toolbox), ["py__add", "py__fail"]);
    assert_eq!(
        problems(toolbox),
        [
            "E2004 py: 1 tool is not offered, as the server does not say that they only read: `write`. To allow \
             them, name them under `mcp_servers: py: allow:` in backend.yaml"
        ]
    );
    let add = &toolbox.offered(&[])[0];
    assert_eq!(
        (add.description.as_str(), add.read_only),
        ("Adds two numbers.", true)
    );
    assert_eq!(add.schema["required"], json!(["a", "b"]));
    let sum = toolbox
        .call("py__add", object(&json!({"a": 20, "b": 22})))
        .await
        .unwrap();
    assert_eq!((sum.text.as_str(), sum.is_error), ("42", false));
    let wrong = toolbox.call("py__add", object(&json!({"a": "x"}))).await.unwrap();
    assert!(wrong.is_error, "{}", wrong.text);
    let failed = call(toolbox, "py__fail").await.unwrap();
    assert!(failed.starts_with("error: Error executing tool fail"), "{failed}");
    let refused = call(toolbox, "py__write").await;
    assert_eq!(refused, Err("E2003: there is no tool `py__write`".to_owned()));
}

#[tokio::test]
async fn over_standard_input_and_output() {
    let Some(python) = python() else { return };
    let desk = Desk::new();
    let toolbox = desk.open(vec![program("py", python, &[FIXTURE, "stdio"])]).await;
    check(&toolbox).await;
}

/// A server over HTTP, ended when dropped.
struct Web {
    child: Child,
    url: String,
}

impl Drop for Web {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

async fn serve(python: PathBuf) -> Web {
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let child = Command::new(python)
        .args([FIXTURE, "http", &port.to_string(), "hunter2"])
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    let url = format!("http://127.0.0.1:{port}/mcp");
    let web = Web { child, url };
    until(|| TcpStream::connect(("127.0.0.1", port)).is_ok()).await;
    web
}

fn http(url: &str, token: &str) -> Server {
    let transport = Transport::Http {
        url: url.to_owned(),
        headers: BTreeMap::from([("Authorization".to_owned(), format!("Bearer {token}"))]),
    };
    Server {
        timeout: LONG,
        ..Server::new("py", transport, Source::Configuration)
    }
}

#[tokio::test]
async fn over_http() {
    let Some(python) = python() else { return };
    let desk = Desk::new();
    let web = serve(python).await;
    let toolbox = desk.open(vec![http(&web.url, "hunter2")]).await;
    check(&toolbox).await;
    let toolbox = desk.open(vec![http(&web.url, "hunter3")]).await;
    let told = problems(&toolbox);
    assert!(
        told[0].starts_with("E2001 py: ") && told[0].contains("401"),
        "{told:?}"
    );
    drop(web);
}

#[tokio::test]
async fn nobody_at_an_address_is_said() {
    let desk = Desk::new();
    let toolbox = desk.open(vec![http("http://127.0.0.1:9/mcp", "x")]).await;
    let told = problems(&toolbox);
    assert!(told[0].contains("Connection refused"), "{told:?}");
    let mut none = http("ftp://example.org", "x");
    assert_eq!(
        problems(&desk.open(vec![none.clone()]).await),
        ["E2005 py: the MCP server `py` cannot be used: its url must begin with http:// or https://"]
    );
    none.transport = Transport::Http {
        url: "http://example.org".to_owned(),
        headers: BTreeMap::from([("X".to_owned(), "hunter2\n".to_owned())]),
    };
    assert_eq!(
        problems(&desk.open(vec![none]).await),
        ["E2005 py: the MCP server `py` cannot be used: the header X holds characters that none has"]
    );
}
