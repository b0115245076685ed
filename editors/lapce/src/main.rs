//! The plugin ("volt") of Lapce that starts ai-sidecar: the module's one export, and its I/O.
//!
//! Lapce writes one message a line to stdin and calls `handle_rpc`. A message for Lapce is written to
//! stdout and announced by `host_handle_rpc`, which leaves its answer, if there is one, on stdin.

mod json;
mod places;
mod settings;
mod volt;

use std::io::{self, ErrorKind, Write};

use json::Json;
use volt::{Host, Volt};

#[cfg(target_arch = "wasm32")]
#[link(wasm_import_module = "lapce")]
extern "C" {
    fn host_handle_rpc();
}

/// Outside wasm there is no Lapce: the tests bring a host of their own.
#[cfg(not(target_arch = "wasm32"))]
unsafe fn host_handle_rpc() {}

struct Lapce;

impl Host for Lapce {
    fn hand_over(&mut self, message: &Json) -> Option<String> {
        // Whole, then flushed: Lapce takes everything on stdout for one message.
        let mut out = io::stdout().lock();
        let line = format!("{}\n", message);
        out.write_all(line.as_bytes()).and_then(|()| out.flush()).ok()?;
        unsafe { host_handle_rpc() };
        let answered = message.get("method").is_some() && message.get("id").is_some();
        if answered {
            read_line()
        } else {
            None
        }
    }

    fn variable(&self, name: &str) -> Option<String> {
        std::env::var(name).ok().filter(|value| !value.is_empty())
    }

    fn file(&self, name: &str) -> Option<Result<String, String>> {
        match std::fs::read_to_string(name) {
            Ok(content) => Some(Ok(content)),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => Some(Err(error.to_string())),
        }
    }
}

fn read_line() -> Option<String> {
    let mut line = String::new();
    let read = io::stdin().read_line(&mut line).ok()?;
    (read > 0).then_some(line)
}

/// Called by Lapce for each message that it has written.
#[no_mangle]
pub extern "C" fn handle_rpc() {
    thread_local! {
        static VOLT: std::cell::RefCell<Volt<Lapce>> = std::cell::RefCell::new(Volt::new(Lapce));
    }
    if let Some(line) = read_line() {
        VOLT.with(|volt| volt.borrow_mut().handle(&line));
    }
}

/// Never called: a program has to have one.
fn main() {}
