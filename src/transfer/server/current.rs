//! A tenant's configuration as it is, with the ids that a document does not have.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

use super::document::{
    ClassifierEntry, ConfigEntry, DatasourceEntry, Document, IntentEntry, RouteEntry, RuleEntry, VERSION,
};
use crate::{
    classifier::server::service as classifier,
    datasources::{
        dto::{Datasource, MASK},
        server::{
            config_service::{self as configs, Row as ConfigRow},
            service as datasources,
        },
    },
    intents::{dto::Intent, server::reading as intents},
    routes::server::{reading::Row as RouteRow, service as routes},
    rules::{dto::ValidationRule, server::service as rules},
    server::{Error, Result, TenantTx, token},
    shared::{DatasourceId, IntentId},
};

/// Everything, by name.
pub struct Current {
    pub configs: BTreeMap<String, ConfigRow>,
    pub datasources: BTreeMap<String, Datasource>,
    pub intents: BTreeMap<String, Intent>,
    /// By priority.
    pub rules: HashMap<IntentId, Vec<ValidationRule>>,
    pub routes: BTreeMap<String, RouteRow>,
    pub gate: f64,
}

/// Keeps the datasources, configs and routes that there are from being changed by others until the transaction ends, as
/// the revision that it has begun keeps intents and rules: so what is read next still holds where it is written.
///
/// Shared, since messages are decided meanwhile, which keep their routes too. Datasources come before configs, as where a
/// datasource is changed.
///
/// # Errors
/// The database's.
pub async fn keep(tx: &mut TenantTx) -> Result<()> {
    let tenant = tx.tenant().clone();
    for sql in [
        "SELECT FROM datasources WHERE tenant_id = $1 ORDER BY datasource_id FOR SHARE",
        "SELECT FROM datasource_configs WHERE tenant_id = $1 ORDER BY config_id FOR SHARE",
        "SELECT FROM routes WHERE tenant_id = $1 ORDER BY route_id FOR SHARE",
    ] {
        sqlx::query(sql).bind(tenant.as_str()).execute(tx.conn()).await?;
    }
    Ok(())
}

/// Reads it. The caller holds the tenant's intents and rules, so that what refers to them fits.
///
/// # Errors
/// The database's.
pub async fn read(tx: &mut TenantTx) -> Result<Current> {
    let mut by_intent: HashMap<IntentId, Vec<ValidationRule>> = HashMap::new();
    for rule in rules::all(tx).await? {
        by_intent.entry(rule.intent_id).or_default().push(rule);
    }
    Ok(Current {
        configs: configs::all(tx).await?.into_iter().map(|row| (row.name.clone(), row)).collect(),
        datasources: datasources::all(tx).await?.into_iter().map(|one| (one.name.clone(), one)).collect(),
        intents: intents::all(tx).await?.into_iter().map(|intent| (intent.name.clone(), intent)).collect(),
        rules: by_intent,
        routes: routes::all(tx).await?.into_iter().map(|row| (row.name.clone(), row)).collect(),
        gate: classifier::gate(tx).await?,
    })
}

impl Current {
    /// Intents are in the order in which a message is tried against them, which an import keeps: of one priority, the one
    /// made first comes first. All else is in the order of its names' bytes. So the same configuration always is the same
    /// document.
    pub fn document(&self) -> Document {
        let mut intents: Vec<&Intent> = self.intents.values().collect();
        intents.sort_by_key(|intent| (intent.priority, intent.intent_id));
        Document {
            version: VERSION,
            datasource_configs: Some(self.configs.values().map(config_entry).collect()),
            datasources: Some(self.datasources.values().map(datasource_entry).collect()),
            intents: Some(intents.into_iter().map(|intent| self.intent_entry(intent)).collect()),
            routes: Some(self.routes.values().map(|row| masked(self.route_entry(row))).collect()),
            classifier: Some(ClassifierEntry { gate: self.gate }),
        }
    }

    /// Another one whenever anything of the document has changed, or a secret behind it. Examples aside: they come in
    /// while people work on messages.
    ///
    /// # Errors
    /// None that is the caller's.
    pub fn revision(&self) -> Result<String> {
        let mut text = serde_json::to_string(&self.document()).map_err(Error::internal)?;
        for (name, at) in (self.configs.iter().map(|(name, row)| (name, row.updated_at)))
            .chain(self.routes.iter().map(|(name, row)| (name, row.updated_at)))
        {
            text.push_str(&format!("|{name}|{}", at.timestamp_micros()));
        }
        Ok(token::hex(&token::hash(&text)[..12]))
    }

    pub fn intent_entry(&self, intent: &Intent) -> IntentEntry {
        let rules = self.rules_of(intent.intent_id);
        IntentEntry {
            name: intent.name.clone(),
            description: intent.description.clone(),
            is_active: intent.is_active,
            priority: intent.priority,
            conditions: intent.conditions.clone(),
            extractors: intent.extractors.clone(),
            validation_rules: Some(rules.iter().map(|rule| self.rule_entry(rule)).collect()),
            examples: None,
        }
    }

    pub fn rules_of(&self, intent: IntentId) -> &[ValidationRule] {
        self.rules.get(&intent).map(Vec::as_slice).unwrap_or_default()
    }

    pub fn rule_entry(&self, rule: &ValidationRule) -> RuleEntry {
        RuleEntry {
            field_name: rule.field_name.clone(),
            rule_type: rule.rule_type,
            datasource: rule.datasource_id.map(|id| self.datasource_name(id)),
            conditions: rule.conditions.as_object().cloned().unwrap_or_default(),
            priority: rule.priority,
            is_active: rule.is_active,
            on_fail: rule.on_fail,
            on_error: rule.on_error,
            when_missing: rule.when_missing,
            stop: rule.stop,
        }
    }

    pub fn datasource(&self, id: DatasourceId) -> Option<&Datasource> {
        self.datasources.values().find(|datasource| datasource.datasource_id == id)
    }

    /// The database knows no rule without its datasource.
    fn datasource_name(&self, id: DatasourceId) -> String {
        self.datasource(id).map(|datasource| datasource.name.clone()).unwrap_or_default()
    }

    pub fn route_entry(&self, row: &RouteRow) -> RouteEntry {
        let intent = row.intent_id.and_then(|id| {
            self.intents.values().find(|intent| intent.intent_id == id).map(|intent| intent.name.clone())
        });
        RouteEntry {
            name: row.name.clone(),
            intent,
            kind: row.kind,
            decisions: row.decisions.clone(),
            // The values of headers were masked before they were stored, or are empty where they are still to be set.
            settings: row.settings.0.clone(),
            is_active: row.is_active,
        }
    }
}

/// With every header masked: whether its value is set here says nothing of where it is taken to.
fn masked(mut entry: RouteEntry) -> RouteEntry {
    if let Some(Value::Object(headers)) = entry.settings.get_mut("headers") {
        for value in headers.values_mut() {
            *value = MASK.into();
        }
    }
    entry
}

pub fn config_entry(row: &ConfigRow) -> ConfigEntry {
    let mut members = row.auth_members.clone();
    members.sort_unstable();
    ConfigEntry {
        name: row.name.clone(),
        protocol: row.protocol.clone(),
        driver_family: row.driver_family.clone(),
        base_url: row.base_url.clone(),
        auth_type: row.auth_type,
        auth_config: members.into_iter().map(|name| (name, Value::from(MASK))).collect(),
        connection_json: row.connection_json.0.clone(),
    }
}

pub fn datasource_entry(datasource: &Datasource) -> DatasourceEntry {
    DatasourceEntry {
        name: datasource.name.clone(),
        datasource_type: datasource.datasource_type,
        connection_key: datasource.connection_key.clone(),
        description: datasource.description.clone(),
        is_active: datasource.is_active,
    }
}
