//! Where the program may be. Looks at nothing itself: takes the environment, gives candidates.
//!
//! An editor that was started from a desktop lacks the shell's PATH, so the folders into which pipx,
//! uv and the README's command install are looked at too. No place can be set in Lapce's settings:
//! a workspace's are mixed into them, and could name a program of its own.

/// One line in the plugin's folder names a program instead; a workspace cannot write there.
pub const PATH_FILE: &str = "/server-path";

const NAME: &str = "ai-sidecar";

#[derive(Debug, PartialEq)]
pub struct Place {
    /// What the operating system is asked to run.
    pub program: String,
    /// What Lapce is asked to start: `urn:` is looked up on PATH, `file:` is a path.
    pub uri: String,
}

impl Place {
    pub fn on_path() -> Place {
        Place { program: NAME.to_string(), uri: format!("urn:{}", NAME) }
    }

    /// None unless `path` is absolute: a relative one would be the workspace's to supply.
    pub fn at(path: &str, windows: bool) -> Option<Place> {
        let path = path.trim();
        let uri = if !windows && path.starts_with('/') {
            format!("file://{}", encoded(path))
        } else if windows && path.get(1..3).map_or(false, |start| start == ":\\" || start == ":/") {
            format!("file:///{}", encoded(&path.replace('\\', "/")))
        } else {
            return None;
        };
        Some(Place { program: path.to_string(), uri })
    }
}

/// The places in the order in which they are tried. `variable` reads the environment.
pub fn candidates(system: &str, variable: impl Fn(&str) -> Option<String>) -> Vec<Place> {
    let windows = system == "windows";
    let home = variable(if windows { "USERPROFILE" } else { "HOME" });
    let under = |base: Option<String>, rest: &str| Some(format!("{}{}", base?, rest));
    let data = variable("XDG_DATA_HOME").filter(|path| path.starts_with('/'));
    let paths = match system {
        "windows" => vec![
            under(home, "\\.local\\bin\\ai-sidecar.exe"),
            under(variable("LOCALAPPDATA"), "\\ai-sidecar\\venv\\Scripts\\ai-sidecar.exe"),
        ],
        "macos" => vec![
            under(home.clone(), "/.local/bin/ai-sidecar"),
            under(home, "/Library/Application Support/ai-sidecar/venv/bin/ai-sidecar"),
            Some("/opt/homebrew/bin/ai-sidecar".to_string()),
            Some("/usr/local/bin/ai-sidecar".to_string()),
        ],
        _ => vec![
            under(home.clone(), "/.local/bin/ai-sidecar"),
            under(data.or_else(|| under(home, "/.local/share")), "/ai-sidecar/venv/bin/ai-sidecar"),
            Some("/usr/local/bin/ai-sidecar".to_string()),
        ],
    };
    let known = paths.into_iter().flatten().filter_map(|path| Place::at(&path, windows));
    std::iter::once(Place::on_path()).chain(known).collect()
}

/// Percent-encodes what a URI's path cannot hold (RFC 3986, section 3.3).
fn encoded(path: &str) -> String {
    let mut uri = String::new();
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"/-._~!$&'()*+,;=:@".contains(&byte) {
            uri.push(byte as char);
        } else {
            uri.push_str(&format!("%{:02X}", byte));
        }
    }
    uri
}

/// The path that a `file:` URI names; None for any other.
pub fn path_of(uri: &str) -> Option<String> {
    let mut rest = uri.strip_prefix("file://")?.bytes();
    let mut path = Vec::new();
    while let Some(byte) = rest.next() {
        path.push(match byte {
            b'%' => {
                let digits = [rest.next()?, rest.next()?];
                u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
            }
            other => other,
        });
    }
    let path = String::from_utf8(path).ok()?;
    // A drive's letter comes after a slash that is the URI's alone.
    let drive = path.get(2..3) == Some(":");
    Some(if drive { path[1..].to_string() } else { path })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uris(system: &str, environment: &[(&str, &str)]) -> Vec<String> {
        let variable = |name: &str| {
            let found = environment.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| value.to_string())
        };
        candidates(system, variable).into_iter().map(|place| place.uri).collect()
    }

    #[test]
    fn path_comes_first_and_then_where_installers_put_it() {
        assert_eq!(
            uris("linux", &[("HOME", "/home/ä b")]),
            [
                "urn:ai-sidecar",
                "file:///home/%C3%A4%20b/.local/bin/ai-sidecar",
                "file:///home/%C3%A4%20b/.local/share/ai-sidecar/venv/bin/ai-sidecar",
                "file:///usr/local/bin/ai-sidecar",
            ]
        );
        assert_eq!(
            uris(
                "windows",
                &[("USERPROFILE", "C:\\Users\\u"), ("LOCALAPPDATA", "C:\\Users\\u\\L")]
            ),
            [
                "urn:ai-sidecar",
                "file:///C:/Users/u/.local/bin/ai-sidecar.exe",
                "file:///C:/Users/u/L/ai-sidecar/venv/Scripts/ai-sidecar.exe",
            ]
        );
        assert_eq!(
            uris("macos", &[("HOME", "/Users/u")])[2],
            "file:///Users/u/Library/Application%20Support/ai-sidecar/venv/bin/ai-sidecar"
        );
    }

    #[test]
    fn without_an_environment_path_is_left() {
        assert_eq!(uris("windows", &[]), ["urn:ai-sidecar"]);
        let relative = [("HOME", "home"), ("XDG_DATA_HOME", "data")];
        assert_eq!(
            uris("linux", &relative),
            ["urn:ai-sidecar", "file:///usr/local/bin/ai-sidecar"]
        );
    }

    #[test]
    fn a_path_must_be_absolute() {
        for path in ["ai-sidecar", "./x", "", "C:\\x", "~/x"] {
            assert_eq!(Place::at(path, false), None, "{}", path);
        }
        for path in ["/x", "x", "C:x", "\\\\server\\x"] {
            assert_eq!(Place::at(path, true), None, "{}", path);
        }
        assert_eq!(Place::at(" /opt/a#b\n", false).unwrap().uri, "file:///opt/a%23b");
    }

    #[test]
    fn a_uri_is_read_as_it_is_written() {
        for path in ["/home/ä b/50%/x", "/"] {
            assert_eq!(path_of(&Place::at(path, false).unwrap().uri).as_deref(), Some(path));
        }
        assert_eq!(path_of("file:///C:/a%20b").as_deref(), Some("C:/a b"));
        for uri in ["http://x", "file:///a%2", "file:///%zz", "file:///%ff"] {
            assert_eq!(path_of(uri), None, "{}", uri);
        }
    }
}
