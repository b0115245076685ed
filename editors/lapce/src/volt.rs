//! The conversation: what is answered to Lapce, and what is asked of it. Knows no I/O; a `Host` has it.
//!
//! First, `initialize` is answered. Then the program is looked for, by running it with `--version`: a
//! start of something that is not there is never answered by Lapce 0.4, and would not be noticed. At
//! last, the server is started by a request; its own `initialize` is Lapce's from then on.

use crate::json::{object, parse, text, Json};
use crate::places::{candidates, path_of, Place, PATH_FILE};
use crate::settings::forward;

/// Where `build.sh --install` notes the clone, if it could make no package of it.
const CLONE_FILE: &str = "/clone";

/// Language ids of Lapce. The pattern behind them is for all others; it alone would do, but a filter
/// by language is what Lapce has always understood.
const LANGUAGES: &[&str] = &[
    "bash",
    "c",
    "clojure",
    "cmake",
    "cpp",
    "csharp",
    "css",
    "dart",
    "dockerfile",
    "elixir",
    "elm",
    "erlang",
    "fsharp",
    "go",
    "graphql",
    "haskell",
    "html",
    "java",
    "javascript",
    "javascriptreact",
    "json",
    "julia",
    "kotlin",
    "latex",
    "lua",
    "markdown",
    "nix",
    "ocaml",
    "php",
    "powershell",
    "python",
    "r",
    "ruby",
    "rust",
    "scala",
    "scss",
    "shellscript",
    "sql",
    "svelte",
    "swift",
    "toml",
    "typescript",
    "typescriptreact",
    "vue",
    "xml",
    "yaml",
    "zig",
];

const ERROR: &str = "1"; // LSP MessageType
const WARNING: &str = "2";
const METHOD_NOT_FOUND: &str = "-32601";

pub trait Host {
    /// Hands a message to Lapce, and gives what it wrote in answer, if anything.
    fn hand_over(&mut self, message: &Json) -> Option<String>;
    fn variable(&self, name: &str) -> Option<String>;
    /// A file of the plugin's own folder, or what is wrong with it; None if it is not there.
    fn file(&self, name: &str) -> Option<Result<String, String>>;
}

pub struct Volt<H: Host> {
    pub host: H,
    next_id: u64,
}

/// What asking for the program's version came to.
enum Found {
    Yes,
    No(String),
    /// The host does not run programs for plugins, or does not say what came of it.
    Unknown,
}

impl<H: Host> Volt<H> {
    pub fn new(host: H) -> Self {
        Volt { host, next_id: 1 }
    }

    /// Handles one line from Lapce. Answers are made for requests only.
    pub fn handle(&mut self, line: &str) {
        let message = match parse(line) {
            Ok(message) => message,
            Err(_) => return, // nothing to answer: whose message it was cannot be known
        };
        let method = message.get("method").and_then(Json::as_str);
        match (method, message.get("id")) {
            (Some("initialize"), Some(id)) => {
                self.answer(id, "result", object([("capabilities", object([]))]));
                let null = Json::Null;
                let params = message.get("params").unwrap_or(&null);
                self.start(params.get("initializationOptions").unwrap_or(&null));
            }
            (Some("shutdown"), Some(id)) => self.answer(id, "result", Json::Null),
            (Some(method), Some(id)) => {
                let code = Json::Number(METHOD_NOT_FOUND.to_string());
                let said = text(&format!("no such method: {}", method));
                self.answer(id, "error", object([("code", code), ("message", said)]));
            }
            _ => {} // a notification, or an answer that came too late to matter
        }
    }

    fn start(&mut self, settings: &Json) {
        let forwarded = forward(settings);
        if !forwarded.refused.is_empty() {
            self.tell(WARNING, &refusal(&forwarded.refused));
        }
        let place = match self.find() {
            Ok(place) => place,
            Err(reason) => return self.tell(ERROR, &reason),
        };
        let params = object([
            ("serverUri", text(&place.uri)),
            ("serverArgs", Json::List(Vec::new())),
            ("documentSelector", document_selector()),
            ("options", forwarded.options),
        ]);
        if let Some(Err(reason)) = self.ask("host/startLspServer", params) {
            self.tell(ERROR, &format!("{} was not started: {}", place.program, reason));
        }
    }

    /// Where the program is, or what to tell the user.
    fn find(&mut self) -> Result<Place, String> {
        let system = self.host.variable("VOLT_OS").unwrap_or_default();
        if let Some(content) = self.host.file(PATH_FILE) {
            return self.named(content, system == "windows");
        }
        let places = candidates(&system, |name| self.host.variable(name));
        for place in places {
            match self.version(&place.program) {
                Found::Yes => return Ok(place),
                Found::No(_) => {}
                Found::Unknown => return Ok(Place::on_path()),
            }
        }
        Err(how_to_install(&system, self.package().as_deref()))
    }

    /// The package to install: the one that the plugin carries, of the same version, else the clone that
    /// `build.sh` noted. Never a bare name, which on a package index is whoever's.
    fn package(&self) -> Option<String> {
        let file = format!("/server/ai_sidecar-{}-py3-none-any.whl", env!("CARGO_PKG_VERSION"));
        let folder = self.host.variable("VOLT_URI").and_then(|uri| path_of(&uri));
        match (folder, self.host.file(&file)) {
            (Some(folder), Some(_)) => Some(format!("{}{}", folder.trim_end_matches('/'), file)),
            _ => self.host.file(CLONE_FILE)?.ok().map(|content| content.trim().to_string()),
        }
    }

    fn named(&mut self, content: Result<String, String>, windows: bool) -> Result<Place, String> {
        let file = PATH_FILE.trim_start_matches('/');
        let content = content.map_err(|reason| format!("{}: {}", file, reason))?;
        let place = Place::at(&content, windows).ok_or_else(|| {
            format!("{}: expected an absolute path, got {:?}", file, content.trim())
        })?;
        match self.version(&place.program) {
            Found::No(reason) => Err(format!("{}: {}: {}", file, place.program, reason)),
            Found::Yes | Found::Unknown => Ok(place),
        }
    }

    fn version(&mut self, program: &str) -> Found {
        let args = Json::List(vec![text("--version")]);
        let params = object([("program", text(program)), ("args", args)]);
        let result = match self.ask("host/executeProcess", params) {
            Some(Ok(result)) => result,
            Some(Err(reason)) if is_about_the_program(&reason) => return Found::No(reason),
            _ => return Found::Unknown,
        };
        let said = result.get("stdout").and_then(Json::bytes_as_text);
        match (result.get("success"), said) {
            (Some(Json::Bool(true)), Some(said)) if !said.starts_with("ai-sidecar ") => {
                Found::No("is another program".to_string())
            }
            (Some(Json::Bool(true)), _) => Found::Yes,
            (Some(_), _) => Found::No("--version failed".to_string()),
            _ => Found::Unknown,
        }
    }

    /// Sends a request; None if nothing came back that answers it.
    fn ask(&mut self, method: &str, params: Json) -> Option<Result<Json, String>> {
        let id = Json::Number(self.next_id.to_string());
        self.next_id += 1;
        let reply = self.host.hand_over(&object([
            ("jsonrpc", text("2.0")),
            ("id", id.clone()),
            ("method", text(method)),
            ("params", params),
        ]))?;
        let reply = parse(&reply).ok().filter(|reply| reply.get("id") == Some(&id))?;
        match (reply.get("error"), reply.get("result")) {
            (Some(error), _) => {
                let said = error.get("message").and_then(Json::as_str);
                Some(Err(said.unwrap_or("without a reason").to_string()))
            }
            (None, Some(result)) => Some(Ok(result.clone())),
            (None, None) => None,
        }
    }

    fn answer(&mut self, id: &Json, kind: &str, value: Json) {
        let message = object([("jsonrpc", text("2.0")), ("id", id.clone()), (kind, value)]);
        self.host.hand_over(&message);
    }

    /// Shows a message in Lapce's window.
    fn tell(&mut self, kind: &str, message: &str) {
        let kind = Json::Number(kind.to_string());
        let params = object([("type", kind), ("message", text(message))]);
        self.host.hand_over(&object([
            ("jsonrpc", text("2.0")),
            ("method", text("window/showMessage")),
            ("params", params),
        ]));
    }
}

fn document_selector() -> Json {
    let languages = LANGUAGES.iter().map(|language| object([("language", text(language))]));
    Json::List(languages.chain([object([("pattern", text("**/*"))])]).collect())
}

/// Whether Lapce's error is the operating system's about the program, not its own about the request.
fn is_about_the_program(reason: &str) -> bool {
    reason.contains("os error") || reason.contains("not found") && !reason.contains("method")
}

fn refusal(paths: &[String]) -> String {
    format!(
        "Settings that were left out, because a workspace can write them too: {}. They belong into \
         ai-sidecar's own file; `ai-sidecar config path` says where it is.",
        paths.join(", ")
    )
}

/// What to do, as one command for a terminal.
fn how_to_install(system: &str, package: Option<&str>) -> String {
    let nowhere = "The program ai-sidecar is neither on PATH nor where installers put it.";
    let package = match package {
        Some(package) => package,
        None => {
            return format!("{} Install it as its README says, then start Lapce again.", nowhere)
        }
    };
    let command = match system {
        "windows" => {
            let folder = "\"%LOCALAPPDATA%\\ai-sidecar\\venv";
            format!(
                "py -m venv {0}\" && {0}\\Scripts\\pip\" install \"{1}[local]\" && \
                 {0}\\Scripts\\ai-sidecar\" local install",
                folder, package
            )
        }
        _ => {
            let folder = match system {
                "macos" => "~/\"Library/Application Support/ai-sidecar/venv\"",
                _ => "~/.local/share/ai-sidecar/venv",
            };
            format!(
                "python3 -m venv {0} && {0}/bin/pip install '{1}[local]' && {0}/bin/ai-sidecar local \
                 install",
                folder, package
            )
        }
    };
    format!(
        "{} Install it with the command below (Python 3.11 or later), then start Lapce again. It brings a \
         model that answers without a key: its runtime is about 50 MB, the model 98 MB. Without `[local]` \
         and what follows it, the program comes alone.  {}",
        nowhere, command
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A host that answers from a list, and notes what it was handed.
    #[derive(Default)]
    struct Scripted {
        handed: Vec<String>,
        replies: Vec<&'static str>,
        path_file: Option<Result<String, String>>,
    }

    impl Host for Scripted {
        fn hand_over(&mut self, message: &Json) -> Option<String> {
            self.handed.push(message.to_string());
            message.get("method").and_then(|_| message.get("id")).and_then(|id| {
                let reply = if self.replies.is_empty() { "" } else { self.replies.remove(0) };
                let whole = match reply.starts_with('{') {
                    true => reply.to_string(),
                    false => format!("{{\"jsonrpc\":\"2.0\",\"id\":{},{}}}", id, reply),
                };
                (!reply.is_empty()).then_some(whole)
            })
        }

        fn variable(&self, name: &str) -> Option<String> {
            (name == "VOLT_OS").then(|| "linux".to_string())
        }

        fn file(&self, _name: &str) -> Option<Result<String, String>> {
            self.path_file.clone()
        }
    }

    const INITIALIZE: &str = r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{}}"#;
    const NOT_THERE: &str =
        r#""error":{"code":0,"message":"No such file or directory (os error 2)"}"#;
    const THERE: &str = // "ai-sidecar 0.1.0" in bytes, no more of it than is looked at
        r#""result":{"success":true,"stdout":[97,105,45,115,105,100,101,99,97,114,32],"stderr":[]}"#;

    fn conversation(host: Scripted) -> Vec<String> {
        let mut volt = Volt::new(host);
        volt.handle(INITIALIZE);
        volt.host.handed
    }

    fn started(handed: &[String]) -> Vec<Json> {
        let messages = handed.iter().map(|line| parse(line).unwrap());
        messages
            .filter(|m| m.get("method").and_then(Json::as_str) == Some("host/startLspServer"))
            .map(|m| m.get("params").and_then(|p| p.get("serverUri")).unwrap().clone())
            .collect()
    }

    #[test]
    fn the_first_place_that_has_it_is_started() {
        let handed =
            conversation(Scripted { replies: vec![NOT_THERE, THERE], ..Default::default() });
        assert_eq!(handed[0], r#"{"jsonrpc":"2.0","id":0,"result":{"capabilities":{}}}"#);
        assert_eq!(started(&handed), [text("file:///usr/local/bin/ai-sidecar")]);
    }

    #[test]
    fn nowhere_is_told_and_nothing_started() {
        let handed = conversation(Scripted { replies: vec![NOT_THERE; 9], ..Default::default() });
        assert!(handed.last().unwrap().contains("window/showMessage"));
        assert_eq!(started(&handed), []);
    }

    #[test]
    fn a_host_that_runs_no_programs_is_asked_for_the_one_on_path() {
        for reply in [
            r#""error":{"code":0,"message":"request not supported"}"#,
            "",
            r#""result":{}"#,
            r#""error":{"code":-32601,"message":"method not found"}"#,
        ] {
            let handed = conversation(Scripted { replies: vec![reply], ..Default::default() });
            assert_eq!(started(&handed), [text("urn:ai-sidecar")], "{}", reply);
        }
    }

    #[test]
    fn an_answer_to_something_else_is_none() {
        let stray = r#"{"jsonrpc":"2.0","id":99,"error":{"code":0,"message":"(os error 2)"}}"#;
        let host = Scripted { replies: vec![stray, THERE], ..Default::default() };
        assert_eq!(started(&conversation(host)), [text("urn:ai-sidecar")]);
    }

    #[test]
    fn the_named_program_and_no_other() {
        let path_file = Some(Ok("/opt/ai sidecar\n".to_string()));
        let host =
            Scripted { replies: vec![THERE], path_file: path_file.clone(), ..Default::default() };
        assert_eq!(started(&conversation(host)), [text("file:///opt/ai%20sidecar")]);
        for (content, replies, said) in [
            (path_file, vec![NOT_THERE, THERE], "/opt/ai sidecar: No such file"),
            (Some(Ok("x".to_string())), vec![THERE], "expected an absolute path"),
            (Some(Err("no text".to_string())), vec![THERE], "server-path: no text"),
        ] {
            let handed =
                conversation(Scripted { replies, path_file: content, ..Default::default() });
            assert_eq!(started(&handed), []);
            assert!(handed.last().unwrap().contains(said), "{:?}", handed.last());
        }
    }

    #[test]
    fn another_program_of_that_name_is_not_started() {
        let other = r#""result":{"success":true,"stdout":[120],"stderr":[]}"#;
        let failed = r#""result":{"success":false}"#;
        let handed = conversation(Scripted { replies: vec![other, failed], ..Default::default() });
        assert_eq!(started(&handed), []);
    }

    #[test]
    fn every_request_is_answered_and_nothing_else_is() {
        let mut volt = Volt::new(Scripted::default());
        for line in [
            "",
            "nonsense",
            "[]",
            r#"{"jsonrpc":"2.0","method":"initialized","params":{}}"#,
            r#"{"jsonrpc":"2.0","id":1,"result":{"id":3}}"#,
        ] {
            volt.handle(line);
        }
        assert!(volt.host.handed.is_empty());
        volt.handle(r#"{"id":"a","method":"shutdown"}"#);
        volt.handle(r#"{"id":7,"method":"hover"}"#);
        assert_eq!(volt.host.handed[0], r#"{"jsonrpc":"2.0","id":"a","result":null}"#);
        assert!(
            volt.host.handed[1].starts_with(r#"{"jsonrpc":"2.0","id":7,"error":{"code":-32601,"#)
        );
    }
}
