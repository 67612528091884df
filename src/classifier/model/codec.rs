//! A model as bytes: a mark, then each part with its length before it, little-endian.

use super::{calibrate::SIGNS, trained::Model};

/// Changed with the layout, and with the features: a model under another mark is trained anew.
const MARK: &[u8; 4] = b"FEC1";

/// Why bytes are no model of this version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("these bytes are no model of this version")]
pub struct ModelError;

impl Model {
    pub fn to_bytes(&self) -> Vec<u8> {
        let machine = &self.machine;
        let mut hashes: Vec<(u32, u64)> =
            machine.vocabulary.index.iter().map(|(hash, index)| (*index, *hash)).collect();
        hashes.sort_unstable();
        let mut out = MARK.to_vec();
        let mut count = |n: usize| out.extend((n as u32).to_le_bytes());
        count(hashes.len());
        count(machine.labels.len());
        count(machine.weights.len());
        count(machine.starts.len());
        out.extend(hashes.iter().flat_map(|(_, hash)| hash.to_le_bytes()));
        out.extend(machine.vocabulary.idf.iter().flat_map(|x| x.to_le_bytes()));
        out.extend(machine.labels.iter().flat_map(|x| x.to_le_bytes()));
        out.extend(machine.bias.iter().flat_map(|x| x.to_le_bytes()));
        out.extend(machine.starts.iter().flat_map(|x| x.to_le_bytes()));
        out.extend(machine.weights.iter().flat_map(|(place, _)| place.to_le_bytes()));
        out.extend(machine.weights.iter().flat_map(|(_, weight)| weight.to_le_bytes()));
        out.extend(self.calibration.bias.to_le_bytes());
        out.extend(self.calibration.slopes.iter().flat_map(|x| x.to_le_bytes()));
        out
    }

    /// # Errors
    /// `ModelError` for anything but what `to_bytes` of this version gave.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ModelError> {
        let mut rest = bytes.strip_prefix(MARK).ok_or(ModelError)?;
        let mut count = || take::<4>(&mut rest, 1).map(|n| u32::from_le_bytes(n[0]) as usize);
        let (features, labels, weights, starts) = (count()?, count()?, count()?, count()?);
        let mut model = Self::default();
        let machine = &mut model.machine;
        let hashes = take::<8>(&mut rest, features)?;
        machine.vocabulary.index = (0..).zip(hashes).map(|(i, x)| (u64::from_le_bytes(*x), i)).collect();
        machine.vocabulary.idf = floats(&mut rest, features)?;
        machine.labels = take::<8>(&mut rest, labels)?.iter().map(|x| i64::from_le_bytes(*x)).collect();
        machine.bias = floats(&mut rest, labels)?;
        machine.starts = take::<4>(&mut rest, starts)?.iter().map(|x| u32::from_le_bytes(*x)).collect();
        let places = take::<2>(&mut rest, weights)?;
        let values = floats(&mut rest, weights)?;
        machine.weights = places.iter().map(|x| u16::from_le_bytes(*x)).zip(values).collect();
        let reals: Vec<f64> =
            take::<8>(&mut rest, 1 + SIGNS)?.iter().map(|x| f64::from_le_bytes(*x)).collect();
        model.calibration.bias = reals[0];
        model.calibration.slopes.copy_from_slice(&reals[1..]);
        // Every index must be one that can be followed.
        let whole = rest.is_empty()
            && machine.vocabulary.index.len() == features
            && (starts == features + 1 || (starts == 0 && features == 0))
            && machine.starts.is_sorted()
            && machine.starts.last().is_none_or(|last| *last as usize == weights)
            && machine.labels.is_sorted_by(|a, b| a < b)
            && machine
                .weights
                .iter()
                .all(|(place, weight)| usize::from(*place) < labels && weight.is_finite())
            && machine.vocabulary.idf.iter().chain(&machine.bias).all(|x| x.is_finite())
            && reals.iter().all(|x| x.is_finite());
        whole.then_some(model).ok_or(ModelError)
    }
}

/// The next `n` items of `SIZE` bytes each. Nothing is allocated for a length that the bytes do not bear out.
fn take<'a, const SIZE: usize>(rest: &mut &'a [u8], n: usize) -> Result<&'a [[u8; SIZE]], ModelError> {
    let (taken, left) = rest.split_at_checked(n.checked_mul(SIZE).ok_or(ModelError)?).ok_or(ModelError)?;
    *rest = left;
    Ok(taken.as_chunks().0)
}

fn floats(rest: &mut &[u8], n: usize) -> Result<Vec<f32>, ModelError> {
    Ok(take::<4>(rest, n)?.iter().map(|x| f32::from_le_bytes(*x)).collect())
}
