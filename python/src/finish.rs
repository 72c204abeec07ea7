use tachograph_ring::record::FinishReason;

/// The reason that vLLM's `FinishReason` numbers or names (vllm/v1/engine/__init__.py; the same in every
/// release that has it, later ones having added reasons at the end).
pub(crate) fn from_number(number: i64) -> Option<FinishReason> {
    Some(match number {
        0 => FinishReason::Stop,
        1 => FinishReason::Length,
        2 => FinishReason::Abort,
        3 => FinishReason::Error,
        4 => FinishReason::Repetition,
        _ => return None,
    })
}

/// The reason by its name, as `str(FinishReason)` gives it and as the hooks spell it.
pub(crate) fn from_name(name: &str) -> Option<FinishReason> {
    Some(match name {
        "stop" => FinishReason::Stop,
        "length" => FinishReason::Length,
        "abort" => FinishReason::Abort,
        "error" => FinishReason::Error,
        "repetition" => FinishReason::Repetition,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_names_are_those_of_vllm() {
        let names = ["stop", "length", "abort", "error", "repetition"];
        for (number, name) in (0..).zip(names) {
            assert!(from_name(name).is_some());
            assert_eq!(from_number(number), from_name(name), "{name}");
        }
        assert_eq!((from_number(5), from_number(-1), from_name("STOP"), from_name("")), (None, None, None, None));
    }
}
