//! The event stream: whichever way it is read, it tells the same.

use serde_json::Value;

use crate::world::{World, assert_same, brief};

#[tokio::test]
async fn every_way_to_read_the_stream_tells_the_same() {
    let world = World::new().await;
    let id = world.submit("Add greetings").await;
    let all = world.accept(&id).await;
    let seqs: Vec<u64> = all.iter().map(|event| event["seq"].as_u64().unwrap()).collect();
    assert_eq!(
        seqs,
        (1..=seqs.len() as u64).collect::<Vec<_>>(),
        "no gap, no duplicate"
    );

    for after in [1, 5, all.len() / 2, all.len() - 1] {
        let rest = world.events(&id, after as u64, "full", |_| false).await;
        assert_same(&rest, &all[after..], &format!("after {after}"));
    }
    let mut text = String::new();
    let mut writer = Value::Null;
    for (event, delta) in all.iter().zip(world.events(&id, 0, "delta", |_| false).await) {
        let mut full = event.clone();
        full.as_object_mut().unwrap().remove("partial_result");
        assert_eq!(full, delta);
        if event["type"] == "agent_streaming_update" {
            if writer != event["stage_id"] {
                text.clear();
                writer = event["stage_id"].clone();
            }
            assert_eq!(event["offset"], text.chars().count());
            text.push_str(event["delta"].as_str().unwrap());
            assert_eq!(event["partial_result"], text.as_str());
            assert_eq!(event["is_final"], !event["metrics"].is_null());
        }
    }

    let sse = |last: Option<usize>| {
        let request = reqwest::Client::builder().no_proxy().build().unwrap();
        let request = request.get(format!("{}/api/workflow/{id}/stream", world.url()));
        match last {
            Some(last) => request.header("Last-Event-ID", last.to_string()),
            None => request,
        }
    };
    let body = sse(None).send().await.unwrap().text().await.unwrap();
    assert_same(&parse_sse(&body), &all, "server-sent events");
    let body = sse(Some(7)).send().await.unwrap().text().await.unwrap();
    assert_same(&parse_sse(&body), &all[7..], "Last-Event-ID");
    let done = sse(Some(all.len())).send().await.unwrap();
    assert_eq!(done.status(), 204, "an EventSource must stop asking");

    let beyond = world.events(&id, 10_000, "full", |_| false).await;
    assert_eq!(brief(&beyond), ["resync"]);
    assert_eq!(beyond[0]["seq"], all.len());
}

fn parse_sse(body: &str) -> Vec<Value> {
    let field = |event: &str, name: &str| {
        event
            .lines()
            .find_map(|line| line.strip_prefix(name))
            .map(|value| value.trim_start().to_owned())
    };
    let events = body.split("\n\n").filter_map(|event| {
        let data: Value = serde_json::from_str(&field(event, "data:")?).unwrap();
        assert_eq!(field(event, "id:").unwrap(), data["seq"].to_string());
        Some(data)
    });
    events.collect()
}
