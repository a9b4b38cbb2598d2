//! Text from outside: names, reasons and lines that files and other programs contain, as text and nothing else. A
//! character that moves a cursor, ends a line, turns the direction of writing or cannot be seen is replaced.
//!
//! Owns which characters these are. Each renderer escapes the markup of its own format besides.

use std::borrow::Cow;

/// What is shown instead of a character that cannot be shown; `None` if it can. White space becomes a space, a control
/// character its picture, and what turns the direction of writing (Unicode, "Bidirectional Character Types") or cannot
/// be in an XML document the replacement character.
fn shown(c: char) -> Option<char> {
    match c {
        '\t' | '\n' | '\x0b' | '\x0c' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}' => Some(' '),
        '\0'..='\x1f' => char::from_u32(0x2400 + c as u32),
        '\x7f' => Some('\u{2421}'),
        '\u{80}'..='\u{9f}'
        | '\u{61c}'
        | '\u{200e}'
        | '\u{200f}'
        | '\u{202a}'..='\u{202e}'
        | '\u{2066}'..='\u{2069}'
        | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}'
        | '\u{fffe}'
        | '\u{ffff}'
        | '\u{e0000}'..='\u{e007f}' => Some(char::REPLACEMENT_CHARACTER),
        _ => None,
    }
}

/// A text on one line.
pub fn line(text: &str) -> Cow<'_, str> {
    replaced(text, |_| false)
}

/// A text of several lines, which keeps line feeds and tabs.
pub fn lines(text: &str) -> Cow<'_, str> {
    replaced(text, |c| matches!(c, '\n' | '\t'))
}

fn replaced(text: &str, kept: impl Fn(char) -> bool) -> Cow<'_, str> {
    let wrong = |c| !kept(c) && shown(c).is_some();
    if !text.contains(wrong) {
        return Cow::Borrowed(text);
    }
    let new = |c| if kept(c) { c } else { shown(c).unwrap_or(c) };
    text.chars().map(new).collect()
}

/// A text for a terminal: several lines, in which only the colours and weights of our own tables remain
/// (`ESC [ numbers m`).
pub fn screen(text: &str) -> Cow<'_, str> {
    if !text.contains('\x1b') {
        return lines(text);
    }
    let mut parts = text.split('\x1b');
    let mut screen = lines(parts.next().unwrap_or_default()).into_owned();
    for part in parts {
        let digits = |c: char| c.is_ascii_digit() || c == ';';
        let styles = part.strip_prefix('[');
        let styles = styles.is_some_and(|it| it.trim_start_matches(digits).starts_with('m'));
        screen.push(if styles { '\x1b' } else { '\u{241b}' });
        screen += &lines(part);
    }
    Cow::Owned(screen)
}

/// The text of a JSON document, with escapes for what JSON allows in strings and [`line()`] would replace.
pub fn json(text: &str) -> Cow<'_, str> {
    let wrong = |c: char| !matches!(c, '\n' | '\t') && shown(c).is_some();
    if !text.contains(wrong) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match wrong(c) {
            false => escaped.push(c),
            true => {
                let mut units = [0; 2];
                let units = c.encode_utf16(&mut units).iter();
                escaped.extend(units.map(|unit| format!("\\u{unit:04x}")));
            }
        }
    }
    Cow::Owned(escaped)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_that_can_be_shown_stays() {
        for text in [
            "",
            "Prüfung ≈ 3 µs",
            "a\u{a0}b",
            "ERC20._transfer (ERC20.sol:62)",
            "👍",
        ] {
            assert!(matches!(line(text), Cow::Borrowed(same) if same == text));
            assert!(matches!(screen(text), Cow::Borrowed(same) if same == text));
            assert!(matches!(json(text), Cow::Borrowed(same) if same == text));
        }
        assert_eq!(lines("a\n\tb\n"), "a\n\tb\n");
    }

    #[test]
    fn what_a_terminal_or_a_reader_would_obey_is_replaced() {
        assert_eq!(line("a\nb\r\tc\u{2028}d"), "a b  c d");
        assert_eq!(line("\x1b[2J\0\x7f"), "␛[2J␀␡");
        assert_eq!(
            line("\u{9b}2J \u{202e}txt.exe\u{2066}"),
            "\u{fffd}2J \u{fffd}txt.exe\u{fffd}"
        );
        assert_eq!(
            line("\u{feff}\u{ffff}\u{e0041}"),
            "\u{fffd}\u{fffd}\u{fffd}"
        );
        assert_eq!(lines("a\r\n\x08b"), "a \n␈b");
    }

    #[test]
    fn a_screen_keeps_colours_alone() {
        assert_eq!(screen("\x1b[1;31mred\x1b[0m\n"), "\x1b[1;31mred\x1b[0m\n");
        for (hostile, shown) in [
            ("\x1b[2J", "␛[2J"),
            ("\x1b]0;title\x07", "␛]0;title␇"),
            ("\x1b[31;", "␛[31;"),
            ("\x1b\x1b[0m", "␛\x1b[0m"),
            ("\x1b[?1049h\u{202e}", "␛[?1049h\u{fffd}"),
        ] {
            assert_eq!(screen(hostile), shown);
        }
    }

    #[test]
    fn json_keeps_every_character() {
        let text = serde_json::to_string(&["\u{202e}x\u{e0041}\u{feff}\x1b\x7f"]).unwrap();
        let escaped = json(&text);
        assert_eq!(escaped, r#"["\u202ex\udb40\udc41\ufeff\u001b\u007f"]"#);
        let [read]: [String; 1] = serde_json::from_str(&escaped).unwrap();
        assert_eq!(read, "\u{202e}x\u{e0041}\u{feff}\x1b\x7f");
    }
}
