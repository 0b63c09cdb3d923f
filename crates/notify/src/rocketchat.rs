//! Posts a notice to Rocket.Chat, through an incoming webhook, in the form of Mattermost.

use alignwatch_model::{
    config::{SecretRef, channels::Rocketchat},
    notice::{Delivered, Failure, Notice},
};

use crate::{Tell, Way, http, limits, mattermost};

impl Tell for Rocketchat {
    fn tell(&self, notice: &Notice, way: Way<'_>) -> Result<Delivered, Failure> {
        http::post(&self.url, &mattermost::message(notice, limits::ROCKETCHAT_TITLE, limits::ROCKETCHAT_TEXT), way)
    }

    fn draft(&self, notice: &Notice) -> String {
        format!("{:#}", mattermost::message(notice, limits::ROCKETCHAT_TITLE, limits::ROCKETCHAT_TEXT))
    }

    fn secrets(&self) -> Vec<SecretRef> {
        vec![self.url.clone()]
    }
}
