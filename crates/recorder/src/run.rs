//! The loop: drain, join, make spans and metrics, export; and an end in time.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use opentelemetry_proto::tonic::resource::v1::Resource;
use tachograph_ring::Record;
use tachograph_ring::record::ProbeState;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use crate::clock::{Clock, seconds, wall_now_ns};
use crate::config::Config;
use crate::drain::{CORE_ROLE, Drain};
use crate::error::Error;
use crate::export::Exporter;
use crate::health::{Counts, Health, Unit};
use crate::join::{Join, Joined, Keep};
use crate::metric::Meters;
use crate::prometheus::{Scraped, Scrapes};
use crate::resource::Identity;
use crate::sample::Sampler;
use crate::span::{Level, SpanSettings, spans};
use crate::status::{self, Report, Roster};
use crate::switch::{Switch, Watch};

/// Pause between two looks while records come.
const BUSY_PAUSE: Duration = Duration::from_millis(20);
/// Pause while none come.
const IDLE_PAUSE: Duration = Duration::from_millis(50);
/// How often the directory is listed and writers are asked whether they live.
const SCAN_INTERVAL: Duration = Duration::from_millis(200);
/// Most rounds over the rings that were just switched off: their largest size over what a round takes.
const LAST_ROUNDS: usize = 512;
/// How long exports wait for the application's name.
const NAME_PATIENCE: Duration = Duration::from_secs(5);
/// From the wish to stop to the end: the launcher waits 2 s.
const STOP_TIME: Duration = Duration::from_millis(1800);
/// Of that, how long a writer may take to end, too.
const WRITER_TIME: Duration = Duration::from_millis(400);

/// What a recorder did.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    /// Processes of the engine whose rings were read.
    pub processes: u64,
    /// All counts at its end.
    pub counts: Counts,
}

/// Record until `shutdown` is ready, then bring everything to its end within 2 s.
///
/// A recorder that is turned off only waits.
///
/// # Errors
/// The directory cannot be read at the start, or certificates cannot be used.
pub async fn run(config: Config, shutdown: impl Future<Output = ()>) -> Result<Summary, Error> {
    let mut shutdown = pin!(shutdown);
    if !config.enabled {
        tracing::info!("recording is turned off by OTEL_SDK_DISABLED or TACHOGRAPH_ENABLED");
        let mut report = Report::new(&config);
        report.tell(&Identity::new(&config), &Roster::default(), &Health::default());
        shutdown.await;
        report.end();
        return Ok(Summary { processes: 0, counts: Counts::default() });
    }
    let mut recorder = Recorder::start(&config).await?;
    recorder.scan()?;
    let started = Instant::now();
    let (mut next_scan, mut next_export) = (started + SCAN_INTERVAL, started + config.interval);
    loop {
        let now = Instant::now();
        if now >= next_scan {
            next_scan = now + SCAN_INTERVAL;
            if let Err(error) = recorder.scan() {
                tracing::debug!("no new rings are seen: {error}");
            }
        }
        let pause = recorder.round();
        recorder.publish(now.duration_since(started) >= NAME_PATIENCE);
        if now >= next_export {
            next_export = now + config.interval;
            recorder.export_metrics();
        }
        recorder.answer_scrapes();
        recorder.report.tell(&recorder.identity, &recorder.roster, &recorder.health);
        tokio::select! {
            biased;
            () = &mut shutdown => break,
            () = sleep(pause) => {}
        }
    }
    recorder.stop(Instant::now() + STOP_TIME).await
}

/// All parts of a running recorder.
struct Recorder {
    health: Health,
    switch: Watch,
    drain: Drain,
    join: Join,
    meter: Meters,
    identity: Identity,
    roster: Roster,
    report: Report,
    scrapes: Option<Scrapes>,
    /// Whether metrics are pushed.
    pushes: bool,
    resource: watch::Sender<Option<Resource>>,
    sampler: Sampler,
    settings: SpanSettings,
    exporter: Exporter,
    /// Rings seen.
    processes: u64,
    /// The resource changed since it was published.
    news: bool,
}

impl Recorder {
    async fn start(config: &Config) -> Result<Self, Error> {
        let health = Health::default();
        let (resource, published) = watch::channel(None);
        let exporter = Exporter::start(config, &health, &published)?;
        let token_events = if config.level == Level::Tokens { config.event_limit } else { 0 };
        let keep = Keep { content: config.content, token_events };
        let mut identity = Identity::new(config);
        let earlier = status::read(&config.dir).ok();
        earlier.iter().for_each(|earlier| identity.inherit(earlier));
        let scrapes = listen(config).await;
        let mut report = Report::new(config);
        report.listens(scrapes.as_ref().map(Scrapes::url));
        Ok(Self {
            switch: Watch::new(&config.dir),
            drain: Drain::new(&config.dir, health.clone()),
            join: Join::new(keep, health.clone()),
            meter: Meters::new(config.temporality, &config.metric_exporters, wall_now_ns()),
            settings: SpanSettings {
                level: config.level,
                event_limit: config.event_limit,
                provider: identity.provider().to_owned(),
                content: config.content,
            },
            identity,
            roster: earlier.map_or_else(Roster::default, |earlier| Roster::after(earlier.processes)),
            report,
            scrapes,
            pushes: config.metric_exporters.otlp,
            resource,
            sampler: config.sampler,
            exporter,
            health,
            processes: 0,
            news: false,
        })
    }

    /// Find new rings, and ask after the writers of known ones; before that, look at the switch.
    fn scan(&mut self) -> Result<(), Error> {
        match self.switch.look() {
            Some(Switch::On) => self.resume(),
            Some(Switch::Off) => self.suspend(),
            None => {}
        }
        for opened in self.drain.scan()? {
            self.processes += 1;
            if self.roster.open(opened.source, &opened.info).is_some_and(|process| process.role == CORE_ROLE) {
                self.drain.set_core(opened.source);
            }
            self.join.open_source(opened.source, Clock::of(&opened.info), opened.whole);
        }
        self.drain.check_writers();
        Ok(())
    }

    /// Record nothing of requests from now on. What is open ends with what is known.
    fn suspend(&mut self) {
        tracing::warn!("recording is switched off; the engine goes on unobserved");
        self.drain.suppress(true);
        self.report.enable(false);
        for _ in 0..LAST_ROUNDS {
            if !self.round().is_zero() {
                break;
            }
        }
        self.join.close_all();
        self.hand_over();
        // Levels that nobody measures any more.
        self.drain.sources().for_each(|source| self.meter.close_source(source));
    }

    /// Record again, whole requests from the next one on.
    fn resume(&mut self) {
        tracing::warn!("recording is switched on");
        self.drain.suppress(false);
        self.report.enable(true);
    }

    /// One look at all rings; returns how long the next one can wait.
    fn round(&mut self) -> Duration {
        let (join, meter, identity, news) = (&mut self.join, &mut self.meter, &mut self.identity, &mut self.news);
        let roster = &mut self.roster;
        let round = self.drain.round();
        round.for_each(|source, record| {
            *news |= identity.learn(record);
            roster.learn(source, record);
            meter.record(source, record);
            announce(record);
            join.apply(source, record);
        });
        let now_ns = tachograph_ring::now_ns();
        if let Some(oldest_ns) = round.oldest_ns() {
            let lag_s = seconds(oldest_ns, now_ns);
            self.health.update(|c| c.lag_s = c.lag_s.max(lag_s));
        }
        let (busy, full) = (!round.is_empty(), round.is_full);
        for &source in &round.ended {
            join.close_source(source);
            meter.close_source(source);
            roster.close(source);
        }
        self.drain.levels().for_each(|(source, level)| roster.ring(source, level));
        self.join.tick(now_ns);
        self.hand_over();
        match (full, busy) {
            (true, _) => Duration::ZERO,
            (false, true) => BUSY_PAUSE,
            (false, false) => IDLE_PAUSE,
        }
    }

    /// Make spans and metrics of what was joined.
    fn hand_over(&mut self) {
        self.identity.provider().clone_into(&mut self.settings.provider);
        for joined in self.join.take() {
            self.meter.joined(&joined, self.identity.provider());
            let Joined::Request(request) = joined else { continue };
            let outcome = match request.operation() {
                Some(_) => request.outcome().0.name().unwrap_or("unknown"),
                None => "other_route",
            };
            self.health.update(|c| *c.requests.entry(outcome).or_default() += 1);
            if self.sampler.keeps_trace(&request.trace) {
                self.exporter.spans(spans(&request, &self.settings));
            }
        }
    }

    /// Tell the exporter what the application is, once that is known, or after enough patience.
    fn publish(&mut self, now: bool) {
        let known = self.identity.is_known();
        let first = self.resource.borrow().is_none();
        if (known && (first || self.news)) || (now && first) {
            self.resource.send_replace(Some(self.identity.resource()));
            self.news = false;
        }
    }

    fn export_metrics(&mut self) {
        if self.pushes {
            let metrics = self.meter.push(&self.health, &self.roster);
            self.reported();
            self.exporter.metrics(metrics);
        }
    }

    /// Answer the scrapes that wait, all alike.
    fn answer_scrapes(&mut self) {
        let waiting = self.scrapes.as_mut().map(Scrapes::take).unwrap_or_default();
        if waiting.is_empty() {
            return;
        }
        let metrics = self.meter.pull(&self.health, &self.roster);
        if !self.pushes {
            self.reported();
        }
        let scraped = Scraped { metrics, resource: self.identity.resource() };
        for scrape in waiting {
            // An error means that nobody waits any more.
            let _ = scrape.send(scraped.clone());
        }
    }

    /// What is largest since the last report begins anew.
    fn reported(&mut self) {
        self.health.update(|c| c.lag_s = 0.0);
        self.roster.reset_peaks();
    }

    /// Read all rings to their end, close what is open, send what waits.
    async fn stop(mut self, deadline: Instant) -> Result<Summary, Error> {
        let writers_until = Instant::now() + WRITER_TIME;
        loop {
            // The directory may be gone with the launch: what was read before is still exported.
            let _ = self.scan();
            let pause = self.round();
            if self.drain.open_rings() == 0 || Instant::now() >= writers_until {
                break;
            }
            sleep(pause).await;
        }
        self.join.close_all();
        self.hand_over();
        self.publish(true);
        self.export_metrics();
        self.exporter.close(deadline).await;
        self.report.end();
        let counts = self.health.snapshot();
        let dropped: u64 = counts.dropped.iter().filter(|((unit, _), _)| *unit == Unit::Spans).map(|(_, n)| n).sum();
        let sent = counts.sent.get(&Unit::Spans).copied().unwrap_or(0);
        tracing::info!("recording ended: {sent} spans sent, {dropped} dropped");
        Ok(Summary { processes: self.processes, counts })
    }
}

/// Wait for a Prometheus where that is wanted. Without its port nothing else is lost.
async fn listen(config: &Config) -> Option<Scrapes> {
    let listen = config.metric_exporters.prometheus.as_ref()?;
    match Scrapes::listen(listen).await {
        Ok(scrapes) => {
            tracing::info!("a Prometheus can scrape {}", scrapes.url());
            Some(scrapes)
        }
        Err(error) => {
            let (host, port) = (&listen.host, listen.port);
            tracing::warn!(
                "no Prometheus can scrape this, set OTEL_EXPORTER_PROMETHEUS_HOST and _PORT: {host}:{port}: {error}"
            );
            None
        }
    }
}

/// Say what a probe says of itself: one line for each change.
fn announce(record: &Record<'_>) {
    match record {
        Record::Probe(probe) if probe.state == ProbeState::Removed => {
            tracing::warn!("a hook was taken out after repeated faults: {}: {}", probe.name, probe.detail);
        }
        Record::Probe(probe) if probe.state == ProbeState::Missing => {
            tracing::info!("a hook is not live: {}: {}", probe.name, probe.detail);
        }
        Record::Fault(fault) => tracing::debug!("a hook raised: {}: {}", fault.name, fault.error),
        _ => {}
    }
}
