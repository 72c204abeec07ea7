//! The answer for people: short lines, aligned, what is wrong marked with `!`.

use std::fmt::Write;

use serde_json::Value;
use tachograph_recorder::status::{ProbeState, Status};

use super::command::list;
use super::{CommandReport, Diagnosis, ExportReport, LaunchReport, RingReport, SignalReport, Verdict};

/// Bytes of a mebibyte.
const MIB: u64 = 1 << 20;

impl Diagnosis {
    /// As text, in colour where it goes to a terminal.
    pub(crate) fn text(&self, colour: bool) -> String {
        let mut page = Page { text: String::new(), colour };
        if let Some(reason) = &self.reason {
            page.wrong("launch", reason);
        }
        for launch in &self.launches {
            page.launch(launch);
        }
        if let Some(command) = &self.command {
            page.command(command);
        }
        page.verdict(self.verdict);
        page.text
    }
}

struct Page {
    text: String,
    colour: bool,
}

impl Page {
    fn line(&mut self, mark: char, what: &str, said: &str, colour: &str) {
        let (on, off) = if self.colour && !colour.is_empty() { (colour, "\x1b[0m") } else { ("", "") };
        let _ = writeln!(self.text, "{on}{mark} {what:<10} {said}{off}");
    }

    fn good(&mut self, what: &str, said: &str) {
        self.line(' ', what, said, "");
    }

    fn wrong(&mut self, what: &str, said: &str) {
        self.line('!', what, said, "\x1b[31m");
    }

    fn verdict(&mut self, verdict: Verdict) {
        let said = match verdict {
            Verdict::AllWell => "all is well",
            Verdict::SomethingLost => "something is lost: what is marked with !",
            Verdict::CannotTell => "cannot tell in full: see what is marked with !",
        };
        let _ = writeln!(self.text, "{said}");
    }

    fn launch(&mut self, launch: &LaunchReport) {
        self.good("launch", &launch.dir.display().to_string());
        if let Some(status) = &launch.status {
            self.status(status, launch.recorder_alive);
        }
        for ring in &launch.rings {
            let process = launch.status.as_ref().and_then(|s| s.processes.iter().find(|p| p.pid == ring.pid));
            let role = process.map(|process| process.role.as_str()).filter(|role| !role.is_empty());
            let hooks = process.map(|process| {
                let states = process.probes.iter().map(|probe| probe.state);
                let count = |wanted| states.clone().filter(|state| *state == wanted).count();
                (count(ProbeState::Live), count(ProbeState::Missing) + count(ProbeState::Removed))
            });
            self.ring(ring, role.unwrap_or("process"), hooks);
        }
        self.export(&launch.export);
        if let Some(status) = &launch.status {
            for (what, signal) in [("spans", &status.export.traces), ("points", &status.export.metrics)] {
                let (sent, dropped, queued) = (signal.sent, signal.dropped, signal.queued);
                self.good("exported", &format!("{what}: {sent} sent, {queued} waiting, {dropped} dropped"));
            }
        }
        self.findings(&launch.problems, launch.unknown.as_deref());
    }

    fn status(&mut self, status: &Status, alive: bool) {
        let name = status.engine.as_ref().map(|e| format!("{} {} {}", e.name, e.version, e.generation.to_uppercase()));
        let model = status.model.as_ref().map(|model| format!(", serving {model}")).unwrap_or_default();
        let name = name.unwrap_or_else(|| "not known yet".to_owned());
        self.good("engine", &format!("{}{model}", name.trim_end()));
        let recorder = &status.recorder;
        let memory = recorder.rss_bytes / MIB;
        let state = if alive { "runs" } else { "does not run" };
        let cpu = recorder.cpu_s;
        self.good("recorder", &format!("{state}, process {}, {cpu:.1} s of CPU, {memory} MiB", recorder.pid));
    }

    fn ring(&mut self, ring: &RingReport, role: &str, hooks: Option<(usize, usize)>) {
        let (fill, capacity) = (ring.fill() * 100.0, ring.capacity_bytes / 1024);
        let mut said = format!("{role} {}: ring {fill:.0} % of {capacity} KiB, {} records", ring.pid, ring.produced);
        let _ = write!(said, ", {} lost", ring.lost);
        if ring.suppressed > 0 {
            let _ = write!(said, ", {} suppressed", ring.suppressed);
        }
        if let Some((live, missing)) = hooks {
            let _ = write!(said, "; hooks: {live} live, {missing} not");
        }
        self.good("process", &said);
    }

    fn export(&mut self, export: &ExportReport) {
        for (what, signal) in [("traces", &export.traces), ("metrics", &export.metrics)] {
            if let Some(SignalReport { url, protocol, answers, .. }) = signal {
                let answers = if *answers { "answers" } else { "does not answer" };
                self.good(what, &format!("{url} ({protocol}) {answers}"));
            }
        }
    }

    fn command(&mut self, command: &CommandReport) {
        self.good("command", &command.command.join(" "));
        if let Some(interpreter) = &command.interpreter {
            self.good("python", &interpreter.display().to_string());
        }
        for engine in command.check.iter().flat_map(|check| list(check, "engines")) {
            let text = |name: &str| engine.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
            let name = format!("{} {} {}", text("name"), text("version"), text("generation").to_uppercase());
            let count = |state: &str| {
                list(engine, "probes").iter().filter(|p| p.get("state").and_then(Value::as_str) == Some(state)).count()
            };
            let (live, missing, other) = (count("live"), count("missing"), count("not_applicable"));
            self.good("engine", name.trim_end());
            self.good("hooks", &format!("{live} live, {missing} missing, {other} not applicable"));
        }
        self.export(&command.export);
        self.findings(&command.problems, command.unknown.as_deref());
    }

    fn findings(&mut self, problems: &[String], unknown: Option<&str>) {
        for problem in problems {
            self.wrong("lost", problem);
        }
        if let Some(unknown) = unknown {
            self.wrong("unknown", unknown);
        }
    }
}
