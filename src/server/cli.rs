//! The command line.

use std::{
    io::{ErrorKind, IsTerminal, Write as _},
    path::{Path, PathBuf},
    process::ExitCode,
};

use chrono::{DateTime, Utc};
use clap::{ArgGroup, Parser, Subcommand};
use secrecy::{ExposeSecret, SecretString};

use super::{
    AppState, CallerContext, TenantContext,
    config::Config,
    database, embedded, openapi,
    run::{self, Fatal},
    telemetry,
    text::line,
    vault,
};
use crate::{
    auth::{
        dto::Role,
        server::{
            accounts::{self, ListedAccount},
            service as auth,
        },
    },
    bench,
    emails::{
        dto::{EmailDetail, EmailStatus},
        server::{service as emails, worker},
    },
    keys::server::service::{self as keys, StillWorking},
    shared::TenantId,
    transfer::{
        dto::{Format, Plan},
        server::{
            document,
            service::{self as transfer, Options},
            text,
        },
    },
};

/// Decides on the email that an organisation receives, and explains each decision.
#[derive(Debug, Parser)]
#[command(name = "flowengine", version)]
pub struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the application (the default).
    Serve {
        /// Load two tenants to look at, unless they are there.
        #[arg(long)]
        demo: bool,
    },
    /// Bring the database's schema up to date, and end.
    Migrate,
    /// Print the API's document (OpenAPI 3.1).
    Openapi,
    /// Manage access.
    Admin {
        #[command(subcommand)]
        command: AdminCommand,
    },
    /// Take one message from a file as if it had come in, and print the explanation: it is stored, decided, and what follows is
    /// sent. One that is there already is run again.
    Process {
        /// The message (RFC 5322), as an .eml file.
        file: PathBuf,
        /// The tenant that received it.
        #[arg(long)]
        tenant: TenantId,
        /// Its intent, instead of what the match conditions say.
        #[arg(long)]
        intent: Option<String>,
    },
    /// Print a tenant's configuration as a document for git: no secrets, names in the place of ids.
    Export {
        #[arg(long)]
        tenant: TenantId,
        /// yaml or json.
        #[arg(long, default_value = "yaml")]
        format: Format,
        /// With the classifier's examples, which may hold what people wrote.
        #[arg(long)]
        examples: bool,
        /// A file, in the place of the terminal.
        #[arg(long)]
        output: Option<PathBuf>,
    },
    /// Make a tenant's configuration what a document says, all of it or nothing.
    ///
    /// A thing is known by its name, so a new name is another thing: with --delete, the old one goes.
    /// Ends with 0 where it was done or there is nothing to do, with 2 where --dry-run found changes (as
    /// `terraform plan -detailed-exitcode` does) or they were not agreed to, and with 1 where it failed.
    #[command(verbatim_doc_comment)]
    Import {
        /// YAML, or JSON if it ends in .json.
        file: PathBuf,
        #[arg(long)]
        tenant: TenantId,
        /// Print the plan, and do nothing.
        #[arg(long, conflicts_with = "yes")]
        dry_run: bool,
        /// Delete what the document does not have, in the sections that it has.
        #[arg(long)]
        delete: bool,
        /// Do not ask. Needed where there is nobody to ask.
        #[arg(long)]
        yes: bool,
    },
    /// Measure what a decision costs with 0, 4 and 16 rules, next to the same look-ups by hand.
    Bench {
        /// Messages in a round.
        #[arg(long, default_value_t = 200)]
        messages: usize,
        #[arg(long, default_value_t = 5)]
        rounds: usize,
        /// Messages decided at once.
        #[arg(long, default_value_t = 4)]
        concurrency: usize,
        /// Print JSON in the place of a table.
        #[arg(long)]
        json: bool,
    },
    /// Run a private PostgreSQL in the foreground; its URLs are the first lines of the output.
    Database {
        #[arg(long, default_value = "data/postgres")]
        data_dir: PathBuf,
        /// Give up durability for speed: for tests.
        #[arg(long)]
        unsafe_fast: bool,
    },
}

#[derive(Debug, Subcommand)]
enum AdminCommand {
    /// Print a new API key, and nothing else.
    #[command(group(ArgGroup::new("scope").required(true).args(["instance", "tenant"])))]
    CreateKey {
        /// What the key is for.
        #[arg(long)]
        name: String,
        /// For the installation: all tenants, and their management.
        #[arg(long, conflicts_with = "role")]
        instance: bool,
        /// For this tenant.
        #[arg(long, requires = "role")]
        tenant: Option<TenantId>,
        /// viewer, operator, editor or admin.
        #[arg(long, requires = "tenant")]
        role: Option<Role>,
    },
    /// Make an account, and print the link with which its password is set.
    CreateUser {
        #[arg(long)]
        email: String,
        /// How the person is called.
        #[arg(long)]
        name: String,
        /// To manage all tenants. Without it, a tenant's administrator has to invite the person. For one who has an
        /// account already, there is set-instance-admin.
        #[arg(long)]
        instance: bool,
    },
    /// Print all accounts: whose they are, since when one is closed, when it was last signed in to, and of how many
    /// tenants the person is a member.
    ListUsers,
    /// Close an account: from the next request on, nobody is let in by it.
    ///
    /// The password, open sessions, one-time links, the ties to a provider and the open invitations that the person
    /// made end. What they did and their memberships stay, and so do the API keys that they made, for these belong to
    /// programs: how many of the installation and of each tenant still work is printed. May be said again of a closed
    /// account.
    CloseUser {
        #[arg(long)]
        email: String,
        /// End the API keys, too, that the person made, with what these made.
        #[arg(long)]
        revoke_keys: bool,
    },
    /// Open a closed account again, with the rights that it had, and print the link with which its password is set.
    OpenUser {
        #[arg(long)]
        email: String,
    },
    /// Make a person with an account an administrator of the installation, or take these rights away.
    ///
    /// With --on, every way into the account ends first, since somebody else may have made it: password, sessions,
    /// one-time links and the ties to a provider. The link with which the person sets a new password is printed.
    ///
    /// With --off, the open invitations end that the person made into tenants where they are no administrator
    /// otherwise. API keys of these tenants and of the installation that they made stay: how many still work is
    /// printed. May be said again.
    #[command(group(ArgGroup::new("rights").required(true).args(["on", "off"])))]
    SetInstanceAdmin {
        #[arg(long)]
        email: String,
        /// To manage all tenants.
        #[arg(long)]
        on: bool,
        /// From the next request on, to do no more than in the tenants of which the person is a member.
        #[arg(long)]
        off: bool,
        /// With --off, end these API keys, too, with what they made.
        #[arg(long, conflicts_with = "on")]
        revoke_keys: bool,
    },
    /// Exchange the keys that secrets are encrypted with, while servers work.
    ///
    /// Every server must know both keys first: start them with the old ENCRYPTION_KEY and the new one in
    /// ENCRYPTION_KEYS_ACCEPTED, then with the two exchanged. Run this with the same setting as the servers have
    /// then. After it, the old key opens nothing here any more; keep it as
    /// long as you keep backups of before.
    RotateKeys,
    /// Print a link with which a person sets a new password.
    ResetPassword {
        #[arg(long)]
        email: String,
    },
    /// Print a new one-time link that signs the first administrator in; those of before end.
    SignInLink,
}

/// Changes are pending.
const PENDING: u8 = 2;

/// Runs the command.
///
/// # Errors
/// What went wrong, in words for whoever typed it.
pub async fn run(cli: Cli) -> Result<ExitCode, Fatal> {
    let command = cli.command.unwrap_or(Command::Serve { demo: false });
    if let Command::Database { data_dir, unsafe_fast } = command {
        embedded::keep(&data_dir, unsafe_fast).await?;
        return Ok(ExitCode::SUCCESS);
    }
    if let Command::Openapi = command {
        show(&openapi::text())?;
        return Ok(ExitCode::SUCCESS);
    }
    let config = Config::from_env()?;
    let telemetry = telemetry::start(&config, matches!(command, Command::Serve { .. }))?;
    let done = match command {
        Command::Import { file, tenant, dry_run, delete, yes } => {
            import(config, &file, &tenant, Options { dry_run, delete, revision: None }, yes).await
        }
        command => run_plain(config, command).await.map(|()| ExitCode::SUCCESS),
    };
    telemetry.stop().await;
    done
}

/// The commands that end well or with an error.
async fn run_plain(config: Config, command: Command) -> Result<(), Fatal> {
    match command {
        Command::Serve { demo } => run::serve(config, demo).await,
        Command::Migrate => {
            run::open_database(&config).await?.close().await;
            Ok(())
        }
        Command::Admin { command } => admin(config, command).await,
        Command::Process { file, tenant, intent } => process(config, file, tenant, intent).await,
        Command::Bench { messages, rounds, concurrency, json } => {
            let options = bench::Options {
                messages: messages.max(1),
                rounds: rounds.max(1),
                concurrency: concurrency.clamp(1, 64),
            };
            let lines = bench::run(config, options).await?;
            let text = if json { serde_json::to_string_pretty(&lines)? + "\n" } else { bench::table(&lines) };
            show(&text)
        }
        Command::Export { tenant, format, examples, output } => {
            let text =
                in_tenant(config, &tenant, async |ctx| Ok(transfer::export(&ctx, format, examples).await?))
                    .await?;
            match output {
                None => show(&text),
                Some(file) => {
                    Ok(std::fs::write(&file, text).map_err(|error| format!("{}: {error}", file.display()))?)
                }
            }
        }
        Command::Database { .. } | Command::Import { .. } | Command::Openapi => Ok(()),
    }
}

/// Does something in a tenant as the server itself, without serving.
async fn in_tenant<T>(
    config: Config,
    tenant: &TenantId,
    work: impl AsyncFnOnce(TenantContext) -> Result<T, Fatal>,
) -> Result<T, Fatal> {
    let vault = run::open_vault(&config)?;
    let leptos = run::leptos_options()?;
    let opened = run::open_database(&config).await?;
    let addr = leptos.site_addr;
    let app = AppState::new(config, opened.database.clone(), vault, leptos, addr);
    let result = async {
        let ctx = CallerContext::system(app).in_tenant(tenant).await?;
        // Whoever typed it waits as long as it takes.
        database::at_leisure(work(ctx)).await
    }
    .await;
    opened.close().await;
    result
}

async fn import(
    config: Config,
    file: &Path,
    tenant: &TenantId,
    options: Options,
    yes: bool,
) -> Result<ExitCode, Fatal> {
    if !options.dry_run && !yes && !std::io::stdin().is_terminal() {
        return Err("there is nobody to ask: give --yes to import, or --dry-run to see the plan".into());
    }
    let named = |error: &dyn std::fmt::Display| format!("{}: {error}", file.display());
    let bytes = std::fs::read(file).map_err(|error| named(&error))?;
    let is_json = file.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("json"));
    let format = if is_json { Format::Json } else { Format::Yaml };
    let parsed = document::parse(&bytes, format).map_err(|problem| named(&problem))?;
    in_tenant(config, tenant, async |ctx| {
        if yes {
            let plan = transfer::import(&ctx, parsed, &options).await?;
            show(&text::plan(&plan))?;
            return Ok(ExitCode::SUCCESS);
        }
        let first = Options { dry_run: true, ..options.clone() };
        let plan = transfer::import(&ctx, parsed.clone(), &first).await?;
        show(&text::plan(&plan))?;
        if plan.summary.is_same() {
            return Ok(ExitCode::SUCCESS);
        }
        if options.dry_run || !agreed(&plan)? {
            return Ok(PENDING.into());
        }
        // What was agreed to is what is done: not if anything has moved since.
        let second = Options { revision: Some(plan.revision), ..options };
        transfer::import(&ctx, parsed, &second).await?;
        Ok(ExitCode::SUCCESS)
    })
    .await
}

fn agreed(plan: &Plan) -> Result<bool, Fatal> {
    print(&format!("{}. Do it? [y/N] ", plan.summary.words()))?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

/// Prints, and says if that failed.
fn print(text: &str) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// Prints what can be had again. Whoever has read enough of it, as `head` does, ends it: that is no fault.
fn show(text: &str) -> Result<(), Fatal> {
    match print(text) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        printed => Ok(printed?),
    }
}

async fn admin(config: Config, command: AdminCommand) -> Result<(), Fatal> {
    let (base, word) = run::base_url(&config)?;
    let link = |page: &str, token: SecretString| {
        if let Some(word) = word {
            eprintln!("flowengine: {word}");
        }
        format!("{base}/{page}/{}", token.expose_secret())
    };
    let opened = run::open_database(&config).await?;
    let is_list = matches!(command, AdminCommand::ListUsers);
    let result: Result<String, Fatal> = async {
        match command {
            AdminCommand::CreateKey { name, tenant, role, .. } => {
                let scope = tenant.as_ref().zip(role);
                let key = keys::create_by_hand(&opened.database, &name, scope).await?;
                Ok(key.expose_secret().to_owned())
            }
            AdminCommand::CreateUser { email, name, instance } => {
                let token = accounts::create_by_hand(&opened.database, &email, &name, instance).await?;
                Ok(link("reset", token))
            }
            AdminCommand::ListUsers => {
                let listed = database::at_leisure(accounts::list_by_hand(&opened.database)).await?;
                Ok(accounts_table(&listed))
            }
            AdminCommand::CloseUser { email, revoke_keys } => {
                let closing = accounts::close_by_hand(&opened.database, &email, revoke_keys);
                let working = database::at_leisure(closing).await?;
                Ok(left_words(format!("The account of {email} is closed."), &working))
            }
            AdminCommand::OpenUser { email } => {
                let token = accounts::open_by_hand(&opened.database, &email).await?;
                Ok(link("reset", token))
            }
            AdminCommand::SetInstanceAdmin { email, on: true, .. } => {
                let token = accounts::promote_by_hand(&opened.database, &email).await?;
                Ok(link("reset", token))
            }
            AdminCommand::SetInstanceAdmin { email, revoke_keys, .. } => {
                let demoting = accounts::demote_by_hand(&opened.database, &email, revoke_keys);
                let working = database::at_leisure(demoting).await?;
                Ok(left_words(format!("{email} administers the installation no longer."), &working))
            }
            AdminCommand::RotateKeys => {
                let vault = run::open_vault(&config)?;
                Ok(database::at_leisure(vault::rotate(&opened.database, &vault)).await?.to_string())
            }
            AdminCommand::ResetPassword { email } => {
                let token = accounts::reset_by_hand(&opened.database, &email).await?;
                Ok(link("reset", token))
            }
            AdminCommand::SignInLink => {
                let token = auth::new_admin_link(&opened.database).await?;
                Ok(link("sign-in", token))
            }
        }
    }
    .await;
    opened.close().await;
    let text = result? + "\n";
    if is_list {
        return show(&text);
    }
    // A key or a link is shown once: whoever has not got it has to know.
    Ok(print(&text)
        .map_err(|error| format!("it was done, and what came of it could not be printed: {error}"))?)
}

/// What was done to a person's account, for a terminal, and how many API keys that they made still work.
fn left_words(done: String, working: &StillWorking) -> String {
    let mut lines = vec![done];
    if *working != StillWorking::default() {
        lines.push("API keys that the person made still work; --revoke-keys ends them:".to_owned());
    }
    if working.of_installation > 0 {
        lines.push(format!("of the installation: {}", working.of_installation));
    }
    lines.extend(working.of_tenants.iter().map(|(tenant, count)| format!("of tenant {tenant}: {count}")));
    lines.join("\n")
}

/// Accounts, for a terminal. Times are of UTC; where there is none, a dash stands.
fn accounts_table(accounts: &[(ListedAccount, usize)]) -> String {
    let time = |time: Option<DateTime<Utc>>| match time {
        Some(time) => time.format("%Y-%m-%dT%H:%MZ").to_string(),
        None => "-".to_owned(),
    };
    let row = |(account, tenants): &(ListedAccount, usize)| {
        [
            account.email.clone(),
            account.display_name.clone(),
            if account.is_instance_admin { "yes" } else { "no" }.to_owned(),
            time(account.closed_at),
            time(account.last_sign_in_at),
            tenants.to_string(),
        ]
    };
    let title = ["address", "name", "administrator", "closed", "last sign-in", "tenants"].map(str::to_owned);
    let rows: Vec<[String; 6]> = std::iter::once(title).chain(accounts.iter().map(row)).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
    let widths: [usize; 6] = std::array::from_fn(width);
    let line = |row: &[String; 6]| {
        let cells: Vec<String> =
            row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        cells.join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// The same way that a message from the wire takes: stored, queued, processed. A server that runs may process it
/// first; a message that is there already is run again.
async fn process(
    config: Config,
    file: PathBuf,
    tenant: TenantId,
    intent: Option<String>,
) -> Result<(), Fatal> {
    let raw = std::fs::read(&file).map_err(|error| format!("{}: {error}", file.display()))?;
    let email = in_tenant(config, &tenant, async |ctx| {
        let received = emails::receive(&ctx, "command line", raw, intent.as_deref()).await?;
        if received.duplicate {
            emails::receive_again(&ctx, received.email_id, intent.as_deref()).await?;
        }
        loop {
            worker::process_now(&ctx.app, &tenant, received.email_id).await?;
            let email = emails::find(&ctx.app, &tenant, received.email_id).await?;
            if email.email.status == EmailStatus::Done {
                return Ok(email);
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    })
    .await?;
    show(&explanation(&email))
}

/// The decision and its grounds, for a terminal. Most of it a stranger may have written.
fn explanation(email: &EmailDetail) -> String {
    let decision = email.email.decision.map_or("undecided", |decision| decision.as_str());
    let mut lines = vec![
        format!("{decision}  {}", email.email.explanation),
        format!("message   {}  {}", email.email.email_id, email.email.subject),
    ];
    if let Some(why) = &email.classification {
        let intent = why.intent.as_deref().unwrap_or("none");
        lines.push(format!("intent    {intent}: {}", why.because.join("; ")));
        lines.extend(
            why.considered.iter().map(|other| format!("          not {}: {}", other.intent, other.why_not)),
        );
    }
    for entry in &email.verdicts {
        let source = entry.datasource.as_deref().unwrap_or("the message");
        lines.push(format!(
            "{:<9} {} {} ({source}, {:.1} ms): {}",
            entry.verdict.as_str(),
            entry.field_name,
            entry.rule_type,
            entry.duration_ms,
            entry.reason
        ));
        if let Some(lookup) = &entry.evidence.lookup {
            lines.push(format!("          looked up {lookup}"));
        }
    }
    lines.iter().map(|text| line(text) + "\n").collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_stranger_wrote_gives_the_terminal_no_commands() {
        let email = json!({
            "email_id": "00000000-0000-7000-8000-000000000000", "tenant_id": "acme", "message_id": "", "sender_email": "",
            "sender_name": "", "recipient_email": "", "subject": "hi\u{1b}]0;owned\u{7}", "received_at": "2026-01-01T00:00:00Z",
            "status": "done", "intent": null, "decision": "rejected", "explanation": "Rejected: \u{9b}2J\nall is well.",
            "parse_error": null, "fields": {}, "decided_by": null, "decided_at": null, "run": 1, "intent_version": null,
            "configuration_revision": null, "deliveries": [],
            "classification": {
                "method": "match", "intent": "Orders", "because": ["subject is \"\u{1b}[2J\""],
                "considered": [{"intent": "Other", "why_not": "no \u{8}"}]
            },
            "verdicts": [{
                "rule_id": 1, "rule_type": "exists", "field_name": "subject", "datasource": "Shop", "on_fail": "reject",
                "verdict": "fail", "reason": "no row for \u{1b}[31m", "evidence": {"lookup": {"params": ["\u{9b}1m"]}},
                "duration_ms": 1.0
            }]
        });
        let email: EmailDetail = serde_json::from_value(email).expect("a message");
        let text = explanation(&email);
        assert!(text.lines().all(|line| !line.contains(char::is_control)), "{text:?}");
        assert_eq!(
            text,
            "rejected  Rejected:  2J all is well.\n\
             message   00000000-0000-7000-8000-000000000000  hi ]0;owned \n\
             intent    Orders: subject is \" [2J\"\n          not Other: no  \n\
             fail      subject exists (Shop, 1.0 ms): no row for  [31m\n          looked up {\"params\":[\" 1m\"]}\n"
        );
    }
}
