//! When a module must be fenced (S8). Pure: every time is an argument, in ns of CLOCK_BOOTTIME, which
//! goes on while the machine sleeps.

/// Deadline of one armed module.
///
/// While renewals come, nothing is fenced, whatever the peer says: then safeadmin lives and decides.
/// Once they stop, the fence falls 0.8 x timeout after the newest heartbeat that the peer is known to
/// have received was sent, for from there the peer counts its own timeout at the earliest. A missing
/// renewal shows after 0.1 x timeout; a deadline that is past by then is due at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watch {
    timeout: u64,
    renewed_at: u64,
    echoed_at: u64,
}

impl Watch {
    /// A watch that begins with a renewal sent at `renewed_at`. `timeout` is the heartbeat timeout in
    /// ns, `echoed_at` the send time of the newest heartbeat that the peer has echoed.
    pub fn new(timeout: u64, renewed_at: u64, echoed_at: u64) -> Watch {
        Watch { timeout, renewed_at, echoed_at }
    }

    /// A renewal sent at `sent_at`. Times never go back: a renewal that lay in a queue adds nothing.
    /// The caller has compared `sent_at` with [`Watch::fence_at`] first.
    pub fn renew(&mut self, sent_at: u64, echoed_at: u64) {
        self.renewed_at = self.renewed_at.max(sent_at);
        self.echoed_at = self.echoed_at.max(echoed_at);
    }

    /// The same history under another timeout (ns).
    pub fn with_timeout(self, timeout: u64) -> Watch {
        Watch { timeout, ..self }
    }

    /// When the fence falls unless a renewal sent before comes.
    pub fn fence_at(&self) -> u64 {
        let tenth = self.timeout / 10;
        self.echoed_at.saturating_add(8 * tenth).max(self.renewed_at.saturating_add(tenth))
    }

    /// When the newest renewal was sent.
    pub fn renewed_at(&self) -> u64 {
        self.renewed_at
    }

    /// When the newest heartbeat was sent that the peer is known to have received.
    pub fn echoed_at(&self) -> u64 {
        self.echoed_at
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn counts_from_the_newest_echo() {
        let mut watch = Watch::new(10 * SECOND, 100 * SECOND, 99 * SECOND);
        assert_eq!(watch.fence_at(), 107 * SECOND);
        watch.renew(101 * SECOND, 101 * SECOND - SECOND / 2);
        assert_eq!(watch.fence_at(), 109 * SECOND - SECOND / 2);
    }

    #[test]
    fn an_old_echo_is_due_when_a_renewal_is_missed() {
        let mut watch = Watch::new(10 * SECOND, 100 * SECOND, 100 * SECOND);
        watch.renew(150 * SECOND, 100 * SECOND);
        assert_eq!(watch.fence_at(), 151 * SECOND);
    }

    #[test]
    fn a_late_datagram_adds_nothing() {
        let mut watch = Watch::new(10 * SECOND, 100 * SECOND, 100 * SECOND);
        watch.renew(90 * SECOND, 95 * SECOND);
        assert_eq!(watch, Watch::new(10 * SECOND, 100 * SECOND, 100 * SECOND));
    }

    proptest! {
        #[test]
        fn never_while_renewed(
            timeout in SECOND..60 * SECOND,
            steps in proptest::collection::vec((1u64..1000, 0u64..20 * SECOND), 1..200),
        ) {
            let mut now = 1_000 * SECOND;
            let mut watch = Watch::new(timeout, now, 0);
            for (share, age) in steps {
                // Any step below 0.1 x timeout counts as going on, however old the echo is.
                now += (timeout / 10 - 1) * share / 1000;
                prop_assert!(watch.fence_at() > now);
                watch.renew(now, now - age);
            }
        }

        #[test]
        fn always_when_renewals_stop(
            timeout in SECOND..60 * SECOND,
            renewals in proptest::collection::vec((0u64..100 * SECOND, 0u64..100 * SECOND), 1..50),
        ) {
            let mut watch = Watch::new(timeout, 0, 0);
            for &(sent, echoed) in &renewals {
                watch.renew(sent, echoed);
            }
            let sent = renewals.iter().map(|r| r.0).max().unwrap_or(0);
            let echoed = renewals.iter().map(|r| r.1).max().unwrap_or(0);
            prop_assert!(watch.fence_at() <= (echoed + timeout * 8 / 10).max(sent + timeout / 10));
            prop_assert!(watch.fence_at() + 8 >= (echoed + timeout * 8 / 10).max(sent + timeout / 10));
        }
    }
}
