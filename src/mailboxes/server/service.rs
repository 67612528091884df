//! Business rules of mailboxes. A password goes in, encrypted, and is never shown.

use std::collections::HashSet;

use secrecy::SecretString;

use super::{
    repository::{self, Row},
    watches,
};
use crate::{
    audit::server::event::Event,
    auth::authority::Permission,
    datasources::dto::MASK,
    emails::server::address::{in_one_form, is_same, part_in_one_form},
    mailboxes::dto::{
        Heartbeat, ImapAccount, MailDomains, Mailbox, MailboxInput, MailboxKind, MailboxList, MailboxState,
        MailboxView, NO_DOMAIN,
    },
    server::{
        AppState, Error, Result, TenantContext, TenantTx,
        error::OnConstraint,
        etag::{IfMatch, Versioned},
        outbound::Fence,
        paging::Page,
        same::says_what_is_stored,
        vault::Place,
    },
    shared::{MailboxId, Problem},
};

/// What one tenant may have.
const MAX_MAILBOXES: i64 = 200;

impl Versioned for Mailbox {
    /// Without the signs of life, which change with each message: an editor that is open would otherwise never be saved.
    fn etag(&self) -> String {
        of_settings(self).etag()
    }
}

impl Versioned for MailDomains {}

/// What of a mailbox is set by somebody.
#[derive(serde::Serialize)]
struct Settings(Mailbox);

impl Versioned for Settings {}

fn of_settings(mailbox: &Mailbox) -> Settings {
    Settings(Mailbox { heartbeat: Heartbeat::default(), ..mailbox.clone() })
}

/// By id.
///
/// # Errors
/// 403.
pub async fn list(ctx: &TenantContext, active_only: bool, page: Page<i64>) -> Result<Vec<Mailbox>> {
    ctx.require(Permission::Mailboxes)?;
    let mut tx = ctx.begin().await?;
    let rows = repository::list(&mut tx, active_only, page.cursor, page.limit).await?;
    Ok(rows.into_iter().map(|row| row.into_mailbox(&ctx.tenant)).collect())
}

/// All of them, and what there is to say of all.
///
/// # Errors
/// 403.
pub async fn overview(ctx: &TenantContext) -> Result<MailboxList> {
    ctx.require(Permission::Mailboxes)?;
    let mut tx = ctx.begin().await?;
    let rows = repository::list(&mut tx, false, None, MAX_MAILBOXES).await?;
    Ok(MailboxList {
        mailboxes: rows.into_iter().map(|row| row.into_mailbox(&ctx.tenant)).collect(),
        domains: repository::domains(&mut tx).await?,
        listens: ctx.app.config.mail.listens(),
        may_set_domains: ctx.actor.is_instance_admin(),
    })
}

/// # Errors
/// 403, 404.
pub async fn get(ctx: &TenantContext, id: MailboxId) -> Result<Mailbox> {
    ctx.require(Permission::Mailboxes)?;
    let row = repository::find(&mut ctx.begin().await?, id, false).await?;
    Ok(row.ok_or_else(|| not_found(id))?.into_mailbox(&ctx.tenant))
}

/// A mailbox as it is, with what its change must name.
///
/// # Errors
/// 403, 404.
pub async fn view(ctx: &TenantContext, id: MailboxId) -> Result<MailboxView> {
    let mailbox = get(ctx, id).await?;
    Ok(MailboxView { etag: mailbox.etag(), mailbox })
}

/// # Errors
/// 400 for too many, 403, 409 for a name or an address that there is, 422.
pub async fn create(ctx: &TenantContext, input: MailboxInput) -> Result<Mailbox> {
    ctx.require(Permission::Mailboxes)?;
    let (input, password) = checked(ctx, input, None)?;
    let mut tx = ctx.begin().await?;
    check_address(&ctx.app, &mut tx, &input).await?;
    if repository::count(&mut tx).await? >= MAX_MAILBOXES {
        return Err(
            Problem::business_rule(format!("A tenant may have at most {MAX_MAILBOXES} mailboxes")).into()
        );
    }
    let id = taken(repository::insert(&mut tx, &input).await, &input)?;
    if let Some(password) = password {
        seal(ctx, &mut tx, id, &password).await?;
    }
    watches::set(&mut tx, id, watched(&input)).await?;
    let mailbox = read(ctx, &mut tx, id).await?;
    ctx.audit(&mut tx, Event::created("mailbox.create", id, &of_settings(&mailbox))).await?;
    tx.commit().await?;
    ctx.app.watch_bell.notify_one();
    Ok(mailbox)
}

/// A password that is sent back masked stays as it is stored. An account on another server, or of another user there, has
/// a folder of its own: it is read from its beginning, and its password must be given anew. Where all is as it is stored,
/// nothing is written; but one that fails is looked at again at once.
///
/// # Errors
/// As `create`, and 404, 412; 422 too for another kind.
pub async fn replace(
    ctx: &TenantContext,
    id: MailboxId,
    input: MailboxInput,
    if_match: &IfMatch,
) -> Result<Mailbox> {
    ctx.require(Permission::Mailboxes)?;
    let mut tx = ctx.begin().await?;
    watches::lock(&mut tx, id).await?;
    let row = repository::find(&mut tx, id, true).await?.ok_or_else(|| not_found(id))?;
    let before = row.clone().into_mailbox(&ctx.tenant);
    if_match.check(&before)?;
    let (input, password) = checked(ctx, input, Some(&row))?;
    check_address(&ctx.app, &mut tx, &input).await?;
    if says_what_is_stored(&input, &before) {
        if before.heartbeat.state != MailboxState::Failing || !watched(&input) {
            return Ok(before);
        }
        // Who saves it once more has mended what it failed for, which was not here.
        watches::set(&mut tx, id, true).await?;
        let mailbox = read(ctx, &mut tx, id).await?;
        tx.commit().await?;
        ctx.app.watch_bell.notify_one();
        return Ok(mailbox);
    }
    taken(repository::update(&mut tx, id, &input).await, &input)?;
    let mut entered = Vec::new();
    if let Some(password) = password {
        // It may be the same: nobody is told whether it was guessed.
        entered.push("imap.password".to_owned());
        seal(ctx, &mut tx, id, &password).await?;
    }
    if input.imap.as_ref().map(folder_of) != row.imap.as_ref().map(|json| folder_of(&json.0)) {
        watches::forget_position(&mut tx, id).await?;
    }
    watches::set(&mut tx, id, watched(&input)).await?;
    let after = read(ctx, &mut tx, id).await?;
    let event = Event::updated("mailbox.update", id, &of_settings(&before), &of_settings(&after));
    ctx.audit(&mut tx, event.with_entered(&entered)).await?;
    tx.commit().await?;
    ctx.app.watch_bell.notify_one();
    Ok(after)
}

/// What came by it stays.
///
/// # Errors
/// 403, 404, 412.
pub async fn delete(ctx: &TenantContext, id: MailboxId, if_match: &IfMatch) -> Result<()> {
    ctx.require(Permission::Mailboxes)?;
    let mut tx = ctx.begin().await?;
    watches::lock(&mut tx, id).await?;
    let row = repository::find(&mut tx, id, true).await?.ok_or_else(|| not_found(id))?;
    let before = row.into_mailbox(&ctx.tenant);
    if_match.check(&before)?;
    repository::delete(&mut tx, id).await?;
    ctx.audit(&mut tx, Event::deleted("mailbox.delete", id, &of_settings(&before))).await?;
    Ok(tx.commit().await?)
}

/// # Errors
/// 403.
pub async fn domains(ctx: &TenantContext) -> Result<MailDomains> {
    ctx.require(Permission::Mailboxes)?;
    Ok(MailDomains { domains: repository::domains(&mut ctx.begin().await?).await? })
}

/// Says which domains' mail is the tenant's. Where it is these already, nothing is written.
///
/// # Errors
/// 400 for one that a mailbox still has, 403 for anyone but an administrator of the installation, 409 for one that is
/// another tenant's, 412, 422.
pub async fn set_domains(ctx: &TenantContext, input: MailDomains, if_match: &IfMatch) -> Result<MailDomains> {
    if !ctx.actor.is_instance_admin() {
        let only = "Only an administrator of the installation may say whose mail a domain's is";
        return Err(Problem::forbidden(only).into());
    }
    let domains = input.domains.iter().map(|domain| part_in_one_form(domain)).collect();
    let input = MailDomains { domains }.validate()?;
    let mut tx = ctx.begin().await?;
    repository::lock_domains(&mut tx).await?;
    let before = MailDomains { domains: repository::domains(&mut tx).await? };
    if_match.check(&before)?;
    // Each stands once in both; the database has an order of its own.
    let is_kept = |domain: &String| input.domains.contains(domain);
    if before.domains.len() == input.domains.len() && before.domains.iter().all(is_kept) {
        return Ok(before);
    }
    repository::set_domains(&mut tx, &input.domains)
        .await
        .on_constraint("fk_eivs_mailboxes_domain", || {
            Problem::business_rule("A mailbox still takes mail of a domain that would go: delete it first")
        })?;
    // One that is another tenant's was left out.
    let set = repository::domains(&mut tx).await?;
    let theirs: Vec<_> = input.domains.iter().filter(|domain| !set.contains(domain)).cloned().collect();
    if !theirs.is_empty() {
        let sentence = format!("Of these domains, another tenant has {}", theirs.join(", "));
        return Err(Problem::new(409, sentence).into());
    }
    // In the order in which they are read.
    let after = MailDomains { domains: set };
    ctx.audit(&mut tx, Event::updated("mail_domains.update", "domains", &before, &after)).await?;
    tx.commit().await?;
    Ok(after)
}

/// # Errors
/// The vault's and the database's.
pub async fn password(app: &AppState, tx: &mut TenantTx, row: &Row) -> Result<SecretString> {
    let sealed = row.password.as_deref().ok_or_else(|| Error::internal("a mailbox without a password"))?;
    let plain = app.vault.open(tx, place(row.mailbox_id), sealed).await?;
    Ok(String::from_utf8(plain).map_err(Error::internal)?.into())
}

async fn seal(ctx: &TenantContext, tx: &mut TenantTx, id: MailboxId, password: &str) -> Result<()> {
    let sealed = ctx.app.vault.seal(tx, place(id), password.as_bytes()).await?;
    Ok(repository::set_password(tx, id, &sealed).await?)
}

fn place(id: MailboxId) -> Place<'static> {
    Place { table: "mailboxes", row: id.0, column: "password" }
}

async fn read(ctx: &TenantContext, tx: &mut TenantTx, id: MailboxId) -> Result<Mailbox> {
    let row = repository::find(tx, id, false).await?.ok_or_else(|| not_found(id))?;
    Ok(row.into_mailbox(&ctx.tenant))
}

/// The input as it is stored, and the password where it is a new one.
fn checked(
    ctx: &TenantContext,
    input: MailboxInput,
    stored: Option<&Row>,
) -> Result<(MailboxInput, Option<String>)> {
    let address = input.address.as_deref().map(in_one_form);
    let input = MailboxInput { address, ..input }.validate(&ctx.tenant)?;
    let domain = input.address.as_deref().and_then(|address| address.rsplit_once('@'));
    if domain.is_some_and(|(_, domain)| !domain.is_ascii()) {
        return Err(Problem::invalid_field("address", NO_DOMAIN).into());
    }
    if stored.is_some_and(|row| row.kind != input.kind) {
        return Err(Problem::invalid_field("kind", "cannot be changed: make another mailbox").into());
    }
    let Some(account) = &input.imap else { return Ok((input, None)) };
    let literal = account.host.trim_matches(['[', ']']).parse();
    if let Ok(ip) = literal {
        let fence = ctx.app.senders.fence();
        fence.check(ip).map_err(|error| Problem::invalid_field("imap.host", error.to_string()))?;
    }
    if let Some(oauth) = &account.oauth {
        let url = url::Url::parse(&oauth.token_url).ok();
        // A name or a password in it would stand there to be read.
        let url = url.filter(|url| url.username().is_empty() && url.password().is_none());
        let no_address = || Problem::invalid_field("imap.oauth.token_url", "must be an https:// address");
        let url = url.ok_or_else(no_address)?;
        // The client's secret would be there to be read on its way (RFC 6749, section 2.3.1).
        // Only an address by number is known to stay in a private network: what a name leads to may change.
        let is_private = Fence::new(&[]).check_literal(&url).is_err();
        if url.scheme() != "https" && !is_private {
            let fault = "must be an https:// address, outside private networks";
            return Err(Problem::invalid_field("imap.oauth.token_url", fault).into());
        }
        let fence = ctx.app.senders.fence();
        fence
            .check_literal(&url)
            .map_err(|error| Problem::invalid_field("imap.oauth.token_url", error.to_string()))?;
    }
    if account.password != MASK {
        let password = account.password.clone();
        return Ok((input, Some(password)));
    }
    let Some(old) = stored.and_then(|row| row.imap.as_ref()) else {
        let fault = "is masked, and there is no stored value to keep";
        return Err(Problem::invalid_field("imap.password", fault).into());
    };
    // Entered for one server: sent to another, or in the clear, it could be read there.
    if login_of(account) != login_of(&old.0) {
        let fault = "must be entered again, since the account or the way to it is another now";
        return Err(Problem::invalid_field("imap.password", fault).into());
    }
    Ok((input, None))
}

/// Where the password goes, and whose it is.
fn login_of(account: &ImapAccount) -> impl PartialEq + '_ {
    let client = account.oauth.as_ref().map(|oauth| (&oauth.token_url, &oauth.client_id));
    (&account.host, account.port(), account.security, &account.username, client)
}

/// The same folder by another port or encryption is the same: it is read on where it was.
fn folder_of(account: &ImapAccount) -> (&str, &str, &str) {
    (&account.host, &account.username, &account.folder)
}

fn watched(input: &MailboxInput) -> bool {
    input.kind == MailboxKind::Imap && input.is_active
}

/// Whether it is the address that the installation's mail comes from. What comes back to it may be of any tenant, and may
/// hold a link that signs somebody in: it is no tenant's to read.
pub fn is_senders(app: &AppState, address: &str) -> bool {
    let smtp = app.config.deliveries.smtp.as_ref();
    smtp.is_some_and(|smtp| is_same(&smtp.address, address))
}

/// The addresses of mailboxes that take mail for this one, the nearest first.
pub fn candidates(address: &str) -> Vec<String> {
    let address = in_one_form(address);
    let Some((local, domain)) = address.rsplit_once('@') else { return Vec::new() };
    if local.is_empty() || domain.is_empty() || address.chars().any(char::is_control) {
        return Vec::new();
    }
    let mut found = vec![format!("{local}@{domain}")];
    if let Some((base, _)) = local.split_once('+')
        && !base.is_empty()
    {
        found.push(format!("{base}@{domain}"));
    }
    // A star in an address that was sent stands for itself, and for no mailbox.
    found.retain(|address| !address.starts_with("*@"));
    found.push(format!("*@{domain}"));
    found
}

/// The first of these addresses whose mail comes to the tenant: to an active mailbox of theirs, or to an account elsewhere
/// that was read. Never the one that the installation's mail comes from.
///
/// # Errors
/// The database's.
pub async fn first_own(app: &AppState, tx: &mut TenantTx, addresses: Vec<String>) -> Result<Option<String>> {
    if addresses.is_empty() {
        return Ok(None);
    }
    let own = repository::addresses(tx).await?;
    let own: HashSet<String> = own.iter().map(|address| in_one_form(address)).collect();
    let is_own = |address: &String| {
        !is_senders(app, address) && candidates(address).iter().any(|one| own.contains(one))
    };
    Ok(addresses.into_iter().find(is_own))
}

async fn check_address(app: &AppState, tx: &mut TenantTx, input: &MailboxInput) -> Result<()> {
    let Some(address) = input.address.as_deref() else { return Ok(()) };
    if is_senders(app, address) {
        let fault = "is the address that this installation's mail comes from (SMTP_FROM): no tenant may read \
                     what comes back to it";
        return Err(Problem::invalid_field("address", fault).into());
    }
    let Some((_, domain)) = address.rsplit_once('@') else { return Ok(()) };
    let domains = repository::domains(tx).await?;
    if domains.iter().any(|own| own == domain) {
        return Ok(());
    }
    let fault = format!(
        "{domain} is not one of this tenant's domains: an administrator of the installation says which are"
    );
    Err(Problem::invalid_field("address", fault).into())
}

fn taken<T>(done: sqlx::Result<T>, input: &MailboxInput) -> Result<T> {
    done.on_constraint("uq_eivs_mailboxes_tenant_name", || Problem::already_exists("Mailbox", &input.name))
        .on_constraint("uq_eivs_mailboxes_tenant_address", || {
            Problem::new(409, "Another mailbox takes the mail for this address")
        })
        .on_constraint("fk_eivs_mailboxes_domain", || {
            Problem::invalid_field("address", "must be of one of this tenant's domains")
        })
}

fn not_found(id: MailboxId) -> Problem {
    Problem::not_found("Mailbox", id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_leads_to_the_nearest_mailbox() {
        let of = |address: &str| candidates(address).join(" ");
        assert_eq!(of("Orders@Acme.example"), "orders@acme.example *@acme.example");
        assert_eq!(of("orders+42@acme.example"), "orders+42@acme.example orders@acme.example *@acme.example");
        assert_eq!(of("+42@acme.example"), "+42@acme.example *@acme.example");
        assert_eq!(of("*@acme.example"), "*@acme.example");
        assert_eq!(of("postmaster"), "");
        assert_eq!(of(""), "");
        assert_eq!(of("a\nb@acme.example"), "");
        // Letters of any kind, however their accents are written.
        for same in ["Müller+42@acme.example", "MU\u{308}LLER+42@acme.example"] {
            assert_eq!(of(same), "müller+42@acme.example müller@acme.example *@acme.example", "{same}");
        }
        let bookshop = "orders@xn--bcher-kva.example *@xn--bcher-kva.example";
        for same in ["Orders@BÜCHER.example", "orders@bu\u{308}cher.example", "orders@XN--bcher-kva.example"]
        {
            assert_eq!(of(same), bookshop, "{same}");
        }
        for none in ["a@b%C3%BCcher.ü", "a@１.2.3.4"] {
            assert_eq!(of(none), format!("{} *@{}", none.to_lowercase(), &none.to_lowercase()[2..]));
        }
    }
}
