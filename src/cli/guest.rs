//! stub
use crate::agent::Known;
use crate::plivo::rules::RuleSet;
use crate::record::Told;
use std::io;

pub struct Embedded {
    pub answer_url: Option<String>,
    pub answer_xml: Option<String>,
    pub rules: RuleSet,
}
pub struct Guest {
    pub user: String,
    pub password: String,
    pub domain: String,
}
impl Guest {
    pub async fn embedded(_: Embedded) -> io::Result<Self> {
        Err(io::Error::other("not in this build"))
    }
    pub async fn of(_: &str) -> io::Result<Self> {
        Err(io::Error::other("not in this build"))
    }
    pub fn known(&self) -> Known {
        todo!()
    }
    pub async fn told(&self, _: &str) -> Option<Told> {
        None
    }
    pub async fn leave(self) {}
}
impl std::fmt::Display for Guest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("x")
    }
}
