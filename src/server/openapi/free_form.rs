//! Members whose form depends on another member, so that no type of ours has it: `conditions` on the datasource,
//! `settings` on the kind, `auth_config` on the type of sign-in, `connection_json` on the protocol.

use serde_json::{Value, json};

/// Which property of which schema has the form of which schema of `schemas`.
pub const PLACES: [(&str, &str, &str); 9] = [
    ("RuleInput", "conditions", "Conditions"),
    ("ValidationRule", "conditions", "Conditions"),
    ("PreviewInput", "conditions", "Conditions"),
    ("RouteInput", "settings", "RouteSettings"),
    ("Route", "settings", "RouteSettings"),
    ("DatasourceConfigInput", "auth_config", "AuthConfig"),
    ("DatasourceConfig", "auth_config", "AuthConfig"),
    ("DatasourceConfigInput", "connection_json", "ConnectionSettings"),
    ("DatasourceConfig", "connection_json", "ConnectionSettings"),
];

const CONDITIONS: &str = "What a rule looks up, and what it holds the answer against.

A text may hold templates, `{{field}}`, wherever its value stays data: in `params`, `match`, the values of `query`, \
`headers` and `body`, the segments of `path`, and `expected`.

| the datasource's type | members that look up |
|---|---|
| `database` | `query` (one SELECT; `?` or `$1` for each parameter), `params` |
| `file` | `query` over the table `data` and those of further files, `params` (texts such as 007 are joined with numbers by `CAST` only); or `match`, in `data` alone |
| `api` | `method`, `path`, `query`, `headers`, `body`, `status`, `rows`, `rows_optional` |
| none | none: the rule looks at its own field |

| the rule's type | members that judge |
|---|---|
| `exists`, `not_exists` | none |
| `equals`, `not_equals` | `column`, `expected`, `as`, `ignore_case` |
| `one_of` | `column`, `expected` (a list), `as`, `ignore_case` |
| `regex` | `column`, `pattern`, `ignore_case` |
| `compare` | `column`, `op`, `expected` (two for `between`), `as` |
| `expression` | `expression` |

What an API answers are its rows, or what `rows` leads to in it. A `rows` of names that ends in `[*]`, as `$.data.items[*]` \
does, leads to a list, or to an object whose members are the rows; `null` is a list without any. Where it is not there, the \
rule is an error and not without a row, unless `rows_optional` says that the API leaves out a list that has no items, or has \
`\"\"` or `false` in its place. A list in an answer with a `Link` header that has `rel=\"next\"` counts as cut, as one beyond \
the limit of rows does. A whole number of more than 64 bits in a column keeps its digits; an expression has it as a double.

`compare` reads both sides as `as` says: as numbers, if it does not. `equals`, `not_equals` and `one_of` compare texts, \
unless `as` says otherwise or one side is a field that an extractor gives in a type: then both sides are read as that, so \
that `1.234,50 €` in a message equals `1234.5` in a column. Sums of different currencies are neither equal nor in order; \
where one has no currency it is the other's. A date may be written as `today`, `today-30d`, `today+2w` or `now`: of the time \
when the message came, in UTC. Two dates are compared by the day where either has no time of day. For a message's field \
that could not be read the rule fails, whatever `when_missing` says.

An `expression` is one of the Common Expression Language that gives true or false. It has `fields` (all of the message's \
fields, those of the extractors too), `email` (those of every message, as texts), and beside a look-up `row` (the first) \
and `rows`. A name with a point is written `email[\"header.date\"]`. A field of type `number` is a double, so it is added to \
`1.0` and not to `1`, and compared with either; of type `date` a timestamp, compared with \
`timestamp('2026-11-01T00:00:00Z')`; of type `money` a map, `fields.total.amount` (a double) and `fields.total.currency` (a \
text, or null); any other is a text. There are the standard operators, `in`, `? :`, `has`, `size`, `contains`, \
`startsWith`, `endsWith`, `matches`, the conversions `int`, `double`, `string`, `bool`, `timestamp`, `duration`, \
`getFullYear` and its like of a timestamp, and `all`, `exists`, `exists_one`, `filter` and `map`, at most three of these in \
an expression. There are no `now`, no `lowerAscii`, `split` or `replace`, and nothing that asks anything outside. What a \
message lacks is missing where it is named, unless `has(fields.total)` asks for it first.";

const ROUTE_SETTINGS: &str = "By the route's kind. `subject`, `note`, `body` and `label` are templates.";

const AUTH_CONFIG: &str = "The credentials, by `auth_type`; stored encrypted, and read back as `********`.

| `auth_type` | members |
|---|---|
| `none` | none |
| `basic` | `username`, `password` |
| `bearer` | `token` |
| `api_key` | `key`, and `header` or `query`: the name of what carries it |
| `oauth` | `token_url`, `client_id`, `client_secret`, `scope` (client credentials, RFC 6749, section 4.4) |";

const CONNECTION_SETTINGS: &str = "Where it is, by `protocol`. What stands here goes before `base_url`.

| `protocol` | members |
|---|---|
| `postgresql`, `mysql`, `mariadb` | `host`, `port`, `database`, `sslmode` |
| `sqlite` | `path` |
| `file` | `path`, `sheet` (a workbook's), `rows` (JSONPath, in a JSON document), `tables` (further files, by the names that a `query` gives them) |
| `http`, `https` | none: `base_url` says it |";

/// Each is closed: what is not named here is refused.
pub fn schemas() -> Value {
    let text_or_null = |description: &str| json!({"type": ["string", "null"], "description": description});
    // In characters. Where it is bytes that are counted, it says so.
    let bounded_text_or_null = |most: usize, description: &str| {
        let mut text = text_or_null(description);
        text["maxLength"] = most.into();
        text
    };
    let operand = json!({"type": ["string", "number", "boolean", "null"]});
    let operands = json!({"type": "object", "additionalProperties": operand});
    let template = json!({"type": "string", "minLength": 1, "maxLength": 20_000});
    let template_or_null = json!({"type": ["string", "null"], "minLength": 1, "maxLength": 20_000});
    let address = json!({"type": "string", "description": "A mail address."});
    json!({
        "Conditions": {
            "type": "object",
            "description": CONDITIONS,
            "additionalProperties": false,
            "properties": {
                "query": {
                    "anyOf": [{"type": "string", "maxLength": 20_000}, operands],
                    "description": "One SELECT, of at most 20,000 bytes; of an API, the parameters of its address.",
                },
                "params": {"type": "array", "items": operand},
                "match": {
                    "type": "object",
                    "minProperties": 1,
                    "additionalProperties": operand,
                    "description": "The columns that must equal these values; `null` asks for an empty cell. What comes from \
                        an address field is compared without regard to case.",
                },
                "method": {"type": "string", "enum": ["GET", "POST"], "default": "GET"},
                "path": {"type": "string", "pattern": "^/", "description": "Below the config's `base_url`."},
                "headers": operands,
                "body": {"description": "Sent as JSON."},
                "status": {
                    "type": "array",
                    "items": {"type": "integer", "minimum": 200, "maximum": 599},
                    "description": "Which statuses are an answer; without any, those of success.",
                },
                "rows": bounded_text_or_null(
                    500,
                    "Which part of the answer the rows are (JSONPath, RFC 9535); at most 500 bytes.",
                ),
                "rows_optional": {
                    "type": "boolean",
                    "default": false,
                    "description": "Whether the API leaves out a list that has no items, or has `\"\"` or `false` in its place. \
                        Without it, an answer that lacks the list of `rows` is none.",
                },
                "column": text_or_null("The column that is looked at; the first, if left out."),
                "expected": {
                    "anyOf": [operand, {"type": "array", "items": operand, "maxItems": 1000}],
                    "description": "What it should be; the rule's own field, if left out. `null` asks for a column that is empty (`equals` and `not_equals` beside a look-up).",
                },
                "op": {"enum": [">", ">=", "<", "<=", "between", null]},
                "as": {
                    "enum": ["text", "number", "date", "money", null],
                    "description": "What both sides are read as. If left out, numbers for `compare`, and elsewhere the type of \
                        the first field on a side; `compare` has no `text`.",
                },
                "expression": bounded_text_or_null(
                    4_000,
                    "CEL over `email`, `fields`, `row` and `rows`; at most 4,000 bytes.",
                ),
                "ignore_case": {"type": "boolean", "default": false},
                "pattern": bounded_text_or_null(2_000, "A regular expression."),
            },
        },
        "RouteSettings": {
            "description": ROUTE_SETTINGS,
            "anyOf": [
                {
                    "title": "webhook",
                    "type": "object",
                    "additionalProperties": false,
                    "required": ["url"],
                    "properties": {
                        "url": {
                            "type": "string",
                            "format": "uri",
                            "maxLength": 2000,
                            "description": "Who may not change the route reads its path as `********`, since a key may \
                                stand there. Sent back so, the address stays as it is stored.",
                        },
                        "headers": {
                            "type": "object",
                            "maxProperties": 20,
                            "additionalProperties": {"type": "string", "maxLength": 4000},
                            "description": "Sent with it; stored encrypted, and read back as `********`.",
                        },
                    },
                },
                {
                    "title": "forward",
                    "type": "object",
                    "additionalProperties": false,
                    "required": ["to"],
                    "properties": {
                        "to": {"type": "array", "items": address, "minItems": 1, "maxItems": 20},
                        "subject": template_or_null,
                        "note": template_or_null,
                    },
                },
                {
                    "title": "reply",
                    "type": "object",
                    "additionalProperties": false,
                    "required": ["body"],
                    "properties": {
                        "subject": template_or_null,
                        "body": template,
                        "from_name": {"type": ["string", "null"], "minLength": 1, "maxLength": 200},
                        "reply_to": text_or_null("A mail address."),
                    },
                },
                {
                    "title": "label",
                    "type": "object",
                    "additionalProperties": false,
                    "required": ["label"],
                    "properties": {"label": {"type": "string", "minLength": 1, "maxLength": 100}},
                },
            ],
        },
        "AuthConfig": {
            "type": "object",
            "description": AUTH_CONFIG,
            "additionalProperties": false,
            "properties": {
                "username": {"type": "string"},
                "password": {"type": "string"},
                "token": {"type": "string"},
                "header": {"type": "string"},
                "query": {"type": "string"},
                "key": {"type": "string"},
                "token_url": {"type": "string", "format": "uri"},
                "client_id": {"type": "string"},
                "client_secret": {"type": "string"},
                "scope": {"type": "string", "description": "Separated by spaces."},
            },
        },
        "ConnectionSettings": {
            "type": "object",
            "description": CONNECTION_SETTINGS,
            "additionalProperties": false,
            "properties": {
                "host": text_or_null("A name or an address."),
                "port": {"type": ["integer", "null"], "minimum": 0, "maximum": 65535},
                "database": text_or_null("Its name."),
                "sslmode": {"enum": ["prefer", "require", null]},
                "path": bounded_text_or_null(
                    500,
                    "Within the tenant's folder, such as `customers.csv`; at most 500 bytes.",
                ),
                "sheet": text_or_null("The first, if left out."),
                "rows": bounded_text_or_null(500, "The document itself, if left out; at most 500 bytes."),
                "tables": {
                    "type": ["object", "null"],
                    "maxProperties": 8,
                    "propertyNames": {"pattern": "^[a-z_][a-z0-9_]*$", "maxLength": 63},
                    "additionalProperties": {
                        "anyOf": [
                            {"type": "string", "minLength": 1, "maxLength": 500},
                            {
                                "type": "object",
                                "additionalProperties": false,
                                "required": ["path"],
                                "properties": {
                                    "path": {"type": "string", "minLength": 1, "maxLength": 500},
                                    "sheet": text_or_null("The first, if left out."),
                                    "rows": bounded_text_or_null(500, "The document itself, if left out; at most 500 bytes."),
                                },
                            },
                        ],
                    },
                    "description": "Further files of the tenant, each a table beside `data`. None is called `data` or `sqlite_…`.",
                },
            },
        },
    })
}
