//! Building and testing of proposals, as it is configured. The sandbox is looked
//! for when it is first needed: trying what it guarantees takes a moment.

use std::{path::PathBuf, sync::OnceLock, time::Duration};

use sandbox::{Choice, Kind, Language, Options, Sandbox};
use tools::trial::{self, Bounds};

use crate::config::{self, Config, Engine};

/// Folder in the data folder in which proposals are built.
const FOLDER: &str = "trials";

/// Builds and tests proposals.
#[derive(Debug)]
pub struct Trials {
    sandbox: config::Sandbox,
    cache: PathBuf,
    bounds: Bounds,
    ready: OnceLock<trial::Trials>,
}

impl Trials {
    /// As `config` has it. Nothing is looked for yet.
    pub fn new(config: &Config) -> Self {
        let config::Checks {
            build,
            test,
            diagnostics,
            build_timeout_s,
            test_timeout_s,
            diagnostics_timeout_s,
        } = config.checks;
        let config::Sandbox {
            memory_mb, processes, ..
        } = config.sandbox;
        Self {
            sandbox: config.sandbox.clone(),
            cache: config.data_dir.join(FOLDER),
            bounds: Bounds {
                build: build.then(|| Duration::from_secs(build_timeout_s)),
                test: test.then(|| Duration::from_secs(test_timeout_s)),
                diagnostics: diagnostics.then(|| Duration::from_secs(diagnostics_timeout_s)),
                memory_bytes: memory_mb.saturating_mul(1024 * 1024),
                processes,
            },
            ready: OnceLock::new(),
        }
    }

    /// What one command may take.
    pub fn bounds(&self) -> Bounds {
        self.bounds
    }

    /// The same, with its sandbox. Blocks for about a second the first time.
    pub fn ready(&self) -> &trial::Trials {
        self.ready.get_or_init(|| {
            let sandbox = detect(&self.sandbox).map_err(|error| error.to_string());
            if let Err(reason) = &sandbox {
                tracing::warn!(%reason, "proposals are not built and not tested");
            }
            trial::Trials {
                sandbox,
                cache: self.cache.clone(),
                bounds: self.bounds,
            }
        })
    }
}

impl mcp::Trying for Trials {
    fn trials(&self) -> &trial::Trials {
        self.ready()
    }
}

/// The sandbox of this machine; why there is none, and what to do. Blocks for about a second.
pub(crate) fn detect(config: &config::Sandbox) -> Result<Sandbox, sandbox::Error> {
    let helper = std::env::current_exe().map_err(|source| sandbox::Error::Io {
        what: "find its helper",
        source,
    })?;
    let options = Options {
        engine: match config.engine {
            Engine::Auto => Choice::Auto,
            Engine::Docker => Choice::Docker,
            Engine::Podman => Choice::Podman,
            Engine::Bubblewrap => Choice::Bubblewrap,
            Engine::None => Choice::None,
        },
        order: config.order.iter().copied().map(kind).collect(),
        docker: config.docker.clone(),
        podman: config.podman.clone(),
        image: config.image.clone(),
        images: config
            .images
            .iter()
            .map(|(named, image)| (language(*named), image.clone()))
            .collect(),
        bubblewrap: config.bubblewrap.clone(),
        ..Options::new(helper)
    };
    Sandbox::detect(&options)
}

fn kind(named: config::EngineKind) -> Kind {
    match named {
        config::EngineKind::Docker => Kind::Docker,
        config::EngineKind::Podman => Kind::Podman,
        config::EngineKind::Bubblewrap => Kind::Bubblewrap,
    }
}

fn language(named: config::ImageLanguage) -> Language {
    match named {
        config::ImageLanguage::Go => Language::Go,
        config::ImageLanguage::JavaScript => Language::JavaScript,
        config::ImageLanguage::Python => Language::Python,
        config::ImageLanguage::Rust => Language::Rust,
    }
}
