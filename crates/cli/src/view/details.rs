//! One thing told in lines: a label, and what is to be said of it.

/// Lines with labels, those without anything to say left out.
#[derive(Default)]
pub(crate) struct Details(Vec<(&'static str, String)>);

impl Details {
    pub(crate) fn line(mut self, label: &'static str, value: impl Into<String>) -> Self {
        let value = value.into();
        if !value.is_empty() {
            self.0.push((label, value));
        }
        self
    }

    /// The text; values of several lines are indented.
    pub(crate) fn render(&self) -> String {
        let width = self.0.iter().map(|(label, _)| label.len()).max().unwrap_or(0);
        let indent = format!("\n{:width$}  ", "");
        self.0
            .iter()
            .map(|(label, value)| format!("{label:width$}  {}\n", value.replace('\n', &indent)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_stand_below_each_other() {
        let details = Details::default().line("Id", "a-1").line("Nothing", "").line("Message", "one\ntwo");
        assert_eq!(details.render(), "Id       a-1\nMessage  one\n         two\n");
    }
}
