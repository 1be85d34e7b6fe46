//! A real browser for tests of the managers' pages: Chromium, which does what it is told line by line.

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

/// Headless Chromium, driven by `tests/browser/driver.mjs`. It ends with its owner.
pub struct Browser {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Browser {
    /// Starts Chromium for the pages of one server.
    #[track_caller]
    pub fn new(url: &str) -> Self {
        Self::speaking(url, "en-GB")
    }

    /// The same of somebody who prefers a language.
    #[track_caller]
    pub fn speaking(url: &str, language: &str) -> Self {
        let dir = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/browser"));
        assert!(
            ["playwright-core", "axe-core"]
                .iter()
                .all(|name| dir.join("node_modules").join(name).exists()),
            "playwright-core or axe-core is not installed: run `npm ci` in tests/browser, or ./tests/run, which does it"
        );
        let mut child = Command::new("node")
            .arg(dir.join("driver.mjs"))
            .arg(url)
            .arg(language)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("node is installed");
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().unwrap());
        let mut browser = Self { child, input, output };
        assert_eq!(browser.read()["ready"], true, "Chromium starts");
        browser
    }

    #[track_caller]
    fn read(&mut self) -> Value {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        serde_json::from_str(&line)
            .unwrap_or_else(|error| panic!("the driver ended ({error}); it said `{line}`"))
    }

    /// Asks the driver for something; a refusal is a failure.
    #[track_caller]
    pub fn ask(&mut self, command: Value) -> Value {
        let mut answer = self.try_ask(&command);
        assert!(answer["error"].is_null(), "{command}: {answer}");
        answer["ok"].take()
    }

    /// The same with the driver's whole answer.
    #[track_caller]
    pub fn try_ask(&mut self, command: &Value) -> Value {
        writeln!(self.input.as_mut().unwrap(), "{command}").unwrap();
        self.read()
    }

    /// Opens a page; its status and the path that it led to.
    #[track_caller]
    pub fn open(&mut self, path: &str) -> Value {
        self.ask(json!({"do": "open", "path": path}))
    }
    /// Writes into a control.
    #[track_caller]
    pub fn fill(&mut self, selector: &str, text: &str) {
        self.ask(json!({"do": "fill", "selector": selector, "text": text}));
    }
    /// Clicks something that leads to another page; gives its path.
    #[track_caller]
    pub fn follow(&mut self, selector: &str) -> String {
        self.ask(json!({"do": "click", "selector": selector, "follow": true}))["path"]
            .as_str()
            .unwrap()
            .to_owned()
    }
    /// Clicks something that leads nowhere else.
    #[track_caller]
    pub fn click(&mut self, selector: &str) {
        self.ask(json!({"do": "click", "selector": selector}));
    }
    /// Waits until an element holds the text.
    #[track_caller]
    pub fn see(&mut self, selector: &str, text: &str) {
        self.ask(json!({"do": "see", "selector": selector, "text": text}));
    }
    /// Waits until no element holds the text.
    #[track_caller]
    pub fn miss(&mut self, selector: &str, text: &str) {
        self.ask(json!({"do": "miss", "selector": selector, "text": text}));
    }
    /// How many elements there are.
    #[track_caller]
    pub fn count(&mut self, selector: &str) -> u64 {
        self.ask(json!({"do": "count", "selector": selector})).as_u64().unwrap()
    }
    /// The text of an element.
    #[track_caller]
    pub fn text(&mut self, selector: &str) -> String {
        self.ask(json!({"do": "text", "selector": selector})).as_str().unwrap().to_owned()
    }

    /// Asserts that the page complained about nothing since the last time.
    #[track_caller]
    pub fn assert_quiet(&mut self, where_: &str) {
        let complaints = self.ask(json!({"do": "complaints"}));
        assert_eq!(complaints, json!([]), "{where_}");
    }

    /// Signs in with a one-time code and sets a password.
    #[track_caller]
    pub fn sign_in(&mut self, code: &str) {
        assert_eq!(self.open(&format!("/welcome/{code}"))["status"], 200);
        self.fill("#password", PASSWORD);
        self.fill("#again", PASSWORD);
        assert_eq!(self.follow("form button.go"), "/");
    }
}

impl Browser {
    /// Drags one element onto another.
    #[track_caller]
    pub fn drag(&mut self, from: &str, to: &str) {
        self.ask(json!({"do": "drag", "from": from, "to": to}));
    }

    /// Clicks something that downloads a file; its text.
    #[track_caller]
    pub fn download(&mut self, selector: &str) -> String {
        self.ask(json!({"do": "download", "selector": selector})).as_str().unwrap().to_owned()
    }

    /// Asserts that axe-core finds nothing serious on a page.
    #[track_caller]
    pub fn assert_accessible(&mut self, where_: &str) {
        let found = self.ask(json!({"do": "axe"}));
        assert_eq!(found, json!([]), "axe-core, {where_}");
    }

    /// Asserts that a page is no wider than the window, and that nothing of it is cut off.
    #[track_caller]
    pub fn assert_fits(&mut self, where_: &str) {
        let overflow = self.ask(json!({"do": "overflow"}));
        assert!(overflow["by"].as_i64().unwrap() <= 0, "{where_} is too wide: {overflow}");
        assert_eq!(overflow["cut"], json!([]), "cut off: {where_}");
        let nameless = self.ask(json!({"do": "nameless"}));
        assert_eq!(nameless, json!([]), "controls that a screen reader can't name: {where_}");
        assert_eq!(self.count("h1"), 1, "one heading of the first level: {where_}");
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // At the end of its input the driver closes Chromium and ends.
        drop(self.input.take());
        if std::thread::panicking() {
            let _ = self.child.kill();
        }
        let _ = self.child.wait();
    }
}

/// What everybody's password becomes who signs in here.
pub const PASSWORD: &str = "a long walk by the sea";
