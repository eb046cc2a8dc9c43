//! What tasks write is kept in files of bounded size, by their own inits.

use std::fs;

use containerizer::{Launcher, Outputs, Rotation};

use crate::recovery::known;
use crate::support::{Asked, FULL, Fixture, shell, wait_for};
use crate::vm::INSIDE;

const MB: u64 = 1 << 20;

fn rotating(line: &str, max_size: u64, keep: u32) -> Asked {
    let rotation = Rotation { max_size, keep };
    Asked { outputs: Some(Outputs { stdout: rotation, stderr: rotation }), ..shell(line) }
}

fn size(fixture: &Fixture, file: &str) -> Option<u64> {
    fs::metadata(fixture.sandbox("c").join(file)).ok().map(|metadata| metadata.len())
}

#[test]
fn a_task_that_never_opens_its_output_anew_has_it_rotated() {
    let fixture = Fixture::new(FULL);
    // An emulated machine takes minutes for as much.
    let count = if std::env::var_os(INSIDE).is_some() { 8 } else { 200 };
    let ended = fixture.run("c", rotating(&format!("head -c {count}M /dev/zero; echo; echo end"), MB, 3));
    assert_eq!(ended.status, 0);
    for file in ["stdout.1", "stdout.2", "stdout.3"] {
        assert_eq!(size(&fixture, file), Some(MB), "{file}");
    }
    assert_eq!(size(&fixture, "stdout.4"), None);
    assert!(size(&fixture, "stdout").is_some_and(|size| size <= MB));
    assert_eq!(fixture.read("c", "stdout"), "\nend\n");
}

#[test]
fn rotation_goes_on_while_there_is_no_agent() {
    const MAX: u64 = 64 << 10;
    let mut fixture = Fixture::new(FULL);
    let line = "while [ ! -e go ]; do sleep 0.01; done; exec python3 -c 'for i in range(20001): print(i)'";
    let container_id = fixture.launch("c", Asked { survives: true, ..rotating(line, MAX, 1) });
    fixture.launched();
    fixture.leave();
    fs::write(fixture.sandbox("c").join("go"), "").expect("writable");
    // 109 KB.
    wait_for(|| fixture.read("c", "stdout").ends_with("20000\n"));
    assert_eq!((size(&fixture, "stdout.1"), size(&fixture, "stdout.2")), (Some(MAX), None));
    let text = fixture.read("c", "stdout.1") + &fixture.read("c", "stdout");
    // The first line may be cut; from there on nothing is missing.
    let numbers: Vec<u64> = text.lines().skip(1).map(|line| line.parse().expect("a whole line")).collect();
    assert!(numbers.windows(2).all(|pair| pair[0] + 1 == pair[1]));
    fixture.begin();
    let recovered = fixture.launcher().recover(vec![known(&fixture, "c")]);
    // Its init may be about to end.
    let status = recovered.ended.first().map_or_else(|| fixture.ended().status, |(_, status)| *status);
    assert_eq!((status, recovered.lost.len()), (0, 0));
    fixture.launcher().destroy(&container_id);
    fixture.destroyed();
    fixture.launcher().forget(&container_id);
}

#[test]
fn a_user_can_open_its_output_once_more_and_owns_what_was_put_aside() {
    let fixture = Fixture::new(FULL);
    let line = "head -c 5000 /dev/zero > /proc/self/fd/1; echo words > /proc/self/fd/2; echo more >&2";
    let asked = Asked { user: Some("nobody".to_owned()), ..rotating(line, 4096, 1) };
    assert_eq!(fixture.run("c", asked).status, 0);
    assert_eq!(fixture.read("c", "stderr"), "words\nmore\n");
    assert_eq!(size(&fixture, "stdout.1"), Some(4096));
    let nobody = containerizer::User::lookup("nobody").expect("every Debian has one");
    let metadata = fs::metadata(fixture.sandbox("c").join("stdout.1")).expect("there");
    assert_eq!(std::os::unix::fs::MetadataExt::uid(&metadata), nobody.uid());
}

#[test]
fn a_task_that_closes_its_output_and_one_without_a_bound_run_as_ever() {
    let fixture = Fixture::new("cgroups/mem");
    assert_eq!(fixture.run("c", rotating("echo a; exec >&- 2>&-; sleep 0.05; exit 3", MB, 1)).status, 3 << 8);
    assert_eq!(fixture.read("c", "stdout"), "a\n");
    let asked = Asked { outputs: None, ..shell("echo b; test -f /proc/self/fd/1") };
    assert_eq!(fixture.output_of("d", asked), "b\n");
}
