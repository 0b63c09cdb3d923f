//! Opens and closes an alert of Jira Service Management, one for each group, in the form of Opsgenie.

use alignwatch_model::{
    config::{SecretRef, channels::JiraServiceManagement},
    notice::{Delivered, Failure, Notice},
};

use crate::{Tell, Way, key_and_address, opsgenie};

impl Tell for JiraServiceManagement {
    fn tell(&self, notice: &Notice, way: Way<'_>) -> Result<Delivered, Failure> {
        opsgenie::tell(
            self.url.as_deref().unwrap_or("https://api.atlassian.com/jsm/ops/integration"),
            &self.key,
            notice,
            way,
        )
    }

    fn draft(&self, notice: &Notice) -> String {
        opsgenie::draft(notice)
    }

    fn secrets(&self) -> Vec<SecretRef> {
        key_and_address(&self.key, self.url.as_deref())
    }
}
