//! Values of attributes: durations with units, numbers, sizes, words. Each parser is made for a
//! range and its error says what is allowed.

use crate::told::{Told, told};
use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

/// Unit of a duration that is written without one: the historical unit of the attribute (AMB-16).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Milliseconds.
    Ms,
    /// Seconds.
    S,
    /// Minutes.
    M,
    /// Hours.
    H,
    /// Days.
    D,
}

const UNITS: [Unit; 5] = [Unit::D, Unit::H, Unit::M, Unit::S, Unit::Ms];

impl Unit {
    fn suffix(self) -> &'static str {
        match self {
            Unit::Ms => "ms",
            Unit::S => "s",
            Unit::M => "m",
            Unit::H => "h",
            Unit::D => "d",
        }
    }

    /// English and French.
    fn plural(self) -> (&'static str, &'static str) {
        match self {
            Unit::Ms => ("milliseconds", "millisecondes"),
            Unit::S => ("seconds", "secondes"),
            Unit::M => ("minutes", "minutes"),
            Unit::H => ("hours", "heures"),
            Unit::D => ("days", "jours"),
        }
    }

    fn millis(self) -> u64 {
        match self {
            Unit::Ms => 1,
            Unit::S => 1_000,
            Unit::M => 60_000,
            Unit::H => 3_600_000,
            Unit::D => 86_400_000,
        }
    }
}

/// A duration with the largest unit that divides it, as it may be written in a file.
struct Short(Duration);

impl fmt::Display for Short {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.0.as_millis() as u64;
        let whole = UNITS.into_iter().find(|u| millis.is_multiple_of(u.millis()) && millis > 0);
        let unit = whole.unwrap_or(Unit::S);
        write!(f, "{}{}", millis / unit.millis(), unit.suffix())
    }
}

/// Parser of a duration (CFG-GEN-05): a whole number, in `unit` unless it has its own.
pub fn duration(unit: Unit, range: RangeInclusive<Duration>) -> impl Fn(&str) -> Result<Duration, Told> {
    move |text| {
        let bad = || {
            let (least, most) = (Short(*range.start()), Short(*range.end()));
            let (en, fr) = unit.plural();
            told!(
                "write a whole number of {en}, or one with its unit (ms, s, m, h, d), from {least} to {most}",
                "écrivez un nombre entier de {fr}, ou un nombre avec son unité (ms, s, m, h, d), de {least} à {most}"
            )
        };
        let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, suffix) = text.split_at(digits);
        let unit = match suffix {
            "" => unit,
            _ => UNITS.into_iter().find(|u| u.suffix() == suffix).ok_or_else(bad)?,
        };
        let millis = number.parse::<u64>().ok().and_then(|n| n.checked_mul(unit.millis())).ok_or_else(bad)?;
        Some(Duration::from_millis(millis)).filter(|d| range.contains(d)).ok_or_else(bad)
    }
}

/// Parser of a whole number.
pub fn integer<T>(range: RangeInclusive<T>) -> impl Fn(&str) -> Result<T, Told>
where
    T: std::str::FromStr + PartialOrd + fmt::Display,
{
    move |text| {
        let number = text.parse::<T>().ok().filter(|n| range.contains(n) && !text.starts_with('+'));
        number.ok_or_else(|| {
            let (least, most) = (range.start(), range.end());
            told!(
                "write a whole number from {least} to {most}",
                "écrivez un nombre entier de {least} à {most}"
            )
        })
    }
}

/// Parser of a size in kilobytes; the result is in bytes.
pub fn kilobytes(range: RangeInclusive<u64>) -> impl Fn(&str) -> Result<u64, Told> {
    let number = integer(range);
    move |text| number(text).map(|kb| kb * 1024)
}

/// Parser of one word out of a few.
pub fn one_of<T: Clone>(words: &[(&str, T)]) -> impl Fn(&str) -> Result<T, Told> {
    move |text| {
        let found = words.iter().find(|(word, _)| *word == text);
        found.map(|(_, value)| value.clone()).ok_or_else(|| {
            let all: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            let (en, fr) = (all.join(" or "), all.join(" ou "));
            told!("write {en}", "écrivez {fr}")
        })
    }
}

/// Parser of `on` and `off`.
pub fn on_off(text: &str) -> Result<bool, Told> {
    one_of(&[("on", true), ("off", false)])(text)
}

/// Parser of `yes` and `no`.
pub fn yes_no(text: &str) -> Result<bool, Told> {
    one_of(&[("yes", true), ("no", false)])(text)
}

/// Parser of a port number.
pub fn port(text: &str) -> Result<u16, Told> {
    integer(1..=u16::MAX)(text)
}

/// Longest name of a lan, checker or group.
const LONGEST_NAME: usize = 64;

/// Parser of the name of a lan, checker or group: it becomes part of the name of a resource.
pub fn name(text: &str) -> Result<String, Told> {
    let good = |c: char| c.is_ascii_alphanumeric() || "._-:[]/".contains(c);
    if (1..=LONGEST_NAME).contains(&text.len()) && text.chars().all(good) {
        Ok(text.to_owned())
    } else {
        Err(told!(
            "write 1 to {LONGEST_NAME} letters, digits and . _ - : [ ] /",
            "écrivez 1 à {LONGEST_NAME} lettres, chiffres et . _ - : [ ] /"
        ))
    }
}

/// Parser of any text that is not empty.
pub fn text(text: &str) -> Result<String, Told> {
    if text.is_empty() || text.contains('\0') {
        Err(told!("write something", "écrivez quelque chose"))
    } else {
        Ok(text.to_owned())
    }
}

/// Parser of whatever knows how to read itself.
pub fn parsed<T>(text: &str) -> Result<T, Told>
where
    T: std::str::FromStr,
    T::Err: Into<Told>,
{
    text.parse().map_err(|e: T::Err| e.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const DAY: Duration = Duration::from_secs(86_400);

    /// D-13.1: the same timer in every notation.
    #[test]
    fn durations_take_units() {
        let s = duration(Unit::S, Duration::ZERO..=DAY);
        let ms = duration(Unit::Ms, Duration::ZERO..=DAY);
        for (text, parse) in
            [("10s", &s as &dyn Fn(&str) -> _), ("10", &s), ("10000ms", &s), ("10000", &ms), ("10s", &ms)]
        {
            assert_eq!(parse(text), Ok(Duration::from_secs(10)), "{text}");
        }
        assert_eq!(s("2m"), Ok(Duration::from_secs(120)));
        assert_eq!(s("1d"), Ok(DAY));
        for bad in [
            "10x",
            "",
            "s",
            "-1",
            "1.5s",
            "10 s",
            " 10",
            "10S",
            "2d",
            "99999999999999999999",
            "18446744073709551615d",
        ] {
            assert!(s(bad).is_err(), "{bad}");
        }
        let at_least = duration(Unit::Ms, Duration::from_millis(1500)..=DAY);
        let why =
            "write a whole number of milliseconds, or one with its unit (ms, s, m, h, d), from 1500ms to 1d";
        assert_eq!(at_least("1s").unwrap_err().to_string(), why);
    }

    #[test]
    fn numbers_and_words() {
        assert_eq!(integer(1..=10u32)("10"), Ok(10));
        assert_eq!(
            integer(1..=10u32)("11"),
            Err(told!("write a whole number from 1 to 10", "écrivez un nombre entier de 1 à 10"))
        );
        assert!(integer(1..=10u32)("+1").is_err());
        assert_eq!(kilobytes(1..=4096)("2048"), Ok(2 << 20));
        assert_eq!(on_off("On"), Err(told!("write on or off", "écrivez on ou off")));
        assert_eq!(name("192.168.0.0"), Ok("192.168.0.0".into()));
        assert!(name("a b").is_err());
        assert!(port("0").is_err());
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "\\PC{0,24}") {
            let _ = duration(Unit::D, Duration::ZERO..=DAY)(&text);
            let _ = name(&text);
        }

        #[test]
        fn what_is_printed_is_read_again(ms in 0..86_400_000u64) {
            let d = Duration::from_millis(ms);
            prop_assert_eq!(duration(Unit::H, Duration::ZERO..=DAY)(&Short(d).to_string()), Ok(d));
        }
    }
}
