//! Which of the plugin's settings reach the server, and as what. Knows nothing of Lapce's messages.
//!
//! Lapce gives a plugin the user's settings and the workspace's (`.lapce/settings.toml`) as one, and
//! does not say which is whose: whoever wrote the code that is open may have written any of them. So
//! only what a workspace may decide goes on: which of the configured providers and models answers, and
//! less completion than the user has. Where keys go is settled in ai-sidecar's own configuration, and
//! so is everything that this cannot tell to be a restriction: a larger delay, a list of files.

use crate::json::{object, Json};

pub struct Forwarded {
    /// The server's initializationOptions.
    pub options: Json,
    /// The paths of settings that were left out.
    pub refused: Vec<String>,
}

/// Sorts the plugin's initializationOptions, which is null where nothing is set.
pub fn forward(settings: &Json) -> Forwarded {
    let mut options = Vec::new();
    let mut refused = Vec::new();
    let settings = nested(settings);
    for (key, value) in settings.members() {
        let kept = match key.as_str() {
            "default" => default(value, &mut refused),
            "providers" => providers(value, &mut refused),
            "inline" => inline(value, &mut refused),
            _ => {
                refused.push(key.clone());
                None
            }
        };
        if let Some(kept) = kept {
            options.push((key.clone(), kept));
        }
    }
    Forwarded { options: Json::Object(options), refused }
}

/// Makes `{"a.b": 1}` into `{"a": {"b": 1}}`: both are written in settings.toml.
fn nested(settings: &Json) -> Json {
    let mut whole = object([]);
    for (path, value) in settings.members() {
        let parts: Vec<&str> = path.split('.').collect();
        put(&mut whole, &parts, nested_value(value));
    }
    whole
}

fn nested_value(value: &Json) -> Json {
    match value {
        Json::Object(_) => nested(value),
        other => other.clone(),
    }
}

fn put(target: &mut Json, path: &[&str], value: Json) {
    if !matches!(target, Json::Object(_)) {
        *target = object([]);
    }
    if let (Json::Object(members), Some((first, rest))) = (target, path.split_first()) {
        let index = members.iter().position(|(key, _)| key == first).unwrap_or_else(|| {
            members.push((first.to_string(), Json::Null));
            members.len() - 1
        });
        match (&mut members[index].1, value) {
            (place, value) if !rest.is_empty() => put(place, rest, value),
            (place @ Json::Object(_), Json::Object(inner)) => {
                inner.into_iter().for_each(|(key, value)| put(place, &[&key], value));
            }
            (place, value) => *place = value,
        }
    }
}

/// An empty text is the setting's default and says nothing.
fn default(value: &Json, refused: &mut Vec<String>) -> Option<Json> {
    match value.as_str() {
        Some("") => None,
        Some(_) => Some(value.clone()),
        None => refuse(refused, "default"),
    }
}

/// Of each provider, the model.
fn providers(value: &Json, refused: &mut Vec<String>) -> Option<Json> {
    let mut kept = Vec::new();
    for (name, settings) in value.members() {
        for (key, value) in settings.members() {
            match value.as_str() {
                Some("") if key == "model" => {}
                Some(_) if key == "model" => {
                    kept.push((name.clone(), object([("model", value.clone())])));
                }
                _ => refused.push(format!("providers.{}.{}", name, key)),
            }
        }
    }
    (!kept.is_empty()).then_some(Json::Object(kept))
}

/// Only what switches it off. `true` is the default and says nothing: the user file may say false.
fn inline(value: &Json, refused: &mut Vec<String>) -> Option<Json> {
    let mut kept = Vec::new();
    for (key, value) in value.members() {
        match (key.as_str(), value) {
            ("enabled", Json::Bool(true)) => {}
            ("enabled", Json::Bool(false)) => kept.push((key.clone(), value.clone())),
            ("languages", Json::Object(languages)) => {
                let off = languages.iter().filter(|(_, on)| *on == Json::Bool(false));
                let off: Vec<(String, Json)> = off.cloned().collect();
                for (language, on) in languages {
                    if !matches!(on, Json::Bool(_)) {
                        refused.push(format!("inline.languages.{}", language));
                    }
                }
                if !off.is_empty() {
                    kept.push((key.clone(), Json::Object(off)));
                }
            }
            _ => refused.push(format!("inline.{}", key)),
        }
    }
    (!kept.is_empty()).then_some(Json::Object(kept))
}

fn refuse(refused: &mut Vec<String>, path: &str) -> Option<Json> {
    refused.push(path.to_string());
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::parse;

    fn forwarded(settings: &str) -> (String, Vec<String>) {
        let found = forward(&parse(settings).unwrap());
        (found.options.to_string(), found.refused)
    }

    fn nothing_refused(options: &str) -> (String, Vec<String>) {
        (options.to_string(), vec![])
    }

    #[test]
    fn the_defaults_say_nothing() {
        assert_eq!(forwarded("null"), nothing_refused("{}"));
        let defaults = r#"{"default": "", "inline": {"enabled": true}}"#;
        assert_eq!(forwarded(defaults), nothing_refused("{}"));
    }

    #[test]
    fn what_a_workspace_may_choose_goes_on() {
        let settings = r#"{"default": "ollama/größe", "providers": {"ollama": {"model": "m"}},
            "inline": {"enabled": false, "languages": {"markdown": false, "rust": true}}}"#;
        let options = concat!(
            r#"{"default":"ollama/größe","providers":{"ollama":{"model":"m"}},"#,
            r#""inline":{"enabled":false,"languages":{"markdown":false}}}"#
        );
        assert_eq!(forwarded(settings), nothing_refused(options));
    }

    #[test]
    fn dotted_names_are_tables() {
        let settings = r#"{"inline.enabled": false, "inline": {"languages.go": false},
            "providers.openai.model": "gpt-5", "providers.openai": {"baseUrl": "http://evil"}}"#;
        let (options, refused) = forwarded(settings);
        let expected = concat!(
            r#"{"inline":{"enabled":false,"languages":{"go":false}},"#,
            r#""providers":{"openai":{"model":"gpt-5"}}}"#
        );
        assert_eq!(options, expected);
        assert_eq!(refused, ["providers.openai.baseUrl"]);
    }

    #[test]
    fn nothing_else_does() {
        let settings = r#"{
            "providers": {"openai": {"apiKey": "k", "baseUrl": "https://evil", "headers": {"a": "b"},
                "kind": "openai-compatible", "model": ["m"]}, "x": "y"},
            "http": {"proxy": "http://evil"}, "fallback": {"chain": ["x"]}, "serverPath": "/tmp/evil",
            "inline": {"ignore": [], "debounceMs": 0, "maxTokens": 9, "provider": "p", "model": "m",
                "mode": "fim", "enabled": "no", "languages": {"x": 1}, "fimTemplate": "t"},
            "default": 1}"#;
        let (options, refused) = forwarded(settings);
        assert_eq!(options, "{}");
        assert_eq!(
            refused,
            [
                "providers.openai.apiKey",
                "providers.openai.baseUrl",
                "providers.openai.headers",
                "providers.openai.kind",
                "providers.openai.model",
                "http",
                "fallback",
                "serverPath",
                "inline.ignore",
                "inline.debounceMs",
                "inline.maxTokens",
                "inline.provider",
                "inline.model",
                "inline.mode",
                "inline.enabled",
                "inline.languages.x",
                "inline.fimTemplate",
                "default",
            ]
        );
    }

    #[test]
    fn settings_that_are_no_table_are_none() {
        for settings in ["[]", "1", "\"x\"", "{\"providers\": 3, \"inline\": []}"] {
            assert_eq!(forwarded(settings), nothing_refused("{}"));
        }
    }
}
