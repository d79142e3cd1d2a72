//! Programs that read and write files.

use crate::places::{Measure, Pair, Places, Promise};
use crate::report::Report;
use serde_json::Value;

const ROUNDS: u32 = 3;
/// Files that are made at a time.
const MADE: u32 = 2000;

/// Runs all of it.
pub fn run(report: &mut Report) {
    report.part("files, more is better");
    let places = Places::new("rfsfiles");
    let promise = |what, unit, native, gluster| Promise { what, unit, native, gluster };
    let synced = promise("random 4 KiB writes, fdatasync each", "/s", Some(0.85), Some(4.0));
    places.compare(report, ROUNDS, &synced, &|pair, dir| {
        fio(
            pair,
            dir,
            "--rw=randwrite --bs=4k --size=64m --fdatasync=1 --runtime=4 --time_based",
            "write",
            "iops",
        )
    });
    let new: Measure<'_> = &|pair, dir| fio(pair, dir, "--rw=write --bs=1M --size=512m", "write", "bw");
    // In memory already: what the system's allocation of it takes is not measured.
    let over: Measure<'_> = &|pair, dir| {
        pair.sh(1, &format!("dd if=/dev/zero of={dir}/bench.0.0 bs=1M count=256 status=none"));
        fio(pair, dir, "--rw=write --bs=1M --size=256m --loops=4 --overwrite=1", "write", "bw")
    };
    for (what, stream) in
        [("sequential 1 MiB writes, new file", new), ("sequential 1 MiB writes, file that is there", over)]
    {
        places.compare(report, ROUNDS, &promise(what, "KB/s", None, Some(3.0)), stream);
    }
    let made = promise("create, write 1 KiB, close", "/s", Some(0.22), Some(25.0));
    places.compare(report, ROUNDS, &made, &|pair, dir| f64::from(MADE) / make(pair, dir));
    let unpacked = promise("untar of a source tree", "/s", Some(0.22), Some(25.0));
    let tar = archive(&places.pair);
    places.compare(report, ROUNDS, &unpacked, &|pair, dir| {
        1.0 / pair.time(&format!("tar -xf {tar} -C {dir}")).as_secs_f64()
    });
    for (what, mode) in
        [("warm sequential reads", "read --bs=128k"), ("warm random reads", "randread --bs=4k")]
    {
        let warm = promise(what, "KB/s", Some(0.9), Some(1.0));
        let job = format!("--rw={mode} --size=128m --invalidate=0 --runtime=3 --time_based");
        places.compare(report, ROUNDS, &warm, &|pair, dir| {
            pair.sh(1, &format!("dd if=/dev/urandom of={dir}/bench.0.0 bs=1M count=128 status=none && cat {dir}/bench.0.0 >/dev/null"));
            fio(pair, dir, &job, "read", "bw")
        });
    }
    places.pair.encrypt();
    let encrypted =
        promise("sequential 1 MiB writes, file that is there, encrypted", "KB/s", None, Some(2.0));
    places.compare(report, ROUNDS, &encrypted, over);
}

/// A figure of one fio job.
fn fio(pair: &Pair, dir: &str, job: &str, direction: &str, figure: &str) -> f64 {
    let said = pair.sh(1, &format!("fio --name=bench --directory={dir} --output-format=json {job}"));
    let begin = said.find('{').expect("fio answers in JSON");
    let all: Value = serde_json::from_str(&said[begin..]).unwrap_or_else(|e| panic!("{e} in {said}"));
    all["jobs"][0][direction][figure].as_f64().expect("fio knows it")
}

/// Seconds that it takes to make files.
fn make(pair: &Pair, dir: &str) -> f64 {
    let program = "import sys, time
data, begin = b'x' * 1024, time.monotonic()
for n in range(int(sys.argv[2])):
    with open(f'{sys.argv[1]}/{n}', 'wb') as file:
        file.write(data)
print(time.monotonic() - begin)";
    let said = pair.sh(1, &format!("python3 -c \"{program}\" {dir} {MADE}"));
    said.trim().parse().expect("python prints a number")
}

/// A tree like that of a source: 3,000 files of up to 30 KB in 100 directories.
fn archive(pair: &Pair) -> &'static str {
    pair.sh(
        1,
        "mkdir -p /data/tree && cd /data/tree && for d in $(seq 100); do mkdir $d; \
         for f in $(seq 30); do head -c $((f * f * 33 + d)) /dev/urandom >$d/$f; done; done; \
         tar -cf /data/tree.tar . && rm -rf /data/tree",
    );
    "/data/tree.tar"
}
