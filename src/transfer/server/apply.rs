//! Makes a tenant's configuration what a document says, in one transaction and by the services of its parts.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{
    ahead::Found,
    check::{as_named, route_input, rule_input},
    current::{self, Current},
    document::{ClassifierEntry, ConfigEntry, DatasourceEntry, Document, IntentEntry, RouteEntry, RuleEntry},
    plan,
};
use crate::{
    auth::authority::Permission,
    classifier::server::service as classifier,
    datasources::server::{config_service as configs, service as datasources},
    intents::{
        dto::{Intent, IntentInput},
        server::{
            service as intents,
            versions::{self, Revision},
        },
    },
    routes::server::service as routes,
    rules::server::service as rules,
    server::{Error, Result, TenantContext, TenantTx, error::at_place},
    shared::{DatasourceId, IntentId, Problem},
    transfer::dto::{Action, Change, Kind},
};

/// An import under way.
pub struct Import<'a> {
    pub ctx: &'a TenantContext,
    pub tx: TenantTx,
    /// Begun before anything was read, so that no other change of intents or rules comes between.
    pub revision: Revision,
    pub current: Current,
    /// What was found of the rules before the transaction was open.
    looked: Found,
    /// Whether what is not in the document goes.
    pub delete: bool,
    changes: Vec<Change>,
    datasource_ids: HashMap<String, DatasourceId>,
    intent_ids: HashMap<String, IntentId>,
    /// The intents whose version is to be recorded.
    touched: BTreeSet<IntentId>,
    /// Those that are there and differ, with their place in the document.
    changed: Vec<(usize, Intent)>,
}

impl<'a> Import<'a> {
    pub fn new(
        ctx: &'a TenantContext,
        tx: TenantTx,
        revision: Revision,
        current: Current,
        looked: Found,
        delete: bool,
    ) -> Self {
        let datasource_ids =
            current.datasources.iter().map(|(name, found)| (name.clone(), found.datasource_id)).collect();
        let intent_ids =
            current.intents.iter().map(|(name, found)| (name.clone(), found.intent_id)).collect();
        Self {
            ctx,
            tx,
            revision,
            current,
            looked,
            delete,
            changes: Vec::new(),
            datasource_ids,
            intent_ids,
            touched: BTreeSet::new(),
            changed: Vec::new(),
        }
    }

    /// Stores what differs, and gives the transaction back with the plan and what was there before: nothing is committed
    /// here.
    ///
    /// # Errors
    /// What a service says, with the place in the document; 403 where a config differs and the caller may not change
    /// credentials.
    pub async fn run(mut self, document: &Document) -> Result<(TenantTx, Vec<Change>, Current)> {
        let extent = intents::extent(&mut self.tx).await?;
        // Each thing before those that refer to it; what goes, the other way round. A route goes first, before the
        // tenant has too many.
        for (i, entry) in document.datasource_configs.iter().flatten().enumerate() {
            let done = self.config(entry).await;
            at_place(done, &format!("datasource_configs[{i}]"))?;
        }
        for (i, entry) in document.datasources.iter().flatten().enumerate() {
            let done = self.datasource(entry).await;
            at_place(done, &format!("datasources[{i}]"))?;
        }
        for (i, entry) in document.intents.iter().flatten().enumerate() {
            self.intent(i, entry).await?;
        }
        self.note_other_order(document);
        self.lock_intents_gone(document).await?;
        let mut gone = self.routes_gone(document).await?;
        for (i, entry) in document.routes.iter().flatten().enumerate() {
            let done = self.route(entry).await;
            at_place(done, &format!("routes[{i}]"))?;
        }
        for (i, intent) in std::mem::take(&mut self.changed) {
            let done = routes::check_all_of(&mut self.tx, &intent).await;
            at_place(done, &format!("intents[{i}]"))?;
        }
        if let Some(entry) = document.classifier {
            let done = self.classifier(entry).await;
            at_place(done, "classifier")?;
        }
        gone.extend(self.intents_gone(document).await?);
        // Once those that go are gone: until then there may be more than a tenant can have.
        intents::check_room(&mut self.tx, extent).await?;
        gone.extend(self.datasources_gone(document).await?);
        gone.extend(self.configs_gone(document).await?);
        self.changes.extend(gone);
        self.rules_still_hold().await?;
        let by = self.ctx.actor.label();
        for intent in &self.touched {
            versions::record(&mut self.tx, self.revision, *intent, &by).await?;
        }
        Ok((self.tx, self.changes, self.current))
    }

    /// Rules that the document leaves as they are must hold with the datasources and configs that it changes.
    async fn rules_still_hold(&mut self) -> Result<()> {
        let Self { tx, current, changes, .. } = self;
        let differing = |kind: Kind| -> BTreeSet<&str> {
            let differs = |change: &&Change| change.kind == kind && change.action != Action::Same;
            changes.iter().filter(differs).map(|change| change.name.as_str()).collect()
        };
        let (configs_differing, differing) = (differing(Kind::Config), differing(Kind::Datasource));
        for before in current.datasources.values() {
            if !differing.contains(before.name.as_str())
                && !configs_differing.contains(before.connection_key.as_str())
            {
                continue;
            }
            let Some(now) = datasources::find(tx, before.datasource_id).await? else { continue };
            let led = current.configs.get(&before.connection_key).and_then(|row| row.endpoint().ok());
            let leads = configs::usable(tx, &now.connection_key).await?;
            let was = (before.datasource_type, led.as_ref());
            configs::check_served(tx, "datasources", was, &now, leads.as_ref()).await?;
        }
        Ok(())
    }

    async fn config(&mut self, entry: &ConfigEntry) -> Result<()> {
        let stored = self.current.configs.get(&entry.name);
        let (change, auth_config) = plan::config(entry, stored.map(current::config_entry).as_ref());
        if change.action != Action::Same {
            let id = stored.map(|row| row.config_id);
            let wanted = ConfigEntry { auth_config, ..entry.clone() };
            configs::put(self.ctx, &mut self.tx, id, (&wanted).into()).await?;
        }
        self.changes.push(change);
        Ok(())
    }

    async fn datasource(&mut self, entry: &DatasourceEntry) -> Result<()> {
        let stored = self.current.datasources.get(&entry.name);
        let before = stored.map(|stored| plan::members(&current::datasource_entry(stored)));
        let change = plan::change(Kind::Datasource, &entry.name, before, plan::members(entry), &[]);
        if change.action != Action::Same {
            let id = stored.map(|stored| stored.datasource_id);
            let made = datasources::put(&mut self.tx, id, &entry.into()).await?;
            self.datasource_ids.insert(made.name, made.datasource_id);
        }
        self.changes.push(change);
        Ok(())
    }

    async fn intent(&mut self, i: usize, entry: &IntentEntry) -> Result<()> {
        let at = format!("intents[{i}]");
        let stored = self.current.intents.get(&entry.name).cloned();
        let before = stored.as_ref().map(|stored| plan::members(&self.current.intent_entry(stored)));
        let change = plan::change(Kind::Intent, &entry.name, before, plan::members(entry), &[]);
        let is_same = change.action == Action::Same;
        self.changes.push(change);
        let before = stored.clone();
        let intent = match stored {
            Some(stored) if is_same => stored,
            stored => {
                let id = stored.as_ref().map(|stored| stored.intent_id);
                let put = intents::put(&mut self.tx, id, &IntentInput::from(entry)).await;
                let intent = at_place(put, &at)?;
                self.intent_ids.insert(intent.name.clone(), intent.intent_id);
                self.touched.insert(intent.intent_id);
                intent
            }
        };
        if let Some(wanted) = &entry.validation_rules {
            self.rules(i, &intent, wanted).await?;
        }
        if !is_same {
            // A new one has no rules but those that were checked a moment ago.
            if let Some(before) = &before {
                let held = rules::check_all_of(&mut self.tx, &intent, before).await;
                at_place(held, &at)?;
            }
            self.changed.push((i, intent.clone()));
        }
        if let Some(texts) = &entry.examples {
            let put = classifier::put_examples(&mut self.tx, intent.intent_id, texts, self.delete).await;
            let (had, has, differ) = at_place(put, &at)?;
            self.changes.push(examples(&entry.name, had, has, differ));
        }
        Ok(())
    }

    /// Of intents of one priority, the one made first is tried first. Where they were made in another order than the
    /// document has them in, a message that several of them match gets another intent than where the document comes from.
    fn note_other_order(&mut self, document: &Document) {
        // By priority: the last of those before it in the document that are tried.
        let mut last: HashMap<i32, (IntentId, &str)> = HashMap::new();
        for entry in document.intents.iter().flatten().filter(|entry| entry.is_active) {
            let Some(id) = self.intent_ids.get(&entry.name).copied() else { continue };
            match last.get(&entry.priority) {
                Some((later, name)) if id < *later => {
                    let note = format!(
                        "is tried before '{name}', which comes first in the document: both have one priority, and this one \
                         was made first. Where a message may match both, give them priorities that differ"
                    );
                    let is_its =
                        |change: &&mut Change| change.kind == Kind::Intent && change.name == entry.name;
                    if let Some(change) = self.changes.iter_mut().find(is_its) {
                        change.notes.push(note);
                    }
                }
                _ => {
                    last.insert(entry.priority, (id, entry.name.as_str()));
                }
            }
        }
    }

    /// The rules of an intent that the document has are all the rules that it has.
    async fn rules(&mut self, i: usize, intent: &Intent, wanted: &[RuleEntry]) -> Result<()> {
        let stored = self.current.rules_of(intent.intent_id).to_vec();
        let entries: Vec<RuleEntry> = stored.iter().map(|rule| self.current.rule_entry(rule)).collect();
        let pairs = plan::pair(&entries, wanted);
        // First those that go: an intent has room for so many.
        for (s, rule) in stored.iter().enumerate() {
            if !pairs.contains(&Some(s)) {
                // It may have gone already, if it is wanted elsewhere: a rule belongs to one intent.
                rules::remove(&mut self.tx, rule.rule_id).await?;
                let name = plan::rule_name(&intent.name, &entries[s]);
                self.changes.push(plan::deletion(Kind::Rule, &name, &entries[s]));
                self.touched.insert(intent.intent_id);
            }
        }
        for (w, entry) in wanted.iter().enumerate() {
            let before = pairs[w].map(|s| plan::members(&entries[s]));
            let name = plan::rule_name(&intent.name, entry);
            let change = plan::change(Kind::Rule, &name, before, plan::members(entry), &[]);
            if change.action != Action::Same {
                let datasource = entry.datasource.as_ref().and_then(|name| self.datasource_ids.get(name));
                let input = rule_input(entry, intent.intent_id, datasource.copied());
                let (tx, looked) = (&mut self.tx, self.looked.get(&(i, w)));
                let done = match pairs[w] {
                    Some(s) => rules::put(tx, stored[s].rule_id, intent, &input, looked).await,
                    None => rules::insert(tx, intent, &input, looked).await,
                };
                let done = done.map_err(|error| match error {
                    Error::Problem(problem) => as_named(problem).into(),
                    other => other,
                });
                at_place(done, &format!("intents[{i}].validation_rules[{w}]"))?;
                self.touched.insert(intent.intent_id);
            }
            self.changes.push(change);
        }
        Ok(())
    }

    async fn route(&mut self, entry: &RouteEntry) -> Result<()> {
        let stored = self.current.routes.get(&entry.name);
        let before = stored.map(|row| self.current.route_entry(row));
        let (change, settings) = plan::route(entry, before.as_ref());
        if change.action != Action::Same {
            let id = stored.map(|row| row.route_id);
            let intent = entry.intent.as_ref().and_then(|name| self.intent_ids.get(name)).copied();
            let wanted = RouteEntry { settings, ..entry.clone() };
            routes::put(self.ctx, &mut self.tx, id, route_input(&wanted, intent)).await?;
        }
        self.changes.push(change);
        Ok(())
    }

    async fn classifier(&mut self, entry: ClassifierEntry) -> Result<()> {
        let before = plan::members(&ClassifierEntry { gate: self.current.gate });
        let change = plan::change(Kind::Classifier, "classifier", Some(before), plan::members(&entry), &[]);
        if change.action != Action::Same {
            classifier::put_gate(&mut self.tx, entry.gate).await?;
        }
        self.changes.push(change);
        Ok(())
    }

    /// Keeps messages from getting the intents that go. Before any route is changed, as whoever decides a message has it: so
    /// neither waits for the other.
    async fn lock_intents_gone(&mut self, document: &Document) -> Result<()> {
        let Some(names) = self.kept(document.intents.as_deref(), |entry| &entry.name) else {
            return Ok(());
        };
        for (_, intent) in without(&self.current.intents, &names) {
            intents::lock(&mut self.tx, intent.intent_id).await?;
        }
        Ok(())
    }

    async fn routes_gone(&mut self, document: &Document) -> Result<Vec<Change>> {
        let Some(names) = self.kept(document.routes.as_deref(), |entry| &entry.name) else {
            return Ok(Vec::new());
        };
        let mut gone = Vec::new();
        for (name, row) in without(&self.current.routes, &names) {
            routes::remove(&mut self.tx, row.route_id).await?;
            gone.push(plan::deletion(Kind::Route, name, &self.current.route_entry(row)));
        }
        Ok(gone)
    }

    /// Routes of an intent that goes would go with it unseen, so they must be gone or moved.
    async fn intents_gone(&mut self, document: &Document) -> Result<Vec<Change>> {
        let Some(names) = self.kept(document.intents.as_deref(), |entry| &entry.name) else {
            return Ok(Vec::new());
        };
        let mut gone = Vec::new();
        let by = self.ctx.actor.label();
        let all = routes::all(&mut self.tx).await?;
        for (name, intent) in without(&self.current.intents, &names) {
            let id = intent.intent_id;
            if let Some(route) = all.iter().find(|row| row.intent_id == Some(id)) {
                return Err(Problem::business_rule(format!(
                    "Intent '{name}' cannot be deleted: the route '{}' is bound to it, and the document has no routes",
                    route.name
                ))
                .into());
            }
            intents::remove(&mut self.tx, self.revision, id, &by).await?;
            gone.push(plan::deletion(Kind::Intent, name, &self.current.intent_entry(intent)));
            for rule in self.current.rules_of(id) {
                let entry = self.current.rule_entry(rule);
                gone.push(plan::deletion(Kind::Rule, &plan::rule_name(name, &entry), &entry));
            }
        }
        Ok(gone)
    }

    /// Rules that ask a datasource that goes would go with it unseen, so they must be gone or changed.
    async fn datasources_gone(&mut self, document: &Document) -> Result<Vec<Change>> {
        let Some(names) = self.kept(document.datasources.as_deref(), |entry| &entry.name) else {
            return Ok(Vec::new());
        };
        let mut gone = Vec::new();
        for (name, datasource) in without(&self.current.datasources, &names) {
            let asking = datasources::remove(&mut self.tx, datasource.datasource_id).await?;
            if let Some(intent) = self.current.intents.values().find(|one| asking.contains(&one.intent_id)) {
                return Err(Problem::business_rule(format!(
                    "Datasource '{name}' cannot be deleted: rules of the intent '{}' ask it, and the document leaves them as they are",
                    intent.name
                ))
                .into());
            }
            gone.push(plan::deletion(Kind::Datasource, name, &current::datasource_entry(datasource)));
        }
        Ok(gone)
    }

    async fn configs_gone(&mut self, document: &Document) -> Result<Vec<Change>> {
        let Some(names) = self.kept(document.datasource_configs.as_deref(), |entry| &entry.name) else {
            return Ok(Vec::new());
        };
        let mut gone = Vec::new();
        for (name, row) in without(&self.current.configs, &names) {
            self.ctx.require(Permission::Credentials)?;
            configs::remove(self.ctx, &mut self.tx, row.config_id).await?;
            gone.push(plan::deletion(Kind::Config, name, &current::config_entry(row)));
        }
        Ok(gone)
    }

    /// The names of a section, if what is not among them is to go.
    fn kept<'d, T>(
        &self,
        section: Option<&'d [T]>,
        name: fn(&'d T) -> &'d String,
    ) -> Option<BTreeSet<&'d str>> {
        let entries = section.filter(|_| self.delete)?;
        Some(entries.iter().map(|entry| name(entry).as_str()).collect())
    }
}

fn without<'a, T>(
    all: &'a BTreeMap<String, T>,
    names: &BTreeSet<&str>,
) -> impl Iterator<Item = (&'a String, &'a T)> {
    all.iter().filter(|(name, _)| !names.contains(name.as_str()))
}

/// Examples may hold what people wrote: a plan says how many there are.
fn examples(intent: &str, had: usize, has: usize, differ: bool) -> Change {
    let count = |count: usize| Some(std::iter::once(("count".to_owned(), count.into())).collect());
    Change {
        action: if differ { Action::Change } else { Action::Same },
        kind: Kind::Examples,
        name: intent.to_owned(),
        fields: if differ { vec!["count".into()] } else { Vec::new() },
        before: if differ { count(had) } else { None },
        after: if differ { count(has) } else { None },
        notes: Vec::new(),
    }
}
