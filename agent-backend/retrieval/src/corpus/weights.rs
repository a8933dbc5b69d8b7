//! What each signal and each class of files counts. Pure data.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::class::{CLASSES, Class};
use super::signals::{SIGNALS, Signal, Values};

/// What each signal counts, and each class of files.
///
/// The defaults were found on eight repositories (`docs/retrieval.md`), each
/// also left out in turn; halving or doubling any one of them changes nDCG@10
/// by .02 at most.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Named", into = "Named")]
pub struct Weights {
    /// Indexed like [`Signal::ALL`].
    pub signals: Values,
    /// Indexed like [`Class::ALL`].
    pub classes: [f32; CLASSES],
}

/// What speaks for a file, each signal times its weight and the file's class.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Sums {
    /// Words, names and history.
    pub sparse: f32,
    /// The signals of an embedding model.
    pub dense: f32,
}

impl Default for Weights {
    fn default() -> Self {
        Self {
            signals: [1.0, 1.3, 0.7, 0.3, 0.7, 0.6, 0.1, 0.25, 0.0, 0.0],
            classes: [1.0, 0.25, 0.25, 0.25, 0.25, 0.4, 0.4],
        }
    }
}

impl Weights {
    /// Some signals, and classes that do not count 1.
    pub fn of(signals: &[(Signal, f32)], classes: &[(Class, f32)]) -> Self {
        let mut weights = Self {
            signals: [0.0; SIGNALS],
            classes: [1.0; CLASSES],
        };
        for (signal, weight) in signals {
            weights.set(*signal, *weight);
        }
        for (slot, class) in weights.classes.iter_mut().zip(Class::ALL) {
            if let Some((_, weight)) = classes.iter().find(|(other, _)| *other == class) {
                *slot = *weight;
            }
        }
        weights
    }

    /// Without some signals, to see what they are worth.
    #[must_use]
    pub fn without(mut self, signals: &[Signal]) -> Self {
        for signal in signals {
            self.set(*signal, 0.0);
        }
        self
    }

    /// Changes what a signal counts.
    pub fn set(&mut self, signal: Signal, weight: f32) {
        for (slot, other) in self.signals.iter_mut().zip(Signal::ALL) {
            if *other == signal {
                *slot = weight;
            }
        }
    }

    /// What a signal counts.
    pub fn of_signal(&self, signal: Signal) -> f32 {
        let mut pairs = self.signals.iter().zip(Signal::ALL);
        pairs
            .find(|(_, other)| **other == signal)
            .map_or(0.0, |(weight, _)| *weight)
    }

    /// What a file of this class counts.
    pub fn of_class(&self, class: Class) -> f32 {
        let mut pairs = self.classes.iter().zip(Class::ALL);
        pairs
            .find(|(_, other)| *other == class)
            .map_or(1.0, |(weight, _)| *weight)
    }

    /// The weighted sums for a file of this class.
    pub fn sums(&self, class: Class, values: &Values) -> Sums {
        let mut sums = Sums::default();
        for ((weight, value), signal) in self.signals.iter().zip(values).zip(Signal::ALL) {
            let sum = if signal.is_dense() {
                &mut sums.dense
            } else {
                &mut sums.sparse
            };
            *sum += weight * value * self.of_class(class);
        }
        sums
    }
}

/// As it is written: by name. A signal that is not named counts 0, a class that
/// is not named counts 1; without one of the two maps the defaults hold.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Named {
    signals: Option<BTreeMap<String, f32>>,
    classes: Option<BTreeMap<String, f32>>,
}

impl TryFrom<Named> for Weights {
    type Error = String;

    fn try_from(named: Named) -> Result<Self, String> {
        let mut weights = Self::default();
        if let Some(map) = &named.signals {
            let names: Vec<&str> = Signal::ALL.iter().map(|signal| signal.as_str()).collect();
            weights.signals = by_name("signal", &names, map, 0.0)?;
        }
        if let Some(map) = &named.classes {
            let names: Vec<&str> = Class::ALL.iter().map(|class| class.as_str()).collect();
            weights.classes = by_name("class", &names, map, 1.0)?;
        }
        Ok(weights)
    }
}

fn by_name<const N: usize>(
    what: &str,
    names: &[&str],
    map: &BTreeMap<String, f32>,
    otherwise: f32,
) -> Result<[f32; N], String> {
    if let Some(unknown) = map.keys().find(|key| !names.contains(&key.as_str())) {
        return Err(format!(
            "there is no {what} `{unknown}`; there are {}",
            names.join(", ")
        ));
    }
    let mut out = [otherwise; N];
    for (slot, name) in out.iter_mut().zip(names) {
        if let Some(weight) = map.get(*name) {
            *slot = *weight;
        }
    }
    Ok(out)
}

impl From<Weights> for Named {
    fn from(weights: Weights) -> Self {
        let signals = Signal::ALL.iter().map(|signal| signal.as_str().to_owned());
        let classes = Class::ALL.iter().map(|class| class.as_str().to_owned());
        let found = |weight: &f32| *weight != 0.0;
        Self {
            signals: Some(
                signals
                    .zip(weights.signals)
                    .filter(|(_, weight)| found(weight))
                    .collect(),
            ),
            classes: Some(classes.zip(weights.classes).collect()),
        }
    }
}
