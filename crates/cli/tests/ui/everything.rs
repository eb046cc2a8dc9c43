//! What the pages show of a cluster in which there is something of everything: not only that they are there, but what is in
//! their rows.

use serde_json::Value;

use crate::scene::{HOSTS, NAME, Scene};
use crate::support::{meseta, text, wait_until};
use crate::{json, page};

/// The texts of a table's rows, tags left out; a space between cells.
fn rows(page: &str) -> Vec<String> {
    let of = |part: &str| {
        let mut text = String::new();
        // Where a name may be broken it is not two.
        for piece in part
            .replace("<wbr>", "")
            .split('<')
            .map(|piece| piece.split_once('>').map_or(piece, |(_, text)| text))
        {
            text.push_str(piece);
            text.push(' ');
        }
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    page.split("<tr>").skip(1).map(|row| of(row.split("</tr>").next().unwrap())).collect()
}

/// The row that begins so.
fn row<'a>(rows: &'a [String], begin: &str) -> &'a str {
    rows.iter().find(|row| row.starts_with(begin)).unwrap_or_else(|| panic!("no row of {begin}: {rows:#?}"))
}

fn has(path: &str, shown: &str, parts: &[&str]) {
    for part in parts {
        assert!(shown.contains(part), "{path}: no {part:?} in {shown:?}");
    }
}

#[test]
fn every_list_shows_what_is_in_which_state() {
    let scene = Scene::start();
    let master = &scene.master;
    let shown = |path: &str| rows(&page(master, path).body);

    let path = "/ui/agents";
    let agents = shown(path);
    for (host, state) in HOSTS[..5].iter().zip(["active", "active", "draining", "deactivated", "unreachable"])
    {
        has(path, row(&agents, host), &[state]);
    }
    assert!(page(master, path).body.contains("1 agent is"), "that one is gone is told");
    has(path, row(&shown("/ui/agents?state=gone"), HOSTS[5]), &["gone"]);

    let path = "/ui/tasks?sort=state";
    let tasks = shown(path);
    for (name, state) in [
        ("image-resizer", "STAGING"),
        ("migrate", "FINISHED"),
        ("crash", "FAILED"),
        ("rollout", "KILLED"),
        ("api.2", "RUNNING"),
        ("stubborn", "KILLING"),
        ("nightly ", "LOST"),
        ("cut-off", "UNREACHABLE"),
        ("buried", "GONE BY OPERATOR"),
    ] {
        has(path, row(&tasks, name), &[state]);
    }
    assert!(!page(master, path).body.contains(NAME), "names are escaped");

    let path = "/ui/frameworks";
    let frameworks = shown(path);
    for (name, parts) in [
        ("web services", ["active", "web/backend, web/frontend"]),
        ("hoarder", ["active", "analytics"]),
        ("old batch", ["disconnected", "batch"]),
        ("meseta run nightly-report", ["completed", "reports"]),
    ] {
        has(path, row(&frameworks, name), &parts);
    }
    assert!(row(&frameworks, "hoarder").contains(" 0 "), "it runs nothing");
    let own = &json(master, "/state-summary/frameworks?search=nightly")["frameworks"][0]["hostname"];
    assert!(own.as_str().is_some_and(|host| !host.is_empty()), "it is told where it ran: {own}");
    commands_know_them_too(master);
}

/// Agents that are lost are found by host and by id, and it is told what is known of them.
fn commands_know_them_too(master: &str) {
    let told = |words: &[&str]| {
        let output = meseta().env("MESETA_MASTER", master).args(words).output().unwrap();
        (output.status.code(), text(&output.stdout) + &text(&output.stderr))
    };
    for (host, state, task) in [(HOSTS[4], "unreachable", "cut-off"), (HOSTS[5], "gone", "buried")] {
        let (code, shown) = told(&["agent", "show", host]);
        assert_eq!(code, Some(0), "{shown}");
        has(host, &shown, &[host, state, " ago)", task]);
        let all = json(master, &format!("/state-summary/agents?state={state}"));
        let id = all["agents"][0]["id"].as_str().unwrap();
        let (_, shown) = told(&["agent", "show", id, "-o", "json"]);
        let shown: Value = serde_json::from_str(&shown).unwrap();
        assert_eq!((&shown["hostname"], &shown["state"]), (&host.into(), &state.into()), "{shown}");
    }
    let (code, refused) = told(&["agent", "gone", HOSTS[5], "--yes"]);
    assert_eq!(code, Some(1), "{refused}");
    has("gone again", &refused, &["no agent has the id or the name", "--state unreachable,gone"]);
    let (code, said) = told(&["agent", "gone", HOSTS[4], "--yes"]);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(json(master, "/state-summary/agents?state=gone")["agents"].as_array().unwrap().len(), 2);
}

#[test]
fn offers_maintenance_and_roles_show_who_waits_for_whom() {
    let scene = Scene::start();
    let master = &scene.master;
    let shown = |path: &str| rows(&page(master, path).body);

    let path = "/ui/offers";
    let offers = shown(path);
    let held = offers.iter().filter(|row| row.contains("analytics")).count();
    assert_eq!(held, 2, "those of the two agents of which something is offered: {offers:#?}");
    has(path, offers.iter().find(|row| row.contains(HOSTS[1])).unwrap(), &["5.5 cpus", "mem", "disk"]);
    assert_eq!(shown("/ui/offers?search=nobody").len(), 1, "the heading");

    let path = "/ui/maintenance";
    let maintenance = shown(path);
    let planned = maintenance.iter().find(|row| row.contains("UTC") && row.contains(HOSTS[1])).unwrap();
    has(path, planned, &["in 5", "min, for 2 h"]);
    let open = maintenance.iter().find(|row| row.contains("UTC") && row.contains("10.0.9.2")).unwrap();
    has(path, open, &["until it is ended", "10.0.9.1"]);
    has(path, row(&maintenance, "db-1.rack-9"), &["down"]);
    has(path, row(&maintenance, "db-2.rack-9"), &["draining", "none is asked"]);
    let asked = row(&maintenance, HOSTS[1]);
    has(path, asked, &["accepted web services", "unanswered hoarder"]);

    let path = "/ui/roles";
    // They may be a second old.
    wait_until("the roles are as they are", || differing_roles(master).is_empty());
    let roles = shown(path);
    has(
        path,
        row(&roles, "analytics"),
        &["0 of 24 cpus (2 guaranteed", "0 MB of 64 GB mem (2 GB guaranteed"],
    );
    has(path, row(&roles, "web/frontend"), &["of 6 cpus", "1 cpus 512 MB mem"]);
    has(path, row(&roles, "db "), &["8 cpus 8 GB mem"]);
    // What is above has what is below.
    has(path, row(&roles, "web "), &["1 cpus 512 MB mem"]);

    let path = "/ui/roles/explain?name=analytics";
    has(
        path,
        &page(master, path).body,
        &["Role analytics has 50.0 %", "are offers that it has not answered"],
    );
    let framework = &json(master, "/state-summary/frameworks?search=services")["frameworks"][0];
    let path = format!("/ui/frameworks/{}", framework["id"].as_str().unwrap());
    has(&path, &page(master, &path).body, &["services.example.com", "web/frontend", "task killing state"]);
}

/// Roles of which the allocator counts something else than `/roles` finds by looking through all agents.
fn differing_roles(master: &str) -> Vec<Value> {
    let scalars = ["cpus", "mem", "disk"];
    let numbers = |role: &Value| {
        let part =
            |name: &str| scalars.map(|scalar| role[name].get(scalar).and_then(Value::as_f64).unwrap_or(0.0));
        let quota = ["guarantee", "limit", "consumed"].map(|name| role["quota"][name]["cpus"].clone());
        let amounts = ["allocated", "offered", "reserved"].map(part);
        serde_json::json!({
            "name": role["name"], "weight": role["weight"], "quota": quota,
            "amounts": amounts,
        })
    };
    let [exact, counted] = ["/roles", "/state-summary/roles"]
        .map(|path| json(master, path)["roles"].as_array().unwrap().iter().map(numbers).collect::<Vec<_>>());
    let differs = |role: &&Value| exact.contains(role) != counted.contains(role);
    exact.iter().chain(&counted).filter(differs).cloned().collect()
}
