//! A set of zones of one file, and of all files.

use crate::rfs::op::FileKey;
use std::collections::BTreeMap;
use std::ops::Range;

/// Zones of a file, as ranges that neither overlap nor touch. An end of `u64::MAX` is the end of the
/// file, wherever it may be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ZoneSet(BTreeMap<u64, u64>);

impl ZoneSet {
    /// Adds zones; an empty range adds nothing.
    pub fn insert(&mut self, zones: Range<u64>) {
        let Range { mut start, mut end } = zones;
        if start >= end {
            return;
        }
        if let Some((&first, &last)) = self.0.range(..=start).next_back()
            && last >= start
        {
            start = first;
            end = end.max(last);
        }
        while let Some((&first, &last)) = self.0.range(start..=end).next() {
            self.0.remove(&first);
            end = end.max(last);
        }
        self.0.insert(start, end);
    }

    /// Whether all these zones are in the set.
    pub fn covers(&self, zones: &Range<u64>) -> bool {
        zones.start >= zones.end
            || self.0.range(..=zones.start).next_back().is_some_and(|(_, &last)| last >= zones.end)
    }

    /// Its ranges, ascending.
    pub fn ranges(&self) -> impl Iterator<Item = Range<u64>> + '_ {
        self.0.iter().map(|(&start, &end)| start..end)
    }

    /// The same in bytes.
    pub fn bytes(&self, zone_bytes: u64) -> Vec<Range<u64>> {
        let end = |e: u64| if e == u64::MAX { e } else { e.saturating_mul(zone_bytes) };
        self.ranges().map(|r| r.start.saturating_mul(zone_bytes)..end(r.end)).collect()
    }

    /// Number of ranges, which is what it costs to keep it.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether it holds no zone.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether it holds every zone that the file can have.
    pub fn is_everything(&self) -> bool {
        self.covers(&(0..u64::MAX))
    }
}

/// The zones that hold these bytes.
pub(super) fn zones_of(bytes: &Range<u64>, zone_bytes: u64) -> Range<u64> {
    let end = if bytes.end == u64::MAX { u64::MAX } else { bytes.end.div_ceil(zone_bytes) };
    let start = bytes.start / zone_bytes;
    if bytes.start >= bytes.end { start..start } else { start..end }
}

/// The zones of all files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Files {
    pub files: BTreeMap<FileKey, ZoneSet>,
    /// Sum of the ranges of all files.
    pub ranges: usize,
}

impl Files {
    pub fn insert(&mut self, file: FileKey, zones: Range<u64>) {
        let set = self.files.entry(file).or_default();
        let before = set.len();
        set.insert(zones);
        self.ranges = self.ranges + set.len() - before;
    }

    pub fn covers(&self, file: FileKey, zones: &Range<u64>) -> bool {
        zones.start >= zones.end || self.files.get(&file).is_some_and(|s| s.covers(zones))
    }
}
