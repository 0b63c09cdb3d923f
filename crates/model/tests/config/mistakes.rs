//! The words in which mistakes are told, one file after the other.

use alignwatch_model::config::Config;
use insta::assert_snapshot;

/// All that is told of a file with mistakes: each with its line.
fn told(text: &str) -> String {
    let errors = Config::from_yaml(text, "a.yaml").expect_err("the file has mistakes");
    let told = errors.iter().map(|error| match &error.excerpt {
        Some(excerpt) => format!("{error}\n{excerpt}"),
        None => error.to_string(),
    });
    told.collect::<Vec<_>>().join("\n")
}

#[test]
fn mistakes_in_the_syntax_name_a_way_out() {
    assert_snapshot!(told("budget:\n\tage: 14d\n"), @r"
        a.yaml:2:1: a tab stands in the indentation (indent with spaces, two a level)
           |
         2 |  age: 14d
           | ^
    ");
    assert_snapshot!(told("bases: [\"main]\n"), @r#"
        a.yaml:1:9: a quote is opened and not closed (close it on the same line)
           |
         1 | bases: ["main]
           |         ^
    "#);
    assert_snapshot!(told("bases: [main, develop\n"), @r"
        a.yaml:1:8: `[` is opened and not closed (close the list: `[main, develop]`)
           |
         1 | bases: [main, develop
           |        ^
    ");
    assert_snapshot!(told("budget: {behind: 3\n"), @r"
        a.yaml:1:9: `{` is opened and not closed (close it: `{behind: 200}`)
           |
         1 | budget: {behind: 3
           |         ^
    ");
    assert_snapshot!(told("bases: [main\nbudgt: 3\n"), @r"
        a.yaml:1:8: `[` is opened and not closed (close the list: `[main, develop]`)
           |
         1 | bases: [main
           |        ^
    ");
    assert_snapshot!(told("refs:\n   exclude: [a]\n  spaces: [heads]\n"), @r"
        a.yaml:3:3: a key with its `:` is expected here (write it like `key: value`, or indent the line like its neighbours)
           |
         3 |   spaces: [heads]
           |   ^
    ");
    assert_snapshot!(told("just words\n"), @r"
        a.yaml:1:1: the file begins with a value instead of a key (begin with a key, like `bases: [main]`)
           |
         1 | just words
           | ^^^^^^^^^^
    ");
    assert_snapshot!(told("budget:\n  age:14d\n"), @r"
        a.yaml:2:3: budget: a space is missing after `:` (write `age: 14d`)
           |
         2 |   age:14d
           |   ^^^^^^^
    ");
    assert_snapshot!(told("relations:\n  - branches: [a]\n  base: main\n"), @r"
        a.yaml:3:3: this line belongs to no item of the list above (indent it like the first key of its item, or begin it with `- `)
           |
         3 |   base: main
           |   ^
    ");
    assert_snapshot!(told("bases: [main]\nrelations: - a\n"), @r"
        a.yaml:2:12: `-` does not fit here (give each item of a list its own line below the key)
           |
         2 | relations: - a
           |            ^
    ");
    assert_snapshot!(told("data_dir: /a: b\n"), @r"
        a.yaml:1:13: `:` does not fit here (put a value that holds `: ` in quotes, and give a key its own line)
           |
         1 | data_dir: /a: b
           |             ^
    ");
    assert_snapshot!(told("bases: [\"main\" x]\n"), @r#"
        a.yaml:1:16: something follows a closing quote (end the line there, or put all of it in quotes)
           |
         1 | bases: ["main" x]
           |                ^
    "#);
    assert_snapshot!(told("data_dir: \"C:\\windows\"\n"), @r#"
        a.yaml:1:11: `\` with this letter means nothing in double quotes (use single quotes, or write `\\`)
           |
         1 | data_dir: "C:\windows"
           |           ^
    "#);
    assert_snapshot!(told("bases: @main\n"), @r"
        a.yaml:1:8: `@` cannot begin a value (put the value in quotes)
           |
         1 | bases: @main
           |        ^
    ");
    assert_snapshot!(told("bases: [main]\n---\nbases: [other]\n"), @r"
        a.yaml:2:1: a second document begins here (keep one document: take out the line `---`)
           |
         2 | ---
           | ^^^
    ");
    assert_snapshot!(told("- main\n- develop\n"), @r"
        a.yaml:1:1: the file begins with a value instead of a key (begin with a key, like `bases: [main]`)
           |
         1 | - main
           | ^
    ");
}

#[test]
fn what_yaml_takes_for_something_else_is_explained() {
    assert_snapshot!(told("refs:\n  exclude: [*-backup, ok]\n"), @r#"
        a.yaml:2:13: `*-backup` without quotes is a YAML alias, and nothing is named `&-backup` (put a pattern that begins with `*` in quotes: `"*-backup"`)
           |
         2 |   exclude: [*-backup, ok]
           |             ^^^^^^^^
    "#);
    assert_snapshot!(told("refs:\n  exclude:\n    - *\n"), @r#"
        a.yaml:3:7: `*` or `&` without quotes begins a YAML alias (put the value in quotes: `"*"`)
           |
         3 |     - *
           |       ^
    "#);
    assert_snapshot!(told("refs:\n  exclude: [!wip]\n"), @r"
        a.yaml:2:13: `!wip` is a YAML tag, which means nothing here (put text that begins with `!` in quotes)
           |
         2 |   exclude: [!wip]
           |             ^^^^
    ");
    assert_snapshot!(told("bases: &b [main, *b]\n"), @r"
        a.yaml:1:18: an alias stands inside of what it names (write the value out)
           |
         1 | bases: &b [main, *b]
           |                  ^^
    ");
    assert_snapshot!(told("relations:\n  - &r {branches: [a]}\n  - {<<: *r, base: main}\n"), @r#"
        a.yaml:3:5: relations[1]: the key `branches` is missing (add a line like `branches: ["release/*"]`)
           |
         3 |   - {<<: *r, base: main}
           |     ^
        a.yaml:3:6: relations[1]: there is no key `<<` here (write the keys out: merging is not understood)
           |
         3 |   - {<<: *r, base: main}
           |      ^^
    "#);
    assert_snapshot!(told("? [a, b]\n: main\n"), @r"
        a.yaml:1:3: a key must be one word (write it like `key: value`)
           |
         1 | ? [a, b]
           |   ^
    ");
}

#[test]
fn unknown_keys_name_the_nearest_or_their_place() {
    assert_snapshot!(told("base: [main]\n"), @r"
        a.yaml:1:1: there is no key `base` at the top level (did you mean `bases`?)
           |
         1 | base: [main]
           | ^^^^
    ");
    assert_snapshot!(told("Bases: [main]\n"), @r"
        a.yaml:1:1: there is no key `Bases` at the top level (did you mean `bases`?)
           |
         1 | Bases: [main]
           | ^^^^^
    ");
    assert_snapshot!(told("data-dir: /tmp\n"), @r"
        a.yaml:1:1: there is no key `data-dir` at the top level (did you mean `data_dir`?)
           |
         1 | data-dir: /tmp
           | ^^^^^^^^
    ");
    assert_snapshot!(told("behind: 200\n"), @r"
        a.yaml:1:1: there is no key `behind` at the top level (`behind` stands under `budget`)
           |
         1 | behind: 200
           | ^^^^^^
    ");
    assert_snapshot!(told("exclude: [a]\n"), @r"
        a.yaml:1:1: there is no key `exclude` at the top level (`exclude` stands under `markers` and under `refs`)
           |
         1 | exclude: [a]
           | ^^^^^^^
    ");
    assert_snapshot!(told("far-behind: 200\n"), @r"
        a.yaml:1:1: there is no key `far-behind` at the top level (`far-behind` stands under `thresholds`)
           |
         1 | far-behind: 200
           | ^^^^^^^^^^
    ");
    assert_snapshot!(told("budget:\n  bases: [main]\n"), @r"
        a.yaml:2:3: budget: there is no key `bases` here (`bases` is a key of the top level)
           |
         2 |   bases: [main]
           |   ^^^^^
    ");
    assert_snapshot!(told("budget:\n  days: 14\n"), @r"
        a.yaml:2:3: budget: there is no key `days` here (the keys here are age, behind)
           |
         2 |   days: 14
           |   ^^^^
    ");
    assert_snapshot!(told("postboxes: 3\n"), @r"
        a.yaml:1:1: there is no key `postboxes` at the top level (the keys here are alerts, backup, bases, budget, calendars, canaries, channels, checks, cleanup, data_dir, egress, gate, …)
           |
         1 | postboxes: 3
           | ^^^^^^^^^
    ");
    assert_snapshot!(told("inspect:\n  git_deadlin: 3m\n"), @r"
        a.yaml:2:3: inspect: there is no key `git_deadlin` here (did you mean `git_deadline`?)
           |
         2 |   git_deadlin: 3m
           |   ^^^^^^^^^^^
    ");
    assert_snapshot!(told("relations:\n  - branch: [a]\n"), @r"
        a.yaml:2:5: relations[0]: there is no key `branch` here (did you mean `branches`?)
           |
         2 |   - branch: [a]
           |     ^^^^^^
    ");
    assert_snapshot!(told("thresholds:\n  conflicting: 3\n"), @r"
        a.yaml:2:3: thresholds: the check `conflicting` compares with no number (`alignwatch check --list` shows the checks with their numbers)
           |
         2 |   conflicting: 3
           |   ^^^^^^^^^^^
    ");
    assert_snapshot!(told("thresholds:\n  far_behind: 3\n"), @r"
        a.yaml:2:3: thresholds: there is no key `far_behind` here (did you mean `far-behind`?)
           |
         2 |   far_behind: 3
           |   ^^^^^^^^^^
    ");
    assert_snapshot!(told("bases: [main]\nbases: [develop]\n"), @r"
        a.yaml:2:1: the key `bases` stands here again, after line 1 (write it once, with all that belongs to it)
           |
         2 | bases: [develop]
           | ^^^^^
    ");
    assert_snapshot!(told("budget:\n  age: 1d\n  behind: 1\n  age: 2d\n"), @r"
        a.yaml:4:3: budget: the key `age` stands here again, after line 2 (write it once, with all that belongs to it)
           |
         4 |   age: 2d
           |   ^^^
    ");
}

#[test]
fn wrong_values_are_told_with_a_good_one() {
    assert_snapshot!(told("budget:\n  age: 2 weekz\n"), @r"
        a.yaml:2:8: budget.age: `2 weekz` is not a length of time (write it like `14d`)
           |
         2 |   age: 2 weekz
           |        ^^^^^^^
    ");
    assert_snapshot!(told("budget:\n  age: 14\n"), @r"
        a.yaml:2:8: budget.age: `14` has no unit (write it like `14d`)
           |
         2 |   age: 14
           |        ^^
    ");
    assert_snapshot!(told("budget:\n  age: 30s\n"), @r"
        a.yaml:2:8: budget.age: `30s` is outside of 1m to 3650d (write it like `14d`)
           |
         2 |   age: 30s
           |        ^^^
    ");
    assert_snapshot!(told("budget:\n  age: 30m 2h\n"), @r"
        a.yaml:2:8: budget.age: `30m 2h` is not a length of time (write it like `14d`)
           |
         2 |   age: 30m 2h
           |        ^^^^^^
    ");
    assert_snapshot!(told("budget:\n  age:\n"), @r"
        a.yaml:2:6: budget.age: has no value (write it like `14d`, or leave the key out for the default)
           |
         2 |   age:
           |      ^
    ");
    assert_snapshot!(told("budget:\n  behind: many\n"), @r"
        a.yaml:2:11: budget.behind: `many` is not a whole number (write it like `200`)
           |
         2 |   behind: many
           |           ^^^^
    ");
    assert_snapshot!(told("budget:\n  behind: \"200\"\n"), @r#"
        a.yaml:2:11: budget.behind: `"200"` is text and not a number (take away the quotes)
           |
         2 |   behind: "200"
           |           ^^^^^
    "#);
    assert_snapshot!(told("budget:\n  behind: 2.5\n"), @r"
        a.yaml:2:11: budget.behind: `2.5` is not a whole number (write it like `200`)
           |
         2 |   behind: 2.5
           |           ^^^
    ");
    assert_snapshot!(told("budget:\n  behind: -1\n"), @r"
        a.yaml:2:11: budget.behind: `-1` is outside of 0 to 1000000 commits (write it like `200`)
           |
         2 |   behind: -1
           |           ^^
    ");
    assert_snapshot!(told("budget:\n  behind: 99999999999999999999\n"), @r"
        a.yaml:2:11: budget.behind: `99999999999999999999` is outside of 0 to 1000000 commits (write it like `200`)
           |
         2 |   behind: 99999999999999999999
           |           ^^^^^^^^^^^^^^^^^^^^
    ");
    assert_snapshot!(told("budget: 14d\n"), @r"
        a.yaml:1:9: budget: a value stands where keys are expected (write keys below it, like `age: 14d`)
           |
         1 | budget: 14d
           |         ^^^
    ");
    assert_snapshot!(told("budget: [14d]\n"), @r"
        a.yaml:1:9: budget: a value stands where keys are expected (write keys below it, like `age: 14d`)
           |
         1 | budget: [14d]
           |         ^
    ");
    assert_snapshot!(told("inspect:\n  jobs: 0\n"), @r"
        a.yaml:2:9: inspect.jobs: `0` is outside of 1 to 256 threads (write it like `2`)
           |
         2 |   jobs: 0
           |         ^
    ");
    assert_snapshot!(told("inspect:\n  output_limit: 64 MB\n"), @r"
        a.yaml:2:17: inspect.output_limit: `64 MB` is not a size (write it like `1 GiB`)
           |
         2 |   output_limit: 64 MB
           |                 ^^^^^
    ");
    assert_snapshot!(told("inspect:\n  output_limit: 8 GiB\n"), @r"
        a.yaml:2:17: inspect.output_limit: `8 GiB` is outside of 1 MiB to 4 GiB (write it like `1 GiB`)
           |
         2 |   output_limit: 8 GiB
           |                 ^^^^^
    ");
    assert_snapshot!(told("thresholds:\n  stale: 4000\n"), @r"
        a.yaml:2:10: thresholds.stale: `4000` is outside of 1 to 3650 days (write it like `90`)
           |
         2 |   stale: 4000
           |          ^^^^
    ");
    assert_snapshot!(told("relations:\n  - {branches: [a], relation: trak}\n"), @r"
        a.yaml:2:31: relations[0].relation: `trak` is not a word for this key (did you mean `track`?)
           |
         2 |   - {branches: [a], relation: trak}
           |                               ^^^^
    ");
    assert_snapshot!(told("relations:\n  - {branches: [a], relation: whatever}\n"), @r"
        a.yaml:2:31: relations[0].relation: `whatever` is not a word for this key (write one of track, stack, mirror, backport, curated, forbidden, ignored)
           |
         2 |   - {branches: [a], relation: whatever}
           |                               ^^^^^^^^
    ");
    assert_snapshot!(told("checks:\n  skip: [stail]\n"), @r"
        a.yaml:2:10: checks.skip[0]: `stail` is not the id of a check (did you mean `stale`?)
           |
         2 |   skip: [stail]
           |          ^^^^^
    ");
    assert_snapshot!(told("data_dir: ~/alignwatch\n"), @r"
        a.yaml:1:11: data_dir: `~/alignwatch` begins with `~`, which only a shell understands (write the whole path, like `/var/lib/alignwatch`)
           |
         1 | data_dir: ~/alignwatch
           |           ^^^^^^^^^^^^
    ");
    assert_snapshot!(told("data_dir: state\n"), @r"
        a.yaml:1:11: data_dir: `state` would depend on the folder that alignwatch is started in (write the whole path, like `/var/lib/alignwatch`)
           |
         1 | data_dir: state
           |           ^^^^^
    ");
}

#[test]
fn lists_and_names_are_looked_at_one_by_one() {
    assert_snapshot!(told("bases: main\n"), @r"
        a.yaml:1:8: bases: one value stands where a list is expected (write it like `[main]`)
           |
         1 | bases: main
           |        ^^^^
    ");
    assert_snapshot!(told("bases: [main, develop, main]\n"), @r"
        a.yaml:1:24: bases: `main` is listed twice (take one out)
           |
         1 | bases: [main, develop, main]
           |                        ^^^^
    ");
    assert_snapshot!(told("bases: [main, [develop]]\n"), @r"
        a.yaml:1:15: bases[1]: a list stands where one value is expected (write it like `[main, develop]`)
           |
         1 | bases: [main, [develop]]
           |               ^
    ");
    assert_snapshot!(told("bases: [main, ~]\n"), @r"
        a.yaml:1:15: bases[1]: has no value (write a value, or take the item out)
           |
         1 | bases: [main, ~]
           |               ^
    ");
    assert_snapshot!(told("bases: [\"release/*\"]\n"), @r#"
        a.yaml:1:9: bases[0]: `release/*` holds `*`, which no name of a branch does (write the name of one branch, like `main` or `origin/main`)
           |
         1 | bases: ["release/*"]
           |         ^^^^^^^^^^^
    "#);
    assert_snapshot!(told("bases: [\"\", \"a b\", /main, main/, a..b]\n"), @r#"
        a.yaml:1:9: bases[0]: `""` is empty (write a name like `main`)
           |
         1 | bases: ["", "a b", /main, main/, a..b]
           |         ^^
        a.yaml:1:13: bases[1]: `a b` holds a space, so no branch can match it (write a name like `main`)
           |
         1 | bases: ["", "a b", /main, main/, a..b]
           |             ^^^^^
        a.yaml:1:20: bases[2]: `/main` begins with `/`, so no branch can match it (write `main`)
           |
         1 | bases: ["", "a b", /main, main/, a..b]
           |                    ^^^^^
        a.yaml:1:27: bases[3]: `main/` ends with `/`, so no branch can match it (write `main`)
           |
         1 | bases: ["", "a b", /main, main/, a..b]
           |                           ^^^^^
        a.yaml:1:34: bases[4]: `a..b` holds `..`, so no branch can match it (write a name like `main`)
           |
         1 | bases: ["", "a b", /main, main/, a..b]
           |                                  ^^^^
    "#);
    assert_snapshot!(told("refs:\n  spaces: []\n"), @r"
        a.yaml:2:11: refs.spaces: is empty (write it like `[heads, refs/agents/]`)
           |
         2 |   spaces: []
           |           ^
    ");
    assert_snapshot!(told("refs:\n  spaces: [head, refs/agents, tags]\n"), @r"
        a.yaml:2:12: refs.spaces[0]: `head` is not a space of refs (did you mean `heads`?)
           |
         2 |   spaces: [head, refs/agents, tags]
           |            ^^^^
        a.yaml:2:18: refs.spaces[1]: `refs/agents` is not a prefix of full names (let it begin with `refs/` and end with `/`, like `refs/agents/`)
           |
         2 |   spaces: [head, refs/agents, tags]
           |                  ^^^^^^^^^^^
        a.yaml:2:31: refs.spaces[2]: `tags` is not a space of refs (write heads, remotes, pulls, or a prefix like `refs/agents/`)
           |
         2 |   spaces: [head, refs/agents, tags]
           |                               ^^^^
    ");
    assert_snapshot!(told("refs:\n  exclude: [\"{a\", \"feature/\", \"/x\", \"a b\", \"x~1\"]\n"), @r#"
        a.yaml:2:13: refs.exclude[0]: `{a` is no pattern: unclosed alternate group; missing '}' (maybe escape '{' with '[{]'?) (close what was opened, or put `\` before a character that is meant as it stands)
           |
         2 |   exclude: ["{a", "feature/", "/x", "a b", "x~1"]
           |             ^^^^
        a.yaml:2:19: refs.exclude[1]: `feature/` ends with `/`, so no branch can match it (write `feature/**` for all below it)
           |
         2 |   exclude: ["{a", "feature/", "/x", "a b", "x~1"]
           |                   ^^^^^^^^^^
        a.yaml:2:31: refs.exclude[2]: `/x` begins with `/`, so no branch can match it (write `x`)
           |
         2 |   exclude: ["{a", "feature/", "/x", "a b", "x~1"]
           |                               ^^^^
        a.yaml:2:37: refs.exclude[3]: `a b` holds a space, so no branch can match it (write a pattern like `feature/**`)
           |
         2 |   exclude: ["{a", "feature/", "/x", "a b", "x~1"]
           |                                     ^^^^^
        a.yaml:2:44: refs.exclude[4]: `x~1` holds `~`, so no branch can match it (write a pattern like `feature/**`)
           |
         2 |   exclude: ["{a", "feature/", "/x", "a b", "x~1"]
           |                                            ^^^^^
    "#);
    assert_snapshot!(told("markers:\n  exclude: [/docs/**, \"[x\"]\n"), @r#"
        a.yaml:2:13: markers.exclude[0]: `/docs/**` begins with `/`, and no path in a repository does (write `docs/**`)
           |
         2 |   exclude: [/docs/**, "[x"]
           |             ^^^^^^^^
        a.yaml:2:23: markers.exclude[1]: `[x` is no pattern: unclosed character class; missing ']' (close what was opened, or put `\` before a character that is meant as it stands)
           |
         2 |   exclude: [/docs/**, "[x"]
           |                       ^^^^
    "#);
    assert_snapshot!(told("relations:\n  - branches: [a]\n  - main\n  - base: main\n"), @r#"
        a.yaml:3:5: relations[1]: one value stands where keys are expected (write it like `{branches: ["release/*"], relation: backport}`)
           |
         3 |   - main
           |     ^^^^
        a.yaml:4:5: relations[2]: the key `branches` is missing (add a line like `branches: ["release/*"]`)
           |
         4 |   - base: main
           |     ^
    "#);
    assert_snapshot!(told("relations: {branches: [a]}\n"), @r#"
        a.yaml:1:12: relations: keys stand where a list is expected (write it like `[{branches: ["release/*"], relation: backport}]`)
           |
         1 | relations: {branches: [a]}
           |            ^
    "#);
}

#[test]
fn values_that_do_not_go_together_name_each_other() {
    assert_snapshot!(told("relations:\n  - branches: [\"release/**\"]\n    relation: backport\n  - branches: [release/1.0, hotfix]\n    relation: track\n"), @r"
        a.yaml:4:16: relations[1].branches[0]: `release/1.0` never applies here: an earlier rule takes `release/**` (line 2) (put this rule before that one, or take the pattern out of one of them)
           |
         4 |   - branches: [release/1.0, hotfix]
           |                ^^^^^^^^^^^
    ");
    assert_snapshot!(told("relations:\n  - branches: [\"**\"]\n  - branches: [x]\n"), @r"
        a.yaml:3:16: relations[1].branches[0]: `x` never applies here: an earlier rule takes `**` (line 2) (put this rule before that one, or take the pattern out of one of them)
           |
         3 |   - branches: [x]
           |                ^
    ");
    assert_snapshot!(told("relations:\n  - {branches: [\"**\"], repositories: [/srv/a]}\n  - {branches: [x], repositories: [/srv/b]}\n  - {branches: [x]}\n  - {branches: [x], repositories: [/srv/a]}\n"), @r"
        a.yaml:5:17: relations[3].branches[0]: `x` never applies here: an earlier rule takes `**` (line 2) (put this rule before that one, or take the pattern out of one of them)
           |
         5 |   - {branches: [x], repositories: [/srv/a]}
           |                 ^
    ");
    assert_snapshot!(told("relations:\n  - branches: [dev]\n    relation: forbidden\n    budget: {behind: 3}\n"), @r"
        a.yaml:4:13: relations[0].budget: a budget means nothing for the relation `forbidden`: drift is not held against it (leave the budget out, or write `relation: track`)
           |
         4 |     budget: {behind: 3}
           |             ^
    ");
    assert_snapshot!(told("relations:\n  - branches: [main]\n    base: main\n"), @r"
        a.yaml:3:11: relations[0].base: `main` would be measured against itself (name another base, or take the branch out of the rule)
           |
         3 |     base: main
           |           ^^^^
    ");
    assert_snapshot!(told("checks: {skip: [stale], only: [stale, far-behind]}\n"), @r"
        a.yaml:1:17: checks.skip[0]: `stale` is listed in `checks.only`, too (take it out of one of the lists)
           |
         1 | checks: {skip: [stale], only: [stale, far-behind]}
           |                 ^^^^^
    ");
}

#[test]
fn all_mistakes_are_told_at_once_in_their_order() {
    assert_snapshot!(told("refs:\n  spaces: [head]\nbudgt: {}\nrelations:\n  - branches: [a]\n    base: a\n    relation: trak\nthresholds: {stale: x}\nbases: [main\n"), @r"
        a.yaml:2:12: refs.spaces[0]: `head` is not a space of refs (did you mean `heads`?)
           |
         2 |   spaces: [head]
           |            ^^^^
        a.yaml:3:1: there is no key `budgt` at the top level (did you mean `budget`?)
           |
         3 | budgt: {}
           | ^^^^^
        a.yaml:6:11: relations[0].base: `a` would be measured against itself (name another base, or take the branch out of the rule)
           |
         6 |     base: a
           |           ^
        a.yaml:7:15: relations[0].relation: `trak` is not a word for this key (did you mean `track`?)
           |
         7 |     relation: trak
           |               ^^^^
        a.yaml:8:21: thresholds.stale: `x` is not a whole number (write it like `90`)
           |
         8 | thresholds: {stale: x}
           |                     ^
        a.yaml:9:8: `[` is opened and not closed (close the list: `[main, develop]`)
           |
         9 | bases: [main
           |        ^
    ");
}
