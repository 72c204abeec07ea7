//! Which process wrote a ring, and whether it still runs: pid and start time together, since pids are reused.

use std::{fs, io};

/// Start time of this process in clock ticks since boot.
pub(crate) fn own_start_ticks() -> io::Result<u64> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    parse(&stat).map(|s| s.start_ticks).ok_or_else(|| io::Error::other("unknown form of /proc/self/stat"))
}

/// Whether the process runs that had this pid and this start time. A zombie does not run.
pub(crate) fn is_alive(pid: u32, start_ticks: u64) -> bool {
    // Where /proc cannot be read the process is taken for dead: its ring is drained all the same.
    let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else { return false };
    parse(&stat).is_some_and(|s| s.start_ticks == start_ticks && !matches!(s.state, 'Z' | 'X'))
}

struct Stat {
    state: char,
    start_ticks: u64,
}

/// Reads `pid (comm) state …`, field 22 being the start time; comm may hold spaces and parentheses.
fn parse(stat: &str) -> Option<Stat> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace();
    let state = fields.next()?.chars().next()?;
    let start_ticks = fields.nth(18)?.parse().ok()?;
    Some(Stat { state, start_ticks })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
    use std::process::Command;

    use super::*;

    #[test]
    fn a_command_name_with_spaces_and_parentheses_does_not_shift_the_fields() {
        let line = "7 (a ) Z (b) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4242 20 21";
        let stat = parse(line).unwrap();
        assert_eq!((stat.state, stat.start_ticks), ('S', 4242));
        assert!(parse("7 (a) S 1 2").is_none());
        assert!(parse("").is_none());
    }

    #[test]
    fn a_process_is_alive_only_under_its_own_start_time() {
        let pid = std::process::id();
        let start = own_start_ticks().unwrap();
        assert!(is_alive(pid, start));
        assert!(!is_alive(pid, start + 1), "a reused pid is another process");
    }

    #[test]
    fn a_zombie_is_dead() {
        let mut child = Command::new("sleep").arg("1000").spawn().unwrap();
        let pid = child.id();
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        let start = parse(&stat).unwrap().start_ticks;
        assert!(is_alive(pid, start));
        child.kill().unwrap();
        let zombie = || parse(&fs::read_to_string(format!("/proc/{pid}/stat")).unwrap()).unwrap().state == 'Z';
        while !zombie() {
            std::thread::yield_now();
        }
        assert!(!is_alive(pid, start), "not waited for yet, but it runs no more");
        child.wait().unwrap();
        assert!(!is_alive(pid, start));
    }
}
