//! Building and testing of proposals, as it is configured. The sandbox is looked
//! for when it is first needed: trying what it guarantees takes a moment. Where
//! there is none, what the person said decides.

use std::{path::PathBuf, sync::OnceLock, time::Duration};

use engine::{State, state::Consent};
use sandbox::{Bare, Choice, Kind, Language, Options, Sandbox};
use shared::error::{Class, Code};
use tools::trial::{self, Bounds, Runner, Wanted};

use crate::{
    config::{self, Config, Engine, Without},
    consents::{Consents, Matter, Standing},
    error::Error,
};

/// Folder in the data folder in which proposals are built.
const FOLDER: &str = "trials";

/// Builds and tests proposals.
#[derive(Debug)]
pub struct Trials {
    config: config::Sandbox,
    cache: PathBuf,
    bounds: Bounds,
    sandbox: OnceLock<Result<Sandbox, String>>,
    isolated: OnceLock<trial::Trials>,
    bare: OnceLock<trial::Trials>,
    consents: Consents,
}

/// What a workflow knows about running code without a sandbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permission {
    /// The workspace, as the request names it.
    workspace: String,
    said: Said,
}

/// What a workflow was told about running code without a sandbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Said {
    /// Nothing yet: the person can be asked.
    Unasked,
    /// Nothing, and nobody can be asked.
    Unaskable,
    /// An answer.
    Answered(Consent),
}

impl Permission {
    /// What holds for a stage of this workflow, or of a part of it, which cannot ask.
    pub fn of(state: &State) -> Self {
        Self {
            workspace: state.task.workspace.clone(),
            said: match state.consent {
                Some(consent) => Said::Answered(consent),
                None if state.lane.is_some() => Said::Unaskable,
                None => Said::Unasked,
            },
        }
    }
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
            config: config.sandbox.clone(),
            cache: config.data_dir.join(FOLDER),
            bounds: Bounds {
                build: build.then(|| Duration::from_secs(build_timeout_s)),
                test: test.then(|| Duration::from_secs(test_timeout_s)),
                diagnostics: diagnostics.then(|| Duration::from_secs(diagnostics_timeout_s)),
                memory_bytes: memory_mb.saturating_mul(1024 * 1024),
                processes,
            },
            sandbox: OnceLock::new(),
            isolated: OnceLock::new(),
            bare: OnceLock::new(),
            consents: Consents::of(&config.data_dir),
        }
    }

    /// What one command may take.
    pub fn bounds(&self) -> Bounds {
        self.bounds
    }

    /// What people have said for good.
    pub fn consents(&self) -> &Consents {
        &self.consents
    }

    /// What may run what is wanted. Blocks for about a second the first time.
    ///
    /// # Errors
    /// E1805 if the person has to be asked first.
    pub fn allowed(&self, wanted: Wanted, permission: &Permission) -> Result<&trial::Trials, Error> {
        let isolated = self.isolated();
        let Err(reason) = &isolated.runner else {
            return Ok(isolated);
        };
        // Whoever turned the sandbox off wants nothing to run; and a language server
        // is not worth a question.
        if self.config.engine == Engine::None || wanted == Wanted::Servers {
            return Ok(isolated);
        }
        let remembered = || self.consents.get(&permission.workspace, &Matter::Unisolated);
        let may = match self.config.without {
            Without::Always => true,
            Without::Never => false,
            Without::Ask => match (remembered(), permission.said) {
                (Some(Standing::Always), _) | (None, Said::Answered(Consent::Given)) => true,
                (Some(Standing::Never), _) | (None, Said::Answered(Consent::Refused) | Said::Unaskable) => {
                    false
                }
                (None, Said::Unasked) => {
                    return Err(Error {
                        class: Class::User,
                        code: Code::UnisolatedRun,
                        message: format!("nothing here isolates what is run: {reason}"),
                    });
                }
            },
        };
        Ok(if may { self.bare() } else { isolated })
    }

    fn bare(&self) -> &trial::Trials {
        self.bare.get_or_init(|| trial::Trials {
            runner: helper()
                .map(|helper| Runner::Bare(Bare::new(helper)))
                .map_err(|error| error.to_string()),
            cache: self.cache.clone(),
            bounds: self.bounds,
        })
    }

    /// The sandbox; why there is none, in words for a person. Blocks for about a
    /// second the first time.
    pub fn sandbox(&self) -> Result<&Sandbox, &str> {
        let found = self.sandbox.get_or_init(|| {
            let sandbox = detect(&self.config).map_err(|error| error.to_string());
            if let Err(reason) = &sandbox {
                tracing::warn!(%reason, "nothing isolates what is run of a proposal");
            }
            sandbox
        });
        found.as_ref().map_err(String::as_str)
    }

    fn isolated(&self) -> &trial::Trials {
        self.isolated.get_or_init(|| trial::Trials {
            runner: self
                .sandbox()
                .cloned()
                .map(Runner::Sandbox)
                .map_err(str::to_owned),
            cache: self.cache.clone(),
            bounds: self.bounds,
        })
    }
}

impl mcp::Trying for Trials {
    fn trials(&self) -> &trial::Trials {
        self.isolated()
    }
}

/// This program is the part that runs inside, too.
fn helper() -> Result<PathBuf, sandbox::Error> {
    std::env::current_exe().map_err(|source| sandbox::Error::Io {
        what: "find its helper",
        source,
    })
}

/// The sandbox of this machine; why there is none, and what to do. Blocks for about a second.
pub(crate) fn detect(config: &config::Sandbox) -> Result<Sandbox, sandbox::Error> {
    let helper = helper()?;
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
