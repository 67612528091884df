//! The conversation with the installation's mail relay, step by step (RFC 5321): what goes wrong before the relay hears
//! of a mail is no word on that mail, and a recipient whom it refuses keeps no other from theirs.
//!
//! Rejected: lettre's own transport, whose error does not say at which step it came, and which breaks a mail off at the
//! first recipient who is refused.

use std::{error::Error as _, io, net::IpAddr, time::Duration};

use lettre::{
    Address,
    address::Envelope,
    transport::smtp::{
        Error, SMTP_PORT, SUBMISSION_PORT, SUBMISSIONS_PORT,
        authentication::{Credentials, DEFAULT_MECHANISMS},
        client::{AsyncSmtpConnection, Tls, TlsParameters},
        commands::{Data, Mail, Rcpt},
        extension::{ClientId, Extension, MailBodyParameter, MailParameter, ServerInfo},
        response::Response,
    },
};
use percent_encoding::percent_decode_str;
use tokio::time::timeout;
use url::Url;

use super::senders::{Arrived, Fault};
use crate::server::{error::chain, text::shorten};

/// What comes before the mail itself is given up after so many times the time for one step.
const STEPS: u32 = 6;
/// How long the relay may think about a mail that it has whole (RFC 5321, section 4.5.3.2.6). Whoever leaves sooner may
/// leave a mail that was taken, and would send it again.
const LAST_WORD: Duration = Duration::from_secs(600);
/// So many bytes of a mail get over in a second, at the least.
const SLOWEST: u64 = 16 << 10;
/// At most so many characters are kept of what the relay says of one recipient.
const MAX_SAID: usize = 300;
/// Why nothing is handed over to an address, or in its name.
const NOT_ASCII: &str = "An address is not ASCII, and the mail relay does not take such (SMTPUTF8)";

/// How to reach the relay.
pub struct Relay {
    host: String,
    port: u16,
    hello: ClientId,
    tls: Tls,
    credentials: Option<Credentials>,
    /// For one step.
    timeout: Duration,
}

impl Relay {
    /// What `SMTP_URL` says, as `AsyncSmtpTransport::from_url` reads it, by which it was checked. Where it names nobody
    /// for the greeting, the server is called by its `hostname`.
    pub fn parse(url: &str, hostname: &str, timeout: Duration) -> Option<Self> {
        let url = Url::parse(url).ok()?;
        let host = url.host_str()?.to_owned();
        let tls = url.query_pairs().find(|(name, _)| name == "tls").map(|(_, value)| value.into_owned());
        let parameters = || TlsParameters::new(host.clone()).ok();
        let (port, tls) = match (url.scheme(), tls.as_deref()) {
            ("smtp", None) => (SMTP_PORT, Tls::None),
            ("smtp", Some("required")) => (SUBMISSION_PORT, Tls::Required(parameters()?)),
            ("smtp", Some("opportunistic")) => (SUBMISSION_PORT, Tls::Opportunistic(parameters()?)),
            ("smtps", _) => (SUBMISSIONS_PORT, Tls::Wrapper(parameters()?)),
            _ => return None,
        };
        let name = url.path().trim_matches('/');
        let hello = if name.is_empty() { client_id(hostname) } else { ClientId::Domain(name.to_owned()) };
        let credentials =
            url.password().map(|password| Credentials::new(decoded(url.username()), decoded(password)));
        Some(Self { host, port: url.port().unwrap_or(port), hello, tls, credentials, timeout })
    }

    /// Hands a mail over, to all of its recipients whom the relay takes.
    ///
    /// # Errors
    /// `Fault`, which says who has it all the same.
    pub async fn hand_over(&self, envelope: &Envelope, mail: &[u8]) -> Result<Arrived, Fault> {
        let late = |_| Fault::down("The mail relay did not answer in time");
        let (mut line, heard) =
            timeout(self.timeout * STEPS, self.announce(envelope, mail)).await.map_err(late)??;
        let result = match heard {
            Ok(heard) => {
                let answer = timeout(time_for(mail), line.message(mail)).await.map_err(late)?;
                heard.answered(answer)
            }
            Err(fault) => Err(fault),
        };
        // What it took is taken, however it parts.
        let _ = timeout(self.timeout, line.abort()).await;
        result
    }

    /// Goes as far as the mail itself, which nobody has by then. What the relay says against it comes with the line, so
    /// that they part in peace.
    async fn announce<'e>(
        &self,
        envelope: &'e Envelope,
        mail: &[u8],
    ) -> Result<(AsyncSmtpConnection, Result<Heard<'e>, Fault>), Fault> {
        let mut unread = Vec::new();
        // Each time without one more of them, so that the others get theirs.
        while unread.len() < envelope.to().len() {
            let mut line = self.connect().await.map_err(|error| no_word_on_it(&error))?;
            let result = open(&mut line, envelope, mail, &mut unread).await;
            if let Some(result) = result.transpose() {
                return Ok((line, result));
            }
        }
        Err(together(&unread, &[]))
    }

    /// Greeted, encrypted and signed in, as far as asked for.
    async fn connect(&self) -> Result<AsyncSmtpConnection, Error> {
        let wrapper = match &self.tls {
            Tls::Wrapper(parameters) => Some(parameters.clone()),
            _ => None,
        };
        let server = (self.host.clone(), self.port);
        let mut line =
            AsyncSmtpConnection::connect_tokio1(server, Some(self.timeout), &self.hello, wrapper, None)
                .await?;
        match &self.tls {
            Tls::Required(parameters) => line.starttls(parameters.clone(), &self.hello).await?,
            Tls::Opportunistic(parameters) if line.can_starttls() => {
                line.starttls(parameters.clone(), &self.hello).await?;
            }
            _ => {}
        }
        if let Some(credentials) = &self.credentials {
            line.auth(DEFAULT_MECHANISMS, credentials).await?;
        }
        Ok(line)
    }
}

/// Recipients whom the relay takes, and those whom it refuses, when it waits for the mail.
struct Heard<'e> {
    taken: Vec<&'e Address>,
    refused: Vec<(&'e Address, Fault)>,
}

impl Heard<'_> {
    /// What the relay's last word comes to.
    fn answered(self, answer: Result<Response, Error>) -> Result<Arrived, Fault> {
        match answer {
            Ok(answer) if self.refused.is_empty() => Ok(Arrived { code: Some(answer.code().into()) }),
            Ok(_) => Err(together(&self.refused, &self.taken)),
            Err(error) => Err(self.not_taken(&error)),
        }
    }

    /// What the relay says against the mail as a whole holds for all whom it would have taken.
    fn not_taken(mut self, error: &Error) -> Fault {
        let fault = word_on_it(error);
        if is_over(error) {
            return fault;
        }
        self.refused.extend(self.taken.into_iter().map(|to| (to, fault.clone())));
        together(&self.refused, &[])
    }
}

/// Begins a transaction, without those of whom the relay said before what cannot be read. `None`: it did so of one
/// more, and where its next answer begins is not known.
async fn open<'e>(
    line: &mut AsyncSmtpConnection,
    envelope: &'e Envelope,
    mail: &[u8],
    unread: &mut Vec<(&'e Address, Fault)>,
) -> Result<Option<Heard<'e>>, Fault> {
    let takes_all = takes_all(line.server_info());
    let needs = needs(line.server_info(), envelope, mail)?;
    line.command(Mail::new(envelope.from().cloned(), needs)).await.map_err(|error| word_on_it(&error))?;
    let mut heard = Heard { taken: Vec::new(), refused: unread.clone() };
    let is_unread = |to: &Address| heard.refused.iter().any(|(other, _)| *other == to);
    let left: Vec<&Address> = envelope.to().iter().filter(|to| !is_unread(to)).collect();
    for to in left {
        if !takes_all && !is_ascii(to) {
            heard.refused.push((to, Fault::permanent(NOT_ASCII)));
            continue;
        }
        match line.command(Rcpt::new(to.clone(), Vec::new())).await {
            Ok(_) => heard.taken.push(to),
            Err(error) if is_unreadable(&error) => {
                unread.push((to, word_on_it(&error)));
                return Ok(None);
            }
            Err(error) if is_over(&error) => return Err(word_on_it(&error)),
            Err(error) => heard.refused.push((to, word_on_it(&error))),
        }
    }
    if heard.taken.is_empty() {
        return Err(together(&heard.refused, &[]));
    }
    match line.command(Data).await {
        Ok(_) => Ok(Some(heard)),
        Err(error) => Err(heard.not_taken(&error)),
    }
}

/// How long a mail may take on its way over, and the relay over it.
fn time_for(mail: &[u8]) -> Duration {
    LAST_WORD + Duration::from_secs(mail.len() as u64 / SLOWEST)
}

/// What the server calls itself, where that is a name that a relay can look up (RFC 5321, section 4.1.4).
fn client_id(hostname: &str) -> ClientId {
    let is_name = hostname.trim_matches('.').contains('.')
        && hostname.parse::<IpAddr>().is_err()
        && hostname.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'.');
    if is_name { ClientId::Domain(hostname.to_owned()) } else { ClientId::default() }
}

/// Whether every relay takes it.
pub fn is_ascii(address: &Address) -> bool {
    let text: &str = address.as_ref();
    text.is_ascii()
}

/// Whether the relay takes addresses that are not ASCII (RFC 6531).
fn takes_all(relay: &ServerInfo) -> bool {
    relay.supports_feature(Extension::SmtpUtfEight)
}

/// What the mail asks of the relay. What that does not offer is this mail's fault: another one may pass. A recipient whom it
/// cannot take keeps no other from theirs.
fn needs(relay: &ServerInfo, envelope: &Envelope, mail: &[u8]) -> Result<Vec<MailParameter>, Fault> {
    let mut needs = Vec::new();
    let (from, to) = (envelope.from(), envelope.to());
    if takes_all(relay) {
        if !from.into_iter().chain(to).all(is_ascii) {
            needs.push(MailParameter::SmtpUtfEight);
        }
    } else if from.is_some_and(|from| !is_ascii(from)) || !to.iter().any(is_ascii) {
        return Err(Fault::permanent(NOT_ASCII));
    }
    if !mail.is_ascii() {
        if !relay.supports_feature(Extension::EightBitMime) {
            return Err(Fault::permanent(
                "The mail is not ASCII, and the mail relay does not take such (8BITMIME)",
            ));
        }
        needs.push(MailParameter::Body(MailBodyParameter::EightBitMime));
    }
    Ok(needs)
}

/// Whether the relay says nothing more: it closes (421), or what came was no answer.
fn is_over(error: &Error) -> bool {
    code(error).is_none_or(|code| code == 421)
}

/// Whether an answer came that is no UTF-8, as of relays that speak Latin-1. What it says is lost, its code too.
fn is_unreadable(error: &Error) -> bool {
    let cause = error.source().and_then(|cause| cause.downcast_ref::<io::Error>());
    cause.is_some_and(|cause| cause.kind() == io::ErrorKind::InvalidData)
}

/// What went wrong before the relay heard of the mail: a greeting that turns all away, encryption or sign-in that is
/// refused, or not offered for once.
fn no_word_on_it(error: &Error) -> Fault {
    Fault { code: code(error), ..Fault::down(said(error)) }
}

/// What the relay says of the mail, or of one of its recipients.
fn word_on_it(error: &Error) -> Fault {
    if is_unreadable(error) {
        // It answers, so it is not away.
        return Fault::transient("The mail relay's answer is not UTF-8");
    }
    let code = code(error);
    Fault { code, ..judge(said(error), code) }
}

fn code(error: &Error) -> Option<u16> {
    error.status().map(u16::from)
}

fn said(error: &Error) -> String {
    format!("The mail relay said: {}", shorten(&chain(error), MAX_SAID))
}

/// What trying again may mend, and whether it is the relay itself that fails. Where it wants another sign-in (RFC 4954,
/// section 6) that is the administrator's to mend, and no word on this mail.
fn judge(note: String, code: Option<u16>) -> Fault {
    match code {
        None | Some(421 | 432 | 454 | 530 | 534 | 535 | 538) => Fault::down(note),
        Some(500..) => Fault::permanent(note),
        Some(_) => Fault::transient(note),
    }
}

/// What the refusals come to, where some or all recipients were refused: as long as one may take it later, it is not
/// given up.
fn together(refused: &[(&Address, Fault)], taken: &[&Address]) -> Fault {
    let note = match refused {
        [(_, fault)] if taken.is_empty() => fault.note.clone(),
        _ => {
            let each = refused.iter().map(|(to, fault)| format!("{to}: {}", fault.note));
            each.collect::<Vec<_>>().join("; ")
        }
    };
    Fault {
        note,
        code: refused.iter().find_map(|(_, fault)| fault.code),
        permanent: refused.iter().all(|(_, fault)| fault.permanent),
        down: taken.is_empty() && refused.iter().all(|(_, fault)| fault.down),
        retry_after: None,
        delivered_to: taken.iter().map(ToString::to_string).collect(),
    }
}

/// What percent signs stand for.
fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_sign_in_is_not_the_mails_fault_and_a_refused_address_not_the_relays() {
        for (code, permanent, down) in [
            (Some(535), false, true),
            (Some(421), false, true),
            (None, false, true),
            (Some(450), false, false),
            (Some(550), true, false),
            (Some(554), true, false),
        ] {
            let fault = judge("x".into(), code);
            assert_eq!((fault.permanent, fault.down), (permanent, down), "{code:?}");
        }
    }

    #[test]
    fn what_one_may_take_later_is_not_given_up() {
        let [one, two, three] =
            ["a", "b", "c"].map(|user| Address::new(user, "x.example").expect("an address"));
        let (gone, later) = (judge("gone".into(), Some(550)), judge("later".into(), Some(450)));
        let closed = judge("closed".into(), Some(454));
        let both = together(&[(&one, gone.clone()), (&two, later)], &[&three]);
        assert_eq!(both.note, "a@x.example: gone; b@x.example: later");
        assert_eq!(both.delivered_to, ["c@x.example"]);
        assert!(!both.permanent && !both.down, "{both:?}");
        let some = together(&[(&one, gone.clone())], &[&three]);
        assert!(some.permanent && some.note == "a@x.example: gone", "{some:?}");
        let alone = together(&[(&one, gone.clone())], &[]);
        assert!(alone.permanent && alone.note == "gone", "{alone:?}");
        assert!(together(&[(&one, closed.clone()), (&two, closed.clone())], &[]).down);
        assert!(!together(&[(&one, closed.clone()), (&two, gone)], &[]).permanent);
        assert!(!together(&[(&one, closed)], &[&two]).down, "it took the other one");
    }

    #[test]
    fn what_it_says_can_be_stored() {
        assert_eq!(judge("no\0one".into(), Some(550)).note, "no\u{FFFD}one");
    }

    #[test]
    fn the_relays_address_says_how_to_reach_it() {
        let of = |url: &str| Relay::parse(url, "flow.example", Duration::from_secs(1));
        let relay = of("smtp://u%40x:p%2B+&%25=@host.example/me.example?tls=required").expect("a relay");
        assert_eq!((relay.host.as_str(), relay.port), ("host.example", 587));
        assert_eq!(relay.hello, ClientId::Domain("me.example".to_owned()));
        assert!(matches!(relay.tls, Tls::Required(_)));
        assert!(relay.credentials == Some(Credentials::new("u@x".to_owned(), "p++&%=".to_owned())));
        let plain = of("smtp://127.0.0.1:2525").expect("a relay");
        assert_eq!((plain.host.as_str(), plain.port), ("127.0.0.1", 2525));
        assert!(plain.credentials.is_none() && matches!(plain.tls, Tls::None));
        assert_eq!(plain.hello, ClientId::Domain("flow.example".to_owned()));
        assert!(matches!(of("smtps://host.example").expect("a relay").tls, Tls::Wrapper(_)));
        assert!(of("http://host.example").is_none() && of("smtp://h.example?tls=maybe").is_none());
    }

    #[test]
    fn only_a_name_that_can_be_looked_up_is_said_in_the_greeting() {
        for (hostname, is_said) in [
            ("flow.acme.example", true),
            ("localhost", false),
            ("127.0.0.1", false),
            ("[::ffff:127.0.0.1]", false),
            ("flow.example:25", false),
        ] {
            assert_eq!(client_id(hostname) == ClientId::Domain(hostname.to_owned()), is_said, "{hostname}");
        }
    }

    #[test]
    fn a_mail_that_is_whole_with_the_relay_has_ten_minutes_and_a_long_one_the_time_of_its_way() {
        let megabyte = vec![b'x'; 1 << 20];
        assert_eq!((time_for(b"x").as_secs(), time_for(&megabyte).as_secs()), (600, 664));
    }
}
