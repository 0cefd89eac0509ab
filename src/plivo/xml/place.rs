//! The attributes and the text of an element, read with the place of what cannot be read.

use roxmltree::Node;

use super::fault::{Fault, XmlError, at, place, place_of, printable};
use crate::plivo::request::Hook;
use crate::plivo::signature::Method;
use crate::time::Duration;

/// The text of an element and of all under it, with blanks folded as a reader or a URL needs it.
pub(super) fn words(node: Node<'_, '_>) -> String {
    let texts = node.descendants().filter(Node::is_text).filter_map(|text| text.text());
    let all: String = texts.collect();
    all.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// As [`words`], of an element that is nothing without them.
pub(super) fn some_words(node: Node<'_, '_>, element: &'static str, wanted: &'static str) -> Result<String, XmlError> {
    let words = words(node);
    if words.is_empty() { Err(at(place(node), Fault::Nothing { element, wanted })) } else { Ok(words) }
}

pub(super) fn seconds(
    node: Node<'_, '_>,
    element: &'static str,
    attribute: &'static str,
) -> Result<Option<Duration>, XmlError> {
    seconds_in(node, element, attribute, 1, u32::MAX, "whole seconds, 1 or more")
}

pub(super) fn seconds_in(
    node: Node<'_, '_>,
    element: &'static str,
    attribute: &'static str,
    least: u32,
    most: u32,
    wanted: &'static str,
) -> Result<Option<Duration>, XmlError> {
    let seconds = number(node, element, attribute, least, most, wanted)?;
    Ok(seconds.map(|seconds| Duration::from_secs(u64::from(seconds))))
}

pub(super) fn number(
    node: Node<'_, '_>,
    element: &'static str,
    attribute: &'static str,
    least: u32,
    most: u32,
    wanted: &'static str,
) -> Result<Option<u32>, XmlError> {
    read(node, element, attribute, wanted, |value| value.parse().ok().filter(|number| (least..=most).contains(number)))
}

pub(super) fn flag(
    node: Node<'_, '_>,
    element: &'static str,
    attribute: &'static str,
) -> Result<Option<bool>, XmlError> {
    read(node, element, attribute, "true or false", |value| value.parse().ok())
}

/// Where an application is called by `url`, if that is there and not empty, and by `method`, POST if it is not there.
pub(super) fn hook(
    node: Node<'_, '_>,
    element: &'static str,
    url: &'static str,
    method: &'static str,
) -> Result<Option<Hook>, XmlError> {
    let method = self::method(node, element, method)?;
    let url = self::url(node, element, url)?;
    Ok(url.map(|url| Hook { url, method }))
}

pub(super) fn method(node: Node<'_, '_>, element: &'static str, attribute: &'static str) -> Result<Method, XmlError> {
    Ok(read(node, element, attribute, "GET or POST", Method::parse)?.unwrap_or_default())
}

/// An http or https URL, if there is one.
pub(super) fn url(
    node: Node<'_, '_>,
    element: &'static str,
    attribute: &'static str,
) -> Result<Option<String>, XmlError> {
    let url = read(node, element, attribute, "a whole URL: http://host/path", |value| {
        (value.is_empty() || is_http(value)).then(|| value.to_owned())
    })?;
    Ok(url.filter(|url| !url.is_empty()))
}

pub(super) fn is_http(url: &str) -> bool {
    url.starts_with("http://") || url.starts_with("https://")
}

/// Keys of a telephone. No key at all is written as an empty value.
pub(super) fn keys(
    node: Node<'_, '_>,
    element: &'static str,
    attribute: &'static str,
) -> Result<Option<String>, XmlError> {
    let wanted = "some of the keys 1234567890*#, or nothing for none";
    read(node, element, attribute, wanted, |value| value.chars().all(is_key).then(|| value.to_owned()))
}

pub(super) fn is_key(key: char) -> bool {
    key.is_ascii_digit() || matches!(key, '*' | '#')
}

/// An attribute's value, without the blanks around it.
pub(super) fn read<T>(
    node: Node<'_, '_>,
    element: &'static str,
    attribute: &'static str,
    wanted: &'static str,
    read: impl FnOnce(&str) -> Option<T>,
) -> Result<Option<T>, XmlError> {
    let Some(value) = node.attribute(attribute) else { return Ok(None) };
    let fault = || {
        let fault = Fault::Attribute { element, attribute, value: printable(value), wanted };
        at(place_of(node, attribute), fault)
    };
    read(value.trim()).ok_or_else(fault).map(Some)
}
