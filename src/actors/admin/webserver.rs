//! The web service of the node (CLI-031, CLI-032).

use super::{Admin, AdminError, off};
use crate::control::server::Call;
use crate::control::{Reply, WebserverOp};
use crate::node::service::Manager;
use crate::node::webserver::operate;

impl Admin {
    pub(super) async fn webserver(&self, call: &Call, op: WebserverOp) -> Result<i32, AdminError> {
        let paths = self.0.paths.clone();
        let (text, code) = off(move || operate(&Manager::from_env(), &paths, op)).await??;
        if let Some(text) = text {
            self.say(call, Reply::Text(text.to_owned())).await;
        }
        Ok(code)
    }
}
