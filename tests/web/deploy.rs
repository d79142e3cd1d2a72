//! What goes to other nodes.

use crate::double::{Double, overview};
use crate::service::Service;
use crate::until;
use reqwest::{Method, StatusCode};
use safekit::fsm::state::{Readiness, Role};
use serde_json::{Value, json};

const XML: &str = r#"<cluster><lans><lan name="default">
    <node name="node1" addr="10.0.0.1"/><node name="node2" addr="10.0.0.2"/>
</lan></lans></cluster>"#;

#[tokio::test]
async fn what_fails_after_a_cluster_was_applied_is_told_of_the_other_nodes() {
    let service = Service::with_roles();
    let double = Double::start(&service.socket(), overview(Role::Stop, Readiness::NotReady, 1));
    until("the name of the node is known", async || {
        let session: Value = service.get("/api/v1/session").await.json().await.unwrap();
        session["node"] == "node1"
    })
    .await;
    for (refused, nodes) in [("cluster export", json!(["node2"])), ("nodes", Value::Null)] {
        double.refuse(refused);
        let put = service.request(Method::PUT, "/api/v1/cluster").basic_auth("admin", Some("secret"));
        let answer = put.json(&json!({ "xml": XML, "nodes": nodes })).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{refused}: node1 has it");
        let answer: Value = answer.json().await.unwrap();
        let results = answer["results"].as_array().unwrap();
        assert_eq!((results.len(), &results[0]["code"]), (2, &json!(0)), "{refused}: {answer}");
        assert_eq!((&results[1]["node"], &results[1]["code"]), (&json!("node2"), &json!(1)), "{answer}");
        assert!(results[1]["errors"][0].is_string(), "{answer}");
    }
}
