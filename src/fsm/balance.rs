//! Shares the 256 buckets of a farm among its nodes in proportion to their powers (NET-22).

use super::bucket::{BUCKETS, Owners};
use super::membership::Node;

/// Who owns which bucket from now on. `powers`: by node, 0 for a node that is not there or takes no
/// traffic (CFG-LB-02).
///
/// Each node gets its exact share, rounded up or down. As few buckets as possible change their owner:
/// those of nodes that have too many now, and those of nobody. Of these, a bucket goes to its home
/// where it can: homes are the shares of the same nodes in their order, so two equal nodes have the
/// lower and the upper half, whoever was there first (NET-40). Nobody owns anything when all powers are 0.
pub fn share(previous: &Owners, powers: &[u32]) -> Owners {
    let mut held = vec![0; powers.len()];
    for node in owners(previous, powers.len()).flatten() {
        held[node] += 1;
    }
    let Some(quotas) = quotas(powers, &held) else { return Owners::NOBODY };
    let homes: Vec<Node> =
        quotas.iter().enumerate().flat_map(|(node, quota)| std::iter::repeat_n(node, *quota)).collect();
    let mut buckets: Vec<Option<Node>> = owners(previous, powers.len()).collect();
    release(&mut buckets, &held, &quotas, &homes);
    settle(&mut buckets, &quotas, &homes);
    Owners::new(|bucket| buckets[usize::from(bucket)])
}

/// The owner of each bucket, if it is one of so many nodes.
fn owners(of: &Owners, nodes: usize) -> impl Iterator<Item = Option<Node>> {
    (0..=u8::MAX).map(move |bucket| of.of(bucket).filter(|node| *node < nodes))
}

/// How many buckets each node gets; none if there is no power. What rounding leaves over goes to nodes
/// that then keep a bucket more, then to those that lose most by rounding, then to the first.
fn quotas(powers: &[u32], held: &[usize]) -> Option<Vec<usize>> {
    let total: u64 = powers.iter().copied().map(u64::from).sum();
    if total == 0 {
        return None;
    }
    let exact = |power: &u32| (u64::from(*power) * BUCKETS as u64, total);
    // At most 256: a share of 256 buckets.
    let mut quotas: Vec<usize> = powers.iter().map(|p| (exact(p).0 / exact(p).1) as usize).collect();
    let lost = |node: Node| exact(&powers[node]).0 % total;
    let mut rounded: Vec<Node> = (0..powers.len()).filter(|node| lost(*node) > 0).collect();
    rounded.sort_by_key(|node| (held[*node] <= quotas[*node], std::cmp::Reverse(lost(*node)), *node));
    let left = BUCKETS - quotas.iter().sum::<usize>();
    rounded.iter().take(left).for_each(|node| quotas[*node] += 1);
    Some(quotas)
}

/// Frees what nodes have above their quota: never a bucket that is at home, first those whose home lacks some.
fn release(buckets: &mut [Option<Node>], held: &[usize], quotas: &[usize], homes: &[Node]) {
    for node in 0..quotas.len() {
        let mut away: Vec<usize> =
            (0..BUCKETS).filter(|b| buckets[*b] == Some(node) && homes[*b] != node).collect();
        away.sort_by_key(|b| held[homes[*b]] >= quotas[homes[*b]]);
        let surplus = held[node].saturating_sub(quotas[node]);
        away.iter().take(surplus).for_each(|b| buckets[*b] = None);
    }
}

/// Gives what is free to nodes below their quota.
fn settle(buckets: &mut [Option<Node>], quotas: &[usize], homes: &[Node]) {
    let mut lacking = quotas.to_vec();
    buckets.iter().flatten().for_each(|node| lacking[*node] -= 1);
    for (bucket, home) in buckets.iter_mut().zip(homes).filter(|(bucket, _)| bucket.is_none()) {
        if lacking[*home] > 0 {
            lacking[*home] -= 1;
            *bucket = Some(*home);
        }
    }
    let mut takers =
        lacking.iter().enumerate().flat_map(|(node, lacking)| std::iter::repeat_n(node, *lacking));
    for bucket in buckets.iter_mut().filter(|bucket| bucket.is_none()) {
        *bucket = takers.next();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fsm::bucket::Bitmap;
    use proptest::prelude::*;

    fn counts(owners: &Owners, nodes: usize) -> Vec<usize> {
        (0..nodes).map(|node| owners.owned_by(node).len()).collect()
    }

    fn moved(from: &Owners, to: &Owners) -> usize {
        (0..=u8::MAX).filter(|b| from.of(*b) != to.of(*b)).count()
    }

    /// The most buckets that can stay, whichever way shares are rounded: counted, not built.
    fn most_kept(previous: &Owners, powers: &[u32]) -> usize {
        let total: u64 = powers.iter().map(|p| u64::from(*p)).sum();
        let held = counts(previous, powers.len());
        let floor = |n: usize| (u64::from(powers[n]) * 256 / total) as usize;
        let rounded = |n: &usize| u64::from(powers[*n]) * 256 % total > 0;
        let all = 0..powers.len();
        let extra = 256 - all.clone().map(floor).sum::<usize>();
        let gain = all.clone().filter(|n| rounded(n) && held[*n] > floor(*n)).count();
        all.map(|n| held[n].min(floor(n))).sum::<usize>() + gain.min(extra)
    }

    #[test]
    fn two_equal_nodes_have_the_halves_of_the_guide_whoever_came_first() {
        let halves = Owners::new(|b| Some(usize::from(b >= 128)));
        for first in [[1, 0], [0, 1], [1, 1]] {
            let alone = share(&Owners::NOBODY, &first);
            assert_eq!(share(&alone, &[1, 1]), halves, "{first:?}");
        }
        let back = share(&share(&halves, &[1, 0]), &[1, 1]);
        assert_eq!(back, halves);
        assert_eq!(share(&halves, &[0, 1]).owned_by(1), Bitmap::ALL);
    }

    #[test]
    fn powers_are_shares() {
        let of = |powers: &[u32]| counts(&share(&Owners::NOBODY, powers), powers.len());
        assert_eq!(of(&[2, 1, 1]), [128, 64, 64]);
        assert_eq!(of(&[3, 1, 1]), [154, 51, 51]);
        assert_eq!(of(&[3, 2, 1]), [128, 85, 43]);
        assert_eq!(of(&[0, 5]), [0, 256]);
        assert_eq!(of(&[1, 1, 1]), [86, 85, 85]);
    }

    #[test]
    fn without_power_nobody_owns_anything() {
        let all = share(&Owners::NOBODY, &[1]);
        assert_eq!(share(&all, &[0, 0]), Owners::NOBODY);
        assert_eq!(share(&all, &[]), Owners::NOBODY);
    }

    #[test]
    fn more_nodes_than_buckets_share_what_there_is() {
        let owners = share(&Owners::NOBODY, &[1; 300]);
        let counts = counts(&owners, 300);
        assert_eq!((counts.iter().sum::<usize>(), counts.iter().max()), (256, Some(&1)));
        assert_eq!(share(&Owners::NOBODY, &[1; 256]), Owners::new(|b| Some(usize::from(b))));
    }

    #[test]
    fn a_node_that_dies_and_comes_back_moves_only_its_own_share() {
        let three = share(&Owners::NOBODY, &[1, 1, 1]);
        let two = share(&three, &[1, 0, 1]);
        assert_eq!(moved(&three, &two), 85);
        assert_eq!(moved(&two, &share(&two, &[1, 1, 1])), 85);
    }

    fn powers() -> impl Strategy<Value = Vec<u32>> {
        prop::collection::vec(prop_oneof![Just(0u32), 1..5u32, 0..=256u32, Just(u32::MAX)], 1..40)
    }

    proptest! {
        #[test]
        fn shares_are_exact_within_one_and_as_little_as_possible_moves(
            history in prop::collection::vec(powers(), 0..6),
            scattered in prop::collection::vec(prop::option::of(0..300usize), 256),
            last in powers(),
        ) {
            let start = Owners::new(|b| scattered[usize::from(b)].filter(|_| history.len() % 2 == 0));
            let previous = history.iter().fold(start, |owners, powers| share(&owners, powers));
            let owners = share(&previous, &last);
            let total: u64 = last.iter().map(|p| u64::from(*p)).sum();
            if total == 0 {
                prop_assert_eq!(owners, Owners::NOBODY);
                return Ok(());
            }
            for (node, power) in last.iter().enumerate() {
                let exact = u64::from(*power) as f64 * 256.0 / total as f64;
                let got = owners.owned_by(node).len() as f64;
                prop_assert!((got - exact).abs() < 1.0, "node {} of {:?}: {} for {}", node, last, got, exact);
                prop_assert!(*power > 0 || got == 0.0);
            }
            prop_assert_eq!(256 - moved(&previous, &owners), most_kept(&previous, &last));
            prop_assert_eq!(share(&owners, &last), owners, "nothing moves without a reason");
        }
    }
}
