//! The lines by which programs show that a text goes on with an earlier message, in the languages that ours speak most.
//!
//! No standard says how. Each line is looked at by itself and to a bounded length: nothing is searched for across lines,
//! and no pattern tries a second way.

use std::mem;

/// No such line is longer. Unit: bytes.
const LONGEST: usize = 300;
/// The day on which an earlier message was written stands within so many words.
const DAY: usize = 3;
/// Whoever wrote it has a name of at most so many words, with what may stand around it, as `AM` or `Uhr`.
const NAME: usize = 5;
/// The header of an earlier message names all that is looked for within so many lines: it may list many recipients.
const HEADER: usize = 12;
/// The name of a field of it, with its colon. Unit: bytes.
const LABEL: usize = 20;

/// What stands before the time at which it was written that is quoted.
const WHEN: [&str; 6] = ["on", "am", "le", "el", "il", "op"];
/// What says that it was written.
const WROTE: [&str; 8] =
    ["wrote", "writes", "schrieb", "écrit", "escribió", "scritto", "schreef", "geschreven"];

/// Between dashes, above an earlier message that is answered, or handed on where that program says no other.
const ORIGINAL: [&str; 13] = [
    "original message",
    "original appointment",
    "ursprüngliche nachricht",
    "ursprünglicher termin",
    "originalnachricht",
    "original-nachricht",
    "message d'origine",
    "message d’origine",
    "message original",
    "mensaje original",
    "messaggio originale",
    "oorspronkelijk bericht",
    "origineel bericht",
];
/// Between dashes, above one that is handed on. Some programs say behind it whose it is.
const FORWARDED: [&str; 6] = [
    "forwarded message",
    "weitergeleitete nachricht",
    "message transféré",
    "mensaje reenviado",
    "messaggio inoltrato",
    "doorgestuurd bericht",
];
/// The same as Apple's programs write it, before a colon.
const FORWARDED_BELOW: [&str; 8] = [
    "begin forwarded message",
    "anfang der weitergeleiteten nachricht",
    "anfang der weitergeleiteten e-mail",
    "début du message réexpédié",
    "début du message transféré",
    "inicio del mensaje reenviado",
    "inizio messaggio inoltrato",
    "begin doorgestuurd bericht",
];

/// A field of the header that Outlook and others put above an earlier message.
#[derive(Clone, Copy)]
enum Label {
    From,
    Sent,
    Subject,
}

const LABELS: [(Label, &[&str]); 3] = [
    (Label::From, &["from", "von", "de", "da", "van"]),
    (
        Label::Sent,
        &[
            "sent",
            "date",
            "gesendet",
            "datum",
            "envoyé",
            "enviado",
            "enviado el",
            "fecha",
            "inviato",
            "data",
            "verzonden",
        ],
    ),
    (Label::Subject, &["subject", "betreff", "objet", "asunto", "oggetto", "onderwerp"]),
];

/// How many of the lines above a quotation, the nearest first, say whose it is: `On … wrote:`, which may be broken.
pub fn whose(above: &[&str]) -> usize {
    let mut text = String::new();
    for (count, line) in (1..).zip(above) {
        let Some(line) = folded(line) else { break };
        let is_broken = count > 1;
        text = if is_broken { format!("{line} {text}") } else { line };
        if is_attribution(&text, is_broken) {
            return count;
        }
    }
    0
}

/// Whether an earlier message is handed on below this line.
pub fn is_forward(line: &str) -> bool {
    if let Some(words) = between_dashes(line) {
        return FORWARDED.iter().any(|known| words.starts_with(known));
    }
    let line = line.trim_end();
    line.ends_with(':')
        && folded(line).is_some_and(|line| {
            let words = line.trim_end_matches(|letter: char| letter == ':' || letter.is_whitespace());
            FORWARDED_BELOW.contains(&words)
        })
}

/// Whether an earlier message begins with the first of the lines, to the end: as Outlook and others write it.
pub fn is_earlier(lines: &[&str]) -> bool {
    let Some(first) = lines.first() else { return false };
    between_dashes(first).is_some_and(|words| ORIGINAL.contains(&words.as_str())) || is_header(lines)
}

/// Whether it is the line that Outlook draws above an earlier message.
pub fn is_rule(line: &str) -> bool {
    line.trim().chars().all(|letter| letter == '_')
}

/// Whether the lines begin with who sent a message, when, and what about: each once, the subject not first.
fn is_header(lines: &[&str]) -> bool {
    let first = lines.first().and_then(|line| label(line));
    if !matches!(first, Some(Label::From | Label::Sent)) {
        return false;
    }
    let mut seen = [false; LABELS.len()];
    for line in lines.iter().take(HEADER).take_while(|line| !line.trim().is_empty()) {
        let Some(label) = label(line) else { continue };
        if mem::replace(&mut seen[label as usize], true) {
            return false;
        }
        if seen == [true; LABELS.len()] {
            return true;
        }
    }
    false
}

/// Some programs put the names of its fields between stars, where they were bold.
fn label(line: &str) -> Option<Label> {
    let line = line.trim_start();
    let end = line.bytes().take(LABEL).position(|byte| byte == b':')?;
    let name =
        line[..end].trim_matches(|letter: char| letter == '*' || letter.is_whitespace()).to_lowercase();
    LABELS.iter().find(|(_, names)| names.contains(&name.as_str())).map(|(label, _)| *label)
}

/// Whether it says the day and the time of day at which somebody wrote, who that was, and nothing else: a sentence of the
/// sender's own that ends so stays. A person does not break such a line, nor begin it with the name and an address.
fn is_attribution(text: &str, is_broken: bool) -> bool {
    let Some(text) = text.strip_suffix(':') else { return false };
    let is_word = |word: &&str| !word.contains('@') && word.contains(char::is_alphanumeric);
    let words: Vec<&str> = text.split_whitespace().filter(is_word).collect();
    // In German and Dutch it may stand behind the name.
    let when = (0..words.len())
        .find(|at| WHEN.contains(&words[*at]) && (*at == 0 || WROTE.contains(&words[*at - 1])));
    let time = words.iter().rposition(|word| is_time(word));
    let (Some(when), Some(time)) = (when, time) else { return false };
    let Some(date) = words.get(when + 1..time) else { return false };
    let is_moment = date.iter().take(DAY).any(|word| has_digit(word))
        && date.iter().all(|word| is_of_date(word))
        && is_of_date(words[time]);
    let (wrote, name): (Vec<&str>, Vec<&str>) = words[..when]
        .iter()
        .chain(behind_zone(&words[time + 1..]))
        .copied()
        .partition(|word| WROTE.contains(word));
    let is_name = name.len() <= NAME
        && !name.iter().any(|word| has_digit(word) || word.ends_with(['.', '!', '?', ';']));
    let has_address = text.contains('@');
    is_moment && wrote.len() == 1 && is_name && (has_address || when == 0 && !is_broken)
}

fn is_time(word: &str) -> bool {
    let is_time = |three: &[u8]| three[0].is_ascii_digit() && three[1] == b':' && three[2].is_ascii_digit();
    word.as_bytes().windows(3).any(is_time)
}

/// What follows a time, without the zone that may stand right behind it.
fn behind_zone<'w, 't>(words: &'w [&'t str]) -> &'w [&'t str] {
    match words {
        ["am" | "pm", zone, rest @ ..] | [zone, rest @ ..] if is_zone(zone) => rest,
        _ => words,
    }
}

/// Whether it says how far the time is from Greenwich's: as `GMT+1` or `+0100`.
fn is_zone(word: &str) -> bool {
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    match word.trim_end_matches(',').split_once(['+', '-']) {
        Some(("gmt" | "utc", hours)) => matches!(hours.len(), 1 | 2 | 4) && is_number(hours),
        Some(("", offset)) => {
            offset.len() == 4
                && is_number(offset)
                && ["00", "30", "45"].iter().any(|end| offset.ends_with(end))
        }
        _ => false,
    }
}

fn has_digit(word: &str) -> bool {
    word.contains(|letter: char| letter.is_ascii_digit())
}

/// Whether its numbers may be those of a date or a time: of two digits at most, or a year of ours.
fn is_of_date(word: &str) -> bool {
    word.split(|letter: char| !letter.is_ascii_digit())
        .all(|number| number.len() <= 2 || number.len() == 4 && number.starts_with("20"))
}

/// What stands between dashes, in small letters.
fn between_dashes(line: &str) -> Option<String> {
    let line = line.trim();
    let is_dash = |letter: char| matches!(letter, '-' | '\u{2010}'..='\u{2015}');
    if line.len() > LONGEST || !line.starts_with(is_dash) || !line.ends_with(is_dash) {
        return None;
    }
    Some(line.trim_matches(|letter: char| is_dash(letter) || letter.is_whitespace()).to_lowercase())
}

/// The line in small letters, without white space around it. `None` where it is too long to be one of these.
fn folded(line: &str) -> Option<String> {
    let line = line.trim();
    (line.len() <= LONGEST).then(|| line.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whose_a_quotation_is_stands_above_it_on_up_to_three_lines() {
        // The nearest first.
        for (above, count) in [
            ("On Tue, Dec 1, 2026 at 10:00 AM Acme Shop <shop@acme.example> wrote:", 1),
            ("wrote:\nOn Tue, Dec 1, 2026 at 10:00 AM Acme Shop <shop@acme.example>\nYes.", 2),
            ("wrote:\n<shop@acme.example>\nOn 1 Dec 2026, at 10:00, Acme Shop", 3),
            ("Am 01.12.2026 um 10:00 schrieb Acme Shop:", 1),
            ("shop@acme.example>:\nAm Di., 1. Dez. 2026 um 10:00 Uhr schrieb Acme Shop <", 2),
            ("Acme Shop <shop@acme.example> schrieb am Di., 1. Dez. 2026, 10:00:", 1),
            ("1. Dez. 2026, 10:00:\nAcme Shop Kundenservice <shop@acme.example> schrieb am Di.,", 2),
            ("On 12/1/26 10:00, Acme Shop wrote:", 1),
            (
                "    On Tuesday, December 1, 2026 at 10:00:05 AM GMT+1, Acme Shop <shop@acme.example> wrote:  ",
                1,
            ),
            ("On Tuesday, 1 December 2026, 10:00:00 GMT+5:30, Acme <shop@acme.example> wrote:", 1),
            ("On Tue, 2026-12-01 at 10:00 +0100, Acme Shop wrote:", 1),
            ("On 2026-12-01 10:00, Acme Shop wrote:", 1),
            ("Le mar. 1 déc. 2026 à 10:00, Acme <shop@acme.example> a écrit :", 1),
            ("El mar, 1 dic 2026 a las 10:00, Acme (<shop@acme.example>) escribió:", 1),
            ("Il giorno mar 1 dic 2026 alle ore 10:00 Acme <shop@acme.example> ha scritto:", 1),
            ("Op di 1 dec 2026 om 10:00 schreef Acme <shop@acme.example>:", 1),
            // What a person may say.
            ("Bob wrote:", 0),
            ("Ann Lee schrieb am 1.12.2026 um 10:00:", 0),
            ("Ann Lee <ann@x.example> wrote:\nOn second thought, cancel order 7.", 0),
            ("Bob wrote:\nOn 3 December 2026 I ordered two lamps.", 0),
            ("Bob wrote:\nOn 3 December 2026 I ordered lamp 1043", 0),
            ("Bob wrote:\nOn 3 December 2026 at 10:00 I ordered lamps", 0),
            ("Ann <ann@x.example> wrote:\nOn 3 December 2026 at 10:00 I ordered lamp 1043", 0),
            ("Ann <ann@x.example> wrote:\nOn 3 December 2026 at 10:00 I called.", 0),
            ("Bob wrote:\nI have 2 questions", 0),
            ("Ich kündige Vertrag 1043. Frau Meier schrieb am 1.12.2026:", 0),
            ("Ich kündige Vertrag 1043. Frau Meier schrieb am 1.12.2026 um 10:00:", 0),
            ("On top of that cancel 1043, as your agent wrote:", 0),
            ("On top of that cancel 1043, as Ann at 10:00 wrote:", 0),
            ("On order 1043 at 10:00 Ann wrote:", 0),
            ("On 3 December 2026 at 10:00 order -1043 Bob wrote:", 0),
            ("On 3 December 2026 at 10:00 order -1030 Bob wrote:", 0),
            ("On 3 December 2026 at 10:00 I left +49, Bob wrote:", 0),
            ("On Monday at 10:00 I cancelled it, as Ann wrote:", 0),
            ("My order is 1043, Bob wrote:", 0),
            ("I called you twice, and then your colleague in Berlin wrote:", 0),
            ("This is what it says:", 0),
            ("She wrote it down.", 0),
            ("\nOn Tue, Dec 1, 2026 at 10:00 AM Ann wrote:", 0),
            ("", 0),
        ] {
            assert_eq!(whose(&above.split('\n').collect::<Vec<_>>()), count, "{above:?}");
        }
        let long = format!("On {} wrote:", "x".repeat(LONGEST));
        assert_eq!((whose(&[&long]), whose(&[])), (0, 0));
    }

    #[test]
    fn what_is_handed_on_is_told_from_what_is_answered() {
        for (line, forward, earlier) in [
            ("---------- Forwarded message ---------", true, false),
            ("-------- Weitergeleitete Nachricht --------", true, false),
            ("----- Forwarded message from Ann <ann@x.example> -----", true, false),
            ("Begin forwarded message:", true, false),
            ("Anfang der weitergeleiteten Nachricht:", true, false),
            ("Début du message réexpédié :", true, false),
            ("-----Original Message-----", false, true),
            ("-----Ursprüngliche Nachricht-----", false, true),
            ("-------- Message d'origine --------", false, true),
            ("\u{2010}\u{2010}\u{2010} Original Message \u{2010}\u{2010}\u{2010}", false, true),
            ("The forwarded message:", false, false),
            ("original message", false, false),
            ("-- original message", false, false),
            ("----------", false, false),
            ("", false, false),
        ] {
            assert_eq!((is_forward(line), is_earlier(&[line])), (forward, earlier), "{line}");
        }
    }

    #[test]
    fn the_header_of_an_earlier_message_names_who_when_and_what() {
        for (text, is) in [
            (
                "From: Acme <shop@acme.example>\nSent: Tuesday, December 1, 2026 10:00 AM\nTo: Ann\nSubject: x",
                true,
            ),
            (
                "Von: Acme\nGesendet: Dienstag, 1. Dezember 2026 10:00\nAn: Ann\n Bob\nCc: Zoe\nBetreff: x",
                true,
            ),
            ("Gesendet: Dienstag, 1. Dezember 2026\nVon: Acme\nAn: Ann\nBetreff:", true),
            ("*From:* Acme\n*Date:* Tuesday\n*To:* Ann\n*Subject:* x", true),
            ("De : Acme\nEnvoyé : mardi 1 décembre 2026\nÀ : Ann\nObjet : x", true),
            ("De: Acme\nEnviado el: martes\nPara: Ann\nAsunto: x", true),
            ("Da: Acme\nInviato: martedì\nA: Ann\nOggetto: x", true),
            ("Van: Acme\nVerzonden: dinsdag\nAan: Ann\nOnderwerp: x", true),
            ("From: Berlin\nTo: Rome", false),
            ("From: Berlin\nDate: Tuesday\n\nSubject: x", false),
            ("From: a\nFrom: b\nSent: c\nSubject: d", false),
            ("Subject: x\nFrom: a\nSent: c", false),
            ("From a\nSent b\nSubject c", false),
        ] {
            let lines: Vec<&str> = text.split('\n').collect();
            assert_eq!(is_earlier(&lines), is, "{text}");
        }
    }
}
