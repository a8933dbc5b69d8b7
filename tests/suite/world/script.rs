//! What the model answers from, and which of it was asked for.

use scripted_ollama::Record;

use super::World;

/// A plan that asks for no tests, and code for two files.
pub const SCRIPT: &str = r#"
models:
  - name: mistral:7b-instruct-v0.3-q4_K_M
rules:
  - name: plan
    match: { endpoint: chat, format: present }
    respond:
      json:
        summary: Add greetings
        steps: ["write greet"]
        files: ["app.py"]
        stages: [{stage: test_generation, run: false, reason: "trivial"}]
  - name: code again
    match: { endpoint: chat, contains: "shout it" }
    respond:
      text: |
        greeting.py
        ```python
        def greet(name):
            return f"HELLO, {name}!"
        ```
  - name: code
    match: { endpoint: chat }
    respond:
      text: |
        Two files.

        greeting.py
        ```python
        def greet(name):
            return f"Hello, {name}!"
        ```

        app.py
        ```python
        from greeting import greet


        def main():
            print(greet("world"))
        ```
"#;

/// The model of [`SCRIPT`] and its plan, which other scripts begin with.
pub fn beginning() -> &'static str {
    SCRIPT.split_once("  - name: code again").unwrap().0
}

/// The questions that a rule has answered.
pub fn of<'a>(records: &'a [Record], rule: &str) -> Vec<&'a Record> {
    records
        .iter()
        .filter(|record| record.rule.as_deref() == Some(rule))
        .collect()
}

impl World {
    /// What the model was told last, of what this rule of the script answers.
    pub fn told(&self, rule: &str) -> String {
        let records = self.ollama.requests();
        of(&records, rule).last().unwrap().last_message("user").to_owned()
    }

    /// Waits until the model was asked what this rule of the script answers.
    pub async fn until_asked(&self, rule: &str) {
        let is_asked = |record: &Record| record.rule.as_deref() == Some(rule);
        self.ollama.wait_for(|records| records.iter().any(is_asked)).await;
    }
}
