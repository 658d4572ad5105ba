//! What `/metrics` said.

use std::collections::BTreeSet;

pub struct Figures(pub String);

impl Figures {
    /// One series, named as in the text: `sattva_queue_size{channel_id="jazz"}`.
    pub fn get(&self, series: &str) -> Option<f64> {
        self.samples().find(|(name, _)| *name == series).map(|(_, value)| value)
    }

    /// A series that must be there.
    #[track_caller]
    pub fn of(&self, series: &str) -> f64 {
        self.get(series).unwrap_or_else(|| panic!("there is no {series}"))
    }

    fn samples(&self) -> impl Iterator<Item = (&str, f64)> {
        let lines = self.0.lines().filter(|line| !line.starts_with('#'));
        lines.filter_map(|line| line.rsplit_once(' ')).map(|(name, value)| (name, value.parse().unwrap()))
    }

    /// Every series.
    pub fn names(&self) -> BTreeSet<String> {
        self.samples().map(|(name, _)| name.to_owned()).collect()
    }

    /// The series of one metric.
    pub fn series_of(&self, metric: &str) -> Vec<(&str, f64)> {
        let own = |name: &str| name.strip_prefix(metric).is_some_and(|rest| rest.is_empty() || rest.starts_with('{'));
        self.samples().filter(|(name, _)| own(name)).collect()
    }

    /// The values one label of a metric has.
    pub fn labels_of(&self, metric: &str, label: &str) -> BTreeSet<String> {
        let key = format!("{label}=\"");
        let value = |name: &str| Some(name.split_once(&key)?.1.split_once('"')?.0.to_owned());
        self.series_of(metric).into_iter().filter_map(|(name, _)| value(name)).collect()
    }

    /// `counter`, `gauge` or `histogram`.
    pub fn type_of(&self, metric: &str) -> Option<&str> {
        let prefix = format!("# TYPE {metric} ");
        self.0.lines().find_map(|line| line.strip_prefix(prefix.as_str()))
    }
}
