//! The resource: one launch of an application, as far as it is known.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use opentelemetry_proto::tonic::resource::v1::Resource;
use tachograph_ring::Record;
use tachograph_schema::attribute as name;
use tachograph_schema::otlp::Attributes;

use crate::config::Config;
use crate::status::{EngineStatus, Status};

/// What a process that answers clients is called.
const FRONT_ROLE: &str = "api_server";

/// What becomes known of a launch.
#[derive(Clone, Debug)]
pub struct Identity {
    service_name: Option<String>,
    configured: Vec<(String, String)>,
    instance: String,
    host: Option<String>,
    provider: Option<String>,
    version: String,
    generation: String,
    pid: Option<u32>,
    model: Option<String>,
}

impl Identity {
    /// Before any record was read.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        Self {
            service_name: config.service_name.clone(),
            configured: config.resource.clone(),
            instance: instance_id(&config.dir),
            host: nix::unistd::gethostname().ok().and_then(|h| h.into_string().ok()),
            provider: None,
            version: String::new(),
            generation: String::new(),
            pid: None,
            model: None,
        }
    }

    /// Take over what an earlier recorder of the launch knew: the engine says it once.
    pub fn inherit(&mut self, earlier: &Status) {
        if let Some(engine) = &earlier.engine {
            self.provider = Some(engine.name.clone());
            self.version.clone_from(&engine.version);
            self.generation.clone_from(&engine.generation);
        }
        self.model.clone_from(&earlier.model);
        let front = earlier.processes.iter().find(|process| process.alive && process.role == FRONT_ROLE);
        self.pid = front.map(|process| process.pid);
    }

    /// Learn from a record; returns whether it said something new.
    pub fn learn(&mut self, record: &Record<'_>) -> bool {
        match record {
            Record::Process(p) => {
                let is_front = p.role == FRONT_ROLE;
                let news = self.provider.is_none() || (is_front && self.pid.is_none());
                if news {
                    self.provider = Some(p.engine.to_owned());
                    p.engine_version.clone_into(&mut self.version);
                    p.engine_generation.clone_into(&mut self.generation);
                    self.pid = if is_front { Some(p.pid) } else { self.pid };
                }
                news
            }
            Record::Engine(engine) => self.learn_model(engine.served_models.first().copied().unwrap_or_default()),
            Record::SequenceAdd(add) => self.learn_model(add.model),
            _ => false,
        }
    }

    fn learn_model(&mut self, model: &str) -> bool {
        let news = self.model.is_none() && !model.is_empty();
        if news {
            self.model = Some(model.to_owned());
        }
        news
    }

    /// `gen_ai.provider.name`.
    #[must_use]
    pub fn provider(&self) -> &str {
        self.provider.as_deref().filter(|p| !p.is_empty()).unwrap_or("vllm")
    }

    /// Whether enough is known to name the application.
    #[must_use]
    pub fn is_known(&self) -> bool {
        self.provider.is_some() && (self.name_configured().is_some() || self.model.is_some())
    }

    fn name_configured(&self) -> Option<&str> {
        let listed = || self.configured.iter().rev().find(|(k, _)| k == name::SERVICE_NAME).map(|(_, v)| v.as_str());
        self.service_name.as_deref().or_else(listed)
    }

    /// The engine, once a process named it.
    #[must_use]
    pub fn engine(&self) -> Option<EngineStatus> {
        let (version, generation) = (self.version.clone(), self.generation.clone());
        self.provider.clone().map(|name| EngineStatus { name, version, generation })
    }

    /// Name under which the model is served, once it is known.
    #[must_use]
    pub fn model(&self) -> Option<&str> {
        self.model.as_deref()
    }

    /// `service.name`: the configured one, or the model's, or OpenTelemetry's word for an unknown one.
    #[must_use]
    pub fn service(&self) -> String {
        let unknown = || format!("unknown_service:{}", self.provider());
        self.name_configured().or(self.model()).map_or_else(unknown, str::to_owned)
    }

    /// The resource, with what is known.
    #[must_use]
    pub fn resource(&self) -> Resource {
        let text = |value: &str| (!value.is_empty()).then(|| value.to_owned());
        let mut attributes = Attributes::default();
        attributes
            .set(name::SERVICE_NAME, self.service())
            .set(name::SERVICE_INSTANCE, self.instance.as_str())
            .set(name::HOST_NAME, self.host.clone())
            .set(name::PROCESS_PID, self.pid)
            .set(name::PROVIDER, self.provider())
            .set(name::ENGINE_VERSION, text(&self.version))
            .set(name::ENGINE_GENERATION, text(&self.generation))
            .set("telemetry.sdk.name", "tachograph")
            .set("telemetry.sdk.language", "rust")
            .set("telemetry.sdk.version", env!("CARGO_PKG_VERSION"));
        for (key, value) in &self.configured {
            if key == name::SERVICE_NAME {
                continue;
            }
            // What the user says comes before what we found out; a key is there once.
            attributes.0.retain(|kv| kv.key != *key);
            attributes.set(key, value.as_str());
        }
        Resource { attributes: attributes.0, ..Resource::default() }
    }
}

/// An id of the launch: random with the launch's directory, and the same for every recorder that reads it.
fn instance_id(dir: &Path) -> String {
    let path = dir.canonicalize().unwrap_or_else(|_| dir.to_owned());
    let meta = std::fs::metadata(&path);
    let place = meta.as_ref().map(|m| (m.dev(), m.ino())).unwrap_or_default();
    let born = meta.ok().and_then(|m| m.created().ok()?.duration_since(std::time::UNIX_EPOCH).ok());
    let facts = format!("{}|{place:?}|{born:?}", path.display());
    let half = |salt: u8| rapidhash::v3::rapidhash_v3(&[facts.as_bytes(), &[salt]].concat());
    let (a, b) = (half(0), half(1));
    format!(
        "{:08x}-{:04x}-8{:03x}-a{:03x}-{:012x}",
        a >> 32,
        (a >> 16) & 0xffff,
        a & 0xfff,
        b >> 52,
        b & 0xffff_ffff_ffff
    )
}
