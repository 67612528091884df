//! The `style` of an element of a stranger's HTML, before `ammonia` looks at which of its properties stay.
//!
//! Much mail says what a text stands on by the shorthand `background`, which can name a picture and is not among them: white
//! text on blue came out white on white. So its colour is said by a property that stays, where the same style says the text's
//! colour, too. Where that is in a style sheet it is lost with it, and the ground must be: a text of no colour is dark.

use std::borrow::Cow;

use cssparser::{
    Delimiter, ParseError, Parser, Token,
    color::{parse_hash_color, parse_named_color},
};

/// What is seen less is a veil, and no ground.
const HALF: f32 = 0.5;

/// The style as it is, after the colour of its ground where that would be lost.
pub fn kept(style: &str) -> Cow<'_, str> {
    let mut input = Parser::new(style);
    let (mut ground, mut has_text) = (None, false);
    while !input.is_exhausted() {
        // What cannot be read is nothing to a browser.
        let Ok((name, colour)) = input.parse_until_after(Delimiter::Semicolon, declaration) else { continue };
        match name.as_str() {
            "background" => ground = colour,
            "color" => has_text = colour.is_some(),
            _ => {}
        }
    }
    match ground.filter(|_| has_text) {
        Some(colour) => format!("background-color:{colour};{style}").into(),
        None => style.into(),
    }
}

/// A property in small letters, and the first colour of its value.
fn declaration<'i>(input: &mut Parser<'i>) -> Result<(String, Option<String>), ParseError<()>> {
    let name = input.expect_ident()?.to_ascii_lowercase();
    input.expect_colon()?;
    let mut found = None;
    while let Ok(token) = input.next().cloned() {
        let colour = match token {
            Token::Hash(digits) | Token::IDHash(digits) => parse_hash_color(digits.as_bytes())
                .ok()
                .filter(|(_, _, _, opacity)| *opacity >= HALF)
                .map(|_| format!("#{digits}")),
            Token::Ident(name) => parse_named_color(&name).ok().map(|_| name.to_ascii_lowercase()),
            Token::Function(name) => {
                let name = name.to_ascii_lowercase();
                input.parse_nested_block(|input| Ok(of_function(&name, input)))?
            }
            _ => None,
        };
        found = found.or(colour);
    }
    Ok((name, found))
}

/// `rgb(…)` and `hsl(…)` of plain numbers, which are written anew.
fn of_function(name: &str, input: &mut Parser<'_>) -> Option<String> {
    let mut parts = Vec::new();
    let mut opacity = 1.0;
    while let Ok(token) = input.next() {
        let (part, number) = match token {
            Token::Number { value, .. } => (value.to_string(), *value),
            Token::Percentage { unit_value, .. } => (format!("{}%", unit_value * 100.0), *unit_value),
            Token::Comma | Token::Delim('/') => continue,
            _ => return None,
        };
        if parts.len() == 3 {
            opacity = number;
        }
        parts.push(part);
    }
    let is_colour = matches!(name, "rgb" | "rgba" | "hsl" | "hsla") && matches!(parts.len(), 3 | 4);
    (is_colour && opacity >= HALF).then(|| format!("{name}({})", parts.join(",")))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_ground_keeps_its_colour_where_the_text_on_it_has_one() {
        for (style, ground) in [
            ("background:#123456;color:#fff", "#123456"),
            ("BACKGROUND: White url('https://x.example/a.png') no-repeat; COLOR: navy", "white"),
            ("color:#fff;background:url(https://x.example/a;b.png) #333", "#333"),
            ("background: rgb(10, 20, 30) none !important;color:rgb(255 255 255)", "rgb(10,20,30)"),
            ("background:rgba(0,0,0,.8);color:hsl(0,0%,100%)", "rgba(0,0,0,0.8)"),
            ("x;y:(;color:red;background:#000;color:#fff", ""),
            ("background:#000;background:#111;color:#fff", "#111"),
            // Of these a text of another colour, or none, would not be seen, or there is none.
            ("background:#222", ""),
            ("background:#222;color:var(--white)", ""),
            ("background:#222;color:", ""),
            ("background:rgba(0,0,0,.2);color:#fff", ""),
            ("background:#0003;color:#fff", ""),
            ("background:transparent;color:#fff", ""),
            ("background:none;color:#fff", ""),
            ("background:linear-gradient(#222,#fff);color:#333", ""),
            ("background:url(https://x.example/a.png);color:#fff", ""),
            ("background-color:#123;color:#fff", ""),
            ("background:rgb(1,2,url(https://x.example/a));color:#fff", ""),
            ("", ""),
        ] {
            let expected = if ground.is_empty() {
                style.to_owned()
            } else {
                format!("background-color:{ground};{style}")
            };
            assert_eq!(kept(style), expected, "{style}");
        }
        let deep = format!("color:#fff;background:{}#000", "(".repeat(100_000));
        assert_eq!(kept(&deep), deep);
    }

    proptest! {
        #[test]
        fn nothing_but_a_colour_is_added(style in "(background|color|[:;#(),/\\\\'\" ]|url\\(|rgb\\(|#fff|red|[0-9a-f]|\\PC){0,40}") {
            let kept = kept(&style);
            let added = kept.strip_suffix(&*style).expect("it is there as it was");
            let is_plain = |c: char| c.is_ascii_alphanumeric() || "#(),.%-+:;".contains(c);
            prop_assert!(added.chars().all(is_plain) && !added.contains("url"), "{}", added);
        }
    }
}
