//! The verbs of the command line, one file each.

pub(crate) mod control;
pub(crate) mod doctor;
pub(crate) mod record;
pub(crate) mod run;
pub(crate) mod serve;
