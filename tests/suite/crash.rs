//! Death at every durable step and at random moments, of every program: what
//! was begun ends with the same tree and the same single commit as where nobody
//! died.
//!
//! One run tells which crash points there are and how often each is passed;
//! then one workflow is run for each of them, with a backend that dies there
//! and is started again. The quick part takes some passes of each point, the
//! long one (`cargo xtask crash --long`) all of them.

mod life;

use std::collections::{BTreeMap, BTreeSet};

use futures::StreamExt as _;
use shared::crash;

use self::life::{Deaths, Life, Place, Rng};

/// Points that are passed or not, as time has it: a log that grew long, a changed
/// file that was indexed anew before the workflow ended.
const SOMETIMES: [&str; 2] = ["journal:after_checkpoint", "store:after_delete"];

/// Points of what keeps the vectors up to date.
const INDEXING: [&str; 2] = ["store:", "vectors:"];

/// Workflows that run at once.
const AT_ONCE: usize = 3;

/// Set for the long part.
const LONG: &str = "AGENTIC_IDE_CRASH_LONG";

/// Kills of each program in the long part.
const KILLS: &str = "AGENTIC_IDE_CRASH_KILLS";

/// Where the random moments begin.
const SEED: &str = "AGENTIC_IDE_CRASH_SEED";

fn is_long() -> bool {
    std::env::var_os(LONG).is_some()
}

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).map_or(default, |text| text.parse().unwrap())
}

/// Which passes of a point are tried.
fn passes(name: &str, count: u32) -> Vec<u32> {
    // Each change of the repository is another one.
    if is_long() || name.starts_with("git:") {
        return (1..=count).collect();
    }
    let mut some = vec![1, count.div_ceil(2), count];
    some.dedup();
    some
}

#[tokio::test]
async fn killed_at_every_durable_step_it_ends_like_one_that_was_not() {
    let place = Place::new().await;
    let mut life = Life::new(&place).await;
    let list = life.world.path("crash-points");
    let expect = life
        .lead(&[(crash::LIST, list.to_str().unwrap())], Deaths::default())
        .await;
    assert_eq!(life.died, 0, "nobody died");

    let mut counts: BTreeMap<String, u32> = BTreeMap::new();
    // What the workflow wrote is indexed before it ends, or after it.
    let (mut is_written, mut late) = (false, BTreeSet::new());
    for name in std::fs::read_to_string(&list).unwrap().lines() {
        let count = counts.entry(name.to_owned()).or_default();
        *count += 1;
        is_written |= name.starts_with("apply:");
        if is_written && INDEXING.iter().any(|area| name.starts_with(area)) {
            late.insert(format!("{name}:{count}"));
        }
    }
    let mut names: Vec<&str> = counts.keys().map(String::as_str).collect();
    names.retain(|name| !SOMETIMES.contains(name));
    // One that is never passed proves nothing; a new one belongs here.
    assert_eq!(
        names,
        [
            "apply:after_files",
            "apply:after_first_file",
            "apply:after_index",
            "apply:after_objects",
            "apply:after_ref",
            "apply:temporary_written",
            "git:after_change",
            "indexes:after_rename",
            "indexes:before_rename",
            "journal:after_commit",
            "journal:after_pack",
            "journal:after_text",
            "journal:after_witness",
            "journal:before_commit",
            "journal:before_pack",
            "journal:before_text",
            "runtime:after_append",
            "runtime:after_create",
            "runtime:before_actions",
            "store:after_upsert",
            "store:before_upsert",
            "vectors:after_commit",
            "vectors:before_commit",
        ]
    );
    let points: Vec<String> = counts
        .iter()
        .flat_map(|(name, count)| {
            passes(name, *count)
                .into_iter()
                .map(move |pass| format!("{name}:{pass}"))
        })
        .collect();
    let ended = futures::stream::iter(&points).map(|point| {
        let (place, expect) = (&place, &expect);
        async move {
            let mut life = Life::new(place).await;
            let end = life.lead(&[(crash::AT, point)], Deaths::default()).await;
            assert_eq!(end, *expect, "{point}");
            (point, life.died)
        }
    });
    let ended: Vec<(&String, u32)> = ended.buffer_unordered(AT_ONCE).collect().await;
    let missed: Vec<&str> = ended
        .iter()
        .filter(|(_, died)| *died == 0)
        .map(|(point, _)| point.as_str())
        .collect();
    // How often text is written, and packed, depends on time; everything else
    // does not.
    let by_time = |point: &str| {
        point.contains("text")
            || point.contains("pack")
            || point.contains("runtime")
            || SOMETIMES.iter().any(|name| point.starts_with(name))
            || late.contains(point)
    };
    assert!(
        missed.iter().all(|point| by_time(point)),
        "not passed: {missed:?}"
    );
    eprintln!("{} crash points, {} not passed again", points.len(), missed.len());
}

#[tokio::test]
async fn killed_20_times_at_random_it_ends_like_one_that_was_not() {
    let place = Place::new().await;
    let mut life = Life::new(&place).await;
    let expect = life.lead(&[], Deaths::default()).await.without_search();
    let mut random = Rng(number(SEED, 1));
    let kills = if is_long() { number(KILLS, 100) } else { 20 };
    let (mut backend, mut database, mut model) = (0, 0, 0);
    while backend < kills || is_long() && (database < kills || model < kills) {
        let seed = random.next();
        let deaths = Deaths {
            seed,
            backend: 20,
            // A search that finds no database, and a stage whose model is gone
            // too often, end otherwise, as they should.
            database: 3,
            model: 2,
        };
        let mut life = Life::own(&place).await;
        let end = life.lead(&[], deaths).await.without_search();
        assert_eq!(end, expect, "seed {seed}");
        backend += u64::from(life.died);
        database += u64::from(life.database_died);
        model += u64::from(life.model_died);
    }
    eprintln!(
        "killed at random: the backend {backend}, the database {database}, the model server {model} times"
    );
}
