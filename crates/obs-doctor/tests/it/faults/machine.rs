//! Faults of the disk and the clock.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::{Duration, SystemTime};

use obs_doctor::CheckResult;
use obs_doctor::machine::{HttpError, HttpResponse, Machine, Volume, Volumes};

use super::broken::Broken;
use super::table::Table;
use crate::home::Home;
use crate::web::web;

pub(super) struct Disk(pub(super) Option<Volume>);

impl Volumes for Disk {
    fn of(&self, _: &Path) -> io::Result<Volume> {
        self.0.ok_or_else(|| io::Error::from_raw_os_error(5))
    }
}

pub(super) fn disk_space(table: &mut Table) {
    const NAME: &str = "disk_space";
    const ROOMY: Volume = Volume {
        available_bytes: 2_000_000_000,
        total_bytes: 4_000_000_000,
        available_inodes: Some(9),
        read_only: false,
    };
    let mut home = Home::fresh();
    let on = |volume| home.run_on(Machine::default().volumes(Disk(volume)), NAME);
    table.add(&home, "999 999 999 bytes", &on(Some(Volume { available_bytes: 999_999_999, ..ROOMY })));
    table.add(&home, "no inodes", &on(Some(Volume { available_inodes: Some(0), ..ROOMY })));
    table.add(&home, "mounted read-only", &on(Some(Volume { read_only: true, ..ROOMY })));
    table.add(&home, "the disk does not answer", &on(None));
    let denied = Machine::default().files(Broken(ErrorKind::PermissionDenied));
    table.add(&home, "unreachable for this user", &home.run_on(denied, NAME));
    let file = home.root().join("file");
    fs::write(&file, "").unwrap();
    home.config.data_dir = file.join("data");
    table.add(&home, "within a file", &home.run(NAME));
    let link = home.root().join("disk");
    symlink(home.root().join("not mounted"), &link).unwrap();
    home.config.data_dir = link.join("data");
    table.add(&home, "on a disk that is not mounted", &home.run(NAME));
}

pub(super) fn clock_sanity(table: &mut Table) {
    let look = |seconds: [Option<i64>; 3]| {
        let mut home = Home::fresh();
        home.config.clock_anchors = (0..3).map(|at| format!("http://a{at}/")).collect();
        let anchors = web(move |request| {
            let at: usize = request.url.trim_end_matches('/').rsplit('a').next().unwrap().parse().unwrap();
            let step = Duration::from_secs(seconds[at].ok_or(HttpError::NoRoute)?.unsigned_abs());
            let ahead = seconds[at] > Some(0);
            let now = SystemTime::now();
            let date = if ahead { now + step } else { now - step };
            Ok(HttpResponse::new(200).header("date", httpdate::fmt_http_date(date)))
        });
        home.run_on(anchors, "clock_sanity")
    };
    let home = Home::fresh();
    let whole = |mut result: CheckResult| {
        result.detail = result.detail.replace("299 s", "300 s").replace("301 s", "300 s");
        result
    };
    table.add(&home, "two anchors are ahead", &whole(look([Some(300), Some(300), None])));
    table.add(&home, "two anchors are behind", &whole(look([Some(-300), Some(-300), None])));
    table.add(&home, "one anchor of two is ahead", &whole(look([Some(300), Some(0), None])));
}
