//! The table at the end.

use std::fmt;
use std::process::ExitCode;

/// Name and body of a part of a benchmark.
pub type Part = (&'static str, fn(&mut Report));

/// Runs the parts that the command line names, or all, and prints their tables; 1: a target is missed.
pub fn run(parts: &[Part]) -> ExitCode {
    // cargo adds arguments of its own harness.
    let wanted: Vec<String> =
        std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    if let Some(unknown) = wanted.iter().find(|name| parts.iter().all(|(part, _)| part != name)) {
        let names: Vec<_> = parts.iter().map(|(name, _)| *name).collect();
        eprintln!("no benchmark {unknown}: there are {}", names.join(", "));
        return ExitCode::from(2);
    }
    let mut missed = false;
    for (name, part) in parts {
        if wanted.is_empty() || wanted.iter().any(|wanted| wanted == name) {
            let mut report = Report::default();
            part(&mut report);
            println!("{report}");
            missed |= report.missed();
        }
    }
    ExitCode::from(u8::from(missed))
}

/// What is promised of a median.
#[derive(Clone, Copy)]
enum Target {
    Most(f64),
    Least(f64),
}

/// One promise.
struct Row {
    what: String,
    target: Option<Target>,
    unit: &'static str,
    /// Median and worst, or one value.
    median: f64,
    worst: f64,
    count: usize,
}

/// The promises of one part, and what should be known about them.
#[derive(Default)]
pub struct Report {
    title: &'static str,
    rows: Vec<Row>,
    notes: Vec<String>,
}

impl Report {
    /// What this part measures.
    pub fn part(&mut self, title: &'static str) {
        self.title = title;
    }

    /// A promise about the median of some values.
    pub fn promise(&mut self, what: &str, target: f64, unit: &'static str, values: &[f64]) {
        self.row(what, Some(Target::Most(target)), unit, values);
    }

    /// A promise about the median of values of which more is better.
    #[allow(dead_code, reason = "one of the two benchmarks has such")]
    pub fn at_least(&mut self, what: &str, target: f64, unit: &'static str, values: &[f64]) {
        self.row(what, Some(Target::Least(target)), unit, values);
    }

    /// Something to compare with.
    pub fn compare(&mut self, what: &str, unit: &'static str, values: &[f64]) {
        self.row(what, None, unit, values);
    }

    /// A line below the table.
    pub fn note(&mut self, text: String) {
        self.notes.push(text);
    }

    /// Whether a promise is not kept.
    pub fn missed(&self) -> bool {
        self.rows.iter().any(|row| !row.kept())
    }

    fn row(&mut self, what: &str, target: Option<Target>, unit: &'static str, values: &[f64]) {
        assert!(!values.is_empty(), "nothing was measured of: {what}");
        let worst = match target {
            Some(Target::Least(_)) => values.iter().copied().fold(f64::MAX, f64::min),
            _ => values.iter().copied().fold(f64::MIN, f64::max),
        };
        let row =
            Row { what: what.to_owned(), target, unit, median: median(values), worst, count: values.len() };
        self.rows.push(row);
    }
}

impl Row {
    fn kept(&self) -> bool {
        match self.target {
            None => true,
            Some(Target::Most(most)) => self.median <= most,
            Some(Target::Least(least)) => self.median >= least,
        }
    }

    fn cells(&self) -> [String; 6] {
        let number = |value: f64| match value.abs() {
            small if small < 10.0 => format!("{value:.2} {}", self.unit),
            _ => format!("{value:.1} {}", self.unit),
        };
        [
            self.what.clone(),
            match self.target {
                None => "-".into(),
                Some(Target::Most(most)) => format!("<= {most} {}", self.unit),
                Some(Target::Least(least)) => format!(">= {least} {}", self.unit),
            },
            number(self.median),
            number(self.worst),
            self.count.to_string(),
            match self.target {
                None => "-".into(),
                Some(_) if self.kept() => "kept".into(),
                Some(_) => "MISSED".into(),
            },
        ]
    }
}

/// The middle one, or the mean of the two in the middle.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    (sorted[(sorted.len() - 1) / 2] + sorted[sorted.len() / 2]) / 2.0
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let head = [self.title, "target", "median", "worst", "n", "verdict"].map(str::to_owned);
        let lines: Vec<_> = std::iter::once(head).chain(self.rows.iter().map(Row::cells)).collect();
        let widths: [usize; 6] =
            std::array::from_fn(|at| lines.iter().map(|line| line[at].len()).max().unwrap_or(0));
        for (number, [what, target, median, worst, count, verdict]) in lines.iter().enumerate() {
            let [w0, w1, w2, w3, w4, w5] = widths;
            writeln!(
                f,
                "| {what:w0$} | {target:>w1$} | {median:>w2$} | {worst:>w3$} | {count:>w4$} | {verdict:w5$} |"
            )?;
            if number == 0 {
                writeln!(f, "|{}|", widths.map(|width| "-".repeat(width + 2)).join("|"))?;
            }
        }
        for note in &self.notes {
            writeln!(f, "\n{note}")?;
        }
        Ok(())
    }
}
