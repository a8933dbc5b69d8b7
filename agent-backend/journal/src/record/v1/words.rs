//! Closed sets, as words.

use engine::{
    artifact, event,
    graph::{self, expr},
};
use serde::{Deserialize, Serialize};
use shared::error;

macro_rules! words {
    ($name:ident is $module:ident :: $domain:ident { $($variant:ident = $text:literal,)* }) => {
        #[derive(Debug, Clone, Copy, Serialize, Deserialize)]
        pub(super) enum $name { $(#[serde(rename = $text)] $variant,)* }

        impl From<$module::$domain> for $name {
            fn from(word: $module::$domain) -> Self {
                match word { $($module::$domain::$variant => Self::$variant,)* }
            }
        }

        impl From<$name> for $module::$domain {
            fn from(word: $name) -> Self {
                match word { $($name::$variant => Self::$variant,)* }
            }
        }
    };
}

words!(Class is error::Class {
    Transient = "transient",
    Permanent = "permanent",
    Fatal = "fatal",
    User = "user",
});

words!(StageKind is graph::StageKind {
    Retrieval = "retrieval",
    Planning = "planning",
    CodeGeneration = "code_generation",
    TestGeneration = "test_generation",
    Checks = "checks",
    Review = "review",
    Apply = "apply",
    Revert = "revert",
});

words!(Effect is artifact::Effect {
    Unknown = "unknown",
    Adds = "adds",
    Destroys = "destroys",
});

words!(ImageFormat is artifact::ImageFormat {
    Png = "png",
    Jpeg = "jpeg",
    Gif = "gif",
    Webp = "webp",
});

words!(Presence is graph::Presence {
    Required = "required",
    Optional = "optional",
});

words!(RetrievalMode is artifact::RetrievalMode {
    Hybrid = "hybrid",
    Keyword = "keyword",
    LocalKeyword = "local_keyword",
    Off = "off",
});

words!(ThoughtLevel is artifact::ThoughtLevel {
    Default = "default",
    Off = "off",
    Low = "low",
    Medium = "medium",
    High = "high",
});

words!(Search is artifact::Search {
    On = "on",
    Off = "off",
});

words!(CheckStatus is artifact::CheckStatus {
    Passed = "passed",
    Failed = "failed",
    Skipped = "skipped",
});

words!(Level is event::NoticeLevel {
    Info = "info",
    Warning = "warning",
});

words!(Join is graph::Join {
    All = "all",
    Any = "any",
    Settled = "settled",
});

words!(List is expr::List {
    PlanFiles = "plan.files",
    PlanSteps = "plan.steps",
    PlanModules = "plan.modules",
    ContextFiles = "context.files",
    ProposalFiles = "proposal.files",
});

words!(OnFailure is graph::OnFailure {
    Retry = "retry",
    FallBack = "fall_back",
    Ask = "ask",
    Fail = "fail",
});

words!(DefaultAnswer is graph::DefaultAnswer {
    Accept = "accept",
    Reject = "reject",
});
