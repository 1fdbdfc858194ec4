//! Registration and selection of checks.

use obs_doctor::{Check, CheckResult, Config, Context, Doctor, ErrorKind, Probe, SkipReason, Status};

use crate::home::no_bus;

fn check(name: &str, after: &[&str]) -> Check {
    let builder = after.iter().fold(Check::new(name), |builder, dep| builder.after(*dep));
    builder.run_blocking(|_| CheckResult::pass("well"))
}

fn names(doctor: &Doctor) -> Vec<&str> {
    doctor.checks().map(Check::name).collect()
}

#[test]
fn duplicates_unknown_dependencies_and_cycles_are_refused() {
    let mut doctor = Doctor::standard();
    #[track_caller]
    fn refused(doctor: &mut Doctor, checks: Vec<Check>, kind: ErrorKind, blamed: &[&str]) {
        let err = doctor.register_all(checks).unwrap_err();
        assert_eq!(
            (err.kind(), err.names()),
            (kind, blamed.iter().map(|&n| n.to_owned()).collect::<Vec<_>>().as_slice())
        );
        assert!(blamed.iter().all(|name| err.to_string().contains(name)), "{err}");
        assert_eq!(doctor.checks().count(), Doctor::standard().checks().count());
    }
    refused(&mut doctor, vec![check("disk_space", &[])], ErrorKind::DuplicateName, &["disk_space"]);
    refused(&mut doctor, vec![check("a", &[]), check("a", &[])], ErrorKind::DuplicateName, &["a"]);
    refused(&mut doctor, vec![check("a", &["nosuch"])], ErrorKind::UnknownDependency, &["a", "nosuch"]);
    refused(&mut doctor, vec![check("a", &["a"])], ErrorKind::Cycle, &["a"]);
    let ring = vec![check("in", &["a"]), check("a", &["b"]), check("b", &["c"]), check("c", &["a"])];
    refused(&mut doctor, ring, ErrorKind::Cycle, &["a", "b", "c"]);
    for bad in ["Big", "with space", "\u{1b}[31m", &"x".repeat(65)] {
        assert_eq!(doctor.register(check(bad, &[])).unwrap_err().kind(), ErrorKind::InvalidName);
    }
    assert_eq!(doctor.register(check("", &[])).unwrap_err().kind(), ErrorKind::InvalidName);
}

#[test]
fn checks_of_one_batch_may_name_each_other_in_any_order() {
    let mut doctor = Doctor::empty();
    doctor.register_all([check("late", &["early"]), check("early", &[])]).unwrap();
    doctor.register(check("last", &["late", "early", "late"])).unwrap();
    assert_eq!(names(&doctor), ["late", "early", "last"]);
    assert_eq!(doctor.run_all_blocking(&Config::new("/nosuch"), &no_bus()).summary().pass, 3);
}

#[test]
fn an_own_registry_is_separate_from_the_default_one() {
    let mut doctor = Doctor::standard();
    doctor.register(check("mine", &["disk_space"])).unwrap();
    assert_eq!((names(&doctor).len(), names(&Doctor::standard()).len()), (20, 19));
}

#[test]
fn selections_keep_the_order() {
    let mut doctor = Doctor::empty();
    let broken = Check::new("a").run_blocking(|_| CheckResult::fail("broken").fix("mend"));
    doctor.register_all([broken, check("b", &["a"]), check("c", &["b"])]).unwrap();
    let run = |doctor: &Doctor| doctor.run_all_blocking(&Config::new("/nosuch"), &no_bus());

    let only = doctor.only(["c", "b"]).unwrap();
    assert_eq!((names(&only), run(&only).summary().pass), (vec!["b", "c"], 2));

    let without = run(&doctor.skip(["a"]).unwrap());
    assert_eq!(without.get("a").unwrap().skip_reason, Some(SkipReason::Excluded));
    assert_eq!((without.summary().pass, without.exit_code()), (2, 0));

    let one = doctor.run_one_blocking("b", &Config::new("/nosuch"), &no_bus()).unwrap();
    assert_eq!(one.status, Status::Pass);
    let err = doctor.run_one_blocking("nosuch", &Config::new("/nosuch"), &no_bus()).unwrap_err();
    assert_eq!(err.to_string(), "nosuch: there is no check of this name; use one of a, b, c");
    // A check can be added to a selection.
    let mut more = doctor.only(["b"]).unwrap();
    more.register(check("d", &["b"])).unwrap();
    assert_eq!(run(&more).summary().pass, 2);
}

#[test]
fn a_type_is_a_check() {
    struct Shelf(u32);
    impl Probe for Shelf {
        fn name(&self) -> String {
            "shelf".to_owned()
        }
        fn dependencies(&self) -> Vec<String> {
            vec!["disk_space".to_owned()]
        }
        fn run(&self, _: &Context) -> CheckResult {
            CheckResult::pass(format!("{} books", self.0))
        }
    }
    let mut doctor = Doctor::standard();
    doctor.register(Shelf(3)).unwrap();
    let result = doctor.run_one_blocking("shelf", &Config::new("/nosuch"), &no_bus()).unwrap();
    assert_eq!((result.detail.as_str(), result.category.as_str()), ("3 books", "Other"));
}
