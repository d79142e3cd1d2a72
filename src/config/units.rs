//! Values of attributes: durations with units, numbers, sizes, words. Each parser is made for a
//! range and its error says what is allowed.

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

    fn plural(self) -> &'static str {
        match self {
            Unit::Ms => "milliseconds",
            Unit::S => "seconds",
            Unit::M => "minutes",
            Unit::H => "hours",
            Unit::D => "days",
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
pub fn duration(unit: Unit, range: RangeInclusive<Duration>) -> impl Fn(&str) -> Result<Duration, String> {
    move |text| {
        let bad = || {
            format!(
                "write a whole number of {}, or one with its unit (ms, s, m, h, d), from {} to {}",
                unit.plural(),
                Short(*range.start()),
                Short(*range.end())
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
pub fn integer<T>(range: RangeInclusive<T>) -> impl Fn(&str) -> Result<T, String>
where
    T: std::str::FromStr + PartialOrd + fmt::Display,
{
    move |text| {
        let number = text.parse::<T>().ok().filter(|n| range.contains(n) && !text.starts_with('+'));
        number.ok_or_else(|| format!("write a whole number from {} to {}", range.start(), range.end()))
    }
}

/// Parser of a size in kilobytes; the result is in bytes.
pub fn kilobytes(range: RangeInclusive<u64>) -> impl Fn(&str) -> Result<u64, String> {
    let number = integer(range);
    move |text| number(text).map(|kb| kb * 1024)
}

/// Parser of one word out of a few.
pub fn one_of<T: Clone>(words: &[(&str, T)]) -> impl Fn(&str) -> Result<T, String> {
    move |text| {
        let found = words.iter().find(|(word, _)| *word == text);
        found.map(|(_, value)| value.clone()).ok_or_else(|| {
            let all: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            format!("write {}", all.join(" or "))
        })
    }
}

/// Parser of `on` and `off`.
pub fn on_off(text: &str) -> Result<bool, String> {
    one_of(&[("on", true), ("off", false)])(text)
}

/// Parser of `yes` and `no`.
pub fn yes_no(text: &str) -> Result<bool, String> {
    one_of(&[("yes", true), ("no", false)])(text)
}

/// Parser of a port number.
pub fn port(text: &str) -> Result<u16, String> {
    integer(1..=u16::MAX)(text)
}

/// Longest name of a lan, checker or group.
const LONGEST_NAME: usize = 64;

/// Parser of the name of a lan, checker or group: it becomes part of the name of a resource.
pub fn name(text: &str) -> Result<String, String> {
    let good = |c: char| c.is_ascii_alphanumeric() || "._-:[]/".contains(c);
    if (1..=LONGEST_NAME).contains(&text.len()) && text.chars().all(good) {
        Ok(text.to_owned())
    } else {
        Err(format!("write 1 to {LONGEST_NAME} letters, digits and . _ - : [ ] /"))
    }
}

/// Parser of any text that is not empty.
pub fn text(text: &str) -> Result<String, String> {
    if text.is_empty() || text.contains('\0') { Err("write something".into()) } else { Ok(text.to_owned()) }
}

/// Parser of whatever knows how to read itself.
pub fn parsed<T>(text: &str) -> Result<T, String>
where
    T: std::str::FromStr,
    T::Err: fmt::Display,
{
    text.parse().map_err(|e: T::Err| e.to_string())
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
        assert_eq!(at_least("1s"), Err(why.to_owned()));
    }

    #[test]
    fn numbers_and_words() {
        assert_eq!(integer(1..=10u32)("10"), Ok(10));
        assert_eq!(integer(1..=10u32)("11"), Err("write a whole number from 1 to 10".into()));
        assert!(integer(1..=10u32)("+1").is_err());
        assert_eq!(kilobytes(1..=4096)("2048"), Ok(2 << 20));
        assert_eq!(on_off("On"), Err("write on or off".into()));
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
