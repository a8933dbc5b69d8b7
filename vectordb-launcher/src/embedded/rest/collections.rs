//! The handlers of collections and aliases.

use axum::{
    Router,
    extract::{Path, State},
    response::Response,
    routing::{get, post},
};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{
    Rest, answer,
    create::{self, AliasForm, ChangeForm, NewForm},
    request::{Changing, Parameters, Payload, body, check_new_name},
};
use crate::embedded::{calls, convert::info};

/// The routes of collections and aliases.
pub fn routes() -> Router<Rest> {
    Router::new()
        .route("/collections", get(list))
        .route("/collections/aliases", post(change_aliases))
        .route(
            "/collections/{name}",
            get(one).put(make).patch(change).delete(delete),
        )
        .route("/collections/{name}/exists", get(exists))
        .route("/collections/{name}/aliases", get(aliases_of))
        .route("/aliases", get(aliases))
}

async fn list(State(rest): State<Rest>) -> Response {
    let names = rest.calls.store().names().into_iter();
    let names: Vec<Value> = names.map(|name| json!({ "name": name })).collect();
    answer(Ok(json!({ "collections": names })), Instant::now())
}

async fn one(State(rest): State<Rest>, Path(name): Path<String>) -> Response {
    let started = Instant::now();
    let found = rest.calls.run(move |store| {
        let (record, collection) = store.described(&name)?;
        info::rest_info(&record, &collection)
    });
    answer(found.await, started)
}

async fn make(
    State(rest): State<Rest>,
    Path(name): Path<String>,
    _: Parameters<Changing>,
    bytes: Payload,
) -> Response {
    let started = Instant::now();
    let made = rest.calls.run(move |store| {
        check_new_name(&name)?;
        let new = create::create(name.clone(), body::<NewForm>(bytes)?)?;
        store.create(&name, new.config, new.metadata)?;
        Ok(true)
    });
    answer(made.await, started)
}

async fn change(
    State(rest): State<Rest>,
    Path(name): Path<String>,
    _: Parameters<Changing>,
    bytes: Payload,
) -> Response {
    let started = Instant::now();
    let changed = rest.calls.run(move |store| {
        let changes = create::changes(body::<ChangeForm>(bytes)?)?;
        calls::change(store, &name, changes)?;
        Ok(true)
    });
    answer(changed.await, started)
}

async fn delete(State(rest): State<Rest>, Path(name): Path<String>, _: Parameters<Changing>) -> Response {
    let started = Instant::now();
    answer(rest.calls.run(move |store| store.delete(&name)).await, started)
}

async fn exists(State(rest): State<Rest>, Path(name): Path<String>) -> Response {
    let exists = rest.calls.store().collection(&name).is_ok();
    answer(Ok(json!({ "exists": exists })), Instant::now())
}

async fn change_aliases(State(rest): State<Rest>, _: Parameters<Changing>, bytes: Payload) -> Response {
    let started = Instant::now();
    let changed = rest.calls.run(move |store| {
        store.change_aliases(body::<AliasForm>(bytes)?.changes())?;
        Ok(true)
    });
    answer(changed.await, started)
}

async fn aliases(State(rest): State<Rest>) -> Response {
    answer(Ok(told(rest.calls.store().aliases())), Instant::now())
}

async fn aliases_of(State(rest): State<Rest>, Path(name): Path<String>) -> Response {
    let aliases = calls::aliases_of(rest.calls.store(), &name);
    answer(Ok(told(aliases)), Instant::now())
}

fn told(aliases: Vec<(String, String)>) -> Value {
    let list: Vec<Value> = aliases
        .into_iter()
        .map(|(alias, collection)| json!({"alias_name": alias, "collection_name": collection}))
        .collect();
    json!({ "aliases": list })
}
