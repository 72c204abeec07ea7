//! Query parameters to typed questions; whatever is wrong is said with the parameter's name and an example.

use super::error::Failure;
use super::instant;
use super::wire::RequestStatus;
use crate::query::{
    Bound, By, Figure, Filter, Fleet, Grid, Label, MAX_BUCKETS, Page, SeriesQuery, Sort, SortKey, Wanted,
};

/// Rows of a page where no limit is asked for.
const DEFAULT_LIMIT: u64 = 100;
/// Most rows of a page.
const MAX_LIMIT: u64 = 10_000;
/// Most series of one call, labels apart.
const MAX_SERIES: usize = 64;
/// Longest text to search for, in bytes.
const MAX_SEARCH_BYTES: usize = 1024;

/// The parameters that are left to read.
#[derive(Clone, Debug)]
pub(super) struct Parameters {
    left: Vec<(String, String)>,
    now_ns: i64,
}

type Result<T> = std::result::Result<T, Failure>;

/// A page of requests.
pub(super) fn page(pairs: Vec<(String, String)>, now_ns: i64) -> Result<Page> {
    let mut parameters = Parameters { left: pairs, now_ns };
    let (from_ns, to_ns) = parameters.range()?;
    let page = Page {
        from_ns,
        to_ns,
        filter: parameters.filter()?,
        sort: parameters.sort()?,
        limit: parameters.count("limit", DEFAULT_LIMIT, 1, MAX_LIMIT)?,
        offset: parameters.count("offset", 0, 0, u64::from(u32::MAX))?,
    };
    parameters.finish()?;
    Ok(page)
}

/// A set of series.
pub(super) fn series(pairs: Vec<(String, String)>, now_ns: i64) -> Result<SeriesQuery> {
    let mut parameters = Parameters { left: pairs, now_ns };
    let (from_ns, to_ns) = parameters.range()?;
    let grid = parameters.grid(from_ns, to_ns)?;
    let wanted = parameters.wanted()?;
    let by = parameters.by(&wanted)?;
    let query = SeriesQuery { grid, by, filter: parameters.filter()?, wanted };
    parameters.finish()?;
    Ok(query)
}

/// A time range alone.
pub(super) fn range(pairs: Vec<(String, String)>, now_ns: i64) -> Result<(i64, i64)> {
    let mut parameters = Parameters { left: pairs, now_ns };
    let range = parameters.range()?;
    parameters.finish()?;
    Ok(range)
}

/// Engines and agents of a time range; a range that has not ended ends now.
pub(super) fn fleet(pairs: Vec<(String, String)>, now_ns: i64) -> Result<Fleet> {
    let mut parameters = Parameters { left: pairs, now_ns };
    let (from_ns, to_ns) = parameters.range()?;
    let filter = parameters.filter()?;
    parameters.finish()?;
    Ok(Fleet { from_ns, to_ns: to_ns.min(now_ns.max(from_ns.saturating_add(1))), filter })
}

/// The span id of one request, where it is given.
pub(super) fn span_id(pairs: Vec<(String, String)>) -> Result<Option<[u8; 8]>> {
    let mut parameters = Parameters { left: pairs, now_ns: 0 };
    let id = parameters.one("span_id")?.map(|text| {
        const_hex::decode_to_array::<_, 8>(&text).map_err(|_| {
            Failure::parameter("span_id", format!("no span id: {text}"), "16 hex digits, e.g. span_id=00f067aa0ba902b7")
        })
    });
    parameters.finish()?;
    id.transpose()
}

impl Parameters {
    /// All values of a parameter, which is read then.
    fn all(&mut self, name: &str) -> Vec<String> {
        let left = std::mem::take(&mut self.left);
        let (found, left): (Vec<_>, Vec<_>) = left.into_iter().partition(|(key, _)| key == name);
        self.left = left;
        found.into_iter().map(|(_, value)| value).collect()
    }

    /// The value of a parameter that may be there once.
    fn one(&mut self, name: &str) -> Result<Option<String>> {
        let mut values = self.all(name);
        if values.len() > 1 {
            return Err(Failure::parameter(name, format!("given more than once: {name}"), "give it once"));
        }
        Ok(values.pop())
    }

    fn finish(self) -> Result<()> {
        match self.left.into_iter().next() {
            None => Ok(()),
            Some((name, _)) => {
                let hint = "see docs/api.md for the parameters of this call, e.g. from=now-15m&model=llama";
                Err(Failure::parameter(&name, format!("no such parameter: {name}"), hint))
            }
        }
    }

    fn range(&mut self) -> Result<(i64, i64)> {
        let from = self.instant("from", "now-1h")?;
        let to = self.instant("to", "now")?;
        if from >= to {
            return Err(Failure::parameter("from", "from is not before to", "e.g. from=now-15m&to=now"));
        }
        Ok((from, to))
    }

    fn instant(&mut self, name: &str, default: &str) -> Result<i64> {
        let text = self.one(name)?.filter(|t| !t.is_empty()).unwrap_or_else(|| default.to_owned());
        instant::parse(&text, self.now_ns).ok_or_else(|| {
            let hint =
                format!("RFC 3339, Unix milliseconds or relative, e.g. {name}=now-15m or {name}=2026-11-24T03:00:00Z");
            Failure::parameter(name, format!("no time: {text}"), hint)
        })
    }

    fn filter(&mut self) -> Result<Filter> {
        let mut filter = Filter::default();
        for label in Label::ALL {
            let values = self.all(label.name());
            if !values.is_empty() {
                filter.labels.push((label, values));
            }
        }
        filter.statuses = self.all("status").into_iter().map(|t| status(&t)).collect::<Result<_>>()?;
        filter.finish_reasons = self.all("finish_reason");
        filter.engines = self.all("engine_index").into_iter().map(|t| engine(&t)).collect::<Result<_>>()?;
        filter.stream = self.flag("stream")?;
        filter.preempted = self.flag("preempted")?;
        filter.bounds = self.bounds()?;
        filter.search = self.one("q")?.map(|q| q.trim().to_owned()).filter(|q| !q.is_empty());
        if filter.search.as_ref().is_some_and(|q| q.len() > MAX_SEARCH_BYTES) {
            let message = format!("longer than {MAX_SEARCH_BYTES} bytes");
            return Err(Failure::parameter("q", message, "a few words, e.g. q=weather+in+Paris"));
        }
        Ok(filter)
    }

    fn flag(&mut self, name: &str) -> Result<Option<bool>> {
        let parse = |text: String| match text.as_str() {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err(Failure::parameter(name, format!("not true or false: {text}"), format!("e.g. {name}=true"))),
        };
        self.one(name)?.map(parse).transpose()
    }

    fn bounds(&mut self) -> Result<Vec<Bound>> {
        let mut bounds = Vec::new();
        for figure in Figure::ALL {
            let (min, max) = (format!("min_{}", figure.name()), format!("max_{}", figure.name()));
            bounds.extend(self.number(&min)?.map(|value| Bound::Min(figure, value)));
            bounds.extend(self.number(&max)?.map(|value| Bound::Max(figure, value)));
        }
        Ok(bounds)
    }

    fn number(&mut self, name: &str) -> Result<Option<f64>> {
        let parse = |text: String| match text.parse::<f64>() {
            Ok(number) if number.is_finite() && number >= 0.0 => Ok(number),
            _ => {
                let hint = format!("a number, times in seconds, e.g. {name}=0.25");
                Err(Failure::parameter(name, format!("not a number from 0: {text}"), hint))
            }
        };
        self.one(name)?.map(parse).transpose()
    }

    fn count(&mut self, name: &str, default: u64, min: u64, max: u64) -> Result<u64> {
        let Some(text) = self.one(name)? else { return Ok(default) };
        text.parse().ok().filter(|n| (min..=max).contains(n)).ok_or_else(|| {
            let message = format!("not a whole number from {min} to {max}: {text}");
            Failure::parameter(name, message, format!("e.g. {name}={}", default.max(min)))
        })
    }

    fn sort(&mut self) -> Result<Sort> {
        let Some(text) = self.one("sort")? else { return Ok(Sort { key: SortKey::Start, descending: true }) };
        let (name, descending) = text.strip_prefix('-').map_or((text.as_str(), false), |name| (name, true));
        let key = match name {
            "start" => Some(SortKey::Start),
            name => Figure::ALL.into_iter().find(|f| f.name() == name).map(SortKey::Figure),
        };
        key.map(|key| Sort { key, descending }).ok_or_else(|| {
            let names = Figure::ALL.map(Figure::name).join(", ");
            let hint = format!("start, {names}; with - in front the largest come first, e.g. sort=-ttft");
            Failure::parameter("sort", format!("cannot sort by: {text}"), hint)
        })
    }

    fn grid(&mut self, from_ns: i64, to_ns: i64) -> Result<Grid> {
        let step_ns = match self.one("step")?.filter(|t| !t.is_empty()) {
            None => None,
            Some(text) => {
                let step = instant::parse_duration(&text, Some(1.0)).filter(|ns| *ns > 0);
                Some(step.ok_or_else(|| {
                    let hint = "seconds or with a unit, e.g. step=10 or step=5m";
                    Failure::parameter("step", format!("no duration: {text}"), hint)
                })?)
            }
        };
        Grid::new(from_ns, to_ns, step_ns).ok_or_else(|| {
            let message = format!("more than {MAX_BUCKETS} steps in the time range");
            Failure::parameter("step", message, "a longer step, e.g. step=60, or leave it out")
        })
    }

    fn wanted(&mut self) -> Result<Vec<Wanted>> {
        let texts = self.list("series");
        if texts.is_empty() {
            let hint = "one or more with commas, e.g. series=requests:rate,ttft:p95";
            return Err(Failure::parameter("series", "no series asked for", hint));
        }
        if texts.len() > MAX_SERIES {
            let message = format!("more than {MAX_SERIES} series");
            return Err(Failure::parameter("series", message, "ask for some of them in a second call"));
        }
        let parse = |text: &String| Wanted::parse(text).map_err(|e| Failure::parameter("series", e.message, e.hint));
        texts.iter().map(parse).collect()
    }

    fn by(&mut self, wanted: &[Wanted]) -> Result<Vec<By>> {
        let mut all = Vec::new();
        for text in self.list("by") {
            let by = By::from_name(&text).ok_or_else(|| {
                let names = By::ALL.map(By::name).join(", ");
                Failure::parameter("by", format!("cannot split by: {text}"), format!("one of {names}, e.g. by=model"))
            })?;
            let lacks = |w: &&Wanted| if w.is_of_points() { !by.of_points() } else { !by.of_requests() };
            if let Some(w) = wanted.iter().find(lacks) {
                let origin = if w.is_of_points() { "the engine's metrics" } else { "the requests" };
                let message = format!("{} comes from {origin}, which have no {text}", w.name);
                return Err(Failure::parameter("by", message, "e.g. by=model"));
            }
            if !all.contains(&by) {
                all.push(by);
            }
        }
        Ok(all)
    }

    /// Values of a parameter that is a list: repeated, or separated by commas.
    fn list(&mut self, name: &str) -> Vec<String> {
        let values = self.all(name);
        let parts = values.iter().flat_map(|v| v.split(','));
        parts.map(str::trim).filter(|v| !v.is_empty()).map(str::to_owned).collect()
    }
}

fn status(text: &str) -> Result<RequestStatus> {
    RequestStatus::from_name(text).ok_or_else(|| {
        let names = RequestStatus::ALL.map(RequestStatus::name).join(", ");
        Failure::parameter("status", format!("no such status: {text}"), format!("one of {names}, e.g. status=failed"))
    })
}

fn engine(text: &str) -> Result<u32> {
    text.parse()
        .map_err(|_| Failure::parameter("engine_index", format!("not a whole number: {text}"), "e.g. engine_index=0"))
}
