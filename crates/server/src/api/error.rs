//! The one place where a failure becomes what an API client reads.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use tachograph_store::StoreError;

use super::wire::{ApiError, ErrorBody};
use crate::query::QueryError;

/// Why a call is not answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// A parameter is wrong.
    Parameter {
        /// Its name.
        field: String,
        /// What is wrong.
        message: String,
        /// What to write instead, with an example.
        hint: String,
    },
    /// There is no such thing.
    NotFound { message: String, hint: String },
    /// The question costs more than it may.
    TooMuch { message: String },
    /// The store cannot answer now.
    Unavailable { message: String },
    /// A fault of ours.
    Internal { message: String },
}

impl Failure {
    pub(super) fn parameter(field: impl Into<String>, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Parameter { field: field.into(), message: message.into(), hint: hint.into() }
    }

    pub(super) fn not_found(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::NotFound { message: message.into(), hint: hint.into() }
    }

    fn parts(self) -> (StatusCode, ApiError) {
        let (status, code, message, hint, field) = match self {
            Self::Parameter { field, message, hint } => {
                (StatusCode::BAD_REQUEST, "bad_request", message, hint, Some(field))
            }
            Self::NotFound { message, hint } => (StatusCode::NOT_FOUND, "not_found", message, hint, None),
            Self::TooMuch { message } => {
                let hint = "choose a shorter time range or filter more, e.g. from=now-1h";
                (StatusCode::BAD_REQUEST, "bad_request", message, hint.to_owned(), Some("from".to_owned()))
            }
            Self::Unavailable { message } => {
                let hint = "try again in a second; if it stays so, see the server's log";
                (StatusCode::SERVICE_UNAVAILABLE, "unavailable", message, hint.to_owned(), None)
            }
            Self::Internal { message } => {
                let hint = "this is a fault of the server; its log says more";
                (StatusCode::INTERNAL_SERVER_ERROR, "internal", message, hint.to_owned(), None)
            }
        };
        (status, ApiError { code: code.to_owned(), message, hint, field })
    }
}

impl From<QueryError> for Failure {
    fn from(error: QueryError) -> Self {
        let message = error.to_string();
        let failure = match error {
            QueryError::Store(StoreError::TooManyRows(_) | StoreError::TooMuchMemory(_) | StoreError::TooSlow(_)) => {
                Self::TooMuch { message }
            }
            QueryError::Store(StoreError::Closed | StoreError::Io { .. } | StoreError::Busy { .. }) => {
                Self::Unavailable { message }
            }
            QueryError::Store(_) | QueryError::Shape(_) => Self::Internal { message },
        };
        if !matches!(failure, Self::TooMuch { .. }) {
            tracing::error!(?failure, "cannot answer");
        }
        failure
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        QueryError::from(error).into()
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let (status, error) = self.parts();
        (status, Json(ErrorBody { error })).into_response()
    }
}
