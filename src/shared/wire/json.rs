//! JSON as our own server writes it, read with little code.
//!
//! A reader of JSON is compiled for each type that is read, and what serde derives is large if it is to read all that there
//! may be: structs that come as lists, numbers that stand for names, and a sentence for each fault. Our server writes none of
//! the first two, and nobody is told the last: what cannot be read is `Unreadable`.

use std::fmt;

use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, Error, MapAccess, SeqAccess, VariantAccess,
    Visitor,
};
use serde_json::{Map, Value};

/// Not what was asked for, or no JSON. It does not say what: no page shows it.
#[derive(Debug)]
pub struct Unreadable;

impl fmt::Display for Unreadable {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("not what was asked for")
    }
}

impl std::error::Error for Unreadable {}

impl Error for Unreadable {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }
}

/// Reads one value.
pub fn read<T: DeserializeOwned>(text: &str) -> Result<T, Unreadable> {
    let value = serde_json::from_str(text).map_err(|_| Unreadable)?;
    T::deserialize(Written(value))
}

/// A value that was written.
struct Written(Value);

/// Read by what stands there.
macro_rules! as_it_is {
    ($($call:ident),* $(,)?) => {$(
        fn $call<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
            self.deserialize_any(visitor)
        }
    )*};
}

impl<'de> Deserializer<'de> for Written {
    type Error = Unreadable;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        match self.0 {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(value),
            Value::Number(number) => match (number.as_u64(), number.as_i64(), number.as_f64()) {
                (Some(number), ..) => visitor.visit_u64(number),
                (_, Some(number), _) => visitor.visit_i64(number),
                (.., Some(number)) => visitor.visit_f64(number),
                (None, None, None) => Err(Unreadable),
            },
            Value::String(text) => visitor.visit_string(text),
            Value::Array(items) => visitor.visit_seq(Items(items.into_iter())),
            Value::Object(members) => visitor.visit_map(Members::of(members)),
        }
    }

    as_it_is! {
        deserialize_bool,
        deserialize_i8,
        deserialize_i16,
        deserialize_i32,
        deserialize_i64,
        deserialize_i128,
        deserialize_u8,
        deserialize_u16,
        deserialize_u32,
        deserialize_u64,
        deserialize_u128,
        deserialize_f32,
        deserialize_f64,
        deserialize_unit,
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        self.deserialize_str(visitor)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        match self.0 {
            Value::String(text) => visitor.visit_str(&text),
            _ => Err(Unreadable),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        match self.0 {
            Value::String(text) => visitor.visit_string(text),
            _ => Err(Unreadable),
        }
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        match self.0 {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Unreadable> {
        self.deserialize_any(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Unreadable> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        match self.0 {
            Value::Array(items) => visitor.visit_seq(Items(items.into_iter())),
            _ => Err(Unreadable),
        }
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Unreadable> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, Unreadable> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        match self.0 {
            Value::Object(members) => visitor.visit_map(Members::of(members)),
            _ => Err(Unreadable),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Unreadable> {
        self.deserialize_map(visitor)
    }

    /// A name alone, or an object whose one member it is.
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Unreadable> {
        let (name, value) = match self.0 {
            Value::String(name) => (name, Value::Null),
            Value::Object(members) => members.into_iter().next().ok_or(Unreadable)?,
            _ => return Err(Unreadable),
        };
        visitor.visit_enum(Variant { name, value })
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        self.deserialize_str(visitor)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        visitor.visit_unit()
    }
}

struct Items(std::vec::IntoIter<Value>);

impl<'de> SeqAccess<'de> for Items {
    type Error = Unreadable;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Unreadable> {
        self.0.next().map(|item| seed.deserialize(Written(item))).transpose()
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.0.len())
    }
}

struct Members {
    rest: serde_json::map::IntoIter,
    value: Value,
}

impl Members {
    fn of(members: Map<String, Value>) -> Self {
        Self { rest: members.into_iter(), value: Value::Null }
    }
}

impl<'de> MapAccess<'de> for Members {
    type Error = Unreadable;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Unreadable> {
        let Some((name, value)) = self.rest.next() else { return Ok(None) };
        self.value = value;
        seed.deserialize(Written(Value::String(name))).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Unreadable> {
        seed.deserialize(Written(self.value.take()))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.rest.len())
    }
}

struct Variant {
    name: String,
    value: Value,
}

impl<'de> EnumAccess<'de> for Variant {
    type Error = Unreadable;
    type Variant = Written;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Written), Unreadable> {
        let variant = seed.deserialize(Written(Value::String(self.name)))?;
        Ok((variant, Written(self.value)))
    }
}

impl<'de> VariantAccess<'de> for Written {
    type Error = Unreadable;

    fn unit_variant(self) -> Result<(), Unreadable> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Unreadable> {
        seed.deserialize(self)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Unreadable> {
        self.deserialize_seq(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Unreadable> {
        self.deserialize_map(visitor)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use chrono::{DateTime, Utc};
    use proptest::prelude::*;
    use serde::{Deserialize, Serialize};

    use super::*;

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Kind {
        Plain,
        One(i64),
        Two(i64, String),
        Named { held: Option<bool> },
    }

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    #[serde(tag = "type", rename_all = "snake_case")]
    enum Tagged {
        Empty,
        Full { sizes: Vec<u16>, inner: Option<Inner> },
    }

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct Inner(String);

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct Common {
        at: Option<DateTime<Utc>>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        left_out: Option<i32>,
    }

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct All {
        large: i64,
        larger: u64,
        share: f64,
        is_so: bool,
        letter: char,
        pair: (i32, String),
        nothing: (),
        kinds: Vec<Kind>,
        tagged: Vec<Tagged>,
        by_name: BTreeMap<String, Result<Inner, Common>>,
        #[serde(flatten)]
        common: Common,
        free: Value,
    }

    /// Fractions that are the same as text and as a number.
    fn eighths() -> impl Strategy<Value = f64> {
        any::<i32>().prop_map(|eighths| f64::from(eighths) / 8.0)
    }

    fn kind() -> impl Strategy<Value = Kind> {
        prop_oneof![
            Just(Kind::Plain),
            any::<i64>().prop_map(Kind::One),
            (any::<i64>(), any::<String>()).prop_map(|(number, text)| Kind::Two(number, text)),
            any::<Option<bool>>().prop_map(|held| Kind::Named { held }),
        ]
    }

    fn tagged() -> impl Strategy<Value = Tagged> {
        let inner = proptest::option::of(any::<String>().prop_map(Inner));
        prop_oneof![
            Just(Tagged::Empty),
            (any::<Vec<u16>>(), inner).prop_map(|(sizes, inner)| Tagged::Full { sizes, inner }),
        ]
    }

    fn common() -> impl Strategy<Value = Common> {
        let at = proptest::option::of((0..4_000_000_000_i64).prop_map(|at| DateTime::from_timestamp(at, 7)));
        (at, any::<Option<i32>>()).prop_map(|(at, left_out)| Common { at: at.flatten(), left_out })
    }

    fn free() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            eighths().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 20, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                proptest::collection::btree_map(any::<String>(), inner, 0..4)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    fn all() -> impl Strategy<Value = All> {
        let plain =
            (any::<i64>(), any::<u64>(), eighths(), any::<bool>(), any::<char>(), any::<(i32, String)>());
        let either = prop_oneof![any::<String>().prop_map(|text| Ok(Inner(text))), common().prop_map(Err)];
        let by_name = proptest::collection::btree_map(any::<String>(), either, 0..4);
        let lists =
            (proptest::collection::vec(kind(), 0..4), proptest::collection::vec(tagged(), 0..4), by_name);
        (plain, lists, common(), free()).prop_map(|(plain, lists, common, free)| {
            let (large, larger, share, is_so, letter, pair) = plain;
            let (kinds, tagged, by_name) = lists;
            let nothing = ();
            All { large, larger, share, is_so, letter, pair, nothing, kinds, tagged, by_name, common, free }
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(all in all()) {
            let text = serde_json::to_string(&all).expect("JSON");
            prop_assert_eq!(read::<All>(&text).expect("what was written"), all);
        }
    }

    #[test]
    fn all_else_is_refused() {
        assert!(read::<Inner>("").is_err());
        assert!(read::<Inner>("\"a\" b").is_err());
        assert!(read::<Inner>("1").is_err());
        assert!(read::<Common>("[null]").is_err(), "members have names");
        assert!(read::<(i32, i32)>("[1]").is_err());
        assert!(read::<Vec<i32>>("[1, 2.5]").is_err());
        assert!(read::<u8>("256").is_err());
        assert!(read::<Kind>("\"other\"").is_err());
        assert!(read::<Kind>("{}").is_err());
        assert!(read::<Kind>("{\"one\": null}").is_err());
        assert!(read::<Tagged>("{\"type\": \"full\"}").is_err(), "its sizes are missing");
        assert!(read::<Option<bool>>("null").expect("nothing").is_none());
    }
}
