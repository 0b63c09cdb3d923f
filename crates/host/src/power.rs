//! Whether the machine runs from a battery.

use std::{fs, path::Path};

use alignwatch_model::Known;

/// Does this machine run from a battery? One without a battery does not.
///
/// Source: the kernel's ABI of power supplies, `/sys/class/power_supply/<name>/{type,scope,status,online}`.
pub fn on_battery() -> Known<bool> {
    below(Path::new("/sys/class/power_supply"))
}

fn below(folder: &Path) -> Known<bool> {
    let Ok(entries) = fs::read_dir(folder) else { return Known::Seen(false) };
    let (mut has_mains, mut discharges) = (false, false);
    for entry in entries.flatten() {
        let read = |name: &str| fs::read_to_string(entry.path().join(name)).unwrap_or_default().trim().to_owned();
        match read("type").as_str() {
            "Mains" | "USB" => has_mains |= read("online") == "1",
            // That of a mouse or a headset says nothing about the machine.
            "Battery" if read("scope") != "Device" => discharges |= read("status") == "Discharging",
            _ => {}
        }
    }
    Known::Seen(discharges && !has_mains)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(supplies: &[(&str, &[(&str, &str)])]) -> Known<bool> {
        let folder = tempfile::tempdir().unwrap();
        for (name, files) in supplies {
            fs::create_dir(folder.path().join(name)).unwrap();
            files.iter().for_each(|(file, text)| fs::write(folder.path().join(name).join(file), text).unwrap());
        }
        below(folder.path())
    }

    #[test]
    fn only_a_discharging_battery_of_the_machine_without_mains_counts() {
        let battery: (&str, &[_]) = ("BAT0", &[("type", "Battery\n"), ("status", "Discharging\n")]);
        assert_eq!(machine(&[]), Known::Seen(false));
        assert_eq!(machine(&[battery]), Known::Seen(true));
        assert_eq!(machine(&[battery, ("AC", &[("type", "Mains"), ("online", "1")])]), Known::Seen(false));
        assert_eq!(machine(&[battery, ("AC", &[("type", "Mains"), ("online", "0")])]), Known::Seen(true));
        let mouse: (&str, &[_]) = ("m", &[("type", "Battery"), ("scope", "Device"), ("status", "Discharging")]);
        assert_eq!(machine(&[mouse]), Known::Seen(false));
    }
}
