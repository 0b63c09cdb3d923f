//! The types of a condition: which names there are, and which comparisons can hold.

use std::fmt;

use cel::{
    IdedExpr, Program,
    common::ast::{CallExpr, ComprehensionExpr, Expr, LiteralValue, SelectExpr, operators as op},
};

use super::Subject;
use crate::{
    Severity,
    alert::{matcher::compiled, rule::finding_labels},
    checks::facts::{self, Kind},
    config::nearest_word,
};

/// The type of a part of an expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Type {
    Bool,
    Whole,
    Part,
    Text,
    Null,
    /// A list whose items are of this type.
    List(&'static Type),
    Evidence,
    Labels,
    /// Not known before it is seen.
    Any,
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Type::Bool => "a yes or no",
            Type::Whole => "a whole number",
            Type::Part => "a number with a point",
            Type::Text => "a text",
            Type::Null => "null",
            Type::List(_) => "a list",
            Type::Evidence | Type::Labels => "a table",
            Type::Any => "a value",
        })
    }
}

impl Type {
    fn of_fact(kind: Kind) -> Type {
        match kind {
            Kind::Bool => Type::Bool,
            Kind::Whole => Type::Whole,
            Kind::Part => Type::Part,
            Kind::Text => Type::Text,
            Kind::Texts => Type::List(&Type::Text),
            Kind::Mixed => Type::Any,
        }
    }

    fn is_number(self) -> bool {
        matches!(self, Type::Whole | Type::Part | Type::Any)
    }

    fn is(self, wanted: Type) -> bool {
        self == wanted || self == Type::Any
    }

    /// Can values of both be equal?
    fn compares_with(self, other: Type) -> bool {
        let is_any = |one| matches!(one, Type::Any | Type::Null);
        let are_lists = matches!((self, other), (Type::List(_), Type::List(_)));
        self == other || is_any(self) || is_any(other) || self.is_number() && other.is_number() || are_lists
    }
}

/// Names that a macro gave to items of a list, with their types.
type Names<'a> = Vec<(&'a str, Type)>;

struct Checker<'a> {
    subject: Subject<'a>,
    names: Names<'a>,
}

/// Checks an expression. Errors: what is wrong with it, with the part that is.
pub(super) fn check(program: &Program, text: &str, subject: Subject<'_>) -> Result<(), String> {
    let whole = program.expression();
    let found = Checker { subject, names: Vec::new() }.of(whole)?;
    if found.is(Type::Bool) {
        return Ok(());
    }
    let shown: String = text.trim().chars().take(40).collect();
    Err(format!("`{shown}` is {found}, and a condition says yes or no: compare it with something"))
}

impl<'a> Checker<'a> {
    fn of(&mut self, expr: &'a IdedExpr) -> Result<Type, String> {
        match &expr.expr {
            Expr::Literal(literal) => Ok(of_literal(literal)),
            Expr::Ident(name) => self.of_name(name),
            Expr::Select(select) => self.of_select(select),
            Expr::Call(call) => self.of_call(call),
            Expr::List(list) => {
                let mut items = Type::Any;
                for (at, element) in list.elements.iter().enumerate() {
                    let item = self.of(element)?;
                    items = if at == 0 || items == item { item } else { Type::Any };
                }
                Ok(list_of(items))
            }
            Expr::Comprehension(comprehension) => self.of_comprehension(comprehension),
            Expr::Map(_) | Expr::Struct(_) | Expr::Unspecified => {
                Err("a condition makes no tables: name what should be compared".to_owned())
            }
        }
    }

    fn variables(&self) -> Vec<(&'static str, Type)> {
        match self.subject {
            Subject::Finding(_) => vec![
                ("check", Type::Text),
                ("evidence", Type::Evidence),
                ("key", Type::Text),
                ("labels", Type::Labels),
                ("severity", Type::Text),
                ("subject", Type::Text),
                ("summary", Type::Text),
            ],
            Subject::Number(_) => vec![("labels", Type::Labels), ("value", Type::Part)],
        }
    }

    fn of_name(&self, name: &str) -> Result<Type, String> {
        let local = self.names.iter().rev().find(|(known, _)| *known == name).map(|(_, kind)| *kind);
        let global = || self.variables().into_iter().find(|(known, _)| *known == name).map(|(_, kind)| kind);
        local.or_else(global).ok_or_else(|| {
            let all: Vec<&str> = self.variables().iter().map(|(known, _)| *known).collect();
            format!("there is no `{name}`{}", hint(name, &all))
        })
    }

    fn of_select(&mut self, select: &'a SelectExpr) -> Result<Type, String> {
        let table = self.of(&select.operand)?;
        let field = self.of_field(table, &select.field)?;
        Ok(if select.test { Type::Bool } else { field })
    }

    fn of_field(&self, table: Type, name: &str) -> Result<Type, String> {
        match table {
            Type::Any => Ok(Type::Any),
            Type::Evidence => facts::kind_of(name).map(Type::of_fact).ok_or_else(|| {
                let all: Vec<&str> = facts::ALL.iter().map(|(known, _)| *known).collect();
                format!("no finding has the fact `{name}`{}", hint(name, &all))
            }),
            Type::Labels => {
                let all: Vec<&str> = match self.subject {
                    Subject::Finding(_) => finding_labels().collect(),
                    Subject::Number(labels) => labels.to_vec(),
                };
                let is_known = all.contains(&name);
                is_known.then_some(Type::Text).ok_or_else(|| format!("labels has no `{name}`{}", hint(name, &all)))
            }
            other => Err(format!("`.{name}`: {other} has no parts")),
        }
    }

    fn of_call(&mut self, call: &'a CallExpr) -> Result<Type, String> {
        let args: Vec<&'a IdedExpr> = call.target.as_deref().into_iter().chain(&call.args).collect();
        if let (op::INDEX, [table, key]) = (call.func_name.as_str(), &args[..]) {
            return self.of_index(table, key);
        }
        exists(&call.func_name)?;
        let types = args.iter().map(|arg| self.of(arg)).collect::<Result<Vec<_>, _>>()?;
        match (call.func_name.as_str(), &types[..]) {
            (op::LOGICAL_AND | op::LOGICAL_OR | op::LOGICAL_NOT | op::NOT_STRICTLY_FALSE, _) => {
                match types.iter().find(|one| !one.is(Type::Bool)) {
                    None => Ok(Type::Bool),
                    Some(other) => Err(format!("`&&`, `||` and `!` go with a yes or no, and this is {other}")),
                }
            }
            (op::EQUALS | op::NOT_EQUALS, [left, right]) => {
                self.speaks_of_something(args[0], args[1])?;
                self.speaks_of_something(args[1], args[0])?;
                comparable(*left, *right, left.compares_with(*right))
            }
            (op::LESS | op::LESS_EQUALS | op::GREATER | op::GREATER_EQUALS, [left, right]) => {
                let are_texts = left.is(Type::Text) && right.is(Type::Text);
                comparable(*left, *right, left.is_number() && right.is_number() || are_texts)
            }
            (op::IN, [item, within]) => self.of_in((args[0], *item), (args[1], *within)),
            (op::ADD | op::SUBSTRACT | op::MULTIPLY | op::DIVIDE | op::MODULO, [left, right]) => sum(*left, *right),
            (op::NEGATE, [one]) if one.is_number() => Ok(*one),
            (op::CONDITIONAL, [when, yes, no]) if when.is(Type::Bool) && yes.compares_with(*no) => {
                Ok(if yes == no { *yes } else { Type::Any })
            }
            ("size", [Type::Text | Type::List(_) | Type::Any]) => Ok(Type::Whole),
            ("double", [one]) if one.is_number() => Ok(Type::Part),
            ("int", [one]) if one.is_number() => Ok(Type::Whole),
            ("contains" | "startsWith" | "endsWith", [text, part]) if text.is(Type::Text) && part.is(Type::Text) => {
                Ok(Type::Bool)
            }
            ("matches", [text, _]) if text.is(Type::Text) => of_pattern(args[1]),
            (name, _) => Err(does_not_go(name, &types)),
        }
    }

    fn of_index(&mut self, table: &'a IdedExpr, key: &'a IdedExpr) -> Result<Type, String> {
        let (table, at) = (self.of(table)?, self.of(key)?);
        match (table, text_in(key)) {
            (Type::Evidence | Type::Labels, Some(name)) => self.of_field(table, name),
            (Type::List(item), _) if at.is(Type::Whole) => Ok(*item),
            (Type::Any, _) => Ok(Type::Any),
            _ => Err(format!("`[…]` with {at} does not go with {table}")),
        }
    }

    fn of_in(
        &self,
        (item, of_item): (&'a IdedExpr, Type),
        (within, of_list): (&IdedExpr, Type),
    ) -> Result<Type, String> {
        if let Expr::List(list) = &within.expr {
            list.elements.iter().try_for_each(|word| self.speaks_of_something(item, word))?;
        }
        match of_list {
            Type::List(items) => comparable(of_item, *items, of_item.compares_with(*items)),
            Type::Evidence | Type::Labels | Type::Any if of_item.is(Type::Text) => Ok(Type::Bool),
            other => Err(format!("`in` goes with a list, and this is {other}")),
        }
    }

    /// A name whose words are known, compared with a word that it never is.
    fn speaks_of_something(&self, name: &IdedExpr, word: &IdedExpr) -> Result<(), String> {
        let (Expr::Ident(name), Some(word)) = (&name.expr, text_in(word)) else { return Ok(()) };
        let words: Vec<&str> = match (self.subject, name.as_str()) {
            (Subject::Finding(checks), "check") => checks.iter().map(String::as_str).collect(),
            (Subject::Finding(_), "severity") => Severity::ALL.iter().map(|severity| severity.word()).collect(),
            _ => return Ok(()),
        };
        let is_one = words.contains(&word);
        is_one.then_some(()).ok_or_else(|| format!("`{name}` is never `{word}`{}", hint(word, &words)))
    }

    fn of_comprehension(&mut self, over: &'a ComprehensionExpr) -> Result<Type, String> {
        if matches!(over.accu_init.expr, Expr::List(_)) {
            return Err("`map` and `filter` make lists: ask with `exists`, `all` or `exists_one`".to_owned());
        }
        if !self.names.is_empty() {
            return Err("one `exists`, `all` or `exists_one` stands within another: write two rules".to_owned());
        }
        let item = match self.of(&over.iter_range)? {
            Type::List(item) => *item,
            Type::Any => Type::Any,
            other => return Err(format!("`exists`, `all` and `exists_one` go over a list, and this is {other}")),
        };
        let sum = self.of(&over.accu_init)?;
        self.names = vec![(over.accu_var.as_str(), sum), (over.iter_var.as_str(), item)];
        let parts = [&over.loop_cond, &over.loop_step, &over.result].map(|part| self.of(part));
        self.names.clear();
        let [condition, step, result] = parts;
        condition.and(step).and(result)
    }
}

fn of_literal(literal: &LiteralValue) -> Type {
    match literal {
        LiteralValue::Boolean(_) => Type::Bool,
        LiteralValue::Int(_) | LiteralValue::UInt(_) => Type::Whole,
        LiteralValue::Double(_) => Type::Part,
        LiteralValue::String(_) => Type::Text,
        LiteralValue::Null => Type::Null,
        LiteralValue::Bytes(_) => Type::Any,
    }
}

fn list_of(items: Type) -> Type {
    match items {
        Type::Bool => Type::List(&Type::Bool),
        Type::Whole => Type::List(&Type::Whole),
        Type::Part => Type::List(&Type::Part),
        Type::Text => Type::List(&Type::Text),
        _ => Type::List(&Type::Any),
    }
}

fn comparable(left: Type, right: Type, can_hold: bool) -> Result<Type, String> {
    can_hold.then_some(Type::Bool).ok_or_else(|| format!("it compares {left} with {right}, which never holds"))
}

/// Sums of numbers of one kind: CEL has no others.
fn sum(left: Type, right: Type) -> Result<Type, String> {
    match (left, right) {
        (Type::Whole, Type::Whole) => Ok(Type::Whole),
        (Type::Part, Type::Part) => Ok(Type::Part),
        _ if left.is_number() && right.is_number() => {
            Err(format!("it reckons with {left} and {right}: write `double(…)` around both"))
        }
        _ if left == Type::Text || right == Type::Text => Err("it adds texts: compare each by itself".to_owned()),
        _ => Err(format!("it reckons with {left} and {right}")),
    }
}

fn of_pattern(pattern: &IdedExpr) -> Result<Type, String> {
    let text = text_in(pattern).ok_or("`matches`: the pattern stands there as a text, so that it can be checked")?;
    compiled(text).map(|_| Type::Bool).map_err(|bad| bad.0)
}

fn text_in(expr: &IdedExpr) -> Option<&str> {
    match &expr.expr {
        Expr::Literal(LiteralValue::String(text)) => Some(text.inner()),
        _ => None,
    }
}

/// What may be called by its name.
const CALLS: [&str; 10] =
    ["all", "contains", "double", "endsWith", "exists", "exists_one", "int", "matches", "size", "startsWith"];

/// Is there such a call, or is it an operator? Told before what stands in it, which may only have a meaning there.
fn exists(name: &str) -> Result<(), String> {
    match CALLS.contains(&name) || !name.starts_with(|c: char| c.is_ascii_alphabetic()) {
        true => Ok(()),
        false => Err(format!("there is no `{name}`{}", hint(name, &CALLS))),
    }
}

fn does_not_go(name: &str, types: &[Type]) -> String {
    let types: Vec<String> = types.iter().map(ToString::to_string).collect();
    format!("`{}` does not go with {}", name.trim_matches('_'), types.join(" and "))
}

fn hint(name: &str, all: &[&str]) -> String {
    match nearest_word(name, all.iter().copied(), 3) {
        Some(near) => format!("; did you mean `{near}`?"),
        None if all.len() <= 12 => format!("; there is `{}`", all.join("`, `")),
        None => "; `alignwatch check --json` shows the evidence of findings".to_owned(),
    }
}
