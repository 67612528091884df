//! How a login and a folder are written in commands.

use std::sync::Arc;

use base64::{
    Engine, alphabet,
    engine::general_purpose::{GeneralPurpose, NO_PAD},
    prelude::BASE64_STANDARD,
};
use secrecy::{ExposeSecret, SecretString};

use super::{Login, Proof};

/// Base64 as folder names have it (RFC 3501, section 5.1.3).
const IN_FOLDERS: GeneralPurpose = GeneralPurpose::new(&alphabet::IMAP_MUTF7, NO_PAD);

/// The password or token, in every form in which it leaves.
pub(super) fn secrets(login: &Login<'_>) -> Arc<[SecretString]> {
    let secret = login.proof.secret().to_owned();
    let sent = match login.proof {
        Proof::Password(password) => [escaped(&secret), plain(login, password)],
        Proof::Token(token) => [oauthbearer(login, token), xoauth2(login, token)],
    };
    std::iter::once(secret).chain(sent).map(SecretString::from).collect()
}

/// RFC 4616.
pub(super) fn plain(login: &Login<'_>, password: &SecretString) -> String {
    BASE64_STANDARD.encode(format!("\0{}\0{}", login.username, password.expose_secret()))
}

/// RFC 7628, section 3.1; the name as RFC 5801 has it.
pub(super) fn oauthbearer(login: &Login<'_>, token: &SecretString) -> String {
    let name = login.username.replace('=', "=3D").replace(',', "=2C");
    let (host, port, token) = (login.host, login.port, token.expose_secret());
    BASE64_STANDARD
        .encode(format!("n,a={name},\x01host={host}\x01port={port}\x01auth=Bearer {token}\x01\x01"))
}

/// What came before it, which Exchange Online has alone (Google, "XOAUTH2 Protocol").
pub(super) fn xoauth2(login: &Login<'_>, token: &SecretString) -> String {
    let token = token.expose_secret();
    BASE64_STANDARD.encode(format!("user={}\x01auth=Bearer {token}\x01\x01", login.username))
}

pub(super) fn quoted(text: &str) -> String {
    format!("\"{}\"", escaped(text))
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"")
}

/// A folder's name in modified UTF-7 (RFC 3501, section 5.1.3).
pub(super) fn in_folders(name: &str) -> String {
    fn flush(shifted: &mut Vec<u8>, encoded: &mut String) {
        if !shifted.is_empty() {
            encoded.push_str(&format!("&{}-", IN_FOLDERS.encode(shifted.as_slice())));
            shifted.clear();
        }
    }
    let (mut encoded, mut shifted) = (String::new(), Vec::new());
    for c in name.chars() {
        if matches!(c, ' '..='~') {
            flush(&mut shifted, &mut encoded);
            encoded.push(c);
            if c == '&' {
                encoded.push('-');
            }
        } else {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                shifted.extend_from_slice(&unit.to_be_bytes());
            }
        }
    }
    flush(&mut shifted, &mut encoded);
    encoded
}
