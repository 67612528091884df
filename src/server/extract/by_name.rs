//! Members by their names alone.
//!
//! What serde derives for a struct takes a list as well, its members by their order: `[null, null]` would be settings,
//! and what it says would hang on the order of our lines. No document of ours knows such a list.

use std::fmt;

use serde::de::{
    DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor,
    value::{MapAccessDeserializer, StrDeserializer},
};

use super::words::one_of;

/// A deserializer, or a part of one, that reads a struct from an object alone, at every depth, and tells which names there
/// are where none of an enum's stands. All else is as it was.
pub struct ByName<T>(pub T);

macro_rules! forward {
    ($($call:ident($($name:ident: $type:ty),*)),* $(,)?) => {$(
        fn $call<V: Visitor<'de>>(self, $($name: $type,)* visitor: V) -> Result<V::Value, Self::Error> {
            self.0.$call($($name,)* ByName(visitor))
        }
    )*};
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for ByName<D> {
    type Error = D::Error;

    forward! {
        deserialize_any(),
        deserialize_bool(),
        deserialize_i8(),
        deserialize_i16(),
        deserialize_i32(),
        deserialize_i64(),
        deserialize_i128(),
        deserialize_u8(),
        deserialize_u16(),
        deserialize_u32(),
        deserialize_u64(),
        deserialize_u128(),
        deserialize_f32(),
        deserialize_f64(),
        deserialize_char(),
        deserialize_str(),
        deserialize_string(),
        deserialize_bytes(),
        deserialize_byte_buf(),
        deserialize_option(),
        deserialize_unit(),
        deserialize_unit_struct(name: &'static str),
        deserialize_newtype_struct(name: &'static str),
        deserialize_seq(),
        deserialize_tuple(len: usize),
        deserialize_tuple_struct(name: &'static str, len: usize),
        deserialize_map(),
        deserialize_identifier(),
        deserialize_ignored_any(),
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.deserialize_map(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        names: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.deserialize_any(Choice { names, visitor })
    }

    fn is_human_readable(&self) -> bool {
        self.0.is_human_readable()
    }
}

macro_rules! visit {
    ($($call:ident: $type:ty),* $(,)?) => {$(
        fn $call<E: Error>(self, value: $type) -> Result<V::Value, E> {
            self.0.$call(value)
        }
    )*};
}

impl<'de, V: Visitor<'de>> Visitor<'de> for ByName<V> {
    type Value = V::Value;

    fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.expecting(to)
    }

    visit! {
        visit_bool: bool,
        visit_i8: i8,
        visit_i16: i16,
        visit_i32: i32,
        visit_i64: i64,
        visit_i128: i128,
        visit_u8: u8,
        visit_u16: u16,
        visit_u32: u32,
        visit_u64: u64,
        visit_u128: u128,
        visit_f32: f32,
        visit_f64: f64,
        visit_char: char,
        visit_str: &str,
        visit_borrowed_str: &'de str,
        visit_string: String,
        visit_bytes: &[u8],
        visit_borrowed_bytes: &'de [u8],
        visit_byte_buf: Vec<u8>,
    }

    fn visit_none<E: Error>(self) -> Result<V::Value, E> {
        self.0.visit_none()
    }

    fn visit_unit<E: Error>(self) -> Result<V::Value, E> {
        self.0.visit_unit()
    }

    fn visit_some<D: Deserializer<'de>>(self, value: D) -> Result<V::Value, D::Error> {
        self.0.visit_some(ByName(value))
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, value: D) -> Result<V::Value, D::Error> {
        self.0.visit_newtype_struct(ByName(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<V::Value, A::Error> {
        self.0.visit_seq(ByName(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<V::Value, A::Error> {
        self.0.visit_map(ByName(members))
    }
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for ByName<S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<S::Value, D::Error> {
        self.0.deserialize(ByName(deserializer))
    }
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for ByName<A> {
    type Error = A::Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, A::Error> {
        self.0.next_element_seed(ByName(seed))
    }

    fn size_hint(&self) -> Option<usize> {
        self.0.size_hint()
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for ByName<A> {
    type Error = A::Error;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, A::Error> {
        self.0.next_key_seed(seed)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        self.0.next_value_seed(ByName(seed))
    }

    fn size_hint(&self) -> Option<usize> {
        self.0.size_hint()
    }
}

/// An enum's value: a name, or an object whose one member has it. Of anything else, serde_json says that a value was
/// expected, and not which.
struct Choice<V> {
    names: &'static [&'static str],
    visitor: V,
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Choice<V> {
    type Value = V::Value;

    fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(&one_of(self.names))
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<V::Value, E> {
        self.visitor.visit_enum(StrDeserializer::<E>::new(name))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<V::Value, A::Error> {
        let value = self.visitor.visit_enum(MapAccessDeserializer::new(&mut members))?;
        match members.next_key::<IgnoredAny>()? {
            None => Ok(value),
            Some(_) => Err(Error::custom("must have one member alone")),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde::{Deserialize, de::DeserializeOwned};
    use serde_json::{Value, json};

    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    struct Inner {
        days: Option<i32>,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Kind {
        Plain,
        Some(Inner),
        Pair(i32, Inner),
        Named { inner: Inner },
    }

    #[derive(Debug, PartialEq, Deserialize)]
    struct Outer {
        inner: Option<Inner>,
        list: Vec<Inner>,
        kind: Kind,
        pair: (i32, String),
        free: Value,
    }

    fn read<T: DeserializeOwned>(text: &str) -> Result<T, serde_json::Error> {
        T::deserialize(ByName(&mut serde_json::Deserializer::from_str(text)))
    }

    fn outer() -> Value {
        json!({
            "inner": {"days": 1}, "list": [{"days": null}], "kind": "plain", "pair": [1, "two"],
            "free": [1, [2.5], {"three": null}],
        })
    }

    #[test]
    fn what_has_names_is_read_as_without_it() {
        let kinds = [
            json!("plain"),
            json!({"some": {"days": 1}}),
            json!({"pair": [1, {"days": null}]}),
            json!({"named": {"inner": {"days": 3}}}),
        ];
        for kind in kinds {
            let mut value = outer();
            value["kind"] = kind;
            let text = value.to_string();
            let plain: Outer = serde_json::from_str(&text).expect("plain");
            assert_eq!(read::<Outer>(&text).expect("by name"), plain, "{text}");
        }
    }

    #[test]
    fn a_list_is_no_struct_at_any_depth() {
        let places = [
            ("", json!([{"days": 1}, [], "plain", [1, "two"], null])),
            ("/inner", json!([1])),
            ("/list/0", json!([1])),
            ("/kind", json!({"some": [1]})),
            ("/kind", json!({"pair": [1, [1]]})),
            ("/kind", json!({"named": [{"days": 3}]})),
            ("/kind", json!({"named": {"inner": [3]}})),
        ];
        for (place, list) in places {
            let mut value = outer();
            *value.pointer_mut(place).expect(place) = list;
            let text = value.to_string();
            assert!(serde_json::from_str::<Outer>(&text).is_ok(), "{text} is taken without it");
            let refused = read::<Outer>(&text).expect_err(&text);
            assert!(refused.to_string().contains("invalid type: sequence"), "{refused}");
        }
    }

    #[test]
    fn what_is_no_name_is_told_which_there_are() {
        for kind in [json!(null), json!(1), json!(true), json!(["plain"])] {
            let mut value = outer();
            value["kind"] = kind;
            let refused = read::<Outer>(&value.to_string()).expect_err("no name").to_string();
            assert!(refused.contains("expected one of `plain`, `some`, `pair`, `named`"), "{refused}");
        }
        for (kind, words) in [
            (json!("other"), "unknown variant `other`"),
            (json!("some"), "expected newtype variant"),
            (json!({}), "expected enum"),
            (json!({"other": null}), "unknown variant `other`"),
            (json!({"plain": 1}), "invalid type: integer `1`"),
            (json!({"plain": null, "some": {"days": 1}}), "must have one member alone"),
        ] {
            let mut value = outer();
            value["kind"] = kind;
            let refused = read::<Outer>(&value.to_string()).expect_err("not one value").to_string();
            assert!(refused.contains(words), "{value}: {refused}");
        }
    }
}
