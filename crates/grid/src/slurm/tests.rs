use std::path::Path;

use schema::recipe::Grid;

use super::*;
use crate::GridFolder;

fn plan() -> Plan {
    let text = "name = \"study\"\n[data]\ndir = \"d\"\n[train]\nsettings = [\"de=>en\", \"sw=>en\"]\n[eval]\n[grid]\n\
                model = [\"a\", \"b\"]\ntask = [\"snli\"]\n";
    let grid = Grid::parse(Path::new("study.toml"), text, &[]).expect("a grid");
    Plan::new(grid, GridFolder::new("/data/it's here/study")).expect("a plan")
}

fn call() -> Call {
    Call {
        program: "/opt/lingualign".into(),
        recipe: "my study.toml".into(),
        set: vec![("eval.limit".into(), "5".into())],
        out: Some("/data/it's here/study".into()),
        device: "auto".into(),
        threads: None,
        redo: false,
    }
}

#[test]
fn options_are_those_of_sbatch() {
    let read = |text: &str| text.parse::<SlurmOptions>().map(|options| options.fields);
    let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    assert_eq!(
        read("partition=gpu,gres=gpu:1,time=2:00:00,exclusive"),
        Ok(vec![
            pair("partition", "gpu"),
            pair("gres", "gpu:1"),
            pair("time", "2:00:00"),
            pair("exclusive", "")
        ])
    );
    assert_eq!(
        read("nodelist=n1,n2,mem=8G"),
        Ok(vec![pair("nodelist", "n1,n2"), pair("mem", "8G")])
    );
    assert!(read("array=0-3").is_err_and(|problem| problem.contains("set by the program")));
    assert!(read("comment=a b").is_err());
    assert!(read("$(reboot)").is_err());
}

#[test]
fn an_array_task_has_its_cells() {
    let (plan, mut options) = (
        plan(),
        SlurmOptions {
            pack: 2,
            ..SlurmOptions::default()
        },
    );
    let cells: Vec<&Cell> = plan.cells.iter().collect();
    let groups = plan.by_model(&cells);
    assert_eq!(groups.len(), 2);
    let numbers = |array_tasks: Vec<Vec<&Cell>>| -> Vec<Vec<usize>> {
        array_tasks
            .iter()
            .map(|cells| cells.iter().map(|cell| cell.number).collect())
            .collect()
    };
    assert_eq!(
        numbers(options.array_tasks(&groups[1].1)),
        [vec![3, 4], vec![5]]
    );
    options.pack = 1;
    assert_eq!(options.array_tasks(&groups[0].1).len(), 3);
}

#[test]
fn the_script_is_as_it_was_read_by_people() {
    let plan = plan();
    let mut options: SlurmOptions = "partition=gpu,time=2:00:00".parse().expect("options");
    (options.pack, options.max_running) = (2, Some(4));
    let cells: Vec<&Cell> = plan.cells.iter().collect();
    let array_tasks = options.array_tasks(&cells);
    let script = script(
        &plan,
        &array_tasks,
        (&call(), Path::new("/data/me")),
        &options,
    )
    .expect("a script");
    insta::assert_snapshot!(script.replace(&plan.id, "PLAN"));
    let checked = std::process::Command::new("bash")
        .args(["-n", "-c", &script])
        .status();
    assert!(checked.expect("bash").success());
}

#[test]
fn the_queue_is_read_by_array_task() {
    let queue = super::queue::read("123_4|PENDING|Resources\n123_5|RUNNING|None\n");
    assert_eq!(queue["123_4"], "pending (Resources)");
    assert_eq!(queue["123_5"], "running");
}
