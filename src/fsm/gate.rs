//! What an automatic action becomes under the loop counter (ST-60 to ST-64).

use super::command::{Caller, Command};
use super::maxloop::{Counted, Limit, Loops};

/// The counter and the command after an action was asked for at `now_s` (Unix seconds).
///
/// An administrator's command resets the counter. An automatic restart, stopstart or wait is counted,
/// and at the limit becomes a stop by `maxloop` (MSG-A-19). Anything else passes.
pub fn admit(
    loops: Loops,
    limit: Limit,
    command: Command,
    caller: Caller,
    now_s: u64,
) -> (Loops, Command, Caller) {
    if caller.is_administrator() {
        return (Loops::reset(now_s), command, caller);
    }
    let counted = matches!(command, Command::Restart | Command::StopStart | Command::StopWait);
    if !counted || matches!(caller, Caller::Boot | Caller::Automatic) {
        return (loops, command, caller);
    }
    match loops.increment(limit, now_s) {
        (loops, Counted::Go) => (loops, command, caller),
        (loops, Counted::Exhausted) => (loops, Command::Stop, Caller::Identity("maxloop".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Limit = Limit { maxloop: 3, interval_s: 3600 };

    #[test]
    fn the_fourth_automatic_action_stops_the_module() {
        let mut loops = Loops::reset(0);
        for i in 0..4 {
            let rule = Caller::Rule("t_id".into());
            let (next, command, caller) = admit(loops, LIMIT, Command::Restart, rule, i);
            loops = next;
            let stopped = command == Command::Stop && caller == Caller::Identity("maxloop".into());
            assert_eq!(stopped, i == 3, "action {i}");
        }
    }

    #[test]
    fn an_administrator_resets_the_counter() {
        let rule = || Caller::Rule("t_id".into());
        let (loops, ..) = admit(Loops::reset(0), LIMIT, Command::Restart, rule(), 1);
        assert_eq!(loops.count, 1);
        let (loops, command, _) = admit(loops, LIMIT, Command::Restart, Caller::User("root".into()), 2);
        assert_eq!((loops.count, command), (0, Command::Restart));
    }

    #[test]
    fn boot_and_automatic_starts_are_not_counted() {
        for caller in [Caller::Boot, Caller::Automatic] {
            let (loops, ..) = admit(Loops::reset(0), LIMIT, Command::Start, caller, 1);
            assert_eq!(loops.count, 0);
        }
    }
}
