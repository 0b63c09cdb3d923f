//! The colour beside a notice, where a channel shows one.

use alignwatch_model::{
    Severity,
    notice::{Notice, NoticeStatus},
};

/// Red, green and blue.
#[derive(Clone, Copy)]
pub(crate) struct Colour(u32);

impl Colour {
    pub(crate) fn number(self) -> u32 {
        self.0
    }

    pub(crate) fn web(self) -> String {
        format!("#{:06x}", self.0)
    }
}

/// Colours that people with any sight for colours tell apart. Source: the palette of Okabe and Ito.
pub(crate) fn colour(notice: &Notice) -> Colour {
    Colour(match (notice.status, notice.severity()) {
        (NoticeStatus::Resolved, _) => 0x00_9e_73,
        (_, Some(Severity::Critical | Severity::Error)) => 0xd5_5e_00,
        (_, Some(Severity::Warning)) => 0xe6_9f_00,
        _ => 0x56_b4_e9,
    })
}
