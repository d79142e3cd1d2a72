use super::*;
use proptest::prelude::*;

fn module() -> ModuleName {
    "mirror".parse().unwrap()
}

fn vips(count: usize) -> Vec<Vip> {
    let one = |n: usize| match n % 2 {
        0 => Vip { index: 2, addr: "10.0.0.9".parse().unwrap(), prefix: 24 },
        _ => Vip { index: 3, addr: "fd00::9".parse().unwrap(), prefix: 64 },
    };
    (0..count).map(one).collect()
}

fn arm(vips: Vec<Vip>, group: Option<AppGroup>) -> Request {
    let target = Target { vips, group };
    let ask = Ask::Arm { module: module(), timeout_ms: 30_000, echoed_at: 5, target };
    Request { number: 7, sent_at: u64::MAX, ask }
}

#[test]
fn requests_come_back() {
    let asks = [
        Ask::Hello { version: VERSION },
        Ask::Renew { module: module(), echoed_at: 12 },
        Ask::Disarm(module()),
        Ask::Query(module()),
        Ask::Acknowledge(module()),
        Ask::Keep(module(), Keep::Give("0.fuse".to_owned())),
        Ask::Keep(module(), Keep::Take(String::new())),
        Ask::Keep(module(), Keep::Drop("0.".to_owned())),
        Ask::Keep(module(), Keep::Count),
    ];
    let arms = [
        arm(vips(0), None),
        arm(vips(MAX_VIPS), Some(AppGroup::Cgroup("/sys/fs/cgroup/".to_owned().into()))),
        arm(vips(1), Some(AppGroup::Marked("m:1".to_owned()))),
    ];
    for request in asks.map(|ask| Request { number: 1, sent_at: 2, ask }).into_iter().chain(arms) {
        let bytes = request.encode().unwrap();
        assert!(bytes.len() <= MAX_FRAME);
        assert_eq!(Request::decode(&bytes), Ok(request));
        for end in 0..bytes.len() {
            assert_eq!(Request::decode(&bytes[..end]), Err(BadFrame::Short));
        }
    }
}

#[test]
fn replies_come_back() {
    let fenced = Fenced { at: 1, renewed_at: 2, echoed_at: 3, complete: true };
    let answers = [
        Answer::Welcome { version: 1, since: 9 },
        Answer::Status(Status { armed: true, fenced: None }),
        Answer::Status(Status { armed: false, fenced: Some(fenced) }),
        Answer::Refused(Refusal::Malformed),
        Answer::Refused(Refusal::Timeout),
        Answer::Refused(Refusal::Full),
        Answer::Refused(Refusal::Laden),
        Answer::Refused(Refusal::Nothing),
        Answer::Kept(7),
        Answer::Here,
    ];
    for answer in answers {
        let reply = Reply { number: 3, answer };
        let mut bytes = reply.encode();
        assert_eq!(Reply::decode(&bytes), Ok(reply));
        bytes.push(0);
        assert_eq!(Reply::decode(&bytes), Err(BadFrame::Long));
    }
}

#[test]
fn limits_hold() {
    assert_eq!(arm(vips(MAX_VIPS + 1), None).encode(), Err(BadFrame::TooMuch("virtual addresses")));
    let long = Some(AppGroup::Marked("x".repeat(MAX_TEXT + 1)));
    assert_eq!(arm(vips(0), long).encode(), Err(BadFrame::TooMuch("characters in a name")));
}

proptest! {
    #[test]
    fn no_packet_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200), kind in 0u8..7) {
        let _ = Reply::decode(&bytes);
        let mut request = vec![0; 12];
        request.push(kind);
        request.extend(bytes);
        if let Ok(request) = Request::decode(&request) {
            let again = request.encode().map(|bytes| Request::decode(&bytes));
            prop_assert_eq!(again, Ok(Ok(request)));
        }
    }
}
