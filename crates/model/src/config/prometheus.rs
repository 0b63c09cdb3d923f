//! Keys of rules, routes and inhibitions as users of Prometheus and Alertmanager know them: read as what they mean here.
//!
//! They are rewritten in the tree of the file before it is decoded, as [`super::compat`] does with other ones; what stands in the
//! place of a line keeps the line. Where our own key is there as well, theirs stays, and is told as one that does not exist.

use super::tree::{At, Content, Node, Scalar};

/// Keys and values of one section.
type Entries = Vec<(Node, Node)>;

/// Puts our keys in the place of theirs.
pub(super) fn translate(root: &mut Node) {
    rename(root, "inhibit_rules", "inhibit");
    each(root, "rules", rule);
    each(root, "routes", route);
    each(root, "inhibit", |rule| {
        rename(rule, "source_matchers", "source");
        rename(rule, "target_matchers", "target");
    });
}

fn rule(rule: &mut Node) {
    rename(rule, "alert", "name");
    // To Prometheus the severity is a label like others.
    move_up(rule, "labels", "severity", "severity");
    move_up(rule, "annotations", "summary", "summary");
    move_up(rule, "annotations", "runbook_url", "runbook");
    for name in ["labels", "annotations"] {
        if let Some(table) = value_of(rule, name) {
            as_list(table);
        }
    }
}

fn route(route: &mut Node) {
    rename(route, "receiver", "channels");
    if let Some(channel) = value_of(route, "channels").filter(|node| matches!(node.content, Content::Scalar(_))) {
        let (at, content) = (channel.at, std::mem::replace(&mut channel.content, Content::Nothing));
        channel.content = Content::List(vec![Node { at, content }]);
    }
    let then = rename(route, "continue", "then").then(|| value_of(route, "then")).flatten();
    if let Some(Node { content: Content::Scalar(scalar), .. }) = then {
        match scalar.text.as_str() {
            "true" => scalar.text = "go_on".to_owned(),
            "false" => scalar.text = "stop".to_owned(),
            _ => {}
        }
    }
}

fn each(root: &mut Node, list: &str, change: impl Fn(&mut Node)) {
    if let Some(Node { content: Content::List(items), .. }) = value_of(root, list) {
        items.iter_mut().for_each(change);
    }
}

fn entries(node: &mut Node) -> Option<&mut Entries> {
    match &mut node.content {
        Content::Section(entries) => Some(entries),
        _ => None,
    }
}

fn place_of(entries: &[(Node, Node)], name: &str) -> Option<usize> {
    entries.iter().position(|(key, _)| key.text() == Some(name))
}

fn value_of<'a>(node: &'a mut Node, name: &str) -> Option<&'a mut Node> {
    let entries = entries(node)?;
    let place = place_of(entries, name)?;
    Some(&mut entries[place].1)
}

/// Gives a key our name, unless that is there already.
fn rename(node: &mut Node, theirs: &str, ours: &str) -> bool {
    let Some(entries) = entries(node) else { return false };
    match (place_of(entries, theirs), place_of(entries, ours)) {
        (Some(place), None) => {
            let at = entries[place].0.at;
            entries[place].0 = word(ours, at);
            true
        }
        _ => false,
    }
}

/// Makes a value of a table a key of its own beside it, unless that is there already. Tables that are empty then go.
fn move_up(node: &mut Node, table: &str, theirs: &str, ours: &str) {
    let Some(all) = entries(node) else { return };
    if place_of(all, ours).is_some() {
        return;
    }
    let Some(place) = place_of(all, table) else { return };
    let Some(inner) = entries(&mut all[place].1) else { return };
    let Some(within) = place_of(inner, theirs) else { return };
    let (key, value) = inner.remove(within);
    if inner.is_empty() {
        all.remove(place);
    }
    all.push((word(ours, key.at), value));
}

/// A table of names with values as a list of both.
fn as_list(table: &mut Node) {
    let Some(names) = entries(table) else { return };
    let item = |(name, value): (Node, Node)| {
        let at = name.at;
        Node { at, content: Content::Section(vec![(word("name", at), name), (word("value", at), value)]) }
    };
    table.content = Content::List(std::mem::take(names).into_iter().map(item).collect());
}

fn word(text: &str, at: At) -> Node {
    Node { at, content: Content::Scalar(Scalar { text: text.to_owned(), is_quoted: false }) }
}

#[cfg(test)]
mod tests {
    use super::super::{mistakes_told as told, *};
    use crate::Severity;

    const THEIRS: &str = "channels: {webhook: [{name: team, url: \"https://x.example/h\"}]}
rules:
  - alert: far
    expr: alignwatch_far_behind_branches > 20
    for: 1h
    labels: {severity: critical, team: release}
    annotations: {summary: many are far behind, runbook_url: \"https://w.example/far\", dashboard: \"https://g.example/1\"}
routes:
  - {name: all, receiver: team, continue: true, matchers: ['severity=\"critical\"']}
inhibit_rules:
  - {source_matchers: ['alertname=\"far\"'], target_matchers: ['alertname=\"conflict\"'], equal: [repository]}
";

    #[test]
    fn the_field_names_of_prometheus_and_alertmanager_are_read() {
        let config = Config::from_yaml(THEIRS, "f").unwrap_or_else(|errors| panic!("{errors:#?}")).0;
        let rule = &config.rules[0];
        assert_eq!((rule.name.as_str(), rule.severity), ("far", Some(Severity::Critical)));
        assert_eq!(rule.summary.as_deref(), Some("many are far behind"));
        assert_eq!(rule.runbook.as_deref(), Some("https://w.example/far"));
        assert_eq!(rule.labels, [LabelEntry { name: "team".into(), value: "release".into() }]);
        assert_eq!(rule.annotations[0].name, "dashboard");
        let route = &config.routes[0];
        assert_eq!((&route.channels[..], route.then), (&["team".to_owned()][..], Then::GoOn));
        assert_eq!(config.inhibit[0].target, ["alertname=\"conflict\""]);
    }

    #[test]
    fn what_is_wrong_with_them_is_told_at_their_line() {
        let wrong = THEIRS.replace("critical, team", "catastrophic, team");
        assert!(told(&wrong).contains("f:6") || told(&wrong).contains(":6:"), "{}", told(&wrong));
        let both = THEIRS.replace("  - alert: far", "  - name: far\n    alert: far");
        assert!(told(&both).contains("there is no key `alert`"), "{}", told(&both));
        let template = THEIRS.replace("many are far behind", "'{{ $value }} are far behind'");
        assert!(told(&template).contains("nothing is filled in"), "{}", told(&template));
    }
}
