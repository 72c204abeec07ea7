//! How a request ended, between its name and its type.

use crate::api::wire::RequestStatus;

impl RequestStatus {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Ok, Self::Aborted, Self::Refused, Self::Failed, Self::EngineDied];

    /// The name: what the attribute `tachograph.outcome`, the API and the column `outcome` say.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Aborted => "aborted",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::EngineDied => "engine_died",
        }
    }

    /// From the name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name() == name)
    }

    /// For a request whose sender does not say: by its HTTP status, finish reasons and span status.
    pub(crate) fn derive(http_status: Option<u16>, finish_reasons: Option<&str>, error: bool) -> Self {
        // 499 is what proxies record where the client closed the connection.
        match http_status {
            Some(499) => return Self::Aborted,
            Some(400..=498) => return Self::Refused,
            Some(500..) => return Self::Failed,
            _ => {}
        }
        if finish_reasons.is_some_and(|reasons| reasons.split(',').all(|reason| reason == "abort")) {
            return Self::Aborted;
        }
        if error { Self::Failed } else { Self::Ok }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_back_to_the_status_and_are_those_of_the_wire() {
        for status in RequestStatus::ALL {
            assert_eq!(RequestStatus::from_name(status.name()), Some(status));
            assert_eq!(serde_json::to_value(status).ok(), Some(status.name().into()));
        }
        assert_eq!(RequestStatus::from_name("OK"), None);
    }

    #[test]
    fn a_request_of_another_sdk_is_judged_by_what_it_says() {
        let cases = [
            ((None, None, false), RequestStatus::Ok),
            ((Some(200), Some("stop"), false), RequestStatus::Ok),
            ((Some(200), None, true), RequestStatus::Failed),
            ((Some(400), None, true), RequestStatus::Refused),
            ((Some(499), None, true), RequestStatus::Aborted),
            ((Some(503), None, false), RequestStatus::Failed),
            ((None, Some("abort,abort"), false), RequestStatus::Aborted),
            ((None, Some("abort,stop"), false), RequestStatus::Ok),
        ];
        for ((http, reasons, error), expected) in cases {
            assert_eq!(RequestStatus::derive(http, reasons, error), expected, "{http:?} {reasons:?} {error}");
        }
    }
}
