//! The whole of it over real files and a real watch: what is embedded is
//! counted, and the index is compared with a fresh one.

mod support;

use std::fs;

use retrieval::Mode;

use self::support::World;
use super::*;

const EDITS: usize = 40;

#[tokio::test]
async fn a_change_is_found_by_the_next_question() {
    let world = World::new();
    world.fill("src", "alpha", 3);
    world.ready().await;
    assert_eq!(world.embedder.count(), 3);
    for number in 0..EDITS {
        let text = format!("def zebra_{number}():\n    return 1\n");
        world.write("src/deep/new.py", &text);
        world.settled().await;
        assert_eq!(
            world.found(&format!("zebra_{number}")).await[0],
            "src/deep/new.py"
        );
    }
    assert_eq!(world.embedder.count(), 3 + EDITS);
    fs::remove_dir_all(world.root().join("src/deep")).unwrap();
    world.settled().await;
    assert!(!world.found("zebra").await.contains(&"src/deep/new.py".to_owned()));
    world.is_as_fresh("alpha").await;
}

#[tokio::test]
async fn a_rename_embeds_nothing() {
    let world = World::new();
    world.fill("src", "alpha", 20);
    world.ready().await;
    assert_eq!(world.embedder.count(), 20);
    fs::rename(world.root().join("src"), world.root().join("lib")).unwrap();
    fs::rename(world.root().join("lib/f3.py"), world.root().join("lib/moved.py")).unwrap();
    world.settled().await;
    assert_eq!(world.found("alpha_3").await[0], "lib/moved.py");
    assert_eq!(world.embedder.count(), 20);
    world.is_as_fresh("alpha").await;
    // A copy neither.
    fs::copy(world.root().join("lib/f1.py"), world.root().join("copy.py")).unwrap();
    world.settled().await;
    assert_eq!(world.embedder.count(), 20);
    world.is_as_fresh("alpha").await;
}

#[tokio::test]
async fn a_switch_of_branches_embeds_what_is_new_and_the_way_back_nothing() {
    let world = World::new();
    world.fill("src", "alpha", 400);
    world.ready().await;
    assert_eq!(world.embedder.count(), 400);
    // 300 files differ; of 400 further ones 100 are copies of what is known.
    world.fill("src", "beta", 300);
    world.fill("more", "gamma", 300);
    world.fill("copied", "alpha", 100);
    world.settled().await;
    world.is_as_fresh("alpha").await;
    assert_eq!(world.embedder.count(), 1_000);
    world.fill("src", "alpha", 400);
    fs::remove_dir_all(world.root().join("more")).unwrap();
    fs::remove_dir_all(world.root().join("copied")).unwrap();
    world.settled().await;
    world.is_as_fresh("alpha").await;
    assert_eq!(world.embedder.count(), 1_000);
}

#[tokio::test]
async fn a_database_that_was_down_costs_nothing_and_is_noticed_when_it_is_back() {
    let world = World::new();
    world.fill("src", "alpha", 50);
    world.store.breaks_after(0);
    world.command(Command::Open).await.unwrap();
    let waiting = world.reaches(State::Waiting).await;
    assert_eq!(waiting.problem.unwrap().code, Code::VectorDbUnavailable);
    assert_eq!((waiting.files, world.embedder.count()), (50, 0));
    world.write("src/new.py", "def zebra():\n    return 1\n");
    world.indexing.settle(&world.root()).await.unwrap();
    assert_eq!(world.found("zebra").await, ["src/new.py"]);
    world.store.is_mended();
    world.reaches(State::Ready).await;
    assert_eq!(world.embedder.count(), 51);
    assert_eq!(world.ask("zebra").await.mode, Mode::Hybrid);
    world.is_as_fresh("alpha").await;
}

#[tokio::test]
async fn a_database_lost_on_the_way_and_its_data_embed_nothing_twice() {
    let world = World::new();
    world.fill("src", "alpha", 200);
    world.store.breaks_after(3);
    world.command(Command::Open).await.unwrap();
    world.reaches(State::Waiting).await;
    assert!(!world.store.inner.points().is_empty());
    world.store.is_mended();
    world.reaches(State::Ready).await;
    world.is_as_fresh("alpha").await;
    assert_eq!(world.embedder.count(), 200);
    // Somebody emptied it.
    let ids = world.store.inner.points().iter().map(|point| point.id).collect();
    retrieval::store::Store::delete(&world.store.inner, ids)
        .await
        .unwrap();
    world.command(Command::Rescan).await.unwrap();
    world.reaches(State::Indexing).await;
    world.reaches(State::Ready).await;
    world.is_as_fresh("alpha").await;
    assert_eq!(world.embedder.count(), 200);
}

#[tokio::test]
async fn paused_it_stays_paused_over_a_restart_and_goes_on_where_it_was() {
    let mut world = World::new();
    world.fill("src", "alpha", 100);
    world.ready().await;
    world.embedder.hold();
    world.fill("more", "beta", 100);
    world.reaches(State::Indexing).await;
    world.command(Command::Pause).await.unwrap();
    world.reaches(State::Paused).await;
    world.embedder.release();
    assert_eq!(world.restart(), 1);
    world.reaches(State::Paused).await;
    world.write("more/new.py", "def zebra():\n    return 1\n");
    world.indexing.settle(&world.root()).await.unwrap();
    assert_eq!(world.found("zebra").await, ["more/new.py"]);
    assert_eq!(world.embedder.count(), 100);
    world.command(Command::Resume).await.unwrap();
    world.reaches(State::Ready).await;
    assert_eq!(world.embedder.count(), 201);
    world.is_as_fresh("alpha").await;
    // What runs goes on by itself after a restart.
    world.write("more/last.py", "def yak():\n    return 1\n");
    assert_eq!(world.restart(), 1);
    world.reaches(State::Ready).await;
    world.is_as_fresh("yak").await;
    assert_eq!(world.embedder.count(), 202);
}

#[tokio::test]
async fn one_workspace_embeds_at_a_time() {
    let world = World::new();
    world.fill("one/src", "alpha", 100);
    world.fill("two/src", "beta", 100);
    let roots = [world.root().join("one"), world.root().join("two")];
    for root in &roots {
        world.indexing.command(root, Command::Open).await.unwrap();
    }
    for root in &roots {
        let (_, mut status) = world.indexing.follow(root).await.unwrap();
        status
            .wait_for(|status| status.state == State::Ready)
            .await
            .unwrap();
    }
    assert_eq!(world.embedder.count(), 200);
    assert_eq!(
        world.embedder.at_once.load(std::sync::atomic::Ordering::SeqCst),
        1
    );
    let list = world.indexing.list();
    let known: Vec<_> = list.iter().map(|index| index.workspace.clone()).collect();
    assert_eq!(known, roots);
}

#[tokio::test]
async fn what_is_deleted_is_gone_and_what_is_cancelled_stays() {
    let mut world = World::new();
    world.fill("src", "alpha", 10);
    world.ready().await;
    world.command(Command::Cancel).await.unwrap();
    assert_eq!(
        world.indexing.status(&world.root()).await.unwrap().status.state,
        State::Idle
    );
    assert_eq!(world.store.inner.points().len(), 10);
    assert_eq!(world.restart(), 0);
    world.ready().await;
    assert_eq!(world.embedder.count(), 10);
    let deleted = world.command(Command::Delete).await.unwrap();
    assert_eq!(deleted.status, Status::idle());
    assert_eq!(world.store.inner.points(), []);
    assert_eq!(world.restart(), 0);
    // The database has to be there for that, and says so.
    world.ready().await;
    world.store.breaks_after(0);
    let error = world.command(Command::Delete).await.unwrap_err();
    assert_eq!(error.code, Code::VectorDbUnavailable);
}

#[tokio::test]
async fn a_workspace_that_is_gone_can_be_deleted() {
    let world = World::new();
    world.fill("w2/src", "alpha", 5);
    let root = world.root().join("w2");
    world.indexing.command(&root, Command::Open).await.unwrap();
    let (_, mut status) = world.indexing.follow(&root).await.unwrap();
    status
        .wait_for(|status| status.state == State::Ready)
        .await
        .unwrap();
    fs::remove_dir_all(&root).unwrap();
    status
        .wait_for(|status| status.state == State::Failed)
        .await
        .unwrap();
    let error = world.indexing.command(&root, Command::Open).await.unwrap_err();
    assert_eq!(error.code, Code::WorkspaceNotADirectory);
    world.indexing.command(&root, Command::Delete).await.unwrap();
    assert_eq!(world.store.inner.points(), []);
    let unknown = world.indexing.command(&root.join("x"), Command::Delete).await;
    assert_eq!(unknown.unwrap_err().code, Code::WorkspaceNotADirectory);
}

#[tokio::test]
async fn files_that_change_while_they_are_indexed_end_right() {
    let world = World::new();
    world.fill("src", "alpha", 100);
    world.command(Command::Open).await.unwrap();
    let root = world.root();
    let writer = tokio::task::spawn_blocking(move || {
        for round in 0..600 {
            let path = root.join(format!("src/f{}.py", round % 120));
            if round % 7 == 3 {
                // It may be gone already.
                let _gone = fs::remove_file(&path);
            } else {
                fs::write(&path, format!("def beta_{round}():\n    return {round}\n")).unwrap();
            }
            if round % 50 == 0 {
                fs::write(root.join(".gitignore"), format!("f{round}.py\n")).unwrap();
            }
        }
    });
    writer.await.unwrap();
    world.settled().await;
    world.indexing.settle(&world.root()).await.unwrap();
    world.reaches(State::Ready).await;
    world.is_as_fresh("beta").await;
}

#[tokio::test]
async fn too_many_workspaces_let_the_oldest_rest() {
    let world = World::new();
    for number in 0..OPEN_MAX + 2 {
        world.fill(&format!("{number:02}/src"), "alpha", 1);
        let root = world.root().join(format!("{number:02}"));
        world.indexing.command(&root, Command::Open).await.unwrap();
        let (_, mut status) = world.indexing.follow(&root).await.unwrap();
        status
            .wait_for(|status| status.state == State::Ready)
            .await
            .unwrap();
    }
    let mut idle = Vec::new();
    for index in world.indexing.list() {
        let name = index.workspace.file_name().unwrap().to_owned();
        let (_, mut status) = world.indexing.follow(&index.workspace).await.unwrap();
        if ["00", "01"].contains(&name.to_str().unwrap()) {
            status
                .wait_for(|status| status.state == State::Idle)
                .await
                .unwrap();
        }
        if status.borrow().state == State::Idle {
            idle.push(name);
        }
    }
    assert_eq!(idle, ["00", "01"]);
}
