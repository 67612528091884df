//! Who sent a message, as far as mail can tell: SPF (RFC 7208), DKIM (RFC 6376), DMARC (RFC 7489) and ARC (RFC 8617), by
//! mail-auth.
//!
//! Found out once, at arrival, and kept with the message as fields that rules can name. Nothing is refused for it here:
//! what a failure means is for the tenant's rules to say.

use std::{
    collections::BTreeSet,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use hickory_resolver::{
    config::{ConnectionConfig, NameServerConfig, ResolverConfig, ResolverOpts},
    system_conf::read_system_conf,
};
use mail_auth::{
    AuthenticatedMessage, DkimResult, DmarcOutput, DmarcResult, MessageAuthenticator, SpfOutput, SpfResult,
    dmarc::verify::DmarcParameters, spf::verify::SpfParameters,
};
use tokio::{runtime::Handle, task::spawn_blocking, time::timeout};

use crate::emails::{
    dto::Envelope,
    server::{address, mime, service::ReadMessage},
};

/// How long each check of a message may take; what is not known then is `temperror`. Apart, so that a slow name server of
/// the author's keeps no other check from its end.
const PATIENCE: Duration = Duration::from_secs(8);
/// One question to a name server.
const QUESTION: Duration = Duration::from_secs(3);
/// Signatures of one message that are looked at, the first of it.
const MAX_SIGNATURES: usize = 10;
/// Header fields that one signature may name. Each is sought among all of the message's: with no bound, a message could
/// keep a server busy for an hour.
const MAX_SIGNED_FIELDS: usize = 100;

/// Asks name servers about senders.
pub struct Authenticator(Arc<Result<MessageAuthenticator, String>>);

/// Who handed the message on, and what they said.
#[derive(Clone, Debug)]
pub struct Client {
    pub ip: IpAddr,
    pub helo: String,
    /// `MAIL FROM`; empty for a notice of failure.
    pub mail_from: String,
    /// What this server calls itself.
    pub host: String,
}

/// In the words of RFC 8601.
#[derive(Clone, Debug)]
struct Found {
    spf: &'static str,
    dkim: &'static str,
    dmarc: &'static str,
    arc: &'static str,
    signed_by: Vec<String>,
}

impl Found {
    fn all(word: &'static str) -> Self {
        Self { spf: word, dkim: word, dmarc: word, arc: word, signed_by: Vec::new() }
    }
}

impl Authenticator {
    /// By the name server at `dns`, or those of the machine.
    pub fn new(dns: Option<SocketAddr>) -> Self {
        let made = match dns {
            None => read_system_conf().map_err(|error| error.to_string()),
            Some(address) => {
                let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()]
                    .map(|mut connection| {
                        connection.port = address.port();
                        connection
                    })
                    .to_vec();
                let server = NameServerConfig::new(address.ip(), true, connections);
                Ok((ResolverConfig::from_parts(None, Vec::new(), vec![server]), ResolverOpts::default()))
            }
        };
        Self(Arc::new(made.and_then(|(config, mut options)| {
            options.timeout = QUESTION;
            options.attempts = 1;
            MessageAuthenticator::new(config, options).map_err(|error| error.to_string())
        })))
    }

    /// Fills in what the checks come to. Without a `client`, as for what was fetched from a mailbox, SPF is `none`, and
    /// DMARC goes by the signatures alone: they can show that it passes, but not that it fails.
    pub async fn check(&self, message: &ReadMessage, client: Option<Client>, envelope: &mut Envelope) {
        let (asked, raw) = (Arc::clone(&self.0), Arc::clone(message.raw()));
        let sender = message.sender().to_owned();
        let runtime = Handle::current();
        // Signatures take a while to work out: not on the threads that answer requests.
        let found = spawn_blocking(move || match &*asked {
            Ok(authenticator) => runtime.block_on(run(authenticator, &raw, &sender, client)),
            Err(_) => Found::all("temperror"),
        });
        let found = found.await.unwrap_or_else(|_| Found::all("permerror"));
        envelope.spf = Some(found.spf.to_owned());
        envelope.dkim = Some(found.dkim.to_owned());
        envelope.dmarc = Some(found.dmarc.to_owned());
        envelope.arc = Some(found.arc.to_owned());
        envelope.signed_by = found.signed_by;
    }
}

/// `sender` is whom the message's fields name: what is said of another is not said of them.
async fn run(
    authenticator: &MessageAuthenticator,
    raw: &[u8],
    sender: &str,
    client: Option<Client>,
) -> Found {
    // Read as the fields are: two readers that differ on what a header field is could be told two senders.
    let Some(read) = mime::whole(raw) else { return Found::all("permerror") };
    let mut message = AuthenticatedMessage::from_parsed(&read, raw, true);
    message.dkim_headers.retain(|signature| signature.header.h.len() <= MAX_SIGNED_FIELDS);
    message.dkim_headers.truncate(MAX_SIGNATURES);
    // A domain has one form wherever it is held against another (RFC 8616).
    for author in &mut message.from {
        *author = address::in_one_form(author);
    }
    for signature in &mut message.dkim_headers {
        let signature = &mut signature.header;
        signature.d = address::in_ascii(&signature.d).into_owned();
        signature.i = address::in_one_form(&signature.i);
    }
    let client = client.map(|client| Client {
        helo: address::in_ascii(&client.helo).into_owned(),
        mail_from: address::with_ascii_domain(&client.mail_from),
        ..client
    });
    let is_chain_bounded = message.ams_headers.len() <= MAX_SIGNATURES
        && message.ams_headers.iter().all(|signature| signature.header.h.len() <= MAX_SIGNED_FIELDS);
    let spf = async {
        let Client { ip, helo, mail_from, host } = client.as_ref()?;
        // RFC 7208, section 2.4: without a sender, the server itself is asked about.
        let asked = match mail_from.as_str() {
            "" => SpfParameters::verify_ehlo(*ip, helo, host),
            from => SpfParameters::verify_mail_from(*ip, helo, host, from),
        };
        Some(timeout(PATIENCE, authenticator.verify_spf(asked)).await.ok())
    };
    let dkim = async { timeout(PATIENCE, authenticator.verify_dkim(&message)).await.ok() };
    let arc = async {
        if !is_chain_bounded {
            return "permerror";
        }
        let verified = timeout(PATIENCE, authenticator.verify_arc(&message)).await;
        verified.map_or("temperror", |output| dkim_word(output.result()))
    };
    let (spf, dkim, arc) = futures::join!(spf, dkim, arc);
    let spf_said = match &spf {
        None => "none",
        Some(None) => "temperror",
        Some(Some(output)) => spf_word(output.result()),
    };
    let outputs = dkim.as_deref().unwrap_or_default();
    let passed = outputs.iter().filter(|output| matches!(output.result(), DkimResult::Pass));
    let domains = passed.filter_map(|output| output.signature()).map(|signature| signature.d.to_lowercase());
    let signed_by: Vec<String> = domains.collect::<BTreeSet<_>>().into_iter().collect();
    let dkim_said = match outputs.first() {
        // One signature that holds is enough (RFC 6376, section 6.1).
        _ if !signed_by.is_empty() => "pass",
        Some(output) => dkim_word(output.result()),
        None if dkim.is_none() => "temperror",
        None => "none",
    };
    let is_clear = !sender.is_empty() && message.from.len() == 1 && message.from[0] == sender;
    let dmarc = if is_clear {
        let domain = client.as_ref().map_or("", |client| match client.mail_from.rsplit_once('@') {
            Some((_, domain)) => domain,
            None => &client.helo,
        });
        let domain = domain.to_lowercase();
        let nothing = SpfOutput::new(String::new());
        let spf = spf.as_ref().and_then(Option::as_ref).unwrap_or(&nothing);
        let asked = DmarcParameters::new(&message, outputs, &domain, spf);
        let unproved = if spf_said == "temperror" || dkim_said == "temperror" {
            "temperror"
        } else if client.is_none() {
            // SPF alone is enough for honest mail, and nobody could ask about it here.
            "none"
        } else {
            "fail"
        };
        let verified = timeout(PATIENCE, authenticator.verify_dmarc(asked)).await;
        verified.map_or("temperror", |output| dmarc_word(&output, unproved))
    } else {
        // Nobody, or several: it cannot pass for anybody.
        "fail"
    };
    Found { spf: spf_said, dkim: dkim_said, dmarc, arc, signed_by }
}

fn spf_word(result: SpfResult) -> &'static str {
    match result {
        SpfResult::Pass => "pass",
        SpfResult::Fail => "fail",
        SpfResult::SoftFail => "softfail",
        SpfResult::Neutral => "neutral",
        SpfResult::TempError => "temperror",
        SpfResult::PermError => "permerror",
        SpfResult::None => "none",
    }
}

fn dkim_word(result: &DkimResult) -> &'static str {
    match result {
        DkimResult::Pass => "pass",
        DkimResult::Neutral(_) => "neutral",
        DkimResult::Fail(_) => "fail",
        DkimResult::PermError(_) => "permerror",
        DkimResult::TempError(_) => "temperror",
        DkimResult::None => "none",
    }
}

/// Either way that is aligned is enough (RFC 7489, section 4.2). Where neither is, the domain's owner says by its record
/// that the message is not theirs: `unproved` is the word for that, since it fails only if both ways were tried.
fn dmarc_word(output: &DmarcOutput, unproved: &'static str) -> &'static str {
    let either =
        |is_such: fn(&DmarcResult) -> bool| is_such(output.dkim_result()) || is_such(output.spf_result());
    if either(|result| matches!(result, DmarcResult::Pass)) {
        "pass"
    } else if either(|result| matches!(result, DmarcResult::TempError(_))) {
        "temperror"
    } else if either(|result| matches!(result, DmarcResult::PermError(_))) {
        "permerror"
    } else if output.dmarc_record().is_none() {
        "none"
    } else {
        unproved
    }
}
