//! JSON, as much of it as the conversation with Lapce needs. Knows nothing of that conversation.
//!
//! Numbers stay the text they were, so that an id goes back exactly as it came.

use std::fmt::{self, Write};

/// How deep arrays and objects may be nested: settings are shallow, and the stack of wasm is small.
const DEPTH: usize = 64;

#[derive(Clone, Debug, PartialEq)]
pub enum Json {
    Null,
    Bool(bool),
    Number(String),
    Text(String),
    List(Vec<Json>),
    /// In the order in which they were written.
    Object(Vec<(String, Json)>),
}

pub fn text(value: &str) -> Json {
    Json::Text(value.to_string())
}

pub fn object<const N: usize>(members: [(&str, Json); N]) -> Json {
    Json::Object(members.into_iter().map(|(key, value)| (key.to_string(), value)).collect())
}

impl Json {
    /// The member `key` of an object; of two with one name, the last.
    pub fn get(&self, key: &str) -> Option<&Json> {
        match self {
            Json::Object(members) => members.iter().rev().find(|(k, _)| k == key).map(|(_, v)| v),
            _ => None,
        }
    }

    pub fn as_str(&self) -> Option<&str> {
        match self {
            Json::Text(value) => Some(value),
            _ => None,
        }
    }

    /// The members of an object; none for anything else.
    pub fn members(&self) -> &[(String, Json)] {
        match self {
            Json::Object(members) => members,
            _ => &[],
        }
    }

    /// The list of numbers from 0 to 255 that stands for bytes in Lapce's messages, as text.
    pub fn bytes_as_text(&self) -> Option<String> {
        match self {
            Json::List(items) => {
                let bytes = items.iter().map(|item| match item {
                    Json::Number(digits) => digits.parse::<u8>().ok(),
                    _ => None,
                });
                let bytes: Option<Vec<u8>> = bytes.collect();
                Some(String::from_utf8_lossy(&bytes?).into_owned())
            }
            _ => None,
        }
    }
}

impl fmt::Display for Json {
    /// On one line: a line break within a text is escaped.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Json::Null => out.write_str("null"),
            Json::Bool(value) => write!(out, "{}", value),
            Json::Number(digits) => out.write_str(digits),
            Json::Text(value) => write_text(out, value),
            Json::List(items) => {
                out.write_char('[')?;
                for (index, item) in items.iter().enumerate() {
                    write!(out, "{}{}", if index > 0 { "," } else { "" }, item)?;
                }
                out.write_char(']')
            }
            Json::Object(members) => {
                out.write_char('{')?;
                for (index, (key, value)) in members.iter().enumerate() {
                    out.write_str(if index > 0 { "," } else { "" })?;
                    write_text(out, key)?;
                    write!(out, ":{}", value)?;
                }
                out.write_char('}')
            }
        }
    }
}

fn write_text(out: &mut fmt::Formatter<'_>, value: &str) -> fmt::Result {
    out.write_char('"')?;
    for character in value.chars() {
        match character {
            '"' => out.write_str("\\\"")?,
            '\\' => out.write_str("\\\\")?,
            control if control < ' ' => write!(out, "\\u{:04x}", control as u32)?,
            other => out.write_char(other)?,
        }
    }
    out.write_char('"')
}

/// Reads one value. The error says what was expected, and at which byte.
pub fn parse(source: &str) -> Result<Json, String> {
    let mut reader = Reader { source, at: 0 };
    let value = reader.value(0)?;
    reader.skip_space();
    if reader.at < source.len() {
        return reader.wrong("the end");
    }
    Ok(value)
}

struct Reader<'a> {
    source: &'a str,
    at: usize,
}

impl Reader<'_> {
    fn wrong<T>(&self, expected: &str) -> Result<T, String> {
        Err(format!("expected {} at byte {}", expected, self.at))
    }

    fn rest(&self) -> &str {
        &self.source[self.at..]
    }

    fn skip_space(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start_matches(|c| " \t\r\n".contains(c)).len();
    }

    /// Goes past `word` if it is what comes next.
    fn take(&mut self, word: &str) -> bool {
        let found = self.rest().starts_with(word);
        if found {
            self.at += word.len();
        }
        found
    }

    fn value(&mut self, depth: usize) -> Result<Json, String> {
        if depth > DEPTH {
            return self.wrong("less nesting");
        }
        self.skip_space();
        match self.rest().chars().next() {
            Some('{') => self.object(depth),
            Some('[') => self.list(depth),
            Some('"') => Ok(Json::Text(self.text()?)),
            Some('-' | '0'..='9') => self.number(),
            _ if self.take("null") => Ok(Json::Null),
            _ if self.take("true") => Ok(Json::Bool(true)),
            _ if self.take("false") => Ok(Json::Bool(false)),
            _ => self.wrong("a value"),
        }
    }

    fn object(&mut self, depth: usize) -> Result<Json, String> {
        self.at += 1;
        let mut members = Vec::new();
        self.skip_space();
        if self.take("}") {
            return Ok(Json::Object(members));
        }
        loop {
            self.skip_space();
            if !self.rest().starts_with('"') {
                return self.wrong("a name");
            }
            let key = self.text()?;
            self.skip_space();
            if !self.take(":") {
                return self.wrong("':'");
            }
            members.push((key, self.value(depth + 1)?));
            self.skip_space();
            if self.take("}") {
                return Ok(Json::Object(members));
            }
            if !self.take(",") {
                return self.wrong("',' or '}'");
            }
        }
    }

    fn list(&mut self, depth: usize) -> Result<Json, String> {
        self.at += 1;
        let mut items = Vec::new();
        self.skip_space();
        if self.take("]") {
            return Ok(Json::List(items));
        }
        loop {
            items.push(self.value(depth + 1)?);
            self.skip_space();
            if self.take("]") {
                return Ok(Json::List(items));
            }
            if !self.take(",") {
                return self.wrong("',' or ']'");
            }
        }
    }

    fn number(&mut self) -> Result<Json, String> {
        let rest = self.rest();
        let end = rest.find(|c: char| !(c.is_ascii_digit() || "+-.eE".contains(c)));
        let digits = rest[..end.unwrap_or(rest.len())].to_string();
        if digits.parse::<f64>().is_err() {
            return self.wrong("a number");
        }
        self.at += digits.len();
        Ok(Json::Number(digits))
    }

    fn text(&mut self) -> Result<String, String> {
        self.at += 1;
        let mut value = String::new();
        loop {
            let character = match self.rest().chars().next() {
                Some(character) => character,
                None => return self.wrong("'\"'"),
            };
            match character {
                '"' => {
                    self.at += 1;
                    return Ok(value);
                }
                '\\' => value.push(self.escape()?),
                control if control < ' ' => return self.wrong("no control character"),
                other => {
                    value.push(other);
                    self.at += other.len_utf8();
                }
            }
        }
    }

    fn escape(&mut self) -> Result<char, String> {
        self.at += 1;
        let letter = match self.rest().chars().next() {
            Some(letter) => letter,
            None => return self.wrong("an escape"),
        };
        let found = match letter {
            '"' | '\\' | '/' => letter,
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => return self.unicode_escape(),
            _ => return self.wrong("an escape"),
        };
        self.at += 1;
        Ok(found)
    }

    /// `\uXXXX`, or two of them that are one character; a half alone becomes U+FFFD.
    fn unicode_escape(&mut self) -> Result<char, String> {
        let first = self.code_unit()?;
        if (0xD800..0xDC00).contains(&first) && self.rest().starts_with("\\u") {
            let before = self.at;
            self.at += 1;
            let second = self.code_unit()?;
            if (0xDC00..0xE000).contains(&second) {
                let code = 0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00);
                return Ok(char::from_u32(code).unwrap_or('\u{FFFD}'));
            }
            self.at = before;
        }
        Ok(char::from_u32(first).unwrap_or('\u{FFFD}'))
    }

    /// The four digits after the `u` that comes next.
    fn code_unit(&mut self) -> Result<u32, String> {
        let digits = self.rest().get(1..5).unwrap_or("");
        if digits.len() != 4 || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            return self.wrong("four hexadecimal digits");
        }
        let unit = u32::from_str_radix(digits, 16);
        self.at += 5;
        unit.map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn again(source: &str) -> String {
        parse(source).map_or_else(|error| error, |value| value.to_string())
    }

    #[test]
    fn what_was_read_is_written_on_one_line() {
        let source =
            " {\"a\" : [1, -2.5e3, null, true,false, {}, []],\n\"é\\n\":\"\\\"\\\\\\/\\t\"} ";
        assert_eq!(
            again(source),
            "{\"a\":[1,-2.5e3,null,true,false,{},[]],\"é\\u000a\":\"\\\"\\\\/\\u0009\"}"
        );
    }

    #[test]
    fn escaped_halves_are_joined_and_a_half_alone_is_replaced() {
        assert_eq!(again(r#""\ud83d\ude00""#), "\"😀\"");
        assert_eq!(again(r#""\ud83dx""#), "\"\u{FFFD}x\"");
        assert_eq!(again(r#""\ud83d\u0041\ude00""#), "\"\u{FFFD}A\u{FFFD}\"");
        assert_eq!(again(r#""\u00e9""#), "\"é\"");
    }

    #[test]
    fn what_is_no_json_is_told_with_its_place() {
        for (source, error) in [
            ("", "expected a value at byte 0"),
            ("{\"a\" 1}", "expected ':' at byte 5"),
            ("{a:1}", "expected a name at byte 1"),
            ("[1 2]", "expected ',' or ']' at byte 3"),
            ("[1,]", "expected a value at byte 3"),
            ("{\"a\":1,}", "expected a name at byte 7"),
            ("\"a", "expected '\"' at byte 2"),
            ("\"\\ud83\"", "expected four hexadecimal digits at byte 2"),
            ("\"\\u+123\"", "expected four hexadecimal digits at byte 2"),
            ("\"\\ué123\"", "expected four hexadecimal digits at byte 2"),
            ("\"\\x\"", "expected an escape at byte 2"),
            ("\"\n\"", "expected no control character at byte 1"),
            ("1-", "expected a number at byte 0"),
            ("1 1", "expected the end at byte 2"),
        ] {
            assert_eq!(again(source), error, "{}", source);
        }
    }

    #[test]
    fn nesting_ends_before_the_stack_does() {
        let deep = "[".repeat(100_000);
        assert_eq!(again(&deep), "expected less nesting at byte 65");
    }

    #[test]
    fn of_two_members_with_one_name_the_last_counts() {
        assert_eq!(parse("{\"a\":1,\"a\":2}").unwrap().get("a"), Some(&Json::Number("2".into())));
    }

    #[test]
    fn bytes_are_text() {
        assert_eq!(parse("[97,195,169]").unwrap().bytes_as_text().as_deref(), Some("aé"));
        assert_eq!(parse("[256]").unwrap().bytes_as_text(), None);
        assert_eq!(parse("null").unwrap().bytes_as_text(), None);
    }
}
