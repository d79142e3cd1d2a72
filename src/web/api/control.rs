//! Control commands of a module.

use super::Asking;
use super::observe::{Module, Resource, resource_name};
use super::types::{ModuleCommand, NewValue, Outcome};
use crate::control::{LogChoice, Request};
use crate::fsm::command::Command;
use crate::fsm::resource::Value;
use crate::web::problem::Problem;
use actix_web::web::{Json, Path};

/// Carries out a control command. A start is answered when it was taken, not when it has ended.
#[utoipa::path(post, path = "/modules/{module}/commands", tag = "module", params(("module" = String, Path)),
    request_body = ModuleCommand, responses((status = 200, body = Outcome)))]
pub async fn command(
    asking: Asking,
    path: Path<Module>,
    body: Json<ModuleCommand>,
) -> Result<Json<Outcome>, Problem> {
    let command = read(&body)?;
    let module = path.into_inner().module;
    asking.act(Request::Control { module, command, identity: None, user: None }, Vec::new()).await
}

/// The command of its words. `primforce` is for the command line only (CLI-016).
fn read(body: &ModuleCommand) -> Result<Command, Problem> {
    let ModuleCommand { command, nosync, fullsync } = body;
    let command = match command.as_str() {
        "start" => Command::Start,
        "stop" => Command::Stop,
        "forcestop" => Command::ForceStop,
        "restart" => Command::Restart,
        "stopstart" => Command::StopStart,
        "wait" => Command::StopWait,
        "swap" => Command::Swap { nosync: *nosync },
        "prim" => Command::Prim { fullsync: *fullsync },
        "second" => Command::Second { fullsync: *fullsync },
        "checker on" => Command::Checker(true),
        "checker off" => Command::Checker(false),
        "failover on" => Command::Failover(true),
        "failover off" => Command::Failover(false),
        other => return Err(Problem::bad_request(format!("command \"{other}\" is not one of the API"))),
    };
    let takes = |given: bool, argument: &str, takes: bool| match given && !takes {
        true => Err(Problem::bad_request(format!("\"{}\" takes no {argument}", body.command))),
        false => Ok(()),
    };
    takes(*nosync, "nosync", matches!(command, Command::Swap { .. }))?;
    takes(*fullsync, "fullsync", matches!(command, Command::Prim { .. } | Command::Second { .. }))?;
    Ok(command)
}

/// Sets a resource (CLI-113).
#[utoipa::path(post, path = "/modules/{module}/resources/{resource}", tag = "module",
    params(("module" = String, Path), ("resource" = String, Path)), request_body = NewValue,
    responses((status = 200, body = Outcome)))]
pub async fn set(
    asking: Asking,
    path: Path<Resource>,
    body: Json<NewValue>,
) -> Result<Json<Outcome>, Problem> {
    let Resource { module, resource } = path.into_inner();
    let resource = resource_name(&resource)?;
    let value = Value::from(body.into_inner().value);
    let request = Request::Set { module, resource, value, log: LogChoice::Default, identity: None };
    asking.act(request, Vec::new()).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(command: &str, nosync: bool, fullsync: bool) -> ModuleCommand {
        ModuleCommand { command: command.to_owned(), nosync, fullsync }
    }

    #[test]
    fn commands_are_read_with_their_arguments() {
        assert_eq!(read(&body("start", false, false)).unwrap(), Command::Start);
        assert_eq!(read(&body("swap", true, false)).unwrap(), Command::Swap { nosync: true });
        assert_eq!(read(&body("second", false, true)).unwrap(), Command::Second { fullsync: true });
    }

    #[test]
    fn what_only_the_command_line_may_is_no_command_here() {
        for refused in
            [body("primforce", false, false), body("shutdown", false, false), body("", false, false)]
        {
            assert!(read(&refused).is_err());
        }
        assert!(read(&body("start", true, false)).is_err());
        assert!(read(&body("swap", false, true)).is_err());
    }
}
