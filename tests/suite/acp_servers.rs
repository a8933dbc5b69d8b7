//! Which servers of tools a client may bring, and what it is told of that.

use std::fs;

use serde_json::{Value, json};

use crate::{
    acp_client::{Acp, wire::Transport},
    world::{SCRIPT, World, until},
};

/// What a client in this version is told at the beginning, and when it brings a
/// program and when it brings an address: the code of an error.
async fn told(world: &World, transport: Transport, version: u32) -> (Value, [Option<Value>; 2]) {
    let mut acp = match version {
        1 => Acp::over(transport, world).await,
        _ => Acp::two(transport, world, json!({})).await,
    };
    let offered = match version {
        1 => acp.hello["agentCapabilities"]["mcpCapabilities"].clone(),
        _ => acp.hello["capabilities"]["session"]["mcp"].clone(),
    };
    let mut program = json!({ "name": "p", "command": "/bin/true", "args": [], "env": [] });
    if version > 1 {
        program["type"] = "stdio".into();
    }
    let address = json!({ "type": "http", "name": "a", "url": "http://127.0.0.1:9/mcp", "headers": [] });
    let mut codes = Vec::new();
    for server in [program, address] {
        let new = json!({ "cwd": world.repo(), "mcpServers": [server] });
        let made = acp.call("session/new", new).await;
        if let Some(error) = made.get("error") {
            assert_eq!(error["code"], -32602, "{made}");
            let message = error["data"]["message"].as_str().unwrap();
            assert!(message.contains("mcp: { client_servers: all }"), "{message}");
        }
        codes.push(made.get("error").map(|error| error["data"]["code"].clone()));
    }
    (offered, codes.try_into().unwrap())
}

#[tokio::test]
async fn a_client_brings_what_it_may() {
    let check = async |transport: Transport, word: &str, offered: [Value; 2], codes: [Option<&str>; 2]| {
        let mut world = World::prepared(SCRIPT).await;
        world.configure(word);
        if transport != Transport::Alone {
            world.start().await;
        }
        let codes = codes.map(|code| code.map(Value::from));
        for (version, offered) in [1, 2].into_iter().zip(offered) {
            let told = told(&world, transport, version).await;
            assert_eq!(told, (offered, codes.clone()), "{word} {version}");
        }
    };
    let (yes, no) = (
        json!({ "http": true, "sse": false }),
        json!({ "http": false, "sse": false }),
    );
    let refused = Some("E2008");
    let both = || json!({ "http": {}, "stdio": {} });
    for transport in [Transport::Socket, Transport::Alone] {
        check(transport, "", [yes.clone(), both()], [None, None]).await;
    }
    let all = "mcp: { client_servers: all }\n";
    check(Transport::Joined, all, [yes.clone(), both()], [None, None]).await;
    let http = "mcp: { client_servers: http }\n";
    check(
        Transport::Joined,
        http,
        [yes, json!({ "http": {} })],
        [refused, None],
    )
    .await;
    let none = "mcp: { client_servers: none }\n";
    check(Transport::Alone, none, [no, Value::Null], [refused, refused]).await;
}

#[tokio::test]
async fn a_session_is_not_come_back_to_with_what_is_refused() {
    let mut world = World::prepared(SCRIPT).await;
    world.configure("mcp: { client_servers: http }\n");
    world.start().await;
    let mut acp = Acp::connect(&world).await;
    let session = acp.session(&world).await;
    let program = json!({ "name": "p", "command": "/bin/true", "args": [], "env": [] });
    for method in ["session/load", "session/resume", "session/fork"] {
        let params = json!({ "sessionId": session, "cwd": world.repo(), "mcpServers": [program] });
        let refused = acp.call(method, params).await;
        assert_eq!(refused["error"]["data"]["code"], "E2008", "{method}: {refused}");
        let back = acp.go_to(method, &world, &session).await;
        assert!(back["result"].is_object(), "{method}: {back}");
    }
}

/// What a backend that can be reached from other machines offers, and its log.
async fn beyond(config: &str) -> (Value, String) {
    let world = World::prepared(SCRIPT).await;
    let (file, port_file, log) = (world.path("beyond.yaml"), world.path("port"), world.path("log"));
    fs::write(&file, format!("auth_token: sesame\n{config}")).unwrap();
    let mut command = world.backend();
    command.arg("--config").arg(&file);
    command
        .args(["serve", "--listen", "0.0.0.0:0", "--port-file"])
        .arg(&port_file)
        .stderr(fs::File::create(&log).unwrap());
    let mut command = tokio::process::Command::from(command);
    let mut backend = command.kill_on_drop(true).spawn().unwrap();
    let address = until("the backend", || fs::read_to_string(&port_file).ok()).await;
    let port = address.rsplit(':').next().unwrap().to_owned();
    let hello = json!({
        "jsonrpc": "2.0", "id": 1, "method": "initialize",
        "params": { "protocolVersion": 2, "info": { "name": "tests", "version": "1" }, "capabilities": {} },
    });
    let answer = reqwest::Client::builder().no_proxy().build().unwrap();
    let answer = answer
        .post(format!("http://127.0.0.1:{port}/acp"))
        .bearer_auth("sesame")
        .header("accept", "application/json, text/event-stream")
        .json(&hello)
        .send()
        .await
        .unwrap();
    let mut answer: Value = answer.json().await.unwrap();
    backend.kill().await.unwrap();
    let doctor = world
        .backend()
        .arg("--config")
        .arg(&file)
        .arg("doctor")
        .env("AGENTIC_IDE_LISTEN", "0.0.0.0:8000")
        .current_dir(world.repo())
        .output()
        .unwrap();
    let said = [fs::read(&log).unwrap(), doctor.stdout].concat();
    let said = String::from_utf8(said).unwrap();
    (answer["result"]["capabilities"]["session"]["mcp"].take(), said)
}

#[tokio::test]
async fn clients_of_other_machines_run_no_programs_here_unless_they_are_meant_to() {
    let (offered, said) = beyond("").await;
    assert_eq!(offered, json!({ "http": {} }));
    assert!(said.contains("client_servers=http"), "{said}");
    assert!(!said.contains("whoever has the token"), "{said}");
    assert!(
        said.contains("✓ tools: clients may bring MCP servers by their address"),
        "{said}"
    );

    let (offered, said) = beyond("mcp: { client_servers: all }\n").await;
    assert_eq!(offered, json!({ "http": {}, "stdio": {} }));
    assert!(
        said.contains("whoever has the token can run programs here"),
        "{said}"
    );
    assert!(said.contains("! tools: clients may bring MCP servers"), "{said}");
}
