//! The `style` of an element of a stranger's HTML, before `ammonia` looks at which of its properties stay: what text stands
//! on is kept, and nothing in it names a picture.
//!
//! What a style paints by a picture is lost, for none is fetched by one. A text in a colour that was chosen for it would then
//! not be seen, such as white on a photograph. So the colour of a ground is taken out of whatever paints it; where there is
//! none, the ground is one on which the element's text can be read. So is the text, where its colour is in a style sheet and
//! is lost with that.

use cssparser::{
    BasicParseErrorKind, Delimiter, ParseError, ParseErrorKind, Parser, Token,
    color::{parse_hash_color, parse_named_color},
};

/// In the place of a picture, under light text and under dark.
const DARK: &str = "#333";
const LIGHT: &str = "#fff";
/// From here on, a text is light: of 255.
const BRIGHT: f32 = 128.0;
/// No ground.
const CLEAR: Colour<'static> = Colour { text: "transparent", brightness: None, opacity: 0.0 };
/// What is seen less lets through what is behind it more than it is a ground itself.
const HALF: f32 = 0.5;
/// What a text has that says no colour, on a dark ground; and what it takes again on a light one within that. Elsewhere
/// `--ink` is not there, and then the text is as it would be.
const ON_DARK: &str = "color:#fff;--ink:#1a1c21";
const ON_LIGHT: &str = "color:var(--ink, revert-layer)";

/// The declarations of a style, a ground first, each with its property in small letters. Those that cannot be read, that
/// name a picture, or in which a block holds another one (which `ammonia` writes without its end), are left out.
pub fn kept(style: &str) -> String {
    let mut input = Parser::new(style);
    let mut kept = Kept::default();
    while !input.is_exhausted() {
        match input.parse_until_after(Delimiter::Semicolon, declaration) {
            Ok(declaration) => kept.take(declaration),
            // Where one ends is not known then. Nobody writes such.
            Err(error) if is_too_deep(&error) => return String::new(),
            Err(_) => {}
        }
    }
    kept.written()
}

fn is_too_deep(error: &ParseError<()>) -> bool {
    matches!(error.kind, ParseErrorKind::Basic(BasicParseErrorKind::TooManyNestedBlocks))
}

struct Declaration<'i> {
    name: String,
    value: &'i str,
    said: Said<'i>,
}

/// What there is in a value, or within a function.
#[derive(Default)]
struct Said<'i> {
    /// The first colour that is seen, and the first within something else, such as a gradient.
    colour: Option<Colour<'i>>,
    within: Option<Colour<'i>>,
    /// Whether it has a picture that would be fetched, and whether one of any kind, or what may be one.
    fetches: bool,
    paints: bool,
    /// Whether it has a function or a block, and whether one that holds another one, or is no function.
    has_block: bool,
    nests: bool,
    is_important: bool,
    numbers: Vec<Amount>,
}

#[derive(Clone, Copy)]
enum Amount {
    Number(f32),
    /// A percentage: of one.
    Part(f32),
}

impl Amount {
    /// Which part it is of so much as a number counts to.
    fn of(self, all: f32) -> f32 {
        match self {
            Self::Number(number) => number / all,
            Self::Part(part) => part,
        }
    }
}

#[derive(Clone, Copy)]
struct Colour<'i> {
    text: &'i str,
    /// Of 255, where that can be told.
    brightness: Option<f32>,
    /// Of one.
    opacity: f32,
}

impl<'i> Colour<'i> {
    fn full(text: &'i str) -> Self {
        Self { text, brightness: None, opacity: 1.0 }
    }

    fn is_ground(&self) -> bool {
        self.opacity >= HALF
    }

    /// What a text on it is given, where the text says none itself.
    fn ink(self) -> Option<&'static str> {
        let on_white = self.brightness? * self.opacity + 255.0 * (1.0 - self.opacity);
        self.is_ground().then_some(if on_white < BRIGHT { ON_DARK } else { ON_LIGHT })
    }
}

fn declaration<'i>(input: &mut Parser<'i>) -> Result<Declaration<'i>, ParseError<()>> {
    let name = input.expect_ident()?.to_ascii_lowercase();
    // Its letters may have been written as others that end it.
    if !name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-') {
        return Err(ParseError::unexpected_token());
    }
    input.expect_colon()?;
    input.skip_whitespace();
    let start = input.position();
    let said = look_through(input)?;
    Ok(Declaration { name, value: input.slice_from(start), said })
}

/// # Errors
/// What is in no value that browsers read, and what nests too deeply.
fn look_through<'i>(input: &mut Parser<'i>) -> Result<Said<'i>, ParseError<()>> {
    let mut said = Said::default();
    loop {
        input.skip_whitespace();
        let start = input.position();
        let Ok(token) = input.next().cloned() else { return Ok(said) };
        let found = match &token {
            Token::Hash(digits) | Token::IDHash(digits) => of_digits(digits),
            Token::Ident(name) => parse_named_color(name).ok().map(|rgb| (Some(brightness(rgb)), 1.0)),
            Token::Function(name) => {
                let name = name.to_ascii_lowercase();
                let within = input.parse_nested_block(look_through)?;
                said.fetches |= is_fetched(&name);
                said.paints |= is_fetched(&name) || is_painted(&name);
                let is_plain = !within.has_block && !within.fetches;
                let colour = if is_plain { of_function(&name, &within.numbers) } else { None };
                said.hold(within);
                colour
            }
            Token::ParenthesisBlock | Token::SquareBracketBlock => {
                said.hold(input.parse_nested_block(look_through)?);
                said.nests = true;
                None
            }
            Token::UnquotedUrl(_) => {
                (said.fetches, said.paints) = (true, true);
                None
            }
            Token::Number { value, .. } | Token::Dimension { value, .. } => {
                said.numbers.push(Amount::Number(*value));
                None
            }
            Token::Percentage { unit_value, .. } => {
                said.numbers.push(Amount::Part(*unit_value));
                None
            }
            // What looks like an address may be one, where its quotes are read differently.
            Token::QuotedString(text) => {
                said.fetches |= text.contains(['(', '/']);
                None
            }
            Token::Delim('!') => {
                said.is_important = true;
                None
            }
            // A backslash that stands for itself does so no more where it is written anew.
            Token::CurlyBracketBlock | Token::AtKeyword(_) | Token::Semicolon | Token::Delim('\\') => {
                return Err(ParseError::unexpected_token());
            }
            token if token.is_parse_error() => return Err(ParseError::unexpected_token()),
            _ => None,
        };
        if let Some((brightness, opacity)) = found {
            let text = input.slice_from(start);
            if stands_alone(text) {
                said.colour.get_or_insert(Colour { text, brightness, opacity });
            } else {
                said.paints = true;
            }
        }
    }
}

impl Said<'_> {
    /// Takes over what is said within a function or a block of it.
    fn hold(&mut self, within: Self) {
        self.within = self.within.or(within.colour).or(within.within);
        self.fetches |= within.fetches;
        self.paints |= within.paints;
        self.nests |= within.has_block;
        self.has_block = true;
    }
}

/// Whether a colour means the same wherever it is written. One that the style's end ends, or that hides what it is, takes in
/// what follows it.
fn stands_alone(colour: &str) -> bool {
    (!colour.contains('(') || colour.ends_with(')')) && !colour.contains(['"', '\'', '\\', '*'])
}

/// Of a colour that is seen, how bright it is, where that can be told, and how much of it is seen. So of those below.
fn of_digits(digits: &str) -> Option<(Option<f32>, f32)> {
    let (red, green, blue, opacity) = parse_hash_color(digits.as_bytes()).ok()?;
    (opacity > 0.0).then(|| (Some(brightness((red, green, blue))), opacity))
}

fn of_function(name: &str, numbers: &[Amount]) -> Option<(Option<f32>, f32)> {
    let opacity = if let [_, _, _, opacity] = numbers { opacity.of(1.0).min(1.0) } else { 1.0 };
    if opacity <= 0.0 {
        return None;
    }
    let brightness = match (name, numbers) {
        ("rgb" | "rgba", [red, green, blue, ..]) => {
            let [red, green, blue] = [red, green, blue].map(|part| part.of(255.0) * 255.0);
            Some(weighed(red, green, blue))
        }
        ("hsl" | "hsla", [_, _, lightness, ..]) => Some(lightness.of(100.0) * 255.0),
        ("hwb" | "lab" | "lch" | "oklab" | "oklch" | "color" | "color-mix" | "light-dark", _) => None,
        _ => return None,
    };
    Some((brightness, opacity))
}

fn brightness((red, green, blue): (u8, u8, u8)) -> f32 {
    weighed(red.into(), green.into(), blue.into())
}

/// As eyes weigh them (ITU-R BT.601).
fn weighed(red: f32, green: f32, blue: f32) -> f32 {
    0.299 * red + 0.587 * green + 0.114 * blue
}

/// Whether a function names a picture that a browser fetches (CSS Images 4), by whatever prefix.
fn is_fetched(name: &str) -> bool {
    ["url", "src", "image", "image-set", "cross-fade", "element"].iter().any(|end| name.ends_with(end))
}

/// Whether it paints without that, or may stand for anything.
fn is_painted(name: &str) -> bool {
    ["gradient", "paint", "var", "env"].iter().any(|end| name.ends_with(end))
}

#[derive(Default)]
struct Kept<'i> {
    ground: Option<Colour<'i>>,
    is_important: bool,
    /// What is painted on the ground: its colour, where it has one.
    painted: Option<Option<Colour<'i>>>,
    /// Whether the text has a colour, and how bright that is, where it can be told.
    has_text: bool,
    text: Option<f32>,
    others: Vec<String>,
}

impl<'i> Kept<'i> {
    fn take(&mut self, Declaration { name, value, said }: Declaration<'i>) {
        match name.as_str() {
            "background" | "background-color" | "background-image" => self.take_ground(&name, &said),
            // A picture by another name, or what would take in what comes after it. Its variables are the style sheet's.
            _ if said.fetches || said.nests || name.starts_with("--") => {}
            _ => {
                if name == "color" {
                    self.has_text = true;
                    self.text = said.colour.or(said.within).and_then(|colour| colour.brightness);
                }
                self.others.push(format!("{name}:{value}"));
            }
        }
    }

    fn take_ground(&mut self, name: &str, said: &Said<'i>) {
        // The colour alone takes no picture away.
        if said.paints || name != "background-color" {
            // A veil over a picture is no ground without that.
            let is_ground = |colour: &Colour<'i>| !said.fetches || colour.is_ground();
            self.painted = said.paints.then(|| said.within.filter(is_ground));
        }
        if name == "background-image" || (self.is_important && !said.is_important) {
            return;
        }
        self.is_important = said.is_important;
        match said.colour {
            Some(colour) => self.ground = Some(colour),
            // The colour that stood there before is what is seen without the picture.
            None if said.paints => {}
            None => self.ground = Some(CLEAR),
        }
    }

    fn written(self) -> String {
        let own = self.ground.filter(|colour| self.painted.is_none() || colour.is_ground());
        let in_its_place = match self.painted {
            None => None,
            Some(Some(colour)) => Some(colour),
            Some(None) => self.text.map(|text| Colour::full(if text < BRIGHT { LIGHT } else { DARK })),
        };
        let important = if self.is_important { " !important" } else { "" };
        let ground = own.or(in_its_place).or(self.ground);
        let ink = ground.filter(|_| !self.has_text).and_then(Colour::ink).map(str::to_owned);
        let ground = ground.map(|colour| format!("background-color:{}{important}", colour.text));
        ground.into_iter().chain(ink).chain(self.others).collect::<Vec<_>>().join(";")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ground_keeps_its_colour_however_it_is_written() {
        for (style, left) in [
            ("background:#123456;color:#fff", "background-color:#123456;color:#fff"),
            // Mailchimp, Outlook, and others.
            (
                "background:#fafafa url('https://x.example/a.png') no-repeat center/cover;background-color:#fafafa;color:#333",
                "background-color:#fafafa;color:#333",
            ),
            ("background:url(https://x.example/a.png) #333;color:#fff", "background-color:#333;color:#fff"),
            ("BACKGROUND: white; COLOR: navy", "background-color:white;color:navy"),
            (
                "mso-highlight:yellow;background:yellow;color:navy",
                "background-color:yellow;mso-highlight:yellow;color:navy",
            ),
            ("background: rgb(10, 20, 30) none;color:#fff", "background-color:rgb(10, 20, 30);color:#fff"),
            ("background-color:hsl(0 0% 0% / 40%)", "background-color:hsl(0 0% 0% / 40%)"),
            (
                "background:linear-gradient(135deg,#667eea 0%,#764ba2 100%);color:#fff",
                "background-color:#667eea;color:#fff",
            ),
            (
                "background-image:linear-gradient(rgba(0,0,0,0),rgba(0,0,0,.6)),url(https://x.example/a.png);color:#fff",
                "background-color:rgba(0,0,0,.6);color:#fff",
            ),
            (
                "background-color:#123;background-image:url(a.png);color:#fff",
                "background-color:#123;color:#fff",
            ),
            ("background-color:#123;background:url(a.png);color:#fff", "background-color:#123;color:#fff"),
            ("background:rgb(0, 0, 0 url(a.png)) #123;color:#fff", "background-color:#123;color:#fff"),
            ("background:var(--brand, #123);color:#fff", "background-color:#123;color:#fff"),
            ("background-color:var(--brand, #123);color:#fff", "background-color:#123;color:#fff"),
            (
                "background:#fff!important;background:#000;color:red",
                "background-color:#fff !important;color:red",
            ),
            (
                "background-image:none!important;background-color:#123;color:#fff",
                "background-color:#123;color:#fff",
            ),
            ("background:url(a.png);background:none", "background-color:transparent"),
            ("background:none;color:#000", "background-color:transparent;color:#000"),
            ("background-color:#123;background-color:inherit", "background-color:transparent"),
            ("color:#fff", "color:#fff"),
            ("", ""),
        ] {
            assert_eq!(kept(style), left, "{style}");
        }
    }

    #[test]
    fn in_the_place_of_a_picture_is_what_the_text_can_be_read_on() {
        for (style, ground) in [
            ("background:url(a.jpg) center;color:#fff", Some(DARK)),
            ("color:WHITE;background-image:url(\"a.jpg\")", Some(DARK)),
            ("background:transparent url(a.jpg);color:hsl(0, 0%, 100%)", Some(DARK)),
            ("background:#0000 url(a.jpg);color:rgba(250, 250, 250, .9)", Some(DARK)),
            ("background:image-set(\"a.jpg\" 1x);color:#fff", Some(DARK)),
            ("background:linear-gradient(rgba(0,0,0,0),transparent);color:#fff", Some(DARK)),
            ("background:linear-gradient(rgba(0,0,0,.2),rgba(0,0,0,.2)),url(a.jpg);color:#fff", Some(DARK)),
            ("background:rgba(0,0,0,.2) url(a.jpg);color:hsl(0 0 100)", Some(DARK)),
            ("background-color:#0003;background-image:url(a.jpg);color:#fff", Some(DARK)),
            // Of these the style's end, or another letter, is a part.
            ("color:#fff;background:rgb(0,0,0", Some(DARK)),
            ("color:#fff;background:r\\65 d", Some(DARK)),
            ("background:var(--brand);color:#fff", Some(DARK)),
            ("background-color:var(--brand);color:#fff", Some(DARK)),
            ("background:url(a.jpg);color:rgb(20%, 20%, 20%)", Some(LIGHT)),
            // Of a text that has its colour elsewhere, nothing is known.
            ("background:url(a.jpg)", None),
            ("background:url(a.jpg);color:inherit", None),
            ("background:url(a.jpg);background-image:none;color:#fff", None),
        ] {
            let ground = ground.map(|colour| format!("background-color:{colour};"));
            let left = kept(style);
            assert_eq!(left.starts_with("background-color:"), ground.is_some(), "{style}: {left}");
            assert!(left.starts_with(&ground.unwrap_or_default()), "{style}: {left}");
        }
    }

    #[test]
    fn a_text_whose_colour_is_lost_can_be_read_on_its_ground() {
        for (style, left) in [
            ("background:#1a1a2e", format!("background-color:#1a1a2e;{ON_DARK}")),
            ("background:url(a.jpg) #123;width:1px", format!("background-color:#123;{ON_DARK};width:1px")),
            ("background:linear-gradient(navy,#fff)", format!("background-color:navy;{ON_DARK}")),
            // A light ground within a dark one.
            ("background:#fafafa", format!("background-color:#fafafa;{ON_LIGHT}")),
            // What is behind it shows through, or it is not known how bright it is.
            ("background:rgba(0,0,0,.1)", "background-color:rgba(0,0,0,.1)".to_owned()),
            ("background:lab(1 2 3)", "background-color:lab(1 2 3)".to_owned()),
            ("--ink:red;color:red", "color:red".to_owned()),
        ] {
            assert_eq!(kept(style), left, "{style}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_left_out_and_the_rest_stays() {
        for (style, left) in [
            ("font-size:1px;background;color:red", "font-size:1px;color:red"),
            ("*zoom:1;color:red", "color:red"),
            ("a\\3b b:c;color:red", "color:red"),
            ("width:{x};color:red", "color:red"),
            ("width:a)b;color:red", "color:red"),
            ("list-style-type:url(a.png);border:image(\"b.png\") 1px;color:red", "color:red"),
            ("width:calc(1px + rgb(\\75rl(a.png)));color:red", "color:red"),
            ("/* x */color/* y */: red ;;", "color:red "),
        ] {
            assert_eq!(kept(style), left, "{style}");
        }
        let nested = |depth| format!("color:red;width:{}", "a(".repeat(depth));
        assert_eq!(kept(&nested(1)), nested(1));
        assert_eq!(kept(&nested(10)), "color:red");
        assert_eq!(kept(&nested(100_000)), "");
        assert_eq!(kept("padding:calc((1px + 2px) * 2);width:(1px);color:red"), "color:red");
    }
}
