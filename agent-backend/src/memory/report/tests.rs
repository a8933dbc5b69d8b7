use super::*;

fn device(kind: Kind, total_mb: u64, used_mb: u64) -> Device {
    Device {
        kind,
        name: "it".to_owned(),
        total_mb,
        used_mb,
    }
}

fn gpu() -> Device {
    device(Kind::Gpu, 16_000, 4_234)
}

fn main_memory() -> Device {
    device(Kind::System, 32_000, 8_000)
}

fn model(name: &str, size_mb: u64, vram_mb: u64) -> LoadedModel {
    LoadedModel {
        name: name.to_owned(),
        vram_mb,
        size_mb,
        context_length: None,
    }
}

fn server(server: &str, is_here: bool, models: Result<Vec<LoadedModel>, models::Error>) -> ServerMemory {
    ServerMemory {
        server: server.to_owned(),
        is_here,
        models,
    }
}

fn down() -> models::Error {
    models::Error::StreamBroken {
        reason: "it is down".to_owned(),
    }
}

/// Which memory, used, total, and what takes it.
type Expect = (Room, u64, Option<u64>, &'static [(&'static str, u64)]);

fn check(devices: &[Device], servers: Vec<ServerMemory>, expect: Expect) {
    let devices = devices.to_vec();
    let report = of(Machine { devices }, vec![("p".to_owned(), servers)]);
    let components: Vec<_> = report
        .components
        .iter()
        .map(|(name, size)| (name.as_str(), *size))
        .collect();
    let found = (report.room, report.used_mb, report.total_mb, &components[..]);
    assert_eq!(found, expect);
    assert_eq!(report.components.values().sum::<u64>(), report.used_mb);
}

#[test]
fn the_memory_that_models_are_in() {
    let both = [gpu(), main_memory()];
    let on_gpu = || vec![server("a", true, Ok(vec![model("m", 4_400, 4_200)]))];
    let on_cpu = || vec![server("a", true, Ok(vec![model("m", 4_400, 0)]))];
    let others: &[_] = &[("m", 4_200), ("other", 34)];
    check(&both, on_gpu(), (Room::Gpu, 4_234, Some(16_000), others));
    // There is a GPU, and the server does not use it.
    let others: &[_] = &[("m", 4_400), ("other", 3_600)];
    check(&both, on_cpu(), (Room::System, 8_000, Some(32_000), others));
    check(
        &[main_memory()],
        on_cpu(),
        (Room::System, 8_000, Some(32_000), others),
    );
    // One that nothing tells about.
    check(
        &[main_memory()],
        on_gpu(),
        (Room::Unknown, 4_400, None, &[("m", 4_400)]),
    );
    check(&[], on_cpu(), (Room::Unknown, 4_400, None, &[("m", 4_400)]));
    // Nothing is loaded, or nobody answers: where it would be.
    let idle = || vec![server("a", true, Ok(Vec::new()))];
    check(
        &both,
        idle(),
        (Room::Gpu, 4_234, Some(16_000), &[("other", 4_234)]),
    );
    let failed = vec![server("a", true, Err(down()))];
    check(
        &[main_memory()],
        failed,
        (Room::System, 8_000, Some(32_000), &[("other", 8_000)]),
    );
    // No local server at all.
    check(
        &both,
        Vec::new(),
        (Room::Gpu, 4_234, Some(16_000), &[("other", 4_234)]),
    );
}

#[test]
fn models_that_say_more_than_the_machine() {
    let loaded = vec![server("a", true, Ok(vec![model("m", 9_000, 9_000)]))];
    check(
        &[gpu()],
        loaded,
        (Room::Gpu, 9_000, Some(16_000), &[("m", 9_000)]),
    );
}

#[test]
fn a_server_that_two_providers_share_counts_once() {
    let held = || {
        server(
            "a",
            true,
            Ok(vec![model("m", 4_000, 4_000), model("n", 200, 200)]),
        )
    };
    let components: &[_] = &[("m", 4_000), ("n", 200), ("other", 34)];
    check(
        &[gpu()],
        vec![held(), held()],
        (Room::Gpu, 4_234, Some(16_000), components),
    );
    // Two servers may hold the same.
    let two = vec![
        server("a", true, Ok(vec![model("m", 2_000, 2_000)])),
        server("b", true, Ok(vec![model("m", 2_000, 2_000)])),
    ];
    let components: &[_] = &[("m", 4_000), ("other", 234)];
    check(&[gpu()], two, (Room::Gpu, 4_234, Some(16_000), components));
}

#[test]
fn other_machines() {
    let far = || server("http://far:11434", false, Ok(vec![model("m", 4_400, 4_400)]));
    check(
        &[gpu()],
        vec![far()],
        (Room::Elsewhere, 4_400, None, &[("m", 4_400)]),
    );
    let near = server("a", true, Ok(vec![model("n", 100, 100)]));
    let machine = Machine { devices: vec![gpu()] };
    let report = of(machine, vec![("p".to_owned(), vec![far(), near])]);
    let expect = Report {
        room: Room::Gpu,
        used_mb: 4_234,
        total_mb: Some(16_000),
        components: BTreeMap::from([("n".to_owned(), 100), ("other".to_owned(), 4_134)]),
        elsewhere: BTreeMap::from([(
            "http://far:11434".to_owned(),
            BTreeMap::from([("m".to_owned(), 4_400)]),
        )]),
        devices: vec![gpu()],
        problems: Vec::new(),
    };
    assert_eq!(report, expect);
}

#[test]
fn one_that_fails_leaves_the_others() {
    let servers = vec![
        ("bad".to_owned(), vec![server("b", true, Err(down()))]),
        (
            "good".to_owned(),
            vec![server("a", true, Ok(vec![model("m", 1_000, 1_000)]))],
        ),
    ];
    let report = of(Machine { devices: vec![gpu()] }, servers);
    let problem = Problem {
        provider: "bad".to_owned(),
        code: Code::ModelStreamBroken,
        message: down().to_string(),
    };
    assert_eq!((report.used_mb, report.problems), (4_234, vec![problem]));
}

#[test]
fn percentages() {
    fn check(used_mb: u64, total_mb: Option<u64>, expect: (Option<u64>, Option<f64>)) {
        let report = Report {
            room: Room::Gpu,
            used_mb,
            total_mb,
            components: BTreeMap::new(),
            elsewhere: BTreeMap::new(),
            devices: Vec::new(),
            problems: Vec::new(),
        };
        assert_eq!((report.available_mb(), report.percentage()), expect);
    }
    check(4_234, Some(16_000), (Some(11_766), Some(26.5)));
    check(0, Some(16_000), (Some(16_000), Some(0.0)));
    check(17_000, Some(16_000), (Some(0), Some(100.0)));
    check(100, None, (None, None));
    check(100, Some(0), (Some(0), None));
}
