//! Where the running daemon answers: told in a file below the data directory, so that commands which share that directory
//! find it whatever port it was started with.
//!
//! Accepted: one that was killed leaves its address behind. Whoever asks there hears that nobody answers, and the next
//! start writes its own.

use std::{
    fs,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::{Path, PathBuf},
};

/// The file. Its name tells people what it is.
const FILE: &str = "daemon.address";

/// The file, as long as the daemon answers there.
pub(crate) struct Told(PathBuf);

/// Tells where it answers. `None` = that can't be written: then commands ask where the configuration says.
pub(crate) fn tell(data_dir: &Path, address: SocketAddr) -> Option<Told> {
    let (path, draft) = (data_dir.join(FILE), data_dir.join(format!("{FILE}.new")));
    fs::write(&draft, format!("{address}\n")).and_then(|()| fs::rename(&draft, &path)).ok()?;
    Some(Told(path))
}

impl Drop for Told {
    fn drop(&mut self) {
        // It is told again at the next start.
        let _ = fs::remove_file(&self.0);
    }
}

/// Where the daemon with this data directory answers, as it told; this machine's own address where it answers at all.
pub fn told(data_dir: &Path) -> Option<SocketAddr> {
    let address: SocketAddr = fs::read_to_string(data_dir.join(FILE)).ok()?.trim().parse().ok()?;
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    Some(SocketAddr::new(ip, address.port()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_known_as_long_as_somebody_answers_and_what_is_damaged_is_no_address() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(told(dir.path()), None);
        let at = tell(dir.path(), "0.0.0.0:81".parse().unwrap());
        assert_eq!(told(dir.path()), Some("127.0.0.1:81".parse().unwrap()));
        drop(at);
        assert_eq!(told(dir.path()), None);
        fs::write(dir.path().join(FILE), "nowhere").unwrap();
        assert_eq!(told(dir.path()), None);
        assert!(tell(&dir.path().join("gone"), "127.0.0.1:81".parse().unwrap()).is_none());
    }
}
