//! Edits in the formats that a configuration asks for, from the question over
//! the wire to the commit.

use serde_json::{Value, json};

use crate::world::World;

const ENVELOPE: &str = "\
I rename the document and greet.

*** Begin Patch
*** Update File: app.py
@@ def main():
-    print(\"hello\")
+    print(greet(\"world\"))
*** Add File: greeting.py
+def greet(name):
+    return f\"Hello, {name}!\"
*** Update File: run.sh
*** Move to: bin/run.sh
*** End Patch
";

const DIFF: &str = "\
```diff
--- a/app.py
+++ b/app.py
@@ -7,2 +7,2 @@
 def main():
-    print(\"hello\")
+    print(greet(\"world\"))
--- /dev/null
+++ b/greeting.py
@@ -0,0 +1,2 @@
+def greet(name):
+    return f\"Hello, {name}!\"
diff --git a/run.sh b/bin/run.sh
rename from run.sh
rename to bin/run.sh
```
";

const FUNCTION: &str = "\
app.py::main
```python
def main():
    print(greet(\"world\"))
```

greeting.py
```python
def greet(name):
    return f\"Hello, {name}!\"
```

MOVE: run.sh -> bin/run.sh
";

/// One workflow whose model is asked for `format`: the question must say
/// `words`, and `answer` ends in the same commit, whatever the format.
async fn check(format: &str, words: &str, answer: &str) {
    let plan = json!({
        "summary": "Add greetings", "steps": ["write greet"], "files": ["app.py"],
        "stages": [{"stage": "test_generation", "run": false, "reason": "trivial"}],
    });
    // What does not say the words is answered by no rule, which the test notices.
    let script = json!({
        "models": [{ "name": "mistral:7b-instruct-v0.3-q4_K_M" }],
        "rules": [
            { "match": { "format": "present" }, "respond": { "json": plan } },
            { "match": { "contains": words }, "respond": { "text": answer } },
        ],
    });
    let mut world = World::prepared(&script.to_string()).await;
    world.write("run.sh", "#!/bin/sh\npython app.py\n");
    world.git(&["add", "run.sh"]);
    world.git(&["update-index", "--chmod=+x", "run.sh"]);
    world.git(&["commit", "-q", "-m", "second"]);
    world.git(&["checkout", "-q", "--", "."]);
    world.git(&["reset", "-q", "--hard"]);
    world.configure(format!(
        "ollama: {{ embed_model: null, edit_format: {format} }}\n"
    ));
    world.start().await;

    let id = world.submit("Add greetings").await;
    let events = world.accept(&id).await;
    let failed = |event: &&Value| event["type"] == "stage_failed";
    assert_eq!(events.iter().find(failed), None, "{format}");
    assert_eq!(
        world.git(&["show", "--format=", "--name-status", "--find-renames", "HEAD"]),
        "M\tapp.py\nR100\trun.sh\tbin/run.sh\nA\tgreeting.py",
        "{format}"
    );
    assert_eq!(
        world.git(&["ls-tree", "HEAD", "bin/run.sh"]).split(' ').next(),
        Some("100755"),
        "{format}"
    );
    assert_eq!(world.read("app.py"), "def main():\n    print(greet(\"world\"))\n");
    assert_eq!(
        world.read("greeting.py"),
        "def greet(name):\n    return f\"Hello, {name}!\"\n"
    );
    assert_eq!(world.git(&["status", "--porcelain"]), "", "{format}");
}

#[tokio::test]
async fn every_format_that_is_configured_ends_in_a_commit() {
    check("apply_patch", "*** Begin Patch", ENVELOPE).await;
    check("unified_diff", "one unified diff in a fence", DIFF).await;
    check("whole_function", "two colons and the name", FUNCTION).await;
}

#[tokio::test]
async fn a_format_that_there_is_not_is_refused_with_the_list() {
    let mut world = World::prepared(crate::world::SCRIPT).await;
    world.configure("ollama: { edit_format: diff }\n");
    assert!(!world.try_start(&[]).await);
    let log = world.log();
    for format in [
        "edit_format",
        "whole_file",
        "search_replace",
        "unified_diff",
        "apply_patch",
        "whole_function",
    ] {
        assert!(log.contains(format), "{format} is not in {log}");
    }
}
