//! Aligned columns.

/// Lines of aligned columns, two spaces between them; control characters become `?`.
pub fn table<const N: usize>(header: Option<[&str; N]>, rows: &[[String; N]]) -> String {
    let header = header.map(|h| h.map(str::to_owned));
    let rows: Vec<[String; N]> =
        header.iter().chain(rows).map(|row| row.each_ref().map(|cell| clean(cell))).collect();
    let mut widths = [0; N];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    rows.iter().map(|row| line(row, &widths)).collect()
}

fn line(cells: &[String], widths: &[usize]) -> String {
    let mut line = String::new();
    for (cell, width) in cells.iter().zip(widths) {
        line += &format!("{cell:<width$}  ");
    }
    line.truncate(line.trim_end().len());
    line + "\n"
}

/// The text without what could move the cursor of a terminal.
pub fn clean(text: &str) -> String {
    text.replace(char::is_control, "?")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_without_trailing_spaces() {
        let rows = [["a", "é", "x\u{1b}y"], ["long", "b", ""]].map(|r| r.map(str::to_owned));
        assert_eq!(table(Some(["A", "B", "C"]), &rows), "A     B  C\na     é  x?y\nlong  b\n");
        assert_eq!(table::<1>(None, &[]), "");
    }
}
