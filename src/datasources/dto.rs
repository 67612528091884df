//! Wire types of datasources and their configs. None of them can carry a stored secret outward.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer, Serialize, de::IgnoredAny};

use crate::{
    rules::dto::{RuleUse, wire_enum},
    shared::{
        ConfigId, DatasourceId, Problem, TenantId,
        validate::{Checks, null_as, null_as_default, null_as_yes, yes},
    },
};

/// What stands in an answer where a secret is stored.
pub const MASK: &str = "********";

wire_enum!(
    /// Where the truth is.
    DatasourceType { Database = "database", Api = "api", File = "file" }
);

wire_enum!(
    /// How a datasource is signed in to.
    AuthType { None = "none", Basic = "basic", Bearer = "bearer", ApiKey = "api_key", Oauth = "oauth" }
);

/// A place to look things up in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct Datasource {
    pub datasource_id: DatasourceId,
    pub tenant_id: TenantId,
    pub name: String,
    pub datasource_type: DatasourceType,
    /// The name of a config: a reference by name, which may not exist yet.
    pub connection_key: String,
    pub description: String,
    pub is_active: bool,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// The body of `POST` and `PUT` for datasources.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "ssr", schema(examples(json!({"name": "Customers", "datasource_type": "file", "connection_key": "customers"}))))]
pub struct DatasourceInput {
    #[cfg_attr(feature = "ssr", schema(schema_with = crate::server::openapi::name))]
    pub name: String,
    pub datasource_type: DatasourceType,
    #[cfg_attr(feature = "ssr", schema(schema_with = crate::server::openapi::name))]
    pub connection_key: String,
    #[serde(default, deserialize_with = "null_as_default")]
    #[cfg_attr(feature = "ssr", schema(max_length = 2000))]
    pub description: String,
    #[serde(default = "yes", deserialize_with = "null_as_yes")]
    #[cfg_attr(feature = "ssr", schema(default = true))]
    pub is_active: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ssr", schema(value_type = Option<TenantId>))]
    pub tenant_id: Option<String>,
    #[serde(default, skip_serializing)]
    pub datasource_id: IgnoredAny,
    #[serde(default, skip_serializing)]
    pub created_at: IgnoredAny,
    #[serde(default, skip_serializing)]
    pub updated_at: IgnoredAny,
}

impl DatasourceInput {
    /// # Errors
    /// 422 with every field at fault.
    pub fn validate(mut self, tenant: &TenantId) -> Result<Self, Problem> {
        let mut checks = Checks::default();
        checks.same_tenant(self.tenant_id.as_deref(), tenant);
        self.name = checks.name("name", &self.name);
        self.connection_key = checks.name("connection_key", &self.connection_key);
        self.description = checks.text("description", &self.description, 2_000);
        checks.finish()?;
        Ok(self)
    }
}

/// How to get to a datasource, as it is read back: each stored secret is `MASK`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct DatasourceConfig {
    pub config_id: ConfigId,
    pub tenant_id: TenantId,
    pub name: String,
    /// As it was given; `driver_family` too.
    pub protocol: String,
    pub driver_family: String,
    pub base_url: Option<String>,
    pub auth_type: AuthType,
    /// The stored members, every value masked.
    #[cfg_attr(feature = "ssr", schema(value_type = Object))]
    pub auth_config: serde_json::Value,
    #[cfg_attr(feature = "ssr", schema(value_type = Object))]
    pub connection_json: serde_json::Value,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// The body of `POST` and `PUT` for configs.
#[derive(Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "ssr", schema(examples(json!({"name": "customers", "protocol": "file", "connection_json": {"path": "customers.csv"}}))))]
pub struct DatasourceConfigInput {
    #[cfg_attr(feature = "ssr", schema(schema_with = crate::server::openapi::name))]
    pub name: String,
    /// `postgresql` (or `postgres`), `mysql`, `mariadb`, `sqlite`, `file`, `http` or `https`, in capitals too.
    pub protocol: String,
    /// Of a `file`, how it is written: `csv`, `excel`, `json` or `jsonl`. Left out, the ending of its name says it. Elsewhere it
    /// changes nothing: it may be the driver that another program has for the protocol, as `psycopg2` for `postgresql`.
    #[serde(default, deserialize_with = "null_as_default")]
    pub driver_family: String,
    /// Where it is: what `connection_json` does not say.
    #[serde(default)]
    #[cfg_attr(feature = "ssr", schema(max_length = 2000))]
    pub base_url: Option<String>,
    #[serde(default = "AuthType::none", deserialize_with = "auth_type")]
    #[cfg_attr(feature = "ssr", schema(default = "none"))]
    pub auth_type: AuthType,
    #[serde(default, deserialize_with = "null_as_default")]
    #[cfg_attr(feature = "ssr", schema(value_type = Object))]
    pub auth_config: serde_json::Map<String, serde_json::Value>,
    #[serde(default, deserialize_with = "null_as_default")]
    #[cfg_attr(feature = "ssr", schema(value_type = Object))]
    pub connection_json: serde_json::Map<String, serde_json::Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ssr", schema(value_type = Option<TenantId>))]
    pub tenant_id: Option<String>,
    #[serde(default, skip_serializing)]
    pub config_id: IgnoredAny,
    #[serde(default, skip_serializing)]
    pub created_at: IgnoredAny,
    #[serde(default, skip_serializing)]
    pub updated_at: IgnoredAny,
}

/// A secret in a log line is a leak: what may hold one prints without it.
impl std::fmt::Debug for DatasourceConfigInput {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DatasourceConfigInput").field("name", &self.name).finish_non_exhaustive()
    }
}

impl AuthType {
    fn none() -> Self {
        Self::None
    }
}

fn auth_type<'de, D: Deserializer<'de>>(deserializer: D) -> Result<AuthType, D::Error> {
    null_as(deserializer, AuthType::none)
}

/// The answer to `GET /api/datasources/{datasource_id}/with-config`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct DatasourceWithConfig {
    pub datasource: Datasource,
    pub config: Option<DatasourceConfig>,
}

/// A datasource as its page shows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DatasourceView {
    pub datasource: Datasource,
    /// Of the datasource, for the change that is made to it.
    pub etag: String,
    pub config: Option<DatasourceConfig>,
    /// As `ConfigView::files`.
    pub files: Vec<String>,
    pub used_by: Vec<RuleUse>,
}

/// A config as its page shows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConfigView {
    pub config: DatasourceConfig,
    /// The paths of the files that it leads to, for those who may look into them.
    pub files: Vec<String>,
    /// Why no look-up can use it as it is stored: what is refused today may have been taken once.
    pub fault: Option<Problem>,
    /// Of the config, for the change that is made to it.
    pub etag: String,
    pub used_by: Vec<Datasource>,
}

/// The answer to `POST /api/datasources/{datasource_id}/test`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct TestResult {
    pub ok: bool,
    /// Where it ended, if it did not work.
    pub step: Option<TestStep>,
    /// A sentence.
    pub message: String,
    /// What works and could be better, such as a role that may write.
    pub warnings: Vec<String>,
    pub duration_ms: f64,
}

wire_enum!(
    /// A step of reaching a datasource.
    TestStep {
        Config = "config",
        Name = "name",
        Port = "port",
        Tls = "tls",
        Credentials = "credentials",
        Permission = "permission",
        Database = "database",
        File = "file",
        Sheet = "sheet",
        Answer = "answer",
    }
);

/// The body of `POST /api/datasources/{datasource_id}/preview`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "ssr", schema(examples(json!({"conditions": {"match": {"email": "{{sender_email}}"}}, "fields": {"sender_email": "ann@acme.example"}}))))]
pub struct PreviewInput {
    /// As a rule of the type `exists` would have them.
    #[cfg_attr(feature = "ssr", schema(value_type = Object))]
    pub conditions: serde_json::Map<String, serde_json::Value>,
    /// Values of the fields that the templates name.
    #[serde(default, deserialize_with = "null_as_default")]
    #[cfg_attr(feature = "ssr", schema(value_type = Object))]
    pub fields: serde_json::Map<String, serde_json::Value>,
}

/// The answer to a preview.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct PreviewResult {
    pub ok: bool,
    /// What went wrong, if so.
    pub message: Option<String>,
    /// The rendered look-up.
    pub lookup: serde_json::Value,
    pub columns: Vec<PreviewColumn>,
    /// The first rows, at most 20.
    #[cfg_attr(feature = "ssr", schema(value_type = Vec<Object>, max_items = 20))]
    pub rows: Vec<serde_json::Map<String, serde_json::Value>>,
    /// How many rows there are, up to the row limit.
    pub row_count: usize,
    pub truncated: bool,
    pub duration_ms: f64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct PreviewColumn {
    pub name: String,
    /// `integer`, `number`, `text`, `boolean`, `json`, `mixed` or `unknown`.
    #[serde(rename = "type")]
    pub kind: String,
}
