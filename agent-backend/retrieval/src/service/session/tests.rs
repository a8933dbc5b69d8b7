//! The stages of a search: profiles, filters, reranking, duplicates, reasons.

use std::time::Duration;

use super::*;
use crate::embed::Embedder;
use crate::rerank::Reranker;
use crate::service::{Models, Options, Service, Stores};
use crate::store::MemoryStore;
use crate::testing::{Behaviour, FakeEmbedder, FakeReranker, workspace};

const FILES: &[(&str, &str)] = &[
    (
        "api/limiter.py",
        "class RateLimiter:\n    \"\"\"Limits the rate of requests.\"\"\"\n\n    def allow(self, user):\n        \
         \"\"\"Whether one more request of the user fits into the rate limit.\"\"\"\n        return self.count(user) < \
         self.limit\n\n    def reset(self):\n        self.counts.clear()\n",
    ),
    (
        "api/middleware.py",
        "def rate_limit_middleware(request, limiter):\n    if not limiter.allow(request.user):\n        raise \
         TooManyRequests(request.user)\n\n\ndef log_middleware(request):\n    print(request)\n",
    ),
    (
        "api/vendor/middleware.py",
        "def rate_limit_middleware(request, limiter):\n    if not limiter.allow(request.user):\n        raise \
         TooManyRequests(request.user)\n",
    ),
    ("api/config.py", "LIMITS = {'rate': 5}\n"),
    (
        "tests/test_limiter.py",
        "def test_rate_limit():\n    assert RateLimiter(1).allow('rate limit middleware')\n",
    ),
    (
        "docs/limits.md",
        "# Rate limits\n\nThe rate limit middleware counts requests.\n",
    ),
    (
        "web/limits.ts",
        "export function showRateLimit(limit: number) {\n  return `${limit}`;\n}\n",
    ),
];

const QUERY: &str = "rate limit middleware";

struct Fixture {
    dir: tempfile::TempDir,
    service: Service,
    reranker: Arc<FakeReranker>,
    files: Arc<MemoryStore>,
}

impl Fixture {
    fn new(behaviour: Option<Behaviour>, has_reranker: bool) -> Self {
        let reranker = Arc::new(FakeReranker::taking(Duration::ZERO));
        let embedder = behaviour.map(|behaviour| Arc::new(FakeEmbedder::new(behaviour)) as Arc<dyn Embedder>);
        let models = Models {
            embedder,
            reranker: has_reranker.then(|| reranker.clone() as Arc<dyn Reranker>),
            tokens: None,
        };
        let files = Arc::new(MemoryStore::default());
        let functions = Arc::new(MemoryStore::default());
        let stores = Stores {
            hybrid: functions.clone(),
            files: files.clone(),
            keyword: functions,
        };
        Self {
            dir: workspace(FILES),
            service: Service::over(Options::default(), models, stores),
            reranker,
            files,
        }
    }

    async fn ask(&self, request: &Request) -> Retrieved {
        self.service.search(self.dir.path(), request).await.unwrap()
    }
}

fn flow6() -> Request {
    Request {
        profile: Profile::flow6(),
        ..Request::new(QUERY)
    }
}

fn codes(found: &Retrieved) -> Vec<Code> {
    found.notices.iter().map(|notice| notice.code).collect()
}

fn paths(found: &Retrieved) -> Vec<&str> {
    found.files.iter().map(String::as_str).collect()
}

#[tokio::test]
async fn flow6_runs_both_phases() {
    let fixture = Fixture::new(Some(Behaviour::Works), true);
    let found = fixture.ask(&flow6()).await;
    assert_eq!((found.mode, codes(&found).as_slice()), (Mode::Hybrid, &[][..]));
    // Phase 1: every file that either list found, with one point for each.
    assert_eq!(fixture.files.points().len(), FILES.len());
    assert_eq!(found.files.len(), FILES.len());
    // Phase 2: functions and classes, where a file has some, read by the model.
    let texts = fixture.reranker.texts.lock().unwrap().clone();
    let Reranking::Done { reranked, candidates } = found.reranking else {
        panic!("{:?}", found.reranking);
    };
    assert_eq!((reranked, texts.len()), (candidates, candidates));
    assert!(
        texts
            .iter()
            .any(|text| text.starts_with("RateLimiter.allow\n    def allow(self, user):"))
    );
    let symbols: Vec<&str> = found
        .ranked
        .iter()
        .filter_map(|item| item.symbol.as_deref())
        .collect();
    // The copy of a function is not there twice.
    assert_eq!(
        symbols
            .iter()
            .filter(|symbol| **symbol == "rate_limit_middleware")
            .count(),
        1
    );
    assert!(found.ranked.is_sorted_by(|a, b| a.score >= b.score));
    assert!(found.packed.starts_with("=== "), "{}", found.packed);
}

#[tokio::test]
async fn flow6_goes_on_without_what_is_missing() {
    let check = async |behaviour: Option<Behaviour>,
                       reranker: bool,
                       mode: Mode,
                       notices: &[Code],
                       state: Reranking| {
        let found = Fixture::new(behaviour, reranker).ask(&flow6()).await;
        assert_eq!((found.mode, codes(&found).as_slice()), (mode, notices));
        assert_eq!(found.reranking, state);
        assert!(paths(&found).contains(&"api/middleware.py"), "{:?}", found.files);
    };
    let (embedding, rerank) = (Code::EmbeddingFailed, Code::RerankFailed);
    check(
        Some(Behaviour::Works),
        false,
        Mode::Hybrid,
        &[rerank],
        Reranking::NoModel,
    )
    .await;
    check(
        None,
        false,
        Mode::Keyword,
        &[embedding, rerank],
        Reranking::NoModel,
    )
    .await;
}

#[tokio::test]
async fn a_failing_reranker_leaves_the_first_phases_order() {
    let fixture = Fixture::new(Some(Behaviour::Works), true);
    let mut plain = flow6();
    plain.profile.rerank = None;
    let expect = fixture.ask(&plain).await;
    fixture.reranker.fails();
    let found = fixture.ask(&flow6()).await;
    assert_eq!(found.ranked, expect.ranked);
    assert_eq!(codes(&found), [Code::ModelNotPulled]);
    assert!(matches!(found.reranking, Reranking::Done { reranked: 0, .. }));
}

#[tokio::test]
async fn filters_hold_for_every_profile_with_and_without_the_database() {
    let check = async |filter: &Filter, expect: &[&str]| {
        for behaviour in [None, Some(Behaviour::Works)] {
            let fixture = Fixture::new(behaviour, false);
            for profile in [Profile::best(), Profile::flow6()] {
                let request = Request {
                    profile,
                    filter: filter.clone(),
                    ..Request::new(QUERY)
                };
                let found = fixture.ask(&request).await;
                let mut got = paths(&found);
                got.sort_unstable();
                assert_eq!(got, expect, "{filter:?}");
                assert!(
                    found
                        .ranked
                        .iter()
                        .all(|item| expect.contains(&item.path.as_str()))
                );
            }
        }
    };
    let without = vec![Class::Test, Class::Vendored, Class::Documentation];
    check(
        &Filter {
            without,
            ..Filter::default()
        },
        &[
            "api/config.py",
            "api/limiter.py",
            "api/middleware.py",
            "web/limits.ts",
        ],
    )
    .await;
    check(
        &Filter {
            languages: vec![crate::language::Language::TypeScript],
            ..Filter::default()
        },
        &["web/limits.ts"],
    )
    .await;
    check(
        &Filter {
            globs: vec!["/api".to_owned(), "!vendor".to_owned()],
            bytes_max: Some(100),
            ..Filter::default()
        },
        &["api/config.py"],
    )
    .await;
    check(
        &Filter {
            globs: vec!["nowhere".to_owned()],
            ..Filter::default()
        },
        &[],
    )
    .await;
}

/// The numbers are those that the file's score is made of.
#[track_caller]
fn adds_up(why: &Explanation) {
    let signals = why.signals.iter();
    let sum: f32 = signals.map(|signal| signal.value * signal.weight).sum();
    assert!((sum * why.class_weight - why.file_score).abs() < 1e-5, "{why:?}");
}

#[tokio::test]
async fn results_say_why() {
    let fixture = Fixture::new(Some(Behaviour::Works), true);
    let mut request = flow6();
    assert!(
        fixture
            .ask(&request)
            .await
            .ranked
            .iter()
            .all(|item| item.explanation.is_none())
    );
    request.detail = Detail::Ranks;
    let found = fixture.ask(&request).await;
    let reasons: Vec<&Explanation> = found
        .ranked
        .iter()
        .filter_map(|item| item.explanation.as_deref())
        .collect();
    assert_eq!(reasons.len(), found.ranked.len());
    for why in &reasons {
        adds_up(why);
        assert!(
            why.signals
                .iter()
                .all(|signal| signal.rank.is_some() == (signal.value > 0.0))
        );
        assert!(why.rerank.is_some());
    }
    let mut places: Vec<usize> = reasons.iter().filter_map(|why| Some(why.rerank?.rank)).collect();
    assert!(places.is_sorted(), "{places:?}");
    places.dedup();
    assert_eq!(places.len(), reasons.len());
    let duplicates: Vec<&str> = reasons
        .iter()
        .flat_map(|why| &why.duplicates)
        .map(|duplicate| duplicate.path.as_str())
        .collect();
    assert!(
        duplicates.contains(&"api/vendor/middleware.py") || duplicates.contains(&"api/middleware.py"),
        "{duplicates:?}"
    );
}

#[tokio::test]
async fn a_model_counts_less_where_words_say_more() {
    let fixture = Fixture::new(Some(Behaviour::Works), false);
    let mut request = flow6();
    request.profile = Profile::best();
    request.detail = Detail::Ranks;
    let found = fixture.ask(&request).await;
    let mut weights = Vec::new();
    for why in found.ranked.iter().filter_map(|item| item.explanation.as_deref()) {
        adds_up(why);
        let meaning = why.signals.iter().find(|signal| signal.name == "meaning");
        weights.push(meaning.map_or(0.0, |signal| signal.weight));
    }
    assert_eq!(weights.first(), Some(&0.0));
    assert!(weights.iter().any(|weight| *weight > 0.0), "{weights:?}");
}

#[tokio::test]
async fn ranks_can_be_fused_instead_of_values() {
    let fixture = Fixture::new(Some(Behaviour::Works), false);
    let mut request = flow6();
    request.profile.files.fusion = crate::fusion::Fusion::ReciprocalRank { k: 60.0 };
    request.detail = Detail::Ranks;
    let found = fixture.ask(&request).await;
    for why in found.ranked.iter().filter_map(|item| item.explanation.as_deref()) {
        let terms = why.signals.iter().filter(|signal| signal.weight > 0.0);
        #[expect(clippy::cast_precision_loss, reason = "small ranks")]
        let sum: f32 = terms
            .filter_map(|signal| Some(signal.weight / (60.0 + signal.rank? as f32)))
            .sum();
        assert!((sum - why.file_score).abs() < 1e-6, "{why:?}");
    }
}

#[tokio::test]
async fn a_request_may_want_less() {
    let fixture = Fixture::new(Some(Behaviour::Works), true);
    let request = Request {
        top: Some(2),
        ..Request::new(QUERY)
    };
    assert_eq!(fixture.ask(&request).await.ranked.len(), 2);
    // Not beyond this process: nobody is asked, and nothing is amiss.
    let fixture = Fixture::new(Some(Behaviour::Works), true);
    let request = Request {
        reach: Reach::ThisProcess,
        ..Request::new(QUERY)
    };
    let found = fixture.ask(&request).await;
    assert_eq!((found.mode, codes(&found).len()), (Mode::LocalKeyword, 0));
    assert_eq!(fixture.files.points(), []);
}

#[tokio::test]
async fn requests_that_make_no_sense_are_refused() {
    let fixture = Fixture::new(None, false);
    let check = async |request: Request, expect: Code| {
        let error = fixture
            .service
            .search(fixture.dir.path(), &request)
            .await
            .unwrap_err();
        assert_eq!(error.code(), expect);
    };
    let mut request = Request::new(QUERY);
    request.filter.globs = vec!["a/{b".to_owned()];
    check(request, Code::InvalidRequest).await;
    let mut request = Request::new(QUERY);
    request.profile.top = 0;
    check(request, Code::ConfigInvalid).await;
}
